//! Where tools are executed. A conversation that uses no tool touches no place: it is claimed at the first use.
use std::{
    path::{Component, Path, PathBuf},
    time::Instant,
};

/// The workspace on this host.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    claimed: Option<Claim>,
}

/// A place in use.
#[derive(Clone, Debug)]
struct Claim {
    /// The workspace without links, which paths are compared with.
    root: PathBuf,
    since: Instant,
}

/// A path of a tool, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Without links, as far as it exists.
    pub path: PathBuf,
    /// It leads out of the workspace.
    pub outside: bool,
}

impl Place {
    /// The place of a workspace, not yet claimed.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, claimed: None }
    }

    /// Since when it is in use.
    pub fn since(&self) -> Option<Instant> {
        self.claimed.as_ref().map(|claim| claim.since)
    }

    /// Its directory, claimed now if it was not.
    ///
    /// # Errors
    /// A sentence when the workspace is gone.
    pub fn claim(&mut self) -> Result<&Path, String> {
        if self.claimed.is_none() {
            let root = self.dir.canonicalize().ok().filter(|root| root.is_dir());
            let root = root.ok_or_else(|| format!("the workspace {} is gone", self.dir.display()))?;
            self.claimed = Some(Claim { root, since: Instant::now() });
        }
        Ok(self.claimed.as_ref().map_or(&self.dir, |claim| &claim.root))
    }

    /// Where a path of a tool leads, links followed.
    ///
    /// # Errors
    /// As [`Place::claim`].
    pub fn resolve(&mut self, path: &str) -> Result<Resolved, String> {
        let root = self.claim()?.to_owned();
        let path = real(&root.join(path));
        Ok(Resolved { outside: !path.starts_with(&root), path })
    }
}

/// A path without links and dots; what does not exist yet is taken as it is written.
fn real(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            part => {
                out.push(part);
                if let Ok(there) = out.canonicalize() {
                    out = there;
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn a_place_is_claimed_at_its_first_use_and_knows_its_walls() {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        fs::create_dir_all(work.join("src")).unwrap();
        symlink("/etc", work.join("out")).unwrap();
        let mut place = Place::new(work.clone());
        assert!(place.since().is_none());
        let inside = |place: &mut Place, path: &str| !place.resolve(path).unwrap().outside;
        assert!(inside(&mut place, "src/new/file.rs"));
        assert!(place.since().is_some());
        assert!(inside(&mut place, "src/../a"));
        assert!(!inside(&mut place, "../a"));
        assert!(!inside(&mut place, "out/passwd"));
        assert!(!inside(&mut place, "out/new/file"));
        assert!(!inside(&mut place, "/etc/passwd"));
        assert!(inside(&mut place, work.canonicalize().unwrap().join("x").to_str().unwrap()));
    }

    #[test]
    fn a_workspace_that_is_gone_cannot_be_claimed() {
        let why = Place::new("/nonexistent/work".into()).claim().unwrap_err();
        assert_eq!(why, "the workspace /nonexistent/work is gone");
    }
}
