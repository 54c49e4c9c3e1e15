//! Owns searching: a pattern, where it matches, and the match before or behind a place.
use super::row::{Lines, Pos, Row};
use regex::{Regex, RegexBuilder};
use std::ops::Range;

/// Longest pattern in characters: more than anybody types, and what keeps its automaton small.
pub const MAX_PATTERN: usize = 256;

/// Bytes that the automaton of one pattern may take.
const MAX_AUTOMATON: usize = 1 << 20;

/// Most matches that are counted; a pattern that matches more often is too short to be of use.
pub const MAX_MATCHES: usize = 100_000;

/// Lines that only wrapping parted and that are searched as one; more would let one endless line take all memory.
const MAX_JOINED: usize = 256;

/// A pattern ready to be looked for.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// How many matches there are, and which of them the cursor stands on, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of the match under the cursor.
    pub at: usize,
    /// All of them, at most [`MAX_MATCHES`].
    pub of: usize,
}

/// Columns of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The line.
    pub line: usize,
    /// Its columns.
    pub cols: Range<u16>,
}

impl Pattern {
    /// A regular expression where the text is one, else the text itself. Capitals matter when the text has any.
    pub fn new(text: &str) -> Option<Self> {
        let text: String = text.chars().take(MAX_PATTERN).collect();
        let build = |source: &str| {
            let any_case = !text.chars().any(char::is_uppercase);
            RegexBuilder::new(source).case_insensitive(any_case).size_limit(MAX_AUTOMATON).build().ok()
        };
        let regex = build(&text).or_else(|| build(&regex::escape(&text)))?;
        (!text.is_empty()).then_some(Self { regex, text })
    }

    /// A text as it stands, whatever it would mean as an expression; nothing for blanks.
    pub fn word(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        let pattern = Self::new(&regex::escape(text))?;
        Some(Self { text: text.to_owned(), ..pattern })
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The next match behind `from`, or before it; beyond the text's end the search goes on at its other end.
    pub fn find(&self, lines: &dyn Lines, from: Pos, back: bool) -> Option<(Pos, Tally)> {
        // Counting needs only text; where in a line a match stands is looked at for the two lines that matter.
        let mut found: Vec<(usize, usize)> = Vec::new();
        let (mut line, count, mut of) = (0, lines.count(), 0);
        let mut text = String::new();
        while line < count && of < MAX_MATCHES {
            text.clear();
            let mut behind = line + 1;
            while lines.text(behind - 1, &mut text) && behind - line < MAX_JOINED && behind < count {
                behind += 1;
            }
            let matches = matches(&self.regex, &text).take(MAX_MATCHES - of).count();
            if matches > 0 {
                found.push((line, matches));
                of += matches;
            }
            line = behind;
        }
        let last = of.checked_sub(1)?;
        let mut joined = Joined::default();
        let mut starts = |(line, matches): (usize, usize)| -> Vec<Pos> {
            joined.read(lines, line);
            joined.matches(&self.regex).take(matches).map(|found| joined.pos(found.start)).collect()
        };
        // The line that the place is in is the only one that may have matches on both sides of it.
        let above = found.partition_point(|(line, _)| *line <= from.line);
        let here = above.checked_sub(1).map(|at| starts(found[at])).unwrap_or_default();
        let before =
            found[..above].iter().map(|(_, matches)| matches).sum::<usize>().saturating_sub(here.len());
        let at = if back {
            let number = before + here.partition_point(|start| *start < from);
            number.checked_sub(1).unwrap_or(last)
        } else {
            Some(before + here.partition_point(|start| *start <= from)).filter(|at| *at <= last).unwrap_or(0)
        };
        let mut number = at;
        let (line, nth) = found.iter().find_map(|(line, matches)| {
            let there = number < *matches;
            if !there {
                number -= matches;
            }
            there.then_some(((*line, *matches), number))
        })?;
        Some((*starts(line).get(nth)?, Tally { at: at + 1, of }))
    }

    /// The first and the last character of the match that covers a place.
    pub fn covering(&self, lines: &dyn Lines, at: Pos) -> Option<(Pos, Pos)> {
        let mut line = at.line;
        while line > 0 && at.line - line < MAX_JOINED && lines.wrapped(line - 1) {
            line -= 1;
        }
        let mut joined = Joined::default();
        joined.read(lines, line);
        joined.matches(&self.regex).find_map(|found| {
            let kept = joined.text[found.clone()]
                .trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}'])
                .len();
            let end = found.start + kept.max(1);
            let (first, last) = (joined.pos(found.start), joined.pos(end - 1));
            (first <= at && at <= last).then_some((first, last))
        })
    }

