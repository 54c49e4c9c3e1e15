use super::*;
use crate::executors::furnished::write;
use serde_json::json;

fn class(path: &str, metadata: &str, helper: Option<&str>) -> Class {
    let header = |name: &str| match name {
        "x-codex-turn-metadata" => Some(metadata.to_owned()),
        "x-openai-subagent" => helper.map(str::to_owned),
        _ => None,
    };
    Codex.classify(&RequestFacts { path, header: &header, body: &Value::Null })
}

#[test]
fn only_the_persons_thread_is_main() {
    let path = "/v1/responses";
    assert_eq!(class(path, r#"{"thread_source": "user"}"#, None), Class::Main);
    assert_eq!(class(path, "not json", None), Class::Main);
    assert_eq!(class(path, r#"{"thread_source": "thread_title"}"#, None), Class::Side);
    assert_eq!(class(path, r#"{"thread_source": "guardian_review"}"#, Some("guardian")), Class::Side);
    assert_eq!(class(path, r#"{"thread_source": "subagent"}"#, None), Class::Subagent);
    assert_eq!(class("/v1/models", r#"{"thread_source": "user"}"#, None), Class::Side);
}

#[test]
fn the_thread_is_named_by_header_or_metadata() {
    let by = |wanted: &'static str, value: &'static str| {
        let header = move |name: &str| (name == wanted).then(|| value.to_owned());
        Codex.session_of(&RequestFacts { path: "/v1/responses", header: &header, body: &Value::Null })
    };
    assert_eq!(by("thread-id", "01a").as_deref(), Some("01a"));
    assert_eq!(by("x-codex-turn-metadata", r#"{"thread_id": "01b"}"#).as_deref(), Some("01b"));
    assert_eq!(by("other", "01c"), None);
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn its_status_sequence_comes_first_and_dialogs_before_its_idle() {
    let watch = |osc7501, title, bottom: &str| {
        let bottom = lines(bottom);
        let said = Codex.watch(&Signals { osc7501, title, bottom: &bottom, ..Signals::default() });
        said.map(|s| (s.status, s.source, s.detail))
    };
    let asking = "• Running touch x\n\n  Would you like to run the following command?\n\n  $ touch x\n› 1. Yes, proceed (y)";
    let blocked = watch(Some("state=blocked:app=codex:kind=permission"), "ws", asking).unwrap();
    assert_eq!((blocked.0, blocked.1), (Status::NeedsYou, StatusSource::Osc7501));
    assert!(blocked.2.contains("Would you like to run the following command? · $ touch x"), "{}", blocked.2);
    assert_eq!(watch(Some("state=working:app=codex"), "⠋ ws", "").unwrap().0, Status::Working);
    assert_eq!(
        watch(Some("state=working:app=codex"), "⠋ ws", "Reconnecting... 2/5").unwrap().0,
        Status::Retrying
    );
    assert_eq!(watch(Some("state=done:app=codex"), "ws", "").unwrap().0, Status::Idle);
    assert_eq!(
        watch(Some("state=idle:app=codex"), "ws", "  Trust this folder? Codex can read").unwrap().0,
        Status::NeedsYou
    );
    assert_eq!(watch(None, "⠹ ws", "").unwrap().1, StatusSource::Title);
    assert_eq!(watch(None, "[ ! ] Action Required | ws", "").unwrap().0, Status::NeedsYou);
    assert_eq!(watch(None, "", "› Ask Codex to do anything").unwrap().0, Status::Idle);
    assert_eq!(watch(None, "", "You've hit your usage limit. Try again at 9:15").unwrap().0, Status::Limited);
    assert_eq!(watch(None, "ws", ""), None);
}

#[test]
fn its_store_tells_the_persons_words_without_what_was_injected() {
    let dir = tempfile::tempdir().unwrap();
    let item = |payload: Value| json!({"type": "response_item", "payload": payload});
    let meta = |id: &str, source: &str, cwd: &str| json!({"type": "session_meta", "payload": {"id": id, "cwd": cwd, "thread_source": source}});
    let user = |text: &str| {
        item(json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}))
    };
    let marked = item(
        json!({"type": "message", "role": "user", "content": [{"text": "injected"}, {"text": "and then?"}],
        "internal_chat_message_metadata_passthrough": {"content_item_kinds": ["environment.context", "user.text"]}}),
    );
    let records = [
        meta("01aa", "user", "/srv/app"),
        user("<environment_context>\n <cwd>/srv/app</cwd>\n</environment_context>"),
        user("# AGENTS.md instructions for /srv/app\n\nbe brief"),
        user("count the files"),
        item(json!({"type": "function_call", "name": "exec_command", "arguments": "{\"cmd\":\"ls\"}"})),
        item(json!({"type": "function_call_output", "output": "two files"})),
        item(
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Two."}]}),
        ),
        marked,
        json!({"type": "event_msg", "payload": {"type": "task_complete"}}),
    ];
    let text = |records: &[Value]| records.iter().map(|r| format!("{r}\n")).collect::<String>();
    let day = dir.path().join("sessions/2026/11/20");
    write(&day.join("rollout-2026-11-20T09-34-45-01aa.jsonl"), &text(&records));
    write(
        &day.join("rollout-2026-11-20T09-34-46-01bb.jsonl"),
        &text(&[meta("01bb", "thread_title", "/srv/app"), user("t")]),
    );
    write(
        &day.join("rollout-2026-11-20T09-34-47-01cc.jsonl"),
        &text(&[meta("01cc", "user", "/elsewhere"), user("t")]),
    );
    let cwd = Path::new("/srv/app");
    let found = Codex.sessions(dir.path(), cwd);
    assert_eq!(
        found.iter().map(|s| (s.id.as_str(), s.title.as_str())).collect::<Vec<_>>(),
        [("01aa", "count the files")]
    );
    let told: Vec<String> =
        Codex.transcript(dir.path(), cwd, "01aa").unwrap().turns.into_iter().map(|t| t.text).collect();
    assert_eq!(told, ["count the files", "exec_command: {\"cmd\":\"ls\"}", "two files", "Two.", "and then?"]);
    assert_eq!(Codex.transcript(dir.path(), cwd, "01zz"), None);
}

#[test]
fn a_thread_of_another_provider_goes_on_in_a_copy() {
    let furnished = crate::executors::furnished::Furnished::new();
    let past = |id: &str, provider: &str| {
        let meta = json!({"type": "session_meta", "payload": {"id": id, "model_provider": provider}});
        let name = format!(".codex/sessions/2026/01/01/rollout-2026-01-01T00-00-00-{id}.jsonl");
        write(&furnished.home.join(name), &format!("{meta}\n"));
    };
    let (theirs, ours) = ("00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002");
    past(theirs, "openai");
    past(ours, overlay::PROVIDER);
    let resumed = |home, id: &str| {
        let plan = furnished.plan_with("codex", home, true, None, |request| {
            request.session = SessionChoice::Resume(id.into());
        });
        (plan.argv[1].clone(), plan.session.is_some())
    };
    let (copy, same) = (("fork".to_owned(), false), ("resume".to_owned(), true));
    let overlay = Home::Overlay { inherit_user: true };
    assert_eq!((resumed(overlay, theirs), resumed(overlay, ours)), (copy.clone(), same.clone()));
    assert_eq!((resumed(Home::Users, theirs), resumed(Home::Users, ours)), (same.clone(), copy));
    assert_eq!(resumed(overlay, "00000000-0000-7000-8000-000000000003"), same);
}

/// What a plan with typed control hands to the program that starts both, and where the protocol is spoken.
fn beside(plan: &LaunchPlan) -> Option<(crate::agent::codex::Beside, crate::agent::codex::Attach)> {
    let Some(crate::agent::control::Endpoint::Codex(attach)) = plan.control.clone() else { return None };
    assert_eq!(plan.argv[1], crate::agent::codex::ARGUMENT);
    let file = plan.files.iter().find(|file| file.path.ends_with("beside.json")).unwrap();
    Some((serde_json::from_slice(&file.contents).unwrap(), attach))
}

#[test]
fn on_an_app_server_a_new_thread_is_begun_as_ever_and_a_resumed_one_is_told_later() {
    let furnished = crate::executors::furnished::Furnished::new();
    let plan = |resumes: bool, trusted: bool| {
        furnished.plan_with("codex", Home::Empty, trusted, Some("go on"), |request| {
            request.control = true;
            request.permission = Permission::Readonly;
            if resumes {
                request.session = SessionChoice::Resume("01a1".into());
            }
        })
    };
    let (new, attach) = beside(&plan(false, true)).unwrap();
    let address = format!("unix://{}", attach.socket.display());
    assert_eq!(new.serve[1..], ["app-server", "--listen", &address]);
    assert_eq!(new.attach[1..3], ["--remote", &address]);
    assert_eq!(new.attach[3..], ["-a", "never", "-s", "read-only", "-m", "wire-model", "--", "go on"]);
    assert_eq!(new.alone[1..2], ["--no-daemon"]);
    assert_eq!(new.alone[2..], new.attach[3..]);
    assert_eq!((attach.thread, attach.permission), (None, None));

    let planned = plan(true, true);
    let (resumed, attach) = beside(&planned).unwrap();
    assert_eq!(resumed.attach[3..], ["resume", "-m", "wire-model", "--", "01a1"]);
    assert_eq!((attach.thread.as_deref(), attach.permission), (Some("01a1"), Some(Permission::Readonly)));
    assert!(!planned.prompt_delivered, "what it may do is said before the prompt");

    // It would not ask whether the directory is trusted.
    assert!(beside(&plan(false, false)).is_none());
}

#[test]
fn under_login_codex_is_left_to_ask_about_trust_itself() {
    let furnished = crate::executors::furnished::Furnished::new();
    let control = || {
        let plan = furnished.plan_with("codex", Home::Users, true, None, |request| request.control = true);
        beside(&plan).map(|(_, attach)| attach.permission)
    };
    let config = furnished.home.join(".codex/config.toml");
    write(&config, "");
    assert_eq!(control(), None);
    write(&config, &format!("[projects.\"{}\"]\ntrust_level = \"untrusted\"\n", furnished.cwd.display()));
    assert_eq!(control(), Some(None));
}
