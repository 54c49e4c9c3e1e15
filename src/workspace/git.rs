//! Owns the git facts of a directory: branch, commit, what changed, what is under way.
use super::run::{Git, Output};
use crate::state::GitSummary;
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Where checkpoints are kept; no branch, no tag, never pushed by default.
pub(super) const CHECKPOINTS: &str = "refs/inspan/checkpoints/";
/// Digits of a shortened commit id, as git shows it in a small repository.
const SHORT: usize = 7;

/// Why git gave no answer.
#[derive(Debug, Error)]
pub enum GitError {
    /// No repository at or above the directory.
    #[error("{0} is not in a git repository")]
    NotARepository(PathBuf),
    /// A repository without files to work on, or the inside of a `.git` directory.
    #[error("{0} has no working tree (a bare repository, or the inside of .git)")]
    NoWorkTree(PathBuf),
    /// The repository belongs to somebody else and git refuses to trust it.
    #[error("{dir} belongs to another user and git does not trust it; {remedy}")]
    DubiousOwnership {
        /// The directory that was asked about.
        dir: PathBuf,
        /// The command that git recommends.
        remedy: String,
    },
    /// No `git` on PATH.
    #[error("git is not on PATH; install it, or add it to PATH, and try again")]
    Missing,
    /// The operating system did not run it.
    #[error("git could not be run: {0}")]
    Spawn(#[source] std::io::Error),
    /// It did not end in time and was killed with its children.
    #[error("`{command}` did not end within {seconds} s and was stopped")]
    TimedOut {
        /// As a person would type it.
        command: String,
        /// How long it was given.
        seconds: u64,
    },
    /// It printed more than is kept, where all of it is needed.
    #[error("`{command}` printed more than {limit} bytes")]
    TooMuch {
        /// As a person would type it.
        command: String,
        /// The bound in bytes.
        limit: usize,
    },
    /// Anything else that git refused.
    #[error("`{command}` failed: {stderr}")]
    Failed {
        /// As a person would type it.
        command: String,
        /// What git printed on its standard error.
        stderr: String,
    },
}

impl GitError {
    /// Reads git's own words; calls run under `LC_ALL=C`, so they are English.
    pub(super) fn from_output(dir: &Path, command: String, output: &Output) -> Self {
        let said = &output.stderr;
        if said.contains("detected dubious ownership") {
            let advised = said.lines().map(str::trim).find(|line| line.starts_with("git config "));
            let remedy = match advised {
                Some(command) => format!("if you do, run: {command}"),
                None => "see safe.directory in `git help config`".to_owned(),
            };
            Self::DubiousOwnership { dir: dir.to_owned(), remedy }
        } else if said.contains("not a git repository") {
            Self::NotARepository(dir.to_owned())
        } else if said.contains("must be run in a work tree") {
            Self::NoWorkTree(dir.to_owned())
        } else if said.is_empty() {
            Self::Failed { command, stderr: output.status.to_string() }
        } else {
            Self::Failed { command, stderr: said.clone() }
        }
    }
}

/// What git is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `git rebase`.
    Rebase,
    /// `git am`.
    ApplyMailbox,
    /// `git merge`, stopped for conflicts or before its commit.
    Merge,
    /// `git cherry-pick`.
    CherryPick,
    /// `git revert`.
    Revert,
    /// `git bisect`.
    Bisect,
}

impl Operation {
    /// The word of git's own command.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rebase => "rebase",
            Self::ApplyMailbox => "am",
            Self::Merge => "merge",
            Self::CherryPick => "cherry-pick",
            Self::Revert => "revert",
            Self::Bisect => "bisect",
        }
    }
}

/// A path that differs from HEAD, or that git does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirtyFile {
    /// Relative to the top of the working tree; an untracked repository inside ends with `/`.
    pub path: PathBuf,
    /// The two letters of porcelain v2: index and working tree, `.` for unchanged; `??` untracked.
    pub code: String,
    /// What changed inside a submodule: the four letters of porcelain v2, e.g. `S.M.`.
    pub submodule: Option<String>,
}

