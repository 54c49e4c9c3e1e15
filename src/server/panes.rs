//! Processes in panes: start, notice output and exit, stop.
use super::{Server, Wake, environment, socket};
use crate::{
    executors,
    mux::PaneId,
    router::AuthMode,
    state::{Closes, ExitCard, Status, StatusReport, StatusSource},
    term::{
        emulator::{COLS, Emulator, FeedOutput, ROWS, TermEvent},
        pty::{ExitStatus, PaneSink, Pty, Readers, SpawnSpec, processes, spawn},
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::SyncSender},
    time::{Duration, Instant},
};

/// Terminal events that wait for the loop, a pane. The newest of a kind matters, so the oldest go first.
const NOTE_QUEUE: usize = 64;

/// How long a process may take to leave after a polite signal.
pub const STOP_GRACE: Duration = Duration::from_secs(5);

/// Rows of an exit card without notes: its border and its keys.
const CARD_ROWS: u16 = 3;

/// What the threads that parse a pane leave for the loop.
#[derive(Debug)]
pub struct Sink {
    pane: PaneId,
    wake: Arc<Wake>,
    notes: Mutex<VecDeque<TermEvent>>,
    tap: Mutex<Option<SyncSender<Vec<u8>>>>,
    exited: Mutex<Option<ExitStatus>>,
}

impl Sink {
    fn new(pane: PaneId, wake: Arc<Wake>) -> Arc<Self> {
        Arc::new(Self {
            pane,
            wake,
            notes: Mutex::default(),
            tap: Mutex::default(),
            exited: Mutex::default(),
        })
    }
}

impl PaneSink for Sink {
    fn bytes(&self, bytes: &[u8]) {
        if let Some(tap) = &*lock(&self.tap) {
            // A command that reads slower than the pane prints misses some; the pane never waits for it.
            let _ = tap.try_send(bytes.to_vec());
        }
    }

    fn output(&self) {
        self.wake.pane(self.pane);
    }

    fn event(&self, event: TermEvent) {
        let mut notes = lock(&self.notes);
        if notes.len() >= NOTE_QUEUE {
            notes.pop_front();
        }
        notes.push_back(event);
        drop(notes);
        self.wake.pane(self.pane);
    }

    fn exited(&self, status: ExitStatus) {
        *lock(&self.exited) = Some(status);
        self.wake.pane(self.pane);
    }
}

/// A lock that outlives a panic of its holder: the pane's text is worth more than its consistency.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal side of a pane.
pub struct Screen {
    /// What it shows.
    pub emulator: Arc<Mutex<Emulator>>,
    /// The live process's terminal.
    pub pty: Option<Pty>,
    sink: Arc<Sink>,
    /// The newest OSC 7501 payload.
    pub agent_state: Option<String>,
    /// When the status is to be looked at again.
    pub watch_due: Option<Instant>,
    /// How much its program has notified lately.
    pub notices: super::telling::Notices,
    /// The paste buffer that its program wrote last.
    pub buffer: Option<String>,
    /// What to do when the process ends, instead of showing a card.
    pub on_exit: Option<OnExit>,
}

impl Screen {
    /// Goes on reading a terminal that an earlier server had; false when that cannot be.
    pub fn go_on(&self, pty: &Pty, readers: &Readers) -> bool {
        pty.start(readers, self.emulator.clone(), self.sink.clone()).is_ok()
    }

    /// Where a copy of everything that the process prints goes from now on.
    pub fn set_tap(&self, tap: Option<SyncSender<Vec<u8>>>) {
        *lock(&self.sink.tap) = tap;
    }
}

/// What follows a process's end.
pub type OnExit = Box<dyn FnOnce(&mut Server, PaneId, &ExitStatus) + Send>;

/// What to run.
#[derive(Clone)]
pub struct Launch {
    /// Program and arguments; empty means the user's shell.
    pub argv: Vec<String>,
    /// Set on top of the pane's environment.
    pub env_set: BTreeMap<String, String>,
    /// Taken from it.
    pub env_remove: Vec<String>,
    /// A harness: provider keys and base URLs are taken away.
    pub harness: bool,
}

