use super::*;

const TOOL: &str = include_str!("turn-tool.jsonl");
const RETRY: &str = include_str!("turn-retry.jsonl");
const REFUSED: &str = include_str!("turn-401.jsonl");
const QUESTION: &str = include_str!("turn-question.jsonl");

/// A moment before the recorded retry's next attempt.
const THEN: u64 = 1_795_162_233_500;

/// What is shown after each recorded event, without repetitions.
fn timeline(recorded: &str) -> (Watched, Vec<Doing>) {
    let (mut watched, mut shown) = (Watched::default(), Vec::new());
    for line in recorded.lines() {
        watched.take(&serde_json::from_str(line).unwrap());
        let doing = watched.doing(THEN);
        if shown.last() != Some(&doing) {
            shown.push(doing);
        }
    }
    (watched, shown)
}

fn idle() -> Doing {
    Doing::Idle(None)
}

fn works() -> Doing {
    Doing::Working("a turn runs")
}

fn asked(recorded: &str) -> Asked {
    let found = timeline(recorded).1.into_iter().find_map(|doing| match doing {
        Doing::Asks(asked) => Some(asked),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn a_permission_is_asked_answered_and_the_turn_goes_on() {
    let (watched, shown) = timeline(TOOL);
    let asks = Doing::Asks(asked(TOOL));
    assert_eq!(shown, [idle(), works(), asks, works(), idle()]);
    assert_eq!(asked(TOOL).what, "bash: echo made-by-mock-0 > mock_made.txt && ls mock_made.txt");
    assert_eq!(watched.model(), Some("mockoai/kimi-k2.5"));
    assert_eq!(watched.main(), Some("ses_e07fe7b8fffeudXCWubmPkJxAt"));
}

#[test]
fn a_question_names_its_choices() {
    let (_, shown) = timeline(QUESTION);
    assert_eq!(shown, [idle(), works(), Doing::Asks(asked(QUESTION)), works(), idle()]);
    let asked = asked(QUESTION);
    assert_eq!((asked.what.as_str(), asked.kind), ("Which one?", Kind::Question));
    assert_eq!(asked.choices, ["A", "B"]);
}

#[test]
fn a_retry_says_why_and_until_when_and_a_long_one_is_a_limit() {
    let (_, shown) = timeline(RETRY);
    let retry = Doing::Retrying("mock 429 (attempt 1 failed)".into(), 1_795_162_235_813);
    assert_eq!(shown, [idle(), works(), retry, works(), idle()]);
    let mut watched = Watched::default();
    let late = json!({ "type": "retry", "attempt": 1, "message": "used up", "next": THEN + LONG_WAIT + 1 });
    watched
        .take(&json!({ "type": "session.status", "properties": { "sessionID": "ses_1", "status": late } }));
    assert_eq!(watched.doing(THEN), Doing::Limited("used up".into(), THEN + LONG_WAIT + 1));
}

#[test]
fn a_refused_key_is_told_until_the_next_prompt() {
    let (mut watched, shown) = timeline(REFUSED);
    assert_eq!(shown.last(), Some(&Doing::Idle(Some("mock 401".into()))));
    let next = json!({ "type": "message.updated", "properties": {
        "sessionID": "ses_2", "info": { "role": "user", "model": { "providerID": "p", "modelID": "m/n" } } } });
    assert!(watched.take(&next));
    assert_eq!(watched.doing(THEN), idle());
    assert_eq!((watched.main(), watched.model()), (Some("ses_2"), Some("p/m/n")));
}

#[test]
fn an_interruption_is_no_failure() {
    let mut watched = Watched::default();
    let error = json!({ "name": INTERRUPTED, "data": { "message": "Aborted" } });
    let event = json!({ "type": "session.error", "properties": { "sessionID": "ses_1", "error": error } });
    assert!(!watched.take(&event));
    assert_eq!(watched.doing(THEN), idle());
}

#[test]
fn a_sub_agent_at_work_is_not_idle_and_is_not_the_panes_session() {
    let mut watched = Watched::default();
    let event = |kind: &str, properties: Value| json!({ "type": kind, "properties": properties });
    watched.in_session("ses_1");
    watched.take(&event(
        "session.created",
        json!({ "sessionID": "ses_2", "info": { "id": "ses_2", "parentID": "ses_1" } }),
    ));
    watched.take(&event("message.updated", json!({ "sessionID": "ses_2", "info": { "role": "user" } })));
    let status =
        |kind: &str| event("session.status", json!({ "sessionID": "ses_2", "status": { "type": kind } }));
    watched.take(&status("busy"));
    assert_eq!(watched.doing(THEN), Doing::Working("a sub-agent is at work"));
    assert_eq!(watched.main(), Some("ses_1"));
    let asks = json!({ "id": "per_1", "sessionID": "ses_2", "permission": "edit",
        "metadata": { "filepath": "src/a.rs", "diff": "+x" } });
    watched.take(&event("permission.asked", asks));
    assert!(matches!(watched.doing(THEN), Doing::Asks(asked) if asked.what == "edit: src/a.rs"));
    watched.take(&status("idle"));
    assert_eq!(watched.doing(THEN), idle(), "a turn that ended asks nothing any more");
}

#[test]
fn who_comes_late_is_told_what_runs_and_what_is_asked() {
    let mut watched = Watched::default();
    watched.in_session("ses_1");
    let asked =
        json!([{ "id": "per_1", "sessionID": "ses_1", "permission": "bash", "patterns": ["a", "b"] }]);
    watched.seed(&json!([{ "id": "ses_1" }]), &json!({ "ses_1": { "type": "busy" } }), &asked, &json!([]));
    assert!(matches!(watched.doing(THEN), Doing::Asks(asked) if asked.what == "bash: a, b"));
    assert_eq!(watched.main(), Some("ses_1"));
    watched.seed(&json!([]), &json!({}), &json!([]), &json!([]));
    assert_eq!(watched.doing(THEN), idle());
}

#[test]
fn answers_are_the_ones_that_were_recorded() {
    let (tool, question) = (asked(TOOL), asked(QUESTION));
    let post = |path: &str, body: Value| Call { post: true, path: path.to_owned(), body };
    let path = "/permission/per_1f8018b3c001vxikd3OJk8dYFU/reply";
    assert_eq!(approve(&tool, false), Ok(post(path, json!({ "reply": "once" }))));
    assert_eq!(approve(&tool, true), Ok(post(path, json!({ "reply": "always" }))));
    assert_eq!(
        deny(&tool, Some("not here")),
        Ok(post(path, json!({ "reply": "reject", "message": "not here" })))
    );
    let path = "/question/que_1f801e8ff0012DVCoaySiblK5o";
    assert_eq!(answer(&question, "A"), Ok(post(&format!("{path}/reply"), json!({ "answers": [["A"]] }))));
    assert_eq!(deny(&question, None), Ok(post(&format!("{path}/reject"), json!({}))));
    assert!(approve(&question, false).is_err() && answer(&tool, "A").is_err());
    assert_eq!(interrupt("ses_1"), Ok(post("/session/ses_1/abort", json!({}))));
    let body = json!({ "parts": [{ "type": "text", "text": "go" }], "model": { "providerID": "p", "modelID": "m/n" } });
    assert_eq!(prompt("ses_1", "go", Some("p/m/n")), Ok(post("/session/ses_1/prompt_async", body)));
    for odd in ["", "../x", "a b", "ses/1"] {
        assert!(interrupt(odd).is_err(), "{odd:?}");
    }
}

#[test]
fn its_models_are_named_with_their_providers() {
    let listed = json!({ "providers": [{ "id": "b", "models": { "two": {}, "one": {} } }, { "id": "a", "models": { "x/y": {} } }] });
    assert_eq!(models(&listed), ["a/x/y", "b/one", "b/two"]);
    assert!(models(&Value::Null).is_empty());
}
