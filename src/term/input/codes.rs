//! Owns the numbers and letters that stand for keys in CSI sequences, for decoding and encoding alike.
//!
//! Sources: xterm's control sequences, "PC-Style Function Keys"; the kitty keyboard protocol, "Functional key
//! definitions".
use crate::mux::keys::KeyCode;

/// `CSI 1 ; mods X` and, without modifiers, `CSI X` or `SS3 X`.
const LETTERS: [(u8, KeyCode); 10] = [
    (b'A', KeyCode::Up),
    (b'B', KeyCode::Down),
    (b'C', KeyCode::Right),
    (b'D', KeyCode::Left),
    (b'H', KeyCode::Home),
    (b'F', KeyCode::End),
    (b'P', KeyCode::F(1)),
    (b'Q', KeyCode::F(2)),
    (b'R', KeyCode::F(3)),
    (b'S', KeyCode::F(4)),
];

/// `CSI n ; mods ~`; where a key has several numbers, the one that is written comes first.
const TILDES: [(u16, KeyCode); 32] = [
    (2, KeyCode::Insert),
    (3, KeyCode::Delete),
    (5, KeyCode::PageUp),
    (6, KeyCode::PageDown),
    (1, KeyCode::Home),
    (4, KeyCode::End),
    (7, KeyCode::Home),
    (8, KeyCode::End),
    (11, KeyCode::F(1)),
    (12, KeyCode::F(2)),
    (13, KeyCode::F(3)),
    (14, KeyCode::F(4)),
    (15, KeyCode::F(5)),
    (17, KeyCode::F(6)),
    (18, KeyCode::F(7)),
    (19, KeyCode::F(8)),
    (20, KeyCode::F(9)),
    (21, KeyCode::F(10)),
    (23, KeyCode::F(11)),
    (24, KeyCode::F(12)),
    (25, KeyCode::F(13)),
    (26, KeyCode::F(14)),
    (28, KeyCode::F(15)),
    (29, KeyCode::F(16)),
    (31, KeyCode::F(17)),
    (32, KeyCode::F(18)),
    (33, KeyCode::F(19)),
    (34, KeyCode::F(20)),
    (42, KeyCode::F(21)),
    (43, KeyCode::F(22)),
    (44, KeyCode::F(23)),
    (45, KeyCode::F(24)),
];

/// kitty's number of its F13; the others follow.
const KITTY_F13: u32 = 57_376;
/// kitty's number of the keypad's 0; [`KITTY_KEYPAD`] follows in this order.
const KITTY_KEYPAD_0: u32 = 57_399;
/// What the keypad's text keys type, in kitty's order.
const KITTY_KEYPAD: &str = "0123456789./*-+\r=,";
/// The keypad's other keys, in kitty's order, after those above.
const KITTY_KEYPAD_MOVES: [KeyCode; 10] = [
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::PageUp,
    KeyCode::PageDown,
    KeyCode::Home,
    KeyCode::End,
    KeyCode::Insert,
    KeyCode::Delete,
];

/// Application keypad: `SS3` and this letter for each key that types.
const SS3_KEYPAD: &[u8; 18] = b"pqrstuvwxynojmkMXl";

/// The key that a final letter stands for.
pub(in crate::term) fn of_letter(letter: u8) -> Option<KeyCode> {
    LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, code)| *code)
}

/// The final letter of a key.
pub(in crate::term) fn letter_of(code: KeyCode) -> Option<u8> {
    LETTERS.iter().find(|(_, known)| *known == code).map(|(letter, _)| *letter)
}

/// The key that a number before `~` stands for.
pub(in crate::term) fn of_tilde(number: u32) -> Option<KeyCode> {
    TILDES.iter().find(|(known, _)| u32::from(*known) == number).map(|(_, code)| *code)
}

/// The number before `~` of a key.
pub(in crate::term) fn tilde_of(code: KeyCode) -> Option<u16> {
    TILDES.iter().find(|(_, known)| *known == code).map(|(number, _)| *number)
}

/// The main key for the number before `u`; a number without a key here is kept. `None` for what is no number of a key.
pub(in crate::term) fn of_kitty(number: u32) -> Option<KeyCode> {
    // Text without a key.
    if number == 0 {
        return Some(KeyCode::Other(0));
    }
    if !(57_344..=63_743).contains(&number) {
        return char::from_u32(number).map(KeyCode::Char);
    }
    if let Some(past) = number.checked_sub(KITTY_F13).filter(|past| *past < 12) {
        return u8::try_from(past + 13).ok().map(KeyCode::F);
    }
    let keypad = number.checked_sub(KITTY_KEYPAD_0).and_then(|at| usize::try_from(at).ok());
    if let Some(at) = keypad {
        if let Some(c) = KITTY_KEYPAD.chars().nth(at) {
            return Some(KeyCode::Char(c));
        }
        if let Some(code) = at.checked_sub(KITTY_KEYPAD.len()).and_then(|at| KITTY_KEYPAD_MOVES.get(at)) {
            return Some(*code);
        }
    }
    Some(KeyCode::Other(number))
}

/// The number before `u` of a key that has no older form.
pub(in crate::term) fn kitty_of(code: KeyCode) -> Option<u32> {
    match code {
        KeyCode::Char(c) => Some(u32::from(c)),
        KeyCode::Enter => Some(13),
        KeyCode::Tab => Some(9),
        KeyCode::Backspace => Some(127),
        KeyCode::Escape => Some(27),
        KeyCode::F(n @ 13..) => Some(KITTY_F13 + u32::from(n) - 13),
        KeyCode::Keypad(c) => {
            KITTY_KEYPAD.find(c).and_then(|at| u32::try_from(at).ok()).map(|at| KITTY_KEYPAD_0 + at)
        }
        KeyCode::Other(n) => Some(n),
        _ => None,
    }
}

/// Whether a kitty number is a modifier or lock key by itself, which is told only to who asks for every key.
pub(in crate::term) fn is_lone_modifier(number: u32) -> bool {
    (57_358..=57_360).contains(&number) || (57_441..=57_454).contains(&number)
}

/// The character that an application keypad letter after `SS3` types.
pub(in crate::term) fn of_ss3_keypad(letter: u8) -> Option<char> {
    SS3_KEYPAD.iter().position(|known| *known == letter).and_then(|at| KITTY_KEYPAD.chars().nth(at))
}

/// The letter after `SS3` of an application keypad key.
pub(in crate::term) fn ss3_keypad_of(typed: char) -> Option<u8> {
    KITTY_KEYPAD.find(typed).and_then(|at| SS3_KEYPAD.get(at)).copied()
}

/// Modifiers from the wire: the number minus one is a mask; Meta counts as Alt, Hyper and the locks are dropped.
pub(in crate::term) fn mods_of(number: u32) -> crate::mux::keys::Mods {
    use crate::mux::keys::Mods;
    let mask = number.saturating_sub(1);
    let meta = if mask & 32 != 0 { Mods::ALT } else { Mods::NONE };
    Mods::from_bits((mask & 15) as u8) | meta
}