impl Launch {
    /// A shell or program.
    pub fn program(argv: Vec<String>) -> Self {
        Self { argv, env_set: BTreeMap::new(), env_remove: Vec::new(), harness: false }
    }
}

impl Server {
    /// Gives a pane its terminal, before anything runs in it.
    pub(crate) fn open_screen(&mut self, pane: PaneId) {
        let Some((cols, rows)) = self.state.panes.get(&pane).map(|p| p.size) else { return };
        let emulator = Emulator::new(cols, rows, self.settings.history, self.palette.clone());
        self.screens.insert(
            pane,
            Screen {
                emulator: Arc::new(Mutex::new(emulator)),
                pty: None,
                sink: Sink::new(pane, self.wake.clone()),
                agent_state: None,
                watch_due: None,
                notices: super::telling::Notices::default(),
                buffer: None,
                on_exit: None,
            },
        );
    }

    /// The environment of the session that a pane is in.
    pub(crate) fn env_of(&self, pane: PaneId) -> BTreeMap<String, String> {
        self.state
            .window_of(pane)
            .and_then(|w| self.state.session_of(w.id))
            .and_then(|s| self.session_env.get(&s.id))
            .cloned()
            .unwrap_or_default()
    }

    /// Where terminals are read.
    pub(super) fn readers(&self) -> Readers {
        Readers {
            quiet: self.quiet_panes.clone(),
            quiet_runtime: self.loop_runtime.clone(),
            collecting: self.collecting_runtime.clone(),
            busy: self.panes_runtime.clone(),
        }
    }

    /// The directory that a pane was started in; empty without such a pane.
    pub(crate) fn dir_of(&self, pane: PaneId) -> PathBuf {
        self.state.panes.get(&pane).map(|pane| pane.cwd.clone()).unwrap_or_default()
    }

    /// Starts a process in a pane. A program that cannot be started leaves its error in the pane.
    pub(crate) fn start(&mut self, id: PaneId, launch: Launch) {
        let (base, readers) = (self.env_of(id), self.readers());
        let Some(pane) = self.state.panes.get_mut(&id) else { return };
        let agent_link = socket::agent_link(&self.paths.sockets, &self.name);
        let (mut env, removed) = environment::build(&environment::Pane {
            base: &base,
            socket: &self.place.socket.to_string_lossy(),
            id: &id.to_string(),
            key: &pane.key,
            agent_link: &agent_link.to_string_lossy(),
            harness: launch.harness.then(|| environment::Harness {
                vault: &self.vault,
                login: pane.harness.as_ref().is_some_and(|h| h.route.auth == AuthMode::Login),
            }),
        });
        let said = pane.notes.join(" ");
        let unsaid: Vec<String> = removed.into_iter().filter(|name| !said.contains(name.as_str())).collect();
        if !unsaid.is_empty() {
            pane.notes.push(format!("not passed on from your environment: {}", unsaid.join(", ")));
        }
        for name in &launch.env_remove {
            env.remove(name);
        }
        env.extend(self.scripted.pane_env.get(&id).into_iter().flatten().cloned());
        env.extend(launch.env_set.clone());
        let argv = if launch.argv.is_empty() { vec![shell(&base)] } else { launch.argv.clone() };
        let cwd = if pane.cwd.is_dir() { pane.cwd.clone() } else { std::path::PathBuf::from("/") };
        env.insert("PWD".into(), cwd.to_string_lossy().into_owned());
        let (cols, rows) = pane.size;
        let Some(screen) = self.screens.get_mut(&id) else { return };
        screen.agent_state = None;
        pane.progress = None;
        self.scripted.pipes.remove(&id);
        // A sink of its own: the last words of the process before must not be taken for this one's.
        screen.sink = Sink::new(id, self.wake.clone());
        let spec = SpawnSpec {
            argv: argv.clone(),
            cwd,
            env: env.into_iter().map(|(k, v)| (OsString::from(k), OsString::from(v))).collect(),
            cols,
            rows,
        };
        let spawned = spawn(spec).map_err(|e| e.to_string()).and_then(|pty| {
            pty.start(&readers, screen.emulator.clone(), screen.sink.clone()).map_err(|e| e.to_string())?;
            Ok(pty)
        });
        match spawned {
            Ok(pty) => {
                pane.pid = Some(pty.pid());
                self.spawned.insert(pty.pid());
                pane.exit = None;
                pane.question = None;
                pane.refusal = None;
                screen.pty = Some(pty);
                let status = if launch.harness { Status::Starting } else { Status::Idle };
                self.set_status(id, StatusReport::new(status, StatusSource::Process, ""));
            }
            Err(error) => {
                tracing::warn!(pane = %id, %error, "cannot start");
                self.not_started(id, &format!("could not start {}: {error}", argv[0]));
            }
        }
        self.state.name_windows();
        self.touch();
    }

