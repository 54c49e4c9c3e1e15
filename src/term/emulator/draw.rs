//! Owns the way from the core's cells to a canvas.
use super::{Colours, Emulator};
use crate::term::{
    canvas::{Canvas, Link, Side, Stretch, Underline},
    osc::ColourSlot,
};
use alacritty_terminal::{
    grid::Dimensions as _,
    term::cell::{Cell, Flags},
    vte::ansi::{Color as CoreColor, NamedColor},
};
use ratatui::{
    buffer::Cell as CanvasCell,
    layout::Rect,
    style::{Color, Modifier},
};

impl Emulator {
    /// Draws the screen into `area`, `scroll_offset` lines up in history; what does not fit is cut off, what is left
    /// over is blanked. The cursor is the caller's business.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, scroll_offset: usize) {
        let area = area.intersection(canvas.area());
        let (cols, rows) = self.drawn_size(area);
        let screen = Rect { x: 0, y: 0, width: cols, height: rows };
        self.draw_cells(canvas, area, scroll_offset, Stretch::rows(screen));
        if cols < area.width {
            canvas.clear(Rect { x: area.x + cols, width: area.width - cols, ..area });
        }
        if rows < area.height {
            canvas.clear(Rect { y: area.y + rows, height: area.height - rows, ..area });
        }
    }

    /// Draws again, over what `draw` left of that generation, only what changed since; adds the canvas's cells.
    pub fn draw_since(&self, canvas: &mut Canvas, area: Rect, generation: u64, touched: &mut Vec<Stretch>) {
        let area = area.intersection(canvas.area());
        let (cols, rows) = self.drawn_size(area);
        let begin = touched.len();
        touched.extend((0..rows).filter_map(|y| {
            let (from, to) = self.changed_since(usize::from(y), generation)?;
            let within = |column: usize| u16::try_from(column).unwrap_or(cols).min(cols);
            Some(Stretch { y, from: within(from), to: within(to) })
        }));
        self.draw_cells(canvas, area, 0, touched[begin..].iter().copied());
        for Stretch { y, from, to } in &mut touched[begin..] {
            (*y, *from, *to) = (*y + area.y, *from + area.x, *to + area.x);
        }
    }

    /// How much of the screen an area shows.
    fn drawn_size(&self, area: Rect) -> (u16, u16) {
        let grid = self.screen.term.grid();
        let fit = |room: u16, size: usize| room.min(u16::try_from(size).unwrap_or(u16::MAX));
        (fit(area.width, grid.columns()), fit(area.height, grid.screen_lines()))
    }

    fn draw_cells(&self, canvas: &mut Canvas, area: Rect, back: usize, cells: impl Iterator<Item = Stretch>) {
        let top = self.history_len().saturating_sub(back);
        let cols = self.drawn_size(area).0;
        let blank = Cell::default();
        let colours = &self.screen.colours;
        let reversed = self.screen.extra.reverse_screen;
        for Stretch { y, from, to } in cells {
            let (cells, _) = self.cells(top + usize::from(y));
            let whole = cells.get(usize::from(from)..usize::from(to));
            // Packed lines end where their text does.
            let row = cells.get(usize::from(from)..).unwrap_or_default();
            let row = whole.unwrap_or(row);
            let drawn_cells = row.iter().chain(std::iter::repeat(&blank));
            let columns = usize::from(area.x + from)..usize::from(area.x + to);
            let (drawn, sides) = canvas.row_mut(area.y + y);
            let (Some(drawn), Some(sides)) = (drawn.get_mut(columns.clone()), sides.get_mut(columns)) else {
                continue;
            };
            let mut linked = false;
            for (x, (cell, (drawn, side))) in (from..).zip(drawn_cells.zip(drawn.iter_mut().zip(sides))) {
                cell_into(drawn, cell, colours, x + 1 == cols);
                if reversed {
                    drawn.modifier.toggle(Modifier::REVERSED);
                }
                *side = Side { underline: underline(cell.flags), ..Side::default() };
                if cell.extra.is_some() {
                    if let Some(colour) = cell.underline_color() {
                        side.underline_color = color(colour, colours);
                    }
                    linked |= cell.hyperlink().is_some();
                }
            }
            if linked {
                number_links(canvas, area.x + from, area.y + y, row);
            }
        }
    }
}

