//! An answer in Chat's words, as a stream of chunks and whole.
use super::super::{
    answer::{Answer, Block, Talk, Tell, write_json},
    carrier::Blob,
    failure,
    hub::{Counts, Event, Opening, Stop},
};
use crate::dialect::{Dialect, errors};
use serde_json::{Value, json};

/// Writes the chunks of a stream.
#[derive(Debug, Default)]
pub(in super::super) struct Teller {
    begun: bool,
    calls: u64,
    details: u64,
    /// The thought that is open, for its detail.
    thought: String,
}

impl Tell for Teller {
    fn tell(&mut self, said: Event, talk: &Talk<'_>, out: &mut Vec<u8>) {
        match said {
            Event::Begin { .. } | Event::Count(_) | Event::Close { .. } => {}
            Event::Open { block: Opening::Call { id, name }, .. } => {
                let call = json!({
                    "index": self.calls, "id": id, "type": "function", "function": {"name": name, "arguments": ""},
                });
                self.calls += 1;
                self.delta(json!({"tool_calls": [call]}), talk, out);
            }
            Event::Open { .. } => self.thought.clear(),
            Event::Piece { text, .. } => {
                let delta = match talk.open {
                    Some(Opening::Thinking) => {
                        self.thought.push_str(&text);
                        json!({"reasoning_content": text})
                    }
                    Some(Opening::Call { .. }) => {
                        let index = self.calls.saturating_sub(1);
                        json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]})
                    }
                    _ => json!({"content": text}),
                };
                self.delta(delta, talk, out);
            }
            Event::Sign { blob, .. } => {
                let detail = detail(&blob, &self.thought, self.details, talk);
                self.details += 1;
                self.delta(json!({"reasoning_details": [detail]}), talk, out);
            }
            Event::Stop(stop) => {
                if !self.begun {
                    self.delta(json!({"content": ""}), talk, out);
                }
                let choice =
                    json!({"index": 0, "delta": {}, "logprobs": null, "finish_reason": reason(&stop)});
                chunk(talk, vec![choice], None, out);
                if talk.session.include_usage {
                    chunk(talk, Vec::new(), Some(usage(talk.counts)), out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Event::Fail(failed) => {
                let (status, code, message) = failure::worded(&failed, Dialect::Chat);
                out.extend(errors::stream_error(Dialect::Chat, status, &message, &code));
            }
        }
    }
}

impl Teller {
    fn delta(&mut self, mut delta: Value, talk: &Talk<'_>, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            delta["role"] = "assistant".into();
        }
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": null});
        chunk(talk, vec![choice], None, out);
    }
}

fn chunk(talk: &Talk<'_>, choices: Vec<Value>, usage: Option<Value>, out: &mut Vec<u8>) {
    let session = talk.session;
    let mut chunk = json!({
        "id": format!("chatcmpl-{}", session.nonce), "object": "chat.completion.chunk", "created": session.now,
        "model": session.model, "choices": choices,
    });
    if session.include_usage {
        chunk["usage"] = usage.unwrap_or(Value::Null);
    }
    out.extend_from_slice(b"data: ");
    write_json(&chunk, out);
    out.extend_from_slice(b"\n\n");
}

/// Opaque reasoning the way OpenRouter writes it; clients that know it send it back.
fn detail(blob: &Blob, text: &str, index: u64, talk: &Talk<'_>) -> Value {
    let carried = Blob::carry(Some(blob), text, &talk.session.origin, talk.session.signs_text());
    json!({"type": "reasoning.encrypted", "data": carried.write(), "index": index})
}

/// The whole answer.
pub(in super::super) fn whole(answer: &Answer, talk: &Talk<'_>) -> Value {
    let text = answer.text();
    let (mut thoughts, mut details, mut calls) = (String::new(), Vec::new(), Vec::new());
    for block in &answer.blocks {
        match block {
            Block::Text(_) => {}
            Block::Thinking { text, blob } => {
                thoughts.push_str(text);
                if let Some(blob) = blob {
                    details.push(detail(blob, text, details.len() as u64, talk));
                }
            }
            Block::Call { id, name, arguments } => calls.push(json!({
                "id": id, "type": "function", "function": {"name": name, "arguments": arguments},
            })),
        }
    }
    let mut message = json!({
        "role": "assistant", "content": if text.is_empty() && !calls.is_empty() { Value::Null } else { text.into() },
        "refusal": null,
    });
    if !thoughts.is_empty() {
        message["reasoning_content"] = thoughts.into();
    }
    if !details.is_empty() {
        message["reasoning_details"] = details.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let session = talk.session;
    json!({
        "id": format!("chatcmpl-{}", session.nonce), "object": "chat.completion", "created": session.now,
        "model": session.model, "usage": usage(talk.counts),
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason(&answer.stop)}],
    })
}

/// `prompt_tokens` includes what was cached.
fn usage(counts: &Counts) -> Value {
    let usage = &counts.usage;
    let prompt = usage.input + usage.cache_read + usage.cache_write;
    let mut value = json!({
        "prompt_tokens": prompt, "completion_tokens": usage.output, "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
    });
    if usage.cache_write > 0 {
        value["prompt_tokens_details"]["cache_write_tokens"] = usage.cache_write.into();
    }
    value
}

fn reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Sequence(_) | Stop::Pause => "stop",
        Stop::Tools => "tool_calls",
        Stop::Length | Stop::Window => "length",
        Stop::Refusal => "content_filter",
    }
}
