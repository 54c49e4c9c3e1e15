//! Verbs that put something over the panes of a client, or turn it elsewhere.
use super::{Answer, Outcome, need_client, silent};
use crate::{
    commands::{self, ShowVerb},
    mux::{ClientId, PaneId, format, keys::Key},
    server::{Server, overlays, panes::Launch, reply::Failure},
    state::{
        Closes, Window,
        overlay::{Choice, ChoiceRow, List, Numbers, Overlay, fill},
        target::Origin,
    },
};
use std::{str::FromStr, time::Duration};

/// How long numbers stay over the panes, as tmux's display-panes-time.
const NUMBERS_TIME: u64 = 1500;

/// The longest that they may be asked to stay: a minute and a half of an unusable screen is a mistake.
const NUMBERS_MOST: u64 = 90_000;

/// The part of its window that a popup takes, in percent of each side.
const POPUP_PERCENT: u16 = 50;

/// Characters of a buffer that its row shows.
const SAMPLE: usize = 60;

/// Rows of a menu.
const MENU_ROWS: usize = 100;

impl Server {
    pub(super) fn show_verb(
        &mut self,
        verb: ShowVerb,
        origin: &Origin,
        env: &std::collections::BTreeMap<String, String>,
    ) -> Answer {
        match verb {
            ShowVerb::DisplayPanes { duration, ignore, template, .. } => {
                let client = need_client(origin)?;
                let panes = self.state.shown_window(client).map(Window::panes).unwrap_or_default();
                let command = template_words(template.as_deref(), &["select-pane", "-t", "%%"])?;
                let command = if ignore { Vec::new() } else { command };
                self.open(client, Overlay::Numbers(Numbers { panes, command }));
                let stay = duration.unwrap_or(NUMBERS_TIME).min(NUMBERS_MOST);
                if stay > 0 {
                    self.tasks.after(Duration::from_millis(stay), move |server| {
                        let shown = server.state.clients.get_mut(&client);
                        if let Some(shown) = shown.filter(|c| matches!(c.overlay, Some(Overlay::Numbers(_))))
                        {
                            shown.overlay = None;
                            server.dirty(client);
                        }
                    });
                }
                silent()
            }
            ShowVerb::ChooseTree { sessions, windows, filter, template, .. } => {
                let client = need_client(origin)?;
                let depth = if sessions { 0 } else { 1 + u16::from(!windows) };
                let command = template_words(template.as_deref(), &["switch-client", "-t", "%%"])?;
                let choice = self.tree(client, depth, &command, filter.as_deref());
                self.open(client, Overlay::Choose(choice));
                silent()
            }
            ShowVerb::ChooseBuffer { target, template, .. } => {
                let client = need_client(origin)?;
                let pane = self.state.find_pane(target.target.as_deref(), origin)?.to_string();
                let command =
                    template_words(template.as_deref(), &["paste-buffer", "-t", &pane, "-b", "%%"])?;
                let row = |buffer: &crate::server::buffers::PasteBuffer| ChoiceRow {
                    name: buffer.name.clone(),
                    detail: buffer
                        .text
                        .chars()
                        .take(SAMPLE)
                        .map(|c| if c.is_control() { ' ' } else { c })
                        .collect(),
                    command: fill(&command, &buffer.name),
                    ..ChoiceRow::default()
                };
                let rows: Vec<ChoiceRow> = self.buffers.iter().map(row).collect();
                if rows.is_empty() {
                    return Err(Failure::Failed("no paste buffer yet; copy mode makes them".into()));
                }
                let choice = Choice { title: "buffers".into(), rows, ..Choice::default() };
                self.open(client, Overlay::Choose(choice));
                silent()
            }
            ShowVerb::ChooseClient { template, .. } => {
                let client = need_client(origin)?;
                let command = template_words(template.as_deref(), &["detach-client", "-t", "%%"])?;
                let rows = self.state.clients.values().map(|c| {
                    let session =
                        self.state.sessions.get(&c.session).map(|s| s.name.as_str()).unwrap_or_default();
                    let only = if c.read_only { ", only watches" } else { "" };
                    ChoiceRow {
                        name: c.id.to_string(),
                        detail: format!("{session} {}x{}{only}", c.size.0, c.size.1),
                        command: fill(&command, &c.id.to_string()),
                        current: c.id == client,
                        ..ChoiceRow::default()
                    }
                });
                let choice = Choice { title: "clients".into(), rows: rows.collect(), ..Choice::default() };
                self.open(client, Overlay::Choose(choice));
                silent()
            }
            ShowVerb::DisplayMenu { target, title, rows, .. } => {
                let client = need_client(origin)?;
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                let choice = self.menu(title.as_deref(), &rows, pane, origin)?;
                self.open(client, Overlay::Choose(choice));
                silent()
            }
            verb @ ShowVerb::DisplayPopup { .. } => self.display_popup(verb, origin, env),
            verb @ ShowVerb::SwitchClient { .. } => self.switch_client(verb, origin),
        }
    }

