//! Owns what changed in a working tree since HEAD, file by file: the patch, what is staged, and which turns touched it; and
//! the few things that a person does with a file of it.
use super::{
    checkpoint::{CheckpointError, Listed, list, optional},
    git::{GitError, dirty_files},
    rewind::{changes, patch, present},
    run::Git,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Checkpoints that are looked through for who touched a file. Each costs one comparison of two trees.
const TURNS: usize = 60;
/// Files that are listed.
const FILES: usize = 2_000;

/// What changed since HEAD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// The top of the working tree, which paths are relative to.
    pub top: PathBuf,
    /// The files, in git's order.
    pub files: Vec<ChangedFile>,
    /// How many there are in all.
    pub total: usize,
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// Relative to the top of the working tree.
    pub path: PathBuf,
    /// `A`dded, `D`eleted, `M`odified, `T`ype changed since HEAD.
    pub what: char,
    /// The index holds a change of it.
    pub staged: bool,
    /// The checkpoints that ended turns which touched it, oldest first.
    pub by: Vec<Touch>,
    /// From HEAD to now.
    pub patch: String,
}

/// A checkpoint in which a file is not as in the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The pane, `%1`; empty when made by hand.
    pub pane: String,
    /// Why it was made: `turn 3 of claude`.
    pub reason: String,
    /// The checkpoint before, in which the file is as it was; `None` when it was the first.
    pub before: Option<u64>,
}

/// Everything that differs between HEAD and the working tree.
///
/// # Errors
/// No repository, or what git refused.
pub fn overview(dir: &Path) -> Result<Overview, CheckpointError> {
    let top = Git::read(dir).args(["rev-parse", "--show-toplevel"]).done()?.path();
    let head = match optional(&top, &["rev-parse", "--verify", "--quiet", "HEAD^{tree}"])? {
        Some(head) => head,
        None => Git::write(&top).args(["mktree"]).done()?.line(),
    };
    let now = present(&top)?;
    let changed = changes(&top, &head, &now, &[])?;
    let staged = dirty_files(&top, FILES)?;
    let is_staged = |path: &Path| {
        staged
            .files
            .iter()
            .any(|file| file.path == path && !matches!(file.code.as_bytes().first(), Some(b'.' | b'?')))
    };
    let mut touched = touches(&top)?;
    let mut patches = by_file(&patch(&top, &head, &now, &[])?);
    let total = changed.len();
    let files = changed
        .into_iter()
        .take(FILES)
        .enumerate()
        .map(|(at, change)| ChangedFile {
            staged: is_staged(&change.path),
            by: touched.remove(&change.path).unwrap_or_default(),
            // Both are in the order of paths; the end of a very long patch is missing.
            patch: patches.get_mut(at).map(std::mem::take).unwrap_or_default(),
            path: change.path,
            what: change.what,
        })
        .collect();
    Ok(Overview { top, files, total })
}

/// Which checkpoints changed which files.
fn touches(top: &Path) -> Result<BTreeMap<PathBuf, Vec<Touch>>, CheckpointError> {
    let all = list(top)?;
    let newest = &all[all.len().saturating_sub(TURNS + 1)..];
    let mut touched: BTreeMap<PathBuf, Vec<Touch>> = BTreeMap::new();
    let mut note = |from: &str, before: Option<u64>, after: &Listed| -> Result<(), CheckpointError> {
        if from == after.tree {
            return Ok(());
        }
        for change in changes(top, from, &after.tree, &[])? {
            let touch = Touch { pane: after.pane.clone(), reason: after.reason.clone(), before };
            touched.entry(change.path).or_default().push(touch);
        }
        Ok(())
    };
    // Before the very first there was only HEAD.
    if let Some(first) = all.first()
        && let Some(head) = first.parents.first()
        && newest.len() == all.len()
    {
        note(head, None, first)?;
    }
    for pair in newest.windows(2) {
        let [before, after] = pair else { continue };
        note(&before.tree, Some(before.id), after)?;
    }
    Ok(touched)
}

/// A patch cut at the headers of its files.
fn by_file(patch: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in patch.split_inclusive('\n') {
        if line.starts_with("diff --git ") || all.is_empty() {
            all.push(String::new());
        }
        if let Some(last) = all.last_mut() {
            last.push_str(line);
        }
    }
    all
}

/// What a person does with changed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Into the index.
    In,
    /// Out of it.
    Out,
}

