//! Owns the reading of OSC payloads: what a program told its terminal, as values.
//!
//! Pure. Must not know: cells, replies, who listens. Every text taken from a payload is bounded and free of control
//! characters, because it ends up in titles, status lines and notifications.
use super::palette::{self, Rgb};
use base64::Engine as _;

/// Longest text kept from a title, a notification or a state line, in characters: more than any screen shows.
pub const MAX_TEXT: usize = 512;

/// Longest link target that is kept, in bytes; other terminals stop at the same length.
pub const MAX_URI: usize = 2083;

/// Letters of one clipboard command: there are no more selections.
const MAX_SELECTIONS: usize = 12;

/// Longest explicit link id, in bytes.
const MAX_LINK_ID: usize = 250;

/// What stands in the colour table beside the 256 entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColourSlot {
    /// An entry of the 256-colour table.
    Indexed(u8),
    /// Default text colour and the others that OSC 10 to 19 name, by that number.
    Dynamic(u8),
}

/// One colour operation of a sequence that may hold many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourOp {
    /// The program asks for the colour.
    Query(ColourSlot),
    /// The program sets it.
    Set(ColourSlot, Rgb),
    /// The program restores it.
    Reset(ColourSlot),
    /// All 256 entries are restored.
    ResetAll,
}

/// A part of a desktop notification in kitty's protocol (OSC 99).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifyPart {
    /// The program's own identifier.
    pub id: String,
    /// The program asks whether notifications work.
    pub query: bool,
    /// The text belongs to the body, else to the title.
    pub body: bool,
    /// Nothing more follows for this identifier.
    pub done: bool,
    /// Decoded text.
    pub text: String,
}

/// What an OSC asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Osc {
    /// Window title (0, 2).
    Title(String),
    /// Colours (4, 10 to 19, 104, 110 to 119).
    Colours(Vec<ColourOp>),
    /// Working directory as an absolute path (7, 9;9).
    Cwd(String),
    /// Hyperlink for what follows, or its end (8): identifier and target.
    Link(Option<(Option<String>, String)>),
    /// Notification (9, 777).
    Notify {
        /// Heading; empty if the sequence has none.
        title: String,
        /// Text.
        body: String,
    },
    /// Part of a notification (99).
    NotifyPart(NotifyPart),
    /// Progress (9;4): state 0 off, 1 value, 2 error, 3 busy, 4 paused; percent.
    Progress {
        /// State, 0 to 4.
        state: u8,
        /// Percent, 0 to 100.
        percent: u8,
    },
    /// Text for the clipboard (52): the selection's letters and the decoded bytes.
    Clipboard {
        /// As sent, for example `c`.
        selection: String,
        /// Decoded bytes.
        data: Vec<u8>,
    },
    /// The program asks for what is in the clipboard (52).
    ClipboardQuery {
        /// As sent, for example `c`.
        selection: String,
    },
    /// Shell integration mark (133): its letter and parameters, for example `D;0`.
    PromptMark(String),
    /// An agent's state (7501), for example `state=working:app=codex`.
    AgentState(String),
    /// Cursor shape (50): 0 block, 1 bar, 2 underline.
    CursorShape(u8),
    /// Nothing that concerns us; swallowed.
    Ignored,
}

/// Text without control characters, at most `MAX_TEXT` characters.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

fn number(bytes: &[u8]) -> Option<u16> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Reads the payload of an OSC, without introducer and terminator.
pub fn parse(payload: &[u8]) -> Osc {
    let (code, rest) = split(payload);
    match number(code) {
        Some(0 | 2) => Osc::Title(text(rest).trim().to_owned()),
        Some(4) => Osc::Colours(indexed(rest)),
        Some(first @ 10..=19) => Osc::Colours(dynamic(first, rest)),
        Some(104) if rest.is_empty() => Osc::Colours(vec![ColourOp::ResetAll]),
        Some(104) => Osc::Colours(
            fields(rest)
                .filter_map(|field| {
                    Some(ColourOp::Reset(ColourSlot::Indexed(number(field)?.try_into().ok()?)))
                })
                .collect(),
        ),
        Some(code @ 110..=119) => {
            Osc::Colours(vec![ColourOp::Reset(ColourSlot::Dynamic(u8::try_from(code - 100).unwrap_or(10)))])
        }
        Some(7) => directory(rest).map_or(Osc::Ignored, Osc::Cwd),
        Some(8) => link(rest),
        Some(9) => nine(rest),
        Some(50) => match rest.strip_prefix(b"CursorShape=") {
            Some([shape @ b'0'..=b'2', ..]) => Osc::CursorShape(shape - b'0'),
            _ => Osc::Ignored,
        },
        Some(52) => clipboard(rest),
        Some(99) => kitty_notification(rest),
        Some(133) => Osc::PromptMark(text(rest)),
        Some(777) => match rest.strip_prefix(b"notify;") {
            Some(rest) => {
                let (title, body) = split(rest);
                Osc::Notify { title: text(title), body: text(body) }
            }
            None => Osc::Ignored,
        },
        Some(7501) if !rest.starts_with(b"?") => Osc::AgentState(text(rest)),
        _ => Osc::Ignored,
    }
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b';', bytes) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

