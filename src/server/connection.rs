//! One task pair per connected socket: frames in become events of the loop, frames out leave in order.
use super::{
    Event,
    authority::Caller,
    protocol::{Exit, Hello, Kind, PROTOCOL, Welcome, json_frame, read_frame, write_all},
};
use std::sync::Arc;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
};

/// Frames queued towards one socket. A paint is queued only when the one before has left, so this holds a reply's
/// chunks; a reader that stops reading stops its own command and nothing else.
const OUT_QUEUE: usize = 64;

/// Connections served at once; a runaway script waits instead of eating every descriptor.
const CONNECTIONS: usize = 512;

/// How long the server's end waits for connections to take their last frames. A client leaves at once on its own,
/// unless it is stopped or its terminal does not read.
const LAST_FRAMES: std::time::Duration = std::time::Duration::from_millis(500);

/// How long a connection may stay silent; a client says hello at once, and whoever does not keeps others out.
const HELLO_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// The kernel's buffer towards a client. Small, so that a slow link skips frames instead of queueing them.
const SEND_BUFFER: usize = 32 * 1024;

/// Names a connection within the server's life.
pub type ConnectionId = u64;

/// What leaves on a connection.
#[derive(Debug)]
pub enum Out {
    /// Whole frames; the loop hears `Drained` once they are with the kernel.
    Paint(Vec<u8>),
    /// Whole frames.
    Frames(Vec<u8>),
    /// The last frame.
    Exit(Exit),
}

/// The sending half of a connection.
pub type OutSender = mpsc::Sender<Out>;

/// A place for each connection that may be served.
#[derive(Clone, Debug)]
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CONNECTIONS)))
    }
}

impl Places {
    /// Waits until every connection has ended, so that last frames arrive; no new one is served afterwards.
    pub async fn emptied(&self) {
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(LAST_FRAMES, self.0.acquire_many(all)).await;
        self.0.close();
    }
}

/// Accepts from the newest listener until no other can come. One task does all of it, so that numbers stay unique.
pub async fn accept(
    mut listeners: mpsc::Receiver<UnixListener>,
    events: mpsc::Sender<Event>,
    Places(places): Places,
) {
    let Some(mut listener) = listeners.recv().await else { return };
    let mut next: ConnectionId = 0;
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            newer = listeners.recv() => match newer {
                Some(newer) => {
                    listener = newer;
                    continue;
                }
                None => return,
            },
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                next += 1;
                let events = events.clone();
                let id = next;
                tokio::spawn(async move {
                    serve(id, stream, events).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(id: ConnectionId, stream: UnixStream, events: mpsc::Sender<Event>) {
    let caller = rustix::net::sockopt::socket_peercred(&stream).ok();
    if caller.is_none_or(|c| c.uid != rustix::process::geteuid()) {
        return;
    }
    let pid = caller.map(|c| c.pid.as_raw_nonzero().get()).unwrap_or_default();
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
    let (mut from, mut to) = stream.into_split();
    let welcome = Welcome {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id().cast_signed(),
    };
    if write_all(&mut to, &json_frame(Kind::Welcome, &welcome)).await.is_err() {
        return;
    }
    let hello = tokio::time::timeout(HELLO_WAIT, read_frame(&mut from)).await;
    let Ok(Ok(Some((Kind::Hello, payload)))) = hello else { return };
    let Ok(hello) = serde_json::from_slice::<Hello>(&payload) else { return };
    // What the kernel took is not what the terminal has, where a link lies between.
    let acknowledges = hello.acknowledges;
    let (out, mut queue) = mpsc::channel(OUT_QUEUE);
    let Ok(caller) = tokio::task::spawn_blocking(move || Caller::look_up(pid)).await else { return };
    if events.send(Event::Hello { id, caller, hello: Box::new(hello), out }).await.is_err() {
        return;
    }
    let drained = events.clone();
    let writer = tokio::spawn(async move {
        while let Some(next) = queue.recv().await {
            let (bytes, paint, last) = match next {
                Out::Paint(bytes) => (bytes, true, false),
                Out::Frames(bytes) => (bytes, false, false),
                Out::Exit(exit) => (json_frame(Kind::Exit, &exit), false, true),
            };
            if write_all(&mut to, &bytes).await.is_err() || last {
                break;
            }
            if paint && !acknowledges && drained.send(Event::Drained(id)).await.is_err() {
                break;
            }
        }
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut to).await;
    });
    loop {
        match read_frame(&mut from).await {
            Ok(Some((Kind::Input, bytes))) => {
                if events.send(Event::Input(id, bytes)).await.is_err() {
                    break;
                }
            }
            Ok(Some((Kind::Resize, bytes))) if bytes.len() == 4 => {
                let cols = u16::from_le_bytes([bytes[0], bytes[1]]);
                let rows = u16::from_le_bytes([bytes[2], bytes[3]]);
                if events.send(Event::Resize(id, cols, rows)).await.is_err() {
                    break;
                }
            }
            Ok(Some((Kind::Ready, _))) => {
                if events.send(Event::Drained(id)).await.is_err() {
                    break;
                }
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    let _ = events.send(Event::Gone(id)).await;
    // The last frames may still be on their way to a client that only half-closed.
    let _ = writer.await;
}
