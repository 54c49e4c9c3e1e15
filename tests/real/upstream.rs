//! A provider of the test's own on loopback: keeps every request, and answers as the scripted model does.
use super::thinking::Signed;
use inspan::{
    dialect::{asked_model, endpoint, error_body, wants_stream},
    rehearsal::{Rehearsal, Tally, reply},
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A caller that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(30);

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method and path.
    pub line: String,
    /// Each header on a line, the names in lower case.
    pub headers: String,
    pub body: String,
}

impl Request {
    /// Everything of it.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}", self.line, self.headers, self.body)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A provider. Dropping it ends it.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    listens: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    tally: Mutex<Tally>,
    over: AtomicBool,
    /// A strict one thinks, and takes back only what it thought itself.
    signed: Option<Mutex<Signed>>,
    refused: Mutex<Vec<String>>,
}

impl Upstream {
    pub fn start() -> Self {
        Self::listen(Shared::default())
    }

    /// One that answers with signed thoughts, and refuses what real providers refuse.
    pub fn strict() -> Self {
        Self::listen(Shared { signed: Some(Mutex::default()), ..Shared::default() })
    }

    fn listen(shared: Shared) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(shared);
        let kept = Arc::clone(&shared);
        let listens = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if kept.over.load(Ordering::Relaxed) {
                    return;
                }
                let kept = Arc::clone(&kept);
                // A caller that goes away in the middle is its own affair.
                thread::spawn(move || drop(serve(&stream, &kept)));
            }
        });
        Self { address, shared, listens: Some(listens) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Why requests were refused.
    pub fn refused(&self) -> Vec<String> {
        self.shared.refused.lock().unwrap().clone()
    }

    /// What has come so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the listener, so that it sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(listens) = self.listens.take() {
            let _ = listens.join();
        }
    }
}

fn serve(stream: &TcpStream, kept: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut request =
        Request { line: line.trim_end().to_owned(), headers: String::new(), body: String::new() };
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim_end().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or((&header, ""));
        request.headers.push_str(&format!("{}: {}\n", name.to_ascii_lowercase(), value.trim()));
    }
    let length = request.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    if !request.line.is_empty() {
        kept.requests.lock().unwrap().push(request.clone());
    }

    let mut words = request.line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let Some(endpoint) = endpoint(method, path) else {
        return write!(&*stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    };
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let model = asked_model(&endpoint, &body).unwrap_or_default();
    let (dialect, stream_wanted) = (endpoint.dialect, wants_stream(&endpoint, &body));
    if let Some(signed) = &kept.signed
        && let Some(why) = signed.lock().unwrap().objection(dialect, &body)
    {
        kept.refused.lock().unwrap().push(format!("{}: {why}", request.line));
        let body = error_body(dialect, 400, &why, "");
        let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        let mut out = stream;
        return out.write_all(&[head.as_bytes(), &body].concat());
    }
    let answer = {
        let stream = stream_wanted;
        let asked =
            Rehearsal { dialect, endpoint: &endpoint, body: &body, model: &model, stream, side: false };
        reply(&asked, &mut kept.tally.lock().unwrap())
    };
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    write!(&*stream, "{head}\r\n")?;
    let mut out = stream;
    if let Some(signed) = kept.signed.as_ref().filter(|_| stream_wanted && answer.status == 200) {
        let bytes: Vec<u8> = answer.chunks.into_iter().flat_map(|chunk| chunk.bytes).collect();
        let thought = signed.lock().unwrap().think(dialect, &String::from_utf8_lossy(&bytes));
        return out.write_all(thought.as_bytes());
    }
    answer.chunks.iter().try_for_each(|chunk| out.write_all(&chunk.bytes))
}
