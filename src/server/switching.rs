//! Plans a switch, refuses or queues it, and hands it to its steps.
mod ending;
mod preview;
mod recover;
mod steps;

pub(super) use recover::Interrupted;

use preview::handoff_word;

use super::{
    Server,
    panes::lock,
    reply::{Failure, Reply},
    verbs::{Answer, Outcome, silent},
};
use crate::{
    commands::{self, HandoffMode, Target, Verb},
    handoff::{Conversation, Handoff, Mode, Source},
    mux::{ClientId, PaneId},
    router::{AuthMode, Catalogue, ExecutorId, PlanRequest, Refusal, Route, plan},
    state::{Harness, Manner, Parked, Status, target::Origin},
    switch::{self, Ground, Kept, Step, Telling, label},
};
use std::sync::Arc;

/// Lines of a screen that stand in for a conversation of which there is no record.
const SCREEN_LINES: usize = 200;
/// Letters of a switch's own name: it names a file.
const KEY_MAX: usize = 64;

/// What a pane is to be switched to, in the words of whoever asked.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub executor: String,
    pub model: Option<String>,
    pub auth: Option<String>,
    pub manner: commands::Manner,
}

/// A switch that was planned.
#[derive(Clone, Debug)]
pub struct Plan {
    pane: PaneId,
    from: Option<Harness>,
    to: Route,
    telling: Telling,
    resume: Option<Parked>,
    rehearse: bool,
    trusted: bool,
    /// What is told in the place of a built handoff: the person changed it.
    told: Option<String>,
    /// The name that whoever asked gave to this switch.
    key: Option<String>,
    /// As what and how hard the next harness works.
    manner: Manner,
}

/// A switch under way.
pub struct Running {
    plan: Plan,
    key: String,
    step: Step,
    ground: Ground,
    kept: Option<Kept>,
    handoff: Handoff,
    reply: Option<Reply>,
    /// What marks the processes of the harness that is being stopped.
    stopping: Option<String>,
    /// When the limit ends that the harness before had run into.
    limited_until: Option<u64>,
}

impl Running {
    /// What marks the processes that are being stopped, so that a server after a crash finds them.
    pub(super) fn stopping(&self) -> Option<&str> {
        self.stopping.as_deref()
    }
}

/// A switch that waits for the end of the turn.
pub struct Waiting {
    verb: Verb,
    origin: Origin,
    reply: Option<Reply>,
}

impl Waiting {
    /// The command line that asks for the switch again, when nothing runs any more that it would have to wait for.
    pub(super) fn words(&self, id: PaneId) -> Vec<String> {
        let Verb::Switch { executor, model, manner, auth, handoff, handoff_text, key, fresh, .. } =
            &self.verb
        else {
            return Vec::new();
        };
        let mut words = vec!["switch".to_owned(), "-t".into(), id.to_string(), "--yes".into()];
        let mut option = |name: &str, value: Option<&str>| {
            words.extend(value.iter().flat_map(|value| [format!("--{name}"), (*value).to_owned()]));
        };
        option("executor", Some(executor));
        option("model", model.as_deref());
        option("agent", manner.agent.as_deref());
        option("effort", manner.effort.as_deref());
        option("auth", auth.as_deref());
        option("handoff", Some(preview::mode_word(mode(*handoff))));
        option("handoff-text", handoff_text.as_deref());
        option("key", key.as_deref());
        words.extend(fresh.then(|| "--fresh".to_owned()));
        words
    }
}

impl Plan {
    /// What the next harness is told: what the person wrote, else what is built.
    fn handoff(&self, ground: &Ground, checkpoint: Option<&str>, vault: &crate::vault::Vault) -> Handoff {
        match &self.told {
            Some(text) => crate::handoff::rewritten(&vault.scrub(text)),
            None => self.telling.handoff(ground, checkpoint),
        }
    }
}

fn mode(handoff: HandoffMode) -> Mode {
    match handoff {
        HandoffMode::Full => Mode::Full,
        HandoffMode::Brief => Mode::Brief,
        HandoffMode::None => Mode::None,
    }
}

