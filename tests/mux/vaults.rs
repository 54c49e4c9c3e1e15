//! Vaults from outside: what they take, whom they select, who pays, and that no key is found anywhere.
use crate::{common::*, steps::*};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// Keys that must be found nowhere but where they were put.
const FIRST: &str = "sk-canary-first-0123456789abcdef";
const SECOND: &str = "sk-canary-second-0123456789abcdef";

/// A model provider: refuses the first key as limited, answers the second one.
struct Upstream {
    address: String,
    /// The credential of each request and its head, in order.
    seen: Arc<Mutex<Vec<(String, String)>>>,
    ends: Arc<AtomicBool>,
}

impl Upstream {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (seen, ends) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let upstream = Self { address, seen: Arc::clone(&seen), ends: Arc::clone(&ends) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                serve(stream, &seen);
            }
        });
        upstream
    }

    fn keys(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(key, _)| key.clone()).collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
    }
}

/// Answers one request and closes the connection.
fn serve(stream: TcpStream, seen: &Mutex<Vec<(String, String)>>) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length, mut key) = (String::new(), 0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        for name in ["authorization: bearer ", "x-api-key: "] {
            if lower.starts_with(name) {
                key = line[name.len()..].trim().to_owned();
            }
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let limited = key == FIRST;
    seen.lock().unwrap().push((key, head.clone()));
    let (status, more, answer) = match () {
        () if limited => (
            "429 Too Many Requests",
            "Retry-After: 3600\r\n",
            // An upstream that repeats the key must not bring it back into the house.
            json!({ "type": "error", "error": { "type": "rate_limit_error", "message": format!("{FIRST} is limited") } }),
        ),
        () if head.starts_with("GET") => ("200 OK", "", json!({ "data": [] })),
        () => (
            "200 OK",
            "",
            json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
                "content": [{ "type": "text", "text": "served" }], "stop_reason": "end_turn", "stop_sequence": null,
                "usage": { "input_tokens": 3, "output_tokens": 2 },
            }),
        ),
    };
    let body = answer.to_string();
    let _ = write!(
        reader.get_mut(),
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n{more}Content-Length: \
         {}\r\n\r\n{body}",
        body.len()
    );
}

/// Sends a Messages request as the stand-in for `claude` would, and returns status and answer.
fn ask(env: &BTreeMap<String, String>) -> (u16, String) {
    let address = env["ANTHROPIC_BASE_URL"].strip_prefix("http://").unwrap().split('/').next().unwrap();
    let body = json!({
        "model": "claude-sonnet-4-6", "max_tokens": 100, "messages": [{ "role": "user", "content": "hello" }],
        "tools": [{ "name": "Bash", "input_schema": { "type": "object" } }],
    })
    .to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(
        stream,
        "POST /v1/messages HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        env["ANTHROPIC_AUTH_TOKEN"],
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.unwrap_or_else(|| panic!("{answer:?}")), answer)
}

/// Runs `inspan` with something on its standard input.
fn with_input(sandbox: &Sandbox, args: &[&str], input: &str) -> (i32, String) {
    let mut command = sandbox.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap_or(-1), text)
}

/// Every file below `dir` that holds `secret`.
fn holders(dir: &Path, secret: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let Ok(meta) = fs::symlink_metadata(entry.path()) else { continue };
            if meta.is_dir() {
                open.push(entry.path());
            } else if meta.is_file() {
                let bytes = fs::read(entry.path()).unwrap_or_default();
                if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                    found.push(entry.path().display().to_string());
                }
            }
        }
    }
    found
}

/// The processes of the sandbox in whose environment or command line `secret` stands.
fn exposed(sandbox: &Sandbox, secret: &str) -> Vec<String> {
    let holds = |process: &Process| {
        ["environ", "cmdline"].iter().any(|file| {
            let bytes = fs::read(format!("/proc/{}/{file}", process.pid)).unwrap_or_default();
            bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
        })
    };
    sandbox
        .processes()
        .iter()
        .filter(|process| holds(process))
        .map(|process| format!("{process:?}"))
        .collect()
}

