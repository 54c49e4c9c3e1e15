//! inspan's own question whether a directory is trusted: once for each directory, before a harness in a home of ours loads
//! what the directory brings. Under `login` the vendor's own question appears, and nothing is answered for it.
use super::{
    Server,
    harness::home_of,
    refusals,
    reply::Failure,
    verbs::{Answer, silent},
};
use crate::{
    commands::Verb,
    executors::{self, Home},
    mux::ClientId,
    router::{PlanRequest, plan},
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
        let facts = self.facts(env, &wish.dir);
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
        let at = |dir: &Path| workspace::absolute(&origin.cwd, dir);
        let dir = match verb {
            Verb::NewSession { dir, what, .. } if !what.trust => at(dir.as_deref().unwrap_or(Path::new("."))),
            Verb::NewWindow { target, dir, what, .. } if !what.trust => {
                let session = self.state.find_session(target.target.as_deref(), origin).ok()?;
                let session = self.state.sessions.get(&session)?;
                dir.as_deref().map_or_else(|| session.workspace.clone(), at)
            }
            Verb::SplitWindow { target, dir, what, .. } if !what.trust => {
                let pane = self.state.find_pane(target.target.as_deref(), origin).ok()?;
                let pane = self.state.panes.get(&pane)?;
                dir.as_deref().map_or_else(|| pane.cwd.clone(), at)
            }
            Verb::Switch { target, dry_run: false, .. } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin).ok()?;
                self.state.panes.get(&pane)?.cwd.clone()
            }
            _ => return None,
        };
        Some(Wish { dir, request: refusals::request(&self.state, verb, origin)? })
    }
}
