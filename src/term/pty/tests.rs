use super::*;
use crate::term::{emulator::HISTORY_LINES, palette::Palette};
use std::{sync::Condvar, time::Instant};

/// Longest wait for a named condition; only a failing test reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Log {
    events: Vec<TermEvent>,
    exited: Option<ExitStatus>,
}

/// A pane: its sink notes everything and wakes whoever waits.
#[derive(Default)]
struct Sink {
    log: Mutex<Log>,
    changed: Condvar,
}

impl PaneSink for Sink {
    fn output(&self) {
        let _log = lock(&self.log);
        self.changed.notify_all();
    }
    fn event(&self, event: TermEvent) {
        lock(&self.log).events.push(event);
        self.changed.notify_all();
    }
    fn exited(&self, status: ExitStatus) {
        let mut log = lock(&self.log);
        assert_eq!(log.exited, None, "told once");
        log.exited = Some(status);
        self.changed.notify_all();
    }
}

struct Pane {
    runtime: tokio::runtime::Runtime,
    pty: Pty,
    emulator: Arc<Mutex<Emulator>>,
    sink: Arc<Sink>,
    _directory: tempfile::TempDir,
}

impl Pane {
    fn run(argv: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pty = spawn(spec(argv, directory.path())).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let emulator = Arc::new(Mutex::new(Emulator::new(80, 24, HISTORY_LINES, Palette::default())));
        let sink = Arc::new(Sink::default());
        let (quiet, mut panes) = Quiet::new();
        runtime.spawn(std::future::poll_fn(move |context| {
            panes.poll(context);
            std::task::Poll::<()>::Pending
        }));
        let handle = runtime.handle().clone();
        let readers =
            Readers { quiet, quiet_runtime: handle.clone(), collecting: handle.clone(), busy: handle };
        pty.start(&readers, Arc::clone(&emulator), Arc::clone(&sink) as Arc<dyn PaneSink>).unwrap();
        Self { runtime, pty, emulator, sink, _directory: directory }
    }

    fn sh(script: &str) -> Self {
        Self::run(&["sh", "-c", script])
    }

    fn text(&self) -> String {
        lock(&self.emulator).capture(Some(i32::MIN), None, false, true)
    }

    /// Waits until the condition holds; output, events and exit wake it.
    fn until<T>(&self, what: &str, mut condition: impl FnMut(&Log, &str) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        let mut log = lock(&self.sink.log);
        loop {
            let text = self.text();
            if let Some(found) = condition(&log, &text) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what} in: {text}");
            log = self.sink.changed.wait_timeout(log, left.min(Duration::from_secs(1))).unwrap().0;
        }
    }

    fn until_text(&self, wanted: &str) {
        self.until(wanted, |_, text| text.contains(wanted).then_some(()));
    }

    fn exit(&self) -> ExitStatus {
        self.until("exit", |log, _| log.exited)
    }

    fn stop(&self, grace: Duration) -> processes::Stopped {
        self.runtime.block_on(self.pty.stop(grace))
    }

    /// The process ids printed as `name=PID`.
    fn pid(&self, name: &str) -> i32 {
        let key = format!("{name}=");
        self.until(name, |_, text| {
            let rest = &text[text.find(&key)? + key.len()..];
            // The line end shows that the number is whole.
            let (number, _) = rest.split_once('\n')?;
            number.trim().parse().ok()
        })
    }
}

impl Drop for Pane {
    fn drop(&mut self) {
        self.pty.stop_blocking(Duration::ZERO);
    }
}

fn spec(argv: &[&str], cwd: &Path) -> SpawnSpec {
    SpawnSpec {
        argv: argv.iter().map(|arg| (*arg).to_owned()).collect(),
        cwd: cwd.to_owned(),
        env: vec![
            ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
            ("HOME".into(), cwd.into()),
            ("SHELL".into(), "/bin/sh".into()),
            ("GREETING".into(), "moin".into()),
        ],
        cols: 80,
        rows: 24,
    }
}

