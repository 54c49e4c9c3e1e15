//! Owns the way from a canvas to a client's terminal: the difference to what was really sent, in as few bytes as
//! that terminal can take.
//!
//! Must not know: sockets, when a frame is due, what the cells mean.
mod pen;
#[cfg(test)]
mod tests;

use super::canvas::{Canvas, CanvasCursor, CursorShape, Side, Stretch, is_blank, width};
use super::palette::Rgb;
use pen::Pen;
use ratatui::{buffer::Cell, style::Modifier};
use serde::{Deserialize, Serialize};
use std::io::Write as _;

/// What a client's terminal can do, as probed or guessed from its environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Caps {
    /// 24-bit colours.
    pub truecolor: bool,
    /// The 256-colour table; without it 16 colours are used.
    pub colors256: bool,
    /// Synchronized updates (mode 2026).
    pub sync_output: bool,
    /// The locale is UTF-8; without it everything becomes ASCII.
    pub utf8: bool,
    /// Underline styles and colours.
    pub undercurl: bool,
    /// OSC 8 links.
    pub hyperlinks: bool,
    /// The kitty keyboard protocol.
    pub kitty_keyboard: bool,
    /// DECSCUSR.
    pub cursor_shape: bool,
    /// Default text colour, if the terminal told it.
    pub foreground: Option<Rgb>,
    /// Default background colour, if the terminal told it.
    pub background: Option<Rgb>,
    /// The terminal's name and version, if it told them.
    pub name: Option<String>,
}

impl Default for Caps {
    /// What every terminal of the last twenty years can do.
    fn default() -> Self {
        Self {
            truecolor: false,
            colors256: true,
            sync_output: false,
            utf8: true,
            undercurl: false,
            hyperlinks: false,
            kitty_keyboard: false,
            cursor_shape: true,
            foreground: None,
            background: None,
            name: None,
        }
    }
}

/// A gap that is cheaper to write again than to jump over.
const REWRITE_GAP: u16 = 4;

/// Blanks from which on erasing is cheaper than writing them.
const ERASE_RUN: u16 = 10;

/// The symbol that `sent` holds where a wide character's second half stands.
const COVERED: &str = "";

/// The symbol that `sent` holds where the client's screen is not known.
const UNKNOWN: &str = "\0";

/// Writes frames for one client.
#[derive(Debug)]
pub struct FrameWriter {
    caps: Caps,
    /// What the client shows, or nothing if that is not known.
    sent: Option<Canvas>,
    pen: Pen,
    /// Where the client's cursor is, if that is certain.
    at: Option<(u16, u16)>,
    cursor_shown: bool,
    shape: CursorShape,
    /// The frame under way moved the cursor by a sequence: text at the cursor alone cannot flicker.
    moved: bool,
    out: Vec<u8>,
}

impl FrameWriter {
    /// A writer for a client whose screen is not known yet.
    pub fn new(caps: Caps) -> Self {
        Self {
            caps,
            sent: None,
            pen: Pen::default(),
            at: None,
            cursor_shown: true,
            shape: CursorShape::Default,
            moved: false,
            out: Vec::new(),
        }
    }

    /// What the client can do.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// Takes over what a probe found out; the next frame is painted in full if that changes how cells look.
    pub fn set_caps(&mut self, caps: Caps) {
        if caps != self.caps {
            self.caps = caps;
            self.invalidate();
        }
    }

    /// Forgets what the client shows: the next frame is painted in full.
    pub fn invalidate(&mut self) {
        self.sent = None;
    }

    /// The bytes that turn what the client shows into this canvas; empty if it shows that already.
    ///
    /// The caller must send them all, or call `invalidate`.
    pub fn render(&mut self, canvas: &Canvas) -> Vec<u8> {
        self.render_cells(canvas, Stretch::rows(canvas.area()))
    }

