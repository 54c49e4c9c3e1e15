//! Lists over the panes of which one row is taken, by key and by mouse.
use crate::{common::*, steps::*};

/// A left click at the place where a text stands first.
fn click(terminal: &Terminal, text: &str) {
    let shown = terminal.screen();
    let (y, line) = shown.lines().enumerate().find(|(_, line)| line.contains(text)).expect("it is shown");
    let x = line[..line.find(text).unwrap()].chars().count();
    terminal.send(format!("\x1b[<0;{0};{1}M\x1b[<0;{0};{1}m", x + 1, y + 1));
}

#[test]
fn a_session_a_window_and_a_pane_are_chosen_from_the_tree() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    sandbox.inspan(&["new-session", "-d", "-s", "store", "-n", "shelf", "sh"]).ok();
    sandbox.inspan(&["split-window", "-t", "work", "-h", "sh"]).ok();
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 2);
    terminal.keys("C-Space s");
    terminal.wait_for("sessions");
    terminal.send("stor");
    terminal.wait_for_no("(attached)");
    terminal.keys("Enter");
    terminal.wait_for("1 shelf*");
    // Back by the session before, then a pane of the tree.
    terminal.keys("C-Space L");
    wait_for_prompts(&terminal, 2);
    sandbox.inspan(&["bind-key", "T", "choose-tree"]).ok();
    terminal.keys("C-Space T");
    terminal.wait_for("%2 sh  ");
    terminal.send("%2");
    terminal.wait_for_no("shelf");
    terminal.keys("Enter");
    sandbox.wait_json("that pane has the keys", &["list-panes", "-t", "store"], |value| {
        value[0]["active"] == true
    });
    sandbox.wait_json("the client went there", &["list-clients"], |value| value[0]["session"] == "store");
}

#[test]
fn rows_are_taken_by_clicks_and_walked_by_the_wheel() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    sandbox.inspan(&["new-window", "-d", "-n", "second", "sh"]).ok();
    sandbox.inspan(&["new-window", "-d", "-n", "third", "sh"]).ok();
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space w");
    terminal.wait_for("choose  esc");
    // Twice: the first click chooses, the second takes.
    click(&terminal, "3 third   1 panes");
    click(&terminal, "3 third   1 panes");
    terminal.wait_for("3 third*");
    // The wheel over the windows' names goes through them.
    terminal.send("\x1b[<64;5;24M");
    terminal.wait_for("2 second*");
    terminal.send("\x1b[<65;5;24M");
    terminal.wait_for("3 third*");
    click(&terminal, "2 second");
    terminal.wait_for("2 second*");
}

#[test]
fn menus_numbers_and_questions_run_what_was_chosen() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    sandbox.inspan(&["split-window", "-d", "-t", "work", "-h", "sh"]).ok();
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 2);
    terminal.keys("C-Space q");
    terminal.wait_for("%2 ");
    terminal.send("2");
    sandbox.wait_json("the second has the keys", &["list-panes"], |value| value[1]["active"] == true);
    let menu =
        "display-menu -T '#{session_name}' Name n 'rename-window called' '' Other o 'rename-window other'";
    sandbox.inspan(&["bind-key", "M", menu]).ok();
    terminal.keys("C-Space M");
    terminal.wait_for("Other");
    terminal.send("o");
    terminal.wait_for("1 other*");
    sandbox.inspan(&["bind-key", "R", "command-prompt -p 'which name' \"rename-window '%%'\""]).ok();
    terminal.keys("C-Space R");
    terminal.wait_for("which name");
    terminal.send("by hand\r");
    terminal.wait_for("1 by hand*");
    sandbox.inspan(&["set-buffer", "-b", "kept", "echo pas''ted"]).ok();
    terminal.keys("C-Space =");
    terminal.wait_for("kept");
    terminal.keys("Enter");
    terminal.wait_for("echo pas''ted");
}
