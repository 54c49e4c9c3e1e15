//! What a switch would do, in words, before anything stops: `--dry-run` and the dialog.
use super::{Plan, Wish};
use crate::{
    commands::{HandoffMode, Target},
    executors::{self, AgentPlaces},
    handoff::{Mode, Source},
    mux::PaneId,
    router::ExecutorId,
    server::{
        Server,
        verbs::{Answer, need_client, silent},
    },
    state::{
        Manner,
        overlay::{Overlay, SwitchDialog},
        target::Origin,
    },
    switch::{Ground, label},
};

impl Server {
    /// What a preview says, label by label.
    pub(super) fn preview_lines(
        &self,
        plan: &Plan,
        ground: &Ground,
        tokens: usize,
        handoff: &str,
    ) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut add = |name: &str, text: String| lines.push((name.to_owned(), text));
        let from = plan.from.as_ref().map(|h| h.route.executor.to_string());
        match (&plan.resume, &from) {
            (Some(_), _) => add("conversation", format!("your {} session here resumes", plan.to.executor)),
            (None, Some(from)) => {
                let known = plan.from.as_ref().is_some_and(|h| h.session.is_some());
                let parked =
                    if known { "parked (resumes when you come back)" } else { "ends (it has no id yet)" };
                add("conversation", format!("{from} session {parked}"));
            }
            (None, None) => add("conversation", "a new one".into()),
        }
        let window = plan.telling.context.map(|c| format!(" of {}k", c / 1000)).unwrap_or_default();
        if plan.from.is_some() {
            add(
                "handoff",
                match plan.telling.mode {
                    Mode::None => "none".into(),
                    _ => {
                        let source = match plan.telling.source {
                            Source::Gateway => "",
                            Source::Transcript => " · from its own record",
                            Source::Screen if plan.from.as_ref().is_some_and(|h| h.session.is_some()) => {
                                " · from its screen: its own record is missing or in no known format"
                            }
                            Source::Screen => " · from its screen",
                        };
                        format!("{handoff} · {}{window} tokens{source}", thousands(tokens))
                    }
                },
            );
        }
        let git = &ground.git;
        add(
            "workspace",
            if git.repository {
                let head = if git.head.is_empty() { "no commit yet" } else { git.head.as_str() };
                let busy = ground.operation.map(|o| format!(", {o} in progress")).unwrap_or_default();
                format!(
                    "{} {head}{busy}, {} changed  →  checkpoint {}",
                    git.branch, git.changed, ground.next_checkpoint
                )
            } else {
                ground.error.clone().unwrap_or_else(|| "not a repository: no checkpoint possible".into())
            },
        );
        if let Some(agent) = &plan.manner.agent {
            add("agent", format!("{agent} leads"));
        } else if !self.agents_of(plan.pane, &plan.to.executor).is_empty() {
            add("agent", "its own default".into());
        }
        if let Some(effort) = plan.manner.effort {
            add("effort", effort.as_str().into());
        }
        if let Some(why) = self.in_turn(plan.pane) {
            add("in flight", why);
        }
        if !plan.trusted {
            add("trust", format!("{} will ask whether it may load this directory's hooks", plan.to.executor));
        }
        lines
    }

    /// The names of an executor's own agents in a pane's workspace.
    fn agents_of(&self, id: PaneId, executor: &ExecutorId) -> Vec<String> {
        let Some(pane) = self.state.panes.get(&id) else { return Vec::new() };
        let env = self.env_of(id);
        let places = AgentPlaces { env: &env, cwd: &pane.cwd };
        let listed = executors::by_id(executor).ok().and_then(|executor| executor.agents(&places).ok());
        listed.into_iter().flatten().map(|agent| agent.name).collect()
    }

    /// `prefix e`: without an executor the panel, else the previewed dialog.
    pub(in crate::server) fn switch_dialog(
        &mut self,
        target: &Target,
        wish: Option<Wish>,
        handoff: HandoffMode,
        origin: &Origin,
    ) -> Answer {
        let client = need_client(origin)?;
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let Some(wish) = wish else {
            if let Some(client) = self.state.clients.get_mut(&client) {
                client.overlay = None;
            }
            return self.router_panel(&Target { target: Some(id.to_string()) }, false, origin);
        };
        let plan = self.plan_switch(id, &wish, handoff, false)?;
        self.gather(plan, move |server, plan, ground| {
            let made = plan.telling.handoff(&ground, Some("(made at the switch)"));
            let lines = server.preview_lines(&plan, &ground, made.tokens_estimate, word(handoff));
            let mut command = vec!["switch".to_owned(), "-t".into(), id.to_string()];
            command.extend(["--executor".into(), plan.to.executor.to_string()]);
            if let Some(model) = &plan.to.model {
                command.extend(["--model".into(), model.clone()]);
            }
            command.extend(manner_words(&plan.manner));
            if let Some(auth) = wish.auth {
                command.extend(["--auth".into(), auth]);
            }
            command.extend(["--handoff".into(), word(handoff).into()]);
            let agents = server.agents_of(id, &plan.to.executor);
            let dialog = SwitchDialog {
                agents,
                pane: id,
                from: plan.from.as_ref().map_or_else(|| "shell".into(), |h| label(&h.route)),
                to: label(&plan.to),
                how: format!("{} · {}", plan.to.auth, plan.to.provider),
                lines,
                handoff: crate::handoff::undressed(&made.text).to_owned(),
                preview: false,
                scroll: 0,
                edit: None,
                edited: false,
                command,
            };
            server.open(client, Overlay::Switch(dialog));
        });
        silent()
    }
}

/// What asks for a manner again.
pub(super) fn manner_words(manner: &Manner) -> Vec<String> {
    let effort = manner.effort.map(|effort| ["--effort".to_owned(), effort.as_str().to_owned()]);
    let agent = manner.agent.clone().map(|agent| ["--agent".to_owned(), agent]);
    effort.into_iter().chain(agent).flatten().collect()
}

pub(super) fn handoff_word(plan: &Plan) -> &'static str {
    mode_word(plan.telling.mode)
}

pub(super) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Full => "full",
        Mode::Brief => "brief",
        Mode::None => "none",
    }
}

fn thousands(tokens: usize) -> String {
    if tokens < 1000 { tokens.to_string() } else { format!("{:.1}k", tokens as f64 / 1000.0) }
}

fn word(handoff: HandoffMode) -> &'static str {
    match handoff {
        HandoffMode::Full => "full",
        HandoffMode::Brief => "brief",
        HandoffMode::None => "none",
    }
}
