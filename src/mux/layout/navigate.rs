//! Owns moving the focus by direction.
use super::{Dir, Layout, Rect};
use crate::mux::PaneId;

impl Layout {
    /// The pane next to `from` in a direction, beyond the edge the one at the opposite edge, as tmux does.
    ///
    /// Among several that touch, the first in `recent` (newest first) wins, else the first in order. `None` when
    /// `from` is absent or alone on that line. Panes without cells are never found.
    pub fn neighbour(&self, from: PaneId, dir: Dir, area: Rect, recent: &[PaneId]) -> Option<PaneId> {
        let rects = self.rects(area);
        let here = rects.iter().find(|(id, _)| *id == from)?.1;
        let (axis, across) = (dir.axis(), dir.axis().across());
        let (start, end) = here.span(axis);
        let (low, high) = area.span(axis);
        let edge = match dir.is_forward() {
            true if end == high => low,
            true => end,
            false if start == low => high,
            false => start,
        };
        let touches = |rect: &Rect| {
            let (start, end) = rect.span(axis);
            let facing = if dir.is_forward() { start } else { end };
            let (a, b) = (rect.span(across), here.span(across));
            facing == edge && !rect.is_empty() && a.0 < b.1 && b.0 < a.1
        };
        let candidates: Vec<PaneId> =
            rects.iter().filter(|(id, rect)| *id != from && touches(rect)).map(|(id, _)| *id).collect();
        recent.iter().find(|id| candidates.contains(id)).or_else(|| candidates.first()).copied()
    }
}
