//! A frame of the fixed state as text.
use crate::{
    config::Theme,
    mux::{PaneId, WindowId},
    state::{
        State,
        fixture::{CLIENT, HOME, NOW, reference},
    },
    term::canvas::{Canvas, CanvasCursor, CursorShape},
    ui::{Reference, Scene, Screens, frame},
};
use ratatui::layout::Rect;
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
            canvas.buffer.set_stringn(area.x, y, line, usize::from(area.width), ratatui::style::Style::new());
        }
    }

    fn cursor(&self, _: PaneId) -> Option<CanvasCursor> {
        Some(CanvasCursor { x: 3, y: 2, shape: CursorShape::Default })
    }
}

/// Draws a frame with panes full of text.
pub fn draw(state: &State) -> Canvas {
    draw_with(state, &Paper)
}

/// Draws a frame.
pub fn draw_with(state: &State, screens: &dyn Screens) -> Canvas {
    let mut canvas = Canvas::new(1, 1);
    with_scene(state, screens, |scene| frame(scene, &mut canvas));
    canvas
}

/// The window whose name stands at a cell of the status line.
pub fn window_at(state: &State, x: u16, y: u16) -> Option<WindowId> {
    with_scene(state, &Paper, |scene| crate::ui::window_at(scene, x, y))
}

/// The row of an overlay's list at a cell.
pub fn row_at(state: &State, x: u16, y: u16) -> Option<usize> {
    with_scene(state, &Paper, |scene| crate::ui::row_at(scene, x, y))
}

fn with_scene<T>(state: &State, screens: &dyn Screens, then: impl FnOnce(&Scene<'_>) -> T) -> T {
    let rows = reference();
    let theme = Theme::default();
    then(&Scene {
        state,
        client: CLIENT,
        screens,
        theme: &theme,
        reference: Reference { prefix: "C-Space", rows: &rows },
        home: Path::new(HOME),
        clock: "14:02",
        now: NOW,
    })
}

/// Where the cursor of a frame stands.
pub fn cursor(state: &State) -> Option<(u16, u16)> {
    draw(state).cursor.map(|cursor| (cursor.x, cursor.y))
}

/// A frame as text, one line for each row, without trailing spaces.
pub fn text(state: &State) -> String {
    draw(state).text()
}