/// Gives a row's cells the canvas's numbers of their links. Links repeat from cell to cell, so the last one is
/// remembered.
fn number_links(canvas: &mut Canvas, x: u16, y: u16, cells: &[Cell]) {
    let mut last: Option<(Link, u16)> = None;
    for (x, cell) in (x..).zip(cells) {
        let Some(link) = cell.hyperlink() else { continue };
        let known = last.as_ref().filter(|(l, _)| l.id == link.id() && l.uri == link.uri()).map(|(_, n)| *n);
        let number = known.unwrap_or_else(|| {
            let link = Link { id: link.id().to_owned(), uri: link.uri().to_owned() };
            let number = canvas.link_number(&link);
            last = Some((link, number));
            number
        });
        canvas.set_side(x, y, Side { link: number, ..canvas.side(x, y) });
    }
}

fn underline(flags: Flags) -> Underline {
    match () {
        () if !flags.intersects(Flags::ALL_UNDERLINES) => Underline::Single,
        () if flags.contains(Flags::UNDERCURL) => Underline::Curl,
        () if flags.contains(Flags::DOUBLE_UNDERLINE) => Underline::Double,
        () if flags.contains(Flags::DOTTED_UNDERLINE) => Underline::Dotted,
        () if flags.contains(Flags::DASHED_UNDERLINE) => Underline::Dashed,
        () => Underline::Single,
    }
}

fn cell_into(drawn: &mut CanvasCell, cell: &Cell, colours: &Colours, last_column: bool) {
    drawn.reset();
    let spacer = Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER;
    let cut_off = last_column && cell.flags.contains(Flags::WIDE_CHAR);
    if !cell.flags.intersects(spacer) && cell.c > ' ' && !cut_off {
        match cell.zerowidth() {
            None | Some([]) => {
                drawn.set_char(cell.c);
            }
            Some(marks) => {
                let narrow = !cell.flags.contains(Flags::WIDE_CHAR);
                let symbol: String = std::iter::once(cell.c)
                    // An emoji that found no room for its second column must not claim it at the client.
                    .chain(marks.iter().copied().filter(|mark| !(narrow && *mark == '\u{fe0f}')))
                    .collect();
                drawn.set_symbol(&symbol);
            }
        }
    }
    drawn.fg = color(cell.fg, colours);
    drawn.bg = color(cell.bg, colours);
    drawn.modifier = modifier(cell.flags);
}

fn modifier(flags: Flags) -> Modifier {
    let mut modifier = Modifier::empty();
    if flags.is_empty() {
        return modifier;
    }
    for (flag, drawn) in [
        (Flags::BOLD, Modifier::BOLD),
        (Flags::DIM, Modifier::DIM),
        (Flags::ITALIC, Modifier::ITALIC),
        (Flags::INVERSE, Modifier::REVERSED),
        (Flags::HIDDEN, Modifier::HIDDEN),
        (Flags::STRIKEOUT, Modifier::CROSSED_OUT),
    ] {
        if flags.contains(flag) {
            modifier.insert(drawn);
        }
    }
    if flags.intersects(Flags::ALL_UNDERLINES) {
        modifier.insert(Modifier::UNDERLINED);
    }
    modifier
}

fn color(colour: CoreColor, colours: &Colours) -> Color {
    let slot = match colour {
        CoreColor::Spec(rgb) => return Color::Rgb(rgb.r, rgb.g, rgb.b),
        CoreColor::Indexed(index) => ColourSlot::Indexed(index),
        CoreColor::Named(named) => match named {
            NamedColor::Foreground | NamedColor::BrightForeground | NamedColor::DimForeground => {
                ColourSlot::Dynamic(10)
            }
            NamedColor::Background => ColourSlot::Dynamic(11),
            NamedColor::Cursor => ColourSlot::Dynamic(12),
            named => ColourSlot::Indexed(u8::try_from(named as usize).unwrap_or(7)),
        },
    };
    if !colours.overrides.is_empty()
        && let Some(rgb) = colours.overrides.get(&slot)
    {
        return Color::Rgb(rgb.0, rgb.1, rgb.2);
    }
    match slot {
        ColourSlot::Indexed(index) => Color::Indexed(index),
        ColourSlot::Dynamic(_) => Color::Reset,
    }
}
