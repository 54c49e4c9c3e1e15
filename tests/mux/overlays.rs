//! What opens over the panes: router panel, picker, palette, keys, dialogs.
use crate::{common::*, steps::*};

#[test]
fn the_router_panel_opens_filters_and_closes() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space r");
    terminal.wait_for("router");
    terminal.wait_for("codex");
    terminal.wait_for("gemini");
    terminal.send("code");
    terminal.wait_for_no("gemini");
    terminal.wait_for("codex");
    terminal.send("zzz");
    terminal.wait_for_no("codex");
    terminal.keys("Escape");
    terminal.keys("Escape");
    terminal.wait_for_no("router");
    // Nothing of it reached the shell, whose size is as before.
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
    assert!(!terminal.screen().contains("zzz"), "{}", terminal.screen());
}

#[test]
fn the_panel_overlays_a_small_terminal_and_docks_in_a_wide_one() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let width = || panes(&sandbox)[0]["width"].as_u64().unwrap();
    let terminal = sandbox.attach(80, 24, &["attach", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    let before = width();
    terminal.keys("C-Space r");
    terminal.wait_for("router");
    assert_eq!(width(), before);
    terminal.keys("Escape");
    terminal.wait_for_no("router");
    terminal.resize(170, 40);
    terminal.wait_for("router");
    sandbox.wait_json("the pane leaves room for the panel", &["list-panes"], |panes| {
        panes[0]["width"].as_u64().is_some_and(|width| (100..150).contains(&width))
    });
}

#[test]
fn the_picker_starts_what_is_picked() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "claude");
    let dir = sandbox.repository("shop");
    let terminal = sandbox.terminal(80, 24).dir(&dir).attach(&[]);
    terminal.wait_for("claude");
    terminal.wait_for("shell");
    // The slash: a first letter alone may be a command.
    terminal.send("/shell");
    terminal.wait_for_no("codex");
    terminal.keys("Enter");
    wait_for_prompts(&terminal, 1);
    let listed = sandbox.json(&["list-sessions"]);
    assert_eq!(listed[0]["name"], "shop");
    detach(&terminal);
    // The directory has a session now, so there is nothing to pick.
    let terminal = sandbox.terminal(80, 24).dir(&dir).attach(&[]);
    wait_for_prompts(&terminal, 1);
}

#[test]
fn leaving_the_picker_leaves_nothing() {
    let sandbox = Sandbox::new();
    let terminal = sandbox.attach(80, 24, &[]);
    terminal.wait_for("shell");
    terminal.keys("Escape");
    assert_eq!(terminal.exit_status().code, 0);
    assert_eq!(terminal.modes_restored(), Ok(()));
}

#[test]
fn the_palette_runs_commands_and_says_what_is_wrong() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space :");
    terminal.wait_for("split-window");
    terminal.send("split-window -h\r");
    wait_for_prompts(&terminal, 2);
    terminal.keys("C-Space :");
    terminal.wait_for("split-window");
    terminal.send("frobnicate now\r");
    terminal.wait_for("unrecognized subcommand 'frobnicate'");
    // What was typed stays, to be put right; then the pane has the keys again.
    terminal.wait_for(": frobnicate now");
    terminal.keys("Escape");
    terminal.wait_for_no("frobnicate now");
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
}

#[test]
fn the_keys_are_listed_and_can_be_searched() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space ?");
    terminal.wait_for("split-window");
    terminal.send("detach");
    terminal.wait_for_no("split-window");
    terminal.wait_for("detach-client");
    terminal.keys("Escape Escape");
    terminal.wait_for_no("detach-client");
}

#[test]
fn a_refusal_stands_where_the_result_was_looked_for() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space :");
    terminal.wait_for("split-window");
    terminal.send("split-window --executor opencode --model claude-opus-4.6 --auth byok\r");
    terminal.wait_for("not possible");
    terminal.keys("Escape");
    terminal.wait_for_no("not possible");
    assert_eq!(panes(&sandbox).len(), 1);
    let words = ["split-window", "--executor", "opencode", "--model", "claude-opus-4.6", "--auth", "byok"];
    assert!(sandbox.inspan(&words).fails(3).contains("refused by"));
}

#[test]
fn a_refusal_in_the_picker_leads_back_to_it_and_its_remedies_run() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "claude");
    let dir = sandbox.repository("shop");
    let terminal = sandbox.terminal(80, 24).dir(&dir).attach(&[]);
    terminal.wait_for("log in or add a key");
    terminal.keys("Enter");
    terminal.wait_for("not possible: claude");
    terminal.keys("Escape");
    terminal.wait_for_no("not possible");
    terminal.wait_for("split with two");
    terminal.send("?");
    terminal.wait_for("keys after C-Space");
    terminal.keys("Escape");
    terminal.wait_for("split with two");
    terminal.keys("Enter");
    terminal.wait_for("not possible: claude");
    let mut number = None;
    terminal.wait_until("rehearsal has a number", |screen| {
        number = rows(screen).iter().find_map(|row| {
            let (before, _) = row.split_once("  rehearse:")?;
            before.chars().next_back().filter(char::is_ascii_digit)
        });
        number.is_some()
    });
    terminal.send(number.unwrap().to_string());
    terminal.wait_for("claude>");
    assert_eq!(panes(&sandbox)[0]["executor"], "claude");
}

#[test]
fn a_session_may_start_with_two() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "claude");
    let words = ["new-session", "--rehearse", "--executor", "claude", "--split", "shell"];
    let terminal = sandbox.attach(120, 30, &words);
    terminal.wait_for("claude>");
    wait_for_prompts(&terminal, 1);
    let panes = panes(&sandbox);
    assert_eq!([&panes[0]["executor"], &panes[1]["executor"]], ["claude", "shell"]);
    assert_eq!(panes[0]["active"], true, "the first choice has the keys");
    assert_eq!(panes[0]["height"], panes[1]["height"], "side by side");
}
