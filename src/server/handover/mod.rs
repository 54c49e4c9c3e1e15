//! `restart-server`: the running programs go on under another binary.
//!
//! The server executes the new binary in its own place. The process stays the same, and with it its children, its locks
//! and every descriptor that is left open for the purpose: terminals, the socket, the gateway's port. What the new
//! binary must know lies in memory behind one more descriptor. Before anything changes the new binary shows that it
//! starts and reads that; if it fails all the same, it executes the old one, which takes everything back.
mod carried;
mod taking;

pub(super) use carried::LivePane;
pub use taking::{TakeOver, Taken, check, take};

use super::{
    Ending, Server,
    attach::Link,
    connection::Out,
    protocol::Exit,
    reply::{Failure, Reply},
    verbs::{Answer, Outcome},
};
use crate::{mux::PaneId, term::emulator::FeedOutput};
use carried::{Descriptors, Document, FORM, LiveHarness, LiveProcess, LiveSession, LiveWindow, Script};
use serde_json::json;
use std::{
    fmt::Write as _,
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd, RawFd},
        unix::process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long the new binary may take to show that it starts: it reads one document and ends.
const CHECK_TIME: Duration = Duration::from_secs(20);

/// Pause between two looks at what is under way.
const LOOK: Duration = Duration::from_millis(50);

/// How long a terminal's reading may take to stop. It parses at most what is collected.
const HALT_TIME: Duration = Duration::from_secs(2);

/// How `restart-server` was asked for.
#[derive(Clone, Debug)]
pub struct Restart {
    /// The binary to go on with; `None` is the one that this server was started from, as it is now.
    pub binary: Option<PathBuf>,
    /// Only say what would be kept.
    pub dry_run: bool,
    /// Stop everything that runs and start anew.
    pub stop: bool,
    /// How long model requests that are under way are waited for.
    pub wait: Duration,
    /// Print JSON.
    pub json: bool,
}

/// A restart that was found possible.
#[derive(Debug)]
pub struct Handover {
    binary: PathBuf,
    json: bool,
    /// When model requests are cut off.
    deadline: Instant,
    reply: Option<Reply>,
}

/// What a restart would bring, in sentences.
#[derive(Default)]
struct Outlook {
    kept: Vec<PaneId>,
    lost: Vec<String>,
    /// Why it cannot be now.
    hindered: Vec<String>,
}

impl Outlook {
    fn words(&self, json: bool, requests: usize) -> String {
        let kept: Vec<String> = self.kept.iter().map(ToString::to_string).collect();
        if json {
            let value = json!({
                "kept": kept, "lost": self.lost, "hindered": self.hindered, "requests_in_flight": requests,
            });
            return serde_json::to_string_pretty(&value).unwrap_or_default() + "\n";
        }
        let mut text = match kept.as_slice() {
            [] => "no program runs; layouts and texts are kept\n".to_owned(),
            kept => format!("kept running: {}\n", kept.join(", ")),
        };
        for lost in &self.lost {
            let _ = writeln!(text, "not kept: {lost}");
        }
        for hindered in &self.hindered {
            let _ = writeln!(text, "in the way: {hindered}");
        }
        if requests > 0 {
            let _ = writeln!(text, "model requests under way: {requests}; they are waited for");
        }
        text
    }
}

impl Server {
    /// The verb `restart-server`.
    pub(super) fn restart_server(&mut self, how: Restart, reply: &mut Option<Reply>) -> Answer {
        if how.stop {
            self.ending = Some(Ending::Keep);
            return Ok(Outcome::Done(String::new()));
        }
        let outlook = self.outlook();
        if how.dry_run {
            return Ok(Outcome::Done(outlook.words(how.json, self.requests_in_flight())));
        }
        if let Some(why) = outlook.hindered.first() {
            let way = "wait for it, or let restart-server --stop end everything that runs";
            return Err(Failure::Failed(format!("cannot restart now: {why}; {way}")));
        }
        let binary = match how.binary {
            Some(binary) => binary,
            None => {
                own_binary().ok_or("inspan's own binary is gone; name one: restart-server --binary PATH")?
            }
        };
        let memory = carried::write(&self.document(Descriptors::default()), &[]);
        let memory = memory.map_err(|e| format!("there is no memory to hand things over in: {e}"))?;
        let (name, checked, reply) = (self.name.clone(), binary.clone(), reply.take());
        let deadline = Instant::now() + how.wait;
        self.tasks.spawn(
            move || try_binary(&checked, &name, memory),
            move |server, tried| match (tried, reply) {
                (Ok(()), reply) => {
                    server.handover = Some(Handover { binary, json: how.json, deadline, reply });
                    server.hand_over_when_quiet();
                }
                (Err(why), Some(reply)) => reply.fail(&Failure::Failed(why)),
                (Err(why), None) => server.tell_all(&why),
            },
        );
        Ok(Outcome::Later)
    }

