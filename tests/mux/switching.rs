//! A switch is durable: wherever the server dies in it, nothing is lost and the pane says where it stands.
use crate::{common::*, gateway::take_a_turn, steps::*};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

/// A `git` that waits while `$HOME/hold` names a word of its command line and `$HOME/after` is there or not wanted.
const GIT: &str = r#"hold=$(cat "$HOME/hold" 2>/dev/null)
case " $* " in
*" ${hold:-nothing-is-held} "*)
  if [ -e "$(cat "$HOME/after" 2>/dev/null)" ] || [ ! -s "$HOME/after" ]; then
    : >"$HOME/held"
    while [ -e "$HOME/hold" ]; do sleep 0.05; done
  fi ;;
esac
exec REAL "$@""#;

/// A session in a repository with a turn of `claude` taken, and what has to be as it was.
struct Scene {
    sandbox: Sandbox,
    pane: String,
    before: Value,
    tree: String,
}

/// What git says of the checkout.
fn tree(sandbox: &Sandbox) -> String {
    let git = |args: &[&str]| sandbox.run_in(&sandbox.path("shop"), "/usr/bin/git", args).ok().to_owned();
    [
        git(&["rev-parse", "HEAD"]),
        git(&["status", "--porcelain"]),
        git(&["ls-files", "-s"]),
        git(&["stash", "list"]),
    ]
    .join("\n")
}

impl Scene {
    fn new() -> Self {
        Self::with(stub_session)
    }

    /// The same with a harness of one's own.
    fn with(start: impl FnOnce(&Sandbox, &str) -> String) -> Self {
        let sandbox = Sandbox::new();
        let real = sandbox.run_in(sandbox.root(), "sh", &["-c", "command -v git"]).ok().to_owned();
        sandbox.stub("git", &GIT.replace("REAL", &real));
        stub_cli(&sandbox, "codex");
        let pane = start(&sandbox, "claude");
        take_a_turn(&sandbox);
        sandbox.wait_json("the turn is over", &["list-panes"], |panes| panes[0]["status"] != "working");
        sandbox.write("shop/draft.txt", "unsaved\n");
        sandbox.write("shop/staged.txt", "staged\n");
        sandbox.run_in(&sandbox.path("shop"), &real, &["add", "staged.txt"]).ok();
        let before = panes(&sandbox)[0].clone();
        let tree = tree(&sandbox);
        Self { sandbox, pane, before, tree }
    }

    /// Holds git at a word of its command line; with `after`, only once that file is there.
    fn hold(&self, word: &str, after: Option<&Path>) {
        let after = after.map(|path| path.display().to_string()).unwrap_or_default();
        self.sandbox.write("home/after", &after);
        self.sandbox.write("home/hold", word);
    }

    fn held(&self) -> PathBuf {
        self.sandbox.path("home/held")
    }

    /// Asks for the switch and does not wait for it.
    fn switch(&self, more: &[&str]) -> Child {
        let words = ["switch", "-t", &self.pane, "--executor", "codex", "--yes", "--key", "K1"];
        let mut command = self.sandbox.command(&[&words[..], more].concat());
        let said = std::fs::File::create(self.sandbox.path("home/said")).unwrap();
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        command.spawn().unwrap()
    }

    fn wait_step(&self, step: &str) {
        self.sandbox.wait_json(step, &["list-panes"], |panes| {
            let said = std::fs::read_to_string(self.sandbox.path("home/said")).unwrap();
            assert_eq!(said, "", "the switch ended already: {panes}");
            panes[0]["switch"]["step"] == step
        });
    }

    /// Kills the server, lets go of what was held, and starts the next one.
    fn kill(&self, mut asked: Child) -> Value {
        let server = self.sandbox.server().expect("a server runs");
        server.kill(Signal::KILL);
        assert!(wait_gone(server.pid, Duration::from_secs(10)));
        drop(std::fs::remove_file(self.sandbox.path("home/hold")));
        assert!(!asked.wait().unwrap().success(), "the switch cannot have been done");
        panes(&self.sandbox)[0].clone()
    }

    /// Nothing is lost: the pane is what it was, with its session, and the checkout is as it was.
    fn check(&self, row: &Value) {
        for field in ["id", "key", "executor", "model", "native_session", "cwd"] {
            assert_eq!(row[field], self.before[field], "{field} of {row}");
        }
        assert_eq!(tree(&self.sandbox), self.tree);
    }

