//! Owns cutting the byte stream into keys, sequences, strings and pastes.
//!
//! It goes byte by byte, so how the bytes were split into reads cannot matter.
use super::{Input, Reply, codes, csi, press, reply};
use crate::mux::keys::{KeyCode, Mods};
use std::time::Duration;

/// How long an ESC may be the start of something longer: well above what a link puts between the bytes of one key,
/// well below what a person notices.
pub const ESCAPE_TIMEOUT: Duration = Duration::from_millis(50);
/// How long anything else that has begun is waited for, so that a sequence which was cut off blocks no keys.
pub const SEQUENCE_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of a control sequence; the longest real one is a kitty key with a few code points of text.
pub const SEQUENCE_LIMIT: usize = 256;
/// Bytes of a string such as a colour or a version; real ones are under 100.
pub const STRING_LIMIT: usize = 4096;
/// Bytes of a clipboard's string, which carries what somebody copied.
pub const CLIPBOARD_LIMIT: usize = 4 << 20;
/// Bytes of a paste that are held before they are passed on as a part of it.
pub const PASTE_CHUNK: usize = 1 << 20;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const PASTE_START: &[u8] = b"[200~";
/// What ends a bracketed paste.
pub(in crate::term) const PASTE_END: &[u8] = b"\x1b[201~";

/// Where in the stream the decoder is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between two things.
    #[default]
    Ground,
    /// After one ESC, or two.
    Escape,
    /// After `ESC [`.
    Csi,
    /// After `ESC [ [`, the Linux console's function keys.
    LinuxFunction,
    /// After `ESC O`.
    Ss3,
    /// In the three bytes after `CSI M`.
    X10,
    /// In a character of so many bytes.
    Utf8(usize),
    /// After `ESC ]`, `ESC P` or `ESC _`.
    String,
    /// After an ESC in a string.
    StringEscape,
    /// In a control sequence that grew too long.
    SkipCsi,
    /// In a string that grew too long.
    SkipString,
    /// After an ESC in a string that grew too long.
    SkipStringEscape,
    /// After `CSI 200 ~`.
    Paste,
}

/// Turns a terminal's bytes into [`Input`]s.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    /// The bytes of what has begun; in a paste, its content.
    pub(super) held: Vec<u8>,
}

