//! What is needed to rebuild is saved at each change; after a restart every pane shows its card.
use super::{Ending, Server, handover::LivePane, panes::STOP_GRACE, switching::Interrupted};
use crate::{
    handoff::Conversation,
    mux::{PaneId, SessionId, WindowId, layout::Layout},
    state::{Guide, Harness, Pane, Session, StatusReport, Window},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// Raised when a saved state of before can no longer be read.
const FORMAT: u32 = 1;

/// After which a write has failed if it will; a disk that takes longer is noticed at the next change.
const WRITTEN: Duration = Duration::from_secs(1);

/// Everything needed to rebuild. Environments are not in it: they hold secrets, and the attaching client has its own.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    format: u32,
    sessions: Vec<SavedSession>,
    trusted: BTreeSet<PathBuf>,
    #[serde(default)]
    left_to_harness: BTreeSet<PathBuf>,
    next: [u32; 3],
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedSession {
    id: SessionId,
    name: String,
    workspace: PathBuf,
    rehearse: bool,
    size: (u16, u16),
    active: WindowId,
    windows: Vec<SavedWindow>,
    guide: Option<Guide>,
    #[serde(default)]
    vaults: Vec<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedWindow {
    id: WindowId,
    name: String,
    named: bool,
    layout: Layout,
    active: PaneId,
    zoomed: bool,
    panes: Vec<SavedPane>,
    #[serde(default)]
    floating: Vec<crate::state::Floating>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedPane {
    id: PaneId,
    key: String,
    cwd: PathBuf,
    argv: Vec<String>,
    harness: Option<Harness>,
    mark: Option<String>,
    /// The command line of a switch that waits for the end of the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting: Option<Vec<String>>,
}

impl Server {
    pub(super) fn snapshot(&self) -> Saved {
        let pane = |id: PaneId| {
            let p = self.state.panes.get(&id)?;
            Some(SavedPane {
                id,
                key: p.key.clone(),
                cwd: p.cwd.clone(),
                argv: p.argv.clone(),
                harness: p.harness.clone(),
                mark: match self.screens.get(&id).and_then(|s| s.pty.as_ref()) {
                    Some(pty) => Some(pty.mark().to_owned()),
                    None => self.switches.get(&id).and_then(|s| s.stopping()).map(str::to_owned),
                },
                waiting: self.waiting_switches.get(&id).map(|waiting| waiting.words(id)),
            })
        };
        let window = |id: &WindowId| {
            let w = self.state.windows.get(id)?;
            Some(SavedWindow {
                id: w.id,
                name: w.name.clone(),
                named: w.named,
                layout: w.layout.clone(),
                active: w.active,
                zoomed: w.zoomed,
                panes: w.panes().into_iter().filter_map(pane).collect(),
                floating: w.floating.clone(),
            })
        };
        let session = |s: &Session| SavedSession {
            id: s.id,
            name: s.name.clone(),
            workspace: s.workspace.clone(),
            rehearse: s.rehearse,
            size: s.size,
            active: s.active,
            windows: s.windows.iter().filter_map(window).collect(),
            guide: s.guide.clone(),
            vaults: s.vaults.clone(),
            metadata: s.metadata.clone(),
        };
        Saved {
            format: FORMAT,
            sessions: self.state.sessions.values().map(session).collect(),
            trusted: self.trusted.clone(),
            left_to_harness: self.left_to_harness.clone(),
            next: [self.state.next.session, self.state.next.window, self.state.next.pane],
        }
    }

    /// Saves when something worth it changed.
    pub(super) fn save(&mut self) {
        self.changed = false;
        let Ok(json) = serde_json::to_string(&self.snapshot()) else { return };
        if json != self.saved {
            self.recorder.save_state(&json);
            self.saved = json;
            // The writer tells how it went after a moment.
            self.tasks.after(WRITTEN, Self::warn_of_recorder);
        }
        self.warn_of_recorder();
    }

    /// Rebuilds what an earlier server left: every pane shows its card, nothing runs by itself.
    pub(super) fn restore(&mut self) {
        let json = match self.recorder.load_state() {
            Ok(Some(json)) => json,
            Ok(None) => return,
            Err(error) => {
                self.state.warning = Some(format!("the saved sessions could not be read: {error}"));
                return;
            }
        };
        let saved: Saved = match serde_json::from_str::<Saved>(&json) {
            Ok(saved) if saved.format == FORMAT => saved,
            Ok(_) | Err(_) => {
                // The next change saves over them.
                let aside = self.place.state.join(format!("sessions-{}.json", Self::now()));
                let shown = aside.display().to_string();
                self.files.keep(aside, move || Some(json.into_bytes()));
                self.state.warning =
                    Some(format!("the saved sessions are of another version; they are kept in {shown}"));
                return;
            }
        };
        self.rebuild(saved, &BTreeMap::new());
    }

    /// Rebuilds what was saved. A pane that is not among those that go on shows its card.
    pub(super) fn rebuild(&mut self, saved: Saved, going_on: &BTreeMap<PaneId, LivePane>) {
        self.trusted.clone_from(&saved.trusted);
        self.left_to_harness.clone_from(&saved.left_to_harness);
        [self.state.next.session, self.state.next.window, self.state.next.pane] = saved.next;
        let mut switches: BTreeMap<String, Interrupted> = BTreeMap::new();
        for row in self.recorder.open_switches().unwrap_or_default() {
            let (key, pane) = (row.key.clone(), row.pane.clone());
            let switch = Interrupted::read(row);
            let over = switch.as_ref().is_some_and(Interrupted::is_over);
            let outcome = if over { "done" } else { "interrupted by a restart of the server" };
            self.recorder.switch_end(&key, outcome);
            switches.extend(switch.map(|switch| (pane, switch)));
        }
        let mut interrupted = Vec::new();
        let mut waiting = Vec::new();
        let now = Self::now();
        let mut restored = 0;
        for session in saved.sessions {
            let mut windows = Vec::new();
            for window in session.windows {
                for pane in window.panes {
                    if !going_on.contains_key(&pane.id) {
                        sweep(&pane);
                    }
                    restored += 1;
                    let mut notes = Vec::new();
                    let mut pane = pane;
                    if let Some(switch) = switches.remove(&pane.key) {
                        notes.push(switch.note());
                        pane.harness = switch.harness(pane.harness);
                        interrupted.push((pane.id, switch));
                    } else if let Some(words) = pane.waiting.take() {
                        notes.push("a switch waited for the end of its turn when the server ended".into());
                        waiting.push((pane.id, words));
                    }
                    let conversation = self.kept_conversation(&pane.key).unwrap_or_else(|why| {
                        notes.push(format!("what was said here could not be read again: {why}"));
                        Arc::default()
                    });
                    if pane.harness.is_some() {
                        let runtime = super::harness::Runtime { conversation, ..Default::default() };
                        self.harnesses.insert(pane.id, runtime);
                    }
                    self.state.panes.insert(
                        pane.id,
                        Pane {
                            id: pane.id,
                            key: pane.key,
                            cwd: pane.cwd,
                            argv: pane.argv,
                            harness: pane.harness,
                            title: String::new(),
                            status: StatusReport::default(),
                            status_since: now,
                            pid: None,
                            size: (80, 24),
                            exit: None,
                            refusal: None,
                            notes,
                            input_off: false,
                            question: None,
                            popup: false,
                            closes: Default::default(),
                            label: None,
                            progress: None,
                        },
                    );
                }
                windows.push(window.id);
                self.state.windows.insert(
                    window.id,
                    Window {
                        name: window.name,
                        named: window.named,
                        zoomed: window.zoomed,
                        floating: window.floating,
                        ..Window::new(window.id, window.layout, window.active)
                    },
                );
            }
            if windows.is_empty() {
                continue;
            }
            self.state.sessions.insert(
                session.id,
                Session {
                    id: session.id,
                    name: session.name,
                    workspace: session.workspace,
                    windows,
                    active: session.active,
                    last: None,
                    rehearse: session.rehearse,
                    size: session.size,
                    manual: false,
                    guide: session.guide,
                    vaults: session.vaults,
                    metadata: session.metadata,
                },
            );
        }
        self.resize_panes();
        let panes: Vec<PaneId> =
            self.state.panes.keys().copied().filter(|id| !going_on.contains_key(id)).collect();
        for pane in panes {
            self.open_screen(pane);
            self.ended(pane, "restored after a restart of the server".into());
            self.await_returns(pane);
        }
        for (pane, words) in waiting {
            self.offer_waiting(pane, words);
        }
        for (pane, switch) in interrupted {
            self.offer_recovery(pane, &switch);
        }
        self.note_keys();
        let sessions: Vec<SessionId> = self.state.sessions.keys().copied().collect();
        for session in sessions {
            self.git_soon(session);
        }
        tracing::info!(panes = restored, "restored");
    }

    /// Where a pane's files of ours are.
    pub(super) fn pane_dir(&self, key: &str) -> PathBuf {
        self.place.pane(key)
    }

    /// Keeps a pane's conversation for the server after this one.
    pub(super) fn keep_conversation(&self, id: PaneId) {
        let (Some(runtime), Some(pane)) = (self.harnesses.get(&id), self.state.panes.get(&id)) else {
            return;
        };
        let dir = self.pane_dir(&pane.key);
        let conversation = runtime.conversation.clone();
        let vault = Arc::clone(&self.vault);
        self.files.keep(dir.join("conversation.json"), move || {
            serde_json::to_vec(&crate::switch::without_secrets(&conversation, &vault)).ok()
        });
    }

    fn kept_conversation(&self, key: &str) -> Result<Arc<Conversation>, String> {
        match std::fs::read(self.pane_dir(key).join("conversation.json")) {
            Ok(text) => serde_json::from_slice(&text).map(Arc::new).map_err(|e| e.to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Arc::default()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Stops everything that runs and says goodbye.
    pub(super) fn shut_down(&mut self, ending: Ending) {
        match ending {
            Ending::Kill => {
                let trusted = Saved {
                    format: FORMAT,
                    trusted: self.trusted.clone(),
                    left_to_harness: self.left_to_harness.clone(),
                    ..Saved::default()
                };
                self.recorder.save_state(&serde_json::to_string(&trusted).unwrap_or_default());
            }
            Ending::Keep | Ending::HandOver => self.save(),
        }
        let clients: Vec<_> = self.state.clients.keys().copied().collect();
        let message =
            if ending == Ending::Kill { "[server exited]" } else { "[server restarts: run inspan again]" };
        for client in clients {
            self.detach(client, message, 0);
        }
        if let Some(gateway) = self.gateway.take() {
            gateway.shutdown();
        }
        let stops: Vec<_> = std::mem::take(&mut self.screens)
            .into_values()
            .filter_map(|s| s.pty)
            .map(|pty| {
                std::thread::spawn(move || {
                    pty.stop_blocking(STOP_GRACE);
                })
            })
            .chain(std::mem::take(&mut self.stopping))
            .collect();
        for stop in stops {
            let _ = stop.join();
        }
        // Who still waits for an answer is told that there will be none.
        for runtime in self.harnesses.values_mut() {
            runtime.process_ended();
        }
        self.switches.clear();
        self.waiting_switches.clear();
    }
}

/// Ends what a killed server's pane left running: the processes that carry the pane's key in their environment.
fn sweep(pane: &SavedPane) {
    let Some(mark) = pane.mark.clone() else { return };
    // No leader: its id may belong to somebody else by now; the mark tells who is meant.
    let target = crate::term::pty::processes::Target { leader: i32::MAX, foreground: None, mark };
    std::thread::spawn(move || crate::term::pty::processes::stop(&target, STOP_GRACE));
}
