//! Gemini generateContent: history and answers.
use super::{
    meter::{Measured, count},
    said::Telling,
};
use serde_json::Value;

/// Walks through `contents[]`. A content without a role is the person's.
pub(super) fn tell(body: &Value, telling: &mut Telling) {
    for content in body["contents"].as_array().into_iter().flatten() {
        let parts = content["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
        if content["role"] == "model" {
            for part in parts.iter().filter(|part| !is_thought(part)) {
                if let Some(call) = part.get("functionCall") {
                    telling.call(call["name"].as_str().unwrap_or_default(), &call["args"].to_string());
                } else {
                    telling.model(part["text"].as_str().unwrap_or_default());
                }
            }
        } else {
            for part in parts {
                if let Some(response) = part.get("functionResponse") {
                    telling.output(&output(&response["response"]));
                }
            }
            let texts: Vec<String> =
                parts.iter().filter_map(|part| part["text"].as_str().map(str::to_owned)).collect();
            telling.person(&texts);
        }
    }
}

fn output(response: &Value) -> String {
    let text = |key: &str| response[key].as_str().map(str::to_owned);
    text("output")
        .or_else(|| text("result"))
        .or_else(|| text("content"))
        .or_else(|| text("error"))
        .unwrap_or_else(|| response.to_string())
}

fn is_thought(part: &Value) -> bool {
    part["thought"] == Value::Bool(true)
}

/// Reasons to stop that mean the model's answer is unusable.
const BROKEN: &[&str] = &[
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE",
    "TOO_MANY_TOOL_CALLS",
    "OTHER",
];

/// One frame of a stream: each is a part of the whole answer.
pub(super) fn observe(data: &Value, so_far: &mut Measured) {
    if so_far.fail_with(&data["error"]) {
        return;
    }
    so_far.served_by(&data["modelVersion"]);
    usage(&data["usageMetadata"], so_far);
    let candidate = &data["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        if part.get("functionCall").is_some() {
            so_far.calls_tools = true;
        } else if !is_thought(part) {
            so_far.say(part["text"].as_str().unwrap_or_default());
        }
    }
    match candidate["finishReason"].as_str() {
        Some(reason) if BROKEN.contains(&reason) => {
            so_far.fail(reason, candidate["finishMessage"].as_str().unwrap_or_default());
        }
        Some("FINISH_REASON_UNSPECIFIED") | None => {}
        Some(_) => so_far.complete(),
    }
    if let Some(reason) = data["promptFeedback"]["blockReason"].as_str() {
        so_far.fail(reason, "the prompt was blocked");
    }
}

/// An answer without events: one object, or the frames as an array.
pub(super) fn whole(body: &Value, so_far: &mut Measured) {
    match body.as_array() {
        Some(frames) => frames.iter().for_each(|frame| observe(frame, so_far)),
        None => observe(body, so_far),
    }
}

/// Counts are cumulative, and a frame may name only some of them. The prompt includes what was cached; thoughts are
/// counted apart from candidates.
pub(super) fn usage(usage: &Value, so_far: &mut Measured) {
    let get = |key: &str| count(&usage[key]);
    if let Some(prompt) = get("promptTokenCount") {
        let cached = get("cachedContentTokenCount").unwrap_or(0);
        so_far.usage.cache_read = cached;
        so_far.usage.input =
            prompt.saturating_add(get("toolUsePromptTokenCount").unwrap_or(0)).saturating_sub(cached);
        so_far.usage_reported = true;
    }
    let (candidates, thoughts) = (get("candidatesTokenCount"), get("thoughtsTokenCount"));
    if candidates.is_some() || thoughts.is_some() {
        so_far.usage.output = candidates.unwrap_or(0).saturating_add(thoughts.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::{Dialect, End, Measured, Meter, Newest, Usage, conversation, newest, newest_prompt};
    use serde_json::json;

    fn measured(stream: &str) -> Measured {
        let mut meter = Meter::new(Dialect::Gemini);
        meter.feed(stream.as_bytes());
        meter.finish()
    }

    #[test]
    fn history_with_context_and_results() {
        let mut body = json!({"contents": [
            {"role": "user", "parts": [
                {"text": "<session_context>\ntree\n</session_context>"}, {"text": "list it"}]},
            {"role": "model", "parts": [
                {"text": "thinking", "thought": true}, {"text": "I look."},
                {"functionCall": {"name": "run_shell_command", "args": {"command": "ls"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "run_shell_command", "response": {
                "output": "<untrusted_context>\nOutput: a.rs\nProcess Group PGID: 1\n</untrusted_context>"}}}]},
        ]});
        let turns: Vec<String> =
            conversation(Dialect::Gemini, &body).turns.into_iter().map(|t| t.text).collect();
        assert_eq!(turns, ["list it", "I look.", "run_shell_command: {\"command\":\"ls\"}", "a.rs"]);
        assert_eq!(newest(Dialect::Gemini, &body), Newest::Output);
        body["contents"].as_array_mut().unwrap().push(json!({"parts": [{"text": "go on"}]}));
        assert_eq!(newest_prompt(Dialect::Gemini, &body).unwrap(), "go on");
    }

    #[test]
    fn frames_in_every_framing() {
        let first = r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"hi"}]}}],"modelVersion":"g"}"#;
        let last = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"x"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":40,"toolUsePromptTokenCount":5,"candidatesTokenCount":7,"thoughtsTokenCount":3}}"#;
        for body in [format!("data: {first}\r\n\r\ndata: {last}\r\n\r\n"), format!("[{first},\n{last}]")] {
            let done = measured(&body);
            assert_eq!(done.usage, Usage { input: 65, cache_read: 40, cache_write: 0, output: 10 });
            assert_eq!((done.answer.as_str(), done.model.as_str()), ("hi", "g"));
            assert_eq!((done.calls_tools, done.end), (true, End::Complete));
        }
        assert_eq!(measured(&format!("data: {first}\r\n\r\n")).end, End::Cut);
        assert_eq!(measured(&format!("[{first},")).end, End::Cut);
    }

    #[test]
    fn errors_and_blocks_are_failures() {
        for (body, word) in [
            (
                r#"data: {"error":{"code":503,"status":"UNAVAILABLE","message":"later"}}"#,
                "UNAVAILABLE: later",
            ),
            (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, "SAFETY: the prompt was blocked"),
            (r#"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#, "MALFORMED_FUNCTION_CALL"),
        ] {
            assert_eq!(measured(body).end, End::Failed(word.into()));
        }
    }
}
