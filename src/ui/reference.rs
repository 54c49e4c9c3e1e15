//! Owns the key help (`prefix ?`) and the palette (`prefix :`): two views of the one command table.
use super::{
    Scene,
    paint::{Pen, centered, seg},
};
use crate::{
    config::Role,
    state::{
        overlay::{List, Palette},
        view::{palette_rows, reference_rows},
    },
};
use ratatui::layout::{Position, Rect};

/// Columns of both boxes.
const WIDTH: u16 = 78;
/// Columns of the commands in the key help.
const COMMAND_WIDTH: u16 = 26;
/// Most rows of matches under the palette's line.
const MATCHES: u16 = 10;

/// Draws the key help.
pub(super) fn keys(pen: &mut Pen<'_>, scene: &Scene<'_>, list: &List, area: Rect) {
    let rows = reference_rows(scene.reference.rows, &list.filter);
    let outer = centered(area, WIDTH, rows.len().max(1) as u16 + 2);
    let typed = list.filter.strip_prefix('/').unwrap_or(&list.filter);
    let hint = if typed.is_empty() { "/ filter".to_owned() } else { format!("/ {typed}▏") };
    let title = [seg("keys ", Role::Text), seg(format!("after {}", scene.reference.prefix), Role::Dim)];
    let hints = [seg(hint, Role::Text), seg("  ⏎ run  esc", Role::Dim)];
    let inner = pen.dialog(outer, Role::BorderFocus, &title, &hints);
    if rows.is_empty() {
        pen.text(inner.x + 1, inner.y, inner.width.saturating_sub(2), "nothing matches", Role::Dim);
    }
    let key_width = rows.iter().map(|row| pen.width(&row.keys)).max().unwrap_or(0).min(inner.width / 3);
    let (chosen, first) = window(list.selected, rows.len(), inner.height);
    for (y, (at, row)) in (inner.y..inner.bottom()).zip(rows.iter().enumerate().skip(first)) {
        let x = inner.x + 1;
        pen.text(x, y, key_width, &row.keys, Role::Accent);
        row_words(pen, x + key_width + 2, y, inner.right().saturating_sub(1), &row.command, &row.help);
        pen.row(inner.x, y, inner.width, at);
        if at == chosen {
            pen.select(inner.x, y, inner.width);
        }
    }
}

/// Command and help of a row; where there is no room for both, the help, which says what happens.
fn row_words(pen: &mut Pen<'_>, x: u16, y: u16, end: u16, command: &str, help: &str) {
    let room = end.saturating_sub(x);
    if room < COMMAND_WIDTH + 20 {
        pen.text(x, y, room, help, Role::Text);
        return;
    }
    pen.text(x, y, COMMAND_WIDTH, command, Role::Text);
    pen.text(x + COMMAND_WIDTH + 2, y, room - COMMAND_WIDTH - 2, help, Role::Dim);
}

/// The chosen row, and the first row shown so that it is in view.
pub(super) fn window(selected: usize, rows: usize, height: u16) -> (usize, usize) {
    let chosen = selected.min(rows.saturating_sub(1));
    let height = usize::from(height).max(1);
    (chosen, (chosen + 1).saturating_sub(height))
}

/// Draws the palette at the top of the area; returns where the text cursor stands.
pub(super) fn palette(
    pen: &mut Pen<'_>,
    scene: &Scene<'_>,
    palette: &Palette,
    area: Rect,
) -> Option<Position> {
    let rows = match palette.asks {
        Some(_) => Vec::new(),
        None => palette_rows(scene.reference.rows, &palette.input),
    };
    let width = WIDTH.min(area.width);
    let height = 3 + MATCHES.min(rows.len() as u16) + u16::from(palette.error.is_some());
    let x = area.x + (area.width - width) / 2;
    let outer = Rect { x, y: area.y, width, height: height.min(area.height) };
    let (title, hint) = match &palette.asks {
        Some((asked, _)) => (asked.as_str(), "⏎ run  esc"),
        None => ("command", "⏎ run  tab complete  esc"),
    };
    let hints = [seg(hint, Role::Dim)];
    let inner = pen.dialog(outer, Role::BorderFocus, &[seg(title, Role::Text)], &hints);
    if inner.height == 0 || inner.width < 4 {
        return None;
    }
    let room = inner.width - 4;
    pen.text(inner.x + 1, inner.y, 1, ":", Role::Accent);
    // The end of a long line is where one types.
    let mut shown = palette.input.as_str();
    while pen.width(shown) > room {
        let mut chars = shown.chars();
        chars.next();
        shown = chars.as_str();
    }
    let used = pen.text(inner.x + 3, inner.y, room, shown, Role::Text);
    let mut y = inner.y + 1;
    if let Some(error) = palette.error.as_deref().filter(|_| y < inner.bottom()) {
        pen.text(inner.x + 3, y, room, error, Role::Err);
        y += 1;
    }
    let (chosen, first) = window(palette.selected, rows.len(), inner.bottom().saturating_sub(y));
    for (y, (at, row)) in (y..inner.bottom()).zip(rows.iter().enumerate().skip(first)) {
        row_words(pen, inner.x + 3, y, inner.right().saturating_sub(1), &row.command, &row.help);
        pen.row(inner.x, y, inner.width, at);
        if at == chosen && !palette.input.contains(' ') {
            pen.text(inner.x + 1, y, 1, "▸", Role::Accent);
            pen.select(inner.x, y, inner.width);
        }
    }
    Some(Position { x: inner.x + 3 + used, y: inner.y })
}
