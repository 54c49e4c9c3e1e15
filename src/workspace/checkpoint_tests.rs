use super::*;
use crate::workspace::testing::Repository;
use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant, SystemTime},
};

const NOW: u64 = 1_700_000_000;

fn make(repository: &Repository) -> Checkpoint {
    checkpoint(repository.path(), "before a switch", "%1 claude", NOW).unwrap()
}

fn files(repository: &Repository, commit: &str) -> Vec<String> {
    repository.git(&["ls-tree", "-r", "--name-only", commit]).lines().map(str::to_owned).collect()
}

/// Everything that a checkpoint must leave as it was: every file with its bytes, mode and time, in the working tree and
/// in `.git`, but for new objects and our own references.
fn everything(repository: &Repository) -> BTreeMap<PathBuf, (u32, SystemTime, Vec<u8>)> {
    fn walk(dir: &Path, seen: &mut BTreeMap<PathBuf, (u32, SystemTime, Vec<u8>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            if path.ends_with(".git/objects") || path.ends_with(".git/refs/inspan") {
                continue;
            }
            if meta.is_dir() {
                walk(&path, seen);
            } else {
                let bytes = fs::read(&path).unwrap_or_default();
                seen.insert(path, (meta.permissions().mode(), meta.modified().unwrap(), bytes));
            }
        }
    }
    let mut seen = BTreeMap::new();
    walk(repository.path(), &mut seen);
    seen
}

#[test]
fn the_users_git_state_is_untouched_to_the_byte() {
    let repository = Repository::with_commit();
    repository.write(".gitignore", "*.log\n");
    repository.commit("ignore");
    repository.write("a", "stashed\n");
    repository.git(&["stash", "-q"]);
    repository.write("a", "staged\n");
    repository.git(&["add", "a"]);
    repository.write("a", "working\n");
    repository.write("dir/new", "untracked\n");
    repository.write("x.log", "ignored\n");
    repository.git(&["config", "core.logAllRefUpdates", "always"]);

    let before = everything(&repository);
    assert!(before.keys().any(|path| path.ends_with(".git/logs/refs/stash")), "the test looks at reflogs");
    let made = make(&repository);
    let after = everything(&repository);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (path, state) in &before {
        assert!(state == &after[path], "{} changed", path.display());
    }

    assert!(made.created);
    assert_eq!((made.id, made.files_changed), (1, 2));
    assert_eq!(made.warnings, Vec::<String>::new());
    assert_eq!(files(&repository, &made.commit), [".gitignore", "a", "dir/new"]);
    assert_eq!(repository.git(&["show", &format!("{}:a", made.commit)]), "working");
    assert_eq!(
        repository.git(&["rev-parse", &format!("{}^1", made.commit)]),
        repository.git(&["rev-parse", "HEAD"])
    );
    assert_eq!(repository.git(&["show", &format!("{}^2:a", made.commit)]), "staged");
    assert_eq!(repository.git(&["rev-parse", "refs/inspan/checkpoints/1"]), made.commit);
    assert_eq!(made.tree, repository.git(&["rev-parse", &format!("{}^{{tree}}", made.commit)]));
}

#[test]
fn the_same_again_is_the_same_checkpoint() {
    let repository = Repository::with_commit();
    repository.write("new", "x");
    let first = make(&repository);
    let again = checkpoint(repository.path(), "another reason", "%2", NOW + 5).unwrap();
    assert_eq!(again, Checkpoint { created: false, ..first.clone() });

    // The same files on another HEAD, and the same files with another index, are states of their own.
    repository.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
    let moved = make(&repository);
    assert_eq!((moved.id, moved.created), (2, true));
    assert_eq!(moved.tree, first.tree);
    repository.write("a", "staged");
    repository.git(&["add", "a"]);
    repository.write("a", "one\n");
    let staged = make(&repository);
    assert_eq!((staged.id, staged.created), (3, true));
    assert_eq!(staged.tree, first.tree);
    assert!(!make(&repository).created);
    assert_eq!(list(repository.path()).unwrap().len(), 3);
}

