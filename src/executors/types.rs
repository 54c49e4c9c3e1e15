//! The contract that every executor fulfils.
use super::agents::{AgentPlaces, OwnAgent};
use crate::{
    agent::control::Endpoint,
    handoff::Conversation,
    router::{Dialect, ExecutorId, Route},
    state::{Effort, Permission, StatusReport},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Whose home a harness runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// The user's own, untouched (`login`).
    Users,
    /// A directory of ours that the user's settings are read into (`credits`, `byok`).
    Overlay {
        /// False leaves the user's settings out.
        inherit_user: bool,
    },
    /// An empty directory of ours (`rehearsal`).
    Empty,
}

/// Where the loopback gateway listens and the token that names the pane there.
#[derive(Clone)]
pub struct GatewayAccess {
    /// `http://127.0.0.1:PORT`, no trailing slash.
    pub base_url: String,
    /// The pane's token; goes into the environment or a 0600 file, never argv.
    pub token: String,
}

/// Which native session a launch begins or continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChoice {
    /// A new one; executors that accept an id take this one.
    New(uuid::Uuid),
    /// Resume this one.
    Resume(String),
}

/// Everything that a launch depends on.
pub struct LaunchRequest<'a> {
    /// The CLI to run.
    pub binary: &'a Path,
    /// The answer of planning.
    pub route: &'a Route,
    /// How much it may do without asking.
    pub permission: Permission,
    /// How hard the model is asked to think; `None` leaves the CLI its own default.
    pub effort: Option<Effort>,
    /// One of the executor's own agents that leads the session; `None` leaves the CLI its own default.
    pub agent: Option<&'a str>,
    /// The working directory, absolute and canonical.
    pub cwd: &'a Path,
    /// The pane's own directory of ours (`…/panes/<ulid>`); generated files go below it.
    pub pane_dir: &'a Path,
    /// `None` under `login`.
    pub gateway: Option<&'a GatewayAccess>,
    /// Whose home.
    pub home: Home,
    /// New or resumed native session.
    pub session: SessionChoice,
    /// The first prompt (a handoff, or the user's), delivered as an argument where the CLI takes one.
    pub prompt: Option<&'a str>,
    /// The environment of the creating client: where the user's homes and variables are found.
    pub env: &'a BTreeMap<String, String>,
    /// The user answered inspan's own trust question for `cwd` with yes (always so for rehearsal).
    pub trusted: bool,
    /// It may be driven by its typed protocol as well, beside its TUI, where it has one.
    pub control: bool,
}

/// A file that a launch generates, in our own directories.
#[derive(Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Absolute.
    pub path: PathBuf,
    /// All of it.
    pub contents: Vec<u8>,
    /// Unix mode, 0600 unless there is a reason.
    pub mode: u32,
}

/// A symbolic link that a launch makes in our own directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedLink {
    /// Absolute, below our directories.
    pub path: PathBuf,
    /// What it points to.
    pub target: PathBuf,
}

/// How to start a harness. Making a plan touches nothing; `apply` in `launch.rs` writes it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LaunchPlan {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Set on top of the scrubbed environment.
    pub env_set: BTreeMap<String, String>,
    /// Removed from it.
    pub env_remove: Vec<String>,
    /// Directories to create, 0700.
    pub dirs: Vec<PathBuf>,
    /// Files to write.
    pub files: Vec<GeneratedFile>,
    /// Links to make.
    pub links: Vec<GeneratedLink>,
    /// The native session id when it is known before the start.
    pub session: Option<String>,
    /// The CLI's own configuration home, for `sessions`, `transcript` and `watch`.
    pub config_home: PathBuf,
    /// The prompt went along as an argument; otherwise it must be typed once the CLI is idle.
    pub prompt_delivered: bool,
    /// What the person should know: variables removed, permissions that could not be mapped.
    pub notes: Vec<String>,
    /// Where its typed protocol is spoken.
    pub control: Option<Endpoint>,
}

/// One step of typing into a CLI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitStep {
    /// Write these bytes at once.
    Write(Vec<u8>),
    /// Let the CLI digest.
    Pause(Duration),
    /// Wait until the screen shows what was written before, by these last words of it, but at most so long.
    Shown(String, Duration),
    /// Write these bytes again each time that so long later the CLI still is idle and its prompt line, at the bottom of
    /// the screen, still shows these last words of what was written.
    Again(Vec<u8>, Duration, String),
}

/// What a model request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The conversation that the person sees.
    Main,
    /// A sub-agent's conversation.
    Subagent,
    /// Titles, summaries, probes, classifiers.
    Side,
}

impl Class {
    /// The stable word of the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Subagent => "subagent",
            Self::Side => "side",
        }
    }
}

/// What the gateway knows of a request when it asks for its class.
pub struct RequestFacts<'a> {
    /// Path and query without the pane's prefix.
    pub path: &'a str,
    /// Lower-case header names.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The body.
    pub body: &'a serde_json::Value,
}

/// The CLI of an executor as found on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file to execute.
    pub binary: PathBuf,
    /// Why this one: `on your PATH`, `installed by inspan`.
    pub why: &'static str,
    /// What `--version` printed, reduced to the number; `None` when it was not asked.
    pub version: Option<String>,
}

/// Where `inspan install` takes a package from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registry {
    /// npm, by the person's own `npm`.
    Npm,
    /// PyPI, by `pip` in an environment that the person's own Python 3 makes.
    PyPi {
        /// Packages beside it whose versions matter, exact: `openai==3.52.0`.
        with: &'static [&'static str],
        /// What the interpreter of that environment is called among its programs.
        program: &'static str,
        /// What a Python must import to be whole.
        module: &'static str,
    },
}

