//! Decides what is answered, before any dialect is spoken.
use super::{
    Rehearsal, Tally,
    directives::{Directive, directives},
    schema::instance,
    tools::{Call, Offered, forced, offered, shell},
    words,
};
use crate::{
    dialect::{Dialect, Newest, Said, estimate_tokens, newest_of, said},
    handoff::is_handoff,
};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Pieces that an answer is streamed in, unless it is slow: enough to be seen coming, few enough to be quick.
const PIECES: usize = 48;
/// A slow answer shows something at least this often, in milliseconds, as far as its text allows.
const SLOW_STEP_MS: u64 = 250;

/// What is done about a request.
#[derive(Debug, PartialEq)]
pub(super) enum Act {
    /// Refuse with this status.
    Fail(u16),
    /// Answer.
    Answer(Script),
}

/// An answer that every dialect can speak.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Script {
    /// Made from the request, so that ids differ from request to request.
    pub id: String,
    /// The text; may be empty when there is a call.
    pub text: String,
    /// How long the text takes altogether.
    pub slow_ms: u64,
    /// A tool call after the text.
    pub call: Option<Call>,
    /// Break off inside the text.
    pub cut: bool,
    /// Tokens of the request, estimated.
    pub input_tokens: usize,
    /// Tokens of the answer, estimated.
    pub output_tokens: usize,
}

impl Script {
    /// The text in the pieces that are streamed, each with the milliseconds to wait before it; of an answer that
    /// is cut only the first half.
    pub(super) fn pieces(&self) -> Vec<(u64, &str)> {
        let all = split(&self.text, self.slow_ms);
        let count = all.len() as u64;
        let shown = if self.cut { all.len().div_ceil(2) } else { all.len() };
        (0u64..)
            .zip(all)
            .take(shown)
            .map(|(i, piece)| (self.slow_ms * (i + 1) / count - self.slow_ms * i / count, piece))
            .collect()
    }
}

/// Cuts between words, or between characters where a slow text has too few words.
fn split(text: &str, slow_ms: u64) -> Vec<&str> {
    let wanted = if slow_ms == 0 { PIECES } else { (slow_ms / SLOW_STEP_MS).clamp(8, 4096) as usize };
    let mut ends: Vec<usize> = text
        .char_indices()
        .zip(text.chars().skip(1))
        .filter(|((_, here), next)| here.is_whitespace() && !next.is_whitespace())
        .map(|((i, here), _)| i + here.len_utf8())
        .collect();
    if slow_ms > 0 && ends.len() < 8 {
        ends = text.char_indices().map(|(i, c)| i + c.len_utf8()).collect();
    }
    let step = ends.len().div_ceil(wanted).max(1);
    let mut ends: Vec<usize> = ends.into_iter().step_by(step).filter(|end| *end < text.len()).collect();
    if !text.is_empty() {
        ends.push(text.len());
    }
    let mut from = 0;
    ends.into_iter().map(|end| &text[std::mem::replace(&mut from, end)..end]).collect()
}

