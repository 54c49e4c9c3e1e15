//! Typed protocols beside harnesses' TUIs: what they say becomes the pane's status, what a person decides goes to them.
use super::{
    Server,
    listing::time_of_day,
    reply::{Failure, Reply},
    verbs::{Answer, Outcome, line},
};
use crate::{
    agent::control::{self, Endpoint, Handle, Order, Standing, Verdict},
    commands::Target,
    mux::PaneId,
    router::Refusal,
    state::{Status, StatusReport, target::Origin},
};
use std::time::{Duration, Instant};

/// A question is on the screen this long before a key answers it: what was pressed for the one before must not.
const ARMED_AFTER: Duration = Duration::from_millis(500);

/// How long a harness may take to say how an order went.
const ORDER_WAIT: Duration = Duration::from_secs(10);

/// When the protocol ends before the process does, this long passes before it is taken for a failure: a CLI that leaves
/// ends both.
const LOST_WAIT: Duration = Duration::from_millis(1500);

/// A harness's typed protocol, as far as it has come.
#[derive(Debug, Default)]
pub(crate) enum Control {
    /// It has none, or it is not used.
    #[default]
    None,
    /// It is spoken as soon as the TUI is there.
    Planned(Endpoint),
    /// It is spoken.
    Spoken(Box<Spoken>),
    /// It cannot be spoken; the words say why.
    Lost(String),
}

/// A protocol that is spoken.
#[derive(Debug)]
pub(crate) struct Spoken {
    /// Which client: what an earlier one still says is not listened to.
    run: u64,
    endpoint: Endpoint,
    handle: Handle,
    standing: Standing,
    /// When the question that is first in line came to be so.
    asked: Option<(String, Instant)>,
}

impl Control {
    fn standing(&self) -> Option<&Standing> {
        match self {
            Self::Spoken(spoken) => Some(&spoken.standing),
            Self::None | Self::Planned(_) | Self::Lost(_) => None,
        }
    }

    /// Where it is spoken or will be.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Planned(endpoint) => Some(endpoint),
            Self::Spoken(spoken) => Some(&spoken.endpoint),
            Self::None | Self::Lost(_) => None,
        }
    }

    /// How it stands, in words; nothing where there is none.
    pub(crate) fn words(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Planned(_) => Some("typed control begins with the CLI's first sign".into()),
            Self::Spoken(spoken) if spoken.standing.report().is_none() => Some("typed control begins".into()),
            Self::Spoken(_) => Some("typed control is on".into()),
            Self::Lost(why) => Some(format!("no typed control: {why}")),
        }
    }
}

impl Server {
    /// The CLI gave a sign, or was started: time to speak with it.
    pub(super) fn control_begin(&mut self, id: PaneId, sign: bool) {
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        match &runtime.control {
            Control::Planned(endpoint) if sign || !endpoint.follows_tui() => {}
            _ => return,
        }
        let Control::Planned(endpoint) = std::mem::take(&mut runtime.control) else { return };
        self.controls += 1;
        let run = self.controls;
        let (handle, orders) = Handle::new();
        let spoken =
            Spoken { run, endpoint: endpoint.clone(), handle, standing: Standing::default(), asked: None };
        runtime.control = Control::Spoken(Box::new(spoken));
        self.tasks.speak(endpoint, orders, move |server, event| server.control_event(id, run, event));
    }

    fn control_event(&mut self, id: PaneId, run: u64, event: control::Event) {
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        let Control::Spoken(spoken) = &mut runtime.control else { return };
        if spoken.run != run {
            return;
        }
        spoken.standing.apply(&event);
        let by_login = runtime.token.is_empty();
        let pane = self.state.panes.get_mut(&id);
        let harness = pane.and_then(|pane| pane.harness.as_mut());
        match event {
            control::Event::Session { id: session, .. } => {
                if let Some(harness) = harness.filter(|h| h.session.as_deref() != Some(&session)) {
                    harness.session = Some(session);
                    self.changed = true;
                }
            }
            // On the gateway the requests themselves say which model serves.
            control::Event::Model(model) => {
                if let Some(harness) = harness.filter(|_| by_login) {
                    harness.served_model = Some(model);
                }
            }
            control::Event::Windows(windows) => {
                if let Some(harness) = harness.filter(|_| by_login) {
                    harness.windows = windows;
                }
            }
            control::Event::Said(text) if by_login => runtime.last_answer = text,
            control::Event::Lost(why) => return self.control_lost(id, run, why),
            _ => {}
        }
        self.note_question(id);
        self.watch(id);
        self.dirty_all();
    }