fn fields(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == b';')
}

fn indexed(rest: &[u8]) -> Vec<ColourOp> {
    let mut ops = Vec::new();
    let mut fields = fields(rest);
    while let (Some(index), Some(spec)) = (fields.next(), fields.next()) {
        let Some(index) = number(index).and_then(|n| u8::try_from(n).ok()) else { continue };
        ops.extend(operation(ColourSlot::Indexed(index), spec));
    }
    ops
}

fn dynamic(first: u16, rest: &[u8]) -> Vec<ColourOp> {
    (first..=19)
        .zip(fields(rest))
        .filter_map(|(code, spec)| operation(ColourSlot::Dynamic(u8::try_from(code).ok()?), spec))
        .collect()
}

fn operation(slot: ColourSlot, spec: &[u8]) -> Option<ColourOp> {
    if spec == b"?" {
        Some(ColourOp::Query(slot))
    } else {
        palette::parse(spec).map(|c| ColourOp::Set(slot, c))
    }
}

/// The path of a `file:` URL or a plain absolute path.
fn directory(rest: &[u8]) -> Option<String> {
    let path = match rest.strip_prefix(b"file://") {
        Some(rest) => &rest[memchr::memchr(b'/', rest)?..],
        None if rest.first() == Some(&b'/') => rest,
        None => return None,
    };
    let mut decoded = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        let escape = (path[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        let byte = escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match byte {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(path[at]);
                at += 1;
            }
        }
    }
    // A path is used as it is, so it is taken whole or not at all.
    let path = String::from_utf8(decoded).ok()?;
    (path.len() <= 4096 && !path.chars().any(char::is_control)).then_some(path)
}

fn link(rest: &[u8]) -> Osc {
    let (params, uri) = split(rest);
    if uri.is_empty() || uri.len() > MAX_URI {
        return Osc::Link(None);
    }
    let Ok(uri) = std::str::from_utf8(uri) else { return Osc::Link(None) };
    if uri.chars().any(char::is_control) {
        return Osc::Link(None);
    }
    let id = params
        .split(|b| *b == b':')
        .find_map(|pair| pair.strip_prefix(b"id="))
        .filter(|id| !id.is_empty() && id.len() <= MAX_LINK_ID)
        .map(text);
    Osc::Link(Some((id, uri.to_owned())))
}

fn nine(rest: &[u8]) -> Osc {
    let (first, more) = split(rest);
    match number(first) {
        Some(4) => {
            let (state, percent) = split(more);
            let state = number(state).unwrap_or(0).min(4);
            // Some programs send -1 for "unknown".
            let percent = number(split(percent).0).unwrap_or(0).min(100);
            Osc::Progress {
                state: u8::try_from(state).unwrap_or(0),
                percent: u8::try_from(percent).unwrap_or(0),
            }
        }
        Some(9) => directory(more).map_or(Osc::Ignored, Osc::Cwd),
        // The numbered forms are another terminal's private commands.
        Some(1..=12) if rest.len() > first.len() => Osc::Ignored,
        _ => Osc::Notify { title: String::new(), body: text(rest) },
    }
}

fn clipboard(rest: &[u8]) -> Osc {
    let (selection, data) = split(rest);
    // It is sent on as it came, so it holds only what selections are called.
    let named = |b: &u8| matches!(b, b'c' | b'p' | b'q' | b's' | b'0'..=b'7');
    let mut selection =
        text(&selection.iter().copied().filter(named).take(MAX_SELECTIONS).collect::<Vec<u8>>());
    if selection.is_empty() {
        selection.push('c');
    }
    if data == b"?" {
        return Osc::ClipboardQuery { selection };
    }
    let data: Vec<u8> = data.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    match base64::engine::general_purpose::STANDARD.decode(&data) {
        Ok(data) => Osc::Clipboard { selection, data },
        Err(_) => Osc::Ignored,
    }
}

