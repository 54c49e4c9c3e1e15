//! Owns the selection: which columns of which lines it covers, and its text.
use super::row::{Lines, Pos, Row};
use std::ops::Range;

/// Bytes that one copy may take: a hundred thousand full lines. What is beyond is left out, and that is said.
pub const MAX_COPY: usize = 16 << 20;

/// What a selection takes of the lines between its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All from one end to the other.
    Chars,
    /// Whole lines.
    Lines,
    /// The same columns of each.
    Rectangle,
}

/// A selection from where it began to the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Where it began.
    pub anchor: Pos,
    /// What it takes.
    pub kind: Kind,
}

/// A selection with its other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Covered {
    pub selection: Selection,
    pub cursor: Pos,
    /// The character under the later end belongs to it, as in vi.
    pub inclusive: bool,
}

impl Covered {
    pub fn lines(&self) -> Range<usize> {
        let (a, b) = (self.selection.anchor.line, self.cursor.line);
        a.min(b)..a.max(b) + 1
    }

    /// The columns of a line that it covers.
    pub fn cols(&self, line: usize, row: &Row) -> Range<u16> {
        let (a, b) = (self.selection.anchor, self.cursor);
        let behind = |col: u16| match self.inclusive {
            true if row.is_empty() => col.saturating_add(1),
            true => row.cols(row.at(col)).end.max(col.saturating_add(1)),
            false => col,
        };
        match self.selection.kind {
            Kind::Lines => 0..u16::MAX,
            Kind::Rectangle => a.col.min(b.col)..behind(a.col.max(b.col)),
            Kind::Chars => {
                let (first, last) = (a.min(b), a.max(b));
                let from = if line == first.line { first.col } else { 0 };
                let to = if line == last.line { behind(last.col) } else { u16::MAX };
                from..to
            }
        }
    }

    /// The text, and whether some of it was left out.
    pub fn text(&self, lines: &dyn Lines) -> (String, bool) {
        let mut text = String::new();
        let mut row = Row::default();
        let range = self.lines();
        for line in range.clone() {
            lines.read(line, &mut row);
            let cut = row.cut(&self.cols(line, &row));
            if text.len() + cut.len() >= MAX_COPY {
                return (text, true);
            }
            text.push_str(cut);
            let last = line + 1 == range.end;
            let ends = match self.selection.kind {
                Kind::Rectangle => !last,
                Kind::Chars => !last && !lines.wrapped(line),
                Kind::Lines => last || !lines.wrapped(line),
            };
            if ends {
                // A wrapped line keeps the blanks at its end; before a line break they say nothing.
                let kept = text.trim_end_matches(' ').len();
                text.truncate(kept);
                text.push('\n');
            }
        }
        (text, false)
    }
}
