//! Owns what each key does to an overlay.
use super::{
    Choice, Confirm, Context, Draft, List, Numbers, Outcome, Overlay, PREVIEW_LINES, Palette, Picker,
    Printed, RefusalDialog, SwitchDialog, Trust, fill, words,
};
use crate::{
    commands::split_words,
    mux::keys::{Key, KeyCode, Mods},
    state::{
        State,
        view::{self, PanelChoice, PanelRows, PickerRow},
    },
};

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

/// A shell of this many columns gives one half to a harness; a narrower one gives its lower rows.
const WIDE_SHELL: u16 = 100;

/// Rows that a page key moves.
const PAGE: isize = 10;

impl Overlay {
    /// Takes a key. The caller holds the overlay apart from the state while it asks.
    pub fn key(&mut self, key: &Key, state: &State, context: &Context<'_>) -> Outcome {
        if let Self::Choose(choice) = self
            && choice.menu
        {
            let typed = key.to_string();
            let own = choice.rows.iter().find(|row| row.key.as_deref() == Some(typed.as_str()));
            if let Some(row) = own {
                return Outcome::CloseAndRun(row.command.clone());
            }
        }
        match self {
            // Where a text is written every key belongs to it first.
            Self::Composer(composer) => composer.key(key, state, context.client),
            Self::Changes(changes) => changes.key(key),
            Self::Native(list) => list.key(key),
            Self::Switch(dialog) if dialog.edit.is_some() => dialog.edit_key(key),
            _ => self.press(press(key), state, context),
        }
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
            Self::Text(printed) => printed.press(press),
            Self::Trust(trust) => trust.press(press),
            Self::Choose(choice) => choice.press(press),
            Self::Numbers(numbers) => numbers.press(press),
            Self::Composer(_) | Self::Changes(_) | Self::Native(_) => Outcome::None,
        }
    }

    /// The row at a place among those shown is chosen, and taken when it was chosen already.
    pub fn click(&mut self, row: usize, state: &State, context: &Context<'_>) -> Outcome {
        let list = match self {
            Self::Router(list) | Self::Keys(list) => list,
            Self::Picker(picker) => &mut picker.list,
            Self::Choose(choice) => &mut choice.list,
            Self::Palette(palette) => {
                palette.selected = row;
                return self.press(Press::Enter, state, context);
            }
            _ => return Outcome::None,
        };
        if list.selected == row {
            return self.press(Press::Enter, state, context);
        }
        list.selected = row;
        Outcome::Redraw
    }

    /// The wheel goes through a list or scrolls what is read.
    pub fn wheel(&mut self, up: bool, state: &State, context: &Context<'_>) -> Outcome {
        match self {
            Self::Confirm(_) | Self::Refusal(_) | Self::Trust(_) | Self::Numbers(_) => Outcome::None,
            _ => self.press(Press::Move(if up { -1 } else { 1 }), state, context),
        }
    }

    /// Takes pasted text: a text takes it whole, lists and the palette read its first line, dialogs ignore it.
    pub fn paste(&mut self, text: &str) -> Outcome {
        match self {
            Self::Composer(composer) => return composer.paste(text),
            Self::Switch(SwitchDialog { edit: Some(draft), .. }) => {
                draft.insert(text);
                return Outcome::Redraw;
            }
            _ => {}
        }
        let line = text.lines().next().unwrap_or_default();
        let typed = match self {
            Self::Router(list) | Self::Keys(list) => &mut list.filter,
            Self::Picker(picker) => &mut picker.list.filter,
            Self::Palette(palette) => &mut palette.input,
            Self::Choose(choice) if !choice.menu => &mut choice.list.filter,
            Self::Native(list) => &mut list.filter,
            Self::Switch(_)
            | Self::Refusal(_)
            | Self::Confirm(_)
            | Self::Trust(_)
            | Self::Text(_)
            | Self::Changes(_)
            | Self::Composer(_)
            | Self::Choose(_)
            | Self::Numbers(_) => {
                return Outcome::None;
            }
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
pub(super) const MAX_TYPED: usize = 4096;

impl List {
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
        Some(PanelChoice::Request(_)) | None => None,
    };
    list.executor = passed.or(list.executor.take());
    outcome
}

fn router_enter(rows: &PanelRows<'_>) -> Outcome {
    let (Some(pane), Some(chosen)) = (rows.pane, &rows.chosen) else { return Outcome::None };
    let target = pane.id.to_string();
    let own = pane.harness.as_ref().map(|harness| &harness.route.executor);
    let (executor, model) = match chosen {
        PanelChoice::Request(n) => {
            return Outcome::CloseAndRun(words(&["requests", "-t", &target, "--open", &n.to_string()]));
        }
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
    let mut line = match own {
        Some(_) => words(&["switch-dialog", "-t", &target]),
        None if pane.size.0 >= WIDE_SHELL => words(&["split-window", "-t", &target, "-h"]),
        None => words(&["split-window", "-t", &target]),
    };
    line.extend(words(&["--executor", executor]));
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
        (Press::Enter, _, Some(row)) if !missing(&row) => Outcome::CloseAndRun(picker.start(&row, &[])),
        // Installed in view, in the pane where it starts then; without a way to pay there is nothing to start.
        (Press::Enter, _, Some(PickerRow::Executor(row)))
        | (_, Some('i'), Some(PickerRow::Executor(row))) => match &row.route {
            Ok(_) if row.missing() => {
                Outcome::CloseAndRun(picker.start(&PickerRow::Executor(row), &["--install"]))
            }
            _ => Outcome::CloseAndRun(words(&["install-pane", row.executor.as_str()])),
        },
        (_, Some('r'), Some(row @ PickerRow::Executor(_))) if missing(&row) => {
            Outcome::CloseAndRun(picker.start(&row, &["--rehearse", "--install"]))
        }
        (_, Some('r'), Some(row @ PickerRow::Executor(_))) => {
            Outcome::CloseAndRun(picker.start(&row, &["--rehearse"]))
        }
        (_, Some('s'), Some(row)) if !missing(&row) => {
            let second = second_executor(state, row.name());
            Outcome::CloseAndRun(picker.start(&row, &["--split", second]))
        }
        (_, Some('i' | 'r' | 's'), _) => Outcome::None,
        (_, Some('?'), _) => Outcome::Run(words(&["list-keys", "--overlay"])),
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

impl SwitchDialog {
    fn press(&mut self, press: Press) -> Outcome {
        match press {
            Press::Enter => Outcome::CloseAndRun(self.with(&["--yes"])),
            Press::Char('d') => Outcome::CloseAndRun(self.with(&["--yes", "--when-done"])),
            Press::Char('e') if !self.handoff.is_empty() => {
                self.edit = Some(Box::new(Draft::from_top(&self.handoff)));
                self.preview = false;
                Outcome::Redraw
            }
            // What was changed by hand is not thrown away by a letter.
            Press::Char('f' | 'b' | 'n' | 'u' | 'a') if self.edited => match press {
                Press::Char('u') => self.again(),
                _ => Outcome::None,
            },
            Press::Char('f') => self.other_kind("full"),
            Press::Char('b') => {
                self.other_kind(if self.handoff_kind() == "brief" { "full" } else { "brief" })
            }
            Press::Char('n') => self.other_kind("none"),
            Press::Char('a') if !self.agents.is_empty() => self.next_agent(),
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

    /// While the handoff is changed: Escape keeps what stands there and goes back to the dialog.
    fn edit_key(&mut self, key: &Key) -> Outcome {
        let Some(draft) = &mut self.edit else { return Outcome::None };
        let leaves = key.code == KeyCode::Escape
            || key.mods == Mods::CTRL && matches!(key.code, KeyCode::Char('s' | 'c' | 'g'));
        if !leaves {
            return if draft.key(key) { Outcome::Redraw } else { Outcome::None };
        }
        let text = draft.text();
        self.edited |= text != self.handoff;
        self.handoff = text;
        self.edit = None;
        self.scroll = 0;
        Outcome::Redraw
    }

    fn with(&self, more: &[&str]) -> Vec<String> {
        let mut line = [self.command.clone(), words(more)].concat();
        if self.edited {
            line.extend(["--handoff-text".to_owned(), self.handoff.clone()]);
        }
        line
    }

    /// Asks for the dialog again with another kind of handoff: its texts come from the server.
    fn other_kind(&mut self, kind: &str) -> Outcome {
        match self.command.iter().position(|word| word == "--handoff") {
            Some(at) if at + 1 < self.command.len() => self.command[at + 1] = kind.to_owned(),
            Some(_) => self.command.push(kind.to_owned()),
            None => self.command.extend(words(&["--handoff", kind])),
        }
        self.again()
    }

    /// Asks for the dialog again with the next of the executor's agents; behind the last one none leads.
    fn next_agent(&mut self) -> Outcome {
        let at = self.agent().and_then(|agent| self.agents.iter().position(|known| known == agent));
        let next = self.agents.get(at.map_or(0, |at| at + 1)).cloned();
        if let Some(at) = self.command.iter().position(|word| word == "--agent") {
            self.command.drain(at..(at + 2).min(self.command.len()));
        }
        self.command.extend(next.into_iter().flat_map(|agent| ["--agent".to_owned(), agent]));
        self.again()
    }

    fn again(&self) -> Outcome {
        let again = self.command.iter().skip(1).cloned();
        Outcome::Run(std::iter::once("switch-dialog".to_owned()).chain(again).collect())
    }
}

impl RefusalDialog {
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

impl Choice {
    fn press(&mut self, press: Press) -> Outcome {
        let rows = self.shown();
        let count = rows.len();
        match press {
            Press::Enter => {
                let chosen = rows.get(self.list.selected.min(count.saturating_sub(1)));
                return match chosen.filter(|row| !row.command.is_empty()) {
                    Some(row) => Outcome::CloseAndRun(row.command.clone()),
                    None => Outcome::None,
                };
            }
            Press::Char('q') if self.menu => return Outcome::Close,
            Press::Char(_) | Press::Backspace | Press::Erase if self.menu => return Outcome::None,
            _ => {}
        }
        let is_line =
            |choice: &Self, at: usize| choice.shown().get(at).is_some_and(|row| row.command.is_empty());
        let outcome = self.list.press(press, count).unwrap_or(Outcome::None);
        // A line between rows is stepped over.
        if let Press::Move(by) = press
            && is_line(self, self.list.selected)
        {
            self.list.selected = moved(self.list.selected, by.signum(), count);
        }
        outcome
    }
}

impl Numbers {
    fn press(&self, press: Press) -> Outcome {
        let digit = match press {
            Press::Char(c) => c.to_digit(10).map(|digit| digit as usize),
            _ => None,
        };
        let pane = digit.and_then(|digit| self.panes.get(digit.checked_sub(1)?));
        match pane.filter(|_| !self.command.is_empty()) {
            Some(pane) => Outcome::CloseAndRun(fill(&self.command, &pane.to_string())),
            None => Outcome::Close,
        }
    }
}

impl Palette {
    fn press(&mut self, press: Press, context: &Context<'_>) -> Outcome {
        if let Some((_, command)) = &self.asks {
            return match press {
                Press::Enter if self.input.is_empty() => Outcome::Close,
                Press::Enter => Outcome::CloseAndRun(fill(command, &self.input)),
                Press::Complete | Press::Move(_) => Outcome::None,
                press => self.edit(press),
            };
        }
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
            Press::Move(by) => self.selected = moved(self.selected, by, rows.len()),
            press => return self.edit(press),
        }
        Outcome::Redraw
    }

    /// What is typed.
    fn edit(&mut self, press: Press) -> Outcome {
        match press {
            Press::Escape => return Outcome::Close,
            Press::Enter | Press::Complete | Press::Move(_) | Press::First | Press::Last | Press::Other => {
                return Outcome::None;
            }
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
            Press::Erase => *self = Self { asks: self.asks.take(), ..Self::default() },
        }
        Outcome::Redraw
    }
}

impl Printed {
    fn press(&mut self, press: Press) -> Outcome {
        let last = self.lines.len().saturating_sub(1);
        self.scroll = match press {
            Press::Escape | Press::Enter | Press::Char('q') => return Outcome::Close,
            Press::First => 0,
            Press::Last => last,
            Press::Char(' ') => self.scroll.saturating_add_signed(PAGE).min(last),
            Press::Move(by) => self.scroll.saturating_add_signed(by).min(last),
            _ => return Outcome::None,
        };
        Outcome::Redraw
    }
}

impl Trust {
    /// Only letters answer: Enter is too easily pressed.
    fn press(&self, press: Press) -> Outcome {
        match press {
            Press::Char('t' | 'T') => Outcome::CloseAndRun(self.answer(&[])),
            Press::Char('h' | 'H') => Outcome::CloseAndRun(self.answer(&["--ask"])),
            Press::Char('q') | Press::Escape => Outcome::Close,
            _ => Outcome::None,
        }
    }

    fn answer(&self, how: &[&str]) -> Vec<String> {
        let dir = self.dir.to_string_lossy().into_owned();
        [words(&["trust"]), words(how), vec![dir, "--".to_owned()], self.command.clone()].concat()
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
