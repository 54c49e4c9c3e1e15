//! OpenAI Responses, read and written.
mod answer_read;
mod answer_write;
mod request_read;
mod request_write;
mod tools;

pub(super) use answer_read::Listener;
pub(super) use answer_write::{Teller, whole};
pub(super) use request_read::read;
pub(super) use request_write::write;
