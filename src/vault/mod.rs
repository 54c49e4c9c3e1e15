//! Owns credential references and how they are resolved to secrets, which stay in here and in upstream requests.
//!
//! A reference such as `env:ANTHROPIC_API_KEY` may be shown, stored and logged; what it resolves to may not. Values of
//! variables arrive from clients, because the server's own environment is whichever one happened to start it; files,
//! commands and key stores are asked when a secret is needed. Several credentials under one name take turns.
//! Must not know: who asks for a secret, what it is sent to.
mod fetch;
mod pool;
mod secret;
mod store;

pub use pool::{COOLDOWN_FIRST, COOLDOWN_MAX, Health, Outcome};
pub use secret::Secret;
pub use store::VaultFile;

use crate::router::{Attached, Credential, NoReference, VaultEntry};
use pool::Pool;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

/// Variables that hold a provider's key or token: learnt from clients, and removed from a harness's environment.
pub const PROVIDER_KEY_VARS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "OPENAI_API_KEY",
    "CODEX_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "OPENROUTER_API_KEY",
    "XAI_API_KEY",
    "GROK_CODE_XAI_API_KEY",
    "OPENCODE_AUTH_CONTENT",
];

/// A value longer than this is not a credential; larger ones are not kept, so that a client cannot fill the memory.
const SECRET_MAX: usize = 64 * 1024;

/// Shorter values are not searched for by [`Vault::scrub`]: they would blank out ordinary words.
const SCRUB_MIN: usize = 8;

/// Why a reference has no secret, or the vault no file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The text is no reference.
    #[error(transparent)]
    NoReference(#[from] NoReference),
    /// No client has brought a value.
    #[error("{0} is not set in the environment of any client that attached; export it and attach again")]
    NotSet(String),
    /// File, command or key store do not give it: the reference, and why.
    #[error("{0} {1}")]
    Unreadable(String, String),
    /// There is no vault of that name.
    #[error("there is no vault {0:?}; inspan vault list shows them")]
    NoVault(String),
    /// The vault is there and holds nothing.
    #[error("vault {0} has no credential; add one: inspan vault add {0} --credential …")]
    NoCredential(String),
    /// `vault.toml` is of no use, and why.
    #[error("{path} {fault}", path = .0.display(), fault = .1)]
    File(PathBuf, String),
}

/// The secrets of this server's life, in memory only.
#[derive(Debug)]
pub struct Vault {
    began: Instant,
    inner: RwLock<Inner>,
    pools: Mutex<BTreeMap<String, Pool>>,
}

impl Default for Vault {
    fn default() -> Self {
        Self { began: Instant::now(), inner: RwLock::default(), pools: Mutex::default() }
    }
}

#[derive(Debug, Default)]
struct Inner {
    /// Names beyond [`PROVIDER_KEY_VARS`] that the configuration or a vault refers to.
    referenced: BTreeSet<String>,
    /// Values of variables, by name.
    secrets: BTreeMap<String, Secret>,
    /// What files, commands and key stores gave, by reference.
    fetched: BTreeMap<String, Secret>,
    /// What `vault.toml` says.
    entries: BTreeMap<String, VaultEntry>,
    /// The secrets that it keeps, by name.
    stored: BTreeMap<String, Secret>,
    stamp: store::Stamp,
    /// The newest client's environment without keys, for commands that give secrets.
    env: BTreeMap<String, String>,
}

/// A credential on loan for one attempt at an upstream. Give it back with what came of it: [`Vault::report`].
#[derive(Clone, Debug)]
pub struct Lease {
    /// The key itself.
    pub secret: Secret,
    /// Which one of the pool: a reference, never the secret.
    pub reference: String,
    /// Its place in the pool, from 1, and how many there are.
    pub place: (usize, usize),
    /// The session used another one until now.
    pub rotation: Option<Rotation>,
    /// Every credential of the pool rests, and this one wakes first, after so long.
    pub rests: Option<Duration>,
    credential: String,
}

