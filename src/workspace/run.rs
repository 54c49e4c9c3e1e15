//! Owns running `git` once: a clean environment, a time-out, bounded output, errors in words.
use super::git::GitError;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use sha2::{Digest, Sha256};
use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long a question to git may take; a status of a very large checkout on a cold disk stays below it.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one step of a checkpoint may take: it may have to hash a large working tree for the first time.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(180);
/// Bytes of standard output that are kept; 16 MiB are about 200,000 paths.
pub(super) const MAX_STDOUT: usize = 16 << 20;
/// Bytes of standard error that are kept; an error message is shown to a person.
const MAX_STDERR: usize = 16 << 10;
/// How long output is still awaited after git itself ended, in case a process that it left behind holds the pipe.
const DRAIN: Duration = Duration::from_secs(1);
/// Bytes taken from a pipe at a time; the default capacity of a pipe.
const SLICE: usize = 64 << 10;

/// Variables that would make git look at another repository than that of the directory, as they do when the server
/// was started from a hook, or that would change what it prints.
const FOREIGN: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Settings of every call. Looking at a directory must not run programs that its `.git/config` names.
const SETTINGS: [&str; 10] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "-c",
    "advice.addEmbeddedRepo=false",
    "-c",
    "log.showSignature=false",
];

/// One call of git, being put together.
pub(super) struct Git {
    dir: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    input: Vec<u8>,
    timeout: Duration,
    keep: usize,
    /// Without the settings that every other call has.
    own: bool,
}

/// What a call printed.
#[derive(Debug)]
pub(super) struct Output {
    /// How git ended.
    pub status: ExitStatus,
    /// The beginning of standard output, at most the bound.
    pub stdout: Vec<u8>,
    /// SHA-256 of all of standard output, also of what was not kept.
    pub digest: [u8; 32],
    /// Output beyond the bound was not kept.
    pub truncated: bool,
    /// The beginning of standard error, trimmed.
    pub stderr: String,
}

impl Git {
    /// A question: takes no optional lock and must answer within [`READ_TIMEOUT`].
    pub fn read(dir: &Path) -> Self {
        let mut git = Self::write(dir).env("GIT_OPTIONAL_LOCKS", "0");
        git.timeout = READ_TIMEOUT;
        git
    }

    /// A step that writes objects or references, within [`WRITE_TIMEOUT`].
    pub fn write(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            args: SETTINGS.iter().map(OsString::from).collect(),
            env: Vec::new(),
            input: Vec::new(),
            timeout: WRITE_TIMEOUT,
            keep: MAX_STDOUT,
            own: false,
        }
    }

    /// A step that the person asks for as their own: hooks run and every setting holds.
    pub fn own(dir: &Path) -> Self {
        let mut git = Self::write(dir);
        git.args.clear();
        git.own = true;
        git
    }

    /// Adds arguments; the first one that is no option is the subcommand.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// What git reads from its standard input.
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// Keeps fewer bytes of standard output than [`MAX_STDOUT`].
    pub fn keep(mut self, bytes: usize) -> Self {
        self.keep = bytes;
        self
    }

    #[cfg(test)]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it; any exit status is an answer.
    pub fn run(self) -> Result<Output, GitError> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.dir).args(&self.args);
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        // A group of its own: a time-out ends filters too, and a terminal's Ctrl-C does not reach it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => GitError::Missing,
            _ => GitError::Spawn(source),
        })?;
        let words = self.words();
        finish(child, self.input, self.timeout, self.keep, words)
    }

    /// Runs it; any exit status but 0 is an error with what git said.
    pub fn done(self) -> Result<Output, GitError> {
        let (dir, words) = (self.dir.clone(), self.words());
        let output = self.run()?;
        if output.status.success() { Ok(output) } else { Err(GitError::from_output(&dir, words, &output)) }
    }

    /// The command as a person would type it.
    fn words(&self) -> String {
        let settings = if self.own { 0 } else { SETTINGS.len() };
        let words = self.args.iter().skip(settings).map(|arg| arg.to_string_lossy());
        std::iter::once("git".into()).chain(words).collect::<Vec<_>>().join(" ")
    }
}

impl Output {
    /// Standard output as text without its last line end.
    pub fn line(&self) -> String {
        let text = String::from_utf8_lossy(&self.stdout);
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }

    /// Standard output as a path without its last line end, whatever bytes it is made of.
    pub fn path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        OsStr::from_bytes(self.stdout.strip_suffix(b"\n").unwrap_or(&self.stdout)).into()
    }
}

/// A pipe's contents while they arrive.
struct Kept {
    bytes: Vec<u8>,
    digest: Sha256,
    truncated: bool,
}

enum Report {
    Exited,
    Closed,
}

