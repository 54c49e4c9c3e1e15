//! Translated answers under strict grammars: whole, split anywhere, cut, and recorded ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
mod conversation;
mod directions;
mod grammar;
mod history;
mod mapping;
mod recorded;
mod source;