fn lives(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_program_gets_its_environment_directory_size_and_input() {
    let pane = Pane::sh("echo $GREETING; pwd; stty size; read line; echo \"got <$line>\"");
    pane.until_text("24 80");
    pane.until_text("moin");
    let directory = pane._directory.path().file_name().unwrap().to_str().unwrap().to_owned();
    pane.until_text(&directory);
    pane.pty.write(b"a line\r".to_vec()).unwrap();
    pane.until_text("got <a line>");
    assert_eq!(pane.exit(), ExitStatus { code: Some(0), signal: None });
}

#[test]
fn exit_codes_and_signals_are_told_apart_and_all_output_is_shown_first() {
    let pane = Pane::sh("seq 1 5000; exit 3");
    let status = pane.exit();
    assert_eq!(status, ExitStatus { code: Some(3), signal: None });
    assert!(pane.text().contains("\n5000\n"), "the last line was lost");
    let pane = Pane::sh("kill -TERM $$");
    assert_eq!(pane.exit(), ExitStatus { code: None, signal: Some(15) });
}

#[test]
fn a_resize_reaches_the_program() {
    let pane = Pane::sh("trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done");
    pane.until_text("ready");
    pane.pty.resize(101, 33).unwrap();
    pane.until_text("33 101");
    pane.pty.resize(u16::MAX, 0).unwrap();
    pane.until_text("1 65535");
}

#[test]
fn queries_are_answered_through_the_terminal() {
    let pane = Pane::sh(
        "stty raw -echo; printf '\\033[6n'; dd bs=1 count=6 2>/dev/null | od -c; stty sane; echo end",
    );
    pane.until_text("end");
    assert!(pane.text().contains("033   [   1   ;   1   R"), "{}", pane.text());
}

#[test]
fn events_reach_the_sink() {
    let pane = Pane::sh("printf '\\033]0;a title\\007'; sleep 60");
    pane.until("title", |log, _| log.events.contains(&TermEvent::Title("a title".into())).then_some(()));
}

#[test]
fn an_update_that_never_ends_is_shown_in_time() {
    let pane = Pane::sh("printf '\\033[?2026hhalf a frame'; sleep 60");
    pane.until_text("half a frame");
    assert_eq!(lock(&pane.sink.log).exited, None);
}

#[test]
fn modes_are_reset_when_the_program_is_gone() {
    let pane = Pane::sh("printf '\\033[?1003h\\033[?1006h\\033[?2004h\\033[>5uinput modes on'");
    pane.exit();
    let modes = lock(&pane.emulator).modes();
    assert_eq!(modes.mouse, crate::term::modes::MouseProtocol::Off);
    assert!(!modes.bracketed_paste && modes.kitty_flags == 0 && !modes.cursor_visible);
    assert!(pane.text().contains("input modes on"));
}

#[test]
fn input_beyond_what_the_terminal_takes_waits_in_order_and_within_bounds() {
    let pane = Pane::sh("stty raw -echo; echo ready; read _; head -c 300000 | md5sum");
    pane.until_text("ready");
    // Raw mode ends `read` by the newline.
    pane.pty.write(b"\n".to_vec()).unwrap();
    let long: Vec<u8> = (0..300_000u32).map(|n| b'a' + u8::try_from(n % 23).unwrap()).collect();
    let slept = Pane::sh("stty raw -echo; echo ready; sleep 60");
    slept.until_text("ready");
    slept.pty.write(vec![b'x'; MAX_QUEUE]).unwrap();
    assert_eq!(slept.pty.write(vec![b'x'; MAX_QUEUE]), Err(QueueFull));
    for part in long.chunks(50_000) {
        pane.pty.write(part.to_vec()).unwrap();
    }
    pane.exit();
    let sum = std::process::Command::new("sh")
        .args(["-c", "awk 'BEGIN{for(n=0;n<300000;n++)printf \"%c\",97+n%23}' | md5sum"])
        .output()
        .unwrap();
    let wanted = String::from_utf8(sum.stdout).unwrap();
    assert!(pane.text().contains(wanted.split(' ').next().unwrap()), "{}", pane.text());
}

#[test]
fn a_command_that_does_not_exist_is_named_with_where_it_was_looked_for() {
    let directory = tempfile::tempdir().unwrap();
    let error = |argv: &[&str], cwd: &Path| spawn(spec(argv, cwd)).unwrap_err().to_string();
    assert_eq!(
        error(&["no-such-agent"], directory.path()),
        "`no-such-agent` was not found: no such program in PATH (/usr/local/bin:/usr/bin:/bin)"
    );
    assert!(error(&["./missing"], directory.path()).starts_with("`./missing` was not found: No such file"));
    std::fs::write(directory.path().join("text"), "x").unwrap();
    assert!(error(&["./text"], directory.path()).contains("is not executable"));
    assert!(error(&["sh"], &directory.path().join("gone")).ends_with("gone` does not exist"));
    assert_eq!(error(&[], directory.path()), "no command given");
}

#[test]
fn the_foreground_group_is_known() {
    let pane = Pane::sh("echo pid=$$; read _; sh -c 'echo up; sleep 60'");
    assert_eq!(pane.pid("pid"), pane.pty.pid());
    pane.until("group", |_, _| (pane.pty.foreground_pgid() == Some(pane.pty.pid())).then_some(()));
}

#[test]
fn stopping_is_polite_first() {
    let pane = Pane::sh("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    pane.until_text("ready");
    let stopped = pane.stop(PATIENCE);
    assert_eq!(stopped, processes::Stopped::default());
    assert_eq!(pane.exit(), ExitStatus { code: Some(0), signal: None });
    assert!(pane.text().contains("bye"));
}

#[test]
fn nothing_survives_a_stop_however_it_detached_itself() {
    let pane = Pane::sh(
        "(trap '' HUP TERM; echo stubborn=$(sh -c 'echo $PPID'); while :; do sleep 0.05; done) &
         setsid sh -c 'echo detached=$$; exec sleep 1000' &
         setsid -f sh -c 'echo orphan=$$; exec sleep 1000'
         nohup sleep 1000 >/dev/null 2>&1 & echo hup=$!
         wait",
    );
    let pids = ["stubborn", "detached", "orphan", "hup"].map(|name| pane.pid(name));
    assert!(pids.iter().all(|pid| lives(*pid)), "{pids:?}");
    assert!(processes::descendants(pane.pty.pid()).contains(&pids[1]));
    let stopped = pane.stop(Duration::from_millis(200));
    assert_eq!(stopped.left, Vec::<i32>::new());
    assert!(stopped.killed.contains(&pids[0]), "{stopped:?}");
    assert!(!pids.iter().any(|pid| lives(*pid)), "{pids:?}");
    pane.exit();
}

#[test]
fn what_outlives_its_leader_is_found_by_its_mark() {
    let pane = Pane::sh("setsid -f sh -c 'echo orphan=$$; exec sleep 1000'; read _");
    let orphan = pane.pid("orphan");
    pane.pty.write(b"\r".to_vec()).unwrap();
    pane.exit();
    assert!(lives(orphan));
    assert_eq!(pane.stop(PATIENCE).left, Vec::<i32>::new());
    assert!(!lives(orphan));
}

#[test]
fn a_paste_that_is_not_read_waits_and_can_be_taken_back() {
    let slept = Pane::sh("stty raw -echo; echo ready; sleep 60");
    slept.until_text("ready");
    let paste = [b"\x1b[200~", &vec![b'x'; 10_000_000][..], b"\x1b[201~"].concat();
    slept.pty.paste(&paste).unwrap();
    assert!(slept.pty.waiting() > 9_000_000);
    slept.pty.write(b"typed behind it".to_vec()).unwrap();
    slept.pty.paste(&paste).unwrap();
    slept.pty.paste(&paste).unwrap();
    assert_eq!(slept.pty.paste(&paste), Err(QueueFull));
    let waited = slept.pty.waiting();
    assert_eq!(slept.pty.take_back(), waited);
    // The program has the beginning of the first paste.
    let queue = lock(&slept.pty.shared.queue);
    assert_eq!(&queue.bytes[queue.written..], b"\x1b[201~");
    drop(queue);
    assert_eq!(slept.pty.take_back(), 6);
}

#[test]
fn dropping_the_handle_types_nothing_into_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut spec =
        spec(&["sh", "-c", "trap 'exit 0' HUP; read line; echo \"got $line\" > out"], directory.path());
    spec.env.push(("LC_ALL".into(), "C".into()));
    let pty = spawn(spec).unwrap();
    let pid = pty.pid();
    pty.write(b"draft".to_vec()).unwrap();
    let child = rustix::process::Pid::from_raw(pid);
    drop(pty);
    rustix::process::waitpid(child, rustix::process::WaitOptions::empty()).unwrap();
    assert!(!out.exists(), "the draft of {pid} was submitted");
}

#[test]
fn what_bursts_and_pauses_bring_stays_in_order() {
    // Each burst makes the pane a busy one, each pause a quiet one again: its reading moves between threads.
    let bursts = 12;
    let pane = Pane::sh(&format!(
        "i=0; while [ $i -lt {bursts} ]; do head -c 90000 /dev/zero | tr '\\0' '\\r'; echo \"#$i\"; \
         sleep 0.05; printf 'then %s\\n' $i; i=$((i+1)); done"
    ));
    pane.exit();
    let text = pane.text();
    let wanted: Vec<String> = (0..bursts).flat_map(|i| [format!("#{i}"), format!("then {i}")]).collect();
    assert_eq!(text.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>(), wanted);
}
