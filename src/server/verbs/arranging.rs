//! Verbs that arrange windows and panes.
use super::{Answer, Outcome, silent};
use crate::{
    commands::{ArrangeVerb, Extent, Respawn, Target, Toward},
    mux::{
        PaneId, SessionId, WindowId,
        layout::{Axis, Dir, Layout, Share},
        presets::Preset,
    },
    server::{Server, reply::Failure},
    state::{Window, ops::SplitPlace, target::Origin},
    ui,
};
use std::str::FromStr;

/// The part of a window that a pane takes when it is lifted without a size, in percent of each side.
const FLOAT_PERCENT: u16 = 60;

/// What `-x`, `-y`, `-X` and `-Y` say of a pane that floats.
pub(super) type Frame = (Option<Extent>, Option<Extent>, Option<u16>, Option<u16>);

/// Which place of a window list is meant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    pub after: bool,
    pub before: bool,
}

impl Server {
    pub(super) fn arrange(&mut self, verb: ArrangeVerb, origin: &Origin) -> Answer {
        match verb {
            ArrangeVerb::SelectWindow { target, next, previous, last, toggle } => {
                let word = match (next, previous, last) {
                    (true, ..) => Some("{next}"),
                    (_, true, _) => Some("{previous}"),
                    (.., true) => Some("{last}"),
                    _ => None,
                };
                let shown = self.state.find_window(target.target.as_deref(), origin).ok();
                let active = shown.and_then(|w| self.state.session_of(w)).map(|s| s.active);
                let word = if toggle && shown == active { Some("{last}") } else { word };
                let session = word.filter(|_| toggle).and(shown).and_then(|w| self.state.session_of(w));
                match session.map(|s| s.id.to_string()) {
                    Some(session) => self.select_window(Some(&session), word, origin),
                    None => self.select_window(target.target.as_deref(), word, origin),
                }
            }
            ArrangeVerb::NextWindow { target, alert: true } => self.alerted_window(&target, 1, origin),
            ArrangeVerb::PreviousWindow { target, alert: true } => self.alerted_window(&target, -1, origin),
            ArrangeVerb::NextWindow { target, .. } => {
                self.select_window(target.target.as_deref(), Some("{next}"), origin)
            }
            ArrangeVerb::PreviousWindow { target, .. } => {
                self.select_window(target.target.as_deref(), Some("{previous}"), origin)
            }
            ArrangeVerb::LastWindow { target } => {
                self.select_window(target.target.as_deref(), Some("{last}"), origin)
            }
            ArrangeVerb::RenameWindow { target, name } => self.rename_window(&target, name, origin),
            ArrangeVerb::MoveWindow { target, source, after, before, detached, kill, renumber } => {
                if renumber && source.is_none() {
                    return silent();
                }
                let beside = Beside { after, before };
                self.move_window(&target, source.as_deref(), beside, detached, kill, origin)
            }
            ArrangeVerb::SwapWindow { target, source, detached } => {
                self.swap_window(&target, source.as_deref(), detached, origin)
            }
            ArrangeVerb::RotateWindow { target, down, zoomed, .. } => {
                self.rotate_window(&target, down, zoomed, origin)
            }
            ArrangeVerb::ResizeWindow { target, toward, cols, rows, largest, smallest, by } => {
                self.resize_window(&target, toward, (cols, rows), largest || smallest, by, origin)
            }
            ArrangeVerb::RespawnWindow { target, kill, dir, command } => {
                let id = self.state.find_window(target.target.as_deref(), origin)?;
                let panes = self.state.windows.get(&id).map(Window::panes).unwrap_or_default();
                let [pane] = panes.as_slice() else {
                    return Err(Failure::Failed(format!("{id} has more than one pane; use respawn-pane")));
                };
                let target = Target { target: Some(pane.to_string()) };
                self.respawn_pane(&target, kill, Respawn::Fresh, (dir, command), origin)
            }
            ArrangeVerb::SelectLayout { target, undo, spread, next, previous, name } => {
                self.select_layout(&target, (undo, spread, next, previous), name.as_deref(), origin)
            }
            ArrangeVerb::NextLayout { target } => {
                self.select_layout(&target, (false, false, true, false), None, origin)
            }
            ArrangeVerb::PreviousLayout { target } => {
                self.select_layout(&target, (false, false, false, true), None, origin)
            }
            verb @ ArrangeVerb::SelectPane { .. } => self.select_pane(verb, origin),
            ArrangeVerb::LastPane { target, zoomed } => {
                let window = self.state.find_window(target.target.as_deref(), origin)?;
                let window = self.state.windows.get(&window).ok_or("the window is gone")?;
                let last = window.last.ok_or("no last pane")?;
                let id = window.id;
                let was = window.zoomed;
                self.focus_pane(last);
                self.keep_zoom(id, was && zoomed);
                silent()
            }
            verb @ ArrangeVerb::ResizePane { .. } => self.resize_pane(verb, origin),
            verb @ ArrangeVerb::SwapPane { .. } => self.swap_pane(verb, origin),
            verb @ ArrangeVerb::BreakPane { .. } => self.break_pane(verb, origin),
            verb @ ArrangeVerb::JoinPane { .. } => self.join_pane(verb, origin),
            ArrangeVerb::FloatPane { target, cols, rows, left, top } => {
                self.float_pane(&target, (cols, rows, left, top), origin)
            }
        }
    }

