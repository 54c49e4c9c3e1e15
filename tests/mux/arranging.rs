//! Windows and panes arranged by commands, read back as JSON and formats.
use crate::{common::*, steps::*};
use serde_json::Value;

/// A window of this many panes that do nothing, and their ids.
fn still_panes(sandbox: &Sandbox, count: usize) -> Vec<String> {
    let mut ids = vec![session(sandbox, &["sleep", "600"])];
    for _ in 1..count {
        let last = ids.last().unwrap().clone();
        ids.push(sandbox.inspan(&["split-window", "-t", &last, "-h", "--", "sleep", "600"]).ok().to_owned());
        sandbox.inspan(&["select-layout", "-t", &last, "even-horizontal"]).ok();
    }
    ids
}

fn formatted(sandbox: &Sandbox, format: &str) -> String {
    sandbox.inspan(&["list-panes", "-F", format]).ok().replace('\n', " ")
}

fn message(sandbox: &Sandbox, target: &str, format: &str) -> String {
    sandbox.inspan(&["display-message", "-p", "-t", target, format]).ok().to_owned()
}

#[test]
fn panes_change_places_and_the_focus_goes_as_in_tmux() {
    let sandbox = Sandbox::new();
    still_panes(&sandbox, 3);
    let order = |format: &str| formatted(&sandbox, format);
    assert_eq!(order("#{pane_id}#{?pane_active,*,}"), "%1 %2 %3*");
    sandbox.inspan(&["swap-pane", "-s", "%1", "-t", "%3"]).ok();
    assert_eq!(order("#{pane_id}#{?pane_active,*,}"), "%3* %2 %1");
    sandbox.inspan(&["swap-pane", "-d", "-s", "%2", "-t", "%3"]).ok();
    assert_eq!(order("#{pane_id}#{?pane_active,*,}"), "%2* %3 %1", "-d leaves the focus at its place");
    sandbox.inspan(&["swap-pane", "-D", "-t", "%2"]).ok();
    assert_eq!(order("#{pane_id}#{?pane_active,*,}"), "%3 %2* %1");
    sandbox.inspan(&["rotate-window"]).ok();
    assert_eq!(order("#{pane_id}#{?pane_active,*,}"), "%2 %1* %3");
    sandbox.inspan(&["rotate-window", "-D"]).ok();
    assert_eq!(order("#{pane_id}#{?pane_active,*,}"), "%3 %2* %1");
    assert!(sandbox.inspan(&["swap-pane", "-s", "%2", "-t", "%2"]).fails(2).contains("-s, -U or -D"));
}

#[test]
fn panes_leave_for_windows_and_come_back() {
    let sandbox = Sandbox::new();
    still_panes(&sandbox, 3);
    let told = sandbox.inspan(&[
        "break-pane",
        "-d",
        "-s",
        "%2",
        "-n",
        "alone",
        "-P",
        "-F",
        "#{window_name}.#{pane_id}",
    ]);
    assert_eq!(told.ok(), "alone.%2");
    assert_eq!(formatted(&sandbox, "#{window_index}:#{pane_id}"), "1:%1 1:%3 2:%2");
    assert_eq!(
        sandbox.inspan(&["break-pane", "-s", "%2"]).fails(1).trim(),
        "inspan: %2 is alone in its window already"
    );
    sandbox.inspan(&["join-pane", "-d", "-h", "-b", "-l", "20", "-s", "%2", "-t", "%1"]).ok();
    assert_eq!(formatted(&sandbox, "#{pane_id}#{?pane_active,*,}"), "%2 %1 %3*");
    assert_eq!(message(&sandbox, "%2", "#{pane_width}"), "20");
    sandbox.inspan(&["join-pane", "-f", "-v", "-p", "30", "-s", "%1", "-t", "%3"]).ok();
    let (left, top, width) = ("#{pane_left}", "#{pane_top}", "#{pane_width}");
    assert_eq!(message(&sandbox, "%1", &format!("{left} {width}")), "0 78", "across the whole window");
    assert_ne!(message(&sandbox, "%1", top), "0");
    // Into another session, which may be over another directory: a program is no harness.
    sandbox.inspan(&["new-session", "-d", "-s", "other", "--", "sleep", "600"]).ok();
    sandbox.inspan(&["move-pane", "-s", "%1", "-t", "other"]).ok();
    assert_eq!(message(&sandbox, "%1", "#{session_name}"), "other");
}

