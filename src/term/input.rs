//! Owns what an attached terminal sends: raw bytes become keys, pastes, mouse reports, focus changes and replies.
//!
//! Pure: bytes in, values out; the caller owns the clock and calls [`Decoder::flush`]. Must not know: panes, key
//! bindings, which replies were asked for. Nothing received is dropped: what has no name comes out as
//! [`Reply::Unknown`] with its bytes.
//!
//! Written here although the crate `terminput` exists: it parses one whole buffer with no count of the bytes used, fails
//! on terminal replies and modifyOtherKeys, and cannot hold back a lone ESC or bound a paste.
pub(in crate::term) mod codes;
mod csi;
mod decoder;
mod reply;

#[cfg(test)]
mod tests;

pub(in crate::term) use decoder::PASTE_END;
pub use decoder::{
    CLIPBOARD_LIMIT, Decoder, ESCAPE_TIMEOUT, PASTE_CHUNK, SEQUENCE_LIMIT, SEQUENCE_TIMEOUT, STRING_LIMIT,
};
pub use reply::Reply;

use crate::mux::keys::{Key, KeyCode, Mods};

/// One thing that a person or the terminal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// Pasted bytes, as the terminal sent them; a paste beyond [`PASTE_CHUNK`] arrives in several.
    ///
    /// An empty one is real: terminals send it when the clipboard holds no text.
    Paste(Vec<u8>),
    /// A mouse report.
    Mouse(MouseEvent),
    /// The terminal got the focus.
    FocusIn,
    /// The terminal lost the focus.
    FocusOut,
    /// An answer to a query, or something unasked that is neither key nor mouse.
    Reply(Reply),
}

/// A key press, repeat or release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// Which key, in canonical form; keypad keys are reported as the main key.
    pub key: Key,
    /// Terminals without the kitty protocol only ever press.
    pub kind: KeyKind,
    /// What the key types, when it types something.
    pub text: Option<String>,
    /// The bytes as received.
    pub raw: Vec<u8>,
}

impl KeyEvent {
    /// A modifier or lock key on its own.
    pub fn is_modifier(&self) -> bool {
        matches!(self.key.code, KeyCode::Other(number) if codes::is_lone_modifier(number))
    }

    /// It arrived in the kitty protocol's own form, `CSI … u`.
    pub fn is_kitty(&self) -> bool {
        self.raw.starts_with(b"\x1b[") && self.raw.ends_with(b"u")
    }

    /// Text that no key types by itself, as an input method composes it.
    pub fn is_composed(&self) -> bool {
        self.key.code == KeyCode::Other(0)
    }
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// It went down.
    #[default]
    Press,
    /// It is held.
    Repeat,
    /// It went up; type nothing and run no binding.
    Release,
}

/// A mouse report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MouseEvent {
    /// What happened.
    pub kind: MouseKind,
    /// Which button; [`MouseButton::None`] for plain movement, and for a release that does not say.
    pub button: MouseButton,
    /// Column, from 0.
    pub x: u16,
    /// Row, from 0.
    pub y: u16,
    /// Held modifiers; Super is never reported.
    pub mods: Mods,
}

/// What the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MouseKind {
    /// A button went down.
    Press,
    /// A button went up.
    Release,
    /// It moved with a button held.
    Drag,
    /// It moved with none held.
    Move,
    /// The wheel turned one notch; the direction is in the button.
    Wheel,
}

/// A mouse button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MouseButton {
    /// The left one.
    Left,
    /// The middle one.
    Middle,
    /// The right one.
    Right,
    /// Wheel away from the person.
    WheelUp,
    /// Wheel towards the person.
    WheelDown,
    /// Wheel tilted to the left.
    WheelLeft,
    /// Wheel tilted to the right.
    WheelRight,
    /// Buttons 8 to 11, mostly back and forward.
    Extra(u8),
    /// None, or not known which.
    None,
}

/// A press of a canonical key, with the text that it types.
fn press(code: KeyCode, mods: Mods, raw: &[u8]) -> Input {
    let key = Key::new(code, mods);
    Input::Key(KeyEvent { key, kind: KeyKind::Press, text: key.typed().map(String::from), raw: raw.to_vec() })
}
