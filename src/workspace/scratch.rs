//! Owns the small repository that `inspan try` works in.
use super::{git::GitError, run::Git};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use thiserror::Error;

const README: &str = "\
# A place to try things

This repository was made for a first ride. Everything in it may be changed or thrown away.

`src/greet.sh` greets whoever it is told to:

    sh src/greet.sh Ada
";

const GREET: &str = "\
#!/bin/sh
# Greets the person named by the first argument.
set -eu

name=${1:-world}
echo \"Hello, $name!\"
";

/// Settings of the repository itself, so that a commit made in it works on a machine where git was never set up, asks
/// for no passphrase and runs nobody's global hooks.
const SETTINGS: [(&str, &str); 4] = [
    ("user.name", "inspan try"),
    ("user.email", "try@inspan.invalid"),
    ("commit.gpgSign", "false"),
    ("core.hooksPath", ".git/hooks"),
];

/// Why there is no scratch repository.
#[derive(Debug, Error)]
pub enum ScratchError {
    /// The directory holds something; nothing in it was touched.
    #[error("{0} is not empty; choose another directory")]
    NotEmpty(PathBuf),
    /// The directory or a file in it could not be written.
    #[error("{path} could not be written: {source}")]
    Io {
        /// What was being written.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What git refused.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Makes a repository with two files and one commit on `main` in `dir`, which must be empty or absent, and returns its
/// canonical path.
///
/// # Errors
/// The directory is not empty or not writable, or git failed.
pub fn create_scratch(dir: &Path) -> Result<PathBuf, ScratchError> {
    let src = dir.join("src");
    fs::create_dir_all(dir).map_err(|source| io_error(dir, source))?;
    if fs::read_dir(dir).map_err(|source| io_error(dir, source))?.next().is_some() {
        return Err(ScratchError::NotEmpty(dir.to_owned()));
    }
    let dir = dir.canonicalize().map_err(|source| io_error(dir, source))?;
    fs::create_dir(&src).map_err(|source| io_error(&src, source))?;
    for (path, contents) in [(dir.join("README.md"), README), (src.join("greet.sh"), GREET)] {
        fs::write(&path, contents).map_err(|source| io_error(&path, source))?;
    }
    // An empty template: a user's own may bring hooks that no first commit passes.
    Git::write(&dir).args(["init", "--quiet", "--initial-branch=main", "--template="]).done()?;
    for (name, value) in SETTINGS {
        Git::write(&dir).args(["config", "--local", name, value]).done()?;
    }
    Git::write(&dir).args(["add", "--all", "--force"]).done()?;
    let commit = ["commit", "--quiet", "--no-verify", "--message=A place to try things"];
    Git::write(&dir).args(commit).done()?;
    Ok(dir)
}

fn io_error(path: &Path, source: io::Error) -> ScratchError {
    ScratchError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{summary, testing::Repository};

    #[test]
    fn it_is_clean_on_main_with_one_commit_and_its_own_identity() {
        let parent = tempfile::tempdir().unwrap();
        let dir = create_scratch(&parent.path().join("a/b")).unwrap();
        let facts = summary(&dir).unwrap();
        assert_eq!((facts.branch.as_str(), facts.changed), ("main", 0));
        let repository = Repository::at(&dir);
        assert_eq!(
            repository.git(&["log", "--format=%an <%ae> %s"]),
            "inspan try <try@inspan.invalid> A place to try things"
        );
        assert_eq!(repository.git(&["ls-files"]), "README.md\nsrc/greet.sh");
        repository.write("new", "x");
        repository.commit("a commit needs nothing more");
    }

    #[test]
    fn the_program_in_it_runs() {
        let parent = tempfile::tempdir().unwrap();
        let dir = create_scratch(parent.path()).unwrap();
        let output =
            std::process::Command::new("sh").arg(dir.join("src/greet.sh")).arg("Ada").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "Hello, Ada!\n");
    }

    #[test]
    fn a_directory_with_something_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), "x").unwrap();
        assert!(matches!(create_scratch(dir.path()), Err(ScratchError::NotEmpty(_))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
