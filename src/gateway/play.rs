//! The rehearsal provider on stage: plays a scripted reply with its delays, its faults included.
use super::{account::Account, call::Call, relay};
use crate::{
    dialect::{self, End, Meter},
    rehearsal::{self, Chunk, Rehearsal, Tally},
};
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode},
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use std::{
    collections::HashMap,
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Tallies kept before those of panes that left the route table are forgotten.
const TALLIES_KEPT: usize = 256;

/// What has been rehearsed with each pane, by its ULID.
#[derive(Default)]
pub(super) struct Stage {
    tallies: Mutex<HashMap<String, Tally>>,
}

/// Answers from the script. `side`: the request is none of a turn's own.
pub(super) fn perform(mut call: Call, body: &Value, model: &str, side: bool) -> Response<Body> {
    call.account.attempt("");
    let reply = {
        let mut tallies = call.front.stage.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        if tallies.len() >= TALLIES_KEPT && !tallies.contains_key(&call.pane.pane) {
            tallies.retain(|pane, _| call.front.routed(pane));
        }
        let tally = tallies.entry(call.pane.pane.clone()).or_default();
        let request = Rehearsal {
            dialect: call.endpoint.dialect,
            endpoint: &call.endpoint,
            body,
            model,
            stream: dialect::wants_stream(&call.endpoint, body),
            side,
        };
        rehearsal::reply(&request, tally)
    };
    let Call { endpoint, mut account, .. } = call;
    account.answered(reply.status, None, Some(Meter::new(endpoint.dialect)), 0);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    let play = Play { chunks: reply.chunks.into_iter(), cut: reply.cut, status: reply.status, account };
    *response.body_mut() = Body::from_stream(stream::unfold(Some(play), Play::next));
    response
}

struct Play {
    chunks: std::vec::IntoIter<Chunk>,
    cut: bool,
    status: u16,
    account: Account,
}

impl Play {
    async fn next(play: Option<Self>) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let mut play = play?;
        if let Some(chunk) = play.chunks.next() {
            if chunk.after_ms > 0 {
                tokio::time::sleep(Duration::from_millis(chunk.after_ms)).await;
            }
            play.account.read(&chunk.bytes);
            return Some((Ok(chunk.bytes.into()), Some(play)));
        }
        if play.cut {
            play.account.settle(play.status, "rehearsed: the connection broke in the middle of the answer");
            relay::flushed().await;
            return Some((Err(io::Error::other("rehearsed cut")), None));
        }
        match play.account.meter().map(|meter| &meter.so_far().end) {
            Some(End::Failed(words)) => {
                let words = format!("rehearsed: {words}");
                play.account.settle(play.status, &words);
            }
            _ if play.status >= 400 => {
                play.account.settle(play.status, &format!("rehearsed: status {}", play.status))
            }
            _ => play.account.conclude(),
        }
        None
    }
}
