//! Takes out of a request in the upstream's own dialect what a translation put into its history.
//!
//! A harness whose model changed under it sends back what it was told meanwhile. The marks of other providers'
//! reasoning would be refused as broken signatures; without a mark not a byte changes.
use super::{carrier::Blob, carrier::may_hold_mark, gemini::NO_SIGNATURE, hub::str_of};
use crate::router::Dialect;
use serde_json::{Value, json};

/// The request without other providers' reasoning; `None` when there is none in it, and the bytes should stay.
pub fn own_words(dialect: Dialect, raw: &[u8]) -> Option<Vec<u8>> {
    if !may_hold_mark(raw) {
        return None;
    }
    let mut body: Value = serde_json::from_slice(raw).ok()?;
    let changed = match dialect {
        Dialect::Messages => messages(&mut body),
        Dialect::Chat => chat(&mut body),
        Dialect::Responses => responses(&mut body),
        Dialect::Gemini => gemini(&mut body),
    };
    changed.then(|| body.to_string().into_bytes())
}

fn elements<'a>(value: &'a mut Value, key: &str) -> &'a mut [Value] {
    value.get_mut(key).and_then(Value::as_array_mut).map(Vec::as_mut_slice).unwrap_or_default()
}

fn messages(body: &mut Value) -> bool {
    let mut changed = false;
    let mut last_lost = false;
    for message in elements(body, "messages") {
        let model = message["role"] == "assistant";
        let Some(blocks) = message.get_mut("content").and_then(Value::as_array_mut) else { continue };
        let before = blocks.len();
        blocks.retain(|block| {
            !Blob::is_marked(str_of(block, "signature")) && !Blob::is_marked(str_of(block, "data"))
        });
        let lost = blocks.len() < before;
        changed |= lost;
        if model {
            last_lost = lost && blocks.iter().any(|block| block["type"] == "tool_use");
        }
        if blocks.is_empty() {
            blocks.push(json!({"type": "text", "text": "(thought)"}));
        }
    }
    // With a budget, a turn that called tools must begin with a signed thought.
    if last_lost && body["thinking"]["type"] == "enabled" {
        body["thinking"] = json!({"type": "disabled"});
        if let Some(body) = body.as_object_mut() {
            body.remove("context_management");
        }
    }
    changed
}

fn chat(body: &mut Value) -> bool {
    let mut changed = false;
    for message in elements(body, "messages") {
        let Some(details) = message.get_mut("reasoning_details").and_then(Value::as_array_mut) else {
            continue;
        };
        let before = details.len();
        details.retain(|detail| !Blob::is_marked(str_of(detail, "data")));
        changed |= details.len() < before;
        if details.is_empty()
            && let Some(message) = message.as_object_mut()
        {
            message.remove("reasoning_details");
        }
    }
    changed
}

fn responses(body: &mut Value) -> bool {
    let Some(items) = body.get_mut("input").and_then(Value::as_array_mut) else { return false };
    let before = items.len();
    items.retain(|item| !Blob::is_marked(str_of(item, "encrypted_content")));
    items.len() < before
}

fn gemini(body: &mut Value) -> bool {
    let mut changed = false;
    for content in elements(body, "contents") {
        let Some(parts) = content.get_mut("parts").and_then(Value::as_array_mut) else { continue };
        for part in parts.iter_mut().filter(|part| Blob::is_marked(str_of(part, "thoughtSignature"))) {
            changed = true;
            if part.get("functionCall").is_some() {
                part["thoughtSignature"] = NO_SIGNATURE.into();
            } else if let Some(part) = part.as_object_mut() {
                part.remove("thoughtSignature");
            }
        }
        // What carried a mark and nothing else.
        let hollow =
            |part: &Value| part["text"] == "" && part.as_object().is_some_and(|part| part.len() == 1);
        if parts.len() > 1 {
            parts.retain(|part| !hollow(part));
        }
        if parts.is_empty() {
            parts.push(json!({"text": ""}));
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::super::carrier::{Kind, Origin};
    use super::*;

    fn mark() -> Blob {
        Blob::new(&Origin { provider: "p".into(), family: "f".into() }, Kind::Signature, "x")
    }

    fn cleaned(dialect: Dialect, body: &Value) -> Value {
        serde_json::from_slice(&own_words(dialect, body.to_string().as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn without_a_mark_nothing_changes() {
        let raw = br#"{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"EqQ"}]}]}"#;
        assert_eq!(own_words(Dialect::Messages, raw), None);
        assert_eq!(own_words(Dialect::Chat, b"{\"ins1:\":\"ins1:no\"}"), None);
    }

    #[test]
    fn foreign_reasoning_is_taken_out_everywhere() {
        let (field, bytes) = (mark().write(), mark().write_bytes());
        let body = json!({"thinking": {"type": "enabled", "budget_tokens": 2048}, "messages": [
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "own"},
                {"type": "thinking", "thinking": "b", "signature": field}, {"type": "redacted_thinking", "data": field},
                {"type": "tool_use", "id": "t", "name": "n", "input": {}}]}]});
        let clean = cleaned(Dialect::Messages, &body);
        assert_eq!(clean["messages"][0]["content"].as_array().unwrap().len(), 2);
        assert_eq!(clean["thinking"]["type"], "disabled");
        let body = json!({"input": [{"type": "reasoning", "summary": [], "encrypted_content": field}, {"type": "message"}]});
        assert_eq!(cleaned(Dialect::Responses, &body)["input"].as_array().unwrap().len(), 1);
        let body = json!({"contents": [{"role": "model", "parts": [
            {"functionCall": {"name": "a"}, "thoughtSignature": bytes}, {"text": "", "thoughtSignature": bytes}]}]});
        let clean = cleaned(Dialect::Gemini, &body);
        assert_eq!(
            clean["contents"][0]["parts"],
            json!([{"functionCall": {"name": "a"}, "thoughtSignature": NO_SIGNATURE}])
        );
        let body = json!({"messages": [{"role": "assistant", "reasoning_details": [{"data": field}]}]});
        assert_eq!(cleaned(Dialect::Chat, &body), json!({"messages": [{"role": "assistant"}]}));
    }
}
