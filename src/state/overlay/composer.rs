//! Owns the composer: a prompt of several lines, the panes that it goes to, what was sent before, and completing names.
use super::{Outcome, draft::Draft, words};
use crate::{
    mux::{
        PaneId,
        keys::{Key, KeyCode, Mods},
    },
    state::{ClientId, State, Status},
};
use std::{collections::BTreeSet, sync::Arc};

/// Panes that a key with Alt and a digit chooses.
const BY_DIGIT: usize = 9;
/// Names that are offered when a word can become several.
pub const OFFERED: usize = 6;

/// A prompt that is being written over a pane.
#[derive(Clone, Debug)]
pub struct Composer {
    /// The pane that it was opened on; the draft is kept for it.
    pub pane: PaneId,
    /// Where it goes.
    pub to: BTreeSet<PaneId>,
    /// What is written.
    pub draft: Draft,
    /// What was sent before, oldest first.
    pub history: Arc<Vec<String>>,
    /// Which of them is shown, and what was written before that.
    pub recalled: Option<(usize, String)>,
    /// Files of the workspace, relative to it, for completing.
    pub files: Arc<Vec<String>>,
    /// Names and texts of snippets.
    pub snippets: Arc<Vec<(String, String)>>,
    /// What a word could become.
    pub offered: Vec<String>,
    /// Why it was not sent.
    pub error: Option<String>,
}

/// Whether a pane takes a prompt, for the row of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Which.
    pub pane: PaneId,
    /// `%2 codex`.
    pub name: String,
    /// It is sent there.
    pub chosen: bool,
    /// What it does now, as far as that matters: `working`, `asks`.
    pub note: &'static str,
}

impl Composer {
    /// The harnesses that a prompt can go to: those of the session that the pane is in, and the pane itself.
    pub fn receivers(&self, state: &State) -> Vec<Receiver> {
        receivers(state, self.pane)
            .into_iter()
            .filter_map(|id| {
                let pane = state.panes.get(&id)?;
                let what = pane.harness.as_ref().map_or("shell", |h| h.route.executor.as_str());
                let note = match pane.status.status {
                    _ if pane.exit.is_some() => "ended",
                    Status::NeedsYou => "asks",
                    Status::Working | Status::Retrying | Status::Starting if pane.harness.is_some() => {
                        "queues"
                    }
                    _ => "",
                };
                let chosen = self.to.contains(&id);
                Some(Receiver { pane: id, name: format!("{id} {what}"), chosen, note })
            })
            .collect()
    }

    /// Takes a key.
    pub fn key(&mut self, key: &Key, state: &State, _client: ClientId) -> Outcome {
        self.error = None;
        let offered = std::mem::take(&mut self.offered);
        let alt = key.mods == Mods::ALT;
        match key.code {
            KeyCode::Enter if key.mods.is_empty() => return self.send(),
            KeyCode::Enter => self.draft.newline(),
            KeyCode::Char('j') if key.mods == Mods::CTRL => self.draft.newline(),
            KeyCode::Escape => return Outcome::Close,
            KeyCode::Char('c' | 'g') if key.mods == Mods::CTRL => return Outcome::Close,
            KeyCode::Char(c) if alt && c.is_ascii_digit() => self.toggle(c, state),
            KeyCode::Char('a') if alt => self.toggle_all(state),
            KeyCode::Char('p') if alt => self.recall(-1),
            KeyCode::Char('n') if alt => self.recall(1),
            KeyCode::Up if key.mods.is_empty() && self.draft.at_edge().0 => self.recall(-1),
            KeyCode::Down if key.mods.is_empty() && self.draft.at_edge().1 => self.recall(1),
            KeyCode::Tab if key.mods.is_empty() => self.complete(&offered),
            _ => {
                if !self.draft.key(key) {
                    return Outcome::None;
                }
            }
        }
        Outcome::Redraw
    }

    /// Adds pasted text.
    pub fn paste(&mut self, text: &str) -> Outcome {
        if !self.draft.insert(text) {
            self.error = Some("the text is too long; put it into a file and name that".into());
        }
        Outcome::Redraw
    }

