//! One harness alone: it comes up without a dialog, works, asks, changes its model, and leaves nothing behind.
use super::{
    ALL, CLAUDE, CODEX, Cli, DIALOGS, GEMINI, GROK, LEAVE, OPENCODE, Stage, is_idle, processes_with,
};
use crate::common::wait_gone;

#[test]
fn claude_works_and_leaves_nothing_behind() {
    works(CLAUDE);
}

#[test]
fn codex_works_and_leaves_nothing_behind() {
    works(CODEX);
}

#[test]
fn gemini_works_and_leaves_nothing_behind() {
    works(GEMINI);
}

#[test]
fn opencode_works_and_leaves_nothing_behind() {
    works(OPENCODE);
}

#[test]
fn grok_works_and_leaves_nothing_behind() {
    works(GROK);
}

fn works(cli: Cli) {
    let stage = Stage::new();
    // The preset that lets Gemini CLI have a second model.
    stage.sandbox.write("config/inspan/policy.toml", "preset = \"open\"\n");
    let asking = stage.rehearse("ride", cli, "ask");
    comes_up_without_a_dialog(&stage, &asking, cli);
    asks_before_it_writes(&stage, &asking, cli);

    let free =
        stage.sandbox.inspan(&["new-window", "-t", "ride", "--executor", cli.name, "--permission", "full"]);
    let free = free.ok().to_owned();
    comes_up_without_a_dialog(&stage, &free, cli);
    writes_unasked(&stage, &free, cli);
    changes_its_model(&stage, &free, cli);

    let gone = processes_with("INSPAN_PANE", &asking);
    let gone: Vec<i32> = gone.into_iter().filter(|pid| belongs(&stage, *pid)).collect();
    assert!(!gone.is_empty(), "{asking} runs nothing");
    stage.sandbox.inspan(&["kill-pane", "-t", &asking]).ok();
    for pid in gone {
        assert!(wait_gone(pid, LEAVE), "process {pid} outlived its pane: {:?}", stage.sandbox.processes());
    }
    stage.wait_pane(&free, "the other pane goes on", is_idle);

    stage.sandbox.inspan(&["kill-server"]).ok();
    assert_eq!(stage.sandbox.processes(), [], "nothing outlives the server");
}

/// Panes are numbered by server, and another test's server has a `%1` too.
fn belongs(stage: &Stage, pid: i32) -> bool {
    stage.sandbox.processes().iter().any(|process| process.pid == pid)
}

fn comes_up_without_a_dialog(stage: &Stage, pane: &str, cli: Cli) {
    let row = stage.wait_idle(pane, cli);
    assert_eq!(row["model"], cli.model);
    assert_eq!(row["provider"], "rehearsal");
    let screen = stage.screen(pane);
    for dialog in DIALOGS {
        assert!(!screen.contains(dialog), "{} came up with a dialog: {dialog}\n{screen}", cli.name);
    }
}

fn asks_before_it_writes(stage: &Stage, pane: &str, cli: Cli) {
    let file = stage.repo.join("asked.txt");
    // As a person does it, at a terminal.
    let terminal = stage.sandbox.attach(super::SIZE.0, super::SIZE.1, &["attach", "-t", "ride"]);
    terminal.wait_for(cli.takes_prompts);
    let prompt = format!("[[{}: echo asked > {}]]", cli.asks, file.display());
    terminal.send(&prompt);
    stage.wait_read(pane, &prompt);
    terminal.keys("Enter");
    stage.wait_pane(pane, "it needs an answer, and the status says about what", |row| {
        row["status"] == "needs-you" && row["status_detail"].as_str().unwrap().contains("asked.txt")
    });
    stage.wait_read(pane, cli.question);
    assert!(!file.exists(), "it wrote before it was allowed to");
    terminal.keys("Enter");
    stage.wait_pane(pane, "the turn is over", |row| is_idle(row) && file.exists());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "asked\n");
    terminal.keys("C-Space d");
    assert_eq!(terminal.exit_status().code, 0);
    terminal.modes_restored().unwrap();
}

fn writes_unasked(stage: &Stage, pane: &str, cli: Cli) {
    let file = stage.repo.join("free.txt");
    stage.type_prompt(pane, "[[run: echo free > free.txt]]");
    let mut asked = false;
    stage.wait_pane(pane, "the turn is over and the file is there", |row| {
        asked |= row["status"] == "needs-you";
        is_idle(row) && file.exists()
    });
    assert!(!asked, "{} asked under --permission full", cli.name);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "free\n");
}

fn changes_its_model(stage: &Stage, pane: &str, cli: Cli) {
    let before = stage.row(pane);
    let answer = stage.ask(pane, "Who are you?");
    assert!(!answer.contains(cli.other_wire), "{answer}");
    stage.sandbox.inspan(&["model", "-t", pane, cli.other_model]).ok();
    let answer = stage.ask(pane, "And who are you now?");
    assert!(answer.contains(cli.other_wire), "the next request has the new model: {answer}");
    assert!(answer.contains("Who are you?"), "the conversation goes on: {answer}");
    let after = stage.row(pane);
    assert_eq!(after["model"], cli.other_model);
    for same in ["pid", "native_session"] {
        assert_eq!(before[same], after[same], "{same} is as before");
    }
}

#[test]
fn the_installed_clis_are_found_and_named() {
    let stage = Stage::new();
    let rows = stage.sandbox.json(&["executors"]);
    for cli in ALL {
        let row = rows.as_array().unwrap().iter().find(|row| row["executor"] == cli.name).unwrap();
        assert_eq!(row["origin"], "ours", "{row}");
        assert!(row["version"].as_str().is_some_and(|v| v.contains('.')), "{row}");
    }
}
