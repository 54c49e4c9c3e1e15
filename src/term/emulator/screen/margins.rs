//! Left and right margins (DECLRMM, DECSLRM) and all that depends on them. The core knows none, so while a program has
//! set some its text and moves take the way through here; without any, nothing of this is touched.
use super::{Screen, rectangles::part};
use alacritty_terminal::{
    grid::Dimensions as _,
    index::{Column, Line},
    term::{
        TermMode,
        cell::{Cell, Flags},
    },
    vte::ansi::{Handler as _, NamedMode},
};
use std::ops::Range;
use unicode_width::UnicodeWidthChar as _;

/// Columns between two margins, from 0, the end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margins {
    pub left: usize,
    pub end: usize,
}

/// The level of conformance that knows margins.
const LEVEL: u16 = 64;

impl Screen {
    /// DECLRMM: margins may be set, or are gone.
    pub fn allow_margins(&mut self, on: bool) {
        self.extra.margins_allowed = on && self.level >= LEVEL;
        self.margins = None;
    }

    /// DECSLRM: parameters from 1 and inclusive, 0 for the edges. What names no two columns changes nothing.
    pub fn set_margins(&mut self, left: u16, right: u16) {
        let columns = self.term.columns();
        let left = usize::from(left).saturating_sub(1);
        let end = if right == 0 { columns } else { usize::from(right).min(columns) };
        if left + 1 < end {
            self.margins = (left > 0 || end < columns).then_some(Margins { left, end });
            self.home();
        }
    }

    /// The margins, or the edges.
    pub fn sides(&self) -> Margins {
        self.margins.unwrap_or(Margins { left: 0, end: self.term.columns() })
    }

    fn has_origin(&self) -> bool {
        self.mode().contains(TermMode::ORIGIN)
    }

    /// The column from which positions are counted.
    pub(super) fn first_column(&self) -> usize {
        if self.has_origin() { self.sides().left } else { 0 }
    }

    /// Where a position's column lies on the screen.
    pub(super) fn placed_column(&self, column: usize) -> usize {
        let Margins { left, end } = self.sides();
        if self.has_origin() { column.saturating_add(left).min(end - 1) } else { column }
    }

    /// Goes to where positions are counted from.
    pub(super) fn home(&mut self) {
        let column = self.placed_column(0);
        self.term.goto(0, column);
    }

    /// Line and column of the cursor.
    pub(super) fn at(&self) -> (usize, usize) {
        let point = self.term.grid().cursor.point;
        (usize::try_from(point.line.0).unwrap_or(0), point.column.0)
    }

    /// Puts the cursor there, whatever the origin is; a full line behind it is forgotten.
    pub(super) fn put_cursor(&mut self, line: usize, column: usize) {
        let grid = self.term.grid_mut();
        grid.cursor.point.line = Line(i32::try_from(line).unwrap_or(0));
        grid.cursor.point.column = Column(column);
        grid.cursor.input_needs_wrap = false;
        self.all_changed = true;
    }

    /// The cursor stands between the margins.
    fn is_between(&self) -> bool {
        let Margins { left, end } = self.sides();
        (left..end).contains(&self.at().1)
    }

    /// The column that moves to the left stop at.
    pub(super) fn left_stop(&self) -> usize {
        let left = self.sides().left;
        if self.at().1 >= left { left } else { 0 }
    }

    /// The column that moves to the right stop at.
    pub(super) fn right_stop(&self) -> usize {
        let end = self.sides().end;
        if self.at().1 < end { end - 1 } else { self.term.columns() - 1 }
    }

    /// Carriage return.
    pub(super) fn return_carriage(&mut self) {
        let column = if self.has_origin() { self.sides().left } else { self.left_stop() };
        self.put_cursor(self.at().0, column);
    }

    /// Writes a character: the text wraps at the right margin to the left one.
    pub(super) fn write_between(&mut self, c: char) {
        let Some(width) = c.width().filter(|width| *width > 0) else { return };
        let Margins { end, .. } = self.sides();
        if self.at().1 >= end {
            self.term.input(c);
            return;
        }
        let wraps = self.mode().contains(TermMode::LINE_WRAP);
        let full = self.term.grid().cursor.input_needs_wrap;
        if full && wraps || self.at().1 + width > end {
            if !wraps {
                self.term.grid_mut().cursor.input_needs_wrap = true;
                return;
            }
            let left = self.sides().left;
            self.put_cursor(self.at().0, left);
            self.index();
        }
        let inserts = self.mode().contains(TermMode::INSERT);
        if inserts {
            self.insert_cells(width);
            self.term.unset_mode(NamedMode::Insert.into());
        }
        self.term.input(c);
        if inserts {
            self.term.set_mode(NamedMode::Insert.into());
        }
        if self.at().1 >= end || self.term.grid().cursor.input_needs_wrap {
            let cursor = &mut self.term.grid_mut().cursor;
            cursor.point.column = Column(end - 1);
            cursor.input_needs_wrap = true;
        }
        self.all_changed = true;
    }

