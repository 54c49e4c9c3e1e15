//! What OpenCode is given of the person's equipment: settings of a launch, which it lays over the person's own. They
//! travel in a variable, which the commands that it runs inherit, so secrets stand in private files.
use crate::{
    config::equipment::Act,
    executors::{
        LaunchPlan, LaunchRequest,
        equip::{Kind, lay, wrapped},
        launch::put,
        overlay::set,
    },
};
use serde_json::{Map, Value, json};

/// Adds to the settings of a launch.
pub(super) fn furnish(request: &LaunchRequest<'_>, plan: &mut LaunchPlan, settings: &mut Value) {
    let laid = lay(request, plan);
    for server in &request.equipment.servers {
        let made = match &server.kind {
            Kind::Stdio { .. } => {
                json!({ "type": "local", "enabled": true, "command": wrapped(request, plan, server) })
            }
            Kind::Http { url, headers } => {
                let mut given = Map::new();
                for (name, header) in headers {
                    let value = if header.value == header.written {
                        header.value.clone()
                    } else {
                        let file = laid.dir.join("mcp").join(format!("{}.{name}", server.name));
                        plan.sources.push((file.clone(), server.source.clone()));
                        put(plan, file.clone(), header.value.as_str());
                        format!("{{file:{}}}", file.display())
                    };
                    given.insert(name.clone(), value.into());
                }
                json!({ "type": "remote", "enabled": true, "url": url, "headers": given })
            }
        };
        set(settings, &["mcp", &server.name], made);
    }
    if let Some(skills) = &laid.skills {
        append(settings, &["skills", "paths"], skills.display().to_string());
    }
    if let Some(context) = &laid.context {
        append(settings, &["instructions"], context.display().to_string());
    }
}

fn append(settings: &mut Value, keys: &[&str], text: String) {
    let pointer: String = keys.iter().map(|key| format!("/{key}")).collect();
    let mut list = settings.pointer(&pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    list.push(text.into());
    set(settings, keys, list.into());
}

/// Lays the rules over those of a permission; the last that fits decides, so refusals come last.
pub(super) fn permissions(request: &LaunchRequest<'_>, rules: &mut Map<String, Value>, plan: &mut LaunchPlan) {
    for act in [Act::Run, Act::Edit, Act::Read, Act::Web, Act::Mcp] {
        for rule in request.equipment.rules(act) {
            let decision = if rule.allow { "allow" } else { "deny" };
            let key = match (act, rule.server()) {
                (Act::Run, _) => "bash".to_owned(),
                (Act::Edit, _) => "edit".to_owned(),
                (Act::Read, _) => "read".to_owned(),
                (Act::Web, _) => "webfetch".to_owned(),
                (Act::Mcp, (server, tool)) => format!("{server}_{}", tool.unwrap_or("*")),
            };
            let patterns = match (act, rule.pattern.as_str()) {
                (Act::Web, "") | (Act::Mcp, _) => Vec::new(),
                (Act::Web, _) => {
                    plan.leave_out(&rule.to_string(), "OpenCode has no rule about single domains");
                    continue;
                }
                (_, "") => vec!["*".to_owned()],
                (Act::Run, begins) => vec![begins.to_owned(), format!("{begins} *")],
                (_, glob) => vec![glob.to_owned()],
            };
            if key == "_*" {
                plan.leave_out(&rule.to_string(), "OpenCode has rules about single servers only");
                continue;
            }
            if patterns.is_empty() {
                rules.insert(key, decision.into());
                continue;
            }
            let known = rules.entry(key).or_insert_with(|| json!({}));
            if let Value::String(every) = known {
                *known = json!({ "*": every.as_str() });
            }
            if let Some(known) = known.as_object_mut() {
                for pattern in patterns {
                    // Where it stood before it would not be the last.
                    known.shift_remove(&pattern);
                    known.insert(pattern, decision.into());
                }
            }
        }
    }
}
