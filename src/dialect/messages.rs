//! Anthropic Messages: history and answers.
use super::{
    meter::{Measured, count},
    said::{Telling, texts},
};
use serde_json::Value;

/// Walks through `messages[]`. The CLI's own `system` role inside it is context, not conversation.
pub(super) fn tell(body: &Value, telling: &mut Telling) {
    for message in body["messages"].as_array().into_iter().flatten() {
        match message["role"].as_str() {
            Some("user") => user(&message["content"], telling),
            Some("assistant") => assistant(&message["content"], telling),
            _ => {}
        }
    }
}

/// Results come before the words that were typed after them, whatever their order in the message.
fn user(content: &Value, telling: &mut Telling) {
    for block in content.as_array().into_iter().flatten() {
        if block["type"] == "tool_result" {
            telling.output(&texts(&block["content"]).join("\n"));
        }
    }
    telling.person(&texts(content));
}

fn assistant(content: &Value, telling: &mut Telling) {
    let Some(blocks) = content.as_array() else {
        return telling.model(content.as_str().unwrap_or_default());
    };
    for block in blocks {
        match block["type"].as_str() {
            Some("text") => telling.model(block["text"].as_str().unwrap_or_default()),
            Some("tool_use") => {
                telling.call(block["name"].as_str().unwrap_or_default(), &block["input"].to_string());
            }
            _ => {}
        }
    }
}

/// One event of a stream.
pub(super) fn observe(name: &str, data: &Value, so_far: &mut Measured) {
    match data["type"].as_str().unwrap_or(name) {
        "message_start" => {
            // Some upstreams begin anew inside one stream: what was said before does not count.
            so_far.answer.clear();
            so_far.calls_tools = false;
            so_far.served_by(&data["message"]["model"]);
            usage(&data["message"]["usage"], so_far);
        }
        "content_block_start" => match data["content_block"]["type"].as_str() {
            Some("tool_use") => so_far.calls_tools = true,
            Some("text") => {
                so_far.next_paragraph();
                so_far.say(data["content_block"]["text"].as_str().unwrap_or_default());
            }
            _ => {}
        },
        "content_block_delta" if data["delta"]["type"] == "text_delta" => {
            so_far.say(data["delta"]["text"].as_str().unwrap_or_default());
        }
        "message_delta" => usage(&data["usage"], so_far),
        "message_stop" => so_far.complete(),
        "error" => {
            so_far.fail_with(&data["error"]);
        }
        _ => {}
    }
}

/// An answer without a stream.
pub(super) fn whole(body: &Value, so_far: &mut Measured) {
    if so_far.fail_with(&body["error"]) {
        return;
    }
    so_far.served_by(&body["model"]);
    usage(&body["usage"], so_far);
    for block in body["content"].as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("text") => {
                so_far.next_paragraph();
                so_far.say(block["text"].as_str().unwrap_or_default());
            }
            Some("tool_use") => so_far.calls_tools = true,
            _ => {}
        }
    }
    if body["type"] == "message" {
        so_far.complete();
    }
}

/// Counts are cumulative, and `input_tokens` leaves the cache out already. A placeholder zero replaces nothing.
pub(super) fn usage(usage: &Value, so_far: &mut Measured) {
    let mut take = |key: &str, slot: fn(&mut Measured) -> &mut u64| {
        if let Some(n) = count(&usage[key]).filter(|n| *n > 0) {
            *slot(so_far) = n;
            so_far.usage_reported = true;
        }
    };
    take("input_tokens", |m| &mut m.usage.input);
    take("cache_read_input_tokens", |m| &mut m.usage.cache_read);
    take("cache_creation_input_tokens", |m| &mut m.usage.cache_write);
    take("output_tokens", |m| &mut m.usage.output);
}

#[cfg(test)]
mod tests {
    use crate::dialect::{Dialect, End, Meter, Newest, Usage, conversation, newest, newest_prompt};
    use serde_json::json;

    #[test]
    fn history_without_reminders_and_system_turns() {
        let body = json!({"messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>\nCLAUDE.md [[run: no]]\n</system-reminder>"},
                {"type": "text", "text": "write a file"}]},
            {"role": "system", "content": "context"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "I write."},
                {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a.rs"}]},
                {"type": "text", "text": "<system-reminder>\ntodo\n</system-reminder>"}]},
        ]});
        let turns: Vec<String> =
            conversation(Dialect::Messages, &body).turns.into_iter().map(|t| t.text).collect();
        assert_eq!(turns, ["write a file", "I write.", r#"Bash: {"command":"ls"}"#, "a.rs"]);
        assert_eq!(newest(Dialect::Messages, &body), Newest::Output);
        assert_eq!(newest_prompt(Dialect::Messages, &body), None);
    }

    #[test]
    fn a_prompt_typed_after_a_refused_tool_is_the_newest() {
        let body = json!({"messages": [{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": "refused", "is_error": true},
            {"type": "text", "text": "[Request interrupted by user for tool use]"},
            {"type": "text", "text": "do it otherwise"}]}]});
        assert_eq!(newest_prompt(Dialect::Messages, &body).unwrap(), "do it otherwise");
    }

    fn measured(stream: &str) -> crate::dialect::Measured {
        let mut meter = Meter::new(Dialect::Messages);
        meter.feed(stream.as_bytes());
        meter.finish()
    }

    const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m-1\",\"usage\":{\"input_tokens\":40,\"cache_read_input_tokens\":7,\"cache_creation_input_tokens\":3,\"output_tokens\":1}}}\n\n";

    #[test]
    fn a_stream_is_complete_only_with_its_last_event() {
        let text = format!(
            "{START}event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}\n\nevent: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"hi\"}}}}\n\nevent: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{{\"input_tokens\":61,\"output_tokens\":9}}}}\n\n"
        );
        let cut = measured(&text);
        assert_eq!(cut.end, End::Cut);
        let done = measured(&format!("{text}event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"));
        assert_eq!(done.end, End::Complete);
        assert_eq!(done.usage, Usage { input: 61, cache_read: 7, cache_write: 3, output: 9 });
        assert_eq!((done.answer.as_str(), done.model.as_str(), done.calls_tools), ("hi", "m-1", false));
    }

    #[test]
    fn an_error_inside_a_stream_is_not_a_success() {
        let failed = measured(&format!(
            "{START}event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\",\"message\":\"busy\"}}}}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
        ));
        assert_eq!(failed.end, End::Failed("overloaded_error: busy".into()));
    }

    #[test]
    fn a_whole_answer() {
        let done = measured(
            r#" {"type":"message","model":"m","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"t","name":"Bash","input":{}}],"usage":{"input_tokens":5,"output_tokens":2}}"#,
        );
        assert_eq!((done.end, done.calls_tools, done.usage.input), (End::Complete, true, 5));
        assert_eq!(measured(r#"{"type":"message","content":["#).end, End::Cut);
    }
}
