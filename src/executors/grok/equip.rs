//! What Grok Build is given of the person's equipment: tables of the config of ours, and flags for both homes.
use crate::{
    config::equipment::Rule,
    executors::{
        Home, LaunchPlan, LaunchRequest,
        equip::{Kind, as_tool, lay},
        overlay::{put_in, table, within},
    },
};
use std::collections::BTreeMap;
use toml::{Table, Value};

const NO_HOME: &str = "Grok Build takes it from its home only, which is yours under login";

fn texts<'a>(entries: impl Iterator<Item = (&'a String, &'a str)>) -> Value {
    Value::Table(entries.map(|(key, value)| (key.clone(), value.into())).collect())
}

/// Adds to the config of a home of ours.
pub(super) fn furnish(request: &LaunchRequest<'_>, plan: &mut LaunchPlan, config: &mut Table) {
    let laid = lay(request, plan);
    let file = request.pane_dir.join("grok/config.toml");
    let mut servers = Table::new();
    for server in &request.equipment.servers {
        let made = match &server.kind {
            Kind::Stdio { command, env } => {
                let words: Vec<Value> = command.iter().skip(1).map(|word| word.as_str().into()).collect();
                let program = command.first().map_or("", String::as_str);
                let env: &BTreeMap<String, String> = env;
                table([
                    ("command", program.into()),
                    ("args", words.into()),
                    ("env", texts(env.iter().map(|(k, v)| (k, v.as_str())))),
                ])
            }
            Kind::Http { url, headers } => table([
                ("url", url.as_str().into()),
                ("headers", texts(headers.iter().map(|(name, header)| (name, header.value.as_str())))),
            ]),
        };
        servers.insert(server.name.clone(), Value::Table(made));
    }
    if !servers.is_empty() {
        request.equipment.server_sources(&file, plan);
        within(config, "mcp_servers", |known| known.extend(servers));
    }
    if let Some(skills) = &laid.skills {
        within(config, "skills", |known| {
            let mut paths = known.get("paths").and_then(Value::as_array).cloned().unwrap_or_default();
            paths.push(skills.display().to_string().into());
            put_in(known, "paths", paths.into());
        });
    }
}

fn rule(rule: &Rule) -> String {
    // It compares a plain text with how a command begins, in the middle of a word as well: more may be refused than was
    // meant, but not allowed.
    let run = |begins: &str| if rule.allow { format!("({begins} *)") } else { format!("({begins}*)") };
    as_tool(rule, run, |rule| match rule.server() {
        ("", _) => "MCPTool".into(),
        (server, tool) => format!("MCPTool({server}__{})", tool.unwrap_or("*")),
    })
}

/// Adds flags, and says what the person's own home keeps out.
pub(super) fn arguments(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    let equipped = request.equipment;
    for known in &equipped.rules {
        let flag = if known.allow { "allow" } else { "deny" };
        plan.argv.push(format!("--{flag}={}", rule(known)));
    }
    if let Some(text) = equipped.context_text() {
        plan.argv.push(format!("--rules={text}"));
    }
    if request.home != Home::Users {
        return;
    }
    plan.notes.extend(equipped.notes.iter().cloned());
    let servers = equipped.servers.iter().map(|server| format!("MCP server {}", server.name));
    let skills = equipped.skills.iter().map(|skill| format!("skill {}", skill.name));
    for what in servers.chain(skills).collect::<Vec<_>>() {
        plan.leave_out(&what, NO_HOME);
    }
}
