//! Owns the picker: what could be started in a directory, how each would be paid, and whether it is ready.
use super::{
    Scene,
    paint::{Pen, Seg, centered, seg},
};
use crate::{
    config::Role,
    router::short_executor,
    state::{
        State,
        overlay::Picker,
        view::{PickerRow, payment, picker_rows},
    },
};
use ratatui::layout::Rect;
use std::path::Path;

/// Columns before every row: the margin and the mark.
const LEAD: u16 = 4;
/// Columns between two columns of the table.
const GAP: u16 = 2;
/// The picker is no wider than is comfortable to read.
const WIDTH: u16 = 90;

/// One row of the table, column by column.
struct Row<'a> {
    cells: [Seg<'a>; COLUMNS],
}

const COLUMNS: usize = 5;
const ORIGIN: usize = 2;
const READINESS: usize = 4;
/// Columns of the table by importance, the first one to give way first: origin, version, payment.
const GIVE_WAY: [usize; 3] = [ORIGIN, 1, 3];

/// Draws the picker over the whole area when the session is empty, else as a box over its panes.
pub(super) fn draw(pen: &mut Pen<'_>, scene: &Scene<'_>, picker: &Picker, area: Rect) {
    let rows = picker_rows(scene.state, &picker.list.filter);
    let mut table: Vec<_> = rows.iter().map(|row| table_row(row, true)).collect();
    let height = table.len() as u16 + 5;
    let empty = scene.state.focused_pane(scene.client).is_none();
    let inner = if empty {
        pen.clear(area);
        let width = area.width.min(WIDTH);
        Rect { y: area.y + u16::from(area.height > height), width, ..area }
    } else {
        let outer = centered(area, WIDTH + 2, height + 1);
        pen.dialog(outer, Role::BorderFocus, &[seg("start", Role::Text)], &[])
    };
    let bottom = inner.bottom().min(area.bottom());
    let header = header(scene.state, &picker.dir, scene.home);
    pen.segs(inner.x + 2, inner.y, inner.width.saturating_sub(3), &header);

    let first = inner.y + 2;
    let last = bottom.saturating_sub(2);
    let chosen = picker.list.selected.min(table.len().saturating_sub(1));
    let shown = usize::from(last.saturating_sub(first)).max(1);
    let from = chosen.saturating_sub(shown.saturating_sub(1));
    let mut widths = widths(pen, &table, inner.width.saturating_sub(LEAD));
    if widths[ORIGIN] == 0 {
        // The size of an install is said even where its column is not.
        table = rows.iter().map(|row| table_row(row, false)).collect();
        widths[READINESS] = inner.width.saturating_sub(LEAD + widths[0] + GAP).min(widths[READINESS].max(14));
    }
    for (y, (at, row)) in (first..last).zip(table.iter().enumerate().skip(from)) {
        let mut x = inner.x + LEAD;
        if at == chosen {
            pen.text(inner.x + 2, y, 2, "▸", Role::Accent);
        }
        for (cell, width) in row.cells.iter().zip(widths).filter(|(_, width)| *width > 0) {
            pen.segs(x, y, width, std::slice::from_ref(cell));
            x += width + GAP;
        }
        pen.row(inner.x + 2, y, inner.width.saturating_sub(3), at);
        if at == chosen {
            pen.select(inner.x + 2, y, inner.width.saturating_sub(3));
        }
    }
    if table.is_empty() {
        pen.text(inner.x + LEAD, first, inner.width.saturating_sub(LEAD), "nothing matches", Role::Dim);
    }
    let hint_row = (first + table.len().max(1) as u16 + 1).min(bottom.saturating_sub(1));
    let hints = hints(pen, &picker.list.filter, inner.width.saturating_sub(3));
    pen.segs(inner.x + 2, hint_row, inner.width.saturating_sub(3), &hints);
}

/// `~/shop  ·  git main, clean`
fn header(state: &State, dir: &Path, home: &Path) -> Vec<Seg<'static>> {
    let git = match state.git.get(dir) {
        Some(git) if git.repository && git.changed == 0 => format!("git {}, clean", git.branch),
        Some(git) if git.repository => format!("git {}, {} changed", git.branch, git.changed),
        Some(_) => "not a git repository".to_owned(),
        None => String::new(),
    };
    let mut line = vec![seg(short_path(dir, home), Role::Text)];
    if !git.is_empty() {
        line.push(seg(format!("  ·  {git}"), Role::Dim));
    }
    line
}

