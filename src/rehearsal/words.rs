//! What the scripted model says.
use super::directives::{asks_to_recall, without_marks};
use crate::{
    dialect::Said,
    handoff::{clip, is_handoff},
};
use serde_json::Value;

/// Bytes of a command's output that are repeated.
const REPORT_BYTES: usize = 32 * 1024;
/// Lines that are recalled, and bytes of each.
const RECALL_LINES: usize = 40;
const RECALL_BYTES: usize = 400;
/// Bytes of a quotation inside a sentence.
const QUOTE_BYTES: usize = 240;
/// Words of a title.
const TITLE_WORDS: usize = 6;
/// How a fruitless search begins, so that a later one does not find it.
const NOTHING_FOUND: &str = "Nothing that I was shown contains";

/// A useful answer to a prompt that directs nothing.
pub(super) fn plain(model: &str, history: &[Said]) -> String {
    let turns = history.len();
    let mut out = format!(
        "This is {model}, played by the rehearsal: scripted, offline, without a key. I was shown {turns} {}.",
        if turns == 1 { "turn" } else { "turns" }
    );
    let prompts: Vec<&str> = prompts(history).collect();
    if let Some((newest, earlier)) = prompts.split_last() {
        if let Some(before) = earlier.last() {
            out.push_str(&format!("\n\nBefore that you asked: “{}”.", quote(before)));
        }
        out.push_str(&format!("\n\nYou asked: “{}”.", quote(newest)));
    }
    // What went before stands last, next to where the person types: a small pane shows the end of an answer.
    match newest_handoff(history) {
        Some(told) => {
            out.push_str("\n\n");
            out.push_str(&told);
        }
        None => out.push_str(
            "\n\nTo see me work, ask with `[[run: git status]]`; to search what I was shown, `[[recall: word]]`.",
        ),
    }
    out
}

/// An answer to a handoff after which nothing was asked.
pub(super) fn read_handoff(model: &str, history: &[Said]) -> String {
    let told = newest_handoff(history).unwrap_or_default();
    format!("This is {model}, played by the rehearsal. {told}\n\nI wait for you.")
}

/// What a handoff says, in a few sentences.
fn newest_handoff(history: &[Said]) -> Option<String> {
    let text = newest_handoff_text(history)?;
    let line = |start: &str| handoff_line(text, start);
    let mut out = format!("I have read the handoff {}.", line("# Handoff ").unwrap_or("of another harness"));
    let told = |kind: &str| {
        let mut lines = text.lines();
        let mut newest = None;
        while let Some(line) = lines.next() {
            let ticks = line.len() - line.trim_start_matches('`').len();
            if ticks >= 3 && line[ticks..].starts_with(kind) {
                let block: Vec<&str> = lines.by_ref().take_while(|l| *l != &line[..ticks]).collect();
                newest = Some(block.join(" "));
            }
        }
        newest
    };
    if let Some(request) = told("request ") {
        out.push_str(&format!(" The last request was: “{}”.", quote(&request)));
    }
    // An interrupted request has none, and the one before it must not stand in.
    let unanswered = text.rfind("\nNo answer was given.") > text.rfind("```answer ");
    if let Some(answer) = told("answer ").filter(|_| !unanswered) {
        out.push_str(&format!(" It was answered: “{}”.", quote(&answer)));
    }
    if let (Some(branch), Some(head)) = (line("- branch:"), line("- HEAD:")) {
        out.push_str(&format!(" The branch is {branch}, HEAD {head}."));
    }
    Some(out)
}

fn newest_handoff_text(history: &[Said]) -> Option<&str> {
    history.iter().rev().find_map(|step| match step {
        Said::Person(text) if is_handoff(text) => Some(text.as_str()),
        _ => None,
    })
}

/// The rest of the first line that begins so.
fn handoff_line<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(start)).map(str::trim)
}

/// The person's own words, oldest first.
fn prompts(history: &[Said]) -> impl Iterator<Item = &str> {
    history.iter().filter_map(|step| match step {
        Said::Person(text) if !is_handoff(text) => Some(text.as_str()),
        _ => None,
    })
}

