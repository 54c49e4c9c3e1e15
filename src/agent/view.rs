//! The part of the pane that still changes: the line being written, what runs, what is asked, the prompt, the status line.
use super::{
    card::{ACCENT, DIM, body, head},
    editor::Editor,
    intent::{Agreed, word},
    lines::{Row, cut, fit, wrap},
    talk::{Asking, Talk},
};
use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

/// Rows of what a question would change.
const PREVIEW_ROWS: usize = 12;
/// Rows that something running may take.
const LIVE_ROWS: usize = 5;

/// What the view needs beside the conversation.
pub struct Frame<'a> {
    /// The conversation.
    pub talk: &'a Talk,
    /// The prompt.
    pub editor: &'a Editor,
    /// Since when the place is claimed.
    pub claimed: Option<Duration>,
    /// A word to the person for a moment.
    pub hint: Option<&'a str>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Now.
    pub now: Instant,
}

impl Frame<'_> {
    /// The rows, never more than there are, and where the cursor stands in them.
    pub fn rows(&self) -> (Vec<Row>, (usize, usize)) {
        let (prompt, cursor) = self.prompt();
        let below = prompt.len() + 3;
        let room = self.height.saturating_sub(below);
        let mut rows = self.upper(room);
        // The newest of it is what matters; a question keeps its head and its answers.
        if rows.len() > room {
            rows.drain(..rows.len() - room);
        }
        if !rows.is_empty() && rows.len() < room {
            rows.insert(0, Line::default());
        }
        let rule = || Line::styled("─".repeat(self.width), DIM);
        rows.push(rule());
        let top = rows.len();
        rows.extend(prompt);
        rows.push(rule());
        rows.push(self.status());
        // In a pane of a few columns signs and indents alone may be wider than it.
        let rows = rows.into_iter().map(|row| cut(row, self.width)).collect();
        (rows, (top + cursor.0, cursor.1.min(self.width.saturating_sub(1))))
    }

    fn prompt(&self) -> (Vec<Row>, (usize, usize)) {
        let lead = 2.min(self.width.saturating_sub(1));
        let (rows, cursor) = self.editor.rows(u16::try_from(self.width - lead).unwrap_or(u16::MAX));
        let most = self.height.saturating_sub(3).max(1);
        let from = (cursor.0 + 1).saturating_sub(most);
        let empty = self.editor.is_empty();
        let mut out = Vec::new();
        for (index, row) in rows.into_iter().enumerate().skip(from).take(most) {
            let sign = if index == 0 { Span::styled("› ", ACCENT) } else { Span::raw("  ") };
            let mut spans = vec![sign];
            if empty {
                spans.push(Span::styled(fit("what shall be done?", self.width.saturating_sub(lead)), DIM));
            } else {
                spans.extend(row.spans);
            }
            out.push(Line::from(spans));
        }
        (out, (cursor.0 - from, cursor.1 + lead))
    }

    /// What stands above the prompt.
    fn upper(&self, room: usize) -> Vec<Row> {
        let talk = self.talk;
        let mut rows = Vec::new();
        if let Some(entry) = talk.unsettled() {
            rows.extend(entry.rows(self.width));
        }
        if let Some(asking) = &talk.asking {
            rows = self.question(asking, room);
        } else if let Some(running) = &talk.running {
            let seconds = self.now.duration_since(running.since).as_secs();
            let remark = if seconds > 0 { format!("{seconds} s") } else { String::new() };
            rows.extend(head(Span::styled("◌ ", ACCENT), &running.call.intent, &remark, self.width));
            let tail = body(&running.tail, true, true, self.width);
            rows.extend(tail[tail.len().saturating_sub(LIVE_ROWS)..].iter().cloned());
        } else if let Some(retry) = &talk.retry {
            let seconds = retry.due.saturating_duration_since(self.now).as_secs_f64().ceil();
            let when = if seconds > 0.0 { format!("in {seconds} s") } else { "now".into() };
            let text = format!("try {} of {} {when}", retry.attempt + 1, retry.of + 1);
            rows.push(Line::styled(fit(&format!("↻ {text}"), self.width), Style::new().fg(Color::Yellow)));
        } else if !talk.thinking.trim().is_empty() {
            let text = super::lines::plain(talk.thinking.trim());
            rows.push(Line::styled(
                fit(&format!("◌ {text}"), self.width),
                DIM.add_modifier(Modifier::ITALIC),
            ));
        }
        for text in &talk.queue {
            let line = text.lines().next().unwrap_or_default();
            rows.push(Line::styled(fit(&format!("› {line} (waits for the turn's end)"), self.width), DIM));
        }
        rows
    }

    /// The question whole, and as much as there is room for of what it is about.
    fn question(&self, asking: &Asking, room: usize) -> Vec<Row> {
        let intent = &asking.call.intent;
        let ink = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
        let mut rows = head(Span::styled("◆ ", ink), intent, "", self.width);
        if asking.call.outside {
            let text = format!("this is outside the workspace: {}", asking.call.target.display());
            rows.extend(wrap(&[Span::styled(text, ink)], self.width, &Span::raw("  "), &Span::raw("  ")));
        }
        let answers = self.answers(asking, ink);
        let preview = body(&asking.preview, true, false, self.width);
        let fits = room.saturating_sub(rows.len() + answers.len()).min(PREVIEW_ROWS);
        if preview.len() <= fits {
            rows.extend(preview);
        } else if fits > 0 {
            let more = preview.len() + 1 - fits;
            rows.extend(preview.into_iter().take(fits - 1));
            rows.push(Line::styled(format!("  │ … {more} more rows"), DIM));
        }
        rows.extend(answers);
        rows
    }

    /// What may be answered; free rows of the same number while it is not taken yet.
    fn answers(&self, asking: &Asking, ink: Style) -> Vec<Row> {
        let offer = Agreed::offer(&asking.call.intent, asking.call.outside);
        let mut answers = vec![("y", "yes")];
        answers.extend(offer.map(|offer| ("a", offer)));
        answers.extend([("n", "no"), ("Esc", "no, and stop")]);
        let wide: usize = answers.iter().map(|(key, meaning)| key.width() + meaning.width() + 4).sum();
        let lists: Vec<Vec<(&str, &str)>> = if wide < self.width {
            vec![answers]
        } else {
            answers.into_iter().map(|answer| vec![answer]).collect()
        };
        let row = |answers: &Vec<(&str, &str)>| {
            let mut row = Vec::new();
            for (key, meaning) in answers {
                row.push(Span::raw(if row.is_empty() { "  " } else { "   " }));
                row.push(Span::styled((*key).to_owned(), ink));
                row.push(Span::raw(format!(" {}", fit(meaning, self.width.saturating_sub(key.width() + 3)))));
            }
            Line::from(row)
        };
        if !self.editor.is_empty() {
            let text = "  Ctrl-C empties the prompt, then this takes an answer · Esc no, and stop";
            return vec![Line::styled(fit(text, self.width), DIM)];
        }
        let armed = asking.armed(self.now);
        lists.iter().map(|answers| if armed { row(answers) } else { Line::default() }).collect()
    }

    fn status(&self) -> Row {
        let talk = self.talk;
        if let Some(hint) = self.hint {
            return Line::styled(fit(&format!("  {hint}"), self.width), Style::new().fg(Color::Yellow));
        }
        let state = match (&talk.asking, talk.turn) {
            (Some(_), _) => "waits for you".to_owned(),
            (None, Some(_)) if talk.stopping => "stops".to_owned(),
            (None, Some(since)) => format!("works {} s, Esc stops", self.now.duration_since(since).as_secs()),
            (None, None) if talk.ready => "takes a prompt".to_owned(),
            (None, None) => "starts".to_owned(),
        };
        let place = match self.claimed {
            Some(since) if since.as_secs() >= 60 => format!("host, claimed {} min", since.as_secs() / 60),
            Some(_) => "host, claimed".to_owned(),
            None => "host, not used yet".to_owned(),
        };
        let mut parts = vec![talk.model.clone(), word(talk.permission).to_owned(), state, place];
        if talk.tokens != (0, 0) {
            parts.push(format!("{} in {} out", short(talk.tokens.0), short(talk.tokens.1)));
        }
        let mut text = String::from("  ");
        for (index, part) in parts.iter().enumerate() {
            let more = if index == 0 { part.clone() } else { format!(" · {part}") };
            if text.width() + more.width() > self.width && index > 0 {
                break;
            }
            text.push_str(&more);
        }
        Line::styled(fit(&text, self.width), DIM)
    }
}

