//! Copy mode of a client over a pane, and the verbs of the paste buffers. Output goes on underneath.
use super::{
    Server, listing,
    panes::lock,
    reply::{Failure, Reply},
    verbs::{Answer, Outcome, silent},
};
use crate::{
    commands::CopyVerb,
    config::{Role, Theme},
    mux::{
        ClientId, PaneId,
        copy::{self, Copy, Lines as _, ModeKeys, Pos},
    },
    state::target::Origin,
    term::{
        canvas::{Canvas, CanvasCursor, CursorShape},
        emulator::{Anchor, Emulator, Moved},
        input::{KeyEvent, MouseButton, MouseEvent, MouseKind},
    },
};
use ratatui::{
    layout::Rect,
    style::{Modifier, Style},
};
use unicode_width::UnicodeWidthStr;

/// Lines that one notch of the wheel scrolls, as in tmux's copy mode.
pub(super) const WHEEL_LINES: usize = 5;

/// Bytes that are offered to the clipboard of a client's terminal; many take no more. A buffer holds the rest.
const MAX_CLIPBOARD: usize = 1 << 20;

/// What the status line says while copy mode has the keys.
const HINT: [(ModeKeys, &str); 2] = [
    (ModeKeys::Vi, "copy mode · / search · v select · y copy · q leave"),
    (ModeKeys::Emacs, "copy mode · C-s search · C-Space select · M-w copy · q leave"),
];

/// One client's copy mode over one pane.
#[derive(Clone, Debug)]
pub(super) struct Copying {
    copy: Copy,
    anchor: Anchor,
    keys: ModeKeys,
    /// Lines below the view, for finding it again when everything was wrapped anew.
    below: usize,
    /// The wheel began it, so scrolling to the end leaves it.
    exit_at_end: bool,
}

impl Copying {
    fn new(keys: ModeKeys, emulator: &Emulator, exit_at_end: bool) -> Self {
        let cursor = emulator.cursor();
        let cursor = Pos { line: emulator.history_len() + usize::from(cursor.y), col: cursor.x };
        let copy = Copy::new(keys, emulator, emulator.size().1, cursor);
        Self { copy, anchor: emulator.anchor(), keys, below: 0, exit_at_end }
    }

    /// Takes in what the pane printed since; false when what is shown there is something else now.
    fn follow(&mut self, emulator: &Emulator) -> bool {
        match emulator.moved_since(&self.anchor) {
            Moved::Swapped => return false,
            Moved::Lost(0) => {}
            Moved::Lost(lines) => self.copy.lose(lines),
            Moved::Gone => {
                self.copy.lose(usize::MAX);
                self.copy.rewrapped(emulator, emulator.size().1, emulator.count());
            }
            Moved::Rewrapped => self.copy.rewrapped(emulator, emulator.size().1, self.below),
        }
        self.anchor = emulator.anchor();
        self.below = emulator.count().saturating_sub(self.copy.top() + usize::from(emulator.size().1));
        true
    }

    /// Puts the cursor onto a cell of the pane.
    fn point(&mut self, (x, y): (u16, u16), emulator: &Emulator) {
        let line = self.copy.top() + usize::from(y);
        self.copy.point(Pos { line, col: x }, emulator);
    }

    /// Lines between the view and the live screen.
    fn back(&self, emulator: &Emulator) -> usize {
        emulator.history_len().saturating_sub(self.copy.top())
    }

    /// Draws the view over the pane, what is selected and found in it, and where it stands.
    pub(super) fn draw(&self, emulator: &Emulator, canvas: &mut Canvas, area: Rect, theme: &Theme) {
        // Output since the loop looked last must not move what is read.
        let mut now = self.clone();
        if !now.follow(emulator) {
            now = self.clone();
        }
        let area = area.intersection(canvas.area());
        emulator.draw(canvas, area, now.back(emulator));
        let reversed = |role| theme.style(role).add_modifier(Modifier::REVERSED);
        let top = now.copy.top();
        let mut paint = |line: usize, cols: std::ops::Range<u16>, style: Style| {
            let Some(y) = line.checked_sub(top).and_then(|y| u16::try_from(y).ok()) else { return };
            let (from, to) = (cols.start.min(area.width), cols.end.min(area.width));
            let run = Rect { x: area.x + from, y: area.y.saturating_add(y), width: to - from, height: 1 };
            canvas.buffer.set_style(run.intersection(area), style);
        };
        for span in now.copy.matches(emulator) {
            paint(span.line, span.cols, reversed(Role::Warn));
        }
        let mut row = copy::Row::default();
        for line in top..top + usize::from(area.height) {
            emulator.read(line, &mut row);
            let Some(cols) = now.copy.selected(line, &row) else { continue };
            // One column more than the text shows that the line break belongs to it.
            let to = if cols.end == u16::MAX { row.end().saturating_add(1) } else { cols.end };
            paint(line, cols.start..to.max(cols.start), theme.style(Role::Selection));
        }
        let tally = now.copy.tally().map(|t| format!("({}/{}) ", t.at, t.of)).unwrap_or_default();
        let place = format!("{tally}[{}/{}]", now.back(emulator), emulator.history_len());
        let width = u16::try_from(place.len()).unwrap_or(u16::MAX).min(area.width);
        let corner = Rect { x: area.right() - width, y: area.y, width, height: 1.min(area.height) };
        write(canvas, corner, &place, reversed(Role::Accent));
        if let Some(prompt) = now.copy.prompt() {
            let y = area.y + now.prompt_row(emulator).min(area.height.max(1) - 1);
            let width = if y == area.y { area.width - width } else { area.width };
            write(canvas, Rect { y, width, height: 1, ..area }, &prompt, theme.style(Role::Text));
        }
    }

