//! Harnesses on their own login: no request passes the gateway, so session and conversation are read from the CLI's own
//! records, on threads, whenever a turn begins or ends.
use super::{
    Server,
    harness::missing,
    reply::Failure,
    verbs::{Answer, silent},
};
use crate::{
    commands::Target,
    config::AutoInstall,
    executors::{self, Running, SessionChoice},
    handoff::{Conversation, Role},
    mux::{
        PaneId,
        links::{newest_code, newest_link},
    },
    router::AuthMode,
    state::target::Origin,
};
use std::{sync::Arc, time::SystemTime};

/// What the CLI's records say.
struct Looked {
    session: Option<String>,
    conversation: Option<Conversation>,
}

impl Server {
    /// The verb `login`: the vendor's own, in the person's own home and environment.
    pub(super) fn login_verb(&mut self, target: &Target, executor: &str, origin: &Origin) -> Answer {
        let executor = executors::by_id(&executor.into()).map_err(Failure::Usage)?;
        let Some(arguments) = executor.login_arguments() else {
            return Err(Failure::Failed(format!("{} has no login of its own", executor.title())));
        };
        let session = self.state.find_session(target.target.as_deref(), origin)?;
        let env = self.session_env.get(&session).cloned().unwrap_or_default();
        let path = self.login_path(&env);
        let Some(found) = executors::find(executor, &path, &self.paths.data) else {
            return Err(missing(&executor.id(), AutoInstall::Ask).into());
        };
        let mut words =
            ["new-window", "-t", &session.to_string(), "-n", "login", "--"].map(str::to_owned).to_vec();
        words.push(found.binary.display().to_string());
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        let verb = crate::commands::parse(&words).map_err(|e| Failure::Failed(e.to_string()))?;
        self.new_window(verb, origin, &env)
    }

    /// The verb `copy-link`: what a login wants to be opened or typed elsewhere.
    pub(super) fn copy_link(&mut self, target: &Target, code: bool, origin: &Origin) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let Some(screen) = self.screens.get(&id) else { return silent() };
        let (text, columns) = {
            let emulator = super::panes::lock(&screen.emulator);
            (emulator.capture(None, None, false, true), usize::from(emulator.size().0))
        };
        let found = if code { newest_code(&text) } else { newest_link(&text, columns) };
        let what = if code { "code" } else { "address" };
        let Some(found) = found else {
            return Err(Failure::Failed(format!("no {what} stands on the screen of {id}")));
        };
        match origin.client {
            Some(client) => {
                self.copied(client, found, false);
                silent()
            }
            None => super::verbs::line(found),
        }
    }

    /// Reads which native session a harness on its login is in and what was said there, then goes on with `then`,
    /// which is told whether more was said than before. Other harnesses go on at once.
    pub(super) fn look_at_login(
        &mut self,
        id: PaneId,
        then: impl FnOnce(&mut Self, PaneId, bool) + Send + 'static,
    ) {
        let (Some(pane), Some(runtime), Some(executor)) =
            (self.state.panes.get(&id), self.harnesses.get(&id), self.executor_of(id))
        else {
            return;
        };
        let Some(harness) = pane.harness.as_ref().filter(|h| h.route.auth == AuthMode::Login) else {
            then(self, id, true);
            return;
        };
        let known = harness.session.clone();
        let others = self.state.panes.values().filter(|other| other.id != id);
        let taken: Vec<String> = others.filter_map(|other| other.harness.as_ref()?.session.clone()).collect();
        let (pid, cwd, config_home) = (pane.pid, pane.cwd.clone(), runtime.config_home.clone());
        let started = runtime.started;
        self.tasks.spawn(
            move || {
                let look = Running {
                    pid,
                    config_home: &config_home,
                    cwd: &cwd,
                    since: started.unwrap_or(SystemTime::UNIX_EPOCH),
                    taken: &taken,
                };
                let session = executor.running_session(&look).or(known);
                let conversation =
                    session.as_deref().and_then(|session| executor.transcript(&config_home, &cwd, session));
                Looked { session, conversation }
            },
            move |server, looked| {
                if server.harnesses.get(&id).is_some_and(|runtime| runtime.started == started) {
                    let more = server.login_looked(id, looked);
                    then(server, id, more);
                }
            },
        );
    }

    /// Takes in what was read; true when more was said than when the last turn ended.
    fn login_looked(&mut self, id: PaneId, looked: Looked) -> bool {
        if let Some(harness) = self.state.panes.get_mut(&id).and_then(|p| p.harness.as_mut())
            && looked.session.is_some()
            && harness.session != looked.session
        {
            harness.session = looked.session;
            self.changed = true;
        }
        let Some(runtime) = self.harnesses.get_mut(&id) else { return false };
        // A CLI whose records cannot be read still ends its turns.
        let Some(conversation) = looked.conversation else { return true };
        let more = conversation != *runtime.ended_with;
        if conversation == *runtime.conversation {
            return more;
        }
        let said = conversation.turns.iter().rev().take_while(|turn| turn.role != Role::User);
        let said = said.filter(|turn| turn.role == Role::Assistant).map(|turn| turn.text.clone());
        runtime.last_answer = said.take(1).next().unwrap_or_default();
        runtime.conversation = Arc::new(conversation);
        more
    }

    /// The session that a relaunch of a pane's harness goes on with; a new one while nothing was said in it yet.
    pub(super) fn session_to_resume(&self, id: PaneId) -> SessionChoice {
        let harness = self.state.panes.get(&id).and_then(|p| p.harness.as_ref());
        let said = self.harnesses.get(&id).is_some_and(|runtime| !runtime.conversation.turns.is_empty());
        match harness.and_then(|h| h.session.clone()).filter(|_| said) {
            Some(session) => SessionChoice::Resume(session),
            None => SessionChoice::New(uuid::Uuid::new_v4()),
        }
    }
}
