//! The one vocabulary between the dialects: what a request asks and what an answer says.
use super::carrier::Blob;
use crate::dialect::Usage;
use serde_json::Value;
use std::fmt;

/// Something that a translation left out or had to say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The field or block, by its name on the wire.
    pub field: String,
    /// What became of it.
    pub note: &'static str,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.note)
    }
}

/// Diagnostics of one request that are kept; a history repeats the same few.
const DIAGNOSTICS_MAX: usize = 64;

/// Diagnostics, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(pub(super) Vec<Diagnostic>);

impl Notes {
    /// Records what became of a field.
    pub(super) fn add(&mut self, field: impl Into<String>, note: &'static str) {
        let new = Diagnostic { field: field.into(), note };
        if self.0.len() < DIAGNOSTICS_MAX && !self.0.contains(&new) {
            self.0.push(new);
        }
    }

    /// Records every top-level field that is not among those understood.
    pub(super) fn unknown(&mut self, body: &Value, known: &[&str]) {
        for (key, value) in body.as_object().into_iter().flatten() {
            if !known.contains(&key.as_str()) && !value.is_null() {
                self.add(key.clone(), "dropped: the other dialect has no such field");
            }
        }
    }
}

/// A request in no dialect's words.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    /// Leading instructions, in order.
    pub system: Vec<Text>,
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    pub choice: Choice,
    /// Only these tools may be called; flat names.
    pub allowed: Vec<String>,
    pub parallel: Option<bool>,
    pub max_output: Option<u64>,
    pub temperature: Option<Value>,
    pub top_p: Option<Value>,
    pub top_k: Option<Value>,
    pub stops: Vec<String>,
    pub reasoning: Reasoning,
    pub format: Option<Format>,
    /// Who asks, as an opaque id.
    pub user: Option<String>,
    pub cache_key: Option<String>,
    pub service_tier: Option<String>,
    pub verbosity: Option<Value>,
    /// A web search by the provider was offered: its settings.
    pub web_search: Option<Value>,
    /// Fields that Chat and Responses share, or that several dialects spell alike.
    pub shared: Vec<(&'static str, Value)>,
    /// A Chat client asked for usage at the end of its stream.
    pub include_usage: bool,
}

/// A text with its cache mark.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Text {
    pub text: String,
    /// Anthropic's `cache_control`, if one was set here.
    pub cache: Option<Value>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The person, and the tools' results.
    User,
    Model,
    /// Instructions in the middle of a conversation.
    System,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turn {
    pub role: Role,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Text(Text),
    Image(Media),
    /// A document; PDF mostly.
    File(Media),
    Audio(Media),
    Thinking(Thinking),
    Call(Call),
    Result(Outcome),
}

/// Bytes or where they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Media {
    /// MIME type; may be empty for a URL.
    pub mime: String,
    pub source: Source,
    pub name: Option<String>,
    /// OpenAI's `detail` of an image.
    pub detail: Option<String>,
    pub cache: Option<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Base64(String),
    Url(String),
    Text(String),
    /// A file that lies with one provider.
    Id(String),
}

impl Default for Source {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Thinking {
    pub text: String,
    pub blob: Option<Blob>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Call {
    pub id: String,
    /// The flat name, in the client's spelling.
    pub name: String,
    /// JSON text.
    pub arguments: String,
    /// The Gemini signature of this call.
    pub blob: Option<Blob>,
    pub cache: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub id: String,
    /// The tool's flat name; found from the call where the dialect does not say it.
    pub name: String,
    pub parts: Vec<Part>,
    pub error: bool,
    pub cache: Option<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tool {
    /// The flat name.
    pub name: String,
    pub description: String,
    /// JSON Schema.
    pub schema: Value,
    pub strict: Option<bool>,
    pub cache: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Choice {
    #[default]
    Unsaid,
    Auto,
    None,
    /// Some tool must be called.
    Any,
    /// This tool must be called.
    Tool(String),
}

/// How much the model should think.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Reasoning {
    #[default]
    Unsaid,
    Off,
    Budget(u64),
    /// An OpenAI word: minimal, low, medium, high, xhigh, max.
    Effort(String),
    /// As much as the model finds right.
    Auto,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Format {
    /// Any JSON object.
    Object,
    Schema {
        name: String,
        schema: Value,
        strict: Option<bool>,
    },
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    End,
    Tools,
    Length,
    Sequence(Option<String>),
    Refusal,
    Pause,
    /// The context window is full.
    Window,
}

/// An error, in no dialect's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status under which it is worded.
    pub status: u16,
    /// The upstream's word for the kind, `context_length_exceeded` for instance; may be empty.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// Tokens of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub usage: Usage,
    /// The part of the output that was reasoning.
    pub reasoning: u64,
    /// US dollars, where the upstream names them.
    pub cost: Option<f64>,
    pub reported: bool,
}

/// A step of an answer. `key` names a block while it is open.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    Begin {
        id: String,
        model: String,
        created: Option<i64>,
    },
    Open {
        key: u64,
        block: Opening,
    },
    /// A piece of a text, of a thought, or of a call's JSON arguments.
    Piece {
        key: u64,
        text: String,
    },
    /// What only its maker can read of a thought.
    Sign {
        key: u64,
        blob: Blob,
    },
    Close {
        key: u64,
    },
    Count(Counts),
    Stop(Stop),
    Fail(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Text,
    Thinking,
    Call { id: String, name: String },
}

/// A string field, or nothing.
pub(super) fn str_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The elements of an array, none if it is something else.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A field that is there and not null.
pub(super) fn given(value: &Value, key: &str) -> Option<Value> {
    value.get(key).filter(|v| !v.is_null()).cloned()
}

/// A text part without a mark.
pub(super) fn text_part(text: impl Into<String>) -> Part {
    Part::Text(Text { text: text.into(), cache: None })
}
