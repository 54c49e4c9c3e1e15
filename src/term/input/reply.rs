//! Owns the meaning of what a terminal answers: colours, names, modes, the clipboard.
use base64::{Engine, prelude::BASE64_STANDARD};

/// An answer of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// DA1, `CSI ? … c`: the terminal's class and features.
    DeviceAttributes(Vec<u32>),
    /// DA2, `CSI > … c`: type, version, options.
    SecondaryAttributes(Vec<u32>),
    /// XTVERSION, `DCS > | … ST`: name and version in the terminal's own words.
    Version(String),
    /// `CSI ? flags u`: the terminal speaks the kitty keyboard protocol and has these flags on.
    KittyFlags(u32),
    /// DECRPM, `CSI ? mode ; value $ y`: 0 unknown, 1 set, 2 reset, 3 always set, 4 always reset.
    Mode {
        /// Which mode.
        mode: u32,
        /// Its state.
        value: u32,
        /// A DEC mode (with `?`) rather than an ANSI one.
        private: bool,
    },
    /// OSC 10 to 19: the default foreground (10), background (11), cursor (12) and so on.
    Colour {
        /// The number of the OSC.
        osc: u8,
        /// Red, green, blue.
        rgb: (u8, u8, u8),
    },
    /// `CSI ? 997 ; n n`: the terminal's colours became dark or light (mode 2031).
    ColourScheme {
        /// Dark background.
        dark: bool,
    },
    /// CPR, `CSI row ; column R`.
    CursorPosition {
        /// Column, from 0.
        x: u16,
        /// Row, from 0.
        y: u16,
    },
    /// OSC 52: the content of a selection.
    Clipboard {
        /// Which selections, such as `c` or `p`; may be empty.
        selection: String,
        /// The decoded content.
        data: Vec<u8>,
    },
    /// Anything else that arrived whole, was cut off, or grew beyond its bound; the bytes as received.
    Unknown(Vec<u8>),
}

/// The meaning of an OSC's content, without introducer and terminator.
pub(super) fn of_osc(body: &[u8]) -> Option<Reply> {
    let text = std::str::from_utf8(body).ok()?;
    let (number, value) = text.split_once(';')?;
    match number.parse().ok()? {
        osc @ 10..=19u8 => Some(Reply::Colour { osc, rgb: colour(value)? }),
        52 => {
            let (selection, data) = value.split_once(';')?;
            let data = BASE64_STANDARD.decode(data).ok()?;
            Some(Reply::Clipboard { selection: selection.to_owned(), data })
        }
        _ => None,
    }
}

/// The meaning of a DCS's content, without introducer and terminator.
pub(super) fn of_dcs(body: &[u8]) -> Option<Reply> {
    let name = body.strip_prefix(b">|")?;
    Some(Reply::Version(String::from_utf8_lossy(name).into_owned()))
}

/// `rgb:r/g/b` or `rgba:r/g/b/a` with one to four hexadecimal digits each (X11's device colours), or `#rrggbb`.
fn colour(text: &str) -> Option<(u8, u8, u8)> {
    if let Some(hex) = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.is_ascii()) {
        return Some((channel(&hex[..2])?, channel(&hex[2..4])?, channel(&hex[4..])?));
    }
    let channels = text.strip_prefix("rgb:").or_else(|| text.strip_prefix("rgba:"))?;
    let mut channels = channels.split('/').map(channel);
    Some((channels.next()??, channels.next()??, channels.next()??))
}

fn channel(hex: &str) -> Option<u8> {
    if hex.is_empty() || hex.len() > 4 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let value = u32::from_str_radix(hex, 16).ok()?;
    let full = (1u32 << (4 * hex.len())) - 1;
    u8::try_from((value * 255 + full / 2) / full).ok()
}
