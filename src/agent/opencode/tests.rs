use super::*;
use crate::{
    agent::control::{Handle, Order, Standing},
    state::Status,
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

const TOOL: &str = include_str!("turn-tool.jsonl");
const RETRY: &str = include_str!("turn-retry.jsonl");
const REFUSED: &str = include_str!("turn-401.jsonl");
const QUESTION: &str = include_str!("turn-question.jsonl");

/// A moment before the recorded retry's next attempt.
const THEN: u64 = 1_795_162_233_500;
const SESSION: &str = "ses_e07fe7b8fffeudXCWubmPkJxAt";

fn event(kind: &str, properties: Value) -> Value {
    json!({ "type": kind, "properties": properties })
}

/// The statuses after each recorded event without repetitions, and all that was told.
fn timeline(recorded: &str) -> (Vec<(Status, String)>, Vec<Event>) {
    let (mut watched, mut standing) = (Watched::default(), Standing::default());
    standing.apply(&Event::Attached);
    let (mut shown, mut told) = (Vec::new(), Vec::new());
    for line in recorded.lines() {
        for event in watched.take(&serde_json::from_str(line).unwrap(), THEN) {
            standing.apply(&event);
            told.push(event);
        }
        let report = standing.report().map(|report| (report.status, report.detail)).unwrap();
        if shown.last() != Some(&report) {
            shown.push(report);
        }
    }
    (shown, told)
}

fn said(status: Status, detail: &str) -> (Status, String) {
    (status, detail.to_owned())
}

fn ready() -> (Status, String) {
    said(Status::Idle, "it takes a prompt")
}

fn works() -> (Status, String) {
    said(Status::Working, "a turn runs")
}

#[test]
fn a_permission_is_asked_answered_and_the_turn_goes_on() {
    let (shown, told) = timeline(TOOL);
    let line = "echo made-by-mock-0 > mock_made.txt && ls mock_made.txt";
    let runs = said(Status::Working, &format!("bash {line}"));
    let asks = said(Status::NeedsYou, &format!("run {line}"));
    assert_eq!(shown, [ready(), works(), runs.clone(), asks, runs, works(), ready()]);
    let session = Event::Session { id: SESSION.into(), model: Some("mockoai/kimi-k2.5".into()) };
    assert_eq!(
        told.iter().filter(|event| matches!(event, Event::Session { .. })).collect::<Vec<_>>(),
        [&session]
    );
    let words: Vec<&Event> =
        told.iter().filter(|event| matches!(event, Event::Prompted(_) | Event::Said(_))).collect();
    let answers = ["I will use a tool. ", "Done: the tool has run."].map(|text| Event::Said(text.into()));
    assert_eq!(words, [&Event::Prompted("MOCK:tool via api".into()), &answers[0], &answers[1]]);
}

#[test]
fn a_question_names_its_choices() {
    let (shown, _) = timeline(QUESTION);
    assert!(shown.contains(&said(Status::NeedsYou, "Which one? A / B")), "{shown:?}");
    assert_eq!(shown.last(), Some(&ready()));
}

#[test]
fn a_retry_says_why_and_a_long_one_is_a_limit() {
    let (shown, _) = timeline(RETRY);
    let retries = said(Status::Retrying, "mock 429 (attempt 1 failed)");
    assert_eq!(shown, [ready(), works(), retries, works(), ready()]);
    let late = json!({ "type": "retry", "attempt": 1, "message": "used up", "next": THEN + LONG_WAIT + 1 });
    let status = event("session.status", json!({ "sessionID": "ses_1", "status": late }));
    let told = Watched::default().take(&status, THEN);
    let resets = Some((THEN + LONG_WAIT + 1) / 1000);
    assert_eq!(told, [Event::TurnStarted, Event::Limited { why: "used up".into(), resets }]);
}

#[test]
fn a_refused_key_fails_the_turn_and_an_interruption_does_not() {
    let (shown, _) = timeline(REFUSED);
    let failed = crate::state::StatusReport::failure_detail("mock 401");
    assert_eq!(shown.last(), Some(&(Status::Idle, failed)));
    let mut watched = Watched::default();
    let status =
        |kind: &str| event("session.status", json!({ "sessionID": "ses_1", "status": { "type": kind } }));
    watched.take(&status("busy"), THEN);
    let error = json!({ "name": INTERRUPTED, "data": { "message": "Aborted" } });
    assert!(
        watched
            .take(&event("session.error", json!({ "sessionID": "ses_1", "error": error })), THEN)
            .is_empty()
    );
    assert_eq!(watched.take(&status("idle"), THEN), [Event::TurnEnded(Ended::Interrupted)]);
}

#[test]
fn a_sub_agent_at_work_is_beside_the_turn_and_is_not_the_panes_session() {
    let mut watched = Watched::new(Some("ses_1"));
    let child = json!({ "sessionID": "ses_2", "info": { "id": "ses_2", "parentID": "ses_1" } });
    watched.take(&event("session.created", child), THEN);
    watched
        .take(&event("message.updated", json!({ "sessionID": "ses_2", "info": { "role": "user" } })), THEN);
    let status =
        |kind: &str| event("session.status", json!({ "sessionID": "ses_2", "status": { "type": kind } }));
    let what = "a sub-agent is at work".to_owned();
    assert_eq!(watched.take(&status("busy"), THEN), [Event::BesideStarted { id: "ses_2".into(), what }]);
    assert!(!watched.in_turn() && watched.main() == Some("ses_1"));
    let asks = json!({ "id": "per_1", "sessionID": "ses_2", "permission": "edit",
        "metadata": { "filepath": "src/a.rs", "diff": "+x" } });
    let [Event::Asked(asked)] = &watched.take(&event("permission.asked", asks), THEN)[..] else { panic!() };
    assert_eq!(asked.line(), "change src/a.rs · a sub-agent asks");
    let over = [Event::Answered { id: "per_1".into() }, Event::BesideEnded { id: "ses_2".into() }];
    assert_eq!(watched.take(&status("idle"), THEN), over, "a turn that ended asks nothing any more");
}

#[test]
fn who_comes_late_is_told_what_runs_and_what_is_asked_and_later_that_it_is_over() {
    let mut watched = Watched::new(None);
    let asked =
        json!([{ "id": "per_1", "sessionID": "ses_1", "permission": "bash", "patterns": ["a", "b"] }]);
    let busy = json!({ "ses_1": { "type": "busy" } });
    let told = watched.seed(&json!([{ "id": "ses_1" }]), &busy, &asked, &json!([]), THEN);
    assert!(matches!(&told[..], [Event::TurnStarted, Event::Asked(asked)] if asked.line() == "run a, b"));
    let told = watched.seed(&json!([]), &json!({}), &json!([]), &json!([]), THEN);
    assert_eq!(told, [Event::Answered { id: "per_1".into() }, Event::TurnEnded(Ended::Done)]);
}

#[test]
fn answers_are_the_ones_that_were_recorded() {
    let post = |path: &str, body: Value| Call { post: true, path: path.to_owned(), body };
    let mut watched = Watched::default();
    let asks =
        |kind: &str, id: &str| event(kind, json!({ "id": id, "sessionID": "ses_1", "questions": [{}] }));
    watched.take(&asks("permission.asked", "per_1"), THEN);
    watched.take(&asks("question.asked", "que_1"), THEN);
    for (verdict, word) in
        [(Verdict::Approve, "once"), (Verdict::ApproveForSession, "always"), (Verdict::Deny, "reject")]
    {
        let wanted = post("/permission/per_1/reply", json!({ "reply": word }));
        assert_eq!(watched.answer("per_1", verdict), Ok(wanted));
    }
    assert_eq!(watched.answer("que_1", Verdict::Deny), Ok(post("/question/que_1/reject", json!({}))));
    assert!(watched.answer("que_1", Verdict::Approve).unwrap_err().contains("in the pane"));
    let replied = event("permission.replied", json!({ "sessionID": "ses_1", "requestID": "per_1" }));
    assert_eq!(watched.take(&replied, THEN), [Event::Answered { id: "per_1".into() }]);
    assert!(watched.answer("per_1", Verdict::Approve).is_err());
    assert_eq!(interrupt("ses_1"), Ok(post("/session/ses_1/abort", json!({}))));
    for odd in ["", "../x", "a b", "ses/1"] {
        assert!(interrupt(odd).is_err() && prompt(odd, "go").is_err(), "{odd:?}");
    }
}

#[test]
fn its_models_are_named_with_their_providers() {
    let listed = json!({ "providers": [
        { "id": "b", "models": { "two": {}, "one": {} } }, { "id": "a", "models": { "x/y": {} } }] });
    assert_eq!(models(&listed), ["a/x/y", "b/one", "b/two"]);
    assert!(models(&Value::Null).is_empty());
}

/// A stand-in for its server: tells what it is given as events and keeps what it is asked.
struct StandIn {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    events: mpsc::Sender<String>,
}

impl StandIn {
    fn new(password: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (events, given) = mpsc::channel::<String>();
        let (given, kept) = (Arc::new(Mutex::new(given)), Arc::clone(&asked));
        use base64::Engine;
        let key = base64::engine::general_purpose::STANDARD.encode(format!("opencode:{password}"));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (given, kept, key) = (Arc::clone(&given), Arc::clone(&kept), key.clone());
                thread::spawn(move || serve(stream, &given, &kept, &key));
            }
        });
        Self { port, asked, events }
    }

    /// Tells an event, or closes the stream of events with an empty one.
    fn tell(&self, event: &str) {
        self.events.send(event.to_owned()).unwrap();
    }

    fn posted(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|line| line.starts_with("POST ")).cloned().collect()
    }
}

