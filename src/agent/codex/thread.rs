//! What Codex's app-server says and is told about the thread that a pane shows. Pure: messages in, messages and events
//! out.
//!
//! The vendor's TUI in the pane is the first client of the thread, this is the second. Both are asked the same questions;
//! whoever answers first answers for both.
mod asking;
mod items;
mod reading;

use crate::{
    agent::control::{Ended, Event},
    state::Permission,
};
use reading::{name, text, windows};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Notices that come by the hundred and that nobody reads here.
const UNHEARD: &[&str] = &[
    "item/agentMessage/delta",
    "item/reasoning/summaryTextDelta",
    "item/reasoning/summaryPartAdded",
    "item/reasoning/textDelta",
    "item/plan/delta",
    "item/commandExecution/outputDelta",
    "item/fileChange/outputDelta",
    "item/fileChange/patchUpdated",
    "item/mcpToolCall/progress",
    "command/exec/outputDelta",
    "process/outputDelta",
    "thread/tokenUsage/updated",
    "turn/diff/updated",
];

/// How often a thread in its first turn is asked for again; it is written down within milliseconds.
const TRIES: u32 = 25;

/// Threads that are remembered; a pane opens a few, and each sub-agent one.
const THREADS: usize = 512;

/// What one message led to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    /// To be sent, in this order.
    pub say: Vec<Value>,
    /// What it means.
    pub tell: Vec<Event>,
    /// The answer to a request of ours that somebody waits for.
    pub answered: Option<(u64, Result<(), String>)>,
}

/// Whose thread it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The person's.
    Person,
    /// A sub-agent's.
    Helper,
    /// The vendor's own: titles, reviews.
    Side,
}

/// What a request of ours is for.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Hello,
    Loaded,
    Resume(String),
    Read(String),
    Quietly,
    Ordered,
}

/// A question as the protocol asked it.
#[derive(Clone, Debug)]
struct Open {
    id: Value,
    method: String,
    thread: String,
    params: Value,
}

/// The thread, as far as it was heard of.
#[derive(Debug)]
pub(super) struct Thread {
    wanted: Option<String>,
    permission: Option<Permission>,
    next: u64,
    asked: BTreeMap<u64, Asked>,
    whose: BTreeMap<String, Whose>,
    subscribed: BTreeSet<String>,
    main: Option<String>,
    turn: Option<String>,
    in_turn: bool,
    open: Vec<Open>,
    /// Commands that have not ended: they may outlive the turn.
    running: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    helpers: BTreeSet<String>,
    model: Option<String>,
    limited: bool,
    retrying: bool,
    tries: u32,
}

impl Thread {
    /// A thread that is about to be looked at: `wanted` is resumed with that permission, else the TUI's own is awaited.
    pub fn new(wanted: Option<String>, permission: Option<Permission>) -> Self {
        Self {
            wanted,
            permission,
            next: 0,
            asked: BTreeMap::new(),
            whose: BTreeMap::new(),
            subscribed: BTreeSet::new(),
            main: None,
            turn: None,
            in_turn: false,
            open: Vec::new(),
            running: BTreeMap::new(),
            files: BTreeMap::new(),
            helpers: BTreeSet::new(),
            model: None,
            limited: false,
            retrying: false,
            tries: 0,
        }
    }

    /// The first message.
    pub fn hello(&mut self) -> Value {
        let client = json!({ "name": "inspan", "title": "inspan", "version": env!("CARGO_PKG_VERSION") });
        let capabilities = json!({ "experimentalApi": true, "optOutNotificationMethods": UNHEARD });
        self.request(
            Asked::Hello,
            "initialize",
            &json!({ "clientInfo": client, "capabilities": capabilities }),
        )
    }

    fn request(&mut self, what: Asked, method: &str, params: &Value) -> Value {
        self.next += 1;
        self.asked.insert(self.next, what);
        json!({ "id": self.next, "method": method, "params": params })
    }

