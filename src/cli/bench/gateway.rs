//! Owns the measurement of the gateway: what it adds to a request, against asking the upstream directly, in one run on
//! one machine. Upstream, gateway and clients share the processor, so ratios say more than times.
use super::rig::Scratch;
use crate::{
    executors::Class,
    gateway::{self, Gateway, GatewayConfig, PaneRoute},
    record::Recorder,
    router::{AuthMode, AuthStep, Dialect, ExecutorId, Provider, Route},
    server::FileRules,
    vault::Vault,
};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Connections that ask at once when throughput is measured.
const CONNECTIONS: usize = 16;

/// How long throughput is measured on each way.
const THROUGHPUT: Duration = Duration::from_secs(3);

/// Sizes of requests, in kilobytes: a question, a long conversation, about the largest there are.
const SIZES: [usize; 3] = [4, 100, 500];

/// Events of the scripted answer: a short turn of a model.
const EVENTS: usize = 24;

/// A request that takes longer has met a fault, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The other gateway is a large program in an interpreter: on a slow disk its start takes most of a minute.
const OTHER_START: Duration = Duration::from_secs(120);

/// Pane tokens of the two routes.
const NATIVE: &str = "native";
const FOREIGN: &str = "foreign";

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// To the upstream.
    Direct,
    /// Through the gateway, bytes unchanged.
    Through,
    /// Through the gateway, Messages to Chat and back.
    Translated,
    /// Through the other gateway, bytes in one dialect.
    Other,
    /// Through the other gateway, Messages to Chat and back.
    OtherTranslated,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Through => "through the gateway",
            Self::Translated => "translated",
            Self::Other => "litellm",
            Self::OtherTranslated => "litellm, translated",
        }
    }

    /// Our way of doing the same, where this is another gateway's.
    fn ours(self) -> Option<Self> {
        match self {
            Self::Other => Some(Self::Through),
            Self::OtherTranslated => Some(Self::Translated),
            Self::Direct | Self::Through | Self::Translated => None,
        }
    }

    /// Whether a client speaks Messages on it; the upstream speaks Chat.
    fn is_translated(self) -> bool {
        matches!(self, Self::Translated | Self::OtherTranslated)
    }
}

/// One size of request on one way.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    way: &'static str,
    kilobytes: usize,
    /// Half of the requests took at most this, from the first byte sent to the last received.
    p50_ms: f64,
    /// What that is beyond asking directly.
    added_ms: f64,
    /// How many times what inspan adds, where this is another gateway.
    times: Option<f64>,
}

/// Requests a second with all connections.
#[derive(Clone, Debug, Serialize)]
struct Rate {
    way: &'static str,
    per_second: f64,
    /// How many times as many inspan serves, where this is another gateway.
    times: Option<f64>,
}

/// `a` in units of `b`.
fn times(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| (a / b * 10.0).round() / 10.0)
}

/// That for people.
fn in_words(times: Option<f64>) -> String {
    times.map(|times| format!("{times:.1} x inspan")).unwrap_or_default()
}

