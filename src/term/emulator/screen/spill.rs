//! The way of rows between the core and the packed history. The core has no word on rows that leave it: it keeps a few
//! screens of them, and they are taken out before it would drop one.
use super::{Screen, Size};
use crate::term::emulator::history::Row as PackedRow;
use alacritty_terminal::{
    grid::{Dimensions as _, GridCell as _, Row},
    index::{Column, Line},
    term::{
        TermMode,
        cell::{Cell, Flags},
    },
};

/// Rows of history that wait in the core to be taken out together.
const BATCH: usize = 64;

/// Rows of history that the core may hold while it wraps everything anew; memory is taken only for those there are.
const UNLIMITED: usize = 1 << 20;

/// Rows that are put back into the core at most, so that they can be wrapped anew and come down into a screen that grew.
const MAX_REFILL: usize = 8192;

impl Screen {
    /// Takes rows out when a batch is there. One step of the core moves up no more rows than the screen has, and for
    /// these there is room beside a batch.
    #[inline]
    pub(super) fn spill(&mut self) {
        let waiting = self.term.history_size();
        if waiting >= BATCH {
            self.drain();
        } else if waiting > 0 && !self.settled {
            self.settle();
        }
    }

    fn keeps_all(&self) -> bool {
        #[cfg(test)]
        return self.all_in_core;
        #[cfg(not(test))]
        false
    }

    fn room(&self) -> usize {
        BATCH + self.term.screen_lines()
    }

    fn drain(&mut self) {
        if self.keeps_all() || self.mode().contains(TermMode::ALT_SCREEN) {
            return;
        }
        let size = i32::try_from(self.term.history_size()).unwrap_or(0);
        for line in -size..0 {
            let prompt = self.take_prompt();
            let row = &self.term.grid()[Line(line)];
            self.packed.push(&row[..], wraps(row));
            if prompt {
                self.packed.mark_prompt();
            }
        }
        self.limit_core(0);
        self.limit_core(self.room());
    }

    /// Begins with a core that has no history yet.
    pub(super) fn limit(&mut self) {
        self.limit_core(self.room());
    }

    fn limit_core(&mut self, rows: usize) {
        self.term.grid_mut().update_history(rows);
    }

    /// Sees to it that the core has memory for the rows that it may hold and for no more: it takes a thousand rows when
    /// it first needs one.
    fn settle(&mut self) {
        if self.keeps_all() || self.mode().contains(TermMode::ALT_SCREEN) {
            return;
        }
        self.settled = true;
        self.drain();
        let room = self.room();
        self.make_room(room);
        let grid = self.term.grid_mut();
        grid.truncate();
        self.limit_core(0);
        self.limit_core(room);
    }

    /// Puts so many blank rows over the history that the core has.
    fn make_room(&mut self, rows: usize) {
        let below = self.term.history_size() + self.term.screen_lines();
        let all = Line(0)..Line(number(self.term.screen_lines()));
        let history = self.term.history_size() + rows;
        let last = self.term.bottommost_line().0;
        let grid = self.term.grid_mut();
        grid.update_history(history);
        // Everything moves up so far; then it is put back to where it stood.
        grid.scroll_up(&all, rows);
        for line in (0..number(below)).map(|back| last - back) {
            let row = std::mem::replace(&mut grid[Line(line - number(rows))], Row::from_vec(Vec::new(), 0));
            grid[Line(line)] = row;
        }
        let columns = grid.columns();
        for line in 0..number(rows) {
            grid[Line(line - number(history))] = Row::new(columns);
        }
    }

    /// Puts packed rows back into the core until it has so many.
    fn refill(&mut self, wanted: usize) {
        if self.keeps_all() {
            return;
        }
        let mut lines: Vec<Vec<PackedRow>> = Vec::new();
        let mut count = 0;
        let missing = wanted.min(MAX_REFILL).saturating_sub(self.term.history_size());
        // A line that goes on in the core comes back whatever is wanted, to be wrapped anew together with its rest.
        while (count < missing || self.packed.is_open()) && count < MAX_REFILL && !self.packed.is_cut() {
            let Some(line) = self.packed.pop() else { break };
            count += line.len();
            lines.push(line);
        }
        if count == 0 {
            return;
        }
        self.make_room(count);
        let top = -number(self.term.history_size());
        let columns = self.term.columns();
        for (line, row) in (top..).zip(lines.into_iter().rev().flatten()) {
            let PackedRow { mut cells, wrapped, prompt } = row;
            let used = cells.len();
            cells.resize_with(columns, Cell::default);
            if wrapped && let Some(last) = cells.last_mut() {
                // Where a wide character found no room in the last column, the core wants to know.
                if used < columns {
                    last.flags.insert(Flags::LEADING_WIDE_CHAR_SPACER);
                }
                last.flags.insert(Flags::WRAPLINE);
            }
            self.term.grid_mut()[Line(line)] = Row::from_vec(cells, columns);
            if prompt {
                self.put_back_prompt(line);
            }
        }
    }

