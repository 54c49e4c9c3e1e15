//! Owns what a pane's program receives: keys, pastes, mouse reports and focus changes in the form it asked for; and what
//! an attached terminal is told beside the picture.
//!
//! Pure. Must not know: where the input came from or who decides the modes; the emulator reports those.
mod announce;
mod key;
mod mouse;
mod paste;

#[cfg(test)]
mod tests;

pub use announce::{Announcer, NoticeForm};
pub use key::{KeyModes, encode_key};
pub use mouse::{MouseEncoding, MouseModes, MouseTracking, encode_mouse};
pub use paste::encode_paste;

/// A focus change, for a program that turned on mode 1004.
pub const fn encode_focus(focused: bool) -> &'static [u8] {
    if focused { b"\x1b[I" } else { b"\x1b[O" }
}