    /// Zooms again what a change of focus or place had taken out of its zoom.
    fn keep_zoom(&mut self, window: WindowId, zoomed: bool) {
        if let Some(window) = self.state.windows.get_mut(&window).filter(|_| zoomed) {
            window.zoomed = window.panes().len() > 1;
            self.look_again();
        }
    }

    /// The next window of a session in which somebody is waited for.
    fn alerted_window(&mut self, target: &Target, by: isize, origin: &Origin) -> Answer {
        let session = self.state.find_session(target.target.as_deref(), origin)?;
        let session = self.state.sessions.get(&session).ok_or("the session ended")?;
        let count = session.windows.len();
        let at = session.windows.iter().position(|w| *w == session.active).unwrap_or(0);
        let order = (1..count).map(|step| {
            let step = if by < 0 { count - step } else { step };
            session.windows[(at + step) % count]
        });
        let found = order.into_iter().find(|window| {
            let panes = self.state.windows.get(window).map(Window::panes).unwrap_or_default();
            panes.iter().any(|pane| self.wants_somebody(*pane).is_some())
        });
        let window = found.ok_or("no other window needs you")?;
        self.select_window(Some(&window.to_string()), None, origin)
    }

    /// A place in a session's list of windows: `shop:3`, `3`, `shop:`, or that of a window.
    fn window_place(
        &self,
        target: Option<&str>,
        origin: &Origin,
    ) -> Result<(SessionId, Option<usize>), Failure> {
        let text = target.unwrap_or_default();
        let (session, window) = match text.rsplit_once(':') {
            Some((session, window)) => (Some(session).filter(|s| !s.is_empty()), window),
            None => (None, text),
        };
        if !window.is_empty() && window.bytes().all(|b| b.is_ascii_digit()) {
            let session = self.state.find_session(session, origin)?;
            return Ok((session, window.parse().ok()));
        }
        if text.ends_with(':') || text.is_empty() {
            return Ok((self.state.find_session(session, origin)?, None));
        }
        match self.state.find_window(Some(text), origin) {
            Ok(window) => {
                let session = self.state.session_of(window).ok_or("the window is in no session")?;
                let at = session.windows.iter().position(|w| *w == window).map(|at| at + 1);
                // A bare session's name means its end, as any session does.
                let named = self.state.find_session(Some(text), origin).is_ok() && !text.contains(':');
                Ok((session.id, at.filter(|_| !named || text.starts_with('@'))))
            }
            Err(why) => match self.state.find_session(Some(text), origin) {
                Ok(session) => Ok((session, None)),
                Err(_) => Err(why.into()),
            },
        }
    }

    /// Where in a list of windows something goes, counted from 0, and what is there.
    pub(super) fn place_for(
        &self,
        target: Option<&str>,
        beside: Beside,
        origin: &Origin,
    ) -> Result<(SessionId, usize), Failure> {
        let (session, number) = self.window_place(target, origin)?;
        let shown = self.state.sessions.get(&session);
        let count = shown.map_or(0, |s| s.windows.len());
        let active = shown.and_then(|s| s.windows.iter().position(|w| *w == s.active)).unwrap_or(0);
        let at = match (number, beside) {
            (number, Beside { after: true, .. }) => number.unwrap_or(active + 1),
            (number, Beside { before: true, .. }) => number.unwrap_or(active + 1).saturating_sub(1),
            (Some(number), _) => number.saturating_sub(1),
            (None, _) => count,
        };
        Ok((session, at.min(count)))
    }