    /// Sessions with their windows and panes, as far down as `depth` says.
    fn tree(&self, client: ClientId, depth: u16, command: &[String], filter: Option<&str>) -> Choice {
        let mut rows = Vec::new();
        let mut selected = 0;
        let shown = self.state.clients.get(&client).map(|c| c.session);
        let focused = self.state.focused_pane(client);
        let passes = |pane: PaneId| {
            let origin = Origin { client: Some(client), ..Origin::default() };
            filter.is_none_or(|filter| format::is_true(&self.formatted(filter, pane, &origin)))
        };
        for session in self.state.sessions.values() {
            let own = shown == Some(session.id);
            let here: Vec<PaneId> = self.state.panes_of(session.id);
            if !here.iter().any(|pane| passes(*pane)) {
                continue;
            }
            let calls = |panes: &[PaneId]| panes.iter().any(|pane| self.wants_somebody(*pane) == Some(0));
            selected = if own { rows.len() } else { selected };
            let attached = self.state.clients.values().filter(|c| c.session == session.id).count();
            rows.push(ChoiceRow {
                name: session.name.clone(),
                detail: format!(
                    "{} windows{}",
                    session.windows.len(),
                    if attached > 0 { " (attached)" } else { "" }
                ),
                command: fill(command, &session.id.to_string()),
                calls: depth == 0 && calls(&here),
                current: own && depth == 0,
                ..ChoiceRow::default()
            });
            for (at, window) in session.windows.iter().enumerate() {
                let Some(window) = self.state.windows.get(window).filter(|_| depth > 0) else { continue };
                let active = own && session.active == window.id;
                let panes = window.panes();
                if !panes.iter().any(|pane| passes(*pane)) {
                    continue;
                }
                selected = if active { rows.len() } else { selected };
                rows.push(ChoiceRow {
                    depth: 1,
                    name: format!("{} {}", at + 1, window.name),
                    detail: format!("{} panes", panes.len()),
                    command: fill(command, &window.id.to_string()),
                    calls: depth == 1 && calls(&panes),
                    current: active && depth == 1,
                    ..ChoiceRow::default()
                });
                for pane in panes.iter().filter(|_| depth > 1).filter_map(|id| self.state.panes.get(id)) {
                    if !passes(pane.id) {
                        continue;
                    }
                    let what = match &pane.harness {
                        Some(harness) => harness.route.executor.to_string(),
                        None => pane.argv.first().cloned().unwrap_or_else(|| "shell".into()),
                    };
                    let current = active && focused == Some(pane.id);
                    selected = if current { rows.len() } else { selected };
                    rows.push(ChoiceRow {
                        depth: 2,
                        name: format!("{} {what}", pane.id),
                        detail: format!("{} {}", pane.status.status.as_str(), pane.title),
                        command: fill(command, &pane.id.to_string()),
                        calls: self.wants_somebody(pane.id) == Some(0),
                        current,
                        ..ChoiceRow::default()
                    });
                }
            }
        }
        let title = ["sessions", "windows", "panes"][usize::from(depth.min(2))].to_owned();
        Choice { title, rows, list: List { selected, ..List::default() }, menu: false }
    }

