//! Grok Build's own store of sessions: `sessions/<cwd>/<id>/` with a summary and the conversation as it was streamed.
use crate::{
    executors::{NativeSession, Running, jsonl, overlay::read_text},
    handoff::{Conversation, Role},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A list of sessions is looked through by eye.
const MAX_SESSIONS: usize = 200;
/// Sessions of one directory looked at; years of daily use stay below it.
const MAX_ENTRIES: usize = 20_000;
/// A wrapper script and a package manager's shim stand at most this far above the CLI.
const MAX_WRAPPERS: usize = 4;

/// The directory of a working directory's sessions: its path with everything but plain characters as `%XX`.
fn directory(config_home: &Path, cwd: &Path) -> Option<PathBuf> {
    let mut name = String::new();
    for byte in cwd.to_str()?.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                name.push(char::from(byte))
            }
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(config_home.join("sessions").join(name))
}

/// The sessions of `cwd`, newest first.
pub(super) fn sessions(config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
    let Some(entries) = directory(config_home, cwd).and_then(|dir| fs::read_dir(dir).ok()) else {
        return Vec::new();
    };
    let told = |dir: PathBuf| {
        let file = dir.join("summary.json");
        let modified =
            fs::metadata(dir.join("updates.jsonl")).or(fs::metadata(&file)).ok()?.modified().ok()?;
        let summary: Value = serde_json::from_str(&read_text(&file)?).ok()?;
        let title = ["generated_title", "session_summary"]
            .iter()
            .find_map(|key| summary[*key].as_str().map(str::trim).filter(|title| !title.is_empty()))?;
        // One without a message was opened and left.
        let asked = summary["num_messages"].as_u64().is_none_or(|count| count > 0);
        let id = dir.file_name()?.to_str()?.to_owned();
        let model = summary["current_model_id"].as_str().map(str::to_owned);
        asked.then(|| NativeSession { id, title: jsonl::title(title), modified, model })
    };
    let mut found: Vec<NativeSession> =
        entries.flatten().take(MAX_ENTRIES).filter_map(|entry| told(entry.path())).collect();
    found.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.id.cmp(&b.id)));
    found.truncate(MAX_SESSIONS);
    found
}

/// The session of the running CLI, by its list of processes.
pub(super) fn running(look: &Running<'_>) -> Option<String> {
    let listed = read_text(&look.config_home.join("active_sessions.json"))?;
    let listed: Value = serde_json::from_str(&listed).ok()?;
    let pane = look.pid?;
    let ours =
        |pid: i32| std::iter::successors(Some(pid), |pid| parent(*pid)).take(MAX_WRAPPERS).any(|p| p == pane);
    let found = listed
        .as_array()?
        .iter()
        .rev()
        .find(|entry| entry["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).is_some_and(ours))?;
    found["session_id"].as_str().map(str::to_owned)
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

/// One session's conversation. Chunks of one message follow each other.
pub(super) fn transcript(config_home: &Path, cwd: &Path, session: &str) -> Option<Conversation> {
    let plain = session.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let file = directory(config_home, cwd)?.join(session).join("updates.jsonl");
    if !plain || !file.is_file() {
        return None;
    }
    let mut conversation = Conversation::default();
    // Who speaks, in which prompt: a request that was given up is followed by another of the person's.
    let (mut speaks, mut text) = ((Role::User, Value::Null), String::new());
    for record in jsonl::tail(&file) {
        let update = &record["params"]["update"];
        let role = match update["sessionUpdate"].as_str() {
            Some("user_message_chunk") => Role::User,
            Some("agent_message_chunk") => Role::Assistant,
            Some("tool_call" | "tool_call_update") => Role::Tool,
            _ => continue,
        };
        let now = (role, update["_meta"]["promptIndex"].clone());
        if now != speaks || role == Role::Tool {
            jsonl::push(&mut conversation, speaks.0, &std::mem::take(&mut text));
            speaks = now;
        }
        match (update["sessionUpdate"].as_str(), update["status"].as_str()) {
            (Some("tool_call"), _) => {
                text = jsonl::call(update["title"].as_str().unwrap_or("tool"), &update["rawInput"]);
            }
            (Some("tool_call_update"), Some("completed" | "failed")) => text = output(update),
            (Some("tool_call_update"), _) => {}
            _ => text.push_str(update["content"]["text"].as_str().unwrap_or_default()),
        }
    }
    jsonl::push(&mut conversation, speaks.0, &text);
    jsonl::finish(conversation)
}

/// What a tool said, as its model was told it, else as the person saw it.
fn output(update: &Value) -> String {
    let told = update["rawOutput"]["output_for_prompt"].as_str().map(str::to_owned);
    told.unwrap_or_else(|| {
        let parts = update["content"].as_array().into_iter().flatten();
        parts.filter_map(|part| part["content"]["text"].as_str()).collect::<Vec<_>>().join("\n")
    })
}