    /// What is asked is drawn beside the status, with the keys that answer it.
    fn note_question(&mut self, id: PaneId) {
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        let mut shown = None;
        if let Control::Spoken(spoken) = &mut runtime.control {
            let first = spoken.standing.questions().first();
            shown = first.map(control::Question::line);
            match first {
                Some(question) if spoken.asked.as_ref().is_none_or(|(id, _)| *id != question.id) => {
                    spoken.asked = Some((question.id.clone(), Instant::now()));
                }
                Some(_) => {}
                None => spoken.asked = None,
            }
        }
        if let Some(pane) = self.state.panes.get_mut(&id) {
            pane.question = shown;
        }
    }

    /// The protocol ended. With a process that lives on, the pane says so and what to do.
    fn control_lost(&mut self, id: PaneId, run: u64, why: String) {
        let tuis_own = self.control_is_tuis_own(id);
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        let spoke = runtime.control.standing().is_some_and(|standing| standing.report().is_some());
        tracing::info!(pane = %id, why, spoke, "typed control ended");
        if !spoke || tuis_own {
            // The CLI runs by itself, as it does without.
            runtime.control = Control::Lost(why);
            self.note_question(id);
            self.watch_soon(id);
            return;
        }
        self.tasks.after(LOST_WAIT, move |server| {
            let same = server.harnesses.get(&id).is_some_and(
                |runtime| matches!(&runtime.control, Control::Spoken(spoken) if spoken.run == run),
            );
            let Some(screen) = server.screens.get_mut(&id).filter(|_| same) else { return };
            let Some(pty) = screen.pty.take() else { return };
            screen.on_exit = Some(Box::new(move |server, id, _| {
                if let Some(pane) = server.state.panes.get_mut(&id) {
                    pane.notes.push("what was said is kept; r goes on with it".into());
                }
                server.not_started(id, &why);
            }));
            server.stop_later(pty);
        });
    }

    /// What the typed protocol says of a pane.
    pub(super) fn control_report(&self, id: PaneId) -> Option<StatusReport> {
        let standing = self.harnesses.get(&id)?.control.standing()?;
        let mut report = standing.report()?;
        if let (Status::Limited, Some(at)) = (&report.status, standing.resets()) {
            let at = time_of_day(i64::try_from(at).unwrap_or_default(), Some("%a %H:%M"));
            report.detail = format!("{} · resets {at}", report.detail);
        }
        Some(report)
    }

    /// Gives an order whose answer is told later.
    fn order(
        &mut self,
        id: PaneId,
        order: Order,
        then: impl FnOnce(&mut Self, Result<(), String>) + Send + 'static,
    ) -> bool {
        let Some(Control::Spoken(spoken)) = self.harnesses.get(&id).map(|runtime| &runtime.control) else {
            return false;
        };
        if spoken.standing.report().is_none() {
            return false;
        }
        self.tasks.answer(ORDER_WAIT, spoken.handle.give(order), then);
        true
    }

    /// Submits a prompt through the protocol, where a draft of the person's stays what it is; false where there is none.
    pub(super) fn control_prompt(&mut self, id: PaneId, text: &str) -> bool {
        // A command of the TUI is for the TUI.
        if text.starts_with('/') {
            return false;
        }
        let typed = text.to_owned();
        self.order(id, Order::Prompt(text.to_owned()), move |server, how| {
            if let Err(why) = how {
                tracing::info!(pane = %id, why, "a prompt is typed instead");
                if let Err(why) = server.type_prompt(id, &typed) {
                    server.tell_all(&why);
                }
            }
        })
    }

