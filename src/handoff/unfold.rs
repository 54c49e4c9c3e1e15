//! A conversation as numbered exchanges; a handoff inside it is taken apart again, so that none is nested.
use super::{
    Conversation, Role,
    marker::{CLOSE, OPEN, Part, parts, unguard},
};

/// One request and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    /// Counted from one over every harness that took part.
    pub number: usize,
    /// The request, verbatim.
    pub request: String,
    /// Commands, results and remarks in their order.
    pub work: Vec<String>,
    /// What the model said last.
    pub answer: String,
}

/// The words after a fence that say what it holds.
pub(super) const REQUEST: &str = "request";
pub(super) const WORK: &str = "work";
pub(super) const ANSWER: &str = "answer";

/// Takes a conversation apart, oldest first. Requests that a handoff carries keep their numbers and appear once.
pub(super) fn unfold(conversation: &Conversation) -> Vec<Exchange> {
    let mut all: Vec<Exchange> = Vec::new();
    // After a handoff the model only says that it read it: that belongs to no request.
    let mut open = false;
    for turn in &conversation.turns {
        match turn.role {
            Role::User => {
                for part in parts(&turn.text) {
                    match part {
                        Part::Typed(text) => {
                            let number = all.last().map_or(1, |e| e.number + 1);
                            all.push(Exchange { number, request: text.to_owned(), ..Exchange::default() });
                            open = true;
                        }
                        Part::Handoff(text) => {
                            let newest = all.last().map_or(0, |e| e.number);
                            all.extend(read(text).into_iter().filter(|e| e.number > newest));
                            open = false;
                        }
                    }
                }
            }
            Role::Assistant if open => {
                if let Some(current) = all.last_mut() {
                    set_aside_answer(current);
                    current.answer = turn.text.clone();
                }
            }
            Role::Tool if open => {
                if let Some(current) = all.last_mut() {
                    set_aside_answer(current);
                    current.work.push(turn.text.clone());
                }
            }
            Role::Assistant | Role::Tool => {}
        }
    }
    all
}

/// How many requests a conversation knows of, those that a handoff carried included.
///
/// Keep it when a session is parked: it is the `since` of the handoff that the session gets when it is resumed.
pub fn requests_seen(conversation: &Conversation) -> usize {
    unfold(conversation).last().map_or(0, |e| e.number)
}

/// What was said before more work is a remark, not the answer.
fn set_aside_answer(exchange: &mut Exchange) {
    if !exchange.answer.is_empty() {
        exchange.work.push(std::mem::take(&mut exchange.answer));
    }
}

/// Reads the exchanges back out of a handoff.
fn read(handoff: &str) -> Vec<Exchange> {
    let mut all: Vec<Exchange> = Vec::new();
    let mut lines = handoff.split('\n').map(|line| line.trim_end_matches('\r'));
    while let Some(line) = lines.next() {
        let Some((fence, kind, number)) = opening(line) else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|l| *l != fence && *l != CLOSE).collect();
        let body = unguard(&body.join("\n"));
        if all.last().is_none_or(|e| e.number < number) {
            all.push(Exchange { number, ..Exchange::default() });
        }
        let Some(current) = all.iter_mut().rev().find(|e| e.number == number) else { continue };
        match kind {
            REQUEST => current.request = body,
            WORK => current.work = vec![body],
            _ => current.answer = body,
        }
    }
    all.retain(|e| !e.request.is_empty());
    all
}

/// A line such as "```request 3".
fn opening(line: &str) -> Option<(&str, &str, usize)> {
    let ticks = line.bytes().take_while(|b| *b == b'`').count();
    if ticks < 3 || line.starts_with(OPEN) {
        return None;
    }
    let (kind, number) = line[ticks..].split_once(' ')?;
    let known = [REQUEST, WORK, ANSWER].contains(&kind);
    Some((&line[..ticks], kind, number.parse().ok().filter(|_| known)?))
}

/// A fenced block that its content cannot end.
pub(super) fn fenced(kind: &str, number: usize, content: &str) -> String {
    let fence = "`".repeat(longest_run(content).max(2) + 1);
    format!("{fence}{kind} {number}\n{content}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::Turn;

    fn turn(role: Role, text: &str) -> Turn {
        Turn { role, text: text.to_owned() }
    }

    #[test]
    fn the_last_words_are_the_answer_and_earlier_ones_are_work() {
        let conversation = Conversation {
            turns: vec![
                turn(Role::User, "fix it"),
                turn(Role::Assistant, "I look."),
                turn(Role::Tool, "Bash: ls"),
                turn(Role::Tool, "a.rs"),
                turn(Role::Assistant, "Fixed."),
            ],
        };
        assert_eq!(
            unfold(&conversation),
            [Exchange {
                number: 1,
                request: "fix it".into(),
                work: vec!["I look.".into(), "Bash: ls".into(), "a.rs".into()],
                answer: "Fixed.".into()
            }]
        );
    }

    #[test]
    fn a_carried_request_keeps_its_number_and_appears_once() {
        let carried = format!(
            "{OPEN}\n{}{}{CLOSE}",
            fenced(REQUEST, 2, "second ``` with ticks"),
            fenced(ANSWER, 2, "done")
        );
        let conversation = Conversation {
            turns: vec![
                turn(Role::User, "first"),
                turn(Role::User, "second"),
                turn(Role::User, &carried),
                turn(Role::Assistant, "I read the handoff."),
                turn(Role::User, "third"),
            ],
        };
        let all = unfold(&conversation);
        assert_eq!(all.iter().map(|e| e.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(all[1].answer, "");
        assert_eq!(requests_seen(&conversation), 3);
        let fresh = Conversation { turns: conversation.turns[2..].to_vec() };
        let all = unfold(&fresh);
        assert_eq!(all.iter().map(|e| e.number).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(all[0].request, "second ``` with ticks");
        assert_eq!(all[0].answer, "done");
    }
}
