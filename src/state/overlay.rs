//! Owns what can lie over the panes of one client and take its keys, and what each key does there.
//!
//! An overlay only ever answers with command lines. Must not know: how it is drawn, how a command is run.
mod changes;
mod composer;
mod draft;
mod keys;
mod native;

#[cfg(test)]
mod tests;

pub use changes::{Changes, FileRow};
pub use composer::{Composer, OFFERED, Receiver};
pub use draft::{Draft, MAX_DRAFT};
pub use native::{NativeRow, NativeSessions};

use super::{State, view};
use crate::{
    mux::{ClientId, PaneId},
    router::Refusal,
};
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
    /// What a command printed.
    Text(Printed),
    /// Whether a directory is trusted, before a harness loads what it brings.
    Trust(Trust),
    /// A list of things, each with a command: sessions, windows, panes, buffers, clients, a menu.
    Choose(Choice),
    /// Numbers over the panes.
    Numbers(Numbers),
    /// A prompt being written (`prefix Enter`).
    Composer(Box<Composer>),
    /// What changed since HEAD (`prefix g`).
    Changes(Box<Changes>),
    /// An executor's own sessions in this directory (`prefix S`).
    Native(NativeSessions),
}

/// A list of which one row is taken.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// What is chosen: `sessions`, `buffers`.
    pub title: String,
    /// Every row.
    pub rows: Vec<ChoiceRow>,
    /// Typed filter and chosen row.
    pub list: List,
    /// A menu: its keys take rows, and nothing is filtered.
    pub menu: bool,
}

/// A row of a [`Choice`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChoiceRow {
    /// How far it is set in, for what lies in what.
    pub depth: u16,
    /// Its name.
    pub name: String,
    /// The rest of the row.
    pub detail: String,
    /// The key of a menu's row, in key notation.
    pub key: Option<String>,
    /// What taking it runs; empty for a line between rows.
    pub command: Vec<String>,
    /// It needs somebody.
    pub calls: bool,
    /// It is what the client looks at.
    pub current: bool,
}

/// Numbers over the panes of a window.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// The panes in their order, numbered from 1.
    pub panes: Vec<PaneId>,
    /// What a digit runs, with the pane in place of `%%`; empty when no key chooses.
    pub command: Vec<String>,
}

impl Choice {
    /// The rows that the filter leaves and that can be taken or, unfiltered, stand between them.
    pub fn shown(&self) -> Vec<&ChoiceRow> {
        let filter = view::Filter::new(&self.list.filter);
        let matches = |row: &&ChoiceRow| filter.finds(&format!("{} {}", row.name, row.detail));
        self.rows.iter().filter(matches).collect()
    }
}

/// A command's words with something in place of `%%`, or of `%1` where there is none.
pub fn fill(command: &[String], with: &str) -> Vec<String> {
    let mark = if command.iter().any(|word| word.contains("%%")) { "%%" } else { "%1" };
    command.iter().map(|word| word.replace("%%%", "%%").replace(mark, with)).collect()
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
    /// The handoff while the person changes it.
    pub edit: Option<Box<Draft>>,
    /// The person changed it: it goes as it stands here.
    pub edited: bool,
    /// The next executor's own agents (`a` takes the next one).
    pub agents: Vec<String>,
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
    /// What each remedy runs, by position; empty when it is only words.
    pub commands: Vec<Vec<String>>,
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
    /// What is asked for, and the command that the answer goes into in place of `%%`; commands are not listed then.
    pub asks: Option<(String, Vec<String>)>,
}

/// A question with one dangerous answer.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// `kill pane %2? claude is working (y/n)`.
    pub question: String,
    /// What `y` runs.
    pub command: Vec<String>,
}

/// What a command printed that a key or the palette ran.
#[derive(Clone, Debug)]
pub struct Printed {
    /// The command line.
    pub title: String,
    /// Its output, at most [`PRINTED_LINES`].
    pub lines: Vec<String>,
    /// First line shown.
    pub scroll: usize,
}

/// Lines of output that are kept to be read: more than anybody walks through without a pager.
pub const PRINTED_LINES: usize = 2000;

/// The question whether a directory is trusted.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The directory.
    pub dir: PathBuf,
    /// Who is about to start there.
    pub executor: String,
    /// What would load, a line for each file: `.mcp.json: 2 MCP servers`.
    pub loads: Vec<String>,
    /// The command that started it, and that goes on after the answer.
    pub command: Vec<String>,
}

/// A line of the key table and the command table, for the key help and the palette.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceRow {
    /// Key after the prefix, `%`; empty when no key is bound.
    pub keys: String,
    /// The command line it runs, `split-window -h`.
    pub command: String,
    /// One line of help.
    pub help: String,
}

/// What a key handler may read beside the state.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whose overlay it is.
    pub client: ClientId,
    /// Key and command rows.
    pub reference: &'a [ReferenceRow],
}

/// What a key did to an overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing; the key is swallowed.
    None,
    /// The overlay changed and stays.
    Redraw,
    /// The overlay is to be removed.
    Close,
    /// Run this command line; the overlay stays unless the command replaces it.
    Run(Vec<String>),
    /// Remove the overlay, then run this command line.
    CloseAndRun(Vec<String>),
}

/// The columns of text in the switch dialog; the preview of a handoff is wrapped to it.
pub const DIALOG_TEXT: usize = 68;
/// The lines of a handoff that the preview shows at once.
pub const PREVIEW_LINES: usize = 14;

impl List {
    /// The list of the router panel for a pane, standing on the pane's own executor.
    pub fn for_panel(state: &State, pane: PaneId) -> Self {
        let own = state.panes.get(&pane).and_then(|pane| pane.harness.as_ref());
        let own = own.map(|harness| harness.route.executor.as_str().to_owned());
        let stands_on = |name: &str| state.executors.iter().position(|row| row.executor.as_str() == name);
        let selected = own.as_deref().and_then(stands_on).unwrap_or(0);
        Self { pane: Some(pane), filter: String::new(), selected, executor: own }
    }
}

impl super::ExecutorReadiness {
    /// Not on this machine, but installable.
    pub fn missing(&self) -> bool {
        self.binary.is_none() && self.version.is_none() && self.install_mb.is_some()
    }

    /// Present and routed.
    pub fn startable(&self) -> bool {
        (self.binary.is_some() || self.version.is_some()) && self.route.is_ok()
    }
}

impl SwitchDialog {
    /// `full`, `brief` or `none`, as the command has it.
    pub fn handoff_kind(&self) -> &str {
        let after = self.command.iter().skip_while(|word| *word != "--handoff").nth(1);
        after.map_or("full", String::as_str)
    }

    /// The agent that leads, as the command has it.
    pub fn agent(&self) -> Option<&str> {
        self.command.iter().skip_while(|word| *word != "--agent").nth(1).map(String::as_str)
    }

    /// The handoff in lines of the preview.
    pub fn preview_lines(&self) -> Vec<String> {
        view::wrap(&self.handoff, DIALOG_TEXT)
    }
}

impl Printed {
    /// Output of a command line.
    pub fn new(title: String, text: &str) -> Self {
        let lines = text.lines().take(PRINTED_LINES).map(str::to_owned).collect();
        Self { title, lines, scroll: 0 }
    }
}

impl RefusalDialog {
    /// The command of the remedy with this number, counted from one.
    pub fn command(&self, number: usize) -> Option<&Vec<String>> {
        self.commands.get(number.checked_sub(1)?).filter(|command| !command.is_empty())
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
