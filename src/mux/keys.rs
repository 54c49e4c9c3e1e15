//! Owns keys as people name them: one key with its modifiers, and tmux's notation for it (`C-Space`, `M-x`, `F1`).
//!
//! Must not know: bytes of any terminal protocol (`term` decodes and encodes), or what a key does.
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    ops::{BitOr, BitOrAssign},
    str::FromStr,
};

/// The highest function key that has a name.
pub const MAX_FUNCTION_KEY: u8 = 24;

/// A set of held modifiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mods(u8);

impl Mods {
    /// No modifier.
    pub const NONE: Self = Self(0);
    /// Shift.
    pub const SHIFT: Self = Self(1);
    /// Alt, also called Meta.
    pub const ALT: Self = Self(2);
    /// Control.
    pub const CTRL: Self = Self(4);
    /// Super, the key with a window or a command sign; only the kitty protocol reports it.
    pub const SUPER: Self = Self(8);

    /// Builds a set from the low four bits of the mask that xterm and kitty put on the wire (their number minus one).
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 15)
    }

    /// The mask as xterm and kitty count it: Shift 1, Alt 2, Control 4, Super 8.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether every modifier of `other` is held.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any modifier of `other` is held.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The set without those of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is held.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Mods {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Mods {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Which key, apart from modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyCode {
    /// A key that types a character; space is `Char(' ')`.
    Char(char),
    /// Return.
    Enter,
    /// Tab; the back tab is this with Shift.
    Tab,
    /// Backspace.
    Backspace,
    /// Escape.
    Escape,
    /// Cursor up.
    Up,
    /// Cursor down.
    Down,
    /// Cursor left.
    Left,
    /// Cursor right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Insert.
    Insert,
    /// Delete.
    Delete,
    /// A function key, 1 to [`MAX_FUNCTION_KEY`].
    F(u8),
    /// A keypad key by what it types (`0`–`9 . / * - + = ,`, and `\r` for its Enter).
    ///
    /// Only notation makes these, to send them into a pane: keys that a person presses arrive as the main key.
    Keypad(char),
    /// A key that only the kitty protocol names (media keys, a modifier on its own), by its number there.
    Other(u32),
}

/// A key with the modifiers held, in one canonical form so that equal presses compare equal.
///
/// Canonical: a shifted letter is its capital without Shift (`A`, `M-A`), but with Control the small letter, keeping
/// Shift (`C-S-a`); control characters are the keys that type them. [`Key::new`] makes it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// What is held with it.
    pub mods: Mods,
}

impl Key {
    /// Makes the canonical key for a code and modifiers.
    pub fn new(code: KeyCode, mods: Mods) -> Self {
        match code {
            KeyCode::Char(c) => Self::of_char(c, mods),
            code => Self { code, mods },
        }
    }

    /// The key that types `c`, without modifiers.
    pub fn char(c: char) -> Self {
        Self::of_char(c, Mods::NONE)
    }

    /// The character that the key types when nothing but Shift is held; `None` for keys that type none.
    pub fn typed(&self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.mods.intersects(Mods::CTRL | Mods::ALT | Mods::SUPER) => Some(c),
            _ => None,
        }
    }

    fn of_char(c: char, mods: Mods) -> Self {
        let code = match c {
            '\r' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Escape,
            '\u{7f}' => KeyCode::Backspace,
            '\0' => return Self { code: KeyCode::Char(' '), mods: mods | Mods::CTRL },
            '\u{1}'..='\u{1a}' => {
                return Self { code: KeyCode::Char(char::from(c as u8 - 1 + b'a')), mods: mods | Mods::CTRL };
            }
            '\u{1c}'..='\u{1f}' => {
                return Self { code: KeyCode::Char(char::from(c as u8 + 0x40)), mods: mods | Mods::CTRL };
            }
            c => {
                return if mods.contains(Mods::CTRL) {
                    // C-A is C-a to every terminal; only an explicit Shift makes a difference.
                    Self { code: KeyCode::Char(small(c).unwrap_or(c)), mods }
                } else if mods.contains(Mods::SHIFT) {
                    match capital(c) {
                        Some(upper) if upper != c || c.is_uppercase() => {
                            Self { code: KeyCode::Char(upper), mods: mods.without(Mods::SHIFT) }
                        }
                        _ => Self { code: KeyCode::Char(c), mods },
                    }
                } else {
                    Self { code: KeyCode::Char(c), mods }
                };
            }
        };
        Self { code, mods }
    }
}

/// The capital of a letter, where it is one character.
pub(crate) fn capital(c: char) -> Option<char> {
    single(c.to_uppercase())
}

