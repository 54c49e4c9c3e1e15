//! Owns the look of the next character at a client and the shortest way from one look to another.
use super::Caps;
use crate::term::{
    canvas::{Link, Side, Underline},
    palette::{self, Rgb},
};
use ratatui::{
    buffer::Cell,
    style::{Color, Modifier},
};
use std::{fmt::Write as _, sync::Arc};

/// A colour as the client can show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ink {
    #[default]
    Default,
    Indexed(u8),
    Rgb(u8, u8, u8),
}

impl Ink {
    fn new(colour: Color, caps: &Caps) -> Self {
        let index = match colour {
            Color::Reset => return Self::Default,
            Color::Rgb(r, g, b) if caps.truecolor => return Self::Rgb(r, g, b),
            Color::Rgb(r, g, b) if caps.colors256 => palette::nearest_256(Rgb(r, g, b)),
            Color::Rgb(r, g, b) => palette::nearest_16(Rgb(r, g, b)),
            Color::Indexed(index) => index,
            Color::Black => 0,
            Color::Red => 1,
            Color::Green => 2,
            Color::Yellow => 3,
            Color::Blue => 4,
            Color::Magenta => 5,
            Color::Cyan => 6,
            Color::Gray => 7,
            Color::DarkGray => 8,
            Color::LightRed => 9,
            Color::LightGreen => 10,
            Color::LightYellow => 11,
            Color::LightBlue => 12,
            Color::LightMagenta => 13,
            Color::LightCyan => 14,
            Color::White => 15,
        };
        if index > 15 && !caps.colors256 && !caps.truecolor {
            return Self::Indexed(palette::nearest_16(palette::fixed(index)));
        }
        Self::Indexed(index)
    }

    /// Appends the SGR parameters; `base` is 30 for text, 40 for background, 50 for underlines.
    fn code(self, base: u16, codes: &mut String) {
        let _ = match self {
            Self::Default => write!(codes, ";{}", base + 9),
            Self::Indexed(index @ 0..=7) if base < 50 => write!(codes, ";{}", base + u16::from(index)),
            Self::Indexed(index @ 8..=15) if base < 50 => write!(codes, ";{}", base + 52 + u16::from(index)),
            Self::Indexed(index) if base < 50 => write!(codes, ";{};5;{index}", base + 8),
            Self::Indexed(index) => write!(codes, ";58:5:{index}"),
            Self::Rgb(r, g, b) if base < 50 => write!(codes, ";{};2;{r};{g};{b}", base + 8),
            Self::Rgb(r, g, b) => write!(codes, ";58:2::{r}:{g}:{b}"),
        };
    }
}

/// The look of a character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pen {
    fg: Ink,
    bg: Ink,
    modifier: Modifier,
    underline: Underline,
    underline_ink: Ink,
    pub link: Option<Arc<Link>>,
}

/// Attributes with a code of their own to be taken off; bold and dim share one.
const SIMPLE: [(Modifier, u8, u8); 6] = [
    (Modifier::ITALIC, 3, 23),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

impl Pen {
    pub fn new(cell: &Cell, side: Side, link: Option<Arc<Link>>, caps: &Caps) -> Self {
        let styled = caps.undercurl && cell.modifier.contains(Modifier::UNDERLINED);
        Self {
            fg: Ink::new(cell.fg, caps),
            bg: Ink::new(cell.bg, caps),
            modifier: cell.modifier,
            underline: if styled { side.underline } else { Underline::Single },
            underline_ink: if styled { Ink::new(side.underline_color, caps) } else { Ink::Default },
            link,
        }
    }

    /// Appends what turns this look into the other.
    pub fn change_to(&self, to: &Self, out: &mut Vec<u8>) {
        if self.link != to.link {
            let opening = match &to.link {
                Some(link) => format!("\x1b]8;id={};{}\x1b\\", link.id, link.uri),
                None => "\x1b]8;;\x1b\\".to_owned(),
            };
            out.extend_from_slice(opening.as_bytes());
        }
        let plain = Self { link: to.link.clone(), ..Self::default() };
        let from = Self { link: to.link.clone(), ..self.clone() };
        if from == *to {
            return;
        }
        if *to == plain {
            out.extend_from_slice(b"\x1b[m");
            return;
        }
        let mut step = String::new();
        from.codes(to, &mut step);
        let mut fresh = String::from(";0");
        plain.codes(to, &mut fresh);
        let shorter = if fresh.len() < step.len() { fresh } else { step };
        out.extend_from_slice(b"\x1b[");
        out.extend_from_slice(shorter.trim_start_matches(';').as_bytes());
        out.push(b'm');
    }

    fn codes(&self, to: &Self, codes: &mut String) {
        let removed = self.modifier - to.modifier;
        let mut added = to.modifier - self.modifier;
        let weight = Modifier::BOLD | Modifier::DIM;
        if removed.intersects(weight) {
            codes.push_str(";22");
            added |= to.modifier & weight;
        }
        if removed.intersects(Modifier::SLOW_BLINK | Modifier::RAPID_BLINK) {
            added |= to.modifier & (Modifier::SLOW_BLINK | Modifier::RAPID_BLINK);
        }
        if added.contains(Modifier::BOLD) {
            codes.push_str(";1");
        }
        if added.contains(Modifier::DIM) {
            codes.push_str(";2");
        }
        for (modifier, _, off) in SIMPLE {
            if removed.contains(modifier) {
                let _ = write!(codes, ";{off}");
            }
        }
        for (modifier, on, _) in SIMPLE {
            if added.contains(modifier) {
                let _ = write!(codes, ";{on}");
            }
        }
        let lined = |pen: &Self| pen.modifier.contains(Modifier::UNDERLINED).then_some(pen.underline);
        if lined(self) != lined(to) {
            codes.push_str(match lined(to) {
                None => ";24",
                Some(Underline::Single) => ";4",
                Some(Underline::Double) => ";4:2",
                Some(Underline::Curl) => ";4:3",
                Some(Underline::Dotted) => ";4:4",
                Some(Underline::Dashed) => ";4:5",
            });
        }
        if self.underline_ink != to.underline_ink {
            to.underline_ink.code(50, codes);
        }
        if self.fg != to.fg {
            to.fg.code(30, codes);
        }
        if self.bg != to.bg {
            to.bg.code(40, codes);
        }
    }
}
