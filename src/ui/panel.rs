//! Owns the router panel: docked beside the panes, or over them where the screen is narrower.
mod models;
mod money;

use super::{
    Scene,
    paint::{Pen, Seg, seg},
    words,
};
use crate::{
    config::Role,
    router::{AuthMode, Provider, Route, route_lines, short, short_executor},
    state::{ExecutorReadiness, GitSummary, Harness, Pane, State, overlay::List, view::PanelRows},
};
use ratatui::layout::Rect;

/// Columns of the panel when it lies over the panes.
const OVERLAY_WIDTH: u16 = 35;
/// The same where there is room for a table of models: its longest row, and the borders.
const WIDE: u16 = 80;
/// From this width of the screen on the panes can still be seen beside a wide panel.
const WIDE_FROM: u16 = 100;
/// Columns kept free at the right of the overlay, so that one sees that it floats.
const OVERLAY_MARGIN: u16 = 4;
/// The name column of the executor list: the longest name and a space.
const NAME_WIDTH: u16 = 9;
/// A list that must give way still shows this many rows: of models one with what stands below it, of executors one before
/// and two behind the chosen one.
const LEAST_ROWS: usize = 3;
const LEAST_EXECUTORS: usize = 4;

/// The rectangle of the panel as an overlay, for the rows that it has to show.
pub(super) fn overlay_area(area: Rect, rows: usize) -> Rect {
    let margin = if area.width >= OVERLAY_WIDTH + 2 * OVERLAY_MARGIN { OVERLAY_MARGIN } else { 0 };
    let width = overlay_width(area);
    let height = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    Rect { x: area.right() - width - margin, y: area.y, width, height }
}

fn overlay_width(area: Rect) -> u16 {
    if area.width >= WIDE_FROM { WIDE } else { OVERLAY_WIDTH.min(area.width) }
}

/// Draws the docked panel, or the overlay when there is none. `list` is `None` while the panel has no keys.
pub(super) fn draw(
    pen: &mut Pen<'_>,
    scene: &Scene<'_>,
    docked: Option<Rect>,
    area: Rect,
    list: Option<&List>,
) {
    let focused = scene.state.focused_pane(scene.client);
    let resting;
    let list = match (list, focused) {
        (Some(list), _) => (list, true),
        (None, Some(pane)) => {
            resting = List::for_panel(scene.state, pane);
            (&resting, false)
        }
        (None, None) => {
            resting = List::default();
            (&resting, false)
        }
    };
    let (list, has_keys) = list;
    let rows = PanelRows::new(scene.state, list, focused);
    let width = docked.map_or_else(|| overlay_width(area), |docked| docked.width);
    let mut content = Content::new(scene, &rows, list, (has_keys, width.saturating_sub(3)));
    content.fit(usize::from(docked.unwrap_or(area).height.saturating_sub(2)));
    let outer = docked.unwrap_or_else(|| overlay_area(area, content.wanted()));
    let pane = rows.pane.map_or_else(String::new, |pane| pane.id.to_string());
    let dashes = if pane.is_empty() { "" } else { " ── " };
    let role = if has_keys { Role::BorderFocus } else { Role::Border };
    let title = [seg("router", Role::Text), seg(dashes, role), seg(pane, Role::Accent)];
    let inner = pen.dialog(outer, role, &title, &[]);
    content.draw(pen, outer, inner, docked.is_some());
}

/// One line of the panel.
enum Line<'a> {
    Ends(Vec<Seg<'a>>, Vec<Seg<'a>>),
    Chosen(Vec<Seg<'a>>, Vec<Seg<'a>>),
}

impl<'a> Line<'a> {
    fn of(chosen: bool, left: Vec<Seg<'a>>, right: Vec<Seg<'a>>) -> Self {
        if chosen { Self::Chosen(left, right) } else { Self::Ends(left, right) }
    }

    fn left(text: impl Into<std::borrow::Cow<'a, str>>, role: Role) -> Self {
        Self::Ends(vec![seg(text, role)], Vec::new())
    }
}