    /// The switch goes on from the card and tells what went before.
    fn goes_on(&self) {
        let terminal = self.sandbox.attach(110, 30, &["attach", "-t", "work"]);
        terminal.wait_for("t go on to codex");
        terminal.wait_for("r go back to claude");
        // Of a start before the crash.
        drop(std::fs::remove_file(self.sandbox.path("home/codex.args")));
        terminal.keys("t");
        terminal.wait_for("codex>");
        let args = std::fs::read_to_string(self.sandbox.path("home/codex.args")).unwrap();
        assert!(args.contains("what is here?"), "the handoff names the request: {args}");
        assert_eq!(tree(&self.sandbox), self.tree);
        let kept = self.sandbox.inspan_in(&self.sandbox.path("shop"), &["checkpoints", "--json"]);
        assert!(kept.ok().contains("commit"), "what was there before is kept: {kept:?}");
    }

    fn goes_back(&self) {
        let terminal = self.sandbox.attach(110, 30, &["attach", "-t", "work"]);
        terminal.wait_for("r go back to claude");
        terminal.keys("r");
        terminal.wait_for("claude>");
        let session = self.before["native_session"].as_str().unwrap();
        let args = std::fs::read_to_string(self.sandbox.path("home/claude.args")).unwrap();
        assert!(args.contains(&format!("--resume\n{session}\n")), "{args}");
    }
}

fn notes(row: &Value) -> String {
    row["notes"].to_string()
}

#[test]
fn killed_while_it_is_planned() {
    let scene = Scene::new();
    scene.hold("status", None);
    let asked = scene.switch(&[]);
    wait_for_path(&scene.held());
    let row = scene.kill(asked);
    scene.check(&row);
    assert!(!notes(&row).contains("switch"), "nothing had begun: {row}");
    let terminal = scene.sandbox.attach(110, 30, &["attach", "-t", "work"]);
    terminal.wait_for("r resume");
}

#[test]
fn killed_while_the_checkpoint_is_made() {
    let scene = Scene::new();
    scene.hold("add", None);
    let asked = scene.switch(&[]);
    wait_for_path(&scene.held());
    scene.wait_step("checkpoint");
    let row = scene.kill(asked);
    scene.check(&row);
    scene.goes_on();
}

#[test]
fn killed_while_the_handoff_is_written() {
    let scene = Scene::new();
    let handoffs = scene.sandbox.state_dir().join("handoffs");
    std::fs::create_dir_all(&handoffs).unwrap();
    // Opening it for writing waits for a reader, and none comes.
    let pipe = handoffs.join("K1.md.next");
    scene.sandbox.run_in(&handoffs, "mkfifo", &["K1.md.next"]).ok();
    let asked = scene.switch(&[]);
    scene.wait_step("handoff");
    let row = scene.kill(asked);
    std::fs::remove_file(pipe).unwrap();
    scene.check(&row);
    assert!(notes(&row).contains("handoff") || notes(&row).contains("checkpoint"), "{row}");
    scene.goes_on();
}

/// A session with a CLI that goes only when it is killed.
fn stubborn(sandbox: &Sandbox, program: &str) -> String {
    stub_cli(sandbox, program);
    let script = std::fs::read_to_string(sandbox.path("bin").join(program)).unwrap();
    let script = script.replacen("#!/bin/sh\n", "#!/bin/sh\ntrap '' TERM HUP INT QUIT\n", 1);
    let script = script.replace("IFS= read -r line; do", "{ IFS= read -r line || exec sleep 30; }; do");
    sandbox.stub(program, &script);
    let dir = sandbox.repository("shop");
    let new = ["new-session", "-d", "-s", "work", "-c", dir.to_str().unwrap(), "--executor", program];
    let pane = sandbox.inspan(&[&new[..], &["--rehearse"]].concat()).ok().to_owned();
    wait_for_capture(sandbox, &pane, &format!("{program}> "));
    pane
}

#[test]
fn killed_while_the_old_one_stops() {
    let scene = Scene::with(stubborn);
    let old = pid(&scene.before);
    let asked = scene.switch(&[]);
    scene.wait_step("stop");
    let row = scene.kill(asked);
    assert!(wait_gone(old, Duration::from_secs(20)), "{old} outlived its server");
    scene.check(&row);
    assert!(notes(&row).contains("stop"), "{row}");
    assert!(
        scene.sandbox.state_dir().join("handoffs/K1.md").exists(),
        "the handoff is on disk before the stop"
    );
    scene.goes_on();
}

