//! The program that a Codex pane begins with: it starts the app-server beside the vendor's TUI and becomes the TUI.
//!
//! Both are processes of the pane: what is stopped with it, swept after a crash and confined to it holds for both.
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The verb that runs this program; what follows it is the path of its settings.
pub const ARGUMENT: &str = "codex-pane";
/// The verb that becomes the app-server; what follows it is its command.
pub const SERVE_ARGUMENT: &str = "codex-serve";

/// How long the app-server may take to listen. It takes 0.1 s, a busy machine some twenty times that.
const READY: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(15);

/// What a launch writes down for the program: private, because arguments may hold a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// The app-server, program and arguments.
    pub serve: Vec<String>,
    /// The TUI on it.
    pub attach: Vec<String>,
    /// The TUI by itself, should there be no app-server.
    pub alone: Vec<String>,
    /// Where the app-server listens.
    pub socket: PathBuf,
    /// What it says goes here.
    pub log: PathBuf,
}

/// Starts what the settings say; returns only when nothing could be started.
///
/// # Errors
/// A sentence with the program.
pub fn run_beside(settings: &Path) -> Result<i32, String> {
    let cannot = |why: String| format!("cannot read {}: {why} · start the harness again", settings.display());
    let text = fs::read_to_string(settings).map_err(|e| cannot(e.to_string()))?;
    let beside: Beside = serde_json::from_str(&text).map_err(|e| cannot(e.to_string()))?;
    let argv = match serve(&beside) {
        Ok(()) => &beside.attach,
        // The TUI by itself is as good as ever; that nothing answers on the socket is how the server learns of it.
        Err(why) => {
            let _ = fs::OpenOptions::new()
                .append(true)
                .open(&beside.log)
                .and_then(|mut log| io::Write::write_all(&mut log, format!("inspan: {why}\n").as_bytes()));
            let _ = fs::remove_file(&beside.socket);
            &beside.alone
        }
    };
    let (program, arguments) = argv.split_first().ok_or("the settings name no program")?;
    let failed = Command::new(program).args(arguments).exec();
    Err(format!("cannot start {program}: {failed}"))
}

/// Starts the app-server and waits until it listens.
fn serve(beside: &Beside) -> Result<(), String> {
    let _ = fs::remove_file(&beside.socket);
    let own = std::env::current_exe().map_err(|e| format!("cannot find inspan's own binary: {e}"))?;
    let log = fs::File::create(&beside.log)
        .and_then(|log| Ok((log.try_clone()?, log)))
        .map_err(|e| format!("cannot write {}: {e}", beside.log.display()))?;
    let child = Command::new(own)
        .arg(SERVE_ARGUMENT)
        .arg("--")
        .args(&beside.serve)
        .stdin(Stdio::null())
        .stdout(log.0)
        .stderr(log.1)
        // Whoever suspends the TUI with a key must not suspend the server under it.
        .process_group(0)
        .spawn();
    let mut child = child.map_err(|e| format!("cannot start the app-server: {e}"))?;
    let end = Instant::now() + READY;
    while Instant::now() < end {
        if listens(&beside.socket) {
            return Ok(());
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("the app-server ended with {status}"));
        }
        std::thread::sleep(LOOK);
    }
    give_up(&mut child);
    Err(format!("the app-server did not listen within {} s", READY.as_secs()))
}

fn give_up(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether somebody answers there; the name may be a link to one with a short path.
fn listens(socket: &Path) -> bool {
    let at = fs::canonicalize(socket).unwrap_or_else(|_| socket.to_owned());
    UnixStream::connect(at).is_ok()
}

/// Becomes the app-server, which is ended with the TUI; returns only when that failed.
pub fn become_server(argv: &[String]) -> io::Error {
    let Some((program, arguments)) = argv.split_first() else {
        return io::Error::other("no program to become");
    };
    let parent = rustix::process::getppid();
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
    {
        return error.into();
    }
    if rustix::process::getppid() != parent {
        return io::Error::other("the pane ended before its app-server began");
    }
    Command::new(program).args(arguments).exec()
}
