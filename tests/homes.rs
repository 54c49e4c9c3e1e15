//! Whose home a harness runs in, who pays, and what it is told: from outside, with CLIs that only note how they were started.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
mod common;
#[path = "homes/equipped.rs"]
mod equipped;
use common::{Sandbox, Terminal};
use serde_json::Value;
use std::{fs, path::Path};

const CANARY: &str = "sk-canary-5d1c";

/// A CLI that answers what it is, notes its arguments below HOME and waits.
fn noting(version: &str, flags: &str) -> String {
    format!(
        "case $1 in --version) echo {version}; exit;; --help) echo '{flags}'; exit;; esac\n\
         echo \"$@\" >>\"$HOME/started\"\necho the CLI waits\nexec cat"
    )
}

const CLAUDE_FLAGS: &str = "--session-id --settings --permission-mode --resume --model";

/// A machine with a stub `claude`, a key under a name of its own and a repository.
fn machine() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set_env("TEAM_KEY", Some(CANARY));
    sandbox.config("[credits]\nanthropic = \"env:TEAM_KEY\"\n");
    sandbox.stub("claude", &noting("2.1.328", CLAUDE_FLAGS));
    sandbox.repository("shop");
    sandbox
}

fn start(sandbox: &Sandbox, more: &[&str]) -> common::Output {
    let dir = sandbox.path("shop");
    let new = ["new-session", "-d", "-s", "work", "-c", dir.to_str().unwrap(), "--executor"];
    sandbox.inspan(&[&new[..], more].concat())
}

fn started(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("home/started")).unwrap_or_default()
}

fn wait_for_pane(sandbox: &Sandbox, name: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let all = sandbox.wait_json(name, &["list-panes"], |panes| {
        panes.as_array().and_then(|panes| panes.last()).is_some_and(&condition)
    });
    all.as_array().unwrap().last().unwrap().clone()
}

/// There is a process, and it is the program: between fork and exec it has the server's environment.
fn runs(pane: &Value) -> bool {
    let environ =
        pane["pid"].as_i64().map(|pid| fs::read(format!("/proc/{pid}/environ")).unwrap_or_default());
    environ.is_some_and(|environ| environ.windows(11).any(|bytes| bytes == b"INSPAN_RUN="))
}

fn says(pane: &Value, what: &str) -> bool {
    pane["exit"].as_str().is_some_and(|card| card.contains(what))
}

fn environment_of(pid: i64) -> String {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', "\n")
}

#[test]
fn a_key_by_any_name_stays_out_of_server_and_harness() {
    let sandbox = machine();
    start(&sandbox, &["claude", "--trust"]).ok();
    let harness = wait_for_pane(&sandbox, "the harness runs", runs);
    sandbox.inspan(&["split-window", "-t", "work", "--", "cat"]).ok();
    let shell = wait_for_pane(&sandbox, "the program runs", |pane| runs(pane) && pane["executor"] == "shell");
    let server = sandbox.server().expect("a server runs");
    assert!(!environment_of(i64::from(server.pid)).contains(CANARY), "the server's environment");
    let env = environment_of(harness["pid"].as_i64().unwrap());
    assert!(!env.contains(CANARY), "{env}");
    assert!(env.contains("ANTHROPIC_AUTH_TOKEN="), "the pane's own token takes its place");
    assert!(
        environment_of(shell["pid"].as_i64().unwrap()).contains(CANARY),
        "a shell keeps what is the user's"
    );
    assert!(
        harness["notes"].to_string().contains("not passed on from your environment: TEAM_KEY"),
        "{harness}"
    );
}

#[test]
fn after_a_restart_a_client_brings_the_key_back() {
    let mut sandbox = machine();
    start(&sandbox, &["claude", "--trust"]).ok();
    wait_for_pane(&sandbox, "the harness runs", runs);
    sandbox.set_env("TEAM_KEY", None);
    sandbox.inspan(&["restart-server", "--stop"]).ok();
    let pane = wait_for_pane(&sandbox, "the pane is restored", |pane| says(pane, "restored"));
    assert!(pane["notes"].to_string().contains("TEAM_KEY is not set where you attached"), "{pane}");
    sandbox.inspan(&["respawn-pane", "-t", "work", "--how", "fresh"]).ok();
    wait_for_pane(&sandbox, "the card names the key", |pane| {
        says(pane, "claude was not started: its key is not here")
    });
    sandbox.set_env("TEAM_KEY", Some(CANARY));
    let pane =
        wait_for_pane(&sandbox, "the remark is gone", |pane| !pane["notes"].to_string().contains("its key"));
    assert!(!runs(&pane));
    sandbox.inspan(&["respawn-pane", "-t", "work", "--how", "fresh"]).ok();
    wait_for_pane(&sandbox, "the harness runs again", runs);
}

