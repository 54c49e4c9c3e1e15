//! Resolves what a command means by `-t`.
use super::{Pane, Session, State, Window};
use crate::mux::{ClientId, PaneId, SessionId, WindowId};

/// Where a command comes from: what "current" means for it.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The attached client whose key ran it.
    pub client: Option<ClientId>,
    /// The pane that it was run in.
    pub pane: Option<PaneId>,
    /// The directory that it was run in.
    pub cwd: std::path::PathBuf,
}

impl State {
    /// The session of a window.
    pub fn session_of(&self, window: WindowId) -> Option<&Session> {
        self.sessions.values().find(|s| s.windows.contains(&window))
    }

    /// The window of a pane.
    pub fn window_of(&self, pane: PaneId) -> Option<&Window> {
        self.windows.values().find(|w| w.layout.contains(pane))
    }

    /// The pane with this ULID.
    pub fn pane_by_key(&self, key: &str) -> Option<&Pane> {
        self.panes.values().find(|p| p.key == key)
    }

    /// The pane with this ULID, to be changed.
    pub fn pane_by_key_mut(&mut self, key: &str) -> Option<&mut Pane> {
        self.panes.values_mut().find(|p| p.key == key)
    }

    /// The session that an origin is in: its client's, its pane's, its directory's, the newest.
    pub fn current_session(&self, origin: &Origin) -> Option<SessionId> {
        origin
            .client
            .and_then(|c| self.clients.get(&c))
            .map(|c| c.session)
            .or_else(|| {
                origin.pane.and_then(|p| self.window_of(p)).and_then(|w| self.session_of(w.id)).map(|s| s.id)
            })
            .or_else(|| self.sessions.values().rev().find(|s| s.workspace == origin.cwd).map(|s| s.id))
            .or_else(|| self.sessions.keys().next_back().copied())
    }

    /// Resolves a session target: `$1`, `=name`, `name`, a unique beginning of a name, with or without `:…` behind.
    ///
    /// # Errors
    /// A sentence naming what exists.
    pub fn find_session(&self, target: Option<&str>, origin: &Origin) -> Result<SessionId, String> {
        let none = || "no session; start one with: inspan new-session".to_owned();
        let Some(target) = target else { return self.current_session(origin).ok_or_else(none) };
        if target.starts_with(['%', '@']) {
            let pane = self.find_pane(Some(target), origin)?;
            let window = self.window_of(pane).ok_or_else(none)?;
            return self.session_of(window.id).map(|s| s.id).ok_or_else(none);
        }
        let name = target.split_once(':').map_or(target, |(name, _)| name);
        if name.is_empty() {
            return self.current_session(origin).ok_or_else(none);
        }
        if let Ok(id) = name.parse::<SessionId>() {
            return self.sessions.contains_key(&id).then_some(id).ok_or_else(|| self.no_session(name));
        }
        let (name, exact) = name.strip_prefix('=').map_or((name, false), |n| (n, true));
        if let Some(session) = self.sessions.values().find(|s| s.name == name) {
            return Ok(session.id);
        }
        let mut beginning = self.sessions.values().filter(|s| !exact && s.name.starts_with(name));
        match (beginning.next(), beginning.next()) {
            (Some(session), None) => Ok(session.id),
            _ => Err(self.no_session(name)),
        }
    }

    fn no_session(&self, name: &str) -> String {
        let known: Vec<&str> = self.sessions.values().map(|s| s.name.as_str()).collect();
        if known.is_empty() {
            format!("no session {name:?}; none is running")
        } else {
            format!("no session {name:?}; there is {}", known.join(", "))
        }
    }