/// The lines of every section, before it is known how many fit.
struct Content<'a> {
    head: Vec<Line<'a>>,
    /// The way of a request, which `inspan route` tells as well.
    route: Vec<Line<'a>>,
    /// Tokens, budgets, credentials, limits.
    money: Vec<Line<'a>>,
    executors: Vec<Line<'a>>,
    models_title: String,
    models: Vec<Line<'a>>,
    /// Models that cannot run, each with why.
    closed: Vec<Vec<Line<'a>>>,
    requests: Vec<Line<'a>>,
    workspace: Vec<Line<'a>>,
    footer: Option<Line<'a>>,
    has_keys: bool,
}

impl<'a> Content<'a> {
    /// `width` is what a line has between the borders.
    fn new(scene: &Scene<'a>, rows: &PanelRows<'a>, list: &'a List, (has_keys, width): (bool, u16)) -> Self {
        let wide = width >= WIDE - 3;
        let own = rows.pane.and_then(|pane| pane.harness.as_ref()).map(|harness| &harness.route);
        let executors = (rows.executors.iter())
            .map(|row| executor_line(row, own, rows.is_chosen_executor(row), has_keys))
            .collect::<Vec<_>>();
        let mine = own.filter(|route| rows.models_of == Some(&route.executor));
        let mut models = Vec::new();
        let mut closed = Vec::new();
        for model in &rows.models {
            match &model.refusal {
                None => {
                    let chosen = rows.is_chosen_model(model) && has_keys;
                    models.extend(models::lines(model, mine, (chosen, wide)));
                }
                Some(reason) => closed.push(models::closed(model, reason, wide)),
            }
        }
        let nothing = || vec![Line::left("  nothing matches", Role::Dim)];
        let hop = |hop: &String| Line::left(format!(" {hop}"), Role::Text);
        let money = |pane: &'a Pane| {
            let usage =
                pane.harness.as_ref().map(|harness| money::usage(harness, scene.now, usize::from(width)));
            money::retrying(pane).into_iter().chain(usage.into_iter().flatten()).collect()
        };
        Self {
            head: rows.pane.map_or_else(Vec::new, |pane| head(scene, pane)),
            route: own.map_or_else(Vec::new, |route| route_lines(route).iter().map(hop).collect()),
            money: rows.pane.filter(|_| own.is_some()).map_or_else(Vec::new, money),
            executors: if executors.is_empty() && rows.models.is_empty() { nothing() } else { executors },
            models_title: rows.models_of.map_or_else(String::new, |id| format!("models for {id}")),
            models,
            closed,
            requests: (rows.requests.iter().enumerate())
                .map(|(at, row)| {
                    money::request(row, rows.is_chosen_request(at) && has_keys, (scene.now, wide))
                })
                .collect(),
            workspace: workspace(scene, rows.pane),
            footer: has_keys.then(|| footer(list)),
            has_keys,
        }
    }

    /// Rows inside the border when everything is shown.
    fn wanted(&self) -> usize {
        let section = |lines: usize| if lines == 0 { 0 } else { lines + 1 };
        self.head.len()
            + self.route.len()
            + self.money.len()
            + section(self.executors.len())
            + section(self.models.len() + self.closed.iter().map(Vec::len).sum::<usize>())
            + section(self.requests.len())
            + section(self.workspace.len())
            + usize::from(self.footer.is_some())
    }

    /// Takes away what has no room: first models that cannot run, then git facts, models far from the chosen row, the way
    /// of a request, executors far from the chosen row, then the head.
    fn fit(&mut self, rows: usize) {
        let mut closed = std::mem::take(&mut self.closed);
        // With one row for the heading, should there be only closed ones, and one to say how many are left out.
        let free = rows.saturating_sub(self.wanted() + usize::from(self.models.is_empty()));
        let each = closed.first().map_or(1, Vec::len);
        if closed.len() * each > free {
            let shown = free.saturating_sub(1) / each;
            let left_out = closed.len() - shown;
            closed.truncate(shown);
            self.models.extend(closed.into_iter().flatten());
            if free > 0 {
                self.models.push(Line::left(format!("  {left_out} more not possible"), Role::Dim));
            }
        } else {
            self.models.extend(closed.into_iter().flatten());
        }
        let over = self.wanted().saturating_sub(rows);
        if over > 0 {
            let keep = self.requests.len().saturating_sub(over).max(1.min(self.requests.len()));
            keep_around_chosen(&mut self.requests, keep);
        }
        if self.wanted() > rows && !self.requests.iter().any(|line| matches!(line, Line::Chosen(..))) {
            self.requests.clear();
        }
        if self.wanted() > rows {
            self.workspace.clear();
        }
        let over = self.wanted().saturating_sub(rows);
        cut(&mut self.models, over, LEAST_ROWS);
        let over = self.wanted().saturating_sub(rows);
        self.route.truncate(self.route.len().saturating_sub(over));
        let over = self.wanted().saturating_sub(rows);
        cut(&mut self.executors, over, LEAST_EXECUTORS);
        let over = self.wanted().saturating_sub(rows);
        give_way(&mut self.money, over);
        let over = self.wanted().saturating_sub(rows);
        give_way(&mut self.head, over);
        let over = self.wanted().saturating_sub(rows);
        cut(&mut self.executors, over, LEAST_ROWS);
        if self.wanted() > rows && !self.models.iter().any(|line| matches!(line, Line::Chosen(..))) {
            self.models.clear();
        }
        if self.wanted() > rows {
            self.money.clear();
        }
        if self.wanted() > rows {
            self.head.clear();
        }
    }

    fn draw(&self, pen: &mut Pen<'_>, outer: Rect, inner: Rect, dividers: bool) {
        let footer_row = self.footer.is_some().then(|| inner.bottom().saturating_sub(1));
        let bottom = footer_row.unwrap_or(inner.bottom());
        let mut y = inner.y;
        let chosen_look = self.has_keys;
        for line in self.head.iter().chain(&self.route).chain(&self.money) {
            y = put(pen, inner, y, bottom, line, chosen_look);
        }
        let sections = [
            ("executors".to_owned(), &self.executors),
            (self.models_title.clone(), &self.models),
            ("requests".to_owned(), &self.requests),
            ("workspace".to_owned(), &self.workspace),
        ];
        for (heading, lines) in sections {
            if lines.is_empty() || y >= bottom {
                continue;
            }
            if dividers {
                pen.divider(outer, y, &heading, if self.has_keys { Role::BorderFocus } else { Role::Border });
            } else {
                pen.text(inner.x + 1, y, inner.width.saturating_sub(1), &heading, Role::Dim);
            }
            y += 1;
            for line in lines {
                y = put(pen, inner, y, bottom, line, chosen_look);
            }
        }
        if let (Some(line), Some(y)) = (&self.footer, footer_row) {
            put(pen, inner, y, inner.bottom(), line, chosen_look);
        }
    }
}

