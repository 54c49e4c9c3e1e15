//! Owns what the loop owns and `ui` draws: sessions, windows, panes, clients, routes, statuses.
//!
//! Pure: no tokio, ptys, sockets, files or clock. Must not know: how a pane's bytes arrive or how it is drawn.
mod guide;
pub mod ops;
pub mod overlay;
mod status;
pub mod target;
pub mod view;

#[cfg(test)]
pub(crate) mod fixture;

pub use guide::{Guide, Hint, INSTALLING, STEPS};
pub use status::{Status, StatusReport, StatusSource};

use crate::{
    mux::{ClientId, PaneId, SessionId, WindowId, layout::Layout},
    router::{AuthMode, Dialect, ExecutorId, LimitWindow, ModelRow, Refusal, Route, Standing, prices::Rates},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// Everything that the server's loop owns and draws.
#[derive(Debug, Default)]
pub struct State {
    /// By id, so by age.
    pub sessions: BTreeMap<SessionId, Session>,
    /// All windows of all sessions.
    pub windows: BTreeMap<WindowId, Window>,
    /// All panes of all windows.
    pub panes: BTreeMap<PaneId, Pane>,
    /// Attached clients.
    pub clients: BTreeMap<ClientId, Client>,
    /// Git facts by workspace.
    pub git: BTreeMap<PathBuf, GitSummary>,
    /// Readiness of every executor, for panel and picker, in catalogue order.
    pub executors: Vec<ExecutorReadiness>,
    /// The models of every executor, for the panel, in catalogue order.
    pub models: BTreeMap<ExecutorId, Vec<ModelChoice>>,
    /// Today's spend in US dollars as the ledger knows it.
    pub spend_today: f64,
    /// Credits that a US dollar is shown as.
    pub credits_per_usd: u64,
    /// The pane that may write in a directory, where the settings want a writer lease.
    pub leases: BTreeMap<PathBuf, PaneId>,
    /// Files that two working panes both write: the panes and the file.
    pub same_files: BTreeSet<(PaneId, PaneId, String)>,
    /// What the gateway turned away last, and how often it did since the server started.
    pub turned_away: Option<(String, u64)>,
    /// A standing warning for every client (a full disk, a broken config line).
    pub warning: Option<String>,
    /// Next number for each kind of id.
    pub next: NextIds,
}

/// Counters; an id is never reused within one server's life.
#[derive(Clone, Copy, Debug, Default)]
pub struct NextIds {
    /// Panes.
    pub pane: u32,
    /// Windows.
    pub window: u32,
    /// Sessions.
    pub session: u32,
    /// Clients.
    pub client: u32,
}

/// A named set of windows over one workspace.
#[derive(Clone, Debug)]
pub struct Session {
    /// `$n`.
    pub id: SessionId,
    /// Unique among sessions.
    pub name: String,
    /// The directory that its harnesses work in.
    pub workspace: PathBuf,
    /// In index order; index = position + 1.
    pub windows: Vec<WindowId>,
    /// The shown window.
    pub active: WindowId,
    /// The window shown before.
    pub last: Option<WindowId>,
    /// Every route of this session goes to the rehearsal provider.
    pub rehearse: bool,
    /// The area of its windows in cells, status line excluded.
    pub size: (u16, u16),
    /// That size was set by hand; clients do not change it.
    pub manual: bool,
    /// The guided steps of `inspan try`, when this session is one.
    pub guide: Option<Guide>,
    /// The vaults that are attached to it, by name.
    pub vaults: Vec<String>,
    /// What whoever created it wrote on it.
    pub metadata: BTreeMap<String, String>,
}

/// A set of panes that share the screen.
#[derive(Clone, Debug)]
pub struct Window {
    /// `@n`.
    pub id: WindowId,
    /// Shown in the status line.
    pub name: String,
    /// The user named it; do not rename it after its active pane.
    pub named: bool,
    /// How its panes tile the area.
    pub layout: Layout,
    /// The focused pane.
    pub active: PaneId,
    /// The pane focused before.
    pub last: Option<PaneId>,
    /// The active pane fills the window.
    pub zoomed: bool,
    /// Panes over the others, the topmost last.
    pub floating: Vec<Floating>,
    /// What is typed into one pane goes to all.
    pub synchronized: bool,
    /// Layouts of the same panes before the newest changes, the newest last.
    pub earlier: Vec<Layout>,
}

/// A pane that lies over the others of its window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floating {
    /// Which pane.
    pub pane: PaneId,
    /// Its frame, in cells of the window; what does not fit is moved and cut when it is drawn.
    pub rect: (u16, u16, u16, u16),
}

