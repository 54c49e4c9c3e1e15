//! What stands in the conversation for good, and how each piece of it is drawn.
use super::{
    intent::Intent,
    lines::{Row, fit, plain, wrap, wrap_text},
    tools::Outcome,
};
use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};

/// Rows of a command's output that a card shows.
const CARD_ROWS: usize = 6;
/// Rows of a command that a card shows.
const COMMAND_ROWS: usize = 4;
/// Rows of a prompt that stay in the conversation: a pasted log is known to who pasted it.
const PROMPT_ROWS: usize = 30;

/// Ink for what matters less.
pub const DIM: Style = Style::new().add_modifier(Modifier::DIM);
/// Ink of the harness.
pub const ACCENT: Style = Style::new().fg(Color::Cyan);

/// A piece of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// What the person asked.
    Person(String),
    /// A line of an answer.
    Answer {
        /// It begins the answer.
        first: bool,
        /// The line.
        line: String,
        /// It stands in a fenced block.
        code: bool,
    },
    /// A tool that was used, or was not.
    Tool {
        /// What it was to do.
        intent: Intent,
        /// What came of it.
        outcome: Outcome,
        /// All of it is shown.
        whole: bool,
    },
    /// What the person should know.
    Note(String),
    /// What went wrong.
    Wrong(String),
}

impl Entry {
    /// Whether a free row stands between this and what came before it.
    pub fn gap(&self, before: Option<&Self>) -> bool {
        let Some(before) = before else { return false };
        let goes_on = matches!(
            (self, before),
            (Self::Answer { first: false, .. }, _)
                | (Self::Tool { .. }, Self::Tool { .. })
                | (Self::Note(_), Self::Note(_))
        );
        !goes_on
    }

    /// Its rows.
    pub fn rows(&self, width: usize) -> Vec<Row> {
        match self {
            Self::Person(text) => person(text, width),
            Self::Answer { first, line, code } => {
                let lead = Span::styled(if *first { "● " } else { "  " }, ACCENT);
                wrap(&styled(line, *code), width, &lead, &Span::raw("  "))
            }
            Self::Tool { intent, outcome, whole } => tool(intent, outcome, *whole, width),
            Self::Note(text) => wrap_text(&plain(text), DIM, width, &Span::styled("· ", DIM)),
            Self::Wrong(text) => {
                let ink = Style::new().fg(Color::Red);
                wrap_text(&plain(text), ink, width, &Span::styled("! ", ink.add_modifier(Modifier::BOLD)))
            }
        }
    }
}

fn person(text: &str, width: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    if crate::handoff::is_handoff(text) {
        let note = format!("handoff · {} lines that tell what happened before", text.lines().count());
        rows.extend(wrap(&[Span::styled(note, DIM)], width, &Span::styled("› ", ACCENT), &Span::raw("  ")));
    }
    let typed = if rows.is_empty() { text.to_owned() } else { crate::handoff::typed(text) };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    for line in plain(typed.trim()).lines() {
        let lead = if rows.is_empty() { Span::styled("› ", ACCENT) } else { Span::raw("  ") };
        rows.extend(wrap(&[Span::styled(line.to_owned(), bold)], width, &lead, &Span::raw("  ")));
    }
    if rows.len() > PROMPT_ROWS {
        let more = rows.len() - PROMPT_ROWS;
        rows.truncate(PROMPT_ROWS);
        rows.push(Line::styled(format!("  … {more} more"), DIM));
    }
    rows
}

/// The first row of a card: its sign, what is done, and with what.
pub fn head(sign: Span<'static>, intent: &Intent, remark: &str, width: usize) -> Vec<Row> {
    let subject = plain(intent.subject());
    let mut rows: Vec<Row> = Vec::new();
    let lead = Span::raw("        ");
    for (index, line) in subject.lines().enumerate() {
        if index == 0 {
            let verb = Span::styled(format!("{:<6}", intent.verb()), ACCENT);
            rows.extend(wrap(
                &[sign.clone(), verb, Span::raw(line.to_owned())],
                width,
                &Span::raw(""),
                &lead,
            ));
        } else {
            rows.extend(wrap(&[Span::raw(line.to_owned())], width, &lead, &lead));
        }
    }
    if rows.len() > COMMAND_ROWS {
        let more = rows.len() - COMMAND_ROWS;
        rows.truncate(COMMAND_ROWS);
        rows.push(Line::styled(format!("        … {more} more"), DIM));
    }
    if let Some(last) = rows.last_mut()
        && !remark.is_empty()
    {
        let remark = format!(" · {remark}");
        let used = super::screen::columns(last);
        if used + remark.chars().count() <= width {
            last.spans.push(Span::styled(remark, DIM));
        } else {
            rows.push(Line::styled(fit(&format!("       {remark}"), width), DIM));
        }
    }
    rows
}

