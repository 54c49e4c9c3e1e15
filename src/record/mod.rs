//! Owns what outlives the server: journal, ledger, saved state, and the files beside them. One writer thread owns SQLite
//! behind a bounded channel, another the files.
//!
//! Writing never waits for the disk and never fails: rows queue for the writer, and what cannot be kept is counted
//! and turned into a standing warning. Reading asks the writer and waits for it, so what was written before is seen.
//! Must not know: what the rows mean to anyone.
mod files;
mod ledger;
mod queue;
mod read;
mod schema;
mod writer;

pub use files::{Files, write};
pub use ledger::LedgerRow;
pub use queue::Dropped;
pub use read::{JournalEvent, OpenSwitch, Spent, UsageBy, UsageRow};

use queue::{Job, Queue};
use std::{
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long a reader waits for the writer. A writer that is silent for longer sits on a dead disk.
const READ_WAIT: Duration = Duration::from_secs(5);

/// How long [`Recorder::flush`] and the last drop wait for the queue to reach the disk.
const FLUSH_WAIT: Duration = Duration::from_secs(10);

/// Why a record could not be read or opened.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// SQLite said no.
    #[error("the record cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file or directory could not be made or moved.
    #[error("the record cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// A newer inspan wrote the file.
    #[error(
        "the record was written by a newer inspan (schema {found}, this one knows {known}); run that version"
    )]
    Newer {
        /// The file's schema version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The writer did not answer in time or is gone.
    #[error("the record does not answer")]
    Silent,
}

/// The handle that rooms write and read through; clones share one writer thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
    listener: OnceLock<Listener>,
}

/// Who hears of each event as it is written; must not wait.
struct Listener(Box<dyn Fn(JournalEvent) + Send + Sync>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let (done, wait) = mpsc::sync_channel(1);
        self.queue.close(Job::Flush(done));
        let flushed = wait.recv_timeout(FLUSH_WAIT).is_ok();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A writer that hangs on a dead disk is left behind rather than waited for.
        if let (true, Some(writer)) = (flushed, writer) {
            let _ = writer.join();
        }
    }
}