    /// Changes the size; what lies in history is wrapped anew with it, and comes down into a screen that grew.
    pub fn resize(&mut self, size: Size) {
        let (cols, rows) = (self.term.columns(), self.term.screen_lines());
        let prompts = self.on_main(|screen| {
            screen.drain();
            // A screen that was wider takes several of these rows for one of its own.
            let wider =
                if size.cols > cols { size.rows.max(rows) * size.cols.div_ceil(cols) + BATCH } else { 0 };
            screen.refill(wider);
            screen.limit_core(UNLIMITED);
            let above = screen.prompts_above();
            screen.prompts.clear();
            above
        });
        if size.cols < cols {
            self.narrow(Size { cols: size.cols, rows });
            self.packed.set_width(size.cols);
        }
        if size.rows > rows && size.cols <= cols {
            self.on_main(|screen| {
                screen.refill(size.rows);
                screen.limit_core(UNLIMITED);
            });
        }
        self.term.resize(size);
        self.region = (0, size.rows);
        self.margins = None;
        self.packed.set_width(size.cols);
        self.on_main(|screen| {
            screen.mark_above(&prompts);
            screen.drain();
            screen.settled = false;
        });
    }

    /// Does something with the main screen, also while the other one is shown. The core has no way to a screen that is
    /// not shown, and blanks the other one when it comes back.
    fn on_main<T>(&mut self, then: impl FnOnce(&mut Self) -> T) -> T {
        if !self.mode().contains(TermMode::ALT_SCREEN) {
            return then(self);
        }
        let other = self.term.grid().clone();
        self.term.swap_alt();
        let result = then(self);
        self.term.swap_alt();
        *self.term.grid_mut() = other;
        result
    }

    /// Takes columns away. The core moves what wraps into more rows up into history even while the rows below the
    /// cursor are blank; those are used up first.
    fn narrow(&mut self, size: Size) {
        let before = self.term.history_size();
        self.term.resize(size);
        let grid = self.term.grid();
        let below = grid.cursor.point.line.0 + 1..number(size.rows);
        let blank = below
            .rev()
            .take_while(|line| grid[Line(*line)][Column(0)..].iter().all(|cell| cell.is_empty()))
            .count();
        let back = blank.min(self.term.history_size().saturating_sub(before));
        if back > 0 && !self.mode().contains(TermMode::ALT_SCREEN) {
            self.term.resize(Size { rows: size.rows + back, ..size });
            self.term.resize(size);
        }
    }

    pub(super) fn is_blank(&self) -> bool {
        let grid = self.term.grid();
        (0..number(self.term.screen_lines()))
            .all(|line| grid[Line(line)][Column(0)..].iter().all(|cell| cell.is_empty()))
    }

    /// Forgets all history, as ED 3 and a reset do.
    pub(super) fn forget(&mut self) {
        if !self.mode().contains(TermMode::ALT_SCREEN) {
            self.forget_prompts();
            self.packed.clear();
            self.forgotten += 1;
        }
    }

    /// Lines above the screen that can be read: those of the limit. The other screen has none.
    pub fn history(&self) -> usize {
        if self.mode().contains(TermMode::ALT_SCREEN) {
            return 0;
        }
        (self.packed.rows() + self.term.history_size()).min(self.packed.limit())
    }

    /// Lines that are kept beyond the limit, because they go many at a time.
    fn hidden(&self) -> usize {
        self.packed.rows() + self.term.history_size() - self.history()
    }

    /// The number of the oldest line that can be read, counted since the beginning.
    pub fn oldest(&self) -> u64 {
        self.packed.gone() + self.hidden() as u64
    }

    /// Where a line lies, counted from the oldest that can be read: in the packed history, or in the core.
    pub fn place(&self, line: usize) -> Option<Place> {
        if self.mode().contains(TermMode::ALT_SCREEN) {
            return (line < self.term.screen_lines()).then(|| Place::Core(Line(number(line))));
        }
        let at = line + self.hidden();
        if at < self.packed.rows() {
            return Some(Place::Packed(at));
        }
        let at = number(at - self.packed.rows()) - number(self.term.history_size());
        (at < number(self.term.screen_lines())).then_some(Place::Core(Line(at)))
    }
}

/// Where a line lies.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Packed(usize),
    Core(Line),
}

/// Whether the row behind goes on with this one.
pub fn wraps(row: &Row<Cell>) -> bool {
    row.last().is_some_and(|cell| cell.flags.contains(Flags::WRAPLINE))
}

fn number(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}
