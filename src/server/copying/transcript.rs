//! A harness's conversation as text for copy mode: what a program on its other screen keeps no history of.
use crate::{
    handoff::{Conversation, Role},
    mux::copy::{Lines, Row},
};
use std::sync::Arc;
use unicode_width::UnicodeWidthChar as _;

/// What a row begins with, by who speaks.
const LEADS: [(Role, &str, &str); 3] =
    [(Role::User, "> ", "  "), (Role::Assistant, "", ""), (Role::Tool, "  | ", "  | ")];

/// A row as it is shown.
#[derive(Clone, Debug)]
struct Shown {
    text: String,
    wrapped: bool,
    role: Role,
    begins: bool,
}

/// A conversation laid out for a width.
#[derive(Clone, Debug)]
pub(super) struct Transcript {
    conversation: Arc<Conversation>,
    width: u16,
    rows: Vec<Shown>,
}

impl Transcript {
    /// Nothing when nothing was said yet.
    pub fn new(conversation: &Arc<Conversation>, width: u16) -> Option<Self> {
        if conversation.turns.is_empty() {
            return None;
        }
        let mut rows: Vec<Shown> = Vec::new();
        for turn in &conversation.turns {
            if turn.role != Role::Tool && !rows.is_empty() {
                rows.push(Shown { text: String::new(), wrapped: false, role: turn.role, begins: false });
            }
            let (first, rest) = LEADS
                .iter()
                .find(|(role, ..)| *role == turn.role)
                .map_or(("", ""), |(_, first, rest)| (*first, *rest));
            for (n, line) in turn.text.trim_end().lines().enumerate() {
                let begins = n == 0 && turn.role == Role::User;
                let lead = if n == 0 { first } else { rest };
                wrap(lead, line, usize::from(width.max(2)), |text, wrapped, piece| {
                    rows.push(Shown { text, wrapped, role: turn.role, begins: begins && piece == 0 });
                });
            }
        }
        Some(Self { conversation: Arc::clone(conversation), width, rows })
    }

    /// Whether it still shows this, for this width.
    pub fn shows(&self, conversation: &Arc<Conversation>, width: u16) -> bool {
        Arc::ptr_eq(&self.conversation, conversation) && self.width == width
    }

    /// The same for another width.
    pub fn relaid(&self, width: u16) -> Option<Self> {
        Self::new(&self.conversation, width)
    }

    pub fn width(&self) -> u16 {
        self.width
    }

    /// The text of a row and who speaks in it.
    pub fn row(&self, line: usize) -> Option<(&str, Role)> {
        self.rows.get(line).map(|row| (row.text.as_str(), row.role))
    }
}

/// Cuts a line into rows of a width; control characters are left out, a tab is four blanks.
fn wrap(lead: &str, line: &str, width: usize, mut row: impl FnMut(String, bool, usize)) {
    let mut text = lead.to_owned();
    let (mut used, mut piece) = (lead.len(), 0);
    let blanks = ['\t', ' ', ' ', ' '];
    let chars = line.chars().flat_map(|c| {
        let tab = c == '\t';
        std::iter::once(if tab { ' ' } else { c }).chain(blanks[1..].iter().copied().filter(move |_| tab))
    });
    for c in chars.filter(|c| !c.is_control()) {
        let cols = c.width().unwrap_or(0);
        if used + cols > width && used > 0 {
            row(std::mem::take(&mut text), true, piece);
            (used, piece) = (0, piece + 1);
        }
        text.push(c);
        used += cols;
    }
    row(text, false, piece);
}

impl Lines for Transcript {
    fn count(&self) -> usize {
        self.rows.len().max(1)
    }

    fn read(&self, line: usize, row: &mut Row) {
        row.clear();
        let mut col = 0u16;
        for c in self.rows.get(line).map_or("", |row| &row.text).chars() {
            match c.width() {
                Some(0) | None => row.mark(c),
                Some(width) => {
                    let width = u16::try_from(width).unwrap_or(1);
                    row.push(c, col, width);
                    col = col.saturating_add(width);
                }
            }
        }
        if !self.wrapped(line) {
            row.trim();
        }
    }

    fn wrapped(&self, line: usize) -> bool {
        self.rows.get(line).is_some_and(|row| row.wrapped)
    }

    fn begins_turn(&self, line: usize) -> bool {
        self.rows.get(line).is_some_and(|row| row.begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::Turn;

    fn said(turns: &[(Role, &str)]) -> Arc<Conversation> {
        let turns = turns.iter().map(|(role, text)| Turn { role: *role, text: (*text).to_owned() }).collect();
        Arc::new(Conversation { turns })
    }

    #[test]
    fn turns_are_told_apart_and_wrapped() {
        let conversation = said(&[
            (Role::User, "fix the bug\nplease"),
            (Role::Tool, "sh: ls"),
            (Role::Assistant, "done: 日本\tx\x1b"),
            (Role::User, "thanks"),
        ]);
        let transcript = Transcript::new(&conversation, 10).unwrap();
        let rows: Vec<&str> = transcript.rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(
            rows,
            ["> fix the ", "bug", "  please", "  | sh: ls", "", "done: 日本", "    x", "", "> thanks"]
        );
        let turns: Vec<usize> =
            (0..transcript.count()).filter(|line| transcript.begins_turn(*line)).collect();
        assert_eq!(turns, [0, 8]);
        assert!(transcript.wrapped(0) && transcript.wrapped(5) && !transcript.wrapped(1));
        assert!(transcript.shows(&conversation, 10) && !transcript.shows(&conversation, 11));
        assert!(!transcript.shows(&said(&[(Role::User, "x")]), 10));
        assert!(Transcript::new(&said(&[]), 10).is_none());
    }
}