#[test]
fn two_keys_take_turns_and_neither_is_found_anywhere() {
    let upstream = Upstream::new();
    let mut sandbox = Sandbox::new();
    stub_cli(&sandbox, "claude");
    sandbox.set_env("TEAM_KEY", Some(FIRST));
    sandbox.set_env("SAME_AS_TEAM", Some(FIRST));
    let dir = sandbox.repository("shop");
    let add = [
        "vault",
        "add",
        "team",
        "--engine",
        "claude",
        "--base-url",
        &upstream.address,
        "--dialect",
        "messages",
    ];
    sandbox.inspan(&[&add[..], &["--credential", "env:TEAM_KEY"]].concat()).ok();
    let (code, text) =
        with_input(&sandbox, &["vault", "add", "team", "--credential", "-"], &format!("{SECOND}\n"));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("2 credentials"), "{text}");

    let new = ["new-session", "-d", "-s", "work", "-c", dir.to_str().unwrap(), "--vault", "team", "--trust"];
    let refused = sandbox.inspan(&new).fails(2).to_owned();
    assert!(refused.contains("--executor"), "{refused}");
    let pane = sandbox.inspan(&new[..new.len() - 1]).ok().to_owned();
    wait_for_capture(&sandbox, &pane, "claude> ");
    let route = sandbox.json(&["route", "-t", &pane, "--json"]);
    assert_eq!(
        (&route["route"]["auth"], &route["route"]["step"]),
        (&json!("credits"), &json!("vault")),
        "{route}"
    );
    assert_eq!(route["route"]["credential"], json!("vault:team"));

    let env = stub_env(&sandbox, "claude");
    assert_eq!(env["INSPAN_VAULT"], "team");
    let (status, answer) = ask(&env);
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("served"), "{answer}");
    assert_eq!(upstream.keys(), [FIRST, SECOND], "the first is limited, the second answers");
    assert_eq!(ask(&env).0, 200);
    assert_eq!(upstream.keys().last().map(String::as_str), Some(SECOND), "the session stays with it");
    let heads = upstream.seen.lock().unwrap().iter().map(|(_, head)| head.clone()).collect::<String>();
    assert!(!heads.contains(&env["ANTHROPIC_AUTH_TOKEN"]), "the pane's token stays in the house");

    let route = sandbox.inspan(&["route", "-t", &pane]).ok().to_owned();
    assert!(route.contains("chosen by: vault") && route.contains("team"), "{route}");
    let limited = route.lines().find(|line| line.contains("TEAM_KEY")).unwrap_or_default();
    assert!(limited.contains("rests") && limited.contains("rate limited"), "{route}");

    let keys = panes(&sandbox)[0]["keys"].clone();
    assert_eq!((&keys[0]["trouble"], &keys[1]["trouble"]), (&json!("rate limited"), &Value::Null), "{keys}");
    let terminal = sandbox.attach(120, 40, &["attach"]);
    terminal.wait_for("claude>");
    terminal.keys("C-Space r");
    terminal.wait_for("1 of 2 keys ready");
    terminal.wait_for("TEAM_KEY rate limited");
    // The oldest request is the last row; it was tried twice.
    terminal.wait_for("3→2 ×2");
    terminal.keys("End Enter");
    terminal.wait_for("attempts    2");
    drop(terminal);

    // The ledger names references, the journal the change from one to the other.
    sandbox.wait_output("the change is an event", &["events", "-n", "200", "--json"], |output| {
        output.stdout.contains("env:TEAM_KEY") && output.stdout.contains("stored:team/1")
    });
    let listed = sandbox.inspan(&["vault", "list"]).ok().to_owned();
    assert!(listed.contains("…cdef") && !listed.contains("9abcdef"), "{listed}");
    let printed: Vec<Vec<&str>> = vec![
        vec!["vault", "list", "--json"],
        vec!["vault", "test", "team", "--offline"],
        vec!["route", "-t", &pane, "--json"],
        vec!["events", "-n", "500", "--json"],
        vec!["usage", "--json"],
        vec!["list-panes", "--json"],
        vec!["files"],
        vec!["config", "show"],
        vec!["plan", "--executor", "claude", "--json"],
    ];
    for args in printed {
        let output = sandbox.inspan(&args);
        let printed = output.stdout + &output.stderr;
        assert!(!printed.contains(FIRST) && !printed.contains(SECOND), "{args:?}");
    }

    let vault = sandbox.path("data/inspan/vault.toml").display().to_string();
    assert_eq!(fs::metadata(&vault).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(holders(sandbox.root(), FIRST), Vec::<String>::new());
    assert_eq!(holders(sandbox.root(), SECOND), [vault], "and nowhere else");
    for secret in [FIRST, SECOND] {
        assert_eq!(exposed(&sandbox, secret), Vec::<String>::new());
    }
    // The instrument works: where the person's own shell runs, the variable is seen.
    let shell = sandbox.inspan(&["split-window", "-t", &pane, "--", "sh"]).ok().to_owned();
    type_line(&sandbox, &shell, "echo \"$TEAM_KEY\" is mine");
    wait_for_capture(&sandbox, &shell, &format!("{FIRST} is mine"));
    let shells: Vec<i32> =
        panes(&sandbox).iter().filter(|row| row["id"] == shell.as_str()).map(pid).collect();
    let seen = exposed(&sandbox, FIRST);
    assert!(seen.len() == 1 && seen[0].contains(&format!("pid: {}", shells[0])), "{seen:?}");
    sandbox.inspan(&["kill-pane", "-t", &shell]).ok();

    // Removed under a running pane: a mark, and a refusal that says why.
    sandbox.inspan(&["vault", "remove", "team"]).ok();
    sandbox.wait_json("the pane has a mark", &["list-panes", "--json"], |rows| {
        list(rows)[0]["notes"].to_string().contains("credential removed")
    });
    let (status, answer) = ask(&env);
    assert_eq!(status, 403, "{answer}");
    assert!(answer.contains("team"), "{answer}");
}