impl Server {
    /// Plans a switch; refuses before anything stops.
    pub(super) fn plan_switch(
        &mut self,
        id: PaneId,
        wish: &Wish,
        handoff: HandoffMode,
        fresh: bool,
    ) -> Result<Plan, Failure> {
        let auth = wish.auth.as_deref().map(str::parse::<AuthMode>).transpose().map_err(Failure::Usage)?;
        let (env, dir) = (self.env_of(id), self.dir_of(id));
        let facts = self.facts(&env, &dir);
        let rehearse =
            self.state.window_of(id).and_then(|w| self.state.session_of(w.id)).is_some_and(|s| s.rehearse);
        let pane = self.state.panes.get(&id).ok_or_else(|| format!("no pane {id}"))?;
        let cwd = pane.cwd.clone();
        let from = pane.harness.clone();
        let rehearse = rehearse || from.as_ref().is_some_and(|h| h.rehearse);
        let executor = ExecutorId::from(wish.executor.as_str());
        let mut request =
            PlanRequest { executor: executor.clone(), model: wish.model.clone(), auth, rehearse };
        let parked = from.as_ref().filter(|_| !fresh).and_then(|h| h.parked.get(&executor));
        if request.model.is_none() {
            // On the way back the session goes on with the model it had, as long as the rules still allow it.
            let before = PlanRequest { model: parked.and_then(|p| p.model.clone()), ..request.clone() };
            if plan(&before, &facts).is_ok() {
                request = before;
            }
        }
        let to = plan(&request, &facts)?;
        self.check_startable(&executor, &facts, false)?;
        if let Some(from) = &from {
            if from.switch.as_ref().is_some_and(|s| s.failed.is_none()) {
                return Err(busy(id));
            }
            if from.route.executor == to.executor && self.screens.get(&id).is_some_and(|s| s.pty.is_some()) {
                let model = to.model.clone().unwrap_or_default();
                return Err(Failure::from(Refusal {
                    rule: "switch.same-executor".into(),
                    reason: format!("{id} runs {} already", to.executor),
                    remedies: vec![format!("inspan model -t {id} {model}  changes its model")],
                }));
            }
        }
        let mut manner = self.manner(&executor, &wish.manner, &env, &cwd)?;
        if let Some(parked) = parked {
            // What was not asked for otherwise goes on as it was.
            manner.effort = manner.effort.or(parked.manner.effort);
            manner.agent = manner.agent.or_else(|| parked.manner.agent.clone());
        }
        let resume = parked
            // A session that the gateway served, maybe by a foreign provider, is not resumed outside it.
            .filter(|parked| to.auth != AuthMode::Login || parked.auth == AuthMode::Login)
            .cloned();
        let context =
            to.model.as_deref().and_then(|m| Catalogue::builtin().model(m).ok()).and_then(|m| m.context);
        let telling = Telling {
            conversation: Conversation::default(),
            from: match &from {
                Some(h) => (h.route.executor.to_string(), h.route.model.clone()),
                None => ("shell".into(), None),
            },
            to: (to.executor.to_string(), to.model.clone()),
            workspace: cwd.clone(),
            mode: if from.is_some() { mode(handoff) } else { Mode::None },
            parked: resume.clone(),
            context,
            source: Source::Gateway,
            screen: None,
            more: None,
        };
        let trusted = rehearse || self.is_trusted(&cwd);
        Ok(Plan { pane: id, from, to, telling, resume, rehearse, trusted, told: None, key: None, manner })
    }

    /// Asks git, and where the gateway saw nothing of the conversation the executor's own records, off the loop; then
    /// goes on with both.
    fn gather(&self, mut plan: Plan, then: impl FnOnce(&mut Self, Plan, Ground) + Send + 'static) {
        let runtime = self.harnesses.get(&plan.pane);
        let known = runtime.map(|runtime| Arc::clone(&runtime.conversation)).unwrap_or_default();
        let home = runtime.map(|runtime| runtime.config_home.clone()).unwrap_or_default();
        let executor = self.executor_of(plan.pane);
        let vault = Arc::clone(&self.vault);
        let session = plan.from.as_ref().and_then(|harness| harness.session.clone());
        let pane = self.state.panes.get(&plan.pane);
        let kept = pane.map(|pane| self.pane_dir(&pane.key).join("conversation.json"));
        let screen = if known.turns.is_empty() { self.screen_text(plan.pane) } else { String::new() };
        self.tasks.spawn(
            move || {
                let cwd = &plan.telling.workspace;
                let told = || {
                    let executor = executor?;
                    let session =
                        session.or_else(|| executor.sessions(&home, cwd).first().map(|s| s.id.clone()))?;
                    executor.transcript(&home, cwd, &session)
                };
                let (told, source) = if known.turns.is_empty() {
                    (told().unwrap_or_default(), Source::Transcript)
                } else {
                    ((*known).clone(), Source::Gateway)
                };
                let ground = switch::gather(cwd);
                plan.telling.conversation = switch::without_secrets(&told, &vault);
                plan.telling.source = source;
                // Only its own words are ever told of a screen, and only when there is nothing better.
                if told.turns.is_empty() && plan.from.is_some() {
                    plan.telling.source = Source::Screen;
                    plan.telling.screen = Some(vault.scrub(&screen));
                } else if source == Source::Gateway {
                    plan.telling.more = kept.map(|file| file.display().to_string());
                }
                (plan, ground)
            },
            move |server, (plan, ground)| then(server, plan, ground),
        );
    }

