//! The layout tree of one window.
use serde::{Deserialize, Serialize};

/// How a window's panes tile its area.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layout {}