/// Measures and prints.
pub fn run(requests: usize, litellm: Option<&Path>, as_json: bool) -> Result<i32> {
    let scratch = Scratch::new()?;
    let upstream = Upstream::start()?;
    let before = without_gateway(&upstream)?;
    let bench = Bench::start(&scratch, &upstream, litellm)?;
    let mut ways = vec![Way::Direct, Way::Through, Way::Translated];
    if bench.other.is_some() {
        ways.extend([Way::Other, Way::OtherTranslated]);
    }
    let mut figures = Vec::new();
    for kilobytes in SIZES {
        let each = bench.latencies(&ways, kilobytes, requests.max(3))?;
        let direct = each[0];
        let of = |way: Way| ways.iter().position(|known| *known == way).map(|at| each[at]);
        for (way, p50) in ways.iter().zip(&each) {
            let added_ms = p50 - direct;
            let ours = way.ours().and_then(of);
            let times = ours.and_then(|ours| times(added_ms, ours - direct));
            figures.push(Figure { way: way.name(), kilobytes, p50_ms: *p50, added_ms, times });
        }
    }
    let mut rates: Vec<Rate> = Vec::new();
    for way in &ways {
        let per_second = bench.throughput(*way)?;
        let ours = way.ours().and_then(|ours| rates.iter().find(|rate| rate.way == ours.name()));
        let times = ours.and_then(|ours| times(ours.per_second, per_second));
        rates.push(Rate { way: way.name(), per_second, times });
    }
    let grown = resident_kib().saturating_sub(before) as f64 / 1024.0;
    if as_json {
        super::super::print_json(&json!({
            "requests": requests, "connections": CONNECTIONS, "latency": figures, "throughput": rates,
            "grown_mb": (grown * 10.0).round() / 10.0,
        }));
        return Ok(0);
    }
    let out = |line: String| super::super::out(&(line.trim_end().to_owned() + "\n"));
    out(format!("{:<34}{:>12}{:>12}", format!("one connection, median of {requests}"), "took", "added"));
    for figure in &figures {
        let name = format!("{} kB {}", figure.kilobytes, figure.way);
        let added = if figure.way == Way::Direct.name() {
            String::new()
        } else {
            format!("{:.2} ms", figure.added_ms)
        };
        let took = format!("{:.2} ms", figure.p50_ms);
        out(format!("{name:<34}{took:>12}{added:>12}{:>18}", in_words(figure.times)));
    }
    let direct = rates.first().map_or(0.0, |rate| rate.per_second);
    out(format!("{:<34}{:>12}{:>12}", format!("{CONNECTIONS} connections"), "requests/s", "of direct"));
    for rate in &rates {
        let share =
            if direct > 0.0 { format!("{:.0} %", rate.per_second / direct * 100.0) } else { String::new() };
        let fewer = rate.times.map(|times| format!("inspan {times:.1} x")).unwrap_or_default();
        out(format!("{:<34}{:>12.0}{share:>12}{fewer:>18}", rate.way, rate.per_second));
    }
    out(format!("memory: {grown:.1} MB more than without the gateway, for the same requests"));
    Ok(0)
}

/// The memory of this process in KiB after it has done all of this without a gateway: clients and upstream need theirs too.
fn without_gateway(upstream: &Upstream) -> Result<u64> {
    let ask = |kilobytes: usize, connections: usize| -> Result<()> {
        let request = request(Way::Direct, upstream.at, "", kilobytes);
        let clients: Result<Vec<Client>> =
            (0..connections).map(|_| Client::connect(upstream.at, &request)).collect();
        clients?.iter_mut().try_for_each(Client::ask)
    };
    // As many at once as later: one for each way, and all connections with the smallest.
    SIZES.iter().try_for_each(|kilobytes| ask(*kilobytes, 3))?;
    ask(SIZES[0], CONNECTIONS)?;
    Ok(resident_kib())
}

/// What is measured.
struct Bench {
    gateway: Gateway,
    direct: SocketAddr,
    other: Option<Other>,
    _recorder: Recorder,
}

impl Bench {
    fn start(scratch: &Scratch, upstream: &Upstream, litellm: Option<&Path>) -> Result<Self> {
        let recorder = Recorder::open(&scratch.path().join("bench.db"))?;
        let vault = Vault::new(["env:BENCH_KEY"]);
        vault.learn_env(&BTreeMap::from([("BENCH_KEY".to_owned(), "sk-bench".to_owned())]));
        let base = format!("http://{}", upstream.at);
        let table = [(NATIVE, Dialect::Chat), (FOREIGN, Dialect::Messages)]
            .map(|(token, dialect)| (token.to_owned(), Arc::new(pane(token, &base, dialect))));
        let routes = gateway::RouteTable::default();
        routes.store(Arc::new(HashMap::from(table)));
        // Nobody listens: events that find no room are dropped, as they are in a server that is busy.
        let (events, _) = tokio::sync::mpsc::channel(1);
        let gateway = gateway::start(GatewayConfig {
            routes,
            vault: Arc::new(vault),
            recorder: recorder.clone(),
            events,
            classify: Arc::new(|_, _| Class::Main),
            // What each request of a real server pays for as well.
            rules: Arc::new(FileRules::new(&crate::cli::paths()?)),
        })?;
        let other = litellm.map(|path| Other::start(path, scratch, &base)).transpose()?;
        Ok(Self { gateway, direct: upstream.at, other, _recorder: recorder })
    }

    fn client(&self, way: Way, kilobytes: usize) -> Result<Client> {
        let (at, token) = match (way, &self.other) {
            (Way::Direct, _) => (self.direct, ""),
            (Way::Through, _) => (self.gateway.addr, NATIVE),
            (Way::Translated, _) => (self.gateway.addr, FOREIGN),
            (_, Some(other)) => (other.at, other.key.as_str()),
            (_, None) => bail!("there is no other gateway"),
        };
        Client::connect(at, &request(way, at, token, kilobytes))
    }

