//! Drives a switch: checkpoint, handoff, stop, start, deliver. Each step is journalled before it is taken, and what a
//! crash would need is on disk before anything stops.
use super::{Interrupted, Plan, Running, busy, fail};
use crate::{
    executors::SessionChoice,
    handoff::Handoff,
    mux::{ClientId, PaneId},
    router::Refusal,
    server::{
        Server,
        harness::{Start, resume},
        panes::{STOP_GRACE, fresh_screen},
        reply::{Failure, Reply},
    },
    state::{Parked, SwitchProgress},
    switch::{self, Ground, Kept, Step, label},
};
use std::{sync::Arc, time::Duration};

/// How long a started harness may take until it is seen working or waiting, before the switch says so.
const CONFIRM_WAIT: Duration = Duration::from_secs(60);

impl Server {
    pub(super) fn begin_switch(
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
        let key = plan.key.clone().unwrap_or_else(|| ulid::Ulid::r#gen().to_string());
        let pane_key = self.state.panes.get(&id).map(|p| p.key.clone()).unwrap_or_default();
        self.recorder.switch_begin(&key, &pane_key, &Interrupted::plan(&plan));
        let running = Running {
            key,
            step: Step::Plan,
            ground,
            kept: None,
            handoff: Handoff::default(),
            reply,
            stopping: None,
            limited_until: self.state.panes.get(&id).and_then(|pane| pane.status.until),
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
    pub(super) fn step(&mut self, id: PaneId, step: Step) {
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
        self.step(id, Step::Handoff);
        let Some(running) = self.switches.get_mut(&id) else { return };
        let name = kept.as_ref().map(|k| format!("{} ({})", k.id, switch::short(&k.commit)));
        running.kept = kept;
        let file = self.place.handoffs().join(format!("{}.md", running.key));
        let (plan, ground) = (running.plan.clone(), running.ground.clone());
        let (key, vault, recorder) = (running.key.clone(), Arc::clone(&self.vault), self.recorder.clone());
        self.tasks.spawn(
            move || {
                let handoff = plan.handoff(&ground, name.as_deref(), &vault);
                let written = match handoff.text.is_empty() {
                    true => Ok(()),
                    false => crate::record::write(&file, handoff.text.as_bytes()),
                };
                // What follows cannot be taken back, so what was done is on disk before it.
                recorder.flush();
                (handoff, written.map_err(|error| format!("{} cannot be written: {error}", file.display())))
            },
            move |server, (handoff, written)| server.handoff_made(id, &key, handoff, written),
        );
    }

    fn handoff_made(&mut self, id: PaneId, key: &str, handoff: Handoff, written: Result<(), String>) {
        // It ended meanwhile, and maybe another began.
        let Some(running) = self.switches.get_mut(&id).filter(|running| running.key == key) else { return };
        if let Err(why) = written {
            self.fail_switch(id, &why, false);
            return;
        }
        running.handoff = handoff;
        let Some(screen) = self.screens.get_mut(&id) else { return };
        screen.on_exit = None;
        let pty = screen.pty.take();
        running.stopping = pty.as_ref().map(|pty| pty.mark().to_owned());
        self.step(id, Step::Stop);
        let recorder = self.recorder.clone();
        self.tasks.spawn(
            move || {
                recorder.flush();
                pty.map(|pty| pty.stop_blocking(STOP_GRACE)).unwrap_or_default()
            },
            move |server, stopped| {
                server.tell_killed(id, &stopped);
                server.harness_stopped(id, &stopped.left);
            },
        );
    }

    /// Once the next process runs; its CLI may have been looked at before, or installed.
    pub(super) fn step_deliver(&mut self, id: PaneId) {
        let started = self.switches.get(&id).is_some_and(|running| running.step == Step::Start)
            && self.screens.get(&id).is_some_and(|screen| screen.pty.is_some());
        if started {
            self.step(id, Step::Deliver);
        }
    }

    /// Ends whatever switch of a pane is under way or waits.
    pub(in crate::server) fn end_switches(&mut self, id: PaneId, why: &str) {
        self.fail_switch(id, why, false);
        self.retries.remove(&id);
        if let Some(waiting) = self.waiting_switches.remove(&id) {
            fail(waiting.reply, &Failure::Failed(format!("{id} did not switch: {why}")));
        }
    }

    /// Whether a pane's process is being stopped by its switch: its end is awaited there.
    pub(in crate::server) fn stops_for_switch(&self, id: PaneId) -> bool {
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
        let Some(running) = self.switches.get_mut(&id) else { return };
        running.stopping = None;
        let running_limit = running.limited_until;
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
                limited_until: running_limit,
                manner: harness.manner.clone(),
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
                manner: plan.manner.clone(),
            },
        );
        self.await_returns(id);
        // A start that failed has put its card up and ended the switch already.
        if !self.switches.contains_key(&id) {
            return;
        }
        self.step_deliver(id);
        let key = self.switches.get(&id).map(|r| r.key.clone());
        self.tasks.after(CONFIRM_WAIT, move |server| {
            if server.switches.get(&id).map(|r| r.key.clone()) == key {
                server.tell_all(&format!("{id} was started and has not been seen working yet; look at it"));
            }
        });
    }
}
