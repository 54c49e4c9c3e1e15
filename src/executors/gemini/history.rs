//! Gemini CLI's own store of sessions: `tmp/<project>/chats/session-<time>-<id>.jsonl`.
use crate::{
    executors::{NativeSession, jsonl, overlay::read_text},
    handoff::{Conversation, Role},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Projects looked through when the CLI's own table does not name this directory.
const MAX_PROJECTS: usize = 2_000;

/// What the CLI puts into user messages beside the person's words.
const WRAPPERS: &[&str] = &["session_context", "untrusted_context", "hook_context"];

/// The directory of a project's chats: by the table of projects, else by the marks that the CLI leaves in each.
fn chats(config_home: &Path, cwd: &Path) -> Option<PathBuf> {
    let tmp = config_home.join("tmp");
    let table: Option<Value> =
        read_text(&config_home.join("projects.json")).and_then(|t| serde_json::from_str(&t).ok());
    let named = table.as_ref().and_then(|t| t["projects"].get(cwd.to_str()?)?.as_str());
    let project = match named {
        Some(name) => tmp.join(name),
        None => fs::read_dir(&tmp).ok()?.flatten().take(MAX_PROJECTS).map(|e| e.path()).find(|dir| {
            read_text(&dir.join(".project_root")).is_some_and(|root| Path::new(root.trim()) == cwd)
        })?,
    };
    Some(project.join("chats"))
}

/// The sessions of `cwd`, newest first.
pub(super) fn sessions(config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
    let Some(dir) = chats(config_home, cwd) else { return Vec::new() };
    let listed = jsonl::newest_files(&dir, 0).into_iter();
    let mut seen = BTreeSet::new();
    listed
        .filter_map(|(path, modified)| {
            let records = jsonl::head(&path);
            let id = records.iter().find_map(|r| r["sessionId"].as_str())?.to_owned();
            let title = jsonl::title(&messages(&records).find_map(asked)?);
            let models = messages(&records).filter_map(|message| message["model"].as_str());
            let model = models.last().map(str::to_owned);
            Some(NativeSession { id, title, modified, model })
        })
        .filter(|session: &NativeSession| seen.insert(session.id.clone()))
        .collect()
}

/// One session's conversation.
pub(super) fn transcript(config_home: &Path, cwd: &Path, session: &str) -> Option<Conversation> {
    let short = session.split('-').next().unwrap_or_default();
    let files = jsonl::newest_files(&chats(config_home, cwd)?, 0);
    // A resume leaves a second file of the same session that holds no talk.
    files.iter().filter(|(path, _)| path.to_string_lossy().contains(short)).find_map(|(path, _)| {
        let theirs = jsonl::head(path).iter().any(|record| record["sessionId"] == session);
        if theirs { told(&jsonl::tail(path)) } else { None }
    })
}

/// The conversation of one file.
fn told(records: &[Value]) -> Option<Conversation> {
    // A message is written again, under its id, once its tools have finished.
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for message in messages(records) {
        let Some(id) = message["id"].as_str() else { continue };
        if newest.insert(id, message).is_none() {
            order.push(id);
        }
    }
    let mut conversation = Conversation::default();
    for message in order.iter().filter_map(|id| newest.get(id)) {
        if message["type"] == "user" {
            jsonl::push(&mut conversation, Role::User, &asked(message).unwrap_or_default());
        } else if message["type"] == "gemini" {
            jsonl::push(&mut conversation, Role::Assistant, &said(&message["content"]));
            for tool in message["toolCalls"].as_array().into_iter().flatten() {
                let name = tool["name"].as_str().unwrap_or("tool");
                jsonl::push(&mut conversation, Role::Tool, &jsonl::call(name, &tool["args"]));
                if let Some(output) = tool.pointer("/result/0/functionResponse/response/output") {
                    jsonl::push(&mut conversation, Role::Tool, &plain(&jsonl::text_of(output)));
                }
            }
        }
    }
    jsonl::finish(conversation)
}

/// What the model said aloud: thoughts are parts beside it.
fn said(content: &Value) -> String {
    let Some(parts) = content.as_array() else { return jsonl::text_of(content) };
    let aloud = parts.iter().filter(|part| part["thought"] != true).cloned();
    jsonl::text_of(&Value::Array(aloud.collect()))
}

/// A tool's output without the marks that the CLI puts around it for its model.
fn plain(output: &str) -> String {
    output.replace("<untrusted_context>", "").replace("</untrusted_context>", "")
}

/// Messages, also those that a patch record carries.
fn messages(records: &[Value]) -> impl Iterator<Item = &Value> {
    records.iter().flat_map(|record| match record["$set"]["messages"].as_array() {
        Some(patched) => patched.iter().collect::<Vec<_>>(),
        None => vec![record],
    })
}

/// What the person asked in this message.
fn asked(message: &Value) -> Option<String> {
    if message["type"] != "user" {
        return None;
    }
    let said = jsonl::without(&jsonl::text_of(&message["content"]), WRAPPERS);
    (!said.is_empty()).then_some(said)
}
