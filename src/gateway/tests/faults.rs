//! What goes wrong upstream, and how the harness hears of it.
use super::{lab::*, *};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

const ASK: &str = "{\"model\":\"wire\",\"stream\":true}";
const BEGUN: &str =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\"}}\n\n";

/// An upstream that sends a stream's beginning and then does `end`.
async fn begun(pieces: &'static [&'static str], end: End) -> String {
    let (base, _) = upstream(move |mut stream| async move {
        stream.write_all(EVENTS.as_bytes()).await.unwrap();
        for piece in pieces {
            stream.write_all(&chunk(piece.as_bytes())).await.unwrap();
        }
        match end {
            End::Close => stream.write_all(b"0\r\n\r\n").await.unwrap(),
            End::Cut => {}
            End::Hang => {
                let _ = stream.read(&mut [0; 8]).await;
            }
        }
    })
    .await;
    base
}

#[derive(Clone, Copy)]
enum End {
    Close,
    Cut,
    Hang,
}

#[tokio::test]
async fn a_stream_that_breaks_ends_in_the_dialects_error() {
    let quick = Waits { piece: Duration::from_millis(100), ..Waits::default() };
    for (end, words) in [
        (End::Close, "closed the stream"),
        (End::Cut, "broke the connection"),
        (End::Hang, "sent nothing for"),
    ] {
        let mut lab = Lab::with(pane(&begun(&[BEGUN], end).await), quick);
        let text = lab.post("/v1/messages", ASK).send().await.unwrap().text().await.unwrap();
        let rest = text.strip_prefix(BEGUN).expect("what came before is untouched");
        assert!(rest.starts_with("event: error\ndata: ") && rest.ends_with("\n\n"), "{rest}");
        assert!(rest.contains("anthropic") && rest.contains(words), "{rest}");
        assert!(!text.contains("message_stop"));
        let row = lab.finished().await;
        assert!(row.status == 200 && row.error.contains(words), "{row:?}");
    }
}

#[tokio::test]
async fn a_break_inside_an_event_breaks_the_harness_connection_too() {
    let base = begun(&[BEGUN, "event: content_block_delta\ndata: {\"ty"], End::Cut).await;
    let mut lab = Lab::new(pane(&base));
    assert!(lab.post("/v1/messages", ASK).send().await.unwrap().text().await.is_err());
    assert!(lab.finished().await.error.contains("broke the connection"));
}

#[tokio::test]
async fn an_answer_that_is_complete_may_hang_up_as_it_likes() {
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let quick = Waits { piece: Duration::from_millis(100), ..Waits::default() };
    for end in [End::Close, End::Cut, End::Hang] {
        let base = begun(&["event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"], end).await;
        let mut lab = Lab::with(pane(&base), quick);
        assert_eq!(lab.post("/v1/messages", ASK).send().await.unwrap().text().await.unwrap(), stop);
        assert_eq!(lab.finished().await.error, "");
    }
}

