//! Errors from one dialect's words into another's.
use super::hub::{Failure, str_of};
use crate::dialect::{Dialect, errors};
use serde_json::Value;

/// Characters of an error that is not the API's own words that are quoted.
const QUOTE_BYTES: usize = 400;

/// What an error under a successful status says; its own words tell the status.
pub(super) fn read_inside(body: &[u8]) -> Failure {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut failure = read(502, body);
    failure.status = from_object(&value["error"], 502).status;
    failure
}

/// What an upstream's error body says, whatever its shape.
pub(super) fn read(status: u16, body: &[u8]) -> Failure {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    // Google's errors may come in an array.
    let value = match &parsed {
        Some(Value::Array(all)) => all.first().unwrap_or(&Value::Null),
        Some(value) => value,
        None => &Value::Null,
    };
    let error = if value["error"].is_null() { value } else { &value["error"] };
    let mut failure = from_object(error, status);
    if failure.message.is_empty() {
        let text = String::from_utf8_lossy(body);
        let quoted = crate::handoff::clip(text.trim(), QUOTE_BYTES);
        failure.message = if quoted.is_empty() {
            format!("The upstream answered {status} without a word.")
        } else {
            format!("The upstream answered {status}: {quoted}")
        };
    }
    failure.status = status;
    failure
}

