//! `inspan try`: the whole product on the rehearsal provider, in a scratch repository, with three guided steps.
use super::{
    Server,
    harness::Start,
    panes::{Launch, lock},
    reply::Failure,
    verbs::{Answer, Outcome},
};
use crate::{
    commands::What,
    executors::SessionChoice,
    mux::{
        ClientId, PaneId, SessionId,
        layout::{Axis, Share},
    },
    router::{ExecutorId, PlanRequest, plan},
    state::{Guide, Permission, ops::SplitPlace, target::Origin},
    workspace,
};
use std::collections::BTreeMap;

/// From this many columns two harnesses stand side by side, with a shell below the second.
const TWO_HARNESSES: u16 = 110;

/// A detached `try` is as large as one that shows everything but the panel.
const DETACHED_SIZE: (u16, u16) = (140, 42);

/// What the first pane is asked: the rehearsal model runs the command and reports.
const FIRST_PROMPT: &str = "Write a short greeting into hello.txt and commit it. \
[[run: echo 'hello from the first harness' > hello.txt && git add hello.txt && git commit -qm 'Add hello.txt' && git log --oneline -1]]";

/// What the shell shows once the person looked at the file.
const LOOKED: &str = "hello from the first harness";

impl Server {
    /// `inspan try --detached`.
    pub(super) fn try_detached(
        &mut self,
        _origin: &Origin,
        env: &BTreeMap<String, String>,
        json: bool,
    ) -> Answer {
        let (session, _) = self.create_try(env, DETACHED_SIZE)?;
        let rows = self.pane_rows(Some(session));
        let name = self.state.sessions.get(&session).map(|s| s.name.clone()).unwrap_or_default();
        let workspace = self.state.sessions.get(&session).map(|s| s.workspace.clone()).unwrap_or_default();
        if json {
            let value = serde_json::json!({ "session": name, "workspace": workspace, "panes": rows });
            return Ok(Outcome::Done(serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"));
        }
        let mut text = format!("session {name} in {}\n", workspace.display());
        for row in &rows {
            text.push_str(row.get("line").and_then(|l| l.as_str()).unwrap_or_default());
            text.push('\n');
        }
        text.push_str(&format!("attach with: inspan attach -t {name}\n"));
        Ok(Outcome::Done(text))
    }

    /// The layout at once; what is missing is installed in the panes, in view.
    pub(super) fn create_try(
        &mut self,
        env: &BTreeMap<String, String>,
        size: (u16, u16),
    ) -> Result<(SessionId, PaneId), Failure> {
        let dir = self.place.state.join("try");
        std::fs::create_dir_all(&dir)
            .map_err(|e| Failure::Failed(format!("cannot create {}: {e}", dir.display())))?;
        let place = (1..)
            .map(|n| dir.join(format!("ride-{n}")))
            .find(|p| !p.exists())
            .ok_or("no free directory for the scratch repository")?;
        let dir = workspace::create_scratch(&place).map_err(|e| Failure::Failed(e.to_string()))?;
        let name = self.state.free_session_name("try");
        let first = self.state.new_pane(ulid::Ulid::r#gen().to_string(), &dir, Self::now());
        let panel = if crate::ui::docks_by_itself(size.0) { crate::ui::PANEL_WIDTH } else { 0 };
        let area = (size.0.saturating_sub(panel).max(1), size.1.saturating_sub(1).max(1));
        let session = self.state.new_session(name, dir.clone(), area, first);
        if let Some(session) = self.state.sessions.get_mut(&session) {
            session.rehearse = true;
            session.guide = Some(guide(&self.settings.prefix));
        }
        self.session_env.insert(session, env.clone());
        let two = area.0 >= TWO_HARNESSES;
        let second = two.then(|| {
            let pane = self.state.new_pane(ulid::Ulid::r#gen().to_string(), &dir, Self::now());
            let place = SplitPlace { axis: Axis::Horizontal, share: Share::Half, before: false };
            self.state.split(first, pane, place, false);
            pane
        });
        let shell = self.state.new_pane(ulid::Ulid::r#gen().to_string(), &dir, Self::now());
        let place = SplitPlace { axis: Axis::Vertical, share: Share::Percent(30), before: false };
        self.state.split(second.unwrap_or(first), shell, place, false);
        self.resize_panes();
        for pane in [Some(first), second, Some(shell)].into_iter().flatten() {
            self.open_screen(pane);
        }
        let claude = self.try_start(ExecutorId::CLAUDE, Some(FIRST_PROMPT), env)?;
        self.start_harness(first, claude);
        if let Some(second) = second {
            let codex = self.try_start(ExecutorId::CODEX, None, env)?;
            self.start_harness(second, codex);
        }
        self.start(shell, Launch::program(What::default().command));
        self.refresh_readiness(env, true);
        self.git_soon(session);
        self.look_again();
        Ok((session, first))
    }

    fn try_start(
        &mut self,
        executor: ExecutorId,
        prompt: Option<&str>,
        env: &BTreeMap<String, String>,
    ) -> Result<Start, Failure> {
        let request = PlanRequest { executor, model: None, auth: None, rehearse: true };
        let facts = self.facts(env);
        Ok(Start {
            route: plan(&request, &facts)?,
            // The scripted model runs only what the prompt on the screen says, in a repository made for it.
            permission: Permission::Full,
            session: SessionChoice::New(uuid::Uuid::new_v4()),
            prompt: prompt.map(str::to_owned),
            rehearse: true,
            trusted: true,
            install: true,
        })
    }

    fn tick_step(&mut self, session: SessionId, step: usize) {
        let Some(guide) = self.state.sessions.get_mut(&session).and_then(|s| s.guide.as_mut()) else {
            return;
        };
        if guide.steps.iter().take(step).any(|(_, done)| !done) {
            return;
        }
        if let Some((_, done)) = guide.steps.get_mut(step).filter(|(_, done)| !done) {
            *done = true;
            self.touch();
        }
    }

    /// Looks for what the first and third steps wait for.
    pub(super) fn guide_watch(&mut self, id: PaneId) {
        let session = self.state.window_of(id).and_then(|w| self.state.session_of(w.id));
        let Some(session) = session.filter(|s| s.guide.is_some()).map(|s| s.id) else { return };
        let Some(pane) = self.state.panes.get(&id) else { return };
        if pane.harness.is_none() {
            let Some(emulator) = self.emulator(id) else { return };
            let shown = lock(&emulator).bottom_lines(40);
            if shown.iter().any(|line| line.contains(LOOKED)) {
                self.tick_step(session, 0);
            }
        }
    }

    /// A switch was confirmed: the second step is done.
    pub(super) fn guide_switched(&mut self, id: PaneId) {
        if let Some(session) = self.session_id_of(id) {
            self.tick_step(session, 1);
        }
    }

    /// A turn ended in a pane that was switched before: the third step is done.
    pub(super) fn guide_answered(&mut self, id: PaneId) {
        let switched =
            self.state.panes.get(&id).and_then(|p| p.harness.as_ref()).is_some_and(|h| !h.parked.is_empty());
        if let (true, Some(session)) = (switched, self.session_id_of(id)) {
            self.tick_step(session, 2);
        }
    }

    fn session_id_of(&self, id: PaneId) -> Option<SessionId> {
        self.state.window_of(id).and_then(|w| self.state.session_of(w.id)).map(|s| s.id)
    }

    /// The prefix arrived, so other prefixes need not be offered.
    pub(super) fn guide_prefix(&mut self, client: ClientId) {
        if let Some(link) = self.links.get_mut(&client) {
            link.prefix_seen = true;
        }
    }
}

/// The three steps.
fn guide(prefix: &str) -> Guide {
    let step = |text: String| (text, false);
    Guide {
        steps: vec![
            step(format!("look at the file: {prefix} o until the shell has the focus, then: cat hello.txt")),
            step(format!(
                "switch claude to codex: {prefix} o back to it, then {prefix} e, choose codex, Enter"
            )),
            step("ask codex what was done: type  what was done? [[recall: hello]]  and Enter".into()),
        ],
        done: "done: files, git state and the conversation carried over. Yours: cd your-repo && inspan"
            .into(),
    }
}
