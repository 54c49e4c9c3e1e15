//! The multiplexer from outside: sessions, panes, clients and what survives them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
mod common;
use common::{Exit, PROMPT, Process, Sandbox, Signal, Terminal, rows, wait_gone};
use serde_json::Value;
use std::{os::unix::net::UnixListener, path::Path, time::Duration};

/// A session `work` of 80×24 that runs `command`; returns the pane's id as it was printed.
fn session(sandbox: &Sandbox, command: &[&str]) -> String {
    let new = ["new-session", "-d", "-s", "work", "-x", "80", "-y", "24", "--"];
    sandbox.inspan(&[&new[..], command].concat()).ok().to_owned()
}

/// The same with a plain shell.
fn shell_session(sandbox: &Sandbox) -> String {
    session(sandbox, &["sh"])
}

fn attach(sandbox: &Sandbox) -> Terminal {
    sandbox.attach(80, 24, &["attach", "-t", "work"])
}

fn prompts(screen: &vt100::Screen) -> usize {
    rows(screen).iter().map(|row| row.matches(PROMPT.trim_end()).count()).sum()
}

fn wait_for_prompts(terminal: &Terminal, wanted: usize) {
    terminal.wait_until(&format!("{wanted} prompts are shown"), |screen| prompts(screen) == wanted);
}

/// The elements of a list, which every `list-… --json` prints.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn panes(sandbox: &Sandbox) -> Vec<Value> {
    list(&sandbox.json(&["list-panes"])).to_vec()
}

fn pid(pane: &Value) -> i32 {
    pane["pid"].as_i64().and_then(|pid| pid.try_into().ok()).unwrap_or_else(|| panic!("no pid in {pane}"))
}

/// Leaves by the prefix and checks that nothing is left behind.
fn detach(terminal: &Terminal) {
    terminal.keys("C-Space d");
    assert_eq!(terminal.exit_status(), Exit { code: 0, signal: None });
    assert_eq!(terminal.modes_restored(), Ok(()));
}

/// Kills the server as a crash would and waits until it and its panes are gone.
fn crash(sandbox: &Sandbox) {
    let panes: Vec<i32> = panes(sandbox).iter().map(pid).collect();
    let server: Process = sandbox.server().expect("a server runs");
    server.kill(Signal::KILL);
    for pid in [vec![server.pid], panes].concat() {
        assert!(wait_gone(pid, Duration::from_secs(10)), "{pid} outlived the server");
    }
}

#[test]
fn a_shell_starts_and_is_typed_into() {
    let sandbox = Sandbox::new();
    let pane = shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.wait_for(&pane);
    terminal.wait_for("work");
    terminal.send("echo $((6 * 7))\r");
    terminal.wait_until("the answer is shown", |screen| rows(screen).iter().any(|row| row.contains("42")));
    detach(&terminal);
}

#[test]
fn a_pane_is_split_by_keys_and_takes_what_is_typed() {
    let sandbox = Sandbox::new();
    let first = shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space %");
    wait_for_prompts(&terminal, 2);
    let side_by_side =
        |screen: &vt100::Screen| rows(screen).iter().any(|row| row.matches("ready$").count() == 2);
    terminal.wait_until("both prompts stand on one row", side_by_side);
    terminal.keys("C-Space \"");
    wait_for_prompts(&terminal, 3);

    terminal.send("echo ty''ped\r");
    terminal.wait_for("typed");
    let listed = panes(&sandbox);
    assert_eq!(listed.len(), 3);
    let typed = |pane: &Value| {
        let id = pane["id"].as_str().unwrap();
        sandbox.inspan(&["capture-pane", "-p", "-t", id]).ok().contains("typed").then(|| id.to_owned())
    };
    let typed: Vec<String> = listed.iter().filter_map(typed).collect();
    assert_eq!(typed.len(), 1, "one pane has the keys: {typed:?}");
    assert_ne!(typed[0], first, "a new pane has the keys");

    terminal.keys("C-Space x");
    // Killing is confirmed where the product asks; a `y` that is not asked for goes to the shell that has the keys.
    terminal.wait_until("a question or one pane less", |screen| {
        prompts(screen) == 2 || screen.contents().contains("(y/n)")
    });
    if terminal.screen().contains("(y/n)") {
        terminal.keys("y");
    }
    terminal.wait_until("one pane less", |screen| prompts(screen) == 2);
    sandbox.wait_json("two panes are left", &["list-panes"], |value| list(value).len() == 2);
}

