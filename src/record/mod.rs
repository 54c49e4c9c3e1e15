//! Owns what outlives the server: journal, ledger, saved state. One writer thread owns SQLite behind a bounded
//! channel.
//!
//! Must not know: what the rows mean to anyone.
