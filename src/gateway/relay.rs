//! The way back: an upstream's answer to the harness, byte for byte, and what is said when it fails on the way.
use super::{
    account::Account,
    arrival::Arrival,
    call::Call,
    failure::{self, Failure},
    upstream,
    windows::windows,
};
use crate::{
    dialect::{End, Meter, translate::Stream},
    gateway::GatewayEvent,
    router::Dialect,
    vault::Secret,
};
use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode, header},
};
use bytes::Bytes;
use futures_util::stream;
use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

/// The largest answer passed on. The longest that a model writes are a few megabytes with all of their events.
const ANSWER_MAX: u64 = 512 * 1024 * 1024;

/// How often a silent upstream is covered for, so that nobody on the way to the harness takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long the end of a translated stream's connection is waited for once all of it was told.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// An answer that began well: its head and its first pieces.
pub(super) struct Opening {
    pub(super) response: Arrival,
    pub(super) headers: HeaderMap,
    /// What was read of the upstream's bytes.
    pub(super) raw: Vec<Bytes>,
    /// What has read those bytes along, if anything has.
    pub(super) meter: Option<Meter>,
    /// That in the harness's words, where they are others.
    pub(super) told: Vec<u8>,
    /// What puts the rest into the harness's words; `None` where the bytes pass as they are, or all of them are told.
    pub(super) translator: Option<Box<Stream>>,
    /// The body is a stream of events, so that an error can be said inside it.
    pub(super) stream: bool,
    /// All of the answer was read.
    pub(super) ended: bool,
}

/// The answer's headers for the harness; tells what they say of the provider's limits.
pub(super) fn said_head(call: &Call, response: &reqwest::Response, secret: &Secret) -> HeaderMap {
    let headers = upstream::response_headers(response.headers(), secret);
    let told = windows(&headers, super::account::unix_ms());
    if !told.is_empty() {
        call.front.tell(GatewayEvent::Windows { pane: call.pane.pane.clone(), windows: told });
    }
    headers
}

fn kind(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// Whether an answer says that it is a web page.
pub(super) fn is_page(headers: &HeaderMap) -> bool {
    kind(headers).starts_with("text/html")
}

/// Reads an answer as far as it takes to tell a good one from an error in its clothes. Nothing reached the harness yet,
/// so that a failure here may be followed by another attempt.
pub(super) async fn open(
    call: &Call,
    response: reqwest::Response,
    secret: &Secret,
) -> Result<Opening, Failure> {
    let provider = call.pane.route.served_by();
    let stall = call.front.waits.piece;
    let status = response.status();
    let headers = said_head(call, &response, secret);
    let stream = kind(&headers).starts_with("text/event-stream");
    if !status.is_success() || is_page(&headers) {
        return Err(Failure::read(provider, response, headers, Bytes::new(), secret, stall).await);
    }
    let mut response = Arrival::new(response);
    let first = match tokio::time::timeout(stall, response.next()).await {
        Ok(Ok(Some(first))) => first,
        Ok(Ok(None)) => {
            return Err(Failure::new(502, format!("{provider} answered {status} with nothing in it."), true));
        }
        Ok(Err(error)) => {
            let words = upstream::root(&error.without_url());
            let text = format!("{provider} broke the connection before its answer began: {words}.");
            return Err(Failure::new(502, text, true));
        }
        Err(_) => {
            let text = format!("{provider} sent nothing for {} s.", stall.as_secs());
            return Err(Failure::new(504, text, false));
        }
    };
    let packed = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    if !packed && first.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') {
        return Err(Failure::read(provider, response.into_response(), headers, first, secret, stall).await);
    }
    let mut meter = None;
    if stream && !packed {
        let read = meter.insert(Meter::new(call.pane.route.upstream_dialect));
        read.feed(&first);
        if let End::Failed(words) = &read.so_far().end
            && read.so_far().answer.is_empty()
        {
            return Err(Failure::inside(provider, words));
        }
    } else if !packed && failure::begins_as_error(&first) {
        let mut body = first.to_vec();
        while let Ok(Ok(Some(piece))) = tokio::time::timeout(stall, response.next()).await {
            body.extend_from_slice(&piece);
            if body.len() > failure::ERROR_BODY_MAX {
                break;
            }
        }
        return Err(Failure::inside_body(provider, &body, secret));
    }
    let (raw, told) = (vec![first], Vec::new());
    Ok(Opening { response, headers, raw, meter, told, translator: None, stream, ended: false })
}

