//! Drives a switch: plan, handoff, checkpoint, stop, start, deliver, confirm. Each step is journalled before it is
//! taken; a failure leaves the pane at a card that offers to go back or try again.
mod preview;

use preview::handoff_word;

use super::{
    Server,
    harness::{Start, resume},
    panes::{STOP_GRACE, fresh_screen},
    reply::{Failure, Reply},
    verbs::{Answer, Outcome, silent},
};
use crate::{
    commands::{HandoffMode, Target, Verb},
    executors::SessionChoice,
    handoff::{Conversation, Mode},
    mux::{ClientId, PaneId},
    router::{AuthMode, Catalogue, ExecutorId, PlanRequest, Refusal, Route, plan},
    state::{Harness, Parked, Status, StatusSource, SwitchProgress, target::Origin},
    switch::{self, Ground, Kept, Report, Step, Telling, label},
};
use std::{sync::Arc, time::Duration};

/// How long a started harness may take until it is seen working or waiting, before the switch says so.
const CONFIRM_WAIT: Duration = Duration::from_secs(60);

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
}

/// A switch under way.
pub struct Running {
    plan: Plan,
    key: String,
    step: Step,
    ground: Ground,
    kept: Option<Kept>,
    handoff: crate::handoff::Handoff,
    reply: Option<Reply>,
}

