//! Reads the tables of equipment from TOML; what is wrong is named with its place and left out, the rest holds.
use super::{Act, Equipment, Location, McpServer, Place, Rule, SkillSource, TABLES, Transport, reference, stays_inside};
use crate::router::{Credential, ExecutorId, is_name, nearest};
use std::{collections::BTreeMap, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A file with more servers, rules or directories than this was not written by a person.
const MAX_ENTRIES: usize = 200;
/// A rule is a few words.
const MAX_RULE: usize = 400;

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// The key with its tables, dotted.
    pub key: String,
    /// What is wrong and what holds instead.
    pub message: String,
    /// The known name that looks most like the one written.
    pub nearest: Option<String>,
}

struct Reader<'a> {
    place: &'a dyn Fn(usize) -> Place,
    confined: bool,
    found: Equipment,
    faults: Vec<Fault>,
}

type Value<'a> = Spanned<DeValue<'a>>;

/// Reads what a file says of equipment. `place` says where a byte of the text is; `confined` holds for a file that a
/// workspace brings: its paths stay below it and its secrets are variables.
pub fn read(root: &DeTable<'_>, place: &dyn Fn(usize) -> Place, confined: bool) -> (Equipment, Vec<Fault>) {
    let mut reader = Reader { place, confined, found: Equipment::default(), faults: Vec::new() };
    for (key, value) in root {
        let name = key.get_ref().as_ref();
        if !TABLES.contains(&name) {
            continue;
        }
        let Some(table) = value.get_ref().as_table() else {
            reader.fault(&value.span(), name, "wants a table; it has no effect");
            continue;
        };
        match name {
            "mcp" => reader.servers(table),
            "skills" => reader.skills(table),
            "context" => reader.context(table),
            _ => reader.permissions(table),
        }
    }
    (reader.found, reader.faults)
}

fn texts(value: &Value<'_>) -> Option<Vec<(Range<usize>, String)>> {
    let items = value.get_ref().as_array()?;
    items.iter().take(MAX_ENTRIES).map(|item| Some((item.span(), item.get_ref().as_str()?.to_owned()))).collect()
}

