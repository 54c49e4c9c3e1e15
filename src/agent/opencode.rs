//! OpenCode's own server, which stands beside its TUI: what its events mean, and the requests that answer it. Pure.
//!
//! The TUI in the pane and this client are on the same sessions, so what is answered here closes the question there.
//! Must not know: how the server is reached, panes.
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Sessions that are remembered; a pane opens a few, and each sub-agent one.
const SESSIONS: usize = 512;
/// Characters of what is asked that are kept: it is shown in a line, and a command may be a whole script.
const ASKED_CHARS: usize = 400;
/// It waits for the end of a usage limit as for any other failure; a wait this long, in milliseconds, is one.
const LONG_WAIT: u64 = 10 * 60 * 1000;
/// The error that an interruption leaves behind.
const INTERRUPTED: &str = "MessageAbortedError";

/// What kind of answer it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whether a tool may be used.
    Permission,
    /// An answer to the model's question.
    Question,
}

/// Something that waits for the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// The session that asks, which may be a sub-agent's.
    pub session: String,
    /// What kind.
    pub kind: Kind,
    /// What is asked, in a line: `bash: make test`.
    pub what: String,
    /// The labels of a question's choices.
    pub choices: Vec<String>,
    /// How many questions it holds; an answer must have as many.
    pub questions: usize,
}

/// What OpenCode is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It takes a prompt; the last turn failed with these words, if it did.
    Idle(Option<String>),
    /// A turn runs, or a sub-agent's.
    Working(&'static str),
    /// It waits for the person.
    Asks(Asked),
    /// The upstream failed; it tries again at this time (milliseconds of the epoch).
    Retrying(String, u64),
    /// The same, but so late that it is a usage limit.
    Limited(String, u64),
}

/// What a session does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Busy {
    Turn,
    Retry { attempt: u64, message: String, next: u64 },
}

/// All that its events said so far.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Whose child a session is; a session of the person's has none.
    parents: BTreeMap<String, Option<String>>,
    busy: BTreeMap<String, Busy>,
    asked: Vec<Asked>,
    main: Option<String>,
    model: Option<String>,
    failed: Option<String>,
}

impl Watched {
    /// Begins anew with what the server says of itself: its sessions, who is busy, and what waits for an answer. A
    /// session that is known from elsewhere stays the pane's.
    pub fn seed(&mut self, sessions: &Value, status: &Value, permissions: &Value, questions: &Value) {
        let (main, failed) = (self.main.take(), self.failed.take());
        *self = Self { main, failed, ..Self::default() };
        for session in sessions.as_array().into_iter().flatten() {
            self.session(session);
        }
        for (id, status) in status.as_object().into_iter().flatten() {
            self.status(id, status);
        }
        for asked in permissions.as_array().into_iter().flatten().filter_map(permission) {
            self.ask(asked);
        }
        for asked in questions.as_array().into_iter().flatten().filter_map(question) {
            self.ask(asked);
        }
    }

    /// The pane's session, when it is known before the server says so.
    pub fn in_session(&mut self, id: &str) {
        self.main = Some(id.to_owned());
    }

    /// Takes an event as it came; true when it may change what is shown.
    pub fn take(&mut self, event: &Value) -> bool {
        let properties = &event["properties"];
        let session = properties["sessionID"].as_str().unwrap_or_default();
        match event["type"].as_str().unwrap_or_default() {
            "session.created" | "session.updated" => self.session(&properties["info"]),
            "session.deleted" => self.gone(session),
            "session.status" => self.status(session, &properties["status"]),
            "session.idle" => self.idle(session),
            "session.error" => {
                let error = &properties["error"];
                let name = error["name"].as_str().unwrap_or("an unknown error");
                if name == INTERRUPTED || !self.is_persons(session) {
                    return false;
                }
                let said = error["data"]["message"].as_str().filter(|said| !said.trim().is_empty());
                self.failed = Some(shortened(said.unwrap_or(name)));
            }
            "message.updated" => {
                let info = &properties["info"];
                if info["role"] != "user" || !self.is_persons(session) {
                    return false;
                }
                self.main = Some(session.to_owned());
                self.failed = None;
                if let Some(model) = model_of(&info["model"]) {
                    self.model = Some(model);
                }
            }
            "permission.asked" => match permission(properties) {
                Some(asked) => self.ask(asked),
                None => return false,
            },
            "question.asked" => match question(properties) {
                Some(asked) => self.ask(asked),
                None => return false,
            },
            "permission.replied" | "question.replied" | "question.rejected" => {
                let id = properties["requestID"].as_str().unwrap_or_default();
                self.asked.retain(|asked| asked.id != id);
            }
            _ => return false,
        }
        true
    }

