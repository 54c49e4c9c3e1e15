//! Who is let in, and what is answered without an upstream.
use super::{lab::*, *};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

fn nowhere() -> Lab {
    Lab::new(pane("http://127.0.0.1:9"))
}

/// Sends raw bytes and reads until the gateway closes.
async fn raw(lab: &Lab, request: &str) -> String {
    let mut stream = TcpStream::connect(lab.gateway.addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn only_our_own_host_names_are_served() {
    let lab = nowhere();
    let port = lab.gateway.addr.port();
    let head = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    for host in [format!("127.0.0.1:{port}"), format!("LocalHost:{port}"), format!("[::1]:{port}")] {
        assert!(
            raw(&lab, &head(&host)).await.contains(" 401 ")
                || raw(&lab, &head(&host)).await.contains(" 200 "),
            "{host}"
        );
    }
    for host in
        ["evil.example".to_owned(), format!("evil.example:{port}"), "127.0.0.1:1".into(), "127.0.0.1".into()]
    {
        let answer = raw(&lab, &head(&host)).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("Host header"), "{host}: {answer}");
    }
    let two = format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    );
    assert!(raw(&lab, &two).await.starts_with("HTTP/1.1 403 "));
    let absolute =
        format!("GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    assert!(raw(&lab, &absolute).await.starts_with("HTTP/1.1 403 "));
}

#[tokio::test]
async fn a_request_without_a_panes_token_is_refused_in_its_dialect() {
    let mut lab = nowhere();
    for (path, mark) in [
        ("/v1/messages", "authentication_error"),
        ("/v1/responses", "\"error\""),
        ("/v1/chat/completions", "\"error\""),
        ("/v1beta/models/m:generateContent", "UNAUTHENTICATED"),
    ] {
        let url = format!("{}{path}", lab.gateway.base_url());
        for request in [
            client().post(&url),
            client().post(&url).header("x-api-key", ""),
            client().post(&url).bearer_auth("WRONG"),
        ] {
            let response = request.body("{\"model\":\"wire\"}").send().await.unwrap();
            assert_eq!(response.status(), 401, "{path}");
            let text = response.text().await.unwrap();
            assert!(text.contains(mark) && text.contains("pane"), "{path}: {text}");
        }
    }
    while let Ok(event) = lab.events.try_recv() {
        assert!(
            matches!(event, GatewayEvent::TurnedAway { .. }),
            "strangers are not in the ledger: {event:?}"
        );
    }
}

#[tokio::test]
async fn the_token_comes_in_any_credential_header() {
    let lab = nowhere();
    let url = format!("{}/v1/models", lab.gateway.base_url());
    let ways = [
        client().get(&url).bearer_auth("TOKEN"),
        client().get(&url).header("authorization", "bearer TOKEN"),
        client().get(&url).header("x-api-key", "TOKEN"),
        client().get(&url).header("x-goog-api-key", "TOKEN"),
        client().get(format!("{url}?a=b&key=TOKEN")),
        client().get(&url).header("x-api-key", "something else").bearer_auth("TOKEN"),
    ];
    for way in ways {
        let response = way.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        assert!(text.contains("\"wire\"") && text.contains("\"other\""), "{text}");
    }
}

#[tokio::test]
async fn probes_upgrades_and_unknown_paths_are_answered_at_once() {
    let lab = nowhere();
    let base = lab.gateway.base_url();
    assert_eq!(client().head(&base).send().await.unwrap().status(), 200);
    assert_eq!(client().head(format!("{base}/nothing/here")).send().await.unwrap().status(), 404);
    let upgrade = client()
        .get(format!("{base}/v1/responses"))
        .header("upgrade", "websocket")
        .header("connection", "upgrade");
    assert_eq!(upgrade.send().await.unwrap().status(), 426);
    let unknown = lab.post("/v1/embeddings", "{}").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().await.unwrap().contains("not_found_error"));
}

#[tokio::test]
async fn requests_that_cannot_be_served_say_why() {
    let mut lab = nowhere();
    let untranslatable = lab.post("/v1/chat/completions", "{\"model\":\"wire\"}").send().await.unwrap();
    assert_eq!(untranslatable.status(), 400);
    assert!(untranslatable.text().await.unwrap().contains("has no messages"));
    let row = lab.finished().await;
    assert!(row.status == 400 && row.error.starts_with("dialect.untranslated"), "{row:?}");

    let not_json = lab.post("/v1/messages", "model").send().await.unwrap();
    assert_eq!((not_json.status().as_u16(), lab.finished().await.attempts), (400, 0));

    let packed = lab.post("/v1/messages", "x").header("content-encoding", "zstd").send().await.unwrap();
    assert_eq!(packed.status(), 415);

    lab.route(|pane| pane.route.credential = "env:NOT_HERE".into());
    let keyless = lab.post("/v1/messages", "{\"model\":\"wire\"}").send().await.unwrap();
    assert_eq!(keyless.status(), 403);
    assert!(keyless.text().await.unwrap().contains("NOT_HERE is not set"));

    lab.route(|pane| pane.route = Route { base_url: String::new(), ..route("") });
    let login = lab.post("/v1/messages", "{\"model\":\"wire\"}").send().await.unwrap();
    assert!(login.text().await.unwrap().contains("own login"));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_before_it_is_sent() {
    let lab = nowhere();
    let port = lab.gateway.addr.port();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-api-key: TOKEN\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        call::BODY_MAX + 1
    );
    let answer = raw(&lab, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("64 MiB"), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_long() {
    let waits = Waits { body: Duration::from_millis(50), ..Waits::default() };
    let mut lab = Lab::with(pane("http://127.0.0.1:9"), waits);
    let port = lab.gateway.addr.port();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-api-key: TOKEN\r\nContent-Length: 10\r\n\
         Connection: close\r\n\r\n{{"
    );
    assert!(raw(&lab, &head).await.starts_with("HTTP/1.1 408 "));
    assert_eq!(lab.finished().await.status, 408);
}
