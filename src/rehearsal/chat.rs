//! The script in the words of Chat Completions.
use super::{Emitter, script::Script};
use serde_json::{Value, json};

/// The answer as one completion.
pub(super) fn whole(script: &Script, model: &str) -> Value {
    let content = if script.text.is_empty() { Value::Null } else { script.text.as_str().into() };
    let mut message = json!({"role": "assistant", "content": content, "refusal": null});
    if let Some(call) = tool_call(script) {
        message["tool_calls"] = json!([call]);
    }
    json!({
        "id": id(script), "object": "chat.completion", "created": 0, "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(script)}],
        "usage": usage(script),
    })
}

/// The answer as chunks; usage comes apart if the request asks for that, else with the last choice.
pub(super) fn stream(script: &Script, model: &str, body: &Value, out: &mut Emitter) {
    let chunk = |choices: Value| {
        json!({
            "id": id(script), "object": "chat.completion.chunk", "created": 0, "model": model,
            "choices": choices,
        })
    };
    let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
    let mut send = |pause_ms: u64, data: &Value| {
        out.pause_ms = pause_ms;
        out.raw(format!("data: {data}\n\n"));
    };
    send(0, &delta(json!({"role": "assistant", "content": ""})));
    for (pause_ms, text) in script.pieces() {
        send(pause_ms, &delta(json!({"content": text})));
    }
    if script.cut {
        return;
    }
    if let Some(mut call) = tool_call(script) {
        call["index"] = 0.into();
        send(0, &delta(json!({"tool_calls": [call]})));
    }
    let mut last = chunk(json!([{"index": 0, "delta": {}, "finish_reason": finish(script)}]));
    if body["stream_options"]["include_usage"] == true {
        send(0, &last);
        let mut counted = chunk(json!([]));
        counted["usage"] = usage(script);
        send(0, &counted);
    } else {
        last["usage"] = usage(script);
        send(0, &last);
    }
    out.raw("data: [DONE]\n\n".to_owned());
}

fn id(script: &Script) -> String {
    format!("chatcmpl-{}", script.id)
}

fn tool_call(script: &Script) -> Option<Value> {
    let call = script.call.as_ref()?;
    Some(json!({
        "id": format!("call_{}", script.id), "type": "function",
        "function": {"name": call.name, "arguments": call.input.to_string()},
    }))
}

fn finish(script: &Script) -> &'static str {
    if script.call.is_some() { "tool_calls" } else { "stop" }
}

fn usage(script: &Script) -> Value {
    json!({
        "prompt_tokens": script.input_tokens, "completion_tokens": script.output_tokens,
        "total_tokens": script.input_tokens + script.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0, "text_tokens": script.input_tokens, "image_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}