/// Writes one line; returns the next row.
fn put(pen: &mut Pen<'_>, inner: Rect, y: u16, bottom: u16, line: &Line<'_>, chosen_look: bool) -> u16 {
    if y >= bottom {
        return y;
    }
    let (Line::Ends(left, right) | Line::Chosen(left, right)) = line;
    pen.ends(inner.x, y, inner.width.saturating_sub(1), left, right);
    if chosen_look && matches!(line, Line::Chosen(..)) {
        pen.select(inner.x, y, inner.width);
    }
    y + 1
}

/// Takes `over` lines from the end of a part, but leaves one.
fn give_way(lines: &mut Vec<Line<'_>>, over: usize) {
    lines.truncate(lines.len().saturating_sub(over).max(1));
}

/// Takes `over` lines from a list, but leaves a few.
fn cut(lines: &mut Vec<Line<'_>>, over: usize, least: usize) {
    let keep = lines.len().saturating_sub(over).max(least.min(lines.len()));
    keep_around_chosen(lines, keep);
}

/// Cuts a list to `keep` lines that contain the chosen one.
fn keep_around_chosen(lines: &mut Vec<Line<'_>>, keep: usize) {
    let chosen = lines.iter().position(|line| matches!(line, Line::Chosen(..))).unwrap_or(0);
    let last_start = lines.len().saturating_sub(keep);
    // What stands below the chosen row belongs to it.
    let start = chosen.saturating_sub(keep.saturating_sub(1) / 3).min(last_start);
    lines.truncate(start + keep);
    lines.drain(..start);
}