/// An id made from a request: equal for the same request, different for the next one of a conversation.
pub(super) fn id_of(body: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    body.to_string().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Decides what a request for an answer gets.
pub(super) fn plan(request: &Rehearsal<'_>, tally: &mut Tally) -> Act {
    let body = request.body;
    let history = said(request.dialect, body);
    let tools = offered(request.dialect, body);
    let schema = wanted_schema(request.dialect, body);
    let title = words::title(&history);
    let mut script = Script { id: id_of(body), ..Script::default() };
    if let Some(call) = forced(request.dialect, body, &tools, &title) {
        script.call = Some(call);
    } else if tools.is_empty() || request.side {
        // Nobody typed into such a request, even where it quotes a prompt.
        script.text = match schema {
            Some(_) => title,
            None if request.side || words::asks_for_title(body) => title,
            None => words::plain(request.model, &history),
        };
    } else {
        match direct(request, &history, &tools, tally, &mut script) {
            Some(status) => return Act::Fail(status),
            None if script.text.is_empty() && script.call.is_none() => {
                script.text = words::plain(request.model, &history);
            }
            None => {}
        }
    }
    if let Some(schema) = schema.filter(|_| script.call.is_none()) {
        script.text = instance(schema, &script.text).to_string();
    }
    script.input_tokens = estimate_tokens(&body.to_string());
    let called = script.call.as_ref().map_or(0, |call| estimate_tokens(&call.input.to_string()));
    script.output_tokens = (estimate_tokens(&script.text) + called).max(1);
    Act::Answer(script)
}

/// Does what the newest prompt directs; returns a status to fail with.
///
/// The directives before a `run` belong to the reply that makes its call, those after it to the reply that reports
/// its result. So none acts twice, however often the harness asks.
fn direct(
    request: &Rehearsal<'_>,
    history: &[Said],
    tools: &[Offered],
    tally: &mut Tally,
    script: &mut Script,
) -> Option<u16> {
    let at = history.iter().rposition(|step| matches!(step, Said::Person(_)));
    let prompt = at.and_then(|at| match &history[at] {
        Said::Person(text) if !is_handoff(text) => Some((at, text.as_str())),
        _ => None,
    });
    let Some((at, prompt)) = prompt else {
        script.text = match newest_of(history) {
            Newest::Output => words::report(None, last_output(history)),
            Newest::Handoff => words::read_handoff(request.model, history),
            _ => String::new(),
        };
        return None;
    };
    let outputs = history[at..].iter().filter(|step| matches!(step, Said::Output(_))).count();
    let all = directives(prompt);
    let mut steps = all.split_inclusive(|d| d.command().is_some());
    let earlier: Vec<&[Directive]> = steps.by_ref().take(outputs).collect();
    let step = steps.next().unwrap_or_default();

    let mut said: Vec<String> = Vec::new();
    if outputs > 0 {
        let command = earlier.last().and_then(|step| step.last()?.command());
        let command = command.filter(|_| earlier.len() == outputs);
        said.push(words::report(command, last_output(history)));
    }
    let mut try_of = Try::new(history, prompt, outputs, step, tally);
    for directive in step {
        let outside = matches!(directive, Directive::Outside(_));
        match directive {
            Directive::Fail(status, times) if try_of.falls_on(*times) => return Some(*status),
            Directive::Cut(times) if try_of.falls_on(*times) => script.cut = true,
            Directive::Fail(..) | Directive::Cut(_) => {}
            Directive::Say(text) => said.push(text.clone()),
            Directive::Slow(ms) => script.slow_ms = script.slow_ms.saturating_add(*ms),
            Directive::Recall(word) => said.push(words::recall(word, &history[..at])),
            Directive::Unclear(mark) => said.push(words::unclear(mark)),
            Directive::Run(command) | Directive::Outside(command) => match shell(tools, command, outside) {
                Some(call) => {
                    if said.is_empty() {
                        said.push(words::about_to_run(command));
                    }
                    script.call = Some(call);
                }
                None => said.push(words::no_shell(command)),
            },
        }
    }
    if said.is_empty() && (script.cut || script.slow_ms > 0) {
        said.push(words::plain(request.model, history));
    }
    script.text = said.join("\n\n");
    None
}

fn last_output(history: &[Said]) -> &str {
    history
        .iter()
        .rev()
        .find_map(|step| match step {
            Said::Output(text) => Some(text.as_str()),
            _ => None,
        })
        .unwrap_or_default()
}

/// Which try of a prompt this is, and which mishap falls on it.
struct Try {
    before: u32,
    /// Tries that earlier mishaps of the same prompt have taken.
    taken: u32,
}

impl Try {
    fn new(history: &[Said], prompt: &str, outputs: usize, step: &[Directive], tally: &mut Tally) -> Self {
        let counts = step.iter().any(|d| matches!(d, Directive::Fail(..) | Directive::Cut(_)));
        // The same words typed again are another prompt: it comes later in the conversation.
        let number = history.iter().filter(|s| matches!(s, Said::Person(_))).count();
        let mut hasher = DefaultHasher::new();
        (number, prompt, outputs).hash(&mut hasher);
        Self { before: if counts { tally.tried(hasher.finish()) } else { 0 }, taken: 0 }
    }

    fn falls_on(&mut self, times: Option<u32>) -> bool {
        let from = self.taken;
        match times {
            None => {
                self.taken = u32::MAX;
                self.before >= from
            }
            Some(times) => {
                self.taken = from.saturating_add(times);
                (from..self.taken).contains(&self.before)
            }
        }
    }
}

/// The schema that the answer must satisfy, where one is asked for.
fn wanted_schema(dialect: Dialect, body: &Value) -> Option<&Value> {
    let found = match dialect {
        Dialect::Messages => match &body["output_config"]["format"]["schema"] {
            Value::Null => &body["output_format"]["schema"],
            schema => schema,
        },
        Dialect::Chat => &body["response_format"]["json_schema"]["schema"],
        Dialect::Responses => &body["text"]["format"]["schema"],
        Dialect::Gemini => {
            let config = &body["generationConfig"];
            ["responseJsonSchema", "responseSchema", "_responseJsonSchema"]
                .into_iter()
                .map(|key| &config[key])
                .find(|schema| schema.is_object())
                .unwrap_or(&Value::Null)
        }
    };
    found.is_object().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_add_up_to_text_and_time(text in "(\\PC|\n| ){0,300}", slow_ms in prop_oneof![Just(0u64), 1u64..60_000]) {
            let script = Script { text: text.clone(), slow_ms, ..Script::default() };
            let pieces = script.pieces();
            prop_assert_eq!(pieces.iter().map(|(_, piece)| *piece).collect::<String>(), text.clone());
            prop_assert!(pieces.iter().all(|(_, piece)| !piece.is_empty()));
            if !text.is_empty() {
                prop_assert_eq!(pieces.iter().map(|(ms, _)| ms).sum::<u64>(), slow_ms);
            }
            let cut = Script { cut: true, ..script.clone() };
            prop_assert!(cut.pieces().len() <= pieces.len().div_ceil(2));
        }
    }
}
