//! An answer in generateContent's words, as a stream and whole.
use super::super::{
    answer::{Answer, Block, Talk, Tell, write_json},
    carrier::{Blob, Kind},
    failure,
    hub::{Counts, Event, Opening, Stop},
    mend::mended,
};
use crate::dialect::{Dialect, errors};
use serde_json::{Value, json};

/// Writes partial responses. The dialect's calls are whole, so that their arguments are collected here.
#[derive(Debug, Default)]
pub(in super::super) struct Teller {
    said: String,
    blob: Option<Blob>,
    pending: Pending,
    called: bool,
}

/// What is carried of a thought until the next call takes it along.
type Pending = Option<Blob>;

impl Tell for Teller {
    fn tell(&mut self, event: Event, talk: &Talk<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Begin { .. } | Event::Count(_) => {}
            Event::Open { .. } => {
                self.said.clear();
                self.blob = None;
            }
            Event::Piece { text, .. } => {
                match talk.open {
                    Some(Opening::Call { .. }) => {}
                    Some(Opening::Thinking) => {
                        frame(&[json!({"text": text, "thought": true})], None, talk, out)
                    }
                    _ => frame(&[json!({"text": text})], None, talk, out),
                }
                if !matches!(talk.open, Some(Opening::Text)) {
                    self.said.push_str(&text);
                }
            }
            Event::Sign { blob, .. } => self.blob = Some(blob),
            Event::Close { .. } => match talk.open {
                Some(Opening::Thinking) => {
                    let before =
                        carry(self.blob.as_ref(), &self.said, talk).and_then(|new| self.pending.replace(new));
                    if let Some(before) = before {
                        frame(&[unattached(&before)], None, talk, out);
                    }
                }
                Some(Opening::Call { id, name }) => {
                    let blob = signed(self.pending.take(), !self.called, talk);
                    self.called = true;
                    let part = call(id, name, &self.said, blob);
                    frame(&[part], None, talk, out);
                }
                _ => {}
            },
            Event::Stop(stop) => {
                let parts = self.pending.take().map_or_else(|| json!({"text": ""}), |blob| unattached(&blob));
                frame(&[parts], Some(&stop), talk, out);
            }
            Event::Fail(failed) => {
                let (status, code, message) = failure::worded(&failed, Dialect::Gemini);
                out.extend(errors::stream_error(Dialect::Gemini, status, &message, &code));
            }
        }
    }
}

fn carry(blob: Option<&Blob>, text: &str, talk: &Talk<'_>) -> Option<Blob> {
    let session = talk.session;
    Some(Blob::carry(blob, text, &session.origin, session.signs_text()))
        .filter(|blob| blob.kind != Kind::Nothing)
}

/// The first call of a step is always signed: Gemini asks for that later, and the mark tells that it has no part in it.
fn signed(pending: Pending, first: bool, talk: &Talk<'_>) -> Pending {
    pending.or_else(|| first.then(|| Blob::new(&talk.session.origin, Kind::Nothing, "")))
}

/// What is carried and has no call to go with.
fn unattached(blob: &Blob) -> Value {
    json!({"text": "", "thoughtSignature": blob.write_bytes()})
}

fn call(id: &str, name: &str, arguments: &str, blob: Option<Blob>) -> Value {
    let mut part = json!({"functionCall": {"id": id, "name": name, "args": mended(arguments)}});
    if let Some(blob) = blob {
        part["thoughtSignature"] = blob.write_bytes().into();
    }
    part
}

fn frame(parts: &[Value], stop: Option<&Stop>, talk: &Talk<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    write_json(&response(parts, stop, talk), out);
    out.extend_from_slice(b"\r\n\r\n");
}

fn response(parts: &[Value], stop: Option<&Stop>, talk: &Talk<'_>) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if let Some(stop) = stop {
        candidate["finishReason"] = reason(stop).into();
    }
    let mut response = json!({
        "candidates": [candidate], "modelVersion": talk.session.model, "responseId": talk.session.nonce,
    });
    if stop.is_some() {
        response["usageMetadata"] = usage(talk.counts);
    }
    response
}

/// The whole answer.
pub(in super::super) fn whole(answer: &Answer, talk: &Talk<'_>) -> Value {
    let mut parts = Vec::new();
    let mut pending: Pending = None;
    for block in &answer.blocks {
        match block {
            Block::Text(text) => parts.push(json!({"text": text})),
            Block::Thinking { text, blob } => {
                if !text.is_empty() {
                    parts.push(json!({"text": text, "thought": true}));
                }
                let before = carry(blob.as_ref(), text, talk).and_then(|new| pending.replace(new));
                parts.extend(before.as_ref().map(unattached));
            }
            Block::Call { id, name, arguments } => {
                let first = !parts.iter().any(|part| part.get("functionCall").is_some());
                parts.push(call(id, name, arguments, signed(pending.take(), first, talk)));
            }
        }
    }
    parts.extend(pending.as_ref().map(unattached));
    if parts.is_empty() {
        parts.push(json!({"text": ""}));
    }
    response(&parts, Some(&answer.stop), talk)
}

/// The prompt includes what was cached, the candidates leave the thoughts out.
fn usage(counts: &Counts) -> Value {
    let usage = &counts.usage;
    let prompt = usage.input + usage.cache_read + usage.cache_write;
    let mut value = json!({
        "promptTokenCount": prompt, "candidatesTokenCount": usage.output.saturating_sub(counts.reasoning),
        "totalTokenCount": prompt + usage.output,
    });
    if usage.cache_read > 0 {
        value["cachedContentTokenCount"] = usage.cache_read.into();
    }
    if counts.reasoning > 0 {
        value["thoughtsTokenCount"] = counts.reasoning.into();
    }
    value
}

fn reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Tools | Stop::Sequence(_) | Stop::Pause => "STOP",
        Stop::Length | Stop::Window => "MAX_TOKENS",
        Stop::Refusal => "SAFETY",
    }
}