fn head<'a>(scene: &Scene<'a>, pane: &'a Pane) -> Vec<Line<'a>> {
    let state: &'a State = scene.state;
    let Some(harness) = &pane.harness else {
        let cwd = pane.cwd.to_string_lossy();
        let program = pane.argv.first().map_or("shell", String::as_str);
        return vec![
            Line::left(format!(" {program}"), Role::Text),
            Line::left(format!(" {cwd}"), Role::Dim),
            Line::left(" ⏎ starts a harness beside it", Role::Dim),
        ];
    };
    let route = &harness.route;
    let readiness = state.executors.iter().find(|row| row.executor == route.executor);
    let title = readiness.map_or("", |row| row.title.as_str());
    let role = Role::of(&route.executor);
    let executor = vec![seg(" ", Role::Text), seg(route.executor.as_str(), role)];
    let mut lines = vec![Line::Ends(executor, vec![seg(title, Role::Dim)]), head_model(harness)];
    lines.extend(served_line(harness));
    lines.extend(limit_line(pane, scene.now));
    lines.push(auth_line(harness, readiness));
    if let Some(asked) = &pane.question {
        lines.push(Line::left(format!(" ◆ {asked}"), Role::Warn));
        let keys = scene.reference.answers().into_iter();
        lines.extend(keys.map(|key| Line::left(format!("   {key}"), Role::Accent)));
    }
    lines
}

fn head_model(harness: &Harness) -> Line<'_> {
    let route = &harness.route;
    let Some(model) = &route.model else { return Line::left(" your own default model", Role::Text) };
    let provider = match route.auth {
        AuthMode::Login if !route.verified => "unverified",
        _ => route.provider.title(),
    };
    Line::Ends(vec![seg(format!(" {model}"), Role::Text)], vec![seg(provider, Role::Dim)])
}

/// The model that answered, when it is not the one planned.
fn served_line(harness: &Harness) -> Option<Line<'_>> {
    let served = harness.served_model.as_deref()?;
    let planned = [harness.route.model.as_deref(), harness.route.wire_model.as_deref()];
    (!planned.contains(&Some(served))).then(|| Line::left(format!(" served {served}"), Role::Warn))
}

/// That a limit was reached, and how long it lasts.
fn limit_line(pane: &Pane, now: u64) -> Option<Line<'_>> {
    let left = words::resets_in(pane, now)?;
    let right = vec![seg(format!("resets in {left}"), Role::Warn)];
    Some(Line::Ends(vec![seg(" ▲ limited", Role::Err)], right))
}

fn auth_line<'a>(harness: &'a Harness, readiness: Option<&'a ExecutorReadiness>) -> Line<'a> {
    let route = &harness.route;
    let login = readiness.and_then(|row| row.login.as_deref()).filter(|_| route.auth == AuthMode::Login);
    let why = login.unwrap_or_else(|| words::step_words(route.step));
    let (how, role) = match route.provider {
        Provider::Rehearsal => ("rehearsal", Role::Warn),
        _ => (route.auth.as_str(), Role::Text),
    };
    Line::Ends(vec![seg(format!(" {how}"), role), seg(format!(" · {why}"), Role::Dim)], Vec::new())
}

