//! `inspan mcp` and `inspan skills`: what harnesses are given in a directory, looked at and tried out here.
use super::{FAILED, REFUSED, USAGE, machine::Here, out, print_json};
use crate::{
    agent::mcp::{Client, Hello},
    commands::{McpAction, SkillsAction},
    config::{
        agreed::{Agreed, equipment_in},
        equipment::{Equipment, McpServer, SkillSource, Transport, line_of},
        workspace::WorkspaceFile,
    },
    executors::{
        self,
        equip::{Look, Skill, fetch, native_skills, resolved, secret, sees},
    },
    router::nearest,
};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{
    io::{BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// A directory, and what is given there.
struct Given {
    here: Here,
    dir: PathBuf,
    equipment: Equipment,
    waiting: Vec<WorkspaceFile>,
}

impl Given {
    fn new(dir: Option<PathBuf>) -> Result<Self> {
        let here = Here::new()?;
        let dir = dir.unwrap_or_else(|| ".".into());
        let dir = dir.canonicalize().with_context(|| format!("cannot look into {}", dir.display()))?;
        let (equipment, waiting) = equipment_in(&here.settings, &dir, &Agreed::load(&here.paths.state));
        for problem in crate::config::workspace::workspace_files(&dir).iter().flat_map(|file| &file.problems)
        {
            eprintln!("inspan: {problem}");
        }
        Ok(Self { here, dir, equipment, waiting })
    }

    /// What waits for the person's word, in one line for each file.
    fn say_waiting(&self) {
        for file in &self.waiting {
            eprintln!(
                "inspan: {} gives nothing until you agree to it: inspan trust {}",
                file.path.display(),
                self.dir.display()
            );
        }
    }

    fn look<T>(&self, with: impl FnOnce(&Look<'_>) -> T) -> T {
        let env = &self.here.env;
        let look = Look {
            home: env.get("HOME").map(Path::new),
            data: &self.here.paths.data,
            builtin: true,
            resolve: &|reference| secret(&self.here.vault, env, reference),
        };
        with(&look)
    }
}

/// `inspan mcp`.
pub fn mcp(action: McpAction) -> Result<i32> {
    match action {
        McpAction::List { dir, json } => Ok(list(&Given::new(dir)?, json)),
        McpAction::Test { name, dir, timeout, json } => {
            test(&Given::new(dir)?, name.as_deref(), Duration::from_secs(timeout), json)
        }
    }
}

fn row(server: &McpServer, state: &str) -> Value {
    let kind = if matches!(server.transport, Transport::Stdio { .. }) { "stdio" } else { "http" };
    json!({
        "name": server.name, "kind": kind, "target": server.target(), "executors": server.executors,
        "from": line_of(&server.origin), "state": state,
    })
}

fn list(given: &Given, as_json: bool) -> i32 {
    let state = |server: &McpServer| if server.enabled { "given" } else { "off" };
    let mut rows: Vec<Value> =
        given.equipment.servers.iter().map(|server| row(server, state(server))).collect();
    let waiting = given.waiting.iter().flat_map(|file| &file.equipment.servers);
    rows.extend(waiting.map(|server| row(server, "waits for you to agree")));
    if as_json {
        print_json(&Value::Array(rows));
        return 0;
    }
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    for row in &rows {
        let only: Vec<&str> =
            row["executors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let only = if only.is_empty() { String::new() } else { format!("  for {}", only.join(", ")) };
        let [name, kind, target] = ["name", "kind", "target"].map(|key| text(row, key));
        out(&format!(
            "{name:<16} {kind:<5} {target}{only}  ({}, from {})\n",
            text(row, "state"),
            text(row, "from")
        ));
    }
    if rows.is_empty() {
        out("no MCP server is given here; write one into config.toml: [mcp.NAME]\n");
    }
    given.say_waiting();
    0
}

fn test(given: &Given, name: Option<&str>, patience: Duration, as_json: bool) -> Result<i32> {
    let servers: Vec<&McpServer> = given
        .equipment
        .servers
        .iter()
        .filter(|server| name.map_or(server.enabled, |name| name == server.name))
        .collect();
    if let (Some(name), true) = (name, servers.is_empty()) {
        if given.waiting.iter().any(|file| file.equipment.servers.iter().any(|server| server.name == name)) {
            given.say_waiting();
            return Ok(REFUSED);
        }
        let near = nearest(name, given.equipment.servers.iter().map(|server| server.name.as_str()));
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        eprintln!("inspan: no MCP server named {name:?} is given here{near}");
        return Ok(USAGE);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    let mut failed = false;
    for server in servers {
        let tried = match given.look(|look| resolved(server, look)) {
            Ok(ready) => {
                let endpoint = ready.kind.endpoint();
                runtime.block_on(async {
                    let client =
                        Client::connect(&endpoint, &given.dir, patience).await.map_err(|e| e.to_string())?;
                    let hello = client.hello.clone();
                    client.end().await;
                    Ok(hello)
                })
            }
            Err(why) => Err(why),
        };
        failed |= tried.is_err();
        if as_json {
            rows.push(tested(server, tried));
        } else {
            tell(server, tried);
        }
    }
    if as_json {
        print_json(&Value::Array(rows));
    }
    given.say_waiting();
    Ok(if failed { FAILED } else { 0 })
}

fn tested(server: &McpServer, tried: Result<Hello, String>) -> Value {
    let (state, hello, error) = match tried {
        Ok(hello) => ("works", Some(hello), None),
        Err(why) => ("fails", None, Some(why)),
    };
    let mut row = row(server, state);
    row["server"] = json!(hello);
    row["error"] = json!(error);
    row
}

fn tell(server: &McpServer, tried: Result<Hello, String>) {
    match tried {
        Ok(hello) => {
            let count = hello.tools.len();
            let tools = if count == 1 { "1 tool" } else { &format!("{count} tools") };
            out(&format!("{}: works: {} {} with {tools}\n", server.name, hello.name, hello.version));
            for tool in hello.tools {
                let first = tool.description.lines().next().unwrap_or_default().to_owned();
                out(&format!("  {}  {first}\n", tool.name));
            }
        }
        Err(why) => out(&format!(
            "{}: fails: {}\n  {} · from {}\n",
            server.name,
            why.replace('\n', "\n  "),
            server.target(),
            line_of(&server.origin)
        )),
    }
}

/// `inspan skills`.
pub fn skills(action: SkillsAction) -> Result<i32> {
    match action {
        SkillsAction::List { dir, json } => Ok(list_skills(&Given::new(dir)?, json)),
        SkillsAction::Fetch { name, dir, yes } => fetch_skills(&Given::new(dir)?, name.as_deref(), yes),
    }
}

fn list_skills(given: &Given, as_json: bool) -> i32 {
    let executor = crate::router::ExecutorId::CLAUDE;
    let (ours, notes) = given.look(|look| {
        let prepared = executors::equip::Equipped::prepare(
            &given.equipment,
            &executor,
            crate::state::Permission::Ask,
            look,
        );
        (prepared.skills, prepared.notes)
    });
    let home = given.here.env.get("HOME").map(Path::new);
    let row = |skill: &Skill, seen_by: Vec<Value>| {
        json!({
            "name": skill.name, "description": skill.description, "layer": skill.layer, "place": skill.place,
            "from": skill.source, "seen_by": seen_by,
        })
    };
    let mut rows: Vec<Value> = ours.iter().map(|skill| row(skill, sees(skill))).collect();
    rows.extend(native_skills(&given.dir, home).iter().map(|(skill, seen_by)| row(skill, seen_by.clone())));
    if as_json {
        print_json(&Value::Array(rows));
    } else {
        for row in &rows {
            let text = |key: &str| row[key].as_str().unwrap_or_default();
            let seen: Vec<String> = row["seen_by"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|by| {
                    let name = by["executor"].as_str().unwrap_or_default();
                    let when = by["when"].as_str().map(|when| format!(" ({when})")).unwrap_or_default();
                    format!("{name}{when}")
                })
                .collect();
            out(&format!(
                "{:<20} {:<9} {}\n  seen by {}\n  {}\n",
                text("name"),
                text("layer"),
                text("from"),
                seen.join(", "),
                text("description")
            ));
        }
    }
    for note in notes.iter().filter(|note| note.contains("skill")) {
        eprintln!("inspan: {note}");
    }
    given.say_waiting();
    0
}

fn fetch_skills(given: &Given, name: Option<&str>, yes: bool) -> Result<i32> {
    let wanted = |source: &&SkillSource| name.is_none_or(|name| name == source.name);
    let sources: Vec<&SkillSource> = given.equipment.skill_sources.iter().filter(wanted).collect();
    given.say_waiting();
    if sources.is_empty() {
        match name {
            Some(name) => eprintln!("inspan: no [skills.sources.{name}] is in force here"),
            None => eprintln!("inspan: your settings name no [skills.sources.NAME] here"),
        }
        return Ok(if given.waiting.is_empty() { USAGE } else { REFUSED });
    }
    let data = &given.here.paths.data;
    let mut failed = false;
    for source in sources {
        let place = executors::equip::source_dir(data, &source.name, &source.commit);
        if place.is_dir() {
            out(&format!("{}: {} is here: {}\n", source.name, source.commit, place.display()));
            continue;
        }
        out(&format!(
            "{}: {} at {}, as {} says\n",
            source.name,
            source.git,
            source.commit,
            line_of(&source.origin)
        ));
        if !yes && !agrees()? {
            eprintln!("inspan: {} was not fetched; --yes fetches without asking", source.name);
            return Ok(REFUSED);
        }
        match fetch(source, &place) {
            Ok(()) => out(&format!("{}: fetched into {}\n", source.name, place.display())),
            Err(why) => {
                failed = true;
                eprintln!("inspan: {}: {why}", source.name);
            }
        }
    }
    Ok(if failed { FAILED } else { 0 })
}

/// Whether the person at the terminal says yes; without one nobody does.
fn agrees() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    print!("Skills tell agents what to do, and may bring programs. Fetch it? [y/N] ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
