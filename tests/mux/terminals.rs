//! Between a pane's program and the terminals outside, beside the picture: what it tells them, and what they tell it.
use crate::{common::*, steps::*};

/// A program in raw mode that has asked for something and shows every byte it gets.
fn shows_bytes(modes: &str) -> String {
    format!("stty raw -echo; printf '{modes}ok\\r\\n'; exec cat -vt")
}

/// A session whose program shows its bytes, and a terminal of this kind at it.
fn shown_to(sandbox: &Sandbox, answers: Answers, modes: &str) -> (String, Terminal) {
    let pane = session(sandbox, &["sh", "-c", &shows_bytes(modes)]);
    let terminal = sandbox.terminal(80, 24).answers(answers).attach(&["attach", "-t", "work"]);
    terminal.wait_for("ok");
    (pane, terminal)
}

/// What was sent to a terminal until now, with all that was on its way.
fn sent(sandbox: &Sandbox, terminal: &Terminal) -> String {
    sandbox.inspan(&["display-message", "-t", "work", "all is here"]).ok();
    terminal.wait_for("all is here");
    String::from_utf8_lossy(&terminal.raw()).into_owned()
}

#[test]
fn a_notification_of_a_pane_reaches_the_terminals_of_its_session_in_their_own_form() {
    let sandbox = Sandbox::new();
    let pane = shell_session(&sandbox);
    sandbox.inspan(&["new-session", "-d", "-s", "other", "sh"]).ok();
    sandbox.inspan(&["set-hook", "-g", "alert-notification", "set-option -g @rang '#{hook_pane}'"]).ok();
    let plain = attach(&sandbox);
    let titled = Answers { xtversion: Some("ghostty 1.2.0"), ..Answers::MODERN };
    let titled = sandbox.terminal(80, 24).answers(titled).attach(&["attach", "-t", "work"]);
    let elsewhere = sandbox.attach(80, 24, &["attach", "-t", "other"]);
    for terminal in [&plain, &titled, &elsewhere] {
        wait_for_prompts(terminal, 1);
    }
    type_line(&sandbox, &pane, r"printf '\033]777;notify;Built;in \0019 s\033\\'");
    plain.wait_raw("\x1b]9;Built: in 9 s\x07");
    titled.wait_raw("\x1b]777;notify;Built;in 9 s\x07");
    type_line(&sandbox, &pane, r"printf '\033]99;i=1:d=0;Asks\033\\\033]99;i=1:p=body;for you\033\\'");
    plain.wait_raw("\x1b]9;Asks: for you\x07");
    // Seen from another window it says where it comes from, and a number in front makes no command of it.
    sandbox.inspan(&["new-window", "-t", "work", "--", "sh"]).ok();
    type_line(&sandbox, &pane, r"printf '\033]777;notify;;4;1;50\033\\\033]9;done\007'");
    plain.wait_raw(&format!("\x1b]9;work: {pane}: 4;1;50\x07"));
    plain.wait_raw(&format!("\x1b]9;work: {pane}: done\x07"));
    sandbox.wait_output("the hook ran", &["show", "-gv", "@rang"], |output| output.stdout.trim() == pane);
    sandbox.inspan(&["display-message", "-t", "other", "nothing came"]).ok();
    elsewhere.wait_for("nothing came");
    assert!(!String::from_utf8_lossy(&elsewhere.raw()).contains("\x1b]9;"));
    // Where nobody looks at its session, everybody is told.
    detach(&plain);
    detach(&titled);
    type_line(&sandbox, &pane, r"printf '\033]9;and now\007'");
    elsewhere.wait_raw(&format!("\x1b]9;work: {pane}: and now\x07"));
}