    /// As `render` for a canvas that differs from the one before in these cells only. Where the client's screen is not
    /// known all are painted.
    pub fn render_cells(&mut self, canvas: &Canvas, cells: impl Iterator<Item = Stretch>) -> Vec<u8> {
        self.out.clear();
        self.moved = false;
        let mut known = true;
        let area = canvas.area();
        let mut sent = match self.sent.take() {
            Some(sent) if sent.area() == area => sent,
            _ => {
                known = false;
                Canvas::new(area.width, area.height)
            }
        };
        if known && sent.link_table_is_full() {
            // Old links are never taken out one by one; a fresh table costs one full paint in many hours.
            sent.reset(area.width, area.height);
            known = false;
        }
        if known {
            cells.for_each(|stretch| self.row(canvas, &mut sent, stretch));
        } else {
            self.out.extend_from_slice(b"\x1b[m\x1b[H\x1b[2J");
            self.moved = true;
            self.pen = Pen::default();
            self.at = Some((0, 0));
            Stretch::rows(area).for_each(|stretch| self.row(canvas, &mut sent, stretch));
        }
        if self.pen.link.is_some() {
            self.pen.link = None;
            self.out.extend_from_slice(b"\x1b]8;;\x1b\\");
        }
        let painted = !self.out.is_empty() && self.moved;
        self.sent = Some(sent);
        self.finish(canvas.cursor, painted)
    }

    /// Adds the cursor and the frame around what was painted.
    fn finish(&mut self, cursor: Option<CanvasCursor>, painted: bool) -> Vec<u8> {
        let hide = self.cursor_shown && (cursor.is_none() || (painted && !self.caps.sync_output));
        if hide {
            self.cursor_shown = false;
        }
        if let Some(cursor) = cursor {
            if self.at != Some((cursor.x, cursor.y)) {
                self.move_to(cursor.x, cursor.y);
            }
            if cursor.shape != self.shape && self.caps.cursor_shape {
                let _ = write!(self.out, "\x1b[{} q", cursor.shape.code());
                self.shape = cursor.shape;
            }
            if !self.cursor_shown {
                self.out.extend_from_slice(b"\x1b[?25h");
                self.cursor_shown = true;
            }
        }
        let prefix: &[u8] = if hide { b"\x1b[?25l" } else { b"" };
        if self.out.is_empty() && prefix.is_empty() {
            return Vec::new();
        }
        let (begin, end): (&[u8], &[u8]) =
            if self.caps.sync_output && painted { (b"\x1b[?2026h", b"\x1b[?2026l") } else { (b"", b"") };
        let mut frame = Vec::with_capacity(begin.len() + prefix.len() + self.out.len() + end.len());
        for part in [begin, prefix, &self.out, end] {
            frame.extend_from_slice(part);
        }
        frame
    }

    fn row(&mut self, canvas: &Canvas, sent: &mut Canvas, Stretch { y, from, to }: Stretch) {
        let (cells, sides) = canvas.row(y);
        let end = u16::try_from(cells.len()).unwrap_or(u16::MAX);
        // The second half of a wide character goes with its first.
        let halved = from.checked_sub(1).and_then(|at| cells.get(usize::from(at)));
        let from = if halved.is_some_and(|cell| width(cell.symbol()) == 2) { from - 1 } else { from };
        let to = to.min(end);
        if from >= to {
            return;
        }
        {
            let (old_cells, old_sides) = sent.row(y);
            let range = usize::from(from)..usize::from(to);
            // Most rows of most frames are as they were.
            let plain = |sides: &[Side]| sides.iter().all(|side| side.link == 0);
            if old_cells.get(range.clone()) == cells.get(range.clone())
                && old_sides.get(range.clone()) == sides.get(range.clone())
                && sides.get(range).is_none_or(plain)
            {
                return;
            }
        }
        // From here to the end of the row there is nothing but blanks.
        let tail = cells.iter().rposition(|cell| !is_blank(cell)).map_or(0, |at| at + 1);
        let tail = u16::try_from(tail).unwrap_or(end);
        let mut x = from;
        while x < to {
            let (cell, side) = (&cells[usize::from(x)], sides[usize::from(x)]);
            if Self::same_ascii(cell, side, sent, x, y) {
                x += 1;
                continue;
            }
            let wide = width(cell.symbol()) == 2 && x + 1 < end;
            if self.same(canvas, cell, side, sent, x, y) {
                x += if wide { 2 } else { 1 };
                continue;
            }
            if is_blank(cell) {
                let blanks = cells[usize::from(x)..].iter().take_while(|cell| is_blank(cell)).count();
                let blanks = u16::try_from(blanks).unwrap_or(1);
                if x >= tail && blanks > 3 {
                    self.move_in_row(canvas, sent, x, y);
                    self.set_pen(Pen::default());
                    self.out.extend_from_slice(b"\x1b[K");
                    for column in x..end {
                        sent.put(column, y, Cell::EMPTY, Side::default());
                    }
                    return;
                }
                if blanks >= ERASE_RUN {
                    self.move_in_row(canvas, sent, x, y);
                    self.set_pen(Pen::default());
                    let _ = write!(self.out, "\x1b[{blanks}X");
                    for column in x..x + blanks {
                        sent.put(column, y, Cell::EMPTY, Side::default());
                    }
                    Self::uncover(sent, x + blanks, y);
                    x += blanks;
                    continue;
                }
            }
            self.move_in_row(canvas, sent, x, y);
            self.cell(canvas, cell, side, wide, x, y, end);
            let link = canvas.link(side.link).map_or(0, |link| sent.link_number(link));
            sent.put(x, y, cell.clone(), Side { link, ..side });
            let taken = if wide { 2 } else { 1 };
            if wide {
                let mut covered = Cell::EMPTY;
                covered.set_symbol(COVERED);
                sent.put(x + 1, y, covered, Side::default());
            }
            Self::uncover(sent, x + taken, y);
            x += taken;
        }
    }

