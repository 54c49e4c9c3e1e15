//! The writer lease: where the settings want it, one harness of a directory may write and the others only read.
use super::{
    Server,
    panes::STOP_GRACE,
    reply::Failure,
    verbs::{Answer, Outcome},
};
use crate::{
    commands::Target,
    mux::PaneId,
    router::Refusal,
    state::{Permission, target::Origin},
};
use serde_json::json;

impl Server {
    /// The other pane that may write where `id` works, while a harness runs in it.
    fn writer_beside(&self, id: PaneId) -> Option<PaneId> {
        let cwd = &self.state.panes.get(&id)?.cwd;
        let holder = *self.state.leases.get(cwd)?;
        let there = self.state.panes.get(&holder)?;
        (holder != id && there.harness.is_some() && there.exit.is_none() && there.cwd == *cwd)
            .then_some(holder)
    }

    /// What a launch may do: where nobody else writes, it takes the lease; else it only reads, and is told why.
    pub(super) fn lease(&mut self, id: PaneId, wanted: Permission) -> (Permission, Option<String>) {
        if !self.settings.writer_lease || matches!(wanted, Permission::Readonly | Permission::Plan) {
            return (wanted, None);
        }
        if let Some(holder) = self.writer_beside(id) {
            let note = format!(
                "{holder} has the writer lease here: this one only reads; inspan writer -t {id} passes it"
            );
            return (Permission::Readonly, Some(note));
        }
        if let Some(cwd) = self.state.panes.get(&id).map(|pane| pane.cwd.clone()) {
            self.state.leases.insert(cwd, id);
        }
        (wanted, None)
    }

    /// The verb `writer`: passes the lease, by starting both harnesses again in their sessions.
    pub(super) fn writer_verb(&mut self, target: &Target, as_json: bool, origin: &Origin) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        if !self.settings.writer_lease {
            return Err(Failure::Failed(
                "there is no writer lease: writer_lease = true in the settings".into(),
            ));
        }
        let pane = self.state.panes.get(&id).ok_or("no pane")?;
        let (cwd, harness) = (pane.cwd.clone(), pane.harness.as_ref());
        let reads = harness.ok_or_else(|| format!("no harness runs in {id}"))?.leased_out;
        let before = self.writer_beside(id);
        for pane in before.into_iter().chain(reads.then_some(id)) {
            if let Some(why) = self.in_turn(pane) {
                return Err(Failure::from(Refusal {
                    rule: "writer.working".into(),
                    reason: format!("{pane}: {why}, and it takes another permission only at a start"),
                    remedies: vec!["wait for the end of the turn, or interrupt it".into()],
                }));
            }
        }
        self.state.leases.insert(cwd, id);
        // The one after the other: while a harness is stopped nobody can tell that it has the lease.
        let then = move |server: &mut Self| {
            if let Some(before) = before {
                server.relaunch(before, |_| {});
            }
        };
        if reads {
            self.relaunch(id, then);
        } else {
            then(self);
        }
        let text = match before {
            Some(before) => format!("{id} writes now; {before} only reads"),
            None => format!("{id} writes"),
        };
        self.tell_all(&text);
        let value = json!({ "pane": id.to_string(), "before": before.map(|pane| pane.to_string()) });
        Ok(Outcome::Done(if as_json { format!("{value:#}\n") } else { text + "\n" }))
    }

    /// Stops a harness and starts it again where its conversation was, then goes on with `then`.
    pub(super) fn relaunch(&mut self, id: PaneId, then: impl FnOnce(&mut Self) + Send + 'static) {
        // What the CLI runs now is read while it runs.
        self.look_at_login(id, |server, id, _| {
            let Some(pty) = server.screens.get_mut(&id).and_then(|s| s.pty.take()) else { return };
            server.tasks.spawn(
                move || pty.stop_blocking(STOP_GRACE),
                move |server, stopped| {
                    server.tell_killed(id, &stopped);
                    server.start_again(id);
                    then(server);
                },
            );
        });
    }
}
