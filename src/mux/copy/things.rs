//! What is gone to or selected as a whole: words, lines, addresses and paths, prompts and turns.
use super::{Copy, Kind, Motion, Pos, Searched, Selection, Tally, row::Lines, search::Pattern, walk::Walk};
use std::sync::LazyLock;

/// An address, a path with its line and column, or a file's name with them.
static LINK: LazyLock<Option<Pattern>> = LazyLock::new(|| {
    Pattern::new(concat!(
        r#"[a-z][a-z0-9+.-]*://[^\s<>"'`]+|www\.[^\s<>"'`]+|mailto:[^\s<>"'`]+"#,
        r"|(~|[\w.@+-]+)?(/[\w.@+%-]+)+/?(:\d+){0,2}|[\w-]+(\.[\w-]+)+(:\d+){0,2}",
    ))
});

impl Copy {
    /// Whether the lines are numbered.
    pub fn numbers(&self) -> bool {
        self.numbers
    }

    /// Selects the word at the cursor, or what stands together there.
    pub fn select_word(&mut self, lines: &dyn Lines) {
        let mut walk = Walk::new(lines, self.cursor);
        walk.go_to_edge(true);
        let first = walk.pos();
        walk.go_to_edge(false);
        self.select_between(first, walk.pos(), lines);
    }

    /// Selects the cursor's line, with all the rows that it was wrapped into.
    pub fn select_line(&mut self, lines: &dyn Lines) {
        let (mut first, mut last) = (self.cursor.line, self.cursor.line);
        while first > 0 && lines.wrapped(first - 1) {
            first -= 1;
        }
        while last + 1 < lines.count() && lines.wrapped(last) {
            last += 1;
        }
        self.selection = Some(Selection { anchor: Pos { line: first, col: 0 }, kind: Kind::Lines });
        self.cursor.line = last;
        self.settle(lines);
        self.show(lines);
    }

    pub(super) fn select_link(&mut self, lines: &dyn Lines) {
        match LINK.as_ref().and_then(|link| link.covering(lines, self.cursor)) {
            Some((first, last)) => self.select_between(first, last, lines),
            None => self.notice = Some("no address or path is under the cursor".into()),
        }
    }

    /// Selects from one character to another one, which becomes the cursor's.
    fn select_between(&mut self, first: Pos, last: Pos, lines: &dyn Lines) {
        self.selection = Some(Selection { anchor: first, kind: Kind::Chars });
        self.cursor = last;
        // emacs does not select what is under the cursor.
        if self.keys == super::ModeKeys::Emacs {
            self.step(Motion::Right, lines);
        }
        self.goal = self.cursor.col;
        self.show(lines);
    }

    /// To the nearest line that way in which a prompt or a turn begins.
    pub(super) fn turn(&mut self, back: bool, lines: &dyn Lines) {
        let line = self.cursor.line;
        let found = if back {
            (0..line).rev().find(|line| lines.begins_turn(*line))
        } else {
            (line + 1..lines.count()).find(|line| lines.begins_turn(*line))
        };
        match found {
            Some(line) => {
                self.cursor = Pos { line, col: 0 };
                self.goal = 0;
                // What follows a prompt is what one wants to see.
                self.top = line;
                self.show(lines);
            }
            None => {
                let way = if back { "before" } else { "behind" };
                self.notice = Some(format!("no prompt is known {way} this"));
            }
        }
    }

    pub(super) fn search_word(&mut self, back: bool, lines: &dyn Lines) {
        let mut row = super::Row::default();
        lines.read(self.cursor.line, &mut row);
        let mut walk = Walk::new(lines, self.cursor);
        walk.go_to_edge(true);
        let first = walk.pos();
        walk.go_to_edge(false);
        let last = walk.pos();
        let word =
            if first.line == last.line { row.cut(&(first.col..last.col.saturating_add(1))) } else { "" };
        match Pattern::word(word) {
            Some(pattern) => {
                self.cursor = first;
                self.searched = Some(Searched { pattern, back, tally: Tally::default() });
                self.search_again(false, lines);
            }
            None => self.notice = Some("no word is under the cursor".into()),
        }
    }
}
