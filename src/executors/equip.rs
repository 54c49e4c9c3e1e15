//! What a launch gives a harness beside its model: MCP servers, skills, context, permissions. Prepared here once for
//! every executor; each compiles it into its CLI's own form, in the pane's directory.
//!
//! Must not know: any one CLI's file names, who agreed to what.
mod prepare;
mod skills;

pub use prepare::Look;
pub use skills::{Layer, SKILLS_DIR, Skill, source_dir};

use super::{GeneratedLink, LaunchPlan, LaunchRequest, launch::put};
use crate::config::equipment::{Act, Rule};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Below a pane's directory: what is the same for every executor.
const DIR: &str = "equip";

/// What one harness is given: secrets resolved, files found.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Equipped {
    /// MCP servers.
    pub servers: Vec<Server>,
    /// Skills.
    pub skills: Vec<Skill>,
    /// Context files.
    pub context: Vec<Context>,
    /// Permissions.
    pub rules: Vec<Rule>,
    /// What could not be prepared, and why.
    pub notes: Vec<String>,
}

/// An MCP server with its secrets, hence without `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// What the harness calls it.
    pub name: String,
    /// How it is reached.
    pub kind: Kind,
    /// Where it was written, `config.toml:12`.
    pub source: String,
}

/// How an MCP server is reached.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// A program.
    Stdio {
        /// It and its arguments.
        command: Vec<String>,
        /// Its variables.
        env: BTreeMap<String, String>,
    },
    /// Streamable HTTP.
    Http {
        /// The address.
        url: String,
        /// Headers by name.
        headers: BTreeMap<String, Header>,
    },
}

/// A header of an MCP server.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// What is sent.
    pub value: String,
    /// What was written, a reference at its end where it is a secret.
    pub written: String,
}

/// A context file.
#[derive(Clone, PartialEq, Eq)]
pub struct Context {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// Where it was named.
    pub source: String,
}

/// What was laid out for every executor alike.
pub(super) struct Laid {
    /// The directory; with skills in it, it is laid out as a plugin is.
    pub(super) dir: PathBuf,
    /// The directory of skills, if there are any.
    pub(super) skills: Option<PathBuf>,
    /// All context in one file, if there is any.
    pub(super) context: Option<PathBuf>,
}

/// Puts skills and context into the pane's directory.
pub(super) fn lay(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) -> Laid {
    let (equipped, dir) = (request.equipment, request.pane_dir.join(DIR));
    plan.notes.extend(equipped.notes.iter().cloned());
    let mut laid = Laid { skills: None, context: None, dir };
    if !equipped.skills.is_empty() {
        let skills = laid.dir.join("skills");
        plan.dirs.push(skills.clone());
        for skill in &equipped.skills {
            let path = skills.join(&skill.name);
            plan.sources.push((path.clone(), skill.source.clone()));
            match &skill.place {
                Some(target) => plan.links.push(GeneratedLink { path, target: target.clone() }),
                None => {
                    let file = path.join("SKILL.md");
                    plan.sources.push((file.clone(), skill.source.clone()));
                    put(plan, file, skills::BUILT_IN);
                }
            }
        }
        laid.skills = Some(skills);
    }
    if let Some(text) = equipped.context_text() {
        let file = laid.dir.join("context.md");
        for context in &equipped.context {
            plan.sources.push((file.clone(), context.source.clone()));
        }
        put(plan, file.clone(), text);
        laid.context = Some(file);
    }
    laid
}

impl Equipped {
    /// All context files as one text, each under its name.
    pub fn context_text(&self) -> Option<String> {
        let part = |context: &Context| format!("# {}\n\n{}\n", context.path.display(), context.text.trim_end());
        let parts: Vec<String> = self.context.iter().map(part).collect();
        (!parts.is_empty()).then(|| parts.join("\n"))
    }

    /// Rules about `act`, those that refuse behind those that allow.
    pub(super) fn rules(&self, act: Act) -> impl Iterator<Item = &Rule> {
        let of = move |allow: bool| self.rules.iter().filter(move |rule| rule.act == act && rule.allow == allow);
        of(true).chain(of(false))
    }

    /// Where rules were written, for the file that holds them.
    pub(super) fn rule_sources(&self, file: &Path, plan: &mut LaunchPlan) {
        for rule in &self.rules {
            plan.sources.push((file.to_owned(), crate::config::equipment::line_of(&rule.origin)));
        }
    }

    /// Where servers were written, for the file that holds them.
    pub(super) fn server_sources(&self, file: &Path, plan: &mut LaunchPlan) {
        for server in &self.servers {
            plan.sources.push((file.to_owned(), server.source.clone()));
        }
    }
}

impl LaunchPlan {
    /// Notes what this CLI cannot be given, and why.
    pub(super) fn leave_out(&mut self, what: &str, why: &str) {
        self.unmapped.push(format!("{what}: {why}"));
    }
}

/// A program that starts a server with its variables, for CLIs whose settings travel where others can read them: the
/// variables stand in this private file.
pub(super) fn wrapped(request: &LaunchRequest<'_>, plan: &mut LaunchPlan, server: &Server) -> Vec<String> {
    let Kind::Stdio { command, env } = &server.kind else { return Vec::new() };
    if env.is_empty() {
        return command.clone();
    }
    let mut script = String::new();
    for (name, value) in env {
        script.push_str(&format!("export {name}={}\n", quoted(value)));
    }
    let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    script.push_str(&format!("exec {}\n", words.join(" ")));
    let file = request.pane_dir.join(DIR).join("mcp").join(format!("{}.sh", server.name));
    plan.sources.push((file.clone(), server.source.clone()));
    put(plan, file.clone(), script);
    vec!["sh".into(), file.display().to_string()]
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A rule in the form `Tool(pattern)` that two CLIs share; how each names commands and MCP tools is its own.
pub(super) fn as_tool(rule: &Rule, run: impl Fn(&str) -> String, mcp: impl Fn(&Rule) -> String) -> String {
    let pattern = match rule.act {
        Act::Mcp => return mcp(rule),
        _ if rule.pattern.is_empty() => String::new(),
        Act::Run => run(&rule.pattern),
        Act::Web => format!("(domain:{})", rule.pattern),
        Act::Edit | Act::Read => format!("({})", rule.pattern),
    };
    let tool = match rule.act {
        Act::Run => "Bash",
        Act::Edit => "Edit",
        Act::Read => "Read",
        Act::Web | Act::Mcp => "WebFetch",
    };
    format!("{tool}{pattern}")
}

#[cfg(test)]
mod tests;
