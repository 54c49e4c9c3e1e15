//! Owns the layout tree of one window: which pane is where, in whole cells, for any area.
//!
//! Pure geometry. Must not know: what is in a pane, borders beyond the room they need, zoom, or who has the focus.
//! Panes tile the area exactly and without gaps; each draws its own border inside its rectangle.
mod geometry;
mod navigate;
mod text;
mod tree;

#[cfg(test)]
mod tests;

pub use geometry::{Axis, Dir, MIN_HEIGHT, MIN_WIDTH, Rect};
pub use text::LayoutTextError;

use crate::mux::PaneId;
use serde::{Deserialize, Serialize};
pub(crate) use tree::Node;
use tree::{Child, Split};

/// How a window's panes tile its area; the default holds no pane.
///
/// Sizes are kept as ratios, so the same tree fits every client and keeps its proportions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Option<Node>", into = "Option<Node>")]
pub struct Layout {
    root: Option<Node>,
}

/// How much of a pane's space a new neighbour takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Half of it.
    Half,
    /// Percent of it, clamped to 1–99.
    Percent(u8),
    /// Cells along the split, border included, clamped so that both sides keep their minimum where there is room.
    Cells(u16),
}

impl Layout {
    /// A window with one pane.
    pub fn single(pane: PaneId) -> Self {
        Self { root: Some(Node::Pane(pane)) }
    }

    /// Builds from a tree, dropping what a saved file may have wrong (a pane twice, splits of one).
    pub(crate) fn from_root(root: Option<Node>) -> Self {
        let mut seen = Vec::new();
        Self { root: root.and_then(|node| node.sound(&mut seen)) }
    }

    /// Every pane, left to right and top to bottom as the tree has them.
    pub fn panes(&self) -> Vec<PaneId> {
        let mut panes = Vec::new();
        if let Some(root) = &self.root {
            root.panes(&mut panes);
        }
        panes
    }

    /// Whether the pane is in this window.
    pub fn contains(&self, pane: PaneId) -> bool {
        self.root.as_ref().is_some_and(|root| root.contains(pane))
    }

    /// The rectangle of every pane, in the order of [`Layout::panes`].
    ///
    /// They tile `area` exactly. No pane is below [`MIN_WIDTH`] × [`MIN_HEIGHT`] while the area has room for that;
    /// in a smaller one panes may have no cells at all.
    pub fn rects(&self, area: Rect) -> Vec<(PaneId, Rect)> {
        let mut rects = Vec::new();
        if let Some(root) = &self.root {
            root.place(area, &mut rects);
        }
        rects
    }

    /// The rectangle of one pane.
    pub fn rect_of(&self, pane: PaneId, area: Rect) -> Option<Rect> {
        self.rects(area).into_iter().find_map(|(id, rect)| (id == pane).then_some(rect))
    }

    /// The pane that covers a cell.
    pub fn pane_at(&self, x: u16, y: u16, area: Rect) -> Option<PaneId> {
        self.rects(area).into_iter().find_map(|(id, rect)| rect.contains(x, y).then_some(id))
    }

    /// Puts `new` beside `target` (after it, or before), taking its share of the target's space.
    ///
    /// False, and nothing changes, when `target` is absent or `new` is already here. Size limits are not checked:
    /// compare the target's rectangle with [`MIN_WIDTH`] and [`MIN_HEIGHT`] to refuse a split that nobody could read.
    pub fn split(
        &mut self,
        target: PaneId,
        axis: Axis,
        new: PaneId,
        share: Share,
        before: bool,
        area: Rect,
    ) -> bool {
        let Some(rect) = self.rect_of(target, area) else { return false };
        if self.contains(new) {
            return false;
        }
        let (numerator, denominator) = match share {
            Share::Half => (1, 2),
            Share::Percent(percent) => (u64::from(percent.clamp(1, 99)), 100),
            Share::Cells(cells) => {
                let (size, min) = (rect.size(axis), axis.min_size());
                let most = size.saturating_sub(min).max(1);
                (u64::from(cells.clamp(min.min(most), most)), u64::from(size).max(2))
            }
        };
        match &mut self.root {
            Some(root) => root.split(target, axis, new, (numerator, denominator), before),
            None => false,
        }
    }

    /// Puts `new` beside everything that is here, taking its share of the whole area. False when it is here already.
    pub fn split_whole(&mut self, axis: Axis, new: PaneId, share: Share, before: bool, area: Rect) -> bool {
        if self.contains(new) {
            return false;
        }
        let Some(root) = self.root.take() else { return false };
        let total = area.size(axis);
        let part = match share {
            Share::Half => total / 2,
            Share::Percent(percent) => (u32::from(total) * u32::from(percent.clamp(1, 99)) / 100) as u16,
            Share::Cells(cells) => cells,
        };
        let part = part.clamp(1, total.saturating_sub(1).max(1));
        let rest = u32::from(total.saturating_sub(part)).max(1);
        let mut parts = vec![(rest, root), (u32::from(part), Node::Pane(new))];
        if before {
            parts.reverse();
        }
        self.root = weighted(axis, parts);
        true
    }

