use super::thread::{Heard, Thread};
use crate::{
    agent::control::{About, Ended, Event, Order, Standing, Verdict},
    state::{Permission, Status},
};
use serde_json::{Value, json};

const MAIN: &str = "01a1-main";

/// A thread that said hello, and what it was told to do.
fn greeted(wanted: Option<&str>, permission: Option<Permission>) -> (Thread, Heard) {
    let mut thread = Thread::new(wanted.map(str::to_owned), permission);
    assert_eq!(thread.hello()["method"], "initialize");
    let heard = thread.heard(&json!({ "id": 1, "result": {} }));
    assert_eq!(heard.say[0], json!({ "method": "initialized" }));
    (thread, heard)
}

fn notice(method: &str, params: Value) -> Value {
    json!({ "method": method, "params": params })
}

fn started(id: &str, source: &str, ephemeral: bool, parent: Option<&str>) -> Value {
    notice(
        "thread/started",
        json!({ "thread": {
            "id": id, "threadSource": source, "ephemeral": ephemeral, "parentThreadId": parent, "model": "gpt-5.4",
        } }),
    )
}

fn status(id: &str, kind: &str, flags: &[&str]) -> Value {
    notice(
        "thread/status/changed",
        json!({ "threadId": id, "status": { "type": kind, "activeFlags": flags } }),
    )
}

/// A thread whose turn runs and that is subscribed to.
fn working() -> Thread {
    let (mut thread, _) = greeted(None, None);
    thread.heard(&started(MAIN, "user", false, None));
    let heard = thread.heard(&status(MAIN, "active", &[]));
    let ask = heard.say[0].clone();
    assert_eq!(
        (ask["method"].clone(), ask["params"]["threadId"].clone()),
        (json!("thread/resume"), json!(MAIN))
    );
    assert_eq!(heard.tell, [Event::TurnStarted]);
    let thread_now = json!({ "id": MAIN, "threadSource": "user", "status": { "type": "active" } });
    thread.heard(&json!({ "id": ask["id"], "result": { "thread": thread_now, "model": "gpt-5.4" } }));
    thread
}

fn asks(thread: &mut Thread) -> Heard {
    thread.heard(&json!({
        "id": 0, "method": "item/commandExecution/requestApproval",
        "params": { "threadId": MAIN, "turnId": "t1", "itemId": "c1", "reason": "it writes outside",
            "command": "/bin/bash -lc 'touch /x'", "commandActions": [{ "type": "unknown", "command": "touch /x" }] },
    }))
}

#[test]
fn a_new_thread_is_awaited_and_listened_to_from_its_first_turn() {
    let (mut thread, heard) = greeted(None, None);
    assert_eq!(heard.say[1]["method"], "thread/loaded/list");
    let id = heard.say[1]["id"].clone();
    assert_eq!(thread.heard(&json!({ "id": id, "result": { "data": [] } })).tell, [Event::Attached]);
    let told = thread.heard(&started(MAIN, "user", false, None)).tell;
    assert!(told.contains(&Event::Session { id: MAIN.into(), model: Some("gpt-5.4".into()) }), "{told:?}");
    // The vendor's own threads are nobody's turn.
    assert_eq!(thread.heard(&started("title", "thread_title", true, None)), Heard::default());
    assert_eq!(thread.heard(&status("title", "active", &[])), Heard::default());
    assert_eq!(thread.heard(&status(MAIN, "active", &[])).tell, [Event::TurnStarted]);
    // A turn that is over before anybody listened is over as well.
    assert_eq!(thread.heard(&status(MAIN, "idle", &[])).tell, [Event::TurnEnded(Ended::Done)]);
}

#[test]
fn a_command_is_approved_or_denied_once() {
    for (verdict, word) in [
        (Verdict::Approve, "accept"),
        (Verdict::ApproveForSession, "acceptForSession"),
        (Verdict::Deny, "decline"),
    ] {
        let mut thread = working();
        let Some(Event::Asked(question)) = asks(&mut thread).tell.pop() else { panic!("it asks") };
        assert_eq!((question.about, question.what.as_str()), (About::Command, "touch /x"));
        let answer = Order::Answer { question: question.id.clone(), verdict };
        let (said, awaited) = thread.order(&answer).unwrap();
        assert_eq!(said, json!({ "id": 0, "result": { "decision": word } }));
        assert_eq!(awaited, None);
        let resolved = notice("serverRequest/resolved", json!({ "threadId": MAIN, "requestId": 0 }));
        assert_eq!(thread.heard(&resolved).tell, [Event::Answered { id: question.id }]);
        assert!(thread.order(&answer).unwrap_err().contains("already"));
    }
}

