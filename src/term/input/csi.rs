//! Owns the meaning of one whole control sequence: a key, a mouse report, a focus change or a reply.
use super::{Input, KeyEvent, KeyKind, MouseButton, MouseEvent, MouseKind, Reply, codes};
use crate::mux::keys::{Key, KeyCode, Mods};

/// A control sequence taken apart.
struct Csi<'a> {
    /// `?`, `<`, `=` or `>` before the parameters.
    marker: Option<u8>,
    params: Vec<Vec<Option<u32>>>,
    intermediates: &'a [u8],
    last: u8,
}

impl<'a> Csi<'a> {
    /// Takes the bytes after `CSI` apart; `None` when they have no sound form.
    fn parse(body: &'a [u8]) -> Option<Self> {
        let (last, body) = body.split_last()?;
        let marker = body.first().copied().filter(|b| (b'<'..=b'?').contains(b));
        let body = if marker.is_some() { &body[1..] } else { body };
        let end = body.iter().position(|b| *b < b'0').unwrap_or(body.len());
        let (params, intermediates) = body.split_at(end);
        let number = |digits: &[u8]| match digits {
            [] => Some(None),
            digits => std::str::from_utf8(digits).ok()?.parse().ok().map(Some),
        };
        let params = match params {
            [] => Vec::new(),
            params => params
                .split(|b| *b == b';')
                .map(|param| param.split(|b| *b == b':').map(number).collect())
                .collect::<Option<_>>()?,
        };
        Some(Self { marker, params, intermediates, last: *last })
    }

    fn sub(&self, param: usize, sub: usize) -> Option<u32> {
        self.params.get(param)?.get(sub).copied().flatten()
    }

    fn param(&self, at: usize) -> Option<u32> {
        self.sub(at, 0)
    }

    fn numbers(&self) -> Vec<u32> {
        self.params.iter().map(|param| param.first().copied().flatten().unwrap_or(0)).collect()
    }

    fn mods(&self) -> Mods {
        codes::mods_of(self.param(1).unwrap_or(1))
    }

    fn kind(&self) -> KeyKind {
        match self.sub(1, 1) {
            Some(2) => KeyKind::Repeat,
            Some(3) => KeyKind::Release,
            _ => KeyKind::Press,
        }
    }
}

/// The meaning of `raw`, a whole sequence whose content after `CSI` is `body`.
pub(super) fn interpret(body: &[u8], raw: &[u8]) -> Input {
    Csi::parse(body)
        .and_then(|csi| meaning(&csi, raw))
        .unwrap_or_else(|| Input::Reply(Reply::Unknown(raw.to_vec())))
}

fn meaning(csi: &Csi<'_>, raw: &[u8]) -> Option<Input> {
    let reply = |reply| Some(Input::Reply(reply));
    let key = |key: Key| {
        let text = key.typed().filter(|_| csi.kind() != KeyKind::Release).map(String::from);
        Some(Input::Key(KeyEvent { key, kind: csi.kind(), text, raw: raw.to_vec() }))
    };
    match (csi.marker, csi.intermediates, csi.last) {
        (Some(b'<'), b"", b'M' | b'm') => {
            let coordinates = (csi.param(1)?, csi.param(2)?);
            mouse(csi.param(0)?, coordinates, csi.last == b'm').map(Input::Mouse)
        }
        (Some(b'?'), b"", b'c') => reply(Reply::DeviceAttributes(csi.numbers())),
        (Some(b'>'), b"", b'c') => reply(Reply::SecondaryAttributes(csi.numbers())),
        (Some(b'?'), b"", b'u') => reply(Reply::KittyFlags(csi.param(0)?)),
        (Some(b'?'), b"", b'n') if csi.param(0) == Some(997) => {
            reply(Reply::ColourScheme { dark: csi.param(1)? == 1 })
        }
        (marker @ (None | Some(b'?')), b"$", b'y') => {
            reply(Reply::Mode { mode: csi.param(0)?, value: csi.param(1)?, private: marker.is_some() })
        }
        (Some(b'?'), b"", b'R') => reply(position(csi)?),
        // F3 with modifiers and a cursor in columns 2 to 16 of the first row look alike; the key is the likelier.
        (None, b"", b'R') if csi.params.len() >= 2 && !is_modified_f3(csi) => reply(position(csi)?),
        (None, b"", b'I') if csi.params.is_empty() => Some(Input::FocusIn),
        (None, b"", b'O') if csi.params.is_empty() => Some(Input::FocusOut),
        (None, b"", b'M') => {
            let coordinates = (csi.param(1)?, csi.param(2)?);
            let button = csi.param(0)?.checked_sub(32)?;
            mouse(button, coordinates, is_plain_release(button)).map(Input::Mouse)
        }
        (None, b"", b'u') => kitty(csi, raw),
        (None, b"", b'~') if csi.param(0) == Some(27) => {
            let mods = csi.mods();
            let c = char::from_u32(csi.param(2)?)?;
            // The number already is the shifted character.
            let typed_with_shift = !c.is_alphabetic() && !c.is_control() && c != ' ';
            let mods = if typed_with_shift { mods.without(Mods::SHIFT) } else { mods };
            key(Key::new(KeyCode::Char(c), mods))
        }
        (None, b"", b'~') => key(Key::new(codes::of_tilde(csi.param(0)?)?, csi.mods())),
        // rxvt writes Control, and Control with Shift, into the last byte.
        (None, b"", b'^') => key(Key::new(codes::of_tilde(csi.param(0)?)?, Mods::CTRL)),
        (None, b"", b'@') => key(Key::new(codes::of_tilde(csi.param(0)?)?, Mods::CTRL | Mods::SHIFT)),
        (None, b"", letter @ b'a'..=b'd') if csi.params.is_empty() => {
            key(Key::new(codes::of_letter(letter.to_ascii_uppercase())?, Mods::SHIFT))
        }
        (None, b"", b'Z') => key(Key::new(KeyCode::Tab, csi.mods() | Mods::SHIFT)),
        (None, b"", letter) => key(Key::new(codes::of_letter(letter)?, csi.mods())),
        _ => None,
    }
}

