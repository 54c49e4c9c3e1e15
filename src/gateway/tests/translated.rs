//! A harness of one dialect in front of an upstream of another.
use super::{lab::*, *};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

const ASK: &str = "{\"model\":\"claude-sonnet-4-6\",\"max_tokens\":64,\"stream\":true,\"tools\":[{\"type\":\"computer_20250124\",\"name\":\"computer\"}],\
    \"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

/// A Chat stream that says these pieces.
fn chat(pieces: &[&str]) -> Vec<String> {
    let event = |delta: Value, finish: Value| {
        let chunk = json!({
            "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "z-ai/glm-5",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        format!("data: {chunk}\n\n")
    };
    let mut events: Vec<String> = pieces
        .iter()
        .map(|piece| event(json!({"role": "assistant", "content": piece}), Value::Null))
        .collect();
    events.push(event(json!({}), json!("stop")));
    let usage = json!({
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "z-ai/glm-5", "choices": [],
        "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107, "cost": 0.5},
    });
    events.push(format!("data: {usage}\n\n"));
    events.push("data: [DONE]\n\n".into());
    events
}

fn stream(events: &[String]) -> Vec<u8> {
    let body: Vec<u8> = events.iter().flat_map(|event| chunk(event.as_bytes())).collect();
    [EVENTS.as_bytes().to_vec(), body, b"0\r\n\r\n".to_vec()].concat()
}

/// Claude Code, served by a model behind OpenRouter.
fn foreign(base: &str) -> PaneRoute {
    let mut pane = pane(base);
    pane.route.wire_model = Some("z-ai/glm-5".into());
    pane.route.provider = Provider::OpenRouter;
    pane.route.upstream_dialect = Dialect::Chat;
    pane.route.credential = "env:OPENROUTER_API_KEY".into();
    pane
}

/// The data of a Messages stream's events.
fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[tokio::test]
async fn an_answer_is_not_asked_to_be_longer_than_the_maker_takes() {
    let ask = |most: u64| json!({"model": "m", "max_tokens": most, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    for (wire, wanted, sent) in [
        ("gpt-5.4", 200_000, 128_000),
        ("gpt-5.4", 100, 100),
        // Nobody knows, so nothing is changed.
        ("z-ai/glm-5", 200_000, 200_000),
    ] {
        let (base, mut requests) = canned(stream(&chat(&["hi"]))).await;
        let mut pane = foreign(&base);
        pane.route.wire_model = Some(wire.into());
        let mut lab = Lab::new(pane);
        lab.post("/v1/messages", ask(wanted).to_string()).send().await.unwrap().bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&seen(&mut requests).await.body).unwrap();
        let most = [&body["max_tokens"], &body["max_completion_tokens"]].into_iter().find_map(Value::as_u64);
        assert_eq!(most, Some(sent), "{wire}: {body}");
        assert_eq!(lab.finished().await.notes.iter().any(|note| note.contains("clamped")), wanted != sent);
    }
}

#[tokio::test]
async fn a_stream_is_read_in_the_harness_s_words_and_paid_in_the_upstream_s() {
    let (base, mut requests) = canned(stream(&chat(&["Hél", "lo"]))).await;
    let mut lab = Lab::new(foreign(&base));
    let response = lab
        .post("/v1/messages?beta=true", ASK)
        .header("anthropic-beta", "context-1m")
        .header("authorization", "Bearer TOKEN")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let text = response.text().await.unwrap();
    let events = events(&text);
    assert_eq!(events[0]["type"], "message_start");
    assert_eq!(events[0]["message"]["model"], "claude-sonnet-4-6", "as the harness named it");
    let said: String = events.iter().filter_map(|e| e["delta"]["text"].as_str()).collect();
    assert_eq!(said, "Héllo");
    assert_eq!(events.last().unwrap()["type"], "message_stop");

    let seen = seen(&mut requests).await;
    assert_eq!(seen.path(), "/v1/chat/completions");
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert!(seen.header("anthropic-beta").is_none() && seen.header("anthropic-version").is_none());
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!((&body["model"], &body["messages"][0]["content"]), (&json!("z-ai/glm-5"), &json!("hi")));

    let row = lab.finished().await;
    assert_eq!((row.dialect.as_str(), row.upstream_dialect.as_str()), ("messages", "chat"));
    assert_eq!((row.input, row.output, row.cost, row.cost_source.as_str()), (100, 7, Some(0.5), "upstream"));
    assert_eq!((row.model_asked.as_str(), row.model_sent.as_str()), ("claude-sonnet-4-6", "z-ai/glm-5"));
    assert!(row.notes.iter().any(|note| note.starts_with("tools[")), "{:?}", row.notes);
    assert_eq!((row.status, row.error.as_str()), (200, ""));
}

#[tokio::test]
async fn an_answer_without_a_stream_is_translated_whole() {
    let body = json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "z-ai/glm-5",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2},
    });
    let (base, _requests) =
        canned(whole("200 OK", "content-type: application/json\r\n", body.to_string().as_bytes())).await;
    let mut lab = Lab::new(foreign(&base));
    let ask = ASK.replace("\"stream\":true,", "");
    let response = lab.post("/v1/messages", ask).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!((&answer["type"], &answer["content"][0]["text"]), (&json!("message"), &json!("Hi")));
    assert_eq!(answer["stop_reason"], "end_turn");
    let row = lab.finished().await;
    assert_eq!((row.input, row.output, row.error.as_str()), (10, 2, ""));
}

