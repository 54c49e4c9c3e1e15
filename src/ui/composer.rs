//! Owns the composer's picture: the text, where it goes, what a name could become.
use super::{
    Scene,
    dialogs::written,
    paint::{Pen, Seg, seg},
};
use crate::{config::Role, state::overlay::Composer};
use ratatui::layout::Rect;

/// Columns of the composer where there is room for them: a line of prose.
const WIDTH: u16 = 90;
/// Rows of text at least and at most.
const ROWS: (u16, u16) = (4, 16);

/// Draws it at the bottom of the screen, where the harness's own prompt is; returns where its cursor is.
pub(super) fn draw(
    pen: &mut Pen<'_>,
    scene: &Scene<'_>,
    composer: &Composer,
    area: Rect,
) -> Option<(u16, u16)> {
    let width = WIDTH.min(area.width);
    let columns = usize::from(width.saturating_sub(4)).max(1);
    let text = composer.draft.text();
    let wrapped: usize = text.split('\n').map(|line| 1 + usize::from(pen.width(line)) / columns).sum();
    let rows = u16::try_from(wrapped).unwrap_or(u16::MAX).clamp(ROWS.0, ROWS.1);
    let height = rows.saturating_add(4).min(area.height);
    let outer = Rect { x: area.x + (area.width - width) / 2, y: area.bottom() - height, width, height };
    let title = [seg("prompt", Role::Text)];
    let hints = [
        ("⏎", " send  "),
        ("M-⏎", " line  "),
        ("Tab", " file, ;snippet  "),
        ("↑", " earlier  "),
        ("esc", " keeps it"),
    ];
    let mut keys: Vec<Seg<'_>> = Vec::new();
    for (key, meaning) in hints {
        keys.extend([seg(key, Role::Accent), seg(meaning, Role::Dim)]);
    }
    if pen.line_width(&keys) + 4 > width {
        keys = vec![seg("⏎", Role::Accent), seg(" send  ", Role::Dim), seg("esc", Role::Accent)];
    }
    let inner = pen.dialog(outer, Role::BorderFocus, &title, &keys);
    let last = inner.bottom().saturating_sub(1);
    let below = pick_line(pen, scene, composer);
    pen.segs(inner.x + 1, last, inner.width.saturating_sub(2), &below);
    let rest = Rect { height: inner.height.saturating_sub(1), ..inner };
    written(pen, &composer.draft, rest)
}

/// The row below the text: a failure, names to choose from, or the panes that it goes to.
fn pick_line<'a>(pen: &Pen<'_>, scene: &Scene<'_>, composer: &'a Composer) -> Vec<Seg<'a>> {
    if let Some(error) = &composer.error {
        return vec![seg(error.as_str(), Role::Err)];
    }
    if !composer.offered.is_empty() {
        let mut line = vec![seg("Tab  ", Role::Accent)];
        for (at, name) in composer.offered.iter().enumerate() {
            line.push(seg(format!("{name}  "), if at == 0 { Role::Text } else { Role::Dim }));
        }
        return line;
    }
    let mut line = vec![seg("to  ", Role::Dim)];
    let receivers = composer.receivers(scene.state);
    let several = receivers.len() > 1;
    for (at, receiver) in receivers.into_iter().enumerate() {
        let (mark, role) = if receiver.chosen {
            (if pen.utf8 { "●" } else { "x" }, Role::Accent)
        } else {
            ("○", Role::Dim)
        };
        let digit = if several { format!("{} ", at + 1) } else { String::new() };
        line.push(seg(format!("{digit}{mark} "), role));
        line.push(seg(receiver.name, if receiver.chosen { Role::Text } else { Role::Dim }));
        if !receiver.note.is_empty() {
            line.push(seg(format!(" {}", receiver.note), Role::Warn));
        }
        line.push(seg("   ", Role::Dim));
    }
    if several {
        line.push(seg("M-digit M-a", Role::Dim));
    }
    line
}
