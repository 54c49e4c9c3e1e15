//! Owns taking old checkpoints away again: by age and by number, never the newest.
use super::{
    checkpoint::{CheckpointError, list},
    git::CHECKPOINTS,
    run::Git,
};
use std::path::Path;

/// Which checkpoints stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// At most so many, the newest first.
    pub count: usize,
    /// None that is older than so many days.
    pub days: u64,
}

impl Default for Keep {
    /// A month of work, and more turns than anybody walks back through; each costs only what changed.
    fn default() -> Self {
        Self { count: 500, days: 30 }
    }
}

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// Takes away what is beyond these bounds and returns how many went. The newest checkpoint stays in any case, and with
/// it the count goes on. Files and objects are left to git's own collection.
///
/// # Errors
/// No repository, or what git refused.
pub fn prune(dir: &Path, keep: Keep, now_unix: u64) -> Result<usize, CheckpointError> {
    let mut all = list(dir)?;
    // A linked worktree or another server may have just made it.
    all.pop();
    let beyond = (all.len() + 1).saturating_sub(keep.count.max(1));
    let oldest = now_unix.saturating_sub(keep.days.saturating_mul(DAY));
    let gone = all.iter().enumerate().filter(|(at, checkpoint)| *at < beyond || checkpoint.time < oldest);
    let commands: Vec<String> =
        gone.map(|(_, c)| format!("delete {CHECKPOINTS}{} {}\n", c.id, c.commit)).collect();
    if commands.is_empty() {
        return Ok(0);
    }
    let input = commands.concat().into_bytes();
    Git::write(dir)
        .args(["-c", "core.logAllRefUpdates=false", "update-ref", "--stdin"])
        .input(input)
        .done()?;
    Ok(commands.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{checkpoint, testing::Repository};

    fn ids(repository: &Repository) -> Vec<u64> {
        list(repository.path()).unwrap().iter().map(|c| c.id).collect()
    }

    #[test]
    fn the_oldest_go_first_and_numbers_are_not_used_again() {
        let repository = Repository::with_commit();
        for n in 0..5u64 {
            repository.write("a", &format!("{n}\n"));
            checkpoint(repository.path(), "r", "%1", 1_000 + n).unwrap();
        }
        let keep = Keep { count: 3, days: 1_000 };
        assert_eq!(prune(repository.path(), keep, 2_000).unwrap(), 2);
        assert_eq!(ids(&repository), [3, 4, 5]);
        assert_eq!(prune(repository.path(), keep, 2_000).unwrap(), 0);
        let old = Keep { count: 100, days: 1 };
        assert_eq!(prune(repository.path(), old, 1_000 + 10 * DAY).unwrap(), 2);
        assert_eq!(ids(&repository), [5], "the newest stays however old it is");
        repository.write("a", "again\n");
        assert_eq!(checkpoint(repository.path(), "r", "%1", 3_000).unwrap().id, 6);
    }
}