fn quote(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    clip(&flat, QUOTE_BYTES).replace('\n', " ")
}

/// What a command printed, verbatim.
pub(super) fn report(command: Option<&str>, output: &str) -> String {
    let subject = command.map_or("The tool".to_owned(), |command| format!("`{}`", quote(command)));
    if output.trim().is_empty() {
        return format!("{subject} printed nothing.");
    }
    format!("{subject} printed:\n\n{}", block(&clip(output, REPORT_BYTES)))
}

/// Lines as they are, safe from a renderer that would join them.
fn block(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{text}\n{fence}")
}

/// The earlier lines that contain a word, each once.
pub(super) fn recall(word: &str, earlier: &[Said]) -> String {
    let wanted = word.to_lowercase();
    let mut found: Vec<String> = Vec::new();
    let mut more = 0;
    for step in earlier {
        let (Said::Person(text) | Said::Model(text) | Said::Call(text) | Said::Output(text)) = step;
        for line in text.lines().map(str::trim) {
            let wanted = line.to_lowercase().contains(&wanted)
                && !asks_to_recall(line)
                && !line.starts_with(NOTHING_FOUND);
            let line = clip(line, RECALL_BYTES);
            if !wanted || found.contains(&line) {
                continue;
            }
            if found.len() < RECALL_LINES {
                found.push(line);
            } else {
                more += 1;
            }
        }
    }
    if found.is_empty() {
        return format!("{NOTHING_FOUND} “{word}”: {} turns before this prompt.", earlier.len());
    }
    if more > 0 {
        found.push(format!("and {more} more lines"));
    }
    block(&found.join("\n"))
}

pub(super) fn about_to_run(command: &str) -> String {
    format!("I run `{}`.", quote(command))
}

pub(super) fn no_shell(command: &str) -> String {
    format!("No shell is among the tools that I was offered, so `{}` was not run.", quote(command))
}

pub(super) fn unclear(mark: &str) -> String {
    format!("I cannot read `{mark}`. Known are run, outside, say, slow, fail, cut and recall.")
}

/// A short title for the conversation.
pub(super) fn title(history: &[Said]) -> String {
    let first = prompts(history).map(|text| without_marks(quoted(text))).find(|words| !words.is_empty());
    let first = first.or_else(|| {
        let from = handoff_line(newest_handoff_text(history)?, "# Handoff ")?;
        Some(format!("Handoff {from}"))
    });
    let first = first.unwrap_or_default();
    let words: Vec<&str> = first
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .take(TITLE_WORDS)
        .collect();
    match clip(&words.join(" "), QUOTE_BYTES / 4) {
        title if title.is_empty() => "Rehearsal".to_owned(),
        title => title,
    }
}

/// The prompt that a request for a title quotes: Codex below its instructions, Gemini CLI in a transcript,
/// Claude Code inside an element.
fn quoted(text: &str) -> &str {
    let text = text.rsplit_once("User prompt:").map_or(text, |(_, prompt)| prompt);
    let text = text.rsplit_once("\nUser: ").map_or(text, |(_, last)| last);
    let text = text.split_once("\n\nAssistant:").map_or(text, |(last, _)| last);
    let text = text.split_once("<session>").map_or(text, |(_, inside)| inside);
    text.split_once("</session>").map_or(text, |(inside, _)| inside)
}

/// Whether a request without tools asks for a title or a summary, by its instructions.
pub(super) fn asks_for_title(body: &Value) -> bool {
    let mut instructions = vec![&body["system"], &body["instructions"], &body["systemInstruction"]];
    for message in ["messages", "input"].iter().flat_map(|key| body[key].as_array().into_iter().flatten()) {
        if matches!(message["role"].as_str(), Some("system" | "developer")) {
            instructions.push(&message["content"]);
        }
    }
    let told = instructions.iter().map(|value| value.to_string().to_lowercase()).collect::<String>();
    let asked = ["messages", "input", "contents"]
        .iter()
        .map(|key| body[key].to_string().to_lowercase())
        .collect::<String>();
    told.contains("title")
        || told.contains("summar")
        || ["generate a title", "task title", "summarize the user"].iter().any(|words| asked.contains(words))
}
