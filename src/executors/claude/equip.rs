//! What Claude Code is given of the person's equipment: flags of the launch, which add to whatever it reads itself.
use crate::{
    config::equipment::Rule,
    executors::{
        Home, LaunchPlan, LaunchRequest,
        equip::{Kind, as_tool, lay},
        launch::put,
    },
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Our settings of a launch; above the person's and the project's.
pub(super) fn launch_file(request: &LaunchRequest<'_>) -> PathBuf {
    request.pane_dir.join("claude-launch.json")
}

/// The servers as its own settings name them.
pub(super) fn servers(request: &LaunchRequest<'_>) -> Map<String, Value> {
    let server = |server: &crate::executors::equip::Server| {
        let value = match &server.kind {
            Kind::Stdio { command, env } => json!({
                "type": "stdio",
                "command": command.first(),
                "args": command.get(1..).unwrap_or_default(),
                "env": env,
            }),
            Kind::Http { url, headers } => {
                let headers: Map<String, Value> =
                    headers.iter().map(|(name, header)| (name.clone(), header.value.as_str().into())).collect();
                json!({ "type": "http", "url": url, "headers": headers })
            }
        };
        (server.name.clone(), value)
    };
    request.equipment.servers.iter().map(server).collect()
}

fn rule(rule: &Rule) -> String {
    as_tool(
        rule,
        |begins| format!("({begins}:*)"),
        |rule| match rule.server() {
            ("", _) => "mcp__*".into(),
            (server, None) => format!("mcp__{server}"),
            (server, Some(tool)) => format!("mcp__{server}__{tool}"),
        },
    )
}

/// Adds permissions to the settings of a launch.
pub(super) fn permissions(request: &LaunchRequest<'_>, settings: &mut Value) {
    for (key, allow) in [("allow", true), ("deny", false)] {
        let rules = request.equipment.rules.iter().filter(|rule| rule.allow == allow);
        let rules: Vec<String> = rules.map(rule).collect();
        if !rules.is_empty() {
            settings["permissions"][key] = rules.into();
        }
    }
}

/// Adds flags and files. In a home of ours the servers stand in its state file, where its own list shows them.
pub(super) fn equip(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    let laid = lay(request, plan);
    let flag = |plan: &mut LaunchPlan, flag: &str, path: &Path| {
        plan.argv.extend([flag.to_owned(), path.display().to_string()]);
    };
    let launch = launch_file(request);
    if request.home == Home::Users && !request.equipment.rules.is_empty() {
        let mut settings = json!({});
        permissions(request, &mut settings);
        put(plan, launch.clone(), settings.to_string());
        flag(plan, "--settings", &launch);
    }
    request.equipment.rule_sources(&launch, plan);
    if !request.equipment.servers.is_empty() {
        let ours = matches!(request.home, Home::Overlay { .. });
        let file = request.pane_dir.join(if ours { "claude/.claude.json" } else { "claude-mcp.json" });
        request.equipment.server_sources(&file, plan);
        if !ours {
            put(plan, file.clone(), json!({ "mcpServers": servers(request) }).to_string());
            flag(plan, "--mcp-config", &file);
        }
    }
    if laid.skills.is_some() {
        let manifest = json!({ "name": "inspan", "version": env!("CARGO_PKG_VERSION"), "description": "Skills given by inspan" });
        put(plan, laid.dir.join(".claude-plugin/plugin.json"), manifest.to_string());
        flag(plan, "--plugin-dir", &laid.dir);
    }
    if let Some(context) = laid.context {
        flag(plan, "--append-system-prompt-file", &context);
    }
}
