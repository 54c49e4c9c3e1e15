//! Owns keys in the three forms that programs ask for: legacy, xterm's modifyOtherKeys, the kitty protocol.
use crate::{
    mux::keys::{Key, KeyCode, Mods, capital, small},
    term::input::{KeyKind, codes},
};

/// kitty flag: keys that are ambiguous in the legacy form are told apart.
const DISAMBIGUATE: u8 = 1;
/// kitty flag: repeats and releases are told.
const EVENT_TYPES: u8 = 2;
/// kitty flag: the shifted character is told beside the key.
const ALTERNATES: u8 = 4;
/// kitty flag: keys that type text are told as keys too.
const ALL_KEYS: u8 = 8;
/// kitty flag: with `ALL_KEYS`, the typed text is told.
const TEXT: u8 = 16;

/// The key modes that a pane's program has set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyModes {
    /// DECCKM, `CSI ? 1 h`: cursor keys as `SS3`.
    pub app_cursor: bool,
    /// DECKPAM, `ESC =`: keypad keys as `SS3`.
    pub app_keypad: bool,
    /// DECBKM, `CSI ? 67 h`: Backspace sends BS, and with Control DEL.
    pub backarrow: bool,
    /// `CSI > 4 ; n m`: 0, 1 or 2.
    pub modify_other_keys: u8,
    /// The kitty flags on top of the stack; they win over the others.
    pub kitty: u8,
}

/// The bytes that tell a program of a key; empty when it gets nothing, as for a release that it did not ask for.
pub fn encode_key(key: &Key, kind: KeyKind, modes: &KeyModes) -> Vec<u8> {
    // Canonical even when the fields were set by hand.
    let key = &Key::new(key.code, key.mods);
    if modes.kitty & (DISAMBIGUATE | EVENT_TYPES | ALL_KEYS) != 0 {
        return kitty(key, kind, modes);
    }
    if kind == KeyKind::Release {
        return Vec::new();
    }
    modify_other_keys(key, modes.modify_other_keys).unwrap_or_else(|| legacy(key, modes))
}

/// xterm's number for modifiers.
fn mods_number(mods: Mods) -> u8 {
    mods.bits() + 1
}

/// The form of a VT with xterm's modifiers; a modifier that it cannot express is left out.
fn legacy(key: &Key, modes: &KeyModes) -> Vec<u8> {
    let (code, mods) = (key.code, key.mods);
    let alt =
        |bytes: &[u8]| if mods.contains(Mods::ALT) { [b"\x1b", bytes].concat() } else { bytes.to_vec() };
    match code {
        // Super never types: a program that cannot be told gets the unambiguous form, as kitty sends it.
        KeyCode::Char(c) if mods.contains(Mods::SUPER) => {
            format!("\x1b[{};{}u", u32::from(c), mods_number(mods)).into_bytes()
        }
        KeyCode::Char(c) if mods.contains(Mods::CTRL) => match control_byte(c) {
            Some(byte) => alt(&[byte]),
            None => alt(c.encode_utf8(&mut [0; 4]).as_bytes()),
        },
        KeyCode::Char(c) => alt(c.encode_utf8(&mut [0; 4]).as_bytes()),
        KeyCode::Enter => alt(b"\r"),
        KeyCode::Tab if mods.contains(Mods::SHIFT) => alt(b"\x1b[Z"),
        KeyCode::Tab => alt(b"\t"),
        KeyCode::Backspace if mods.contains(Mods::CTRL) != modes.backarrow => alt(b"\x08"),
        KeyCode::Backspace => alt(b"\x7f"),
        KeyCode::Escape => alt(b"\x1b"),
        KeyCode::Keypad(c) => match codes::ss3_keypad_of(c).filter(|_| modes.app_keypad) {
            Some(letter) => alt(&[0x1b, b'O', letter]),
            None => alt(c.encode_utf8(&mut [0; 4]).as_bytes()),
        },
        KeyCode::Other(_) => Vec::new(),
        code => {
            let cursor = matches!(
                code,
                KeyCode::Up | KeyCode::Down | KeyCode::Left | KeyCode::Right | KeyCode::Home | KeyCode::End
            );
            match codes::letter_of(code) {
                Some(letter) if mods.is_empty() && (modes.app_cursor || !cursor) => vec![0x1b, b'O', letter],
                _ => functional(code, mods, ""),
            }
        }
    }
}

/// `CSI 1 ; mods X` or `CSI n ; mods ~`, with an event type after the modifiers; nothing for other keys.
fn functional(code: KeyCode, mods: Mods, event: &str) -> Vec<u8> {
    let tail = match (mods.is_empty(), event) {
        (true, "") => String::new(),
        _ => format!(";{}{event}", mods_number(mods)),
    };
    match (codes::letter_of(code), codes::tilde_of(code)) {
        (Some(letter), _) if tail.is_empty() => vec![0x1b, b'[', letter],
        (Some(letter), _) => format!("\x1b[1{tail}{}", char::from(letter)).into_bytes(),
        (None, Some(number)) => format!("\x1b[{number}{tail}~").into_bytes(),
        (None, None) => Vec::new(),
    }
}

