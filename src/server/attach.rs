//! Clients: they come with a hello, look at a session, and go in many ways.
use super::{
    Server,
    authority::{self, Caller},
    connection::{ConnectionId, Out, OutSender},
    environment, overlays,
    protocol::{Exit, Hello, Kind, frame},
    reply::{Failure, Reply},
    socket,
    terminal::Terminal,
};
use crate::{
    commands::{self, Verb},
    config::WindowSize,
    mux::{ClientId, PaneId, SessionId},
    state::{Client, overlay::Palette, target::Origin},
    term::{
        canvas::Canvas,
        frame::{Caps, FrameWriter},
        input::Decoder,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Instant,
};

/// Modes that every attached terminal is put into, then what it is asked. The device attributes come last: every
/// terminal answers them, so their answer says that no other will come.
const OPENING: &str = concat!(
    "\x1b[?2004h\x1b[?1004h\x1b[?2031h",
    "\x1b[>0q\x1b[?u\x1b[?2026$p\x1b]10;?\x07\x1b]11;?\x07\x1b[c"
);

/// Asks for the colours again: they changed.
pub(super) const COLOURS: &str = "\x1b]10;?\x07\x1b]11;?\x07";

/// Mouse reports: press, drag and wheel, with coordinates beyond 223.
pub(super) const MOUSE: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";

/// Lets go of the mouse.
const MOUSE_OFF: &str = "\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1006l";

/// What a connection is.
#[derive(Debug)]
pub enum Role {
    /// An attached terminal.
    Attached(ClientId),
    /// A command; its answer is on its way or already left.
    Command,
}

/// The loop's side of an attached terminal.
pub struct Link {
    pub(super) connection: ConnectionId,
    pub(super) out: OutSender,
    pub(super) decoder: Decoder,
    pub(super) writer: FrameWriter,
    /// The client's terminal, where it is ours to read and write; else the client carries the bytes.
    pub(super) terminal: Option<Terminal>,
    /// What the terminal was put into beside the picture.
    pub(super) attuned: super::attuning::Attuned,
    /// The terminal has the focus, as far as it says.
    pub(super) focused: bool,
    /// Keys that something of ours took and that have not gone up yet.
    pub(super) taken: Vec<crate::mux::keys::KeyCode>,
    /// A paint is on its way and has not left.
    pub(super) in_flight: bool,
    /// Something that this client sees changed.
    pub(super) dirty: bool,
    /// A pane that it sees printed something.
    pub(super) output: bool,
    /// The last frame, and how far each pane had come in it.
    pub(super) canvas: Canvas,
    pub(super) drawn: super::paint::Drawn,
    pub(super) painted: Instant,
    pub(super) last_key: Option<Instant>,
    /// When a lone escape byte counts as the Escape key.
    pub(super) escape_due: Option<Instant>,
    /// Until when a repeatable key works without the prefix.
    pub(super) repeat_until: Option<Instant>,
    /// When the clock, a message or a counter of this client moves next.
    pub(super) tick_due: Option<Instant>,
    /// That is every second.
    pub(super) ticks_by_second: bool,
    /// The prefix arrived at least once.
    pub(super) prefix_seen: bool,
    /// Panes over which this client has copy mode.
    pub(super) copies: BTreeMap<PaneId, super::copying::Copying>,
    /// Where the left button went down, while it is held.
    pub(super) pressed: Option<super::copying::Pressed>,
    /// The newest click, for knowing a second one in the same place.
    pub(super) clicked: Option<super::copying::Clicked>,
    /// This terminal was said to have no clipboard for us.
    pub(super) clipboard_missed: bool,
    /// The border that the mouse drags.
    pub(super) drag: Option<PaneId>,
    /// Where the mouse was when it dragged last.
    pub(super) dragged_at: (u16, u16),
    /// The newest command line that a key or an overlay of this client ran: a refusal's remedies vary it.
    pub(super) asked: Vec<String>,
    /// The palette whose command line runs just now.
    pub(super) palette: Option<Palette>,
    /// Where the client was started.
    pub(super) cwd: PathBuf,
    pub(super) env: BTreeMap<String, String>,
    /// Its environment has `NO_COLOR`.
    pub(super) plain: bool,
    pub(super) since: u64,
}

impl Server {
    pub(super) fn hello(&mut self, id: ConnectionId, caller: &Caller, hello: Hello, out: OutSender) {
        // What runs inside a harness may not bring keys or environments.
        if self.confined(caller).is_none() {
            self.learn(&hello.env);
        }
        // A pane of another server says nothing about ours.
        let ours = hello.env.get("INSPAN").is_some_and(|s| *s == self.place.socket.to_string_lossy());
        let told = ours.then(|| hello.env.get("INSPAN_PANE").and_then(|p| p.parse().ok())).flatten();
        let origin =
            Origin { client: None, pane: self.caller_pane(caller).or(told), cwd: PathBuf::from(&hello.cwd) };
        if hello.argv.is_empty() || hello.terminal.is_some() {
            match self.confined(caller) {
                Some(pane) => Reply::to(out).fail(&Failure::from(authority::beyond(pane))),
                None => self.attach_hello(id, caller.pid, hello, out, &origin),
            }
            return;
        }
        self.connections.insert(id, Role::Command);
        let mut reply = Reply::to(out);
        reply.json = hello.argv.iter().take_while(|w| *w != "--").any(|w| w == "--json");
        let mut sequence = commands::sequence(&hello.argv);
        if sequence.len() > 1 {
            self.hello_sequence(&sequence, caller, &origin, &hello, reply);
            return;
        }
        let argv = sequence.pop().unwrap_or_default();
        match commands::parse(&argv) {
            Ok(verb) => {
                if let Err(refusal) = self.authorise(caller, &verb, &origin) {
                    reply.fail(&Failure::from(refusal));
                    return;
                }
                let name = self.hooked_name(&argv);
                self.run(verb, &origin, &hello.env, reply);
                self.hook_after(name, &origin);
            }
            Err(error) => reply.fail(&Failure::Usage(error.to_string())),
        }
    }

    /// Several commands of one command line, one after the other.
    fn hello_sequence(
        &mut self,
        sequence: &[Vec<String>],
        caller: &Caller,
        origin: &Origin,
        hello: &Hello,
        mut reply: Reply,
    ) {
        for words in sequence {
            let allowed = match commands::parse(words) {
                Ok(verb) => self.authorise(caller, &verb, origin).map_err(Failure::from),
                Err(error) => Err(Failure::Usage(error.to_string())),
            };
            if let Err(failure) = allowed {
                reply.fail(&failure);
                return;
            }
        }
        match self.run_sequence(&hello.argv, origin, &hello.env) {
            Ok(text) => {
                reply.text(text);
                reply.done();
            }
            Err(failure) => reply.fail(&failure),
        }
    }

    fn attach_hello(&mut self, id: ConnectionId, pid: i32, hello: Hello, out: OutSender, origin: &Origin) {
        let reply = Reply::to(out.clone());
        if hello.env.contains_key("INSPAN") && hello.env.contains_key("INSPAN_PANE") {
            reply.fail(&Failure::Failed(
                "this terminal is an inspan pane already; to nest on purpose run: env -u INSPAN inspan attach".into(),
            ));
            return;
        }
        if hello.env.get("TERM").is_some_and(|term| term == "dumb") {
            reply.fail(&Failure::Failed(
                "this terminal calls itself TERM=dumb, which cannot place text; set TERM to what it really is".into(),
            ));
            return;
        }
        let Some(size) = hello.terminal else {
            reply.fail(&Failure::Failed("attaching needs a terminal".into()));
            return;
        };
        let mut sequence = commands::sequence(&hello.argv);
        let first = if sequence.is_empty() { None } else { Some(sequence.remove(0)) };
        let verb = first.and_then(|words| commands::parse(&words).ok());
        let read_only = matches!(verb, Some(Verb::Attach { read_only: true, .. }));
        if let Some(verb @ Verb::NewSession { dir, .. }) = &verb {
            // The words are run again after the answer, by a client that has left its own directory.
            let mut words = hello.argv.clone();
            if dir.is_none() {
                words.extend(["-c".to_owned(), origin.cwd.to_string_lossy().into_owned()]);
            }
            let client = ClientId(self.state.next.client + 1);
            if self.ask_trust(client, verb, &words, origin, &hello.env) {
                self.state.next.client += 1;
                self.connections.insert(id, Role::Attached(client));
                let terminal = self.take_terminal(id, pid, &hello, &out);
                self.add_client(client, (id, out, terminal), size, hello, None);
                return;
            }
        }
        // What to look at; `None` opens the picker.
        let session = match verb {
            None => {
                let here =
                    self.state.sessions.values().rev().find(|s| s.workspace == origin.cwd).map(|s| s.id);
                Ok(here)
            }
            Some(Verb::Attach { target, detach_others, .. }) => {
                let found = self.state.find_session(target.target.as_deref(), origin).map_err(Failure::from);
                if let (true, Ok(session)) = (detach_others, &found) {
                    self.detach_all(*session, "[detached: attached elsewhere]");
                }
                found.map(Some)
            }
            Some(verb) => self.create_for_client(verb, origin, &hello.env, size).map(Some),
        };
        let session = match session {
            Ok(session) => session,
            Err(failure) => {
                reply.fail(&failure);
                return;
            }
        };
        self.state.next.client += 1;
        let client = ClientId(self.state.next.client);
        self.connections.insert(id, Role::Attached(client));
        let terminal = self.take_terminal(id, pid, &hello, &out);
        self.add_client(client, (id, out, terminal), size, hello, session);
        if let Some(client) = self.state.clients.get_mut(&client).filter(|_| read_only) {
            client.read_only = true;
            let session = client.session;
            self.fit_session(session);
        }
        self.hook("client-attached", client);
        for words in sequence {
            self.run_words(client, &words);
        }
    }

    /// Takes the client's terminal into our own hands where that is possible, and asks the client to make it ready.
    fn take_terminal(&self, id: ConnectionId, pid: i32, hello: &Hello, out: &OutSender) -> Option<Terminal> {
        if !hello.direct {
            return None;
        }
        let terminal = Terminal::open(pid, id, &self.loop_runtime, &self.tasks.events)?;
        out.try_send(Out::Frames(frame(Kind::Terminal, &[]))).ok()?;
        Some(terminal)
    }

    fn add_client(
        &mut self,
        id: ClientId,
        (connection, out, terminal): (ConnectionId, OutSender, Option<Terminal>),
        size: (u16, u16),
        hello: Hello,
        session: Option<SessionId>,
    ) {
        let now = Instant::now();
        let cwd = PathBuf::from(&hello.cwd);
        let overlay = session.is_none().then(|| overlays::picker(&cwd));
        if overlay.is_some() {
            self.refresh_readiness(&hello.env, &cwd, false);
            self.git_due.entry(cwd.clone()).or_insert(now);
        }
        self.state.clients.insert(
            id,
            Client {
                id,
                session: session.unwrap_or(SessionId(0)),
                size,
                prefix: false,
                panel_docked: crate::ui::docks_by_itself(size.0) && session.is_some(),
                overlay,
                message: None,
                hint: None,
                utf8: environment::is_utf8(&hello.env),
                unseen: BTreeSet::new(),
                read_only: false,
                last_session: None,
            },
        );
        let caps = caps_from_env(&hello.env);
        self.links.insert(
            id,
            Link {
                connection,
                out,
                decoder: Decoder::default(),
                writer: FrameWriter::new(caps),
                // Nothing is painted before the client has set the modes of a terminal of ours.
                in_flight: terminal.is_some(),
                terminal,
                attuned: super::attuning::Attuned::default(),
                focused: true,
                taken: Vec::new(),
                dirty: true,
                output: false,
                canvas: Canvas::new(0, 0),
                drawn: super::paint::Drawn::default(),
                painted: now,
                last_key: Some(now),
                escape_due: None,
                repeat_until: None,
                tick_due: None,
                ticks_by_second: false,
                prefix_seen: false,
                copies: BTreeMap::new(),
                pressed: None,
                clicked: None,
                clipboard_missed: false,
                drag: None,
                dragged_at: (0, 0),
                asked: Vec::new(),
                palette: None,
                cwd,
                plain: hello.env.get("NO_COLOR").is_some_and(|value| !value.is_empty()),
                env: hello.env,
                since: Self::now(),
            },
        );
        let mut opening = OPENING.to_owned();
        if self.settings.mouse {
            opening.push_str(MOUSE);
        }
        self.send(id, opening.into_bytes());
        if let Some(session) = session {
            self.look_at(id, session);
        }
        self.touch();
    }

    /// Turns a client to a session: the newest client's size, agent and environment win.
    pub(super) fn look_at(&mut self, id: ClientId, session: SessionId) {
        let Some(client) = self.state.clients.get_mut(&id) else { return };
        if client.session.0 == 0 {
            client.panel_docked = crate::ui::docks_by_itself(client.size.0);
        }
        let before = std::mem::replace(&mut client.session, session);
        if before != session {
            // Who still looks at the other session has it alone now.
            self.fit_session(before);
        }
        if let Some(link) = self.links.get(&id) {
            if let Some(agent) = link.env.get("SSH_AUTH_SOCK") {
                let stable = socket::agent_link(&self.paths.sockets, &self.name);
                if let Err(error) = socket::point_agent_link(&stable, std::path::Path::new(agent)) {
                    tracing::warn!(%error, "cannot point the ssh agent link");
                }
            }
            let env = self.session_env.entry(session).or_insert_with(|| link.env.clone());
            environment::refresh(env, &link.env, &self.settings.update_environment);
        }
        if self.state.clients.get(&id).is_some_and(|client| !client.read_only) {
            self.scripted.latest.insert(session, id);
        }
        self.fit_session(session);
        self.seen(id);
        self.git_soon(session);
        self.guide_attached(id, session);
    }

    /// Gives a session the size that its clients leave it, as `window_size` says. Who only watches has no say.
    pub(super) fn fit_session(&mut self, session: SessionId) {
        let having = |client: &&Client| client.session == session && !client.read_only;
        let sizes = || self.state.clients.values().filter(having).map(crate::ui::session_size);
        let fold = |pick: fn(u16, u16) -> u16| sizes().reduce(|a, b| (pick(a.0, b.0), pick(a.1, b.1)));
        let by_hand = self.state.sessions.get(&session).is_some_and(|s| s.manual);
        let size = match self.settings.window_size {
            _ if by_hand => None,
            WindowSize::Manual => None,
            WindowSize::Smallest => fold(u16::min),
            WindowSize::Largest => fold(u16::max),
            WindowSize::Latest => {
                let latest = self.scripted.latest.get(&session).and_then(|id| self.state.clients.get(id));
                let latest = latest.filter(having);
                let newest = self.state.clients.values().rfind(having);
                latest.or(newest).map(crate::ui::session_size)
            }
        };
        if let (Some(size), Some(session)) = (size, self.state.sessions.get_mut(&session)) {
            session.size = size;
        }
        self.resize_panes();
    }

    /// A client typed: where the newest keys decide, the session takes its size.
    pub(super) fn typed_last(&mut self, id: ClientId) {
        let Some(client) = self.state.clients.get(&id).filter(|client| !client.read_only) else { return };
        let session = client.session;
        if self.scripted.latest.insert(session, id) != Some(id)
            && self.settings.window_size == WindowSize::Latest
        {
            self.fit_session(session);
        }
    }

    /// Asks every terminal for its mouse, or lets go of it.
    pub(super) fn mouse_wanted(&mut self, wanted: bool) {
        let clients: Vec<ClientId> = self.links.keys().copied().collect();
        for id in clients {
            self.send(id, if wanted { MOUSE.into() } else { MOUSE_OFF.into() });
            if let Some(link) = self.links.get_mut(&id) {
                link.attuned.mouse_anew();
            }
        }
    }

    /// Sends bytes for the terminal, outside the frames.
    pub(super) fn send(&mut self, id: ClientId, bytes: Vec<u8>) {
        if let Some(link) = self.links.get_mut(&id) {
            // Full only while the terminal does not read; what is lost is a bell, never a frame's truth.
            match &mut link.terminal {
                Some(terminal) => link.in_flight |= !terminal.write(&bytes),
                None => drop(link.out.try_send(Out::Frames(frame(Kind::Paint, &bytes)))),
            }
        }
    }

    pub(super) fn client_resized(&mut self, connection: ConnectionId, cols: u16, rows: u16) {
        let Some(Role::Attached(id)) = self.connections.get(&connection) else { return };
        let id = *id;
        let Some(client) = self.state.clients.get_mut(&id) else { return };
        client.size = (cols.max(1), rows.max(1));
        client.panel_docked = crate::ui::docks_by_itself(client.size.0);
        let session = client.session;
        if let Some(link) = self.links.get_mut(&id) {
            link.writer.invalidate();
            link.dirty = true;
        }
        self.fit_session(session);
        self.hook("client-resized", id);
    }

    pub(super) fn client_drained(&mut self, connection: ConnectionId) {
        let Some(Role::Attached(id)) = self.connections.get(&connection) else { return };
        if let Some(link) = self.links.get_mut(id) {
            link.in_flight = link.terminal.as_mut().is_some_and(|terminal| !terminal.go_on());
        }
    }

    pub(super) fn connection_gone(&mut self, connection: ConnectionId) {
        if let Some(Role::Attached(id)) = self.connections.remove(&connection) {
            self.forget_client(id);
        }
    }

    fn forget_client(&mut self, id: ClientId) {
        self.links.remove(&id);
        if let Some(client) = self.state.clients.remove(&id) {
            self.fit_session(client.session);
            self.hook("client-detached", client.session);
        }
    }

    /// Ends a client's attachment with a last line for its terminal.
    pub(super) fn detach(&mut self, id: ClientId, message: &str, code: i32) {
        self.unattune(id);
        if let Some(link) = self.links.remove(&id) {
            self.connections.remove(&link.connection);
            let exit = Exit { code, message: message.to_owned() };
            self.panes_runtime.spawn(async move {
                let _ = link.out.send(Out::Exit(exit)).await;
            });
        }
        if let Some(client) = self.state.clients.remove(&id) {
            self.fit_session(client.session);
            self.hook("client-detached", client.session);
        }
    }

    /// Detaches every client of a session.
    pub(super) fn detach_all(&mut self, session: SessionId, message: &str) {
        let ids: Vec<ClientId> =
            self.state.clients.values().filter(|c| c.session == session).map(|c| c.id).collect();
        for id in ids {
            self.detach(id, message, 0);
        }
    }

    /// What follows when a session's last pane is gone.
    pub(super) fn session_ended(&mut self, session: SessionId) {
        self.hook("session-closed", session);
        self.session_env.remove(&session);
        self.scripted.latest.remove(&session);
        let next = self.state.sessions.keys().next_back().copied();
        let ids: Vec<ClientId> =
            self.state.clients.values().filter(|c| c.session == session).map(|c| c.id).collect();
        for id in ids {
            self.detach(id, "[exited]", 0);
        }
        if next.is_none() {
            // As tmux: a server without a session has nothing to serve. Waiting answers leave first.
            self.save();
            self.ending = Some(super::Ending::Kill);
        }
    }

    /// Shows a passing line to one client.
    pub(super) fn tell(&mut self, id: ClientId, message: impl Into<String>) {
        self.tell_for(id, message, None);
    }

    /// The same for so many seconds.
    pub(super) fn tell_for(&mut self, id: ClientId, message: impl Into<String>, seconds: Option<u64>) {
        let seconds = seconds.unwrap_or(self.settings.message_seconds);
        if let Some(client) = self.state.clients.get_mut(&id) {
            client.message = Some((message.into(), Self::now() + seconds));
        }
        self.dirty(id);
    }
}

/// What a terminal says about itself in its environment; its answers to queries add to it.
fn caps_from_env(env: &BTreeMap<String, String>) -> Caps {
    let var = |name: &str| env.get(name).map(String::as_str).unwrap_or_default();
    let term = var("TERM");
    let truecolor = matches!(var("COLORTERM"), "truecolor" | "24bit") || term.ends_with("-direct");
    Caps {
        truecolor,
        colors256: truecolor || term.contains("256color"),
        utf8: environment::is_utf8(env),
        hyperlinks: truecolor,
        undercurl: ["kitty", "foot", "wezterm", "ghostty", "alacritty"].iter().any(|t| term.contains(t)),
        ..Caps::default()
    }
}
