//! Owns the cutting of a pane's byte stream at the sequences that the emulator core cannot see or must not see.
//!
//! Everything else passes through untouched in pieces as long as possible. Strings (OSC, DCS, APC, PM, SOS) are
//! always taken out whole, so an endless one is bounded here. Must not know: what any sequence means to a pane.
use memchr::memchr;

/// Longest CSI sequence that is held back to be looked at; longer ones pass unread. The longest useful ones are SGR
/// runs of about 32 parameters.
pub const MAX_CSI: usize = 512;

/// Longest string payload that is kept: a clipboard write of 768 KiB in base64. Longer ones are swallowed whole.
pub const MAX_STRING: usize = 1024 * 1024;

/// Capacity of the collecting buffer that survives a long string, so that one paste does not stay in memory.
const KEPT_CAPACITY: usize = 16 * 1024;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// Which control string a payload came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringKind {
    /// Operating system command, `ESC ]`.
    Osc,
    /// Device control string, `ESC P`.
    Dcs,
    /// Application program command, privacy message or start of string: swallowed by everybody.
    Other,
}

/// One piece of the stream, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes for the core.
    Pass(&'a [u8]),
    /// A complete control sequence that the core must not see, from `ESC [` to its final byte.
    Csi(&'a [u8]),
    /// The payload of a complete string and whether BEL ended it.
    String {
        /// Where the payload came from.
        kind: StringKind,
        /// The bytes between introducer and terminator.
        payload: &'a [u8],
        /// True if BEL ended it, false for `ESC \`.
        bell: bool,
    },
    /// Nothing to do; the bytes are held until more arrive.
    Held,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// `buf` holds the beginning of an escape sequence.
    Partial,
    /// `buf` collects a string's payload.
    Collecting(StringKind),
    /// A string that outgrew its bound; everything up to its end is dropped.
    Skipping,
}

/// Cuts one pane's output stream; keeps what a slice boundary tore apart.
#[derive(Debug, Default)]
pub struct Scanner {
    state: State,
    buf: Vec<u8>,
    /// The buffer was handed out and is cleared at the next call.
    spent: bool,
}

impl Scanner {
    /// Takes the next piece off `bytes` and says how many bytes it used. `bytes` must not be empty.
    pub fn next<'a>(&'a mut self, bytes: &'a [u8]) -> (usize, Piece<'a>) {
        if self.spent {
            self.spent = false;
            self.buf.clear();
            self.buf.shrink_to(KEPT_CAPACITY);
        }
        match self.state {
            State::Ground => self.ground(bytes),
            State::Partial => self.partial(bytes),
            State::Collecting(kind) => self.string(kind, bytes),
            State::Skipping => self.skip(bytes),
        }
    }

    /// True if no sequence is open.
    pub fn is_ground(&self) -> bool {
        self.state == State::Ground
    }

    fn ground<'a>(&'a mut self, bytes: &'a [u8]) -> (usize, Piece<'a>) {
        let mut at = 0;
        while let Some(offset) = memchr(ESC, &bytes[at..]) {
            let start = at + offset;
            match sequence(&bytes[start..]) {
                Sequence::Plain(len) => at = start + len,
                // What stands before is passed first; the sequence is looked at again at the next call.
                _ if start > 0 => return (start, Piece::Pass(&bytes[..start])),
                Sequence::Csi(len) => return (len, Piece::Csi(&bytes[..len])),
                Sequence::String(kind) => {
                    self.state = State::Collecting(kind);
                    return (2, Piece::Held);
                }
                Sequence::Torn => {
                    self.state = State::Partial;
                    self.buf.extend_from_slice(bytes);
                    return (bytes.len(), Piece::Held);
                }
            }
        }
        (bytes.len(), Piece::Pass(bytes))
    }

    fn partial<'a>(&'a mut self, bytes: &'a [u8]) -> (usize, Piece<'a>) {
        let mut used = 0;
        while used < bytes.len() {
            // A second escape ends the first sequence and begins its own.
            if bytes[used] == ESC {
                self.state = State::Ground;
                self.spent = true;
                return (used, Piece::Pass(&self.buf));
            }
            self.buf.push(bytes[used]);
            used += 1;
            match sequence(&self.buf) {
                Sequence::Torn => continue,
                Sequence::Plain(_) => {
                    self.state = State::Ground;
                    self.spent = true;
                    return (used, Piece::Pass(&self.buf));
                }
                Sequence::Csi(_) => {
                    self.state = State::Ground;
                    self.spent = true;
                    return (used, Piece::Csi(&self.buf));
                }
                Sequence::String(kind) => {
                    self.state = State::Collecting(kind);
                    self.buf.clear();
                    return (used, Piece::Held);
                }
            }
        }
        (used, Piece::Held)
    }

    fn string<'a>(&'a mut self, kind: StringKind, bytes: &'a [u8]) -> (usize, Piece<'a>) {
        let Some(end) = string_end(kind, bytes) else {
            if self.buf.len() + bytes.len() > MAX_STRING {
                self.state = State::Skipping;
                self.spent = true;
            } else {
                self.buf.extend_from_slice(bytes);
            }
            return (bytes.len(), Piece::Held);
        };
        self.state = State::Ground;
        let used = end + terminator_len(&bytes[end..]);
        if matches!(bytes[end], CAN | SUB) || self.buf.len() + end > MAX_STRING {
            self.spent = true;
            return (used, Piece::Held);
        }
        let bell = bytes[end] == BEL;
        if self.buf.is_empty() {
            return (used, Piece::String { kind, payload: &bytes[..end], bell });
        }
        self.buf.extend_from_slice(&bytes[..end]);
        self.spent = true;
        (used, Piece::String { kind, payload: &self.buf, bell })
    }

    fn skip<'a>(&'a mut self, bytes: &'a [u8]) -> (usize, Piece<'a>) {
        // BEL ends only an OSC, but a skipped string is hostile or broken: the first plausible end is taken.
        match string_end(StringKind::Osc, bytes) {
            Some(end) => {
                self.state = State::Ground;
                (end + terminator_len(&bytes[end..]), Piece::Held)
            }
            None => (bytes.len(), Piece::Held),
        }
    }
}

