//! Which keys exist and what each one takes.
use crate::router::{Catalogue, Credential, ExecutorId, is_name};
mod json;

pub use json::json_schema;
use std::ops::RangeInclusive;
use toml::de::{DeInteger, DeValue};

/// More rows than these cost a pane more memory than anyone reads back.
const MAX_HISTORY: i64 = 100_000;

/// A longer wait makes Escape feel broken; tmux users know up to half a second.
const MAX_ESCAPE_TIME: i64 = 5_000;

/// A key that works alone for longer than this is typed by mistake.
const MAX_REPEAT_TIME: i64 = 5_000;

/// A message that stays longer hides the status line for good.
const MAX_MESSAGE_SECONDS: i64 = 600;

/// More credits to the dollar make every amount unreadable.
const MAX_CREDITS: i64 = 1_000_000;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// More keys.
    Table,
    Flag,
    Count(i64, i64),
    Text,
    /// Key notation; whether such a key exists is for the key table to say.
    Key,
    Clock,
    List,
    Executor,
    Permission,
    Effort,
    AutoInstall,
    Dialect,
    Submit,
    ModeKeys,
    WindowSize,
    PaneNotifications,
    TerminalProgress,
    /// A list of tables, each with an event and a command.
    Hooks,
    Credential,
    /// A credential, `none`, or a declared gateway.
    Payer,
    Url,
    Dialects,
    Header,
    Inject,
    /// US dollars.
    Amount,
}

/// The keys of the top level.
const TOP: [(&str, Want); 36] = [
    ("prefix", Want::Key),
    ("prefix2", Want::Key),
    ("escape_time", Want::Count(0, MAX_ESCAPE_TIME)),
    ("mouse", Want::Flag),
    ("mode_keys", Want::ModeKeys),
    ("history", Want::Count(0, MAX_HISTORY)),
    ("theme", Want::Text),
    ("status", Want::Flag),
    ("clock", Want::Clock),
    ("default_executor", Want::Executor),
    ("inherit_user", Want::Flag),
    ("harness_authority", Want::Flag),
    ("writer_lease", Want::Flag),
    ("bell", Want::Flag),
    ("notify", Want::Flag),
    ("pane_notifications", Want::PaneNotifications),
    ("terminal_progress", Want::TerminalProgress),
    ("clipboard_read", Want::Flag),
    ("message_seconds", Want::Count(1, MAX_MESSAGE_SECONDS)),
    ("update_environment", Want::List),
    ("window_size", Want::WindowSize),
    ("repeat_time", Want::Count(0, MAX_REPEAT_TIME)),
    ("credits_per_usd", Want::Count(1, MAX_CREDITS)),
    ("keys", Want::Table),
    ("root_keys", Want::Table),
    ("hooks", Want::Hooks),
    ("byok", Want::Table),
    ("credits", Want::Table),
    ("budgets", Want::Table),
    ("providers", Want::Table),
    ("gateways", Want::Table),
    ("executors", Want::Table),
    // Read by a reader of their own, which a workspace's file shares.
    ("mcp", Want::Table),
    ("skills", Want::Table),
    ("context", Want::Table),
    ("permissions", Want::Table),
];

const PROVIDER: [(&str, Want); 4] = [
    ("base_url", Want::Url),
    ("headers", Want::Table),
    ("deny_fields", Want::List),
    ("deny_betas", Want::List),
];
const GATEWAY: [(&str, Want); 11] = [
    ("preset", Want::Text),
    ("base_url", Want::Url),
    ("dialects", Want::Dialects),
    ("credential", Want::Credential),
    ("auth", Want::Text),
    ("headers", Want::Table),
    ("deny_fields", Want::List),
    ("deny_betas", Want::List),
    ("models", Want::Table),
    ("vars", Want::Table),
    ("translate", Want::Flag),
];
const DIALECTS: [&str; 4] = ["messages", "responses", "chat", "gemini"];
const INJECT: [&str; 2] = ["gateway", "env"];
const BUDGETS: [(&str, Want); 3] = [("pane", Want::Amount), ("session", Want::Amount), ("day", Want::Amount)];
const EXECUTOR: [(&str, Want); 8] = [
    ("permission", Want::Permission),
    ("args", Want::List),
    ("effort", Want::Effort),
    ("auto_install", Want::AutoInstall),
    ("inject", Want::Inject),
    ("fallback", Want::List),
    ("fallback_stay", Want::Flag),
    ("control", Want::Flag),
];
/// What makes an executor of a name that the catalogue does not know, beside what every executor takes.
const DECLARED: [(&str, Want); 12] = [
    ("command", Want::List),
    ("title", Want::Text),
    ("dialect", Want::Dialect),
    ("default_model", Want::Text),
    ("model", Want::List),
    ("session", Want::List),
    ("resume", Want::List),
    ("prompt", Want::List),
    ("submit", Want::Submit),
    ("env", Want::Table),
    ("permissions", Want::Table),
    ("status", Want::Table),
];
const SUBMITS: [&str; 2] = ["paste", "type"];
/// What a declared executor can be seen in.
const STATUSES: [&str; 5] = ["working", "needs-you", "retrying", "limited", "idle"];
const EFFORTS: [&str; 4] = ["low", "medium", "high", "max"];
const AUTO_INSTALL: [&str; 3] = ["ask", "always", "never"];
const MODE_KEYS: [&str; 2] = ["vi", "emacs"];
const WINDOW_SIZES: [&str; 4] = ["latest", "smallest", "largest", "manual"];
const PANE_NOTIFICATIONS: [&str; 3] = ["always", "unfocused", "never"];
const TERMINAL_PROGRESS: [&str; 3] = ["auto", "always", "never"];
const HOOK: [&str; 2] = ["event", "run"];
const PERMISSIONS: [&str; 5] = ["ask", "edits", "plan", "full", "readonly"];

