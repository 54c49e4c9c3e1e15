//! Owns the one table of commands: name, arguments, default keys, help, example.
