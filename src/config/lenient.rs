//! TOML that a person is in the middle of writing: what is broken is named and left out, the rest holds.
use std::ops::Range;
use toml::de::DeTable;

/// A file with more broken lines than this is not a configuration; reading it over and over helps nobody.
pub(super) const MAX_BROKEN_LINES: usize = 16;

/// The text with every part that is no TOML blanked out, so that every other offset keeps its place, and what is wrong
/// where. The text is `None` when nothing of it can be read.
pub(super) fn readable(text: &str) -> (Option<String>, Vec<(Range<usize>, String)>) {
    let (mut readable, mut faults) = (text.to_owned(), Vec::new());
    for _ in 0..MAX_BROKEN_LINES {
        match DeTable::parse(&readable) {
            Ok(_) => return (Some(readable), faults),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let out = broken_part(&readable, span.start);
                let fault = format!("not TOML: {}", error.message().lines().next().unwrap_or("unreadable"));
                faults.push((span, fault));
                if readable[out.clone()].trim().is_empty() {
                    break;
                }
                readable.replace_range(out.clone(), &blanks(&readable[out]));
            }
        }
    }
    faults.push((0..0, "cannot be read as TOML, so nothing of it holds".into()));
    (None, faults)
}

/// The part to leave out when the text breaks at `offset`: the line, or the whole table when the line is its header.
fn broken_part(text: &str, offset: usize) -> Range<usize> {
    let offset = offset.min(text.len());
    let bytes = text.as_bytes();
    let start = bytes[..offset].iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    let mut end =
        bytes[offset..].iter().position(|b| *b == b'\n').map_or(text.len(), |newline| offset + newline);
    if text[start..end].trim_start().starts_with('[') {
        let after = text[end..].split_inclusive('\n');
        // The first of them is the header's own newline, which stays.
        let body = after.skip(1).take_while(|line| !line.trim_start().starts_with('['));
        end = (end + body.map(str::len).sum::<usize>() + 1).min(text.len());
    }
    start..end
}

/// As many blanks as the text has bytes, newlines kept, so that every other offset keeps its place.
fn blanks(text: &str) -> String {
    text.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect()
}
