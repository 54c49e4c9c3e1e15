//! Owns the pictures of the changes view and of the list of an executor's own sessions.
use super::{
    paint::{Pen, Seg, centered, seg},
    syntax,
};
use crate::{
    config::Role,
    state::overlay::{Changes, NativeSessions},
};
use ratatui::layout::Rect;

/// Columns of the list beside the patch, and from which width on they stand beside each other.
const LIST: u16 = 44;
const BESIDE: u16 = 110;
/// Columns of the list of sessions.
const SESSIONS: u16 = 84;
/// Columns from which on the models of sessions have room beside their titles.
const MODELS: u16 = 60;

/// The look of a file's letter.
fn mark(what: char) -> Role {
    match what {
        'A' => Role::Ok,
        'D' => Role::Err,
        _ => Role::Warn,
    }
}

/// The look of a line of a patch.
fn patch_role(line: &str) -> Role {
    match line.as_bytes().first() {
        _ if line.starts_with("+++") || line.starts_with("---") || line.starts_with("diff ") => Role::Dim,
        Some(b'+') => Role::Ok,
        Some(b'-') => Role::Err,
        Some(b'@') => Role::Accent,
        Some(b' ') => Role::Text,
        _ => Role::Dim,
    }
}

/// Draws the changes view over the whole screen: the list, and the patch beside or below it.
pub(super) fn draw(pen: &mut Pen<'_>, changes: &Changes, area: Rect) {
    let title = [seg(format!("changes  {}", changes.head), Role::Text)];
    let mut hints: Vec<Seg<'_>> = Vec::new();
    let words =
        [("s", " stage  "), ("u", " unstage  "), ("c", " commit  "), ("x", " discard  "), ("esc", "")];
    for (key, meaning) in words {
        hints.extend([seg(key, Role::Accent), seg(meaning, Role::Dim)]);
    }
    let inner = pen.dialog(area, Role::BorderFocus, &title, &hints);
    if changes.files.is_empty() {
        pen.text(inner.x + 1, inner.y, inner.width, "nothing differs from HEAD", Role::Dim);
        return;
    }
    let beside = inner.width >= BESIDE;
    let rows = if beside { inner.height } else { (inner.height / 3).max(4).min(inner.height) };
    let width = if beside { LIST } else { inner.width };
    let warnings = u16::try_from(changes.warnings.len()).unwrap_or(0).min(rows / 3);
    for (y, warning) in (inner.y..inner.y + warnings).zip(&changes.warnings) {
        pen.segs(
            inner.x + 1,
            y,
            width.saturating_sub(2),
            &[seg("⚠ ", Role::Warn), seg(warning.as_str(), Role::Warn)],
        );
    }
    let list = Rect { y: inner.y + warnings, width, height: rows - warnings, ..inner };
    files(pen, changes, list);
    let patch = if beside {
        Rect { x: inner.x + width + 1, width: inner.width - width - 1, ..inner }
    } else {
        Rect { y: inner.y + rows, height: inner.height - rows, ..inner }
    };
    let Some(file) = changes.chosen() else { return };
    let by = if file.by.is_empty() { "since HEAD, by nobody's turn".to_owned() } else { file.by.clone() };
    pen.text(patch.x + 1, patch.y, patch.width.saturating_sub(2), &by, Role::Accent);
    let shown = file.patch.iter().skip(changes.scroll);
    for (y, line) in (patch.y + 1..patch.bottom()).zip(shown) {
        let line = line.replace('\t', "    ");
        let role = patch_role(&line);
        let code = matches!(role, Role::Ok | Role::Err | Role::Text);
        let pieces =
            if code { syntax::segs(&file.path, &line, role) } else { vec![seg(line.as_str(), role)] };
        pen.segs(patch.x + 1, y, patch.width.saturating_sub(2), &pieces);
    }
}

fn files(pen: &mut Pen<'_>, changes: &Changes, area: Rect) {
    let height = usize::from(area.height).max(1);
    let chosen = changes.selected.min(changes.files.len().saturating_sub(1));
    let first = (chosen + 1).saturating_sub(height);
    for (y, (at, file)) in (area.y..area.bottom()).zip(changes.files.iter().enumerate().skip(first)) {
        let left = [
            seg(if file.staged { "● " } else { "  " }, Role::Ok),
            seg(format!("{} ", file.what), mark(file.what)),
            seg(file.path.as_str(), Role::Text),
        ];
        let who: String =
            file.by.split(", ").filter_map(|by| by.split(' ').next()).fold(String::new(), |mut all, pane| {
                if !all.split(' ').any(|known| known == pane) {
                    all = format!("{all} {pane}").trim_start().to_owned();
                }
                all
            });
        pen.ends(area.x + 1, y, area.width.saturating_sub(2), &left, &[seg(who, Role::Dim)]);
        if at == chosen {
            pen.select(area.x, y, area.width);
        }
    }
    if changes.more > 0 && area.height > 0 {
        let text = format!("and {} more", changes.more);
        pen.text(area.x + 1, area.bottom() - 1, area.width.saturating_sub(2), &text, Role::Dim);
    }
}

/// Draws the sessions of an executor.
pub(super) fn native(pen: &mut Pen<'_>, list: &NativeSessions, area: Rect) {
    let rows = list.shown();
    let height = u16::try_from(rows.len().max(1)).unwrap_or(u16::MAX).saturating_add(3);
    let outer = centered(area, SESSIONS, height.min(area.height.saturating_sub(2)).max(5));
    let title = [seg(format!("{} sessions here", list.executor), Role::Text)];
    let mut hints = vec![seg("⏎", Role::Accent), seg(" resume  ", Role::Dim)];
    if list.executors.len() > 1 {
        hints.extend([seg("Tab", Role::Accent), seg(" other executor  ", Role::Dim)]);
    }
    hints.push(seg("esc", Role::Accent));
    let inner = pen.dialog(outer, Role::BorderFocus, &title, &hints);
    let last = inner.bottom().saturating_sub(1);
    let typed = if list.filter.is_empty() {
        seg("/ filter", Role::Dim)
    } else {
        seg(format!("/ {}▏", list.filter), Role::Text)
    };
    pen.segs(inner.x + 1, last, inner.width.saturating_sub(2), &[typed]);
    if rows.is_empty() {
        pen.text(inner.x + 1, inner.y, inner.width.saturating_sub(2), "none in this directory", Role::Dim);
        return;
    }
    let room = usize::from(last.saturating_sub(inner.y)).max(1);
    let chosen = list.selected.min(rows.len() - 1);
    let first = (chosen + 1).saturating_sub(room);
    for (y, (at, row)) in (inner.y..last).zip(rows.iter().enumerate().skip(first)) {
        let note = if row.note.is_empty() { String::new() } else { format!("{}  ", row.note) };
        let named = !row.model.is_empty() && inner.width >= MODELS;
        let model = if named { format!("{}  ", row.model) } else { String::new() };
        let right = [seg(note, Role::Accent), seg(model, Role::Dim), seg(row.age.as_str(), Role::Dim)];
        pen.ends(
            inner.x + 1,
            y,
            inner.width.saturating_sub(2),
            &[seg(row.title.as_str(), Role::Text)],
            &right,
        );
        if at == chosen {
            pen.select(inner.x, y, inner.width);
        }
    }
}
