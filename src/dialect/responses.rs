//! OpenAI Responses: history and answers.
use super::{
    meter::{Measured, State, count},
    said::{Telling, texts},
};
use serde_json::Value;

/// Walks through `input`. Developer messages are the CLI's, not the person's.
pub(super) fn tell(body: &Value, telling: &mut Telling) {
    if let Some(text) = body["input"].as_str() {
        telling.person(&[text.to_owned()]);
    }
    for item in body["input"].as_array().into_iter().flatten() {
        let role = item["role"].as_str();
        match item["type"].as_str().unwrap_or("message") {
            "message" if role == Some("user") => telling.person(&texts(&item["content"])),
            "message" if role == Some("assistant") => telling.model(&texts(&item["content"]).join("\n")),
            "function_call" => {
                telling.call(&tool_name(item), item["arguments"].as_str().unwrap_or_default());
            }
            "custom_tool_call" => telling.call(&tool_name(item), item["input"].as_str().unwrap_or_default()),
            "local_shell_call" => telling.call("local_shell", &item["action"]["command"].to_string()),
            "function_call_output" | "custom_tool_call_output" | "local_shell_call_output" => {
                telling.output(&texts(&item["output"]).join("\n"));
            }
            _ => {}
        }
    }
}

fn tool_name(item: &Value) -> String {
    let name = item["name"].as_str().unwrap_or_default();
    match item["namespace"].as_str() {
        Some(space) => format!("{space}.{name}"),
        None => name.to_owned(),
    }
}

/// One event of a stream.
pub(super) fn observe(name: &str, data: &Value, so_far: &mut Measured, state: &mut State) {
    match data["type"].as_str().unwrap_or(name) {
        "response.created" | "response.in_progress" => so_far.served_by(&data["response"]["model"]),
        "response.output_item.added" => {
            state.streamed = false;
            if is_call(&data["item"]) {
                so_far.calls_tools = true;
            } else if data["item"]["type"] == "message" {
                so_far.next_paragraph();
            }
        }
        "response.output_text.delta" | "response.refusal.delta" => {
            state.streamed = true;
            so_far.say(data["delta"].as_str().unwrap_or_default());
        }
        // The item is the truth; deltas are optional.
        "response.output_item.done" => {
            item(&data["item"], !state.streamed, so_far);
            state.streamed = false;
        }
        "response.completed" | "response.incomplete" => {
            so_far.served_by(&data["response"]["model"]);
            usage(&data["response"]["usage"], so_far);
            so_far.complete();
        }
        "response.failed" => failed(&data["response"], so_far),
        "error" => {
            let error = if data["error"].is_object() { &data["error"] } else { data };
            let word = |key: &str| error[key].as_str().unwrap_or_default();
            so_far.fail(word("code"), word("message"));
        }
        _ => {}
    }
}

/// An answer without a stream.
pub(super) fn whole(body: &Value, so_far: &mut Measured, _: &mut State) {
    so_far.served_by(&body["model"]);
    usage(&body["usage"], so_far);
    for output in body["output"].as_array().into_iter().flatten() {
        item(output, true, so_far);
    }
    match body["status"].as_str() {
        Some("completed" | "incomplete") => so_far.complete(),
        Some("failed") => failed(body, so_far),
        _ => {
            so_far.fail_with(&body["error"]);
        }
    }
}

fn item(item: &Value, with_text: bool, so_far: &mut Measured) {
    if is_call(item) {
        so_far.calls_tools = true;
    } else if with_text && item["type"] == "message" {
        so_far.next_paragraph();
        texts(&item["content"]).iter().for_each(|text| so_far.say(text));
    }
}

/// Calls that the harness must answer; those that the provider runs itself do not keep the turn going.
fn is_call(item: &Value) -> bool {
    matches!(
        item["type"].as_str(),
        Some("function_call" | "custom_tool_call" | "local_shell_call" | "shell_call" | "apply_patch_call")
    )
}

fn failed(response: &Value, so_far: &mut Measured) {
    usage(&response["usage"], so_far);
    if !so_far.fail_with(&response["error"]) {
        so_far.fail("", "");
    }
}

