//! One handoff for each executor, as it is built from that executor's own record of a session.
use super::*;
use crate::{executors::by_id, router::ExecutorId, state::GitSummary};
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
