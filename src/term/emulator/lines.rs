//! Owns reading a pane line by line for copy mode, and knowing a line again while output moves it up.
use super::{
    Emulator,
    screen::{Place, wraps},
};
use crate::mux::copy::{Lines, Row};
use alacritty_terminal::{
    grid::Dimensions as _,
    term::cell::{Cell, Flags},
};
use std::borrow::Cow;

/// A place in time by which later lines are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// The number of the oldest line, and how often all of them were forgotten.
    oldest: u64,
    forgotten: u64,
    size: (u16, u16),
    alt_screen: bool,
}

/// What became of a line since it was anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// So many lines went out of history at its top.
    Lost(usize),
    /// Everything that stood in history is gone.
    Gone,
    /// The size changed, so lines were wrapped anew.
    Rewrapped,
    /// The program changed to its other screen, or back.
    Swapped,
}

impl Emulator {
    /// The cells of a line that is counted from the top of history, without the blanks at its end when it is packed;
    /// and whether the next line goes on with it.
    pub(super) fn cells(&self, line: usize) -> (Cow<'_, [Cell]>, bool) {
        match self.screen.place(line) {
            Some(Place::Core(at)) => {
                let row = &self.screen.term.grid()[at];
                (Cow::Borrowed(&row[..]), wraps(row))
            }
            Some(Place::Packed(at)) => {
                let row = self.screen.packed.row(at).unwrap_or_default();
                (Cow::Owned(row.cells), row.wrapped)
            }
            None => (Cow::Borrowed(&[]), false),
        }
    }

    /// Remembers how lines are numbered now.
    pub fn anchor(&self) -> Anchor {
        Anchor {
            oldest: self.screen.oldest(),
            forgotten: self.screen.forgotten,
            size: self.size(),
            alt_screen: self.modes().alt_screen,
        }
    }

    /// What happened to the lines since then.
    pub fn moved_since(&self, anchor: &Anchor) -> Moved {
        let now = self.anchor();
        match () {
            () if now.alt_screen != anchor.alt_screen => Moved::Swapped,
            () if now.size != anchor.size => Moved::Rewrapped,
            () if now.forgotten != anchor.forgotten => Moved::Gone,
            () => {
                Moved::Lost(usize::try_from(now.oldest.saturating_sub(anchor.oldest)).unwrap_or(usize::MAX))
            }
        }
    }
}

impl Lines for Emulator {
    fn count(&self) -> usize {
        self.history_len() + self.screen.term.screen_lines()
    }

    fn read(&self, line: usize, row: &mut Row) {
        row.clear();
        let cells = match self.screen.place(line) {
            Some(Place::Packed(at)) => {
                let mut col = 0;
                let wrapped = self.screen.packed.read(at, |c, marks, width| {
                    let width = if width == 2 { 2 } else { 1 };
                    row.push(if c < ' ' { ' ' } else { c }, col, width);
                    marks.chars().for_each(|mark| row.mark(mark));
                    col = col.saturating_add(width);
                });
                if !wrapped {
                    row.trim();
                }
                return;
            }
            Some(Place::Core(at)) => &self.screen.term.grid()[at][..],
            None => return,
        };
        let wrapped = self.wrapped(line);
        // Most lines are short: what would be trimmed is not read.
        let shows = |cell: &Cell| cell.c > ' ' || cell.extra.is_some();
        let len = if wrapped { cells.len() } else { cells.iter().rposition(shows).map_or(0, |at| at + 1) };
        for (col, cell) in (0..).zip(&cells[..len]) {
            if cell.flags.intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER) {
                continue;
            }
            // The core marks where a tab stood; the columns it jumped are blanks of their own.
            let c = if cell.c < ' ' { ' ' } else { cell.c };
            row.push(c, col, if cell.flags.contains(Flags::WIDE_CHAR) { 2 } else { 1 });
            cell.zerowidth().into_iter().flatten().for_each(|mark| row.mark(*mark));
        }
        if !wrapped {
            row.trim();
        }
    }

    fn text(&self, line: usize, text: &mut String) -> bool {
        match self.screen.place(line) {
            // A tab is one blank of those that it jumped over, as in a row.
            Some(Place::Packed(at)) => {
                let begin = text.len();
                let wrapped = self.screen.packed.text(at, text);
                if text[begin..].contains('\t') {
                    let blanks = text[begin..].replace('\t', " ");
                    text.replace_range(begin.., &blanks);
                }
                wrapped && line + 1 < self.count()
            }
            _ => {
                let mut row = Row::default();
                self.read(line, &mut row);
                text.push_str(row.text());
                self.wrapped(line)
            }
        }
    }

    fn begins_turn(&self, line: usize) -> bool {
        self.screen.is_prompt(line)
    }

    fn wrapped(&self, line: usize) -> bool {
        line + 1 < self.count()
            && match self.screen.place(line) {
                Some(Place::Packed(at)) => self.screen.packed.wrapped(at),
                Some(Place::Core(at)) => wraps(&self.screen.term.grid()[at]),
                None => false,
            }
    }
}
