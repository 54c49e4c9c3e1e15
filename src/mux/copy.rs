//! Owns copy mode: a cursor that walks over a pane's text, what it selects and what it searches.
//!
//! It keeps no text of its own: every key is given the text as it is then, and whoever owns the text says when lines
//! went away at its top. Must not know: emulators, how anything is drawn, where a copy goes.
mod keys;
mod row;
mod search;
mod select;
#[cfg(test)]
mod tests;
mod things;
mod walk;

pub use keys::ModeKeys;
pub use row::{Lines, Pos, Row};
pub use search::{MAX_MATCHES, MAX_PATTERN, Pattern, Span, Tally};
pub use select::{Kind, MAX_COPY, Selection};

use super::keys::{Key, KeyCode, Mods};
use keys::{Command, command};
use select::Covered;
use std::ops::Range;
use walk::Walk;

/// Highest count: further than any history reaches, and the bound of what one key can cost.
pub const MAX_COUNT: usize = 99_999;

/// To a character of this line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Find {
    /// Towards the beginning.
    pub back: bool,
    /// Stop one character short.
    pub before: bool,
}

/// A way that the cursor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Motion {
    Left,
    Right,
    Up,
    Down,
    LineStart,
    LineEnd,
    /// The first character of the line that is no blank.
    Indentation,
    WordNext {
        big: bool,
    },
    WordBack {
        big: bool,
    },
    WordEnd {
        big: bool,
    },
    /// The oldest line, or the one that the count names.
    Top,
    /// The newest line, or the one that the count names.
    Bottom,
    ViewTop,
    ViewMiddle,
    ViewBottom,
    HalfUp,
    HalfDown,
    PageUp,
    PageDown,
    ScrollUp,
    ScrollDown,
    ParagraphBack,
    ParagraphNext,
    /// To where a prompt begins, or what somebody asked.
    Turn {
        back: bool,
    },
    Find(Find, char),
    FindAgain {
        opposite: bool,
    },
    SearchAgain {
        opposite: bool,
    },
}

/// What a key came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Copy mode goes on.
    Stay,
    /// It is over.
    Leave,
    /// It is over, and this text was copied.
    Copied {
        /// The text.
        text: String,
        /// It was longer than [`MAX_COPY`].
        cut: bool,
    },
}

/// A pattern being typed.
#[derive(Clone, Debug)]
struct Prompt {
    back: bool,
    text: String,
    /// Where the search began, and the line that stood on top.
    from: Pos,
    top: usize,
}

/// What was searched last.
#[derive(Clone, Debug)]
struct Searched {
    pattern: Pattern,
    back: bool,
    tally: Tally,
}

/// One client's copy mode over one pane.
#[derive(Clone, Debug)]
pub struct Copy {
    keys: ModeKeys,
    cursor: Pos,
    /// The column that going up and down aims at; the last one means the end of each line.
    goal: u16,
    top: usize,
    rows: usize,
    selection: Option<Selection>,
    count: usize,
    awaited: Option<Find>,
    found: Option<(Find, char)>,
    prompt: Option<Prompt>,
    searched: Option<Searched>,
    notice: Option<String>,
    numbers: bool,
}

impl Copy {
    /// Begins at `cursor`, with the last `rows` lines in view.
    pub fn new(keys: ModeKeys, lines: &dyn Lines, rows: u16, cursor: Pos) -> Self {
        let rows = usize::from(rows).max(1);
        let mut copy = Self {
            keys,
            cursor,
            goal: cursor.col,
            top: lines.count().saturating_sub(rows),
            rows,
            selection: None,
            count: 0,
            awaited: None,
            found: None,
            prompt: None,
            searched: None,
            notice: None,
            numbers: false,
        };
        copy.settle(lines);
        copy
    }

    /// Where the cursor stands.
    pub fn cursor(&self) -> Pos {
        self.cursor
    }

    /// The first line in view.
    pub fn top(&self) -> usize {
        self.top
    }

    /// What is selected.
    pub fn selection(&self) -> Option<Selection> {
        self.selection
    }

    /// The view reaches the newest line.
    pub fn at_bottom(&self, lines: &dyn Lines) -> bool {
        self.top + self.rows >= lines.count()
    }

    /// The pattern being typed, with the sign that began it.
    pub fn prompt(&self) -> Option<String> {
        let prompt = self.prompt.as_ref()?;
        Some(format!("{}{}", if prompt.back { '?' } else { '/' }, prompt.text))
    }

