//! What the CLIs on this machine are: version, and whether they know the flags that a launch passes. Asked once for each
//! file and remembered on disk, because asking takes up to seconds.
//!
//! Must not know: panes, the loop.
use super::{Executor, Found, detect};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, UNIX_EPOCH},
};

/// A launch waits this long for an answer. A CLI that says nothing may still run: then the pane shows what it does.
const PROBE_TIME: Duration = Duration::from_secs(8);

/// Files remembered; updates leave old ones behind.
const KEPT: usize = 64;

/// What a CLI said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What `--version` printed, reduced to the number.
    pub version: Option<String>,
    /// Flags that a launch passes and its help does not name.
    pub lacks: Vec<String>,
    /// Its help does not name the flag that typed control takes.
    #[serde(default)]
    pub plain: bool,
}

impl Probe {
    /// Why it cannot be launched, and what to do; `None` when it can.
    pub fn unfit(&self, executor: &dyn Executor, found: &Found) -> Option<String> {
        if self.lacks.is_empty() {
            return None;
        }
        let version = self.version.as_deref().unwrap_or("of an unknown version");
        let newer = executor.package().map_or_else(String::new, |p| {
            format!(", or inspan install {} --force for our own {} beside it", executor.id(), p.version)
        });
        Some(format!(
            "{} at {} is {version}, too old for inspan: it does not know {}. Update it{newer}",
            executor.program(),
            found.binary.display(),
            self.lacks.join(", "),
        ))
    }
}

/// A file, and what tells that it is still the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    modified_ns: u64,
    size: u64,
    probe: Probe,
}

/// What was asked before, by path.
#[derive(Debug, Default)]
pub struct Versions {
    known: Mutex<BTreeMap<PathBuf, Entry>>,
}

impl Versions {
    /// What earlier servers and commands learnt; an unreadable file is an empty one.
    pub fn load(data_dir: &Path) -> Self {
        let text = fs::read(file(data_dir)).unwrap_or_default();
        Self { known: Mutex::new(serde_json::from_slice(&text).unwrap_or_default()) }
    }

    /// What is known of a binary that has not changed since.
    pub fn known(&self, binary: &Path) -> Option<Probe> {
        let (modified_ns, size) = stamp(binary)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(binary)?;
        (entry.modified_ns == modified_ns && entry.size == size).then(|| entry.probe.clone())
    }

    /// What a binary is; asks it when that is not known. `path` is the PATH that it is started with.
    pub fn probe(
        &self,
        executor: &dyn Executor,
        binary: &Path,
        env: &BTreeMap<String, String>,
        path: &str,
        data_dir: &Path,
    ) -> Probe {
        if let Some(known) = self.known(binary) {
            return known;
        }
        let before = stamp(binary);
        let mut env = env.clone();
        env.insert("PATH".into(), path.to_owned());
        let probe = ask(executor, binary, &env, data_dir);
        // A file that was replaced meanwhile is asked again the next time.
        if let Some((modified_ns, size)) = before.filter(|_| before == stamp(binary)) {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(binary.to_owned(), Entry { modified_ns, size, probe: probe.clone() });
            while known.len() > KEPT {
                known.pop_first();
            }
            keep(data_dir, &known);
        }
        probe
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("executors").join("versions.json")
}

/// Only a memory: what cannot be written is asked again by the next server.
fn keep(data_dir: &Path, known: &BTreeMap<PathBuf, Entry>) {
    let file = file(data_dir);
    let fresh = file.with_extension(format!("{}.new", std::process::id()));
    let written = serde_json::to_vec(known).map_err(std::io::Error::other).and_then(|json| {
        fs::create_dir_all(file.parent().unwrap_or(data_dir))?;
        fs::write(&fresh, json)?;
        fs::rename(&fresh, &file)
    });
    if let Err(error) = written {
        tracing::debug!(%error, "what the CLIs are could not be remembered");
    }
}

/// A file's time of change in nanoseconds and its size; a link's target is meant.
fn stamp(binary: &Path) -> Option<(u64, u64)> {
    let meta = fs::metadata(binary).ok()?;
    let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((u64::try_from(since.as_nanos()).ok()?, meta.len()))
}

/// Version and help at the same time; the help counts only where the version is not one that is known to do.
fn ask(executor: &dyn Executor, binary: &Path, env: &BTreeMap<String, String>, data_dir: &Path) -> Probe {
    let scratch = Scratch::new(data_dir);
    let said = |flag: &str| detect::output_in_scratch(binary, flag, env, &scratch.0, PROBE_TIME);
    let (version, help) = thread::scope(|scope| {
        let help = scope.spawn(|| said("--help"));
        let version = said("--version").and_then(|text| detect::version_in(&text));
        (version, help.join().unwrap_or_default())
    });
    let tested = executor.package().map(|p| p.version);
    let old = match (&version, tested) {
        (Some(version), Some(tested)) => numbers(version) < numbers(tested),
        _ => true,
    };
    let help = help.filter(|help| old && !help.trim().is_empty()).unwrap_or_default();
    let unknown = |flag: &&str| !help.is_empty() && !names(&help, flag);
    let lacks = executor.flags().iter().copied().filter(unknown).map(str::to_owned).collect();
    let plain = executor.control_flag().as_ref().is_some_and(unknown);
    Probe { version, lacks, plain }
}

/// Whether a help text names a flag as a whole word.
fn names(help: &str, flag: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    help.match_indices(flag)
        .any(|(at, _)| !help[at + flag.len()..].starts_with(part) && !help[..at].ends_with(part))
}

fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

/// A directory that takes what CLIs write even when they are only asked who they are.
struct Scratch(PathBuf);

impl Scratch {
    fn new(data_dir: &Path) -> Self {
        let dir = data_dir.join("executors").join(format!(".probe-{}", uuid::Uuid::new_v4().simple()));
        let _ = fs::create_dir_all(&dir);
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::by_id;
    use std::os::unix::fs::PermissionsExt;

    struct Machine {
        dir: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap() }
        }

