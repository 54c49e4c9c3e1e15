//! Putting an exact, tested version of an executor into our data directory, from npm or PyPI.
//!
//! Layout: `<data>/executors/<id>/<version>/…`, `current` a link to the version in use; the one before
//! is kept. Must not know: who draws the progress.
mod python;

use super::{
    Executor, Package, Registry,
    detect::{binary_below, output_within, probe_version, version_in},
};
use fs2::FileExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, BufRead, BufReader},
    os::unix::fs::{DirBuilderExt, MetadataExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// Half a gigabyte over a slow line takes this long; beyond it the line is broken.
const INSTALL_TIME: Duration = Duration::from_secs(30 * 60);
/// Another installation may hold the lock for as long as it may take.
const LOCK_TIME: Duration = INSTALL_TIME;
/// How often the lock and the growing directory are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// `node --version` and `npm --version` take a second on a slow disk.
const TOOL_TIME: Duration = Duration::from_secs(20);
/// A compressed binary of 170 MB takes seconds; a slow disk makes it a minute.
const UNPACK_TIME: Duration = Duration::from_secs(180);
/// Brotli is a part of Node.js, which npm needs anyway.
const UNPACK: &str = "const fs = require('fs'), [from, to] = process.argv.slice(1); \
     fs.writeFileSync(to, require('zlib').brotliDecompressSync(fs.readFileSync(from)), {mode: 0o755}); fs.unlinkSync(from)";
/// A question to the package registry over a slow line.
const ASK_TIME: Duration = Duration::from_secs(60);
/// Lines of a package manager's that a failure quotes.
const QUOTED_LINES: usize = 12;
/// Lines of its output waiting to be shown; it waits when nobody reads.
const QUEUED_LINES: usize = 256;
/// How package managers say that a disk is full or a quota used up.
const FULL: &[&str] = &["ENOSPC", "No space left", "no space left", "EDQUOT", "Disk quota exceeded"];
/// Name of an installation that is under way.
const UNFINISHED: &str = ".unfinished-";

/// What an installation depends on.
#[derive(Clone, Copy)]
pub struct InstallOptions<'a> {
    /// Where npm, node and the user's npm configuration are found.
    pub env: &'a BTreeMap<String, String>,
    /// Installs again although that version is there.
    pub again: bool,
    /// The newest version that npm has, instead of the tested one.
    pub newest: bool,
    /// By the vendor's own installer instead of npm: the person agreed.
    pub vendor: bool,
}

/// What an installation tells while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Before anything is fetched: package, version and megabytes on disk.
    Size {
        /// The package's name.
        package: &'static str,
        /// The exact version.
        version: String,
        /// Megabytes on disk.
        mb: u32,
    },
    /// A step began.
    Step(String),
    /// Megabytes on disk so far, of the megabytes to expect.
    Grown(u64, u32),
    /// A line that the package manager printed.
    Line(String),
}

/// What an installation left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The file to execute.
    pub binary: PathBuf,
    /// What it says its version is.
    pub version: String,
    /// It was there already.
    pub already: bool,
}