impl Reader<'_> {
    fn fault(&mut self, span: &Range<usize>, key: &str, message: impl Into<String>) {
        self.faults.push(Fault { span: span.clone(), key: key.into(), message: message.into(), nearest: None });
    }

    /// An unknown key of a table.
    fn unknown(&mut self, span: &Range<usize>, key: &str, known: &[&str]) {
        let name = key.rsplit('.').next().unwrap_or(key);
        let near = nearest(name, known.iter().copied()).map(str::to_owned);
        let message = "unknown key; it has no effect".into();
        self.faults.push(Fault { span: span.clone(), key: key.into(), message, nearest: near });
    }

    fn servers(&mut self, table: &DeTable<'_>) {
        for (key, value) in table.iter().take(MAX_ENTRIES) {
            let (name, span) = (key.get_ref().to_string(), key.span());
            let path = format!("mcp.{name}");
            if !is_name(&name) || name.contains('.') {
                self.fault(&span, &path, "a server's name has letters, digits, - and _ only; it has no effect");
                continue;
            }
            match value.get_ref().as_table() {
                Some(table) => self.server(&name, &path, span, table),
                None => self.fault(&value.span(), &path, "wants a table with `command` or `url`; it has no effect"),
            }
        }
    }

    fn server(&mut self, name: &str, path: &str, span: Range<usize>, table: &DeTable<'_>) {
        const KNOWN: [&str; 6] = ["command", "env", "url", "headers", "executors", "enabled"];
        let (mut command, mut url) = (None, None);
        let (mut env, mut headers) = (BTreeMap::new(), BTreeMap::new());
        let (mut executors, mut enabled) = (Vec::new(), true);
        // A server of which a part cannot be understood is not used at all: it could do what nobody meant.
        let before = self.faults.len();
        for (key, value) in table {
            let (word, at) = (key.get_ref().as_ref(), format!("{path}.{}", key.get_ref()));
            match word {
                "command" => match texts(value).filter(|words| words.first().is_some_and(|(_, w)| !w.is_empty())) {
                    Some(words) => command = Some(words.into_iter().map(|(_, word)| word).collect::<Vec<_>>()),
                    None => self.fault(&value.span(), &at, "wants a list: the program and its arguments"),
                },
                "url" => match value.get_ref().as_str().filter(|url| is_address(url)) {
                    Some(text) => url = Some(text.to_owned()),
                    None => self.fault(&value.span(), &at, "wants an address that begins with https:// or http://"),
                },
                "env" => env = self.values(value, &at, is_variable),
                "headers" => headers = self.values(value, &at, is_header),
                "executors" => match texts(value) {
                    Some(names) => executors = names.iter().map(|(_, name)| ExecutorId::from(name.as_str())).collect(),
                    None => self.fault(&value.span(), &at, "wants a list of executors"),
                },
                "enabled" => match value.get_ref().as_bool() {
                    Some(yes) => enabled = yes,
                    None => self.fault(&value.span(), &at, "wants true or false"),
                },
                _ => self.unknown(&key.span(), &at, &KNOWN),
            }
        }
        let transport = match (command, url) {
            (Some(command), None) if headers.is_empty() => Some(Transport::Stdio { command, env }),
            (None, Some(url)) if env.is_empty() => Some(Transport::Http { url, headers }),
            _ if self.faults.len() > before => None,
            _ => {
                let wants = "wants `command` with `env`, or `url` with `headers`";
                self.fault(&span, path, format!("{wants}; this server is not used"));
                None
            }
        };
        let sound = self.faults[before..].iter().all(|fault| fault.message.starts_with("unknown key"));
        if let Some(transport) = transport.filter(|_| sound) {
            let origin = (self.place)(span.start);
            self.found.servers.push(McpServer { name: name.into(), transport, executors, enabled, origin });
        }
    }

    /// Variables or headers. A value never appears in a message: it may be a secret.
    fn values(&mut self, value: &Value<'_>, path: &str, fits: fn(&str) -> bool) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        let Some(table) = value.get_ref().as_table() else {
            self.fault(&value.span(), path, "wants a table of texts");
            return values;
        };
        for (key, value) in table {
            let (name, at) = (key.get_ref().to_string(), format!("{path}.{}", key.get_ref()));
            let text = value.get_ref().as_str().filter(|text| !text.contains(char::is_control));
            let refers = text.and_then(reference);
            let variable = refers.is_none_or(|r| matches!(r.parse(), Ok(Credential::Env(_))));
            match text {
                _ if !fits(&name) => self.fault(&key.span(), &at, "is no name for this; the server is not used"),
                None => self.fault(&value.span(), &at, "wants text without line breaks; the server is not used"),
                Some(_) if refers.is_none() && holds_secret(&name) => self.fault(
                    &value.span(),
                    &at,
                    "carries a secret, so its value must end in a reference such as env:NAME; the server is not used",
                ),
                Some(_) if self.confined && !variable => self.fault(
                    &value.span(),
                    &at,
                    "a workspace may refer to variables only, as env:NAME; the server is not used",
                ),
                Some(text) => drop(values.insert(name, text.to_owned())),
            }
        }
        values
    }

    fn skills(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let at = format!("skills.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "dirs" => {
                    let dirs = self.locations(value, &at);
                    self.found.skill_dirs.extend(dirs);
                }
                "builtin" => match value.get_ref().as_bool() {
                    Some(yes) => self.found.builtin_skill = Some(yes),
                    None => self.fault(&value.span(), &at, "wants true or false; it has no effect"),
                },
                "sources" => match value.get_ref().as_table() {
                    Some(sources) => {
                        for (name, value) in sources.iter().take(MAX_ENTRIES) {
                            self.source(name.get_ref(), name.span(), value);
                        }
                    }
                    None => self.fault(&value.span(), &at, "wants tables; it has no effect"),
                },
                _ => self.unknown(&key.span(), &at, &["dirs", "builtin", "sources"]),
            }
        }
    }

    fn source(&mut self, name: &str, span: Range<usize>, value: &Value<'_>) {
        const KNOWN: [&str; 3] = ["git", "commit", "path"];
        let path = format!("skills.sources.{name}");
        let table = value.get_ref().as_table();
        let text = |key: &str| table.and_then(|table| table.get(key)?.get_ref().as_str());
        for key in table.into_iter().flat_map(|table| table.keys()).filter(|key| !KNOWN.contains(&key.get_ref().as_ref())) {
            self.unknown(&key.span(), &format!("{path}.{}", key.get_ref()), &KNOWN);
        }
        let git = text("git").filter(|url| is_repository(url));
        let commit = text("commit").filter(|c| c.len() == 40 && c.chars().all(|c| c.is_ascii_hexdigit()));
        let inner = text("path").unwrap_or_default();
        match (git, commit) {
            (Some(git), Some(commit)) if is_name(name) && stays_inside(inner) => {
                let origin = (self.place)(span.start);
                self.found.skill_sources.push(SkillSource {
                    name: name.into(),
                    git: git.into(),
                    commit: commit.to_ascii_lowercase(),
                    path: inner.into(),
                    origin,
                });
            }
            _ => self.fault(
                &span,
                &path,
                "wants `git`, an address that git fetches from, `commit`, all 40 digits of it, and perhaps `path` in it; \
                 it has no effect",
            ),
        }
    }

    fn context(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let at = format!("context.{}", key.get_ref());
            if key.get_ref() == "files" {
                let files = self.locations(value, &at);
                self.found.context.extend(files);
            } else {
                self.unknown(&key.span(), &at, &["files"]);
            }
        }
    }

    fn locations(&mut self, value: &Value<'_>, path: &str) -> Vec<Location> {
        let Some(items) = texts(value) else {
            self.fault(&value.span(), path, "wants a list of paths; it has no effect");
            return Vec::new();
        };
        let mut found = Vec::new();
        for (span, written) in items {
            if written.is_empty() || (self.confined && !stays_inside(&written)) {
                self.fault(&span, path, "a workspace's paths lead into the workspace only; this one has no effect");
                continue;
            }
            found.push(Location { written, origin: (self.place)(span.start), confined: self.confined });
        }
        found
    }

    fn permissions(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let at = format!("permissions.{}", key.get_ref());
            let allow = match key.get_ref().as_ref() {
                "allow" => true,
                "deny" => false,
                _ => {
                    self.unknown(&key.span(), &at, &["allow", "deny"]);
                    continue;
                }
            };
            let Some(items) = texts(value) else {
                self.fault(&value.span(), &at, "wants a list of rules such as \"run git status\"; it has no effect");
                continue;
            };
            for (span, text) in items {
                match rule(&text) {
                    Ok((act, pattern)) => {
                        let origin = (self.place)(span.start);
                        self.found.rules.push(Rule { allow, act, pattern, origin });
                    }
                    Err(why) => {
                        let near = nearest(&text, Act::ALL.iter().map(|(word, _)| *word)).map(str::to_owned);
                        let message = format!("{why}; it has no effect");
                        self.faults.push(Fault { span, key: at.clone(), message, nearest: near });
                    }
                }
            }
        }
    }
}

