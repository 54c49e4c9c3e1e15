//! A request's history as turns: who said what, wrappers removed.
use super::{Dialect, chat, gemini, messages, responses, wrappers};
use crate::handoff::{Conversation, Role, Turn, is_handoff};
use serde_json::Value;

/// One step of a request's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A person's words, or a handoff, wrappers removed.
    Person(String),
    /// A model's words.
    Model(String),
    /// A tool call on one line.
    Call(String),
    /// What a tool answered.
    Output(String),
}

impl Said {
    /// A call as one line `name: arguments`.
    pub(super) fn call(name: &str, arguments: &str) -> Self {
        Self::Call(format!("{name}: {}", arguments.split_whitespace().collect::<Vec<_>>().join(" ")))
    }
}

/// Collects a history while a dialect walks through it.
#[derive(Default)]
pub(super) struct Telling(Vec<Said>);

impl Telling {
    /// One message of a person, in the blocks that it came in.
    pub(super) fn person(&mut self, blocks: &[String]) {
        self.0.extend(wrappers::peel(blocks).into_iter().map(Said::Person));
    }

    pub(super) fn model(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.0.push(Said::Model(text.trim().to_owned()));
        }
    }

    pub(super) fn call(&mut self, name: &str, arguments: &str) {
        self.0.push(Said::call(name, arguments));
    }

    pub(super) fn output(&mut self, text: &str) {
        self.0.push(Said::Output(wrappers::tool_output(text)));
    }
}

/// Everything that a request tells, oldest first.
pub(crate) fn said(dialect: Dialect, body: &Value) -> Vec<Said> {
    let mut telling = Telling::default();
    match dialect {
        Dialect::Messages => messages::tell(body, &mut telling),
        Dialect::Chat => chat::tell(body, &mut telling),
        Dialect::Responses => responses::tell(body, &mut telling),
        Dialect::Gemini => gemini::tell(body, &mut telling),
    }
    telling.0
}

/// The conversation that a request carries.
///
/// A handoff is a user turn of its own, apart from the words typed around it.
pub fn conversation(dialect: Dialect, body: &Value) -> Conversation {
    let turns = said(dialect, body)
        .into_iter()
        .map(|step| match step {
            Said::Person(text) => Turn { role: Role::User, text },
            Said::Model(text) => Turn { role: Role::Assistant, text },
            Said::Call(text) | Said::Output(text) => Turn { role: Role::Tool, text },
        })
        .collect();
    Conversation { turns }
}

/// What a request's newest item is, apart from words of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Newest {
    /// The person typed this.
    Prompt(String),
    /// A tool answered.
    Output,
    /// A handoff came and nothing was typed after it.
    Handoff,
    /// The request tells nothing.
    Nothing,
}

/// What a request is an answer to.
pub fn newest(dialect: Dialect, body: &Value) -> Newest {
    newest_of(&said(dialect, body))
}

/// [`newest`] of a history that was read already.
pub(crate) fn newest_of(history: &[Said]) -> Newest {
    match history.iter().rev().find(|step| !matches!(step, Said::Model(_))) {
        Some(Said::Person(text)) if is_handoff(text) => Newest::Handoff,
        Some(Said::Person(text)) => Newest::Prompt(text.clone()),
        Some(_) => Newest::Output,
        None => Newest::Nothing,
    }
}

/// What the person typed last; `None` when the newest item is a tool's answer or a handoff alone.
pub fn newest_prompt(dialect: Dialect, body: &Value) -> Option<String> {
    match newest(dialect, body) {
        Newest::Prompt(text) => Some(text),
        _ => None,
    }
}

/// The texts of a content that is a string or an array of parts with `text`.
pub(super) fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.as_str().or_else(|| part["text"].as_str()).map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}
