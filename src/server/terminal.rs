//! Owns an attached terminal that the server reads and writes itself.
//!
//! A client in the same place as the server only holds its terminal: keys and frames then pass no process in between,
//! which halves what a key's echo waits for. Where the terminal cannot be opened (another user's, another container's)
//! the client carries the bytes, as it always can.
use super::{Event, connection::ConnectionId};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    os::fd::OwnedFd,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

/// Terminal input is read in slices of this many bytes.
const SLICE: usize = 4 * 1024;

/// Bytes that wait for a terminal that does not read: one large frame and some bells. Beyond that what is sent outside
/// of frames is lost.
const MAX_PENDING: usize = 1024 * 1024;

/// How often a terminal that took nothing is looked at.
const RETRY: Duration = Duration::from_millis(50);

/// A terminal in the server's hands. Dropping it lets go at once: its client gives it back to the shell.
#[derive(Debug)]
pub struct Terminal {
    fd: Arc<AsyncFd<OwnedFd>>,
    connection: ConnectionId,
    events: mpsc::Sender<Event>,
    runtime: Handle,
    /// What the terminal has not taken yet.
    pending: Vec<u8>,
    /// The client has set the modes.
    ready: bool,
    /// Waits until the terminal takes more.
    waiter: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Opens the terminal on the standard input of a client's process; `None` where that is not possible. Nothing is
    /// read or written before `go_on`.
    pub fn open(
        pid: i32,
        connection: ConnectionId,
        runtime: &Handle,
        events: &mpsc::Sender<Event>,
    ) -> Option<Self> {
        // Opened anew rather than passed on: not to block is then our own mode and not the shell's too. The link names
        // the very terminal, whatever is mounted where the client lives.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open(format!("/proc/{pid}/fd/0"), flags, Mode::empty()).ok()?;
        if !rustix::termios::isatty(&fd) {
            return None;
        }
        let fd = {
            let _inside = runtime.enter();
            Arc::new(watch(fd, Interest::READABLE)?)
        };
        Some(Self {
            fd,
            connection,
            events: events.clone(),
            runtime: runtime.clone(),
            pending: Vec::new(),
            ready: false,
            waiter: None,
        })
    }

    /// Writes what the terminal takes without blocking; false if something waits, then `Drained` follows.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        if self.pending.len() + bytes.len() <= MAX_PENDING {
            self.pending.extend_from_slice(bytes);
        }
        self.ready && self.flush()
    }

    /// After `Drained`: begins or goes on with what waits; true if nothing does any more.
    pub fn go_on(&mut self) -> bool {
        self.ready = true;
        self.flush()
    }

    /// What was typed, as an event; the loop asks here itself, so that a key wakes nobody else on its way.
    pub fn poll_input(&self, context: &mut Context<'_>) -> Poll<Event> {
        if !self.ready {
            return Poll::Pending;
        }
        loop {
            let Poll::Ready(Ok(mut ready)) = self.fd.poll_read_ready(context) else { return Poll::Pending };
            let mut slice = [0; SLICE];
            match rustix::io::read(self.fd.get_ref(), &mut slice) {
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                // The end of a terminal is the end of its client, also of one that ignores SIGHUP.
                Ok(0) | Err(_) => return Poll::Ready(Event::Gone(self.connection)),
                Ok(count) => {
                    if count < SLICE {
                        // All of it; what comes later is announced anew.
                        ready.clear_ready();
                    }
                    return Poll::Ready(Event::Input(self.connection, slice[..count].to_vec()));
                }
            }
        }
    }

    fn flush(&mut self) -> bool {
        let mut done = 0;
        while done < self.pending.len() {
            match rustix::io::write(self.fd.get_ref(), &self.pending[done..]) {
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // Hung up: its client says so by leaving.
                Err(_) => done = self.pending.len(),
            }
        }
        self.pending.drain(..done);
        if !self.pending.is_empty() && self.waiter.as_ref().is_none_or(JoinHandle::is_finished) {
            let (fd, events, connection) = (Arc::clone(&self.fd), self.events.clone(), self.connection);
            self.waiter = Some(self.runtime.spawn(async move {
                // Watched only while something waits: else each frame would wake the loop once more.
                let room = fd.get_ref().try_clone().ok().and_then(|fd| watch(fd, Interest::WRITABLE));
                while !takes_more(fd.get_ref()) {
                    // Pseudo-terminals do not announce every byte of room, so it is also looked for.
                    let told = timeout(RETRY, async {
                        match &room {
                            Some(room) => room.writable().await.ok(),
                            None => std::future::pending().await,
                        }
                    });
                    if let Ok(Some(mut ready)) = told.await
                        && !takes_more(fd.get_ref())
                    {
                        ready.clear_ready();
                    }
                }
                let _ = events.send(Event::Drained(connection)).await;
            }));
        }
        self.pending.is_empty()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(waiter) = &self.waiter {
            waiter.abort();
        }
    }
}

/// Hands a descriptor to the reactor of the runtime that is entered.
fn watch(fd: OwnedFd, interest: Interest) -> Option<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` always names the same open descriptor until it is dropped, and nothing here replaces it.
    #[allow(unsafe_code)]
    let registered = unsafe { AsyncFd::register_with_interest(fd, interest) };
    registered.ok()
}

fn takes_more(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::OUT)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}
