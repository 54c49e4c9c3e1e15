//! One handoff for each executor, as it is built from that executor's own record of a session.
use super::*;
use crate::{executors::by_id, handoff::Role, router::ExecutorId, state::GitSummary};
use serde_json::{Value, json};
use std::fs;

const DIR: &str = "/srv/shop";
const SESSION: &str = "0b5e0f6a-7d1e-4a52-9c63-0d9c1f2e3a4b";

fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// Writes a file of a home with its directories.
fn keep(home: &Path, name: &str, text: &str) {
    let path = home.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A key of no provider's, put together here so that no scanner of repositories takes this file for a leak.
fn planted_key() -> String {
    format!("sk-{}", "Ab3dEf6hIj9lMn2pQr5tUv8x")
}

/// The handoff to another executor, from what lies in `home`.
fn handoff(executor: &str, home: &Path, to: (&str, &str)) -> Handoff {
    let from = by_id(&ExecutorId::from(executor)).unwrap();
    let conversation = from.transcript(home, Path::new(DIR), SESSION).expect("the record is read");
    let telling = Telling {
        conversation,
        from: (executor.into(), None),
        to: (to.0.into(), Some(to.1.into())),
        workspace: DIR.into(),
        mode: Mode::Full,
        parked: None,
        context: Some(200_000),
        source: Source::Transcript,
        screen: None,
        more: None,
    };
    let git = GitSummary {
        repository: true,
        branch: "main".into(),
        head: "3f2c9aa".into(),
        ..GitSummary::default()
    };
    let ground = Ground {
        git,
        operation: Some("rebase"),
        dirty: vec![".M src/cart.rs".into(), "?? totals.rs".into()],
        ..Ground::default()
    };
    telling.handoff(&ground, Some("8 (5d1a7c2)"))
}

#[test]
fn of_claude() {
    let home = tempfile::tempdir().unwrap();
    let said = |role: &str, content: Value| json!({ "type": role, "sessionId": SESSION, "message": { "role": role, "content": content } });
    let edit = json!({ "type": "tool_use", "id": "t1", "name": "Edit",
        "input": { "file_path": "/srv/shop/src/cart.rs", "old_string": "0", "new_string": "sum" } });
    let test =
        json!({ "type": "tool_use", "id": "t2", "name": "Bash", "input": { "command": "cargo test" } });
    let result =
        |id: &str, text: &str| json!([{ "type": "tool_result", "tool_use_id": id, "content": text }]);
    let records = [
        said("user", json!("Make the totals right.")),
        said("assistant", json!([{ "type": "text", "text": "I change the sum." }, edit])),
        said("user", result("t1", "The file was updated.")),
        said("assistant", json!([test])),
        said("user", result("t2", "test result: ok. 3 passed")),
        said(
            "assistant",
            json!([{ "type": "text", "text": "Totals are right.\nDecision: sums are in cents\nNext step: taxes" }]),
        ),
    ];
    keep(home.path(), &format!("projects/-srv-shop/{SESSION}.jsonl"), &lines(&records));
    insta::assert_snapshot!(handoff("claude", home.path(), ("codex", "gpt-5.4")).text);
}

#[test]
fn of_codex() {
    let home = tempfile::tempdir().unwrap();
    let item = |payload: Value| json!({ "type": "response_item", "payload": payload });
    let message = |role: &str, kind: &str, text: &str| {
        item(json!({ "type": "message", "role": role, "content": [{ "type": kind, "text": text }] }))
    };
    let patch = "*** Begin Patch\n*** Update File: src/cart.rs\n@@\n-0\n+sum\n*** End Patch\n";
    let records = [
        json!({ "type": "session_meta", "payload": { "id": SESSION, "cwd": DIR } }),
        message("user", "input_text", "Make the totals right."),
        item(json!({ "type": "custom_tool_call", "name": "apply_patch", "call_id": "c1", "input": patch })),
        item(json!({ "type": "custom_tool_call_output", "call_id": "c1", "output": "Success." })),
        item(
            json!({ "type": "function_call", "name": "exec_command", "call_id": "c2", "arguments": "{\"cmd\":\"cargo test\"}" }),
        ),
        item(
            json!({ "type": "function_call_output", "call_id": "c2", "output": "test result: ok. 3 passed" }),
        ),
        message("assistant", "output_text", "Totals are right.\nTODO: taxes"),
    ];
    let file = format!("sessions/2026/11/20/rollout-2026-11-20T10-00-00-{SESSION}.jsonl");
    keep(home.path(), &file, &lines(&records));
    insta::assert_snapshot!(handoff("codex", home.path(), ("gemini", "gemini-3-pro")).text);
}

#[test]
fn of_gemini() {
    let home = tempfile::tempdir().unwrap();
    let call = |name: &str, args: Value, output: &str| json!({ "name": name, "args": args, "result": [{ "functionResponse": { "response": { "output": output } } }] });
    let records = [
        json!({ "sessionId": SESSION, "projectHash": "x" }),
        json!({ "id": "1", "type": "user", "content": "Make the totals right." }),
        json!({ "id": "2", "type": "gemini", "content": "I change the sum.", "toolCalls": [
            call("replace", json!({ "file_path": "/srv/shop/src/cart.rs", "old_string": "0" }), "Successfully modified file"),
            call("run_shell_command", json!({ "command": "cargo test" }), "test result: ok. 3 passed"),
        ] }),
        json!({ "id": "3", "type": "gemini", "content": "Totals are right.\n\nOpen question: are taxes part of it?" }),
    ];
    keep(home.path(), "projects.json", &json!({ "projects": { DIR: "shop" } }).to_string());
    keep(home.path(), "tmp/shop/chats/session-2026-11-20T10-00-0b5e0f6a.jsonl", &lines(&records));
    insta::assert_snapshot!(handoff("gemini", home.path(), ("claude", "claude-sonnet-4.6")).text);
}

#[test]
fn of_opencode() {
    let home = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(home.path().join("opencode.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE message (id text PRIMARY KEY, session_id text, data text);
             CREATE TABLE part (id text PRIMARY KEY, message_id text, session_id text, data text);
             INSERT INTO message VALUES ('m1', '', '{\"role\":\"user\"}'), ('m2', '', '{\"role\":\"assistant\"}');",
        )
        .unwrap();
    let tool = |name: &str, input: Value, output: &str| json!({ "type": "tool", "tool": name, "state": { "status": "completed", "input": input, "output": output } });
    let change = json!({ "filePath": "/srv/shop/src/cart.rs", "oldString": "0", "newString": "sum" });
    let parts = [
        ("m1", json!({ "type": "text", "text": "Make the totals right." })),
        ("m1", json!({ "type": "text", "synthetic": true, "text": "what the CLI adds by itself" })),
        ("m2", json!({ "type": "text", "text": "I change the sum." })),
        ("m2", tool("edit", change, "Edit applied successfully.")),
        ("m2", tool("bash", json!({ "command": "cargo test" }), "test result: ok. 3 passed")),
        (
            "m2",
            json!({ "type": "text", "text": "Totals are right.\nDecision: sums are in cents\nTODO: taxes" }),
        ),
    ];
    for (n, (message, part)) in parts.iter().enumerate() {
        let row = (format!("p{n}"), message, SESSION, part.to_string());
        database.execute("INSERT INTO part VALUES (?1, ?2, ?3, ?4)", row).unwrap();
    }
    drop(database);
    insta::assert_snapshot!(handoff("opencode", home.path(), ("grok", "grok-4.6")).text);
}

#[test]
fn of_grok() {
    let home = tempfile::tempdir().unwrap();
    let update = |update: Value| json!({ "params": { "update": update } });
    let chunk = |kind: &str, text: &str| {
        update(
            json!({ "sessionUpdate": kind, "content": { "type": "text", "text": text }, "_meta": { "promptIndex": 0 } }),
        )
    };
    let call = |title: &str, input: Value| {
        update(json!({ "sessionUpdate": "tool_call", "title": title, "rawInput": input }))
    };
    let ended = |text: &str| {
        update(json!({ "sessionUpdate": "tool_call_update", "status": "completed",
            "rawOutput": { "output_for_prompt": text } }))
    };
    let records = [
        chunk("user_message_chunk", "Make the totals right."),
        chunk("agent_thought_chunk", "what it thinks is its own"),
        chunk("agent_message_chunk", "I change "),
        chunk("agent_message_chunk", "the sum."),
        call("search_replace", json!({ "file_path": "src/cart.rs", "old_string": "0", "new_string": "sum" })),
        ended("The file was updated."),
        call("run_terminal_command", json!({ "command": "printenv SHOP" })),
        ended(&format!("{} and 3 passed", planted_key())),
        chunk("agent_message_chunk", "Totals are right.\n- Open question: are taxes part of it?"),
    ];
    keep(home.path(), &format!("sessions/%2Fsrv%2Fshop/{SESSION}/updates.jsonl"), &lines(&records));
    let handoff = handoff("grok", home.path(), ("openai-agents", "gpt-5.4"));
    assert_eq!(handoff.redactions, ["openai key"]);
    insta::assert_snapshot!(handoff.text);
}

#[test]
fn of_openai_agents() {
    let home = tempfile::tempdir().unwrap();
    let database = home.path().join(crate::agent::store::FILE);
    crate::agent::store::remember(&database, SESSION, Path::new(DIR), "gpt-5.4").unwrap();
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE agent_messages (id integer PRIMARY KEY, session_id text, message_data text);",
        )
        .unwrap();
    let call = |name: &str, arguments: Value| json!({ "type": "function_call", "name": name, "call_id": "c", "arguments": arguments.to_string() });
    let output = |text: &str| json!({ "type": "function_call_output", "call_id": "c", "output": text });
    let items = [
        json!({ "role": "user", "content": "Make the totals right." }),
        json!({ "type": "reasoning", "summary": [] }),
        call("edit_file", json!({ "path": "src/cart.rs", "old": "0", "new": "sum" })),
        output("changed 1 place"),
        call("shell", json!({ "command": "cargo test" })),
        output("exit 0\ntest result: ok. 3 passed"),
        json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text",
            "text": "Totals are right.\n1. We agreed: sums are in cents\n2. Next: taxes" }] }),
    ];
    for item in items {
        let row = (SESSION, item.to_string());
        connection
            .execute("INSERT INTO agent_messages (session_id, message_data) VALUES (?1, ?2)", row)
            .unwrap();
    }
    drop(connection);
    insta::assert_snapshot!(handoff("openai-agents", home.path(), ("opencode", "gemini-3.1-pro")).text);
}

