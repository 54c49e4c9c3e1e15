//! inspan: the terminal multiplexer for coding-agent harnesses.
//!
//! Each module is a room of the house and begins with what it owns. `ARCHITECTURE.md` has their order, from the top
//! down; a room may use rooms below it, never above.
pub mod agent;
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
