//! What each CLI shows in each status, and that the status follows what the scripted model does.
//!
//! With `INSPAN_RECORD_SCREENS` set to `1` the screens are kept in `src/executors/*/screens`, where tests read them that
//! need no CLI.
use super::{AGENTS, CLAUDE, CODEX, Cli, GEMINI, GROK, OPENCODE, SIZE, Stage, install, is_idle};
use inspan::{
    executors::{Signals, by_id},
    router::ExecutorId,
};
use serde_json::Value;
use std::{env, fs, path::Path};

/// Makes the screens be kept.
const RECORD: &str = "INSPAN_RECORD_SCREENS";
/// The CLIs whose screens say at once that a request is tried again; the others' is known from the gateway.
const RETRIES_SHOW: [&str; 4] = ["claude", "opencode", "grok", "openai-agents"];
/// Stands in the place of the sandbox's directory, which is another one each time.
const PLACE: &str = "/srv";

#[test]
fn the_status_of_claude_follows_what_happens() {
    timeline(CLAUDE);
}

#[test]
fn the_status_of_codex_follows_what_happens() {
    timeline(CODEX);
}

#[test]
fn the_status_of_gemini_follows_what_happens() {
    timeline(GEMINI);
}

#[test]
fn the_status_of_opencode_follows_what_happens() {
    timeline(OPENCODE);
}

#[test]
fn the_status_of_grok_follows_what_happens() {
    timeline(GROK);
}

#[test]
fn the_status_of_openai_agents_follows_what_happens() {
    install::beside(AGENTS.name);
    timeline(AGENTS);
}

fn timeline(cli: Cli) {
    let stage = Stage::new();
    let pane = stage.rehearse("ride", cli, "ask");
    stage.wait_idle(&pane, cli);
    shows(&stage, &pane, cli, "idle");

    let words =
        "[[slow: 12]] [[say: these words take their time to come, one after the other, until all are said]]";
    stage.sandbox.inspan(&["prompt", "-t", &pane, words]).ok();
    shows(&stage, &pane, cli, "working");
    assert_eq!(stage.row(&pane)["status"], "working");
    stage.wait_idle(&pane, cli);

    let file = stage.repo.join("asked.txt");
    let asks = format!("[[{}: echo asked > {}]]", cli.asks, file.display());
    stage.sandbox.inspan(&["prompt", "-t", &pane, &asks]).ok();
    stage.wait_pane(&pane, "it says what it asks", |row| {
        row["status"] == "needs-you" && row["status_detail"].as_str().unwrap().contains("asked.txt")
    });
    shows(&stage, &pane, cli, "needs-you");
    stage.wait_read(&pane, cli.question);
    stage
        .sandbox
        .inspan(&["send-keys", "-t", &pane, if cli.name == AGENTS.name { "y" } else { "Enter" }])
        .ok();
    stage.wait_pane(&pane, "the turn is over", |row| is_idle(row) && file.exists());

    // Tried again by the CLI, which says so on its screen, or at least at the gateway.
    stage.sandbox.inspan(&["prompt", "-t", &pane, "[[fail: 529 x2]] [[say: at the third try]]"]).ok();
    if RETRIES_SHOW.contains(&cli.name) {
        shows(&stage, &pane, cli, "retrying");
    }
    stage.wait_idle(&pane, cli);
    stage.wait_screen(&pane, "at the third try");

    let said = stage.sandbox.inspan(&["events"]);
    // `date time pane status WAS -> NOW (source): …`
    let lines = said.ok().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let seen: Vec<&str> = lines
        .filter(|words| words.get(3) == Some(&"status"))
        .filter_map(|words| words.get(6).copied())
        .collect();
    let mut rest = seen.iter();
    for wanted in ["idle", "working", "needs-you", "retrying"] {
        assert!(rest.any(|status| *status == wanted), "{wanted} in its turn among {seen:?}");
    }
    // Never a question where there was none: one was asked.
    assert_eq!(seen.iter().filter(|status| **status == "needs-you").count(), 1, "{seen:?}");

    let pid = stage.row(&pane)["pid"].as_i64().unwrap().to_string();
    stage.sandbox.run_in(stage.sandbox.root(), "kill", &["-KILL", &pid]).ok();
    stage.wait_pane(&pane, "it is gone", |row| row["status"] == "exited");
}

/// Waits until what the CLI shows, without its state file and what the gateway knows, means this status.
fn shows(stage: &Stage, pane: &str, cli: Cli, wanted: &str) {
    let executor = by_id(&ExecutorId::from(cli.name)).unwrap();
    let name = format!("the screen of {} means {wanted}", cli.name);
    let read = |told: &Value| {
        let signals = &told["signals"];
        let bottom: Vec<String> = signals["bottom"]
            .as_array()?
            .iter()
            .filter_map(|line| line.as_str().map(str::to_owned))
            .collect();
        executor.watch(&Signals {
            title: signals["title"].as_str()?,
            osc7501: signals["osc7501"].as_str(),
            bottom: &bottom,
            ..Signals::default()
        })
    };
    let told = stage.sandbox.wait_json(&name, &["explain", "-t", pane], |told| {
        read(told).is_some_and(|report| report.status.as_str() == wanted)
    });
    if env::var(RECORD).is_ok_and(|value| value == "1") {
        let detail = read(&told).unwrap().detail;
        keep(stage, cli, wanted, &detail, &told["signals"]);
    }
}

/// Writes a screen down, without what differs from run to run.
fn keep(stage: &Stage, cli: Cli, status: &str, detail: &str, signals: &Value) {
    let (root, repo) = (stage.sandbox.root().display().to_string(), stage.repo.canonicalize().unwrap());
    let real = repo.parent().unwrap().display().to_string();
    // A CLI may shorten the path; the sandbox's own name is in it all the same.
    let name = stage.sandbox.root().file_name().unwrap().to_string_lossy().into_owned();
    let plain = |text: &str| text.replace(&real, PLACE).replace(&root, PLACE).replace(&name, &PLACE[1..]);
    let mut text = format!("status: {status}\ncolumns: {}\n", SIZE.0);
    for (name, value) in [
        ("detail", Some(detail)),
        ("title", signals["title"].as_str()),
        ("osc7501", signals["osc7501"].as_str()),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text.push_str(&format!("{name}: {}\n", plain(value)));
        }
    }
    text.push_str("screen:\n");
    for line in signals["bottom"].as_array().unwrap() {
        text.push_str(plain(line.as_str().unwrap()).trim_end());
        text.push('\n');
    }
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/executors")
        .join(cli.name.replace('-', "_"))
        .join("screens");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(format!("{status}.txt")), text).unwrap();
}