/// A package that `inspan install` fetches.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// `@anthropic-ai/claude-code`.
    pub name: &'static str,
    /// The exact, tested version.
    pub version: &'static str,
    /// The file to execute, relative to the prefix; candidates in order, native binary first.
    pub binaries: &'static [&'static str],
    /// Megabytes on disk, measured.
    pub size_mb: u32,
    /// The oldest Node.js major version that runs the CLI itself; `None` for native binaries.
    pub node: Option<u32>,
}

/// A native session found in an executor's own store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeSession {
    /// The executor's own id.
    pub id: String,
    /// Its title or first request.
    pub title: String,
    /// When it was last written.
    pub modified: SystemTime,
    /// The model that served it, in the executor's own words, as far as its store says.
    pub model: Option<String>,
}

/// What can be seen of a running CLI from outside, for `watch`.
#[derive(Debug, Default)]
pub struct Signals<'a> {
    /// The window title it set.
    pub title: &'a str,
    /// The newest OSC 7501 payload (`state=…:app=…`), if any.
    pub osc7501: Option<&'a str>,
    /// The live bottom lines of the screen, top to bottom.
    pub bottom: &'a [String],
    /// The process id of the pane's first process.
    pub pid: Option<i32>,
    /// The CLI's configuration home.
    pub config_home: Option<&'a Path>,
}

/// What is known of a running CLI when its native session is looked for.
#[derive(Debug)]
pub struct Running<'a> {
    /// The process id of the pane's first process.
    pub pid: Option<i32>,
    /// The CLI's configuration home.
    pub config_home: &'a Path,
    /// Where it runs.
    pub cwd: &'a Path,
    /// When it was started.
    pub since: SystemTime,
    /// Native sessions that other panes are in.
    pub taken: &'a [String],
}

/// How a model changes under a running harness that is not on the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelChange {
    /// Type this; the sentence says what was used.
    Type(Vec<SubmitStep>, String),
    /// Stop, and resume the same native session with the new model.
    Relaunch(String),
}

/// A vendor's CLI.
pub trait Executor: Send + Sync {
    /// The stable name.
    fn id(&self) -> ExecutorId;
    /// The vendor's name for it.
    fn title(&self) -> &str;
    /// The program's name on PATH.
    fn program(&self) -> &str;
    /// What it speaks to its model API.
    fn dialect(&self) -> Dialect;
    /// Where `inspan install` gets it; `None` when it is not installable.
    fn package(&self) -> Option<Package>;
    /// Which registry has that package.
    fn registry(&self) -> Registry {
        Registry::Npm
    }
    /// The vendor's own installer, a script that `sh` and `curl` can run without npm; `None` when there is none.
    fn vendor_script(&self) -> Option<&'static str> {
        None
    }
    /// Flags that a launch passes and that older versions lack.
    fn flags(&self) -> &'static [&'static str] {
        &[]
    }
    /// The flag without which it cannot be driven by a typed protocol beside its TUI; `None` when it never can.
    fn control_flag(&self) -> Option<&'static str> {
        None
    }
    /// The words of its own login as found in the user's home (`Claude Max`, `logged in`), without reading secrets
    /// into memory longer than needed.
    fn login(&self, env: &BTreeMap<String, String>) -> Option<String>;
    /// The user's own configuration home, where its sessions are under `login`.
    fn users_home(&self, env: &BTreeMap<String, String>) -> Option<PathBuf>;
    /// Its own agents that can lead a session, the workspace's before the user's.
    ///
    /// # Errors
    /// A sentence when it cannot be told to start as one.
    fn agents(&self, _places: &AgentPlaces<'_>) -> Result<Vec<OwnAgent>, String> {
        Err(format!("{} cannot be started as one of its agents", self.title()))
    }
    /// How to start it.
    ///
    /// # Errors
    /// A sentence when the request cannot be launched at all.
    fn launch(&self, request: &LaunchRequest<'_>) -> Result<LaunchPlan, String>;
    /// Keeps an installation of ours, exact and tested, from being replaced by the CLI's own updater, which would even
    /// install for the whole machine. A CLI of the user's own updates itself as at home.
    fn hold_version(&self, _plan: &mut LaunchPlan) {}
    /// What a model request is for.
    fn classify(&self, request: &RequestFacts<'_>) -> Class;
    /// The native session that a model request belongs to, when the request names it.
    fn session_of(&self, _request: &RequestFacts<'_>) -> Option<String> {
        None
    }
    /// How to type and submit a prompt.
    fn submit(&self, text: &str) -> Vec<SubmitStep>;
    /// Reads the state from outside; `None` when the signals say nothing. Bottom-line rules come last.
    fn watch(&self, signals: &Signals<'_>) -> Option<StatusReport>;
    /// How a model changes when the gateway is not involved.
    fn change_model(&self, model: &str) -> ModelChange;
    /// Where the CLI leaves its sessions in an overlay: the overlay below a pane's directory, and the names in it.
    fn records(&self) -> (&'static str, &'static [&'static str]);
    /// The native sessions of `cwd`, newest first.
    fn sessions(&self, config_home: &Path, cwd: &Path) -> Vec<NativeSession>;
    /// Whether its store holds that native session.
    fn holds(&self, config_home: &Path, cwd: &Path, session: &str) -> bool {
        self.sessions(config_home, cwd).iter().any(|known| known.id == session)
            || self.transcript(config_home, cwd, session).is_some()
    }
    /// The native session that the running CLI is in, as far as that shows from outside. Asked under `login`, where
    /// no request passes that would name it.
    fn running_session(&self, _look: &Running<'_>) -> Option<String> {
        None
    }
    /// A native session's conversation from the executor's own store.
    fn transcript(&self, config_home: &Path, cwd: &Path, session: &str) -> Option<Conversation>;
}
