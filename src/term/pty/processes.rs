//! Owns finding and ending everything that a process started, from /proc.
//!
//! Three nets, because each has holes: the tree of parents (lost when a parent dies), the session (left by setsid),
//! and a mark in the environment (lost when a program cleans it). Must not know: terminals.
use super::MARK;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpid};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

/// Pause between two looks at the process table while waiting for processes to end.
const POLL: Duration = Duration::from_millis(15);

/// How long the kernel gets to remove what SIGKILL ended; only a process stuck in the kernel takes longer.
const KILL_TIME: Duration = Duration::from_secs(1);

/// Whom to stop.
#[derive(Clone, Debug)]
pub struct Target {
    /// The session leader; may be gone already.
    pub leader: i32,
    /// The terminal's foreground process group.
    pub foreground: Option<i32>,
    /// The value of `MARK` in the environment.
    pub mark: String,
}

/// What stopping brought about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Processes that had to be killed.
    pub killed: Vec<i32>,
    /// Processes that are still there; empty unless the kernel holds them.
    pub left: Vec<i32>,
}

/// A line of the process table.
#[derive(Clone, Copy, Debug)]
struct Process {
    parent: i32,
    group: i32,
    session: i32,
    /// Start time in clock ticks: with the id it names a process for good.
    started: u64,
    zombie: bool,
}

/// Reads the process table; what disappears meanwhile is left out.
fn table() -> BTreeMap<i32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Some((pid, read(pid)?))
        })
        .collect()
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name may hold blanks and parentheses; everything behind the last one is numbers.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse().ok();
    Some(Process {
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn is_marked(pid: i32, mark: &str) -> bool {
    let wanted = [MARK.as_bytes(), b"=", mark.as_bytes()].concat();
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|b| *b == 0).any(|entry| entry == wanted))
}

/// All processes below `pid` in the tree of parents, without itself; zombies included.
pub fn descendants(pid: i32) -> Vec<i32> {
    below(&table(), pid).into_iter().collect()
}

fn below(table: &BTreeMap<i32, Process>, root: i32) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        for (pid, process) in table {
            if process.parent == parent && found.insert(*pid) {
                open.push(*pid);
            }
        }
    }
    found
}

/// Everything living that belongs to the target, with start times. Never this process or its parents.
fn members(target: &Target) -> BTreeMap<i32, Process> {
    let table = table();
    let tree = below(&table, target.leader);
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let mut protected = BTreeSet::from([0, 1, own]);
    let mut at = own;
    while let Some(process) = table.get(&at) {
        if !protected.insert(process.parent) {
            break;
        }
        at = process.parent;
    }
    table
        .into_iter()
        .filter(|(pid, process)| {
            !process.zombie
                && !protected.contains(pid)
                && (*pid == target.leader
                    || tree.contains(pid)
                    || process.session == target.leader
                    || is_marked(*pid, &target.mark))
        })
        .collect()
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may be gone already, which is what is wanted.
        let _ = kill_process(pid, signal);
    }
}

/// Whether a process ignores SIGTERM, as interactive shells do.
fn ignores_term(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (Signal::TERM.as_raw() - 1)) != 0
}

/// Ends the target: SIGTERM to everybody (SIGHUP, as from a closed terminal, to shells, which ignore it), SIGKILL to
/// whoever is there after `grace`, until nobody is left.
///
/// Blocks for at most `grace` and about a second.
pub fn stop(target: &Target, grace: Duration) -> Stopped {
    let mut stopped = Stopped::default();
    let first = members(target);
    let groups: BTreeSet<i32> = first
        .values()
        .filter(|process| process.session == target.leader)
        .map(|process| process.group)
        .chain(target.foreground.filter(|group| first.values().any(|process| process.group == *group)))
        .collect();
    for group in groups.iter().filter_map(|group| Pid::from_raw(*group)) {
        let _ = kill_process_group(group, Signal::TERM);
    }
    for pid in first.keys().filter(|pid| !groups.contains(&first[*pid].group)) {
        signal(*pid, Signal::TERM);
    }
    for pid in first.keys().filter(|pid| ignores_term(**pid)) {
        signal(*pid, Signal::HUP);
    }
    for pid in first.keys() {
        // A stopped job cannot follow the request otherwise.
        signal(*pid, Signal::CONT);
    }
    wait(target, Instant::now() + grace, |_| {});
    let end = Instant::now() + KILL_TIME;
    stopped.left = wait(target, end, |remaining| {
        for (pid, process) in remaining {
            // The id may have passed to somebody else since the table was read.
            if read(*pid).is_some_and(|now| now.started == process.started) {
                signal(*pid, Signal::KILL);
                if !stopped.killed.contains(pid) {
                    stopped.killed.push(*pid);
                }
            }
        }
    });
    stopped
}

/// Looks until nobody is left or the time is up, calling `each` with those who remain; returns who remains.
fn wait(target: &Target, end: Instant, mut each: impl FnMut(&BTreeMap<i32, Process>)) -> Vec<i32> {
    loop {
        let remaining = members(target);
        if remaining.is_empty() {
            return Vec::new();
        }
        each(&remaining);
        if Instant::now() >= end {
            return remaining.into_keys().collect();
        }
        std::thread::sleep(POLL);
    }
}

/// The children of this process.
pub fn children() -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    table().into_iter().filter(|(_, process)| process.parent == own).map(|(pid, _)| pid).collect()
}

/// Waits for children that nobody else waits for, one after the other, until all are gone.
pub fn reap(children: &[i32]) {
    for pid in children.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        while matches!(waitpid(Some(pid), WaitOptions::empty()), Err(rustix::io::Errno::INTR)) {}
    }
}

/// Reaps dead orphans that came to this process as their subreaper; returns how many. Children that were started here
/// are left to whoever started them: those in this process's own session, and the session leaders named.
pub fn reap_orphans(leaders: &[i32]) -> usize {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let table = table();
    let Some(session) = table.get(&own).map(|process| process.session) else { return 0 };
    table
        .iter()
        .filter(|(pid, process)| {
            process.zombie && process.parent == own && process.session != session && !leaders.contains(pid)
        })
        .filter_map(|(pid, _)| Pid::from_raw(*pid))
        .filter(|pid| matches!(waitpid(Some(*pid), WaitOptions::NOHANG), Ok(Some(_))))
        .count()
}