    /// The cell at `x` lost the wide character it was the second half of; what it shows now is the terminal's choice.
    fn uncover(sent: &mut Canvas, x: u16, y: u16) {
        if let Some(cell) = sent.row_mut(y).0.get_mut(usize::from(x))
            && cell.symbol() == COVERED
        {
            cell.set_symbol(UNKNOWN);
        }
    }

    /// True for what most cells of most rows are: one column of ASCII that stands there already.
    fn same_ascii(cell: &Cell, side: Side, sent: &Canvas, x: u16, y: u16) -> bool {
        let (old_cells, old_sides) = sent.row(y);
        old_cells.get(usize::from(x)) == Some(cell)
            && old_sides.get(usize::from(x)) == Some(&side)
            && side.link == 0
            && matches!(cell.symbol().as_bytes(), [b' '..=b'~'])
    }

    /// True if the client shows this cell already.
    fn same(&self, canvas: &Canvas, cell: &Cell, side: Side, sent: &Canvas, x: u16, y: u16) -> bool {
        let (old_cells, old_sides) = sent.row(y);
        let (Some(old), Some(old_side)) = (old_cells.get(usize::from(x)), old_sides.get(usize::from(x)))
        else {
            return false;
        };
        if self.caps.hyperlinks && (side.link != 0 || old_side.link != 0) {
            let (new, old) = (canvas.link(side.link), sent.link(old_side.link));
            if new != old {
                return false;
            }
        }
        if is_blank(cell) && is_blank(old) && !old.symbol().is_empty() {
            return true;
        }
        old.fg == cell.fg
            && old.bg == cell.bg
            && old.modifier == cell.modifier
            && old.symbol() == cell.symbol()
            && (!cell.modifier.contains(Modifier::UNDERLINED)
                || (old_side.underline == side.underline && old_side.underline_color == side.underline_color))
    }

    #[allow(clippy::too_many_arguments)]
    fn cell(&mut self, canvas: &Canvas, cell: &Cell, side: Side, wide: bool, x: u16, y: u16, end: u16) {
        let pen = self.pen_for(canvas, cell, side);
        self.set_pen(pen);
        let symbol = cell.symbol();
        let taken = if wide { 2 } else { 1 };
        let printed = printable(symbol, wide, self.caps.utf8);
        // Terminals disagree on the width of clusters and of newer symbols, and on where the cursor is behind the last
        // column: what follows is then placed anew, so that one disagreement does not shift the rest of the row.
        let mut chars = printed.chars();
        let certain = chars.next().is_none_or(width_is_certain) && chars.next().is_none();
        if wide && !certain {
            // Where it turns out narrow, what stood in its second column must not remain.
            self.out.extend_from_slice(b"\x1b[2X");
        }
        self.out.extend_from_slice(printed.as_bytes());
        if !self.caps.utf8 && wide {
            self.out.push(b' ');
        }
        self.at = (certain && x + taken < end).then_some((x + taken, y));
    }

    fn pen_for(&self, canvas: &Canvas, cell: &Cell, side: Side) -> Pen {
        let link = if self.caps.hyperlinks { canvas.link(side.link).cloned() } else { None };
        Pen::new(cell, side, link, &self.caps)
    }

    fn set_pen(&mut self, pen: Pen) {
        if pen != self.pen {
            self.pen.change_to(&pen, &mut self.out);
            self.pen = pen;
        }
    }

