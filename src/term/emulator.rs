//! Owns a pane's terminal: bytes in; text, styles, modes, replies and events out.
//!
//! The only place that names the emulator core's crate. Must not know: processes, files, clocks (time is passed in),
//! clients, what the events are used for.
mod answers;
mod capture;
mod changes;
mod draw;
mod history;
mod lines;
mod screen;
#[cfg(test)]
mod tests;

pub use lines::{Anchor, Moved};

use super::{
    canvas::CursorShape,
    modes::{Modes, MouseEncoding, MouseProtocol},
    osc::{ColourSlot, NotifyPart},
    palette::{Palette, Rgb},
    scanner::{Piece, Scanner},
};
use alacritty_terminal::{
    grid::Dimensions as _,
    term::TermMode,
    vte::ansi::{Processor, StdSyncHandler},
};
use screen::{Overrides, Screen, Size};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// Smallest and largest grid. One column makes the core loop; beyond the upper bounds a pane only costs memory.
pub const COLS: std::ops::RangeInclusive<u16> = 2..=1000;
/// See `COLS`.
pub const ROWS: std::ops::RangeInclusive<u16> = 1..=500;

/// Lines of history by default: packed, a pane of 80 columns full of text takes about 1.5 MiB.
pub const HISTORY_LINES: usize = 10_000;

/// Bytes of one synchronized update that are held back; a larger one is shown as it comes.
pub const MAX_SYNC_BYTES: usize = 2 * 1024 * 1024;

/// How long a synchronized update may hold a pane back: what other terminals allow, about ten lost frames.
pub const MAX_SYNC_TIME: Duration = Duration::from_millis(150);

/// The end of a synchronized update, as everybody writes it.
const SYNC_END: &[u8] = b"\x1b[?2026l";

/// Something that happened in a pane beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermEvent {
    /// The title changed.
    Title(String),
    /// The bell rang, once or more.
    Bell,
    /// The program writes to the clipboard.
    Clipboard {
        /// Letters of the selections meant, for example `c`.
        selection: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// The program asks for the clipboard; whether it is told is for others to decide.
    ClipboardQuery {
        /// Letters of the selections meant.
        selection: String,
    },
    /// The program notifies the user.
    Notify {
        /// Heading, may be empty.
        title: String,
        /// Text.
        body: String,
    },
    /// Progress of the program's work.
    Progress {
        /// 0 off, 1 value, 2 error, 3 busy, 4 paused.
        state: u8,
        /// 0 to 100.
        percent: u8,
    },
    /// An agent's own word on its state, for example `state=working:app=codex`.
    AgentState(String),
    /// The program's working directory, an absolute path.
    Cwd(String),
    /// A shell integration mark, for example `A` or `D;0`.
    PromptMark(String),
    /// The emulator broke and was replaced; what was visible is kept as plain text if it could be read.
    Rebuilt,
}

/// What feeding bytes brought about, in stream order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedOutput {
    /// Bytes to be written to the program.
    pub replies: Vec<u8>,
    /// What happened.
    pub events: Vec<TermEvent>,
}

impl FeedOutput {
    /// True if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.events.is_empty()
    }
}

/// Where and how the cursor stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CursorView {
    /// Column from 0.
    pub x: u16,
    /// Row of the live screen from 0.
    pub y: u16,
    /// The program wants it seen.
    pub visible: bool,
    /// Its shape.
    pub shape: CursorShape,
}

/// The palette and what the program changed of it.
#[derive(Clone, Debug, Default)]
struct Colours {
    palette: Palette,
    overrides: Overrides,
}

impl Colours {
    fn get(&self, slot: ColourSlot) -> Rgb {
        let original = || match slot {
            ColourSlot::Indexed(index) => self.palette.indexed(index),
            ColourSlot::Dynamic(11 | 14 | 16 | 17) => self.palette.background,
            ColourSlot::Dynamic(12) => self.palette.cursor,
            ColourSlot::Dynamic(_) => self.palette.foreground,
        };
        self.overrides.get(&slot).copied().unwrap_or_else(original)
    }
}

/// Bytes held back by a synchronized update.
struct Hold {
    bytes: Vec<u8>,
    deadline: Instant,
}

/// A pane's terminal.
pub struct Emulator {
    parser: Processor<StdSyncHandler>,
    scanner: Scanner,
    screen: Screen,
    hold: Option<Hold>,
    /// A notification whose parts are still coming.
    notification: Option<(String, String, String)>,
    generation: u64,
    changes: changes::Changes,
}

impl Emulator {
    /// A blank terminal. Sizes outside `COLS` and `ROWS` are brought inside.
    pub fn new(cols: u16, rows: u16, history_lines: usize, palette: Palette) -> Self {
        let colours = Colours { palette, overrides: Overrides::new() };
        Self {
            parser: Processor::new(),
            scanner: Scanner::default(),
            screen: Screen::new(size(cols, rows), history_lines, colours),
            hold: None,
            notification: None,
            generation: 0,
            changes: changes::Changes::default(),
        }
    }

