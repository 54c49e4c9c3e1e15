//! What Gemini CLI is given of the person's equipment: settings of a home of ours, and a file of policy for both homes.
use crate::{
    config::equipment::{Act, Rule},
    executors::{
        Home, LaunchPlan, LaunchRequest,
        equip::{Kind, lay},
        launch::put,
        overlay::{link_laid, set},
    },
};
use serde_json::{Map, Value, json};
use std::path::Path;
use toml::Table;

/// The context file of ours; a name that stands beside the person's own.
const CONTEXT: &str = "INSPAN.md";

/// Priorities within its tier for what a person wrote: a refusal stands above what allows.
const ALLOWS: i64 = 500;
const DENIES: i64 = 900;

const NO_HOME: &str = "Gemini CLI takes it from its home only, which is yours under login";

/// Adds to the settings of a home of ours.
pub(super) fn furnish(request: &LaunchRequest<'_>, plan: &mut LaunchPlan, overlay: &Path, settings: &mut Value) {
    let laid = lay(request, plan);
    let file = overlay.join("settings.json");
    for server in &request.equipment.servers {
        let made = match &server.kind {
            Kind::Stdio { command, env } => json!({
                "command": command.first(),
                "args": command.get(1..).unwrap_or_default(),
                "env": env,
            }),
            Kind::Http { url, headers } => {
                let headers: Map<String, Value> =
                    headers.iter().map(|(name, header)| (name.clone(), header.value.as_str().into())).collect();
                json!({ "httpUrl": url, "headers": headers })
            }
        };
        set(settings, &["mcpServers", &server.name], made);
    }
    request.equipment.server_sources(&file, plan);
    if let Some(skills) = &laid.skills {
        link_laid(plan, skills, &overlay.join("skills"));
    }
    if let Some(text) = request.equipment.context_text() {
        let mut names = super::overlay::context_files(settings);
        if names.is_empty() {
            names.push("GEMINI.md".into());
        }
        names.push(CONTEXT.into());
        set(settings, &["context", "fileName"], names.into());
        let file = overlay.join(CONTEXT);
        for context in &request.equipment.context {
            plan.sources.push((file.clone(), context.source.clone()));
        }
        put(plan, file, text);
    }
}

/// The tools of an act, as its policy names them.
fn tools(act: Act) -> &'static [&'static str] {
    match act {
        Act::Run => &["run_shell_command"],
        Act::Edit => &["replace", "write_file"],
        Act::Read => &["read_file", "read_many_files"],
        Act::Web => &["web_fetch", "google_web_search"],
        Act::Mcp => &["*"],
    }
}

/// A rule as its policy has it; `None` for what it cannot say.
fn policy(rule: &Rule) -> Option<Table> {
    let mut made = Table::new();
    let name = |name: &str| toml::Value::from(name);
    let all = || toml::Value::Array(tools(rule.act).iter().map(|tool| name(tool)).collect());
    match (rule.act, rule.server()) {
        (Act::Run, _) if rule.pattern.is_empty() => drop(made.insert("toolName".into(), all())),
        (Act::Run, _) => {
            made.insert("toolName".into(), name("run_shell_command"));
            made.insert("commandPrefix".into(), name(&rule.pattern));
        }
        (Act::Mcp, (server, tool)) => {
            made.insert("mcpName".into(), name(if server.is_empty() { "*" } else { server }));
            made.insert("toolName".into(), name(tool.unwrap_or("*")));
        }
        _ if rule.pattern.is_empty() => drop(made.insert("toolName".into(), all())),
        _ => return None,
    }
    made.insert("decision".into(), name(if rule.allow { "allow" } else { "deny" }));
    made.insert("priority".into(), if rule.allow { ALLOWS } else { DENIES }.into());
    Some(made)
}

/// Adds the flag with the policy, and says what the person's own home keeps out.
pub(super) fn arguments(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    let equipped = request.equipment;
    let mut rules = Vec::new();
    for rule in &equipped.rules {
        match policy(rule) {
            Some(made) => rules.push(toml::Value::Table(made)),
            None => plan.leave_out(&rule.to_string(), "Gemini CLI has no rule about single files or domains"),
        }
    }
    if !rules.is_empty() {
        let file = request.pane_dir.join("gemini-policy.toml");
        let mut root = Table::new();
        root.insert("rule".into(), toml::Value::Array(rules));
        equipped.rule_sources(&file, plan);
        put(plan, file.clone(), toml::to_string(&root).unwrap_or_default());
        plan.argv.push(format!("--policy={}", file.display()));
    }
    if request.home != Home::Users {
        return;
    }
    plan.notes.extend(equipped.notes.iter().cloned());
    let servers = equipped.servers.iter().map(|server| format!("MCP server {}", server.name));
    let skills = equipped.skills.iter().map(|skill| format!("skill {}", skill.name));
    let context = equipped.context.iter().map(|context| format!("context file {}", context.path.display()));
    for what in servers.chain(skills).chain(context).collect::<Vec<_>>() {
        plan.leave_out(&what, NO_HOME);
    }
}
