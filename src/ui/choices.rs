//! Owns lists of which one row is taken (sessions, buffers, menus) and the numbers over the panes.
use super::{
    Scene, geometry,
    paint::{Pen, centered, seg},
    reference::window,
};
use crate::{
    config::Role,
    state::overlay::{Choice, Numbers},
};
use ratatui::layout::Rect;

/// Columns of a list; a menu is as wide as its rows.
const WIDTH: u16 = 78;
/// Columns that the names of a list take at most.
const NAME_WIDTH: u16 = 40;
/// Columns by which what lies in something is set in.
const STEP: u16 = 2;

/// Draws a list of which one row is taken.
pub(super) fn choose(pen: &mut Pen<'_>, choice: &Choice, area: Rect) {
    let rows = choice.shown();
    let names = rows.iter().map(|row| pen.width(&row.name) + row.depth * STEP).max().unwrap_or(0);
    let details = rows.iter().map(|row| pen.width(&row.detail)).max().unwrap_or(0);
    let keys = rows.iter().filter_map(|row| row.key.as_deref()).map(|key| pen.width(key)).max().unwrap_or(0);
    let width = match choice.menu {
        true => (names + keys + 6).max(pen.width(&choice.title) + 6),
        false => WIDTH.max(names + 4),
    };
    let outer = centered(area, width, rows.len().max(1) as u16 + 2);
    let typed = choice.list.filter.strip_prefix('/').unwrap_or(&choice.list.filter);
    let hint = if typed.is_empty() { "/ filter".to_owned() } else { format!("/ {typed}▏") };
    let hints = match choice.menu {
        true => vec![seg("esc", Role::Dim)],
        false => vec![seg(hint, Role::Text), seg("  ⏎ choose  esc", Role::Dim)],
    };
    let inner = pen.dialog(outer, Role::BorderFocus, &[seg(choice.title.as_str(), Role::Text)], &hints);
    if rows.is_empty() {
        pen.text(inner.x + 1, inner.y, inner.width.saturating_sub(2), "nothing matches", Role::Dim);
    }
    let name_width = names.min(NAME_WIDTH).min(inner.width.saturating_sub(4));
    let (chosen, first) = window(choice.list.selected, rows.len(), inner.height);
    for (y, (at, row)) in (inner.y..inner.bottom()).zip(rows.iter().enumerate().skip(first)) {
        if row.command.is_empty() && row.name.is_empty() {
            pen.divider(Rect { height: 1, y, ..outer }, y, "", Role::Border);
            continue;
        }
        let x = inner.x + 2 + row.depth * STEP;
        let end = inner.right().saturating_sub(1);
        if row.current {
            pen.text(inner.x, y, 1, "▸", Role::Accent);
        }
        let role = if row.command.is_empty() { Role::Dim } else { Role::Text };
        let room =
            if details > 0 { name_width.saturating_sub(row.depth * STEP) } else { end.saturating_sub(x) };
        pen.text(x, y, room, &row.name, role);
        let detail = inner.x + 2 + name_width + 2;
        let role = if row.calls { Role::Warn } else { Role::Dim };
        pen.text(detail, y, end.saturating_sub(detail), &row.detail, role);
        if let Some(key) = &row.key {
            let wide = pen.width(key);
            pen.text(end.saturating_sub(wide), y, wide, key, Role::Accent);
        }
        pen.row(inner.x, y, inner.width, at);
        if at == chosen {
            pen.select(inner.x, y, inner.width);
        }
    }
}

/// The digits, five by five, as on a clock.
const DIGITS: [[&str; 5]; 10] = [
    ["###", "# #", "# #", "# #", "###"],
    ["  #", "  #", "  #", "  #", "  #"],
    ["###", "  #", "###", "#  ", "###"],
    ["###", "  #", "###", "  #", "###"],
    ["# #", "# #", "###", "  #", "  #"],
    ["###", "#  ", "###", "  #", "###"],
    ["###", "#  ", "###", "# #", "###"],
    ["###", "  #", "  #", "  #", "  #"],
    ["###", "# #", "###", "# #", "###"],
    ["###", "# #", "###", "  #", "###"],
];

/// Numbers the panes, in large where there is room.
pub(super) fn numbers(pen: &mut Pen<'_>, scene: &Scene<'_>, numbers: &Numbers, area: Rect) {
    let geometry = geometry(scene.state, scene.client);
    let focused = scene.state.focused_pane(scene.client);
    for (at, pane) in numbers.panes.iter().enumerate() {
        let Some(inner) = geometry.inner(*pane) else { continue };
        let inner = inner.intersection(area);
        let role = if focused == Some(*pane) { Role::Accent } else { Role::Warn };
        let text = (at + 1).to_string();
        // A stroke is two columns wide: cells are about twice as high as wide.
        let width = text.len() as u16 * 8;
        if inner.width < width || inner.height < 6 {
            let label = format!(" {text} {pane} ");
            let place = centered(inner, pen.width(&label), 1);
            pen.text(place.x, place.y, place.width, &label, role);
            continue;
        }
        let place = centered(inner, width, 5);
        for (nth, digit) in text.chars().filter_map(|c| c.to_digit(10)).enumerate() {
            for (row, strokes) in DIGITS[digit as usize].iter().enumerate() {
                for (column, stroke) in strokes.chars().enumerate() {
                    let (x, y) = (place.x + nth as u16 * 8 + column as u16 * 2, place.y + row as u16);
                    if stroke == '#' {
                        pen.text(x, y, 2, "  ", role);
                        pen.reverse(x, y, 2);
                    }
                }
            }
        }
        let size = scene.state.panes.get(pane).map_or((0, 0), |pane| pane.size);
        let label = format!("{pane} {}x{}", size.0, size.1);
        let wide = pen.width(&label).min(inner.width);
        pen.text(inner.right() - wide, inner.y, wide, &label, role);
    }
}
