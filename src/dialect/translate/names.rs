//! Tool names and call ids within every dialect's limits, and the way back.
//!
//! A name that fits stays; any other is cleaned, shortened and given a suffix made from the whole, so that the same
//! name becomes the same in every request and prompt caches hold.
use crate::router::Dialect;
use sha2::{Digest, Sha256};
use std::{borrow::Cow, collections::HashMap};

/// How a Codex tool is called in its own dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Native {
    pub name: String,
    pub namespace: Option<String>,
    pub form: Form,
}

/// The form of a call item of Responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Function,
    /// Free text, which travels as `{"input": …}` elsewhere.
    Custom,
    /// `local_shell`, which travels as a function of its action.
    Shell,
    /// A search among tools that the client answers.
    Search,
}

/// The names of one request's tools.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// From the name on the upstream's wire to the flat name.
    flat: HashMap<String, String>,
    /// From the flat name to what a Responses client calls it; missing where both are the same.
    native: HashMap<String, Native>,
}

impl Names {
    /// Remembers how a Responses client calls a tool.
    pub(super) fn keep(&mut self, flat: &str, native: Native) {
        self.native.insert(flat.to_owned(), native);
    }

    /// The name for the upstream's wire.
    pub(super) fn wire(&mut self, flat: &str, upstream: Dialect) -> String {
        let wire = fit_name(flat, upstream).into_owned();
        if wire != flat {
            self.flat.insert(wire.clone(), flat.to_owned());
        }
        wire
    }

    /// The client's flat name of a tool that the upstream calls.
    pub(super) fn back<'a>(&'a self, wire: &'a str) -> &'a str {
        self.flat.get(wire).map_or(wire, String::as_str)
    }

    /// How a Responses client calls a tool.
    pub(super) fn native(&self, flat: &str) -> Native {
        self.native
            .get(flat)
            .cloned()
            .unwrap_or_else(|| Native { name: flat.to_owned(), ..Native::default() })
    }
}

/// A flat name for a tool in a namespace. `functions` is the namespace of those that have none.
pub(super) fn flatten(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        None | Some("" | "functions") => name.to_owned(),
        Some(space) => format!("{space}__{name}"),
    }
}

/// Characters of a tool's name: Anthropic takes 128, all others 64 at least.
fn name_limit(dialect: Dialect) -> usize {
    if dialect == Dialect::Messages { 128 } else { 64 }
}

fn fit_name(name: &str, dialect: Dialect) -> Cow<'_, str> {
    let allowed = |c: char| {
        c.is_ascii_alphanumeric()
            || c == '_'
            || c == '-'
            || (dialect == Dialect::Gemini && matches!(c, '.' | ':'))
    };
    let letter_first = dialect == Dialect::Gemini;
    let begins_well = |name: &str| {
        !letter_first || name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
    };
    let limit = name_limit(dialect);
    if !name.is_empty() && name.len() <= limit && name.chars().all(allowed) && begins_well(name) {
        return Cow::Borrowed(name);
    }
    // The server's name says less about a tool than the tool's own.
    let telling = match name.strip_prefix("mcp__").and_then(|rest| rest.rsplit_once("__")) {
        Some((_, tool)) if name.len() > limit && !tool.is_empty() => format!("mcp__{tool}"),
        _ => name.to_owned(),
    };
    let clean: String = telling.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    let clean = if begins_well(&clean) { clean } else { format!("_{clean}") };
    let kept = clean.len().min(limit - SUFFIX_CHARS);
    Cow::Owned(format!("{}_{}", &clean[..kept], suffix(name)))
}

/// A call's id that this dialect takes; the same in, the same out.
pub(super) fn fit_id(id: &str, dialect: Dialect) -> Cow<'_, str> {
    // OpenAI's Chat stops at 40 characters, its Responses at 64; the others name no limit.
    let limit = if dialect == Dialect::Chat { 40 } else { 64 };
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.len() <= limit && id.chars().all(allowed) {
        return Cow::Borrowed(id);
    }
    let clean: String = id.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    let kept = clean.len().min(limit - SUFFIX_CHARS);
    Cow::Owned(format!("{}_{}", &clean[..kept], suffix(id)))
}

/// An underscore and eight hexadecimal digits.
const SUFFIX_CHARS: usize = 9;

fn suffix(whole: &str) -> String {
    Sha256::digest(whole.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_too_long_comes_back() {
        let long = format!("mcp__{}__create_issue", "server".repeat(12));
        let mut names = Names::default();
        let wire = names.wire(&long, Dialect::Chat);
        assert!(wire.starts_with("mcp__create_issue_") && wire.len() <= 64, "{wire}");
        assert_eq!(names.back(&wire), long);
        assert_eq!(names.wire(&long, Dialect::Messages), long, "128 are allowed there");
        assert_eq!(names.back("other"), "other");
    }

    #[test]
    fn names_and_ids_fit_each_dialect() {
        let mut names = Names::default();
        assert_eq!(names.wire("a.b:c", Dialect::Gemini), "a.b:c");
        assert_ne!(names.wire("a.b", Dialect::Chat), names.wire("a:b", Dialect::Chat));
        assert!(names.wire("1st", Dialect::Gemini).starts_with("_1st_"));
        assert!(names.wire("größe", Dialect::Messages).is_ascii());
        assert_eq!(fit_id("toolu_01", Dialect::Chat), "toolu_01");
        assert!(fit_id(&"x".repeat(80), Dialect::Chat).len() <= 40);
        assert!(fit_id("functions.Bash:0", Dialect::Messages).starts_with("functions_Bash_0_"));
        assert_eq!(flatten(Some("functions"), "exec"), "exec");
        assert_eq!(flatten(Some("mcp__lab"), "ping"), "mcp__lab__ping");
    }
}