/// A rule's act and pattern.
fn rule(text: &str) -> Result<(Act, String), String> {
    let (word, pattern) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let act = Act::ALL.iter().find(|(known, _)| *known == word).map(|(_, act)| *act);
    let act = act.ok_or("a rule begins with run, edit, read, web or mcp, as \"run git status\"")?;
    let mut pattern = pattern.trim();
    if pattern.len() > MAX_RULE || pattern.contains(char::is_control) {
        return Err(format!("a rule is one line of at most {MAX_RULE} bytes"));
    }
    if act == Act::Run {
        // It says how a command begins, so that what follows is free anyway.
        pattern = pattern.strip_suffix('*').map_or(pattern, str::trim_end);
        if pattern.contains(['*', '?', '"', '\'', '\\', '(', ')', ',']) {
            return Err("of a command say how it begins, in plain words: \"run git status\"".into());
        }
    } else if pattern.contains(['"', '\'', '\\', '(', ')', ',']) {
        return Err("a pattern has no quotes, brackets or commas".into());
    }
    if act == Act::Mcp && !pattern.is_empty() && !pattern.split('/').all(is_name) {
        return Err("name a server, or a tool of it as \"mcp server/tool\"".into());
    }
    Ok((act, pattern.split_whitespace().collect::<Vec<_>>().join(" ")))
}

fn is_address(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    // What stands before an @ would be a secret on show.
    host.is_some_and(|host| !host.is_empty() && !host.contains([' ', '@']) && !host.contains(char::is_control))
}

