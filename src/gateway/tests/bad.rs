//! Bad input from either side: each dialect's own error, and one line for the panel.
use super::{lab::*, *};
use crate::router::Dialect::{Chat, Gemini, Messages, Responses};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ALL: [Dialect; 4] = [Messages, Chat, Responses, Gemini];

/// A pane of the dialect, in front of an upstream of its own or of another.
fn speaking(base: &str, client: Dialect, upstream: Dialect) -> PaneRoute {
    let mut pane = pane_of(base, client, Provider::OpenRouter, "env:OPENROUTER_API_KEY");
    pane.route.upstream_dialect = upstream;
    pane
}

fn other(client: Dialect) -> Dialect {
    if client == Chat { Messages } else { Chat }
}

/// A request for a stream.
fn ask(dialect: Dialect) -> (&'static str, String) {
    let hi = json!([{"role": "user", "content": "hi"}]);
    let (path, body) = match dialect {
        Messages => {
            ("/v1/messages", json!({"model": "wire", "stream": true, "max_tokens": 9, "messages": hi}))
        }
        Chat => ("/v1/chat/completions", json!({"model": "wire", "stream": true, "messages": hi})),
        Responses => ("/v1/responses", json!({"model": "wire", "stream": true, "input": hi})),
        Gemini => (
            "/v1beta/models/wire:streamGenerateContent?alt=sse",
            json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
        ),
    };
    (path, body.to_string())
}

/// The sentence of an error body, which must have the dialect's shape.
#[track_caller]
fn sentence(dialect: Dialect, status: u16, body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{dialect}: {error}: {body}"));
    let error = &body["error"];
    let keys: BTreeSet<&str> = error.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted: &[&str] = match dialect {
        Messages => &["message", "type"],
        Chat | Responses => &["code", "message", "param", "type"],
        Gemini => &["code", "message", "status"],
    };
    assert!(wanted.iter().all(|key| keys.contains(key)), "{dialect}: {body}");
    assert_eq!(body["type"] == "error", dialect == Messages, "{dialect}: {body}");
    if dialect == Gemini {
        assert_eq!(error["code"], status, "{body}");
    }
    error["message"].as_str().unwrap().to_owned()
}

/// The sentence of the error that ends a stream, in the dialect's words.
#[track_caller]
fn last_words(dialect: Dialect, stream: &str) -> String {
    // Gemini's lines end in two characters.
    let stream = stream.replace("\r\n", "\n");
    let last = stream.trim_end().rsplit("\n\n").next().unwrap();
    let data =
        last.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_else(|| panic!("{stream}"));
    let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {last}"));
    let error = match dialect {
        Messages => {
            assert!(last.starts_with("event: error\n") && data["type"] == "error", "{last}");
            &data["error"]
        }
        Chat | Gemini => &data["error"],
        Responses if data["type"] == "response.failed" => &data["response"]["error"],
        Responses => {
            assert!(data["type"] == "error", "{last}");
            if data["error"].is_object() { &data["error"] } else { &data }
        }
    };
    error["message"].as_str().unwrap_or_else(|| panic!("{dialect}: {last}")).to_owned()
}

/// The one line that the panel gets.
async fn line(lab: &mut Lab) -> LedgerRow {
    let row = lab.finished().await;
    assert!(!row.error.is_empty(), "{row:?}");
    while let Ok(event) = lab.events.try_recv() {
        assert!(!matches!(event, GatewayEvent::Finished { .. }), "{event:?}");
    }
    row
}

#[tokio::test]
async fn what_is_no_request_is_said_in_the_harness_s_dialect() {
    let deep = format!("{{\"model\":\"wire\",\"messages\":{}", "[".repeat(100_000));
    for client in ALL {
        for upstream in [client, other(client)] {
            let mut lab = Lab::new(speaking("http://127.0.0.1:9", client, upstream));
            let mut bad = vec!["{\"model\":\"wire\",", "\"wire\"", "{\"model\":\"wire\",\"a\":\"\u{7}"];
            if upstream != client {
                // What is only spliced is not read to its end.
                bad.extend(["{\"model\":\"wire\",\"messages\":[}]}", &deep]);
            }
            for body in bad {
                let (path, _) = ask(client);
                let response = lab.post(path, body.to_owned()).send().await.unwrap();
                assert_eq!(response.status(), 400, "{client}: {body}");
                sentence(client, 400, &response.text().await.unwrap());
                assert_eq!(line(&mut lab).await.status, 400);
            }
        }
    }
}