/// How far back a window's layouts are remembered: more than anybody undoes.
const MAX_EARLIER: usize = 20;

impl Window {
    /// A window of this layout, without a name.
    pub fn new(id: WindowId, layout: Layout, active: PaneId) -> Self {
        Self {
            id,
            name: String::new(),
            named: false,
            layout,
            active,
            last: None,
            zoomed: false,
            floating: Vec::new(),
            synchronized: false,
            earlier: Vec::new(),
        }
    }

    /// Every pane: those that tile the window in their order, then those over them.
    pub fn panes(&self) -> Vec<PaneId> {
        let mut panes = self.layout.panes();
        panes.extend(self.floating.iter().map(|floating| floating.pane));
        panes
    }

    /// Whether the pane is in this window.
    pub fn contains(&self, pane: PaneId) -> bool {
        self.layout.contains(pane) || self.floats(pane)
    }

    /// Whether the pane lies over the others.
    pub fn floats(&self, pane: PaneId) -> bool {
        self.floating.iter().any(|floating| floating.pane == pane)
    }

    /// Remembers a layout that was just changed.
    pub fn remember(&mut self, before: Layout) {
        if self.earlier.len() >= MAX_EARLIER {
            self.earlier.remove(0);
        }
        self.earlier.push(before);
    }
}

/// One rectangle with a process behind it.
#[derive(Clone, Debug)]
pub struct Pane {
    /// `%n`.
    pub id: PaneId,
    /// The ULID that names its directories and records.
    pub key: String,
    /// Where its process started.
    pub cwd: PathBuf,
    /// The command of a shell or program pane; empty means the user's shell.
    pub argv: Vec<String>,
    /// The harness, when this pane runs one.
    pub harness: Option<Harness>,
    /// What the process set as its title.
    pub title: String,
    /// What is known of its state, and from where.
    pub status: StatusReport,
    /// Seconds of unix time at which `status` began.
    pub status_since: u64,
    /// The live process.
    pub pid: Option<i32>,
    /// Inner size in cells.
    pub size: (u16, u16),
    /// How the process ended; the text stays until a key is pressed.
    pub exit: Option<ExitCard>,
    /// Why nothing could be started, drawn in the pane.
    pub refusal: Option<Refusal>,
    /// What its harness asks, where it can be answered by `approve` and `deny`.
    pub question: Option<String>,
    /// A remark for the pane's card: variables removed, a switch that stopped half-way.
    pub notes: Vec<String>,
    /// Nothing that is typed reaches it.
    pub input_off: bool,
    /// It was opened by `display-popup`.
    pub popup: bool,
    /// It is closed when its process ends, or when that ended well.
    pub closes: Closes,
    /// What a person called it, in place of the title that its process sets.
    pub label: Option<String>,
    /// How far its process says it has come.
    pub progress: Option<Progress>,
}

/// How far a process says it has come (OSC 9;4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is in the middle of.
    pub kind: ProgressKind,
    /// 0 to 100.
    pub percent: u8,
}

/// What a process that shows progress is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressKind {
    /// Work of which it knows how much is done.
    Value,
    /// Work that went wrong.
    Error,
    /// Work without a known end.
    Busy,
    /// Work that is held up.
    Paused,
}

impl ProgressKind {
    /// The stable word of formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Error => "error",
            Self::Busy => "busy",
            Self::Paused => "paused",
        }
    }
}

/// When a pane goes away by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closes {
    /// Never: the card says how it ended.
    #[default]
    Never,
    /// When its process ends.
    AtEnd,
    /// When its process ends with exit code 0.
    WhenWell,
}

/// How a pane's process ended and what may be pressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitCard {
    /// `exited 0`, `killed by SIGTERM`, `could not start: …`, `restored after a restart`.
    pub what: String,
    /// Key and meaning, as shown: `("r", "resume")`, `("f", "fresh")`, `("s", "shell")`, `("x", "close")`.
    pub keys: Vec<(String, String)>,
}

