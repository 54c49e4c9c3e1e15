//! What a client's terminal is put into beside the picture: it follows the pane that has its keys. The keyboard speaks as
//! that pane's program asked, as far as the terminal can; the mouse reports every movement while a pane in sight wants
//! that; the terminal shows the pane's progress.
use super::{
    Server,
    attach::{COLOURS, MOUSE},
    panes::lock,
};
use crate::{
    config::TerminalProgress,
    mux::{ClientId, PaneId, keys::KeyCode},
    state::{Progress, ProgressKind},
    term::{
        frame::Caps,
        input::{KeyEvent, KeyKind, Reply as TerminalReply},
        modes::MouseProtocol,
        palette::Rgb,
    },
};

/// kitty flag: keys that are ambiguous in the legacy form are told apart, so that Shift+Enter differs from Enter. It is
/// always asked for: keys of our own need it as well.
const DISAMBIGUATE: u8 = 1;

/// kitty flag: repeats and releases are told.
const EVENT_TYPES: u8 = 2;

/// Keys that are held at once while something of ours has them: as many as there are fingers.
const MAX_TAKEN: usize = 10;

/// How a client's terminal tells of keys, as far as it can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Keyboard {
    /// As it always did.
    #[default]
    Legacy,
    /// By xterm's modifyOtherKeys, with this level in force.
    Modified(Option<u8>),
    /// By the kitty protocol, with these flags in force.
    Kitty(Option<u8>),
}

/// What a client's terminal was put into; `None` where that is not certain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attuned {
    pub keyboard: Keyboard,
    /// Every movement of the mouse is reported.
    motion: Option<bool>,
    progress: Option<Progress>,
}

impl Attuned {
    /// The flags of the kitty protocol that the terminal has.
    pub fn kitty(&self) -> u8 {
        match self.keyboard {
            Keyboard::Kitty(flags) => flags.unwrap_or(DISAMBIGUATE),
            _ => 0,
        }
    }

    /// What was sent last may not have arrived.
    pub fn doubt(&mut self) {
        self.motion = None;
        match &mut self.keyboard {
            Keyboard::Legacy => {}
            Keyboard::Modified(sent) | Keyboard::Kitty(sent) => *sent = None,
        }
    }

    /// The mouse was turned on or off as a whole.
    pub fn mouse_anew(&mut self) {
        self.motion = Some(false);
    }
}

impl Server {
    /// The pane that gets what a client types, when nothing of ours has the keys.
    fn typed_to(&self, id: ClientId) -> Option<PaneId> {
        let client = self.state.clients.get(&id).filter(|client| client.overlay.is_none())?;
        self.state.focused_pane(client.id).filter(|pane| !self.is_copying(id, *pane))
    }

    /// The bytes that put a client's terminal into what the panes in front of it need; empty when it is.
    pub(super) fn attune(&mut self, id: ClientId) -> Vec<u8> {
        let typed = self.typed_to(id).and_then(|pane| self.modes(pane)).unwrap_or_default();
        let motion = self.settings.mouse
            && self.state.shown_window(id).is_some_and(|window| {
                let panes = if window.zoomed { vec![window.active] } else { window.panes() };
                panes.iter().filter_map(|pane| self.screens.get(pane)).any(|screen| {
                    screen.pty.is_some() && lock(&screen.emulator).modes().mouse == MouseProtocol::Motion
                })
            });
        let progress = self.progress_for(id);
        let announcer = self.announcer(id).unwrap_or_default();
        let Some(link) = self.links.get_mut(&id) else { return Vec::new() };
        let mut bytes = Vec::new();
        match &mut link.attuned.keyboard {
            Keyboard::Legacy => {}
            Keyboard::Kitty(sent) => {
                let flags = DISAMBIGUATE | typed.kitty_flags;
                if sent.replace(flags) != Some(flags) {
                    bytes.extend(format!("\x1b[={flags}u").into_bytes());
                }
            }
            Keyboard::Modified(sent) => {
                // Level 1 leaves every key that has a form of old as it is. Who asks for more gets the other level.
                let level = if typed.kitty_flags != 0 || typed.modify_other_keys > 1 { 2 } else { 1 };
                if sent.replace(level) != Some(level) {
                    bytes.extend(format!("\x1b[>4;{level}m").into_bytes());
                }
            }
        }
        if link.attuned.motion.replace(motion) != Some(motion) {
            match motion {
                true => bytes.extend_from_slice(b"\x1b[?1003h"),
                // Some terminals let go of the mouse altogether.
                false if self.settings.mouse => bytes.extend(format!("\x1b[?1003l{MOUSE}").into_bytes()),
                false => {}
            }
        }
        if link.attuned.progress != progress {
            link.attuned.progress = progress;
            bytes.extend(match progress {
                Some(Progress { kind, percent }) => announcer.progress(code(kind), percent),
                None => announcer.progress(0, 0),
            });
        }
        bytes
    }

