//! Answers of an upstream that speaks another dialect than the harness, put into the harness's words as they come.
use super::{
    arrival::Arrival,
    call::Call,
    failure::Failure,
    relay::{Opening, is_page, said_head},
    upstream,
};
use crate::{
    dialect::translate::{self, Session, Stream},
    vault::Secret,
};
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// An answer without a stream is translated up to this size; the translator takes no more either.
const WHOLE_MAX: usize = 32 * 1024 * 1024;

/// How long the beginning of a stream is held back, from its first byte on, while nothing in it says anything yet.
/// Until then another attempt is possible; a model that thinks for minutes must not look dead for it.
const HOLD: Duration = Duration::from_secs(3);

/// Reads a translated answer as far as it takes to tell a good one from an error.
pub(super) async fn open(
    call: &Call,
    response: reqwest::Response,
    secret: &Secret,
    session: &Session,
    stream: bool,
) -> Result<Opening, Failure> {
    let provider = call.pane.route.served_by();
    let stall = call.front.waits.piece;
    let headers = said_head(call, &response, secret);
    if !response.status().is_success() || is_page(&headers) {
        return Err(Failure::read(provider, response, headers, Bytes::new(), secret, stall).await);
    }
    let response = Arrival::new(response);
    if stream {
        streamed(provider, response, session, stall).await
    } else {
        whole(provider, response, session, stall).await
    }
}

async fn streamed(
    provider: &str,
    mut response: Arrival,
    session: &Session,
    stall: Duration,
) -> Result<Opening, Failure> {
    let mut translator = Stream::new(session.clone());
    let (mut raw, mut told) = (Vec::new(), Vec::new());
    let mut held: Option<Instant> = None;
    let mut ended = false;
    while !translator.started() && !translator.over() {
        let wait = held.map_or(stall, |since| HOLD.saturating_sub(since.elapsed()));
        match tokio::time::timeout(wait, response.next()).await {
            Ok(Ok(Some(piece))) => {
                held.get_or_insert_with(Instant::now);
                translator.feed(&piece, &mut told);
                raw.push(piece);
            }
            Ok(Ok(None)) => {
                // A failure is not told yet: another attempt may bring an answer.
                let mut last = Vec::new();
                translator.finish(false, &mut last);
                if translator.failure().is_none() {
                    told.append(&mut last);
                }
                ended = true;
                break;
            }
            Ok(Err(error)) => {
                let words = upstream::root(&error.without_url());
                let text = format!("{provider} broke the connection before its answer began: {words}.");
                return Err(Failure::new(502, text, true));
            }
            Err(_) if held.is_some() => break,
            Err(_) => {
                let text = format!("{provider} sent nothing for {} s.", stall.as_secs());
                return Err(Failure::new(504, text, false));
            }
        }
    }
    if let Some(failure) = translator.failure().filter(|_| ended || !translator.started()) {
        return Err(Failure::translated(provider, failure));
    }
    let headers = head("text/event-stream");
    Ok(Opening {
        response,
        headers,
        raw,
        meter: None,
        told,
        translator: Some(Box::new(translator)),
        stream: true,
        ended,
    })
}

async fn whole(
    provider: &str,
    mut response: Arrival,
    session: &Session,
    stall: Duration,
) -> Result<Opening, Failure> {
    let mut body = Vec::new();
    loop {
        match tokio::time::timeout(stall, response.next()).await {
            Ok(Ok(Some(piece))) if body.len() + piece.len() <= WHOLE_MAX => body.extend_from_slice(&piece),
            Ok(Ok(Some(_))) => {
                let text = format!("{provider} answered with more than {} MiB.", WHOLE_MAX / 1024 / 1024);
                return Err(Failure::new(502, text, false));
            }
            Ok(Ok(None)) => break,
            Ok(Err(error)) => {
                let words = upstream::root(&error.without_url());
                let text = format!("{provider} broke the connection in the middle of the answer: {words}.");
                return Err(Failure::new(502, text, true));
            }
            Err(_) => {
                let text = format!("{provider} sent nothing for {} s.", stall.as_secs());
                return Err(Failure::new(504, text, false));
            }
        }
    }
    let answer = translate::response(&body, session).map_err(|f| Failure::translated(provider, &f))?;
    let told = answer.body.to_string().into_bytes();
    Ok(Opening {
        response,
        headers: head("application/json"),
        raw: vec![body.into()],
        meter: None,
        told,
        translator: None,
        stream: false,
        ended: true,
    })
}

/// The head of an answer in other words: nothing of the upstream's speaks of it.
fn head(kind: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers
}
