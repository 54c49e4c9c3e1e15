//! Owns the lines that left the core at its top: text and runs of styles, as lines that were never wrapped, laid out
//! for the pane's width when they are read.
//!
//! Lines lie one behind the other in segments, so that a line costs little more than its text, and the oldest go a
//! segment at a time. Must not know: the core's grid, what is on the screen.
mod pack;
#[cfg(test)]
mod tests;

use alacritty_terminal::{
    term::cell::{Cell, Flags, Hyperlink},
    vte::ansi::Color,
};
use pack::{Glyph, Glyphs};
use std::{collections::VecDeque, ops::Range};

/// Bytes of text from which on a new segment is begun: what goes at a time when the limit is reached.
const SEGMENT_TEXT: usize = 16 * 1024;

/// Lines of a segment, for the case that they are short.
const SEGMENT_LINES: usize = 256;

/// Cells of a line from which on its rest is kept as a line of its own, since reading a row of it means walking it.
const MAX_CELLS: usize = 4096;

/// What only few cells have.
#[derive(Clone, Debug, PartialEq)]
struct Extra {
    underline: Option<Color>,
    link: Option<Hyperlink>,
}

/// A line within a segment.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Where its text and its runs begin; they end where those of the next one begin.
    text: u32,
    runs: u32,
    /// Columns that it takes when it is not wrapped.
    cells: u32,
    /// Rows of the segment above it.
    above: u32,
    /// It has characters of two columns, so where it wraps must be found by walking.
    wide: bool,
    /// The next line goes on with it.
    goes_on: bool,
    /// A prompt begins in it.
    prompt: bool,
}

#[derive(Debug, Default)]
struct Segment {
    text: String,
    runs: Vec<u8>,
    extras: Vec<Extra>,
    lines: Vec<Line>,
    /// The number of its first row, and how many it has.
    first: u64,
    rows: usize,
}

impl Segment {
    fn text_of(&self, line: usize) -> &str {
        let end = self.lines.get(line + 1).map_or(self.text.len(), |next| next.text as usize);
        &self.text[self.lines[line].text as usize..end]
    }

    fn glyphs(&self, line: usize) -> Glyphs<'_> {
        let end = self.lines.get(line + 1).map_or(self.runs.len(), |next| next.runs as usize);
        Glyphs::new(self.text_of(line), &self.runs[self.lines[line].runs as usize..end])
    }

    /// Columns of each row of a line.
    fn rows_of(&self, line: usize, width: usize) -> Rows<'_> {
        let at = self.lines[line];
        let glyphs = at.wide.then(|| self.glyphs(line));
        Rows { glyphs, carried: 0, next: 0, cells: at.cells as usize, width, done: false }
    }

    fn count_rows(&self, line: usize, width: usize) -> usize {
        let at = self.lines[line];
        if at.wide { self.rows_of(line, width).count() } else { (at.cells as usize).div_ceil(width).max(1) }
    }

    /// Numbers the rows of its lines from this one on.
    fn renumber(&mut self, from: usize, width: usize) {
        let mut above = match from.checked_sub(1) {
            Some(before) => self.lines[before].above as usize + self.count_rows(before, width),
            None => 0,
        };
        for line in from..self.lines.len() {
            self.lines[line].above = u32::try_from(above).unwrap_or(u32::MAX);
            above += self.count_rows(line, width);
        }
        self.rows = above;
    }
}

/// The columns of a line that each of its rows shows.
struct Rows<'a> {
    /// Only for lines with wide characters.
    glyphs: Option<Glyphs<'a>>,
    /// Width of a glyph that found no room in the row before.
    carried: usize,
    next: usize,
    cells: usize,
    width: usize,
    done: bool,
}

