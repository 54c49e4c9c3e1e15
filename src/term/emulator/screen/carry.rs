//! A terminal as the bytes that make a blank one like it: what a server hands on to the one that takes its place. Bytes
//! of the terminal's own language, so that two versions need to agree on nothing else.
use super::{Screen, wraps};
use crate::term::{
    canvas::CursorShape as Shape,
    emulator::{answers::rendition_of, screen::Place},
    osc::ColourSlot,
};
use alacritty_terminal::{
    grid::{Cursor, Dimensions as _},
    index::{Column, Point},
    term::{
        TermMode,
        cell::{Cell, Flags, Hyperlink},
    },
    vte::ansi::{CharsetIndex, Handler as _, StandardCharset},
};
use std::{borrow::Cow, fmt::Write as _};

/// Bytes of one terminal that are carried at most: a hundred thousand full and colourful lines. Beyond that the oldest
/// half of the lines stays behind, as often as needed.
const MAX_CARRIED: usize = 64 * 1024 * 1024;

/// Private modes that are off in a blank terminal and move nothing when they are set.
const OFF_AT_FIRST: [u16; 18] =
    [1, 5, 9, 41, 45, 66, 67, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1042, 2004, 2031];

/// Private modes that are on in one.
const ON_AT_FIRST: [u16; 3] = [7, 25, 1007];

/// Columns between two tab stops of a blank terminal.
const TAB: usize = 8;

/// What was written last, so that only changes are written.
#[derive(Default)]
struct Pen {
    look: String,
    link: Option<Hyperlink>,
}

impl Screen {
    /// The bytes that make a blank terminal of this size like this one, history included.
    pub fn carry(&mut self) -> String {
        let mut out = String::new();
        if self.level != 64 {
            let _ = write!(out, "\x1b[{}\"p", self.level);
        }
        let tabs = self.tabs();
        self.on_main(|screen| {
            screen.carry_lines(&mut out);
            screen.carry_tabs(&tabs, &mut out);
        });
        self.carry_colours(&mut out);
        for title in &self.titles {
            let _ = write!(out, "\x1b]2;{title}\x07\x1b[22;0t");
        }
        let _ = write!(out, "\x1b]2;{}\x07", self.title);
        let alternate = self.mode().contains(TermMode::ALT_SCREEN);
        if alternate {
            carry_keyboard(&self.hidden_keyboard, &mut out);
            self.on_main(|screen| screen.carry_cursor(&screen.term.grid().cursor, (0, 0), &mut out));
            out.push_str("\x1b[?1049h\x1b[m\x1b[H");
            self.carry_rows(0, &mut out);
        }
        carry_keyboard(&self.keyboard, &mut out);
        self.carry_kept(&mut out);
        let (top, bottom) = self.region();
        if (top, bottom) != (1, self.term.screen_lines()) {
            let _ = write!(out, "\x1b[{top};{bottom}r");
        }
        if self.extra.margins_allowed {
            out.push_str("\x1b[?69h");
        }
        if let Some(margins) = self.margins {
            let _ = write!(out, "\x1b[{};{}s", margins.left + 1, margins.end);
        }
        let mut origin = (0, 0);
        if self.mode().contains(TermMode::ORIGIN) {
            out.push_str("\x1b[?6h");
            origin = (self.region.0, self.first_column());
        }
        self.carry_cursor(&self.term.grid().cursor, origin, &mut out);
        self.carry_modes(&mut out);
        out
    }

    /// All lines of the main screen and its history, as many as there is room for.
    fn carry_lines(&self, out: &mut String) {
        let (history, begin) = (self.history(), out.len());
        let mut first = 0;
        loop {
            self.carry_rows(first, out);
            if out.len() - begin <= MAX_CARRIED || first >= history {
                return;
            }
            out.truncate(begin);
            first += (history - first).div_ceil(2);
        }
    }