    /// Panes keep what they are only in a session over the same workspace; shells and programs go anywhere.
    fn may_move(&self, panes: &[PaneId], from: SessionId, to: SessionId) -> Result<(), Failure> {
        let place = |id: &SessionId| self.state.sessions.get(id).map(|s| (&s.workspace, s.rehearse));
        let harness = panes.iter().find(|id| self.state.panes.get(id).is_some_and(|p| p.harness.is_some()));
        match harness.filter(|_| from != to && place(&from) != place(&to)) {
            Some(pane) => Err(Failure::Failed(format!(
                "{pane} runs a harness in the workspace of its session; it cannot go to a session over another one"
            ))),
            None => Ok(()),
        }
    }

    fn move_window(
        &mut self,
        target: &Target,
        source: Option<&str>,
        beside: Beside,
        detached: bool,
        kill: bool,
        origin: &Origin,
    ) -> Answer {
        let window = self.state.find_window(source, origin)?;
        let (to, mut at) = self.place_for(target.target.as_deref(), beside, origin)?;
        let from = self.state.session_of(window).map(|s| s.id).ok_or("the window is in no session")?;
        let panes = self.state.windows.get(&window).map(Window::panes).unwrap_or_default();
        self.may_move(&panes, from, to)?;
        let there = self.state.sessions.get(&to).and_then(|s| s.windows.get(at)).copied();
        let own = self.state.sessions.get(&to).and_then(|s| s.windows.iter().position(|w| *w == window));
        if own.is_some_and(|own| own < at) && (beside.after || beside.before) {
            at -= 1;
        }
        self.state.move_window(window, to, at, !detached);
        if let Some(there) = there.filter(|there| kill && *there != window) {
            for pane in self.state.windows.get(&there).map(Window::panes).unwrap_or_default() {
                self.close_pane(pane);
            }
        }
        if !self.state.sessions.contains_key(&from) {
            self.session_ended(from);
        }
        self.look_again();
        silent()
    }

    fn swap_window(
        &mut self,
        target: &Target,
        source: Option<&str>,
        detached: bool,
        origin: &Origin,
    ) -> Answer {
        let (a, b) = (
            self.state.find_window(source, origin)?,
            self.state.find_window(target.target.as_deref(), origin)?,
        );
        let session =
            |window| self.state.session_of(window).map(|s| s.id).ok_or("the window is in no session");
        let (of_a, of_b) = (session(a)?, session(b)?);
        for (window, from, to) in [(a, of_a, of_b), (b, of_b, of_a)] {
            let panes = self.state.windows.get(&window).map(Window::panes).unwrap_or_default();
            self.may_move(&panes, from, to)?;
        }
        self.state.swap_windows(a, b);
        if !detached && of_a == of_b {
            self.state.show(a);
        }
        self.look_again();
        silent()
    }

    fn rotate_window(&mut self, target: &Target, down: bool, zoomed: bool, origin: &Origin) -> Answer {
        let id = self.state.find_window(target.target.as_deref(), origin)?;
        let Some(window) = self.state.windows.get_mut(&id) else { return silent() };
        let was = std::mem::take(&mut window.zoomed);
        let before = window.layout.panes();
        window.layout.rotate(down);
        // The focus stays at its place on the screen.
        if let Some(at) = before.iter().position(|pane| *pane == window.active)
            && let Some(pane) = window.layout.panes().get(at).copied()
        {
            window.last = Some(window.active);
            window.active = pane;
        }
        self.keep_zoom(id, was && zoomed);
        self.look_again();
        silent()
    }

    fn resize_window(
        &mut self,
        target: &Target,
        toward: Toward,
        (cols, rows): (Option<u16>, Option<u16>),
        by_clients: bool,
        by: u16,
        origin: &Origin,
    ) -> Answer {
        let id = self.state.find_window(target.target.as_deref(), origin)?;
        let id = self.state.session_of(id).map(|s| s.id).ok_or("the window is in no session")?;
        if let Some(session) = self.state.sessions.get_mut(&id) {
            session.manual = !by_clients;
            let (mut width, mut height) = (cols.unwrap_or(session.size.0), rows.unwrap_or(session.size.1));
            match toward.dir().filter(|_| !by_clients) {
                Some(Dir::Left) => width = width.saturating_sub(by),
                Some(Dir::Right) => width = width.saturating_add(by),
                Some(Dir::Up) => height = height.saturating_sub(by),
                Some(Dir::Down) => height = height.saturating_add(by),
                None => {}
            }
            let (most_cols, most_rows) =
                (*crate::term::emulator::COLS.end(), *crate::term::emulator::ROWS.end());
            session.size = (width.clamp(1, most_cols), height.clamp(1, most_rows));
        }
        self.fit_session(id);
        self.touch();
        silent()
    }

