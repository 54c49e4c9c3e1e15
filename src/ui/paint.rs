//! Owns the strokes that everything is drawn with: clipped text, lines with a left and a right end, boxes.
//!
//! Writes only inside the canvas, whatever rectangle it is given. Must not know: the state.
use crate::{
    config::{Role, Theme},
    term::canvas::{self, Canvas},
};
use ratatui::{layout::Rect, style::Style};
use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A piece of a line in one role.
#[derive(Clone, Debug)]
pub(super) struct Seg<'a> {
    pub text: Cow<'a, str>,
    pub role: Role,
}

/// A piece of a line.
pub(super) fn seg<'a>(text: impl Into<Cow<'a, str>>, role: Role) -> Seg<'a> {
    Seg { text: text.into(), role }
}

/// The stand-in of a shape for terminals without UTF-8.
fn plain(c: char) -> &'static str {
    match c {
        '●' | '•' => "*",
        '◆' => "!",
        '✓' => "+",
        '○' | '·' | '—' | '–' | '─' | '▁' => "-",
        '↻' | '…' => "~",
        '▲' => "^",
        '↑' => "^",
        '↓' => "v",
        '✕' => "x",
        '⚠' => "!",
        '▸' | '›' => ">",
        '→' => ">",
        '⇄' => "%",
        '│' => "|",
        '╭' | '╮' | '╰' | '╯' | '├' | '┤' => "+",
        '⏎' => "Enter",
        '▇' => "#",
        '▏' => "_",
        _ => "?",
    }
}

/// Draws into one canvas with one theme and one set of shapes.
pub(super) struct Pen<'a> {
    pub canvas: &'a mut Canvas,
    pub theme: &'a Theme,
    pub utf8: bool,
    /// Where rows stand that the mouse can take, and their places in their list.
    pub rows: Vec<(Rect, usize)>,
}

