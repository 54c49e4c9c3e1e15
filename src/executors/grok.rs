//! Grok Build: its flags, its overlay, its requests and its screen.
//!
//! Must not know: the gateway's routing, panes on a screen.
mod history;
mod overlay;
#[cfg(test)]
mod tests;

use super::{
    Class, Executor, Home, LaunchPlan, LaunchRequest, ModelChange, NativeSession, Package, RequestFacts,
    Running, SessionChoice, Signals, SubmitStep,
    agents::chosen,
    launch::{pasted, plain_word, prompt_arg, scrub},
    overlay::{read_text, user_dir},
    screen::{line_with, report},
};
use crate::{
    handoff::Conversation,
    router::{Dialect, ExecutorId},
    state::{Effort, Permission, Status, StatusReport, StatusSource},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// Between a slash command and Enter its menu must settle.
const MENU_PAUSE: Duration = Duration::from_millis(400);
/// It draws a paste within some frames; an Enter that overtakes them would be a part of it.
const ENTER_PAUSE: Duration = Duration::from_millis(150);

/// Questions that wait for the person, as they stand on the screen, beside those that open a box of choices.
const QUESTIONS: &[&str] = &["Do you trust the contents of this directory?", "Login with Grok"];
/// Stands under a box of choices.
const CHOOSING: &[&str] = &["Ctrl+o:always-approve", ":select  │", "Tab:next answer", "Enter:submit"];
/// What the requests beside a conversation call the one tool that they may answer with.
const TITLE_TOOL: &str = "session_title";

/// A sub-agent waits with this tool for what it began, where the conversation itself is woken.
const WAITING_TOOL: &str = "wait_commands_or_subagents";
/// Hints how to choose, between a question and its choices.
const HINTS: &[&str] = &["narrow scope", "edit pattern"];

/// The executor `grok`.
pub struct Grok;

/// The user's configuration directory.
fn home(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    user_dir(env, "GROK_HOME", ".grok")
}

/// Flags for how much it may do. Under `login`, `ask` leaves the user's own setting in force.
fn permission(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    let mode = match request.permission {
        Permission::Ask if request.home == Home::Users => return,
        Permission::Ask => "default",
        Permission::Edits => "acceptEdits",
        Permission::Plan => {
            plan.notes.push(
                "plan: Grok Build asks before it runs anything; its own plan mode is Shift+Tab away".into(),
            );
            "plan"
        }
        Permission::Full => "bypassPermissions",
        Permission::Readonly => {
            let tools =
                "run_terminal_command,search_replace,write,spawn_subagent,scheduler_create,monitor,workflow";
            plan.argv.push(format!("--disallowed-tools={tools}"));
            plan.notes
                .push("readonly: Grok Build runs without its shell, its editing tools and sub-agents".into());
            "dontAsk"
        }
    };
    plan.argv.push(format!("--permission-mode={mode}"));
}

impl Executor for Grok {
    fn id(&self) -> ExecutorId {
        ExecutorId::GROK
    }

    fn title(&self) -> &'static str {
        "Grok Build"
    }

    fn program(&self) -> &'static str {
        "grok"
    }

    fn dialect(&self) -> Dialect {
        Dialect::Responses
    }

    fn package(&self) -> Option<Package> {
        Some(Package {
            name: "@xai-official/grok",
            version: "1.0.41",
            binaries: &[
                "node_modules/@xai-official/grok-linux-x64/bin/grok",
                "node_modules/@xai-official/grok-linux-arm64/bin/grok",
                "node_modules/@xai-official/grok-darwin-arm64/bin/grok",
                "node_modules/@xai-official/grok-darwin-x64/bin/grok",
            ],
            size_mb: 215,
            node: None,
        })
    }

    fn flags(&self) -> &'static [&'static str] {
        &["--session-id", "--permission-mode", "--resume"]
    }

    fn login(&self, env: &BTreeMap<String, String>) -> Option<String> {
        let stored: Value = serde_json::from_str(&read_text(&home(env)?.join("auth.json"))?).ok()?;
        let entries = stored.as_object()?.values();
        let account = entries.into_iter().find(|e| e["key"].as_str().is_some_and(|key| !key.is_empty()))?;
        Some(account["email"].as_str().filter(|e| !e.is_empty()).map_or("xAI account".into(), str::to_owned))
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
                    home(request.env).ok_or("HOME is not set: Grok Build has no home to run in")?;
            }
            Home::Overlay { inherit_user } => overlay::furnish(request, &mut plan, inherit_user)?,
            Home::Empty => overlay::furnish(request, &mut plan, false)?,
        }
        permission(request, &mut plan);
        if let Some(model) = &request.route.wire_model {
            plan.argv.push(format!("--model={}", plain_word("model", model)?));
        }
        chosen(self, request, &mut plan)?;
        if let Some(effort) = request.effort {
            if effort == Effort::Max {
                plan.notes.push("effort: Grok Build knows none above high".into());
            }
            let word = if effort == Effort::Max { Effort::High } else { effort }.as_str();
            plan.argv.push(format!("--reasoning-effort={word}"));
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
            plan.argv.extend(["--".into(), prompt.into()]);
            plan.prompt_delivered = true;
        }
        Ok(plan)
    }

    fn hold_version(&self, plan: &mut LaunchPlan) {
        plan.env_set.insert("GROK_DISABLE_AUTOUPDATER".into(), "1".into());
    }

    /// The conversation carries many tools; a title is asked for with the one that it must call, a summary of a turn
    /// names itself. A sub-agent has a session of its own, so no header tells it; its tools do.
    fn classify(&self, request: &RequestFacts<'_>) -> Class {
        let tools = request.body.get("tools").and_then(Value::as_array);
        let title = tools.is_some_and(|tools| tools.iter().all(|tool| name_of(tool) == Some(TITLE_TOOL)));
        let beside = (request.header)("x-grok-req-id").is_some_and(|id| id.starts_with("xai-"));
        if tools.is_none_or(Vec::is_empty) || title || beside {
            return Class::Side;
        }
        let subagent =
            tools.is_some_and(|tools| tools.iter().any(|tool| name_of(tool) == Some(WAITING_TOOL)));
        if subagent { Class::Subagent } else { Class::Main }
    }

    fn session_of(&self, request: &RequestFacts<'_>) -> Option<String> {
        (request.header)("x-grok-session-id")
    }

    /// A bracketed paste, a moment, Enter: typed line breaks would submit each line. A slash command is typed, so that
    /// its menu opens.
    fn submit(&self, text: &str) -> Vec<SubmitStep> {
        let command = text.starts_with('/') && !text.contains('\n');
        let (typed, pause) =
            if command { (text.as_bytes().to_vec(), MENU_PAUSE) } else { (pasted(text, b""), ENTER_PAUSE) };
        vec![SubmitStep::Write(typed), SubmitStep::Pause(pause), SubmitStep::Write(b"\r".to_vec())]
    }

    /// The screen, for its title goes on turning after a turn was cancelled or failed.
    fn watch(&self, signals: &Signals<'_>) -> Option<StatusReport> {
        let bottom = signals.bottom;
        if let Some(foot) = bottom.iter().rposition(|line| CHOOSING.iter().any(|mark| line.contains(mark))) {
            return report(Status::NeedsYou, StatusSource::Screen, asked_above(&bottom[..foot]));
        }
        if let Some(line) = line_with(bottom, QUESTIONS) {
            return report(Status::NeedsYou, StatusSource::Screen, line);
        }
        if let Some(line) = line_with(bottom, &["[stop]"]) {
            let retries = line.contains("| Retrying (");
            let status = if retries { Status::Retrying } else { Status::Working };
            return report(status, StatusSource::Screen, doing(line));
        }
        if line_with(bottom, &["Ctrl+c:cancel"]).is_some() {
            return report(Status::Working, StatusSource::Screen, "Ctrl-c cancels");
        }
        // What runs in the background wakes it for another turn.
        if let Some(line) = line_with(bottom, &[" still running"]).filter(|line| line.contains('◎')) {
            return report(Status::Working, StatusSource::Screen, line.trim_start_matches(['◎', ' ']));
        }
        line_with(bottom, &["Shift+Tab:mode", "Type a message..."])?;
        if let Some(line) = line_with(bottom, &["Retry failed:", "usage limit", "Usage limit"])
            && ["limit", "quota"].iter().any(|word| line.to_lowercase().contains(word))
        {
            return report(Status::Limited, StatusSource::Screen, bare(line));
        }
        report(Status::Idle, StatusSource::Screen, "takes a prompt")
    }

    fn change_model(&self, model: &str) -> ModelChange {
        ModelChange::Type(
            self.submit(&format!("/model {model}")),
            format!("typed /model {model} into Grok Build"),
        )
    }

    fn records(&self) -> (&'static str, &'static [&'static str]) {
        ("grok", overlay::SHARED)
    }

    fn sessions(&self, config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
        history::sessions(config_home, cwd)
    }

    /// It keeps a list of its running processes and their sessions.
    fn running_session(&self, look: &Running<'_>) -> Option<String> {
        history::running(look)
    }

    fn transcript(&self, config_home: &Path, cwd: &Path, session: &str) -> Option<Conversation> {
        history::transcript(config_home, cwd, session)
    }
}

/// The name of a tool as either of its dialects writes it.
fn name_of(tool: &Value) -> Option<&str> {
    tool["name"].as_str().or(tool["function"]["name"].as_str())
}

/// A line of a box without its edge.
fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || "┃│".contains(c))
}

/// What the line above the prompt box says of the work, without its spinner and its counters.
fn doing(line: &str) -> &str {
    let said = line.trim_start_matches(|c: char| c.is_whitespace() || ('\u{2800}'..='\u{28ff}').contains(&c));
    said.split("   ").next().unwrap_or(said).trim_start_matches(['◆', ' ']).trim_end()
}

/// What a box of choices asks: its lines down to the first choice, without the hint how to choose.
fn asked_above(lines: &[String]) -> String {
    let from = lines.iter().rposition(|line| !line.trim_start().starts_with('┃')).map_or(0, |at| at + 1);
    let said = lines[from..].iter().map(|line| bare(line)).take_while(|line| !line.starts_with("1 "));
    let said = said
        .filter(|line| !line.is_empty() && !HINTS.iter().any(|hint| line.contains(hint)))
        .collect::<Vec<_>>();
    if said.is_empty() { "it asks something".into() } else { said.join(" · ") }
}
