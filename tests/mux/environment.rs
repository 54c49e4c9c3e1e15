//! What a pane finds in its environment.
use crate::{common::*, steps::*};
use std::os::unix::net::UnixListener;

#[test]
fn the_newest_agent_is_reached_through_a_stable_link() {
    let sandbox = Sandbox::new();
    let agents = [sandbox.path("agent-a"), sandbox.path("agent-b")];
    let _listening: Vec<_> = agents.iter().map(|path| UnixListener::bind(path).unwrap()).collect();
    let [first, second] = agents.map(|path| path.to_str().unwrap().to_owned());
    let mut create = sandbox.command(&["new-session", "-d", "-s", "work", "--", "sh"]);
    create.env("SSH_AUTH_SOCK", &first);
    sandbox.output(create).ok();

    let ask = |terminal: &Terminal, agent: &str| {
        // The pane's variable stays the same link; only where it leads changes.
        terminal.send("clear; echo \"at $(readlink -f \"$SSH_AUTH_SOCK\") same ${was:=$SSH_AUTH_SOCK}\"\r");
        terminal.wait_for(&format!("at {agent} same "));
    };
    let terminal = sandbox.terminal(200, 24).env("SSH_AUTH_SOCK", &first).attach(&["attach", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    ask(&terminal, &first);
    terminal.wait_for_no(&format!("same {first}"));
    detach(&terminal);
    let terminal = sandbox.terminal(200, 24).env("SSH_AUTH_SOCK", &second).attach(&["attach", "-t", "work"]);
    ask(&terminal, &second);
    terminal.send("clear; [ \"$was\" = \"$SSH_AUTH_SOCK\" ] && echo the sa''me link\r");
    terminal.wait_for("the same link");
}

/// Has the pane print a variable, and waits until it prints that.
fn wait_for_variable(sandbox: &Sandbox, pane: &str, name: &str, wanted: &str) {
    type_line(sandbox, pane, &format!("clear; echo \"{name} is [${name}]\""));
    wait_for_capture(sandbox, pane, &format!("{name} is [{wanted}]"));
}

#[test]
fn what_attach_brings_reaches_new_panes() {
    let sandbox = Sandbox::new();
    sandbox.config("update_environment = [\"DISPLAY\", \"MY_SEAT\"]\n");
    let mut create = sandbox.command(&["new-session", "-d", "-s", "work", "--", "sh"]);
    create.env("DISPLAY", ":0").env("MY_SEAT", "one").env("KEPT", "yes");
    let first = sandbox.output(create).ok().to_owned();
    let terminal =
        sandbox.terminal(80, 24).env("MY_SEAT", "two").env("KEPT", "no").attach(&["attach", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    let second = sandbox.inspan(&["split-window", "-t", &first, "--", "sh"]).ok().to_owned();
    for (pane, name, wanted) in [
        (&first, "DISPLAY", ":0"),
        (&first, "MY_SEAT", "one"),
        (&second, "DISPLAY", ""),
        (&second, "MY_SEAT", "two"),
        (&second, "KEPT", "yes"),
    ] {
        wait_for_variable(&sandbox, pane, name, wanted);
    }
}

#[test]
fn a_pane_does_not_believe_it_is_the_outer_terminal() {
    let sandbox = Sandbox::new();
    let foreign = [
        "TERM_PROGRAM",
        "TERM_PROGRAM_VERSION",
        "TMUX",
        "TMUX_PANE",
        "STY",
        "KITTY_WINDOW_ID",
        "WEZTERM_PANE",
        "VTE_VERSION",
        "VSCODE_IPC_HOOK",
        "CLAUDECODE",
    ];
    let mut create = sandbox.command(&["new-session", "-d", "-s", "work", "--", "sh"]);
    create.envs(foreign.map(|name| (name, "outer"))).env("TERM", "foot").env("LANG", "C").env("MINE", "kept");
    create.env("ANTHROPIC_API_KEY", "a-key").env_remove("COLORTERM");
    let pane = sandbox.output(create).ok().to_owned();
    for name in foreign {
        wait_for_variable(&sandbox, &pane, name, "");
    }
    for (name, wanted) in [
        ("TERM", "xterm-256color"),
        ("COLORTERM", "truecolor"),
        ("LC_CTYPE", "C.UTF-8"),
        ("MINE", "kept"),
        ("INSPAN_PANE", pane.as_str()),
        // A shell is the person's own.
        ("ANTHROPIC_API_KEY", "a-key"),
    ] {
        wait_for_variable(&sandbox, &pane, name, wanted);
    }
    wait_for_variable(&sandbox, &pane, "INSPAN", sandbox.socket().to_str().unwrap());
}

#[test]
fn a_harness_gets_no_key_and_the_pane_says_so() {
    let mut sandbox = Sandbox::new();
    let secrets =
        ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "XAI_API_KEY"];
    for name in secrets {
        sandbox.set_env(name, Some("sk-hidden"));
    }
    sandbox.set_env("OPENAI_BASE_URL", Some("http://elsewhere.invalid"));
    stub_session(&sandbox, "claude");
    let env = stub_env(&sandbox, "claude");
    assert!(
        env.values().all(|value| !value.contains("sk-hidden") && !value.contains("elsewhere")),
        "{env:?}"
    );
    assert_eq!(env["HOME"], sandbox.path("home").to_str().unwrap());
    let notes = panes(&sandbox)[0]["notes"].to_string();
    assert!(notes.contains("ANTHROPIC_API_KEY") && !notes.contains("sk-hidden"), "{notes}");
    // Nor do they stay in the server's own environment, which a pane's process could read.
    let server = sandbox.server().unwrap();
    let environ = std::fs::read(format!("/proc/{}/environ", server.pid)).unwrap();
    assert!(!String::from_utf8_lossy(&environ).contains("sk-hidden"));
}

#[test]
fn what_a_pane_makes_has_the_modes_of_the_person_and_what_is_ours_is_private() {
    let sandbox = Sandbox::new();
    let line = "umask 027; exec \"$0\" -L \"$1\" new-session -d -s work -- sh";
    let started =
        sandbox.run_in(sandbox.root(), "sh", &["-c", line, env!("CARGO_BIN_EXE_inspan"), sandbox.name()]);
    let pane = started.ok().to_owned();
    type_line(&sandbox, &pane, "umask");
    wait_for_capture(&sandbox, &pane, "0027");
    let mode = |path: &std::path::Path| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
    };
    let state = sandbox.state_dir();
    for dir in [state.clone(), state.join("log"), sandbox.socket().parent().unwrap().to_owned()] {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
    }
}
