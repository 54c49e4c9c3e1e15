//! OpenAI Agents: the official SDK as a runtime of ours, drawn by our own program in the pane.
//!
//! Must not know: the gateway's routing, panes on a screen, how the program draws.
#[cfg(test)]
mod tests;

use super::{
    Class, Executor, Home, LaunchPlan, LaunchRequest, ModelChange, NativeSession, Package, Registry,
    RequestFacts, SessionChoice, Signals, SubmitStep,
    agents::chosen,
    launch::{bypass_proxy, pasted, plain_word, put, scrub},
    screen::report,
};
use crate::{
    agent::{self, store},
    config::Paths,
    handoff::Conversation,
    router::{Dialect, ExecutorId},
    state::{Permission, Status, StatusReport, StatusSource},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Our directory below a pane's, and below our data directory.
const DIR: &str = "openai-agents";

/// The executor `openai-agents`.
pub struct OpenAiAgents;

/// Where sessions are kept for all panes.
fn shared(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let paths = Paths::new(|name| env.get(name).map(Into::into), rustix::process::geteuid().as_raw()).ok()?;
    Some(paths.data.join(DIR))
}

impl Executor for OpenAiAgents {
    fn id(&self) -> ExecutorId {
        ExecutorId::OPENAI_AGENTS
    }

    fn title(&self) -> &'static str {
        "OpenAI Agents"
    }

    fn program(&self) -> &'static str {
        agent::PROGRAM_NAME
    }

    fn dialect(&self) -> Dialect {
        Dialect::Responses
    }

    fn package(&self) -> Option<Package> {
        Some(Package {
            name: "openai-agents",
            version: "0.24.0",
            binaries: &["bin/openai-agents-python"],
            size_mb: 120,
            node: None,
        })
    }

    fn registry(&self) -> Registry {
        Registry::PyPi { with: &["openai==3.52.0"], program: agent::PROGRAM_NAME, module: "agents" }
    }

    /// The SDK knows keys alone.
    fn login(&self, _env: &BTreeMap<String, String>) -> Option<String> {
        None
    }

    fn users_home(&self, env: &BTreeMap<String, String>) -> Option<PathBuf> {
        shared(env)
    }

    fn launch(&self, request: &LaunchRequest<'_>) -> Result<LaunchPlan, String> {
        let gateway = request.gateway.ok_or("OpenAI Agents needs the gateway: none was given")?;
        if request.route.inject {
            return Err("OpenAI Agents holds no key: take `inject` out of [executors.openai-agents]".into());
        }
        let model =
            request.route.wire_model.as_deref().ok_or("OpenAI Agents needs a model: none was planned")?;
        let own = std::env::current_exe().ok().filter(|file| file.exists()).ok_or(
            "inspan's own binary is not where this server was started from: inspan restart-server, then try again",
        )?;
        let mut plan = LaunchPlan::default();
        scrub(&mut plan, request.env, false);
        bypass_proxy(&mut plan, request.env);
        let dir = request.pane_dir.join(DIR);
        plan.dirs.push(dir.clone());
        plan.config_home = match request.home {
            Home::Empty => dir.clone(),
            // The SDK has no home of its own that could be the person's: ours is one for all panes.
            Home::Overlay { .. } | Home::Users => {
                shared(request.env).ok_or("HOME is not set: there is no place for sessions")?
            }
        };
        chosen(self, request, &mut plan)?;
        let (session, resumed) = match &request.session {
            SessionChoice::New(id) => (id.to_string(), false),
            SessionChoice::Resume(id) => (plain_word("session", id)?.to_owned(), true),
        };
        let runner = dir.join("runner.py");
        let settings = agent::Settings {
            program: request.binary.to_owned(),
            runner: runner.clone(),
            base_url: format!("{}/v1", gateway.base_url),
            token: gateway.token.clone(),
            model: plain_word("model", model)?.to_owned(),
            effort: request.effort.map(|effort| effort.of_openai().to_owned()),
            session: session.clone(),
            resumed,
            database: plan.config_home.join(store::FILE),
            cwd: request.cwd.to_owned(),
            permission: request.permission,
            trusted: request.trusted,
            prompt: request.prompt.filter(|prompt| !prompt.trim().is_empty()).map(str::to_owned),
        };
        let text =
            serde_json::to_string_pretty(&settings).map_err(|e| format!("cannot write its settings: {e}"))?;
        let file = dir.join("settings.json");
        plan.argv = vec![own.display().to_string(), agent::ARGUMENT.into(), file.display().to_string()];
        put(&mut plan, runner, agent::RUNNER);
        put(&mut plan, file, text);
        plan.session = Some(session);
        plan.prompt_delivered = settings.prompt.is_some();
        if request.permission == Permission::Plan {
            plan.notes.push(
                "plan: edits are refused; commands ask, since any of them could change something".into(),
            );
        }
        Ok(plan)
    }

    fn classify(&self, request: &RequestFacts<'_>) -> Class {
        let path = request.path.split('?').next().unwrap_or_default();
        if path.ends_with("/responses") { Class::Main } else { Class::Side }
    }

    /// The prompt takes a paste as text and Enter as its end.
    fn submit(&self, text: &str) -> Vec<SubmitStep> {
        vec![SubmitStep::Write(pasted(text, b"\r"))]
    }

    /// Our program tells what its runtime told it, so this is the typed protocol's word.
    fn watch(&self, signals: &Signals<'_>) -> Option<StatusReport> {
        let (fields, detail) = signals.osc7501?.split_once(":detail=")?;
        let state = fields.split(':').find_map(|part| part.strip_prefix("state="))?;
        let status = match state {
            "starting" => Status::Starting,
            "working" => Status::Working,
            "blocked" => Status::NeedsYou,
            "retrying" => Status::Retrying,
            "limited" => Status::Limited,
            "idle" => Status::Idle,
            _ => return None,
        };
        report(status, StatusSource::Protocol, detail)
    }

    fn change_model(&self, model: &str) -> ModelChange {
        ModelChange::Relaunch(format!("the runtime was stopped and its session resumed with {model}"))
    }

    fn records(&self) -> (&'static str, &'static [&'static str]) {
        (DIR, &[store::FILE])
    }

    fn sessions(&self, config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
        store::sessions(&config_home.join(store::FILE), cwd)
            .into_iter()
            .map(|store::Session { id, title, modified, model }| NativeSession { id, title, modified, model })
            .collect()
    }

    fn transcript(&self, config_home: &Path, _cwd: &Path, session: &str) -> Option<Conversation> {
        store::conversation(&config_home.join(store::FILE), session)
    }
}