/// The paths that differ, up to a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirtyFiles {
    /// At most as many as were asked for, in git's order.
    pub files: Vec<DirtyFile>,
    /// How many there are in all that were counted.
    pub total: usize,
}

/// What one `git status` tells.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// `None` before the first commit.
    pub head: Option<String>,
    /// `None` when detached.
    pub branch: Option<String>,
    pub ahead: usize,
    pub behind: usize,
    pub files: Vec<DirtyFile>,
    /// Of everything that git printed.
    pub digest: [u8; 32],
    /// There was more than is kept, so `files` ends early.
    pub truncated: bool,
}

/// The facts that the status line and the panel show; `repository` is false outside a repository.
///
/// Untracked directories count as one. In a bare repository there is nothing to change and `changed` is 0. Before the
/// first commit `head` is empty.
///
/// # Errors
/// Foreign ownership, a missing git, a time-out, or what git refused.
pub fn summary(dir: &Path) -> Result<GitSummary, GitError> {
    let status = match status(dir, "normal") {
        Ok(status) => status,
        Err(GitError::NotARepository(_)) => return Ok(GitSummary::default()),
        Err(GitError::NoWorkTree(_)) => without_work_tree(dir)?,
        Err(error) => return Err(error),
    };
    let head = status.head.unwrap_or_default();
    Ok(GitSummary {
        repository: true,
        branch: status.branch.unwrap_or_else(|| "detached".to_owned()),
        head: head.chars().take(SHORT).collect(),
        changed: status.files.len(),
        ahead: status.ahead,
        behind: status.behind,
        checkpoints: count_checkpoints(dir)?,
    })
}

/// The paths that differ from HEAD or are untracked (ignored ones excluded), at most `limit` of them.
///
/// # Errors
/// As [`summary`]; also when there is no repository or no working tree.
pub fn dirty_files(dir: &Path, limit: usize) -> Result<DirtyFiles, GitError> {
    let mut files = status(dir, "all")?.files;
    let total = files.len();
    files.truncate(limit);
    Ok(DirtyFiles { files, total })
}

/// The names of files in a directory and below it, relative to it, at most `limit`: what git tracks or does not
/// ignore, and outside a repository what lies in the directory itself. For completing names; what cannot be read is not
/// in it.
pub fn names(dir: &Path, limit: usize) -> Vec<String> {
    let listed = Git::read(dir).args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).done();
    let mut all: Vec<String> = match listed {
        Ok(output) => output
            .stdout
            .split(|&byte| byte == 0)
            .filter_map(|name| std::str::from_utf8(name).ok())
            .filter(|name| !name.is_empty())
            .take(limit)
            .map(str::to_owned)
            .collect(),
        Err(_) => std::fs::read_dir(dir)
            .map(|entries| {
                entries.flatten().take(limit).filter_map(|e| e.file_name().into_string().ok()).collect()
            })
            .unwrap_or_default(),
    };
    all.sort();
    all.dedup();
    all
}

/// What git is in the middle of, if anything.
///
/// # Errors
/// As [`dirty_files`]; a bare repository is in the middle of nothing.
pub fn operation(dir: &Path) -> Result<Option<Operation>, GitError> {
    let git_dir = Git::read(dir).args(["rev-parse", "--absolute-git-dir"]).done()?.path();
    let marks = [
        ("rebase-merge", Operation::Rebase),
        ("rebase-apply/applying", Operation::ApplyMailbox),
        ("rebase-apply", Operation::Rebase),
        ("MERGE_HEAD", Operation::Merge),
        ("CHERRY_PICK_HEAD", Operation::CherryPick),
        ("REVERT_HEAD", Operation::Revert),
        ("BISECT_LOG", Operation::Bisect),
    ];
    Ok(marks.into_iter().find(|(mark, _)| git_dir.join(mark).exists()).map(|(_, operation)| operation))
}