    fn requests_in_flight(&self) -> usize {
        self.gateway.as_ref().map_or(0, crate::gateway::Gateway::in_flight)
    }

    /// What would come of a restart now.
    fn outlook(&self) -> Outlook {
        let mut outlook = Outlook::default();
        for (id, screen) in &self.screens {
            if screen.pty.is_some() {
                outlook.kept.push(*id);
            }
            if screen.on_exit.is_some() {
                outlook.hindered.push(format!("an installation runs in {id}"));
            }
        }
        for id in self.switches.keys().chain(self.waiting_switches.keys()) {
            outlook.hindered.push(format!("a switch is under way in {id}"));
        }
        if self.handover.is_some() {
            outlook.hindered.push("another restart is under way".into());
        }
        for pane in self.scripted.pipes.keys() {
            outlook.lost.push(format!("the pipe of {pane}: its command gets the end of its input"));
        }
        let waiters = self.harnesses.values().map(|h| h.waiters.len()).sum::<usize>()
            + self.scripted.channels.values().map(|c| c.waiting.len() + c.lockers.len()).sum::<usize>()
            + self.followers.len();
        if waiters > 0 {
            outlook.lost.push(format!("{waiters} commands that wait for an answer end without one"));
        }
        if self.scripted.jobs > 0 {
            outlook.lost.push(format!("{} shell commands of run-shell end unheard", self.scripted.jobs));
        }
        let open = |link: &Link| !link.copies.is_empty();
        let copying = self.links.values().filter(|link| open(link)).count();
        let dialogs = self.state.clients.values().filter(|client| client.overlay.is_some()).count();
        if copying + dialogs > 0 {
            outlook.lost.push(format!("{} copy modes and open dialogs are closed", copying + dialogs));
        }
        outlook
    }

    /// Hands over at a moment without a model request, or when there was none for long enough.
    fn hand_over_when_quiet(&mut self) {
        let Some(handover) = &self.handover else { return };
        let requests = self.requests_in_flight();
        if requests > 0 && Instant::now() < handover.deadline {
            self.tasks.after(LOOK, Self::hand_over_when_quiet);
            return;
        }
        let Some(mut handover) = self.handover.take() else { return };
        let mut outlook = self.outlook();
        if let Some(why) = outlook.hindered.first() {
            if let Some(reply) = handover.reply {
                reply.fail(&Failure::Failed(format!("cannot restart now: {why}")));
            }
            return;
        }
        if requests > 0 {
            outlook.lost.push(format!("{requests} model requests are cut off; their harnesses try again"));
        }
        if let Some(reply) = &mut handover.reply {
            reply.text(outlook.words(handover.json, 0));
        }
        self.handover = Some(handover);
        self.ending = Some(Ending::HandOver);
    }

