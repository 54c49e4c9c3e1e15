//! The terminal around the program, as far as it is more than a grid: its answers, and the modes that it was put in.
use super::keys::Keyboard;
use std::collections::BTreeMap;
use vte::{Params, Perform};

/// What the terminal answers. A terminal that does not know a question says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Device attributes (`CSI c`) and the cursor's position (`CSI 6 n`): every terminal does.
    pub device: bool,
    /// Name and version (`CSI > q`).
    pub xtversion: Option<&'static str>,
    /// The kitty keyboard protocol (`CSI ? u`, push, pop).
    pub kitty: bool,
    /// xterm's modifyOtherKeys.
    pub modify_other_keys: bool,
    /// The state of modes (`CSI ? n $ p`), synchronized updates among them.
    pub modes: bool,
    /// Foreground and background colours (OSC 10 and 11), as `rrrr/gggg/bbbb`.
    pub colours: Option<(&'static str, &'static str)>,
}

impl Answers {
    /// A current terminal with a dark background.
    pub const MODERN: Self = Self {
        device: true,
        xtversion: Some("outer 1.0"),
        kitty: true,
        modify_other_keys: false,
        modes: true,
        colours: Some(("cccc/cccc/cccc", "1111/1111/1111")),
    };
    /// A current terminal with a light background.
    pub const LIGHT: Self = Self { colours: Some(("1111/1111/1111", "fefe/fefe/fefe")), ..Self::MODERN };
    /// One that tells of modified keys as xterm does.
    pub const XTERM: Self =
        Self { xtversion: Some("XTerm(390)"), kitty: false, modify_other_keys: true, ..Self::MODERN };
    /// An old one that knows who it is and nothing else.
    pub const PLAIN: Self = Self { device: true, ..Self::MUTE };
    /// One that never answers, or a line so slow that it might as well.
    pub const MUTE: Self = Self {
        device: false,
        xtversion: None,
        kitty: false,
        modify_other_keys: false,
        modes: false,
        colours: None,
    };
}

/// Watches the program's output beside the grid.
pub struct Outer {
    answers: Answers,
    /// What the terminal has to say to the program, in stream order.
    pub replies: Vec<u8>,
    /// The cursor as (row, column) from 0; the owner keeps it current while [`wants_cursor`] says so.
    pub cursor: (u16, u16),
    /// The height of the screen; kept current by the owner.
    pub rows: u16,
    /// Private modes that are not as they were at the start.
    modes: BTreeMap<u16, bool>,
    saved: BTreeMap<u16, bool>,
    /// Pushed keyboard flags of the main and the alternate screen.
    kitty: [Vec<u16>; 2],
    modify_other_keys: u16,
    application_keypad: bool,
    scroll_region: bool,
    cursor_style: u16,
    line_drawing: bool,
    link: bool,
    styled: bool,
}

/// Whether the bytes hold a question about the cursor, so that the grid must be fed one byte at a time.
pub fn wants_cursor(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"6n")
}

/// Auto-wrap, auto-repeat and the visible cursor are on in a fresh terminal; every other mode is off.
fn initial(mode: u16) -> bool {
    matches!(mode, 7 | 8 | 25)
}

impl Outer {
    pub fn new(answers: Answers, rows: u16) -> Self {
        Self {
            answers,
            replies: Vec::new(),
            cursor: (0, 0),
            rows,
            modes: BTreeMap::new(),
            saved: BTreeMap::new(),
            kitty: [Vec::new(), Vec::new()],
            modify_other_keys: 0,
            application_keypad: false,
            scroll_region: false,
            cursor_style: 0,
            line_drawing: false,
            link: false,
            styled: false,
        }
    }

    /// A frame is being written and would not be shown yet.
    pub fn synchronizing(&self) -> bool {
        self.answers.modes && self.mode(2026)
    }

    /// The value of a private mode.
    pub fn mode(&self, mode: u16) -> bool {
        self.modes.get(&mode).copied().unwrap_or(initial(mode))
    }

    /// How keys are to be encoded now.
    pub fn keyboard(&self) -> Keyboard {
        let kitty = self.kitty[self.screen()].last().copied().unwrap_or(0);
        let modify_other_keys = if self.answers.modify_other_keys { self.modify_other_keys } else { 0 };
        Keyboard { application_cursor: self.mode(1), kitty, modify_other_keys }
    }

    /// What the program left behind, a phrase each; empty when the terminal is as it was.
    pub fn left_behind(&self) -> Vec<String> {
        let mut left: Vec<String> = Vec::new();
        for (mode, on) in &self.modes {
            left.push(format!("mode {mode} is {}", if *on { "set" } else { "reset" }));
        }
        for (screen, flags) in ["main", "alternate"].iter().zip(&self.kitty) {
            if !flags.is_empty() {
                left.push(format!("keyboard flags {flags:?} on the {screen} screen"));
            }
        }
        for (there, phrase) in [
            (self.modify_other_keys != 0, "modifyOtherKeys"),
            (self.application_keypad, "application keypad"),
            (self.scroll_region, "a scroll region"),
            (self.cursor_style != 0, "a cursor style"),
            (self.line_drawing, "line drawing characters"),
            (self.link, "an open link"),
            (self.styled, "colours or attributes"),
        ] {
            if there {
                left.push(phrase.to_owned());
            }
        }
        left
    }

