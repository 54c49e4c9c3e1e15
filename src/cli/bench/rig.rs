//! Owns what is measured: a private server of inspan or tmux with one client in a terminal that we hold.
//!
//! Everything lives in a directory of its own and goes when the rig is dropped, also after a failure or Ctrl-C. Must
//! not know: what is measured.
use super::interrupt;
use crate::{
    client::{self, ServerAddress},
    config::Paths,
};
use anyhow::{Context, Result, bail};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    ffi::OsString,
    fs,
    os::fd::{BorrowedFd, OwnedFd},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The terminal's size: a wide screen of today.
pub const COLS: u16 = 200;
/// See `COLS`.
pub const ROWS: u16 = 50;

/// How much of the client's output is taken at once, as terminals do.
const SLICE: usize = 64 * 1024;

/// Longest silence of a system that should say something; only a failure reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A screen that stays as it is for this long has been painted.
const QUIET: Duration = Duration::from_millis(200);

/// How often an interrupt is looked for while nothing arrives.
const LOOK: Duration = Duration::from_millis(50);

/// Time for a client to leave once its server is gone.
const LEAVE: Duration = Duration::from_secs(5);

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This binary.
    Inspan,
    /// The tmux on PATH, without its configuration.
    Tmux,
}

impl Kind {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inspan => "inspan",
            Self::Tmux => "tmux",
        }
    }
}

