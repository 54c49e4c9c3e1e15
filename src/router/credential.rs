//! Credential references: where a secret is found, in words that may be shown, stored and logged.
use std::{fmt, str::FromStr};

/// How a reference may be written, for messages.
pub const FORMS: &str = "env:NAME, file:PATH, cmd:COMMAND, keyring:SERVICE/ACCOUNT or vault:NAME";

/// A longer reference is not something that a person wrote.
const MAX_REFERENCE: usize = 4096;

/// Where a secret is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A variable of the client that brings it.
    Env(String),
    /// The contents of a file; `~/` is the home of the person.
    File(String),
    /// What a shell command prints.
    Command(String),
    /// An entry of the desktop's key store.
    Keyring {
        /// The attribute `service`.
        service: String,
        /// The attribute `account`.
        account: String,
    },
    /// Kept in the vault's own file, under this name.
    Stored(String),
    /// All credentials of a vault, one at a time.
    Vault(String),
}

impl Credential {
    /// The reference as a narrow place shows it: a variable by its name, a command by its program.
    pub fn short(&self) -> String {
        match self {
            Self::Env(name) => name.clone(),
            Self::Command(line) => {
                let mut words = line.split_whitespace();
                let first = words.next().unwrap_or_default();
                format!("cmd:{first}{}", if words.next().is_some() { " …" } else { "" })
            }
            other => other.to_string(),
        }
    }
}

/// The text is no credential reference. It is not repeated, because it may be the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no credential reference; write where the key is found, as {FORMS}, never the key itself")]
pub struct NoReference;

impl FromStr for Credential {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        let (kind, rest) = text.split_once(':').ok_or(NoReference)?;
        if rest.trim().is_empty() || text.len() > MAX_REFERENCE || text.contains(char::is_control) {
            return Err(NoReference);
        }
        let owned = || rest.to_owned();
        match kind {
            "env" if is_variable(rest) => Ok(Self::Env(owned())),
            "file" if rest.starts_with('/') || rest.starts_with("~/") => Ok(Self::File(owned())),
            "cmd" => Ok(Self::Command(owned())),
            "keyring" => match rest.rsplit_once('/') {
                Some((service, account)) if !service.is_empty() && !account.is_empty() => {
                    Ok(Self::Keyring { service: service.to_owned(), account: account.to_owned() })
                }
                _ => Err(NoReference),
            },
            "stored" if is_name(rest.replace('/', "-").as_str()) => Ok(Self::Stored(owned())),
            "vault" if is_name(rest) => Ok(Self::Vault(owned())),
            _ => Err(NoReference),
        }
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Command(line) => write!(f, "cmd:{line}"),
            Self::Keyring { service, account } => write!(f, "keyring:{service}/{account}"),
            Self::Stored(name) => write!(f, "stored:{name}"),
            Self::Vault(name) => write!(f, "vault:{name}"),
        }
    }
}

/// The reference as a narrow place shows it; what is no reference is shown as it is (`rehearsal`, `your login`).
pub fn short_credential(reference: &str) -> String {
    reference.parse::<Credential>().map_or_else(|_| reference.to_owned(), |known| known.short())
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether `name` can name a vault or a gateway: letters, digits, `-`, `_` and `.`, beginning with a letter or digit,
/// at most 64 characters.
pub fn is_name(name: &str) -> bool {
    /// A name stands in lists and borders.
    const MAX_NAME: usize = 64;
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written_alike() {
        for text in [
            "env:TEAM_KEY",
            "file:/run/secrets/key",
            "file:~/.keys/openai",
            "cmd:pass show ai/openai",
            "keyring:inspan/team/openai",
            "stored:team/1",
            "vault:team",
        ] {
            assert_eq!(text.parse::<Credential>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_without_repeating_it() {
        for text in [
            "",
            "sk-ant-canary",
            "env:",
            "env:1X",
            "env:A B",
            "file:relative",
            "keyring:alone",
            "cmd: ",
            "vault:../x",
            "cmd:a\nb",
        ] {
            let error = text.parse::<Credential>().unwrap_err().to_string();
            assert!(!error.contains("canary"), "{text}: {error}");
        }
    }

    #[test]
    fn a_command_is_shown_by_its_program() {
        assert_eq!(short_credential("cmd:pass show ai/openai"), "cmd:pass …");
        assert_eq!(short_credential("env:OPENAI_API_KEY"), "OPENAI_API_KEY");
        assert_eq!(short_credential("rehearsal"), "rehearsal");
    }
}
