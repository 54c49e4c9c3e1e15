//! Owns settings and themes: defaults embedded as commented TOML, load, check.