    /// The newest of what a pane showed.
    fn screen_text(&self, id: PaneId) -> String {
        self.emulator(id)
            .map(|emulator| lock(&emulator).bottom_lines(SCREEN_LINES).join("\n"))
            .unwrap_or_default()
    }

    pub(super) fn in_turn(&self, id: PaneId) -> Option<String> {
        let pane = self.state.panes.get(&id)?;
        let harness = pane.harness.as_ref()?;
        let executor = &harness.route.executor;
        match pane.status.status {
            Status::Working | Status::Retrying => Some(format!("{executor} is in the middle of a turn")),
            Status::NeedsYou => Some(format!("{executor} waits for you: its question will be dropped")),
            _ => None,
        }
    }

    /// The verb `switch`. One that was given a name is looked up first: what was done is not done again.
    pub(super) fn switch(&mut self, verb: Verb, origin: &Origin, reply: &mut Option<Reply>) -> Answer {
        let Verb::Switch { key: Some(key), dry_run: false, json, .. } = &verb else {
            return self.switch_now(verb, origin, reply);
        };
        let (key, json) = (key.clone(), *json);
        if key.is_empty()
            || key.len() > KEY_MAX
            || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        {
            return Err(Failure::Usage(format!("--key takes letters, digits, - and _, at most {KEY_MAX}")));
        }
        if let Some((id, _)) = self.switches.iter().find(|(_, running)| running.key == key) {
            return Err(busy(*id));
        }
        let (recorder, origin, asked) = (self.recorder.clone(), origin.clone(), key.clone());
        let mut reply = reply.take();
        self.tasks.spawn(
            move || recorder.switch_done(&asked),
            move |server, done| match done {
                Ok(Some(report)) => {
                    if let Some(mut reply) = reply {
                        if json {
                            reply.line(serde_json::to_string_pretty(&report).unwrap_or_default());
                        } else {
                            reply.line(format!("the switch {key} was done already; nothing was done again"));
                        }
                        reply.done();
                    }
                }
                Ok(None) | Err(_) => {
                    if let Err(failure) = server.switch_now(verb, &origin, &mut reply) {
                        server.tell_failure(origin.client, &failure, reply);
                    }
                }
            },
        );
        Ok(Outcome::Later)
    }

