//! A terminal: a pty, the program in it, and an emulator that is independent of the product's own.
use super::{
    DEADLINE, Signal, keys,
    outer::{Answers, Outer, wants_cursor},
};
use portable_pty::{CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, kill_process, kill_process_group};
use std::{
    fmt::Write as _,
    io::{Read, Write},
    num::NonZeroU16,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Lines that the emulator keeps above the screen.
const SCROLLBACK: usize = 1000;
/// Raw output that is kept for looking at; the rest was seen by the emulator.
const MAX_RAW: usize = 4 << 20;
/// How long a terminal shows nothing while a synchronized update stays open.
const SYNCHRONIZED: Duration = Duration::from_secs(1);
/// How long a program may take to leave after its terminal is closed.
const LEAVE: Duration = Duration::from_secs(5);
/// Raw bytes that a failure shows.
const SHOWN: usize = 400;

/// How a program in a terminal ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code, 1 after a signal.
    pub code: u32,
    /// The signal's description.
    pub signal: Option<String>,
}

/// A program in a terminal. Dropping it closes the terminal as closing a window does: SIGHUP.
pub struct Terminal {
    shared: Arc<Shared>,
    master: Box<dyn MasterPty + Send>,
    input: mpsc::Sender<Vec<u8>>,
    pid: Pid,
    label: String,
    /// The line discipline before the program started.
    line: String,
}

struct Shared {
    state: Mutex<State>,
    /// Notified after every slice of output, at the end of output and at the end of the program.
    changed: Condvar,
}

struct State {
    grid: vt100::Parser,
    parser: vte::Parser,
    outer: Outer,
    raw: Vec<u8>,
    /// Bytes that came in all.
    received: usize,
    /// No more output will come.
    closed: bool,
    exit: Option<Exit>,
    /// The emulator itself gave up.
    broken: Option<String>,
}

