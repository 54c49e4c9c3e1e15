//! Owns the layout as text, in tmux's notation: `b25d,80x24,0,0{40x24,0,0,1,39x24,41,0,2}` with its checksum.
//!
//! tmux keeps a column or row between panes; here each pane brings its own border. A part that is not the last of its
//! split is therefore written one cell shorter than it is, so that either program takes what the other printed.
use super::{
    Layout, Node,
    geometry::{Axis, Rect},
    tree::{Child, Split},
};
use crate::mux::PaneId;
use std::fmt::Write as _;

/// Deeper nesting than this is no layout that anybody made.
const MAX_DEPTH: usize = 64;

/// Why a text is no layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutTextError {
    /// The four digits in front do not belong to the rest.
    #[error("the layout's checksum is {found}, and what follows has {wanted}; it is damaged")]
    Checksum {
        /// What is written there.
        found: String,
        /// What belongs there.
        wanted: String,
    },
    /// It ends or goes on where it must not.
    #[error("the layout cannot be read at {0:?}")]
    Syntax(String),
    /// It has another number of panes than the window.
    #[error("the layout is for {wanted} panes and the window has {has}")]
    Panes {
        /// In the text.
        wanted: usize,
        /// In the window.
        has: usize,
    },
}

/// tmux's checksum of a layout.
fn checksum(text: &str) -> u16 {
    text.bytes().fold(0u16, |sum, byte| sum.rotate_right(1).wrapping_add(u16::from(byte)))
}

impl Layout {
    /// The layout of a window with this area, as `#{window_layout}` prints it.
    pub fn to_text(&self, area: Rect) -> String {
        let mut text = String::new();
        if let Some(root) = &self.root {
            write_node(&mut text, root, area, (0, 0));
        }
        format!("{:04x},{text}", checksum(&text))
    }

    /// Reads a layout and puts these panes into its places, in their order; its own numbers of panes are not looked at.
    ///
    /// # Errors
    /// [`LayoutTextError`] when the checksum is wrong, the text is no layout, or it has another number of places.
    pub fn from_text(text: &str, panes: &[PaneId]) -> Result<Self, LayoutTextError> {
        let syntax = |rest: &str| LayoutTextError::Syntax(rest.chars().take(20).collect());
        let (found, body) = text.split_once(',').ok_or_else(|| syntax(text))?;
        let wanted = format!("{:04x}", checksum(body));
        if !found.eq_ignore_ascii_case(&wanted) {
            return Err(LayoutTextError::Checksum { found: found.chars().take(8).collect(), wanted });
        }
        let mut reader = Reader { rest: body };
        let written = reader.node(0).ok_or_else(|| syntax(reader.rest))?;
        if !reader.rest.is_empty() {
            return Err(syntax(reader.rest));
        }
        let (size, mut places) = (written.size, 0);
        let root = written.node(size, &mut places).ok_or_else(|| syntax(body))?;
        if usize::try_from(places) != Ok(panes.len()) {
            return Err(LayoutTextError::Panes { wanted: places as usize, has: panes.len() });
        }
        let mut layout = Self { root: Some(root) };
        let mut order = panes.iter().copied();
        layout.rename(|pane| order.next().unwrap_or(pane));
        Ok(Self::from_root(layout.root))
    }
}

/// `short` says by how many cells the part is written shorter than it is, in each direction.
fn write_node(text: &mut String, node: &Node, area: Rect, short: (u16, u16)) {
    let width = area.w.saturating_sub(short.0).max(1);
    let height = area.h.saturating_sub(short.1).max(1);
    let _ = write!(text, "{width}x{height},{},{}", area.x, area.y);
    match node {
        Node::Pane(pane) => {
            let _ = write!(text, ",{}", pane.0);
        }
        Node::Split(split) => {
            let (open, close) = if split.axis == Axis::Horizontal { ('{', '}') } else { ('[', ']') };
            text.push(open);
            let sizes = split.sizes(area.size(split.axis));
            let (mut offset, last) = (0, sizes.len().saturating_sub(1));
            for (at, (child, size)) in split.children.iter().zip(sizes).enumerate() {
                if at > 0 {
                    text.push(',');
                }
                let own = if at == last { None } else { Some(1) };
                let short = match split.axis {
                    Axis::Horizontal => (own.unwrap_or(short.0), short.1),
                    Axis::Vertical => (short.0, own.unwrap_or(short.1)),
                };
                write_node(text, &child.node, area.slice(split.axis, offset, size), short);
                offset += size;
            }
            text.push(close);
        }
    }
}

/// A node as it is written.
struct Written {
    size: (u16, u16),
    parts: Option<(Axis, Vec<Written>)>,
}

