//! The form in which a server hands itself on: one JSON document, then screens and waiting input as they are.
//!
//! It lies in memory that has a descriptor and no name, because environments and tokens are in it. Fields may come and
//! go between versions; what changes its meaning raises [`FORM`].
use crate::{
    agent::control::Endpoint,
    handoff::Conversation,
    mux::{PaneId, SessionId, WindowId, layout::Layout},
    router::{LimitWindow, Refusal},
    server::{
        buffers::Buffers,
        controlling::Control,
        harness::{self, Generated},
        input::Table,
        restore::Saved,
        scripted::Bound,
        scripted::Owner,
    },
    state::{Closes, ExitCard, RequestLine, StatusReport, StatusSource, Usage},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::fd::RawFd,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Raised when another version would understand it wrongly.
pub const FORM: u32 = 1;

/// Everything but the bytes of screens.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Document {
    pub form: u32,
    pub version: String,
    pub descriptors: Descriptors,
    pub saved: Saved,
    pub panes: BTreeMap<PaneId, LivePane>,
    pub windows: BTreeMap<WindowId, LiveWindow>,
    pub sessions: BTreeMap<SessionId, LiveSession>,
    pub next_client: u32,
    pub proven: Vec<(String, String)>,
    pub buffers: Buffers,
    pub script: Script,
}

/// What is handed on by its number.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Descriptors {
    pub locks: [RawFd; 2],
    pub listener: RawFd,
    pub gateway: Option<RawFd>,
}

/// What is known of a pane beside what is always saved.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LivePane {
    /// The terminal, while a process is in it.
    pub process: Option<LiveProcess>,
    /// Bytes of its screen behind the document; those of all panes follow each other in this order.
    pub screen: usize,
    pub size: (u16, u16),
    pub title: String,
    pub status: StatusReport,
    pub status_since: u64,
    pub exit: Option<ExitCard>,
    pub refusal: Option<Refusal>,
    pub notes: Vec<String>,
    pub input_off: bool,
    pub popup: bool,
    pub closes: Closes,
    pub label: Option<String>,
    pub agent_state: Option<String>,
    pub env: Vec<(String, String)>,
    pub retry: Option<Vec<String>>,
    pub harness: Option<LiveHarness>,
}

/// A process and its terminal.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveProcess {
    pub master: RawFd,
    pub pid: i32,
    pub mark: String,
    /// Bytes of input that it has not read; they follow its screen.
    pub input: usize,
}

/// The loop's side of a harness.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveHarness {
    token: String,
    config_home: PathBuf,
    conversation: Conversation,
    ended_with: Conversation,
    last_answer: String,
    pending: VecDeque<String>,
    heard: bool,
    answered_last: bool,
    turns: u64,
    observed: BTreeMap<StatusSource, (StatusReport, u64)>,
    launched: Option<String>,
    files: Vec<Generated>,
    unmapped: Vec<String>,
    resumed: Option<String>,
    offered: bool,
    limit_said: Option<(String, u64)>,
    control: Option<Endpoint>,
    failed: Option<String>,
    /// Seconds of unix time.
    started: Option<u64>,
    pub served_model: Option<String>,
    pub usage: Usage,
    pub windows: Vec<LimitWindow>,
    pub requests: Vec<RequestLine>,
}

impl LiveHarness {
    pub fn of(runtime: &harness::Runtime) -> Self {
        let since = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).ok().map(|d| d.as_secs());
        Self {
            token: runtime.token.clone(),
            config_home: runtime.config_home.clone(),
            conversation: Conversation::clone(&runtime.conversation),
            ended_with: Conversation::clone(&runtime.ended_with),
            last_answer: runtime.last_answer.clone(),
            pending: runtime.pending.clone(),
            heard: runtime.heard,
            answered_last: runtime.answered_last,
            turns: runtime.turns,
            observed: runtime.observed.clone(),
            launched: runtime.launched.clone(),
            files: runtime.files.clone(),
            unmapped: runtime.unmapped.clone(),
            resumed: runtime.resumed.clone(),
            offered: runtime.offered,
            limit_said: runtime.limit_said.clone(),
            control: runtime.control.endpoint().cloned(),
            failed: runtime.failed.clone(),
            started: runtime.started.and_then(since),
            ..Self::default()
        }
    }

    /// The harness as it goes on, in its native session.
    pub fn runtime(&self, session: Option<&String>) -> harness::Runtime {
        let control = self.control.clone().map(|endpoint| Control::Planned(endpoint.again(session)));
        harness::Runtime {
            token: self.token.clone(),
            config_home: self.config_home.clone(),
            conversation: Arc::new(self.conversation.clone()),
            ended_with: Arc::new(self.ended_with.clone()),
            last_answer: self.last_answer.clone(),
            pending: self.pending.clone(),
            heard: self.heard,
            answered_last: self.answered_last,
            turns: self.turns,
            observed: self.observed.clone(),
            launched: self.launched.clone(),
            files: self.files.clone(),
            unmapped: self.unmapped.clone(),
            resumed: self.resumed.clone(),
            offered: self.offered,
            limit_said: self.limit_said.clone(),
            control: control.unwrap_or_default(),
            failed: self.failed.clone(),
            started: self.started.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
            ..harness::Runtime::default()
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveWindow {
    pub last: Option<PaneId>,
    pub synchronized: bool,
    pub earlier: Vec<Layout>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveSession {
    pub last: Option<WindowId>,
    pub manual: bool,
    pub env: Option<BTreeMap<String, String>>,
}

/// What scripts and keys changed.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    pub settings: toml::Table,
    pub user: Vec<(Owner, String, String)>,
    pub keys: Vec<(Table, crate::mux::keys::Key, Bound)>,
    pub unbound: bool,
    pub hooks: BTreeMap<String, Vec<String>>,
    /// Channels that were signalled, or are locked, while nobody waited.
    pub channels: BTreeMap<String, (bool, bool)>,
}

/// Writes the document and what follows it.
pub fn write(document: &Document, blobs: &[Vec<u8>]) -> io::Result<File> {
    let memory = rustix::fs::memfd_create("inspan", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(memory);
    let json = serde_json::to_vec(document)?;
    file.write_all(&(json.len() as u64).to_le_bytes())?;
    file.write_all(&json)?;
    for blob in blobs {
        file.write_all(blob)?;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Reads what [`write`] wrote: the document, and a reader of what follows.
///
/// # Errors
/// A sentence when it is not what this version understands.
pub fn read(mut from: impl Read) -> Result<(Document, Vec<u8>), String> {
    let mut length = [0; 8];
    from.read_exact(&mut length).map_err(|e| format!("what was handed over cannot be read: {e}"))?;
    let mut json = Vec::new();
    let wanted = u64::from_le_bytes(length);
    from.by_ref().take(wanted).read_to_end(&mut json).map_err(|e| e.to_string())?;
    let form: Form = serde_json::from_slice(&json).map_err(|e| e.to_string())?;
    if form.form != FORM {
        return Err(format!("what was handed over is of form {}, this version takes {FORM}", form.form));
    }
    let document = serde_json::from_slice(&json).map_err(|e| format!("what was handed over: {e}"))?;
    let mut rest = Vec::new();
    from.read_to_end(&mut rest).map_err(|e| e.to_string())?;
    Ok((document, rest))
}

/// As much of a document as every version can read.
#[derive(Deserialize)]
struct Form {
    form: u32,
}