#[test]
fn an_old_cli_gets_a_card_instead_of_a_crash() {
    let sandbox = machine();
    sandbox.stub("claude", &noting("1.0.2", "--resume --model --session-identity"));
    start(&sandbox, &["claude", "--trust"]).ok();
    let old = "is 1.0.2, too old for inspan: it does not know --session-id, --settings, --permission-mode";
    let pane = wait_for_pane(&sandbox, "the card names what is lacking", |pane| says(pane, old));
    assert!(says(&pane, "inspan install claude --force"), "{pane}");
    assert_eq!(started(&sandbox), "", "it was not started");
    let row = sandbox.json(&["executors"]);
    let row = row.as_array().unwrap().iter().find(|row| row["executor"] == "claude").unwrap().clone();
    assert_eq!((&row["readiness"], &row["version"]), (&"too old".into(), &"1.0.2".into()), "{row}");
}

#[test]
fn arguments_and_permission_of_the_settings_are_passed() {
    let sandbox = machine();
    sandbox.config(
        "[credits]\nanthropic = \"env:TEAM_KEY\"\n[executors.claude]\npermission = \"plan\"\nargs = [\"--verbose\", \"a b\"]\n",
    );
    start(&sandbox, &["claude", "--trust"]).ok();
    wait_for_pane(&sandbox, "the harness runs", runs);
    sandbox.wait_output("it noted its arguments", &["list-panes"], |_| !started(&sandbox).is_empty());
    let started = started(&sandbox);
    assert!(started.starts_with("--verbose a b "), "{started}");
    assert!(started.contains("--permission-mode plan"), "{started}");
}

fn open(sandbox: &Sandbox) -> Terminal {
    let dir = sandbox.path("shop");
    sandbox.attach(
        90,
        24,
        &["new-session", "-s", "work", "-c", dir.to_str().unwrap(), "--executor", "claude"],
    )
}

fn wait_for_start(terminal: &Terminal, sandbox: &Sandbox) {
    terminal.wait_for("the CLI waits");
    assert_eq!(started(sandbox).lines().count(), 1);
}

