//! Owns the measurements: what is done to a rig and which figures come of it.
use super::{
    material::{BLOCK, MARKER, Workload},
    rig::{Kind, Rig, Scratch},
};
use anyhow::{Context, Result};
use serde::Serialize;
use std::{
    fs,
    time::{Duration, Instant},
};

/// How often a workload is run on each system; the middle one counts.
pub const ROUNDS: usize = 3;

/// Panes of the idle measurement.
pub const IDLE_PANES: usize = 30;

/// How long idleness is watched.
pub const IDLE: Duration = Duration::from_secs(5);

/// How long a server may still be busy after its panes were opened: names, git and the system's process list are looked
/// at once things have settled.
const SETTLE: Duration = Duration::from_secs(3);

/// Characters that are typed: no part of any escape sequence or of what surrounds a pane.
const KEYS: &[u8] = b"#&=_^";

/// Keys on a line; beyond that Enter begins a new one.
const LINE: usize = 60;

/// Length of the kernel's clock tick in `/proc`, on every Linux that Rust supports.
const TICK: Duration = Duration::from_millis(10);

/// One run of a workload.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Run {
    /// From the start of the output until its end was on the client's screen.
    pub seconds: f64,
    /// Megabytes (2^20) of output a second.
    pub mb_per_s: f64,
    /// What the client's terminal was sent meanwhile.
    pub sent_bytes: u64,
    /// Processor time of the server.
    pub server_cpu_s: f64,
}

/// Echo times of one system.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Echo {
    /// Half of the keys were echoed within this many microseconds.
    pub p50_us: f64,
    /// 99 of 100 keys were.
    pub p99_us: f64,
    /// All times in the order of typing.
    pub all_us: Vec<f64>,
}

/// A server with nothing to do.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Idle {
    /// Processor time of the server while it was watched.
    pub cpu_ms: f64,
    /// How often one of its threads was woken.
    pub wakeups: u64,
    /// Resident memory.
    pub rss_mb: f64,
}

/// Runs a workload on every system in turn, `ROUNDS` times, each in a fresh server; the middle run of each.
///
/// # Errors
/// A system does not start or does not finish.
pub fn throughput(
    kinds: &[Kind],
    workload: Workload,
    megabytes: usize,
    scratch: &Scratch,
) -> Result<Vec<Run>> {
    fs::write(scratch.path().join("block"), workload.block()).context("cannot write the material")?;
    fs::write(scratch.path().join("end"), workload.end())?;
    let mut runs = vec![Vec::new(); kinds.len()];
    for _ in 0..ROUNDS {
        for (kind, runs) in kinds.iter().zip(&mut runs) {
            runs.push(stream(*kind, megabytes, scratch)?);
        }
    }
    Ok(runs
        .into_iter()
        .filter_map(|mut runs: Vec<Run>| {
            runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
            runs.get(runs.len() / 2).copied()
        })
        .collect())
}

fn stream(kind: Kind, megabytes: usize, scratch: &Scratch) -> Result<Run> {
    // One process prints everything, and a file of a megabyte stays in the kernel's cache.
    let script = format!("stty -echo; read go; cat {}end; exec cat", "block ".repeat(megabytes));
    let mut rig = Rig::start(kind, scratch, &script)?;
    let (sent, cpu) = (rig.received, cpu(rig.pid)?);
    let begin = Instant::now();
    rig.write(b"\r")?;
    rig.until(MARKER.as_bytes())?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Run {
        seconds,
        mb_per_s: (megabytes * BLOCK) as f64 / f64::from(1 << 20) / seconds,
        sent_bytes: rig.received - sent,
        server_cpu_s: (self::cpu(rig.pid)?.saturating_sub(cpu)).as_secs_f64(),
    })
}

/// Types `keys` characters into every system, one after the other, and times each until it is back.
///
/// # Errors
/// A system does not start or does not answer.
pub fn echo(kinds: &[Kind], keys: usize, scratch: &Scratch) -> Result<Vec<Echo>> {
    let mut rigs =
        kinds.iter().map(|kind| Rig::start(*kind, scratch, "exec cat")).collect::<Result<Vec<_>>>()?;
    let mut echoes = vec![Echo::default(); rigs.len()];
    for number in 0..keys {
        // A person's rhythm is uneven, and a fixed one could march in step with a timer of either.
        let pause = Duration::from_millis(5 + (number * 7 % 11) as u64);
        for (rig, echo) in rigs.iter_mut().zip(&mut echoes) {
            if number % LINE == LINE - 1 {
                rig.write(b"\r")?;
                rig.settle(pause * 4)?;
            }
            rig.settle(pause)?;
            let key = KEYS[number % KEYS.len()];
            let begin = Instant::now();
            rig.write(&[key])?;
            rig.until(&[key])?;
            echo.all_us.push(begin.elapsed().as_secs_f64() * 1e6);
        }
    }
    for echo in &mut echoes {
        let mut sorted = echo.all_us.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(index.clamp(1, sorted.len()) - 1).copied().unwrap_or_default()
        };
        (echo.p50_us, echo.p99_us) = (at(0.5), at(0.99));
    }
    Ok(echoes)
}

/// Opens `IDLE_PANES` panes in every system and watches the servers do nothing.
///
/// # Errors
/// A pane cannot be opened.
pub fn idle(kinds: &[Kind], scratch: &Scratch) -> Result<Vec<Idle>> {
    let mut rigs =
        kinds.iter().map(|kind| Rig::start(*kind, scratch, "exec cat")).collect::<Result<Vec<_>>>()?;
    for rig in &rigs {
        for _ in 1..IDLE_PANES {
            match rig.kind {
                Kind::Inspan => rig.command(&["new-window", "-d", "-t", "bench", "--", "cat"])?,
                Kind::Tmux => rig.command(&["new-window", "-d", "-t", "bench:", "cat"])?,
            };
        }
    }
    watch(&mut rigs, SETTLE)?;
    let before = rigs.iter().map(|rig| Ok((cpu(rig.pid)?, wakeups(rig.pid)?))).collect::<Result<Vec<_>>>()?;
    watch(&mut rigs, IDLE)?;
    rigs.iter()
        .zip(before)
        .map(|(rig, (cpu_before, wakeups_before))| {
            Ok(Idle {
                cpu_ms: cpu(rig.pid)?.saturating_sub(cpu_before).as_secs_f64() * 1e3,
                wakeups: wakeups(rig.pid)?.saturating_sub(wakeups_before),
                rss_mb: field(&format!("/proc/{}/status", rig.pid), "VmRSS:")? as f64 / 1024.0,
            })
        })
        .collect()
}

/// Reads what the systems send for this long.
fn watch(rigs: &mut [Rig<'_>], time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        for rig in &mut *rigs {
            rig.settle(Duration::from_millis(20))?;
        }
    }
    Ok(())
}

/// Processor time of a process, its finished threads included.
fn cpu(pid: i32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the server is gone")?;
    // The name may hold spaces; what follows its bracket is regular. See proc(5): utime and stime.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok()).unwrap_or(0);
    Ok(TICK * (ticks(11) + ticks(12)))
}

fn wakeups(pid: i32) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the server is gone")? {
        let status = task?.path().join("status");
        sum += field(&status.to_string_lossy(), "voluntary_ctxt_switches:").unwrap_or(0);
    }
    Ok(sum)
}

/// The number behind a name at the start of a line.
fn field(path: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(path).context("the server is gone")?;
    let found =
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    found.with_context(|| format!("{path} has no {name}"))
}
