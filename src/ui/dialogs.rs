//! Owns the dialogs: the previewed switch, a refusal with its remedies, a yes-or-no question.
use super::paint::{Pen, Seg, centered, seg};
use crate::{
    config::Role,
    state::{
        overlay::{Confirm, DIALOG_TEXT, Draft, PREVIEW_LINES, Printed, RefusalDialog, SwitchDialog, Trust},
        view::wrap,
    },
};
use ratatui::layout::Rect;

/// Columns of a dialog: its text, a space at each side, and the border.
const WIDTH: u16 = DIALOG_TEXT as u16 + 4;
/// Columns of the labels in the switch dialog.
const LABEL: u16 = 15;
/// Rows in which a handoff is changed at least.
const EDIT_ROWS: u16 = 10;

/// Draws the previewed switch.
pub(super) fn switch(pen: &mut Pen<'_>, dialog: &SwitchDialog, area: Rect) -> Option<(u16, u16)> {
    let width = WIDTH.min(area.width);
    let text = width.saturating_sub(4);
    let title = [seg(format!("switch {}", dialog.pane), Role::Text)];
    if let Some(draft) = &dialog.edit {
        let hints = [seg("esc", Role::Accent), seg(" keeps it and goes back", Role::Dim)];
        let title = [seg(format!("handoff to {}", dialog.to), Role::Text)];
        let outer = centered(area, width, EDIT_ROWS.max(area.height.saturating_sub(4)));
        let inner = pen.dialog(outer, Role::BorderFocus, &title, &hints);
        return written(pen, draft, inner);
    }
    if dialog.preview {
        preview(pen, dialog, area, width);
        return None;
    }
    let head =
        vec![seg(dialog.from.as_str(), Role::Dim), seg("  →  ", Role::Dim), seg(&*dialog.to, Role::Accent)];
    let how = vec![seg(dialog.how.as_str(), Role::Text)];
    let together = pen.line_width(&head) + pen.line_width(&how) + 2 <= text;
    let mut lines: Vec<(Vec<Seg<'_>>, Vec<Seg<'_>>)> = Vec::new();
    if together {
        lines.push((head, how));
    } else {
        lines.extend([(head, Vec::new()), (how, Vec::new())]);
    }
    for (label, words) in &dialog.lines {
        let hint = match label.as_str() {
            "handoff" => Some(match dialog.handoff_kind() {
                _ if dialog.edited => "e edit  u undo",
                "none" => "f full  b brief",
                "brief" => "e edit  f full",
                _ => "e edit  b brief",
            }),
            "agent" if !dialog.agents.is_empty() && !dialog.edited => Some("a next"),
            _ => None,
        };
        let hint_width = hint.map_or(0, |hint| hint.len() as u16 + 2);
        let room = text.saturating_sub(LABEL);
        let mut left = seg(label.as_str(), Role::Dim);
        for (at, line) in wrap(words, usize::from(room)).into_iter().enumerate() {
            let padding = " ".repeat(usize::from(LABEL.saturating_sub(pen.width(&left.text))));
            // The hint stands in the row of its label when the words leave room, else they would be cut.
            let fits = at == 0 && pen.width(&line) + hint_width <= room;
            let right = hint.filter(|_| fits).map(|hint| vec![seg(hint, Role::Accent)]).unwrap_or_default();
            lines.push((vec![left, seg(padding, Role::Text), seg(line, Role::Text)], right));
            left = seg("", Role::Dim);
        }
    }
    let full = [("⏎", "switch now"), ("d", "when done"), ("p", "preview"), ("esc", "")];
    let short = [("⏎", "switch"), ("d", "later"), ("p", "preview"), ("esc", "")];
    let hints = spread(pen, &[(&full, 5), (&full, 3), (&short, 3), (&short, 1)], text);
    let height = lines.len() as u16 + 4;
    let outer = centered(area, width, height);
    let inner = pen.dialog(outer, Role::BorderFocus, &title, &[]);
    let x = inner.x + 1;
    // Lines give way before the hints: without these nobody finds the way out.
    let last = inner.bottom().saturating_sub(1);
    for (y, (left, right)) in (inner.y..last).zip(&lines) {
        pen.ends(x, y, text, left, right);
    }
    let indent = text.saturating_sub(pen.line_width(&hints)) / 2;
    pen.segs(x + indent, last, text, &hints);
    None
}

