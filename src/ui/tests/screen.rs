//! A frame of the fixed state as text.
use crate::{
    mux::PaneId,
    state::{
        State,
        fixture::{CLIENT, HOME, NOW, reference},
    },
    ui::{Canvas, Reference, Scene, Screens, Theme, frame},
};
use ratatui::{buffer::Buffer, layout::Rect};
use std::path::Path;

/// Panes full of text that is wider than they are, wide characters included.
pub struct Paper;

impl Screens for Paper {
    fn draw(&self, pane: PaneId, canvas: &mut Canvas, area: Rect) {
        for y in area.y..area.bottom() {
            let line = match (y - area.y) % 4 {
                0 => format!(
                    "{pane} (the vendor's own TUI, unmodified) 0123456789012345678901234567890123456789"
                ),
                1 => {
                    "日本語の行は二桁ずつ進む、ここまで続く、もっと続く、さらに続く、まだまだ続く、終わらない"
                        .into()
                }
                _ => String::new(),
            };
            canvas.set_stringn(area.x, y, line, usize::from(area.width), ratatui::style::Style::new());
        }
    }

    fn cursor(&self, _: PaneId) -> Option<(u16, u16)> {
        Some((3, 2))
    }
}

/// Draws a frame; the buffer and where its cursor stands.
pub fn draw(state: &State) -> (Buffer, Option<(u16, u16)>) {
    let (width, height) = state.clients[&CLIENT].size;
    let mut canvas = Buffer::empty(Rect { x: 0, y: 0, width, height });
    let rows = reference();
    let theme = Theme::default();
    let scene = Scene {
        state,
        client: CLIENT,
        screens: &Paper,
        theme: &theme,
        reference: Reference { prefix: "C-Space", rows: &rows },
        home: Path::new(HOME),
        clock: "14:02",
        now: NOW,
    };
    let cursor = frame(&scene, &mut canvas);
    (canvas, cursor.map(|at| (at.x, at.y)))
}

/// A frame as text, one line for each row, without trailing spaces.
pub fn text(state: &State) -> String {
    use unicode_width::UnicodeWidthStr;
    let (buffer, _) = draw(state);
    let mut text = String::new();
    for y in 0..buffer.area().height {
        let mut row = String::new();
        let mut x = 0;
        while x < buffer.area().width {
            let symbol = buffer[(x, y)].symbol();
            let columns = symbol.width().max(1) as u16;
            row.push_str(if symbol.is_empty() { " " } else { symbol });
            x += columns;
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