/// A switch that waits for the end of the turn.
pub struct Waiting {
    verb: Verb,
    origin: Origin,
    reply: Option<Reply>,
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
    fn plan_switch(
        &mut self,
        id: PaneId,
        executor: &str,
        model: Option<&str>,
        auth: Option<&str>,
        handoff: HandoffMode,
        fresh: bool,
    ) -> Result<Plan, Failure> {
        let auth = auth.map(str::parse::<AuthMode>).transpose().map_err(Failure::Usage)?;
        let env = self.env_of(id);
        let facts = self.facts(&env);
        let rehearse =
            self.state.window_of(id).and_then(|w| self.state.session_of(w.id)).is_some_and(|s| s.rehearse);
        let pane = self.state.panes.get(&id).ok_or_else(|| format!("no pane {id}"))?;
        let cwd = pane.cwd.clone();
        let from = pane.harness.clone();
        let rehearse = rehearse || from.as_ref().is_some_and(|h| h.rehearse);
        let executor = ExecutorId::from(executor);
        let mut request =
            PlanRequest { executor: executor.clone(), model: model.map(str::to_owned), auth, rehearse };
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
        };
        let trusted = rehearse || self.is_trusted(&cwd);
        Ok(Plan { pane: id, from, to, telling, resume, rehearse, trusted })
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
        self.tasks.spawn(
            move || {
                let cwd = &plan.telling.workspace;
                let told = || {
                    let executor = executor?;
                    let session =
                        session.or_else(|| executor.sessions(&home, cwd).first().map(|s| s.id.clone()))?;
                    executor.transcript(&home, cwd, &session)
                };
                let told = if known.turns.is_empty() { told().unwrap_or_default() } else { (*known).clone() };
                let ground = switch::gather(cwd);
                plan.telling.conversation = switch::without_secrets(&told, &vault);
                (plan, ground)
            },
            move |server, (plan, ground)| then(server, plan, ground),
        );
    }

    fn in_turn(&self, id: PaneId) -> Option<String> {
        let pane = self.state.panes.get(&id)?;
        let harness = pane.harness.as_ref()?;
        let executor = &harness.route.executor;
        match pane.status.status {
            Status::Working | Status::Retrying => Some(format!("{executor} is in the middle of a turn")),
            Status::NeedsYou => Some(format!("{executor} waits for you: its question will be dropped")),
            _ => None,
        }
    }

    /// The verb `switch`.
    pub(super) fn switch(&mut self, verb: Verb, origin: &Origin, reply: &mut Option<Reply>) -> Answer {
        let again = verb.clone();
        let Verb::Switch { target, executor, model, auth, handoff, dry_run, yes, when_done, fresh, json } =
            verb
        else {
            return silent();
        };
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let plan = self.plan_switch(id, &executor, model.as_deref(), auth.as_deref(), handoff, fresh)?;
        if dry_run {
            let mut reply = reply.take();
            self.gather(
                plan,
                move |server, plan, ground| {
                    let handoff = plan.telling.handoff(&ground, Some("(made at the switch)"));
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
            Verb::Switch { executor, model, auth, handoff, fresh, json, .. } => Verb::Switch {
                target: Target { target: Some(id.to_string()) },
                executor,
                model,
                auth,
                handoff,
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
            Err(failure) => {
                if let Some(client) = waiting.origin.client {
                    self.show_failure(client, &failure);
                }
                if let Some(reply) = reply {
                    reply.fail(&failure);
                }
            }
        }
    }

    fn begin_switch(
        &mut self,
        plan: Plan,
        ground: Ground,
        yes: bool,
        reply: Option<Reply>,
        client: Option<ClientId>,
    ) {
        let id = plan.pane;
        if !self.state.panes.contains_key(&id) {
            fail(reply, &Failure::Failed(format!("{id} is gone")));
            return;
        }
        // Another one may have begun while git was asked.
        if self.switches.contains_key(&id) {
            fail(reply, &busy(id));
            return;
        }
        if !ground.git.repository && !yes {
            let why = ground.error.clone().unwrap_or_else(|| {
                format!(
                    "{} is not in a git repository, so there is no checkpoint",
                    plan.telling.workspace.display()
                )
            });
            let failure = Failure::from(Refusal {
                rule: "switch.no-checkpoint".into(),
                reason: why,
                remedies: vec!["git init  makes one".into(), "--yes  goes on without a checkpoint".into()],
            });
            if let Some(client) = client {
                self.show_failure(client, &failure);
            }
            fail(reply, &failure);
            return;
        }
        // What waits for the end of this turn was asked for another harness, and this is the newer word.
        if let Some(waiting) = self.waiting_switches.remove(&id) {
            fail(waiting.reply, &Failure::Failed(format!("another switch of {id} came first")));
        }
        let key = ulid::Ulid::r#gen().to_string();
        let pane_key = self.state.panes.get(&id).map(|p| p.key.clone()).unwrap_or_default();
        self.recorder.switch_begin(
            &key,
            &pane_key,
            &serde_json::json!({ "from": plan.from.as_ref().map(|h| &h.route), "to": plan.to }),
        );
        let running = Running {
            key,
            step: Step::Plan,
            ground,
            kept: None,
            handoff: crate::handoff::Handoff::default(),
            reply,
            plan,
        };
        self.switches.insert(id, running);
        self.step(id, Step::Checkpoint);
        let Some(running) = self.switches.get(&id) else { return };
        let dir = running.plan.telling.workspace.clone();
        let from = running.plan.from.as_ref().map_or_else(|| "shell".to_owned(), |h| label(&h.route));
        let reason = format!("before the switch {from} -> {}", label(&running.plan.to));
        let now = Self::now();
        self.tasks.spawn(
            move || switch::keep(&dir, &reason, &id.to_string(), now),
            move |server, kept| server.checkpoint_made(id, kept),
        );
    }

    /// Journals a step and shows it.
    fn step(&mut self, id: PaneId, step: Step) {
        let Some(running) = self.switches.get_mut(&id) else { return };
        running.step = step;
        self.recorder.switch_step(&running.key, step.as_str());
        if let Some(harness) = self.state.panes.get_mut(&id).and_then(|p| p.harness.as_mut()) {
            harness.switch = Some(SwitchProgress { step: step.as_str().into(), failed: None });
        }
        self.touch();
    }

    fn checkpoint_made(&mut self, id: PaneId, kept: Result<Option<Kept>, String>) {
        let kept = match kept {
            Ok(kept) => kept,
            Err(why) => {
                // Nothing has stopped yet: the harness goes on as if nothing had been asked.
                self.fail_switch(id, &format!("no checkpoint could be made: {why}"), false);
                return;
            }
        };
        let Some(running) = self.switches.get_mut(&id) else { return };
        let name = kept.as_ref().map(|k| format!("{} ({})", k.id, switch::short(&k.commit)));
        running.handoff = running.plan.telling.handoff(&running.ground, name.as_deref());
        running.kept = kept;
        let file = self.place.handoffs().join(format!("{}.md", running.key));
        let text = running.handoff.text.clone();
        if !text.is_empty() {
            self.files.keep(file, move || Some(text.into_bytes()));
        }
        self.step(id, Step::Handoff);
        self.step(id, Step::Stop);
        let Some(screen) = self.screens.get_mut(&id) else { return };
        screen.on_exit = None;
        match screen.pty.take() {
            Some(pty) => self.tasks.spawn(
                move || pty.stop_blocking(STOP_GRACE).left,
                move |server, left| server.harness_stopped(id, &left),
            ),
            None => self.harness_stopped(id, &[]),
        }
    }

    /// Ends whatever switch of a pane is under way or waits.
    pub(super) fn end_switches(&mut self, id: PaneId, why: &str) {
        self.fail_switch(id, why, false);
        self.retries.remove(&id);
        if let Some(waiting) = self.waiting_switches.remove(&id) {
            fail(waiting.reply, &Failure::Failed(format!("{id} did not switch: {why}")));
        }
    }

    /// Whether a pane's process is being stopped by its switch: its end is awaited there.
    pub(super) fn stops_for_switch(&self, id: PaneId) -> bool {
        self.switches.get(&id).is_some_and(|running| running.step < Step::Start)
    }

    fn harness_stopped(&mut self, id: PaneId, left: &[i32]) {
        if !left.is_empty() {
            self.fail_switch(id, &format!("processes would not end: {left:?}"), true);
            return;
        }
        if let Some(screen) = self.screens.get_mut(&id) {
            fresh_screen(&screen.emulator);
        }
        if let Some(runtime) = self.harnesses.get_mut(&id) {
            runtime.process_ended();
        }
        let Some(running) = self.switches.get(&id) else { return };
        let plan = running.plan.clone();
        let handoff = running.handoff.text.clone();
        let seen = crate::handoff::requests_seen(&plan.telling.conversation);
        self.step(id, Step::Start);
        let Some(pane) = self.state.panes.get_mut(&id) else { return };
        pane.exit = None;
        pane.title.clear();
        if let Some(harness) = pane.harness.as_mut()
            && let Some(session) = harness.session.clone()
        {
            let parked = Parked {
                session,
                auth: harness.route.auth,
                seen_requests: seen,
                model: harness.route.model.clone(),
            };
            harness.parked.insert(harness.route.executor.clone(), parked);
        }
        let permission = plan
            .from
            .as_ref()
            .map_or_else(|| self.settings.executor(&plan.to.executor).permission, |h| h.permission);
        self.start_harness(
            id,
            Start {
                route: plan.to.clone(),
                permission,
                session: match &plan.resume {
                    Some(parked) => resume(parked),
                    None => SessionChoice::New(uuid::Uuid::new_v4()),
                },
                prompt: (!handoff.is_empty()).then_some(handoff),
                rehearse: plan.rehearse,
                trusted: plan.trusted,
                install: false,
            },
        );
        // A start that failed has put its card up and ended the switch already.
        if !self.switches.contains_key(&id) {
            return;
        }
        self.step(id, Step::Deliver);
        let key = self.switches.get(&id).map(|r| r.key.clone());
        self.tasks.after(CONFIRM_WAIT, move |server| {
            if server.switches.get(&id).map(|r| r.key.clone()) == key {
                server.tell_all(&format!("{id} was started and has not been seen working yet; look at it"));
            }
        });
    }

    /// Called at each new status: the next harness was seen working or waiting, the handoff is with it.
    pub(super) fn confirm_switch(&mut self, id: PaneId) {
        let Some(running) = self.switches.get(&id) else { return };
        if running.step != Step::Deliver {
            return;
        }
        let Some(pane) = self.state.panes.get(&id) else { return };
        if pane.status.source == StatusSource::Process {
            return;
        }
        let Some(runtime) = self.harnesses.get(&id) else { return };
        // A handoff is with the harness when its first request is seen; outside the gateway, when it works.
        let delivered = running.handoff.text.is_empty()
            || runtime.heard
            || (runtime.token.is_empty()
                && runtime.pending.is_empty()
                && pane.status.status == Status::Working);
        if !delivered {
            return;
        }
        self.step(id, Step::Confirm);
        let Some(running) = self.switches.remove(&id) else { return };
        let dir = running.plan.telling.workspace.clone();
        let before = running.ground.fingerprint.clone();
        self.tasks.spawn(
            move || {
                before.and_then(|before| crate::workspace::fingerprint(&dir).ok().map(|now| (before, now)))
            },
            move |server, compared| {
                let changes = compared.map(|(before, now)| crate::workspace::compare(&before, &now));
                server.finish_switch(id, running, changes);
            },
        );
    }

    fn finish_switch(&mut self, id: PaneId, running: Running, changes: Option<Vec<String>>) {
        let Running { plan, key, ground, kept, handoff, reply, .. } = running;
        if let Some(harness) = self.state.panes.get_mut(&id).and_then(|p| p.harness.as_mut()) {
            harness.switch = None;
        }
        let file = self.place.handoffs().join(format!("{key}.md"));
        let report = Report {
            key: key.clone(),
            pane: id.to_string(),
            from: plan.from.map(|h| h.route),
            to: plan.to,
            session: if plan.resume.is_some() { "resumed" } else { "new" },
            checkpoint: kept,
            handoff_tokens: handoff.tokens_estimate,
            handoff_file: (!handoff.text.is_empty()).then_some(file),
            redactions: handoff.redactions.iter().map(ToString::to_string).collect(),
            branch: ground.git.branch,
            head: ground.git.head,
            workspace_same: changes.as_ref().is_none_or(Vec::is_empty),
            workspace_changes: changes.unwrap_or_default(),
        };
        self.recorder.switch_end(&key, "done");
        let pane_key = self.state.panes.get(&id).map(|p| p.key.clone()).unwrap_or_default();
        let value = serde_json::to_value(&report).unwrap_or_default();
        self.recorder.journal("", &pane_key, "switch", value.clone());
        let same = if report.workspace_same {
            format!("{} {} and every file as before", report.branch, report.head)
        } else {
            report.workspace_changes.join("; ")
        };
        let kept = report.checkpoint.as_ref().map(|k| format!(" · checkpoint {}", k.id)).unwrap_or_default();
        self.tell_all(&format!("{id} switched to {}{kept} · {same}", label(&report.to)));
        self.guide_switched(id, &report.head, &report.workspace_changes);
        self.git_soon_of(id);
        if let Some(mut reply) = reply {
            if reply.json {
                reply.line(serde_json::to_string_pretty(&value).unwrap_or_default());
            } else {
                reply.text(report.lines());
            }
            reply.done();
        }
        self.touch();
    }

    /// Ends a switch badly. `stopped`: the old harness is gone, so its pane shows a card with the ways on.
    pub(super) fn fail_switch(&mut self, id: PaneId, why: &str, stopped: bool) {
        let Some(running) = self.switches.remove(&id) else { return };
        let step = running.step.as_str();
        self.recorder.switch_end(&running.key, &format!("failed at {step}: {why}"));
        let target = label(&running.plan.to);
        if let Some(pane) = self.state.panes.get_mut(&id) {
            match (&running.plan.from, stopped) {
                (Some(from), true) => {
                    // Back to what ran before, so that resuming goes there.
                    // What the other's launch remarked is not about it.
                    pane.notes.clear();
                    let mut harness = from.clone();
                    harness.switch = Some(SwitchProgress { step: step.into(), failed: Some(why.to_owned()) });
                    pane.harness = Some(harness);
                }
                _ => {
                    if let Some(harness) = pane.harness.as_mut() {
                        harness.switch = None;
                    }
                }
            }
        }
        let message = format!("the switch to {target} stopped at {step}: {why}");
        if stopped {
            let to = running.plan.to.clone();
            self.ended(id, message.clone());
            if let Some(card) = self.state.panes.get_mut(&id).and_then(|p| p.exit.as_mut()) {
                for (key, meaning) in &mut card.keys {
                    if key == "r" {
                        "go back".clone_into(meaning);
                    }
                }
                card.keys.insert(0, ("t".into(), format!("try {} again", to.executor)));
            }
            let mut words = vec!["switch".into(), "-t".into(), id.to_string(), "--yes".into()];
            words.extend(["--executor".into(), to.executor.to_string()]);
            if let Some(model) = &to.model {
                words.extend(["--model".into(), model.clone()]);
            }
            self.retries.insert(id, words);
        }
        fail(running.reply, &Failure::Failed(message.clone()));
        self.tell_all(&message);
    }
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