/// What git fetches from without a helper program of its own; a dash would be an option.
fn is_repository(url: &str) -> bool {
    let known = ["https://", "ssh://", "git@", "file:///", "/"].iter().any(|start| url.starts_with(start));
    known && !url.contains(char::is_whitespace) && !url.contains(char::is_control)
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// A name that by its words carries a secret.
fn holds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let words: Vec<&str> = name.split('_').collect();
    let secret = ["key", "apikey", "token", "secret", "password", "passwd", "authorization", "cookie", "credential"];
    words.iter().any(|word| secret.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::position;

    fn parse(text: &str, confined: bool) -> (Equipment, Vec<String>) {
        let root = DeTable::parse(text).unwrap();
        let place = |offset| {
            let (line, column) = position(text, offset);
            Place { file: "/w/.inspan.toml".into(), line, column }
        };
        let (found, faults) = read(root.get_ref(), &place, confined);
        let said = |fault: Fault| {
            let near = fault.nearest.map(|near| format!(" ({near}?)")).unwrap_or_default();
            format!("{}: {}: {}{near}", position(text, fault.span.start).0, fault.key, fault.message)
        };
        (found, faults.into_iter().map(said).collect())
    }

    const GOOD: &str = r#"[mcp.bells]
command = ["node", "bells.js"]
env = { BELL_KEY = "env:BELL_KEY", LEVEL = "info" }
executors = ["claude", "codex"]

[mcp.tracker]
url = "https://tracker.example/mcp"
headers = { Authorization = "Bearer env:TRACKER_TOKEN" }

[skills]
dirs = ["tools/skills"]

[context]
files = ["docs/agents.md"]

[permissions]
allow = ["run git status", "edit src/**", "mcp bells/ring"]
deny = ["run rm -rf *", "web"]
"#;

    #[test]
    fn all_tables_are_read_with_their_lines() {
        let (found, faults) = parse(GOOD, true);
        assert_eq!(faults, [""; 0]);
        assert_eq!((found.servers[0].origin.line, found.servers[1].origin.line), (1, 6));
        assert!(found.servers[0].is_for(&ExecutorId::CLAUDE) && !found.servers[0].is_for(&ExecutorId::GEMINI));
        assert!(found.servers[1].is_for(&ExecutorId::GEMINI));
        assert_eq!(found.rules[3].pattern, "rm -rf");
        assert_eq!(found.rules[2].server(), ("bells", Some("ring")));
        assert_eq!(
            found.lines(),
            [
                "MCP server bells runs node bells.js with env:BELL_KEY",
                "MCP server tracker asks https://tracker.example/mcp with env:TRACKER_TOKEN",
                "skills in tools/skills",
                "context file docs/agents.md",
                "allow run git status",
                "allow edit src/**",
                "allow mcp bells/ring",
                "deny run rm -rf",
                "deny web",
            ]
        );
        assert!(!found.is_harmless() && found.harmless().is_harmless());
        assert_eq!(found.harmless().rules.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_and_left_out() {
        let (found, faults) = parse(
            "[mcp.a]\ncomand = [\"x\"]\n[mcp.b]\ncommand = \"x\"\n[mcp.c]\ncommand = [\"x\"]\nenv = { API_KEY = \"sk-1\" }\n\
             [mcp.d]\ncommand = [\"x\"]\nenv = { A = \"cmd:cat /etc/shadow\" }\n[mcp.e]\nurl = \"https://me:pw@host/\"\n\
             [context]\nfiles = [\"../out.md\", \"~/in.md\", \"ok.md\"]\n[permissions]\nallow = [\"runs x\", \"run a | *b\"]\n\
             [skills.sources.s]\ngit = \"ext::sh -c x\"\ncommit = \"main\"\n",
            true,
        );
        assert!(found.servers.is_empty(), "{found:?}");
        assert_eq!(found.context.len(), 1);
        assert!(found.rules.is_empty() && found.skill_sources.is_empty());
        let wanted = [
            "2: mcp.a.comand: unknown key; it has no effect (command?)",
            "4: mcp.b.command: wants a list",
            "7: mcp.c.env.API_KEY: carries a secret",
            "10: mcp.d.env.A: a workspace may refer to variables only",
            "12: mcp.e.url: wants an address",
            "14: context.files: a workspace's paths",
            "14: context.files: a workspace's paths",
            "16: permissions.allow: a rule begins with run",
            "16: permissions.allow: of a command say how it begins",
            "17: skills.sources.s: wants `git`",
        ];
        for want in wanted {
            assert!(faults.iter().any(|said| said.starts_with(want)), "{want}: {faults:#?}");
        }
        assert!(!faults.iter().any(|said| said.contains("sk-1")));
    }

    #[test]
    fn a_persons_own_file_may_say_more_and_a_later_server_takes_the_place() {
        let text = "[mcp.bells]\ncommand = [\"x\"]\nenv = { A = \"file:~/key\" }\n[context]\nfiles = [\"~/in.md\"]\n";
        let (mut own, faults) = parse(text, false);
        assert_eq!(faults, [""; 0]);
        assert_eq!(own.context[0].resolve(Some("/home/me".as_ref())).unwrap(), std::path::Path::new("/home/me/in.md"));
        own.lay(parse(GOOD, true).0);
        assert_eq!(own.servers.iter().map(|s| s.target()).collect::<Vec<_>>()[0], "node bells.js");
        assert_eq!((own.servers.len(), own.context.len()), (2, 2));
    }

    #[test]
    fn a_workspaces_link_out_of_it_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        std::fs::create_dir(&work).unwrap();
        std::fs::write(dir.path().join("secret.md"), "s").unwrap();
        std::fs::write(work.join("own.md"), "o").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret.md"), work.join("trap.md")).unwrap();
        let origin = Place { file: work.join(".inspan.toml").display().to_string(), line: 1, column: 1 };
        let at = |written: &str| Location { written: written.into(), origin: origin.clone(), confined: true };
        assert!(at("own.md").resolve(None).is_ok());
        assert!(at("trap.md").resolve(None).unwrap_err().contains("out of the workspace"));
    }
}
