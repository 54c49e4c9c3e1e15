//! What harnesses are given beside their model, in one form for every executor: MCP servers, skills, context files and
//! permissions. `config.toml` and a workspace's `.inspan.toml` have the same tables.
mod read;

pub use read::{Fault, read};

use super::Place;
use crate::router::{Credential, ExecutorId};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    path::{Component, Path, PathBuf},
};

/// The tables of a file that speak of equipment.
pub const TABLES: [&str; 4] = ["mcp", "skills", "context", "permissions"];

/// Everything that harnesses are given; what was written later or nearer to the workspace comes later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Equipment {
    /// MCP servers, each name once.
    pub servers: Vec<McpServer>,
    /// Directories of skills.
    pub skill_dirs: Vec<Location>,
    /// Skills that others publish.
    pub skill_sources: Vec<SkillSource>,
    /// Whether inspan's own skill is given; `None` where nothing was said.
    pub builtin_skill: Option<bool>,
    /// Files that every harness reads before it begins.
    pub context: Vec<Location>,
    /// What may be done without asking and what may not be done at all.
    pub rules: Vec<Rule>,
}

/// A path as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// `~/skills`, `docs/agents.md`.
    pub written: String,
    /// Where it was written; what is relative is relative to this file.
    pub origin: Place,
    /// A workspace wrote it: it may not lead out of the file's directory.
    pub confined: bool,
}

/// An MCP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct McpServer {
    /// What the harness calls it.
    pub name: String,
    /// How it is reached.
    #[serde(flatten)]
    pub transport: Transport,
    /// Who is given it; empty for every executor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub executors: Vec<ExecutorId>,
    /// False keeps it from being used without taking it out.
    pub enabled: bool,
    /// Where it was written.
    pub origin: Place,
}

/// How an MCP server is reached. A value ends in a reference to a secret, such as `env:NAME`, or holds none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Transport {
    /// A program that speaks on its standard input and output.
    Stdio {
        /// The program and its arguments.
        command: Vec<String>,
        /// Its variables, as written.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
    },
    /// Streamable HTTP.
    Http {
        /// The address.
        url: String,
        /// Headers of every request, as written.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
}

/// A repository of skills that others publish, at one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkillSource {
    /// What it is called here.
    pub name: String,
    /// Where git fetches it from.
    pub git: String,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// The directory of skills in it; empty for its root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Where it was written.
    pub origin: Place,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Running a command; the pattern is how it begins.
    Run,
    /// Changing a file; the pattern is a glob from the workspace.
    Edit,
    /// Reading a file; the pattern is a glob from the workspace.
    Read,
    /// Fetching from the web; the pattern is a domain.
    Web,
    /// Using an MCP server; the pattern is its name, or `name/tool`.
    Mcp,
}

impl Act {
    /// Every act with its word.
    pub const ALL: [(&'static str, Self); 5] = [
        ("run", Self::Run),
        ("edit", Self::Edit),
        ("read", Self::Read),
        ("web", Self::Web),
        ("mcp", Self::Mcp),
    ];
}

/// One line of `allow` or `deny`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// True for `allow`.
    pub allow: bool,
    /// What it is about.
    pub act: Act,
    /// Which of those; empty for all.
    pub pattern: String,
    /// Where it was written.
    pub origin: Place,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Act::ALL.iter().find(|(_, act)| *act == self.act).map_or("", |(word, _)| word);
        let verb = if self.allow { "allow" } else { "deny" };
        match self.pattern.as_str() {
            "" => write!(f, "{verb} {word}"),
            pattern => write!(f, "{verb} {word} {pattern}"),
        }
    }
}

impl Rule {
    /// Server and tool of a rule about an MCP server; no tool means all of them.
    pub fn server(&self) -> (&str, Option<&str>) {
        match self.pattern.split_once('/') {
            Some((server, tool)) => (server, Some(tool)),
            None => (&self.pattern, None),
        }
    }
}

impl McpServer {
    /// Whether this executor is given it.
    pub fn is_for(&self, executor: &ExecutorId) -> bool {
        self.enabled && (self.executors.is_empty() || self.executors.contains(executor))
    }

