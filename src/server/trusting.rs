//! inspan's own question whether a directory is trusted: once for each directory, before a harness in a home of ours loads
//! what the directory brings. Under `login` the vendor's own question appears, and nothing is answered for it.
use super::{
    Server,
    harness::home_of,
    reply::Failure,
    verbs::{Answer, silent},
};
use crate::{
    commands::{Verb, What},
    executors::{self, Home},
    mux::ClientId,
    router::{ExecutorId, PlanRequest, plan},
    state::{
        overlay::{Overlay, Trust},
        target::Origin,
    },
    workspace,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What a verb is about to start, and where.
struct Wish {
    dir: PathBuf,
    request: PlanRequest,
}

impl Server {
    /// Whether the person answered inspan's own trust question for a directory with yes.
    pub(crate) fn is_trusted(&self, dir: &Path) -> bool {
        self.trusted.contains(dir)
    }

    /// Remembers or forgets trust.
    pub(crate) fn trust(&mut self, dir: &Path, yes: bool) {
        self.left_to_harness.remove(dir);
        if yes {
            self.trusted.insert(dir.to_owned());
        } else {
            self.trusted.remove(dir);
        }
        self.changed = true;
    }

    /// The verb `trust`; `then` is what the dialog had asked before.
    pub(super) fn trust_verb(
        &mut self,
        dir: &Path,
        (forget, ask): (bool, bool),
        then: &[String],
        origin: &Origin,
    ) -> Answer {
        let dir = workspace::absolute(&origin.cwd, dir);
        if !forget && !dir.is_dir() {
            return Err(Failure::Failed(format!("{} is not a directory", dir.display())));
        }
        self.trust(&dir, !forget && !ask);
        if ask {
            self.left_to_harness.insert(dir.clone());
        }
        if let (Some(client), false) = (origin.client, then.is_empty()) {
            self.run_words(client, then);
            return silent();
        }
        let what = match (forget, ask) {
            (true, _) => "no longer trusted:",
            (_, true) => "left to each harness to ask:",
            _ => "trusted:",
        };
        super::verbs::line(format!("{what} {}", dir.display()))
    }

    /// Asks before a verb of a client starts a harness in a directory that was never asked about; `words` is the verb as
    /// it was written. True when the question is on its way.
    pub(super) fn ask_trust(
        &mut self,
        client: ClientId,
        verb: &Verb,
        words: &[String],
        origin: &Origin,
        env: &BTreeMap<String, String>,
    ) -> bool {
        let Some(wish) = self.wish(verb, origin) else { return false };
        if self.is_trusted(&wish.dir) || self.left_to_harness.contains(&wish.dir) {
            return false;
        }
        let facts = self.facts(env);
        // A refusal is the verb's own to show, and other homes are asked by the vendor or hold nothing of the person's.
        let overlay = plan(&wish.request, &facts)
            .is_ok_and(|route| matches!(home_of(&route, self.settings.inherit_user), Home::Overlay { .. }));
        if !overlay {
            return false;
        }
        let (dir, words, executor) = (wish.dir, words.to_vec(), wish.request.executor);
        self.tasks.spawn(
            move || {
                let loads = executors::project_loads(&dir);
                (dir, loads)
            },
            move |server, (dir, loads)| {
                let trust = Trust { dir, executor: executor.to_string(), loads, command: words };
                server.open(client, Overlay::Trust(trust));
            },
        );
        true
    }

    /// What a verb would start; `None` when that is no harness, or one that the person trusts by the same line.
    fn wish(&self, verb: &Verb, origin: &Origin) -> Option<Wish> {
        let asked = |what: &What, rehearse: bool| {
            let executor = what.executor.as_deref().filter(|_| !what.trust)?;
            let auth = what.auth.as_deref().map(str::parse).transpose().ok()?;
            let executor = ExecutorId::from(executor);
            Some(PlanRequest { executor, model: what.model.clone(), auth, rehearse })
        };
        let (dir, request) = match verb {
            Verb::NewSession { dir, rehearse, what, .. } => {
                let dir = dir.as_deref().unwrap_or(Path::new("."));
                (workspace::absolute(&origin.cwd, dir), asked(what, *rehearse)?)
            }
            Verb::NewWindow { target, dir, what, .. } => {
                let session = self.state.find_session(target.target.as_deref(), origin).ok()?;
                let session = self.state.sessions.get(&session)?;
                let dir = dir.as_ref().map(|dir| workspace::absolute(&origin.cwd, dir));
                (dir.unwrap_or_else(|| session.workspace.clone()), asked(what, session.rehearse)?)
            }
            Verb::SplitWindow { target, dir, what, .. } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin).ok()?;
                let rehearse = self.state.window_of(pane).and_then(|w| self.state.session_of(w.id))?.rehearse;
                let cwd = self.state.panes.get(&pane)?.cwd.clone();
                let dir = dir.as_ref().map(|dir| workspace::absolute(&origin.cwd, dir));
                (dir.unwrap_or(cwd), asked(what, rehearse)?)
            }
            Verb::Switch { target, executor, model, auth, dry_run: false, .. } => {
                let id = self.state.find_pane(target.target.as_deref(), origin).ok()?;
                let pane = self.state.panes.get(&id)?;
                let session = self.state.window_of(id).and_then(|w| self.state.session_of(w.id))?;
                let rehearse = session.rehearse || pane.harness.as_ref().is_some_and(|h| h.rehearse);
                let auth = auth.as_deref().map(str::parse).transpose().ok()?;
                let executor = ExecutorId::from(executor.as_str());
                (pane.cwd.clone(), PlanRequest { executor, model: model.clone(), auth, rehearse })
            }
            _ => return None,
        };
        Some(Wish { dir, request })
    }
}
