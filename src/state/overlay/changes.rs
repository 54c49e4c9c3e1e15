//! Owns the changes view: files since HEAD with the turns that touched them, and the patch of the chosen one.
use super::{Outcome, words};
use crate::mux::{
    PaneId,
    keys::{Key, KeyCode, Mods},
};

/// Lines that a page key moves.
const PAGE: usize = 10;

/// What changed in a workspace.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The pane whose workspace it is.
    pub pane: PaneId,
    /// `main 3f2c9aa`.
    pub head: String,
    /// The files.
    pub files: Vec<FileRow>,
    /// How many more there are.
    pub more: usize,
    /// Files that two working harnesses write, a line each.
    pub warnings: Vec<String>,
    /// The chosen file.
    pub selected: usize,
    /// First line shown of its patch.
    pub scroll: usize,
}

/// One changed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileRow {
    /// Relative to the top of the working tree.
    pub path: String,
    /// `A`, `D`, `M` or `T`.
    pub what: char,
    /// The index holds a change of it.
    pub staged: bool,
    /// Who touched it: `%1 turn 3 of claude, %2 turn 1 of codex`.
    pub by: String,
    /// The checkpoint before it was touched last, and that turn.
    pub before: Option<(u64, String)>,
    /// From HEAD to now, line by line.
    pub patch: Vec<String>,
}

impl Changes {
    /// The chosen file.
    pub fn chosen(&self) -> Option<&FileRow> {
        self.files.get(self.selected.min(self.files.len().saturating_sub(1)))
    }

    /// Takes a key.
    pub fn key(&mut self, key: &Key) -> Outcome {
        let ctrl = key.mods == Mods::CTRL;
        if !ctrl && !key.mods.without(Mods::SHIFT).is_empty() {
            return Outcome::None;
        }
        let last = self.files.len().saturating_sub(1);
        let end = self.chosen().map_or(0, |file| file.patch.len().saturating_sub(1));
        match (ctrl, key.code) {
            (false, KeyCode::Escape | KeyCode::Char('q')) | (true, KeyCode::Char('c' | 'g')) => {
                return Outcome::Close;
            }
            (false, KeyCode::Down | KeyCode::Char('j')) | (true, KeyCode::Char('n')) => {
                (self.selected, self.scroll) = ((self.selected + 1).min(last), 0);
            }
            (false, KeyCode::Up | KeyCode::Char('k')) | (true, KeyCode::Char('p')) => {
                (self.selected, self.scroll) = (self.selected.min(last).saturating_sub(1), 0);
            }
            (false, KeyCode::Home | KeyCode::Char('g')) => (self.selected, self.scroll) = (0, 0),
            (false, KeyCode::End | KeyCode::Char('G')) => (self.selected, self.scroll) = (last, 0),
            (false, KeyCode::PageDown | KeyCode::Char(' ')) | (true, KeyCode::Char('d' | 'f')) => {
                self.scroll = (self.scroll + PAGE).min(end);
            }
            (false, KeyCode::PageUp) | (true, KeyCode::Char('u' | 'b')) => {
                self.scroll = self.scroll.saturating_sub(PAGE);
            }
            (false, KeyCode::Char('s')) => return self.run(|file| vec!["--stage".into(), file.path.clone()]),
            (false, KeyCode::Char('u')) => {
                return self.run(|file| vec!["--unstage".into(), file.path.clone()]);
            }
            (false, KeyCode::Char('c')) if self.files.iter().any(|file| file.staged) => {
                let line = format!("changes -t {} --commit '", self.pane);
                return Outcome::CloseAndRun(words(&["command-prompt", "-I", &line]));
            }
            (false, KeyCode::Char('x')) => return self.discard(),
            (false, KeyCode::Char('r')) => return Outcome::Run(self.line()),
            _ => return Outcome::None,
        }
        Outcome::Redraw
    }

    fn line(&self) -> Vec<String> {
        words(&["changes", "-t", &self.pane.to_string()])
    }

    fn run(&self, more: impl FnOnce(&FileRow) -> Vec<String>) -> Outcome {
        match self.chosen() {
            Some(file) => Outcome::Run([self.line(), more(file)].concat()),
            None => Outcome::None,
        }
    }

    /// Back to the checkpoint before the turn that touched it last, after a question.
    fn discard(&self) -> Outcome {
        let Some(file) = self.chosen() else { return Outcome::None };
        let Some((id, turn)) = &file.before else { return Outcome::None };
        let question = format!("bring {} back to checkpoint {id}, before {turn}?", file.path);
        let mut line = words(&["confirm-before", "-p", &question, "changes", "-t", &self.pane.to_string()]);
        line.extend(["--discard".to_owned(), file.path.clone(), "--to".into(), id.to_string()]);
        Outcome::CloseAndRun(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> Changes {
        let file = |path: &str, staged| FileRow {
            path: path.into(),
            what: 'M',
            staged,
            by: "%1 turn 2 of claude".into(),
            before: Some((4, "%1 turn 2 of claude".into())),
            patch: (0..30).map(|n| format!("+line {n}")).collect(),
        };
        Changes { pane: PaneId(1), files: vec![file("a", false), file("b", true)], ..Changes::default() }
    }

    fn press(view: &mut Changes, keys: &str) -> Outcome {
        keys.split(' ').fold(Outcome::None, |_, key| view.key(&key.parse().unwrap()))
    }

    fn runs(line: &str) -> Vec<String> {
        crate::commands::split_words(line).unwrap()
    }

    #[test]
    fn files_are_walked_and_patches_read() {
        let mut view = view();
        press(&mut view, "Space Space Space Space");
        assert_eq!(view.scroll, 29);
        press(&mut view, "j j");
        assert_eq!((view.selected, view.scroll), (1, 0));
        assert_eq!(press(&mut view, "q"), Outcome::Close);
    }

    #[test]
    fn letters_stage_commit_and_discard() {
        let mut view = view();
        assert_eq!(press(&mut view, "s"), Outcome::Run(runs("changes -t %1 --stage a")));
        assert_eq!(press(&mut view, "j u"), Outcome::Run(runs("changes -t %1 --unstage b")));
        let asked = "confirm-before -p 'bring b back to checkpoint 4, before %1 turn 2 of claude?' changes -t %1 \
                     --discard b --to 4";
        assert_eq!(press(&mut view, "x"), Outcome::CloseAndRun(runs(asked)));
        assert!(matches!(press(&mut view, "c"), Outcome::CloseAndRun(line) if line[0] == "command-prompt"));
        view.files.iter_mut().for_each(|file| (file.staged, file.before) = (false, None));
        assert_eq!(press(&mut view, "c"), Outcome::None, "nothing is staged");
        assert_eq!(press(&mut view, "x"), Outcome::None, "no checkpoint holds it");
    }
}
