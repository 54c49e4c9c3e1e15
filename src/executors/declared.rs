//! Executors that the settings declare: command, dialect, variables, submit rule and status rules as data.
//!
//! Must not know: any one CLI's words, the gateway's routing, panes on a screen.
use super::{
    Class, Executor, Home, LaunchPlan, LaunchRequest, ModelChange, NativeSession, Package, RequestFacts,
    SessionChoice, Signals, SubmitStep,
    agents::chosen,
    launch::{bypass_proxy, pasted, plain_word, prompt_arg, scrub},
    screen::{line_with, report},
};
use crate::{
    config::{Declaration, Settings, Submit},
    handoff::Conversation,
    router::{Dialect, ExecutorId},
    state::{Permission, Status, StatusReport, StatusSource},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

/// Between a paste and Enter a program must have taken the paste in.
const ENTER_PAUSE: Duration = Duration::from_millis(200);
/// Statuses in the order in which their rules are asked: what waits for a person first, idle last.
const ORDER: &[(&str, Status)] = &[
    ("needs-you", Status::NeedsYou),
    ("limited", Status::Limited),
    ("retrying", Status::Retrying),
    ("working", Status::Working),
    ("idle", Status::Idle),
];
/// Before a text that is looked for in the window title.
const TITLE: &str = "title:";

static DECLARED: OnceLock<Vec<Declared>> = OnceLock::new();

/// Makes the executors of the settings known to this process. Settings are read once in a process's life, and so the
/// first call counts.
pub fn declare(settings: &Settings) {
    let all = settings.declared().map(|(id, found)| Declared { id: id.clone(), how: found.declared.clone() });
    let _ = DECLARED.set(all.collect());
}

/// The declared executors.
pub(super) fn all() -> impl Iterator<Item = &'static dyn Executor> {
    DECLARED.get().into_iter().flatten().map(|declared| declared as &dyn Executor)
}

/// One of them.
pub(super) struct Declared {
    id: ExecutorId,
    how: Declaration,
}

/// What stands for the braces of a template.
struct Values<'a> {
    request: &'a LaunchRequest<'a>,
    session: &'a str,
    prompt: &'a str,
}

