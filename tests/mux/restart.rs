//! What survives the server.
use crate::{common::*, steps::*};
use serde_json::Value;
use std::time::Duration;

#[test]
fn a_killed_server_comes_back_with_its_panes_and_asks() {
    let sandbox = Sandbox::new();
    let dir = sandbox.repository("shop");
    let first = sandbox.inspan(&[
        "new-session",
        "-d",
        "-s",
        "work",
        "-x",
        "80",
        "-y",
        "24",
        "-c",
        dir.to_str().unwrap(),
        "--",
        "sh",
    ]);
    sandbox.inspan(&["split-window", "-t", first.ok(), "-h", "--", "sh", "-c", "echo second; exec cat"]).ok();
    let before = panes(&sandbox);
    assert_eq!(before.len(), 2);
    crash(&sandbox);
    assert!(sandbox.socket().exists(), "the socket of a killed server is stale, not gone");

    let terminal = attach(&sandbox);
    let cards = |screen: &vt100::Screen, word: &str| {
        rows(screen).iter().map(|row| row.matches(word).count()).sum::<usize>()
    };
    terminal.wait_until("both panes offer to start afresh", |screen| {
        cards(screen, "f fresh") == 2 && cards(screen, "s shell") == 2
    });
    let after = panes(&sandbox);
    let kept = |panes: &[Value]| {
        let fields = ["id", "key", "cwd", "argv", "window", "left", "top", "active"];
        panes.iter().map(|pane| fields.map(|field| pane[field].clone())).collect::<Vec<_>>()
    };
    assert_eq!(kept(&after), kept(&before));
    // The second pane has the keys, as before.
    terminal.keys("f");
    terminal.wait_for("second");
    terminal.send("typed\r");
    terminal.wait_until("what is typed is echoed", |screen| cards(screen, "typed") == 2);
    terminal.keys("C-Space Left s");
    wait_for_prompts(&terminal, 1);
    terminal.send("pwd\r");
    terminal.wait_for(dir.canonicalize().unwrap().to_str().unwrap());
    detach(&terminal);
}

/// Executor, model, auth, native session and place of a harness pane.
fn harness(pane: &Value) -> [Value; 6] {
    ["id", "executor", "model", "auth", "native_session", "cwd"].map(|field| pane[field].clone())
}

#[test]
fn a_harness_is_resumed_after_a_crash() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "claude");
    crate::gateway::take_a_turn(&sandbox);
    let before = panes(&sandbox);
    let session = before[0]["native_session"].as_str().unwrap().to_owned();
    crash(&sandbox);
    let terminal = sandbox.attach(100, 30, &["attach", "-t", "work"]);
    terminal.wait_for("r resume");
    terminal.wait_for("f fresh");
    terminal.wait_for("s shell");
    assert_eq!(harness(&panes(&sandbox)[0]), harness(&before[0]));
    terminal.keys("r");
    terminal.wait_for("claude>");
    let args = std::fs::read_to_string(sandbox.path("home/claude.args")).unwrap();
    assert!(args.contains(&format!("--resume\n{session}\n")), "{args}");
    assert_eq!(harness(&panes(&sandbox)[0]), harness(&before[0]));

    crash(&sandbox);
    terminal.exit_status();
    let terminal = sandbox.attach(100, 30, &["attach", "-t", "work"]);
    terminal.wait_for("f fresh");
    terminal.keys("f");
    terminal.wait_for("claude>");
    let args = std::fs::read_to_string(sandbox.path("home/claude.args")).unwrap();
    assert!(args.contains("--session-id\n") && !args.contains(&session), "{args}");
    type_line(&sandbox, &pane, "hello");
    terminal.wait_for("heard hello");
}