    /// Makes a pane and the others of its row or column equally large. False when it is alone.
    pub fn spread(&mut self, pane: PaneId) -> bool {
        self.root.as_mut().is_some_and(|root| root.spread(pane))
    }

    /// Takes a pane out; the pane before it (after it, for a first one) gets the space. False when absent.
    pub fn remove(&mut self, pane: PaneId) -> bool {
        if !self.contains(pane) {
            return false;
        }
        let root = self.root.take();
        self.root = root.and_then(|node| node.without(pane));
        true
    }

    /// Exchanges the places of two panes. False unless both are here.
    pub fn swap(&mut self, a: PaneId, b: PaneId) -> bool {
        if !self.contains(a) || !self.contains(b) {
            return false;
        }
        self.rename(|pane| match pane {
            pane if pane == a => b,
            pane if pane == b => a,
            pane => pane,
        });
        true
    }

    /// Puts a pane in the place of another. False when `old` is absent or `new` already here.
    pub fn replace(&mut self, old: PaneId, new: PaneId) -> bool {
        if !self.contains(old) || self.contains(new) {
            return false;
        }
        self.rename(|pane| if pane == old { new } else { pane });
        true
    }

    /// Moves every pane one place on (forward: to the place of the next one), the last to the first place.
    pub fn rotate(&mut self, forward: bool) {
        let mut panes = self.panes();
        if panes.is_empty() {
            return;
        }
        if forward {
            panes.rotate_right(1);
        } else {
            panes.rotate_left(1);
        }
        let mut order = panes.into_iter();
        self.rename(|pane| order.next().unwrap_or(pane));
    }

    /// The pane after this one in order, the first after the last. `None` when absent.
    pub fn next(&self, pane: PaneId) -> Option<PaneId> {
        self.beside(pane, 1)
    }

    /// The pane before this one in order, the last before the first. `None` when absent.
    pub fn previous(&self, pane: PaneId) -> Option<PaneId> {
        self.beside(pane, -1)
    }

    fn beside(&self, pane: PaneId, step: isize) -> Option<PaneId> {
        let panes = self.panes();
        let at = panes.iter().position(|id| *id == pane)?;
        let to = at.checked_add_signed(step).unwrap_or(panes.len() - 1) % panes.len();
        panes.get(to).copied()
    }

    fn rename(&mut self, mut name: impl FnMut(PaneId) -> PaneId) {
        if let Some(root) = &mut self.root {
            root.rename(&mut name);
        }
    }

    /// Moves the border on the `dir` side of a pane by `cells`, as tmux's `resize-pane -L/-R/-U/-D`.
    ///
    /// The border on the right (or below) moves; for the last pane of a row or column, the one on its left (or
    /// above). Panes that get in the way shrink to their minimum one after the other. False when nothing could move.
    pub fn resize(&mut self, pane: PaneId, dir: Dir, cells: u16, area: Rect) -> bool {
        let delta = i32::from(cells) * if dir.is_forward() { 1 } else { -1 };
        self.move_border(pane, dir.axis(), area, |_, _| delta)
    }

    /// Gives a pane a width, a height or both, border included, as far as its neighbours can give way.
    ///
    /// False when nothing changed, as for a pane that has no neighbour on that axis.
    pub fn resize_to(&mut self, pane: PaneId, width: Option<u16>, height: Option<u16>, area: Rect) -> bool {
        let mut changed = false;
        for (axis, wanted) in [(Axis::Horizontal, width), (Axis::Vertical, height)] {
            let Some(wanted) = wanted else { continue };
            changed |= self.move_border(pane, axis, area, |size, is_last| {
                let growth = i32::from(wanted) - i32::from(size);
                if is_last { -growth } else { growth }
            });
        }
        changed
    }

    /// Moves the border that belongs to a pane on one axis by what `delta(size, is_last)` says.
    fn move_border(
        &mut self,
        pane: PaneId,
        axis: Axis,
        area: Rect,
        delta: impl FnOnce(u16, bool) -> i32,
    ) -> bool {
        let Some((split, rect, at)) = self.root.as_mut().and_then(|root| root.nearest(pane, axis, area))
        else {
            return false;
        };
        let mut sizes = split.sizes(rect.size(axis));
        let mins = split.mins();
        let is_last = at + 1 == sizes.len();
        let delta = delta(sizes[at], is_last);
        let border = if is_last { at } else { at + 1 };
        if !geometry::shift_border(&mut sizes, &mins, border, delta) {
            return false;
        }
        split.set_sizes(&sizes);
        true
    }
}

impl From<Option<Node>> for Layout {
    fn from(root: Option<Node>) -> Self {
        Self::from_root(root)
    }
}

impl From<Layout> for Option<Node> {
    fn from(layout: Layout) -> Self {
        layout.root
    }
}

/// A split of equal parts, for presets.
pub(crate) fn even(axis: Axis, nodes: Vec<Node>) -> Option<Node> {
    weighted(axis, nodes.into_iter().map(|node| (1, node)).collect())
}

/// A split of weighted parts, for presets.
pub(crate) fn weighted(axis: Axis, parts: Vec<(u32, Node)>) -> Option<Node> {
    let children = parts.into_iter().map(|(weight, node)| Child { weight, node }).collect();
    Node::Split(Split { axis, children }).sound(&mut Vec::new())
}