#[test]
fn list_panes_has_the_promised_fields() {
    let sandbox = Sandbox::new();
    let dir = sandbox.repository("shop");
    let pane = sandbox.inspan(&["new-session", "-d", "-s", "shop", "-c", dir.to_str().unwrap(), "--", "sh"]);
    let listed = panes(&sandbox);
    let [one] = listed.as_slice() else { panic!("{listed:?}") };
    for field in ["id", "session", "window", "executor", "model", "auth", "status", "cwd", "pid"] {
        assert!(one.get(field).is_some(), "no {field} in {one}");
    }
    assert_eq!(one["id"], pane.ok());
    assert_eq!(Path::new(one["cwd"].as_str().unwrap()).canonicalize().unwrap(), dir.canonicalize().unwrap());
    assert!(Path::new(&format!("/proc/{}", pid(one))).exists());
    let formatted = sandbox.inspan(&["list-panes", "-F", "#{pane_id} #{session_name}"]);
    assert_eq!(formatted.ok(), format!("{} shop", pane.ok()));
}

#[test]
fn commands_do_what_keys_do() {
    let sandbox = Sandbox::new();
    let first = shell_session(&sandbox);
    let second = sandbox.inspan(&["split-window", "-t", &first, "-h", "--", "sh"]).ok().to_owned();
    assert_ne!(first, second);
    sandbox.inspan(&["send-keys", "-t", &second, "-l", "echo $((40+2))"]).ok();
    sandbox.inspan(&["send-keys", "-t", &second, "Enter"]).ok();
    let shows = |pane: &str, text: &str| {
        let name = format!("{pane} shows {text}");
        sandbox.wait_output(&name, &["capture-pane", "-p", "-t", pane], |output| {
            output.stdout.lines().any(|line| line.trim_end() == text)
        })
    };
    shows(&second, "42");
    let other = sandbox.inspan(&["capture-pane", "-p", "-t", &first]);
    assert!(!other.ok().contains("42"), "only one pane was typed into");
    sandbox.inspan(&["kill-pane", "-t", &second]).ok();
    sandbox.wait_json("one pane is left", &["list-panes"], |value| list(value).len() == 1);
}

#[test]
fn a_resize_reaches_the_panes() {
    let sandbox = Sandbox::new();
    let script =
        "trap 'echo now $(stty size)' WINCH; echo first $(stty size); while :; do read -r l || :; done";
    session(&sandbox, &["sh", "-c", script]);
    let terminal = attach(&sandbox);
    terminal.wait_for("first ");
    let seen = |screen: &vt100::Screen, columns: std::ops::RangeInclusive<u16>| {
        let last = rows(screen).iter().rev().find_map(|row| row.split("now ").nth(1).map(str::to_owned));
        let size = last.and_then(|text| text.split_whitespace().nth(1)?.parse().ok());
        size.is_some_and(|size| columns.contains(&size))
    };
    terminal.resize(132, 43);
    terminal.wait_until("the pane is about 132 columns wide", |screen| seen(screen, 128..=132));
    terminal.resize(40, 12);
    terminal.wait_until("the pane is about 40 columns wide", |screen| seen(screen, 36..=40));
}

#[test]
fn a_zoomed_pane_has_the_window_for_itself() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space %");
    wait_for_prompts(&terminal, 2);
    terminal.keys("C-Space z");
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space z");
    wait_for_prompts(&terminal, 2);
}

