//! The other side: a server that begins with what an earlier one handed over.
use super::{
    become_server,
    carried::{self, Document, LivePane, LiveProcess},
};
use crate::{
    mux::PaneId,
    server::{Server, panes, scripted::Channel},
    term::{
        emulator::FeedOutput,
        pty::{Carried, Pty, processes},
    },
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Seek as _, SeekFrom},
    net::TcpListener,
    os::{
        fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixListener,
    },
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

/// What a server begins with.
pub struct Taken {
    /// The locks of state and socket, and the socket that clients already wait at.
    held: Option<([File; 2], UnixListener)>,
    /// The gateway's port.
    pub gateway: Option<Arc<TcpListener>>,
    document: Document,
    /// Screens and waiting input, one after the other.
    rest: Vec<u8>,
    /// Why the old binary is back.
    after: Option<String>,
}

impl Taken {
    /// The locks of state and socket, and the socket; once.
    pub fn held(&mut self) -> Option<([File; 2], UnixListener)> {
        self.held.take()
    }
}

/// How `inspan server` was told to take over.
#[derive(Clone, Debug)]
pub struct TakeOver {
    /// Where the document lies.
    pub memory: RawFd,
    /// The binary to go back to.
    pub fallback: Option<RawFd>,
    /// Why another one gave up.
    pub after: Option<String>,
}

/// Takes a descriptor that was left open for us.
fn adopt(fd: RawFd) -> Option<OwnedFd> {
    if fd <= 2 {
        return None;
    }
    // SAFETY: only looked at, and a number without a descriptor is an error of the call.
    #[allow(unsafe_code)]
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC).ok()?;
    // SAFETY: it is open, and each number of the document is taken once, before anything else opens one.
    #[allow(unsafe_code)]
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    Some(owned)
}

/// Shows that this binary starts and reads what it would take over: the document on standard input.
///
/// # Errors
/// A sentence when it does not.
pub fn check() -> Result<(), String> {
    carried::read(std::io::stdin().lock()).map(drop)
}

/// Takes over. When that fails, the earlier binary takes everything back, if there is one.
///
/// # Errors
/// When it failed for good.
pub fn take(how: &TakeOver) -> Result<Taken, String> {
    let taken = begin(how);
    let (Err(why), Some(fallback)) = (&taken, how.fallback) else { return taken };
    let name = std::env::args().skip_while(|word| word != "-L").nth(1).unwrap_or_default();
    let binary = PathBuf::from(format!("/proc/self/fd/{fallback}"));
    let error = become_server(&binary, &name, how.memory, None, Some(why));
    Err(format!("{why}; and the way back failed: {error}"))
}

fn begin(how: &TakeOver) -> Result<Taken, String> {
    // SAFETY: only read from here on; it stays open for a binary that has to go back.
    #[allow(unsafe_code)]
    let memory = unsafe { BorrowedFd::borrow_raw(how.memory) };
    let memory = memory.try_clone_to_owned().map_err(|e| format!("nothing was handed over: {e}"))?;
    let mut memory = File::from(memory);
    memory.seek(SeekFrom::Start(0)).map_err(|e| e.to_string())?;
    let (document, rest) = carried::read(memory)?;
    let missing = || "a descriptor was not handed over".to_owned();
    let take = |fd| adopt(fd).ok_or_else(missing);
    let [state, socket] = document.descriptors.locks;
    let taken = Taken {
        held: Some((
            [File::from(take(state)?), File::from(take(socket)?)],
            UnixListener::from(take(document.descriptors.listener)?),
        )),
        gateway: document.descriptors.gateway.and_then(adopt).map(|fd| Arc::new(TcpListener::from(fd))),
        document,
        rest,
        after: how.after.clone(),
    };
    for fd in [Some(how.memory), how.fallback].into_iter().flatten() {
        drop(adopt(fd));
    }
    // Terminals are taken one by one; nothing that is started meanwhile may hold one open.
    for process in taken.document.panes.values().filter_map(|pane| pane.process.as_ref()) {
        // SAFETY: only looked at, and a number without a descriptor is an error of the call.
        #[allow(unsafe_code)]
        let master = unsafe { BorrowedFd::borrow_raw(process.master.max(0)) };
        let _ = rustix::io::fcntl_setfd(master, rustix::io::FdFlags::CLOEXEC);
    }
    Ok(taken)
}

