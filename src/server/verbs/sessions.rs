//! Verbs about sessions and clients.
use super::{Answer, Outcome, arranging::Beside, chosen_dir, command_line, need_client, silent, variables};
use crate::{
    commands::{Target, Verb, What},
    executors::machine::ATTACHED_VAR,
    mux::{
        PaneId, SessionId,
        layout::{Axis, Share},
    },
    router::{check_metadata, selected_executor},
    server::{Server, harness::Start, panes::Launch, reply::Failure},
    state::{Window, ops::SplitPlace, target::Origin},
};
use std::{collections::BTreeMap, path::PathBuf};

/// The size of a session that no client looks at, as tmux's default-size.
const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// From this many columns `--split` puts two harnesses side by side; below it neither would have room for its lines.
const SIDE_BY_SIDE: u16 = 100;

/// What `--metadata` says.
fn read_metadata(words: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut metadata = BTreeMap::new();
    for word in words {
        let Some((key, value)) = word.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            return Err(Failure::Usage(format!("--metadata wants KEY=VALUE, not {word:?}")));
        };
        metadata.insert(key.trim().to_owned(), value.to_owned());
    }
    check_metadata(metadata.keys().map(String::as_str))?;
    Ok(metadata)
}

impl Server {
    /// `new-session`, from a shell (`-d`) or a key.
    pub(super) fn new_session(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
    ) -> Answer {
        let size = match &verb {
            Verb::NewSession { cols, rows, .. } => {
                (cols.unwrap_or(DEFAULT_SIZE.0), rows.unwrap_or(DEFAULT_SIZE.1))
            }
            _ => DEFAULT_SIZE,
        };
        let size = origin.client.and_then(|c| self.state.clients.get(&c)).map_or(size, |c| c.size);
        let format = match &verb {
            Verb::NewSession { attach: true, name: Some(name), .. } => {
                if let Some(session) = self.state.sessions.values().find(|s| s.name == *name).map(|s| s.id) {
                    if let Some(client) = origin.client {
                        self.look_at(client, session);
                    }
                    return silent();
                }
                None
            }
            Verb::NewSession { format, .. } => format.clone(),
            _ => None,
        };
        let (session, pane) = self.create_session(verb, origin, env, size)?;
        if let Some(client) = origin.client {
            self.look_at(client, session);
            return silent();
        }
        Ok(Outcome::Done(self.named(pane, format, origin)))
    }

    /// The session that an attaching client asked for by `new-session` or `try`.
    pub(in crate::server) fn create_for_client(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
        size: (u16, u16),
    ) -> Result<SessionId, Failure> {
        match verb {
            Verb::Try { .. } => self.create_try(env, size).map(|(session, _)| session),
            Verb::NewSession { attach: true, name: Some(name), .. }
                if self.state.sessions.values().any(|s| s.name == name) =>
            {
                Ok(self.state.find_session(Some(&format!("={name}")), origin)?)
            }
            verb @ Verb::NewSession { .. } => {
                self.create_session(verb, origin, env, size).map(|(session, _)| session)
            }
            _ => Err(Failure::Usage("this verb does not attach".into())),
        }
    }

