//! The pane's terminal: raw mode, its size, writing to it.
use super::screen::{ENTER, LEAVE};
use std::io::Write;

/// The terminal in raw mode with our modes; given back when dropped.
pub struct Raw;

impl Raw {
    /// Enters raw mode and sets our modes.
    ///
    /// # Errors
    /// A sentence when standard input is no terminal.
    pub fn enter() -> Result<Self, String> {
        crossterm::terminal::enable_raw_mode().map_err(|e| {
            format!(
                "this is no terminal ({e}) · it is started by: inspan new-session --executor openai-agents"
            )
        })?;
        write(ENTER);
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        write(LEAVE);
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Writes at once; a terminal that went away is noticed where it is read.
pub fn write(text: &str) {
    if !text.is_empty() {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }
}

/// Columns and rows, never so few that nothing can be drawn.
pub fn size() -> (usize, usize) {
    let (width, height) = crossterm::terminal::size().unwrap_or((80, 24));
    (usize::from(width.max(2)), usize::from(height.max(4)))
}
