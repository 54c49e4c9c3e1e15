//! Where a client's keys go: an overlay, the key table behind the prefix, an exit card, or the pane's process.
use super::{Server, attach::Role, connection::ConnectionId, panes::lock, reply::Reply};
use crate::{
    commands,
    config::Settings,
    mux::{ClientId, PaneId, keys::Key},
    state::{overlay::{Outcome, ReferenceRow}, target::Origin},
    term::{
        encode::{self, KeyModes, MouseModes},
        input::{Input, KeyEvent, KeyKind, Reply as TerminalReply},
        modes::Modes,
    },
};
use std::{
    collections::BTreeMap,
    str::FromStr,
    time::{Duration, Instant},
};

/// How long a repeatable key works again without the prefix, as tmux's repeat-time.
const REPEAT: Duration = Duration::from_millis(500);

/// Key bindings as the loop looks them up, and as `prefix ?` lists them.
#[derive(Debug, Default)]
pub struct KeyTable {
    prefix: Vec<Key>,
    bindings: BTreeMap<Key, Vec<String>>,
    /// The rows of `prefix ?` and the palette.
    pub reference: crate::ui::Reference,
}

impl KeyTable {
    /// From the settings; bindings that do not parse were reported when the settings were checked.
    pub fn new(settings: &Settings) -> Self {
        let mut table = Self::default();
        for notation in [Some(settings.prefix.as_str()), settings.prefix2.as_deref()].into_iter().flatten() {
            table.prefix.extend(Key::from_str(notation));
        }
        let help: BTreeMap<String, String> = commands::rows().into_iter().map(|r| (r.name, r.help)).collect();
        for (notation, line) in &settings.keys {
            let (Ok(key), Ok(words)) = (Key::from_str(notation), commands::split_words(line)) else { continue };
            if words.is_empty() {
                continue;
            }
            let text = help.get(&words[0]).cloned().unwrap_or_default();
            table.reference.keys.push(ReferenceRow { key: key.to_string(), command: line.clone(), help: text });
            table.bindings.insert(key, words);
        }
        table.reference.prefix = settings.prefix.clone();
        table.reference.commands = commands::rows()
            .into_iter()
            .map(|r| ReferenceRow { key: String::new(), command: r.name, help: r.help })
            .collect();
        table
    }

    /// The first prefix.
    pub fn prefix(&self, second: bool) -> Option<Key> {
        self.prefix.get(usize::from(second)).copied()
    }
}

impl Server {
    pub(super) fn client_bytes(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let Some(Role::Attached(id)) = self.connections.get(&connection) else { return };
        let id = *id;
        let now = Instant::now();
        let Some(link) = self.links.get_mut(&id) else { return };
        link.last_key = Some(now);
        let inputs = link.decoder.feed(bytes);
        link.escape_due = link.decoder.pending_escape().then(|| now + Duration::from_millis(self.settings.escape_time));
        for input in inputs {
            self.input(id, input);
        }
    }

    pub(super) fn flush_escape(&mut self, id: ClientId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.escape_due = None;
        let inputs = link.decoder.flush();
        for input in inputs {
            self.input(id, input);
        }
    }

    fn input(&mut self, id: ClientId, input: Input) {
        match input {
            Input::Key(event) => self.key(id, event),
            Input::Paste(text) => self.paste_from(id, &text),
            Input::Mouse(event) => self.mouse(id, &event),
            Input::FocusIn => self.focus_report(id, true),
            Input::FocusOut => self.focus_report(id, false),
            Input::Reply(reply) => self.terminal_reply(id, reply),
        }
    }

    fn key(&mut self, id: ClientId, event: KeyEvent) {
        if event.kind != KeyKind::Release {
            if self.key_for_overlay(id, &event) || self.key_for_table(id, &event) || self.key_for_card(id, &event) {
                return;
            }
        }
        let Some(pane) = self.state.focused_pane(id) else { return };
        self.key_to_pane(pane, &event);
        self.seen(id);
    }