    /// `size` is a whole terminal's: one row of it is the status line.
    fn create_session(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
        size: (u16, u16),
    ) -> Result<(SessionId, PaneId), Failure> {
        let Verb::NewSession {
            name,
            dir,
            window,
            rehearse,
            split,
            mut what,
            environment,
            vault,
            metadata,
            ..
        } = verb
        else {
            return Err(Failure::Usage("not a session".into()));
        };
        what.command = command_line(what.command, env);
        let variables = variables(&environment)?;
        let dir = dir.or_else(|| Some(".".into()));
        let dir = chosen_dir(dir, PathBuf::new(), origin)?;
        let metadata = read_metadata(&metadata)?;
        let mut env = env.clone();
        if !vault.is_empty() {
            env.insert(ATTACHED_VAR.into(), vault.join(","));
        }
        let attached = self.facts(&env, &dir).attached;
        // Checked whatever runs first: the session's later panes are bound by them as well.
        let selected = selected_executor(&attached)?;
        if !vault.is_empty() && what.executor.is_none() && what.command.is_empty() {
            let executor = selected.unwrap_or_else(|| self.settings.default_executor.clone());
            what.executor = Some(executor.to_string());
        }
        let env = &env;
        let start = self.plan_what(&what, rehearse, env, &dir)?;
        let beside = split.map(|executor| What {
            executor: Some(executor).filter(|name| name != "shell"),
            install: what.install,
            trust: what.trust,
            ..What::default()
        });
        // Refused before anything starts, as everything is.
        let second = match &beside {
            Some(what) => Some(self.plan_what(what, rehearse, env, &dir)?),
            None => None,
        };
        let wish = name.clone().unwrap_or_else(|| {
            dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "root".into())
        });
        if name.is_some() && self.state.sessions.values().any(|s| s.name == wish) {
            return Err(Failure::Failed(format!(
                "session {wish:?} exists; attach to it: inspan attach -t {wish}"
            )));
        }
        let name = self.state.free_session_name(&wish);
        let pane = self.state.new_pane(ulid::Ulid::r#gen().to_string(), &dir, Self::now());
        let area = (size.0.max(1), size.1.saturating_sub(1).max(1));
        let session = self.state.new_session(name, dir.clone(), area, pane);
        if let Some(session) = self.state.sessions.get_mut(&session) {
            session.rehearse = rehearse;
            session.vaults = attached.into_iter().map(|vault| vault.name).collect();
            session.metadata = metadata;
        }
        if let (Some(text), Some(w)) =
            (window, self.state.window_of(pane).map(|w| w.id).and_then(|id| self.state.windows.get_mut(&id)))
        {
            w.name = text;
            w.named = true;
        }
        let mut own = env.clone();
        own.extend(variables);
        self.session_env.insert(session, own);
        self.hook("session-created", session);
        self.resize_panes();
        self.open_screen(pane);
        self.launch(pane, what, start);
        if let (Some(what), Some(start)) = (beside, second) {
            let other = self.state.new_pane(ulid::Ulid::r#gen().to_string(), &dir, Self::now());
            let axis = if area.0 >= SIDE_BY_SIDE { Axis::Horizontal } else { Axis::Vertical };
            self.state.split(pane, other, SplitPlace { axis, share: Share::Half, before: false }, false);
            self.resize_panes();
            self.open_screen(other);
            self.launch(other, what, start);
        }
        self.git_soon(session);
        self.refresh_readiness(env, &dir, rehearse);
        Ok((session, pane))
    }

    /// Starts what a new pane is for.
    pub(in crate::server) fn launch(&mut self, pane: PaneId, what: What, start: Option<Start>) {
        match start {
            Some(start) => self.start_harness(pane, start),
            None => {
                if let Some(pane) = self.state.panes.get_mut(&pane) {
                    pane.argv.clone_from(&what.command);
                }
                self.start(pane, Launch::program(what.command));
            }
        }
    }

    pub(super) fn attach_client(&mut self, target: &Target, origin: &Origin) -> Answer {
        let client = need_client(origin)?;
        let session = self.state.find_session(target.target.as_deref(), origin)?;
        self.look_at(client, session);
        self.touch();
        silent()
    }

    pub(super) fn detach_client(&mut self, all: bool, session: Option<&str>, origin: &Origin) -> Answer {
        let session_id = self.state.find_session(session, origin)?;
        let name = self.state.sessions.get(&session_id).map(|s| s.name.clone()).unwrap_or_default();
        let message = format!("[detached (from session {name})]{}", self.guide_farewell(session_id));
        match origin.client {
            Some(client) if !all && session.is_none() => self.detach(client, &message, 0),
            _ => self.detach_all(session_id, &message),
        }
        silent()
    }

    pub(super) fn kill_session(&mut self, target: &Target, others: bool, origin: &Origin) -> Answer {
        let session = self.state.find_session(target.target.as_deref(), origin)?;
        let all: Vec<SessionId> = self.state.sessions.keys().copied().collect();
        for ended in all.into_iter().filter(|id| (*id == session) != others) {
            for pane in self.state.panes_of(ended) {
                self.close_pane(pane);
            }
        }
        silent()
    }

    /// Ends every session; the server follows.
    pub(super) fn kill_everything(&mut self) {
        let panes: Vec<PaneId> = self.state.panes.keys().copied().collect();
        for pane in panes {
            self.close_pane(pane);
        }
        self.ending = Some(crate::server::Ending::Kill);
    }

    pub(super) fn rename_session(&mut self, target: &Target, name: String, origin: &Origin) -> Answer {
        let id = self.state.find_session(target.target.as_deref(), origin)?;
        if self.state.sessions.values().any(|s| s.name == name && s.id != id) {
            return Err(Failure::Failed(format!("session {name:?} exists")));
        }
        let name = if self.state.sessions.get(&id).is_some_and(|s| s.name == name) {
            name
        } else {
            self.state.free_session_name(&name)
        };
        if let Some(session) = self.state.sessions.get_mut(&id) {
            session.name = name;
        }
        self.hook("session-renamed", id);
        self.touch();
        silent()
    }

    pub(super) fn rename_window(&mut self, target: &Target, name: String, origin: &Origin) -> Answer {
        let id = self.state.find_window(target.target.as_deref(), origin)?;
        if let Some(window) = self.state.windows.get_mut(&id) {
            window.name = name.chars().filter(|c| !c.is_control()).collect();
            window.named = true;
            let active = window.active;
            self.hook("window-renamed", active);
        }
        self.touch();
        silent()
    }

    pub(super) fn select_window(
        &mut self,
        target: Option<&str>,
        word: Option<&str>,
        origin: &Origin,
    ) -> Answer {
        let window = match word {
            Some(word) => {
                let session = self.state.find_session(target, origin)?;
                self.state.find_window(Some(&format!("{session}:{word}")), origin)?
            }
            None => self.state.find_window(target, origin)?,
        };
        let before = self.shown_focus(window);
        self.state.show(window);
        let after = self.shown_focus(window);
        self.focus_moved(before, after);
        self.look_again();
        silent()
    }

    /// The focused pane of the session that a window is in.
    fn shown_focus(&self, window: crate::mux::WindowId) -> Option<PaneId> {
        let session = self.state.session_of(window)?;
        self.state.windows.get(&session.active).map(|w| w.active)
    }

    pub(super) fn kill_window(&mut self, target: &Target, others: bool, origin: &Origin) -> Answer {
        let window = self.state.find_window(target.target.as_deref(), origin)?;
        let all = self.state.session_of(window).map(|s| s.windows.clone()).unwrap_or_default();
        for ended in all.into_iter().filter(|id| (*id == window) != others) {
            for pane in self.state.windows.get(&ended).map(Window::panes).unwrap_or_default() {
                self.close_pane(pane);
            }
        }
        silent()
    }

    /// After a change of focus or window: sizes, seen marks, paint, save.
    pub(in crate::server) fn look_again(&mut self) {
        self.state.name_windows();
        self.resize_panes();
        let clients: Vec<_> = self.state.clients.keys().copied().collect();
        for client in clients {
            self.seen(client);
        }
        self.touch();
    }

    pub(super) fn new_window(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
    ) -> Answer {
        let Verb::NewWindow {
            target,
            name,
            detached,
            after,
            before,
            select,
            format,
            environment,
            dir,
            mut what,
            ..
        } = verb
        else {
            return silent();
        };
        let (session, at) = self.place_for(target.target.as_deref(), Beside { after, before }, origin)?;
        let variables = variables(&environment)?;
        let namesake =
            self.state.sessions.get(&session).into_iter().flat_map(|s| &s.windows).copied().find(|id| {
                select && self.state.windows.get(id).is_some_and(|w| Some(&w.name) == name.as_ref())
            });
        if let Some(window) = namesake {
            return self.select_window(Some(&window.to_string()), None, origin);
        }
        let Some((workspace, rehearse)) =
            self.state.sessions.get(&session).map(|s| (s.workspace.clone(), s.rehearse))
        else {
            return silent();
        };
        let dir = chosen_dir(dir, workspace, origin)?;
        let session_env = self.session_env.get(&session).cloned().unwrap_or_else(|| env.clone());
        what.command = command_line(what.command, &session_env);
        let start = self.plan_what(&what, rehearse, &session_env, &dir)?;
        let pane = self.state.new_pane(ulid::Ulid::r#gen().to_string(), &dir, Self::now());
        let window = self.state.new_window(session, pane, !detached).ok_or("the session ended")?;
        let count = self.state.sessions.get(&session).map_or(0, |s| s.windows.len());
        self.state.move_window(window, session, at.min(count.saturating_sub(1)), false);
        self.scripted.pane_env.insert(pane, variables);
        if let (Some(name), Some(window)) = (name, self.state.windows.get_mut(&window)) {
            window.name = name;
            window.named = true;
        }
        self.resize_panes();
        self.open_screen(pane);
        self.launch(pane, what, start);
        self.look_again();
        self.hook("window-linked", pane);
        Ok(Outcome::Done(self.named(pane, format, origin)))
    }
}
