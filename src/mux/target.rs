//! Owns targets: how a command names a session, a window or a pane, in tmux's notation.
//!
//! Pure: text in, readings out. Must not know: which sessions, windows and panes there are; who does tries the readings
//! in order and takes the first that exists.
use super::{PaneId, SessionId, WindowId, layout::Dir};

/// What a command acts on, which decides how a bare word reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// A session.
    Session,
    /// A window.
    Window,
    /// A pane.
    Pane,
}

/// A parsed target: its possible readings, the likeliest first; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// To be tried in this order; the first that resolves is meant.
    pub readings: Vec<Path>,
}

/// One reading of a target; a part left out is the current one of the part before it.
///
/// An id of a window or pane stands for itself, whatever session is current.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// The session.
    pub session: Option<SessionRef>,
    /// The window in that session.
    pub window: Option<WindowRef>,
    /// The pane in that window.
    pub pane: Option<PaneRef>,
}

/// How a session is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionRef {
    /// `$1`.
    Id(SessionId),
    /// By its name.
    Name(Name),
}

/// How a window is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowRef {
    /// `@1`.
    Id(WindowId),
    /// The number in the status line, from 1.
    Index(u32),
    /// By its name.
    Name(Name),
    /// So many on from the current one, around the end: `+`, `-2`, `{next}`, `{previous}`.
    Offset(i32),
    /// The one shown before: `!`, `{last}`.
    Last,
    /// The first: `^`, `{start}`.
    First,
    /// The last by number: `$`, `{end}`.
    End,
}

/// How a pane is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaneRef {
    /// `%1`.
    Id(PaneId),
    /// Place in the window's order, from 0.
    Index(u32),
    /// So many on from the active one, around the end: `+`, `-2`, `{next}`, `{previous}`.
    Offset(i32),
    /// The one active before: `!`, `{last}`.
    Last,
    /// The active one: `@`, `{active}`.
    Active,
    /// At an edge of the window, or with two in a corner: `{top}`, `{bottom-right}`.
    Edge(Dir, Option<Dir>),
    /// Beside the active one: `{up-of}`, `{left-of}`.
    Beside(Dir),
}

/// A name as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Without the `=`.
    pub text: String,
    /// Written `=name`: neither a beginning nor a pattern will do.
    pub exact: bool,
}

impl Name {
    fn new(text: &str) -> Self {
        match text.strip_prefix('=') {
            Some(text) => Self { text: text.to_owned(), exact: true },
            None => Self { text: text.to_owned(), exact: false },
        }
    }

    /// Chooses among names: the same, else the only one that begins so, else the only one that a pattern with
    /// `*` and `?` fits.
    ///
    /// # Errors
    /// [`NameError`] says whether none or several fit.
    pub fn choose<'a, T>(&self, among: impl Iterator<Item = (T, &'a str)>) -> Result<T, NameError> {
        let (mut begins, mut fits) = (Vec::new(), Vec::new());
        for (item, name) in among {
            if name == self.text {
                return Ok(item);
            }
            if name.starts_with(&self.text) {
                begins.push(item);
            } else if fits_pattern(self.text.as_bytes(), name.as_bytes()) {
                fits.push(item);
            }
        }
        let mut found = if begins.is_empty() { fits } else { begins };
        match (self.exact || self.text.is_empty(), found.pop(), found.is_empty()) {
            (true, ..) | (_, None, _) => Err(NameError::Absent(self.text.clone())),
            (_, Some(only), true) => Ok(only),
            (_, Some(_), false) => Err(NameError::Ambiguous(self.text.clone())),
        }
    }
}

/// Why a name chose nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// None has it.
    #[error("nothing is called {0:?}")]
    Absent(String),
    /// Several begin so or fit the pattern.
    #[error("{0:?} fits more than one name; write it in full")]
    Ambiguous(String),
}

/// `*` stands for any characters, `?` for one byte; linear but for one remembered star.
fn fits_pattern(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(c) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// Why a target has no reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No such word in braces for this part.
    #[error("{word} names no {part}; the nearest is {nearest}")]
    Word {
        /// As written, with its braces.
        word: String,
        /// `window` or `pane`.
        part: &'static str,
        /// The word that differs least.
        nearest: &'static str,
    },
    /// `%x`, `@` with letters, or a number that is too big.
    #[error("{text:?} names no {part}")]
    Unreadable {
        /// As written.
        text: String,
        /// `session`, `window` or `pane`.
        part: &'static str,
    },
}