/// Draws a text that is being written, a space at each side; returns where its cursor is.
pub(super) fn written(pen: &mut Pen<'_>, draft: &Draft, area: Rect) -> Option<(u16, u16)> {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    draft.draw(area.intersection(pen.canvas.area()), &mut pen.canvas.buffer)
}

/// Keys with their meanings, and the columns between them.
type Hints<'a> = (&'a [(&'static str, &'static str)], usize);

/// The first of these ways to write the keys that fits, else the last.
fn spread(pen: &Pen<'_>, ways: &[Hints<'_>], room: u16) -> Vec<Seg<'static>> {
    let mut line = Vec::new();
    for (hints, gap) in ways {
        line.clear();
        for (key, meaning) in *hints {
            if !line.is_empty() {
                line.push(seg(" ".repeat(*gap), Role::Dim));
            }
            line.push(seg(*key, Role::Accent));
            if !meaning.is_empty() {
                line.push(seg(format!(" {meaning}"), Role::Dim));
            }
        }
        if pen.line_width(&line) <= room {
            break;
        }
    }
    line
}

/// The handoff as it would be delivered.
fn preview(pen: &mut Pen<'_>, dialog: &SwitchDialog, area: Rect, width: u16) {
    let lines = dialog.preview_lines();
    let outer = centered(area, width, PREVIEW_LINES as u16 + 2);
    let visible = usize::from(outer.height.saturating_sub(2));
    let first = dialog.scroll.min(lines.len().saturating_sub(visible));
    let place = format!("{}-{} of {}", first + 1, (first + visible).min(lines.len()), lines.len());
    let title = [seg(format!("switch {} ", dialog.pane), Role::Text), seg("handoff", Role::Dim)];
    let hints = [seg(place, Role::Dim), seg("  ↑↓  p back  ⏎ switch now", Role::Dim)];
    let inner = pen.dialog(outer, Role::BorderFocus, &title, &hints);
    for (y, line) in (inner.y..inner.bottom()).zip(lines.iter().skip(first)) {
        pen.text(inner.x + 1, y, inner.width.saturating_sub(2), line, Role::Text);
    }
}

/// Draws a refusal: rule, reason, remedies with the number that runs each.
pub(super) fn refusal(pen: &mut Pen<'_>, dialog: &RefusalDialog, area: Rect) {
    let width = WIDTH.min(area.width);
    let text = usize::from(width.saturating_sub(4));
    let rule = seg(dialog.refusal.rule.as_ref(), Role::Warn);
    let mut lines: Vec<Vec<Seg<'_>>> = Vec::new();
    let one_line = pen.width(&rule.text) + 3 + pen.width(&dialog.refusal.reason) <= text as u16;
    if one_line {
        lines.push(vec![rule, seg("   ", Role::Text), seg(dialog.refusal.reason.as_str(), Role::Text)]);
    } else {
        lines.push(vec![rule]);
        lines.extend(wrap(&dialog.refusal.reason, text).into_iter().map(|line| vec![seg(line, Role::Text)]));
    }
    let mut hints = vec![seg("esc", Role::Dim)];
    for (at, remedy) in dialog.refusal.remedies.iter().enumerate() {
        let number = at + 1;
        let runs = dialog.command(number).is_some() && number < 10;
        if runs {
            hints.push(seg(format!("  {number}"), Role::Accent));
        }
        let mut mark = if runs { seg(format!("{number}  "), Role::Accent) } else { seg("·  ", Role::Dim) };
        for line in wrap(remedy, text.saturating_sub(3)) {
            lines.push(vec![mark, seg(line, Role::Text)]);
            mark = seg("   ", Role::Text);
        }
    }
    let title = [seg(format!("not possible: {}", dialog.title), Role::Err)];
    let outer = centered(area, width, lines.len() as u16 + 2);
    let inner = pen.dialog(outer, Role::Err, &title, &hints);
    for (y, line) in (inner.y..inner.bottom()).zip(&lines) {
        pen.segs(inner.x + 1, y, inner.width.saturating_sub(2), line);
    }
}

