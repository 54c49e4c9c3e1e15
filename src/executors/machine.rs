//! What is true on this machine: which CLIs are there, who is logged in, which keys may be used.
use super::{Versions, all, by_id, find};
use crate::{
    config::{PolicyFiles, Settings},
    router::{
        AuthMode, Catalogue, ExecutorId, Facts, ModelRow, PlanRequest, Problem, catalogue::Model, models_for,
        plan, policy::Policy, prices,
    },
    state::{ExecutorReadiness, ModelChoice},
    vault::Vault,
};
use std::{collections::BTreeMap, path::Path};

/// Where a machine's facts are read from.
pub struct Machine<'a> {
    /// The environment of the person who asks.
    pub env: &'a BTreeMap<String, String>,
    /// PATH of their login shell.
    pub path: &'a str,
    /// Our data directory.
    pub data_dir: &'a Path,
    /// Where rules are written.
    pub policy: &'a PolicyFiles,
    /// The settings in force.
    pub settings: &'a Settings,
    /// Which credential references resolve.
    pub vault: &'a Vault,
    /// What the CLIs are, as far as that is known.
    pub versions: &'a Versions,
}

/// The variable that names the vaults attached to a session, by commas. A session sets it for its panes; set where a
/// session is created, it attaches them there.
pub const ATTACHED_VAR: &str = "INSPAN_VAULT";

/// The readiness of a route that has not served a request yet.
pub const UNTESTED: &str = "ready · untested";

impl Machine<'_> {
    /// The rules in force, and what is wrong in their files.
    pub fn policy(&self) -> (Policy, Vec<Problem>) {
        self.policy.load()
    }

    /// Everything that planning asks for.
    pub fn facts(&self) -> Facts {
        let mut facts = self.settings.facts(self.policy().0, |name| self.vault.has(&format!("env:{name}")));
        let each = facts.byok_each.values().flat_map(BTreeMap::values);
        let gateways = facts.gateways.values().filter_map(|gateway| gateway.credential.as_ref());
        let written = facts.byok.values().chain(facts.provider_keys.values()).chain(each).chain(gateways);
        facts.absent = written.filter(|reference| !self.vault.has(reference)).cloned().collect();
        let attached = self.env.get(ATTACHED_VAR).map(String::as_str).unwrap_or_default();
        let names = attached.split(',').map(str::trim).filter(|name| !name.is_empty());
        facts.attached = self.vault.attached(names.map(str::to_owned));
        for executor in all() {
            facts.present.insert(executor.id(), find(executor, self.path, self.data_dir).is_some());
            facts.logins.insert(executor.id(), executor.login(self.env).is_some());
        }
        facts
    }

    /// One row per executor of the catalogue, for picker, panel, `executors` and `doctor`. `versions` asks each binary
    /// for its version, which takes up to seconds.
    pub fn readiness(&self, rehearse: bool, versions: bool) -> Vec<ExecutorReadiness> {
        let facts = self.facts();
        let listed = Catalogue::builtin().executors.iter().chain(&facts.declared);
        listed
            .map(|entry| {
                let executor = by_id(&entry.id).ok();
                let found = executor.and_then(|e| find(e, self.path, self.data_dir));
                let request = PlanRequest { executor: entry.id.clone(), model: None, auth: None, rehearse };
                let route = plan(&request, &facts);
                let package = executor.and_then(super::Executor::package);
                let probe = match (&found, executor) {
                    (Some(found), Some(executor)) if versions => {
                        Some(self.versions.probe(executor, &found.binary, self.env, self.path, self.data_dir))
                    }
                    (Some(found), Some(_)) => self.versions.known(&found.binary),
                    _ => None,
                };
                let old = probe.as_ref().is_some_and(|probe| !probe.lacks.is_empty());
                let readiness = match (&executor, &route, &found) {
                    (None, ..) => "not in this version".to_owned(),
                    (_, Err(refusal), _) if refusal.rule.ends_with(".disabled") => "disabled".into(),
                    (_, Err(refusal), _) if refusal.rule == "auth.none" => "log in or add a key".into(),
                    (_, Err(refusal), _) => refusal.rule.to_string(),
                    (_, Ok(_), None) => "install".into(),
                    (_, Ok(_), Some(_)) if old => "too old".into(),
                    // Rehearsal answers always; an account's own login is the vendor's to test.
                    (_, Ok(_), Some(_)) if rehearse => "ready".into(),
                    (_, Ok(route), Some(_)) if route.auth == AuthMode::Login => "ready".into(),
                    (_, Ok(_), Some(_)) => UNTESTED.into(),
                };
                let set = self.settings.executor(&entry.id);
                let typed = executor.is_some_and(|e| e.control_flag().is_some())
                    && !probe.as_ref().is_some_and(|probe| probe.plain)
                    && set.control != Some(false)
                    && set.args.is_empty();
                ExecutorReadiness {
                    executor: entry.id.clone(),
                    title: entry.title.clone(),
                    version: probe
                        .and_then(|probe| probe.version)
                        .or_else(|| self.known_version(&entry.id, &found.as_ref()?.binary)),
                    origin: found.as_ref().map(|f| self.origin(&f.binary, f.why)).unwrap_or_default(),
                    install_mb: if found.is_none() { package.map(|p| p.size_mb) } else { None },
                    binary: found.map(|f| f.binary),
                    login: executor.and_then(|e| e.login(self.env)),
                    route,
                    typed,
                    readiness,
                }
            })
            .collect()
    }

    /// The models of every executor as the panel lists them; with their prices if it is to be seen.
    pub fn models(&self, rehearse: bool, priced: bool) -> BTreeMap<ExecutorId, Vec<ModelChoice>> {
        let facts = self.facts();
        let now = jiff::Timestamp::now().as_millisecond();
        let priced = priced || prices::are_loaded();
        let choice = |row: ModelRow| {
            let model = Catalogue::builtin().model(&row.display).ok();
            let rates = |model: &Model| prices::rates(model.provider, &model.wire, now);
            ModelChoice {
                context: model.and_then(|model| model.context),
                rates: model.filter(|_| priced).and_then(rates),
                priced,
                ..row.into()
            }
        };
        let choices = |executor: &ExecutorId| {
            models_for(executor, None, rehearse, &facts).into_iter().map(choice).collect()
        };
        let listed = Catalogue::builtin().executors.iter().chain(&facts.declared);
        listed.map(|e| (e.id.clone(), choices(&e.id))).collect()
    }

    /// The version that our own installation's directory is named after.
    fn known_version(&self, executor: &ExecutorId, binary: &Path) -> Option<String> {
        let root = self.data_dir.join("executors").join(executor.as_str());
        binary.strip_prefix(&root).ok()?;
        let current = std::fs::read_link(root.join("current")).ok()?;
        current.file_name().map(|name| name.to_string_lossy().into_owned())
    }

    fn origin(&self, binary: &Path, why: &str) -> String {
        if why == super::OURS {
            return "ours".into();
        }
        let dir = binary.parent().unwrap_or(binary).to_string_lossy().into_owned();
        match self.env.get("HOME").filter(|home| !home.is_empty()) {
            Some(home) if dir.starts_with(home.as_str()) => format!("~{}", &dir[home.len()..]),
            _ => dir,
        }
    }
}
