//! Writes to the pane's terminal: what is settled flows up into its history, below it stands the part that still changes.
//!
//! No alternate screen, so that the history of the pane holds the conversation: it is scrolled, searched and copied as that
//! of any program.
use super::lines::Row;
use ratatui::style::{Color, Modifier, Style};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// Bracketed paste, the kitty protocol's plain form (Shift+Enter and Escape can be told from others), focus left alone.
pub const ENTER: &str = "\x1b[?2004h\x1b[>1u\x1b[>4;1m";
/// Gives the terminal back.
pub const LEAVE: &str = "\x1b[>4;0m\x1b[<u\x1b[?2004l\x1b[m\x1b[?25h";

/// What the terminal shows of the part that still changes.
#[derive(Debug, Default)]
pub struct Screen {
    live: Vec<Row>,
    cursor: (usize, usize),
    colours: bool,
}

impl Screen {
    /// A screen whose cursor stands at the start of a free row.
    pub fn new(colours: bool) -> Self {
        Self { live: Vec::new(), cursor: (0, 0), colours }
    }

    /// Forgets what is shown: the whole conversation is given anew with the next drawing.
    pub fn clear(&mut self) -> String {
        self.live.clear();
        self.cursor = (0, 0);
        "\x1b[H\x1b[2J\x1b[3J".to_owned()
    }

    /// The bytes that add settled rows and show these live ones, with the cursor at row and column among them. Empty
    /// when nothing changes.
    pub fn draw(&mut self, settled: &[Row], live: Vec<Row>, cursor: (usize, usize)) -> String {
        let same = if settled.is_empty() {
            self.live.iter().zip(&live).take_while(|(a, b)| a == b).count()
        } else {
            0
        };
        let unchanged = settled.is_empty() && same == live.len() && same == self.live.len();
        if unchanged && cursor == self.cursor {
            return String::new();
        }
        let mut out = String::from("\x1b[?2026h\x1b[?25l");
        let mut at = self.cursor.0;
        if !unchanged {
            // A row beyond the ones that stay may not exist yet: begin on the last that does.
            let from = same.min(self.live.len().saturating_sub(1)).min(live.len().saturating_sub(1));
            step(&mut out, at, from);
            out.push_str("\r\x1b[J");
            for row in settled {
                self.row(&mut out, row);
                out.push_str("\r\n");
            }
            for (index, row) in live.iter().enumerate().skip(from) {
                if index > from {
                    out.push_str("\r\n");
                }
                self.row(&mut out, row);
            }
            at = live.len().saturating_sub(1);
        }
        step(&mut out, at, cursor.0);
        out.push('\r');
        if cursor.1 > 0 {
            let _ = write!(out, "\x1b[{}C", cursor.1);
        }
        out.push_str("\x1b[?25h\x1b[?2026l");
        self.live = live;
        self.cursor = cursor;
        out
    }

    /// Takes the live part away and leaves the cursor where it began.
    pub fn end(&mut self) -> String {
        let mut out = String::new();
        step(&mut out, self.cursor.0, 0);
        out.push_str("\r\x1b[J");
        self.live.clear();
        self.cursor = (0, 0);
        out
    }

    fn row(&self, out: &mut String, row: &Row) {
        let mut before = Style::default();
        for span in &row.spans {
            let style = row.style.patch(span.style);
            if style != before {
                self.style(out, style);
                before = style;
            }
            out.push_str(&span.content);
        }
        if before != Style::default() {
            out.push_str("\x1b[m");
        }
    }

    fn style(&self, out: &mut String, style: Style) {
        out.push_str("\x1b[0");
        let modifiers = [
            (Modifier::BOLD, 1),
            (Modifier::DIM, 2),
            (Modifier::ITALIC, 3),
            (Modifier::UNDERLINED, 4),
            (Modifier::REVERSED, 7),
            (Modifier::CROSSED_OUT, 9),
        ];
        for (modifier, code) in modifiers {
            if style.add_modifier.contains(modifier) {
                let _ = write!(out, ";{code}");
            }
        }
        if self.colours {
            for (colour, base) in [(style.fg, 30), (style.bg, 40)] {
                if let Some(index) = colour.and_then(index) {
                    let _ = write!(out, ";{}", if index < 8 { base + index } else { base + 52 + index });
                }
            }
        }
        out.push('m');
    }
}

/// Moves the cursor between rows that exist.
fn step(out: &mut String, from: usize, to: usize) {
    if to < from {
        let _ = write!(out, "\x1b[{}A", from - to);
    } else if to > from {
        let _ = write!(out, "\x1b[{}B", to - from);
    }
}

/// The terminal's own sixteen colours; others are not used here.
fn index(colour: Color) -> Option<usize> {
    Some(match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        _ => return None,
    })
}

/// How many columns a row takes.
pub fn columns(row: &Row) -> usize {
    row.spans.iter().map(|span| span.content.width()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        text.lines().map(|line| Row::from(line.to_owned())).collect()
    }

    fn shown(parser: &vt100::Parser) -> String {
        parser.screen().contents().trim_end().to_owned()
    }

    #[test]
    fn settled_rows_flow_up_and_live_ones_are_replaced() {
        let size = |n| std::num::NonZeroU16::new(n).unwrap();
        let mut parser = vt100::Parser::new(size(6), size(20), 100);
        let mut screen = Screen::new(true);
        let mut draw = |settled: &str, live: &str, cursor| {
            let bytes = screen.draw(&rows(settled), rows(live), cursor);
            parser.process(bytes.as_bytes());
            (shown(&parser), parser.screen().cursor_position())
        };
        assert_eq!(draw("", "> a\nline", (0, 3)), ("> a\nline".into(), (0, 3)));
        assert_eq!(draw("", "> ab\nline", (0, 4)), ("> ab\nline".into(), (0, 4)));
        assert_eq!(draw("done\nmore", ">\nline", (0, 1)), ("done\nmore\n>\nline".into(), (2, 1)));
        assert_eq!(draw("", ">\nx\ny\nline", (3, 0)), ("done\nmore\n>\nx\ny\nline".into(), (5, 0)));
        assert_eq!(draw("", ">\nx\ny\nline\nlast", (4, 0)), ("more\n>\nx\ny\nline\nlast".into(), (5, 0)));
        assert_eq!(draw("", ">", (0, 1)), ("more\n>".into(), (1, 1)));
        assert_eq!(draw("1\n2\n3\n4\n5", ">", (0, 1)), ("1\n2\n3\n4\n5\n>".into(), (5, 1)));
        assert_eq!(screen.draw(&[], rows(">"), (0, 1)), "");
    }

    #[test]
    fn without_colours_weight_alone_is_left() {
        let style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        let row = Row::from(ratatui::text::Span::styled("x", style));
        let write = |colours| {
            let mut out = String::new();
            Screen::new(colours).row(&mut out, &row);
            out
        };
        assert_eq!(write(true), "\x1b[0;1;31mx\x1b[m");
        assert_eq!(write(false), "\x1b[0;1mx\x1b[m");
    }
}
