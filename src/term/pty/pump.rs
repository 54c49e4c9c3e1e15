//! Owns the two tasks of a pty: the reader, which also waits for the exit, and the writer.
use super::{DRAIN_TIME, ExitStatus, MAX_SLICE, PaneSink, RETRY, Shared, lock};
use crate::term::emulator::{Emulator, FeedOutput};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt as _},
    pin::Pin,
    process::Child,
    sync::{Arc, Mutex, atomic::Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
    sync::{
        mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel},
        oneshot,
    },
    task::JoinHandle,
    time::sleep_until,
};

/// Output within `WINDOW` from which on a program prints more than a person's keys and a spinner bring about.
const BUSY: usize = 32 * 1024;

/// A read that brings less took everything: the kernel hands out up to 4 KiB at a time.
const SHORT: usize = 1024;

/// The time over which output is counted, and the silence after which a program counts as quiet again.
const WINDOW: Duration = Duration::from_millis(20);

/// Slices of a busy pane that were collected and are not parsed yet. With one ahead neither side waits for the other;
/// more would only delay what an interrupted program prints last.
const AHEAD: usize = 2;

/// The reading of a quiet pane.
pub type Reading = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a terminal is read and parsed.
///
/// A quiet pane belongs to the thread that also paints it: a key's echo then wakes nobody twice. A busy one is read by
/// one thread and parsed by another: the kernel hands out 4 KiB at a time and takes its time over each, so while one
/// slice is parsed the next is collected.
#[derive(Clone, Debug)]
pub struct Readers {
    /// For panes that print little: whoever receives a reading polls it. At most one for each pane is on its way.
    pub quiet: UnboundedSender<Reading>,
    /// The runtime that readings are polled on.
    pub quiet_runtime: Handle,
    /// Collects what panes print that print much.
    pub collecting: Handle,
    /// Parses it, and does everything else that a terminal needs.
    pub busy: Handle,
}

/// The quiet panes, in the hands of the thread that reads them.
#[derive(Debug)]
pub struct Quiet {
    arriving: UnboundedReceiver<Reading>,
    readings: FuturesUnordered<Reading>,
}

impl Quiet {
    /// No panes yet; they come through the sender.
    pub fn new() -> (UnboundedSender<Reading>, Self) {
        let (sender, arriving) = unbounded_channel();
        (sender, Self { arriving, readings: FuturesUnordered::new() })
    }

    /// Reads what there is to read; the caller is woken when there is more.
    pub fn poll(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(reading)) = self.arriving.poll_recv(context) {
            self.readings.push(reading);
        }
        while let Poll::Ready(Some(())) = self.readings.poll_next_unpin(context) {}
    }
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
    let source = pump.source(false)?;
    pump.spawn(source);
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

/// Where a pump gets a pane's output.
enum Source {
    /// From the terminal itself: a quiet pane's.
    Terminal(AsyncFd<OwnedFd>, Arc<Shared>),
    /// From the task that collects it: a busy pane's.
    Collected(Collected),
}

/// The pump's end of a collecting task, which ends when this is closed.
struct Collected {
    slices: Receiver<(Vec<u8>, usize)>,
    /// Slices that were parsed, to be filled again.
    spent: Sender<Vec<u8>>,
}

/// What one turn at the terminal brought.
enum Read {
    /// How many, and whether that was all.
    Bytes(usize, bool),
    Nothing,
    End,
}

