//! The end-to-end harness itself, tried on programs that are not ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
mod common;
use common::{Answers, DEADLINE, Exit, PROMPT, Sandbox, Signal, rows, wait_gone};
use std::{panic::catch_unwind, time::Duration};

fn exited(code: u32) -> Exit {
    Exit { code, signal: None }
}

#[test]
fn a_shell_is_typed_into_and_read() {
    let sandbox = Sandbox::new();
    let shell = sandbox.terminal(80, 24).run(&["sh"]);
    shell.wait_for(PROMPT.trim_end());
    shell.send("echo $((6 * 7))\r");
    shell.wait_until("the answer stands on its own row", |screen| rows(screen).iter().any(|row| row == "42"));
    shell.wait_until("the prompt is back", |screen| screen.cursor_position() == (2, 7));
    assert_eq!(shell.cursor(), Some((2, 7)));
    shell.keys("C-d");
    assert_eq!(shell.exit_status(), exited(0));
}

#[test]
fn an_exit_code_and_a_signal_are_told_apart() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.terminal(80, 24).run(&["sh", "-c", "exit 7"]).exit_status(), exited(7));
    let cat = sandbox.terminal(80, 24).run(&["cat"]);
    cat.kill(Signal::TERM);
    let exit = cat.exit_status();
    assert!(exit.signal.as_deref().is_some_and(|name| name.contains("Terminated")), "{exit:?}");
}

#[test]
fn a_resize_reaches_the_program() {
    let sandbox = Sandbox::new();
    let script = "trap 'stty size' WINCH; stty size; while :; do read -r line || :; done";
    let shell = sandbox.terminal(80, 24).run(&["sh", "-c", script]);
    shell.wait_for("24 80");
    shell.resize(101, 33);
    shell.wait_for("33 101");
}

/// Prints one question after another and shows what comes back, with ESC as `E`.
const ASK: &str = r#"stty raw -echo; printf "$1"; printf '\033[c'; got=
while :; do b=$(dd bs=1 count=1 2>/dev/null | tr '\033' E); got=$got$b; case $got in *E\[?62*c) break;; esac; done
stty sane; printf '<%s>\n' "$got""#;

#[test]
fn a_modern_terminal_answers_in_order() {
    let sandbox = Sandbox::new();
    let questions = r"\033[>q\033[?u\033[?2026$p\033]10;?\007\033]11;?\033\\\033[6n";
    let asked = sandbox.terminal(200, 5).run(&["sh", "-c", ASK, "sh", questions]);
    let wanted = "<EP>|outer 1.0E\\E[?0uE[?2026;2$yE]10;rgb:cccc/cccc/cccc\x07E]11;rgb:1111/1111/1111E\\E[1;1RE[?62;22c>";
    assert_eq!(asked.exit_status(), exited(0));
    assert!(asked.screen().contains(&wanted.replace('\x07', "")), "{}\nwanted {wanted}", asked.screen());
}

#[test]
fn the_cursor_is_where_it_was_when_it_was_asked_for() {
    let sandbox = Sandbox::new();
    let questions = r"\033[3;5Hab\033[6n\033[9;9Hmore";
    let asked = sandbox.terminal(80, 24).run(&["sh", "-c", ASK, "sh", questions]);
    asked.wait_for("<E[3;7RE[?62;22c>");
}

#[test]
fn a_plain_terminal_answers_only_what_all_do() {
    let sandbox = Sandbox::new();
    let questions = r"\033[>q\033[?u\033[?2026$p\033]11;?\033\\";
    let setup = sandbox.terminal(80, 24).answers(Answers::PLAIN);
    setup.run(&["sh", "-c", ASK, "sh", questions]).wait_for("<E[?62;22c>");
}

