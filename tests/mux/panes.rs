//! Programs in panes: their keys, pastes and ends.
use crate::{common::*, steps::*};

#[test]
fn the_prefix_twice_goes_to_the_program() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sh", "-c", "echo ok; exec cat -v"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("ok");
    terminal.keys("C-Space C-Space x Enter");
    terminal.wait_until("cat shows NUL and x", |screen| {
        rows(screen).iter().filter(|row| row.contains("^@x")).count() == 2
    });
}

#[test]
fn a_program_that_ends_leaves_its_text_and_says_how() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["sh", "-c", "echo last words; exit 3"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("last words");
    terminal.wait_for("exited 3");
}

#[test]
fn a_program_that_does_not_exist_is_said_in_its_pane() {
    let sandbox = Sandbox::new();
    session(&sandbox, &["/no/such/program"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("/no/such/program");
    terminal.wait_for("could not start");
}

#[test]
fn the_second_prefix_is_a_prefix_too() {
    let sandbox = Sandbox::new();
    sandbox.config("prefix2 = \"C-a\"\n");
    session(&sandbox, &["sh", "-c", "echo ok; exec cat -v"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("ok");
    terminal.keys("C-a C-a x Enter");
    terminal.wait_until("cat shows what the second prefix is", |screen| {
        rows(screen).iter().filter(|row| row.contains("^Ax")).count() == 2
    });
    terminal.keys("C-a %");
    sandbox.wait_json("there are two panes", &["list-panes"], |value| list(value).len() == 2);
}

#[test]
fn an_unbound_key_after_the_prefix_is_said() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    terminal.keys("C-Space Q");
    terminal.wait_for("C-Space Q is not bound");
    terminal.send("echo st''ill\r");
    terminal.wait_for("still");
}

/// A program in raw mode that has asked for something and shows every byte it gets.
fn shows_bytes(modes: &str) -> String {
    format!("stty raw -echo; printf '{modes}ok\\r\\n'; exec cat -v")
}

#[test]
fn a_paste_is_bracketed_for_those_who_asked() {
    for (modes, wanted) in [(r"\033[?2004h", "^[[200~one^Mtwo^[[201~"), ("", "one^Mtwo")] {
        let sandbox = Sandbox::new();
        let pane = session(&sandbox, &["sh", "-c", &shows_bytes(modes)]);
        let terminal = attach(&sandbox);
        terminal.wait_for("ok");
        // What would end the paste early is taken out.
        terminal.send("\x1b[200~one\rtwo\x1b[201~");
        terminal.wait_for(wanted);
        if modes.is_empty() {
            terminal.wait_for_no("200~");
        }
        sandbox.inspan(&["paste", "-t", &pane, "three\x1b[201~four"]).ok();
        terminal.wait_for("four");
        assert_eq!(terminal.screen().matches("201~").count(), if modes.is_empty() { 0 } else { 2 });
    }
}

#[test]
fn a_large_paste_arrives_whole() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("pasted");
    let script = format!(
        "stty raw -echo; echo ok; head -c 300000 >{0}.part; mv {0}.part {0}; echo done",
        file.display()
    );
    session(&sandbox, &["sh", "-c", &script]);
    let terminal = attach(&sandbox);
    terminal.wait_for("ok");
    let text: String = (0..300_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    terminal.send(format!("\x1b[200~{text}\x1b[201~"));
    terminal.wait_for("done");
    assert!(std::fs::read_to_string(&file).unwrap() == text, "the paste is not what was pasted");
}

#[test]
fn focus_is_told_to_those_who_asked() {
    let sandbox = Sandbox::new();
    let first = session(&sandbox, &["sh", "-c", &shows_bytes(r"\033[?1004h")]);
    let terminal = attach(&sandbox);
    terminal.wait_for("ok");
    terminal.send("\x1b[O");
    terminal.wait_for("^[[O");
    terminal.send("\x1b[I");
    terminal.wait_for("^[[O^[[I");
    sandbox.inspan(&["split-window", "-t", &first, "--", "sh"]).ok();
    terminal.wait_for("^[[O^[[I^[[O");
    sandbox.inspan(&["select-pane", "-t", &first]).ok();
    terminal.wait_for("^[[O^[[I^[[O^[[I");
}

#[test]
fn a_card_takes_its_keys() {
    let sandbox = Sandbox::new();
    let pane = session(&sandbox, &["sh", "-c", "echo last words; exit 3"]);
    let terminal = attach(&sandbox);
    terminal.wait_for("exited 3");
    terminal.keys("f");
    terminal.wait_until("it ran twice", |screen| screen.contents().matches("last words").count() == 2);
    terminal.wait_for("exited 3");
    terminal.keys("s");
    wait_for_prompts(&terminal, 1);
    terminal.send("echo he''re\r");
    terminal.wait_for("here");
    assert_eq!(panes(&sandbox)[0]["id"], *pane, "it is still that pane");
    terminal.send("kill -9 $$\r");
    terminal.wait_for("killed by SIGKILL");
    terminal.keys("x");
    assert_eq!(terminal.exit_status().code, 0);
}

#[test]
fn a_program_that_may_not_run_is_said_in_its_pane() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("home/notes.txt", "text\n");
    session(&sandbox, &[file.to_str().unwrap()]);
    let terminal = attach(&sandbox);
    terminal.wait_for("could not start");
    terminal.keys("s");
    wait_for_prompts(&terminal, 1);
}
