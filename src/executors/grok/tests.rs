use super::*;
use crate::{
    executors::furnished::{Furnished, write},
    handoff::Role,
};
use serde_json::json;

fn seen(screen: &str) -> Option<(Status, String)> {
    let bottom: Vec<String> = screen.lines().map(str::to_owned).collect();
    // Its title goes on turning whatever it does.
    let title = "⠴ - Waiting for response… - a title - grok";
    Grok.watch(&Signals { bottom: &bottom, title, ..Signals::default() }).map(|r| (r.status, r.detail))
}

const BOX: &str = "  ╭──────────────────────────────────────────────╮
  │ ❯                                            │
  ╰─────────────────────────────── Grok 4.6 (high) ─╯
  Shift+Tab:mode  │  Ctrl+x:shortcuts";
const ASKING: &str = "     ◆ Run the requested command
    ◆ Run the requested command… 2.8s                                                          2.9s ⇣14.1k [↓][stop]
  ┃
  ┃  Run the requested command
  ┃  echo asked > asked.txt
  ┃  ← → narrow scope
  ┃
  ┃  1 (●) Yes, and don't ask again for anything (always-approve mode)
  ┃  2 (○) Yes, proceed
  ┃
  1/4:select  │  Tab:next option  │  ←/→:scope  │  Ctrl+o:always-approve  │  Ctrl+c:cancel  │  Esc:scrollback";
const QUESTION: &str =
    "    ◆ Waiting on answers for Which one?                                     0.1s ⇣1.23k [stop]
  ┃
  ┃  Which one?
  ┃
  ┃  1 (○) A  first                                                                                          █
  ┃  z (○) Type your answer here
  ┃
  ┃  ↑/↓ navigate · y copy                                                                    Enter:submit
  ┃
  Tab:next answer  │  Esc:scrollback  │  Shift+x:dismiss";
const TRUST: &str = "          Do you trust the contents of this directory?
                  /srv/shop
                 Yes, proceed                 y
                 No, quit                     n";

#[test]
fn its_screens_are_told_apart() {
    let above = |line: &str| seen(&format!("{line}\n{BOX}"));
    let working = BOX.replace("  Shift+Tab:mode  │", "  Shift+Tab:mode  │  Ctrl+c:cancel  │");
    assert_eq!(seen(BOX), Some((Status::Idle, "takes a prompt".into())));
    assert_eq!(
        seen(&format!(
            "    ⠋ Responding… 2.0s                                 2.0s ⇣1.24k [stop]\n{working}"
        )),
        Some((Status::Working, "Responding… 2.0s".into()))
    );
    assert_eq!(seen(&working).unwrap().0, Status::Working);
    assert_eq!(
        seen(&format!(
            "    ⠴ Server error (500) | Retrying (attempt 2)... 1.8s      3.9s ⇣1.23k [stop]\n{working}"
        )),
        Some((Status::Retrying, "Server error (500) | Retrying (attempt 2)... 1.8s".into()))
    );
    let asked = "Run the requested command · echo asked > asked.txt";
    assert_eq!(seen(ASKING), Some((Status::NeedsYou, asked.into())));
    assert_eq!(seen(QUESTION), Some((Status::NeedsYou, "Which one?".into())));
    assert_eq!(seen(TRUST).unwrap().0, Status::NeedsYou);
    let background = above("    ◎ 1 command · 1 subagent still running");
    assert_eq!(background, Some((Status::Working, "1 command · 1 subagent still running".into())));
    let limited = above(
        "  ┃  Retry failed: tokens: Rate limit reached for tokens per min: Limit 1. Try again in 1.5s.",
    );
    assert_eq!(limited.unwrap().0, Status::Limited);
    assert_eq!(above("     He said: the dog is still running.").unwrap().0, Status::Idle);
    assert_eq!(seen("   Connecting..."), None);
}

#[test]
fn requests_are_told_apart_by_their_tools() {
    let class = |tools: &[&str], id: &str| {
        let header = |name: &str| (name == "x-grok-req-id").then(|| id.to_owned());
        let tools: Vec<Value> =
            tools.iter().map(|name| json!({ "type": "function", "name": name })).collect();
        Grok.classify(&RequestFacts {
            path: "/v1/responses",
            header: &header,
            body: &json!({ "tools": tools }),
        })
    };
    assert_eq!(class(&["session_title"], ""), Class::Side);
    assert_eq!(class(&[], ""), Class::Side);
    assert_eq!(class(&["run_terminal_command", "write"], "xai-turn-summary-1"), Class::Side);
    assert_eq!(class(&["run_terminal_command", "spawn_subagent"], "7ad4"), Class::Main);
    assert_eq!(class(&["run_terminal_command", "spawn_subagent"], "subagent-completed-1"), Class::Main);
    assert_eq!(class(&["run_terminal_command", "wait_commands_or_subagents"], "01a1"), Class::Subagent);
    let chat =
        json!({ "tools": [{ "type": "function", "function": { "name": "wait_commands_or_subagents" } }] });
    let facts = RequestFacts { path: "/v1/chat/completions", header: &|_| None, body: &chat };
    assert_eq!(Grok.classify(&facts), Class::Subagent);
}

