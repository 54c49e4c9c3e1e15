use super::*;
use crate::workspace::testing::Repository;

#[test]
fn no_repository_is_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(summary(dir.path()).unwrap(), GitSummary::default());
    let error = dirty_files(dir.path(), 10).unwrap_err();
    assert!(matches!(error, GitError::NotARepository(_)), "{error:?}");
    assert!(error.to_string().ends_with("is not in a git repository"));
}

#[test]
fn a_directory_that_does_not_exist_is_an_error_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let error = summary(&dir.path().join("absent")).unwrap_err().to_string();
    assert!(error.contains("absent"), "{error}");
}

#[test]
fn an_unborn_branch_has_a_name_and_no_head() {
    let repository = Repository::new();
    repository.write("a", "one");
    let facts = summary(repository.path()).unwrap();
    assert!(facts.repository);
    assert_eq!((facts.branch.as_str(), facts.head.as_str(), facts.changed), ("main", "", 1));
}

#[test]
fn changed_counts_staged_modified_and_untracked() {
    let repository = Repository::with_commit();
    repository.write("b", "one");
    repository.write("c", "one");
    repository.commit("more");
    repository.write("a", "two");
    repository.git(&["add", "a"]);
    repository.git(&["mv", "b", "moved to"]);
    repository.write("c", "two");
    repository.write("new\nline", "x");
    repository.write("dir/x", "x");
    repository.write("dir/y", "x");
    let facts = summary(repository.path()).unwrap();
    assert_eq!(facts.changed, 5, "an untracked directory counts as one");
    assert_eq!(facts.head, repository.git(&["rev-parse", "--short=7", "HEAD"]));

    let dirty = dirty_files(repository.path(), 100).unwrap();
    let seen: Vec<_> = dirty.files.iter().map(|f| (f.code.as_str(), f.path.to_str().unwrap())).collect();
    let wanted =
        [("M.", "a"), (".M", "c"), ("R.", "moved to"), ("??", "dir/x"), ("??", "dir/y"), ("??", "new\nline")];
    assert_eq!(seen, wanted);
    let first = dirty_files(repository.path(), 2).unwrap();
    assert_eq!((first.files.len(), first.total), (2, 6));
}

#[test]
fn a_subdirectory_sees_the_whole_repository() {
    let repository = Repository::with_commit();
    repository.write("sub/x", "x");
    repository.write("a", "two");
    let dirty = dirty_files(&repository.path().join("sub"), 10).unwrap();
    let paths: Vec<_> = dirty.files.iter().map(|file| file.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["a", "sub/x"]);
}

#[test]
fn a_setting_that_hides_untracked_files_does_not_hide_them_here() {
    let repository = Repository::with_commit();
    repository.git(&["config", "status.showUntrackedFiles", "no"]);
    repository.write("new", "x");
    assert_eq!(summary(repository.path()).unwrap().changed, 1);
}

#[test]
fn a_detached_head_is_said() {
    let repository = Repository::with_commit();
    repository.git(&["switch", "-q", "--detach"]);
    let facts = summary(repository.path()).unwrap();
    assert_eq!(facts.branch, "detached");
    assert_eq!(facts.head.len(), 7);
}

#[test]
fn ahead_and_behind_are_counted_against_upstream() {
    let origin = Repository::with_commit();
    let clone = tempfile::tempdir().unwrap();
    let path = clone.path().join("clone");
    origin.git(&["clone", "-q", ".", path.to_str().unwrap()]);
    let clone = Repository::at(&path);
    clone.git(&["config", "user.name", "Somebody"]);
    clone.git(&["config", "user.email", "somebody@example.invalid"]);
    clone.git(&["config", "status.aheadBehind", "false"]);
    origin.write("a", "theirs");
    origin.commit("theirs");
    clone.write("b", "ours");
    clone.commit("ours");
    clone.write("c", "ours");
    clone.commit("ours again");
    clone.git(&["fetch", "-q"]);
    let facts = summary(clone.path()).unwrap();
    assert_eq!((facts.ahead, facts.behind), (2, 1));
}