    fn select_layout(
        &mut self,
        target: &Target,
        (undo, spread, next, previous): (bool, bool, bool, bool),
        name: Option<&str>,
        origin: &Origin,
    ) -> Answer {
        // tmux takes a pane here, too.
        let pane = self.state.find_pane(target.target.as_deref(), origin).ok();
        let id = match pane.and_then(|pane| self.state.window_of(pane)) {
            Some(window) => window.id,
            None => self.state.find_window(target.target.as_deref(), origin)?,
        };
        let Some(window) = self.state.windows.get_mut(&id) else { return silent() };
        if undo {
            let before = window.earlier.pop().ok_or("no earlier layout of these panes is known")?;
            window.layout = before;
        } else if spread {
            window.layout.spread(pane.unwrap_or(window.active));
        } else if let Some(text) = name.filter(|name| name.contains(',')) {
            window.layout = Layout::from_text(text, &window.layout.panes())
                .map_err(|error| Failure::Failed(error.to_string()))?;
        } else {
            let last = self.last_preset.get(&id).copied();
            let preset = match name {
                Some(name) => Preset::from_str(name).map_err(|e| Failure::Usage(e.to_string()))?,
                None if next => last.map_or(Preset::ALL[0], Preset::next),
                None if previous => last.map_or(Preset::Tiled, Preset::previous),
                None => last.ok_or(
                    "which layout? even-horizontal, even-vertical, main-horizontal, main-vertical or tiled",
                )?,
            };
            self.last_preset.insert(id, preset);
            window.layout.apply_preset(preset);
        }
        window.zoomed = false;
        self.look_again();
        silent()
    }

    fn select_pane(&mut self, verb: ArrangeVerb, origin: &Origin) -> Answer {
        let ArrangeVerb::SelectPane { target, toward, last, next, zoomed, title, disable, enable } = verb
        else {
            return silent();
        };
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        if disable || enable {
            if let Some(pane) = self.state.panes.get_mut(&pane) {
                pane.input_off = disable;
            }
            self.touch();
            return silent();
        }
        if let Some(title) = title {
            let title: String = title.chars().filter(|c| !c.is_control()).collect();
            if let Some(pane) = self.state.panes.get_mut(&pane) {
                pane.label = Some(title).filter(|title| !title.is_empty());
            }
            self.touch();
            return silent();
        }
        let window = self.state.window_of(pane).ok_or("the pane is in no window")?;
        let (id, was) = (window.id, window.zoomed);
        let area = self.state.area_of(pane);
        let to = if let Some(dir) = toward.dir() {
            let recent: Vec<PaneId> = window.last.into_iter().collect();
            window.layout.neighbour(pane, dir, area, &recent)
        } else if last {
            window.last
        } else if next {
            window.layout.next(pane)
        } else {
            Some(pane)
        };
        if let Some(to) = to {
            self.focus_pane(to);
            self.keep_zoom(id, was && zoomed);
        }
        silent()
    }

    fn resize_pane(&mut self, verb: ArrangeVerb, origin: &Origin) -> Answer {
        let ArrangeVerb::ResizePane { target, zoom, toward, cols, rows, by } = verb else { return silent() };
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        let area = self.state.area_of(pane);
        let window = self.state.window_of(pane).map(|w| w.id).ok_or("the pane is in no window")?;
        let Some(window) = self.state.windows.get_mut(&window) else { return silent() };
        // What is asked for is the program's; the pane's own border comes on top.
        let border = if ui::has_borders((area.w, area.h)) { 2 } else { 0 };
        let cols = cols.map(|cols| cols.of(area.w).saturating_add(border));
        let rows = rows.map(|rows| rows.of(area.h).saturating_add(border));
        if zoom {
            let alone = window.panes().len() == 1;
            let shown = window.zoomed && window.active == pane;
            window.zoomed = !(alone || shown);
            if window.active != pane {
                window.last = Some(window.active);
                window.active = pane;
            }
        } else if let Some(floating) = window.floating.iter_mut().find(|floating| floating.pane == pane) {
            let (_, _, width, height) = &mut floating.rect;
            match toward.dir() {
                Some(Dir::Left) => *width = width.saturating_sub(by),
                Some(Dir::Right) => *width = width.saturating_add(by),
                Some(Dir::Up) => *height = height.saturating_sub(by),
                Some(Dir::Down) => *height = height.saturating_add(by),
                None => {}
            }
            *width = cols.unwrap_or(*width);
            *height = rows.unwrap_or(*height);
        } else {
            window.zoomed = false;
            if let Some(dir) = toward.dir() {
                window.layout.resize(pane, dir, by, area);
            }
            if cols.is_some() || rows.is_some() {
                window.layout.resize_to(pane, cols, rows, area);
            }
        }
        self.look_again();
        silent()
    }

