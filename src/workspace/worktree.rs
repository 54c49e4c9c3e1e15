//! Owns working trees of their own for panes: made beside the checkout, and merged back into it as uncommitted changes.
//!
//! Merging back never touches HEAD, branches or the index of the checkout, keeps its present state as a checkpoint first, and
//! does nothing at all when both sides changed the same lines.
use super::{
    checkpoint::{Checkpoint, CheckpointError, take},
    git::GitError,
    rewind::{Change, RewindError, changes, patch, top, update},
    run::Git,
};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Beside the git directory of a working tree of ours: the checkout that it was made for.
const ORIGIN: &str = "inspan-origin";

/// Why a working tree was not made or not merged back; both sides are as they were.
#[derive(Debug, Error)]
pub enum WorktreeError {
    /// It was made by somebody else, or is the checkout itself.
    #[error("{} is no working tree that inspan made: split a pane with --worktree", .0.display())]
    NotOurs(PathBuf),
    /// There is no commit to begin from.
    #[error("a working tree begins from a commit, and there is none yet")]
    NoCommit,
    /// Both sides changed the same lines.
    #[error("both sides changed the same lines of {}; merge the branch {branch} by hand", files.join(", "))]
    Conflicts {
        /// The files.
        files: Vec<String>,
        /// The branch of the working tree.
        branch: String,
    },
    /// As for a rewind.
    #[error(transparent)]
    Rewind(#[from] RewindError),
}

impl From<CheckpointError> for WorktreeError {
    fn from(error: CheckpointError) -> Self {
        Self::Rewind(error.into())
    }
}

impl From<GitError> for WorktreeError {
    fn from(error: GitError) -> Self {
        Self::Rewind(error.into())
    }
}

/// What merging a working tree back brings, or brought.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The checkout that it goes to.
    pub origin: PathBuf,
    /// The branch of the working tree.
    pub branch: String,
    /// Files of the checkout, and what happens to each.
    pub changes: Vec<Change>,
    /// The same as a patch.
    pub patch: String,
    /// The present state of the checkout, kept before.
    pub before: Checkpoint,
    goal: String,
}

/// Makes a working tree of the repository that `dir` is in, at `place`, on a new branch `inspan/<name>` from HEAD.
/// Uncommitted changes stay where they are.
///
/// # Errors
/// No repository, no commit yet, or what git refused.
pub fn add_worktree(dir: &Path, place: &Path, name: &str) -> Result<PathBuf, WorktreeError> {
    let origin = top(dir)?;
    let born = Git::read(&origin).args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).run()?;
    if !born.status.success() {
        return Err(WorktreeError::NoCommit);
    }
    let branch = format!("inspan/{name}");
    Git::write(&origin)
        .args(["worktree", "add", "--quiet", "-b", &branch])
        .args([place])
        .args(["HEAD"])
        .done()?;
    let git_dir = Git::read(place).args(["rev-parse", "--absolute-git-dir"]).done()?.path();
    std::fs::write(git_dir.join(ORIGIN), origin.as_os_str().as_encoded_bytes()).map_err(GitError::Spawn)?;
    Ok(place.to_owned())
}

/// What merging back would bring. Keeps the present state of both sides as checkpoints; touches no file.
///
/// # Errors
/// Not a working tree of ours, lines that both sides changed, or what git refused.
pub fn merge_preview(dir: &Path, pane: &str, now_unix: u64) -> Result<Merge, WorktreeError> {
    let git_dir = Git::read(dir).args(["rev-parse", "--absolute-git-dir"]).done()?.path();
    let origin =
        std::fs::read_to_string(git_dir.join(ORIGIN)).map_err(|_| WorktreeError::NotOurs(dir.to_owned()))?;
    let origin = PathBuf::from(origin);
    let branch = Git::read(dir).args(["rev-parse", "--abbrev-ref", "HEAD"]).done()?.line();
    let (theirs, _) = take(dir, "before it was merged back", pane, now_unix)?;
    let (ours, _) = take(&origin, &format!("before {branch} was merged back"), pane, now_unix)?;
    let merged = Git::write(&origin)
        .args([
            "merge-tree",
            "--write-tree",
            "--name-only",
            "-z",
            "--no-messages",
            &ours.commit,
            &theirs.commit,
        ])
        .run()?;
    let text = String::from_utf8_lossy(&merged.stdout).into_owned();
    let mut fields = text.split('\0').filter(|field| !field.is_empty());
    let goal = fields.next().unwrap_or_default().trim().to_owned();
    match merged.status.code() {
        Some(0) => {}
        Some(1) => {
            let files = fields.map(str::to_owned).collect();
            return Err(WorktreeError::Conflicts { files, branch });
        }
        _ => return Err(GitError::from_output(&origin, "git merge-tree".into(), &merged).into()),
    }
    let changed = changes(&origin, &ours.tree, &goal, &[])?;
    let patch = patch(&origin, &ours.tree, &goal, &[])?;
    Ok(Merge { origin, branch, changes: changed, patch, before: ours, goal })
}