const WINDOW_WORDS: [(&str, WindowRef); 5] = [
    ("{next}", WindowRef::Offset(1)),
    ("{previous}", WindowRef::Offset(-1)),
    ("{last}", WindowRef::Last),
    ("{start}", WindowRef::First),
    ("{end}", WindowRef::End),
];

const PANE_WORDS: [(&str, PaneRef); 16] = [
    ("{next}", PaneRef::Offset(1)),
    ("{previous}", PaneRef::Offset(-1)),
    ("{last}", PaneRef::Last),
    ("{active}", PaneRef::Active),
    ("{top}", PaneRef::Edge(Dir::Up, None)),
    ("{bottom}", PaneRef::Edge(Dir::Down, None)),
    ("{left}", PaneRef::Edge(Dir::Left, None)),
    ("{right}", PaneRef::Edge(Dir::Right, None)),
    ("{top-left}", PaneRef::Edge(Dir::Up, Some(Dir::Left))),
    ("{top-right}", PaneRef::Edge(Dir::Up, Some(Dir::Right))),
    ("{bottom-left}", PaneRef::Edge(Dir::Down, Some(Dir::Left))),
    ("{bottom-right}", PaneRef::Edge(Dir::Down, Some(Dir::Right))),
    ("{up-of}", PaneRef::Beside(Dir::Up)),
    ("{down-of}", PaneRef::Beside(Dir::Down)),
    ("{left-of}", PaneRef::Beside(Dir::Left)),
    ("{right-of}", PaneRef::Beside(Dir::Right)),
];

impl Target {
    /// What a command without `-t` means.
    pub fn current() -> Self {
        Self { readings: vec![Path::default()] }
    }

    /// Reads a target for a command that acts on `wanted`: `session:window.pane`, any of its parts, or an id.
    ///
    /// A bare word for a pane is tried as a pane, then as a window, then as a session; for a window likewise from there.
    ///
    /// # Errors
    /// [`TargetError`] for words in braces that do not exist and for malformed ids.
    pub fn parse(text: &str, wanted: Wanted) -> Result<Self, TargetError> {
        if text.is_empty() {
            return Ok(Self::current());
        }
        let (session, rest) = match text.split_once(':') {
            Some((session, rest)) => (Some(session), rest),
            None => (None, text),
        };
        let (window, pane) = match rest.split_once('.') {
            Some((window, pane)) => (window, Some(pane)),
            None => (rest, None),
        };
        match (session, pane) {
            (None, None) => Self::bare(text, wanted),
            (session, pane) => {
                let session = session.map(session_ref).transpose()?.flatten();
                let pane = pane.map(pane_ref).transpose()?.flatten();
                let path = |window| Path { session: session.clone(), window, pane };
                let mut readings: Vec<Path> =
                    window_refs(window)?.into_iter().map(|window| path(Some(window))).collect();
                if readings.is_empty() {
                    readings.push(path(None));
                } else if !text.contains(':')
                    && let Ok(Some(named)) = session_ref(window)
                {
                    // Without a colon what no window is called may be a session.
                    readings.push(Path { session: Some(named), window: None, pane });
                }
                Ok(Self { readings })
            }
        }
    }

    fn bare(text: &str, wanted: Wanted) -> Result<Self, TargetError> {
        let of_session = || Ok(Path { session: session_ref(text)?, ..Path::default() });
        let of_windows = || {
            let refs = window_refs(text)?.into_iter();
            Ok(refs.map(|window| Path { window: Some(window), ..Path::default() }).collect::<Vec<_>>())
        };
        let of_pane = || Ok(Path { pane: pane_ref(text)?, ..Path::default() });
        let readings = match (text.as_bytes(), wanted) {
            ([b'%', ..], _) => vec![of_pane()?],
            ([b'@', _, ..], _) => of_windows()?,
            ([b'$', _, ..], _) | (_, Wanted::Session) => vec![of_session()?],
            ([b'{', ..] | [b'+' | b'-', ..] | b"!", Wanted::Window) => of_windows()?,
            ([b'^'] | [b'$'], _) => of_windows()?,
            (_, Wanted::Window) => {
                let mut readings = of_windows()?;
                readings.push(of_session()?);
                readings
            }
            ([b'{', ..] | [b'+' | b'-', ..] | b"!" | b"@", Wanted::Pane) => vec![of_pane()?],
            (_, Wanted::Pane) => {
                // A word is no pane, so only a number is read as one.
                let mut readings: Vec<Path> = of_pane().into_iter().collect();
                readings.extend(of_windows()?);
                readings.push(of_session()?);
                readings
            }
        };
        Ok(Self { readings })
    }
}

