//! Owns comparing a workspace with itself: HEAD, index, dirty files and stash before and after a switch.
use super::{
    git::{DirtyFile, GitError, Operation, operation, status},
    run::Git,
};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

/// Dirty files that are looked into; beyond it only git's own status lines are compared.
const MAX_FILES: usize = 20_000;
/// Bytes of dirty files that are read in all; beyond it a file counts as changed when its size or time did.
const MAX_READ: u64 = 512 << 20;
/// Files that a comparison names before it only counts.
const MAX_NAMED: usize = 5;
/// Digits of a commit id in a comparison.
const SHORT: usize = 7;

/// The state of a workspace at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The commit; `None` before the first one.
    pub head: Option<String>,
    /// The branch; `None` when detached.
    pub branch: Option<String>,
    /// What git is in the middle of.
    pub operation: Option<Operation>,
    /// SHA-256 over every entry of the index: mode, object, stage, path and flags.
    pub index: [u8; 32],
    /// Every path that differs from HEAD or is untracked (ignored ones are not looked at).
    pub dirty: BTreeMap<PathBuf, Dirty>,
    /// SHA-256 over git's whole status, when that was too much to look into every file.
    pub status: Option<[u8; 32]>,
    /// The commits of the stash, newest first.
    pub stash: Vec<String>,
}

/// A dirty file: how git sees it and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirty {
    /// The two letters of porcelain v2; `??` untracked.
    pub code: String,
    /// What changed inside a submodule.
    pub submodule: Option<String>,
    /// Kind, permissions and SHA-256 of the contents, or size and time beyond the bound; empty when the file is gone.
    pub contents: String,
}

/// Takes the state of the repository that `dir` is in. Reads only; takes no lock.
///
/// # Errors
/// No repository, no working tree, foreign ownership, a time-out, or what git refused.
pub fn fingerprint(dir: &Path) -> Result<Fingerprint, GitError> {
    let top = Git::read(dir).args(["rev-parse", "--show-toplevel"]).done()?.path();
    let status = status(&top, "all")?;
    let index = Git::read(&top).keep(0).args(["ls-files", "--stage", "-v", "-z"]).done()?.digest;
    let stash = Git::read(&top).args(["stash", "list", "--format=%H"]).done()?;
    let whole = status.truncated || status.files.len() > MAX_FILES;
    let mut budget = MAX_READ;
    let dirty = status.files.into_iter().take(MAX_FILES).map(|file| look(&top, file, &mut budget)).collect();
    Ok(Fingerprint {
        head: status.head,
        branch: status.branch,
        operation: operation(&top)?,
        index,
        dirty,
        status: whole.then_some(status.digest),
        stash: stash.line().lines().map(str::to_owned).collect(),
    })
}

fn look(top: &Path, file: DirtyFile, budget: &mut u64) -> (PathBuf, Dirty) {
    let contents = contents(&top.join(&file.path), budget);
    (file.path, Dirty { code: file.code, submodule: file.submodule, contents })
}

/// One word that changes whenever the file does.
fn contents(path: &Path, budget: &mut u64) -> String {
    let Ok(meta) = fs::symlink_metadata(path) else { return String::new() };
    if meta.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        return format!("link {}", hex(&Sha256::digest(target.as_os_str().as_bytes())));
    }
    if !meta.is_file() {
        return "directory".to_owned();
    }
    let mode = meta.permissions().mode() & 0o7777;
    match hash(path, budget) {
        Some(digest) => format!("{mode:o} {}", hex(&digest)),
        None => format!("{mode:o} {} bytes at {}.{:09}", meta.len(), meta.mtime(), meta.mtime_nsec()),
    }
}