#[test]
fn a_long_story_is_fitted_to_the_targets_window() {
    let turn = |role, text: &str, n: usize| Turn { role, text: format!("{n}: {}", text.repeat(200)) };
    let told = |n| [turn(Role::User, "please do this ", n), turn(Role::Assistant, "it is done now ", n)];
    let telling = |context| Telling {
        conversation: Conversation { turns: (0..60).flat_map(told).collect() },
        from: ("claude".into(), None),
        to: ("codex".into(), None),
        workspace: DIR.into(),
        mode: Mode::Full,
        parked: None,
        context,
        source: Source::Gateway,
        screen: None,
        more: None,
    };
    let tokens = |context| telling(context).handoff(&Ground::default(), None).tokens_estimate;
    let (small, medium, large) = (tokens(Some(16_000)), tokens(Some(48_000)), tokens(Some(1_000_000)));
    assert!(small <= 16_000 / HANDOFF_SHARE + 100, "{small}");
    assert!((small + 1..=48_000 / HANDOFF_SHARE).contains(&medium), "{medium}");
    assert!((medium + 1..=HANDOFF_TOKENS).contains(&large), "{large}");
    assert_eq!(tokens(None), large);
    let handoff = telling(Some(16_000)).handoff(&Ground::default(), None).text;
    assert!(handoff.contains("59: please do this") && handoff.contains("0: please do this"), "{handoff}");
}

#[test]
fn of_one_without_any_record() {
    let telling = Telling {
        conversation: Conversation::default(),
        from: ("grok".into(), None),
        to: ("claude".into(), None),
        workspace: DIR.into(),
        mode: Mode::Full,
        parked: None,
        context: None,
        source: Source::Screen,
        screen: Some("> make the totals right\n\nDone: src/cart.rs sums now.".into()),
        more: None,
    };
    insta::assert_snapshot!(telling.handoff(&Ground::default(), None).text);
}
