//! Copy mode and the paste buffers: history is walked, searched and copied while output goes on.
use crate::{common::*, steps::*};
use base64::Engine as _;

/// A shell whose history holds `line 1` to `line 60`, watched by a terminal of 80×24.
fn counted(sandbox: &Sandbox) -> Terminal {
    shell_session(sandbox);
    let terminal = attach(sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.send("clear; i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i.; done\r");
    terminal.wait_for("line 60.");
    wait_for_prompts(&terminal, 1);
    terminal
}

fn enter(terminal: &Terminal) {
    terminal.keys("C-Space [");
    terminal.wait_for("copy mode");
}

/// Waits until copy mode is over.
fn wait_for_end(terminal: &Terminal) {
    terminal.wait_for_no("copy mode");
    terminal.wait_for_no("[0/");
}

fn newest(sandbox: &Sandbox) -> String {
    sandbox.inspan(&["save-buffer", "-"]).stdout.clone()
}

fn wait_for_buffer(sandbox: &Sandbox, text: &str) {
    sandbox
        .wait_output(&format!("{text:?} was copied"), &["save-buffer", "-"], |output| output.stdout == text);
}

#[test]
fn what_is_selected_is_copied_and_pasted() {
    let sandbox = Sandbox::new();
    let terminal = counted(&sandbox);
    assert!(sandbox.inspan(&["save-buffer", "-"]).fails(1).contains("no paste buffer yet"));
    enter(&terminal);
    terminal.keys("/");
    terminal.send("line 3.\\.");
    terminal.wait_for("/line 3.\\.");
    terminal.wait_for("line 30.");
    terminal.keys("Enter V j j y");
    wait_for_buffer(&sandbox, "line 30.\nline 31.\nline 32.\n");
    terminal.wait_for("copied 3 lines");
    terminal.wait_for_no("[0/");
    // The terminal's clipboard has it too.
    let encoded = base64::engine::general_purpose::STANDARD.encode("line 30.\nline 31.\nline 32.\n");
    assert!(String::from_utf8_lossy(&terminal.raw()).contains(&format!("\x1b]52;c;{encoded}\x07")));

    enter(&terminal);
    terminal.keys("k 0 v e y");
    wait_for_buffer(&sandbox, "line");
    // The pane has the keys again, and the newest buffer is pasted into it.
    terminal.wait_for("copied a line");
    terminal.send("echo pas''ted-");
    terminal.keys("C-Space ]");
    terminal.send("\r");
    terminal.wait_for("pasted-line");
    let buffers = sandbox.json(&["list-buffers"]);
    assert_eq!(list(&buffers).iter().map(|b| b["size"].as_u64()).collect::<Vec<_>>(), [Some(4), Some(27)]);
}

#[test]
fn searches_count_their_matches_and_say_when_there_are_none() {
    let sandbox = Sandbox::new();
    let terminal = counted(&sandbox);
    enter(&terminal);
    terminal.keys("?");
    terminal.send("LINE 5");
    // Capitals matter: nothing is found until they are gone.
    terminal.wait_for("(0/0)");
    terminal.keys("C-u");
    terminal.send("line 5");
    terminal.wait_for("(11/11)");
    terminal.keys("Enter n n");
    terminal.wait_for("(9/11)");
    terminal.keys("N");
    terminal.wait_for("(10/11)");
    terminal.keys("1 0 n");
    terminal.wait_for("(11/11)");
    terminal.keys("g n N 0 v $ y");
    // From the top backwards is from the bottom: the last match, and then the one behind it, the first.
    wait_for_buffer(&sandbox, "line 5.");
    enter(&terminal);
    terminal.keys("/ z Enter");
    terminal.wait_for("z is not there");
    terminal.keys("q");
    wait_for_end(&terminal);
    // Left by Escape, nothing of all that reached the shell.
    enter(&terminal);
    terminal.keys("v Escape Escape");
    wait_for_end(&terminal);
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
    assert!(!terminal.screen().contains("not found"), "{}", terminal.screen());
}

#[test]
fn output_goes_on_underneath_and_the_view_stays() {
    let sandbox = Sandbox::new();
    sandbox.config("history = 100\n");
    let pane = shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.send("clear; i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i.; done\r");
    terminal.wait_for("line 60.");
    wait_for_prompts(&terminal, 1);
    enter(&terminal);
    terminal.keys("g /");
    terminal.send("line 40\\.");
    terminal.keys("Enter V");
    terminal.wait_for("(1/1)");
    let shown = |screen: &vt100::Screen| rows(screen)[1..].iter().position(|row| row.contains("line 40."));
    let mut at = None;
    terminal.wait_until("line 40 is in view", |screen| {
        at = shown(screen);
        at.is_some()
    });
    // More than history has room for, so lines go out of it while this is read.
    type_line(&sandbox, &pane, "i=0; while [ $i -lt 70 ]; do i=$((i+1)); echo more $i; done; echo do''ne");
    sandbox.wait_output("it was printed", &["capture-pane", "-p", "-t", &pane], |output| {
        output.stdout.lines().any(|line| line == "done")
    });
    terminal.wait_for("/100]");
    assert!(!terminal.screen().contains("done"), "{}", terminal.screen());
    terminal.wait_until("the view stays with its text", |screen| shown(screen) == at);
    terminal.keys("j y");
    wait_for_buffer(&sandbox, "line 40.\nline 41.\n");
    terminal.wait_for("done");
}

#[test]
fn the_wheel_begins_copy_mode_and_ends_it_at_the_end() {
    let sandbox = Sandbox::new();
    let terminal = counted(&sandbox);
    terminal.send("\x1b[<64;10;10M");
    terminal.wait_for("[5/");
    terminal.send("\x1b[<64;10;10M");
    terminal.wait_for("[10/");
    terminal.wait_for("copy mode");
    terminal.send("\x1b[<65;10;10M");
    terminal.wait_for("[5/");
    terminal.send("\x1b[<65;10;10M");
    wait_for_end(&terminal);
    // Begun by a key it stays until it is left.
    terminal.keys("C-Space PPage");
    terminal.wait_for("copy mode");
    terminal.wait_for_no("line 60.");
    terminal.keys("G");
    terminal.wait_for("[0/");
    terminal.send("\x1b[<65;10;10M");
    terminal.keys("q");
    wait_for_end(&terminal);
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
}

/// A mouse report of the SGR kind; columns and rows count from 0.
fn mouse(terminal: &Terminal, button: u8, (column, row): (usize, usize), end: char) {
    terminal.send(format!("\x1b[<{button};{};{}{end}", column + 1, row + 1));
}

/// Where a text stands on the screen, as column and row.
fn place(terminal: &Terminal, text: &str) -> (usize, usize) {
    let mut found = None;
    terminal.wait_until(&format!("{text:?} is shown"), |screen| {
        found = rows(screen).iter().enumerate().find_map(|(row, line)| {
            let at = line.find(text)?;
            Some((line[..at].chars().count(), row))
        });
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn what_the_mouse_drags_over_is_copied() {
    let sandbox = Sandbox::new();
    let terminal = counted(&sandbox);
    let (column, row) = place(&terminal, "line 50.");
    mouse(&terminal, 0, (column + 5, row), 'M');
    mouse(&terminal, 32, (column + 6, row), 'M');
    terminal.wait_for("copy mode");
    mouse(&terminal, 32, (column + 6, row + 1), 'M');
    mouse(&terminal, 0, (column + 6, row + 1), 'm');
    wait_for_buffer(&sandbox, "50.\nline 51");
    terminal.wait_for("copied 2 lines");
    wait_for_end(&terminal);
    // A click alone copies nothing and leaves the keys to the pane.
    mouse(&terminal, 0, (column, row), 'M');
    mouse(&terminal, 0, (column, row), 'm');
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
    // In copy mode it puts the cursor there, and dragging out of the pane scrolls.
    enter(&terminal);
    let (column, row) = place(&terminal, "line 55.");
    mouse(&terminal, 0, (column, row), 'M');
    mouse(&terminal, 0, (column, row), 'm');
    terminal.keys("v e y");
    wait_for_buffer(&sandbox, "line");
    mouse(&terminal, 0, (column, row), 'M');
    mouse(&terminal, 32, (column, 0), 'M');
    terminal.wait_for("[1/");
    mouse(&terminal, 32, (column, 0), 'M');
    terminal.wait_for("[2/");
    mouse(&terminal, 0, (column, 5), 'm');
    wait_for_end(&terminal);
}

#[test]
fn a_program_that_took_the_mouse_keeps_it() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sh", "-c", r"stty raw -echo; printf '\033[?1002h\033[?1006hready'; exec cat -v"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("ready");
    mouse(&terminal, 0, (10, 5), 'M');
    mouse(&terminal, 32, (12, 5), 'M');
    mouse(&terminal, 0, (12, 5), 'm');
    mouse(&terminal, 64, (10, 5), 'M');
    terminal.wait_for("^[[<64;");
    assert!(!terminal.screen().contains("copy mode"), "{}", terminal.screen());
    assert!(terminal.screen().contains("^[[<32;"), "{}", terminal.screen());
    // With Shift it is ours.
    mouse(&terminal, 4, (3, 1), 'M');
    mouse(&terminal, 36, (5, 1), 'M');
    terminal.wait_for("copy mode");
    mouse(&terminal, 4, (5, 1), 'm');
    wait_for_end(&terminal);
    assert!(!terminal.screen().contains("<36;"), "{}", terminal.screen());
}

#[test]
fn copy_mode_belongs_to_one_client_and_one_pane() {
    let sandbox = Sandbox::new();
    let terminal = counted(&sandbox);
    let other = attach(&sandbox);
    other.wait_for("line 60.");
    enter(&terminal);
    terminal.keys("g");
    terminal.wait_for("line 1.");
    other.send("echo from the oth''er\r");
    other.wait_for("from the other");
    assert!(terminal.screen().contains("line 1."), "{}", terminal.screen());
    // Another pane takes keys meanwhile; back in the first one copy mode is where it was.
    terminal.keys("C-Space %");
    terminal.wait_for_no("copy mode");
    terminal.send("echo besi''de\r");
    terminal.wait_for("beside");
    terminal.keys("C-Space ;");
    terminal.wait_for("copy mode");
    terminal.keys("q");
    terminal.wait_for_no("copy mode");
    // A pane that ends takes its copy mode along.
    enter(&terminal);
    let first = panes(&sandbox)[0]["id"].as_str().unwrap().to_owned();
    sandbox.inspan(&["kill-pane", "-t", &first]).ok();
    terminal.wait_for_no("copy mode");
    terminal.send("echo still al''ive\r");
    terminal.wait_for("still alive");
}

#[test]
fn a_full_screen_program_is_copied_from_as_it_is_seen() {
    let sandbox = Sandbox::new();
    session(
        &sandbox,
        &["sh", "-c", r"printf '\033[?1049h\033[Hon the other screen'; read x; printf '\033[?1049l'; read y"],
    );
    let terminal = attach(&sandbox);
    terminal.wait_for("on the other screen");
    terminal.keys("C-Space [");
    terminal.wait_for("keeps no history");
    terminal.keys("g 0 w v e y");
    wait_for_buffer(&sandbox, "the");
    // When the program goes back, what was read is no longer there.
    terminal.keys("C-Space [ g v");
    terminal.wait_for("[0/0]");
    sandbox.inspan(&["send-keys", "Enter"]).ok();
    terminal.wait_for_no("[0/0]");
}

#[test]
fn emacs_has_its_keys() {
    let sandbox = Sandbox::new();
    sandbox.config("mode_keys = \"emacs\"\n");
    let terminal = counted(&sandbox);
    enter(&terminal);
    terminal.keys("C-r");
    terminal.send("line 58");
    terminal.wait_for("(1/1)");
    // The prefix twice is the key itself.
    terminal.keys("Enter C-Space C-Space M-f M-f M-w");
    wait_for_buffer(&sandbox, "line 5");
    terminal.wait_for("copied a line");
}

#[test]
fn buffers_are_set_listed_saved_and_deleted() {
    let sandbox = Sandbox::new();
    let pane = session(&sandbox, &["cat"]);
    assert_eq!(list(&sandbox.json(&["list-buffers"])).len(), 0);
    sandbox.inspan(&["set-buffer", "one\ntwo"]).ok();
    sandbox.inspan(&["set-buffer", "-b", "greeting", "hello"]).ok();
    let named = sandbox.inspan(&["list-buffers", "-F", "#{buffer_name}:#{buffer_size}:#{buffer_sample}"]);
    assert_eq!(named.ok(), "greeting:5:hello\nbuffer0:7:one\\ntwo");
    assert_eq!(newest(&sandbox), "one\ntwo");
    assert_eq!(sandbox.inspan(&["show-buffer", "-b", "greeting"]).stdout, "hello");
    sandbox.inspan(&["save-buffer", "-b", "greeting", "saved.txt"]).ok();
    assert_eq!(std::fs::read_to_string(sandbox.path("home/saved.txt")).unwrap(), "hello");
    let directory = sandbox.path("elsewhere");
    let missing = sandbox.inspan(&["save-buffer", directory.join("none/x").to_str().unwrap()]);
    assert!(missing.fails(1).contains("cannot write"));
    sandbox.inspan(&["paste-buffer", "-d", "-b", "greeting", "-t", &pane]).ok();
    wait_for_capture(&sandbox, &pane, "hello");
    assert!(sandbox.inspan(&["show-buffer", "-b", "greeting"]).fails(1).contains("no paste buffer greeting"));
    sandbox.inspan(&["delete-buffer"]).ok();
    assert_eq!(list(&sandbox.json(&["list-buffers"])).len(), 0);
    assert!(sandbox.inspan(&["copy-mode", "-t", &pane]).fails(1).contains("nobody looks at"));
}

#[test]
fn several_clicks_copy_a_word_and_a_line() {
    let sandbox = Sandbox::new();
    let terminal = counted(&sandbox);
    let (column, row) = place(&terminal, "line 50.");
    let click = |button: u8| {
        let at = format!("{};{}", column + 2, row + 1);
        format!("\x1b[<{button};{at}M\x1b[<{button};{at}m")
    };
    // Both clicks in one piece, so that they are close together however busy the machine is.
    terminal.send(click(0).repeat(2));
    wait_for_buffer(&sandbox, "line");
    wait_for_end(&terminal);
    terminal.keys("a C-u");
    terminal.send(click(0).repeat(3));
    wait_for_buffer(&sandbox, "line 50.\n");
    wait_for_end(&terminal);
    // A program that took the mouse gets them, but not with Shift.
    terminal.send("printf '\\033[?1000;1006hmouse ta''ken\\n'; cat >/dev/null\r");
    terminal.wait_for("mouse taken");
    terminal.send(click(4).repeat(2));
    wait_for_buffer(&sandbox, "line");
}

#[test]
fn prompts_are_jumped_to_and_lines_numbered() {
    let sandbox = Sandbox::new();
    session(
        &sandbox,
        &[
            "sh",
            "-c",
            r"i=0; while [ $i -lt 90 ]; do i=$((i+1)); [ $((i % 30)) = 1 ] && printf '\033]133;A\007'; echo row $i; done; read x",
        ],
    );
    let terminal = attach(&sandbox);
    terminal.wait_for("row 90");
    enter(&terminal);
    terminal.keys("[ V y");
    wait_for_buffer(&sandbox, "row 61\n");
    enter(&terminal);
    terminal.keys("[ [ V y");
    wait_for_buffer(&sandbox, "row 31\n");
    enter(&terminal);
    terminal.keys("[ ] =");
    terminal.wait_for("no prompt is known behind this");
    terminal.wait_for("61 row 61");
    terminal.keys("q");
    terminal.wait_for_no("61 row 61");
}