/// Draws a question.
pub(super) fn confirm(pen: &mut Pen<'_>, confirm: &Confirm, area: Rect) {
    let longest = WIDTH.min(area.width);
    let lines = wrap(&confirm.question, usize::from(longest.saturating_sub(4)));
    let text = lines.iter().map(|line| pen.width(line)).max().unwrap_or(0).max(12);
    let outer = centered(area, text + 4, lines.len() as u16 + 2);
    let hints =
        [seg("y", Role::Accent), seg(" yes  ", Role::Dim), seg("n", Role::Accent), seg(" no", Role::Dim)];
    let inner = pen.dialog(outer, Role::Warn, &[], &hints);
    for (y, line) in (inner.y..inner.bottom()).zip(&lines) {
        pen.text(inner.x + 1, y, inner.width.saturating_sub(2), line, Role::Text);
    }
}

/// Draws what a command printed, as wide as it is.
pub(super) fn printed(pen: &mut Pen<'_>, printed: &Printed, area: Rect) {
    let longest = printed.lines.iter().map(|line| pen.width(line)).max().unwrap_or(0);
    let rows = u16::try_from(printed.lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let title = [seg(printed.title.as_str(), Role::Text)];
    let width = longest.max(pen.width(&printed.title) + 2).saturating_add(4);
    let outer = centered(area, width.max(30), rows);
    let visible = usize::from(outer.height.saturating_sub(2));
    let first = printed.scroll.min(printed.lines.len().saturating_sub(visible));
    let mut hints = vec![seg("esc", Role::Dim)];
    if visible < printed.lines.len() {
        let to = first + visible;
        hints.insert(0, seg(format!("{}-{to} of {}  ↑↓  ", first + 1, printed.lines.len()), Role::Dim));
    }
    let inner = pen.dialog(outer, Role::BorderFocus, &title, &hints);
    for (y, line) in (inner.y..inner.bottom()).zip(printed.lines.iter().skip(first)) {
        pen.text(inner.x + 1, y, inner.width.saturating_sub(2), line, Role::Text);
    }
}

/// Draws the question whether a directory is trusted: what it would load, and the three answers.
pub(super) fn trust(pen: &mut Pen<'_>, trust: &Trust, area: Rect) {
    let width = WIDTH.min(area.width);
    let text = usize::from(width.saturating_sub(4));
    let mut lines: Vec<Vec<Seg<'_>>> = Vec::new();
    let mut say = |words: &str, role| {
        lines.extend(wrap(words, text).into_iter().map(|line| vec![seg(line, role)]));
    };
    say(&trust.dir.to_string_lossy(), Role::Accent);
    if trust.loads.is_empty() {
        say("It brings no hooks, MCP servers or skills of its own, only its instructions.", Role::Text);
    } else {
        say(&format!("{} would load from it, and hooks and servers run as you:", trust.executor), Role::Text);
        for line in &trust.loads {
            say(&format!("  {line}"), Role::Warn);
        }
    }
    let ways: [(&str, &str); 3] = [("t", "trust it"), ("h", "let the harness ask"), ("esc", "start nothing")];
    for (key, meaning) in ways {
        let mark = format!("{key:<4}");
        lines.push(vec![seg(mark, Role::Accent), seg(meaning, Role::Text)]);
    }
    let title = [seg(format!("trust this directory? {} is about to start", trust.executor), Role::Warn)];
    let outer = centered(area, width, lines.len() as u16 + 2);
    let inner = pen.dialog(outer, Role::Warn, &title, &[]);
    // The answers stay in sight when the list is longer than the screen.
    let room = usize::from(inner.height);
    let (said, answers) = lines.split_at(lines.len() - ways.len());
    let shown = said.iter().take(room.saturating_sub(answers.len())).chain(answers);
    for (y, line) in (inner.y..inner.bottom()).zip(shown) {
        pen.segs(inner.x + 1, y, inner.width.saturating_sub(2), line);
    }
}
