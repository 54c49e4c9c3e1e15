//! The form of a packed line: its characters as UTF-8, and runs of glyphs that look alike.
//!
//! A run is the number of its glyphs, shifted by one, with a bit that says whether a style follows; both as numbers of
//! seven bits a byte. A style is its flags, a byte that says what its colours are, the colours, and the number of its
//! extras.
use super::Extra;
use alacritty_terminal::{
    term::cell::{Cell, Flags},
    vte::ansi::{Color, NamedColor, Rgb},
};
use std::{ops::Range, str::Chars};
use unicode_width::UnicodeWidthChar as _;

/// Flags that belong to how rows were laid out, not to the text.
const LAYOUT: Flags = Flags::WRAPLINE.union(Flags::WIDE_CHAR_SPACER).union(Flags::LEADING_WIDE_CHAR_SPACER);

const FOREGROUND: Color = Color::Named(NamedColor::Foreground);
const BACKGROUND: Color = Color::Named(NamedColor::Background);

/// What all glyphs of a run share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    pub fg: Color,
    pub bg: Color,
    pub flags: Flags,
}

impl Style {
    const PLAIN: Self = Self { fg: FOREGROUND, bg: BACKGROUND, flags: Flags::empty() };

    pub fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, flags: cell.flags - LAYOUT }
    }

    pub fn is_plain(&self) -> bool {
        *self == Self::PLAIN
    }
}

/// Whether a character stands on the one before it instead of beside it.
fn is_mark(c: char) -> bool {
    c >= '\u{80}' && c.width() == Some(0)
}

/// Appends cells to a line; returns how many columns that makes, and whether one of the cells takes two.
pub fn append(
    cells: &[Cell],
    text: &mut String,
    runs: &mut Vec<u8>,
    extras: &mut Vec<Extra>,
) -> (usize, bool) {
    let (mut columns, mut wide) = (0, false);
    let mut run: Option<(Style, Option<usize>)> = None;
    let mut count = 0;
    for cell in cells {
        if cell.flags.intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER) {
            continue;
        }
        let two = cell.flags.contains(Flags::WIDE_CHAR);
        wide |= two;
        columns += 1 + usize::from(two);
        let extra = if cell.extra.is_some() { extra_of(cell, extras) } else { None };
        let look = (Style::of(cell), extra);
        if run != Some(look) {
            if let Some((style, extra)) = run {
                push_run(runs, count, style, extra);
            }
            (run, count) = (Some(look), 0);
        }
        count += 1;
        // A mark that has no character of its own to stand on would be taken for one of the glyph before.
        text.push(if is_mark(cell.c) { char::REPLACEMENT_CHARACTER } else { cell.c });
        if cell.extra.is_some() {
            text.extend(cell.zerowidth().into_iter().flatten().filter(|mark| is_mark(**mark)));
        }
    }
    if let Some((style, extra)) = run {
        push_run(runs, count, style, extra);
    }
    (columns, wide)
}

fn extra_of(cell: &Cell, extras: &mut Vec<Extra>) -> Option<usize> {
    let extra = Extra { underline: cell.underline_color(), link: cell.hyperlink() };
    if extra == (Extra { underline: None, link: None }) {
        return None;
    }
    // Links and colours repeat from cell to cell.
    if extras.last() != Some(&extra) {
        extras.push(extra);
    }
    Some(extras.len() - 1)
}

fn push_run(runs: &mut Vec<u8>, count: usize, style: Style, extra: Option<usize>) {
    let plain = style.is_plain() && extra.is_none();
    push_number(runs, count << 1 | usize::from(!plain));
    if plain {
        return;
    }
    runs.extend(style.flags.bits().to_le_bytes());
    let at = runs.len();
    runs.push(0);
    let fg = push_colour(runs, style.fg);
    let bg = push_colour(runs, style.bg);
    runs[at] = fg | bg << 2 | u8::from(extra.is_some()) << 4;
    if let Some(extra) = extra {
        push_number(runs, extra);
    }
}

/// Appends a colour and returns its kind: 0 the default, 1 named, 2 of the palette, 3 by its parts.
fn push_colour(runs: &mut Vec<u8>, colour: Color) -> u8 {
    match colour {
        Color::Named(named) => match u8::try_from(named as usize) {
            Ok(named) => {
                runs.push(named);
                1
            }
            Err(_) => 0,
        },
        Color::Indexed(index) => {
            runs.push(index);
            2
        }
        Color::Spec(Rgb { r, g, b }) => {
            runs.extend([r, g, b]);
            3
        }
    }
}

fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// One character of a line with what stands on it.
#[derive(Debug)]
pub struct Glyph<'a> {
    pub c: char,
    pub marks: &'a str,
    /// Columns: 1 or 2.
    pub width: usize,
    pub style: Style,
    /// The number of its extras within the segment.
    pub extra: Option<usize>,
}

/// The glyphs of a line from its beginning.
#[derive(Clone, Debug)]
pub struct Glyphs<'a> {
    text: Chars<'a>,
    runs: &'a [u8],
    /// Glyphs left of the run, and how they look.
    left: usize,
    style: Style,
    extra: Option<usize>,
}

impl<'a> Glyphs<'a> {
    pub fn new(text: &'a str, runs: &'a [u8]) -> Self {
        Self { text: text.chars(), runs, left: 0, style: Style::PLAIN, extra: None }
    }

    fn byte(&mut self) -> u8 {
        match self.runs.split_first() {
            Some((first, rest)) => {
                self.runs = rest;
                *first
            }
            None => 0,
        }
    }

    fn number(&mut self) -> usize {
        let mut number = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte();
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    fn colour(&mut self, kind: u8, default: Color) -> Color {
        match kind {
            0 => default,
            1 => Color::Named(named(self.byte())),
            2 => Color::Indexed(self.byte()),
            _ => Color::Spec(Rgb { r: self.byte(), g: self.byte(), b: self.byte() }),
        }
    }

    fn run(&mut self) {
        let number = self.number();
        self.left = number >> 1;
        (self.style, self.extra) = (Style::PLAIN, None);
        if number & 1 == 1 {
            let flags = Flags::from_bits_retain(u16::from_le_bytes([self.byte(), self.byte()]));
            let kinds = self.byte();
            let fg = self.colour(kinds & 3, FOREGROUND);
            let bg = self.colour(kinds >> 2 & 3, BACKGROUND);
            self.style = Style { fg, bg, flags };
            self.extra = (kinds & 16 != 0).then(|| self.number());
        }
    }

    /// The glyphs that begin in these columns.
    pub fn within(mut self, cols: &Range<usize>) -> impl Iterator<Item = Glyph<'a>> {
        let (start, end) = (cols.start, cols.end);
        let mut col = 0;
        std::iter::from_fn(move || {
            loop {
                if col >= end {
                    return None;
                }
                let glyph = self.next()?;
                col += glyph.width;
                if col - glyph.width >= start {
                    return Some(glyph);
                }
            }
        })
    }
}

impl<'a> Iterator for Glyphs<'a> {
    type Item = Glyph<'a>;

    #[inline]
    fn next(&mut self) -> Option<Glyph<'a>> {
        let c = self.text.next()?;
        while self.left == 0 && !self.runs.is_empty() {
            self.run();
        }
        self.left = self.left.saturating_sub(1);
        let rest = self.text.as_str();
        // Marks are no ASCII, and most of what follows a character is.
        let mut marks = 0;
        if rest.as_bytes().first().is_some_and(|byte| *byte >= 0x80) {
            marks = rest.chars().take_while(|c| is_mark(*c)).map(char::len_utf8).sum();
            if marks > 0 {
                self.text = rest[marks..].chars();
            }
        }
        let width = if self.style.flags.contains(Flags::WIDE_CHAR) { 2 } else { 1 };
        Some(Glyph { c, marks: &rest[..marks], width, style: self.style, extra: self.extra })
    }
}

fn named(index: u8) -> NamedColor {
    const NAMES: [NamedColor; 16] = [
        NamedColor::Black,
        NamedColor::Red,
        NamedColor::Green,
        NamedColor::Yellow,
        NamedColor::Blue,
        NamedColor::Magenta,
        NamedColor::Cyan,
        NamedColor::White,
        NamedColor::BrightBlack,
        NamedColor::BrightRed,
        NamedColor::BrightGreen,
        NamedColor::BrightYellow,
        NamedColor::BrightBlue,
        NamedColor::BrightMagenta,
        NamedColor::BrightCyan,
        NamedColor::BrightWhite,
    ];
    NAMES.get(usize::from(index)).copied().unwrap_or(NamedColor::Foreground)
}
