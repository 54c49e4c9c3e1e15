//! Owns the named arrangements of a window's panes, with tmux's names.
use super::layout::{Axis, Layout, even, weighted};
use crate::mux::{PaneId, layout::Node};
use std::{fmt, str::FromStr};

/// Percent of the window that the main pane of a `main-*` arrangement gets: most of it, at any terminal size.
const MAIN_PERCENT: u32 = 60;

/// An arrangement of all panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Side by side, equally wide.
    EvenHorizontal,
    /// Stacked, equally high.
    EvenVertical,
    /// The first pane above, the others side by side below it.
    MainHorizontal,
    /// The first pane on the left, the others stacked on its right.
    MainVertical,
    /// Rows and columns of nearly equal size.
    Tiled,
}

impl Preset {
    /// All of them, in the order in which `next-layout` goes through them.
    pub const ALL: [Self; 5] =
        [Self::EvenHorizontal, Self::EvenVertical, Self::MainHorizontal, Self::MainVertical, Self::Tiled];

    /// The name that `select-layout` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EvenHorizontal => "even-horizontal",
            Self::EvenVertical => "even-vertical",
            Self::MainHorizontal => "main-horizontal",
            Self::MainVertical => "main-vertical",
            Self::Tiled => "tiled",
        }
    }

    /// The one before this, the last before the first.
    pub fn previous(self) -> Self {
        let at = Self::ALL.iter().position(|preset| *preset == self).unwrap_or(0);
        Self::ALL[(at + Self::ALL.len() - 1) % Self::ALL.len()]
    }

    /// The one after this, the first after the last.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|preset| *preset == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No arrangement has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no layout is called {name:?}; the nearest name is {nearest}")]
pub struct UnknownPreset {
    /// What was asked for.
    pub name: String,
    /// The name that differs least.
    pub nearest: Preset,
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    /// Takes a name or, as tmux does, its beginning where only one arrangement begins so.
    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        let mut begun =
            Self::ALL.into_iter().filter(|preset| !name.is_empty() && preset.name().starts_with(name));
        if let (Some(only), None) = (begun.next(), begun.next()) {
            return Ok(only);
        }
        let nearest = Self::ALL
            .into_iter()
            .min_by_key(|preset| strsim::damerau_levenshtein(name, preset.name()))
            .unwrap_or(Self::Tiled);
        Err(UnknownPreset { name: name.to_owned(), nearest })
    }
}

impl Layout {
    /// Arranges all panes anew, in their order. Ratios, so it holds for every area.
    pub fn apply_preset(&mut self, preset: Preset) {
        let panes = self.panes();
        let root = match preset {
            Preset::EvenHorizontal => row(Axis::Horizontal, &panes),
            Preset::EvenVertical => row(Axis::Vertical, &panes),
            Preset::MainHorizontal => main(Axis::Vertical, &panes),
            Preset::MainVertical => main(Axis::Horizontal, &panes),
            Preset::Tiled => tiled(&panes),
        };
        *self = Self::from_root(root);
    }
}

fn row(axis: Axis, panes: &[PaneId]) -> Option<Node> {
    even(axis, panes.iter().copied().map(Node::Pane).collect())
}

/// The first pane, and along `axis` after it a line of the others.
fn main(axis: Axis, panes: &[PaneId]) -> Option<Node> {
    let (first, others) = panes.split_first()?;
    let mut parts = vec![(MAIN_PERCENT, Node::Pane(*first))];
    parts.extend(row(axis.across(), others).map(|node| (100 - MAIN_PERCENT, node)));
    weighted(axis, parts)
}

/// As many rows as columns, or one more; the last row shares its width among what is left.
fn tiled(panes: &[PaneId]) -> Option<Node> {
    let (mut rows, mut columns) = (1, 1);
    while rows * columns < panes.len() {
        rows += 1;
        if rows * columns < panes.len() {
            columns += 1;
        }
    }
    even(Axis::Vertical, panes.chunks(columns).filter_map(|line| row(Axis::Horizontal, line)).collect())
}