fn serve(mut stream: TcpStream, given: &Mutex<mpsc::Receiver<String>>, kept: &Mutex<Vec<String>>, key: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut first, mut length, mut known) = (String::new(), 0, false);
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                break;
            }
            let (name, value) = line.trim().split_once(": ").unwrap();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => known = value.strip_prefix("Basic ") == Some(key),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        kept.lock()
            .unwrap()
            .push(format!("{method} {path} {}", String::from_utf8_lossy(&body)).trim().to_owned());
        let head = |status: &str, more: &str| format!("HTTP/1.1 {status}\r\n{more}\r\n");
        if !known {
            let _ = stream.write_all(head("401 Unauthorized", "content-length: 0\r\n").as_bytes());
            continue;
        }
        if path == "/event" {
            let _ = stream.write_all(
                head("200 OK", "content-type: text/event-stream\r\nconnection: close\r\n").as_bytes(),
            );
            while let Ok(event) = given.lock().unwrap().recv() {
                if event.is_empty() {
                    let _ = stream.shutdown(std::net::Shutdown::Both);
                    return;
                }
                let _ = stream.write_all(format!("data: {event}\n\n").as_bytes());
            }
            return;
        }
        let answer = if path == "/session/status" {
            "{}"
        } else if method == "GET" {
            "[]"
        } else {
            "true"
        };
        let more = format!("content-type: application/json\r\ncontent-length: {}\r\n", answer.len());
        let _ = stream.write_all((head("200 OK", &more) + answer).as_bytes());
    }
}

