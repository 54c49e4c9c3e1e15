//! Which call a path is, and where its model is named.
use super::Dialect;
use serde_json::Value;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// An answer of the model.
    Generate {
        /// Whether the path itself asks for a stream; `None` when the body says it.
        stream_in_path: Option<bool>,
    },
    /// How many tokens a request would have.
    CountTokens,
    /// The list of models, or one of them.
    Models,
    /// A sign of life.
    Probe,
}

/// A call that the gateway knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The wire shape. `/v1/models` and probes exist in several: the caller prefers its pane's own there.
    pub dialect: Dialect,
    /// What is asked.
    pub kind: EndpointKind,
    /// The model, where the path names it.
    pub model_in_path: Option<String>,
}

/// Recognises a call by its method and path; a query is ignored, and a missing or repeated version is forgiven.
///
/// Returns `None` for everything else, a WebSocket upgrade of `/v1/responses` (a GET) included.
pub fn endpoint(method: &str, path: &str) -> Option<Endpoint> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let versions = segments.iter().take_while(|s| is_version(s)).count();
    let google = segments[..versions].iter().any(|s| s.starts_with("v1") && s.len() > 2);
    segments.drain(..versions);
    let read = matches!(method, "GET" | "HEAD");
    let found = |dialect, kind| Some(Endpoint { dialect, kind, model_in_path: None });
    let generate = EndpointKind::Generate { stream_in_path: None };
    match (segments.as_slice(), method) {
        (["messages"], "POST") => found(Dialect::Messages, generate),
        (["messages", "count_tokens"], "POST") => found(Dialect::Messages, EndpointKind::CountTokens),
        (["chat", "completions"], "POST") => found(Dialect::Chat, generate),
        (["responses"], "POST") => found(Dialect::Responses, generate),
        (["responses", "input_tokens"], "POST") => found(Dialect::Responses, EndpointKind::CountTokens),
        ([] | ["api", "hello"], _) if read => found(Dialect::Messages, EndpointKind::Probe),
        (["models"], _) if read => {
            // Claude Code pages through models; the OpenAI shape knows no limit.
            let paged = query.split('&').any(|pair| pair.starts_with("limit="));
            let dialect = match (google, paged) {
                (true, _) => Dialect::Gemini,
                (false, true) => Dialect::Messages,
                (false, false) => Dialect::Chat,
            };
            found(dialect, EndpointKind::Models)
        }
        (["models", name @ ..], "POST") => gemini_call(&name.join("/")),
        (["models", name @ ..], _) if read => Some(Endpoint {
            dialect: if google { Dialect::Gemini } else { Dialect::Chat },
            kind: EndpointKind::Models,
            model_in_path: Some(decode(&name.join("/"))),
        }),
        _ => None,
    }
}

fn is_version(segment: &str) -> bool {
    matches!(segment, "v1" | "v1beta" | "v1beta1" | "v1alpha")
}

fn gemini_call(rest: &str) -> Option<Endpoint> {
    let (model, verb) = rest.rsplit_once(':')?;
    let kind = match verb {
        "generateContent" => EndpointKind::Generate { stream_in_path: Some(false) },
        "streamGenerateContent" => EndpointKind::Generate { stream_in_path: Some(true) },
        "countTokens" => EndpointKind::CountTokens,
        _ => return None,
    };
    (!model.is_empty()).then(|| Endpoint {
        dialect: Dialect::Gemini,
        kind,
        model_in_path: Some(decode(model)),
    })
}

/// Puts another model into a Gemini path; everything else, the query included, stays byte for byte.
///
/// Returns the path unchanged when it names no model.
pub fn splice_path(path: &str, model: &str) -> String {
    let (before_query, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let Some(start) = before_query.find("/models/").map(|i| i + "/models/".len()) else {
        return path.to_owned();
    };
    let end = before_query[start..].rfind(':').map_or(before_query.len(), |i| start + i);
    format!("{}{}{}{query}", &before_query[..start], encode(model), &before_query[end..])
}

/// The model that a request names, from its path or its body.
pub fn asked_model(endpoint: &Endpoint, body: &Value) -> Option<String> {
    endpoint.model_in_path.clone().or_else(|| body["model"].as_str().map(str::to_owned))
}

/// Whether the answer should be a stream.
pub fn wants_stream(endpoint: &Endpoint, body: &Value) -> bool {
    match endpoint.kind {
        EndpointKind::Generate { stream_in_path: Some(stream) } => stream,
        EndpointKind::Generate { stream_in_path: None } => body["stream"].as_bool().unwrap_or(false),
        _ => false,
    }
}

/// Resolves `%XX`; what is not a valid escape stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        out.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// Escapes what would end or break the path.
fn encode(model: &str) -> String {
    model.bytes().fold(String::new(), |mut out, b| {
        match b {
            b if b.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,;=".contains(&b) => out.push(b.into()),
            b => out.push_str(&format!("%{b:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(method: &str, path: &str) -> Option<(Dialect, EndpointKind)> {
        endpoint(method, path).map(|e| (e.dialect, e.kind))
    }

    #[test]
    fn the_calls_of_every_cli() {
        let generate = EndpointKind::Generate { stream_in_path: None };
        for (path, dialect) in [
            ("/v1/messages?beta=true", Dialect::Messages),
            ("/messages", Dialect::Messages),
            ("/v1/v1/messages", Dialect::Messages),
            ("/v1/chat/completions", Dialect::Chat),
            ("/chat/completions/", Dialect::Chat),
            ("/v1/responses", Dialect::Responses),
        ] {
            assert_eq!(kind("POST", path), Some((dialect, generate.clone())), "{path}");
        }
        assert_eq!(
            kind("POST", "/v1/messages/count_tokens?beta=true"),
            Some((Dialect::Messages, EndpointKind::CountTokens))
        );
        assert_eq!(kind("HEAD", "/"), Some((Dialect::Messages, EndpointKind::Probe)));
        assert_eq!(kind("GET", "/v1/models"), Some((Dialect::Chat, EndpointKind::Models)));
        assert_eq!(kind("GET", "/v1/models?limit=1000"), Some((Dialect::Messages, EndpointKind::Models)));
        assert_eq!(kind("GET", "/v1beta/models"), Some((Dialect::Gemini, EndpointKind::Models)));
        for (method, path) in [("GET", "/v1/responses"), ("POST", "/v1/embeddings"), ("DELETE", "/")] {
            assert_eq!(endpoint(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn gemini_names_model_and_stream_in_its_path() {
        let stream = endpoint("POST", "/v1beta/models/openai/gpt-5.4:streamGenerateContent?alt=sse").unwrap();
        assert_eq!(stream.model_in_path.as_deref(), Some("openai/gpt-5.4"));
        assert!(wants_stream(&stream, &Value::Null));
        let whole = endpoint("POST", "/v1beta/models/kimi%2Dk2.5:generateContent").unwrap();
        assert_eq!(asked_model(&whole, &serde_json::json!({"model": "other"})).unwrap(), "kimi-k2.5");
        assert!(!wants_stream(&whole, &serde_json::json!({"stream": true})));
        assert_eq!(endpoint("POST", "/v1beta/models/x:embedContent"), None);
        assert_eq!(endpoint("POST", "/v1beta/models/:generateContent"), None);
    }

    #[test]
    fn only_the_model_of_a_path_changes() {
        assert_eq!(
            splice_path("/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse&key=a:b", "x y/z"),
            "/v1beta/models/x%20y/z:streamGenerateContent?alt=sse&key=a:b"
        );
        assert_eq!(splice_path("/v1/messages", "x"), "/v1/messages");
    }
}
