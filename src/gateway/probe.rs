//! Asking an endpoint whether it takes a key, by the cheapest request that needs one: the list of its models.
use super::upstream::{self, Upstream};
use crate::{
    router::{Dialect, Provider, Route},
    vault::Secret,
};
use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use std::time::Duration;

/// How long an endpoint may take; a list of models is small.
const PROBE_WAIT: Duration = Duration::from_secs(20);

/// Asks the route's upstream with `secret`; `secrets` resolves the references of its headers. Blocks.
///
/// # Errors
/// What is wrong, in words: the key is not accepted, nobody answers, or the answer is none of an API.
pub fn probe(
    route: &Route,
    secret: &Secret,
    secrets: &dyn Fn(&str) -> Option<Secret>,
) -> Result<String, String> {
    let path = match (route.upstream_dialect, route.provider) {
        (Dialect::Gemini, _) => "/v1beta/models",
        // Its list of models is open to everyone; this is not.
        (_, Provider::OpenRouter) => "/v1/key",
        _ => "/v1/models",
    };
    let url = upstream::url(route, path);
    let headers = upstream::request_headers(&HeaderMap::new(), route, secret, secrets)
        .ok_or("the key cannot be sent in a header")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let upstream = Upstream::default();
    let host = reqwest::Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.unwrap_or_default();
    let asked = runtime.block_on(async {
        tokio::time::timeout(PROBE_WAIT, upstream.send(Method::GET, &url, headers, Bytes::new())).await
    });
    let status = match asked {
        Ok(Ok(response)) => response.status().as_u16(),
        Ok(Err(error)) => return Err(format!("{host} {error}")),
        Err(_) => return Err(format!("{host} did not answer within {} s", PROBE_WAIT.as_secs())),
    };
    match status {
        200..=299 => Ok(format!("{host} takes it")),
        401 | 403 => Err(format!("{host} does not accept it ({status})")),
        429 => Ok(format!("{host} takes it, and limits it now (429)")),
        404 | 405 => Ok(format!("{host} answers, and has no list of models to test it with ({status})")),
        status => Err(format!("{host} answered {status}")),
    }
}
