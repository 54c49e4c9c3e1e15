//! Owns the two tasks of a pty: the reader, which also waits for the exit, and the writer.
use super::{DRAIN_TIME, ExitStatus, MAX_SLICE, PaneSink, RETRY, Shared, lock};
use crate::term::emulator::{Emulator, FeedOutput};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt as _},
    process::Child,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
    sync::oneshot,
    time::sleep_until,
};

pub fn start(
    runtime: &Handle,
    shared: Arc<Shared>,
    child: Child,
    emulator: Arc<Mutex<Emulator>>,
    sink: Arc<dyn PaneSink>,
) -> io::Result<()> {
    let _inside = runtime.enter();
    // One registration serves both directions; the duplicate lets the reactor own what it watches.
    let fd = Arc::new(register(shared.master.try_clone()?, Interest::READABLE | Interest::WRITABLE)?);
    let exit = watch(runtime, child, shared.pid);
    let writer = runtime.spawn(write_queue(Arc::clone(&shared), Arc::clone(&fd)));
    runtime.spawn(async move {
        let pump = Pump { shared, fd, emulator, sink, slice: vec![0; MAX_SLICE], out: FeedOutput::default() };
        pump.run(exit).await;
        writer.abort();
    });
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

async fn write_queue(shared: Arc<Shared>, fd: Arc<AsyncFd<OwnedFd>>) {
    loop {
        shared.waiting.notified().await;
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
    fd: Arc<AsyncFd<OwnedFd>>,
    emulator: Arc<Mutex<Emulator>>,
    sink: Arc<dyn PaneSink>,
    slice: Vec<u8>,
    out: FeedOutput,
}

/// What one turn at the terminal brought.
enum Read {
    Bytes(usize),
    Nothing,
    End,
}

impl Pump {
    async fn run(mut self, mut exit: oneshot::Receiver<ExitStatus>) {
        let mut status = None;
        let mut give_up = None;
        let mut open = true;
        while open || status.is_none() {
            let sync = lock(&self.emulator).sync_deadline().map(tokio::time::Instant::from_std);
            tokio::select! {
                ready = self.fd.readable(), if open => {
                    let Ok(mut ready) = ready else { open = false; continue };
                    match read_slice(&self.fd, &mut self.slice) {
                        Read::Bytes(count) => {
                            self.feed(count);
                            // Other panes share this worker.
                            tokio::task::yield_now().await;
                        }
                        Read::Nothing => ready.clear_ready(),
                        Read::End => open = false,
                    }
                }
                () = until(sync), if sync.is_some() => self.flush_sync(),
                ended = &mut exit, if status.is_none() => {
                    status = Some(ended.unwrap_or_default());
                    give_up = Some(tokio::time::Instant::now() + DRAIN_TIME);
                }
                () = until(give_up), if open && give_up.is_some() => open = false,
            }
        }
        lock(&self.emulator).reset_modes(&mut self.out);
        self.tell();
        self.sink.output();
        self.sink.exited(status.unwrap_or_default());
    }

    fn feed(&mut self, count: usize) {
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
fn read_slice(fd: &AsyncFd<OwnedFd>, slice: &mut [u8]) -> Read {
    let mut filled = 0;
    let mut ended = false;
    while filled < slice.len() {
        match rustix::io::read(fd.get_ref(), &mut slice[filled..]) {
            Ok(0) => {
                ended = true;
                break;
            }
            Ok(count) => filled += count,
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
        _ => Read::Bytes(filled),
    }
}