    fn subscribe(&mut self, thread: &str) -> Value {
        let params = json!({ "threadId": thread, "excludeTurns": true });
        self.request(Asked::Resume(thread.to_owned()), "thread/resume", &params)
    }

    /// Whether the thread is asked for already.
    fn subscribing(&self, thread: &str) -> bool {
        let asks = |what: &Asked| matches!(what, Asked::Resume(id) | Asked::Read(id) if id == thread);
        self.subscribed.contains(thread) || self.asked.values().any(asks)
    }

    /// Whether it is time to ask again for the TUI's thread: one that was begun while we said hello was announced to
    /// others alone.
    pub fn misses_thread(&self) -> bool {
        self.main.is_none() && !self.asked.values().any(|what| matches!(what, Asked::Hello | Asked::Loaded))
    }

    /// Asks once more which threads there are.
    pub fn look_again(&mut self) -> Value {
        self.request(Asked::Loaded, "thread/loaded/list", &json!({}))
    }

    /// Takes a message in.
    pub fn heard(&mut self, message: &Value) -> Heard {
        let mut heard = Heard::default();
        let params = message.get("params").unwrap_or(&Value::Null);
        match (text(message, "method"), message.get("id")) {
            (Some(method), Some(id)) => self.question(method, id, params, &mut heard),
            (Some(method), None) => self.notice(method, params, &mut heard),
            (None, Some(id)) => {
                let of = id.as_u64().and_then(|id| Some((id, self.asked.remove(&id)?)));
                if let Some((id, what)) = of {
                    self.answer(id, what, message, &mut heard);
                }
            }
            (None, None) => {}
        }
        heard
    }

    fn answer(&mut self, id: u64, what: Asked, message: &Value, heard: &mut Heard) {
        let error = message.get("error").map(|e| text(e, "message").unwrap_or("it was refused").to_owned());
        let result = message.get("result").unwrap_or(&Value::Null);
        match what {
            Asked::Hello => {
                heard.say.push(json!({ "method": "initialized" }));
                match self.wanted.clone() {
                    Some(thread) => heard.say.push(self.subscribe(&thread)),
                    None => heard.say.push(self.look_again()),
                }
            }
            // A thread without a turn is not written down yet and cannot be subscribed to; its status is heard anyway.
            Asked::Loaded => {
                let ids = result.get("data").and_then(Value::as_array).into_iter().flatten();
                let ids: Vec<String> = ids.filter_map(Value::as_str).map(str::to_owned).collect();
                for thread in ids {
                    if !self.whose.contains_key(&thread) {
                        heard.say.push(self.subscribe(&thread));
                    }
                }
                heard.tell.push(Event::Attached);
            }
            Asked::Resume(thread) if error.is_none() => self.subscribed_to(&thread, result, heard),
            // Not written down yet: it is known nonetheless.
            Asked::Resume(thread) => {
                let params = json!({ "threadId": thread, "includeTurns": false });
                heard.say.push(self.request(Asked::Read(thread), "thread/read", &params));
            }
            Asked::Read(thread) => self.read(&thread, result, heard),
            Asked::Quietly => {}
            Asked::Ordered => heard.answered = Some((id, error.map_or(Ok(()), Err))),
        }
    }

    /// A thread that could not be subscribed to.
    fn read(&mut self, id: &str, result: &Value, heard: &mut Heard) {
        let thread = result.get("thread").unwrap_or(&Value::Null);
        if text(thread, "id") != Some(id) || self.learn(id, thread) != Whose::Person {
            heard.tell.push(Event::Attached);
            return;
        }
        self.look_at(id, text(thread, "model").map(str::to_owned), heard);
        let active = thread.pointer("/status/type").and_then(Value::as_str) == Some("active");
        if active {
            self.turn_started(heard);
        }
        if active && self.tries < TRIES {
            self.tries += 1;
            heard.say.push(self.subscribe(id));
        }
    }

