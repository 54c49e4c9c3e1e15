//! The pane of `openai-agents`, with a runtime of sh in the place of the SDK's: what the person sees and does, what is
//! carried out, and what the server learns of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
mod common;
use common::{Exit, Sandbox, Terminal, rows, wait_gone};
use serde_json::json;
use std::{fs, path::PathBuf, time::Duration};

const INSPAN: &str = env!("CARGO_BIN_EXE_inspan");
const PROGRAM: &str = "openai-agents-python";
/// What stands below the prompt of a pane that has nothing to do.
const IDLE: &str = "takes a prompt";

/// A runtime that speaks the protocol: `use {COMMAND}` calls the shell with it, `write {FILE}` writes a file, `retry`
/// fails once, `fail` for good, `stay` never ends, `die` ends it; anything else is answered with how many prompts came.
const RUNTIME: &str = r#"
case $1 in --version) echo "openai-agents 0.24.0"; exit;; esac
tell() { printf '%s\n' "$1"; }
say() { tell "{\"type\":\"text\",\"text\":\"$1\"}"; tell "{\"type\":\"said\",\"text\":\"$1\"}"; }
call() { tell "{\"type\":\"tool_call\",\"id\":\"c$count\",\"name\":\"$1\",\"arguments\":\"$2\"}"; }
ended() { tell "{\"type\":\"ended\",\"how\":\"$1\",\"why\":null}"; }
count=0
while IFS= read -r line; do
  printf '%s\n' "$line" >>"$HOME/heard"
  case $line in
  *'"type":"start"'*) tell '{"type":"ready","sdk":"0","python":"0"}';;
  *'"type":"interrupt"'*) ended interrupted;;
  *'"type":"tool_result"'*)
    output=${line#*\"output\":\"}
    say "It gave: ${output%\"\}}"
    ended 'done';;
  *'"type":"prompt"'*)
    count=$((count + 1))
    tell '{"type":"turn"}'
    case $line in
    *'use {'*) tell '{"type":"model","name":"stub-1"}'; command=${line#*use \{}; call shell "{\\\"command\\\":\\\"${command%%\}*}\\\"}";;
    *'write {'*) file=${line#*write \{}; call write_file "{\\\"path\\\":\\\"${file%%\}*}\\\",\\\"content\\\":\\\"new line\\\"}";;
    *retry*) tell '{"type":"retrying","attempt":1,"of":4,"delay":600,"status":429,"why":"429: slow down"}';;
    *fail*) tell '{"type":"ended","how":"failed","why":"the model called a tool that is not there"}';;
    *stay*) say 'I stay.';;
    *die*) echo 'no module named agents' >&2; exit 3;;
    *) say "Prompt $count."; ended 'done';;
    esac;;
  esac
done
"#;

/// A sandbox with the stub, and a repository.
fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.stub(PROGRAM, RUNTIME);
    sandbox.repository("shop");
    sandbox
}

/// Writes what a launch would have written.
fn settings(sandbox: &Sandbox, permission: &str) -> PathBuf {
    let settings = json!({
        "program": sandbox.path("bin").join(PROGRAM), "runner": sandbox.path("pane/runner.py"),
        "base_url": "http://127.0.0.1:1/v1", "token": "pane-token", "model": "gpt-5.4",
        "session": "s1", "resumed": false, "database": sandbox.path("pane/sessions.db"),
        "cwd": sandbox.path("shop"), "permission": permission, "trusted": true, "prompt": null,
    });
    sandbox.write("pane/settings.json", &settings.to_string())
}

/// The program of the pane alone, in a terminal of its own, ready for a prompt.
fn pane(sandbox: &Sandbox, permission: &str) -> Terminal {
    sized(sandbox, permission, 80, 24)
}

fn sized(sandbox: &Sandbox, permission: &str, cols: u16, rows: u16) -> Terminal {
    let settings = settings(sandbox, permission);
    let terminal = sandbox.terminal(cols, rows).run(&[INSPAN, "agent-pane", settings.to_str().unwrap()]);
    terminal.wait_for(IDLE);
    terminal
}

fn made(sandbox: &Sandbox, file: &str) -> Option<String> {
    fs::read_to_string(sandbox.path("shop").join(file)).ok()
}

fn heard(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("home/heard")).unwrap_or_default()
}

