//! Owns a pane's process: pty, spawning, reading in slices, the bounded write queue, exit and the end of everything
//! that the process started.
//!
//! Must not know: panes, layouts, what is running or why.
pub mod processes;
mod pump;
#[cfg(test)]
mod tests;

pub use pump::{Quiet, Readers, Reading};

use super::emulator::{Emulator, TermEvent};
use futures_util::task::AtomicWaker;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Pid,
};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::{BorrowedFd, OwnedFd},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Bytes of input that wait for a program that does not read: a long paste fits, a stuck pane stays small.
pub const MAX_QUEUE: usize = 1024 * 1024;

/// Largest slice that is parsed under the emulator's lock: about a millisecond of work.
pub const MAX_SLICE: usize = 64 * 1024;

/// How long output is still read after the process is gone. The kernel hangs the terminal up at once, so this only
/// ends the wait for somebody who holds it open in another session.
pub const DRAIN_TIME: Duration = Duration::from_millis(500);

/// Pause before input is tried again when the terminal says that it takes some and then does not.
const RETRY: Duration = Duration::from_millis(10);

/// Time between the polite signals and SIGKILL.
pub const GRACE: Duration = Duration::from_secs(5);

/// Variable that marks everything a pty's process starts, however it detaches itself. Unique per spawn. Whoever starts
/// a server of its own from inside a pane must remove it from that server's environment.
pub const MARK: &str = "INSPAN_RUN";

/// What to run.
#[derive(Clone)]
pub struct SpawnSpec {
    /// Program and arguments; the program is looked up in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// Working directory; it must exist.
    pub cwd: PathBuf,
    /// The complete environment.
    pub env: Vec<(OsString, OsString)>,
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The argument list is empty.
    #[error("no command given")]
    Empty,
    /// The program is nowhere.
    #[error("`{program}` was not found: {searched}")]
    NotFound {
        /// As asked for.
        program: String,
        /// Where it was looked for.
        searched: String,
    },
    /// The program is there but may not be run.
    #[error("`{0}` is not executable: it is a directory or lacks the x permission")]
    NotExecutable(String),
    /// The working directory is missing.
    #[error("the directory `{0}` does not exist")]
    NoDirectory(String),
    /// The system refused a terminal or a process.
    #[error("the system refused to start `{program}`: {reason}")]
    System {
        /// As asked for.
        program: String,
        /// Its words.
        reason: String,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitStatus {
    /// The exit code, if it exited.
    pub code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
}

/// The queue is full: the program does not read its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program does not read its input; {MAX_QUEUE} bytes wait already")]
pub struct QueueFull;

/// Who is told what a pty's program does. Called from the reader task; must not block.
pub trait PaneSink: Send + Sync + 'static {
    /// What was read, before it is parsed.
    fn bytes(&self, bytes: &[u8]) {
        let _ = bytes;
    }
    /// The emulator has new content.
    fn output(&self);
    /// Something happened beside text.
    fn event(&self, event: TermEvent);
    /// The process is gone and all its output has been shown. Called once, last.
    fn exited(&self, status: ExitStatus);
}

/// Input that waits for the program.
#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Bytes at the front of `bytes` that were written already.
    written: usize,
    closed: bool,
}

#[derive(Debug)]
struct Shared {
    master: OwnedFd,
    queue: Mutex<Queue>,
    waiting: Notify,
    pid: Pid,
    mark: String,
    hint: Hint,
}

/// Output that somebody else than the reactor saw first.
#[derive(Debug, Default)]
struct Hint {
    /// The reader is the one of a quiet pane; a busy one's needs no hints.
    quiet: AtomicBool,
    /// There is output.
    given: AtomicBool,
    reader: AtomicWaker,
}

/// A process in a pseudo-terminal. Dropping it hangs the terminal up once the tasks are through.
#[derive(Debug)]
pub struct Pty {
    shared: Arc<Shared>,
    child: Mutex<Option<std::process::Child>>,
}