#[tokio::test]
async fn an_upstream_s_nonsense_is_said_in_the_harness_s_dialect() {
    let page = whole("200 OK", "content-type: text/html\r\n", b"<html><h1>Sign in first</h1></html>");
    let inside = |body: &[u8]| whole("200 OK", "content-type: application/json\r\n", body);
    for client in ALL {
        for upstream in [client, other(client)] {
            for (answer, words) in [
                (page.clone(), "Sign in first"),
                (
                    inside(b"{\"error\":{\"message\":\"no such deployment\",\"code\":404}}"),
                    "no such deployment",
                ),
                (inside(b""), "answer"),
            ] {
                let (base, _requests) = canned(answer).await;
                let mut lab = Lab::new(speaking(&base, client, upstream));
                let (path, body) = ask(client);
                let response = lab.post(path, body).send().await.unwrap();
                let status = response.status().as_u16();
                assert!(status >= 400, "{client} of {upstream}: {words}");
                let said = sentence(client, status, &response.text().await.unwrap());
                assert!(said.contains(words), "{client} of {upstream}: {said}");
                assert!(line(&mut lab).await.error.contains(words));
            }
        }
    }
}

/// The first words of an answer of the dialect, and an event that breaks off inside a character.
fn half(dialect: Dialect) -> (String, Vec<u8>) {
    let say = |text: &str| match dialect {
        Messages => {
            let start = json!({"type": "message_start", "message": {"id": "m", "model": "x", "usage": {}}});
            let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
            let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
            [start, block, delta].iter().map(|event| format!("data: {event}\n\n")).collect::<String>()
        }
        _ => {
            let choice =
                json!({"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": null});
            format!(
                "data: {}\n\n",
                json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})
            )
        }
    };
    let mut broken = say("ä").into_bytes();
    let at = memchr::memmem::find(&broken, "ä".as_bytes()).unwrap();
    broken.truncate(at + 1);
    (say("Say: "), broken)
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_character_ends_in_the_harness_s_own_error() {
    for client in ALL {
        let upstream = other(client);
        let (begun, broken) = half(upstream);
        let answer =
            [EVENTS.as_bytes().to_vec(), chunk(begun.as_bytes()), chunk(&broken), b"0\r\n\r\n".to_vec()]
                .concat();
        let (base, _requests) = canned(answer).await;
        let mut lab = Lab::new(speaking(&base, client, upstream));
        let (path, body) = ask(client);
        let text = lab.post(path, body).send().await.unwrap().text().await.unwrap();
        assert!(text.contains("Say: "), "{client}: {text}");
        last_words(client, &text);
        assert!(
            !["message_stop", "[DONE]", "response.completed", "STOP"].iter().any(|end| text.contains(end)),
            "{text}"
        );
        assert_eq!(line(&mut lab).await.status, 200);
    }
}

#[tokio::test]
async fn an_answer_without_an_end_gets_the_harness_s_own_error() {
    for client in ALL {
        for upstream_speaks in [client, other(client)] {
            let (base, _requests) = upstream(|mut stream| async move {
                use tokio::io::AsyncWriteExt;
                let _ = stream.write_all(EVENTS.as_bytes()).await;
                while stream.write_all(&chunk(b": ping\n\n")).await.is_ok() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            let waits = Waits { total: Duration::from_millis(150), ..Waits::default() };
            let mut lab = Lab::with(speaking(&base, client, upstream_speaks), waits);
            let (path, body) = ask(client);
            let response = lab.post(path, body).send().await.unwrap();
            let text = response.text().await.unwrap();
            let said = last_words(client, &text);
            assert!(said.contains("did not end its answer"), "{client} of {upstream_speaks}: {said}");
            assert!(line(&mut lab).await.error.contains("did not end its answer"));
        }
    }
}

#[tokio::test]
async fn a_body_too_large_is_said_in_the_harness_s_dialect_though_it_declares_no_length() {
    let mut lab = Lab::new(speaking("http://127.0.0.1:9", Messages, Messages));
    for client in ALL {
        lab.route(|pane| *pane = speaking("http://127.0.0.1:9", client, client));
        let piece = bytes::Bytes::from(vec![b' '; 1024 * 1024]);
        let pieces = futures_util::stream::iter(
            std::iter::repeat_n(piece, call::BODY_MAX / (1024 * 1024) + 1).map(Ok::<_, std::io::Error>),
        );
        let sent = lab.post(ask(client).0, reqwest::Body::wrap_stream(pieces)).send().await;
        // Whoever is still sending may find the connection gone before it reads the answer.
        if let Ok(response) = sent {
            assert_eq!(response.status(), 413);
            let said = sentence(client, 413, &response.text().await.unwrap());
            assert!(said.contains("64 MiB"), "{said}");
        }
        assert_eq!(line(&mut lab).await.status, 413, "{client}");
    }
}
