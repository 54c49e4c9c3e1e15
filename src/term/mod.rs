//! Owns terminals: pty, emulator, byte-side scanner, input decoding, key and mouse encoding, canvas, frame writing.
//!
//! Must not know: sessions, panes' meaning, executors, the loop.
pub mod canvas;
pub mod emulator;
pub mod encode;
pub mod frame;
pub mod input;
pub mod modes;
pub mod osc;
pub mod palette;
pub mod pty;
pub mod scanner;
