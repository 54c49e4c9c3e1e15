//! What the readers of user-written text share: problems with a place, the nearest known name, globs.
use serde::Serialize;
use std::fmt;

/// A name below this similarity is no help as a suggestion (Jaro-Winkler, 0 to 1).
const NEAR_ENOUGH: f64 = 0.78;

/// What a single slip scores, however short the word.
const ONE_SLIP: f64 = 0.9;

/// A longer name is no slip of a known one; comparing costs memory by its length.
const MAX_COMPARED: usize = 128;

/// One thing wrong in a file that a person wrote, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, or another word for where the text came from.
    pub file: String,
    /// Counted from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// In characters, counted from 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// The key with its tables, dotted: `executors.claude.enabled`; empty for broken syntax.
    pub key: String,
    /// What is wrong and what holds instead.
    pub message: String,
    /// The known name that looks most like the one written.
    pub nearest: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
            None => Ok(()),
        }
    }
}

/// Line and column of a byte offset, both counted from 1; the column counts characters. An offset beyond the end or
/// inside a character means the place just before it.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The candidate that looks most like `name`, if any does.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let mut best = None;
    for candidate in candidates {
        let lower = candidate.to_ascii_lowercase();
        let slips = strsim::damerau_levenshtein(&name, &lower);
        // Jaro-Winkler rates one slip in a short word low, so that one is counted.
        let score = strsim::jaro_winkler(&name, &lower).max(if slips <= 1 { ONE_SLIP } else { 0.0 });
        if score >= NEAR_ENOUGH && best.is_none_or(|(top, _)| score > top) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters and `?` for one. Case does not
/// count and `.` equals `-`, because vendors spell one version both ways.
pub fn glob(pattern: &str, text: &str) -> bool {
    let fold = |s: &str| -> Vec<char> {
        s.chars().map(|c| if c == '.' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    let (pattern, text) = (fold(pattern), fold(text));
    let (mut p, mut t) = (0, 0);
    // Where the newest `*` stands and how much of the text it has swallowed: going back there is enough, so the
    // match takes at most pattern × text steps.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, swallowed)) => {
                    p = at + 1;
                    t = swallowed + 1;
                    star = Some((at, swallowed + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "a = 1\nä = \"é\" x\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, text.find('x').unwrap()), (2, 9));
        assert_eq!(position(text, 7), (2, 1), "inside ä");
        assert_eq!(position(text, 10_000), (3, 1));
    }

    #[test]
    fn nearest_forgives_slips_and_refuses_strangers() {
        let known = ["enabled", "auth_method", "disabled_models"];
        assert_eq!(nearest("enbled", known), Some("enabled"));
        assert_eq!(nearest("auht_method", known), Some("auth_method"));
        assert_eq!(nearest("disabledModel", known), Some("disabled_models"));
        assert_eq!(nearest("aks", ["ask", "edits"]), Some("ask"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"enabled".repeat(10_000), known), None);
        assert_eq!(nearest("cluade", ["claude", "codex"]), Some("claude"));
    }

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("claude-*", "claude-opus-4.6", true),
            ("claude-opus-4-6", "claude-opus-4.6", true),
            ("*codex", "gpt-5.3-codex", true),
            ("*5*codex*", "GPT-5.3-CODEX", true),
            ("gpt-5.?", "gpt-5.4", true),
            ("gpt-5.?", "gpt-5.3-codex", false),
            ("", "x", false),
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-d", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_problem_reads_as_place_key_fault_and_help() {
        let problem = Problem {
            file: "policy.toml".into(),
            line: 3,
            column: 1,
            key: "executors.claude.enbled".into(),
            message: "unknown key".into(),
            nearest: Some("enabled".into()),
        };
        assert_eq!(
            problem.to_string(),
            "policy.toml:3:1: executors.claude.enbled: unknown key; did you mean \"enabled\"?"
        );
    }
}
