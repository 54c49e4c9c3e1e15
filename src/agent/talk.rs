//! The conversation as the pane shows it: what was said, what runs, what is asked. Time is an argument.
use super::{
    card::Entry,
    intent::{Agreed, Intent},
    protocol::{Heard, How},
    tools::Outcome,
};
use crate::{
    handoff::{Conversation, Role},
    state::{Permission, StatusReport},
};
use std::{
    collections::VecDeque,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Pieces of a conversation that are kept to be drawn anew at another width; the pane's history holds fewer rows.
const MAX_LOG: usize = 4_000;
/// Of a running command's output, what may be shown while it runs.
const MAX_TAIL: usize = 4 * 1024;
/// A question takes an answer only after it was seen: what is being typed when it comes up must not answer it.
pub const ARMED_AFTER: Duration = Duration::from_millis(500);
/// Turns of a resumed session that are shown again.
const SHOWN_AGAIN: usize = 60;

/// A call of a tool that waits, is asked about or runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Names it to the runtime.
    pub id: String,
    /// What it wants.
    pub intent: Intent,
    /// Where: the file or directory, or the workspace.
    pub target: PathBuf,
    /// It leads out of the workspace.
    pub outside: bool,
}

/// A call that runs.
#[derive(Debug)]
pub struct Running {
    /// Which.
    pub call: Call,
    /// Since when.
    pub since: Instant,
    /// The newest of what it said.
    pub tail: String,
}

/// A call that the person is asked about.
#[derive(Debug)]
pub struct Asking {
    /// Which.
    pub call: Call,
    /// What it would change.
    pub preview: String,
    /// Since when it is shown.
    pub since: Instant,
}

impl Asking {
    /// Whether it takes an answer.
    pub fn armed(&self, now: Instant) -> bool {
        now.duration_since(self.since) >= ARMED_AFTER
    }
}

/// A model request that is made again.
#[derive(Debug)]
pub struct Retry {
    /// Which try failed.
    pub attempt: u32,
    /// How many more there are at most.
    pub of: u32,
    /// When it is made again.
    pub due: Instant,
    /// What went wrong.
    pub why: String,
}

/// Everything that is shown.
#[derive(Debug)]
pub struct Talk {
    /// How much may be done without asking.
    pub permission: Permission,
    /// The model, as it calls itself once it answered.
    pub model: String,
    /// The runtime takes prompts.
    pub ready: bool,
    /// The conversation.
    pub log: Vec<Entry>,
    /// Pieces of it that are drawn already.
    pub drawn: usize,
    /// The line of the answer that is being written.
    pub partial: String,
    answering: bool,
    fenced: bool,
    /// The newest line of the reasoning.
    pub thinking: String,
    /// Since when a turn runs.
    pub turn: Option<Instant>,
    /// It was interrupted and has not ended yet.
    pub stopping: bool,
    /// Calls that wait.
    pub calls: VecDeque<Call>,
    /// The call that runs.
    pub running: Option<Running>,
    /// The call that is asked about.
    pub asking: Option<Asking>,
    /// What was agreed to.
    pub agreed: Agreed,
    /// The request that is made again.
    pub retry: Option<Retry>,
    /// Prompts that wait for the end of the turn.
    pub queue: VecDeque<String>,
    /// Tokens read and written.
    pub tokens: (u64, u64),
    /// Why the last turn failed.
    pub failed: Option<String>,
}

impl Talk {
    /// Before anything was said.
    pub fn new(permission: Permission, model: String) -> Self {
        Self {
            permission,
            model,
            ready: false,
            log: Vec::new(),
            drawn: 0,
            partial: String::new(),
            answering: false,
            fenced: false,
            thinking: String::new(),
            turn: None,
            stopping: false,
            calls: VecDeque::new(),
            running: None,
            asking: None,
            agreed: Agreed::default(),
            retry: None,
            queue: VecDeque::new(),
            tokens: (0, 0),
            failed: None,
        }
    }

    /// Adds a piece behind whatever of an answer stands there.
    pub fn add(&mut self, entry: Entry) {
        self.settle();
        self.log.push(entry);
        self.bound();
    }

