//! An attempt that brought no answer: what is told of it, and whether another may help.
use super::{
    call::Call,
    front::{json, refuse},
    retry::{self, is_passing},
    upstream,
};
use crate::{
    dialect::{self, translate},
    router::Dialect,
    vault::Outcome,
    vault::Secret,
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use serde_json::Value;
use std::time::Duration;

/// An upstream's error is passed on whole up to this size; real ones are a few hundred bytes, and an error page that
/// is larger is quoted from its beginning anyway.
pub(super) const ERROR_BODY_MAX: usize = 256 * 1024;

/// Characters quoted from a page that is no error of the API.
const EXCERPT_CHARS: usize = 200;

/// Says to the SDKs that their own attempts would only be more of the same: they were made here.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// See the module.
#[derive(Debug)]
pub(super) struct Failure {
    /// The status given to the harness.
    pub(super) status: u16,
    /// For ledger and panel.
    pub(super) words: String,
    /// For the harness, where it speaks another dialect or the upstream did not speak its own.
    message: String,
    /// The API's own error, for a harness of the same dialect.
    own: Option<(HeaderMap, Bytes)>,
    retry_after: Option<HeaderValue>,
    /// How long the provider asks to wait.
    pub(super) wait: Option<Duration>,
    /// Another attempt may bring an answer.
    pub(super) passing: bool,
    /// What it says of the credential.
    pub(super) outcome: Option<Outcome>,
}

impl Failure {
    /// Without an answer of the upstream.
    pub(super) fn new(status: u16, words: String, passing: bool) -> Self {
        let message = words.clone();
        Self { status, words, message, own: None, retry_after: None, wait: None, passing, outcome: None }
    }

    /// An error that came inside an answer which began as a good one.
    pub(super) fn inside(provider: &str, words: &str) -> Self {
        let known =
            [("overloaded", 529), ("rate_limit", 429), ("RESOURCE_EXHAUSTED", 429), ("UNAVAILABLE", 503)];
        let status = known.iter().find(|(word, _)| words.contains(word)).map_or(502, |(_, status)| *status);
        let mut failure =
            Self::new(status, format!("{provider} answered 200 with an error inside: {words}"), true);
        failure.outcome = Outcome::of_status(status, None);
        failure
    }

    /// An error that the translator found inside an answer.
    pub(super) fn translated(provider: &str, failure: &translate::Failure) -> Self {
        let status = failure.status;
        let words = format!("{provider} answered 200 with an error inside: {}", failure.message);
        let mut this = Self::new(status, words, is_passing(status));
        this.message.clone_from(&failure.message);
        this.outcome = Outcome::of_status(status, None);
        this
    }

    /// The same, of a whole body.
    pub(super) fn inside_body(provider: &str, body: &[u8], secret: &Secret) -> Self {
        let quoted = scrubbed(body, secret);
        Self::inside(provider, &message_of(&quoted).unwrap_or_else(|| excerpt(&quoted)))
    }

    /// Reads an answer that is no good one to its end, within a bound.
    pub(super) async fn read(
        provider: &str,
        mut response: reqwest::Response,
        mut headers: HeaderMap,
        first: Bytes,
        secret: &Secret,
        stall: Duration,
    ) -> Self {
        let status = response.status();
        let mut body = first.to_vec();
        let mut whole = false;
        // A body that breaks off, stalls or does not end is quoted as far as it came.
        while let Ok(Ok(piece)) = tokio::time::timeout(stall, response.chunk()).await {
            let Some(piece) = piece else {
                whole = true;
                break;
            };
            if body.len() + piece.len() > ERROR_BODY_MAX {
                body.extend_from_slice(&piece[..ERROR_BODY_MAX.saturating_sub(body.len())]);
                break;
            }
            body.extend_from_slice(&piece);
        }
        let quoted = scrubbed(&body, secret);
        let is_json = whole && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
        let is_error = status.is_client_error() || status.is_server_error();
        let wait = retry::asked_to_wait(&headers, super::account::unix_ms())
            .or_else(|| retry::asked_inside(&body).filter(|_| is_error));
        // What was said inside the error is lost where that is worded anew.
        let seconds = || HeaderValue::from(wait.unwrap_or_default().as_secs_f64().ceil() as u64);
        let retry_after = headers.get(header::RETRY_AFTER).cloned().or_else(|| wait.map(|_| seconds()));
        let mut failure = if is_json && is_error {
            let words = format!("{provider} answered {status}: {}", excerpt(&quoted));
            // Unchanged, unless the upstream repeats the key, which stays here.
            let own = if memchr::memmem::find(&body, secret.expose().as_bytes()).is_some() {
                headers.remove(header::CONTENT_LENGTH);
                Bytes::from(quoted.clone())
            } else {
                Bytes::from(body)
            };
            let message = message_of(&quoted).map(|said| format!("{provider}: {said}"));
            let mut failure = Self::new(status.as_u16(), words, is_passing(status.as_u16()));
            failure.message = message.unwrap_or_else(|| failure.words.clone());
            failure.own = Some((headers, own));
            failure
        } else {
            let place = headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
            let words = match place {
                Some(place) if status.is_redirection() => {
                    format!("{provider} redirects to {place}; set that as its base URL.")
                }
                _ => match excerpt(&quoted) {
                    words if words.is_empty() => format!("{provider} answered {status} without a word."),
                    words => format!("{provider} answered {status}, not in its API's words: {words}"),
                },
            };
            let shown = if is_error { status.as_u16() } else { 502 };
            // A page with status 200 is a wrong address or a login wall, which the next attempt meets again.
            Self::new(shown, words, is_error && is_passing(shown))
        };
        failure.wait = wait;
        failure.retry_after = retry_after;
        failure.outcome = Outcome::of_status(failure.status, wait);
        failure
    }

    /// Ends the request with this.
    pub(super) fn tell(self, mut call: Call) -> Response<Body> {
        call.account.wait = self.wait;
        call.account.settle(self.status, &self.words);
        let dialect = call.endpoint.dialect;
        let mut response = match self.own {
            Some((headers, body)) if dialect == call.pane.route.upstream_dialect => {
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY);
                *response.headers_mut() = headers;
                response
            }
            // Its own sentence, but so that this harness acts on it: a full context window has a name in each dialect.
            Some((_, body)) => {
                let (status, body, _) = translate::error(dialect, self.status, &body);
                json(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), body)
            }
            None => refuse(dialect, self.status, &self.message, ""),
        };
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        keep_from_retrying(&mut response);
        response
    }
}