fn finish(
    mut child: Child,
    input: Vec<u8>,
    timeout: Duration,
    keep: usize,
    words: String,
) -> Result<Output, GitError> {
    let deadline = Instant::now() + timeout;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (report, reports) = mpsc::channel();
    let stdout = child.stdout.take().map(|pipe| collect(pipe, keep, report.clone()));
    let stderr = child.stderr.take().map(|pipe| collect(pipe, MAX_STDERR, report.clone()));
    if let Some(mut pipe) = child.stdin.take() {
        // Git may stop reading before the end of its input; what it then says is in its status.
        thread::spawn(move || drop(pipe.write_all(&input)));
    }
    if let Some(pid) = group {
        // NOWAIT leaves the process to `child.wait`, so that its id cannot be reused before a time-out kills it.
        thread::spawn(move || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
            drop(report.send(Report::Exited));
        });
    }

    let (mut open, mut running) = (2, true);
    let mut until = deadline;
    while open > 0 || running {
        match reports.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Report::Closed) => open -= 1,
            Ok(Report::Exited) => {
                running = false;
                until = Instant::now() + DRAIN;
            }
            Err(_) => break,
        }
    }
    if running {
        if let Some(group) = group {
            // Gone already is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(child.kill());
        drop(child.wait());
        return Err(GitError::TimedOut { command: words, seconds: timeout.as_secs() });
    }
    let status = child.wait().map_err(GitError::Spawn)?;
    let (stdout, digest, truncated) = stdout.as_ref().map(take).unwrap_or_default();
    let (stderr, ..) = stderr.as_ref().map(take).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&stderr).trim().to_owned();
    Ok(Output { status, stdout, digest, truncated, stderr })
}

fn collect(
    mut pipe: impl Read + Send + 'static,
    keep: usize,
    report: mpsc::Sender<Report>,
) -> Arc<Mutex<Kept>> {
    let kept = Arc::new(Mutex::new(Kept { bytes: Vec::new(), digest: Sha256::new(), truncated: false }));
    let shared = Arc::clone(&kept);
    thread::spawn(move || {
        let mut slice = vec![0; SLICE];
        loop {
            match pipe.read(&mut slice) {
                Ok(0) => break,
                Ok(n) => lock(&shared).push(&slice[..n], keep),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        drop(report.send(Report::Closed));
    });
    kept
}

impl Kept {
    fn push(&mut self, bytes: &[u8], keep: usize) {
        self.digest.update(bytes);
        let room = keep.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
        self.truncated |= room < bytes.len();
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(kept: &Arc<Mutex<Kept>>) -> (Vec<u8>, [u8; 32], bool) {
    let mut kept = lock(kept);
    (std::mem::take(&mut kept.bytes), kept.digest.finalize_reset().into(), kept.truncated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::testing::Repository;

    #[test]
    fn a_command_that_hangs_is_ended_with_its_children() {
        let repository = Repository::new();
        let started = Instant::now();
        let error = Git::read(repository.path())
            .timeout(Duration::from_secs(1))
            .args(["-c", "alias.hang=!echo $$ > pid; sleep 600", "hang"])
            .run()
            .unwrap_err();
        assert!(matches!(error, GitError::TimedOut { .. }), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(60));
        // The shell of the alias wrote its own pid before it hung; it was killed with git and ends at once.
        let pid = std::fs::read_to_string(repository.path().join("pid")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        if let Ok(process) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            let mut ended = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
            let limit = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
            assert_eq!(rustix::event::poll(&mut ended, Some(&limit)).unwrap(), 1, "still running");
        }
    }

    #[test]
    fn output_beyond_the_bound_is_hashed_but_not_kept() {
        let repository = Repository::new();
        repository.write("long", &"x".repeat(100_000));
        repository.commit("long");
        let show = |keep| Git::read(repository.path()).keep(keep).args(["show", "HEAD:long"]).done().unwrap();
        let (short, whole) = (show(10), show(200_000));
        assert_eq!(short.stdout, b"xxxxxxxxxx");
        assert!(short.truncated && !whole.truncated);
        assert_eq!(whole.stdout.len(), 100_000);
        assert_eq!(short.digest, whole.digest);
    }

    #[test]
    fn a_large_input_that_nobody_reads_does_not_block() {
        let repository = Repository::new();
        let output =
            Git::read(repository.path()).input(vec![0; 1 << 20]).args(["rev-parse", "--git-dir"]).done();
        assert_eq!(output.unwrap().line(), ".git");
    }

    #[test]
    fn an_error_carries_the_command_and_what_git_said() {
        let repository = Repository::new();
        let error =
            Git::read(repository.path()).args(["show", "no-such-thing"]).done().unwrap_err().to_string();
        assert!(error.contains("git show no-such-thing"), "{error}");
        assert!(error.contains("unknown revision"), "{error}");
    }
}
