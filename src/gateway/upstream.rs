//! The client side: where a request goes, with which headers, and how its failure is told.
use crate::{
    router::{Credential, Dialect, Endpoint, Provider, Route, glob},
    vault::Secret,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use std::{
    error::Error,
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

/// How long a connection to an upstream may take, TLS included. Beyond it the harness's own retry serves better.
pub(super) const CONNECT_WAIT: Duration = Duration::from_secs(15);

/// Where a Messages client names the trial features that it uses.
const BETA: &str = "anthropic-beta";

/// The Messages version that is sent when a harness names none; the API refuses requests without.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Headers that speak about one connection, and those that this gateway sets anew. Credentials of the harness (its
/// pane token, whichever header it came in) end here.
const NOT_FORWARDED: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "host",
    "content-length",
    "accept-encoding",
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "cookie",
    "origin",
    "referer",
];

/// Headers of an answer that speak about the upstream's connection or host, not about the answer.
const NOT_RETURNED: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "set-cookie",
    "alt-svc",
    "strict-transport-security",
];

/// The connection pools, made when they are first needed.
#[derive(Default)]
pub(super) struct Upstream {
    /// For `https`; reads the system's roots, and honours the proxy variables of the server's environment.
    tls: Mutex<Option<reqwest::Client>>,
    /// For `http`, which is only this machine: no roots, no proxy.
    plain: Mutex<Option<reqwest::Client>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    /// This machine cannot even try.
    #[error("{0}")]
    Client(String),
    /// No connection.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// A connection, and then no answer.
    #[error("broke the connection before answering: {0}")]
    Broken(String),
}

impl Upstream {
    /// Sends one request and resolves to the answer's head.
    ///
    /// # Errors
    /// No connection, no answer, or no usable TLS on this machine.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<reqwest::Response, UpstreamError> {
        let client = self.client(url.starts_with("https:"))?;
        let request = client.request(method, url).headers(headers).body(body);
        request.send().await.map_err(|error| {
            let (connect, builder) = (error.is_connect(), error.is_builder());
            let words = root(&error.without_url());
            match (connect, builder) {
                (_, true) => UpstreamError::Client(format!("cannot be asked: {words}")),
                (true, _) => UpstreamError::Unreachable(words),
                _ => UpstreamError::Broken(words),
            }
        })
    }

    fn client(&self, tls: bool) -> Result<reqwest::Client, UpstreamError> {
        let slot = if tls { &self.tls } else { &self.plain };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*slot {
            return Ok(client.clone());
        }
        install_crypto();
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_WAIT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("inspan");
        let builder = if tls { builder } else { builder.no_proxy().tls_certs_only([]) };
        // Not remembered when it fails: installing the certificates is a remedy that needs no restart.
        let client = builder.build().map_err(|error| {
            UpstreamError::Client(format!(
                "cannot be asked over TLS from this machine: {}; install the system's CA certificates",
                root(&error)
            ))
        })?;
        *slot = Some(client.clone());
        Ok(client)
    }
}

/// Makes ring the process's cryptography, once; reqwest panics without one.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error only says that someone was first, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// `base` and `path` joined once: bases are written with and without the version that the path begins with.
pub(super) fn join(base: &str, path: &str) -> String {
    let base = base.trim_end_matches('/');
    let overlap = ["/v1beta", "/v1"].into_iter().find(|version| {
        base.ends_with(version) && path.strip_prefix(version).is_some_and(|rest| rest.starts_with('/'))
    });
    format!("{base}{}", &path[overlap.map_or(0, str::len)..])
}

/// The headers of a request that this gateway wrote itself.
pub(super) fn plain_headers(stream: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = if stream { "text/event-stream" } else { "application/json" };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    headers
}

/// Where a request with this path goes on a route.
pub(super) fn url(route: &Route, path: &str) -> String {
    match &route.gateway {
        Some(endpoint) if endpoint.versionless => {
            let bare = ["/v1beta/", "/v1/"].iter().find_map(|version| path.strip_prefix(version));
            bare.map_or_else(|| join(&route.base_url, path), |rest| format!("{}/{rest}", route.base_url))
        }
        _ => join(&route.base_url, path),
    }
}

