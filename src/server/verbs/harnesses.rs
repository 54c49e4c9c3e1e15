//! Verbs about harnesses: prompt, model, route, explain, files, events.
use super::{Answer, Outcome, silent};
use crate::{
    commands::Target,
    executors::ModelChange,
    record::{RecordError, Recorder},
    router::{AuthMode, Refusal, Route, route_lines, short_credential},
    server::{
        Server,
        harness::{Generated, Start, Waiter},
        panes::fresh_screen,
        reply::{Failure, Reply},
    },
    state::{Status, StatusReport, StatusSource, target::Origin},
    vault::Health,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Prompts that wait for a harness's turn to end. A person queues a few; more is a script that does not look.
const PENDING_MAX: usize = 64;

fn pretty(value: &Value) -> Outcome {
    Outcome::Done(serde_json::to_string_pretty(value).unwrap_or_default() + "\n")
}

impl Server {
    pub(in crate::server) fn prompt(
        &mut self,
        target: &Target,
        wait: bool,
        timeout: u64,
        text: &str,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let runtime = self.harnesses.get(&id).ok_or_else(|| format!("no harness runs in {id}"))?;
        let turns = runtime.turns;
        match self.state.panes.get(&id).map(|p| (p.status.status.clone(), p.status.detail.clone())) {
            // Text typed into a question would answer it.
            Some((Status::NeedsYou, what)) => {
                return Err(Failure::from(Refusal {
                    rule: "prompt.needs-you".into(),
                    reason: format!("{id} waits for an answer: {what}"),
                    remedies: match self.state.panes.get(&id).is_some_and(|pane| pane.question.is_some()) {
                        true => vec![format!("inspan approve -t {id}  or  inspan deny -t {id}")],
                        false => vec![format!("inspan send-keys -t {id} Enter  or  Escape")],
                    },
                }));
            }
            Some((Status::Idle | Status::Done | Status::Limited, _)) => {
                self.set_status(
                    id,
                    StatusReport::new(Status::Working, StatusSource::Process, "a prompt was submitted"),
                );
                self.submit(id, text)?;
            }
            _ => {
                if let Some(runtime) = self.harnesses.get_mut(&id) {
                    if runtime.pending.len() >= PENDING_MAX {
                        return Err(Failure::Failed(format!(
                            "{PENDING_MAX} prompts wait for {id} already; nothing was added"
                        )));
                    }
                    runtime.pending.push_back(text.to_owned());
                }
                self.watch_soon(id);
            }
        }
        if !wait {
            return silent();
        }
        let wait_id = uuid::Uuid::new_v4();
        if let (Some(reply), Some(runtime)) = (reply.take(), self.harnesses.get_mut(&id)) {
            runtime.waiters.push(Waiter { id: wait_id, turns, prompt: text.to_owned(), reply });
        }
        self.tasks.after(Duration::from_secs(timeout), move |server| {
            let Some(runtime) = server.harnesses.get_mut(&id) else { return };
            let (late, rest): (Vec<_>, Vec<_>) = runtime.waiters.drain(..).partition(|w| w.id == wait_id);
            runtime.waiters = rest;
            for Waiter { reply, .. } in late {
                reply.fail(&Failure::Failed(format!(
                    "{id} did not end its turn within {timeout} s; it goes on"
                )));
            }
        });
        Ok(Outcome::Later)
    }

    pub(super) fn model_verb(
        &mut self,
        target: &Target,
        model: &str,
        as_json: bool,
        origin: &Origin,
    ) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        self.check_relaunch(id)?;
        let line = self.change_model(id, model)?;
        let login = self
            .state
            .panes
            .get(&id)
            .and_then(|p| p.harness.as_ref())
            .is_some_and(|h| h.route.auth == AuthMode::Login);
        let wire = self.state.panes.get(&id).and_then(|p| p.harness.as_ref()?.route.wire_model.clone());
        let told = wire.is_some_and(|wire| self.control_model(id, &wire));
        let how = if login && told {
            "told to its thread; no restart".into()
        } else if login {
            self.change_model_by_login(id)?
        } else {
            "from its next request on; no restart".into()
        };
        self.publish_routes();
        let key = self.state.panes.get(&id).map(|p| p.key.clone()).unwrap_or_default();
        self.recorder.journal(
            "",
            &key,
            "route.model",
            json!({ "model": model, "asked_by": "user", "how": how }),
        );
        if let Some(client) = origin.client {
            self.tell(client, format!("{id}: {line}, {how}"));
        }
        if as_json {
            let route = self.state.panes.get(&id).and_then(|p| p.harness.as_ref()).map(|h| h.route.clone());
            return Ok(pretty(&json!({ "pane": id.to_string(), "route": route, "how": how })));
        }
        Ok(Outcome::Done(format!("{line}, {how}\n")))
    }

    /// Under `login` most CLIs take another model only when they start, which must not cut a turn short.
    fn check_relaunch(&self, id: crate::mux::PaneId) -> Result<(), Failure> {
        let Some(pane) = self.state.panes.get(&id) else { return Ok(()) };
        let login = pane.harness.as_ref().is_some_and(|h| h.route.auth == AuthMode::Login);
        let relaunches = self
            .executor_of(id)
            .is_some_and(|executor| matches!(executor.change_model("x"), ModelChange::Relaunch(_)));
        let busy = matches!(pane.status.status, Status::Working | Status::Retrying | Status::NeedsYou);
        if !(login && relaunches && busy) || self.is_controlled(id) {
            return Ok(());
        }
        Err(Failure::from(Refusal {
            rule: "model.working".into(),
            reason: format!(
                "{id} is in the middle of a turn, and on its own login it takes a model only at a start"
            ),
            remedies: vec!["wait for the end of the turn, or interrupt it".into()],
        }))
    }

    /// Under `login` the gateway is not involved: the CLI's own means.
    fn change_model_by_login(&mut self, id: crate::mux::PaneId) -> Result<String, Failure> {
        let executor = self.executor_of(id).ok_or("no harness")?;
        let wire = self
            .state
            .panes
            .get(&id)
            .and_then(|p| p.harness.as_ref())
            .and_then(|h| h.route.wire_model.clone())
            .ok_or("the route names no model")?;
        match executor.change_model(&wire) {
            ModelChange::Type(steps, how) => {
                self.type_steps(id, steps.into());
                Ok(how)
            }
            ModelChange::Relaunch(how) => {
                self.relaunch(id, |_| {});
                Ok(how)
            }
        }
    }

    /// Starts a stopped harness as its route says now, where its conversation was.
    pub(in crate::server) fn start_again(&mut self, id: crate::mux::PaneId) {
        let session = self.session_to_resume(id);
        let Some(pane) = self.state.panes.get_mut(&id) else { return };
        pane.title.clear();
        let (cwd, Some(harness)) = (pane.cwd.clone(), pane.harness.clone()) else { return };
        if let Some(screen) = self.screens.get(&id) {
            fresh_screen(&screen.emulator);
        }
        let start = Start {
            trusted: harness.rehearse || self.is_trusted(&cwd),
            route: harness.route,
            permission: harness.permission,
            session,
            prompt: None,
            rehearse: harness.rehearse,
            install: false,
            manner: harness.manner,
        };
        self.start_harness(id, start);
    }

    pub(super) fn route_verb(&mut self, target: &Target, as_json: bool, origin: &Origin) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let harness = self
            .state
            .panes
            .get(&id)
            .and_then(|p| p.harness.as_ref())
            .ok_or_else(|| format!("no harness runs in {id}"))?;
        let route = &harness.route;
        if as_json {
            return Ok(pretty(&json!({
                "pane": id.to_string(), "route": route, "served_model": harness.served_model,
                "usage": harness.usage, "permission": harness.permission, "manner": harness.manner,
                "key": self.key_missing(route).map_or("here", |_| "missing"), "session": harness.session,
                "pool": self.pool(route).iter().map(|(key, state)| json!({ "key": key, "state": state })).collect::<Vec<_>>(),
            })));
        }
        let mut text = format!(
            "{id} {} {}\n{} · {} (chosen by: {})\n",
            route.executor,
            route.model.as_deref().unwrap_or("its own default model"),
            route.auth,
            route.payer,
            serde_json::to_value(route.step)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default(),
        );
        for line in route_lines(route) {
            text.push_str(&line);
            text.push('\n');
        }
        if let Some(agent) = &harness.manner.agent {
            text.push_str(&format!("led by its agent {agent}\n"));
        }
        if let Some(effort) = harness.manner.effort {
            text.push_str(&format!("effort {}\n", effort.as_str()));
        }
        if let Some(why) = self.key_missing(route) {
            text.push_str(&format!("{why}\n"));
        }
        for (key, state) in self.pool(route) {
            text.push_str(&format!("  {key:<28} {state}\n"));
        }
        if let Some(served) = &harness.served_model {
            text.push_str(&format!("served by {served}\n"));
        }
        text.push_str(&format!(
            "{} requests, {} tokens in, {} out\n",
            harness.usage.requests, harness.usage.input, harness.usage.output
        ));
        Ok(Outcome::Done(text))
    }

    /// The credentials that take turns on a route, and how each stands; empty where there is only one.
    fn pool(&self, route: &Route) -> Vec<(String, String)> {
        let standing = self.vault.standing(&route.credential);
        if standing.len() < 2 {
            return Vec::new();
        }
        let state = |health: &Health, rests: Option<Duration>| match (rests, health.trouble) {
            (Some(rests), Some(trouble)) => format!("rests {} s: {}", rests.as_secs() + 1, trouble.words()),
            (_, Some(trouble)) => format!("ready again, was {}", trouble.words()),
            _ => "ready".to_owned(),
        };
        standing.iter().map(|(key, health, rests)| (short_credential(key), state(health, *rests))).collect()
    }

    pub(super) fn explain_verb(&mut self, target: &Target, as_json: bool, origin: &Origin) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let pane = self.state.panes.get(&id).ok_or("no pane")?;
        let empty = std::collections::BTreeMap::new();
        let observed = self.harnesses.get(&id).map_or(&empty, |r| &r.observed);
        let control = self.harnesses.get(&id).and_then(|r| r.control.words());
        let now = Self::now();
        if as_json {
            let sources: Vec<Value> = observed
                .iter()
                .map(|(source, (report, at))| {
                    json!({ "source": source, "status": report.status.as_str(), "detail": report.detail, "at": at })
                })
                .collect();
            return Ok(pretty(&json!({
                "pane": id.to_string(), "status": pane.status.status.as_str(), "source": pane.status.source,
                "detail": pane.status.detail, "since": pane.status_since,
                "until": pane.status.until, "sources": sources,
                "signals": {
                    "title": pane.title, "bottom": self.bottom(id),
                    "osc7501": self.screens.get(&id).and_then(|screen| screen.agent_state.clone()),
                },
                "control": control, "question": pane.question,
            })));
        }
        let name =
            |source| serde_json::to_value(source).ok().and_then(|v: Value| v.as_str().map(str::to_owned));
        let mut text = format!(
            "{id} {} for {} s, says {}: {}\n",
            pane.status.status.as_str(),
            now.saturating_sub(pane.status_since),
            name(pane.status.source).unwrap_or_default(),
            pane.status.detail
        );
        for (source, (report, at)) in observed {
            text.push_str(&format!(
                "  {:<11} {:<9} {} s ago  {}\n",
                name(*source).unwrap_or_default(),
                report.status.as_str(),
                now.saturating_sub(*at),
                report.detail
            ));
        }
        if let Some(control) = control {
            text.push_str(&format!("{control}\n"));
        }
        Ok(Outcome::Done(text))
    }

    pub(super) fn files_verb(&mut self, target: &Target, as_json: bool, origin: &Origin) -> Answer {
        let only = target.target.as_deref().map(|t| self.state.find_pane(Some(t), origin)).transpose()?;
        let (mut rows, mut left_out) = (Vec::new(), Vec::new());
        for (id, runtime) in self.harnesses.iter().filter(|(id, _)| only.is_none_or(|o| o == **id)) {
            rows.extend(runtime.files.iter().map(|file| (id.to_string(), file)));
            left_out.extend(runtime.unmapped.iter().map(|what| (id.to_string(), what)));
        }
        if as_json {
            let files = rows.iter().map(|(pane, file)| {
                json!({ "pane": pane, "file": file.path, "leads_to": file.target, "from": file.sources })
            });
            let left_out = left_out.iter().map(|(pane, what)| json!({ "pane": pane, "not_given": what }));
            return Ok(pretty(&Value::Array(files.chain(left_out).collect())));
        }
        let line = |(pane, file): &(String, &Generated)| {
            let target =
                file.target.as_ref().map(|target| format!(" -> {}", target.display())).unwrap_or_default();
            let from = if file.sources.is_empty() {
                String::new()
            } else {
                format!("  from {}", file.sources.join(", "))
            };
            format!("{pane} {}{target}{from}\n", file.path.display())
        };
        let left_out = left_out.iter().map(|(pane, what)| format!("{pane} not given: {what}\n"));
        Ok(Outcome::Done(rows.iter().map(line).chain(left_out).collect()))
    }

    /// Asks the record on a thread, because its writer may sit on a slow disk, and answers with `tell`.
    pub(super) fn ask_record<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Recorder) -> Result<T, RecordError> + Send + 'static,
        origin: &Origin,
        reply: &mut Option<Reply>,
        tell: impl FnOnce(&Self, T) -> String + Send + 'static,
    ) -> Answer {
        self.ask_record_or(ask, origin, reply, |server, rows| Ok(tell(server, rows)))
    }

    /// The same, where what was read may not be an answer.
    pub(super) fn ask_record_or<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Recorder) -> Result<T, RecordError> + Send + 'static,
        origin: &Origin,
        reply: &mut Option<Reply>,
        tell: impl FnOnce(&Self, T) -> Result<String, Failure> + Send + 'static,
    ) -> Answer {
        let recorder = self.recorder.clone();
        let (client, reply) = (origin.client, reply.take());
        self.tasks.spawn(
            move || ask(&recorder),
            move |server, rows| {
                let rows = rows.map_err(|e| Failure::Failed(e.to_string()));
                let answer = rows.and_then(|rows| Ok(Outcome::Done(tell(server, rows)?)));
                server.answer(answer, client, reply);
            },
        );
        Ok(Outcome::Later)
    }
}
