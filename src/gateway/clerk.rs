//! The clerk: a thread that finds out what requests are about and closes their accounts, one after the other.
//!
//! To read a long conversation takes milliseconds, and to look a price up may take more. Neither lies on the way of a
//! byte, and the order in which they are told is the order in which they happened.
use super::{
    Front, GatewayEvent, LedgerRow, PaneRoute,
    account::{journal, journal_error},
    budgets::{Crossed, Reserved},
    front::IN_FLIGHT_MAX,
};
use crate::{
    dialect::{self, End, Endpoint, Measured, Meter, estimate_tokens},
    executors::{Class, RequestFacts},
    router::{
        Provider,
        prices::{self, Tokens},
    },
};
use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, SendError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// Entries that wait for the clerk. A request makes a handful of them, and each takes it well under a millisecond; who
/// finds no room waits for that long.
const DESK: usize = 4 * IN_FLIGHT_MAX;

/// The HTTP status by which the ledger marks a request whose harness went away.
pub(super) const GONE: u16 = 499;

/// Bytes of a request that make a token, where nobody counted them.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// Headers by which the executors name their native session, most telling first.
const SESSION_HEADERS: &[&str] =
    &["x-claude-code-session-id", "thread-id", "session-id", "x-grok-session-id", "x-session-id"];

/// What is done in order.
pub(super) enum Entry {
    /// Find out what a request is about, and tell.
    Read(Box<Reading>),
    /// Tell the loop something that makes sense only after what was brought before.
    Tell(Arc<Front>, GatewayEvent),
    /// Close an account.
    Close(Box<Closing>),
}

impl Entry {
    fn work(self) {
        match self {
            Self::Read(reading) => reading.tell(),
            Self::Tell(front, event) => front.tell(event),
            Self::Close(closing) => closing.tell(),
        }
    }
}

/// The thread and what waits for it.
pub(super) struct Clerk {
    desk: Mutex<Option<SyncSender<Entry>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Clerk {
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start() -> io::Result<Self> {
        let (desk, entries) = sync_channel(DESK);
        let thread = thread::Builder::new().name("clerk".into()).spawn(move || run(&entries))?;
        Ok(Self { desk: Mutex::new(Some(desk)), thread: Mutex::new(Some(thread)) })
    }

    /// Does this after everything that was brought before. Waits only while the desk is full.
    pub(super) fn take(&self, entry: Entry) {
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // After the end nobody is left to do it; what is brought then is done at once.
        let refused = match desk {
            Some(desk) => desk.send(entry).err().map(|SendError(entry)| entry),
            None => Some(entry),
        };
        if let Some(entry) = refused {
            entry.work();
        }
    }

    /// Waits until all is done that was brought.
    pub(super) fn finish(&self) {
        drop(self.desk.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn run(entries: &Receiver<Entry>) {
    for entry in entries {
        // A request that cannot be read must not take the accounts of others along.
        let _ = catch_unwind(AssertUnwindSafe(|| entry.work()));
    }
}

/// What a request turned out to be; not set for one that could not be read.
pub(super) type Nature = Arc<OnceLock<Class>>;

/// A request's body.
#[derive(Clone)]
pub(super) enum Content {
    /// As it came.
    Raw(Bytes),
    /// Parsed already, because it was translated.
    Parsed(Arc<Value>),
}

impl Content {
    /// The body; `None` when it is not JSON.
    pub(super) fn parsed(self) -> Option<Arc<Value>> {
        match self {
            Self::Raw(bytes) => serde_json::from_slice(&bytes).ok().map(Arc::new),
            Self::Parsed(value) => Some(value),
        }
    }
}

/// A request whose purpose is to be found out.
pub(super) struct Reading {
    pub(super) front: Arc<Front>,
    pub(super) pane: Arc<PaneRoute>,
    pub(super) request: u64,
    pub(super) nature: Nature,
    pub(super) endpoint: Endpoint,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    /// The model that the harness named.
    pub(super) asked: String,
    /// The display id of that, where it is a wish for another model than the route's.
    pub(super) wish: Option<String>,
}

impl Reading {
    /// Main, Subagent or Side.
    pub(super) fn classify(&self, body: &Value) -> Class {
        let header = |name: &str| self.header(name);
        let facts = RequestFacts { path: &self.path, header: &header, body };
        (self.front.config.classify)(&self.pane.executor, &facts)
    }

    fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.to_owned())
    }

    fn tell(self) {
        let Some(body) = self.content.clone().parsed() else { return };
        let class = self.classify(&body);
        let _ = self.nature.set(class);
        let main = class == Class::Main;
        let conversation = main.then(|| Arc::new(dialect::conversation(self.endpoint.dialect, &body)));
        let Self { front, pane, .. } = &self;
        front.tell(GatewayEvent::Started {
            pane: pane.pane.clone(),
            request: self.request,
            class,
            session: SESSION_HEADERS.iter().find_map(|name| self.header(name)),
            conversation,
        });
        if main {
            front.remember(pane, &self.asked);
            if let Some(model) = &self.wish {
                front.tell(GatewayEvent::ModelAsked { pane: pane.pane.clone(), model: model.clone() });
            }
        }
    }
}

/// A request that ended.
pub(super) struct Closing {
    pub(super) front: Arc<Front>,
    pub(super) pane: Arc<PaneRoute>,
    pub(super) request: u64,
    pub(super) nature: Nature,
    /// As far as it is known without the meter.
    pub(super) row: LedgerRow,
    pub(super) meter: Option<Meter>,
    /// Bytes of the request, for estimates.
    pub(super) asked_bytes: u64,
    pub(super) reserved: Option<Reserved>,
    /// How long the provider asked to wait.
    pub(super) wait: Option<std::time::Duration>,
    /// It ended because this gateway did.
    pub(super) stopping: bool,
}

impl Closing {
    /// Counts, prices, writes down and tells.
    fn tell(mut self) {
        let class = self.nature.get().copied().unwrap_or(Class::Side);
        let mut row = std::mem::take(&mut self.row);
        row.class = class.as_str().to_owned();
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
            said = (class == Class::Main && !measured.answer.is_empty()).then_some(measured.answer);
        }
        if row.provider == Provider::Rehearsal.as_str() {
            row.cost = Some(0.0);
            row.cost_source = "free".to_owned();
        } else if row.cost.is_none() {
            self.price(&mut row);
        }
        let reserved = self.reserved.take();
        let Self { front, pane, request, .. } = &self;
        if !row.error.is_empty() && row.status != GONE && !self.stopping {
            let retry_status = if row.attempts > 1 { "exhausted" } else { "terminal" };
            journal_error(front, pane, *request, (row.status, &row.error), (retry_status, row.attempts));
        }
        let crossed = front.budgets.settle(pane, reserved, row.cost.unwrap_or_default());
        front.config.recorder.ledger(row.clone());
        front.tell(GatewayEvent::Finished {
            pane: row.pane.clone(),
            request: *request,
            class,
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
            journal(front, pane, if standing.is_used_up() { "budget.used_up" } else { "budget.short" }, data);
            let (pane, name) = (pane.pane.clone(), budget.to_string());
            front.tell(GatewayEvent::Budget { pane, name, standing });
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
}
