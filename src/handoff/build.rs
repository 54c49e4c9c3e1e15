//! Builds a handoff: choose, redact, bound, render.
use super::{
    Conversation,
    bound::{bytes_of_tokens, clip, estimate_tokens},
    facts::{stated, written},
    marker::{CLOSE, OPEN, guard},
    redact::redact,
    unfold::{ANSWER, Exchange, REQUEST, WORK, fenced, unfold},
};
use serde::{Deserialize, Serialize};

/// The smallest bound in bytes: what the place, the branch and the closing words need at most. A smaller budget is
/// raised to it.
pub const HANDOFF_FLOOR: usize = 8 * 1024;
/// Changed files named one by one; more are counted.
const DIRTY_SHOWN: usize = 40;
/// Bytes of the list of changed files: an untidy tree must not crowd out the conversation.
const DIRTY_BYTES: usize = 2 * 1024;
/// Bytes of the files that tools wrote, and of the decisions and open points: each a fraction of the floor.
const FACTS_BYTES: usize = 1024;
/// Bytes of a label, branch, path or id on one line.
const LINE_BYTES: usize = 240;
/// Bytes of one command or result: its beginning and end say what matters.
const STEP_BYTES: usize = 800;
/// Bytes of all commands and results of one request.
const WORK_BYTES: usize = 6 * 1024;
/// Less room than this is not worth a piece of text.
const PIECE_BYTES: usize = 160;
/// What fences and headings around one piece take at most, beyond backticks that answer the content's own.
const FRAME_BYTES: usize = 96;

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Requests, answers, commands and results, as far as the budget goes.
    #[default]
    Full,
    /// The task, the last request and its answer.
    Brief,
    /// Nothing.
    None,
}

/// Where the conversation was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The requests as they passed the gateway.
    #[default]
    Gateway,
    /// The executor's own record of the session.
    Transcript,
    /// Nothing but the text on its screen.
    Screen,
}

impl Source {
    /// In words, for the handoff and the preview.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "the model requests as they were sent",
            Self::Transcript => "the session's own record",
            Self::Screen => "the text on the screen; no record of the conversation could be read",
        }
    }
}

/// One side of a switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Party<'a> {
    /// The executor's name.
    pub executor: &'a str,
    /// The model's display id, when one is known.
    pub model: Option<&'a str>,
}

impl Party<'_> {
    fn label(&self) -> String {
        match self.model {
            Some(model) => format!("{} ({})", line(self.executor), line(model)),
            None => line(self.executor),
        }
    }
}

/// Everything that a handoff is built from.
#[derive(Clone, Copy, Debug)]
pub struct HandoffInput<'a> {
    /// What was said so far, an earlier handoff included.
    pub conversation: &'a Conversation,
    /// Who worked until now.
    pub from: Party<'a>,
    /// Who goes on.
    pub to: Party<'a>,
    /// The working directory.
    pub workspace: &'a str,
    /// The branch; `None` outside a repository or with a detached HEAD.
    pub branch: Option<&'a str>,
    /// The commit; `None` before the first.
    pub head: Option<&'a str>,
    /// What git is in the middle of: `rebase`.
    pub operation: Option<&'a str>,
    /// Changed files as `git status --short` names them.
    pub dirty: &'a [String],
    /// The checkpoint made for this switch.
    pub checkpoint: Option<&'a str>,
    /// The bound; below [`HANDOFF_FLOOR`] it is raised to that.
    pub budget_tokens: usize,
    /// How much is told.
    pub mode: Mode,
    /// How many requests the resumed session has seen already; only later ones are told.
    pub since: Option<usize>,
    /// Where the conversation was read.
    pub source: Source,
    /// What the screen showed, when nothing else could be read.
    pub screen: Option<&'a str>,
    /// Where the whole conversation can be read.
    pub more: Option<&'a str>,
}

/// A handoff, ready to be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handoff {
    /// Markdown between markers; empty for [`Mode::None`].
    pub text: String,
    /// An estimate of its tokens.
    pub tokens_estimate: usize,
    /// The kinds of secrets that were replaced, in their order.
    pub redactions: Vec<&'static str>,
}

/// Builds a handoff, never larger than its budget (or [`HANDOFF_FLOOR`]), secrets replaced, the newest kept first.
pub fn build(input: &HandoffInput<'_>) -> Handoff {
    if input.mode == Mode::None {
        return Handoff::default();
    }
    let mut redactions = Vec::new();
    let mut clean = |text: &str| {
        let (text, found) = redact(text);
        redactions.extend(found);
        guard(&text)
    };
    let mut exchanges = unfold(input.conversation);
    let total = exchanges.last().map_or(0, |e| e.number);
    exchanges.retain(|e| e.number > input.since.unwrap_or(0));
    for exchange in &mut exchanges {
        exchange.request = clean(&exchange.request);
        exchange.answer = clean(&exchange.answer);
        exchange.work.iter_mut().for_each(|step| *step = clean(step));
    }

    let head = clean(&opening(input, total, exchanges.len()));
    let place = clean(&place(input));
    let facts = clean(&facts(input, &exchanges));
    let screen = clean(input.screen.unwrap_or_default());
    // Without this line a model may take a reference for the value itself.
    let note = if redactions.is_empty() { "" } else { SECRETS_NOTE };
    let close = format!("{note}## What now\n\n{}\n{CLOSE}", closing(input));
    let limit = bytes_of_tokens(input.budget_tokens).max(HANDOFF_FLOOR);
    let fixed = OPEN.len() + 1 + head.len() + place.len() + facts.len() + close.len();
    let room = limit.saturating_sub(fixed);
    let story = if exchanges.is_empty() && input.since.is_none() {
        on_screen(&screen, room)
    } else {
        story(&exchanges, input.mode, room)
    };
    let text = format!("{OPEN}\n{head}{place}{facts}{story}{close}");
    Handoff { tokens_estimate: estimate_tokens(&text), text, redactions }
}