    /// Resolves a window target: `@1`, `session:2`, `session:name`, `:2`, `2`, a window's or a session's name.
    ///
    /// # Errors
    /// A sentence naming what exists.
    pub fn find_window(&self, target: Option<&str>, origin: &Origin) -> Result<WindowId, String> {
        let Some(target) = target else {
            if origin.client.is_none()
                && let Some(window) = origin.pane.and_then(|p| self.window_of(p))
            {
                return Ok(window.id);
            }
            let session = self.find_session(None, origin)?;
            return self.sessions.get(&session).map(|s| s.active).ok_or_else(|| self.no_session(""));
        };
        if let Ok(id) = target.parse::<WindowId>() {
            return self.windows.contains_key(&id).then_some(id).ok_or_else(|| format!("no window {target}"));
        }
        if target.starts_with('%') {
            let pane = self.find_pane(Some(target), origin)?;
            return self.window_of(pane).map(|w| w.id).ok_or_else(|| format!("no pane {target}"));
        }
        let without_pane = match target.split_once(':') {
            Some((session, rest)) => (Some(session), rest.split('.').next().unwrap_or(rest)),
            None => (None, target.split('.').next().unwrap_or(target)),
        };
        let (session, window) = without_pane;
        if session.is_none() {
            // As tmux: a bare word is a session's name first when the current session has no such window.
            let current = self.current_session(origin).and_then(|s| self.sessions.get(&s));
            if let Some(found) = current.and_then(|s| self.window_in(s, window)) {
                return Ok(found);
            }
            let session = self.find_session(Some(window), origin)?;
            return self.sessions.get(&session).map(|s| s.active).ok_or_else(|| self.no_session(window));
        }
        let id = self.find_session(session, origin)?;
        let session = self.sessions.get(&id).ok_or_else(|| self.no_session(""))?;
        if window.is_empty() {
            return Ok(session.active);
        }
        self.window_in(session, window).ok_or_else(|| {
            let known: Vec<String> = session
                .windows
                .iter()
                .enumerate()
                .filter_map(|(i, w)| Some(format!("{} {}", i + 1, self.windows.get(w)?.name)))
                .collect();
            format!("no window {window:?} in session {}; there is {}", session.name, known.join(", "))
        })
    }

    fn window_in(&self, session: &Session, window: &str) -> Option<WindowId> {
        match window {
            "{last}" | "!" => return session.last,
            "{next}" | "+" => return self.window_beside(session, 1),
            "{previous}" | "-" => return self.window_beside(session, session.windows.len() - 1),
            _ => {}
        }
        if let Ok(id) = window.parse::<WindowId>() {
            return session.windows.contains(&id).then_some(id);
        }
        if let Ok(index) = window.parse::<usize>() {
            return index.checked_sub(1).and_then(|i| session.windows.get(i)).copied();
        }
        session.windows.iter().copied().find(|w| self.windows.get(w).is_some_and(|w| w.name == window))
    }

    /// The window `by` places after the active one, wrapping.
    pub fn window_beside(&self, session: &Session, by: usize) -> Option<WindowId> {
        let at = session.windows.iter().position(|w| *w == session.active)?;
        session.windows.get((at + by) % session.windows.len()).copied()
    }

    /// Resolves a pane target: `%1`, `session:window.pane`, `.2`, `{last}`, `{next}`, `{previous}`, or any window
    /// target, meaning its active pane.
    ///
    /// # Errors
    /// A sentence naming what exists.
    pub fn find_pane(&self, target: Option<&str>, origin: &Origin) -> Result<PaneId, String> {
        let Some(target) = target else {
            if origin.client.is_none()
                && let Some(pane) = origin.pane.filter(|p| self.panes.contains_key(p))
            {
                return Ok(pane);
            }
            let window = self.find_window(None, origin)?;
            return self.windows.get(&window).map(|w| w.active).ok_or_else(|| "no pane".to_owned());
        };
        if let Ok(id) = target.parse::<PaneId>() {
            return self.panes.contains_key(&id).then_some(id).ok_or_else(|| {
                let known: Vec<String> = self.panes.keys().map(ToString::to_string).collect();
                format!(
                    "no pane {target}; there is {}",
                    if known.is_empty() { "none".into() } else { known.join(" ") }
                )
            });
        }
        let special = |word: &str| matches!(word, "{last}" | "{next}" | "{previous}" | "+" | "-" | "!");
        let (window, pane) = match target.rsplit_once('.') {
            Some((window, pane)) if special(pane) || pane.parse::<usize>().is_ok() => {
                ((!window.is_empty()).then_some(window), Some(pane))
            }
            _ if special(target) => (None, Some(target)),
            _ => (Some(target), None),
        };
        let id = self.find_window(window, origin)?;
        let window = self.windows.get(&id).ok_or_else(|| format!("no window {id}"))?;
        let order = window.layout.panes();
        let at = order.iter().position(|p| *p == window.active).unwrap_or(0);
        let found = match pane {
            None => Some(window.active),
            Some("{last}" | "!") => window.last,
            Some("{next}" | "+") => order.get((at + 1) % order.len()).copied(),
            Some("{previous}" | "-") => order.get((at + order.len() - 1) % order.len()).copied(),
            Some(index) => {
                index.parse::<usize>().ok().and_then(|i| i.checked_sub(1)).and_then(|i| order.get(i)).copied()
            }
        };
        found.ok_or_else(|| format!("no pane {target}; the window has {}", order.len()))
    }
}