/// Why an installation failed, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The executor has no package.
    #[error("{0} cannot be installed by inspan · it has no package · put its CLI on your PATH")]
    NoPackage(String),
    /// Its runner and its package belong together.
    #[error("{0} is installed in the version that inspan's own runner was written for · leave out --update")]
    Pinned(String),
    /// There is no version to go back to.
    #[error("there is no earlier version of {0} to go back to · inspan keeps the one before an update")]
    NoPrevious(String),
    /// npm is missing.
    #[error(
        "npm was not found on your PATH · it is needed to install {0} · install Node.js with npm (your system's \
         package manager has it), or put {0} on your PATH yourself"
    )]
    NoNpm(String),
    /// npm is missing, and the vendor has an installer that does without.
    #[error(
        "npm was not found on your PATH · {0} can be installed without it by its vendor's own installer, a script from \
         {1} · inspan install {0} --vendor runs it into inspan's own directory; or install Node.js with npm"
    )]
    NoNpmButScript(String, &'static str),
    /// The vendor has no installer of that kind.
    #[error("{0} has no installer of its vendor's that does without npm · leave out --vendor")]
    NoScript(String),
    /// The vendor's installer failed.
    #[error(
        "the vendor's installer from {script} did not install {executor} · {why} · check the network and that curl and \
         bash are there, then run the same command again{quoted}"
    )]
    Script {
        /// Which executor.
        executor: String,
        /// Where the script is from.
        script: &'static str,
        /// Its exit status or the time that ran out.
        why: String,
        /// The last lines that it printed.
        quoted: String,
    },
    /// There is no room.
    #[error(
        "{path} has no room for {executor} · {needed} MB are needed, {free} MB are free · free some space there, or put \
         inspan's data elsewhere with XDG_DATA_HOME, then run the same command again"
    )]
    Full {
        /// Which executor.
        executor: String,
        /// Where.
        path: PathBuf,
        /// Megabytes that it takes.
        needed: u64,
        /// Megabytes that are free.
        free: u64,
    },
    /// Node.js cannot run the CLI.
    #[error(
        "Node.js {found} is too old · {executor} needs {needed} or newer · install a newer Node.js, or put {executor} \
         on your PATH yourself"
    )]
    OldNode {
        /// Which executor.
        executor: String,
        /// The version found, or `(missing)`.
        found: String,
        /// The oldest major version that works.
        needed: u32,
    },
    /// npm failed.
    #[error(
        "npm could not install {package} · {why} · check the network and `npm config list`, then run the same \
         command again{quoted}"
    )]
    Npm {
        /// `name@version`.
        package: String,
        /// Its exit status or the time that ran out.
        why: String,
        /// The last lines that it printed.
        quoted: String,
    },
    /// No Python can make the environment.
    #[error(
        "{why} · Python {needed} or newer with its venv module is needed to install {executor} · your system's package \
         manager has it (on Debian and Ubuntu: apt install python3-venv)"
    )]
    NoPython {
        /// Which executor.
        executor: String,
        /// What was found instead.
        why: String,
        /// The oldest version that works.
        needed: &'static str,
    },
    /// pip failed.
    #[error(
        "pip could not install {package} · {why} · check the network and `pip config list`, then run the same command \
         again{quoted}"
    )]
    Pip {
        /// `name==version`.
        package: String,
        /// Its exit status or the time that ran out.
        why: String,
        /// The last lines that it printed.
        quoted: String,
    },
    /// What was installed does not run, or is another version.
    #[error(
        "{package} was fetched but {why} · nothing was changed · your platform may not be supported: put the CLI on \
         your PATH yourself"
    )]
    Broken {
        /// `name@version`.
        package: String,
        /// What was wrong.
        why: String,
    },
    /// Another installation of the same executor did not end.
    #[error("another installation of {0} holds its lock · end it, then run the same command again")]
    Locked(String),
    /// The file system refused.
    #[error("cannot write {path} · {source} · check space and permissions there")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> InstallError + '_ {
    move |source| InstallError::Io { path: path.to_owned(), source }
}

/// Installs the tested version of `executor` below `data_dir`. Blocks; call it on a thread of its own.
///
/// # Errors
/// Every error names its remedy; a failed installation leaves the version in use as it was.
pub fn install(
    executor: &dyn Executor,
    data_dir: &Path,
    options: InstallOptions<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Installed, InstallError> {
    let name = executor.id().to_string();
    let package = executor.package().ok_or_else(|| InstallError::NoPackage(name.clone()))?;
    let root = data_dir.join("executors").join(&name);
    private_dir(&root)?;
    let _lock = lock(&root, &name, progress)?;
    sweep(&root);
    let mut home =
        Place { executor, package, options, version: package.version.to_owned(), dir: root.clone() };
    if options.newest {
        home.version = home.newest()?;
    }
    let version = home.version.clone();
    home.dir = root.join(&version);
    if !options.again
        && let Ok(there) = home.check(&home.dir)
    {
        flip(&root, &version)?;
        return Ok(Installed { already: true, binary: in_use(&root, &home.dir, &there.binary), ..there });
    }
    progress(Progress::Size { package: package.name, version: version.clone(), mb: package.size_mb });
    let script = match (options.vendor, executor.vendor_script()) {
        (false, _) => None,
        (true, Some(script)) => Some(script),
        (true, None) => return Err(InstallError::NoScript(name.clone())),
    };
    let python = match executor.registry() {
        _ if script.is_some() => None,
        Registry::Npm => home.tools().map(|()| None)?,
        Registry::PyPi { .. } => Some(home.python()?),
    };
    home.room(&root, free_megabytes(&root))?;
    let fresh = root.join(format!("{UNFINISHED}{}", std::process::id()));
    private_dir(&fresh)?;
    let fetched = match (script, python) {
        (Some(script), _) => home.fetch_script(script, &fresh, progress),
        (None, None) => home.fetch(&fresh, progress).and_then(|()| home.unpack(&fresh, progress)),
        (None, Some(python)) => home.fetch_python(&python, &fresh, progress),
    };
    let done = fetched.and_then(|()| {
        progress(Progress::Step("asking the new binary for its version".into()));
        let found = home.check(&fresh)?;
        take_place(&fresh, &home.dir)?;
        flip(&root, &version)?;
        Ok(Installed { binary: in_use(&root, &fresh, &found.binary), ..found })
    });
    if done.is_err() {
        let _ = fs::remove_dir_all(&fresh);
    } else {
        keep_two(&root);
    }
    done
}

/// Goes back to the version that was in use before the one that is; called twice, it is as it was.
///
/// # Errors
/// When there is none, or it does not run any more; then nothing changed.
pub fn back(
    executor: &dyn Executor,
    data_dir: &Path,
    env: &BTreeMap<String, String>,
) -> Result<Installed, InstallError> {
    let name = executor.id().to_string();
    let package = executor.package().ok_or_else(|| InstallError::NoPackage(name.clone()))?;
    let root = data_dir.join("executors").join(&name);
    let before = fs::read_link(root.join("previous")).ok().filter(|version| root.join(version).is_dir());
    let version = before.as_ref().and_then(|version| version.to_str()).map(str::to_owned);
    let version = version.ok_or_else(|| InstallError::NoPrevious(name.clone()))?;
    let _lock = lock(&root, &name, &mut |_| {})?;
    let options = InstallOptions { env, again: false, newest: false, vendor: false };
    let dir = root.join(&version);
    let home = Place { executor, package, options, version: version.clone(), dir };
    let found = home.check(&home.dir)?;
    flip(&root, &version)?;
    Ok(Installed { binary: in_use(&root, &home.dir, &found.binary), ..found })
}

/// The path of a binary below `prefix` by way of the link to the version in use, which outlives the version.
fn in_use(root: &Path, prefix: &Path, binary: &Path) -> PathBuf {
    root.join("current").join(binary.strip_prefix(prefix).unwrap_or(binary))
}

/// One version of one package, and where it belongs.
struct Place<'a> {
    executor: &'a dyn Executor,
    package: Package,
    options: InstallOptions<'a>,
    version: String,
    dir: PathBuf,
}