    fn menu(
        &self,
        title: Option<&str>,
        words: &[String],
        pane: PaneId,
        origin: &Origin,
    ) -> Result<Choice, Failure> {
        let mut rows = Vec::new();
        let mut words = words.iter();
        while let Some(name) = words.next() {
            if rows.len() >= MENU_ROWS {
                return Err(Failure::Usage(format!("a menu has at most {MENU_ROWS} rows")));
            }
            let name = self.formatted(name, pane, origin);
            if name.is_empty() {
                rows.push(ChoiceRow::default());
                continue;
            }
            let (Some(key), Some(command)) = (words.next(), words.next()) else {
                return Err(Failure::Usage(format!(
                    "the row {name:?} wants a key and a command, each may be ''"
                )));
            };
            let key = match key.as_str() {
                "" => None,
                key => {
                    Some(Key::from_str(key).map_err(|error| Failure::Usage(error.to_string()))?.to_string())
                }
            };
            // As tmux: a name that begins with a dash cannot be taken.
            let off = name.strip_prefix('-').map(str::to_owned);
            let command = match off {
                Some(_) => Vec::new(),
                None => {
                    commands::split_words(&self.formatted(command, pane, origin)).map_err(Failure::Usage)?
                }
            };
            rows.push(ChoiceRow { name: off.unwrap_or(name), key, command, ..ChoiceRow::default() });
        }
        let title = title.map(|title| self.formatted(title, pane, origin)).unwrap_or_default();
        Ok(Choice { title, rows, menu: true, ..Choice::default() })
    }

