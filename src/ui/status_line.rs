//! Owns the status line: session, windows, who needs you, messages, git, spend, key hint, clock.
//!
//! As the width shrinks it drops whole parts, least important first, rather than cutting each.
use super::{
    Scene,
    paint::{Pen, Seg, seg},
    words::{dollars, progress_seg, resets_in, seen_status, status_look},
};
use crate::{
    config::Role,
    mux::{PaneId, WindowId},
    state::{Client, Guide, Hint, STEPS, Session, State, Status, Window},
};
use ratatui::layout::Rect;

/// Below this many columns parts stand close together, without strokes between them.
const COMPACT_BELOW: u16 = 50;
/// A question with fewer columns than this says too little; its keys stand alone then.
const QUESTION_WIDTH: u16 = 16;
/// One part of the line; parts are parted by a stroke.
type Part = Vec<Seg<'static>>;

/// Draws the status line.
pub(super) fn draw(pen: &mut Pen<'_>, scene: &Scene<'_>, client: &Client, area: Rect) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    pen.clear(area);
    let Some(session) = scene.state.sessions.get(&client.session) else {
        return clock_only(pen, scene, area);
    };
    let Parts { left, said, right, compact, .. } = parts(pen, scene, client, session, area);
    let mut line = join(left, compact);
    let tail: Vec<_> = join(right.into_iter().map(|(_, part)| part).collect(), compact);
    if let Some(said) = said {
        if !line.is_empty() {
            line.extend(separator(compact));
        }
        line.extend(said);
    }
    pen.ends(area.x + 1, area.y, area.width.saturating_sub(2), &line, &tail);
}

/// The window whose name stands in a column of the line.
pub(super) fn window_at(
    pen: &Pen<'_>,
    scene: &Scene<'_>,
    client: &Client,
    area: Rect,
    x: u16,
) -> Option<WindowId> {
    let session = scene.state.sessions.get(&client.session)?;
    let Parts { left, compact, windows, .. } = parts(pen, scene, client, session, area);
    let (at, which) = windows?;
    let before = left_width(pen, &left[..at], compact) + if at > 0 { gap(compact) } else { 0 };
    let mut from = area.x + 1 + before;
    for (at, id) in session.windows.iter().enumerate() {
        let Some(name) = window_name(scene.state, session, client, at, *id, which) else { continue };
        let to = from + pen.line_width(&name);
        if (from..to).contains(&x) {
            return Some(*id);
        }
        from = to + 1;
    }
    None
}

/// What the line is made of, in as much of it as fits.
struct Parts {
    left: Vec<Part>,
    said: Option<Part>,
    right: Vec<(Drop, Part)>,
    compact: bool,
    /// Where in `left` the windows stand, and how.
    windows: Option<(usize, Windows)>,
}

fn parts(pen: &Pen<'_>, scene: &Scene<'_>, client: &Client, session: &Session, area: Rect) -> Parts {
    let compact = area.width < COMPACT_BELOW;
    let said = said(pen, scene, client, session, area.width);
    let mut left = vec![vec![seg(session.name.clone(), Role::Accent)]];
    let mut windows_at = Some(left.len());
    let mut which = if compact { Windows::Active } else { Windows::All };
    left.push(windows(scene.state, session, client, which));
    left.extend(counters(scene, session, client));
    let mut right = Vec::new();
    right.extend(git(scene.state, session, compact).map(|part| (Drop::Git, part)));
    if scene.state.spend_today > 0.0 {
        right
            .push((Drop::Spend, vec![seg(format!("{} today", dollars(scene.state.spend_today)), Role::Dim)]));
    }
    right.push((Drop::Keys, keys(scene, client)));
    right.push((Drop::Clock, vec![seg(scene.clock.to_owned(), Role::Dim)]));
    if compact {
        right.retain(|(kind, _)| *kind == Drop::Git || (*kind == Drop::Keys && client.prefix));
    }

    let room = area.width.saturating_sub(2);
    let wanted = said.as_ref().map_or(0, |said| pen.line_width(said).saturating_add(gap(compact)));
    let fits = |left: &[Part], right: &[(Drop, Part)]| {
        let both = left_width(pen, left, compact) + right_width(pen, right, compact);
        both.saturating_add(wanted + 1) <= room
    };
    for dropped in [Drop::Spend, Drop::Clock, Drop::Keys] {
        let wanted_now = dropped == Drop::Keys && client.prefix;
        if !wanted_now && !fits(&left, &right) {
            right.retain(|(kind, _)| *kind != dropped);
        }
    }
    if let Some(at) = windows_at.filter(|_| !fits(&left, &right)) {
        which = Windows::Active;
        left[at] = windows(scene.state, session, client, which);
    }
    // What is said goes before everything else; without words the branch outlives the session's name.
    if !fits(&left, &right) && said.is_some() {
        right.clear();
    }
    while !fits(&left, &right) && left.len() > usize::from(said.is_none()) {
        left.remove(0);
        windows_at = windows_at.and_then(|at| at.checked_sub(1));
    }
    if !fits(&left, &right) {
        right.clear();
    }
    Parts { left, said, right, compact, windows: windows_at.map(|at| (at, which)) }
}

