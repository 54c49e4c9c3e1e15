//! Owns walking over the text character by character: words, and lines that go on in the next one.
use super::row::{Lines, Pos, Row};

/// What a character is to a word motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Blank,
    Word,
    Other,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// To a neighbour, also one on the next line where that only goes on.
    Near,
    /// Over a line break.
    Break,
    /// Nowhere: the text ends here.
    End,
}

/// A place in the text with its line at hand.
pub(super) struct Walk<'a> {
    lines: &'a dyn Lines,
    row: Row,
    line: usize,
    at: usize,
}

impl<'a> Walk<'a> {
    pub fn new(lines: &'a dyn Lines, pos: Pos) -> Self {
        let mut row = Row::default();
        lines.read(pos.line, &mut row);
        let at = row.at(pos.col);
        Self { lines, row, line: pos.line, at }
    }

    pub fn pos(&self) -> Pos {
        let col = if self.row.is_empty() { 0 } else { self.row.cols(self.at).start };
        Pos { line: self.line, col }
    }

    fn class(&self, big: bool) -> Class {
        match self.row.char(self.at) {
            c if c.is_whitespace() => Class::Blank,
            _ if big => Class::Word,
            c if c.is_alphanumeric() || c == '_' => Class::Word,
            _ => Class::Other,
        }
    }

    fn forward(&mut self) -> Step {
        if self.at + 1 < self.row.len() {
            self.at += 1;
            return Step::Near;
        }
        if self.line + 1 >= self.lines.count() {
            return Step::End;
        }
        let near = self.lines.wrapped(self.line);
        self.line += 1;
        self.lines.read(self.line, &mut self.row);
        self.at = 0;
        if near { Step::Near } else { Step::Break }
    }

    fn back(&mut self) -> Step {
        if self.at > 0 {
            self.at -= 1;
            return Step::Near;
        }
        let Some(line) = self.line.checked_sub(1) else { return Step::End };
        self.line = line;
        self.lines.read(line, &mut self.row);
        self.at = self.row.len().saturating_sub(1);
        if self.lines.wrapped(line) { Step::Near } else { Step::Break }
    }

    /// Goes on while the next character that way belongs to the same word.
    fn while_same(&mut self, big: bool, step: fn(&mut Self) -> Step) {
        let class = self.class(big);
        loop {
            let (line, at) = (self.line, self.at);
            if step(self) == Step::Near && self.class(big) == class {
                continue;
            }
            if self.line != line {
                self.lines.read(line, &mut self.row);
            }
            (self.line, self.at) = (line, at);
            return;
        }
    }

    /// To the first character of what stands together here, or the last one.
    pub fn go_to_edge(&mut self, back: bool) {
        self.while_same(false, if back { Self::back } else { Self::forward });
    }

    /// To the beginning of the next word; an empty line is one.
    pub fn word_next(&mut self, big: bool) {
        let class = self.class(big);
        let mut broke = false;
        while class != Class::Blank && !broke && self.class(big) == class {
            match self.forward() {
                Step::End => return,
                step => broke = step == Step::Break,
            }
        }
        while self.class(big) == Class::Blank {
            if broke && self.row.is_empty() {
                return;
            }
            match self.forward() {
                Step::End => return,
                step => broke = step == Step::Break,
            }
        }
    }

    /// To the beginning of this word or the one before; an empty line is one.
    pub fn word_back(&mut self, big: bool) {
        if self.back() == Step::End {
            return;
        }
        while self.class(big) == Class::Blank {
            if self.row.is_empty() || self.back() == Step::End {
                return;
            }
        }
        self.while_same(big, Self::back);
    }

    /// To the end of this word or the next.
    pub fn word_end(&mut self, big: bool) {
        if self.forward() == Step::End {
            return;
        }
        while self.class(big) == Class::Blank {
            if self.forward() == Step::End {
                return;
            }
        }
        self.while_same(big, Self::forward);
    }
}