    /// How often the pattern is found, and the number of the match that was gone to.
    pub fn tally(&self) -> Option<Tally> {
        self.searched.as_ref().map(|searched| searched.tally)
    }

    /// What there is to say about the last key.
    pub fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    /// The oldest `lost` lines are gone: places stay with their text, or go to the top when it went too.
    pub fn lose(&mut self, lost: usize) {
        let places = [Some(&mut self.cursor), self.selection.as_mut().map(|s| &mut s.anchor)];
        let from = self.prompt.as_mut().map(|prompt| {
            prompt.top = prompt.top.saturating_sub(lost);
            &mut prompt.from
        });
        for pos in places.into_iter().flatten().chain(from) {
            match pos.line.checked_sub(lost) {
                Some(line) => pos.line = line,
                None => *pos = Pos::default(),
            }
        }
        self.top = self.top.saturating_sub(lost);
    }

    /// The text was set anew, for example for another width: what was selected is gone.
    pub fn rewrapped(&mut self, lines: &dyn Lines, rows: u16, below: usize) {
        self.rows = usize::from(rows).max(1);
        self.selection = None;
        self.prompt = None;
        let row = self.cursor.line.saturating_sub(self.top);
        self.top = lines.count().saturating_sub(self.rows).saturating_sub(below);
        self.cursor.line = self.top + row;
        self.settle(lines);
    }

    /// The columns of a line that are selected.
    pub fn selected(&self, line: usize, row: &Row) -> Option<Range<u16>> {
        let covered = self.covered()?;
        covered.lines().contains(&line).then(|| covered.cols(line, row))
    }

    /// The columns in view that match what is searched.
    pub fn matches(&self, lines: &dyn Lines) -> Vec<Span> {
        let shown = self.top..self.top + self.rows;
        self.searched.as_ref().map(|s| s.pattern.spans(lines, shown)).unwrap_or_default()
    }

    /// Scrolls without a key, as the wheel does; the cursor stays in view.
    pub fn scroll(&mut self, lines: &dyn Lines, up: bool, by: usize) {
        for _ in 0..by {
            self.step(if up { Motion::ScrollUp } else { Motion::ScrollDown }, lines);
        }
    }

    /// Types into the pattern that is asked for; false when none is.
    pub fn paste(&mut self, text: &str, lines: &dyn Lines) -> bool {
        let Some(prompt) = &mut self.prompt else { return false };
        prompt.text.extend(text.chars().filter(|c| !c.is_control()));
        self.typed(lines);
        true
    }

    /// Puts the cursor onto a place, or onto the text nearest to it.
    pub fn point(&mut self, pos: Pos, lines: &dyn Lines) {
        self.cursor = pos;
        self.settle(lines);
        self.goal = self.cursor.col;
        self.show(lines);
    }

    /// Selects from the cursor on, whatever was selected.
    pub fn select_here(&mut self) {
        self.selection = Some(Selection { anchor: self.cursor, kind: Kind::Chars });
    }

    /// What copying comes to now: leaving, when nothing is selected.
    pub fn copy(&self, lines: &dyn Lines) -> Outcome {
        match self.covered() {
            Some(covered) => copied(covered, lines),
            None => Outcome::Leave,
        }
    }

    /// Does what a key means.
    pub fn key(&mut self, key: &Key, lines: &dyn Lines) -> Outcome {
        self.settle(lines);
        self.notice = None;
        if self.prompt.is_some() {
            self.prompt_key(key, lines);
            return Outcome::Stay;
        }
        if let Some(find) = self.awaited.take() {
            if let Some(c) = key.typed() {
                self.go(Motion::Find(find, c), lines);
            }
            self.count = 0;
            return Outcome::Stay;
        }
        let command = command(self.keys, key, self.count > 0);
        let outcome = match command {
            Some(command) => self.carry_out(command, lines),
            None => Outcome::Stay,
        };
        if !matches!(command, Some(Command::Digit(_) | Command::Await(_))) {
            self.count = 0;
        }
        outcome
    }

