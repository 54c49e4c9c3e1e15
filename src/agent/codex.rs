//! Codex's app-server: the client that is on the same thread as the vendor's TUI, and the program that starts both.
//!
//! Must not know: the server's loop, panes.
mod beside;
#[cfg(test)]
mod tests;
mod thread;

pub use beside::{ARGUMENT, Beside, SERVE_ARGUMENT, become_server, run_beside};

use super::control::{Event, Ordered};
use crate::state::Permission;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};
use thread::Thread;
use tokio::{
    net::UnixStream,
    sync::{mpsc, oneshot},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// How long the app-server may take to answer a connection: it was listening before the TUI began.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Between two attempts.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);
/// How often it is asked for the TUI's thread, as long as that is not known, …
const LOOK: Duration = Duration::from_millis(500);
/// … and how many times: a dialog before the first thread may stand for a minute.
const LOOKS: u32 = 120;
/// One message: a turn's items with the output of its commands.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Where the app-server of a pane listens, and what is done first there.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attach {
    /// Its socket.
    pub socket: PathBuf,
    /// The thread that is resumed; `None` for the one that the TUI begins.
    pub thread: Option<String>,
    /// What a resumed thread may do; `None` leaves it as it was.
    pub permission: Option<Permission>,
}

/// Speaks with an app-server until one side ends it. Events go to `tell`; the last one is [`Event::Lost`], unless the
/// near end was dropped. While nobody takes them, nothing more is read.
pub async fn run(attach: Attach, mut orders: mpsc::Receiver<Ordered>, tell: mpsc::Sender<Event>) {
    let left = attach.socket.clone();
    let ended = speak(attach, &mut orders, &tell).await;
    take_away(&left);
    if let Err(why) = ended {
        // Who is not there any more needs no telling.
        let _ = tell.send(Event::Lost(why)).await;
    }
}

/// Takes away what an app-server that is over leaves behind: the link to its socket, and where that points to, a socket
/// and a lock in a directory that no pane's end empties.
fn take_away(socket: &Path) {
    let Ok(at) = std::fs::read_link(socket) else { return };
    for path in [at.with_extension("lock"), at, socket.to_owned()] {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(path = %path.display(), %error, "what an app-server left behind stays");
        }
    }
}

/// Connects; the socket's own name may be a link to one with a short path.
async fn connect(socket: &Path) -> Result<WebSocketStream<UnixStream>, String> {
    let connecting = async {
        loop {
            // The TUI is there already: had it one beside it, that would be as well.
            if socket.symlink_metadata().is_err() {
                return Err("no app-server listens beside it".to_owned());
            }
            let at = std::fs::canonicalize(socket).unwrap_or_else(|_| socket.to_owned());
            match UnixStream::connect(at).await {
                Ok(stream) => return Ok(stream),
                Err(error) => tracing::debug!(%error, "the app-server does not listen yet"),
            }
            tokio::time::sleep(CONNECT_PAUSE).await;
        }
    };
    let late = |_| "its app-server does not answer".to_owned();
    let stream = tokio::time::timeout(CONNECT_TIME, connecting).await.map_err(late)??;
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE));
    let shaken = client_async_with_config("ws://localhost/", stream, Some(config));
    let shaken = tokio::time::timeout(CONNECT_TIME, shaken).await.map_err(late)?;
    Ok(shaken.map_err(|e| format!("its app-server answers otherwise than expected: {e}"))?.0)
}

async fn speak(
    attach: Attach,
    orders: &mut mpsc::Receiver<Ordered>,
    tell: &mpsc::Sender<Event>,
) -> Result<(), String> {
    let socket = connect(&attach.socket).await?;
    let (mut far, mut near) = socket.split();
    let mut thread = Thread::new(attach.thread, attach.permission);
    let mut waiting: BTreeMap<u64, oneshot::Sender<Result<(), String>>> = BTreeMap::new();
    let lost = |e: tokio_tungstenite::tungstenite::Error| format!("its app-server ended: {e}");
    let packed = |message: &Value| Message::text(message.to_string());
    far.send(packed(&thread.hello())).await.map_err(lost)?;
    let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
    let mut left = LOOKS;
    loop {
        tokio::select! {
            _ = looks.tick(), if left > 0 && thread.misses_thread() => {
                left -= 1;
                far.send(packed(&thread.look_again())).await.map_err(lost)?;
            }
            message = near.next() => {
                let message = message.ok_or("its app-server ended")?.map_err(lost)?;
                let Ok(text) = message.to_text() else { continue };
                let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
                let heard = thread.heard(&message);
                for message in &heard.say {
                    far.send(packed(message)).await.map_err(lost)?;
                }
                for event in heard.tell {
                    if tell.send(event).await.is_err() {
                        return Ok(());
                    }
                }
                if let Some((id, how)) = heard.answered && let Some(reply) = waiting.remove(&id) {
                    // Who asked may have gone.
                    let _ = reply.send(how);
                }
            }
            ordered = orders.recv() => {
                let Some(Ordered { order, reply }) = ordered else { return Ok(()) };
                match thread.order(&order) {
                    Ok((message, answer)) => {
                        far.send(packed(&message)).await.map_err(lost)?;
                        match answer {
                            Some(id) => { waiting.insert(id, reply); }
                            None => { let _ = reply.send(Ok(())); }
                        }
                    }
                    Err(why) => { let _ = reply.send(Err(why)); }
                }
            }
        }
    }
}
