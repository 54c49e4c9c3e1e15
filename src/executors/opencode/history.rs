//! OpenCode's own store of sessions: an SQLite database, of which nothing is written and no login is read.
use crate::{
    executors::{NativeSession, jsonl},
    handoff::{Conversation, Role},
};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::{
    path::Path,
    time::{Duration, SystemTime},
};

/// The database's name in its directory.
pub(super) const DATABASE: &str = "opencode.db";

/// A list of sessions is looked through by eye.
const MAX_SESSIONS: u32 = 200;
/// Parts of one session, newest first; a handoff takes less.
const MAX_PARTS: u32 = 8_000;
/// How long a writer may hold the database while it is read.
const BUSY: Duration = Duration::from_millis(500);

/// Opens the database for reading. A log that lies beside it belongs to it; where none is there, or the index of that
/// log is missing, the file is read as it stands, for SQLite would otherwise make files of its own beside it.
fn open(config_home: &Path) -> Option<Connection> {
    let file = config_home.join(DATABASE);
    let beside = |end: &str| file.with_file_name(format!("{DATABASE}{end}")).exists();
    let live = beside("-wal") && beside("-shm");
    let path = file.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{path}?mode=ro{}", if live { "" } else { "&immutable=1" });
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(uri, flags).ok()?;
    database.busy_timeout(BUSY).ok()?;
    Some(database)
}

/// The person's sessions in `cwd`, newest first; those of sub-agents have a parent.
pub(super) fn sessions(config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
    let asked = || {
        let database = open(config_home)?;
        // Earlier versions kept the model with each message only.
        let model = match database.prepare("SELECT model FROM session LIMIT 0") {
            Ok(_) => "json_extract(model, '$.providerID') || '/' || json_extract(model, '$.id')",
            Err(_) => "NULL",
        };
        let mut rows = database
            .prepare(&format!(
                "SELECT id, title, time_updated, {model}, \
                   (SELECT json_extract(p.data, '$.text') FROM part p JOIN message m ON p.message_id = m.id \
                    WHERE m.session_id = s.id AND json_extract(m.data, '$.role') = 'user' \
                      AND json_extract(p.data, '$.type') = 'text' ORDER BY p.id LIMIT 1) \
                 FROM session s WHERE directory = ?1 AND parent_id IS NULL AND time_archived IS NULL \
                 ORDER BY time_updated DESC LIMIT ?2",
            ))
            .ok()?;
        let found = rows
            .query_map((cwd.to_str()?, MAX_SESSIONS), |row| {
                let (model, asked): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, model, asked))
            })
            .ok()?;
        let told =
            found.flatten().filter_map(|(id, title, updated, model, asked): (String, String, i64, _, _)| {
                // A session without a request holds no talk.
                let asked = asked?;
                let title =
                    if title.starts_with(UNNAMED) { jsonl::title(&asked) } else { jsonl::title(&title) };
                let since = Duration::from_millis(u64::try_from(updated).unwrap_or(0));
                Some(NativeSession { id, title, modified: SystemTime::UNIX_EPOCH + since, model })
            });
        Some(told.collect())
    };
    asked().unwrap_or_default()
}

/// Whether a store holds a session.
pub(super) fn holds(config_home: &Path, session: &str) -> bool {
    let found = open(config_home).and_then(|database| {
        database.query_row("SELECT 1 FROM session WHERE id = ?1", [session], |_| Ok(())).ok()
    });
    found.is_some()
}

/// Whether a store holds accounts or keys beside the sessions. One that cannot be read may.
pub(super) fn holds_accounts(config_home: &Path) -> bool {
    let rows = |table: &str| {
        let database = open(config_home)?;
        let exists: i64 = database
            .query_row(
                "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?1",
                [table],
                |row| row.get(0),
            )
            .ok()?;
        if exists == 0 {
            return Some(0);
        }
        database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).ok()
    };
    ["account", "control_account", "credential"].iter().any(|table| rows(table) != Some(0))
}

/// What a session is called before its title was made.
const UNNAMED: &str = "New session - ";

/// One session's conversation.
pub(super) fn transcript(config_home: &Path, session: &str) -> Option<Conversation> {
    let database = open(config_home)?;
    let mut rows = database
        .prepare(
            "SELECT json_extract(m.data, '$.role'), p.data FROM part p JOIN message m ON p.message_id = m.id \
             WHERE p.session_id = ?1 ORDER BY p.id DESC LIMIT ?2",
        )
        .ok()?;
    let found = rows.query_map((session, MAX_PARTS), |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
    let mut parts: Vec<(String, String)> = found.flatten().collect();
    parts.reverse();
    let mut conversation = Conversation::default();
    for (role, part) in parts {
        let Ok(part) = serde_json::from_str::<Value>(&part) else { continue };
        match part["type"].as_str() {
            // What it adds itself to a request is marked.
            Some("text") if part["synthetic"] != true && part["ignored"] != true => {
                let role = if role == "user" { Role::User } else { Role::Assistant };
                jsonl::push(&mut conversation, role, part["text"].as_str().unwrap_or_default());
            }
            Some("tool") => {
                let (name, state) = (part["tool"].as_str().unwrap_or("tool"), &part["state"]);
                jsonl::push(&mut conversation, Role::Tool, &jsonl::call(name, &state["input"]));
                let output = state["output"].as_str().or(state["error"].as_str()).unwrap_or_default();
                jsonl::push(&mut conversation, Role::Tool, output);
            }
            _ => {}
        }
    }
    jsonl::finish(conversation)
}
