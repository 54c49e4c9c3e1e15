//! Requests there and back.