/// Leaves and checks that the terminal is as it was.
fn leave(terminal: &Terminal) {
    terminal.keys("C-d");
    assert_eq!(terminal.exit_status(), Exit { code: 0, signal: None });
    assert_eq!(terminal.modes_restored(), Ok(()));
}

#[test]
fn a_command_asks_and_runs_when_the_person_agrees() {
    let sandbox = machine();
    let pane = pane(&sandbox, "ask");
    pane.wait_for("host, not used yet");
    pane.send("use {echo made >file; cat file; echo bad >&2; exit 3}\r");
    pane.wait_for("y yes   a yes, always this command   n no");
    assert_eq!(made(&sandbox, "file"), None, "nothing runs before it was agreed to");
    pane.send("y");
    pane.wait_for("exit 3");
    pane.wait_for("│ bad");
    pane.wait_for("It gave: exit 3");
    pane.wait_for(IDLE);
    pane.wait_for("stub-1 · ask");
    assert_eq!(made(&sandbox, "file").as_deref(), Some("made\n"));
    assert!(heard(&sandbox).contains(r"s\nmade\nbad\n"), "{}", heard(&sandbox));
    leave(&pane);
}

#[test]
fn what_was_agreed_to_for_the_session_asks_once_and_a_no_reaches_the_model() {
    let sandbox = machine();
    let pane = pane(&sandbox, "ask");
    pane.send("use {echo x >>file}\r");
    pane.wait_for("y yes");
    pane.send("a");
    pane.wait_for(IDLE);
    pane.send("use {echo x >>file}\r");
    pane.wait_until("it ran again", |_| made(&sandbox, "file").as_deref() == Some("x\nx\n"));
    pane.wait_for(IDLE);
    pane.send("write {new/file}\r");
    pane.wait_for("+ new line");
    pane.wait_for("y yes   a yes, all edits here   n no");
    pane.send("n");
    pane.wait_for("you said no");
    pane.wait_for(IDLE);
    assert!(heard(&sandbox).contains("The person said no to this."), "{}", heard(&sandbox));
    assert_eq!(made(&sandbox, "new/file"), None);
    leave(&pane);
}

#[test]
fn keys_that_were_under_way_when_a_question_came_up_do_not_answer_it() {
    let sandbox = machine();
    let pane = pane(&sandbox, "ask");
    // All in one write: the letters arrive before anybody can have read the question.
    pane.send("use {touch file}\ryyy");
    pane.wait_for("Ctrl-C empties the prompt, then this takes an answer");
    pane.wait_for("› yyy");
    pane.send("\r");
    pane.wait_for("y yes");
    assert_eq!(made(&sandbox, "file"), None);
    pane.send("\r");
    pane.wait_for("y or n answers the question");
    assert_eq!(made(&sandbox, "file"), None);
    pane.send("n");
    pane.wait_for("Prompt 2.");
    leave(&pane);
}

#[test]
fn permissions_hold_whatever_the_model_wants() {
    for (permission, command, edit, outside) in [
        ("full", "touch file · exit 0", "edited · new, 1 lines", "elsewhere · new, 1 lines"),
        ("edits", "y yes", "edited · new, 1 lines", "this is outside the workspace"),
        ("plan", "y yes", "edited · not under plan", "elsewhere · not under plan"),
        ("readonly", "touch file · not under", "edited · not under", "elsewhere · not under"),
    ] {
        let sandbox = machine();
        let pane = pane(&sandbox, permission);
        let outside_file = sandbox.path("elsewhere");
        for (prompt, wanted) in [
            ("use {touch file}".to_owned(), command),
            ("write {edited}".to_owned(), edit),
            (format!("write {{{}}}", outside_file.display()), outside),
        ] {
            pane.send(format!("{prompt}\r"));
            pane.wait_for(wanted);
            if wanted.starts_with("y ") || wanted.starts_with("this is") {
                pane.wait_for("n no");
                pane.send("n");
            }
            pane.wait_for(IDLE);
            pane.keys("C-l");
        }
        assert_eq!(made(&sandbox, "file").is_some(), permission == "full", "{permission}");
        assert_eq!(
            made(&sandbox, "edited").is_some(),
            matches!(permission, "full" | "edits"),
            "{permission}"
        );
        assert_eq!(outside_file.exists(), permission == "full", "{permission}");
        leave(&pane);
    }
}

