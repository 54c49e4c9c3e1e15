//! Checks of single sequences, each a paragraph of `checks.txt`: its name, the screen's size, the bytes, then the
//! expected screen (a row each behind `|`, blanks at its end left out), its first row as a styled capture if it has any
//! style (`$`), the cursor (`@ column row`, from 0) and the replies (`>`).
use super::Pane;
use std::{collections::BTreeSet, str::Chars};

fn code(digits: usize, rest: &mut Chars) -> u32 {
    let digits: String = rest.take(digits).collect();
    u32::from_str_radix(&digits, 16).unwrap()
}

/// Undoes `\e`, `\r`, `\n`, `\t`, `\\`, `\xHH` and `\uHHHH`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let c = match c {
            '\\' => match rest.next() {
                Some('e') => '\x1b',
                Some('r') => '\r',
                Some('n') => '\n',
                Some('t') => '\t',
                Some('\\') => '\\',
                Some('u') => char::from_u32(code(4, &mut rest)).unwrap(),
                Some('x') => {
                    bytes.push(u8::try_from(code(2, &mut rest)).unwrap());
                    continue;
                }
                other => panic!("\\{other:?} in {text}"),
            },
            c => c,
        };
        bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
    }
    bytes
}

/// What a check's paragraph should say of its bytes.
fn seen(size: &str, bytes: &str) -> Vec<String> {
    let (cols, rows) = size.split_once('x').unwrap();
    let mut pane = Pane::new(cols.parse().unwrap(), rows.parse().unwrap());
    let replies = pane.replies(unescape(bytes)).replace('\\', "\\\\").replace('\x1b', "\\e");
    let text = pane.emulator.capture(None, None, false, false);
    let mut seen: Vec<String> =
        text.trim_end_matches('\n').split('\n').map(|row| format!("|{row}")).collect();
    let styled = pane.emulator.capture(Some(0), Some(0), true, false);
    if styled.contains('\x1b') {
        seen.push(format!("$ {}", styled.trim_end().replace('\x1b', "\\e")));
    }
    let (x, y) = pane.at();
    seen.push(format!("@ {x} {y}"));
    if !replies.is_empty() {
        seen.push(format!("> {replies}"));
    }
    seen
}

#[test]
fn every_sequence_does_what_its_check_says() {
    let mut names = BTreeSet::new();
    let mut wrong = String::new();
    for check in include_str!("checks.txt").split("\n\n").filter(|check| !check.starts_with('#')) {
        let mut lines = check.trim_end().lines();
        let (name, size, bytes) = (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
        assert!(names.insert(name), "{name} is there twice");
        let want: Vec<&str> = lines.collect();
        let seen = seen(size, bytes);
        if seen != want {
            wrong.push_str(&format!("{name}: {bytes}\n  seen {seen:#?}\n  want {want:#?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(names.len() >= 150, "only {} checks were read", names.len());
}
