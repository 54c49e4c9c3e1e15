//! Owns the command line: parses it, runs local verbs here and sends the others to the server.
//!
//! Must not know: how the server carries a verb out.
mod bench;
mod config;
mod git;
mod install;
mod machine;
mod policy;
mod prompt;
pub mod reference;
mod vault;

use crate::{
    agent,
    client::{self, ServerAddress},
    commands::{self, BenchWhat, LocalVerb, ScriptVerb, Verb},
    config::{Paths, Settings},
    router::Refusal,
    server,
    term::pty::MAX_QUEUE,
    workspace,
};
use anyhow::{Context, Result};
use clap::error::ErrorKind;
use std::io::Read;

/// Failed.
pub const FAILED: i32 = 1;
/// Bad usage.
pub const USAGE: i32 = 2;
/// Refused.
pub const REFUSED: i32 = 3;

/// Runs the command line; returns the exit code.
pub fn main() -> i32 {
    let mut argv: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let mut commands = commands::sequence(argv.get(1..).unwrap_or_default());
    if commands.len() > 1 {
        argv.truncate(1);
        argv.extend(commands.remove(0));
    } else {
        commands.clear();
    }
    let cli = match commands::parse_line(argv) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    if cli.default_config {
        out(crate::config::EXAMPLE);
        return 0;
    }
    let name = cli.server.unwrap_or_else(server_name);
    let result = match cli.verb {
        Some(Verb::Local(LocalVerb::Server)) => server::run(&name).map(|()| 0),
        verb => run(&name, verb, &commands),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("inspan: {error:#}");
            FAILED
        }
    }
}

/// Inside a pane the server that it belongs to, as tmux does; else the default one.
fn server_name() -> String {
    let own = std::env::var_os("INSPAN").map(std::path::PathBuf::from).and_then(|socket| {
        let ours = paths().is_ok_and(|paths| socket.parent() == Some(paths.sockets.as_path()));
        ours.then(|| socket.file_stem().map(|name| name.to_string_lossy().into_owned())).flatten()
    });
    own.unwrap_or_else(|| crate::config::paths::DEFAULT_SERVER.to_owned())
}

/// Prints what clap says; a misspelt verb also gets its neighbour.
fn usage(error: &clap::Error) -> i32 {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        _ => USAGE,
    }
}

/// Where everything of this person is.
///
/// # Errors
/// Neither HOME nor the XDG variables are set.
pub fn paths() -> Result<Paths> {
    Ok(Paths::new(|key| std::env::var_os(key), rustix::process::geteuid().as_raw())?)
}

/// The settings in force; what is wrong in them goes to standard error.
///
/// # Errors
/// As [`paths`].
pub fn settings() -> Result<Settings> {
    let (settings, problems) = crate::config::load([paths()?.config_file()]);
    for problem in problems {
        eprintln!("inspan: {problem}");
    }
    crate::executors::declare(&settings);
    Ok(settings)
}

/// Prints a refusal as the contract says.
pub fn refuse(refusal: &Refusal, json: bool) -> i32 {
    if json {
        print_json(&serde_json::json!({ "refusal": refusal }));
    } else {
        eprint!("{}", server::refusal_text(refusal));
    }
    REFUSED
}

/// Prints a value as JSON.
pub fn print_json(value: &serde_json::Value) {
    out(&(serde_json::to_string_pretty(value).unwrap_or_default() + "\n"));
}