/// `input_tokens` includes what was cached.
pub(super) fn usage(usage: &Value, so_far: &mut Measured) {
    let Some(input) = count(&usage["input_tokens"]) else { return };
    let details = &usage["input_tokens_details"];
    let read = count(&details["cached_tokens"]).unwrap_or(0);
    let written = count(&details["cache_write_tokens"]).unwrap_or(0);
    so_far.usage.input = input.saturating_sub(read).saturating_sub(written);
    so_far.usage.cache_read = read;
    so_far.usage.cache_write = written;
    so_far.usage.output = count(&usage["output_tokens"]).unwrap_or(0);
    so_far.usage_reported = true;
    so_far.cost = usage["cost"].as_f64().or(so_far.cost);
}

#[cfg(test)]
mod tests {
    use crate::dialect::{Dialect, End, Measured, Meter, Newest, Usage, conversation, newest, newest_prompt};
    use serde_json::{Value, json};

    fn measured(events: &[Value]) -> Measured {
        let mut meter = Meter::new(Dialect::Responses);
        for event in events {
            meter.feed(format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()).as_bytes());
        }
        meter.finish()
    }

    #[test]
    fn history_of_codex_in_both_of_its_tool_modes() {
        let text = |role: &str, text: &str| json!({"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]});
        let mut body = json!({"input": [
            {"type": "additional_tools", "role": "developer", "tools": []},
            text("developer", "you are a coding agent"),
            text("user", "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\n[[run: no]]\n</INSTRUCTIONS>"),
            text("user", "<environment_context>\n  <cwd>/w</cwd>\n</environment_context>"),
            text("user", "make a file"),
            {"type": "reasoning", "summary": [], "encrypted_content": "x"},
            {"type": "function_call", "call_id": "1", "name": "exec_command", "arguments": "{\"cmd\":\"ls\"}"},
            {"type": "function_call_output", "call_id": "1", "output": "Chunk ID: 1\nProcess exited with code 0\nOutput:\na.rs\n"},
            {"type": "custom_tool_call", "call_id": "2", "name": "exec", "input": "const r =\n 1"},
            {"type": "custom_tool_call_output", "call_id": "2", "output": [
                {"type": "input_text", "text": "Script completed\nWall time 0.1 seconds\nOutput:\n"},
                {"type": "input_text", "text": "b.rs"}]},
        ]});
        let turns: Vec<String> =
            conversation(Dialect::Responses, &body).turns.into_iter().map(|t| t.text).collect();
        assert_eq!(
            turns,
            ["make a file", "exec_command: {\"cmd\":\"ls\"}", "a.rs", "exec: const r = 1", "b.rs"]
        );
        assert_eq!(newest(Dialect::Responses, &body), Newest::Output);
        body["input"].as_array_mut().unwrap().push(text("user", "next"));
        assert_eq!(newest_prompt(Dialect::Responses, &body).unwrap(), "next");
        assert_eq!(newest_prompt(Dialect::Responses, &json!({"input": "plain"})).unwrap(), "plain");
    }

    #[test]
    fn items_without_deltas_still_speak() {
        let message = json!({"type": "message", "content": [{"type": "output_text", "text": "hi"}]});
        let usage =
            json!({"input_tokens": 100, "input_tokens_details": {"cached_tokens": 30}, "output_tokens": 4});
        let done = measured(&[
            json!({"type": "response.created", "response": {"model": "m"}}),
            json!({"type": "response.output_item.done", "item": message}),
            json!({"type": "response.output_item.added", "item": {"type": "function_call"}}),
            json!({"type": "response.completed", "response": {"usage": usage}}),
        ]);
        assert_eq!(done.usage, Usage { input: 70, cache_read: 30, cache_write: 0, output: 4 });
        assert_eq!((done.answer.as_str(), done.calls_tools, done.end), ("hi", true, End::Complete));
    }

    #[test]
    fn deltas_are_not_said_twice() {
        let message = json!({"type": "message", "content": [{"type": "output_text", "text": "hi there"}]});
        let done = measured(&[
            json!({"type": "response.output_item.added", "item": {"type": "message"}}),
            json!({"type": "response.output_text.delta", "delta": "hi "}),
            json!({"type": "response.output_text.delta", "delta": "there"}),
            json!({"type": "response.output_item.done", "item": message}),
        ]);
        assert_eq!((done.answer.as_str(), done.end), ("hi there", End::Cut));
    }

    #[test]
    fn failures_in_each_form() {
        let failed = measured(&[
            json!({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "slow"}}}),
        ]);
        assert_eq!(failed.end, End::Failed("rate_limit_exceeded: slow".into()));
        let failed = measured(&[json!({"type": "error", "code": "server_error", "message": "oh"})]);
        assert_eq!(failed.end, End::Failed("server_error: oh".into()));
    }
}
