//! What scripts and keys changed while the server runs: options, bindings, hooks, channels, pipes. None of it is saved.
use super::{input::Table, reply::Reply};
use crate::mux::{PaneId, SessionId, WindowId, keys::Key};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Options of a person's own that are kept, over all scopes.
pub const MAX_USER_OPTIONS: usize = 4096;

/// Commands that wait on one channel, and channels that were signalled before anybody waited.
pub const MAX_WAITING: usize = 256;

/// Whose option it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Owner {
    /// Everybody's.
    Global,
    /// A session's.
    Session(SessionId),
    /// A window's.
    Window(WindowId),
    /// A pane's.
    Pane(PaneId),
}

/// A binding that was made or taken away since the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bound {
    /// The words of its command; empty when the key is unbound.
    pub words: Vec<String>,
    /// It works again without the prefix for a moment.
    pub repeat: bool,
    /// What it does, for the key help.
    pub note: Option<String>,
}

/// A channel of `wait-for`.
#[derive(Debug, Default)]
pub struct Channel {
    /// It was signalled before anybody waited.
    pub woken: bool,
    /// Somebody holds its lock.
    pub locked: bool,
    /// Who waits for a signal.
    pub waiting: Vec<Reply>,
    /// Who waits for the lock, in order.
    pub lockers: VecDeque<Reply>,
}

/// All of it.
#[derive(Default)]
pub struct Scripted {
    /// Settings over those of the file, by our names.
    pub settings: toml::Table,
    /// `@name` options.
    pub user: BTreeMap<(Owner, String), String>,
    /// Bindings over those of the file.
    pub keys: BTreeMap<(Table, Key), Bound>,
    /// Every binding of the file was taken away.
    pub unbound: bool,
    /// Hooks by event, beside those of the file.
    pub hooks: BTreeMap<String, Vec<String>>,
    /// A hook's command runs: what it brings about calls no hooks.
    pub in_hook: bool,
    /// Channels by name.
    pub channels: BTreeMap<String, Channel>,
    /// Variables that `-e` gave a pane, for its life.
    pub pane_env: BTreeMap<PaneId, Vec<(String, String)>>,
    /// Shell commands that run beside the panes.
    pub jobs: usize,
    /// Open pipes.
    pub pipes: BTreeMap<PaneId, super::pipes::Pipe>,
    /// Whose keys a session had last.
    pub latest: BTreeMap<SessionId, crate::mux::ClientId>,
    /// The texts of settings and theme as they were read last.
    pub read: Vec<Option<String>>,
    /// The problem of the settings that the status line shows.
    pub problem: Option<String>,
}

impl Scripted {
    /// The value of a `@name` option: the pane's, its window's, its session's, everybody's.
    pub fn user_option(&self, name: &str, owners: &[Owner]) -> Option<&String> {
        owners.iter().find_map(|owner| self.user.get(&(*owner, name.to_owned())))
    }

    /// Forgets what belonged to a pane.
    pub fn forget_pane(&mut self, pane: PaneId) {
        self.user.retain(|(owner, _), _| *owner != Owner::Pane(pane));
        self.pane_env.remove(&pane);
        self.pipes.remove(&pane);
    }
}
