//! The server is killed in the middle of a turn; the next one offers to resume, and the same native session goes on.
use super::{CLAUDE, CODEX, Cli, GEMINI, GROK, OPENCODE, Stage};
use crate::common::{Signal, wait_gone};
use std::time::Duration;

/// A killed process is gone within this time.
const GONE: Duration = Duration::from_secs(10);

#[test]
fn claude_resumes_after_the_server_was_killed() {
    killed(CLAUDE);
}

#[test]
fn codex_resumes_after_the_server_was_killed() {
    killed(CODEX);
}

#[test]
fn gemini_resumes_after_the_server_was_killed() {
    killed(GEMINI);
}

#[test]
fn opencode_resumes_after_the_server_was_killed() {
    killed(OPENCODE);
}

#[test]
fn grok_resumes_after_the_server_was_killed() {
    killed(GROK);
}

fn killed(cli: Cli) {
    let stage = Stage::new();
    let pane = stage.rehearse("ride", cli, "ask");
    stage.wait_idle(&pane, cli);
    stage.ask(&pane, "The password of the day is quince");
    stage.sandbox.inspan(&["prompt", "-t", &pane, "[[slow: 300]] [[say: never to be heard]]"]).ok();
    let before = stage.wait_pane(&pane, "a turn is under way", |row| {
        row["status"] == "working" && row["native_session"].is_string()
    });

    let server = stage.sandbox.server().expect("it runs");
    server.kill(Signal::KILL);
    assert!(wait_gone(server.pid, GONE));

    // The next command starts the next server.
    let row = stage.wait_pane(&pane, "the pane is offered", |row| row["status"] == "exited");
    assert_eq!(row["native_session"], before["native_session"]);
    let terminal = stage.sandbox.attach(120, 40, &["attach", "-t", "ride"]);
    for way in ["resume", "fresh", "shell"] {
        terminal.wait_for(way);
    }
    let harness = before["pid"].as_i64().unwrap();
    assert!(wait_gone(i32::try_from(harness).unwrap(), GONE), "the old harness goes on");

    terminal.keys("r");
    stage.wait_idle(&pane, cli);
    let recalled = stage.ask(&pane, "[[recall: password of the day]]");
    assert!(recalled.contains("The password of the day is quince"), "{recalled}");
    let after = stage.row(&pane);
    for same in ["native_session", "executor", "model", "auth", "provider", "permission"] {
        assert_eq!(before[same], after[same], "{same} is as before");
    }
}