    fn bound(&mut self) {
        let surplus = self.log.len().saturating_sub(MAX_LOG).min(self.drawn);
        self.log.drain(..surplus);
        self.drawn -= surplus;
    }

    /// What was said in a session that is resumed.
    pub fn recall(&mut self, conversation: &Conversation) {
        let earlier = conversation.turns.len().saturating_sub(SHOWN_AGAIN);
        let mut open: VecDeque<Intent> = VecDeque::new();
        for turn in &conversation.turns[earlier..] {
            match turn.role {
                Role::User => self.add(Entry::Person(turn.text.clone())),
                Role::Assistant => {
                    self.answer(&turn.text);
                    self.settle();
                }
                Role::Tool => {
                    let call =
                        turn.text.split_once(": ").and_then(|(name, given)| Intent::read(name, given).ok());
                    match (call, open.is_empty()) {
                        (Some(intent), _) => open.push_back(intent),
                        (None, true) => {}
                        (None, false) => open.pop_front().into_iter().for_each(|i| self.told(i, &turn.text)),
                    }
                }
            }
        }
        let before = if earlier > 0 { format!(", {earlier} steps before these") } else { String::new() };
        self.add(Entry::Note(format!("the session goes on{before}")));
    }

    /// What a call came to, as the model was told it.
    fn told(&mut self, intent: Intent, output: &str) {
        let (remark, shown) = match (&intent, output.split_once('\n')) {
            (Intent::Shell { .. }, Some((remark, shown))) => (remark, shown),
            (Intent::Read { .. } | Intent::List { .. }, _) => ("", ""),
            _ => ("", output),
        };
        let well = !matches!(intent, Intent::Shell { .. }) || remark.starts_with("exit 0");
        let (remark, shown) = (remark.split(',').next().unwrap_or_default().to_owned(), shown.to_owned());
        self.done(intent, Outcome { output: String::new(), remark, shown, well });
    }

    /// A prompt goes to the runtime.
    pub fn asked(&mut self, text: &str, now: Instant) {
        self.add(Entry::Person(text.to_owned()));
        self.turn = Some(now);
        self.failed = None;
    }

    /// The runtime said something. Calls of tools are the caller's.
    pub fn hear(&mut self, heard: Heard, now: Instant) {
        match heard {
            Heard::Ready { .. } => self.ready = true,
            Heard::Turn => {
                self.turn.get_or_insert(now);
            }
            Heard::Model { name } => {
                self.retry = None;
                self.thinking.clear();
                if !name.is_empty() {
                    self.model = name;
                }
            }
            Heard::Text { text } => {
                self.thinking.clear();
                self.answer(&text);
            }
            Heard::Reasoning { text } => {
                self.thinking.push_str(&text);
                if let Some(at) = self.thinking.trim_end().rfind('\n') {
                    self.thinking.drain(..=at);
                }
            }
            Heard::Said { text } => {
                // One that came in pieces stands there already.
                if !self.answering && self.partial.is_empty() {
                    self.answer(&text);
                }
                self.settle();
            }
            Heard::Retrying { attempt, of, delay, why, .. } => {
                self.add(Entry::Note(format!("try {attempt} of {} failed: {why}", of + 1)));
                let delay = Duration::try_from_secs_f64(delay).unwrap_or_default();
                self.retry = Some(Retry { attempt, of, due: now + delay, why });
            }
            Heard::Usage { input, output } => {
                self.tokens.0 += input;
                self.tokens.1 += output;
            }
            Heard::Ended { how, why } => self.ended(how, why),
            Heard::ToolCall { .. } | Heard::Fatal { .. } | Heard::Unknown => {}
        }
    }

    fn ended(&mut self, how: How, why: Option<String>) {
        self.settle();
        self.turn = None;
        self.stopping = false;
        self.retry = None;
        self.thinking.clear();
        self.calls.clear();
        self.asking = None;
        match how {
            How::Done => {}
            // A tool that was stopped says so itself.
            How::Interrupted if matches!(self.log.last(), Some(Entry::Tool { .. })) => {}
            How::Interrupted => self.add(Entry::Note("interrupted".into())),
            How::Failed => {
                let why = why.unwrap_or_else(|| "the turn failed".into());
                self.add(Entry::Wrong(format!("{why} · the prompt is kept: Up calls it back")));
                self.failed = Some(why);
            }
        }
    }

