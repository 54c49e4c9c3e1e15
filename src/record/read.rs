//! What can be asked of the record.
use super::{LedgerRow, writer::LEDGER_COLUMNS};
use rusqlite::{Connection, OptionalExtension, Result, Row};
use serde::Serialize;

/// How usage is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageBy {
    /// By pane (its ULID).
    Pane,
    /// By session, by its name; empty for requests of before sessions were noted.
    Session,
    /// By the model served, or the model asked for where the upstream did not say.
    Model,
    /// By who pays.
    Payer,
    /// By local calendar day, `2026-11-20`.
    Day,
}

/// One sum over the ledger.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UsageRow {
    /// The pane, model, payer or day.
    pub key: String,
    /// Requests.
    pub requests: u64,
    /// Requests that ended with an error, the harness going away included.
    pub failed: u64,
    /// Input tokens without cached ones.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cache_read: u64,
    /// Input tokens written to a cache.
    pub cache_write: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// US dollars of the priced requests; `None` when none was priced.
    pub cost: Option<f64>,
    /// Requests without a price, which `cost` therefore leaves out.
    pub unpriced: u64,
}

/// A switch that was begun and not ended.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenSwitch {
    /// As given to `switch_begin`.
    pub key: String,
    /// The pane's ULID.
    pub pane: String,
    /// The caller's plan; `null` when it cannot be read back.
    pub plan: serde_json::Value,
    /// The last step noted; empty before the first.
    pub step: String,
    /// Unix milliseconds at which it began.
    pub began_ms: i64,
}

pub(super) fn state(db: &Connection) -> Result<Option<String>> {
    db.query_row("SELECT json FROM state WHERE id = 1", [], |row| row.get(0)).optional()
}

pub(super) fn open_switches(db: &Connection) -> Result<Vec<OpenSwitch>> {
    let sql =
        "SELECT key, pane, plan, step, began_ms FROM switch WHERE outcome IS NULL ORDER BY began_ms, rowid";
    db.prepare(sql)?
        .query_map([], |row| {
            let plan: String = row.get(2)?;
            Ok(OpenSwitch {
                key: row.get(0)?,
                pane: row.get(1)?,
                plan: serde_json::from_str(&plan).unwrap_or_default(),
                step: row.get(3)?,
                began_ms: row.get(4)?,
            })
        })?
        .collect()
}

pub(super) fn switch_done(db: &Connection, key: &str) -> Result<Option<serde_json::Value>> {
    let done = db
        .query_row("SELECT pane FROM switch WHERE key = ?1 AND outcome = 'done'", [key], |row| {
            row.get::<_, String>(0)
        })
        .optional()?;
    let Some(pane) = done else { return Ok(None) };
    let sql = "SELECT data FROM journal WHERE pane = ?1 AND kind = 'switch' ORDER BY id DESC";
    let mut reports = db.prepare(sql)?;
    let reports = reports.query_map([pane], |row| row.get::<_, String>(0))?;
    let mut report = serde_json::json!({ "key": key });
    for text in reports {
        let value: serde_json::Value = serde_json::from_str(&text?).unwrap_or_default();
        if value["key"] == key {
            report = value;
            break;
        }
    }
    Ok(Some(report))
}

pub(super) fn usage_by(db: &Connection, by: UsageBy) -> Result<Vec<UsageRow>> {
    let (key, order) = match by {
        UsageBy::Pane => ("pane", "total(cost) DESC, sum(output) DESC, key"),
        UsageBy::Session => ("session", "total(cost) DESC, sum(output) DESC, key"),
        UsageBy::Model => {
            ("iif(model_served = '', model_asked, model_served)", "total(cost) DESC, sum(output) DESC, key")
        }
        UsageBy::Payer => ("payer", "total(cost) DESC, sum(output) DESC, key"),
        UsageBy::Day => ("date(at_ms / 1000, 'unixepoch', 'localtime')", "key DESC"),
    };
    let sql = format!(
        "SELECT {key} AS key, count(*), count(*) FILTER (WHERE status >= 400 OR error <> ''), sum(input), \
         sum(cache_read), sum(cache_write), sum(output), sum(cost), count(*) - count(cost) \
         FROM ledger GROUP BY 1 ORDER BY {order}"
    );
    db.prepare(&sql)?
        .query_map([], |row| {
            Ok(UsageRow {
                key: row.get(0)?,
                requests: unsigned(row, 1)?,
                failed: unsigned(row, 2)?,
                input: unsigned(row, 3)?,
                cache_read: unsigned(row, 4)?,
                cache_write: unsigned(row, 5)?,
                output: unsigned(row, 6)?,
                cost: row.get(7)?,
                unpriced: unsigned(row, 8)?,
            })
        })?
        .collect()
}