#[test]
fn before_the_first_commit_there_is_no_parent() {
    let repository = Repository::new();
    repository.write("a", "x");
    repository.write("b", "x");
    let made = make(&repository);
    assert_eq!((made.id, made.files_changed, made.created), (1, 2, true));
    assert_eq!(files(&repository, &made.commit), ["a", "b"]);
    assert_eq!(repository.git(&["log", "--format=%p", &made.commit]), "");
    assert!(!repository.try_git(&["rev-parse", "--verify", "-q", "HEAD"]).0, "still unborn");
    assert!(!make(&repository).created);
}

#[test]
fn an_empty_repository_has_an_empty_checkpoint() {
    let repository = Repository::new();
    let made = make(&repository);
    assert_eq!((made.files_changed, made.created), (0, true));
    assert!(files(&repository, &made.commit).is_empty());
}

#[test]
fn a_detached_head_stays_where_it_is() {
    let repository = Repository::with_commit();
    repository.git(&["switch", "-q", "--detach"]);
    repository.write("a", "two");
    let made = make(&repository);
    assert_eq!(made.files_changed, 1);
    assert!(!repository.try_git(&["symbolic-ref", "-q", "HEAD"]).0);
    assert_eq!(list(repository.path()).unwrap()[0].branch, None);
}

#[test]
fn a_linked_worktree_counts_on() {
    let repository = Repository::with_commit();
    make(&repository);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("linked");
    repository.git(&["worktree", "add", "-q", "-b", "other", path.to_str().unwrap()]);
    let linked = Repository::at(&path);
    linked.write("only here", "x");
    let made = make(&linked);
    assert_eq!(made.id, 2);
    assert_eq!(files(&linked, &made.commit), ["a", "only here"]);
    assert_eq!(list(repository.path()).unwrap()[1].branch.as_deref(), Some("other"));
}

#[test]
fn it_is_listed_with_its_words() {
    let repository = Repository::with_commit();
    let made = checkpoint(repository.path(), "before\nswitch to  codex", "%2 claude · opus", NOW).unwrap();
    repository.write("a", "two");
    for _ in 0..10 {
        repository.git(&["commit", "-q", "--allow-empty", "-m", "on"]);
        make(&repository);
    }
    // Somebody else's reference in our space is no checkpoint.
    repository.git(&["update-ref", "refs/inspan/checkpoints/mine", "HEAD"]);
    let listed = list(repository.path()).unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), (1..=11).collect::<Vec<_>>());
    let first = &listed[0];
    assert_eq!((first.commit.as_str(), first.tree.as_str()), (made.commit.as_str(), made.tree.as_str()));
    assert_eq!((first.reason.as_str(), first.pane.as_str()), ("before switch to codex", "%2 claude · opus"));
    assert_eq!((first.time, first.branch.as_deref()), (NOW, Some("main")));
}

#[test]
fn no_repository_is_an_error_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let error = checkpoint(dir.path(), "r", "p", NOW).unwrap_err();
    assert!(matches!(error, CheckpointError::NotARepository(_)), "{error:?}");
    assert!(matches!(list(dir.path()), Err(CheckpointError::NotARepository(_))));
}

#[test]
fn a_bare_repository_is_refused() {
    let repository = Repository::new();
    let dir = tempfile::tempdir().unwrap();
    repository.git(&["clone", "-q", "--bare", ".", dir.path().join("b").to_str().unwrap()]);
    let error = checkpoint(&dir.path().join("b"), "r", "p", NOW).unwrap_err();
    assert!(matches!(error, CheckpointError::Git(GitError::NoWorkTree(_))), "{error:?}");
}