    /// The values as they were written: variables or headers.
    pub fn values(&self) -> &BTreeMap<String, String> {
        match &self.transport {
            Transport::Stdio { env, .. } => env,
            Transport::Http { headers, .. } => headers,
        }
    }

    /// The program with its arguments, or the address.
    pub fn target(&self) -> String {
        match &self.transport {
            Transport::Stdio { command, .. } => command.join(" "),
            Transport::Http { url, .. } => url.clone(),
        }
    }
}

/// The reference that a value ends in.
pub fn reference(value: &str) -> Option<&str> {
    let last = value.rsplit(' ').next().unwrap_or(value);
    last.parse::<Credential>().is_ok().then_some(last)
}

/// `file line 7`, as a person is told where something was written.
pub fn line_of(origin: &Place) -> String {
    match origin.line {
        0 => origin.file.clone(),
        line => format!("{}:{line}", origin.file),
    }
}

impl Location {
    /// The path itself; `home` is the person's, for `~/`.
    ///
    /// # Errors
    /// A sentence when there is no home, or when a workspace's path leads out of it.
    pub fn resolve(&self, home: Option<&Path>) -> Result<PathBuf, String> {
        let base = Path::new(&self.origin.file).parent().unwrap_or(Path::new("/"));
        if self.confined {
            let path = base.join(&self.written);
            let real = path.canonicalize().map_err(|e| format!("{} cannot be read: {e}", self.written))?;
            let inside = base.canonicalize().is_ok_and(|base| real.starts_with(base));
            return if inside { Ok(path) } else { Err(format!("{} leads out of the workspace", self.written)) };
        }
        match (self.written.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => Ok(home.join(rest)),
            (Some(_), None) => Err(format!("{}: HOME is not set", self.written)),
            (None, _) => Ok(base.join(&self.written)),
        }
    }
}

/// Whether a path that a workspace wrote stays below its directory, as far as its words tell.
fn stays_inside(path: &str) -> bool {
    !path.starts_with('~') && Path::new(path).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
}

impl Equipment {
    /// Lays more over this: a server of the same name takes the place of the one before.
    pub fn lay(&mut self, more: Self) {
        for server in more.servers {
            self.servers.retain(|known| known.name != server.name);
            self.servers.push(server);
        }
        for source in more.skill_sources {
            self.skill_sources.retain(|known| known.name != source.name);
            self.skill_sources.push(source);
        }
        self.skill_dirs.extend(more.skill_dirs);
        self.context.extend(more.context);
        self.rules.extend(more.rules);
        self.builtin_skill = more.builtin_skill.or(self.builtin_skill);
    }

    /// What holds without anybody's consent: a refusal harms nobody.
    pub fn harmless(&self) -> Self {
        let rules = self.rules.iter().filter(|rule| !rule.allow).cloned().collect();
        Self { rules, ..Self::default() }
    }

    /// Whether there is nothing in it that a person would have to agree to.
    pub fn is_harmless(&self) -> bool {
        *self == Self { builtin_skill: self.builtin_skill, ..self.harmless() }
    }

    /// What a person agrees to, a line each: programs, addresses and which secrets they are given, skills, files, rules.
    pub fn lines(&self) -> Vec<String> {
        let secrets = |server: &McpServer| {
            let named: Vec<&str> = server.values().values().filter_map(|value| reference(value)).collect();
            if named.is_empty() { String::new() } else { format!(" with {}", named.join(", ")) }
        };
        let servers = self.servers.iter().filter(|server| server.enabled).map(|server| {
            let verb = if matches!(server.transport, Transport::Stdio { .. }) { "runs" } else { "asks" };
            format!("MCP server {} {verb} {}{}", server.name, server.target(), secrets(server))
        });
        let skills = self.skill_dirs.iter().map(|dir| format!("skills in {}", dir.written));
        let sources = self
            .skill_sources
            .iter()
            .map(|source| format!("skills of {} at {}", source.git, source.commit.get(..12).unwrap_or_default()));
        let context = self.context.iter().map(|file| format!("context file {}", file.written));
        let rules = self.rules.iter().map(ToString::to_string);
        servers.chain(skills).chain(sources).chain(context).chain(rules).collect()
    }
}