/// The small form of a letter, where it is one character.
pub(crate) fn small(c: char) -> Option<char> {
    single(c.to_lowercase())
}

/// The only item of an iterator, if there is exactly one: case mappings such as `ß` to `SS` are no key.
fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

/// Why a key's notation was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing, or modifiers without a key.
    #[error("no key in {0:?}; write a key such as C-Space, M-x, F1 or Enter")]
    Empty(String),
    /// No key has that name.
    #[error("no key is called {name:?}; the nearest name is {nearest}")]
    Unknown {
        /// What was written, without modifiers.
        name: String,
        /// The key name that differs least.
        nearest: String,
    },
}

/// Names for parsing; the first of each code is the one written.
const NAMES: &[(&str, KeyCode)] = &[
    ("Space", KeyCode::Char(' ')),
    ("Enter", KeyCode::Enter),
    ("Return", KeyCode::Enter),
    ("Tab", KeyCode::Tab),
    ("BSpace", KeyCode::Backspace),
    ("Backspace", KeyCode::Backspace),
    ("Escape", KeyCode::Escape),
    ("Esc", KeyCode::Escape),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PPage", KeyCode::PageUp),
    ("PageUp", KeyCode::PageUp),
    ("PgUp", KeyCode::PageUp),
    ("NPage", KeyCode::PageDown),
    ("PageDown", KeyCode::PageDown),
    ("PgDn", KeyCode::PageDown),
    ("IC", KeyCode::Insert),
    ("Insert", KeyCode::Insert),
    ("DC", KeyCode::Delete),
    ("Delete", KeyCode::Delete),
    ("KPEnter", KeyCode::Keypad('\r')),
];

/// The prefixes of modifiers, written in this order.
const PREFIXES: [(&str, Mods); 4] =
    [("Super-", Mods::SUPER), ("C-", Mods::CTRL), ("M-", Mods::ALT), ("S-", Mods::SHIFT)];

/// Characters that the keypad types, its Enter aside.
const KEYPAD: &str = "0123456789./*-+=,";

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(notation: &str) -> Result<Self, KeyError> {
        let (mut mods, mut rest) = (Mods::NONE, notation);
        loop {
            let prefix = PREFIXES.iter().find_map(|(prefix, held)| {
                let tail = rest.get(prefix.len()..).filter(|tail| !tail.is_empty())?;
                rest.get(..prefix.len())?.eq_ignore_ascii_case(prefix).then_some((*held, tail))
            });
            let Some((held, tail)) = prefix else { break };
            mods |= held;
            rest = tail;
        }
        if let Some(tail) = rest.strip_prefix('^').filter(|tail| !tail.is_empty()) {
            if let Some(c) = single(tail.chars()) {
                return Ok(Self::new(KeyCode::Char(c), mods | Mods::CTRL));
            }
        } else if let Some(c) = single(rest.chars()) {
            return Ok(Self::new(KeyCode::Char(c), mods));
        }
        if rest.is_empty() || (rest.len() == 2 && rest.ends_with('-')) {
            return Err(KeyError::Empty(notation.to_owned()));
        }
        named(rest)
            .map(|(code, implied)| Self::new(code, mods | implied))
            .ok_or_else(|| KeyError::Unknown { name: rest.to_owned(), nearest: nearest(rest) })
    }
}

/// Finds a key by its whole name, and the modifiers that the name implies.
fn named(name: &str) -> Option<(KeyCode, Mods)> {
    if let Some((_, code)) = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Some((*code, Mods::NONE));
    }
    if name.eq_ignore_ascii_case("BTab") {
        return Some((KeyCode::Tab, Mods::SHIFT));
    }
    if let Some(digits) = name.strip_prefix(['F', 'f']) {
        let n =
            digits.parse().ok().filter(|n| (1..=MAX_FUNCTION_KEY).contains(n) && is_plain_number(digits))?;
        return Some((KeyCode::F(n), Mods::NONE));
    }
    if let Some(c) = name.strip_prefix("KP").and_then(|rest| single(rest.chars())) {
        return KEYPAD.contains(c).then_some((KeyCode::Keypad(c), Mods::NONE));
    }
    if let Some(hex) = name.strip_prefix("0x").or_else(|| name.strip_prefix("0X")) {
        let c = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)?;
        return Some((KeyCode::Char(c), Mods::NONE));
    }
    let digits = name.strip_prefix("Other")?;
    digits.parse().ok().filter(|_| is_plain_number(digits)).map(|n| (KeyCode::Other(n), Mods::NONE))
}