    /// Applies output of the program; replies and events are appended to `out` in stream order.
    pub fn feed(&mut self, bytes: &[u8], now: Instant, out: &mut FeedOutput) {
        if self.hold.as_ref().is_some_and(|hold| hold.deadline <= now) {
            self.release(out);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match self.hold.take() {
                Some(hold) => self.held(hold, rest, out),
                None => self.guarded(rest, true, now, out),
            };
            rest = &rest[used..];
        }
    }

    /// When held output must be released, if an update is open.
    pub fn sync_deadline(&self) -> Option<Instant> {
        self.hold.as_ref().map(|hold| hold.deadline)
    }

    /// Applies what an open update holds back: its time is up, or the program is gone.
    pub fn flush_sync(&mut self, out: &mut FeedOutput) {
        self.release(out);
    }

    fn release(&mut self, out: &mut FeedOutput) {
        if let Some(hold) = self.hold.take() {
            let now = hold.deadline;
            self.guarded(&hold.bytes, false, now, out);
        }
    }

    /// Adds to an open update, applies it when its end is found; says how many bytes were used.
    fn held(&mut self, mut hold: Hold, bytes: &[u8], out: &mut FeedOutput) -> usize {
        let now = hold.deadline;
        // The end mark may lie across the boundary of what is held and what is new.
        let tail = hold.bytes.len().min(SYNC_END.len() - 1);
        let seam: Vec<u8> = hold.bytes[hold.bytes.len() - tail..]
            .iter()
            .chain(bytes.iter().take(SYNC_END.len() - 1))
            .copied()
            .collect();
        let end = memchr::memmem::find(&seam, SYNC_END)
            .map(|at| at + SYNC_END.len() - tail)
            .or_else(|| memchr::memmem::find(bytes, SYNC_END).map(|at| at + SYNC_END.len()));
        let used = end.unwrap_or(bytes.len());
        if end.is_none() && hold.bytes.len() + bytes.len() <= MAX_SYNC_BYTES {
            hold.bytes.extend_from_slice(bytes);
            self.hold = Some(hold);
            return used;
        }
        self.screen.in_sync = true;
        if hold.bytes.is_empty() {
            self.guarded(&bytes[..used], false, now, out);
        } else if hold.bytes.len() + used <= MAX_SYNC_BYTES + SYNC_END.len() {
            hold.bytes.extend_from_slice(&bytes[..used]);
            self.guarded(&hold.bytes, false, now, out);
        } else {
            self.guarded(&hold.bytes, false, now, out);
            self.guarded(&bytes[..used], false, now, out);
        }
        self.screen.in_sync = false;
        used
    }

    /// Runs bytes through scanner and core; if that panics, the core is replaced and the bytes are given up.
    fn guarded(&mut self, bytes: &[u8], may_hold: bool, now: Instant, out: &mut FeedOutput) -> usize {
        self.generation = self.generation.wrapping_add(1);
        std::mem::swap(&mut self.screen.out, out);
        let used = catch_unwind(AssertUnwindSafe(|| self.run(bytes, may_hold, now)));
        let used = used.unwrap_or_else(|_| {
            self.rebuild();
            bytes.len()
        });
        std::mem::swap(&mut self.screen.out, out);
        self.note_changes();
        used
    }