#[test]
fn a_restart_that_stops_keeps_everything_but_the_processes() {
    let sandbox = Sandbox::new();
    let first = stub_session(&sandbox, "claude");
    sandbox
        .inspan(&["split-window", "-t", &first, "-h", "-p", "30", "--", "sh", "-c", "echo second; exec cat"])
        .ok();
    sandbox.inspan(&["new-window", "-t", "work", "-n", "logs", "--", "sh"]).ok();
    let before = (panes(&sandbox), sandbox.json(&["list-windows"]), sandbox.server().unwrap());
    let terminal = attach(&sandbox);
    terminal.wait_for("2 logs*");
    sandbox.inspan(&["restart-server", "--stop"]).ok();
    assert_eq!(terminal.exit_status(), Exit { code: 0, signal: None });
    assert_eq!(terminal.modes_restored(), Ok(()));
    for pid in before.0.iter().map(pid) {
        assert!(wait_gone(pid, Duration::from_secs(10)), "{pid} outlived its server");
    }
    assert_ne!(sandbox.server().unwrap().pid, before.2.pid);
    let names = |windows: &Value| list(windows).iter().map(|w| w["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&sandbox.json(&["list-windows"])), names(&before.1));
    let after = panes(&sandbox);
    assert_eq!(
        after.iter().map(harness).collect::<Vec<_>>(),
        before.0.iter().map(harness).collect::<Vec<_>>()
    );
    assert!(after.iter().all(|pane| pane["pid"].is_null() && pane["status"] == "exited"), "{after:?}");
    sandbox.inspan(&["respawn-pane", "-t", &first, "--how", "resume"]).ok();
    wait_for_capture(&sandbox, &first, "claude> ");
}

#[test]
fn what_a_killed_server_left_running_is_ended_by_the_next() {
    let sandbox = Sandbox::new();
    let script = "trap '' HUP TERM; setsid sleep 600 & echo $! ready; wait; while :; do sleep 600; done";
    let pane = session(&sandbox, &["sh", "-c", script]);
    let terminal = attach(&sandbox);
    terminal.wait_for("ready");
    let shown = sandbox.inspan(&["capture-pane", "-p", "-t", &pane]);
    let stray: i32 = shown.ok().split_whitespace().next().unwrap().parse().unwrap();
    let server = sandbox.server().unwrap();
    server.kill(Signal::KILL);
    assert!(wait_gone(server.pid, Duration::from_secs(10)));
    assert_eq!(sandbox.json(&["list-panes"])[0]["status"], "exited");
    assert!(wait_gone(stray, Duration::from_secs(10)), "{stray} is still there");
}

#[test]
fn kill_server_forgets_the_sessions() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    sandbox.inspan(&["kill-server"]).ok();
    assert_eq!(sandbox.json(&["list-sessions"]), serde_json::json!([]));
    let other = sandbox.inspan(&["new-session", "-d", "-s", "other", "--", "sh"]);
    other.ok();
    assert_eq!(panes(&sandbox).len(), 1);
}

#[test]
fn a_closed_panes_directory_goes_and_a_session_that_lies_only_there_stays() {
    let sandbox = Sandbox::new();
    let of = |key: &str| sandbox.state_dir().join("panes").join(key);
    let key = |pane: &str| {
        let row = panes(&sandbox).into_iter().find(|row| row["id"] == pane).unwrap();
        row["key"].as_str().unwrap().to_owned()
    };
    let rehearsed = stub_session(&sandbox, "claude");
    let gone = of(&key(&rehearsed));
    wait_for_path(&gone);
    std::fs::create_dir_all(gone.join("claude/projects/p")).unwrap();
    std::fs::write(gone.join("claude/projects/p/s.jsonl"), "of the scripted model").unwrap();

    let shell = sandbox.inspan(&["new-session", "-d", "-s", "own", "--", "sh"]).ok().to_owned();
    let other = sandbox.inspan(&["split-window", "-t", &shell, "--", "sh"]).ok().to_owned();
    let (kept, empty) = (of(&key(&shell)), of(&key(&other)));
    std::fs::create_dir_all(kept.join("codex/sessions")).unwrap();
    std::fs::write(kept.join("codex/sessions/rollout.jsonl"), "a conversation").unwrap();
    std::fs::create_dir_all(empty.join("codex/sessions")).unwrap();

    let server = sandbox.server().unwrap().pid;
    for pane in [&rehearsed, &other, &shell] {
        sandbox.inspan(&["kill-pane", "-t", pane]).ok();
    }
    // The last pane takes the server along, which ends when its files are as they should be.
    assert!(wait_gone(server, Duration::from_secs(30)), "the server goes on without a session");
    assert!(!gone.exists() && !empty.exists());
    assert!(kept.join("codex/sessions/rollout.jsonl").exists());
}

#[test]
fn saved_sessions_that_cannot_be_read_are_kept_beside_the_new_ones() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    crash(&sandbox);
    let record = inspan::record::Recorder::open(&sandbox.state_dir().join("inspan.db")).unwrap();
    record.save_state(r#"{"format":99,"sessions":[{"name":"precious"}]}"#);
    drop(record);

    sandbox.inspan(&["new-session", "-d", "-s", "new", "--", "sh"]).ok();
    sandbox.inspan(&["kill-server"]).ok();
    let entries = std::fs::read_dir(sandbox.state_dir()).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> = entries
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("sessions-"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].contains("precious"), "{kept:?}");
}

#[test]
fn a_conversation_that_cannot_be_read_again_is_said_on_the_card() {
    let sandbox = Sandbox::new();
    stub_session(&sandbox, "claude");
    let key = panes(&sandbox)[0]["key"].as_str().unwrap().to_owned();
    crash(&sandbox);
    std::fs::write(sandbox.state_dir().join("panes").join(key).join("conversation.json"), "{").unwrap();
    let rows = panes(&sandbox);
    let notes = rows[0]["notes"].to_string();
    assert!(notes.contains("what was said here could not be read again"), "{notes}");
}

/// The numbers that a counting pane shows, oldest first.
fn counted(sandbox: &Sandbox, pane: &str) -> Vec<u32> {
    let shown = sandbox.inspan(&["capture-pane", "-p", "-S", "-", "-t", pane]);
    shown.ok().lines().filter_map(|line| line.strip_prefix("n ")?.parse().ok()).collect()
}