    /// A piece of an answer: its complete lines are settled.
    fn answer(&mut self, text: &str) {
        for part in text.split_inclusive('\n') {
            self.partial.push_str(part.trim_end_matches('\n'));
            if part.ends_with('\n') {
                self.line();
            }
        }
    }

    fn line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        if !self.answering && line.trim().is_empty() {
            return;
        }
        let fence = line.trim_start().starts_with("```");
        let entry = Entry::Answer { first: !self.answering, line, code: self.fenced || fence };
        if fence {
            self.fenced = !self.fenced;
        }
        self.answering = true;
        self.log.push(entry);
        self.bound();
    }

    /// The line being written, as it would be settled.
    pub fn unsettled(&self) -> Option<Entry> {
        let code = self.fenced || self.partial.trim_start().starts_with("```");
        let entry = Entry::Answer { first: !self.answering, line: self.partial.clone(), code };
        (!self.partial.trim().is_empty()).then_some(entry)
    }

    /// The answer is complete.
    fn settle(&mut self) {
        if !self.partial.trim().is_empty() {
            self.line();
        }
        self.partial.clear();
        self.answering = false;
        self.fenced = false;
    }

    /// A running command said something.
    pub fn output(&mut self, bytes: &[u8]) {
        let Some(running) = &mut self.running else { return };
        running.tail.push_str(&String::from_utf8_lossy(bytes));
        let surplus = running.tail.len().saturating_sub(MAX_TAIL);
        let cut = (surplus..running.tail.len()).find(|at| running.tail.is_char_boundary(*at)).unwrap_or(0);
        running.tail.drain(..cut);
    }

    /// A call is over.
    pub fn done(&mut self, intent: Intent, outcome: Outcome) {
        self.add(Entry::Tool { intent, outcome, whole: false });
    }

    /// The newest tool, to be shown whole.
    pub fn newest_tool(&self) -> Option<Entry> {
        let tool = self.log.iter().rev().find(|entry| matches!(entry, Entry::Tool { .. }))?.clone();
        match tool {
            Entry::Tool { intent, outcome, .. } => Some(Entry::Tool { intent, outcome, whole: true }),
            other => Some(other),
        }
    }

    /// The state as it is told to whoever watches the pane: its word, and what there is to say about it.
    pub fn state(&self) -> (&'static str, String) {
        if let Some(asking) = &self.asking {
            let intent = &asking.call.intent;
            return ("blocked", format!("{} {}?", intent.verb(), first_line(intent.subject())));
        }
        if let Some(retry) = &self.retry {
            return (
                "retrying",
                format!("try {} of {} failed: {}", retry.attempt, retry.of + 1, first_line(&retry.why)),
            );
        }
        if let Some(running) = &self.running {
            let intent = &running.call.intent;
            return ("working", format!("{} {}", intent.verb(), first_line(intent.subject())));
        }
        match (&self.failed, self.turn) {
            (_, Some(_)) => ("working", "the model answers".into()),
            (Some(why), None) if limited(why) => ("limited", first_line(why)),
            (Some(why), None) => ("idle", StatusReport::failure_detail(&first_line(why))),
            (None, None) if self.ready => ("idle", "takes a prompt".into()),
            (None, None) => ("starting", "the runtime starts".into()),
        }
    }
}

/// Whether an upstream's refusal is about how much was used, not about this request.
fn limited(why: &str) -> bool {
    why.starts_with("429:")
}

