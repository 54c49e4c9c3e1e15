//! The server itself: its socket, its signals, its end.
use crate::{common::*, steps::*};
use std::{
    io::Write,
    os::unix::net::UnixListener,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

#[test]
fn a_stale_socket_is_replaced() {
    let sandbox = Sandbox::new();
    let socket = sandbox.socket();
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(socket.parent().unwrap(), private).unwrap();
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    shell_session(&sandbox);
    assert_eq!(panes(&sandbox).len(), 1);
}

#[test]
fn kill_server_ends_every_process() {
    let sandbox = Sandbox::new();
    // One that ignores the polite signals, and one that left its process group.
    session(
        &sandbox,
        &["sh", "-c", "trap '' HUP TERM; setsid sleep 600 & echo ready; while :; do sleep 600; done"],
    );
    let terminal = attach(&sandbox);
    terminal.wait_for("ready");
    let server = sandbox.server().expect("a server runs");
    sandbox.inspan(&["kill-server"]).ok();
    assert_eq!(terminal.exit_status().code, 0);
    assert_eq!(terminal.modes_restored(), Ok(()));
    assert!(wait_gone(server.pid, Duration::from_secs(10)));
    assert_eq!(sandbox.processes(), []);
}

/// Lets only its owner, or everybody, into a directory.
fn chmod(dir: &Path, mode: u32) {
    std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn a_socket_directory_of_others_is_not_used() {
    let sandbox = Sandbox::new();
    let socket = sandbox.socket();
    let dir = socket.parent().unwrap();
    let refused = |wanted: &str| {
        for args in [&["new-session", "-d", "--", "sh"][..], &["list-sessions"]] {
            let output = sandbox.inspan(args);
            assert!(output.fails(1).contains(wanted), "{output:?}");
        }
        assert_eq!(sandbox.server(), None);
    };
    let elsewhere = sandbox.dir("elsewhere");
    chmod(&elsewhere, 0o700);
    std::os::unix::fs::symlink(&elsewhere, dir).unwrap();
    // Whoever planted it listens already, and would be told the whole environment.
    let listener = UnixListener::bind(elsewhere.join(socket.file_name().unwrap())).unwrap();
    listener.set_nonblocking(true).unwrap();
    refused("symbolic link");
    assert!(listener.accept().is_err(), "somebody connected");
    std::fs::remove_file(dir).unwrap();

    std::fs::create_dir(dir).unwrap();
    chmod(dir, 0o755);
    refused("chmod 700");
    if rustix::process::geteuid().is_root() {
        chmod(dir, 0o700);
        std::os::unix::fs::chown(dir, Some(65534), None).unwrap();
        refused("belongs to user 65534");
        std::os::unix::fs::chown(dir, Some(0), None).unwrap();
    }
    chmod(dir, 0o700);
    shell_session(&sandbox);
}

#[test]
fn a_removed_socket_comes_back_on_sigusr1() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    let server = sandbox.server().unwrap();
    std::fs::remove_file(sandbox.socket()).unwrap();
    server.kill(Signal::USR1);
    // Asking would start another server while there is none to be seen.
    wait_for_path(&sandbox.socket());
    for _ in 0..5 {
        assert_eq!(panes(&sandbox).len(), 1);
    }
    assert_eq!(sandbox.server(), Some(server));
    // The client of before is still heard.
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
    detach(&terminal);
}

#[test]
fn a_cleaned_socket_directory_costs_nothing() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let before = (panes(&sandbox), sandbox.server());
    std::fs::remove_dir_all(sandbox.socket().parent().unwrap()).unwrap();
    // A second server beside the first would take its panes for a crash's and end them.
    assert_eq!((panes(&sandbox), sandbox.server()), before);
    let terminal = attach(&sandbox);
    terminal.send("echo al''ive\r");
    terminal.wait_for("alive");
}

#[test]
fn many_starters_get_one_server() {
    let sandbox = Sandbox::new();
    std::thread::scope(|scope| {
        for n in 0..6 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                sandbox.inspan(&["new-session", "-d", "-s", &format!("s{n}"), "--", "sh"]).ok();
            });
        }
    });
    assert_eq!(list(&sandbox.json(&["list-sessions"])).len(), 6);
    let servers =
        sandbox.processes().into_iter().filter(|p| p.argv.last().is_some_and(|word| word == "server"));
    assert_eq!(servers.count(), 1);
}

/// Listens on the socket of the server `default` and greets `times` clients as a server of another version whose
/// process is `pid`.
fn other_version(sandbox: &Sandbox, pid: u32, times: usize) -> std::thread::JoinHandle<()> {
    let dir = sandbox.socket().parent().unwrap().to_owned();
    std::fs::create_dir_all(&dir).unwrap();
    chmod(&dir, 0o700);
    let listener = UnixListener::bind(dir.join("default.sock")).unwrap();
    std::thread::spawn(move || {
        for _ in 0..times {
            let welcome = format!(r#"{{"protocol":4000000000,"version":"99.0.0","pid":{pid}}}"#);
            let mut frame = u32::try_from(welcome.len()).unwrap().to_le_bytes().to_vec();
            frame.push(64);
            frame.extend(welcome.as_bytes());
            listener.accept().unwrap().0.write_all(&frame).unwrap();
        }
    })
}

#[test]
fn a_server_of_another_version_is_spoken_to_by_its_own_binary() {
    let sandbox = Sandbox::new();
    // A shell stands for that server's binary: it takes the words of the command line for a script and its arguments.
    let mut binary = Command::new("sh").args(["-c", "read -r line"]).stdin(Stdio::piped()).spawn().unwrap();
    let answers = other_version(&sandbox, binary.id(), 1);
    let dir = sandbox.dir("there");
    sandbox.write("there/capture-pane", "echo own binary: $*\nexit 5\n");
    let output = sandbox.run_in(&dir, INSPAN, &["capture-pane", "-t", "%7"]);
    assert_eq!((output.code, output.stdout.as_str()), (5, "own binary: -t %7\n"), "{output:?}");
    answers.join().unwrap();
    drop(binary.stdin.take());
    binary.wait().unwrap();
}

#[test]
fn a_server_that_does_not_understand_its_own_binary_is_no_loop() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let server = sandbox.server().unwrap();
    let answers = other_version(&sandbox, server.pid.unsigned_abs(), 2);
    let output = sandbox.run_in(sandbox.root(), INSPAN, &["list-sessions"]);
    assert!(output.fails(1).contains("4000000000"), "{output:?}");
    answers.join().unwrap();
}

#[test]
fn a_stranger_on_the_socket_is_no_server() {
    let sandbox = Sandbox::new();
    let socket = sandbox.socket();
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    chmod(socket.parent().unwrap(), 0o700);
    let listener = UnixListener::bind(&socket).unwrap();
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").unwrap();
    });
    let output = sandbox.inspan(&["list-sessions"]);
    answers.join().unwrap();
    assert!(output.fails(1).contains("something else than inspan"), "{output:?}");
}

#[test]
fn a_terminated_server_keeps_its_sessions() {
    let sandbox = Sandbox::new();
    shell_session(&sandbox);
    let terminal = attach(&sandbox);
    wait_for_prompts(&terminal, 1);
    let server = sandbox.server().unwrap();
    server.kill(Signal::TERM);
    assert_eq!(terminal.exit_status().code, 0);
    assert_eq!(terminal.modes_restored(), Ok(()));
    assert!(wait_gone(server.pid, Duration::from_secs(10)));
    assert_eq!(sandbox.processes(), []);
    assert!(!sandbox.socket().exists());
    assert_eq!(panes(&sandbox)[0]["status"], "exited");
}
