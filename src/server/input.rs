//! Where a client's keys go: an overlay, the key table behind the prefix, copy mode, an exit card, or the pane's process.
use super::{
    Server,
    attach::Role,
    connection::ConnectionId,
    overlays,
    panes::lock,
    reply::{Failure, Reply},
    scripted::Scripted,
};
use crate::{
    commands,
    config::Settings,
    mux::{ClientId, PaneId, keys::Key},
    state::{
        overlay::{Context, Outcome, Overlay, ReferenceRow},
        target::Origin,
    },
    term::{
        encode::{self, KeyModes, MouseModes, MouseTracking},
        input::{Input, KeyEvent, KeyKind},
        modes::{self, Modes, MouseProtocol},
    },
};
use std::{collections::BTreeMap, str::FromStr, time::Instant};

/// Which keys: those without the prefix, or those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Without the prefix.
    Root,
    /// Behind the prefix.
    Prefix,
}

impl Table {
    /// The table that `-n` and `-T` name; the prefix's when neither is there.
    ///
    /// # Errors
    /// A sentence for another name.
    pub fn named(root: bool, name: Option<&str>) -> Result<Self, String> {
        match name {
            _ if root => Ok(Self::Root),
            None | Some("prefix") => Ok(Self::Prefix),
            Some("root") => Ok(Self::Root),
            Some(other) => Err(format!("there is no key table {other:?}; there are prefix and root")),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Prefix => "prefix",
        }
    }
}

/// What a key runs.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The words of its command line, `;` between commands.
    pub words: Vec<String>,
    /// The same as it was written.
    pub line: String,
    /// It works again without the prefix for a moment.
    pub repeat: bool,
    /// What it does, where somebody said so.
    pub note: Option<String>,
}

/// Key bindings as the loop looks them up, and as `prefix ?` lists them.
#[derive(Debug, Default)]
pub struct KeyTable {
    prefix: Vec<Key>,
    bindings: BTreeMap<(Table, Key), Binding>,
    notation: String,
    rows: Vec<ReferenceRow>,
}

impl KeyTable {
    /// From the settings, and over them what scripts bound; bindings that do not parse were reported when the settings
    /// were checked.
    pub fn new(settings: &Settings, scripted: &Scripted) -> Self {
        let mut table = Self::default();
        for notation in settings.prefixes() {
            table.prefix.extend(Key::from_str(notation));
        }
        let of_file = [(Table::Prefix, &settings.keys), (Table::Root, &settings.root_keys)];
        for (which, keys) in of_file.into_iter().filter(|_| !scripted.unbound) {
            for (notation, line) in keys {
                let (Ok(key), Ok(words)) = (Key::from_str(notation), commands::split_words(line)) else {
                    continue;
                };
                let binding = Binding { repeat: repeatable(&words), words, line: line.clone(), note: None };
                table.bindings.insert((which, key), binding);
            }
        }
        for (at, bound) in &scripted.keys {
            if bound.words.is_empty() {
                table.bindings.remove(at);
                continue;
            }
            let binding = Binding {
                line: commands::join_words(&bound.words),
                repeat: bound.repeat || repeatable(&bound.words),
                words: bound.words.clone(),
                note: bound.note.clone(),
            };
            table.bindings.insert(*at, binding);
        }
        table.bindings.retain(|_, binding| !binding.words.is_empty());
        let help: BTreeMap<String, String> = commands::rows().into_iter().map(|r| (r.name, r.help)).collect();
        let mut bound: Vec<_> = table.bindings.iter().collect();
        // By how keys are written, those behind the prefix first.
        bound.sort_by_cached_key(|((which, key), _)| (*which == Table::Root, key.to_string()));
        table.rows = bound
            .into_iter()
            .map(|((which, key), binding)| ReferenceRow {
                keys: match which {
                    Table::Prefix => key.to_string(),
                    Table::Root => format!("{key} alone"),
                },
                command: binding.line.clone(),
                help: binding
                    .note
                    .clone()
                    .or_else(|| help.get(binding.words.first()?).cloned())
                    .unwrap_or_default(),
            })
            .collect();
        table.notation.clone_from(&settings.prefix);
        table.rows.extend(commands::rows().into_iter().map(|r| ReferenceRow {
            keys: String::new(),
            command: r.name,
            help: r.help,
        }));
        table
    }

