//! Small repositories for this room's tests, independent of the machine's git settings as far as git allows.
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A repository in a directory of its own, deleted when dropped.
pub struct Repository {
    _dir: Option<tempfile::TempDir>,
    path: PathBuf,
}

impl Repository {
    /// An empty repository on an unborn `main`.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let repository = Self { _dir: Some(dir), path };
        repository.git(&["init", "-q", "-b", "main", "--template="]);
        for (name, value) in [
            ("user.name", "Somebody"),
            ("user.email", "somebody@example.invalid"),
            ("commit.gpgSign", "false"),
            ("gc.auto", "0"),
        ] {
            repository.git(&["config", name, value]);
        }
        repository
    }

    /// A repository with one commit of the file `a`.
    pub fn with_commit() -> Self {
        let repository = Self::new();
        repository.write("a", "one\n");
        repository.commit("first");
        repository
    }

    /// The same helper on another directory, which it does not own.
    pub fn at(path: &Path) -> Self {
        Self { _dir: None, path: path.canonicalize().unwrap() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn write(&self, name: &str, contents: &str) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// Runs git and returns what it printed; panics when it fails.
    pub fn git(&self, args: &[&str]) -> String {
        let (done, text) = self.try_git(args);
        assert!(done, "git {args:?}: {text}");
        text
    }

    /// Runs git, whatever comes of it.
    pub fn try_git(&self, args: &[&str]) -> (bool, String) {
        let output = Command::new("git").arg("-C").arg(&self.path).args(args).output().unwrap();
        let text = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8_lossy(&text).trim_end().to_owned())
    }
}
