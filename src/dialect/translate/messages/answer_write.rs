//! An answer in Messages' words, as a stream and whole.
use super::super::{
    answer::{Answer, Block, Talk, Tell, event},
    carrier::{Blob, Kind},
    failure,
    hub::{Counts, Event, Failure, Opening, Stop},
};
use crate::dialect::{Dialect, errors};
use serde_json::{Value, json};

/// Writes the events of a stream. One block is open at a time, and blocks are numbered without a gap.
#[derive(Debug, Default)]
pub(in super::super) struct Teller {
    begun: bool,
    index: u64,
    /// A thought that has been announced upstream and not been said here.
    thought: Thought,
}

#[derive(Debug, Default, PartialEq)]
enum Thought {
    #[default]
    None,
    /// It may yet turn out to be opaque only.
    Silent,
    /// It is open here and not signed.
    Unsigned,
    Signed,
}

impl Tell for Teller {
    fn tell(&mut self, said: Event, talk: &Talk<'_>, out: &mut Vec<u8>) {
        if !self.begun && !matches!(said, Event::Begin { .. } | Event::Count(_) | Event::Fail(_)) {
            self.begin(talk, out);
        }
        match said {
            Event::Begin { .. } | Event::Count(_) => {}
            Event::Open { block: Opening::Text, .. } => self.open(json!({"type": "text", "text": ""}), out),
            Event::Open { block: Opening::Thinking, .. } => self.thought = Thought::Silent,
            Event::Open { block: Opening::Call { id, name }, .. } => {
                self.open(json!({"type": "tool_use", "id": id, "name": name, "input": {}}), out);
                self.thought = Thought::None;
            }
            Event::Piece { text, .. } => self.piece(&text, talk, out),
            Event::Sign { blob, .. } => self.sign(&blob, out),
            Event::Close { .. } => self.close(talk, out),
            Event::Stop(stop) => {
                let (reason, sequence) = reason(&stop);
                let delta = json!({
                    "type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": sequence},
                    "usage": usage(talk.counts),
                });
                event("message_delta", &delta, out);
                event("message_stop", &json!({"type": "message_stop"}), out);
            }
            Event::Fail(failure) => self.fail(&failure, out),
        }
    }
}

impl Teller {
    fn begin(&mut self, talk: &Talk<'_>, out: &mut Vec<u8>) {
        self.begun = true;
        // Claude Code's context meter begins with this count, so it is an estimate, not a zero.
        let usage = json!({
            "input_tokens": talk.session.estimate, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": 1,
        });
        let message = message(talk, json!([]), Value::Null, Value::Null, usage);
        event("message_start", &json!({"type": "message_start", "message": message}), out);
    }

    fn open(&mut self, block: Value, out: &mut Vec<u8>) {
        let start = json!({"type": "content_block_start", "index": self.index, "content_block": block});
        event("content_block_start", &start, out);
    }

    fn delta(&self, delta: Value, out: &mut Vec<u8>) {
        let delta = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
        event("content_block_delta", &delta, out);
    }

    fn piece(&mut self, text: &str, talk: &Talk<'_>, out: &mut Vec<u8>) {
        let delta = match talk.open {
            Some(Opening::Thinking) => {
                if self.thought == Thought::Silent {
                    self.open(json!({"type": "thinking", "thinking": "", "signature": ""}), out);
                    self.thought = Thought::Unsigned;
                }
                json!({"type": "thinking_delta", "thinking": text})
            }
            Some(Opening::Call { .. }) => json!({"type": "input_json_delta", "partial_json": text}),
            _ => json!({"type": "text_delta", "text": text}),
        };
        self.delta(delta, out);
    }

    fn sign(&mut self, blob: &Blob, out: &mut Vec<u8>) {
        match self.thought {
            Thought::Silent => {
                self.open(json!({"type": "redacted_thinking", "data": blob.write()}), out);
                self.thought = Thought::Signed;
            }
            Thought::Unsigned => {
                self.delta(json!({"type": "signature_delta", "signature": blob.write()}), out);
                self.thought = Thought::Signed;
            }
            Thought::None | Thought::Signed => {}
        }
    }

    fn close(&mut self, talk: &Talk<'_>, out: &mut Vec<u8>) {
        match self.thought {
            // Nothing was said, nothing was opened.
            Thought::Silent => {
                self.thought = Thought::None;
                return;
            }
            // The mark tells another provider later that this thought is not its own.
            Thought::Unsigned => self.sign(&Blob::new(&talk.session.origin, Kind::Nothing, ""), out),
            Thought::None | Thought::Signed => {}
        }
        self.thought = Thought::None;
        event("content_block_stop", &json!({"type": "content_block_stop", "index": self.index}), out);
        self.index += 1;
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        let (status, code, message) = failure::worded(failure, Dialect::Messages);
        out.extend(errors::stream_error(Dialect::Messages, status, &message, &code));
    }
}

/// The whole answer.
pub(in super::super) fn whole(answer: &Answer, talk: &Talk<'_>) -> Value {
    let mut content = Vec::new();
    for block in &answer.blocks {
        match block {
            Block::Text(text) => content.push(json!({"type": "text", "text": text})),
            Block::Thinking { text, blob: Some(blob) } if text.is_empty() => {
                content.push(json!({"type": "redacted_thinking", "data": blob.write()}));
            }
            Block::Thinking { text, .. } if text.is_empty() => {}
            Block::Thinking { text, blob } => {
                let mark = Blob::new(&talk.session.origin, Kind::Nothing, "");
                let signature = blob.as_ref().unwrap_or(&mark).write();
                content.push(json!({"type": "thinking", "thinking": text, "signature": signature}));
            }
            Block::Call { id, name, arguments } => {
                let input = answer.arguments(arguments);
                content.push(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
            }
        }
    }
    let (reason, sequence) = reason(&answer.stop);
    message(talk, content.into(), reason.into(), sequence, usage(talk.counts))
}

fn message(talk: &Talk<'_>, content: Value, reason: Value, sequence: Value, usage: Value) -> Value {
    json!({
        "id": format!("msg_{}", talk.session.nonce), "type": "message", "role": "assistant",
        "model": talk.session.model, "content": content, "stop_reason": reason, "stop_sequence": sequence,
        "usage": usage,
    })
}

fn usage(counts: &Counts) -> Value {
    json!({
        "input_tokens": counts.usage.input,
        "cache_creation_input_tokens": counts.usage.cache_write,
        "cache_read_input_tokens": counts.usage.cache_read,
        "output_tokens": counts.usage.output,
    })
}

fn reason(stop: &Stop) -> (&'static str, Value) {
    match stop {
        Stop::End => ("end_turn", Value::Null),
        Stop::Tools => ("tool_use", Value::Null),
        Stop::Length => ("max_tokens", Value::Null),
        Stop::Sequence(sequence) => ("stop_sequence", json!(sequence)),
        Stop::Refusal => ("refusal", Value::Null),
        Stop::Pause => ("pause_turn", Value::Null),
        Stop::Window => ("model_context_window_exceeded", Value::Null),
    }
}