impl Source {
    /// Waits for output and puts it into the slice; returns its size, 0 when there is no more. Loses nothing when it is
    /// dropped while it waits.
    async fn read(&mut self, slice: &mut Vec<u8>) -> usize {
        match self {
            Self::Terminal(fd, shared) => loop {
                let announced = std::future::poll_fn(|context| {
                    shared.hint.reader.register(context.waker());
                    if shared.hint.given.swap(false, Ordering::Acquire) {
                        return Poll::Ready(Ok(None));
                    }
                    fd.poll_read_ready(context).map_ok(Some)
                });
                let Ok(mut ready) = announced.await else { return 0 };
                let (count, all) = match read_slice(fd, slice, true) {
                    Read::Bytes(count, drained) => (count, drained),
                    Read::Nothing => (0, true),
                    Read::End => return 0,
                };
                if let Some(ready) = ready.as_mut().filter(|_| all) {
                    ready.clear_ready();
                }
                if count > 0 {
                    return count;
                }
            },
            Self::Collected(collected) => {
                let Some((bytes, count)) = collected.slices.recv().await else { return 0 };
                // The collector makes itself another when this one has no room to wait.
                let _ = collected.spent.try_send(std::mem::replace(slice, bytes));
                count
            }
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self, Self::Collected(_))
    }
}

/// Collects a busy pane's output into slices for as long as somebody takes them.
async fn collect(fd: AsyncFd<OwnedFd>, slices: Sender<(Vec<u8>, usize)>, mut spent: Receiver<Vec<u8>>) {
    let mut slice = None;
    loop {
        // Nothing is read that has no place to go.
        let Ok(place) = slices.reserve().await else { return };
        let mut ready = tokio::select! {
            ready = fd.readable() => match ready {
                Ok(ready) => ready,
                Err(_) => return,
            },
            () = slices.closed() => return,
        };
        let mut bytes = slice.take().or_else(|| spent.try_recv().ok()).unwrap_or_else(|| vec![0; MAX_SLICE]);
        match read_slice(&fd, &mut bytes, false) {
            Read::Bytes(count, _) => place.send((bytes, count)),
            Read::Nothing => {
                ready.clear_ready();
                slice = Some(bytes);
            }
            Read::End => return,
        }
        // Other panes share this thread.
        tokio::task::yield_now().await;
    }
}

impl Pump {
    /// The pane's output as a busy or a quiet pane's.
    fn source(&self, busy: bool) -> io::Result<Source> {
        let home = if busy { &self.readers.collecting } else { &self.readers.quiet_runtime };
        let _inside = home.enter();
        // A duplicate: the reactor owns what it watches.
        let fd = register(self.shared.master.try_clone()?, Interest::READABLE)?;
        if !busy {
            return Ok(Source::Terminal(fd, Arc::clone(&self.shared)));
        }
        let ((give, slices), (spent, again)) = (channel(AHEAD), channel(AHEAD));
        home.spawn(collect(fd, give, again));
        Ok(Source::Collected(Collected { slices, spent }))
    }

    fn spawn(self, source: Source) {
        self.shared.hint.quiet.store(!source.is_busy(), Ordering::Release);
        if source.is_busy() {
            self.readers.busy.clone().spawn(self.run(source));
        } else {
            // Nobody receives only when the server is gone, and its panes with it.
            let _ = self.readers.quiet.clone().send(Box::pin(self.run(source)));
        }
    }

    async fn run(mut self, mut source: Source) {
        while self.open || self.status.is_none() {
            let sync = lock(&self.emulator).sync_deadline().map(tokio::time::Instant::from_std);
            tokio::select! {
                count = source.read(&mut self.slice), if self.open => {
                    if count == 0 {
                        self.open = false;
                        continue;
                    }
                    self.feed(count);
                    let busy = source.is_busy();
                    // Without a descriptor to spare a pane stays where it is.
                    if self.is_busy(busy, count) != busy
                        && let Ok(other) = self.source(!busy)
                    {
                        // What is collected comes before what the other source reads.
                        if let Source::Collected(collected) = &mut source {
                            collected.slices.close();
                            while let Some((bytes, count)) = collected.slices.recv().await {
                                self.slice = bytes;
                                self.feed(count);
                            }
                        }
                        return self.spawn(other);
                    }
                    if busy {
                        // Other panes share this thread.
                        tokio::task::yield_now().await;
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
fn read_slice(fd: &AsyncFd<OwnedFd>, slice: &mut [u8], short_is_all: bool) -> Read {
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
                drained = short_is_all && count < SHORT;
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
