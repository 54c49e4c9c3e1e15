//! Claude Code: its flags, its overlay, its requests and its state file.
//!
//! Must not know: the gateway's routing, panes on a screen.
mod equip;
mod history;
mod overlay;
#[cfg(test)]
mod tests;

use super::{
    AgentPlaces, Class, Executor, Home, LaunchPlan, LaunchRequest, ModelChange, NativeSession, OwnAgent,
    Package, RequestFacts, Running, SessionChoice, Signals, SubmitStep,
    agents::{chosen, first_of_each, in_markdown},
    launch::{plain_word, prompt_arg, scrub},
    overlay::{read_text, user_dir},
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
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Between a slash command and Enter the completion menu must settle; measured at 0.6 s.
const MENU_PAUSE: Duration = Duration::from_millis(700);
/// Files of running sessions looked at when the pane's own process is only a wrapper of the CLI.
const MAX_STATE_FILES: usize = 64;
/// A wrapper script and a package manager's shim stand at most this far above the CLI.
const MAX_WRAPPERS: usize = 4;

/// Questions that wait for the person, as they stand on the screen.
const QUESTIONS: &[&str] = &[
    "Do you want to ",
    "Would you like to proceed",
    "Is this a project you created or one you trust",
    "Auto mode can't check actions",
    "running in Bypass Permissions mode",
    "Do you want to use this API key",
    "Select login method",
    "New MCP server",
];

/// The executor `claude`.
pub struct Claude;

/// The user's configuration directory.
fn home(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    user_dir(env, "CLAUDE_CONFIG_DIR", ".claude")
}

/// Flags for how much it may do. Under `login`, `ask` leaves the user's own setting in force.
fn permission(request: &LaunchRequest<'_>, plan: &mut LaunchPlan) {
    let mode = match request.permission {
        Permission::Ask if request.home == Home::Users => return,
        Permission::Ask => "default",
        Permission::Edits => "acceptEdits",
        Permission::Plan => "plan",
        Permission::Full => "bypassPermissions",
        Permission::Readonly => "dontAsk",
    };
    plan.argv.extend(["--permission-mode".into(), mode.into()]);
    match request.permission {
        Permission::Readonly => {
            plan.argv.push("--disallowedTools=Bash,Edit,Write,NotebookEdit".into());
            plan.notes.push("readonly: Claude Code runs without Bash and without its editing tools".into());
        }
        // As root it refuses to start without this word that its surroundings are disposable.
        Permission::Full if rustix::process::geteuid().is_root() => {
            plan.env_set.insert("IS_SANDBOX".into(), "1".into());
            plan.notes.push("full as root: IS_SANDBOX=1 is set, or Claude Code would refuse to start".into());
        }
        _ => {}
    }
}

impl Executor for Claude {
    fn id(&self) -> ExecutorId {
        ExecutorId::CLAUDE
    }

    fn title(&self) -> &'static str {
        "Claude Code"
    }

    fn program(&self) -> &'static str {
        "claude"
    }

    fn dialect(&self) -> Dialect {
        Dialect::Messages
    }

    fn package(&self) -> Option<Package> {
        Some(Package {
            name: "@anthropic-ai/claude-code",
            version: "2.1.328",
            binaries: &[
                "node_modules/@anthropic-ai/claude-code-linux-x64/claude",
                "node_modules/@anthropic-ai/claude-code-linux-arm64/claude",
                "node_modules/@anthropic-ai/claude-code-darwin-arm64/claude",
                "node_modules/@anthropic-ai/claude-code-darwin-x64/claude",
                "node_modules/@anthropic-ai/claude-code-linux-x64-musl/claude",
                "node_modules/@anthropic-ai/claude-code-linux-arm64-musl/claude",
                "node_modules/.bin/claude",
            ],
            size_mb: 357,
            node: None,
        })
    }

    fn flags(&self) -> &'static [&'static str] {
        &["--session-id", "--settings", "--permission-mode", "--resume"]
    }

    fn login(&self, env: &BTreeMap<String, String>) -> Option<String> {
        let text = home(env).and_then(|dir| read_text(&dir.join(".credentials.json")));
        let stored: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
        if let Some(oauth) = stored.as_ref().and_then(|v| v.get("claudeAiOauth"))
            && oauth.get("accessToken").and_then(Value::as_str).is_some_and(|t| !t.is_empty())
        {
            let plan = oauth.get("subscriptionType").and_then(Value::as_str).unwrap_or_default();
            let mut letters = plan.chars();
            return Some(match letters.next() {
                Some(first) => format!("Claude {}{}", first.to_uppercase(), letters.as_str()),
                None => "logged in".into(),
            });
        }
        let token = env.get("CLAUDE_CODE_OAUTH_TOKEN").is_some_and(|t| !t.is_empty());
        token.then(|| "token in CLAUDE_CODE_OAUTH_TOKEN".into())
    }

    fn login_ends(&self, env: &BTreeMap<String, String>) -> Option<i64> {
        let text = read_text(&home(env)?.join(".credentials.json"))?;
        let stored: Value = serde_json::from_str(&text).ok()?;
        let oauth = stored.get("claudeAiOauth")?;
        let renews = oauth["refreshToken"].as_str().is_some_and(|token| !token.is_empty());
        if renews { oauth["refreshTokenExpiresAt"].as_i64() } else { oauth["expiresAt"].as_i64() }
    }

    fn login_arguments(&self) -> Option<&'static [&'static str]> {
        Some(&["auth", "login"])
    }

    fn users_home(&self, env: &BTreeMap<String, String>) -> Option<PathBuf> {
        home(env)
    }

    /// Those of the workspace win over the user's of the same name.
    fn agents(&self, places: &AgentPlaces<'_>) -> Result<Vec<OwnAgent>, String> {
        let users = home(places.env).map(|dir| dir.join("agents"));
        let own = in_markdown(&places.up(".claude/agents"), false, |_| true);
        let users = in_markdown(users.as_slice(), true, |_| true);
        Ok(first_of_each(own.into_iter().chain(users)))
    }

    fn launch(&self, request: &LaunchRequest<'_>) -> Result<LaunchPlan, String> {
        let mut plan =
            LaunchPlan { argv: vec![request.binary.display().to_string()], ..LaunchPlan::default() };
        scrub(&mut plan, request.env, request.home == Home::Users);
        match request.home {
            Home::Users => {
                plan.config_home =
                    home(request.env).ok_or("HOME is not set: Claude Code has no home to run in")?;
            }
            Home::Overlay { inherit_user } => overlay::furnish(request, &mut plan, inherit_user)?,
            Home::Empty => overlay::furnish(request, &mut plan, false)?,
        }
        equip::equip(request, &mut plan);
        permission(request, &mut plan);
        if let Some(model) = &request.route.wire_model {
            plan.argv.extend(["--model".into(), plain_word("model", model)?.into()]);
        }
        if let Some(effort) = request.effort {
            plan.argv.extend(["--effort".into(), effort.as_str().into()]);
        }
        if let Some(agent) = chosen(self, request, &mut plan)? {
            plan.argv.extend(["--agent".into(), agent.into()]);
        }
        match &request.session {
            SessionChoice::New(id) => {
                plan.argv.extend(["--session-id".into(), id.to_string()]);
                plan.session = Some(id.to_string());
            }
            SessionChoice::Resume(id) => {
                plan.argv.extend(["--resume".into(), plain_word("session", id)?.into()]);
                plan.session = Some(id.clone());
            }
        }
        if let Some(prompt) = prompt_arg(request, &mut plan) {
            plan.argv.extend(["--".into(), prompt.into()]);
            plan.prompt_delivered = true;
        }
        Ok(plan)
    }

    fn hold_version(&self, plan: &mut LaunchPlan) {
        plan.env_set.insert("DISABLE_AUTOUPDATER".into(), "1".into());
    }

    /// Probes, titles and the safety check carry no tools; a sub-agent names itself in a header.
    fn classify(&self, request: &RequestFacts<'_>) -> Class {
        let path = request.path.split('?').next().unwrap_or_default();
        let tools = request.body.get("tools").and_then(Value::as_array).is_some_and(|t| !t.is_empty());
        if !path.ends_with("/messages") || !tools || request.body["max_tokens"] == 1 {
            return Class::Side;
        }
        let subagent = (request.header)("x-claude-code-agent-id").is_some();
        if subagent { Class::Subagent } else { Class::Main }
    }

    fn session_of(&self, request: &RequestFacts<'_>) -> Option<String> {
        (request.header)("x-claude-code-session-id")
    }

    /// A bracketed paste and Enter in one write; plain text of 80 bytes would swallow the Enter. A slash command
    /// is typed, so that its menu opens.
    fn submit(&self, text: &str) -> Vec<SubmitStep> {
        if text.starts_with('/') && !text.contains('\n') {
            return vec![
                SubmitStep::Write(text.as_bytes().to_vec()),
                SubmitStep::Pause(MENU_PAUSE),
                SubmitStep::Write(b"\r".to_vec()),
            ];
        }
        vec![SubmitStep::Write(super::launch::pasted(text, b"\r"))]
    }

    fn watch(&self, signals: &Signals<'_>) -> Option<StatusReport> {
        if let Some(line) = line_with(signals.bottom, &["retrying in "]) {
            return report(Status::Retrying, StatusSource::Screen, line);
        }
        let asks = question(signals.bottom, QUESTIONS);
        if let Some((word, waiting)) = state_file(signals) {
            return match word.as_str() {
                "busy" => report(Status::Working, StatusSource::StateFile, "busy"),
                "waiting" => report(Status::NeedsYou, StatusSource::StateFile, asks.unwrap_or(waiting)),
                _ if asks.is_some() => {
                    report(Status::NeedsYou, StatusSource::Screen, asks.unwrap_or_default())
                }
                _ => limited(signals.bottom)
                    .or_else(|| report(Status::Idle, StatusSource::StateFile, word.as_str())),
            };
        }
        if let Some(asks) = asks {
            return report(Status::NeedsYou, StatusSource::Screen, asks);
        }
        match signals.title.chars().next() {
            Some('◐' | '◓' | '◑' | '◒' | '⠂' | '⠐') => {
                return report(Status::Working, StatusSource::Title, signals.title);
            }
            Some('✳') => {
                return limited(signals.bottom)
                    .or_else(|| report(Status::Idle, StatusSource::Title, signals.title));
            }
            _ => {}
        }
        line_with(signals.bottom, &["esc to interrupt"])
            .and_then(|line| report(Status::Working, StatusSource::Screen, line))
            .or_else(|| limited(signals.bottom))
    }

    fn change_model(&self, model: &str) -> ModelChange {
        ModelChange::Relaunch(format!(
            "Claude Code was stopped and resumed with --model {model}: typing /model would change your default for \
             new sessions"
        ))
    }

    fn records(&self) -> (&'static str, &'static [&'static str]) {
        ("claude", overlay::SHARED)
    }

    fn sessions(&self, config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
        history::sessions(config_home, cwd)
    }

    /// Its state file says so, also after the person resumed or cleared a session inside it.
    fn running_session(&self, look: &Running<'_>) -> Option<String> {
        state_of(look.config_home, look.pid?)?.get("sessionId")?.as_str().map(str::to_owned)
    }

    fn transcript(&self, config_home: &Path, cwd: &Path, session: &str) -> Option<Conversation> {
        history::transcript(config_home, cwd, session)
    }
}

