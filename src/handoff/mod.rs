//! Owns what one harness tells the next: build, bound, redact and render a handoff.
//!
//! Pure. Must not know: where a conversation came from, how a handoff is delivered.
mod bound;
mod build;
mod conversation;
mod facts;
mod marker;
mod redact;
mod unfold;

pub use bound::{clip, estimate_tokens};
pub use build::{HANDOFF_FLOOR, Handoff, HandoffInput, Mode, Party, Source, build, rewritten, undressed};
pub use conversation::{Conversation, Role, Turn};
pub use facts::files_of_turn;
pub use marker::{CLOSE, OPEN, Part, is_handoff, parts, typed};
pub use redact::redact;
pub use unfold::requests_seen;