    fn carry_out(&mut self, command: Command, lines: &dyn Lines) -> Outcome {
        match command {
            Command::Move(motion) => self.go(motion, lines),
            Command::Digit(digit) => self.count = (self.count * 10 + digit).min(MAX_COUNT),
            Command::Select(kind) => self.select(kind),
            Command::Anew => self.select_here(),
            Command::Rectangle => {
                let rectangle = self.selection.is_some_and(|s| s.kind == Kind::Rectangle);
                let kind = if rectangle { Kind::Chars } else { Kind::Rectangle };
                let anchor = self.selection.map_or(self.cursor, |s| s.anchor);
                self.selection = Some(Selection { anchor, kind });
            }
            Command::Swap => {
                if let Some(selection) = &mut self.selection {
                    std::mem::swap(&mut selection.anchor, &mut self.cursor);
                    self.goal = self.cursor.col;
                    self.show(lines);
                }
            }
            Command::Back => {
                if self.selection.take().is_none() {
                    return Outcome::Leave;
                }
            }
            Command::Leave => return Outcome::Leave,
            Command::Copy => return self.copy(lines),
            Command::CopyLines => {
                let last = (self.cursor.line + self.count.max(1) - 1).min(lines.count().saturating_sub(1));
                let selection = Selection { anchor: self.cursor, kind: Kind::Lines };
                let cursor = Pos { line: last, col: 0 };
                return copied(Covered { selection, cursor, inclusive: true }, lines);
            }
            Command::CopyToEnd => {
                let selection = Selection { anchor: self.cursor, kind: Kind::Chars };
                let cursor = Pos { col: u16::MAX, ..self.cursor };
                return copied(Covered { selection, cursor, inclusive: true }, lines);
            }
            Command::Search { back } => {
                self.prompt = Some(Prompt { back, text: String::new(), from: self.cursor, top: self.top });
            }
            Command::SearchWord { back } => self.search_word(back, lines),
            Command::Link => self.select_link(lines),
            Command::Numbers => self.numbers = !self.numbers,
            Command::Await(find) => self.awaited = Some(find),
        }
        Outcome::Stay
    }

    fn covered(&self) -> Option<Covered> {
        let inclusive = self.keys == ModeKeys::Vi;
        Some(Covered { selection: self.selection?, cursor: self.cursor, inclusive })
    }

    fn select(&mut self, kind: Kind) {
        self.selection = match self.selection {
            Some(selection) if selection.kind == kind => None,
            Some(selection) => Some(Selection { kind, ..selection }),
            None => Some(Selection { anchor: self.cursor, kind }),
        };
    }

    /// Goes a way as often as was counted.
    pub fn go(&mut self, motion: Motion, lines: &dyn Lines) {
        let count = self.count;
        match motion {
            Motion::Top | Motion::Bottom if count > 0 => {
                self.cursor.line = (count - 1).min(lines.count().saturating_sub(1));
                self.column(self.goal, lines);
            }
            Motion::ViewTop => self.cursor.line = self.top + count.saturating_sub(1).min(self.rows - 1),
            Motion::ViewBottom => {
                let last = (self.top + self.rows).min(lines.count()).saturating_sub(1);
                self.cursor.line = last.saturating_sub(count.saturating_sub(1)).max(self.top);
            }
            motion => {
                for _ in 0..count.max(1) {
                    let before = (self.cursor, self.top);
                    self.step(motion, lines);
                    // What leads nowhere once leads nowhere again.
                    if (self.cursor, self.top) == before {
                        break;
                    }
                }
            }
        }
        self.settle(lines);
        self.show(lines);
    }

    fn step(&mut self, motion: Motion, lines: &dyn Lines) {
        let last = lines.count().saturating_sub(1);
        let half = (self.rows / 2).max(1);
        // As tmux, two lines of the page before stay in view.
        let page = self.rows.saturating_sub(2).max(1);
        match motion {
            Motion::Up => self.vertical(self.cursor.line.saturating_sub(1), lines),
            Motion::Down => self.vertical((self.cursor.line + 1).min(last), lines),
            Motion::HalfUp => self.leap(true, half, lines),
            Motion::HalfDown => self.leap(false, half, lines),
            Motion::PageUp => self.leap(true, page, lines),
            Motion::PageDown => self.leap(false, page, lines),
            Motion::ScrollUp | Motion::ScrollDown => {
                let most = lines.count().saturating_sub(self.rows);
                self.top = match motion {
                    Motion::ScrollUp => self.top.saturating_sub(1),
                    _ => (self.top + 1).min(most),
                };
                self.vertical(self.cursor.line.clamp(self.top, self.top + self.rows - 1), lines);
            }
            Motion::Top => self.vertical(0, lines),
            Motion::Bottom => self.vertical(last, lines),
            Motion::ViewTop | Motion::ViewBottom => {}
            Motion::ViewMiddle => self.vertical((self.top + (self.rows - 1) / 2).min(last), lines),
            Motion::Turn { back } => self.turn(back, lines),
            Motion::ParagraphBack => self.paragraph(lines, |line| line.checked_sub(1)),
            Motion::ParagraphNext => self.paragraph(lines, |line| (line < last).then_some(line + 1)),
            Motion::FindAgain { opposite } => {
                if let Some((find, c)) = self.found {
                    self.find(Find { back: find.back != opposite, ..find }, c, lines);
                }
            }
            Motion::Find(find, c) => {
                self.found = Some((find, c));
                self.find(find, c, lines);
            }
            Motion::SearchAgain { opposite } => self.search_again(opposite, lines),
            motion => self.horizontal(motion, lines),
        }
    }