fn find(keys: &[(&str, Want)], name: &str) -> Option<Want> {
    keys.iter().find(|(known, _)| *known == name).map(|(_, want)| *want)
}

fn executors() -> impl Iterator<Item = &'static str> {
    Catalogue::builtin().executors.iter().map(|e| e.id.as_str())
}

fn providers() -> impl Iterator<Item = &'static str> {
    Catalogue::builtin().providers.iter().map(|p| p.id.as_str())
}

fn takes_byok(name: &str) -> bool {
    Catalogue::builtin().executor(&ExecutorId::from(name)).is_ok_and(|e| !e.byok.is_empty())
}

/// A CLI without a home provider takes a key for each provider.
fn takes_each(name: &str) -> bool {
    Catalogue::builtin().executor(&ExecutorId::from(name)).is_ok_and(|e| e.native.is_none() && e.login)
}

/// What the key at `path` takes; `None` when there is no such key.
pub(super) fn want(path: &[&str]) -> Option<Want> {
    match path {
        [name] => find(&TOP, name),
        ["keys" | "root_keys", _] => Some(Want::Text),
        ["byok", name] if takes_each(name) => Some(Want::Table),
        ["byok", name] => takes_byok(name).then_some(Want::Credential),
        ["byok", name, provider] => {
            (takes_each(name) && providers().any(|p| p == *provider)).then_some(Want::Credential)
        }
        ["credits", name] => providers().any(|p| p == *name).then_some(Want::Payer),
        ["budgets", name] => find(&BUDGETS, name),
        ["providers", name] => providers().any(|p| p == *name).then_some(Want::Table),
        ["providers", _, key] => find(&PROVIDER, key),
        ["gateways", _] => Some(Want::Table),
        ["gateways", _, key] => find(&GATEWAY, key),
        ["gateways" | "providers", _, "headers", _] => Some(Want::Header),
        ["gateways", _, "models" | "vars", _] => Some(Want::Text),
        ["executors", name] => (is_executor(name) || is_stranger(path)).then_some(Want::Table),
        ["executors", name, key] if is_executor(name) => find(&EXECUTOR, key),
        ["executors", _, key] => find(&EXECUTOR, key).or_else(|| find(&DECLARED, key)),
        ["executors", _, "env", _] => Some(Want::Text),
        ["executors", _, "permissions", word] => PERMISSIONS.contains(word).then_some(Want::List),
        ["executors", _, "status", word] => STATUSES.contains(word).then_some(Want::List),
        _ => None,
    }
}

fn is_executor(name: &str) -> bool {
    executors().any(|known| known == name)
}

/// A name below `[executors]` that the catalogue does not know and that an executor may have: it becomes a word of
/// commands and the name of a directory.
pub(super) fn is_stranger(path: &[&str]) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    matches!(path, ["executors", name] if !is_executor(name)
        && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain))
}

/// The names below `path` are not ours to spell: keys, executors, providers.
pub(super) fn free_names(path: &[&str]) -> bool {
    matches!(
        path,
        ["keys" | "root_keys" | "byok" | "credits" | "providers" | "gateways" | "executors"]
            | ["byok", _]
            | ["gateways" | "providers", _, "headers" | "models" | "vars"]
            | ["executors", _, "env" | "permissions" | "status"]
    )
}

