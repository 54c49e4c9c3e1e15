//! Claude Code's directory of ours: the user's settings, memory, skills, commands and MCP servers, without the login.
use crate::executors::{
    Home, LaunchPlan, LaunchRequest,
    launch::{bypass_proxy, competes, git_root, put},
    overlay::{link, read_json, set, share, unset, user_dir},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What is read from the user's directory through a link: written by the person or by the CLI, never by us.
const LINKED: &[&str] = &[
    "CLAUDE.md",
    "agents",
    "commands",
    "hooks",
    "keybindings.json",
    "output-styles",
    "plugins",
    "rules",
    "skills",
    "themes",
    "workflows",
];

/// Where sessions live; shared, so that history is one.
pub(super) const SHARED: &[&str] = &["projects", "file-history", "history.jsonl", "plans", "tasks", "todos"];

/// What `.claude.json` says about the person's taste and tools. Everything else of it (accounts, keys, caches,
/// counters) stays in the user's home.
const STATE_KEYS: &[&str] = &[
    "mcpServers",
    "theme",
    "editorMode",
    "verbose",
    "preferredNotifChannel",
    "autoCompactEnabled",
    "diffTool",
];

/// What it says about one project that still holds in the overlay; its trust is asked for by us.
const PROJECT_KEYS: &[&str] = &[
    "allowedTools",
    "disabledMcpServers",
    "disabledMcpjsonServers",
    "enabledMcpjsonServers",
    "hasClaudeMdExternalIncludesApproved",
    "hasClaudeMdExternalIncludesWarningShown",
    "mcpServers",
];

/// Settings that would choose another account, key or payer.
const ACCOUNT_SETTINGS: &[&str] =
    &["apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "forceLoginMethod", "forceLoginOrgUUID"];

/// Adds the overlay and the variables that point to it.
pub(super) fn furnish(
    request: &LaunchRequest<'_>,
    plan: &mut LaunchPlan,
    inherit_user: bool,
) -> Result<(), String> {
    let gateway = request.gateway.ok_or("Claude Code in a home of ours needs the gateway: none was given")?;
    let overlay = request.pane_dir.join("claude");
    plan.dirs.push(overlay.clone());
    plan.config_home.clone_from(&overlay);

    let (mut settings, mut state) = (json!({}), json!({}));
    if inherit_user && let Some(user) = super::home(request.env) {
        (settings, state) = inherit(request, plan, &user, &overlay);
    }
    set(&mut state, &["hasCompletedOnboarding"], true.into());
    if request.trusted {
        for dir in [request.cwd, git_root(request.cwd)] {
            set(&mut state, &["projects", &dir.to_string_lossy(), "hasTrustDialogAccepted"], true.into());
        }
    }
    put(plan, overlay.join("settings.json"), settings.to_string());
    if request.home != Home::Empty {
        for (name, server) in super::equip::servers(request) {
            set(&mut state, &["mcpServers", &name], server);
        }
    }
    put(plan, overlay.join(".claude.json"), state.to_string());

    // Above a project's own settings, whose `env` would otherwise send requests elsewhere.
    let launch = super::equip::launch_file(request);
    let mut ours = json!({
        "env": {
            "ANTHROPIC_BASE_URL": gateway.base_url,
            "ANTHROPIC_AUTH_TOKEN": gateway.token,
            "CLAUDE_CODE_USE_BEDROCK": "0",
            "CLAUDE_CODE_USE_FOUNDRY": "0",
            "CLAUDE_CODE_USE_VERTEX": "0",
        },
        "apiKeyHelper": "",
        "skipDangerousModePermissionPrompt": true,
        // Otherwise it registers itself with the desktop, in the user's home.
        "disableDeepLinkRegistration": "disable",
        // Its safety check is a service of the vendor's that a gateway does not have: every command would stop.
        "permissions": { "disableAutoMode": "disable" },
    });
    let token = if request.route.inject { "ANTHROPIC_API_KEY" } else { "ANTHROPIC_AUTH_TOKEN" };
    if request.route.inject
        && let Some(env) = ours["env"].as_object_mut()
    {
        // A key that the person leaves to the CLI is in its environment and in no file.
        env.remove("ANTHROPIC_AUTH_TOKEN");
    }
    plan.argv.extend(["--settings".into(), launch.display().to_string()]);
    if request.home == Home::Empty {
        plan.argv.push("--strict-mcp-config".into());
        // A rehearsal needs no network, so it tries none: otherwise the vendor's plugins are fetched at the first start.
        plan.env_set.insert("CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL".into(), "1".into());
    } else if request.trusted {
        set(&mut ours, &["enableAllProjectMcpServers"], true.into());
    }
    super::equip::permissions(request, &mut ours);
    put(plan, launch, ours.to_string());

    for (name, value) in [
        ("CLAUDE_CONFIG_DIR", overlay.to_string_lossy().as_ref()),
        ("ANTHROPIC_BASE_URL", &gateway.base_url),
        (token, &gateway.token),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
    ] {
        plan.env_set.insert(name.into(), value.into());
    }
    bypass_proxy(plan, request.env);
    Ok(())
}

/// The user's settings and state as the overlay may have them.
fn inherit(
    request: &LaunchRequest<'_>,
    plan: &mut LaunchPlan,
    user: &Path,
    overlay: &Path,
) -> (Value, Value) {
    for name in LINKED {
        link(plan, user, overlay, name);
    }
    for name in SHARED {
        share(plan, user, overlay, name);
    }
    let mut settings = read_json(&user.join("settings.json"), plan);
    let mut overruled: Vec<String> = Vec::new();
    for key in ACCOUNT_SETTINGS.iter().filter(|key| settings.get(**key).is_some()) {
        overruled.push((*key).into());
    }
    if let Some(env) = settings.get("env").and_then(Value::as_object) {
        overruled.extend(env.keys().filter(|name| competes(name)).map(|name| format!("env.{name}")));
    }
    for key in &overruled {
        unset(&mut settings, &key.split('.').collect::<Vec<_>>());
    }
    if !overruled.is_empty() {
        plan.notes.push(format!("the route wins over your Claude Code settings: {}", overruled.join(", ")));
    }

    let own = read_json(&state_path(request, user), plan);
    let mut state = json!({});
    for key in STATE_KEYS {
        if let Some(value) = own.get(*key) {
            set(&mut state, &[key], value.clone());
        }
    }
    for dir in [request.cwd, git_root(request.cwd)] {
        let name = dir.to_string_lossy();
        let Some(project) = own.get("projects").and_then(|p| p.get(name.as_ref())) else { continue };
        for key in PROJECT_KEYS {
            if let Some(value) = project.get(*key) {
                set(&mut state, &["projects", &name, key], value.clone());
            }
        }
    }
    (settings, state)
}

/// `.claude.json` lies beside the default directory, and inside one that the user chose.
fn state_path(request: &LaunchRequest<'_>, user: &Path) -> PathBuf {
    let chosen = request.env.get("CLAUDE_CONFIG_DIR").is_some_and(|dir| !dir.is_empty());
    if chosen {
        return user.join(".claude.json");
    }
    user_dir(request.env, "", ".claude.json").unwrap_or_else(|| user.join(".claude.json"))
}
