//! What each pane is doing, and who says so.
use super::{
    Server,
    harness::{SUBMIT_WAIT, Waiter},
    panes::lock,
    reply::Failure,
};
use crate::{
    executors::Signals,
    gateway::LedgerRow,
    handoff::{Role, Turn},
    mux::{ClientId, PaneId, SessionId},
    state::{Status, StatusReport, StatusSource},
    term::emulator::TermEvent,
    workspace,
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// Output settles this long before the screen is read for a status: a spinner's frame is no news.
const SETTLE: Duration = Duration::from_millis(120);

/// How long after the final answer the CLI may take to show that it is idle.
const ANSWER_WAIT: Duration = Duration::from_millis(1500);
/// How long a failed request leaves a CLI to say that it tries again before "idle" means that it gave up: its state file
/// was seen to follow by a few hundred milliseconds.
const FAILED_WAIT: Duration = Duration::from_millis(1000);

/// After an answer that calls tools the CLI may look idle for so long, because what it wrote of its state is from before
/// the turn. One that gave the turn up stays idle.
const TOOL_WAIT: Duration = Duration::from_millis(1500);

/// Lines at the live bottom of a screen that status rules may read.
const BOTTOM_LINES: usize = 14;

/// How long after a change git is asked again; a build writes thousands of files.
const GIT_SETTLE: Duration = Duration::from_millis(400);

/// The status of a request whose harness went away before its answer.
const GONE: u16 = 499;

/// A title longer than this is cut: it is drawn in a border.
const TITLE_LIMIT: usize = 200;

impl Server {
    /// Looks at a pane's screen for its status once its output has settled.
    pub(super) fn watch_soon(&mut self, id: PaneId) {
        let harness = self.harnesses.contains_key(&id);
        let guided = self.state.sessions.values().any(|s| s.guide.is_some());
        if !harness && !guided {
            return;
        }
        if let Some(screen) = self.screens.get_mut(&id) {
            screen.watch_due.get_or_insert_with(|| Instant::now() + SETTLE);
        }
    }

    /// Looks at every pane whose time has come.
    pub(super) fn watch_due(&mut self, now: Instant) {
        let due: Vec<PaneId> = self
            .screens
            .iter()
            .filter(|(_, s)| s.watch_due.is_some_and(|d| d <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if let Some(screen) = self.screens.get_mut(&id) {
                screen.watch_due = None;
            }
            self.watch(id);
            self.guide_watch(id);
        }
    }

    /// The live bottom of a pane's screen, as status rules read it.
    pub(super) fn bottom(&self, id: PaneId) -> Vec<String> {
        self.screens
            .get(&id)
            .map(|screen| lock(&screen.emulator).bottom_lines(BOTTOM_LINES))
            .unwrap_or_default()
    }

    /// What is known of the CLI's state at this moment, by the best source that says something.
    pub(super) fn look(&self, id: PaneId) -> Option<StatusReport> {
        self.weigh(id, self.shown(id))
    }

    /// The typed protocol's word goes first. Dialogs that stand before any thread are on the screen alone.
    fn weigh(&self, id: PaneId, shown: Option<StatusReport>) -> Option<StatusReport> {
        match (self.control_report(id), shown) {
            (Some(typed), Some(shown))
                if typed.status == Status::Idle && shown.status == Status::NeedsYou =>
            {
                Some(shown)
            }
            // One that is there before its TUI takes no prompt yet; the first one may be on its way.
            (Some(typed), None)
                if typed.status == Status::Idle
                    && self.control_is_tuis_own(id)
                    && self
                        .state
                        .panes
                        .get(&id)
                        .is_some_and(|pane| pane.status.status == Status::Starting) =>
            {
                None
            }
            (Some(typed), _) => Some(typed),
            (None, shown) => shown,
        }
    }

    /// What the CLI shows of its state at this moment.
    fn shown(&self, id: PaneId) -> Option<StatusReport> {
        let executor = self.executor_of(id)?;
        let (screen, pane, runtime) =
            (self.screens.get(&id)?, self.state.panes.get(&id)?, self.harnesses.get(&id)?);
        if screen.pty.is_none() || pane.exit.is_some() {
            return None;
        }
        let bottom = self.bottom(id);
        executor.watch(&Signals {
            title: &pane.title,
            osc7501: screen.agent_state.as_deref(),
            bottom: &bottom,
            pid: pane.pid,
            config_home: Some(&runtime.config_home),
        })
    }

    pub(super) fn watch(&mut self, id: PaneId) {
        let shown = self.shown(id);
        let Some(report) = self.weigh(id, shown.clone()) else { return };
        let report = self.with_reset(id, report);
        let now = Self::now();
        let (Some(pane), Some(runtime)) = (self.state.panes.get(&id), self.harnesses.get_mut(&id)) else {
            return;
        };
        for said in shown.into_iter().chain([report.clone()]) {
            runtime.observed.insert(said.source, (said, now));
        }
        let typed = report.source == StatusSource::Protocol;
        let answers = matches!(report.status, Status::Working | Status::NeedsYou);
        let submitted = answers && runtime.submitted.take().is_some();
        let main_in_flight = runtime.in_flight.values().any(|c| *c == crate::executors::Class::Main);
        // A request in flight outranks what the screen says, but a question on the screen is not asked while the
        // model still speaks; it belongs to the tool that runs meanwhile. A typed protocol may be behind the request
        // with the beginning of the turn.
        let at_rest = matches!(report.status, Status::Idle | Status::Done);
        if main_in_flight && report.status != Status::NeedsYou && (!typed || at_rest) {
            return;
        }
        let report = match &runtime.failed {
            // The CLI says that it is at work; the gateway knows better at what.
            Some(why) if report.status == Status::Working && !typed => {
                StatusReport::new(Status::Retrying, StatusSource::Gateway, why.clone())
            }
            _ => report,
        };
        if at_rest {
            // A sub-agent that works in the background leaves the prompt free, and the turn is not over.
            if runtime.in_flight.values().any(|c| *c == crate::executors::Class::Subagent) {
                let busy =
                    StatusReport::new(Status::Working, StatusSource::Gateway, "a sub-agent is at work");
                self.set_status(id, busy);
                return;
            }
            if !typed && runtime.tools_called.is_some_and(|at| at.elapsed() < TOOL_WAIT) {
                return;
            }
            // Just after a prompt was typed the CLI still looks idle; `check_submitted` looks again.
            if runtime.submitted.is_some() {
                return;
            }
            if runtime.failed.is_some() && runtime.failed_at.is_some_and(|at| at.elapsed() < FAILED_WAIT) {
                return;
            }
            self.settled(id, report);
        } else {
            let starting = pane.status.status == Status::Starting;
            let began = report.status == Status::Working
                && runtime.token.is_empty()
                && (submitted || pane.status.status != Status::Working);
            // A typed protocol calls a pane limited once it has given the turn up.
            let over = report.status == Status::Limited && report.source == StatusSource::Protocol;
            self.set_status(id, report);
            if over && let Some(why) = self.harnesses.get_mut(&id).and_then(|r| r.failed.take()) {
                self.turn_failed(id, &why);
            }
            if began {
                self.look_at_login(id, move |server, id, _| {
                    if starting && let Some(runtime) = server.harnesses.get_mut(&id) {
                        // What a resumed session said long ago ends no turn.
                        runtime.ended_with = Arc::clone(&runtime.conversation);
                    }
                });
            }
        }
    }

    /// A source other than the screen said something.
    pub(super) fn observe(&mut self, id: PaneId, source: StatusSource, status: Status, detail: &str) {
        let report = StatusReport::new(status, source, detail);
        if let Some(runtime) = self.harnesses.get_mut(&id) {
            runtime.observed.insert(source, (report.clone(), Self::now()));
        }
        // A request in flight is no news to a protocol that says that a turn runs.
        if report.status == Status::Working && self.control_works(id) {
            self.watch(id);
            return;
        }
        self.set_status(id, report);
    }

    /// A `Main` request ended: the turn goes on when tools were called, else it is over.
    pub(super) fn main_ended(
        &mut self,
        id: PaneId,
        row: &LedgerRow,
        answer: Option<String>,
        calls_tools: bool,
        wait: Option<Duration>,
    ) {
        let blocked = self.blocked_by(id, row.status, wait);
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        let answer = answer.unwrap_or_default();
        if !answer.is_empty() {
            let turn = Turn { role: Role::Assistant, text: answer.clone() };
            Arc::make_mut(&mut runtime.conversation).turns.push(turn);
            runtime.last_answer = answer;
        }
        runtime.tools_called = calls_tools.then(Instant::now);
        if runtime.in_flight.values().any(|c| *c == crate::executors::Class::Main) {
            return;
        }
        let failed = row.status != GONE && (row.status >= 400 || !row.error.is_empty());
        if failed {
            runtime.blocked = blocked;
            runtime.failed = Some(row.error.clone());
            runtime.failed_at = Some(Instant::now());
            self.tasks.after(FAILED_WAIT, move |server| server.watch_soon(id));
        }
        // A budget that is used up is a limit as well, one of the person's own.
        if matches!(row.status, 402 | 429) {
            let report = StatusReport::new(Status::Limited, StatusSource::Gateway, row.error.as_str());
            let report = self.with_reset(id, report);
            if let Some(runtime) = self.harnesses.get_mut(&id) {
                runtime.observed.insert(StatusSource::Gateway, (report.clone(), Self::now()));
            }
            self.set_status(id, report);
        } else if failed {
            // Whether it tries again is the CLI's to decide, and shows on its screen when it has decided otherwise.
            self.observe(id, StatusSource::Gateway, Status::Retrying, &row.error);
        } else if row.status == GONE {
            // Interrupted: the CLI says itself what it does next.
        } else if calls_tools {
            self.tasks.after(TOOL_WAIT, move |server| server.watch_soon(id));
            self.observe(id, StatusSource::Gateway, Status::Working, "a tool runs");
        } else {
            let Some(runtime) = self.harnesses.get_mut(&id) else { return };
            runtime.answered_last = true;
            let turns = runtime.turns;
            // The CLI itself says when it takes the next prompt; if it says nothing, the answer's end has to do.
            self.tasks.after(ANSWER_WAIT, move |server| {
                // Background work goes on behind an answer; the screen shows when it is over.
                let works = server.look(id).is_some_and(|report| report.status == Status::Working);
                let ended = server.harnesses.get(&id).is_some_and(|r| r.answered_last && r.turns == turns);
                if ended && !works {
                    let report = StatusReport::new(Status::Idle, StatusSource::Gateway, "the answer ended");
                    server.settled(id, report);
                }
            });
        }
        self.watch_soon(id);
        self.git_soon_of(id);
    }

    /// The CLI takes a prompt: type what waits, and tell idle from done.
    fn settled(&mut self, id: PaneId, mut report: StatusReport) {
        let Some(pane) = self.state.panes.get(&id) else { return };
        let was = pane.status.status.clone();
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        // On the gateway a turn begins with a `Main` request, not with a spinner while the CLI starts.
        let typed = report.source == StatusSource::Protocol;
        let began = runtime.token.is_empty() || runtime.heard || typed;
        let by_login = runtime.token.is_empty();
        let worked =
            began && matches!(was, Status::Working | Status::NeedsYou | Status::Retrying | Status::Limited);
        let by_cli = report.source != StatusSource::Gateway;
        // What failed behind the gateway is known to a typed protocol alone.
        let told = report.failure().filter(|_| typed && worked).map(str::to_owned);
        if let (true, Some(why)) = (by_cli, runtime.failed.take().or(told)) {
            report.detail = StatusReport::failure_detail(&why);
            self.turn_failed(id, &why);
            if let Some(limited) = self.still_limited(id, &report.detail) {
                self.set_status(id, limited);
                return;
            }
        } else if worked && by_login {
            // Under `login` the CLI's records tell what was said; one that was busy with its own start ended no turn.
            self.look_at_login(id, |server, id, more| {
                if more {
                    server.turn_over(id);
                    server.unseen(id);
                }
            });
        } else if worked || std::mem::take(&mut runtime.answered_last) {
            self.turn_over(id);
        }
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        if let Some(text) = runtime.pending.pop_front() {
            // One prompt at a time: the CLI will be seen idle again behind it.
            self.set_status(id, StatusReport { status: Status::Working, ..report });
            if let Err(why) = self.submit(id, &text) {
                self.tell_all(&why);
            }
            return;
        }
        let watched = self.is_watched(id);
        if !watched && (worked && !by_login || was == Status::Done) {
            report.status = Status::Done;
        } else {
            report.status = Status::Idle;
        }
        self.set_status(id, report);
    }

    /// A turn ended that was known to have ended only after the CLI was seen idle.
    fn unseen(&mut self, id: PaneId) {
        let report = self.state.panes.get(&id).map(|pane| pane.status.clone());
        if let Some(report) = report.filter(|r| r.status == Status::Idle && !self.is_watched(id)) {
            self.set_status(id, StatusReport { status: Status::Done, ..report });
        }
    }

    /// The CLI gave a request up and takes a prompt again.
    fn turn_failed(&mut self, id: PaneId, why: &str) {
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        runtime.turns += 1;
        runtime.submitted = None;
        runtime.answered_last = false;
        for Waiter { reply, .. } in runtime.waiters.drain(..) {
            reply.fail(&Failure::Failed(format!("the turn of {id} failed: {why}")));
        }
        let blocked = runtime.blocked.is_some();
        self.forget_writes(id);
        self.keep_conversation(id);
        self.switch_when_done(id);
        if blocked && !self.switches.contains_key(&id) {
            self.offer_fallback(id);
        }
    }

    fn turn_over(&mut self, id: PaneId) {
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        runtime.turns += 1;
        runtime.answered_last = false;
        runtime.submitted = None;
        runtime.ended_with = Arc::clone(&runtime.conversation);
        let answer = runtime.last_answer.clone();
        for mut reply in runtime.answered() {
            if !answer.is_empty() {
                reply.line(&answer);
            }
            reply.done();
        }
        self.forget_writes(id);
        self.keep_conversation(id);
        self.keep_turn(id);
        self.guide_answered(id);
        self.switch_when_done(id);
    }

    /// Whether somebody looks at a pane: it is focused in an attached client's shown window.
    fn is_watched(&self, id: PaneId) -> bool {
        self.state.clients.keys().any(|c| self.state.focused_pane(*c) == Some(id))
    }

    /// Sets a status; its beginning is remembered, and clients that do not look are told what changed.
    pub(crate) fn set_status(&mut self, id: PaneId, report: StatusReport) {
        let now = Self::now();
        let Some(pane) = self.state.panes.get_mut(&id) else { return };
        if pane.status == report {
            return;
        }
        let limit =
            report.until.filter(|_| report.status == Status::Limited && report.until != pane.status.until);
        // Behind the gateway the CLI may try again; it is the end of the turn that says that it does not.
        let stuck = report.status == Status::Limited && report.source != StatusSource::Gateway;
        let works = report.status == Status::Working;
        if pane.status.status != report.status {
            pane.status_since = now;
            if pane.harness.is_some() {
                let data = serde_json::json!({
                    "status": report.status.as_str(), "was": pane.status.status.as_str(), "source": report.source,
                    "detail": report.detail,
                });
                self.recorder.journal("", &pane.key, "status", data);
            }
            self.call_for(id, &report.status);
            self.status_hook(id, &report.status);
        }
        if let Some(pane) = self.state.panes.get_mut(&id) {
            pane.status = report;
        }
        if let Some(runtime) = self.harnesses.get_mut(&id).filter(|_| works) {
            runtime.offered = false;
        }
        if let Some(until) = limit {
            self.await_reset(id, until);
        }
        if stuck {
            self.offer_fallback(id);
        }
        self.confirm_switch(id);
        self.dirty_all();
    }

    /// A client looks at a pane: what was done is seen.
    pub(super) fn seen(&mut self, client: ClientId) {
        let Some(id) = self.state.focused_pane(client) else { return };
        if let Some(client) = self.state.clients.get_mut(&client) {
            client.unseen.remove(&id);
        }
        let Some(pane) = self.state.panes.get_mut(&id) else { return };
        if pane.status.status == Status::Done {
            pane.status.status = Status::Idle;
            self.dirty_all();
        }
    }

    /// Something that a pane's process told its terminal.
    pub(super) fn pane_event(&mut self, id: PaneId, event: TermEvent) {
        match event {
            TermEvent::Title(title) => {
                if let Some(pane) = self.state.panes.get_mut(&id) {
                    pane.title = title.chars().filter(|c| !c.is_control()).take(TITLE_LIMIT).collect();
                }
                self.hook("pane-title-changed", id);
            }
            TermEvent::AgentState(payload) => {
                if let Some(screen) = self.screens.get_mut(&id) {
                    screen.agent_state = Some(payload);
                    screen.watch_due = Some(Instant::now());
                }
                self.control_begin(id, true);
            }
            TermEvent::Bell => {
                self.hook("alert-bell", id);
                let clients: Vec<ClientId> = self
                    .state
                    .clients
                    .keys()
                    .copied()
                    .filter(|c| self.state.shown_window(*c).is_some_and(|w| w.contains(id)))
                    .collect();
                for client in clients {
                    self.send(client, b"\x07".to_vec());
                }
            }
            TermEvent::Clipboard { selection, data } => self.pane_copied(id, &selection, &data),
            TermEvent::ClipboardQuery { selection } => self.pane_asks_clipboard(id, &selection),
            TermEvent::Notify { title, body } => self.pane_notifies(id, &title, &body),
            TermEvent::Progress { state, percent } => self.pane_progress(id, state, percent),
            TermEvent::Cwd(_) | TermEvent::PromptMark(_) => {}
            TermEvent::Rebuilt => tracing::warn!(pane = %id, "the emulator was rebuilt"),
        }
    }

    /// After a submitted prompt: says so when the harness does not start working.
    pub(super) fn check_submitted(&mut self, id: PaneId) {
        self.tasks.after(SUBMIT_WAIT, move |server| {
            let Some(runtime) = server.harnesses.get_mut(&id) else { return };
            if runtime.submitted.is_none_or(|at| at.elapsed() < SUBMIT_WAIT) {
                return;
            }
            runtime.submitted = None;
            server.tell_all(&format!("{id} was given a prompt and has not started working; look at it"));
            server.watch_soon(id);
        });
    }

    /// Asks git about a session's workspace once changes have settled.
    pub(super) fn git_soon(&mut self, session: SessionId) {
        if let Some(dir) = self.state.sessions.get(&session).map(|s| s.workspace.clone()) {
            self.git_due.entry(dir).or_insert_with(|| Instant::now() + GIT_SETTLE);
        }
    }

    /// The same for a pane's session.
    pub(super) fn git_soon_of(&mut self, id: PaneId) {
        let session = self.state.window_of(id).and_then(|w| self.state.session_of(w.id)).map(|s| s.id);
        if let Some(session) = session {
            self.git_soon(session);
        }
    }

    /// Asks git where it is due; one question a workspace at a time.
    pub(super) fn git_now(&mut self, now: Instant) {
        let due: Vec<PathBuf> =
            self.git_due.iter().filter(|(_, d)| **d <= now).map(|(dir, _)| dir.clone()).collect();
        for dir in due {
            self.git_due.remove(&dir);
            if !self.git_busy.insert(dir.clone()) {
                // The answer under way may be of before the change: ask again behind it.
                self.git_due.insert(dir, now + GIT_SETTLE);
                continue;
            }
            let asked = dir.clone();
            self.tasks.spawn(
                move || workspace::summary(&asked).unwrap_or_default(),
                move |server, summary| {
                    server.git_busy.remove(&dir);
                    if server.state.git.get(&dir) != Some(&summary) {
                        server.state.git.insert(dir, summary);
                        server.dirty_all();
                    }
                },
            );
        }
    }
}
