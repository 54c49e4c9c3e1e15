//! Copy mode of a client over a pane, and the verbs of the paste buffers. Output goes on underneath.
mod transcript;
mod view;

pub(super) use view::Copying;

use super::{
    Server, listing,
    panes::lock,
    reply::{Failure, Reply},
    verbs::{Answer, Outcome, silent},
};
use crate::{
    commands::CopyVerb,
    mux::{
        ClientId, PaneId,
        copy::{self, ModeKeys},
    },
    state::target::Origin,
    term::{
        emulator::Emulator,
        input::{KeyEvent, MouseButton, MouseEvent, MouseKind},
    },
};
use std::time::{Duration, Instant};

/// Lines that one notch of the wheel scrolls, as in tmux's copy mode.
pub(super) const WHEEL_LINES: usize = 5;

/// Bytes that are offered to the clipboard of a client's terminal; many take no more. A buffer holds the rest.
pub(super) const MAX_CLIPBOARD: usize = 1 << 20;

/// What the status line says while copy mode has the keys.
const HINT: [(ModeKeys, &str); 2] = [
    (ModeKeys::Vi, "copy mode · / search · v select · y copy · q leave"),
    (ModeKeys::Emacs, "copy mode · C-s search · C-Space select · M-w copy · q leave"),
];

/// The left button is held since it went down here, in cells of the pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressed {
    pane: PaneId,
    at: (u16, u16),
    dragged: bool,
    /// A word or a line was selected by that, and the pointer has not left the cell.
    whole: bool,
}

/// A click, and which of several in the same place it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clicked {
    pane: PaneId,
    at: (u16, u16),
    when: Instant,
    nth: u8,
}

/// How soon after a click another one makes a double click of it, as desktops have it.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);

/// Terminals of which is known that they take nothing for the clipboard, by `TERM`.
const NO_CLIPBOARD: [&str; 7] = ["linux", "dumb", "ansi", "vt100", "vt220", "cons25", "sun"];

