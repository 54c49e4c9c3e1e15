//! OpenCode's own server, which stands beside its TUI: what its events mean, and the requests that carry an order out.
//! Pure; `link` speaks with it.
//!
//! The TUI in the pane and this client are on the same sessions, so what is answered here closes the question there.
//! Must not know: the server's loop, panes.
mod link;
#[cfg(test)]
mod tests;

pub use link::{Access, run};

use super::control::{About, Ended, Event, Question, Verdict};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Sessions that are remembered; a pane opens a few, and each sub-agent one.
const SESSIONS: usize = 512;
/// Messages and their parts that are remembered as told; the newest are the ones that events still speak of.
const TOLD: usize = 256;
/// It waits for the end of a usage limit as for any other failure; a wait this long, in milliseconds, is one.
const LONG_WAIT: u64 = 10 * 60 * 1000;
/// The error that an interruption leaves behind.
const INTERRUPTED: &str = "MessageAbortedError";

/// Something that waits for an answer, as its own server wants it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    session: String,
    /// A permission takes a verdict; a question takes words, and is answered in the TUI.
    permission: bool,
}

/// All that its events said so far.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Whose child a session is; a session of the person's has none.
    parents: BTreeMap<String, Option<String>>,
    /// Sessions at work, the person's and those of sub-agents.
    busy: BTreeSet<String>,
    open: BTreeMap<String, Open>,
    main: Option<String>,
    model: Option<String>,
    ended: Option<Ended>,
    turn: bool,
    waits: bool,
    /// Messages of the person, and parts that were told, the oldest first.
    prompts: Vec<String>,
    told: Vec<String>,
}

impl Watched {
    /// Nothing heard yet, in the session that the launch names.
    pub fn new(session: Option<&str>) -> Self {
        Self { main: session.map(str::to_owned), ..Self::default() }
    }

    /// What a client that comes late is told: who is busy, and what waits for an answer, as `/session`,
    /// `/session/status`, `/permission` and `/question` say it. `now` in milliseconds of the epoch, here and below.
    pub fn seed(
        &mut self,
        sessions: &Value,
        status: &Value,
        permissions: &Value,
        questions: &Value,
        now: u64,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for id in std::mem::take(&mut self.open).into_keys() {
            events.push(Event::Answered { id });
        }
        for session in sessions.as_array().into_iter().flatten() {
            self.session(session);
        }
        let busy = status.as_object();
        for gone in self.busy.clone().iter().filter(|id| busy.is_none_or(|busy| !busy.contains_key(*id))) {
            self.idle(gone, &mut events);
        }
        for (id, status) in busy.into_iter().flatten() {
            self.status(id, status, now, &mut events);
        }
        for asked in permissions.as_array().into_iter().flatten() {
            self.permission(asked, &mut events);
        }
        for asked in questions.as_array().into_iter().flatten() {
            self.question(asked, &mut events);
        }
        events
    }

    /// What an event of its server means.
    pub fn take(&mut self, event: &Value, now: u64) -> Vec<Event> {
        let mut events = Vec::new();
        let properties = &event["properties"];
        let session = properties["sessionID"].as_str().unwrap_or_default();
        match event["type"].as_str().unwrap_or_default() {
            "session.created" | "session.updated" => self.session(&properties["info"]),
            "session.deleted" => {
                self.idle(session, &mut events);
                self.parents.remove(session);
                if self.main.as_deref() == Some(session) {
                    self.main = None;
                }
            }
            "session.status" => self.status(session, &properties["status"], now, &mut events),
            "session.idle" => self.idle(session, &mut events),
            "session.error" if self.is_persons(session) => self.failed(&properties["error"], &mut events),
            "message.updated" => self.message(session, &properties["info"], &mut events),
            "message.part.updated" => self.part(session, &properties["part"], &mut events),
            "permission.asked" => self.permission(properties, &mut events),
            "question.asked" => self.question(properties, &mut events),
            "permission.replied" | "question.replied" | "question.rejected" => {
                let id = properties["requestID"].as_str().unwrap_or_default();
                if self.open.remove(id).is_some() {
                    events.push(Event::Answered { id: id.to_owned() });
                }
            }
            _ => {}
        }
        events
    }

    /// The person's session that spoke last; `None` on its first screen.
    pub fn main(&self) -> Option<&str> {
        self.main.as_deref()
    }

    /// Whether a turn of the person's runs.
    pub fn in_turn(&self) -> bool {
        self.turn
    }

    /// The person's sessions that are at work.
    pub fn working(&self) -> impl Iterator<Item = &str> {
        self.busy.iter().filter(|id| self.is_persons(id)).map(String::as_str)
    }

