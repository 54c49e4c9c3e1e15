//! Reads along with an answer: what it cost, who served it, what it said, and whether it really ended.
use super::{
    Dialect, chat, gemini, messages, responses,
    sse::{Event, Events},
};
use serde_json::Value;

/// Bytes of the answer's text that are kept, for the conversation and handoffs; the rest is only counted as output.
const ANSWER_BYTES: usize = 64 * 1024;
/// Bytes of an answer without a stream that are kept to be parsed; a larger one stays unmetered.
const WHOLE_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of an error's words that are kept.
const ERROR_BYTES: usize = 1024;

/// Tokens of one request. The four never overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input without anything cached.
    pub input: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Input written to a cache.
    pub cache_write: u64,
    /// Output, reasoning included.
    pub output: u64,
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Its terminal event has not come: while the stream runs that is normal, at its end it means *cut*.
    #[default]
    Cut,
    /// As it should.
    Complete,
    /// With an error inside a successful response; the upstream's words.
    Failed(String),
    /// It was too large to be read.
    Unread,
}

/// What is known of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Tokens; all zero when the upstream said nothing.
    pub usage: Usage,
    /// The upstream reported usage; otherwise estimate it and say so.
    pub usage_reported: bool,
    /// US dollars, where the upstream names them.
    pub cost: Option<f64>,
    /// The model that the upstream says it served; empty when it did not say.
    pub model: String,
    /// What the model said, reasoning left out, cut after 64 KiB.
    pub answer: String,
    /// The answer calls tools, so the turn goes on.
    pub calls_tools: bool,
    /// How it ended.
    pub end: End,
}

impl Measured {
    /// Adds to the answer within its bound.
    pub(super) fn say(&mut self, text: &str) {
        let room = ANSWER_BYTES.saturating_sub(self.answer.len());
        if text.len() <= room {
            self.answer.push_str(text);
        } else {
            let end = (0..=room).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
            self.answer.push_str(&text[..end]);
        }
    }

    /// Begins another paragraph if something was said before.
    pub(super) fn next_paragraph(&mut self) {
        if !self.answer.is_empty() && !self.answer.ends_with('\n') {
            self.say("\n\n");
        }
    }

    /// Ends well, unless an error came before.
    pub(super) fn complete(&mut self) {
        if self.end == End::Cut {
            self.end = End::Complete;
        }
    }

    /// Ends with an error; the first one is kept.
    pub(super) fn fail(&mut self, code: &str, message: &str) {
        if matches!(self.end, End::Failed(_)) {
            return;
        }
        let words = match (code, message) {
            ("", "") => "the upstream reported an error without words".to_owned(),
            ("", words) | (words, "") => words.to_owned(),
            (code, message) => format!("{code}: {message}"),
        };
        self.end = End::Failed(crate::handoff::clip(&words, ERROR_BYTES));
    }

    /// Fails with an error object of any provider, if there is one.
    pub(super) fn fail_with(&mut self, error: &Value) -> bool {
        if error.is_null() || *error == Value::Bool(false) {
            return false;
        }
        let word = |key: &str| match &error[key] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let code =
            ["type", "status", "code"].into_iter().map(word).find(|w| !w.is_empty()).unwrap_or_default();
        let message = error.as_str().map_or_else(|| word("message"), str::to_owned);
        self.fail(&code, &message);
        true
    }

    pub(super) fn served_by(&mut self, model: &Value) {
        if let Some(name) = model.as_str().filter(|name| !name.is_empty()) {
            name.clone_into(&mut self.model);
        }
    }
}

/// Keeps what can be parsed of the body.
#[derive(Debug)]
enum Body {
    /// Nothing but white space has come.
    Undecided,
    /// A stream of events.
    Events(Events),
    /// One JSON document; `None` once it grew too large.
    Whole(Option<Vec<u8>>),
}

/// A tap on an answer's bytes. It copies what it needs and alters nothing.
#[derive(Debug)]
pub struct Meter {
    dialect: Dialect,
    body: Body,
    so_far: Measured,
    state: State,
}

/// What dialects remember between events.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The text of the current item has been streamed already.
    pub streamed: bool,
}

impl Meter {
    /// A tap for an answer of this dialect, streamed or whole: the bytes tell which.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, body: Body::Undecided, so_far: Measured::default(), state: State::default() }
    }

    /// Takes the next bytes of the answer, split anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        if matches!(self.body, Body::Undecided) {
            match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
                Some(b'{' | b'[') => self.body = Body::Whole(Some(Vec::new())),
                Some(_) => self.body = Body::Events(Events::default()),
                None => return,
            }
        }
        match &mut self.body {
            Body::Undecided => {}
            Body::Whole(kept) => match kept {
                Some(whole) if whole.len() + bytes.len() <= WHOLE_BYTES => whole.extend_from_slice(bytes),
                _ => *kept = None,
            },
            Body::Events(events) => {
                let (dialect, so_far, state) = (self.dialect, &mut self.so_far, &mut self.state);
                events.feed(bytes, &mut |event| observe(dialect, &event, so_far, state));
            }
        }
    }

    /// What is known now; the end is [`End::Cut`] until the terminal event has come.
    pub fn so_far(&self) -> &Measured {
        &self.so_far
    }

    /// Whether a mid-stream error may be written now without landing inside an event that was begun.
    pub fn at_boundary(&self) -> bool {
        match &self.body {
            Body::Undecided => true,
            Body::Events(events) => events.at_boundary(),
            Body::Whole(_) => false,
        }
    }

    /// The body ended: what it was.
    pub fn finish(mut self) -> Measured {
        match &mut self.body {
            Body::Undecided => {}
            Body::Events(events) => {
                let (dialect, so_far, state) = (self.dialect, &mut self.so_far, &mut self.state);
                events.finish(&mut |event| observe(dialect, &event, so_far, state));
            }
            Body::Whole(None) => self.so_far.end = End::Unread,
            Body::Whole(Some(bytes)) => {
                if let Ok(body) = serde_json::from_slice::<Value>(bytes) {
                    whole(self.dialect, &body, &mut self.so_far, &mut self.state);
                }
            }
        }
        self.so_far
    }
}

fn observe(dialect: Dialect, event: &Event<'_>, so_far: &mut Measured, state: &mut State) {
    let Some(data) = event.data else {
        // Its data was too large, but its name still says that the answer is complete.
        if matches!(event.name, "response.completed" | "response.incomplete" | "message_stop") {
            so_far.complete();
        }
        return;
    };
    if data.trim_ascii() == b"[DONE]" {
        if dialect == Dialect::Chat {
            so_far.complete();
        }
        return;
    }
    let Ok(data) = serde_json::from_slice::<Value>(data) else { return };
    match dialect {
        Dialect::Messages => messages::observe(event.name, &data, so_far),
        Dialect::Chat => chat::observe(&data, so_far),
        Dialect::Responses => responses::observe(event.name, &data, so_far, state),
        Dialect::Gemini => gemini::observe(&data, so_far),
    }
}

fn whole(dialect: Dialect, body: &Value, so_far: &mut Measured, state: &mut State) {
    match dialect {
        Dialect::Messages => messages::whole(body, so_far),
        Dialect::Chat => chat::whole(body, so_far),
        Dialect::Responses => responses::whole(body, so_far, state),
        Dialect::Gemini => gemini::whole(body, so_far),
    }
}

/// A count that may be missing or null.
pub(super) fn count(value: &Value) -> Option<u64> {
    value.as_u64()
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
