//! Resolves what a command means by `-t`: takes the first reading of a target that exists.
use super::{Pane, Session, State, Window};
use crate::mux::{
    ClientId, PaneId, SessionId, WindowId,
    layout::Dir,
    target::{PaneRef, Path, SessionRef, Target, Wanted, WindowRef},
};

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
        self.windows.values().find(|w| w.contains(pane))
    }

    /// The pane with this ULID.
    pub fn pane_by_key(&self, key: &str) -> Option<&Pane> {
        self.panes.values().find(|p| p.key == key)
    }

    /// The session that an origin is in: its client's, its pane's, its directory's, the newest.
    pub fn current_session(&self, origin: &Origin) -> Option<SessionId> {
        let of_pane = |pane| self.window_of(pane).and_then(|w| self.session_of(w.id)).map(|s| s.id);
        origin
            .client
            .and_then(|c| self.clients.get(&c))
            .map(|c| c.session)
            .filter(|s| self.sessions.contains_key(s))
            .or_else(|| origin.pane.and_then(of_pane))
            .or_else(|| self.sessions.values().rev().find(|s| s.workspace == origin.cwd).map(|s| s.id))
            .or_else(|| self.sessions.keys().next_back().copied())
    }

    /// Resolves a session target.
    ///
    /// # Errors
    /// A sentence naming what exists.
    pub fn find_session(&self, target: Option<&str>, origin: &Origin) -> Result<SessionId, String> {
        self.resolve(target, Wanted::Session, |path| self.session_at(path, origin))
    }

    /// Resolves a window target.
    ///
    /// # Errors
    /// A sentence naming what exists.
    pub fn find_window(&self, target: Option<&str>, origin: &Origin) -> Result<WindowId, String> {
        self.resolve(target, Wanted::Window, |path| self.window_at(path, origin))
    }

    /// Resolves a pane target.
    ///
    /// # Errors
    /// A sentence naming what exists.
    pub fn find_pane(&self, target: Option<&str>, origin: &Origin) -> Result<PaneId, String> {
        self.resolve(target, Wanted::Pane, |path| self.pane_at(path, origin))
    }

    fn resolve<T>(
        &self,
        target: Option<&str>,
        wanted: Wanted,
        at: impl Fn(&Path) -> Option<T>,
    ) -> Result<T, String> {
        let text = target.unwrap_or_default();
        let parsed = Target::parse(text, wanted).map_err(|e| e.to_string())?;
        parsed.readings.iter().find_map(at).ok_or_else(|| self.nothing(text, wanted))
    }

    fn nothing(&self, text: &str, wanted: Wanted) -> String {
        if self.sessions.is_empty() {
            return "no session is running; start one with: inspan new-session".into();
        }
        let (what, known): (_, Vec<String>) = match wanted {
            Wanted::Session => ("session", self.sessions.values().map(|s| s.name.clone()).collect()),
            Wanted::Window => {
                ("window", self.windows.values().map(|w| format!("{} {}", w.id, w.name)).collect())
            }
            Wanted::Pane => ("pane", self.panes.keys().map(ToString::to_string).collect()),
        };
        format!("no {what} {text:?}; there is {}", known.join(", "))
    }

    fn session_at(&self, path: &Path, origin: &Origin) -> Option<SessionId> {
        match (&path.session, &path.window, &path.pane) {
            (Some(SessionRef::Id(id)), ..) => self.sessions.contains_key(id).then_some(*id),
            (Some(SessionRef::Name(name)), ..) => {
                name.choose(self.sessions.values().map(|s| (s.id, s.name.as_str()))).ok()
            }
            (None, Some(WindowRef::Id(id)), _) => self.session_of(*id).map(|s| s.id),
            (None, None, Some(PaneRef::Id(id))) => self.session_of(self.window_of(*id)?.id).map(|s| s.id),
            _ => self.current_session(origin),
        }
    }

    fn window_at(&self, path: &Path, origin: &Origin) -> Option<WindowId> {
        let beside = |session: &Session, by: i32| {
            let at = session.windows.iter().position(|w| *w == session.active)?;
            session.windows.get(around(at, by, session.windows.len())).copied()
        };
        let session = || self.sessions.get(&self.session_at(path, origin)?);
        match &path.window {
            Some(WindowRef::Id(id)) => self.windows.contains_key(id).then_some(*id),
            Some(WindowRef::Index(index)) => {
                session()?.windows.get(usize::try_from(*index).ok()?.checked_sub(1)?).copied()
            }
            Some(WindowRef::Name(name)) => {
                let windows = session()?.windows.iter().filter_map(|w| self.windows.get(w));
                name.choose(windows.map(|w| (w.id, w.name.as_str()))).ok()
            }
            Some(WindowRef::Offset(by)) => beside(session()?, *by),
            Some(WindowRef::Last) => session()?.last,
            Some(WindowRef::First) => session()?.windows.first().copied(),
            Some(WindowRef::End) => session()?.windows.last().copied(),
            None => match path.pane {
                Some(PaneRef::Id(id)) => self.window_of(id).map(|w| w.id),
                _ if path.session.is_none() && origin.client.is_none() && origin.pane.is_some() => {
                    let own = origin.pane.and_then(|p| self.window_of(p)).map(|w| w.id);
                    own.or_else(|| session().map(|s| s.active))
                }
                _ => session().map(|s| s.active),
            },
        }
    }

    fn pane_at(&self, path: &Path, origin: &Origin) -> Option<PaneId> {
        if let Some(PaneRef::Id(id)) = path.pane {
            return self.panes.contains_key(&id).then_some(id);
        }
        let window = self.windows.get(&self.window_at(path, origin)?)?;
        let order = window.panes();
        let at = order.iter().position(|p| *p == window.active).unwrap_or(0);
        let area = self.area_of(window.active);
        match path.pane {
            None => {
                // Run in a pane and nothing named: that pane, wherever the focus is.
                let own = origin.pane.filter(|p| origin.client.is_none() && window.contains(*p));
                let nothing_named = path.session.is_none() && path.window.is_none();
                Some(own.filter(|_| nothing_named).unwrap_or(window.active))
            }
            Some(PaneRef::Id(_) | PaneRef::Active) => Some(window.active),
            Some(PaneRef::Index(index)) => order.get(usize::try_from(index).ok()?.checked_sub(1)?).copied(),
            Some(PaneRef::Offset(by)) => order.get(around(at, by, order.len())).copied(),
            Some(PaneRef::Last) => window.last,
            Some(PaneRef::Beside(dir)) => window.layout.neighbour(window.active, dir, area, &[]),
            Some(PaneRef::Edge(first, second)) => {
                let corner = |dir: Dir| first == dir || second == Some(dir);
                let x = if corner(Dir::Right) { area.w.saturating_sub(1) } else { 0 };
                let y = if corner(Dir::Down) { area.h.saturating_sub(1) } else { 0 };
                window.layout.pane_at(x, y, area)
            }
        }
    }
}

