//! Where secrets are outside of this process: files, commands and the desktop's key store. Everything here blocks, for
//! a bounded time.
use super::{SECRET_MAX, Secret, VaultError};
use crate::router::Credential;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// How long a command may take to print a secret: long enough for an agent that asks for a passphrase in a window of
/// its own, short enough for a request that waits for it.
const COMMAND_TIME: Duration = Duration::from_secs(20);

/// Characters quoted of what a command complained.
const COMPLAINT: usize = 160;

/// Reads the secret behind a reference that is not kept in memory. `env` is the environment of the person: commands
/// run in it, without the variables that hold keys.
pub(super) fn fetch(credential: &Credential, env: &BTreeMap<String, String>) -> Result<Secret, VaultError> {
    let name = || credential.short();
    match credential {
        Credential::File(path) => file(path, env),
        Credential::Command(line) => printed(Command::new("sh").arg("-c").arg(line), env, &name()),
        Credential::Keyring { service, account } => {
            let (program, args): (&str, [&str; 5]) = if cfg!(target_os = "macos") {
                ("security", ["find-generic-password", "-ws", service, "-a", account])
            } else {
                ("secret-tool", ["lookup", "service", service, "account", account])
            };
            printed(Command::new(program).args(args), env, &name())
        }
        other => Err(VaultError::Unreadable(other.short(), "is not read from outside".into())),
    }
}

fn file(path: &str, env: &BTreeMap<String, String>) -> Result<Secret, VaultError> {
    let fault = |why: String| VaultError::Unreadable(format!("file:{path}"), why);
    let home = || env.get("HOME").filter(|home| !home.is_empty());
    let at = match path.strip_prefix("~/") {
        Some(rest) => PathBuf::from(home().ok_or_else(|| fault("HOME is not set".into()))?).join(rest),
        None => PathBuf::from(path),
    };
    let mut file = match File::open(&at) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(fault("does not exist".into())),
        Err(error) => return Err(fault(format!("cannot be read: {error}"))),
    };
    let meta = file.metadata().map_err(|error| fault(format!("cannot be read: {error}")))?;
    if !meta.is_file() {
        return Err(fault("is not a file".into()));
    }
    if meta.mode() & 0o077 != 0 {
        let mode = meta.mode() & 0o777;
        return Err(fault(format!("may be read by others (mode {mode:o}); run: chmod 600 {path}")));
    }
    let mut bytes = Vec::new();
    file.by_ref()
        .take(SECRET_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fault(format!("cannot be read: {error}")))?;
    secret(bytes).map_err(fault)
}

/// The first line of bytes that somebody handed over as a secret.
pub(super) fn secret(mut bytes: Vec<u8>) -> Result<Secret, String> {
    let read = || -> Result<Secret, String> {
        if bytes.len() > SECRET_MAX {
            return Err(format!("holds more than {SECRET_MAX} bytes, which is no credential"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| "holds something that is no text".to_owned())?;
        // Key stores and editors put notes below the first line.
        let value = text.lines().next().unwrap_or_default().trim();
        if value.is_empty() {
            return Err("is empty".into());
        }
        if value.contains(|c: char| c.is_control()) {
            return Err("holds control characters, which no credential does".into());
        }
        Ok(Secret::new(value))
    };
    let secret = read();
    bytes.fill(0);
    std::hint::black_box(&bytes);
    secret
}

fn printed(command: &mut Command, env: &BTreeMap<String, String>, name: &str) -> Result<Secret, VaultError> {
    let fault = |why: String| VaultError::Unreadable(name.to_owned(), why);
    let program = command.get_program().to_string_lossy().into_owned();
    command.env_clear().envs(env).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => fault(format!("needs the program {program}, which is not installed")),
        _ => fault(format!("{program} cannot be started: {error}")),
    })?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(fault(format!("{program} has no output")));
    };
    let (said, complained) = (reader(out, SECRET_MAX + 1), reader(err, 4096));
    let Ok(bytes) = said.recv_timeout(COMMAND_TIME) else {
        end(&mut child);
        return Err(fault(format!("{program} printed nothing for {} s", COMMAND_TIME.as_secs())));
    };
    // It closed its output, or printed more than a secret; either way what follows is not waited for.
    let status = match bytes.len() > SECRET_MAX {
        true => {
            end(&mut child);
            return secret(bytes).map_err(fault);
        }
        false => ended(&mut child).ok_or_else(|| fault(format!("{program} printed and did not end")))?,
    };
    if !status.success() {
        let words = complained.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        let words: String = words.lines().next().unwrap_or_default().chars().take(COMPLAINT).collect();
        let words = if words.is_empty() { status.to_string() } else { words };
        return Err(fault(format!("{program} failed: {words}")));
    }
    secret(bytes).map_err(|why| fault(format!("printed what {why}")))
}

/// Reads a pipe to its end, or to `most` bytes, on a thread.
fn reader(mut pipe: impl Read + Send + 'static, most: usize) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.by_ref().take(most as u64).read_to_end(&mut bytes);
        let _ = send.send(bytes);
    });
    receive
}

/// How a command ended that closed its output; one that does not end within a moment is ended.
fn ended(child: &mut Child) -> Option<std::process::ExitStatus> {
    /// Looks at 20 ms each: whoever has closed its output has nothing left to do.
    const LOOKS: u32 = 100;
    for _ in 0..LOOKS {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Ok(Some(status)) => return Some(status),
            Err(_) => break,
        }
    }
    end(child);
    None
}

/// Ends a command and what it started.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn env() -> BTreeMap<String, String> {
        BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())])
    }

    fn fetched(reference: &str) -> Result<String, String> {
        let secret = fetch(&reference.parse().unwrap(), &env());
        secret.map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_must_be_private_and_its_first_line_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let reference = format!("file:{}", path.display());
        assert!(fetched(&reference).unwrap_err().contains("does not exist"));
        std::fs::write(&path, "  sk-file-1 \nnote\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let error = fetched(&reference).unwrap_err();
        assert!(error.contains("mode 644") && error.contains("chmod 600"), "{error}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(fetched(&reference).unwrap(), "sk-file-1");
        std::fs::write(&path, "\n").unwrap();
        assert!(fetched(&reference).unwrap_err().contains("is empty"));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(fetched(&reference).unwrap_err().contains("no text"));
        assert!(fetched(&format!("file:{}", dir.path().display())).unwrap_err().contains("is not a file"));
        let home = BTreeMap::from([("HOME".to_owned(), dir.path().display().to_string())]);
        std::fs::write(&path, "sk-home").unwrap();
        assert_eq!(fetch(&"file:~/key".parse().unwrap(), &home).unwrap().expose(), "sk-home");
    }

    #[test]
    fn a_command_prints_a_secret_or_is_quoted() {
        assert_eq!(fetched("cmd:echo sk-cmd; echo note").unwrap(), "sk-cmd");
        let error = fetched("cmd:echo no such entry >&2; exit 3").unwrap_err();
        assert!(error.starts_with("cmd:echo …") && error.contains("no such entry"), "{error}");
        assert!(fetched("cmd:exit 4").unwrap_err().contains("exit status: 4"));
        assert!(fetched("cmd:true").unwrap_err().contains("is empty"));
        let endless = fetched("cmd:yes | tr -d '\\n'").unwrap_err();
        assert!(endless.contains("no credential"), "{endless}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let nothing = BTreeMap::from([("PATH".to_owned(), "/nonexistent".to_owned())]);
        let reference = "keyring:inspan/team".parse().unwrap();
        let error = fetch(&reference, &nothing).unwrap_err().to_string();
        assert!(error.contains("is not installed"), "{error}");
    }
}