fn limited(bottom: &[String]) -> Option<StatusReport> {
    let line = line_with(bottom, &["You've hit your", "Usage limit reached"])?;
    report(Status::Limited, StatusSource::Screen, line)
}

/// The CLI's own word for its state, and for what it waits.
fn state_file(signals: &Signals<'_>) -> Option<(String, String)> {
    let value = state_of(signals.config_home?, signals.pid?)?;
    let word = value.get("status")?.as_str()?.to_owned();
    let waiting = value.get("waitingFor").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some((word, waiting))
}

/// What the CLI keeps about its running process.
fn state_of(config_home: &Path, pid: i32) -> Option<Value> {
    let dir = config_home.join("sessions");
    let own = dir.join(format!("{pid}.json"));
    let path = if own.exists() { own } else { wrapped(&dir, pid)? };
    serde_json::from_str(&read_text(&path)?).ok()
}

/// The state file of a process that the pane's first process started, when that one is a wrapper.
fn wrapped(dir: &Path, pid: i32) -> Option<PathBuf> {
    fs::read_dir(dir).ok()?.flatten().take(MAX_STATE_FILES).map(|e| e.path()).find(|path| {
        let stem = path.file_stem().and_then(|s| s.to_str()?.parse::<i32>().ok());
        let parents = std::iter::successors(stem, |p| parent(*p)).skip(1);
        path.extension().is_some_and(|e| e == "json") && parents.take(MAX_WRAPPERS).any(|p| p == pid)
    })
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}