/// Locks even after a panic elsewhere: the data is replaced as a whole or not at all.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a program in a terminal of its own. Output waits in the kernel until `Pty::start`.
pub fn spawn(spec: SpawnSpec) -> Result<Pty, SpawnError> {
    let program = spec.argv.first().filter(|name| !name.is_empty()).ok_or(SpawnError::Empty)?.clone();
    if !spec.cwd.is_dir() {
        return Err(SpawnError::NoDirectory(spec.cwd.display().to_string()));
    }
    let system = |reason: String| SpawnError::System { program: program.clone(), reason };
    let path = spec.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    let executable = find_program(&program, &spec.cwd, path)?;

    let mut command = CommandBuilder::from_argv(spec.argv.iter().map(OsString::from).collect());
    // The crate would search again in its own way; what was found is what runs.
    if let Some(first) = command.get_argv_mut().first_mut() {
        *first = executable.into_os_string();
    }
    command.env_clear();
    for (name, value) in &spec.env {
        command.env(name, value);
    }
    let mark = ulid::Ulid::r#gen().to_string();
    command.env(MARK, &mark);
    command.cwd(&spec.cwd);

    let pair = native_pty_system().openpty(size(spec.cols, spec.rows)).map_err(|e| system(e.to_string()))?;
    let master = duplicate(pair.master.as_raw_fd()).map_err(|e| system(e.to_string()))?;
    let flags = rustix::fs::fcntl_getfl(&master).map_err(|e| system(e.to_string()))?;
    rustix::fs::fcntl_setfl(&master, flags | rustix::fs::OFlags::NONBLOCK)
        .map_err(|e| system(e.to_string()))?;
    let child = pair.slave.spawn_command(command).map_err(|e| system(format!("{e:#}")))?;
    // A kept slave would hide the end of the output.
    drop(pair.slave);
    let child: Box<dyn portable_pty::Child> = child;
    let child = child
        .downcast::<std::process::Child>()
        .map_err(|_| system("the process cannot be waited for".to_owned()))?;
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| system("the process has no usable id".to_owned()))?;
    let shared = Shared {
        master,
        queue: Mutex::new(Queue::default()),
        waiting: Notify::new(),
        pid,
        mark,
        hint: Hint::default(),
    };
    Ok(Pty { shared: Arc::new(shared), child: Mutex::new(Some(*child)) })
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows: rows.max(1), cols: cols.max(1), pixel_width: 0, pixel_height: 0 }
}

/// Our own handle of the master. The crate's writer is never taken: dropping it types a newline and EOF.
fn duplicate(fd: Option<std::os::fd::RawFd>) -> io::Result<OwnedFd> {
    let fd = fd.ok_or_else(|| io::Error::other("the pseudo-terminal has no file descriptor"))?;
    // SAFETY: the caller holds the pair that owns this descriptor until after the duplication.
    #[allow(unsafe_code)]
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned()
}

/// The file that a program name means, as a shell would look it up.
fn find_program(program: &str, cwd: &Path, path: Option<&OsStr>) -> Result<PathBuf, SpawnError> {
    let runnable = |file: &Path| {
        file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let file = cwd.join(program);
        return match file.metadata() {
            Ok(_) if runnable(&file) => Ok(file),
            Ok(_) => Err(SpawnError::NotExecutable(program.to_owned())),
            Err(error) => {
                Err(SpawnError::NotFound { program: program.to_owned(), searched: error.to_string() })
            }
        };
    }
    let path = path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let mut present = None;
    for directory in std::env::split_paths(path) {
        let file = cwd.join(directory).join(program);
        if runnable(&file) {
            return Ok(file);
        }
        if file.exists() {
            present.get_or_insert(file);
        }
    }
    Err(match present {
        Some(file) => SpawnError::NotExecutable(file.display().to_string()),
        None => SpawnError::NotFound {
            program: program.to_owned(),
            searched: format!("no such program in PATH ({})", path.to_string_lossy()),
        },
    })
}

impl Pty {
    /// Begins reading: output goes to `emulator`, news to `sink`, replies back to the program. Call once; a second
    /// call does nothing.
    pub fn start(
        &self,
        readers: &Readers,
        emulator: Arc<Mutex<Emulator>>,
        sink: Arc<dyn PaneSink>,
    ) -> io::Result<()> {
        let Some(child) = lock(&self.child).take() else { return Ok(()) };
        pump::start(readers, Arc::clone(&self.shared), child, emulator, sink)
    }

