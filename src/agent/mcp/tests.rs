use super::*;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

/// A server in a shell: it answers by the number of the line.
const SERVER: &str = r#"
read -r hello; echo 'noise' >&2
echo '{"jsonrpc":"2.0","method":"notifications/message","params":{}}'
echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"bells","version":"7"}}}'
read -r initialized; read -r list
echo '{"jsonrpc":"2.0","id":"x","method":"roots/list"}'
read -r refused
echo '{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"ring","description":"Rings","inputSchema":{"type":"object"}}]}}'
read -r call
echo '{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"'"$BELL"' rang"}],"isError":false}}'
read -r end; exit 0
"#;

fn shell(script: &str) -> Endpoint {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    Endpoint::Stdio { command, env: BTreeMap::from([("BELL".to_owned(), "Great Tom".to_owned())]) }
}

async fn connect(endpoint: &Endpoint) -> Result<Client, McpError> {
    Client::connect(endpoint, Path::new("/"), Duration::from_secs(60)).await
}

#[tokio::test]
async fn a_program_is_greeted_listed_and_called() {
    let mut client = connect(&shell(SERVER)).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((client.hello.name.as_str(), client.hello.version.as_str()), ("bells", "7"));
    assert_eq!(client.hello.tools[0].name, "ring");
    assert_eq!(client.call("ring", &json!({})).await.unwrap(), ("Great Tom rang".into(), true));
    client.end().await;
}

async fn fault(endpoint: &Endpoint, patience: Duration) -> String {
    match Client::connect(endpoint, Path::new("/"), patience).await {
        Ok(_) => panic!("it was greeted"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn what_goes_wrong_is_said_with_the_servers_last_words() {
    let long = Duration::from_secs(60);
    let said = fault(&shell("echo 'no such bell' >&2; exit 3"), long).await;
    assert_eq!(said, "it ended before it answered; it said: no such bell");
    let said = fault(&shell("echo hello there; sleep 60"), long).await;
    assert!(said.contains("\"hello there\" on its standard output"), "{said}");
    let said = fault(&shell("echo waiting for a key >&2; sleep 600"), Duration::from_secs(1)).await;
    assert_eq!(said, "no answer to initialize within 1 s; it said: waiting for a key");
    let none = Endpoint::Stdio { command: vec!["/none/such".into()], env: BTreeMap::new() };
    assert!(fault(&none, long).await.starts_with("cannot start /none/such: "));
    let refusing = r#"read -r l; echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too old"}}'; read -r l"#;
    assert_eq!(fault(&shell(refusing), long).await, "initialize is refused: too old (-32602)");
}

/// Reads a request: its head in lower case and its body.
async fn request(stream: &mut TcpStream) -> (String, String) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return (head, body.to_owned());
        }
    }
}

async fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let text = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_address_is_asked_with_its_headers_and_its_session() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut heads = Vec::new();
        for turn in 0..4 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (head, body) = request(&mut stream).await;
            heads.push(head);
            let json = "content-type: application/json\r\n";
            match turn {
                0 => {
                    let hello = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"far","version":"1"}}}"#;
                    answer(&mut stream, "200 OK", &format!("{json}mcp-session-id: s-9\r\n"), hello).await;
                }
                1 => answer(&mut stream, "202 Accepted", "", "").await,
                2 => {
                    assert!(body.contains("tools/list"), "{body}");
                    let events = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\
                                  \"result\":{\"tools\":[]}}\n\n";
                    answer(&mut stream, "200 OK", "content-type: text/event-stream\r\n", events).await;
                }
                _ => answer(&mut stream, "200 OK", "", "").await,
            }
        }
        heads
    });
    let headers = BTreeMap::from([("Authorization".to_owned(), "Bearer t0ken".to_owned())]);
    let client = connect(&Endpoint::Http { url, headers }).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((client.hello.name.as_str(), client.hello.tools.len()), ("far", 0));
    client.end().await;
    let heads = server.await.unwrap();
    assert!(heads.iter().all(|head| head.contains("authorization: bearer t0ken")), "{heads:?}");
    assert!(
        heads[2].contains("mcp-session-id: s-9") && heads[2].contains("mcp-protocol-version: 2025-06-18"),
        "{heads:?}"
    );
    assert!(heads[3].starts_with("delete /mcp"), "{heads:?}");
}

#[tokio::test]
async fn a_refusal_over_http_is_quoted_without_the_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        answer(&mut stream, "401 Unauthorized", "", "who are you?").await;
    });
    let headers = BTreeMap::from([("Authorization".to_owned(), "Bearer t0ken".to_owned())]);
    let said = fault(&Endpoint::Http { url, headers }, Duration::from_secs(60)).await;
    assert!(
        said.contains("401 Unauthorized; it wants another credential in its headers: who are you?"),
        "{said}"
    );
    assert!(!said.contains("t0ken"));
    server.await.unwrap();
}
