//! Owns the one loop: it accepts clients, runs commands, watches panes and schedules frames.
//!
//! The loop runs alone on its thread and never blocks. Slow work goes to a thread and hands back a callback that the
//! loop runs. Everything else sends it a typed message; nobody else changes the state.
mod attach;
mod attention;
mod attuning;
mod authority;
mod buffers;
mod changes;
mod composing;
mod connection;
mod controlling;
mod copying;
mod due;
mod echo;
mod environment;
mod equipping;
mod facts;
mod following;
pub mod handover;
mod harness;
mod hooks;
mod input;
mod leases;
mod limits;
mod listing;
mod login;
mod mishaps;
mod mouse;
mod options;
mod overlays;
mod paint;
mod panes;
mod pasting;
mod pipes;
pub mod protocol;
mod refusals;
mod reply;
mod restore;
mod rules;
mod run;
mod scripted;
pub mod socket;
mod switching;
mod telling;
mod terminal;
mod traffic;
mod trusting;
mod trying;
mod typing;
mod verbs;
mod watch;
mod watching;
mod worktrees;

pub use environment::is_utf8;
pub use hooks::EVENTS;
pub use input::check as check_settings;
pub use reply::refusal_text;
pub use rules::FileRules;
pub use run::run;

use crate::{
    agent::control::{self, Endpoint, Ordered},
    config::{Paths, ServerPaths, Settings, Theme},
    gateway::{Gateway, GatewayEvent, RouteTable},
    mux::{ClientId, PaneId},
    record::{Files, Recorder},
    state::State,
    vault::Vault,
};
use authority::Caller;
use connection::{ConnectionId, OutSender};
use protocol::Hello;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, mpsc};

/// Events waiting for the loop. Connections wait when it is full, so a flood of input slows its sender only.
const EVENT_QUEUE: usize = 1024;

/// A callback that the loop runs between events.
pub type Task = Box<dyn FnOnce(&mut Server) + Send>;

/// What the loop is told.
pub enum Event {
    /// A connection said hello.
    Hello {
        /// Which connection.
        id: ConnectionId,
        /// The process at its other end.
        caller: Caller,
        /// What it wants.
        hello: Box<Hello>,
        /// Where answers go.
        out: OutSender,
    },
    /// Bytes from an attached terminal.
    Input(ConnectionId, Vec<u8>),
    /// An attached terminal's new size.
    Resize(ConnectionId, u16, u16),
    /// A connection's last paint left, or its terminal is ready for the first.
    Drained(ConnectionId),
    /// A connection ended.
    Gone(ConnectionId),
    /// The gateway saw something.
    Gateway(GatewayEvent),
    /// Slow work came back.
    Task(Task),
    /// Children ended: reap the orphans among them.
    Reap,
    /// Stop, politely.
    Terminate,
    /// The socket directory was cleaned away: listen anew.
    Listen,
}

/// How slow work reaches the loop again.
#[derive(Clone)]
pub struct Tasks {
    events: mpsc::Sender<Event>,
    runtime: tokio::runtime::Handle,
}

impl Tasks {
    /// Runs `work` on a thread and `then` in the loop with its result. What works on one is bounded by
    /// `SLOW_WORKERS`; more waits.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(&mut Server, T) + Send + 'static,
    ) {
        let events = self.events.clone();
        self.runtime.spawn_blocking(move || {
            let result = work();
            let _ = events.blocking_send(Event::Task(Box::new(move |server| then(server, result))));
        });
    }

    /// Runs `then` in the loop with what a future says, or with a sentence when it says nothing within `limit`.
    fn answer(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<(), String>> + Send + 'static,
        then: impl FnOnce(&mut Server, Result<(), String>) + Send + 'static,
    ) {
        let events = self.events.clone();
        self.runtime.spawn(async move {
            let answer = tokio::time::timeout(limit, answer).await;
            let how =
                answer.unwrap_or_else(|_| Err(format!("it did not answer within {} s", limit.as_secs())));
            let _ = events.send(Event::Task(Box::new(move |server| then(server, how)))).await;
        });
    }

    /// Speaks a typed protocol until one side ends it; the loop runs `heard` with everything it says, in order.
    fn speak(
        &self,
        endpoint: Endpoint,
        orders: mpsc::Receiver<Ordered>,
        heard: impl Fn(&mut Server, control::Event) + Clone + Send + Sync + 'static,
    ) {
        let events = self.events.clone();
        let (tell, mut told) = mpsc::channel(control::EVENTS);
        self.runtime.spawn(async move {
            while let Some(event) = told.recv().await {
                let heard = heard.clone();
                let task: Task = Box::new(move |server| heard(server, event));
                if events.send(Event::Task(task)).await.is_err() {
                    return;
                }
            }
        });
        self.runtime.spawn(endpoint.run(orders, tell));
    }

    /// Runs `then` in the loop after `pause`.
    pub fn after(&self, pause: Duration, then: impl FnOnce(&mut Server) + Send + 'static) {
        let events = self.events.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = events.send(Event::Task(Box::new(then))).await;
        });
    }
}

/// Panes that have something for the loop; each is named at most once.
#[derive(Debug, Default)]
pub struct Wake {
    notify: Notify,
    panes: Mutex<BTreeSet<PaneId>>,
}

impl Wake {
    fn pane(&self, pane: PaneId) {
        let mut panes = self.panes.lock().unwrap_or_else(PoisonError::into_inner);
        if panes.insert(pane) {
            self.notify.notify_one();
        }
    }

