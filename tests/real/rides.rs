//! `inspan try`: two real CLIs in a scratch repository, the first prompt already sent.
use super::{CLAUDE, CODEX, Stage, is_idle};
use std::path::Path;

#[test]
fn the_first_ride_works_by_itself() {
    let stage = Stage::new();
    let ride = stage.sandbox.json(&["try", "--detached"]);
    let pane_of = |executor: &str| {
        let panes = ride["panes"].as_array().unwrap();
        let row = panes.iter().find(|row| row["executor"] == executor);
        row.unwrap_or_else(|| panic!("no {executor} in {ride}"))["id"].as_str().unwrap().to_owned()
    };
    let (claude, codex) = (pane_of("claude"), pane_of("codex"));
    let workspace = Path::new(ride["workspace"].as_str().unwrap()).to_owned();
    let git = |args: &[&str]| stage.sandbox.run_in(&workspace, "git", args).ok().to_owned();

    stage.wait_pane(&claude, "the first prompt is answered", |row| {
        is_idle(row) && row["requests"].as_u64() >= Some(2) && workspace.join("hello.txt").exists()
    });
    stage.wait_idle(&codex, CODEX);
    assert_eq!(git(&["log", "-1", "--format=%s"]), "Add hello.txt");
    assert_eq!(git(&["status", "--porcelain"]), "");
    let head = git(&["rev-parse", "HEAD"]);

    // The second and third of its guided steps.
    let report = stage.sandbox.json(&["switch", "-t", &claude, "--executor", "codex"]);
    assert_eq!(report["workspace_same"], true, "{report}");
    let answer = stage.ask(&claude, "what was done? [[recall: hello]]");
    assert!(answer.contains("hello from the first harness"), "{answer}");
    assert_eq!((git(&["rev-parse", "HEAD"]), git(&["status", "--porcelain"])), (head, String::new()));
    let panes = stage.sandbox.json(&["list-panes", "-a"]);
    assert!(panes.as_array().unwrap().iter().all(|row| row["executor"] != CLAUDE.name), "{panes}");
}