/// `parse` also takes a sign and leading zeros, which no key name has.
fn is_plain_number(digits: &str) -> bool {
    !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The key name with the smallest edit distance, case aside.
fn nearest(name: &str) -> String {
    let lower = name.to_lowercase();
    let functions = (1..=MAX_FUNCTION_KEY).map(|n| format!("F{n}"));
    NAMES
        .iter()
        .map(|(known, _)| (*known).to_owned())
        .chain(functions)
        .min_by_key(|known| strsim::damerau_levenshtein(&lower, &known.to_lowercase()))
        .unwrap_or_default()
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (prefix, held) in PREFIXES {
            if self.mods.contains(held) {
                f.write_str(prefix)?;
            }
        }
        if let Some((name, _)) = NAMES.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            // Invisible in a status line or a config file: written as a number.
            KeyCode::Char(c) if c.is_control() || c.is_whitespace() => write!(f, "0x{:x}", u32::from(c)),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::Keypad(c) => write!(f, "KP{c}"),
            KeyCode::Other(n) => write!(f, "Other{n}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;
    fn try_from(notation: String) -> Result<Self, KeyError> {
        notation.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every canonical key that notation can write.
    pub(crate) fn any_key() -> impl Strategy<Value = Key> {
        let code = prop_oneof![
            4 => prop::char::range('!', '~').prop_map(KeyCode::Char),
            2 => any::<char>().prop_map(KeyCode::Char),
            3 => prop::sample::select(NAMES).prop_map(|(_, code)| code),
            1 => (1..=MAX_FUNCTION_KEY).prop_map(KeyCode::F),
            1 => prop::sample::select(KEYPAD.chars().collect::<Vec<_>>()).prop_map(KeyCode::Keypad),
            1 => (57_344u32..57_455).prop_map(KeyCode::Other),
        ];
        (code, 0u8..16).prop_map(|(code, bits)| Key::new(code, Mods::from_bits(bits)))
    }

    #[test]
    fn notation_is_understood_and_written_as_tmux_does() {
        for (given, written) in [
            ("C-Space", "C-Space"),
            ("c-space", "C-Space"),
            ("^a", "C-a"),
            ("^A", "C-a"),
            ("C-A", "C-a"),
            ("C-S-a", "C-S-a"),
            ("S-C-A", "C-S-a"),
            ("M-x", "M-x"),
            ("M-X", "M-X"),
            ("S-x", "X"),
            ("M-S-x", "M-X"),
            ("S-Tab", "S-Tab"),
            ("BTab", "S-Tab"),
            ("C-Left", "C-Left"),
            ("S-M-C-Left", "C-M-S-Left"),
            ("BSpace", "BSpace"),
            ("Escape", "Escape"),
            ("PageUp", "PPage"),
            ("NPage", "NPage"),
            ("f12", "F12"),
            ("M-F24", "M-F24"),
            ("-", "-"),
            ("C--", "C--"),
            ("^", "^"),
            ("^^", "C-^"),
            ("M-^a", "C-M-a"),
            ("C-[", "C-["),
            ("ü", "ü"),
            ("C-界", "C-界"),
            ("0x41", "A"),
            ("0x1b", "Escape"),
            ("KPEnter", "KPEnter"),
            ("KP/", "KP/"),
            ("Super-k", "Super-k"),
        ] {
            assert_eq!(given.parse::<Key>().map(|key| key.to_string()), Ok(written.to_owned()), "{given}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        for (given, near) in
            [("C-Spce", "Space"), ("Entr", "Enter"), ("pagup", "PageUp"), ("F25", "F2"), ("F0", "F1")]
        {
            match given.parse::<Key>() {
                Err(KeyError::Unknown { nearest, .. }) => assert_eq!(nearest, near, "{given}"),
                other => panic!("{given}: {other:?}"),
            }
        }
        for given in ["", "C-", "M-C-"] {
            assert!(matches!(given.parse::<Key>(), Err(KeyError::Empty(_))), "{given}");
        }
    }

    #[test]
    fn a_key_is_a_string_in_config() {
        let key: Key = serde_json::from_str("\"C-b\"").unwrap();
        assert_eq!(key, Key::new(KeyCode::Char('b'), Mods::CTRL));
        assert_eq!(serde_json::to_string(&key).unwrap(), "\"C-b\"");
        assert!(serde_json::from_str::<Key>("\"C-Spaec\"").unwrap_err().to_string().contains("Space"));
    }

    proptest! {
        #[test]
        fn notation_round_trips(key in any_key()) {
            let written = key.to_string();
            prop_assert_eq!(written.parse::<Key>(), Ok(key), "{}", written);
        }

        #[test]
        fn parsing_is_canonical_and_never_fails_badly(text in "\\PC{0,12}") {
            if let Ok(key) = text.parse::<Key>() {
                prop_assert_eq!(Key::new(key.code, key.mods), key);
            }
        }
    }
}
