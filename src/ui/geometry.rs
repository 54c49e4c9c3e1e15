//! Owns where everything stands on a client's screen.
//!
//! Drawing, sizing of pseudo-terminals and mouse routing all ask here, so that they cannot disagree.
use super::paint::inside;
use crate::{
    mux::{ClientId, PaneId, layout},
    state::{Client, State, Window},
};
use ratatui::layout::Rect;

/// A terminal of at least this many columns docks the router panel by itself.
pub const DOCK_FROM: u16 = 160;
/// Columns of the docked panel, its border included.
pub const PANEL_WIDTH: u16 = 33;
/// Below this many columns a window shows its active pane alone, under a title line instead of borders.
pub const BORDERS_FROM: u16 = 50;
/// A pinned panel leaves the panes at least this many columns; where it cannot, it stays an overlay.
const PANES_BESIDE_PANEL: u16 = 50;

/// Where the parts of one client's screen stand, in cells from its top left corner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Geometry {
    /// Shown panes with their outer and inner rectangles; hidden panes are absent.
    pub panes: Vec<(PaneId, Rect, Rect)>,
    /// The docked router panel.
    pub panel: Option<Rect>,
    /// The status line; empty on a screen of one row.
    pub status: Rect,
    /// Panes have borders; otherwise a title line.
    pub borders: bool,
    /// Where the panes stand.
    pub area: Rect,
}

impl Geometry {
    /// The pane at a cell, with the cell's place inside it; `None` on borders, panel and status line.
    pub fn pane_at(&self, x: u16, y: u16) -> Option<(PaneId, u16, u16)> {
        let at = ratatui::layout::Position { x, y };
        // What lies on top comes last, its border included.
        let hit = self.panes.iter().rev().find(|(_, outer, _)| outer.contains(at));
        hit.filter(|(_, _, inner)| inner.contains(at))
            .map(|(pane, _, inner)| (*pane, x - inner.x, y - inner.y))
    }

    /// The inner rectangle of a shown pane.
    pub fn inner(&self, pane: PaneId) -> Option<Rect> {
        self.panes.iter().find(|(id, ..)| *id == pane).map(|(_, _, inner)| *inner)
    }
}

/// Whether a client of this width docks the panel without being asked.
pub fn docks_by_itself(width: u16) -> bool {
    width >= DOCK_FROM
}

/// Whether the panel is docked for this client: wanted, and with room for panes beside it.
pub fn is_docked(client: &Client) -> bool {
    client.panel_docked && client.size.0 >= PANEL_WIDTH + PANES_BESIDE_PANEL
}

/// The size that a session takes when this client decides it: the client's, without status line and docked panel.
pub fn session_size(client: &Client) -> (u16, u16) {
    let (width, height) = client.size;
    let panel = if is_docked(client) { PANEL_WIDTH } else { 0 };
    ((width - panel).max(1), height.saturating_sub(status_rows(height)).max(1))
}

fn status_rows(height: u16) -> u16 {
    u16::from(height > 1)
}

/// Computes a client's screen. Panes are laid out in the session's size, which another client may have decided; what
/// does not fit this client's screen is cut off there.
pub fn geometry(state: &State, client: ClientId) -> Geometry {
    let Some(client) = state.clients.get(&client) else { return Geometry::default() };
    let (width, height) = client.size;
    let status_rows = status_rows(height);
    let panel_width = if is_docked(client) { PANEL_WIDTH } else { 0 };
    let rows = height - status_rows;
    let status = Rect { x: 0, y: rows, width, height: status_rows };
    let panel =
        (panel_width > 0).then(|| Rect { x: width - panel_width, y: 0, width: panel_width, height: rows });
    let area = Rect { x: 0, y: 0, width: width - panel_width, height: rows };
    let session = state.sessions.get(&client.session);
    let window = session.and_then(|session| state.windows.get(&session.active));
    let (Some(session), Some(window)) = (session, window) else {
        return Geometry { panes: Vec::new(), panel, status, borders: width >= BORDERS_FROM, area };
    };
    let size = if session.size.0 == 0 || session.size.1 == 0 { session_size(client) } else { session.size };
    let borders = has_borders(size);
    let panes = pane_rects(window, size);
    Geometry { panes, panel, status, borders, area }
}

/// Whether windows of this size draw borders.
pub fn has_borders(size: (u16, u16)) -> bool {
    size.0 >= BORDERS_FROM
}