/// One running (or parked) instance of an executor in a pane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Harness {
    /// The answer of planning that it runs under.
    pub route: Route,
    /// `ask`, `edits`, `plan`, `full` or `readonly`.
    pub permission: Permission,
    /// The native session id, once known.
    pub session: Option<String>,
    /// Another pane has the writer lease, so it only reads, whatever its permission is.
    #[serde(skip)]
    pub leased_out: bool,
    /// Native sessions of other executors that this pane ran before.
    pub parked: BTreeMap<ExecutorId, Parked>,
    /// Every route goes to rehearsal.
    pub rehearse: bool,
    /// As what and how hard it works.
    #[serde(default)]
    pub manner: Manner,
    /// Model named in the newest upstream answer.
    #[serde(skip)]
    pub served_model: Option<String>,
    /// Sums over this pane's requests.
    #[serde(skip)]
    pub usage: Usage,
    /// How far its budgets are used up, the narrowest first.
    #[serde(skip)]
    pub budgets: Vec<Standing>,
    /// The credentials that take turns in paying.
    #[serde(skip)]
    pub keys: Vec<KeyHealth>,
    /// What the provider says of its own limits, the most used first.
    #[serde(skip)]
    pub windows: Vec<LimitWindow>,
    /// The newest requests, newest first; at most [`REQUESTS_SHOWN`].
    #[serde(skip)]
    pub requests: Vec<RequestLine>,
    /// A switch that is under way or stopped half-way.
    #[serde(skip)]
    pub switch: Option<SwitchProgress>,
}

/// Requests of a harness that the panel lists; the ledger has them all.
pub const REQUESTS_SHOWN: usize = 5;

/// One ended model request, as the panel lists it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestLine {
    /// Unix milliseconds at which it arrived.
    pub at_ms: i64,
    /// `main`, `subagent`, `side`.
    pub class: String,
    /// The HTTP status given to the harness.
    pub status: u16,
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// US dollars; `None` when unknown.
    pub cost: Option<f64>,
    /// Attempts at the upstream.
    pub attempts: u32,
    /// What went wrong, in words; empty when nothing did.
    pub error: String,
    /// How many notes the ledger has on it.
    pub notes: usize,
}

impl Harness {
    /// How much it may do as it runs now.
    pub fn may(&self) -> Permission {
        if self.leased_out { Permission::Readonly } else { self.permission }
    }

    /// The budget of which the least is left; `None` without one.
    pub fn budget(&self) -> Option<&Standing> {
        self.budgets.iter().max_by(|a, b| a.share().total_cmp(&b.share()))
    }

    /// A harness that is planned and has not run yet.
    pub fn planned(
        route: Route,
        permission: Permission,
        rehearse: bool,
        parked: BTreeMap<ExecutorId, Parked>,
    ) -> Self {
        Self {
            route,
            permission,
            session: None,
            leased_out: false,
            parked,
            rehearse,
            manner: Manner::default(),
            served_model: None,
            usage: Usage::default(),
            budgets: Vec::new(),
            keys: Vec::new(),
            windows: Vec::new(),
            requests: Vec::new(),
            switch: None,
        }
    }
}

/// One credential of a pool, as the panel shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyHealth {
    /// Its reference, shortened; never the secret.
    pub name: String,
    /// What was wrong with it, until it serves again.
    pub trouble: Option<&'static str>,
    /// Unix seconds until which it rests; 0 when it does not.
    pub rests_until: u64,
}

/// A native session left behind by a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The executor's own session id.
    pub session: String,
    /// The route it was served by.
    pub auth: AuthMode,
    /// Requests of the person that it has already seen.
    pub seen_requests: usize,
    /// The model it ran, for the way back.
    #[serde(default)]
    pub model: Option<String>,
    /// Unix seconds at which the limit ends that it was left for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_until: Option<u64>,
    /// As what and how hard it worked, for the way back.
    #[serde(default)]
    pub manner: Manner,
}

/// Where a switch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchProgress {
    /// `plan`, `handoff`, `checkpoint`, `stop`, `start`, `deliver`, `confirm`.
    pub step: String,
    /// Set when it stopped there.
    pub failed: Option<String>,
}

/// How much a harness may do without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Ask before every command and edit.
    #[default]
    Ask,
    /// Edits pass, commands ask.
    Edits,
    /// Plan only.
    Plan,
    /// Never ask.
    Full,
    /// Nothing is written.
    Readonly,
}

/// How hard a model is asked to think, where a CLI can say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Quick answers.
    Low,
    /// In between.
    Medium,
    /// Long thoughts.
    High,
    /// As long as the CLI allows.
    Max,
}

