//! Owns the two tasks of a pty: the reader, which also waits for the exit, and the writer.
use super::{DRAIN_TIME, ExitStatus, MAX_SLICE, PaneSink, RETRY, Shared, lock};
use crate::term::emulator::{Emulator, FeedOutput};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt as _},
    process::Child,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
    sync::oneshot,
    task::JoinHandle,
    time::sleep_until,
};

/// Output within `WINDOW` from which on a program prints more than a person's keys and a spinner bring about.
const BUSY: usize = 32 * 1024;

/// A read that brings less took everything: the kernel hands out up to 4 KiB at a time.
const SHORT: usize = 1024;

/// The time over which output is counted, and the silence after which a program counts as quiet again.
const WINDOW: Duration = Duration::from_millis(20);

/// Where a terminal is read and parsed.
///
/// A quiet pane belongs to the thread that also paints it: a key's echo then wakes nobody twice. A busy one goes to
/// the workers, so that it neither holds up that thread nor waits for it.
#[derive(Clone, Debug)]
pub struct Readers {
    /// For panes that print little.
    pub quiet: Handle,
    /// For panes that print much, and for everything else that a terminal needs.
    pub busy: Handle,
}

pub fn start(
    readers: &Readers,
    shared: Arc<Shared>,
    child: Child,
    emulator: Arc<Mutex<Emulator>>,
    sink: Arc<dyn PaneSink>,
) -> io::Result<()> {
    let _inside = readers.busy.enter();
    let exit = watch(&readers.busy, child, shared.pid);
    let writer = readers.busy.spawn(write_queue(Arc::clone(&shared)));
    let pump = Pump {
        shared,
        readers: readers.clone(),
        emulator,
        sink,
        writer,
        exit,
        status: None,
        give_up: None,
        open: true,
        slice: vec![0; MAX_SLICE],
        out: FeedOutput::default(),
        window: (Instant::now(), 0),
        fed: Instant::now(),
    };
    let output = pump.watched(false)?;
    pump.spawn(output, false);
    Ok(())
}

