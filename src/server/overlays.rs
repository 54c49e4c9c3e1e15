//! Opening what lies over the panes.
use super::{
    Server, refusals,
    verbs::{Answer, need_client, silent},
};
use crate::{
    commands::{self, Target, What},
    mux::ClientId,
    router::{Refusal, alternatives},
    state::{
        Pane,
        overlay::{Confirm, List, Overlay, Palette, Picker, RefusalDialog},
        target::Origin,
    },
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The key reference.
pub fn keys() -> Overlay {
    Overlay::Keys(List::default())
}

/// The command palette.
pub fn palette(input: String) -> Overlay {
    Overlay::Palette(Palette { input, ..Palette::default() })
}

/// The picker of a directory.
pub fn picker(dir: &Path) -> Overlay {
    let command = vec!["new-session".into(), "-c".into(), dir.to_string_lossy().into_owned()];
    Overlay::Picker(Picker { dir: dir.to_owned(), list: List::default(), command })
}

/// `claude, working` or `shell`.
fn in_words(pane: &Pane) -> String {
    match &pane.harness {
        Some(harness) => format!("{}, {}", harness.route.executor, pane.status.status.as_str()),
        None => "shell".into(),
    }
}

/// The environment of the session that a client looks at.
fn origin_env(server: &Server, client: ClientId) -> Option<BTreeMap<String, String>> {
    server.session_env.get(&server.state.clients.get(&client)?.session).cloned()
}

impl Server {
    /// Puts an overlay up, in place of any other.
    pub(super) fn open(&mut self, client: ClientId, overlay: Overlay) {
        if let Some(client) = self.state.clients.get_mut(&client) {
            client.overlay = Some(overlay);
        }
        self.dirty(client);
    }

    /// A refusal in the middle of the screen, its remedies by number.
    pub(super) fn show_refusal(&mut self, client: ClientId, refusal: &Refusal) {
        let asked = self.links.get(&client).map(|link| link.asked.clone()).unwrap_or_default();
        let origin = Origin { client: Some(client), ..Origin::default() };
        let verb = commands::parse(&asked).ok();
        let request = verb.as_ref().and_then(|verb| refusals::request(&self.state, verb, &origin));
        let (title, ways) = match &request {
            Some(request) => {
                let env = self.links.get(&client).map(|link| link.env.clone()).unwrap_or_default();
                let env = origin_env(self, client).unwrap_or(env);
                let dir = self.dir_looked_at(client);
                (refusals::title(request), alternatives(request, &self.facts(&env, &dir)))
            }
            None => (asked.first().cloned().unwrap_or_else(|| refusal.rule.to_string()), Vec::new()),
        };
        let mut commands = Vec::new();
        for remedy in &refusal.remedies {
            let way = ways.iter().find(|(text, _)| text == remedy);
            let words = match way {
                Some((_, way)) => refusals::varied(&self.state, &asked, verb.as_ref(), way, &origin),
                None if remedy.starts_with("log in:") => {
                    let executor = request.as_ref().map(|request| &request.executor);
                    let row = self.state.executors.iter().find(|row| Some(&row.executor) == executor);
                    let binary = row.and_then(|row| row.binary.as_deref());
                    binary.and_then(|binary| refusals::logging_in(&asked, verb.as_ref(), binary))
                }
                None => refusals::written(remedy, &asked),
            };
            commands.push(words.unwrap_or_default());
        }
        self.open(client, Overlay::Refusal(RefusalDialog { title, refusal: refusal.clone(), commands }));
    }

    /// The directory of the pane that a client looks at; before it has one, where it was started.
    fn dir_looked_at(&self, id: ClientId) -> PathBuf {
        let own = || self.links.get(&id).map(|link| link.cwd.clone()).unwrap_or_default();
        self.state.focused_pane(id).map_or_else(own, |pane| self.dir_of(pane))
    }

    /// Reads readiness anew for a client that looks at it: its person may have logged in or installed something in
    /// another window meanwhile.
    pub(super) fn look_at_machine(&mut self, id: ClientId) {
        let Some(client) = self.state.clients.get(&id) else { return };
        let listed = matches!(client.overlay, Some(Overlay::Picker(_) | Overlay::Router(_)));
        if !listed && !client.panel_docked {
            return;
        }
        let rehearse = self.state.sessions.get(&client.session).is_some_and(|session| session.rehearse);
        if let Some(env) = origin_env(self, id).or_else(|| self.links.get(&id).map(|link| link.env.clone())) {
            let dir = self.dir_looked_at(id);
            self.refresh_readiness(&env, &dir, rehearse);
        }
    }

    /// Opens the panel, gives a docked one the keys, or closes it.
    pub(super) fn router_panel(&mut self, target: &Target, pin: bool, origin: &Origin) -> Answer {
        let id = need_client(origin)?;
        let pane = self.state.find_pane(target.target.as_deref(), origin)?;
        let env = self.env_of(pane);
        let rehearse =
            self.state.panes.get(&pane).and_then(|p| p.harness.as_ref()).is_some_and(|h| h.rehearse)
                || self
                    .state
                    .clients
                    .get(&id)
                    .and_then(|c| self.state.sessions.get(&c.session))
                    .is_some_and(|s| s.rehearse);
        let dir = self.dir_of(pane);
        let list = List::for_panel(&self.state, pane);
        let Some(client) = self.state.clients.get_mut(&id) else { return silent() };
        if pin {
            client.panel_docked = !client.panel_docked;
        } else if matches!(client.overlay, Some(Overlay::Router(_))) {
            client.overlay = None;
        } else {
            client.overlay = Some(Overlay::Router(list));
        }
        self.refresh_readiness(&env, &dir, rehearse);
        self.fit_client(id);
        self.dirty(id);
        silent()
    }

    /// After something changed the room that a client leaves its session.
    pub(super) fn fit_client(&mut self, client: ClientId) {
        if let Some(session) = self.state.clients.get(&client).map(|c| c.session) {
            self.fit_session(session);
        }
    }

    pub(super) fn confirm_before(
        &mut self,
        prompt: Option<String>,
        command: Vec<String>,
        origin: &Origin,
    ) -> Answer {
        // Without anyone to ask nothing runs: who wrote "confirm" did not mean "at once".
        let client = super::verbs::need_client(origin)?;
        let pane = self.state.focused_pane(client).and_then(|p| self.state.panes.get(&p));
        let what = pane.map(|pane| format!("{} {}", pane.id, in_words(pane))).unwrap_or_default();
        let question = match (prompt, commands::parse(&command)) {
            (Some(prompt), _) => prompt.replace("#P", &what),
            (None, Ok(verb)) => {
                self.dangers(&verb, origin).unwrap_or_else(|| format!("{}?", command.join(" ")))
            }
            (None, Err(_)) => format!("{}?", command.join(" ")),
        };
        self.open(client, Overlay::Confirm(Confirm { question, command }));
        silent()
    }

    /// What a verb would end, as a question.
    fn dangers(&self, verb: &commands::Verb, origin: &Origin) -> Option<String> {
        let pane = |id| self.state.panes.get(&id).map(|pane| format!("{id} {}", in_words(pane)));
        match verb {
            commands::Verb::KillPane { target, others: false } => {
                let id = self.state.find_pane(target.target.as_deref(), origin).ok()?;
                Some(format!("close {}?", pane(id)?))
            }
            commands::Verb::KillWindow { target, others: false } => {
                let id = self.state.find_window(target.target.as_deref(), origin).ok()?;
                let window = self.state.windows.get(&id)?;
                let panes: Vec<String> = window.panes().into_iter().filter_map(pane).collect();
                Some(format!("close the window {} with {}?", window.name, panes.join(", ")))
            }
            commands::Verb::KillSession { target, others: false } => {
                let id = self.state.find_session(target.target.as_deref(), origin).ok()?;
                let session = self.state.sessions.get(&id)?;
                Some(format!("end the session {} with everything in it?", session.name))
            }
            _ => None,
        }
    }

    /// `i` in the picker and the panel: the installation runs in a pane, in view.
    pub(super) fn install_pane(
        &mut self,
        executor: &str,
        origin: &Origin,
        env: &BTreeMap<String, String>,
    ) -> Answer {
        let binary = std::env::current_exe().map_err(anyhow::Error::from)?;
        let command =
            vec![binary.to_string_lossy().into_owned(), "install".into(), executor.into(), "--yes".into()];
        let what = What { command, ..What::default() };
        let has_session = origin
            .client
            .and_then(|c| self.state.clients.get(&c))
            .is_none_or(|c| self.state.sessions.contains_key(&c.session));
        let verb = if has_session {
            crate::commands::Verb::NewWindow {
                target: Target::default(),
                name: Some(format!("install {executor}")),
                detached: false,
                after: false,
                before: false,
                select: false,
                print: false,
                format: None,
                environment: Vec::new(),
                dir: None,
                what,
            }
        } else {
            crate::commands::Verb::NewSession {
                detached: false,
                name: None,
                dir: Some(PathBuf::from(".")),
                window: Some(format!("install {executor}")),
                cols: None,
                rows: None,
                rehearse: false,
                vault: Vec::new(),
                metadata: Vec::new(),
                split: None,
                attach: false,
                print: false,
                format: None,
                environment: Vec::new(),
                what,
            }
        };
        let before = self.state.next.pane;
        self.run(verb, origin, env, super::reply::Reply::nobody());
        let pane = crate::mux::PaneId(self.state.next.pane);
        let Some(screen) = self.screens.get_mut(&pane).filter(|_| pane.0 > before) else { return silent() };
        let executor = executor.to_owned();
        screen.on_exit = Some(Box::new(move |server, id, status| {
            let installed = super::panes::ended_well(status);
            let how = if installed { "is installed".into() } else { super::panes::exit_words(status) };
            server.ended(id, format!("{executor} {how}"));
            let env = server.env_of(id);
            let dir = server.dir_of(id);
            server.refresh_readiness(&env, &dir, false);
        }));
        silent()
    }
}