/// Asks git for its status; `untracked` is `no`, `normal` (a directory counts as one) or `all`.
pub(super) fn status(dir: &Path, untracked: &str) -> Result<Status, GitError> {
    let output = Git::read(dir)
        .args(["status", "--porcelain=v2", "-z", "--branch", "--ahead-behind"])
        .args([format!("--untracked-files={untracked}")])
        .done()?;
    Ok(parse(&output))
}

/// Reads porcelain v2 with `-z`: headers and entries end with NUL, a rename's old path is a field of its own. A record
/// that the bound cut off is left out.
fn parse(output: &Output) -> Status {
    let mut status = Status { digest: output.digest, truncated: output.truncated, ..Status::default() };
    let whole = match output.stdout.iter().rposition(|&byte| byte == 0) {
        Some(end) => &output.stdout[..end],
        None => &[],
    };
    let mut records = whole.split(|&byte| byte == 0);
    while let Some(record) = records.next() {
        let (kind, rest) = match record {
            [kind, b' ', rest @ ..] => (*kind, rest),
            _ => continue,
        };
        match kind {
            b'#' => status.header(&String::from_utf8_lossy(rest)),
            // 1 XY sub mH mI mW hH hI path
            b'1' => status.entry(rest, 7),
            // 2 XY sub mH mI mW hH hI Xscore path NUL old path
            b'2' => {
                status.entry(rest, 8);
                records.next();
            }
            // u XY sub m1 m2 m3 mW h1 h2 h3 path
            b'u' => status.entry(rest, 9),
            b'?' => status.files.push(DirtyFile { path: path(rest), code: "??".into(), submodule: None }),
            _ => {}
        }
    }
    status
}

impl Status {
    fn header(&mut self, text: &str) {
        let (name, value) = text.split_once(' ').unwrap_or((text, ""));
        match name {
            "branch.oid" if value != "(initial)" => self.head = Some(value.to_owned()),
            "branch.head" if value != "(detached)" => self.branch = Some(value.to_owned()),
            "branch.ab" => {
                let number = |sign| {
                    value.split(' ').find_map(|word| word.strip_prefix(sign)).and_then(|n| n.parse().ok())
                };
                self.ahead = number('+').unwrap_or(0);
                self.behind = number('-').unwrap_or(0);
            }
            _ => {}
        }
    }

    /// Takes the path after `fields` fields, the first two of which are the code and the submodule's state.
    fn entry(&mut self, rest: &[u8], fields: usize) {
        let mut parts = rest.splitn(fields + 1, |&byte| byte == b' ');
        let mut text =
            || parts.next().map(|part| String::from_utf8_lossy(part).into_owned()).unwrap_or_default();
        let (code, submodule) = (text(), text());
        if let Some(name) = parts.last() {
            let submodule = submodule.starts_with('S').then_some(submodule);
            self.files.push(DirtyFile { path: path(name), code, submodule });
        }
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn without_work_tree(dir: &Path) -> Result<Status, GitError> {
    let text = |args: &[&str]| -> Result<Option<String>, GitError> {
        let output = Git::read(dir).args(args).run()?;
        Ok(output.status.success().then(|| output.line()))
    };
    Ok(Status {
        head: text(&["rev-parse", "--verify", "--quiet", "HEAD"])?,
        branch: text(&["symbolic-ref", "--quiet", "--short", "HEAD"])?,
        ..Status::default()
    })
}

fn count_checkpoints(dir: &Path) -> Result<usize, GitError> {
    let output = Git::read(dir).args(["for-each-ref", "--format=x", CHECKPOINTS]).done()?;
    Ok(output.stdout.iter().filter(|&&byte| byte == b'\n').count())
}

#[cfg(test)]
#[path = "git_tests.rs"]
mod tests;