/// What can be dropped from the right end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drop {
    Git,
    Spend,
    Keys,
    Clock,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Windows {
    All,
    Active,
}

fn gap(compact: bool) -> u16 {
    if compact { 1 } else { 3 }
}

fn separator(compact: bool) -> Part {
    vec![if compact { seg(" ", Role::Dim) } else { seg(" │ ", Role::Border) }]
}

fn join(parts: Vec<Part>, compact: bool) -> Part {
    let mut line = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.extend(separator(compact));
        }
        line.extend(part);
    }
    line
}

fn left_width(pen: &Pen<'_>, parts: &[Part], compact: bool) -> u16 {
    let strokes = gap(compact).saturating_mul(parts.len().saturating_sub(1) as u16);
    parts.iter().fold(strokes, |sum, part| sum.saturating_add(pen.line_width(part)))
}

fn right_width(pen: &Pen<'_>, parts: &[(Drop, Part)], compact: bool) -> u16 {
    let strokes = gap(compact).saturating_mul(parts.len().saturating_sub(1) as u16);
    parts.iter().fold(strokes, |sum, (_, part)| sum.saturating_add(pen.line_width(part)))
}

fn clock_only(pen: &mut Pen<'_>, scene: &Scene<'_>, area: Rect) {
    let clock = [seg(scene.clock, Role::Dim)];
    pen.ends(area.x + 1, area.y, area.width.saturating_sub(2), &[], &clock);
}

/// `1 work* 2 logs`; in little room the active one by its number alone.
fn windows(state: &State, session: &Session, client: &Client, which: Windows) -> Part {
    let mut part = Part::new();
    for (at, id) in session.windows.iter().enumerate() {
        let Some(name) = window_name(state, session, client, at, *id, which) else { continue };
        if !part.is_empty() {
            part.push(seg(" ", Role::Dim));
        }
        part.extend(name);
    }
    part
}

/// One window as the line names it; `None` when it is not shown there.
fn window_name(
    state: &State,
    session: &Session,
    client: &Client,
    at: usize,
    id: WindowId,
    which: Windows,
) -> Option<Part> {
    let active = id == session.active;
    let window = state.windows.get(&id)?;
    if which == Windows::Active {
        return active.then(|| vec![seg((at + 1).to_string(), Role::Text)]);
    }
    let mark = if active { "*" } else { "" };
    let zoom = if window.zoomed { "Z" } else { "" };
    let role = if active { Role::Text } else { Role::Dim };
    let mut part = vec![seg(format!("{} {}{mark}{zoom}", at + 1, window.name), role)];
    if !active && panes(state, window).any(|pane| seen_status(pane, client) == Status::NeedsYou) {
        part.push(seg("◆", Role::Warn));
    }
    // The window in front shows it in its pane's border.
    if let Some(progress) = panes(state, window).filter(|_| !active).find_map(|pane| pane.progress) {
        part.push(seg(" ", role));
        part.push(progress_seg(progress));
    }
    Some(part)
}

fn panes<'a>(state: &'a State, window: &'a Window) -> impl Iterator<Item = &'a crate::state::Pane> {
    window.panes().into_iter().filter_map(|id| state.panes.get(&id))
}

/// `◆1 ●1`: how many harnesses of the session wait for the person, work, are done unseen, hit a limit.
fn counters(scene: &Scene<'_>, session: &Session, client: &Client) -> Option<Part> {
    const COUNTED: [Status; 4] = [Status::NeedsYou, Status::Working, Status::Done, Status::Limited];
    let mut counts = [0_usize; COUNTED.len()];
    let windows = session.windows.iter().filter_map(|id| scene.state.windows.get(id));
    let harnesses: Vec<_> =
        windows.flat_map(|window| panes(scene.state, window)).filter(|pane| pane.harness.is_some()).collect();
    for pane in &harnesses {
        let status = seen_status(pane, client);
        if let Some(at) = COUNTED.iter().position(|counted| *counted == status) {
            counts[at] += 1;
        }
    }
    let mut part = Part::new();
    for (status, count) in COUNTED.iter().zip(counts).filter(|(_, count)| *count > 0) {
        if !part.is_empty() {
            part.push(seg(" ", Role::Dim));
        }
        let (shape, _, role) = status_look(status);
        part.push(seg(format!("{shape}{count}"), role));
        // The limit that ends first says when work can go on.
        let first =
            harnesses.iter().filter(|pane| pane.status.until.is_some()).min_by_key(|p| p.status.until);
        let first = first.filter(|_| *status == Status::Limited);
        if let Some(left) = first.and_then(|pane| resets_in(pane, scene.now)) {
            part.push(seg(format!(" {left}"), Role::Dim));
        }
    }
    (!part.is_empty()).then_some(part)
}

