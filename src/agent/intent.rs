//! What a model wants to do with a tool, and whether it may: decided from the words of the call alone.
use super::servers::parts;
use crate::{
    config::equipment::{Act, Rule},
    router::glob,
    state::Permission,
};
use serde::Deserialize;
use std::{collections::BTreeSet, time::Duration};

/// How long a command may run when the model names no time.
const SHELL_TIME: Duration = Duration::from_secs(120);
/// How long it may run at most: a build of a large project.
const SHELL_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// One call of a tool, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Run a command.
    Shell {
        /// For the shell.
        command: String,
        /// How long it may run.
        limit: Duration,
    },
    /// Read a part of a file.
    Read {
        /// Which.
        path: String,
        /// The first line, from 1.
        from: usize,
        /// How many lines.
        lines: usize,
    },
    /// Write a whole file.
    Write {
        /// Which.
        path: String,
        /// All of it.
        content: String,
    },
    /// Replace text in a file.
    Edit {
        /// Which.
        path: String,
        /// What stands there.
        old: String,
        /// What shall stand there.
        new: String,
        /// Wherever it stands, not once only.
        all: bool,
    },
    /// List a directory.
    List {
        /// Which.
        path: String,
    },
    /// Call a tool of an MCP server.
    Mcp {
        /// `mcp__server__tool`.
        name: String,
        /// What it is given, as JSON.
        arguments: String,
        /// Both, for the person.
        label: String,
    },
}

/// Lines of a file that are read when the model names no number.
const READ_LINES: usize = 2_000;

/// The arguments of all tools; each uses its own.
#[derive(Default, Deserialize)]
struct Arguments {
    command: Option<String>,
    timeout_seconds: Option<f64>,
    path: Option<String>,
    offset: Option<usize>,
    limit: Option<usize>,
    content: Option<String>,
    old_text: Option<String>,
    new_text: Option<String>,
    replace_all: Option<bool>,
}

impl Intent {
    /// Understands a call.
    ///
    /// # Errors
    /// A sentence for the model: what it has to do differently.
    pub fn read(name: &str, arguments: &str) -> Result<Self, String> {
        let text = if arguments.trim().is_empty() { "{}" } else { arguments };
        if let Some((server, tool)) = parts(name) {
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
                .map_err(|e| format!("the arguments of {name} are no JSON object: {e}"))?;
            let label = format!("{server}/{tool} {text}");
            return Ok(Self::Mcp { name: name.into(), arguments: text.into(), label });
        }
        let given: Arguments = serde_json::from_str(text)
            .map_err(|e| format!("the arguments of {name} are not what its schema says: {e}"))?;
        let need = |value: Option<String>, what: &str| {
            value.ok_or_else(|| format!("{name} needs the argument {what:?}"))
        };
        Ok(match name {
            "shell" => Self::Shell {
                command: need(given.command, "command")?,
                limit: given
                    .timeout_seconds
                    .and_then(|s| Duration::try_from_secs_f64(s).ok())
                    .filter(|limit| !limit.is_zero())
                    .unwrap_or(SHELL_TIME)
                    .min(SHELL_TIME_MAX),
            },
            "read_file" => Self::Read {
                path: need(given.path, "path")?,
                from: given.offset.unwrap_or(1).max(1),
                lines: given.limit.unwrap_or(READ_LINES).clamp(1, READ_LINES),
            },
            "write_file" => {
                Self::Write { path: need(given.path, "path")?, content: need(given.content, "content")? }
            }
            "edit_file" => Self::Edit {
                path: need(given.path, "path")?,
                old: need(given.old_text, "old_text")?,
                new: need(given.new_text, "new_text")?,
                all: given.replace_all.unwrap_or(false),
            },
            "list_files" => Self::List { path: given.path.unwrap_or_else(|| ".".into()) },
            _ => return Err(format!("there is no tool {name:?}")),
        })
    }

