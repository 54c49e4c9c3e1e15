//! oh-my-opencode: a plugin that brings OpenCode agents of its own. It is installed beside OpenCode and loaded for a
//! launch that asks for one of them, so that what it runs is OpenCode itself, in its own TUI.
use super::{OpenCode, overlay::config_dir};
use crate::{
    config::Paths,
    executors::{
        AgentPlaces, Class, Executor, Home, LaunchPlan, LaunchRequest, ModelChange, NativeSession, OwnAgent,
        Package, RequestFacts, Signals, SubmitStep, agents::in_json,
    },
    handoff::Conversation,
    router::{Dialect, ExecutorId},
    state::StatusReport,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Its name among what can be installed.
pub const NAME: &str = "oh-my-opencode";

/// The file that OpenCode loads, below where the package was installed.
const PLUGIN: &str = "node_modules/oh-my-opencode/dist/index.js";

/// Its agents that lead a session: what its settings call them, what OpenCode calls them, and what they do.
const AGENTS: &[(&str, &str, &str)] = &[
    ("sisyphus", "Sisyphus - ultraworker", "works until everything is done"),
    ("hephaestus", "Hephaestus - Deep Agent", "works by itself on one hard thing"),
    ("prometheus", "Prometheus - Plan Builder", "asks, then writes a plan"),
    ("atlas", "Atlas - Plan Executor", "carries a plan out"),
];

/// Its settings: in a directory of settings, and the name under which they hold its agents.
const SETTINGS: &[&str] =
    &["oh-my-openagent.jsonc", "oh-my-openagent.json", "oh-my-opencode.jsonc", "oh-my-opencode.json"];

/// The plugin that `inspan install oh-my-opencode` put there.
pub(super) fn plugin(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let paths = Paths::new(|name| env.get(name).map(Into::into), rustix::process::geteuid().as_raw()).ok()?;
    let file = paths.data.join("executors").join(NAME).join("current").join(PLUGIN);
    file.is_file().then_some(file)
}

/// Its agents, where it is installed, with the models that its settings give them.
pub(super) fn agents(places: &AgentPlaces<'_>) -> Vec<OwnAgent> {
    let Some(plugin) = plugin(places.env) else { return Vec::new() };
    let named = |file: PathBuf| in_json(&file, true, |settings| settings.get("agents"), |_| true);
    let dirs = places.up(".opencode").into_iter().chain(config_dir(places.env));
    let files = dirs.flat_map(|dir| SETTINGS.iter().map(move |name| dir.join(name)));
    let mut models: Vec<OwnAgent> = places
        .up(".omo/omo.jsonc")
        .iter()
        .flat_map(|file| in_json(file, true, |settings| settings.get("[opencode]")?.get("agents"), |_| true))
        .collect();
    models.extend(files.flat_map(named));
    let model = |short: &str| models.iter().find(|agent| agent.name == short)?.model.clone();
    let brought = AGENTS.iter().map(|(short, _, about)| OwnAgent {
        name: (*short).to_owned(),
        about: format!("oh-my-opencode: {about}"),
        model: model(short),
        file: Some(plugin.clone()),
        of_user: false,
    });
    brought.collect()
}

/// Has OpenCode load the plugin where the agent is one of its; what OpenCode calls that agent.
pub(super) fn lead<'a>(request: &LaunchRequest<'_>, agent: &'a str, plan: &mut LaunchPlan) -> &'a str {
    let (Some(plugin), Some((_, full, _))) =
        (plugin(request.env), AGENTS.iter().find(|(short, ..)| *short == agent))
    else {
        return agent;
    };
    let given = plan.env_set.get("OPENCODE_CONFIG_CONTENT").or(request.env.get("OPENCODE_CONFIG_CONTENT"));
    let settings = given.and_then(|text| serde_json::from_str::<Value>(text).ok()).filter(Value::is_object);
    let mut settings = settings.unwrap_or_else(|| json!({}));
    let mut plugins = settings["plugin"].as_array().cloned().unwrap_or_default();
    plugins.push(format!("file://{}", plugin.display()).into());
    settings["plugin"] = plugins.into();
    plan.env_set.insert("OPENCODE_CONFIG_CONTENT".into(), settings.to_string());
    plan.env_set.remove("OPENCODE_PURE");
    if request.home != Home::Users {
        plan.env_set.insert("OMO_DISABLE_POSTHOG".into(), "1".into());
    }
    plan.notes.push(format!(
        "{full} comes with oh-my-opencode, which keeps notes in .omo of the workspace and of your home"
    ));
    full
}

/// What is installed. It is not started by itself.
pub struct OhMyOpenCode;

impl Executor for OhMyOpenCode {
    fn id(&self) -> ExecutorId {
        NAME.into()
    }

    fn title(&self) -> &'static str {
        NAME
    }

    fn program(&self) -> &'static str {
        NAME
    }

    fn dialect(&self) -> Dialect {
        OpenCode.dialect()
    }

    fn package(&self) -> Option<Package> {
        Some(Package {
            name: NAME,
            version: "4.19.4",
            binaries: &["node_modules/.bin/oh-my-opencode"],
            size_mb: 480,
            node: Some(20),
        })
    }

    fn login(&self, _env: &BTreeMap<String, String>) -> Option<String> {
        None
    }

    fn users_home(&self, env: &BTreeMap<String, String>) -> Option<PathBuf> {
        OpenCode.users_home(env)
    }

    fn launch(&self, _request: &LaunchRequest<'_>) -> Result<LaunchPlan, String> {
        Err("oh-my-opencode runs as OpenCode: --executor opencode --agent sisyphus".into())
    }

    fn classify(&self, request: &RequestFacts<'_>) -> Class {
        OpenCode.classify(request)
    }

    fn submit(&self, text: &str) -> Vec<SubmitStep> {
        OpenCode.submit(text)
    }

    fn watch(&self, signals: &Signals<'_>) -> Option<StatusReport> {
        OpenCode.watch(signals)
    }

    fn change_model(&self, model: &str) -> ModelChange {
        OpenCode.change_model(model)
    }

    fn records(&self) -> (&'static str, &'static [&'static str]) {
        OpenCode.records()
    }

    fn sessions(&self, config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
        OpenCode.sessions(config_home, cwd)
    }

    fn transcript(&self, config_home: &Path, cwd: &Path, session: &str) -> Option<Conversation> {
        OpenCode.transcript(config_home, cwd, session)
    }
}
