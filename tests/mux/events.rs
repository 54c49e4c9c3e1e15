//! The journal as it is read and followed.
use crate::{common::*, gateway::take_a_turn, steps::*};

#[test]
fn events_are_followed_as_they_happen() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "claude");
    let follower =
        sandbox.terminal(120, 30).attach(&["events", "--follow", "--kind", "turn,status", "-t", &pane]);
    follower.wait_for("status");
    sandbox.write("shop/new.txt", "new\n");
    take_a_turn(&sandbox);
    follower.wait_for("-> working (gateway)");
    follower.wait_for("turn 1 of claude, checkpoint 1");
    let listed = sandbox.inspan(&["events", "--kind", "turn", "--json"]);
    let row: serde_json::Value = serde_json::from_str(listed.ok().lines().last().unwrap()).unwrap();
    assert_eq!(
        (&row["kind"], &row["pane_id"], &row["data"]["checkpoint"]),
        (&"turn".into(), &pane.into(), &1.into())
    );
    follower.keys("C-c");
    assert_eq!(follower.exit_status().code, 130);
}

#[test]
fn a_command_whose_server_is_killed_says_so() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "claude");
    sandbox.wait_json("it takes a prompt", &["list-panes"], |panes| panes[0]["status"] == "idle");
    let waiting = sandbox.terminal(120, 30).attach(&["prompt", "-t", &pane, "--wait", "never answered"]);
    wait_for_capture(&sandbox, &pane, "claude> ");
    sandbox.wait_output("it was typed", &["capture-pane", "-p", "-t", &pane], |output| {
        output.stdout.contains("never answered")
    });
    let server = sandbox.server().unwrap();
    server.kill(Signal::KILL);
    waiting.wait_for("ended before it answered");
    assert_eq!(waiting.exit_status().code, 1);
}
