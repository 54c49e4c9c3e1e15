//! Owns harnesses whose pane is ours: the typed protocol to a resident runtime, the tools that are executed for it in the
//! workspace's place, the permission to use them, and the program that draws all this in a pane's terminal.
//!
//! The runtime (`runner.py`, the official Agents SDK) runs outside the place and sees nothing of it: a place is claimed
//! when the first tool is used. Must not know: the server's loop, panes, routes. What the server learns of a turn it
//! learns as from any other program in a pane: by what is written to the terminal.
mod card;
pub mod codex;
pub mod control;
mod editor;
mod files;
mod instructions;
mod intent;
mod lines;
pub mod opencode;
mod pane;
mod place;
pub mod protocol;
mod runtime;
mod screen;
mod settings;
mod shell;
pub mod store;
mod talk;
mod tools;
mod tty;
mod view;

pub use pane::run;
pub use settings::{ARGUMENT, PROGRAM_NAME, RUNNER, Settings, permission_words};
pub use shell::become_shell;