#[test]
fn escape_stops_the_turn_and_everything_that_it_runs() {
    let sandbox = machine();
    let pane = pane(&sandbox, "full");
    pane.send("use {sleep 1000 & echo $! >pid; wait}\r");
    let mut pid = None;
    pane.wait_until("the command runs", |_| {
        pid = made(&sandbox, "pid").and_then(|text| text.trim().parse::<i32>().ok());
        pid.is_some()
    });
    pane.wait_for("Esc stops");
    pane.send("and then this\r");
    pane.wait_for("(waits for the turn's end)");
    pane.keys("Escape");
    pane.wait_for("wait · interrupted");
    pane.wait_for(IDLE);
    // What waited is in the prompt again, not sent.
    pane.wait_for("› and then this");
    pane.wait_for_no("(waits for the turn's end)");
    assert!(wait_gone(pid.unwrap(), Duration::from_secs(20)), "what the command left behind runs on");
    pane.keys("C-c");
    pane.wait_for_no("and then this");
    leave(&pane);
}

#[test]
fn control_c_clears_then_stops_then_leaves() {
    let sandbox = machine();
    let pane = pane(&sandbox, "full");
    pane.send("stay\r");
    pane.wait_for("I stay.");
    pane.send("draft");
    pane.wait_for("› draft");
    pane.keys("C-c");
    pane.wait_for_no("draft");
    pane.wait_for("Esc stops");
    pane.keys("C-c");
    pane.wait_for("interrupted");
    pane.wait_for(IDLE);
    pane.keys("C-c");
    pane.wait_for("Ctrl-C again leaves");
    pane.keys("C-c");
    assert_eq!(pane.exit_status(), Exit { code: 0, signal: None });
    assert_eq!(pane.modes_restored(), Ok(()));
}

