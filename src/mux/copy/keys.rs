//! Owns what each key means in copy mode, as tmux and vi or emacs have it.
use super::{Find, Motion, select::Kind};
use crate::mux::keys::{Key, KeyCode, Mods};

/// Whose keys copy mode has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModeKeys {
    /// vi's.
    #[default]
    Vi,
    /// emacs's.
    Emacs,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Move(Motion),
    /// A digit of a count.
    Digit(usize),
    /// Select from here on; selecting so already ends it.
    Select(Kind),
    /// Select from here on, whatever was selected.
    Anew,
    /// Between a rectangle and the text between its corners.
    Rectangle,
    /// To the selection's other end.
    Swap,
    /// Deselect, or leave when nothing is selected.
    Back,
    Leave,
    Copy,
    CopyLines,
    CopyToEnd,
    /// Ask for a pattern.
    Search {
        back: bool,
    },
    /// Search for the word under the cursor.
    SearchWord {
        back: bool,
    },
    /// Select the address or path under the cursor.
    Link,
    /// Number the lines, or do not.
    Numbers,
    /// Wait for the character to go to.
    Await(Find),
}

/// The command of a key; `counting` says that digits were typed before it.
pub(super) fn command(keys: ModeKeys, key: &Key, counting: bool) -> Option<Command> {
    match keys {
        ModeKeys::Vi => vi(key, counting),
        ModeKeys::Emacs => emacs(key),
    }
    .or_else(|| shared(key))
}

fn digit(c: char) -> Option<Command> {
    Some(Command::Digit(c.to_digit(10)? as usize))
}

fn vi(key: &Key, counting: bool) -> Option<Command> {
    use Command::*;
    let KeyCode::Char(c) = key.code else {
        return match key.code {
            KeyCode::Escape => Some(Back),
            KeyCode::Backspace => Some(Move(Motion::Left)),
            _ => None,
        };
    };
    if key.mods == Mods::CTRL {
        return Some(match c {
            'u' => Move(Motion::HalfUp),
            'd' => Move(Motion::HalfDown),
            'b' => Move(Motion::PageUp),
            'f' => Move(Motion::PageDown),
            'y' => Move(Motion::ScrollUp),
            'e' => Move(Motion::ScrollDown),
            'h' => Move(Motion::Left),
            'j' => Move(Motion::Down),
            'v' => Select(Kind::Rectangle),
            'c' => Leave,
            _ => return None,
        });
    }
    Some(match key.typed()? {
        '0' if !counting => Move(Motion::LineStart),
        c @ '0'..='9' => return digit(c),
        'h' => Move(Motion::Left),
        'j' => Move(Motion::Down),
        'k' => Move(Motion::Up),
        'l' => Move(Motion::Right),
        'w' => Move(Motion::WordNext { big: false }),
        'b' => Move(Motion::WordBack { big: false }),
        'e' => Move(Motion::WordEnd { big: false }),
        'W' => Move(Motion::WordNext { big: true }),
        'B' => Move(Motion::WordBack { big: true }),
        'E' => Move(Motion::WordEnd { big: true }),
        '^' => Move(Motion::Indentation),
        '$' => Move(Motion::LineEnd),
        'g' => Move(Motion::Top),
        'G' => Move(Motion::Bottom),
        'H' => Move(Motion::ViewTop),
        'M' => Move(Motion::ViewMiddle),
        'L' => Move(Motion::ViewBottom),
        'K' => Move(Motion::ScrollUp),
        'J' => Move(Motion::ScrollDown),
        '{' => Move(Motion::ParagraphBack),
        '}' => Move(Motion::ParagraphNext),
        'f' => Await(Find { back: false, before: false }),
        'F' => Await(Find { back: true, before: false }),
        't' => Await(Find { back: false, before: true }),
        'T' => Await(Find { back: true, before: true }),
        ';' => Move(Motion::FindAgain { opposite: false }),
        ',' => Move(Motion::FindAgain { opposite: true }),
        'v' => Select(Kind::Chars),
        'V' => Select(Kind::Lines),
        ' ' => Anew,
        'y' => Copy,
        'Y' => CopyLines,
        'D' => CopyToEnd,
        '/' => Search { back: false },
        '?' => Search { back: true },
        _ => return None,
    })
}