fn executor_line<'a>(
    row: &'a ExecutorReadiness,
    own: Option<&'a Route>,
    chosen: bool,
    has_keys: bool,
) -> Line<'a> {
    let here = own.filter(|route| route.executor == row.executor);
    let (readiness, role) = if here.is_some() { ("here", Role::Accent) } else { short_readiness(row) };
    let route = here.or(row.route.as_ref().ok());
    let model = route.and_then(|route| route.model.as_deref()).map(short).unwrap_or_default();
    let name = short_executor(&row.executor);
    let padding = usize::from(NAME_WIDTH).saturating_sub(name.len()).max(1);
    let open = row.route.is_ok() || here.is_some();
    let mark = if chosen { "▸ " } else { "  " };
    let left = vec![
        seg(mark, if has_keys { Role::Accent } else { Role::Text }),
        seg(name, if open { Role::of(&row.executor) } else { Role::Dim }),
        seg(" ".repeat(padding), Role::Text),
        seg(model, if open { Role::Text } else { Role::Dim }),
    ];
    Line::of(chosen, left, vec![seg(readiness, role)])
}

/// The readiness in the few columns of the panel.
pub(super) fn short_readiness(row: &ExecutorReadiness) -> (&str, Role) {
    match row.readiness.as_str() {
        "ready" => ("ready", Role::Ok),
        "ready · untested" => ("untested", Role::Ok),
        "log in or add a key" => ("log in", Role::Warn),
        "install" => ("install", Role::Dim),
        "not in this version" => ("not yet", Role::Dim),
        other => (other, Role::Dim),
    }
}

fn workspace<'a>(scene: &Scene<'a>, pane: Option<&'a Pane>) -> Vec<Line<'a>> {
    let session =
        (scene.state.clients.get(&scene.client)).and_then(|client| scene.state.sessions.get(&client.session));
    let git = session.and_then(|session| scene.state.git.get(&session.workspace));
    let mut lines = match git {
        Some(git) if git.repository => vec![git_line(git)],
        Some(_) => vec![Line::left(" not a git repository", Role::Dim)],
        None => Vec::new(),
    };
    if let Some(pane) = pane {
        let both = scene.state.same_files.iter().filter(|(a, b, _)| *a == pane.id || *b == pane.id);
        lines.extend(both.map(|(a, b, file)| Line::left(format!(" ⚠ {a} and {b} write {file}"), Role::Warn)));
    }
    let notes = pane.map_or(&[][..], |pane| &pane.notes);
    lines.extend(notes.iter().map(|note| Line::left(format!(" {note}"), Role::Dim)));
    if let Some((why, count)) = &scene.state.turned_away {
        lines.push(Line::left(format!(" turned away {count}: {why}"), Role::Warn));
    }
    lines
}

/// `main ↑1  4 changed  7 ckpts`
fn git_line(git: &GitSummary) -> Line<'_> {
    let mut line = vec![seg(format!(" {}", git.branch), Role::Text)];
    for (count, arrow) in [(git.ahead, "↑"), (git.behind, "↓")] {
        if count > 0 {
            line.push(seg(format!(" {arrow}{count}"), Role::Accent));
        }
    }
    let (changed, role) = match git.changed {
        0 => ("  clean".to_owned(), Role::Dim),
        changed => (format!("  {changed} changed"), Role::Warn),
    };
    line.push(seg(changed, role));
    if git.checkpoints > 0 {
        line.push(seg(format!("  {} ckpts", git.checkpoints), Role::Dim));
    }
    Line::Ends(line, Vec::new())
}

fn footer(list: &List) -> Line<'_> {
    let typed = list.filter.strip_prefix('/').unwrap_or(&list.filter);
    let left = match typed {
        "" => vec![seg(" / filter", Role::Dim)],
        typed => vec![seg(" / ", Role::Dim), seg(format!("{typed}▏"), Role::Text)],
    };
    Line::Ends(left, vec![seg("⏎ switch  esc", Role::Dim)])
}
