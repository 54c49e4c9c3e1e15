//! A request that was let in: read, understood, sent on its way.
use super::{
    Classify, GatewayEvent, PaneRoute,
    account::{Account, Nature},
    front::{Front, refuse},
    model::{self, Choice},
    play, relay, upstream,
};
use crate::{
    dialect::{self, Endpoint},
    executors::{Class, RequestFacts},
    router::Provider,
};
use axum::{
    body::Body,
    http::{HeaderMap, Method, Response, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use std::{borrow::Cow, future::poll_fn, pin::pin, sync::Arc, task::Poll};

/// The largest request body taken. Providers stop at 32 MB (Messages) or less; twice that leaves room for images in
/// a history that the provider will refuse in its own words.
pub(super) const BODY_MAX: usize = 64 * 1024 * 1024;

/// Bodies beyond this size are parsed on a blocking thread: a megabyte takes milliseconds, in which no stream of
/// this worker would move.
const PARSE_INLINE_MAX: usize = 512 * 1024;

/// Headers by which the executors name their native session, most telling first.
const SESSION_HEADERS: &[&str] =
    &["x-claude-code-session-id", "thread-id", "session-id", "x-grok-session-id", "x-session-id"];

/// The rule by which a pair of dialects is refused.
const UNTRANSLATED: &str = "dialect.untranslated";

/// The rule by which policy forbids a model.
const DISABLED: &str = "model.disabled";

/// A request that was let in.
pub(super) struct Call {
    pub(super) front: Arc<Front>,
    pub(super) pane: Arc<PaneRoute>,
    pub(super) endpoint: Endpoint,
    /// As the provider's reference writes it, query included.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) account: Account,
}

impl Call {
    /// Serves the request to the end of its answer's head; the body follows by itself.
    pub(super) async fn serve(mut self, body: Body) -> Response<Body> {
        let Ok(permit) = Arc::clone(&self.front.in_flight).try_acquire_owned() else {
            return self.fail(503, "inspan's gateway has too many requests in flight; try again.");
        };
        self.account.hold(permit);
        if self.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return self.fail(415, "inspan's gateway takes request bodies uncompressed only.");
        }
        let declared =
            self.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length: u64| length > BODY_MAX as u64) {
            return self.fail(413, &too_large());
        }
        match self.read(body).await {
            Ok(body) => self.body = body,
            Err((status, text)) => return self.fail(status, &text),
        }
        let route = &self.pane.route;
        if route.provider != Provider::Rehearsal && self.endpoint.dialect != route.upstream_dialect {
            let text = format!(
                "{UNTRANSLATED}: this pane speaks {}, {} is spoken to in {}, and this version of inspan does not \
                 translate. Choose a model whose provider speaks {}.",
                self.endpoint.dialect, route.provider, route.upstream_dialect, self.endpoint.dialect
            );
            return self.fail_by(UNTRANSLATED, 400, &text);
        }
        let Some(asked) = self.asked() else {
            return self.fail(400, "The request is not JSON with a model.");
        };
        self.account.asked(&asked);
        if route.provider == Provider::Rehearsal {
            let Some((value, choice)) = self.digest(&asked).await else {
                return self.fail(400, "The request is not JSON.");
            };
            if let Some(why) = model::forbidden(&self.pane, &choice.wire) {
                return self.fail_by(DISABLED, 403, &why);
            }
            return play::perform(self, &value, &choice.wire);
        }
        self.forward(&asked).await
    }

    /// The model that the request names, without parsing more of it than that.
    fn asked(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            model: Cow<'a, str>,
        }
        let in_body =
            || serde_json::from_slice::<Named<'_>>(&self.body).ok().map(|named| named.model.into_owned());
        self.endpoint.model_in_path.clone().or_else(in_body)
    }

    async fn read(&self, body: Body) -> Result<Bytes, (u16, String)> {
        let limited = Limited::new(body, BODY_MAX).collect();
        match tokio::time::timeout(self.front.waits.body, limited).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err((413, too_large())),
            Ok(Err(_)) => Err((400, "The request broke off.".to_owned())),
            Err(_) => Err((408, "The request's body did not arrive in time.".to_owned())),
        }
    }

    /// Sends the request upstream, and finds out what it is about while it travels, if that cannot change it.
    async fn forward(mut self, asked: &str) -> Response<Body> {
        let route = Arc::clone(&self.pane);
        let route = &route.route;
        if route.base_url.is_empty() {
            return self.fail(400, "This pane's route has no upstream: it runs on its own login.");
        }
        let secret = match self.front.config.vault.resolve(&route.credential) {
            Ok(secret) => secret,
            Err(error) => {
                // Not 401: the harnesses take that for a passing trouble and ask again for minutes.
                return self.fail(403, &format!("inspan has no key for {}: {error}.", route.provider));
            }
        };
        let Some(headers) = upstream::request_headers(&self.headers, route, &secret, &|name| {
            self.front.config.vault.resolve(name).ok()
        }) else {
            let text = format!("The key behind {} cannot be sent in a header.", route.credential);
            return self.fail(403, &text);
        };
        let as_planned = route.wire_model.as_deref().is_none_or(|wire| wire == asked);
        if as_planned && let Some(why) = model::forbidden(&self.pane, asked) {
            self.digest(asked).await;
            return self.fail_by(DISABLED, 403, &why);
        }
        let mut path = self.path.clone();
        let mut body = self.body.clone();
        if !as_planned {
            // Without a class the route's own model is the one answer left.
            let choice = self.digest(asked).await.map(|(_, choice)| choice);
            let wire =
                choice.map_or_else(|| route.wire_model.clone().unwrap_or_default(), |choice| choice.wire);
            if let Some(why) = model::forbidden(&self.pane, &wire) {
                return self.fail_by(DISABLED, 403, &why);
            }
            if wire != asked {
                if self.endpoint.model_in_path.is_some() {
                    path = dialect::splice_path(&path, &wire);
                } else {
                    match dialect::splice_model(&body, &wire) {
                        Ok(spliced) => body = spliced.into(),
                        Err(error) => {
                            return self
                                .fail(400, &format!("The request's model cannot be replaced: {error}."));
                        }
                    }
                }
            }
        }
        if let Some(endpoint) = route.gateway.as_ref().filter(|endpoint| !endpoint.deny_fields.is_empty()) {
            match dialect::strip_fields(&body, &endpoint.deny_fields) {
                Ok(stripped) => body = stripped.into(),
                Err(error) => return self.fail(400, &format!("The request cannot be read: {error}.")),
            }
        }
        let url = upstream::url(route, &path);
        self.account.attempt();
        let front = Arc::clone(&self.front);
        let send = front.upstream.send(Method::POST, &url, headers, body);
        let mut send = pin!(tokio::time::timeout(front.waits.head, send));
        let mut sent = None;
        if as_planned {
            // One poll sets the request going; the connection's own task carries it while this one parses.
            sent = poll_fn(|cx| {
                Poll::Ready(match send.as_mut().poll(cx) {
                    Poll::Ready(sent) => Some(sent),
                    Poll::Pending => None,
                })
            })
            .await;
            self.digest(asked).await;
        }
        let sent = match sent {
            Some(sent) => sent,
            None => send.await,
        };
        match sent {
            Ok(Ok(response)) => relay::relay(self, response, secret).await,
            Ok(Err(error)) => {
                let status = if matches!(error, upstream::UpstreamError::Client(_)) { 503 } else { 502 };
                let host = reqwest::Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned));
                let text = format!("{} ({}) {error}.", route.provider, host.unwrap_or_default());
                self.fail(status, &text)
            }
            Err(_) => {
                let text =
                    format!("{} did not answer within {} s.", route.provider, front.waits.head.as_secs());
                self.fail(504, &text)
            }
        }
    }

    /// Parses the body, classifies the request, chooses its model and tells the loop; `None` when it is not JSON.
    async fn digest(&mut self, asked: &str) -> Option<(Value, Choice)> {
        let question = Question {
            classify: Arc::clone(&self.front.config.classify),
            pane: Arc::clone(&self.pane),
            endpoint: self.endpoint.clone(),
            path: self.path.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        };
        let (value, nature) = if self.body.len() > PARSE_INLINE_MAX {
            tokio::task::spawn_blocking(move || question.answer()).await.ok().flatten()?
        } else {
            question.answer()?
        };
        let class = nature.class;
        let usual = self.front.usual(&self.pane);
        let choice = model::choose(&self.pane, class, asked, usual.as_deref());
        self.account.started(nature);
        if class == Class::Main {
            self.front.remember(&self.pane, asked);
        }
        if let Some(model) = &choice.asked {
            self.front.tell(GatewayEvent::ModelAsked { pane: self.pane.pane.clone(), model: model.clone() });
        }
        Some((value, choice))
    }

    /// Ends the request with an error in the harness's own dialect.
    fn fail(self, status: u16, text: &str) -> Response<Body> {
        self.fail_by("", status, text)
    }

    /// The same, by a rule with a stable id.
    fn fail_by(mut self, rule: &str, status: u16, text: &str) -> Response<Body> {
        self.account.settle(status, text);
        refuse(self.endpoint.dialect, status, text, rule)
    }
}

/// What is needed to find out what a request is about, away from the request if it is a large one.
struct Question {
    classify: Classify,
    pane: Arc<PaneRoute>,
    endpoint: Endpoint,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Question {
    fn answer(self) -> Option<(Value, Nature)> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let header = |name: &str| Some(self.headers.get(name)?.to_str().ok()?.to_owned());
        let facts = RequestFacts { path: &self.path, header: &header, body: &body };
        let class = (self.classify)(&self.pane.executor, &facts);
        let conversation =
            (class == Class::Main).then(|| Arc::new(dialect::conversation(self.endpoint.dialect, &body)));
        let session = SESSION_HEADERS.iter().find_map(|name| header(name));
        Some((body, Nature { class, session, conversation }))
    }
}

fn too_large() -> String {
    format!("The request is larger than the {} MiB that inspan's gateway takes.", BODY_MAX / 1024 / 1024)
}