/// The control character that Control makes of a key, where terminals agree on one.
fn control_byte(c: char) -> Option<u8> {
    match c {
        ' ' | '@' | '2' => Some(0),
        'a'..='z' => Some(c as u8 - b'a' + 1),
        '[' | '3' => Some(0x1b),
        '\\' | '4' => Some(0x1c),
        ']' | '5' => Some(0x1d),
        '^' | '6' => Some(0x1e),
        '_' | '7' | '/' => Some(0x1f),
        '8' | '?' => Some(0x7f),
        _ => None,
    }
}

/// `CSI 27 ; mods ; code ~` for the keys that a level covers; `None` for those that keep their legacy form.
///
/// Level 1 covers what the legacy form cannot tell apart, level 2 every key that is held with a modifier. Tab with
/// Shift alone stays `CSI Z` in both.
fn modify_other_keys(key: &Key, level: u8) -> Option<Vec<u8>> {
    let (code, mods) = (key.code, key.mods);
    let number = match code {
        KeyCode::Char(c) => u32::from(c),
        KeyCode::Enter | KeyCode::Tab | KeyCode::Backspace | KeyCode::Escape => codes::kitty_of(code)?,
        _ => return None,
    };
    if level == 0 || mods.is_empty() || key.typed().is_some() || (code == KeyCode::Tab && mods == Mods::SHIFT)
    {
        return None;
    }
    if level == 1 {
        let has_legacy_form = match code {
            KeyCode::Char(c) => mods == Mods::ALT || control_byte(c).is_some() && !mods.contains(Mods::SUPER),
            KeyCode::Enter | KeyCode::Escape => mods == Mods::ALT,
            _ => true,
        };
        if has_legacy_form {
            return None;
        }
    }
    // xterm tells the character that the key types with Shift.
    let shifted = match code {
        KeyCode::Char(c) if mods.contains(Mods::SHIFT) => capital(c).map_or(number, u32::from),
        _ => number,
    };
    Some(format!("\x1b[27;{};{shifted}~", mods_number(mods)).into_bytes())
}

/// The kitty keyboard protocol, "Progressive enhancement".
fn kitty(key: &Key, kind: KeyKind, modes: &KeyModes) -> Vec<u8> {
    let flag = |flag| modes.kitty & flag != 0;
    if kind == KeyKind::Release && !flag(EVENT_TYPES) {
        return Vec::new();
    }
    let event = match kind {
        KeyKind::Repeat if flag(EVENT_TYPES) => ":2",
        KeyKind::Release => ":3",
        _ => "",
    };
    let (code, mut mods) = (key.code, key.mods);
    // A keypad key that types is text like the main one.
    let typed = match code {
        KeyCode::Keypad(c) if c != '\r' && mods.is_empty() => Some(c),
        _ => key.typed(),
    };
    if !flag(ALL_KEYS) {
        let plain_control =
            matches!(code, KeyCode::Enter | KeyCode::Tab | KeyCode::Backspace) && mods.is_empty();
        match kind {
            // So that a shell left with the protocol on can still be typed into.
            KeyKind::Release if plain_control => return Vec::new(),
            KeyKind::Press | KeyKind::Repeat if typed.is_some() || plain_control => {
                return legacy(key, modes);
            }
            KeyKind::Press | KeyKind::Repeat if !flag(DISAMBIGUATE) && event.is_empty() => {
                return legacy(key, modes);
            }
            _ => {}
        }
        if matches!(code, KeyCode::Other(n) if codes::is_lone_modifier(n)) {
            return Vec::new();
        }
    }
    let number = match code {
        // F3's letter is that of a cursor report; the protocol numbers it.
        KeyCode::F(3) => {
            let tail = if mods.is_empty() && event.is_empty() {
                String::new()
            } else {
                format!(";{}{event}", mods_number(mods))
            };
            return format!("\x1b[13{tail}~").into_bytes();
        }
        KeyCode::Char(c) if c.is_uppercase() => match unshifted(c) {
            Some(lower) => {
                mods |= Mods::SHIFT;
                u32::from(lower)
            }
            None => u32::from(c),
        },
        code => match codes::kitty_of(code) {
            Some(number) => number,
            None => return functional(code, mods, event),
        },
    };
    let mut out = format!("\x1b[{number}");
    if flag(ALTERNATES)
        && mods.contains(Mods::SHIFT)
        && let KeyCode::Char(c) = code
        && let Some(upper) = capital(c).filter(|upper| u32::from(*upper) != number)
    {
        out.push_str(&format!(":{}", u32::from(upper)));
    }
    let text = typed.filter(|_| flag(ALL_KEYS) && flag(TEXT) && kind != KeyKind::Release);
    if !mods.is_empty() || !event.is_empty() {
        out.push_str(&format!(";{}{event}", mods_number(mods)));
    } else if text.is_some() {
        out.push(';');
    }
    if let Some(c) = text {
        out.push_str(&format!(";{}", u32::from(c)));
    }
    out.push('u');
    out.into_bytes()
}

/// The small letter of which a character is the capital.
fn unshifted(c: char) -> Option<char> {
    small(c).filter(|small| *small != c && capital(*small) == Some(c))
}