#[test]
fn killed_while_the_next_one_starts() {
    let scene = Scene::new();
    let script = std::fs::read_to_string(scene.sandbox.path("bin/codex")).unwrap();
    let slow = script.replacen(
        "[ \"$1\" = --version ]",
        "while [ -e \"$HOME/hold\" ]; do sleep 0.05; done\n[ \"$1\" = --version ]",
        1,
    );
    assert_ne!(slow, script);
    scene.sandbox.stub("codex", &slow);
    scene.hold("nothing", None);
    let asked = scene.switch(&[]);
    scene.wait_step("start");
    let row = scene.kill(asked);
    scene.check(&row);
    scene.goes_on();
}

#[test]
fn killed_while_the_handoff_is_delivered_and_taken_back() {
    let scene = Scene::new();
    // It starts and never says what it does.
    let script = std::fs::read_to_string(scene.sandbox.path("bin/codex")).unwrap();
    scene.sandbox.stub("codex", &script.replace(r"\033]7501;state=idle:app=codex\007", ""));
    let asked = scene.switch(&[]);
    wait_for_path(&scene.sandbox.path("home/codex.args"));
    scene.wait_step("deliver");
    let row = scene.kill(asked);
    scene.check(&row);
    assert!(notes(&row).contains("deliver"), "{row}");
    scene.goes_back();
}

#[test]
fn killed_while_the_handoff_is_delivered_and_gone_on_with() {
    let scene = Scene::new();
    let asked = scene.switch(&[]);
    wait_for_path(&scene.sandbox.path("home/codex.args"));
    scene.wait_step("deliver");
    let row = scene.kill(asked);
    scene.check(&row);
    scene.goes_on();
}

#[test]
fn killed_while_the_checkout_is_compared() {
    let scene = Scene::new();
    scene.hold("status", Some(&scene.sandbox.path("home/codex.args")));
    let asked = scene.switch(&["--handoff", "none"]);
    scene.wait_step("confirm");
    wait_for_path(&scene.held());
    let row = scene.kill(asked);
    assert_eq!(row["executor"], "codex", "it had taken over: {row}");
    assert!(notes(&row).contains("was done"), "{row}");
    assert_eq!(tree(&scene.sandbox), scene.tree);
}

#[test]
fn a_switch_with_a_name_is_done_once() {
    let scene = Scene::new();
    let words =
        ["switch", "-t", &scene.pane, "--executor", "codex", "--yes", "--handoff", "none", "--key", "once"];
    scene.sandbox.inspan(&words).ok();
    wait_for_capture(&scene.sandbox, &scene.pane, "codex> ");
    let again = scene.sandbox.inspan(&words);
    assert!(again.ok().contains("done already"), "{again:?}");
    let report = scene.sandbox.json(&words);
    assert_eq!((&report["key"], &report["to"]["executor"]), (&"once".into(), &"codex".into()));
    let bad = scene.sandbox.inspan(&["switch", "-t", &scene.pane, "--executor", "claude", "--key", "../x"]);
    bad.fails(2);
}

#[test]
fn a_handoff_is_changed_before_it_goes() {
    let scene = Scene::new();
    // From the command line what was written by hand alone.
    let words =
        ["switch", "-t", &scene.pane, "--executor", "codex", "--dry-run", "--handoff-text", "Only this."];
    let told = scene.sandbox.json(&words);
    assert_eq!(told["handoff"], "<inspan-handoff>\nOnly this.\n</inspan-handoff>");

    let terminal = scene.sandbox.attach(110, 40, &["attach", "-t", "work"]);
    terminal.wait_for("claude>");
    terminal.keys("C-Space :");
    terminal.send("switch-dialog --executor codex\r");
    terminal.wait_for("e edit");
    terminal.keys("e");
    terminal.wait_for("keeps it and goes back");
    terminal.wait_for("Handoff from claude");
    terminal.send("Mind the shop window. ");
    terminal.wait_for("Mind the shop window.");
    terminal.keys("Escape");
    terminal.wait_for("u undo");
    terminal.keys("Enter");
    terminal.wait_for("codex>");
    let args = std::fs::read_to_string(scene.sandbox.path("home/codex.args")).unwrap();
    assert!(args.contains("<inspan-handoff>\nMind the shop window. # Handoff from claude"), "{args}");
    assert!(args.trim_end().ends_with("</inspan-handoff>"), "{args}");
}
