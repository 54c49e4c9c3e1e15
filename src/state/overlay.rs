//! Owns what can lie over the panes of one client and take its keys, and what each key does there.
//!
//! An overlay only ever answers with command lines. Must not know: how it is drawn, how a command is run.
use super::{
    State,
    view::{self, PanelChoice, PanelRows, PickerRow},
};
use crate::{
    mux::{
        ClientId, PaneId,
        keys::{Key, KeyCode, Mods},
    },
    router::{PlanRequest, Refusal},
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
}

/// A question with one dangerous answer.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// `kill pane %2? claude is working (y/n)`.
    pub question: String,
    /// What `y` runs.
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

/// The few things that a key can mean in a list or a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Press {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Erase,
    Complete,
    /// Rows down; negative goes up.
    Move(isize),
    First,
    Last,
    Other,
}

/// What a key means here. Emacs' and readline's keys stand beside the cursor keys, as in every list of a terminal.
fn press(key: &Key) -> Press {
    let mods = key.mods;
    if mods == Mods::CTRL {
        return match key.code {
            KeyCode::Char('n' | 'j') => Press::Move(1),
            KeyCode::Char('p' | 'k') => Press::Move(-1),
            KeyCode::Char('c' | 'g') => Press::Escape,
            KeyCode::Char('u') => Press::Erase,
            KeyCode::Char('h') => Press::Backspace,
            KeyCode::Char('m') => Press::Enter,
            _ => Press::Other,
        };
    }
    if mods.intersects(Mods::CTRL | Mods::ALT | Mods::SUPER) {
        return Press::Other;
    }
    match key.code {
        KeyCode::Char(c) => Press::Char(c),
        KeyCode::Enter => Press::Enter,
        KeyCode::Escape => Press::Escape,
        KeyCode::Backspace => Press::Backspace,
        KeyCode::Tab if mods.contains(Mods::SHIFT) => Press::Move(-1),
        KeyCode::Tab => Press::Complete,
        KeyCode::Up => Press::Move(-1),
        KeyCode::Down => Press::Move(1),
        KeyCode::PageUp => Press::Move(-PAGE),
        KeyCode::PageDown => Press::Move(PAGE),
        KeyCode::Home => Press::First,
        KeyCode::End => Press::Last,
        _ => Press::Other,
    }
}

/// Rows that a page key moves.
const PAGE: isize = 10;

impl Overlay {
    /// Takes a key. The caller holds the overlay apart from the state while it asks.
    pub fn key(&mut self, key: &Key, state: &State, context: &Context<'_>) -> Outcome {
        self.press(press(key), state, context)
    }

    fn press(&mut self, press: Press, state: &State, context: &Context<'_>) -> Outcome {
        match self {
            Self::Router(list) => router_key(list, press, state, context),
            Self::Picker(picker) => picker_key(picker, press, state),
            Self::Switch(dialog) => dialog.press(press),
            Self::Refusal(dialog) => dialog.press(press),
            Self::Keys(list) => keys_key(list, press, context),
            Self::Palette(palette) => palette.press(press, context),
            Self::Confirm(confirm) => confirm.press(press),
        }
    }

    /// Takes pasted text: lists and the palette read its first line, dialogs ignore it.
    pub fn paste(&mut self, text: &str) -> Outcome {
        let line = text.lines().next().unwrap_or_default();
        let typed = match self {
            Self::Router(list) | Self::Keys(list) => &mut list.filter,
            Self::Picker(picker) => &mut picker.list.filter,
            Self::Palette(palette) => &mut palette.input,
            Self::Switch(_) | Self::Refusal(_) | Self::Confirm(_) => return Outcome::None,
        };
        for c in line.chars().filter(|c| !c.is_control()) {
            if typed.len() + c.len_utf8() > MAX_TYPED {
                break;
            }
            typed.push(c);
        }
        Outcome::Redraw
    }
}

/// Longest filter or palette line in bytes: more than any command line that a person types.
const MAX_TYPED: usize = 4096;

