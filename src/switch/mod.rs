//! Owns the durable switch sequence: its steps, what is gathered before anything stops, what is told afterwards.
//!
//! The loop drives it (`server/switching.rs`) and journals each step. Must not know: sockets, keys, drawing.
use crate::{
    handoff::{Conversation, Handoff, HandoffInput, Mode, Party, Source, Turn, build},
    router::Route,
    state::{GitSummary, Parked},
    vault::Vault,
    workspace::{self, CheckpointError, Fingerprint},
};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Dirty files that a handoff may name.
const DIRTY_FILES: usize = 60;

/// Tokens of a handoff when the target's context window is not known.
const HANDOFF_TOKENS: usize = 12_000;

/// A handoff never takes more of the target's context window than this share of it.
const HANDOFF_SHARE: usize = 8;

/// The steps of a switch, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Route and remedies are known; nothing has stopped.
    Plan,
    /// What the next harness is told is built.
    Handoff,
    /// The tree is kept under `refs/inspan/`.
    Checkpoint,
    /// The harness and all it started are gone.
    Stop,
    /// The next one runs.
    Start,
    /// The handoff is with it.
    Deliver,
    /// It was seen working or waiting.
    Confirm,
}

impl Step {
    /// The word of the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Handoff => "handoff",
            Self::Checkpoint => "checkpoint",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Deliver => "deliver",
            Self::Confirm => "confirm",
        }
    }
}

/// What git says before a switch; gathered on a thread.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// Branch, head, counts.
    pub git: GitSummary,
    /// What git is in the middle of: `rebase`.
    pub operation: Option<&'static str>,
    /// The number of the next checkpoint that differs from the newest.
    pub next_checkpoint: u64,
    /// Changed files as `git status --short` names them.
    pub dirty: Vec<String>,
    /// Everything that must be the same afterwards; `None` outside a repository.
    pub fingerprint: Option<Fingerprint>,
    /// Why git could not be asked, when there is a repository.
    pub error: Option<String>,
}