    /// Everything but screens and descriptors of panes.
    fn document(&self, descriptors: Descriptors) -> Document {
        let panes = self.state.panes.values().map(|pane| {
            let harness = self.harnesses.get(&pane.id).map(|runtime| {
                let mut live = LiveHarness::of(runtime);
                if let Some(shown) = &pane.harness {
                    live.served_model.clone_from(&shown.served_model);
                    live.usage = shown.usage;
                    live.windows.clone_from(&shown.windows);
                    live.requests.clone_from(&shown.requests);
                }
                live
            });
            let live = LivePane {
                process: None,
                screen: 0,
                size: pane.size,
                title: pane.title.clone(),
                status: pane.status.clone(),
                status_since: pane.status_since,
                exit: pane.exit.clone(),
                refusal: pane.refusal.clone(),
                notes: pane.notes.clone(),
                input_off: pane.input_off,
                popup: pane.popup,
                closes: pane.closes,
                label: pane.label.clone(),
                agent_state: self.screens.get(&pane.id).and_then(|screen| screen.agent_state.clone()),
                env: self.scripted.pane_env.get(&pane.id).cloned().unwrap_or_default(),
                retry: self.retries.get(&pane.id).cloned(),
                harness,
            };
            (pane.id, live)
        });
        let windows = self.state.windows.values().map(|window| {
            let (last, synchronized) = (window.last, window.synchronized);
            (window.id, LiveWindow { last, synchronized, earlier: window.earlier.clone() })
        });
        let sessions = self.state.sessions.values().map(|session| {
            let env = self.session_env.get(&session.id).cloned();
            (session.id, LiveSession { last: session.last, manual: session.manual, env })
        });
        let script = &self.scripted;
        let user = script.user.iter().map(|((owner, name), value)| (*owner, name.clone(), value.clone()));
        let keys = script.keys.iter().map(|((table, key), bound)| (*table, *key, bound.clone()));
        Document {
            form: FORM,
            version: env!("CARGO_PKG_VERSION").into(),
            descriptors,
            saved: self.snapshot(),
            panes: panes.collect(),
            windows: windows.collect(),
            sessions: sessions.collect(),
            next_client: self.state.next.client,
            proven: self.proven.iter().cloned().collect(),
            buffers: self.buffers.clone(),
            script: Script {
                settings: script.settings.clone(),
                user: user.collect(),
                keys: keys.collect(),
                unbound: script.unbound,
                hooks: script.hooks.clone(),
                channels: script.channels.iter().map(|(n, c)| (n.clone(), (c.woken, c.locked))).collect(),
            },
        }
    }

    /// Stops the reading of every terminal, so that what is printed from now on waits for the next server.
    fn halt_panes(&self) {
        let ptys = self.screens.values().filter_map(|screen| screen.pty.as_ref());
        let halting: Vec<_> = ptys.map(crate::term::pty::Pty::halt).collect();
        self.panes_runtime.block_on(async {
            let all = futures_util::future::join_all(halting);
            if tokio::time::timeout(HALT_TIME, all).await.is_err() {
                tracing::warn!("a terminal did not stop being read");
            }
        });
    }

    /// Ends what cannot be handed over, and tells everybody who listens.
    pub(super) fn take_leave(&mut self) {
        self.save();
        for thread in std::mem::take(&mut self.stopping) {
            let _ = thread.join();
        }
        self.halt_panes();
        if let Some(reply) = self.handover.as_mut().and_then(|handover| handover.reply.take()) {
            reply.done();
        }
        self.send_clients_again();
        // Who still waits for an answer learns from the closed connection that there will be none.
        self.followers.clear();
    }