    /// The lines from this one on, counted from the oldest that can be read, each where the one before ends.
    fn carry_rows(&self, first: usize, out: &mut String) {
        let columns = self.term.columns();
        let last = self.history() + self.term.screen_lines() - 1;
        let mut pen = Pen::default();
        for line in first..=last {
            let (cells, wrapped): (Cow<'_, [Cell]>, bool) = match self.place(line) {
                Some(Place::Core(at)) => {
                    let row = &self.term.grid()[at];
                    (Cow::Borrowed(&row[..]), wraps(row))
                }
                Some(Place::Packed(at)) => {
                    let row = self.packed.row(at).unwrap_or_default();
                    (Cow::Owned(row.cells), row.wrapped)
                }
                None => continue,
            };
            if self.is_prompt(line) {
                out.push_str("\x1b]133;A\x07");
            }
            // A row that goes on is written to its end, and the next character begins the next row by itself. One that
            // was cut short after another width cannot be joined any more.
            let joined = wrapped && line < last && cells.len() + 1 >= columns;
            let shown =
                if joined { cells.len() } else { cells.iter().rposition(shows).map_or(0, |at| at + 1) };
            for cell in &cells[..shown] {
                pen.write(cell, out);
            }
            if !joined && line < last {
                // A line feed fills the row that it opens with the colour that is set.
                pen.lift(out);
                out.push_str("\r\n");
            }
        }
        pen.lift(out);
    }

    /// The tab stops, by column.
    fn tabs(&mut self) -> Vec<usize> {
        let before = self.term.grid().cursor.clone();
        self.term.grid_mut().cursor.point.column = Column(self.term.columns() - 1);
        let mut stops = Vec::new();
        // Stepping back is the only way to ask the core that leaves its cells alone.
        let last = self.term.columns() - 1;
        if last.is_multiple_of(TAB) {
            stops.push(last);
        }
        loop {
            let from = self.term.grid().cursor.point.column;
            self.term.move_backward_tabs(1);
            let stop = self.term.grid().cursor.point.column;
            if stop == from {
                break;
            }
            stops.push(stop.0);
        }
        self.term.grid_mut().cursor = before;
        stops.reverse();
        stops
    }

    fn carry_tabs(&self, stops: &[usize], out: &mut String) {
        let usual = (0..self.term.columns()).step_by(TAB);
        if usual.eq(stops.iter().copied()) {
            return;
        }
        out.push_str("\x1b[3g");
        for stop in stops.iter().filter(|stop| **stop > 0) {
            let _ = write!(out, "\x1b[{}G\x1bH", stop + 1);
        }
    }

    fn carry_colours(&self, out: &mut String) {
        for (slot, colour) in &self.colours.overrides {
            let _ = match slot {
                ColourSlot::Indexed(index) => write!(out, "\x1b]4;{index};"),
                ColourSlot::Dynamic(number) => write!(out, "\x1b]{number};"),
            };
            let _ = write!(out, "rgb:{:02x}/{:02x}/{:02x}\x07", colour.0, colour.1, colour.2);
        }
    }

    /// What DECSC keeps of the shown screen.
    fn carry_kept(&self, out: &mut String) {
        let Some(kept) = self.kept else { return };
        if kept.origin {
            out.push_str("\x1b[?6h");
        }
        self.carry_cursor(&self.term.grid().saved_cursor, (0, 0), out);
        out.push_str("\x1b7\x1b[?6l");
    }

    /// Where a cursor stands, with places counted from `origin`, and how it writes.
    fn carry_cursor(&self, cursor: &Cursor<Cell>, origin: (usize, usize), out: &mut String) {
        let (row, column) = (cursor.point.line.0.max(0), cursor.point.column.0);
        let row = usize::try_from(row).unwrap_or(0).saturating_sub(origin.0) + 1;
        // Behind a full row the cursor waits in its last column: writing that one again is the only way there.
        let last = &self.term.grid()[Point::new(cursor.point.line, Column(column))];
        let wide = last.flags.contains(Flags::WIDE_CHAR_SPACER);
        if cursor.input_needs_wrap && column + 1 == self.term.columns() {
            let start = column - usize::from(wide && column > 0);
            let _ = write!(out, "\x1b[{row};{}H", start.saturating_sub(origin.1) + 1);
            let mut pen = Pen::default();
            pen.write(&self.term.grid()[Point::new(cursor.point.line, Column(start))], out);
            pen.lift(out);
        } else {
            let _ = write!(out, "\x1b[{row};{}H", column.saturating_sub(origin.1) + 1);
        }
        let _ = write!(out, "\x1b[{}", rendition_of(&cursor.template));
        let _ = write!(out, "\x1b[{}\"q", u8::from(cursor.template.flags.contains(super::PROTECTED)));
        if let Some(link) = cursor.template.hyperlink() {
            open_link(&link, out);
        }
        for (index, sign) in [
            (CharsetIndex::G0, '('),
            (CharsetIndex::G1, ')'),
            (CharsetIndex::G2, '*'),
            (CharsetIndex::G3, '+'),
        ] {
            let drawing = cursor.charsets[index] == StandardCharset::SpecialCharacterAndLineDrawing;
            let _ = write!(out, "\x1b{sign}{}", if drawing { '0' } else { 'B' });
        }
    }

