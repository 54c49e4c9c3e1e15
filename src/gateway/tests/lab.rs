//! A gateway, a scripted upstream behind it and a client before it.
use super::*;
use arc_swap::ArcSwap;
use std::{collections::HashMap, future::Future, path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::{self, UnboundedReceiver},
    time::timeout,
};

/// Nothing here takes long; a test that reaches this has found a hang.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const KEY: &str = "sk-canary-4f9c1e77d2";

pub(super) struct Lab {
    pub(super) gateway: Gateway,
    pub(super) recorder: Recorder,
    pub(super) events: mpsc::Receiver<GatewayEvent>,
    pub(super) routes: RouteTable,
    pub(super) vault: Arc<Vault>,
    pub(super) dir: tempfile::TempDir,
}

impl Lab {
    pub(super) fn new(pane: PaneRoute) -> Self {
        Self::with(pane, Waits { retry: Duration::from_millis(1), ..Waits::default() })
    }

    pub(super) fn with(pane: PaneRoute, waits: Waits) -> Self {
        Self::ruled(pane, waits, |routes| Arc::new(Published(routes)))
    }

    /// One whose rules come from elsewhere than the table.
    pub(super) fn ruled(
        pane: PaneRoute,
        waits: Waits,
        rules: impl FnOnce(RouteTable) -> Arc<dyn Rules>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::open(&dir.path().join("inspan.db")).unwrap();
        let vault = Arc::new(Vault::default());
        let keys =
            ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "XAI_API_KEY"];
        vault.learn_env(&keys.map(|name| (name.to_owned(), KEY.to_owned())).into());
        let (sender, events) = mpsc::channel(1024);
        let routes = Arc::new(ArcSwap::from_pointee(HashMap::from([("TOKEN".to_owned(), Arc::new(pane))])));
        let classify: Classify = Arc::new(|_, facts| match (facts.header)("x-class").as_deref() {
            Some("side") => Class::Side,
            Some("subagent") => Class::Subagent,
            _ => Class::Main,
        });
        let config = GatewayConfig {
            routes: Arc::clone(&routes),
            vault: Arc::clone(&vault),
            recorder: recorder.clone(),
            events: sender,
            classify,
            rules: rules(Arc::clone(&routes)),
        };
        Self { gateway: start_with(config, waits).unwrap(), recorder, events, routes, vault, dir }
    }

    /// A client's request with the pane's token.
    pub(super) fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        client().post(format!("{}{path}", self.gateway.base_url())).header("x-api-key", "TOKEN").body(body)
    }

    /// Waits for the next request's end and returns its ledger row as the record has it.
    pub(super) async fn finished(&mut self) -> LedgerRow {
        loop {
            if let GatewayEvent::Finished { row, .. } = self.event().await {
                let newest = self.recorder.requests(&row.pane, 1).unwrap();
                assert_eq!(newest, [row.as_ref().clone()], "event and ledger agree");
                return newest.into_iter().next().unwrap();
            }
        }
    }

    pub(super) async fn event(&mut self) -> GatewayEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("an event").unwrap()
    }

    pub(super) fn route(&self, change: impl FnOnce(&mut PaneRoute)) {
        let mut pane = self.routes.load().get("TOKEN").unwrap().as_ref().clone();
        change(&mut pane);
        self.routes.store(Arc::new(HashMap::from([("TOKEN".to_owned(), Arc::new(pane))])));
    }
}

pub(super) fn client() -> reqwest::Client {
    // Any client of this crate needs a cryptography provider to exist.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).pool_max_idle_per_host(0).build().unwrap()
}

/// A request as the upstream saw it.
#[derive(Debug)]
pub(super) struct Seen {
    /// Request line and headers.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

/// Listens; every connection's request is reported and answered by `script`. Returns the base URL.
pub(super) async fn upstream<F, Fut>(script: F) -> (String, UnboundedReceiver<Seen>)
where
    F: Fn(TcpStream) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (sender, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (script, sender) = (script.clone(), sender.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                if let Some(request) = request(&mut stream).await {
                    let _ = sender.send(request);
                    script(stream).await;
                }
            });
        }
    });
    (base, seen)
}

/// Answers every request with these bytes and closes.
pub(super) async fn canned(answer: impl Into<Vec<u8>>) -> (String, UnboundedReceiver<Seen>) {
    let answer = Arc::new(answer.into());
    upstream(move |mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            stream.write_all(&answer).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    })
    .await
}

pub(super) async fn seen(requests: &mut UnboundedReceiver<Seen>) -> Seen {
    timeout(PATIENCE, requests.recv()).await.expect("a request at the upstream").unwrap()
}

async fn request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut seen = Seen { head, body: bytes.split_off(end) };
    let length: usize = seen.header("content-length").unwrap_or("0").parse().unwrap();
    while seen.body.len() < length {
        if stream.read_buf(&mut seen.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(seen)
}

/// A whole response with a length.
pub(super) fn whole(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len())
            .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// The head of a stream of events.
pub(super) const EVENTS: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// One piece of a chunked body.
pub(super) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}

/// The rules as a test published them.
pub(super) struct Published(pub(super) RouteTable);

impl Rules for Published {
    fn known(&self, dir: &Path, executor: &ExecutorId) -> Option<Held> {
        Some(self.look(dir, executor))
    }

    fn look(&self, _: &Path, _: &ExecutorId) -> Held {
        let table = self.0.load();
        let pane = table.values().next().unwrap();
        Held { policy: Arc::clone(&pane.policy), budgets: Arc::clone(&pane.budgets) }
    }
}
