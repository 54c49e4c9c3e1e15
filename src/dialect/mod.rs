//! Owns the four wire shapes: parse, splice, meter, error bodies, stream state machines.
//!
//! Pure. Must not know: HTTP connections, panes, who pays.
mod bodies;
mod chat;
mod endpoint;
mod errors;
mod gemini;
mod messages;
mod meter;
mod responses;
mod said;
mod splice;
mod sse;
pub mod translate;
mod wrappers;

pub use crate::handoff::estimate_tokens;
pub use crate::router::Dialect;
pub use bodies::{count_tokens_body, models_body};
pub use endpoint::{Endpoint, EndpointKind, asked_model, endpoint, splice_path, wants_stream};
pub use errors::{error_body, stream_error};
pub use meter::{End, Measured, Meter, Usage};
pub use said::{Newest, conversation, newest, newest_prompt};
pub use splice::{SpliceError, named_model, splice_model, strip_fields};
pub use sse::{Event as ServerEvent, Events as ServerEvents};

pub(crate) use said::{Said, newest_of, said};
