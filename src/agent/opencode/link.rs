//! Speaks with OpenCode's own server: reads its events, carries orders out.
use super::{Call, Watched, first_prompt, interrupt, prompt};
use crate::{
    agent::control::{Event, Order, Ordered},
    dialect::ServerEvents,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::{Client, Response, header};
use serde_json::Value;
use std::{
    collections::VecDeque,
    pin::pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

/// Its server answers once the program is up, which takes it up to half a minute on a busy machine. What takes longer
/// is not going to answer; the screen tells its state then.
const UP: Duration = Duration::from_secs(90);
/// How often it is asked whether it is up.
const LOOK: Duration = Duration::from_millis(300);
/// An answer to a request of ours: it is on this machine and may be busy.
const ANSWER: Duration = Duration::from_secs(20);
/// How often a broken stream of events is opened again before the server counts as gone.
const AGAIN: u32 = 5;
/// Prompts that wait for the end of a turn.
const QUEUE: usize = 64;
/// An answer beyond this is not one of those that are asked for.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// The name that goes with its password.
const USER: &str = "opencode";

/// Where its server listens, and what lets a client in.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Access {
    /// A port of the loopback interface.
    pub port: u16,
    /// The pane's own password.
    pub password: String,
    /// The session that it is started in, where that is known.
    pub session: Option<String>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("port", &self.port).finish_non_exhaustive()
    }
}

/// Why following ended.
enum End {
    /// Nobody gives orders or listens any more.
    Left,
    /// Its server is gone; the words say how.
    Lost(String),
}

impl From<String> for End {
    fn from(why: String) -> Self {
        Self::Lost(why)
    }
}

/// Follows OpenCode's server until it is gone or nobody gives orders any more.
pub async fn run(access: Access, mut orders: mpsc::Receiver<Ordered>, tell: mpsc::Sender<Event>) {
    let end = match Link::new(&access) {
        Ok(link) => link.follow(Watched::new(access.session.as_deref()), &mut orders, &tell).await,
        Err(why) => End::Lost(why),
    };
    if let End::Lost(why) = end {
        let _ = tell.send(Event::Lost(why)).await;
    }
}

async fn tell_each(tell: &mpsc::Sender<Event>, events: Vec<Event>) -> Result<(), End> {
    for event in events {
        tell.send(event).await.map_err(|_| End::Left)?;
    }
    Ok(())
}