#[test]
fn no_hook_runs_and_no_identity_or_signature_is_needed() {
    let repository = Repository::with_commit();
    let ran = repository.path().join("ran");
    for hook in ["pre-commit", "commit-msg", "post-commit", "post-index-change", "reference-transaction"] {
        let name = format!(".git/hooks/{hook}");
        repository.write(&name, &format!("#!/bin/sh\necho {hook} >> '{}'\n", ran.display()));
        fs::set_permissions(repository.path().join(&name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, value) in [
        ("user.useConfigOnly", "true"),
        ("user.name", ""),
        ("commit.gpgSign", "true"),
        ("gpg.program", "/bin/false"),
        ("core.safecrlf", "true"),
        ("core.autocrlf", "input"),
        ("i18n.commitEncoding", "ISO-8859-1"),
    ] {
        repository.git(&["config", name, value]);
    }
    drop(fs::remove_file(&ran));
    repository.write("dos", "line\r\n");
    let made = checkpoint(repository.path(), "größer", "%1", NOW).unwrap();
    assert!(!ran.exists(), "{}", fs::read_to_string(&ran).unwrap_or_default());
    let author = repository.git(&["log", "-1", "--format=%an %cn %ae %at %ct", &made.commit]);
    assert_eq!(author, format!("inspan inspan checkpoint@inspan.invalid {NOW} {NOW}"));
    assert_eq!(list(repository.path()).unwrap()[0].reason, "größer");
    // The hooks are real: git itself runs them.
    repository.git(&["update-ref", "refs/x", "HEAD"]);
    assert!(ran.exists());
}

#[test]
fn a_held_lock_does_not_matter() {
    let repository = Repository::with_commit();
    repository.write(".git/index.lock", "held by somebody");
    repository.write("a", "two");
    assert_eq!(make(&repository).files_changed, 1);
    assert_eq!(fs::read_to_string(repository.path().join(".git/index.lock")).unwrap(), "held by somebody");
    assert!(!repository.try_git(&["add", "-A"]).0, "the lock is real");
}

#[test]
fn a_file_rewritten_in_the_same_tick_as_the_index_is_noticed() {
    let repository = Repository::new();
    // Without the change time, only the index's own time makes git look at the contents again.
    repository.git(&["config", "core.trustctime", "false"]);
    let then = SystemTime::now() - Duration::from_secs(3600);
    let set = |name: &str| {
        let file = fs::File::options().write(true).open(repository.path().join(name)).unwrap();
        file.set_modified(then).unwrap();
    };
    repository.write("a", "one\n");
    set("a");
    repository.commit("first");
    repository.write("a", "two\n");
    set("a");
    set(".git/index");
    let made = make(&repository);
    assert_eq!(repository.git(&["show", &format!("{}:a", made.commit)]), "two");
}

#[test]
fn conflicts_are_kept_with_their_marks() {
    let repository = Repository::with_commit();
    repository.git(&["switch", "-q", "-c", "side"]);
    repository.write("a", "side\n");
    repository.commit("side");
    repository.git(&["switch", "-q", "main"]);
    repository.write("a", "main\n");
    repository.commit("main");
    assert!(!repository.try_git(&["merge", "side"]).0);
    let made = make(&repository);
    assert!(repository.git(&["show", &format!("{}:a", made.commit)]).contains("<<<<<<<"));
    assert_eq!(repository.git(&["ls-files", "-u"]).lines().count(), 3, "still in conflict");
}

#[test]
fn repositories_inside_are_left_out_with_a_warning() {
    let repository = Repository::new();
    for name in ["empty", "full [x]"] {
        let path = repository.path().join(name);
        fs::create_dir(&path).unwrap();
        let inner = Repository::at(&path);
        inner.git(&["init", "-q", "--template="]);
        inner.write("f", "x");
        if name != "empty" {
            inner.git(&["-c", "user.name=S", "-c", "user.email=s@example.invalid", "add", "f"]);
            inner.git(&["-c", "user.name=S", "-c", "user.email=s@example.invalid", "commit", "-qm", "c"]);
        }
    }
    let alone = make(&repository);
    assert!(files(&repository, &alone.commit).is_empty());
    repository.write("a", "x");
    let made = make(&repository);
    assert_eq!(files(&repository, &made.commit), ["a"]);
    assert_eq!(made.warnings.len(), 2);
    assert!(made.warnings[1].starts_with("full [x]/ is a repository of its own"), "{:?}", made.warnings);
}

#[test]
fn changes_inside_a_submodule_are_warned_of() {
    let library = Repository::with_commit();
    let repository = Repository::with_commit();
    let url = library.path().to_str().unwrap();
    repository.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "lib"]);
    repository.commit("lib");
    assert!(make(&repository).warnings.is_empty());
    repository.write("lib/a", "changed");
    let made = make(&repository);
    assert_eq!(made.warnings, ["uncommitted changes inside the submodule lib are not in it"]);
}

