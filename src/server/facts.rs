//! What is true for a client's environment: keys, PATH, policy, readiness. Read on threads or kept for a moment, because
//! homes may lie on slow disks and the loop must not wait for them at each key.
use super::Server;
use crate::{
    executors::{
        self,
        machine::{ATTACHED_VAR, Machine},
    },
    mux::PaneId,
    router::{Facts, Route},
    state::{Client, overlay::Overlay},
    vault::VaultFile,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Facts as old as this are used again: publishing the routes of many panes asks for the same ones in a row, and a
/// person who edits a policy file and types a command takes longer.
const FRESH: Duration = Duration::from_millis(300);

/// Environments whose facts are kept; panes of one session share one.
const KEPT: usize = 8;

/// Facts that were read a moment ago.
pub struct Known {
    dir: PathBuf,
    env: BTreeMap<String, String>,
    path: String,
    at: Instant,
    facts: Facts,
}

impl Server {
    /// Plans with what is true for a client's environment in a directory.
    pub(crate) fn facts(&mut self, env: &BTreeMap<String, String>, dir: &Path) -> Facts {
        let path = self.login_path(env);
        self.read_vaults();
        self.known_facts.retain(|known| known.at.elapsed() < FRESH);
        let same = |known: &&Known| known.dir == dir && known.path == path && known.env == *env;
        if let Some(known) = self.known_facts.iter().find(same) {
            return known.facts.clone();
        }
        let facts = Machine {
            env,
            path: &path,
            data_dir: &self.paths.data,
            policy: &self.paths.policy.within(dir),
            settings: &self.settings,
            vault: &self.vault,
            versions: &self.versions,
        }
        .facts();
        self.known_facts.truncate(KEPT - 1);
        let (dir, env) = (dir.to_owned(), env.clone());
        let known = Known { dir, env, path, at: Instant::now(), facts: facts.clone() };
        self.known_facts.insert(0, known);
        facts
    }

    /// The client's PATH, behind it the login shell's as far as it is known by now; it is asked in the background.
    pub(super) fn login_path(&mut self, env: &BTreeMap<String, String>) -> String {
        let own = env.get("PATH").cloned().unwrap_or_default();
        if let Some(known) = self.login_paths.get(&own) {
            return known.clone();
        }
        self.login_paths.insert(own.clone(), own.clone());
        let env = env.clone();
        let key = own.clone();
        self.tasks.spawn(
            move || executors::login_shell_path(&env),
            move |server, path| {
                server.login_paths.insert(key, path);
            },
        );
        own
    }

    /// Reads what is ready on this machine for picker and panel, off the loop.
    pub(crate) fn refresh_readiness(&mut self, env: &BTreeMap<String, String>, dir: &Path, rehearse: bool) {
        let path = self.login_path(env);
        let env = env.clone();
        let (data, policy) = (self.paths.data.clone(), self.paths.policy.within(dir));
        let (settings, vault) = (self.settings.clone(), self.vault.clone());
        let (versions, proven) = (self.versions.clone(), self.proven.clone());
        // The panel alone shows prices, and their list is large.
        let panel = |c: &Client| c.panel_docked || matches!(c.overlay, Some(Overlay::Router(_)));
        let priced = self.state.clients.values().any(panel);
        self.tasks.spawn(
            move || {
                let machine = Machine {
                    env: &env,
                    path: &path,
                    data_dir: &data,
                    policy: &policy,
                    settings: &settings,
                    vault: &vault,
                    versions: &versions,
                };
                let mut rows = machine.readiness(rehearse, false);
                for row in &mut rows {
                    if row.route.as_ref().is_ok_and(|route| proven.contains(&proof(route))) {
                        row.readiness = row.readiness.replace(executors::machine::UNTESTED, "ready");
                    }
                }
                (rows, machine.models(rehearse, priced))
            },
            |server, (executors, models)| {
                let highlighted = server.state.highlighted();
                server.state.executors = executors;
                server.state.models = models;
                server.state.highlight(highlighted);
                server.dirty_all();
            },
        );
    }

    /// After an installation that ran in a pane: everybody sees what is there now.
    pub(super) fn installed(&mut self, id: PaneId) {
        self.known_facts.clear();
        let (env, dir) = (self.env_of(id), self.dir_of(id));
        let rehearse =
            self.state.window_of(id).and_then(|w| self.state.session_of(w.id)).is_some_and(|s| s.rehearse);
        self.refresh_readiness(&env, &dir, rehearse);
    }

    /// Remembers that a route served a request.
    pub(super) fn prove(&mut self, route: &Route) {
        if self.proven.insert(proof(route)) {
            for row in &mut self.state.executors {
                if row.route.as_ref().is_ok_and(|r| proof(r) == proof(route)) {
                    row.readiness = row.readiness.replace(executors::machine::UNTESTED, "ready");
                }
            }
        }
    }

    /// Takes in what a client of the person's brings: keys, and an environment for sessions that a restart of the
    /// server left without one.
    pub(super) fn learn(&mut self, env: &BTreeMap<String, String>) {
        self.read_vaults();
        self.vault.learn_env(env);
        self.known_facts.clear();
        let orphans: Vec<_> =
            self.state.sessions.keys().copied().filter(|s| !self.session_env.contains_key(s)).collect();
        for session in orphans {
            let mut env = env.clone();
            let vaults = self.state.sessions.get(&session).map(|s| s.vaults.join(",")).unwrap_or_default();
            match vaults.is_empty() {
                true => env.remove(ATTACHED_VAR),
                false => env.insert(ATTACHED_VAR.into(), vaults),
            };
            self.session_env.insert(session, env);
        }
        self.note_keys();
    }

    /// Why a route cannot be served for want of its key; `None` when it is here or none is needed.
    pub(crate) fn key_missing(&self, route: &Route) -> Option<String> {
        if route.credential.is_empty() || self.vault.has(&route.credential) {
            return None;
        }
        let why = self.vault.why_missing(&route.credential);
        Some(format!(
            "its key is not here. Keys of variables are kept in memory only, so a server that was restarted learns \
             them anew. {why}"
        ))
    }

    /// Reads `vault.toml` if it changed; what is wrong with it is logged, and `doctor` says it.
    pub(super) fn read_vaults(&mut self) {
        if let Err(error) = self.vault.refresh(&VaultFile::path(&self.paths.data)) {
            tracing::warn!("{error}");
        }
    }

    /// The mark of a running pane whose credential was removed.
    fn vault_gone(&self, route: &Route) -> Option<String> {
        let name = route.credential.strip_prefix("vault:")?;
        let entry = self.vault.entry(name);
        if entry.is_some_and(|entry| !entry.credentials.is_empty()) {
            return None;
        }
        Some(format!("{REMOVED}: vault {name} has no key any more, so its next request is refused"))
    }

    /// Has every pane that waits for its key say so, and no other.
    pub(super) fn note_keys(&mut self) {
        let ids: Vec<PaneId> = self.state.panes.keys().copied().collect();
        for id in ids {
            let Some(pane) = self.state.panes.get(&id) else { continue };
            let waits = pane.exit.is_some();
            let route = pane.harness.as_ref().map(|harness| &harness.route);
            let note = route.filter(|_| waits).and_then(|route| self.key_missing(route));
            let gone = route.filter(|_| !waits).and_then(|route| self.vault_gone(route));
            let Some(pane) = self.state.panes.get_mut(&id) else { continue };
            let before = pane.notes.clone();
            pane.notes.retain(|note| !note.starts_with("its key is not here") && !note.starts_with(REMOVED));
            pane.notes.extend(note.into_iter().chain(gone));
            if pane.notes != before {
                self.dirty_all();
            }
        }
    }
}

/// How the mark of a pane begins whose credential was removed while it runs.
const REMOVED: &str = "credential removed";

/// What a served request proves: this executor, paid this way, at this provider.
fn proof(route: &Route) -> (String, String) {
    (route.executor.to_string(), format!("{} {} {}", route.auth, route.provider, route.payer))
}
