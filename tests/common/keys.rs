//! What a terminal sends for a key, written as tmux writes keys: `C-Space`, `M-x`, `S-Up`, `Enter`, `%`.

/// What the program asked of the keyboard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keyboard {
    /// Cursor keys in application mode (`CSI ? 1 h`).
    pub application_cursor: bool,
    /// Flags of the kitty keyboard protocol; 0 is the legacy encoding.
    pub kitty: u16,
    /// The level of modifyOtherKeys.
    pub modify_other_keys: u16,
}

const SHIFT: u16 = 1;
const ALT: u16 = 2;
const CTRL: u16 = 4;
const DISAMBIGUATE: u16 = 1;
const ALL_AS_ESCAPES: u16 = 8;

enum Base {
    /// A code point: text, or one of Enter, Tab, Escape, Backspace.
    Char(char),
    /// `CSI <letter>`, or `SS3 <letter>` for cursor keys in application mode.
    Letter(char),
    /// `SS3 <letter>` without modifiers (F1 to F4).
    Function(char),
    /// `CSI <number> ~`.
    Tilde(u16),
}

/// Encodes keys separated by spaces. A key is a name or a single character; text is sent with `Terminal::send`.
pub fn encode(notation: &str, keyboard: Keyboard) -> Vec<u8> {
    notation.split_whitespace().flat_map(|key| encode_one(key, keyboard)).collect()
}

fn encode_one(key: &str, keyboard: Keyboard) -> Vec<u8> {
    let (mut name, mut modifiers) = (key, 0);
    for (prefix, bit) in [("C-", CTRL), ("M-", ALT), ("S-", SHIFT)].into_iter().cycle().take(9) {
        if let Some(rest) = name.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
            (name, modifiers) = (rest, modifiers | bit);
        }
    }
    let base = match name {
        "Space" => Base::Char(' '),
        "Enter" => Base::Char('\r'),
        "Tab" => Base::Char('\t'),
        "BTab" => {
            modifiers |= SHIFT;
            Base::Char('\t')
        }
        "Escape" => Base::Char('\x1b'),
        "BSpace" => Base::Char('\x7f'),
        "Up" => Base::Letter('A'),
        "Down" => Base::Letter('B'),
        "Right" => Base::Letter('C'),
        "Left" => Base::Letter('D'),
        "End" => Base::Letter('F'),
        "Home" => Base::Letter('H'),
        "IC" => Base::Tilde(2),
        "DC" => Base::Tilde(3),
        "PPage" => Base::Tilde(5),
        "NPage" => Base::Tilde(6),
        "F1" => Base::Function('P'),
        "F2" => Base::Function('Q'),
        "F3" => Base::Function('R'),
        "F4" => Base::Function('S'),
        "F5" => Base::Tilde(15),
        "F6" => Base::Tilde(17),
        "F7" => Base::Tilde(18),
        "F8" => Base::Tilde(19),
        "F9" => Base::Tilde(20),
        "F10" => Base::Tilde(21),
        "F11" => Base::Tilde(23),
        "F12" => Base::Tilde(24),
        other => {
            let mut chars = other.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Base::Char(c),
                _ => panic!("{key:?} is no key; text is sent with Terminal::send"),
            }
        }
    };
    let numbered = modifiers + 1;
    match base {
        Base::Char(c) => character(c, modifiers, keyboard),
        Base::Letter(letter) if modifiers > 0 => format!("\x1b[1;{numbered}{letter}").into_bytes(),
        Base::Letter(letter) if keyboard.application_cursor => format!("\x1bO{letter}").into_bytes(),
        Base::Letter(letter) => format!("\x1b[{letter}").into_bytes(),
        Base::Function(letter) if modifiers > 0 => format!("\x1b[1;{numbered}{letter}").into_bytes(),
        Base::Function(letter) => format!("\x1bO{letter}").into_bytes(),
        Base::Tilde(number) if modifiers > 0 => format!("\x1b[{number};{numbered}~").into_bytes(),
        Base::Tilde(number) => format!("\x1b[{number}~").into_bytes(),
    }
}

fn character(c: char, modifiers: u16, keyboard: Keyboard) -> Vec<u8> {
    // Escape is always ambiguous; Enter, Tab and Backspace keep their bytes while no modifier is held.
    let ambiguous = c == '\x1b' || modifiers & (CTRL | ALT) != 0 || (modifiers != 0 && c.is_control());
    let escape = keyboard.kitty & ALL_AS_ESCAPES != 0 || (keyboard.kitty & DISAMBIGUATE != 0 && ambiguous);
    if escape {
        let code = u32::from(c);
        return match modifiers {
            0 => format!("\x1b[{code}u"),
            _ => format!("\x1b[{code};{}u", modifiers + 1),
        }
        .into_bytes();
    }
    // Level 1 leaves alone what has a form of old.
    let has_form =
        c == '\t' || modifiers & CTRL != 0 && (c == ' ' || c.is_ascii_alphabetic()) || modifiers == ALT;
    let told = match keyboard.modify_other_keys {
        0 => false,
        1 => modifiers != 0 && !has_form,
        _ => modifiers != 0 && (modifiers & (CTRL | ALT) != 0 || c.is_control()),
    };
    if told {
        return format!("\x1b[27;{};{}~", modifiers + 1, u32::from(c)).into_bytes();
    }
    if c == '\t' && modifiers & SHIFT != 0 {
        return b"\x1b[Z".to_vec();
    }
    let mut bytes = if modifiers & ALT != 0 { vec![0x1b] } else { Vec::new() };
    match c {
        ' ' | '@'..='_' | 'a'..='z' if modifiers & CTRL != 0 => {
            bytes.push(if c == ' ' { 0 } else { c.to_ascii_uppercase() as u8 & 0x1f });
        }
        _ => bytes.extend(c.to_string().into_bytes()),
    }
    bytes
}
