//! Steps that several tests take.
use crate::common::*;
use serde_json::Value;
use std::time::Duration;

/// A session `work` of 80×24 that runs `command`; returns the pane's id as it was printed.
pub fn session(sandbox: &Sandbox, command: &[&str]) -> String {
    let new = ["new-session", "-d", "-s", "work", "-x", "80", "-y", "24", "--"];
    sandbox.inspan(&[&new[..], command].concat()).ok().to_owned()
}

/// The same with a plain shell.
pub fn shell_session(sandbox: &Sandbox) -> String {
    session(sandbox, &["sh"])
}

pub fn attach(sandbox: &Sandbox) -> Terminal {
    sandbox.attach(80, 24, &["attach", "-t", "work"])
}

pub fn prompts(screen: &vt100::Screen) -> usize {
    rows(screen).iter().map(|row| row.matches(PROMPT.trim_end()).count()).sum()
}

pub fn wait_for_prompts(terminal: &Terminal, wanted: usize) {
    terminal.wait_until(&format!("{wanted} prompts are shown"), |screen| prompts(screen) == wanted);
}

/// The elements of a list, which every `list-… --json` prints.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn panes(sandbox: &Sandbox) -> Vec<Value> {
    list(&sandbox.json(&["list-panes"])).to_vec()
}

pub fn pid(pane: &Value) -> i32 {
    pane["pid"].as_i64().and_then(|pid| pid.try_into().ok()).unwrap_or_else(|| panic!("no pid in {pane}"))
}

/// Leaves by the prefix and checks that nothing is left behind.
pub fn detach(terminal: &Terminal) {
    terminal.keys("C-Space d");
    assert_eq!(terminal.exit_status(), Exit { code: 0, signal: None });
    assert_eq!(terminal.modes_restored(), Ok(()));
}

/// Kills the server as a crash would and waits until it and its panes are gone.
pub fn crash(sandbox: &Sandbox) {
    let panes: Vec<i32> = panes(sandbox).iter().map(pid).collect();
    let server: Process = sandbox.server().expect("a server runs");
    server.kill(Signal::KILL);
    for pid in [vec![server.pid], panes].concat() {
        assert!(wait_gone(pid, Duration::from_secs(10)), "{pid} outlived the server");
    }
}

/// The program under test.
pub const INSPAN: &str = env!("CARGO_BIN_EXE_inspan");

/// Puts a stand-in for an executor's CLI on PATH. It leaves its arguments and environment in the home, prompts, says
/// back each line, and runs one that begins with `!`.
pub fn stub_cli(sandbox: &Sandbox, program: &str) {
    let script = r#"[ "$1" = --version ] && { echo 'NAME 9.9.9'; exit; }
[ "$1" = app-server ] && exit 1
printf '%s\n' "$@" >"$HOME/NAME.args"
env >"$HOME/NAME.env"
printf '\033]2;✳ stub\007\033]7501;state=idle:app=NAME\007stub NAME\n'
while printf 'NAME> ' && IFS= read -r line; do
case $line in
!*) sh -c "${line#!}" ;;
*) echo "heard $line" ;;
esac
done"#;
    sandbox.stub(program, &script.replace("NAME", program));
}

/// A session `work` in a new repository `shop`, with a harness on rehearsal whose CLI is a stand-in; returns the pane.
pub fn stub_session(sandbox: &Sandbox, program: &str) -> String {
    stub_cli(sandbox, program);
    let dir = sandbox.repository("shop");
    let new = ["new-session", "-d", "-s", "work", "-c", dir.to_str().unwrap(), "--executor", program];
    let pane = sandbox.inspan(&[&new[..], &["--rehearse"]].concat()).ok().to_owned();
    wait_for_capture(sandbox, &pane, &format!("{program}> "));
    pane
}

/// Waits until a line of a pane begins with `text`.
pub fn wait_for_capture(sandbox: &Sandbox, pane: &str, text: &str) {
    sandbox.wait_output(&format!("{pane} shows {text:?}"), &["capture-pane", "-p", "-t", pane], |output| {
        output.stdout.lines().any(|line| format!("{line} ").starts_with(text))
    });
}

/// Types a line into a pane.
pub fn type_line(sandbox: &Sandbox, pane: &str, line: &str) {
    sandbox.inspan(&["send-keys", "-t", pane, "-l", line]).ok();
    sandbox.inspan(&["send-keys", "-t", pane, "Enter"]).ok();
}

/// The variables that a stand-in was started with.
pub fn stub_env(sandbox: &Sandbox, program: &str) -> std::collections::BTreeMap<String, String> {
    let text = std::fs::read_to_string(sandbox.path(&format!("home/{program}.env"))).unwrap();
    text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Waits until something is at `path`.
#[track_caller]
pub fn wait_for_path(path: &std::path::Path) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while !path.exists() {
        assert!(
            std::time::Instant::now() < deadline,
            "waiting until {} exists: it took too long",
            path.display()
        );
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
