//! Owns what a workspace is: git facts, checkpoints, comparisons before and after a switch.
//!
//! Uses the user's own `git`. Must not know: panes, harnesses, clients.
