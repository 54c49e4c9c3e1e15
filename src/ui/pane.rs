//! Owns what surrounds and covers a pane: border or title line, and the cards of a pane without a live process.
use super::{
    Scene,
    paint::{Pen, Seg, centered, seg},
    words::{self, Length},
};
use crate::{
    config::Role,
    state::{Client, ExitCard, Pane, view::wrap},
};
use ratatui::layout::Rect;

/// Draws the border of a pane with its title, or the title line when there are no borders.
pub(super) fn surround(pen: &mut Pen<'_>, scene: &Scene<'_>, client: &Client, pane: &Pane, at: Place) {
    let role = if at.focused { Role::BorderFocus } else { Role::Border };
    let room = if at.borders { at.outer.width.saturating_sub(4) } else { at.outer.width };
    let longest = if at.borders { Length::Full } else { Length::Short };
    let mut left = title(pane, at, true);
    let mut right = words::status_seg(pane, client, scene.now, longest);
    // In little room the status is told in fewer words, then the model goes: that it is a rehearsal must stay.
    for (length, model) in [(Length::Short, true), (Length::Shape, true), (Length::Shape, false)] {
        if pen.line_width(&left).saturating_add(pen.width(&right.text)).saturating_add(3) <= room {
            break;
        }
        left = title(pane, at, model);
        right = words::status_seg(pane, client, scene.now, length);
    }
    if !at.borders {
        pen.clear(Rect { height: 1.min(at.outer.height), ..at.outer });
        pen.ends(at.outer.x, at.outer.y, at.outer.width, &left, &[right]);
        return;
    }
    pen.border(at.outer, role);
    pen.on_border(at.outer, at.outer.y, &left, &[right]);
    if at.outer.height > 1
        && let Some(note) = note(pane)
    {
        pen.on_border(at.outer, at.outer.bottom() - 1, &[note], &[]);
    }
}

/// Where and how a pane is shown.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub outer: Rect,
    pub focused: bool,
    pub zoomed: bool,
    pub borders: bool,
    /// What is typed goes into every pane of the window.
    pub synchronized: bool,
}

fn title(pane: &Pane, at: Place, model: bool) -> Vec<Seg<'_>> {
    let own = if at.focused { Role::Text } else { Role::Dim };
    let mut title = vec![seg(format!("{} ", pane.id), own)];
    match &pane.harness {
        Some(harness) => {
            let executor = &harness.route.executor;
            title.push(seg(executor.as_str(), Role::of(executor)));
            if model {
                title.push(seg(format!(" · {}", words::shown_model(harness)), own));
            }
            if words::is_rehearsal(harness) {
                title.push(seg(" · ", own));
                title.push(seg("rehearsal", Role::Warn));
            }
        }
        None if pane.label.is_some() => {}
        None => title.push(seg(program(pane), own)),
    }
    if let Some(label) = &pane.label {
        if pane.harness.is_some() {
            title.push(seg(" · ", own));
        }
        title.push(seg(label.as_str(), own));
    }
    if let Some(progress) = pane.progress {
        title.push(seg(" · ", own));
        title.push(words::progress_seg(progress));
    }
    if pane.input_off {
        title.push(seg(" · no input", Role::Warn));
    } else if at.synchronized {
        title.push(seg(" · typing into all", Role::Warn));
    }
    if at.zoomed {
        title.push(seg(" · ", own));
        title.push(seg("zoomed", Role::Accent));
    }
    title
}

fn program(pane: &Pane) -> &str {
    let path = pane.argv.first().map_or("shell", String::as_str);
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path)
}

/// The newest remark about a live pane, for its bottom border; a card shows all of them.
fn note(pane: &Pane) -> Option<Seg<'static>> {
    let failed = pane.harness.as_ref().and_then(|harness| harness.switch.as_ref()?.failed.as_deref());
    if let Some(why) = failed {
        return Some(seg(format!("⇄ {why}"), Role::Err));
    }
    let has_card = pane.exit.is_some() || pane.refusal.is_some();
    pane.notes.last().filter(|_| !has_card).map(|note| seg(note.clone(), Role::Dim))
}

