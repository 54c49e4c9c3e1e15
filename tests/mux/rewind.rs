//! Going back in a workspace, from the command line.
use crate::common::*;

#[test]
fn a_rewind_is_previewed_asked_for_and_can_be_undone() {
    let sandbox = Sandbox::new();
    let dir = sandbox.repository("shop");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).ok();
    sandbox.write("shop/cart.txt", "one\n");
    let said = sandbox.inspan_in(&dir, &["checkpoint", "-m", "by hand"]);
    assert!(said.ok().starts_with("checkpoint 1 ("), "{}", said.stdout);
    sandbox.write("shop/cart.txt", "two\n");
    sandbox.write("shop/new.txt", "new\n");

    let preview = sandbox.inspan_in(&dir, &["rewind", "1", "--dry-run"]);
    assert!(preview.ok().contains("-two\n+one\n"), "{}", preview.stdout);
    assert!(preview.stdout.contains("goes        new.txt"), "{}", preview.stdout);
    let asked = sandbox.inspan_in(&dir, &["rewind", "1"]);
    assert!(asked.fails(2).contains("--yes"), "{}", asked.stderr);
    assert_eq!(read("cart.txt").as_deref(), Some("two\n"), "nobody agreed");

    let diff = sandbox.inspan_in(&dir, &["checkpoints", "--diff", "1", "cart.txt"]);
    assert!(diff.ok().contains("-one\n+two") && !diff.stdout.contains("new.txt"), "{}", diff.stdout);

    let done = sandbox.inspan_in(&dir, &["rewind", "1", "--yes"]);
    assert!(done.ok().contains("the way back: inspan rewind 2"), "{}", done.stdout);
    assert_eq!((read("cart.txt").as_deref(), read("new.txt")), (Some("one\n"), None));
    sandbox.inspan_in(&dir, &["rewind", "2", "--yes", "--json"]).ok();
    assert_eq!(read("new.txt").as_deref(), Some("new\n"));
    let gone = sandbox.inspan_in(&dir, &["rewind", "9", "--yes"]);
    assert!(gone.fails(1).contains("there is no checkpoint 9"), "{}", gone.stderr);
}

#[test]
fn a_person_is_shown_the_patch_before_saying_yes() {
    let sandbox = Sandbox::new();
    let dir = sandbox.repository("shop");
    sandbox.inspan_in(&dir, &["checkpoint"]).ok();
    sandbox.write("shop/README.md", "changed\n");
    let terminal = sandbox.terminal(100, 30).dir(&dir).attach(&["rewind", "1"]);
    terminal.wait_for("bring 1 files back to checkpoint 1?");
    terminal.send("d\r");
    terminal.wait_for("+a repository");
    terminal.send("y\r");
    terminal.wait_for("1 files as in checkpoint 1");
    assert_eq!(terminal.exit_status(), Exit { code: 0, signal: None });
    assert_eq!(std::fs::read_to_string(dir.join("README.md")).unwrap(), "a repository\n");
}