    /// Where the cursor stands in the pane.
    pub(super) fn cursor(&self, emulator: &Emulator) -> Option<CanvasCursor> {
        let convert = |n: usize| u16::try_from(n).ok();
        if let Some(prompt) = self.copy.prompt() {
            let shape = CursorShape::Bar { blink: true };
            return Some(CanvasCursor { x: convert(prompt.width())?, y: self.prompt_row(emulator), shape });
        }
        let Pos { line, col } = self.copy.cursor();
        let y = convert(line.checked_sub(self.copy.top())?)?;
        // Behind a full line there is no column left to stand on.
        let x = col.min(emulator.size().0.saturating_sub(1));
        Some(CanvasCursor { x, y, shape: CursorShape::Default })
    }

    /// The row of the pattern being typed: the last one, or the first where the last one has what was found.
    fn prompt_row(&self, emulator: &Emulator) -> u16 {
        let last = emulator.size().1.saturating_sub(1);
        let covers = self.copy.cursor().line == self.copy.top() + usize::from(last);
        if covers { 0 } else { last }
    }
}

/// The left button is held since it went down here, in cells of the pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressed {
    pane: PaneId,
    at: (u16, u16),
    dragged: bool,
}

/// Writes a text over a part of one row.
fn write(canvas: &mut Canvas, area: Rect, text: &str, style: Style) {
    canvas.clear(area);
    if !area.is_empty() {
        canvas.buffer.set_stringn(area.x, area.y, text, usize::from(area.width), style);
    }
}

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
                            copying.copy.go(copy::Motion::PageUp, emulator);
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
        let copying = Copying::new(keys, &emulator, exit_at_end);
        if let Some(link) = self.links.get_mut(&client) {
            link.copies.insert(pane, copying);
        }
        if emulator.modes().alt_screen {
            self.tell(client, "a full-screen program keeps no history: copy mode has what is visible");
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
        let result = copying.follow(&emulator).then(|| {
            let result = then(copying, &emulator);
            copying.below =
                emulator.count().saturating_sub(copying.copy.top() + usize::from(emulator.size().1));
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
                (Some(emulator), Some(copying)) => copying.follow(&lock(emulator)),
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
        let Some(pane) = self.state.focused_pane(client).filter(|pane| self.is_copying(client, *pane)) else {
            return false;
        };
        let done = self.with_copy(client, pane, |copying, emulator| {
            let outcome = copying.copy.key(&event.key, emulator);
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
        let taken = self.with_copy(client, pane, |copying, emulator| copying.copy.paste(&text, emulator));
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
        if text.len() <= MAX_CLIPBOARD {
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
        if let Some(link) = self.links.get_mut(&client) {
            link.pressed = (event.kind == MouseKind::Press && event.button == MouseButton::Left)
                .then_some(Pressed { pane, at: (event.x, event.y), dragged: false });
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
        let Pressed { pane, at, dragged } = pressed;
        let drag = event.kind == MouseKind::Drag;
        if let Some(link) = self.links.get_mut(&client) {
            link.pressed = drag.then_some(Pressed { dragged: true, ..pressed });
        }
        let inner = geometry.panes.iter().find(|(id, ..)| *id == pane).map(|(.., inner)| *inner);
        let Some(inner) = inner.filter(|inner| !inner.is_empty()) else { return true };
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
                copying.copy.scroll(emulator, above, 1);
            }
            copying.point((x, y), emulator);
            copying.copy.copy(emulator)
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
            copying.copy.scroll(emulator, up, WHEEL_LINES);
            !up && copying.exit_at_end
                && copying.copy.at_bottom(emulator)
                && copying.copy.selection().is_none()
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
