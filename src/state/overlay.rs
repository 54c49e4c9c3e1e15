//! What can lie over the panes of one client and take its keys.
use crate::{mux::PaneId, router::Refusal};
use std::path::PathBuf;

/// An overlay; at most one per client.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The router panel (also the docked one while it has the keys).
    Router(List),
    /// Choosing what to start in a directory.
    Picker(Picker),
    /// A previewed switch of one pane.
    Switch(SwitchDialog),
    /// A refusal, where the person looked for a result.
    Refusal(RefusalDialog),
    /// The key reference.
    Keys(List),
    /// The command palette and prompt (`prefix :`).
    Palette(Palette),
    /// A yes-or-no question: text, and the command that yes runs.
    Confirm(Confirm),
}

/// A filtered list: which row is chosen and what was typed.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The pane it is about.
    pub pane: Option<PaneId>,
    /// Typed filter; empty shows all.
    pub filter: String,
    /// Index among the rows that the filter leaves and that can be chosen.
    pub selected: usize,
    /// Executor whose models are listed, when not the pane's own.
    pub executor: Option<String>,
}

/// The picker for a directory without a session, or for a split (`prefix e` on a shell).
#[derive(Clone, Debug)]
pub struct Picker {
    /// The directory.
    pub dir: PathBuf,
    /// Row selection and filter.
    pub list: List,
    /// Command words that the choice is appended to, e.g. `["split-window","-t","%1"]`.
    pub command: Vec<String>,
}

/// What `prefix e` shows before anything stops. Every line is ready text, made by the server.
#[derive(Clone, Debug)]
pub struct SwitchDialog {
    /// The pane.
    pub pane: PaneId,
    /// `codex gpt-5.4`.
    pub from: String,
    /// `claude opus-4.6`.
    pub to: String,
    /// `credits · anthropic`.
    pub how: String,
    /// Label and text: `("conversation", "codex session parked (resumes when you come back)")`.
    pub lines: Vec<(String, String)>,
    /// The handoff as it would be delivered (`p` shows it).
    pub handoff: String,
    /// The handoff is shown instead of the lines.
    pub preview: bool,
    /// First line shown of the preview.
    pub scroll: usize,
    /// The command that Enter runs.
    pub command: Vec<String>,
}

/// A refusal and the remedies that can be run by number.
#[derive(Clone, Debug)]
pub struct RefusalDialog {
    /// `gpt-5.4 under claude by BYOK`.
    pub title: String,
    /// Rule, reason, remedies.
    pub refusal: Refusal,
}

/// The command line inside the multiplexer.
#[derive(Clone, Debug, Default)]
pub struct Palette {
    /// What was typed.
    pub input: String,
    /// Selection among the matches.
    pub selected: usize,
    /// Why the last Enter did not run.
    pub error: Option<String>,
}

/// A question with one dangerous answer.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// `kill pane %2? claude is working (y/n)`.
    pub question: String,
    /// What `y` runs.
    pub command: Vec<String>,
}