/// A session's change from one credential of a pool to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The pool: the credential that the route names.
    pub pool: String,
    /// The reference that was used until now.
    pub from: String,
    /// The reference that is used from now on.
    pub to: String,
    /// What was wrong with the old one.
    pub why: Outcome,
}

impl Vault {
    /// An empty vault that also learns the variables behind `references` (as the configuration spells them).
    pub fn new<'a>(references: impl IntoIterator<Item = &'a str>) -> Self {
        let vault = Self::default();
        for reference in references {
            vault.refer(reference);
        }
        vault
    }

    /// Learns the variable behind `reference` from now on; other kinds of reference need no learning.
    pub fn refer(&self, reference: &str) {
        if let Ok(Credential::Env(name)) = reference.parse() {
            self.write().referenced.insert(name);
        }
    }

    /// Reads `vault.toml` again if it changed since it was read.
    ///
    /// # Errors
    /// It cannot be read or understood; then no vault exists.
    pub fn refresh(&self, path: &Path) -> Result<(), VaultError> {
        let stamp = store::stamp(path);
        if stamp == self.read().stamp {
            return Ok(());
        }
        let (file, fault) = match VaultFile::load(path) {
            Ok(file) => (file, None),
            Err(fault) => (VaultFile::default(), Some(fault)),
        };
        let mut inner = self.write();
        inner.stored = file.secrets().collect();
        for entry in file.vaults.values() {
            for kept in &entry.credentials {
                if let Ok(Credential::Env(name)) = kept.reference.parse() {
                    inner.referenced.insert(name);
                }
            }
        }
        inner.entries = file.vaults;
        // A file that could not be understood is read anew each time, so that its fault is said each time.
        inner.stamp = if fault.is_none() { stamp } else { None };
        fault.map_or(Ok(()), Err)
    }

    /// What `vault.toml` says of the vault `name`.
    pub fn entry(&self, name: &str) -> Option<VaultEntry> {
        self.read().entries.get(name).cloned()
    }

    /// The vaults named, as planning sees them.
    pub fn attached(&self, names: impl IntoIterator<Item = String>) -> Vec<Attached> {
        let attached = |name: String| {
            let reference = format!("vault:{name}");
            let missing = (!self.has(&reference)).then(|| self.why_missing(&reference));
            Attached { entry: self.entry(&name), missing, name }
        };
        names.into_iter().map(attached).collect()
    }

    /// Why `reference` has no secret now, in words that say what to do.
    pub fn why_missing(&self, reference: &str) -> String {
        let variables = self.missing_variables(reference);
        if variables.is_empty() {
            let why = self.resolve(reference).err();
            return why.map_or_else(|| "its key is here".to_owned(), |error| error.to_string());
        }
        let (verb, any) = if variables.len() == 1 { ("is", "") } else { ("are", "any of ") };
        let names = variables.join(", ");
        format!(
            "{names} {verb} not set where you attached: attach, or run any inspan command, from a terminal where \
             {any}{} is set",
            if variables.len() == 1 { "it" } else { "them" }
        )
    }

    /// Variables that may hold a key: the known ones and those that configuration and vaults refer to.
    pub fn is_key(&self, name: &str) -> bool {
        PROVIDER_KEY_VARS.contains(&name) || self.read().referenced.contains(name)
    }

    /// Whether a value is a key that is known here, whatever it is called.
    pub fn is_secret(&self, value: &str) -> bool {
        let inner = self.read();
        let known = [&inner.secrets, &inner.fetched, &inner.stored].into_iter().flat_map(BTreeMap::values);
        value.len() >= SCRUB_MIN && known.into_iter().any(|secret| secret.expose() == value)
    }

    /// Keeps the credentials of a client's environment: known variables and those that the configuration refers to.
    ///
    /// The newest value wins; a client that lacks a variable (or has it empty) takes nothing away.
    pub fn learn_env(&self, env: &BTreeMap<String, String>) {
        let mut inner = self.write();
        let mut plain = BTreeMap::new();
        for (name, value) in env {
            let wanted = PROVIDER_KEY_VARS.contains(&name.as_str()) || inner.referenced.contains(name);
            if !wanted {
                plain.insert(name.clone(), value.clone());
                continue;
            }
            let value = value.trim();
            if !value.is_empty() && value.len() <= SECRET_MAX {
                inner.secrets.insert(name.clone(), Secret::new(value));
            }
        }
        inner.env = plain;
    }

    /// The secret behind `reference`; of a vault, that of its first credential. Blocks on a command or key store that
    /// was not asked yet.
    ///
    /// # Errors
    /// The text is no reference, or there is no value behind it.
    pub fn resolve(&self, reference: &str) -> Result<Secret, VaultError> {
        match reference.parse::<Credential>()? {
            Credential::Vault(name) => {
                let first = self.members(&format!("vault:{name}"))?.into_iter().next();
                self.secret(&first.ok_or(VaultError::NoCredential(name))?)
            }
            _ => self.secret(reference),
        }
    }

    /// Lends the credential that `session` is to use for its next attempt: the one it used, unless that rests.
    ///
    /// One that gives no secret now is passed over. Blocks as [`Vault::resolve`] does; see [`Vault::is_slow`].
    ///
    /// # Errors
    /// None of the pool gives a secret: what the last one lacks.
    pub fn lease(&self, credential: &str, session: &str) -> Result<Lease, VaultError> {
        let members = self.members(credential)?;
        let mut lacks = VaultError::NoCredential(credential.trim_start_matches("vault:").to_owned());
        let mut without = Vec::new();
        loop {
            let choice = {
                let mut pools = self.pools();
                let pool = pools.entry(credential.to_owned()).or_default();
                pool.set_members(&members);
                pool.choose(session, self.now_ms(), &without)
            };
            let Some(choice) = choice else { break };
            let reference = &members[choice.member];
            match self.secret(reference) {
                Ok(secret) => {
                    let rotation = choice.from.map(|(from, why)| Rotation {
                        pool: credential.to_owned(),
                        from: members[from].clone(),
                        to: reference.clone(),
                        why,
                    });
                    return Ok(Lease {
                        secret,
                        reference: reference.clone(),
                        place: (choice.member + 1, members.len()),
                        rotation,
                        rests: choice.rests,
                        credential: credential.to_owned(),
                    });
                }
                Err(error) => {
                    lacks = error;
                    without.push(choice.member);
                }
            }
        }
        Err(lacks)
    }

    /// Notes what came of an attempt with a lent credential.
    pub fn report(&self, lease: &Lease, outcome: Outcome) {
        if outcome == Outcome::Unauthorized {
            // Commands give tokens that expire; the next attempt asks anew.
            self.write().fetched.remove(&lease.reference);
        }
        let now = self.now_ms();
        if let Some(pool) = self.pools().get_mut(&lease.credential) {
            match outcome {
                // Nobody else was left, and it was not as tired as it was thought to be.
                Outcome::Ok if lease.rests.is_some() => pool.wake(&lease.reference),
                outcome => pool.report(&lease.reference, outcome, now),
            }
        }
    }

    /// The standing of a pool's members: reference, health, and how long it still rests.
    pub fn standing(&self, credential: &str) -> Vec<(String, Health, Option<Duration>)> {
        let now = self.now_ms();
        let members = self.members(credential).unwrap_or_default();
        let mut pools = self.pools();
        let pool = pools.entry(credential.to_owned()).or_default();
        pool.set_members(&members);
        pool.members()
            .iter()
            .map(|(name, health)| (name.clone(), health.clone(), health.rests(now)))
            .collect()
    }

    /// Whether asking for `credential` may run a program, which takes up to seconds.
    pub fn is_slow(&self, credential: &str) -> bool {
        let inner = self.read();
        let slow = |reference: &String| {
            let outside =
                matches!(reference.parse(), Ok(Credential::Command(_) | Credential::Keyring { .. }));
            outside && !inner.fetched.contains_key(reference)
        };
        inner.members(credential).is_ok_and(|members| members.iter().any(slow))
    }

    /// Whether `reference` resolves now, as far as that is known without running a program.
    pub fn has(&self, reference: &str) -> bool {
        let Ok(members) = self.members(reference) else { return false };
        members.iter().any(|member| match member.parse() {
            Ok(Credential::Env(name)) => self.read().secrets.contains_key(&name),
            Ok(Credential::Stored(name)) => self.read().stored.contains_key(&name),
            Ok(Credential::File(_)) => self.secret(member).is_ok(),
            Ok(Credential::Command(_) | Credential::Keyring { .. }) => true,
            Ok(Credential::Vault(_)) | Err(_) => false,
        })
    }

    /// The variables that `reference` waits for; empty when it waits for none.
    pub fn missing_variables(&self, reference: &str) -> Vec<String> {
        let inner = self.read();
        let members = inner.members(reference).unwrap_or_default();
        let name = |member: &String| match member.parse() {
            Ok(Credential::Env(name)) if !inner.secrets.contains_key(&name) => Some(name),
            _ => None,
        };
        members.iter().filter_map(name).collect()
    }

    /// `text` with every known secret replaced, for words that came from outside and are about to be stored.
    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let inner = self.read();
        for secret in [&inner.secrets, &inner.fetched, &inner.stored].into_iter().flat_map(BTreeMap::values) {
            if secret.expose().len() >= SCRUB_MIN && text.contains(secret.expose()) {
                text = text.replace(secret.expose(), "[redacted]");
            }
        }
        text
    }

    /// The references behind a credential: a vault's pool, or the credential itself.
    fn members(&self, credential: &str) -> Result<Vec<String>, VaultError> {
        self.read().members(credential)
    }

    /// The secret of one reference that is no vault.
    fn secret(&self, reference: &str) -> Result<Secret, VaultError> {
        let credential = reference.parse::<Credential>()?;
        let env = {
            let inner = self.read();
            match &credential {
                Credential::Env(name) => {
                    let secret = inner.secrets.get(name).cloned();
                    return secret.ok_or_else(|| VaultError::NotSet(name.clone()));
                }
                Credential::Stored(name) => {
                    let secret = inner.stored.get(name).cloned();
                    let gone = || VaultError::Unreadable(credential.short(), "is not in vault.toml".into());
                    return secret.ok_or_else(gone);
                }
                // A file is read each time: whoever replaces it wants the new one used.
                Credential::Command(_) | Credential::Keyring { .. } => {
                    if let Some(known) = inner.fetched.get(reference) {
                        return Ok(known.clone());
                    }
                }
                Credential::File(_) | Credential::Vault(_) => {}
            }
            inner.env.clone()
        };
        let secret = fetch::fetch(&credential, &env)?;
        if self.read().fetched.get(reference) != Some(&secret) {
            self.write().fetched.insert(reference.to_owned(), secret.clone());
        }
        Ok(secret)
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    fn pools(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Pool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a key looks like when that is hardly what its provider takes as one.
pub fn oddity(secret: &Secret) -> Option<&'static str> {
    let key = secret.expose();
    if key.starts_with("sk-ant-oat") {
        return Some("looks like the token of a login, which providers refuse as a key");
    }
    if key.split_whitespace().count() > 1 {
        return Some("has spaces in it, which no key has");
    }
    if key.starts_with(['"', '\'']) {
        return Some("begins with a quote, which belongs to the shell");
    }
    None
}

impl Inner {
    fn members(&self, credential: &str) -> Result<Vec<String>, VaultError> {
        match credential.parse::<Credential>()? {
            Credential::Vault(name) => match self.entries.get(&name) {
                Some(entry) => Ok(entry.references()),
                None => Err(VaultError::NoVault(name)),
            },
            _ => Ok(vec![credential.to_owned()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn keeps_known_and_referenced_variables_only() {
        let vault = Vault::new(["env:TEAM_KEY", "keychain:nothing"]);
        vault.learn_env(&env(&[
            ("OPENAI_API_KEY", "sk-openai"),
            ("TEAM_KEY", "sk-team\n"),
            ("HOME", "/root"),
            ("XAI_API_KEY", " "),
        ]));
        assert_eq!(vault.resolve("env:OPENAI_API_KEY").unwrap().expose(), "sk-openai");
        assert_eq!(vault.resolve("env:TEAM_KEY").unwrap().expose(), "sk-team");
        assert_eq!(vault.resolve("env:HOME").unwrap_err(), VaultError::NotSet("HOME".into()));
        assert!(!vault.has("env:XAI_API_KEY"));
        assert!(matches!(vault.resolve("keychain:nothing"), Err(VaultError::NoReference(_))));
        assert!(matches!(vault.resolve("env:"), Err(VaultError::NoReference(_))));
        assert!(vault.is_key("TEAM_KEY") && vault.is_key("OPENAI_API_KEY") && !vault.is_key("HOME"));
    }

    #[test]
    fn the_newest_value_wins_and_absence_takes_nothing_away() {
        let vault = Vault::default();
        vault.learn_env(&env(&[("OPENAI_API_KEY", "first")]));
        vault.learn_env(&env(&[("OPENAI_API_KEY", "second")]));
        vault.learn_env(&env(&[("OPENAI_API_KEY", "")]));
        vault.learn_env(&env(&[]));
        assert_eq!(vault.resolve("env:OPENAI_API_KEY").unwrap().expose(), "second");
    }

    #[test]
    fn a_reference_made_later_is_learnt_by_the_next_client() {
        let vault = Vault::default();
        vault.learn_env(&env(&[("LATE", "value")]));
        assert!(!vault.has("env:LATE"));
        vault.refer("env:LATE");
        vault.learn_env(&env(&[("LATE", "value")]));
        assert!(vault.has("env:LATE"));
    }

    #[test]
    fn nothing_printable_shows_a_secret() {
        let vault = Vault::default();
        vault.learn_env(&env(&[("OPENAI_API_KEY", "sk-canary-1234"), ("XAI_API_KEY", "ab")]));
        assert!(!format!("{vault:?}").contains("canary"));
        assert_eq!(vault.scrub("bad key sk-canary-1234, ab"), "bad key [redacted], ab");
    }

    #[test]
    fn oversized_values_are_not_kept() {
        let vault = Vault::default();
        vault.learn_env(&env(&[("OPENAI_API_KEY", &"x".repeat(SECRET_MAX + 1))]));
        assert!(!vault.has("env:OPENAI_API_KEY"));
    }

    fn vault_file(dir: &tempfile::TempDir, credentials: &[&str]) -> std::path::PathBuf {
        let path = VaultFile::path(dir.path());
        let kept = |reference: &&str| crate::router::Kept {
            reference: (*reference).to_owned(),
            mcp_server_url: None,
        };
        let entry =
            VaultEntry { credentials: credentials.iter().map(kept).collect(), ..VaultEntry::default() };
        VaultFile::update(&path, |file| {
            file.vaults.insert("team".into(), entry);
            Ok::<_, VaultError>(())
        })
        .unwrap();
        path
    }

    #[test]
    fn a_vaults_credentials_take_turns_and_each_turn_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::default();
        vault.refresh(&vault_file(&dir, &["env:A", "env:B"])).unwrap();
        assert!(!vault.has("vault:team"));
        assert_eq!(vault.missing_variables("vault:team"), ["A", "B"]);
        vault.learn_env(&env(&[("A", "sk-a"), ("B", "sk-b"), ("HOME", "/h")]));
        assert!(vault.has("vault:team") && vault.is_key("A") && !vault.has("vault:other"));

        let first = vault.lease("vault:team", "pane").unwrap();
        assert_eq!((first.secret.expose(), first.place), ("sk-a", (1, 2)));
        assert_eq!(first.rotation, None);
        vault.report(&first, Outcome::Limited(Some(Duration::from_secs(3600))));
        let second = vault.lease("vault:team", "pane").unwrap();
        assert_eq!(second.secret.expose(), "sk-b");
        assert_eq!(
            second.rotation,
            Some(Rotation {
                pool: "vault:team".into(),
                from: "env:A".into(),
                to: "env:B".into(),
                why: Outcome::Limited(Some(Duration::from_secs(3600)))
            })
        );
        vault.report(&second, Outcome::Limited(Some(Duration::from_secs(7200))));
        let last = vault.lease("vault:team", "pane").unwrap();
        assert_eq!(last.secret.expose(), "sk-a");
        assert!(last.rests.is_some_and(|rests| rests > Duration::from_secs(3500)));
        let resting = || vault.standing("vault:team").iter().filter(|(_, _, rests)| rests.is_some()).count();
        assert_eq!(resting(), 2);
        vault.report(&first, Outcome::Ok);
        assert_eq!(resting(), 2, "an answer to a request from before the failure ends no rest");
        vault.report(&last, Outcome::Ok);
        assert_eq!(resting(), 1, "one to a request that was sent while it rested does");
        assert!(!format!("{vault:?} {last:?}").contains("sk-"));
    }

    #[test]
    fn a_credential_that_gives_nothing_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::default();
        vault.refresh(&vault_file(&dir, &["env:GONE", "env:B"])).unwrap();
        assert_eq!(
            vault.lease("vault:team", "p").unwrap_err(),
            VaultError::NotSet("B".into()),
            "the last one tried"
        );
        vault.learn_env(&env(&[("B", "sk-b")]));
        let lease = vault.lease("vault:team", "q").unwrap();
        assert_eq!(lease.secret.expose(), "sk-b");
        assert!(matches!(vault.lease("vault:none", "p"), Err(VaultError::NoVault(_))));
    }

    #[test]
    fn a_command_is_asked_once_and_again_when_its_token_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        std::fs::write(&token, "first-token").unwrap();
        let reference = format!("cmd:cat {}", token.display());
        let vault = Vault::new([]);
        vault.learn_env(&env(&[("PATH", &std::env::var("PATH").unwrap())]));
        assert!(vault.is_slow(&reference) && vault.has(&reference));
        let lease = vault.lease(&reference, "p").unwrap();
        assert!(!vault.is_slow(&reference));
        std::fs::write(&token, "second-token").unwrap();
        assert_eq!(vault.lease(&reference, "p").unwrap().secret.expose(), "first-token");
        vault.report(&lease, Outcome::Unauthorized);
        assert_eq!(vault.lease(&reference, "p").unwrap().secret.expose(), "second-token");
        assert_eq!(vault.scrub("it was second-token"), "it was [redacted]");
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_holds_no_vault() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::default();
        let path = vault_file(&dir, &["env:A"]);
        vault.refresh(&path).unwrap();
        assert_eq!(vault.entry("team").unwrap().references(), ["env:A"]);
        vault.refresh(&vault_file(&dir, &["env:A", "env:LONGER"])).unwrap();
        assert_eq!(vault.entry("team").unwrap().references().len(), 2);
        std::fs::write(&path, "no toml at all").unwrap();
        assert!(matches!(vault.refresh(&path), Err(VaultError::File(..))));
        assert!(vault.refresh(&path).is_err());
        assert_eq!(vault.entry("team"), None);
    }
}
