//! What host and runtime say to each other: one JSON object a line, in both directions.
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest line that is read from a runtime: an answer or the arguments of a tool that writes a whole file.
pub const MAX_LINE: u64 = 16 * 1024 * 1024;

/// From the host to the runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Say {
    /// The first line; nothing else is understood before it.
    Start(Start),
    /// A prompt. One that comes during a turn waits for its end.
    Prompt {
        /// What the person wrote.
        text: String,
    },
    /// What a tool gave.
    ToolResult {
        /// Which call.
        id: String,
        /// What the model reads.
        output: String,
    },
    /// Ends the turn now.
    Interrupt,
}

/// Everything that a runtime must know.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Where the model API is.
    pub base_url: String,
    /// What names the pane there; it travels on this pipe alone.
    pub token: String,
    /// The model's id on the wire.
    pub model: String,
    /// How hard it shall think; the model's own way when none is named.
    #[serde(default)]
    pub effort: Option<String>,
    /// The session's id.
    pub session: String,
    /// The SQLite file that holds sessions.
    pub database: String,
    /// The system prompt.
    pub instructions: String,
    /// The tools that the host executes.
    pub tools: Vec<Declared>,
    /// How often one failed model request is made again.
    pub max_retries: u32,
    /// Seconds before the first of them, doubled for each further one, unless the upstream names a time.
    pub first_delay: f64,
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start")
            .field("model", &self.model)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// A tool as the model is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

/// From the runtime to the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Heard {
    /// The runtime takes prompts.
    Ready {
        /// The SDK's version.
        #[serde(default)]
        sdk: String,
        /// The interpreter's version.
        #[serde(default)]
        python: String,
    },
    /// A turn began.
    Turn,
    /// A model answers; its own name for itself.
    Model {
        /// The name.
        name: String,
    },
    /// A piece of the answer.
    Text {
        /// The piece.
        text: String,
    },
    /// A piece of the reasoning's summary.
    Reasoning {
        /// The piece.
        text: String,
    },
    /// A message is complete; all of its text.
    Said {
        /// The text.
        text: String,
    },
    /// A tool is to be executed; the turn waits for [`Say::ToolResult`].
    ToolCall {
        /// Names the call.
        id: String,
        /// Which tool.
        name: String,
        /// A JSON object as text, as the model wrote it.
        arguments: String,
    },
    /// A failed model request is made again.
    Retrying {
        /// Which try failed, from 1.
        attempt: u32,
        /// How many tries are made again at most.
        of: u32,
        /// Seconds until then.
        delay: f64,
        /// The HTTP status, if there was one.
        status: Option<u16>,
        /// What went wrong.
        why: String,
    },
    /// What one model request took.
    Usage {
        /// Tokens read.
        input: u64,
        /// Tokens written.
        output: u64,
    },
    /// The turn is over.
    Ended {
        /// How.
        how: How,
        /// Why it failed.
        why: Option<String>,
    },
    /// The runtime cannot go on and ends.
    Fatal {
        /// Why.
        why: String,
    },
    /// Something that a later runtime says; passed over.
    #[serde(other)]
    Unknown,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// With an answer.
    Done,
    /// The person ended it.
    Interrupted,
    /// It could not go on.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_the_runner_writes_and_reads_them() {
        let heard = |line: &str| serde_json::from_str::<Heard>(line).unwrap();
        assert_eq!(heard(r#"{"type": "turn"}"#), Heard::Turn);
        assert_eq!(
            heard(r#"{"type": "ended", "how": "interrupted", "why": null}"#),
            Heard::Ended { how: How::Interrupted, why: None }
        );
        assert_eq!(heard(r#"{"type": "news", "x": 1}"#), Heard::Unknown);
        let said = serde_json::to_string(&Say::ToolResult { id: "c".into(), output: "o".into() }).unwrap();
        assert_eq!(said, r#"{"type":"tool_result","id":"c","output":"o"}"#);
        assert_eq!(serde_json::to_string(&Say::Interrupt).unwrap(), r#"{"type":"interrupt"}"#);
    }

    #[test]
    fn a_token_is_in_no_debug_text() {
        let start = Start {
            base_url: "http://127.0.0.1:1".into(),
            token: "secret-token".into(),
            model: "m".into(),
            effort: None,
            session: "s".into(),
            database: "d".into(),
            instructions: String::new(),
            tools: Vec::new(),
            max_retries: 4,
            first_delay: 1.0,
        };
        assert!(!format!("{:?}", Say::Start(start)).contains("secret-token"));
    }
}
