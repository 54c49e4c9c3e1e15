//! Owns the picture that is drawn once per frame: a ratatui buffer, what that buffer cannot hold, and the cursor.
//!
//! Widgets draw into `Canvas::buffer`; underline styles, underline colours and links stand in a side grid of the same
//! size. Must not know: who draws, who receives, how cells become bytes.
use ratatui::{
    buffer::{Buffer, Cell},
    layout::Rect,
    style::{Color, Modifier},
};
use std::{collections::HashMap, sync::Arc};

/// Most different links on one canvas; more than a screen of one-cell links is never needed, the rest lose theirs.
const MAX_LINKS: usize = 4096;

/// How a cell is underlined. Counts only where the buffer's cell has `Modifier::UNDERLINED`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Underline {
    /// One straight line.
    #[default]
    Single,
    /// Two lines.
    Double,
    /// A wave.
    Curl,
    /// Dots.
    Dotted,
    /// Dashes.
    Dashed,
}

/// What a cell carries beside ratatui's cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Shape of the underline.
    pub underline: Underline,
    /// Colour of the underline; `Reset` follows the text.
    pub underline_color: Color,
    /// Number of a link of this canvas; 0 is none.
    pub link: u16,
}

impl Default for Side {
    fn default() -> Self {
        Self { underline: Underline::Single, underline_color: Color::Reset, link: 0 }
    }
}

/// A hyperlink: cells with equal identifier and target belong together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// Identifier given by the program or made up by us.
    pub id: String,
    /// Target.
    pub uri: String,
}

/// The shape of a cursor, in DECSCUSR's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CursorShape {
    /// The terminal's own.
    #[default]
    Default,
    /// Block, blinking or not.
    Block {
        /// It blinks.
        blink: bool,
    },
    /// Underline, blinking or not.
    Underline {
        /// It blinks.
        blink: bool,
    },
    /// Bar, blinking or not.
    Bar {
        /// It blinks.
        blink: bool,
    },
}

impl CursorShape {
    /// The parameter of DECSCUSR, 0 to 6.
    pub fn code(self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Block { blink } => 2 - u8::from(blink),
            Self::Underline { blink } => 4 - u8::from(blink),
            Self::Bar { blink } => 6 - u8::from(blink),
        }
    }
}

/// Where the cursor is shown on a canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanvasCursor {
    /// Column from 0.
    pub x: u16,
    /// Row from 0.
    pub y: u16,
    /// Shape.
    pub shape: CursorShape,
}

/// Neighbouring cells of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// The row.
    pub y: u16,
    /// The first column.
    pub from: u16,
    /// The column behind the last one.
    pub to: u16,
}

impl Stretch {
    /// Every row of an area.
    pub fn rows(area: Rect) -> impl Iterator<Item = Self> {
        (area.top()..area.bottom()).map(move |y| Self { y, from: area.left(), to: area.right() })
    }
}

/// One frame before it is diffed.
#[derive(Clone, Debug)]
pub struct Canvas {
    /// Text and ordinary styles; its area starts at 0,0.
    pub buffer: Buffer,
    /// The visible cursor, or none.
    pub cursor: Option<CanvasCursor>,
    side: Vec<Side>,
    links: Vec<Arc<Link>>,
    numbers: HashMap<Arc<Link>, u16>,
}