    fn screen(&self) -> usize {
        usize::from(self.mode(1049) || self.mode(1047) || self.mode(47))
    }

    fn set(&mut self, mode: u16, on: bool) {
        if on == initial(mode) {
            self.modes.remove(&mode);
        } else {
            self.modes.insert(mode, on);
        }
    }

    fn reply(&mut self, text: &str) {
        self.replies.extend_from_slice(text.as_bytes());
    }

    fn keyboard_protocol(&mut self, intermediate: u8, numbers: &[u16]) {
        if !self.answers.kitty {
            return;
        }
        let screen = self.screen();
        let number = |at: usize, default| numbers.get(at).copied().filter(|&n| n > 0).unwrap_or(default);
        match intermediate {
            b'?' => {
                let flags = self.keyboard().kitty;
                self.reply(&format!("\x1b[?{flags}u"));
            }
            b'>' => self.kitty[screen].push(number(0, 0)),
            b'<' => {
                let left = self.kitty[screen].len().saturating_sub(usize::from(number(0, 1)));
                self.kitty[screen].truncate(left);
            }
            b'=' => {
                let (flags, how) = (number(0, 0), number(1, 1));
                let old = self.kitty[screen].pop().unwrap_or(0);
                let new = match how {
                    2 => old | flags,
                    3 => old & !flags,
                    _ => flags,
                };
                if new != 0 {
                    self.kitty[screen].push(new);
                }
            }
            _ => {}
        }
    }
}

impl Perform for Outer {
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: char) {
        let numbers: Vec<u16> = params.iter().map(|group| group.first().copied().unwrap_or(0)).collect();
        let first = numbers.first().copied().unwrap_or(0);
        match (intermediates, action) {
            (b"?", 'h' | 'l') => numbers.iter().for_each(|&mode| self.set(mode, action == 'h')),
            (b"?", 's') => {
                for mode in numbers {
                    self.saved.insert(mode, self.mode(mode));
                }
            }
            (b"?", 'r') => {
                for mode in numbers {
                    let on = self.saved.get(&mode).copied().unwrap_or(initial(mode));
                    self.set(mode, on);
                }
            }
            (b"?$", 'p') if self.answers.modes => {
                let state = if self.mode(first) { 1 } else { 2 };
                self.reply(&format!("\x1b[?{first};{state}$y"));
            }
            ([intermediate @ (b'?' | b'>' | b'<' | b'=')], 'u') => {
                self.keyboard_protocol(*intermediate, &numbers);
            }
            (b">", 'm') if first == 4 => self.modify_other_keys = numbers.get(1).copied().unwrap_or(0),
            (b">", 'n') if first == 4 => self.modify_other_keys = 0,
            (b">", 'q') => {
                if let Some(name) = self.answers.xtversion {
                    self.reply(&format!("\x1bP>|{name}\x1b\\"));
                }
            }
            (b" ", 'q') => self.cursor_style = if first == 1 { 0 } else { first },
            (b"!", 'p') => {
                for mode in [1, 6, 7, 25] {
                    self.modes.remove(&mode);
                }
                self.application_keypad = false;
                self.scroll_region = false;
                self.line_drawing = false;
                self.styled = false;
            }
            (b"", 'r') => {
                let bottom = numbers.get(1).copied().filter(|&row| row > 0).unwrap_or(self.rows);
                self.scroll_region = first > 1 || bottom < self.rows;
            }
            (b"", 'm') => {
                // A reset anywhere starts afresh; whatever follows it is style again.
                let after = numbers.iter().rposition(|&n| n == 0).map_or(0, |at| at + 1);
                if after > 0 {
                    self.styled = false;
                }
                self.styled |= after < numbers.len();
            }
            (b"", 'c') if self.answers.device && first == 0 => self.reply("\x1b[?62;22c"),
            (b"", 'n') if self.answers.device && first == 5 => self.reply("\x1b[0n"),
            (b"", 'n') if self.answers.device && first == 6 => {
                let (row, column) = self.cursor;
                self.reply(&format!("\x1b[{};{}R", row + 1, column + 1));
            }
            _ => {}
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], bell_terminated: bool) {
        match params {
            [b"8", _, target, ..] => self.link = !target.is_empty(),
            [kind @ (b"10" | b"11"), b"?"] => {
                if let Some((foreground, background)) = self.answers.colours {
                    let colour = if *kind == b"10" { foreground } else { background };
                    let end = if bell_terminated { "\x07" } else { "\x1b\\" };
                    self.reply(&format!("\x1b]{};rgb:{colour}{end}", String::from_utf8_lossy(kind)));
                }
            }
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _ignore: bool, byte: u8) {
        match (intermediates, byte) {
            (b"", b'=') => self.application_keypad = true,
            (b"", b'>') => self.application_keypad = false,
            (b"(", charset) => self.line_drawing = charset == b'0',
            (b"", b'c') => {
                *self =
                    Self { replies: std::mem::take(&mut self.replies), ..Self::new(self.answers, self.rows) }
            }
            _ => {}
        }
    }
}