    /// What it is doing at this time (milliseconds of the epoch).
    pub fn doing(&self, now: u64) -> Doing {
        if let Some(asked) = self.asked.first() {
            return Doing::Asks(asked.clone());
        }
        let retry = self.busy.values().find_map(|busy| match busy {
            Busy::Retry { attempt, message, next } => Some((attempt, message, *next)),
            Busy::Turn => None,
        });
        match retry {
            Some((_, message, next)) if next > now.saturating_add(LONG_WAIT) => {
                Doing::Limited(message.clone(), next)
            }
            Some((attempt, message, next)) => {
                Doing::Retrying(format!("{message} (attempt {attempt} failed)"), next)
            }
            None if self.busy.keys().any(|id| self.is_persons(id)) => Doing::Working("a turn runs"),
            None if !self.busy.is_empty() => Doing::Working("a sub-agent is at work"),
            None => Doing::Idle(self.failed.clone()),
        }
    }

    /// The person's session that spoke last; `None` on its first screen.
    pub fn main(&self) -> Option<&str> {
        self.main.as_deref()
    }

    /// The model of the newest prompt, `provider/model`.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    fn is_persons(&self, session: &str) -> bool {
        !matches!(self.parents.get(session), Some(Some(_)))
    }

    fn session(&mut self, info: &Value) {
        let Some(id) = info["id"].as_str() else { return };
        if self.parents.len() >= SESSIONS && !self.parents.contains_key(id) {
            let idle: Vec<String> =
                self.parents.keys().filter(|id| !self.busy.contains_key(*id)).cloned().collect();
            for id in idle {
                self.parents.remove(&id);
            }
        }
        self.parents.insert(id.to_owned(), info["parentID"].as_str().map(str::to_owned));
    }

    fn gone(&mut self, session: &str) {
        self.idle(session);
        self.parents.remove(session);
        if self.main.as_deref() == Some(session) {
            self.main = None;
        }
    }

    /// A turn that ended asks nothing any more.
    fn idle(&mut self, session: &str) {
        self.busy.remove(session);
        self.asked.retain(|asked| asked.session != session);
    }

    fn status(&mut self, session: &str, status: &Value) {
        let busy = match status["type"].as_str() {
            Some("busy") => Busy::Turn,
            Some("retry") => Busy::Retry {
                attempt: status["attempt"].as_u64().unwrap_or(1),
                message: shortened(status["message"].as_str().unwrap_or("the upstream failed")),
                next: status["next"].as_u64().unwrap_or(0),
            },
            _ => return self.idle(session),
        };
        self.busy.insert(session.to_owned(), busy);
    }

    fn ask(&mut self, asked: Asked) {
        self.asked.retain(|before| before.id != asked.id);
        self.asked.push(asked);
    }
}

fn model_of(model: &Value) -> Option<String> {
    Some(format!("{}/{}", model["providerID"].as_str()?, model["modelID"].as_str()?))
}