#[test]
fn windows_change_places_and_sessions() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sleep", "600"]);
    for name in ["two", "three"] {
        sandbox.inspan(&["new-window", "-d", "-n", name, "-t", "work:", "--", "sleep", "600"]).ok();
    }
    let windows = || {
        let rows = sandbox.inspan(&["list-windows", "-F", "#{session_name}:#{window_id}#{window_flags}"]);
        rows.ok().replace('\n', " ")
    };
    assert_eq!(windows(), "work:@1* work:@2 work:@3");
    sandbox.inspan(&["swap-window", "-d", "-s", "@1", "-t", "@3"]).ok();
    assert_eq!(windows(), "work:@3 work:@2 work:@1*");
    sandbox.inspan(&["move-window", "-s", "@1", "-t", "work:1"]).ok();
    assert_eq!(windows(), "work:@1* work:@3 work:@2");
    sandbox.inspan(&["select-window", "-t", "@2"]).ok();
    assert_eq!(windows(), "work:@1- work:@3 work:@2*");
    sandbox.inspan(&["last-window"]).ok();
    assert_eq!(windows(), "work:@1* work:@3 work:@2-");
    sandbox.inspan(&["new-window", "-a", "-d", "-t", "@1", "--", "sleep", "600"]).ok();
    assert_eq!(windows(), "work:@1* work:@4 work:@3 work:@2-");
    sandbox.inspan(&["new-session", "-d", "-s", "other", "--", "sleep", "600"]).ok();
    sandbox.inspan(&["move-window", "-d", "-s", "@4", "-t", "other:"]).ok();
    assert_eq!(windows(), "work:@1* work:@3 work:@2- other:@5* other:@4");
    sandbox.inspan(&["kill-window", "-a", "-t", "@1"]).ok();
    assert_eq!(windows(), "work:@1* other:@5* other:@4");
    sandbox.inspan(&["kill-session", "-a", "-t", "work"]).ok();
    assert_eq!(windows(), "work:@1*");
}

#[test]
fn a_layout_is_printed_taken_and_undone() {
    let sandbox = Sandbox::new();
    still_panes(&sandbox, 3);
    let layout = || message(&sandbox, "%1", "#{window_layout}");
    let even = layout();
    sandbox.inspan(&["resize-pane", "-t", "%1", "-R", "5"]).ok();
    let resized = layout();
    assert_ne!(even, resized);
    sandbox.inspan(&["select-layout", "tiled"]).ok();
    assert_ne!(layout(), resized);
    sandbox.inspan(&["select-layout", "-o"]).ok();
    assert_eq!(layout(), resized);
    sandbox.inspan(&["select-layout", "-o"]).ok();
    assert_eq!(layout(), even);
    sandbox.inspan(&["select-layout", &resized]).ok();
    assert_eq!(layout(), resized, "what was printed is taken");
    sandbox.inspan(&["select-layout", "-E", "-t", "%2"]).ok();
    let widths = formatted(&sandbox, "#{pane_width}");
    let widths: Vec<i32> = widths.split(' ').map(|w| w.parse().unwrap()).collect();
    assert!(widths.iter().max().unwrap() - widths.iter().min().unwrap() <= 1, "{widths:?}");
    let damaged = resized.replacen(',', "0,", 1);
    assert!(sandbox.inspan(&["select-layout", &damaged]).fails(1).contains("checksum"));
    assert!(sandbox.inspan(&["select-layout", "titled"]).fails(2).contains("tiled"));
    // Printed by tmux for three panes in a window of 80 by 23.
    sandbox
        .inspan(&["select-layout", "837a,80x23,0,0{40x23,0,0,0,39x23,41,0[39x11,41,0,1,39x11,41,12,2]}"])
        .ok();
    assert_eq!(formatted(&sandbox, "#{pane_left},#{pane_top}"), "0,0 41,0 41,12");
    // Another pane makes another window of it: nothing earlier fits.
    sandbox.inspan(&["kill-pane", "-t", "%3"]).ok();
    assert!(sandbox.inspan(&["select-layout", "-o"]).fails(1).contains("no earlier layout"));
}

#[test]
fn panes_are_sized_by_cells_and_percent() {
    let sandbox = Sandbox::new();
    still_panes(&sandbox, 2);
    let width = |pane: &str| message(&sandbox, pane, "#{pane_width}").parse::<u16>().unwrap();
    sandbox.inspan(&["resize-pane", "-t", "%1", "-x", "25"]).ok();
    assert_eq!(width("%1"), 25);
    sandbox.inspan(&["resize-pane", "-t", "%1", "-x", "50%"]).ok();
    assert_eq!(width("%1"), 40);
    sandbox.inspan(&["resize-pane", "-t", "%1", "-L", "3"]).ok();
    assert_eq!(width("%1"), 37);
    assert!(sandbox.inspan(&["resize-pane", "-x", "120%"]).fails(2).contains("30%"));
    sandbox.inspan(&["resize-pane", "-Z", "-t", "%1"]).ok();
    assert_eq!(message(&sandbox, "%1", "#{window_zoomed_flag} #{pane_width}"), "1 78");
    sandbox.inspan(&["select-pane", "-Z", "-t", "%2"]).ok();
    assert_eq!(message(&sandbox, "%2", "#{window_zoomed_flag} #{pane_active}"), "1 1");
    sandbox.inspan(&["resize-window", "-x", "100", "-y", "30"]).ok();
    assert_eq!(message(&sandbox, "%1", "#{window_width}x#{window_height}"), "100x30");
    let third = sandbox.inspan(&[
        "split-window",
        "-t",
        "%2",
        "-v",
        "-l",
        "7",
        "-P",
        "-F",
        "#{pane_height}",
        "--",
        "sleep",
        "600",
    ]);
    assert_eq!(third.ok(), "7");
}