impl Place<'_> {
    fn spec(&self) -> String {
        let between = if self.executor.registry() == Registry::Npm { "@" } else { "==" };
        format!("{}{between}{}", self.package.name, self.version)
    }

    /// The version that the registry calls the latest.
    fn newest(&self) -> Result<String, InstallError> {
        if self.executor.registry() != Registry::Npm {
            return Err(InstallError::Pinned(self.executor.id().to_string()));
        }
        self.tools()?;
        let said = output_within(self.command("npm").args(["view", self.package.name, "version"]), ASK_TIME);
        said.as_deref().and_then(version_in).ok_or_else(|| InstallError::Npm {
            package: self.package.name.to_owned(),
            why: "`npm view` names no version of it".into(),
            quoted: String::new(),
        })
    }

    fn command(&self, program: &str) -> Command {
        let path = self.options.env.get("PATH").map(String::as_str).unwrap_or_default();
        let file = path.split(':').map(|dir| Path::new(dir).join(program)).find(|file| file.is_file());
        let mut command =
            Command::new(file.unwrap_or_else(|| PathBuf::from(format!("/nonexistent/{program}"))));
        command.env_clear().envs(self.options.env);
        command
    }

    /// npm is there, and Node.js is new enough.
    fn tools(&self) -> Result<(), InstallError> {
        let name = self.executor.id().to_string();
        if output_within(self.command("npm").arg("--version"), TOOL_TIME).is_none() {
            return Err(match self.executor.vendor_script() {
                Some(script) => InstallError::NoNpmButScript(name, script),
                None => InstallError::NoNpm(name),
            });
        }
        let Some(needed) = self.package.node else { return Ok(()) };
        let found = output_within(self.command("node").arg("--version"), TOOL_TIME);
        let found = found.map_or("(missing)".to_owned(), |v| v.trim().trim_start_matches('v').to_owned());
        let major: u32 = found.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        if major < needed {
            return Err(InstallError::OldNode { executor: name, found, needed });
        }
        Ok(())
    }

    /// Runs npm into `prefix`, telling its lines and how the directory grows.
    fn fetch(&self, prefix: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), InstallError> {
        progress(Progress::Step(format!("npm install {}", self.spec())));
        let mut command = self.command("npm");
        // Native binaries need no Node.js, whatever their wrapper package says; the others are checked in `tools`.
        // Scripts only copy those binaries about or build optional parts in the user's caches.
        command.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--no-engine-strict",
            "--ignore-scripts",
        ]);
        command.arg("--prefix").arg(prefix);
        command.arg(self.spec()).current_dir(prefix);
        self.watched(command, prefix, progress).map_err(|failed| {
            self.full(&failed, prefix).unwrap_or_else(|| InstallError::Npm {
                package: self.spec(),
                quoted: failed.quoted("npm"),
                why: failed.why,
            })
        })
    }

    /// Runs the vendor's own installer with `prefix` as its home, so that it touches nothing of the person's.
    fn fetch_script(
        &self,
        script: &'static str,
        prefix: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), InstallError> {
        progress(Progress::Step(format!("the vendor's installer from {script}")));
        let mut command = self.command("bash");
        // Fetched whole before a line of it runs.
        let line = "set -e; curl -fsSL --max-time 300 -o \"$HOME/install.sh\" \"$1\"; \
            exec bash \"$HOME/install.sh\" --version \"$2\" --no-modify-path";
        command.args(["-c", line, "install", script, &self.version]);
        command.env("HOME", prefix).current_dir(prefix);
        for name in
            ["OPENCODE_INSTALL_DIR", "XDG_BIN_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"]
        {
            command.env_remove(name);
        }
        self.watched(command, prefix, progress).map_err(|failed| {
            self.full(&failed, prefix).unwrap_or_else(|| InstallError::Script {
                executor: self.executor.id().to_string(),
                script,
                quoted: failed.quoted("installer"),
                why: failed.why,
            })
        })
    }

    /// Refuses what would fill the disk; `free` in megabytes, `None` where that is not known.
    fn room(&self, path: &Path, free: Option<u64>) -> Result<(), InstallError> {
        let needed = u64::from(self.package.size_mb);
        match free.filter(|free| *free < needed) {
            Some(free) => Err(InstallError::Full {
                executor: self.executor.id().to_string(),
                path: path.to_owned(),
                needed,
                free,
            }),
            None => Ok(()),
        }
    }

    /// What a package manager met was a full disk.
    fn full(&self, failed: &Failed, prefix: &Path) -> Option<InstallError> {
        let full = failed.lines.iter().any(|line| FULL.iter().any(|words| line.contains(words)));
        full.then(|| InstallError::Full {
            executor: self.executor.id().to_string(),
            path: prefix.parent().unwrap_or(prefix).to_owned(),
            needed: u64::from(self.package.size_mb),
            free: free_megabytes(prefix).unwrap_or(0),
        })
    }

    /// Runs a package manager to its end, telling its lines and how the directory grows.
    fn watched(
        &self,
        mut command: Command,
        prefix: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Failed> {
        let failed = |why: String, lines: &[String]| Failed { why, lines: lines.to_vec() };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| failed(e.to_string(), &[]))?;
        let (sender, lines) = mpsc::sync_channel(QUEUED_LINES);
        for pipe in [
            child.stdout.take().map(|p| Box::new(p) as Box<dyn io::Read + Send>),
            child.stderr.take().map(|p| Box::new(p) as Box<dyn io::Read + Send>),
        ] {
            let (Some(pipe), sender) = (pipe, sender.clone()) else { continue };
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let until = Instant::now() + INSTALL_TIME;
        let mut last: Vec<String> = Vec::new();
        let mut grown = 0;
        let status = loop {
            match lines.recv_timeout(LOOK) {
                Ok(line) => {
                    last.push(line.clone());
                    last.drain(..last.len().saturating_sub(QUOTED_LINES));
                    progress(Progress::Line(line));
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let now = megabytes(prefix);
                    if now != grown {
                        grown = now;
                        progress(Progress::Grown(now, self.package.size_mb));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK / 50),
            }
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < until => {}
                _ => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(failed(
                        format!("it did not end within {} minutes", INSTALL_TIME.as_secs() / 60),
                        &last,
                    ));
                }
            }
        };
        last.extend(lines.try_iter().inspect(|line| progress(Progress::Line(line.clone()))));
        if status.success() { Ok(()) } else { Err(failed(status.to_string(), &last)) }
    }

    /// Unpacks a binary that its package holds compressed: its own script, which is not run, would put it into a home.
    fn unpack(&self, prefix: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), InstallError> {
        let packed =
            |file: &&&str| prefix.join(format!("{file}.br")).is_file() && !prefix.join(file).exists();
        let Some(file) = self.package.binaries.iter().find(packed) else { return Ok(()) };
        progress(Progress::Step("unpacking the binary".into()));
        let mut node = self.command("node");
        node.args(["-e", UNPACK, "--"]).arg(prefix.join(format!("{file}.br"))).arg(prefix.join(file));
        match output_within(&mut node, UNPACK_TIME) {
            Some(_) => Ok(()),
            None => Err(InstallError::Broken {
                package: self.spec(),
                why: "its compressed binary could not be unpacked by `node`".into(),
            }),
        }
    }

    /// The package below `prefix` has a binary that runs and says the version asked for.
    fn check(&self, prefix: &Path) -> Result<Installed, InstallError> {
        let broken = |why: String| InstallError::Broken { package: self.spec(), why };
        let binary = binary_below(self.executor, prefix)
            .ok_or_else(|| broken("it holds no binary for this machine".into()))?;
        let scratch = self.dir.with_file_name(format!("{UNFINISHED}probe-{}", std::process::id()));
        private_dir(&scratch)?;
        let version = probe_version(&binary, self.options.env, &scratch);
        let _ = fs::remove_dir_all(&scratch);
        let version = version.ok_or_else(|| broken("its binary does not say its version".into()))?;
        if version != self.version {
            return Err(broken(format!("its binary says version {version}")));
        }
        Ok(Installed { binary, version, already: false })
    }
}

