//! The multiplexer from outside: the real binary in a pty, looked at through an independent emulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
mod arranging;
mod authority;
mod bench;
mod beside_tmux;
mod changes;
mod choosing;
mod clients;
#[path = "../common/mod.rs"]
mod common;
mod composing;
mod controlling;
mod copying;
mod environment;
mod events;
mod far;
mod gateway;
mod hostile;
mod layout;
mod limits;
mod living;
mod overlays;
mod panes;
mod record;
mod refusals;
mod restart;
mod rewind;
mod screens;
mod scripting;
mod server;
mod settings;
mod steps;
mod switching;
mod terminals;
mod trying;
mod vaults;
