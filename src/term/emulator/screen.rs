//! Owns the emulator core and everything that it gets wrong, drops or would grow without bound.
//!
//! A `Handler` around the core's own: queries are answered here at their exact place in the stream, modes and stacks
//! that the core does not keep (or keeps unbounded) live here. Must not know: bytes, strings, timing.
mod handler;
mod margins;
mod prompts;
mod rectangles;
mod spill;
mod state;

pub use rectangles::PROTECTED;
pub use spill::{Place, wraps};
pub use state::Extra;

use super::{Colours, FeedOutput, TermEvent, history::History};
use crate::term::{canvas::CursorShape as Shape, osc::ColourSlot, palette::Rgb};
use alacritty_terminal::{
    event::VoidListener,
    grid::Dimensions,
    index::{Column, Line, Point},
    term::{
        Config, Term, TermMode,
        cell::{Cell, Flags},
    },
    vte::ansi::{Attr, CharsetIndex, CursorShape, Handler, NamedPrivateMode, StandardCharset},
};
use std::collections::{BTreeMap, BTreeSet};
use unicode_width::UnicodeWidthStr as _;

/// Zero-width marks that one cell keeps: more than any script stacks; the rest is dropped, as memory per cell would
/// have no bound.
pub const MAX_MARKS: usize = 16;

/// Depth of a screen's kitty keyboard stack; the oldest entry leaves when it is full.
const MAX_KEYBOARD_STACK: usize = 32;

/// Depth of the title stack; the oldest entry leaves when it is full.
const MAX_TITLE_STACK: usize = 16;

/// Bytes of replies that one call collects. A flood of queries beyond that goes unanswered: nobody reads so many.
pub const MAX_REPLIES: usize = 256 * 1024;

/// Events that one call collects; further ones of a slice are dropped.
pub const MAX_EVENTS: usize = 1024;

/// See the modes' constant of this name; here as sizes of a grid are counted.
pub const CELL_PIXELS: (usize, usize) =
    (crate::term::modes::CELL_PIXELS.0 as usize, crate::term::modes::CELL_PIXELS.1 as usize);

const VS16: char = '\u{fe0f}';

/// The size of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub cols: usize,
    pub rows: usize,
}

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.rows
    }
    fn screen_lines(&self) -> usize {
        self.rows
    }
    fn columns(&self) -> usize {
        self.cols
    }
}

/// The core and what stands around it.
pub struct Screen {
    pub term: Term<VoidListener>,
    pub out: FeedOutput,
    pub colours: Colours,
    pub extra: Extra,
    pub title: String,
    /// A synchronized update is being applied.
    pub in_sync: bool,
    /// Which of the four character sets is in use; the core does not tell.
    charset: CharsetIndex,
    /// The character that REP repeats.
    last: Option<char>,
    titles: Vec<String>,
    /// Kitty flags of the shown screen, the lowest entry being the base; and those of the hidden one.
    keyboard: Vec<u8>,
    hidden_keyboard: Vec<u8>,
    /// Scroll region, rows from 0, end exclusive.
    region: (usize, usize),
    /// Left and right margins, while a program has set some.
    margins: Option<margins::Margins>,
    /// What left the core.
    pub packed: History,
    /// The core has memory for as many rows of history as it may hold.
    settled: bool,
    /// How often all history was forgotten.
    pub forgotten: u64,
    /// Numbers of the core's rows that a prompt begins in.
    prompts: BTreeSet<u64>,
    /// Nothing is taken out of the core, so that tests have something to compare with.
    #[cfg(test)]
    pub all_in_core: bool,
    /// The conformance level that DECSCL set.
    pub level: u16,
    /// Cells changed behind the core's back.
    pub all_changed: bool,
    /// What DECSC kept of the shown screen and of the hidden one.
    kept: Option<state::Kept>,
    hidden_kept: Option<state::Kept>,
    kept_modes: BTreeMap<u16, bool>,
}

impl Screen {
    pub fn new(size: Size, history: usize, colours: Colours) -> Self {
        // The core's history is limited once the screen is there.
        let mut screen = Self {
            term: Term::new(Config { scrolling_history: 0, ..Config::default() }, &size, VoidListener),
            out: FeedOutput::default(),
            colours,
            extra: Extra::default(),
            title: String::new(),
            in_sync: false,
            charset: CharsetIndex::G0,
            last: None,
            titles: Vec::new(),
            keyboard: vec![0],
            hidden_keyboard: vec![0],
            region: (0, size.rows),
            margins: None,
            packed: History::new(size.cols, history),
            settled: false,
            forgotten: 0,
            prompts: BTreeSet::new(),
            #[cfg(test)]
            all_in_core: false,
            level: 64,
            all_changed: false,
            kept: None,
            hidden_kept: None,
            kept_modes: BTreeMap::new(),
        };
        screen.limit();
        screen
    }