/// What tmux says its version is; `None` without tmux.
pub fn tmux_version() -> Option<String> {
    let said = Command::new("tmux").arg("-V").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// A directory that goes with everything in it.
pub struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    /// A fresh private directory.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn new() -> Result<Self> {
        // Short, as socket paths have a limit that long temporary directories eat up.
        let dir = std::env::temp_dir().join(format!("inspan-bench-{}", ulid::Ulid::r#gen()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Self { dir })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The whole environment of both systems: nothing of the person's, so both start as on a fresh machine.
    fn env(&self) -> Vec<(&'static str, OsString)> {
        let at = |name: &str| self.dir.join(name).into_os_string();
        vec![
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", at("home")),
            ("XDG_CONFIG_HOME", at("config")),
            ("XDG_DATA_HOME", at("data")),
            ("XDG_STATE_HOME", at("state")),
            ("INSPAN_TMPDIR", at("inspan")),
            ("TMUX_TMPDIR", self.dir.clone().into_os_string()),
            ("SHELL", "/bin/sh".into()),
            ("LANG", "C.UTF-8".into()),
            ("TERM", "xterm-256color".into()),
        ]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A server with one attached client.
pub struct Rig<'a> {
    /// Who it is.
    pub kind: Kind,
    scratch: &'a Scratch,
    server: String,
    /// The server's process id.
    pub pid: i32,
    /// Bytes that the terminal received so far.
    pub received: u64,
    terminal: OwnedFd,
    client: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    slice: Vec<u8>,
    /// The end of what was received, for what lies across two reads.
    tail: Vec<u8>,
}

impl<'a> Rig<'a> {
    /// Starts a server whose only pane runs `script`, attached in a terminal of ours.
    ///
    /// # Errors
    /// It does not start, or shows nothing.
    pub fn start(kind: Kind, scratch: &'a Scratch, script: &str) -> Result<Self> {
        for dir in ["home", "inspan"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(scratch.dir.join(dir))?;
        }
        let server = format!("bench-{}", ulid::Ulid::r#gen());
        let words = control(kind, &server)?;
        let mut command = CommandBuilder::from_argv(words.into_iter().map(OsString::from).collect());
        command.args(["new-session", "-s", "bench"]);
        if kind == Kind::Inspan {
            command.arg("--");
        }
        command.args(["sh", "-c", script]);
        command.env_clear();
        for (name, value) in scratch.env() {
            command.env(name, value);
        }
        command.cwd(&scratch.dir);
        let size = PtySize { rows: ROWS, cols: COLS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).context("cannot open a terminal")?;
        let raw = pair.master.as_raw_fd().context("the terminal has no descriptor")?;
        // SAFETY: `pair` owns the descriptor and outlives the duplication.
        #[allow(unsafe_code)]
        let terminal = unsafe { BorrowedFd::borrow_raw(raw) }.try_clone_to_owned()?;
        let flags = rustix::fs::fcntl_getfl(&terminal)?;
        rustix::fs::fcntl_setfl(&terminal, flags | rustix::fs::OFlags::NONBLOCK)?;
        let client =
            pair.slave.spawn_command(command).with_context(|| format!("{} does not start", kind.name()))?;
        drop(pair.slave);
        let mut rig = Self {
            kind,
            scratch,
            server,
            pid: 0,
            received: 0,
            terminal,
            client,
            _master: pair.master,
            slice: vec![0; SLICE],
            tail: Vec::new(),
        };
        rig.greet()?;
        rig.pid = rig.server_pid()?;
        Ok(rig)
    }

    /// Answers what both ask of every terminal, then waits until the first screen stands.
    fn greet(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        let mut quiet = Instant::now() + QUIET;
        while self.received == 0 || Instant::now() < quiet {
            if Instant::now() >= end {
                bail!("{} shows nothing", self.kind.name());
            }
            let asked = memchr::memmem::find(self.read(LOOK)?, b"\x1b[c").is_some();
            if asked {
                self.write(b"\x1b[?62;22c")?;
            }
            if !self.tail.is_empty() {
                quiet = Instant::now() + QUIET;
            }
            self.tail.clear();
        }
        Ok(())
    }

    fn server_pid(&self) -> Result<i32> {
        match self.kind {
            Kind::Inspan => {
                let env = self.scratch.env();
                let find =
                    |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
                let paths = Paths::new(find, rustix::process::geteuid().as_raw())?;
                let address = ServerAddress { dir: paths.sockets, name: self.server.clone() };
                let connection = client::connect(&address)?.context("inspan's server is gone")?;
                Ok(connection.server_pid)
            }
            Kind::Tmux => {
                let said = self.command(&["display-message", "-p", "#{pid}"])?;
                said.trim().parse().context("tmux does not tell its process id")
            }
        }
    }

    /// Runs a command of this server and returns what it printed.
    ///
    /// # Errors
    /// It fails.
    pub fn command(&self, words: &[&str]) -> Result<String> {
        let argv = control(self.kind, &self.server)?;
        let said = Command::new(&argv[0])
            .args(&argv[1..])
            .args(words)
            .env_clear()
            .envs(self.scratch.env())
            .current_dir(&self.scratch.dir)
            .stdin(Stdio::null())
            .output()?;
        if !said.status.success() {
            let why = String::from_utf8_lossy(&said.stderr);
            bail!("{} {}: {}", self.kind.name(), words.join(" "), why.trim());
        }
        Ok(String::from_utf8_lossy(&said.stdout).into_owned())
    }

    /// Types into the terminal.
    ///
    /// # Errors
    /// The client is gone.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        rustix::io::write(&self.terminal, bytes)
            .with_context(|| format!("{}'s client is gone", self.kind.name()))?;
        Ok(())
    }

    /// What arrived within `wait`; empty when nothing did.
    fn read(&mut self, wait: Duration) -> Result<&[u8]> {
        let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
        interrupt::check()?;
        let mut fds = [PollFd::new(&self.terminal, PollFlags::IN)];
        let ready = match poll(&mut fds, Some(&wait)) {
            Ok(ready) => ready,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        if ready == 0 {
            return Ok(&[]);
        }
        let count = match rustix::io::read(&self.terminal, &mut self.slice) {
            Ok(count) if count > 0 => count,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(&[]),
            _ => bail!("{}'s client ended", self.kind.name()),
        };
        self.received += count as u64;
        self.tail.extend_from_slice(&self.slice[..count]);
        Ok(&self.slice[..count])
    }

    /// Reads until the screen was sent `wanted`.
    ///
    /// # Errors
    /// It does not come.
    pub fn until(&mut self, wanted: &[u8]) -> Result<()> {
        let mut end = Instant::now() + PATIENCE;
        loop {
            if !self.read(LOOK)?.is_empty() {
                end = Instant::now() + PATIENCE;
            }
            if memchr::memmem::find(&self.tail, wanted).is_some() {
                self.tail.clear();
                return Ok(());
            }
            let kept = self.tail.len().min(wanted.len() - 1);
            self.tail.drain(..self.tail.len() - kept);
            if Instant::now() >= end {
                bail!("{} went quiet before it was done", self.kind.name());
            }
        }
    }

    /// Reads until nothing has come for `pause`.
    ///
    /// # Errors
    /// The client is gone.
    pub fn settle(&mut self, pause: Duration) -> Result<()> {
        let mut end = Instant::now() + pause;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.tail.clear();
                return Ok(());
            }
            if !self.read(left.min(LOOK))?.is_empty() {
                end = Instant::now() + pause;
            }
            self.tail.clear();
        }
    }
}

impl Drop for Rig<'_> {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]);
        let end = Instant::now() + LEAVE;
        let slice = &mut self.slice;
        while Instant::now() < end && matches!(self.client.try_wait(), Ok(None)) {
            // Its last words must not hold it up.
            let mut fds = [PollFd::new(&self.terminal, PollFlags::IN)];
            let look = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
            if poll(&mut fds, Some(&look)).is_ok_and(|ready| ready > 0) {
                let _ = rustix::io::read(&self.terminal, &mut *slice);
            }
        }
        if matches!(self.client.try_wait(), Ok(None)) {
            let _ = self.client.kill();
            let _ = self.client.wait();
        }
    }
}

/// The words that begin every command for a private server.
fn control(kind: Kind, server: &str) -> Result<Vec<String>> {
    Ok(match kind {
        Kind::Inspan => {
            let binary = std::env::current_exe().context("cannot find inspan's own binary")?;
            vec![binary.to_string_lossy().into_owned(), "-L".into(), server.into()]
        }
        Kind::Tmux => ["tmux", "-L", server, "-f", "/dev/null"].map(str::to_owned).into(),
    })
}