    /// Puts the exit card up.
    pub(crate) fn ended(&mut self, id: PaneId, what: String) {
        let Some(pane) = self.state.panes.get_mut(&id) else { return };
        pane.pid = None;
        pane.question = None;
        let mut keys = Vec::new();
        let mut key = |k: &str, meaning: &str| keys.push((k.to_owned(), meaning.to_owned()));
        match &pane.harness {
            Some(harness) => {
                if harness.session.is_some() {
                    key("r", "resume");
                }
                key("f", "fresh");
                key("s", "shell");
            }
            None if pane.argv.is_empty() => key("s", "shell"),
            None => {
                key("f", "fresh");
                key("s", "shell");
            }
        }
        key("x", "close");
        pane.exit = Some(ExitCard { what: what.clone(), keys });
        if let Some(screen) = self.screens.get_mut(&id) {
            screen.pty = None;
            let mut emulator = lock(&screen.emulator);
            emulator.reset_modes(&mut FeedOutput::default());
            // The card stands at the bottom: the last words of the process move up from under it.
            let card = CARD_ROWS.saturating_add(u16::try_from(pane.notes.len()).unwrap_or(u16::MAX));
            let row = emulator.cursor().y;
            let under = row.saturating_add(1).saturating_add(card).saturating_sub(pane.size.1).min(row);
            if under > 0 {
                let scroll = format!("\x1b[{};1H{}", pane.size.1, "\n".repeat(usize::from(under)));
                emulator.feed(scroll.as_bytes(), Instant::now(), &mut FeedOutput::default());
            }
        }
        self.forget_writes(id);
        self.set_status(id, StatusReport::new(Status::Exited, StatusSource::Process, what));
        self.state.name_windows();
        self.touch();
    }

    /// Looks at every pane that has something new.
    pub(crate) fn drain_panes(&mut self) {
        for id in self.wake.take() {
            let Some(screen) = self.screens.get_mut(&id) else { continue };
            let notes: Vec<TermEvent> = lock(&screen.sink.notes).drain(..).collect();
            let exited = lock(&screen.sink.exited).take();
            // A title or a bell shows outside the pane's text.
            self.pane_printed(id, !notes.is_empty());
            for note in notes {
                self.pane_event(id, note);
            }
            self.watch_soon(id);
            if let Some(status) = exited {
                self.pane_exited(id, &status);
            }
        }
    }

    fn pane_exited(&mut self, id: PaneId, status: &ExitStatus) {
        self.forget_told(id);
        if self.stops_for_switch(id) {
            return;
        }
        let Some(screen) = self.screens.get_mut(&id) else { return };
        let follow = screen.on_exit.take();
        let pty = screen.pty.take();
        if let Some(pty) = pty {
            self.stop_later(pty);
        }
        if let Some(harness) = self.harnesses.get_mut(&id) {
            harness.process_ended();
        }
        match follow {
            Some(follow) => follow(self, id, status),
            None => self.ended_by_itself(id, status),
        }
        let installs = self.state.panes.get(&id).and_then(|p| p.argv.get(1)).is_some_and(|w| w == "install");
        if installs && ended_well(status) {
            self.installed(id);
        }
    }