    /// Sends input, at once if the program reads, else through the queue. Order is kept; all bytes or none.
    pub fn write(&self, bytes: Vec<u8>) -> Result<(), QueueFull> {
        self.shared.write(&bytes)
    }

    /// Blocks for at most `limit` until a quiet pane has output, which its reading then finds when it is polled next.
    ///
    /// Returns whether there is any; of a busy pane nothing is known.
    pub fn await_output(&self, limit: Duration) -> bool {
        let hint = &self.shared.hint;
        let Ok(limit) = Timespec::try_from(limit) else { return false };
        let mut fds = [PollFd::new(&self.shared.master, PollFlags::IN)];
        let there =
            hint.quiet.load(Ordering::Acquire) && poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready > 0);
        if there {
            hint.given.store(true, Ordering::Release);
            hint.reader.wake();
        }
        there
    }

    /// Tells the program its new size.
    pub fn resize(&self, cols: u16, rows: u16) -> io::Result<()> {
        let size =
            rustix::termios::Winsize { ws_row: rows.max(1), ws_col: cols.max(1), ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(&self.shared.master, size)?)
    }

    /// The process id, also of its group and session.
    pub fn pid(&self) -> i32 {
        self.shared.pid.as_raw_nonzero().get()
    }

    /// The terminal's foreground process group, if there is one.
    pub fn foreground_pgid(&self) -> Option<i32> {
        rustix::termios::tcgetpgrp(&self.shared.master).ok().map(|pid| pid.as_raw_nonzero().get())
    }

    /// The value of `MARK` in everything that this process started.
    pub fn mark(&self) -> &str {
        &self.shared.mark
    }

    /// Ends the process and everything it started: SIGTERM, and SIGKILL after `grace`. Returns when all are gone, or
    /// what is left after that. Waits on a thread of its own.
    pub async fn stop(&self, grace: Duration) -> processes::Stopped {
        let target = self.target();
        let work = move || processes::stop(&target, grace);
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }

    /// As `stop`, for a caller that may block.
    pub fn stop_blocking(&self, grace: Duration) -> processes::Stopped {
        processes::stop(&self.target(), grace)
    }

    fn target(&self) -> processes::Target {
        processes::Target {
            leader: self.pid(),
            foreground: self.foreground_pgid(),
            mark: self.shared.mark.clone(),
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let mut queue = lock(&self.shared.queue);
        queue.closed = true;
        drop(queue);
        self.shared.waiting.notify_one();
    }
}

impl Shared {
    fn write(&self, bytes: &[u8]) -> Result<(), QueueFull> {
        let mut queue = lock(&self.queue);
        let pending = queue.bytes.len() - queue.written;
        if pending + bytes.len() > MAX_QUEUE {
            return Err(QueueFull);
        }
        // The common case: nothing waits and the program reads, so no other task is woken for a key.
        let direct = if pending == 0 { self.write_now(bytes) } else { 0 };
        if direct < bytes.len() {
            queue.bytes.extend_from_slice(&bytes[direct..]);
            drop(queue);
            self.waiting.notify_one();
        }
        Ok(())
    }

    /// Writes what the terminal takes without blocking. After an error the bytes count as written: the other end is
    /// gone, and the reader will learn why.
    fn write_now(&self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            match rustix::io::write(&self.master, &bytes[done..]) {
                // Zero is what a terminal says that is being hung up.
                Ok(0) | Err(rustix::io::Errno::AGAIN) => return done,
                Ok(count) => done += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return bytes.len(),
            }
        }
        done
    }

    /// Writes from the queue; says how much was written and whether something is left.
    fn flush(&self) -> (usize, bool) {
        let mut queue = lock(&self.queue);
        let done = self.write_now(&queue.bytes[queue.written..]);
        queue.written += done;
        if queue.written == queue.bytes.len() {
            // A long paste does not stay in memory.
            queue.bytes = Vec::new();
            queue.written = 0;
        } else if queue.written > MAX_QUEUE {
            let written = std::mem::take(&mut queue.written);
            queue.bytes.drain(..written);
        }
        (done, !queue.bytes.is_empty())
    }
}