    /// A fresh core of the same size, for the case that the old one broke. It takes over what is packed.
    pub fn rebuilt(&mut self) -> Self {
        let size = Size { cols: self.term.columns(), rows: self.term.screen_lines() };
        let mut fresh = Self::new(size, 0, self.colours.clone());
        let empty = History::new(size.cols, self.packed.limit());
        fresh.packed = std::mem::replace(&mut self.packed, empty);
        fresh.forgotten = self.forgotten;
        fresh.title.clone_from(&self.title);
        fresh
    }

    pub fn reply(&mut self, bytes: &[u8]) {
        if self.out.replies.len() + bytes.len() <= MAX_REPLIES {
            self.out.replies.extend_from_slice(bytes);
        }
    }

    pub fn event(&mut self, event: TermEvent) {
        if self.out.events.len() < MAX_EVENTS {
            self.out.events.push(event);
        }
    }

    pub fn mode(&self) -> TermMode {
        *self.term.mode()
    }

    pub fn kitty_flags(&self) -> u8 {
        self.keyboard.last().copied().unwrap_or(0)
    }

    /// Forgets what input modes a program that is gone had asked for. Text and screens stay.
    pub fn reset_input_modes(&mut self) {
        use NamedPrivateMode as N;
        for mode in [
            N::CursorKeys,
            N::ReportMouseClicks,
            N::ReportCellMouseMotion,
            N::ReportAllMouseMotion,
            N::ReportFocusInOut,
            N::Utf8Mouse,
            N::SgrMouse,
            N::BracketedPaste,
            N::ShowCursor,
        ] {
            self.term.unset_private_mode(mode.into());
        }
        self.term.unset_keypad_application_mode();
        self.extra = Extra::default();
        self.keyboard = vec![0];
        self.hidden_keyboard = vec![0];
    }

    /// DECSTR: modes, region, attributes and saved cursor go back, text and position stay.
    pub fn soft_reset(&mut self) {
        use NamedPrivateMode as N;
        let point = self.term.grid().cursor.point;
        self.term.set_scrolling_region(1, None);
        self.region = (0, self.term.screen_lines());
        for mode in [N::CursorKeys, N::Origin] {
            self.term.unset_private_mode(mode.into());
        }
        for mode in [N::ShowCursor, N::LineWrap] {
            self.term.set_private_mode(mode.into());
        }
        self.term.unset_mode(alacritty_terminal::vte::ansi::NamedMode::Insert.into());
        self.term.unset_keypad_application_mode();
        self.term.terminal_attribute(Attr::Reset);
        self.set_active_charset(CharsetIndex::G0);
        for index in [CharsetIndex::G0, CharsetIndex::G1, CharsetIndex::G2, CharsetIndex::G3] {
            self.term.configure_charset(index, StandardCharset::Ascii);
        }
        let grid = self.term.grid_mut();
        grid.cursor.point = Point::new(Line(0), Column(0));
        grid.cursor.input_needs_wrap = false;
        grid.saved_cursor = grid.cursor.clone();
        grid.cursor.point = point;
        self.extra.modify_other_keys = 0;
        self.extra.reverse_wrap = false;
        self.extra.margins_allowed = false;
        self.margins = None;
        self.all_changed |= self.extra.reverse_screen;
        self.extra.reverse_screen = false;
        self.kept = None;
    }

    /// The position that a report names, from 1, relative to the region in origin mode.
    pub fn reported_position(&self) -> (usize, usize) {
        let point = self.term.grid().cursor.point;
        let row = usize::try_from(point.line.0).unwrap_or(0);
        let top = if self.mode().contains(TermMode::ORIGIN) { self.region.0 } else { 0 };
        (row.saturating_sub(top) + 1, point.column.0.saturating_sub(self.first_column()) + 1)
    }

    /// The region as DECSTBM's parameters.
    pub fn region(&self) -> (usize, usize) {
        (self.region.0 + 1, self.region.1)
    }