    fn run(&mut self, bytes: &[u8], may_hold: bool, now: Instant) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let (used, piece) = self.scanner.next(&bytes[at..]);
            at += used;
            match piece {
                Piece::Held => {}
                Piece::Text(bytes) => self.screen.text(bytes),
                Piece::Pass(bytes) => self.parser.advance(&mut self.screen, bytes),
                Piece::String { kind, payload, bell } => {
                    answers::string(&mut self.screen, &mut self.notification, kind, payload, bell);
                }
                Piece::Csi(raw) => {
                    let begins_sync = answers::csi(&mut self.screen, &mut self.parser, raw);
                    if begins_sync && may_hold {
                        self.hold = Some(Hold { bytes: Vec::new(), deadline: now + MAX_SYNC_TIME });
                        break;
                    }
                }
            }
        }
        at
    }

    /// The last resort: a fresh core with the old text, as far as it can be read.
    fn rebuild(&mut self) {
        let text = catch_unwind(AssertUnwindSafe(|| self.core_text()));
        let out = std::mem::take(&mut self.screen.out);
        self.screen = self.screen.rebuilt();
        self.parser = Processor::new();
        self.scanner = Scanner::default();
        if let Ok(text) = text {
            let text = text.trim_end().replace('\n', "\r\n") + "\r\n";
            // If even this breaks, an empty pane is what is left.
            if catch_unwind(AssertUnwindSafe(|| self.parser.advance(&mut self.screen, text.as_bytes())))
                .is_err()
            {
                self.screen = self.screen.rebuilt();
                self.parser = Processor::new();
            }
        }
        self.screen.out = out;
        self.screen.event(TermEvent::Rebuilt);
    }

    /// Changes the size; text of the main screen is reflowed.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        let size = size(cols, rows);
        self.generation = self.generation.wrapping_add(1);
        if catch_unwind(AssertUnwindSafe(|| self.screen.resize(size))).is_err() {
            self.rebuild();
            self.screen.resize(size);
        }
        self.note_changes();
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        let convert = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        (convert(self.screen.term.columns()), convert(self.screen.term.screen_lines()))
    }

    /// What the program asked for.
    pub fn modes(&self) -> Modes {
        let mode = self.screen.mode();
        let has = |flag| mode.contains(flag);
        let extra = &self.screen.extra;
        let mouse = match () {
            () if has(TermMode::MOUSE_MOTION) => MouseProtocol::Motion,
            () if has(TermMode::MOUSE_DRAG) => MouseProtocol::Drag,
            () if has(TermMode::MOUSE_REPORT_CLICK) => MouseProtocol::Click,
            () if extra.press_mouse => MouseProtocol::Press,
            () => MouseProtocol::Off,
        };
        let mouse_encoding = match () {
            () if extra.pixel_mouse => MouseEncoding::SgrPixels,
            () if has(TermMode::SGR_MOUSE) => MouseEncoding::Sgr,
            () if extra.urxvt_mouse => MouseEncoding::Urxvt,
            () if has(TermMode::UTF8_MOUSE) => MouseEncoding::Utf8,
            () => MouseEncoding::Legacy,
        };
        Modes {
            app_cursor: has(TermMode::APP_CURSOR),
            app_keypad: has(TermMode::APP_KEYPAD),
            bracketed_paste: has(TermMode::BRACKETED_PASTE),
            focus_events: has(TermMode::FOCUS_IN_OUT),
            mouse,
            mouse_encoding,
            alt_screen: has(TermMode::ALT_SCREEN),
            alternate_scroll: has(TermMode::ALTERNATE_SCROLL),
            kitty_flags: self.screen.kitty_flags(),
            modify_other_keys: extra.modify_other_keys,
            color_scheme_reports: extra.color_scheme,
            cursor_visible: has(TermMode::SHOW_CURSOR),
            backarrow: extra.backarrow,
            newline: has(TermMode::LINE_FEED_NEW_LINE),
        }
    }

    /// The cursor on the live screen.
    pub fn cursor(&self) -> CursorView {
        let point = self.screen.term.grid().cursor.point;
        CursorView {
            x: u16::try_from(point.column.0).unwrap_or(0),
            y: u16::try_from(point.line.0).unwrap_or(0),
            visible: self.screen.mode().contains(TermMode::SHOW_CURSOR),
            shape: self.screen.cursor_shape(),
        }
    }

    /// The title that the program set last; empty if none.
    pub fn title(&self) -> &str {
        &self.screen.title
    }

    /// Lines above the live screen.
    pub fn history_len(&self) -> usize {
        self.screen.history()
    }

    /// A number that changes whenever something visible may have changed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Drops mouse, paste, focus and key modes and hides the cursor, once the program is gone. Text stays.
    pub fn reset_modes(&mut self, out: &mut FeedOutput) {
        self.release(out);
        self.screen.reset_input_modes();
        self.generation = self.generation.wrapping_add(1);
    }

    /// Takes over the colours of the terminal that shows the pane; returns what must be told to the program.
    pub fn set_palette(&mut self, palette: Palette) -> Vec<u8> {
        let flipped = palette.is_light() != self.screen.colours.palette.is_light();
        self.screen.colours.palette = palette;
        if flipped && self.screen.extra.color_scheme {
            answers::color_scheme(&self.screen).into_bytes()
        } else {
            Vec::new()
        }
    }
}

fn size(cols: u16, rows: u16) -> Size {
    Size {
        cols: cols.clamp(*COLS.start(), *COLS.end()).into(),
        rows: rows.clamp(*ROWS.start(), *ROWS.end()).into(),
    }
}

/// Adds a part to a notification under way and returns it when it is complete.
fn join_notification(open: &mut Option<(String, String, String)>, part: NotifyPart) -> Option<TermEvent> {
    let (id, mut title, mut body) = match open.take() {
        Some(started) if started.0 == part.id => started,
        _ => (part.id, String::new(), String::new()),
    };
    let field = if part.body { &mut body } else { &mut title };
    let room = super::osc::MAX_TEXT.saturating_sub(field.chars().count());
    field.extend(part.text.chars().take(room));
    if part.done {
        Some(TermEvent::Notify { title, body })
    } else {
        *open = Some((id, title, body));
        None
    }
}
