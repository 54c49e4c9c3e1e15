//! The vendors' real CLIs on the product: installed by `inspan install`, run in panes on the rehearsal provider or on
//! an upstream of the test's own. No key, no login, no vendor is asked anything.
//!
//! Runs with `cargo test --features real-executors --test real_executors -- --test-threads=2`. The first run fetches
//! some hundred megabytes from npm into the target directory; later runs use what is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
mod common;
mod real;