    /// The file or directory that it is about.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Shell { .. } | Self::Mcp { .. } => None,
            Self::Read { path, .. }
            | Self::Write { path, .. }
            | Self::Edit { path, .. }
            | Self::List { path } => Some(path),
        }
    }

    /// What it is in one word.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Shell { .. } => "run",
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
            Self::Edit { .. } => "edit",
            Self::List { .. } => "list",
            Self::Mcp { .. } => "mcp",
        }
    }

    /// What it is about, on as many lines as that takes.
    pub fn subject(&self) -> &str {
        match self {
            Self::Shell { command, .. } => command,
            Self::Mcp { label, .. } => label,
            other => other.path().unwrap_or_default(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Shell { .. } | Self::Mcp { .. } => Kind::Run,
            Self::Read { .. } | Self::List { .. } => Kind::Look,
            Self::Write { .. } | Self::Edit { .. } => Kind::Change,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Look,
    Change,
    Run,
}

/// Whether a call is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At once.
    Go,
    /// If the person agrees.
    Ask,
    /// No; the sentence is for the model.
    No(String),
}

/// What the person agreed to for the rest of this session.
#[derive(Debug, Default)]
pub struct Agreed {
    commands: BTreeSet<String>,
    edits: bool,
    rules: Vec<Rule>,
}

impl Agreed {
    /// What the person's settings say already.
    pub fn with(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// The rule that decides about a call: one that denies, else one that allows. What chains commands or puts one into
    /// another is allowed by none, and denied when any part of it begins so.
    fn rule(&self, intent: &Intent) -> Option<&Rule> {
        let fits = |rule: &&Rule| match (rule.act, intent) {
            (Act::Run, Intent::Shell { command, .. }) => {
                let chains = |c: char| ";|&<>$`(){}\n".contains(c);
                let begins = |part: &str| {
                    let mut words = part.split_whitespace();
                    rule.pattern.split_whitespace().all(|word| words.next() == Some(word))
                };
                if rule.allow {
                    !command.contains(chains) && begins(command)
                } else {
                    command.split(chains).any(begins)
                }
            }
            (Act::Edit, Intent::Write { path, .. } | Intent::Edit { path, .. })
            | (Act::Read, Intent::Read { path, .. } | Intent::List { path }) => {
                let path = path.trim_start_matches("./");
                let plain = !path.split('/').any(|part| part == "..");
                rule.pattern.is_empty() || (plain || !rule.allow) && glob(&rule.pattern, path)
            }
            (Act::Mcp, Intent::Mcp { name, .. }) => match (rule.server(), parts(name)) {
                (("", _), _) => true,
                ((server, tool), Some((of, called))) => {
                    server == of && tool.is_none_or(|tool| tool == called)
                }
                _ => false,
            },
            _ => false,
        };
        let found = |allow: bool| self.rules.iter().filter(|rule| rule.allow == allow).find(fits);
        found(false).or_else(|| found(true))
    }

    /// Takes note that calls like this one need not ask again.
    pub fn remember(&mut self, intent: &Intent) {
        match intent {
            Intent::Shell { command, .. } => drop(self.commands.insert(command.clone())),
            Intent::Write { .. } | Intent::Edit { .. } => self.edits = true,
            Intent::Mcp { name, .. } => drop(self.commands.insert(name.clone())),
            Intent::Read { .. } | Intent::List { .. } => {}
        }
    }

    /// What remembering would mean, in words; `None` where every call asks for itself.
    pub fn offer(intent: &Intent, outside: bool) -> Option<&'static str> {
        match intent {
            Intent::Shell { .. } => Some("yes, always this command"),
            Intent::Mcp { .. } => Some("yes, always this tool"),
            Intent::Write { .. } | Intent::Edit { .. } if !outside => Some("yes, all edits here"),
            _ => None,
        }
    }
}

/// Whether a call may be carried out. `outside`: its path leads out of the workspace.
pub fn decide(permission: Permission, intent: &Intent, outside: bool, agreed: &Agreed) -> Verdict {
    let no = |what: &str| {
        Verdict::No(format!(
            "not allowed: the permission is {}, {what}. Say what you would do instead of trying another way.",
            word(permission)
        ))
    };
    let rule = agreed.rule(intent);
    if let Some(rule) = rule.filter(|rule| !rule.allow) {
        return Verdict::No(format!(
            "not allowed: the person's settings say {rule:?}",
            rule = rule.to_string()
        ));
    }
    let allowed =
        rule.is_some() && !outside && !matches!(permission, Permission::Plan | Permission::Readonly);
    match (permission, intent.kind()) {
        _ if allowed => Verdict::Go,
        (Permission::Full, _) => Verdict::Go,
        (Permission::Readonly, Kind::Look) if outside => no("which reads nothing outside the workspace"),
        (_, Kind::Look) if outside => Verdict::Ask,
        (_, Kind::Look) => Verdict::Go,
        (Permission::Readonly, _) => no("which reads and does nothing else"),
        (Permission::Plan, Kind::Change) => no("which changes nothing"),
        (Permission::Edits, Kind::Change) if !outside => Verdict::Go,
        (Permission::Ask, Kind::Change) if !outside && agreed.edits => Verdict::Go,
        (_, Kind::Change) => Verdict::Ask,
        (_, Kind::Run) => match intent {
            Intent::Shell { command: known, .. } | Intent::Mcp { name: known, .. }
                if agreed.commands.contains(known) =>
            {
                Verdict::Go
            }
            _ => Verdict::Ask,
        },
    }
}

/// The word of a permission.
pub fn word(permission: Permission) -> &'static str {
    match permission {
        Permission::Ask => "ask",
        Permission::Edits => "edits",
        Permission::Plan => "plan",
        Permission::Full => "full",
        Permission::Readonly => "readonly",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(command: &str) -> Intent {
        Intent::Shell { command: command.into(), limit: SHELL_TIME }
    }

    fn write() -> Intent {
        Intent::Write { path: "a".into(), content: "b".into() }
    }

    fn look() -> Intent {
        Intent::List { path: ".".into() }
    }

    #[test]
    fn calls_are_understood_and_what_is_missing_is_named() {
        let read = |name, arguments| Intent::read(name, arguments);
        assert_eq!(read("shell", r#"{"command": "ls"}"#), Ok(shell("ls")));
        let Ok(Intent::Shell { limit, .. }) = read("shell", r#"{"command": "x", "timeout_seconds": 1e12}"#)
        else {
            panic!()
        };
        assert_eq!(limit, SHELL_TIME_MAX);
        assert_eq!(read("list_files", ""), Ok(look()));
        assert_eq!(
            read("edit_file", r#"{"path": "a"}"#).unwrap_err(),
            r#"edit_file needs the argument "old_text""#
        );
        assert!(read("shell", "nonsense").unwrap_err().contains("schema"));
        assert_eq!(read("fly", "{}").unwrap_err(), r#"there is no tool "fly""#);
    }

    #[test]
    fn every_permission_means_what_its_words_say() {
        use Permission::{Ask, Edits, Full, Plan, Readonly};
        let none = Agreed::default();
        // What a look, a change and a command get inside the workspace, then a look and a change outside.
        let table = [
            (Ask, "go ask ask ask ask"),
            (Edits, "go go ask ask ask"),
            (Plan, "go no ask ask no"),
            (Full, "go go go go go"),
            (Readonly, "go no no no no"),
        ];
        for (permission, wanted) in table {
            let calls =
                [(look(), false), (write(), false), (shell("x"), false), (look(), true), (write(), true)];
            let said = calls.map(|(intent, outside)| match decide(permission, &intent, outside, &none) {
                Verdict::Go => "go",
                Verdict::Ask => "ask",
                Verdict::No(_) => "no",
            });
            assert_eq!(said.join(" "), wanted, "{permission:?}");
        }
    }

    #[test]
    fn the_persons_rules_deny_first_and_allow_nothing_that_chains() {
        let origin = crate::config::Place { file: "config.toml".into(), line: 1, column: 1 };
        let rule =
            |allow, act, pattern: &str| Rule { allow, act, pattern: pattern.into(), origin: origin.clone() };
        let agreed = Agreed::with(vec![
            rule(true, Act::Run, "git status"),
            rule(false, Act::Run, "rm -rf"),
            rule(true, Act::Edit, "src/*"),
            rule(true, Act::Mcp, "bells"),
            rule(false, Act::Mcp, "bells/melt"),
        ]);
        let mcp = |name: &str| Intent::read(name, "{}").unwrap();
        let edit = |path: &str| Intent::Write { path: path.into(), content: String::new() };
        let said = |intent: &Intent, permission| match decide(permission, intent, false, &agreed) {
            Verdict::Go => "go",
            Verdict::Ask => "ask",
            Verdict::No(_) => "no",
        };
        for (intent, wanted) in [
            (shell("git status -s"), "go"),
            (shell("git statusx"), "ask"),
            (shell("git status; rm -rf /"), "no"),
            (shell("git status > x"), "ask"),
            (shell("true && rm -rf x"), "no"),
            (edit("./src/a.rs"), "go"),
            (edit("src/../../a.rs"), "ask"),
            (mcp("mcp__bells__ring"), "go"),
            (mcp("mcp__bells__melt"), "no"),
            (mcp("mcp__other__ring"), "ask"),
        ] {
            assert_eq!(said(&intent, Permission::Ask), wanted, "{intent:?}");
        }
        assert_eq!(said(&shell("git status"), Permission::Readonly), "no");
        assert_eq!(said(&shell("rm -rf x"), Permission::Full), "no");
    }

    #[test]
    fn what_was_agreed_to_does_not_reach_further() {
        let mut agreed = Agreed::default();
        agreed.remember(&shell("cargo test"));
        let decide =
            |intent: &Intent, outside, agreed: &Agreed| decide(Permission::Ask, intent, outside, agreed);
        assert_eq!(decide(&shell("cargo test"), false, &agreed), Verdict::Go);
        assert_eq!(decide(&shell("cargo test; rm -rf /"), false, &agreed), Verdict::Ask);
        assert_eq!(decide(&write(), false, &agreed), Verdict::Ask);
        agreed.remember(&write());
        assert_eq!(decide(&write(), false, &agreed), Verdict::Go);
        assert_eq!(decide(&write(), true, &agreed), Verdict::Ask);
        assert!(Agreed::offer(&write(), true).is_none());
    }
}