    fn send(&mut self) -> Outcome {
        if self.draft.is_blank() {
            return Outcome::None;
        }
        if self.to.is_empty() {
            self.error = Some("it goes to no pane: M-1 to M-9 choose one, M-a all".into());
            return Outcome::Redraw;
        }
        let mut line = words(&["compose", "-t", &self.pane.to_string()]);
        for pane in &self.to {
            line.extend(words(&["--to", &pane.to_string()]));
        }
        line.extend(["--".to_owned(), self.draft.text()]);
        // It stays until it is sent: what goes wrong is said in it.
        Outcome::Run(line)
    }

    fn toggle(&mut self, digit: char, state: &State) {
        let at = digit.to_digit(10).and_then(|n| (n as usize).checked_sub(1)).filter(|at| *at < BY_DIGIT);
        let Some(pane) = at.and_then(|at| receivers(state, self.pane).get(at).copied()) else { return };
        if !self.to.remove(&pane) {
            self.to.insert(pane);
        }
    }

    /// To all, or when it goes to all already, to its own pane alone.
    fn toggle_all(&mut self, state: &State) {
        let all: BTreeSet<PaneId> = receivers(state, self.pane)
            .into_iter()
            .filter(|id| state.panes.get(id).is_some_and(|pane| pane.exit.is_none()))
            .collect();
        self.to = if self.to == all { [self.pane].into() } else { all };
    }

    /// Walks through what was sent; what was being written is the end of that walk.
    fn recall(&mut self, by: isize) {
        let (at, written) = match self.recalled.take() {
            Some((at, written)) => (at, written),
            None if by < 0 => (self.history.len(), self.draft.text()),
            None => return,
        };
        let to = at.saturating_add_signed(by).min(self.history.len());
        match self.history.get(to) {
            Some(text) => {
                self.draft = Draft::new(text);
                self.recalled = Some((to, written));
            }
            None => self.draft = Draft::new(&written),
        }
    }

    /// Completes the word before the cursor: `;name` to a snippet, anything else to a file, with `@` before it or not.
    fn complete(&mut self, offered: &[String]) {
        let word = self.draft.word().to_owned();
        if let Some(name) = word.strip_prefix(';') {
            let found: Vec<_> = self.snippets.iter().filter(|(known, _)| known.starts_with(name)).collect();
            match found.as_slice() {
                [] => self.error = Some("no snippet has that name".into()),
                [(_, text)] => {
                    let text = text.clone();
                    self.draft.replace_word(text.trim_end_matches('\n'));
                }
                several => self.offered = several.iter().map(|(name, _)| format!(";{name}")).collect(),
            }
            return;
        }
        let (mark, typed) = match word.strip_prefix('@') {
            Some(rest) => ("@", rest),
            None => ("", word.as_str()),
        };
        if typed.is_empty() && mark.is_empty() {
            self.draft.insert("    ");
            return;
        }
        let found = matching(&self.files, typed);
        match found.as_slice() {
            [] => self.error = Some(format!("no file here is named like {typed}")),
            [one] => self.draft.replace_word(&format!("{mark}{one} ")),
            several => {
                let common = common_start(several);
                // A second Tab takes the first that was offered.
                if !offered.is_empty() {
                    self.draft.replace_word(&format!("{mark}{} ", several[0]));
                    return;
                }
                if common.len() > typed.len() {
                    self.draft.replace_word(&format!("{mark}{common}"));
                }
                self.offered = several.iter().take(OFFERED).map(|name| (*name).to_owned()).collect();
            }
        }
    }
}

/// Harnesses of the pane's session in the order of their ids, and the pane itself, whatever runs in it.
fn receivers(state: &State, pane: PaneId) -> Vec<PaneId> {
    let session = state.window_of(pane).and_then(|window| state.session_of(window.id));
    let windows = session.map(|session| session.windows.clone()).unwrap_or_default();
    let mut all: BTreeSet<PaneId> = windows
        .iter()
        .filter_map(|window| state.windows.get(window))
        .flat_map(|window| window.layout.panes())
        .filter(|id| state.panes.get(id).is_some_and(|pane| pane.harness.is_some()))
        .collect();
    all.insert(pane);
    all.into_iter().collect()
}

