//! Drives the real binary from outside, as a person at a terminal and as a script do.
//!
//! Owns sandboxes (a private home, socket directory and PATH), terminals (a pty with an independent emulator on its
//! outer side) and the waiting for named conditions. Must not know: how inspan works inside; it uses only the
//! command line and the screen.
#![allow(dead_code, unused_imports, reason = "every test file uses a part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
mod keys;
mod outer;
mod processes;
mod sandbox;
mod terminal;

pub use outer::Answers;
pub use processes::{Process, wait_gone};
pub use rustix::process::Signal;
pub use sandbox::{Output, PROMPT, Sandbox, TerminalSetup};
pub use terminal::{Exit, Terminal, rows};

use std::time::Duration;

/// How long a condition may take: a machine that builds and tests on every core is slow, a broken program is slower.
pub const DEADLINE: Duration = Duration::from_secs(20);
