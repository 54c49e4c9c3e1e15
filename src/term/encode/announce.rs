//! Owns what an attached terminal is told beside the picture: notifications and progress, in the form that it knows.
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Longest notification in characters, heading and text each: terminals show a few lines.
const MAX_NOTICE: usize = 256;

/// How a terminal takes a notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoticeForm {
    /// Not at all: it would print the sequence.
    Never,
    /// `OSC 9 ; text`, which a terminal without notifications swallows.
    #[default]
    Text,
    /// `OSC 777 ; notify ; heading ; text`.
    Titled,
    /// `OSC 99`, kitty's protocol.
    Kitty,
}

/// What a terminal can be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announcer {
    /// How it takes notifications.
    pub notices: NoticeForm,
    /// It shows `OSC 9 ; 4`. Others could take that for a notification, so it is sent to nobody else.
    pub progress: bool,
    /// tmux stands in between; it passes on what is marked for the terminal outside, where it was allowed to.
    pub inside_tmux: bool,
}

/// What terminals can be told by the name in their answer to XTVERSION, in small letters: notifications and progress.
const BY_NAME: [(&str, NoticeForm, bool); 11] = [
    ("contour", NoticeForm::Titled, false),
    ("foot", NoticeForm::Titled, false),
    ("ghostty", NoticeForm::Titled, true),
    ("inspan", NoticeForm::Titled, true),
    ("kitty", NoticeForm::Kitty, false),
    ("konsole", NoticeForm::Titled, true),
    ("mintty", NoticeForm::Text, true),
    ("rxvt", NoticeForm::Titled, false),
    ("vte", NoticeForm::Titled, true),
    ("wezterm", NoticeForm::Titled, false),
    ("xterm.js", NoticeForm::Text, true),
];

/// Terminals that print what they do not understand, by `TERM`.
const PRINTS: [&str; 7] = ["linux", "dumb", "ansi", "vt100", "vt220", "cons25", "sun"];

impl Announcer {
    /// What is known of a terminal by its own name, if it told one, and by variables of its environment.
    pub fn of<'a>(name: Option<&str>, var: impl Fn(&str) -> Option<&'a str>) -> Self {
        let is = |variable: &str, value: &str| var(variable).is_some_and(|found| found == value);
        let term = var("TERM").unwrap_or_default();
        if PRINTS.contains(&term) {
            return Self { notices: NoticeForm::Never, ..Self::default() };
        }
        let name = name.unwrap_or_default().to_lowercase();
        if name.starts_with("tmux") || (name.is_empty() && var("TMUX").is_some()) {
            return Self { inside_tmux: true, ..Self::default() };
        }
        // Who tells no name is known by what it sets.
        let name = match () {
            () if !name.is_empty() => name,
            () if term.starts_with("rxvt") => "rxvt".to_owned(),
            () if term.contains("kitty") => "kitty".to_owned(),
            () if is("TERM_PROGRAM", "vscode") => "xterm.js".to_owned(),
            () => String::new(),
        };
        let known = BY_NAME.iter().find(|(known, ..)| name.starts_with(known));
        let (notices, progress) =
            known.map_or((NoticeForm::Text, false), |(_, form, progress)| (*form, *progress));
        // ConEmu invented it, and Windows Terminal took it over.
        let progress = progress || var("WT_SESSION").is_some() || is("ConEmuANSI", "ON");
        Self { notices, progress, inside_tmux: false }
    }

    /// A notification; nothing for a terminal that takes none, or when there is nothing to say.
    pub fn notice(&self, heading: &str, text: &str) -> Vec<u8> {
        let (heading, text) = (clean(heading), clean(text));
        let (heading, text) = if text.is_empty() { (String::new(), heading) } else { (heading, text) };
        if text.is_empty() {
            return Vec::new();
        }
        self.wrapped(match self.notices {
            NoticeForm::Never => return Vec::new(),
            NoticeForm::Titled if !heading.is_empty() => {
                format!("\x1b]777;notify;{};{text}\x07", heading.replace(';', ","))
            }
            NoticeForm::Kitty if !heading.is_empty() => {
                let [heading, text] = [heading, text].map(|part| BASE64_STANDARD.encode(part));
                format!("\x1b]99;i=inspan:d=0:e=1;{heading}\x1b\\\x1b]99;i=inspan:p=body:e=1;{text}\x1b\\")
            }
            NoticeForm::Kitty => format!("\x1b]99;i=inspan:e=1;{}\x1b\\", BASE64_STANDARD.encode(text)),
            _ => {
                let line = if heading.is_empty() { text } else { format!("{heading}: {text}") };
                // A number in front would make a command of it.
                let space = if line.starts_with(|c: char| c.is_ascii_digit()) { " " } else { "" };
                format!("\x1b]9;{space}{line}\x07")
            }
        })
    }

    /// `OSC 9 ; 4`: state 0 none, 1 value, 2 error, 3 busy, 4 paused; percent 0 to 100.
    pub fn progress(&self, state: u8, percent: u8) -> Vec<u8> {
        self.wrapped(match state {
            0 | 3 => format!("\x1b]9;4;{state};\x07"),
            _ => format!("\x1b]9;4;{state};{percent}\x07"),
        })
    }

    fn wrapped(&self, sequence: String) -> Vec<u8> {
        if self.inside_tmux {
            return format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b")).into_bytes();
        }
        sequence.into_bytes()
    }
}