    /// The median of each way in milliseconds. The ways take turns, so that whatever slows the machine slows them all.
    fn latencies(&self, ways: &[Way], kilobytes: usize, requests: usize) -> Result<Vec<f64>> {
        /// Requests before it counts: connections are made, caches filled.
        const WARM_UP: usize = 5;
        let mut clients = Vec::new();
        for way in ways {
            let mut client = self.client(*way, kilobytes)?;
            for _ in 0..WARM_UP {
                client.ask().with_context(|| format!("asking {}", way.name()))?;
            }
            clients.push(client);
        }
        let mut took = vec![Vec::with_capacity(requests); ways.len()];
        for _ in 0..requests {
            for (client, took) in clients.iter_mut().zip(&mut took) {
                let began = Instant::now();
                client.ask()?;
                took.push(began.elapsed().as_secs_f64() * 1000.0);
            }
        }
        Ok(took.into_iter().map(median).collect())
    }

    fn throughput(&self, way: Way) -> Result<f64> {
        let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let clients: Vec<Client> =
            (0..CONNECTIONS).map(|_| self.client(way, SIZES[0])).collect::<Result<_>>()?;
        let began = Instant::now();
        let failed = thread::scope(|scope| {
            let work = |mut client: Client| {
                let (done, stop) = (&done, &stop);
                move || -> Result<()> {
                    while !stop.load(Ordering::Relaxed) {
                        client.ask()?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                }
            };
            let workers: Vec<_> = clients.into_iter().map(|client| scope.spawn(work(client))).collect();
            thread::sleep(THROUGHPUT);
            stop.store(true, Ordering::Relaxed);
            workers.into_iter().filter_map(|worker| worker.join().ok().and_then(Result::err)).next()
        });
        match failed {
            Some(error) => Err(error.context(format!("asking {}", way.name()))),
            None => Ok(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()),
        }
    }
}

fn pane(token: &str, base: &str, harness: Dialect) -> PaneRoute {
    let route = Route {
        executor: ExecutorId::CLAUDE,
        model: Some("glm-5".into()),
        wire_model: Some("z-ai/glm-5".into()),
        auth: AuthMode::Credits,
        harness_dialect: harness,
        upstream_dialect: Dialect::Chat,
        provider: Provider::OpenRouter,
        base_url: base.to_owned(),
        credential: "env:BENCH_KEY".into(),
        payer: "env:BENCH_KEY".into(),
        step: AuthStep::Explicit,
        outside_reference: false,
        verified: true,
        gateway: None,
        inject: false,
    };
    PaneRoute {
        pane: token.to_owned(),
        session: "bench".into(),
        session_id: "$0".into(),
        dir: "/".into(),
        executor: ExecutorId::CLAUDE,
        launched: route.wire_model.clone(),
        route,
        allowed: Arc::default(),
        policy: Arc::default(),
        budgets: Arc::default(),
    }
}

/// The bytes of a request: a conversation of that many kilobytes.
fn request(way: Way, at: SocketAddr, token: &str, kilobytes: usize) -> Vec<u8> {
    let turn = "The quick brown fox jumps over the lazy dog. ".repeat(22);
    let turns = kilobytes.max(1);
    let messages: Vec<Value> = (0..turns)
        .map(|n| json!({"role": if n % 2 == 0 { "user" } else { "assistant" }, "content": turn}))
        .chain(turns.is_multiple_of(2).then(|| json!({"role": "user", "content": "and now?"})))
        .collect();
    let mut body = json!({"model": "z-ai/glm-5", "stream": true, "messages": messages});
    if way.is_translated() {
        body["max_tokens"] = 1024.into();
    }
    let body = body.to_string();
    let path = if way.is_translated() { "/v1/messages" } else { "/v1/chat/completions" };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

/// A connection that asks the same thing again and again.
struct Client {
    at: SocketAddr,
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(at: SocketAddr, request: &[u8]) -> Result<Self> {
        Ok(Self { at, stream: open(at)?, request: request.to_vec(), buffer: vec![0; 64 * 1024] })
    }

    /// Asks and reads the answer to its end.
    fn ask(&mut self) -> Result<()> {
        if self.once()? {
            return Ok(());
        }
        // A connection that rested while others had their turn may have been closed meanwhile.
        self.stream = open(self.at)?;
        if self.once()? { Ok(()) } else { bail!("the connection was closed without an answer") }
    }

    /// The same; `false` when the connection was closed before anything was answered.
    fn once(&mut self) -> Result<bool> {
        if self.stream.write_all(&self.request).is_err() {
            return Ok(false);
        }
        let mut answer = Vec::new();
        loop {
            let read = self.stream.read(&mut self.buffer)?;
            if read == 0 && answer.is_empty() {
                return Ok(false);
            }
            if read == 0 {
                bail!("the connection was closed in the middle of an answer");
            }
            answer.extend_from_slice(&self.buffer[..read]);
            if answer.ends_with(b"0\r\n\r\n") {
                return Ok(true);
            }
            // An error has a length and no chunks.
            if !answer.starts_with(b"HTTP/1.1 200") && answer.len() > 12 {
                bail!("{}", String::from_utf8_lossy(&answer).chars().take(300).collect::<String>());
            }
        }
    }
}

fn open(at: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A scripted upstream: it reads a request and answers with the same stream each time.
struct Upstream {
    at: SocketAddr,
}

impl Upstream {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let at = listener.local_addr()?;
        let answer: Arc<[u8]> = answer().into();
        // Its threads wait for connections for as long as the process lives.
        thread::Builder::new().name("upstream".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = Arc::clone(&answer);
                let _ = thread::Builder::new().spawn(move || serve(stream, &answer));
            }
        })?;
        Ok(Self { at })
    }
}

