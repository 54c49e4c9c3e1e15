//! From what was written to what a harness is given: secrets resolved, paths found, what is missing said.
use super::{Context, Equipped, Header, Kind, Layer, Server, skills};
use crate::{
    config::equipment::{Equipment, Location, McpServer, Transport, line_of, reference},
    executors::overlay::read_text,
    router::ExecutorId,
};
use std::{collections::BTreeMap, path::Path};

/// Context that every request carries is short; more is cut, which is said.
const MAX_CONTEXT: usize = 32 * 1024;

/// Where things are found.
pub struct Look<'a> {
    /// The person's home.
    pub home: Option<&'a Path>,
    /// Our data directory.
    pub data: &'a Path,
    /// The secret behind a reference; the words say why there is none.
    pub resolve: &'a dyn Fn(&str) -> Result<String, String>,
}

impl Equipped {
    /// Prepares what an executor is given. What is missing is left out with a note.
    pub fn prepare(equipment: &Equipment, executor: &ExecutorId, look: &Look<'_>) -> Self {
        let mut equipped = Self { rules: equipment.rules.clone(), ..Self::default() };
        let denied = |server: &McpServer| {
            equipment.rules.iter().any(|rule| {
                !rule.allow && rule.act == crate::config::equipment::Act::Mcp && ["", &server.name].contains(&rule.pattern.as_str())
            })
        };
        for server in equipment.servers.iter().filter(|server| server.is_for(executor)) {
            if denied(server) {
                equipped.notes.push(format!("MCP server {}: your permissions deny it", server.name));
                continue;
            }
            match resolved(server, look) {
                Ok(server) => equipped.servers.push(server),
                Err(why) => equipped.notes.push(format!("MCP server {} is left out: {why}", server.name)),
            }
        }
        equipped.find_skills(equipment, look);
        for location in &equipment.context {
            match context(location, look) {
                Ok((context, cut)) => {
                    if cut {
                        let size = MAX_CONTEXT / 1024;
                        equipped.notes.push(format!("{}: only its first {size} KiB are given", location.written));
                    }
                    equipped.context.push(context);
                }
                Err(why) => equipped.notes.push(format!("context file left out: {why}")),
            }
        }
        equipped
    }

    /// Skills of all layers; where two have a name, the nearer to the workspace wins.
    fn find_skills(&mut self, equipment: &Equipment, look: &Look<'_>) {
        let mut found = Vec::new();
        if equipment.builtin_skill.unwrap_or(true) {
            found.push(skills::built_in());
        }
        for source in &equipment.skill_sources {
            let root = skills::source_dir(look.data, &source.name, &source.commit);
            let dir = root.join(&source.path);
            if !root.is_dir() {
                self.notes.push(format!("skills of {}: not fetched yet: inspan skills fetch {0}", source.name));
                continue;
            }
            match skills::scan(&dir, Some(&root), Layer::Public, &line_of(&source.origin)) {
                Ok(more) => found.extend(more),
                Err(why) => self.notes.push(why),
            }
        }
        for location in &equipment.skill_dirs {
            let layer = if location.confined { Layer::Team } else { Layer::User };
            let base = Path::new(&location.origin.file).parent().filter(|_| location.confined);
            let scanned = location
                .resolve(look.home)
                .and_then(|dir| skills::scan(&dir, base, layer, &line_of(&location.origin)));
            match scanned {
                Ok(more) => found.extend(more),
                Err(why) => self.notes.push(why),
            }
        }
        let mut by_name = BTreeMap::new();
        for skill in found {
            if let Some(hidden) = by_name.insert(skill.name.clone(), skill) {
                self.notes.push(format!("skill {}: the one of {} is hidden by another", hidden.name, hidden.source));
            }
        }
        self.skills = by_name.into_values().collect();
    }
}

fn resolved(server: &McpServer, look: &Look<'_>) -> Result<Server, String> {
    let value = |written: &String| match reference(written) {
        Some(found) => {
            let secret = (look.resolve)(found)?;
            Ok(format!("{}{secret}", written.strip_suffix(found).unwrap_or_default()))
        }
        None => Ok::<_, String>(written.clone()),
    };
    let kind = match &server.transport {
        Transport::Stdio { command, env } => {
            let env: Result<_, String> = env.iter().map(|(k, v)| Ok((k.clone(), value(v)?))).collect();
            Kind::Stdio { command: command.clone(), env: env? }
        }
        Transport::Http { url, headers } => {
            let header = |(name, written): (&String, &String)| {
                Ok((name.clone(), Header { value: value(written)?, written: written.clone() }))
            };
            let headers: Result<_, String> = headers.iter().map(header).collect();
            Kind::Http { url: url.clone(), headers: headers? }
        }
    };
    Ok(Server { name: server.name.clone(), kind, source: line_of(&server.origin) })
}

fn context(location: &Location, look: &Look<'_>) -> Result<(Context, bool), String> {
    let path = location.resolve(look.home)?;
    let mut text = read_text(&path).ok_or_else(|| format!("{} cannot be read as text", path.display()))?;
    let cut = text.len() > MAX_CONTEXT;
    if cut {
        let end = (0..=MAX_CONTEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
    }
    Ok((Context { path, text, source: line_of(&location.origin) }, cut))
}
