//! Owns what one harness tells the next: build, bound, redact and render a handoff.
//!
//! Pure. Must not know: where a conversation came from, how a handoff is delivered.
mod conversation;

pub use conversation::{Conversation, Role, Turn};