impl Written {
    /// The node, where it really has `size`; `None` when parts do not fit into their split.
    fn node(self, size: (u16, u16), places: &mut u32) -> Option<Node> {
        let Some((axis, parts)) = self.parts else {
            *places += 1;
            return Some(Node::Pane(PaneId(*places)));
        };
        let (mut left, last) = (if axis == Axis::Horizontal { size.0 } else { size.1 }, parts.len() - 1);
        let mut children = Vec::with_capacity(parts.len());
        for (at, part) in parts.into_iter().enumerate() {
            let written = if axis == Axis::Horizontal { part.size.0 } else { part.size.1 };
            // The last part takes what its split was written shorter by.
            let own = if at == last { left } else { written.checked_add(1)? };
            left = left.checked_sub(own)?;
            let real = if axis == Axis::Horizontal { (own, size.1) } else { (size.0, own) };
            children.push(Child { weight: u32::from(own).max(1), node: part.node(real, places)? });
        }
        Some(Node::Split(Split { axis, children }))
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }

    fn number(&mut self) -> Option<u16> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let number = self.rest[..end].parse().ok()?;
        self.rest = &self.rest[end..];
        Some(number)
    }

    fn node(&mut self, depth: usize) -> Option<Written> {
        if depth > MAX_DEPTH {
            return None;
        }
        let width = self.number()?;
        self.take('x')?;
        let height = self.number()?;
        self.take(',')?;
        self.number()?;
        self.take(',')?;
        self.number()?;
        let size = (width, height);
        let (axis, close) = match self.rest.chars().next() {
            Some('{') => (Axis::Horizontal, '}'),
            Some('[') => (Axis::Vertical, ']'),
            _ => {
                // Some layouts written by hand leave the pane's number out; what follows is then the next part.
                let before = self.rest;
                if self.take(',').is_some() && (self.number().is_none() || self.rest.starts_with('x')) {
                    self.rest = before;
                }
                return Some(Written { size, parts: None });
            }
        };
        self.rest = &self.rest[1..];
        let mut parts = Vec::new();
        loop {
            parts.push(self.node(depth + 1)?);
            if self.take(close).is_some() {
                return Some(Written { size, parts: Some((axis, parts)) });
            }
            self.take(',')?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::{
        layout::{Dir, Share},
        presets::Preset,
    };
    use proptest::prelude::*;

    fn panes(count: u32) -> Vec<PaneId> {
        (1..=count).map(PaneId).collect()
    }

    #[test]
    fn what_tmux_prints_is_read_and_printed_again() {
        // Printed by tmux 3.3a.
        let four =
            "3e80,80x25,0,0{40x25,0,0,0,39x25,41,0[39x12,41,0,1,39x12,41,13{19x12,41,13,2,19x12,61,13,3}]}";
        let two = "9309,80x25,0,0{40x25,0,0,0,39x25,41,0,1}";
        for (count, text) in [(2, two), (4, four)] {
            let layout = Layout::from_text(text, &(0..count).map(PaneId).collect::<Vec<_>>()).unwrap();
            assert_eq!(layout.to_text(Rect::new(0, 0, 80, 25)), text);
        }
    }

    #[test]
    fn what_is_no_layout_is_said() {
        let two = panes(2);
        let error = |text: &str| Layout::from_text(text, &two).unwrap_err().to_string();
        assert!(error("0000,80x24,0,0,0").contains("b25d"));
        assert!(error("b25d,80x24,0,0,0").contains("for 1 panes and the window has 2"));
        assert!(error("tiled").contains("tiled"));
        let sum = |body: &str| format!("{:04x},{body}", checksum(body));
        assert!(error(&sum("80x24,0,0{40x24,0,0,0")).contains("cannot be read"));
        assert!(error(&sum("80x24,0,0{90x24,0,0,0,1x24,91,0,1}")).contains("cannot be read"));
        let deep = format!("{}1x1,0,0", "1x1,0,0{".repeat(MAX_DEPTH + 2));
        assert!(error(&sum(&deep)).contains("cannot be read"));
    }

    proptest! {
        #[test]
        fn a_layout_survives_being_written(
            splits in prop::collection::vec((0usize..8, any::<bool>(), 10u8..90), 0..7),
            resize in (0usize..8, 1u16..9),
            size in (60u16..200, 40u16..90),
        ) {
            let area = Rect::new(0, 0, size.0, size.1);
            let mut layout = Layout::single(PaneId(1));
            for (at, (target, side, percent)) in splits.iter().enumerate() {
                let order = layout.panes();
                let axis = if *side { Axis::Horizontal } else { Axis::Vertical };
                let new = PaneId(at as u32 + 2);
                layout.split(order[target % order.len()], axis, new, Share::Percent(*percent), false, area);
            }
            let order = layout.panes();
            layout.resize(order[resize.0 % order.len()], Dir::Right, resize.1, area);
            let text = layout.to_text(area);
            let again = Layout::from_text(&text, &layout.panes()).unwrap();
            prop_assert_eq!(again.rects(area), layout.rects(area), "{}", text);
            layout.apply_preset(Preset::Tiled);
            prop_assert!(Layout::from_text(&layout.to_text(area), &order).is_ok());
        }
    }
}
