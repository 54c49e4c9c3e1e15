//! A private machine for one test: home, settings, state, socket, PATH; nothing of it outlives the test.
use super::{DEADLINE, Signal, outer::Answers, processes, processes::Process, terminal::Terminal};
use portable_pty::CommandBuilder;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// The prompt of every shell in a sandbox.
pub const PROMPT: &str = "ready$ ";
/// A unix socket's path ends at 108 bytes on Linux and 104 elsewhere; some room is left for a suffix.
const MAX_SOCKET_PATH: usize = 100;
/// How long the processes of a sandbox may take to end after `kill-server`.
const LEAVE: Duration = Duration::from_secs(10);
/// How long output is awaited after a command ended. A daemon that keeps its starter's pipes would hold up scripts.
const DRAIN: Duration = Duration::from_secs(5);
/// The pause between two calls of a command whose answer is awaited.
const ASK_AGAIN: Duration = Duration::from_millis(30);
/// Bytes of each log that a failing test shows.
const LOG_TAIL: usize = 4000;

/// A private machine for one test.
pub struct Sandbox {
    root: tempfile::TempDir,
    name: String,
    env: BTreeMap<String, String>,
    /// The binary ran, so there may be a server.
    used: AtomicBool,
    /// How long its processes may take to end.
    leave: Duration,
    /// How long a command may take to end, and a condition to hold.
    patience: Duration,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// The command, for messages.
    pub command: String,
}

impl Output {
    /// Standard output without its last line end.
    ///
    /// # Panics
    /// When the command did not succeed.
    #[track_caller]
    pub fn ok(&self) -> &str {
        self.expect_code(0);
        self.stdout.trim_end_matches('\n')
    }

    /// Standard error.
    ///
    /// # Panics
    /// When the command did not end with `code`.
    #[track_caller]
    pub fn fails(&self, code: i32) -> &str {
        assert_ne!(code, 0, "0 is no failure");
        self.expect_code(code);
        &self.stderr
    }

    #[track_caller]
    fn expect_code(&self, code: i32) {
        let Self { stdout, stderr, command, .. } = self;
        assert_eq!(self.code, code, "exit code of `{command}`\nstdout: {stdout}\nstderr: {stderr}");
    }
}

impl Sandbox {
    /// A new one with an empty home.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Directly below /tmp and short, whatever TMPDIR says: a unix socket's path may not be long.
        let root = tempfile::Builder::new().prefix("is").tempdir_in("/tmp").expect("/tmp takes a directory");
        let name = format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = |part: &str| {
            let path = root.path().join(part);
            fs::create_dir_all(&path).expect("the sandbox takes directories");
            path.into_os_string().into_string().expect("a path below /tmp is text")
        };
        let mut env: BTreeMap<String, String> = BTreeMap::new();
        for (variable, part) in [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
            ("INSPAN_TMPDIR", "s"),
        ] {
            env.insert(variable.into(), path(part));
        }
        let system = system_path();
        let home = env["HOME"].clone();
        for (variable, value) in [
            ("PATH", format!("{}:{system}", path("bin"))),
            ("ENV", format!("{home}/.shrc")),
            ("SHELL", "/bin/sh".into()),
            ("PS1", PROMPT.into()),
            ("TERM", "xterm-256color".into()),
            ("COLORTERM", "truecolor".into()),
            ("LANG", "C.UTF-8".into()),
            ("TZ", "UTC0".into()),
            ("USER", "tester".into()),
            ("LOGNAME", "tester".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("RUST_BACKTRACE", "1".into()),
        ] {
            env.insert(variable.into(), value);
        }
        let sandbox =
            Self { root, name, env, used: AtomicBool::new(false), leave: LEAVE, patience: DEADLINE };
        // A login shell reads the machine's profile first, which sets another PATH and prompt.
        let profile = format!("PATH='{}'; export PATH\nPS1='{PROMPT}'\n", sandbox.env["PATH"]);
        sandbox.write("home/.profile", &profile);
        sandbox.write("home/.shrc", &format!("PS1='{PROMPT}'\n"));
        let git =
            "[user]\n\tname = Tester\n\temail = tester@example.invalid\n[init]\n\tdefaultBranch = main\n";
        sandbox.write("home/.gitconfig", git);
        let socket = sandbox.socket();
        assert!(socket.as_os_str().len() < MAX_SOCKET_PATH, "{} is too long", socket.display());
        sandbox
    }

