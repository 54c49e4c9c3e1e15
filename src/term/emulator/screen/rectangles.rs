//! Rectangles and columns of the screen, and what selective erasing leaves alone (VT420, "Rectangular Area Operations").
use super::{Screen, margins::Margins};
use crate::term::scanner::Csi;
use alacritty_terminal::{
    grid::Dimensions as _,
    index::{Column, Line},
    term::{
        TermMode,
        cell::{Cell, Flags},
    },
};
use std::ops::Range;

/// The core's flags have this bit free: selective erasing leaves the cell alone.
pub const PROTECTED: Flags = Flags::from_bits_retain(0x8000);

/// Rows and columns of the screen, from 0.
#[derive(Clone, Debug)]
pub struct Area {
    rows: Range<usize>,
    cols: Range<usize>,
}

impl Screen {
    /// The rectangle that four parameters name, from `first` on: top, left, bottom, right, from 1 and inclusive,
    /// within the region in origin mode. Empty when they name none.
    pub fn area(&self, csi: &Csi, first: usize) -> Area {
        let (rows, cols) = (self.term.screen_lines(), self.term.columns());
        let within = if self.mode().contains(TermMode::ORIGIN) { self.region } else { (0, rows) };
        let begin = |param: u16| usize::from(param).saturating_sub(1);
        let end = |param: u16, most: usize| match usize::from(param) {
            0 => most,
            n => n.min(most),
        };
        // In origin mode columns are counted from the left margin, and none lies beyond the right one.
        let across = match self.mode().contains(TermMode::ORIGIN) {
            true => self.sides(),
            false => Margins { left: 0, end: cols },
        };
        let top = (within.0 + begin(csi.param(first))).min(within.1);
        let bottom = within.0 + end(csi.param(first + 2), within.1 - within.0);
        let left = (across.left + begin(csi.param(first + 1))).min(across.end);
        let right = across.left + end(csi.param(first + 3), across.end - across.left);
        Area { rows: top..bottom.max(top), cols: left..right.max(left) }
    }

    pub(super) fn row_mut(&mut self, row: usize) -> &mut [Cell] {
        &mut self.term.grid_mut()[Line(i32::try_from(row).unwrap_or(0))][Column(0)..]
    }

    /// Writes over the cells of an area. Halves of wide characters that are left over at its edges become blanks.
    fn rewrite(&mut self, area: &Area, mut with: impl FnMut(&mut Cell)) {
        for row in area.rows.clone() {
            let cells = self.row_mut(row);
            part(cells, area.cols.start);
            part(cells, area.cols.end);
            cells[area.cols.clone()].iter_mut().for_each(&mut with);
        }
        self.all_changed = true;
    }

    /// DECFRA: fills with a character that has the current rendition.
    pub fn fill(&mut self, area: Area, c: char) {
        let cell = Cell { c, ..self.term.grid().cursor.template.clone() };
        self.rewrite(&area, |old| old.clone_from(&cell));
    }

    /// DECERA, and DECSERA when only unprotected cells are meant.
    pub fn erase(&mut self, area: Area, selective: bool) {
        let blank: Cell = self.term.grid().cursor.template.bg.into();
        self.rewrite(&area, |cell| match selective {
            // Selective erasing leaves the rendition.
            true if cell.flags.contains(PROTECTED) => {}
            true => {
                cell.c = ' ';
                cell.extra = None;
            }
            false => cell.clone_from(&blank),
        });
    }

    /// DECCRA: copies to the place whose row and column, from 1, are given.
    pub fn copy(&mut self, from: Area, row: u16, col: u16) {
        let (rows, cols) = (self.term.screen_lines(), self.term.columns());
        let offset = if self.mode().contains(TermMode::ORIGIN) { self.region.0 } else { 0 };
        let (row, col) =
            (offset + usize::from(row.max(1)) - 1, self.first_column() + usize::from(col.max(1)) - 1);
        let height = from.rows.len().min(rows.saturating_sub(row));
        let width = from.cols.len().min(cols.saturating_sub(col));
        if height == 0 || width == 0 {
            return;
        }
        let mut taken: Vec<Vec<Cell>> = Vec::with_capacity(height);
        for row in from.rows.clone().take(height) {
            let mut cells = self.row_mut(row)[from.cols.start..from.cols.start + width].to_vec();
            // What was cut through is no whole character any more.
            if let Some(first) = cells.first_mut().filter(|cell| cell.flags.contains(Flags::WIDE_CHAR_SPACER))
            {
                first.flags.remove(Flags::WIDE_CHAR_SPACER);
            }
            if let Some(last) = cells.last_mut().filter(|cell| cell.flags.contains(Flags::WIDE_CHAR)) {
                last.flags.remove(Flags::WIDE_CHAR);
                last.c = ' ';
            }
            cells.iter_mut().for_each(|cell| cell.flags.remove(Flags::WRAPLINE));
            taken.push(cells);
        }
        for (row, cells) in (row..).zip(taken) {
            let target = Area { rows: row..row + 1, cols: col..col + width };
            let mut cells = cells.into_iter();
            self.rewrite(&target, |old| {
                if let Some(cell) = cells.next() {
                    *old = cell;
                }
            });
        }
    }

    /// DECRQCRA: the negated sum of what stands in an area, as a VT420 counts it: a character's code, and what its
    /// rendition adds.
    pub fn checksum(&self, area: Area) -> u16 {
        let grid = self.term.grid();
        let mut sum = 0u16;
        for row in area.rows {
            let row = &grid[Line(i32::try_from(row).unwrap_or(0))];
            for cell in row[..].get(area.cols.clone()).unwrap_or_default() {
                sum = sum.wrapping_sub(u32::from(cell.c.max(' ')) as u16);
                for (flag, value) in
                    [(PROTECTED, 4), (Flags::UNDERLINE, 0x10), (Flags::INVERSE, 0x20), (Flags::BOLD, 0x80)]
                {
                    sum = sum.wrapping_sub(if cell.flags.contains(flag) { value } else { 0 });
                }
            }
        }
        sum
    }

    /// DECSED: erases what is not protected, below the cursor, above it or everywhere.
    pub fn erase_unprotected_display(&mut self, what: u16) {
        let line = usize::try_from(self.term.grid().cursor.point.line.0).unwrap_or(0);
        let (rows, cols) = (self.term.screen_lines(), self.term.columns());
        let others = match what {
            0 => line + 1..rows,
            1 => 0..line,
            2 => 0..rows,
            _ => return,
        };
        self.erase(Area { rows: others, cols: 0..cols }, true);
        if what < 2 {
            self.erase_unprotected_line(what);
        }
    }

    /// DECSEL: the same within the cursor's line.
    pub fn erase_unprotected_line(&mut self, what: u16) {
        let point = self.term.grid().cursor.point;
        let line = usize::try_from(point.line.0).unwrap_or(0);
        let cols = match what {
            0 => point.column.0..self.term.columns(),
            1 => 0..point.column.0 + 1,
            2 => 0..self.term.columns(),
            _ => return,
        };
        self.erase(Area { rows: line..line + 1, cols }, true);
    }
}

/// Takes a wide character apart that lies across this column, so that neither half is left without the other.
pub(super) fn part(cells: &mut [Cell], col: usize) {
    let Some(left) = col.checked_sub(1) else { return };
    let through = cells.get(left).is_some_and(|cell| cell.flags.contains(Flags::WIDE_CHAR));
    if !through {
        return;
    }
    for cell in cells.iter_mut().skip(left).take(2) {
        cell.flags.remove(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER);
        cell.c = ' ';
        cell.extra = None;
    }
}
