//! Attaching to another machine: the system's ssh carries the frames, `inspan proxy` hands them to the server there.
//!
//! A link that breaks is taken up again, and the screen drawn anew. Each frame is acknowledged, so that a slow link
//! costs frames and never piles them up.
use super::{End, INPUT_SLICE, Screen, ServerAddress, blank, connect_or_start, converse, own_terminal};
use crate::server::{
    protocol::{Hello, Kind, PROTOCOL, Welcome, json_frame, read_frame, write_all},
    socket,
};
use anyhow::{Context, Result, bail};
use std::{collections::BTreeMap, io::Write as _, process::Stdio, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

/// Pauses between attempts to take a link up again, the last one for good.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// How long a connection that was taken up may take until the server there says something.
const WELCOME_WAIT: Duration = Duration::from_secs(30);

/// Seconds between two signs of life that ssh asks for, and how many it may miss: a link that broke without a word is
/// noticed within a quarter of a minute.
const ALIVE: [&str; 4] = ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"];

/// What the far side is told of this one's environment: the terminal, and nothing that may be a secret.
const TOLD: [&str; 9] = [
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "VTE_VERSION",
];

/// Attaches this terminal to a session on `host`; `words` are the verb's own. Returns the exit code.
///
/// # Errors
/// When there is no terminal, no ssh, or nothing on the other side that speaks our protocol.
pub fn attach_over_ssh(host: &str, server: &str, words: Vec<String>) -> Result<i32> {
    if host.is_empty() || host.starts_with('-') {
        bail!("{host:?} is no host; write it as for ssh: name, user@name or an alias of your ssh config");
    }
    crate::config::paths::check_name(server)?;
    let terminal = own_terminal()?;
    let mut hello = Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").into(),
        argv: words,
        cwd: String::new(),
        env: std::env::vars().filter(|(name, _)| TOLD.contains(&name.as_str())).collect(),
        terminal: Some(terminal),
        direct: false,
        acknowledges: true,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut screen = Screen::new(true)?;
        let mut failures = 0;
        loop {
            let again = screen.raw.is_some();
            let ended = once(host, server, &hello, &mut screen).await;
            match ended {
                Ok(Some(code)) => return Ok(code),
                // It had been attached, so the link is what failed.
                Ok(None) => failures = 0,
                Err(error) if !again => {
                    screen.leave();
                    return Err(error);
                }
                Err(_) => failures += 1,
            }
            let pause = PAUSES[failures.min(PAUSES.len() - 1)];
            if !wait(host, pause, &mut screen).await {
                screen.leave();
                let _ = writeln!(std::io::stdout(), "[left {host}; what runs there goes on]");
                return Ok(1);
            }
            if let Ok(size) = crossterm::terminal::size() {
                hello.terminal = Some(size);
            }
        }
    });
    runtime.shutdown_background();
    result
}