/// The request headers for the upstream: the harness's, without its connection and credentials, with the route's.
/// `secrets` resolves what a declared gateway's headers refer to. `None` when a value cannot stand in a header, or a
/// reference has no secret.
pub(super) fn request_headers(
    from: &HeaderMap,
    route: &Route,
    secret: &Secret,
    secrets: &dyn Fn(&str) -> Option<Secret>,
) -> Option<HeaderMap> {
    let named = connection_names(from);
    let mut headers = HeaderMap::with_capacity(from.len() + 3);
    for (name, value) in from {
        if !NOT_FORWARDED.contains(&name.as_str()) && !named.contains(name) {
            headers.append(name, value.clone());
        }
    }
    // The meter reads the answer, and the bytes go on as they came: so they must come plain.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let bearer = || sensitive(&format!("Bearer {}", secret.expose()));
    let own = route.gateway.as_ref().map(|endpoint| (endpoint.auth.as_str(), endpoint.scheme.as_str()));
    match route.provider {
        _ if own.is_some_and(|(auth, _)| !auth.is_empty()) => {
            let (name, scheme) = own.unwrap_or_default();
            let value = match scheme {
                "" => sensitive(secret.expose())?,
                scheme => sensitive(&format!("{scheme} {}", secret.expose()))?,
            };
            headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
        }
        Provider::Anthropic => {
            if route.credential.ends_with("_AUTH_TOKEN") {
                headers.insert(header::AUTHORIZATION, bearer()?);
            } else {
                headers.insert("x-api-key", sensitive(secret.expose())?);
            }
        }
        Provider::Google => {
            headers.insert("x-goog-api-key", sensitive(secret.expose())?);
        }
        Provider::OpenAi
        | Provider::OpenRouter
        | Provider::Xai
        | Provider::Rehearsal
        | Provider::Declared => {
            headers.insert(header::AUTHORIZATION, bearer()?);
        }
    }
    if route.upstream_dialect == Dialect::Messages {
        headers.entry("anthropic-version").or_insert(HeaderValue::from_static(ANTHROPIC_VERSION));
    }
    if let Some(endpoint) = &route.gateway {
        declared_headers(&mut headers, endpoint, secrets)?;
    }
    Some(headers)
}

/// What a declared gateway's headers say, and which words of `anthropic-beta` it does not take.
fn declared_headers(
    headers: &mut HeaderMap,
    endpoint: &Endpoint,
    secrets: &dyn Fn(&str) -> Option<Secret>,
) -> Option<()> {
    for (name, value) in &endpoint.headers {
        let (before, last) =
            value.rsplit_once(' ').map_or(("", value.as_str()), |(before, last)| (before, last));
        let value = match last.parse::<Credential>() {
            Ok(_) => {
                let secret = secrets(last)?;
                let space = if before.is_empty() { "" } else { " " };
                sensitive(&format!("{before}{space}{}", secret.expose()))?
            }
            Err(_) => HeaderValue::from_str(value).ok()?,
        };
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    if endpoint.deny_betas.is_empty() {
        return Some(());
    }
    let denied = |word: &str| endpoint.deny_betas.iter().any(|pattern| glob(pattern, word));
    let left: Vec<String> = headers
        .get_all(BETA)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty() && !denied(word))
        .map(str::to_owned)
        .collect();
    headers.remove(BETA);
    if !left.is_empty() {
        headers.insert(BETA, HeaderValue::from_str(&left.join(",")).ok()?);
    }
    Some(())
}