impl Iterator for Rows<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        if self.done {
            return None;
        }
        let start = self.next;
        let mut end = (start + self.width).min(self.cells);
        if let Some(glyphs) = &mut self.glyphs {
            let mut used = std::mem::take(&mut self.carried);
            while used < self.width {
                let Some(glyph) = glyphs.next() else { break };
                if used + glyph.width > self.width && used > 0 {
                    self.carried = glyph.width;
                    break;
                }
                used += glyph.width;
            }
            end = (start + used).min(self.cells);
        }
        self.next = end;
        // Every row takes something, so this ends even if the columns were counted wrongly.
        self.done = end >= self.cells || end == start;
        Some(start..end)
    }
}

/// A row as it is read.
#[derive(Debug, Default)]
pub struct Row {
    /// Its cells, without the blanks at its end.
    pub cells: Vec<Cell>,
    /// The next row goes on with it.
    pub wrapped: bool,
    /// A prompt begins in it.
    pub prompt: bool,
}

/// The packed lines of a pane.
#[derive(Debug)]
pub struct History {
    segments: VecDeque<Segment>,
    width: usize,
    /// Rows that must be kept.
    limit: usize,
    rows: usize,
    /// The number of the oldest row; it grows as rows go.
    first: u64,
    /// The newest line goes on in what is not here.
    open: bool,
    /// Its last row ended before the last column, as a wide character had no room there.
    gap: bool,
}

impl History {
    /// An empty history for a pane of so many columns.
    pub fn new(width: usize, limit: usize) -> Self {
        Self {
            segments: VecDeque::new(),
            width: width.max(1),
            limit,
            rows: 0,
            first: 0,
            open: false,
            gap: false,
        }
    }

    /// Rows at the present width.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows that must be kept.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many rows went out at the top so far.
    pub fn gone(&self) -> u64 {
        self.first
    }

