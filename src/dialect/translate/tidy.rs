//! Brings a history into the order that every provider demands: turns alternate, and the results of a turn's calls
//! are the first thing after it, one for each, in the order of the calls.
use super::hub::{Call, Notes, Outcome, Part, Request, Role, Turn, text_part};
use std::collections::HashMap;

/// What stands for a result that a history does not have, because its turn was broken off.
const NO_RESULT: &str = "aborted";

/// Orders a request's turns.
pub(super) fn tidy(request: &mut Request, notes: &mut Notes) {
    let mut turns = merged(std::mem::take(&mut request.turns));
    part_ids(&mut turns);
    let mut results: HashMap<String, Outcome> = HashMap::new();
    let mut last_call: HashMap<String, usize> = HashMap::new();
    for (at, turn) in turns.iter().enumerate() {
        for part in &turn.parts {
            match part {
                // Said twice, the later one counts.
                Part::Result(result) => {
                    results.insert(result.id.clone(), result.clone());
                }
                Part::Call(call) => {
                    last_call.insert(call.id.clone(), at);
                }
                _ => {}
            }
        }
    }
    let mut ordered: Vec<Turn> = Vec::new();
    for (at, turn) in turns.into_iter().enumerate() {
        if turn.role == Role::Model {
            let (parts, calls) = model_turn(turn.parts, at, &last_call, notes);
            if parts.is_empty() {
                continue;
            }
            ordered.push(Turn { role: Role::Model, parts });
            let answers: Vec<Part> = calls
                .into_iter()
                .map(|(id, name)| {
                    let result = results.remove(&id).unwrap_or_else(|| {
                        notes.add("tool result", "missing in the history: the call is said to be aborted");
                        Outcome { id, parts: vec![text_part(NO_RESULT)], ..Outcome::default() }
                    });
                    Part::Result(Outcome { name, ..result })
                })
                .collect();
            if !answers.is_empty() {
                ordered.push(Turn { role: Role::User, parts: answers });
            }
            continue;
        }
        let mut parts = Vec::new();
        for part in turn.parts {
            match part {
                Part::Result(result) if last_call.contains_key(&result.id) => {}
                Part::Result(result) => {
                    notes.add("tool result", "its call is not in the history: sent as text");
                    parts.push(text_part(
                        "[The result of a tool call that is no longer in this conversation:]",
                    ));
                    parts.extend(result.parts);
                }
                part => parts.push(part),
            }
        }
        if !parts.is_empty() {
            ordered.push(Turn { role: turn.role, parts });
        }
    }
    request.turns = merged(ordered);
}

/// Gives a call whose id an earlier turn used already one of its own, and its results with it: some upstreams begin
/// counting anew in every answer.
fn part_ids(turns: &mut [Turn]) {
    let mut seen: HashMap<String, (usize, usize)> = HashMap::new();
    let alias = |id: &str, times: usize| if times < 2 { id.to_owned() } else { format!("{id}-{times}") };
    for (at, turn) in turns.iter_mut().enumerate() {
        for part in &mut turn.parts {
            match part {
                Part::Call(call) => {
                    let (times, last) = seen.entry(call.id.clone()).or_insert((1, at));
                    if *last != at {
                        *times += 1;
                        *last = at;
                    }
                    call.id = alias(&call.id, *times);
                }
                Part::Result(result) => {
                    let times = seen.get(&result.id).map_or(1, |(times, _)| *times);
                    result.id = alias(&result.id, times);
                }
                _ => {}
            }
        }
    }
}

/// A model's turn without what is empty or said again later, and its calls.
fn model_turn(
    parts: Vec<Part>,
    at: usize,
    last_call: &HashMap<String, usize>,
    notes: &mut Notes,
) -> (Vec<Part>, Vec<(String, String)>) {
    let mut calls: Vec<(String, String)> = Vec::new();
    let mut kept = Vec::new();
    for part in parts {
        if let Part::Call(Call { id, name, .. }) = &part {
            if last_call.get(id) != Some(&at) || calls.iter().any(|(known, _)| known == id) {
                notes.add("tool call", "its id occurs twice in the history: one is left out");
                continue;
            }
            calls.push((id.clone(), name.clone()));
        }
        kept.push(part);
    }
    (kept, calls)
}