/// Prints; a reader that went away is no error.
pub fn out(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// `more` are the commands behind the first one of the line.
fn run(name: &str, verb: Option<Verb>, more: &[Vec<String>]) -> Result<i32> {
    let Some(Verb::Local(verb)) = verb else { return several(name, verb, more) };
    anyhow::ensure!(
        more.is_empty(),
        "a command about this machine stands alone; run the others by themselves"
    );
    match verb {
        LocalVerb::Install { executor, back: true, .. } => install::back(&executor),
        LocalVerb::Install { executor, force, update, vendor, yes, .. } => {
            install::run(&executor, install::How { force, update, vendor, yes })
        }
        LocalVerb::Plan { executor, model, auth, assume, rehearse, json } => {
            machine::plan(&executor, model, auth, assume.is_some(), rehearse, json)
        }
        LocalVerb::Policy { action, executor, model, json } => {
            policy::run(action, executor.as_deref(), model.as_deref(), json)
        }
        LocalVerb::Vault { action } => vault::run(name, action),
        LocalVerb::Executors { json } => machine::executors(json),
        LocalVerb::Agents { executor, json } => machine::agents(executor.as_deref(), json),
        LocalVerb::Doctor { json } => machine::doctor(name, json),
        LocalVerb::Sessions { executor, json } => machine::sessions(&executor, json),
        LocalVerb::Checkpoints { dir, diff: Some(from), to, json, paths, .. } => {
            git::diff(dir, from, to, &paths, json)
        }
        LocalVerb::Checkpoints { dir, prune: true, json, .. } => git::prune(dir, json),
        LocalVerb::Checkpoints { dir, json, .. } => git::checkpoints(dir, json),
        LocalVerb::Checkpoint { dir, message, json } => git::checkpoint(dir, message, json),
        LocalVerb::Rewind { id, dir, head, dry_run, yes, json, paths } => {
            git::rewind(dir, &workspace::Rewind { id, paths, head }, dry_run, yes, json)
        }
        LocalVerb::Config { action } => config::run(action),
        LocalVerb::Bench { what: Some(BenchWhat::Gateway), requests, litellm, json, .. } => {
            bench::gateway::run(requests, litellm.as_deref(), json)
        }
        LocalVerb::Bench { megabytes, keys, json, .. } => bench::run(megabytes, keys, json),
        LocalVerb::Completions { shell } => {
            let mut command = commands::bare();
            clap_complete::generate(shell, &mut command, "inspan", &mut std::io::stdout());
            Ok(0)
        }
        LocalVerb::Reference => {
            out(&reference::markdown());
            Ok(0)
        }
        LocalVerb::Proxy => client::proxy(&ServerAddress { dir: paths()?.sockets, name: name.to_owned() }),
        LocalVerb::AgentPane { settings } => agent::run(&settings).map_err(anyhow::Error::msg),
        LocalVerb::CodexPane { settings } => agent::codex::run_beside(&settings).map_err(anyhow::Error::msg),
        LocalVerb::CodexServe { command } => Err(agent::codex::become_server(&command).into()),
        LocalVerb::AgentShell { command } => Err(agent::become_shell(&command).into()),
        LocalVerb::Server => server::run(name).map(|()| 0),
    }
}

/// Verbs that make sense only where a server runs already: without one there is nothing to start one for.
fn needs_running(verb: &Verb) -> bool {
    !matches!(verb, Verb::NewSession { .. } | Verb::Try { .. } | Verb::StartServer | Verb::RestartServer)
}

/// How often a verb that may start a server is tried anew when the one it found was just ending.
const ENDING_TRIES: u32 = 3;

/// The first command with those behind it, in one request; an `attach` among those is one of its own.
fn several(name: &str, verb: Option<Verb>, more: &[Vec<String>]) -> Result<i32> {
    let first = words(&verb)?;
    if let Some(Verb::Attach { ssh: Some(host), .. }) = &verb {
        anyhow::ensure!(more.is_empty(), "attach --ssh stands alone");
        let host_at = first.iter().position(|word| word.starts_with("--ssh")).unwrap_or(0);
        let mut words = first.clone();
        let separate = words.get(host_at).is_some_and(|word| word == "--ssh");
        words.drain(host_at..(host_at + 1 + usize::from(separate)).min(first.len()));
        return client::attach_over_ssh(host, name, words);
    }
    let attaches = |words: &Vec<String>| matches!(commands::parse(words), Ok(Verb::Attach { .. }));
    let at = more.iter().position(attaches).unwrap_or(more.len());
    let together = |commands: &[Vec<String>]| {
        commands.iter().fold(Vec::new(), |mut line: Vec<String>, words| {
            if !line.is_empty() {
                line.push(";".to_owned());
            }
            line.extend(words.iter().map(|word| if word == ";" { "\\;".to_owned() } else { word.clone() }));
            line
        })
    };
    let line: Vec<Vec<String>> = std::iter::once(first).chain(more[..at].iter().cloned()).collect();
    let code = remote(name, verb, &together(&line))?;
    if code != 0 || at == more.len() {
        return Ok(code);
    }
    remote(name, commands::parse(&more[at]).ok(), &together(&more[at..]))
}

fn remote(name: &str, verb: Option<Verb>, words: &[String]) -> Result<i32> {
    let starts = verb.as_ref().is_none_or(|verb| !needs_running(verb));
    let mut tries = 0;
    loop {
        match remote_once(name, verb.clone(), words) {
            Err(error) if starts && tries < ENDING_TRIES && error.is::<client::Unanswered>() => tries += 1,
            // It was ending anyway, which is what kill-server wants and leaves nothing for the others.
            Err(error) if error.is::<client::Unanswered>() => {
                return match &verb {
                    Some(Verb::KillServer) => Ok(0),
                    Some(_) if has_saved_sessions(&paths()?, name) => {
                        eprintln!(
                            "inspan: the server {name:?} ended before it answered; inspan attach brings its panes back, and each \
                             offers to go on"
                        );
                        Ok(FAILED)
                    }
                    Some(verb) => Ok(no_server(name, verb)),
                    None => Err(error),
                };
            }
            result => return result,
        }
    }
}

fn remote_once(name: &str, verb: Option<Verb>, words: &[String]) -> Result<i32> {
    let paths = paths()?;
    let address = ServerAddress { dir: paths.sockets.clone(), name: name.to_owned() };
    paths.server(name)?;
    let attach = matches!(
        verb,
        None | Some(
            Verb::Attach { .. }
                | Verb::NewSession { detached: false, .. }
                | Verb::Try { detached: false, .. }
        )
    );
    let connection = match &verb {
        Some(verb) if needs_running(verb) => match client::connect(&address)? {
            Some(connection) => connection,
            // After a crash or reboot the saved sessions come back with the server.
            None if has_saved_sessions(&paths, name) && !matches!(verb, Verb::KillServer) => {
                client::connect_or_start(&address)?
            }
            None => return Ok(no_server(name, verb)),
        },
        _ => client::connect_or_start(&address)?,
    };
    let restart = matches!(verb, Some(Verb::RestartServer));
    let argv = words.to_vec();
    let pid = connection.server_pid;
    let code = match client::run(connection, argv, attach) {
        Err(error) if error.is::<client::Unanswered>() => {
            wait_gone(pid);
            return Err(error);
        }
        result => result?,
    };
    if restart && code == 0 {
        wait_gone(pid);
        client::connect_or_start(&address)?;
    }
    if code == 0 && matches!(verb, Some(Verb::KillServer)) {
        wait_gone(pid);
    }
    if matches!(verb, Some(Verb::Try { detached: false, .. })) {
        println!("Yours: cd your-repo && inspan");
    }
    Ok(code)
}

/// Whether an earlier server left sessions behind.
fn has_saved_sessions(paths: &Paths, name: &str) -> bool {
    let Ok(place) = paths.server(name) else { return false };
    if !place.database().exists() {
        return false;
    }
    let Ok(recorder) = crate::record::Recorder::open(&place.database()) else { return false };
    let saved = recorder.load_state().ok().flatten().unwrap_or_default();
    serde_json::from_str::<serde_json::Value>(&saved)
        .ok()
        .and_then(|v| v.get("sessions").and_then(|s| s.as_array().map(|a| !a.is_empty())))
        .unwrap_or(false)
}

fn no_server(name: &str, verb: &Verb) -> i32 {
    if matches!(verb, Verb::ListSessions { format } if format.json) {
        out("[]\n");
        return 0;
    }
    eprintln!(
        "inspan: no server {name:?} is running; start one with: inspan new-session, or try everything: inspan try"
    );
    FAILED
}

/// The words of the verb as they were given, `-L NAME` left out, standard input read where it is named.
fn words(verb: &Option<Verb>) -> Result<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut args = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).peekable();
    while let Some(arg) = args.next() {
        if words.is_empty() && arg == "-L" {
            args.next();
        } else if words.is_empty() && arg.starts_with("-L") {
        } else {
            words.push(arg);
        }
    }
    words = commands::sequence(&words).into_iter().next().unwrap_or_default();
    if let Some(Verb::Script(ScriptVerb::SourceFile { files, .. })) = verb
        && files.iter().any(|file| file.as_os_str() == "-")
    {
        let mut input = String::new();
        std::io::stdin()
            .take(MAX_QUEUE as u64)
            .read_to_string(&mut input)
            .context("cannot read standard input")?;
        words.insert(1, format!("--text={input}"));
    }
    if let Some(Verb::Paste { text, .. }) = verb
        && text == "-"
    {
        let mut input = String::new();
        std::io::stdin().read_to_string(&mut input).context("cannot read standard input")?;
        anyhow::ensure!(
            input.len() < MAX_QUEUE,
            "standard input holds {} bytes and a paste less than {MAX_QUEUE}; let the program read it from a file",
            input.len()
        );
        if let Some(last) = words.iter().rposition(|w| w == "-") {
            // Behind `--` it may begin with anything.
            words.splice(last..=last, ["--".to_owned(), input]);
        }
    }
    Ok(words)
}

/// Waits until a server is really gone, so that the next command starts or misses it for sure.
fn wait_gone(pid: i32) {
    /// A server stops its panes for at most their grace; then it ends.
    const WAIT: std::time::Duration = std::time::Duration::from_secs(20);
    let end = std::time::Instant::now() + WAIT;
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return };
    let Ok(fd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else { return };
    while std::time::Instant::now() < end {
        let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
        let second = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
        match rustix::event::poll(&mut fds, Some(&second)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}