    fn carry_modes(&self, out: &mut String) {
        for mode in OFF_AT_FIRST.into_iter().filter(|mode| self.private_mode(*mode) == Some(true)) {
            let _ = write!(out, "\x1b[?{mode}h");
        }
        for mode in ON_AT_FIRST.into_iter().filter(|mode| self.private_mode(*mode) == Some(false)) {
            let _ = write!(out, "\x1b[?{mode}l");
        }
        for mode in [4, 20].into_iter().filter(|mode| self.ansi_mode(*mode) == 1) {
            let _ = write!(out, "\x1b[{mode}h");
        }
        if self.extra.modify_other_keys > 0 {
            let _ = write!(out, "\x1b[>4;{}m", self.extra.modify_other_keys);
        }
        if self.cursor_shape() != Shape::Default {
            let _ = write!(out, "\x1b[{} q", self.cursor_shape().code());
        }
        match self.charset {
            CharsetIndex::G0 => {}
            CharsetIndex::G1 => out.push('\x0e'),
            CharsetIndex::G2 => out.push_str("\x1bn"),
            CharsetIndex::G3 => out.push_str("\x1bo"),
        }
    }
}

/// The stack of one screen's kitty flags, the lowest entry being what is in force without it.
fn carry_keyboard(stack: &[u8], out: &mut String) {
    for (depth, flags) in stack.iter().enumerate() {
        match (depth, flags) {
            (0, 0) => {}
            (0, flags) => drop(write!(out, "\x1b[={flags}u")),
            (_, flags) => drop(write!(out, "\x1b[>{flags}u")),
        }
    }
}

fn open_link(link: &Hyperlink, out: &mut String) {
    // The core names links that have no name of their own; a program's are what another cell must agree with.
    let _ = write!(out, "\x1b]8;id={};{}\x1b\\", link.id(), link.uri());
}

/// A blank counts if its background, a line through it or where it leads shows.
fn shows(cell: &Cell) -> bool {
    let spacer = Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER;
    cell.c > ' '
        || cell.bg != Cell::default().bg
        || cell.extra.is_some()
        || cell.flags.intersects(Flags::INVERSE | Flags::STRIKEOUT | Flags::ALL_UNDERLINES | spacer)
}

