//! Owns the cutting of a pane's byte stream at the sequences that the emulator core cannot see or must not see.
//!
//! Text and the other sequences pass through in pieces as long as possible. Strings (OSC, DCS, APC, PM, SOS) are
//! always taken out whole, so an endless one is bounded here; a character torn by a slice boundary is joined here.
//! Must not know: what any sequence means to a pane.
use memchr::memchr;

/// Longest escape or control sequence; longer ones are swallowed. The longest useful ones are SGR runs of about 32
/// parameters.
pub const MAX_SEQUENCE: usize = 512;

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
    /// Characters and control characters, without escapes and with whole characters only.
    Text(&'a [u8]),
    /// One or more escape sequences for the core's parser; always begins with an escape.
    Pass(&'a [u8]),
    /// A complete sequence that the core must not see, from its escape to its final byte.
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
    SkippingString,
    /// A sequence that outgrew its bound.
    SkippingSequence,
    /// `buf` holds the beginning of a character.
    Character,
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
            State::SkippingString => self.skip_string(bytes),
            State::SkippingSequence => self.skip_sequence(bytes),
            State::Character => self.character(bytes),
        }
    }

    fn ground<'a>(&'a mut self, bytes: &'a [u8]) -> (usize, Piece<'a>) {
        let end = memchr(ESC, bytes).unwrap_or(bytes.len());
        if end > 0 {
            return self.text(bytes, end);
        }
        let mut at = 0;
        while bytes.get(at) == Some(&ESC) {
            match sequence(&bytes[at..]) {
                Sequence::Plain(len) => at += len,
                // What stands before is passed first; the sequence is looked at again at the next call.
                _ if at > 0 => break,
                Sequence::Csi(len) => return (len, Piece::Csi(&bytes[..len])),
                Sequence::Terminator => return (2, Piece::Held),
                Sequence::String(kind) => {
                    self.state = State::Collecting(kind);
                    return (2, Piece::Held);
                }
                Sequence::Torn => {
                    self.state = State::Partial;
                    self.buf.extend_from_slice(bytes);
                    return (bytes.len(), Piece::Held);
                }
                Sequence::Overlong => {
                    self.state = State::SkippingSequence;
                    return (MAX_SEQUENCE, Piece::Held);
                }
            }
        }
        (at, Piece::Pass(&bytes[..at]))
    }

    fn text<'a>(&'a mut self, bytes: &'a [u8], end: usize) -> (usize, Piece<'a>) {
        let torn = if end == bytes.len() { torn_character(bytes) } else { 0 };
        if torn == 0 {
            return (end, Piece::Text(&bytes[..end]));
        }
        if torn == end {
            self.state = State::Character;
            self.buf.extend_from_slice(bytes);
            return (end, Piece::Held);
        }
        (end - torn, Piece::Text(&bytes[..end - torn]))
    }

    fn character<'a>(&'a mut self, bytes: &'a [u8]) -> (usize, Piece<'a>) {
        let mut used = 0;
        while torn_character(&self.buf) > 0 {
            match bytes.get(used) {
                Some(byte @ 0x80..=0xbf) => self.buf.push(*byte),
                // The rest never came; what there is stands for one broken character.
                Some(_) => break,
                None => return (used, Piece::Held),
            }
            used += 1;
        }
        self.state = State::Ground;
        self.spent = true;
        (used, Piece::Text(&self.buf))
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
                Sequence::Terminator => {
                    self.state = State::Ground;
                    self.buf.clear();
                    return (used, Piece::Held);
                }
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
                Sequence::Overlong => {
                    self.state = State::SkippingSequence;
                    self.buf.clear();
                    return (used, Piece::Held);
                }
            }
        }
        (used, Piece::Held)
    }

    fn skip_sequence<'a>(&'a mut self, bytes: &'a [u8]) -> (usize, Piece<'a>) {
        match bytes.iter().position(|b| matches!(b, 0x40..=0x7e | &ESC | &CAN | &SUB)) {
            Some(at) => {
                self.state = State::Ground;
                (at + usize::from(bytes[at] != ESC), Piece::Held)
            }
            None => (bytes.len(), Piece::Held),
        }
    }

    fn string<'a>(&'a mut self, kind: StringKind, bytes: &'a [u8]) -> (usize, Piece<'a>) {
        let Some(end) = string_end(kind, bytes) else {
            if self.buf.len() + bytes.len() > MAX_STRING {
                self.state = State::SkippingString;
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

    fn skip_string<'a>(&'a mut self, bytes: &'a [u8]) -> (usize, Piece<'a>) {
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
    /// Not for us; its length.
    Plain(usize),
    /// A control sequence of this length that we answer.
    Csi(usize),
    /// A string begins.
    String(StringKind),
    /// The end of a string that has ended already.
    Terminator,
    /// The slice ends inside it.
    Torn,
    /// It goes on behind its bound.
    Overlong,
}

/// Classifies the sequence at the start of `bytes`, which begins with an escape.
fn sequence(bytes: &[u8]) -> Sequence {
    let control = match bytes.get(1) {
        None => return Sequence::Torn,
        Some(b'[') => true,
        Some(b'\\') => return Sequence::Terminator,
        Some(b']') => return Sequence::String(StringKind::Osc),
        Some(b'P') => return Sequence::String(StringKind::Dcs),
        Some(b'_' | b'^' | b'X') => return Sequence::String(StringKind::Other),
        // Back and forward index.
        Some(b'6' | b'9') => return Sequence::Csi(2),
        Some(_) => false,
    };
    let (start, first_final) = if control { (2, 0x40) } else { (1, 0x30) };
    for (at, byte) in bytes.iter().enumerate().take(MAX_SEQUENCE).skip(start) {
        match *byte {
            byte if (first_final..=0x7e).contains(&byte) => {
                let len = at + 1;
                return if control && is_ours(&bytes[..len]) {
                    Sequence::Csi(len)
                } else {
                    Sequence::Plain(len)
                };
            }
            // The next sequence begins here, or this one was cancelled.
            ESC => return Sequence::Plain(at),
            CAN | SUB => return Sequence::Plain(at + 1),
            _ => {}
        }
    }
    if bytes.len() >= MAX_SEQUENCE { Sequence::Overlong } else { Sequence::Torn }
}

/// How many bytes at the end begin a character that is not complete, 0 to 3.
fn torn_character(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let need = match bytes[bytes.len() - back] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if need > back { back } else { 0 };
    }
    0
}

/// True for the control sequences that the core drops or answers wrongly.
fn is_ours(csi: &[u8]) -> bool {
    let (last, body) = (csi[csi.len() - 1], &csi[2..csi.len() - 1]);
    let private = body.first() == Some(&b'?');
    match last {
        b'm' | b'H' => false,
        b'J' | b'K' | b'n' | b'r' => private,
        // Margins, where they are allowed.
        b's' => private || body.iter().all(|b| matches!(b, b'0'..=b'9' | b';')),
        b'@' | b'A' => body.last() == Some(&b' '),
        b'q' => body.first() == Some(&b'>') || body.last() == Some(&b'"'),
        b'p' => matches!(body.last(), Some(b'!' | b'"' | b'$')),
        b'h' | b'l' => private && Csi::parse(csi).params().contains(&2026),
        b't' => !matches!(body.first(), Some(b'<'..=b'?')),
        // Rectangles and columns.
        b'x' | b'z' | b'v' | b'{' => body.last() == Some(&b'$'),
        b'y' => body.last() == Some(&b'*'),
        b'}' | b'~' => body.last() == Some(&b'\''),
        // The character to repeat is known here, as text does not go through the core's parser.
        b'b' => true,
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The pieces of a stream cut into slices, text pieces joined.
    fn pieces(slices: &[&[u8]]) -> Vec<(char, Vec<u8>)> {
        let mut scanner = Scanner::default();
        let mut found: Vec<(char, Vec<u8>)> = Vec::new();
        for slice in slices {
            let mut rest = *slice;
            while !rest.is_empty() {
                let (used, piece) = scanner.next(rest);
                let (kind, bytes) = match piece {
                    Piece::Held => (' ', &[][..]),
                    Piece::Text(bytes) => ('t', bytes),
                    Piece::Pass(bytes) => ('p', bytes),
                    Piece::Csi(bytes) => ('c', bytes),
                    Piece::String { payload, bell, .. } => (if bell { 'b' } else { 's' }, payload),
                };
                match found.last_mut() {
                    _ if kind == ' ' => {}
                    Some((last, joined)) if *last == kind && matches!(kind, 't' | 'p') => {
                        joined.extend(bytes)
                    }
                    _ => found.push((kind, bytes.to_vec())),
                }
                rest = &rest[used..];
            }
        }
        found
    }

    fn piece(kind: char, bytes: &[u8]) -> (char, Vec<u8>) {
        (kind, bytes.to_vec())
    }

    #[test]
    fn a_stream_is_cut_at_what_is_answered_and_nowhere_else() {
        let stream = b"a\x1b[31mb\x1b[>qc\x1b[1m\x1b[?25l\x1b[!p\x1b]0;t\x07d\x1bP+q544e\x1b\\e\x1b(Bf";
        assert_eq!(
            pieces(&[stream]),
            [
                piece('t', b"a"),
                piece('p', b"\x1b[31m"),
                piece('t', b"b"),
                piece('c', b"\x1b[>q"),
                piece('t', b"c"),
                piece('p', b"\x1b[1m\x1b[?25l"),
                piece('c', b"\x1b[!p"),
                piece('b', b"0;t"),
                piece('t', b"d"),
                piece('s', b"+q544e"),
                piece('t', b"e"),
                piece('p', b"\x1b(B"),
                piece('t', b"f"),
            ]
        );
    }

    #[test]
    fn cancelled_and_interrupted_sequences_do_not_swallow_what_follows() {
        assert_eq!(
            pieces(&[b"\x1b[3\x1b[>q\x1b]0;x\x18y\x1b]0;z\x1b[!pw"]),
            [
                piece('p', b"\x1b[3"),
                piece('c', b"\x1b[>q"),
                piece('t', b"y"),
                piece('s', b"0;z"),
                piece('c', b"\x1b[!p"),
                piece('t', b"w"),
            ]
        );
    }

    #[test]
    fn what_outgrows_its_bound_is_swallowed_to_its_end() {
        let long = [b"\x1b[".as_slice(), &b"1;".repeat(MAX_SEQUENCE), b"mx"].concat();
        assert_eq!(pieces(&[&long]), [piece('t', b"x")]);
        assert_eq!(pieces(&long.chunks(7).collect::<Vec<_>>()), [piece('t', b"x")]);
        let long = [b"\x1b]2;".as_slice(), &vec![b'a'; MAX_STRING + 1], b"\x07x"].concat();
        assert_eq!(pieces(&long.chunks(4096).collect::<Vec<_>>()), [piece('t', b"x")]);
        assert_eq!(pieces(&[&long]), [piece('t', b"x")]);
    }

    #[test]
    fn parameters_are_read() {
        let csi = Csi::parse(b"\x1b[?2026;25$p");
        assert_eq!((csi.prefix, csi.intermediate, csi.last), (b'?', b'$', b'p'));
        assert_eq!(csi.params(), [2026, 25]);
        assert_eq!(Csi::parse(b"\x1b[99999999;;3m").params(), [u16::MAX, 0, 3]);
        assert!(Csi::parse(b"\x1b[m").params().is_empty());
        assert_eq!(Csi::parse(format!("\x1b[{}m", "1;".repeat(99)).as_bytes()).params().len(), 16);
    }

    proptest! {
        /// Slicing changes nothing, and text never ends inside a character that was whole in the stream.
        #[test]
        fn slices_do_not_matter(
            parts in prop::collection::vec(prop_oneof![
                "[a-zé漢👍]{0,6}".prop_map(String::into_bytes),
                prop::sample::select(vec!["\x1b[>q", "\x1b[1;2m", "\x1b]0;a\x07", "\x1bP$qm\x1b\\", "\x1b(0", "\x1b7",
                    "\x1b_G\x1b\\", "\x1b[?2026h", "\x18", "\x1b", "\x1b["]).prop_map(|s| s.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 0..6),
            ], 0..20),
            cut in 1usize..7,
        ) {
            let stream = parts.concat();
            let slices: Vec<&[u8]> = stream.chunks(cut).collect();
            prop_assert_eq!(pieces(&[&stream]), pieces(&slices));
        }
    }
}