impl List {
    /// The list of the router panel for a pane, standing on the pane's own executor.
    pub fn for_panel(state: &State, pane: PaneId) -> Self {
        let own = state.panes.get(&pane).and_then(|pane| pane.harness.as_ref());
        let own = own.map(|harness| harness.route.executor.as_str().to_owned());
        let stands_on = |name: &str| state.executors.iter().position(|row| row.executor.as_str() == name);
        let selected = own.as_deref().and_then(stands_on).unwrap_or(0);
        Self { pane: Some(pane), filter: String::new(), selected, executor: own }
    }

    /// Moves, types or erases; `None` when the key means something else. `rows` counts what can be chosen.
    fn press(&mut self, press: Press, rows: usize) -> Option<Outcome> {
        match press {
            Press::Move(by) => self.selected = moved(self.selected, by, rows),
            Press::First => self.selected = 0,
            Press::Last => self.selected = rows.saturating_sub(1),
            Press::Char(c) if self.filter.len() < MAX_TYPED => {
                self.filter.push(c);
                self.selected = 0;
            }
            Press::Backspace => {
                self.filter.pop()?;
                self.selected = 0;
            }
            Press::Erase => self.filter.clear(),
            Press::Escape if !self.filter.is_empty() => {
                self.filter.clear();
                self.selected = 0;
            }
            Press::Escape => return Some(Outcome::Close),
            _ => return None,
        }
        Some(Outcome::Redraw)
    }
}