fn short(tokens: u64) -> String {
    match tokens {
        0..1_000 => tokens.to_string(),
        1_000..1_000_000 => format!("{:.1}k", tokens as f64 / 1e3),
        _ => format!("{:.1}M", tokens as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::{
            intent::Intent,
            protocol::Heard,
            screen::columns,
            talk::{ARMED_AFTER, Call},
        },
        state::Permission,
    };

    fn shown(talk: &Talk, editor: &Editor, width: usize, height: usize, now: Instant) -> String {
        let frame = Frame { talk, editor, claimed: None, hint: None, width, height, now };
        let (rows, cursor) = frame.rows();
        assert!(rows.len() <= height && cursor.0 < rows.len() && cursor.1 < width, "{cursor:?} in {rows:?}");
        rows.iter().for_each(|row| assert!(columns(row) <= width, "{row:?} at {width}"));
        rows.iter().map(|row| row.to_string().trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    fn asking(now: Instant) -> Talk {
        let mut talk = Talk::new(Permission::Ask, "gpt-5.4".into());
        talk.hear(Heard::Ready { sdk: String::new(), python: String::new() }, now);
        talk.asked("go", now);
        let intent = Intent::Write { path: "src/cart.rs".into(), content: String::new() };
        let call = Call { id: "c".into(), intent, target: "/w/src/cart.rs".into(), outside: false };
        let preview = (0..40).map(|n| format!("+ line {n}\n")).collect();
        talk.asking = Some(Asking { call, preview, since: now });
        talk
    }

    #[test]
    fn a_question_shows_what_would_change_and_takes_answers_when_it_was_seen() {
        let now = Instant::now();
        let talk = asking(now);
        assert!(!shown(&talk, &Editor::default(), 80, 24, now).contains("y yes"));
        insta::assert_snapshot!(shown(&talk, &Editor::default(), 80, 24, now + ARMED_AFTER));
        insta::assert_snapshot!(shown(&talk, &Editor::default(), 40, 14, now + ARMED_AFTER));
    }

    #[test]
    fn nothing_is_ever_wider_or_higher_than_the_pane() {
        let now = Instant::now();
        let talk = asking(now);
        let mut editor = Editor::default();
        editor.paste("a prompt\nof several lines, one of which is long enough to be wrapped at every width");
        for (width, height) in [(2, 5), (10, 5), (20, 6), (40, 8), (80, 24), (200, 50)] {
            shown(&talk, &editor, width, height, now + ARMED_AFTER);
        }
    }

    #[test]
    fn an_idle_pane_is_a_prompt_and_a_line() {
        let now = Instant::now();
        let mut talk = Talk::new(Permission::Full, "gpt-5.4".into());
        talk.hear(Heard::Ready { sdk: String::new(), python: String::new() }, now);
        talk.hear(Heard::Usage { input: 12_345, output: 67 }, now);
        insta::assert_snapshot!(shown(&talk, &Editor::default(), 80, 24, now));
    }
}