impl Recorder {
    /// Opens or creates the database at `path` and starts the writer.
    ///
    /// A corrupt database is moved aside to `<path>.corrupt-<unix ms>` with a warning, and a new one begun.
    ///
    /// # Errors
    /// The file cannot be opened or created, or a newer version wrote it.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        Self::open_with(path, schema::Limits::default())
    }

    /// As [`Recorder::open`], but a failure becomes a recorder that keeps nothing and says so in its warning.
    pub fn open_or_warn(path: &Path) -> Self {
        Self::open(path).unwrap_or_else(|error| {
            let queue = Arc::new(Queue::default());
            queue.warn(Some(format!("{error}; nothing is being recorded")));
            queue.close_silently();
            Self { shared: Arc::new(Shared { queue, writer: Mutex::new(None), listener: OnceLock::new() }) }
        })
    }

    fn open_with(path: &Path, limits: schema::Limits) -> Result<Self, RecordError> {
        let queue = Arc::new(Queue::default());
        let (database, warning) = schema::open(path, limits)?;
        queue.warn(warning);
        let writer = writer::spawn(path.to_owned(), limits, database, Arc::clone(&queue))?;
        Ok(Self {
            shared: Arc::new(Shared { queue, writer: Mutex::new(Some(writer)), listener: OnceLock::new() }),
        })
    }

    /// Adds a model request to the ledger.
    pub fn ledger(&self, row: LedgerRow) {
        self.shared.queue.push(Job::Ledger(Box::new(row)));
    }

    /// Adds an event to the journal. `pane` is a pane's ULID, or empty for the session as a whole.
    pub fn journal(&self, session: &str, pane: &str, kind: &str, data: serde_json::Value) {
        let [session, pane, kind] = [session, pane, kind].map(str::to_owned);
        let at_ms = now_ms();
        if let Some(Listener(tell)) = self.shared.listener.get() {
            let (session, pane, kind) = (session.clone(), pane.clone(), kind.clone());
            tell(JournalEvent { at_ms, session, pane, kind, data: data.to_string() });
        }
        self.shared.queue.push(Job::Journal { at_ms, session, pane, kind, data });
    }

    /// Tells `listener` each event from now on, on the thread that writes it; it must not wait. Only the first call counts.
    pub fn listen(&self, listener: impl Fn(JournalEvent) + Send + Sync + 'static) {
        let _ = self.shared.listener.set(Listener(Box::new(listener)));
    }

    /// Replaces the saved state. Only the newest unwritten one is kept, so this can be called at each change.
    pub fn save_state(&self, json: &str) {
        self.shared.queue.save_state(json.to_owned());
    }

    /// The newest saved state, written or not.
    ///
    /// # Errors
    /// The database cannot be read or does not answer.
    pub fn load_state(&self) -> Result<Option<String>, RecordError> {
        // The question also waits for a state that is being written this moment; if that fails it is parked.
        let written = self.ask(read::state);
        self.shared.queue.unsaved_state().map_or(written, |state| Ok(Some(state)))
    }

    /// Opens a switch, so that a crash in the middle of it can be told. `key` is unique; `plan` is what the caller
    /// needs to resume or undo.
    pub fn switch_begin(&self, key: &str, pane: &str, plan: &serde_json::Value) {
        let [key, pane, plan] = [key.to_owned(), pane.to_owned(), plan.to_string()];
        self.shared.queue.push(Job::SwitchBegin { at_ms: now_ms(), key, pane, plan });
    }

    /// Notes the step that the switch `key` has reached.
    pub fn switch_step(&self, key: &str, step: &str) {
        let [key, step] = [key, step].map(str::to_owned);
        self.shared.queue.push(Job::SwitchStep { at_ms: now_ms(), key, step });
    }

    /// Closes the switch `key`; it is no longer among [`Recorder::open_switches`].
    pub fn switch_end(&self, key: &str, outcome: &str) {
        let [key, outcome] = [key, outcome].map(str::to_owned);
        self.shared.queue.push(Job::SwitchEnd { at_ms: now_ms(), key, outcome });
    }

    /// Switches that were begun and not ended, oldest first.
    ///
    /// # Errors
    /// The database cannot be read or does not answer.
    pub fn open_switches(&self) -> Result<Vec<OpenSwitch>, RecordError> {
        self.ask(read::open_switches)
    }

    /// What the switch `key` reported when it was done; `None` when it was not, or not ended well.
    ///
    /// # Errors
    /// The database cannot be read or does not answer.
    pub fn switch_done(&self, key: &str) -> Result<Option<serde_json::Value>, RecordError> {
        let key = key.to_owned();
        self.ask(move |db| read::switch_done(db, &key))
    }

    /// Sums of the whole ledger, the largest spender first (days: the newest first).
    ///
    /// # Errors
    /// The database cannot be read or does not answer.
    pub fn usage_by(&self, by: UsageBy) -> Result<Vec<UsageRow>, RecordError> {
        self.ask(move |db| read::usage_by(db, by))
    }

    /// US dollars of the priced requests that arrived at `unix_ms` or later.
    ///
    /// # Errors
    /// The database cannot be read or does not answer.
    pub fn spend_since(&self, unix_ms: i64) -> Result<f64, RecordError> {
        self.ask(move |db| read::spend_since(db, unix_ms))
    }

    /// What was spent by pane, session and executor, in all and since `unix_ms`; those that spent nothing are left out.
    ///
    /// # Errors
    /// The database cannot be read or does not answer.
    pub fn spent(&self, unix_ms: i64) -> Result<Vec<Spent>, RecordError> {
        self.ask(move |db| read::spent(db, unix_ms))
    }

    /// The newest `limit` requests of a pane (its ULID), newest first.
    ///
    /// # Errors
    /// The database cannot be read or does not answer.
    pub fn requests(&self, pane: &str, limit: usize) -> Result<Vec<LedgerRow>, RecordError> {
        let pane = pane.to_owned();
        self.ask(move |db| read::requests(db, &pane, limit))
    }

    /// The newest `limit` events of the journal, oldest first.
    ///
    /// # Errors
    /// The database cannot be read or does not answer.
    pub fn events(&self, limit: usize) -> Result<Vec<JournalEvent>, RecordError> {
        self.ask(move |db| read::events(db, limit))
    }

    /// What should be shown to the person as long as it holds: a stopped ledger, a database moved aside, lost rows.
    pub fn warning(&self) -> Option<String> {
        self.shared.queue.warning()
    }

    /// What was not kept so far.
    pub fn dropped(&self) -> Dropped {
        self.shared.queue.dropped()
    }

    /// Waits until everything written so far is on disk or counted as lost; false when that took too long.
    pub fn flush(&self) -> bool {
        let (done, wait) = mpsc::sync_channel(1);
        self.shared.queue.push(Job::Flush(done)) && wait.recv_timeout(FLUSH_WAIT).is_ok()
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, RecordError> {
        let (reply, wait) = mpsc::sync_channel(1);
        let job = Job::Ask(Box::new(move |db| {
            let _ = reply.send(question(db));
        }));
        if !self.shared.queue.push(job) {
            return Err(RecordError::Silent);
        }
        Ok(wait.recv_timeout(READ_WAIT).map_err(|_| RecordError::Silent)??)
    }
}

/// Unix milliseconds now.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
