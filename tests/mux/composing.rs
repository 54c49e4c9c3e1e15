//! Writing a prompt over a pane.
use crate::{common::*, steps::*};

/// What the stand-in heard, one line for each line that was given to it.
fn heard(sandbox: &Sandbox, pane: &str, text: &str) {
    sandbox.wait_output(&format!("{pane} heard {text:?}"), &["capture-pane", "-p", "-t", pane], |output| {
        output.stdout.lines().any(|line| line.contains("heard") && line.contains(text))
    });
}

#[test]
fn a_draft_outlives_the_composer_the_client_and_the_server_and_is_sent_then() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "claude");
    let terminal = sandbox.attach(100, 30, &["attach", "-t", "work"]);
    terminal.wait_for("claude>");
    terminal.keys("C-Space Enter");
    terminal.wait_for("to  ● %1 claude");
    terminal.send("first line");
    terminal.keys("M-Enter");
    terminal.send("see @READ\t");
    terminal.wait_for("see @README.md");
    terminal.keys("Escape");
    terminal.wait_for_no("to  ● %1 claude");
    assert!(!sandbox.inspan(&["capture-pane", "-p", "-t", &pane]).ok().contains("first line"));

    terminal.keys("C-Space Enter");
    terminal.wait_for("first line");
    let file = sandbox.state_dir().join("panes").join(panes(&sandbox)[0]["key"].as_str().unwrap());
    wait_for_path(&file.join("draft.txt"));
    let deadline = std::time::Instant::now() + DEADLINE;
    while !std::fs::read_to_string(file.join("draft.txt")).unwrap().ends_with("README.md ") {
        assert!(std::time::Instant::now() < deadline, "the draft is not on disk");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    crash(&sandbox);
    terminal.exit_status();

    let terminal = sandbox.attach(100, 30, &["attach", "-t", "work"]);
    terminal.wait_for("f fresh");
    terminal.keys("f");
    terminal.wait_for("claude>");
    sandbox.wait_json("it takes a prompt", &["list-panes"], |panes| panes[0]["status"] == "idle");
    terminal.keys("C-Space Enter");
    terminal.wait_for("see @README.md");
    terminal.keys("Enter");
    terminal.wait_for_no("to  ● %1 claude");
    heard(&sandbox, &pane, "first line");
    // What was sent is the newest of what was sent, and no draft any more.
    terminal.keys("C-Space Enter");
    terminal.wait_for("to  ● %1 claude");
    terminal.keys("Up");
    terminal.wait_for("see @README.md");
}

#[test]
fn one_prompt_goes_to_several_panes() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "codex");
    let first = stub_session(&sandbox, "claude");
    let second = sandbox.inspan(&["split-window", "-t", &first, "-h", "--executor", "codex"]).ok().to_owned();
    wait_for_capture(&sandbox, &second, "codex> ");
    sandbox.wait_json("both take a prompt", &["list-panes"], |panes| {
        list(panes).iter().all(|pane| pane["status"] == "idle")
    });
    let sent = sandbox.inspan(&["compose", "--to", &first, "--to", &second, "to both"]);
    assert_eq!(sent.ok(), format!("{first} was given it, {second} was given it"));
    heard(&sandbox, &first, "to both");
    heard(&sandbox, &second, "to both");
    sandbox.inspan(&["compose", "--to", "%99", "to nobody"]).fails(1);
}

#[test]
fn a_pane_that_does_not_start_working_is_named() {
    let sandbox = Sandbox::new();
    stub_session(&sandbox, "claude");
    let terminal = sandbox.attach(120, 30, &["attach", "-t", "work"]);
    terminal.wait_for("claude>");
    sandbox.wait_json("it takes a prompt", &["list-panes"], |panes| panes[0]["status"] == "idle");
    terminal.keys("C-Space Enter");
    terminal.wait_for("to  ● %1 claude");
    terminal.send("do it");
    terminal.keys("Enter");
    terminal.wait_for("%1 was given a prompt and has not started working");
}
