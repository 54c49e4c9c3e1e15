//! The gateway from outside: what a harness may ask of it, and what others may not.
use crate::{common::*, steps::*};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// What a harness was told about the gateway.
pub struct Door {
    address: String,
    token: String,
}

impl Door {
    /// As the stand-in for `claude` found it in its environment.
    pub fn new(sandbox: &Sandbox) -> Self {
        let env = stub_env(sandbox, "claude");
        let address = env["ANTHROPIC_BASE_URL"].strip_prefix("http://").unwrap().split('/').next().unwrap();
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        Self { address: address.to_owned(), token: env["ANTHROPIC_AUTH_TOKEN"].clone() }
    }

    /// As the stand-in for `codex` found it in its settings.
    pub fn of_codex(sandbox: &Sandbox) -> Self {
        let config = stub_env(sandbox, "codex")["CODEX_HOME"].clone() + "/config.toml";
        let config = std::fs::read_to_string(config).unwrap();
        let value = |key: &str| {
            let line = config
                .lines()
                .find_map(|line| line.trim().strip_prefix(key))
                .unwrap_or_else(|| panic!("{config}"));
            line.trim_start_matches([' ', '=']).trim_matches('"').to_owned()
        };
        let address = value("base_url").trim_start_matches("http://").split('/').next().unwrap().to_owned();
        Self { address, token: value("experimental_bearer_token") }
    }

    /// Sends a request and returns status and body.
    fn ask(&self, method: &str, path: &str, token: &str, host: &str, body: &Value) -> (u16, String) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        // Version 1.0 has neither chunks nor a connection to be kept.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: \
             application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.unwrap_or_else(|| panic!("{head:?}")), body.to_owned())
    }

    /// Sends a request that the server need not live to answer.
    pub fn try_post(&self, path: &str, body: &Value) {
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return };
        let Self { address, token } = self;
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: \
             application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(head.as_bytes()).is_ok() {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }

    /// Sends a request as the harness would.
    pub fn post(&self, path: &str, body: &Value) -> (u16, String) {
        self.ask("POST", path, &self.token, &self.address, body)
    }
}

/// Has the stand-in for `claude` take a turn, as its CLI would; a session without one is never resumed.
pub fn take_a_turn(sandbox: &Sandbox) {
    let body = json!({
        "model": "claude-sonnet-4-6", "max_tokens": 100,
        "messages": [{ "role": "user", "content": "what is here?" }],
        "tools": [{ "name": "Bash", "input_schema": { "type": "object" } }],
    });
    let (status, answer) = Door::new(sandbox).post("/v1/messages", &body);
    assert_eq!(status, 200, "{answer}");
    // What was said is on disk when the turn has ended.
    let key = panes(sandbox)[0]["key"].as_str().unwrap().to_owned();
    wait_for_path(&sandbox.state_dir().join("panes").join(key).join("conversation.json"));
}

#[test]
fn only_a_panes_token_and_our_own_host_open_the_gateway() {
    let sandbox = Sandbox::new();
    let pane = stub_session(&sandbox, "claude");
    let door = Door::new(&sandbox);
    let models = |token: &str, host: &str| door.ask("GET", "/v1/models", token, host, &Value::Null);
    let (status, body) = models(&door.token, &door.address);
    assert_eq!(status, 200, "{body}");
    let listed: Value = serde_json::from_str(&body).unwrap();
    assert!(listed["data"].as_array().is_some_and(|models| !models.is_empty()), "{listed}");
    for token in ["", "wrong", &door.token[1..], &format!("{}0", door.token)] {
        let (status, body) = models(token, &door.address);
        assert_eq!(status, 401, "{token:?}: {body}");
        assert!(!body.contains(&door.token));
    }
    let port = door.address.rsplit_once(':').unwrap().1;
    for host in ["evil.invalid", &format!("evil.invalid:{port}"), "127.0.0.1", ""] {
        assert_eq!(models(&door.token, host).0, 403, "{host:?}");
    }
    assert_eq!(models(&door.token, &format!("localhost:{port}")).0, 200);

    // The token is in the environment or a private file, never where every process of the machine reads it.
    for process in sandbox.processes() {
        let line = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(&door.token), "{process:?}");
    }
    let key = panes(&sandbox)[0]["key"].as_str().unwrap().to_owned();
    private_below(&sandbox.state_dir().join("panes").join(key), &door.token);

    // It goes with its pane.
    sandbox.inspan(&["split-window", "-t", &pane, "--", "sh"]).ok();
    sandbox.inspan(&["kill-pane", "-t", &pane]).ok();
    assert_eq!(models(&door.token, &door.address).0, 401);
}

