//! The door: who may come in, and which pane it is.
use super::{
    GatewayConfig, GatewayEvent, PaneRoute, Waits,
    account::Account,
    budgets::Budgets,
    call::{About, Call},
    clerk::Clerk,
    path, play,
    upstream::Upstream,
};
use crate::{
    dialect::{self, EndpointKind},
    router::{Dialect, Route},
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header},
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
};
use tokio::sync::Semaphore;

/// Requests in flight over all panes. A busy pane runs a handful; beyond this something runs away.
pub(super) const IN_FLIGHT_MAX: usize = 256;

/// Panes remembered by name or tally before those that left the route table are forgotten.
const PANES_REMEMBERED: usize = 256;

/// Bytes told of a request that was turned away; its path may be anything.
const TURNED_AWAY_BYTES: usize = 200;

/// What all requests share.
pub(super) struct Front {
    pub(super) config: GatewayConfig,
    pub(super) waits: Waits,
    pub(super) upstream: Upstream,
    pub(super) next_request: AtomicU64,
    pub(super) stopping: AtomicBool,
    pub(super) stage: play::Stage,
    pub(super) budgets: Budgets,
    pub(super) clerk: Clerk,
    port: u16,
    pub(super) in_flight: Arc<Semaphore>,
    /// The model that each pane's newest `Main` request named, by the pane's ULID.
    usual: Mutex<HashMap<String, String>>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Front {
    /// # Errors
    /// No thread is to be had.
    pub(super) fn new(config: GatewayConfig, waits: Waits, port: u16) -> io::Result<Self> {
        // Without a record every sum begins at nothing; the recorder warns by itself.
        let budgets = Budgets::load(&config.recorder).unwrap_or_default();
        Ok(Self {
            config,
            waits,
            budgets,
            clerk: Clerk::start()?,
            upstream: Upstream::default(),
            next_request: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            stage: play::Stage::default(),
            port,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            usual: Mutex::default(),
        })
    }

    /// Tells the loop, if it has room to listen.
    pub(super) fn tell(&self, event: GatewayEvent) {
        let _ = self.config.events.try_send(event);
    }

    /// Says that somebody was not let in.
    fn turn_away(&self, why: &str) {
        self.tell(GatewayEvent::TurnedAway { why: crate::handoff::clip(why, TURNED_AWAY_BYTES) });
    }

    /// Whether `pane` (a ULID) still has a route.
    pub(super) fn routed(&self, pane: &str) -> bool {
        self.config.routes.load().values().any(|route| route.pane == pane)
    }

    /// The model that this harness names unless its user wished for another.
    pub(super) fn usual(&self, pane: &PaneRoute) -> Option<String> {
        let usual = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        usual.get(&pane.pane).cloned().or_else(|| pane.launched.clone())
    }

    /// Notes the model that a `Main` request named.
    pub(super) fn remember(&self, pane: &PaneRoute, asked: &str) {
        let mut usual = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        if usual.get(&pane.pane).is_some_and(|known| known == asked) {
            return;
        }
        if usual.len() >= PANES_REMEMBERED {
            usual.retain(|pane, _| self.routed(pane));
        }
        usual.insert(pane.pane.clone(), asked.to_owned());
    }
}

/// Answers every request that arrives on the port.
pub(super) async fn answer(State(front): State<Arc<Front>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    if !host_is_ours(&head.uri, &head.headers, front.port) {
        front.turn_away("a foreign Host header");
        return plain(
            StatusCode::FORBIDDEN,
            "This port serves inspan's own panes. The Host header must name 127.0.0.1 or localhost and the port.",
        );
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let endpoint = path::recognise(head.method.as_str(), path);
    if head.headers.contains_key(header::UPGRADE) {
        // The answer upon which Codex turns to plain HTTP at once; with others it tries for seconds.
        return plain(StatusCode::UPGRADE_REQUIRED, "This gateway speaks plain HTTP, not WebSocket.");
    }
    if head.method == Method::HEAD {
        let known = endpoint.is_some() || head.uri.path() == "/";
        return plain(if known { StatusCode::OK } else { StatusCode::NOT_FOUND }, "");
    }
    let Some(pane) = pane(&front, &head.headers, &head.uri) else {
        let dialect =
            endpoint.as_ref().map_or_else(|| guess(&head.headers), |(endpoint, _)| endpoint.dialect);
        front.turn_away("no pane's token");
        return refuse(dialect, 401, "This request carries no token of a running inspan pane.", "");
    };
    let Some((endpoint, path)) = endpoint else {
        let path = head.uri.path();
        let text = format!("inspan's gateway serves nothing at {} {path}.", head.method);
        front.turn_away(&format!("{} {path} of {}", head.method, pane.executor));
        return refuse(pane.route.harness_dialect, 404, &text, "");
    };
    match endpoint.kind {
        EndpointKind::Probe => return plain(StatusCode::OK, ""),
        EndpointKind::Models => {
            let dialect = if endpoint.dialect == Dialect::Gemini {
                endpoint.dialect
            } else {
                pane.route.harness_dialect
            };
            let named = |route: &'_ Route| Some((route.wire_model.clone()?, route.model.clone()?));
            let models: Vec<_> = pane.allowed.iter().filter_map(named).collect();
            let models: Vec<_> = models.iter().map(|(wire, shown)| (wire.as_str(), shown.as_str())).collect();
            return json(StatusCode::OK, dialect::models_body(dialect, &models));
        }
        EndpointKind::Generate { .. } | EndpointKind::CountTokens => {}
    }
    let account = Account::open(&front, &pane, endpoint.dialect);
    let call = Call {
        front,
        pane,
        endpoint,
        path,
        headers: head.headers,
        body: Bytes::new(),
        account,
        about: About::default(),
    };
    call.serve(body).await
}

/// Whether the request was meant for this port: a web page that has its own name resolve to this machine sends that
/// name.
fn host_is_ours(uri: &Uri, headers: &HeaderMap, port: u16) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, another) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    let ours = |host: &str| {
        host.rsplit_once(':').is_some_and(|(name, number)| {
            number.parse() == Ok(port)
                && (name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost"))
        })
    };
    // An absolute request target outranks the header, so it must not name another place either.
    host.is_some_and(ours) && another.is_none() && uri.authority().is_none_or(|at| ours(at.as_str()))
}

/// The pane whose token the request carries, in whichever way its executor sends credentials.
fn pane(front: &Front, headers: &HeaderMap, uri: &Uri) -> Option<Arc<PaneRoute>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let query = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("key=")));
    let routes = front.config.routes.load();
    [bearer, text("x-api-key"), text("x-goog-api-key"), query]
        .into_iter()
        .flatten()
        .filter(|token| !token.is_empty())
        .find_map(|token| routes.get(token).cloned())
}

/// The dialect in which to refuse a request to nowhere, by the header that its client sends credentials in.
fn guess(headers: &HeaderMap) -> Dialect {
    if headers.contains_key("x-goog-api-key") {
        Dialect::Gemini
    } else if headers.contains_key("anthropic-version") || headers.contains_key("x-api-key") {
        Dialect::Messages
    } else {
        Dialect::Chat
    }
}

/// An error in the words of `dialect`.
pub(super) fn refuse(dialect: Dialect, status: u16, text: &str, rule: &str) -> Response<Body> {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    json(code, dialect::error_body(dialect, status, text, rule))
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    typed(status, "application/json", body.into())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", Body::from(text))
}

fn typed(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