fn first_line(text: &str) -> String {
    super::lines::fit(super::lines::plain(text).lines().next().unwrap_or_default(), 120)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk() -> Talk {
        let mut talk = Talk::new(Permission::Ask, "gpt-5.4".into());
        talk.hear(Heard::Ready { sdk: String::new(), python: String::new() }, Instant::now());
        talk
    }

    fn text(text: &str) -> Heard {
        Heard::Text { text: text.into() }
    }

    #[test]
    fn an_answer_settles_line_by_line_and_once() {
        let (mut talk, now) = (talk(), Instant::now());
        talk.asked("go", now);
        for piece in ["Fir", "st\nsec", "ond\n```\ncode"] {
            talk.hear(text(piece), now);
        }
        assert_eq!(talk.partial, "code");
        assert_eq!(talk.unsettled(), Some(Entry::Answer { first: false, line: "code".into(), code: true }));
        talk.hear(Heard::Said { text: "First\nsecond\n```\ncode".into() }, now);
        let lines: Vec<(bool, &str, bool)> = talk
            .log
            .iter()
            .filter_map(|e| match e {
                Entry::Answer { first, line, code } => Some((*first, line.as_str(), *code)),
                _ => None,
            })
            .collect();
        let wanted =
            [(true, "First", false), (false, "second", false), (false, "```", true), (false, "code", true)];
        assert_eq!(lines, wanted);
        talk.hear(text("One lin"), now);
        talk.hear(text("e."), now);
        talk.hear(Heard::Said { text: "One line.".into() }, now);
        assert_eq!(
            talk.log.last(),
            Some(&Entry::Answer { first: true, line: "One line.".into(), code: false })
        );
        talk.hear(Heard::Said { text: "Whole.".into() }, now);
        assert_eq!(talk.log.last(), Some(&Entry::Answer { first: true, line: "Whole.".into(), code: false }));
    }

    #[test]
    fn the_state_follows_the_protocol() {
        let (mut talk, now) = (Talk::new(Permission::Ask, "m".into()), Instant::now());
        let mut states = vec![talk.state().0];
        talk.hear(Heard::Ready { sdk: String::new(), python: String::new() }, now);
        states.push(talk.state().0);
        talk.asked("go", now);
        states.push(talk.state().0);
        let why = "429: slow down\nplease".to_owned();
        talk.hear(
            Heard::Retrying { attempt: 1, of: 4, delay: 2.0, status: Some(429), why: why.clone() },
            now,
        );
        assert_eq!(talk.state(), ("retrying", "try 1 of 5 failed: 429: slow down".into()));
        talk.hear(Heard::Model { name: "m2".into() }, now);
        states.push(talk.state().0);
        let call = Call {
            id: "c".into(),
            intent: Intent::Read { path: "a".into(), from: 1, lines: 1 },
            target: "/a".into(),
            outside: true,
        };
        talk.asking = Some(Asking { call, preview: String::new(), since: now });
        assert_eq!(talk.state(), ("blocked", "read a?".into()));
        talk.hear(Heard::Ended { how: How::Failed, why: Some(why) }, now);
        states.push(talk.state().0);
        talk.asked("again", now);
        talk.hear(Heard::Ended { how: How::Done, why: None }, now);
        states.push(talk.state().0);
        assert_eq!(states, ["starting", "idle", "working", "working", "limited", "idle"]);
        assert_eq!(talk.model, "m2");
    }

    #[test]
    fn a_session_that_goes_on_looks_as_it_did() {
        let turn = |role, text: &str| crate::handoff::Turn { role, text: text.into() };
        let turns = vec![
            turn(Role::User, "count"),
            turn(Role::Tool, r#"shell: {"command": "ls"}"#),
            turn(Role::Tool, r#"list_files: {}"#),
            turn(Role::Tool, "exit 1, 0.0 s\nno: such"),
            turn(Role::Tool, "a\nb"),
            turn(Role::Assistant, "None."),
        ];
        let mut talk = talk();
        talk.recall(&Conversation { turns });
        let rows: Vec<String> =
            talk.log.iter().flat_map(|entry| entry.rows(60)).map(|row| row.to_string()).collect();
        let wanted = [
            "› count",
            "✗ run   ls · exit 1",
            "  │ no: such",
            "✓ list  .",
            "● None.",
            "· the session goes on",
        ];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn the_log_forgets_only_what_is_drawn() {
        let mut talk = talk();
        for n in 0..MAX_LOG + 10 {
            talk.add(Entry::Note(n.to_string()));
        }
        assert_eq!(talk.log.len(), MAX_LOG + 10);
        talk.drawn = talk.log.len();
        talk.add(Entry::Note("last".into()));
        assert_eq!((talk.log.len(), talk.drawn), (MAX_LOG, MAX_LOG - 1));
    }
}