/// Asks git. Blocks.
pub fn gather(dir: &Path) -> Ground {
    let git = match workspace::summary(dir) {
        Ok(git) => git,
        Err(error) => return Ground { error: Some(error.to_string()), ..Ground::default() },
    };
    if !git.repository {
        return Ground::default();
    }
    let dirty = workspace::dirty_files(dir, DIRTY_FILES)
        .map(|d| d.files.iter().map(|f| format!("{} {}", f.code, f.path.display())).collect())
        .unwrap_or_default();
    let operation = workspace::operation(dir).ok().flatten().map(workspace::Operation::as_str);
    let (fingerprint, error) = match workspace::fingerprint(dir) {
        Ok(fingerprint) => (Some(fingerprint), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let newest = workspace::list(dir).ok().and_then(|all| all.last().map(|c| c.id));
    Ground { git, operation, next_checkpoint: newest.map_or(1, |id| id + 1), dirty, fingerprint, error }
}

/// A conversation without the values of known credentials, as it may be kept and told. A key that no pattern would
/// recognise is known here by its value: a program may have printed it, or a person pasted it.
pub fn without_secrets(conversation: &Conversation, vault: &Vault) -> Conversation {
    let turn = |turn: &Turn| Turn { text: vault.scrub(&turn.text), ..turn.clone() };
    Conversation { turns: conversation.turns.iter().map(turn).collect() }
}

/// What a switch kept of the tree.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// The `n` of `refs/inspan/checkpoints/<n>`.
    pub id: u64,
    /// Its commit.
    pub commit: String,
    /// What is not in it.
    pub warnings: Vec<String>,
}

/// Makes the checkpoint. Blocks. `Ok(None)` when there is no repository, which the person must have agreed to.
///
/// # Errors
/// What git refused.
pub fn keep(dir: &Path, reason: &str, pane: &str, now: u64) -> Result<Option<Kept>, String> {
    match workspace::checkpoint(dir, reason, pane, now) {
        Ok(c) => Ok(Some(Kept { id: c.id, commit: c.commit, warnings: c.warnings })),
        Err(CheckpointError::NotARepository(_)) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Everything that the handoff of a switch is made from.
#[derive(Clone, Debug)]
pub struct Telling {
    /// What was said.
    pub conversation: Conversation,
    /// The executor and model that worked.
    pub from: (String, Option<String>),
    /// The executor and model that go on.
    pub to: (String, Option<String>),
    /// The workspace.
    pub workspace: PathBuf,
    /// How much is told.
    pub mode: Mode,
    /// The parked session that will be resumed.
    pub parked: Option<Parked>,
    /// The target's context window in tokens, where known.
    pub context: Option<u32>,
    /// Where the conversation was read.
    pub source: Source,
    /// What the screen showed, when nothing else could be read.
    pub screen: Option<String>,
    /// Where the whole conversation can be read.
    pub more: Option<String>,
}

impl Telling {
    /// The handoff, with what git says now.
    pub fn handoff(&self, ground: &Ground, checkpoint: Option<&str>) -> Handoff {
        let branch = ground.git.branch.as_str();
        let budget =
            self.context.map_or(HANDOFF_TOKENS, |c| (c as usize / HANDOFF_SHARE).min(HANDOFF_TOKENS));
        build(&HandoffInput {
            conversation: &self.conversation,
            from: Party { executor: &self.from.0, model: self.from.1.as_deref() },
            to: Party { executor: &self.to.0, model: self.to.1.as_deref() },
            workspace: &self.workspace.to_string_lossy(),
            branch: (ground.git.repository && branch != "detached").then_some(branch),
            head: match ground.git.head.as_str() {
                _ if !ground.git.repository => Some("none, this is not a git repository"),
                "" => None,
                head => Some(head),
            },
            dirty: &ground.dirty,
            checkpoint,
            budget_tokens: budget,
            mode: self.mode,
            since: self.parked.as_ref().map(|p| p.seen_requests),
            operation: ground.operation,
            source: self.source,
            screen: self.screen.as_deref(),
            more: self.more.as_deref(),
        })
    }
}

/// How a switch ended, for `--json` and the journal.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The idempotency key.
    pub key: String,
    /// `%n`.
    pub pane: String,
    /// The route before; `None` for a shell.
    pub from: Option<Route>,
    /// The route now.
    pub to: Route,
    /// `new` or `resumed`.
    pub session: &'static str,
    /// What the tree was kept as.
    pub checkpoint: Option<Kept>,
    /// Estimated tokens of the handoff.
    pub handoff_tokens: usize,
    /// Where the handoff can be read.
    pub handoff_file: Option<PathBuf>,
    /// Kinds of secrets that were replaced in it.
    pub redactions: Vec<String>,
    /// Branch and HEAD.
    pub branch: String,
    /// Short commit.
    pub head: String,
    /// HEAD, index, dirty set and stash are as before.
    pub workspace_same: bool,
    /// In words, what is not.
    pub workspace_changes: Vec<String>,
}

impl Report {
    /// The lines that the command line prints.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        let from = self.from.as_ref().map_or_else(|| "shell".to_owned(), label);
        text.push_str(&format!("switched {}: {from} -> {}\n", self.pane, label(&self.to)));
        if let Some(kept) = &self.checkpoint {
            text.push_str(&format!("checkpoint {} ({})\n", kept.id, short(&kept.commit)));
            for warning in &kept.warnings {
                text.push_str(&format!("  not in it: {warning}\n"));
            }
        }
        text.push_str(&format!("session {}, handoff {} tokens\n", self.session, self.handoff_tokens));
        if self.workspace_same {
            let at = format!("{} {}", self.branch, self.head);
            let at = if self.branch.is_empty() { "no repository" } else { at.trim_end() };
            text.push_str(&format!("workspace unchanged: {at}\n"));
        } else {
            for change in &self.workspace_changes {
                text.push_str(&format!("workspace: {change}\n"));
            }
        }
        text
    }
}

/// `codex gpt-5.4`.
pub fn label(route: &Route) -> String {
    match &route.model {
        Some(model) => format!("{} {}", route.executor, crate::router::short(model)),
        None => route.executor.to_string(),
    }
}

/// The first digits of a commit.
pub fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

#[cfg(test)]
mod golden;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::Role;

    #[test]
    fn a_known_key_is_told_to_nobody() {
        let vault = Vault::new(["env:TEAM_KEY"]);
        vault.learn_env(&[("TEAM_KEY".to_owned(), "plain-looking-words".to_owned())].into());
        let said = |text: &str| Conversation { turns: vec![Turn { role: Role::User, text: text.into() }] };
        let kept = without_secrets(&said("why does plain-looking-words not work?"), &vault);
        assert_eq!(kept, said("why does [redacted] not work?"));
    }
}