/// One line of bounded length.
fn shortened(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(ASKED_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

fn permission(asked: &Value) -> Option<Asked> {
    let tool = asked["permission"].as_str().unwrap_or("a tool");
    let metadata = &asked["metadata"];
    let named = ["command", "filepath", "url", "query"].iter().find_map(|key| metadata[*key].as_str());
    let patterns = || {
        let patterns = asked["patterns"].as_array().into_iter().flatten().filter_map(Value::as_str);
        patterns.collect::<Vec<_>>().join(", ")
    };
    let about = named.map_or_else(patterns, str::to_owned);
    Some(Asked {
        id: asked["id"].as_str()?.to_owned(),
        session: asked["sessionID"].as_str()?.to_owned(),
        kind: Kind::Permission,
        what: shortened(&format!("{tool}: {about}")),
        choices: Vec::new(),
        questions: 0,
    })
}

fn question(asked: &Value) -> Option<Asked> {
    let questions = asked["questions"].as_array()?;
    let first = questions.first()?;
    let choices = first["options"].as_array().into_iter().flatten();
    Some(Asked {
        id: asked["id"].as_str()?.to_owned(),
        session: asked["sessionID"].as_str()?.to_owned(),
        kind: Kind::Question,
        what: shortened(first["question"].as_str().unwrap_or("it asks something")),
        choices: choices.filter_map(|choice| choice["label"].as_str()).map(str::to_owned).collect(),
        questions: questions.len(),
    })
}

/// A request to its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `POST` rather than `GET`.
    pub post: bool,
    /// Path below the server's address.
    pub path: String,
    /// The JSON body of a `POST`.
    pub body: Value,
}

impl Call {
    /// A question.
    pub fn get(path: &str) -> Self {
        Self { post: false, path: path.to_owned(), body: Value::Null }
    }

    fn post(path: String, body: Value) -> Self {
        Self { post: true, path, body }
    }
}

/// Ids come from its own events and go into paths; what is not one goes nowhere.
fn id(word: &str) -> Result<&str, String> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    match !word.is_empty() && word.bytes().all(known) {
        true => Ok(word),
        false => Err(format!("{word:?} is no id of OpenCode's")),
    }
}

/// Lets a tool be used, this once or for the rest of the session.
///
/// # Errors
/// When a question was asked, which needs words, or the id is none.
pub fn approve(asked: &Asked, always: bool) -> Result<Call, String> {
    match asked.kind {
        Kind::Permission => {
            let reply = if always { "always" } else { "once" };
            Ok(Call::post(format!("/permission/{}/reply", id(&asked.id)?), json!({ "reply": reply })))
        }
        Kind::Question => Err(format!("it asks a question, not for a permission: {}", asked.what)),
    }
}

/// Refuses a tool, telling the model why, or leaves a question unanswered.
///
/// # Errors
/// The id is none.
pub fn deny(asked: &Asked, why: Option<&str>) -> Result<Call, String> {
    Ok(match asked.kind {
        Kind::Permission => {
            let mut body = json!({ "reply": "reject" });
            if let Some(why) = why.filter(|why| !why.trim().is_empty()) {
                body["message"] = why.into();
            }
            Call::post(format!("/permission/{}/reply", id(&asked.id)?), body)
        }
        Kind::Question => Call::post(format!("/question/{}/reject", id(&asked.id)?), json!({})),
    })
}

/// Answers a question, with the same words for each of several.
///
/// # Errors
/// When it asks for a permission, or the id is none.
pub fn answer(asked: &Asked, words: &str) -> Result<Call, String> {
    match asked.kind {
        Kind::Question => {
            let answers = vec![json!([words]); asked.questions.max(1)];
            Ok(Call::post(format!("/question/{}/reply", id(&asked.id)?), json!({ "answers": answers })))
        }
        Kind::Permission => Err(format!("it asks for a permission, not for words: {}", asked.what)),
    }
}

/// Ends a session's turn.
///
/// # Errors
/// The id is none.
pub fn interrupt(session: &str) -> Result<Call, String> {
    Ok(Call::post(format!("/session/{}/abort", id(session)?), json!({})))
}

/// Gives a session a prompt; during a turn it is taken up at the turn's next step. `model` is `provider/model`.
///
/// # Errors
/// An id or a model that is none.
pub fn prompt(session: &str, text: &str, model: Option<&str>) -> Result<Call, String> {
    let mut body = json!({ "parts": [{ "type": "text", "text": text }] });
    if let Some(model) = model {
        let (provider, model) = model.split_once('/').ok_or("a model is named as provider/model")?;
        body["model"] = json!({ "providerID": provider, "modelID": model });
    }
    Ok(Call::post(format!("/session/{}/prompt_async", id(session)?), body))
}

/// The models that its providers offer, `provider/model`, as `/config/providers` lists them.
pub fn models(providers: &Value) -> Vec<String> {
    let mut listed = BTreeSet::new();
    for provider in providers["providers"].as_array().into_iter().flatten() {
        let Some(name) = provider["id"].as_str() else { continue };
        let models = provider["models"].as_object().into_iter().flatten();
        listed.extend(models.map(|(model, _)| format!("{name}/{model}")));
    }
    listed.into_iter().collect()
}