#[test]
fn the_prefix_twice_goes_to_the_program() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sh", "-c", "echo ok; exec cat -v"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("ok");
    terminal.keys("C-Space C-Space x Enter");
    terminal.wait_until("cat shows NUL and x", |screen| {
        rows(screen).iter().filter(|row| row.contains("^@x")).count() == 2
    });
}

#[test]
fn what_was_there_is_there_after_attaching_again() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.send("kept=yes; echo left be''hind\r");
    terminal.wait_for("left behind");
    detach(&terminal);
    let sessions = sandbox.json(&["list-sessions"]);
    assert_eq!(list(&sessions).len(), 1, "{sessions}");

    let terminal = attach(&sandbox);
    terminal.wait_for("left behind");
    terminal.send("echo still=$kept\r");
    terminal.wait_for("still=yes");
}

#[test]
fn a_client_that_dies_takes_nothing_with_it() {
    for signal in [Signal::KILL, Signal::HUP, Signal::TERM] {
        let sandbox = Sandbox::new();
        shell_session(&sandbox);
        let terminal = attach(&sandbox);
        wait_for_prompts(&terminal, 1);
        terminal.send("kept=yes\r");
        wait_for_prompts(&terminal, 2);
        terminal.kill(signal);
        terminal.exit_status();
        if signal == Signal::TERM {
            assert_eq!(terminal.modes_restored(), Ok(()), "after {signal:?}");
        }
        sandbox.wait_json("no client is left", &["list-clients"], |value| list(value).is_empty());
        let terminal = attach(&sandbox);
        terminal.send("echo still=$kept\r");
        terminal.wait_for("still=yes");
    }
}

#[test]
fn two_clients_see_the_same() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let first = attach(&sandbox);
    wait_for_prompts(&first, 1);
    let second = sandbox.attach(100, 30, &["attach", "-t", "work"]);
    wait_for_prompts(&second, 1);
    assert_eq!(list(&sandbox.json(&["list-clients"])).len(), 2);
    second.send("echo from the se''cond\r");
    second.wait_for("from the second");
    first.wait_for("from the second");
    first.send("echo from the fi''rst\r");
    second.wait_for("from the first");
    // The newest client's size wins.
    second.send("stty size\r");
    second.wait_until("the pane is about 100 columns wide", |screen| {
        rows(screen).iter().any(|row| {
            (96..=100).any(|columns| row.trim_end_matches(['│', '|', ' ']).ends_with(&format!(" {columns}")))
        })
    });
    detach(&second);
    first.send("echo al''one\r");
    first.wait_for("alone");
}

#[test]
fn a_killed_server_comes_back_with_its_panes_and_asks() {
    let sandbox = Sandbox::new();
    let dir = sandbox.repository("shop");
    let first = sandbox.inspan(&["new-session", "-d", "-s", "work", "-c", dir.to_str().unwrap(), "--", "sh"]);
    sandbox.inspan(&["split-window", "-t", first.ok(), "-h", "--", "sh", "-c", "echo second; exec cat"]).ok();
    let before = panes(&sandbox);
    assert_eq!(before.len(), 2);
    crash(&sandbox);
    assert!(sandbox.socket().exists(), "the socket of a killed server is stale, not gone");

    let terminal = sandbox.attach(120, 40, &["attach", "-t", "work"]);
    let cards = |screen: &vt100::Screen, word: &str| {
        rows(screen).iter().map(|row| row.matches(word).count()).sum::<usize>()
    };
    terminal.wait_until("both panes offer to start afresh", |screen| {
        cards(screen, "fresh") >= 2 && cards(screen, "shell") >= 2
    });
    let after = panes(&sandbox);
    let places = |panes: &[Value]| panes.iter().map(|pane| pane["cwd"].clone()).collect::<Vec<_>>();
    assert_eq!(places(&after), places(&before));
    terminal.keys("f");
    terminal.wait_until("one pane runs again", |screen| {
        let text = screen.contents();
        text.contains(PROMPT.trim_end()) || text.contains("second")
    });
    detach(&terminal);
}

