//! Owns the status line: session, windows, who needs you, messages, git, spend, key hint, clock.
//!
//! As the width shrinks it drops whole parts, least important first, rather than cutting each.
use super::{
    Scene,
    paint::{Pen, Seg, seg},
    words::{dollars, seen_status, status_look},
};
use crate::{
    config::Role,
    state::{Client, Guide, Session, State, Status, Window},
};
use ratatui::layout::Rect;

/// Below this many columns parts stand close together, without strokes between them.
const COMPACT_BELOW: u16 = 50;
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
    let compact = area.width < COMPACT_BELOW;
    let said = said(pen, scene, client, session, area.width);
    let mut left = vec![vec![seg(session.name.clone(), Role::Accent)]];
    let windows_at = left.len();
    left.push(windows(scene.state, session, client, if compact { Windows::Active } else { Windows::All }));
    left.extend(counters(scene.state, session, client));
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
    if !fits(&left, &right) {
        left[windows_at] = windows(scene.state, session, client, Windows::Active);
    }
    // What is said goes before everything else; without words the branch outlives the session's name.
    if !fits(&left, &right) && said.is_some() {
        right.clear();
    }
    while !fits(&left, &right) && left.len() > usize::from(said.is_none()) {
        left.remove(0);
    }
    if !fits(&left, &right) {
        right.clear();
    }

    let mut line = join(left, compact);
    let tail: Vec<_> = join(right.into_iter().map(|(_, part)| part).collect(), compact);
    if let Some(said) = said {
        if !line.is_empty() {
            line.extend(separator(compact));
        }
        line.extend(said);
    }
    pen.ends(area.x + 1, area.y, room, &line, &tail);
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
        let active = *id == session.active;
        let Some(window) = state.windows.get(id) else { continue };
        if which == Windows::Active {
            if active {
                part.push(seg((at + 1).to_string(), Role::Text));
            }
            continue;
        }
        if !part.is_empty() {
            part.push(seg(" ", Role::Dim));
        }
        let mark = if active { "*" } else { "" };
        let zoom = if window.zoomed { "Z" } else { "" };
        let role = if active { Role::Text } else { Role::Dim };
        part.push(seg(format!("{} {}{mark}{zoom}", at + 1, window.name), role));
        if !active && panes(state, window).any(|pane| seen_status(pane, client) == Status::NeedsYou) {
            part.push(seg("◆", Role::Warn));
        }
    }
    part
}

fn panes<'a>(state: &'a State, window: &'a Window) -> impl Iterator<Item = &'a crate::state::Pane> {
    window.layout.panes().into_iter().filter_map(|id| state.panes.get(&id))
}

/// `◆1 ●1`: how many harnesses of the session wait for the person, work, are done unseen, hit a limit.
fn counters(state: &State, session: &Session, client: &Client) -> Option<Part> {
    const COUNTED: [Status; 4] = [Status::NeedsYou, Status::Working, Status::Done, Status::Limited];
    let mut counts = [0_usize; COUNTED.len()];
    let windows = session.windows.iter().filter_map(|id| state.windows.get(id));
    for pane in windows.flat_map(|window| panes(state, window)).filter(|pane| pane.harness.is_some()) {
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

/// What the middle says: a passing message, else a standing warning, else the guide's next step.
fn said(pen: &Pen<'_>, scene: &Scene<'_>, client: &Client, session: &Session, width: u16) -> Option<Part> {
    if let Some((message, until)) = &client.message
        && *until > scene.now
    {
        return Some(vec![seg(message.clone(), Role::Text)]);
    }
    if let Some(warning) = &scene.state.warning {
        return Some(vec![seg(format!("⚠ {warning}"), Role::Warn)]);
    }
    session.guide.as_ref().map(|guide| guide_part(pen, guide, width))
}

/// Every step with its tick when half of the line holds them, else the next step with its number.
fn guide_part(pen: &Pen<'_>, guide: &Guide, width: u16) -> Part {
    let Some(next) = guide.steps.iter().position(|(_, ticked)| !ticked) else {
        return vec![seg("✓ ", Role::Ok), seg(guide.done.clone(), Role::Text)];
    };
    let mut all = Part::new();
    for (at, (text, ticked)) in guide.steps.iter().enumerate() {
        if at > 0 {
            all.push(seg("  ", Role::Dim));
        }
        let (mark, role) = match (ticked, at == next) {
            (true, _) => ("✓".to_owned(), Role::Ok),
            (false, true) => ("▸".to_owned(), Role::Accent),
            (false, false) => ((at + 1).to_string(), Role::Dim),
        };
        all.push(seg(format!("{mark} "), role));
        all.push(seg(text.clone(), if at == next { Role::Text } else { Role::Dim }));
    }
    if pen.line_width(&all) <= width / 2 {
        return all;
    }
    let (text, _) = &guide.steps[next];
    vec![seg(format!("▸ {}/{} ", next + 1, guide.steps.len()), Role::Accent), seg(text.clone(), Role::Text)]
}
