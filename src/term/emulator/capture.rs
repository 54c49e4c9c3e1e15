//! Owns reading a pane as text: capture with tmux's line numbers, the bottom lines for screen rules.
use super::Emulator;
use alacritty_terminal::{
    grid::Dimensions as _,
    index::Line,
    term::cell::{Cell, Flags},
    vte::ansi::{Color, NamedColor},
};
use std::fmt::Write as _;

impl Emulator {
    /// The lines from `start` to `end`, each ended by a line feed. Line 0 is the top of the live screen, negative ones
    /// are history; outside values are brought inside; `None` is the first and last line of the live screen.
    ///
    /// `styled` adds SGR sequences; `join` joins what was only wrapped. Trailing blanks are trimmed.
    pub fn capture(&self, start: Option<i32>, end: Option<i32>, styled: bool, join: bool) -> String {
        let history = i32::try_from(self.history_len()).unwrap_or(i32::MAX);
        let bottom = i32::try_from(self.screen.term.screen_lines()).unwrap_or(1) - 1;
        let first = start.unwrap_or(0).clamp(-history, bottom);
        let last = end.unwrap_or(bottom).clamp(-history, bottom);
        let (first, last) = (first.min(last), first.max(last));
        let mut text = String::new();
        let mut pen = Pen::default();
        let mut line_start = 0;
        for line in first..=last {
            let (cells, wrapped) = self.cells(usize::try_from(line + history).unwrap_or(0));
            if styled {
                styled_row(&mut text, &cells, &mut pen);
            } else {
                plain_row(&mut text, &cells);
            }
            if join && wrapped && line < last {
                continue;
            }
            if !styled {
                let kept = text[line_start..].trim_end_matches(' ').len();
                text.truncate(line_start + kept);
            }
            text.push('\n');
            line_start = text.len();
        }
        text
    }

    /// Everything that the core itself holds, for the case that it broke.
    pub(super) fn core_text(&self) -> String {
        let grid = self.screen.term.grid();
        let top = -i32::try_from(grid.history_size()).unwrap_or(0);
        let bottom = i32::try_from(grid.screen_lines()).unwrap_or(0);
        let mut text = String::new();
        for line in top..bottom {
            plain_row(&mut text, &grid[Line(line)][..]);
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }

    /// The last `n` lines of the live screen that have text, top to bottom, without trailing blanks.
    pub fn bottom_lines(&self, n: usize) -> Vec<String> {
        let grid = self.screen.term.grid();
        let mut lines = Vec::new();
        for line in (0..grid.screen_lines()).rev() {
            if lines.len() == n {
                break;
            }
            let mut text = String::new();
            plain_row(&mut text, &grid[Line(i32::try_from(line).unwrap_or(0))][..]);
            text.truncate(text.trim_end().len());
            if !text.is_empty() {
                lines.push(text);
            }
        }
        lines.reverse();
        lines
    }
}

/// True for the second column of a wide character and for the filler before a wrapped one.
fn is_spacer(cell: &Cell) -> bool {
    cell.flags.intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER)
}

fn push_cell(text: &mut String, cell: &Cell) {
    // The core marks where a tab stood; the columns it jumped are blanks of their own.
    text.push(if cell.c < ' ' { ' ' } else { cell.c });
    text.extend(cell.zerowidth().into_iter().flatten());
}

fn plain_row(text: &mut String, cells: &[Cell]) {
    for cell in cells {
        if !is_spacer(cell) {
            push_cell(text, cell);
        }
    }
}

/// The look of what was written last.
#[derive(Clone, Debug, PartialEq)]
struct Pen {
    fg: Color,
    bg: Color,
    underline: Option<Color>,
    flags: Flags,
}

impl Default for Pen {
    fn default() -> Self {
        Self {
            fg: Color::Named(NamedColor::Foreground),
            bg: Color::Named(NamedColor::Background),
            underline: None,
            flags: Flags::empty(),
        }
    }
}

const LOOK: Flags = Flags::BOLD
    .union(Flags::DIM)
    .union(Flags::ITALIC)
    .union(Flags::INVERSE)
    .union(Flags::HIDDEN)
    .union(Flags::STRIKEOUT)
    .union(Flags::ALL_UNDERLINES);

fn styled_row(text: &mut String, cells: &[Cell], pen: &mut Pen) {
    // A blank counts if its background or a line through it shows.
    let shows = |cell: &Cell| {
        cell.c > ' '
            || cell.bg != Color::Named(NamedColor::Background)
            || cell.flags.intersects(Flags::INVERSE | Flags::STRIKEOUT | Flags::ALL_UNDERLINES)
    };
    let len = cells.iter().rposition(shows).map_or(0, |at| at + 1);
    for cell in &cells[..len] {
        if is_spacer(cell) {
            continue;
        }
        let wanted =
            Pen { fg: cell.fg, bg: cell.bg, underline: cell.underline_color(), flags: cell.flags & LOOK };
        if wanted != *pen {
            let _ = write!(text, "\x1b[{}", super::answers::rendition_of(cell));
            *pen = wanted;
        }
        push_cell(text, cell);
    }
    // Each line stands alone, so that cutting the capture leaves no colour open.
    if *pen != Pen::default() {
        text.push_str("\x1b[0m");
        *pen = Pen::default();
    }
}