    /// Lays everything out for another width.
    pub fn set_width(&mut self, width: usize) {
        if self.width == width.max(1) {
            return;
        }
        self.width = width.max(1);
        let mut first = self.first;
        self.rows = 0;
        for segment in &mut self.segments {
            segment.first = first;
            segment.renumber(0, self.width);
            first += segment.rows as u64;
            self.rows += segment.rows;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.first += self.rows as u64;
        self.segments.clear();
        self.rows = 0;
        self.open = false;
    }

    /// Takes in the next row that left the screen; `wrapped` says that the one behind it goes on with it.
    pub fn push(&mut self, cells: &[Cell], wrapped: bool) {
        let len = match cells.last() {
            Some(last) if wrapped => {
                cells.len() - usize::from(last.flags.contains(Flags::LEADING_WIDE_CHAR_SPACER))
            }
            _ => cells.iter().rposition(|cell| !is_blank(cell)).map_or(0, |at| at + 1),
        };
        if self.open && len == 0 {
            // What went on there was erased: it is a line of its own now.
            self.open = false;
            if let Some(line) = self.segments.back_mut().and_then(|segment| segment.lines.last_mut()) {
                line.goes_on = false;
            }
        }
        // Where something else was written over that wide character, its row does not move up.
        let moved_up = self.gap && cells.first().is_some_and(|cell| !cell.flags.contains(Flags::WIDE_CHAR));
        self.gap = wrapped && len < cells.len();
        let goes_on = self.open
            && !moved_up
            && self.last_line().is_some_and(|line| line.cells as usize + len <= MAX_CELLS);
        if !goes_on {
            self.begin_line();
        }
        self.open = wrapped;
        let (width, before) = (self.width, self.rows);
        let Some(segment) = self.segments.back_mut() else { return };
        let rows = segment.rows;
        let (columns, wide) =
            pack::append(&cells[..len], &mut segment.text, &mut segment.runs, &mut segment.extras);
        let at = segment.lines.len() - 1;
        let line = &mut segment.lines[at];
        line.cells += u32::try_from(columns).unwrap_or(0);
        line.wide |= wide;
        line.goes_on = wrapped;
        segment.rows = segment.lines[at].above as usize + segment.count_rows(at, width);
        self.rows = before + segment.rows - rows;
        self.evict();
    }

    fn last_line(&self) -> Option<&Line> {
        self.segments.back()?.lines.last()
    }

    fn begin_line(&mut self) {
        let full =
            |segment: &Segment| segment.text.len() >= SEGMENT_TEXT || segment.lines.len() >= SEGMENT_LINES;
        if self.segments.back().is_none_or(full) {
            if let Some(last) = self.segments.back_mut() {
                last.text.shrink_to_fit();
                last.runs.shrink_to_fit();
                last.lines.shrink_to_fit();
            }
            let first = self.first + self.rows as u64;
            self.segments.push_back(Segment { first, ..Segment::default() });
        }
        let Some(segment) = self.segments.back_mut() else { return };
        let end = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        segment.lines.push(Line {
            text: end(segment.text.len()),
            runs: end(segment.runs.len()),
            cells: 0,
            above: end(segment.rows),
            wide: false,
            goes_on: false,
            prompt: false,
        });
    }

    /// Lets the oldest segments go when there is enough without them.
    fn evict(&mut self) {
        while let Some(oldest) = self.segments.front() {
            if self.rows - oldest.rows < self.limit || (self.segments.len() == 1 && self.limit > 0) {
                return;
            }
            self.rows -= oldest.rows;
            self.first += oldest.rows as u64;
            self.segments.pop_front();
        }
        self.open = false;
    }

    /// A prompt begins in the row that was taken in last, if that began a line.
    pub fn mark_prompt(&mut self) {
        let width = self.width;
        if let Some(segment) = self.segments.back_mut() {
            let at = segment.lines.len() - 1;
            let first = segment.count_rows(at, width) == 1;
            segment.lines[at].prompt |= first;
        }
    }

    /// Whether a prompt begins in a row.
    pub fn is_prompt(&self, at: usize) -> bool {
        self.locate(at).is_some_and(|(segment, line, nth)| nth == 0 && segment.lines[line].prompt)
    }

    /// Appends the text of a row; says whether the next one goes on with it.
    pub fn text(&self, at: usize, text: &mut String) -> bool {
        let begin = text.len();
        let Some((segment, line, nth)) = self.locate(at) else { return false };
        let row = segment.lines[line];
        if nth == 0 && row.cells as usize <= self.width {
            text.push_str(segment.text_of(line));
        } else {
            let Some(cols) = self.cols_of(segment, line, nth) else { return false };
            for glyph in segment.glyphs(line).within(&cols) {
                text.push(glyph.c);
                text.push_str(glyph.marks);
            }
            if cols.end < row.cells as usize {
                return true;
            }
        }
        if !row.goes_on {
            text.truncate(begin + text[begin..].trim_end_matches(' ').len());
        }
        row.goes_on
    }

    /// Whether the newest line goes on in what is not here.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the newest line goes on, but its last row here is not full, as after another width: what follows cannot
    /// be put behind it.
    pub fn is_cut(&self) -> bool {
        let Some(segment) = self.segments.back().filter(|_| self.open) else { return false };
        let last = segment.lines.len() - 1;
        let missing = segment.rows_of(last, self.width).last().map_or(0, |cols| self.width - cols.len());
        missing > usize::from(segment.lines[last].wide)
    }

    /// Takes the newest line back out, as rows at the present width.
    pub fn pop(&mut self) -> Option<Vec<Row>> {
        let segment = self.segments.back_mut()?;
        let at = segment.lines.len().checked_sub(1)?;
        let line = segment.lines[at];
        let count = segment.count_rows(at, self.width);
        let rows = segment.rows_of(at, self.width).map(|cols| row(segment, at, &cols)).collect();
        segment.text.truncate(line.text as usize);
        segment.runs.truncate(line.runs as usize);
        segment.lines.pop();
        segment.rows -= count;
        self.rows -= count;
        if segment.lines.is_empty() {
            self.segments.pop_back();
        }
        self.open = self.last_line().is_some_and(|line| line.goes_on);
        Some(rows)
    }

    /// Where a row lies: its segment, its line and which of the line's rows it is.
    fn locate(&self, row: usize) -> Option<(&Segment, usize, usize)> {
        if row >= self.rows {
            return None;
        }
        let number = self.first + row as u64;
        let at = self.segments.partition_point(|segment| segment.first <= number).checked_sub(1)?;
        let segment = &self.segments[at];
        let within = usize::try_from(number - segment.first).ok()?;
        let line = segment.lines.partition_point(|line| line.above as usize <= within).checked_sub(1)?;
        Some((segment, line, within - segment.lines[line].above as usize))
    }

    fn cols_of(&self, segment: &Segment, line: usize, nth: usize) -> Option<Range<usize>> {
        let at = segment.lines[line];
        if at.wide {
            return segment.rows_of(line, self.width).nth(nth);
        }
        let start = (nth * self.width).min(at.cells as usize);
        Some(start..(start + self.width).min(at.cells as usize))
    }

    /// A row, counted from the oldest.
    pub fn row(&self, at: usize) -> Option<Row> {
        let (segment, line, nth) = self.locate(at)?;
        Some(row(segment, line, &self.cols_of(segment, line, nth)?))
    }

    /// Whether the row behind this one goes on with it.
    pub fn wrapped(&self, at: usize) -> bool {
        self.locate(at).is_some_and(|(segment, line, nth)| {
            segment.lines[line].goes_on || nth + 1 < segment.count_rows(line, self.width)
        })
    }

    /// Hands out the characters of a row with their marks and widths, and says whether the next one goes on with it.
    pub fn read(&self, at: usize, mut with: impl FnMut(char, &str, usize)) -> bool {
        let Some((segment, line, nth)) = self.locate(at) else { return false };
        let Some(cols) = self.cols_of(segment, line, nth) else { return false };
        segment.glyphs(line).within(&cols).for_each(|glyph| with(glyph.c, glyph.marks, glyph.width));
        segment.lines[line].goes_on || cols.end < segment.lines[line].cells as usize
    }

    /// Bytes of text and styles, for judging what a pane costs.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let of = |s: &Segment| s.text.capacity() + s.runs.capacity() + s.lines.capacity() * size_of::<Line>();
        self.segments.iter().map(of).sum()
    }
}

