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
    config::Settings,
    executors::SessionChoice,
    handoff::is_handoff,
    mux::{
        ClientId, PaneId, SessionId,
        keys::{Key, KeyCode, Mods},
        layout::{Axis, Share},
    },
    router::{ExecutorId, PlanRequest, plan},
    state::{Guide, Manner, Permission, ops::SplitPlace, target::Origin},
    term::input::KeyEvent,
    workspace,
};
use std::{collections::BTreeMap, path::Path, time::Duration};

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
            let rows: Vec<_> = rows.into_iter().map(|(row, _)| row).collect();
            let value = serde_json::json!({ "session": name, "workspace": workspace, "panes": rows });
            return Ok(Outcome::Done(serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"));
        }
        let mut text = format!("session {name} in {}\n", workspace.display());
        for row in &rows {
            text.push_str(row.0.get("line").and_then(|l| l.as_str()).unwrap_or_default());
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
            session.guide = Some(Guide::new(first));
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
        let claude = self.try_start(ExecutorId::CLAUDE, Some(FIRST_PROMPT), env, &dir)?;
        self.start_harness(first, claude);
        if let Some(second) = second {
            let codex = self.try_start(ExecutorId::CODEX, None, env, &dir)?;
            self.start_harness(second, codex);
        }
        self.start(shell, Launch::program(What::default().command));
        self.refresh_readiness(env, &dir, true);
        self.git_soon(session);
        self.look_again();
        Ok((session, first))
    }

    fn try_start(
        &mut self,
        executor: ExecutorId,
        prompt: Option<&str>,
        env: &BTreeMap<String, String>,
        dir: &Path,
    ) -> Result<Start, Failure> {
        let request = PlanRequest { executor, model: None, auth: None, rehearse: true };
        let facts = self.facts(env, dir);
        Ok(Start {
            route: plan(&request, &facts)?,
            // The scripted model runs only what the prompt on the screen says, in a repository made for it.
            permission: Permission::Full,
            session: SessionChoice::New(uuid::Uuid::new_v4()),
            prompt: prompt.map(str::to_owned),
            rehearse: true,
            trusted: true,
            install: true,
            manner: Manner::default(),
        })
    }

    fn guide_of(&mut self, id: PaneId) -> Option<&mut Guide> {
        let session = self.state.window_of(id).and_then(|w| self.state.session_of(w.id))?.id;
        self.state.sessions.get_mut(&session)?.guide.as_mut()
    }

    /// Looks whether the file was looked at.
    pub(super) fn guide_watch(&mut self, id: PaneId) {
        if self.guide_of(id).is_none_or(|guide| guide.ticked[LOOK]) {
            return;
        }
        if self.state.panes.get(&id).is_none_or(|pane| pane.harness.is_some()) {
            return;
        }
        let Some(emulator) = self.emulator(id) else { return };
        if !lock(&emulator).bottom_lines(SHELL_LINES).iter().any(|line| line.contains(LOOKED)) {
            return;
        }
        if let Some(guide) = self.guide_of(id) {
            guide.ticked[LOOK] = true;
            self.touch();
        }
    }

    /// A switch was confirmed; `changes` is what differs from before, which should be nothing.
    pub(super) fn guide_switched(&mut self, id: PaneId, head: &str, changes: &[String]) {
        let Some(guide) = self.guide_of(id) else { return };
        guide.pane = id;
        guide.ticked[SWITCH] = true;
        guide.kept = Some(match changes {
            [] => format!("Same HEAD {head}, same files"),
            [first, ..] => format!("Changed: {first}"),
        });
        self.touch();
    }

    /// A turn ended: the last step is done when the person asked after the switch. That the handoff was read is not it.
    pub(super) fn guide_answered(&mut self, id: PaneId) {
        let asked = self.harnesses.get(&id).and_then(|r| r.conversation.last_request());
        let asked = asked.is_some_and(|request| !is_handoff(request));
        let Some(guide) = self.guide_of(id).filter(|guide| guide.pane == id) else { return };
        if asked && guide.ticked[SWITCH] && !guide.ticked[ASK] {
            guide.ticked[ASK] = true;
            self.touch();
        }
    }

    /// The prefix arrived, so other prefixes need not be offered.
    pub(super) fn guide_prefix(&mut self, client: ClientId) {
        if let Some(link) = self.links.get_mut(&client) {
            link.prefix_seen = true;
        }
        let Some(client) = self.state.clients.get_mut(&client) else { return };
        let session = self.state.sessions.get_mut(&client.session);
        if let Some(guide) = session.and_then(|session| session.guide.as_mut()) {
            guide.offer = None;
            // The hint for the key behind the prefix is wanted now.
            client.message = None;
        }
    }

    /// A client came to a guided session: if its prefix does not arrive for a while, another is offered. Some terminals
    /// and input methods keep C-Space to themselves.
    pub(super) fn guide_attached(&mut self, client: ClientId, session: SessionId) {
        if self.state.sessions.get(&session).is_none_or(|s| s.guide.is_none()) {
            return;
        }
        self.tasks.after(PREFIX_WAIT, move |server| server.guide_offer(client, session));
    }

    fn guide_offer(&mut self, client: ClientId, session: SessionId) {
        if self.links.get(&client).is_none_or(|link| link.prefix_seen) {
            return;
        }
        let prefix = self.keys.prefix_notation().to_owned();
        let Some(looks) = self.state.clients.get(&client).filter(|c| c.session == session) else { return };
        let Some(guide) = self.state.sessions.get(&session).and_then(|s| s.guide.as_ref()) else { return };
        if guide.next().is_none() {
            return;
        }
        if !guide.hint(&self.state, looks, &prefix).prefix {
            // It waits for something else; ask again when that may be over.
            self.tasks.after(PREFIX_WAIT, move |server| server.guide_offer(client, session));
            return;
        }
        if let Some(guide) = self.state.sessions.get_mut(&session).and_then(|s| s.guide.as_mut()) {
            guide.offer = Some(after_prefix(&prefix).to_owned());
        }
        self.dirty_all();
    }

    /// F9 while another prefix is offered: it is the prefix for the rest of this server's life.
    pub(super) fn key_for_guide(&mut self, client: ClientId, event: &KeyEvent) -> bool {
        if event.key != Key::new(KeyCode::F(OFFER_KEY), Mods::NONE) {
            return false;
        }
        let session = self.state.clients.get(&client).map(|c| c.session);
        let guide = session.and_then(|s| self.state.sessions.get_mut(&s)?.guide.as_mut());
        let Some(offered) = guide.and_then(|guide| guide.offer.take()) else { return false };
        self.settings.prefix.clone_from(&offered);
        self.scripted.settings.insert("prefix".into(), offered.clone().into());
        self.bind_keys();
        self.tell(client, format!("{offered} now; prefix = \"{offered}\" in config.toml keeps it"));
        if let Some(session) = session {
            self.guide_attached(client, session);
        }
        true
    }

    /// How to keep the prefix that F9 took, for a person who leaves a ride.
    pub(super) fn guide_farewell(&self, session: SessionId) -> String {
        let mut text = String::new();
        if self.state.sessions.get(&session).is_none_or(|s| s.guide.is_none()) {
            return text;
        }
        let prefix = self.keys.prefix_notation();
        if prefix != Settings::default().prefix && OTHER_PREFIXES.contains(&prefix) {
            let file = self.paths.config_file();
            text.push_str(&format!("\nto keep the prefix: prefix = \"{prefix}\" in {}", file.display()));
        }
        text
    }
}

/// The steps, in their order.
const LOOK: usize = 0;
const SWITCH: usize = 1;
const ASK: usize = 2;

/// Rows of the shell that are read for the file's line: more than a shell pane of a ride has.
const SHELL_LINES: usize = 40;

/// How long the prefix may stay away while the guide waits for it: time to read a line and find two keys.
const PREFIX_WAIT: Duration = Duration::from_secs(20);

/// The function key that takes another prefix; terminals keep F1, F10 and F11 to themselves.
const OFFER_KEY: u8 = 9;

/// Prefixes to offer, in turn: tmux's, screen's, and one that shells use for nothing but a bell.
const OTHER_PREFIXES: [&str; 3] = ["C-b", "C-a", "C-g"];

/// The prefix to offer to somebody whose prefix does not arrive.
fn after_prefix(prefix: &str) -> &'static str {
    let at = OTHER_PREFIXES.iter().position(|other| *other == prefix);
    OTHER_PREFIXES[at.map_or(0, |at| (at + 1) % OTHER_PREFIXES.len())]
}
