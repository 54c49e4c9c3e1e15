//! Attached terminals: they come, look, and go in many ways.
use crate::{common::*, steps::*};
use std::time::Duration;

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

/// Asks the pane that has the keys how wide it is, until it is so wide.
fn wait_for_width(terminal: &Terminal, columns: std::ops::RangeInclusive<u16>) {
    terminal.send("clear; stty size\r");
    let wide = |row: &String| {
        let row = row.trim_matches(['│', ' ']);
        row.split_once(' ').is_some_and(|(_, width)| width.parse().is_ok_and(|w: u16| columns.contains(&w)))
    };
    terminal
        .wait_until(&format!("the pane is {columns:?} columns wide"), |screen| rows(screen).iter().any(wide));
}

#[test]
fn the_size_is_the_newest_clients_while_it_is_there() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let first = attach(&sandbox);
    wait_for_prompts(&first, 1);
    for leave in [None, Some(Signal::KILL)] {
        let second = sandbox.attach(120, 40, &["attach", "-t", "work"]);
        wait_for_prompts(&second, 1);
        wait_for_width(&second, 116..=120);
        // The older one's size has no say while the newer one is there.
        first.resize(70, 20);
        first.resize(80, 24);
        wait_for_width(&second, 116..=120);
        match leave {
            None => detach(&second),
            Some(signal) => {
                second.kill(signal);
                second.exit_status();
            }
        }
        sandbox.wait_json("one client is left", &["list-clients"], |value| list(value).len() == 1);
        wait_for_width(&first, 76..=80);
    }
}

#[test]
fn a_session_in_a_pane_is_not_attached_to_itself() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    for verb in ["attach -t work", ""] {
        terminal.send(format!("clear; {INSPAN} -L {} {verb}; echo code $?\r", sandbox.name()));
        terminal.wait_for("this terminal is an inspan pane already");
        terminal.wait_for("code 1");
    }
    assert_eq!(list(&sandbox.json(&["list-clients"])).len(), 1);
}

#[test]
fn a_lost_server_gives_the_terminal_back() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    crash(&sandbox);
    assert_eq!(terminal.exit_status(), Exit { code: 1, signal: None });
    assert_eq!(terminal.modes_restored(), Ok(()));
    assert!(terminal.screen().contains("lost server"), "{}", terminal.screen());
}

#[test]
fn attach_needs_a_terminal() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let output = sandbox.inspan(&["attach", "-t", "work"]);
    assert!(output.fails(1).contains("terminal"), "{output:?}");
}

#[test]
fn attaching_elsewhere_can_take_the_session_along() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let first = attach(&sandbox);
    wait_for_prompts(&first, 1);
    let second = sandbox.attach(80, 24, &["attach", "-d", "-t", "work"]);
    assert_eq!(first.exit_status(), Exit { code: 0, signal: None });
    assert_eq!(first.modes_restored(), Ok(()));
    assert!(first.screen().contains("attached elsewhere"), "{}", first.screen());
    wait_for_prompts(&second, 1);
    detach(&second);
}

#[test]
fn a_terminal_that_answers_nothing_is_served_too() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    for answers in [Answers::MUTE, Answers::PLAIN, Answers::LIGHT] {
        let terminal = sandbox.terminal(80, 24).answers(answers).attach(&["attach", "-t", "work"]);
        terminal.send("clear; echo he''re\r");
        terminal.wait_for("here");
        detach(&terminal);
    }
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
fn a_client_that_does_not_read_slows_nobody() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let [stuck, other] = [attach(&sandbox), attach(&sandbox)];
    wait_for_prompts(&stuck, 1);
    wait_for_prompts(&other, 1);
    stuck.kill(Signal::STOP);
    other.send("yes 'a line of output' | head -n 400000; echo do''ne\r");
    other.wait_for("done");
    stuck.kill(Signal::CONT);
    stuck.wait_for("done");
    stuck.send("echo awa''ke\r");
    stuck.wait_for("awake");
}

/// The terminals that a server has open.
fn terminals_of_server(sandbox: &Sandbox) -> Vec<std::path::PathBuf> {
    let server = sandbox.server().expect("a server runs");
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid)).expect("its files are listed");
    open.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter(|to| to.starts_with("/dev/pts"))
        .collect()
}

#[test]
fn a_terminal_is_the_servers_while_it_is_attached() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    let device = std::fs::read_link(format!("/proc/{}/fd/0", terminal.pid())).unwrap();
    assert!(
        terminals_of_server(&sandbox).contains(&device),
        "the server does not draw on {}",
        device.display()
    );
    detach(&terminal);
    assert!(!terminals_of_server(&sandbox).contains(&device), "the server still holds {}", device.display());
}

#[test]
fn a_client_carries_the_bytes_where_the_server_may_not_have_its_terminal() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = sandbox.terminal(80, 24).env("INSPAN_CARRY", "1").attach(&["attach", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    let device = std::fs::read_link(format!("/proc/{}/fd/0", terminal.pid())).unwrap();
    assert!(!terminals_of_server(&sandbox).contains(&device));
    terminal.send("echo car''ried\r");
    terminal.wait_for("carried");
    detach(&terminal);
}

#[test]
fn nothing_is_drawn_on_a_terminal_that_was_given_back() {
    for carry in [false, true] {
        let sandbox = Sandbox::new();
        shell_session(&sandbox);
        let mut setup = sandbox.terminal(80, 24);
        if carry {
            setup = setup.env("INSPAN_CARRY", "1");
        }
        let terminal = setup.attach(&["attach", "-t", "work"]);
        wait_for_prompts(&terminal, 1);
        terminal.send("while :; do echo flood; done\r");
        terminal.wait_until("the pane floods", |screen| {
            rows(screen).iter().filter(|row| row.contains("flood")).count() > 15
        });
        terminal.kill(Signal::TERM);
        terminal.exit_status();
        assert_eq!(terminal.modes_restored(), Ok(()), "carried: {carry}");
        let raw = terminal.raw();
        let restored =
            raw.windows(8).rposition(|bytes| bytes == b"\x1b[?1049l").expect("the screen was given back");
        let after = String::from_utf8_lossy(&raw[restored..]);
        assert!(!after.contains("flood"), "carried: {carry}: {after:?}");
    }
}

#[test]
fn a_paste_of_ten_megabytes_waits_for_its_program_and_can_be_taken_back() {
    let sandbox = Sandbox::new();
    let stuck = session(&sandbox, &["sh", "-c", "stty raw -echo; echo ready; exec sleep 1000"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("ready");
    terminal.paste(&"word ".repeat(2_000_000));
    terminal.wait_for("reads slowly");
    // Nothing else waits for it.
    let other = sandbox.inspan(&["new-window", "--", "sh"]).ok().to_owned();
    type_line(&sandbox, &other, "echo quick $((40+2))");
    wait_for_capture(&sandbox, &other, "quick 42");
    let back = sandbox.wait_output("all of it came", &["cancel-paste", "-t", &stuck], |output| {
        output.stdout.contains(" MB that") && output.stdout.contains("are taken back")
    });
    assert!(!back.stdout.is_empty());
}
