//! Owns the attached terminal: raw mode, bytes up, frames down.