/// Asserts that whatever holds `secret` below `dir` can be read by its owner alone.
fn private_below(dir: &std::path::Path, secret: &str) {
    let mut found = 0;
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                open.push(entry.path());
            } else if std::fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(secret)) {
                let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions());
                assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
                found += 1;
            }
        }
    }
    assert!(found > 0, "no file holds it; then this looks in the wrong place");
}

#[test]
fn rehearsal_answers_in_all_four_dialects_and_the_ledger_counts() {
    let sandbox = Sandbox::new();
    stub_session(&sandbox, "claude");
    let door = Door::new(&sandbox);
    let prompt = "[[say: heard at rehearsal]]";
    let message = json!([{ "role": "user", "content": prompt }]);
    let tools = json!([{ "name": "Bash", "input_schema": { "type": "object" } }]);
    let model = "claude-sonnet-4-6";
    let calls = [
        ("/v1/messages", json!({ "model": model, "max_tokens": 100, "messages": message, "tools": tools })),
        ("/v1/chat/completions", json!({ "model": model, "messages": message })),
        ("/v1/responses", json!({ "model": model, "input": prompt })),
        (
            "/v1beta/models/gemini-3.1-pro:generateContent",
            json!({ "contents": [{ "role": "user", "parts": [{ "text": prompt }] }] }),
        ),
    ];
    for (path, body) in &calls {
        let (status, answer) = door.post(path, body);
        assert_eq!(status, 200, "{path}: {answer}");
        let answer: Value =
            serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"));
        let text = match *path {
            "/v1/messages" => &answer["content"][0]["text"],
            "/v1/chat/completions" => &answer["choices"][0]["message"]["content"],
            "/v1/responses" => {
                let output = answer["output"].as_array().unwrap();
                &output.iter().find(|item| item["type"] == "message").unwrap()["content"][0]["text"]
            }
            _ => &answer["candidates"][0]["content"]["parts"][0]["text"],
        };
        assert!(text.as_str().is_some_and(|text| !text.is_empty()), "{path}: {answer}");
        if *path == "/v1/messages" {
            assert!(text.as_str().unwrap().contains("heard at rehearsal"), "{answer}");
        }
        let mut stream = body.clone();
        stream["stream"] = true.into();
        let path = path.replace(":generateContent", ":streamGenerateContent?alt=sse");
        let (status, answer) = door.post(&path, &stream);
        assert_eq!(status, 200, "{path}: {answer}");
        assert!(answer.lines().any(|line| line.starts_with("data:")), "{path}: {answer}");
    }
    let usage = sandbox.wait_json("every request is in the ledger", &["usage", "--by", "pane"], |rows| {
        rows[0]["requests"] == 2 * calls.len()
    });
    assert!(usage[0]["input"].as_u64().unwrap() > 0 && usage[0]["output"].as_u64().unwrap() > 0, "{usage}");
    assert_eq!(usage[0]["key"], panes(&sandbox)[0]["id"]);

    let (status, answer) = door.post(
        "/v1/messages",
        &json!({ "model": model, "max_tokens": 100, "tools": tools,
        "messages": [{ "role": "user", "content": "[[fail: 529 x1]]" }] }),
    );
    assert_eq!(status, 529, "{answer}");
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["type"], "error");
    let (status, answer) = door.ask("POST", "/v1/nothing", &door.token, &door.address, &json!({}));
    assert_eq!(status, 404, "{answer}");
}

