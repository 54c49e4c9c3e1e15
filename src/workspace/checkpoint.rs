//! Owns checkpoints: commits of the whole working tree under `refs/inspan/`, made beside the user's git state.
//!
//! A private copy of the index takes everything that git does not ignore. HEAD, the index, the stash, reflogs and the
//! working tree are not touched, and no hook runs. The first parent of a checkpoint is HEAD, so that each one stands
//! alone and can be dropped alone; a second parent holds what was staged, when that is something of its own.
use super::{
    git::{CHECKPOINTS, GitError, status},
    run::{Git, MAX_STDOUT},
};
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};
use thiserror::Error;

/// An untracked file above this size (100 MiB) is left out: a dataset or disk image that nobody added would be copied
/// into the repository at every change.
const MAX_UNTRACKED: u64 = 100 << 20;
/// How often another number is tried when somebody else took the same one at the same moment.
const NUMBER_ATTEMPTS: u32 = 16;
/// Characters of a reason or label that are kept.
const MAX_WORDS: usize = 200;
/// Filters that are left out because their programs are not here: a repository asks for one or two.
const MAX_FILTERS: usize = 4;
/// Warnings that name a path before the rest is only counted.
const MAX_WARNINGS: usize = 10;

/// A checkpoint that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The `n` of `refs/inspan/checkpoints/<n>`; counts up within a repository, linked worktrees included.
    pub id: u64,
    /// Its commit.
    pub commit: String,
    /// The tree of that commit: all files.
    pub tree: String,
    /// Files that differ from its HEAD; all files when there was no commit.
    pub files_changed: usize,
    /// False when the newest checkpoint held the same already, and is this one.
    pub created: bool,
    /// What is not in it, a sentence each: repositories inside, very large or unreadable files.
    pub warnings: Vec<String>,
}

/// A checkpoint as found in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The `n` of `refs/inspan/checkpoints/<n>`.
    pub id: u64,
    /// Its commit.
    pub commit: String,
    /// The tree of that commit.
    pub tree: String,
    /// Seconds of unix time.
    pub time: u64,
    /// Why it was made.
    pub reason: String,
    /// The pane it was made for.
    pub pane: String,
    /// The branch at that moment; `None` when detached.
    pub branch: Option<String>,
    /// HEAD and what was staged.
    pub(super) parents: Vec<String>,
}

/// Why no checkpoint was made. Nothing was changed.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The directory is in no repository; whoever goes on must have been asked.
    #[error("{0} is not in a git repository, so there is no checkpoint")]
    NotARepository(PathBuf),
    /// The private copy of the index could not be made.
    #[error("the private index {path} could not be made: {source}")]
    PrivateIndex {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Other checkpoints were made faster than this one got a number.
    #[error("no free checkpoint number after {NUMBER_ATTEMPTS} attempts; try again")]
    Contended,
    /// What git refused.
    #[error(transparent)]
    Git(GitError),
}

impl From<GitError> for CheckpointError {
    fn from(error: GitError) -> Self {
        match error {
            GitError::NotARepository(dir) => Self::NotARepository(dir),
            error => Self::Git(error),
        }
    }
}

/// Keeps everything in the working tree that git does not ignore, or names the newest checkpoint when it already
/// holds exactly that on the same HEAD.
///
/// `now_unix` is in seconds. `reason` and `pane_label` are one line each and are shown by [`list`].
///
/// # Errors
/// No repository, no working tree, foreign ownership, no room, or what git refused. The working tree, HEAD, index,
/// stash and reflogs are as before in every case.
pub fn checkpoint(
    dir: &Path,
    reason: &str,
    pane_label: &str,
    now_unix: u64,
) -> Result<Checkpoint, CheckpointError> {
    take(dir, reason, pane_label, now_unix).map(|(checkpoint, _)| checkpoint)
}