    /// The rows of `prefix ?` and the palette.
    pub fn reference(&self) -> crate::ui::Reference<'_> {
        crate::ui::Reference { prefix: &self.notation, rows: &self.rows }
    }

    /// Every binding, by table and key.
    pub fn bindings(&self) -> impl Iterator<Item = (Table, &Key, &Binding)> {
        self.bindings.iter().map(|((table, key), binding)| (*table, key, binding))
    }

    /// Whether a key does something.
    pub fn is_bound(&self, table: Table, key: &Key) -> bool {
        self.bindings.contains_key(&(table, *key))
    }

    fn get(&self, table: Table, key: &Key) -> Option<&Binding> {
        self.bindings.get(&(table, *key))
    }

    /// The first prefix in key notation.
    pub fn prefix_notation(&self) -> &str {
        &self.notation
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
        self.typed_last(id);
        let Some(link) = self.links.get_mut(&id) else { return };
        let inputs = link.decoder.feed(bytes);
        link.escape_due = link.decoder.pending().map(|most| {
            now + if link.decoder.pending_escape() { self.settings.escape_time().min(most) } else { most }
        });
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
        if self.is_taken(id, &event) {
            return;
        }
        // A modifier on its own is told only to a program that asked for every key; nothing of ours has a use for it.
        if event.kind != KeyKind::Release
            && !event.is_modifier()
            && (self.key_for_guide(id, &event)
                || self.key_for_overlay(id, &event)
                || self.key_for_table(id, &event)
                || self.key_for_copy(id, &event)
                || self.key_for_card(id, &event))
        {
            self.take_key(id, &event);
            return;
        }
        let Some(pane) = self.state.focused_pane(id).filter(|pane| !self.is_copying(id, *pane)) else {
            return;
        };
        if self.only_watches(id) {
            if event.kind == KeyKind::Press {
                let prefix = self.keys.prefix_notation().to_owned();
                self.tell(id, format!("this terminal only watches; {prefix} d leaves"));
            }
            return;
        }
        for pane in self.typed_into(pane) {
            self.key_to_pane(id, pane, &event);
        }
        self.seen(id);
    }

    /// Whether a client may only look.
    pub(super) fn only_watches(&self, id: ClientId) -> bool {
        self.state.clients.get(&id).is_some_and(|client| client.read_only)
    }

    /// The panes that get what is typed into one: it, or all of a window that types into all; none that is shut.
    pub(super) fn typed_into(&self, pane: PaneId) -> Vec<PaneId> {
        let window = self.state.window_of(pane).filter(|window| window.synchronized && window.contains(pane));
        let panes = window.map_or_else(|| vec![pane], crate::state::Window::panes);
        let open = |id: &PaneId| self.state.panes.get(id).is_some_and(|pane| !pane.input_off);
        let runs =
            |id: &PaneId| *id == pane || self.screens.get(id).is_some_and(|screen| screen.pty.is_some());
        panes.into_iter().filter(|id| open(id) && runs(id)).collect()
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
        let outcome = overlay.key(
            &event.key,
            &self.state,
            &Context { client: id, reference: self.keys.reference().rows },
        );
        self.after_overlay(id, outcome, overlay);
        true
    }

    /// Does what a key or a click in an overlay asked for; the overlay comes back unless it is done.
    pub(super) fn after_overlay(&mut self, id: ClientId, outcome: Outcome, overlay: Overlay) {
        self.dirty(id);
        self.keep_draft(&overlay);
        let Some(client) = self.state.clients.get_mut(&id) else { return };
        let leaving = client.session.0 == 0 && matches!(overlay, Overlay::Picker(_));
        match (outcome, overlay) {
            (Outcome::None | Outcome::Redraw, overlay) => client.overlay = Some(overlay),
            (Outcome::Close, _) => {
                if leaving {
                    self.detach(id, "", 0);
                }
            }
            (Outcome::Run(words), overlay) => {
                client.overlay = Some(overlay);
                self.run_bound(id, &words);
            }
            (Outcome::CloseAndRun(words), Overlay::Palette(palette)) => {
                // What goes wrong is said there, with what was typed still in place.
                if let Some(link) = self.links.get_mut(&id) {
                    link.palette = Some(palette);
                }
                self.run_bound(id, &words);
                if let Some(link) = self.links.get_mut(&id) {
                    link.palette = None;
                }
            }
            (Outcome::CloseAndRun(words), _) => self.run_bound(id, &words),
        }
        self.never_nothing(id);
        self.fit_client(id);
    }

    /// A client without a session sees the picker, whatever lay over it before.
    fn never_nothing(&mut self, id: ClientId) {
        let Some(client) = self.state.clients.get_mut(&id) else { return };
        if client.session.0 == 0 && client.overlay.is_none() {
            let dir = self.links.get(&id).map(|link| link.cwd.clone()).unwrap_or_default();
            client.overlay = Some(overlays::picker(&dir));
        }
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
            let again =
                repeats && self.keys.get(Table::Prefix, &event.key).is_some_and(|binding| binding.repeat);
            if !again {
                if let Some(link) = self.links.get_mut(&id) {
                    link.repeat_until = None;
                }
                let Some(words) = self.keys.get(Table::Root, &event.key).map(|binding| binding.words.clone())
                else {
                    return false;
                };
                self.run_bound(id, &words);
                return true;
            }
        }
        client.prefix = false;
        self.dirty(id);
        if is_prefix && !self.keys.is_bound(Table::Prefix, &event.key) {
            // Prefix twice sends it.
            if self.key_for_copy(id, event) {
                return true;
            }
            if let Some(pane) = self.state.focused_pane(id).filter(|_| !self.only_watches(id)) {
                for pane in self.typed_into(pane) {
                    self.key_to_pane(id, pane, event);
                }
            }
            return true;
        }
        match self.keys.get(Table::Prefix, &event.key).cloned() {
            Some(binding) => {
                let until = binding.repeat.then(|| now + self.settings.repeat_time());
                if let Some(link) = self.links.get_mut(&id) {
                    link.repeat_until = until;
                }
                self.run_bound(id, &binding.words);
            }
            None => {
                let prefix = self.keys.prefix_notation().to_owned();
                self.tell(id, format!("{prefix} {} is not bound; {prefix} ? lists the keys", event.key));
            }
        }
        true
    }

    /// Runs what a key is bound to; who only watches may look around and leave.
    pub(super) fn run_bound(&mut self, id: ClientId, words: &[String]) {
        if self.only_watches(id) && !commands::sequence(words).iter().all(|words| only_looks(words)) {
            self.tell(id, "this terminal only watches; nothing was done");
            return;
        }
        self.run_words(id, words);
    }

    fn key_for_card(&mut self, id: ClientId, event: &KeyEvent) -> bool {
        if self.only_watches(id) {
            return false;
        }
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
            "i" if offered => Some(vec!["respawn-pane", "-t", &target, "--how", "fresh"]),
            "t" if offered => {
                if let Some(words) = self.retries.remove(&pane) {
                    self.run_words(id, &words);
                }
                None
            }
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
        let Some(link) = self.links.get_mut(&id) else { return };
        link.asked = words.to_vec();
        let origin = Origin { client: Some(id), pane: None, cwd: cwd.unwrap_or_else(|| link.cwd.clone()) };
        let env = link.env.clone();
        let mut commands = commands::sequence(words);
        if commands.len() > 1 {
            // What follows a command that ended is run for the same client, where that now is.
            for words in commands.drain(..) {
                self.run_words(id, &words);
            }
            return;
        }
        match commands::parse(words) {
            Ok(verb) => {
                if !self.ask_trust(id, &verb, words, &origin, &env) {
                    let name = self.hooked_name(words);
                    self.run(verb, &origin, &env, Reply::nobody());
                    self.hook_after(name, &origin);
                }
            }
            Err(error) => {
                let line = fault(&error.to_string());
                let near =
                    words.first().and_then(|w| commands::nearest(w)).filter(|n| Some(n) != words.first());
                let why = near.map_or(line.clone(), |n| format!("{line}; did you mean {n}?"));
                self.show_failure(id, &Failure::Usage(why));
            }
        }
    }

    fn key_to_pane(&mut self, client: ClientId, pane: PaneId, event: &KeyEvent) {
        let Some(modes) = self.modes(pane) else { return };
        let spoken = self.links.get(&client).map_or(0, |link| link.attuned.kitty());
        // A program that speaks what the terminal speaks gets each word as it was said: locks, layouts and composed text.
        let bytes = match event.is_kitty() && modes.kitty_flags == spoken {
            true => event.raw.clone(),
            false => match event.text.as_deref().filter(|_| event.is_composed()) {
                Some(text) => text.as_bytes().to_vec(),
                None => encode::encode_key(&event.key, event.kind, &key_modes(&modes)),
            },
        };
        if !bytes.is_empty() {
            self.write_or_tell(pane, bytes);
            self.echo.typed(pane);
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
            let clients: Vec<ClientId> = self
                .state
                .clients
                .keys()
                .copied()
                .filter(|c| self.state.focused_pane(*c) == Some(pane))
                .collect();
            for client in clients {
                self.tell(client, why.clone());
            }
        }
    }

    fn paste_from(&mut self, id: ClientId, text: &[u8]) {
        let overlay = self.state.clients.get_mut(&id).and_then(|c| c.overlay.as_mut());
        if let Some(overlay) = overlay {
            overlay.paste(&String::from_utf8_lossy(text));
            let overlay = overlay.clone();
            self.keep_draft(&overlay);
            self.dirty(id);
            return;
        }
        if self.paste_for_copy(id, text) {
            return;
        }
        if let Some(pane) = self.state.focused_pane(id).filter(|_| !self.only_watches(id)) {
            for pane in self.typed_into(pane) {
                self.paste(pane, text);
            }
        }
    }

    /// Pastes into a pane, bracketed when its process asked for that.
    pub(super) fn paste(&mut self, pane: PaneId, text: &[u8]) {
        let Some(modes) = self.modes(pane) else { return };
        self.write_or_tell(pane, encode::encode_paste(text, modes.bracketed_paste));
    }

    fn focus_report(&mut self, id: ClientId, gained: bool) {
        if let Some(link) = self.links.get_mut(&id) {
            link.focused = gained;
        }
        if gained {
            self.look_at_machine(id);
        }
        let Some(pane) = self.state.focused_pane(id) else { return };
        if self.modes(pane).is_some_and(|m| m.focus_events) {
            self.write_or_tell(pane, encode::encode_focus(gained).to_vec());
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
                let _ = self.write(pane, encode::encode_focus(gained).to_vec());
            }
        }
    }
}