    /// Moves that set the column anew.
    fn horizontal(&mut self, motion: Motion, lines: &dyn Lines) {
        let mut row = Row::default();
        lines.read(self.cursor.line, &mut row);
        let at = row.at(self.cursor.col);
        let mut walk = Walk::new(lines, self.cursor);
        match motion {
            Motion::Left => {
                self.cursor.col = match self.cursor.col.checked_sub(1) {
                    Some(col) if self.cursor.col >= row.end() => row.cols(row.at(col)).start,
                    Some(_) => row.cols(at.saturating_sub(1)).start,
                    None => 0,
                }
            }
            Motion::Right => self.cursor.col = row.cols(at).end,
            Motion::LineStart => self.cursor.col = 0,
            Motion::LineEnd => self.cursor.col = row.end(),
            Motion::Indentation => {
                let first = (0..row.len()).find(|at| !row.char(*at).is_whitespace());
                self.cursor.col = first.map_or(0, |at| row.cols(at).start);
            }
            Motion::WordNext { big } => walk.word_next(big),
            Motion::WordBack { big } => walk.word_back(big),
            Motion::WordEnd { big } => walk.word_end(big),
            _ => {}
        }
        if matches!(motion, Motion::WordNext { .. } | Motion::WordBack { .. } | Motion::WordEnd { .. }) {
            self.cursor = walk.pos();
        }
        self.settle(lines);
        self.goal = if motion == Motion::LineEnd { u16::MAX } else { self.cursor.col };
        self.show(lines);
    }

    fn vertical(&mut self, line: usize, lines: &dyn Lines) {
        self.cursor.line = line;
        self.column(self.goal, lines);
        self.show(lines);
    }

    /// View and cursor together.
    fn leap(&mut self, up: bool, by: usize, lines: &dyn Lines) {
        let (last, most) = (lines.count().saturating_sub(1), lines.count().saturating_sub(self.rows));
        let line = if up {
            self.top = self.top.saturating_sub(by);
            self.cursor.line.saturating_sub(by)
        } else {
            self.top = (self.top + by).min(most);
            (self.cursor.line + by).min(last)
        };
        self.vertical(line, lines);
    }

    /// To the next empty line behind text that way, or to the text's end.
    fn paragraph(&mut self, lines: &dyn Lines, next: impl Fn(usize) -> Option<usize>) {
        let mut row = Row::default();
        let mut in_text = false;
        let mut line = self.cursor.line;
        while let Some(at) = next(line) {
            line = at;
            lines.read(line, &mut row);
            if row.is_empty() && in_text {
                break;
            }
            in_text |= !row.is_empty();
        }
        self.cursor = Pos { line, col: 0 };
        self.goal = 0;
        self.show(lines);
    }

    fn find(&mut self, find: Find, c: char, lines: &dyn Lines) {
        let mut row = Row::default();
        lines.read(self.cursor.line, &mut row);
        let at = row.at(self.cursor.col);
        // Stopping one short of it, the character beside the cursor is the one that stands there already.
        let skip = 1 + usize::from(find.before);
        let hit = if find.back {
            (0..(at + 1).saturating_sub(skip)).rev().find(|at| row.char(*at) == c)
        } else {
            (at + skip..row.len()).find(|at| row.char(*at) == c)
        };
        if let Some(hit) = hit {
            let to = match (find.before, find.back) {
                (false, _) => hit,
                (true, true) => hit + 1,
                (true, false) => hit - 1,
            };
            self.cursor.col = row.cols(to).start;
            self.goal = self.cursor.col;
        }
    }