impl Canvas {
    /// A blank canvas of `width` × `height` cells.
    pub fn new(width: u16, height: u16) -> Self {
        let area = Rect::new(0, 0, width, height);
        Self {
            buffer: Buffer::empty(area),
            cursor: None,
            side: vec![Side::default(); area.area() as usize],
            links: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// The whole canvas.
    pub fn area(&self) -> Rect {
        self.buffer.area
    }

    /// Makes the canvas blank and gives it this size, keeping its memory.
    pub fn reset(&mut self, width: u16, height: u16) {
        let area = Rect::new(0, 0, width, height);
        self.buffer.resize(area);
        self.buffer.reset();
        self.side.clear();
        self.side.resize(area.area() as usize, Side::default());
        self.links.clear();
        self.numbers.clear();
        self.cursor = None;
    }

    /// Blanks `area` in buffer and side grid and hides a cursor in it: what an overlay does before it draws.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.area());
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                self.put(x, y, Cell::EMPTY, Side::default());
            }
        }
        if self.cursor.is_some_and(|cursor| area.contains((cursor.x, cursor.y).into())) {
            self.cursor = None;
        }
    }

    fn index(&self, x: u16, y: u16) -> Option<usize> {
        let Rect { width, height, .. } = self.buffer.area;
        (x < width && y < height).then(|| usize::from(y) * usize::from(width) + usize::from(x))
    }

    /// The side cell at a position; the default outside.
    pub fn side(&self, x: u16, y: u16) -> Side {
        self.index(x, y).and_then(|at| self.side.get(at)).copied().unwrap_or_default()
    }

    /// Replaces the side cell at a position; nothing happens outside.
    pub fn set_side(&mut self, x: u16, y: u16, side: Side) {
        if let Some(slot) = self.index(x, y).and_then(|at| self.side.get_mut(at)) {
            *slot = side;
        }
    }

    /// Replaces buffer and side cell at a position; nothing happens outside.
    pub fn put(&mut self, x: u16, y: u16, cell: Cell, side: Side) {
        let Some(at) = self.index(x, y) else { return };
        if let (Some(slot), Some(beside)) = (self.buffer.content.get_mut(at), self.side.get_mut(at)) {
            *slot = cell;
            *beside = side;
        }
    }

    /// A row of both grids, for whoever walks the whole canvas; empty outside.
    pub fn row(&self, y: u16) -> (&[Cell], &[Side]) {
        let width = usize::from(self.buffer.area.width);
        let range = usize::from(y) * width..(usize::from(y) + 1) * width;
        match (self.buffer.content.get(range.clone()), self.side.get(range)) {
            (Some(cells), Some(sides)) => (cells, sides),
            _ => (&[], &[]),
        }
    }

    /// As `row`, to be written.
    pub fn row_mut(&mut self, y: u16) -> (&mut [Cell], &mut [Side]) {
        let width = usize::from(self.buffer.area.width);
        let range = usize::from(y) * width..(usize::from(y) + 1) * width;
        match (self.buffer.content.get_mut(range.clone()), self.side.get_mut(range)) {
            (Some(cells), Some(sides)) => (cells, sides),
            _ => (&mut [], &mut []),
        }
    }

    /// The number of a link, 0 if the canvas holds too many.
    pub fn link_number(&mut self, link: &Link) -> u16 {
        if let Some(number) = self.numbers.get(link) {
            return *number;
        }
        if self.links.len() >= MAX_LINKS {
            return 0;
        }
        let link = Arc::new(link.clone());
        self.links.push(Arc::clone(&link));
        let number = u16::try_from(self.links.len()).unwrap_or(0);
        self.numbers.insert(link, number);
        number
    }

    /// True if new links are no longer kept.
    pub fn link_table_is_full(&self) -> bool {
        self.links.len() >= MAX_LINKS
    }

    /// The link with this number.
    pub fn link(&self, number: u16) -> Option<&Arc<Link>> {
        self.links.get(usize::from(number).checked_sub(1)?)
    }

    /// The text of the canvas, one line per row without trailing blanks.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for y in 0..self.area().height {
            let start = text.len();
            let mut skip = 0;
            for cell in self.row(y).0 {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                text.push_str(cell.symbol());
                skip = width(cell.symbol()).saturating_sub(1);
            }
            let kept = text[start..].trim_end_matches(' ').len();
            text.truncate(start + kept);
            text.push('\n');
        }
        text
    }
}

/// Columns that a cell's symbol takes, 1 or 2.
pub fn width(symbol: &str) -> usize {
    if symbol.len() == 1 {
        return 1;
    }
    unicode_width::UnicodeWidthStr::width(symbol).clamp(1, 2)
}

/// True if the cell looks like an empty one: a blank of the default background without anything that shows on blanks.
pub fn is_blank(cell: &Cell) -> bool {
    cell.bg == Color::Reset
        && !cell.modifier.intersects(Modifier::UNDERLINED | Modifier::REVERSED | Modifier::CROSSED_OUT)
        && matches!(cell.symbol(), " " | "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_an_area_takes_links_styles_and_cursor_with_it() {
        let mut canvas = Canvas::new(4, 2);
        let link = canvas.link_number(&Link { id: "1".into(), uri: "u".into() });
        canvas.buffer.set_string(0, 0, "abcd", ratatui::style::Style::new());
        canvas.set_side(1, 0, Side { link, ..Side::default() });
        canvas.cursor = Some(CanvasCursor { x: 1, y: 0, shape: CursorShape::Default });
        canvas.clear(Rect::new(1, 0, 2, 9));
        assert_eq!(canvas.text(), "a  d\n\n");
        assert_eq!(canvas.side(1, 0), Side::default());
        assert_eq!(canvas.cursor, None);
    }

    #[test]
    fn equal_links_share_a_number_and_the_number_of_links_is_bounded() {
        let mut canvas = Canvas::new(1, 1);
        let link = |n: usize| Link { id: n.to_string(), uri: "u".into() };
        assert_eq!(canvas.link_number(&link(0)), canvas.link_number(&link(0)));
        for n in 0..MAX_LINKS {
            assert_ne!(canvas.link_number(&link(n)), 0);
        }
        assert_eq!(canvas.link_number(&link(MAX_LINKS)), 0);
    }
}
