//! Finding a server, or starting one.
use crate::{
    config::{self, Paths},
    server::{
        protocol::{FRAME_LIMIT, Kind, PROTOCOL, Welcome},
        socket,
    },
    vault,
};
use anyhow::{Context, Result, bail};
use std::{
    ffi::OsString,
    io::{BufRead, BufReader, ErrorKind, Read},
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// How often, and how long apart, a client tries a server that another client is starting.
const STARTING_TRIES: u32 = 100;
const STARTING_PAUSE: Duration = Duration::from_millis(50);

/// A shorter value is no key, and the same value elsewhere a coincidence.
const KEY_MIN: usize = 8;

/// Which server.
#[derive(Clone, Debug)]
pub struct ServerAddress {
    /// The socket directory.
    pub dir: PathBuf,
    /// The server's name.
    pub name: String,
}

impl ServerAddress {
    /// The socket's path.
    pub fn socket(&self) -> PathBuf {
        socket::path(&self.dir, &self.name)
    }
}

/// A socket with a server behind it that speaks our protocol; nothing said yet but its welcome.
#[derive(Debug)]
pub struct Connection {
    pub(super) stream: UnixStream,
    /// Its socket.
    pub(super) path: PathBuf,
    /// The server's process id.
    pub server_pid: i32,
}

/// Set when a client was executed from a server's binary; a second mismatch is then an error, not a loop.
const REEXECUTED: &str = "INSPAN_REEXECUTED";

/// How long a server may take to say welcome. It answers at once unless it is stopped or stuck.
const WELCOME_WAIT: Duration = Duration::from_secs(10);

/// Reads the server's welcome. On another protocol the server's own binary takes over this process, so that
/// attach, list and kill always work.
fn welcome(
    mut stream: UnixStream,
    path: PathBuf,
    words: impl IntoIterator<Item = OsString>,
    leave: impl FnOnce(),
) -> Result<Connection> {
    stream.set_read_timeout(Some(WELCOME_WAIT))?;
    let mut head = [0u8; 5];
    match stream.read_exact(&mut head) {
        Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            return Err(super::Unanswered.into());
        }
        read => read.context("the server does not answer; is it stopped? (inspan kill-server ends it)")?,
    }
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if length > FRAME_LIMIT || head[4] != Kind::Welcome as u8 {
        bail!("something else than inspan listens on this socket");
    }
    let mut payload = vec![0u8; length];
    stream.read_exact(&mut payload)?;
    stream.set_read_timeout(None)?;
    let welcome: Welcome =
        serde_json::from_slice(&payload).context("the server's welcome is not readable")?;
    if welcome.protocol == PROTOCOL {
        return Ok(Connection { stream, path, server_pid: welcome.pid });
    }
    if std::env::var_os(REEXECUTED).is_some() {
        bail!(
            "the server speaks protocol {}, this client {PROTOCOL}; run: inspan restart-server",
            welcome.protocol
        );
    }
    leave();
    let error = Command::new(format!("/proc/{}/exe", welcome.pid)).args(words).env(REEXECUTED, "1").exec();
    Err(error).with_context(|| {
        format!("the server runs inspan {} and its binary cannot be executed", welcome.version)
    })
}

/// Connects to a running server.
///
/// # Errors
/// When the socket cannot be used; `Ok(None)` when no server runs.
pub fn connect(address: &ServerAddress) -> Result<Option<Connection>> {
    config::paths::check_name(&address.name)?;
    socket::check_dir(&address.dir).map_err(anyhow::Error::msg)?;
    let path = address.socket();
    let Some(stream) = socket::connect(&path).with_context(|| format!("cannot use {}", path.display()))?
    else {
        return Ok(None);
    };
    welcome(stream, path, std::env::args_os().skip(1), || {}).map(Some)
}

/// Connects to a server that goes on under another binary, to attach again with `words`. Where that speaks another
/// protocol, its binary takes over this process, after `leave`.
///
/// # Errors
/// When there is no server any more.
pub(super) fn again(path: &Path, words: &[String], leave: impl FnOnce()) -> Result<UnixStream> {
    let stream = socket::connect(path).with_context(|| format!("cannot use {}", path.display()))?;
    let stream = stream.context("the server did not come back; inspan attach starts it anew")?;
    let name = path.file_stem().unwrap_or_default().to_os_string();
    let words = ["-L".into(), name].into_iter().chain(words.iter().map(Into::into));
    welcome(stream, path.to_owned(), words, leave).map(|connection| connection.stream)
}

/// Connects, starting a server when none runs.
///
/// # Errors
/// What the new server said when it could not start.
pub fn connect_or_start(address: &ServerAddress) -> Result<Connection> {
    for _ in 0..STARTING_TRIES {
        if let Some(connection) = connect(address)? {
            return Ok(connection);
        }
        // Another client may be starting one, or the one before may still be ending.
        if start(address)? == Started::Elsewhere {
            std::thread::sleep(STARTING_PAUSE);
        }
    }
    bail!("the server did not come up; its log is under the state directory (inspan config path)")
}

/// Variables that hold a key, by their usual names and by those that settings and vaults give: a process's first environment
/// can be read for as long as it lives, so the server is started without them and learns keys from its clients.
fn key_names() -> Vec<String> {
    let mut names: Vec<String> = vault::PROVIDER_KEY_VARS.iter().map(|name| (*name).to_owned()).collect();
    let uid = rustix::process::geteuid().as_raw();
    if let Ok(paths) = Paths::new(|key| std::env::var_os(key), uid) {
        let (settings, _) = config::load([paths.config_file()]);
        let file = vault::VaultFile::load(&vault::VaultFile::path(&paths.data)).unwrap_or_default();
        let kept = file.vaults.values().flat_map(crate::router::VaultEntry::references);
        let referenced = settings.references().into_iter().chain(kept);
        names.extend(referenced.filter_map(|reference| Some(reference.strip_prefix("env:")?.to_owned())));
    }
    // The same key may stand there under another name.
    let keys: Vec<_> = names.iter().filter_map(std::env::var_os).filter(|key| key.len() >= KEY_MIN).collect();
    let same = std::env::vars_os().filter(|(_, value)| keys.contains(value));
    let same: Vec<String> = same.filter_map(|(name, _)| name.into_string().ok()).collect();
    names.extend(same);
    names
}

/// What became of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Started {
    /// The new server listens.
    Here,
    /// Another one holds the name: it is starting or ending.
    Elsewhere,
}

/// Executes `inspan server` and waits until it listens or says why it cannot.
fn start(address: &ServerAddress) -> Result<Started> {
    socket::prepare_dir(&address.dir).map_err(anyhow::Error::msg)?;
    let binary = std::env::current_exe().context("cannot find inspan's own binary")?;
    let mut command = Command::new(binary);
    // Started from inside a pane it must not be taken for something that the pane left behind.
    command.env_remove(crate::term::pty::MARK);
    command
        .args(["-L", &address.name, "server"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for name in key_names() {
        command.env_remove(name);
    }
    let mut child = command.spawn().context("cannot start the server")?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line).context("the server said nothing")?;
    }
    match line.trim() {
        "ready" => Ok(Started::Here),
        "taken" => Ok(Started::Elsewhere),
        "" => bail!("the server ended at once; its log is under the state directory (inspan config path)"),
        why => bail!("the server could not start: {why}"),
    }
}