#[test]
fn notifications_are_few_clean_and_only_those_that_are_wanted() {
    let sandbox = Sandbox::new();
    sandbox.config("pane_notifications = \"unfocused\"\n");
    let pane = shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    type_line(&sandbox, &pane, r"printf '\033]9;while looking\007'; echo to''ld");
    terminal.wait_for("told");
    assert!(!sent(&sandbox, &terminal).contains("\x1b]9;while"));
    terminal.send("\x1b[O");
    let flood = r#"for n in $(seq 500); do printf "\033]9;no $n\342\200\256\001\007"; done; echo flo''oded"#;
    type_line(&sandbox, &pane, flood);
    terminal.wait_for("flooded");
    terminal.wait_raw("\x1b]9;no ");
    let sent = sent(&sandbox, &terminal);
    let said: Vec<&str> =
        sent.split("\x1b]9;no ").skip(1).filter_map(|said| said.split('\x07').next()).collect();
    assert!(said.len() <= 30, "{} left", said.len());
    assert!(said.iter().all(|said| said.parse::<u16>().is_ok()), "they are clean: {said:?}");
    sandbox.inspan(&["set", "-g", "pane-notifications", "never"]).ok();
    type_line(&sandbox, &pane, r"printf '\033]9;never\007'; echo de''af");
    terminal.wait_for("deaf");
    assert!(!self::sent(&sandbox, &terminal).contains("\x1b]9;never"));
}

#[test]
fn progress_is_kept_shown_passed_on_and_ends_with_its_program() {
    let sandbox = Sandbox::new();
    let script = r"printf '\033]9;4;1;42\007ok\n'; read a; printf '\033]9;4;2\007'; read a; printf '\033]9;4;3\007'; read a";
    let pane = session(&sandbox, &["sh", "-c", script]);
    let shows = Answers { xtversion: Some("ghostty 1.2.0"), ..Answers::MODERN };
    let terminal = sandbox.terminal(80, 24).answers(shows).attach(&["attach", "-t", "work"]);
    terminal.wait_for(" · 42%");
    terminal.wait_raw("\x1b]9;4;1;42\x07");
    let format = ["display-message", "-p", "-t", &pane, "#{pane_progress} #{pane_progress_state}"];
    assert_eq!(sandbox.inspan(&format).ok(), "42 value");
    let other = attach(&sandbox);
    other.wait_for(" · 42%");
    terminal.keys("Enter");
    terminal.wait_raw("\x1b]9;4;2;42\x07");
    terminal.wait_for(" · 42% failed");
    terminal.keys("Enter");
    terminal.wait_raw("\x1b]9;4;3;\x07");
    // In another window it stands beside the window's name, and the terminal shows nothing of it.
    sandbox.inspan(&["new-window", "-t", "work", "--", "sh"]).ok();
    terminal.wait_raw("\x1b]9;4;0;\x07");
    terminal.wait_for(" …%");
    sandbox.inspan(&["select-window", "-t", "work:1"]).ok();
    terminal.wait_until("the border shows it", |screen| rows(screen)[0].contains("…%"));
    detach(&terminal);
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(raw.rfind("\x1b]9;4;0;\x07") > raw.rfind("\x1b]9;4;3;\x07"), "it is taken away again");
    other.keys("Enter");
    other.wait_for("exited 0");
    other.wait_for_no("%  ");
    assert_eq!(sandbox.json(&["list-panes", "-t", "work"])[0]["progress"], serde_json::Value::Null);
    // Who may take it for a notification is sent nothing.
    assert!(!String::from_utf8_lossy(&other.raw()).contains("\x1b]9;4"));
}

#[test]
fn a_pane_writes_the_clipboard_and_cannot_read_it() {
    let sandbox = Sandbox::new();
    let pane = session(&sandbox, &["sh", "-c", &shows_bytes(r"\033]52;c;aGVsbG8=\007")]);
    let terminal = attach(&sandbox);
    terminal.wait_for("ok");
    sandbox.wait_output("it is a paste buffer", &["show-buffer"], |output| output.stdout == "hello");
    let script =
        r"stty raw -echo; printf '\033]52;c;?\007\033]52;;?\033\\\033]52;c;dHdv\007\033]52;c;dGhyZWU=\007'";
    let asks = format!("{script}; printf 'asked\\r\\n'; exec cat -v");
    sandbox.inspan(&["set-buffer", "-b", "mine", "secret"]).ok();
    let asking =
        sandbox.inspan(&["split-window", "-P", "-F", "#{pane_id}", "-t", &pane, "--", "sh", "-c", &asks]);
    let asking = asking.ok().to_owned();
    terminal.wait_for("asked");
    // The one in front has the clipboard.
    terminal.wait_raw("\x1b]52;c;dGhyZWU=\x07");
    sandbox.wait_output("it is a paste buffer too", &["show-buffer"], |output| output.stdout == "three");
    // A key that comes after the questions finds no answer in front of it.
    terminal.send("k");
    wait_for_capture(&sandbox, &asking, "k");
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(!raw.contains("]52;c;?") && !raw.contains("]52;;?"), "nobody outside was asked");
    // Each pane has one buffer, so that a program cannot push out what a person copied.
    let buffers = sandbox.inspan(&["list-buffers", "-F", "#{buffer_sample}"]).ok().to_owned();
    assert_eq!(buffers.lines().collect::<Vec<_>>(), ["three", "secret", "hello"]);
}

