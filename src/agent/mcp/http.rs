//! The way to a server over streamable HTTP: each message is a POST, the answer is JSON or an event stream.
use super::McpError;
use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// Connecting to it.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// An answer; beyond it, it is none.
const MAX_ANSWER: usize = super::MAX_MESSAGE as usize;
/// Of an answer that is no answer, what is quoted.
const QUOTED: usize = 200;
/// Names the conversation, once the server gave it a name.
const SESSION: &str = "mcp-session-id";

/// A server that is reached by address.
pub(super) struct Remote {
    client: reqwest::Client,
    url: String,
    headers: HeaderMap,
}

impl Remote {
    pub(super) fn new(url: &str, given: &BTreeMap<String, String>) -> Result<Self, McpError> {
        // An error only says that someone was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in given {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_str(value);
            let (Ok(name), Ok(mut value)) = (name, value) else {
                return Err(McpError::Http("one of its headers cannot be sent".into()));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_WAIT)
            // A header with a secret must not follow to another host.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("inspan");
        let builder = if url.starts_with("https://") { builder } else { builder.tls_certs_only([]) };
        let client =
            builder.build().map_err(|e| McpError::Http(format!("cannot be asked from this machine: {e}")))?;
        Ok(Self { client, url: url.to_owned(), headers })
    }

    /// From now on each message names the protocol.
    pub(super) fn speaks(&mut self, protocol: &str) {
        if let Ok(value) = HeaderValue::from_str(protocol) {
            self.headers.insert("mcp-protocol-version", value);
        }
    }

    /// Sends a message; with an id, the answer to it.
    pub(super) async fn ask(&mut self, message: &Value, id: Option<u64>) -> Result<Option<Value>, McpError> {
        let sent =
            self.client.post(&self.url).headers(self.headers.clone()).body(message.to_string()).send().await;
        let answer = sent.map_err(|e| {
            let connect = e.is_connect();
            let words = e.without_url().to_string();
            McpError::Http(if connect { format!("{} cannot be reached", self.url) } else { words })
        })?;
        if let Some(session) = answer.headers().get(SESSION) {
            self.headers.insert(SESSION, session.clone());
        }
        let status = answer.status();
        let streams = answer
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|t| t.as_bytes().starts_with(b"text/event-stream"));
        let Some(id) = id.filter(|_| status.is_success()) else {
            if status.is_success() {
                return Ok(None);
            }
            let body = answer.text().await.unwrap_or_default();
            let body: String =
                body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(QUOTED).collect();
            let hint =
                if status.as_u16() == 401 { "; it wants another credential in its headers" } else { "" };
            return Err(McpError::Http(format!("{} answers {status}{hint}: {body}", self.url)));
        };
        let (mut text, mut stream) = (Vec::new(), answer.bytes_stream());
        while let Some(piece) = stream.next().await {
            let piece =
                piece.map_err(|e| McpError::Http(format!("the answer broke off: {}", e.without_url())))?;
            text.extend_from_slice(&piece);
            if text.len() > MAX_ANSWER {
                return Err(McpError::Http("the answer is too long".into()));
            }
            // A stream may stay open behind the answer.
            if streams && let Some(found) = in_events(&text, id) {
                return Ok(Some(found));
            }
        }
        if streams {
            return Err(McpError::Http("the answer ended without a result".into()));
        }
        let found = serde_json::from_slice(&text).map_err(|_| {
            let shown: String = String::from_utf8_lossy(&text).chars().take(QUOTED).collect();
            McpError::Garbled(format!("{shown:?}"))
        })?;
        Ok(Some(found))
    }

    /// Says goodbye, as far as the server wants one.
    pub(super) async fn leave(self) {
        if self.headers.contains_key(SESSION) {
            let goodbye =
                self.client.delete(&self.url).headers(self.headers.clone()).timeout(CONNECT_WAIT).send();
            let _ = goodbye.await;
        }
    }
}

/// The answer with that id among whole events.
fn in_events(bytes: &[u8], id: u64) -> Option<Value> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let whole = text.rfind("\n\n").map(|end| &text[..end])?;
    whole.split("\n\n").find_map(|event| {
        let data: Vec<&str> =
            event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
        let said: Value = serde_json::from_str(&data.join("\n")).ok()?;
        (said["id"] == id && said.get("method").is_none()).then_some(said)
    })
}
