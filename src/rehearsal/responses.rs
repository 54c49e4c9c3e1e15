//! The script in the words of Responses.
//!
//! Codex reads whole items, Grok insists on complete shapes, SDKs on every event: all get all.
use super::{Emitter, script::Script, tools::Call};
use serde_json::{Value, json};

/// The answer as one response.
pub(super) fn whole(script: &Script, model: &str) -> Value {
    completed(script, model, &items(script))
}

/// The answer as events.
pub(super) fn stream(script: &Script, model: &str, out: &mut Emitter) {
    let mut events = Events { out, sequence: 0 };
    let begun = response(script, model);
    events.send("response.created", json!({"response": begun}));
    events.send("response.in_progress", json!({"response": begun}));
    let items = items(script);
    for (index, item) in items.iter().enumerate() {
        let mut opened = item.clone();
        opened["status"] = "in_progress".into();
        let place = json!({"item_id": item["id"], "output_index": index});
        match item["type"].as_str() {
            Some("message") => {
                opened["content"] = json!([]);
                events.send("response.output_item.added", json!({"output_index": index, "item": opened}));
                message(script, &place, &mut events);
                if script.cut {
                    return;
                }
            }
            _ => {
                let custom = item["type"] == "custom_tool_call";
                let (field, name) = if custom {
                    ("input", "custom_tool_call_input")
                } else {
                    ("arguments", "function_call_arguments")
                };
                opened[field] = "".into();
                events.send("response.output_item.added", json!({"output_index": index, "item": opened}));
                events.send(&format!("response.{name}.delta"), with(&place, json!({"delta": item[field]})));
                let done = json!({field: item[field], "name": item["name"]});
                events.send(&format!("response.{name}.done"), with(&place, done));
            }
        }
        events.send("response.output_item.done", json!({"output_index": index, "item": item}));
    }
    events.send("response.completed", json!({"response": completed(script, model, &items)}));
}

struct Events<'a> {
    out: &'a mut Emitter,
    sequence: u32,
}

impl Events<'_> {
    fn send(&mut self, kind: &str, fields: Value) {
        let head = json!({"type": kind, "sequence_number": self.sequence});
        self.sequence += 1;
        self.out.named(&with(&head, fields));
    }
}

fn message(script: &Script, place: &Value, events: &mut Events<'_>) {
    let place = with(place, json!({"content_index": 0}));
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    events.send("response.content_part.added", with(&place, json!({"part": part("")})));
    for (pause_ms, text) in script.pieces() {
        events.out.pause_ms = pause_ms;
        events.send("response.output_text.delta", with(&place, json!({"delta": text, "logprobs": []})));
    }
    if script.cut {
        return;
    }
    events.send("response.output_text.done", with(&place, json!({"text": script.text, "logprobs": []})));
    events.send("response.content_part.done", with(&place, json!({"part": part(&script.text)})));
}

/// Two objects as one.
fn with(first: &Value, second: Value) -> Value {
    let mut all = first.clone();
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), second) {
        all.extend(more);
    }
    all
}

/// The finished items: a message and a call, as far as the script has them.
fn items(script: &Script) -> Vec<Value> {
    let mut items = Vec::new();
    if !script.text.is_empty() {
        items.push(json!({
            "id": format!("msg_{}", script.id), "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": script.text, "annotations": [], "logprobs": []}],
        }));
    }
    items.extend(script.call.as_ref().map(|call| call_item(&script.id, call)));
    items
}

fn call_item(id: &str, call: &Call) -> Value {
    let call_id = format!("call_{id}");
    let mut item = match &call.input {
        Value::String(text) => json!({
            "id": format!("ctc_{id}"), "type": "custom_tool_call", "status": "completed",
            "call_id": call_id, "name": call.name, "input": text,
        }),
        arguments => json!({
            "id": format!("fc_{id}"), "type": "function_call", "status": "completed",
            "call_id": call_id, "name": call.name, "arguments": arguments.to_string(),
        }),
    };
    if let Some(namespace) = &call.namespace {
        item["namespace"] = namespace.as_str().into();
    }
    item
}

fn response(script: &Script, model: &str) -> Value {
    json!({
        "id": format!("resp_{}", script.id), "object": "response", "created_at": 0, "status": "in_progress",
        "model": model, "output": [], "error": null, "incomplete_details": null, "instructions": null,
        "metadata": {}, "parallel_tool_calls": false, "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto",
        "tools": [], "usage": null,
    })
}

fn completed(script: &Script, model: &str, items: &[Value]) -> Value {
    let mut response = response(script, model);
    response["status"] = "completed".into();
    response["output"] = items.into();
    response["usage"] = json!({
        "input_tokens": script.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": script.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": script.input_tokens + script.output_tokens,
    });
    response
}
