//! What makes a scripted provider as hard to please as a real one: its answers begin with a signed thought, and a request
//! that shows it a signature of somebody else's, or a call without its result, is refused.
use base64::{Engine, engine::general_purpose::STANDARD};
use inspan::dialect::Dialect;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is thought.
const THOUGHT: &str = "Let me think about that.";
/// What Gemini takes for a call that none of its models made.
const ANYBODY: &str = "skip_thought_signature_validator";

/// What one provider has signed, in each of its dialects.
#[derive(Default)]
pub struct Signed {
    count: usize,
    issued: BTreeSet<(String, String)>,
}

impl Signed {
    /// What is wrong with a request.
    pub fn objection(&self, dialect: Dialect, body: &Value) -> Option<String> {
        let mut shown = Vec::new();
        signatures(body, &mut shown);
        let known = |signature: &str| {
            signature == ANYBODY && dialect == Dialect::Gemini
                || self.issued.contains(&(dialect.to_string(), signature.to_owned()))
        };
        if let Some(foreign) = shown.iter().find(|signature| !known(signature)) {
            return Some(format!("Invalid signature in {dialect}: {foreign}"));
        }
        if dialect == Dialect::Messages
            && body["thinking"]["type"] == "enabled"
            && let Some(last) = list(&body["messages"]).iter().rfind(|message| message["role"] == "assistant")
            && list(&last["content"]).iter().any(|block| block["type"] == "tool_use")
            && !matches!(last["content"][0]["type"].as_str(), Some("thinking" | "redacted_thinking"))
        {
            return Some("a turn that calls tools must begin with a thinking block".to_owned());
        }
        unpaired(dialect, body)
    }

    /// The stream with a thought before everything else that it says.
    pub fn think(&mut self, dialect: Dialect, stream: &str) -> String {
        self.count += 1;
        let signature = STANDARD.encode(format!("{dialect} thought number {}", self.count));
        self.issued.insert((dialect.to_string(), signature.clone()));
        let events = stream.split_inclusive("\n\n").flat_map(|event| event.split_inclusive("\r\n\r\n"));
        let mut events: Vec<Value> = events
            .filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")))
            .map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into()))
            .collect();
        match dialect {
            Dialect::Messages => messages(&mut events, &signature),
            Dialect::Chat => chat(&mut events, &signature),
            Dialect::Responses => responses(&mut events, &signature, self.count),
            Dialect::Gemini => gemini(&mut events, &signature),
        }
        events
            .iter()
            .map(|event| match (event.as_str(), event["type"].as_str()) {
                (Some(done), _) => format!("data: {done}\n\n"),
                (None, Some(name)) => format!("event: {name}\ndata: {event}\n\n"),
                (None, None) => format!("data: {event}\n\n"),
            })
            .collect()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn messages(events: &mut Vec<Value>, signature: &str) {
    for index in events.iter_mut().filter_map(|event| event.get_mut("index")) {
        *index = (index.as_u64().unwrap() + 1).into();
    }
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let block = json!({"type": "thinking", "thinking": "", "signature": ""});
    events.splice(
        1..1,
        [
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
            delta(json!({"type": "thinking_delta", "thinking": THOUGHT})),
            delta(json!({"type": "signature_delta", "signature": signature})),
            json!({"type": "content_block_stop", "index": 0}),
        ],
    );
}

fn chat(events: &mut Vec<Value>, signature: &str) {
    let mut thought = events[0].clone();
    let text = json!({"type": "reasoning.text", "text": THOUGHT, "format": "unknown", "index": 0});
    let sealed = json!({"type": "reasoning.encrypted", "data": signature, "format": "unknown", "index": 1});
    thought["choices"][0]["delta"] = json!({"reasoning": THOUGHT, "reasoning_details": [text, sealed]});
    events.insert(1, thought);
}