impl Pen<'_> {
    /// Remembers that a row of a list stands here.
    pub fn row(&mut self, x: u16, y: u16, width: u16, at: usize) {
        self.rows.push((Rect { x, y, width, height: 1 }, at));
    }

    /// Columns that a text takes when this pen writes it.
    pub fn width(&self, text: &str) -> u16 {
        let columns = if self.utf8 || text.is_ascii() {
            text.width()
        } else {
            text.chars().map(|c| if c.is_ascii() { 1 } else { plain(c).len() }).sum()
        };
        u16::try_from(columns).unwrap_or(u16::MAX)
    }

    /// Columns of a whole line.
    pub fn line_width(&self, segs: &[Seg<'_>]) -> u16 {
        segs.iter().fold(0, |sum, seg| sum.saturating_add(self.width(&seg.text)))
    }

    /// As much of a text as stands in that many columns, ending in `…` when it is not all.
    pub fn fitted(&self, text: &str, room: u16) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        let mut kept = String::new();
        for grapheme in text.graphemes(true) {
            if self.width(&kept).saturating_add(self.width(grapheme)) >= room {
                break;
            }
            kept.push_str(grapheme);
        }
        kept + "…"
    }

    /// Writes a text in at most `max` columns, ending in `…` when it does not fit; returns the columns used.
    pub fn text(&mut self, x: u16, y: u16, max: u16, text: &str, role: Role) -> u16 {
        self.segs(x, y, max, &[Seg { text: Cow::Borrowed(text), role }])
    }

    /// Writes pieces one after the other in at most `max` columns; returns the columns used.
    pub fn segs(&mut self, x: u16, y: u16, max: u16, segs: &[Seg<'_>]) -> u16 {
        let area = self.canvas.area();
        if y < area.y || y >= area.bottom() || x >= area.right() || x < area.x {
            return 0;
        }
        let max = max.min(area.right() - x);
        let cut = self.line_width(segs) > max;
        let room = if cut { max.saturating_sub(1) } else { max };
        let mut used = 0;
        let mut style = Style::new();
        'line: for seg in segs {
            style = self.theme.style(seg.role);
            for grapheme in seg.text.graphemes(true) {
                if !self.utf8 && !grapheme.is_ascii() {
                    for byte in grapheme.chars().flat_map(|c| plain(c).chars()) {
                        if used >= room {
                            break 'line;
                        }
                        self.cell(x + used, y, byte.encode_utf8(&mut [0; 4]), style);
                        used += 1;
                    }
                    continue;
                }
                if grapheme.chars().any(char::is_control) {
                    continue;
                }
                let columns = grapheme.width() as u16;
                if columns == 0 {
                    continue;
                }
                if used + columns > room {
                    break 'line;
                }
                self.cell(x + used, y, grapheme, style);
                for more in 1..columns {
                    self.cell(x + used + more, y, " ", style);
                }
                used += columns;
            }
        }
        if cut && used < max {
            self.cell(x + used, y, if self.utf8 { "…" } else { "~" }, style);
            used += 1;
        }
        used
    }

    /// Writes a line whose right end stays whole while the left end gives way.
    pub fn ends(&mut self, x: u16, y: u16, width: u16, left: &[Seg<'_>], right: &[Seg<'_>]) {
        let right_width = self.line_width(right).min(width);
        let gap = u16::from(right_width > 0 && !left.is_empty());
        self.segs(x, y, width.saturating_sub(right_width + gap), left);
        self.segs(x + (width - right_width), y, right_width, right);
    }

    fn cell(&mut self, x: u16, y: u16, symbol: &str, style: Style) {
        if let Some(cell) = self.canvas.buffer.cell_mut((x, y)) {
            cell.reset();
            cell.set_symbol(symbol).set_style(style);
        }
    }

    /// Empties a rectangle; a wide character that reaches into it from the left is taken away whole.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.canvas.area());
        self.canvas.clear(area);
        self.canvas.buffer.set_style(area, self.theme.style(Role::Text));
        let Some(before) = area.x.checked_sub(1) else { return };
        for y in area.y..area.bottom() {
            if let Some(cell) = self.canvas.buffer.cell_mut((before, y))
                && canvas::width(cell.symbol()) > 1
            {
                cell.set_symbol(" ");
            }
        }
    }

    /// Gives a stretch of a row the look of the chosen row.
    pub fn select(&mut self, x: u16, y: u16, width: u16) {
        let style = self.theme.style(Role::Selection);
        let row = Rect { x, y, width, height: 1 }.intersection(self.canvas.area());
        self.canvas.buffer.set_style(row, style);
    }

    /// Exchanges text and background of a stretch of a row.
    pub fn reverse(&mut self, x: u16, y: u16, width: u16) {
        let row = Rect { x, y, width, height: 1 }.intersection(self.canvas.area());
        self.canvas.buffer.set_style(row, Style::new().add_modifier(ratatui::style::Modifier::REVERSED));
    }

    /// Draws a rounded border around `area`.
    pub fn border(&mut self, area: Rect, role: Role) {
        if area.width < 2 || area.height < 2 {
            return;
        }
        let style = self.theme.style(role);
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        let (h, v) = if self.utf8 { ("─", "│") } else { ("-", "|") };
        let corners = if self.utf8 { ["╭", "╮", "╰", "╯"] } else { ["+"; 4] };
        for x in area.x + 1..right {
            self.cell(x, area.y, h, style);
            self.cell(x, bottom, h, style);
        }
        for y in area.y + 1..bottom {
            self.cell(area.x, y, v, style);
            self.cell(right, y, v, style);
        }
        self.cell(area.x, area.y, corners[0], style);
        self.cell(right, area.y, corners[1], style);
        self.cell(area.x, bottom, corners[2], style);
        self.cell(right, bottom, corners[3], style);
    }

    /// Writes into a border row: `╭ left ─── right ╮`. Each end keeps a space on both sides.
    pub fn on_border(&mut self, area: Rect, y: u16, left: &[Seg<'_>], right: &[Seg<'_>]) {
        let Some(room) = area.width.checked_sub(4).filter(|room| *room > 0) else { return };
        let right_width = if right.is_empty() { 0 } else { self.line_width(right).min(room) };
        if right_width > 0 {
            let x = area.right() - 2 - right_width;
            self.text(x - 1, y, 1, " ", Role::Border);
            self.segs(x, y, right_width, right);
            self.text(x + right_width, y, 1, " ", Role::Border);
        }
        // Two spaces and one stroke part the ends.
        let left_room = if right_width > 0 { room.saturating_sub(right_width + 3) } else { room };
        if !left.is_empty() && left_room > 0 {
            let used = self.segs(area.x + 2, y, left_room, left);
            self.text(area.x + 1, y, 1, " ", Role::Border);
            self.text(area.x + 2 + used, y, 1, " ", Role::Border);
        }
    }

    /// A box over what is there, with a title and hints in its bottom border; returns the inside.
    pub fn dialog(&mut self, area: Rect, role: Role, title: &[Seg<'_>], hints: &[Seg<'_>]) -> Rect {
        self.clear(area);
        self.border(area, role);
        self.on_border(area, area.y, title, &[]);
        if area.height > 1 {
            self.on_border(area, area.bottom() - 1, &[], hints);
        }
        inside(area)
    }

    /// A line across a box, joined to its sides, with a heading: `├ executors ───┤`.
    pub fn divider(&mut self, area: Rect, y: u16, heading: &str, role: Role) {
        let style = self.theme.style(role);
        let strokes = if self.utf8 { ["├", "─", "┤"] } else { ["+", "-", "+"] };
        for x in area.x..area.right() {
            let at = if x == area.x { 0 } else { usize::from(x + 1 == area.right()) + 1 };
            self.cell(x, y, strokes[at], style);
        }
        if !heading.is_empty() {
            self.on_border(area, y, &[seg(heading, Role::Dim)], &[]);
        }
    }
}

/// The inside of a bordered rectangle.
pub(super) fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1),
        y: area.y.saturating_add(1),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// A rectangle of this size in the middle of another, cut to it.
pub(super) fn centered(within: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(within.width), height.min(within.height));
    Rect {
        x: within.x + (within.width - width) / 2,
        y: within.y + (within.height - height) / 2,
        width,
        height,
    }
}
