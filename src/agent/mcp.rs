//! A client of MCP servers: starts or reaches one, says hello, lists its tools, calls them. Protocol 2025-06-18.
//!
//! Must not know: whose server it is, who agreed to start it.
mod http;

use super::runtime::quote;
use http::Remote;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time,
};

/// The protocol that is offered; a server may answer with one that it prefers.
const VERSION: &str = "2025-06-18";
/// A server that a package manager has to fetch first takes this long.
pub const HELLO_WAIT: Duration = Duration::from_secs(30);
/// A tool may build or crawl; beyond this the model is told that it went on too long.
pub const CALL_WAIT: Duration = Duration::from_secs(300);
/// From closing its input to stopping a server.
const LEAVE: Duration = Duration::from_secs(2);
/// One message; a tool's answer may hold a picture.
const MAX_MESSAGE: u64 = 16 * 1024 * 1024;
/// Messages that are not the answer, in a row: notifications come, a flood does not.
const MAX_SKIPPED: usize = 10_000;
/// Tools of one server that a model is told of.
const MAX_TOOLS: usize = 500;
/// Pages of a list of tools.
const MAX_PAGES: usize = 20;

/// Where a server is, with its secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Endpoint {
    /// A program that speaks on its standard input and output.
    Stdio {
        /// It and its arguments.
        command: Vec<String>,
        /// Its variables beside ours.
        env: BTreeMap<String, String>,
    },
    /// Streamable HTTP.
    Http {
        /// The address.
        url: String,
        /// Headers of every request.
        headers: BTreeMap<String, String>,
    },
}

/// Why a server is of no use. `said` is what it printed on its standard error.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// The program cannot be started.
    #[error("cannot start {program}: {why}")]
    Start {
        /// Which.
        program: String,
        /// Why not.
        why: String,
    },
    /// It ended or closed its output.
    #[error("it ended before it answered{}", quoted(.said))]
    Ended {
        /// Its last words.
        said: String,
    },
    /// It says nothing.
    #[error("no answer to {method} within {seconds} s{}", quoted(.said))]
    Silent {
        /// What was asked.
        method: String,
        /// How long was waited.
        seconds: u64,
        /// Its last words.
        said: String,
    },
    /// It answered with an error.
    #[error("{method} is refused: {message} ({code})")]
    Refused {
        /// What was asked.
        method: String,
        /// Its number.
        code: i64,
        /// Its words.
        message: String,
    },
    /// The address answers, but not as a server does.
    #[error("{0}")]
    Http(String),
    /// What it says is not the protocol.
    #[error("it does not speak MCP: {0}")]
    Garbled(String),
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it said: {said}") }
}

/// A tool of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name at the server.
    pub name: String,
    /// What it says of itself.
    #[serde(default)]
    pub description: String,
    /// What it takes, as JSON schema.
    #[serde(default, rename = "inputSchema")]
    pub schema: Value,
}

/// What a server said of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Hello {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The protocol that is spoken.
    pub protocol: String,
    /// Its tools.
    pub tools: Vec<Tool>,
}

/// A server that was reached. Dropping it stops a program.
pub struct Client {
    link: Link,
    next: u64,
    /// What it said of itself.
    pub hello: Hello,
}

enum Link {
    Stdio(Box<Program>),
    Http(Remote),
}

struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What was read of a message; it stays when the person interrupts a call in the middle of its answer.
    line: Vec<u8>,
    errors: Option<JoinHandle<String>>,
}

impl Client {
    /// Reaches a server, says hello and lists its tools, all within `patience`.
    ///
    /// # Errors
    /// Why it is of no use, with the last words of a program.
    pub async fn connect(endpoint: &Endpoint, cwd: &Path, patience: Duration) -> Result<Self, McpError> {
        let link = match endpoint {
            Endpoint::Stdio { command, env } => Link::Stdio(Box::new(Program::start(command, env, cwd)?)),
            Endpoint::Http { url, headers } => Link::Http(Remote::new(url, headers)?),
        };
        let mut client = Self { link, next: 0, hello: Hello::default() };
        let end = time::Instant::now() + patience;
        match time::timeout_at(end, client.greet()).await {
            Ok(Ok(())) => Ok(client),
            Ok(Err(McpError::Ended { .. })) => Err(McpError::Ended { said: client.last_words().await }),
            Ok(Err(error)) => {
                client.end().await;
                Err(error)
            }
            Err(_) => Err(McpError::Silent {
                method: if client.hello.protocol.is_empty() { "initialize" } else { "tools/list" }.into(),
                seconds: patience.as_secs(),
                said: client.last_words().await,
            }),
        }
    }

