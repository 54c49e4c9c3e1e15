//! Owns the nodes of the layout tree and keeps them sound.
//!
//! Sound: no pane twice, every split has at least two parts, no split lies directly in one of the same axis, and the
//! weights of a split add up to [`UNIT`].
use super::geometry::{Axis, Rect, divide};
use crate::mux::PaneId;
use serde::{Deserialize, Serialize};

/// What the weights of one split add up to: fine enough that rounding never moves a border of 65,535 cells.
const UNIT: u32 = 1 << 24;

/// A part of the window: a pane, or a split of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Node {
    /// A leaf.
    Pane(PaneId),
    /// Parts side by side or stacked.
    Split(Split),
}

/// Parts along one axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Split {
    pub(super) axis: Axis,
    pub(super) children: Vec<Child>,
}

/// One part of a split and its weight among the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Child {
    pub(super) weight: u32,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn panes(&self, into: &mut Vec<PaneId>) {
        match self {
            Self::Pane(pane) => into.push(*pane),
            Self::Split(split) => split.children.iter().for_each(|child| child.node.panes(into)),
        }
    }

    pub(super) fn contains(&self, pane: PaneId) -> bool {
        match self {
            Self::Pane(id) => *id == pane,
            Self::Split(split) => split.children.iter().any(|child| child.node.contains(pane)),
        }
    }

    pub(super) fn rename(&mut self, name: &mut impl FnMut(PaneId) -> PaneId) {
        match self {
            Self::Pane(pane) => *pane = name(*pane),
            Self::Split(split) => split.children.iter_mut().for_each(|child| child.node.rename(name)),
        }
    }

    /// Lays the panes below this node out in `area`.
    pub(super) fn place(&self, area: Rect, into: &mut Vec<(PaneId, Rect)>) {
        match self {
            Self::Pane(pane) => into.push((*pane, area)),
            Self::Split(split) => {
                let mut offset = 0;
                for (child, size) in split.children.iter().zip(split.sizes(area.size(split.axis))) {
                    child.node.place(area.slice(split.axis, offset, size), into);
                    offset += size;
                }
            }
        }
    }

    /// The least length along an axis at which every pane below keeps its minimum.
    pub(super) fn min_size(&self, axis: Axis) -> u32 {
        match self {
            Self::Pane(_) => u32::from(axis.min_size()),
            Self::Split(split) => {
                let sizes = split.children.iter().map(|child| child.node.min_size(axis));
                if split.axis == axis { sizes.sum() } else { sizes.max().unwrap_or(0) }
            }
        }
    }

    /// Puts `new` beside `target`; `share` is a fraction of the target's space. False when `target` is not below.
    pub(super) fn split(
        &mut self,
        target: PaneId,
        axis: Axis,
        new: PaneId,
        share: (u64, u64),
        before: bool,
    ) -> bool {
        match self {
            Self::Pane(pane) if *pane == target => {
                let mut split =
                    Split { axis, children: vec![Child { weight: UNIT, node: Self::Pane(target) }] };
                split.insert_beside(0, new, share, before);
                *self = Self::Split(split);
                true
            }
            Self::Pane(_) => false,
            Self::Split(split) => {
                let at = split.children.iter().position(|child| child.node.contains(target));
                let Some(at) = at else { return false };
                if split.axis == axis && split.children[at].node == Self::Pane(target) {
                    split.insert_beside(at, new, share, before);
                    return true;
                }
                split.children[at].node.split(target, axis, new, share, before)
            }
        }
    }

    /// Gives the parts of the split that a pane is directly in equal weights.
    pub(super) fn spread(&mut self, pane: PaneId) -> bool {
        let Self::Split(split) = self else { return false };
        let Some(at) = split.children.iter().position(|child| child.node.contains(pane)) else {
            return false;
        };
        if split.children[at].node != Self::Pane(pane) {
            return split.children[at].node.spread(pane);
        }
        for child in &mut split.children {
            child.weight = 1;
        }
        split.scale();
        true
    }

    /// This node without a pane; `None` when nothing is left.
    pub(super) fn without(self, pane: PaneId) -> Option<Self> {
        let Self::Split(mut split) = self else {
            return (self != Self::Pane(pane)).then_some(self);
        };
        let Some(at) = split.children.iter().position(|child| child.node.contains(pane)) else {
            return Some(Self::Split(split));
        };
        let Child { weight, node } = split.children.remove(at);
        match node.without(pane) {
            Some(node) => split.children.insert(at, Child { weight, node }),
            None => {
                if let Some(heir) = split.children.get_mut(at.saturating_sub(1)) {
                    heir.weight = heir.weight.saturating_add(weight);
                }
            }
        }
        Self::Split(split).settled()
    }

    /// The node made sound, without panes that `seen` already has.
    pub(super) fn sound(self, seen: &mut Vec<PaneId>) -> Option<Self> {
        match self {
            Self::Pane(pane) if seen.contains(&pane) => None,
            Self::Pane(pane) => {
                seen.push(pane);
                Some(self)
            }
            Self::Split(split) => {
                let keep = |child: Child| {
                    child.node.sound(seen).map(|node| Child { weight: child.weight.min(UNIT), node })
                };
                let children = split.children.into_iter().filter_map(keep).collect();
                Self::Split(Split { axis: split.axis, children }).settled()
            }
        }
    }

    /// A split whose parts are sound, made sound itself: dissolved when of one part, flattened, weights adding up.
    fn settled(self) -> Option<Self> {
        let Self::Split(mut split) = self else { return Some(self) };
        // Parts of parts are weighed against UNIT below.
        split.scale();
        let Split { axis, children } = split;
        if children.len() < 2 {
            return children.into_iter().next().map(|child| child.node);
        }
        let mut flat = Vec::with_capacity(children.len());
        for child in children {
            match child.node {
                Self::Split(inner) if inner.axis == axis => {
                    flat.extend(inner.children.into_iter().map(|part| {
                        let weight = u64::from(part.weight) * u64::from(child.weight) / u64::from(UNIT);
                        Child { weight: u32::try_from(weight).unwrap_or(UNIT), node: part.node }
                    }))
                }
                node => flat.push(Child { weight: child.weight, node }),
            }
        }
        let mut split = Split { axis, children: flat };
        split.scale();
        Some(Self::Split(split))
    }

    /// The nearest split along `axis` around a pane, its rectangle, and which of its parts holds the pane.
    pub(super) fn nearest(
        &mut self,
        pane: PaneId,
        axis: Axis,
        area: Rect,
    ) -> Option<(&mut Split, Rect, usize)> {
        let Self::Split(split) = self else { return None };
        let at = split.children.iter().position(|child| child.node.contains(pane))?;
        let sizes = split.sizes(area.size(split.axis));
        let offset = sizes[..at].iter().sum();
        let inner = area.slice(split.axis, offset, sizes[at]);
        // Looked for twice because a found borrow cannot be returned and given up on the other branch.
        if split.children[at].node.has_split_around(pane, axis) {
            return split.children[at].node.nearest(pane, axis, inner);
        }
        (split.axis == axis).then_some((split, area, at))
    }

    fn has_split_around(&self, pane: PaneId, axis: Axis) -> bool {
        let Self::Split(split) = self else { return false };
        let Some(child) = split.children.iter().find(|child| child.node.contains(pane)) else { return false };
        split.axis == axis || child.node.has_split_around(pane, axis)
    }
}

