//! Owns what is particular to each vendor's CLI: detect, install, launch, classify, submit, resume, watch,
//! transcript. One file per executor.
//!
//! Must not know: panes on a screen, clients, the loop, SQLite.
mod types;

pub use types::*;
