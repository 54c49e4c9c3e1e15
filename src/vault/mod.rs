//! Owns credential references and how they are resolved to secrets, which stay in here and in upstream requests.
//!
//! A reference such as `env:ANTHROPIC_API_KEY` may be shown, stored and logged; what it resolves to may not. Values
//! arrive from clients, because the server's own environment is whichever one happened to start it.
//! Must not know: who asks for a secret, what it is sent to.
mod secret;

pub use secret::Secret;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock},
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

/// Why a reference has no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The reference is not one that this version resolves.
    #[error("{0:?} is no credential reference this version resolves; write it as env:NAME")]
    Unknown(String),
    /// No client has brought a value.
    #[error("{0} is not set in the environment of any client that attached; export it and attach again")]
    NotSet(String),
}

/// The secrets of this server's life, in memory only.
#[derive(Debug, Default)]
pub struct Vault {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Names beyond [`PROVIDER_KEY_VARS`] that the configuration refers to.
    referenced: BTreeSet<String>,
    secrets: BTreeMap<String, Secret>,
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

    /// Learns the variable behind `reference` from now on; anything but `env:NAME` is ignored here and fails in
    /// [`Vault::resolve`].
    pub fn refer(&self, reference: &str) {
        if let Ok(name) = variable(reference) {
            self.write().referenced.insert(name.to_owned());
        }
    }

    /// Variables that may hold a key: the known ones and those that the configuration refers to.
    pub fn is_key(&self, name: &str) -> bool {
        PROVIDER_KEY_VARS.contains(&name) || self.read().referenced.contains(name)
    }

    /// Keeps the credentials of a client's environment: known variables and those that the configuration refers to.
    ///
    /// The newest value wins; a client that lacks a variable (or has it empty) takes nothing away.
    pub fn learn_env(&self, env: &BTreeMap<String, String>) {
        let mut inner = self.write();
        for (name, value) in env {
            let wanted = PROVIDER_KEY_VARS.contains(&name.as_str()) || inner.referenced.contains(name);
            let value = value.trim();
            if wanted && !value.is_empty() && value.len() <= SECRET_MAX {
                inner.secrets.insert(name.clone(), Secret::new(value));
            }
        }
    }

    /// The secret behind `reference`.
    ///
    /// # Errors
    /// The reference is not of the form `env:NAME`, or no client has brought that variable.
    pub fn resolve(&self, reference: &str) -> Result<Secret, VaultError> {
        let name = variable(reference)?;
        self.read().secrets.get(name).cloned().ok_or_else(|| VaultError::NotSet(name.to_owned()))
    }

    /// Whether `reference` resolves now.
    pub fn has(&self, reference: &str) -> bool {
        variable(reference).is_ok_and(|name| self.read().secrets.contains_key(name))
    }

    /// `text` with every known secret replaced, for words that came from outside and are about to be stored.
    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.read().secrets.values() {
            if secret.expose().len() >= SCRUB_MIN && text.contains(secret.expose()) {
                text = text.replace(secret.expose(), "[redacted]");
            }
        }
        text
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The variable's name in `env:NAME`.
fn variable(reference: &str) -> Result<&str, VaultError> {
    match reference.strip_prefix("env:") {
        Some(name) if !name.is_empty() && !name.contains(['=', '\0', ' ']) => Ok(name),
        _ => Err(VaultError::Unknown(reference.to_owned())),
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
        assert!(matches!(vault.resolve("keychain:nothing"), Err(VaultError::Unknown(_))));
        assert!(matches!(vault.resolve("env:"), Err(VaultError::Unknown(_))));
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
}