#[test]
fn a_switch_is_told_before_it_happens() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "codex");
    let pane = stub_session(&sandbox, "claude");
    let listed = panes(&sandbox);
    assert_eq!((&listed[0]["executor"], &listed[0]["rehearse"]), (&json!("claude"), &json!(true)));
    assert_eq!(listed[0]["provider"], "rehearsal");
    let before = panes(&sandbox)[0]["pid"].clone();
    let told = sandbox.json(&["switch", "-t", &pane, "--executor", "codex", "--dry-run"]);
    assert!(told.to_string().contains("codex"), "{told}");
    let refused = sandbox.inspan(&["switch", "-t", &pane, "--executor", "nobody", "--dry-run", "--json"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    let refusal: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert!(refusal["refusal"]["rule"].is_string(), "{refusal}");
    assert_eq!(panes(&sandbox)[0]["pid"], before, "nothing was stopped");
    let route = sandbox.json(&["route", "-t", &pane]);
    assert!(route.to_string().contains("rehearsal"), "{route}");
}

#[test]
fn a_switch_and_the_way_back() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "codex");
    let pane = stub_session(&sandbox, "claude");
    take_a_turn(&sandbox);
    let first = panes(&sandbox)[0]["native_session"].clone();
    let tree = || {
        sandbox.run_in(&sandbox.path("shop"), "git", &["status", "--porcelain", "--branch"]).ok().to_owned()
    };
    sandbox.write("shop/draft.txt", "unsaved\n");
    let before = tree();
    sandbox.inspan(&["switch", "-t", &pane, "--executor", "codex", "--handoff", "none", "--yes"]).ok();
    wait_for_capture(&sandbox, &pane, "codex> ");
    let now = panes(&sandbox);
    assert_eq!((now.len(), &now[0]["id"], &now[0]["executor"]), (1, &json!(pane), &json!("codex")));
    assert_eq!(tree(), before);
    let kept = sandbox.inspan_in(&sandbox.path("shop"), &["checkpoints", "--json"]);
    assert!(kept.ok().contains("refs/inspan") || kept.ok().contains("commit"), "{kept:?}");
    sandbox.inspan(&["switch", "-t", &pane, "--executor", "claude", "--handoff", "none", "--yes"]).ok();
    wait_for_capture(&sandbox, &pane, "claude> ");
    assert_eq!(panes(&sandbox)[0]["native_session"], first, "the parked session is resumed");
    assert_eq!(tree(), before);
}

#[test]
fn the_next_harness_is_told_what_went_before() {
    let sandbox = Sandbox::new();
    stub_cli(&sandbox, "claude");
    let pane = stub_session(&sandbox, "codex");
    let codex = Door::of_codex(&sandbox);
    let request = "make the totals of the cart right";
    let item =
        json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": request }] });
    let tools = json!([{ "type": "function", "name": "exec_command", "parameters": { "type": "object" } }]);
    let (status, answer) = codex.post(
        "/v1/responses",
        &json!({ "model": "gpt-5.4", "input": [item], "tools": tools, "stream": true }),
    );
    assert_eq!(status, 200, "{answer}");
    sandbox.wait_json("the request was counted", &["list-panes"], |panes| panes[0]["requests"] == 1);

    std::thread::scope(|scope| {
        let switch =
            scope.spawn(|| sandbox.inspan(&["switch", "-t", &pane, "--executor", "claude", "--yes"]));
        let args = sandbox.path("home/claude.args");
        wait_for_path(&args);
        wait_for_capture(&sandbox, &pane, "claude> ");
        let told = std::fs::read_to_string(&args).unwrap();
        assert!(told.contains(request), "{told}");
        assert!(told.contains("main"), "the branch is named: {told}");
        // The handoff counts as delivered with the first request of the next harness.
        let tools = json!([{ "name": "Bash", "input_schema": { "type": "object" } }]);
        let messages = json!([{ "role": "user", "content": told }]);
        let body =
            json!({ "model": "claude-sonnet-4-6", "max_tokens": 9, "messages": messages, "tools": tools });
        assert_eq!(Door::new(&sandbox).post("/v1/messages", &body).0, 200);
        switch.join().unwrap().ok();
    });
    assert_eq!(codex.post("/v1/responses", &json!({ "model": "gpt-5.4", "input": "again" })).0, 401);
}
