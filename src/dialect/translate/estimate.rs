//! A guess at a request's tokens, where no upstream can be asked.
use serde_json::Value;

/// Tokens of an image or a page, whatever its bytes.
const MEDIUM_TOKENS: u64 = 1600;

/// Strings beyond this length without a space are bytes, not words.
const WORD_BYTES: usize = 2048;

/// Bytes for a token in JSON of prose and code.
const TOKEN_BYTES: u64 = 4;

/// An estimate of the input tokens of a request in any dialect, from its texts' lengths.
pub fn count_tokens(body: &Value) -> u64 {
    let (mut bytes, mut media) = (0, 0);
    weigh(body, &mut bytes, &mut media);
    (bytes / TOKEN_BYTES + media * MEDIUM_TOKENS).max(1)
}

fn weigh(value: &Value, bytes: &mut u64, media: &mut u64) {
    match value {
        Value::String(text) if text.len() > WORD_BYTES && !text.as_bytes()[..WORD_BYTES].contains(&b' ') => {
            *media += 1;
        }
        Value::String(text) => *bytes += text.len() as u64 + 1,
        Value::Array(all) => all.iter().for_each(|inner| weigh(inner, bytes, media)),
        Value::Object(object) => {
            for (key, inner) in object {
                *bytes += key.len() as u64;
                weigh(inner, bytes, media);
            }
        }
        _ => *bytes += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_count_and_images_do_not_explode() {
        let words = count_tokens(&json!({"messages": [{"role": "user", "content": "word ".repeat(4000)}]}));
        assert!((4500..5500).contains(&words), "{words}");
        let image = count_tokens(&json!({"data": "A".repeat(4_000_000)}));
        assert!(image < 2000, "{image}");
    }
}
