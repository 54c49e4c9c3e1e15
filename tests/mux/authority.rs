//! Who may do what: a caller inside a harness's pane has that pane's rights.
use crate::{common::*, steps::*};
use serde_json::Value;

/// Has a pane run `inspan` with these words and returns what it printed, the exit code behind it. `by` runs the script.
#[track_caller]
fn inspan_in(sandbox: &Sandbox, pane: &str, words: &str, by: &str) -> String {
    let file = sandbox.path("home/said");
    let to = file.display();
    let name = sandbox.name();
    let script = format!(
        "{INSPAN} -L {name} {words} >{to}.part 2>&1; echo \"code $?\" >>{to}.part; mv {to}.part {to}"
    );
    let script = sandbox.write("home/ask", &script);
    let shown = sandbox.inspan(&["display-message", "-p", "-t", pane, "#{executor}"]);
    let run = if shown.ok() == "shell" { "" } else { "!" };
    type_line(sandbox, pane, &format!("{run}{by} {}", script.display()));
    wait_for_path(&file);
    let said = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    said
}

#[test]
fn a_harness_may_read_itself_and_no_more() {
    let sandbox = Sandbox::new();
    let harness = stub_session(&sandbox, "claude");
    let shell = sandbox.inspan(&["split-window", "-t", &harness, "--", "sh"]).ok().to_owned();
    for words in [
        format!("kill-pane -t {shell}"),
        format!("send-keys -t {shell} x"),
        format!("capture-pane -p -t {shell}"),
        format!("prompt -t {harness} hello"),
        "kill-server".into(),
        "new-session -d -- sh".into(),
        "restart-server".into(),
        "usage".into(),
    ] {
        let said = inspan_in(&sandbox, &harness, &words, "sh");
        assert!(said.contains("authority.pane") && said.ends_with("code 3\n"), "{words}: {said}");
    }
    let said = inspan_in(&sandbox, &harness, &format!("switch -t {shell} --executor codex --json"), "sh");
    let (json, _) = said.rsplit_once("code 3").unwrap_or_else(|| panic!("{said}"));
    let refusal: Value = serde_json::from_str(json).unwrap();
    assert_eq!(refusal["refusal"]["rule"], "authority.pane");

    let said = inspan_in(&sandbox, &harness, "capture-pane -p", "sh");
    assert!(said.contains("claude>") && said.ends_with("code 0\n"), "{said}");
    let said = inspan_in(&sandbox, &harness, "list-panes -F '#{pane_id}'", "sh");
    assert_eq!(said, format!("{harness}\n{shell}\ncode 0\n"));
    // Another pane's number in the environment does not help.
    let said = inspan_in(&sandbox, &harness, "capture-pane -p", &format!("INSPAN_PANE={shell} sh"));
    assert!(said.contains("claude>"), "{said}");
    // Nor does leaving the process tree, or being nobody's child.
    let said = inspan_in(&sandbox, &harness, "kill-server", "setsid -f sh");
    assert!(said.contains("authority.pane"), "{said}");

    let said = inspan_in(&sandbox, &shell, &format!("kill-pane -t {harness}"), "sh");
    assert_eq!(said, "code 0\n", "a shell pane is the person");
    sandbox.wait_json("the harness is gone", &["list-panes"], |value| list(value).len() == 1);
}

#[test]
fn a_harness_may_not_attach() {
    let sandbox = Sandbox::new();
    let harness = stub_session(&sandbox, "claude");
    type_line(
        &sandbox,
        &harness,
        &format!("!env -u INSPAN -u INSPAN_PANE {INSPAN} -L {} attach", sandbox.name()),
    );
    wait_for_capture(&sandbox, &harness, "inspan: refused by authority.pane");
    assert_eq!(list(&sandbox.json(&["list-clients"])).len(), 0);
}

#[test]
fn a_harness_may_do_what_it_was_granted() {
    let sandbox = Sandbox::new();
    sandbox.config("harness_authority = true\n");
    let harness = stub_session(&sandbox, "claude");
    let said = inspan_in(&sandbox, &harness, "new-window -- sh", "sh");
    assert!(said.ends_with("code 0\n"), "{said}");
    assert_eq!(panes(&sandbox).len(), 2);
}