fn serve(mut stream: TcpStream, answer: &[u8]) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut buffer = vec![0; 64 * 1024];
    let mut request: Vec<u8> = Vec::new();
    loop {
        let whole = loop {
            if let Some(end) = memchr::memmem::find(&request, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                let whole = end + 4 + length.unwrap_or(0_usize);
                if request.len() >= whole {
                    break whole;
                }
            }
            let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
            request.extend_from_slice(&buffer[..read]);
        };
        request.drain(..whole);
        stream.write_all(answer).ok()?;
    }
}

/// A Chat stream in one chunked answer.
fn answer() -> Vec<u8> {
    let event = |delta: Value, finish: Value| {
        json!({
            "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1, "model": "z-ai/glm-5",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        })
    };
    let mut events: Vec<Value> = (0..EVENTS)
        .map(|n| {
            event(json!({"role": "assistant", "content": format!("word {n} of the answer ")}), Value::Null)
        })
        .collect();
    events.push(event(json!({}), json!("stop")));
    let mut usage = event(json!({}), Value::Null);
    usage["choices"] = json!([]);
    usage["usage"] = json!({"prompt_tokens": 100, "completion_tokens": 48, "total_tokens": 148});
    events.push(usage);
    let lines =
        events.iter().map(|event| format!("data: {event}\n\n")).chain(["data: [DONE]\n\n".to_owned()]);
    let mut out =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for line in lines {
        out.extend_from_slice(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes());
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// Another gateway as a child process.
struct Other {
    child: Child,
    at: SocketAddr,
    /// What it asks of its clients.
    key: String,
}

impl Other {
    fn start(path: &Path, scratch: &Scratch, base: &str) -> Result<Self> {
        let config = scratch.path().join("litellm.yaml");
        // It does not start without one that is hard to guess.
        let key = format!("sk-{}", uuid::Uuid::new_v4().simple());
        std::fs::write(
            &config,
            format!(
                "model_list:\n  - model_name: z-ai/glm-5\n    litellm_params:\n      model: openai/z-ai/glm-5\n      \
                 api_base: {base}/v1\n      api_key: sk-bench\ngeneral_settings:\n  master_key: {key}\n"
            ),
        )?;
        // A port that was free a moment ago; the other gateway does not tell which one it took.
        let at = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let child = Command::new(path)
            .arg("--config")
            .arg(&config)
            .args(["--host", "127.0.0.1", "--port", &at.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", path.display()))?;
        let mut other = Self { child, at, key };
        other.ready()?;
        Ok(other)
    }

    /// Waits until it answers.
    fn ready(&mut self) -> Result<()> {
        /// Between two looks at a program that needs many seconds.
        const LOOK: Duration = Duration::from_millis(250);
        let began = Instant::now();
        let request = request(Way::Other, self.at, &self.key, 1);
        while began.elapsed() < OTHER_START {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended before it answered: {status}");
            }
            if Client::connect(self.at, &request).and_then(|mut client| client.ask()).is_ok() {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
        bail!("it did not answer within {} s", OTHER_START.as_secs())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// Memory of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or_default()
}
