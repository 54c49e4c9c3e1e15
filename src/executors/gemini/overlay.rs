//! Gemini CLI's directory of ours: the user's settings, memory, skills, commands, extensions and MCP servers,
//! without the login.
use crate::executors::{
    LaunchPlan, LaunchRequest,
    launch::{bypass_proxy, competes, put},
    overlay::{link, link_entries, read_json, read_text, set, share, unset, user_dir},
};
use serde_json::{Value, json};
use std::path::Path;

/// What is read from the user's directory through a link.
const LINKED: &[&str] =
    &["GEMINI.md", "agents", "commands", "extensions", "hooks", "keybindings.json", "policies", "themes"];

/// Where sessions and the names of projects live; shared, so that history is one.
pub(super) const SHARED: &[&str] = &["tmp", "history"];

/// Adds the overlay and the variables that point to it.
pub(super) fn furnish(
    request: &LaunchRequest<'_>,
    plan: &mut LaunchPlan,
    inherit_user: bool,
) -> Result<(), String> {
    let gateway = request.gateway.ok_or("Gemini CLI in a home of ours needs the gateway: none was given")?;
    let home = request.pane_dir.join("gemini");
    let overlay = home.join(".gemini");
    plan.dirs.push(overlay.clone());
    plan.config_home.clone_from(&overlay);

    let mut settings = json!({});
    if inherit_user && let Some(user) = super::home(request.env) {
        settings = inherit(plan, &user, &overlay);
        if let Some(person) = user_dir(request.env, "GEMINI_CLI_HOME", "") {
            plan.dirs.push(home.join(".agents"));
            link(plan, &person, &home, ".agents/skills");
        }
    }
    // Its own variables alone are not enough once a base URL is set.
    set(&mut settings, &["security", "auth"], json!({ "selectedType": "gemini-api-key" }));
    set(&mut settings, &["general", "enableAutoUpdate"], false.into());
    set(&mut settings, &["general", "enableAutoUpdateNotification"], false.into());
    // Its cleanup at start removes every file of a session that was resumed and then stopped; measured, that took the
    // user's own history, which is shared here.
    set(&mut settings, &["general", "sessionRetention", "enabled"], false.into());
    set(&mut settings, &["privacy", "usageStatisticsEnabled"], false.into());
    super::equip::furnish(request, plan, &overlay, &mut settings);
    put(plan, overlay.join("settings.json"), settings.to_string());

    for (name, value) in [
        ("GEMINI_CLI_HOME", home.to_string_lossy().as_ref()),
        ("GEMINI_API_KEY", &gateway.token),
        ("GOOGLE_GEMINI_BASE_URL", &gateway.base_url),
    ] {
        plan.env_set.insert(name.into(), value.into());
    }
    if request.trusted {
        plan.env_set.insert("GEMINI_CLI_TRUST_WORKSPACE".into(), "true".into());
        // One process instead of two, and one that heeds signals. Untrusted, it must be able to start itself again
        // once its own question is answered.
        plan.env_set.insert("GEMINI_CLI_NO_RELAUNCH".into(), "true".into());
    }
    bypass_proxy(plan, request.env);
    Ok(())
}

/// The user's settings as the overlay may have them.
fn inherit(plan: &mut LaunchPlan, user: &Path, overlay: &Path) -> Value {
    for name in LINKED {
        link(plan, user, overlay, name);
    }
    // Ours lie beside the user's.
    link_entries(plan, user, overlay, "skills");
    for name in SHARED {
        share(plan, user, overlay, name);
    }
    let mut settings = read_json(&user.join("settings.json"), plan);
    for name in context_files(&settings) {
        if !LINKED.contains(&name.as_str()) {
            link(plan, user, overlay, &name);
        }
    }
    if settings.pointer("/security/auth").is_some() {
        plan.notes.push("the route wins over your Gemini CLI settings: security.auth".into());
    }
    unset(&mut settings, &["security", "auth"]);
    if let Some(text) = read_text(&user.join(".env")) {
        put(plan, overlay.join(".env"), without_keys(&text));
    }
    settings
}

/// The names under which the user keeps instructions; only plain names, nothing that leads elsewhere.
pub(super) fn context_files(settings: &Value) -> Vec<String> {
    let named = settings.pointer("/context/fileName").or_else(|| settings.get("contextFileName"));
    let list = match named {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    list.into_iter().filter(|n| n.ends_with(".md") && !n.contains('/') && !n.starts_with('.')).collect()
}

/// A `.env` without the lines that would choose another key, account or address.
fn without_keys(text: &str) -> String {
    let kept = text.lines().filter(|line| {
        let name = line.trim().trim_start_matches("export ").split('=').next().unwrap_or_default().trim();
        !competes(name)
    });
    kept.flat_map(|line| [line, "\n"]).collect()
}
