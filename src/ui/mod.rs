//! Owns State -> Canvas: frames, status line, router panel, picker, dialogs, palette.
//!
//! Drawing reads `&State` and changes nothing; what panes contain is drawn by a [`Screens`]. Must not know: emulators,
//! sockets, how a command is run.
mod changes;
mod choices;
mod composer;
mod dialogs;
mod geometry;
mod paint;
mod pane;
mod panel;
mod picker;
mod reference;
mod status_line;
mod syntax;
mod words;

#[cfg(test)]
mod tests;

pub use words::dollars;

pub use geometry::{
    BORDERS_FROM, DOCK_FROM, Geometry, PANEL_WIDTH, docks_by_itself, geometry, has_borders, is_docked,
    pane_rects, session_size,
};

use crate::{
    config::Theme,
    mux::{ClientId, PaneId, WindowId},
    state::{
        Client, State,
        overlay::{Overlay, ReferenceRow},
    },
    term::canvas::{Canvas, CanvasCursor, CursorShape, Stretch},
};
use paint::Pen;
use pane::Place;
use ratatui::layout::{Position, Rect};
use std::path::Path;

/// The contents of panes.
pub trait Screens {
    /// Draws a pane's screen into `area`, cutting what does not fit.
    fn draw(&self, pane: PaneId, canvas: &mut Canvas, area: Rect);
    /// Draws again what changed since it was drawn there last, and adds the cells that this touched.
    fn redraw(&self, pane: PaneId, canvas: &mut Canvas, area: Rect, touched: &mut Vec<Stretch>) {
        self.draw(pane, canvas, area);
        touched.extend(Stretch::rows(area));
    }
    /// Where the pane shows its cursor, from its own top left corner; `None` when hidden or scrolled back.
    fn cursor(&self, pane: PaneId) -> Option<CanvasCursor>;
}

/// The words of the key and command tables that the screen shows.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// The prefix in key notation, `C-Space`.
    pub prefix: &'a str,
    /// Every command, once for each key bound to it.
    pub rows: &'a [ReferenceRow],
}

impl Reference<'_> {
    /// The key after the prefix that runs a command, `y`.
    fn key_of(&self, command: &str) -> Option<&str> {
        let row = self.rows.iter().find(|row| row.command == command && !row.keys.is_empty())?;
        Some(row.keys.as_str())
    }

    /// The keys that answer a harness's question: `C-Space y approve`, `C-Space N deny`.
    fn answers(&self) -> Vec<String> {
        let key = |verb: &str| Some(format!("{} {} {verb}", self.prefix, self.key_of(verb)?));
        ["approve", "deny"].into_iter().filter_map(key).collect()
    }
}

/// Everything that a frame is made from.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What the loop owns.
    pub state: &'a State,
    /// Whose frame it is.
    pub client: ClientId,
    /// The contents of panes.
    pub screens: &'a dyn Screens,
    /// Roles to colours.
    pub theme: &'a Theme,
    /// Keys and commands.
    pub reference: Reference<'a>,
    /// The person's home directory, shown as `~`; empty when unknown.
    pub home: &'a Path,
    /// The time of day as it is shown, `14:02`.
    pub clock: &'a str,
    /// Seconds of unix time.
    pub now: u64,
}

/// Draws a client's frame, cursor included, into a canvas that it gives the client's size.
///
/// Asks only for panes that are shown; a client that is not in the state leaves the canvas as it is.
pub fn frame(scene: &Scene<'_>, canvas: &mut Canvas) {
    let Some(client) = scene.state.clients.get(&scene.client) else { return };
    canvas.reset(client.size.0, client.size.1);
    canvas.cursor = shapes(scene, client, canvas);
}

/// Brings a canvas that `frame` drew for this client up to date with what its panes printed since, and adds the
/// cells that this touched. False where something else than a pane's text stands in a pane's place: then the whole frame is
/// to be drawn. Whatever is drawn over panes without being an overlay must be refused here.
pub fn output(scene: &Scene<'_>, canvas: &mut Canvas, touched: &mut Vec<Stretch>) -> bool {
    let Some(client) = scene.state.clients.get(&scene.client) else { return false };
    let size = (canvas.area().width, canvas.area().height);
    if client.overlay.is_some() || client.size != size || canvas.link_table_is_full() {
        return false;
    }
    let geometry = geometry(scene.state, scene.client);
    let window = scene.state.shown_window(scene.client);
    if window.is_some_and(|window| !window.zoomed && !window.floating.is_empty()) {
        return false;
    }
    canvas.cursor = None;
    for (id, _, inner) in &geometry.panes {
        let (Some(pane), Some(window)) = (scene.state.panes.get(id), window) else { continue };
        if pane.exit.is_some() || pane.refusal.is_some() {
            return false;
        }
        let visible = inner.intersection(geometry.area);
        if !visible.is_empty() {
            scene.screens.redraw(*id, canvas, visible, touched);
        }
        if window.active == *id {
            canvas.cursor = pane_cursor(scene.screens, *id, visible);
        }
    }
    true
}

/// The window whose name stands at a cell of a client's status line.
pub fn window_at(scene: &Scene<'_>, x: u16, y: u16) -> Option<WindowId> {
    let client = scene.state.clients.get(&scene.client)?;
    let line = geometry(scene.state, scene.client).status;
    let mut nothing = Canvas::new(1, 1);
    let pen = pen(&mut nothing, scene, client);
    line.contains(Position { x, y }).then(|| status_line::window_at(&pen, scene, client, line, x))?
}