impl Split {
    /// The least useful length of each part.
    pub(super) fn mins(&self) -> Vec<u32> {
        self.children.iter().map(|child| child.node.min_size(self.axis)).collect()
    }

    /// The cells of each part when the split has `total`.
    pub(super) fn sizes(&self, total: u16) -> Vec<u16> {
        let weights: Vec<u32> = self.children.iter().map(|child| child.weight).collect();
        divide(&weights, &self.mins(), total)
    }

    /// Sets weights that give exactly these sizes at their total, which must not be zero.
    pub(super) fn set_sizes(&mut self, sizes: &[u16]) {
        let total = sizes.iter().map(|size| u64::from(*size)).sum::<u64>().max(1);
        let (mut end, mut before) = (0u64, 0u64);
        for (child, size) in self.children.iter_mut().zip(sizes) {
            end += u64::from(*size);
            let upto = (end * u64::from(UNIT) + total / 2) / total;
            child.weight = u32::try_from(upto - before).unwrap_or(UNIT);
            before = upto;
        }
    }

    /// Adds a pane next to a part, out of that part's weight.
    fn insert_beside(&mut self, at: usize, new: PaneId, (numerator, denominator): (u64, u64), before: bool) {
        let whole = u64::from(self.children[at].weight);
        let part = u32::try_from(whole * numerator / denominator.max(1)).unwrap_or(UNIT);
        self.children[at].weight = self.children[at].weight.saturating_sub(part);
        let place = if before { at } else { at + 1 };
        self.children.insert(place, Child { weight: part, node: Node::Pane(new) });
    }

    /// Scales the weights so that they add up to [`UNIT`].
    fn scale(&mut self) {
        let sum = self.children.iter().map(|child| u64::from(child.weight)).sum::<u64>();
        let (mut seen, mut before) = (0u64, 0u64);
        let count = self.children.len() as u64;
        for (at, child) in self.children.iter_mut().enumerate() {
            seen += u64::from(child.weight);
            // All weights zero: equal parts.
            let equal = u64::from(UNIT) * (at as u64 + 1) / count;
            let upto = (seen * u64::from(UNIT) + sum / 2).checked_div(sum).unwrap_or(equal);
            child.weight = u32::try_from(upto - before).unwrap_or(UNIT);
            before = upto;
        }
    }
}
