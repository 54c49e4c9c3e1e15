//! Limits and several writers: what is told, what is offered, what a rule does, and the way back.
use crate::{common::*, gateway::*, steps::*};
use serde_json::{Value, json};
use std::{thread, time::Duration};

/// Has a stand-in print a line, as its CLI would.
fn says(sandbox: &Sandbox, pane: &str, words: &str) {
    // In a file: what is typed would stand on the screen as well.
    sandbox.write("home/said.txt", &format!("{words}\n"));
    type_line(sandbox, pane, "!cat \"$HOME/said.txt\"");
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_limit_is_told_with_its_end_and_others_are_offered() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "codex");
    let pane = stub_session(&sandbox, "claude");
    let terminal = sandbox.attach(120, 40, &["attach", "-t", "work"]);
    terminal.wait_for("claude>");
    says(&sandbox, &pane, "You've hit your limit, resets in 2 hours 30 minutes");
    let rows = sandbox.wait_json("it is limited", &["list-panes"], |rows| rows[0]["status"] == "limited");
    let until = rows[0]["limited_until"].as_u64().unwrap();
    assert!(until.abs_diff(now() + 9000) < 300, "{rows}");
    // Its title bar, the status line, and the word on what can be done.
    terminal.wait_for("limited for 2h");
    terminal.wait_for("▲1 2h");
    terminal.wait_for(&format!("inspan fallback -t {pane}"));
    let told = sandbox.json(&["fallback", "-t", &pane]);
    assert_eq!(told["until"], until);
    let others = told["alternatives"].as_array().unwrap();
    let codex = others.iter().find(|found| found["executor"] == "codex").unwrap_or_else(|| panic!("{told}"));
    assert_eq!(codex["command"], json!(["switch", "-t", pane, "--executor", "codex"]));
    let model = others.iter().find(|found| found["executor"] == "claude").unwrap();
    assert_eq!(model["command"][0], "model");
    terminal.keys("C-Space F");
    terminal.wait_for("is limited until");
    terminal.wait_for("codex");
    terminal.keys("Enter");
    terminal.wait_for("⏎ switch now");
    terminal.keys("Escape");
    terminal.keys("C-Space r");
    terminal.wait_for("resets in 2h");
}

#[test]
fn a_limit_that_has_reset_is_over_though_its_words_stay() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "claude");
    says(&sandbox, &pane, "You've hit your limit, resets in 2 seconds");
    sandbox.wait_json("it is limited", &["list-panes"], |rows| rows[0]["status"] == "limited");
    sandbox.wait_json("it is idle", &["list-panes"], |rows| rows[0]["status"] == "idle");
    assert!(sandbox.inspan(&["capture-pane", "-p", "-t", &pane]).ok().contains("You've hit your limit"));
    type_line(&sandbox, &pane, "anything else");
    wait_for_capture(&sandbox, &pane, "heard anything else");
    let rows = panes(&sandbox);
    assert_eq!((&rows[0]["status"], &rows[0]["limited_until"]), (&"idle".into(), &Value::Null));
}

#[test]
fn only_a_rule_switches_by_itself_and_it_goes_back_when_the_limit_has_reset() {
    let sandbox = Sandbox::new();
    sandbox.config("[executors.claude]\nfallback = [\"grok\", \"codex\"]\n");
    stub_cli(&sandbox, "codex");
    let pane = stub_session(&sandbox, "claude");
    take_a_turn(&sandbox);
    let session = panes(&sandbox)[0]["native_session"].clone();
    // Once the handoff went there, the stand-in says that it works and is idle again.
    says(&sandbox, &pane, "You've hit your limit, resets in 6 seconds");
    sandbox.wait_json("codex goes on", &["list-panes"], |rows| rows[0]["executor"] == "codex");
    wait_for_capture(&sandbox, &pane, "codex> ");
    let journal = sandbox.inspan(&["events"]);
    assert!(journal.ok().contains("fallback"), "{journal:?}");
    ask_as_codex(&sandbox);
    sandbox.wait_json("claude is back", &["list-panes"], |rows| {
        rows[0]["executor"] == "claude" && rows[0]["native_session"] == session
    });
    let args = std::fs::read_to_string(sandbox.path("home/claude.args")).unwrap();
    assert!(args.contains(&format!("--resume\n{}\n", session.as_str().unwrap())), "{args}");
}