    fn swap_pane(&mut self, verb: ArrangeVerb, origin: &Origin) -> Answer {
        let ArrangeVerb::SwapPane { target, source, up, down, detached, zoomed } = verb else {
            return silent();
        };
        let a = self.state.find_pane(target.target.as_deref(), origin)?;
        let window = self.state.window_of(a).ok_or("the pane is in no window")?;
        let b = match source {
            Some(source) => Some(self.state.find_pane(Some(&source), origin)?),
            None if up => window.layout.previous(a),
            None if down => window.layout.next(a),
            None => self.state.find_pane(None, origin).ok(),
        };
        let Some(b) = b.filter(|b| *b != a) else {
            return Err(Failure::Usage("swap with which? -s, -U or -D".into()));
        };
        let id = window.id;
        let was = window.zoomed;
        let other = self.state.window_of(b).map(|w| w.id).ok_or("the pane is in no window")?;
        if other == id {
            if let Some(window) = self.state.windows.get_mut(&id) {
                window.layout.swap(a, b);
                window.zoomed = false;
                // As tmux: the target keeps the keys wherever it goes, with -d the place keeps them.
                let keys = match detached {
                    false => a,
                    true if window.active == a => b,
                    true if window.active == b => a,
                    true => window.active,
                };
                if keys != window.active {
                    window.last = Some(window.active);
                    window.active = keys;
                }
            }
        } else {
            let session = |w| self.state.session_of(w).map(|s| s.id).ok_or("the pane is in no session");
            let (of_a, of_b) = (session(id)?, session(other)?);
            self.may_move(&[a], of_a, of_b)?;
            self.may_move(&[b], of_b, of_a)?;
            for (window, old, new) in [(id, a, b), (other, b, a)] {
                if let Some(window) = self.state.windows.get_mut(&window) {
                    window.layout.replace(old, new);
                    window.zoomed = false;
                    if window.active == old || !detached {
                        window.active = new;
                    }
                    window.last = window.last.filter(|l| *l != old && *l != new);
                }
            }
        }
        self.keep_zoom(id, was && zoomed);
        self.look_again();
        silent()
    }

    fn break_pane(&mut self, verb: ArrangeVerb, origin: &Origin) -> Answer {
        let ArrangeVerb::BreakPane { target, source, after, before, name, detached, print, format } = verb
        else {
            return silent();
        };
        // Without -s the target is the pane, as it was before -s was known here.
        let (pane, place) = match &source {
            Some(source) => (self.state.find_pane(Some(source), origin)?, target.target.as_deref()),
            None => (self.state.find_pane(target.target.as_deref(), origin)?, None),
        };
        let window = self.state.window_of(pane).ok_or("the pane is in no window")?;
        if window.panes().len() == 1 {
            return Err(Failure::Failed(format!("{pane} is alone in its window already")));
        }
        let home = window.id;
        let session = self.state.session_of(home).map(|s| s.id).ok_or("the pane is in no session")?;
        let beside = Beside { after, before };
        let (to, at) = match place {
            None if !after && !before => (session, usize::MAX),
            None => self.place_for(Some(&home.to_string()), beside, origin)?,
            Some(place) => self.place_for(Some(place), beside, origin)?,
        };
        self.may_move(&[pane], session, to)?;
        self.state.take_out(pane);
        let id = self.state.new_window(to, pane, false).ok_or("the session ended")?;
        self.state.move_window(id, to, at, !detached);
        if let (Some(name), Some(window)) = (name, self.state.windows.get_mut(&id)) {
            window.name = name;
            window.named = true;
        }
        self.look_again();
        if !print && format.is_none() {
            return silent();
        }
        let format = format.unwrap_or_else(|| "#{session_name}:#{window_index}.#{pane_index}".into());
        Ok(Outcome::Done(self.formatted(&format, pane, origin) + "\n"))
    }