#[test]
fn programs_screens_and_clients_go_on_through_a_restart() {
    let sandbox = Sandbox::new();
    let count = "i=0; while :; do i=$((i+1)); echo n $i; sleep 0.02; done";
    let counting = session(&sandbox, &["sh", "-c", count]);
    let app = r"printf '\033[?1049h\033[?2004h\033[2;3Hinside\033]2;titled\007'; exec cat";
    let other =
        sandbox.inspan(&["split-window", "-t", &counting, "-h", "--", "sh", "-c", app]).ok().to_owned();
    sandbox.inspan(&["set-buffer", "-b", "mine", "kept text"]).ok();
    sandbox.inspan(&["set-option", "@colour", "green"]).ok();
    sandbox.inspan(&["bind-key", "F6", "display-message", "bound"]).ok();
    let terminal = attach(&sandbox);
    terminal.wait_for("inside");
    let (before, server) = (panes(&sandbox), sandbox.server().unwrap().pid);
    let outlook = sandbox.json(&["restart-server", "--dry-run"]);
    assert_eq!(outlook["kept"], serde_json::json!([counting, other]));

    let said = sandbox.inspan(&["restart-server"]);
    assert!(said.ok().contains(&format!("kept running: {counting}, {other}")), "{said:?}");
    let facts = ["id", "key", "pid", "cwd", "title", "width", "height", "status"];
    let of = |rows: &[Value]| rows.iter().map(|row| facts.map(|f| row[f].clone())).collect::<Vec<_>>();
    assert_eq!(of(&panes(&sandbox)), of(&before));
    assert_eq!(sandbox.server().unwrap().pid, server, "the process is the same, its program is new");
    // The client is back by itself, and its keys arrive.
    terminal.send("typed\r");
    terminal.wait_until("what is typed reaches the program of before", |screen| {
        rows(screen).iter().any(|row| row.contains("typed"))
    });
    let seen = counted(&sandbox, &counting);
    let last = *seen.last().unwrap();
    sandbox.wait_output("it goes on counting", &["capture-pane", "-p", "-t", &counting], |output| {
        output.stdout.contains(&format!("n {}", last + 20))
    });
    let all = counted(&sandbox, &counting);
    assert_eq!(all, (1..=all.len() as u32).collect::<Vec<_>>(), "nothing is missing and nothing comes twice");
    assert_eq!(sandbox.inspan(&["show-buffer", "-b", "mine"]).ok(), "kept text");
    assert_eq!(sandbox.inspan(&["show-options", "-v", "@colour"]).ok(), "green");
    terminal.keys("C-Space F6");
    terminal.wait_for("bound");
    // Its end is still noticed, with its code.
    sandbox.inspan(&["send-keys", "-t", &other, "C-d"]).ok();
    terminal.wait_for("exited 0");
    detach(&terminal);
    sandbox.inspan(&["kill-server"]).ok();
    for pid in before.iter().map(pid) {
        assert!(wait_gone(pid, Duration::from_secs(10)), "{pid} outlived its server");
    }
}

#[test]
fn a_binary_that_cannot_take_over_changes_nothing() {
    let sandbox = Sandbox::new();
    let pane = shell_session(&sandbox);
    let before = (panes(&sandbox), sandbox.server().unwrap().pid);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    for binary in ["/bin/false", "/nowhere/inspan"] {
        let refused = sandbox.inspan(&["restart-server", "--binary", binary]);
        assert!(refused.fails(1).contains("nothing was changed"), "{refused:?}");
    }
    assert_eq!(panes(&sandbox), before.0);
    assert_eq!(sandbox.server().unwrap().pid, before.1);
    type_line(&sandbox, &pane, "echo still $((40+2))");
    terminal.wait_for("still 42");
    detach(&terminal);
}

#[test]
fn a_harness_works_on_through_a_restart() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "claude");
    crate::gateway::take_a_turn(&sandbox);
    let before = panes(&sandbox);
    sandbox.inspan(&["restart-server"]).ok();
    let after = panes(&sandbox);
    assert_eq!((pid(&after[0]), harness(&after[0])), (pid(&before[0]), harness(&before[0])));
    // Port and token are those that the process was started with.
    crate::gateway::take_a_turn(&sandbox);
    type_line(&sandbox, &pane, "hello");
    wait_for_capture(&sandbox, &pane, "heard hello");
}

#[test]
fn a_kill_in_the_middle_of_a_restart_leaves_cards_and_nothing_running() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let (before, server) = (panes(&sandbox), sandbox.server().unwrap());
    let mut restart = sandbox.command(&["restart-server"]);
    let quiet = std::process::Stdio::null;
    let mut restart = restart.stdout(quiet()).stderr(quiet()).spawn().unwrap();
    server.kill(Signal::KILL);
    restart.wait().unwrap();
    let shell = pid(&before[0]);
    let after = panes(&sandbox);
    assert_eq!(after[0]["key"], before[0]["key"]);
    if after[0]["pid"].is_null() {
        assert_eq!(after[0]["status"], "exited");
        assert!(wait_gone(shell, Duration::from_secs(10)), "{shell} is still there");
    }
}