    /// A harness or program ended by itself; within a switch that is the switch's failure.
    fn ended_by_itself(&mut self, id: PaneId, status: &ExitStatus) {
        let words = exit_words(status);
        let closes = self.state.panes.get(&id).map(|pane| pane.closes).unwrap_or_default();
        self.hook("pane-exited", id);
        if self.switches.contains_key(&id) {
            self.fail_switch(id, &format!("the next harness {words}"), true);
        } else if closes == Closes::AtEnd || closes == Closes::WhenWell && ended_well(status) {
            self.close_pane(id);
        } else {
            self.ended(id, words);
            if !ended_well(status) {
                self.look_for_session(id);
            }
        }
    }

    /// Reaps what came to us as orphans of panes. Who was started here is left to whoever waits for it.
    pub(super) fn reap(&mut self) {
        self.spawned.retain(|pid| Path::new(&format!("/proc/{pid}")).exists());
        let ours: Vec<i32> = self.spawned.iter().copied().collect();
        self.tasks.spawn(move || processes::reap_orphans(&ours), |_, _| {});
    }

    /// Stops a process and all it started, on a thread; the server's end waits for it.
    pub(crate) fn stop_later(&mut self, pty: Pty) {
        self.stop_and(Some(pty), || {});
    }

    /// The same, and goes on with `then` on that thread once nothing of it is left.
    fn stop_and(&mut self, pty: Option<Pty>, then: impl FnOnce() + Send + 'static) {
        self.stopping.retain(|thread| !thread.is_finished());
        self.stopping.push(std::thread::spawn(move || {
            let stopped = pty.map(|pty| pty.stop_blocking(STOP_GRACE)).unwrap_or_default();
            if stopped.left.is_empty() {
                then();
            } else {
                tracing::warn!(?stopped.left, "processes would not end");
            }
        }));
    }

    /// How a closed pane's directory is given up once its processes are gone: at rehearsal nothing in it is anybody's
    /// work, else it stays where the only copy of a native session lies in it.
    fn give_up(&self, id: PaneId) -> impl FnOnce() + Send + 'static {
        let dir = self.state.panes.get(&id).map(|pane| self.pane_dir(&pane.key));
        let session = self.state.window_of(id).and_then(|w| self.state.session_of(w.id));
        let rehearsed = session.is_some_and(|session| session.rehearse);
        let files = self.files.clone();
        move || {
            if let Some(dir) = dir.filter(|dir| rehearsed || !executors::holds_records(dir)) {
                files.remove(dir);
            }
        }
    }

    /// Writes to a pane's process. A full queue is said, never waited for.
    pub(crate) fn write(&mut self, id: PaneId, bytes: Vec<u8>) -> Result<(), String> {
        let Some(screen) = self.screens.get_mut(&id) else { return Err(format!("no pane {id}")) };
        let Some(pty) = &screen.pty else { return Err(format!("nothing runs in {id}")) };
        pty.write(bytes).map_err(|_| format!("{id} does not read its input; nothing was sent"))
    }

    /// Stops whatever runs in a pane and forgets the pane.
    pub(crate) fn close_pane(&mut self, id: PaneId) {
        self.end_switches(id, "the pane was closed");
        if let Some(pane) = self.state.panes.get(&id) {
            self.drop_route(&pane.key.clone());
        }
        let give_up = self.give_up(id);
        let pty = self.screens.remove(&id).and_then(|screen| screen.pty);
        self.stop_and(pty, give_up);
        self.harnesses.remove(&id);
        self.forget_writes(id);
        self.unstarted.remove(&id);
        self.retries.remove(&id);
        self.scripted.forget_pane(id);
        let session = self.state.window_of(id).and_then(|w| self.state.session_of(w.id)).map(|s| s.id);
        self.state.remove_pane(id);
        if let Some(session) = session
            && !self.state.sessions.contains_key(&session)
        {
            self.session_ended(session);
        }
        self.state.name_windows();
        self.resize_panes();
        self.touch();
    }

    /// Inner sizes by layout. Where a pane is hidden by a zoom or a narrow screen it keeps the size it has.
    fn pane_sizes(&self) -> Vec<(PaneId, (u16, u16))> {
        let mut sizes = Vec::new();
        for session in self.state.sessions.values() {
            for window in session.windows.iter().filter_map(|w| self.state.windows.get(w)) {
                for (pane, _, inner) in crate::ui::pane_rects(window, session.size) {
                    let cols = inner.width.clamp(*COLS.start(), *COLS.end());
                    sizes.push((pane, (cols, inner.height.clamp(*ROWS.start(), *ROWS.end()))));
                }
            }
        }
        sizes
    }

    /// Gives every pane of every session the size that its layout says.
    pub(crate) fn resize_panes(&mut self) {
        for (id, (cols, rows)) in self.pane_sizes() {
            let Some(pane) = self.state.panes.get_mut(&id) else { continue };
            if pane.size == (cols, rows) {
                continue;
            }
            pane.size = (cols, rows);
            if let Some(screen) = self.screens.get_mut(&id) {
                lock(&screen.emulator).resize(cols, rows);
                if let Some(pty) = &screen.pty {
                    let _ = pty.resize(cols, rows);
                }
            }
        }
        self.dirty_all();
    }
}