impl Server {
    pub(super) fn copy_verb(&mut self, verb: CopyVerb, origin: &Origin, reply: &mut Option<Reply>) -> Answer {
        match verb {
            CopyVerb::CopyMode { target, up, exit, quit } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                for client in self.copiers(pane, origin)? {
                    if quit {
                        self.leave_copy(client, pane);
                        continue;
                    }
                    self.enter_copy(client, pane, exit);
                    if up {
                        self.with_copy(client, pane, |copying, emulator| {
                            copying.with(emulator, |copy, lines| copy.go(copy::Motion::PageUp, lines));
                        });
                    }
                }
                silent()
            }
            CopyVerb::ListBuffers { format } => {
                let rows: Vec<listing::Row> = self.buffers.iter().map(buffer_row).collect();
                Ok(Outcome::Done(listing::print(&format, &rows)))
            }
            CopyVerb::ShowBuffer { buffer } => {
                Ok(Outcome::Done(self.buffers.find(buffer.as_deref())?.text.clone()))
            }
            CopyVerb::SetBuffer { buffer, text } => {
                self.buffers.set(buffer, text, Self::now())?;
                silent()
            }
            CopyVerb::DeleteBuffer { buffer } => {
                self.buffers.delete(buffer.as_deref())?;
                silent()
            }
            CopyVerb::SaveBuffer { buffer, file } => {
                let text = self.buffers.find(buffer.as_deref())?.text.clone();
                if file.as_os_str() == "-" {
                    return Ok(Outcome::Done(text));
                }
                let path = origin.cwd.join(file);
                let (client, Some(reply)) = (origin.client, reply.take()) else { return silent() };
                let write = move || {
                    let size = text.len();
                    match std::fs::write(&path, text) {
                        Ok(()) => Ok(format!("{size} bytes written to {}", path.display())),
                        Err(error) => Err(format!("cannot write {}: {error}", path.display())),
                    }
                };
                self.tasks.spawn(write, move |server, result| match (result, client) {
                    (Ok(said), client) => {
                        if let Some(client) = client {
                            server.tell(client, said);
                        }
                        reply.done();
                    }
                    (Err(why), client) => {
                        let failure = Failure::Failed(why);
                        if let Some(client) = client {
                            server.show_failure(client, &failure);
                        }
                        reply.fail(&failure);
                    }
                });
                Ok(Outcome::Later)
            }
            CopyVerb::PasteBuffer { target, buffer, delete } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                let text = self.buffers.find(buffer.as_deref())?.text.clone();
                self.paste(pane, text.as_bytes());
                if delete {
                    self.buffers.delete(buffer.as_deref())?;
                }
                silent()
            }
        }
    }

    /// Whose view a `copy-mode` is about: the client that asks, else all that have the pane in front.
    fn copiers(&self, pane: PaneId, origin: &Origin) -> Result<Vec<ClientId>, Failure> {
        if let Some(client) = origin.client {
            return Ok(vec![client]);
        }
        let ids = self.state.clients.keys().copied();
        let looking: Vec<ClientId> = ids.filter(|c| self.state.focused_pane(*c) == Some(pane)).collect();
        if looking.is_empty() {
            return Err(Failure::Failed(format!("nobody looks at {pane}")));
        }
        Ok(looking)
    }

    fn mode_keys(&self) -> ModeKeys {
        if self.settings.mode_keys == "emacs" { ModeKeys::Emacs } else { ModeKeys::Vi }
    }

    pub(super) fn is_copying(&self, client: ClientId, pane: PaneId) -> bool {
        self.links.get(&client).is_some_and(|link| link.copies.contains_key(&pane))
    }

    fn enter_copy(&mut self, client: ClientId, pane: PaneId, exit_at_end: bool) {
        if self.is_copying(client, pane) {
            return;
        }
        let keys = self.mode_keys();
        let Some(emulator) = self.emulator(pane) else { return };
        let emulator = lock(&emulator);
        let alone = emulator.modes().alt_screen;
        let conversation = self.harnesses.get(&pane).filter(|_| alone).map(|runtime| &runtime.conversation);
        let copying = Copying::new(keys, &emulator, exit_at_end, conversation);
        let said = match (alone, copying.reads_transcript()) {
            (true, true) => Some("the harness's transcript, as its program keeps no history"),
            (true, false) => Some("a full-screen program keeps no history: copy mode has what is visible"),
            (false, _) => None,
        };
        if let Some(link) = self.links.get_mut(&client) {
            link.copies.insert(pane, copying);
        }
        if let Some(said) = said {
            self.tell(client, said);
        }
        self.dirty(client);
    }

    pub(super) fn leave_copy(&mut self, client: ClientId, pane: PaneId) {
        if let Some(link) = self.links.get_mut(&client) {
            link.copies.remove(&pane);
        }
        self.dirty(client);
    }

    /// Does something in a copy mode, on the pane's text as it is now. `None` when there is none, or it just ended.
    fn with_copy<T>(
        &mut self,
        client: ClientId,
        pane: PaneId,
        then: impl FnOnce(&mut Copying, &Emulator) -> T,
    ) -> Option<T> {
        let emulator = self.emulator(pane)?;
        let emulator = lock(&emulator);
        let link = self.links.get_mut(&client)?;
        let copying = link.copies.get_mut(&pane)?;
        link.dirty = true;
        if let Some(runtime) = self.harnesses.get(&pane) {
            copying.hear(&runtime.conversation);
        }
        let result = copying.follow(&emulator).then(|| {
            let result = then(copying, &emulator);
            copying.note_below(&emulator);
            result
        });
        if result.is_none() {
            link.copies.remove(&pane);
        }
        result
    }

    /// Before a frame: takes in what was printed, and ends the copy modes whose text went away.
    pub(super) fn follow_copies(&mut self, client: ClientId) {
        let panes: Vec<PaneId> = match self.links.get(&client) {
            Some(link) => link.copies.keys().copied().collect(),
            None => return,
        };
        for pane in panes {
            let emulator = self.emulator(pane);
            let Some(link) = self.links.get_mut(&client) else { return };
            let here = match (&emulator, link.copies.get_mut(&pane)) {
                (Some(emulator), Some(copying)) => {
                    if let Some(runtime) = self.harnesses.get(&pane) {
                        copying.hear(&runtime.conversation);
                    }
                    copying.follow(&lock(emulator))
                }
                _ => false,
            };
            if !here {
                self.leave_copy(client, pane);
            }
        }
        let copying = self
            .state
            .focused_pane(client)
            .and_then(|pane| self.links.get(&client)?.copies.get(&pane))
            .map(|copying| copying.keys);
        if let Some(client) = self.state.clients.get_mut(&client) {
            client.hint =
                copying.and_then(|keys| HINT.iter().find(|(k, _)| *k == keys).map(|(_, hint)| *hint));
        }
    }

    pub(super) fn key_for_copy(&mut self, client: ClientId, event: &KeyEvent) -> bool {
        if let Some(link) = self.links.get_mut(&client) {
            link.clicked = None;
        }
        let Some(pane) = self.state.focused_pane(client).filter(|pane| self.is_copying(client, *pane)) else {
            return false;
        };
        let done = self.with_copy(client, pane, |copying, emulator| {
            let outcome = copying.with(emulator, |copy, lines| copy.key(&event.key, lines));
            (outcome, copying.copy.take_notice())
        });
        let Some((outcome, notice)) = done else { return false };
        if let Some(notice) = notice {
            self.tell(client, notice);
        }
        match outcome {
            copy::Outcome::Stay => {}
            copy::Outcome::Leave => self.leave_copy(client, pane),
            copy::Outcome::Copied { text, cut } => {
                self.leave_copy(client, pane);
                self.copied(client, text, cut);
            }
        }
        true
    }

    /// What was pasted while copy mode has the keys belongs to its pattern, never to the program underneath.
    pub(super) fn paste_for_copy(&mut self, client: ClientId, text: &[u8]) -> bool {
        let Some(pane) = self.state.focused_pane(client).filter(|pane| self.is_copying(client, *pane)) else {
            return false;
        };
        let text = String::from_utf8_lossy(text);
        let taken = self.with_copy(client, pane, |copying, emulator| {
            copying.with(emulator, |copy, lines| copy.paste(&text, lines))
        });
        if taken == Some(false) {
            self.tell(client, "nothing was pasted: copy mode has the keys, q leaves it");
        }
        taken.is_some()
    }

    /// A text was copied: it becomes the newest buffer, and the clipboard of the client's terminal.
    fn copied(&mut self, client: ClientId, text: String, cut: bool) {
        use base64::Engine as _;
        if text.is_empty() {
            self.tell(client, "nothing is there to copy");
            return;
        }
        let lines = text.lines().count();
        let lines = if lines == 1 { "a line".to_owned() } else { format!("{lines} lines") };
        let mut said = format!("copied {lines}");
        if cut {
            said.push_str(", the rest was too long");
        }
        if let Some(missed) = self.without_clipboard(client) {
            if !missed {
                said.push_str("; this terminal takes nothing for its clipboard: `save-buffer -` prints it");
            }
        } else if text.len() <= MAX_CLIPBOARD {
            let encoded = base64::engine::general_purpose::STANDARD.encode(&text);
            self.send(client, format!("\x1b]52;c;{encoded}\x07").into_bytes());
        } else {
            said.push_str("; too long for the clipboard: paste-buffer and save-buffer have it");
        }
        match self.buffers.set(None, text, Self::now()) {
            Ok(_) => self.tell(client, said),
            Err(why) => self.tell(client, why),
        }
    }

    /// For a terminal that takes nothing for its clipboard: whether that was said before.
    fn without_clipboard(&mut self, client: ClientId) -> Option<bool> {
        let link = self.links.get_mut(&client)?;
        let var = |name: &str| link.env.get(name).map(String::as_str).unwrap_or_default();
        let named = link.writer.caps().name.as_deref().unwrap_or_default();
        let without = NO_CLIPBOARD.contains(&var("TERM"))
            || var("TERM_PROGRAM") == "Apple_Terminal"
            || named.starts_with("VTE");
        without.then(|| std::mem::replace(&mut link.clipboard_missed, true))
    }

    /// The mouse over a pane in copy mode; true when it was for copy mode. The wheel may begin it.
    pub(super) fn mouse_for_copy(&mut self, client: ClientId, pane: PaneId, event: &MouseEvent) -> bool {
        if !self.is_copying(client, pane) {
            return false;
        }
        if event.kind == MouseKind::Wheel {
            self.copy_wheel(client, pane, event.button);
        }
        self.press_for_copy(client, pane, event);
        true
    }

    /// The left button went down in a pane whose program has no use for it.
    pub(super) fn press_for_copy(&mut self, client: ClientId, pane: PaneId, event: &MouseEvent) {
        let Some(link) = self.links.get_mut(&client) else { return };
        link.pressed = None;
        if event.kind != MouseKind::Press || event.button != MouseButton::Left {
            return;
        }
        let (at, when) = ((event.x, event.y), Instant::now());
        let again = link.clicked.filter(|last| {
            (last.pane, last.at) == (pane, at) && when.duration_since(last.when) < DOUBLE_CLICK
        });
        // A fourth click begins anew.
        let nth = again.map_or(1, |last| last.nth % 3 + 1);
        link.clicked = Some(Clicked { pane, at, when, nth });
        let whole = nth > 1;
        link.pressed = Some(Pressed { pane, at, dragged: whole, whole });
        if whole {
            self.enter_copy(client, pane, false);
            self.with_copy(client, pane, |copying, emulator| {
                copying.point(at, emulator);
                copying.with(emulator, |copy, lines| match nth {
                    2 => copy.select_word(lines),
                    _ => copy.select_line(lines),
                });
            });
        }
    }

    /// The pointer moves with the button held, or lets go: what lies between is selected, then copied. True when the
    /// button went down in a pane.
    pub(super) fn drag_for_copy(
        &mut self,
        client: ClientId,
        event: &MouseEvent,
        geometry: &crate::ui::Geometry,
    ) -> bool {
        let Some(pressed) = self.links.get(&client).and_then(|link| link.pressed) else { return false };
        let Pressed { pane, at, dragged, whole } = pressed;
        let drag = event.kind == MouseKind::Drag;
        let inner = geometry.panes.iter().find(|(id, ..)| *id == pane).map(|(.., inner)| *inner);
        let Some(inner) = inner.filter(|inner| !inner.is_empty()) else { return true };
        let cell = (event.x.saturating_sub(inner.x), event.y.saturating_sub(inner.y));
        let whole = whole && cell == at;
        if let Some(link) = self.links.get_mut(&client) {
            link.pressed = drag.then_some(Pressed { dragged: true, whole, ..pressed });
        }
        if !drag && !dragged {
            self.with_copy(client, pane, |copying, emulator| copying.point(at, emulator));
            return true;
        }
        if !dragged {
            self.enter_copy(client, pane, false);
            self.with_copy(client, pane, |copying, emulator| {
                copying.point(at, emulator);
                copying.copy.select_here();
            });
        }
        let x = event.x.clamp(inner.x, inner.right() - 1) - inner.x;
        let y = event.y.clamp(inner.y, inner.bottom() - 1) - inner.y;
        let (above, below) = (event.y < inner.y, event.y >= inner.bottom());
        let outcome = self.with_copy(client, pane, |copying, emulator| {
            if above || below {
                copying.with(emulator, |copy, lines| copy.scroll(lines, above, 1));
            }
            if !whole {
                copying.point((x, y), emulator);
            }
            copying.with(emulator, |copy, lines| copy.copy(lines))
        });
        if !drag && let Some(copy::Outcome::Copied { text, cut }) = outcome {
            self.leave_copy(client, pane);
            self.copied(client, text, cut);
        }
        true
    }

    /// Scrolls by a notch of the wheel, beginning copy mode where there is something to scroll to.
    pub(super) fn copy_wheel(&mut self, client: ClientId, pane: PaneId, button: MouseButton) {
        let up = match button {
            MouseButton::WheelUp => true,
            MouseButton::WheelDown => false,
            _ => return,
        };
        if !self.is_copying(client, pane) {
            let history = self.emulator(pane).map_or(0, |emulator| lock(&emulator).history_len());
            if !up || history == 0 {
                return;
            }
            self.enter_copy(client, pane, true);
        }
        let over = self.with_copy(client, pane, |copying, emulator| {
            copying.with(emulator, |copy, lines| {
                copy.scroll(lines, up, WHEEL_LINES);
                !up && copy.at_bottom(lines) && copy.selection().is_none()
            }) && copying.exit_at_end
        });
        if over == Some(true) {
            self.leave_copy(client, pane);
        }
    }
}

fn buffer_row(buffer: &super::buffers::PasteBuffer) -> listing::Row {
    /// Characters of a buffer that its row shows, as in tmux.
    const SAMPLE: usize = 50;
    let sample: String = buffer.text.chars().take(SAMPLE).flat_map(char::escape_debug).collect();
    let size = buffer.text.len();
    let mut row = listing::Row::new();
    row.insert("name".into(), buffer.name.clone().into());
    row.insert("size".into(), size.into());
    row.insert("created".into(), buffer.created.into());
    row.insert("buffer_name".into(), buffer.name.clone().into());
    row.insert("buffer_size".into(), size.into());
    row.insert("buffer_created".into(), buffer.created.into());
    row.insert("buffer_sample".into(), sample.clone().into());
    row.insert("line".into(), format!("{}: {size} bytes: \"{sample}\"", buffer.name).into());
    row
}