        fn cli(&self, version: &str, help: &str) -> PathBuf {
            let path = self.dir.path().join("codex");
            let asked = self.dir.path().join("asked");
            let text = format!(
                "#!/bin/sh\necho x >> {}\ncase $1 in --version) echo 'codex-cli {version}';; --help) echo '{help}';; esac\n",
                asked.display()
            );
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        }

        fn times_asked(&self) -> usize {
            fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default().lines().count()
        }

        fn probe(&self, binary: &Path) -> Probe {
            let codex = by_id(&"codex".into()).unwrap();
            let data = self.dir.path().join("data");
            Versions::load(&data).probe(codex, binary, &BTreeMap::new(), "/usr/bin:/bin", &data)
        }
    }

    #[test]
    fn an_old_cli_without_our_flags_is_named_with_the_remedy() {
        let machine = Machine::new();
        let binary = machine.cli("0.40.0", "-m, --model  --no-daemonize --sandbox");
        let probe = machine.probe(&binary);
        assert_eq!(probe.version.as_deref(), Some("0.40.0"));
        let found = Found { binary, why: "on your PATH", version: None };
        let said = probe.unfit(by_id(&"codex".into()).unwrap(), &found).unwrap();
        assert!(said.contains("is 0.40.0, too old for inspan: it does not know --no-daemon"), "{said}");
        assert!(said.contains("inspan install codex --force"), "{said}");
    }

    #[test]
    fn a_newer_cli_is_taken_at_its_word() {
        let machine = Machine::new();
        let probe = machine.probe(&machine.cli("99.0.0", "a help that says little"));
        assert_eq!(probe, Probe { version: Some("99.0.0".into()), lacks: Vec::new(), plain: false });
    }

    #[test]
    fn a_cli_that_says_nothing_is_left_to_the_pane() {
        let machine = Machine::new();
        let silent = machine.dir.path().join("codex");
        fs::write(&silent, "#!/bin/sh\nexit 1\n").unwrap();
        fs::set_permissions(&silent, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(machine.probe(&silent), Probe::default());
    }

    #[test]
    fn a_file_is_asked_once_until_it_changes() {
        let machine = Machine::new();
        let binary = machine.cli("0.169.0", "");
        machine.probe(&binary);
        machine.probe(&binary);
        assert_eq!(machine.times_asked(), 2, "version and help, once each");
        let binary = machine.cli("0.170.12", "");
        assert_eq!(machine.probe(&binary).version.as_deref(), Some("0.170.12"));
        assert_eq!(machine.times_asked(), 4);
        let left = fs::read_dir(machine.dir.path().join("data/executors")).unwrap().flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["versions.json"]);
    }
}
