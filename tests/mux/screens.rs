//! The attached screen, cell by cell, at the sizes that people have.
use crate::{common::*, steps::*};

/// Snapshots a screen without what differs between two runs: clock, temporary names, version.
macro_rules! screen {
    ($terminal:expr, $name:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("screens");
        settings.set_omit_expression(true);
        settings.add_filter(r"\b\d\d:\d\d\b", "14:02");
        settings.add_filter(r"/tmp/is\w{6}", "/tmp/sandbox.");
        settings.add_filter(concat!(r"\b", env!("CARGO_PKG_VERSION"), r"\b"), "0.0.0");
        settings.bind(|| insta::assert_snapshot!($name, $terminal.screen()));
    }};
}

const SIZES: [(&str, u16, u16); 3] = [("80x24", 80, 24), ("120x40", 120, 40), ("40x24", 40, 24)];

/// Two shells side by side and one below, in a repository.
fn three_panes(sandbox: &Sandbox, columns: u16, rows: u16) -> Terminal {
    let dir = sandbox.repository("shop");
    let first = sandbox.inspan(&["new-session", "-d", "-s", "shop", "-c", dir.to_str().unwrap(), "--", "sh"]);
    let right = sandbox.inspan(&["split-window", "-t", first.ok(), "-h", "--", "sh"]);
    sandbox.inspan(&["split-window", "-t", right.ok(), "-v", "--", "sh"]).ok();
    for pane in panes(sandbox) {
        wait_for_capture(sandbox, pane["id"].as_str().unwrap(), PROMPT);
    }
    let terminal = sandbox.attach(columns, rows, &["attach", "-t", "shop"]);
    terminal.wait_for("main");
    terminal
}

#[test]
fn three_panes_at_each_size() {
    for (name, columns, rows) in SIZES {
        let sandbox = Sandbox::new();
        let terminal = three_panes(&sandbox, columns, rows);
        wait_for_prompts(&terminal, if columns < 50 { 1 } else { 3 });
        screen!(terminal, format!("panes_{name}"));
    }
}

#[test]
fn a_harness_with_its_panel_at_each_size() {
    for (name, columns, rows) in SIZES {
        let sandbox = Sandbox::new();
        stub_session(&sandbox, "claude");
        sandbox.wait_json("the harness is idle", &["list-panes"], |panes| panes[0]["status"] == "idle");
        let terminal = sandbox.attach(columns, rows, &["attach", "-t", "work"]);
        terminal.wait_for("claude>");
        terminal.wait_for("main");
        terminal.keys("C-Space r");
        terminal.wait_for("router");
        terminal.wait_until("every executor was looked at", |screen| {
            let text = screen.contents();
            text.lines().any(|line| line.contains("agents   gpt-5.4 ") && line.contains(" install"))
        });
        screen!(terminal, format!("panel_{name}"));
    }
}

#[test]
fn the_picker_at_each_size() {
    for (name, columns, rows) in SIZES {
        let sandbox = Sandbox::new();
        stub_cli(&sandbox, "claude");
        let dir = sandbox.repository("shop");
        let terminal = sandbox.terminal(columns, rows).dir(&dir).attach(&[]);
        terminal.wait_for("gemini");
        terminal.wait_for("git main, cl");
        screen!(terminal, format!("picker_{name}"));
    }
}

#[test]
fn an_exit_card_at_each_size() {
    for (name, columns, rows) in SIZES {
        let sandbox = Sandbox::new();
        session(&sandbox, &["sh", "-c", "echo last words; exit 3"]);
        let terminal = sandbox.attach(columns, rows, &["attach", "-t", "work"]);
        terminal.wait_for("exited 3");
        screen!(terminal, format!("card_{name}"));
    }
}

#[test]
fn the_panel_docked() {
    let sandbox = Sandbox::new();
    let terminal = three_panes(&sandbox, 170, 40);
    terminal.wait_for("agents");
    wait_for_prompts(&terminal, 3);
    screen!(terminal, "docked_170x40");
}

#[test]
fn a_refusal_at_each_size() {
    for (name, columns, rows) in SIZES {
        let sandbox = Sandbox::new();
        shell_session(&sandbox);
        let terminal = sandbox.attach(columns, rows, &["attach", "-t", "work"]);
        wait_for_prompts(&terminal, 1);
        terminal.keys("C-Space :");
        terminal.wait_for("command");
        terminal.send("split-window --executor opencode --model claude-opus-4.6 --auth byok\r");
        terminal.wait_for("not possible");
        screen!(terminal, format!("refusal_{name}"));
    }
}
