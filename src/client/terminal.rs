//! Raw mode and everything that must be undone, on every way out.
use anyhow::{Context, Result};
use std::{
    io::Write,
    sync::{Mutex, PoisonError},
};

/// Undoes every mode that a frame may have set, in an order that also helps terminals that know only some of them.
const RESTORE: &str = concat!(
    "\x1b[?2026l",                                  // end a synchronized update that was cut off
    "\x1b[<u\x1b[>4;0m",                            // keyboard protocols
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l", // mouse
    "\x1b[?1004l\x1b[?2004l\x1b[?2031l",            // focus, paste, colour scheme reports
    "\x1b[0m\x1b[0 q\x1b]112\x07",                  // attributes, cursor shape and colour
    "\x1b[?1049l\x1b[?25h",                         // screen and cursor
    "\x1b[23;0t"                                    // title
);

/// Whether there is something to restore; taken by whoever restores first.
static ACTIVE: Mutex<bool> = Mutex::new(false);

/// The terminal in raw mode; restored when dropped, and by the panic hook.
#[derive(Debug)]
pub struct Raw(());

impl Raw {
    /// Enters raw mode and the alternate screen.
    ///
    /// # Errors
    /// When standard input is not a terminal.
    pub fn enter() -> Result<Self> {
        crossterm::terminal::enable_raw_mode().context("cannot set the terminal to raw mode")?;
        *ACTIVE.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            before(info);
        }));
        let mut stdout = std::io::stdout();
        let _ = stdout.write_all(b"\x1b[22;0t\x1b[?1049h\x1b[2J\x1b[H");
        let _ = stdout.flush();
        Ok(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    let mut active = ACTIVE.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::take(&mut *active) {
        let mut stdout = std::io::stdout();
        let _ = stdout.write_all(RESTORE.as_bytes());
        let _ = stdout.flush();
        let _ = crossterm::terminal::disable_raw_mode();
    }
}