    /// IND: down; at the end of the region what lies between the margins moves up, if the cursor is there.
    pub(super) fn index(&mut self) {
        let (line, column) = self.at();
        if line + 1 == self.region.1 {
            if self.is_between() {
                self.scroll_between(self.region.0..self.region.1, true, 1);
            }
        } else if line + 1 < self.term.screen_lines() {
            self.put_cursor(line + 1, column);
        }
    }

    /// RI: the same the other way.
    pub(super) fn reverse(&mut self) {
        let (line, column) = self.at();
        if line == self.region.0 {
            if self.is_between() {
                self.scroll_between(self.region.0..self.region.1, false, 1);
            }
        } else if line > 0 {
            self.put_cursor(line - 1, column);
        }
    }

    /// SU and SD.
    pub(super) fn scroll_region(&mut self, up: bool, count: usize) {
        self.scroll_between(self.region.0..self.region.1, up, count);
    }

    /// IL and DL: from the cursor's line on, which is then begun anew.
    pub(super) fn shift_lines(&mut self, up: bool, count: usize) {
        let (line, _) = self.at();
        if (self.region.0..self.region.1).contains(&line) && self.is_between() {
            self.scroll_between(line..self.region.1, up, count);
            self.put_cursor(line, self.sides().left);
        }
    }

    fn blank(&self) -> Cell {
        self.term.grid().cursor.template.bg.into()
    }

    /// Moves rows up or down between the margins.
    fn scroll_between(&mut self, rows: Range<usize>, up: bool, count: usize) {
        let Margins { left, end } = self.sides();
        let count = count.min(rows.len());
        let blank = self.blank();
        for row in rows.clone() {
            let cells = self.row_mut(row);
            part(cells, left);
            part(cells, end);
            // What is cut through is no line that goes on.
            if let Some(last) = cells.last_mut() {
                last.flags.remove(Flags::WRAPLINE);
            }
        }
        let kept = rows.len() - count;
        for step in 0..rows.len() {
            let (to, from) = match up {
                true => (rows.start + step, rows.start + step + count),
                false => (rows.end - 1 - step, (rows.end - 1 - step).saturating_sub(count)),
            };
            if step < kept {
                let moved = self.row_mut(from)[left..end].to_vec();
                self.row_mut(to)[left..end].clone_from_slice(&moved);
            } else {
                self.row_mut(to)[left..end].fill(blank.clone());
            }
        }
        self.all_changed = true;
    }

    /// Moves the cells of some rows from a column on to the right margin; what comes in is blank.
    pub(super) fn shift_cells(&mut self, rows: Range<usize>, from: usize, right: bool, count: usize) {
        let Margins { left, end } = self.sides();
        if !(left..end).contains(&from) {
            return;
        }
        let count = count.clamp(1, end - from);
        let blank = self.blank();
        for row in rows {
            let cells = self.row_mut(row);
            part(cells, from);
            part(cells, end);
            let between = &mut cells[from..end];
            if right {
                between.rotate_right(count);
                between[..count].fill(blank.clone());
            } else {
                between.rotate_left(count);
                let kept = between.len() - count;
                between[kept..].fill(blank.clone());
            }
            cells[end - 1].flags.remove(Flags::WRAPLINE);
            // Half of a wide character may have been pushed out.
            if cells[end - 1].flags.contains(Flags::WIDE_CHAR) {
                cells[end - 1].flags.remove(Flags::WIDE_CHAR);
                cells[end - 1].c = ' ';
            }
        }
        self.all_changed = true;
    }

    /// ICH, and what is written in insert mode.
    pub(super) fn insert_cells(&mut self, count: usize) {
        let (line, column) = self.at();
        self.shift_cells(line..line + 1, column, true, count);
    }

    /// DCH.
    pub(super) fn delete_cells(&mut self, count: usize) {
        let (line, column) = self.at();
        self.shift_cells(line..line + 1, column, false, count);
    }

    /// DECIC and DECDC: columns at the cursor, in the rows of the region.
    pub fn shift_columns(&mut self, right: bool, count: u16) {
        let (line, column) = self.at();
        if (self.region.0..self.region.1).contains(&line) {
            self.shift_cells(self.region.0..self.region.1, column, right, count.into());
        }
    }

    /// SL and SR: everything within the margins moves sideways.
    pub fn scroll_sideways(&mut self, right: bool, count: u16) {
        let left = self.sides().left;
        self.shift_cells(self.region.0..self.region.1, left, right, count.into());
    }

    /// DECBI and DECFI: a column back or forward; at the margin what lies between them moves instead.
    pub fn index_sideways(&mut self, back: bool) {
        let (line, column) = self.at();
        let Margins { left, end } = self.sides();
        let within = (self.region.0..self.region.1).contains(&line);
        if column == if back { left } else { end - 1 } {
            if within {
                self.scroll_sideways(back, 1);
            }
        } else if back {
            self.put_cursor(line, column.saturating_sub(1));
        } else if column + 1 < self.term.columns() {
            self.put_cursor(line, column + 1);
        }
    }

    /// After a tab that began before the right margin: it leads no further.
    pub(super) fn tab_stop(&mut self, began: usize) {
        let end = self.sides().end;
        let (line, column) = self.at();
        if began < end && column >= end {
            self.put_cursor(line, end - 1);
        }
    }
}
