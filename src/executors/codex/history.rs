//! Codex's own store of sessions: `sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl`.
use crate::{
    executors::{NativeSession, jsonl},
    handoff::{Conversation, Role},
};
use serde_json::Value;
use std::path::Path;

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
            Some(NativeSession { id: meta["id"].as_str()?.to_owned(), title, modified })
        })
        .collect()
}

/// One session's conversation.
pub(super) fn transcript(config_home: &Path, session: &str) -> Option<Conversation> {
    let end = format!("-{session}.jsonl");
    let files = jsonl::newest_files(&config_home.join("sessions"), DATE_LEVELS);
    let (path, _) = files.iter().find(|(p, _)| p.to_str().is_some_and(|p| p.ends_with(&end)))?;
    let mut conversation = Conversation::default();
    for record in jsonl::tail(path) {
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
