//! Reading the CLIs' own line-per-record stores: bounded, and tolerant of lines that are not understood.
use crate::handoff::{Conversation, Role, Turn};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A session's newest part is what a handoff needs; stores of long sessions reach hundreds of megabytes.
const MAX_TAIL_BYTES: u64 = 16 * 1024 * 1024;
/// Enough to reach the first request behind a session's header and injected context.
const MAX_HEAD_BYTES: u64 = 512 * 1024;
/// A list of sessions is looked through by eye.
const MAX_SESSIONS: usize = 200;
/// Directory entries looked at for one list; years of daily use stay below it.
const MAX_ENTRIES: usize = 20_000;
/// One turn's text; a handoff shortens further.
const MAX_TURN_BYTES: usize = 64 * 1024;
/// Turns kept, newest first.
const MAX_TURNS: usize = 4_000;
/// A title is one line of a list.
const MAX_TITLE_CHARS: usize = 80;

/// The records of a file's newest part, oldest first.
pub(super) fn tail(path: &Path) -> Vec<Value> {
    read(path, true).unwrap_or_default()
}

/// The records of a file's first part.
pub(super) fn head(path: &Path) -> Vec<Value> {
    read(path, false).unwrap_or_default()
}

fn read(path: &Path, newest: bool) -> Option<Vec<Value>> {
    let mut file = fs::File::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    let skip = if newest { size.saturating_sub(MAX_TAIL_BYTES) } else { 0 };
    file.seek(SeekFrom::Start(skip)).ok()?;
    let mut bytes = Vec::new();
    file.take(if newest { MAX_TAIL_BYTES } else { MAX_HEAD_BYTES }).read_to_end(&mut bytes).ok()?;
    let mut lines = bytes.split(|b| *b == b'\n');
    if skip > 0 {
        lines.next();
    }
    Some(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// The `.jsonl` files of a directory and `depth` levels below it, newest first.
pub(super) fn newest_files(dir: &Path, depth: usize) -> Vec<(PathBuf, SystemTime)> {
    let mut found = Vec::new();
    let mut budget = MAX_ENTRIES;
    collect(dir, depth, &mut budget, &mut found);
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
    found.truncate(MAX_SESSIONS);
    found
}

fn collect(dir: &Path, depth: usize, budget: &mut usize, found: &mut Vec<(PathBuf, SystemTime)>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().take(*budget).map(|e| e.path()).collect();
    *budget = budget.saturating_sub(paths.len());
    // Dated directories sort by name, so that the budget is spent on the newest.
    paths.sort();
    for path in paths.into_iter().rev() {
        let Ok(meta) = fs::metadata(&path) else { continue };
        if meta.is_dir() && depth > 0 {
            collect(&path, depth - 1, budget, found);
        } else if meta.is_file() && path.extension().is_some_and(|e| e == "jsonl") {
            found.push((path, meta.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
        }
    }
}

/// One line for a list of sessions.
pub(super) fn title(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
    match line.char_indices().nth(MAX_TITLE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Adds a turn unless it is empty; its text is bounded.
pub(super) fn push(conversation: &mut Conversation, role: Role, text: &str) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    let mut end = text.len().min(MAX_TURN_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    conversation.turns.push(Turn { role, text: text[..end].to_owned() });
}

/// A tool call as one line.
pub(super) fn call(name: &str, arguments: &Value) -> String {
    match arguments {
        Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    }
}

/// The conversation, or `None` when nothing was said; only the newest turns are kept.
pub(super) fn finish(mut conversation: Conversation) -> Option<Conversation> {
    let surplus = conversation.turns.len().saturating_sub(MAX_TURNS);
    conversation.turns.drain(..surplus);
    (!conversation.turns.is_empty()).then_some(conversation)
}

/// The text of a content value: a string, or the `text` of its parts.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> =
                parts.iter().filter_map(|p| p.as_str().or_else(|| p.get("text")?.as_str())).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// Text without the `<tag>…</tag>` blocks that a CLI wraps around the person's words.
pub(super) fn without(text: &str, tags: &[&str]) -> String {
    let mut text = text.to_owned();
    for tag in tags {
        let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
        while let Some(start) = text.find(&open) {
            let Some(length) = text[start..].find(&close) else { break };
            text.replace_range(start..start + length + close.len(), "");
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_not_json_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        fs::write(&path, b"{\"n\":1}\nnot json\n\xff\xfe\n{\"n\":2}\n{\"n\":").unwrap();
        let read: Vec<i64> = tail(&path).iter().filter_map(|v| v["n"].as_i64()).collect();
        assert_eq!(read, [1, 2]);
    }

    #[test]
    fn a_long_store_is_read_from_its_end_at_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let filler = format!("{{\"pad\":\"{}\"}}\n", "x".repeat(1024 * 1024));
        fs::write(&path, format!("{{\"n\":1}}\n{}{{\"n\":2}}\n", filler.repeat(17))).unwrap();
        let read = tail(&path);
        assert_eq!(read.last().unwrap()["n"], 2);
        assert!(read.iter().all(|v| v["n"] != 1));
        assert_eq!(head(&path).len(), 1);
    }

    #[test]
    fn wrappers_are_removed_and_open_ones_left() {
        assert_eq!(without("<a x=1>in</a>said<b>", &["a", "b"]), "said<b>");
    }
}
