//! The MCP servers of a session: reached before the first prompt, called like any other tool.
use super::{
    mcp::{Client, Endpoint, HELLO_WAIT},
    protocol::Declared,
    tools::Outcome,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, path::PathBuf, sync::Arc};
use tokio::sync::Mutex;

/// Before the name of a server's tool, as other agents have it.
pub const PREFIX: &str = "mcp__";

/// A longer name of a tool is taken by no model API.
const MAX_NAME: usize = 64;

/// A server that a launch names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// What it is called here.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
}

/// The servers that were reached.
#[derive(Clone, Default)]
pub struct Servers {
    clients: Arc<BTreeMap<String, Mutex<Client>>>,
}

/// What came of reaching them.
pub struct Reached {
    /// Those that answer.
    pub servers: Servers,
    /// Their tools, under names of ours.
    pub tools: Vec<Declared>,
    /// Why the others do not.
    pub notes: Vec<String>,
}

/// The server and the tool behind a name of ours.
pub fn parts(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PREFIX)?.split_once("__")
}

/// Reaches all servers at once.
pub async fn reach(named: Vec<Named>, cwd: PathBuf) -> Reached {
    let tries = named.into_iter().map(|Named { name, endpoint }| {
        let cwd = cwd.clone();
        tokio::spawn(async move {
            let client = Client::connect(&endpoint, &cwd, HELLO_WAIT).await;
            (name, client)
        })
    });
    let (mut clients, mut tools, mut notes) = (BTreeMap::new(), Vec::new(), Vec::new());
    for tried in tries.collect::<Vec<_>>() {
        match tried.await {
            Ok((name, Ok(client))) => {
                for tool in &client.hello.tools {
                    let called = format!("{PREFIX}{name}__{}", tool.name);
                    if called.len() > MAX_NAME {
                        notes.push(format!(
                            "MCP server {name}: the name of its tool {} is too long",
                            tool.name
                        ));
                        continue;
                    }
                    let (description, parameters) = (tool.description.clone(), tool.schema.clone());
                    tools.push(Declared { name: called, description, parameters });
                }
                clients.insert(name, Mutex::new(client));
            }
            Ok((name, Err(why))) => notes.push(format!("MCP server {name}: {why}")),
            Err(error) => notes.push(format!("an MCP server could not be asked: {error}")),
        }
    }
    Reached { servers: Servers { clients: Arc::new(clients) }, tools, notes }
}

impl Servers {
    /// Calls a tool. Calls of one server wait for each other.
    pub async fn call(self, name: String, arguments: Value) -> Outcome {
        let found = parts(&name).and_then(|(server, tool)| Some((self.clients.get(server)?, tool)));
        let Some((client, tool)) = found else {
            let why = format!("there is no tool {name:?}");
            return Outcome { shown: why.clone(), ..Outcome::refused(why, "failed") };
        };
        match client.lock().await.call(tool, &arguments).await {
            Ok((text, well)) => {
                let remark = if well { "answered" } else { "says it failed" };
                Outcome { output: text.clone(), remark: remark.into(), shown: text, well }
            }
            Err(error) => {
                let why = error.to_string();
                Outcome { shown: why.clone(), ..Outcome::refused(why, "failed") }
            }
        }
    }
}

/// Whether a path leads to one of these directories.
pub fn below(path: &Path, dirs: &[PathBuf]) -> bool {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    dirs.iter().any(|dir| dir.canonicalize().is_ok_and(|dir| real.starts_with(dir)))
}
