//! What Codex is given of the person's equipment: keys of its config, in the file of ours or, in the person's own home,
//! as arguments. Arguments can be read by every process, so no secret stands in them.
use crate::{
    config::equipment::{Act, Rule},
    executors::{
        Home, LaunchPlan, LaunchRequest,
        equip::{Header, Kind, Laid, Server, lay, wrapped},
        launch::put,
        overlay::{put_in, read_text, table},
    },
    router::Credential,
};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The key that adds to what the model is told.
const INSTRUCTIONS: &str = "developer_instructions";

const NO_HOME: &str = "Codex takes it from its home only, which is yours under login";

fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    words.into_iter().map(Value::from).collect::<Vec<_>>().into()
}

fn texts<'a>(entries: impl IntoIterator<Item = (&'a String, &'a String)>) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect())
}

/// A server as its config names it; `None` when it cannot be given without showing a secret.
fn server(request: &LaunchRequest<'_>, plan: &mut LaunchPlan, server: &Server) -> Option<Table> {
    let private = request.home != Home::Users;
    let mut made = match &server.kind {
        Kind::Stdio { command, env } => {
            let command = if private { command.clone() } else { wrapped(request, plan, server) };
            let program = command.first().map_or("", String::as_str);
            let arguments = list(command.iter().skip(1).map(String::as_str));
            let mut made = table([("command", program.into()), ("args", arguments)]);
            if private && !env.is_empty() {
                put_in(&mut made, "env", texts(env));
            }
            made
        }
        Kind::Http { url, headers } => {
            let mut made = table([("url", url.as_str().into())]);
            if private {
                let plain: Table =
                    headers.iter().map(|(name, header)| (name.clone(), header.value.as_str().into())).collect();
                if !plain.is_empty() {
                    put_in(&mut made, "http_headers", Value::Table(plain));
                }
            } else if !named(&mut made, request, plan, headers) {
                let why = "its header holds a secret that Codex would have to be given as an argument";
                plan.leave_out(&format!("MCP server {}", server.name), why);
                return None;
            }
            made
        }
    };
    for rule in request.equipment.rules(Act::Mcp) {
        let (name, tool) = rule.server();
        match (name == server.name || name.is_empty(), tool, rule.allow) {
            (true, None, true) => put_in(&mut made, "default_tools_approval_mode", "approve".into()),
            (true, Some(tool), true) => {
                let approved = Value::Table(table([("approval_mode", "approve".into())]));
                let tools = made.entry("tools").or_insert_with(|| Value::Table(Table::new()));
                if let Some(tools) = tools.as_table_mut() {
                    put_in(tools, tool, approved);
                }
            }
            (true, Some(tool), false) => {
                let off = made.entry("disabled_tools").or_insert_with(|| Value::Array(Vec::new()));
                if let Some(off) = off.as_array_mut() {
                    off.push(tool.into());
                }
            }
            _ => {}
        }
    }
    Some(made)
}

/// Headers by the names of variables that Codex itself looks up; false when one cannot be named so.
fn named(
    made: &mut Table,
    request: &LaunchRequest<'_>,
    plan: &LaunchPlan,
    headers: &BTreeMap<String, Header>,
) -> bool {
    let passed = |variable: &String| request.env.contains_key(variable) && !plan.env_remove.contains(variable);
    let (mut plain, mut looked_up) = (Table::new(), Table::new());
    for (name, header) in headers {
        match crate::config::equipment::reference(&header.written).map(str::parse) {
            None => put_in(&mut plain, name, header.value.as_str().into()),
            Some(Ok(Credential::Env(variable))) if passed(&variable) => {
                let before = header.written.strip_suffix(&format!("env:{variable}")).unwrap_or_default();
                match before {
                    "" => put_in(&mut looked_up, name, variable.into()),
                    "Bearer " if name.eq_ignore_ascii_case("authorization") => {
                        put_in(made, "bearer_token_env_var", variable.into());
                    }
                    _ => return false,
                }
            }
            Some(_) => return false,
        }
    }
    for (key, headers) in [("http_headers", plain), ("env_http_headers", looked_up)] {
        if !headers.is_empty() {
            put_in(made, key, Value::Table(headers));
        }
    }
    true
}