    /// Moves right within a row by writing again what stands there, if that is short and looks alike.
    fn move_in_row(&mut self, canvas: &Canvas, sent: &Canvas, x: u16, y: u16) {
        if self.at == Some((x, y)) {
            return;
        }
        if let Some((from, row)) = self.at
            && row == y
            && from < x
            && x - from <= REWRITE_GAP
        {
            let (cells, sides) = canvas.row(y);
            let shown = sent.row(y).0;
            let gap = usize::from(from)..usize::from(x);
            let rewritable = gap.clone().all(|at| {
                cells[at].symbol().len() == 1
                    && cells[at].symbol().as_bytes()[0] >= b' '
                    // Not the second half of a wide character.
                    && shown[at].symbol() == cells[at].symbol()
                    && self.pen_for(canvas, &cells[at], sides[at]) == self.pen
            });
            if rewritable {
                for at in gap {
                    self.out.extend_from_slice(cells[at].symbol().as_bytes());
                }
                self.at = Some((x, y));
                return;
            }
        }
        self.move_to(x, y);
    }

    fn move_to(&mut self, x: u16, y: u16) {
        self.moved = true;
        let out = &mut self.out;
        let _ = match self.at {
            Some((from, row)) if row == y && x > from => relative(out, x - from, 'C'),
            Some((_, row)) if row == y && x == 0 => out.write_all(b"\r"),
            Some((from, row)) if row == y && from - x <= 3 => {
                out.resize(out.len() + usize::from(from - x), 0x08);
                Ok(())
            }
            Some((from, row)) if row == y => relative(out, from - x, 'D'),
            Some((_, row)) if x == 0 && y == row + 1 => out.write_all(b"\r\n"),
            _ if x == 0 && y == 0 => out.write_all(b"\x1b[H"),
            _ if x == 0 => write!(out, "\x1b[{}H", y + 1),
            _ => write!(out, "\x1b[{};{}H", y + 1, x + 1),
        };
        self.at = Some((x, y));
    }
}

fn relative(out: &mut Vec<u8>, count: u16, last: char) -> std::io::Result<()> {
    if count == 1 { write!(out, "\x1b[{last}") } else { write!(out, "\x1b[{count}{last}") }
}

/// What is written for a symbol: never a control character, always as many columns as the cell takes.
fn printable(symbol: &str, wide: bool, utf8: bool) -> &str {
    match symbol.as_bytes() {
        [b' '..=b'~'] => return symbol,
        [] | [0..=0x1f | 0x7f, ..] => return " ",
        _ => {}
    }
    if !utf8 {
        return ascii(symbol);
    }
    // A joiner at the end joins nothing here, where the neighbour has cells of its own; some terminals would draw the
    // neighbour into this cell and leave its own columns as they were.
    let symbol = symbol.trim_end_matches('\u{200d}');
    let columns = unicode_width::UnicodeWidthStr::width(symbol);
    // A wide character in the last column has no room, a lone mark has no base.
    if columns == 0 || (columns > 1 && !wide) || symbol.chars().any(char::is_control) { " " } else { symbol }
}

/// The closest ASCII to a drawing character.
fn ascii(symbol: &str) -> &'static str {
    match symbol.chars().next() {
        Some('─' | '━' | '╌' | '┄' | '═' | '╴' | '╶' | '▔' | '▁' | '–' | '—') => "-",
        Some('│' | '┃' | '╎' | '┆' | '║' | '▏' | '▕' | '▌' | '▐') => "|",
        Some('┌'..='╋' | '╒'..='╬' | '╭'..='╰') => "+",
        Some('█' | '▓' | '■' | '▀' | '▄') => "#",
        Some('▒' | '░' | '·' | '•' | '⬝') => ".",
        Some('…') => "~",
        Some('❯' | '›' | '▶' | '→') => ">",
        Some('‹' | '◀' | '←') => "<",
        Some('●' | '◉' | '◆' | '✳' | '✦') => "*",
        Some('○' | '◌' | '◇') => "o",
        Some('✓' | '✔') => "v",
        Some('✗' | '✘' | '×') => "x",
        Some('‘' | '’') => "'",
        Some('“' | '”') => "\"",
        Some('\u{a0}') => " ",
        _ => "?",
    }
}

/// Whether every terminal gives a character the same width: the scripts and symbols that have had theirs for decades.
/// Emoji, dingbats, private and replaced characters are not among them.
fn width_is_certain(c: char) -> bool {
    matches!(c,
        '\0'..='\u{2ff}'                 // Latin
        | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{52f}' // Greek, Cyrillic
        | '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{21ff}' // punctuation, arrows
        | '\u{2500}'..='\u{25ff}' | '\u{2800}'..='\u{28ff}' // boxes, blocks, shapes, Braille
        | '\u{3041}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' // kana, Han, Hangul
    )
}
