//! Owns the four wire shapes: parse, splice, meter, error bodies, stream state machines.
//!
//! Pure. Must not know: HTTP connections, panes, who pays.