/// Text that ends no sequence and turns no line around, at most `MAX_NOTICE` characters.
fn clean(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let line: String = line.filter(|c| !c.is_control() && !turns(*c)).take(MAX_NOTICE).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcer(name: Option<&str>, env: &[(&str, &'static str)]) -> Announcer {
        Announcer::of(name, |wanted| env.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value))
    }

    fn said(announcer: Announcer, heading: &str, text: &str) -> String {
        String::from_utf8(announcer.notice(heading, text)).unwrap()
    }

    #[test]
    fn each_terminal_is_told_in_its_own_form() {
        let xterm = [("TERM", "xterm-256color")];
        assert_eq!(said(announcer(None, &xterm), "", "done"), "\x1b]9;done\x07");
        assert_eq!(said(announcer(None, &xterm), "T", "done"), "\x1b]9;T: done\x07");
        let ghostty = announcer(Some("ghostty 1.2.0"), &xterm);
        assert_eq!(said(ghostty, "a;b", "c;d"), "\x1b]777;notify;a,b;c;d\x07");
        assert_eq!(said(ghostty, "", "done"), "\x1b]9;done\x07");
        assert!(ghostty.progress);
        let kitty = announcer(Some("kitty(0.35.2)"), &xterm);
        assert_eq!(said(kitty, "", "done"), "\x1b]99;i=inspan:e=1;ZG9uZQ==\x1b\\");
        assert_eq!(
            said(kitty, "T", "done"),
            "\x1b]99;i=inspan:d=0:e=1;VA==\x1b\\\x1b]99;i=inspan:p=body:e=1;ZG9uZQ==\x1b\\"
        );
        assert!(!kitty.progress);
        assert_eq!(said(announcer(None, &[("TERM", "linux")]), "T", "done"), "");
        let tmux = announcer(Some("tmux 3.5"), &[("TERM", "tmux-256color")]);
        assert_eq!(said(tmux, "", "done"), "\x1bPtmux;\x1b\x1b]9;done\x07\x1b\\");
        assert!(announcer(None, &[("TERM", "xterm-256color"), ("WT_SESSION", "1")]).progress);
        assert_eq!(announcer(None, &[("TERM", "rxvt-unicode")]).notices, NoticeForm::Titled);
    }

    #[test]
    fn what_is_said_stays_inside_its_sequence() {
        let plain = announcer(None, &[]);
        assert_eq!(said(plain, "", "a\x07b\x1b]2;x\u{9c}\nc\u{202e}d"), "\x1b]9;ab]2;x cd\x07");
        assert_eq!(said(plain, "", "4;1;50"), "\x1b]9; 4;1;50\x07");
        assert_eq!(said(plain, " \n", "\x01"), "");
        assert_eq!(said(plain, "only a heading", ""), "\x1b]9;only a heading\x07");
        assert_eq!(said(plain, "", &"x".repeat(9000)).len(), MAX_NOTICE + 5);
    }

    #[test]
    fn progress_has_a_value_where_it_means_something() {
        let plain = announcer(None, &[]);
        assert_eq!(plain.progress(1, 42), b"\x1b]9;4;1;42\x07");
        assert_eq!(plain.progress(3, 42), b"\x1b]9;4;3;\x07");
        assert_eq!(plain.progress(0, 0), b"\x1b]9;4;0;\x07");
    }
}
