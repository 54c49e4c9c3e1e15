//! Verbs about panes and layouts.
use super::{Answer, Outcome, chosen_dir, silent};
use crate::{
    commands::{Respawn, Target, Verb},
    executors::SessionChoice,
    mux::{
        PaneId,
        keys::Key,
        layout::{Axis, Share},
        presets::Preset,
    },
    server::{
        Server,
        harness::{Start, resume},
        panes::{Launch, fresh_line, lock},
        reply::Failure,
    },
    state::{Parked, Status, ops::SplitPlace, target::Origin},
};
use std::{collections::BTreeMap, str::FromStr};

/// A pane smaller than this cannot be split: neither half would show anything.
const SPLIT_MIN: (u16, u16) = (8, 4);

impl Server {
    pub(super) fn split_window(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
    ) -> Answer {
        let Verb::SplitWindow { target, horizontal, before, detached, percent, dir, what, .. } = verb else {
            return silent();
        };
        let split = self.state.find_pane(target.target.as_deref(), origin)?;
        let session = self
            .state
            .window_of(split)
            .and_then(|w| self.state.session_of(w.id))
            .map(|s| (s.id, s.rehearse))
            .ok_or("the pane is in no session")?;
        let cwd = self.state.panes.get(&split).map(|p| p.cwd.clone()).unwrap_or_default();
        let dir = chosen_dir(dir, cwd, origin)?;
        let session_env = self.session_env.get(&session.0).cloned().unwrap_or_else(|| env.clone());
        let axis = if horizontal { Axis::Horizontal } else { Axis::Vertical };
        let area = self.state.area_of(split);
        let rect = self.state.window_of(split).and_then(|w| w.layout.rect_of(split, area));
        let too_small = rect.is_some_and(|r| match axis {
            Axis::Horizontal => r.w < SPLIT_MIN.0,
            Axis::Vertical => r.h < SPLIT_MIN.1,
        });
        if too_small {
            return Err(Failure::Failed(format!(
                "no space to split {split}; zoom (C-Space z) or close a pane first"
            )));
        }
        let start = self.plan_what(&what, session.1, &session_env, &dir)?;
        let pane = self.state.new_pane(ulid::Ulid::r#gen().to_string(), &dir, Self::now());
        let share = percent.map_or(Share::Half, |p| Share::Percent(u8::try_from(p).unwrap_or(50)));
        let from = self.focused_in(split);
        self.state.split(split, pane, SplitPlace { axis, share, before }, !detached);
        self.resize_panes();
        self.open_screen(pane);
        self.launch(pane, what, start);
        if !detached {
            self.focus_moved(from, Some(pane));
        }
        self.look_again();
        Ok(Outcome::Done(format!("{pane}\n")))
    }

    fn focused_in(&self, pane: PaneId) -> Option<PaneId> {
        self.state.window_of(pane).map(|w| w.active)
    }

    /// Focuses a pane and tells both panes.
    pub(in crate::server) fn focus_pane(&mut self, pane: PaneId) {
        let before = self.focused_in(pane);
        self.state.focus(pane);
        self.focus_moved(before, Some(pane));
        self.look_again();
    }

    pub(super) fn select_layout(&mut self, target: &Target, name: Option<&str>, origin: &Origin) -> Answer {
        let id = self.state.find_window(target.target.as_deref(), origin)?;
        let preset = match name {
            Some(name) => Preset::from_str(name).map_err(|e| Failure::Usage(e.to_string()))?,
            None => {
                let next = self.last_preset.get(&id).map_or(Preset::ALL[0], |p| p.next());
                self.last_preset.insert(id, next);
                next
            }
        };
        if let Some(window) = self.state.windows.get_mut(&id) {
            window.zoomed = false;
            window.layout.apply_preset(preset);
        }
        self.look_again();
        silent()
    }

    pub(super) fn select_pane(&mut self, verb: Verb, origin: &Origin) -> Answer {
        let Verb::SelectPane { target, toward, last, next } = verb else { return silent() };
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        let dir = toward.dir();
        let window = self.state.window_of(pane).ok_or("the pane is in no window")?;
        let area = self.state.area_of(pane);
        let to = if let Some(dir) = dir {
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
        }
        silent()
    }

    pub(super) fn next_attention(&mut self, target: &Target, origin: &Origin) -> Answer {
        let session = self.state.find_session(target.target.as_deref(), origin)?;
        let panes = self.state.panes_of(session);
        let current = self.state.find_pane(None, origin).ok();
        let at = current.and_then(|c| panes.iter().position(|p| *p == c)).unwrap_or(0);
        let order = (1..=panes.len()).filter_map(|i| panes.get((at + i) % panes.len()));
        let rank = |id: &PaneId| match self.state.panes.get(id).map(|p| p.status.status.clone()) {
            Some(Status::NeedsYou) => 0,
            Some(Status::Limited | Status::Retrying) => 1,
            Some(Status::Done) => 2,
            _ => 9,
        };
        let next = order.copied().map(|p| (rank(&p), p)).filter(|(r, _)| *r < 9).min_by_key(|(r, _)| *r);
        let Some((_, pane)) = next else { return Err(Failure::Failed("no pane needs you".into())) };
        self.focus_pane(pane);
        silent()
    }

    pub(super) fn resize_pane(&mut self, verb: Verb, origin: &Origin) -> Answer {
        let Verb::ResizePane { target, zoom, toward, cols, rows, by } = verb else { return silent() };
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        let area = self.state.area_of(pane);
        let window = self.state.window_of(pane).map(|w| w.id).ok_or("the pane is in no window")?;
        let Some(window) = self.state.windows.get_mut(&window) else { return silent() };
        if zoom {
            let alone = window.layout.panes().len() == 1;
            let shown = window.zoomed && window.active == pane;
            window.zoomed = !(alone || shown);
            if window.active != pane {
                window.last = Some(window.active);
                window.active = pane;
            }
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

    pub(super) fn swap_pane(
        &mut self,
        target: &Target,
        source: Option<&str>,
        up: bool,
        down: bool,
        origin: &Origin,
    ) -> Answer {
        let a = self.state.find_pane(target.target.as_deref(), origin)?;
        let window = self.state.window_of(a).ok_or("the pane is in no window")?;
        let b = match source {
            Some(source) => Some(self.state.find_pane(Some(source), origin)?),
            None if up => window.layout.previous(a),
            None if down => window.layout.next(a),
            None => self.state.find_pane(None, origin).ok(),
        };
        let Some(b) = b.filter(|b| *b != a) else {
            return Err(Failure::Usage("swap with which? -s, -U or -D".into()));
        };
        let other = self.state.window_of(b).map(|w| w.id);
        let id = self.state.window_of(a).map(|w| w.id);
        if other == id {
            if let Some(window) = id.and_then(|id| self.state.windows.get_mut(&id)) {
                window.layout.swap(a, b);
                window.zoomed = false;
            }
        } else {
            for (window, old, new) in [(id, a, b), (other, b, a)] {
                if let Some(window) = window.and_then(|id| self.state.windows.get_mut(&id)) {
                    window.layout.replace(old, new);
                    window.zoomed = false;
                    if window.active == old {
                        window.active = new;
                    }
                    window.last = window.last.filter(|l| *l != old);
                }
            }
        }
        self.look_again();
        silent()
    }

    pub(super) fn break_pane(
        &mut self,
        target: &Target,
        name: Option<String>,
        detached: bool,
        origin: &Origin,
    ) -> Answer {
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        let window = self.state.window_of(pane).ok_or("the pane is in no window")?;
        if window.layout.panes().len() == 1 {
            return Err(Failure::Failed(format!("{pane} is alone in its window already")));
        }
        let session = self.state.session_of(window.id).map(|s| s.id).ok_or("the pane is in no session")?;
        self.state.take_out(pane);
        let id = self.state.new_window(session, pane, !detached).ok_or("the session ended")?;
        if let (Some(name), Some(window)) = (name, self.state.windows.get_mut(&id)) {
            window.name = name;
            window.named = true;
        }
        self.look_again();
        silent()
    }

    pub(super) fn join_pane(
        &mut self,
        target: &Target,
        source: Option<&str>,
        horizontal: bool,
        origin: &Origin,
    ) -> Answer {
        let to = self.state.find_pane(target.target.as_deref(), origin)?;
        let pane = self.state.find_pane(source, origin)?;
        if to == pane {
            return Err(Failure::Usage("a pane cannot join itself; name the other with -s".into()));
        }
        let session =
            |s: &Self, p: PaneId| s.state.window_of(p).and_then(|w| s.state.session_of(w.id)).map(|s| s.id);
        if session(self, to) != session(self, pane) {
            return Err(Failure::Failed(
                "panes of two sessions work in two workspaces; they cannot be joined".into(),
            ));
        }
        self.state.take_out(pane);
        let axis = if horizontal { Axis::Horizontal } else { Axis::Vertical };
        self.state.split(to, pane, SplitPlace { axis, share: Share::Half, before: false }, true);
        self.look_again();
        silent()
    }

    pub(super) fn respawn_pane(
        &mut self,
        target: &Target,
        kill: bool,
        how: Respawn,
        origin: &Origin,
    ) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        if let Some(pty) = self.screens.get_mut(&id).and_then(|s| s.pty.take()) {
            if !kill {
                if let Some(screen) = self.screens.get_mut(&id) {
                    screen.pty = Some(pty);
                }
                return Err(Failure::Failed(format!("something runs in {id}; -k stops it first")));
            }
            self.stop_later(pty);
        }
        let Some(pane) = self.state.panes.get_mut(&id) else { return silent() };
        pane.exit = None;
        pane.refusal = None;
        pane.title.clear();
        // A switch away from it stopped half-way; otherwise a server that died may not know of the turns it had.
        let went_wrong = pane.harness.as_mut().and_then(|harness| harness.switch.take()).is_some();
        self.retries.remove(&id);
        if let Some(screen) = self.screens.get(&id) {
            fresh_line(&screen.emulator);
        } else {
            self.open_screen(id);
        }
        let harness = self.state.panes.get(&id).and_then(|p| p.harness.clone());
        if let Some(start) = self.unstarted.remove(&id)
            && how == Respawn::Fresh
        {
            self.start_harness(id, start);
            return silent();
        }
        match (how, harness) {
            (Respawn::Shell, harness) => {
                if let (Some(_), Some(pane)) = (harness, self.state.panes.get_mut(&id)) {
                    pane.harness = None;
                }
                if let Some(pane) = self.state.panes.get_mut(&id) {
                    pane.argv.clear();
                    pane.notes.clear();
                    let key = pane.key.clone();
                    self.drop_route(&key);
                }
                self.harnesses.remove(&id);
                self.start(id, Launch::program(Vec::new()));
            }
            (how, Some(harness)) => {
                let cwd = self.state.panes.get(&id).map(|p| p.cwd.clone()).unwrap_or_default();
                let turns = self.harnesses.get(&id).map_or(0, |r| r.conversation.turns.len());
                let session = match (how, harness.session.clone()) {
                    (Respawn::Resume, Some(session)) if went_wrong && turns == 0 => {
                        resume(&Parked { session, auth: harness.route.auth, seen_requests: 0, model: None })
                    }
                    (Respawn::Resume, Some(session)) => SessionChoice::Resume(session),
                    (Respawn::Resume, None) => {
                        return Err(Failure::Failed(format!(
                            "{id} has no session to resume; fresh starts a new one"
                        )));
                    }
                    _ => SessionChoice::New(uuid::Uuid::new_v4()),
                };
                let trusted = harness.rehearse || self.is_trusted(&cwd);
                self.start_harness(
                    id,
                    Start {
                        route: harness.route,
                        permission: harness.permission,
                        session,
                        prompt: None,
                        rehearse: harness.rehearse,
                        trusted,
                        install: true,
                    },
                );
            }
            (_, None) => {
                let argv = self.state.panes.get(&id).map(|p| p.argv.clone()).unwrap_or_default();
                self.start(id, Launch::program(argv));
            }
        }
        silent()
    }

    pub(super) fn send_keys(
        &mut self,
        target: &Target,
        literal: bool,
        keys: &[String],
        origin: &Origin,
    ) -> Answer {
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        for word in keys {
            // As tmux: a word that is no key name is text.
            match Key::from_str(word) {
                Ok(key) if !literal && (word.chars().count() > 1) => self.type_key(pane, &key)?,
                _ => self.write(pane, word.clone().into_bytes())?,
            }
        }
        self.pane_printed(pane, true);
        silent()
    }

    pub(super) fn capture_pane(
        &mut self,
        target: &Target,
        styled: bool,
        join: bool,
        start: Option<&str>,
        end: Option<&str>,
        origin: &Origin,
    ) -> Answer {
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        let bound = |text: Option<&str>, all: i32| match text {
            None => Ok(None),
            Some("-") => Ok(Some(all)),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| Failure::Usage(format!("{text:?} is not a line number or '-'"))),
        };
        let start = bound(start, i32::MIN)?;
        let end = bound(end, i32::MAX)?;
        let Some(emulator) = self.emulator(pane) else { return silent() };
        let text = lock(&emulator).capture(start, end, styled, join);
        Ok(Outcome::Done(if text.ends_with('\n') { text } else { text + "\n" }))
    }
}
