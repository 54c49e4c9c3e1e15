//! The tool that runs commands: each in a session of its own, so that nothing it starts can reach for the pane's terminal
//! and all of it can be stopped at once.
use super::{settings::SHELL_ARGUMENT, tools::Outcome};
use std::{
    collections::VecDeque,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt, process::Child, sync::mpsc::UnboundedSender, time};

/// What a model is given of a command's output: its beginning…
const HEAD: usize = 8 * 1024;
/// … and its end, where errors stand.
const TAIL: usize = 24 * 1024;
/// From the polite signal to the other one.
const GRACE: Duration = Duration::from_secs(2);
/// What a command left running may still write after its end before it is left alone.
const DRAIN: Duration = Duration::from_millis(300);

/// Runs a command to its end. When the future is dropped, the command is stopped.
pub async fn run(
    helper: &Path,
    command: &str,
    dir: &Path,
    limit: Duration,
    live: UnboundedSender<Vec<u8>>,
) -> Outcome {
    let began = Instant::now();
    let spawned = tokio::process::Command::new(helper)
        .arg(SHELL_ARGUMENT)
        .arg(command)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Ok(child) => Group { leader: child.id(), child },
        Err(error) => return Outcome::refused(format!("the shell cannot be started: {error}"), "failed"),
    };
    let mut kept = Kept::default();
    let ended = match child.child.stdout.take() {
        Some(mut pipe) => {
            let reading = async {
                let mut buffer = vec![0; 16 * 1024];
                let mut status = None;
                loop {
                    let more = async {
                        let read = pipe.read(&mut buffer);
                        match status {
                            // What it left running may hold the pipe open for ever.
                            Some(_) => time::timeout(DRAIN, read).await.unwrap_or(Ok(0)),
                            None => read.await,
                        }
                    };
                    tokio::select! {
                        read = more => match read {
                            Ok(0) | Err(_) if status.is_some() => return status,
                            Ok(0) | Err(_) => return child.child.wait().await.ok(),
                            Ok(count) => {
                                kept.push(&buffer[..count]);
                                let _ = live.send(buffer[..count].to_vec());
                            }
                        },
                        ended = child.child.wait(), if status.is_none() => status = ended.ok(),
                    }
                }
            };
            time::timeout(limit, reading).await.ok()
        }
        None => None,
    };
    let (remark, well) = match ended {
        Some(Some(status)) => {
            child.leader = None;
            (words(status), status.success())
        }
        Some(None) => ("its end was not seen".to_owned(), false),
        None => {
            child.stop().await;
            (format!("stopped after {} s", limit.as_secs()), false)
        }
    };
    let text = kept.text();
    let output = format!("{remark}, {:.1} s\n{text}", began.elapsed().as_secs_f64());
    Outcome { output, remark, shown: text, well }
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// A command with all that it started.
struct Group {
    child: Child,
    /// Names the group while it may be signalled.
    leader: Option<u32>,
}

impl Group {
    fn signal(&self, signal: rustix::process::Signal) {
        let leader =
            self.leader.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(leader) = leader {
            let _ = rustix::process::kill_process_group(leader, signal);
            let _ = rustix::process::kill_process(leader, signal);
        }
    }

    async fn stop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        let _ = time::timeout(GRACE, self.child.wait()).await;
        self.signal(rustix::process::Signal::KILL);
        self.leader = None;
    }
}

impl Drop for Group {
    /// The person interrupted: nobody waits for the command any more, but it may still clean up.
    fn drop(&mut self) {
        if self.leader.is_none() {
            return;
        }
        self.signal(rustix::process::Signal::TERM);
        let leader =
            self.leader.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        std::thread::spawn(move || {
            std::thread::sleep(GRACE);
            leader.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL))
        });
    }
}

/// The beginning and the end of an output.
#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    lost: usize,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.tail.extend(&bytes[room..]);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.lost += surplus;
    }

    fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        if self.lost > 0 {
            text.push_str(&format!("\n[{} bytes left out]\n", self.lost));
        }
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        text.push_str(&String::from_utf8_lossy(&tail));
        text
    }
}

/// Becomes the shell of one command, in a session of its own; errors go where output goes. Returns only when that fails.
pub fn become_shell(command: &str) -> std::io::Error {
    let _ = rustix::process::setsid();
    let _ = rustix::stdio::dup2_stderr(std::io::stdout());
    let error = std::process::Command::new("bash").arg("-c").arg(command).exec();
    if error.kind() != std::io::ErrorKind::NotFound {
        return error;
    }
    std::process::Command::new("sh").arg("-c").arg(command).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_loses_its_middle() {
        let mut kept = Kept::default();
        kept.push(b"begin");
        for _ in 0..100 {
            kept.push(&[b'x'; 1000]);
        }
        kept.push(b"end");
        let text = kept.text();
        assert!(text.starts_with("begin") && text.ends_with("end"), "{}", text.len());
        let lost = 5 + 100_000 + 3 - HEAD - TAIL;
        assert!(text.contains(&format!("[{lost} bytes left out]")));
        assert!(text.len() < HEAD + TAIL + 40);
    }
}