/// Turns an answer that began well into the harness's.
pub(super) fn relay(call: Call, opening: Opening, translated: bool) -> Response<Body> {
    let Opening { response, headers, raw, meter, told, translator, stream, ended } = opening;
    let status = response.head().status();
    let Call { front, pane, endpoint, mut account, .. } = call;
    // Bytes that came packed though they were asked for plain pass all the same, unread.
    let plain = headers.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let ahead = if meter.is_some() { raw.iter().map(Bytes::len).sum() } else { 0 };
    let meter = meter.or_else(|| plain.then(|| Meter::new(pane.route.upstream_dialect)));
    let length = response.head().content_length().filter(|_| !translated);
    account.answered(status.as_u16(), length, meter, ahead);
    let mut relay = Relay {
        stream,
        first: VecDeque::new(),
        told,
        translator,
        ended,
        upstream: response,
        account,
        dialect: endpoint.dialect,
        provider: pane.route.served_by().into(),
        stall: front.waits.piece,
        total: front.waits.total,
        deadline: Instant::now() + front.waits.total,
        taken: 0,
        status: status.as_u16(),
    };
    if translated {
        raw.iter().for_each(|piece| relay.account.read(piece));
        if let Some(translator) = relay.translator.as_ref().filter(|_| ended) {
            translator.diagnostics().iter().for_each(|note| relay.account.note(&note.to_string()));
        }
        let next = |relay: Option<Relay>| async { relay?.next_translated().await };
        return answer(status, headers, Body::from_stream(stream::unfold(Some(relay), next)));
    }
    relay.first = raw.into();
    answer(status, headers, Body::from_stream(stream::unfold(Some(relay), Relay::next)))
}

/// An answer on its way. Dropped with the harness's connection, it takes the upstream's along.
struct Relay {
    upstream: Arrival,
    /// What was read before it was known to be good.
    first: VecDeque<Bytes>,
    /// What the harness is told next, where it is told in its own words.
    told: Vec<u8>,
    translator: Option<Box<Stream>>,
    /// Nothing more comes from upstream.
    ended: bool,
    account: Account,
    dialect: Dialect,
    provider: std::sync::Arc<str>,
    stall: Duration,
    /// How long the whole answer may take.
    total: Duration,
    deadline: Instant,
    /// Bytes of the answer so far.
    taken: u64,
    status: u16,
    stream: bool,
}

/// What comes next from upstream.
enum Piece {
    Bytes(Bytes),
    End,
    /// Nothing yet; the upstream may still say something.
    Silence,
    Trouble(String),
}

