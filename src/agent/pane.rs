//! The program in the pane: one loop over keys, the runtime, the tool that runs, and the terminal's size.
use super::{
    card::Entry,
    editor::{Editor, Typed},
    files,
    instructions::instructions,
    intent::{Agreed, Intent, Verdict, decide, word},
    lines::{Row, cut},
    place::Place,
    protocol::{Heard, How, Say, Start},
    runtime::{FromRuntime, Runtime},
    screen::Screen,
    servers::{Reached, Servers, below, reach},
    settings::{Settings, permission_words},
    store,
    talk::{ARMED_AFTER, Asking, Call, Running, Talk},
    tools::{self, Outcome},
    tty::{Raw, size, write},
    view::Frame,
};
use crate::{
    mux::keys::{Key, KeyCode, Mods},
    term::input::{Decoder, Input, KeyKind},
};
use std::{
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, channel, unbounded_channel},
    task::{JoinError, JoinHandle},
    time::sleep_until,
};

/// Between two drawings: a model writes hundreds of pieces a second.
const FRAME: Duration = Duration::from_millis(16);
/// How long a word to the person stands, and how long a key pressed twice may take.
const HINT: Duration = Duration::from_secs(2);
/// Slices of typed input that wait for the loop.
const INPUT_QUEUE: usize = 64;
/// Rows of the conversation that are drawn anew at another width; the pane's history holds about as many.
const DRAWN_ANEW: usize = 1_500;
/// Tries after the first of one model request.
const MAX_RETRIES: u32 = 4;
/// Seconds before the second try.
const FIRST_DELAY: f64 = 1.0;
const HELP: &str = "Enter sends · Shift+Enter, Alt+Enter, Ctrl-J or \\ and Enter break the line · Up calls earlier \
                    prompts · Esc stops the turn · Ctrl-O shows the last tool's output whole · Ctrl-L draws anew · \
                    Ctrl-C twice or Ctrl-D leaves · /permission /help /quit";

/// Runs the program of a pane with the settings of that file; returns its exit code.
///
/// # Errors
/// A sentence: the settings cannot be read, there is no terminal, or the runtime cannot be started.
pub fn run(settings: &Path) -> Result<i32, String> {
    let settings = Settings::read(settings)?;
    store::remember(&settings.database, &settings.session, &settings.cwd, &settings.model)?;
    let helper = std::env::current_exe().map_err(|e| format!("cannot find inspan's own binary: {e}"))?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let tokio = tokio.map_err(|e| format!("cannot start: {e}"))?;
    let raw = Raw::enter()?;
    let ended = tokio.block_on(async { Pane::start(settings, helper)?.run().await });
    drop(raw);
    // A thread still reads the terminal; it must not hold the end up.
    tokio.shutdown_background();
    ended
}

/// What the person is about to do for the second time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Leave,
}

struct Pane {
    settings: Settings,
    helper: PathBuf,
    talk: Talk,
    editor: Editor,
    screen: Screen,
    place: Place,
    servers: Servers,
    reaching: Option<JoinHandle<Reached>>,
    runtime: Runtime,
    heard: UnboundedReceiver<FromRuntime>,
    input: Receiver<Vec<u8>>,
    decoder: Decoder,
    tool: Option<JoinHandle<Outcome>>,
    live: (UnboundedSender<Vec<u8>>, UnboundedReceiver<Vec<u8>>),
    size: (usize, usize),
    hint: Option<(String, Instant, Option<Again>)>,
    told: String,
    painted: Instant,
    typed: bool,
    leaving: Option<i32>,
}