    fn key_for_overlay(&mut self, id: ClientId, event: &KeyEvent) -> bool {
        let Some(client) = self.state.clients.get_mut(&id) else { return true };
        if client.prefix {
            return false;
        }
        let Some(mut overlay) = client.overlay.take() else { return false };
        if self.keys.prefix.contains(&event.key) {
            // The prefix works over an overlay too: its own key closes it.
            client.overlay = Some(overlay);
            return false;
        }
        let outcome = overlay.key(&event.key, &self.state, &self.keys.reference);
        self.dirty(id);
        let Some(client) = self.state.clients.get_mut(&id) else { return true };
        let leaving = client.session.0 == 0;
        match outcome {
            Outcome::None | Outcome::Redraw => client.overlay = Some(overlay),
            Outcome::Close => {
                if leaving {
                    self.detach(id, "", 0);
                }
            }
            Outcome::Run(words) => {
                client.overlay = Some(overlay);
                self.run_words(id, &words);
            }
            Outcome::CloseAndRun(words) => {
                self.run_words(id, &words);
                if leaving && self.state.clients.get(&id).is_some_and(|c| c.session.0 == 0 && c.overlay.is_none()) {
                    if let Some(client) = self.state.clients.get_mut(&id) {
                        client.overlay = Some(overlay);
                    }
                }
            }
        }
        self.fit_client(id);
        true
    }