fn is_modified_f3(csi: &Csi<'_>) -> bool {
    let modified = csi.param(1).is_some_and(|mods| (2..=16).contains(&mods));
    csi.param(0) == Some(1) && (modified || csi.sub(1, 1).is_some())
}

fn position(csi: &Csi<'_>) -> Option<Reply> {
    Some(Reply::CursorPosition { x: from_one(csi.param(1)?), y: from_one(csi.param(0)?) })
}

/// A coordinate counted from 1 on the wire, bounded to what a cell can be.
fn from_one(number: u32) -> u16 {
    u16::try_from(number.saturating_sub(1)).unwrap_or(u16::MAX)
}

/// `CSI code : shifted : base ; mods : event ; text u` (kitty keyboard protocol, "An overview").
fn kitty(csi: &Csi<'_>, raw: &[u8]) -> Option<Input> {
    let (mut code, mut mods, kind) = (codes::of_kitty(csi.param(0)?)?, csi.mods(), csi.kind());
    let typing = !mods.intersects(Mods::CTRL | Mods::ALT | Mods::SUPER);
    let told: Option<String> = csi
        .params
        .get(2)
        .map(|text| text.iter().filter_map(|c| c.and_then(char::from_u32)).collect())
        .filter(|text: &String| !text.is_empty());
    if let KeyCode::Char(c) = code {
        let base = csi.sub(0, 2).and_then(char::from_u32).filter(char::is_ascii);
        let only = |text: &String| {
            let mut chars = text.chars();
            chars.next().filter(|_| chars.next().is_none())
        };
        let shifted = csi.sub(0, 1).and_then(char::from_u32);
        let shifted = shifted.or_else(|| told.as_ref().filter(|_| typing).and_then(only));
        if !typing && !c.is_ascii() && base.is_some() {
            // A binding such as C-c must also work on a keyboard whose letters are not Latin.
            code = base.map_or(code, KeyCode::Char);
        } else if let Some(shifted) =
            shifted.filter(|_| mods.contains(Mods::SHIFT) && !mods.contains(Mods::CTRL))
        {
            if shifted != c {
                mods = mods.without(Mods::SHIFT);
            }
            code = KeyCode::Char(shifted);
        }
    }
    let key = Key::new(code, mods);
    let text = match kind {
        KeyKind::Release => None,
        _ => told.or_else(|| key.typed().map(String::from)),
    };
    Some(Input::Key(KeyEvent { key, kind, text, raw: raw.to_vec() }))
}

/// Whether a button number of the encodings without a release letter means a release.
fn is_plain_release(button: u32) -> bool {
    button & 0b1110_0011 == 3
}

/// A report from a button number and coordinates counted from 1 (xterm, "Mouse Tracking").
pub(super) fn mouse(number: u32, (x, y): (u32, u32), release: bool) -> Option<MouseEvent> {
    let button = match (number & 0b1100_0000, number & 3) {
        (0, 0) => MouseButton::Left,
        (0, 1) => MouseButton::Middle,
        (0, 2) => MouseButton::Right,
        (0, _) => MouseButton::None,
        (64, 0) => MouseButton::WheelUp,
        (64, 1) => MouseButton::WheelDown,
        (64, 2) => MouseButton::WheelLeft,
        (64, _) => MouseButton::WheelRight,
        (128, low) => MouseButton::Extra(8 + u8::try_from(low).ok()?),
        _ => return None,
    };
    let kind = match (number & 32 != 0, release, number & 64 != 0) {
        (_, _, true) => MouseKind::Wheel,
        (true, _, _) if button == MouseButton::None => MouseKind::Move,
        (true, _, _) => MouseKind::Drag,
        (false, true, _) => MouseKind::Release,
        (false, false, _) => MouseKind::Press,
    };
    let held = |bit: u32, mods: Mods| if number & bit != 0 { mods } else { Mods::NONE };
    let mods = held(4, Mods::SHIFT) | held(8, Mods::ALT) | held(16, Mods::CTRL);
    Some(MouseEvent { kind, button, x: from_one(x), y: from_one(y), mods })
}

/// The report in the three bytes after `CSI M` (xterm, "X10 compatibility mode" and "Normal tracking mode").
pub(super) fn x10(bytes: &[u8]) -> Option<MouseEvent> {
    let &[button, x, y] = bytes else { return None };
    let number = u32::from(button).checked_sub(32)?;
    mouse(number, (u32::from(x).checked_sub(32)?, u32::from(y).checked_sub(32)?), is_plain_release(number))
}