/// Runs the client beside a stand-in until `work` has ended.
fn beside<T>(
    stand_in: &StandIn,
    password: &str,
    work: impl AsyncFnOnce(&Handle, &mut tokio::sync::mpsc::Receiver<Event>) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (handle, orders) = Handle::new();
        let (tell, mut told) = tokio::sync::mpsc::channel(8);
        let access = Access { port: stand_in.port, password: password.to_owned(), session: None };
        let client = tokio::spawn(run(access, orders, tell));
        let result = work(&handle, &mut told).await;
        drop(handle);
        // Whoever leaves does not listen either.
        drop(told);
        tokio::time::timeout(Duration::from_secs(60), client).await.expect("the client ends").unwrap();
        result
    })
}

async fn until(told: &mut tokio::sync::mpsc::Receiver<Event>, wanted: impl Fn(&Event) -> bool) -> Event {
    let search = async {
        loop {
            let event = told.recv().await.expect("the client goes on");
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), search).await.expect("it is told")
}

#[test]
fn a_permission_is_answered_over_the_wire_and_a_broken_stream_is_opened_again() {
    let stand_in = StandIn::new("secret");
    let (asks, rest): (Vec<&str>, Vec<&str>) =
        TOOL.lines().partition(|line| !line.contains("permission.replied") && !line.contains("session.idle"));
    beside(&stand_in, "secret", async |handle, told| {
        until(told, |event| *event == Event::Attached).await;
        assert!(handle.give(Order::Interrupt).await.unwrap_err().contains("no turn"));
        let before: Vec<&str> = asks.iter().copied().take_while(|line| !line.contains("\"idle\"")).collect();
        before.iter().for_each(|line| stand_in.tell(line));
        let Event::Asked(asked) = until(told, |event| matches!(event, Event::Asked(_))).await else {
            panic!()
        };
        let answer = Order::Answer { question: asked.id.clone(), verdict: Verdict::Approve };
        handle.give(answer).await.unwrap();
        handle.give(Order::Queue("and then".into())).await.unwrap();
        handle.give(Order::Interrupt).await.unwrap();
        assert!(handle.give(Order::Model("m".into())).await.is_err());
        rest.iter().for_each(|line| stand_in.tell(line));
        until(told, |event| matches!(event, Event::TurnEnded(_))).await;
        handle.give(Order::Prompt("at once".into())).await.unwrap();
        stand_in.tell("");
        until(told, |event| *event == Event::Attached).await;
    });
    let session = format!("POST /session/{SESSION}");
    assert_eq!(
        stand_in.posted(),
        [
            "POST /permission/per_1f8018b3c001vxikd3OJk8dYFU/reply {\"reply\":\"once\"}".to_owned(),
            format!("{session}/abort {{}}"),
            format!("{session}/prompt_async {{\"parts\":[{{\"type\":\"text\",\"text\":\"and then\"}}]}}"),
            format!("{session}/prompt_async {{\"parts\":[{{\"type\":\"text\",\"text\":\"at once\"}}]}}"),
        ]
    );
}

#[test]
fn on_the_first_screen_a_prompt_goes_by_way_of_the_tui() {
    let stand_in = StandIn::new("secret");
    beside(&stand_in, "secret", async |handle, told| {
        until(told, |event| *event == Event::Attached).await;
        handle.give(Order::Prompt("go".into())).await.unwrap();
    });
    let wanted = [
        "POST /tui/clear-prompt {}",
        "POST /tui/append-prompt {\"text\":\"go\"}",
        "POST /tui/submit-prompt {}",
    ];
    assert_eq!(stand_in.posted(), wanted);
}

#[test]
fn another_program_on_its_port_is_not_spoken_with() {
    let stand_in = StandIn::new("theirs");
    beside(&stand_in, "ours", async |_, told| {
        let lost = until(told, |event| matches!(event, Event::Lost(_))).await;
        assert_eq!(lost, Event::Lost("another program answers on its port".into()));
    });
}
