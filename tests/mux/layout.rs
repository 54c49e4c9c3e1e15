//! Splits, sizes, zoom, and what `list-panes` says of them.
use crate::{common::*, steps::*};
use serde_json::Value;
use std::path::Path;

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
    terminal.wait_for("close %3");
    terminal.keys("n");
    terminal.wait_for_no("close %3");
    assert_eq!(panes(&sandbox).len(), 3, "no is no");
    terminal.keys("C-Space x");
    terminal.wait_for("close %3");
    terminal.keys("y");
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
fn borders_move_by_keys() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space %");
    wait_for_prompts(&terminal, 2);
    let width = |value: &Value, at: usize| value[at]["width"].as_u64().unwrap();
    let before = sandbox.json(&["list-panes"]);
    // The second press needs no prefix.
    terminal.keys("C-Space C-Left C-Left");
    sandbox.wait_json("the border moved by two", &["list-panes"], |now| {
        width(now, 0) + 2 == width(&before, 0) && width(now, 1) == width(&before, 1) + 2
    });
    terminal.keys("C-Space Left");
    sandbox.wait_json("the left pane has the keys", &["list-panes"], |now| now[0]["active"] == true);
}

#[test]
fn every_preset_shows_every_pane() {
    let sandbox = Sandbox::new();
    let first = shell_session(&sandbox);
    for _ in 0..3 {
        sandbox.inspan(&["split-window", "-t", &first, "-h", "--", "sh"]).ok();
        sandbox.inspan(&["select-layout", "tiled"]).ok();
    }
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 4);
    let mut seen = Vec::new();
    for preset in ["even-horizontal", "even-vertical", "main-horizontal", "main-vertical", "tiled"] {
        sandbox.inspan(&["select-layout", preset]).ok();
        let places: Vec<_> =
            panes(&sandbox).iter().map(|pane| (pane["left"].clone(), pane["top"].clone())).collect();
        assert!(!seen.contains(&places), "{preset} differs from those before");
        seen.push(places);
        wait_for_prompts(&terminal, 4);
    }
}

#[test]
fn windows_are_made_named_visited_and_left() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.send("echo fi''rst\r");
    terminal.wait_for("first");
    terminal.keys("C-Space c");
    terminal.wait_for_no("first");
    terminal.keys("C-Space ,");
    terminal.wait_for("rename-window");
    terminal.send("logs\r");
    terminal.wait_for("2 logs*");
    terminal.keys("C-Space p");
    terminal.wait_for("first");
    terminal.keys("C-Space 2");
    terminal.wait_for_no("first");
    terminal.send("exit\r");
    terminal.wait_for("exited 0");
    terminal.keys("x");
    terminal.wait_for("first");
    terminal.wait_for_no("2 logs");
}
