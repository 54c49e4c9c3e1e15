//! What harnesses change in a workspace: a checkpoint at the end of each turn, the changes view, a word when two of them
//! write the same file, and an executor's own sessions.
use super::{
    Server,
    reply::{Failure, Reply},
    verbs::{Answer, Outcome, need_client, silent},
};
use crate::{
    commands::{Target, WorkVerb},
    executors,
    handoff::files_of_turn,
    mux::{ClientId, PaneId},
    router::ExecutorId,
    state::{
        Status,
        overlay::{Changes, FileRow, NativeRow, NativeSessions, Overlay},
        target::Origin,
    },
    switch,
    workspace::{self, Keep, Overview, Rewind, Stage},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// Lines of one file's patch that the view holds.
const PATCH_LINES: usize = 5_000;
/// Warnings about a file that are kept.
const WARNINGS: usize = 20;
/// Sessions that are listed.
const SESSIONS: usize = 500;

/// What the working harnesses write at the moment.
#[derive(Debug, Default)]
pub struct Writers {
    /// The files of each pane's turn.
    files: BTreeMap<PaneId, BTreeSet<String>>,
}

impl Server {
    /// The end of a turn: what it changed is kept, and old checkpoints go.
    pub(super) fn keep_turn(&mut self, id: PaneId) {
        let (Some(pane), Some(runtime)) = (self.state.panes.get(&id), self.harnesses.get(&id)) else {
            return;
        };
        let Some(harness) = &pane.harness else { return };
        let beside: Vec<String> = self.working_beside(id).iter().map(ToString::to_string).collect();
        let beside = if beside.is_empty() { String::new() } else { format!(", beside {}", beside.join(" ")) };
        let reason = format!("turn {} of {}{beside}", runtime.turns, harness.route.executor);
        let (dir, key, now) = (pane.cwd.clone(), pane.key.clone(), Self::now());
        self.tasks.spawn(
            move || {
                let kept = switch::keep(&dir, &reason, &id.to_string(), now);
                let _ = workspace::prune(&dir, Keep::default(), now);
                (kept, reason)
            },
            move |server, (kept, reason)| match kept {
                Ok(Some(kept)) => {
                    let data = json!({ "checkpoint": kept.id, "commit": kept.commit, "reason": reason });
                    server.recorder.journal("", &key, "turn", data);
                    server.git_soon_of(id);
                }
                Ok(None) => server.recorder.journal("", &key, "turn", json!({ "reason": reason })),
                Err(why) => tracing::warn!(pane = %id, why, "no checkpoint at the end of a turn"),
            },
        );
    }

    /// What a pane's turn wrote is no longer of the present.
    pub(super) fn forget_writes(&mut self, id: PaneId) {
        self.writers.files.remove(&id);
        self.state.same_files.retain(|(a, b, _)| *a != id && *b != id);
    }

    /// Panes that work in the same directory at this moment.
    fn working_beside(&self, id: PaneId) -> Vec<PaneId> {
        let Some(cwd) = self.state.panes.get(&id).map(|pane| &pane.cwd) else { return Vec::new() };
        let works = |status: &Status| matches!(status, Status::Working | Status::NeedsYou | Status::Retrying);
        let others = self.state.panes.values().filter(|pane| pane.id != id && pane.cwd == *cwd);
        others.filter(|p| p.harness.is_some() && works(&p.status.status)).map(|pane| pane.id).collect()
    }

    /// A model request of a turn shows which files its tools wrote so far; says so when another turn writes the same.
    pub(super) fn look_at_writes(&mut self, id: PaneId) {
        if self.working_beside(id).is_empty() {
            return;
        }
        let (Some(runtime), Some(pane)) = (self.harnesses.get(&id), self.state.panes.get(&id)) else {
            return;
        };
        let (conversation, cwd) = (Arc::clone(&runtime.conversation), pane.cwd.clone());
        self.tasks.spawn(
            move || files_of_turn(&conversation, &cwd.to_string_lossy()),
            move |server, files| server.wrote(id, files),
        );
    }

    fn wrote(&mut self, id: PaneId, files: Vec<String>) {
        let others = self.working_beside(id);
        let own: BTreeSet<String> = files.into_iter().collect();
        for other in others {
            let both: Vec<String> = match self.writers.files.get(&other) {
                Some(theirs) => theirs.intersection(&own).cloned().collect(),
                None => {
                    // It began alone, so nobody looked at what it writes.
                    self.look_at_writes(other);
                    continue;
                }
            };
            for file in both {
                let (first, second) = (id.min(other), id.max(other));
                if self.state.same_files.len() < WARNINGS
                    && self.state.same_files.insert((first, second, file.clone()))
                {
                    self.tell_all(&format!("⚠ {first} and {second} both write {file}"));
                    let key = self.state.panes.get(&id).map(|pane| pane.key.clone()).unwrap_or_default();
                    let panes = [first.to_string(), second.to_string()];
                    self.recorder.journal("", &key, "same-file", json!({ "panes": panes, "file": file }));
                }
            }
        }
        let known = self.writers.files.insert(id, own.clone());
        if known.as_ref() != Some(&own) {
            self.dirty_all();
        }
    }

    /// `%1 and %2 write src/cart.rs`, for the view and the panel.
    fn same_files(&self) -> Vec<String> {
        self.state.same_files.iter().map(|(a, b, file)| format!("{a} and {b} write {file}")).collect()
    }

    /// The verb `changes`.
    pub(super) fn changes_verb(
        &mut self,
        verb: WorkVerb,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let WorkVerb::Changes { target, stage, unstage, discard, to, commit, json } = verb else {
            return silent();
        };
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let dir = self.state.panes.get(&id).map(|pane| pane.cwd.clone()).unwrap_or_default();
        let (client, mut reply, now) = (origin.client, reply.take(), Self::now());
        self.tasks.spawn(
            move || {
                let done = act(&dir, id, stage, unstage, discard.zip(to), commit, now)?;
                let overview = workspace::overview(&dir).map_err(|e| e.to_string())?;
                let git = workspace::summary(&dir).unwrap_or_default();
                Ok::<_, String>((done, overview, format!("{} {}", git.branch, git.head)))
            },
            move |server, result| {
                server.git_soon_of(id);
                match result {
                    Ok((done, overview, head)) => {
                        if let Some(client) = client {
                            server.show_changes(client, id, head, &overview);
                            if let Some(done) = done {
                                server.tell(client, done);
                            }
                        } else if let Some(mut reply) = reply.take() {
                            match done {
                                Some(done) => reply.line(done),
                                None if json => reply.line(as_json(&overview)),
                                None => reply.text(as_text(&overview)),
                            }
                            reply.done();
                        }
                    }
                    Err(why) => {
                        let failure = Failure::Failed(why);
                        if let Some(client) = client {
                            server.show_failure(client, &failure);
                        }
                        if let Some(reply) = reply.take() {
                            reply.fail(&failure);
                        }
                    }
                }
            },
        );
        Ok(Outcome::Later)
    }

    /// Opens the view, or brings an open one up to date on the file that was chosen in it.
    fn show_changes(&mut self, client: ClientId, id: PaneId, head: String, overview: &Overview) {
        let before = self.state.clients.get(&client).and_then(|client| match &client.overlay {
            Some(Overlay::Changes(changes)) => {
                Some((changes.chosen()?.path.clone(), changes.selected, changes.scroll))
            }
            _ => None,
        });
        let files: Vec<FileRow> = overview.files.iter().map(row).collect();
        let (selected, scroll) = match before {
            Some((path, at, scroll)) => match files.iter().position(|file| file.path == path) {
                Some(found) => (found, scroll),
                None => (at, 0),
            },
            None => (0, 0),
        };
        let more = overview.total - overview.files.len();
        let changes = Changes { pane: id, head, files, more, warnings: self.same_files(), selected, scroll };
        self.open(client, Overlay::Changes(Box::new(changes)));
    }

    /// `prefix S`.
    pub(super) fn resume_dialog(
        &mut self,
        target: &Target,
        executor: Option<String>,
        origin: &Origin,
    ) -> Answer {
        let client = need_client(origin)?;
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let Some(pane) = self.state.panes.get(&id) else { return silent() };
        let own = pane.harness.as_ref().map(|harness| harness.route.executor.clone());
        let wanted = executor.map(|name| ExecutorId::from(name.as_str()));
        let chosen = wanted.or(own).unwrap_or_else(|| self.settings.default_executor.clone());
        let reader = executors::by_id(&chosen).map_err(Failure::Failed)?;
        let mut homes: Vec<PathBuf> = reader.users_home(&self.env_of(id)).into_iter().collect();
        // A pane on rehearsal has a home of its own.
        homes.extend(self.harnesses.get(&id).map(|runtime| runtime.config_home.clone()));
        let names: Vec<String> = self
            .state
            .executors
            .iter()
            .filter(|row| executors::by_id(&row.executor).is_ok())
            .map(|row| row.executor.to_string())
            .collect();
        let notes = self.native_notes(&chosen);
        let cwd = pane.cwd.clone();
        self.tasks.spawn(
            move || {
                let mut seen = BTreeSet::new();
                let found = homes.iter().flat_map(|home| reader.sessions(home, &cwd));
                let mut all: Vec<_> =
                    found.filter(|session| seen.insert(session.id.clone())).take(SESSIONS).collect();
                all.sort_by_key(|session| std::cmp::Reverse(session.modified));
                all
            },
            move |server, found| {
                let rows = found
                    .into_iter()
                    .map(|session| NativeRow {
                        age: age(session.modified),
                        model: session.model.unwrap_or_default(),
                        note: notes.get(&session.id).cloned().unwrap_or_default(),
                        id: session.id,
                        // Its first request was not typed by anybody.
                        title: match crate::handoff::is_handoff(&session.title) {
                            true => "taken over from another harness".into(),
                            false => session.title,
                        },
                    })
                    .collect();
                let list = NativeSessions {
                    pane: id,
                    executor: chosen.to_string(),
                    executors: names,
                    rows,
                    ..NativeSessions::default()
                };
                server.open(client, Overlay::Native(list));
            },
        );
        Ok(Outcome::Later)
    }

    /// Sessions of an executor that panes run or keep.
    fn native_notes(&self, executor: &ExecutorId) -> BTreeMap<String, String> {
        let mut notes = BTreeMap::new();
        for pane in self.state.panes.values() {
            let Some(harness) = &pane.harness else { continue };
            if let Some(parked) = harness.parked.get(executor) {
                notes.insert(parked.session.clone(), format!("parked in {}", pane.id));
            }
            if harness.route.executor == *executor
                && let Some(session) = &harness.session
            {
                notes.insert(session.clone(), format!("in {}", pane.id));
            }
        }
        notes
    }
}

/// Does what was asked; what it says is for the person.
fn act(
    dir: &Path,
    pane: PaneId,
    stage: Option<PathBuf>,
    unstage: Option<PathBuf>,
    discard: Option<(PathBuf, u64)>,
    commit: Option<String>,
    now: u64,
) -> Result<Option<String>, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    // Paths are those of the whole tree, as the view shows them.
    let top = workspace::top(dir).map_err(|e| words(&e))?;
    for (how, path) in [(Stage::In, stage), (Stage::Out, unstage)] {
        if let Some(path) = path {
            workspace::stage(&top, how, &[path]).map_err(|e| words(&e))?;
        }
    }
    if let Some((path, id)) = discard {
        let shown = path.display().to_string();
        let rewind = Rewind { id, paths: vec![path], head: false };
        let done = workspace::rewind(&top, &rewind, &pane.to_string(), now).map_err(|e| words(&e))?;
        return Ok(Some(format!(
            "{shown} is as in checkpoint {id}; the way back: inspan rewind {}",
            done.before.id
        )));
    }
    if let Some(message) = commit {
        let id = workspace::commit(&top, &message).map_err(|e| words(&e))?;
        return Ok(Some(format!("committed as {id}")));
    }
    Ok(None)
}