fn string_end(kind: StringKind, bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| matches!(*b, ESC | CAN | SUB) || (*b == BEL && kind == StringKind::Osc))
}

/// How many bytes the terminator at the start of `bytes` has; a lone escape begins the next sequence instead.
fn terminator_len(bytes: &[u8]) -> usize {
    match bytes {
        [ESC, b'\\', ..] => 2,
        [ESC, ..] => 0,
        _ => 1,
    }
}

enum Sequence {
    /// Not for us; this many bytes of it are certain.
    Plain(usize),
    /// A control sequence of this length that we answer.
    Csi(usize),
    /// A string begins.
    String(StringKind),
    /// The slice ends inside it.
    Torn,
}

/// Classifies the sequence at the start of `bytes`, which begins with an escape.
fn sequence(bytes: &[u8]) -> Sequence {
    match bytes.get(1) {
        None => Sequence::Torn,
        Some(b'[') => {
            for (at, byte) in bytes.iter().enumerate().take(MAX_CSI).skip(2) {
                match byte {
                    0x40..=0x7e => {
                        let len = at + 1;
                        return if is_ours(&bytes[..len]) {
                            Sequence::Csi(len)
                        } else {
                            Sequence::Plain(len)
                        };
                    }
                    // The next sequence begins here, or this one was cancelled.
                    &ESC => return Sequence::Plain(at),
                    &CAN | &SUB => return Sequence::Plain(at + 1),
                    _ => {}
                }
            }
            if bytes.len() >= MAX_CSI { Sequence::Plain(MAX_CSI) } else { Sequence::Torn }
        }
        Some(b']') => Sequence::String(StringKind::Osc),
        Some(b'P') => Sequence::String(StringKind::Dcs),
        Some(b'_' | b'^' | b'X') => Sequence::String(StringKind::Other),
        Some(_) => Sequence::Plain(1),
    }
}

/// True for the control sequences that the core drops or answers wrongly.
fn is_ours(csi: &[u8]) -> bool {
    let (last, body) = (csi[csi.len() - 1], &csi[2..csi.len() - 1]);
    match last {
        b'm' | b'H' | b'K' => false,
        b'q' => body.first() == Some(&b'>'),
        b'n' => body.first() == Some(&b'?'),
        b'p' => body.last() == Some(&b'!'),
        b'h' | b'l' => body.first() == Some(&b'?') && Csi::parse(csi).params().contains(&2026),
        b't' => !matches!(body.first(), Some(b'<'..=b'?')),
        // Repeating a character more often than a screen has cells only costs time.
        b'b' => body.len() > 3,
        _ => false,
    }
}

/// A parsed control sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csi {
    /// `<`, `=`, `>` or `?`, or 0.
    pub prefix: u8,
    /// The last intermediate byte, or 0.
    pub intermediate: u8,
    /// The final byte.
    pub last: u8,
    params: [u16; Self::MAX_PARAMS],
    count: usize,
}

impl Csi {
    /// No sequence that is answered here has more parameters.
    const MAX_PARAMS: usize = 16;

    /// Reads a sequence that starts with `ESC [` and ends with its final byte; control characters inside are ignored.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut csi = Self { prefix: 0, intermediate: 0, last: 0, params: [0; Self::MAX_PARAMS], count: 0 };
        for byte in bytes.iter().skip(2) {
            match byte {
                b'0'..=b'9' => {
                    csi.count = csi.count.max(1);
                    let value = &mut csi.params[csi.count - 1];
                    *value = value.saturating_mul(10).saturating_add(u16::from(byte - b'0'));
                }
                b';' | b':' => csi.count = (csi.count.max(1) + 1).min(Self::MAX_PARAMS),
                b'<'..=b'?' => csi.prefix = *byte,
                b' '..=b'/' => csi.intermediate = *byte,
                0x40..=0x7e => csi.last = *byte,
                _ => {}
            }
        }
        csi
    }

    /// The numeric parameters; a missing one is 0.
    pub fn params(&self) -> &[u16] {
        &self.params[..self.count]
    }

    /// The parameter at `index`, or 0.
    pub fn param(&self, index: usize) -> u16 {
        self.params().get(index).copied().unwrap_or(0)
    }
}