#[test]
fn what_is_wrong_with_a_vault_has_a_name_and_an_exit_code() {
    let mut sandbox = Sandbox::new();
    sandbox.set_env("TEAM_KEY", Some(FIRST));
    let key = sandbox.write("home/open-key", SECOND);
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let add = |args: &[&str]| sandbox.inspan(&[&["vault", "add"], args].concat());
    for (args, code, words) in [
        (&["team", "--credential", "env:NOT_SET"][..], 1, "vault.source: NOT_SET is not set"),
        (&["team", "--credential", "file:~/missing"], 1, "does not exist"),
        (&["team", "--credential", "file:~/open-key"], 1, "chmod 600"),
        (&["team", "--credential", "cmd:exit 3"], 1, "exit status: 3"),
        (&["team", "--credential", "sk-looks-like-a-key"], 2, "no credential reference"),
        (&["team"], 2, "--credential"),
        (&["../team", "--credential", "env:TEAM_KEY"], 2, "cannot name a vault"),
        (&["team", "--engine", "cluade", "--credential", "env:TEAM_KEY"], 2, "did you mean claude?"),
        (&["team", "--gateway", "litelm", "--credential", "env:TEAM_KEY"], 2, "did you mean litellm?"),
        (
            &[
                "team",
                "--engine",
                "claude",
                "--mcp-server-url",
                "https://mcp.invalid",
                "--credential",
                "env:TEAM_KEY",
            ],
            3,
            "vault.bound-credential",
        ),
        (
            &["team", "--engine", "claude", "--gateway", "cloudflare", "--credential", "env:TEAM_KEY"],
            3,
            "gateway.unusable",
        ),
        (
            &[
                "team",
                "--engine",
                "codex",
                "--base-url",
                "https://api.anthropic.com",
                "--credential",
                "env:TEAM_KEY",
            ],
            3,
            "vault.shape-mismatch",
        ),
        (
            &["team", "--gateway", "cloudflare", "--var", "account_id", "--credential", "env:TEAM_KEY"],
            2,
            "--var",
        ),
    ] {
        let output = add(args);
        assert!(output.fails(code).contains(words), "{args:?}: {}", output.stderr);
        assert!(!output.stderr.contains("looks-like"), "{}", output.stderr);
    }
    assert!(!sandbox.path("data/inspan/vault.toml").exists(), "nothing was added");
    let (code, text) = with_input(&sandbox, &["vault", "add", "team", "--credential", "-"], "\n");
    assert!(code == 1 && text.contains("nothing was given"), "{text}");

    let cloud =
        ["cloud", "--engine", "openai-agents", "--gateway", "cloudflare", "--credential", "env:TEAM_KEY"];
    let vars = ["--var", "account_id=0a1b", "--var", "gateway_id=main", "--model", "gpt-5.4=our-gpt"];
    add(&[&cloud[..], &vars].concat()).ok();
    let listed = sandbox.json(&["vault", "list", "--json"]);
    assert_eq!(listed[0]["vars"], json!({ "account_id": "0a1b", "gateway_id": "main" }), "{listed}");
    assert_eq!(listed[0]["models"], json!({ "gpt-5.4": "our-gpt" }), "{listed}");

    add(&["a", "--engine", "claude", "--credential", "env:TEAM_KEY"]).ok();
    add(&["b", "--engine", "codex", "--credential", "env:TEAM_KEY"]).ok();
    assert!(add(&["a", "--engine", "codex", "--credential", "env:TEAM_KEY"]).fails(2).contains("--replace"));
    add(&[
        "ref",
        "--metadata",
        "sandbox0.managed_agents.engine=claude",
        "--metadata",
        "sandbox0.managed_agents.llm_base_url=https://api.anthropic.com",
        "--credential",
        "env:TEAM_KEY",
    ])
    .ok();
    let listed = sandbox.json(&["vault", "list", "--json"]);
    let entry = list(&listed).iter().find(|row| row["name"] == "ref").unwrap();
    assert_eq!(
        (&entry["engine"], &entry["base_url"]),
        (&json!("claude"), &json!("https://api.anthropic.com"))
    );

    let new = |args: &[&str]| sandbox.inspan(&[&["new-session", "-d", "-s", "x"], args].concat());
    for (args, rule) in [
        (&["--vault", "a", "--vault", "b"][..], "vault.two-llm"),
        (&["--vault", "nobody"], "vault.unknown"),
        (&["--vault", "a", "--executor", "codex"], "vault.engine-mismatch"),
        (&["--metadata", "sandbox0.managed_agents.engine=codex"], "vault.reserved-key"),
    ] {
        let output = new(args);
        assert!(output.fails(3).contains(rule), "{args:?}: {}", output.stderr);
    }
    assert!(new(&["--metadata", "nonsense"]).fails(2).contains("KEY=VALUE"));
    sandbox.inspan(&["new-session", "-d", "-s", "ticket", "--metadata", "ticket=7", "--", "sh"]).ok();
    let sessions: Value = sandbox.json(&["list-sessions", "--json"]);
    assert_eq!(list(&sessions)[0]["metadata"], json!({ "ticket": "7" }));
    assert!(sandbox.inspan(&["vault", "remove", "c"]).fails(2).contains("no vault"));
    sandbox.inspan(&["vault", "remove", "a"]).ok();
}

