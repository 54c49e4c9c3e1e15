//! The sessions of the Agents SDK: its own SQLite file, with one table of ours that tells where each belongs.
use crate::handoff::{Conversation, Role, Turn};
use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The file's name in a home.
pub const FILE: &str = "sessions.db";

/// The runtime writes for milliseconds at a time.
const BUSY: Duration = Duration::from_secs(5);
/// Items of one session that are read, newest first; a handoff needs the newest.
const MAX_ITEMS: usize = 4_000;
/// One item's text.
const MAX_TEXT: usize = 64 * 1024;
/// A list of sessions is looked through by eye.
const MAX_SESSIONS: usize = 200;
/// A title is one line of a list.
const TITLE_CHARS: usize = 80;

/// A session of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Its first request.
    pub title: String,
    /// When it was last written.
    pub modified: SystemTime,
    /// The model that it ran last.
    pub model: Option<String>,
}

fn open(database: &Path) -> Option<Connection> {
    if !database.exists() {
        return None;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).ok()?;
    connection.busy_timeout(BUSY).ok()?;
    Some(connection)
}

/// Takes note that a session belongs to a workspace; makes the file and its directory.
///
/// # Errors
/// A sentence with the path.
pub fn remember(database: &Path, session: &str, cwd: &Path, model: &str) -> Result<(), String> {
    let cannot = |why: String| format!("sessions cannot be kept in {}: {why}", database.display());
    if let Some(dir) = database.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| cannot(e.to_string()))?;
    }
    let write = || {
        let connection = Connection::open(database)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.execute_batch(
            "create table if not exists inspan_sessions (session_id text primary key, cwd text not null, model text)",
        )?;
        connection.execute(
            "insert into inspan_sessions (session_id, cwd, model) values (?1, ?2, ?3)
             on conflict (session_id) do update set cwd = ?2, model = ?3",
            params![session, cwd.to_string_lossy(), model],
        )
    };
    write().map(drop).map_err(|e| cannot(e.to_string()))
}

/// The sessions of a workspace in which something was said, newest first.
pub fn sessions(database: &Path, cwd: &Path) -> Vec<Session> {
    let read = || -> Option<Vec<Session>> {
        let connection = open(database)?;
        let mut listed = connection
            .prepare(
                "select s.session_id, cast(strftime('%s', s.updated_at) as integer),
                   (select m.message_data from agent_messages m where m.session_id = s.session_id
                      and m.message_data like '%\"user\"%' order by m.id limit 1),
                   o.model
                 from agent_sessions s join inspan_sessions o on o.session_id = s.session_id
                 where o.cwd = ?1 order by s.updated_at desc, s.rowid desc limit ?2",
            )
            .ok()?;
        let rows = listed
            .query_map(params![cwd.to_string_lossy(), MAX_SESSIONS as i64], |row| {
                let first: Option<String> = row.get(2)?;
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, first, row.get::<_, Option<String>>(3)?))
            })
            .ok()?;
        let sessions = rows.flatten().filter_map(|(id, seconds, first, model)| {
            let (_, text) = said(&serde_json::from_str(&first?).ok()?)?;
            let text = if crate::handoff::is_handoff(&text) { crate::handoff::typed(&text) } else { text };
            let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("(a handoff)");
            let modified = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?);
            Some(Session { id, title: line.chars().take(TITLE_CHARS).collect(), modified, model })
        });
        Some(sessions.collect())
    };
    read().unwrap_or_default()
}

/// What was said in a session, oldest first; `None` when there is none of that id.
pub fn conversation(database: &Path, session: &str) -> Option<Conversation> {
    let connection = open(database)?;
    let mut listed = connection
        .prepare("select message_data from agent_messages where session_id = ?1 order by id desc limit ?2")
        .ok()?;
    let rows =
        listed.query_map(params![session, MAX_ITEMS as i64], |row| row.get::<_, String>(0)).ok()?.flatten();
    let mut turns: Vec<Turn> = rows
        .filter_map(|item| said(&serde_json::from_str(&item).ok()?))
        .map(|(role, text)| Turn { role, text })
        .collect();
    turns.reverse();
    (!turns.is_empty()).then_some(Conversation { turns })
}

/// Who said what in an item of the SDK.
fn said(item: &Value) -> Option<(Role, String)> {
    let text_of = |content: &Value| match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    };
    let (role, mut text) = match (item["type"].as_str(), item["role"].as_str()) {
        (_, Some("user")) => (Role::User, text_of(&item["content"])),
        (_, Some("assistant")) => (Role::Assistant, text_of(&item["content"])),
        (Some("function_call"), _) => {
            let (name, arguments) = (item["name"].as_str()?, item["arguments"].as_str().unwrap_or_default());
            (Role::Tool, format!("{name}: {arguments}"))
        }
        (Some("function_call_output"), _) => (Role::Tool, text_of(&item["output"])),
        _ => return None,
    };
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    (!text.trim().is_empty()).then_some((role, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables as the SDK makes them, with one session in them.
    fn stocked(database: &Path) {
        remember(database, "s1", Path::new("/work"), "gpt-5.4").unwrap();
        let connection = open(database).unwrap();
        connection
            .execute_batch(
                "create table agent_sessions (session_id text primary key,
                   created_at timestamp default current_timestamp, updated_at timestamp default current_timestamp);
                 create table agent_messages (id integer primary key autoincrement, session_id text not null,
                   message_data text not null, created_at timestamp default current_timestamp);
                 insert into agent_sessions values ('s1', '2026-01-01 00:00:00', '2026-01-02 00:00:00');",
            )
            .unwrap();
        for item in [
            r#"{"content": "count the files", "role": "user"}"#,
            r#"{"type": "reasoning", "summary": []}"#,
            r#"{"type": "function_call", "name": "shell", "arguments": "{\"command\":\"ls\"}", "call_id": "c"}"#,
            r#"{"type": "function_call_output", "call_id": "c", "output": "exit 0\na"}"#,
            r#"{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "One."}]}"#,
        ] {
            connection
                .execute("insert into agent_messages (session_id, message_data) values ('s1', ?1)", [item])
                .unwrap();
        }
    }

    #[test]
    fn a_session_is_listed_where_it_belongs_and_told_whole() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("home").join(FILE);
        assert!(sessions(&database, Path::new("/work")).is_empty());
        assert!(conversation(&database, "s1").is_none());
        stocked(&database);
        let listed = sessions(&database, Path::new("/work"));
        assert_eq!((listed.len(), listed[0].title.as_str()), (1, "count the files"));
        assert_eq!(listed[0].modified, UNIX_EPOCH + Duration::from_secs(1_767_312_000));
        assert!(sessions(&database, Path::new("/other")).is_empty());
        let told = conversation(&database, "s1").unwrap();
        let told: Vec<_> = told.turns.iter().map(|turn| (turn.role, turn.text.as_str())).collect();
        let wanted = [
            (Role::User, "count the files"),
            (Role::Tool, r#"shell: {"command":"ls"}"#),
            (Role::Tool, "exit 0\na"),
            (Role::Assistant, "One."),
        ];
        assert_eq!(told, wanted);
        assert!(conversation(&database, "other").is_none());
    }

    #[test]
    fn a_file_that_is_no_database_holds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join(FILE);
        fs::write(&database, "not a database, but long enough to be looked at as one").unwrap();
        assert!(sessions(&database, Path::new("/work")).is_empty());
        assert!(conversation(&database, "s1").is_none());
        assert!(
            remember(&database, "s", Path::new("/w"), "m")
                .unwrap_err()
                .contains("sessions cannot be kept in")
        );
    }
}
