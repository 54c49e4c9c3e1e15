//! One request's account: what it cost so far, and the promise that it ends in ledger and events exactly once.
use super::{Front, GatewayEvent, LedgerRow, PaneRoute};
use crate::{
    dialect::{End, Meter},
    executors::Class,
    handoff::Conversation,
    router::{Dialect, Provider},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::OwnedSemaphorePermit;

/// The HTTP status by which the ledger marks a request whose harness went away.
const GONE: u16 = 499;

/// Settles itself as "the harness went away" when it is dropped, because a dropped request is how that shows.
pub(super) struct Account {
    front: Arc<Front>,
    request: u64,
    began: Instant,
    class: Class,
    row: LedgerRow,
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
    pub(super) fn open(front: &Arc<Front>, pane: &PaneRoute, dialect: Dialect) -> Self {
        let row = LedgerRow {
            at_ms: unix_ms(),
            pane: pane.pane.clone(),
            executor: pane.executor.to_string(),
            provider: pane.route.provider.to_string(),
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

    /// Counts an attempt at the upstream.
    pub(super) fn attempt(&mut self) {
        self.row.attempts += 1;
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
            row.cost = measured.cost;
            row.model_served = measured.model;
            calls_tools = measured.calls_tools;
            said = (self.class == Class::Main && !measured.answer.is_empty()).then_some(measured.answer);
        }
        if row.provider == Provider::Rehearsal.as_str() {
            row.cost = Some(0.0);
        } else if row.cost.is_none() {
            row.cost = self.front.config.price.as_ref().and_then(|price| price(&row));
        }
        self.front.config.recorder.ledger(row.clone());
        self.front.tell(GatewayEvent::Finished {
            pane: row.pane.clone(),
            request: self.request,
            class: self.class,
            row: Arc::new(row),
            answer: said,
            calls_tools,
        });
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
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