/// Marks an answer as the last word.
pub(super) fn keep_from_retrying(response: &mut Response<Body>) {
    response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
}

/// An attempt that did not get as far as an answer's head.
pub(super) fn unanswered(provider: &str, url: &str, error: &upstream::UpstreamError) -> Failure {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let words = format!("{provider} ({}) {error}.", host.unwrap_or_default());
    match error {
        // Nothing on this machine changes within seconds.
        upstream::UpstreamError::Client(_) => Failure::new(503, words, false),
        _ => Failure::new(502, words, true),
    }
}

/// The sentence in an error body of any dialect.
fn message_of(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    // Google wraps the error in a list where it streams one.
    let error = &body.get(0).unwrap_or(&body)["error"];
    let said = error["message"].as_str().or_else(|| error.as_str()).or_else(|| body["message"].as_str())?;
    let kind = ["type", "status", "code"].iter().find_map(|key| error[*key].as_str());
    Some(match kind {
        Some(kind) => format!("{kind}: {said}"),
        None => said.to_owned(),
    })
}

/// Whether a whole body begins like an error of any dialect.
pub(super) fn begins_as_error(bytes: &[u8]) -> bool {
    /// Long enough for every beginning below.
    const BEGINNING: usize = 64;
    let compact: Vec<u8> =
        bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).take(BEGINNING).collect();
    let beginnings: [&[u8]; 4] =
        [b"{\"error\":{", b"{\"error\":\"", b"{\"type\":\"error\"", b"[{\"error\":{"];
    beginnings.iter().any(|beginning| compact.starts_with(beginning))
}

/// The error of a stream in the harness's dialect, and the status under which it is worded.
pub(super) fn in_stream(dialect: Dialect, trouble: &str) -> Bytes {
    /// The upstream's fault, and worth another try.
    const BROKEN: u16 = 502;
    dialect::stream_error(dialect, BROKEN, trouble, "").into()
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
