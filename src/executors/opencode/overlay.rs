//! OpenCode's settings of ours, laid over the user's own for one launch. It reads the user's configuration from where it
//! is; what it is given here wins over that.
use crate::{
    executors::{
        Home, LaunchPlan, LaunchRequest,
        launch::{bypass_proxy, put},
        overlay::{plain_json, read_text, set, user_dir},
    },
    router::{Catalogue, Dialect, ExecutorId, Provider},
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The name of our provider in its settings.
pub(super) const PROVIDER: &str = "inspan";

/// Where sessions live.
pub(super) const RECORDS: &[&str] = &[super::history::DATABASE];

/// The adapter that speaks a dialect and what follows the gateway's address. All are built into its binary.
fn adapter(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Messages => ("@ai-sdk/anthropic", "/v1"),
        Dialect::Chat => ("@ai-sdk/openai-compatible", "/v1"),
        Dialect::Responses => ("@ai-sdk/openai", "/v1"),
        Dialect::Gemini => ("@ai-sdk/google", "/v1beta"),
    }
}

/// Adds the settings, the file with the token and the variables that point to them.
pub(super) fn furnish(
    request: &LaunchRequest<'_>,
    plan: &mut LaunchPlan,
    inherit_user: bool,
) -> Result<(), String> {
    let gateway = request.gateway.ok_or("OpenCode in a home of ours needs the gateway: none was given")?;
    let overlay = request.pane_dir.join("opencode");
    plan.dirs.push(overlay.clone());
    plan.config_home.clone_from(&overlay);
    // Its database holds the accounts that the user logged in to beside the sessions, so it is not shared.
    let database = overlay.join(super::history::DATABASE);
    plan.env_set.insert("OPENCODE_DB".into(), database.to_string_lossy().into_owned());

    let mut settings = json!({});
    if inherit_user {
        overruled(request, plan);
        settings = given(request);
    } else {
        settings = without_users(request, plan, &overlay);
    }
    let model = request.route.wire_model.as_deref().unwrap_or_default();
    let (adapter, version) = adapter(request.route.harness_dialect);
    // A file rather than a variable: the commands that it runs inherit its whole environment.
    let token = overlay.join("token");
    put(plan, token.clone(), gateway.token.as_str());
    let provider = json!({
        "name": request.route.payer,
        "npm": adapter,
        "options": {
            "baseURL": format!("{}{version}", gateway.base_url),
            "apiKey": format!("{{file:{}}}", token.display()),
        },
        "models": models(request),
    });
    set(&mut settings, &["provider", PROVIDER], provider);
    for (key, value) in [
        ("enabled_providers", json!([PROVIDER])),
        ("disabled_providers", json!([])),
        ("model", format!("{PROVIDER}/{model}").into()),
        ("small_model", format!("{PROVIDER}/{model}").into()),
        ("autoupdate", false.into()),
        ("share", "disabled".into()),
    ] {
        set(&mut settings, &[key], value);
    }
    super::equip::furnish(request, plan, &mut settings);
    plan.env_set.insert("OPENCODE_CONFIG_CONTENT".into(), settings.to_string());
    // The logins of the user's stay where they are and take no part.
    plan.env_set.insert("OPENCODE_AUTH_CONTENT".into(), "{}".into());
    plan.env_set.insert("OPENCODE_DISABLE_MODELS_FETCH".into(), "1".into());
    plan.env_remove.push("OPENCODE_PERMISSION".into());
    bypass_proxy(plan, request.env);
    Ok(())
}

/// What the person's own variable says.
fn given(request: &LaunchRequest<'_>) -> Value {
    let text = request.env.get("OPENCODE_CONFIG_CONTENT").map(|text| plain_json(text));
    let given = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    given.filter(Value::is_object).unwrap_or_else(|| json!({}))
}

/// In the person's own home: what harnesses are given is laid over the settings there, and nothing else is.
pub(super) fn at_home(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    let before = given(request);
    let mut settings = before.clone();
    super::equip::furnish(request, plan, &mut settings);
    if settings != before {
        plan.env_set.insert("OPENCODE_CONFIG_CONTENT".into(), settings.to_string());
    }
}

