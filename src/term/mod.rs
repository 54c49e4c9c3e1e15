//! Owns terminals: pty, emulator, byte-side scanner, input decoding, key and mouse encoding, canvas, frame writing.
//!
//! Must not know: sessions, panes' meaning, executors, the loop.
pub mod encode;
pub mod input;
