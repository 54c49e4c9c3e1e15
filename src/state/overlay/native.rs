//! Owns the list of an executor's own sessions in a directory, from which one is resumed.
use super::{Outcome, words};
use crate::mux::{
    PaneId,
    keys::{Key, KeyCode, Mods},
};

/// The sessions of one executor in one directory.
#[derive(Clone, Debug, Default)]
pub struct NativeSessions {
    /// The pane beside which one is resumed.
    pub pane: PaneId,
    /// Whose sessions.
    pub executor: String,
    /// Executors whose sessions can be listed; Tab walks through them.
    pub executors: Vec<String>,
    /// The sessions, newest first.
    pub rows: Vec<NativeRow>,
    /// Typed filter.
    pub filter: String,
    /// The chosen one among those that the filter leaves.
    pub selected: usize,
}

/// One session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeRow {
    /// The executor's own id.
    pub id: String,
    /// Its title or first request.
    pub title: String,
    /// The model that served it; empty when that is not known.
    pub model: String,
    /// `3 h`.
    pub age: String,
    /// `here`, when a pane runs it; `parked`, when one of ours keeps it; else empty.
    pub note: String,
}

impl NativeSessions {
    /// The rows that the filter leaves.
    pub fn shown(&self) -> Vec<&NativeRow> {
        let wanted = self.filter.to_lowercase();
        let fits = |row: &&NativeRow| row.title.to_lowercase().contains(&wanted) || row.id.contains(&wanted);
        self.rows.iter().filter(fits).collect()
    }

    /// Takes a key.
    pub fn key(&mut self, key: &Key) -> Outcome {
        let ctrl = key.mods == Mods::CTRL;
        let last = self.shown().len().saturating_sub(1);
        match (ctrl, key.code) {
            (false, KeyCode::Escape) if !self.filter.is_empty() => self.filter.clear(),
            (false, KeyCode::Escape) | (true, KeyCode::Char('c' | 'g')) => return Outcome::Close,
            (false, KeyCode::Down) | (true, KeyCode::Char('n' | 'j')) => {
                self.selected = (self.selected + 1).min(last)
            }
            (false, KeyCode::Up) | (true, KeyCode::Char('p' | 'k')) => {
                self.selected = self.selected.min(last).saturating_sub(1);
            }
            (false, KeyCode::Home) => self.selected = 0,
            (false, KeyCode::End) => self.selected = last,
            (false, KeyCode::Enter) => return self.resume(),
            (false, KeyCode::Tab) => return self.next_executor(),
            (false, KeyCode::Backspace) => {
                self.filter.pop();
                self.selected = 0;
            }
            (true, KeyCode::Char('u')) => self.filter.clear(),
            (false, KeyCode::Char(c))
                if key.mods.without(Mods::SHIFT).is_empty() && self.filter.len() < 200 =>
            {
                self.filter.push(c);
                self.selected = 0;
            }
            _ => return Outcome::None,
        }
        Outcome::Redraw
    }

    fn resume(&self) -> Outcome {
        let shown = self.shown();
        let Some(row) = shown.get(self.selected.min(shown.len().saturating_sub(1))) else {
            return Outcome::None;
        };
        let pane = self.pane.to_string();
        let line = ["split-window", "-h", "-t", &pane, "--executor", &self.executor, "--resume", &row.id];
        Outcome::CloseAndRun(words(&line))
    }

    fn next_executor(&self) -> Outcome {
        let at = self.executors.iter().position(|name| *name == self.executor).unwrap_or(0);
        let Some(next) = self.executors.get((at + 1) % self.executors.len().max(1)) else {
            return Outcome::None;
        };
        Outcome::Run(words(&["resume-dialog", "-t", &self.pane.to_string(), "--executor", next]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_and_resumed() {
        let row =
            |id: &str, title: &str| NativeRow { id: id.into(), title: title.into(), ..NativeRow::default() };
        let mut list = NativeSessions {
            pane: PaneId(2),
            executor: "codex".into(),
            executors: vec!["claude".into(), "codex".into()],
            rows: vec![row("1a", "Totals"), row("2b", "Fix the cart")],
            ..NativeSessions::default()
        };
        let mut press =
            |keys: &str| keys.split(' ').fold(Outcome::None, |_, key| list.key(&key.parse().unwrap()));
        let resumed = |id: &str| {
            Outcome::CloseAndRun(words(&[
                "split-window",
                "-h",
                "-t",
                "%2",
                "--executor",
                "codex",
                "--resume",
                id,
            ]))
        };
        assert_eq!(press("Down Enter"), resumed("2b"));
        assert_eq!(press("t o t Enter"), resumed("1a"));
        assert_eq!(press("x Enter"), Outcome::None);
        let other = words(&["resume-dialog", "-t", "%2", "--executor", "claude"]);
        assert_eq!(press("Tab"), Outcome::Run(other));
        assert_eq!(press("Escape Escape"), Outcome::Close);
    }
}
