//! Replaces secrets by references before a text leaves one harness for another.

/// Fewer characters than this after a prefix are not taken for a key.
const SHORTEST_KEY: usize = 16;
/// A private key block without its end is removed up to this many bytes, so that a broken block cannot leak.
const LONGEST_BLOCK: usize = 16 * 1024;

/// A key that announces itself by its first characters.
struct Shape {
    prefix: &'static str,
    kind: &'static str,
    /// Characters needed after the prefix.
    least: usize,
}

/// Longer prefixes before their own beginnings: the first that fits wins.
const SHAPES: &[Shape] = &[
    Shape { prefix: "sk-ant-", kind: "anthropic key", least: SHORTEST_KEY },
    Shape { prefix: "sk-or-", kind: "openrouter key", least: SHORTEST_KEY },
    Shape { prefix: "sk_live_", kind: "payment key", least: SHORTEST_KEY },
    Shape { prefix: "sk-", kind: "openai key", least: 20 },
    Shape { prefix: "AIza", kind: "google key", least: 30 },
    Shape { prefix: "ya29.", kind: "google token", least: 20 },
    Shape { prefix: "github_pat_", kind: "github token", least: 20 },
    Shape { prefix: "ghp_", kind: "github token", least: 20 },
    Shape { prefix: "gho_", kind: "github token", least: 20 },
    Shape { prefix: "ghu_", kind: "github token", least: 20 },
    Shape { prefix: "ghs_", kind: "github token", least: 20 },
    Shape { prefix: "ghr_", kind: "github token", least: 20 },
    Shape { prefix: "glpat-", kind: "gitlab token", least: SHORTEST_KEY },
    Shape { prefix: "AKIA", kind: "aws key", least: SHORTEST_KEY },
    Shape { prefix: "ASIA", kind: "aws key", least: SHORTEST_KEY },
    Shape { prefix: "xai-", kind: "xai key", least: 20 },
    Shape { prefix: "xoxb-", kind: "slack token", least: SHORTEST_KEY },
    Shape { prefix: "xoxp-", kind: "slack token", least: SHORTEST_KEY },
    Shape { prefix: "hf_", kind: "hugging face token", least: 20 },
    Shape { prefix: "npm_", kind: "npm token", least: 30 },
    Shape { prefix: "eyJ", kind: "signed token", least: 40 },
];

/// The ends of upper-case variable names whose values are secrets.
const SECRET_NAMES: &[&str] =
    &["_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "PASSWORD", "_PASSWD", "_CREDENTIALS"];

/// Replaces every secret that can be recognised by a reference such as `[secret: anthropic key, kept in the vault]`.
///
/// Returns the text and the kinds that were replaced, in order. Redacting twice changes nothing more.
pub fn redact(text: &str) -> (String, Vec<&'static str>) {
    let mut out = String::with_capacity(text.len());
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let hit = secret_at(text, at);
        if let Some((start, end, kind)) = hit {
            out.push_str(&text[at..start]);
            out.push_str("[secret: ");
            out.push_str(kind);
            out.push_str(", kept in the vault]");
            found.push(kind);
            at = end;
        } else {
            let next = text[at..].chars().next().map_or(1, char::len_utf8);
            out.push_str(&text[at..at + next]);
            at += next;
        }
    }
    (out, found)
}

/// A secret whose announcement begins at `at`: where the secret itself starts and ends, and its kind.
fn secret_at(text: &str, at: usize) -> Option<(usize, usize, &'static str)> {
    let rest = &text[at..];
    let before = text[..at].chars().next_back();
    if rest.starts_with("-----BEGIN ") {
        return private_block(rest).map(|len| (at, at + len, "private key"));
    }
    if rest.starts_with("://") {
        return credentials_in_url(rest).map(|(from, to)| (at + from, at + to, "password"));
    }
    if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return None;
    }
    for shape in SHAPES {
        if let Some(tail) = rest.strip_prefix(shape.prefix) {
            let len = token_len(tail);
            if len >= shape.least && tail[..len].bytes().any(|b| b.is_ascii_digit()) {
                return Some((at, at + shape.prefix.len() + len, shape.kind));
            }
        }
    }
    if rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("bearer ")) {
        let len = token_len(&rest[7..]);
        return (len >= SHORTEST_KEY).then_some((at + 7, at + 7 + len, "bearer token"));
    }
    assigned(rest).map(|(from, to)| (at + from, at + to, "value of a secret variable"))
}

/// Characters of keys in base64, base64url and hex; a sentence's full stop at the end is not part of one.
fn token_len(text: &str) -> usize {
    let is_key = |b: &u8| b.is_ascii_alphanumeric() || b"-_.+/=~".contains(b);
    let len = text.bytes().take_while(is_key).count();
    text[..len].trim_end_matches(['.', '/']).len()
}

