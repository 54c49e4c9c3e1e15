//! Sizes: estimates of tokens, and cutting text without breaking it.

/// Bytes that one token is taken to have. English prose and code lie between 3.5 and 4.5; an estimate is all that
/// is promised.
const BYTES_PER_TOKEN: usize = 4;

/// Room that the note about what was cut may take.
const NOTE_BYTES: usize = 48;

/// Estimates the tokens of a text as a quarter of its bytes, at least one for text that is not empty.
pub fn estimate_tokens(text: &str) -> usize {
    text.len().div_ceil(BYTES_PER_TOKEN)
}

/// The bytes that so many tokens are taken to have.
pub(super) fn bytes_of_tokens(tokens: usize) -> usize {
    tokens.saturating_mul(BYTES_PER_TOKEN)
}

/// Keeps the beginning and the end of a text within `limit` bytes and says how much was left out between.
///
/// Cuts only between characters. A limit too small for the note keeps the beginning alone.
pub fn clip(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    if limit < NOTE_BYTES * 2 {
        return text[..floor(text, limit)].to_owned();
    }
    let kept = limit - NOTE_BYTES;
    let head = floor(text, kept * 2 / 3);
    let tail = ceil(text, text.len() - (kept - kept * 2 / 3));
    format!("{}\n[{} bytes left out]\n{}", &text[..head], tail - head, &text[tail..])
}

/// The last character boundary at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// The first character boundary at or after `at`.
fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_text_stays_whole() {
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens("abcde"), 2);
    }

    #[test]
    fn both_ends_survive() {
        let text = format!("first{}last", "x".repeat(1000));
        let cut = clip(&text, 200);
        assert!(cut.starts_with("first") && cut.ends_with("last"), "{cut}");
        assert!(cut.contains("bytes left out"), "{cut}");
    }

    proptest! {
        #[test]
        fn a_clip_is_never_larger_than_its_limit(text in "\\PC{0,400}", limit in 0usize..600) {
            prop_assert!(clip(&text, limit).len() <= limit.max(text.len().min(limit)));
        }
    }
}
