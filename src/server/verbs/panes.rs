//! Verbs about panes and layouts.
use super::{Answer, Outcome, chosen_dir, command_line, silent, variables};
use crate::{
    commands::{Respawn, Target, Verb},
    executors::SessionChoice,
    mux::{PaneId, keys::Key, layout::Axis},
    server::{
        Server,
        harness::{Start, resume},
        panes::{Launch, fresh_line, lock},
        reply::Failure,
    },
    state::{Manner, Parked, ops::SplitPlace, target::Origin},
    term::emulator::FeedOutput,
};
use std::{collections::BTreeMap, str::FromStr};

/// A pane smaller than this cannot be split: neither half would show anything.
const SPLIT_MIN: (u16, u16) = (8, 4);

/// One thing that `send-keys` types.
enum Typed {
    Key(Key),
    Bytes(Vec<u8>),
}

impl Server {
    pub(super) fn split_window(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
    ) -> Answer {
        let Verb::SplitWindow {
            target,
            horizontal,
            before,
            detached,
            percent,
            size,
            full,
            zoomed,
            format,
            environment,
            dir,
            mut what,
            ..
        } = verb
        else {
            return silent();
        };
        let split = self.state.find_pane(target.target.as_deref(), origin)?;
        let variables = variables(&environment)?;
        let session = self
            .state
            .window_of(split)
            .and_then(|w| self.state.session_of(w.id))
            .map(|s| (s.id, s.rehearse))
            .ok_or("the pane is in no session")?;
        let cwd = self.state.panes.get(&split).map(|p| p.cwd.clone()).unwrap_or_default();
        let dir = chosen_dir(dir, cwd, origin)?;
        let session_env = self.session_env.get(&session.0).cloned().unwrap_or_else(|| env.clone());
        what.command = command_line(what.command, &session_env);
        let axis = if horizontal { Axis::Horizontal } else { Axis::Vertical };
        let area = self.state.area_of(split);
        if self.state.window_of(split).is_some_and(|w| w.floats(split)) {
            return Err(Failure::Failed(format!("{split} floats; put it back first: float-pane -t {split}")));
        }
        let rect = self.state.window_of(split).and_then(|w| w.layout.rect_of(split, area));
        let too_small = rect.is_some_and(|r| match axis {
            Axis::Horizontal => r.w < SPLIT_MIN.0,
            Axis::Vertical => r.h < SPLIT_MIN.1,
        });
        if too_small && !full {
            return Err(Failure::Failed(format!(
                "no space to split {split}; zoom (C-Space z) or close a pane first"
            )));
        }
        let start = self.plan_what(&what, session.1, &session_env, &dir)?;
        let pane = self.state.new_pane(ulid::Ulid::r#gen().to_string(), &dir, Self::now());
        let share = self.share(size, percent, split);
        let from = self.focused_in(split);
        let window = self.state.window_of(split).map(|w| w.id);
        match window.and_then(|id| self.state.windows.get_mut(&id)).filter(|_| full) {
            Some(window) => {
                window.zoomed = false;
                window.layout.split_whole(axis, pane, share, before, area);
                if !detached {
                    window.last = Some(window.active);
                    window.active = pane;
                }
            }
            None => drop(self.state.split(split, pane, SplitPlace { axis, share, before }, !detached)),
        }
        if let Some(window) = window.and_then(|id| self.state.windows.get_mut(&id)).filter(|_| zoomed) {
            window.zoomed = true;
        }
        self.scripted.pane_env.insert(pane, variables);
        self.resize_panes();
        self.open_screen(pane);
        self.launch(pane, what, start);
        if !detached {
            self.focus_moved(from, Some(pane));
        }
        self.look_again();
        Ok(Outcome::Done(self.named(pane, format, origin)))
    }

    /// What a verb that made a pane prints: its id, or what a format says of it.
    pub(super) fn named(&self, pane: PaneId, format: Option<String>, origin: &Origin) -> String {
        match format {
            Some(format) => self.formatted(&format, pane, origin) + "\n",
            None => format!("{pane}\n"),
        }
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

    pub(super) fn respawn_pane(
        &mut self,
        target: &Target,
        kill: bool,
        how: Respawn,
        (dir, command): (Option<std::path::PathBuf>, Vec<String>),
        origin: &Origin,
    ) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let harness = self.state.panes.get(&id).is_some_and(|pane| pane.harness.is_some());
        if harness && !command.is_empty() {
            return Err(Failure::Failed(format!("{id} runs a harness; --how shell makes it a shell first")));
        }
        let cwd = self.state.panes.get(&id).map(|pane| pane.cwd.clone()).unwrap_or_default();
        let dir = chosen_dir(dir, cwd, origin)?;
        if let Some(pty) = self.screens.get_mut(&id).and_then(|s| s.pty.take()) {
            if !kill {
                if let Some(screen) = self.screens.get_mut(&id) {
                    screen.pty = Some(pty);
                }
                return Err(Failure::Failed(format!("something runs in {id}; -k stops it first")));
            }
            self.stop_later(pty);
        }
        let command = command_line(command, &self.env_of(id));
        let Some(pane) = self.state.panes.get_mut(&id) else { return silent() };
        if !command.is_empty() {
            pane.argv = command;
        }
        pane.cwd = dir;
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
                    (Respawn::Resume, Some(session)) if went_wrong && turns == 0 => resume(&Parked {
                        session,
                        auth: harness.route.auth,
                        seen_requests: 0,
                        model: None,
                        limited_until: None,
                        manner: Manner::default(),
                    }),
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
                        manner: harness.manner,
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

    pub(super) fn send_keys(&mut self, verb: Verb, origin: &Origin) -> Answer {
        let Verb::SendKeys { target, literal, hex, repeat, reset, keys } = verb else { return silent() };
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        if reset && let Some(emulator) = self.emulator(pane) {
            lock(&emulator).feed(b"\x1bc", std::time::Instant::now(), &mut FeedOutput::default());
        }
        let mut typed = Vec::new();
        for word in &keys {
            typed.push(match (literal, hex) {
                (true, _) => Typed::Bytes(word.clone().into_bytes()),
                (_, true) => {
                    let number = u32::from_str_radix(word.trim_start_matches("0x"), 16).ok();
                    let c = number.and_then(char::from_u32).filter(|c| u32::from(*c) < 0x0011_0000);
                    let c = c.ok_or_else(|| {
                        Failure::Usage(format!("{word:?} is no hexadecimal number of a character"))
                    })?;
                    // What a terminal sends byte by byte is given byte by byte.
                    Typed::Bytes(match u8::try_from(u32::from(c)) {
                        Ok(byte) => vec![byte],
                        Err(_) => c.to_string().into_bytes(),
                    })
                }
                // As tmux: a word that is no key name is text.
                _ => match Key::from_str(word) {
                    Ok(key) if word.chars().count() > 1 => Typed::Key(key),
                    _ => Typed::Bytes(word.clone().into_bytes()),
                },
            });
        }
        for _ in 0..repeat.unwrap_or(1) {
            for one in &typed {
                for pane in self.typed_into(pane) {
                    match one {
                        Typed::Key(key) => self.type_key(pane, key)?,
                        Typed::Bytes(bytes) => self.write(pane, bytes.clone())?,
                    }
                }
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