    fn subscribed_to(&mut self, id: &str, result: &Value, heard: &mut Heard) {
        let thread = result.get("thread").unwrap_or(&Value::Null);
        self.subscribed.insert(id.to_owned());
        let whose = self.learn(id, thread);
        let active = thread.pointer("/status/type").and_then(Value::as_str) == Some("active");
        if whose != Whose::Person {
            return;
        }
        let model = text(result, "model").or_else(|| text(thread, "model")).map(str::to_owned);
        self.look_at(id, model, heard);
        if let Some(ask) = self.permit(id, result) {
            heard.say.push(ask);
        }
        if active {
            self.turn_started(heard);
        }
    }

    /// Whose thread it is, from what is said of it.
    fn learn(&mut self, id: &str, thread: &Value) -> Whose {
        let own = matches!(text(thread, "threadSource"), None | Some("user"));
        let ephemeral = thread.get("ephemeral").and_then(Value::as_bool).unwrap_or(false);
        let whose = if text(thread, "parentThreadId").is_some() && !ephemeral {
            Whose::Helper
        } else if own && !ephemeral {
            Whose::Person
        } else {
            Whose::Side
        };
        if self.whose.len() >= THREADS {
            let main = self.main.clone();
            self.whose.retain(|known, whose| *whose == Whose::Helper || main.as_ref() == Some(known));
        }
        self.whose.insert(id.to_owned(), whose);
        whose
    }

    /// The TUI shows this thread now.
    fn look_at(&mut self, id: &str, model: Option<String>, heard: &mut Heard) {
        if self.main.as_deref() != Some(id) {
            if self.in_turn {
                self.turn_ended(Ended::Interrupted, heard);
            }
            self.main = Some(id.to_owned());
            self.turn = None;
        }
        self.model.clone_from(&model);
        heard.tell.push(Event::Attached);
        heard.tell.push(Event::Session { id: id.to_owned(), model });
    }

    fn turn_started(&mut self, heard: &mut Heard) {
        if !self.in_turn {
            self.in_turn = true;
            self.limited = false;
            heard.tell.push(Event::TurnStarted);
        }
    }

    fn turn_ended(&mut self, how: Ended, heard: &mut Heard) {
        self.turn = None;
        if !std::mem::take(&mut self.in_turn) {
            return;
        }
        heard.tell.push(Event::TurnEnded(how));
        // What still runs goes on in the background.
        let running = self.running.iter();
        heard.tell.extend(
            running.map(|(id, what)| Event::BesideStarted { id: id.clone(), what: format!("still {what}") }),
        );
    }

