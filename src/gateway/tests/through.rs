//! What passes: bytes, headers, streams, ledger rows.
use super::{lab::*, *};
use std::sync::atomic::AtomicUsize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    time::timeout,
};

const MESSAGES_ANSWER: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"served-1\",\
    \"usage\":{\"input_tokens\":11,\"cache_read_input_tokens\":5,\"cache_creation_input_tokens\":3,\"output_tokens\":1}}}\n\n\
    event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
    event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Héllo \"}}\n\n\
    event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"you\"}}\n\n\
    event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
    event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n\
    event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

#[tokio::test]
async fn bytes_pass_unchanged_in_every_dialect() {
    let answer = b"{ \"odd\" :\t1.50e+2, \"usage\":null }\n".to_vec();
    for (dialect, provider, credential, path, header) in [
        (
            Dialect::Messages,
            Provider::Anthropic,
            "env:ANTHROPIC_API_KEY",
            "/v1/messages?beta=true",
            "x-api-key",
        ),
        (Dialect::Responses, Provider::OpenAi, "env:OPENAI_API_KEY", "/v1/responses", "authorization"),
        (
            Dialect::Chat,
            Provider::OpenRouter,
            "env:OPENROUTER_API_KEY",
            "/v1/chat/completions",
            "authorization",
        ),
        (
            Dialect::Gemini,
            Provider::Google,
            "env:GEMINI_API_KEY",
            "/v1beta/models/wire:generateContent",
            "x-goog-api-key",
        ),
    ] {
        let (base, mut requests) =
            canned(whole("200 OK", "content-type: application/json\r\nrequest-id: r1\r\n", &answer)).await;
        let mut lab = Lab::new(pane_of(&base, dialect, provider, credential));
        let body = "{ \"a\":[1.0,\"\\u00e9é\"],\n\t\"model\" : \"wire\" ,\"z\":{\"model\":\"wire\"}}\r\n";
        let response = lab.post(path, body).header("x-kept", "1").send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["request-id"], "r1");
        assert_eq!(response.bytes().await.unwrap(), answer);
        let seen = seen(&mut requests).await;
        assert_eq!(seen.path(), path);
        assert_eq!(seen.body, body.as_bytes(), "{dialect}");
        assert!(seen.header(header).unwrap().ends_with(KEY), "{dialect}");
        assert_eq!(seen.header("x-kept"), Some("1"));
        assert!(!seen.head.contains("TOKEN"), "{}", seen.head);
        let row = lab.finished().await;
        assert_eq!(
            (row.status, row.dialect.as_str(), row.provider.as_str()),
            (200, dialect.as_str(), provider.as_str())
        );
    }
}

#[tokio::test]
async fn only_the_model_changes_when_the_route_names_another() {
    let (base, mut requests) = canned(whole("200 OK", "", b"{}")).await;
    let mut lab = Lab::new(pane(&base));
    lab.post("/v1/messages", "{\"m\":\"old\", \"model\" : \"old\"}").send().await.unwrap();
    assert_eq!(seen(&mut requests).await.body, b"{\"m\":\"old\", \"model\" : \"wire\"}");
    assert_eq!(lab.finished().await.model_asked, "old");

    lab.route(|pane| *pane = pane_of(&base, Dialect::Gemini, Provider::Google, "env:GEMINI_API_KEY"));
    lab.post("/v1beta/models/old:streamGenerateContent?alt=sse&key=TOKEN", "{}").send().await.unwrap();
    assert_eq!(seen(&mut requests).await.path(), "/v1beta/models/wire:streamGenerateContent?alt=sse");
}

#[tokio::test]
async fn another_allowed_model_is_told_and_served() {
    let (base, mut requests) = canned(whole("200 OK", "", b"{}")).await;
    let mut lab = Lab::new(pane(&base));
    let other = "{\"model\":\"other\"}";
    lab.post("/v1/messages", other).header("x-class", "subagent").send().await.unwrap();
    assert_eq!(seen(&mut requests).await.body, other.as_bytes());
    lab.finished().await;
    lab.post("/v1/messages", other).send().await.unwrap();
    assert_eq!(seen(&mut requests).await.body, other.as_bytes());
    assert!(matches!(lab.event().await, GatewayEvent::Started { class: Class::Main, .. }));
    assert!(matches!(lab.event().await, GatewayEvent::ModelAsked { model, .. } if model == "Other"));
    lab.finished().await;
    // The loop did not follow; what is named as before is no new wish.
    lab.post("/v1/messages", other).send().await.unwrap();
    assert_eq!(seen(&mut requests).await.body, b"{\"model\":\"wire\"}");
}