/// Its rules about commands; it has none about files and the web.
fn command_rules(request: &LaunchRequest<'_>) -> String {
    let line = |rule: &Rule| {
        let words = list(rule.pattern.split(' '));
        let decision = if rule.allow { "allow" } else { "forbidden" };
        format!("prefix_rule(pattern={words}, decision=\"{decision}\")\n")
    };
    request.equipment.rules(Act::Run).filter(|rule| !rule.pattern.is_empty()).map(line).collect()
}

fn say_unmapped(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    for rule in &request.equipment.rules {
        let why = match rule.act {
            Act::Run if rule.pattern.is_empty() => "Codex has rules about how a command begins only",
            Act::Run if request.home == Home::Users => NO_HOME,
            Act::Run | Act::Mcp => continue,
            Act::Edit | Act::Read | Act::Web => "Codex has no such rule; its sandbox decides about files and network",
        };
        plan.leave_out(&rule.to_string(), why);
    }
}

/// Adds to the config of a home of ours. The person's own rules have to be linked one by one for that.
pub(super) fn furnish(request: &LaunchRequest<'_>, plan: &mut LaunchPlan, config: &mut Table) {
    let overlay = request.pane_dir.join("codex");
    let file = overlay.join("config.toml");
    let laid = lay(request, plan);
    let servers: Table = request
        .equipment
        .servers
        .iter()
        .filter_map(|known| Some((known.name.clone(), Value::Table(server(request, plan, known)?))))
        .collect();
    if !servers.is_empty() {
        request.equipment.server_sources(&file, plan);
        crate::executors::overlay::within(config, "mcp_servers", |known| known.extend(servers));
    }
    link_skills(plan, &laid, &overlay);
    if let Some(text) = request.equipment.context_text() {
        let own = config.get(INSTRUCTIONS).and_then(Value::as_str).unwrap_or_default();
        let text = if own.is_empty() { text } else { format!("{own}\n\n{text}") };
        config.insert(INSTRUCTIONS.into(), text.into());
        for context in &request.equipment.context {
            plan.sources.push((file.clone(), context.source.clone()));
        }
    }
    let rules = command_rules(request);
    if !rules.is_empty() {
        let file = overlay.join("rules/inspan.rules");
        request.equipment.rule_sources(&file, plan);
        put(plan, file, rules);
    }
    say_unmapped(request, plan);
}

/// Whether a file of rules of ours stands beside the person's.
pub(super) fn has_rules(request: &LaunchRequest<'_>) -> bool {
    !command_rules(request).is_empty()
}

fn link_skills(plan: &mut LaunchPlan, laid: &Laid, overlay: &std::path::Path) {
    let Some(skills) = &laid.skills else { return };
    crate::executors::overlay::link_laid(plan, skills, &overlay.join("skills"));
}

/// Arguments for the person's own home; they add to its config.
pub(super) fn arguments(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    for skill in &request.equipment.skills {
        plan.leave_out(&format!("skill {}", skill.name), NO_HOME);
    }
    let equipped = request.equipment;
    plan.notes.extend(equipped.notes.iter().cloned());
    for known in &equipped.servers {
        if let Some(made) = server(request, plan, known) {
            plan.argv.extend(["-c".into(), format!("mcp_servers.{}={}", known.name, Value::Table(made))]);
        }
    }
    if let Some(text) = equipped.context_text() {
        let own = super::home(request.env).and_then(|home| read_text(&home.join("config.toml")));
        let own: Option<Table> = own.and_then(|text| text.parse().ok());
        let own = own.as_ref().and_then(|config| config.get(INSTRUCTIONS)?.as_str());
        let text = own.map_or(text.clone(), |own| format!("{own}\n\n{text}"));
        plan.argv.extend(["-c".into(), format!("{INSTRUCTIONS}={}", Value::from(text))]);
    }
    say_unmapped(request, plan);
}
