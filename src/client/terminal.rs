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

#[cfg(test)]
mod tests {
    use super::*;
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    use std::io::Read;

    /// Set for the child that has a terminal of its own.
    const INSIDE: &str = "INSPAN_TEST_INSIDE";

    /// The part of the test below that happens in a terminal; alone it does nothing.
    #[test]
    fn inside_a_terminal() {
        if std::env::var_os(INSIDE).is_some() {
            let _raw = Raw::enter().unwrap();
            println!("raw: {}", crossterm::terminal::is_raw_mode_enabled().unwrap());
            // In a thread, so that nothing is dropped on the way out: the hook alone must do it.
            let _ = std::thread::spawn(|| panic!("out of order")).join();
            std::process::exit(0);
        }
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_can_be_read() {
        let pty = native_pty_system().openpty(PtySize::default()).unwrap();
        let before = format!("{:?}", pty.master.get_termios());
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", "client::terminal::tests::inside_a_terminal", "--nocapture"]);
        command.env(INSIDE, "1");
        let mut child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut said = Vec::new();
        // Its end is an error on Linux, because nobody has the other side open any more.
        let _ = pty.master.try_clone_reader().unwrap().read_to_end(&mut said);
        assert!(child.wait().unwrap().success());
        let said = String::from_utf8_lossy(&said);
        let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("no {text:?} in {said:?}"));
        assert!(at("raw: true") < at(RESTORE), "{said:?}");
        assert!(
            at(RESTORE) < at("out of order"),
            "what went wrong is told on the person's own screen: {said:?}"
        );
        assert_eq!(format!("{:?}", pty.master.get_termios()), before);
    }
}