    pub fn cursor_shape(&self) -> Shape {
        // The core has no "not set" to ask for; its default style is set nowhere else.
        let style = self.term.cursor_style();
        let blink = style.blinking;
        match style.shape {
            CursorShape::Underline => Shape::Underline { blink },
            CursorShape::Beam => Shape::Bar { blink },
            CursorShape::Block if blink => Shape::Block { blink },
            _ => Shape::Default,
        }
    }

    /// Shows the other screen without touching its cursor: modes 47 and 1047.
    fn swap_keeping_cursor(&mut self, alternate: bool) {
        if self.mode().contains(TermMode::ALT_SCREEN) == alternate {
            return;
        }
        let cursor = self.term.grid().cursor.clone();
        let saved = self.term.grid().saved_cursor.clone();
        self.term.swap_alt();
        self.swap_own();
        // The position belongs to the terminal here, not to the screen, and the swap wrote over what was saved.
        let grid = self.term.grid_mut();
        grid.saved_cursor = saved;
        grid.cursor = cursor;
    }

    fn swap_saving_cursor(&mut self, alternate: bool) {
        if self.mode().contains(TermMode::ALT_SCREEN) != alternate {
            self.term.swap_alt();
            self.swap_own();
        }
    }

    /// What is kept here for each screen.
    fn swap_own(&mut self) {
        std::mem::swap(&mut self.keyboard, &mut self.hidden_keyboard);
        std::mem::swap(&mut self.kept, &mut self.hidden_kept);
    }

