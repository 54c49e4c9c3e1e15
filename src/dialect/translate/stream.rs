//! A translated answer: from the upstream's bytes, split anywhere, to the client's.
use super::{
    Session,
    answer::{Answer, Heard, Listen, Talk, Tell},
    chat, failure, gemini,
    hub::{Counts, Diagnostic, Event, Failure, Notes, Opening},
    messages, responses,
    serial::Serial,
};
use crate::dialect::{
    Dialect, Usage,
    sse::{Event as SseEvent, Events},
};
use serde_json::Value;

/// Bytes of an answer without a stream that are taken.
const WHOLE_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of an answer that stand for a token, where the upstream counts none.
const TOKEN_BYTES: u64 = 4;

/// The status of a stream that broke or cannot be read: the upstream's fault, and worth another try.
const BROKEN: u16 = 502;

/// A stream on its way through. Everything it writes are whole events.
pub struct Stream {
    session: Session,
    listener: Box<dyn Listen>,
    teller: Box<dyn Tell>,
    serial: Serial,
    body: Body,
    state: Said,
    started: bool,
}

/// What has been said so far.
#[derive(Debug, Default)]
struct Said {
    open: Option<Opening>,
    counts: Counts,
    bytes: u64,
    model: String,
    notes: Notes,
    failure: Option<Failure>,
    complete: bool,
}

/// What the upstream's bytes are.
#[derive(Debug)]
enum Body {
    Undecided,
    Events(Events),
    /// One JSON document, although a stream was asked for.
    Whole(Vec<u8>),
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("session", &self.session)
            .field("said", &self.state)
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// A stream for the answer to a translated request.
    pub fn new(session: Session) -> Self {
        Self {
            listener: listener(session.upstream),
            teller: teller(session.client),
            session,
            serial: Serial::default(),
            body: Body::Undecided,
            state: Said::default(),
            started: false,
        }
    }

