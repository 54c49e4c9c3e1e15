//! The official Agents SDK, installed from PyPI by the product, in a pane of ours.
use super::{AGENTS, CODEX, Stage, install, is_idle};
use crate::common::{Signal, wait_gone};
use std::{fs, time::Duration};

fn stage() -> Stage {
    install::beside(AGENTS.name);
    Stage::new()
}

#[test]
fn a_turn_asks_works_fails_and_goes_on() {
    let stage = stage();
    let pane = stage.rehearse("ride", AGENTS, "ask");
    stage.wait_idle(&pane, AGENTS);
    let file = stage.repo.join("asked.txt");
    stage.type_prompt(&pane, "[[run: echo asked > asked.txt; cat asked.txt]]");
    stage.wait_pane(&pane, "it needs an answer, and the status says about what", |row| {
        row["status"] == "needs-you" && row["status_detail"].as_str().unwrap().contains("asked.txt")
    });
    stage.wait_screen(&pane, AGENTS.question);
    assert!(!file.exists(), "it wrote before it was allowed to");
    stage.sandbox.inspan(&["send-keys", "-t", &pane, "y"]).ok();
    stage.wait_pane(&pane, "the turn is over", |row| is_idle(row) && file.exists());
    assert_eq!(fs::read_to_string(&file).unwrap(), "asked\n");

    let answer = stage.ask(&pane, "[[fail: 429 x1]] [[say: at the second try]]");
    assert_eq!(answer.trim(), "at the second try");
    stage.wait_screen(&pane, "try 1 of 5 failed: 429");
    let answer = stage.ask(&pane, "[[cut x1]] [[say: at the third try of something else]]");
    assert_eq!(answer.trim(), "at the third try of something else");
    stage.wait_screen(&pane, "the answer broke off");
    let failed = stage.sandbox.inspan(&["prompt", "-t", &pane, "--wait", "[[fail: 401]]"]);
    assert!(failed.fails(1).contains("401"), "{failed:?}");

    let limited = stage.sandbox.inspan(&["prompt", "-t", &pane, "--wait", "[[fail: 429]]"]);
    assert!(limited.fails(1).contains("429"), "{limited:?}");
    assert_eq!(stage.row(&pane)["status"], "limited");

    stage.type_prompt(&pane, "[[slow: 300]] [[say: never to be heard]]");
    stage.wait_pane(&pane, "a turn is under way", |row| row["status"] == "working");
    stage.sandbox.inspan(&["send-keys", "-t", &pane, "Escape"]).ok();
    stage.wait_pane(&pane, "it was interrupted", is_idle);
    assert_eq!(stage.ask(&pane, "[[say: as before]]").trim(), "as before");

    let before = stage.row(&pane);
    stage.sandbox.inspan(&["model", "-t", &pane, AGENTS.other_model]).ok();
    let answer = stage.ask(&pane, "Who are you?");
    assert!(answer.contains(AGENTS.other_wire), "the next request has the new model: {answer}");
    assert_eq!(stage.row(&pane)["pid"], before["pid"]);
}

#[test]
fn the_session_goes_on_after_the_server_was_killed() {
    /// A killed process is gone within this time.
    const GONE: Duration = Duration::from_secs(10);
    let stage = stage();
    let pane = stage.rehearse("ride", AGENTS, "full");
    stage.wait_idle(&pane, AGENTS);
    stage.ask(&pane, "The password of the day is quince");
    stage.sandbox.inspan(&["prompt", "-t", &pane, "[[run: sleep 300]]"]).ok();
    let before = stage.wait_pane(&pane, "a tool runs", |row| row["status_detail"] == "run sleep 300");
    let server = stage.sandbox.server().expect("it runs");
    server.kill(Signal::KILL);
    assert!(wait_gone(server.pid, GONE));

    let row = stage.wait_pane(&pane, "the pane is offered", |row| row["status"] == "exited");
    assert_eq!(row["native_session"], before["native_session"]);
    let terminal = stage.sandbox.attach(120, 40, &["attach", "-t", "ride"]);
    terminal.wait_for("resume");
    terminal.keys("r");
    stage.wait_idle(&pane, AGENTS);
    assert_eq!(stage.row(&pane)["native_session"], before["native_session"]);
    stage.wait_screen(&pane, "The password of the day is quince");
    // A call without a result would be refused by the model API, so the interrupted turn was made whole.
    let answer = stage.ask(&pane, "[[recall: quince]]");
    assert!(answer.contains("The password of the day is quince"), "{answer}");
}

#[test]
fn it_switches_to_another_and_back() {
    let stage = stage();
    let pane = stage.rehearse("ride", AGENTS, "full");
    stage.wait_idle(&pane, AGENTS);
    stage.ask(&pane, "The bell 77 hangs in the north tower [[run: echo bell > bell.txt]]");
    let (before, session) = (stage.tree(), stage.row(&pane)["native_session"].clone());
    let report = stage.sandbox.json(&["switch", "-t", &pane, "--executor", CODEX.name]);
    assert_eq!((&report["session"], &report["workspace_same"]), (&"new".into(), &true.into()), "{report}");
    stage.wait_idle(&pane, CODEX);
    let told = stage.ask(&pane, "[[recall: bell 77]]");
    assert!(told.contains("north tower"), "{told}");
    assert_eq!(stage.tree(), before);

    let report = stage.sandbox.json(&["switch", "-t", &pane, "--executor", AGENTS.name]);
    assert_eq!(
        (&report["session"], &report["workspace_same"]),
        (&"resumed".into(), &true.into()),
        "{report}"
    );
    stage.wait_idle(&pane, AGENTS);
    assert_eq!(stage.row(&pane)["native_session"], session);
    stage.wait_screen(&pane, "handoff ·");
    let told = stage.ask(&pane, "[[recall: bell 77]]");
    assert!(told.contains("north tower"), "{told}");
    assert_eq!(stage.tree(), before);
}