/// The row of a client's overlay at a cell, by its place in the list; nothing is drawn.
pub fn row_at(scene: &Scene<'_>, x: u16, y: u16) -> Option<usize> {
    let client = scene.state.clients.get(&scene.client)?;
    let overlay = client.overlay.as_ref()?;
    let geometry = geometry(scene.state, scene.client);
    let mut scratch = Canvas::new(client.size.0, client.size.1);
    let mut pen = pen(&mut scratch, scene, client);
    match (overlay, geometry.panel) {
        (Overlay::Router(list), Some(docked)) => {
            panel::draw(&mut pen, scene, Some(docked), geometry.area, Some(list));
        }
        _ => drop(draw_overlay(&mut pen, scene, overlay, geometry.panel, geometry.area)),
    }
    let at = Position { x, y };
    pen.rows.iter().rev().find(|(row, _)| row.contains(at)).map(|(_, place)| *place)
}

fn shapes(scene: &Scene<'_>, client: &Client, canvas: &mut Canvas) -> Option<CanvasCursor> {
    let geometry = geometry(scene.state, scene.client);
    let bounds = geometry.area;
    let mut cursor = None;
    let window = scene.state.shown_window(scene.client);
    for (id, outer, inner) in &geometry.panes {
        let (Some(pane), Some(window)) = (scene.state.panes.get(id), window) else { continue };
        let visible = inner.intersection(bounds);
        if outer.intersection(bounds).is_empty() {
            continue;
        }
        if window.floats(*id) {
            // It lies over others: nothing of them may show through, nor any cursor.
            pen(canvas, scene, client).clear(outer.intersection(bounds));
            cursor = None;
        }
        if !visible.is_empty() {
            scene.screens.draw(*id, canvas, visible);
        }
        let mut pen = pen(canvas, scene, client);
        let place = Place {
            outer: *outer,
            focused: window.active == *id,
            zoomed: window.zoomed && window.panes().len() > 1,
            borders: geometry.borders,
            synchronized: window.synchronized && window.panes().len() > 1,
        };
        pane::surround(&mut pen, scene, client, pane, place);
        pane::card(&mut pen, pane, visible);
        if place.focused && pane.exit.is_none() && pane.refusal.is_none() {
            cursor = pane_cursor(scene.screens, *id, visible);
        }
    }
    let mut pen = pen(canvas, scene, client);
    if geometry.panes.iter().any(|(_, outer, _)| outer.right() > bounds.right()) {
        // A session laid out for a wider client reaches under the panel.
        pen.clear(Rect { x: bounds.right(), width: client.size.0.saturating_sub(bounds.right()), ..bounds });
    }
    if let Some(docked) = geometry.panel {
        let list = match &client.overlay {
            Some(Overlay::Router(list)) => Some(list),
            _ => None,
        };
        panel::draw(&mut pen, scene, Some(docked), bounds, list);
    }
    status_line::draw(&mut pen, scene, client, geometry.status);
    match &client.overlay {
        None => cursor,
        Some(overlay) => draw_overlay(&mut pen, scene, overlay, geometry.panel, bounds),
    }
}

fn pen<'a>(canvas: &'a mut Canvas, scene: &Scene<'a>, client: &Client) -> Pen<'a> {
    Pen { canvas, theme: scene.theme, utf8: client.utf8, rows: Vec::new() }
}

fn pane_cursor(screens: &dyn Screens, pane: PaneId, visible: Rect) -> Option<CanvasCursor> {
    let cursor = screens.cursor(pane)?;
    let (x, y) = (visible.x.checked_add(cursor.x)?, visible.y.checked_add(cursor.y)?);
    visible.contains(Position { x, y }).then_some(CanvasCursor { x, y, ..cursor })
}

/// The cursor of a text that is being written.
fn bar((x, y): (u16, u16)) -> Option<CanvasCursor> {
    Some(CanvasCursor { x, y, shape: CursorShape::Bar { blink: true } })
}

/// Draws what lies over the panes; returns its text cursor, if it has one.
fn draw_overlay(
    pen: &mut Pen<'_>,
    scene: &Scene<'_>,
    overlay: &Overlay,
    docked: Option<Rect>,
    area: Rect,
) -> Option<CanvasCursor> {
    if area.is_empty() {
        return None;
    }
    match overlay {
        Overlay::Router(_) if docked.is_some() => {}
        Overlay::Router(list) => panel::draw(pen, scene, None, area, Some(list)),
        Overlay::Picker(picker) => picker::draw(pen, scene, picker, area),
        Overlay::Switch(dialog) => return bar(dialogs::switch(pen, dialog, area)?),
        Overlay::Changes(changes) => changes::draw(pen, changes, area),
        Overlay::Native(list) => changes::native(pen, list, area),
        Overlay::Composer(composer) => return bar(composer::draw(pen, scene, composer, area)?),
        Overlay::Refusal(dialog) => dialogs::refusal(pen, dialog, area),
        Overlay::Keys(list) => reference::keys(pen, scene, list, area),
        Overlay::Palette(palette) => {
            let at = reference::palette(pen, scene, palette, area)?;
            return Some(CanvasCursor { x: at.x, y: at.y, shape: CursorShape::Bar { blink: true } });
        }
        Overlay::Confirm(confirm) => dialogs::confirm(pen, confirm, area),
        Overlay::Text(printed) => dialogs::printed(pen, printed, area),
        Overlay::Trust(trust) => dialogs::trust(pen, trust, area),
        Overlay::Choose(choice) => choices::choose(pen, choice, area),
        Overlay::Numbers(numbers) => choices::numbers(pen, scene, numbers, area),
    }
    None
}