    fn join_pane(&mut self, verb: ArrangeVerb, origin: &Origin) -> Answer {
        let ArrangeVerb::JoinPane {
            target, source, horizontal, before, detached, full, size, percent, ..
        } = verb
        else {
            return silent();
        };
        let to = self.state.find_pane(target.target.as_deref(), origin)?;
        let pane = self.state.find_pane(source.as_deref(), origin)?;
        if to == pane {
            return Err(Failure::Usage("a pane cannot join itself; name the other with -s".into()));
        }
        let session =
            |s: &Self, p: PaneId| s.state.window_of(p).and_then(|w| s.state.session_of(w.id)).map(|s| s.id);
        let (Some(there), Some(here)) = (session(self, to), session(self, pane)) else {
            return Err(Failure::Failed("the pane is in no session".into()));
        };
        self.may_move(&[pane], here, there)?;
        self.state.land(to);
        let axis = if horizontal { Axis::Horizontal } else { Axis::Vertical };
        self.state.take_out(pane);
        let share = self.share(size, percent, to);
        let area = self.state.area_of(to);
        if let Some(window) = full.then(|| self.state.window_of(to).map(|w| w.id)).flatten() {
            if let Some(window) = self.state.windows.get_mut(&window) {
                window.zoomed = false;
                window.layout.split_whole(axis, pane, share, before, area);
            }
            if !detached {
                self.state.focus(pane);
            }
        } else {
            self.state.split(to, pane, SplitPlace { axis, share, before }, !detached);
        }
        if !self.state.sessions.contains_key(&here) {
            self.session_ended(here);
        }
        if !detached && let Some(window) = self.state.window_of(pane).map(|w| w.id) {
            self.state.show(window);
        }
        self.look_again();
        silent()
    }

    /// How much of the place that is split `-l` and `-p` ask for.
    pub(super) fn share(&self, size: Option<Extent>, percent: Option<u16>, pane: PaneId) -> Share {
        let area = self.state.area_of(pane);
        let border = if ui::has_borders((area.w, area.h)) { 2 } else { 0 };
        match (size, percent) {
            (Some(Extent::Cells(cells)), _) => Share::Cells(cells.saturating_add(border)),
            (Some(Extent::Percent(percent)), _) | (None, Some(percent)) => {
                Share::Percent(u8::try_from(percent.clamp(1, 99)).unwrap_or(50))
            }
            (None, None) => Share::Half,
        }
    }

    fn float_pane(&mut self, target: &Target, frame: Frame, origin: &Origin) -> Answer {
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        let floats = self.state.window_of(pane).is_some_and(|w| w.floats(pane));
        if floats && frame == (None, None, None, None) {
            self.state.land(pane);
        } else {
            let now = self.state.window_of(pane).and_then(|w| {
                w.floating.iter().find(|floating| floating.pane == pane).map(|floating| floating.rect)
            });
            let rect = self.frame(self.state.area_of(pane), frame, now, FLOAT_PERCENT);
            if !self.state.lift(pane, rect) {
                return Err(Failure::Failed(format!("{pane} is alone in its window; nothing lies below it")));
            }
            self.state.focus(pane);
        }
        self.look_again();
        silent()
    }

    /// The frame of a pane that floats: what was asked for, else what it has, else the middle.
    pub(super) fn frame(
        &self,
        area: crate::mux::layout::Rect,
        (cols, rows, left, top): Frame,
        now: Option<(u16, u16, u16, u16)>,
        percent: u16,
    ) -> (u16, u16, u16, u16) {
        let length = |asked: Option<Extent>, now: Option<u16>, total: u16| {
            let cells = asked.map(|extent| extent.of(total)).or(now);
            cells.unwrap_or_else(|| Extent::Percent(percent).of(total)).clamp(1, total.max(1))
        };
        let width = length(cols, now.map(|r| r.2), area.w);
        let height = length(rows, now.map(|r| r.3), area.h);
        let x = left.or(now.map(|r| r.0)).unwrap_or(area.w.saturating_sub(width) / 2);
        let y = top.or(now.map(|r| r.1)).unwrap_or(area.h.saturating_sub(height) / 2);
        (x.min(area.w.saturating_sub(width)), y.min(area.h.saturating_sub(height)), width, height)
    }
}