    /// The request that answers what is open.
    ///
    /// # Errors
    /// Nothing of that name is open, or it takes words rather than a verdict.
    pub fn answer(&self, question: &str, verdict: Verdict) -> Result<Call, String> {
        let open = self.open.get(question).ok_or("that question is not open any more")?;
        let reply = match (open.permission, verdict) {
            (true, Verdict::Approve) => "once",
            (true, Verdict::ApproveForSession) => "always",
            (true, Verdict::Deny) => "reject",
            (false, Verdict::Deny) => {
                return Ok(Call::post(format!("/question/{}/reject", id(question)?), json!({})));
            }
            (false, _) => {
                return Err("it asks for more than yes or no: answer it in the pane".into());
            }
        };
        Ok(Call::post(format!("/permission/{}/reply", id(question)?), json!({ "reply": reply })))
    }

    fn is_persons(&self, session: &str) -> bool {
        !matches!(self.parents.get(session), Some(Some(_)))
    }

    fn session(&mut self, info: &Value) {
        let Some(id) = info["id"].as_str() else { return };
        if self.parents.len() >= SESSIONS && !self.parents.contains_key(id) {
            let busy = &self.busy;
            self.parents.retain(|id, _| busy.contains(id));
        }
        self.parents.insert(id.to_owned(), info["parentID"].as_str().map(str::to_owned));
    }

    fn status(&mut self, session: &str, status: &Value, now: u64, events: &mut Vec<Event>) {
        let kind = status["type"].as_str().unwrap_or_default();
        if !matches!(kind, "busy" | "retry") {
            return self.idle(session, events);
        }
        let began = self.busy.insert(session.to_owned());
        if !self.is_persons(session) {
            if began {
                let what = "a sub-agent is at work".to_owned();
                events.push(Event::BesideStarted { id: session.to_owned(), what });
            }
            return;
        }
        // A turn that goes on behind a retry has left that behind.
        if !self.turn || self.waits && kind == "busy" {
            self.turn = true;
            self.waits = false;
            events.push(Event::TurnStarted);
        }
        if kind == "retry" {
            self.waits = true;
            let next = status["next"].as_u64().unwrap_or(0);
            let why = status["message"].as_str().unwrap_or("the upstream failed").to_owned();
            events.push(if next > now.saturating_add(LONG_WAIT) {
                Event::Limited { why, resets: Some(next / 1000) }
            } else {
                let attempt = status["attempt"].as_u64().unwrap_or(1);
                Event::Retrying(format!("{why} (attempt {attempt} failed)"))
            });
        }
    }

    /// A turn that ended asks nothing any more.
    fn idle(&mut self, session: &str, events: &mut Vec<Event>) {
        let closed: Vec<String> =
            self.open.iter().filter(|(_, open)| open.session == session).map(|(id, _)| id.clone()).collect();
        for id in closed {
            self.open.remove(&id);
            events.push(Event::Answered { id });
        }
        if !self.busy.remove(session) {
            return;
        }
        if !self.is_persons(session) {
            events.push(Event::BesideEnded { id: session.to_owned() });
        } else if self.working().next().is_none() {
            self.turn = false;
            self.waits = false;
            events.push(Event::TurnEnded(self.ended.take().unwrap_or(Ended::Done)));
        }
    }

    fn failed(&mut self, error: &Value, events: &mut Vec<Event>) {
        let name = error["name"].as_str().unwrap_or("it failed and does not say why");
        let said = error["data"]["message"].as_str().filter(|said| !said.trim().is_empty());
        let ended = match name {
            INTERRUPTED => Ended::Interrupted,
            _ => Ended::Failed(said.unwrap_or(name).to_owned()),
        };
        if self.turn {
            self.ended = Some(ended);
        } else if ended != Ended::Interrupted {
            events.push(Event::TurnEnded(ended));
        }
    }

    fn message(&mut self, session: &str, info: &Value, events: &mut Vec<Event>) {
        if info["role"] != "user" || !self.is_persons(session) {
            return;
        }
        let model = &info["model"];
        let model = model["providerID"].as_str().zip(model["modelID"].as_str());
        let model = model.map(|(provider, model)| format!("{provider}/{model}"));
        if self.main.as_deref() != Some(session) || self.model != model {
            self.main = Some(session.to_owned());
            self.model.clone_from(&model);
            events.push(Event::Session { id: session.to_owned(), model });
        }
        if let Some(id) = info["id"].as_str() {
            remember(&mut self.prompts, id);
        }
    }