    async fn greet(&mut self) -> Result<(), McpError> {
        let about = json!({ "name": "inspan", "version": env!("CARGO_PKG_VERSION") });
        let params = json!({ "protocolVersion": VERSION, "capabilities": {}, "clientInfo": about });
        let answer = self.ask("initialize", params).await?;
        let text =
            |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.hello.name = text("/serverInfo/name");
        self.hello.version = text("/serverInfo/version");
        self.hello.protocol = text("/protocolVersion");
        if self.hello.protocol.is_empty() {
            return Err(McpError::Garbled("its answer to initialize names no protocol".into()));
        }
        if let Link::Http(remote) = &mut self.link {
            remote.speaks(&self.hello.protocol);
        }
        self.tell("notifications/initialized").await?;
        if answer.pointer("/capabilities/tools").is_none() {
            return Ok(());
        }
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let params = cursor.map_or_else(|| json!({}), |cursor: String| json!({ "cursor": cursor }));
            let mut answer = self.ask("tools/list", params).await?;
            let tools: Vec<Tool> = serde_json::from_value(answer["tools"].take())
                .map_err(|e| McpError::Garbled(format!("its list of tools: {e}")))?;
            self.hello.tools.extend(tools);
            self.hello.tools.truncate(MAX_TOOLS);
            cursor = answer["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Calls a tool: the text of its answer, and whether it went well.
    ///
    /// # Errors
    /// The server is gone, says nothing for [`CALL_WAIT`], or refuses the call.
    pub async fn call(&mut self, tool: &str, arguments: &Value) -> Result<(String, bool), McpError> {
        let asked = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        let answer = time::timeout(CALL_WAIT, asked).await.map_err(|_| McpError::Silent {
            method: tool.to_owned(),
            seconds: CALL_WAIT.as_secs(),
            said: String::new(),
        })??;
        let part =
            |part: &Value| match part["text"].as_str().or_else(|| part.pointer("/resource/text")?.as_str()) {
                Some(text) => text.to_owned(),
                None => format!("[{}]", part["type"].as_str().unwrap_or("something without words")),
            };
        let parts: Vec<String> = answer["content"].as_array().into_iter().flatten().map(part).collect();
        let text = match parts.is_empty() {
            true => answer.get("structuredContent").map(ToString::to_string).unwrap_or_default(),
            false => parts.join("\n"),
        };
        Ok((text, answer["isError"] != true))
    }

    async fn ask(&mut self, method: &str, params: Value) -> Result<Value, McpError> {
        self.next += 1;
        let id = self.next;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut answer = match &mut self.link {
            Link::Stdio(program) => program.ask(&message, id).await?,
            Link::Http(remote) => remote.ask(&message, Some(id)).await?.unwrap_or_default(),
        };
        if let Some(error) = answer.get("error") {
            return Err(McpError::Refused {
                method: method.to_owned(),
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or("without words").to_owned(),
            });
        }
        Ok(answer["result"].take())
    }

    async fn tell(&mut self, method: &str) -> Result<(), McpError> {
        let message = json!({ "jsonrpc": "2.0", "method": method });
        match &mut self.link {
            Link::Stdio(program) => program.say(&message).await,
            Link::Http(remote) => remote.ask(&message, None).await.map(drop),
        }
    }

    /// Stops a program and hands over what it said on its standard error.
    async fn last_words(mut self) -> String {
        let errors = match &mut self.link {
            Link::Stdio(program) => program.errors.take(),
            Link::Http(_) => None,
        };
        self.end().await;
        match errors {
            Some(errors) => time::timeout(LEAVE, errors).await.ok().and_then(Result::ok).unwrap_or_default(),
            None => String::new(),
        }
    }

    /// Ends it: a program's input closes, and its group is stopped if that does not do.
    pub async fn end(self) {
        match self.link {
            Link::Stdio(mut program) => {
                drop(program.input.take());
                if time::timeout(LEAVE, program.child.wait()).await.is_err() {
                    program.kill();
                    let _ = program.child.wait().await;
                }
            }
            Link::Http(remote) => remote.leave().await,
        }
    }
}

impl Program {
    fn start(command: &[String], env: &BTreeMap<String, String>, cwd: &Path) -> Result<Self, McpError> {
        let program = command.first().map(String::as_str).unwrap_or_default();
        let cannot = |why: String| McpError::Start { program: program.to_owned(), why };
        let mut child = Command::new(program)
            .args(command.get(1..).unwrap_or_default())
            .envs(env)
            .current_dir(cwd)
            // What it starts itself is stopped with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| cannot(e.to_string()))?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(cannot("it has no pipes".into()));
        };
        let errors = Some(tokio::spawn(quote(errors)));
        Ok(Self { child, input: Some(input), output: BufReader::new(output), line: Vec::new(), errors })
    }

    async fn say(&mut self, message: &Value) -> Result<(), McpError> {
        let gone = || McpError::Ended { said: String::new() };
        let input = self.input.as_mut().ok_or_else(gone)?;
        let line = format!("{message}\n");
        input.write_all(line.as_bytes()).await.map_err(|_| gone())
    }

    async fn ask(&mut self, message: &Value, id: u64) -> Result<Value, McpError> {
        self.say(message).await?;
        for _ in 0..MAX_SKIPPED {
            let room = MAX_MESSAGE.saturating_sub(self.line.len() as u64);
            let read = (&mut self.output).take(room).read_until(b'\n', &mut self.line).await;
            if !matches!(read, Ok(count) if count > 0) {
                return Err(McpError::Ended { said: String::new() });
            }
            let line = std::mem::take(&mut self.line);
            if line.trim_ascii().is_empty() {
                continue;
            }
            let said: Value = serde_json::from_slice(&line).map_err(|_| {
                let shown: String = String::from_utf8_lossy(&line).trim_end().chars().take(200).collect();
                McpError::Garbled(format!("{shown:?} on its standard output"))
            })?;
            if said["id"] == id && said.get("method").is_none() {
                return Ok(said);
            }
            if let (Some(asked), Some(_)) = (said.get("id"), said.get("method")) {
                // It asks something of us; what we offered to do is nothing.
                let error = json!({ "code": -32601, "message": "not offered" });
                self.say(&json!({ "jsonrpc": "2.0", "id": asked, "error": error })).await?;
            }
        }
        Err(McpError::Garbled("it talks without answering".into()))
    }

    fn kill(&self) {
        let pid = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests;