/// What one executor spent in one pane.
#[derive(Clone, Debug, PartialEq)]
pub struct Spent {
    /// The pane's ULID.
    pub pane: String,
    /// The session's id, `$3`.
    pub session_id: String,
    /// The executor's name.
    pub executor: String,
    /// US dollars in all.
    pub ever: f64,
    /// US dollars since the time asked for.
    pub since: f64,
}

pub(super) fn spent(db: &Connection, since_ms: i64) -> Result<Vec<Spent>> {
    let sql = "SELECT pane, session_id, executor, total(cost), total(iif(at_ms >= ?1, cost, 0)) FROM ledger \
               WHERE cost > 0 GROUP BY 1, 2, 3";
    db.prepare(sql)?
        .query_map([since_ms], |row| {
            Ok(Spent {
                pane: row.get(0)?,
                session_id: row.get(1)?,
                executor: row.get(2)?,
                ever: row.get(3)?,
                since: row.get(4)?,
            })
        })?
        .collect()
}

pub(super) fn spend_since(db: &Connection, unix_ms: i64) -> Result<f64> {
    db.query_row("SELECT total(cost) FROM ledger WHERE at_ms >= ?1", [unix_ms], |row| row.get(0))
}

pub(super) fn requests(db: &Connection, pane: &str, limit: usize) -> Result<Vec<LedgerRow>> {
    let sql = format!("SELECT {LEDGER_COLUMNS} FROM ledger WHERE pane = ?1 ORDER BY id DESC LIMIT ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.prepare(&sql)?
        .query_map((pane, limit), |row| {
            Ok(LedgerRow {
                at_ms: row.get(0)?,
                pane: row.get(1)?,
                executor: row.get(2)?,
                class: row.get(3)?,
                model_asked: row.get(4)?,
                model_served: row.get(5)?,
                provider: row.get(6)?,
                payer: row.get(7)?,
                dialect: row.get(8)?,
                upstream_dialect: row.get(9)?,
                status: row.get(10)?,
                input: unsigned(row, 11)?,
                cache_read: unsigned(row, 12)?,
                cache_write: unsigned(row, 13)?,
                output: unsigned(row, 14)?,
                cost: row.get(15)?,
                first_byte_ms: unsigned(row, 16)?,
                total_ms: unsigned(row, 17)?,
                attempts: row.get(18)?,
                error: row.get(19)?,
                session: row.get(20)?,
                session_id: row.get(21)?,
                model_sent: row.get(22)?,
                credential: row.get(23)?,
                cost_source: row.get(24)?,
                notes: serde_json::from_str(&row.get::<_, String>(25)?).unwrap_or_default(),
            })
        })?
        .collect()
}

/// SQLite counts in signed integers; none of ours is ever negative.
fn unsigned(row: &Row<'_>, index: usize) -> Result<u64> {
    row.get::<_, i64>(index).map(|n| u64::try_from(n).unwrap_or(0))
}

/// One event of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEvent {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The session's name, as it was.
    pub session: String,
    /// The pane's ULID.
    pub pane: String,
    /// What kind of event.
    pub kind: String,
    /// Its data, as JSON text.
    pub data: String,
}

pub(super) fn events(db: &Connection, limit: usize) -> Result<Vec<JournalEvent>> {
    let sql = "SELECT at_ms, session, pane, kind, data FROM journal ORDER BY id DESC LIMIT ?1";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut events: Vec<JournalEvent> = db
        .prepare(sql)?
        .query_map([limit], |row| {
            Ok(JournalEvent {
                at_ms: row.get(0)?,
                session: row.get(1)?,
                pane: row.get(2)?,
                kind: row.get(3)?,
                data: row.get(4)?,
            })
        })?
        .collect::<Result<_>>()?;
    events.reverse();
    Ok(events)
}