impl Terminal {
    /// Starts `command` in a new terminal.
    pub fn start(command: CommandBuilder, cols: u16, rows: u16, answers: Answers) -> Self {
        let label =
            command.get_argv().iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let pair = native_pty_system().openpty(size(cols, rows)).expect("a pty opens");
        let line = line(pair.master.as_ref());
        let mut child = pair.slave.spawn_command(command).unwrap_or_else(|error| panic!("{label}: {error}"));
        // A slave that stays open hides the end of output.
        drop(pair.slave);
        let pid = child
            .process_id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
            .expect("the program has a pid");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                grid: vt100::Parser::new(nonzero(rows), nonzero(cols), SCROLLBACK),
                parser: vte::Parser::new(),
                outer: Outer::new(answers, rows),
                raw: Vec::new(),
                received: 0,
                closed: false,
                exit: None,
                broken: None,
            }),
            changed: Condvar::new(),
        });

        // Writing has a thread of its own: a program that neither reads nor is read from would stop both.
        let (input, typed) = mpsc::channel::<Vec<u8>>();
        let mut writer = pair.master.take_writer().expect("a pty has one writer");
        thread::spawn(move || while typed.recv().is_ok_and(|bytes| writer.write_all(&bytes).is_ok()) {});
        let mut reader = pair.master.try_clone_reader().expect("a pty has readers");
        let (output, replies) = (Arc::clone(&shared), input.clone());
        thread::spawn(move || {
            let mut slice = [0; 16 << 10];
            while let Some(count) = reader.read(&mut slice).ok().filter(|&count| count > 0) {
                let said = output.take(&slice[..count]);
                if !said.is_empty() {
                    let _ = replies.send(said);
                }
            }
            output.lock().closed = true;
            output.changed.notify_all();
        });
        let ended = Arc::clone(&shared);
        thread::spawn(move || {
            let status = child.wait().unwrap_or_else(|_| ExitStatus::with_exit_code(1));
            ended.lock().exit =
                Some(Exit { code: status.exit_code(), signal: status.signal().map(str::to_owned) });
            ended.changed.notify_all();
        });
        Self { shared, master: pair.master, input, pid, label, line }
    }

    /// Types bytes as they are.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        self.input.send(bytes.as_ref().to_vec()).expect("the terminal takes input");
    }

    /// Presses keys, written as tmux writes them and separated by spaces: `"C-Space %"`. They are encoded as a terminal
    /// does in the modes that the program has set.
    pub fn keys(&self, notation: &str) {
        let keyboard = self.shared.lock().outer.keyboard();
        self.send(keys::encode(notation, keyboard));
    }

    /// Pastes text, bracketed when the program asked for it.
    pub fn paste(&self, text: &str) {
        let bracketed = self.shared.lock().outer.mode(2004);
        if bracketed {
            self.send(format!("\x1b[200~{text}\x1b[201~"));
        } else {
            self.send(text.replace('\n', "\r"));
        }
    }

    /// The screen's rows without trailing blanks, joined by newlines.
    pub fn screen(&self) -> String {
        text(self.shared.shown().grid.screen())
    }

    /// The screen's rows, and under each row that has any the runs of style: columns, attributes and colours.
    pub fn contents_with_style(&self) -> String {
        styled(self.shared.shown().grid.screen())
    }

    /// The cursor as (row, column) from 0, or `None` while it is hidden.
    pub fn cursor(&self) -> Option<(u16, u16)> {
        let state = self.shared.shown();
        let screen = state.grid.screen();
        (!screen.hide_cursor()).then(|| screen.cursor_position())
    }

    /// Raw output so far, the oldest part dropped beyond 4 MiB.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.lock().raw.clone()
    }

    /// The program's process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Gives the terminal another size; the program hears of it by SIGWINCH.
    pub fn resize(&self, cols: u16, rows: u16) {
        // Under the lock, so that no output for the new size meets the old grid.
        let mut state = self.shared.lock();
        state.grid.set_size(nonzero(rows), nonzero(cols));
        state.outer.rows = rows;
        self.master.resize(size(cols, rows)).expect("the pty takes the size");
    }

    /// Waits until `condition` holds for the screen, looking at it after each slice of output.
    ///
    /// # Panics
    /// When it does not hold in time, or cannot any more because the program has ended; names the condition and shows
    /// the screen.
    #[track_caller]
    pub fn wait_until(&self, name: &str, mut condition: impl FnMut(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.shared.lock();
        loop {
            if !state.outer.synchronizing() && condition(state.grid.screen()) {
                return;
            }
            let over = if state.broken.is_some() {
                "the outer emulator gave up"
            } else if state.closed && state.exit.is_some() {
                "the program has ended"
            } else if Instant::now() >= deadline {
                "it took too long"
            } else {
                state = self.shared.wait(state, deadline);
                continue;
            };
            let report = self.report(&state);
            drop(state);
            panic!("waiting until {name}: {over}\n{report}");
        }
    }

    /// Waits until the screen shows `text` on one row.
    #[track_caller]
    pub fn wait_for(&self, wanted: &str) {
        self.wait_until(&format!("the screen shows {wanted:?}"), |screen| {
            rows(screen).iter().any(|row| row.contains(wanted))
        });
    }

    /// Waits until no row of the screen shows `text`.
    #[track_caller]
    pub fn wait_for_no(&self, unwanted: &str) {
        self.wait_until(&format!("the screen no longer shows {unwanted:?}"), |screen| {
            !rows(screen).iter().any(|row| row.contains(unwanted))
        });
    }

    /// Waits until the program has sent these bytes.
    #[track_caller]
    pub fn wait_raw(&self, wanted: &str) {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.shared.lock();
        while !state.raw.windows(wanted.len()).any(|bytes| bytes == wanted.as_bytes()) {
            if Instant::now() >= deadline || state.closed {
                let report = self.report(&state);
                drop(state);
                panic!("waiting until {wanted:?} is sent: it was not\n{report}");
            }
            state = self.shared.wait(state, deadline);
        }
    }

    /// Sends a signal to the program alone, as `kill` does.
    pub fn kill(&self, signal: Signal) {
        // Reaped already: the number may belong to another process.
        if self.shared.lock().exit.is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Waits for the program's end and for all of its output.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn exit_status(&self) -> Exit {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.shared.lock();
        loop {
            match &state.exit {
                Some(exit) if state.closed => return exit.clone(),
                _ if Instant::now() < deadline => state = self.shared.wait(state, deadline),
                Some(_) => {
                    let report = self.report(&state);
                    drop(state);
                    panic!("the program has ended, but something keeps its terminal open\n{report}");
                }
                None => {
                    let report = self.report(&state);
                    drop(state);
                    panic!("waiting until the program ends: it took too long\n{report}");
                }
            }
        }
    }

    /// Whether the program has ended.
    pub fn has_ended(&self) -> bool {
        self.shared.lock().exit.is_some()
    }

    /// Whether the terminal is as the program found it: modes, keyboard, style, line discipline.
    ///
    /// # Errors
    /// What is left behind.
    pub fn modes_restored(&self) -> Result<(), String> {
        let mut left = self.shared.lock().outer.left_behind();
        let line = line(self.master.as_ref());
        if line != self.line {
            left.push(format!("another line discipline\n  before {}\n  after  {line}", self.line));
        }
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    }

    fn report(&self, state: &State) -> String {
        let screen = state.grid.screen();
        let (height, width) = screen.size();
        let (row, column) = screen.cursor_position();
        let bar = "─".repeat(usize::from(width.get()));
        let mut report = format!("┌{bar}┐ {} ({width}×{height})\n", self.label);
        for line in rows(screen) {
            // The emulator counts a wide character as one `char`; the right border may stand a little off.
            let _ = writeln!(report, "│{line:<width$}│", width = usize::from(width.get()));
        }
        let _ = writeln!(report, "└{bar}┘ cursor {row},{column}");
        match &state.exit {
            Some(exit) => drop(writeln!(report, "ended: {exit:?}")),
            None => drop(writeln!(report, "running as {}", self.pid())),
        }
        if let Some(broken) = &state.broken {
            let _ = writeln!(report, "emulator: {broken}");
        }
        let tail = &state.raw[state.raw.len().saturating_sub(SHOWN)..];
        let _ = write!(report, "{} bytes received, the last: {}", state.received, tail.escape_ascii());
        report
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Signals go first: dropping the pty's writer types a newline and an end of file, which a program that still
        // runs would take for the person's.
        for signal in [Signal::HUP, Signal::KILL] {
            let deadline = Instant::now() + LEAVE;
            let mut state = self.shared.lock();
            if state.exit.is_none() {
                let _ = kill_process_group(self.pid, signal);
                let _ = kill_process_group(self.pid, Signal::CONT);
            }
            while state.exit.is_none() && Instant::now() < deadline {
                state = self.shared.wait(state, deadline);
            }
        }
    }
}

