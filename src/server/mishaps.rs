//! What went wrong with a CLI, each thing in its own words with the way on: a session that is gone, a process that would
//! not end when asked.
use super::{Server, panes::STOP_GRACE};
use crate::{mux::PaneId, term::pty::processes::Stopped};

/// How a process that had to be killed is told.
pub(super) fn killed(stopped: &Stopped) -> Option<String> {
    let many = stopped.killed.len();
    (many > 0).then(|| {
        let who = if many == 1 { "a process".to_owned() } else { format!("{many} processes") };
        let seconds = STOP_GRACE.as_secs();
        format!(
            "{who} did not end when asked and was killed after {seconds} s; what it had not saved is gone"
        )
    })
}

impl Server {
    /// A harness ended that was to go on with a session and never did: says so where its CLI keeps that one no more.
    pub(super) fn look_for_session(&mut self, id: PaneId) {
        let Some(executor) = self.executor_of(id) else { return };
        let (Some(runtime), Some(pane)) = (self.harnesses.get(&id), self.state.panes.get(&id)) else {
            return;
        };
        let Some(session) = runtime.resumed.clone().filter(|_| runtime.turns == 0 && !runtime.heard) else {
            return;
        };
        let (home, cwd, asked) = (runtime.config_home.clone(), pane.cwd.clone(), session.clone());
        self.tasks.spawn(
            move || executor.holds(&home, &cwd, &asked),
            move |server, holds| {
                let pane = server.state.panes.get_mut(&id).filter(|_| !holds);
                let Some((pane, title)) = pane.map(|pane| (pane, executor.title())) else { return };
                let Some(card) = pane.exit.as_mut() else { return };
                for (key, meaning) in &mut card.keys {
                    match key.as_str() {
                        "r" => "try it again".clone_into(meaning),
                        "f" => "begin a new session".clone_into(meaning),
                        _ => {}
                    }
                }
                pane.notes.push(format!(
                    "{title} keeps no session {session} for this directory any more: resume or fresh?"
                ));
                server.dirty_all();
            },
        );
    }

    /// Tells, once, that something had to be killed.
    pub(super) fn tell_killed(&mut self, id: PaneId, stopped: &Stopped) {
        if let Some(words) = killed(stopped) {
            if let Some(pane) = self.state.panes.get_mut(&id) {
                self.recorder.journal("", &pane.key, "harness.killed", serde_json::json!({ "said": words }));
            }
            self.tell_all(&format!("{id}: {words}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_killed_is_told() {
        assert_eq!(killed(&Stopped::default()), None);
        let one = killed(&Stopped { killed: vec![7], left: Vec::new() }).unwrap();
        assert!(one.starts_with("a process did not end when asked and was killed after 5 s"), "{one}");
        assert!(
            killed(&Stopped { killed: vec![7, 8], left: Vec::new() }).unwrap().starts_with("2 processes")
        );
    }
}
