use super::*;
use crate::executors::furnished::write;
use serde_json::json;

#[test]
fn only_the_streamed_conversation_is_main() {
    let class = |path: &str, tools: &[&str]| {
        let named: Vec<Value> = tools.iter().map(|t| json!({"name": t})).collect();
        let body = json!({"contents": [], "tools": [{"functionDeclarations": named}]});
        Gemini.classify(&RequestFacts { path, header: &|_| None, body: &body })
    };
    let main = "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse";
    assert_eq!(class(main, &["read_file", "invoke_agent"]), Class::Main);
    assert_eq!(class(main, &["read_file", "complete_task"]), Class::Subagent);
    assert_eq!(class(main, &[]), Class::Side);
    assert_eq!(class("/v1beta/models/gemini-3.5-flash-lite:generateContent", &["read_file"]), Class::Side);
}

#[test]
fn enter_follows_a_paste_after_a_pause_and_commands_are_typed() {
    let steps = Gemini.submit("/quit");
    assert!(
        matches!(&steps[..], [SubmitStep::Write(text), SubmitStep::Shown(words, _), SubmitStep::Pause(pause), SubmitStep::Write(enter), SubmitStep::Again(again, ..)]
        if text == b"/quit" && words == "/quit" && *pause >= Duration::from_millis(100) && enter == b"\r" && again == enter)
    );
    assert_eq!(Gemini.submit("one?")[0], SubmitStep::Write(b"\x1b[200~one?\x1b[201~".to_vec()));
    let shown = |text: &str| match Gemini.submit(text).swap_remove(1) {
        SubmitStep::Shown(words, _) => words,
        other => panic!("{other:?}"),
    };
    assert_eq!(shown("what has been done about it?\n"), "beendoneaboutit?");
    assert_eq!(shown("1\n2\n3\n4\n5\n6\n"), "[Pasted Text:");
}

#[test]
fn its_title_speaks_except_where_it_is_known_to_lie() {
    let watch = |title, bottom: &str| {
        let bottom: Vec<String> = bottom.lines().map(str::to_owned).collect();
        Gemini.watch(&Signals { title, bottom: &bottom, ..Signals::default() }).map(|s| (s.status, s.detail))
    };
    let asking = "✦ I will.\n╭────────────────────╮\n│ ? Shell  ls > x │\n│ Allow execution of [Shell]? │\n│ ● 1. Allow once │\n│   2. Allow for this session │";
    let (status, detail) = watch("✋  Action Required (ws)    ", asking).unwrap();
    assert_eq!(
        (status, detail.as_str()),
        (Status::NeedsYou, "? Shell  ls > x · Allow execution of [Shell]?")
    );
    assert_eq!(watch("✦  Working… (ws)", "").unwrap(), (Status::Working, "✦  Working… (ws)".into()));
    assert_eq!(watch("◇  Ready (ws)   ", "").unwrap().0, Status::Idle);
    let limit = "│ Usage limit reached for all Pro models. │\n│ ● 1. Switch │";
    assert_eq!(
        watch("✦  Working… (ws)", limit).unwrap(),
        (Status::Limited, "Usage limit reached for all Pro models.".into())
    );
    assert_eq!(
        watch("◇  Ready (ws)", "│ Do you trust the files in this folder? │").unwrap().0,
        Status::NeedsYou
    );
    assert_eq!(watch("", " >   Type your message or @path/to/file").unwrap().0, Status::Idle);
    assert_eq!(watch("", ""), None);
}

#[test]
fn its_store_is_found_by_table_or_mark_and_told_once_per_session() {
    let dir = tempfile::tempdir().unwrap();
    let chats = dir.path().join("tmp/app-1/chats");
    let id = "0123abcd-0000-0000-0000-000000000000";
    let header = json!({"sessionId": id, "kind": "main"});
    let injected = json!({"id": "m0", "type": "user", "content": [{"text": "<session_context>\nx\n</session_context>"}]});
    let call = |result: Value| {
        json!({"id": "m2", "type": "gemini", "content": "Looking.",
            "toolCalls": [{"name": "run_shell_command", "args": {"command": "ls"}, "result": result}]})
    };
    let finished = json!([{"functionResponse": {"response": {"output": "a.rs"}}}]);
    let records = [
        header.clone(),
        json!({"$set": {"messages": [injected]}}),
        json!({"id": "m1", "type": "user", "content": [{"text": "list the files"}]}),
        call(Value::Null),
        json!({"$set": {"lastUpdated": "now"}}),
        call(finished),
    ];
    let text = |records: &[Value]| records.iter().map(|r| format!("{r}\n")).collect::<String>();
    write(&chats.join("session-2026-11-20T09-34-0123abcd.jsonl"), &text(&records));
    // What a resume leaves: a second file of the same session that holds no talk.
    write(&chats.join("session-2026-11-20T09-36-0123abcd.jsonl"), &text(&[header, records[1].clone()]));
    let cwd = Path::new("/srv/app");
    assert_eq!(Gemini.sessions(dir.path(), cwd), []);
    write(&dir.path().join("tmp/app-1/.project_root"), "/srv/app\n");
    let found = Gemini.sessions(dir.path(), cwd);
    assert_eq!(
        found.iter().map(|s| (s.id.as_str(), s.title.as_str())).collect::<Vec<_>>(),
        [(id, "list the files")]
    );
    write(&dir.path().join("projects.json"), r#"{"projects": {"/srv/app": "app-1"}}"#);
    let told: Vec<String> =
        Gemini.transcript(dir.path(), cwd, id).unwrap().turns.into_iter().map(|t| t.text).collect();
    assert_eq!(told, ["list the files", "Looking.", "run_shell_command: {\"command\":\"ls\"}", "a.rs"]);
}

#[test]
fn a_person_whose_account_is_not_served_is_told_what_to_do() {
    let bottom = [
        "✕ [API Error: This client is no longer supported for Gemini Code Assist for individuals.]"
            .to_owned(),
        " > Type your message or @path/to/file".to_owned(),
    ];
    let seen =
        Gemini.watch(&Signals { bottom: &bottom, title: "◇  Ready (shop)", ..Signals::default() }).unwrap();
    assert_eq!(seen.status, Status::NeedsYou);
    for wanted in ["API", "byok"] {
        assert!(seen.detail.contains(wanted), "{}", seen.detail);
    }
    let furnished = crate::executors::furnished::Furnished::new();
    let plan = furnished.plan("gemini", crate::executors::Home::Users, true);
    assert!(plan.notes.iter().any(|note| note.contains("Antigravity CLI")), "{:?}", plan.notes);
}
