//! The way back: an upstream's answer to the harness, byte for byte, and what is said when it fails on the way.
use super::{
    account::Account,
    call::Call,
    failure::{self, Failure},
    upstream,
    windows::windows,
};
use crate::{
    dialect::{End, Meter},
    gateway::GatewayEvent,
    router::{Dialect, Provider},
    vault::Secret,
};
use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode, header},
};
use bytes::Bytes;
use futures_util::stream;
use std::{
    io,
    time::{Duration, Instant},
};

/// The largest answer passed on. The longest that a model writes are a few megabytes with all of their events.
const ANSWER_MAX: u64 = 512 * 1024 * 1024;

/// An answer that began well: its head and its first piece.
pub(super) struct Opening {
    response: reqwest::Response,
    headers: HeaderMap,
    first: Bytes,
    /// The body is a stream of events, so that an error can be said inside it.
    stream: bool,
}

/// Reads an answer as far as it takes to tell a good one from an error in its clothes. Nothing reached the harness yet,
/// so that a failure here may be followed by another attempt.
pub(super) async fn open(
    call: &Call,
    mut response: reqwest::Response,
    secret: &Secret,
) -> Result<Opening, Failure> {
    let provider = call.pane.route.provider.as_str();
    let stall = call.front.waits.piece;
    let status = response.status();
    let headers = upstream::response_headers(response.headers(), secret);
    let told = windows(&headers, super::account::unix_ms());
    if !told.is_empty() {
        call.front.tell(GatewayEvent::Windows { pane: call.pane.pane.clone(), windows: told });
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (stream, page) = (kind.starts_with("text/event-stream"), kind.starts_with("text/html"));
    if !status.is_success() || page {
        return Err(Failure::read(provider, response, headers, Bytes::new(), secret, stall).await);
    }
    let first = match tokio::time::timeout(stall, response.chunk()).await {
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
    if packed {
        return Ok(Opening { response, headers, first, stream });
    }
    if first.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') {
        return Err(Failure::read(provider, response, headers, first, secret, stall).await);
    }
    if stream {
        let mut meter = Meter::new(call.pane.route.upstream_dialect);
        meter.feed(&first);
        if let End::Failed(words) = &meter.so_far().end
            && meter.so_far().answer.is_empty()
        {
            return Err(Failure::inside(provider, words));
        }
    } else if failure::begins_as_error(&first) {
        let mut body = first.to_vec();
        while let Ok(Ok(Some(piece))) = tokio::time::timeout(stall, response.chunk()).await {
            body.extend_from_slice(&piece);
            if body.len() > failure::ERROR_BODY_MAX {
                break;
            }
        }
        return Err(Failure::inside_body(provider, &body, secret));
    }
    Ok(Opening { response, headers, first, stream })
}

/// Turns an answer that began well into the harness's.
pub(super) fn relay(call: Call, opening: Opening) -> Response<Body> {
    let Opening { response, headers, first, stream } = opening;
    let status = response.status();
    let Call { front, pane, endpoint, mut account, .. } = call;
    // Bytes that came packed though they were asked for plain pass all the same, unread.
    let plain = headers.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let meter = plain.then(|| Meter::new(pane.route.upstream_dialect));
    account.answered(status.as_u16(), response.content_length(), meter);
    let relay = Relay {
        stream,
        first: Some(first),
        upstream: response,
        account,
        dialect: endpoint.dialect,
        provider: pane.route.provider,
        stall: front.waits.piece,
        total: front.waits.total,
        deadline: Instant::now() + front.waits.total,
        taken: 0,
        status: status.as_u16(),
    };
    answer(status, headers, Body::from_stream(stream::unfold(Some(relay), Relay::next)))
}

/// An answer on its way. Dropped with the harness's connection, it takes the upstream's along.
struct Relay {
    upstream: reqwest::Response,
    /// What was read before it was known to be good.
    first: Option<Bytes>,
    account: Account,
    dialect: Dialect,
    provider: Provider,
    stall: Duration,
    /// How long the whole answer may take.
    total: Duration,
    deadline: Instant,
    /// Bytes of the answer so far.
    taken: u64,
    status: u16,
    stream: bool,
}

impl Relay {
    /// The next piece of the upstream's, or why there is none; `None` at its end.
    async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        let wait = self.stall.min(left);
        let provider = self.provider;
        match tokio::time::timeout(wait, self.upstream.chunk()).await {
            _ if self.taken > ANSWER_MAX => Err(format!(
                "{provider} sent more than {} MiB and did not end; the answer was cut.",
                ANSWER_MAX / 1024 / 1024
            )),
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => {
                let words = upstream::root(&error.without_url());
                Err(format!("{provider} broke the connection in the middle of the answer: {words}."))
            }
            Err(_) if left < self.stall => {
                Err(format!("{provider} did not end its answer within {} s.", self.total.as_secs()))
            }
            Err(_) => Err(format!("{provider} sent nothing for {} s.", self.stall.as_secs())),
        }
    }

    /// The next piece, asked for only when the one before has left: a slow harness slows its upstream.
    async fn next(relay: Option<Self>) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let mut relay = relay?;
        let trouble = match relay.piece().await {
            Ok(Some(bytes)) => {
                relay.taken += bytes.len() as u64;
                relay.account.read(&bytes);
                return Some((Ok(bytes), Some(relay)));
            }
            Ok(None) => match relay.account.meter().map(Meter::so_far) {
                Some(so_far) if relay.stream && so_far.end == End::Cut => {
                    format!("{} closed the stream before the answer was complete.", relay.provider)
                }
                _ => {
                    relay.account.conclude();
                    return None;
                }
            },
            Err(trouble) => trouble,
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
