//! The answer to one command: text for its streams, then an exit code.
use super::{
    connection::{Out, OutSender},
    protocol::{Exit, Kind, frame},
};
use crate::router::Refusal;
use tokio::sync::mpsc::error::TrySendError;

/// Output leaves in frames of this size, so that one answer cannot fill a socket's queue as a single piece.
const CHUNK: usize = 64 * 1024;

/// A command that failed, as the command line tells it.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 1.
    Failed(String),
    /// Exit code 2.
    Usage(String),
    /// Exit code 3.
    Refused(Box<Refusal>),
}

impl Failure {
    /// The reason in one sentence.
    pub fn why(&self) -> String {
        match self {
            Self::Failed(why) | Self::Usage(why) => why.clone(),
            Self::Refused(refusal) => format!("{}: {}", refusal.rule, refusal.reason),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<&str> for Failure {
    fn from(why: &str) -> Self {
        Self::Failed(why.to_owned())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(format!("{error:#}"))
    }
}

/// Where an answer goes: to a connection, or to nobody (a key binding; failures become a message).
#[derive(Debug)]
pub struct Reply {
    out: Option<OutSender>,
    /// Refusals are printed as JSON on standard output.
    pub json: bool,
    text: String,
}

impl Reply {
    /// To a connection.
    pub fn to(out: OutSender) -> Self {
        Self { out: Some(out), json: false, text: String::new() }
    }

    /// To nobody.
    pub fn nobody() -> Self {
        Self { out: None, json: false, text: String::new() }
    }

    /// Whether somebody waits for it.
    pub fn is_heard(&self) -> bool {
        self.out.is_some()
    }

    /// Adds a line of standard output.
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// Adds text of standard output as it is.
    pub fn text(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
    }

    /// Sends what was added so far and goes on. False when nobody reads it any more; a reader that is behind misses lines.
    pub fn push(&mut self) -> bool {
        let Some(out) = &self.out else { return false };
        let mut frames = Vec::new();
        for chunk in std::mem::take(&mut self.text).as_bytes().chunks(CHUNK) {
            frames.extend(frame(Kind::Out, chunk));
        }
        frames.is_empty() || !matches!(out.try_send(Out::Frames(frames)), Err(TrySendError::Closed(_)))
    }

    /// Ends the command well.
    pub fn done(self) {
        self.end(0, String::new());
    }

    /// Ends the command badly.
    pub fn fail(mut self, failure: &Failure) {
        match failure {
            Failure::Failed(why) => self.end(1, format!("inspan: {why}\n")),
            Failure::Usage(why) => self.end(2, format!("inspan: {why}\n")),
            Failure::Refused(refusal) if self.json => {
                let body = serde_json::json!({ "refusal": refusal });
                self.line(serde_json::to_string_pretty(&body).unwrap_or_default());
                self.end(3, String::new());
            }
            Failure::Refused(refusal) => {
                let text = refusal_text(refusal);
                self.end(3, text);
            }
        }
    }

    fn end(mut self, code: i32, stderr: String) {
        let Some(out) = self.out.take() else { return };
        let mut frames = Vec::new();
        for chunk in self.text.as_bytes().chunks(CHUNK) {
            frames.extend(frame(Kind::Out, chunk));
        }
        if !stderr.is_empty() {
            frames.extend(frame(Kind::Err, stderr.as_bytes()));
        }
        // The queue of a command's connection is empty until its only answer; a client that went away is no error.
        let _ = out.try_send(Out::Frames(frames));
        let _ = out.try_send(Out::Exit(Exit { code, message: String::new(), again: Vec::new() }));
    }
}

/// A refusal as standard error shows it: rule and reason, then the remedies.
pub fn refusal_text(refusal: &Refusal) -> String {
    let mut text = format!("inspan: refused by {}: {}\n", refusal.rule, refusal.reason);
    for remedy in &refusal.remedies {
        text.push_str(&format!("  - {remedy}\n"));
    }
    text
}