/// Commands that change nothing but what the client itself sees.
fn only_looks(words: &[String]) -> bool {
    const LOOKS: [&str; 14] = [
        "detach-client",
        "switch-client",
        "choose-tree",
        "choose-client",
        "list-keys",
        "list-panes",
        "list-sessions",
        "list-windows",
        "display-message",
        "refresh-client",
        "router-panel",
        "copy-mode",
        "route",
        "explain",
    ];
    words
        .first()
        .and_then(|word| commands::full_name(word))
        .is_some_and(|name| LOOKS.contains(&name.as_str()))
}

/// What is wrong with a command line, in one line: the first of what the parser says, with what it announces.
pub(super) fn fault(error: &str) -> String {
    let mut lines = error.lines().map(str::trim);
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ");
    let named: Vec<&str> =
        if first.ends_with(':') { lines.take_while(|line| !line.is_empty()).collect() } else { Vec::new() };
    format!("{first} {}", named.join(" ")).trim_end().to_owned()
}

fn repeatable(words: &[String]) -> bool {
    words.first().is_some_and(|w| matches!(w.as_str(), "resize-pane" | "resizep"))
        && !words.iter().any(|w| w == "-Z" || w == ";")
}

/// The modes that key encoding depends on.
fn key_modes(modes: &Modes) -> KeyModes {
    KeyModes {
        backarrow: modes.backarrow,
        app_cursor: modes.app_cursor,
        app_keypad: modes.app_keypad,
        modify_other_keys: modes.modify_other_keys,
        kitty: modes.kitty_flags,
    }
}