/// As [`checkpoint`], with the private index that holds its tree and knows the working tree's files.
pub(super) fn take(
    dir: &Path,
    reason: &str,
    pane_label: &str,
    now_unix: u64,
) -> Result<(Checkpoint, PrivateIndex), CheckpointError> {
    let top = Git::read(dir).args(["rev-parse", "--show-toplevel"]).done()?.path();
    let head = optional(&top, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    let branch = optional(&top, &["symbolic-ref", "--quiet", "HEAD"])?;
    let mut index = PrivateIndex::copy(&top)?;

    let staged = index.staged_tree(&top)?;
    let mut warnings = index.add_everything(&top)?;
    let tree = index.git(&top).args(["write-tree"]).done()?.line();
    let head_tree = match &head {
        Some(head) => optional(&top, &["rev-parse", "--verify", "--quiet", &format!("{head}^{{tree}}")])?,
        None => None,
    };
    // What is staged is a state of its own only when neither HEAD nor the working tree already is that state. Before
    // the first commit it is left out: a first parent that is not HEAD would be taken for it.
    let staged =
        staged.filter(|staged| head_tree.as_ref().is_some_and(|head| head != staged) && *staged != tree);
    warnings.extend(submodule_warnings(&top)?);
    let files_changed = count_changed(&top, head.as_deref(), &tree)?;

    let words = Words { reason: one_line(reason), pane: one_line(pane_label), branch };
    let mut parents: Vec<String> = head.iter().cloned().collect();
    if let Some(staged) = &staged {
        // Its text and time are those of no moment, so that the same staged tree is the same commit.
        let message = "what was staged\n".to_owned();
        parents.push(commit_tree(&top, staged, &parents, message, 0)?);
    }
    for _ in 0..NUMBER_ATTEMPTS {
        let newest = list(&top)?.pop();
        if let Some(newest) =
            newest.as_ref().filter(|newest| newest.tree == tree && newest.parents == parents)
        {
            let (id, commit) = (newest.id, newest.commit.clone());
            return Ok((Checkpoint { id, commit, tree, files_changed, created: false, warnings }, index));
        }
        let id = newest.map_or(1, |newest| newest.id + 1);
        let commit = commit_tree(&top, &tree, &parents, words.message(id), now_unix)?;
        if create_ref(&top, id, &commit)? {
            return Ok((Checkpoint { id, commit, tree, files_changed, created: true, warnings }, index));
        }
    }
    Err(CheckpointError::Contended)
}

/// The checkpoints of the repository that `dir` is in, oldest first.
///
/// # Errors
/// No repository, foreign ownership, a time-out, or what git refused.
pub fn list(dir: &Path) -> Result<Vec<Listed>, CheckpointError> {
    const FORMAT: &str =
        "--format=%(refname)%00%(objectname)%00%(tree)%00%(parent)%00%(committerdate:unix)%00%(contents)%00";
    let output = Git::read(dir).args(["for-each-ref", FORMAT, CHECKPOINTS]).done()?;
    if output.truncated {
        let command = "git for-each-ref refs/inspan/checkpoints/".to_owned();
        return Err(GitError::TooMuch { command, limit: MAX_STDOUT }.into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let fields: Vec<&str> = text.split('\0').collect();
    let mut listed: Vec<Listed> = fields.chunks_exact(6).filter_map(read_ref).collect();
    listed.sort_by_key(|checkpoint| checkpoint.id);
    Ok(listed)
}

/// Reads one reference; `None` for one that is not ours.
fn read_ref(fields: &[&str]) -> Option<Listed> {
    let [name, commit, tree, parents, time, message] = fields else { return None };
    // Git ends each record with a newline, which is then the first byte of the next one.
    let id = name.trim_start().strip_prefix(CHECKPOINTS)?.parse().ok()?;
    let note = |key: &str| message.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
    Some(Listed {
        id,
        commit: (*commit).to_owned(),
        tree: (*tree).to_owned(),
        time: time.parse().ok()?,
        reason: note("Reason: ").unwrap_or_default(),
        pane: note("Pane: ").unwrap_or_default(),
        branch: note("Branch: ").map(|name| name.trim_start_matches("refs/heads/").to_owned()),
        parents: parents.split_whitespace().map(str::to_owned).collect(),
    })
}

struct Words {
    reason: String,
    pane: String,
    branch: Option<String>,
}

impl Words {
    fn message(&self, id: u64) -> String {
        let Self { reason, pane, branch } = self;
        let mut message = format!("inspan checkpoint {id}\n\nReason: {reason}\nPane: {pane}\n");
        if let Some(branch) = branch {
            message += &format!("Branch: {branch}\n");
        }
        message
    }
}

fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(MAX_WORDS).collect()
}

/// A copy of the index in a directory of its own, which goes when this is dropped.
pub(super) struct PrivateIndex {
    dir: PathBuf,
    file: PathBuf,
    /// Filters of the repository whose programs do not run here; they are left out.
    broken: Vec<String>,
}

impl PrivateIndex {
    /// Copies the real index, so that git need not hash unchanged files again and knows what is tracked.
    pub(super) fn copy(top: &Path) -> Result<Self, CheckpointError> {
        let path = Git::read(top).args(["rev-parse", "--git-path", "index"]).done()?.path();
        let real = top.join(path);
        let dir = private_dir()?;
        let index = Self { file: dir.join("index"), dir, broken: Vec::new() };
        let copy = || -> io::Result<()> {
            let time = match fs::metadata(&real) {
                Ok(meta) => meta.modified()?,
                // Nothing was ever added: git starts an empty one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            fs::copy(&real, &index.file)?;
            // Git suspects a file of having changed unnoticed when it is no older than the index. A newer copy would
            // make it trust a file that was rewritten, at the same size, in the same tick as the index.
            fs::File::options().write(true).open(&index.file)?.set_modified(time)
        };
        copy().map_err(|source| CheckpointError::PrivateIndex { path: index.file.clone(), source })?;
        Ok(index)
    }

    /// A call that works on this index. A file that git would not be sure to give back with the same line ends is
    /// still kept, and no shared index is left behind.
    pub(super) fn git(&self, top: &Path) -> Git {
        let git = Git::write(top).env("GIT_INDEX_FILE", &self.file).args([
            "-c",
            "core.safecrlf=false",
            "-c",
            "core.splitIndex=false",
        ]);
        self.broken.iter().fold(git, |git, name| {
            let off = |key: &str, value: &str| ["-c".to_owned(), format!("filter.{name}.{key}={value}")];
            git.args(off("clean", ""))
                .args(off("smudge", ""))
                .args(off("process", ""))
                .args(off("required", "false"))
        })
    }

    /// The tree of what is staged; `None` while there are conflicts.
    fn staged_tree(&self, top: &Path) -> Result<Option<String>, CheckpointError> {
        let output = self.git(top).args(["write-tree"]).run()?;
        Ok(output.status.success().then(|| output.line()))
    }

    /// Takes everything that is not ignored, and says what could not be taken.
    pub(super) fn add_everything(&mut self, top: &Path) -> Result<Vec<String>, CheckpointError> {
        let (left_out, mut warnings) = self.left_out(top)?;
        let mut paths = Vec::new();
        for path in &left_out {
            paths.extend_from_slice(b":(top,exclude,literal)");
            paths.extend_from_slice(path);
            paths.push(0);
        }
        let add = |index: &Self, option: Option<&str>| {
            let add = index.git(top).args(["add", "--all", "--ignore-errors"]).args(option);
            if left_out.is_empty() {
                return add;
            }
            let paths = [b":(top)\0", paths.as_slice()].concat();
            add.args(["--pathspec-from-file=-", "--pathspec-file-nul"]).input(paths)
        };
        let mut output = add(self, None).run()?;
        // One more attempt for each filter that the repository asks for and this machine lacks.
        for _ in 0..MAX_FILTERS {
            let Some(name) = broken_filter(&output.stderr).filter(|_| !output.status.success()) else {
                break;
            };
            warnings.push(format!(
                "the filter {name:?} does not run here; its files are kept as they lie on disk"
            ));
            self.broken.push(name);
            output = add(self, None).run()?;
        }
        if output.stderr.contains("sparse-checkout definition") {
            output = add(self, Some("--sparse")).run()?;
        }
        match output.status.code() {
            Some(0) => {}
            // With --ignore-errors the rest was added.
            Some(1) => warnings.push(format!("some files could not be read: {}", one_line(&output.stderr))),
            _ => return Err(GitError::from_output(top, "git add --all".into(), &output).into()),
        }
        Ok(warnings)
    }

    /// Untracked repositories, whose files git cannot take, and very large untracked files.
    fn left_out(&self, top: &Path) -> Result<(Vec<Vec<u8>>, Vec<String>), CheckpointError> {
        let others = ["ls-files", "--others", "--exclude-standard", "-z"];
        let output = self.git(top).args(others).done()?;
        let (mut paths, mut warnings) = (Vec::new(), Vec::new());
        if output.truncated {
            let command = "git ls-files --others".to_owned();
            return Err(GitError::TooMuch { command, limit: MAX_STDOUT }.into());
        }
        for path in output.stdout.split(|&byte| byte == 0).filter(|path| !path.is_empty()) {
            let name = String::from_utf8_lossy(path);
            if path.ends_with(b"/") {
                warnings
                    .push(format!("{name} is a repository of its own; its files are not in the checkpoint"));
            } else if large(&top.join(OsStr::from_bytes(path))) {
                warnings.push(format!("{name} is untracked and above 100 MiB; it is not in the checkpoint"));
            } else {
                continue;
            }
            paths.push(path.to_vec());
        }
        let more = warnings.len().saturating_sub(MAX_WARNINGS);
        if more > 0 {
            warnings.truncate(MAX_WARNINGS);
            warnings.push(format!("and {more} more paths are not in the checkpoint"));
        }
        Ok((paths, warnings))
    }
}

/// The filter that git says is required and failed.
fn broken_filter(said: &str) -> Option<String> {
    let (_, rest) = said.rsplit_once(": clean filter '")?;
    Some(rest.split_once("' failed")?.0.to_owned())
}

impl Drop for PrivateIndex {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// A new directory that only this user can enter.
fn private_dir() -> Result<PathBuf, CheckpointError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let base = std::env::temp_dir();
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = base.join(format!("inspan-index-{}-{number}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            // Left by an earlier process with the same id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(CheckpointError::PrivateIndex { path: dir, source }),
        }
    }
}

fn large(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() > MAX_UNTRACKED)
}

/// What a submodule holds beyond its own commit is in no checkpoint of the repository around it.
fn submodule_warnings(top: &Path) -> Result<Vec<String>, CheckpointError> {
    if !top.join(".gitmodules").exists() {
        return Ok(Vec::new());
    }
    let dirty = status(top, "no")?.files.into_iter().filter(|file| {
        file.submodule.as_deref().is_some_and(|inside| inside.contains('M') || inside.contains('U'))
    });
    let sentence =
        |path: PathBuf| format!("uncommitted changes inside the submodule {} are not in it", path.display());
    Ok(dirty.take(MAX_WARNINGS).map(|file| sentence(file.path)).collect())
}

fn count_changed(top: &Path, head: Option<&str>, tree: &str) -> Result<usize, CheckpointError> {
    let git = match head {
        Some(head) => {
            Git::read(top).args(["diff-tree", "-r", "-z", "--no-renames", "--name-only", head, tree])
        }
        None => Git::read(top).args(["ls-tree", "-r", "-z", "--name-only", tree]),
    };
    Ok(git.done()?.stdout.iter().filter(|&&byte| byte == 0).count())
}

/// An answer that may be absent, which git says with exit status 1.
pub(super) fn optional(top: &Path, args: &[&str]) -> Result<Option<String>, CheckpointError> {
    let output = Git::read(top).args(args).run()?;
    match output.status.code() {
        Some(0) => Ok(Some(output.line())),
        Some(1) => Ok(None),
        _ => Err(GitError::from_output(top, format!("git {}", args.join(" ")), &output).into()),
    }
}

/// Makes a commit object; who and when are said, so that git asks neither the user's settings nor the clock.
fn commit_tree(
    top: &Path,
    tree: &str,
    parents: &[String],
    message: String,
    time: u64,
) -> Result<String, CheckpointError> {
    let date = format!("@{time} +0000");
    let mut git = Git::write(top)
        .args(["-c", "i18n.commitEncoding=UTF-8", "commit-tree", "--no-gpg-sign"])
        .input(message.into_bytes());
    for who in ["AUTHOR", "COMMITTER"] {
        git = git
            .env(&format!("GIT_{who}_NAME"), "inspan")
            .env(&format!("GIT_{who}_EMAIL"), "checkpoint@inspan.invalid")
            .env(&format!("GIT_{who}_DATE"), &date);
    }
    for parent in parents {
        git = git.args(["-p", parent]);
    }
    Ok(git.args([tree]).done()?.line())
}

/// Creates the reference of a checkpoint without a reflog; false when the number is taken.
fn create_ref(top: &Path, id: u64, commit: &str) -> Result<bool, CheckpointError> {
    let name = format!("{CHECKPOINTS}{id}");
    let output =
        Git::write(top).args(["-c", "core.logAllRefUpdates=false", "update-ref", &name, commit, ""]).run()?;
    if output.status.success() {
        return Ok(true);
    }
    let taken = Git::read(top).args(["rev-parse", "--verify", "--quiet", &name]).run()?.status.success();
    if taken {
        Ok(false)
    } else {
        Err(GitError::from_output(top, format!("git update-ref {name}"), &output).into())
    }
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