fn private_block(rest: &str) -> Option<usize> {
    let header = rest.lines().next()?;
    if !header.contains("PRIVATE KEY") {
        return None;
    }
    let window = &rest[..crate::handoff::bound::floor(rest, LONGEST_BLOCK)];
    let Some(end) = window.find("-----END ") else {
        return Some(window.len());
    };
    let line = window[end..].find("KEY-----").map_or(window.len(), |i| end + i + "KEY-----".len());
    Some(line)
}

/// `://user:password@host`: the password.
fn credentials_in_url(rest: &str) -> Option<(usize, usize)> {
    let authority = rest[3..].split(|c: char| c.is_whitespace() || "/?#\"'<>`".contains(c)).next()?;
    let (user_info, _) = authority.rsplit_once('@')?;
    let (user, password) = user_info.split_once(':')?;
    let from = 3 + user.len() + 1;
    (!password.is_empty() && !password.starts_with('[')).then_some((from, from + password.len()))
}

/// `NAME_KEY=value` or `NAME_KEY: "value"` with an upper-case name: the value.
fn assigned(rest: &str) -> Option<(usize, usize)> {
    let name =
        rest.bytes().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_').count();
    if name < 6 || !SECRET_NAMES.iter().any(|end| rest[..name].ends_with(end)) {
        return None;
    }
    let mut from = name;
    from += rest[from..].bytes().take_while(|b| b"\"' ".contains(b)).count();
    if !rest[from..].starts_with(['=', ':']) {
        return None;
    }
    from += 1;
    from += rest[from..].bytes().take_while(|b| b"\"' ".contains(b)).count();
    let len = token_len(&rest[from..]);
    (len >= 12).then_some((from, from + len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Built at run time, so that no scanner of repositories takes this file for a leak.
    fn planted() -> Vec<(String, &'static str)> {
        let body = "Ab3dEf6hIj9lMn2pQr5tUv8xYz1BcD4f";
        let mut all: Vec<_> = SHAPES.iter().map(|s| (format!("{}{body}{body}", s.prefix), s.kind)).collect();
        all.push((format!("bearer {body}"), "bearer token"));
        all
    }

    #[test]
    fn every_shape_is_replaced_and_named() {
        for (secret, kind) in planted() {
            let (clean, found) = redact(&format!("use {secret}. ok"));
            assert_eq!(found, [kind], "{secret}");
            let body = secret.rsplit(' ').next().unwrap();
            assert!(!clean.contains(body), "{clean}");
            assert!(clean.ends_with(". ok"), "{clean}");
            assert!(clean.contains(&format!("[secret: {kind}, kept in the vault]")), "{clean}");
        }
    }

    #[test]
    fn private_keys_passwords_and_variables_go() {
        let pem =
            format!("-----BEGIN OPENSSH {0}-----\nabc\ndef\n-----END OPENSSH {0}-----\nafter", "PRIVATE KEY");
        let (clean, found) = redact(&pem);
        assert_eq!(clean, "[secret: private key, kept in the vault]\nafter");
        assert_eq!(found, ["private key"]);
        let (clean, _) = redact("git clone https://me:hunter22@example.org/x");
        assert_eq!(clean, "git clone https://me:[secret: password, kept in the vault]@example.org/x");
        let (clean, _) = redact("export STRIPE_SECRET='whsec/abcdefghijkl'");
        assert_eq!(clean, "export STRIPE_SECRET='[secret: value of a secret variable, kept in the vault]'");
    }

    #[test]
    fn a_block_without_its_end_does_not_leak() {
        let (clean, _) = redact(&format!("-----BEGIN RSA {}-----\nabc\ndef", "PRIVATE KEY"));
        assert!(!clean.contains("def"), "{clean}");
    }

    #[test]
    fn ordinary_words_stay() {
        for text in [
            "task-sk-1234567890123456789012",
            "sk-learn-is-a-library-for-python",
            "the bearer of news",
            "-----BEGIN CERTIFICATE-----\nabc",
            "https://example.org:8080/a@b",
            "MAX_TOKENS=32000",
            "PRIMARY_KEY: id",
        ] {
            assert_eq!(redact(text), (text.to_owned(), vec![]));
        }
    }

    proptest! {
        #[test]
        fn redacting_twice_changes_nothing_more(text in "(\\PC|\n){0,200}", pick in 0usize..30) {
            let planted = planted();
            let (secret, _) = &planted[pick % planted.len()];
            let (once, _) = redact(&format!("{text} {secret} {text}"));
            prop_assert!(!once.contains(secret.as_str()));
            prop_assert_eq!(redact(&once).0, once);
        }
    }
}
