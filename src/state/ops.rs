//! Changes of the sessions, windows and panes that keep them consistent: no window without a pane, no session
//! without a window, every focus on something that exists.
use super::{Closes, Floating, NextIds, Pane, Session, State, StatusReport, Window};
use crate::mux::{
    PaneId, SessionId, WindowId,
    layout::{Axis, Layout, Rect, Share},
};
use std::path::{Path, PathBuf};

impl NextIds {
    /// The next pane's id.
    pub fn pane(&mut self) -> PaneId {
        self.pane += 1;
        PaneId(self.pane)
    }

    /// The next window's id.
    pub fn window(&mut self) -> WindowId {
        self.window += 1;
        WindowId(self.window)
    }

    /// The next session's id.
    pub fn session(&mut self) -> SessionId {
        self.session += 1;
        SessionId(self.session)
    }
}

/// Where a split puts the new pane.
#[derive(Clone, Copy, Debug)]
pub struct SplitPlace {
    /// Side by side or one above the other.
    pub axis: Axis,
    /// The new pane's share of the split pane's space.
    pub share: Share,
    /// The new pane comes first.
    pub before: bool,
}

impl State {
    /// A pane that nothing runs in yet.
    pub fn new_pane(&mut self, key: String, cwd: &Path, now: u64) -> PaneId {
        let id = self.next.pane();
        self.panes.insert(
            id,
            Pane {
                id,
                key,
                cwd: cwd.to_owned(),
                argv: Vec::new(),
                harness: None,
                title: String::new(),
                status: StatusReport::default(),
                status_since: now,
                pid: None,
                size: (80, 24),
                exit: None,
                refusal: None,
                notes: Vec::new(),
                input_off: false,
                question: None,
                popup: false,
                closes: Closes::Never,
                label: None,
                progress: None,
            },
        );
        id
    }

    /// A session with one window that holds `pane`.
    pub fn new_session(
        &mut self,
        name: String,
        workspace: PathBuf,
        size: (u16, u16),
        pane: PaneId,
    ) -> SessionId {
        let id = self.next.session();
        let window = self.bare_window(pane);
        self.git.entry(workspace.clone()).or_default();
        self.sessions.insert(
            id,
            Session {
                id,
                name,
                workspace,
                windows: vec![window],
                active: window,
                last: None,
                rehearse: false,
                size,
                manual: false,
                guide: None,
                vaults: Vec::new(),
                metadata: std::collections::BTreeMap::new(),
            },
        );
        id
    }

    fn bare_window(&mut self, pane: PaneId) -> WindowId {
        let id = self.next.window();
        self.windows.insert(id, Window::new(id, Layout::single(pane), pane));
        id
    }

    /// A window at the end of a session.
    pub fn new_window(&mut self, session: SessionId, pane: PaneId, show: bool) -> Option<WindowId> {
        self.sessions.get(&session)?;
        let id = self.bare_window(pane);
        let session = self.sessions.get_mut(&session)?;
        session.windows.push(id);
        if show {
            session.last = Some(session.active);
            session.active = id;
        }
        Some(id)
    }

    /// Puts `new` beside `target`; false when `target` is in no window.
    pub fn split(&mut self, target: PaneId, new: PaneId, place: SplitPlace, focus: bool) -> bool {
        let area = self.area_of(target);
        let Some(window) = self.windows.values_mut().find(|w| w.layout.contains(target)) else {
            return false;
        };
        window.zoomed = false;
        let done = window.layout.split(target, place.axis, new, place.share, place.before, area);
        if done && focus {
            window.last = Some(window.active);
            window.active = new;
        }
        done
    }

    /// Lifts a pane over the others of its window, in this frame; false when it is alone below.
    pub fn lift(&mut self, pane: PaneId, rect: (u16, u16, u16, u16)) -> bool {
        let Some(window) = self.windows.values_mut().find(|w| w.contains(pane)) else { return false };
        if let Some(floating) = window.floating.iter_mut().find(|floating| floating.pane == pane) {
            floating.rect = rect;
            return true;
        }
        if window.layout.panes().len() < 2 {
            return false;
        }
        window.layout.remove(pane);
        window.floating.push(Floating { pane, rect });
        window.zoomed = false;
        true
    }