/// Brings the files of the checkout to what [`merge_preview`] showed.
///
/// # Errors
/// As [`merge_preview`]; also when the checkout was written meanwhile.
pub fn merge_back(dir: &Path, pane: &str, now_unix: u64) -> Result<Merge, WorktreeError> {
    let merge = merge_preview(dir, pane, now_unix)?;
    let (now, index) = take(&merge.origin, "before it was merged back", pane, now_unix)?;
    if now.tree != merge.before.tree {
        return Err(RewindError::Busy("the checkout changed".into()).into());
    }
    update(&merge.origin, &index, &now.tree, &merge.goal, &merge.changes)?;
    Ok(merge)
}

/// Takes a working tree of ours away, its branch with it when nothing was committed there; its files are in a checkpoint.
///
/// # Errors
/// Not one of ours, or what git refused.
pub fn remove_worktree(dir: &Path) -> Result<(), WorktreeError> {
    let place = top(dir)?;
    let git_dir = Git::read(dir).args(["rev-parse", "--absolute-git-dir"]).done()?.path();
    let origin =
        std::fs::read_to_string(git_dir.join(ORIGIN)).map_err(|_| WorktreeError::NotOurs(dir.to_owned()))?;
    let branch = Git::read(dir).args(["rev-parse", "--abbrev-ref", "HEAD"]).done()?.line();
    let origin = PathBuf::from(origin);
    Git::write(&origin).args(["worktree", "remove", "--force"]).args([&place]).done()?;
    // Without --force git keeps a branch that holds commits of its own.
    let _ = Git::write(&origin).args(["branch", "--quiet", "-d", &branch]).run()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::testing::Repository;

    fn scene() -> (Repository, tempfile::TempDir, PathBuf) {
        let repository = Repository::with_commit();
        repository.write("b", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
        repository.commit("second");
        let parent = tempfile::tempdir().unwrap();
        let place = add_worktree(repository.path(), &parent.path().join("w"), "w1").unwrap();
        (repository, parent, place)
    }

    fn read(dir: &Path, name: &str) -> String {
        std::fs::read_to_string(dir.join(name)).unwrap_or_default()
    }

    #[test]
    fn what_both_sides_did_is_in_the_checkout_and_git_state_stays() {
        let (repository, _parent, place) = scene();
        let theirs = Repository::at(&place);
        theirs.write("b", "1\n2\n3\n4\n5\n6\n7\n8\nnine\n");
        theirs.commit("committed there");
        theirs.write("new", "uncommitted there\n");
        repository.write("b", "one\n2\n3\n4\n5\n6\n7\n8\n9\n");
        let state = || [repository.git(&["rev-parse", "HEAD"]), repository.git(&["ls-files", "-s"])];
        let before = state();
        let preview = merge_preview(&place, "%2", 5).unwrap();
        assert!(
            preview.patch.contains("+nine") && read(repository.path(), "new").is_empty(),
            "{}",
            preview.patch
        );
        let merged = merge_back(&place, "%2", 6).unwrap();
        assert_eq!(merged.branch, "inspan/w1");
        assert_eq!(read(repository.path(), "b"), "one\n2\n3\n4\n5\n6\n7\n8\nnine\n");
        assert_eq!(read(repository.path(), "new"), "uncommitted there\n");
        assert_eq!(state(), before);
        assert!(
            merge_preview(&place, "%2", 7).unwrap().changes.is_empty(),
            "the second time there is nothing to do"
        );
        remove_worktree(&place).unwrap();
        assert!(!place.exists());
        assert!(
            repository.git(&["branch", "--list", "inspan/w1"]).contains("inspan/w1"),
            "it holds a commit"
        );
    }

    #[test]
    fn the_same_lines_stop_it() {
        let (repository, _parent, place) = scene();
        Repository::at(&place).write("a", "theirs\n");
        repository.write("a", "ours\n");
        let stopped = merge_back(&place, "%2", 5).unwrap_err().to_string();
        assert!(stopped.contains("same lines of a") && stopped.contains("inspan/w1"), "{stopped}");
        assert_eq!(read(repository.path(), "a"), "ours\n");
    }

    #[test]
    fn only_ours_are_merged_back() {
        let repository = Repository::with_commit();
        assert!(matches!(merge_preview(repository.path(), "", 1), Err(WorktreeError::NotOurs(_))));
        let empty = Repository::new();
        let parent = tempfile::tempdir().unwrap();
        let made = add_worktree(empty.path(), &parent.path().join("w"), "w");
        assert!(matches!(made, Err(WorktreeError::NoCommit)), "{made:?}");
    }
}
