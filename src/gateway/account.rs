//! One request's account: what it cost so far, and the promise that it ends in ledger and events exactly once.
use super::{
    Front, GatewayEvent, LedgerRow, PaneRoute,
    budgets::{Crossed, Reserved},
};
use crate::vault::Rotation;
use crate::{
    dialect::{End, Measured, Meter, estimate_tokens},
    executors::Class,
    handoff::{Conversation, clip},
    router::{
        Budget, Dialect, Provider,
        prices::{self, Tokens},
    },
};
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::OwnedSemaphorePermit;

/// The HTTP status by which the ledger marks a request whose harness went away.
const GONE: u16 = 499;

/// Notes kept of one request; a translation that leaves out more than this says the same thing over and over.
const NOTES_MAX: usize = 32;

/// Bytes kept of one note.
const NOTE_BYTES: usize = 200;

/// Bytes of a request that make a token, where nobody counted them.
const BYTES_PER_TOKEN: u64 = 4;

/// Output that an estimate takes a request to have. Most answers of a turn are tool calls of a few hundred tokens.
const OUTPUT_ESTIMATED: u64 = 1000;

/// Input beyond which an estimate does not go: no model of today takes more, and images are large in bytes alone.
const INPUT_ESTIMATED_MAX: u64 = 200_000;

/// Settles itself as "the harness went away" when it is dropped, because a dropped request is how that shows.
pub(super) struct Account {
    front: Arc<Front>,
    request: u64,
    began: Instant,
    class: Class,
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
    settled: bool,
    /// A place among the requests in flight, kept for as long as the answer streams.
    place: Option<OwnedSemaphorePermit>,
}

