//! Owns settings, paths and themes: defaults embedded as commented TOML, load, check.
//!
//! Must not know: panes, clients, what a key's command does, or any secret (credentials appear as references only).
mod lenient;
mod load;
pub mod paths;
mod policy;
mod schema;
mod settings;
pub mod theme;
pub mod workspace;

pub use crate::router::Problem;
pub use load::{load, load_over};
pub use paths::{Paths, PathsError, ServerPaths};
pub use policy::PolicyFiles;
pub use schema::json_schema;
pub use settings::{
    AutoInstall, ByokKeys, Declaration, ExecutorSettings, Hook, Inject, PaneNotifications, Place,
    ProviderSettings, Settings, Submit, TerminalProgress, WindowSize,
};
pub use theme::{Role, Theme};

/// The commented defaults: what holds when nobody sets anything, and what `config show` prints for reading.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");
