//! What is refused or wrong, in exit code and words.
use crate::{common::*, steps::*};
use serde_json::Value;

#[test]
fn a_wrong_target_is_named_and_nothing_happens() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    for args in [
        &["kill-pane", "-t", "%99"][..],
        &["send-keys", "-t", "%99", "x"],
        &["split-window", "-t", "%99"],
        &["capture-pane", "-p", "-t", "%99"],
    ] {
        let output = sandbox.inspan(args);
        assert!(output.fails(1).contains("%99"), "{output:?}");
    }
    let terminal = sandbox.attach(80, 24, &["attach", "-t", "nowhere"]);
    assert_eq!(terminal.exit_status(), Exit { code: 1, signal: None });
    assert_eq!(terminal.modes_restored(), Ok(()));
    assert!(terminal.screen().contains("nowhere"), "{}", terminal.screen());
    assert_eq!(panes(&sandbox).len(), 1);
}

#[test]
fn bad_usage_ends_with_2_and_starts_nothing() {
    let sandbox = Sandbox::new();
    for args in [
        &["frobnicate"][..],
        &["split-window", "--no-such-flag"],
        &["resize-pane", "-x", "wide"],
        &["attach", "-t"],
    ] {
        let output = sandbox.inspan(args);
        assert!(!output.fails(2).is_empty(), "{output:?}");
    }
    assert_eq!(sandbox.server(), None);
}

#[test]
fn a_refusal_ends_with_3_and_names_rule_and_remedy() {
    let sandbox = Sandbox::new();
    // The reference gives opencode no key of one's own.
    let plan =
        ["plan", "--executor", "opencode", "--model", "claude-opus-4.6", "--auth", "byok", "--assume", "all"];
    let output = sandbox.inspan(&[&plan[..], &["--json"]].concat());
    assert_eq!(output.code, 3, "{output:?}");
    let said = if output.stdout.trim().is_empty() { &output.stderr } else { &output.stdout };
    let refusal: Value = serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let refusal = refusal.get("refusal").unwrap_or(&refusal);
    assert!(refusal["rule"].as_str().is_some_and(|rule| rule.contains('.')), "{refusal}");
    assert!(refusal["remedies"].as_array().is_some_and(|remedies| !remedies.is_empty()), "{refusal}");
    let output = sandbox.inspan(&plan);
    assert!(output.fails(3).contains(refusal["rule"].as_str().unwrap()), "{output:?}");
}

#[test]
fn a_directory_that_does_not_exist_takes_no_pane_and_no_trust() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let missing = sandbox.path("nowhere").to_string_lossy().into_owned();
    for args in [
        &["split-window", "-c", &missing][..],
        &["new-window", "-c", &missing],
        &["new-session", "-d", "-s", "other", "-c", &missing],
        &["trust", &missing],
    ] {
        let output = sandbox.inspan(args);
        assert!(output.fails(1).contains("is not a directory"), "{args:?}: {output:?}");
    }
    assert_eq!(panes(&sandbox).len(), 1);
}

#[test]
fn a_question_without_anyone_to_answer_is_not_a_yes() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let output = sandbox.inspan(&["confirm-before", "kill-pane"]);
    assert!(output.fails(2).contains("client"), "{output:?}");
    assert_eq!(panes(&sandbox).len(), 1);
}

#[test]
fn a_terminal_that_cannot_place_text_is_refused() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = sandbox.terminal(80, 24).env("TERM", "dumb").attach(&["attach"]);
    assert_eq!(terminal.exit_status(), Exit { code: 1, signal: None });
    assert!(terminal.screen().contains("TERM=dumb"), "{}", terminal.screen());
}
