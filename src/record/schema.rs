//! The database file: opening, migrating, and moving a broken one aside.
use super::{RecordError, now_ms};
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long SQLite waits for another process (`inspan usage` of another version, a backup) that holds the file.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// One entry per schema version, applied in order and never edited once released.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE journal (
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        session TEXT NOT NULL,
        pane TEXT NOT NULL,
        kind TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT;
    CREATE INDEX journal_session ON journal (session, id);
    CREATE TABLE ledger (
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        pane TEXT NOT NULL,
        executor TEXT NOT NULL,
        class TEXT NOT NULL,
        model_asked TEXT NOT NULL,
        model_served TEXT NOT NULL,
        provider TEXT NOT NULL,
        payer TEXT NOT NULL,
        dialect TEXT NOT NULL,
        upstream_dialect TEXT NOT NULL,
        status INTEGER NOT NULL,
        input INTEGER NOT NULL,
        cache_read INTEGER NOT NULL,
        cache_write INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cost REAL,
        first_byte_ms INTEGER NOT NULL,
        total_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        error TEXT NOT NULL
    ) STRICT;
    CREATE INDEX ledger_pane ON ledger (pane, id);
    CREATE INDEX ledger_at ON ledger (at_ms);
    CREATE TABLE switch (
        key TEXT PRIMARY KEY,
        pane TEXT NOT NULL,
        plan TEXT NOT NULL,
        step TEXT NOT NULL,
        outcome TEXT,
        began_ms INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        saved_ms INTEGER NOT NULL,
        json TEXT NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE ledger ADD COLUMN session TEXT NOT NULL DEFAULT '';
    ALTER TABLE ledger ADD COLUMN session_id TEXT NOT NULL DEFAULT '';
    ALTER TABLE ledger ADD COLUMN model_sent TEXT NOT NULL DEFAULT '';
    ALTER TABLE ledger ADD COLUMN credential TEXT NOT NULL DEFAULT '';
    ALTER TABLE ledger ADD COLUMN cost_source TEXT NOT NULL DEFAULT '';
    ALTER TABLE ledger ADD COLUMN notes TEXT NOT NULL DEFAULT '[]';
",
];

/// Bounds that tests tighten to stand in for a full disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// SQLite's own ceiling on pages; `None` leaves the disk as the only one.
    pub(super) pages: Option<u32>,
}

/// Opens, checks and migrates the database; the warning says that an older one was moved aside.
pub(super) fn open(path: &Path, limits: Limits) -> Result<(Connection, Option<String>), RecordError> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    match connect(path, limits) {
        Err(RecordError::Sqlite(error)) if is_corrupt(&error) => {
            let aside = move_aside(path)?;
            let warning = format!(
                "the record was damaged; it is kept as {} and a new one was begun",
                aside.file_name().unwrap_or_default().display()
            );
            Ok((connect(path, limits)?, Some(warning)))
        }
        other => Ok((other?, None)),
    }
}

/// Whether the file, not the moment, is what is wrong.
pub(super) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn connect(path: &Path, limits: Limits) -> Result<Connection, RecordError> {
    let mut db = Connection::open(path)?;
    restrict(path)?;
    db.busy_timeout(BUSY_WAIT)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    // Full, because a switch relies on its steps surviving a power cut; batches keep the number of syncs low.
    db.pragma_update(None, "synchronous", "full")?;
    migrate(&mut db)?;
    if let Some(pages) = limits.pages {
        db.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(db)
}

/// The record tells what was worked on; only its owner may read it. SQLite gives its side files the same mode.
fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

fn migrate(db: &mut Connection) -> Result<(), RecordError> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL) STRICT",
    )?;
    let found: Option<i64> =
        db.query_row("SELECT max(version) FROM migrations", [], |row| row.get(0)).optional()?.flatten();
    let found = found.unwrap_or(0);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(RecordError::Newer { found, known });
    }
    for (version, sql) in (1i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let step = db.transaction()?;
        step.execute_batch(sql)?;
        step.execute("INSERT INTO migrations VALUES (?1, ?2)", (version, now_ms()))?;
        step.commit()?;
    }
    Ok(())
}

/// Moves the database and its side files out of the way, and says where the database went.
pub(super) fn move_aside(path: &Path) -> std::io::Result<PathBuf> {
    let suffix = format!(".corrupt-{}", now_ms());
    let named = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let aside = named(&suffix);
    fs::rename(path, &aside)?;
    for end in ["-wal", "-shm"] {
        match fs::rename(named(end), named(&format!("{suffix}{end}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}