impl Relay {
    /// The next piece of the upstream's, waited for up to `patience` and never beyond the bounds of the answer.
    async fn piece(&mut self, patience: Duration) -> Piece {
        if let Some(first) = self.first.pop_front() {
            return Piece::Bytes(first);
        }
        let provider = self.provider.clone();
        if self.taken > ANSWER_MAX {
            return Piece::Trouble(format!(
                "{provider} sent more than {} MiB and did not end; the answer was cut.",
                ANSWER_MAX / 1024 / 1024
            ));
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(patience.min(left), self.upstream.next()).await {
            // An upstream that never pauses is not waited for, so that its time is up here.
            Ok(Ok(Some(_))) if left.is_zero() => Piece::Trouble(self.too_long()),
            Ok(Ok(Some(bytes))) => {
                self.taken += bytes.len() as u64;
                Piece::Bytes(bytes)
            }
            Ok(Ok(None)) => Piece::End,
            Ok(Err(error)) => {
                let words = upstream::root(&error.without_url());
                Piece::Trouble(format!(
                    "{provider} broke the connection in the middle of the answer: {words}."
                ))
            }
            Err(_) if left < patience => Piece::Trouble(self.too_long()),
            Err(_) => Piece::Silence,
        }
    }

    fn too_long(&self) -> String {
        format!("{} did not end its answer within {} s.", self.provider, self.total.as_secs())
    }

    fn silent(&self) -> String {
        format!("{} sent nothing for {} s.", self.provider, self.stall.as_secs())
    }

    /// The next piece, asked for only when the one before has left: a slow harness slows its upstream.
    async fn next(relay: Option<Self>) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let mut relay = relay?;
        let trouble = match relay.piece(relay.stall).await {
            Piece::Bytes(bytes) => {
                relay.account.read(&bytes);
                return Some((Ok(bytes), Some(relay)));
            }
            Piece::End => match relay.account.meter().map(Meter::so_far) {
                Some(so_far) if relay.stream && so_far.end == End::Cut => {
                    format!("{} closed the stream before the answer was complete.", relay.provider)
                }
                _ => {
                    relay.account.conclude();
                    return None;
                }
            },
            Piece::Silence => relay.silent(),
            Piece::Trouble(trouble) => trouble,
        };
        if relay.account.meter().is_some_and(|meter| meter.so_far().end == End::Complete) {
            // All of the answer is there; what broke is only the way that it said so.
            relay.account.conclude();
            return None;
        }
        let trouble = relay.account.blame(trouble);
        // Inside a stream of events an error can be said, between two of them. Everywhere else half an answer can only
        // be made to look like what it is: there the harness's connection breaks too.
        let sayable = relay.stream && relay.account.meter().is_some_and(Meter::at_boundary);
        relay.account.settle(relay.status, &trouble);
        let last = if sayable {
            Ok(failure::in_stream(relay.dialect, &trouble))
        } else {
            flushed().await;
            Err(io::Error::other(trouble))
        };
        Some((last, None))
    }

    /// The same in the harness's words.
    async fn next_translated(mut self) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let mut silence = Duration::ZERO;
        loop {
            if !self.told.is_empty() {
                let told = std::mem::take(&mut self.told);
                return Some((Ok(told.into()), Some(self)));
            }
            let Some(mut translator) = self.translator.take().filter(|_| !self.ended) else {
                self.account.conclude();
                return None;
            };
            let patience = if translator.over() { LAST_WAIT } else { KEEP_ALIVE.min(self.stall - silence) };
            match self.piece(patience).await {
                Piece::Bytes(bytes) => {
                    silence = Duration::ZERO;
                    self.account.read(&bytes);
                    translator.feed(&bytes, &mut self.told);
                }
                Piece::End => {
                    translator.finish(false, &mut self.told);
                    self.ended = true;
                }
                // All of it was told; only the connection has not ended.
                Piece::Silence | Piece::Trouble(_) if translator.over() => self.ended = true,
                Piece::Silence => {
                    silence += patience;
                    if silence >= self.stall {
                        translator.abort(&self.account.blame(self.silent()), &mut self.told);
                        self.ended = true;
                    } else {
                        translator.keep_alive(&mut self.told);
                    }
                }
                Piece::Trouble(trouble) => {
                    translator.abort(&self.account.blame(trouble), &mut self.told);
                    self.ended = true;
                }
            }
            if self.ended {
                translator.diagnostics().iter().for_each(|note| self.account.note(&note.to_string()));
                if let Some(failure) = translator.failure() {
                    self.account.settle(self.status, &failure.message);
                }
            }
            self.translator = Some(translator);
        }
    }
}

/// Lets the server write out what it holds: a connection that breaks takes along what is still in its buffer, and it
/// fills that for as long as there is something to take.
pub(super) async fn flushed() {
    tokio::task::yield_now().await;
}

fn answer(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
