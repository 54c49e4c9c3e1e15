//! Codex's own store of sessions: `sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl`.
use crate::{
    executors::{NativeSession, Running, jsonl},
    handoff::{Conversation, Role},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Year, month and day.
const DATE_LEVELS: usize = 3;

/// What the CLI puts into user messages beside the person's words.
const WRAPPERS: &[&str] = &["environment_context", "user_instructions", "skill", "turn_aborted"];

/// The person's sessions in `cwd`, newest first.
pub(super) fn sessions(config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
    let listed = jsonl::newest_files(&config_home.join("sessions"), DATE_LEVELS).into_iter();
    listed
        .filter_map(|(path, modified)| {
            let records = jsonl::head(&path);
            let meta = &records.iter().find(|r| r["type"] == "session_meta")?["payload"];
            let theirs = meta["thread_source"].as_str().is_none_or(|source| source == "user");
            if !theirs || meta["cwd"].as_str() != cwd.to_str() {
                return None;
            }
            let title = jsonl::title(&records.iter().find_map(asked)?);
            let turns = records.iter().filter(|record| record["type"] == "turn_context");
            let model =
                turns.filter_map(|turn| turn["payload"]["model"].as_str()).next_back().map(str::to_owned);
            Some(NativeSession { id: meta["id"].as_str()?.to_owned(), title, modified, model })
        })
        .collect()
}

/// Processes of one CLI looked at: a wrapper, the program, its helpers.
const MAX_PROCESSES: usize = 64;

/// The session of the running CLI: it keeps the file of its thread open. Where that cannot be seen, the newest one that
/// was written since the launch and is no other pane's.
pub(super) fn running(look: &Running<'_>) -> Option<String> {
    let listed = sessions(look.config_home, look.cwd);
    let open = look.pid.map(open_threads).unwrap_or_default();
    if !open.is_empty() {
        return listed.into_iter().find(|session| open.contains(&session.id)).map(|session| session.id);
    }
    let mut fresh = listed.into_iter().filter(|s| s.modified >= look.since && !look.taken.contains(&s.id));
    fresh.next().map(|session| session.id)
}

/// The ids of the threads whose files a process or its children hold open.
fn open_threads(pid: i32) -> Vec<String> {
    let mut pids = vec![pid];
    let mut at = 0;
    while at < pids.len().min(MAX_PROCESSES) {
        let children = format!("/proc/{0}/task/{0}/children", pids[at]);
        let children = fs::read_to_string(children).unwrap_or_default();
        pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        at += 1;
    }
    let files =
        pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).ok()).flatten().flatten();
    files.filter_map(|fd| thread_of(&fs::read_link(fd.path()).ok()?)).collect()
}

/// The thread that a file's name says it holds: `rollout-<time>-<id>.jsonl`.
fn thread_of(file: &Path) -> Option<String> {
    let stem = file.file_name()?.to_str()?.strip_prefix("rollout-")?.strip_suffix(".jsonl")?;
    let id = stem.get(stem.len().checked_sub(ID_CHARS)?..)?;
    uuid::Uuid::parse_str(id).ok().map(|_| id.to_owned())
}

/// A UUID with its dashes.
const ID_CHARS: usize = 36;

/// The file that holds a session.
fn file_of(config_home: &Path, session: &str) -> Option<PathBuf> {
    let end = format!("-{session}.jsonl");
    let files = jsonl::newest_files(&config_home.join("sessions"), DATE_LEVELS).into_iter();
    files.map(|(path, _)| path).find(|path| path.to_str().is_some_and(|path| path.ends_with(&end)))
}

/// The provider that a session began under, as its first record says.
pub(super) fn provider(config_home: &Path, session: &str) -> Option<String> {
    let records = jsonl::head(&file_of(config_home, session)?);
    let meta = &records.iter().find(|r| r["type"] == "session_meta")?["payload"];
    meta["model_provider"].as_str().map(str::to_owned)
}

/// One session's conversation.
pub(super) fn transcript(config_home: &Path, session: &str) -> Option<Conversation> {
    let mut conversation = Conversation::default();
    for record in jsonl::tail(&file_of(config_home, session)?) {
        if record["type"] != "response_item" {
            continue;
        }
        let item = &record["payload"];
        match item["type"].as_str() {
            Some("message") if item["role"] == "user" => {
                jsonl::push(&mut conversation, Role::User, &asked(&record).unwrap_or_default());
            }
            Some("message") if item["role"] == "assistant" => {
                jsonl::push(&mut conversation, Role::Assistant, &jsonl::text_of(&item["content"]));
            }
            Some("function_call" | "custom_tool_call") => {
                let arguments = item.get("arguments").or(item.get("input")).unwrap_or(&Value::Null);
                let name = item["name"].as_str().unwrap_or("tool");
                jsonl::push(&mut conversation, Role::Tool, &jsonl::call(name, arguments));
            }
            Some("function_call_output" | "custom_tool_call_output") => {
                let output = &item["output"];
                let text = output["content"].as_str().map_or_else(|| jsonl::text_of(output), str::to_owned);
                jsonl::push(&mut conversation, Role::Tool, &text);
            }
            _ => {}
        }
    }
    jsonl::finish(conversation)
}

/// What the person asked in this record. Newer versions mark whose words each part is.
fn asked(record: &Value) -> Option<String> {
    let item = &record["payload"];
    if record["type"] != "response_item" || item["type"] != "message" || item["role"] != "user" {
        return None;
    }
    let kinds = item["internal_chat_message_metadata_passthrough"]["content_item_kinds"].as_array();
    let text = match kinds {
        Some(kinds) => {
            let parts = item["content"].as_array()?.iter().zip(kinds);
            let own: Vec<&str> = parts
                .filter(|(_, kind)| kind.as_str().is_some_and(|k| k.starts_with("user.")))
                .filter_map(|(part, _)| part["text"].as_str())
                .collect();
            own.join("\n")
        }
        None => jsonl::text_of(&item["content"]),
    };
    let text = text.trim();
    let injected = text.starts_with("# AGENTS.md instructions");
    let said = jsonl::without(text, WRAPPERS);
    (!said.is_empty() && !injected).then_some(said)
}