#[test]
fn a_stale_socket_is_replaced() {
    let sandbox = Sandbox::new();
    let socket = sandbox.socket();
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(socket.parent().unwrap(), private).unwrap();
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    shell_session(&sandbox);
    assert_eq!(panes(&sandbox).len(), 1);
}

#[test]
fn the_newest_agent_is_reached_through_a_stable_link() {
    let sandbox = Sandbox::new();
    let agents = [sandbox.path("agent-a"), sandbox.path("agent-b")];
    let _listening: Vec<_> = agents.iter().map(|path| UnixListener::bind(path).unwrap()).collect();
    let [first, second] = agents.map(|path| path.to_str().unwrap().to_owned());
    let mut create = sandbox.command(&["new-session", "-d", "-s", "work", "--", "sh"]);
    create.env("SSH_AUTH_SOCK", &first);
    sandbox.output(create).ok();

    let ask = |terminal: &Terminal, agent: &str| {
        // The pane's variable stays the same link; only where it leads changes.
        terminal.send("clear; echo \"at $(readlink -f \"$SSH_AUTH_SOCK\") same ${was:=$SSH_AUTH_SOCK}\"\r");
        terminal.wait_for(&format!("at {agent} same "));
    };
    let terminal = sandbox.terminal(200, 24).env("SSH_AUTH_SOCK", &first).attach(&["attach", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    ask(&terminal, &first);
    terminal.wait_for_no(&format!("same {first}"));
    detach(&terminal);
    let terminal = sandbox.terminal(200, 24).env("SSH_AUTH_SOCK", &second).attach(&["attach", "-t", "work"]);
    ask(&terminal, &second);
    terminal.send("clear; [ \"$was\" = \"$SSH_AUTH_SOCK\" ] && echo the sa''me link\r");
    terminal.wait_for("the same link");
}

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
fn a_program_that_ends_leaves_its_text_and_says_how() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sh", "-c", "echo last words; exit 3"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("last words");
    terminal.wait_for("exited 3");
}

#[test]
fn a_program_that_does_not_exist_is_said_in_its_pane() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["/no/such/program"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("/no/such/program");
    terminal.wait_for("could not start");
}

#[test]
fn hostile_output_and_a_tiny_terminal_do_no_harm() {
    let sandbox = Sandbox::new();
    let script = r#"printf '\377\376\300\n\033]0;'; head -c 3000000 /dev/zero | tr '\0' x; printf '\007'
printf 'e'; i=0; while [ $i -lt 3000 ]; do printf '\314\201'; i=$((i+1)); done
printf '\033[999;999H\342\235\244\357\270\217\033[H\033[2Jsur''vived\n'; exec sh"#;
    session(&sandbox, &["sh", "-c", script]);
    let terminal = attach(&sandbox);
    terminal.wait_for("survived");
    for (columns, rows) in [(2, 1), (500, 200), (1, 2), (80, 24)] {
        terminal.resize(columns, rows);
    }
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
}

#[test]
fn the_last_session_takes_its_client_along() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    let shell = pid(&panes(&sandbox)[0]);
    sandbox.inspan(&["kill-session", "-t", "work"]).ok();
    assert_eq!(terminal.exit_status().code, 0);
    assert_eq!(terminal.modes_restored(), Ok(()));
    assert!(wait_gone(shell, Duration::from_secs(10)));
}

#[test]
fn kill_server_ends_every_process() {
    let sandbox = Sandbox::new();
    // One that ignores the polite signals, and one that left its process group.
    session(
        &sandbox,
        &["sh", "-c", "trap '' HUP TERM; setsid sleep 600 & echo ready; while :; do sleep 600; done"],
    );
    let terminal = attach(&sandbox);
    terminal.wait_for("ready");
    let server = sandbox.server().expect("a server runs");
    sandbox.inspan(&["kill-server"]).ok();
    assert_eq!(terminal.exit_status().code, 0);
    assert_eq!(terminal.modes_restored(), Ok(()));
    assert!(wait_gone(server.pid, Duration::from_secs(10)));
    assert_eq!(sandbox.processes(), []);
}
