//! An upstream's body as it arrives: what is there at once is taken at once, so that it leaves at once.
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use std::{future::poll_fn, task::Poll};

/// Bytes taken at once. More would make the harness wait for what it could have.
const BURST_MAX: usize = 32 * 1024;

/// An answer whose body is read.
pub(super) struct Arrival {
    response: reqwest::Response,
    /// What has arrived and was not given yet; kept here, because whoever waits for the next piece may give up.
    burst: BytesMut,
    /// What came after that and is no part of it: the end, or a break.
    after: Option<reqwest::Result<Option<Bytes>>>,
}

impl Arrival {
    pub(super) fn new(response: reqwest::Response) -> Self {
        Self { response, burst: BytesMut::new(), after: None }
    }

    pub(super) fn head(&self) -> &reqwest::Response {
        &self.response
    }

    /// The next piece: whatever has arrived when its first byte is there. `None` at the end.
    ///
    /// # Errors
    /// The connection broke; what came before that was given.
    pub(super) async fn next(&mut self) -> reqwest::Result<Option<Bytes>> {
        if self.burst.is_empty() {
            if let Some(after) = self.after.take() {
                return after;
            }
            match self.response.chunk().await? {
                Some(first) if first.len() < BURST_MAX => self.burst.extend_from_slice(&first),
                other => return Ok(other),
            }
        }
        // Pieces come through a task of the connection's own, one each time that it runs. To hand each of them on alone
        // would cost the harness a wake-up and this machine two system calls for every few words.
        while self.burst.len() < BURST_MAX && self.after.is_none() {
            let_others_run().await;
            match self.response.chunk().now_or_never() {
                None => break,
                Some(Ok(Some(more))) => self.burst.extend_from_slice(&more),
                Some(other) => self.after = Some(other),
            }
        }
        Ok(Some(self.burst.split().freeze()))
    }

    /// The answer, for whoever reads it otherwise.
    pub(super) fn into_response(self) -> reqwest::Response {
        self.response
    }
}

/// Lets the tasks that are ready run once before this one goes on.
async fn let_others_run() {
    let mut ran = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut ran, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