/// The first request of the stand-in for `codex`: the handoff is with it.
fn ask_as_codex(sandbox: &Sandbox) {
    let body = json!({ "model": "gpt-5.4", "input": "what was handed over", "stream": false });
    let (status, answer) = Door::of_codex(sandbox).post("/v1/responses", &body);
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn a_switch_that_waits_for_the_turn_is_offered_after_a_crash() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "codex");
    let pane = stub_session(&sandbox, "claude");
    take_a_turn(&sandbox);
    thread::scope(|scope| {
        let door = Door::new(&sandbox);
        // It never ends: the server is killed before.
        scope.spawn(move || door.try_post("/v1/messages", &turn("[[slow: 300]] [[say: never]]", &[])));
        sandbox.wait_json("it works", &["list-panes"], |rows| rows[0]["status"] == "working");
        let words = ["switch", "-t", &pane, "--executor", "codex", "--handoff", "brief", "--when-done"];
        let mut waits = sandbox.command(&words).stdin(std::process::Stdio::null()).spawn().unwrap();
        let saved = sandbox.state_dir().join("inspan.db");
        sandbox.wait_output("it is written down", &["list-panes"], |_| {
            let wal = saved.with_extension("db-wal");
            [&saved, &wal].iter().any(|file| {
                let bytes = std::fs::read(file).unwrap_or_default();
                String::from_utf8_lossy(&bytes).contains(r#""--handoff","brief""#)
            })
        });
        let server = sandbox.server().expect("it runs");
        server.kill(Signal::KILL);
        assert!(wait_gone(server.pid, Duration::from_secs(10)));
        assert!(!waits.wait().unwrap().success());
    });
    let terminal = sandbox.attach(120, 30, &["attach", "-t", "work"]);
    terminal.wait_for("t switch to codex, as was asked");
    terminal.wait_for("r resume");
    terminal.keys("t");
    terminal.wait_for("codex>");
    let args = std::fs::read_to_string(sandbox.path("home/codex.args")).unwrap();
    assert!(args.contains("what is here?"), "the handoff names the request: {args}");
}

#[test]
fn the_time_of_an_earlier_wait_ends_no_later_one() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "codex");
    let pane = stub_session(&sandbox, "claude");
    let wait = |seconds: &str, text: &str| {
        sandbox.inspan(&["prompt", "-t", &pane, "--wait", "--timeout", seconds, text])
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| wait("8", "what is here?"));
        wait_for_capture(&sandbox, &pane, "heard");
        take_a_turn(&sandbox);
        first.join().unwrap().ok();
    });
    sandbox.inspan(&["switch", "-t", &pane, "--executor", "codex", "--handoff", "none"]).ok();
    wait_for_capture(&sandbox, &pane, "codex> ");
    let second = wait("10", "nobody answers this");
    assert!(second.fails(1).contains("within 10 s"), "{second:?}");
}

/// A request of a turn whose tools wrote these files so far.
fn turn(request: &str, wrote: &[&str]) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": request })];
    for (n, file) in wrote.iter().enumerate() {
        let id = format!("t{n}");
        messages
            .push(json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": "Edit",
            "input": { "file_path": file, "old_string": "a", "new_string": "b" } }] }));
        messages.push(json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": "done" }] }));
    }
    json!({
        "model": "claude-sonnet-4-6", "max_tokens": 100, "messages": messages,
        "tools": [{ "name": "Bash", "input_schema": { "type": "object" } }],
    })
}

#[test]
fn two_harnesses_that_write_the_same_file_are_told_of() {
    let sandbox = Sandbox::new();
    let first = stub_session(&sandbox, "claude");
    let one = Door::new(&sandbox);
    let second =
        sandbox.inspan(&["split-window", "-t", &first, "-h", "--executor", "claude"]).ok().to_owned();
    wait_for_capture(&sandbox, &second, "claude> ");
    let two = Door::new(&sandbox);
    let terminal = sandbox.attach(160, 40, &["attach", "-t", "work"]);
    terminal.wait_for("claude>");
    thread::scope(|scope| {
        let slow = "[[run: a]] [[run: b]] [[slow: 300]] [[say: after what two tools did]]";
        scope.spawn(|| one.try_post("/v1/messages", &turn(slow, &["src/cart.rs", "only/here.rs"])));
        sandbox.wait_json("one works", &["list-panes"], |rows| rows[0]["status"] == "working");
        let shop = sandbox.path("shop").canonicalize().unwrap().join("src/cart.rs");
        let wrote = [shop.to_str().unwrap(), "only/there.rs"].map(str::to_owned);
        scope.spawn(move || two.try_post("/v1/messages", &turn(slow, &wrote.each_ref().map(String::as_str))));
        let rows = sandbox.wait_json("both are told of", &["list-panes"], |rows| {
            rows[0]["same_files"].as_array().is_some_and(|files| !files.is_empty())
        });
        assert_eq!(rows[0]["same_files"], json!([{ "file": "src/cart.rs", "with": second }]));
        assert_eq!(rows[1]["same_files"], json!([{ "file": "src/cart.rs", "with": first }]));
        terminal.wait_for(&format!("⚠ {first} and {second} both write src/cart.rs"));
        // It stands there for as long as both are at it, after the message has gone as well.
        sandbox.inspan(&["display-message", "-t", "work", "passing words"]).ok();
        terminal.wait_for_no("passing words");
        terminal.wait_for(&format!("⚠ {first} and {second} both write src/cart.rs"));
        terminal.keys("C-Space r");
        terminal.wait_for(&format!("⚠ {first} and {second} write src"));
        terminal.keys("Escape");
        terminal.keys("C-Space g");
        terminal.wait_for(&format!("{first} and {second} write src/cart.rs"));
        terminal.keys("Escape");
        sandbox.inspan(&["kill-pane", "-t", &second]).ok();
        let rows = sandbox.wait_json("one pane is left", &["list-panes"], |rows| list(rows).len() == 1);
        assert_eq!(rows[0]["same_files"], json!([]));
        terminal.wait_for_no("both write");
        sandbox.inspan(&["kill-server"]).ok();
    });
}

