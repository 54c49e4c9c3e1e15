//! `inspan bench`: the hot paths, measured against tmux in one run on one machine.
//!
//! Both run as private servers with a client attached in a terminal of 200×50 that the bench holds and drains; figures
//! are told as ratios, since absolute times say more about the machine.
pub mod gateway;
mod interrupt;
mod material;
mod measure;
mod rig;

use anyhow::Result;
use material::Workload;
use measure::{Echo, IDLE, IDLE_PANES, Idle, ROUNDS, Run};
use rig::{COLS, Kind, ROWS, Scratch, tmux_version};
use serde_json::{Map, Value, json};

/// Measures and prints.
pub fn run(megabytes: usize, keys: usize, json: bool) -> Result<i32> {
    interrupt::listen()?;
    let scratch = Scratch::new()?;
    let tmux = tmux_version();
    let mut kinds = vec![Kind::Inspan];
    kinds.extend(tmux.is_some().then_some(Kind::Tmux));

    let page = Page::new(json);
    page.head(tmux.as_deref());
    let mut rows = Vec::new();
    for workload in Workload::ALL {
        let megabytes = workload.megabytes(megabytes);
        let runs = measure::throughput(&kinds, workload, megabytes, &scratch)?;
        page.throughput(workload, megabytes, &runs);
        let mut row = pair("inspan", "tmux", &runs);
        row.insert("workload".into(), workload.name().into());
        row.insert("megabytes".into(), megabytes.into());
        put_ratio(&mut row, "ratio", &runs, |run| run.seconds);
        put_ratio(&mut row, "sent_ratio", &runs, |run| run.sent_bytes as f64);
        rows.push(Value::Object(row));
    }
    let echoes = measure::echo(&kinds, keys.max(1), &scratch)?;
    page.echo(&echoes);
    let mut echo = pair("inspan", "tmux", &echoes);
    put_ratio(&mut echo, "ratio_p50", &echoes, |echo| echo.p50_us);
    put_ratio(&mut echo, "ratio_p99", &echoes, |echo| echo.p99_us);
    let idles = measure::idle(&kinds, &scratch)?;
    page.idle(&idles);
    let mut idle = pair("inspan", "tmux", &idles);
    idle.insert("panes".into(), IDLE_PANES.into());
    idle.insert("seconds".into(), IDLE.as_secs().into());

    if json {
        super::print_json(&json!({
            "terminal": { "cols": COLS, "rows": ROWS },
            "tmux": tmux,
            "rounds": ROUNDS,
            "throughput": rows,
            "echo": echo,
            "idle": idle,
        }));
    } else if tmux.is_none() {
        super::out("\ntmux is not on PATH: these are inspan's own figures, without ratios.\n");
    } else {
        super::out("\nA ratio above 1 is in inspan's favour.\n");
    }
    Ok(0)
}

/// The systems' figures by name; tmux is null where there is none.
fn pair<T: serde::Serialize>(ours: &str, theirs: &str, figures: &[T]) -> Map<String, Value> {
    let figure = |at: usize| figures.get(at).and_then(|figure| serde_json::to_value(figure).ok());
    let mut map = Map::new();
    map.insert(ours.into(), figure(0).unwrap_or_default());
    map.insert(theirs.into(), figure(1).unwrap_or_default());
    map
}

/// How many times as much tmux needs.
fn ratio<T>(figures: &[T], of: impl Fn(&T) -> f64) -> Option<f64> {
    let (ours, theirs) = (of(figures.first()?), of(figures.get(1)?));
    (ours > 0.0).then(|| theirs / ours)
}

fn put_ratio<T>(row: &mut Map<String, Value>, name: &str, figures: &[T], of: impl Fn(&T) -> f64) {
    row.insert(name.into(), ratio(figures, of).map(|ratio| (ratio * 100.0).round() / 100.0).into());
}

/// The report for people, a line as soon as its figures are there; silent when JSON is asked for.
struct Page {
    silent: bool,
}

impl Page {
    fn new(silent: bool) -> Self {
        Self { silent }
    }

    fn line(&self, name: &str, figures: &[String], ratio: Option<f64>) {
        if self.silent {
            return;
        }
        let mut line = format!("{name:<34}");
        for figure in figures {
            line.push_str(&format!("{figure:>14}"));
        }
        if let Some(ratio) = ratio {
            line.push_str(&format!("{ratio:>9.2}×"));
        }
        super::out(&(line.trim_end().to_owned() + "\n"));
    }

    fn head(&self, tmux: Option<&str>) {
        let mut names = vec!["inspan".to_owned()];
        names.extend(tmux.map(str::to_owned));
        self.line(&format!("client of {COLS}×{ROWS}"), &names, None);
    }

    fn throughput(&self, workload: Workload, megabytes: usize, runs: &[Run]) {
        let each = |of: &dyn Fn(&Run) -> String| runs.iter().map(of).collect::<Vec<_>>();
        let name = format!("{megabytes} MB of {}", workload.name());
        self.line(&name, &each(&|run| format!("{:.1} MB/s", run.mb_per_s)), ratio(runs, |run| run.seconds));
        let sent = each(&|run| format!("{:.2} MB", run.sent_bytes as f64 / f64::from(1 << 20)));
        self.line("  sent to the terminal", &sent, ratio(runs, |run| run.sent_bytes as f64));
        let cpu = each(&|run| format!("{:.2} s", run.server_cpu_s));
        self.line("  processor time of the server", &cpu, ratio(runs, |run| run.server_cpu_s));
    }

    fn echo(&self, echoes: &[Echo]) {
        let each = |of: &dyn Fn(&Echo) -> f64| {
            echoes.iter().map(|echo| format!("{:.0} µs", of(echo))).collect::<Vec<_>>()
        };
        let keys = echoes.first().map_or(0, |echo| echo.all_us.len());
        self.line(
            &format!("echo of a key, median of {keys}"),
            &each(&|echo| echo.p50_us),
            ratio(echoes, |echo| echo.p50_us),
        );
        self.line(
            "echo of a key, 99th percentile",
            &each(&|echo| echo.p99_us),
            ratio(echoes, |echo| echo.p99_us),
        );
    }

    fn idle(&self, idles: &[Idle]) {
        let each = |of: &dyn Fn(&Idle) -> String| idles.iter().map(of).collect::<Vec<_>>();
        let name = format!("{IDLE_PANES} idle panes for {} s", IDLE.as_secs());
        self.line(&name, &each(&|idle| format!("{:.0} ms", idle.cpu_ms)), None);
        self.line("  wakeups of the server", &each(&|idle| idle.wakeups.to_string()), None);
        self.line("  its memory", &each(&|idle| format!("{:.1} MB", idle.rss_mb)), None);
    }
}