#[tokio::test]
async fn an_error_is_said_so_that_the_harness_acts_on_it() {
    let error = json!({"error": {"message": "This model's maximum context length is 9 tokens", "code": 400}});
    let (base, _requests) =
        canned(whole("400 Bad Request", "content-type: application/json\r\n", error.to_string().as_bytes()))
            .await;
    let mut lab = Lab::new(foreign(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-should-retry"]),
        (400, &"false".parse().unwrap())
    );
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(answer["error"]["type"], "invalid_request_error");
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("prompt is too long"), "{answer}");
    assert_eq!(lab.finished().await.status, 400);
}

#[tokio::test]
async fn what_breaks_before_a_word_is_tried_again_and_what_breaks_later_is_told() {
    // An error inside a good answer, then an answer that is cut in the middle of a character.
    let bad = stream(&["data: {\"error\":{\"code\":529,\"message\":\"overloaded\"}}\n\n".into()]);
    let mut half = chat(&["Hello ä"]).remove(0).into_bytes();
    half.truncate(half.windows(2).position(|pair| pair == "ä".as_bytes()).unwrap() + 1);
    let first = chat(&["Say: "]).remove(0).into_bytes();
    let cut = [EVENTS.as_bytes().to_vec(), chunk(&first), chunk(&half)].concat();
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (base, _requests) = upstream(move |mut stream| {
        let (bad, cut, count) = (bad.clone(), cut.clone(), Arc::clone(&count));
        async move {
            let first = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            let _ = stream.write_all(if first { &bad } else { &cut }).await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    let mut lab = Lab::new(foreign(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    let events = events(&text);
    assert_eq!(events.last().unwrap()["type"], "error", "{text}");
    assert!(!text.contains("message_stop") && text.contains("Say: "), "no ending is made up: {text}");
    let row = lab.finished().await;
    assert_eq!((row.status, row.attempts), (200, 2));
    assert!(row.error.contains("broke"), "{row:?}");
}

#[tokio::test]
async fn an_upstream_that_falls_silent_or_is_a_web_page_is_told() {
    let (base, _requests) = upstream(|mut stream| async move {
        let _ = stream.write_all(EVENTS.as_bytes()).await;
        let _ = stream.write_all(&chunk(chat(&["Hi"])[0].as_bytes())).await;
        let _ = stream.read(&mut [0; 8]).await;
    })
    .await;
    let waits = Waits { piece: Duration::from_millis(80), ..Waits::default() };
    let mut lab = Lab::with(foreign(&base), waits);
    let text = lab.post("/v1/messages", ASK).send().await.unwrap().text().await.unwrap();
    let last = events(&text).pop().unwrap();
    assert!(
        last["type"] == "error" && last["error"]["message"].as_str().unwrap().contains("sent nothing"),
        "{text}"
    );
    assert!(lab.finished().await.error.contains("sent nothing"));

    let (base, _requests) = canned(whole("200 OK", "content-type: text/html\r\n", b"<h1>Sign in</h1>")).await;
    let lab = Lab::new(foreign(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 502);
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert!(answer["error"]["message"].as_str().unwrap().contains("Sign in"), "{answer}");
}

#[tokio::test]
async fn a_harness_that_leaves_takes_the_translated_upstream_along() {
    let (left, mut gone) = tokio::sync::mpsc::unbounded_channel();
    let (base, _requests) = upstream(move |mut stream| {
        let left = left.clone();
        async move {
            let _ = stream.write_all(EVENTS.as_bytes()).await;
            let _ = stream.write_all(&chunk(chat(&["Hi"])[0].as_bytes())).await;
            let end = stream.read(&mut [0; 8]).await;
            left.send(matches!(end, Ok(0) | Err(_))).unwrap();
        }
    })
    .await;
    let mut lab = Lab::new(foreign(&base));
    let mut response = lab.post("/v1/messages", ASK).send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    drop(response);
    assert!(timeout(PATIENCE, gone.recv()).await.expect("the upstream's connection closes").unwrap());
    let row = lab.finished().await;
    assert_eq!(row.status, 499);
    assert!(row.input > 0 && row.notes.iter().any(|note| note.contains("estimated")), "{row:?}");
}

#[tokio::test]
async fn a_slow_harness_slows_a_translated_upstream() {
    const MORE_THAN_SOCKETS_HOLD: usize = 64 * 1024 * 1024;
    let written = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let (stuck, mut blocked) = tokio::sync::mpsc::unbounded_channel();
    let (base, _requests) = upstream(move |mut stream| {
        let (count, stuck) = (Arc::clone(&count), stuck.clone());
        async move {
            let _ = stream.write_all(EVENTS.as_bytes()).await;
            let text = "x".repeat(65_536);
            let piece = chunk(chat(&[&text])[0].as_bytes());
            while count.load(std::sync::atomic::Ordering::Relaxed) < MORE_THAN_SOCKETS_HOLD {
                // A write that stays pending is the back-pressure looked for.
                match timeout(Duration::from_millis(500), stream.write_all(&piece)).await {
                    Ok(Ok(())) => count.fetch_add(65_536, std::sync::atomic::Ordering::Relaxed),
                    _ => break,
                };
            }
            let _ = stuck.send(());
        }
    })
    .await;
    let lab = Lab::new(foreign(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    timeout(PATIENCE, blocked.recv()).await.expect("the upstream comes to rest");
    assert!(
        written.load(std::sync::atomic::Ordering::Relaxed) < MORE_THAN_SOCKETS_HOLD,
        "everything was taken"
    );
    drop(response);
}

#[tokio::test]
async fn a_model_changes_across_providers_between_two_requests_and_back() {
    let native = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let (anthropic, mut own) =
        canned([EVENTS.as_bytes().to_vec(), chunk(native.as_bytes()), b"0\r\n\r\n".to_vec()].concat()).await;
    let (router, mut other) = canned(stream(&chat(&["Hi"]))).await;
    let mut here = pane(&anthropic);
    here.route.wire_model = Some("claude-sonnet-4-6".into());
    here.route.model = Some("claude-sonnet-4.6".into());
    here.launched = Some("claude-sonnet-4-6".into());
    let mut there = foreign(&router).route;
    there.model = Some("glm-5".into());
    here.allowed = Arc::new(vec![here.route.clone(), there]);
    let mut lab = Lab::new(here);
    lab.post("/v1/messages", ASK).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(seen(&mut own).await.body, ASK.as_bytes(), "not a byte is changed on the way home");
    lab.finished().await;

    // The person types `/model glm-5`: this request goes there already.
    let wish = ASK.replace("claude-sonnet-4-6", "glm-5");
    let text = lab.post("/v1/messages", wish).send().await.unwrap().text().await.unwrap();
    assert_eq!(events(&text)[0]["message"]["model"], "glm-5");
    assert_eq!(seen(&mut other).await.path(), "/v1/chat/completions");
    let mut asked = None;
    let row = loop {
        match lab.event().await {
            GatewayEvent::ModelAsked { model, .. } => asked = Some(model),
            GatewayEvent::Finished { row, .. } => break row,
            _ => {}
        }
    };
    assert_eq!((asked.as_deref(), row.provider.as_str()), (Some("glm-5"), "openrouter"));

    // And back, with what the other model thought in the history: its mark would be refused as a signature.
    let carried = json!({
        "model": "claude-sonnet-4-6", "max_tokens": 64, "stream": true,
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "ins1:openrouter:glm:text:aG0"},
                {"type": "text", "text": "Hi"},
            ]},
            {"role": "user", "content": "again"},
        ],
    });
    lab.post("/v1/messages", carried.to_string()).send().await.unwrap().bytes().await.unwrap();
    let body: Value = serde_json::from_slice(&seen(&mut own).await.body).unwrap();
    assert_eq!(body["messages"][1]["content"], json!([{"type": "text", "text": "Hi"}]));
    let row = lab.finished().await;
    assert!(row.notes[0].contains("reasoning of another provider"), "{row:?}");
}

#[tokio::test]
async fn tokens_are_counted_here_where_the_upstream_counts_otherwise() {
    let mut lab = Lab::new(foreign("http://127.0.0.1:9"));
    let response = lab.post("/v1/messages/count_tokens", ASK).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert!(answer["input_tokens"].as_u64().unwrap() > 0, "{answer}");
    let row = lab.finished().await;
    assert_eq!((row.attempts, row.cost), (0, Some(0.0)));
}

#[tokio::test]
async fn a_key_of_the_person_s_own_is_used_without_changing_a_byte() {
    let mut pane = foreign("http://127.0.0.1:9");
    pane.route.auth = AuthMode::Byok;
    let mut lab = Lab::new(pane);
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("dialect.untranslated"));
    assert!(lab.finished().await.error.starts_with("dialect.untranslated"));
}

#[tokio::test]
async fn every_direction_is_served() {
    let all = [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Gemini];
    let ask = |dialect| match dialect {
        Dialect::Messages => ("/v1/messages", ASK.replace("\"stream\":true,", "")),
        Dialect::Chat => (
            "/v1/chat/completions",
            json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).to_string(),
        ),
        Dialect::Responses => ("/v1/responses", json!({"model": "m", "input": "hi"}).to_string()),
        Dialect::Gemini => (
            "/v1beta/models/m:generateContent",
            json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}).to_string(),
        ),
    };
    let answer = |dialect| match dialect {
        Dialect::Messages => json!({
            "id": "m1", "type": "message", "role": "assistant", "model": "x", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "Hi there"}], "usage": {"input_tokens": 3, "output_tokens": 2},
        }),
        Dialect::Chat => json!({
            "id": "c1", "object": "chat.completion", "created": 1, "model": "x",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi there"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        }),
        Dialect::Responses => json!({
            "id": "r1", "object": "response", "created_at": 1, "status": "completed", "model": "x",
            "output": [{"id": "i1", "type": "message", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "Hi there", "annotations": []}]}],
            "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        }),
        Dialect::Gemini => json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi there"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}, "modelVersion": "x",
        }),
    };
    for upstream in all {
        for client in all.into_iter().filter(|client| *client != upstream) {
            let body = answer(upstream).to_string();
            let (base, mut requests) =
                canned(whole("200 OK", "content-type: application/json\r\n", body.as_bytes())).await;
            let mut pane = pane_of(&base, client, Provider::OpenRouter, "env:OPENROUTER_API_KEY");
            pane.route.upstream_dialect = upstream;
            let mut lab = Lab::new(pane);
            let (path, ask) = ask(client);
            let response = lab.post(path, ask).send().await.unwrap();
            let status = response.status();
            let text = response.text().await.unwrap();
            assert_eq!(status, 200, "{client} to {upstream}: {text}");
            assert!(text.contains("Hi there"), "{client} to {upstream}: {text}");
            seen(&mut requests).await;
            let row = lab.finished().await;
            assert_eq!((row.input, row.output, row.error.as_str()), (3, 2, ""), "{client} to {upstream}");
        }
    }
}