    /// Has the thread name another model from its next request on; false where there is no protocol.
    pub(super) fn control_model(&mut self, id: PaneId, wire: &str) -> bool {
        if self.control_is_tuis_own(id) {
            return false;
        }
        let model = wire.to_owned();
        self.order(id, Order::Model(wire.to_owned()), move |server, how| match how {
            Ok(()) => {
                if let Some(runtime) = server.harnesses.get_mut(&id) {
                    runtime.launched = Some(model);
                }
                server.publish_routes();
            }
            Err(why) => server.tell_all(&format!("{id} did not take the model: {why}")),
        })
    }

    /// Whether the protocol is a side of the TUI's own process.
    pub(super) fn control_is_tuis_own(&self, id: PaneId) -> bool {
        let control = self.harnesses.get(&id).map(|runtime| &runtime.control);
        matches!(control, Some(Control::Spoken(spoken)) if spoken.endpoint.is_tuis_own())
    }

    /// Whether a harness takes orders.
    pub(super) fn is_controlled(&self, id: PaneId) -> bool {
        self.harnesses.get(&id).is_some_and(|r| r.control.standing().is_some_and(|s| s.report().is_some()))
    }

    /// Whether the typed protocol says that a turn runs.
    pub(super) fn control_works(&self, id: PaneId) -> bool {
        self.harnesses.get(&id).and_then(|r| r.control.standing()).is_some_and(Standing::in_turn)
    }

    /// `approve` and `deny`.
    pub(super) fn verdict(
        &mut self,
        target: &Target,
        verdict: Verdict,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let Some(Control::Spoken(spoken)) = self.harnesses.get(&id).map(|runtime| &runtime.control) else {
            return Err(self.not_controlled(id).into());
        };
        if spoken.standing.report().is_none() {
            return Err(self.not_controlled(id).into());
        }
        let Some(question) = spoken.standing.questions().first() else {
            return Err(self.asks_nothing(id).into());
        };
        let young = spoken.asked.as_ref().is_some_and(|(_, at)| at.elapsed() < ARMED_AFTER);
        if origin.client.is_some() && young {
            return Err(Failure::Failed("it has only just asked: read it, then press again".into()));
        }
        let word = if verdict == Verdict::Deny { "denied" } else { "approved" };
        let said = format!("{id}: {word}: {}", question.line());
        let order = Order::Answer { question: question.id.clone(), verdict };
        let data = serde_json::json!({ "verdict": word, "question": question.line() });
        if let Some(pane) = self.state.panes.get(&id) {
            self.recorder.journal(&self.session_name_of(id), &pane.key, "question.answered", data);
        }
        self.ordered(id, order, said, origin, reply)
    }

    /// `interrupt`.
    pub(super) fn interrupt(
        &mut self,
        target: &Target,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        if !self.is_controlled(id) {
            return Err(self.not_controlled(id).into());
        }
        self.ordered(id, Order::Interrupt, format!("{id}: its turn was interrupted"), origin, reply)
    }

    fn ordered(
        &mut self,
        id: PaneId,
        order: Order,
        said: String,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let (client, reply) = (origin.client, reply.take());
        let given = self.order(id, order, move |server, how| {
            let answer = match how {
                Ok(()) => line(&said),
                Err(why) => Err(Failure::Failed(format!("{id}: {why}"))),
            };
            server.answer(answer, client, reply);
        });
        if given { Ok(Outcome::Later) } else { Err(self.not_controlled(id).into()) }
    }

    fn not_controlled(&self, id: PaneId) -> Refusal {
        let why = self.harnesses.get(&id).and_then(|runtime| runtime.control.words());
        Refusal {
            rule: "control.none".into(),
            reason: why.map_or_else(
                || format!("{id} is not driven by a typed protocol"),
                |why| format!("{id}: {why}"),
            ),
            remedies: vec![format!("answer it in its pane, or: inspan send-keys -t {id} Enter  or  Escape")],
        }
    }

    fn asks_nothing(&self, id: PaneId) -> Refusal {
        let asking = self.state.panes.values().filter(|pane| pane.question.is_some());
        let asking: Vec<String> = asking.map(|pane| pane.id.to_string()).collect();
        let remedies = match asking.is_empty() {
            true => vec!["inspan list-panes  says what each does".into()],
            false => vec![format!("these ask: {}", asking.join(", "))],
        };
        Refusal { rule: "control.no-question".into(), reason: format!("{id} asks nothing"), remedies }
    }
}