    fn notice(&mut self, method: &str, params: &Value, heard: &mut Heard) {
        let thread = text(params, "threadId");
        let main = thread.is_some() && thread == self.main.as_deref();
        if main && let Some(turn) = text(params, "turnId") {
            self.turn = Some(turn.to_owned());
        }
        match method {
            "thread/started" => {
                let Some(thread) = params.get("thread") else { return };
                let Some(id) = text(thread, "id") else { return };
                if self.learn(id, thread) == Whose::Person {
                    let model = text(thread, "model").map(str::to_owned);
                    self.look_at(id, model, heard);
                }
            }
            "thread/status/changed" => {
                if let Some(thread) = thread {
                    self.status(thread, params.get("status").unwrap_or(&Value::Null), heard);
                }
            }
            "thread/closed" => {
                if let Some(thread) = thread {
                    self.helper(thread, false, heard);
                    self.subscribed.remove(thread);
                }
            }
            "turn/started" if main => {
                self.turn = params.pointer("/turn/id").and_then(Value::as_str).map(str::to_owned);
                self.turn_started(heard);
            }
            "turn/completed" if main => {
                let turn = params.get("turn").unwrap_or(&Value::Null);
                let how = match text(turn, "status") {
                    Some("failed") => {
                        let error = turn.get("error").unwrap_or(&Value::Null);
                        let why = text(error, "message").unwrap_or("Codex does not say why").to_owned();
                        self.limit(error, &why, heard);
                        Ended::Failed(why)
                    }
                    Some("interrupted") => Ended::Interrupted,
                    _ => Ended::Done,
                };
                self.turn_ended(how, heard);
            }
            "error" if main => {
                let error = params.get("error").unwrap_or(&Value::Null);
                let message = text(error, "message").unwrap_or("the request failed");
                let why = text(error, "additionalDetails").unwrap_or(message).to_owned();
                if params.get("willRetry").and_then(Value::as_bool) == Some(true) {
                    self.retrying = true;
                    heard.tell.push(Event::Retrying(why));
                } else {
                    self.limit(error, &why, heard);
                }
            }
            "item/started" | "item/completed" => {
                let item = params.get("item").unwrap_or(&Value::Null);
                if main && std::mem::take(&mut self.retrying) {
                    heard.tell.push(Event::Resumed);
                }
                self.item(item, method == "item/completed", main, heard);
            }
            "serverRequest/resolved" => {
                let resolved = params.get("requestId").unwrap_or(&Value::Null);
                if let Some(at) = self.open.iter().position(|open| open.id == *resolved) {
                    self.open.remove(at);
                    heard.tell.push(Event::Answered { id: name(resolved) });
                }
            }
            "thread/settings/updated" if main => {
                let model = params.pointer("/threadSettings/model").and_then(Value::as_str);
                if let Some(model) = model.filter(|model| self.model.as_deref() != Some(model)) {
                    self.model = Some(model.to_owned());
                    heard.tell.push(Event::Model(model.to_owned()));
                }
            }
            "account/rateLimits/updated" => {
                let windows = windows(params.get("rateLimits").unwrap_or(&Value::Null));
                if !windows.is_empty() {
                    heard.tell.push(Event::Windows(windows));
                }
            }
            _ => {}
        }
    }

    fn status(&mut self, thread: &str, status: &Value, heard: &mut Heard) {
        let kind = text(status, "type").unwrap_or_default();
        let active = kind == "active";
        match self.whose.get(thread).copied() {
            Some(Whose::Side) => {}
            Some(Whose::Helper) => {
                self.helper(thread, active, heard);
                // Its questions are asked of those alone who listen to it.
                let flags = status.get("activeFlags").and_then(Value::as_array);
                if flags.is_some_and(|flags| !flags.is_empty()) && !self.subscribing(thread) {
                    heard.say.push(self.subscribe(thread));
                }
            }
            known => {
                // One that nobody announced was picked from the TUI's list.
                let main = self.main.as_deref() == Some(thread);
                if active && !self.subscribing(thread) {
                    heard.say.push(self.subscribe(thread));
                }
                if known.is_none() || !main {
                    return;
                }
                if active {
                    self.turn_started(heard);
                } else if !self.subscribed.contains(thread) {
                    // Too short to be listened to.
                    let how = match kind {
                        "systemError" => Ended::Failed("Codex does not say why".into()),
                        _ => Ended::Done,
                    };
                    self.turn_ended(how, heard);
                }
            }
        }
    }

    fn helper(&mut self, thread: &str, works: bool, heard: &mut Heard) {
        let id = thread.to_owned();
        if works && self.helpers.insert(id.clone()) {
            heard.tell.push(Event::BesideStarted { id, what: "a sub-agent is at work".into() });
        } else if !works && self.helpers.remove(thread) {
            heard.tell.push(Event::BesideEnded { id });
        }
    }

    /// Says once a turn that a limit was reached.
    fn limit(&mut self, error: &Value, why: &str, heard: &mut Heard) {
        let info = error.get("codexErrorInfo").unwrap_or(&Value::Null);
        let named = matches!(
            info.as_str(),
            Some("usageLimitExceeded" | "rateLimitExceeded" | "sessionBudgetExceeded")
        );
        let status =
            info.as_object().and_then(|kinds| kinds.values().next()?.get("httpStatusCode")?.as_u64());
        if (named || status == Some(429)) && !std::mem::replace(&mut self.limited, true) {
            heard.tell.push(Event::Limited { why: why.to_owned(), resets: None });
        }
    }
}
