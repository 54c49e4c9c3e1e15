//! What scripts do: options, bindings, hooks, shells, waiting, pipes, files of commands.
use crate::{common::*, steps::*};
use std::fs;

fn shown(sandbox: &Sandbox, pane: &str, text: &str) {
    let name = format!("{pane} shows {text}");
    sandbox.wait_output(&name, &["capture-pane", "-p", "-t", pane], |output| output.stdout.contains(text));
}

#[test]
fn keys_are_sent_by_name_by_number_and_again() {
    let sandbox = Sandbox::new();
    let pane = session(&sandbox, &["sh", "-c", "stty raw -echo; echo ok; exec cat -v"]);
    shown(&sandbox, &pane, "ok");
    sandbox.inspan(&["send-keys", "-t", &pane, "-N", "3", "x"]).ok();
    sandbox.inspan(&["send-keys", "-t", &pane, "-H", "1b", "5b", "41"]).ok();
    sandbox.inspan(&["send-keys", "-t", &pane, "C-a", "F1", "Space", "Enter"]).ok();
    sandbox.inspan(&["send-keys", "-t", &pane, "-l", "Enter;"]).ok();
    shown(&sandbox, &pane, "xxx^[[A^A^[OP ^MEnter;");
    assert!(sandbox.inspan(&["send-keys", "-t", &pane, "-H", "zz"]).fails(2).contains("hexadecimal"));
}

#[test]
fn several_commands_stand_on_one_line() {
    let sandbox = Sandbox::new();
    let line = [
        "new-session",
        "-d",
        "-s",
        "work",
        "sleep 600",
        ";",
        "split-window",
        "-h",
        "sleep 600",
        ";",
        "rename-window",
        "both",
    ];
    assert_eq!(sandbox.inspan(&line).ok(), "%1\n%2");
    assert_eq!(sandbox.inspan(&["list-windows", "-F", "#{window_name} #{window_panes}"]).ok(), "both 2");
    let half = sandbox.inspan(&["rename-window", "half", ";", "kill-pane", "-t", "%9"]);
    assert!(half.fails(1).contains("%9"));
    assert_eq!(
        sandbox.inspan(&["list-windows", "-F", "#{window_name}"]).ok(),
        "half",
        "what came before was done"
    );
}

#[test]
fn options_are_set_shown_and_taken_back() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sleep", "600"]);
    let show = |args: &[&str]| sandbox.inspan(&[&["show-options"], args].concat()).ok().to_owned();
    assert_eq!(show(&["-gv", "mouse"]), "on");
    sandbox.inspan(&["set", "-g", "mouse", "off"]).ok();
    assert_eq!(show(&["-g", "mouse"]), "mouse off");
    sandbox.inspan(&["set", "-gu", "mouse"]).ok();
    assert_eq!(show(&["-gv", "mouse"]), "on");
    sandbox.inspan(&["set", "-g", "history-limit", "5000"]).ok();
    assert_eq!(show(&["-gv", "history-limit"]), "5000");
    assert!(sandbox.inspan(&["set", "-g", "moose", "on"]).fails(2).contains("did you mean mouse"));
    assert!(sandbox.inspan(&["set", "-g", "mouse", "maybe"]).fails(2).contains("neither on nor off"));
    assert!(sandbox.inspan(&["set", "-g", "mode-keys", "ed"]).fails(2).contains("vi, emacs"));
    sandbox.inspan(&["set", "-gq", "moose", "on"]).ok();
    sandbox.inspan(&["set", "-g", "@project", "shop"]).ok();
    sandbox.inspan(&["set", "-p", "-t", "%1", "@project", "own"]).ok();
    sandbox.inspan(&["set", "-ga", "@project", "ping"]).ok();
    sandbox.inspan(&["set", "-gF", "@where", "#{session_name}"]).ok();
    assert_eq!(show(&["-gv", "@project"]), "shopping");
    let told = sandbox.inspan(&["display-message", "-p", "#{@project} #{@where} #{?mouse,m,-}"]);
    assert_eq!(told.ok(), "own work m");
    assert!(sandbox.json(&["show-options", "-g"])["mouse"] == "on");
}