struct Link {
    client: Client,
    base: String,
    password: String,
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Link {
    fn new(access: &Access) -> Result<Self, String> {
        // A client is made with TLS or not at all; an error only says that someone was first, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The person's proxy has no business between two programs of this machine.
        let client = Client::builder().no_proxy().tls_certs_only([]).connect_timeout(ANSWER).build();
        Ok(Self {
            client: client.map_err(|e| format!("no HTTP client could be made: {e}"))?,
            base: format!("http://127.0.0.1:{}", access.port),
            password: access.password.clone(),
        })
    }

    async fn follow(
        &self,
        mut watched: Watched,
        orders: &mut mpsc::Receiver<Ordered>,
        tell: &mpsc::Sender<Event>,
    ) -> End {
        let mut queue = VecDeque::new();
        let mut broken = 0;
        loop {
            let begun = Instant::now();
            let up = {
                let mut up = pin!(self.up(begun + UP));
                loop {
                    tokio::select! {
                        up = &mut up => break up,
                        ordered = orders.recv() => match ordered {
                            Some(ordered) => refuse(ordered),
                            None => return End::Left,
                        },
                    }
                }
            };
            let events = match up {
                Ok(events) => events,
                Err(why) => return End::Lost(why),
            };
            match self.listen(events, &mut watched, orders, &mut queue, tell).await.err().unwrap_or(End::Left)
            {
                // One that worked for a while may break again.
                End::Lost(_) if begun.elapsed() > UP => broken = 0,
                End::Lost(_) if broken < AGAIN => broken += 1,
                end => return end,
            }
        }
    }

    /// Opens the stream of events, as soon as the server is up.
    async fn up(&self, until: Instant) -> Result<Response, String> {
        loop {
            let request = self.client.get(format!("{}/event", self.base));
            let asked = request.basic_auth(USER, Some(&self.password)).send();
            match timeout(ANSWER, asked).await {
                Ok(Ok(answer)) if answer.status().is_success() => return Ok(answer),
                Ok(Ok(answer)) if answer.status() == reqwest::StatusCode::UNAUTHORIZED => {
                    return Err("another program answers on its port".into());
                }
                _ if Instant::now() > until => return Err("its server does not answer".into()),
                _ => sleep(LOOK).await,
            }
        }
    }

    async fn listen(
        &self,
        answer: Response,
        watched: &mut Watched,
        orders: &mut mpsc::Receiver<Ordered>,
        queue: &mut VecDeque<String>,
        tell: &mpsc::Sender<Event>,
    ) -> Result<(), End> {
        // Events that come meanwhile wait in the stream.
        let ask = |path: &'static str| async move { self.ask(Call::get(path)).await };
        let (sessions, status, permissions, questions) =
            tokio::try_join!(ask("/session"), ask("/session/status"), ask("/permission"), ask("/question"))?;
        tell_each(tell, vec![Event::Attached]).await?;
        tell_each(tell, watched.seed(&sessions, &status, &permissions, &questions, now())).await?;
        let mut stream = pin!(answer.bytes_stream());
        let mut cut = ServerEvents::default();
        loop {
            tokio::select! {
                piece = next(&mut stream) => {
                    let piece = piece?;
                    let mut heard = Vec::new();
                    cut.feed(&piece, &mut |event| {
                        heard.extend(event.data.and_then(|data| serde_json::from_slice::<Value>(data).ok()));
                    });
                    for event in heard {
                        tell_each(tell, watched.take(&event, now())).await?;
                    }
                }
                ordered = orders.recv() => {
                    let Some(Ordered { order, reply }) = ordered else { return Ok(()) };
                    let _ = reply.send(self.carry_out(order, watched, queue).await);
                }
            }
            if !watched.in_turn()
                && let Some(text) = queue.pop_front()
                && let Err(why) = self.prompt(&text, watched).await
            {
                tracing::warn!(%why, "OpenCode did not take a prompt that waited");
            }
        }
    }

    async fn carry_out(
        &self,
        order: Order,
        watched: &Watched,
        queue: &mut VecDeque<String>,
    ) -> Result<(), String> {
        match order {
            Order::Answer { question, verdict } => {
                self.ask(watched.answer(&question, verdict)?).await.map(drop)
            }
            Order::Interrupt => {
                let working: Vec<&str> = watched.working().collect();
                if working.is_empty() {
                    return Err("no turn runs".into());
                }
                for session in working {
                    self.ask(interrupt(session)?).await?;
                }
                Ok(())
            }
            Order::Prompt(text) => self.prompt(&text, watched).await,
            Order::Queue(_) if queue.len() >= QUEUE => {
                Err(format!("{QUEUE} prompts wait already; nothing was added"))
            }
            Order::Queue(text) => {
                queue.push_back(text);
                Ok(())
            }
            Order::Model(_) => {
                Err("OpenCode's TUI keeps to its own choice of a model: it changes at a start".into())
            }
        }
    }

    async fn prompt(&self, text: &str, watched: &Watched) -> Result<(), String> {
        if let Some(session) = watched.main() {
            return self.ask(prompt(session, text)?).await.map(drop);
        }
        for call in first_prompt(text) {
            self.ask(call).await?;
        }
        Ok(())
    }

    /// Sends a request; the JSON of its answer, or null.
    async fn ask(&self, call: Call) -> Result<Value, String> {
        let url = format!("{}{}", self.base, call.path);
        let request = if call.post {
            let body = call.body.to_string();
            self.client.post(url).header(header::CONTENT_TYPE, "application/json").body(body)
        } else {
            self.client.get(url)
        };
        let asked = async {
            let answer = request.basic_auth(USER, Some(&self.password)).send().await;
            let answer = answer.map_err(|e| format!("OpenCode's server does not answer: {e}"))?;
            let status = answer.status();
            let mut stream = pin!(answer.bytes_stream());
            let mut body = Vec::new();
            while let Some(piece) = stream.next().await {
                body.extend_from_slice(&piece.map_err(|e| format!("its answer broke off: {e}"))?);
                if body.len() > ANSWER_BYTES {
                    return Err(format!("its answer to {} is too long", call.path));
                }
            }
            if !status.is_success() {
                let said = String::from_utf8_lossy(&body).chars().take(200).collect::<String>();
                return Err(format!("OpenCode refused {}: {status} {said}", call.path));
            }
            Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
        };
        timeout(ANSWER, asked).await.map_err(|_| format!("no answer to {} in time", call.path))?
    }
}

fn refuse(Ordered { reply, .. }: Ordered) {
    let _ = reply.send(Err("OpenCode is still starting".into()));
}

async fn next(stream: &mut (impl Stream<Item = reqwest::Result<Bytes>> + Unpin)) -> Result<Bytes, String> {
    match stream.next().await {
        Some(Ok(piece)) => Ok(piece),
        Some(Err(error)) => Err(format!("its events broke off: {error}")),
        None => Err("its server closed".into()),
    }
}