#[test]
fn what_needs_more_than_yes_is_left_to_the_tui() {
    let mut thread = working();
    let asked = thread.heard(&json!({
        "id": 4, "method": "item/tool/requestUserInput",
        "params": { "threadId": MAIN, "questions": [{ "question": "Which one?" }] },
    }));
    let Event::Asked(question) = &asked.tell[0] else { panic!("{asked:?}") };
    assert_eq!((question.about, question.line().as_str()), (About::Choice, "Which one?"));
    let answer = Order::Answer { question: question.id.clone(), verdict: Verdict::Approve };
    assert!(thread.order(&answer).unwrap_err().contains("in its pane"));
    // What the client of the account is asked is not a person's question.
    let own = json!({ "id": 5, "method": "account/chatgptAuthTokens/refresh", "params": {} });
    assert_eq!(thread.heard(&own), Heard::default());
}

#[test]
fn orders_name_the_thread_and_its_turn() {
    let (mut nobody, _) = greeted(None, None);
    assert!(nobody.order(&Order::Prompt("x".into())).is_err());
    let mut thread = working();
    assert!(thread.order(&Order::Interrupt).is_err(), "the turn is not known yet");
    thread.heard(&notice("thread/tokenUsage/updated", json!({ "threadId": MAIN, "turnId": "t1" })));
    let (said, awaited) = thread.order(&Order::Interrupt).unwrap();
    assert_eq!(said["params"], json!({ "threadId": MAIN, "turnId": "t1" }));
    let refused = json!({ "id": awaited, "error": { "code": -32600, "message": "no active turn" } });
    assert_eq!(thread.heard(&refused).answered, awaited.map(|id| (id, Err("no active turn".into()))));
    let params = |thread: &mut Thread, order: Order| {
        let (said, _) = thread.order(&order).unwrap();
        (said["method"].as_str().unwrap().to_owned(), said["params"].clone())
    };
    let (method, said) = params(&mut thread, Order::Prompt("do it".into()));
    assert_eq!((method.as_str(), &said["input"][0]["text"]), ("turn/start", &json!("do it")));
    let (method, said) = params(&mut thread, Order::Queue("later".into()));
    assert_eq!((method.as_str(), &said["input"][0]["text"]), ("thread/queue/add", &json!("later")));
    let (method, said) = params(&mut thread, Order::Model("gpt-x".into()));
    assert_eq!((method.as_str(), &said["model"]), ("thread/settings/update", &json!("gpt-x")));
}

#[test]
fn a_resumed_thread_is_told_what_it_may_do_where_that_differs() {
    let resumed = |sandbox: &str, approval: &str| {
        let (mut thread, heard) = greeted(Some(MAIN), Some(Permission::Readonly));
        assert_eq!(heard.say[1]["params"]["threadId"], MAIN);
        let result = json!({
            "thread": { "id": MAIN, "threadSource": "user", "status": { "type": "idle" } },
            "approvalPolicy": approval, "sandbox": { "type": sandbox }, "model": "m",
        });
        thread.heard(&json!({ "id": heard.say[1]["id"], "result": result })).say
    };
    assert_eq!(resumed("readOnly", "never"), Vec::<Value>::new());
    let told = resumed("dangerFullAccess", "never");
    assert_eq!(
        told[0]["params"],
        json!({ "threadId": MAIN, "approvalPolicy": "never", "sandboxPolicy": { "type": "readOnly" } })
    );
    let told = resumed("readOnly", "on-request");
    assert_eq!(told[0]["params"], json!({ "threadId": MAIN, "approvalPolicy": "never" }));
}

/// What a course of notices adds up to.
fn stands(thread: &mut Thread, notices: &[Value]) -> (Status, String) {
    let mut standing = Standing::default();
    standing.apply(&Event::TurnStarted);
    for message in notices {
        thread.heard(message).tell.iter().for_each(|event| standing.apply(event));
    }
    let report = standing.report().unwrap();
    (report.status, report.detail)
}

fn item(method: &str, kind: &str, id: &str) -> Value {
    let command = [json!({ "command": "make" })];
    notice(method, json!({ "threadId": MAIN, "item": { "type": kind, "id": id, "commandActions": command } }))
}

fn completed(status: &str, error: Value) -> Value {
    notice(
        "turn/completed",
        json!({ "threadId": MAIN, "turn": { "id": "t1", "status": status, "error": error } }),
    )
}

#[test]
fn a_command_in_the_background_outlives_its_turn() {
    let begin = [item("item/started", "commandExecution", "c1"), completed("completed", Value::Null)];
    assert_eq!(stands(&mut working(), &begin), (Status::Working, "still runs make".into()));
    let over =
        begin.into_iter().chain([item("item/completed", "commandExecution", "c1")]).collect::<Vec<_>>();
    assert_eq!(stands(&mut working(), &over).0, Status::Idle);
}

