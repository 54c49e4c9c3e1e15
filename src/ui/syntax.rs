//! Owns the colours of code in a patch: comments, strings, numbers and the words of programming languages.
//!
//! One reader for all languages, line by line: what looks alike in most of them. A comment or a string that began on a
//! line above is not known. Must not know: where a line stands on the screen.
use super::paint::{Seg, seg};
use crate::config::Role;

/// Words that mean something in the usual languages.
const WORDS: &[&str] = &[
    "abstract",
    "as",
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "def",
    "default",
    "defer",
    "do",
    "elif",
    "else",
    "end",
    "enum",
    "except",
    "export",
    "extends",
    "false",
    "finally",
    "fn",
    "for",
    "from",
    "func",
    "function",
    "go",
    "if",
    "impl",
    "import",
    "in",
    "interface",
    "lambda",
    "let",
    "loop",
    "match",
    "mod",
    "move",
    "mut",
    "new",
    "nil",
    "null",
    "package",
    "private",
    "protected",
    "pub",
    "public",
    "raise",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "switch",
    "then",
    "this",
    "throw",
    "trait",
    "true",
    "try",
    "type",
    "use",
    "var",
    "void",
    "where",
    "while",
    "with",
    "yield",
    "False",
    "None",
    "Self",
    "True",
];
/// Ends of names of files whose comments begin with a number sign.
const HASH: &[&str] =
    &["py", "rb", "sh", "bash", "zsh", "toml", "yaml", "yml", "pl", "r", "mk", "Makefile", "Dockerfile"];
/// Those whose comments begin with two strokes.
const STROKES: &[&str] = &[
    "rs", "go", "c", "h", "cc", "cpp", "hpp", "java", "kt", "swift", "js", "mjs", "jsx", "ts", "tsx", "cs",
    "scala", "dart", "zig", "json", "jsonc", "css", "scss", "proto", "php",
];

/// A line of a patch of the file `path`, in pieces; `plain` is the role of what is nothing special.
pub(super) fn segs<'a>(path: &str, line: &'a str, plain: Role) -> Vec<Seg<'a>> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let kind = name.rsplit('.').next().unwrap_or_default();
    let comment = match kind {
        kind if HASH.contains(&kind) => "#",
        kind if STROKES.contains(&kind) => "//",
        "lua" | "sql" | "hs" | "elm" => "--",
        _ => return vec![seg(line, plain)],
    };
    // Behind the sign of the patch.
    let mut at = line.chars().next().map_or(0, char::len_utf8);
    let mut from = 0;
    let mut pieces = Vec::new();
    while at < line.len() {
        let (end, role) = token(&line[at..], comment, kind);
        if let Some(role) = role {
            if from < at {
                pieces.push(seg(&line[from..at], plain));
            }
            pieces.push(seg(&line[at..at + end], role));
            from = at + end;
        }
        at += end;
    }
    if from < line.len() || pieces.is_empty() {
        pieces.push(seg(&line[from..], plain));
    }
    pieces
}

/// The length of what `rest` begins with, at least one character, and its role when it is something special.
fn token(rest: &str, comment: &str, kind: &str) -> (usize, Option<Role>) {
    let Some(first) = rest.chars().next() else { return (0, None) };
    let until = |ends: fn(char) -> bool| rest.find(ends).unwrap_or(rest.len());
    if rest.starts_with(comment) || rest.starts_with("/*") && comment == "//" {
        return (rest.len(), Some(Role::Dim));
    }
    match first {
        '"' | '`' | '\'' => match string(rest, first) {
            Some(end) if first != '\'' || kind != "rs" || is_character(&rest[1..end - 1]) => {
                (end, Some(Role::Warn))
            }
            // An apostrophe, a lifetime, or a string that goes on below.
            _ => (first.len_utf8(), None),
        },
        '0'..='9' => (until(|c| !c.is_ascii_alphanumeric() && c != '.' && c != '_'), Some(Role::Warn)),
        c if c.is_alphabetic() || c == '_' => {
            let end = until(|c| !c.is_alphanumeric() && c != '_');
            (end, WORDS.contains(&&rest[..end]).then_some(Role::Accent))
        }
        c => (c.len_utf8(), None),
    }
}

/// Whether this can stand between the quotes of a character of Rust; what is longer stands between lifetimes.
fn is_character(text: &str) -> bool {
    text.starts_with('\\') || text.chars().count() == 1
}

/// Where a string ends that `rest` begins with; `None` when it does not end on this line.
fn string(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, line: &str) -> Vec<(String, Role)> {
        let pieces = segs(path, line, Role::Ok);
        assert_eq!(
            pieces.iter().map(|piece| piece.text.as_ref()).collect::<String>(),
            line,
            "nothing is lost"
        );
        pieces
            .into_iter()
            .filter(|piece| piece.role != Role::Ok)
            .map(|p| (p.text.into_owned(), p.role))
            .collect()
    }

    #[test]
    fn words_strings_numbers_and_comments_are_told_apart() {
        let found = read("src/cart.rs", "+    let sum: &'a str = \"a \\\" b\"; // 7 of \"them\"");
        let wanted = [("let", Role::Accent), ("\"a \\\" b\"", Role::Warn), ("// 7 of \"them\"", Role::Dim)];
        assert_eq!(found, wanted.map(|(text, role)| (text.to_owned(), role)));
        assert_eq!(
            read("a.py", "-x = 0x1f # letter"),
            [("0x1f".into(), Role::Warn), ("# letter".into(), Role::Dim)]
        );
        assert_eq!(read("notes.md", "+let it be 7"), [], "prose has no colours");
        assert_eq!(read("a.rs", "+an open \"string é"), []);
        assert_eq!(read("a.rs", "+<'a, T>(longer: &'a T, b: &'a T) ' '"), [("' '".into(), Role::Warn)]);
        assert_eq!(read("a.rs", ""), []);
    }
}