    /// The columns that match in these lines.
    pub fn spans(&self, lines: &dyn Lines, shown: Range<usize>) -> Vec<Span> {
        let mut line = shown.start;
        // A match may begin above what is shown.
        while line > 0 && shown.start - line < MAX_JOINED && lines.wrapped(line - 1) {
            line -= 1;
        }
        let mut spans = Vec::new();
        let mut joined = Joined::default();
        while line < shown.end.min(lines.count()) {
            line = joined.read(lines, line);
            for found in joined.matches(&self.regex) {
                spans.extend(joined.spans(found).into_iter().filter(|span| shown.contains(&span.line)));
            }
        }
        spans
    }
}

/// Where a text matches, in order.
fn matches(regex: &Regex, text: &str) -> impl Iterator<Item = Range<usize>> {
    regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty())
}

/// Lines that only wrapping parted, as one.
#[derive(Default)]
struct Joined {
    row: Row,
    text: String,
    /// Where each line begins in the text, and the line.
    parts: Vec<(usize, Row)>,
    first: usize,
}

impl Joined {
    /// Reads from `line` on; returns the line behind.
    fn read(&mut self, lines: &dyn Lines, line: usize) -> usize {
        self.text.clear();
        self.first = line;
        let mut used = 0;
        loop {
            if used == self.parts.len() {
                self.parts.push((0, Row::default()));
            }
            let at = line + used;
            lines.read(at, &mut self.row);
            let (start, row) = &mut self.parts[used];
            *start = self.text.len();
            self.text.push_str(self.row.text());
            std::mem::swap(row, &mut self.row);
            used += 1;
            if used == MAX_JOINED || !lines.wrapped(at) || at + 1 >= lines.count() {
                self.parts.truncate(used);
                return at + 1;
            }
        }
    }

    fn matches(&self, regex: &Regex) -> impl Iterator<Item = Range<usize>> {
        matches(regex, &self.text)
    }

    /// The part that a byte lies in, and the character there.
    fn glyph(&self, byte: usize) -> (usize, usize) {
        let part = self.parts.partition_point(|(start, _)| *start <= byte).saturating_sub(1);
        let (start, row) = &self.parts[part];
        let mut low = 0;
        let mut high = row.len();
        while low + 1 < high {
            let middle = low.midpoint(high);
            if row.bytes(middle).start + start <= byte { low = middle } else { high = middle }
        }
        (part, low)
    }

    fn pos(&self, byte: usize) -> Pos {
        let (part, at) = self.glyph(byte);
        Pos { line: self.first + part, col: self.parts[part].1.cols(at).start }
    }

    fn spans(&self, found: Range<usize>) -> Vec<Span> {
        let (from, to) = (self.glyph(found.start), self.glyph(found.end - 1));
        let span = |part: usize| {
            let row = &self.parts[part].1;
            let start = if part == from.0 { row.cols(from.1).start } else { 0 };
            let end = if part == to.0 { row.cols(to.1).end } else { row.end() };
            Span { line: self.first + part, cols: start..end }
        };
        (from.0..=to.0).map(span).collect()
    }
}
