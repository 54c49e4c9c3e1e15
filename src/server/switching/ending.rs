//! How a switch ends: confirmed and compared, or failed with the ways on.
use super::{Running, again, fail};
use crate::{
    mux::PaneId,
    server::{Server, reply::Failure},
    state::{Status, StatusSource, SwitchProgress},
    switch::{Report, Step, label},
};

impl Server {
    /// Called at each new status: the next harness was seen working or waiting, the handoff is with it.
    pub(in crate::server) fn confirm_switch(&mut self, id: PaneId) {
        self.step_deliver(id);
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
    pub(in crate::server) fn fail_switch(&mut self, id: PaneId, why: &str, stopped: bool) {
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
            let plan = &running.plan;
            let words = again(id, &to, &plan.manner, plan.telling.mode, plan.told.as_deref(), &running.key);
            self.retries.insert(id, words);
        }
        fail(running.reply, &Failure::Failed(message.clone()));
        self.tell_all(&message);
    }
}
