//! What a harness's typed protocol says and takes, in words that are the same for every vendor.
//!
//! A protocol client (one for each vendor, beside this file) turns what it hears into [`Event`]s and carries out
//! [`Order`]s. [`Standing`] folds the events into a status and the questions that are open. Must not know: the server's
//! loop, panes.
use super::{codex, opencode};
use crate::{
    router::LimitWindow,
    state::{Status, StatusReport, StatusSource},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, future::Future};
use tokio::sync::{mpsc, oneshot};

/// Orders that wait for a client: a person gives one at a time, more is a script that does not look.
const ORDERS: usize = 32;

/// Events that wait for whoever listens; a client reads on when there is room.
pub const EVENTS: usize = 256;

/// What a question may hold of the words it was asked with; it is drawn in a line.
const WHAT_MAX: usize = 300;

/// Where a harness's typed protocol is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Endpoint {
    /// The app-server beside a Codex.
    Codex(codex::Attach),
    /// The server beside OpenCode's TUI, in the same process.
    OpenCode(opencode::Access),
}

impl Endpoint {
    /// The same place for a client that comes later, when the session is known and settled.
    #[must_use]
    pub fn again(mut self, known: Option<&String>) -> Self {
        match &mut self {
            Self::Codex(attach) => {
                attach.thread = known.cloned().or(attach.thread.take());
                attach.permission = None;
            }
            Self::OpenCode(access) => access.session = known.cloned().or(access.session.take()),
        }
        self
    }

    /// Whether the harness's own TUI must be there first: who comes first gives the process its name towards the
    /// vendor.
    pub fn follows_tui(&self) -> bool {
        match self {
            Self::Codex(_) => true,
            Self::OpenCode(_) => false,
        }
    }

    /// Whether it is a side of the TUI's own process: that comes up after it, goes on without it, and keeps to its own
    /// choice of a model.
    pub fn is_tuis_own(&self) -> bool {
        match self {
            Self::Codex(_) => false,
            Self::OpenCode(_) => true,
        }
    }

    /// Speaks there until one side ends it. Events go to `tell`, the last one is [`Event::Lost`] unless the handle was
    /// dropped.
    pub async fn run(self, orders: mpsc::Receiver<Ordered>, tell: mpsc::Sender<Event>) {
        match self {
            Self::Codex(attach) => codex::run(attach, orders, tell).await,
            Self::OpenCode(access) => opencode::run(access, orders, tell).await,
        }
    }
}

/// Something that the harness asks and that an answer can be given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Names it for the answer.
    pub id: String,
    /// What it is about.
    pub about: About,
    /// The command, the files or the words of the question, in one line.
    pub what: String,
    /// Why the harness wants it; empty when it does not say.
    pub why: String,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A command that is to run.
    Command,
    /// Files that are to change.
    Edit,
    /// Another permission: the network, a directory, an MCP tool.
    Permission,
    /// A question whose answer is more than yes or no; it is answered in the harness itself.
    Choice,
}

impl Question {
    /// The question as the status names it: `run touch x`.
    pub fn line(&self) -> String {
        let verb = match self.about {
            About::Command => "run ",
            About::Edit => "change ",
            About::Permission => "allow ",
            About::Choice => "",
        };
        let what: String = self.what.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut line: String = format!("{verb}{what}").chars().take(WHAT_MAX).collect();
        if !self.why.is_empty() {
            line.push_str(" · ");
            line.extend(self.why.chars().filter(|c| !c.is_control()).take(WHAT_MAX));
        }
        line
    }
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an answer.
    Done,
    /// It was interrupted.
    Interrupted,
    /// It could not go on; the words say why.
    Failed(String),
}

/// What a protocol client tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The client speaks with the harness, which takes prompts.
    Attached,
    /// The native session that the person sees, and its model where that is known.
    Session {
        /// The executor's own id.
        id: String,
        /// The wire id of its model.
        model: Option<String>,
    },
    /// A turn began.
    TurnStarted,
    /// The turn is over.
    TurnEnded(Ended),
    /// It asks for something.
    Asked(Question),
    /// A question was answered, here or in the harness itself.
    Answered {
        /// Which one.
        id: String,
    },
    /// A whole message of the person.
    Prompted(String),
    /// A whole message of the model.
    Said(String),
    /// A tool or a command began.
    ToolStarted {
        /// Names it for its end.
        id: String,
        /// In one line.
        what: String,
    },
    /// A tool or a command ended.
    ToolEnded {
        /// Which one.
        id: String,
    },
    /// Something works beside the turn: a sub-agent, a command in the background. It may outlive the turn.
    BesideStarted {
        /// Names it for its end.
        id: String,
        /// In one line.
        what: String,
    },
    /// What worked beside the turn ended.
    BesideEnded {
        /// Which one.
        id: String,
    },
    /// A model request failed and is made again.
    Retrying(String),
    /// The model answers again.
    Resumed,
    /// A usage limit was reached.
    Limited {
        /// The words of the provider.
        why: String,
        /// Unix seconds at which it begins anew, where that is known.
        resets: Option<u64>,
    },
    /// The account's limits, as the provider tells them.
    Windows(Vec<LimitWindow>),
    /// Another model answers from now on.
    Model(String),
    /// The harness cannot be spoken with any more; the words say why. Nothing follows.
    Lost(String),
}

