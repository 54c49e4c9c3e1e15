//! Key notation.