    /// Puts a new pane over those of a window and focuses it.
    pub fn float(&mut self, window: WindowId, pane: PaneId, rect: (u16, u16, u16, u16)) {
        let Some(window) = self.windows.get_mut(&window) else { return };
        window.floating.push(Floating { pane, rect });
        window.zoomed = false;
        window.last = Some(window.active);
        window.active = pane;
    }

    /// Puts a pane that floats back among the others, beside one of them.
    pub fn land(&mut self, pane: PaneId) -> bool {
        let area = self.area_of(pane);
        let Some(window) = self.windows.values_mut().find(|w| w.floats(pane)) else { return false };
        let beside = window.last.filter(|last| window.layout.contains(*last));
        let Some(beside) = beside.or_else(|| window.layout.panes().first().copied()) else { return false };
        let axis = match window.layout.rect_of(beside, area) {
            // Cells are about twice as high as wide.
            Some(rect) if rect.w > rect.h.saturating_mul(2) => Axis::Horizontal,
            _ => Axis::Vertical,
        };
        window.floating.retain(|floating| floating.pane != pane);
        window.layout.split(beside, axis, pane, Share::Half, false, area)
    }

    /// The area that a pane's window tiles.
    pub fn area_of(&self, pane: PaneId) -> Rect {
        let size = self.window_of(pane).and_then(|w| self.session_of(w.id)).map_or((80, 23), |s| s.size);
        Rect::new(0, 0, size.0, size.1)
    }

    /// Focuses a pane and shows its window.
    pub fn focus(&mut self, pane: PaneId) {
        let Some(window) = self.windows.values_mut().find(|w| w.contains(pane)) else { return };
        if let Some(at) = window.floating.iter().position(|floating| floating.pane == pane) {
            // What has the keys lies on top.
            let floating = window.floating.remove(at);
            window.floating.push(floating);
        }
        if window.active != pane {
            window.last = Some(window.active);
            window.active = pane;
            window.zoomed = false;
        }
        let id = window.id;
        self.show(id);
    }

    /// Shows a window.
    pub fn show(&mut self, window: WindowId) {
        if let Some(session) = self.sessions.values_mut().find(|s| s.windows.contains(&window))
            && session.active != window
        {
            session.last = Some(session.active);
            session.active = window;
        }
    }

    /// Takes a pane out of its window without forgetting it; an emptied window and session end.
    pub fn take_out(&mut self, pane: PaneId) {
        let Some(window) = self.windows.values_mut().find(|w| w.contains(pane)) else { return };
        let order = window.panes();
        let at = order.iter().position(|p| *p == pane).unwrap_or(0);
        if order.len() == 1 {
            let id = window.id;
            self.remove_window(id);
            return;
        }
        window.layout.remove(pane);
        window.floating.retain(|floating| floating.pane != pane);
        window.zoomed = false;
        if window.layout.panes().is_empty() {
            // Something has to be below: the lowest of those that floated.
            let lowest = window.floating.remove(0);
            window.layout = Layout::single(lowest.pane);
        }
        let last = window.last.filter(|l| *l != pane && order.contains(l));
        if window.active == pane {
            let neighbour = order.get(if at == 0 { 1 } else { at - 1 }).copied();
            window.active = last.or(neighbour).unwrap_or(window.active);
            window.last = None;
        } else if window.last == Some(pane) {
            window.last = None;
        }
    }

    /// Forgets a pane; an emptied window and session end with it.
    pub fn remove_pane(&mut self, pane: PaneId) {
        self.take_out(pane);
        self.panes.remove(&pane);
        for client in self.clients.values_mut() {
            client.unseen.remove(&pane);
        }
    }

