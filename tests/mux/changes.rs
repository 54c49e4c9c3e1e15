//! What changed in a workspace, who changed it, and going on with an executor's own sessions.
use crate::{common::*, gateway::take_a_turn, steps::*};

#[test]
fn a_turn_is_kept_and_its_files_are_named_staged_committed_and_discarded() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "claude");
    let dir = sandbox.path("shop");
    sandbox.inspan_in(&dir, &["checkpoint"]).ok();
    sandbox.write("shop/README.md", "changed in the turn\n");
    sandbox.write("shop/new.txt", "new\n");
    take_a_turn(&sandbox);
    sandbox.wait_output(
        "the turn is a checkpoint",
        &["checkpoints", "-c", dir.to_str().unwrap()],
        |output| output.stdout.contains("turn 1 of claude"),
    );
    let told = sandbox.json(&["changes", "-t", &pane]);
    let by = |at: usize| told["files"][at]["by"][0]["reason"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (told["files"][0]["path"].as_str(), by(0)),
        (Some("README.md"), "turn 1 of claude".into()),
        "{told}"
    );

    let terminal = sandbox.attach(120, 30, &["attach", "-t", "work"]);
    terminal.wait_for("claude>");
    terminal.keys("C-Space g");
    terminal.wait_for("+changed in the turn");
    terminal.wait_for("turn 1 of claude");
    terminal.keys("j s");
    terminal.wait_for("● A new.txt");
    terminal.keys("c");
    terminal.wait_for("changes -t %1 --commit '");
    terminal.send("A new file'\r");
    terminal.wait_for("committed as");
    terminal.wait_for_no("new.txt");
    terminal.keys("x");
    terminal.wait_for("bring README.md back to checkpoint 1");
    terminal.keys("y");
    terminal.wait_for("nothing differs from HEAD");
    assert_eq!(std::fs::read_to_string(dir.join("README.md")).unwrap(), "a repository\n");
    assert_eq!(sandbox.run_in(&dir, "git", &["log", "-1", "--format=%s"]).ok(), "A new file");
}

#[test]
fn sessions_of_the_directory_are_listed_and_one_goes_on() {
    let sandbox = Sandbox::new();
    stub_session(&sandbox, "claude");
    let dir = sandbox.path("shop").canonicalize().unwrap();
    let store: String =
        dir.to_str().unwrap().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let record = r#"{"type":"user","sessionId":"ID","message":{"role":"user","content":"TITLE"}}"#;
    for (id, title) in [("aaaa-1", "Make the totals right"), ("bbbb-2", "Begun outside")] {
        let text = record.replace("ID", id).replace("TITLE", title) + "\n";
        sandbox.write(&format!("home/.claude/projects/{store}/{id}.jsonl"), &text);
    }
    let terminal = sandbox.attach(120, 30, &["attach", "-t", "work"]);
    terminal.wait_for("claude>");
    terminal.keys("C-Space S");
    terminal.wait_for("claude sessions here");
    terminal.wait_for("Make the totals right");
    terminal.send("outside");
    terminal.wait_for_no("Make the totals right");
    terminal.keys("Enter");
    sandbox.wait_json("a second pane", &["list-panes"], |panes| list(panes).len() == 2);
    wait_for_capture(&sandbox, "%2", "claude> ");
    let args = std::fs::read_to_string(sandbox.path("home/claude.args")).unwrap();
    assert!(args.contains("--resume\nbbbb-2\n"), "{args}");
}

#[test]
fn a_pane_works_in_a_tree_of_its_own_and_its_changes_come_back() {
    let sandbox = Sandbox::new();
    let first = stub_session(&sandbox, "claude");
    let dir = sandbox.path("shop");
    let second =
        sandbox.inspan(&["split-window", "-t", &first, "-h", "--worktree", "--", "sh"]).ok().to_owned();
    let rows =
        sandbox.wait_json("the second pane runs", &["list-panes"], |panes| panes[1]["pid"].is_number());
    let place = std::path::PathBuf::from(rows[1]["cwd"].as_str().unwrap());
    assert!(place.starts_with(sandbox.state_dir()), "{}", place.display());
    std::fs::write(place.join("made.txt"), "made there\n").unwrap();
    let shown = sandbox.inspan(&["merge-worktree", "-t", &second]);
    assert!(shown.ok().contains("+made there"), "{shown:?}");
    assert!(!dir.join("made.txt").exists(), "nothing is touched without --yes");
    let merged = sandbox.inspan(&["merge-worktree", "-t", &second, "--yes", "--remove"]);
    assert!(merged.ok().contains("1 files of inspan/"), "{merged:?}");
    assert_eq!(std::fs::read_to_string(dir.join("made.txt")).unwrap(), "made there\n");
    sandbox.wait_json("the pane is closed", &["list-panes"], |panes| list(panes).len() == 1);
    let other = sandbox.inspan(&["merge-worktree", "-t", &first]);
    assert!(other.fails(1).contains("no working tree that inspan made"), "{other:?}");
}
