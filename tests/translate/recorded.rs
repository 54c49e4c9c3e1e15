//! Every recorded stream of a directory through every direction, at random splits.
//!
//! `INSPAN_RECORDED_STREAMS=DIR cargo test --test translate -- --ignored --nocapture recorded`
use super::{
    directions::{ALL, Random, Way, bytes, translated},
    grammar::{Told, check},
    source::{self, Source},
};
use inspan::dialect::Dialect;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Splits that each direction is tried at.
const SPLITS: usize = 4;

/// Reads a recording: JSON values one after the other, or server-sent events; `None` if it is broken itself.
fn events(path: &Path) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(path).unwrap();
    let text = match path.extension().is_some_and(|ending| ending == "sse") {
        true => text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| *data != "[DONE]")
            .collect(),
        false => text,
    };
    serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().ok()
}

/// A recording may hold several answers, one after the other.
fn answers(events: Vec<Value>) -> Vec<Vec<Value>> {
    let mut answers = vec![Vec::new()];
    for event in events {
        let last =
            matches!(event["type"].as_str(), Some("message_stop" | "response.completed" | "response.failed"));
        answers.last_mut().unwrap().push(event);
        if last {
            answers.push(Vec::new());
        }
    }
    answers.retain(|answer| !answer.is_empty());
    answers
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "txt" || ending == "sse") {
            found.push(path);
        }
    }
}

/// White space between parts of a thought is each dialect's own.
fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

/// What differs between a source and what was told of it.
pub fn differs(source: &Source, told: &Told) -> Option<String> {
    if source.failed != told.failed {
        return Some(format!("failed: {} became {}", source.failed, told.failed));
    }
    if source.failed {
        return None;
    }
    if source.text != told.text {
        return Some(format!("text: {:?} became {:?}", source.text, told.text));
    }
    if dense(&source.thoughts) != dense(&told.thoughts) {
        return Some(format!("thoughts: {:?} became {:?}", source.thoughts, told.thoughts));
    }
    if source.calls != told.calls {
        return Some(format!("calls: {:?} became {:?}", source.calls, told.calls));
    }
    match source.tokens {
        Some(tokens) if tokens != told.tokens => Some(format!("tokens: {tokens:?} became {:?}", told.tokens)),
        _ => None,
    }
}

fn verdict(way: Way, raw: &[u8], whole: &[u8], said: &Source, random: &mut Random) -> Result<(), String> {
    let told = check(way.client, whole)?;
    differs(said, &told).map_or(Ok(()), Err)?;
    (0..SPLITS).try_for_each(|_| {
        let pieces = random.split(raw);
        (translated(way, &pieces, false) == whole).then_some(()).ok_or("a split changes it".to_owned())
    })
}

#[test]
#[ignore = "needs a directory of recorded streams"]
fn recorded_streams_pass_in_every_direction() {
    let directory =
        std::env::var_os("INSPAN_RECORDED_STREAMS").expect("INSPAN_RECORDED_STREAMS names a directory");
    let kept = std::env::var_os("INSPAN_TRANSLATED_STREAMS").map(PathBuf::from);
    let mut paths = Vec::new();
    files(Path::new(&directory), &mut paths);
    let mut random = Random(7);
    let mut tally: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    for path in paths {
        let Some(events) = events(&path) else {
            println!("{} is no JSON: passed over", path.display());
            continue;
        };
        let name = path.strip_prefix(&directory).unwrap().display().to_string();
        for (number, events) in answers(events).into_iter().enumerate() {
            let upstream = source::dialect(&events);
            let (raw, said) = (bytes(upstream, &events), source::read(upstream, &events));
            for client in ALL.into_iter().filter(|client| *client != upstream) {
                let way = Way { client, upstream };
                let whole = translated(way, &[&raw], false);
                let verdict = verdict(way, &raw, &whole, &said, &mut random);
                let (passed, all) = tally.entry(format!("{upstream} -> {client}")).or_default();
                *all += 1;
                match verdict {
                    Ok(()) => *passed += 1,
                    Err(why) => {
                        let why: String = why.chars().take(600).collect();
                        failures.push(format!("{name} #{number} -> {client}: {why}"));
                    }
                }
                if let Some(kept) = &kept {
                    let to = kept.join(format!("{}.{number}.{client}", name.replace('/', "__")));
                    std::fs::write(to, &whole).unwrap();
                }
            }
        }
    }
    for (way, (passed, all)) in &tally {
        println!("{way}: {passed} of {all}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(!tally.is_empty(), "no recordings in {}", Path::new(&directory).display());
}

#[test]
fn dialects_are_recognised() {
    for (first, dialect) in [
        (r#"{"type":"message_start"}"#, Dialect::Messages),
        (r#"{"type":"response.created"}"#, Dialect::Responses),
        (r#"{"candidates":[]}"#, Dialect::Gemini),
        (r#"{"choices":[]}"#, Dialect::Chat),
    ] {
        assert_eq!(source::dialect(&[serde_json::from_str(first).unwrap()]), dialect);
    }
}
