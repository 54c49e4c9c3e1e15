//! A request that was let in: read, understood, sent on its way.
use super::{
    GatewayEvent, Held, PaneRoute,
    account::{Account, unix_ms},
    budgets::Crossed,
    clerk::{Content, Entry, Reading},
    failure::{self, Failure},
    front::{Front, json, refuse},
    interpret,
    model::{self, Choice},
    play, relay,
    retry::{self, ATTEMPTS_MAX, WAIT_MAX},
    upstream,
};
use crate::{
    dialect::{self, Endpoint, EndpointKind, SpliceError, translate},
    executors::Class,
    router::{AuthMode, Catalogue, Provider, Route, prices},
    vault::{Lease, Outcome, VaultError},
};
use axum::{
    body::Body,
    http::{HeaderMap, Method, Response, StatusCode, header},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use std::{pin::pin, sync::Arc, time::Duration};

/// The largest request body taken. Providers stop at 32 MB (Messages) or less; twice that leaves room for images in
/// a history that the provider will refuse in its own words.
pub(super) const BODY_MAX: usize = 64 * 1024 * 1024;

/// Bodies beyond this size are translated on a blocking thread: that takes a millisecond and more, in which no stream
/// of this worker would move.
const INLINE_MAX: usize = 128 * 1024;

/// The rule by which a pair of dialects is refused.
const UNTRANSLATED: &str = "dialect.untranslated";

/// The status of a gateway that has too much to do.
const BUSY: u16 = 503;

/// The rule by which a budget ends.
const USED_UP: &str = "budget.used-up";

/// The words for a body that cannot be parsed.
const NOT_JSON: &str = "The request is not JSON.";

/// Why a request cannot be sent: the rule's id, if there is one, and a sentence.
type Wrong = (&'static str, String);

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
    pub(super) about: About,
}

/// What goes upstream, whichever attempt it is.
struct Order {
    url: String,
    body: Bytes,
    /// What the answer's translation must remember; `None` when the bytes are the harness's own.
    session: Option<translate::Session>,
    /// The answer is to be a stream.
    stream: bool,
}

/// What is known of a request before the clerk reads it.
#[derive(Default)]
pub(super) struct About {
    /// The model that the harness named.
    asked: String,
    /// The display id of that, where it is a wish for another model than the route's.
    wish: Option<String>,
    /// The body, where it is parsed already.
    parsed: Option<Arc<Value>>,
    /// The clerk has it.
    taken: bool,
}

impl Call {
    /// Serves the request to the end of its answer's head; the body follows by itself.
    pub(super) async fn serve(mut self, body: Body) -> Response<Body> {
        let Ok(permit) = Arc::clone(&self.front.in_flight).try_acquire_owned() else {
            return self.fail(BUSY, "inspan's gateway has too many requests in flight; try again.");
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
        let Some(asked) = self.asked() else {
            return self.fail(400, "The request is not JSON with a model.");
        };
        self.account.asked(&asked);
        self.hold_to_rules().await;
        let usual = self.front.usual(&self.pane);
        let Choice { wire, asked: wish, route } = model::choose(&self.pane, &asked, usual.as_deref());
        self.about = About { asked, wish, ..About::default() };
        if self.pane.route.provider == Provider::Rehearsal {
            return self.rehearse(&wire);
        }
        if let Some(route) = route {
            self.reroute(route);
        }
        self.forward(&wire).await
    }

    /// Has the scripted model answer.
    fn rehearse(mut self, wire: &str) -> Response<Body> {
        let Some(body) = Content::Raw(self.body.clone()).parsed() else {
            return self.fail(400, NOT_JSON);
        };
        self.about.parsed = Some(Arc::clone(&body));
        let side = self.reading().classify(&body) == Class::Side;
        if let Some((rule, why)) = model::forbidden(&self.pane, wire) {
            return self.fail_by(rule, 403, &why);
        }
        self.have_read();
        play::perform(self, &body, wire, side)
    }

    /// What the clerk needs to find out what the request is about.
    fn reading(&self) -> Reading {
        let (request, nature) = self.account.request();
        let parsed = self.about.parsed.clone().map(Content::Parsed);
        Reading {
            front: Arc::clone(&self.front),
            pane: Arc::clone(&self.pane),
            request,
            nature,
            endpoint: self.endpoint.clone(),
            path: self.path.clone(),
            headers: self.headers.clone(),
            content: parsed.unwrap_or_else(|| Content::Raw(self.body.clone())),
            asked: self.about.asked.clone(),
            wish: self.about.wish.clone(),
        }
    }

    /// Has the clerk find out what the request is about, and tell. Only the first call counts.
    fn have_read(&mut self) {
        if !std::mem::replace(&mut self.about.taken, true) && !self.body.is_empty() {
            self.front.clerk.take(Entry::Read(Box::new(self.reading())));
        }
    }

    /// The model that the request names, without parsing more of it than that.
    fn asked(&self) -> Option<String> {
        match (dialect::named_model(&self.body), &self.endpoint.model_in_path) {
            (Ok(_) | Err(SpliceError::NoModel), Some(in_path)) => Some(in_path.clone()),
            (Ok(named), None) => Some(named),
            _ => None,
        }
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

    /// Sends the request upstream, to be served by `wire`.
    async fn forward(mut self, wire: &str) -> Response<Body> {
        if self.pane.route.base_url.is_empty() {
            return self.fail(400, "This pane's route has no upstream: it runs on its own login.");
        }
        if let Some((rule, why)) = model::forbidden(&self.pane, wire) {
            return self.fail_by(rule, 403, &why);
        }
        if wire != self.about.asked {
            let asked = &self.about.asked;
            self.account.note(&format!("the harness named {asked}; its route serves {wire}"));
        }
        let counts = self.endpoint.kind == EndpointKind::CountTokens;
        let order = match self.is_foreign() {
            true if counts => return self.count(),
            true => self.translated(wire).await,
            false => self.spliced(wire),
        };
        let order = match order.and_then(|order| self.stripped(order)) {
            Ok(order) => order,
            Err((rule, text)) => return self.fail_by(rule, 400, &text),
        };
        if !counts && let Err(crossed) = self.reserve(wire, order.body.len()).await {
            return self.fail_by(USED_UP, 402, &used_up(&crossed));
        }
        self.attempts(order).await
    }

    /// Counts the request against the pane's budgets.
    async fn reserve(&mut self, wire: &str, bytes: usize) -> Result<(), Crossed> {
        if !self.pane.budgets.is_empty() && !prices::are_loaded() {
            // It takes tens of milliseconds, in which no stream of this worker would move.
            let _ = tokio::task::spawn_blocking(prices::load).await;
        }
        self.account.sending(wire, bytes)
    }

    /// Whether the upstream is spoken to in another dialect than the harness speaks.
    fn is_foreign(&self) -> bool {
        self.endpoint.dialect != self.pane.route.upstream_dialect
    }

    /// Sends this request elsewhere than the pane's route says; the loop, which is told of the wish, changes the route
    /// for those behind it.
    fn reroute(&mut self, route: Route) {
        self.pane = Arc::new(PaneRoute { route, ..self.pane.as_ref().clone() });
        self.account.rerouted(&self.pane);
    }

    /// The harness's own bytes with another model in them.
    fn spliced(&mut self, wire: &str) -> Result<Order, Wrong> {
        let mut path = self.path.clone();
        let mut body = self.body.clone();
        if wire != self.about.asked {
            if self.endpoint.model_in_path.is_some() {
                path = dialect::splice_path(&path, wire);
            } else {
                let spliced = dialect::splice_model(&body, wire);
                body = spliced
                    .map_err(|error| ("", format!("The request's model cannot be replaced: {error}.")))?
                    .into();
            }
        }
        // What other providers' models thought under this harness would be refused as a broken signature.
        if let Some(own) = translate::own_words(self.endpoint.dialect, &body) {
            self.account.note("reasoning of another provider's model was left out");
            body = own.into();
        }
        let url = upstream::url(&self.pane.route, &path);
        Ok(Order { url, body, session: None, stream: false })
    }

    /// The request without the fields that the route's gateway does not take.
    fn stripped(&mut self, order: Order) -> Result<Order, Wrong> {
        let denied = self.pane.route.gateway.as_ref().map(|endpoint| endpoint.deny_fields.as_slice());
        let Some(fields) = denied.filter(|fields| !fields.is_empty()) else { return Ok(order) };
        let body = dialect::strip_fields(&order.body, fields)
            .map_err(|error| ("", format!("The request cannot be read: {error}.")))?;
        Ok(Order { body: body.into(), ..order })
    }

    /// The request in the upstream's words.
    async fn translated(&mut self, wire: &str) -> Result<Order, Wrong> {
        let pane = Arc::clone(&self.pane);
        let (client, upstream) = (self.endpoint.dialect, pane.route.upstream_dialect);
        if pane.route.auth != AuthMode::Credits {
            let text = format!(
                "{UNTRANSLATED}: this pane speaks {client}, {} is spoken to in {upstream}, and a key of your own is \
                 used without changing a byte. Use credits, or a model whose provider speaks {client}.",
                pane.route.served_by()
            );
            return Err((UNTRANSLATED, text));
        }
        let (endpoint, asked, wire) = (self.endpoint.clone(), self.about.asked.clone(), wire.to_owned());
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let body = self.body.clone();
        let large = body.len() > INLINE_MAX;
        let work = move || {
            let value = Content::Raw(body).parsed().ok_or(("", NOT_JSON.to_owned()))?;
            let stream = dialect::wants_stream(&endpoint, &value);
            let facts = translate::Facts {
                provider: pane.route.served_by(),
                wire_model: &wire,
                asked_model: &asked,
                stream,
                max_output: most_output(&pane.route, &wire),
                cache_key: Some(&pane.pane),
                now: unix_ms() / 1000,
                nonce: &nonce,
            };
            let translated = match translate::request(client, upstream, &value, &facts) {
                Ok(translated) => translated,
                Err(error) => return Err((UNTRANSLATED, format!("{UNTRANSLATED}: {error}"))),
            };
            let url = upstream::url(&pane.route, &translated.path);
            let body = translated.body.to_string().into();
            let order = Order { url, body, session: Some(translated.session), stream };
            Ok((order, translated.diagnostics, value))
        };
        let lost = (UNTRANSLATED, "The request could not be translated.".to_owned());
        let (order, notes, value) =
            if large { tokio::task::spawn_blocking(work).await.unwrap_or(Err(lost)) } else { work() }?;
        self.about.parsed = Some(value);
        notes.iter().for_each(|note| self.account.note(&note.to_string()));
        Ok(order)
    }

    /// Counts tokens here: the upstream's way of counting is another dialect's.
    fn count(mut self) -> Response<Body> {
        let Some(value) = Content::Raw(self.body.clone()).parsed() else { return self.fail(400, NOT_JSON) };
        self.account.note("tokens were estimated here");
        let tokens = usize::try_from(translate::count_tokens(&value)).unwrap_or(usize::MAX);
        self.about.parsed = Some(value);
        self.have_read();
        self.account.settle(200, "");
        json(StatusCode::OK, dialect::count_tokens_body(self.endpoint.dialect, tokens))
    }

    /// Takes the rules as they are now, and tells the loop where it published others.
    async fn hold_to_rules(&mut self) {
        let (rules, pane) = (Arc::clone(&self.front.config.rules), Arc::clone(&self.pane));
        let held = match rules.known(&pane.dir, &pane.executor) {
            Some(held) => held,
            None => {
                let look = move || rules.look(&pane.dir, &pane.executor);
                // A reader that failed leaves what was published.
                let Ok(held) = tokio::task::spawn_blocking(look).await else { return };
                held
            }
        };
        let Held { policy, budgets } = held;
        if policy != self.pane.policy || budgets != self.pane.budgets {
            self.pane = Arc::new(PaneRoute { policy, budgets, ..self.pane.as_ref().clone() });
            self.account.rerouted(&self.pane);
            self.front.tell(GatewayEvent::RulesChanged);
        }
    }

    /// Tries until there is an answer, or an error that another attempt would only repeat.
    async fn attempts(mut self, order: Order) -> Response<Body> {
        let front = Arc::clone(&self.front);
        let vault = &front.config.vault;
        // Credentials of a pool that failed since the last wait.
        let mut tried: Vec<String> = Vec::new();
        let mut attempts = 0;
        let mut next = self.lease().await;
        loop {
            let lease = match next {
                Ok(lease) => lease,
                Err(error) => {
                    // Not 401: the harnesses take that for a passing trouble and ask again for minutes.
                    let provider = self.pane.route.served_by().to_owned();
                    return self.fail(403, &format!("inspan has no key for {provider}: {error}."));
                }
            };
            if let Some(rotation) = &lease.rotation {
                self.account.rotated(rotation);
            }
            let failure = match self.attempt(&order, &lease).await {
                Ok(opening) => {
                    vault.report(&lease, Outcome::Ok);
                    return relay::relay(self, opening, order.session.is_some());
                }
                Err(failure) => failure,
            };
            if let Some(outcome) = failure.outcome {
                vault.report(&lease, outcome);
                tried.push(lease.reference.clone());
                next = self.lease().await;
                if next.as_ref().is_ok_and(|other| !tried.contains(&other.reference)) {
                    self.account.rescheduled(failure.status, &failure.words, Duration::ZERO);
                    self.account.resumed();
                    continue;
                }
                tried.clear();
            }
            attempts += 1;
            let backoff = || retry::backoff(front.waits.retry, attempts + 1, self.account.seed());
            let wait = failure.wait.unwrap_or_else(backoff);
            if !failure.passing || attempts >= ATTEMPTS_MAX || wait > WAIT_MAX {
                return failure.tell(self);
            }
            self.account.rescheduled(failure.status, &failure.words, wait);
            tokio::time::sleep(wait).await;
            self.account.resumed();
            next = self.lease().await;
        }
    }

    /// The credential for the next attempt.
    async fn lease(&self) -> Result<Lease, VaultError> {
        let (vault, pane) = (Arc::clone(&self.front.config.vault), Arc::clone(&self.pane));
        // Some credentials come from a program, which must not hold up other requests.
        if vault.is_slow(&pane.route.credential) {
            let asked = move || vault.lease(&pane.route.credential, &pane.session_id);
            let lost = VaultError::NoCredential(self.pane.route.credential.clone());
            return tokio::task::spawn_blocking(asked).await.unwrap_or(Err(lost));
        }
        vault.lease(&pane.route.credential, &pane.session_id)
    }

    /// One attempt, up to where the answer is known to be one.
    async fn attempt(&mut self, order: &Order, lease: &Lease) -> Result<relay::Opening, Failure> {
        let pane = Arc::clone(&self.pane);
        let (route, provider) = (&pane.route, pane.route.served_by());
        let vault = &self.front.config.vault;
        let secrets = |reference: &str| match vault.is_slow(reference) {
            true => tokio::task::block_in_place(|| vault.resolve(reference).ok()),
            false => vault.resolve(reference).ok(),
        };
        // Headers of another dialect mean nothing upstream, or worse.
        let own = if order.session.is_some() {
            upstream::plain_headers(order.stream)
        } else {
            self.headers.clone()
        };
        let Some(headers) = upstream::request_headers(&own, route, &lease.secret, &secrets) else {
            let text = format!("The key behind {} cannot be sent in a header.", lease.reference);
            return Err(Failure::new(403, text, false));
        };
        self.account.attempt(&lease.reference);
        let front = Arc::clone(&self.front);
        let send = front.upstream.send(Method::POST, &order.url, headers, order.body.clone());
        let mut send = pin!(tokio::time::timeout(front.waits.head, send));
        // One poll sets the request going; what it is about is found out while it travels.
        let sent = send.as_mut().now_or_never();
        self.have_read();
        let sent = match sent {
            Some(sent) => sent,
            None => send.await,
        };
        match sent {
            Ok(Ok(response)) => match &order.session {
                Some(session) => interpret::open(self, response, &lease.secret, session, order.stream).await,
                None => relay::open(self, response, &lease.secret).await,
            },
            Ok(Err(error)) => Err(failure::unanswered(provider, &order.url, &error)),
            Err(_) => {
                let text = format!("{provider} did not answer within {} s.", front.waits.head.as_secs());
                Err(Failure::new(504, text, false))
            }
        }
    }

    /// Ends the request with an error in the harness's own dialect.
    fn fail(self, status: u16, text: &str) -> Response<Body> {
        self.fail_by("", status, text)
    }

    /// The same, by a rule with a stable id.
    fn fail_by(mut self, rule: &str, status: u16, text: &str) -> Response<Body> {
        self.have_read();
        self.account.settle(status, text);
        let mut response = refuse(self.endpoint.dialect, status, text, rule);
        // What is busy here may pass; everything else that this gateway says no to stays as it is.
        if status != BUSY {
            failure::keep_from_retrying(&mut response);
        }
        response
    }
}

/// The most output tokens that the maker of a model takes a request for; `None` when nobody knows.
fn most_output(route: &Route, wire: &str) -> Option<u64> {
    let catalogue = Catalogue::builtin();
    // A gateway may call a model as it likes; the route knows which one it is.
    let model =
        catalogue.model(wire).or_else(|_| catalogue.model(route.model.as_deref().unwrap_or_default()));
    model.ok()?.max_output.map(u64::from)
}

/// The words of a budget that is used up.
fn used_up(Crossed { budget, standing }: &Crossed) -> String {
    let until = match budget.span {
        crate::router::Span::Day => " until midnight",
        _ => "",
    };
    format!(
        "{USED_UP}: {budget} is used up{until}: ${:.2} of ${:.2}, requests under way included. Nothing was sent and \
         nothing is lost; raise it in {} and ask again.",
        standing.spent, standing.limit, budget.origin
    )
}

fn too_large() -> String {
    format!("The request is larger than the {} MiB that inspan's gateway takes.", BODY_MAX / 1024 / 1024)
}