impl Effort {
    /// The word of OpenAI's API, which has one beyond high.
    pub fn of_openai(self) -> &'static str {
        if self == Self::Max { "xhigh" } else { self.as_str() }
    }

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Max => "max",
        }
    }
}

impl std::str::FromStr for Effort {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Low, Self::Medium, Self::High, Self::Max]
            .into_iter()
            .find(|effort| effort.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| format!("unknown effort {word:?}: use low, medium, high or max"))
    }
}

/// As what and how hard a harness works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// How hard its model is asked to think; `None` is as the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// The executor's own agent that leads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// Sums over a pane's model requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Requests that ended.
    pub requests: u64,
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// US dollars; `None` while nothing priced was served.
    pub cost: Option<f64>,
    /// Attempts beyond the first.
    pub retries: u64,
}

/// Git facts of a workspace as the status line and the panel show them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSummary {
    /// False outside a repository.
    pub repository: bool,
    /// The branch, or `detached`.
    pub branch: String,
    /// Short commit id; empty before the first commit.
    pub head: String,
    /// Changed and untracked files.
    pub changed: usize,
    /// Commits ahead of upstream.
    pub ahead: usize,
    /// Commits behind upstream.
    pub behind: usize,
    /// Checkpoints under `refs/inspan/`.
    pub checkpoints: usize,
}

/// One row of the picker and of the panel's executor list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExecutorReadiness {
    /// Which one.
    pub executor: ExecutorId,
    /// `Claude Code`.
    pub title: String,
    /// Binary version when present.
    pub version: Option<String>,
    /// Where the binary is and why that one: `~/.local/bin`, `ours`.
    pub origin: String,
    /// Full path of the binary, when present.
    pub binary: Option<PathBuf>,
    /// Megabytes that an install takes, when it is missing.
    pub install_mb: Option<u32>,
    /// The CLI's own login: `Claude Max`, `logged in`, or `None`.
    pub login: Option<String>,
    /// The route it would take now, or why not.
    pub route: Result<Route, Refusal>,
    /// It is driven by its typed protocol as well, beside its own screen.
    #[serde(default)]
    pub typed: bool,
    /// `ready`, `ready · untested`, `install`, `log in or add a key`, `disabled`, `not in this version`.
    pub readiness: String,
}

/// One model under one executor, as the panel lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelChoice {
    /// The display id, `claude-opus-4.6`.
    pub id: String,
    /// Who serves it, in words: `OpenAI`.
    pub provider: String,
    /// Why it cannot be taken now, in a few words; `None` when it can.
    pub refusal: Option<String>,
    /// The context window in tokens, where known.
    pub context: Option<u32>,
    /// The list price, where known.
    pub rates: Option<Rates>,
    /// The list was asked, so that no price means that it has none.
    pub priced: bool,
    /// What the harness speaks, and what its provider is spoken to in; `None` where it cannot run.
    pub dialects: Option<(Dialect, Dialect)>,
}

impl From<ModelRow> for ModelChoice {
    fn from(row: ModelRow) -> Self {
        let refusal = row.available.is_err().then(|| row.note().to_owned());
        let (id, provider) = (row.display, row.provider.to_owned());
        Self { id, provider, refusal, context: None, rates: None, priced: false, dialects: row.dialects }
    }
}

/// An attached terminal.
#[derive(Debug)]
pub struct Client {
    /// `&n`.
    pub id: ClientId,
    /// What it looks at.
    pub session: SessionId,
    /// Its size in cells.
    pub size: (u16, u16),
    /// Prefix pressed, a key of the table awaited.
    pub prefix: bool,
    /// The router panel is docked in this client's view.
    pub panel_docked: bool,
    /// What lies over the panes and takes the keys.
    pub overlay: Option<overlay::Overlay>,
    /// A passing line in the status line and when (unix seconds) it goes.
    pub message: Option<(String, u64)>,
    /// What the keys do in the mode that has them now.
    pub hint: Option<&'static str>,
    /// UTF-8 locale: draw shapes beyond ASCII.
    pub utf8: bool,
    /// Panes whose *done* this client has not looked at since.
    pub unseen: BTreeSet<PaneId>,
    /// It only watches.
    pub read_only: bool,
    /// The session that it looked at before.
    pub last_session: Option<SessionId>,
}