    fn take(&self) -> BTreeSet<PaneId> {
        std::mem::take(&mut self.panes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Everything that the loop owns.
pub struct Server {
    /// What is drawn.
    pub state: State,
    pub(crate) name: String,
    pub(crate) paths: Paths,
    pub(crate) place: ServerPaths,
    pub(crate) settings: Settings,
    pub(crate) theme: Theme,
    /// The same meanings for terminals that want no colours.
    pub(crate) plain_theme: Theme,
    pub(crate) palette: crate::term::palette::Palette,
    pub(crate) keys: input::KeyTable,
    pub(crate) scripted: scripted::Scripted,
    pub(crate) screens: BTreeMap<PaneId, panes::Screen>,
    pub(crate) links: BTreeMap<ClientId, attach::Link>,
    pub(crate) connections: BTreeMap<ConnectionId, attach::Role>,
    pub(crate) harnesses: BTreeMap<PaneId, harness::Runtime>,
    pub(crate) session_env: BTreeMap<crate::mux::SessionId, BTreeMap<String, String>>,
    pub(crate) gateway: Option<Gateway>,
    pub(crate) routes: RouteTable,
    pub(crate) recorder: Recorder,
    pub(crate) files: Arc<Files>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) rules: Arc<rules::FileRules>,
    pub(crate) trusted: BTreeSet<PathBuf>,
    pub(crate) left_to_harness: BTreeSet<PathBuf>,
    /// The pane whose start has just asked programs for the secrets of its MCP servers.
    pub(crate) asked_secrets: Option<PaneId>,
    pub(crate) versions: Arc<crate::executors::Versions>,
    pub(crate) proven: BTreeSet<(String, String)>,
    pub(crate) known_facts: Vec<facts::Known>,
    pub(crate) login_paths: BTreeMap<String, String>,
    pub(crate) last_preset: BTreeMap<crate::mux::WindowId, crate::mux::presets::Preset>,
    pub(crate) switches: BTreeMap<PaneId, switching::Running>,
    pub(crate) waiting_switches: BTreeMap<PaneId, switching::Waiting>,
    pub(crate) retries: BTreeMap<PaneId, Vec<String>>,
    /// Typed protocols that were begun so far.
    pub(crate) controls: u64,
    /// Harnesses whose installation failed: `f` on the pane's card tries again.
    pub(crate) unstarted: BTreeMap<PaneId, harness::Start>,
    pub(crate) spawned: BTreeSet<i32>,
    pub(crate) stopping: Vec<std::thread::JoinHandle<()>>,
    pub(crate) tasks: Tasks,
    pub(crate) wake: Arc<Wake>,
    pub(crate) panes_runtime: tokio::runtime::Handle,
    /// The loop's own runtime: what is spawned here runs between the loop's turns, on its thread.
    pub(crate) loop_runtime: tokio::runtime::Handle,
    /// Collects what busy panes print.
    pub(crate) collecting_runtime: tokio::runtime::Handle,
    /// Where panes go that the loop reads itself.
    pub(crate) quiet_panes: mpsc::UnboundedSender<crate::term::pty::Reading>,
    /// What is known of how soon keys are echoed.
    pub(crate) echo: echo::Echo,
    pub(crate) buffers: buffers::Buffers,
    pub(crate) desk: composing::Desk,
    pub(crate) pastes: BTreeMap<PaneId, pasting::Pasting>,
    pub(crate) writers: changes::Writers,
    pub(crate) followers: Vec<following::Follower>,
    pub(crate) saved: String,
    pub(crate) changed: bool,
    pub(crate) git_due: BTreeMap<PathBuf, Instant>,
    pub(crate) git_busy: BTreeSet<PathBuf>,
    pub(crate) listeners: mpsc::Sender<tokio::net::UnixListener>,
    /// The socket that is listened on, for the server that takes this one's place.
    pub(crate) listening: Option<std::os::unix::net::UnixListener>,
    pub(crate) handover: Option<handover::Handover>,
    pub(crate) ending: Option<Ending>,
}

/// Why the loop stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The last session ended, or `kill-server`: nothing is kept.
    Kill,
    /// `restart-server --stop` or a signal: what is needed to rebuild is kept.
    Keep,
    /// `restart-server`: another binary goes on with everything.
    HandOver,
}

impl Server {
    /// One event.
    fn handle(&mut self, event: Event) {
        match event {
            Event::Hello { id, caller, hello, out } => self.hello(id, &caller, *hello, out),
            Event::Input(id, bytes) => self.client_bytes(id, &bytes),
            Event::Resize(id, cols, rows) => self.client_resized(id, cols, rows),
            Event::Drained(id) => self.client_drained(id),
            Event::Gone(id) => self.connection_gone(id),
            Event::Gateway(event) => self.gateway_event(event),
            Event::Task(task) => task(self),
            Event::Terminate => self.ending = Some(Ending::Keep),
            Event::Reap => self.reap(),
            Event::Listen => {}
        }
    }

    /// Remembers that something worth saving or drawing changed.
    pub(crate) fn touch(&mut self) {
        self.changed = true;
        self.dirty_all();
    }

    /// Seconds since the epoch.
    pub(crate) fn now() -> u64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map(|d| d.as_secs())
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("name", &self.name).finish_non_exhaustive()
    }
}
