//! Writing prompts over panes: drafts that are never lost, what was sent before, sending to several panes.
use super::{
    Server,
    reply::{Failure, Reply},
    verbs::{Answer, Outcome, need_client, silent},
};
use crate::{
    agent::control::Verdict,
    commands::{Target, WorkVerb},
    mux::{ClientId, PaneId},
    router::Refusal,
    state::{
        Status,
        overlay::{Composer, Draft, MAX_DRAFT, Overlay},
        target::Origin,
    },
    term::encode,
    workspace,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Prompts that are remembered.
const SENT_MAX: usize = 200;
/// Files that names are completed from: beyond that a list helps nobody.
const FILES_MAX: usize = 50_000;
/// Snippets, and bytes of one.
const SNIPPETS_MAX: usize = 200;
/// How long a shell gets to show a pasted text before the Enter behind it.
const PASTE_PAUSE: Duration = Duration::from_millis(80);

/// What is written and was written.
#[derive(Debug, Default)]
pub struct Desk {
    /// By pane, what was not sent yet.
    drafts: BTreeMap<PaneId, String>,
    /// What was sent, oldest first; read from its file when first needed.
    sent: Option<Arc<Vec<String>>>,
}

/// What is read before a composer opens.
struct Material {
    files: Vec<String>,
    snippets: Vec<(String, String)>,
    sent: Vec<String>,
    draft: String,
}

impl Server {
    /// The verbs about the work itself.
    pub(super) fn work_verb(&mut self, verb: WorkVerb, origin: &Origin, reply: &mut Option<Reply>) -> Answer {
        match verb {
            WorkVerb::Compose { target, to, text } if to.is_empty() && text.is_empty() => {
                self.open_composer(&target, origin)
            }
            WorkVerb::Compose { target, to, text } => {
                self.send_composed(&target, &to, &text.join(" "), origin)
            }
            WorkVerb::Login { target, executor } => self.login_verb(&target, &executor, origin),
            WorkVerb::CopyLink { target, code } => self.copy_link(&target, code, origin),
            WorkVerb::Approve { target, session } => {
                let verdict = if session { Verdict::ApproveForSession } else { Verdict::Approve };
                self.verdict(&target, verdict, origin, reply)
            }
            WorkVerb::Deny { target } => self.verdict(&target, Verdict::Deny, origin, reply),
            WorkVerb::Interrupt { target } => self.interrupt(&target, origin, reply),
            WorkVerb::Changes { .. } => self.changes_verb(verb, origin, reply),
            WorkVerb::MergeWorktree { target, yes, remove, json } => {
                self.merge_worktree(&target, yes, remove, json, origin, reply)
            }
            WorkVerb::Fallback { target, json } => self.fallback_verb(&target, json, origin),
            WorkVerb::Writer { target, json } => self.writer_verb(&target, json, origin),
            WorkVerb::ResumeDialog { target, executor } => self.resume_dialog(&target, executor, origin),
        }
    }

    fn open_composer(&mut self, target: &Target, origin: &Origin) -> Answer {
        let client = need_client(origin)?;
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let Some(pane) = self.state.panes.get(&id) else { return silent() };
        let (cwd, draft_file) = (pane.cwd.clone(), self.draft_file(id));
        let known = self.desk.drafts.get(&id).cloned();
        let (sent_file, snippets) = (self.sent_file(), self.snippets_dir());
        self.tasks.spawn(
            move || Material {
                files: workspace::names(&cwd, FILES_MAX),
                snippets: read_snippets(&snippets),
                sent: read_json(&sent_file),
                draft: known.unwrap_or_else(|| {
                    draft_file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default()
                }),
            },
            move |server, read| server.composer_ready(client, id, read),
        );
        Ok(Outcome::Later)
    }

    fn composer_ready(&mut self, client: ClientId, id: PaneId, read: Material) {
        if !self.state.panes.contains_key(&id) {
            return;
        }
        let history = Arc::clone(self.desk.sent.get_or_insert_with(|| Arc::new(read.sent)));
        let composer = Composer {
            pane: id,
            to: [id].into(),
            draft: Draft::new(&read.draft),
            history,
            recalled: None,
            files: Arc::new(read.files),
            snippets: Arc::new(read.snippets),
            offered: Vec::new(),
            error: None,
        };
        self.open(client, Overlay::Composer(Box::new(composer)));
    }

    /// Called after every key and paste: what stands there outlives the client and the server.
    pub(super) fn keep_draft(&mut self, overlay: &Overlay) {
        let Overlay::Composer(composer) = overlay else { return };
        let text = composer.draft.text();
        if self.desk.drafts.get(&composer.pane).is_some_and(|known| *known == text) {
            return;
        }
        self.desk.drafts.insert(composer.pane, text.clone());
        if let Some(file) = self.draft_file(composer.pane) {
            let vault = Arc::clone(&self.vault);
            self.files.keep(file, move || Some(vault.scrub(&text).into_bytes()));
        }
    }

    fn draft_file(&self, id: PaneId) -> Option<PathBuf> {
        let key = &self.state.panes.get(&id)?.key;
        Some(self.pane_dir(key).join("draft.txt"))
    }

    fn sent_file(&self) -> PathBuf {
        self.place.state.join("prompts.json")
    }

    fn snippets_dir(&self) -> PathBuf {
        self.paths.config.join("snippets")
    }

    /// Sends a text to panes, all or none: one that cannot take it now keeps the text where it is.
    fn send_composed(&mut self, target: &Target, to: &[String], text: &str, origin: &Origin) -> Answer {
        if text.trim().is_empty() {
            return Err(Failure::Usage("there is nothing to send".into()));
        }
        let panes = to
            .iter()
            .map(|name| self.state.find_pane(Some(name), origin))
            .collect::<Result<std::collections::BTreeSet<PaneId>, _>>()?;
        let checked = panes.iter().try_for_each(|id| self.takes_prompt(*id));
        if let Err(failure) = checked {
            return self.composer_says(origin, failure);
        }
        let mut told = Vec::new();
        for id in &panes {
            match self.give(*id, text, origin) {
                Ok(how) => told.push(format!("{id} {how}")),
                Err(failure) => return self.composer_says(origin, failure),
            }
        }
        self.remember_sent(text);
        if let Some(client) = origin.client {
            let own = self.state.find_pane(target.target.as_deref(), origin).ok();
            for id in own.into_iter().chain(panes) {
                self.desk.drafts.remove(&id);
                if let Some(file) = self.draft_file(id) {
                    self.files.keep(file, || Some(Vec::new()));
                }
            }
            if let Some(client) = self.state.clients.get_mut(&client)
                && matches!(client.overlay, Some(Overlay::Composer(_)))
            {
                client.overlay = None;
            }
            self.dirty(client);
        }
        Ok(Outcome::Done(told.join(", ") + "\n"))
    }

    /// A composer that is open says itself why it did not send; else the failure goes its usual way.
    fn composer_says(&mut self, origin: &Origin, failure: Failure) -> Answer {
        let client = origin.client.and_then(|id| self.state.clients.get_mut(&id));
        let Some(Overlay::Composer(composer)) = client.and_then(|client| client.overlay.as_mut()) else {
            return Err(failure);
        };
        composer.error = Some(match failure {
            Failure::Failed(why) | Failure::Usage(why) => why,
            Failure::Refused(refusal) => refusal.reason,
        });
        silent()
    }

    fn takes_prompt(&self, id: PaneId) -> Result<(), Failure> {
        let pane = self.state.panes.get(&id).ok_or_else(|| format!("no pane {id}"))?;
        if self.screens.get(&id).is_none_or(|screen| screen.pty.is_none()) {
            return Err(Failure::Failed(format!("nothing runs in {id}")));
        }
        if pane.harness.is_some() && pane.status.status == Status::NeedsYou {
            return Err(Failure::from(Refusal {
                rule: "prompt.needs-you".into(),
                reason: format!("{id} waits for an answer: {}", pane.status.detail),
                remedies: vec![format!("inspan send-keys -t {id} Enter  or  Escape")],
            }));
        }
        Ok(())
    }

    /// Gives one pane a prompt as it takes one; says what became of it.
    fn give(&mut self, id: PaneId, text: &str, origin: &Origin) -> Result<&'static str, Failure> {
        if !self.harnesses.contains_key(&id) {
            let bracketed = self.modes(id).is_some_and(|modes| modes.bracketed_paste);
            self.write(id, encode::encode_paste(text.as_bytes(), bracketed))?;
            self.tasks.after(PASTE_PAUSE, move |server| drop(server.write(id, b"\r".to_vec())));
            return Ok("was given it");
        }
        let ready = self
            .state
            .panes
            .get(&id)
            .is_some_and(|p| matches!(p.status.status, Status::Idle | Status::Done | Status::Limited));
        let target = Target { target: Some(id.to_string()) };
        self.prompt(&target, false, 0, text, origin, &mut None)?;
        Ok(if ready { "was given it" } else { "takes it when its turn ends" })
    }

    fn remember_sent(&mut self, text: &str) {
        let file = self.sent_file();
        let known = self.desk.sent.take().unwrap_or_else(|| Arc::new(read_json(&file)));
        let mut sent: Vec<String> = known.iter().filter(|known| *known != text).cloned().collect();
        sent.push(self.vault.scrub(text));
        sent.drain(..sent.len().saturating_sub(SENT_MAX));
        let sent = Arc::new(sent);
        self.desk.sent = Some(Arc::clone(&sent));
        self.files.keep(file, move || serde_json::to_vec(&*sent).ok());
    }
}

fn read_json(file: &Path) -> Vec<String> {
    std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Files of a directory of snippets: a name without its ending, and a text.
fn read_snippets(dir: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut all: Vec<(String, String)> = entries
        .flatten()
        .take(SNIPPETS_MAX)
        .filter_map(|entry| {
            let path = entry.path();
            let small = entry.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_DRAFT as u64);
            let name = path.file_stem()?.to_str()?.to_owned();
            let text = small.then(|| std::fs::read_to_string(&path).ok())??;
            (!name.starts_with('.')).then_some((name, text))
        })
        .collect();
    all.sort();
    all
}