/// The names that the table at `path` knows, for finding the nearest.
pub(super) fn names(path: &[&str]) -> Vec<&'static str> {
    let of = |keys: &'static [(&'static str, Want)]| keys.iter().map(|(name, _)| *name).collect();
    match path {
        [] => of(&TOP),
        ["byok"] => executors().filter(|name| takes_byok(name) || takes_each(name)).collect(),
        ["credits" | "providers"] | ["byok", _] => providers().collect(),
        ["gateways", _] => of(&GATEWAY),
        ["executors"] => executors().collect(),
        ["budgets"] => of(&BUDGETS),
        ["providers", _] => of(&PROVIDER),
        ["executors", name] if is_executor(name) => of(&EXECUTOR),
        ["executors", _] => of(&EXECUTOR).into_iter().chain(of(&DECLARED)).collect(),
        ["executors", _, "permissions"] => PERMISSIONS.to_vec(),
        ["executors", _, "status"] => STATUSES.to_vec(),
        _ => Vec::new(),
    }
}

/// A TOML integer as a number; `None` when it does not fit.
pub(super) fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A TOML number as an amount; `None` for anything else.
pub(super) fn amount(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(number) => integer(number).map(|number| number as f64),
        DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
        _ => None,
    }
}

impl Want {
    /// Why the value is not what the key takes; `None` when it is. Never repeats a value that may be a secret.
    pub(super) fn fault(self, value: &DeValue<'_>) -> Option<String> {
        let text = value.as_str();
        match self {
            Self::Table => wants("a table", !value.is_table()),
            Self::Flag => wants("true or false", !value.is_bool()),
            Self::Count(min, max) => {
                let range: RangeInclusive<i64> = min..=max;
                let number = value.as_integer().and_then(integer);
                wants(
                    &format!("a whole number from {min} to {max}"),
                    !number.is_some_and(|n| range.contains(&n)),
                )
            }
            Self::Text => wants("text in quotes", text.is_none()),
            Self::Key => wants("a key such as \"C-Space\"", !text.is_some_and(is_one_word)),
            Self::Clock => match text.map(clock_fault) {
                None => wants("text in quotes", true),
                Some(fault) => fault,
            },
            Self::List => {
                let all_text =
                    |items: &toml::de::DeArray<'_>| items.iter().all(|item| item.get_ref().is_str());
                wants("a list of texts", !value.as_array().is_some_and(all_text))
            }
            Self::Executor => {
                wants("the name of an executor", !text.is_some_and(|t| executors().any(|e| e == t)))
            }
            Self::Permission => wants(
                &format!("one of {}", PERMISSIONS.join(", ")),
                !text.is_some_and(|t| PERMISSIONS.contains(&t)),
            ),
            Self::Dialect => wants(
                &format!("one of {}", DIALECTS.join(", ")),
                !text.is_some_and(|t| DIALECTS.contains(&t)),
            ),
            Self::Submit => {
                wants(&format!("one of {}", SUBMITS.join(", ")), !text.is_some_and(|t| SUBMITS.contains(&t)))
            }
            Self::Effort => {
                wants(&format!("one of {}", EFFORTS.join(", ")), !text.is_some_and(|t| EFFORTS.contains(&t)))
            }
            Self::AutoInstall => wants(
                &format!("one of {}", AUTO_INSTALL.join(", ")),
                !text.is_some_and(|t| AUTO_INSTALL.contains(&t)),
            ),
            Self::ModeKeys => wants(
                &format!("one of {}", MODE_KEYS.join(", ")),
                !text.is_some_and(|t| MODE_KEYS.contains(&t)),
            ),
            Self::WindowSize => wants(
                &format!("one of {}", WINDOW_SIZES.join(", ")),
                !text.is_some_and(|t| WINDOW_SIZES.contains(&t)),
            ),
            Self::PaneNotifications | Self::TerminalProgress => {
                let words = self.words();
                wants(&format!("one of {}", words.join(", ")), !text.is_some_and(|t| words.contains(&t)))
            }
            Self::Hooks => {
                let sound = |item: &toml::Spanned<DeValue<'_>>| {
                    item.get_ref().as_table().is_some_and(|table| {
                        table.len() == HOOK.len()
                            && HOOK
                                .iter()
                                .all(|key| table.get(*key).is_some_and(|value| value.get_ref().is_str()))
                    })
                };
                wants(
                    "[[hooks]] tables with an event and what to run, each text in quotes",
                    !value.as_array().is_some_and(|items| items.iter().all(sound)),
                )
            }
            Self::Credential => wants(CREDENTIAL, !text.is_some_and(is_reference)),
            Self::Payer => wants(
                &format!("{CREDENTIAL}; or \"gateway:NAME\", or \"none\""),
                !text.is_some_and(|t| {
                    t == "none" || is_reference(t) || t.strip_prefix("gateway:").is_some_and(is_name)
                }),
            ),
            Self::Dialects => {
                let known = |items: &toml::de::DeArray<'_>| {
                    items.iter().all(|item| item.get_ref().as_str().is_some_and(|t| DIALECTS.contains(&t)))
                };
                wants(&format!("a list of {}", DIALECTS.join(", ")), !value.as_array().is_some_and(known))
            }
            Self::Header => wants(
                "text without line breaks; a key in it only as a reference at its end, as \"Bearer env:NAME\"",
                !text.is_some_and(|t| !t.is_empty() && !t.contains(char::is_control)),
            ),
            Self::Inject => {
                wants(&format!("one of {}", INJECT.join(", ")), !text.is_some_and(|t| INJECT.contains(&t)))
            }
            Self::Amount => wants(
                "US dollars, such as 5.00",
                !amount(value).is_some_and(|usd| usd.is_finite() && usd >= 0.0),
            ),
            Self::Url => wants("an address that begins with https:// or http://", !text.is_some_and(is_url)),
        }
    }

    /// The words that it takes, when they are few, for finding the nearest.
    pub(super) fn words(self) -> Vec<&'static str> {
        match self {
            Self::Executor => executors().collect(),
            Self::Permission => PERMISSIONS.to_vec(),
            Self::Dialect => DIALECTS.to_vec(),
            Self::Submit => SUBMITS.to_vec(),
            Self::Effort => EFFORTS.to_vec(),
            Self::AutoInstall => AUTO_INSTALL.to_vec(),
            Self::ModeKeys => MODE_KEYS.to_vec(),
            Self::WindowSize => WINDOW_SIZES.to_vec(),
            Self::PaneNotifications => PANE_NOTIFICATIONS.to_vec(),
            Self::TerminalProgress => TERMINAL_PROGRESS.to_vec(),
            Self::Inject => INJECT.to_vec(),
            _ => Vec::new(),
        }
    }
}

