//! The rules that requests are held to, as their files have them now: whoever changes a budget or forbids a model should
//! not have to restart anything.
use crate::{
    config::{self, PolicyFiles},
    gateway::{Held, Rules},
    router::{Budget, ExecutorId, Policy},
};
use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Files are looked at this often at most: a harness sends several requests in a row, and nobody edits faster.
const FRESH: Duration = Duration::from_millis(100);

/// Directories whose rules are kept; panes of one workspace share one.
const KEPT: usize = 64;

/// What tells that a file was changed: its place on the disk, length and time; `None` when it is not there.
type Stamp = Option<(u64, u64, i64, i64)>;

/// Reads rules when their files changed.
pub struct FileRules {
    settings: PathBuf,
    policy: PolicyFiles,
    kept: Mutex<HashMap<PathBuf, Kept>>,
}

struct Kept {
    looked: Instant,
    stamps: Vec<Stamp>,
    policy: Arc<Policy>,
    /// What is wrong in the files of the workspace.
    faults: Vec<String>,
    own: Vec<Budget>,
    /// By executor: the same allocation each time, so that comparing costs little.
    budgets: HashMap<ExecutorId, Arc<Vec<Budget>>>,
}

impl Kept {
    fn held(&mut self, executor: &ExecutorId) -> Held {
        let all = || Arc::new(self.own.iter().cloned().chain(self.policy.budgets(executor)).collect());
        let budgets = Arc::clone(self.budgets.entry(executor.clone()).or_insert_with(all));
        Held { policy: Arc::clone(&self.policy), budgets }
    }
}

impl FileRules {
    /// Those of a person's settings, of the machine, and of the workspace that a pane is in.
    pub fn new(paths: &config::Paths) -> Self {
        let (settings, policy) = (paths.config_file(), paths.policy.clone());
        Self { settings, policy, kept: Mutex::default() }
    }

    /// The rules for an executor in a directory.
    pub fn of(&self, dir: &Path, executor: &ExecutorId) -> Held {
        self.fresh(dir, |known| known.held(executor))
    }

    /// What is wrong in the files of a directory's workspace, each with its place.
    pub fn faults(&self, dir: &Path) -> Vec<String> {
        self.fresh(dir, |known| known.faults.clone())
    }

    /// Reads the files if one of them changed, and answers from what is kept of them.
    fn fresh<T>(&self, dir: &Path, answer: impl FnOnce(&mut Kept) -> T) -> T {
        let files = self.policy.within(dir);
        let paths = files.all().into_iter().map(|(_, path)| path).chain([self.settings.clone()]);
        let stamps: Vec<Stamp> = paths.map(|path| stamp(&path)).collect();
        let looked = Instant::now();
        let mut kept = self.kept();
        if let Some(known) = kept.get_mut(dir).filter(|known| known.stamps == stamps) {
            known.looked = looked;
            return answer(known);
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        let (policy, problems) = files.load();
        let own = config::load([&self.settings]).0.budgets();
        let of_workspace = problems.iter().filter(|problem| problem.file.ends_with(config::workspace::NAME));
        let faults = of_workspace.map(ToString::to_string).collect();
        let mut fresh =
            Kept { looked, stamps, policy: Arc::new(policy), faults, own, budgets: HashMap::new() };
        let answer = answer(&mut fresh);
        kept.insert(dir.to_owned(), fresh);
        answer
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<PathBuf, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rules for FileRules {
    fn known(&self, dir: &Path, executor: &ExecutorId) -> Option<Held> {
        let mut kept = self.kept();
        let known = kept.get_mut(dir).filter(|known| known.looked.elapsed() < FRESH)?;
        Some(known.held(executor))
    }

    fn look(&self, dir: &Path, executor: &ExecutorId) -> Held {
        self.of(dir, executor)
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    // The time of the inode's change, which no program sets back.
    Some((about.ino(), about.size(), about.ctime(), about.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::Span;

    #[test]
    fn a_changed_file_holds_at_the_next_look_and_an_unchanged_one_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let env = |name: &str| (name == "HOME").then(|| dir.path().into());
        let paths = config::Paths::new(env, 1).unwrap();
        std::fs::create_dir_all(&paths.config).unwrap();
        let rules = FileRules::new(&paths);
        let work = dir.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let said = |rules: &FileRules| {
            let held = rules.of(&work, &ExecutorId::CLAUDE);
            held.budgets.iter().map(|budget| (budget.span, budget.usd)).collect::<Vec<_>>()
        };
        assert_eq!(said(&rules), []);
        std::fs::write(paths.config_file(), "[budgets]\nday = 5\n").unwrap();
        assert_eq!(said(&rules), [(Span::Day, 5.0)]);
        std::fs::write(work.join(".inspan.toml"), "[policy.budgets]\npane = 1\n").unwrap();
        assert_eq!(said(&rules), [(Span::Day, 5.0), (Span::Pane, 1.0)]);
        let (one, two) =
            (rules.of(&work, &ExecutorId::CLAUDE), rules.known(&work, &ExecutorId::CLAUDE).unwrap());
        assert!(Arc::ptr_eq(&one.policy, &two.policy) && Arc::ptr_eq(&one.budgets, &two.budgets));
        std::fs::write(paths.config_file(), "[budgets]\nday = 2\n").unwrap();
        assert_eq!(said(&rules), [(Span::Day, 2.0), (Span::Pane, 1.0)]);
        assert_eq!(rules.faults(&work), [""; 0]);
        std::fs::write(work.join(".inspan.toml"), "[policy]\npreset = \"open\"\n").unwrap();
        let faults = rules.faults(&work);
        assert!(
            faults[0].contains(".inspan.toml:2:1: policy.preset: the default decides this"),
            "{faults:?}"
        );
    }
}