#[test]
fn a_test_asks_the_endpoint_and_believes_it() {
    let upstream = Upstream::new();
    let mut sandbox = Sandbox::new();
    sandbox.set_env("GOOD", Some(SECOND));
    let add = [
        "vault",
        "add",
        "team",
        "--engine",
        "claude",
        "--base-url",
        &upstream.address,
        "--dialect",
        "messages",
    ];
    sandbox.inspan(&[&add[..], &["--credential", "env:GOOD"]].concat()).ok();
    let tested = sandbox.json(&["vault", "test", "team", "--json"]);
    assert_eq!(tested[0]["ok"], json!(true), "{tested}");
    assert!(upstream.seen.lock().unwrap()[0].1.starts_with("GET /v1/models"));
    drop(upstream);
    sandbox.set_env("GOOD", None);
    let output = sandbox.inspan(&["vault", "test", "team"]);
    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("GOOD is not set"), "{}", output.stdout);
    assert_eq!(sandbox.inspan(&["vault", "test", "cmd:echo a-key"]).code, 0);
}

#[test]
fn policy_is_shown_with_places_and_explained() {
    let sandbox = Sandbox::new();
    let text = "preset = \"agent-computer\"\n[executors.codex]\nauthMethod = \"api_key\"\ndisabledModels = [\"gpt-5.3-*\"]\n";
    let file = sandbox.write("config/inspan/policy.toml", text).display().to_string();
    let shown = sandbox.inspan(&["policy", "show"]).ok().to_owned();
    for (rule, line) in [("preset = agent-computer", 1), ("codex: auth_method = byok", 3), ("gpt-5.3-*", 4)] {
        let place = format!("{file}:{line}");
        assert!(
            shown.lines().any(|row| row.contains(rule) && row.ends_with(&place)),
            "{rule} {place}\n{shown}"
        );
    }
    let explained = sandbox.inspan(&["policy", "explain", "--executor", "codex", "--model", "gpt-5.3-codex"]);
    assert_eq!(explained.code, 3);
    assert!(explained.stdout.contains(&format!("{file}:4")), "{}", explained.stdout);
    assert!(explained.stdout.contains("model.disabled") || explained.stdout.contains("byok.no-key"));
    let rows = sandbox.json(&["policy", "explain", "--executor", "codex", "--json"]);
    assert_eq!(rows[0]["verdicts"][3]["origin"]["line"], json!(3), "{rows}");
    assert!(
        sandbox.inspan(&["policy", "explain", "--executor", "codx"]).fails(3).contains("executor.unknown")
    );
    sandbox.write("config/inspan/policy.toml", "[executors.codex]\nenbled = false\n");
    assert!(sandbox.inspan(&["policy", "check"]).fails(1).contains(":2:"));
}

