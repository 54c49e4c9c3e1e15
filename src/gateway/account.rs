//! One request's account: what it cost so far, and the promise that it ends in ledger and events exactly once.
use super::{
    Front, GatewayEvent, LedgerRow, PaneRoute,
    budgets::{Crossed, Reserved},
    clerk::{BYTES_PER_TOKEN, Closing, Entry, GONE, Nature},
};
use crate::vault::Rotation;
use crate::{
    dialect::{End, Meter},
    handoff::clip,
    router::{
        Dialect,
        prices::{self, Tokens},
    },
};
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::OwnedSemaphorePermit;

/// Notes kept of one request; a translation that leaves out more than this says the same thing over and over.
const NOTES_MAX: usize = 32;

/// Bytes kept of one note.
const NOTE_BYTES: usize = 200;

/// Output that an estimate takes a request to have. Most answers of a turn are tool calls of a few hundred tokens.
const OUTPUT_ESTIMATED: u64 = 1000;

/// Input beyond which an estimate does not go: no model of today takes more, and images are large in bytes alone.
const INPUT_ESTIMATED_MAX: u64 = 200_000;

/// Settles itself as "the harness went away" when it is dropped, because a dropped request is how that shows.
pub(super) struct Account {
    front: Arc<Front>,
    request: u64,
    began: Instant,
    nature: Nature,
    row: LedgerRow,
    pane: Arc<PaneRoute>,
    /// What the budgets count until the cost is known.
    reserved: Option<Reserved>,
    /// How long the provider asked to wait.
    pub(super) wait: Option<Duration>,
    /// Bytes of the request, for estimates.
    asked_bytes: u64,
    /// The answer's status, once one is on its way to the harness.
    answer: Option<u16>,
    /// Bytes of the answer's body that have not come, where its length was declared.
    due: Option<u64>,
    meter: Option<Meter>,
    /// Bytes that the meter has read before they were passed on.
    ahead: usize,
    settled: bool,
    /// A place among the requests in flight, kept for as long as the answer streams.
    place: Option<OwnedSemaphorePermit>,
}

impl Account {
    /// Opens the account of a request of `pane`.
    pub(super) fn open(front: &Arc<Front>, pane: &Arc<PaneRoute>, dialect: Dialect) -> Self {
        let row = LedgerRow {
            at_ms: unix_ms(),
            pane: pane.pane.clone(),
            session: pane.session.clone(),
            session_id: pane.session_id.clone(),
            executor: pane.executor.to_string(),
            provider: pane.route.served_by().to_owned(),
            payer: pane.route.payer.clone(),
            dialect: dialect.to_string(),
            upstream_dialect: pane.route.upstream_dialect.to_string(),
            ..LedgerRow::default()
        };
        Self {
            front: Arc::clone(front),
            request: front.next_request.fetch_add(1, Ordering::Relaxed),
            began: Instant::now(),
            nature: Nature::default(),
            row,
            pane: Arc::clone(pane),
            reserved: None,
            wait: None,
            asked_bytes: 0,
            answer: None,
            due: None,
            meter: None,
            ahead: 0,
            settled: false,
            place: None,
        }
    }

    /// Notes the model that the harness named.
    pub(super) fn asked(&mut self, model: &str) {
        self.row.model_asked = model.to_owned();
    }

    /// The request's number, and where it is noted what it turns out to be.
    pub(super) fn request(&self) -> (u64, Nature) {
        (self.request, Arc::clone(&self.nature))
    }

