//! Owns reading a pane line by line for copy mode, and knowing a line again while output moves it up.
use super::Emulator;
use crate::mux::copy::{Lines, Row};
use alacritty_terminal::{
    grid::Dimensions as _,
    index::{Column, Line},
    term::cell::{Cell, Flags},
};

/// A line of history by which later lines are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// Where the core keeps the line, and its text: the core uses the memory of lines that went out again.
    line: Option<(usize, usize, String)>,
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
    /// The core's number of a line that is counted from the top of history.
    fn core_line(&self, line: usize) -> Option<Line> {
        let history = i32::try_from(self.history_len()).ok()?;
        (line < self.count()).then(|| i32::try_from(line).ok().map(|line| Line(line - history)))?
    }

    /// Where the core keeps a line; the same as long as that line exists.
    fn address(&self, line: usize) -> Option<usize> {
        let row = &self.screen.term.grid()[self.core_line(line)?];
        Some(std::ptr::from_ref(&row[Column(0)]).addr())
    }

    fn text_of(&self, line: usize) -> String {
        let mut row = Row::default();
        self.read(line, &mut row);
        row.text().to_owned()
    }

    /// Remembers the newest line of history, which only moves up from now on.
    pub fn anchor(&self) -> Anchor {
        let newest = self.history_len().checked_sub(1);
        let line = newest.and_then(|line| Some((line, self.address(line)?, self.text_of(line))));
        Anchor { line, size: self.size(), alt_screen: self.modes().alt_screen }
    }

    /// What happened to the lines since then.
    pub fn moved_since(&self, anchor: &Anchor) -> Moved {
        if self.modes().alt_screen != anchor.alt_screen {
            return Moved::Swapped;
        }
        if self.size() != anchor.size {
            return Moved::Rewrapped;
        }
        let Some((was, address, text)) = &anchor.line else { return Moved::Lost(0) };
        // Output moves it up only; it is looked for from where it stood.
        let is_it = |line: &usize| self.address(*line) == Some(*address) && self.text_of(*line) == *text;
        match (0..=*was).rev().filter(|line| *line < self.history_len()).find(is_it) {
            Some(line) => Moved::Lost(was - line),
            None => Moved::Gone,
        }
    }
}

impl Lines for Emulator {
    fn count(&self) -> usize {
        self.history_len() + self.screen.term.screen_lines()
    }

    fn read(&self, line: usize, row: &mut Row) {
        row.clear();
        let Some(at) = self.core_line(line) else { return };
        let cells = &self.screen.term.grid()[at][Column(0)..];
        let wrapped = self.wrapped(line);
        // Most lines are short: what would be trimmed is not read, so that searching a long history stays quick.
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

    fn wrapped(&self, line: usize) -> bool {
        let grid = self.screen.term.grid();
        self.core_line(line)
            .filter(|_| line + 1 < self.count())
            .is_some_and(|at| grid[at][Column(grid.columns() - 1)].flags.contains(Flags::WRAPLINE))
    }
}
