//! The record when the disk does not take it.
use crate::{common::*, steps::*};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

#[test]
fn a_full_disk_stops_the_ledger_and_says_so() {
    let sandbox = Sandbox::new();
    // A write beyond the limit is an error, as on a full disk, and not a signal.
    let words = format!("trap '' XFSZ; exec {INSPAN} -L {} new-session -d -s work -- sh", sandbox.name());
    sandbox.run_in(sandbox.root(), "sh", &["-c", &words]).ok();
    let server = Pid::from_raw(sandbox.server().unwrap().pid);
    let terminal = sandbox.attach(160, 24, &["attach", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    let limit = |bytes| {
        let old = prlimit(server, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
        assert_eq!(old.maximum, None, "the limit can be lifted again");
    };
    limit(Some(0));
    terminal.keys("C-Space c");
    wait_for_prompts(&terminal, 1);
    terminal.wait_for("the ledger stopped");
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
    terminal.keys("C-Space %");
    wait_for_prompts(&terminal, 3);
    limit(None);
}

#[test]
fn a_record_that_cannot_be_opened_is_said_and_panes_live() {
    let sandbox = Sandbox::new();
    sandbox.write(&format!("state/inspan/{}/inspan.db/in-the-way", sandbox.name()), "");
    shell_session(&sandbox);
    let terminal = sandbox.attach(160, 24, &["attach", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    terminal.wait_for("nothing is being recorded");
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
    assert_eq!(panes(&sandbox).len(), 1);
}

#[test]
fn a_damaged_record_is_put_aside() {
    let sandbox = Sandbox::new();
    let file =
        sandbox.write(&format!("state/inspan/{}/inspan.db", sandbox.name()), &"no database ".repeat(1000));
    shell_session(&sandbox);
    let terminal = sandbox.attach(160, 24, &["attach", "-t", "work"]);
    terminal.wait_for("corrupt");
    let kept: Vec<_> =
        std::fs::read_dir(file.parent().unwrap()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(kept.iter().any(|name| name.to_string_lossy().starts_with("inspan.db.corrupt-")), "{kept:?}");
    crash(&sandbox);
    assert_eq!(panes(&sandbox).len(), 1, "the new record is kept");
}
