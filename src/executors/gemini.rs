//! Gemini CLI: its flags, its overlay, its requests and its title.
//!
//! Must not know: the gateway's routing, panes on a screen.
mod history;
mod overlay;
#[cfg(test)]
mod tests;

use super::{
    Class, Executor, Home, LaunchPlan, LaunchRequest, ModelChange, NativeSession, Package, RequestFacts,
    SessionChoice, Signals, SubmitStep,
    agents::chosen,
    launch::{pasted, plain_word, prompt_arg, scrub},
    overlay::{plain_json, read_text, user_dir},
    screen::{line_with, question, report},
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

/// Enter in the same write, or sooner than 100 ms after the text, only breaks the line.
const ENTER_PAUSE: Duration = Duration::from_millis(200);
/// While it starts, or on a busy machine, it may take this long to take in a text. An Enter that overtakes the text is
/// swallowed: the prompt line is still empty then.
const ECHO_WAIT: Duration = Duration::from_secs(4);
/// After so long a turn that an Enter began is seen. While a session is being resumed the prompt line shows the text
/// and still takes no Enter.
const AGAIN: Duration = Duration::from_millis(1_500);
/// Characters at a text's end by which it is recognised on the screen.
const RECOGNISED: usize = 16;
/// A paste of more lines or characters than this is shown as a placeholder.
const SHOWN_LINES: usize = 5;
const SHOWN_CHARS: usize = 500;

/// Questions that wait for the person, as they stand on the screen.
const QUESTIONS: &[&str] = &[
    "Allow execution of",
    "Apply this change?",
    "Do you trust the files in this folder?",
    "How would you like to authenticate",
    "Enter Gemini API Key",
];

/// The tool with which a sub-agent, and nobody else, hands in its result.
const REPORT_TOOL: &str = "complete_task";

/// Resuming leaves a second file that holds no talk, and the cleanup of the next start removes every file of such a
/// session. In the user's own home the setting that prevents it is theirs.
const RETENTION_NOTE: &str = "Gemini CLI may remove a resumed session when it next starts in this directory: \
     general.sessionRetention.enabled = false in its settings prevents that";

/// Its updater runs `npm install -g`, also from an installation that is not global.
const UPDATE_NOTE: &str = "Gemini CLI may install a newer version of itself for the whole machine: \
     general.enableAutoUpdate = false in its settings prevents that";

/// What the vendor answers a person whose account this CLI is no longer served for.
const UNSERVED: &[&str] = &[
    "no longer supported for Gemini Code Assist for individuals",
    "IneligibleTierError",
    "UNSUPPORTED_CLIENT",
];

/// What such a person can do.
const UNSERVED_NOTE: &str = "Google serves this CLI to personal accounts no longer (since 18 June 2026): use a Gemini API \
     key (`gemini = \"env:GEMINI_API_KEY\"` under [byok] in config.toml), a Workspace or enterprise account, or another \
     executor; for personal accounts Google has the Antigravity CLI, `agy`";

/// The executor `gemini`.
pub struct Gemini;

/// The user's `.gemini`.
fn home(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    user_dir(env, "GEMINI_CLI_HOME", "").map(|home| home.join(".gemini"))
}

/// Flags for how much it may do. Under `login`, `ask` leaves the user's own setting in force.
fn permission(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    let mode = match request.permission {
        Permission::Ask if request.home == Home::Users => return,
        Permission::Ask => "default",
        Permission::Edits => "auto_edit",
        Permission::Plan => "plan",
        Permission::Full => "yolo",
        Permission::Readonly => {
            plan.notes
                .push("readonly: Gemini CLI starts in plan mode, which writes nothing but its plan".into());
            "plan"
        }
    };
    plan.argv.push(format!("--approval-mode={mode}"));
}

impl Executor for Gemini {
    fn id(&self) -> ExecutorId {
        ExecutorId::GEMINI
    }

    fn title(&self) -> &'static str {
        "Gemini CLI"
    }

    fn program(&self) -> &'static str {
        "gemini"
    }

    fn dialect(&self) -> Dialect {
        Dialect::Gemini
    }

    fn package(&self) -> Option<Package> {
        Some(Package {
            name: "@google/gemini-cli",
            version: "0.61.0",
            binaries: &["node_modules/.bin/gemini"],
            size_mb: 100,
            node: Some(20),
        })
    }

    fn flags(&self) -> &'static [&'static str] {
        &["--session-id", "--approval-mode", "--prompt-interactive", "--resume"]
    }

    fn login(&self, env: &BTreeMap<String, String>) -> Option<String> {
        let dir = home(env)?;
        let stored: Value = serde_json::from_str(&read_text(&dir.join("oauth_creds.json"))?).ok()?;
        let filled = |key: &str| stored.get(key).and_then(Value::as_str).is_some_and(|t| !t.is_empty());
        (filled("refresh_token") || filled("access_token")).then(|| "Google account".into())
    }

    fn users_home(&self, env: &BTreeMap<String, String>) -> Option<PathBuf> {
        home(env)
    }

    fn launch(&self, request: &LaunchRequest<'_>) -> Result<LaunchPlan, String> {
        let mut plan =
            LaunchPlan { argv: vec![request.binary.display().to_string()], ..LaunchPlan::default() };
        scrub(&mut plan, request.env, request.home == Home::Users);
        match request.home {
            Home::Users => {
                plan.config_home =
                    home(request.env).ok_or("HOME is not set: Gemini CLI has no home to run in")?;
                if matches!(request.session, SessionChoice::Resume(_)) {
                    plan.notes.push(RETENTION_NOTE.into());
                }
                if self.login(request.env).is_some() {
                    plan.notes.push(format!("if it refuses your account: {UNSERVED_NOTE}"));
                }
            }
            Home::Overlay { inherit_user } => overlay::furnish(request, &mut plan, inherit_user)?,
            Home::Empty => overlay::furnish(request, &mut plan, false)?,
        }
        permission(request, &mut plan);
        if let Some(model) = &request.route.wire_model {
            plan.argv.push(format!("--model={}", plain_word("model", model)?));
            if model.starts_with("auto") {
                plan.notes.push(format!(
                    "{model}: Gemini CLI chooses the model of each turn; the served one is shown"
                ));
            }
        }
        chosen(self, request, &mut plan)?;
        if let Some(effort) = request.effort {
            plan.notes.push(format!("effort {}: Gemini CLI has no flag for it", effort.as_str()));
        }
        let id = match &request.session {
            SessionChoice::New(id) => {
                plan.argv.push(format!("--session-id={id}"));
                id.to_string()
            }
            SessionChoice::Resume(id) => {
                plan.argv.push(format!("--resume={}", plain_word("session", id)?));
                id.clone()
            }
        };
        plan.session = Some(id);
        if let Some(prompt) = prompt_arg(request, &mut plan) {
            plan.argv.push(format!("--prompt-interactive={prompt}"));
            plan.prompt_delivered = true;
        }
        Ok(plan)
    }

    /// In a home of ours a setting does it; in the user's own there is no variable or flag for it.
    fn hold_version(&self, plan: &mut LaunchPlan) {
        if plan.env_set.contains_key("GEMINI_CLI_HOME") {
            return;
        }
        let settings = read_text(&plan.config_home.join("settings.json")).unwrap_or_default();
        let settings: Value = serde_json::from_str(&plain_json(&settings)).unwrap_or_default();
        if settings.pointer("/general/enableAutoUpdate") != Some(&Value::Bool(false)) {
            plan.notes.push(UPDATE_NOTE.into());
        }
    }

    /// The conversation streams and offers tools; the router, summaries and token counts do not. A sub-agent is told
    /// by its tools, for no header names it.
    fn classify(&self, request: &RequestFacts<'_>) -> Class {
        let path = request.path.split('?').next().unwrap_or_default();
        let groups = request.body.get("tools").and_then(Value::as_array).into_iter().flatten();
        let mut tools =
            groups.flat_map(|g| g["functionDeclarations"].as_array().into_iter().flatten()).peekable();
        if !path.ends_with(":streamGenerateContent") || tools.peek().is_none() {
            return Class::Side;
        }
        if tools.any(|tool| tool["name"] == REPORT_TOOL) { Class::Subagent } else { Class::Main }
    }

    /// A paste, a pause, Enter. Typed text loses characters that are keys of the empty prompt line (`?` opens the
    /// shortcuts, wherever it stands in a burst), and each line break would submit. A slash command is typed.
    fn submit(&self, text: &str) -> Vec<SubmitStep> {
        let command = text.starts_with('/') && !text.contains(['\n', '\r']);
        let typed = if command { text.as_bytes().to_vec() } else { pasted(text, b"") };
        vec![
            SubmitStep::Write(typed),
            SubmitStep::Shown(shown(text), ECHO_WAIT),
            SubmitStep::Pause(ENTER_PAUSE),
            SubmitStep::Write(b"\r".to_vec()),
            SubmitStep::Again(b"\r".to_vec(), AGAIN, shown(text)),
        ]
    }

    fn watch(&self, signals: &Signals<'_>) -> Option<StatusReport> {
        if line_with(signals.bottom, UNSERVED).is_some() {
            return report(Status::NeedsYou, StatusSource::Screen, UNSERVED_NOTE);
        }
        // Its title goes on saying "Working" while this dialog waits.
        if let Some(line) = line_with(signals.bottom, &["Usage limit reached for"]) {
            return report(Status::Limited, StatusSource::Screen, line.trim_matches(['│', ' ']));
        }
        let asks = question(signals.bottom, QUESTIONS);
        match signals.title.trim_start().chars().next() {
            Some('✋') => {
                return report(
                    Status::NeedsYou,
                    StatusSource::Title,
                    asks.unwrap_or(signals.title.trim().into()),
                );
            }
            Some('✦' | '⏲') => {
                return report(Status::Working, StatusSource::Title, signals.title.trim());
            }
            _ => {}
        }
        if let Some(asks) = asks {
            return report(Status::NeedsYou, StatusSource::Screen, asks);
        }
        if signals.title.trim_start().starts_with('◇') {
            return report(Status::Idle, StatusSource::Title, signals.title.trim());
        }
        line_with(signals.bottom, &["(esc to cancel"])
            .and_then(|line| report(Status::Working, StatusSource::Screen, line))
            .or_else(|| {
                let line = line_with(signals.bottom, &["Type your message or"])?;
                report(Status::Idle, StatusSource::Screen, line)
            })
    }

    fn change_model(&self, model: &str) -> ModelChange {
        ModelChange::Type(
            self.submit(&format!("/model set {model}")),
            format!("typed /model set {model} into Gemini CLI"),
        )
    }

    fn records(&self) -> (&'static str, &'static [&'static str]) {
        ("gemini/.gemini", overlay::SHARED)
    }

    fn sessions(&self, config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
        history::sessions(config_home, cwd)
    }

    fn transcript(&self, config_home: &Path, cwd: &Path, session: &str) -> Option<Conversation> {
        history::transcript(config_home, cwd, session)
    }
}

/// The words by which a text is recognised in the prompt line.
fn shown(text: &str) -> String {
    if text.split('\n').count() > SHOWN_LINES || text.chars().count() > SHOWN_CHARS {
        return "[Pasted Text:".into();
    }
    let mut end: Vec<char> = text.chars().rev().filter(|c| !c.is_whitespace()).take(RECOGNISED).collect();
    end.reverse();
    end.into_iter().collect()
}