/// One link from its beginning to its end; `None` when it broke after it had worked.
async fn once(host: &str, server: &str, hello: &Hello, screen: &mut Screen) -> Result<Option<i32>> {
    let again = screen.raw.is_some();
    let mut command = tokio::process::Command::new("ssh");
    command.args(["-T", "-e", "none"]).args(ALIVE);
    if again {
        // Nobody can be asked for a password over a screen that is drawn on.
        command.args(["-o", "BatchMode=yes"]).stderr(Stdio::null());
    }
    // A shell that is not for logging in knows fewer places.
    let remote = format!("env PATH=\"$PATH:$HOME/.local/bin:$HOME/.cargo/bin\" inspan -L {server} proxy");
    let mut child = command
        .args(["--", host, &remote])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run ssh")?;
    let (Some(to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
        bail!("ssh has no pipes");
    };
    let welcome = match again {
        true => tokio::time::timeout(WELCOME_WAIT, read_frame(&mut from)).await.unwrap_or(Ok(None)),
        // The first time a person may be typing a password.
        false => read_frame(&mut from).await,
    };
    let payload = match welcome {
        Ok(Some((Kind::Welcome, payload))) => payload,
        Ok(None) => {
            let status = child.wait().await.ok().and_then(|status| status.code());
            match status {
                Some(127) => bail!("there is no inspan on {host}; install it there first"),
                Some(code) => bail!("ssh {host} ended with code {code} before inspan there answered"),
                None => bail!("ssh {host} ended before inspan there answered"),
            }
        }
        _ => bail!("what answers on {host} is no inspan; does its shell print something at its start?"),
    };
    let welcome: Welcome = serde_json::from_slice(&payload).context("the welcome is not readable")?;
    if welcome.protocol != PROTOCOL {
        bail!(
            "inspan on {host} is version {} and speaks another protocol; use: ssh -t {host} inspan attach",
            welcome.version
        );
    }
    if again {
        blank();
    }
    match converse(from, to, hello, screen).await? {
        End::Exit(code) => Ok(Some(code)),
        // The server there goes on under another binary: a new link finds it.
        End::Lost | End::Again(_) if screen.raw.is_some() => Ok(None),
        End::Lost | End::Again(_) => bail!("ssh {host} ended before inspan there answered"),
    }
}

/// Says that the link is gone and waits for the next attempt; false when the person leaves by `q` or `C-c`.
async fn wait(host: &str, pause: Duration, screen: &mut Screen) -> bool {
    let mut stdout = std::io::stdout();
    let row = crossterm::terminal::size().map_or(1, |(_, rows)| rows);
    let text = format!(
        "\x1b[0m\x1b[{row};1H\x1b[7m the link to {host} is gone; trying again (q leaves) \x1b[0m\x1b[K"
    );
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    let until = tokio::time::sleep(pause);
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return true,
            typed = screen.input.recv(), if !screen.hung_up => match typed {
                Some(bytes) if bytes.contains(&b'q') || bytes.contains(&3) => return false,
                Some(_) => {}
                None => return false,
            },
            _ = screen.term.recv() => return false,
            _ = screen.hup.recv() => return false,
            _ = screen.int.recv() => return false,
        }
    }
}

/// Carries frames between standard input and output and the server here, which it starts when none runs. What the
/// client said of itself is completed with this machine's environment. Returns the exit code.
///
/// # Errors
/// When the server cannot be reached or started.
pub fn proxy(address: &ServerAddress) -> Result<i32> {
    drop(connect_or_start(address)?);
    let path = address.socket();
    let stream = socket::connect(&path).with_context(|| format!("cannot use {}", path.display()))?;
    let stream = stream.context("the server ended just now")?;
    stream.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let (mut from, mut to) = tokio::net::UnixStream::from_std(stream)?.into_split();
        let (mut input, mut output) = (tokio::io::stdin(), tokio::io::stdout());
        let up = async {
            let Some((Kind::Hello, payload)) = read_frame(&mut input).await? else {
                bail!("what came is no client of inspan's");
            };
            let mut hello: Hello = serde_json::from_slice(&payload).context("the hello is not readable")?;
            let told = std::mem::take(&mut hello.env);
            hello.env = super::environment();
            for name in TOLD {
                hello.env.remove(name);
            }
            hello.env.extend(
                told.into_iter()
                    .filter(|(name, _)| TOLD.contains(&name.as_str()))
                    .collect::<BTreeMap<_, _>>(),
            );
            hello.cwd =
                std::env::current_dir().map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default();
            hello.direct = false;
            write_all(&mut to, &json_frame(Kind::Hello, &hello)).await?;
            carry(&mut input, &mut to).await
        };
        let down = carry(&mut from, &mut output);
        tokio::select! {
            ended = up => ended,
            ended = down => ended,
        }
    });
    // The read of standard input cannot be taken back.
    runtime.shutdown_background();
    result.map(|()| 0)
}

/// Copies until one side ends; nothing is kept back.
async fn carry(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> Result<()> {
    let mut slice = vec![0; INPUT_SLICE];
    loop {
        let count = from.read(&mut slice).await?;
        if count == 0 {
            return Ok(());
        }
        write_all(to, &slice[..count]).await?;
    }
}