/// The modes that mouse encoding depends on.
pub(super) fn mouse_modes(modes: &Modes) -> MouseModes {
    MouseModes {
        tracking: match modes.mouse {
            MouseProtocol::Off => MouseTracking::Off,
            MouseProtocol::Press => MouseTracking::Press,
            MouseProtocol::Click => MouseTracking::Button,
            MouseProtocol::Drag => MouseTracking::Drag,
            MouseProtocol::Motion => MouseTracking::Any,
        },
        encoding: match modes.mouse_encoding {
            modes::MouseEncoding::Legacy => encode::MouseEncoding::X10,
            modes::MouseEncoding::Utf8 => encode::MouseEncoding::Utf8,
            modes::MouseEncoding::Urxvt => encode::MouseEncoding::Urxvt,
            modes::MouseEncoding::Sgr => encode::MouseEncoding::Sgr,
            modes::MouseEncoding::SgrPixels => encode::MouseEncoding::SgrPixels,
        },
    }
}

/// Puts back bindings that the key and command tables do not understand, and says so.
pub fn check(settings: &mut Settings) -> Vec<crate::config::Problem> {
    settings.check_bindings(
        |notation| Key::from_str(notation).map(|_| ()).map_err(|e| (e.to_string(), None)),
        |line| {
            let words = commands::split_words(line).map_err(|e| (e, None))?;
            for words in commands::sequence(&words) {
                if let Err(error) = commands::parse(&words) {
                    let fault = fault(&error.to_string());
                    return Err((fault, words.first().and_then(|w| commands::nearest(w))));
                }
            }
            Ok(())
        },
        super::hooks::check_event,
    )
}
