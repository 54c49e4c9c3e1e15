//! Owns the scripted model: one reply for each dialect, directives, usage numbers.
//!
//! Pure: replies are values with delays; the gateway plays them. Must not know: connections, panes, clocks.
mod chat;
mod directives;
mod gemini;
mod messages;
mod responses;
mod schema;
mod script;
mod tally;
mod tools;
mod words;

use crate::dialect::{
    Dialect, Endpoint, EndpointKind, count_tokens_body, error_body, estimate_tokens, models_body,
};
use script::{Act, Script};
use serde_json::Value;

pub use tally::Tally;

/// One request to the scripted model.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsal<'a> {
    /// The wire shape to answer in.
    pub dialect: Dialect,
    /// The call.
    pub endpoint: &'a Endpoint,
    /// Its body; null when it has none.
    pub body: &'a Value,
    /// The model that the answer names.
    pub model: &'a str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// A title, a summary or a probe: directives inside it never count.
    pub side: bool,
}

/// Bytes of an answer, to be sent some time after those before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Milliseconds to wait before sending, counted from the chunk before.
    pub after_ms: u64,
    /// What to send.
    pub bytes: Vec<u8>,
}

/// An answer, ready to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case and their values; no length among them.
    pub headers: Vec<(String, String)>,
    /// The body in the order of sending.
    pub chunks: Vec<Chunk>,
    /// The connection is to be dropped after the last chunk, without ending the body.
    pub cut: bool,
}

/// Statuses that a client may try again.
const RETRYABLE: &[u16] = &[408, 409, 429, 500, 502, 503, 504, 529];
/// Seconds that a refused client is asked to wait: a rehearsal should not be slow.
const RETRY_AFTER: &str = "1";

/// Answers a request. `tally` belongs to the pane: it counts tries of the same prompt.
pub fn reply(request: &Rehearsal<'_>, tally: &mut Tally) -> Reply {
    match request.endpoint.kind {
        EndpointKind::Generate { .. } => generate(request, tally),
        EndpointKind::CountTokens => {
            let tokens = estimate_tokens(&request.body.to_string());
            whole(request, 200, count_tokens_body(request.dialect, tokens))
        }
        EndpointKind::Models => {
            whole(request, 200, models_body(request.dialect, &[(request.model, request.model)]))
        }
        EndpointKind::Probe => whole(request, 200, b"{}".to_vec()),
    }
}

fn generate(request: &Rehearsal<'_>, tally: &mut Tally) -> Reply {
    match script::plan(request, tally) {
        Act::Fail(status) => {
            let words = format!("rehearsal: this prompt asks for a failure with status {status}");
            let mut reply = whole(request, status, error_body(request.dialect, status, &words, ""));
            let again = RETRYABLE.contains(&status);
            reply.headers.push(("x-should-retry".to_owned(), again.to_string()));
            if again {
                reply.headers.push(("retry-after".to_owned(), RETRY_AFTER.to_owned()));
            }
            reply
        }
        Act::Answer(script) => answer(request, &script),
    }
}

fn answer(request: &Rehearsal<'_>, script: &Script) -> Reply {
    let model = request.model;
    if !request.stream {
        let body = match request.dialect {
            Dialect::Messages => messages::whole(script, model),
            Dialect::Chat => chat::whole(script, model),
            Dialect::Responses => responses::whole(script, model),
            Dialect::Gemini => gemini::whole(script, model),
        };
        let mut bytes = body.to_string().into_bytes();
        if script.cut {
            bytes.truncate(bytes.len() / 2);
        }
        let mut reply = whole(request, 200, bytes);
        reply.chunks[0].after_ms = script.slow_ms;
        reply.cut = script.cut;
        return reply;
    }
    let mut out = Emitter::default();
    match request.dialect {
        Dialect::Messages => messages::stream(script, model, &mut out),
        Dialect::Chat => chat::stream(script, model, request.body, &mut out),
        Dialect::Responses => responses::stream(script, model, &mut out),
        Dialect::Gemini => gemini::stream(script, model, &mut out),
    }
    let mut headers = headers(request, "text/event-stream; charset=utf-8");
    headers.push(("cache-control".to_owned(), "no-cache".to_owned()));
    Reply { status: 200, headers, chunks: out.chunks, cut: script.cut }
}

fn whole(request: &Rehearsal<'_>, status: u16, bytes: Vec<u8>) -> Reply {
    Reply {
        status,
        headers: headers(request, "application/json"),
        chunks: vec![Chunk { after_ms: 0, bytes }],
        cut: false,
    }
}

fn headers(request: &Rehearsal<'_>, content_type: &str) -> Vec<(String, String)> {
    let id = script::id_of(request.body);
    let mut headers = vec![("content-type".to_owned(), content_type.to_owned())];
    match request.dialect {
        Dialect::Messages => headers.push(("request-id".to_owned(), format!("req_{id}"))),
        Dialect::Chat | Dialect::Responses => headers.push(("x-request-id".to_owned(), format!("req_{id}"))),
        Dialect::Gemini => {}
    }
    headers
}

/// Collects the chunks of a stream.
#[derive(Default)]
struct Emitter {
    chunks: Vec<Chunk>,
    /// Waits before the next chunk.
    pause_ms: u64,
}

impl Emitter {
    /// An event with a name, as Messages and Responses need it.
    fn named(&mut self, data: &Value) {
        let name = data["type"].as_str().unwrap_or_default();
        self.raw(format!("event: {name}\ndata: {data}\n\n"));
    }

    /// Bytes as they are.
    fn raw(&mut self, text: String) {
        let after_ms = std::mem::take(&mut self.pause_ms);
        self.chunks.push(Chunk { after_ms, bytes: text.into_bytes() });
    }
}

#[cfg(test)]
mod tests;
