//! The way back: an upstream's answer to the harness, byte for byte, and what is said when it fails on the way.
use super::{account::Account, call::Call, front::refuse, upstream};
use crate::{
    dialect::{self, End, Meter},
    router::{Dialect, Provider},
    vault::Secret,
};
use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode, header},
};
use bytes::Bytes;
use futures_util::stream;
use std::{io, time::Duration};

/// An upstream's error is passed on whole up to this size; real ones are a few hundred bytes, and an error page that
/// is larger is quoted from its beginning anyway.
const ERROR_BODY_MAX: usize = 256 * 1024;

/// The status under which a broken stream's error is worded: the upstream's fault, and worth another try.
const BROKEN: u16 = 502;

/// Characters quoted from a page that is no error of the API.
const EXCERPT_CHARS: usize = 200;

/// Turns the upstream's answer into the harness's.
pub(super) async fn relay(call: Call, response: reqwest::Response, secret: Secret) -> Response<Body> {
    let status = response.status();
    let headers = upstream::response_headers(response.headers(), &secret);
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !status.is_success() || kind.starts_with("text/html") {
        return problem(call, response, headers, &secret).await;
    }
    let Call { front, pane, endpoint, mut account, .. } = call;
    // Bytes that came packed though they were asked for plain pass all the same, unread.
    let plain = headers.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    account.answered(status.as_u16(), response.content_length(), plain.then(|| Meter::new(endpoint.dialect)));
    let relay = Relay {
        stream: kind.starts_with("text/event-stream"),
        upstream: response,
        account,
        dialect: endpoint.dialect,
        provider: pane.route.provider,
        stall: front.waits.piece,
        status: status.as_u16(),
    };
    answer(status, headers, Body::from_stream(stream::unfold(Some(relay), Relay::next)))
}

/// An answer on its way. Dropped with the harness's connection, it takes the upstream's along.
struct Relay {
    upstream: reqwest::Response,
    account: Account,
    dialect: Dialect,
    provider: Provider,
    stall: Duration,
    status: u16,
    /// The body is a stream of events, so that an error can be said inside it.
    stream: bool,
}

impl Relay {
    /// The next piece, asked for only when the one before has left: a slow harness slows its upstream.
    async fn next(relay: Option<Self>) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let mut relay = relay?;
        let trouble = match tokio::time::timeout(relay.stall, relay.upstream.chunk()).await {
            Ok(Ok(Some(bytes))) => {
                relay.account.read(&bytes);
                return Some((Ok(bytes), Some(relay)));
            }
            Ok(Ok(None)) => match relay.account.meter().map(Meter::so_far) {
                Some(so_far) if relay.stream && so_far.end == End::Cut => {
                    format!("{} closed the stream before the answer was complete.", relay.provider)
                }
                _ => {
                    relay.account.conclude();
                    return None;
                }
            },
            Ok(Err(error)) => {
                let words = upstream::root(&error.without_url());
                format!("{} broke the connection in the middle of the answer: {words}.", relay.provider)
            }
            Err(_) => format!("{} sent nothing for {} s.", relay.provider, relay.stall.as_secs()),
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
            Ok(dialect::stream_error(relay.dialect, BROKEN, &trouble, "").into())
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

/// Passes on an error of the API, and turns anything else into one.
async fn problem(
    mut call: Call,
    mut response: reqwest::Response,
    mut headers: HeaderMap,
    secret: &Secret,
) -> Response<Body> {
    let status = response.status();
    let provider = call.pane.route.provider;
    let mut body = Vec::new();
    let mut whole = false;
    // A body that breaks off, stalls or does not end is quoted as far as it came.
    while let Ok(Ok(piece)) = tokio::time::timeout(call.front.waits.piece, response.chunk()).await {
        let Some(piece) = piece else {
            whole = true;
            break;
        };
        call.account.read(&piece);
        if body.len() + piece.len() > ERROR_BODY_MAX {
            body.extend_from_slice(&piece[..ERROR_BODY_MAX - body.len()]);
            break;
        }
        body.extend_from_slice(&piece);
    }
    let quoted = scrubbed(&body, secret);
    let is_json = whole && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
    if is_json && (status.is_client_error() || status.is_server_error()) {
        call.account.settle(status.as_u16(), &format!("{provider} answered {status}: {}", excerpt(&quoted)));
        // Unchanged, unless the upstream repeats the key, which stays here.
        let body = if memchr::memmem::find(&body, secret.expose().as_bytes()).is_some() {
            headers.remove(header::CONTENT_LENGTH);
            quoted.into_bytes()
        } else {
            body
        };
        return answer(status, headers, Body::from(body));
    }
    let place = headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).map(|to| format!(" to {to}"));
    let text = match place {
        Some(place) if status.is_redirection() => {
            format!("{provider} redirects{place}; set that as its base URL.")
        }
        _ => match excerpt(&quoted) {
            words if words.is_empty() => format!("{provider} answered {status} without a word."),
            words => format!("{provider} answered {status}, not in its API's words: {words}"),
        },
    };
    let shown = if status.is_client_error() || status.is_server_error() { status.as_u16() } else { 502 };
    let dialect = call.endpoint.dialect;
    call.account.settle(shown, &text);
    let mut refusal = refuse(dialect, shown, &text, "");
    if let Some(after) = headers.remove(header::RETRY_AFTER) {
        refusal.headers_mut().insert(header::RETRY_AFTER, after);
    }
    refusal
}

fn answer(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn scrubbed(body: &[u8], secret: &Secret) -> String {
    let text = String::from_utf8_lossy(body);
    if secret.expose().is_empty() { text.into_owned() } else { text.replace(secret.expose(), "[redacted]") }
}

/// The beginning of a text without its tags and line breaks.
fn excerpt(text: &str) -> String {
    let mut words = String::new();
    let mut hidden = None;
    let mut count = 0;
    let lower = text.to_ascii_lowercase();
    for (at, c) in text.char_indices() {
        match (hidden, c) {
            (None, '<') => {
                // What is between these tags is not for reading.
                let rest = &lower[at..];
                hidden = Some(if rest.starts_with("<style") {
                    "</style>"
                } else if rest.starts_with("<script") {
                    "</script>"
                } else {
                    ">"
                });
            }
            (Some(end), '>') if lower[..=at].ends_with(end) => {
                hidden = None;
                if !words.ends_with(' ') && !words.is_empty() {
                    words.push(' ');
                }
            }
            (Some(_), _) => {}
            (None, c) if c.is_whitespace() || c.is_control() => {
                if !words.ends_with(' ') && !words.is_empty() {
                    words.push(' ');
                }
            }
            (None, c) => {
                if count == EXCERPT_CHARS {
                    words.push('…');
                    break;
                }
                words.push(c);
                count += 1;
            }
        }
    }
    words.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_quoted_without_its_markup() {
        let page = "<!DOCTYPE html>\n<html><head><title>502 Bad\nGateway</title><style>b > i {x: y}</style></head>\n\
                    <body><script>if (a<b) {}</script><h1>Try  later</h1>";
        assert_eq!(excerpt(page), "502 Bad Gateway Try later");
        assert_eq!(excerpt("{\"a\": \"b\"}"), "{\"a\": \"b\"}");
        assert_eq!(excerpt(""), "");
        assert_eq!(excerpt(&"x".repeat(500)).chars().count(), EXCERPT_CHARS + 1);
    }
}
