//! Owns the loopback model proxy: HTTP front, upstream client, pass-through, metering.
//!
//! Must not know: clients, windows, ptys. It reads the route table that the loop publishes and sends events back.
mod types;

pub use types::*;
