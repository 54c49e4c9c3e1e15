//! What the mouse does: it goes to the pane's process when that asked for it, else it focuses, drags borders, and
//! scrolls and selects in copy mode.
use super::{Server, copying::WHEEL_LINES, input::mouse_modes};
use crate::{
    mux::{
        ClientId, PaneId,
        keys::{Key, KeyCode, Mods},
        layout::Dir,
    },
    state::overlay::Context,
    term::{
        encode,
        input::{MouseButton, MouseEvent, MouseKind},
    },
    ui,
};

impl Server {
    pub(super) fn mouse(&mut self, id: ClientId, event: &MouseEvent) {
        let Some(client) = self.state.clients.get(&id) else { return };
        if client.overlay.is_some() {
            self.mouse_for_overlay(id, event);
            return;
        }
        if event.kind == MouseKind::Press
            && let Some(link) = self.links.get_mut(&id)
        {
            link.pressed = None;
        }
        let geometry = ui::geometry(&self.state, id);
        if event.kind == MouseKind::Press && event.button == MouseButton::Left && event.y >= geometry.status.y
        {
            if let Some(window) = self.with_scene(id, |scene| ui::window_at(scene, event.x, event.y)) {
                self.run_bound(id, &["select-window".into(), "-t".into(), window.to_string()]);
            }
            return;
        }
        if event.kind == MouseKind::Wheel && event.y >= geometry.status.y {
            // As in tmux: the wheel over the windows' names goes through them.
            let by = match event.button {
                MouseButton::WheelUp => "previous-window",
                MouseButton::WheelDown => "next-window",
                _ => return,
            };
            self.run_bound(id, &[by.into()]);
            return;
        }
        if (event.kind == MouseKind::Release || event.kind == MouseKind::Drag)
            && let Some(pane) = self.links.get(&id).and_then(|l| l.drag)
        {
            self.drag_border(id, pane, event);
            return;
        }
        if (event.kind == MouseKind::Release || event.kind == MouseKind::Drag)
            && self.drag_for_copy(id, event, &geometry)
        {
            return;
        }
        let Some((pane, x, y)) = geometry.pane_at(event.x, event.y) else {
            if event.kind == MouseKind::Press && event.button == MouseButton::Left {
                // What lies on top comes last.
                let border = geometry.panes.iter().rev().find(|(_, outer, _)| {
                    (outer.x..outer.right()).contains(&event.x)
                        && (outer.y..outer.bottom()).contains(&event.y)
                });
                if let Some((pane, ..)) = border {
                    let pane = *pane;
                    let moves = !self.only_watches(id);
                    if let Some(link) = self.links.get_mut(&id).filter(|_| moves) {
                        link.drag = Some(pane);
                        link.dragged_at = (event.x, event.y);
                    }
                    self.focus_pane(pane);
                }
            }
            return;
        };
        if event.kind == MouseKind::Press && self.state.focused_pane(id) != Some(pane) {
            self.focus_pane(pane);
        }
        let Some(modes) = self.modes(pane).filter(|_| !self.only_watches(id)) else { return };
        let shift = event.mods.contains(Mods::SHIFT);
        let inner = MouseEvent { x, y, ..*event };
        if self.mouse_for_copy(id, pane, &inner) {
            return;
        }
        if !shift && let Some(bytes) = encode::encode_mouse(&inner, &mouse_modes(&modes)) {
            let _ = self.write(pane, bytes);
            return;
        }
        self.press_for_copy(id, pane, &inner);
        if event.kind == MouseKind::Wheel {
            self.wheel(id, pane, event.button, modes.alt_screen && modes.alternate_scroll);
        }
    }

    /// The wheel goes through what lies over the panes; a click takes a row, or chooses it first.
    fn mouse_for_overlay(&mut self, id: ClientId, event: &MouseEvent) {
        let up = match (event.kind, event.button) {
            (MouseKind::Wheel, MouseButton::WheelUp) => Some(true),
            (MouseKind::Wheel, MouseButton::WheelDown) => Some(false),
            (MouseKind::Press, MouseButton::Left) => None,
            _ => return,
        };
        let row = match up {
            Some(_) => None,
            None => match self.with_scene(id, |scene| ui::row_at(scene, event.x, event.y)) {
                Some(row) => Some(row),
                None => return,
            },
        };
        let Some(mut overlay) = self.state.clients.get_mut(&id).and_then(|client| client.overlay.take())
        else {
            return;
        };
        let context = Context { client: id, reference: self.keys.reference().rows };
        let outcome = match (row, up) {
            (Some(row), _) => overlay.click(row, &self.state, &context),
            (None, up) => overlay.wheel(up == Some(true), &self.state, &context),
        };
        self.after_overlay(id, outcome, overlay);
    }

    /// The wheel over a pane that did not ask for the mouse: arrows on the other screen, else copy mode.
    fn wheel(&mut self, id: ClientId, pane: PaneId, button: MouseButton, arrows: bool) {
        let code = match button {
            _ if !arrows => return self.copy_wheel(id, pane, button),
            MouseButton::WheelUp => KeyCode::Up,
            MouseButton::WheelDown => KeyCode::Down,
            _ => return,
        };
        for _ in 0..WHEEL_LINES {
            let _ = self.type_key(pane, &Key::new(code, Mods::NONE));
        }
    }

    fn drag_border(&mut self, id: ClientId, pane: PaneId, event: &MouseEvent) {
        if event.kind == MouseKind::Release {
            if let Some(link) = self.links.get_mut(&id) {
                link.drag = None;
            }
            self.touch();
            return;
        }
        let area = self.state.area_of(pane);
        let Some(link) = self.links.get_mut(&id) else { return };
        let (from_x, from_y) = std::mem::replace(&mut link.dragged_at, (event.x, event.y));
        let Some(window) = self.state.window_of(pane).map(|w| w.id) else { return };
        let Some(window) = self.state.windows.get_mut(&window) else { return };
        if let Some(floating) = window.floating.iter_mut().find(|floating| floating.pane == pane) {
            // One that floats goes where it is drawn; its size is for resize-pane.
            let (x, y, width, height) = floating.rect;
            let moved = |at: u16, from: u16, to: u16, most: u16| (at + to).saturating_sub(from).min(most);
            floating.rect = (
                moved(x, from_x, event.x, area.w.saturating_sub(width)),
                moved(y, from_y, event.y, area.h.saturating_sub(height)),
                width,
                height,
            );
            self.resize_panes();
            return;
        }
        let Some(rect) = window.layout.rect_of(pane, area) else { return };
        // The border under the pointer follows it: to the right or left edge, to the lower or upper one.
        let moves = [
            (event.x, rect.x, rect.w, area.w, Dir::Left, Dir::Right),
            (event.y, rect.y, rect.h, area.h, Dir::Up, Dir::Down),
        ];
        for (at, start, size, room, back, forth) in moves {
            let end = start + size.saturating_sub(1);
            if at > end && start + size < room {
                window.layout.resize(pane, forth, at - end, area);
            } else if at < end && at > start + size / 2 {
                window.layout.resize(pane, back, end - at, area);
            }
        }
        self.resize_panes();
    }
}
