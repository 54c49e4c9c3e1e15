//! A key's echo, waited for on the spot.
//!
//! The kernel, a shell or an editor answers a key within microseconds, sooner than the loop is through with going to
//! sleep and waking up. So after a key the loop waits for the answer itself, for a moment that nobody feels, and then
//! reads and shows it at once. A program that takes longer is not waited for again and again.
use super::Server;
use crate::mux::PaneId;
use std::time::Duration;

/// How long the loop may stand still for an echo: a tenth of what a person could notice even if every key missed it.
const LIMIT: Duration = Duration::from_micros(400);

/// After this many misses in a row the wait is tried at every 64th key only.
const MOST_MISSES: u32 = 6;

/// What is known of the echoes of the pane that was typed into last.
#[derive(Debug, Default)]
pub struct Echo {
    pane: Option<PaneId>,
    /// A key went there and its echo was not looked for yet.
    due: bool,
    /// Echoes that did not come in time, one after the other.
    misses: u32,
    /// Keys that are not waited for.
    skip: u32,
}

impl Echo {
    /// A key went to a pane.
    pub fn typed(&mut self, pane: PaneId) {
        if self.pane != Some(pane) {
            *self = Self { pane: Some(pane), ..Self::default() };
        }
        self.due = true;
    }

    /// The pane whose echo is worth waiting for.
    fn worth(&mut self) -> Option<PaneId> {
        let due = std::mem::take(&mut self.due);
        if due && self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.pane.filter(|_| due)
    }

    fn came(&mut self, in_time: bool) {
        self.misses = if in_time { 0 } else { (self.misses + 1).min(MOST_MISSES) };
        self.skip = if in_time { 0 } else { (1 << self.misses) - 1 };
    }
}

impl Server {
    /// Waits a moment for the echo of the key that was typed last; whether it is there to be read.
    pub(super) fn await_echo(&mut self) -> bool {
        let Some(pane) = self.echo.worth() else { return false };
        let Some(pty) = self.screens.get(&pane).and_then(|screen| screen.pty.as_ref()) else { return false };
        let came = pty.await_output(LIMIT);
        self.echo.came(came);
        came
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_program_is_waited_for_ever_less_often() {
        let (mut echo, mut waits) = (Echo::default(), Vec::new());
        for key in 0..200 {
            echo.typed(PaneId(1));
            if echo.worth().is_some() {
                waits.push(key);
                echo.came(false);
            }
        }
        assert_eq!(waits, [0, 2, 6, 14, 30, 62, 126, 190]);
        echo.typed(PaneId(2));
        assert_eq!(echo.worth(), Some(PaneId(2)), "another pane is another program");
        assert_eq!(echo.worth(), None, "one wait for one key");
        echo.came(true);
        echo.typed(PaneId(2));
        assert_eq!(echo.worth(), Some(PaneId(2)));
    }
}
