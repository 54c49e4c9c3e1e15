//! Owns the scripted model: one reply for each dialect, directives, usage numbers.
//!
//! Pure: replies are values with delays; the gateway plays them.