/// Puts files into the index or takes them out; paths are relative to `dir`.
///
/// # Errors
/// What git refused.
pub fn stage(dir: &Path, how: Stage, paths: &[PathBuf]) -> Result<(), GitError> {
    let git = Git::write(dir);
    let unborn = || {
        Git::read(dir).args(["rev-parse", "--verify", "--quiet", "HEAD"]).run().map(|o| !o.status.success())
    };
    let git = match how {
        Stage::In => git.args(["add", "--all", "--"]),
        Stage::Out if unborn()? => git.args(["rm", "-r", "-q", "--cached", "--"]),
        Stage::Out => git.args(["reset", "-q", "--"]),
    };
    git.args(paths).done().map(drop)
}

/// Commits what is staged, as the person would: hooks run and signatures are made. Returns the short id.
///
/// # Errors
/// What git or a hook said.
pub fn commit(dir: &Path, message: &str) -> Result<String, GitError> {
    Git::own(dir).args(["commit", "--quiet", "-m", message]).done()?;
    Ok(Git::read(dir).args(["rev-parse", "--short", "HEAD"]).done()?.line())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{checkpoint, testing::Repository};

    #[test]
    fn files_are_told_with_their_turns_and_patches() {
        let repository = Repository::with_commit();
        checkpoint(repository.path(), "before", "", 1).unwrap();
        repository.write("a", "two\n");
        repository.write("b", "new\n");
        checkpoint(repository.path(), "turn 1 of claude", "%1", 2).unwrap();
        repository.write("a", "three\n");
        checkpoint(repository.path(), "turn 1 of codex", "%2", 3).unwrap();
        stage(repository.path(), Stage::In, &["b".into()]).unwrap();
        let overview = overview(repository.path()).unwrap();
        let told: Vec<_> = overview
            .files
            .iter()
            .map(|f| {
                (
                    f.path.to_str().unwrap(),
                    f.what,
                    f.staged,
                    f.by.iter().map(|t| (t.pane.as_str(), t.before)).collect(),
                )
            })
            .collect::<Vec<(_, _, _, Vec<_>)>>();
        assert_eq!(
            told,
            [
                ("a", 'M', false, vec![("%1", Some(1)), ("%2", Some(2))]),
                ("b", 'A', true, vec![("%1", Some(1))])
            ]
        );
        assert!(overview.files[0].patch.contains("-one\n+three\n"), "{:?}", overview.files[0]);
        assert!(overview.files[1].patch.contains("+new\n") && !overview.files[1].patch.contains("three"));
    }

    #[test]
    fn the_first_turn_is_compared_with_head() {
        let repository = Repository::with_commit();
        repository.write("b", "new\n");
        checkpoint(repository.path(), "turn 1 of claude", "%1", 2).unwrap();
        let files = overview(repository.path()).unwrap().files;
        let touch = Touch { pane: "%1".into(), reason: "turn 1 of claude".into(), before: None };
        assert_eq!(files[0].by, [touch]);
    }

    #[test]
    fn staging_and_committing_are_the_persons_own() {
        let repository = Repository::with_commit();
        repository.write("a", "two\n");
        stage(repository.path(), Stage::In, &["a".into()]).unwrap();
        stage(repository.path(), Stage::Out, &["a".into()]).unwrap();
        assert_eq!(repository.git(&["diff", "--cached", "--name-only"]), "");
        stage(repository.path(), Stage::In, &["a".into()]).unwrap();
        let hook = repository.path().join(".git/hooks/pre-commit");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, "#!/bin/sh\necho not on a friday >&2\nexit 1\n").unwrap();
        std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let said = commit(repository.path(), "second").unwrap_err().to_string();
        assert!(said.contains("not on a friday"), "{said}");
        std::fs::remove_file(hook).unwrap();
        commit(repository.path(), "second").unwrap();
        assert_eq!(repository.git(&["log", "-1", "--format=%s"]), "second");
    }

    #[test]
    fn before_the_first_commit_everything_is_new() {
        let repository = Repository::new();
        repository.write("a", "one\n");
        stage(repository.path(), Stage::In, &["a".into()]).unwrap();
        let files = overview(repository.path()).unwrap().files;
        assert_eq!((files.len(), files[0].what, files[0].staged), (1, 'A', true));
        stage(repository.path(), Stage::Out, &["a".into()]).unwrap();
        assert!(!overview(repository.path()).unwrap().files[0].staged);
    }
}