/// Draws the card of a pane whose process is gone or could not be started, over what it left on its screen.
pub(super) fn card(pen: &mut Pen<'_>, pane: &Pane, inner: Rect) {
    if inner.width == 0 || inner.height == 0 {
        return;
    }
    match (&pane.refusal, &pane.exit) {
        (None, None) => {}
        (None, Some(exit)) => exit_card(pen, pane, exit, inner),
        (Some(refusal), exit) => {
            let width = usize::from(inner.width.min(CARD_WIDTH).saturating_sub(4)).max(1);
            let mut lines = vec![seg(refusal.rule.clone().into_owned(), Role::Warn)];
            lines.extend(wrap(&refusal.reason, width).into_iter().map(|line| seg(line, Role::Text)));
            for remedy in &refusal.remedies {
                let mut mark = "› ";
                for line in wrap(remedy, width.saturating_sub(2)) {
                    lines.push(seg(format!("{mark}{line}"), Role::Accent));
                    mark = "  ";
                }
            }
            let keys = exit.as_ref().map(key_hints).unwrap_or_default();
            stand(pen, inner, seg("not possible", Role::Err), lines, keys, true);
        }
    }
}

/// A card is no wider than is comfortable to read.
const CARD_WIDTH: u16 = 72;

fn exit_card(pen: &mut Pen<'_>, pane: &Pane, exit: &ExitCard, inner: Rect) {
    let role = if exit.what == "exited 0" { Role::Ok } else { Role::Err };
    let width = usize::from(inner.width.min(CARD_WIDTH).saturating_sub(4)).max(1);
    // What happened stands in the border; behind a colon it says why, and that may be long.
    let (title, why) = match exit.what.split_once(": ") {
        Some((title, why)) if usize::from(pen.width(&exit.what)) > width => (title, why),
        _ => (exit.what.as_str(), ""),
    };
    let mut lines: Vec<_> = wrap(why, width).into_iter().map(|line| seg(line, Role::Text)).collect();
    lines.extend(pane.notes.iter().flat_map(|note| wrap(note, width)).map(|line| seg(line, Role::Dim)));
    stand(pen, inner, seg(title.to_owned(), role), lines, key_hints(exit), false);
}

/// Key and meaning of every key, one piece each.
fn key_hints(exit: &ExitCard) -> Vec<String> {
    exit.keys.iter().map(|(key, meaning)| format!("{key} {meaning}")).collect()
}

/// Puts a card at the bottom of a pane (where the last words of its process stand just above), or in the middle of
/// an empty one. Where there is no room for a box it becomes lines.
fn stand<'a>(
    pen: &mut Pen<'_>,
    inner: Rect,
    title: Seg<'a>,
    mut lines: Vec<Seg<'a>>,
    keys: Vec<String>,
    middle: bool,
) {
    let boxed = inner.height >= 3 && inner.width >= 16;
    let frame = if boxed { 4 } else { 0 };
    let width = inner.width.min(CARD_WIDTH) - frame;
    let mut hints = Vec::new();
    let mut hint = String::new();
    for key in &keys {
        if !hint.is_empty() && pen.width(&hint) + pen.width(key) + 3 > width {
            hints.push(seg(std::mem::take(&mut hint), Role::Accent));
        }
        hint = if hint.is_empty() { key.clone() } else { format!("{hint}   {key}") };
    }
    if !hint.is_empty() {
        hints.push(seg(hint, Role::Accent));
    }
    // What gives way is the end of the words: what happened stands first, and the keys are the way on.
    let title_rows = if boxed { 2 } else { 1 };
    lines.truncate(usize::from(inner.height).saturating_sub(title_rows + hints.len()));
    lines.extend(hints);
    if !boxed {
        lines.insert(0, title);
        let top = inner.bottom() - lines.len().min(usize::from(inner.height)) as u16;
        for (y, line) in (top..inner.bottom()).zip(&lines) {
            pen.clear(Rect { y, height: 1, ..inner });
            pen.segs(inner.x, y, inner.width, std::slice::from_ref(line));
        }
        return;
    }
    let longest = lines.iter().map(|line| pen.width(&line.text)).max().unwrap_or(0);
    let columns = longest.max(pen.width(&title.text)).max(12).min(width) + frame;
    let rows = lines.len() as u16 + 2;
    let mut area = centered(inner, columns, rows);
    if !middle {
        area.y = inner.bottom() - area.height;
    }
    let inside = pen.dialog(area, title.role, &[title], &[]);
    for (y, line) in (inside.y..inside.bottom()).zip(&lines) {
        pen.segs(inside.x + 1, y, inside.width.saturating_sub(2), std::slice::from_ref(line));
    }
}
