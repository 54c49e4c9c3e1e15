//! What is tried again, what is not, and how both are told.
use super::{lab::*, *};
use std::sync::atomic::{AtomicUsize, Ordering as Count};
use tokio::io::AsyncWriteExt;

const ASK: &str = "{\"model\":\"wire\",\"stream\":true}";
const GOOD: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\
    \"usage\":{\"input_tokens\":9}}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn stream(body: &str) -> Vec<u8> {
    [EVENTS.as_bytes().to_vec(), chunk(body.as_bytes()), b"0\r\n\r\n".to_vec()].concat()
}

fn error(status: &str, headers: &str) -> Vec<u8> {
    let body = b"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}";
    whole(status, &format!("content-type: application/json\r\n{headers}"), body)
}

/// An upstream that gives these answers in turn, and the last one from then on.
async fn in_turn(answers: Vec<Vec<u8>>) -> (String, tokio::sync::mpsc::UnboundedReceiver<Seen>) {
    let (answers, count) = (Arc::new(answers), Arc::new(AtomicUsize::new(0)));
    upstream(move |mut stream| {
        let (answers, count) = (Arc::clone(&answers), Arc::clone(&count));
        async move {
            let at = count.fetch_add(1, Count::Relaxed).min(answers.len() - 1);
            // A harness that has gone is no fault of the script's.
            let _ = stream.write_all(&answers[at]).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

/// The kinds of the journal's events, oldest first.
fn journal(lab: &Lab) -> Vec<(String, serde_json::Value)> {
    let events = lab.recorder.events(100).unwrap();
    events.into_iter().map(|e| (e.kind, serde_json::from_str(&e.data).unwrap())).collect()
}

#[tokio::test]
async fn a_passing_failure_is_followed_by_the_answer_and_every_attempt_is_told() {
    for failure in [
        error("529 Overloaded", ""),
        error("429 Too Many Requests", "retry-after: 0\r\n"),
        error("500 Oops", ""),
        whole("503 Service Unavailable", "content-type: text/html\r\n", b"<h1>busy</h1>"),
        Vec::new(),
        whole("200 OK", "content-type: text/event-stream\r\n", b""),
        stream(
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
        ),
        whole("200 OK", "content-type: application/json\r\n", b" {\"error\": {\"message\":\"x\"}}"),
    ] {
        let shown = String::from_utf8_lossy(&failure).into_owned();
        let (base, mut requests) = in_turn(vec![failure.clone(), failure, stream(GOOD)]).await;
        let mut lab = Lab::new(pane(&base));
        let response = lab.post("/v1/messages", ASK).send().await.unwrap();
        assert_eq!(response.status(), 200, "{shown}");
        assert_eq!(response.text().await.unwrap(), GOOD, "{shown}");
        let mut events = Vec::new();
        let row = loop {
            match lab.event().await {
                GatewayEvent::Retrying { why, .. } => events.push(why),
                GatewayEvent::Resumed { .. } => events.push("resumed".into()),
                GatewayEvent::Finished { row, .. } => break row,
                _ => {}
            }
        };
        assert_eq!((row.status, row.attempts, row.error.as_str()), (200, 3, ""), "{shown}");
        assert_eq!(events.len(), 4, "{events:?}");
        assert!(events[0].contains("anthropic") && events[1] == "resumed", "{events:?}");
        let bodies = [seen(&mut requests).await, seen(&mut requests).await, seen(&mut requests).await];
        assert!(bodies.iter().all(|request| request.body == ASK.as_bytes()), "{shown}");
        let journal = journal(&lab);
        let kinds: Vec<&str> = journal.iter().map(|(kind, _)| kind.as_str()).collect();
        let round = ["session.error", "session.status_rescheduled", "session.status_running"];
        assert_eq!(kinds, [round, round].concat(), "{shown}");
        assert_eq!(journal[0].1["retry_status"]["type"], "retrying");
        assert_eq!(journal[5].1["attempt"], 3);
    }
}

#[tokio::test]
async fn a_failure_that_lasts_is_told_once_and_for_all() {
    let (base, _requests) = in_turn(vec![error("529 Overloaded", "request-id: r1\r\n")]).await;
    let mut lab = Lab::new(pane(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 529);
    assert_eq!(response.headers()["x-should-retry"], "false");
    assert_eq!(response.headers()["request-id"], "r1");
    assert!(response.text().await.unwrap().contains("overloaded_error"));
    assert_eq!(lab.finished().await.attempts, 3);
    let journal = journal(&lab);
    let (kind, last) = journal.last().unwrap();
    assert_eq!(
        (kind.as_str(), &last["retry_status"]["type"]),
        ("session.error", &serde_json::json!("exhausted"))
    );
    assert_eq!(last["error"]["type"], "model_overloaded_error");
}

#[tokio::test]
async fn what_another_attempt_cannot_change_is_told_at_once() {
    for status in ["400 Bad Request", "401 Unauthorized", "404 Not Found", "501 Not Implemented"] {
        let (base, mut requests) = in_turn(vec![error(status, "")]).await;
        let mut lab = Lab::new(pane(&base));
        let response = lab.post("/v1/messages", ASK).send().await.unwrap();
        assert_eq!(response.headers()["x-should-retry"], "false", "{status}");
        assert_eq!(lab.finished().await.attempts, 1, "{status}");
        seen(&mut requests).await;
        assert!(requests.try_recv().is_err());
        let journal = journal(&lab);
        assert_eq!(journal.len(), 1);
        assert_eq!(journal[0].1["retry_status"]["type"], "terminal");
    }
}

#[tokio::test]
async fn a_provider_that_asks_for_a_long_wait_is_believed() {
    let (base, _requests) = in_turn(vec![error("429 Too Many Requests", "retry-after: 60\r\n")]).await;
    let mut lab = Lab::new(pane(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"60".parse().unwrap())
    );
    assert_eq!(lab.finished().await.attempts, 1);
}

#[tokio::test]
async fn a_wait_that_google_asks_for_inside_its_error_is_believed_and_passed_on() {
    let limited = serde_json::json!({"error": {
        "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "59.2s"}],
    }});
    let body = limited.to_string();
    let limited = whole("429 Too Many Requests", "content-type: application/json\r\n", body.as_bytes());
    let (base, mut requests) = in_turn(vec![limited]).await;
    let mut pane = pane_of(&base, Dialect::Messages, Provider::Google, "env:GEMINI_API_KEY");
    pane.route.upstream_dialect = Dialect::Gemini;
    let mut lab = Lab::new(pane);
    let ask = "{\"model\":\"wire\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    let response = lab.post("/v1/messages", ask).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"60".parse().unwrap())
    );
    assert!(response.text().await.unwrap().contains("rate_limit_error"));
    assert_eq!(lab.finished().await.attempts, 1);
    seen(&mut requests).await;
}

#[tokio::test]
async fn nothing_is_said_twice() {
    // Half of an answer reached the harness, so that its own decision is needed.
    let half = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":\
                {\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n";
    let (base, mut requests) = in_turn(vec![stream(half), stream(GOOD)]).await;
    let mut lab = Lab::new(pane(&base));
    let text = lab.post("/v1/messages", ASK).send().await.unwrap().text().await.unwrap();
    assert!(text.starts_with(half) && text.contains("event: error"), "{text}");
    assert_eq!(lab.finished().await.attempts, 1);
    seen(&mut requests).await;
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_without_an_end_gets_one() {
    let (base, _requests) = upstream(|mut stream| async move {
        let _ = stream.write_all(EVENTS.as_bytes()).await;
        while stream.write_all(&chunk(b": ping\n\n")).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let waits = Waits { total: Duration::from_millis(200), ..Waits::default() };
    let mut lab = Lab::with(pane(&base), waits);
    let text = lab.post("/v1/messages", ASK).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("did not end its answer within"), "{}", &text[text.len().saturating_sub(300)..]);
    assert!(lab.finished().await.error.contains("did not end"));
}

#[tokio::test]
async fn limits_of_the_provider_are_told() {
    let headers = "content-type: application/json\r\nanthropic-ratelimit-requests-limit: 100\r\n\
                   anthropic-ratelimit-requests-remaining: 25\r\n";
    let (base, _requests) = in_turn(vec![whole("200 OK", headers, b"{\"type\":\"message\"}")]).await;
    let mut lab = Lab::new(pane(&base));
    lab.post("/v1/messages", ASK).send().await.unwrap();
    loop {
        if let GatewayEvent::Windows { pane, windows } = lab.event().await {
            assert_eq!(
                (pane.as_str(), windows[0].name.as_str(), windows[0].used),
                ("PANE", "requests", 0.75)
            );
            break;
        }
    }
}
