//! The thread that owns the connection.
use super::{
    now_ms,
    queue::{Job, Queue},
    schema::{self, Limits},
};
use rusqlite::{Connection, Result, Transaction};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// After a failed write, rows are dropped for this long before the disk is tried again: on a full disk every attempt
/// costs work and none is likely to help.
const RETRY_AFTER: Duration = Duration::from_secs(15);

/// The ledger's columns as [`super::LedgerRow`] is written and read.
pub(super) const LEDGER_COLUMNS: &str = "at_ms, pane, executor, class, model_asked, model_served, provider, payer, \
    dialect, upstream_dialect, status, input, cache_read, cache_write, output, cost, first_byte_ms, total_ms, \
    attempts, error, session, session_id, model_sent, credential, cost_source, notes";

static LEDGER_INSERT: LazyLock<String> = LazyLock::new(|| {
    let marks = vec!["?"; LEDGER_COLUMNS.split(',').count()].join(", ");
    format!("INSERT INTO ledger ({LEDGER_COLUMNS}) VALUES ({marks})")
});

/// Starts the writer.
pub(super) fn spawn(
    path: PathBuf,
    limits: Limits,
    db: Connection,
    queue: Arc<Queue>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("record".to_owned()).spawn(move || {
        let mut writer = Writer { path, limits, db, queue, stopped: None };
        while let Some((jobs, state)) = writer.queue.take() {
            writer.run(jobs, state);
        }
    })
}

struct Writer {
    path: PathBuf,
    limits: Limits,
    db: Connection,
    queue: Arc<Queue>,
    /// When writing failed last.
    stopped: Option<Instant>,
}

impl Writer {
    /// Writes one batch; questions inside it see what was queued before them.
    fn run(&mut self, jobs: VecDeque<Job>, mut state: Option<String>) {
        let mut rows = Vec::new();
        for job in jobs {
            match job {
                Job::Ask(question) => {
                    self.write(&mut rows, &mut state);
                    question(&self.db);
                }
                Job::Flush(done) => {
                    self.write(&mut rows, &mut state);
                    let _ = done.try_send(());
                }
                row => rows.push(row),
            }
        }
        self.write(&mut rows, &mut state);
    }

    /// Writes rows and state in one transaction. Rows that fail are lost and counted; a state that fails is left in
    /// place for the next batch.
    fn write(&mut self, rows: &mut Vec<Job>, state: &mut Option<String>) {
        if rows.is_empty() && state.is_none() {
            return;
        }
        if self.stopped.is_some_and(|at| at.elapsed() < RETRY_AFTER) {
            self.lose(rows, state);
            return;
        }
        match batch(&mut self.db, rows, state.as_deref()) {
            Ok(()) => {
                rows.clear();
                *state = None;
                if self.stopped.take().is_some() {
                    self.queue.warn(None);
                }
            }
            Err(error) => {
                self.stopped = Some(Instant::now());
                self.queue.warn(Some(format!("the ledger stopped: {error}")));
                if schema::is_corrupt(&error) {
                    self.begin_anew();
                }
                self.lose(rows, state);
            }
        }
    }

    fn lose(&self, rows: &mut Vec<Job>, state: &mut Option<String>) {
        for row in rows.drain(..) {
            self.queue.lost(&row);
        }
        if let Some(state) = state.take() {
            self.queue.park_state(state);
        }
    }

    /// Puts a database that turned out damaged aside and goes on with a new one.
    fn begin_anew(&mut self) {
        let Ok(nowhere) = Connection::open_in_memory() else { return };
        // The file must be closed before it is moved, or the new one would share its locks.
        drop(std::mem::replace(&mut self.db, nowhere));
        match reopen(&self.path, self.limits) {
            Ok((db, warning)) => {
                self.db = db;
                self.stopped = None;
                self.queue.warn(Some(warning));
            }
            Err(error) => self.queue.warn(Some(format!("the ledger stopped: {error}"))),
        }
    }
}

fn reopen(path: &Path, limits: Limits) -> std::result::Result<(Connection, String), super::RecordError> {
    let aside = schema::move_aside(path)?;
    let (db, _) = schema::open(path, limits)?;
    let name = aside.file_name().unwrap_or_default().display().to_string();
    Ok((db, format!("the record was damaged; it is kept as {name} and a new one was begun")))
}

fn batch(db: &mut Connection, rows: &[Job], state: Option<&str>) -> Result<()> {
    let transaction = db.transaction()?;
    for row in rows {
        insert(&transaction, row)?;
    }
    if let Some(state) = state {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO state (id, saved_ms, json) VALUES (1, ?1, ?2)")?
            .execute((now_ms(), state))?;
    }
    transaction.commit()
}

fn insert(to: &Transaction<'_>, row: &Job) -> Result<()> {
    match row {
        Job::Ledger(r) => {
            to.prepare_cached(&LEDGER_INSERT)?.execute(rusqlite::params![
                r.at_ms,
                r.pane,
                r.executor,
                r.class,
                r.model_asked,
                r.model_served,
                r.provider,
                r.payer,
                r.dialect,
                r.upstream_dialect,
                r.status,
                signed(r.input),
                signed(r.cache_read),
                signed(r.cache_write),
                signed(r.output),
                r.cost,
                signed(r.first_byte_ms),
                signed(r.total_ms),
                r.attempts,
                r.error,
                r.session,
                r.session_id,
                r.model_sent,
                r.credential,
                r.cost_source,
                serde_json::Value::from(r.notes.clone()).to_string(),
            ])?;
        }
        Job::Journal { at_ms, session, pane, kind, data } => {
            to.prepare_cached(
                "INSERT INTO journal (at_ms, session, pane, kind, data) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((at_ms, session, pane, kind, data.to_string()))?;
        }
        Job::SwitchBegin { at_ms, key, pane, plan } => {
            to.prepare_cached(
                "INSERT OR REPLACE INTO switch (key, pane, plan, step, outcome, began_ms, changed_ms) \
                 VALUES (?1, ?2, ?3, '', NULL, ?4, ?4)",
            )?
            .execute((key, pane, plan, at_ms))?;
        }
        Job::SwitchStep { at_ms, key, step } => {
            to.prepare_cached("UPDATE switch SET step = ?2, changed_ms = ?3 WHERE key = ?1")?
                .execute((key, step, at_ms))?;
        }
        Job::SwitchEnd { at_ms, key, outcome } => {
            to.prepare_cached("UPDATE switch SET outcome = ?2, changed_ms = ?3 WHERE key = ?1")?
                .execute((key, outcome, at_ms))?;
        }
        // Answered by `run`, in their place among the rows.
        Job::Ask(_) | Job::Flush(_) => {}
    }
    Ok(())
}

/// SQLite counts in signed integers; a count beyond is saturated.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