/// Hands a descriptor to the reactor of the runtime that is entered.
fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` always names the same open descriptor until it is dropped, and nothing here replaces it.
    #[allow(unsafe_code)]
    let registered = unsafe { AsyncFd::register_with_interest(fd, interest) };
    Ok(registered?)
}

/// Waits for the process without a thread where the kernel can, and tells its end.
fn watch(runtime: &Handle, mut child: Child, pid: Pid) -> oneshot::Receiver<ExitStatus> {
    let (tell, told) = oneshot::channel();
    let watched =
        pidfd_open(pid, PidfdFlags::NONBLOCK).ok().and_then(|fd| register(fd, Interest::READABLE).ok());
    match watched {
        Some(fd) => {
            runtime.spawn(async move {
                let status = loop {
                    // Whoever is gone can be waited for without blocking.
                    match child.try_wait() {
                        Ok(Some(status)) => break convert(status),
                        Err(_) => break ExitStatus::default(),
                        Ok(None) => {}
                    }
                    match fd.readable().await {
                        Ok(mut ready) => ready.clear_ready(),
                        Err(_) => break ExitStatus::default(),
                    }
                };
                let _ = tell.send(status);
            });
        }
        None => {
            std::thread::spawn(move || {
                let _ = tell.send(child.wait().map(convert).unwrap_or_default());
            });
        }
    }
    told
}

fn convert(status: std::process::ExitStatus) -> ExitStatus {
    ExitStatus { code: status.code(), signal: status.signal() }
}

async fn write_queue(shared: Arc<Shared>) {
    loop {
        shared.waiting.notified().await;
        if !shared.flush().1 {
            if lock(&shared.queue).closed {
                return;
            }
            continue;
        }
        // Watched only while something waits: every key that is written directly would wake a worker for nothing.
        let Ok(fd) = shared.master.try_clone().and_then(|fd| register(fd, Interest::WRITABLE)) else {
            // No descriptor to spare just now.
            tokio::time::sleep(RETRY).await;
            shared.waiting.notify_one();
            continue;
        };
        let mut idle_turns = 0;
        loop {
            let (written, left) = shared.flush();
            if !left {
                break;
            }
            // One turn without success is normal: the readiness was from before the queue filled.
            idle_turns = if written == 0 { idle_turns + 1 } else { 0 };
            if idle_turns > 2 {
                tokio::time::sleep(RETRY).await;
            }
            match fd.writable().await {
                // The flag is cleared before the next attempt, so no edge is lost.
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return,
            }
        }
        if lock(&shared.queue).closed {
            return;
        }
    }
}

struct Pump {
    shared: Arc<Shared>,
    readers: Readers,
    emulator: Arc<Mutex<Emulator>>,
    sink: Arc<dyn PaneSink>,
    writer: JoinHandle<()>,
    exit: oneshot::Receiver<ExitStatus>,
    status: Option<ExitStatus>,
    /// When reading ends although somebody still holds the terminal.
    give_up: Option<tokio::time::Instant>,
    open: bool,
    slice: Vec<u8>,
    out: FeedOutput,
    /// When counting began, and the bytes since.
    window: (Instant, usize),
    /// When something was read last.
    fed: Instant,
}

/// What one turn at the terminal brought.
enum Read {
    /// How many, and whether that was all.
    Bytes(usize, bool),
    Nothing,
    End,
}

impl Pump {
    /// The terminal as the readers for busy or quiet panes watch it.
    fn watched(&self, busy: bool) -> io::Result<AsyncFd<OwnedFd>> {
        let _inside = self.home(busy).enter();
        // A duplicate: the reactor owns what it watches.
        register(self.shared.master.try_clone()?, Interest::READABLE)
    }

    fn home(&self, busy: bool) -> &Handle {
        if busy { &self.readers.busy } else { &self.readers.quiet }
    }

    fn spawn(self, fd: AsyncFd<OwnedFd>, busy: bool) {
        let home = self.home(busy).clone();
        home.spawn(self.run(fd, busy));
    }

    async fn run(mut self, fd: AsyncFd<OwnedFd>, busy: bool) {
        while self.open || self.status.is_none() {
            let sync = lock(&self.emulator).sync_deadline().map(tokio::time::Instant::from_std);
            tokio::select! {
                ready = fd.readable(), if self.open => {
                    let Ok(mut ready) = ready else { self.open = false; continue };
                    match read_slice(&fd, &mut self.slice, busy) {
                        Read::Bytes(count, drained) => {
                            if drained {
                                ready.clear_ready();
                            }
                            self.feed(count);
                            // Without a descriptor to spare a pane stays where it is.
                            if self.is_busy(busy, count) != busy
                                && let Ok(moved) = self.watched(!busy)
                            {
                                return self.spawn(moved, !busy);
                            }
                            if !drained {
                                // Other panes share this thread.
                                tokio::task::yield_now().await;
                            }
                        }
                        Read::Nothing => ready.clear_ready(),
                        Read::End => self.open = false,
                    }
                }
                () = until(sync), if sync.is_some() => self.flush_sync(),
                ended = &mut self.exit, if self.status.is_none() => {
                    self.status = Some(ended.unwrap_or_default());
                    self.give_up = Some(tokio::time::Instant::now() + DRAIN_TIME);
                }
                () = until(self.give_up), if self.open && self.give_up.is_some() => self.open = false,
            }
        }
        self.writer.abort();
        lock(&self.emulator).reset_modes(&mut self.out);
        self.tell();
        self.sink.output();
        self.sink.exited(self.status.unwrap_or_default());
    }

    /// Counts what was just read and says which readers the pane belongs to.
    fn is_busy(&mut self, busy: bool, count: usize) -> bool {
        let now = Instant::now();
        let silence = now.duration_since(std::mem::replace(&mut self.fed, now));
        if now.duration_since(self.window.0) > WINDOW {
            self.window = (now, 0);
        }
        self.window.1 += count;
        if busy { silence < WINDOW } else { self.window.1 > BUSY }
    }

    fn feed(&mut self, count: usize) {
        self.sink.bytes(&self.slice[..count]);
        lock(&self.emulator).feed(&self.slice[..count], Instant::now(), &mut self.out);
        self.tell();
        self.sink.output();
    }

    fn flush_sync(&mut self) {
        lock(&self.emulator).flush_sync(&mut self.out);
        self.tell();
        self.sink.output();
    }

    /// Passes on replies, then events. A program that asks without ever reading loses answers, nothing else.
    fn tell(&mut self) {
        if !self.out.replies.is_empty() {
            if self.shared.write(&self.out.replies).is_err() {
                tracing::debug!(pid = ?self.shared.pid, "replies dropped: the program does not read");
            }
            self.out.replies.clear();
        }
        for event in self.out.events.drain(..) {
            self.sink.event(event);
        }
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Reads until nothing is left or the slice is full. The kernel hands out about 4 KiB at a time; parsing and waking
/// once for many of those is what keeps a busy pane cheap.
///
/// A quiet pane's short read counts as all there is: its echo is shown before anything else is looked for, and what
/// comes later is announced anew.
fn read_slice(fd: &AsyncFd<OwnedFd>, slice: &mut [u8], busy: bool) -> Read {
    let mut filled = 0;
    let (mut ended, mut drained) = (false, false);
    while filled < slice.len() {
        match rustix::io::read(fd.get_ref(), &mut slice[filled..]) {
            Ok(0) => {
                ended = true;
                break;
            }
            Ok(count) => {
                filled += count;
                drained = !busy && count < SHORT;
                if drained {
                    break;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => break,
            // EIO: the other side is closed and everything has been read.
            Err(_) => {
                ended = true;
                break;
            }
        }
    }
    match (filled, ended) {
        (0, true) => Read::End,
        (0, false) => Read::Nothing,
        _ => Read::Bytes(filled, drained && !ended),
    }
}