    fn display_popup(
        &mut self,
        verb: ShowVerb,
        origin: &Origin,
        env: &std::collections::BTreeMap<String, String>,
    ) -> Answer {
        let ShowVerb::DisplayPopup {
            target,
            close,
            exit,
            cols,
            rows,
            left,
            top,
            title,
            dir,
            environment,
            command,
            ..
        } = verb
        else {
            return silent();
        };
        let below = self.state.find_pane(target.target.as_deref(), origin)?;
        let window = self.state.window_of(below).map(|w| w.id).ok_or("the pane is in no window")?;
        if close {
            let popups = self.state.windows.get(&window).map(|w| w.floating.clone()).unwrap_or_default();
            for floating in popups {
                let is_popup = self.state.panes.get(&floating.pane).is_some_and(|p| p.popup);
                if is_popup {
                    self.close_pane(floating.pane);
                }
            }
            return silent();
        }
        let session = self.state.session_of(window).map(|s| s.id).ok_or("the window is in no session")?;
        let cwd = self.state.panes.get(&below).map(|p| p.cwd.clone()).unwrap_or_default();
        let dir = super::chosen_dir(dir, cwd, origin)?;
        let variables = super::variables(&environment)?;
        let shell = self.session_env.get(&session).unwrap_or(env).clone();
        let argv = super::command_line(command, &shell);
        let pane = self.state.new_pane(ulid::Ulid::r#gen().to_string(), &dir, Self::now());
        if let Some(new) = self.state.panes.get_mut(&pane) {
            new.argv.clone_from(&argv);
            new.popup = true;
            new.label = title.map(|title| title.chars().filter(|c| !c.is_control()).collect());
            new.closes = match exit {
                0 => Closes::Never,
                1 => Closes::AtEnd,
                _ => Closes::WhenWell,
            };
        }
        let area = self.state.area_of(below);
        let rect = self.frame(area, (cols, rows, left, top), None, POPUP_PERCENT);
        let before = self.state.windows.get(&window).map(|w| w.active);
        self.state.float(window, pane, rect);
        self.scripted.pane_env.insert(pane, variables);
        self.resize_panes();
        self.open_screen(pane);
        self.start(pane, Launch::program(argv));
        self.focus_moved(before, Some(pane));
        self.look_again();
        Ok(Outcome::Done(format!("{pane}\n")))
    }

    /// The client that `-c` names, or whose key it is, or the newest.
    pub(super) fn named_client(&self, name: Option<&str>, origin: &Origin) -> Result<ClientId, Failure> {
        let known = || self.state.clients.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match name {
            Some(name) => {
                let id = name.parse().ok().filter(|id| self.state.clients.contains_key(id));
                let by_tty = || {
                    let mut links = self.links.iter();
                    links
                        .find(|(_, link)| link.env.get("SSH_TTY").is_some_and(|tty| tty == name))
                        .map(|(id, _)| *id)
                };
                id.or_else(by_tty)
                    .ok_or_else(|| Failure::Failed(format!("no client {name:?}; there is {}", known())))
            }
            None => {
                let newest = self.state.clients.keys().next_back().copied();
                origin.client.or(newest).ok_or_else(|| Failure::Failed("no client is attached".into()))
            }
        }
    }

    fn switch_client(&mut self, verb: ShowVerb, origin: &Origin) -> Answer {
        let ShowVerb::SwitchClient { target, client, next, previous, last, read_only, zoomed } = verb else {
            return silent();
        };
        let id = self.named_client(client.as_deref(), origin)?;
        if read_only && let Some(client) = self.state.clients.get_mut(&id) {
            client.read_only = !client.read_only;
            let now = if client.read_only { "only watches now" } else { "types again" };
            self.tell(id, format!("{id} {now}"));
            if target.target.is_none() && !next && !previous && !last {
                return silent();
            }
        }
        let order: Vec<_> = self.state.sessions.keys().copied().collect();
        let now = self.state.clients.get(&id).map(|c| (c.session, c.last_session));
        let at = now.and_then(|(now, _)| order.iter().position(|s| *s == now)).unwrap_or(0);
        if next || previous || last {
            let to = match (next, previous) {
                (true, _) => order.get((at + 1) % order.len().max(1)).copied(),
                (_, true) => order.get((at + order.len().saturating_sub(1)) % order.len().max(1)).copied(),
                _ => now.and_then(|(_, last)| last).filter(|last| self.state.sessions.contains_key(last)),
            };
            let to = to.ok_or("there is no other session")?;
            self.turn_client(id, to);
            return silent();
        }
        let text = target.target.as_deref();
        let is_session =
            text.is_none_or(|t| !t.contains([':', '.']) && !t.starts_with(['%', '@', '{', '+', '-', '!']));
        if is_session && let Ok(session) = self.state.find_session(text, origin) {
            self.turn_client(id, session);
            return silent();
        }
        let pane = self.state.find_pane(text, origin)?;
        let window =
            self.state.window_of(pane).map(|w| (w.id, w.zoomed)).ok_or("the pane is in no window")?;
        let session = self.state.session_of(window.0).map(|s| s.id).ok_or("the window is in no session")?;
        let names_pane = text.is_some_and(|t| t.starts_with('%') || t.contains('.'));
        if names_pane {
            self.focus_pane(pane);
        } else {
            self.select_window(Some(&window.0.to_string()), None, origin).map(drop)?;
        }
        if zoomed && let Some(window) = self.state.windows.get_mut(&window.0) {
            window.zoomed |= names_pane && window.panes().len() > 1;
        }
        self.turn_client(id, session);
        silent()
    }

    /// Turns a client to a session and remembers where it was.
    fn turn_client(&mut self, id: ClientId, session: crate::mux::SessionId) {
        if let Some(client) = self.state.clients.get_mut(&id)
            && client.session != session
        {
            client.last_session = Some(client.session);
        }
        self.look_at(id, session);
        self.hook("client-session-changed", id);
        self.touch();
    }

    /// `command-prompt`, for commands or for what a template asks.
    pub(super) fn command_prompt(
        &mut self,
        initial: Option<String>,
        prompt: Option<String>,
        template: Option<&str>,
        origin: &Origin,
    ) -> Answer {
        let client = need_client(origin)?;
        let pane = self.state.find_pane(None, origin).ok();
        let expand = |text: String| match pane {
            Some(pane) if text.contains('#') => self.formatted(&text, pane, origin),
            _ => text,
        };
        let mut palette = match overlays::palette(initial.map(&expand).unwrap_or_default()) {
            Overlay::Palette(palette) => palette,
            other => {
                self.open(client, other);
                return silent();
            }
        };
        if let Some(template) = template {
            let command = template_words(Some(template), &[])?;
            let first = command.first().cloned().unwrap_or_default();
            palette.asks = Some((prompt.map(expand).unwrap_or(first), command));
        }
        self.open(client, Overlay::Palette(palette));
        silent()
    }
}

/// The words of a template, with a default when none is given; without a place for the choice it comes last.
fn template_words(template: Option<&str>, default: &[&str]) -> Result<Vec<String>, Failure> {
    let Some(template) = template else {
        return Ok(default.iter().map(|word| (*word).to_owned()).collect());
    };
    commands::split_words(template).map_err(Failure::Usage)
}
