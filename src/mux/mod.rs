//! Owns the multiplexer's pure geometry and notation: ids, the layout tree, presets, key notation, copy
//! mode.
//!
//! Must not know: what runs in a pane, how anything is drawn, tokio, the file system, the clock.
pub mod copy;
pub mod format;
pub mod ids;
pub mod keys;
pub mod layout;
pub mod links;
pub mod presets;
pub mod target;

pub use ids::{ClientId, PaneId, SessionId, WindowId};
