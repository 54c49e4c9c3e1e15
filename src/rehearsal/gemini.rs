//! The script in Gemini's words.
use super::{Emitter, script::Script};
use serde_json::{Value, json};

/// The answer as one object.
pub(super) fn whole(script: &Script, model: &str) -> Value {
    let mut parts = Vec::new();
    if !script.text.is_empty() {
        parts.push(json!({"text": script.text}));
    }
    parts.extend(call(script));
    frame(script, model, &parts, true)
}

/// The answer as frames; a call comes whole and in the last one.
pub(super) fn stream(script: &Script, model: &str, out: &mut Emitter) {
    let mut send = |pause_ms: u64, data: &Value| {
        out.pause_ms = pause_ms;
        out.raw(format!("data: {data}\r\n\r\n"));
    };
    for (pause_ms, text) in script.pieces() {
        send(pause_ms, &frame(script, model, &[json!({"text": text})], false));
    }
    if script.cut {
        return;
    }
    let last = call(script).unwrap_or_else(|| json!({"text": ""}));
    send(0, &frame(script, model, &[last], true));
}

fn call(script: &Script) -> Option<Value> {
    let call = script.call.as_ref()?;
    let id = format!("call_{}", script.id);
    Some(json!({"functionCall": {"name": call.name, "args": call.input, "id": id}}))
}

fn frame(script: &Script, model: &str, parts: &[Value], last: bool) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if last {
        candidate["finishReason"] = "STOP".into();
    }
    let input = script.input_tokens;
    json!({
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": input, "candidatesTokenCount": script.output_tokens,
            "totalTokenCount": input + script.output_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": input}],
        },
        "modelVersion": model,
        "responseId": script.id,
    })
}