    /// Writes text: characters and control characters without escapes.
    pub fn text(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let len = match first {
                b' '..=b'~' => {
                    let len = rest.iter().position(|b| !matches!(b, b' '..=b'~')).unwrap_or(rest.len());
                    self.ascii(&rest[..len]);
                    self.last = Some(char::from(rest[len - 1]));
                    len
                }
                0..=0x1f | 0x7f => {
                    self.control(*first);
                    1
                }
                _ => {
                    let len = rest.iter().position(u8::is_ascii).unwrap_or(rest.len());
                    for chunk in rest[..len].utf8_chunks() {
                        chunk.valid().chars().for_each(|c| self.character(c));
                        if !chunk.invalid().is_empty() {
                            self.character(char::REPLACEMENT_CHARACTER);
                        }
                    }
                    len
                }
            };
            rest = &rest[len..];
        }
    }

    fn character(&mut self, c: char) {
        if !('\u{80}'..='\u{9f}').contains(&c) {
            self.input(c);
            self.last = Some(c);
        }
    }

    fn control(&mut self, byte: u8) {
        match byte {
            0x07 => self.bell(),
            0x08 => self.move_back(1),
            b'\t' => self.put_tab(1),
            b'\n' | 0x0b | 0x0c => self.linefeed(),
            b'\r' => self.carriage_return(),
            0x0e => self.set_active_charset(CharsetIndex::G1),
            0x0f => self.set_active_charset(CharsetIndex::G0),
            _ => {}
        }
    }

    /// REP: writes the last character again.
    pub fn repeat(&mut self, count: usize) {
        match self.last {
            Some(c) if c.is_ascii() => {
                let mut byte = [0];
                c.encode_utf8(&mut byte);
                self.ascii(&byte.repeat(count));
            }
            Some(c) => (0..count).for_each(|_| self.input(c)),
            None => {}
        }
    }

    /// Writes printable ASCII straight into the row: most of what any program prints, several times as fast as the
    /// core's way for each character. What needs more thought goes that way.
    fn ascii(&mut self, run: &[u8]) {
        let columns = self.term.columns();
        if self.margins.is_some() {
            run.iter().for_each(|byte| self.input(char::from(*byte)));
            return;
        }
        let plain = !self.mode().contains(TermMode::INSERT)
            && self.term.grid().cursor.charsets[self.charset] == StandardCharset::Ascii;
        let mut rest = run;
        while let Some(first) = rest.first() {
            let grid = self.term.grid_mut();
            let point = grid.cursor.point;
            let room = columns - point.column.0;
            let mut len = rest.len().min(room);
            let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
            let row = &mut grid[point.line];
            // Half of a wide character at either edge, and wrapping, are the core's business.
            if row[point.column + (len - 1)].flags.contains(Flags::WIDE_CHAR) {
                len -= 1;
            }
            let simple = plain && len > 0 && !row[point.column].flags.intersects(wide);
            if !simple || grid.cursor.input_needs_wrap {
                self.term.input(char::from(*first));
                self.spill();
                rest = &rest[1..];
                continue;
            }
            let template = grid.cursor.template.clone();
            let cells = &mut grid[point.line][point.column..point.column + len];
            for (cell, byte) in cells.iter_mut().zip(rest) {
                cell.c = char::from(*byte);
                cell.fg = template.fg;
                cell.bg = template.bg;
                cell.flags = template.flags;
                if cell.extra.is_some() || template.extra.is_some() {
                    cell.extra.clone_from(&template.extra);
                }
            }
            if len == room {
                grid.cursor.point.column = Column(columns - 1);
                grid.cursor.input_needs_wrap = true;
            } else {
                grid.cursor.point.column = point.column + len;
            }
            rest = &rest[len..];
        }
    }

    /// The cell that a zero-width character joins.
    fn base_point(&self) -> Point {
        let grid = self.term.grid();
        let mut point = grid.cursor.point;
        if !grid.cursor.input_needs_wrap {
            point.column.0 = point.column.0.saturating_sub(1);
        }
        if grid[point].flags.contains(Flags::WIDE_CHAR_SPACER) {
            point.column.0 = point.column.0.saturating_sub(1);
        }
        point
    }

    fn zero_width(&mut self, mark: char) {
        let base = self.base_point();
        let cell = &self.term.grid()[base];
        if cell.zerowidth().map_or(0, <[char]>::len) >= MAX_MARKS {
            return;
        }
        let bare = cell.zerowidth().is_none_or(<[char]>::is_empty);
        let widens = mark == VS16 && bare && !cell.flags.intersects(Flags::WIDE_CHAR) && {
            let mut text = [0u8; 8];
            let base_len = cell.c.encode_utf8(&mut text).len();
            let mark_len = mark.encode_utf8(&mut text[base_len..]).len();
            std::str::from_utf8(&text[..base_len + mark_len]).is_ok_and(|text| text.width() == 2)
        };
        self.term.input(mark);
        if widens {
            self.widen(base);
        }
    }

    /// Makes the narrow character just written two columns wide. In the last column there is no room: it stays.
    fn widen(&mut self, base: Point) {
        let columns = self.term.columns();
        let insert = self.mode().contains(TermMode::INSERT);
        let grid = self.term.grid_mut();
        let next = base.column + 1;
        if grid.cursor.input_needs_wrap || next.0 >= columns || grid.cursor.point.column != next {
            return;
        }
        if insert {
            self.term.insert_blank(1);
        }
        let grid = self.term.grid_mut();
        let template = grid.cursor.template.clone();
        let row = &mut grid[base.line];
        // The column taken over may have been the left half of a wide character.
        if row[next].flags.contains(Flags::WIDE_CHAR) && next.0 + 1 < columns {
            row[next + 1].flags.remove(Flags::WIDE_CHAR_SPACER);
        }
        row[base.column].flags.insert(Flags::WIDE_CHAR);
        let mut spacer = Cell { c: ' ', ..template };
        spacer.flags.insert(Flags::WIDE_CHAR_SPACER);
        row[next] = spacer;
        if next.0 + 1 < columns {
            grid.cursor.point.column = next + 1;
        } else {
            grid.cursor.point.column = next;
            grid.cursor.input_needs_wrap = true;
        }
    }

    fn report(&mut self, mark: &str, mode: u16, state: u8) {
        self.reply(format!("\x1b[{mark}{mode};{state}$y").as_bytes());
    }

    pub fn push_title(&mut self) {
        if self.titles.len() >= MAX_TITLE_STACK {
            self.titles.remove(0);
        }
        self.titles.push(self.title.clone());
    }

    pub fn pop_title(&mut self) {
        if let Some(title) = self.titles.pop() {
            self.set_title_text(title);
        }
    }

    pub fn set_title_text(&mut self, title: String) {
        if title != self.title {
            self.title.clone_from(&title);
            // Spinners set titles ten times a second; of one slice only the last is of interest.
            self.out.events.retain(|event| !matches!(event, TermEvent::Title(_)));
            self.event(TermEvent::Title(title));
        }
    }

    fn set_keyboard(&mut self, flags: u8) {
        if let Some(top) = self.keyboard.last_mut() {
            *top = flags & 31;
        }
    }
}

/// Colours that a program changed, over the palette.
pub type Overrides = BTreeMap<ColourSlot, Rgb>;
