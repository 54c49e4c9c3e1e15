//! Codex on its app-server: what it asks is answered from outside, and its thread takes prompts, interruptions and
//! models beside its TUI.
use super::{CODEX, Stage, is_idle};
use serde_json::Value;
use std::path::Path;

fn explained(stage: &Stage, status: &str) -> Value {
    stage.sandbox.wait_json(&format!("it is {status}"), &["explain", "-t", "ride"], |said| {
        said["status"] == status && said["source"] == "protocol"
    })
}

/// Has it ask about a command outside its sandbox, and answers.
fn asked(stage: &Stage, pane: &str, file: &Path, verb: &str) {
    let prompt = format!("[[outside: echo asked > {}]]", file.display());
    stage.sandbox.inspan(&["prompt", "-t", pane, &prompt]).ok();
    let asking = explained(stage, "needs-you");
    assert!(asking["question"].as_str().unwrap().contains("echo asked >"), "{asking}");
    assert!(!file.exists(), "it wrote before it was allowed to");
    // The TUI asks the same, and stops asking when it was answered elsewhere.
    stage.wait_screen(pane, CODEX.question);
    assert!(stage.sandbox.inspan(&[verb, "-t", pane]).ok().contains("echo asked >"));
    stage.wait_pane(pane, "the turn is over", is_idle);
    stage.wait_screen(pane, CODEX.takes_prompts);
}

#[test]
fn what_codex_asks_is_answered_by_a_verb() {
    let stage = Stage::new();
    let pane = stage.rehearse("ride", CODEX, "ask");
    stage.wait_idle(&pane, CODEX);
    assert_eq!(explained(&stage, "idle")["control"], "typed control is on");

    let (denied, approved) = (stage.repo.join("denied.txt"), stage.repo.join("approved.txt"));
    asked(&stage, &pane, &denied, "deny");
    assert!(!denied.exists(), "a denied command ran");
    asked(&stage, &pane, &approved, "approve");
    assert_eq!(std::fs::read_to_string(&approved).unwrap(), "asked\n");

    let answer = stage.ask(&pane, "Who are you?");
    assert!(!answer.is_empty());
    stage.wait_screen(&pane, "Who are you?");
    let session = stage.row(&pane)["native_session"].clone();
    stage.sandbox.inspan(&["kill-server"]).ok();
    assert!(session.is_string(), "{session}");
    assert_eq!(stage.sandbox.processes(), [], "nothing outlives the server");
}
