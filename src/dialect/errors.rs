//! Errors in each dialect's own words, before and inside a stream.
use super::Dialect;
use serde_json::{Value, json};

/// An error body of this dialect for a response with this status.
///
/// `code` is a stable id such as a refusal's rule; it may be empty. Anthropic's shape has no place for it.
pub fn error_body(dialect: Dialect, status: u16, message: &str, code: &str) -> Vec<u8> {
    error_value(dialect, status, message, code).to_string().into_bytes()
}

/// The event that ends a stream of this dialect with an error.
///
/// Write it only where the stream stands between two events ([`super::Meter::at_boundary`]); inside a begun event
/// it would be read as a part of that, and closing the connection is the honest end.
pub fn stream_error(dialect: Dialect, status: u16, message: &str, code: &str) -> Vec<u8> {
    let error = error_value(dialect, status, message, code);
    let text = match dialect {
        Dialect::Messages => format!("event: error\ndata: {error}\n\n"),
        Dialect::Chat => format!("data: {error}\n\n"),
        // Codex passes over `error` events and reads only a failed response.
        Dialect::Responses => {
            let event = json!({
                "type": "response.failed",
                "sequence_number": 0,
                "response": {
                    "id": "resp_failed", "object": "response", "created_at": 0, "status": "failed", "model": "",
                    "output": [], "usage": null, "incomplete_details": null,
                    "error": {"code": error["error"]["code"], "message": message},
                },
            });
            format!("event: response.failed\ndata: {event}\n\n")
        }
        Dialect::Gemini => format!("data: {error}\r\n\r\n"),
    };
    text.into_bytes()
}

pub(super) fn error_value(dialect: Dialect, status: u16, message: &str, code: &str) -> Value {
    match dialect {
        Dialect::Messages => json!({
            "type": "error",
            "error": {"type": anthropic_type(status), "message": message},
            "request_id": null,
        }),
        Dialect::Chat | Dialect::Responses => {
            let (kind, own_code) = openai_words(status);
            // What is paid or not is told by the vendor's own code: harnesses know it, and our rule is in the message.
            let code = if code.is_empty() || status == 402 { own_code } else { code };
            json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
        }
        Dialect::Gemini => {
            let mut error = json!({"code": status, "message": message, "status": google_status(status)});
            let mut details = Vec::new();
            if !code.is_empty() {
                details.push(json!({
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code, "domain": "inspan",
                }));
            }
            if status == 429 {
                details.push(json!({
                    "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s",
                }));
            }
            error["details"] = Value::from(details);
            json!({"error": error})
        }
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

fn openai_words(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("invalid_request_error", "invalid_api_key"),
        402 => ("insufficient_quota", "insufficient_quota"),
        404 => ("invalid_request_error", "model_not_found"),
        429 => ("rate_limit_error", "rate_limit_exceeded"),
        400..=499 => ("invalid_request_error", "invalid_request_error"),
        503 | 529 => ("server_error", "server_is_overloaded"),
        _ => ("server_error", "server_error"),
    }
}

fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 => "FAILED_PRECONDITION",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        400..=499 => "INVALID_ARGUMENT",
        504 => "DEADLINE_EXCEEDED",
        503 | 529 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{End, Meter};

    const ALL: [Dialect; 4] = [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Gemini];

    #[test]
    fn each_body_has_its_dialect_s_own_shape() {
        let parse =
            |d, status| serde_json::from_slice::<Value>(&error_body(d, status, "no", "rule.x")).unwrap();
        assert_eq!(
            parse(Dialect::Messages, 529),
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "no"}, "request_id": null})
        );
        let openai = parse(Dialect::Responses, 400);
        assert_eq!((&openai["error"]["code"], &openai["error"]["param"]), (&json!("rule.x"), &Value::Null));
        let google = parse(Dialect::Gemini, 429);
        assert_eq!(google["error"]["status"], "RESOURCE_EXHAUSTED");
        assert_eq!(google["error"]["details"][0]["reason"], "rule.x");
    }

    #[test]
    fn an_error_inside_a_stream_is_read_as_one() {
        for dialect in ALL {
            let mut meter = Meter::new(dialect);
            meter.feed(b": ping\n\n");
            assert!(meter.at_boundary());
            meter.feed(&stream_error(dialect, 502, "upstream closed", ""));
            let end = meter.finish().end;
            assert!(
                matches!(&end, End::Failed(words) if words.contains("upstream closed")),
                "{dialect}: {end:?}"
            );
        }
    }
}