/// A package manager that did not do it.
struct Failed {
    why: String,
    lines: Vec<String>,
}

impl Failed {
    /// Its last lines, each behind its name.
    fn quoted(&self, who: &str) -> String {
        self.lines.iter().map(|line| format!("\n  {who}: {line}")).collect()
    }
}

/// Megabytes that are free where a directory lies.
fn free_megabytes(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize) / 1_000_000)
}

fn private_dir(path: &Path) -> Result<(), InstallError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

/// One installation of an executor at a time, over all processes of this user.
fn lock(root: &Path, name: &str, progress: &mut dyn FnMut(Progress)) -> Result<fs::File, InstallError> {
    let path = root.join(".lock");
    let file = fs::OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
    let until = Instant::now() + LOCK_TIME;
    let mut told = false;
    while file.try_lock_exclusive().is_err() {
        if Instant::now() > until {
            return Err(InstallError::Locked(name.to_owned()));
        }
        if !told {
            progress(Progress::Step(format!("waiting for another installation of {name}")));
            told = true;
        }
        thread::sleep(LOOK);
    }
    Ok(file)
}

fn entries(root: &Path) -> Vec<PathBuf> {
    fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn named(path: &Path) -> &str {
    path.file_name().and_then(|n| n.to_str()).unwrap_or_default()
}

/// Removes what interrupted installations left. Called under the lock, so none of it is in use.
fn sweep(root: &Path) {
    for path in entries(root).iter().filter(|p| named(p).starts_with(UNFINISHED)) {
        let _ = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
    }
}

/// Moves `fresh` to `place`, out of whose way an unusable directory goes first.
fn take_place(fresh: &Path, place: &Path) -> Result<(), InstallError> {
    if place.exists() {
        let aside = place.with_file_name(format!("{UNFINISHED}replaced-{}", std::process::id()));
        fs::rename(place, &aside).map_err(at(place))?;
        let moved = fs::rename(fresh, place).map_err(at(place));
        if moved.is_err() {
            let _ = fs::rename(&aside, place);
        } else {
            let _ = fs::remove_dir_all(&aside);
        }
        return moved;
    }
    fs::rename(fresh, place).map_err(at(place))
}

/// Points `current` at a version in one step, and `previous` at the one before.
fn flip(root: &Path, version: &str) -> Result<(), InstallError> {
    let current = root.join("current");
    let before = fs::read_link(&current).ok();
    if before.as_deref() == Some(Path::new(version)) {
        return Ok(());
    }
    if let Some(before) = before {
        point(root, "previous", &before)?;
    }
    point(root, "current", Path::new(version))
}

fn point(root: &Path, name: &str, target: &Path) -> Result<(), InstallError> {
    let fresh = root.join(format!("{UNFINISHED}{name}-{}", std::process::id()));
    let link = root.join(name);
    symlink(target, &fresh).and_then(|()| fs::rename(&fresh, &link)).map_err(at(&link))
}

/// Removes versions other than the current and the previous one.
fn keep_two(root: &Path) {
    let kept: Vec<PathBuf> =
        ["current", "previous"].iter().filter_map(|l| fs::read_link(root.join(l)).ok()).collect();
    for path in entries(root) {
        let is_version = named(&path).starts_with(|c: char| c.is_ascii_digit());
        if is_version && !kept.iter().any(|k| k == Path::new(named(&path))) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Megabytes below a directory; a file with several names counts once.
fn megabytes(dir: &Path) -> u64 {
    let mut total = 0;
    let mut seen = BTreeSet::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                waiting.push(entry.path());
            } else if seen.insert(meta.ino()) {
                total += meta.len();
            }
        }
    }
    total / 1_000_000
}

#[cfg(test)]
mod tests;