fn row(segment: &Segment, line: usize, cols: &Range<usize>) -> Row {
    let mut cells = Vec::with_capacity(cols.len());
    for glyph in segment.glyphs(line).within(cols) {
        let Glyph { c, marks, style, extra, .. } = glyph;
        let mut cell = Cell { c, fg: style.fg, bg: style.bg, flags: style.flags, extra: None };
        if let Some(extra) = extra.and_then(|at| segment.extras.get(at)) {
            cell.set_underline_color(extra.underline);
            cell.set_hyperlink(extra.link.clone());
        }
        let spacer = (glyph.width == 2).then(|| {
            let mut spacer = Cell { c: ' ', ..cell.clone() };
            spacer.flags.remove(Flags::WIDE_CHAR);
            spacer.flags.insert(Flags::WIDE_CHAR_SPACER);
            spacer
        });
        marks.chars().for_each(|mark| cell.push_zerowidth(mark));
        cells.push(cell);
        cells.extend(spacer);
    }
    let at = segment.lines[line];
    let wrapped = at.goes_on || cols.end < at.cells as usize;
    Row { cells, wrapped, prompt: at.prompt && cols.start == 0 }
}

/// True for what an erased cell is: nothing of it would be missed at the end of a line.
fn is_blank(cell: &Cell) -> bool {
    pack::Style::of(cell).is_plain() && cell.c == ' ' && cell.extra.is_none()
}
