//! Finding an executor's binary: on the user's PATH first, then the one that we installed.
//!
//! Must not know: what the binary is used for.
use super::{Executor, Found};
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// A login shell that reads a network home may be slow; one that asks something would wait for ever.
const SHELL_TIME: Duration = Duration::from_secs(5);
/// A version takes up to two seconds of one processor (Node.js); a busy machine makes it several.
const VERSION_TIME: Duration = Duration::from_secs(20);
/// A version or a PATH is a line; anything longer is not one.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;
/// How often a child that may not be waited for is looked at.
const POLL: Duration = Duration::from_millis(10);
/// Stands before the PATH in the shell's output, since profiles print greetings.
const MARK: &str = "inspan-path:";

/// Why a binary was taken: nothing of the user's own was found before it.
pub const OURS: &str = "installed by inspan";

/// The PATH of `env`, followed by what the user's login shell adds to it. Waits at most five seconds for the shell.
pub fn login_shell_path(env: &BTreeMap<String, String>) -> String {
    let own = env.get("PATH").cloned().unwrap_or_default();
    let shell = env.get("SHELL").filter(|s| Path::new(s).is_absolute()).map_or("/bin/sh", String::as_str);
    let mut command = Command::new(shell);
    command.args(["-l", "-c", &format!("printf '{MARK}%s\\n' \"$PATH\"")]).env_clear().envs(env);
    let said = output_within(&mut command, SHELL_TIME).unwrap_or_default();
    let theirs = said.lines().rev().find_map(|line| line.split(MARK).nth(1)).unwrap_or_default();
    let mut dirs: Vec<&str> = Vec::new();
    for dir in own.split(':').chain(theirs.split(':')) {
        if !dir.is_empty() && !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs.join(":")
}

/// The binary to run for an executor: the user's own on `path` (a PATH value) before ours below `data_dir`.
/// The version is not asked.
pub fn find(executor: &dyn Executor, path: &str, data_dir: &Path) -> Option<Found> {
    let on_path = path
        .split(':')
        .map(Path::new)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(executor.program()))
        .find(|file| runs(file));
    let theirs = on_path.map(|binary| Found { binary, why: "on your PATH", version: None });
    theirs.or_else(|| ours(executor, data_dir))
}

/// The binary that `inspan install` put into `data_dir`.
pub fn ours(executor: &dyn Executor, data_dir: &Path) -> Option<Found> {
    let current = data_dir.join("executors").join(executor.id().as_str()).join("current");
    let binary = binary_below(executor, &current)?;
    Some(Found { binary, why: OURS, version: None })
}

/// The file to execute of an installed package, native binaries first.
pub(super) fn binary_below(executor: &dyn Executor, prefix: &Path) -> Option<PathBuf> {
    executor.package()?.binaries.iter().map(|file| prefix.join(file)).find(|file| runs(file))
}

fn runs(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// What `--version` says, reduced to the number.
pub fn probe_version(binary: &Path, env: &BTreeMap<String, String>, scratch: &Path) -> Option<String> {
    version_in(&output_in_scratch(binary, "--version", env, scratch, VERSION_TIME)?)
}

/// What a CLI prints when it is asked about itself. Some write into their home even then, so they are given
/// `scratch`, a directory that the caller throws away.
pub(super) fn output_in_scratch(
    binary: &Path,
    flag: &str,
    env: &BTreeMap<String, String>,
    scratch: &Path,
    limit: Duration,
) -> Option<String> {
    let mut command = Command::new(binary);
    command.arg(flag).env_clear().envs(env).current_dir(scratch);
    for home in ["CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "GROK_HOME"] {
        command.env(home, scratch);
    }
    output_within(&mut command, limit)
}

/// The first word of the text that looks like `1.2.3`.
pub(super) fn version_in(text: &str) -> Option<String> {
    let words = text.split_whitespace().map(|w| w.trim_start_matches('v'));
    let is_version = |w: &&str| {
        w.split('.').count() >= 3 && w.split(['.', '-', '+']).take(3).all(|n| n.parse::<u32>().is_ok())
    };
    words.into_iter().find(is_version).map(str::to_owned)
}

/// What a command prints on stdout, if it ends with success in time; otherwise its process group is killed.
pub(super) fn output_within(command: &mut Command, limit: Duration) -> Option<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::sync_channel(1);
    // A grandchild may hold the pipe open after the child is gone: the reader is not waited for then.
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.take(MAX_OUTPUT_BYTES).read_to_end(&mut text);
        let _ = sender.send(text);
    });
    let until = Instant::now() + limit;
    let text = receiver.recv_timeout(limit).ok();
    let ended = ended_by(&mut child, until);
    if ended.is_none() {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.wait();
    }
    (ended == Some(true)).then(|| String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
}