#[test]
fn a_prompt_has_as_many_lines_as_it_needs() {
    let sandbox = machine();
    let pane = pane(&sandbox, "full");
    pane.send("one");
    pane.keys("S-Enter");
    pane.send("two");
    pane.wait_until("two rows of prompt", |screen| {
        let rows = rows(screen);
        rows.iter().any(|r| r == "› one") && rows.iter().any(|r| r == "  two")
    });
    pane.paste("\nthree\nfour \x1b[31m");
    pane.wait_for("  four");
    assert!(!heard(&sandbox).contains("prompt"), "a paste sends nothing");
    pane.send("\r");
    pane.wait_for("Prompt 1.");
    assert!(heard(&sandbox).contains(r#""text":"one\ntwo\nthree\nfour "#), "{}", heard(&sandbox));
    pane.keys("Up");
    pane.wait_until("the prompt is back", |screen| {
        rows(screen).iter().filter(|r| *r == "  three").count() == 2
    });
    pane.keys("C-c");
    leave(&pane);
}

#[test]
fn retries_are_shown_and_the_next_prompt_waits() {
    let sandbox = machine();
    let pane = pane(&sandbox, "full");
    pane.send("retry\r");
    pane.wait_for("· try 1 of 5 failed: 429: slow down");
    pane.wait_for("↻ try 2 of 5 in ");
    pane.keys("Escape");
    pane.wait_for(IDLE);
    pane.wait_for_no("↻");
    leave(&pane);
}

#[test]
fn a_runtime_that_dies_is_quoted_and_ends_the_pane() {
    let sandbox = machine();
    let pane = pane(&sandbox, "full");
    pane.send("die\r");
    assert_eq!(pane.exit_status(), Exit { code: 1, signal: None });
    let screen = pane.screen();
    assert!(screen.contains("! the runtime ended · the session is kept"), "{screen}");
    assert!(screen.contains("no module named agents"), "{screen}");
    assert_eq!(pane.modes_restored(), Ok(()));
}

#[test]
fn a_pane_that_changes_its_size_keeps_its_shape() {
    let sandbox = machine();
    let pane = sized(&sandbox, "ask", 40, 12);
    pane.send("use {echo a command that is longer than the pane is wide}\r");
    pane.wait_for("  Esc no, and stop");
    let shape = |screen: &vt100::Screen, width: usize| {
        let rows = rows(screen);
        let rules = rows.iter().filter(|row| **row == "─".repeat(width)).count();
        let prompts = rows.iter().filter(|row| row.starts_with("› what shall")).count();
        (rules, prompts) == (2, 1)
    };
    pane.wait_until("40 columns hold it", |screen| shape(screen, 40));
    for (cols, lines) in [(80, 24), (25, 10), (120, 40)] {
        pane.resize(cols, lines);
        pane.wait_until("it is drawn anew", |screen| shape(screen, cols.into()));
    }
    pane.wait_for("◆ run   echo a command that is longer than the pane is wide");
    pane.send("n");
    pane.wait_for(IDLE);
    leave(&pane);
}

#[test]
fn without_colours_there_are_none() {
    let sandbox = machine();
    let file = settings(&sandbox, "full");
    let terminal = sandbox.terminal(80, 24).env("NO_COLOR", "1");
    let pane = terminal.run(&[INSPAN, "agent-pane", file.to_str().unwrap()]);
    pane.wait_for(IDLE);
    pane.send("use {printf '\\\\033[31mred\\\\n'}\r");
    pane.wait_for("│ red");
    pane.wait_for(IDLE);
    let raw = String::from_utf8_lossy(&pane.raw()).into_owned();
    for sequence in raw.split("\x1b[").skip(1) {
        let codes = sequence.split_once('m').map_or("", |(codes, _)| codes);
        let coloured = codes.split(';').any(|code| code.len() == 2 && code.starts_with(['3', '4', '9']));
        assert!(!coloured || !codes.chars().all(|c| c.is_ascii_digit() || c == ';'), "{sequence:?}");
    }
    leave(&pane);
}

#[test]
fn what_is_not_there_is_said_before_anything_is_drawn() {
    let sandbox = machine();
    let said = sandbox.inspan(&["agent-pane", "/nonexistent/settings.json"]);
    assert!(said.fails(1).contains("cannot read /nonexistent/settings.json"), "{said:?}");
    let file = settings(&sandbox, "ask");
    let said = sandbox.inspan(&["agent-pane", file.to_str().unwrap()]);
    assert!(said.fails(1).contains("this is no terminal"), "{said:?}");
}

#[test]
fn the_server_reads_the_protocol_and_types_prompts() {
    let sandbox = machine();
    let repo = sandbox.path("shop");
    let new = ["new-session", "-d", "-s", "work", "-x", "80", "-y", "24", "-c", repo.to_str().unwrap()];
    let more = ["--executor", "openai-agents", "--rehearse", "--permission", "ask"];
    let id = sandbox.inspan(&[&new[..], &more].concat()).ok().to_owned();
    let wait = |status: &str| {
        // A turn that nobody looked at ends as `done`.
        let is = |now: &str| now == status || status == "idle" && now == "done";
        sandbox.wait_json(&format!("the pane is {status}"), &["list-panes"], |panes| {
            panes[0]["status"].as_str().is_some_and(is)
        })
    };
    wait("idle");
    sandbox.inspan(&["prompt", "-t", &id, "use {touch file}\nplease"]).ok();
    wait("needs-you");
    let why = sandbox.inspan(&["explain", "-t", &id]).ok().to_owned();
    assert!(why.contains("says protocol: run touch file?"), "{why}");
    let screen = ["capture-pane", "-p", "-t", &id];
    sandbox.wait_output("it takes an answer", &screen, |said| said.stdout.contains("y yes"));
    sandbox.inspan(&["send-keys", "-t", &id, "y"]).ok();
    wait("idle");
    assert!(made(&sandbox, "file").is_some());
    assert!(heard(&sandbox).contains(r#""text":"use {touch file}\nplease""#), "{}", heard(&sandbox));
    sandbox.inspan(&["prompt", "-t", &id, "retry"]).ok();
    wait("retrying");
    sandbox.inspan(&["send-keys", "-t", &id, "Escape"]).ok();
    wait("idle");
    // Nothing passed the gateway, so only the protocol can tell how a turn ended.
    sandbox.inspan(&["prompt", "-t", &id, "--wait", "anything"]).ok();
    let failed = sandbox.inspan(&["prompt", "-t", &id, "--wait", "fail"]);
    assert!(failed.fails(1).contains("failed: the model called a tool that is not there"), "{failed:?}");
    sandbox.inspan(&["prompt", "-t", &id, "--wait", "something else"]).ok();
    // The token is in a private file and on the pipe, nowhere else.
    let token = heard(&sandbox).split(r#""token":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
    for process in sandbox.processes() {
        assert!(!process.argv.join(" ").contains(&token), "{process:?}");
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&environment).contains(&token), "{process:?}");
    }
    let files = sandbox.inspan(&["files", "-t", &id]).ok().to_owned();
    assert!(files.contains("runner.py") && files.contains("settings.json"), "{files}");
}