/// The place `by` on from `at` among `count`, around the end.
fn around(at: usize, by: i32, count: usize) -> usize {
    let count = i64::try_from(count.max(1)).unwrap_or(1);
    let place = (i64::try_from(at).unwrap_or(0) + i64::from(by)).rem_euclid(count);
    usize::try_from(place).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mux::layout::Share, state::ops::SplitPlace};

    /// Two sessions; the first has a window of two panes and a window of one.
    fn state() -> State {
        let mut state = State::default();
        let dir = std::path::Path::new("/w");
        let a = state.new_pane("A".into(), dir, 0);
        let shop = state.new_session("shop".into(), dir.into(), (80, 23), a);
        let b = state.new_pane("B".into(), dir, 0);
        let place =
            SplitPlace { axis: crate::mux::layout::Axis::Horizontal, share: Share::Half, before: false };
        assert!(state.split(a, b, place, true));
        let c = state.new_pane("C".into(), dir, 0);
        state.new_window(shop, c, false).unwrap();
        let d = state.new_pane("D".into(), std::path::Path::new("/x"), 0);
        state.new_session("store".into(), "/x".into(), (80, 23), d);
        state
    }

    fn pane(text: &str) -> Result<String, String> {
        let origin = Origin { cwd: "/w".into(), ..Origin::default() };
        state().find_pane(Some(text), &origin).map(|p| p.to_string())
    }

    #[test]
    fn panes_are_found_by_every_notation() {
        for (text, found) in [
            ("%1", "%1"),
            ("", "%2"),
            ("shop:1.1", "%1"),
            ("shop:1.2", "%2"),
            ("shop:2", "%3"),
            ("store", "%4"),
            ("sto", "%4"),
            ("@2", "%3"),
            (".1", "%1"),
            ("{last}", "%1"),
            ("{next}", "%1"),
            ("{left-of}", "%1"),
            ("{right}", "%2"),
            ("shop:{next}", "%3"),
            ("$2:", "%4"),
        ] {
            assert_eq!(pane(text).as_deref(), Ok(found), "{text:?}");
        }
    }

    #[test]
    fn what_is_missing_is_answered_with_what_there_is() {
        assert!(pane("%9").unwrap_err().contains("%1, %2, %3, %4"));
        assert!(pane("nosuch").is_err());
        let origin = Origin::default();
        assert!(state().find_session(Some("s"), &origin).is_err(), "both begin so");
        assert!(state().find_session(Some("=sho"), &origin).unwrap_err().contains("shop, store"));
        assert!(State::default().find_pane(None, &origin).unwrap_err().contains("new-session"));
    }

    #[test]
    fn a_command_in_a_pane_means_that_pane() {
        let state = state();
        let origin = Origin { pane: Some(PaneId(1)), cwd: "/elsewhere".into(), client: None };
        assert_eq!(state.find_pane(None, &origin), Ok(PaneId(1)));
        assert_eq!(state.find_session(None, &origin), Ok(SessionId(1)));
    }
}