/// Neighbouring turns of one role as one, without empty texts.
fn merged(turns: Vec<Turn>) -> Vec<Turn> {
    let mut merged: Vec<Turn> = Vec::new();
    for mut turn in turns {
        turn.parts.retain(|part| !matches!(part, Part::Text(text) if text.text.is_empty()));
        if turn.parts.is_empty() {
            continue;
        }
        match merged.last_mut() {
            Some(last) if last.role == turn.role => last.parts.extend(turn.parts),
            _ => merged.push(turn),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> Part {
        Part::Call(Call {
            id: id.into(),
            name: format!("tool_{id}"),
            arguments: "{}".into(),
            ..Call::default()
        })
    }

    fn result(id: &str, text: &str) -> Part {
        Part::Result(Outcome { id: id.into(), parts: vec![text_part(text)], ..Outcome::default() })
    }

    fn told(turns: Vec<(Role, Vec<Part>)>) -> (Vec<String>, usize) {
        let turns = turns.into_iter().map(|(role, parts)| Turn { role, parts }).collect();
        let mut request = Request { turns, ..Request::default() };
        let mut notes = Notes::default();
        tidy(&mut request, &mut notes);
        let word = |part: &Part| match part {
            Part::Text(text) => text.text.clone(),
            Part::Call(call) => format!("call {}", call.id),
            Part::Result(result) => {
                let Some(Part::Text(text)) = result.parts.first() else { return String::new() };
                format!("{} {} {}", result.id, result.name, text.text)
            }
            _ => String::new(),
        };
        let told = request
            .turns
            .iter()
            .map(|turn| {
                format!("{:?}: {}", turn.role, turn.parts.iter().map(word).collect::<Vec<_>>().join(" | "))
            })
            .collect();
        (told, notes.0.len())
    }

    #[test]
    fn results_follow_their_calls_in_order() {
        let (told, notes) = told(vec![
            (Role::User, vec![text_part("go")]),
            (Role::Model, vec![text_part("ok"), call("a")]),
            (Role::Model, vec![call("b"), text_part("")]),
            (Role::System, vec![text_part("mind")]),
            (Role::User, vec![result("b", "2"), text_part("more")]),
            (Role::User, vec![result("a", "1"), result("b", "3")]),
        ]);
        assert_eq!(
            told,
            [
                "User: go",
                "Model: ok | call a | call b",
                "User: a tool_a 1 | b tool_b 3",
                "System: mind",
                "User: more"
            ]
        );
        assert_eq!(notes, 0);
    }

    #[test]
    fn an_id_that_is_used_again_is_another_call() {
        let (told, _) = told(vec![
            (Role::Model, vec![call("a")]),
            (Role::User, vec![result("a", "1")]),
            (Role::Model, vec![call("a")]),
            (Role::User, vec![result("a", "2")]),
        ]);
        assert_eq!(told, ["Model: call a", "User: a tool_a 1", "Model: call a-2", "User: a-2 tool_a 2"]);
    }

    #[test]
    fn what_is_missing_is_said_and_what_is_lost_is_kept_as_text() {
        let (told, notes) = told(vec![
            (Role::User, vec![result("gone", "old"), text_part("go")]),
            (Role::Model, vec![call("a")]),
            (Role::User, vec![text_part("stop")]),
            (Role::Model, vec![call("b")]),
        ]);
        assert_eq!(told.len(), 5);
        assert!(told[0].ends_with("conversation:] | old | go"), "{told:?}");
        assert_eq!(told[2], "User: a tool_a aborted | stop");
        assert_eq!(told[4], "User: b tool_b aborted");
        assert_eq!(notes, 2);
    }
}