impl Pen {
    fn write(&mut self, cell: &Cell, out: &mut String) {
        if cell.flags.intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER) {
            return;
        }
        let link = cell.hyperlink();
        if link != self.link {
            match &link {
                Some(link) => open_link(link, out),
                None => out.push_str("\x1b]8;;\x1b\\"),
            }
            self.link = link;
        }
        let plain = Cell { c: cell.c, ..Cell::default() };
        let plain =
            cell.extra.is_none() && cell.fg == plain.fg && cell.bg == plain.bg && cell.flags.is_empty();
        let look = if plain { String::new() } else { rendition_of(cell) };
        let look = if look == "0m" { String::new() } else { look };
        if look != self.look {
            let _ = write!(out, "\x1b[{}", if look.is_empty() { "m" } else { &look });
            self.look = look;
        }
        out.push(if cell.c < ' ' { ' ' } else { cell.c });
        out.extend(cell.zerowidth().into_iter().flatten());
    }

    /// Back to writing plain text.
    fn lift(&mut self, out: &mut String) {
        if self.link.take().is_some() {
            out.push_str("\x1b]8;;\x1b\\");
        }
        if !std::mem::take(&mut self.look).is_empty() {
            out.push_str("\x1b[m");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::term::{
        emulator::{Emulator, FeedOutput},
        palette::Palette,
    };
    use std::time::Instant;

    fn fed(bytes: &[u8]) -> Emulator {
        let mut emulator = Emulator::new(20, 5, 1000, Palette::default());
        feed(&mut emulator, bytes);
        emulator
    }

    fn feed(emulator: &mut Emulator, bytes: &[u8]) -> FeedOutput {
        let mut out = FeedOutput::default();
        emulator.feed(bytes, Instant::now(), &mut out);
        out
    }

    /// Everything about a terminal that can be seen from outside.
    fn seen(emulator: &Emulator) -> String {
        format!(
            "{}{:?}{:?}{}",
            emulator.capture(Some(-5000), None, true, true),
            emulator.modes(),
            emulator.cursor(),
            emulator.title()
        )
    }

    /// What a program does next must come to the same in both.
    const AFTER: [&[u8]; 6] = [
        b"\x1b[c\x1b[6n\x1b[?u\x1b[?6$p\x1b[?7$p\x1b[4$p\x1bP$qm\x1b\\\x1bP$qr\x1b\\\x1bP$q\"p\x1b\\\x1b]4;1;?\x07",
        b"next\ttab\x1b[<u\x1b[?u",
        b"\x1b8back\x1b[6n\x1b[23;0t",
        b"\x1b[?1049l\x1b[?u\x1b[6nout\r\nof\r\nit\x1b8\x1b[6n",
        b"qqq\x0fqqq\r\n\n\n\n\n\n\n\n\x1b[H\x1b[L",
        b"\x1bcblank",
    ];

    #[track_caller]
    fn carries(bytes: &[u8]) {
        let mut first = fed(bytes);
        let carried = first.carry(&mut FeedOutput::default());
        let mut second = fed(&carried);
        assert_eq!(seen(&first), seen(&second), "{}", String::from_utf8_lossy(&carried).escape_debug());
        for step in AFTER {
            assert_eq!(feed(&mut first, step).replies, feed(&mut second, step).replies);
            assert_eq!(seen(&first), seen(&second), "after {:?}", String::from_utf8_lossy(step));
        }
    }

    #[test]
    fn text_and_history_come_along() {
        carries(b"");
        carries(b"one\r\ntwo \x1b[1;31mred\x1b[44m on blue \x1b[0m\r\n  \x1b[4:3;58:2::1:2:3mcurly\x1b[m");
        let lines: String = (0..300).map(|n| format!("line {n} {}\r\n", "long ".repeat(n % 9))).collect();
        carries(lines.as_bytes());
        carries("日本語の長い行がここで折り返されます e\u{301}👍🏽 ✈\u{fe0f}\r\nab".as_bytes());
        carries(b"\x1b]8;id=x;http://a/b\x07link\x1b]8;;\x07 \x1b]133;A\x07$ ls\r\n\x1b]8;;http://c\x07open");
        carries(b"a full row of twenty");
        carries(b"\x1b[41m\x1b[2J\x1b[3;3Hin red");
    }

    #[test]
    fn modes_and_places_come_along() {
        carries(b"\x1b[?1h\x1b=\x1b[?1002;1006;1004;2004h\x1b[?25l\x1b[5 q\x1b]2;title\x07");
        carries(b"\x1b[>1u\x1b[>5uinside\x1b[>4;2m");
        carries(b"\x1b[2;4r\x1b[?6h\x1b[2;3Hregion\x1b[1m");
        carries(b"\x1b[2;7H\x1b[32m\x1b7\x1b[4;1H\x1b[0mkept");
        carries(b"\x1b(0lqk\x1b)0\x0e");
        carries(b"\x1b[3g\x1b[6G\x1bH\x1b[12G\x1bH\r");
        carries(b"\x1b]4;1;rgb:12/34/56\x07\x1b]11;rgb:01/02/03\x07");
        carries(b"\x1b[22;0t\x1b]2;new\x07\x1b[4h\x1b[?7l");
        carries(b"\x1b[?69h\x1b[4;12s\x1b[2;4r\x1b[?6h\x1b[2;3Hbetween the margins");
        carries(b"\x1b[3;5H\x1b7\x1b[2;4r\x1b[?6h\x1b[2;3H");
        carries(b"\x1b[?2026hheld back");
    }

    #[test]
    fn both_screens_come_along() {
        let lines: String = (0..40).map(|n| format!("line {n}\r\n")).collect();
        carries(format!("{lines}\x1b[>3uhere\x1b[?1049h\x1b[>7u\x1b[2J\x1b[3;5Hother\x1b[?1000h").as_bytes());
        carries(b"main\x1b[?1049h\x1b[2;3r\x1b[31mx\x1b7\x1b[5;20Hy");
    }

    #[test]
    fn what_is_torn_is_joined() {
        for (before, after) in [
            (&b"a\x1b[3"[..], &b"1mred"[..]),
            (b"a\xe6\x97", b"\xa5b"),
            (b"a\x1b]2;ti", b"tle\x07b"),
            (b"a\x1bP$q", b"m\x1b\\b"),
            (b"a\x1b_G", b"hidden\x1b\\b"),
            (b"a\x1b", b"[1mbold"),
        ] {
            let mut first = fed(before);
            let mut second = fed(&first.carry(&mut FeedOutput::default()));
            assert_eq!(feed(&mut first, after).replies, feed(&mut second, after).replies);
            assert_eq!(seen(&first), seen(&second), "{before:?}");
        }
    }
}
