//! Owns the attached terminal: raw mode, bytes up, frames down, and giving the terminal back on every way out.
//!
//! A byte pipe: the server decodes keys and draws. Where server and terminal share a machine and a user the server
//! reads and writes the terminal itself, and the client only holds its modes.
//! Must not know: sessions, panes, what a frame shows.
mod connect;
mod remote;
mod terminal;

pub use connect::{Connection, ServerAddress, connect, connect_or_start};
pub use remote::{attach_over_ssh, proxy};

use crate::server::protocol::{Exit, Hello, Kind, PROTOCOL, frame, json_frame, read_frame, write_all};
use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    io::{IsTerminal, Read, Write},
    time::Duration,
};
use terminal::Raw;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    signal::unix::{Signal, SignalKind, signal},
};

/// Chunks of terminal input in flight towards the server; more waits in the terminal's own buffer.
const INPUT_QUEUE: usize = 16;

/// Terminal input is read in slices of this many bytes.
const INPUT_SLICE: usize = 16 * 1024;

/// How long a client that leaves waits for the server to let go of the terminal. A server that takes longer is stuck,
/// and then it does not draw either.
const HANG_UP: Duration = Duration::from_millis(500);

/// Set to make the client carry every byte instead of leaving its terminal to the server, as it does by itself where
/// the server cannot open that terminal.
const CARRY: &str = "INSPAN_CARRY";

/// The server ended before it said anything: it was about to end when it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the server ended before it answered")]
pub struct Unanswered;

/// The environment as the server is told it; variables that are not UTF-8 are left out.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
}

/// Says hello and carries one verb to its end: output to the standard streams, frames to the terminal.
///
/// Returns the exit code.
///
/// # Errors
/// When the server goes away without saying how it ended.
pub fn run(connection: Connection, argv: Vec<String>, attach: bool) -> Result<i32> {
    let terminal = if attach { Some(own_terminal()?) } else { None };
    let mut hello = Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").into(),
        argv,
        cwd: std::env::current_dir().context("the current directory is gone")?.to_string_lossy().into_owned(),
        env: environment(),
        terminal,
        direct: attach && one_terminal(),
        acknowledges: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut stream = connection.stream;
        let mut screen = Screen::new(hello.terminal.is_some())?;
        let ended = loop {
            stream.set_nonblocking(true)?;
            let (from, to) = tokio::net::UnixStream::from_std(stream)?.into_split();
            match converse(from, to, &hello, &mut screen).await? {
                End::Again(words) => {
                    stream = connect::again(&connection.path, &words, || screen.leave())?;
                    blank();
                    hello.argv = words;
                    hello.terminal = own_terminal().ok().or(hello.terminal);
                }
                ended => break ended,
            }
        };
        match ended {
            End::Exit(code) => Ok(code),
            End::Again(_) => Ok(0),
            End::Lost if screen.raw.is_none() && !screen.heard => Err(Unanswered.into()),
            End::Lost => {
                screen.leave();
                // The terminal may be gone as well; a failed write must not become a panic.
                if hello.terminal.is_some() {
                    let text = "[lost server: run inspan to start again; panes will offer resume]";
                    let _ = writeln!(std::io::stdout(), "{text}");
                } else {
                    let _ = writeln!(std::io::stderr(), "inspan: the server ended before it answered");
                }
                Ok(1)
            }
        }
    });
    // A thread may still sit in a read of the terminal; it must not hold up the way out.
    runtime.shutdown_background();
    result
}

/// Makes the terminal of another server's frames one for ours: what that pushed is popped, what it drew is gone.
fn blank() {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(b"\x1b[<u\x1b[0m\x1b[2J\x1b[H").and_then(|()| stdout.flush());
}

/// The size of the terminal that is to be attached.
fn own_terminal() -> Result<(u16, u16)> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        anyhow::bail!(
            "attaching needs a terminal on standard input and output; use new-session -d in scripts"
        );
    }
    crossterm::terminal::size().context("cannot read the terminal's size")
}

/// How a conversation with a server ended.
enum End {
    /// As it should, with this exit code.
    Exit(i32),
    /// The server goes on under another binary and is to be asked again with these words.
    Again(Vec<String>),
    /// Without a last word.
    Lost,
}

/// The terminal of this process, or its standard streams; it outlives a connection.
struct Screen {
    attached: bool,
    raw: Option<Raw>,
    /// What a server said to be told once the terminal is as before.
    last_words: Vec<u8>,
    sender: Option<tokio::sync::mpsc::Sender<Vec<u8>>>,
    input: tokio::sync::mpsc::Receiver<Vec<u8>>,
    hung_up: bool,
    heard: bool,
    winch: Signal,
    term: Signal,
    hup: Signal,
    int: Signal,
}