/// Hashes a file unless it is larger than what is left to read, or cannot be read.
fn hash(path: &Path, budget: &mut u64) -> Option<[u8; 32]> {
    let mut file = fs::File::open(path).ok()?;
    let mut digest = Sha256::new();
    let mut slice = vec![0; 64 << 10];
    if file.metadata().ok()?.len() > *budget {
        return None;
    }
    loop {
        let n = file.read(&mut slice).ok()?;
        if n == 0 {
            return Some(digest.finalize().into());
        }
        // A file that grows while it is read must not be read for ever.
        *budget = budget.checked_sub(n as u64)?;
        digest.update(&slice[..n]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What changed from one state to another, a sentence each; empty when nothing did.
pub fn compare(before: &Fingerprint, after: &Fingerprint) -> Vec<String> {
    let mut words = Vec::new();
    if before.branch != after.branch {
        words.push(format!("branch changed from {} to {}", branch(before), branch(after)));
    }
    if before.head != after.head {
        words.push(format!("HEAD moved from {} to {}", short(before), short(after)));
    }
    match (before.operation, after.operation) {
        (None, Some(now)) => words.push(format!("a {} was started", now.as_str())),
        (Some(then), None) => words.push(format!("the {} ended", then.as_str())),
        (Some(then), Some(now)) if then != now => {
            words.push(format!("the {} became a {}", then.as_str(), now.as_str()));
        }
        _ => {}
    }
    if before.index != after.index {
        words.push("the index (what is staged) changed".to_owned());
    }
    let files = compare_files(before, after);
    let more = files.len().saturating_sub(MAX_NAMED);
    words.extend(files.iter().take(MAX_NAMED).cloned());
    if more > 0 {
        words.push(format!("and {more} more {}", if more == 1 { "file" } else { "files" }));
    }
    compare_stash(before, after, &mut words);
    // Something beyond what was looked into.
    if words.is_empty() && before.status != after.status {
        words.push("git status changed".to_owned());
    }
    words
}

fn compare_files(before: &Fingerprint, after: &Fingerprint) -> Vec<String> {
    let mut words = Vec::new();
    let paths: std::collections::BTreeSet<&PathBuf> = before.dirty.keys().chain(after.dirty.keys()).collect();
    for path in paths {
        let name = path.display();
        match (before.dirty.get(path), after.dirty.get(path)) {
            (None, Some(now)) => words.push(format!("{name} is now {}", state(now))),
            (Some(then), None) => words.push(format!("{name} is no longer {}", state(then))),
            (Some(then), Some(now)) if then.contents != now.contents => {
                words.push(format!("{name} has other contents"));
            }
            (Some(then), Some(now)) if then != now => {
                words.push(format!("{name} was {}, is now {}", state(then), state(now)));
            }
            _ => {}
        }
    }
    words
}

fn compare_stash(before: &Fingerprint, after: &Fingerprint, words: &mut Vec<String>) {
    let added = after.stash.iter().filter(|id| !before.stash.contains(id)).count();
    let gone = before.stash.iter().filter(|id| !after.stash.contains(id)).count();
    if added > 0 {
        words.push(format!("the stash gained {added}"));
    }
    if gone > 0 {
        words.push(format!("the stash lost {gone}"));
    }
    if added == 0 && gone == 0 && before.stash != after.stash {
        words.push("the stash was reordered".to_owned());
    }
}

fn branch(state: &Fingerprint) -> &str {
    state.branch.as_deref().unwrap_or("detached")
}

fn short(state: &Fingerprint) -> &str {
    match &state.head {
        Some(id) => id.get(..SHORT).unwrap_or(id),
        None => "no commit",
    }
}

fn state(dirty: &Dirty) -> String {
    let word = match dirty.code.as_str() {
        "??" => "untracked",
        code if code.contains('U') || code == "AA" || code == "DD" => "in conflict",
        code => {
            let (staged, unstaged) = code.split_at(1.min(code.len()));
            match (staged, unstaged) {
                (_, "D") | ("D", ".") => "deleted",
                ("A", _) => "added",
                ("R", _) => "renamed",
                (_, ".") => "staged",
                _ => "modified",
            }
        }
    };
    match &dirty.submodule {
        Some(inside) => format!("{word} (submodule {inside})"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::testing::Repository;

    fn take(repository: &Repository) -> Fingerprint {
        fingerprint(repository.path()).unwrap()
    }

    fn changes(repository: &Repository, change: impl FnOnce(&Repository)) -> Vec<String> {
        let before = take(repository);
        change(repository);
        compare(&before, &take(repository))
    }

    #[test]
    fn nothing_changed_says_nothing() {
        let repository = Repository::with_commit();
        repository.write("a", "two\n");
        repository.write("new/file", "x");
        assert_eq!(changes(&repository, |_| {}), Vec::<String>::new());
    }

    #[test]
    fn a_refreshed_index_is_the_same_index() {
        let repository = Repository::with_commit();
        let words = changes(&repository, |repository| {
            repository.write("a", "one\n");
            repository.git(&["update-index", "--refresh"]);
        });
        assert!(words.is_empty(), "{words:?}");
    }

    #[test]
    fn a_commit_moves_head() {
        let repository = Repository::with_commit();
        let words = changes(&repository, |repository| {
            repository.write("a", "two\n");
            repository.commit("second");
        });
        assert!(words[0].starts_with("HEAD moved from "), "{words:?}");
        assert_eq!(words[1], "the index (what is staged) changed");
        assert_eq!(words.len(), 2);
    }

    #[test]
    fn the_first_commit_is_a_change_from_none() {
        let repository = Repository::new();
        let words = changes(&repository, |repository| {
            repository.git(&["commit", "-q", "--allow-empty", "-m", "first"]);
        });
        assert!(words[0].starts_with("HEAD moved from no commit to "), "{words:?}");
    }

    #[test]
    fn another_branch_on_the_same_commit_and_a_detached_head_are_seen() {
        let repository = Repository::with_commit();
        let words = changes(&repository, |repository| drop(repository.git(&["switch", "-q", "-c", "other"])));
        assert_eq!(words, ["branch changed from main to other"]);
        let words = changes(&repository, |repository| drop(repository.git(&["switch", "-q", "--detach"])));
        assert_eq!(words, ["branch changed from other to detached"]);
    }

    #[test]
    fn staging_changes_the_index_and_not_the_contents() {
        let repository = Repository::with_commit();
        repository.write("a", "two\n");
        let words = changes(&repository, |repository| drop(repository.git(&["add", "a"])));
        assert_eq!(words, ["the index (what is staged) changed", "a was modified, is now staged"]);
    }

    #[test]
    fn the_contents_of_an_untracked_file_count_even_at_the_same_size() {
        let repository = Repository::with_commit();
        repository.write("new", "aaaa");
        let words = changes(&repository, |repository| repository.write("new", "bbbb"));
        assert_eq!(words, ["new has other contents"]);
        let words = changes(&repository, |repository| {
            std::fs::remove_file(repository.path().join("new")).unwrap();
        });
        assert_eq!(words, ["new is no longer untracked"]);
    }

    #[test]
    fn ignored_files_do_not_count() {
        let repository = Repository::with_commit();
        repository.write(".gitignore", "*.log\n");
        repository.commit("ignore");
        let words = changes(&repository, |repository| repository.write("x.log", "x"));
        assert!(words.is_empty(), "{words:?}");
    }

    #[test]
    fn a_fetch_is_no_change_of_the_workspace() {
        let repository = Repository::with_commit();
        repository.git(&["branch", "upstream"]);
        repository.git(&["branch", "--set-upstream-to=upstream"]);
        let words = changes(&repository, |repository| {
            let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
            let newer = repository.git(&["commit-tree", "-p", "HEAD", "-m", "newer", &tree]);
            repository.git(&["update-ref", "refs/heads/upstream", &newer]);
        });
        assert_eq!(crate::workspace::summary(repository.path()).unwrap().behind, 1);
        assert!(words.is_empty(), "{words:?}");
    }

    #[test]
    fn many_files_are_counted_after_the_first_few() {
        let repository = Repository::with_commit();
        let words = changes(&repository, |repository| {
            for n in 0..12 {
                repository.write(&format!("f{n:02}"), "x");
            }
        });
        assert_eq!(words.first().unwrap(), "f00 is now untracked");
        assert_eq!(words.last().unwrap(), "and 7 more files");
        assert_eq!(words.len(), 6);
    }

    #[test]
    fn the_stash_is_compared() {
        let repository = Repository::with_commit();
        repository.write("a", "two\n");
        let words = changes(&repository, |repository| drop(repository.git(&["stash", "-q"])));
        assert_eq!(words, ["a is no longer modified", "the stash gained 1"]);
        let words = changes(&repository, |repository| drop(repository.git(&["stash", "drop", "-q"])));
        assert_eq!(words, ["the stash lost 1"]);
    }

    #[test]
    fn a_rebase_that_stops_is_said() {
        let repository = Repository::with_commit();
        repository.git(&["switch", "-q", "-c", "side"]);
        repository.write("a", "side\n");
        repository.commit("side");
        repository.git(&["switch", "-q", "main"]);
        repository.write("a", "main\n");
        repository.commit("main");
        let words = changes(&repository, |repository| {
            assert!(!repository.try_git(&["rebase", "side"]).0, "the rebase must stop for a conflict");
        });
        assert!(words.contains(&"a rebase was started".to_owned()), "{words:?}");
        assert!(words.contains(&"branch changed from main to detached".to_owned()), "{words:?}");
        assert!(words.contains(&"a is now in conflict".to_owned()), "{words:?}");
    }

    #[test]
    fn a_file_too_large_to_read_counts_by_size_and_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        fs::write(&path, "0123456789").unwrap();
        let mut budget = 5;
        assert!(contents(&path, &mut budget).contains("10 bytes at "));
        assert_eq!(budget, 5, "nothing was read");
        assert!(!contents(&path, &mut 10).contains("bytes at"));
    }
}
