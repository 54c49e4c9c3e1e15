//! Translates between the four dialects: requests, whole answers, streams and errors.
//!
//! Each dialect reads into one vocabulary (`hub`) and writes from it. Pure: time and ids come with [`Facts`]. Must not
//! know: who pays, and what is done about a failure.
mod answer;
mod carrier;
mod chat;
mod effort;
mod estimate;
mod failure;
mod gemini;
mod hosted;
mod hub;
mod manners;
mod mend;
mod messages;
mod names;
mod native;
mod responses;
mod schema;
mod serial;
mod stream;
mod tidy;

pub use estimate::count_tokens;
pub use hub::{Diagnostic, Failure};
pub use native::own_words;
pub use stream::{Stream, Whole, response};

use super::{Dialect, Endpoint, EndpointKind, splice_path};
use carrier::Origin;
use hub::{Media, Notes, Source};
use manners::Manners;
use names::Names;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use thiserror::Error;

/// What a translation must know besides the request.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The upstream's provider by its stable name, or the name of a declared gateway.
    pub provider: &'a str,
    /// The model on the upstream's wire.
    pub wire_model: &'a str,
    /// The model as the harness named it; answers repeat that.
    pub asked_model: &'a str,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Tokens that the model can write at most; a request for more is clamped.
    pub max_output: Option<u64>,
    /// A key that stays the same for a pane's session, for the upstream's prompt cache.
    pub cache_key: Option<&'a str>,
    /// Unix time in seconds.
    pub now: i64,
    /// Letters and digits that no other request has; ids in the answer are made of them.
    pub nonce: &'a str,
}

impl Facts<'_> {
    /// The output that is asked for, within what the model can write.
    fn clamp(&self, asked: Option<u64>, notes: &mut Notes) -> Option<u64> {
        match (asked, self.max_output) {
            (Some(asked), Some(most)) if asked > most => {
                notes.add("max_tokens", "clamped to what the model can write");
                Some(most)
            }
            (asked, _) => asked,
        }
    }
}

/// A request in the upstream's dialect.
#[derive(Clone, Debug)]
pub struct Translated {
    /// The body.
    pub body: Value,
    /// Path and query as the provider's reference writes them.
    pub path: String,
    /// What was left out or said otherwise.
    pub diagnostics: Vec<Diagnostic>,
    /// What the answer's translation must remember.
    pub session: Session,
}

/// What joins a request and its answer: names, and who speaks which dialect.
#[derive(Clone, Debug)]
pub struct Session {
    client: Dialect,
    upstream: Dialect,
    model: String,
    origin: Origin,
    names: Names,
    /// Input tokens as far as they can be guessed.
    estimate: u64,
    now: i64,
    nonce: String,
    /// A Chat client asked for usage in its stream.
    include_usage: bool,
    /// The client is Codex.
    codex: bool,
}

impl Session {
    /// The harness's dialect, in which answers are written.
    pub fn client(&self) -> Dialect {
        self.client
    }

    /// The upstream's dialect, in which answers are read.
    pub fn upstream(&self) -> Dialect {
        self.upstream
    }

    /// Whether the upstream's signatures are of a text that must be sent back with them.
    fn signs_text(&self) -> bool {
        self.upstream == Dialect::Messages
    }

    /// An estimate of the request's input tokens, for what has to be said before the upstream says it.
    pub fn estimate(&self) -> u64 {
        self.estimate
    }
}

/// A request that cannot be said in the upstream's dialect.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Untranslatable(
    /// A sentence for people: what cannot be translated, and what to do.
    pub String,
);

/// A request of one dialect in another's words.
///
/// # Errors
/// [`Untranslatable`] when it builds on state that only its own provider keeps, or is no object.
pub fn request(
    client: Dialect,
    upstream: Dialect,
    body: &Value,
    facts: &Facts<'_>,
) -> Result<Translated, Untranslatable> {
    if !body.is_object() {
        return Err(Untranslatable("The request is not a JSON object.".to_owned()));
    }
    if client == upstream {
        return Err(Untranslatable(format!("{client} needs no translation.")));
    }
    let (mut notes, mut names) = (Notes::default(), Names::default());
    let mut asked = match client {
        Dialect::Messages => messages::read(body, &mut notes),
        Dialect::Chat => chat::read(body, &mut notes)?,
        Dialect::Responses => responses::read(body, &mut names, &mut notes)?,
        Dialect::Gemini => gemini::read(body, &mut notes)?,
    };
    tidy::tidy(&mut asked, &mut notes);
    if asked.turns.is_empty() {
        return Err(Untranslatable("The request has no messages.".to_owned()));
    }
    let manners = Manners::of(facts.provider, facts.wire_model);
    let write = match upstream {
        Dialect::Messages => messages::write,
        Dialect::Chat => chat::write,
        Dialect::Responses => responses::write,
        Dialect::Gemini => gemini::write,
    };
    let body_out = write(&asked, facts, &manners, &mut names, &mut notes);
    let session = Session {
        client,
        upstream,
        model: facts.asked_model.to_owned(),
        origin: manners.origin,
        names,
        estimate: count_tokens(body),
        now: facts.now,
        nonce: facts.nonce.to_owned(),
        include_usage: asked.include_usage,
        codex: client == Dialect::Responses && body.get("client_metadata").is_some(),
    };
    Ok(Translated { body: body_out, path: path(upstream, facts), diagnostics: notes.0, session })
}

/// Where the upstream takes a request for an answer.
fn path(upstream: Dialect, facts: &Facts<'_>) -> String {
    match upstream {
        Dialect::Messages => "/v1/messages".to_owned(),
        Dialect::Chat => "/v1/chat/completions".to_owned(),
        Dialect::Responses => "/v1/responses".to_owned(),
        Dialect::Gemini if facts.stream => {
            splice_path("/v1beta/models/model:streamGenerateContent?alt=sse", facts.wire_model)
        }
        Dialect::Gemini => splice_path("/v1beta/models/model:generateContent", facts.wire_model),
    }
}

/// Whether this call can be translated; a count of tokens is answered with [`count_tokens`] instead.
pub fn translates(endpoint: &Endpoint) -> bool {
    matches!(endpoint.kind, EndpointKind::Generate { .. })
}

/// An upstream's error body in the client's words, with the status to send it under and what it says.
pub fn error(client: Dialect, status: u16, body: &[u8]) -> (u16, Vec<u8>, Failure) {
    let failure = failure::read(status, body);
    let (status, body) = failure::body(&failure, client);
    (status, body, failure)
}

/// An instruction in the middle of a conversation, for models that take none there.
fn reminder(text: &str) -> String {
    format!("<system-reminder>\n{text}\n</system-reminder>")
}

/// Where a medium is, as a URL; `None` if it lies with another provider.
fn data_url(media: &Media) -> Option<Cow<'_, str>> {
    match &media.source {
        Source::Base64(data) => Some(format!("data:{};base64,{data}", media.mime).into()),
        Source::Url(url) => Some(url.into()),
        Source::Text(_) | Source::Id(_) => None,
    }
}

/// Who asks, as an opaque id of the length that OpenAI takes.
fn user_hash(user: &str) -> String {
    Sha256::digest(user.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A URL with its bytes inside, or one that leads elsewhere, as a medium's source and type.
fn read_url(url: &str) -> (String, Source) {
    match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((mime, data)) => (mime.to_owned(), Source::Base64(data.to_owned())),
        None => (String::new(), Source::Url(url.to_owned())),
    }
}

#[cfg(test)]
mod tests;
