//! Owns the command line: one verb, one function.
