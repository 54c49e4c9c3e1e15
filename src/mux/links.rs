//! Addresses and codes that stand on a screen, for a key that copies them: what a login asks to be opened or typed.

/// What a login prints is near the end of what was printed; further up it is old.
const ROWS: usize = 200;

/// The newest address, put together where a program broke it at the screen's edge.
pub fn newest_link(screen: &str, columns: usize) -> Option<String> {
    let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
    let first = lines.len().saturating_sub(ROWS);
    let at = (first..lines.len()).rev().find_map(|row| {
        let line = lines.get(row)?;
        let begin = line.rfind("https://").or_else(|| line.rfind("http://"))?;
        Some((row, begin))
    });
    let (row, begin) = at?;
    let part = |text: &str| text.chars().take_while(|c| in_link(*c)).collect::<String>();
    let mut link = part(lines[row].get(begin..)?);
    let mut before = lines[row];
    let reaches = |line: &str, part: &str| line.ends_with(part) && line.chars().count() + EDGE >= columns;
    let mut tail = link.clone();
    for line in lines.get(row + 1..)? {
        // It goes on only where the line before is full to the edge, and the next holds nothing else.
        let next = line.trim_start();
        if !reaches(before, &tail) || next.is_empty() || part(next).len() != next.len() {
            break;
        }
        link.push_str(next);
        tail = next.to_owned();
        before = line;
    }
    let link = link.trim_end_matches(['.', ',', ';', ':', ')', ']', '}', '>', '\'', '"']);
    (link.len() > "https://x".len()).then(|| link.to_owned())
}

/// Programs leave a margin or a frame at the edge.
const EDGE: usize = 4;

fn in_link(c: char) -> bool {
    c.is_ascii_graphic() && !"<>\"`{}|\\^".contains(c)
}

/// The newest code that a login shows to be typed elsewhere: groups of capitals and digits, `ABCD-1234`.
pub fn newest_code(screen: &str) -> Option<String> {
    let group = |part: &str| {
        (4..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    let code = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let parts: Vec<&str> = word.split('-').collect();
        ((2..=3).contains(&parts.len()) && parts.iter().all(|part| group(part))).then(|| word.to_owned())
    };
    screen.lines().rev().take(ROWS).find_map(|line| line.split_whitespace().rev().find_map(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_broken_at_the_edge_is_whole_again() {
        let screen = "old https://old.example/\n\n Open this address:\n https://login.example/a?\n client_id=1&state=x\n\n Waiting";
        assert_eq!(newest_link(screen, 26).unwrap(), "https://login.example/a?client_id=1&state=x");
        assert_eq!(newest_link("see https://x.example/a.\nnext words", 80).unwrap(), "https://x.example/a");
        assert_eq!(
            newest_link("https://x.example/abcdef\nnext words here", 24).unwrap(),
            "https://x.example/abcdef"
        );
        assert_eq!(newest_link("no address", 80), None);
    }

    #[test]
    fn a_code_is_told_from_words() {
        assert_eq!(newest_code("Enter this code: WDJB-MJHT.\nPress Enter").unwrap(), "WDJB-MJHT");
        assert_eq!(newest_code("well-known words, GPT-5, 2026-11-20"), None);
    }
}