#[test]
fn a_session_that_the_gateway_served_is_not_resumed_outside_it() {
    let mut sandbox = Sandbox::new();
    sandbox.set_env("ANTHROPIC_API_KEY", Some("sk-ant-a-key-of-the-test"));
    sandbox.set_env("OPENAI_API_KEY", Some("sk-a-key-of-the-test"));
    let login = json!({ "claudeAiOauth": { "accessToken": "a", "subscriptionType": "max" } });
    sandbox.write("home/.claude/.credentials.json", &login.to_string());
    stub_cli(&sandbox, "claude");
    stub_cli(&sandbox, "codex");
    let dir = sandbox.repository("shop");
    let new = ["new-session", "-d", "-s", "work", "-c", dir.to_str().unwrap(), "--executor", "claude"];
    let pane = sandbox.inspan(&[&new[..], &["--auth", "credits"]].concat()).ok().to_owned();
    wait_for_capture(&sandbox, &pane, "claude> ");
    let away = ["switch", "-t", &pane, "--executor", "codex", "--auth", "credits", "--handoff", "none"];
    sandbox.inspan(&away).ok();
    wait_for_capture(&sandbox, &pane, "codex> ");
    let back = |auth: &str| {
        sandbox.json(&["switch", "-t", &pane, "--executor", "claude", "--auth", auth, "--dry-run"])["session"]
            .clone()
    };
    assert_eq!((back("credits"), back("login")), ("resumed".into(), "new".into()));
}

#[test]
fn with_a_writer_lease_one_writes_and_the_others_are_told() {
    let sandbox = Sandbox::new();
    sandbox.config("writer_lease = true\n[executors.claude]\npermission = \"edits\"\n");
    let first = stub_session(&sandbox, "claude");
    take_a_turn(&sandbox);
    let split = ["split-window", "-t", &first, "-h", "--executor", "claude"];
    let second = sandbox.inspan(&split).ok().to_owned();
    wait_for_capture(&sandbox, &second, "claude> ");
    let may = || panes(&sandbox).iter().map(|row| row["permission"].clone()).collect::<Vec<_>>();
    assert_eq!(may(), ["edits", "readonly"]);
    let args = || std::fs::read_to_string(sandbox.path("home/claude.args")).unwrap();
    assert!(args().contains("dontAsk"), "the CLI is told: {}", args());
    assert!(panes(&sandbox)[1]["notes"].to_string().contains(&format!("{first} has the writer lease")));

    let before = panes(&sandbox);
    let passed = sandbox.inspan(&["writer", "-t", &second]);
    assert!(passed.ok().contains(&format!("{second} writes now; {first} only reads")), "{passed:?}");
    let rows = sandbox.wait_json("both were started again", &["list-panes"], |rows| {
        (0..2).all(|at| rows[at]["pid"].is_number() && rows[at]["pid"] != before[at]["pid"])
            && rows[0]["permission"] == "readonly"
            && rows[1]["permission"] == "edits"
    });
    assert_eq!(rows[0]["native_session"], before[0]["native_session"], "what was said goes on");
    // Who writes leaves: the next that starts takes the lease.
    sandbox.inspan(&["kill-pane", "-t", &second]).ok();
    sandbox.wait_json("it is gone", &["list-panes"], |rows| list(rows).len() == 1);
    let third = sandbox.inspan(&split).ok().to_owned();
    wait_for_capture(&sandbox, &third, "claude> ");
    assert_eq!(may(), ["readonly", "edits"]);
}