#[test]
fn keys_are_bound_and_unbound_while_it_runs() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    sandbox
        .inspan(&["bind-key", "-N", "make two", "g", "split-window -h ; select-layout even-vertical"])
        .ok();
    sandbox.inspan(&["bind-key", "-n", "M-g", "rename-window", "alone"]).ok();
    terminal.keys("C-Space g");
    sandbox.wait_json("both commands ran", &["list-panes"], |value| {
        list(value).len() == 2 && value[1]["left"] == 0
    });
    terminal.keys("M-g");
    terminal.wait_for("alone*");
    let keys = sandbox.json(&["list-keys", "-T", "root"]);
    assert_eq!((&keys[0]["key"], &keys[0]["command"]), (&"M-g".into(), &"rename-window alone".into()));
    assert!(sandbox.inspan(&["list-keys", "g"]).ok().contains("make two"));
    sandbox.inspan(&["unbind-key", "g"]).ok();
    terminal.keys("C-Space g");
    terminal.wait_for("C-Space g is not bound");
    assert!(sandbox.inspan(&["bind-key", "g", "spilt-window"]).fails(2).contains("spilt-window"));
    assert!(sandbox.inspan(&["unbind-key", "g"]).fails(1).contains("not bound"));
}

#[test]
fn hooks_run_when_something_happens() {
    let sandbox = Sandbox::new();
    sandbox.config("[[hooks]]\nevent = \"session-created\"\nrun = \"set-option -g @made #{hook_session}\"\n");
    assert!(sandbox.inspan(&["config", "check"]).ok().contains("sound"));
    let pane = session(&sandbox, &["sh", "-c", "read x; exit 3"]);
    sandbox
        .wait_output("the hook of the file ran", &["show-options", "-gv", "@made"], |o| o.stdout == "work\n");
    sandbox.inspan(&["set-hook", "-g", "pane-exited", "set-option -g @gone '#{hook_pane}'"]).ok();
    sandbox
        .inspan(&[
            "set-hook",
            "-g",
            "after-rename-window",
            "set-option -g @named yes ; split-window -d sleep",
        ])
        .ok();
    sandbox.inspan(&["send-keys", "-t", &pane, "Enter"]).ok();
    sandbox.wait_output("the pane's end is told", &["show-options", "-gv", "@gone"], |o| {
        o.stdout.trim() == pane
    });
    sandbox.inspan(&["rename-window", "other"]).ok();
    sandbox.wait_output("both of its commands ran", &["list-panes"], |o| o.stdout.lines().count() == 2);
    assert_eq!(sandbox.inspan(&["show-options", "-gv", "@named"]).ok(), "yes");
    assert!(sandbox.inspan(&["show-hooks"]).ok().contains("pane-exited set-option"));
    assert!(
        sandbox.inspan(&["set-hook", "-g", "pane-exitd", "kill-server"]).fails(2).contains("pane-exited")
    );
    sandbox.config("[[hooks]]\nevent = \"sesion-created\"\nrun = \"kill-server\"\n");
    assert!(sandbox.inspan(&["config", "check"]).fails(1).contains("session-created"));
}

#[test]
fn shells_run_beside_the_panes_and_decide() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sleep", "600"]);
    assert_eq!(
        sandbox.inspan(&["run-shell", "echo from #{session_name}; echo err >&2"]).ok(),
        "from work\nerr"
    );
    let failed = sandbox.inspan(&["run-shell", "echo why; exit 4"]);
    assert!(failed.fails(1).contains("why") && failed.stderr.contains("returned 4"), "{failed:?}");
    let chosen = |condition: &str| {
        let yes = "display-message -p yes";
        sandbox.inspan(&["if-shell", condition, yes, "display-message -p no"]).ok().to_owned()
    };
    assert_eq!((chosen("true").as_str(), chosen("false").as_str()), ("yes", "no"));
    let by_format =
        sandbox.inspan(&["if-shell", "-F", "#{pane_dead}", "kill-server", "display-message -p alive"]);
    assert_eq!(by_format.ok(), "alive");
    sandbox.inspan(&["run-shell", "-b", "echo later >later"]).ok();
    sandbox.inspan(&["run-shell", "-C", "rename-window by-#{session_name}"]).ok();
    assert_eq!(sandbox.inspan(&["list-windows", "-F", "#{window_name}"]).ok(), "by-work");
    let wait = "test -f later && echo there || echo not yet";
    sandbox.wait_output("it ran behind the scenes", &["run-shell", wait], |o| o.stdout == "there\n");
}

#[test]
fn commands_wait_for_each_other() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sleep", "600"]);
    sandbox.inspan(&["wait-for", "-S", "early"]).ok();
    sandbox.inspan(&["wait-for", "early"]).ok();
    sandbox.inspan(&["wait-for", "-L", "door"]).ok();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| sandbox.inspan(&["wait-for", "built"]));
        let locked = scope.spawn(|| sandbox.inspan(&["wait-for", "-L", "door"]));
        // Either order of waiting and waking ends well.
        sandbox.inspan(&["wait-for", "-S", "built"]).ok();
        sandbox.inspan(&["wait-for", "-U", "door"]).ok();
        waiting.join().unwrap().ok();
        locked.join().unwrap().ok();
    });
    sandbox.inspan(&["wait-for", "-U", "door"]).ok();
    assert!(sandbox.inspan(&["wait-for", "-U", "door"]).fails(1).contains("not locked"));
}