    /// The directory that holds everything.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A path below [`Sandbox::root`].
    pub fn path(&self, part: &str) -> PathBuf {
        self.root.path().join(part)
    }

    /// The server's name (`-L`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the server listens.
    pub fn socket(&self) -> PathBuf {
        let uid = rustix::process::getuid().as_raw();
        Path::new(&self.env["INSPAN_TMPDIR"])
            .join(format!("inspan-{uid}"))
            .join(format!("{}.sock", self.name))
    }

    /// The server's state directory.
    pub fn state_dir(&self) -> PathBuf {
        Path::new(&self.env["XDG_STATE_HOME"]).join("inspan").join(&self.name)
    }

    /// Changes the environment of everything that is started from now on; `None` removes a variable.
    pub fn set_env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => drop(self.env.insert(name.into(), value.into())),
            None => drop(self.env.remove(name)),
        }
    }

    /// Changes how long the processes of the sandbox may take to end after `kill-server`.
    pub fn set_leave(&mut self, leave: Duration) {
        self.leave = leave;
    }

    /// Changes how long a command may take to end, and a condition about its answers to hold.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Writes a file below the root, with its directories.
    pub fn write(&self, part: &str, contents: &str) -> PathBuf {
        let path = self.path(part);
        fs::create_dir_all(path.parent().expect("a file has a directory"))
            .expect("the sandbox takes directories");
        fs::write(&path, contents).expect("the sandbox takes files");
        path
    }

    /// Writes the user's `config.toml`.
    pub fn config(&self, toml: &str) -> PathBuf {
        self.write("config/inspan/config.toml", toml)
    }

    /// Makes a directory below the root.
    pub fn dir(&self, part: &str) -> PathBuf {
        let path = self.path(part);
        fs::create_dir_all(&path).expect("the sandbox takes directories");
        path
    }

    /// Makes a git repository on `main` with one commit below the root.
    pub fn repository(&self, part: &str) -> PathBuf {
        let dir = self.dir(part);
        self.write(&format!("{part}/README.md"), "a repository\n");
        for args in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-q", "-m", "first"]] {
            self.run_in(&dir, "git", args).ok();
        }
        dir
    }

    /// Puts a program of that name first on PATH: a POSIX shell script. Without a `#!` line it gets one.
    pub fn stub(&self, program: &str, script: &str) -> PathBuf {
        let path = self.path("bin").join(program);
        let script =
            if script.starts_with("#!") { script.to_owned() } else { format!("#!/bin/sh\n{script}\n") };
        // Another process writes it. While this one had it open for writing, a child that another test forks at that
        // moment would inherit the descriptor, and executing the file would fail with ETXTBSY.
        let mut command = self.base("sh", &self.path("home"));
        command.args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(&path).stdin(Stdio::piped());
        let mut child = command.spawn().expect("sh runs");
        child.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("sh reads");
        assert!(child.wait().expect("sh ends").success(), "the stub {program} could not be written");
        path
    }

    /// Runs `inspan -L NAME` with these arguments, without a terminal, from the sandbox's home.
    pub fn inspan(&self, args: &[&str]) -> Output {
        self.output(self.command(args))
    }

    /// The same from another directory.
    pub fn inspan_in(&self, dir: &Path, args: &[&str]) -> Output {
        let mut command = self.command(args);
        command.current_dir(dir);
        self.output(command)
    }

    /// The command that [`Sandbox::inspan`] runs, for changes of one's own; run it with [`Sandbox::output`].
    pub fn command(&self, args: &[&str]) -> Command {
        self.used.store(true, Ordering::Relaxed);
        let mut command = self.base(env!("CARGO_BIN_EXE_inspan"), &self.path("home"));
        command.args(["-L", &self.name]).args(args);
        command
    }

    /// Runs another program in the sandbox's environment.
    pub fn run_in(&self, dir: &Path, program: &str, args: &[&str]) -> Output {
        let mut command = self.base(program, dir);
        command.args(args);
        self.output(command)
    }

    /// Runs a prepared command to its end.
    ///
    /// # Panics
    /// When it does not end in time, or leaves a process behind that keeps its output open.
    pub fn output(&self, mut command: Command) -> Output {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("`{words}`: {error}"));
        let stdout = drain(child.stdout.take().expect("it is piped"));
        let stderr = drain(child.stderr.take().expect("it is piped"));
        if !processes::wait_gone(child.id().cast_signed(), self.patience) {
            let _ = child.kill();
            let _ = child.wait();
            let text = |pipe: mpsc::Receiver<_>| pipe.recv_timeout(DRAIN).unwrap_or_default();
            panic!("`{words}` did not end in time\nstdout: {}\nstderr: {}", text(stdout), text(stderr));
        }
        let status = child.wait().expect("it has ended");
        let text = |pipe: mpsc::Receiver<String>, name: &str| {
            let held =
                |_| panic!("`{words}` has ended, but a process that it left behind keeps its {name} open");
            pipe.recv_timeout(DRAIN).unwrap_or_else(held)
        };
        let (stdout, stderr) = (text(stdout, "stdout"), text(stderr, "stderr"));
        Output { code: status.code().unwrap_or(-1), stdout, stderr, command: words }
    }

    /// Runs `inspan … --json` and returns what it printed.
    ///
    /// # Panics
    /// When it fails or prints something else.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.inspan(&with_json(args));
        let text = output.ok();
        serde_json::from_str(text).unwrap_or_else(|error| panic!("`{}`: {error}\n{text}", output.command))
    }

    /// Asks `inspan … --json` until `condition` holds for the answer, and returns that answer.
    ///
    /// Asking again and again is right here: the command answers once about one moment, and what a script sees of a
    /// server is exactly such answers. The pause bounds how much of the machine the asking takes from the answer.
    ///
    /// # Panics
    /// When it does not hold in time; names the condition and shows the last answer.
    #[track_caller]
    pub fn wait_json(&self, name: &str, args: &[&str], mut condition: impl FnMut(&Value) -> bool) -> Value {
        let args = with_json(args);
        let output = self.wait_output(name, &args, |output| {
            output.code == 0 && serde_json::from_str(&output.stdout).is_ok_and(|value| condition(&value))
        });
        serde_json::from_str(&output.stdout).expect("it was parsed before")
    }

    /// Runs `inspan …` until `condition` holds for what it did; see [`Sandbox::wait_json`].
    ///
    /// # Panics
    /// When it does not hold in time; names the condition and shows the last answer.
    #[track_caller]
    pub fn wait_output(
        &self,
        name: &str,
        args: &[&str],
        mut condition: impl FnMut(&Output) -> bool,
    ) -> Output {
        let deadline = Instant::now() + self.patience;
        loop {
            let output = self.inspan(args);
            if condition(&output) {
                return output;
            }
            if Instant::now() >= deadline {
                let Output { code, stdout, stderr, command } = output;
                panic!(
                    "waiting until {name}: `{command}` last said {code}\nstdout: {stdout}\nstderr: {stderr}"
                );
            }
            thread::park_timeout(ASK_AGAIN);
        }
    }

    /// Runs `inspan -L NAME` with these arguments in a current terminal.
    pub fn attach(&self, cols: u16, rows: u16, args: &[&str]) -> Terminal {
        self.terminal(cols, rows).attach(args)
    }

    /// A terminal to be configured further.
    pub fn terminal(&self, cols: u16, rows: u16) -> TerminalSetup<'_> {
        let env = self.env.clone();
        TerminalSetup { sandbox: self, cols, rows, answers: Answers::MODERN, env, dir: self.path("home") }
    }

    /// The processes that belong to the sandbox.
    pub fn processes(&self) -> Vec<Process> {
        processes::of(self.root())
    }

    /// The server, when it runs.
    pub fn server(&self) -> Option<Process> {
        let binary = Path::new(env!("CARGO_BIN_EXE_inspan")).canonicalize().ok()?;
        self.processes().into_iter().find(|process| {
            let runs = fs::read_link(format!("/proc/{}/exe", process.pid)).is_ok_and(|exe| exe == binary);
            runs && process.argv.iter().skip(1).any(|word| word == "server")
        })
    }

    fn base(&self, program: &str, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.env).current_dir(dir);
        command
    }

    fn show_logs(&self) {
        let Ok(logs) = fs::read_dir(self.state_dir().join("log")) else { return };
        for path in logs.flatten().map(|log| log.path()) {
            let log = fs::read(&path).unwrap_or_default();
            let tail = &log[log.len().saturating_sub(LOG_TAIL)..];
            eprintln!("── {} ──\n{}", path.display(), String::from_utf8_lossy(tail));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let failing = thread::panicking();
        if failing {
            self.show_logs();
        }
        if self.used.load(Ordering::Relaxed) {
            let mut command = self.command(&["kill-server"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // Whether there was a server to kill is not asked; what counts is what is left.
            if let Ok(mut child) = command.spawn() {
                if !processes::wait_gone(child.id().cast_signed(), self.leave) {
                    let _ = child.kill();
                }
                let _ = child.wait();
            }
        }
        let survivors = processes::outlast(self.root(), self.leave);
        survivors.iter().for_each(|process| process.kill(Signal::KILL));
        if survivors.is_empty() {
            return;
        }
        let list: Vec<String> =
            survivors.iter().map(|process| format!("  {} {}", process.pid, process.argv.join(" "))).collect();
        let message = format!("processes outlived the sandbox {}:\n{}", self.name, list.join("\n"));
        if failing {
            eprintln!("{message}");
        } else {
            panic!("{message}");
        }
    }
}

/// A terminal before its program runs.
pub struct TerminalSetup<'a> {
    sandbox: &'a Sandbox,
    cols: u16,
    rows: u16,
    answers: Answers,
    env: BTreeMap<String, String>,
    dir: PathBuf,
}

impl TerminalSetup<'_> {
    /// What the terminal answers; [`Answers::MODERN`] unless said.
    pub fn answers(mut self, answers: Answers) -> Self {
        self.answers = answers;
        self
    }

    /// Sets a variable of this terminal's program only.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Where the program starts; the sandbox's home unless said.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// Runs `inspan -L NAME` with these arguments.
    pub fn attach(self, args: &[&str]) -> Terminal {
        self.sandbox.used.store(true, Ordering::Relaxed);
        let name = self.sandbox.name.clone();
        let words = [env!("CARGO_BIN_EXE_inspan"), "-L", &name];
        self.run(&[&words[..], args].concat())
    }

    /// Runs any program.
    pub fn run(self, argv: &[&str]) -> Terminal {
        let mut command = CommandBuilder::from_argv(argv.iter().map(Into::into).collect());
        command.env_clear();
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command.cwd(&self.dir);
        Terminal::start(command, self.cols, self.rows, self.answers)
    }
}

/// Reads a pipe to its end on a thread of its own.
fn drain(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = done.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    result
}

fn with_json<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut args = args.to_vec();
    if !args.contains(&"--json") {
        // Options end where a command's own words begin.
        let at = args.iter().position(|&arg| arg == "--").unwrap_or(args.len());
        args.insert(at, "--json");
    }
    args
}

/// Where the system keeps `sh` and `git`, and nothing that the person running the tests installed elsewhere.
fn system_path() -> String {
    let mut dirs = vec![PathBuf::from("/usr/bin"), PathBuf::from("/bin")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !dirs.iter().any(|dir| dir.join("git").exists()) {
        dirs.extend(std::env::split_paths(&path).find(|dir| dir.join("git").exists()));
    }
    let path = std::env::join_paths(dirs).expect("directories of PATH hold no colon");
    path.into_string().expect("the system's directories are text")
}