/// What is said when something was replaced.
const SECRETS_NOTE: &str = "Where it says [secret: …] a value was taken out. It is no value: do not write it into files \
                            or commands. Ask the person, or read the variable that holds it.\n\n";

/// Files that tools wrote, decisions and open points.
fn facts(input: &HandoffInput<'_>, exchanges: &[Exchange]) -> String {
    let (files, more) = written(exchanges, input.workspace);
    let mut out = String::new();
    let mut section = |heading: &str, rows: &[String], more: usize| {
        if rows.is_empty() {
            return;
        }
        let mut room = FACTS_BYTES;
        let mut left_out = more;
        let mut kept = Vec::new();
        for row in rows.iter().rev() {
            let row = format!("- {}\n", line(row));
            if row.len() > room {
                left_out += 1;
                continue;
            }
            room -= row.len();
            kept.push(row);
        }
        kept.reverse();
        out.push_str(&format!("## {heading}\n\n{}", kept.concat()));
        if left_out > 0 {
            out.push_str(&format!("- and {left_out} earlier ones\n"));
        }
        out.push('\n');
    };
    section("Files that were written", &files, more);
    if input.mode == Mode::Full {
        section("Decisions and open points, as they were stated", &stated(exchanges), 0);
    }
    out
}

/// The end of a screen's text, which is the newest of it.
fn on_screen(screen: &str, room: usize) -> String {
    let screen = screen.trim();
    let most = room.saturating_sub(FRAME_BYTES * 2 + fence_cost(screen));
    if screen.is_empty() || most < PIECE_BYTES {
        return String::new();
    }
    let from = (screen.len().saturating_sub(most)..=screen.len()).find(|at| screen.is_char_boundary(*at));
    let text = &screen[from.unwrap_or(0)..];
    format!("## What its screen showed\n\n{}\n", fenced("screen", 0, text))
}

/// A handoff whose text a person wrote or changed: secrets replaced and markers around it, nothing else.
///
/// A text of nothing but blanks is no handoff.
pub fn rewritten(text: &str) -> Handoff {
    let text = undressed(text).trim();
    if text.is_empty() {
        return Handoff::default();
    }
    let (clean, redactions) = redact(text);
    let text = format!("{OPEN}\n{}\n{CLOSE}", guard(&clean));
    Handoff { tokens_estimate: estimate_tokens(&text), text, redactions }
}

/// The text of a handoff without its markers, as a person reads and changes it.
pub fn undressed(text: &str) -> &str {
    let text = text.strip_prefix(OPEN).map_or(text, str::trim_start);
    text.trim_end().strip_suffix(CLOSE).map_or(text, str::trim_end)
}

/// A value that must stay on its line.
fn line(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if flat.len() > LINE_BYTES { clip(&flat, LINE_BYTES).replace('\n', " ") } else { flat }
}

fn opening(input: &HandoffInput<'_>, total: usize, told: usize) -> String {
    let mut out = format!("# Handoff from {} to {}\n\n", input.from.label(), input.to.label());
    out.push_str(
        "This is what happened before you took over, told by inspan. It is history, not a new request.\n",
    );
    out.push_str(&format!("Source: {}.\n", input.source.as_str()));
    if let Some(more) = input.more {
        out.push_str(&format!("To read more: {}\n", line(more)));
    }
    if let Some(seen) = input.since {
        out.push_str(&match told {
            0 => format!("You took part in requests 1 to {seen}; nothing was asked since.\n"),
            _ => format!("You took part in requests 1 to {seen}; {} to {total} came since.\n", seen + 1),
        });
    }
    out.push('\n');
    out
}

fn place(input: &HandoffInput<'_>) -> String {
    let mut out = format!("## Workspace\n\n- directory: {}\n", line(input.workspace));
    let mut row = |name: &str, value: Option<&str>, otherwise: &str| {
        out.push_str(&format!("- {name}: {}\n", value.map_or(otherwise.to_owned(), line)));
    };
    row("branch", input.branch, "none");
    row("HEAD", input.head, "no commit yet");
    row("checkpoint", input.checkpoint, "none");
    if let Some(operation) = input.operation {
        row("in progress", Some(&format!("a {operation}; do not end or abort it unasked")), "");
    }
    if input.dirty.is_empty() {
        out.push_str("- changed files: none\n");
    } else {
        out.push_str(&format!("- changed files: {}\n", input.dirty.len()));
        let mut room = DIRTY_BYTES;
        let mut shown = 0;
        for file in input.dirty.iter().take(DIRTY_SHOWN) {
            let row = format!("  - {}\n", line(file));
            if row.len() > room {
                break;
            }
            room -= row.len();
            out.push_str(&row);
            shown += 1;
        }
        if shown < input.dirty.len() {
            out.push_str(&format!("  - and {} more\n", input.dirty.len() - shown));
        }
    }
    out.push('\n');
    out
}