/// Files whose path begins with what was typed; else whose name does; else that contain it.
fn matching<'a>(files: &'a [String], typed: &str) -> Vec<&'a str> {
    let name = |path: &'a str| path.rsplit('/').next().unwrap_or(path);
    let ways: [&dyn Fn(&'a str) -> bool; 3] =
        [&|path| path.starts_with(typed), &|path| name(path).starts_with(typed), &|path| {
            path.contains(typed)
        }];
    ways.into_iter()
        .map(|way| files.iter().map(String::as_str).filter(|path| way(path)).collect::<Vec<_>>())
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn common_start(names: &[&str]) -> String {
    let Some((first, rest)) = names.split_first() else { return String::new() };
    let same = |at: usize, c: char| rest.iter().all(|name| name[..].chars().nth(at) == Some(c));
    first.chars().enumerate().take_while(|(at, c)| same(*at, *c)).map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixture;

    fn composer() -> Composer {
        Composer {
            pane: PaneId(1),
            to: [PaneId(1)].into(),
            draft: Draft::default(),
            history: Arc::new(vec!["older".into(), "newer\nlines".into()]),
            recalled: None,
            files: Arc::new(vec!["README.md".into(), "src/main.rs".into(), "src/mapping.rs".into()]),
            snippets: Arc::new(vec![("review".into(), "Review it.\nBe brief.\n".into())]),
            offered: Vec::new(),
            error: None,
        }
    }

    fn press(composer: &mut Composer, keys: &str) -> Outcome {
        let state = fixture::state((120, 40));
        let mut last = Outcome::None;
        for key in keys.split(' ') {
            last = composer.key(&key.parse().unwrap(), &state, ClientId(1));
        }
        last
    }

    #[test]
    fn enter_sends_and_other_enters_begin_a_line() {
        let mut composer = composer();
        press(&mut composer, "a S-Enter b M-Enter c C-j d");
        assert_eq!(composer.draft.text(), "a\nb\nc\nd");
        let Outcome::Run(line) = press(&mut composer, "Enter") else { panic!("it is sent") };
        assert_eq!(line, ["compose", "-t", "%1", "--to", "%1", "--", "a\nb\nc\nd"]);
        let mut empty = self::composer();
        assert_eq!(press(&mut empty, "Space Enter"), Outcome::None);
    }

    #[test]
    fn history_is_walked_and_what_was_written_comes_back() {
        let mut composer = composer();
        press(&mut composer, "d r a f t Up");
        assert_eq!(composer.draft.text(), "newer\nlines");
        press(&mut composer, "Up");
        assert_eq!(composer.draft.text(), "newer\nlines", "up moves within the lines first");
        press(&mut composer, "Up");
        assert_eq!(composer.draft.text(), "older");
        press(&mut composer, "M-n M-n");
        assert_eq!(composer.draft.text(), "draft");
    }

    #[test]
    fn names_are_completed() {
        let mut composer = composer();
        press(&mut composer, "@ R Tab");
        assert_eq!(composer.draft.text(), "@README.md ");
        press(&mut composer, "s r c / m Tab");
        assert_eq!(composer.draft.text(), "@README.md src/ma");
        assert_eq!(composer.offered, ["src/main.rs", "src/mapping.rs"]);
        press(&mut composer, "p Tab");
        assert_eq!(composer.draft.text(), "@README.md src/mapping.rs ");
        press(&mut composer, "m a i n Tab ; r e Tab");
        assert_eq!(composer.draft.text(), "@README.md src/mapping.rs src/main.rs Review it.\nBe brief.");
        press(&mut composer, "Space n o n e Tab");
        assert!(composer.error.is_some());
    }
}