fn emacs(key: &Key) -> Option<Command> {
    use Command::*;
    let KeyCode::Char(c) = key.code else {
        return (key.code == KeyCode::Escape).then_some(Leave);
    };
    if key.mods == Mods::CTRL {
        return Some(match c {
            'f' => Move(Motion::Right),
            'b' => Move(Motion::Left),
            'n' => Move(Motion::Down),
            'p' => Move(Motion::Up),
            'a' => Move(Motion::LineStart),
            'e' => Move(Motion::LineEnd),
            'v' => Move(Motion::PageDown),
            ' ' => Anew,
            'w' => Copy,
            'k' => CopyToEnd,
            'g' => Back,
            'c' => Leave,
            's' => Search { back: false },
            'r' => Search { back: true },
            _ => return None,
        });
    }
    if key.mods == Mods::ALT {
        return Some(match c {
            'f' => Move(Motion::WordEnd { big: false }),
            'b' => Move(Motion::WordBack { big: false }),
            'v' => Move(Motion::PageUp),
            '<' => Move(Motion::Top),
            '>' => Move(Motion::Bottom),
            '{' => Move(Motion::ParagraphBack),
            '}' => Move(Motion::ParagraphNext),
            'm' => Move(Motion::Indentation),
            'R' => Move(Motion::ViewTop),
            'r' => Move(Motion::ViewMiddle),
            'w' => Copy,
            '0'..='9' => return digit(c),
            _ => return None,
        });
    }
    Some(match key.typed()? {
        'f' => Await(Find { back: false, before: false }),
        'F' => Await(Find { back: true, before: false }),
        't' => Await(Find { back: false, before: true }),
        'T' => Await(Find { back: true, before: true }),
        ';' => Move(Motion::FindAgain { opposite: false }),
        ',' => Move(Motion::FindAgain { opposite: true }),
        ' ' => Move(Motion::PageDown),
        _ => return None,
    })
}

/// What both have.
fn shared(key: &Key) -> Option<Command> {
    use Command::*;
    if key.mods == Mods::CTRL {
        return Some(match key.code {
            KeyCode::Up => Move(Motion::ScrollUp),
            KeyCode::Down => Move(Motion::ScrollDown),
            _ => return None,
        });
    }
    if !key.mods.is_empty() {
        return None;
    }
    Some(match key.code {
        KeyCode::Left => Move(Motion::Left),
        KeyCode::Right => Move(Motion::Right),
        KeyCode::Up => Move(Motion::Up),
        KeyCode::Down => Move(Motion::Down),
        KeyCode::Home => Move(Motion::LineStart),
        KeyCode::End => Move(Motion::LineEnd),
        KeyCode::PageUp => Move(Motion::PageUp),
        KeyCode::PageDown => Move(Motion::PageDown),
        KeyCode::Enter => Copy,
        KeyCode::Char('[') => Move(Motion::Turn { back: true }),
        KeyCode::Char(']') => Move(Motion::Turn { back: false }),
        KeyCode::Char('*') => SearchWord { back: false },
        KeyCode::Char('#') => SearchWord { back: true },
        KeyCode::Char('u') => Link,
        KeyCode::Char('=') => Numbers,
        KeyCode::Char('n') => Move(Motion::SearchAgain { opposite: false }),
        KeyCode::Char('N') => Move(Motion::SearchAgain { opposite: true }),
        KeyCode::Char('o') => Swap,
        KeyCode::Char('R') => Rectangle,
        KeyCode::Char('q') => Leave,
        _ => return None,
    })
}