#[test]
fn a_mute_terminal_answers_nothing() {
    let sandbox = Sandbox::new();
    let script = r"stty raw -echo min 0 time 10; printf '\033[c\033[?u\033]11;?\007'; got=$(dd bs=1 count=1 2>/dev/null)
stty sane; echo; echo got ${#got} bytes";
    let setup = sandbox.terminal(80, 24).answers(Answers::MUTE);
    setup.run(&["sh", "-c", script]).wait_for("got 0 bytes");
}

#[test]
fn a_frame_is_seen_whole() {
    let sandbox = Sandbox::new();
    let script = r"printf '\033[?2026hhalf'; read -r go; printf ' whole\033[?2026l'; read -r go";
    let program = sandbox.terminal(80, 24).run(&["sh", "-c", script]);
    let mut seen = Vec::new();
    program.send("\r");
    program.wait_until("the frame is shown", |screen| {
        seen.push(screen.contents());
        screen.contents().contains("whole")
    });
    assert!(seen.iter().all(|text| text.contains("half") == text.contains("whole")), "{seen:?}");
}

#[test]
fn what_a_program_leaves_behind_is_named() {
    let sandbox = Sandbox::new();
    let run = |script: &str| {
        let program = sandbox.terminal(80, 24).run(&["sh", "-c", script]);
        program.exit_status();
        program.modes_restored()
    };
    let enter = r"printf '\033[?1049h\033[?25l\033[?2004h\033[>1u\033[?1000;1006h\033[31m\033[2;5r\033[6 q\033=\033[>4;2m'";
    let leave = r"printf '\033[0m\033[r\033[0 q\033>\033[>4;0m\033[<u\033[?1000;1006l\033[?2004l\033[?25h\033[?1049l'";
    let polite = format!(r#"was=$(stty -g); {enter}; stty raw; {leave}; stty "$was""#);
    assert_eq!(run(&polite), Ok(()));
    // The whole height, said in numbers, is no region.
    assert_eq!(run(r"printf '\033[1;24r'"), Ok(()));
    assert_eq!(run("true"), Ok(()));

    let left = run(enter).unwrap_err();
    for wanted in [
        "mode 25 is reset",
        "mode 1000 is set",
        "mode 1049 is set",
        "mode 2004 is set",
        "[1] on the alternate",
        "colours",
        "scroll region",
        "cursor style",
        "keypad",
        "modifyOtherKeys",
    ] {
        assert!(left.contains(wanted), "{wanted} is not in {left}");
    }
    assert!(run("stty raw").unwrap_err().contains("line discipline"));
}

#[test]
fn keys_follow_the_modes_of_the_program() {
    let sandbox = Sandbox::new();
    let show = r#"stty raw -echo; printf "$1ok"; dd bs=1 count="$2" 2>/dev/null | od -An -c | tr -s ' ' | tr -d '\n'; stty sane"#;
    let typed = |modes: &str, count: &str, keys: &str| {
        let program = sandbox.terminal(200, 24).run(&["sh", "-c", show, "sh", modes, count]);
        program.wait_for("ok");
        program.keys(keys);
        assert_eq!(program.exit_status(), exited(0));
        program.screen().trim_end().to_owned()
    };
    assert_eq!(typed("", "12", "C-Space % M-x Up S-Up"), r"ok \0 % 033 x 033 [ A 033 [ 1 ; 2");
    assert_eq!(typed(r"\033[?1h", "4", "Up Enter"), r"ok 033 O A \r");
    assert_eq!(typed(r"\033[>1u", "12", "C-Space a Escape"), "ok 033 [ 3 2 ; 5 u a 033 [ 2 7");
}

#[test]
fn a_paste_is_bracketed_when_asked_for() {
    let sandbox = Sandbox::new();
    let cat = sandbox.terminal(80, 24).run(&["sh", "-c", r"printf '\033[?2004hok'; cat -v"]);
    cat.wait_for("ok");
    cat.paste("two words");
    cat.send("\n");
    cat.wait_for("^[[200~two words^[[201~");
}

#[test]
fn style_is_shown_beside_the_text() {
    let sandbox = Sandbox::new();
    let program = sandbox.terminal(20, 2).run(&["printf", r"a\033[1;31mbc\033[0md\033[48;2;1;2;3m \033[m"]);
    program.exit_status();
    assert_eq!(program.contents_with_style(), "abcd\n    ~ 1-2 bold,fg=1 | 4-4 bg=#010203\n");
}

#[test]
fn a_condition_that_cannot_hold_any_more_fails_at_once_with_the_screen() {
    let sandbox = Sandbox::new();
    let started = std::time::Instant::now();
    let program = sandbox.terminal(40, 3).run(&["echo", "what was there"]);
    let failure =
        catch_unwind(std::panic::AssertUnwindSafe(|| program.wait_for("something else"))).unwrap_err();
    let message = failure.downcast_ref::<String>().unwrap();
    assert!(message.contains("waiting until the screen shows \"something else\""), "{message}");
    assert!(message.contains("│what was there "), "{message}");
    assert!(message.contains("the program has ended"), "{message}");
    assert!(started.elapsed() < DEADLINE);
}

#[test]
fn closing_a_terminal_types_nothing() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("typed");
    let script = r#"stty raw -echo; printf ok; exec cat >"$1""#;
    let program = sandbox.terminal(80, 24).run(&["sh", "-c", script, "sh", file.to_str().unwrap()]);
    program.wait_for("ok");
    drop(program);
    assert_eq!(std::fs::read(&file).unwrap_or_default(), b"");
}

#[test]
fn a_stub_is_found_first_and_gets_its_arguments() {
    let sandbox = Sandbox::new();
    sandbox.stub("claude", "echo \"stub $# $1\"");
    let output = sandbox.run_in(sandbox.root(), "sh", &["-c", "claude 'a b' c"]);
    assert_eq!(output.ok(), "stub 2 a b");
    // A login shell reads the machine's profile, which must not win.
    let output = sandbox.run_in(sandbox.root(), "sh", &["-lc", "command -v claude"]);
    assert_eq!(output.ok(), sandbox.path("bin/claude").to_str().unwrap());
}

#[test]
fn the_environment_is_private() {
    let sandbox = Sandbox::new();
    let output = sandbox.run_in(sandbox.root(), "env", &[]);
    let root = sandbox.root().to_str().unwrap();
    for line in output.ok().lines() {
        let (name, value) = line.split_once('=').unwrap();
        if name == "HOME" || name.starts_with("XDG_") || name == "INSPAN_TMPDIR" {
            assert!(value.starts_with(root), "{line}");
        }
        assert!(!name.starts_with("CARGO"), "{line}");
    }
    assert_ne!(Sandbox::new().name(), sandbox.name());
}

#[test]
fn a_repository_is_clean_on_main() {
    let sandbox = Sandbox::new();
    let dir = sandbox.repository("shop");
    assert_eq!(sandbox.run_in(&dir, "git", &["status", "--porcelain", "--branch"]).ok(), "## main");
}

#[test]
fn an_output_has_code_and_both_streams() {
    let sandbox = Sandbox::new();
    let output = sandbox.run_in(sandbox.root(), "sh", &["-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!((output.code, output.stdout.as_str(), output.fails(3)), (3, "out\n", "err\n"));
    let failure = catch_unwind(|| output.ok().to_owned()).unwrap_err();
    assert!(failure.downcast_ref::<String>().unwrap().contains("err"));
}

#[test]
fn a_process_that_outlives_its_sandbox_is_found_and_ended() {
    let mut sandbox = Sandbox::new();
    sandbox.set_leave(Duration::from_millis(200));
    // It left the session and the directory and closed its streams; its environment still names the sandbox.
    let script =
        "cd /; setsid sh -c 'trap \"\" HUP TERM; echo $$; exec sleep 600 >/dev/null 2>&1' </dev/null &";
    let pid: i32 = sandbox.run_in(sandbox.root(), "sh", &["-c", script]).ok().trim().parse().unwrap();
    assert!(sandbox.processes().iter().any(|process| process.pid == pid));
    let failure = catch_unwind(std::panic::AssertUnwindSafe(|| drop(sandbox))).unwrap_err();
    let message = failure.downcast_ref::<String>().unwrap();
    assert!(message.contains(&format!("{pid} sleep 600")), "{message}");
    assert!(wait_gone(pid, Duration::from_secs(10)));
}

#[test]
fn the_binary_runs_under_its_own_server_name() {
    let sandbox = Sandbox::new();
    let command = sandbox.command(&["list-sessions"]);
    let args: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
    assert_eq!(args, ["-L", sandbox.name(), "list-sessions"]);
    assert!(sandbox.socket().as_os_str().len() < 100);
}