impl Screen {
    fn new(attached: bool) -> Result<Self> {
        let (sender, input) = tokio::sync::mpsc::channel::<Vec<u8>>(INPUT_QUEUE);
        Ok(Self {
            attached,
            raw: None,
            last_words: Vec::new(),
            sender: attached.then_some(sender),
            input,
            hung_up: false,
            heard: false,
            winch: signal(SignalKind::window_change())?,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// Gives the terminal back and tells what waited for that.
    fn leave(&mut self) {
        self.raw = None;
        let _ = std::io::stderr().write_all(&std::mem::take(&mut self.last_words));
    }
}

/// Talks with a server until either ends it.
async fn converse(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin,
    hello: &Hello,
    screen: &mut Screen,
) -> Result<End> {
    write_all(&mut to, &json_frame(Kind::Hello, hello)).await.context("the server hung up")?;
    let mut stdout = std::io::stdout();
    // A frame may arrive in pieces; reading must not be cancelled by another branch, so it has its own task.
    let (frames_in, mut frames) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let next = read_frame(&mut from).await;
            let end = !matches!(next, Ok(Some(_)));
            if frames_in.send(next).await.is_err() || end {
                break;
            }
        }
    });
    let code;
    loop {
        tokio::select! {
            biased;
            received = frames.recv() => match received {
                Some(Ok(Some((kind @ (Kind::Paint | Kind::Out), bytes)))) => {
                    screen.heard = true;
                    // Entered at the first frame: what refuses to attach is then read where the command was typed.
                    if let Some(sender) = screen.sender.take_if(|_| kind == Kind::Paint) {
                        screen.raw = Some(Raw::enter()?);
                        std::thread::spawn(move || read_terminal(&sender));
                    }
                    if stdout.write_all(&bytes).and_then(|()| stdout.flush()).is_err() {
                        // The terminal or pipe is gone; the server learns it from the closed socket.
                        return Ok(End::Exit(i32::from(screen.attached)));
                    }
                    if hello.acknowledges && kind == Kind::Paint {
                        // Only now may the next one leave: a slow link costs frames instead of queueing them.
                        let _ = write_all(&mut to, &frame(Kind::Ready, &[])).await;
                    }
                }
                Some(Ok(Some((Kind::Terminal, _)))) => {
                    // From here on the server reads and writes it; we hold its modes.
                    if screen.raw.is_none() {
                        screen.raw = Some(Raw::enter()?);
                    }
                    let _ = write_all(&mut to, &frame(Kind::Ready, &[])).await;
                }
                Some(Ok(Some((Kind::Err, bytes)))) => {
                    if screen.raw.is_some() {
                        // Written now it would be wiped out with the screen.
                        screen.last_words.extend(bytes);
                    } else {
                        let _ = std::io::stderr().write_all(&bytes);
                    }
                }
                Some(Ok(Some((Kind::Exit, payload)))) => {
                    let exit: Exit = serde_json::from_slice(&payload)?;
                    if screen.raw.is_some() && !exit.again.is_empty() {
                        return Ok(End::Again(exit.again));
                    }
                    screen.leave();
                    if !exit.message.is_empty() {
                        let _ = writeln!(stdout, "{}", exit.message);
                    }
                    return Ok(End::Exit(exit.code));
                }
                Some(Ok(Some(_))) => {}
                Some(Ok(None)) | None => return Ok(End::Lost),
                Some(Err(e)) if hello.acknowledges => {
                    tracing::debug!(%e, "the link broke");
                    return Ok(End::Lost);
                }
                Some(Err(e)) => {
                    screen.raw = None;
                    return Err(e).context("the server hung up");
                }
            },
            typed = screen.input.recv(), if !screen.hung_up => {
                let Some(bytes) = typed else {
                    // The end of a terminal's input is the end of the terminal; SIGHUP may be ignored, as under nohup.
                    screen.hung_up = true;
                    if screen.raw.is_some() {
                        code = 129;
                        break;
                    }
                    continue;
                };
                if write_all(&mut to, &frame(Kind::Input, &bytes)).await.is_err() {
                    // The server's last words, if any, are still to be read.
                    continue;
                }
            }
            _ = screen.winch.recv(), if screen.attached => {
                if let Ok((cols, rows)) = crossterm::terminal::size() {
                    let [a, b] = cols.to_le_bytes();
                    let [c, d] = rows.to_le_bytes();
                    let _ = write_all(&mut to, &frame(Kind::Resize, &[a, b, c, d])).await;
                }
            }
            _ = screen.term.recv() => { code = 143; break }
            _ = screen.hup.recv() => { code = 129; break }
            _ = screen.int.recv() => { code = 130; break }
        }
    }
    // A server that still draws would undo what is restored; it lets go of the terminal when it hangs up.
    let _ = to.shutdown().await;
    let last_frame = async { while matches!(frames.recv().await, Some(Ok(Some(_)))) {} };
    let _ = tokio::time::timeout(HANG_UP, last_frame).await;
    screen.raw = None;
    Ok(End::Exit(code))
}

/// Whether keys come from where frames go, so that whoever opens the one has the other.
fn one_terminal() -> bool {
    let device = |fd| rustix::fs::fstat(fd).map(|stat| stat.st_rdev).ok();
    let (input, output) = (device(rustix::stdio::stdin()), device(rustix::stdio::stdout()));
    input.is_some() && input == output && std::env::var_os(CARRY).is_none()
}

/// Sends what is typed until nobody wants it.
fn read_terminal(to: &tokio::sync::mpsc::Sender<Vec<u8>>) {
    let mut stdin = std::io::stdin().lock();
    let mut slice = vec![0u8; INPUT_SLICE];
    while let Ok(n) = stdin.read(&mut slice) {
        if n == 0 || to.blocking_send(slice[..n].to_vec()).is_err() {
            break;
        }
    }
}
