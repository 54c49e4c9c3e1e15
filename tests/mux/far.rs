//! Attaching over ssh, with a stand-in for ssh that runs what it is told on this machine.
use crate::{common::*, steps::*};

/// Puts a stand-in for ssh and our program where the far side looks for them.
fn far_side(sandbox: &Sandbox) {
    sandbox.stub("inspan", &format!("exec '{INSPAN}' \"$@\""));
    // The last argument is the command, as sshd hands it to a shell.
    sandbox.stub(
        "ssh",
        "echo \"$*\" >>ssh.log\n[ -e broken ] && exit 255\nfor last; do :; done\nexec sh -c \"$last\"",
    );
}

fn proxies(sandbox: &Sandbox) -> Vec<Process> {
    let proxies = sandbox.processes().into_iter().filter(|p| p.argv.iter().any(|word| word == "proxy"));
    proxies.filter(|p| p.argv.first().is_some_and(|program| !program.ends_with("sh"))).collect()
}

#[test]
fn a_session_far_away_is_attached_over_ssh_and_taken_up_again() {
    let sandbox = Sandbox::new();
    far_side(&sandbox);
    shell_session(&sandbox);
    let terminal = sandbox.attach(80, 24, &["attach", "--ssh", "me@far", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    terminal.send("echo fi''rst\r");
    terminal.wait_for("first");
    let told = std::fs::read_to_string(sandbox.path("home/ssh.log")).unwrap();
    assert!(told.contains("-- me@far env PATH="), "{told}");

    // The link breaks; what went on meanwhile is drawn when it is there again.
    sandbox.write("home/broken", "");
    for proxy in proxies(&sandbox) {
        proxy.kill(Signal::KILL);
    }
    terminal.wait_for("the link to me@far is gone");
    sandbox.wait_json("the server noticed", &["list-clients"], |value| list(value).is_empty());
    sandbox.inspan(&["send-keys", "-t", "work", "echo mean''while", "Enter"]).ok();
    std::fs::remove_file(sandbox.path("home/broken")).unwrap();
    terminal.wait_for("meanwhile");
    terminal.wait_for_no("is gone");
    terminal.send("echo aga''in\r");
    terminal.wait_for("again");
    detach(&terminal);
}

#[test]
fn a_link_that_stays_broken_can_be_left() {
    let sandbox = Sandbox::new();
    far_side(&sandbox);
    shell_session(&sandbox);
    let terminal = sandbox.attach(80, 24, &["attach", "--ssh", "far", "-t", "work"]);
    wait_for_prompts(&terminal, 1);
    sandbox.write("home/broken", "");
    for proxy in proxies(&sandbox) {
        proxy.kill(Signal::KILL);
    }
    terminal.wait_for("the link to far is gone");
    terminal.send("q");
    assert_eq!(terminal.exit_status().code, 1);
    assert_eq!(terminal.modes_restored(), Ok(()));
}

#[test]
fn what_keeps_the_far_side_away_is_said() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    for (script, said) in [
        ("exit 127", "no inspan on far"),
        ("exit 255", "ended with code 255"),
        ("echo welcome to far, today is a good day to log in", "is no inspan"),
    ] {
        sandbox.stub("ssh", script);
        let terminal = sandbox.attach(80, 24, &["attach", "--ssh", "far"]);
        terminal.wait_for(said);
        assert_eq!(terminal.exit_status().code, 1);
    }
    let terminal = sandbox.attach(80, 24, &["attach", "--ssh=-oProxyCommand=id"]);
    terminal.wait_for("is no host");
}