/// The route's model and the others of the same provider, so that its own list offers what the gateway can serve.
fn models(request: &LaunchRequest<'_>) -> Map<String, Value> {
    let catalogue = Catalogue::builtin();
    let route = request.route;
    let named = route.model.as_deref().and_then(|name| catalogue.model(name).ok());
    let provider = named.map_or(route.provider, |model| model.provider);
    let beside = catalogue.models.iter().filter(|model| {
        provider != Provider::Rehearsal && model.provider == provider && model.taken_by(&ExecutorId::OPENCODE)
    });
    let mut models: Map<String, Value> = beside
        .map(|model| {
            let mut known = json!({ "name": model.id, "tool_call": true });
            if let Some(context) = model.context {
                known["limit"] = json!({ "context": context, "output": OUTPUT_TOKENS });
            }
            (model.wire.clone(), known)
        })
        .collect();
    if let Some(wire) = &route.wire_model {
        models.entry(wire.clone()).or_insert_with(|| json!({ "tool_call": true }));
    }
    models
}

/// What every model of the catalogue may answer at once; it asks for no more than it is told here.
const OUTPUT_TOKENS: u32 = 32_000;

/// The directory of the user's settings.
fn config_dir(request: &LaunchRequest<'_>) -> Option<PathBuf> {
    let set = request.env.get("XDG_CONFIG_HOME").filter(|dir| Path::new(dir).is_absolute());
    let dir = set.map(PathBuf::from).or_else(|| user_dir(request.env, "", ".config"))?;
    Some(dir.join("opencode"))
}

/// The user's settings in the order in which they are read, as far as they can be.
fn users(request: &LaunchRequest<'_>) -> Vec<Value> {
    let Some(dir) = config_dir(request) else { return Vec::new() };
    let home = user_dir(request.env, "", ".opencode");
    let named = ["config.json", "opencode.json", "opencode.jsonc"].map(|name| dir.join(name)).into_iter();
    let below =
        home.into_iter().flat_map(|dir| ["opencode.json", "opencode.jsonc"].map(|name| dir.join(name)));
    named.chain(below).filter_map(|file| serde_json::from_str(&plain_json(&read_text(&file)?)).ok()).collect()
}

/// Says what of the user's settings the route wins over.
fn overruled(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    let theirs = users(request);
    let keys: Vec<&str> = ["provider", "model", "small_model", "enabled_providers", "disabled_providers"]
        .into_iter()
        .filter(|key| theirs.iter().any(|settings| settings.get(*key).is_some()))
        .collect();
    if !keys.is_empty() {
        plan.notes.push(format!("the route wins over your OpenCode config: {}", keys.join(", ")));
    }
}

/// Settings that take the user's own out again. It reads its user-level directory by way of HOME, which stays as it is:
/// an empty directory stands in for its instructions, plugins are off, and what it names one by one is switched off by
/// name.
fn without_users(request: &LaunchRequest<'_>, plan: &mut LaunchPlan, overlay: &Path) -> Value {
    let empty = overlay.join("config");
    plan.dirs.push(empty.clone());
    plan.env_set.insert("OPENCODE_CONFIG_DIR".into(), empty.to_string_lossy().into_owned());
    for name in ["OPENCODE_PURE", "OPENCODE_DISABLE_CLAUDE_CODE", "OPENCODE_DISABLE_EXTERNAL_SKILLS"] {
        plan.env_set.insert(name.into(), "1".into());
    }
    plan.env_remove.extend(["OPENCODE_CONFIG".into(), "OPENCODE_TUI_CONFIG".into()]);
    if request.home == Home::Empty {
        // A rehearsal needs no network: neither language servers nor anything else is fetched for it.
        plan.env_set.insert("OPENCODE_DISABLE_LSP_DOWNLOAD".into(), "1".into());
    }
    let mut settings = json!({});
    for theirs in users(request) {
        for (key, off) in [("mcp", json!({ "enabled": false })), ("agent", json!({ "disable": true }))] {
            for name in theirs[key].as_object().into_iter().flat_map(Map::keys) {
                set(&mut settings, &[key, name], off.clone());
            }
        }
    }
    settings
}
