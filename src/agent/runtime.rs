//! The resident runtime as a child process: its lines become messages, messages become its lines.
use super::{
    protocol::{Heard, MAX_LINE, Say},
    settings::Settings,
};
use std::{collections::VecDeque, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time,
};

/// What a runtime printed beside the protocol, quoted when it ends badly.
const QUOTED: usize = 12;
/// One quoted line.
const QUOTED_LINE: usize = 300;
/// From closing its input to stopping it.
const LEAVE: Duration = Duration::from_millis(1500);

/// Variables that would point the SDK elsewhere or load other code into its interpreter.
const NOT_PASSED_ON: &[&str] = &[
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "OPENAI_DEFAULT_MODEL",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
];

/// What comes from a runtime.
#[derive(Debug)]
pub enum FromRuntime {
    /// It said something.
    Heard(Heard),
    /// It said something that is not the protocol.
    Garbled(String),
    /// It is gone; what it printed last beside the protocol.
    Gone(String),
}

/// A runtime that runs.
pub struct Runtime {
    child: Child,
    say: UnboundedSender<Say>,
}

impl Runtime {
    /// Starts the runner; what it says arrives at the receiver.
    ///
    /// # Errors
    /// A sentence when it cannot be started.
    pub fn start(settings: &Settings) -> Result<(Self, UnboundedReceiver<FromRuntime>), String> {
        let mut command = Command::new(&settings.program);
        command.args(["-u", "-I"]).arg(&settings.runner);
        for name in NOT_PASSED_ON {
            command.env_remove(name);
        }
        // The runtime is no part of the place: it works in a directory of ours.
        command.current_dir(settings.runner.parent().unwrap_or(&settings.cwd));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let cannot = |why: &str| {
            format!(
                "cannot start {}: {why} · inspan install openai-agents --force  puts it there again",
                settings.program.display()
            )
        };
        let mut child = command.spawn().map_err(|e| cannot(&e.to_string()))?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(cannot("it has no pipes"));
        };
        let (say, says) = unbounded_channel();
        let (send, heard) = unbounded_channel();
        tokio::spawn(write(input, says));
        tokio::spawn(listen(output, errors, send));
        Ok((Self { child, say }, heard))
    }

    /// Says something; one that is gone does not hear it, and its end is told by the receiver.
    pub fn say(&self, what: Say) {
        let _ = self.say.send(what);
    }

    /// Ends it: its input closes, and it is stopped if that does not do.
    pub async fn end(self) {
        let Self { mut child, say } = self;
        drop(say);
        if time::timeout(LEAVE, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }
}

async fn write(mut input: ChildStdin, mut says: UnboundedReceiver<Say>) {
    while let Some(say) = says.recv().await {
        let Ok(mut line) = serde_json::to_vec(&say) else { continue };
        line.push(b'\n');
        if input.write_all(&line).await.is_err() {
            return;
        }
    }
}

async fn listen(
    output: impl AsyncRead + Unpin,
    errors: impl AsyncRead + Unpin + Send + 'static,
    send: UnboundedSender<FromRuntime>,
) {
    let quoted = tokio::spawn(quote(errors));
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut lines).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let message = match serde_json::from_slice(&line) {
            Ok(heard) => FromRuntime::Heard(heard),
            Err(_) if line.trim_ascii().is_empty() => continue,
            Err(_) => FromRuntime::Garbled(short(&String::from_utf8_lossy(&line))),
        };
        if send.send(message).is_err() {
            return;
        }
    }
    let _ = send.send(FromRuntime::Gone(quoted.await.unwrap_or_default()));
}

/// The last lines that are printed until the end.
pub(super) async fn quote(errors: impl AsyncRead + Unpin) -> String {
    let mut lines = BufReader::new(errors);
    let mut last: VecDeque<String> = VecDeque::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut lines).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        last.push_back(short(&String::from_utf8_lossy(&line)));
        if last.len() > QUOTED {
            last.pop_front();
        }
    }
    Vec::from(last).join("\n")
}

fn short(line: &str) -> String {
    line.trim_end().chars().take(QUOTED_LINE).collect()
}
