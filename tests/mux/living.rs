//! What changes while it runs: settings, themes, sizes, who watches.
use crate::{common::*, steps::*};

fn size(sandbox: &Sandbox) -> String {
    sandbox
        .inspan(&["display-message", "-p", "-t", "work", "#{window_width}x#{window_height}"])
        .ok()
        .to_owned()
}

#[test]
fn saved_settings_hold_at_once_and_faults_stand_in_the_status_line() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = sandbox.attach(120, 24, &["attach", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    sandbox.inspan(&["set", "-g", "message-seconds", "2"]).ok();
    // The directory is made only now.
    sandbox.config("prefix = \"C-b\"\n[keys]\n\"|\" = \"split-window -h\"\n");
    terminal.wait_for("settings read anew");
    terminal.keys("C-b |");
    wait_for_prompts(&terminal, 2);
    assert_eq!(sandbox.inspan(&["show", "-gv", "message-seconds"]).ok(), "2", "what was set by hand stays");
    sandbox.config("prefix = \"C-b\"\nmoose = true\n");
    terminal.wait_for("config.toml:2");
    terminal.wait_for("mouse");
    sandbox.config("prefix = \"C-b\"\nmouse = false\n");
    terminal.wait_for_no("config.toml:2");
    sandbox.wait_output("it holds", &["show", "-gv", "mouse"], |output| output.stdout == "off\n");
    sandbox.write("config/inspan/config.toml.new", "clock = \"at %Y\"\nprefix = \"C-b\"\n");
    // An editor puts the new file in the place of the old one.
    std::fs::rename(sandbox.path("config/inspan/config.toml.new"), sandbox.path("config/inspan/config.toml"))
        .unwrap();
    terminal.wait_for("at 20");
}

#[test]
fn themes_change_while_they_are_looked_at_and_no_color_is_the_terminals() {
    let sandbox = Sandbox::new();
    sandbox.config("theme = \"mine\"\n");
    sandbox.write("config/inspan/themes/mine.toml", "inherits = \"nord\"\n[roles]\naccent = \"#010203\"\n");
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    let has = |screen: &vt100::Screen, colour: vt100::Color| {
        let (rows, cols) = (screen.size().0.get(), screen.size().1.get());
        (0..rows).any(|row| {
            (0..cols).any(|col| screen.cell(row, col).is_some_and(|cell| cell.fgcolor() == colour))
        })
    };
    terminal.wait_until("the accent is drawn", |screen| has(screen, vt100::Color::Rgb(1, 2, 3)));
    let plain = sandbox.terminal(80, 24).env("NO_COLOR", "1").attach(&["attach", "-t", "work"]);
    wait_for_prompts(&plain, 1);
    plain.wait_until("no colour is drawn", |screen| {
        let (rows, cols) = (screen.size().0.get(), screen.size().1.get());
        (0..rows).all(|row| {
            (0..cols)
                .all(|col| screen.cell(row, col).is_none_or(|cell| cell.fgcolor() == vt100::Color::Default))
        })
    });
    sandbox.write("config/inspan/themes/mine.toml", "inherits = \"nord\"\n[roles]\naccent = \"#040506\"\n");
    terminal.wait_until("the other accent is drawn", |screen| has(screen, vt100::Color::Rgb(4, 5, 6)));
}

#[test]
fn the_size_of_a_session_follows_who_it_should() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let large = sandbox.attach(120, 40, &["attach", "-t", "work"]);
    wait_for_prompts(&large, 1);
    let small = sandbox.attach(80, 24, &["attach", "-t", "work"]);
    wait_for_prompts(&small, 1);
    let becomes = |name: &str, wanted: &str| {
        sandbox.wait_output(
            name,
            &["display-message", "-p", "-t", "work", "#{window_width}x#{window_height}"],
            |o| o.stdout.trim() == wanted,
        );
    };
    becomes("the newest decides", "80x23");
    large.send(" ");
    becomes("whose keys came last decides", "120x39");
    sandbox.inspan(&["set", "-g", "window-size", "smallest"]).ok();
    assert_eq!(size(&sandbox), "80x23");
    sandbox.inspan(&["set", "-g", "window-size", "largest"]).ok();
    assert_eq!(size(&sandbox), "120x39");
    sandbox.inspan(&["set", "-g", "window-size", "manual"]).ok();
    sandbox.inspan(&["resize-window", "-t", "work", "-x", "90", "-y", "30"]).ok();
    large.resize(100, 30);
    assert_eq!(size(&sandbox), "90x30");
    sandbox.inspan(&["set", "-g", "window-size", "latest"]).ok();
    sandbox.inspan(&["resize-window", "-t", "work", "-A"]).ok();
    large.send(" ");
    becomes("clients decide again", "100x29");
}

#[test]
fn who_only_watches_types_nothing_and_decides_no_size() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    let watcher = sandbox.attach(60, 20, &["attach", "-r", "-t", "work"]);
    watcher.wait_for("ready$");
    watcher.send("x");
    watcher.wait_for("only watches");
    watcher.keys("C-Space %");
    watcher.wait_for("nothing was done");
    watcher.send("\x1b[200~pasted\x1b[201~");
    terminal.send("echo he''re\r");
    watcher.wait_for("here");
    assert_eq!(panes(&sandbox).len(), 1);
    assert_eq!(size(&sandbox), "80x23");
    assert!(!terminal.screen().contains("ready$ x") && !terminal.screen().contains("pasted"));
    let clients = sandbox.json(&["list-clients"]);
    assert_eq!(list(&clients).iter().filter(|client| client["read_only"] == true).count(), 1);
    detach(&watcher);
}

#[test]
fn a_pane_that_nobody_looks_at_calls_and_is_gone_to() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "codex");
    sandbox.inspan(&["new-session", "-d", "-s", "other", "sh"]).ok();
    let terminal = sandbox.attach(80, 24, &["attach", "-t", "other"]);
    wait_for_prompts(&terminal, 1);
    sandbox.inspan(&["set-hook", "-g", "pane-needs-you", "set-option -g @called '#{hook_pane}'"]).ok();
    let blocked = r"!printf '\033]7501;state=blocked:app=codex\007'; read answer; printf '\033]7501;state=idle:app=codex\007'";
    sandbox.inspan(&["send-keys", "-t", &pane, "-l", blocked]).ok();
    sandbox.inspan(&["send-keys", "-t", &pane, "Enter"]).ok();
    sandbox.wait_json("it needs somebody", &["list-panes", "-t", "work"], |value| {
        value[0]["status"] == "needs-you"
    });
    let notice = format!("\u{1b}]9;work: {pane} codex needs you\u{7}");
    sandbox.wait_output("the terminal was notified", &["list-clients"], |_| {
        String::from_utf8_lossy(&terminal.raw()).contains(&notice)
    });
    sandbox.wait_output("the hook ran", &["show", "-gv", "@called"], |output| output.stdout.trim() == pane);
    assert_eq!(
        sandbox.inspan(&["list-sessions", "-f", "#{needs_you}", "-F", "#{session_name}"]).ok(),
        "work"
    );
    // In another session: the client goes there.
    terminal.keys("C-Space a");
    terminal.wait_for("codex");
    sandbox.wait_json("it looks there", &["list-clients"], |value| value[0]["session"] == "work");
    terminal.keys("C-Space a");
    terminal.wait_for("no pane needs you");
}
