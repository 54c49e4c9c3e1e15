//! Which processes belong to a sandbox, and waiting for their end.
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    time::{Duration, Instant},
};

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub argv: Vec<String>,
}

impl Process {
    /// Sends a signal; a process that is gone already is as good.
    pub fn kill(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// The processes whose environment, arguments or working directory name `root`, without this one.
pub fn of(root: &Path) -> Vec<Process> {
    let needle = root.as_os_str().as_bytes();
    let me = std::process::id().to_string();
    let mut found: Vec<Process> = fs::read_dir("/proc")
        .expect("/proc lists the processes")
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let pid = name.parse().ok().filter(|_| name != me)?;
            let dir = Path::new("/proc").join(&name);
            let names = |file: &str| fs::read(dir.join(file)).is_ok_and(|bytes| contains(&bytes, needle));
            let inside = || fs::read_link(dir.join("cwd")).is_ok_and(|cwd| cwd.starts_with(root));
            (names("environ") || names("cmdline") || inside()).then(|| Process { pid, argv: argv(&dir) })
        })
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

fn argv(dir: &Path) -> Vec<String> {
    let line = fs::read(dir.join("cmdline")).unwrap_or_default();
    let words = line.split(|&byte| byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(bytes, needle).is_some()
}

/// Waits until a process has ended (reaped or not); false when it still runs after `limit`.
pub fn wait_gone(pid: i32, limit: Duration) -> bool {
    let Some(pid) = Pid::from_raw(pid) else { return true };
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return ready > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("waiting for process {}: {error}", pid.as_raw_nonzero()),
        }
    }
}

/// Waits for the end of every process that names `root`, new ones included, and returns those that stayed.
pub fn outlast(root: &Path, limit: Duration) -> Vec<Process> {
    let until = Instant::now() + limit;
    loop {
        let left = of(root);
        let gone =
            |process: &Process| wait_gone(process.pid, until.saturating_duration_since(Instant::now()));
        if left.is_empty() || !left.iter().all(gone) {
            return left.into_iter().filter(|process| !wait_gone(process.pid, Duration::ZERO)).collect();
        }
    }
}
