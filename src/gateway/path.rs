//! Paths as the harnesses send them, and as a provider expects them.
use crate::{
    dialect::{self, Endpoint, EndpointKind},
    router::Dialect,
};

/// Path segments of a base URL that may stand before the API's own; a harness's settings may carry such a prefix.
const PREFIX_MAX: usize = 4;

/// Recognises a call, leaving out segments before it that mean nothing here.
pub(super) fn recognise(method: &str, path: &str) -> Option<(Endpoint, String)> {
    let mut rest = path;
    for _ in 0..=PREFIX_MAX {
        if let Some(endpoint) = dialect::endpoint(method, rest) {
            // What is left of a path after dropping all of it is no sign of life asked for.
            if endpoint.kind == EndpointKind::Probe && rest.len() < path.len() {
                return None;
            }
            let path = canonical(&endpoint, rest);
            return Some((endpoint, path));
        }
        let cut = rest.get(1..)?.find('/')? + 1;
        if rest.find('?').is_some_and(|query| query < cut) {
            return None;
        }
        rest = &rest[cut..];
    }
    None
}

/// The call as the provider's reference writes it, without the token that a harness may have put into the query.
fn canonical(endpoint: &Endpoint, path: &str) -> String {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let bare = match (endpoint.dialect, &endpoint.kind) {
        (Dialect::Messages, EndpointKind::CountTokens) => "/v1/messages/count_tokens".to_owned(),
        (Dialect::Messages, EndpointKind::Generate { .. }) => "/v1/messages".to_owned(),
        (Dialect::Chat, EndpointKind::Generate { .. }) => "/v1/chat/completions".to_owned(),
        (Dialect::Responses, EndpointKind::CountTokens) => "/v1/responses/input_tokens".to_owned(),
        (Dialect::Responses, EndpointKind::Generate { .. }) => "/v1/responses".to_owned(),
        (Dialect::Gemini, EndpointKind::Generate { .. } | EndpointKind::CountTokens) => {
            let call = bare.find("/models/").map_or(bare, |at| &bare[at..]);
            let version = ["v1alpha", "v1beta1"].into_iter().find(|v| bare.contains(&format!("/{v}/")));
            format!("/{}{call}", version.unwrap_or("v1beta"))
        }
        _ => bare.to_owned(),
    };
    let kept: Vec<&str> =
        query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("key=")).collect();
    if kept.is_empty() { bare } else { format!("{bare}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(method: &str, path: &str) -> Option<String> {
        recognise(method, path).map(|(_, path)| path)
    }

    #[test]
    fn paths_become_the_providers_own() {
        for (sent, meant) in [
            ("/v1/messages?beta=true", "/v1/messages?beta=true"),
            ("/seat/7/v1/messages", "/v1/messages"),
            ("/v1/v1/messages", "/v1/messages"),
            ("/messages/count_tokens", "/v1/messages/count_tokens"),
            ("/px/v1/responses", "/v1/responses"),
            ("/chat/completions", "/v1/chat/completions"),
            (
                "/v1beta/models/m:streamGenerateContent?alt=sse&key=T",
                "/v1beta/models/m:streamGenerateContent?alt=sse",
            ),
            ("/gw/v1beta/models/a/b:countTokens?key=T", "/v1beta/models/a/b:countTokens"),
            ("/models/m:generateContent", "/v1beta/models/m:generateContent"),
            ("/v1alpha/models/m:generateContent", "/v1alpha/models/m:generateContent"),
            ("/v1/messages?monkey=1", "/v1/messages?monkey=1"),
        ] {
            assert_eq!(path("POST", sent).as_deref(), Some(meant), "{sent}");
        }
    }

    #[test]
    fn what_is_no_call_stays_unknown() {
        assert_eq!(path("POST", "/v1/embeddings"), None);
        assert_eq!(path("GET", "/favicon.ico"), None);
        assert_eq!(path("GET", "/a/b/c/d/e/f/v1/models"), None);
        assert_eq!(path("POST", "/x?y=/v1/messages"), None);
        assert_eq!(path("GET", "/").as_deref(), Some("/"));
    }
}