fn tool(intent: &Intent, outcome: &Outcome, whole: bool, width: usize) -> Vec<Row> {
    let sign = if outcome.well {
        Span::styled("✓ ", Style::new().fg(Color::Green))
    } else {
        Span::styled("✗ ", Style::new().fg(Color::Red))
    };
    let mut rows = head(sign, intent, &outcome.remark, width);
    rows.extend(body(&outcome.shown, whole, false, width));
    rows
}

/// What a tool gave, below its first row. `end`: the end of it matters, not the beginning.
pub fn body(text: &str, whole: bool, end: bool, width: usize) -> Vec<Row> {
    let text = plain(text);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let keep = if whole || lines.len() <= CARD_ROWS + 1 { lines.len() } else { CARD_ROWS };
    // What failed says so at its end.
    let from = if end { lines.len() - keep } else { 0 };
    let mut rows: Vec<Row> = Vec::new();
    let bar = || Span::styled("  │ ", DIM);
    for line in &lines[from..from + keep] {
        let ink = match line.get(..2) {
            Some("+ ") => Style::new().fg(Color::Green),
            Some("- ") => Style::new().fg(Color::Red),
            _ => DIM,
        };
        if whole {
            rows.extend(wrap(&[Span::styled((*line).to_owned(), ink)], width, &bar(), &bar()));
        } else {
            rows.push(Line::from(vec![bar(), Span::styled(fit(line, width.saturating_sub(4)), ink)]));
        }
    }
    if keep < lines.len() {
        let more = Line::styled(
            fit(&format!("  │ … {} more lines · Ctrl-O shows all", lines.len() - keep), width),
            DIM,
        );
        if end { rows.insert(0, more) } else { rows.push(more) }
    }
    rows
}

/// A line of an answer with the marks that models use: headings, code, weight.
fn styled(line: &str, code: bool) -> Vec<Span<'static>> {
    let line = plain(line);
    if code {
        return vec![Span::styled(line, ACCENT)];
    }
    if line.starts_with('#') {
        return vec![Span::styled(line, Style::new().add_modifier(Modifier::BOLD))];
    }
    let mut spans = Vec::new();
    let mut rest = line.as_str();
    while let Some(at) = rest.find(['`', '*']) {
        let mark = if rest[at..].starts_with("**") { "**" } else { &rest[at..=at] };
        let inner = &rest[at + mark.len()..];
        let found = inner.find(mark).filter(|end| *end > 0 && mark != "*");
        let Some(end) = found else {
            spans.push(Span::raw(rest[..at + mark.len()].to_owned()));
            rest = inner;
            continue;
        };
        let style = if mark == "`" { ACCENT } else { Style::new().add_modifier(Modifier::BOLD) };
        spans.push(Span::raw(rest[..at].to_owned()));
        spans.push(Span::styled(inner[..end].to_owned(), style));
        rest = &inner[end + mark.len()..];
    }
    spans.push(Span::raw(rest.to_owned()));
    spans.retain(|span| !span.content.is_empty());
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn text(rows: &[Row]) -> String {
        let row = |row: &Row| row.spans.iter().map(|s| s.content.as_ref()).collect::<String>();
        rows.iter().map(|r| row(r).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_card_names_the_command_and_shows_a_part() {
        let intent = Intent::Shell { command: "seq 20".into(), limit: Duration::from_secs(1) };
        let shown: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let outcome = Outcome { output: String::new(), remark: "exit 0".into(), shown, well: true };
        let card = |whole| Entry::Tool { intent: intent.clone(), outcome: outcome.clone(), whole };
        let part = text(&card(false).rows(40));
        assert!(part.starts_with("✓ run   seq 20 · exit 0\n  │ 1\n"), "{part}");
        assert!(part.ends_with("  │ 6\n  │ … 14 more lines · Ctrl-O shows all"), "{part}");
        assert!(text(&card(true).rows(40)).ends_with("│ 20"));
    }

    #[test]
    fn marks_become_styles() {
        let words =
            |line: &str| styled(line, false).iter().map(|s| s.content.to_string()).collect::<Vec<_>>();
        assert_eq!(words("use `ls` **now**, 2*3"), ["use ", "ls", " ", "now", ", 2*", "3"]);
        assert_eq!(words("a ` b"), ["a `", " b"]);
        assert_eq!(words("é**"), ["é**"]);
    }

    #[test]
    fn a_long_prompt_and_a_narrow_pane_keep_their_shape() {
        let long: String = (0..50).map(|n| format!("line {n}\n")).collect();
        assert!(text(&Entry::Person(long).rows(40)).ends_with("… 20 more"));
        for row in Entry::Wrong("a failure that is longer than the pane is wide".into()).rows(12) {
            assert!(super::super::screen::columns(&row) <= 12);
        }
    }
}
