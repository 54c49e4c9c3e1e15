//! The words between the gateway and the loop.
use crate::{
    executors::Class,
    handoff::Conversation,
    router::{Budget, ExecutorId, LimitWindow, Policy, Route, Standing},
};
use arc_swap::ArcSwap;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use crate::record::LedgerRow;

/// Pane token -> what that pane's requests may do now. The loop publishes a new table at each change; the gateway
/// reads it per request, so a model switch under `credits` needs no restart.
pub type RouteTable = Arc<ArcSwap<HashMap<String, Arc<PaneRoute>>>>;

/// One row of the route table.
#[derive(Clone, Debug)]
pub struct PaneRoute {
    /// The pane's ULID.
    pub pane: String,
    /// Its session's name, for the journal.
    pub session: String,
    /// Its session's id, for sums that outlive a name.
    pub session_id: String,
    /// The directory that it was started in, whose workspace may have rules.
    pub dir: PathBuf,
    /// Who sends.
    pub executor: ExecutorId,
    /// Where to, as planned.
    pub route: Route,
    /// The wire id that the harness was started with, which it names until its user types `/model`. `None` takes the
    /// first one that it names for a wish.
    pub launched: Option<String>,
    /// The routes of the models that a request of this pane may name itself (the user typed `/model`). Anything else is
    /// served by the route's own.
    pub allowed: Arc<Vec<Route>>,
    /// The rules in force. A route was planned under them, but a harness that chooses its models itself (`auto-…`)
    /// names one anew in each request.
    pub policy: Arc<Policy>,
    /// The budgets that its requests count against.
    pub budgets: Arc<Vec<Budget>>,
}

/// The rules that the requests of a pane are held to.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// What is forbidden.
    pub policy: Arc<Policy>,
    /// What may be spent.
    pub budgets: Arc<Vec<Budget>>,
}

/// Where the rules of this moment come from. What the loop published may be older than their files.
pub trait Rules: Send + Sync {
    /// What was looked at a moment ago; `None` when it is time to look again.
    fn known(&self, dir: &Path, executor: &ExecutorId) -> Option<Held>;

    /// Looks at the files, which may lie on slow disks.
    fn look(&self, dir: &Path, executor: &ExecutorId) -> Held;
}

/// What the gateway tells the loop. Bounded; sent without waiting, and a lost one costs a status, never a request.
#[derive(Clone, Debug)]
pub enum GatewayEvent {
    /// A request was accepted.
    Started {
        /// The pane's ULID.
        pane: String,
        /// Unique within the server's life.
        request: u64,
        /// Main, Subagent or Side.
        class: Class,
        /// The executor's native session id, when the request names it.
        session: Option<String>,
        /// The conversation so far, for `Main` requests.
        conversation: Option<Arc<Conversation>>,
    },
    /// The harness asked for another allowed model in a `Main` request.
    ModelAsked {
        /// The pane's ULID.
        pane: String,
        /// The display id.
        model: String,
    },
    /// The upstream is being tried again.
    Retrying {
        /// The pane's ULID.
        pane: String,
        /// The request.
        request: u64,
        /// The words of the failure.
        why: String,
        /// Attempts that were made.
        attempts: u32,
        /// Milliseconds until the next one.
        wait_ms: u64,
    },
    /// A request that waited for another attempt goes on.
    Resumed {
        /// The pane's ULID.
        pane: String,
        /// The request.
        request: u64,
    },
    /// What the provider says of its limits, the most used first; never empty.
    Windows {
        /// The pane's ULID.
        pane: String,
        /// The windows.
        windows: Vec<LimitWindow>,
    },
    /// The rules of a pane are no longer those that were published.
    RulesChanged,
    /// A budget came to four fifths, or to its end.
    Budget {
        /// The pane's ULID.
        pane: String,
        /// Which budget, in words: `the day budget`.
        name: String,
        /// How far it is used up.
        standing: Standing,
    },
    /// A request was turned away at the door; it is in no ledger.
    TurnedAway {
        /// One sentence.
        why: String,
    },
    /// A request ended; the ledger has it already.
    Finished {
        /// The pane's ULID.
        pane: String,
        /// The request.
        request: u64,
        /// Main, Subagent or Side.
        class: Class,
        /// What it cost.
        row: Arc<LedgerRow>,
        /// What the model answered, for `Main` requests.
        answer: Option<String>,
        /// The answer calls tools, so the turn goes on.
        calls_tools: bool,
        /// How long the provider asked to wait, of a failed request.
        wait: Option<std::time::Duration>,
    },
}