#[test]
fn a_pane_reads_the_newest_buffer_where_that_is_allowed() {
    let sandbox = Sandbox::new();
    sandbox.config("clipboard_read = true\n");
    let pane = shell_session(&sandbox);
    sandbox.inspan(&["set-buffer", "hello"]).ok();
    type_line(&sandbox, &pane, r"stty raw -echo; printf '\033]52;p;?\007ok\r\n'; exec cat -v");
    wait_for_capture(&sandbox, &pane, "^[]52;p;aGVsbG8=^[\\");
}

/// Shift+Enter, Control+Enter, Control+I, Tab and Escape, as a terminal sends them.
const TELLING_KEYS: &str = "S-Enter C-Enter C-i Tab Escape";

#[test]
fn keys_arrive_as_their_program_asked_whatever_the_terminal_speaks() {
    // What the program asks for, by terminal, and what it then gets for the keys above.
    let cases = [
        // What Claude Code asks for, and Codex.
        (Answers::MODERN, r"\033[>5u", "^[[13;2u^[[13;5u^[[105;5u^I^[[27u"),
        (Answers::MODERN, r"\033[>7u", "^[[13;2u^[[13;5u^[[105;5u^I^[[27u"),
        (Answers::MODERN, r"\033[>4;2m", "^[[27;2;13~^[[27;5;13~^[[27;5;105~^I^["),
        (Answers::MODERN, "", "^M^M^I^I^["),
        (Answers::XTERM, r"\033[>5u", "^[[13;2u^[[13;5u^[[105;5u^I^[[27u"),
        (Answers::XTERM, r"\033[>4;2m", "^[[27;2;13~^[[27;5;13~^[[27;5;105~^I^["),
        (Answers::XTERM, r"\033[>4;1m", "^[[27;2;13~^[[27;5;13~^I^I^["),
        (Answers::XTERM, "", "^M^M^I^I^["),
        (Answers::PLAIN, r"\033[>5u", "^M^M^I^I^[[27u"),
        (Answers::PLAIN, "", "^M^M^I^I^["),
    ];
    for (answers, modes, wanted) in cases {
        let sandbox = Sandbox::new();
        let (_, terminal) = shown_to(&sandbox, answers, modes);
        if answers.modify_other_keys {
            let level = if modes.ends_with('u') || modes.contains("4;2") { 2 } else { 1 };
            terminal.wait_raw(&format!("\x1b[>4;{level}m"));
        }
        if answers.kitty {
            terminal.wait_raw("\x1b[>1u");
        }
        // The keys that follow are encoded by what was asked of the terminal until then.
        sent(&sandbox, &terminal);
        terminal.keys(TELLING_KEYS);
        terminal.wait_for(wanted);
        detach(&terminal);
    }
}

#[test]
fn the_terminal_is_asked_for_what_the_pane_in_front_asked_for() {
    let sandbox = Sandbox::new();
    let pane = session(&sandbox, &["sh", "-c", &shows_bytes(r"\033[>31u\033[?u")]);
    let terminal = attach(&sandbox);
    terminal.wait_for("^[[?31u");
    terminal.wait_raw("\x1b[=31u");
    // What no form of ours could say passes as it was said: locks, other layouts, releases, composed text.
    for said in ["\x1b[97;65u", "\x1b[1089::99;5u", "\x1b[97;1:3u", "\x1b[0;;229u", "\x1b[57441;2u"] {
        terminal.send(said);
        terminal.wait_for(&said.replace('\x1b', "^["));
    }
    // The prefix and what follows it are ours, also when they go up, and Shift alone is nobody's command.
    terminal.send("\x1b[32;5u\x1b[32;5:3u\x1b[57441;2u\x1b[53:37;2;37u\x1b[53:37;2:3u\x1b[57441;1:3u");
    sandbox.wait_json("there are two panes", &["list-panes"], |value| list(value).len() == 2);
    wait_for_prompts(&terminal, 1);
    terminal.wait_raw("\x1b[=1u");
    terminal.send("echo le''gacy\r");
    terminal.wait_for("legacy");
    sandbox.inspan(&["select-pane", "-t", &pane]).ok();
    terminal.keys("C-Space z");
    let shown = sandbox.inspan(&["capture-pane", "-p", "-t", &pane]).ok().to_owned();
    assert!(!shown.contains("32;5") && !shown.contains("53:37"), "{shown}");
    detach(&terminal);
}