    /// Forgets an empty or unwanted window (its panes are the caller's to forget).
    pub fn remove_window(&mut self, window: WindowId) {
        self.windows.remove(&window);
        let Some(session) = self.sessions.values_mut().find(|s| s.windows.contains(&window)) else { return };
        let at = session.windows.iter().position(|w| *w == window).unwrap_or(0);
        session.windows.retain(|w| *w != window);
        if session.windows.is_empty() {
            let id = session.id;
            self.sessions.remove(&id);
            return;
        }
        let last = session.last.filter(|l| session.windows.contains(l));
        if session.active == window {
            let beside = session.windows.get(at.saturating_sub(1).min(session.windows.len() - 1)).copied();
            session.active = last.or(beside).unwrap_or(session.active);
            session.last = None;
        } else if session.last == Some(window) {
            session.last = None;
        }
    }

    /// Moves a window to a place of a session, counted from 0; the sessions whose last window left end.
    pub fn move_window(&mut self, window: WindowId, to: SessionId, at: usize, show: bool) {
        let Some(from) = self.session_of(window).map(|s| s.id) else { return };
        if !self.sessions.contains_key(&to) {
            return;
        }
        if let Some(session) = self.sessions.get_mut(&from) {
            let place = session.windows.iter().position(|w| *w == window).unwrap_or(0);
            session.windows.retain(|w| *w != window);
            if from != to {
                session.last = session.last.filter(|last| *last != window);
                if session.active == window {
                    let beside = session.windows.get(place.saturating_sub(1)).copied();
                    session.active = session.last.take().or(beside).unwrap_or(window);
                }
            }
            if session.windows.is_empty() && from != to {
                self.sessions.remove(&from);
            }
        }
        let Some(session) = self.sessions.get_mut(&to) else { return };
        session.windows.insert(at.min(session.windows.len()), window);
        if show && session.active != window {
            session.last = Some(session.active);
            session.active = window;
        }
    }

    /// Exchanges the places of two windows, which may be in two sessions.
    pub fn swap_windows(&mut self, a: WindowId, b: WindowId) {
        let places: Vec<(SessionId, usize)> = [a, b]
            .iter()
            .filter_map(|window| {
                let session = self.session_of(*window)?;
                Some((session.id, session.windows.iter().position(|w| w == window)?))
            })
            .collect();
        let [of_a, of_b] = places.as_slice() else { return };
        for ((session, at), (old, new)) in [(*of_a, (a, b)), (*of_b, (b, a))] {
            let Some(session) = self.sessions.get_mut(&session) else { continue };
            session.windows[at] = new;
            if of_a.0 != of_b.0 {
                // Another session's window has gone with its place.
                session.active = if session.active == old { new } else { session.active };
                session.last = session.last.filter(|last| *last != old);
            }
        }
    }

    /// Every pane of a session.
    pub fn panes_of(&self, session: SessionId) -> Vec<PaneId> {
        let Some(session) = self.sessions.get(&session) else { return Vec::new() };
        session.windows.iter().filter_map(|w| self.windows.get(w)).flat_map(Window::panes).collect()
    }

    /// A name that no session has: `wish`, `wish-2`, …
    pub fn free_session_name(&self, wish: &str) -> String {
        let taken = |name: &str| self.sessions.values().any(|s| s.name == name);
        let wish: String =
            wish.chars().map(|c| if matches!(c, ':' | '.') || c.is_control() { '_' } else { c }).collect();
        let wish = if wish.is_empty() { "session".to_owned() } else { wish };
        if !taken(&wish) {
            return wish;
        }
        (2..).map(|n| format!("{wish}-{n}")).find(|name| !taken(name)).unwrap_or(wish)
    }

    /// Names windows after what their active pane runs, where the user did not name them.
    pub fn name_windows(&mut self) {
        for window in self.windows.values_mut().filter(|w| !w.named) {
            let Some(pane) = self.panes.get(&window.active) else { continue };
            let name = match (&pane.harness, pane.argv.first()) {
                (Some(harness), _) => harness.route.executor.to_string(),
                (None, Some(program)) => Path::new(program)
                    .file_name()
                    .map(|n| n.to_string_lossy().into_owned())
                    .unwrap_or_default(),
                (None, None) => "shell".into(),
            };
            window.name = name;
        }
    }
}