#[test]
fn what_runs_already_is_held_to_a_changed_rule() {
    let upstream = Upstream::new();
    let mut sandbox = Sandbox::new();
    stub_cli(&sandbox, "claude");
    sandbox.set_env("GOOD", Some(SECOND));
    let dir = sandbox.repository("shop");
    let add =
        ["vault", "add", "good", "--engine", "claude", "--dialect", "messages", "--credential", "env:GOOD"];
    sandbox.inspan(&[&add[..], &["--base-url", &upstream.address]].concat()).ok();
    sandbox.write("shop/.inspan.toml", "[policy]\npreset = \"open\"\n");
    let new = ["new-session", "-d", "-s", "work", "-c", dir.to_str().unwrap(), "--vault", "good"];
    let pane = sandbox.inspan(&new).ok().to_owned();
    wait_for_capture(&sandbox, &pane, "claude> ");
    let notes = panes(&sandbox)[0]["notes"].to_string();
    assert!(notes.contains(".inspan.toml:2:") && notes.contains("policy.preset"), "what it tried: {notes}");
    let env = stub_env(&sandbox, "claude");
    assert_eq!(ask(&env).0, 200);

    sandbox.write("shop/.inspan.toml", "[policy.executors.claude]\nenabled = false\n");
    let refused = |_: &Output| {
        let (status, answer) = ask(&env);
        status == 403 && answer.contains(".inspan.toml line 2") && answer.contains("permission_error")
    };
    sandbox.wait_output("the workspace forbids it", &["list-sessions"], refused);
    sandbox.write("shop/.inspan.toml", "[policy.budgets]\npane = 0\n");
    let spent = |_: &Output| {
        let (status, answer) = ask(&env);
        status == 402 && answer.contains("billing_error") && answer.contains(".inspan.toml line 2")
    };
    sandbox.wait_output("the budget is used up", &["list-sessions"], spent);
    sandbox.wait_json("the pane shows it", &["list-panes", "--json"], |rows| {
        list(rows)[0]["status"] == "limited" && list(rows)[0]["budgets"][0]["span"] == "pane"
    });
    fs::remove_file(dir.join(".inspan.toml")).unwrap();
    sandbox.wait_output("nothing forbids it", &["list-sessions"], |_| ask(&env).0 == 200);
}