#[test]
fn a_directory_is_asked_about_once_with_what_it_would_load() {
    let sandbox = machine();
    sandbox.write("shop/.mcp.json", r#"{"mcpServers": {"one": {}, "two": {}}}"#);
    let hooks = r#"{"hooks": {"Stop": [{"hooks": [{"command": "true"}]}]}}"#;
    sandbox.write("shop/.claude/settings.json", hooks);
    let terminal = open(&sandbox);
    terminal.wait_for("trust this directory?");
    terminal.wait_for(".mcp.json: 2 MCP servers");
    terminal.wait_for(".claude/settings.json: 1 hook");
    // Enter answers nothing.
    terminal.send("\rt");
    wait_for_start(&terminal, &sandbox);
    let pane = wait_for_pane(&sandbox, "the harness runs", runs);
    let overlay = sandbox.state_dir().join("panes").join(pane["key"].as_str().unwrap()).join("claude");
    let state = fs::read_to_string(overlay.join(".claude.json")).unwrap();
    assert!(state.contains("hasTrustDialogAccepted"), "{state}");
    terminal.keys("C-Space :");
    terminal.send("split-window -h --executor claude\r");
    sandbox.wait_json("a second harness runs unasked", &["list-panes"], |panes| {
        panes.as_array().is_some_and(|panes| panes.len() == 2 && panes.iter().all(runs))
    });
}

#[test]
fn the_question_can_be_left_to_the_harness() {
    let sandbox = machine();
    let terminal = open(&sandbox);
    terminal.wait_for("It brings no hooks");
    terminal.send("h");
    wait_for_start(&terminal, &sandbox);
    let pane = wait_for_pane(&sandbox, "the harness runs", runs);
    let overlay = sandbox.state_dir().join("panes").join(pane["key"].as_str().unwrap()).join("claude");
    let state = fs::read_to_string(overlay.join(".claude.json")).unwrap();
    assert!(!state.contains("hasTrustDialogAccepted"), "{state}");
}

/// Codex on a login: a store of sessions, the file of the running thread held open, OSC 7501.
const CODEX: &str = r#"case $1 in --version) echo codex-cli 0.169.0; exit;; --help) exit;; esac
echo "$@" >>"$HOME/started"
state() { printf '\033]7501;state=%s:app=codex\033\\' "$1"; }
id=01a1f870-d256-7a70-a836-ef811401ab14
dir="$HOME/.codex/sessions/2026/11/20"; mkdir -p "$dir"
state idle
while read -r line; do
  state working
  exec 9>>"$dir/rollout-2026-11-20T10-11-45-$id.jsonl"
  printf '{"type":"session_meta","payload":{"id":"%s","cwd":"%s","thread_source":"user"}}\n' "$id" "$PWD" >&9
  printf '{"type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"mend the cart"}]}}\n' >&9
  printf '{"type":"response_item","payload":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"it is mended"}]}}\n' >&9
  echo answered; state done
done"#;

#[test]
fn under_login_the_session_is_found_and_resumed_with_another_model() {
    let sandbox = Sandbox::new();
    sandbox.stub("codex", CODEX);
    sandbox.repository("shop");
    sandbox.write("home/.codex/auth.json", r#"{"OPENAI_API_KEY": "sk-fake"}"#);
    let theirs = "# mine\nmodel = \"gpt-5.4\"\n";
    sandbox.write("home/.codex/config.toml", theirs);
    start(&sandbox, &["codex"]).ok();
    wait_for_pane(&sandbox, "it is idle", |pane| pane["status"] == "idle" || pane["status"] == "done");
    let said = sandbox.inspan(&["prompt", "-t", "work", "--wait", "mend the cart"]);
    assert_eq!(said.ok(), "it is mended");
    let id = "01a1f870-d256-7a70-a836-ef811401ab14";
    assert_eq!(sandbox.json(&["route", "-t", "work"])["session"], id);
    wait_for_pane(&sandbox, "its turn is over", |pane| pane["status"] == "done" || pane["status"] == "idle");
    let said = sandbox.inspan(&["model", "-t", "work", "gpt-5.3-codex"]);
    assert!(said.ok().contains("resumed with -m gpt-5.3-codex"), "{said:?}");
    sandbox.wait_output("it was started again", &["list-panes"], |_| started(&sandbox).lines().count() == 2);
    let started = started(&sandbox);
    let (first, second) = started.trim().split_once('\n').unwrap();
    assert_eq!(first, "--no-daemon", "nothing is forced on a login");
    assert_eq!(second, format!("resume --no-daemon -m gpt-5.3-codex -- {id}"));
    assert_eq!(fs::read_to_string(sandbox.path("home/.codex/config.toml")).unwrap(), theirs);
    assert!(!Path::new(&sandbox.path("home/.claude")).exists());
}

/// A turn so short that its answer is on record when the CLI is first seen at work.
#[test]
fn under_login_an_answer_seen_early_still_ends_its_turn() {
    let sandbox = Sandbox::new();
    let (head, rest) = CODEX.split_once("  state working\n").unwrap();
    let (record, end) = rest.split_once("  echo answered;").unwrap();
    let wait = r#"while [ ! -e "$HOME/seen" ]; do sleep 0.02; done"#;
    sandbox.stub("codex", &format!("{head}{record}  state working; {wait}; echo answered;{end}"));
    sandbox.repository("shop");
    sandbox.write("home/.codex/auth.json", r#"{"OPENAI_API_KEY": "sk-fake"}"#);
    start(&sandbox, &["codex"]).ok();
    wait_for_pane(&sandbox, "it is idle", |pane| pane["status"] == "idle");
    sandbox.inspan(&["prompt", "-t", "work", "mend the cart"]).ok();
    sandbox.wait_json("its record was read", &["route", "-t", "work"], |route| !route["session"].is_null());
    sandbox.write("home/seen", "");
    wait_for_pane(&sandbox, "its turn is over and unseen", |pane| pane["status"] == "done");
}

#[test]
fn only_our_own_installation_is_kept_from_updating_itself() {
    let sandbox = Sandbox::new();
    sandbox.repository("shop");
    sandbox.write("home/.claude/.credentials.json", r#"{"claudeAiOauth": {"accessToken": "fake"}}"#);
    let theirs = sandbox.stub("claude", &noting("2.1.328", CLAUDE_FLAGS));
    start(&sandbox, &["claude"]).ok();
    let pane = wait_for_pane(&sandbox, "theirs runs", runs);
    assert_eq!(pane["auth"], "login");
    let held = |pane: &Value| environment_of(pane["pid"].as_i64().unwrap()).contains("DISABLE_AUTOUPDATER=1");
    assert!(!held(&pane), "their own updates itself as at home");

    let ours = sandbox.dir("data/inspan/executors/claude/current/node_modules/.bin").join("claude");
    fs::rename(theirs, ours).unwrap();
    sandbox.inspan(&["split-window", "-t", "work", "--executor", "claude"]).ok();
    let pane = wait_for_pane(&sandbox, "ours runs", |p| runs(p) && p["pid"] != pane["pid"]);
    assert!(held(&pane), "ours is exact and stays so");
}

/// A program that no file of ours knows: it echoes what it is told, and shows what it does.
const PARROT: &str = "case $1 in --version) echo 1.2.3; exit;; --help) echo; exit;; esac\n\
    echo \"$@\" >>\"$HOME/started\"\n\
    env >\"$HOME/environment\"\n\
    while printf 'Polly > ' && IFS= read -r line; do\n\
      printf 'esc stops\\n'; echo \"$line\" >>\"$HOME/heard\"; printf '\\033[2J\\033[Hheard %s\\n' \"$line\"\n\
    done";

#[test]
fn an_executor_of_the_settings_runs_without_a_line_of_ours() {
    let sandbox = Sandbox::new();
    sandbox.stub("parrot", PARROT);
    sandbox.repository("shop");
    sandbox.config(
        "[executors.parrot]\ncommand = [\"parrot\", \"--chat\"]\ntitle = \"The Parrot\"\ndialect = \"chat\"\n\
         model = [\"--model\", \"{model}\"]\nsubmit = \"type\"\n\
         [executors.parrot.env]\nPARROT_BASE = \"{gateway}/v1\"\nPARROT_KEY = \"{token}\"\n\
         [executors.parrot.status]\nworking = [\"esc stops\"]\nidle = [\"Polly >\"]\n",
    );
    let rows = sandbox.json(&["executors"]);
    let row = rows.as_array().unwrap().iter().find(|row| row["executor"] == "parrot").unwrap();
    assert_eq!((&row["title"], &row["readiness"]), (&"The Parrot".into(), &"ready".into()), "{row}");
    let near = start(&sandbox, &["parot"]);
    assert!(near.fails(3).contains("did you mean parrot?"), "{near:?}");

    start(&sandbox, &["parrot", "--rehearse", "--prompt", "hello there"]).ok();
    let heard = || fs::read_to_string(sandbox.path("home/heard")).unwrap_or_default();
    let pane = wait_for_pane(&sandbox, "the first prompt was typed once it took prompts", |pane| {
        pane["status"] == "idle" && heard() == "hello there\n"
    });
    assert_eq!(pane["executor"], "parrot");
    assert!(started(&sandbox).starts_with("--chat --model "), "{}", started(&sandbox));
    let environment = fs::read_to_string(sandbox.path("home/environment")).unwrap();
    assert!(environment.contains("PARROT_BASE=http://127.0.0.1:"), "{environment}");
    let key = environment.lines().find_map(|line| line.strip_prefix("PARROT_KEY=")).unwrap();
    assert!(key.len() >= 32 && !started(&sandbox).contains(key));
    sandbox.inspan(&["prompt", "-t", pane["id"].as_str().unwrap(), "again"]).ok();
    sandbox.wait_json("the second prompt arrived", &["list-panes"], |_| heard() == "hello there\nagain\n");
}

#[test]
fn a_missing_cli_is_installed_refused_or_offered_as_the_settings_say() {
    let sandbox = Sandbox::new();
    sandbox.repository("shop");
    sandbox.stub("npm", "case $1 in --version) echo 11.0.0;; *) echo \"no network here\"; exit 1;; esac");
    sandbox.config(
        "[executors.codex]\nauto_install = \"always\"\n[executors.claude]\nauto_install = \"never\"\n",
    );
    let never = start(&sandbox, &["claude", "--rehearse", "--install"]);
    assert!(never.fails(3).contains("auto_install = \"never\""), "{never:?}");
    let ask = start(&sandbox, &["grok", "--rehearse"]);
    assert!(ask.fails(3).contains("inspan install grok"), "{ask:?}");
    start(&sandbox, &["codex", "--rehearse"]).ok();
    wait_for_pane(&sandbox, "it tried to install without being asked", |pane| {
        says(pane, "codex was not installed")
    });
}

#[test]
fn an_agent_and_an_effort_reach_the_cli_and_an_unknown_agent_is_refused() {
    let sandbox = machine();
    sandbox.write(
        "shop/.claude/agents/reviewer.md",
        "---\nname: reviewer\ndescription: Reads diffs\n---\nRead.\n",
    );
    let unknown = start(&sandbox, &["claude", "--trust", "--agent", "reviewr"]);
    let said = unknown.fails(3);
    assert!(
        said.contains("did you mean reviewer?") && said.contains("inspan agents --executor claude"),
        "{said}"
    );
    let unknown = start(&sandbox, &["claude", "--trust", "--effort", "huge"]);
    assert!(unknown.fails(2).contains("use low, medium, high or max"), "{unknown:?}");
    start(&sandbox, &["claude", "--trust", "--agent", "reviewer", "--effort", "high"]).ok();
    wait_for_pane(&sandbox, "the harness runs", |_| started(&sandbox).ends_with('\n'));
    assert!(started(&sandbox).contains("--effort high --agent reviewer"), "{}", started(&sandbox));
    // What was chosen goes on with the pane.
    sandbox.inspan(&["restart-server", "--stop"]).ok();
    wait_for_pane(&sandbox, "the pane is restored", |pane| says(pane, "restored"));
    sandbox.inspan(&["respawn-pane", "-t", "work", "--how", "fresh"]).ok();
    wait_for_pane(&sandbox, "it runs again", |_| started(&sandbox).lines().count() == 2);
    assert!(started(&sandbox).lines().all(|line| line.contains("--agent reviewer")), "{}", started(&sandbox));
    let listed = sandbox.inspan_in(&sandbox.path("shop"), &["agents", "--json"]);
    let rows: Value = serde_json::from_str(listed.ok()).unwrap();
    let of = |executor: &str| {
        rows.as_array().unwrap().iter().find(|row| row["executor"] == executor).unwrap().clone()
    };
    assert_eq!(of("claude")["agents"][0]["name"], "reviewer");
    assert!(of("gemini")["note"].as_str().unwrap().contains("cannot be started as one of its agents"));
}

#[test]
fn a_session_that_is_gone_asks_resume_or_fresh() {
    let sandbox = machine();
    let gone = "case \"$*\" in *--resume*) echo 'No conversation found'; exit 1;; esac\n";
    sandbox.stub(
        "claude",
        &noting("2.1.328", CLAUDE_FLAGS).replace("echo \"$@\"", &format!("{gone}echo \"$@\"")),
    );
    start(&sandbox, &["claude", "--trust", "--resume", "5f0c-gone"]).ok();
    let pane = wait_for_pane(&sandbox, "the pane says what is gone", |pane| {
        pane["notes"].to_string().contains("keeps no session 5f0c-gone")
    });
    assert!(pane["notes"].to_string().contains("resume or fresh?"), "{pane}");
    sandbox.inspan(&["respawn-pane", "-t", "work", "--how", "fresh"]).ok();
    wait_for_pane(&sandbox, "a new session runs", |pane| {
        runs(pane) && started(&sandbox).contains("--session-id")
    });
}

#[test]
fn a_cli_that_ignores_every_polite_signal_is_killed_and_that_is_told() {
    let mut sandbox = machine();
    sandbox.set_patience(std::time::Duration::from_secs(60));
    sandbox.stub("codex", &noting("0.169.0", "--model --sandbox --no-daemon"));
    sandbox.stub("claude", &format!("trap '' TERM HUP INT QUIT\n{}", noting("2.1.328", CLAUDE_FLAGS)));
    start(&sandbox, &["claude", "--rehearse"]).ok();
    let first =
        wait_for_pane(&sandbox, "the harness runs", |pane| runs(pane) && !started(&sandbox).is_empty());
    let old = first["pid"].as_i64().unwrap();
    let switch = ["switch", "-t", "work", "--executor", "codex", "--yes", "--handoff", "none"];
    let mut asked = sandbox.command(&switch).spawn().unwrap();
    wait_for_pane(&sandbox, "the next one runs", |pane| pane["executor"] == "codex" && runs(pane));
    assert!(!Path::new(&format!("/proc/{old}")).exists(), "{old} is still there");
    let events = sandbox.inspan(&["events", "--json"]).ok().to_owned();
    assert!(events.contains("harness.killed") && events.contains("did not end when asked"), "{events}");
    // It waits for a turn that this CLI never begins.
    asked.kill().unwrap();
    asked.wait().unwrap();
}
