use super::*;
use crate::workspace::{checkpoint, testing::Repository};

fn keep(repository: &Repository) -> u64 {
    checkpoint(repository.path(), "test", "%1", 1_000).unwrap().id
}

fn back(repository: &Repository, rewind: Rewind) -> Result<Rewound, RewindError> {
    super::rewind(repository.path(), &rewind, "%1", 2_000)
}

fn read(repository: &Repository, name: &str) -> Option<String> {
    std::fs::read_to_string(repository.path().join(name)).ok()
}

/// HEAD, index and stash in words.
fn git_state(repository: &Repository) -> [String; 4] {
    [
        repository.git(&["rev-parse", "HEAD"]),
        repository.git(&["symbolic-ref", "-q", "HEAD"]),
        repository.git(&["ls-files", "-s"]),
        repository.git(&["stash", "list"]),
    ]
}

#[test]
fn the_tree_comes_back_and_git_state_stays() {
    let repository = Repository::with_commit();
    repository.write(".gitignore", "*.log\n");
    repository.write("b/untracked", "kept\n");
    repository.write("staged", "staged\n");
    repository.git(&["add", "staged"]);
    let id = keep(&repository);
    repository.write("a", "two\n");
    repository.write("new", "later\n");
    repository.write("x.log", "ignored\n");
    std::fs::remove_file(repository.path().join("b/untracked")).unwrap();
    let state = git_state(&repository);

    let done = back(&repository, Rewind { id, ..Rewind::default() }).unwrap();
    assert_eq!(read(&repository, "a").as_deref(), Some("one\n"));
    assert_eq!(read(&repository, "b/untracked").as_deref(), Some("kept\n"));
    assert_eq!(read(&repository, "staged").as_deref(), Some("staged\n"));
    assert_eq!(read(&repository, "new"), None);
    assert_eq!(read(&repository, "x.log").as_deref(), Some("ignored\n"));
    assert_eq!(git_state(&repository), state);
    let said: Vec<_> = done.changes.iter().map(|c| (c.what, c.path.to_str().unwrap())).collect();
    assert_eq!(said, [('M', "a"), ('A', "b/untracked"), ('D', "new")]);
    assert!(done.before.created && done.head.is_none());

    // The state before it was kept, so the way forward is the same way.
    back(&repository, Rewind { id: done.before.id, ..Rewind::default() }).unwrap();
    assert_eq!(read(&repository, "new").as_deref(), Some("later\n"));
    assert_eq!(read(&repository, "a").as_deref(), Some("two\n"));
    assert_eq!(read(&repository, "b/untracked"), None);
}

#[test]
fn a_preview_says_it_and_touches_nothing() {
    let repository = Repository::with_commit();
    let id = keep(&repository);
    repository.write("a", "two\n");
    let (changes, patch) = preview(repository.path(), &Rewind { id, ..Rewind::default() }).unwrap();
    assert_eq!(changes, [Change { path: "a".into(), what: 'M' }]);
    assert!(patch.contains("-two\n+one\n"), "{patch}");
    assert_eq!(read(&repository, "a").as_deref(), Some("two\n"));
    assert_eq!(list(repository.path()).unwrap().len(), 1, "a preview keeps nothing");
}

#[test]
fn paths_come_back_alone_whatever_their_names() {
    let repository = Repository::with_commit();
    repository.write("dir/x y", "one\n");
    repository.write("dir/*", "one\n");
    repository.write("dir/gone", "one\n");
    repository.write("other", "one\n");
    let id = keep(&repository);
    for name in ["dir/x y", "dir/*", "dir/new", "other", "a"] {
        repository.write(name, "two\n");
    }
    std::fs::remove_file(repository.path().join("dir/gone")).unwrap();
    back(&repository, Rewind { id, paths: vec!["dir/*".into()], head: false }).unwrap();
    assert_eq!(read(&repository, "dir/*").as_deref(), Some("one\n"));
    assert_eq!(read(&repository, "dir/x y").as_deref(), Some("two\n"));
    back(&repository, Rewind { id, paths: vec!["dir".into()], head: false }).unwrap();
    assert_eq!(read(&repository, "dir/x y").as_deref(), Some("one\n"));
    assert_eq!(read(&repository, "dir/gone").as_deref(), Some("one\n"));
    assert_eq!(read(&repository, "dir/new"), None);
    assert_eq!(read(&repository, "other").as_deref(), Some("two\n"));
    assert_eq!(read(&repository, "a").as_deref(), Some("two\n"));
}

#[test]
fn paths_are_those_of_the_directory_that_asks() {
    let repository = Repository::with_commit();
    repository.write("dir/a", "one\n");
    let id = keep(&repository);
    repository.write("dir/a", "two\n");
    repository.write("a", "two\n");
    let rewind = Rewind { id, paths: vec!["a".into()], head: false };
    super::rewind(&repository.path().join("dir"), &rewind, "", 2_000).unwrap();
    assert_eq!(read(&repository, "dir/a").as_deref(), Some("one\n"));
    assert_eq!(read(&repository, "a").as_deref(), Some("two\n"));
}

