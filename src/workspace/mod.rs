//! Owns what a workspace is: git facts, checkpoints, comparisons before and after a switch.
//!
//! Uses the user's own `git`, and blocks: the server calls it from a blocking thread. Must not know: panes,
//! harnesses, clients.
use std::path::{Path, PathBuf};

mod checkpoint;
mod fingerprint;
mod git;
mod overview;
mod prune;
mod rewind;
mod run;
mod scratch;
#[cfg(test)]
mod testing;
mod worktree;

pub use checkpoint::{Checkpoint, CheckpointError, Listed, checkpoint, list};
pub use fingerprint::{Dirty, Fingerprint, compare, fingerprint};
pub use git::{DirtyFile, DirtyFiles, GitError, Operation, dirty_files, names, operation, summary};
pub use overview::{ChangedFile, Overview, Stage, Touch, commit, overview, stage};
pub use prune::{Keep, prune};
pub use rewind::{Change, Rewind, RewindError, Rewound, changes, find, patch, present, preview, rewind, top};
pub use scratch::{ScratchError, create_scratch};
pub use worktree::{Merge, WorktreeError, add_worktree, merge_back, merge_preview, remove_worktree};

/// `path` seen from `base`, links resolved where it exists.
pub fn absolute(base: &Path, path: &Path) -> PathBuf {
    let joined = base.join(path);
    std::fs::canonicalize(&joined).unwrap_or(joined)
}
