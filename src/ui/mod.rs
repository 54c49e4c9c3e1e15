//! Owns State -> Canvas: frames, status line, router panel, palette, dialogs.
