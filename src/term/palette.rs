//! Owns colours as numbers: the default palette, parsing and printing of X11 colour notation, nearest matches.
//!
//! Must not know: cells, escape sequences, who asks.
use serde::{Deserialize, Serialize};

/// A colour of 8 bits per channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// The 16 colours that terminals show when nobody configured any.
const ANSI: [Rgb; 16] = [
    Rgb(0, 0, 0),
    Rgb(205, 0, 0),
    Rgb(0, 205, 0),
    Rgb(205, 205, 0),
    Rgb(0, 0, 238),
    Rgb(205, 0, 205),
    Rgb(0, 205, 205),
    Rgb(229, 229, 229),
    Rgb(127, 127, 127),
    Rgb(255, 0, 0),
    Rgb(0, 255, 0),
    Rgb(255, 255, 0),
    Rgb(92, 92, 255),
    Rgb(255, 0, 255),
    Rgb(0, 255, 255),
    Rgb(255, 255, 255),
];

/// The levels of one channel in the 6×6×6 cube.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// What a pane is told when it asks for colours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Palette {
    /// Default text colour.
    pub foreground: Rgb,
    /// Default background colour.
    pub background: Rgb,
    /// Cursor colour.
    pub cursor: Rgb,
    /// The 16 named colours.
    pub ansi: [Rgb; 16],
}

impl Default for Palette {
    fn default() -> Self {
        Self {
            foreground: Rgb(229, 229, 229),
            background: Rgb(0, 0, 0),
            cursor: Rgb(229, 229, 229),
            ansi: ANSI,
        }
    }
}

impl Palette {
    /// The colour at `index` of the 256-colour table.
    pub fn indexed(&self, index: u8) -> Rgb {
        match index {
            0..=15 => self.ansi[usize::from(index)],
            _ => fixed(index),
        }
    }

    /// True if text is darker than its background.
    pub fn is_light(&self) -> bool {
        luma(self.background) > luma(self.foreground)
    }
}

fn luma(Rgb(r, g, b): Rgb) -> u32 {
    299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b)
}

/// The colour at `index` of the 256-colour table, with the usual values for the first 16.
pub fn fixed(index: u8) -> Rgb {
    match index {
        0..=15 => ANSI[usize::from(index)],
        16..=231 => {
            let n = usize::from(index - 16);
            Rgb(CUBE[n / 36], CUBE[n / 6 % 6], CUBE[n % 6])
        }
        _ => {
            let level = 8 + 10 * (index - 232);
            Rgb(level, level, level)
        }
    }
}

fn distance(a: Rgb, b: Rgb) -> u32 {
    let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    // The eye is most sensitive to green, least to blue.
    3 * square(a.0, b.0) + 6 * square(a.1, b.1) + square(a.2, b.2)
}

/// The closest entry of the cube and the grey ramp (16..=255).
pub fn nearest_256(colour: Rgb) -> u8 {
    let step = |v: u8| -> usize {
        match v {
            0..=47 => 0,
            48..=114 => 1,
            _ => (usize::from(v) - 35) / 40,
        }
    };
    let (r, g, b) = (step(colour.0), step(colour.1), step(colour.2));
    let cube = u8::try_from(16 + 36 * r + 6 * g + b).unwrap_or(16);
    let mean = (u32::from(colour.0) + u32::from(colour.1) + u32::from(colour.2)) / 3;
    let grey = u8::try_from(232 + (mean.saturating_sub(3) / 10).min(23)).unwrap_or(255);
    if distance(fixed(grey), colour) < distance(fixed(cube), colour) { grey } else { cube }
}

/// The closest of the 16 named colours (0..=15).
pub fn nearest_16(colour: Rgb) -> u8 {
    (0..16u8).min_by_key(|index| distance(fixed(*index), colour)).unwrap_or(7)
}

/// Reads `rgb:r/g/b` (1 to 4 hex digits each), `rgba:…` (alpha ignored) and `#rgb` to `#rrrrggggbbbb`.
pub fn parse(text: &[u8]) -> Option<Rgb> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(hex) = text.strip_prefix('#') {
        if !hex.is_ascii() || hex.is_empty() || hex.len() > 12 || hex.len() % 3 != 0 {
            return None;
        }
        let width = hex.len() / 3;
        let channel = |n: usize| -> Option<u8> {
            let digits = &hex[n * width..(n + 1) * width];
            let value = u32::from_str_radix(digits, 16).ok()?;
            // `#rgb` sets the most significant bits.
            u8::try_from(if width == 1 { value << 4 } else { value >> (4 * (width - 2)) }).ok()
        };
        return Some(Rgb(channel(0)?, channel(1)?, channel(2)?));
    }
    let channels = text.strip_prefix("rgb:").or_else(|| text.strip_prefix("rgba:"))?;
    let mut channels = channels.split('/').map(|digits| {
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        let value = u32::from_str_radix(digits, 16).ok()?;
        let max = (1u32 << (4 * digits.len())) - 1;
        u8::try_from(255 * value / max).ok()
    });
    Some(Rgb(channels.next()??, channels.next()??, channels.next()??))
}

/// Prints the colour the way terminals answer colour queries.
pub fn print(Rgb(r, g, b): Rgb) -> String {
    format!("rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_in_every_usual_notation() {
        for (text, want) in [
            ("rgb:ff/80/00", Some(Rgb(255, 128, 0))),
            ("rgb:ffff/8080/0000", Some(Rgb(255, 128, 0))),
            ("rgb:f/8/0", Some(Rgb(255, 136, 0))),
            ("rgba:ff/80/00/7f", Some(Rgb(255, 128, 0))),
            ("#ff8000", Some(Rgb(255, 128, 0))),
            ("#f80", Some(Rgb(240, 128, 0))),
            ("#ffff80000000", Some(Rgb(255, 128, 0))),
            ("red", None),
            ("rgb:ff/80", None),
            ("#é", None),
            ("rgb:fffff/0/0", None),
        ] {
            assert_eq!(parse(text.as_bytes()), want, "{text}");
        }
        assert_eq!(parse(print(Rgb(1, 2, 3)).as_bytes()), Some(Rgb(1, 2, 3)));
    }

    #[test]
    fn every_table_entry_is_its_own_nearest_match() {
        for index in 16..=255u8 {
            assert_eq!(fixed(nearest_256(fixed(index))), fixed(index), "{index}");
        }
        for index in 0..16u8 {
            assert_eq!(nearest_16(fixed(index)), index);
        }
    }

    #[test]
    fn a_light_background_is_noticed() {
        let mut palette = Palette::default();
        assert!(!palette.is_light());
        std::mem::swap(&mut palette.foreground, &mut palette.background);
        assert!(palette.is_light());
    }
}