/// A path with the person's home as `~`.
pub(super) fn short_path(path: &Path, home: &Path) -> String {
    if home.as_os_str().is_empty() {
        return path.display().to_string();
    }
    match path.strip_prefix(home) {
        Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Ok(rest) => format!("~/{}", rest.display()),
        Err(_) => path.display().to_string(),
    }
}

fn table_row<'a>(row: &PickerRow<'a>, with_origin: bool) -> Row<'a> {
    let PickerRow::Executor(row) = row else {
        let empty = || seg("", Role::Dim);
        return Row { cells: [seg("shell", Role::Text), empty(), empty(), empty(), empty()] };
    };
    let missing = row.missing();
    let version = row.version.as_deref().unwrap_or("—");
    let origin = match row.install_mb.filter(|_| missing) {
        Some(mb) => format!("install {mb} MB"),
        None => row.origin.clone(),
    };
    let payment = row.route.as_ref().map_or_else(|_| "—".to_owned(), payment);
    // The size of an install already says that it is not there.
    let readiness = match (missing && row.readiness == "install", with_origin) {
        (true, true) => String::new(),
        (true, false) => origin.clone(),
        (false, _) => row.readiness.clone(),
    };
    let role = match (&row.route, missing) {
        (Ok(_), false) => Role::Ok,
        (Err(_), false) => Role::Warn,
        (_, true) => Role::Dim,
    };
    let name_role = if row.startable() { Role::of(&row.executor) } else { Role::Dim };
    Row {
        cells: [
            seg(short_executor(&row.executor), name_role),
            seg(version, Role::Dim),
            seg(origin, Role::Dim),
            seg(payment, Role::Text),
            seg(readiness, role),
        ],
    }
}

/// As wide as its longest cell each; where that is too much, whole columns give way.
fn widths(pen: &Pen<'_>, table: &[Row<'_>], room: u16) -> [u16; COLUMNS] {
    let mut widths = [0; COLUMNS];
    for row in table {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = pen.width(&cell.text).max(*width);
        }
    }
    let sum = |widths: &[u16; COLUMNS]| {
        let shown = widths.iter().filter(|width| **width > 0).count() as u16;
        widths.iter().sum::<u16>() + GAP * shown.saturating_sub(1)
    };
    for column in GIVE_WAY {
        if sum(&widths) > room {
            widths[column] = 0;
        }
    }
    let over = sum(&widths).saturating_sub(room);
    widths[READINESS] = widths[READINESS].saturating_sub(over);
    widths
}

fn hints(pen: &Pen<'_>, filter: &str, room: u16) -> Vec<Seg<'static>> {
    let typed = filter.strip_prefix('/').unwrap_or(filter);
    if !filter.is_empty() {
        return vec![
            seg("/ ", Role::Dim),
            seg(format!("{typed}▏"), Role::Text),
            seg("   ⏎ start   esc", Role::Dim),
        ];
    }
    let full = [
        ("⏎", " start"),
        ("s", " split with two"),
        ("i", " install"),
        ("r", " rehearse (no key, offline)"),
        ("?", " help"),
    ];
    let middle = [
        ("⏎", " start"),
        ("s", " split with two"),
        ("i", " install"),
        ("r", " rehearse (offline)"),
        ("?", " help"),
    ];
    let short = [("⏎", " start"), ("s", " two"), ("i", " install"), ("r", " rehearse")];
    let build = |words: &[(&'static str, &'static str)], gap: &'static str| {
        let mut line = Vec::new();
        for &(key, meaning) in words {
            if !line.is_empty() {
                line.push(seg(gap, Role::Dim));
            }
            line.extend([seg(key, Role::Accent), seg(meaning, Role::Dim)]);
        }
        line
    };
    let ways = [build(&full, "   "), build(&middle, "   ")];
    ways.into_iter().find(|line| pen.line_width(line) <= room).unwrap_or_else(|| build(&short, "  "))
}