    /// Takes the upstream's next bytes, split anywhere, and adds what the client may read now.
    ///
    /// A failure before anything was said is not written before [`Stream::finish`], so that the caller may still
    /// choose another way; see [`Stream::failure`] and [`Stream::started`].
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if matches!(self.body, Body::Undecided) {
            match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
                Some(b'{' | b'[') => self.body = Body::Whole(Vec::new()),
                Some(_) => self.body = Body::Events(Events::default()),
                None => return,
            }
        }
        match &mut self.body {
            Body::Undecided => {}
            Body::Whole(whole) => {
                if whole.len() + bytes.len() <= WHOLE_BYTES {
                    whole.extend_from_slice(bytes);
                } else {
                    self.fail("The upstream's answer is larger than what inspan translates.", out);
                }
            }
            Body::Events(events) => {
                let mut events = std::mem::take(events);
                events.feed(bytes, &mut |event| self.event(&event, out));
                self.body = Body::Events(events);
            }
        }
    }

    /// The upstream's body ended, or broke if `cut`. What is not complete now ends in the client's own error.
    pub fn finish(&mut self, cut: bool, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.body, Body::Undecided) {
            Body::Undecided => {}
            Body::Events(mut events) => events.finish(&mut |event| self.event(&event, out)),
            Body::Whole(bytes) => {
                let mut heard = Vec::new();
                match whole_events(self.listener.as_mut(), &bytes, &self.session, &mut self.state.notes) {
                    Ok(events) => heard = events,
                    Err(failure) => heard.push(Event::Fail(failure)),
                }
                self.say(heard, out);
            }
        }
        if !self.over() {
            let mut heard =
                Heard { session: &self.session, events: Vec::new(), notes: &mut self.state.notes };
            self.listener.over(&mut heard);
            let events = heard.events;
            self.say(events, out);
        }
        if !self.over() {
            let words = if cut {
                "The connection to the upstream broke in the middle of the answer."
            } else {
                "The upstream closed the stream before the answer was complete."
            };
            self.fail(words, out);
        }
        if let Some(failure) = self.state.failure.clone().filter(|_| !self.started) {
            self.started = true;
            self.tell(Event::Fail(failure), out);
        }
    }

    /// Ends the stream with an error of the caller's, such as a stall. Nothing is written if it has ended already.
    pub fn abort(&mut self, message: &str, out: &mut Vec<u8>) {
        if !self.over() {
            self.fail(message, out);
        }
        self.body = Body::Undecided;
        self.finish(true, out);
    }

    /// A sign of life that the client passes over; may be written at any time.
    pub fn keep_alive(&self, out: &mut Vec<u8>) {
        match self.session.client {
            Dialect::Messages if self.started => {
                out.extend_from_slice(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");
            }
            // Google's SDK wants data in every event.
            Dialect::Gemini => {}
            _ => out.extend_from_slice(b": keep-alive\n\n"),
        }
    }

    /// Whether the client has been told anything; before that another upstream may still be asked.
    pub fn started(&self) -> bool {
        self.started
    }

    /// The error with which the upstream's answer ended.
    pub fn failure(&self) -> Option<&Failure> {
        self.state.failure.as_ref()
    }

    /// Whether the whole answer has been told, or its failure is known.
    pub fn over(&self) -> bool {
        self.state.complete || self.state.failure.is_some()
    }

    /// Tokens of the answer, and whether the upstream reported them; they are estimates otherwise.
    pub fn usage(&self) -> (Usage, bool) {
        (self.state.counts.usage, self.state.counts.reported)
    }

    /// US dollars, where the upstream names them.
    pub fn cost(&self) -> Option<f64> {
        self.state.counts.cost
    }

    /// The model that the upstream says it served; empty when it did not say.
    pub fn served(&self) -> &str {
        &self.state.model
    }

    /// What of the answer was left out or said otherwise.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.state.notes.0
    }

    fn event(&mut self, event: &SseEvent<'_>, out: &mut Vec<u8>) {
        if self.over() {
            return;
        }
        let data = match event.data {
            Some(data) if data.trim_ascii() == b"[DONE]" => Value::Null,
            Some(data) if data.trim_ascii().is_empty() => return,
            Some(data) => match serde_json::from_slice(data) {
                // `null` alone is what `[DONE]` is read as.
                Ok(Value::Null) => return,
                Ok(data) => data,
                Err(_) => return self.fail("The upstream sent an event that is not JSON.", out),
            },
            // An end that repeats the whole answer may grow so large; it still is the end.
            None if matches!(event.name, "response.completed" | "response.incomplete") => {
                serde_json::json!({"type": event.name})
            }
            None => return self.fail("The upstream sent an event that is too large.", out),
        };
        let mut heard = Heard { session: &self.session, events: Vec::new(), notes: &mut self.state.notes };
        self.listener.hear(event.name, &data, &mut heard);
        let events = heard.events;
        self.say(events, out);
    }

    fn fail(&mut self, message: &str, out: &mut Vec<u8>) {
        let failure = Failure { status: BROKEN, code: String::new(), message: message.to_owned() };
        self.say(vec![Event::Fail(failure)], out);
    }

    fn say(&mut self, heard: Vec<Event>, out: &mut Vec<u8>) {
        let mut ordered = Vec::new();
        heard.into_iter().for_each(|event| self.serial.push(event, &mut ordered));
        for event in ordered {
            self.state.note(&event, &self.session);
            match event {
                Event::Fail(_) if !self.started => {}
                Event::Begin { .. } | Event::Count(_) => self.tell(event, out),
                event => {
                    self.started = true;
                    self.tell(event, out);
                }
            }
        }
    }

    fn tell(&mut self, event: Event, out: &mut Vec<u8>) {
        let closes = matches!(event, Event::Close { .. });
        let talk =
            Talk { session: &self.session, counts: &self.state.counts, open: self.state.open.as_ref() };
        self.teller.tell(event, &talk, out);
        if closes {
            self.state.open = None;
        }
    }
}