#[test]
fn the_branch_goes_back_only_when_asked_and_only_where_it_was() {
    let repository = Repository::with_commit();
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.write("staged", "s\n");
    repository.git(&["add", "staged"]);
    repository.write("a", "dirty\n");
    let id = keep(&repository);
    let index = repository.git(&["ls-files", "-s"]);
    repository.commit("second");
    let rewind = Rewind { id, head: true, ..Rewind::default() };

    repository.git(&["checkout", "-q", "-b", "other"]);
    let refused = back(&repository, rewind.clone()).unwrap_err().to_string();
    assert!(refused.contains("main") && refused.contains("other"), "{refused}");
    repository.git(&["checkout", "-q", "main"]);

    let done = back(&repository, rewind).unwrap();
    assert_eq!(done.head.as_deref(), Some(first.as_str()));
    assert_eq!(repository.git(&["rev-parse", "main"]), first);
    assert_eq!(repository.git(&["ls-files", "-s"]), index);
    assert_eq!(read(&repository, "a").as_deref(), Some("dirty\n"));
    assert!(repository.git(&["reflog", "-1"]).contains("rewind to checkpoint"));
}

#[test]
fn a_branch_in_a_rebase_stays_where_it_is() {
    let repository = Repository::with_commit();
    let id = keep(&repository);
    repository.git(&["checkout", "-q", "-b", "side"]);
    repository.write("a", "side\n");
    repository.commit("side");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("a", "main\n");
    repository.commit("main");
    assert!(!repository.try_git(&["rebase", "side"]).0, "the rebase stops at a conflict");
    let refused = back(&repository, Rewind { id, head: true, ..Rewind::default() }).unwrap_err();
    assert!(refused.to_string().contains("a rebase is in progress"), "{refused}");
    // Files still come back, conflicts and all; the rebase itself is left alone.
    back(&repository, Rewind { id, ..Rewind::default() }).unwrap();
    assert_eq!(read(&repository, "a").as_deref(), Some("one\n"));
    assert!(repository.path().join(".git/rebase-merge").exists());
}

#[test]
fn before_the_first_commit_files_come_back_too() {
    let repository = Repository::new();
    repository.write("a", "one\n");
    let id = keep(&repository);
    repository.write("a", "two\n");
    back(&repository, Rewind { id, ..Rewind::default() }).unwrap();
    assert_eq!(read(&repository, "a").as_deref(), Some("one\n"));
    let refused = back(&repository, Rewind { id, head: true, ..Rewind::default() }).unwrap_err();
    assert!(refused.to_string().contains("no commit yet"), "{refused}");
}

#[test]
fn an_ignored_file_in_the_way_stops_it() {
    let repository = Repository::with_commit();
    repository.write("later", "as it was\n");
    let id = keep(&repository);
    std::fs::remove_file(repository.path().join("later")).unwrap();
    repository.write(".gitignore", "later\n");
    repository.commit("it is ignored now");
    repository.write("later", "precious\n");
    let outcome = back(&repository, Rewind { id, ..Rewind::default() });
    assert!(matches!(outcome, Err(RewindError::InTheWay(_))), "{outcome:?}");
    assert_eq!(read(&repository, "later").as_deref(), Some("precious\n"));
    assert!(read(&repository, ".gitignore").is_some(), "nothing else was touched either");
}

#[test]
fn an_unknown_number_names_the_known_ones() {
    let repository = Repository::with_commit();
    let error = back(&repository, Rewind { id: 4, ..Rewind::default() }).unwrap_err().to_string();
    assert!(error.contains("no checkpoint 4") && error.contains("none"), "{error}");
    keep(&repository);
    let error = back(&repository, Rewind { id: 4, ..Rewind::default() }).unwrap_err().to_string();
    assert!(error.contains("1 to 1"), "{error}");
}

#[test]
fn pointers_of_large_files_come_back_as_they_were_kept() {
    let repository = Repository::with_commit();
    repository.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repository.git(&["config", "filter.lfs.clean", "git-lfs-is-not-here clean"]);
    repository.git(&["config", "filter.lfs.smudge", "git-lfs-is-not-here smudge"]);
    repository.git(&["config", "filter.lfs.required", "true"]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    repository.write("model.bin", pointer);
    let id = keep(&repository);
    repository.write("a", "two\n");
    repository.write("model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1\n");
    back(&repository, Rewind { id, ..Rewind::default() }).unwrap();
    assert_eq!(read(&repository, "model.bin").as_deref(), Some(pointer));
    assert_eq!(read(&repository, "a").as_deref(), Some("one\n"));
}