/// The user's shell.
pub fn shell(env: &BTreeMap<String, String>) -> String {
    env.get("SHELL").filter(|s| Path::new(s.as_str()).is_file()).cloned().unwrap_or_else(|| "/bin/sh".into())
}

/// How a process ended, in words.
pub fn exit_words(status: &ExitStatus) -> String {
    match (status.code, status.signal) {
        (Some(code), _) => format!("exited {code}"),
        (None, Some(signal)) => {
            let names = [
                (1, "HUP"),
                (2, "INT"),
                (3, "QUIT"),
                (6, "ABRT"),
                (9, "KILL"),
                (11, "SEGV"),
                (13, "PIPE"),
                (15, "TERM"),
            ];
            match names.iter().find(|(number, _)| *number == signal) {
                Some((_, name)) => format!("killed by SIG{name}"),
                None => format!("killed by signal {signal}"),
            }
        }
        (None, None) => "ended".into(),
    }
}

/// Whether a process ended well.
pub fn ended_well(status: &ExitStatus) -> bool {
    status.code == Some(0)
}

/// Leaves the other screen, colours and margins behind and starts on the line below the text, so that it stays.
pub fn fresh_line(emulator: &Mutex<Emulator>) {
    show(emulator, b"\x1b[?1049l\x1b[m\x1b[r");
    let text = lock(emulator).capture(None, None, false, false);
    match text.trim_end().lines().count() {
        0 => show(emulator, b"\x1b[H"),
        last => show(emulator, format!("\x1b[{last};1H\r\n").as_bytes()),
    }
}

/// The same on an empty screen; what was there is in history.
pub fn fresh_screen(emulator: &Mutex<Emulator>) {
    show(emulator, b"\x1b[?1049l\x1b[m\x1b[r\x1b[?25h\x1b[2J\x1b[H");
}

/// The title goes with the program that set it: another that sets the same one must be heard.
const NO_TITLE: &[u8] = b"\x1b]2;\x07";

fn show(emulator: &Mutex<Emulator>, bytes: &[u8]) {
    let mut nobody = FeedOutput::default();
    let mut emulator = lock(emulator);
    emulator.reset_modes(&mut nobody);
    emulator.feed(NO_TITLE, Instant::now(), &mut nobody);
    emulator.feed(bytes, Instant::now(), &mut nobody);
}
