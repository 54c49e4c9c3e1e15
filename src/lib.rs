//! inspan: the terminal multiplexer for coding-agent harnesses.
//!
//! The rooms, from the top down; a room may use rooms below it, never above. *Pure* rooms know no tokio, file
//! system, environment or clock. `ARCHITECTURE.md` holds the whole plan.
pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod dialect;
pub mod executors;
pub mod gateway;
pub mod handoff;
pub mod mux;
pub mod record;
pub mod rehearsal;
pub mod router;
pub mod server;
pub mod state;
pub mod switch;
pub mod term;
pub mod ui;
pub mod vault;
pub mod workspace;