fn responses(events: &mut Vec<Value>, signature: &str, count: usize) {
    for index in events.iter_mut().filter_map(|event| event.get_mut("output_index")) {
        *index = (index.as_u64().unwrap() + 1).into();
    }
    let id = format!("rs_{count}");
    let part = json!({"type": "summary_text", "text": THOUGHT});
    let opened = json!({"id": id, "type": "reasoning", "summary": [], "encrypted_content": null});
    let done = json!({"id": id, "type": "reasoning", "summary": [part], "encrypted_content": signature});
    let of_part = |kind: &str, field: &str, value: Value| {
        let kind = format!("response.reasoning_summary_{kind}");
        json!({"type": kind, "item_id": id, "output_index": 0, "summary_index": 0, field: value})
    };
    let empty = json!({"type": "summary_text", "text": ""});
    let thought = [
        json!({"type": "response.output_item.added", "output_index": 0, "item": opened}),
        of_part("part.added", "part", empty),
        of_part("text.delta", "delta", THOUGHT.into()),
        of_part("text.done", "text", THOUGHT.into()),
        of_part("part.done", "part", part.clone()),
        json!({"type": "response.output_item.done", "output_index": 0, "item": done}),
    ];
    let at = events.iter().position(|event| event.get("output_index").is_some()).unwrap_or(1);
    events.splice(at..at, thought);
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = number.into();
        if let Some(output) = event.pointer_mut("/response/output").and_then(Value::as_array_mut)
            && !output.is_empty()
        {
            output.insert(0, done.clone());
        }
    }
}

fn gemini(events: &mut Vec<Value>, signature: &str) {
    let mut thought = events[0].clone();
    thought["candidates"][0]["content"]["parts"] = json!([{"text": THOUGHT, "thought": true}]);
    thought["candidates"][0].as_object_mut().unwrap().remove("finishReason");
    let last = events.last_mut().unwrap();
    last["candidates"][0]["content"]["parts"][0]["thoughtSignature"] = signature.into();
    events.insert(0, thought);
}

/// Every opaque field of a request.
fn signatures(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|inner| signatures(inner, found)),
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
            for (key, inner) in object {
                let opaque = match key.as_str() {
                    "signature" => kind == "thinking",
                    "data" => matches!(kind, "redacted_thinking" | "reasoning.encrypted"),
                    "thoughtSignature" => true,
                    "encrypted_content" => kind == "reasoning",
                    _ => false,
                };
                match inner.as_str().filter(|text| opaque && !text.is_empty()) {
                    Some(text) => found.push(text.to_owned()),
                    None => signatures(inner, found),
                }
            }
        }
        _ => {}
    }
}

/// A call without its result, or a result without its call.
fn unpaired(dialect: Dialect, body: &Value) -> Option<String> {
    let id = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    // Calls that are open, and whether anything but results may follow.
    let mut open: BTreeSet<String> = BTreeSet::new();
    let mut take = |calls: Vec<String>, results: Vec<String>, other: bool| {
        for result in results {
            if !open.remove(&result) {
                return Some(format!("a result of no call: {result}"));
            }
        }
        if (other || !calls.is_empty()) && dialect != Dialect::Responses && !open.is_empty() {
            return Some(format!("calls without a result: {open:?}"));
        }
        open.extend(calls);
        None
    };
    let steps = match dialect {
        Dialect::Responses => list(&body["input"]),
        Dialect::Gemini => list(&body["contents"]),
        _ => list(&body["messages"]),
    };
    for (number, step) in steps.iter().enumerate() {
        let of = |parts: &[Value], kind: &str, key: &str| -> Vec<String> {
            parts.iter().filter(|part| part["type"] == kind).map(|part| id(part, key)).collect()
        };
        let wrong = match dialect {
            Dialect::Messages => {
                let parts = list(&step["content"]);
                take(of(parts, "tool_use", "id"), of(parts, "tool_result", "tool_use_id"), true)
            }
            Dialect::Chat => {
                let calls = list(&step["tool_calls"]).iter().map(|call| id(call, "id")).collect();
                let tool = step["role"] == "tool";
                take(calls, if tool { vec![id(step, "tool_call_id")] } else { Vec::new() }, !tool)
            }
            Dialect::Responses => {
                let kind = step["type"].as_str().unwrap_or_default();
                let named = vec![id(step, "call_id")];
                match kind {
                    _ if kind.ends_with("_call_output") => take(Vec::new(), named, false),
                    _ if kind.ends_with("_call") && step.get("call_id").is_some() => {
                        take(named, Vec::new(), false)
                    }
                    _ => None,
                }
            }
            // Told apart by their number alone.
            Dialect::Gemini => {
                let count = |step: &Value, kind: &str| {
                    list(&step["parts"]).iter().filter(|part| part.get(kind).is_some()).count()
                };
                let calls = count(step, "functionCall");
                let results = steps.get(number + 1).map_or(0, |next| count(next, "functionResponse"));
                (calls > 0 && calls != results).then(|| format!("{calls} calls and {results} results"))
            }
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    (!open.is_empty()).then(|| format!("calls without a result: {open:?}"))
}