#[test]
fn a_bare_repository_has_a_branch_and_nothing_to_change() {
    let source = Repository::with_commit();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bare.git");
    source.git(&["clone", "-q", "--bare", ".", path.to_str().unwrap()]);
    let facts = summary(&path).unwrap();
    assert!(facts.repository);
    assert_eq!((facts.branch.as_str(), facts.changed), ("main", 0));
    assert_eq!(facts.head, source.git(&["rev-parse", "--short=7", "HEAD"]));
    assert!(matches!(dirty_files(&path, 1), Err(GitError::NoWorkTree(_))));
    assert_eq!(operation(&path).unwrap(), None);
}

#[test]
fn a_linked_worktree_has_its_own_branch_and_operation() {
    let repository = Repository::with_commit();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("linked");
    repository.git(&["worktree", "add", "-q", "-b", "other", path.to_str().unwrap()]);
    let linked = Repository::at(&path);
    assert_eq!(summary(linked.path()).unwrap().branch, "other");
    linked.git(&["bisect", "start"]);
    assert_eq!(operation(linked.path()).unwrap(), Some(Operation::Bisect));
    assert_eq!(operation(repository.path()).unwrap(), None);
}

#[test]
fn a_stopped_merge_is_an_operation_with_a_conflict() {
    let repository = Repository::with_commit();
    repository.git(&["switch", "-q", "-c", "side"]);
    repository.write("a", "side\n");
    repository.commit("side");
    repository.git(&["switch", "-q", "main"]);
    assert_eq!(operation(repository.path()).unwrap(), None);
    repository.write("a", "main\n");
    repository.commit("main");
    assert!(!repository.try_git(&["merge", "side"]).0);
    assert_eq!(operation(repository.path()).unwrap(), Some(Operation::Merge));
    let dirty = dirty_files(repository.path(), 10).unwrap();
    assert_eq!(dirty.files, [DirtyFile { path: "a".into(), code: "UU".into(), submodule: None }]);
}

#[test]
fn a_submodule_says_what_changed_inside() {
    let library = Repository::with_commit();
    let repository = Repository::with_commit();
    let url = library.path().to_str().unwrap();
    repository.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "lib"]);
    repository.commit("lib");
    repository.write("lib/a", "changed");
    let dirty = dirty_files(repository.path(), 10).unwrap();
    let wanted = DirtyFile { path: "lib".into(), code: ".M".into(), submodule: Some("S.M.".into()) };
    assert_eq!(dirty.files, [wanted]);
}

#[test]
fn foreign_ownership_names_the_remedy() {
    let repository = Repository::with_commit();
    // Git's own switch for testing this; changing the owner would need privileges.
    let error = Git::read(repository.path())
        .env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        .args(["status"])
        .done()
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, GitError::DubiousOwnership { .. }), "{text}");
    assert!(text.contains("git config --global --add safe.directory"), "{text}");
}

#[test]
fn looking_runs_no_hook_and_no_monitor_and_takes_no_lock() {
    let repository = Repository::with_commit();
    let ran = repository.path().join("ran");
    let script = format!("#!/bin/sh\necho x >> '{}'\n", ran.display());
    repository.write(".git/monitor", &script);
    let monitor = repository.path().join(".git/monitor");
    std::fs::set_permissions(&monitor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    repository.git(&["config", "core.fsmonitor", monitor.to_str().unwrap()]);
    repository.write("a", "two");
    std::fs::write(repository.path().join(".git/index.lock"), "").unwrap();
    let before = std::fs::read(repository.path().join(".git/index")).unwrap();
    assert_eq!(summary(repository.path()).unwrap().changed, 1);
    assert_eq!(std::fs::read(repository.path().join(".git/index")).unwrap(), before);
    assert!(!ran.exists());
    // The same script does run when git is asked without our settings: the test can fail.
    repository.try_git(&["status"]);
    assert!(ran.exists());
}

#[test]
fn a_record_cut_off_by_the_bound_is_left_out() {
    let repository = Repository::with_commit();
    for n in 0..50 {
        repository.write(&format!("file{n:02}"), "x");
    }
    let output =
        Git::read(repository.path()).keep(200).args(["status", "--porcelain=v2", "-z"]).done().unwrap();
    let status = parse(&output);
    assert!(output.truncated);
    assert!(!status.files.is_empty() && status.files.len() < 50);
    assert!(status.files.iter().all(|file| file.path.as_os_str().len() == 6), "{:?}", status.files);
}