    fn switch_now(&mut self, verb: Verb, origin: &Origin, reply: &mut Option<Reply>) -> Answer {
        let again = verb.clone();
        let Verb::Switch {
            target,
            executor,
            model,
            manner,
            auth,
            handoff,
            handoff_text,
            key,
            dry_run,
            yes,
            when_done,
            fresh,
            json,
        } = verb
        else {
            return silent();
        };
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let wish = Wish { executor: executor.clone(), model, auth, manner };
        let mut plan = self.plan_switch(id, &wish, handoff, fresh)?;
        plan.told = handoff_text.filter(|_| plan.from.is_some());
        plan.key = key;
        if dry_run {
            let mut reply = reply.take();
            self.gather(
                plan,
                move |server, plan, ground| {
                    let handoff = plan.handoff(&ground, Some("(made at the switch)"), &server.vault);
                    let lines = server.preview_lines(&plan, &ground, handoff.tokens_estimate, handoff_word(&plan));
                    if let Some(mut reply) = reply.take() {
                        if json {
                            let value = serde_json::json!({
                                "pane": id.to_string(), "from": plan.from.as_ref().map(|h| &h.route), "to": plan.to,
                                "session": if plan.resume.is_some() { "resumed" } else { "new" },
                                "handoff_tokens": handoff.tokens_estimate, "handoff": handoff.text,
                                "redactions": handoff.redactions, "lines": lines.iter().map(|(a, b)| format!("{a}: {b}")).collect::<Vec<_>>(),
                                "repository": ground.git.repository, "branch": ground.git.branch, "head": ground.git.head,
                                "in_flight": server.in_turn(id),
                            });
                            reply.line(serde_json::to_string_pretty(&value).unwrap_or_default());
                        } else {
                            let from = plan.from.as_ref().map_or_else(|| "shell".into(), |h| label(&h.route));
                            reply.line(format!("{from} -> {}   {} · {}", label(&plan.to), plan.to.auth, plan.to.payer));
                            for (name, text) in lines {
                                reply.line(format!("{name:<14} {text}"));
                            }
                            if !handoff.text.is_empty() {
                                reply.line("");
                                reply.text(&handoff.text);
                                reply.line("");
                            }
                        }
                        reply.done();
                    }
                },
            );
            return Ok(Outcome::Later);
        }
        if let Some(why) = self.in_turn(id) {
            if when_done {
                let waiting = Waiting { verb: again, origin: origin.clone(), reply: reply.take() };
                if let Some(before) = self.waiting_switches.insert(id, waiting) {
                    fail(before.reply, &Failure::Failed(format!("{id} is to switch to {executor} instead")));
                }
                // A server after this one must know of it.
                self.touch();
                self.tell_all(&format!("{id} switches to {executor} when its turn is done"));
                return Ok(Outcome::Later);
            }
            if !yes {
                return Err(Failure::from(Refusal {
                    rule: "switch.working".into(),
                    reason: why,
                    remedies: vec![
                        "--when-done  switches at the end of the turn".into(),
                        "--yes  interrupts it".into(),
                    ],
                }));
            }
        }
        let reply = reply.take();
        let client = origin.client;
        self.gather(plan, move |server, plan, ground| server.begin_switch(plan, ground, yes, reply, client));
        Ok(Outcome::Later)
    }

    /// `--when-done`: the turn ended.
    pub(super) fn switch_when_done(&mut self, id: PaneId) {
        let Some(waiting) = self.waiting_switches.remove(&id) else { return };
        let mut reply = waiting.reply;
        let verb = match waiting.verb {
            Verb::Switch {
                executor, model, manner, auth, handoff, handoff_text, key, fresh, json, ..
            } => Verb::Switch {
                target: Target { target: Some(id.to_string()) },
                executor,
                model,
                manner,
                auth,
                handoff,
                handoff_text,
                key,
                dry_run: false,
                yes: true,
                when_done: false,
                fresh,
                json,
            },
            other => other,
        };
        match self.switch(verb, &waiting.origin, &mut reply) {
            Ok(_) => {}
            Err(failure) => self.tell_failure(waiting.origin.client, &failure, reply),
        }
    }

    /// Tells a failure to whoever asked, on the screen and through the socket.
    fn tell_failure(&mut self, client: Option<ClientId>, failure: &Failure, reply: Option<Reply>) {
        if let Some(client) = client {
            self.show_failure(client, failure);
        }
        fail(reply, failure);
    }
}

/// The command line that asks for a switch again.
fn again(id: PaneId, to: &Route, manner: &Manner, mode: Mode, told: Option<&str>, key: &str) -> Vec<String> {
    let mut words = vec!["switch".to_owned(), "-t".into(), id.to_string(), "--yes".into()];
    words.extend(["--executor".into(), to.executor.to_string()]);
    words.extend(to.model.iter().flat_map(|model| ["--model".to_owned(), model.clone()]));
    words.extend(preview::manner_words(manner));
    words.extend(["--handoff".into(), preview::mode_word(mode).into(), "--key".into(), key.to_owned()]);
    words.extend(told.iter().flat_map(|text| ["--handoff-text".to_owned(), (*text).to_owned()]));
    words
}

fn busy(id: PaneId) -> Failure {
    Failure::from(Refusal {
        rule: "switch.busy".into(),
        reason: format!("a switch of {id} is under way"),
        remedies: vec!["wait for it".into()],
    })
}

fn fail(reply: Option<Reply>, failure: &Failure) {
    if let Some(reply) = reply {
        reply.fail(failure);
    }
}