/// The answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This once.
    Approve,
    /// This and what is like it, until the session ends.
    ApproveForSession,
    /// No; the turn goes on without it.
    Deny,
}

/// What a client is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Answer a question.
    Answer {
        /// Which one.
        question: String,
        /// How.
        verdict: Verdict,
    },
    /// End the turn now.
    Interrupt,
    /// A prompt, to begin a turn with.
    Prompt(String),
    /// A prompt that waits in the harness for the end of the turn.
    Queue(String),
    /// Another model, by its wire id, from the next request on.
    Model(String),
}

/// An order, and where the answer goes.
#[derive(Debug)]
pub struct Ordered {
    /// What to do.
    pub order: Order,
    /// How it went; a sentence says why it did not.
    pub reply: oneshot::Sender<Result<(), String>>,
}

/// The near end of a protocol client. Dropping it ends the client.
#[derive(Debug)]
pub struct Handle {
    orders: mpsc::Sender<Ordered>,
}

impl Handle {
    /// A handle, and what its client reads orders from. The client ends when that is closed.
    pub fn new() -> (Self, mpsc::Receiver<Ordered>) {
        let (orders, taken) = mpsc::channel(ORDERS);
        (Self { orders }, taken)
    }

    /// Gives an order. The future says how it went.
    ///
    /// # Errors
    /// A sentence: the client is gone, does not take orders, or the harness refused.
    pub fn give(&self, order: Order) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let sent = self.orders.try_send(Ordered { order, reply });
        async move {
            sent.map_err(|_| "the harness cannot be spoken with at the moment".to_owned())?;
            answer.await.map_err(|_| "the harness ended before it answered".to_owned())?
        }
    }
}

/// What the events so far add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    attached: bool,
    turn: bool,
    questions: Vec<Question>,
    tools: BTreeMap<String, String>,
    beside: BTreeMap<String, String>,
    retrying: Option<String>,
    limited: Option<(String, Option<u64>)>,
    failed: Option<String>,
    resets: Option<u64>,
}