    fn search_again(&mut self, opposite: bool, lines: &dyn Lines) {
        let Some(searched) = &mut self.searched else {
            self.notice = Some("nothing was searched yet".into());
            return;
        };
        match searched.pattern.find(lines, self.cursor, searched.back != opposite) {
            Some((pos, tally)) => {
                searched.tally = tally;
                self.cursor = pos;
                self.goal = pos.col;
                self.show(lines);
            }
            None => {
                searched.tally = Tally::default();
                self.notice = Some(format!("{} is not there", searched.pattern.text()));
            }
        }
    }

    fn prompt_key(&mut self, key: &Key, lines: &dyn Lines) {
        let Some(prompt) = &mut self.prompt else { return };
        match key.code {
            KeyCode::Enter => {
                let empty = prompt.text.is_empty();
                let back = prompt.back;
                self.prompt = None;
                match &mut self.searched {
                    Some(searched) if empty => {
                        searched.back = back;
                        self.search_again(false, lines);
                    }
                    // While it is typed the tally says so.
                    Some(searched) if searched.tally.of == 0 => {
                        self.notice = Some(format!("{} is not there", searched.pattern.text()));
                    }
                    _ => {}
                }
                return;
            }
            KeyCode::Escape => return self.give_up(lines),
            KeyCode::Backspace if prompt.text.is_empty() => return self.give_up(lines),
            KeyCode::Backspace => drop(prompt.text.pop()),
            KeyCode::Char('c' | 'g') if key.mods == Mods::CTRL => return self.give_up(lines),
            KeyCode::Char('u') if key.mods == Mods::CTRL => prompt.text.clear(),
            KeyCode::Char('w') if key.mods == Mods::CTRL => {
                let kept = prompt.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                prompt.text.truncate(kept);
            }
            _ => match key.typed() {
                Some(c) => prompt.text.push(c),
                None => return,
            },
        }
        self.typed(lines);
    }

    /// The search was given up: everything is where it was.
    fn give_up(&mut self, lines: &dyn Lines) {
        let Some(prompt) = self.prompt.take() else { return };
        (self.cursor, self.top) = (prompt.from, prompt.top);
        self.goal = self.cursor.col;
        self.settle(lines);
    }

    /// The pattern changed: the nearest match from where the search began is gone to while it is typed.
    fn typed(&mut self, lines: &dyn Lines) {
        let Some(prompt) = &mut self.prompt else { return };
        if let Some((cut, _)) = prompt.text.char_indices().nth(MAX_PATTERN) {
            prompt.text.truncate(cut);
        }
        let (from, top, back) = (prompt.from, prompt.top, prompt.back);
        let Some(pattern) = Pattern::new(&prompt.text) else {
            (self.cursor, self.top) = (from, top);
            return;
        };
        match pattern.find(lines, from, back) {
            Some((pos, tally)) => {
                self.searched = Some(Searched { pattern, back, tally });
                self.cursor = pos;
                self.goal = pos.col;
            }
            None => {
                self.searched = Some(Searched { pattern, back, tally: Tally::default() });
                (self.cursor, self.top) = (from, top);
            }
        }
        self.show(lines);
    }

    /// Puts the cursor onto a character of the text, and the view over the text.
    fn settle(&mut self, lines: &dyn Lines) {
        let count = lines.count();
        self.cursor.line = self.cursor.line.min(count.saturating_sub(1));
        if let Some(selection) = &mut self.selection {
            selection.anchor.line = selection.anchor.line.min(count.saturating_sub(1));
        }
        self.top = self.top.min(count.saturating_sub(self.rows));
        self.column(self.cursor.col, lines);
    }

    /// The character of the cursor's line that stands at a column, or the last one.
    fn column(&mut self, col: u16, lines: &dyn Lines) {
        let mut row = Row::default();
        lines.read(self.cursor.line, &mut row);
        // emacs's cursor may stand behind the text, since what is under it is not selected.
        self.cursor.col = match self.keys {
            ModeKeys::Emacs if col >= row.end() => row.end(),
            _ if row.is_empty() => 0,
            _ => row.cols(row.at(col)).start,
        };
    }

    /// Scrolls as little as brings the cursor into view.
    fn show(&mut self, lines: &dyn Lines) {
        let line = self.cursor.line;
        self.top = self.top.clamp((line + 1).saturating_sub(self.rows), line);
        self.top = self.top.min(lines.count().saturating_sub(self.rows));
    }
}

fn copied(covered: Covered, lines: &dyn Lines) -> Outcome {
    let (text, cut) = covered.text(lines);
    Outcome::Copied { text, cut }
}