    fn key_for_table(&mut self, id: ClientId, event: &KeyEvent) -> bool {
        let now = Instant::now();
        let repeats = self.links.get(&id).and_then(|l| l.repeat_until).is_some_and(|until| now < until);
        let Some(client) = self.state.clients.get_mut(&id) else { return true };
        let is_prefix = self.keys.prefix.contains(&event.key);
        if !client.prefix {
            if is_prefix {
                client.prefix = true;
                self.guide_prefix(id);
                self.dirty(id);
                return true;
            }
            let again = repeats && self.keys.bindings.get(&event.key).is_some_and(|w| repeatable(w));
            if !again {
                if let Some(link) = self.links.get_mut(&id) {
                    link.repeat_until = None;
                }
                return false;
            }
        }
        client.prefix = false;
        self.dirty(id);
        if is_prefix && !self.keys.bindings.contains_key(&event.key) {
            // Prefix twice sends it.
            if let Some(pane) = self.state.focused_pane(id) {
                self.key_to_pane(pane, event);
            }
            return true;
        }
        match self.keys.bindings.get(&event.key).cloned() {
            Some(words) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.repeat_until = repeatable(&words).then(|| now + REPEAT);
                }
                self.run_words(id, &words);
            }
            None => {
                let prefix = self.keys.reference.prefix.clone();
                self.tell(id, format!("{prefix} {} is not bound; {prefix} ? lists the keys", event.key));
            }
        }
        true
    }

    fn key_for_card(&mut self, id: ClientId, event: &KeyEvent) -> bool {
        let Some(pane) = self.state.focused_pane(id) else { return false };
        let Some(state) = self.state.panes.get(&pane) else { return false };
        if state.exit.is_none() && state.refusal.is_none() {
            return false;
        }
        let typed = event.key.to_string();
        let offered = state.exit.as_ref().is_some_and(|card| card.keys.iter().any(|(key, _)| *key == typed));
        let target = pane.to_string();
        let words: Option<Vec<&str>> = match typed.as_str() {
            "r" if offered => Some(vec!["respawn-pane", "-t", &target, "--how", "resume"]),
            "f" if offered => Some(vec!["respawn-pane", "-t", &target, "--how", "fresh"]),
            "s" if offered => Some(vec!["respawn-pane", "-t", &target, "--how", "shell"]),
            "i" if offered => Some(vec!["respawn-pane", "-t", &target, "--how", "install"]),
            "b" if offered => Some(vec!["respawn-pane", "-t", &target, "--how", "back"]),
            "x" => Some(vec!["kill-pane", "-t", &target]),
            _ => None,
        };
        if let Some(words) = words {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            self.run_words(id, &words);
        }
        true
    }

    /// Runs the words of a binding or an overlay for a client; a failure becomes a message or a dialog.
    pub(super) fn run_words(&mut self, id: ClientId, words: &[String]) {
        let cwd = self.state.focused_pane(id).and_then(|p| self.state.panes.get(&p)).map(|p| p.cwd.clone());
        let origin = Origin { client: Some(id), pane: None, cwd: cwd.unwrap_or_default() };
        let env = self.links.get(&id).map(|l| l.env.clone()).unwrap_or_default();
        match commands::parse(words) {
            Ok(verb) => self.run(verb, &origin, &env, Reply::nobody()),
            Err(error) => {
                let line = error.to_string();
                let line = line.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let near = words.first().and_then(|w| commands::nearest(w)).filter(|n| Some(n) != words.first());
                self.tell(id, near.map_or(line.clone(), |n| format!("{line}; did you mean {n}?")));
            }
        }
    }

    fn key_to_pane(&mut self, pane: PaneId, event: &KeyEvent) {
        let Some(modes) = self.modes(pane) else { return };
        let bytes = encode::encode_key(&event.key, event.kind, &key_modes(&modes));
        if !bytes.is_empty() {
            self.write_or_tell(pane, bytes);
        }
    }

    /// Types a key by name into a pane, as `send-keys` does.
    pub(super) fn type_key(&mut self, pane: PaneId, key: &Key) -> Result<(), String> {
        let modes = self.modes(pane).ok_or_else(|| format!("no pane {pane}"))?;
        self.write(pane, encode::encode_key(key, KeyKind::Press, &key_modes(&modes)))
    }

    pub(super) fn modes(&self, pane: PaneId) -> Option<Modes> {
        self.screens.get(&pane).map(|s| lock(&s.emulator).modes())
    }

    fn write_or_tell(&mut self, pane: PaneId, bytes: Vec<u8>) {
        if let Err(why) = self.write(pane, bytes) {
            let clients: Vec<ClientId> =
                self.state.clients.keys().copied().filter(|c| self.state.focused_pane(*c) == Some(pane)).collect();
            for client in clients {
                self.tell(client, why.clone());
            }
        }
    }

    fn paste_from(&mut self, id: ClientId, text: &[u8]) {
        let overlay = self.state.clients.get_mut(&id).and_then(|c| c.overlay.as_mut());
        if let Some(overlay) = overlay {
            overlay.paste(&String::from_utf8_lossy(text));
            self.dirty(id);
            return;
        }
        if let Some(pane) = self.state.focused_pane(id) {
            self.paste(pane, text);
        }
    }

    /// Pastes into a pane, bracketed when its process asked for that.
    pub(super) fn paste(&mut self, pane: PaneId, text: &[u8]) {
        let Some(modes) = self.modes(pane) else { return };
        self.write_or_tell(pane, encode::encode_paste(text, modes.bracketed_paste));
    }

    fn focus_report(&mut self, id: ClientId, gained: bool) {
        let Some(pane) = self.state.focused_pane(id) else { return };
        if self.modes(pane).is_some_and(|m| m.focus_events) {
            self.write_or_tell(pane, encode::encode_focus(gained));
        }
    }

    /// Tells two panes that the focus moved from one to the other.
    pub(super) fn focus_moved(&mut self, from: Option<PaneId>, to: Option<PaneId>) {
        if from == to {
            return;
        }
        for (pane, gained) in [(from, false), (to, true)] {
            let Some(pane) = pane else { continue };
            if self.modes(pane).is_some_and(|m| m.focus_events) {
                let _ = self.write(pane, encode::encode_focus(gained));
            }
        }
    }

    fn terminal_reply(&mut self, id: ClientId, reply: TerminalReply) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match reply {
            TerminalReply::Kitty(_) => {
                // Disambiguated keys, so that Shift+Enter differs from Enter.
                self.send(id, b"\x1b[>1u".to_vec());
            }
            TerminalReply::Mode { mode: 2026, setting } if matches!(setting, 1 | 2) => link.writer.set_sync(true),
            TerminalReply::Colour { slot, rgb } => {
                let screens: Vec<_> = self.screens.values().map(|s| s.emulator.clone()).collect();
                for emulator in screens {
                    lock(&emulator).set_default_colour(slot, rgb);
                }
            }
            _ => {}
        }
    }
}

fn repeatable(words: &[String]) -> bool {
    words.first().is_some_and(|w| matches!(w.as_str(), "resize-pane" | "resizep")) && !words.iter().any(|w| w == "-Z")
}

/// The modes that key encoding depends on.
fn key_modes(modes: &Modes) -> KeyModes {
    KeyModes {
        app_cursor: modes.app_cursor,
        app_keypad: modes.app_keypad,
        modify_other_keys: modes.modify_other_keys,
        kitty: modes.kitty_flags,
    }
}

/// The modes that mouse encoding depends on.
pub(super) fn mouse_modes(modes: &Modes) -> MouseModes {
    modes.mouse_modes()
}