fn session_ref(text: &str) -> Result<Option<SessionRef>, TargetError> {
    match text.as_bytes() {
        [] => Ok(None),
        [b'$', ..] => match text.parse() {
            Ok(id) => Ok(Some(SessionRef::Id(id))),
            Err(()) => Err(unreadable(text, "session")),
        },
        _ => Ok(Some(SessionRef::Name(Name::new(text)))),
    }
}

/// The readings of a window: a number may also be a name. None for the empty text.
fn window_refs(text: &str) -> Result<Vec<WindowRef>, TargetError> {
    Ok(match text.as_bytes() {
        [] => Vec::new(),
        [b'{', ..] => vec![word(text, "window", &WINDOW_WORDS)?],
        b"!" => vec![WindowRef::Last],
        b"^" => vec![WindowRef::First],
        b"$" => vec![WindowRef::End],
        [b'+' | b'-', ..] => vec![WindowRef::Offset(offset(text).ok_or_else(|| unreadable(text, "window"))?)],
        [b'@', ..] => match text.parse() {
            Ok(id) => vec![WindowRef::Id(id)],
            Err(()) => return Err(unreadable(text, "window")),
        },
        _ => {
            let index = number(text).map(WindowRef::Index);
            index.into_iter().chain([WindowRef::Name(Name::new(text))]).collect()
        }
    })
}

fn pane_ref(text: &str) -> Result<Option<PaneRef>, TargetError> {
    let found = match text.as_bytes() {
        [] => return Ok(None),
        [b'{', ..] => return word(text, "pane", &PANE_WORDS).map(Some),
        b"!" => Some(PaneRef::Last),
        b"@" => Some(PaneRef::Active),
        [b'+' | b'-', ..] => offset(text).map(PaneRef::Offset),
        [b'%', ..] => text.parse().ok().map(PaneRef::Id),
        _ => number(text).map(PaneRef::Index),
    };
    found.map(Some).ok_or_else(|| unreadable(text, "pane"))
}

fn word<T: Clone>(
    text: &str,
    part: &'static str,
    words: &'static [(&'static str, T)],
) -> Result<T, TargetError> {
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(meaning.clone());
    }
    let nearest =
        words.iter().map(|(word, _)| *word).min_by_key(|word| strsim::damerau_levenshtein(text, word));
    Err(TargetError::Word { word: text.to_owned(), part, nearest: nearest.unwrap_or_default() })
}

fn unreadable(text: &str, part: &'static str) -> TargetError {
    TargetError::Unreadable { text: text.to_owned(), part }
}