impl Decoder {
    /// A decoder between two things.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they were read and returns what is complete; any split gives the same sum.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        let mut out = Vec::new();
        for byte in bytes {
            self.byte(*byte, &mut out);
        }
        out
    }

    /// Whether what is held could be a whole key already: an ESC, or Alt with `[`, `O`, `]`, `P` or `_`.
    pub fn pending_escape(&self) -> bool {
        match self.state {
            State::Escape => true,
            State::Csi | State::Ss3 | State::String => self.content().len() == 1,
            _ => false,
        }
    }

    /// How long after the last byte to call [`Decoder::flush`]; `None` when nothing is held.
    pub fn pending(&self) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Paste if self.held.is_empty() => None,
            _ if self.pending_escape() => Some(ESCAPE_TIMEOUT),
            _ => Some(SEQUENCE_TIMEOUT),
        }
    }

    /// Whether a paste has begun and not ended.
    pub fn is_pasting(&self) -> bool {
        self.state == State::Paste
    }

    /// Gives up waiting and returns what is held: an ESC as the key, anything cut off as [`Reply::Unknown`].
    ///
    /// A paste is passed on as far as it came and goes on: typing its rest could run it.
    pub fn flush(&mut self) -> Vec<Input> {
        let mut out = Vec::new();
        match self.state {
            State::Ground => {}
            State::Escape => self.held.iter().for_each(|_| out.push(escape_key())),
            State::Csi | State::Ss3 | State::String if self.content().len() == 1 => self.alt_key(&mut out),
            State::Utf8(_) => self.invalid(&mut out),
            State::SkipCsi | State::SkipString => {}
            State::SkipStringEscape => out.push(escape_key()),
            State::StringEscape => {
                self.unknown(&mut out);
                out.push(escape_key());
            }
            State::Paste => {
                let end =
                    (0..PASTE_END.len()).rev().find(|n| self.held.ends_with(&PASTE_END[..*n])).unwrap_or(0);
                let rest = self.held.split_off(self.held.len() - end);
                let part = std::mem::replace(&mut self.held, rest);
                out.extend((!part.is_empty()).then_some(Input::Paste(part)));
                return out;
            }
            _ => self.unknown(&mut out),
        }
        self.ground();
        out
    }

    fn ground(&mut self) {
        self.state = State::Ground;
        self.held.clear();
    }

    /// What is held after its ESC, or after both.
    fn content(&self) -> &[u8] {
        self.held.strip_prefix(&[ESC, ESC]).or_else(|| self.held.strip_prefix(&[ESC])).unwrap_or(&self.held)
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Input>) {
        match self.state {
            State::Ground => match byte {
                ESC => self.begin(State::Escape, byte),
                0..0x80 => out.push(press(KeyCode::Char(char::from(byte)), Mods::NONE, &[byte])),
                _ => self.utf8_start(byte, out),
            },
            State::Escape => self.after_escape(byte, out),
            State::Csi => self.in_csi(byte, out),
            State::LinuxFunction => {
                self.held.push(byte);
                match byte {
                    b'A'..=b'E' => {
                        out.push(press(KeyCode::F(byte - b'A' + 1), Mods::NONE, &self.held));
                        self.ground();
                    }
                    _ => self.give_up(out),
                }
            }
            State::Ss3 => self.in_ss3(byte, out),
            State::X10 => {
                self.held.push(byte);
                if let Some(report) = self.content().get(2..5) {
                    match csi::x10(report) {
                        Some(event) => self.finish(Input::Mouse(event), out),
                        None => self.give_up(out),
                    }
                }
            }
            State::Utf8(length) => self.in_utf8(byte, length, out),
            State::String => self.in_string(byte, out),
            State::StringEscape => {
                if byte == b'\\' {
                    self.held.extend([ESC, byte]);
                    self.end_string(2, out);
                } else {
                    self.unknown(out);
                    self.again(ESC, out);
                    self.byte(byte, out);
                }
            }
            State::SkipCsi => match byte {
                0x40..=0x7e => self.ground(),
                0x20..=0x3f => {}
                _ => self.again(byte, out),
            },
            State::SkipString => match byte {
                BEL => self.ground(),
                ESC => self.state = State::SkipStringEscape,
                0..0x20 => self.again(byte, out),
                _ => {}
            },
            State::SkipStringEscape => {
                if byte == b'\\' {
                    self.ground();
                } else {
                    self.again(ESC, out);
                    self.byte(byte, out);
                }
            }
            State::Paste => self.in_paste(byte, out),
        }
    }

    fn begin(&mut self, state: State, byte: u8) {
        self.state = state;
        self.held.push(byte);
    }

    /// Takes a byte anew, with nothing held.
    fn again(&mut self, byte: u8, out: &mut Vec<Input>) {
        self.ground();
        self.byte(byte, out);
    }

    fn after_escape(&mut self, byte: u8, out: &mut Vec<Input>) {
        let twice = self.held.len() == 2;
        match byte {
            b'[' => self.begin(State::Csi, byte),
            b'O' => self.begin(State::Ss3, byte),
            ESC if !twice => self.held.push(byte),
            _ if twice => {
                // The first was the key; the second belongs to what follows.
                out.push(escape_key());
                self.held.pop();
                self.after_escape(byte, out);
            }
            b']' | b'P' | b'_' => self.begin(State::String, byte),
            0..0x80 => {
                out.push(press(KeyCode::Char(char::from(byte)), Mods::ALT, &[ESC, byte]));
                self.ground();
            }
            _ => self.utf8_start(byte, out),
        }
    }

    /// Ends `ESC x`, or `ESC ESC x`, as the key x with Alt.
    fn alt_key(&mut self, out: &mut Vec<Input>) {
        if self.held.len() == 3 {
            out.push(escape_key());
            self.held.remove(0);
        }
        if let Some(byte) = self.held.last() {
            out.push(press(KeyCode::Char(char::from(*byte)), Mods::ALT, &self.held));
        }
        self.ground();
    }

    fn in_csi(&mut self, byte: u8, out: &mut Vec<Input>) {
        match byte {
            b'[' if self.content() == b"[" => self.begin(State::LinuxFunction, byte),
            b'M' if self.content() == b"[" => self.begin(State::X10, byte),
            0x40..=0x7e => {
                self.held.push(byte);
                let input = match self.content() {
                    PASTE_START => {
                        if self.held.starts_with(&[ESC, ESC]) {
                            out.push(escape_key());
                        }
                        self.held.clear();
                        self.state = State::Paste;
                        return;
                    }
                    content => csi::interpret(&content[1..], &self.held),
                };
                self.finish(input, out);
            }
            0x20..=0x3f if self.held.len() < SEQUENCE_LIMIT => self.held.push(byte),
            0x20..=0x3f => {
                self.unknown(out);
                self.ground();
                self.state = State::SkipCsi;
            }
            byte if self.content() == b"[" => {
                self.alt_key(out);
                self.byte(byte, out);
            }
            byte => {
                self.unknown(out);
                self.again(byte, out);
            }
        }
    }

    fn in_ss3(&mut self, byte: u8, out: &mut Vec<Input>) {
        // Some terminals put the modifier's digit between.
        if byte.is_ascii_digit() && self.content() == b"O" {
            self.held.push(byte);
            return;
        }
        let mods = match self.content() {
            [_, digit] => codes::mods_of(u32::from(digit - b'0')),
            _ => Mods::NONE,
        };
        let key = match byte {
            b'a'..=b'd' => codes::of_letter(byte.to_ascii_uppercase()).map(|code| (code, mods | Mods::CTRL)),
            byte => codes::of_letter(byte)
                .or_else(|| codes::of_ss3_keypad(byte).map(KeyCode::Char))
                .map(|code| (code, mods)),
        };
        match key {
            Some((code, mods)) => {
                self.held.push(byte);
                let input = press(code, mods, &self.held);
                self.finish(input, out);
            }
            None if self.content() == b"O" => {
                self.alt_key(out);
                self.byte(byte, out);
            }
            None => {
                self.unknown(out);
                self.again(byte, out);
            }
        }
    }

    /// Passes on what was held under one or two ESC: before a key a second one is Alt, otherwise it was the key Escape.
    fn finish(&mut self, input: Input, out: &mut Vec<Input>) {
        if !self.held.starts_with(&[ESC, ESC]) {
            out.push(input);
            self.ground();
            return;
        }
        match input {
            Input::Key(mut event) => {
                event.key = crate::mux::keys::Key::new(event.key.code, event.key.mods | Mods::ALT);
                event.text = None;
                out.push(Input::Key(event));
            }
            Input::Reply(Reply::Unknown(raw)) => {
                out.push(escape_key());
                out.push(Input::Reply(Reply::Unknown(raw[1..].to_vec())));
            }
            other => out.extend([escape_key(), other]),
        }
        self.ground();
    }

    /// Passes on what is held as something without a name.
    fn unknown(&mut self, out: &mut Vec<Input>) {
        let mut raw = std::mem::take(&mut self.held);
        if raw.starts_with(&[ESC, ESC]) {
            out.push(escape_key());
            raw.remove(0);
        }
        out.push(Input::Reply(Reply::Unknown(raw)));
    }

    fn give_up(&mut self, out: &mut Vec<Input>) {
        self.unknown(out);
        self.ground();
    }

    fn utf8_start(&mut self, byte: u8, out: &mut Vec<Input>) {
        self.held.push(byte);
        match byte {
            0xc2..=0xdf => self.state = State::Utf8(2),
            0xe0..=0xef => self.state = State::Utf8(3),
            0xf0..=0xf4 => self.state = State::Utf8(4),
            _ => {
                self.invalid(out);
                self.ground();
            }
        }
    }

    fn in_utf8(&mut self, byte: u8, length: usize, out: &mut Vec<Input>) {
        if !(0x80..0xc0).contains(&byte) {
            self.invalid(out);
            self.again(byte, out);
            return;
        }
        self.held.push(byte);
        if self.content().len() < length {
            return;
        }
        match std::str::from_utf8(self.content()).ok().and_then(|text| text.chars().next()) {
            Some(c) => out.push(press(KeyCode::Char(c), self.alt(), &self.held)),
            None => self.invalid(out),
        }
        self.ground();
    }

    fn alt(&self) -> Mods {
        if self.held.first() == Some(&ESC) { Mods::ALT } else { Mods::NONE }
    }

    /// Passes on bytes that are no character, with the mark that stands for such.
    fn invalid(&mut self, out: &mut Vec<Input>) {
        out.push(press(KeyCode::Char(char::REPLACEMENT_CHARACTER), self.alt(), &self.held));
    }

    fn in_string(&mut self, byte: u8, out: &mut Vec<Input>) {
        // What a terminal answers begins with these; anything else was typed after Alt and that key.
        let begins_reply = match self.held.get(1) {
            Some(b']') => byte.is_ascii_digit(),
            Some(b'P') => byte.is_ascii_digit() || b">!?$+".contains(&byte),
            _ => byte == b'G',
        };
        match byte {
            byte if self.held.len() == 2 && !begins_reply => {
                self.alt_key(out);
                self.byte(byte, out);
            }
            BEL => {
                self.held.push(byte);
                self.end_string(1, out);
            }
            ESC => self.state = State::StringEscape,
            0..0x20 => {
                // No answer contains a control character: it was cut off, and this is a key.
                self.unknown(out);
                self.again(byte, out);
            }
            byte => {
                self.held.push(byte);
                let limit = if self.held.starts_with(b"\x1b]52;") { CLIPBOARD_LIMIT } else { STRING_LIMIT };
                if self.held.len() >= limit {
                    self.unknown(out);
                    self.state = State::SkipString;
                }
            }
        }
    }

    /// Passes on a whole string, whose terminator has so many bytes.
    fn end_string(&mut self, terminator: usize, out: &mut Vec<Input>) {
        let raw = std::mem::take(&mut self.held);
        let body = raw.get(2..raw.len() - terminator).unwrap_or_default();
        let reply = match raw.get(1) {
            Some(b']') => reply::of_osc(body),
            Some(b'P') => reply::of_dcs(body),
            _ => None,
        };
        out.push(Input::Reply(reply.unwrap_or(Reply::Unknown(raw))));
        self.ground();
    }

    fn in_paste(&mut self, byte: u8, out: &mut Vec<Input>) {
        self.held.push(byte);
        if byte == b'~' && self.held.ends_with(PASTE_END) {
            self.held.truncate(self.held.len() - PASTE_END.len());
            out.push(Input::Paste(std::mem::take(&mut self.held)));
            self.ground();
        } else if self.held.len() >= PASTE_CHUNK + PASTE_END.len() {
            // Not within a character, nor within what may become the end mark.
            let in_character = |at: &usize| self.held.get(*at).is_some_and(|b| (0x80..0xc0).contains(b));
            let cut =
                (PASTE_CHUNK - 3..=PASTE_CHUNK).rev().find(|at| !in_character(at)).unwrap_or(PASTE_CHUNK);
            let rest = self.held.split_off(cut);
            out.push(Input::Paste(std::mem::replace(&mut self.held, rest)));
        }
    }
}

fn escape_key() -> Input {
    press(KeyCode::Escape, Mods::NONE, &[ESC])
}