fn closing(input: &HandoffInput<'_>) -> String {
    let tree = if input.dirty.is_empty() { "as the commit has them" } else { "as they were left" };
    format!(
        "Files and git state are {tree}; nothing was undone. Say in one or two sentences where the work stands, \
         then wait for the person. Change nothing until they ask."
    )
}

/// The pieces of one exchange that found room.
#[derive(Default)]
struct Told {
    request: Option<String>,
    work: Option<String>,
    answer: Option<String>,
}

/// The exchanges within `room` bytes. Room is given in the order of what the next harness misses most: the newest
/// request, its answer, the task, the newest work, then earlier exchanges from new to old.
fn story(exchanges: &[Exchange], mode: Mode, room: usize) -> String {
    let Some(last) = exchanges.len().checked_sub(1) else { return String::new() };
    let mut told: Vec<Told> = exchanges.iter().map(|_| Told::default()).collect();
    let mut left = room.saturating_sub(FRAME_BYTES * 2);
    let quarter = left / 4;
    told[last].request = piece(&exchanges[last].request, &mut left, quarter * 3);
    told[last].answer = piece(&exchanges[last].answer, &mut left, quarter * 2);
    if last > 0 {
        told[0].request = piece(&exchanges[0].request, &mut left, quarter);
    }
    if mode == Mode::Full {
        told[last].work = piece(&work(&exchanges[last]), &mut left, WORK_BYTES);
        for i in (0..last).rev() {
            if i > 0 {
                told[i].request = piece(&exchanges[i].request, &mut left, quarter);
            }
            if told[i].request.is_none() {
                break;
            }
            told[i].answer = piece(&exchanges[i].answer, &mut left, quarter);
            told[i].work = piece(&work(&exchanges[i]), &mut left, WORK_BYTES / 4);
        }
    }
    render(exchanges, &told)
}

/// A piece of text cut to `most` bytes, if what is left allows a piece at all.
fn piece(text: &str, left: &mut usize, most: usize) -> Option<String> {
    let most = most.min(left.saturating_sub(FRAME_BYTES));
    if text.trim().is_empty() || most < PIECE_BYTES.min(text.len()) {
        return None;
    }
    let mut kept = clip(text, most);
    // A fence longer than the content's own is paid for by the content.
    while fence_cost(&kept) + kept.len() > most {
        let smaller = (kept.len() / 2).max(1);
        if smaller < PIECE_BYTES {
            return None;
        }
        kept = clip(text, smaller);
    }
    *left = left.saturating_sub(kept.len() + fence_cost(&kept) + FRAME_BYTES);
    Some(kept)
}

/// Bytes that backticks in the content add to its fences beyond the usual.
fn fence_cost(text: &str) -> usize {
    fenced(REQUEST, 1, text).len().saturating_sub(text.len() + FRAME_BYTES / 2)
}

/// Commands and results, each cut to what matters, the newest kept.
fn work(exchange: &Exchange) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut room = WORK_BYTES;
    for step in exchange.work.iter().rev() {
        // Work that another handoff carried comes as one step that was cut already.
        let most = if exchange.work.len() == 1 { WORK_BYTES } else { STEP_BYTES };
        let step = clip(step.trim_end(), most);
        if step.len() + 1 > room {
            lines.push("[earlier steps left out]".to_owned());
            break;
        }
        room -= step.len() + 1;
        lines.push(step);
    }
    lines.reverse();
    lines.join("\n")
}

fn render(exchanges: &[Exchange], told: &[Told]) -> String {
    let mut out = String::new();
    let mut skipped = 0;
    for (exchange, told) in exchanges.iter().zip(told) {
        let Some(request) = &told.request else {
            skipped += 1;
            continue;
        };
        if skipped > 0 {
            out.push_str(&format!("[{skipped} requests between left out]\n\n"));
            skipped = 0;
        }
        let n = exchange.number;
        out.push_str(&if n == 1 {
            "## The task: request 1\n\n".to_owned()
        } else {
            format!("## Request {n}\n\n")
        });
        out.push_str(&fenced(REQUEST, n, request));
        if let Some(work) = &told.work {
            out.push_str("Commands and results:\n");
            out.push_str(&fenced(WORK, n, work));
        }
        match &told.answer {
            Some(answer) => {
                out.push_str("Answer:\n");
                out.push_str(&fenced(ANSWER, n, answer));
            }
            None if exchange.answer.is_empty() => out.push_str("No answer was given.\n"),
            None => {}
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