/// An error object inside a stream or a body; its own words decide the status where they can.
pub(super) fn from_object(error: &Value, fallback: u16) -> Failure {
    let word = |key: &str| match &error[key] {
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    let number = error["code"].as_u64().or_else(|| error["status"].as_u64());
    let words = [word("code"), word("type"), word("status")];
    let telling = |w: &&String| !w.is_empty() && w.as_str() != "error" && w.parse::<u16>().is_err();
    let code = words.iter().find(telling).cloned().unwrap_or_default();
    let by_words = words.iter().find_map(|word| status_of(word));
    let by_number = number.or_else(|| word("code").parse().ok()).and_then(|n| u16::try_from(n).ok());
    let status = by_number.filter(|n| (400..600).contains(n)).or(by_words).unwrap_or(fallback);
    let mut message = error.as_str().map_or_else(|| word("message"), str::to_owned);
    // OpenRouter hides the provider's own words one level deeper.
    let raw = str_of(&error["metadata"], "raw");
    if !raw.is_empty() && !message.contains(raw) {
        message = format!("{message}: {}", crate::handoff::clip(raw, QUOTE_BYTES));
    }
    Failure { status, code, message }
}

fn status_of(word: &str) -> Option<u16> {
    Some(match word {
        "invalid_request_error"
        | "INVALID_ARGUMENT"
        | "FAILED_PRECONDITION"
        | "context_length_exceeded"
        | "invalid_prompt" => 400,
        "authentication_error" | "invalid_api_key" | "UNAUTHENTICATED" => 401,
        "billing_error" => 402,
        "permission_error" | "PERMISSION_DENIED" => 403,
        "not_found_error" | "model_not_found" | "NOT_FOUND" => 404,
        "request_too_large" => 413,
        "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED" | "insufficient_quota" => 429,
        "timeout_error" | "DEADLINE_EXCEEDED" => 504,
        "overloaded_error" | "server_is_overloaded" | "slow_down" | "UNAVAILABLE" => 529,
        "api_error" | "server_error" | "INTERNAL" => 500,
        _ => return None,
    })
}

/// The failure as a body of this dialect, and the status to send it with.
pub(super) fn body(failure: &Failure, client: Dialect) -> (u16, Vec<u8>) {
    let (status, code, message) = worded(failure, client);
    (status, errors::error_body(client, status, &message, &code))
}

/// Status, code and message in a client's own words.
///
/// A full context window is what harnesses act on, and each knows it by its own provider's sentence.
pub(super) fn worded(failure: &Failure, client: Dialect) -> (u16, String, String) {
    if !is_too_long(failure) {
        // 529 is Anthropic's alone.
        let status = match failure.status {
            529 if client != Dialect::Messages => 503,
            503 if client == Dialect::Messages => 529,
            status => status,
        };
        let code = match client {
            Dialect::Chat | Dialect::Responses if openai_knows(&failure.code) => failure.code.clone(),
            _ => String::new(),
        };
        return (status, code, failure.message.clone());
    }
    let words = &failure.message;
    match client {
        Dialect::Messages if words.contains("prompt is too long") => (400, String::new(), words.clone()),
        Dialect::Messages => (400, String::new(), format!("prompt is too long: {words}")),
        Dialect::Chat | Dialect::Responses => (400, "context_length_exceeded".to_owned(), words.clone()),
        Dialect::Gemini if words.contains("input token count") => (400, String::new(), words.clone()),
        Dialect::Gemini => (
            400,
            String::new(),
            format!("The input token count exceeds the maximum number of tokens allowed: {words}"),
        ),
    }
}

/// Codes that OpenAI's clients act on.
fn openai_knows(code: &str) -> bool {
    matches!(
        code,
        "context_length_exceeded"
            | "insufficient_quota"
            | "usage_not_included"
            | "rate_limit_exceeded"
            | "server_is_overloaded"
            | "slow_down"
            | "invalid_api_key"
            | "model_not_found"
            | "invalid_prompt"
            | "server_error"
    )
}

fn is_too_long(failure: &Failure) -> bool {
    const SENTENCES: [&str; 7] = [
        "prompt is too long",
        "maximum context length",
        "context_length_exceeded",
        "exceeds the context window",
        "context window exceed",
        "input token count",
        "maximum prompt length",
    ];
    let said = failure.message.to_ascii_lowercase();
    failure.code == "context_length_exceeded"
        || (failure.status == 400 || failure.status == 413 || failure.status == 422)
            && SENTENCES.iter().any(|sentence| said.contains(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bodies(status: u16, body: &str, client: Dialect) -> (u16, Value) {
        let (status, bytes) = super::body(&read(status, body.as_bytes()), client);
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn every_shape_is_read_and_every_client_reads_its_own() {
        let anthropic = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
        let (status, chat) = bodies(529, anthropic, Dialect::Chat);
        assert_eq!((status, &chat["error"]["message"]), (503, &json!("busy")));
        let openai = r#"{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}"#;
        let (status, messages) = bodies(429, openai, Dialect::Messages);
        assert_eq!((status, &messages["error"]["type"]), (429, &json!("rate_limit_error")));
        let google = r#"[{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}]"#;
        assert_eq!(bodies(403, google, Dialect::Messages).1["error"]["type"], "permission_error");
        assert_eq!(bodies(403, google, Dialect::Gemini).1["error"]["status"], "PERMISSION_DENIED");
        let page = bodies(502, "<html>Bad gateway", Dialect::Responses).1;
        assert!(page["error"]["message"].as_str().unwrap().contains("Bad gateway"));
        assert!(
            bodies(500, "", Dialect::Chat).1["error"]["message"].as_str().unwrap().contains("without a word")
        );
    }

    #[test]
    fn a_full_window_is_said_so_that_each_harness_compacts() {
        let openai = r#"{"error":{"message":"Your input exceeds the context window of this model.","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
        let (status, messages) = bodies(400, openai, Dialect::Messages);
        assert_eq!(status, 400);
        assert!(messages["error"]["message"].as_str().unwrap().starts_with("prompt is too long"));
        let anthropic = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#;
        assert_eq!(bodies(400, anthropic, Dialect::Responses).1["error"]["code"], "context_length_exceeded");
        assert!(
            bodies(400, anthropic, Dialect::Gemini).1["error"]["message"]
                .as_str()
                .unwrap()
                .contains("input token")
        );
    }

    #[test]
    fn words_inside_a_stream_tell_the_status() {
        let inside = |value: Value| from_object(&value, 502);
        assert_eq!(inside(json!({"type": "overloaded_error", "message": "x"})).status, 529);
        assert_eq!(inside(json!({"code": 429, "message": "x"})).status, 429);
        assert_eq!(
            inside(json!({"code": "502", "message": "x", "metadata": {"raw": "gone"}})).message,
            "x: gone"
        );
        assert_eq!(
            inside(json!("plain")),
            Failure { status: 502, code: String::new(), message: "plain".into() }
        );
    }
}