#[tokio::test]
async fn a_stream_flows_piece_by_piece_and_is_metered() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let (base, _requests) = upstream(move |mut stream| {
        let gate = Arc::clone(&gate);
        async move {
            stream.write_all(EVENTS.as_bytes()).await.unwrap();
            let bytes = MESSAGES_ANSWER.as_bytes();
            stream.write_all(&chunk(&bytes[..30])).await.unwrap();
            // Nothing more until the client has what was sent: whoever buffers hangs here.
            gate.notified().await;
            for piece in bytes[30..].chunks(7) {
                stream.write_all(&chunk(piece)).await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let mut lab = Lab::new(pane(&base));
    let request = lab.post(
        "/v1/messages",
        "{\"model\":\"wire\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
    );
    let mut response = request.header("x-claude-code-session-id", "S1").send().await.unwrap();
    let mut got =
        timeout(PATIENCE, response.chunk()).await.expect("the first piece").unwrap().unwrap().to_vec();
    go.notify_one();
    while let Some(piece) = response.chunk().await.unwrap() {
        got.extend_from_slice(&piece);
    }
    assert_eq!(String::from_utf8(got).unwrap(), MESSAGES_ANSWER);

    let GatewayEvent::Started { pane, class, session, conversation, .. } = lab.event().await else {
        panic!()
    };
    assert_eq!((pane.as_str(), class, session.as_deref()), ("PANE", Class::Main, Some("S1")));
    assert_eq!(conversation.unwrap().last_request(), Some("hi"));
    let GatewayEvent::Finished { row, answer, calls_tools, .. } = lab.event().await else { panic!() };
    assert_eq!(answer.as_deref(), Some("Héllo you"));
    assert!(!calls_tools);
    assert_eq!((row.input, row.cache_read, row.cache_write, row.output), (11, 5, 3, 7));
    assert_eq!((row.model_asked.as_str(), row.model_served.as_str()), ("wire", "served-1"));
    assert_eq!(
        (row.class.as_str(), row.executor.as_str(), row.attempts, row.error.as_str()),
        ("main", "claude", 1, "")
    );
    assert_eq!((row.payer.as_str(), row.status), ("env:ANTHROPIC_API_KEY", 200));
    assert!(row.first_byte_ms >= 1 && row.total_ms + 1 >= row.first_byte_ms && row.at_ms > 0);
    assert_eq!(lab.recorder.requests("PANE", 9).unwrap(), [row.as_ref().clone()]);
}

#[tokio::test]
async fn a_harness_that_leaves_takes_the_upstream_along() {
    let (left, mut gone) = tokio::sync::mpsc::unbounded_channel();
    let (base, mut requests) = upstream(move |mut stream| {
        let left = left.clone();
        async move {
            stream.write_all(EVENTS.as_bytes()).await.unwrap();
            stream.write_all(&chunk(b"data: {}\n\n")).await.unwrap();
            let end = stream.read(&mut [0; 8]).await;
            left.send(matches!(end, Ok(0) | Err(_))).unwrap();
        }
    })
    .await;
    let mut lab = Lab::new(pane(&base));
    let mut response = lab.post("/v1/messages", "{\"model\":\"wire\"}").send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    drop(response);
    assert!(timeout(PATIENCE, gone.recv()).await.expect("the upstream's connection closes").unwrap());
    let row = lab.finished().await;
    assert_eq!((row.status, row.error.as_str()), (499, "the harness went away"));
    seen(&mut requests).await;
}

#[tokio::test]
async fn a_harness_that_leaves_before_the_answer_does_too() {
    let (left, mut gone) = tokio::sync::mpsc::unbounded_channel();
    let (base, mut requests) = upstream(move |mut stream| {
        let left = left.clone();
        async move {
            let end = stream.read(&mut [0; 8]).await;
            left.send(matches!(end, Ok(0) | Err(_))).unwrap();
        }
    })
    .await;
    let mut lab = Lab::new(pane(&base));
    let request = lab.post("/v1/messages", "{\"model\":\"wire\"}").send();
    let waiting = tokio::spawn(request);
    seen(&mut requests).await;
    waiting.abort();
    assert!(timeout(PATIENCE, gone.recv()).await.expect("the upstream's connection closes").unwrap());
    assert_eq!(lab.finished().await.status, 499);
}

#[tokio::test]
async fn a_slow_harness_slows_its_upstream() {
    const MORE_THAN_SOCKETS_HOLD: usize = 64 * 1024 * 1024;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let (stuck, mut blocked) = tokio::sync::mpsc::unbounded_channel();
    let (base, _requests) = upstream(move |mut stream| {
        let (count, stuck) = (Arc::clone(&count), stuck.clone());
        async move {
            stream.write_all(EVENTS.as_bytes()).await.unwrap();
            let piece = chunk(&[b'x'; 65_536]);
            while count.load(Ordering::Relaxed) < MORE_THAN_SOCKETS_HOLD {
                // A write that stays pending is the back-pressure looked for.
                match timeout(Duration::from_millis(300), stream.write_all(&piece)).await {
                    Ok(Ok(())) => count.fetch_add(65_536, Ordering::Relaxed),
                    _ => break,
                };
            }
            let _ = stuck.send(());
        }
    })
    .await;
    let lab = Lab::new(pane(&base));
    let response = lab.post("/v1/messages", "{\"model\":\"wire\"}").send().await.unwrap();
    timeout(PATIENCE, blocked.recv()).await.expect("the upstream comes to rest");
    assert!(
        written.load(Ordering::Relaxed) < MORE_THAN_SOCKETS_HOLD,
        "everything was taken and nobody read it"
    );
    drop(response);
}

#[tokio::test]
async fn fifty_megabytes_pass() {
    let (base, mut requests) = canned(whole("200 OK", "", b"{}")).await;
    let mut lab = Lab::new(pane(&base));
    let text = "0123456789abcdef".repeat(50 * 1024 * 1024 / 16);
    let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}],\"model\":\"old\"}}");
    let response = lab.post("/v1/messages", body.clone()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let seen = seen(&mut requests).await;
    assert!(seen.body == body.replace("\"old\"", "\"wire\"").as_bytes(), "{} bytes", seen.body.len());
    assert_eq!(lab.finished().await.status, 200);
}

#[tokio::test]
async fn rehearsal_speaks_to_every_dialect() {
    for (dialect, path, body) in [
        (
            Dialect::Messages,
            "/v1/messages",
            "{\"model\":\"wire\",\"stream\":true,\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
        ),
        (
            Dialect::Chat,
            "/v1/chat/completions",
            "{\"model\":\"wire\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
        ),
        (
            Dialect::Responses,
            "/v1/responses",
            "{\"model\":\"wire\",\"stream\":true,\"input\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
        ),
        (
            Dialect::Gemini,
            "/v1beta/models/wire:streamGenerateContent?alt=sse",
            "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}",
        ),
    ] {
        let mut lab = Lab::new(pane_of("", dialect, Provider::Rehearsal, ""));
        let response = lab.post(path, body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{dialect}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        let text = response.text().await.unwrap();
        assert!(text.contains("wire"), "{dialect}: names its model: {text}");
        let row = lab.finished().await;
        assert_eq!(
            (row.status, row.error.as_str(), row.provider.as_str()),
            (200, "", "rehearsal"),
            "{dialect}"
        );
        assert!(row.output > 0 && row.cost == Some(0.0), "{dialect}");
    }
}

#[tokio::test]
async fn policy_holds_for_the_models_that_a_harness_chooses_itself() {
    let (base, mut requests) =
        canned(whole("200 OK", "content-type: application/json\r\n", b"{\"candidates\":[]}")).await;
    let mut pane = pane_of(&base, Dialect::Gemini, Provider::Google, "env:GEMINI_API_KEY");
    pane.executor = ExecutorId::GEMINI;
    pane.route.model = Some("auto-gemini-3".into());
    pane.route.wire_model = Some("auto-gemini-3".into());
    let (policy, problems) = crate::router::Policy::parse(
        "disabled_models = [\"*-flash\"]\n",
        "policy.toml",
        crate::router::policy::Layer::User,
    );
    assert_eq!(problems, []);
    pane.policy = Arc::new(policy);
    let mut lab = Lab::new(pane);
    let ask = |lab: &Lab, model: &str| {
        let path = format!("/v1beta/models/{model}:generateContent");
        lab.post(&path, "{\"contents\":[]}").send()
    };
    assert_eq!(ask(&lab, "gemini-3.1-pro").await.unwrap().status(), 200);
    assert!(seen(&mut requests).await.path().contains("gemini-3.1-pro:"));
    assert_eq!(lab.finished().await.status, 200);
    let refused = ask(&lab, "gemini-3.8-flash").await.unwrap();
    assert_eq!(refused.status(), 403);
    let body = refused.text().await.unwrap();
    assert!(
        body.contains("gemini-3.8-flash is disabled for gemini by policy (policy.toml line 1)"),
        "{body}"
    );
    assert!(requests.try_recv().is_err(), "nothing was sent");
    assert_eq!(lab.finished().await.status, 403);
}
