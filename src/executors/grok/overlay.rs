//! Grok Build's directory of ours: the user's config, rules, skills, agents, hooks and MCP servers, without the login and
//! without the user's models and endpoints.
use crate::{
    executors::{
        LaunchPlan, LaunchRequest,
        launch::{bypass_proxy, git_root, put},
        overlay::{link, link_entries, put_in, read_toml, share, table, within},
    },
    router::{Catalogue, Dialect, ExecutorId, Provider},
};
use std::path::Path;
use toml::{Table, Value};

/// What is read from the user's directory through a link.
const LINKED: &[&str] = &[
    "AGENTS.md",
    "agents",
    "hooks",
    "hooks-paths",
    "installed-plugins",
    "lsp.json",
    "pager.toml",
    "personas",
    "plugins",
    "requirements.toml",
    "rules",
    "sandbox.toml",
    "themes",
    "workflows",
];

/// Where sessions live; shared, so that history is one.
pub(super) const SHARED: &[&str] = &["sessions"];

/// Settings that would choose another model, address, account or payer.
const OVERRULED: &[&str] =
    &["auth", "auth_provider", "endpoints", "grok_com_config", "model", "model_providers", "models"];

/// Other vendors' directories in the home that it would read as well.
const NEIGHBOURS: &[(&str, &[&str])] = &[
    ("claude", &["skills", "rules", "agents", "mcps", "hooks"]),
    ("cursor", &["skills", "rules", "agents", "mcps", "hooks"]),
];

/// Its own retries in a row. The default lasts many minutes, in which nothing but its status line says so.
const MAX_RETRIES: i64 = 4;

/// Adds the overlay and the variable that points to it.
pub(super) fn furnish(
    request: &LaunchRequest<'_>,
    plan: &mut LaunchPlan,
    inherit_user: bool,
) -> Result<(), String> {
    let gateway = request.gateway.ok_or("Grok Build in a home of ours needs the gateway: none was given")?;
    let overlay = request.pane_dir.join("grok");
    plan.dirs.push(overlay.clone());
    plan.config_home.clone_from(&overlay);

    let mut config = Table::new();
    if inherit_user && let Some(user) = super::home(request.env) {
        config = inherit(plan, &user, &overlay);
    } else {
        within(&mut config, "compat", |compat| {
            for (vendor, cells) in NEIGHBOURS {
                let off = cells.iter().map(|cell| ((*cell).to_owned(), Value::from(false))).collect();
                compat.insert((*vendor).to_owned(), Value::Table(off));
            }
        });
    }
    let backend = match request.route.harness_dialect {
        Dialect::Messages => "messages",
        Dialect::Chat => "chat_completions",
        Dialect::Responses | Dialect::Gemini => "responses",
    };
    let wire = request.route.wire_model.as_deref().unwrap_or_default();
    let mut models = Table::new();
    for (name, context) in served(request) {
        // The key stands in this 0600 file rather than in a variable: the commands that it runs inherit those.
        let mut model = table([
            ("model", name.as_str().into()),
            ("base_url", format!("{}/v1", gateway.base_url).into()),
            ("api_key", gateway.token.as_str().into()),
            ("api_backend", backend.into()),
        ]);
        if let Some(context) = context {
            model.insert("context_window".into(), i64::from(context).into());
        }
        models.insert(name, Value::Table(model));
    }
    config.insert("model".into(), Value::Table(models));
    let chosen = table([
        ("default", wire.into()),
        // Unpinned, titles are asked for under another model's name.
        ("session_summary", wire.into()),
        ("prompt_suggestion", wire.into()),
        ("max_retries", MAX_RETRIES.into()),
    ]);
    config.insert("models".into(), Value::Table(chosen));
    within(&mut config, "cli", |cli| put_in(cli, "auto_update", false.into()));
    within(&mut config, "features", |features| {
        put_in(features, "telemetry", false.into());
        // One more request with the whole conversation after each turn.
        put_in(features, "turn_summary", false.into());
    });
    within(&mut config, "ui", |ui| {
        // Written there by an answer that was given once; how much it may do is a flag of the launch.
        ui.remove("permission_mode");
        put_in(ui, "prompt_suggestions", false.into());
    });
    super::equip::furnish(request, plan, &mut config);
    let text = toml::to_string(&config).map_err(|e| format!("cannot write Grok Build's config: {e}"))?;
    put(plan, overlay.join("config.toml"), text);
    if request.trusted {
        let mut folders = Table::new();
        for dir in [request.cwd, git_root(request.cwd)] {
            folders
                .insert(dir.to_string_lossy().into_owned(), Value::Table(table([("trusted", true.into())])));
        }
        let trusted = toml::to_string(&table([("folders", Value::Table(folders))]));
        put(plan, overlay.join("trusted_folders.toml"), trusted.unwrap_or_default());
    }
    plan.env_set.insert("GROK_HOME".into(), overlay.to_string_lossy().into_owned());
    plan.env_set.insert("GROK_TELEMETRY_ENABLED".into(), "0".into());
    plan.env_remove.extend(["GROK_CONFIG".into(), "GROK_CONFIG_PATH".into()]);
    bypass_proxy(plan, request.env);
    Ok(())
}

/// The route's model and the others of the same provider, so that its own list offers what the gateway can serve.
fn served(request: &LaunchRequest<'_>) -> Vec<(String, Option<u32>)> {
    let (catalogue, route) = (Catalogue::builtin(), request.route);
    let named = route.model.as_deref().and_then(|name| catalogue.model(name).ok());
    let provider = named.map_or(route.provider, |model| model.provider);
    let beside = catalogue.models.iter().filter(|model| {
        provider != Provider::Rehearsal && model.provider == provider && model.taken_by(&ExecutorId::GROK)
    });
    let mut served: Vec<(String, Option<u32>)> = beside.map(|m| (m.wire.clone(), m.context)).collect();
    if let Some(wire) = route.wire_model.as_ref().filter(|wire| !served.iter().any(|(name, _)| name == *wire))
    {
        served.push((wire.clone(), None));
    }
    served
}

/// The user's config as the overlay may have it.
fn inherit(plan: &mut LaunchPlan, user: &Path, overlay: &Path) -> Table {
    for name in LINKED {
        link(plan, user, overlay, name);
    }
    // It unpacks skills of its own beside the user's.
    link_entries(plan, user, overlay, "skills");
    for name in SHARED {
        share(plan, user, overlay, name);
    }
    read_toml(&user.join("config.toml"), OVERRULED, "Grok Build", plan)
}