fn row(file: &workspace::ChangedFile) -> FileRow {
    let who = |touch: &workspace::Touch| format!("{} {}", touch.pane, touch.reason).trim().to_owned();
    let by: Vec<String> = file.by.iter().map(who).collect();
    FileRow {
        path: file.path.to_string_lossy().into_owned(),
        what: file.what,
        staged: file.staged,
        by: by.join(", "),
        before: file.by.last().and_then(|touch| Some((touch.before?, who(touch)))),
        patch: file.patch.lines().take(PATCH_LINES).map(str::to_owned).collect(),
    }
}

fn as_json(overview: &Overview) -> String {
    let files: Vec<_> = overview
        .files
        .iter()
        .map(|file| {
            let by: Vec<_> = file
                .by
                .iter()
                .map(|t| json!({ "pane": t.pane, "reason": t.reason, "before": t.before }))
                .collect();
            json!({
                "path": file.path.to_string_lossy(), "change": file.what.to_string(), "staged": file.staged, "by": by,
                "patch": file.patch,
            })
        })
        .collect();
    let value = json!({ "top": overview.top, "files": files, "total": overview.total });
    serde_json::to_string_pretty(&value).unwrap_or_default()
}

fn as_text(overview: &Overview) -> String {
    let mut text = String::new();
    for file in &overview.files {
        let row = row(file);
        let staged = if row.staged { "staged" } else { "" };
        text.push_str(&format!("{} {staged:<6} {:<40} {}\n", row.what, row.path, row.by));
    }
    if text.is_empty() { "nothing differs from HEAD\n".into() } else { text }
}

/// How long ago, in the largest unit that fits.
fn age(at: SystemTime) -> String {
    let seconds = at.elapsed().map(|since| since.as_secs()).unwrap_or_default();
    match seconds {
        0..60 => "now".into(),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