/// What a request turned out to be.
pub(super) struct Nature {
    pub(super) class: Class,
    pub(super) session: Option<String>,
    pub(super) conversation: Option<Arc<Conversation>>,
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
            class: Class::Side,
            row,
            pane: Arc::clone(pane),
            reserved: None,
            wait: None,
            asked_bytes: 0,
            answer: None,
            due: None,
            meter: None,
            settled: false,
            place: None,
        }
    }

    /// Notes the model that the harness named.
    pub(super) fn asked(&mut self, model: &str) {
        self.row.model_asked = model.to_owned();
    }

    /// Tells the loop that the request was accepted.
    pub(super) fn started(&mut self, nature: Nature) {
        self.class = nature.class;
        self.front.tell(GatewayEvent::Started {
            pane: self.row.pane.clone(),
            request: self.request,
            class: nature.class,
            session: nature.session,
            conversation: nature.conversation,
        });
    }

    /// What the request turned out to be.
    pub(super) fn class(&self) -> Class {
        self.class
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
        let pane = Arc::clone(&self.pane);
        self.reserve(model, &pane.budgets)
    }

    /// Counts an estimate of the cost from now on, unless one of these budgets is used up.
    pub(super) fn reserve(&mut self, model: &str, budgets: &[Budget]) -> Result<(), Crossed> {
        if budgets.is_empty() {
            return Ok(());
        }
        let tokens = Tokens {
            input: (self.asked_bytes / BYTES_PER_TOKEN).min(INPUT_ESTIMATED_MAX),
            output: OUTPUT_ESTIMATED,
            ..Tokens::default()
        };
        let estimate = prices::cost(self.pane.route.provider, model, tokens, self.row.at_ms);
        self.reserved =
            Some(self.front.budgets.reserve(&self.pane, budgets, estimate.unwrap_or_default())?);
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
        self.front.tell(GatewayEvent::Retrying {
            pane: self.row.pane.clone(),
            request: self.request,
            why: why.to_owned(),
        });
        self.journal_error(status, why, "retrying", self.row.attempts);
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.journal("session.status_rescheduled", json!({"request": self.request, "after_ms": wait}));
    }

    /// Tells that the next attempt begins.
    pub(super) fn resumed(&self) {
        self.front.tell(GatewayEvent::Resumed { pane: self.row.pane.clone(), request: self.request });
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

    fn journal(&self, kind: &str, data: serde_json::Value) {
        self.front.config.recorder.journal(&self.pane.session, &self.pane.pane, kind, data);
    }

    fn journal_error(&self, status: u16, words: &str, retry_status: &str, attempts: u32) {
        let kind = match status {
            402 => "billing_error",
            429 => "model_rate_limited_error",
            503 | 529 => "model_overloaded_error",
            _ => "model_request_failed_error",
        };
        let data = json!({
            "error": {"type": kind, "message": words},
            "retry_status": {"type": retry_status},
            "request": self.request,
            "status": status,
            "attempt": attempts,
        });
        self.journal("session.error", data);
    }

    /// An answer begins: its status, the length of its body where it is declared, and what reads along.
    pub(super) fn answered(&mut self, status: u16, length: Option<u64>, meter: Option<Meter>) {
        self.answer = Some(status);
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
        if let Some(meter) = &mut self.meter {
            meter.feed(bytes);
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
        row.class = self.class.as_str().to_owned();
        row.status = status;
        row.error = error.to_owned();
        row.total_ms = self.elapsed_ms();
        let mut said = None;
        let mut calls_tools = false;
        if let Some(meter) = self.meter.take() {
            let measured = meter.finish();
            row.input = measured.usage.input;
            row.cache_read = measured.usage.cache_read;
            row.cache_write = measured.usage.cache_write;
            row.output = measured.usage.output;
            row.model_served.clone_from(&measured.model);
            if row.provider != Provider::Rehearsal.as_str() && row.first_byte_ms > 0 {
                self.estimate(&mut row, &measured);
            }
            if let Some(cost) = measured.cost {
                row.cost = Some(cost);
                row.cost_source = "upstream".to_owned();
            }
            calls_tools = measured.calls_tools;
            said = (self.class == Class::Main && !measured.answer.is_empty()).then_some(measured.answer);
        }
        if row.provider == Provider::Rehearsal.as_str() {
            row.cost = Some(0.0);
            row.cost_source = "free".to_owned();
        } else if row.cost.is_none() {
            self.price(&mut row);
        }
        if !error.is_empty() && status != GONE && !self.front.stopping.load(Ordering::Relaxed) {
            let retry_status = if row.attempts > 1 { "exhausted" } else { "terminal" };
            self.journal_error(status, error, retry_status, row.attempts);
        }
        let crossed =
            self.front.budgets.settle(&self.pane, self.reserved.take(), row.cost.unwrap_or_default());
        self.front.config.recorder.ledger(row.clone());
        self.front.tell(GatewayEvent::Finished {
            pane: row.pane.clone(),
            request: self.request,
            class: self.class,
            row: Arc::new(row),
            answer: said,
            calls_tools,
            wait: self.wait,
        });
        for Crossed { budget, standing } in crossed {
            let data = json!({
                "budget": standing.span, "executor": budget.executor, "spent": standing.spent,
                "limit": standing.limit, "origin": budget.origin,
            });
            self.journal(if standing.is_used_up() { "budget.used_up" } else { "budget.short" }, data);
            let (pane, name) = (self.pane.pane.clone(), budget.to_string());
            self.front.tell(GatewayEvent::Budget { pane, name, standing });
        }
    }

    /// Counts what the upstream did not: what was sent and what came is paid for, whether somebody reported it or not.
    fn estimate(&self, row: &mut LedgerRow, measured: &Measured) {
        if measured.end == End::Unread {
            return;
        }
        let answered = estimate_tokens(&measured.answer) as u64;
        if !measured.usage_reported {
            row.input = self.asked_bytes / BYTES_PER_TOKEN;
            row.output = answered;
            row.notes.push("the upstream reported no tokens; they are estimated".to_owned());
        } else if measured.end == End::Cut && answered > row.output {
            row.output = answered;
            row.notes.push("cut off; output tokens are estimated".to_owned());
        }
    }

    /// The list price, by the name that was served, else by the name that was sent.
    fn price(&self, row: &mut LedgerRow) {
        let LedgerRow { input, cache_read, cache_write, output, .. } = *row;
        if (input, cache_read, cache_write, output) == (0, 0, 0, 0) {
            // Nothing was used, as far as anyone knows: an error costs nothing, an answer without a meter is unknown.
            if row.status >= 400 && row.status != GONE || row.attempts == 0 {
                row.cost = Some(0.0);
                row.cost_source = "free".to_owned();
            }
            return;
        }
        let tokens = Tokens { input, cache_read, cache_write, output };
        let names = [&row.model_served, &row.model_sent, &row.model_asked];
        let cost = |name: &&String| prices::cost(self.pane.route.provider, name, tokens, row.at_ms);
        row.cost = names.iter().filter(|name| !name.is_empty()).find_map(cost);
        if row.cost.is_some() {
            row.cost_source = "list".to_owned();
        }
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

/// Unix milliseconds now.
pub(super) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