#[test]
fn its_store_tells_what_was_asked_answered_and_done() {
    let dir = tempfile::tempdir().unwrap();
    let cwd = Path::new("/srv/my shop");
    let session = |id: &str, messages: u32| {
        let place = dir.path().join("sessions/%2Fsrv%2Fmy%20shop").join(id);
        let summary = json!({ "session_summary": "fix the test", "num_messages": messages });
        write(&place.join("summary.json"), &summary.to_string());
        let chunk = |kind: &str, prompt: u32, text: &str| {
            json!({ "params": { "update": { "sessionUpdate": kind, "content": { "type": "text", "text": text },
                "_meta": { "promptIndex": prompt } } } })
        };
        let tool = |update: Value| json!({ "params": { "update": update } });
        let records = [
            chunk("user_message_chunk", 0, "given up"),
            chunk("user_message_chunk", 1, "fix the test"),
            chunk("agent_thought_chunk", 1, "hm"),
            chunk("agent_message_chunk", 1, "Running "),
            chunk("agent_message_chunk", 1, "it."),
            tool(json!({ "sessionUpdate": "tool_call", "title": "run", "rawInput": { "command": "ls" } })),
            tool(json!({ "sessionUpdate": "tool_call_update", "title": "Execute" })),
            tool(json!({ "sessionUpdate": "tool_call_update", "status": "completed",
                "content": [{ "type": "content", "content": { "type": "text", "text": "shown" } }],
                "rawOutput": { "output": [97], "output_for_prompt": "exit: 0\na.rs\n" } })),
            chunk("agent_message_chunk", 1, "Done."),
        ];
        write(&place.join("updates.jsonl"), &records.iter().map(|r| format!("{r}\n")).collect::<String>());
    };
    session("01a1-7", 4);
    session("01a1-8", 0);
    let found: Vec<_> = Grok.sessions(dir.path(), cwd).into_iter().map(|s| (s.id, s.title)).collect();
    assert_eq!(found, [("01a1-7".into(), "fix the test".into())]);
    let told = Grok.transcript(dir.path(), cwd, "01a1-7").unwrap();
    let told: Vec<_> = told.turns.iter().map(|t| (t.role, t.text.as_str())).collect();
    let wanted = [
        (Role::User, "given up"),
        (Role::User, "fix the test"),
        (Role::Assistant, "Running it."),
        (Role::Tool, "run: {\"command\":\"ls\"}"),
        (Role::Tool, "exit: 0\na.rs"),
        (Role::Assistant, "Done."),
    ];
    assert_eq!(told, wanted);
    assert_eq!(Grok.transcript(dir.path(), cwd, "../01a1-7"), None);
    assert!(Grok.sessions(dir.path(), Path::new("/srv/other")).is_empty());
}

#[test]
fn its_list_of_processes_names_the_running_session() {
    let dir = tempfile::tempdir().unwrap();
    let own = std::process::id();
    let list = json!([{ "session_id": "of-another", "pid": 1, "cwd": "/srv" }, { "session_id": "ours", "pid": own }]);
    write(&dir.path().join("active_sessions.json"), &list.to_string());
    let look = |pid: u32| {
        let since = std::time::SystemTime::UNIX_EPOCH;
        let pid = Some(pid.cast_signed());
        Grok.running_session(&Running {
            pid,
            config_home: dir.path(),
            cwd: Path::new("/srv"),
            since,
            taken: &[],
        })
    };
    assert_eq!(look(own).as_deref(), Some("ours"));
    assert_eq!(look(std::os::unix::process::parent_id()).as_deref(), Some("ours"), "behind a wrapper");
    assert_eq!(look(own + 1_000_000), None);
}

#[test]
fn its_config_pins_every_request_to_the_route() {
    let furnished = Furnished::new();
    let plan = furnished.plan("grok", Home::Overlay { inherit_user: true }, true);
    let text = |name: &str| {
        let file = plan.files.iter().find(|f| f.path.ends_with(name)).unwrap();
        String::from_utf8_lossy(&file.contents).into_owned()
    };
    let config: toml::Table = text("grok/config.toml").parse().unwrap();
    let model = &config["model"]["wire-model"];
    assert_eq!(model["base_url"].as_str(), Some("http://127.0.0.1:7/v1"));
    assert_eq!(model["api_backend"].as_str(), Some("responses"));
    for key in ["default", "session_summary", "prompt_suggestion"] {
        assert_eq!(config["models"][key].as_str(), Some("wire-model"), "{key}");
    }
    assert!(
        config["ui"].get("permission_mode").is_none(),
        "an answer given once is no setting of this launch"
    );
    assert_eq!(config["ui"]["theme"].as_str(), Some("kept"));
    assert!(text("trusted_folders.toml").contains("trusted = true"));
}
