//! Owns what differs between checkpoints and the present, and bringing a checkpoint's files back.
//!
//! The present state is kept as a checkpoint of its own first. HEAD, index and stash stay as they are unless the branch is asked
//! to go back too; files that git ignores or that no checkpoint took are never touched, and a file that is written
//! meanwhile stops the whole instead of being overwritten.
use super::{
    checkpoint::{Checkpoint, CheckpointError, Listed, PrivateIndex, list, optional, take},
    git::{GitError, operation},
    run::{Git, MAX_STDOUT},
};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Bytes of a patch that are shown: more is not read, and the rest is said to be there.
const MAX_PATCH: usize = 1 << 20;

/// A file that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Relative to the top of the working tree.
    pub path: PathBuf,
    /// What happens to it from the first tree to the second: `A`dded, `D`eleted, `M`odified, `T`ype changed.
    pub what: char,
}

/// Which files to bring back, and how far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewind {
    /// The number of the checkpoint.
    pub id: u64,
    /// Only these files and directories, relative to the directory that is asked from; empty means all.
    pub paths: Vec<PathBuf>,
    /// The branch and the index go back as well.
    pub head: bool,
}

/// What was brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewound {
    /// The files, and what happened to each.
    pub changes: Vec<Change>,
    /// The present state as it was kept before.
    pub before: Checkpoint,
    /// The commit that the branch stands on now, when it was asked to go back and did.
    pub head: Option<String>,
}

/// Why nothing was brought back; the files are as they were.
#[derive(Debug, Error)]
pub enum RewindError {
    /// No such number.
    #[error("there is no checkpoint {id}; `inspan checkpoints` lists {known}")]
    Unknown {
        /// The number that was asked for.
        id: u64,
        /// Which there are, in words.
        known: String,
    },
    /// A file changed after the present state had been kept.
    #[error(
        "files were written meanwhile, so nothing was touched; pause what writes there and try again: {0}"
    )]
    Busy(String),
    /// A file that no checkpoint holds lies where one is to come back.
    #[error("{} is in no checkpoint (it is ignored, or very large) and lies in the way, so nothing was touched; move it away first", .0.display())]
    InTheWay(PathBuf),
    /// The branch cannot go back from here.
    #[error("the branch cannot go back: {0}; without --head only files come back")]
    Head(String),
    /// No checkpoint could be read, or the present state not be kept.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl From<GitError> for RewindError {
    fn from(error: GitError) -> Self {
        Self::Checkpoint(error.into())
    }
}

/// The checkpoint with this number.
///
/// # Errors
/// There is none, or the repository cannot be read.
pub fn find(dir: &Path, id: u64) -> Result<Listed, RewindError> {
    let all = list(dir)?;
    let known = match (all.first(), all.last()) {
        (Some(first), Some(last)) => format!("{} to {}", first.id, last.id),
        _ => "none: there is no checkpoint yet".into(),
    };
    all.into_iter().find(|c| c.id == id).ok_or(RewindError::Unknown { id, known })
}

/// The tree of everything in the working tree that git does not ignore, without keeping it as a checkpoint.
///
/// # Errors
/// As [`super::checkpoint`].
pub fn present(dir: &Path) -> Result<String, CheckpointError> {
    let top = top(dir)?;
    let mut index = PrivateIndex::copy(&top)?;
    index.add_everything(&top)?;
    Ok(index.git(&top).args(["write-tree"]).done()?.line())
}

/// The files that differ from one tree or commit to another, below `paths` (relative to `dir`) when some are named.
///
/// # Errors
/// What git refused, or more files than one answer takes.
pub fn changes(dir: &Path, from: &str, to: &str, paths: &[PathBuf]) -> Result<Vec<Change>, CheckpointError> {
    let output = Git::read(dir)
        .args(["diff-tree", "-r", "-z", "--no-renames", "--name-status", from, to, "--"])
        .args(paths.iter().map(|path| literal(path)))
        .done()?;
    if output.truncated {
        let command = "git diff-tree".to_owned();
        return Err(GitError::TooMuch { command, limit: MAX_STDOUT }.into());
    }
    let mut fields = output.stdout.split(|&byte| byte == 0);
    let mut all = Vec::new();
    while let (Some(what), Some(path)) = (fields.next(), fields.next()) {
        let what = what.first().map_or('M', |byte| char::from(*byte));
        all.push(Change { path: OsStr::from_bytes(path).into(), what });
    }
    Ok(all)
}

/// The patch from one tree or commit to another, below `paths` when some are named. At most a megabyte; a longer one
/// ends with a line that says so.
///
/// # Errors
/// What git refused.
pub fn patch(dir: &Path, from: &str, to: &str, paths: &[PathBuf]) -> Result<String, CheckpointError> {
    let output = Git::read(dir)
        .keep(MAX_PATCH)
        .args(["diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", from, to, "--"])
        .args(paths.iter().map(|path| literal(path)))
        .done()?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.truncated {
        text.push_str("\n[the patch is longer than is shown here]\n");
    }
    Ok(text)
}

/// What a rewind would do: the files and the patch from the present to the checkpoint. Nothing is touched.
///
/// # Errors
/// As [`rewind`].
pub fn preview(dir: &Path, rewind: &Rewind) -> Result<(Vec<Change>, String), RewindError> {
    let target = find(dir, rewind.id)?;
    if rewind.head {
        way_back(&top(dir)?, &target)?;
    }
    let now = present(dir)?;
    Ok((changes(dir, &now, &target.tree, &rewind.paths)?, patch(dir, &now, &target.tree, &rewind.paths)?))
}

