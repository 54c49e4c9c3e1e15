//! Settings from outside: what is wrong is named, and what is right holds.
use crate::{common::*, steps::*};

#[test]
fn a_wrong_key_is_named_with_its_place_and_neighbour() {
    let sandbox = Sandbox::new();
    let file =
        sandbox.config("# mine\nprefx = \"C-a\"\nhistory = \"many\"\n\n[keys]\n\"q\" = \"spilt-window\"\n");
    let output = sandbox.inspan(&["config", "check"]);
    let said = output.fails(1);
    let line = |number: usize| {
        let place = format!("{}:{number}", file.display());
        said.lines().find(|line| line.contains(&place)).unwrap_or_else(|| panic!("no {place} in {said}"))
    };
    assert!(line(2).contains("prefx") && line(2).contains("prefix"), "{said}");
    assert!(line(3).contains("history"), "{said}");
    assert!(line(6).contains("spilt-window") && line(6).contains("split-window"), "{said}");

    // Each keeps its default, and the person is told where they look.
    shell_session(&sandbox);
    let terminal = sandbox.attach(160, 24, &["attach", "-t", "work"]);
    terminal.wait_for("config.toml:2");
    terminal.keys("C-Space %");
    wait_for_prompts(&terminal, 2);
}

#[test]
fn sound_settings_hold() {
    let sandbox = Sandbox::new();
    sandbox.config("prefix = \"C-b\"\nclock = \"\"\n[keys]\n\"|\" = \"split-window -h\"\n\"%\" = \"\"\n");
    assert!(sandbox.inspan(&["config", "check"]).ok().contains("sound"));
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-b %");
    terminal.wait_for("C-b % is not bound");
    terminal.keys("C-b |");
    wait_for_prompts(&terminal, 2);
}

#[test]
fn settings_that_are_no_toml_leave_the_defaults() {
    let sandbox = Sandbox::new();
    sandbox.config("prefix = \n");
    assert!(sandbox.inspan(&["config", "check"]).fails(1).contains("config.toml:1"));
    shell_session(&sandbox);
    let terminal = sandbox.attach(160, 24, &["attach", "-t", "work"]);
    terminal.wait_for("config.toml:1");
    terminal.keys("C-Space d");
    assert_eq!(terminal.exit_status().code, 0);
}
