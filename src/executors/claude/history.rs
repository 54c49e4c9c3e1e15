//! Claude Code's own store of sessions: `projects/<directory>/<id>.jsonl`.
use crate::{
    executors::{NativeSession, jsonl},
    handoff::{Conversation, Role},
};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What the CLI wraps around or beside the person's words.
const WRAPPERS: &[&str] = &[
    "system-reminder",
    "command-name",
    "command-message",
    "command-args",
    "local-command-stdout",
    "local-command-caveat",
];

fn store(config_home: &Path, cwd: &Path) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    config_home.join("projects").join(cwd.to_string_lossy().chars().map(plain).collect::<String>())
}

/// The sessions of `cwd`, newest first.
pub(super) fn sessions(config_home: &Path, cwd: &Path) -> Vec<NativeSession> {
    let listed = jsonl::newest_files(&store(config_home, cwd), 0).into_iter();
    listed
        .filter_map(|(path, modified)| {
            let id = path.file_stem()?.to_str()?.to_owned();
            let records = jsonl::head(&path);
            let first = records.iter().find_map(asked)?;
            // What the CLI says itself in a session is marked by a model that is none.
            let mut models = records.iter().filter_map(|record| record["message"]["model"].as_str());
            let model = models.rfind(|model| !model.starts_with('<')).map(str::to_owned);
            Some(NativeSession { id, title: jsonl::title(&first), modified, model })
        })
        .collect()
}

/// One session's conversation.
pub(super) fn transcript(config_home: &Path, cwd: &Path, session: &str) -> Option<Conversation> {
    let name = format!("{session}.jsonl");
    if Path::new(&name).components().count() != 1 {
        return None;
    }
    let mut conversation = Conversation::default();
    for record in jsonl::tail(&store(config_home, cwd).join(name)) {
        if record["isSidechain"] == true || record["isMeta"] == true {
            continue;
        }
        match record["type"].as_str() {
            Some("user") => {
                for block in record["message"]["content"].as_array().into_iter().flatten() {
                    if block["type"] == "tool_result" {
                        jsonl::push(&mut conversation, Role::Tool, &jsonl::text_of(&block["content"]));
                    }
                }
                jsonl::push(&mut conversation, Role::User, &asked(&record).unwrap_or_default());
            }
            Some("assistant") => {
                for block in record["message"]["content"].as_array().into_iter().flatten() {
                    if let Some(text) = block["text"].as_str() {
                        jsonl::push(&mut conversation, Role::Assistant, text);
                    } else if let Some(tool) = block["name"].as_str() {
                        let line = jsonl::call(tool, &block["input"]);
                        jsonl::push(&mut conversation, Role::Tool, &line);
                    }
                }
            }
            _ => {}
        }
    }
    jsonl::finish(conversation)
}

/// What the person asked in this record.
fn asked(record: &Value) -> Option<String> {
    if record["type"] != "user" || record["isMeta"] == true || record["isSidechain"] == true {
        return None;
    }
    let said = jsonl::without(&jsonl::text_of(&record["message"]["content"]), WRAPPERS);
    (!said.is_empty()).then_some(said)
}
