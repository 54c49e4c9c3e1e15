//! The script in Anthropic's words.
use super::{Emitter, script::Script};
use serde_json::{Value, json};

/// The answer as one message.
pub(super) fn whole(script: &Script, model: &str) -> Value {
    let mut content = Vec::new();
    if !script.text.is_empty() {
        content.push(json!({"type": "text", "text": script.text}));
    }
    if let Some(call) = &script.call {
        let id = format!("toolu_{}", script.id);
        content.push(json!({"type": "tool_use", "id": id, "name": call.name, "input": call.input}));
    }
    let mut message = message(script, model, script.output_tokens);
    message["content"] = content.into();
    message["stop_reason"] = stop_reason(script).into();
    message
}

/// The answer as events.
pub(super) fn stream(script: &Script, model: &str, out: &mut Emitter) {
    out.named(&json!({"type": "message_start", "message": message(script, model, 1)}));
    out.named(&json!({"type": "ping"}));
    let mut index = 0;
    if !script.text.is_empty() {
        let block = json!({"type": "text", "text": ""});
        out.named(&json!({"type": "content_block_start", "index": index, "content_block": block}));
        for (pause_ms, text) in script.pieces() {
            out.pause_ms = pause_ms;
            let delta = json!({"type": "text_delta", "text": text});
            out.named(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        if script.cut {
            return;
        }
        out.named(&json!({"type": "content_block_stop", "index": index}));
        index += 1;
    }
    if let Some(call) = &script.call {
        let id = format!("toolu_{}", script.id);
        let block = json!({"type": "tool_use", "id": id, "name": call.name, "input": {}});
        out.named(&json!({"type": "content_block_start", "index": index, "content_block": block}));
        let delta = json!({"type": "input_json_delta", "partial_json": call.input.to_string()});
        out.named(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
        out.named(&json!({"type": "content_block_stop", "index": index}));
    }
    out.named(&json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(script), "stop_sequence": null},
        "usage": usage(script, script.output_tokens),
    }));
    out.named(&json!({"type": "message_stop"}));
}

fn message(script: &Script, model: &str, output_tokens: usize) -> Value {
    json!({
        "id": format!("msg_{}", script.id), "type": "message", "role": "assistant", "model": model,
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage(script, output_tokens),
    })
}

fn usage(script: &Script, output_tokens: usize) -> Value {
    json!({
        "input_tokens": script.input_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": output_tokens, "service_tier": "standard",
    })
}

fn stop_reason(script: &Script) -> &'static str {
    if script.call.is_some() { "tool_use" } else { "end_turn" }
}