#[test]
fn a_pane_floats_over_the_others_and_lands_again() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    sandbox.inspan(&["split-window", "-h", "--", "sh", "-c", "echo be''low; exec sleep 600"]).ok();
    terminal.wait_for("below");
    sandbox.inspan(&["float-pane", "-t", "%1", "-x", "30", "-y", "10", "-X", "0", "-Y", "0"]).ok();
    terminal.wait_for_no("below");
    assert_eq!(message(&sandbox, "%1", "#{pane_floating} #{pane_width}x#{pane_height}"), "1 28x8");
    // What is typed goes into it.
    terminal.send("echo up''permost\r");
    terminal.wait_for("uppermost");
    sandbox.inspan(&["float-pane", "-t", "%1"]).ok();
    terminal.wait_for("below");
    assert_eq!(message(&sandbox, "%1", "#{pane_floating} #{window_panes}"), "0 2");
}

#[test]
fn a_popup_runs_a_command_and_goes_with_it() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    let popup = [
        "display-popup",
        "-E",
        "-w",
        "40",
        "-h",
        "8",
        "-T",
        "ask",
        "--",
        "sh",
        "-c",
        "echo who; read x; echo $x >popup.out",
    ];
    let id = sandbox.inspan(&popup).ok().to_owned();
    terminal.wait_for("who");
    terminal.wait_for("ask");
    assert_eq!(message(&sandbox, &id, "#{pane_active}#{pane_floating}"), "11");
    terminal.send("me\r");
    terminal.wait_for_no("who");
    sandbox.wait_json("one pane is left", &["list-panes"], |value| list(value).len() == 1);
    assert_eq!(std::fs::read_to_string(sandbox.path("home/popup.out")).unwrap(), "me\n");
    sandbox.inspan(&["display-popup", "--", "sleep", "600"]).ok();
    sandbox.inspan(&["display-popup", "-C"]).ok();
    assert_eq!(panes(&sandbox).len(), 1);
}

#[test]
fn targets_that_are_not_there_are_told_as_what_they_are() {
    let sandbox = Sandbox::new();
    still_panes(&sandbox, 2);
    sandbox.inspan(&["new-window", "-d", "-n", "logs", "--", "sleep", "600"]).ok();
    let ids = |args: &[&str]| sandbox.inspan(&[args, &["-F", "#{pane_id}"]].concat()).ok().replace('\n', " ");
    assert_eq!(ids(&["list-panes", "-t", "@1"]), "%1 %2");
    assert_eq!(ids(&["list-panes", "-t", "work:logs"]), "%3");
    assert_eq!(ids(&["list-panes", "-t", "%2"]), "%1 %2", "the window of that pane, as in tmux");
    assert_eq!(ids(&["list-panes", "-s", "-t", "work"]), "%1 %2 %3");
    assert_eq!(ids(&["list-panes", "-f", "#{pane_active}"]), "%2 %3");
    let said = sandbox.inspan(&["list-panes", "-t", "%99"]);
    assert!(said.fails(1).contains("no pane \"%99\"; there is %1, %2, %3"), "{}", said.stderr);
    assert!(sandbox.inspan(&["select-window", "-t", "@9"]).fails(1).contains("no window \"@9\""));
    assert!(sandbox.inspan(&["select-pane", "-t", "{lsat}"]).fails(1).contains("{last}"));
    let json: Value = sandbox.json(&["list-panes", "-t", "{last}"]);
    assert_eq!(list(&json).len(), 2);
}

#[test]
fn what_is_typed_goes_into_every_synchronized_pane() {
    let sandbox = Sandbox::new();
    let first = session(&sandbox, &["cat"]);
    let second = sandbox.inspan(&["split-window", "-t", &first, "--", "cat"]).ok().to_owned();
    let third = sandbox.inspan(&["split-window", "-t", &first, "--", "cat"]).ok().to_owned();
    sandbox.inspan(&["set-option", "-w", "synchronize-panes", "on"]).ok();
    sandbox.inspan(&["select-pane", "-d", "-t", &third]).ok();
    let terminal = attach(&sandbox);
    terminal.send("every\r");
    for pane in [&first, &second] {
        sandbox.wait_output("it arrived", &["capture-pane", "-p", "-t", pane], |o| {
            o.stdout.matches("every").count() == 2
        });
    }
    assert!(
        !sandbox.inspan(&["capture-pane", "-p", "-t", &third]).ok().contains("every"),
        "its input is off"
    );
    sandbox.inspan(&["set-option", "-w", "synchronize-panes"]).ok();
    assert_eq!(sandbox.inspan(&["show-options", "-wv", "synchronize-panes"]).ok(), "off");
    sandbox.inspan(&["send-keys", "-t", &first, "one", "Enter"]).ok();
    sandbox.wait_output("it arrived", &["capture-pane", "-p", "-t", &first], |o| o.stdout.contains("one"));
    assert!(!sandbox.inspan(&["capture-pane", "-p", "-t", &second]).ok().contains("one"));
}