    /// Keeps a place among the requests in flight until the end.
    pub(super) fn hold(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    /// Counts an attempt at the upstream, made with a credential of this name.
    pub(super) fn attempt(&mut self, credential: &str) {
        self.row.attempts += 1;
        credential.clone_into(&mut self.row.credential);
    }

    /// Notes what goes upstream: the model's id there, and how much of a request it is. Refuses it when a budget is
    /// used up; otherwise an estimate of its cost counts from now on.
    pub(super) fn sending(&mut self, model: &str, bytes: usize) -> Result<(), Crossed> {
        model.clone_into(&mut self.row.model_sent);
        self.asked_bytes = bytes as u64;
        if self.pane.budgets.is_empty() {
            return Ok(());
        }
        let tokens = Tokens {
            input: (self.asked_bytes / BYTES_PER_TOKEN).min(INPUT_ESTIMATED_MAX),
            output: OUTPUT_ESTIMATED,
            ..Tokens::default()
        };
        let estimate = prices::cost(self.pane.route.provider, model, tokens, self.row.at_ms);
        self.reserved = Some(self.front.budgets.reserve(&self.pane, estimate.unwrap_or_default())?);
        Ok(())
    }

    /// Keeps a sentence on what the answer or the way to it was not as asked for.
    pub(super) fn note(&mut self, note: &str) {
        if self.row.notes.len() < NOTES_MAX && !self.row.notes.iter().any(|known| known == note) {
            self.row.notes.push(clip(note, NOTE_BYTES));
        }
    }

    /// Tells that an attempt failed and another follows after `wait`.
    pub(super) fn rescheduled(&self, status: u16, why: &str, wait: Duration) {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.tell(GatewayEvent::Retrying {
            pane: self.row.pane.clone(),
            request: self.request,
            why: why.to_owned(),
            attempts: self.row.attempts,
            wait_ms,
        });
        journal_error(&self.front, &self.pane, self.request, (status, why), ("retrying", self.row.attempts));
        self.journal("session.status_rescheduled", json!({"request": self.request, "after_ms": wait_ms}));
    }

    /// Tells that the next attempt begins.
    pub(super) fn resumed(&self) {
        self.tell(GatewayEvent::Resumed { pane: self.row.pane.clone(), request: self.request });
        let attempt = self.row.attempts + 1;
        self.journal("session.status_running", json!({"request": self.request, "attempt": attempt}));
    }

    /// Notes that the request goes elsewhere than the pane's route says.
    pub(super) fn rerouted(&mut self, pane: &Arc<PaneRoute>) {
        self.row.provider = pane.route.served_by().to_owned();
        self.row.payer.clone_from(&pane.route.payer);
        self.row.upstream_dialect = pane.route.upstream_dialect.to_string();
        self.pane = Arc::clone(pane);
    }

    /// Tells that another credential of a pool takes over.
    pub(super) fn rotated(&self, rotation: &Rotation) {
        let Rotation { pool, from, to, why } = rotation;
        let why = why.words();
        self.journal("vault.rotated", json!({"pool": pool, "from": from, "to": to, "why": why}));
    }

    /// A number that differs between requests.
    pub(super) fn seed(&self) -> u64 {
        self.request ^ self.row.at_ms.unsigned_abs().rotate_left(20)
    }

    /// Tells the loop, after it was told what the request is.
    fn tell(&self, event: GatewayEvent) {
        self.front.clerk.take(Entry::Tell(Arc::clone(&self.front), event));
    }

    fn journal(&self, kind: &str, data: serde_json::Value) {
        journal(&self.front, &self.pane, kind, data);
    }

    /// An answer begins: its status, the length of its body where it is declared, and what reads along; that may be
    /// ahead of what is passed on by some bytes.
    pub(super) fn answered(&mut self, status: u16, length: Option<u64>, meter: Option<Meter>, ahead: usize) {
        self.answer = Some(status);
        self.ahead = ahead;
        self.due = length;
        self.meter = meter;
    }

    /// Reads a piece of the answer's body.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        if self.row.first_byte_ms == 0 {
            // A first byte within the first millisecond still came.
            self.row.first_byte_ms = self.elapsed_ms().max(1);
        }
        self.due = self.due.map(|due| due.saturating_sub(bytes.len() as u64));
        let known = self.ahead.min(bytes.len());
        self.ahead -= known;
        if let Some(meter) = &mut self.meter {
            meter.feed(&bytes[known..]);
        }
    }

    /// Ends the account of an answer that passed to its end; an error inside it is still an error.
    pub(super) fn conclude(&mut self) {
        let error = match self.meter.as_ref().map(|meter| &meter.so_far().end) {
            Some(End::Failed(words)) => words.clone(),
            _ => String::new(),
        };
        self.settle(self.answer.unwrap_or_default(), &error);
    }

    /// `trouble`, unless it is this gateway that takes the connections down.
    pub(super) fn blame(&self, trouble: String) -> String {
        if self.front.stopping.load(Ordering::Relaxed) {
            "inspan's gateway stopped".to_owned()
        } else {
            trouble
        }
    }

    /// Whether the harness has all of the answer. It need not wait for the end of the stream to hang up, and a body
    /// of known length is let go of at its last byte.
    fn is_whole(&self) -> bool {
        let ended =
            self.meter.as_ref().is_some_and(|m| matches!(m.so_far().end, End::Complete | End::Failed(_)));
        self.answer.is_some() && (ended || self.due == Some(0))
    }

    /// The meter, for what it can say of the stream so far.
    pub(super) fn meter(&self) -> Option<&Meter> {
        self.meter.as_ref()
    }

    /// Ends the account; `error` is empty when all went well.
    pub(super) fn settle(&mut self, status: u16, error: &str) {
        if self.settled {
            return;
        }
        self.settled = true;
        let mut row = std::mem::take(&mut self.row);
        row.status = status;
        row.error = error.to_owned();
        row.total_ms = self.elapsed_ms();
        self.front.clerk.take(Entry::Close(Box::new(Closing {
            front: Arc::clone(&self.front),
            pane: Arc::clone(&self.pane),
            request: self.request,
            nature: Arc::clone(&self.nature),
            row,
            meter: self.meter.take(),
            asked_bytes: self.asked_bytes,
            reserved: self.reserved.take(),
            wait: self.wait,
            stopping: self.front.stopping.load(Ordering::Relaxed),
        })));
        self.place = None;
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.is_whole() {
            return self.conclude();
        }
        let why = self.blame("the harness went away".to_owned());
        self.settle(GONE, &why);
    }
}

pub(super) fn journal(front: &Front, pane: &PaneRoute, kind: &str, data: serde_json::Value) {
    front.config.recorder.journal(&pane.session, &pane.pane, kind, data);
}

/// Journals a failure, and what becomes of it: `retrying`, `exhausted` or `terminal`.
pub(super) fn journal_error(
    front: &Front,
    pane: &PaneRoute,
    request: u64,
    (status, words): (u16, &str),
    (retry_status, attempts): (&str, u32),
) {
    let kind = match status {
        402 => "billing_error",
        429 => "model_rate_limited_error",
        503 | 529 => "model_overloaded_error",
        _ => "model_request_failed_error",
    };
    let data = json!({
        "error": {"type": kind, "message": words},
        "retry_status": {"type": retry_status},
        "request": request,
        "status": status,
        "attempt": attempts,
    });
    journal(front, pane, "session.error", data);
}

/// Unix milliseconds now.
pub(super) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