/// The answer's headers for the harness; a value that holds the secret does not go back.
pub(super) fn response_headers(from: &HeaderMap, secret: &Secret) -> HeaderMap {
    let named = connection_names(from);
    let secret = secret.expose().as_bytes();
    let mut headers = HeaderMap::with_capacity(from.len());
    for (name, value) in from {
        let echoes = memchr::memmem::find(value.as_bytes(), secret).is_some();
        if !NOT_RETURNED.contains(&name.as_str()) && !named.contains(name) && !echoes {
            headers.append(name, value.clone());
        }
    }
    headers
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Headers that `Connection` declares to be about this hop.
fn connection_names(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

/// The cause behind an error's causes: what the layers above it add is where they were called.
pub(super) fn root(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::tests::route;

    #[test]
    fn a_machine_without_certificates_gets_a_sentence() {
        // Which of the two it is depends on the machine; neither panics, and only a client is remembered.
        let upstream = Upstream::default();
        match upstream.client(true) {
            Ok(_) => assert!(upstream.tls.lock().unwrap().is_some()),
            Err(error) => {
                assert!(error.to_string().contains("install the system's CA certificates"), "{error}")
            }
        }
        assert!(upstream.client(false).is_ok(), "plain connections need none");
    }

    #[test]
    fn bases_join_with_and_without_their_version() {
        for (base, path, url) in [
            ("https://a.example", "/v1/messages?beta=true", "https://a.example/v1/messages?beta=true"),
            ("https://a.example/v1", "/v1/responses", "https://a.example/v1/responses"),
            (
                "https://a.example/api/v1/",
                "/v1/chat/completions",
                "https://a.example/api/v1/chat/completions",
            ),
            (
                "https://g.example/v1beta",
                "/v1beta/models/m:generateContent",
                "https://g.example/v1beta/models/m:generateContent",
            ),
            ("https://g.example/v1", "/v1beta/models", "https://g.example/v1/v1beta/models"),
        ] {
            assert_eq!(join(base, path), url);
        }
    }

    #[test]
    fn harness_credentials_stay_and_the_routes_are_set() {
        let mut from = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer pane"),
            ("x-api-key", "pane"),
            ("x-goog-api-key", "pane"),
            ("connection", "x-hop, close"),
            ("x-hop", "1"),
            ("anthropic-beta", "b"),
            ("accept-encoding", "zstd"),
        ] {
            from.insert(name, HeaderValue::from_static(value));
        }
        let secret = Secret::new("sk-real");
        let sent = |provider, credential: &str| {
            let route = Route { provider, credential: credential.into(), ..route("http://x") };
            request_headers(&from, &route, &secret, &|_| None).unwrap()
        };
        let headers = sent(Provider::Anthropic, "env:ANTHROPIC_API_KEY");
        assert_eq!(headers["x-api-key"], "sk-real");
        assert_eq!(headers["anthropic-version"], ANTHROPIC_VERSION);
        assert_eq!(headers["anthropic-beta"], "b");
        assert_eq!(headers["accept-encoding"], "identity");
        assert!(!headers.contains_key("authorization") && !headers.contains_key("x-hop"));
        let headers = sent(Provider::Anthropic, "env:ANTHROPIC_AUTH_TOKEN");
        assert!(headers["authorization"] == "Bearer sk-real" && !headers.contains_key("x-api-key"));
        let headers = sent(Provider::Google, "env:GEMINI_API_KEY");
        assert!(headers["x-goog-api-key"] == "sk-real" && !headers.contains_key("authorization"));
        assert_eq!(sent(Provider::Xai, "env:XAI_API_KEY")["authorization"], "Bearer sk-real");
        assert!(!format!("{headers:?}").contains("sk-real"));
    }

    #[test]
    fn a_declared_gateway_gets_its_own_headers_and_no_word_that_it_does_not_take() {
        let mut from = HeaderMap::new();
        from.insert("authorization", HeaderValue::from_static("Bearer pane"));
        from.append("anthropic-beta", HeaderValue::from_static("tools-2024, context-1m-2025"));
        from.append("anthropic-beta", HeaderValue::from_static("other"));
        let headers = [("helicone-auth", "Bearer env:HELICONE"), ("x-team", "two words")];
        let endpoint = Endpoint {
            auth: "cf-aig-authorization".into(),
            scheme: "Bearer".into(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            deny_betas: vec!["context-*".into()],
            versionless: true,
            ..Endpoint::default()
        };
        let route = Route {
            provider: Provider::Declared,
            gateway: Some(endpoint),
            upstream_dialect: Dialect::Messages,
            ..route("https://gw.example/a")
        };
        let secrets = |reference: &str| (reference == "env:HELICONE").then(|| Secret::new("sk-helicone"));
        let sent = request_headers(&from, &route, &Secret::new("sk-real"), &secrets).unwrap();
        assert_eq!(sent["cf-aig-authorization"], "Bearer sk-real");
        assert_eq!(sent["helicone-auth"], "Bearer sk-helicone");
        assert_eq!(sent["x-team"], "two words");
        assert_eq!(sent["anthropic-version"], ANTHROPIC_VERSION);
        assert_eq!(sent.get_all("anthropic-beta").iter().collect::<Vec<_>>(), ["tools-2024,other"]);
        assert!(!sent.contains_key("authorization"));
        assert!(!format!("{sent:?}").contains("sk-"));
        assert!(
            request_headers(&from, &route, &Secret::new("sk-real"), &|_| None).is_none(),
            "no secret, no request"
        );
        assert_eq!(url(&route, "/v1/chat/completions"), "https://gw.example/a/chat/completions");
    }
}