impl Standing {
    /// Takes an event in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Attached => self.attached = true,
            Event::TurnStarted => {
                self.attached = true;
                self.turn = true;
                self.retrying = None;
                self.limited = None;
                self.failed = None;
            }
            Event::TurnEnded(how) => {
                self.turn = false;
                self.retrying = None;
                self.questions.clear();
                self.tools.clear();
                self.failed = match how {
                    Ended::Failed(why) => Some(why.clone()),
                    Ended::Done | Ended::Interrupted => None,
                };
            }
            Event::Asked(question) => {
                self.questions.retain(|known| known.id != question.id);
                self.questions.push(question.clone());
            }
            Event::Answered { id } => self.questions.retain(|known| known.id != *id),
            Event::ToolStarted { id, what } => {
                self.retrying = None;
                self.tools.insert(id.clone(), what.clone());
            }
            Event::ToolEnded { id } => {
                self.tools.remove(id);
            }
            Event::BesideStarted { id, what } => {
                self.beside.insert(id.clone(), what.clone());
            }
            Event::BesideEnded { id } => {
                self.beside.remove(id);
            }
            Event::Said(_) | Event::Resumed => self.retrying = None,
            Event::Retrying(why) => self.retrying = Some(why.clone()),
            Event::Limited { why, resets } => self.limited = Some((why.clone(), resets.or(self.resets))),
            Event::Windows(windows) => {
                let fullest = windows.iter().max_by(|a, b| a.used.total_cmp(&b.used));
                self.resets = fullest.and_then(|w| u64::try_from(w.resets_ms? / 1000).ok());
            }
            Event::Session { .. } | Event::Prompted(_) | Event::Model(_) | Event::Lost(_) => {}
        }
    }

    /// The questions that are open, the oldest first.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Whether a turn is running.
    pub fn in_turn(&self) -> bool {
        self.turn
    }

    /// Unix seconds at which the limit that was reached begins anew.
    pub fn resets(&self) -> Option<u64> {
        self.limited.as_ref().and_then(|(_, resets)| *resets)
    }

    /// The status; `None` until the harness was heard. Never idle while something works, never a question without one.
    pub fn report(&self) -> Option<StatusReport> {
        if !self.attached {
            return None;
        }
        let (status, detail) = if let Some(question) = self.questions.first() {
            let more = self.questions.len() - 1;
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            (Status::NeedsYou, question.line() + &more)
        } else if let Some(why) = self.retrying.as_ref().filter(|_| self.turn) {
            (Status::Retrying, why.clone())
        } else if self.turn {
            let tool = self.tools.values().next().map_or("a turn runs", String::as_str);
            (Status::Working, tool.to_owned())
        } else if let Some((why, _)) = &self.limited {
            (Status::Limited, why.clone())
        } else if let Some(what) = self.beside.values().next() {
            (Status::Working, what.clone())
        } else if let Some(why) = &self.failed {
            (Status::Idle, StatusReport::failure_detail(why))
        } else {
            (Status::Idle, "it takes a prompt".to_owned())
        };
        let until = self.resets().filter(|_| status == Status::Limited);
        Some(StatusReport { until, ..StatusReport::new(status, StatusSource::Protocol, detail) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &[Event]) -> Option<(Status, String)> {
        let mut standing = Standing::default();
        events.iter().for_each(|event| standing.apply(event));
        standing.report().map(|report| (report.status, report.detail))
    }

    fn asks(id: &str, what: &str) -> Event {
        let (id, what) = (id.to_owned(), what.to_owned());
        Event::Asked(Question { id, about: About::Command, what, why: "it leaves the sandbox".into() })
    }

    #[test]
    fn a_question_stands_until_somebody_answered_it() {
        let begin = [Event::Attached, Event::TurnStarted, asks("1", "touch\n x"), asks("2", "rm y")];
        let (status, detail) = told(&begin).unwrap();
        assert_eq!(status, Status::NeedsYou);
        assert_eq!(detail, "run touch x · it leaves the sandbox (and 1 more)");
        let answered = |ids: &[&str]| {
            let after = ids.iter().map(|id| Event::Answered { id: (*id).into() });
            told(&begin.iter().cloned().chain(after).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(answered(&["1"]).1, "run rm y · it leaves the sandbox");
        assert_eq!(answered(&["2", "1"]), (Status::Working, "a turn runs".into()));
    }

    #[test]
    fn it_is_not_idle_while_anything_works() {
        let beside = Event::BesideStarted { id: "s".into(), what: "a sub-agent is at work".into() };
        let ended = Event::TurnEnded(Ended::Done);
        let (status, detail) =
            told(&[Event::Attached, Event::TurnStarted, beside.clone(), ended.clone()]).unwrap();
        assert_eq!((status, detail.as_str()), (Status::Working, "a sub-agent is at work"));
        let over = [Event::TurnStarted, beside, ended, Event::BesideEnded { id: "s".into() }];
        assert_eq!(told(&over).unwrap().0, Status::Idle);
        assert_eq!(told(&[Event::Model("m".into())]), None);
    }

    #[test]
    fn a_limit_outlives_its_turn_and_knows_its_reset() {
        let window = |used, resets_ms| LimitWindow { name: "5h".into(), used, resets_ms };
        let mut standing = Standing::default();
        for event in [
            Event::Windows(vec![window(0.2, Some(9_000)), window(1.0, Some(7_000))]),
            Event::TurnStarted,
            Event::Retrying("429".into()),
        ] {
            standing.apply(&event);
        }
        assert_eq!(standing.report().unwrap().status, Status::Retrying);
        standing.apply(&Event::Limited { why: "the limit".into(), resets: None });
        standing.apply(&Event::TurnEnded(Ended::Failed("the limit".into())));
        assert_eq!(standing.report().unwrap().status, Status::Limited);
        assert_eq!(standing.resets(), Some(7));
        standing.apply(&Event::TurnStarted);
        standing.apply(&Event::TurnEnded(Ended::Failed("no".into())));
        assert_eq!(standing.report().unwrap().failure(), Some("no"));
    }

    #[tokio::test]
    async fn an_order_is_answered_or_says_that_nobody_is_there() {
        let (handle, mut taken) = Handle::new();
        let given = handle.give(Order::Interrupt);
        let ordered = taken.recv().await.unwrap();
        assert_eq!(ordered.order, Order::Interrupt);
        ordered.reply.send(Err("no turn runs".into())).unwrap();
        assert_eq!(given.await, Err("no turn runs".into()));
        drop(taken);
        assert!(handle.give(Order::Interrupt).await.is_err());
    }
}