impl Shared {
    /// A test that panics while it looks at the screen must not hide its own message.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, deadline: Instant) -> MutexGuard<'a, State> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The state when it would be on a real screen: not in the middle of a synchronized update.
    fn shown(&self) -> MutexGuard<'_, State> {
        let deadline = Instant::now() + SYNCHRONIZED;
        let mut state = self.lock();
        while state.outer.synchronizing() && !state.closed && Instant::now() < deadline {
            state = self.wait(state, deadline);
        }
        state
    }

    /// Takes a slice of output and returns what the terminal answers.
    fn take(&self, slice: &[u8]) -> Vec<u8> {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.received += slice.len();
        state.raw.extend_from_slice(slice);
        if state.raw.len() > MAX_RAW {
            state.raw.drain(..state.raw.len() - MAX_RAW / 2);
        }
        // The position is that of the moment of the question, so the grid may not run ahead of it.
        let step = if wants_cursor(slice) { 1 } else { slice.len() };
        for bytes in slice.chunks(step) {
            if state.broken.is_none() {
                let grid = &mut state.grid;
                if catch_unwind(AssertUnwindSafe(|| grid.process(bytes))).is_err() {
                    state.broken = Some(format!("it panicked on {}", slice.escape_ascii()));
                }
            }
            state.outer.cursor = state.grid.screen().cursor_position();
            state.parser.advance(&mut state.outer, bytes);
        }
        let replies = std::mem::take(&mut state.outer.replies);
        drop(guard);
        self.changed.notify_all();
        replies
    }
}

/// The rows of a screen without trailing blanks.
pub fn rows(screen: &vt100::Screen) -> Vec<String> {
    screen.rows(0, screen.size().1.get()).map(|row| row.trim_end().to_owned()).collect()
}

fn text(screen: &vt100::Screen) -> String {
    rows(screen).join("\n")
}

fn styled(screen: &vt100::Screen) -> String {
    let mut lines = Vec::new();
    for (row, line) in (0..).zip(rows(screen)) {
        lines.push(line);
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for column in 0..screen.size().1.get() {
            let style = screen.cell(row, column).map(style).unwrap_or_default();
            match runs.last_mut() {
                Some((_, end, last)) if *last == style => *end = column,
                _ => runs.push((column, column, style)),
            }
        }
        let runs = runs.into_iter().filter(|(.., style)| !style.is_empty());
        let runs: Vec<String> = runs.map(|(start, end, style)| format!("{start}-{end} {style}")).collect();
        if !runs.is_empty() {
            lines.push(format!("    ~ {}", runs.join(" | ")));
        }
    }
    lines.join("\n")
}

fn style(cell: &vt100::Cell) -> String {
    let mut words = Vec::new();
    for (on, word) in [
        (cell.bold(), "bold"),
        (cell.dim(), "dim"),
        (cell.italic(), "italic"),
        (cell.underline(), "underline"),
        (cell.inverse(), "inverse"),
    ] {
        if on {
            words.push(word.to_owned());
        }
    }
    for (colour, name) in [(cell.fgcolor(), "fg"), (cell.bgcolor(), "bg")] {
        match colour {
            vt100::Color::Default => {}
            vt100::Color::Idx(index) => words.push(format!("{name}={index}")),
            vt100::Color::Rgb(r, g, b) => words.push(format!("{name}=#{r:02x}{g:02x}{b:02x}")),
        }
    }
    words.join(",")
}

fn line(master: &dyn MasterPty) -> String {
    let all = format!("{:?}", master.get_termios());
    // The same is said twice, as numbers and then in words.
    all.split_once("input_flags").map(|(_, words)| format!("input_flags{words}")).unwrap_or(all)
}

fn nonzero(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a terminal has at least one cell each way")
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}