    /// The progress that a client's terminal is to show.
    fn progress_for(&self, id: ClientId) -> Option<Progress> {
        let shows = match self.settings.terminal_progress {
            TerminalProgress::Always => true,
            TerminalProgress::Auto => self.announcer(id)?.progress,
            TerminalProgress::Never => false,
        };
        let pane = self.state.focused_pane(id).filter(|_| shows)?;
        self.state.panes.get(&pane)?.progress
    }

    /// Whether a key goes up that was taken when it went down: the pane has not seen it, so it must not see it go.
    pub(super) fn is_taken(&mut self, id: ClientId, event: &KeyEvent) -> bool {
        let Some(link) = self.links.get_mut(&id).filter(|_| event.kind == KeyKind::Release) else {
            return false;
        };
        let before = link.taken.len();
        link.taken.retain(|code| !same_key(*code, event.key.code));
        link.taken.len() < before
    }

    /// Remembers a key that was taken, where the terminal will say when it goes up.
    pub(super) fn take_key(&mut self, id: ClientId, event: &KeyEvent) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let code = event.key.code;
        if link.attuned.kitty() & EVENT_TYPES != 0
            && !link.taken.contains(&code)
            && link.taken.len() < MAX_TAKEN
        {
            link.taken.push(code);
        }
    }

    /// What the terminal answered, or told unasked.
    pub(super) fn terminal_reply(&mut self, id: ClientId, reply: TerminalReply) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match reply {
            TerminalReply::KittyFlags(_) => {
                let caps = Caps { kitty_keyboard: true, ..link.writer.caps().clone() };
                link.writer.set_caps(caps);
                if !matches!(link.attuned.keyboard, Keyboard::Kitty(_)) {
                    link.attuned.keyboard = Keyboard::Kitty(Some(1));
                    self.send(id, b"\x1b[>1u".to_vec());
                    self.dirty(id);
                }
            }
            // The last answer: no other will come. A terminal without the kitty protocol that tells its name is new
            // enough to know what it is asked for instead, or to ignore it.
            TerminalReply::DeviceAttributes(_)
                if link.attuned.keyboard == Keyboard::Legacy && link.writer.caps().name.is_some() =>
            {
                link.attuned.keyboard = Keyboard::Modified(None);
                self.dirty(id);
            }
            // The person changed from day to night: the colours themselves say how.
            TerminalReply::ColourScheme { .. } => self.send(id, COLOURS.into()),
            TerminalReply::Mode { mode: 2026, value: 1 | 2, .. } => {
                let caps = Caps { sync_output: true, ..link.writer.caps().clone() };
                link.writer.set_caps(caps);
            }
            TerminalReply::Version(name) => {
                let caps = Caps { name: Some(name), ..link.writer.caps().clone() };
                link.writer.set_caps(caps);
            }
            TerminalReply::Colour { osc: slot @ (10 | 11), rgb: (r, g, b) } => {
                let colour = Rgb(r, g, b);
                let slot =
                    if slot == 10 { &mut self.palette.foreground } else { &mut self.palette.background };
                if *slot != colour {
                    *slot = colour;
                    self.take_palette();
                }
            }
            _ => {}
        }
    }

    /// Panes learn the colours of the terminal that shows them.
    fn take_palette(&mut self) {
        let panes: Vec<PaneId> = self.screens.keys().copied().collect();
        for pane in panes {
            let Some(screen) = self.screens.get(&pane) else { continue };
            let told = lock(&screen.emulator).set_palette(self.palette.clone());
            if !told.is_empty() {
                let _ = self.write(pane, told);
            }
        }
    }

    /// What a terminal that is let go must still be told: nobody else takes its progress away.
    pub(super) fn unattune(&mut self, id: ClientId) {
        let shown = self.links.get_mut(&id).and_then(|link| link.attuned.progress.take());
        if let (Some(_), Some(announcer)) = (shown, self.announcer(id)) {
            self.send(id, announcer.progress(0, 0));
        }
    }
}

/// The number of `OSC 9 ; 4`.
fn code(kind: ProgressKind) -> u8 {
    match kind {
        ProgressKind::Value => 1,
        ProgressKind::Error => 2,
        ProgressKind::Busy => 3,
        ProgressKind::Paused => 4,
    }
}

/// Whether two names mean the same key: which character it types may have changed with Shift meanwhile.
fn same_key(a: KeyCode, b: KeyCode) -> bool {
    match (a, b) {
        (KeyCode::Char(a), KeyCode::Char(b)) => a.to_lowercase().eq(b.to_lowercase()),
        (a, b) => a == b,
    }
}