impl Said {
    /// Remembers what an event says about the answer.
    fn note(&mut self, event: &Event, session: &Session) {
        match event {
            Event::Begin { model, .. } if !model.is_empty() => model.clone_into(&mut self.model),
            Event::Open { block, .. } => self.open = Some(block.clone()),
            Event::Piece { text, .. } => self.bytes += text.len() as u64,
            Event::Count(counts) => self.counts = *counts,
            Event::Stop(_) => {
                self.complete = true;
                if !self.counts.reported {
                    self.counts.usage.input = session.estimate;
                    self.counts.usage.output = self.bytes.div_ceil(TOKEN_BYTES);
                }
            }
            Event::Fail(failure) if self.failure.is_none() => self.failure = Some(failure.clone()),
            _ => {}
        }
    }
}

/// A whole answer in the client's words.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The body.
    pub body: Value,
    /// Tokens; estimates unless `reported`.
    pub usage: Usage,
    /// The upstream reported the usage.
    pub reported: bool,
    /// US dollars, where the upstream names them.
    pub cost: Option<f64>,
    /// The model that the upstream says it served; empty when it did not say.
    pub served: String,
    /// What was left out or said otherwise.
    pub diagnostics: Vec<Diagnostic>,
}

/// An answer without a stream in the client's words.
///
/// # Errors
/// [`Failure`] when the body is an error under a successful status, or nothing that can be read.
pub fn response(body: &[u8], session: &Session) -> Result<Whole, Failure> {
    let mut said = Said::default();
    let events = whole_events(listener(session.upstream).as_mut(), body, session, &mut said.notes)?;
    let (mut serial, mut ordered) = (Serial::default(), Vec::new());
    events.into_iter().for_each(|event| serial.push(event, &mut ordered));
    ordered.iter().for_each(|event| said.note(event, session));
    if let Some(failure) = said.failure {
        return Err(failure);
    }
    if !said.complete {
        return Err(unread(body));
    }
    let answer = Answer::of(&ordered);
    let talk = Talk { session, counts: &said.counts, open: None };
    let body = match session.client {
        Dialect::Messages => messages::whole(&answer, &talk),
        Dialect::Chat => chat::whole(&answer, &talk),
        Dialect::Responses => responses::whole(&answer, &talk),
        Dialect::Gemini => gemini::whole(&answer, &talk),
    };
    Ok(Whole {
        body,
        usage: said.counts.usage,
        reported: said.counts.reported,
        cost: said.counts.cost,
        served: said.model,
        diagnostics: said.notes.0,
    })
}

fn whole_events(
    listener: &mut dyn Listen,
    body: &[u8],
    session: &Session,
    notes: &mut Notes,
) -> Result<Vec<Event>, Failure> {
    let value: Value = serde_json::from_slice(body).map_err(|_| unread(body))?;
    let mut heard = Heard { session, events: Vec::new(), notes };
    match &value {
        // Gemini without server-sent events writes its chunks as an array.
        Value::Array(chunks) if session.upstream == Dialect::Gemini => {
            chunks.iter().for_each(|chunk| listener.hear("", chunk, &mut heard));
            listener.over(&mut heard);
        }
        value if value["error"].is_null() || value["error"] == Value::Bool(false) => {
            listener.whole(value, &mut heard);
        }
        _ => return Err(failure::read_inside(body)),
    }
    Ok(heard.events)
}

fn unread(body: &[u8]) -> Failure {
    failure::read(BROKEN, body)
}

fn listener(upstream: Dialect) -> Box<dyn Listen> {
    match upstream {
        Dialect::Messages => Box::new(messages::Listener::default()),
        Dialect::Chat => Box::new(chat::Listener::default()),
        Dialect::Responses => Box::new(responses::Listener::default()),
        Dialect::Gemini => Box::new(gemini::Listener::default()),
    }
}

fn teller(client: Dialect) -> Box<dyn Tell> {
    match client {
        Dialect::Messages => Box::new(messages::Teller::default()),
        Dialect::Chat => Box::new(chat::Teller::default()),
        Dialect::Responses => Box::new(responses::Teller::default()),
        Dialect::Gemini => Box::new(gemini::Teller::default()),
    }
}