/// Whether the child ended with success; `None` when it is still running at `until`.
fn ended_by(child: &mut Child, until: Instant) -> Option<bool> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if Instant::now() < until => thread::sleep(POLL),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::by_id;

    fn script(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_users_own_comes_before_ours() {
        let dir = tempfile::tempdir().unwrap();
        let claude = by_id(&"claude".into()).unwrap();
        let (bin, data) = (dir.path().join("bin"), dir.path().join("data"));
        let path = format!("relative:{}", bin.display());
        assert_eq!(find(claude, &path, &data), None);
        let installed = data.join("executors/claude/current/node_modules/.bin/claude");
        script(&installed, "#!/bin/sh\n");
        assert_eq!(find(claude, &path, &data).unwrap().binary, installed);
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("claude"), "not executable").unwrap();
        assert_eq!(find(claude, &path, &data).unwrap().why, "installed by inspan");
        script(&bin.join("claude"), "#!/bin/sh\n");
        let found = find(claude, &path, &data).unwrap();
        assert_eq!((found.binary, found.why), (bin.join("claude"), "on your PATH"));
    }

    #[test]
    fn a_login_shell_adds_its_directories_behind_greetings() {
        let dir = tempfile::tempdir().unwrap();
        let shell = dir.path().join("shell");
        script(&shell, "#!/bin/sh\necho welcome\nPATH=/from/profile:$PATH\nshift\nexec /bin/sh \"$@\"\n");
        let env = BTreeMap::from([
            ("SHELL".to_owned(), shell.display().to_string()),
            ("PATH".to_owned(), "/mine:/usr/bin".to_owned()),
        ]);
        assert_eq!(login_shell_path(&env), "/mine:/usr/bin:/from/profile");
    }

    #[test]
    fn a_command_that_hangs_or_fails_says_nothing() {
        let begun = Instant::now();
        let mut hangs = Command::new("/bin/sh");
        hangs.args(["-c", "echo early; sleep 60"]);
        assert_eq!(output_within(&mut hangs, Duration::from_millis(50)), None);
        assert!(begun.elapsed() < Duration::from_secs(30));
        let mut fails = Command::new("/bin/sh");
        fails.args(["-c", "echo early; exit 3"]);
        assert_eq!(output_within(&mut fails, Duration::from_secs(20)), None);
    }

    #[test]
    fn versions_are_found_in_what_the_clis_print() {
        assert_eq!(version_in("2.1.328 (Claude Code)").as_deref(), Some("2.1.328"));
        assert_eq!(version_in("codex-cli 0.169.0\n").as_deref(), Some("0.169.0"));
        assert_eq!(version_in("v22.1.0-rc.1").as_deref(), Some("22.1.0-rc.1"));
        assert_eq!(version_in("no version 1.2 here"), None);
    }

    #[test]
    fn a_version_probe_writes_only_into_its_scratch_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (binary, scratch) = (dir.path().join("cli"), dir.path().join("scratch"));
        script(&binary, "#!/bin/sh\ntouch \"$GEMINI_CLI_HOME/junk\"\necho 1.2.3\n");
        fs::create_dir(&scratch).unwrap();
        let env = BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("GEMINI_CLI_HOME".to_owned(), dir.path().display().to_string()),
        ]);
        assert_eq!(probe_version(&binary, &env, &scratch).as_deref(), Some("1.2.3"));
        assert!(scratch.join("junk").exists() && !dir.path().join("junk").exists());
    }
}