const CREDENTIAL: &str = "where the key is found, as \"env:NAME\", \"file:PATH\", \"cmd:COMMAND\", \
                          \"keyring:SERVICE/ACCOUNT\" or \"vault:NAME\", never the key itself";

fn wants(what: &str, wrong: bool) -> Option<String> {
    wrong.then(|| format!("wants {what}"))
}

fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

fn is_reference(text: &str) -> bool {
    // What the vault keeps is named by the vault; its own names for that are nobody's to write.
    matches!(text.parse(), Ok(credential) if !matches!(credential, Credential::Stored(_)))
}

fn is_url(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| is_one_word(host) && !host.starts_with('/'))
}

/// Formats a fixed time, because a format is only wrong where it is used.
fn clock_fault(format: &str) -> Option<String> {
    let time = jiff::Zoned::new(jiff::Timestamp::UNIX_EPOCH, jiff::tz::TimeZone::UTC);
    let fault = jiff::fmt::strtime::format(format, &time).err()?;
    Some(format!("is no clock format: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EXAMPLE;

    #[test]
    fn the_example_names_every_key() {
        let example: toml::Table = EXAMPLE.parse().unwrap();
        for (name, _) in TOP.iter().filter(|(name, _)| {
            !["providers", "gateways", "executors", "hooks"].contains(name)
                && !crate::config::equipment::TABLES.contains(name)
        }) {
            assert!(example.contains_key(*name), "{name}");
        }
        for (name, _) in PROVIDER.iter().chain(&GATEWAY).chain(&EXECUTOR).chain(&BUDGETS) {
            assert!(EXAMPLE.contains(&format!("# {name} = ")), "{name}");
        }
        for name in example.keys() {
            assert!(want(&[name]).is_some(), "{name}");
        }
    }

    #[test]
    fn the_examples_commented_lines_are_right_too() {
        let mut uncommented = String::new();
        for line in EXAMPLE.lines() {
            let bare = line.strip_prefix("# ").unwrap_or(line);
            let is_setting = bare.starts_with("[executors.")
                || bare.starts_with("[providers.")
                || bare == "[[hooks]]"
                || bare.starts_with("[gateways.")
                || crate::config::equipment::TABLES
                    .iter()
                    .any(|table| bare.starts_with(&format!("[{table}.")) || bare == format!("[{table}]"))
                || bare
                    .split_once(" = ")
                    .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            uncommented.push_str(if is_setting { bare } else { line });
            uncommented.push('\n');
        }
        assert!(uncommented.contains(
            "\n[executors.claude]\npermission = \"ask\"\neffort = \"high\"\nauto_install = \"ask\"\nargs = []\n\
             inject = \"gateway\"\ncontrol = true\n"
        ));
        assert!(uncommented.contains("\n[gateways.office]\n"));
        let (settings, problems) = crate::config::Settings::parse(&[("example", &uncommented)]);
        assert_eq!(problems, []);
        assert_eq!(settings.byok.len(), 4);
        assert_eq!(settings.gateways.len(), 1);
        let given = settings.equipment;
        assert_eq!((given.servers.len(), given.skill_sources.len(), given.rules.len()), (2, 1, 5));
        assert_eq!((given.skill_dirs.len(), given.context.len(), given.builtin_skill), (1, 1, Some(true)));
    }
}
