//! Typed control beside a vendor's TUI: a stand-in for Codex, whose app-server is a thread of the test.
use crate::{common::*, steps::*};
use serde_json::{Value, json};
use std::{
    os::unix::net::{UnixListener, UnixStream},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

const THREAD: &str = "01a1f99b-3181-7613-8915-981c1ee5d76d";

/// The TUI says at once that it takes prompts; the app-server is the test's, by a link.
const CODEX: &str = r#"case $1 in --version) echo codex-cli 9.9.9; exit;; --help) exit;;
app-server) for word; do at=${word#unix://}; done; ln -s "$HOME/far" "$at"; exec sleep 1000;; esac
printf '%s\n' "$@" >"$HOME/codex.args"
printf '\033]7501;state=idle:app=codex\007the tui\n'
while IFS= read -r line; do echo "heard $line"; done"#;

/// The app-server's side.
struct Far {
    heard: Arc<Mutex<Vec<Value>>>,
    say: mpsc::Sender<Option<Value>>,
}

impl Far {
    fn new(sandbox: &Sandbox) -> Self {
        let listener = UnixListener::bind(sandbox.path("home/far")).unwrap();
        let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (say, said) = mpsc::channel();
        let kept = heard.clone();
        std::thread::spawn(move || {
            // Who only looks whether somebody listens hangs up at once.
            let clients = listener.incoming().flatten().filter_map(|stream| tungstenite::accept(stream).ok());
            for client in clients {
                if !serve(client, &kept, &said) {
                    break;
                }
            }
        });
        Self { heard, say }
    }

    fn say(&self, message: Value) {
        self.say.send(Some(message)).unwrap();
    }

    /// What was asked of it under a name, or answered.
    fn wait_for(&self, name: &str, mut condition: impl FnMut(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            let heard = self.heard.lock().unwrap().clone();
            if let Some(found) = heard.into_iter().find(|message| condition(message)) {
                return found;
            }
            let late = std::time::Instant::now() >= deadline;
            assert!(!late, "waiting for {name}: {:?}", self.heard.lock().unwrap());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn wait_for_method(&self, method: &str) -> Value {
        self.wait_for(method, |message| message["method"] == method)
    }

    fn status(&self, kind: &str) {
        let status = json!({ "type": kind, "activeFlags": [] });
        self.say(
            json!({ "method": "thread/status/changed", "params": { "threadId": THREAD, "status": status } }),
        );
    }

    /// Asks whether a command may run, as the app-server does in the middle of a turn.
    fn asks(&self, id: u64, command: &str) {
        self.say(json!({
            "id": id, "method": "item/commandExecution/requestApproval",
            "params": { "threadId": THREAD, "turnId": "t1", "itemId": "c1", "reason": "it leaves the sandbox",
                "commandActions": [{ "command": command }] },
        }));
    }

    fn resolved(&self, id: u64) {
        self.say(json!({
            "method": "serverRequest/resolved", "params": { "threadId": THREAD, "requestId": id },
        }));
    }

    fn completed(&self) {
        let turn = json!({ "id": "t1", "status": "completed", "error": null });
        self.say(json!({ "method": "turn/completed", "params": { "threadId": THREAD, "turn": turn } }));
    }
}

/// Answers what a client asks, and says what the test wants said; `None` hangs up. Whether the client left by itself.
fn serve(
    mut client: WebSocket<UnixStream>,
    heard: &Mutex<Vec<Value>>,
    said: &mpsc::Receiver<Option<Value>>,
) -> bool {
    client.get_ref().set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    loop {
        match said.try_recv() {
            Ok(Some(message)) => client.send(Message::text(message.to_string())).unwrap(),
            Ok(None) | Err(mpsc::TryRecvError::Disconnected) => return false,
            Err(mpsc::TryRecvError::Empty) => {}
        }
        let message = match client.read() {
            Ok(message) => message,
            Err(tungstenite::Error::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return true,
        };
        let Ok(message) = serde_json::from_str::<Value>(message.to_text().unwrap_or_default()) else {
            continue;
        };
        let result = match message["method"].as_str() {
            Some("thread/loaded/list") => json!({ "data": [] }),
            Some("thread/resume") => {
                let thread = json!({ "id": THREAD, "threadSource": "user", "status": { "type": "active" } });
                json!({ "thread": thread, "model": "gpt-5.4" })
            }
            _ => json!({}),
        };
        let id = message["id"].clone();
        let asks = message["method"].is_string() && !id.is_null();
        heard.lock().unwrap().push(message);
        if asks {
            client.send(Message::text(json!({ "id": id, "result": result }).to_string())).unwrap();
        }
    }
}

/// A Codex on rehearsal whose client has said hello.
fn scene(sandbox: &Sandbox) -> (Far, String) {
    sandbox.stub("codex", CODEX);
    let far = Far::new(sandbox);
    let dir = sandbox.repository("shop");
    let new = ["new-session", "-d", "-s", "work", "-c", dir.to_str().unwrap(), "-x", "120", "-y", "30"];
    let harness = ["--executor", "codex", "--rehearse"];
    let pane = sandbox.inspan(&[&new[..], &harness].concat()).ok().to_owned();
    far.wait_for_method("thread/loaded/list");
    let thread = json!({ "id": THREAD, "threadSource": "user", "ephemeral": false, "model": "gpt-5.4" });
    far.say(json!({ "method": "thread/started", "params": { "thread": thread } }));
    (far, pane)
}

fn wait_for_status(sandbox: &Sandbox, wanted: &str) -> Value {
    let explained = sandbox.wait_json(&format!("it is {wanted}"), &["explain", "-t", "work"], |said| {
        said["status"] == wanted && said["source"] == "protocol"
    });
    assert_eq!(explained["control"], "typed control is on");
    explained
}

#[test]
fn a_question_of_the_protocol_is_approved_or_denied_by_verb_and_by_key() {
    let sandbox = Sandbox::new();
    let (far, pane) = scene(&sandbox);
    wait_for_status(&sandbox, "idle");
    let args = std::fs::read_to_string(sandbox.path("home/codex.args")).unwrap();
    assert!(args.starts_with("--remote\nunix://") && !args.contains("--no-daemon"), "{args}");
    assert!(sandbox.inspan(&["approve", "-t", &pane]).fails(3).contains("asks nothing"));

    far.status("active");
    wait_for_status(&sandbox, "working");
    far.wait_for_method("thread/resume");
    far.asks(0, "touch /outside");
    let asked = wait_for_status(&sandbox, "needs-you");
    assert_eq!(asked["detail"], "run touch /outside · it leaves the sandbox");
    let refused = sandbox.inspan(&["prompt", "-t", &pane, "and now?"]);
    assert!(refused.fails(3).contains(&format!("inspan approve -t {pane}")));
    assert!(sandbox.inspan(&["approve", "-t", &pane]).ok().contains("approved: run touch /outside"));
    far.wait_for("the approval", |m| m["id"] == 0 && m["result"] == json!({ "decision": "accept" }));
    far.resolved(0);
    wait_for_status(&sandbox, "working");

    let terminal = sandbox.attach(120, 30, &["attach", "-t", "work"]);
    far.asks(7, "rm -r /outside");
    terminal.wait_for("run rm -r /outside");
    terminal.wait_for("C-Space y approve · C-Space N deny");
    // A key that came with the question was meant for something else; pressed again, it is meant.
    let denied = |m: &Value| m["id"] == 7 && m["result"] == json!({ "decision": "decline" });
    let deadline = std::time::Instant::now() + DEADLINE;
    while !far.heard.lock().unwrap().iter().any(denied) {
        assert!(std::time::Instant::now() < deadline, "the denial was not taken:\n{}", terminal.screen());
        terminal.keys("C-Space N");
        std::thread::park_timeout(Duration::from_millis(200));
    }
    far.resolved(7);
    far.completed();
    wait_for_status(&sandbox, "idle");
    terminal.wait_for_no("C-Space N deny");
    let route = sandbox.json(&["route", "-t", "work"]);
    assert_eq!(route["session"], THREAD);
}

#[test]
fn prompts_interruptions_and_models_go_to_the_thread() {
    let sandbox = Sandbox::new();
    let (far, pane) = scene(&sandbox);
    wait_for_status(&sandbox, "idle");
    sandbox.inspan(&["prompt", "-t", &pane, "count the files"]).ok();
    let prompt = far.wait_for_method("turn/start");
    assert_eq!(
        (&prompt["params"]["threadId"], &prompt["params"]["input"][0]["text"]),
        (&json!(THREAD), &json!("count the files"))
    );
    far.status("active");
    wait_for_status(&sandbox, "working");
    // One that comes during the turn waits for its end.
    sandbox.inspan(&["prompt", "-t", &pane, "and then stop"]).ok();
    far.say(json!({ "method": "turn/started", "params": { "threadId": THREAD, "turn": { "id": "t1" } } }));
    far.wait_for_method("thread/resume");
    sandbox.wait_output("the turn is interrupted", &["interrupt", "-t", &pane], |said| said.code == 0);
    let stopped = far.wait_for_method("turn/interrupt");
    assert_eq!(stopped["params"], json!({ "threadId": THREAD, "turnId": "t1" }));
    far.completed();
    far.wait_for("the prompt that waited", |m| {
        m["method"] == "turn/start" && m["params"]["input"][0]["text"] == "and then stop"
    });
    assert!(sandbox.inspan(&["model", "-t", &pane, "gpt-5.3-codex"]).ok().contains("no restart"));
    let model = far.wait_for_method("thread/settings/update");
    assert_eq!(model["params"], json!({ "threadId": THREAD, "model": "gpt-5.3-codex" }));
    let shown = sandbox.inspan(&["capture-pane", "-p", "-t", &pane]);
    assert!(shown.ok().contains("the tui") && !shown.ok().contains("heard"), "nothing was typed: {shown:?}");
}

#[test]
fn an_app_server_that_ends_leaves_a_card_and_nothing_behind() {
    let sandbox = Sandbox::new();
    let (far, pane) = scene(&sandbox);
    wait_for_status(&sandbox, "idle");
    let beside =
        |sandbox: &Sandbox| sandbox.processes().into_iter().filter(|p| p.argv == ["sleep", "1000"]).count();
    assert_eq!(beside(&sandbox), 1);
    far.say.send(None).unwrap();
    wait_for_capture(&sandbox, &pane, "the tui");
    let exited =
        sandbox.wait_json("the card is up", &["explain", "-t", "work"], |said| said["status"] == "exited");
    assert!(exited["detail"].as_str().unwrap().contains("app-server ended"), "{exited}");
    sandbox.wait_output("its processes are gone", &["list-panes"], |_| beside(&sandbox) == 0);
    let terminal = sandbox.attach(120, 30, &["attach", "-t", "work"]);
    terminal.wait_for("r goes on with it");
}

#[test]
fn a_restarted_server_speaks_on_with_the_thread() {
    let sandbox = Sandbox::new();
    let (far, pane) = scene(&sandbox);
    wait_for_status(&sandbox, "idle");
    far.heard.lock().unwrap().clear();
    sandbox.inspan(&["restart-server"]).ok();
    let resumed = far.wait_for_method("thread/resume");
    assert_eq!(resumed["params"]["threadId"], THREAD);
    wait_for_status(&sandbox, "working");
    far.asks(3, "touch /outside");
    wait_for_status(&sandbox, "needs-you");
    sandbox.inspan(&["approve", "-t", &pane]).ok();
    far.wait_for("the approval", |m| m["id"] == 3 && m["result"] == json!({ "decision": "accept" }));
}

#[test]
fn without_an_app_server_it_runs_as_it_always_did() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "codex");
    let args = std::fs::read_to_string(sandbox.path("home/codex.args")).unwrap();
    assert!(args.starts_with("--no-daemon"), "{args}");
    sandbox.wait_json("typed control is given up", &["explain", "-t", "work"], |said| {
        said["control"] == "no typed control: no app-server listens beside it"
    });
    let refused = sandbox.inspan(&["approve", "-t", &pane]);
    assert!(refused.fails(3).contains("send-keys"), "{refused:?}");
    let plain = Sandbox::new();
    plain.config("[executors.codex]\ncontrol = false\n");
    stub_session(&plain, "codex");
    assert_eq!(plain.json(&["explain", "-t", "work"])["control"], Value::Null);
}