/// Digits alone; `parse` would take a sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `+` and `-` mean one.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = (if text.starts_with('-') { -1 } else { 1 }, text.get(1..)?);
    let steps = if digits.is_empty() { 1 } else { number(digits)? };
    i32::try_from(steps).ok().map(|steps| sign * steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name { text: text.into(), exact: false }
    }

    /// The readings in a short form: `session/window/pane`, a part left out as `*`.
    fn read(text: &str, wanted: Wanted) -> String {
        let show = |name: &Name| format!("{}{}", if name.exact { "=" } else { "" }, name.text);
        let path = |path: &Path| {
            let session = match &path.session {
                None => "*".into(),
                Some(SessionRef::Id(id)) => id.to_string(),
                Some(SessionRef::Name(name)) => show(name),
            };
            let window = match &path.window {
                None => "*".into(),
                Some(WindowRef::Id(id)) => id.to_string(),
                Some(WindowRef::Name(name)) => show(name),
                Some(other) => format!("{other:?}"),
            };
            let pane = match &path.pane {
                None => "*".into(),
                Some(PaneRef::Id(id)) => id.to_string(),
                Some(other) => format!("{other:?}"),
            };
            format!("{session}/{window}/{pane}")
        };
        match Target::parse(text, wanted) {
            Ok(target) => target.readings.iter().map(path).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn targets_are_read_as_tmux_reads_them() {
        use Wanted::{Pane, Session, Window};
        for (text, wanted, readings) in [
            ("", Pane, "*/*/*"),
            ("%3", Pane, "*/*/%3"),
            ("%3", Session, "*/*/%3"),
            ("@2", Pane, "*/@2/*"),
            ("$1", Window, "$1/*/*"),
            ("work:build.1", Pane, "work/build/Index(1)"),
            ("=work:=build.%4", Pane, "=work/=build/%4"),
            ("work:2.0", Pane, "work/Index(2)/Index(0) work/2/Index(0)"),
            ("work:", Window, "work/*/*"),
            (":2", Window, "*/Index(2)/* */2/*"),
            (":.1", Pane, "*/*/Index(1)"),
            (".1", Pane, "*/*/Index(1)"),
            ("build.{last}", Pane, "*/build/Last build/*/Last"),
            ("work:{end}.{bottom-right}", Pane, "work/End/Edge(Down, Some(Right))"),
            ("work:+2", Window, "work/Offset(2)/*"),
            ("$1:^", Window, "$1/First/*"),
            ("work", Session, "work/*/*"),
            ("work", Window, "*/work/* work/*/*"),
            ("work", Pane, "*/work/* work/*/*"),
            ("1", Pane, "*/*/Index(1) */Index(1)/* */1/* 1/*/*"),
            ("+", Pane, "*/*/Offset(1)"),
            ("-3", Window, "*/Offset(-3)/*"),
            ("{last}", Pane, "*/*/Last"),
            ("{last}", Window, "*/Last/*"),
            ("!", Window, "*/Last/*"),
            ("{left-of}", Pane, "*/*/Beside(Left)"),
            ("@", Pane, "*/*/Active"),
        ] {
            assert_eq!(read(text, wanted), readings, "{text:?} for {wanted:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_answered_with_what_can() {
        assert_eq!(read("{lsat}", Wanted::Pane), "{lsat} names no pane; the nearest is {last}");
        assert_eq!(read("work:{nxt}", Wanted::Window), "{nxt} names no window; the nearest is {next}");
        assert_eq!(read("%x", Wanted::Pane), "\"%x\" names no pane");
        assert_eq!(read("work:1.left", Wanted::Pane), "\"left\" names no pane");
        assert_eq!(read("+99999999999", Wanted::Pane), "\"+99999999999\" names no pane");
        assert_eq!(read("$x:1", Wanted::Pane), "\"$x\" names no session");
    }

    #[test]
    fn a_name_chooses_the_same_then_a_beginning_then_a_pattern() {
        let names = ["work", "workshop", "play", "plan"];
        let choose = |name: Name| name.choose(names.iter().map(|name| (*name, *name)));
        assert_eq!(choose(name("work")), Ok("work"));
        assert_eq!(choose(name("works")), Ok("workshop"));
        assert_eq!(choose(name("*shop")), Ok("workshop"));
        assert_eq!(choose(name("pl?y")), Ok("play"));
        assert_eq!(choose(name("pla")), Err(NameError::Ambiguous("pla".into())));
        assert_eq!(choose(name("*")), Err(NameError::Ambiguous("*".into())));
        assert_eq!(choose(name("rest")), Err(NameError::Absent("rest".into())));
        assert_eq!(choose(name("")), Err(NameError::Absent(String::new())));
        let exact = |text: &str| choose(Name { text: text.into(), exact: true });
        assert_eq!(exact("play"), Ok("play"));
        assert_eq!(exact("works"), Err(NameError::Absent("works".into())));
    }

    proptest! {
        #[test]
        fn whatever_is_read_has_a_reading(text in "[a-z0-9:.%@$={}+!^-]{0,12}") {
            for wanted in [Wanted::Session, Wanted::Window, Wanted::Pane] {
                if let Ok(target) = Target::parse(&text, wanted) {
                    prop_assert!(!target.readings.is_empty());
                }
            }
        }

        #[test]
        fn a_pattern_of_stars_fits_what_it_was_made_from(parts in prop::collection::vec("[a-c]{0,3}", 1..5)) {
            prop_assert!(fits_pattern(parts.join("*").as_bytes(), parts.join("xyz").as_bytes()));
            prop_assert!(fits_pattern(parts.join("?").as_bytes(), parts.join("x").as_bytes()));
        }
    }
}