#[test]
fn keyboard_flags_belong_to_a_screen_and_are_pushed_and_popped() {
    let sandbox = Sandbox::new();
    let modes = r"\033[?u\033[>1u\033[>7u\033[?u\033[<u\033[?u\033[=5;2u\033[?u\033[?1049h\033[?u\033[>8u\033[?1049l\033[?u\033[<9u\033[?u";
    let (_, terminal) = shown_to(&sandbox, Answers::MODERN, modes);
    terminal.wait_for("^[[?0u^[[?7u^[[?1u^[[?5u^[[?0u^[[?5u^[[?0u");
}

#[test]
fn a_terminal_that_turns_light_tells_the_panes_that_asked() {
    let sandbox = Sandbox::new();
    let (pane, terminal) = shown_to(&sandbox, Answers::MODERN, r"\033[?2031h\033[?996n");
    terminal.wait_for("^[[?997;1n");
    sandbox.inspan(&["split-window", "-t", &pane, "--", "sh", "-c", &shows_bytes("")]).ok();
    terminal.wait_until("both are there", |screen| screen.contents().matches("ok").count() == 2);
    assert!(String::from_utf8_lossy(&terminal.raw()).contains("\x1b[?2031h"), "it is asked to tell");
    // Its report makes us ask for the colours again, and these decide.
    terminal.send("\x1b[?997;2n");
    sandbox.wait_output("the colours are asked for again", &["list-clients"], |_| {
        String::from_utf8_lossy(&terminal.raw()).matches("\x1b]11;?").count() == 2
    });
    terminal.send("\x1b]10;rgb:0000/0000/0000\x1b\\\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    terminal.wait_for("^[[?997;1n^[[?997;2n");
    assert_eq!(terminal.screen().matches("?997").count(), 2, "{}", terminal.screen());
    detach(&terminal);
}

#[test]
fn the_mouse_reports_what_and_how_the_program_asked() {
    // Modes, and what a press, a movement without a button and a notch of the wheel then are.
    let cases = [
        (r"\033[?1000h\033[?1006h", "^[[<0;4;3M^[[<0;4;3m^[[<64;4;3M"),
        (r"\033[?1003h\033[?1006h", "^[[<0;4;3M^[[<0;4;3m^[[<35;5;3M^[[<64;4;3M"),
        // In pixels of the cells that the program is told, of which this is the middle.
        (r"\033[?1000h\033[?1016h\033[16t", "^[[6;20;10t^[[<0;35;50M^[[<0;35;50m^[[<64;35;50M"),
        // Arrows on the alternate screen, where mode 1007 lets them.
        (r"\033[?1049h", "^[[A^[[A^[[A"),
        (r"\033[?1049h\033[?1h", "^[OA^[OA^[OA"),
    ];
    for (modes, wanted) in cases {
        let sandbox = Sandbox::new();
        let (_, terminal) = shown_to(&sandbox, Answers::MODERN, modes);
        if modes.contains("1003") {
            terminal.wait_raw("\x1b[?1003h");
        }
        terminal.send("\x1b[<0;5;4M\x1b[<0;5;4m\x1b[<35;6;4M\x1b[<64;5;4M");
        terminal.wait_for(wanted);
        if !modes.contains("1003") {
            assert!(!terminal.screen().contains("<35"));
            assert!(!String::from_utf8_lossy(&terminal.raw()).contains("\x1b[?1003h"));
        }
        detach(&terminal);
    }
    let sandbox = Sandbox::new();
    let (_, terminal) = shown_to(&sandbox, Answers::MODERN, r"\033[?1049h\033[?1007l");
    terminal.send("\x1b[<64;5;4Mx");
    terminal.wait_for("x");
    assert!(!terminal.screen().contains("^["), "no arrows\n{}", terminal.screen());
}
