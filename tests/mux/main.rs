//! The multiplexer from outside: the real binary in a pty, looked at through an independent emulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
mod authority;
mod bench;
mod changes;
mod clients;
#[path = "../common/mod.rs"]
mod common;
mod composing;
mod copying;
mod environment;
mod events;
mod gateway;
mod hostile;
mod layout;
mod overlays;
mod panes;
mod record;
mod refusals;
mod restart;
mod rewind;
mod screens;
mod server;
mod settings;
mod steps;
mod switching;
mod trying;
mod vaults;
