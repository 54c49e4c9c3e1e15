//! Answers to the calls that generate nothing.
use super::Dialect;
use serde_json::{Value, json};

/// A moment for lists that must name one; models have no birthday here.
const SOME_DAY: &str = "2026-01-01T00:00:00Z";
/// A context window for lists that must name one.
const SOME_WINDOW: u32 = 200_000;

/// The list of models, as pairs of wire id and display name.
pub fn models_body(dialect: Dialect, models: &[(&str, &str)]) -> Vec<u8> {
    let ids = || models.iter().map(|(wire, _)| *wire);
    let value = match dialect {
        Dialect::Messages => json!({
            "data": models.iter().map(|(wire, display)| json!({
                "type": "model", "id": wire, "display_name": display, "created_at": SOME_DAY,
            })).collect::<Vec<_>>(),
            "has_more": false,
            "first_id": ids().next(),
            "last_id": ids().next_back(),
        }),
        Dialect::Chat | Dialect::Responses => {
            let data: Vec<Value> = ids()
                .map(|wire| json!({"id": wire, "object": "model", "created": 0, "owned_by": "inspan"}))
                .collect();
            let mut list = json!({"object": "list", "data": data});
            if dialect == Dialect::Responses {
                // Codex asks the same path for its own catalogue and takes an empty one.
                list["models"] = json!([]);
            }
            list
        }
        Dialect::Gemini => json!({"models": models.iter().map(|(wire, display)| json!({
            "name": format!("models/{wire}"),
            "version": "1",
            "displayName": display,
            "inputTokenLimit": SOME_WINDOW,
            "outputTokenLimit": SOME_WINDOW / 4,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        })).collect::<Vec<_>>()}),
    };
    value.to_string().into_bytes()
}

/// The answer to a question for the number of tokens.
pub fn count_tokens_body(dialect: Dialect, tokens: usize) -> Vec<u8> {
    let value = match dialect {
        Dialect::Messages => json!({"input_tokens": tokens}),
        Dialect::Chat | Dialect::Responses => {
            json!({"object": "response.input_tokens", "input_tokens": tokens})
        }
        Dialect::Gemini => json!({"totalTokens": tokens}),
    };
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_their_dialect_s_shape() {
        let models = [("claude-opus-4-6", "claude-opus-4.6"), ("gpt-5.4", "gpt-5.4")];
        let parse = |d| serde_json::from_slice::<Value>(&models_body(d, &models)).unwrap();
        let anthropic = parse(Dialect::Messages);
        assert_eq!(
            (&anthropic["first_id"], &anthropic["last_id"]),
            (&json!("claude-opus-4-6"), &json!("gpt-5.4"))
        );
        assert_eq!(anthropic["data"][0]["display_name"], "claude-opus-4.6");
        assert_eq!(parse(Dialect::Chat)["data"][1]["id"], "gpt-5.4");
        assert_eq!(parse(Dialect::Responses)["models"], json!([]));
        assert_eq!(parse(Dialect::Gemini)["models"][0]["name"], "models/claude-opus-4-6");
        let none: Value = serde_json::from_slice(&models_body(Dialect::Messages, &[])).unwrap();
        assert_eq!(none["first_id"], Value::Null);
    }

    #[test]
    fn counts_have_their_dialect_s_shape() {
        assert_eq!(count_tokens_body(Dialect::Messages, 7), br#"{"input_tokens":7}"#);
        assert_eq!(count_tokens_body(Dialect::Gemini, 7), br#"{"totalTokens":7}"#);
    }
}
