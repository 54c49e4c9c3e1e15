//! Codex: its flags, its overlay, its requests and its status sequence.
//!
//! Must not know: the gateway's routing, panes on a screen.
mod beside;
mod history;
mod overlay;
#[cfg(test)]
mod tests;

use super::{
    AgentPlaces, Class, Executor, Home, LaunchPlan, LaunchRequest, ModelChange, NativeSession, OwnAgent,
    Package, RequestFacts, Running, SessionChoice, Signals, SubmitStep,
    agents::{chosen, first_of_each},
    launch::{pasted, plain_word, prompt_arg, scrub},
    overlay::{read_text, user_dir},
    screen::{line_with, question_above, report},
};
use crate::{
    handoff::Conversation,
    router::{Dialect, ExecutorId},
    state::{Permission, Status, StatusReport, StatusSource},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// Between a slash command and Enter: faster typing counts as a paste, whose Enter is a line break.
const MENU_PAUSE: Duration = Duration::from_millis(400);

/// Questions that wait for the person, as they stand on the screen.
const QUESTIONS: &[&str] = &[
    "Would you like to ",
    "Do you want to ",
    "Trust this folder?",
    "Choose how you want to use Codex",
    "Hooks need review",
    "1. Try new model",
    "is no longer available",
    "Background server has incompatible",
    "Continue anyway? [y/N]",
];

/// How the file of a profile ends.
const PROFILE: &str = ".config.toml";

/// The executor `codex`.
pub struct Codex;

/// The user's configuration directory.
fn home(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    user_dir(env, "CODEX_HOME", ".codex")
}

/// Flags for how much it may do. Under `login`, `ask` leaves the user's own setting in force.
fn permission(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    let flags: &[&str] = match request.permission {
        Permission::Ask if request.home == Home::Users => &[],
        Permission::Ask | Permission::Edits => &["-a", "on-request", "-s", "workspace-write"],
        Permission::Plan => &["-a", "on-request", "-s", "read-only"],
        Permission::Readonly => &["-a", "never", "-s", "read-only"],
        Permission::Full => &["--dangerously-bypass-approvals-and-sandbox"],
    };
    plan.argv.extend(flags.iter().map(|f| (*f).to_owned()));
    let note = match request.permission {
        Permission::Ask if !flags.is_empty() => {
            "ask: Codex runs commands and edits inside its workspace sandbox unasked and asks for what leaves it"
        }
        Permission::Edits => "edits: Codex also runs commands inside its workspace sandbox unasked",
        Permission::Plan => "plan: Codex has no flag for it; it starts read-only and asks before it writes",
        _ => return,
    };
    plan.notes.push(note.into());
}

impl Executor for Codex {
    fn id(&self) -> ExecutorId {
        ExecutorId::CODEX
    }

    fn title(&self) -> &'static str {
        "Codex"
    }

    fn program(&self) -> &'static str {
        "codex"
    }

    fn dialect(&self) -> Dialect {
        Dialect::Responses
    }

    fn package(&self) -> Option<Package> {
        Some(Package {
            name: "@openai/codex",
            version: "0.169.0",
            binaries: &[
                "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
                "node_modules/@openai/codex-linux-arm64/vendor/aarch64-unknown-linux-musl/bin/codex",
                "node_modules/@openai/codex-darwin-arm64/vendor/aarch64-apple-darwin/bin/codex",
                "node_modules/@openai/codex-darwin-x64/vendor/x86_64-apple-darwin/bin/codex",
                "node_modules/.bin/codex",
            ],
            size_mb: 404,
            node: None,
        })
    }

    fn flags(&self) -> &'static [&'static str] {
        &["--no-daemon", "--ask-for-approval", "--sandbox"]
    }

    fn control_flag(&self) -> Option<&'static str> {
        Some("--remote")
    }

    fn login(&self, env: &BTreeMap<String, String>) -> Option<String> {
        let text = read_text(&home(env)?.join("auth.json"))?;
        let stored: Value = serde_json::from_str(&text).ok()?;
        let filled = |v: Option<&Value>| v.and_then(Value::as_str).is_some_and(|t| !t.is_empty());
        if filled(stored.get("tokens").and_then(|t| t.get("access_token"))) {
            return Some("ChatGPT".into());
        }
        filled(stored.get("OPENAI_API_KEY")).then(|| "API key".into())
    }

    fn users_home(&self, env: &BTreeMap<String, String>) -> Option<PathBuf> {
        home(env)
    }

    /// Its profiles, a file each beside its settings.
    fn agents(&self, places: &AgentPlaces<'_>) -> Result<Vec<OwnAgent>, String> {
        let dir = home(places.env);
        let files = dir.iter().flat_map(std::fs::read_dir).flatten().flatten().map(|entry| entry.path());
        let mut profiles: Vec<OwnAgent> = files
            .filter_map(|file| {
                let name = file.file_name()?.to_str()?.strip_suffix(PROFILE)?.to_owned();
                plain_word("agent", &name).ok()?;
                let settings: toml::Table = read_text(&file)?.parse().ok()?;
                let model = settings.get("model").and_then(toml::Value::as_str).map(str::to_owned);
                let about = "a profile of Codex's".to_owned();
                Some(OwnAgent { name, about, model, file: Some(file), of_user: true })
            })
            .collect();
        profiles.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(first_of_each(profiles))
    }

    fn launch(&self, request: &LaunchRequest<'_>) -> Result<LaunchPlan, String> {
        let mut plan =
            LaunchPlan { argv: vec![request.binary.display().to_string()], ..LaunchPlan::default() };
        scrub(&mut plan, request.env, request.home == Home::Users);
        let resumed = match &request.session {
            SessionChoice::New(_) => None,
            SessionChoice::Resume(id) => Some(plain_word("session", id)?),
        };
        let forks = resumed.is_some_and(|id| other_provider(request, id));
        let stands = beside::stands(request, forks);
        if resumed.is_some() {
            plan.argv.push(if forks { "fork" } else { "resume" }.into());
        }
        // Otherwise the TUI starts a daemon and an updater that outlive the pane, and copies itself into its home.
        plan.argv.push("--no-daemon".into());
        match request.home {
            Home::Users => {
                plan.config_home = home(request.env).ok_or("HOME is not set: Codex has no home to run in")?;
            }
            Home::Overlay { inherit_user } => overlay::furnish(request, &mut plan, inherit_user)?,
            Home::Empty => overlay::furnish(request, &mut plan, false)?,
        }
        permission(request, &mut plan);
        if let Some(model) = &request.route.wire_model {
            plan.argv.extend(["-m".into(), plain_word("model", model)?.into()]);
        }
        if let Some(effort) = request.effort {
            plan.argv.extend(["-c".into(), format!("model_reasoning_effort=\"{}\"", effort.of_openai())]);
        }
        if let Some(agent) = chosen(self, request, &mut plan)? {
            if request.home == Home::Users {
                plan.argv.push(format!("--profile={agent}"));
            } else {
                plan.notes.push(format!(
                    "agent {agent}: a profile of Codex's names provider and model, which the route decides here"
                ));
            }
        }
        // On an app-server a resumed thread is told first what it may do: the prompt follows.
        let prompt = if stands && resumed.is_some() { None } else { prompt_arg(request, &mut plan) };
        if resumed.is_some() || prompt.is_some() {
            plan.argv.push("--".into());
        }
        if let Some(id) = resumed {
            plan.argv.push(id.into());
            if forks {
                plan.notes.push(format!(
                    "Codex goes on with a thread only under the provider that it began with: this is a copy of {id}"
                ));
            } else {
                plan.session = Some(id.into());
            }
        }
        if let Some(prompt) = prompt {
            plan.argv.push(prompt.into());
            plan.prompt_delivered = true;
        }
        if stands {
            beside::stand(request, &mut plan, resumed)?;
        }
        Ok(plan)
    }

    /// The CLI says in a header for whom it asks; anything that is not the person's thread is beside it.
    fn classify(&self, request: &RequestFacts<'_>) -> Class {
        let path = request.path.split('?').next().unwrap_or_default();
        if !path.ends_with("/responses") {
            return Class::Side;
        }
        let source = turn_metadata(request, "thread_source");
        let helper = (request.header)("x-openai-subagent");
        match (source.as_deref(), helper.as_deref()) {
            (Some("subagent" | "thread_spawn"), _) | (_, Some("collab_spawn" | "subagent")) => {
                Class::Subagent
            }
            (_, Some(_)) => Class::Side,
            (Some("user") | None, None) => Class::Main,
            (Some(_), None) => Class::Side,
        }
    }

    fn session_of(&self, request: &RequestFacts<'_>) -> Option<String> {
        (request.header)("thread-id").or_else(|| turn_metadata(request, "thread_id"))
    }

    /// A bracketed paste and Enter in one write; typed text with Enter would only break the line.
    fn submit(&self, text: &str) -> Vec<SubmitStep> {
        if text.starts_with('/') && !text.contains('\n') {
            return vec![
                SubmitStep::Write(text.as_bytes().to_vec()),
                SubmitStep::Pause(MENU_PAUSE),
                SubmitStep::Write(b"\r".to_vec()),
            ];
        }
        vec![SubmitStep::Write(pasted(text, b"\r"))]
    }

    fn watch(&self, signals: &Signals<'_>) -> Option<StatusReport> {
        let asks = question_above(signals.bottom, QUESTIONS);
        let state = signals.osc7501.and_then(|payload| field(payload, "state"));
        match state {
            Some("working") => {
                return line_with(signals.bottom, &["Reconnecting..."])
                    .and_then(|line| report(Status::Retrying, StatusSource::Screen, line))
                    .or_else(|| report(Status::Working, StatusSource::Osc7501, "working"));
            }
            Some("blocked") => {
                return report(Status::NeedsYou, StatusSource::Osc7501, asks.unwrap_or("blocked".into()));
            }
            _ => {}
        }
        if let Some(asks) = asks {
            return report(Status::NeedsYou, StatusSource::Screen, asks);
        }
        if let Some(line) = line_with(signals.bottom, &["You've hit your usage limit"]) {
            return report(Status::Limited, StatusSource::Screen, line);
        }
        if let Some(word @ ("idle" | "done")) = state {
            return report(Status::Idle, StatusSource::Osc7501, word);
        }
        if signals.title.contains("Action Required") {
            return report(Status::NeedsYou, StatusSource::Title, signals.title);
        }
        if signals.title.starts_with(|c: char| ('\u{2800}'..='\u{28ff}').contains(&c)) {
            return report(Status::Working, StatusSource::Title, signals.title);
        }
        line_with(signals.bottom, &["esc to interrupt"])
            .and_then(|line| report(Status::Working, StatusSource::Screen, line))
            .or_else(|| {
                let line = line_with(signals.bottom, &["Ask Codex to do anything"])?;
                report(Status::Idle, StatusSource::Screen, line)
            })
    }

    fn change_model(&self, model: &str) -> ModelChange {
        ModelChange::Relaunch(format!(
            "Codex was stopped and its thread resumed with -m {model}: its /model lists its own catalogue only"
        ))
    }

    fn records(&self) -> (&'static str, &'static [&'static str]) {
        (overlay::DIR, overlay::SHARED)
    }

    fn sessions(&self, config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
        history::sessions(config_home, cwd)
    }

    fn running_session(&self, look: &Running<'_>) -> Option<String> {
        history::running(look)
    }

    fn transcript(&self, config_home: &Path, _cwd: &Path, session: &str) -> Option<Conversation> {
        history::transcript(config_home, session)
    }
}

/// Whether a session began under another provider than this launch's, so that the CLI would refuse to resume it.
fn other_provider(request: &LaunchRequest<'_>, session: &str) -> bool {
    let homes = [home(request.env), Some(request.pane_dir.join(overlay::DIR))];
    let began = homes.iter().flatten().find_map(|home| history::provider(home, session));
    began.is_some_and(|began| (began == overlay::PROVIDER) == (request.home == Home::Users))
}

/// A field of the JSON that the CLI puts into a header.
fn turn_metadata(request: &RequestFacts<'_>, key: &str) -> Option<String> {
    let metadata: Value = serde_json::from_str(&(request.header)("x-codex-turn-metadata")?).ok()?;
    metadata.get(key)?.as_str().map(str::to_owned)
}

/// `value` of `key=value` in a payload of fields joined by colons.
fn field<'a>(payload: &'a str, key: &str) -> Option<&'a str> {
    payload.split(':').find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
}
