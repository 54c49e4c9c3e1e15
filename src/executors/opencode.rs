//! OpenCode: its flags, its overlay, its requests and its screen.
//!
//! Must not know: the gateway's routing, panes on a screen.
mod history;
mod omo;
mod overlay;
#[cfg(test)]
mod tests;

use super::{
    AgentPlaces, Class, Executor, Home, LaunchPlan, LaunchRequest, ModelChange, NativeSession, OwnAgent,
    Package, RequestFacts, Running, SessionChoice, Signals, SubmitStep,
    agents::{chosen, first_of_each, in_json, in_markdown},
    launch::{pasted, plain_word, prompt_arg, scrub},
    overlay::{read_text, user_dir},
    screen::{line_with, report},
};
use crate::{
    handoff::Conversation,
    router::{Dialect, ExecutorId},
    state::{Effort, Permission, Status, StatusReport, StatusSource},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// Between a slash command and Enter its menu must settle.
const MENU_PAUSE: Duration = Duration::from_millis(400);
/// It draws a paste within some frames; an Enter that overtakes them would be a part of it.
const ENTER_PAUSE: Duration = Duration::from_millis(150);
/// Providers named in a login; more are counted.
const NAMED_LOGINS: usize = 3;

/// Questions that wait for the person, as they stand on the screen.
const QUESTIONS: &[&str] = &["△ Permission required", "△ Reject permission", "△ Always allow"];

/// The row of a question's answers.
const CHOICES: &[&str] = &["Allow once", "enter confirm", "enter submit"];

/// The foot of a dialog in which the model asks the person something.
const ASKING: &[&str] =
    &["enter submit  esc dismiss", "enter confirm  esc dismiss", "enter toggle  esc dismiss"];

/// Stands under the prompt box while a prompt can be typed.
const PROMPT_FOOT: &[&str] = &["ctrl+p commands"];
/// Stands in the empty prompt box of the first screen.
const EMPTY_BOX: &[&str] = &["Ask anything…", "Ask anything..."];
/// What its bar of work is drawn with.
const SPINNER: &[char] = &['■', '⬝'];
/// A part of the letters on the first screen.
const LOGO: &str = "█▀▀█ █▀▀█";

pub use omo::OhMyOpenCode;

/// The executor `opencode`.
pub struct OpenCode;

/// Where it keeps sessions and logins.
fn home(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let data = env.get("XDG_DATA_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let data = data.filter(|dir| dir.is_absolute()).or_else(|| user_dir(env, "", ".local/share"))?;
    Some(data.join("opencode"))
}

/// Flags and rules for how much it may do. Under `login`, `ask` leaves the user's own setting in force. The last rule
/// that matches wins, and a rule of the user's keeps its place when ours is merged into it: each set begins with all.
fn permission(request: &LaunchRequest<'_>, agent: Option<&str>, plan: &mut LaunchPlan) {
    let reads = ["read", "list", "glob", "grep", "lsp", "todowrite", "todoread", "question", "skill", "task"];
    let with_reads = |rest: &str| {
        let mut rules = serde_json::Map::new();
        rules.insert("*".into(), rest.into());
        rules.extend(reads.iter().map(|tool| ((*tool).to_owned(), Value::from("allow"))));
        rules
    };
    let rules: Value = match request.permission {
        Permission::Ask if request.home == Home::Users => return,
        Permission::Ask => with_reads("ask").into(),
        Permission::Edits => {
            let mut rules = with_reads("ask");
            rules.insert("edit".into(), "allow".into());
            rules.into()
        }
        Permission::Plan if let Some(agent) = agent => {
            plan.notes.push(format!(
                "plan: {agent} leads instead of OpenCode's plan agent; edits are denied to it"
            ));
            let mut rules = with_reads("ask");
            rules.insert("edit".into(), "deny".into());
            rules.into()
        }
        Permission::Plan => {
            plan.argv.push("--agent=plan".into());
            plan.notes.push(
                "plan: OpenCode starts its plan agent, which edits nothing and asks for commands".into(),
            );
            json!({ "bash": "ask" })
        }
        Permission::Readonly => {
            plan.notes.push("readonly: OpenCode is denied every tool that is not known to only read".into());
            with_reads("deny").into()
        }
        Permission::Full => {
            plan.argv.push("--auto".into());
            return;
        }
    };
    plan.env_set.insert("OPENCODE_PERMISSION".into(), rules.to_string());
}

impl Executor for OpenCode {
    fn id(&self) -> ExecutorId {
        ExecutorId::OPENCODE
    }

    fn title(&self) -> &'static str {
        "OpenCode"
    }

    fn program(&self) -> &'static str {
        "opencode"
    }

    fn dialect(&self) -> Dialect {
        Dialect::Gemini
    }

    fn package(&self) -> Option<Package> {
        Some(Package {
            name: "opencode-ai",
            version: "1.18.33",
            binaries: &[
                "node_modules/opencode-linux-x64/bin/opencode",
                "node_modules/opencode-linux-x64-baseline/bin/opencode",
                "node_modules/opencode-linux-arm64/bin/opencode",
                "node_modules/opencode-linux-x64-musl/bin/opencode",
                "node_modules/opencode-linux-x64-baseline-musl/bin/opencode",
                "node_modules/opencode-linux-arm64-musl/bin/opencode",
                "node_modules/opencode-darwin-arm64/bin/opencode",
                "node_modules/opencode-darwin-x64/bin/opencode",
                "node_modules/opencode-darwin-x64-baseline/bin/opencode",
                // Where its own installer puts it below the home that it is given.
                ".opencode/bin/opencode",
            ],
            size_mb: 354,
            node: None,
        })
    }

    fn vendor_script(&self) -> Option<&'static str> {
        Some("https://opencode.ai/install")
    }

    fn flags(&self) -> &'static [&'static str] {
        &["--model", "--session", "--prompt", "--agent"]
    }

    /// The providers that it holds a login or a key for.
    fn login(&self, env: &BTreeMap<String, String>) -> Option<String> {
        let text = match env.get("OPENCODE_AUTH_CONTENT").filter(|text| !text.is_empty()) {
            Some(text) => text.clone(),
            None => read_text(&home(env)?.join("auth.json"))?,
        };
        let stored: Value = serde_json::from_str(&text).ok()?;
        let filled = |entry: &Value| {
            ["access", "refresh", "key", "token"]
                .iter()
                .any(|field| entry[*field].as_str().is_some_and(|t| !t.is_empty()))
        };
        let names: Vec<&str> =
            stored.as_object()?.iter().filter(|(_, e)| filled(e)).map(|(n, _)| n.as_str()).collect();
        let shown = names.iter().take(NAMED_LOGINS).copied().collect::<Vec<_>>().join(", ");
        match names.len() {
            0 => None,
            n if n > NAMED_LOGINS => Some(format!("{shown} and {} more", n - NAMED_LOGINS)),
            _ => Some(shown),
        }
    }

    fn users_home(&self, env: &BTreeMap<String, String>) -> Option<PathBuf> {
        home(env)
    }

    /// Those of the workspace and the user's that are no sub-agents, and the two that it brings along.
    fn agents(&self, places: &AgentPlaces<'_>) -> Result<Vec<OwnAgent>, String> {
        let leads = |mode: Option<&str>| mode != Some("subagent");
        let mut found = Vec::new();
        let users = overlay::config_dir(places.env);
        let dirs = |dir: &Path| ["agent", "agents"].map(|name| dir.join(name));
        let own: Vec<PathBuf> = places.up(".opencode").iter().flat_map(|dir| dirs(dir)).collect();
        let keep = |head: &BTreeMap<String, String>| leads(head.get("mode").map(String::as_str));
        found.extend(in_markdown(&own, false, keep));
        let listed = |file: &Path, of_user| {
            let keep = |how: &Value| leads(how["mode"].as_str()) && how["disable"] != true;
            in_json(file, of_user, |settings| settings.get("agent"), keep)
        };
        for dir in places.up("") {
            for name in ["opencode.json", "opencode.jsonc"] {
                found.extend(listed(&dir.join(name), false));
            }
        }
        if let Some(dir) = &users {
            found.extend(in_markdown(&dirs(dir), true, keep));
            for name in overlay::SETTINGS {
                found.extend(listed(&dir.join(name), true));
            }
        }
        let off = |agent: &str| {
            let files = places.up("").into_iter().chain(users.clone());
            let files = files.flat_map(|dir| overlay::SETTINGS.map(|name| dir.join(name)));
            let disabled = |how: &Value| how["disable"] == true;
            files.into_iter().any(|file| {
                in_json(&file, true, |settings| settings.get("agent"), disabled)
                    .iter()
                    .any(|off| off.name == agent)
            })
        };
        let brought = [("build", "works with all tools"), ("plan", "edits nothing, asks before commands")];
        found.extend(brought.into_iter().filter(|(name, _)| !off(name)).map(|(name, about)| OwnAgent {
            name: name.into(),
            about: about.into(),
            ..OwnAgent::default()
        }));
        found.extend(omo::agents(places));
        Ok(first_of_each(found))
    }

    fn launch(&self, request: &LaunchRequest<'_>) -> Result<LaunchPlan, String> {
        let mut plan =
            LaunchPlan { argv: vec![request.binary.display().to_string()], ..LaunchPlan::default() };
        scrub(&mut plan, request.env, request.home == Home::Users);
        let provider = match request.home {
            Home::Users => {
                plan.config_home =
                    home(request.env).ok_or("HOME is not set: OpenCode has no home to run in")?;
                ""
            }
            Home::Overlay { inherit_user } => {
                overlay::furnish(request, &mut plan, inherit_user)?;
                overlay::PROVIDER
            }
            Home::Empty => {
                overlay::furnish(request, &mut plan, false)?;
                overlay::PROVIDER
            }
        };
        let agent = chosen(self, request, &mut plan)?;
        permission(request, agent, &mut plan);
        if let Some(agent) = agent {
            let agent = omo::lead(request, agent, &mut plan);
            plan.argv.push(format!("--agent={agent}"));
        }
        if let Some(model) = &request.route.wire_model {
            let model = plain_word("model", model)?;
            // The account's own models come with their provider's name.
            plan.argv.push(if provider.is_empty() {
                format!("--model={model}")
            } else {
                format!("--model={provider}/{model}")
            });
        }
        match request.effort {
            // Our provider's models carry it in their options.
            Some(Effort::Max)
                if request.home != Home::Users && request.route.harness_dialect == Dialect::Gemini =>
            {
                plan.notes.push("effort max: Gemini's models know none above high".into());
            }
            Some(effort) if request.home == Home::Users => {
                let word = effort.as_str();
                plan.notes.push(format!(
                    "effort {word}: on its own login OpenCode has no flag for it; Ctrl-t in it chooses a variant"
                ));
            }
            _ => {}
        }
        if let SessionChoice::Resume(id) = &request.session {
            plan.argv.push(format!("--session={}", plain_word("session", id)?));
            plan.session = Some(id.clone());
        }
        // Beside a session that goes on, the flag is not heard: then it is typed.
        let fresh = matches!(request.session, SessionChoice::New(_));
        if let Some(prompt) = prompt_arg(request, &mut plan).filter(|_| fresh) {
            plan.argv.push(format!("--prompt={prompt}"));
            plan.prompt_delivered = true;
        }
        Ok(plan)
    }

    fn hold_version(&self, plan: &mut LaunchPlan) {
        plan.env_set.insert("OPENCODE_DISABLE_AUTOUPDATE".into(), "1".into());
    }

    /// A title carries no tools; a sub-agent's request names the session that it belongs to.
    fn classify(&self, request: &RequestFacts<'_>) -> Class {
        let tools = request.body.get("tools").and_then(Value::as_array).is_some_and(|t| !t.is_empty());
        match (tools, (request.header)("x-parent-session-id")) {
            (false, _) => Class::Side,
            (true, Some(_)) => Class::Subagent,
            (true, None) => Class::Main,
        }
    }

    fn session_of(&self, request: &RequestFacts<'_>) -> Option<String> {
        (request.header)("x-session-id")
    }

    /// A bracketed paste, a moment, Enter: typed line breaks would submit each line. A slash command is typed, so that
    /// its menu opens.
    fn submit(&self, text: &str) -> Vec<SubmitStep> {
        let command = text.starts_with('/') && !text.contains('\n');
        let (typed, pause) =
            if command { (text.as_bytes().to_vec(), MENU_PAUSE) } else { (pasted(text, b""), ENTER_PAUSE) };
        vec![SubmitStep::Write(typed), SubmitStep::Pause(pause), SubmitStep::Write(b"\r".to_vec())]
    }

    fn watch(&self, signals: &Signals<'_>) -> Option<StatusReport> {
        let bottom = signals.bottom;
        if let Some(at) = bottom.iter().rposition(|line| QUESTIONS.iter().any(|mark| line.contains(mark))) {
            return report(Status::NeedsYou, StatusSource::Screen, asked(&bottom[at..]));
        }
        if let Some(foot) = bottom.iter().rposition(|line| ASKING.iter().any(|mark| line.contains(mark))) {
            return report(Status::NeedsYou, StatusSource::Screen, asked_above(&bottom[..foot]));
        }
        if let Some(line) = line_with(bottom, &["[retrying "]) {
            let said = line.trim_start_matches(|c: char| c.is_whitespace() || SPINNER.contains(&c));
            let end = said.find("esc ").unwrap_or(said.len());
            let said = said[..end].trim_end();
            // It waits for the end of a limit as for any other failure, only longer.
            let waits = said.rsplit("retrying in ").next().unwrap_or_default();
            let long = waits
                .split_whitespace()
                .any(|word| word.strip_suffix(['h', 'd']).is_some_and(|n| n.parse::<u32>().is_ok()));
            let status = if long { Status::Limited } else { Status::Retrying };
            return report(status, StatusSource::Screen, said);
        }
        if line_with(bottom, &["esc interrupt", "esc again to interrupt"]).is_some() {
            return report(Status::Working, StatusSource::Screen, "esc interrupts");
        }
        // A first prompt that was given as an argument stands in the box for a moment before it is submitted: what was
        // typed then would be added to it.
        let prefilled = line_with(bottom, &[LOGO]).is_some() && line_with(bottom, EMPTY_BOX).is_none();
        line_with(bottom, PROMPT_FOOT).filter(|_| !prefilled)?;
        report(Status::Idle, StatusSource::Screen, "takes a prompt")
    }

    fn change_model(&self, model: &str) -> ModelChange {
        ModelChange::Relaunch(format!(
            "OpenCode was stopped and its session continued with --model {model}: its /models remembers a choice for \
             every session"
        ))
    }

    fn records(&self) -> (&'static str, &'static [&'static str]) {
        ("opencode", overlay::RECORDS)
    }

    fn sessions(&self, config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
        history::sessions(config_home, cwd)
    }

    /// The newest one that was written since the launch and is no other pane's: its database does not say which process
    /// is in which session.
    fn running_session(&self, look: &Running<'_>) -> Option<String> {
        let listed = history::sessions(look.config_home, look.cwd).into_iter();
        listed.filter(|s| s.modified >= look.since && !look.taken.contains(&s.id)).map(|s| s.id).next()
    }

    fn transcript(&self, config_home: &Path, _cwd: &Path, session: &str) -> Option<Conversation> {
        history::transcript(config_home, session)
    }
}

/// A line of a box without its edge.
fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || "┃╹▀".contains(c))
}

/// What a dialog asks: its lines down to the choices.
fn asked(lines: &[String]) -> String {
    let said =
        lines.iter().map(|line| bare(line)).take_while(|line| !CHOICES.iter().any(|c| line.contains(c)));
    said.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// The first line of the box above a dialog's foot.
fn asked_above(lines: &[String]) -> String {
    let from = lines.iter().rposition(|line| !line.trim_start().starts_with('┃')).map_or(0, |at| at + 1);
    let first = lines[from..].iter().map(|line| bare(line)).find(|line| !line.is_empty());
    first.unwrap_or("it asks something").to_owned()
}