#[tokio::test]
async fn half_a_document_breaks_the_harness_connection_too() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"half\":";
    let (base, _requests) = canned(answer).await;
    let mut lab = Lab::new(pane(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    assert!(lab.finished().await.error.contains("broke the connection"));
}

#[tokio::test]
async fn a_refused_upstream_is_a_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut lab = Lab::new(pane(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 502);
    let text = response.text().await.unwrap();
    assert!(text.contains("anthropic (127.0.0.1) cannot be reached") && text.contains("refused"), "{text}");
    let row = lab.finished().await;
    assert_eq!((row.status, row.attempts), (502, 3));
}

#[tokio::test]
async fn an_upstream_that_hangs_up_or_stays_silent_is_told_apart() {
    let (base, _requests) = canned("").await;
    let lab = Lab::new(pane(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 502);
    assert!(response.text().await.unwrap().contains("before answering"));

    let (base, _requests) = upstream(|mut stream| async move {
        let _ = stream.read(&mut [0; 8]).await;
    })
    .await;
    let lab = Lab::with(pane(&base), Waits { head: Duration::from_millis(50), ..Waits::default() });
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 504);
}

#[tokio::test]
async fn a_web_page_becomes_the_dialects_error() {
    let page = b"<html><title>502 Bad Gateway</title><body><h1>nginx</h1></body></html>";
    for (sent, shown) in [("502 Bad Gateway", 502), ("503 Service Unavailable", 503), ("200 OK", 502)] {
        let (base, _requests) =
            canned(whole(sent, "content-type: text/html\r\nretry-after: 7\r\n", page)).await;
        let mut lab = Lab::new(pane(&base));
        let response = lab.post("/v1/messages", ASK).send().await.unwrap();
        assert_eq!(response.status(), shown);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["retry-after"], "7");
        let text = response.text().await.unwrap();
        assert!(text.contains("502 Bad Gateway nginx") && !text.contains('<'), "{text}");
        assert_eq!(lab.finished().await.status, shown);
    }
    let (base, _requests) = canned(whole("302 Found", "location: http://login.example/\r\n", b"")).await;
    let response = Lab::new(pane(&base)).post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 502);
    assert!(response.text().await.unwrap().contains("redirects to http://login.example/"));
}

#[tokio::test]
async fn an_error_of_the_api_passes_unchanged() {
    let body = b"{\"type\":\"error\" , \"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow down\"}}";
    let headers = "content-type: application/json\r\nretry-after: 3\r\nrequest-id: r9\r\n";
    let (base, _requests) = canned(whole("429 Too Many Requests", headers, body)).await;
    let mut lab = Lab::new(pane(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "3");
    assert_eq!(response.headers()["request-id"], "r9");
    assert_eq!(response.bytes().await.unwrap(), body.as_slice());
    let row = lab.finished().await;
    assert!(row.status == 429 && row.error.contains("slow down"), "{row:?}");
}

#[tokio::test]
async fn the_key_reaches_the_upstream_and_nothing_else() {
    let body = format!("{{\"error\":{{\"message\":\"bad key {KEY}\"}}}}");
    let headers = format!("content-type: application/json\r\nx-echo: {KEY}\r\n");
    let (base, mut requests) = canned(whole("401 Unauthorized", &headers, body.as_bytes())).await;
    let mut lab = Lab::new(pane(&base));
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert!(!format!("{:?}", response.headers()).contains(KEY));
    assert!(response.text().await.unwrap().contains("bad key [redacted]"));
    assert_eq!(seen(&mut requests).await.header("x-api-key"), Some(KEY));

    let page = format!("<p>{KEY}</p>");
    let (base, _requests) = canned(whole("500 Oops", "content-type: text/html\r\n", page.as_bytes())).await;
    lab.route(|pane| pane.route.base_url = base);
    let text = lab.post("/v1/messages", ASK).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("[redacted]") && !text.contains(KEY), "{text}");

    for _ in 0..4 {
        assert!(!format!("{:?}", lab.event().await).contains(KEY));
    }
    assert!(lab.recorder.flush());
    assert_eq!(lab.recorder.requests("PANE", 9).unwrap().len(), 2);
    for file in std::fs::read_dir(lab.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(memchr::memmem::find(&bytes, KEY.as_bytes()).is_none());
        assert!(memchr::memmem::find(&bytes, b"TOKEN").is_none());
    }
}

#[tokio::test]
async fn shutting_down_ends_requests_in_the_ledger() {
    let lab = Lab::new(pane(&begun(&[BEGUN], End::Hang).await));
    let mut response = lab.post("/v1/messages", ASK).send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    lab.gateway.shutdown();
    // Which connection is taken down first decides whether there is still time to say it.
    if let Ok(said) = timeout(PATIENCE, response.chunk()).await.expect("the connection ends") {
        assert!(said.is_some_and(|said| said.starts_with(b"event: error\n")));
    }
    let rows = lab.recorder.requests("PANE", 9).unwrap();
    assert_eq!((rows.len(), rows[0].error.as_str()), (1, "inspan's gateway stopped"));
}
