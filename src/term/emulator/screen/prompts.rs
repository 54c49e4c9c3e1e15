//! Which rows a shell's prompts begin in (OSC 133), so that copy mode can jump between them.
use super::{Place, Screen, wraps};
use alacritty_terminal::{grid::Dimensions as _, index::Line, term::TermMode};

/// Prompts of the rows that the core has: more than rows on any screen. Those of packed lines are kept with the lines.
const MAX_PROMPTS: usize = 1024;

impl Screen {
    /// The number of one of the core's rows, counted since the beginning.
    fn number_of(&self, line: i32) -> u64 {
        let above = self.packed.gone() + self.packed.rows() as u64 + self.term.history_size() as u64;
        above.saturating_add_signed(line.into())
    }

    /// A prompt begins where the cursor is.
    pub fn mark_prompt(&mut self) {
        if !self.mode().contains(TermMode::ALT_SCREEN) {
            let number = self.number_of(self.term.grid().cursor.point.line.0);
            self.note_prompt(number);
        }
    }

    fn note_prompt(&mut self, number: u64) {
        if self.prompts.len() >= MAX_PROMPTS {
            self.prompts.pop_first();
        }
        self.prompts.insert(number);
    }

    /// A prompt begins in a row that was put back into the core.
    pub(super) fn put_back_prompt(&mut self, line: i32) {
        let number = self.number_of(line);
        self.note_prompt(number);
    }

    /// Whether a prompt begins in a row that is about to leave the core, the first one that is not packed.
    pub(super) fn take_prompt(&mut self) -> bool {
        let number = self.packed.gone() + self.packed.rows() as u64;
        self.prompts.remove(&number)
    }

    /// Whether a prompt begins in a line, counted from the oldest that can be read.
    pub fn is_prompt(&self, line: usize) -> bool {
        match self.place(line) {
            Some(Place::Packed(at)) => self.packed.is_prompt(at),
            Some(Place::Core(at)) => {
                !self.mode().contains(TermMode::ALT_SCREEN) && self.prompts.contains(&self.number_of(at.0))
            }
            None => false,
        }
    }

    /// Those of the screen, and the history if it was forgotten with all its prompts.
    pub(super) fn forget_prompts(&mut self) {
        let first = self.number_of(0);
        self.prompts.retain(|number| *number >= first);
    }

    /// The core's rows from the cursor's up, of those that begin a line.
    fn beginnings(&self) -> Vec<i32> {
        let grid = self.term.grid();
        let top = -i32::try_from(self.term.history_size()).unwrap_or(0);
        let begins = |line: &i32| *line == top || !wraps(&grid[Line(*line - 1)]);
        (top..=grid.cursor.point.line.0).rev().filter(begins).collect()
    }

    /// How many lines each prompt is above the cursor's, which stays the same however they are wrapped.
    pub(super) fn prompts_above(&self) -> Vec<usize> {
        let marked = |line: i32| self.prompts.contains(&self.number_of(line));
        (0..).zip(self.beginnings()).filter(|(_, line)| marked(*line)).map(|(above, _)| above).collect()
    }

    /// Marks the lines that are so many above the cursor's.
    pub(super) fn mark_above(&mut self, above: &[usize]) {
        let lines = self.beginnings();
        for line in above.iter().filter_map(|above| lines.get(*above)) {
            self.put_back_prompt(*line);
        }
    }
}