fn kitty_notification(rest: &[u8]) -> Osc {
    let (metadata, payload) = split(rest);
    let mut part = NotifyPart { done: true, ..NotifyPart::default() };
    let mut encoded = false;
    for pair in metadata.split(|b| *b == b':') {
        match pair {
            [b'i', b'=', id @ ..] => part.id = text(id),
            [b'e', b'=', b'1'] => encoded = true,
            [b'd', b'=', b'0'] => part.done = false,
            b"p=?" => part.query = true,
            b"p=title" => part.body = false,
            b"p=body" => part.body = true,
            // Icons, buttons, close and alive requests carry nothing to read.
            [b'p', b'=', ..] => return Osc::Ignored,
            _ => {}
        }
    }
    part.text = if encoded {
        match base64::engine::general_purpose::STANDARD.decode(payload) {
            Ok(bytes) => text(&bytes),
            Err(_) => return Osc::Ignored,
        }
    } else {
        text(payload)
    };
    Osc::NotifyPart(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_lose_control_characters_and_length() {
        assert_eq!(parse(b"0;\xe2\x9c\xb3 Claude \x01Code;x"), Osc::Title("✳ Claude Code;x".into()));
        let Osc::Title(long) = parse(&[b"2;".as_slice(), &[b'a'; 9000]].concat()) else { panic!() };
        assert_eq!(long.len(), MAX_TEXT);
        assert_eq!(parse(b"1;icon"), Osc::Ignored);
    }

    #[test]
    fn colours_of_every_kind() {
        use ColourOp::*;
        use ColourSlot::*;
        assert_eq!(
            parse(b"4;0;?;15;#ff0000;300;?"),
            Osc::Colours(vec![Query(Indexed(0)), Set(Indexed(15), Rgb(255, 0, 0))])
        );
        assert_eq!(parse(b"10;?;?"), Osc::Colours(vec![Query(Dynamic(10)), Query(Dynamic(11))]));
        assert_eq!(parse(b"12;rgb:01/02/03"), Osc::Colours(vec![Set(Dynamic(12), Rgb(1, 2, 3))]));
        assert_eq!(parse(b"112"), Osc::Colours(vec![Reset(Dynamic(12))]));
        assert_eq!(parse(b"104"), Osc::Colours(vec![ResetAll]));
        assert_eq!(parse(b"104;3;7"), Osc::Colours(vec![Reset(Indexed(3)), Reset(Indexed(7))]));
    }

    #[test]
    fn directories_are_decoded() {
        assert_eq!(parse(b"7;file://host/home/a%20b"), Osc::Cwd("/home/a b".into()));
        assert_eq!(parse(b"7;file:///x%zz"), Osc::Cwd("/x%zz".into()));
        assert_eq!(parse(b"9;9;/tmp"), Osc::Cwd("/tmp".into()));
        assert_eq!(parse(b"7;kitty"), Osc::Ignored);
    }

    #[test]
    fn links_begin_and_end() {
        assert_eq!(
            parse(b"8;id=a:x=y;https://h/?a;b"),
            Osc::Link(Some((Some("a".into()), "https://h/?a;b".into())))
        );
        assert_eq!(parse(b"8;;"), Osc::Link(None));
        assert_eq!(parse(&[b"8;;".as_slice(), &[b'u'; 3000]].concat()), Osc::Link(None));
    }

    #[test]
    fn notifications_and_progress() {
        assert_eq!(parse(b"9;done"), Osc::Notify { title: String::new(), body: "done".into() });
        assert_eq!(parse(b"777;notify;T;B;C"), Osc::Notify { title: "T".into(), body: "B;C".into() });
        assert_eq!(parse(b"9;4;1;42"), Osc::Progress { state: 1, percent: 42 });
        assert_eq!(parse(b"9;4;3;"), Osc::Progress { state: 3, percent: 0 });
        assert_eq!(parse(b"9;4;1;-1"), Osc::Progress { state: 1, percent: 0 });
        assert_eq!(parse(b"9;2;text"), Osc::Ignored);
        let part = parse(b"99;i=n1:p=body:e=1:d=0;aGk=");
        let want = NotifyPart { id: "n1".into(), body: true, text: "hi".into(), ..NotifyPart::default() };
        assert_eq!(part, Osc::NotifyPart(want));
    }

    #[test]
    fn the_clipboard_is_written_and_asked_for() {
        assert_eq!(
            parse(b"52;c;aGVsbG8="),
            Osc::Clipboard { selection: "c".into(), data: b"hello".to_vec() }
        );
        assert_eq!(parse(b"52;;?"), Osc::ClipboardQuery { selection: "c".into() });
        assert_eq!(
            parse(b"52;p\x01sx;aGk="),
            Osc::Clipboard { selection: "ps".into(), data: b"hi".to_vec() }
        );
        assert_eq!(parse(b"52;c;!!"), Osc::Ignored);
    }

    #[test]
    fn agent_states_pass_and_their_query_is_swallowed() {
        assert_eq!(parse(b"7501;state=idle:app=codex"), Osc::AgentState("state=idle:app=codex".into()));
        assert_eq!(parse(b"7501;?"), Osc::Ignored);
        assert_eq!(parse(b"66;w=1; "), Osc::Ignored);
        assert_eq!(parse(b""), Osc::Ignored);
    }
}