/// A single step wraps around at the ends; a page stops there.
fn moved(from: usize, by: isize, rows: usize) -> usize {
    let Some(last) = rows.checked_sub(1) else { return 0 };
    let from = from.min(last);
    match by {
        1 if from == last => 0,
        -1 if from == 0 => last,
        _ => from.saturating_add_signed(by).min(last),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn router_key(list: &mut List, press: Press, state: &State, context: &Context<'_>) -> Outcome {
    let focused = state.focused_pane(context.client);
    if press == Press::Enter {
        return router_enter(&PanelRows::new(state, list, focused));
    }
    let rows = PanelRows::new(state, list, focused).choices;
    let Some(outcome) = list.press(press, rows) else { return Outcome::None };
    if !matches!(press, Press::Move(_) | Press::First | Press::Last) {
        return outcome;
    }
    // The list stays on the executor that was walked to last, so that going on to its models, or typing the name of
    // one, keeps them in view.
    let passed = match PanelRows::new(state, list, focused).chosen {
        Some(PanelChoice::Executor(row)) => Some(row.executor.as_str().to_owned()),
        Some(PanelChoice::Model(executor, _)) => Some(executor.as_str().to_owned()),
        None => None,
    };
    list.executor = passed.or(list.executor.take());
    outcome
}

fn router_enter(rows: &PanelRows<'_>) -> Outcome {
    let (Some(pane), Some(chosen)) = (rows.pane, &rows.chosen) else { return Outcome::None };
    let target = pane.id.to_string();
    let own = pane.harness.as_ref().map(|harness| &harness.route.executor);
    let (executor, model) = match chosen {
        PanelChoice::Executor(row) if own == Some(&row.executor) => return Outcome::Close,
        PanelChoice::Executor(row) if row.missing() => {
            return Outcome::CloseAndRun(words(&["install-pane", row.executor.as_str()]));
        }
        PanelChoice::Executor(row) => (row.executor.as_str(), None),
        PanelChoice::Model(executor, model) if own == Some(executor) => {
            return Outcome::CloseAndRun(words(&["model", "-t", &target, &model.id]));
        }
        PanelChoice::Model(executor, model) => (executor.as_str(), Some(model.id.as_str())),
    };
    // A shell keeps running: the harness starts beside it.
    let verb = if own.is_some() { "switch-dialog" } else { "split-window" };
    let mut line = words(&[verb, "-t", &target, "--executor", executor]);
    line.extend(model.map(|model| words(&["--model", model])).unwrap_or_default());
    Outcome::CloseAndRun(line)
}

fn picker_key(picker: &mut Picker, press: Press, state: &State) -> Outcome {
    let rows = view::picker_rows(state, &picker.list.filter);
    let chosen = rows.get(picker.list.selected.min(rows.len().saturating_sub(1))).copied();
    let missing = |row: &PickerRow<'_>| matches!(row, PickerRow::Executor(row) if row.missing());
    // While a filter is typed, letters belong to it.
    let letter = match press {
        Press::Char(c) if picker.list.filter.is_empty() => Some(c),
        _ => None,
    };
    match (press, letter, chosen) {
        (Press::Enter, _, Some(row)) if missing(&row) => Outcome::Run(words(&["install-pane", row.name()])),
        (Press::Enter, _, Some(row)) => Outcome::CloseAndRun(picker.start(&row, &[])),
        (_, Some('i'), Some(PickerRow::Executor(row))) => {
            Outcome::Run(words(&["install-pane", row.executor.as_str()]))
        }
        (_, Some('r'), Some(row @ PickerRow::Executor(_))) => {
            Outcome::CloseAndRun(picker.start(&row, &["--rehearse"]))
        }
        (_, Some('s'), Some(row)) if !missing(&row) => {
            let second = second_executor(state, row.name());
            Outcome::CloseAndRun(picker.start(&row, &["--split", second]))
        }
        (_, Some('i' | 'r' | 's'), _) => Outcome::None,
        (_, Some('?'), _) => Outcome::Run(words(&["list-keys"])),
        _ => picker.list.press(press, rows.len()).unwrap_or(Outcome::None),
    }
}

impl Picker {
    fn start(&self, row: &PickerRow<'_>, more: &[&str]) -> Vec<String> {
        let mut line = self.command.clone();
        if let PickerRow::Executor(row) = row {
            line.extend(words(&["--executor", row.executor.as_str()]));
        }
        line.extend(words(more));
        line
    }
}

/// Who stands beside the first choice: the next executor that could start now, else a shell.
fn second_executor<'a>(state: &'a State, first: &str) -> &'a str {
    let other = state.executors.iter().find(|row| row.executor.as_str() != first && row.startable());
    other.map_or("shell", |row| row.executor.as_str())
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

    /// The handoff in lines of the preview.
    pub fn preview_lines(&self) -> Vec<String> {
        view::wrap(&self.handoff, DIALOG_TEXT)
    }

    fn press(&mut self, press: Press) -> Outcome {
        match press {
            Press::Enter => Outcome::CloseAndRun(self.with(&["--yes"])),
            Press::Char('d') => Outcome::CloseAndRun(self.with(&["--yes", "--when-done"])),
            Press::Char('b') => self.toggle_brief(),
            Press::Char('p') => {
                (self.preview, self.scroll) = (!self.preview, 0);
                Outcome::Redraw
            }
            Press::Escape if self.preview => {
                self.preview = false;
                Outcome::Redraw
            }
            Press::Escape | Press::Char('q') => Outcome::Close,
            Press::Move(_) | Press::First | Press::Last | Press::Char(' ') if self.preview => {
                let last = self.preview_lines().len().saturating_sub(PREVIEW_LINES);
                self.scroll = match press {
                    Press::First => 0,
                    Press::Last => last,
                    Press::Move(by) => self.scroll.saturating_add_signed(by).min(last),
                    _ => self.scroll.saturating_add(PREVIEW_LINES).min(last),
                };
                Outcome::Redraw
            }
            _ => Outcome::None,
        }
    }

    fn with(&self, more: &[&str]) -> Vec<String> {
        [self.command.clone(), words(more)].concat()
    }

    /// Asks for the dialog again with the other kind of handoff: its texts come from the server.
    fn toggle_brief(&mut self) -> Outcome {
        let kind = if self.handoff_kind() == "brief" { "full" } else { "brief" };
        match self.command.iter().position(|word| word == "--handoff") {
            Some(at) if at + 1 < self.command.len() => self.command[at + 1] = kind.to_owned(),
            Some(_) => self.command.push(kind.to_owned()),
            None => self.command.extend(words(&["--handoff", kind])),
        }
        let again = self.command.iter().skip(1).cloned();
        Outcome::Run(std::iter::once("switch-dialog".to_owned()).chain(again).collect())
    }
}

impl RefusalDialog {
    /// A dialog for a refused command line such as `["switch-dialog","-t","%2"]`: each alternative, in the words of
    /// its remedy, runs that line with its own executor, model and auth mode. Other remedies are only words.
    pub fn new(
        title: String,
        refusal: Refusal,
        alternatives: &[(String, PlanRequest)],
        command: &[String],
    ) -> Self {
        let runs = |remedy: &String| {
            let found = alternatives.iter().find(|(text, _)| text == remedy);
            found.map(|(_, request)| [command, &request_words(request)].concat()).unwrap_or_default()
        };
        let commands = refusal.remedies.iter().map(runs).collect();
        Self { title, refusal, commands }
    }