/// Where the shown panes of a window of this size stand: outer and inner rectangle of each.
pub fn pane_rects(window: &Window, size: (u16, u16)) -> Vec<(PaneId, Rect, Rect)> {
    let all = Rect { x: 0, y: 0, width: size.0, height: size.1 };
    if !has_borders(size) {
        let title = u16::from(size.1 > 1);
        let inner = Rect { y: title, height: size.1 - title, ..all };
        return vec![(window.active, all, inner)];
    }
    if window.zoomed {
        return vec![(window.active, all, inside(all))];
    }
    let rects = window.layout.rects(layout::Rect { x: 0, y: 0, w: size.0, h: size.1 });
    let outer = |rect: layout::Rect| Rect { x: rect.x, y: rect.y, width: rect.w, height: rect.h };
    let tiled = rects.into_iter().map(|(pane, rect)| (pane, outer(rect)));
    let floating = window.floating.iter().map(|floating| (floating.pane, floating_rect(floating.rect, size)));
    tiled.chain(floating).map(|(pane, rect)| (pane, rect, inside(rect))).collect()
}

/// The frame of a pane that floats, moved and cut so that all of it can be seen.
fn floating_rect((x, y, width, height): (u16, u16, u16, u16), size: (u16, u16)) -> Rect {
    let width = width.clamp(layout::MIN_WIDTH, size.0.max(layout::MIN_WIDTH)).min(size.0);
    let height = height.clamp(layout::MIN_HEIGHT, size.1.max(layout::MIN_HEIGHT)).min(size.1);
    Rect { x: x.min(size.0 - width), y: y.min(size.1 - height), width, height }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mux::{SessionId, WindowId},
        state::fixture::{CLIENT, client, state},
    };

    const ONE: PaneId = PaneId(1);
    const TWO: PaneId = PaneId(2);

    #[test]
    fn panes_and_panel_and_status_tile_a_wide_screen() {
        let state = state((160, 40));
        let geometry = geometry(&state, CLIENT);
        let panel = geometry.panel.unwrap();
        assert_eq!((panel.x, panel.width, panel.height), (127, 33, 39));
        assert_eq!(geometry.status, Rect { x: 0, y: 39, width: 160, height: 1 });
        let cells: u32 = geometry.panes.iter().map(|(_, outer, _)| outer.area()).sum();
        assert_eq!(cells + panel.area() + geometry.status.area(), 160 * 40);
    }

    #[test]
    fn a_cell_belongs_to_the_inside_of_one_pane_or_to_none() {
        let state = state((80, 24));
        let geometry = geometry(&state, CLIENT);
        assert_eq!(geometry.pane_at(1, 1), Some((ONE, 0, 0)));
        assert_eq!(geometry.pane_at(0, 1), None, "the border");
        assert_eq!(geometry.pane_at(5, 23), None, "the status line");
        let inner = geometry.inner(TWO).unwrap();
        assert_eq!(geometry.pane_at(inner.x + 2, inner.y + 1), Some((TWO, 2, 1)));
    }

    #[test]
    fn a_zoomed_window_shows_its_active_pane_alone() {
        let mut state = state((80, 24));
        state.windows.get_mut(&WindowId(1)).unwrap().zoomed = true;
        let geometry = geometry(&state, CLIENT);
        let outer = Rect { x: 0, y: 0, width: 80, height: 23 };
        assert_eq!(geometry.panes, [(TWO, outer, Rect { x: 1, y: 1, width: 78, height: 21 })]);
    }

    #[test]
    fn below_fifty_columns_the_active_pane_has_a_title_line_and_the_whole_width() {
        let state = state((49, 20));
        let geometry = geometry(&state, CLIENT);
        assert!(!geometry.borders);
        let outer = Rect { x: 0, y: 0, width: 49, height: 19 };
        assert_eq!(geometry.panes, [(TWO, outer, Rect { y: 1, height: 18, ..outer })]);
    }

    #[test]
    fn a_pinned_panel_takes_its_columns_from_the_session_only_where_panes_keep_enough() {
        let mut state = state((100, 30));
        let client = client(&mut state);
        assert_eq!(session_size(client), (100, 29));
        client.panel_docked = true;
        assert_eq!(session_size(client), (67, 29));
        client.size = (82, 30);
        assert_eq!(session_size(client), (82, 29));
    }

    #[test]
    fn another_clients_session_size_is_kept() {
        let mut state = state((80, 24));
        state.sessions.get_mut(&SessionId(1)).unwrap().size = (120, 39);
        let geometry = geometry(&state, CLIENT);
        assert_eq!(geometry.area, Rect { x: 0, y: 0, width: 80, height: 23 });
        let right = geometry.panes.iter().map(|(_, outer, _)| outer.right()).max();
        assert_eq!(right, Some(120), "laid out for the other client, cut here when drawn");
    }
}
