//! Output and sizes that would harm a careless terminal.
use crate::{common::*, steps::*};

/// More than a server with one pane of 80×24 ever needs, an unoptimised build included.
const MEMORY_KIB: u64 = 200 << 10;

/// The most memory that the server has had so far.
fn peak_memory(sandbox: &Sandbox) -> u64 {
    let server = sandbox.server().expect("a server runs");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid)).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Runs a script in a pane behind an attached terminal and has a shell answer after it.
fn survives(script: &str) {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sh", "-c", &format!("{script}\nprintf '\\033[H\\033[2Jsur''vived\\n'; exec sh")]);
    let terminal = attach(&sandbox);
    terminal.wait_for("survived");
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
    let peak = peak_memory(&sandbox);
    assert!(peak < MEMORY_KIB, "{peak} KiB after {script}");
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    survives(
        r#"printf '\377\376\300\200\n'; yes "$(printf '\377\300\200\355\240\200\364\220\200\200\016\360\237\222 \205\302')" | head -c 2000000; printf '\017'"#,
    );
}

#[test]
fn an_endless_string_does_no_harm() {
    for string in [r"\033]0;", r"\033]52;c;", r"\033P+q", r"\033_G", r"\033[1;"] {
        survives(&format!(r"printf '{string}'; head -c 6000000 /dev/zero | tr '\0' 1; printf '\007\033\\'"));
    }
}

#[test]
fn marks_without_end_on_one_cell_do_no_harm() {
    survives(r#"printf e; yes "$(printf '\314\201')" | tr -d '\n' | head -c 600000"#);
}

#[test]
fn an_emoji_in_the_last_corner_does_no_harm() {
    survives(
        r"for n in 1 2 3; do printf '\033[999;999H\342\235\244\357\270\217'; done; printf '\033[?7l\033[999;999H\342\235\244\357\270\217\033[?7h'",
    );
}

#[test]
fn a_synchronized_update_without_end_is_shown() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sh", "-c", r"printf '\033[?2026hheld back'; exec cat"]);
    attach(&sandbox).wait_for("held back");
}

#[test]
fn a_terminal_may_have_any_size() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space %");
    wait_for_prompts(&terminal, 2);
    for (columns, rows) in [(1, 1), (2, 1), (500, 200), (1, 2), (3, 3), (1, 1), (80, 24)] {
        terminal.resize(columns, rows);
        sandbox.wait_json("the server knows the size", &["list-clients"], |clients| {
            clients[0]["cols"] == columns && clients[0]["rows"] == rows
        });
    }
    wait_for_prompts(&terminal, 2);
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
}

#[test]
fn a_session_is_as_large_as_a_pane_can_be() {
    let sandbox = Sandbox::new();
    for (name, size) in [("large", "65535"), ("small", "0")] {
        sandbox.inspan(&["new-session", "-d", "-s", name, "-x", size, "-y", size, "--", "sh"]).ok();
    }
    let panes = panes(&sandbox);
    let [large, small] = panes.as_slice() else { panic!("{panes:?}") };
    assert_eq!((&large["width"], &large["height"]), (&1000.into(), &500.into()));
    assert_eq!((&small["width"], &small["height"]), (&2.into(), &1.into()));
    assert!(peak_memory(&sandbox) < MEMORY_KIB);
    for (name, code) in [("65536", 2), ("-1", 2)] {
        let output = sandbox.inspan(&["new-session", "-d", "-x", name, "-y", "24", "--", "sh"]);
        assert_eq!(output.code, code, "{output:?}");
    }
    let terminal = sandbox.attach(80, 24, &["attach", "-t", "large"]);
    wait_for_prompts(&terminal, 1);
}

#[test]
fn text_of_uncertain_width_stays_inside_its_pane() {
    let sandbox = Sandbox::new();
    let odd = [
        "\u{302}x",          // a mark without a letter, in the first column
        "a\u{301}\u{302}b",  // two marks
        "\u{744}y",          // a mark of another script
        "\u{2764}\u{fe0f}z", // an emoji by variation selector
        "\u{2764}\u{fe0e}z",
        "1\u{fe0f}\u{20e3}z",
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}z",
        "\u{1f1e9}\u{1f1ea}z",
        "\u{1f44d}\u{1f3fd}z",
        "\u{1100}\u{1161}\u{11a8}z",
        "\u{ad}\u{200b}\u{feff}\u{2060}z",
        "\u{202e}abc\u{202c}",
        "\u{627}\u{644}\u{639}",
        "\u{e0001}\u{e0020}z",
        "\u{3042}\u{ff71}\u{ff9e}z",
        "\u{2028}z\u{85}",
    ];
    let text = odd.map(|line| format!("{line}\n")).concat() + "all of it\n";
    let file = sandbox.write("home/odd.txt", &text);
    session(&sandbox, &["sh", "-c", &format!("cat {}; exec cat", file.display())]);
    let terminal = attach(&sandbox);
    terminal.wait_for("all of it");
    let bordered = |screen: &vt100::Screen| {
        let cell = |row, column| screen.cell(row, column).map(|cell| cell.contents().to_owned());
        (1..22)
            .filter(|&row| [0, 79].map(|column| cell(row, column).as_deref() != Some("│")).contains(&true))
            .collect()
    };
    let mut broken: Vec<u16> = Vec::new();
    terminal.wait_until("it is drawn", |screen| {
        broken = bordered(screen);
        true
    });
    assert_eq!(broken, [0_u16; 0], "rows without their border\n{}", terminal.screen());
}