#[test]
fn what_a_pane_prints_goes_through_a_pipe() {
    let sandbox = Sandbox::new();
    let pane = session(&sandbox, &["sh", "-c", "while read x; do echo got $x; done"]);
    sandbox.inspan(&["pipe-pane", "-t", &pane, "cat >#{session_name}.log"]).ok();
    assert_eq!(sandbox.inspan(&["list-panes", "-F", "#{pane_pipe}"]).ok(), "1");
    sandbox.inspan(&["send-keys", "-t", &pane, "one", "Enter"]).ok();
    let has = "grep -q 'got one' work.log";
    sandbox.wait_output("the log has it", &["run-shell", has], |output| output.code == 0);
    sandbox.inspan(&["pipe-pane", "-t", &pane]).ok();
    assert_eq!(sandbox.inspan(&["list-panes", "-F", "#{pane_pipe}"]).ok(), "0");
    sandbox.inspan(&["send-keys", "-t", &pane, "two", "Enter"]).ok();
    shown(&sandbox, &pane, "got two");
    assert!(!fs::read_to_string(sandbox.path("home/work.log")).unwrap().contains("two"));
    // The other way round: what a command prints is typed.
    sandbox.inspan(&["pipe-pane", "-I", "-t", &pane, "echo three"]).ok();
    shown(&sandbox, &pane, "got three");
}

#[test]
fn files_of_commands_are_run_and_checked() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sleep", "600"]);
    let file = sandbox.write(
        "home/layout.conf",
        "# two panes\nsplit-window -h \\\n  'sleep 600'\nset -g @done yes ; rename-window built\n",
    );
    let file = file.to_str().unwrap();
    sandbox.inspan(&["source-file", "-n", file]).ok();
    assert_eq!(panes(&sandbox).len(), 1, "it was only checked");
    sandbox.inspan(&["source-file", file]).ok();
    assert_eq!(panes(&sandbox).len(), 2);
    assert_eq!(sandbox.inspan(&["display-message", "-p", "#{@done} #{window_name}"]).ok(), "yes built");
    let wrong = sandbox.write("home/wrong.conf", "display-message fine\nspilt-window\nset -g nothing 1\n");
    let output = sandbox.inspan(&["source-file", wrong.to_str().unwrap()]);
    let said = output.fails(1);
    assert!(said.contains("wrong.conf:2") && said.contains("wrong.conf:3"), "{said}");
    assert!(sandbox.inspan(&["source-file", "nowhere.conf"]).fails(1).contains("nowhere.conf"));
    sandbox.inspan(&["source-file", "-q", "nowhere.conf"]).ok();
}

#[test]
fn panes_get_variables_directories_and_lines_for_the_shell() {
    let sandbox = Sandbox::new();
    sandbox.inspan(&["new-session", "-d", "-s", "work", "-e", "FROM=session", "sh"]).ok();
    let dir = sandbox.dir("elsewhere");
    let line = "echo $FROM $ONE; pwd; exec sleep 600";
    let pane =
        sandbox.inspan(&["split-window", "-e", "ONE=1", "-c", dir.to_str().unwrap(), line]).ok().to_owned();
    shown(&sandbox, &pane, "session 1");
    shown(&sandbox, &pane, dir.to_str().unwrap());
    sandbox.inspan(&["respawn-pane", "-k", "-t", &pane, "-c", "/", "pwd; echo again; exec sleep 600"]).ok();
    shown(&sandbox, &pane, "again");
    sandbox.inspan(&["set-environment", "LATER", "yes"]).ok();
    let next = sandbox.inspan(&["new-window", "echo $LATER; exec sleep 600"]).ok().to_owned();
    shown(&sandbox, &next, "yes");
    assert!(sandbox.inspan(&["split-window", "-e", "=x"]).fails(2).contains("NAME=VALUE"));
}

#[test]
fn text_is_captured_into_buffers() {
    let sandbox = Sandbox::new();
    let pane = session(&sandbox, &["sh", "-c", "printf '\\033[31mred\\033[m plain\\n'; exec sleep 600"]);
    shown(&sandbox, &pane, "red plain");
    assert!(sandbox.inspan(&["capture-pane", "-p", "-e", "-t", &pane]).ok().contains("\u{1b}[0;31mred"));
    sandbox.inspan(&["capture-pane", "-b", "seen", "-t", &pane]).ok();
    assert!(sandbox.inspan(&["show-buffer", "-b", "seen"]).ok().contains("red plain"));
    assert!(sandbox.inspan(&["capture-pane", "-p", "-t", "%9"]).fails(1).contains("%9"));
    sandbox.inspan(&["capture-pane", "-q", "-t", "%9"]).ok();
}
