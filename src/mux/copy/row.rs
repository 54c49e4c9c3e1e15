//! Owns how text is read for copy mode: lines of glyphs, each with the columns that it takes.
use std::ops::Range;

/// Text that copy mode walks over, the oldest line first. It may change between two keys, never during one.
pub trait Lines {
    /// How many lines there are, at least one.
    fn count(&self) -> usize;
    /// Puts a line into `row`, without the blanks at its end unless it is wrapped; empty outside.
    fn read(&self, line: usize, row: &mut Row);
    /// The line goes on in the next one without a line break.
    fn wrapped(&self, line: usize) -> bool;
    /// Appends a line's text as `read` gives it; says whether the line goes on in the next one.
    fn text(&self, line: usize, text: &mut String) -> bool {
        let mut row = Row::default();
        self.read(line, &mut row);
        text.push_str(row.text());
        self.wrapped(line)
    }
    /// A prompt begins in this line, or what somebody asked.
    fn begins_turn(&self, _line: usize) -> bool {
        false
    }
}

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    /// Line from 0, the oldest.
    pub line: usize,
    /// Column from 0.
    pub col: u16,
}

#[derive(Clone, Copy, Debug)]
struct Glyph {
    byte: usize,
    col: u16,
    width: u16,
}

/// One line as it was read.
#[derive(Clone, Debug, Default)]
pub struct Row {
    text: String,
    glyphs: Vec<Glyph>,
}

impl Row {
    /// Forgets what it holds, keeping its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.glyphs.clear();
    }

    /// Adds a character that takes `width` columns from `col` on.
    pub fn push(&mut self, c: char, col: u16, width: u16) {
        self.glyphs.push(Glyph { byte: self.text.len(), col, width: width.max(1) });
        self.text.push(c);
    }

    /// Adds a mark to the newest character.
    pub fn mark(&mut self, c: char) {
        if !self.glyphs.is_empty() {
            self.text.push(c);
        }
    }

    /// Takes the blanks at the end away.
    pub fn trim(&mut self) {
        let kept = self.text.trim_end_matches(' ').len();
        self.text.truncate(kept);
        let kept = self.glyphs.partition_point(|glyph| glyph.byte < kept);
        self.glyphs.truncate(kept);
    }

    /// The whole line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many characters it has.
    pub fn len(&self) -> usize {
        self.glyphs.len()
    }

    /// Nothing stands there.
    pub fn is_empty(&self) -> bool {
        self.glyphs.is_empty()
    }

    /// The bytes of a character with its marks.
    pub(super) fn bytes(&self, at: usize) -> Range<usize> {
        let start = |at: usize| self.glyphs.get(at).map_or(self.text.len(), |glyph| glyph.byte);
        start(at)..start(at + 1)
    }

    /// The first scalar of a character; a blank outside.
    pub(super) fn char(&self, at: usize) -> char {
        self.text.get(self.bytes(at)).and_then(|text| text.chars().next()).unwrap_or(' ')
    }

    /// The columns of a character; outside the one behind the end.
    pub(super) fn cols(&self, at: usize) -> Range<u16> {
        match self.glyphs.get(at) {
            Some(glyph) => glyph.col..glyph.col.saturating_add(glyph.width),
            None => self.end()..self.end().saturating_add(1),
        }
    }

    /// The column behind the last character.
    pub fn end(&self) -> u16 {
        self.glyphs.last().map_or(0, |glyph| glyph.col.saturating_add(glyph.width))
    }

    /// The number of the character that stands at a column, or the last one before it.
    pub(super) fn at(&self, col: u16) -> usize {
        self.glyphs.partition_point(|glyph| glyph.col <= col).saturating_sub(1)
    }

    /// The text of the characters that begin in these columns.
    pub(super) fn cut(&self, cols: &Range<u16>) -> &str {
        let from = self.glyphs.partition_point(|glyph| glyph.col < cols.start);
        let to = self.glyphs.partition_point(|glyph| glyph.col < cols.end).max(from);
        self.text.get(self.bytes(from).start..self.bytes(to).start).unwrap_or_default()
    }
}
