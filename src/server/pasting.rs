//! Pastes into programs that read slowly or not at all: what waits is bounded, shown, and can be taken back.
use super::{
    Server,
    reply::Failure,
    verbs::{Answer, line},
};
use crate::{mux::PaneId, term::encode};
use std::{collections::btree_map::Entry, time::Duration};

/// Bytes that wait before anybody is told: what a program reads within a moment is nobody's concern.
const WORTH_TELLING: usize = 256 * 1024;

/// How often it is told how far a paste has come.
const TELL: Duration = Duration::from_secs(1);

/// A paste that a program has not read to its end.
#[derive(Debug, Default)]
pub struct Pasting {
    /// Bytes that found no room, and with them everything behind them.
    cut: usize,
}

impl Server {
    /// Pastes into a pane, bracketed when its process asked for that.
    ///
    /// # Errors
    /// A sentence when it found no room: nothing of it is sent then.
    pub(super) fn paste(&mut self, pane: PaneId, text: &[u8]) -> Result<(), String> {
        let pty = self.screens.get(&pane).and_then(|screen| screen.pty.as_ref());
        let (Some(modes), Some(pty)) = (self.modes(pane), pty) else {
            return Err(format!("nothing runs in {pane}"));
        };
        let cut = self.pastes.get(&pane).map_or(0, |pasting| pasting.cut);
        let bytes = encode::encode_paste(text, modes.bracketed_paste);
        // Behind a hole nothing goes in: the program would take what follows for the rest.
        let taken = cut == 0 && pty.paste(&bytes).is_ok();
        let waiting = pty.waiting();
        if taken && waiting < WORTH_TELLING {
            return Ok(());
        }
        let entry = self.pastes.entry(pane);
        let is_new = matches!(entry, Entry::Vacant(_));
        entry.or_default().cut += if taken { 0 } else { text.len() };
        if is_new {
            self.tell_pasting(pane);
        }
        let why = || format!("{pane} does not read its input: {} were not sent", megabytes(text.len()));
        if taken { Ok(()) } else { Err(why()) }
    }

    /// Tells how far a paste has come until nothing waits any more.
    fn tell_pasting(&mut self, pane: PaneId) {
        let Some(cut) = self.pastes.get(&pane).map(|pasting| pasting.cut) else { return };
        let pty = self.screens.get(&pane).and_then(|screen| screen.pty.as_ref());
        let waiting = pty.map_or(0, crate::term::pty::Pty::waiting);
        let lost = match cut {
            0 => String::new(),
            cut => format!("; the last {} of the paste found no room and are left out", megabytes(cut)),
        };
        if waiting == 0 {
            self.pastes.remove(&pane);
            self.tell_lookers(pane, &format!("{pane} has read the paste{lost}"));
            return;
        }
        let words = format!(
            "{pane} reads slowly: {} wait{lost} · cancel-paste (prefix C-x) takes them back",
            megabytes(waiting)
        );
        self.tell_lookers(pane, &words);
        self.tasks.after(TELL, move |server| server.tell_pasting(pane));
    }

    /// The verb `cancel-paste`.
    pub(super) fn cancel_paste(&mut self, pane: PaneId) -> Answer {
        let Some(pty) = self.screens.get(&pane).and_then(|screen| screen.pty.as_ref()) else {
            return Err(Failure::Failed(format!("nothing runs in {pane}")));
        };
        let lost = pty.take_back();
        self.pastes.remove(&pane);
        line(match lost {
            0 => format!("nothing waits for {pane}"),
            lost => format!("{} that {pane} had not read are taken back", megabytes(lost)),
        })
    }
}

/// A size in the words of a message.
fn megabytes(bytes: usize) -> String {
    match bytes {
        0..100_000 => format!("{bytes} bytes"),
        bytes => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}
