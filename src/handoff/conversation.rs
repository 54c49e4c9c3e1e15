//! A conversation as every dialect and transcript can tell it.
use serde::{Deserialize, Serialize};

/// Who spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool call or its result.
    Tool,
}

/// One step of a conversation, wrappers and injected context removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who spoke.
    pub role: Role,
    /// Plain text; for `Tool`, one line `name: arguments` or the result's text.
    pub text: String,
}

/// Everything said so far, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Oldest first.
    pub turns: Vec<Turn>,
}

impl Conversation {
    /// What the person asked, oldest first.
    pub fn requests(&self) -> impl Iterator<Item = &str> {
        self.turns.iter().filter(|t| t.role == Role::User).map(|t| t.text.as_str())
    }

    /// The person's newest request.
    pub fn last_request(&self) -> Option<&str> {
        self.turns.iter().rev().find(|t| t.role == Role::User).map(|t| t.text.as_str())
    }
}
