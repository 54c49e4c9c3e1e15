use super::*;
use crate::executors::furnished::write;
use serde_json::json;

fn class(path: &str, agent: bool, body: Value) -> Class {
    let header = move |name: &str| (agent && name == "x-claude-code-agent-id").then(|| "a1".to_owned());
    Claude.classify(&RequestFacts { path, header: &header, body: &body })
}

#[test]
fn only_the_conversation_is_main() {
    let tools = json!([{"name": "Bash"}]);
    let path = "/v1/messages?beta=true";
    assert_eq!(class(path, false, json!({"tools": tools, "max_tokens": 64000})), Class::Main);
    assert_eq!(class(path, true, json!({"tools": tools, "max_tokens": 64000})), Class::Subagent);
    assert_eq!(class(path, false, json!({"tools": [], "max_tokens": 32000})), Class::Side);
    assert_eq!(class(path, false, json!({"tools": tools, "max_tokens": 1})), Class::Side);
    assert_eq!(class("/v1/messages/count_tokens?beta=true", false, json!({"tools": tools})), Class::Side);
}

#[test]
fn a_prompt_is_pasted_with_enter_in_one_write_and_cannot_end_its_paste() {
    assert_eq!(
        Claude.submit("one\ntwo\x1b[201~rm"),
        [SubmitStep::Write(b"\x1b[200~one\ntwo[201~rm\x1b[201~\r".to_vec())]
    );
    assert!(
        matches!(&Claude.submit("/exit")[..], [_, SubmitStep::Pause(_), SubmitStep::Write(enter)] if enter == b"\r")
    );
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

const ASKING: &str = "● I will run the tool.\n────────────────────────\n Bash command\n Tip: auto mode handles these\n run it\n\
    ╌╌╌╌╌╌╌╌╌╌╌╌╌╌\n touch made.txt\n╌╌╌╌╌╌╌╌╌╌╌╌╌╌\n Do you want to proceed?\n ❯ 1. Yes\n   2. No";

#[test]
fn its_own_state_file_comes_first_and_the_screen_tells_what_it_asks() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sessions/41.json");
    let asking = lines(ASKING);
    let mut signals = Signals {
        title: "✳ Claude Code",
        pid: Some(41),
        config_home: Some(dir.path()),
        bottom: &asking,
        ..Signals::default()
    };
    write(&file, r#"{"status": "waiting", "waitingFor": "permission prompt"}"#);
    let said = Claude.watch(&signals).unwrap();
    assert_eq!((said.status, said.source), (Status::NeedsYou, StatusSource::StateFile));
    assert_eq!(said.detail, "Bash command · run it · touch made.txt · Do you want to proceed?");
    signals.bottom = &[];
    assert_eq!(Claude.watch(&signals).unwrap().detail, "permission prompt");
    write(&file, r#"{"status": "busy"}"#);
    assert_eq!(Claude.watch(&signals).unwrap().status, Status::Working);
    write(&file, r#"{"status": "idle"}"#);
    assert_eq!(Claude.watch(&signals).unwrap().status, Status::Idle);
    let limited = lines(" You've hit your limit · resets 3pm");
    signals.bottom = &limited;
    assert_eq!(Claude.watch(&signals).unwrap().status, Status::Limited);
}

#[test]
fn a_state_file_of_a_child_of_the_panes_process_counts_and_a_strangers_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let own = std::process::id().cast_signed();
    write(&dir.path().join(format!("sessions/{own}.json")), r#"{"status": "busy"}"#);
    let watch =
        |pid| Claude.watch(&Signals { pid: Some(pid), config_home: Some(dir.path()), ..Signals::default() });
    assert_eq!(watch(parent(own).unwrap()).unwrap().status, Status::Working);
    assert_eq!(watch(i32::MAX), None);
}

#[test]
fn without_a_state_file_title_and_screen_speak() {
    let asking = lines(ASKING);
    let watch = |title, bottom| Claude.watch(&Signals { title, bottom, ..Signals::default() });
    assert_eq!(watch("◐ Claude Code", &[]).unwrap().status, Status::Working);
    assert_eq!(watch("✳ Claude Code", &asking).unwrap().source, StatusSource::Screen);
    assert_eq!(watch("✳ Claude Code", &[]).unwrap().status, Status::Idle);
    let retrying = lines("✻ 429 mock · retrying in 3s · attempt 4/10");
    assert_eq!(watch("◐ Claude Code", &retrying).unwrap().status, Status::Retrying);
    let trust = lines(" Quick safety check: Is this a project you created or one you trust? (Like");
    assert_eq!(watch("", &trust).unwrap().status, Status::NeedsYou);
    assert_eq!(watch("", &[]), None);
}

#[test]
fn its_store_tells_what_was_asked_answered_and_done() {
    let dir = tempfile::tempdir().unwrap();
    let cwd = Path::new("/srv/my.app_2");
    let records = [
        json!({"type": "file-history-snapshot"}),
        json!({"type": "user", "isMeta": true, "message": {"content": "caveat"}}),
        json!({"type": "user", "message": {"content": "<command-name>/clear</command-name>"}}),
        json!({"type": "user", "message": {"content": "fix the test\nplease"}}),
        json!({"type": "assistant", "message": {"content": [{"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "Running it."}, {"type": "tool_use", "name": "Bash", "input": {"command": "ls"}}]}}),
        json!({"type": "user", "message": {"content": [{"type": "tool_result", "content": "a.rs"}]}}),
        json!({"type": "user", "isSidechain": true, "message": {"content": "a sub-agent's task"}}),
        json!({"type": "assistant", "message": {"content": [{"type": "text", "text": "Done."}]}}),
    ];
    let text: String = records.iter().map(|r| format!("{r}\n")).collect();
    write(&dir.path().join("projects/-srv-my-app-2/0aa1.jsonl"), &text);
    write(&dir.path().join("projects/-srv-my-app-2/empty.jsonl"), "{}\n");
    let found = Claude.sessions(dir.path(), cwd);
    assert_eq!(
        found.iter().map(|s| (s.id.as_str(), s.title.as_str())).collect::<Vec<_>>(),
        [("0aa1", "fix the test")]
    );
    let told: Vec<String> =
        Claude.transcript(dir.path(), cwd, "0aa1").unwrap().turns.into_iter().map(|t| t.text).collect();
    assert_eq!(told, ["fix the test\nplease", "Running it.", "Bash: {\"command\":\"ls\"}", "a.rs", "Done."]);
    assert_eq!(Claude.transcript(dir.path(), cwd, "../-srv-my-app-2/0aa1"), None);
}