    /// Executes the new binary in this one's place, then the old one. Returns only when neither can be executed.
    pub(super) fn hand_over(&mut self, locks: &[File; 2]) -> io::Error {
        let Some(handover) = self.handover.take() else { return io::Error::other("nothing is handed over") };
        let binary = handover.binary.as_path();
        let gateway = self.gateway.as_ref().and_then(|gateway| gateway.listener().ok());
        if let Some(gateway) = self.gateway.take() {
            gateway.shutdown();
        }
        if !self.recorder.flush() {
            tracing::warn!("the record was not on disk in time; its newest rows may be lost");
        }
        let Some(listener) = &self.listening else { return io::Error::other("no socket to hand over") };
        let mut document = self.document(Descriptors {
            locks: [locks[0].as_raw_fd(), locks[1].as_raw_fd()],
            listener: listener.as_raw_fd(),
            gateway: gateway.as_ref().map(AsRawFd::as_raw_fd),
        });
        let mut blobs = Vec::new();
        let mut masters: Vec<OwnedFd> = Vec::new();
        for (id, screen) in &self.screens {
            let Some(live) = document.panes.get_mut(id) else { continue };
            let mut out = FeedOutput::default();
            let text = super::panes::lock(&screen.emulator).carry(&mut out);
            live.screen = text.len();
            blobs.push(text);
            let Some(Ok(carried)) = screen.pty.as_ref().map(crate::term::pty::Pty::carried) else { continue };
            // What a held update still asked for is answered with the rest of the input.
            let input = [carried.input, out.replies].concat();
            live.process = Some(LiveProcess {
                master: carried.master.as_raw_fd(),
                pid: carried.pid,
                mark: carried.mark,
                input: input.len(),
            });
            blobs.push(input);
            masters.push(carried.master);
        }
        let memory = match carried::write(&document, &blobs) {
            Ok(memory) => memory,
            Err(error) => return error,
        };
        let old = File::open("/proc/self/exe");
        let left = [memory.as_fd(), locks[0].as_fd(), locks[1].as_fd(), listener.as_fd()];
        let left = left.into_iter().chain(masters.iter().map(AsFd::as_fd));
        let left = left.chain(gateway.as_ref().map(AsFd::as_fd)).chain(old.as_ref().ok().map(AsFd::as_fd));
        for fd in left {
            if let Err(error) = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty()) {
                return error.into();
            }
        }
        let fallback = old.as_ref().ok().map(AsRawFd::as_raw_fd);
        tracing::info!(binary = %binary.display(), panes = masters.len(), "handing over");
        let why = become_server(binary, &self.name, memory.as_raw_fd(), fallback, None);
        let why = format!("{} could not be executed: {why}", binary.display());
        become_server(Path::new("/proc/self/exe"), &self.name, memory.as_raw_fd(), None, Some(&why))
    }

    /// Asks every client to come again as what it is.
    fn send_clients_again(&mut self) {
        for (id, link) in std::mem::take(&mut self.links) {
            let Some(client) = self.state.clients.get(&id) else { continue };
            let mut again = vec!["attach".to_owned()];
            if self.state.sessions.contains_key(&client.session) {
                again.extend(["-t".to_owned(), client.session.to_string()]);
            }
            if client.read_only {
                again.push("-r".into());
            }
            let message = "[server restarts: run inspan again]".to_owned();
            let _ = link.out.try_send(Out::Exit(Exit { code: 0, message, again }));
        }
    }
}

/// Executes a server that takes over what lies behind `memory`.
fn become_server(
    binary: &Path,
    name: &str,
    memory: RawFd,
    fallback: Option<RawFd>,
    after: Option<&str>,
) -> io::Error {
    let mut command = Command::new(binary);
    command.args(["-L", name, "server", "--take-over", &memory.to_string()]);
    if let Some(fallback) = fallback {
        command.args(["--fallback", &fallback.to_string()]);
    }
    if let Some(after) = after {
        command.args(["--after", after]);
    }
    command.exec()
}

/// The file that this server was started from; a newer one may have taken its place since.
fn own_binary() -> Option<PathBuf> {
    let binary = std::fs::read_link("/proc/self/exe").ok()?;
    let text = binary.to_string_lossy();
    let path = PathBuf::from(text.strip_suffix(" (deleted)").unwrap_or(&text));
    path.exists().then_some(path)
}

/// Lets a binary show that it starts and understands what it is to take over.
fn try_binary(binary: &Path, name: &str, memory: File) -> Result<(), String> {
    let unchanged = "nothing was changed; restart-server --stop ends what runs and starts anew";
    let failed = |why: String| format!("{} cannot take over: {why}; {unchanged}", binary.display());
    let mut child = Command::new(binary)
        .args(["-L", name, "server", "--check"])
        .stdin(Stdio::from(memory))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    let end = Instant::now() + CHECK_TIME;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                let mut said = String::new();
                if let Some(stderr) = child.stderr.take() {
                    let _ = io::Read::read_to_string(&mut io::Read::take(stderr, 4096), &mut said);
                }
                let said = said.lines().next().unwrap_or_default();
                return Err(failed(format!("it ended with {status} {said}").trim_end().to_owned()));
            }
            Ok(None) if Instant::now() < end => std::thread::sleep(LOOK),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("it did not start within {} s", CHECK_TIME.as_secs())));
            }
        }
    }
}