#[test]
fn a_sub_agent_works_beside_the_turn_and_its_questions_are_heard() {
    let mut thread = working();
    let begin = [started("sub", "subagent", false, Some(MAIN)), status("sub", "active", &[])];
    let (state, what) = stands(
        &mut thread,
        &begin.iter().cloned().chain([completed("completed", Value::Null)]).collect::<Vec<_>>(),
    );
    assert_eq!((state, what.as_str()), (Status::Working, "a sub-agent is at work"));
    let waits = thread.heard(&status("sub", "active", &["waitingOnApproval"]));
    assert_eq!(waits.say[0]["params"]["threadId"], "sub");
    let over = thread.heard(&status("sub", "idle", &[])).tell;
    assert_eq!(over, [Event::BesideEnded { id: "sub".into() }]);
}

#[test]
fn failures_are_retries_until_they_are_limits_or_ends() {
    let failed = |again: bool, info: Value| {
        let error = json!({ "message": "Reconnecting... 1/5", "codexErrorInfo": info, "additionalDetails": "429 Too Many" });
        notice("error", json!({ "threadId": MAIN, "willRetry": again, "error": error }))
    };
    let busy = json!({ "responseStreamDisconnected": { "httpStatusCode": 429 } });
    let again = failed(true, busy.clone());
    assert_eq!(
        stands(&mut working(), std::slice::from_ref(&again)),
        (Status::Retrying, "429 Too Many".into())
    );
    let answers = item("item/started", "agentMessage", "m1");
    assert_eq!(stands(&mut working(), &[again, answers]).0, Status::Working);
    let told = json!({ "message": "You've hit your usage limit", "codexErrorInfo": "usageLimitExceeded" });
    let limits = notice(
        "account/rateLimits/updated",
        json!({ "rateLimits": { "primary": { "usedPercent": 100, "windowDurationMins": 300, "resetsAt": 1_795_164_750 } } }),
    );
    let mut thread = working();
    let course = [limits, failed(false, busy), completed("failed", told)];
    assert_eq!(stands(&mut thread, &course).0, Status::Limited);
    let broken = json!({ "message": "bad request", "codexErrorInfo": "badRequest" });
    let (state, why) = stands(&mut working(), &[completed("failed", broken)]);
    assert_eq!((state, why.as_str()), (Status::Idle, "the turn failed: bad request"));
    assert_eq!(stands(&mut working(), &[completed("interrupted", Value::Null)]).0, Status::Idle);
}

#[test]
fn another_thread_in_the_tui_is_followed() {
    let mut thread = working();
    let told = thread.heard(&started("second", "user", false, None)).tell;
    assert_eq!(told[0], Event::TurnEnded(Ended::Interrupted));
    assert!(told.contains(&Event::Session { id: "second".into(), model: Some("gpt-5.4".into()) }));
    assert_eq!(thread.heard(&completed("completed", Value::Null)), Heard::default());
    // One that was picked from a list is not announced: it is asked for.
    let heard = thread.heard(&status("third", "active", &[]));
    assert_eq!(heard.say[0]["params"]["threadId"], "third");
    let result =
        json!({ "thread": { "id": "third", "threadSource": "user", "status": { "type": "active" } } });
    let told = thread.heard(&json!({ "id": heard.say[0]["id"], "result": result })).tell;
    assert!(told.contains(&Event::TurnStarted), "{told:?}");
}

#[test]
fn a_thread_that_is_there_before_us_is_known_though_nothing_of_it_is_written_down() {
    let (mut thread, heard) = greeted(None, None);
    assert!(!thread.misses_thread(), "it was asked for");
    thread.heard(&json!({ "id": heard.say[1]["id"], "result": { "data": [] } }));
    assert!(thread.misses_thread());
    let again = thread.look_again();
    let listed = thread.heard(&json!({ "id": again["id"], "result": { "data": [MAIN] } }));
    let ask = &listed.say[0];
    assert_eq!(ask["method"], "thread/resume");
    let error = json!({ "code": -32600, "message": "no rollout found" });
    let refused = thread.heard(&json!({ "id": ask["id"], "error": error }));
    assert_eq!(refused.say[0]["method"], "thread/read");
    let now = json!({ "id": MAIN, "threadSource": "user", "status": { "type": "idle" }, "model": "m" });
    let told = thread.heard(&json!({ "id": refused.say[0]["id"], "result": { "thread": now } })).tell;
    assert_eq!(told, [Event::Attached, Event::Session { id: MAIN.into(), model: Some("m".into()) }]);
    assert!(!thread.misses_thread() && thread.order(&Order::Prompt("x".into())).is_ok());
    assert_eq!(thread.heard(&status(MAIN, "active", &[])).say[0]["method"], "thread/resume");
}
