//! The words for what a harness is doing, and which source said so.
use serde::{Deserialize, Serialize};

/// What a pane's process is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Started, nothing known yet.
    #[default]
    Starting,
    /// A turn is running.
    Working,
    /// It waits for the person.
    NeedsYou,
    /// A turn ended that nobody has looked at.
    Done,
    /// It waits for a prompt.
    Idle,
    /// The upstream failed and the request is being tried again.
    Retrying,
    /// A usage limit was reached.
    Limited,
    /// The process is gone.
    Exited,
}

impl Status {
    /// The stable word of `list-panes --json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Working => "working",
            Self::NeedsYou => "needs-you",
            Self::Done => "done",
            Self::Idle => "idle",
            Self::Retrying => "retrying",
            Self::Limited => "limited",
            Self::Exited => "exited",
        }
    }
}

/// Who said it, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusSource {
    /// A typed protocol.
    Protocol,
    /// The gateway: a `Main` request is in flight.
    Gateway,
    /// The CLI's own state file.
    StateFile,
    /// OSC 7501 from the CLI.
    Osc7501,
    /// Hooks passed at launch.
    Hook,
    /// The window title or OSC 9;4 progress.
    Title,
    /// Rules on the bottom lines of the screen.
    Screen,
    /// The process itself: started or exited.
    #[default]
    Process,
}

/// A status with its authority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// What.
    pub status: Status,
    /// Who said it.
    pub source: StatusSource,
    /// The words it said it with: the title, the question, the HTTP status.
    pub detail: String,
    /// Unix seconds at which a limit ends, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// How the detail of an idle pane begins when its last turn failed.
const TURN_FAILED: &str = "the turn failed: ";

impl StatusReport {
    /// A status and who says so in which words.
    pub fn new(status: Status, source: StatusSource, detail: impl Into<String>) -> Self {
        Self { status, source, detail: detail.into(), until: None }
    }

    /// The detail of a pane whose last turn failed.
    pub fn failure_detail(why: &str) -> String {
        format!("{TURN_FAILED}{why}")
    }

    /// Why the last turn failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        self.detail.strip_prefix(TURN_FAILED)
    }
}