    fn part(&mut self, session: &str, part: &Value, events: &mut Vec<Event>) {
        let (id, text) = (part["id"].as_str().unwrap_or_default(), part["text"].as_str());
        match part["type"].as_str().unwrap_or_default() {
            "text" if self.is_persons(session) && part["synthetic"] != true => {
                let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return };
                let of = part["messageID"].as_str().unwrap_or_default();
                let prompt = self.prompts.iter().any(|id| id == of);
                if (prompt || part["time"]["end"].is_u64()) && remember(&mut self.told, id) {
                    let text = text.to_owned();
                    events.push(if prompt { Event::Prompted(text) } else { Event::Said(text) });
                }
            }
            "tool" => {
                let Some(call) = part["callID"].as_str() else { return };
                let state = &part["state"];
                match state["status"].as_str().unwrap_or_default() {
                    "running" if remember(&mut self.told, call) => {
                        let tool = part["tool"].as_str().unwrap_or("a tool");
                        let what = format!("{tool} {}", about(&state["input"]).unwrap_or_default());
                        let what = what.trim_end().to_owned();
                        events.push(Event::ToolStarted { id: call.to_owned(), what });
                    }
                    "completed" | "error" => events.push(Event::ToolEnded { id: call.to_owned() }),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn permission(&mut self, asked: &Value, events: &mut Vec<Event>) {
        let tool = asked["permission"].as_str().unwrap_or("a tool");
        let named = about(&asked["metadata"]).map(str::to_owned);
        let what = named.unwrap_or_else(|| {
            let patterns = asked["patterns"].as_array().into_iter().flatten().filter_map(Value::as_str);
            patterns.collect::<Vec<_>>().join(", ")
        });
        let (about, what) = match tool {
            "bash" => (About::Command, what),
            "edit" | "write" | "patch" => (About::Edit, what),
            _ => (About::Permission, format!("{tool} {what}")),
        };
        self.ask(asked, true, about, what, events);
    }

    fn question(&mut self, asked: &Value, events: &mut Vec<Event>) {
        let first = &asked["questions"][0];
        let mut what = first["question"].as_str().unwrap_or("it asks something").to_owned();
        let choices = first["options"].as_array().into_iter().flatten();
        let choices: Vec<&str> = choices.filter_map(|choice| choice["label"].as_str()).collect();
        if !choices.is_empty() {
            what = format!("{what} {}", choices.join(" / "));
        }
        self.ask(asked, false, About::Choice, what, events);
    }

    fn ask(&mut self, asked: &Value, permission: bool, about: About, what: String, events: &mut Vec<Event>) {
        let (Some(id), Some(session)) = (asked["id"].as_str(), asked["sessionID"].as_str()) else { return };
        let why = if self.is_persons(session) { String::new() } else { "a sub-agent asks".into() };
        self.open.insert(id.to_owned(), Open { session: session.to_owned(), permission });
        events.push(Event::Asked(Question { id: id.to_owned(), about, what, why }));
    }
}

/// Keeps a name among the newest ones; false when it is there already.
fn remember(names: &mut Vec<String>, name: &str) -> bool {
    if names.iter().any(|known| known == name) {
        return false;
    }
    if names.len() >= TOLD {
        names.remove(0);
    }
    names.push(name.to_owned());
    true
}

/// What a tool is used on.
fn about(input: &Value) -> Option<&str> {
    ["command", "filePath", "filepath", "path", "url", "pattern", "query", "description"]
        .iter()
        .find_map(|key| input[*key].as_str())
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
    /// Asks something.
    pub fn get(path: &str) -> Self {
        Self { post: false, path: path.to_owned(), body: Value::Null }
    }

    fn post(path: impl Into<String>, body: Value) -> Self {
        Self { post: true, path: path.into(), body }
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

/// Ends a session's turn.
///
/// # Errors
/// The id is none.
pub fn interrupt(session: &str) -> Result<Call, String> {
    Ok(Call::post(format!("/session/{}/abort", id(session)?), json!({})))
}

/// Gives a session a prompt; during a turn it is taken up at the turn's next step. What the person is typing in the
/// TUI stays as it is.
///
/// # Errors
/// The id is none.
pub fn prompt(session: &str, text: &str) -> Result<Call, String> {
    let body = json!({ "parts": [{ "type": "text", "text": text }] });
    Ok(Call::post(format!("/session/{}/prompt_async", id(session)?), body))
}

/// Begins a session with a prompt, by way of the TUI, which otherwise would stay on its first screen.
pub fn first_prompt(text: &str) -> [Call; 3] {
    [
        Call::post("/tui/clear-prompt", json!({})),
        Call::post("/tui/append-prompt", json!({ "text": text })),
        Call::post("/tui/submit-prompt", json!({})),
    ]
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