/// `main +4`: branch and changed files.
fn git(state: &State, session: &Session, compact: bool) -> Option<Part> {
    let git = state.git.get(&session.workspace).filter(|git| git.repository)?;
    let mut part = vec![seg(git.branch.clone(), Role::Text)];
    if git.changed > 0 {
        let space = if compact { "" } else { " " };
        part.push(seg(format!("{space}+{}", git.changed), Role::Warn));
    }
    Some(part)
}

fn keys(scene: &Scene<'_>, client: &Client) -> Part {
    let prefix = scene.reference.prefix;
    if client.prefix {
        return vec![seg(format!("{prefix} …"), Role::Accent)];
    }
    vec![seg(format!("{prefix} ?"), Role::Text), seg(" keys", Role::Dim)]
}

/// What the focused harness asks, and the keys that answer it; in little room the keys alone, then the question alone.
fn question(pen: &Pen<'_>, scene: &Scene<'_>, client: &Client, width: u16) -> Option<Part> {
    let pane = scene.state.panes.get(&scene.state.focused_pane(client.id)?)?;
    let asked = pane.question.as_deref()?;
    let keys = scene.reference.answers().join(" · ");
    let room = width.saturating_mul(3) / 5;
    let left = room.saturating_sub(pen.width(&keys).saturating_add(6));
    let mut part = vec![seg("◆ ", Role::Warn)];
    if keys.is_empty() || left < QUESTION_WIDTH && pen.width(&keys) > room {
        part.push(seg(pen.fitted(asked, room), Role::Text));
        return Some(part);
    }
    if left >= QUESTION_WIDTH {
        part.push(seg(pen.fitted(asked, left), Role::Text));
        part.push(seg("  ", Role::Dim));
    }
    part.push(seg(keys, Role::Accent));
    Some(part)
}

/// What the middle says: a passing message, else the keys of a mode, else the guide's next step, else what the focused
/// harness asks, else a standing warning.
fn said(pen: &Pen<'_>, scene: &Scene<'_>, client: &Client, session: &Session, width: u16) -> Option<Part> {
    if let Some((message, until)) = &client.message
        && *until > scene.now
    {
        return Some(vec![seg(message.clone(), Role::Text)]);
    }
    if let Some(hint) = client.hint {
        return Some(vec![seg(hint, Role::Text)]);
    }
    if let Some(guide) = &session.guide {
        return Some(guide_part(pen, scene, client, guide, width));
    }
    if let Some(question) = question(pen, scene, client, width) {
        return Some(question);
    }
    let ours = |pane: &PaneId| session.windows.iter().any(|id| state_contains(scene.state, *id, *pane));
    if let Some((first, second, file)) = scene.state.same_files.iter().find(|(a, b, _)| ours(a) || ours(b)) {
        return Some(vec![seg(format!("⚠ {first} and {second} both write {file}"), Role::Warn)]);
    }
    scene.state.warning.as_ref().map(|warning| vec![seg(format!("⚠ {warning}"), Role::Warn)])
}

fn state_contains(state: &State, window: WindowId, pane: PaneId) -> bool {
    state.windows.get(&window).is_some_and(|window| window.contains(pane))
}

/// The steps with their ticks, then what to do next: by name where the line is long, else as marks alone.
fn guide_part(pen: &Pen<'_>, scene: &Scene<'_>, client: &Client, guide: &Guide, width: u16) -> Part {
    let hint = guide.hint(scene.state, client, scene.reference.prefix);
    let Some(next) = guide.next() else {
        let words = fitting(pen, &hint, width.saturating_sub(4));
        return vec![seg("✓ ", Role::Ok), seg(words, Role::Text)];
    };
    let marks = |names: bool| {
        let mut part = Part::new();
        for (at, name) in STEPS.iter().enumerate() {
            let (mark, role) = match (guide.ticked[at], at == next) {
                (true, _) => ("✓", Role::Ok),
                (false, true) => ("▸", Role::Accent),
                (false, false) => ("·", Role::Dim),
            };
            part.push(seg(mark, role));
            if names {
                part.push(seg(format!(" {name}  "), if at == next { Role::Text } else { Role::Dim }));
            }
        }
        part.push(seg(" ", Role::Dim));
        part
    };
    let mut part = marks(true);
    let words = seg(hint.long.clone(), Role::Text);
    if pen.line_width(&part).saturating_add(pen.width(&words.text)) <= width / 10 * 7 {
        part.push(seg("│ ", Role::Border));
        part.push(words);
        return part;
    }
    part = marks(false);
    let room = width.saturating_sub(2 + pen.line_width(&part));
    part.push(seg(fitting(pen, &hint, room), Role::Text));
    part
}

/// The long words of a hint where they fit.
fn fitting(pen: &Pen<'_>, hint: &Hint, room: u16) -> String {
    if pen.width(&hint.long) <= room { hint.long.clone() } else { hint.short.clone() }
}