    /// The command of the remedy with this number, counted from one.
    pub fn command(&self, number: usize) -> Option<&Vec<String>> {
        self.commands.get(number.checked_sub(1)?).filter(|command| !command.is_empty())
    }

    fn press(&mut self, press: Press) -> Outcome {
        match press {
            Press::Escape | Press::Enter | Press::Char('q') => Outcome::Close,
            Press::Char(c) => {
                let number = c.to_digit(10).map(|digit| digit as usize);
                match number.and_then(|number| self.command(number)) {
                    Some(command) => Outcome::CloseAndRun(command.clone()),
                    None => Outcome::None,
                }
            }
            _ => Outcome::None,
        }
    }
}

/// A request as the options of a command line.
fn request_words(request: &PlanRequest) -> Vec<String> {
    let mut line = words(&["--executor", request.executor.as_str()]);
    if let Some(model) = &request.model {
        line.extend(words(&["--model", model]));
    }
    if let Some(auth) = request.auth {
        line.extend(words(&["--auth", auth.as_str()]));
    }
    line
}

fn keys_key(list: &mut List, press: Press, context: &Context<'_>) -> Outcome {
    let rows = view::reference_rows(context.reference, &list.filter);
    match press {
        Press::Enter => match rows.get(list.selected.min(rows.len().saturating_sub(1))) {
            Some(row) => split_words(&row.command).map_or(Outcome::None, Outcome::CloseAndRun),
            None => Outcome::None,
        },
        _ => list.press(press, rows.len()).unwrap_or(Outcome::None),
    }
}

impl Palette {
    fn press(&mut self, press: Press, context: &Context<'_>) -> Outcome {
        let rows = view::palette_rows(context.reference, &self.input);
        let chosen = rows.get(self.selected.min(rows.len().saturating_sub(1)));
        match press {
            Press::Enter => {
                let typed = self.input.trim();
                // Arguments mean that the line is finished; a bare word may still be the start of a name.
                let own_words = typed.contains(' ') || rows.iter().any(|row| row.command == typed);
                let line = match chosen {
                    Some(row) if !own_words => row.command.as_str(),
                    _ => typed,
                };
                match split_words(line) {
                    Ok(line) if line.is_empty() => return Outcome::Close,
                    Ok(line) => return Outcome::CloseAndRun(line),
                    Err(why) => self.error = Some(why),
                }
            }
            Press::Complete => match chosen {
                Some(row) => (self.input, self.selected) = (format!("{} ", row.command), 0),
                None => return Outcome::None,
            },
            Press::Escape => return Outcome::Close,
            Press::Move(by) => self.selected = moved(self.selected, by, rows.len()),
            Press::First | Press::Last | Press::Other => return Outcome::None,
            Press::Char(c) if self.input.len() < MAX_TYPED => {
                self.input.push(c);
                (self.selected, self.error) = (0, None);
            }
            Press::Char(_) => return Outcome::None,
            Press::Backspace if self.input.is_empty() => return Outcome::Close,
            Press::Backspace => {
                self.input.pop();
                (self.selected, self.error) = (0, None);
            }
            Press::Erase => *self = Self::default(),
        }
        Outcome::Redraw
    }
}

impl Confirm {
    /// Only a plain `y` runs it: Enter is too easily pressed.
    fn press(&self, press: Press) -> Outcome {
        match press {
            Press::Char('y' | 'Y') => Outcome::CloseAndRun(self.command.clone()),
            Press::Char('n' | 'N' | 'q') | Press::Escape => Outcome::Close,
            _ => Outcome::None,
        }
    }
}

/// Splits a typed line into words: spaces part them, quotes and backslashes keep them together.
///
/// # Errors
/// A sentence when a quote is not closed.
pub fn split_words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(chars.next()),
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    match quote {
        Some(open) => Err(format!("the quote {open} is not closed")),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

#[cfg(test)]
mod tests;