/// Brings files back to a checkpoint, after keeping the present state as one.
///
/// # Errors
/// An unknown number, a present state that cannot be kept, files that are written meanwhile, or a branch that cannot
/// go back. In every case no file was touched.
pub fn rewind(dir: &Path, rewind: &Rewind, pane_label: &str, now_unix: u64) -> Result<Rewound, RewindError> {
    let target = find(dir, rewind.id)?;
    let top = top(dir)?;
    let back = if rewind.head { Some(way_back(&top, &target)?) } else { None };
    let reason = format!("before the rewind to {}", rewind.id);
    let (before, index) = take(dir, &reason, pane_label, now_unix)?;
    let changes = changes(dir, &before.tree, &target.tree, &rewind.paths)?;
    let goal = if rewind.paths.is_empty() {
        target.tree.clone()
    } else {
        mixed(&top, &before.tree, &target.tree, &changes)?
    };
    update(&top, &index, &before.tree, &goal, &changes)?;
    let head = match back {
        Some(commit) => {
            let why = format!("inspan: rewind to checkpoint {}", rewind.id);
            Git::write(&top).args(["update-ref", "-m", &why, "HEAD", &commit]).done()?;
            let staged = target.parents.get(1).unwrap_or(&commit);
            Git::write(&top).args(["read-tree", staged]).done()?;
            // Without it every file would look changed until git is asked next.
            Git::write(&top).args(["update-index", "-q", "--refresh"]).run()?;
            Some(commit)
        }
        None => None,
    };
    Ok(Rewound { changes, before, head })
}

/// Brings the files of a working tree from one tree, which `index` holds, to another.
///
/// # Errors
/// Files that are not as they were kept, or that were never kept and lie in the way; nothing was touched then.
pub(super) fn update(
    top: &Path,
    index: &PrivateIndex,
    from: &str,
    to: &str,
    changes: &[Change],
) -> Result<(), RewindError> {
    if let Some(path) = in_the_way(top, changes) {
        return Err(RewindError::InTheWay(path));
    }
    // The private index knows every file of the present, so git sees at once when one is not as it was kept.
    let output =
        index.git(top).args(["-c", "submodule.recurse=false", "read-tree", "-m", "-u", from, to]).run()?;
    if output.status.success() {
        return Ok(());
    }
    let meanwhile = output.stderr.contains("not uptodate") || output.stderr.contains("would be overwritten");
    Err(if meanwhile {
        RewindError::Busy(output.stderr.lines().next().unwrap_or_default().to_owned())
    } else {
        GitError::from_output(top, "git read-tree".into(), &output).into()
    })
}

/// The first file on disk that would be overwritten without being kept anywhere: git takes ignored files for worthless.
fn in_the_way(top: &Path, changes: &[Change]) -> Option<PathBuf> {
    let goes: BTreeSet<&Path> =
        changes.iter().filter(|change| change.what == 'D').map(|change| change.path.as_path()).collect();
    let comes = changes.iter().filter(|change| change.what == 'A');
    comes.flat_map(|change| change.path.ancestors()).find_map(|path| {
        let found = !path.as_os_str().is_empty()
            && !goes.contains(path)
            && std::fs::symlink_metadata(top.join(path)).is_ok_and(|meta| !meta.is_dir());
        found.then(|| path.to_owned())
    })
}

/// Where HEAD would go, when it may.
fn way_back(top: &Path, target: &Listed) -> Result<String, RewindError> {
    let Some(commit) = target.parents.first().cloned() else {
        return Err(RewindError::Head("there was no commit yet at that checkpoint".into()));
    };
    if let Some(operation) = operation(top)? {
        return Err(RewindError::Head(format!("a {} is in progress", operation.as_str())));
    }
    let branch = optional(top, &["symbolic-ref", "--quiet", "--short", "HEAD"])?;
    if branch != target.branch {
        let name = |branch: &Option<String>| branch.clone().unwrap_or_else(|| "a detached HEAD".into());
        return Err(RewindError::Head(format!(
            "the checkpoint was made on {} and this is {}",
            name(&target.branch),
            name(&branch)
        )));
    }
    Ok(commit)
}

/// The tree of the present with some files taken from another one.
fn mixed(top: &Path, now: &str, target: &str, changes: &[Change]) -> Result<String, RewindError> {
    let index = PrivateIndex::copy(top)?;
    index.git(top).args(["read-tree", now]).done()?;
    let paths: Vec<PathBuf> = changes.iter().map(|change| change.path.clone()).collect();
    let mut input = Vec::new();
    for change in changes.iter().filter(|change| change.what == 'D') {
        input.extend_from_slice(b"0 0000000000000000000000000000000000000000\t");
        input.extend_from_slice(change.path.as_os_str().as_bytes());
        input.push(0);
    }
    if !paths.is_empty() {
        // `ls-tree` knows no magic: its paths are names as they are.
        let listed =
            Git::read(top).args(["ls-tree", "-r", "-z", "--full-tree", target, "--"]).args(&paths).done()?;
        input.extend_from_slice(&listed.stdout);
    }
    index.git(top).args(["update-index", "-z", "--index-info"]).input(input).done()?;
    Ok(index.git(top).args(["write-tree"]).done()?.line())
}

/// A path that is no pattern.
fn literal(path: &Path) -> std::ffi::OsString {
    let mut spec = std::ffi::OsString::from(":(literal)");
    spec.push(path);
    spec
}

/// The top of the working tree that a directory is in.
///
/// # Errors
/// No repository, or no working tree.
pub fn top(dir: &Path) -> Result<PathBuf, CheckpointError> {
    Ok(Git::read(dir).args(["rev-parse", "--show-toplevel"]).done()?.path())
}

#[cfg(test)]
#[path = "rewind_tests.rs"]
mod tests;