#[test]
fn three_layers_tighten_and_each_rule_names_its_own() {
    let mut sandbox = Sandbox::new();
    let admin = sandbox.write("admin.toml", "[executors.grok]\nenabled = false\n[budgets]\nday = 10\n");
    sandbox.set_env("INSPAN_ADMIN_POLICY", admin.to_str());
    sandbox.write("config/inspan/policy.toml", "[budgets]\nday = 5\n");
    sandbox.config("[budgets]\nsession = 3\n");
    let dir = sandbox.repository("shop");
    let below = sandbox.dir("shop/src");
    let loose = "[policy]\npreset = \"open\"\ndisabled_models = [\"glm-*\"]\n[policy.budgets]\nday = 7\n\
                 [policy.executors.grok]\nenabled = true\n";
    let file = sandbox.write("shop/.inspan.toml", loose).display().to_string();

    let shown = sandbox.inspan_in(&below, &["policy", "show"]);
    let row = |words: &str| {
        shown.stdout.lines().find(|line| line.starts_with(words)).unwrap_or_default().to_owned()
    };
    for (words, layer) in [
        ("grok: enabled = false", "administrator"),
        ("day budget $5.00", "user"),
        ("disabled model glm-*", "workspace"),
        ("session budget $3.00", "settings"),
        ("preset = agent-computer", "default"),
    ] {
        assert!(row(words).contains(layer), "{words}: {}", shown.stdout);
    }
    let checked = sandbox.inspan_in(&below, &["policy", "check"]);
    for line in [2, 5, 7] {
        assert!(checked.fails(1).contains(&format!("{file}:{line}:")), "{line}: {}", checked.stderr);
    }
    let glm = ["plan", "--executor", "opencode", "--model", "glm-5", "--auth", "credits", "--assume", "all"];
    let refused = sandbox.inspan_in(&dir, &glm);
    assert!(refused.fails(3).contains(".inspan.toml line 3"), "{}", refused.stderr);
    sandbox.inspan(&glm).ok();
    let explained = sandbox.inspan_in(&dir, &["policy", "explain", "--executor", "claude"]);
    assert!(explained.stdout.contains("the day budget is $5.00"), "{}", explained.stdout);
}

#[test]
fn a_key_that_is_left_to_the_cli_is_in_its_environment_and_in_no_file() {
    let mut sandbox = Sandbox::new();
    sandbox.config("[byok]\nclaude = \"env:MINE\"\n[executors.claude]\ninject = \"env\"\n");
    sandbox.set_env("MINE", Some(FIRST));
    stub_cli(&sandbox, "claude");
    let dir = sandbox.repository("shop");
    let new =
        ["new-session", "-d", "-s", "work", "-c", dir.to_str().unwrap(), "--executor", "claude", "--trust"];
    let pane = sandbox.inspan(&new).ok().to_owned();
    wait_for_capture(&sandbox, &pane, "claude> ");
    let env = stub_env(&sandbox, "claude");
    assert_eq!(env["ANTHROPIC_API_KEY"], FIRST);
    assert_eq!(env["ANTHROPIC_BASE_URL"], "https://api.anthropic.com");
    assert!(!env.contains_key("ANTHROPIC_AUTH_TOKEN") && !env.contains_key("MINE"), "{env:?}");
    let route = sandbox.json(&["route", "-t", &pane, "--json"]);
    assert_eq!(
        (&route["route"]["auth"], &route["route"]["inject"]),
        (&json!("byok"), &json!(true)),
        "{route}"
    );
    // The stand-in writes its environment down; nothing of ours does.
    let found = holders(sandbox.root(), FIRST);
    assert_eq!(found, [sandbox.path("home/claude.env").display().to_string()]);
    assert!(exposed(&sandbox, FIRST).iter().all(|process| !process.contains("\"server\"")));
    let shown = sandbox.inspan(&["route", "-t", &pane]).ok().to_owned();
    assert!(shown.contains("Anthropic (direct)"), "{shown}");
}