impl Values<'_> {
    /// A template with its values. What the launch cannot know stays empty.
    fn fill(&self, template: &str) -> String {
        let gateway = self.request.gateway.map_or("", |gateway| gateway.base_url.as_str());
        let model = self.request.route.wire_model.as_deref().unwrap_or_default();
        let cwd = self.request.cwd.to_string_lossy();
        let mut out = String::new();
        let mut rest = template;
        // One pass: a value that holds braces is no template.
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let known = after.split_once('}').and_then(|(name, behind)| {
                let value = match name {
                    "gateway" => gateway,
                    "token" => self.request.gateway.map_or("", |gateway| gateway.token.as_str()),
                    "model" => model,
                    "session" => self.session,
                    "prompt" => self.prompt,
                    "cwd" => &cwd,
                    _ => return None,
                };
                Some((value, behind))
            });
            match known {
                Some((value, behind)) => {
                    out.push_str(value);
                    rest = behind;
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out + rest
    }
}

impl Declared {
    /// Adds arguments; the pane's token may not be among them, for any process can read those.
    fn add(&self, plan: &mut LaunchPlan, templates: &[String], values: &Values<'_>) -> Result<(), String> {
        for template in templates {
            if template.contains("{token}") {
                return Err(format!(
                    "{}: {{token}} may stand in [executors.{0}.env] only, not among arguments: {template}",
                    self.id
                ));
            }
            plan.argv.push(values.fill(template));
        }
        Ok(())
    }

    /// Variables; under its own account only those that do not lead to the gateway.
    fn variables(&self, plan: &mut LaunchPlan, values: &Values<'_>) {
        for (name, template) in &self.how.env {
            let leads = template.contains("{gateway}") || template.contains("{token}");
            if leads && values.request.home == Home::Users {
                continue;
            }
            plan.env_remove.retain(|removed| removed != name);
            plan.env_set.insert(name.clone(), values.fill(template));
        }
    }

    fn permission(
        &self,
        plan: &mut LaunchPlan,
        permission: Permission,
        values: &Values<'_>,
    ) -> Result<(), String> {
        let word = serde_json::to_value(permission).ok();
        let word = word.as_ref().and_then(Value::as_str).unwrap_or_default();
        match self.how.permissions.get(word) {
            Some(arguments) => self.add(plan, arguments, values)?,
            None if permission == Permission::Ask => {}
            None => plan
                .notes
                .push(format!("permission {word}: [executors.{}.permissions] says nothing of it", self.id)),
        }
        Ok(())
    }
}

impl Executor for Declared {
    fn id(&self) -> ExecutorId {
        self.id.clone()
    }

    fn title(&self) -> &str {
        if self.how.title.is_empty() { self.id.as_str() } else { &self.how.title }
    }

    fn program(&self) -> &str {
        self.how.command.first().map_or("", String::as_str)
    }

    fn dialect(&self) -> Dialect {
        self.how.dialect.unwrap_or(Dialect::Chat)
    }

    fn package(&self) -> Option<Package> {
        None
    }

    /// Its own settings are whatever the person gave it: nobody here can tell whether they suffice.
    fn login(&self, _env: &BTreeMap<String, String>) -> Option<String> {
        Some("its own settings".into())
    }

    fn users_home(&self, _env: &BTreeMap<String, String>) -> Option<PathBuf> {
        None
    }

    fn launch(&self, request: &LaunchRequest<'_>) -> Result<LaunchPlan, String> {
        let mut plan =
            LaunchPlan { argv: vec![request.binary.display().to_string()], ..LaunchPlan::default() };
        scrub(&mut plan, request.env, request.home == Home::Users);
        plan.config_home = request.pane_dir.join("declared");
        let id = match &request.session {
            SessionChoice::New(id) => id.to_string(),
            SessionChoice::Resume(id) => plain_word("session", id)?.to_owned(),
        };
        let prompt = if self.how.prompt.is_empty() { None } else { prompt_arg(request, &mut plan) };
        let values = Values { request, session: &id, prompt: prompt.unwrap_or_default() };
        self.add(&mut plan, self.how.command.get(1..).unwrap_or_default(), &values)?;
        self.permission(&mut plan, request.permission, &values)?;
        if let Some(model) = &request.route.wire_model {
            plain_word("model", model)?;
            self.add(&mut plan, &self.how.model, &values)?;
        }
        chosen(self, request, &mut plan)?;
        if let Some(effort) = request.effort {
            plan.notes.push(format!(
                "effort {}: put its flag into args of [executors.{}]",
                effort.as_str(),
                self.id
            ));
        }
        let sessions = match &request.session {
            SessionChoice::New(_) => &self.how.session,
            SessionChoice::Resume(_) => &self.how.resume,
        };
        if sessions.is_empty() {
            if matches!(request.session, SessionChoice::Resume(_)) {
                plan.notes.push(format!("[executors.{}] has no `resume`, so this is a new session", self.id));
            }
        } else {
            self.add(&mut plan, sessions, &values)?;
            plan.session = Some(id.clone());
        }
        if prompt.is_some() {
            self.add(&mut plan, &self.how.prompt, &values)?;
            plan.prompt_delivered = true;
        }
        self.variables(&mut plan, &values);
        if request.gateway.is_some() {
            bypass_proxy(&mut plan, request.env);
        }
        Ok(plan)
    }

    /// Nothing is known of what else it may ask a model.
    fn classify(&self, _request: &RequestFacts<'_>) -> Class {
        Class::Main
    }

    fn submit(&self, text: &str) -> Vec<SubmitStep> {
        match self.how.submit.unwrap_or(Submit::Paste) {
            Submit::Type => vec![SubmitStep::Write([text.as_bytes(), b"\r"].concat())],
            Submit::Paste => vec![
                SubmitStep::Write(pasted(text, b"")),
                SubmitStep::Pause(ENTER_PAUSE),
                SubmitStep::Write(b"\r".to_vec()),
            ],
        }
    }

    fn watch(&self, signals: &Signals<'_>) -> Option<StatusReport> {
        ORDER.iter().find_map(|(word, status)| {
            self.how.status.get(*word)?.iter().find_map(|rule| match rule.strip_prefix(TITLE) {
                Some(rule) if signals.title.contains(rule) => {
                    report(status.clone(), StatusSource::Title, signals.title)
                }
                Some(_) => None,
                None => {
                    let line = line_with(signals.bottom, &[rule.as_str()])?;
                    report(status.clone(), StatusSource::Screen, line)
                }
            })
        })
    }

    fn change_model(&self, model: &str) -> ModelChange {
        ModelChange::Relaunch(format!("{} was stopped and started again with {model}", self.id))
    }

    fn records(&self) -> (&'static str, &'static [&'static str]) {
        ("declared", &[])
    }

    /// Nothing is known of its store.
    fn holds(&self, _config_home: &Path, _cwd: &Path, _session: &str) -> bool {
        true
    }

    fn sessions(&self, _config_home: &Path, _cwd: &Path) -> Vec<NativeSession> {
        Vec::new()
    }

    fn transcript(&self, _config_home: &Path, _cwd: &Path, _session: &str) -> Option<Conversation> {
        None
    }
}

#[cfg(test)]
mod tests;