impl Server {
    /// Goes on where the earlier server stopped.
    pub(in crate::server) fn take_over(&mut self, taken: Taken) {
        let Taken { document, rest, after, .. } = taken;
        let Document { saved, mut panes, windows, sessions, next_client, proven, buffers, script, .. } =
            document;
        // Children of this process from before that nobody here waits for.
        let mut children = processes::children();
        self.scripted.settings = script.settings;
        self.scripted.user = script.user.into_iter().map(|(owner, name, v)| ((owner, name), v)).collect();
        self.scripted.keys = script.keys.into_iter().map(|(table, key, b)| ((table, key), b)).collect();
        self.scripted.unbound = script.unbound;
        self.scripted.hooks = script.hooks;
        let channel = |(name, (woken, locked))| (name, Channel { woken, locked, ..Channel::default() });
        self.scripted.channels = script.channels.into_iter().map(channel).collect();
        // What was set by hand stands over the file again.
        self.reload();
        self.buffers = buffers;
        self.proven = proven.into_iter().collect();
        for (id, session) in &sessions {
            if let Some(env) = &session.env {
                self.session_env.insert(*id, env.clone());
            }
        }
        for session in sessions.values() {
            if let Some(env) = &session.env {
                self.learn(env);
            }
        }
        let mut rest = rest.as_slice();
        let screens = panes.iter().map(|(id, live)| {
            let screen = cut(&mut rest, live.screen);
            let input = cut(&mut rest, live.process.as_ref().map_or(0, |process| process.input));
            (*id, (screen, input))
        });
        let screens: BTreeMap<PaneId, (&[u8], &[u8])> = screens.collect();
        self.rebuild(saved, &panes);
        self.state.next.client = next_client;
        for (id, window) in windows {
            if let Some(rebuilt) = self.state.windows.get_mut(&id) {
                rebuilt.last = window.last;
                rebuilt.synchronized = window.synchronized;
                rebuilt.earlier = window.earlier;
            }
        }
        for (id, session) in sessions {
            if let Some(rebuilt) = self.state.sessions.get_mut(&id) {
                rebuilt.last = session.last;
                rebuilt.manual = session.manual;
            }
        }
        for (id, live) in &mut panes {
            let (screen, input) = screens.get(id).copied().unwrap_or_default();
            if let Some(process) = &live.process {
                children.retain(|pid| *pid != process.pid);
            }
            self.go_on(*id, live, screen, input);
        }
        self.resize_panes();
        self.publish_routes();
        if !children.is_empty() {
            std::thread::spawn(move || processes::reap(&children));
        }
        match after {
            Some(why) => {
                tracing::error!(why, "the other binary gave up");
                self.state.warning = Some(format!("the restart was taken back: {why}"));
            }
            None => tracing::info!(panes = panes.len(), "took over"),
        }
        self.touch();
    }

    /// A pane with the screen that it had, and with its process if it has one.
    fn go_on(&mut self, id: PaneId, live: &mut LivePane, screen: &[u8], input: &[u8]) {
        let Some(pane) = self.state.panes.get_mut(&id) else { return };
        pane.size = live.size;
        pane.title = std::mem::take(&mut live.title);
        pane.status = std::mem::take(&mut live.status);
        pane.status_since = live.status_since;
        pane.exit = live.exit.take();
        pane.refusal = live.refusal.take();
        pane.notes = std::mem::take(&mut live.notes);
        pane.input_off = live.input_off;
        pane.popup = live.popup;
        pane.closes = live.closes;
        pane.label = live.label.take();
        if let (Some(live), Some(harness)) = (&mut live.harness, &mut pane.harness) {
            harness.served_model = live.served_model.take();
            harness.usage = live.usage;
            harness.windows = std::mem::take(&mut live.windows);
            harness.requests = std::mem::take(&mut live.requests);
        }
        if let Some(live) = &live.harness {
            let session = pane.harness.as_ref().and_then(|harness| harness.session.as_ref());
            self.harnesses.insert(id, live.runtime(session));
        }
        if !live.env.is_empty() {
            self.scripted.pane_env.insert(id, std::mem::take(&mut live.env));
        }
        if let Some(retry) = live.retry.take() {
            self.retries.insert(id, retry);
        }
        self.open_screen(id);
        let readers = self.readers();
        let Some(opened) = self.screens.get_mut(&id) else { return };
        opened.agent_state = live.agent_state.take();
        // What its own output once asked for was answered then.
        panes::lock(&opened.emulator).feed(screen, Instant::now(), &mut FeedOutput::default());
        let Some(LiveProcess { master, pid, mark, .. }) = live.process.take() else { return };
        let carried = adopt(master).map(|master| Carried { master, pid, mark, input: input.to_vec() });
        match carried.and_then(Pty::adopt).filter(|pty| opened.go_on(pty, &readers)) {
            Some(pty) => {
                self.spawned.insert(pid);
                if let Some(pane) = self.state.panes.get_mut(&id) {
                    pane.pid = Some(pid);
                }
                opened.pty = Some(pty);
                self.watch_soon(id);
                // Its TUI is there since before.
                self.control_begin(id, true);
            }
            None => self.ended(id, "its terminal was lost in a restart of the server".into()),
        }
    }
}

/// The next so many bytes, as far as there are any.
fn cut<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (first, behind) = rest.split_at(count.min(rest.len()));
    *rest = behind;
    first
}