#[test]
fn a_very_large_untracked_file_is_left_out_with_a_warning() {
    let repository = Repository::with_commit();
    let sparse = fs::File::create(repository.path().join("disk.img")).unwrap();
    sparse.set_len(MAX_UNTRACKED + 1).unwrap();
    repository.write("small", "x");
    let made = make(&repository);
    assert_eq!(files(&repository, &made.commit), ["a", "small"]);
    assert!(made.warnings[0].starts_with("disk.img is untracked and above 100 MiB"), "{:?}", made.warnings);
}

#[test]
fn odd_names_and_kinds_survive() {
    let repository = Repository::with_commit();
    repository.write(" space\nline :(top)*", "x");
    std::os::unix::fs::symlink("nowhere", repository.path().join("link")).unwrap();
    let bytes = OsStr::from_bytes(b"latin-\xe9");
    fs::write(repository.path().join(bytes), "x").unwrap();
    repository.write("run", "#!/bin/sh\n");
    fs::set_permissions(repository.path().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(repository.path().join("a")).unwrap();
    let made = make(&repository);
    assert_eq!(made.files_changed, 5);
    let tree = repository.git(&["ls-tree", "-r", &made.commit]);
    assert!(tree.contains("120000") && tree.contains("100755") && tree.contains("latin-\\351"), "{tree}");
}

#[test]
fn a_sparse_checkout_keeps_what_is_outside_of_it() {
    let repository = Repository::new();
    repository.write("in/a", "x");
    repository.write("out/b", "x");
    repository.commit("both");
    repository.git(&["sparse-checkout", "set", "in"]);
    assert!(!repository.path().join("out/b").exists(), "the checkout is sparse");
    repository.write("out/new", "x");
    let made = make(&repository);
    assert_eq!(files(&repository, &made.commit), ["in/a", "out/b", "out/new"]);
    assert_eq!((made.files_changed, made.warnings.len()), (1, 0));
}

#[test]
fn a_subdirectory_keeps_the_whole_tree() {
    let repository = Repository::with_commit();
    repository.write("sub/x", "x");
    repository.write("b", "x");
    let made = checkpoint(&repository.path().join("sub"), "r", "p", NOW).unwrap();
    assert_eq!(files(&repository, &made.commit), ["a", "b", "sub/x"]);
}

#[test]
fn many_at_once_get_a_number_each_or_share_one() {
    let repository = Repository::with_commit();
    repository.write("new", "x");
    let made: Vec<Checkpoint> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let path = repository.path();
                scope.spawn(move || checkpoint(path, &format!("reason {n}"), "p", NOW + n).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let listed = list(repository.path()).unwrap();
    for one in &made {
        assert!(listed.iter().any(|listed| listed.id == one.id && listed.commit == one.commit), "{one:?}");
    }
    assert_eq!(listed.len(), made.iter().filter(|one| one.created).count());
}

#[test]
fn two_thousand_files_are_quick_and_the_second_time_quicker() {
    let repository = Repository::new();
    for n in 0..2000 {
        repository.write(&format!("d{}/f{n}", n % 50), &format!("{n}\n"));
    }
    repository.commit("many");
    repository.write("d1/f1", "changed\n");
    let started = Instant::now();
    let made = make(&repository);
    let first = started.elapsed();
    assert_eq!(made.files_changed, 1);
    // It takes well below a second; the bound only catches hashing everything through a slow path on a busy machine.
    assert!(first < Duration::from_secs(10), "{first:?}");
    assert!(!make(&repository).created);
}

#[test]
fn no_private_index_is_left_behind() {
    let repository = Repository::with_commit();
    let index = PrivateIndex::copy(repository.path()).unwrap();
    let dir = index.dir.clone();
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(index.file.exists());
    drop(index);
    assert!(!dir.exists());
}