impl Pane {
    fn start(settings: Settings, helper: PathBuf) -> Result<Self, String> {
        let (runtime, heard) = Runtime::start(&settings)?;
        let reaching = tokio::spawn(reach(settings.servers.clone(), settings.cwd.clone()));
        let mut talk = Talk::new(settings.permission, settings.model.clone());
        talk.agreed = Agreed::with(settings.rules.clone());
        if settings.resumed {
            match store::conversation(&settings.database, &settings.session) {
                Some(conversation) => talk.recall(&conversation),
                None => talk.add(Entry::Note(format!(
                    "there is no session {} any more: a new one begins under its id",
                    settings.session
                ))),
            }
        }
        let (send, input) = channel(INPUT_QUEUE);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            let mut stdin = std::io::stdin().lock();
            while let Ok(count) = stdin.read(&mut buffer) {
                if count == 0 || send.blocking_send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let colours = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Ok(Self {
            place: Place::new(settings.cwd.clone()),
            servers: Servers::default(),
            reaching: Some(reaching),
            settings,
            helper,
            talk,
            editor: Editor::default(),
            screen: Screen::new(colours),
            runtime,
            heard,
            input,
            decoder: Decoder::new(),
            tool: None,
            live: unbounded_channel(),
            size: size(),
            hint: None,
            told: String::new(),
            painted: Instant::now(),
            typed: true,
            leaving: None,
        })
    }

    async fn run(mut self) -> Result<i32, String> {
        let signals = (
            signal(SignalKind::window_change()),
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        );
        let (Ok(mut resized), Ok(mut terminate), Ok(mut hangup)) = signals else {
            return Err("cannot listen to signals".into());
        };
        let mut dirty = true;
        while self.leaving.is_none() {
            let now = Instant::now();
            if dirty && (self.typed || now >= self.painted + FRAME) {
                self.paint(now);
                dirty = false;
            }
            let wake = self.wake(now, dirty);
            tokio::select! {
                bytes = self.input.recv() => match bytes {
                    Some(bytes) => {
                        let events = self.decoder.feed(&bytes);
                        self.events(events);
                    }
                    None => self.leaving = Some(0),
                },
                Some(from) = self.heard.recv() => self.runtime_said(from),
                reached = ended(&mut self.reaching) => self.begin(reached),
                Some(bytes) = self.live.1.recv() => self.talk.output(&bytes),
                outcome = ended(&mut self.tool) => self.tool_done(outcome.unwrap_or_else(|error| {
                    Outcome::refused(format!("the tool failed: {error}"), "failed")
                })),
                _ = resized.recv() => self.resized(),
                _ = terminate.recv() => self.leaving = Some(0),
                _ = hangup.recv() => self.leaving = Some(0),
                () = sleep_until(wake.into()) => {
                    let held = self.decoder.flush();
                    self.events(held);
                    self.hint.take_if(|(_, until, _)| Instant::now() >= *until);
                }
            }
            dirty = true;
        }
        if let Some(tool) = self.tool.take() {
            tool.abort();
            let _ = tool.await;
        }
        self.paint(Instant::now());
        write(&self.screen.end());
        self.runtime.end().await;
        Ok(self.leaving.unwrap_or_default())
    }

    /// When something changes by itself. Nothing does in a pane that waits for a prompt.
    fn wake(&self, now: Instant, dirty: bool) -> Instant {
        /// Far enough away to cost nothing.
        const NEVER: Duration = Duration::from_secs(3600);
        let mut wake = now + NEVER;
        let mut sooner = |at: Instant| wake = wake.min(at);
        if dirty {
            sooner(self.painted + FRAME);
        }
        if let Some(pending) = self.decoder.pending() {
            sooner(now + pending);
        }
        if let Some((_, until, _)) = &self.hint {
            sooner(*until);
        }
        if let Some(asking) = self.talk.asking.as_ref().filter(|asking| !asking.armed(now)) {
            sooner(asking.since + ARMED_AFTER);
        }
        // The seconds of a turn are counted on the screen.
        if self.talk.turn.is_some() && self.talk.asking.is_none() {
            sooner(now + Duration::from_secs(1));
        }
        wake
    }

    fn paint(&mut self, now: Instant) {
        self.typed = false;
        self.painted = now;
        let (width, height) = self.size;
        let mut settled: Vec<Row> = Vec::new();
        for at in self.talk.drawn..self.talk.log.len() {
            let before = at.checked_sub(1).map(|before| &self.talk.log[before]);
            if self.talk.log[at].gap(before) {
                settled.push(Row::default());
            }
            settled.extend(self.talk.log[at].rows(width).into_iter().map(|row| cut(row, width)));
        }
        let surplus = if self.talk.drawn == 0 { settled.len().saturating_sub(DRAWN_ANEW) } else { 0 };
        self.talk.drawn = self.talk.log.len();
        let frame = Frame {
            talk: &self.talk,
            editor: &self.editor,
            claimed: self.place.since().map(|since| now.duration_since(since)),
            hint: self.hint.as_ref().map(|(text, ..)| text.as_str()),
            width,
            height,
            now,
        };
        let (live, cursor) = frame.rows();
        let mut out = self.screen.draw(&settled[surplus..], live, cursor);
        let (state, detail) = self.talk.state();
        // The detail comes last, because it may hold the colons that part the fields.
        let told = format!("\x1b]7501;state={state}:app=openai-agents:detail={detail}\x1b\\");
        if told != self.told {
            out.push_str(&told);
            self.told = told;
        }
        write(&out);
    }

    fn redraw(&mut self) {
        write(&self.screen.clear());
        self.talk.drawn = 0;
        self.typed = true;
    }

    fn resized(&mut self) {
        let size = size();
        if size != self.size {
            self.size = size;
            self.redraw();
        }
    }

    fn hint(&mut self, text: &str, again: Option<Again>) {
        self.hint = Some((text.to_owned(), Instant::now() + HINT, again));
    }

    // ── what the person does ──

    fn events(&mut self, events: Vec<Input>) {
        for event in events {
            match event {
                Input::Key(event) if event.kind != KeyKind::Release => self.key(event.key),
                Input::Paste(bytes) => self.editor.paste(&String::from_utf8_lossy(&bytes)),
                _ => continue,
            }
            self.typed = true;
        }
    }

    fn key(&mut self, key: Key) {
        let control = |c| key.code == KeyCode::Char(c) && key.mods == Mods::CTRL;
        let again = self.hint.take().and_then(|(_, _, again)| again);
        if control('c') {
            if !self.editor.is_empty() {
                self.editor.clear();
            } else if self.talk.turn.is_some() && !self.talk.stopping {
                self.interrupt();
            } else if again == Some(Again::Leave) {
                self.leaving = Some(0);
            } else {
                self.hint("Ctrl-C again leaves", Some(Again::Leave));
            }
            return;
        }
        if control('d') && self.editor.is_empty() {
            if self.talk.turn.is_none() || again == Some(Again::Leave) {
                self.leaving = Some(0);
            } else {
                self.hint("a turn runs; Ctrl-D again leaves", Some(Again::Leave));
            }
            return;
        }
        if key.code == KeyCode::Escape {
            if self.talk.turn.is_some() && !self.talk.stopping {
                self.interrupt();
            }
            return;
        }
        // Letters belong to a prompt that is being written, whatever came up meanwhile.
        let armed = self.talk.asking.as_ref().is_some_and(|asking| asking.armed(Instant::now()));
        if armed && self.editor.is_empty() && self.answer(key) {
            return;
        }
        match self.editor.key(key) {
            Typed::Submit(text) => self.submit(text),
            Typed::Taken => {}
            Typed::Other if control('l') => self.redraw(),
            Typed::Other if control('o') => match self.talk.newest_tool() {
                Some(entry) => self.talk.add(entry),
                None => self.hint("no tool was used yet", None),
            },
            Typed::Other => {}
        }
    }

    /// A key as an answer to the question; false when it is none.
    fn answer(&mut self, key: Key) -> bool {
        let plain = key.mods.is_empty();
        match key.code {
            KeyCode::Char('y' | '1') if plain => self.agree(false),
            KeyCode::Char('a' | '2') if plain => {
                let offered = self.talk.asking.as_ref();
                let offered =
                    offered.is_some_and(|a| Agreed::offer(&a.call.intent, a.call.outside).is_some());
                if offered {
                    self.agree(true);
                }
            }
            KeyCode::Char('n' | '3') if plain => self.deny(),
            // Enter alone is pressed too easily while a question comes up.
            KeyCode::Enter if plain => self.hint("y or n answers the question", None),
            _ => return false,
        }
        true
    }

    fn agree(&mut self, remember: bool) {
        let Some(asking) = self.talk.asking.take() else { return };
        if remember {
            self.talk.agreed.remember(&asking.call.intent);
        }
        self.carry_out(asking.call);
    }

    fn deny(&mut self) {
        let Some(asking) = self.talk.asking.take() else { return };
        let why = "The person said no to this. Ask what they want instead, or go another way that they would agree to.";
        self.finish(asking.call, Outcome::refused(why, "you said no"));
    }

    fn submit(&mut self, text: String) {
        match text.trim() {
            "/quit" | "/exit" => self.leaving = Some(0),
            "/help" => self.talk.add(Entry::Note(HELP.into())),
            "/permission" => {
                let permission = self.talk.permission;
                let words = format!("{}: {}", word(permission), permission_words(permission));
                self.talk.add(Entry::Note(words));
            }
            _ if self.talk.ready && self.talk.turn.is_none() => self.send(&text),
            _ => self.talk.queue.push_back(text),
        }
    }

    fn send(&mut self, text: &str) {
        self.talk.asked(text, Instant::now());
        self.runtime.say(Say::Prompt { text: text.to_owned() });
    }

    fn interrupt(&mut self) {
        self.talk.stopping = true;
        self.runtime.say(Say::Interrupt);
        if let Some(asking) = self.talk.asking.take() {
            self.talk.done(asking.call.intent, Outcome::refused("", "you said no"));
        }
        self.talk.calls.clear();
        if let Some(tool) = self.tool.take() {
            tool.abort();
        }
        if let Some(running) = self.talk.running.take() {
            let outcome = Outcome { shown: running.tail, ..Outcome::refused("", "interrupted") };
            self.talk.done(running.call.intent, outcome);
        }
    }

    // ── what the runtime does ──

    /// The servers are reached, or not: the runtime may begin.
    fn begin(&mut self, reached: Result<Reached, JoinError>) {
        let mut tools = tools::declared();
        match reached {
            Ok(reached) => {
                self.servers = reached.servers;
                tools.extend(reached.tools);
                reached.notes.into_iter().for_each(|note| self.talk.add(Entry::Note(note)));
            }
            Err(error) => self.talk.add(Entry::Note(format!("MCP servers: {error}"))),
        }
        let settings = &self.settings;
        self.runtime.say(Say::Start(Start {
            base_url: settings.base_url.clone(),
            token: settings.token.clone(),
            model: settings.model.clone(),
            effort: settings.effort.clone(),
            session: settings.session.clone(),
            database: settings.database.to_string_lossy().into_owned(),
            instructions: instructions(settings),
            tools,
            max_retries: MAX_RETRIES,
            first_delay: FIRST_DELAY,
        }));
    }

    fn runtime_said(&mut self, from: FromRuntime) {
        match from {
            FromRuntime::Heard(Heard::ToolCall { id, name, arguments }) => self.called(id, &name, &arguments),
            FromRuntime::Heard(Heard::Fatal { why }) => {
                self.talk.add(Entry::Wrong(why));
                self.leaving = Some(1);
            }
            FromRuntime::Heard(heard) => {
                let began = matches!(heard, Heard::Ready { .. });
                let ended = matches!(heard, Heard::Ended { .. });
                let well = matches!(heard, Heard::Ended { how: How::Done, .. });
                self.talk.hear(heard, Instant::now());
                if began && let Some(prompt) = self.settings.prompt.take() {
                    self.send(&prompt);
                } else if ended && !well {
                    // What waited was meant for another course of things.
                    let waiting: Vec<String> = self.talk.queue.drain(..).collect();
                    if !waiting.is_empty() {
                        self.editor.paste(&waiting.join("\n"));
                    }
                } else if (began || ended)
                    && self.talk.turn.is_none()
                    && let Some(text) = self.talk.queue.pop_front()
                {
                    self.send(&text);
                }
            }
            FromRuntime::Garbled(line) => {
                self.talk.add(Entry::Note(format!("the runtime said what is not understood: {line}")));
            }
            FromRuntime::Gone(quoted) => {
                if self.leaving.is_none() {
                    let quoted = if quoted.is_empty() { String::new() } else { format!("\n{quoted}") };
                    self.talk.add(Entry::Wrong(format!("the runtime ended · the session is kept{quoted}")));
                    self.leaving = Some(1);
                }
            }
        }
    }

    fn called(&mut self, id: String, name: &str, arguments: &str) {
        if self.talk.stopping {
            return;
        }
        let intent = match Intent::read(name, arguments) {
            Ok(intent) => intent,
            Err(why) => {
                self.talk.add(Entry::Note(format!("{name}: {why}")));
                self.runtime.say(Say::ToolResult { id, output: why });
                return;
            }
        };
        let skills: Vec<PathBuf> = self.settings.skills.iter().map(|skill| skill.dir.clone()).collect();
        let target = match intent.path() {
            Some(path) => self.place.resolve(path).map(|to| {
                // What the person gave may be read.
                let given =
                    matches!(intent, Intent::Read { .. } | Intent::List { .. }) && below(&to.path, &skills);
                (to.path, to.outside && !given)
            }),
            None => self.place.claim().map(|dir| (dir.to_owned(), false)),
        };
        match target {
            Ok((target, outside)) => self.talk.calls.push_back(Call { id, intent, target, outside }),
            Err(why) => {
                self.talk
                    .done(intent, Outcome { shown: why.clone(), ..Outcome::refused("", "no workspace") });
                self.runtime.say(Say::ToolResult { id, output: why });
            }
        }
        self.next_call();
    }

    /// Takes the next call up, one at a time: two questions at once are answered in the wrong order.
    fn next_call(&mut self) {
        if self.tool.is_some() || self.talk.asking.is_some() {
            return;
        }
        let Some(call) = self.talk.calls.pop_front() else { return };
        match decide(self.talk.permission, &call.intent, call.outside, &self.talk.agreed) {
            Verdict::Go => self.carry_out(call),
            Verdict::No(why) => {
                let remark = format!("not under {}", word(self.talk.permission));
                self.finish(call, Outcome::refused(why, &remark));
            }
            Verdict::Ask => {
                let preview = files::preview(&call.target, &call.intent);
                self.talk.asking = Some(Asking { call, preview, since: Instant::now() });
            }
        }
    }

    fn carry_out(&mut self, call: Call) {
        self.tool = Some(match &call.intent {
            Intent::Mcp { name, arguments, .. } => {
                let arguments = serde_json::from_str(arguments).unwrap_or_default();
                tokio::spawn(self.servers.clone().call(name.clone(), arguments))
            }
            intent => {
                let (target, live) = (call.target.clone(), self.live.0.clone());
                tokio::spawn(tools::carry_out(intent.clone(), target, self.helper.clone(), live))
            }
        });
        self.talk.running = Some(Running { call, since: Instant::now(), tail: String::new() });
    }

    fn tool_done(&mut self, outcome: Outcome) {
        if let Some(running) = self.talk.running.take() {
            self.finish(running.call, outcome);
        }
    }

    fn finish(&mut self, call: Call, outcome: Outcome) {
        self.runtime.say(Say::ToolResult { id: call.id, output: outcome.output.clone() });
        self.talk.done(call.intent, outcome);
        self.next_call();
    }
}

/// The end of what runs; never while nothing does.
async fn ended<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    let outcome = match task {
        Some(running) => running.await,
        None => std::future::pending().await,
    };
    *task = None;
    outcome
}
