//! OpenCode's settings of ours, laid over the user's own for one launch. It reads the user's configuration from where it
//! is; what it is given here wins over that.
use super::history;
use crate::{
    executors::{
        Home, LaunchPlan, LaunchRequest, SessionChoice,
        launch::{bypass_proxy, put},
        overlay::{plain_json, read_text, set, user_dir},
    },
    router::{Catalogue, Dialect, ExecutorId, Provider},
    state::Effort,
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The name of our provider in its settings.
pub(super) const PROVIDER: &str = "inspan";

/// Where sessions live.
pub(super) const RECORDS: &[&str] = &[history::DATABASE];

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
    match shared_store(request, &overlay, inherit_user)? {
        Some(home) => {
            // Whatever names another one, this is the store of the user's own OpenCode.
            let database = home.join(history::DATABASE);
            plan.env_set.insert("OPENCODE_DB".into(), database.to_string_lossy().into_owned());
            plan.config_home = home;
        }
        None => {
            let database = overlay.join(history::DATABASE);
            plan.env_set.insert("OPENCODE_DB".into(), database.to_string_lossy().into_owned());
        }
    }

    let mut settings = json!({});
    if inherit_user {
        overruled(request, plan);
        let given = request.env.get("OPENCODE_CONFIG_CONTENT").map(|text| plain_json(text));
        let given = given.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        settings = given.filter(Value::is_object).unwrap_or(settings);
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
    plan.env_set.insert("OPENCODE_CONFIG_CONTENT".into(), settings.to_string());
    // The logins of the user's stay where they are and take no part.
    plan.env_set.insert("OPENCODE_AUTH_CONTENT".into(), "{}".into());
    plan.env_set.insert("OPENCODE_DISABLE_MODELS_FETCH".into(), "1".into());
    plan.env_remove.push("OPENCODE_PERMISSION".into());
    bypass_proxy(plan, request.env);
    Ok(())
}

/// The user's own store of sessions, where this launch can be in it: so that what was begun outside goes on here, and
/// what is begun here stands in OpenCode's own list. One that holds accounts is left alone, for OpenCode would take
/// settings from them that win over ours.
fn shared_store(
    request: &LaunchRequest<'_>,
    overlay: &Path,
    inherit_user: bool,
) -> Result<Option<PathBuf>, String> {
    let users = super::home(request.env).filter(|home| inherit_user && home.join(history::DATABASE).exists());
    let resumed = match &request.session {
        SessionChoice::Resume(id) => Some(id.as_str()),
        SessionChoice::New(_) => None,
    };
    // What the pane kept by itself before goes on there.
    if resumed.is_some_and(|id| history::holds(overlay, id)) {
        return Ok(None);
    }
    let Some(users) = users else { return Ok(None) };
    if !history::holds_accounts(&users) {
        return Ok(Some(users));
    }
    match resumed.filter(|id| history::holds(&users, id)) {
        Some(id) => Err(format!(
            "the session {id} lies beside the accounts of your own OpenCode, which take no part here · resume it with \
             --auth login, or begin a new one"
        )),
        None => Ok(None),
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
    if let Some(effort) = request.effort {
        for (wire, model) in &mut models {
            model["options"] = thinking(effort, route.harness_dialect, wire);
        }
    }
    models
}

/// How hard a model thinks, in the words of the adapter that speaks its dialect.
fn thinking(effort: Effort, dialect: Dialect, wire: &str) -> Value {
    // Tokens of thought; the most that fit beside an answer below the smallest limit of today's models.
    let tokens = |low, medium, high, max| match effort {
        Effort::Low => low,
        Effort::Medium => medium,
        Effort::High => high,
        Effort::Max => max,
    };
    match dialect {
        Dialect::Chat | Dialect::Responses => json!({ "reasoningEffort": effort.of_openai() }),
        Dialect::Messages => {
            let budget = tokens(4_000, 10_000, 20_000, 31_999);
            json!({ "thinking": { "type": "enabled", "budgetTokens": budget } })
        }
        // From the third generation on a level is named instead of a budget, and none is above high.
        Dialect::Gemini if wire.contains("gemini-2") => {
            let budget = tokens(2_048, 8_192, 24_576, 24_576);
            json!({ "thinkingConfig": { "includeThoughts": true, "thinkingBudget": budget } })
        }
        Dialect::Gemini => {
            let level = if effort == Effort::Max { Effort::High } else { effort };
            json!({ "thinkingConfig": { "includeThoughts": true, "thinkingLevel": level.as_str() } })
        }
    }
}

/// What every model of the catalogue may answer at once; it asks for no more than it is told here.
const OUTPUT_TOKENS: u32 = 32_000;

/// Settings files in the order in which they are read.
pub(super) const SETTINGS: [&str; 3] = ["config.json", "opencode.json", "opencode.jsonc"];

/// The directory of the user's settings.
pub(super) fn config_dir(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let set = env.get("XDG_CONFIG_HOME").filter(|dir| Path::new(dir).is_absolute());
    let dir = set.map(PathBuf::from).or_else(|| user_dir(env, "", ".config"))?;
    Some(dir.join("opencode"))
}

/// The user's settings in the order in which they are read, as far as they can be.
fn users(request: &LaunchRequest<'_>) -> Vec<Value> {
    let Some(dir) = config_dir(request.env) else { return Vec::new() };
    let home = user_dir(request.env, "", ".opencode");
    let named = SETTINGS.map(|name| dir.join(name)).into_iter();
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
