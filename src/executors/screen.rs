//! Reading the live bottom lines of a CLI's screen: what it asks, and whether a marker stands there.
//!
//! Must not know: any one CLI's words.
use crate::state::{Status, StatusReport, StatusSource};

/// A detail is one line of a status bar; more would be cut there anyway.
const MAX_DETAIL_CHARS: usize = 200;
/// A question shows its subject in the first lines of its box.
const MAX_SUBJECT_LINES: usize = 3;

/// A report with its authority.
pub(super) fn report(
    status: Status,
    source: StatusSource,
    detail: impl Into<String>,
) -> Option<StatusReport> {
    Some(StatusReport::new(status, source, clip(detail.into())))
}

fn clip(text: String) -> String {
    match text.char_indices().nth(MAX_DETAIL_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The last of the lines that contains any of the markers.
pub(super) fn line_with<'a>(bottom: &'a [String], markers: &[&str]) -> Option<&'a str> {
    bottom.iter().rev().find(|line| markers.iter().any(|m| line.contains(m))).map(|line| line.trim())
}

/// What a dialog asks: its question, and before it what it asks about. The subject is read upwards from the
/// question to the rule that opens the box, or to a blank line of plain text above it.
pub(super) fn question(bottom: &[String], markers: &[&str]) -> Option<String> {
    let at = bottom.iter().rposition(|line| markers.iter().any(|m| line.contains(m)))?;
    let mut subject = Vec::new();
    for line in bottom[..at].iter().rev() {
        let text = bare(line);
        if opens_box(line) {
            break;
        }
        if !text.is_empty() && !text.starts_with("Tip:") && !subject.contains(&text) {
            subject.push(text);
        }
    }
    subject.reverse();
    subject.truncate(MAX_SUBJECT_LINES);
    subject.push(bare(&bottom[at]));
    Some(clip(subject.join(" · ")))
}

/// What a dialog asks when its subject stands below the question, before the first choice.
pub(super) fn question_above(bottom: &[String], markers: &[&str]) -> Option<String> {
    let at = bottom.iter().rposition(|line| markers.iter().any(|m| line.contains(m)))?;
    let below = bottom[at + 1..].iter().map(|line| bare(line)).take_while(|line| !is_choice(line));
    let mut words = vec![bare(&bottom[at])];
    words.extend(below.filter(|line| !line.is_empty()).take(MAX_SUBJECT_LINES));
    Some(clip(words.join(" · ")))
}

/// `› 1. Yes` and its like.
fn is_choice(line: &str) -> bool {
    let text = line.trim_start_matches(['›', '❯', '●', ' ']);
    text.split_once('.')
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// A line's words without the box drawn around them.
fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || ('\u{2500}'..='\u{257f}').contains(&c))
}

/// A solid rule across the line opens a box; dashed ones divide it.
fn opens_box(line: &str) -> bool {
    let text = line.trim();
    text.chars().filter(|c| *c == '─').count() > 8
        && !text.starts_with(['│', '╰', '└'])
        && text.chars().all(|c| matches!(c, '─' | '╭' | '╮' | '┌' | '┐' | '▔'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_boxed_question_is_told_with_its_subject() {
        let screen = lines(
            "earlier talk\n╭──────────────────────╮\n│ ? Shell  ls > x      │\n│ ╭──────────────────╮ │\n│ │ ls > x           │ │\n\
             │ ╰──────────────────╯ │\n│ Allow execution of [Shell]? │\n│ ● 1. Allow once │",
        );
        let said = question(&screen, &["Allow execution of"]).unwrap();
        assert_eq!(said, "? Shell  ls > x · ls > x · Allow execution of [Shell]?");
        assert_eq!(question(&screen, &["no such words"]), None);
    }

    #[test]
    fn a_long_detail_is_cut_at_a_character() {
        let said = report(Status::Idle, StatusSource::Screen, "é".repeat(500)).unwrap().detail;
        assert_eq!(said.chars().count(), MAX_DETAIL_CHARS + 1);
    }
}
