//! The tools as the model is told of them, and how a call is carried out.
use super::{files, intent::Intent, protocol::Declared, shell};
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::sync::mpsc::UnboundedSender;

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the model reads.
    pub output: String,
    /// What the person reads beside the call: `exit 0`, `12 lines`.
    pub remark: String,
    /// What the person may read of it.
    pub shown: String,
    /// It did what it was to do.
    pub well: bool,
}

impl Outcome {
    /// A call that was not carried out.
    pub fn refused(why: impl Into<String>, remark: &str) -> Self {
        Self { output: why.into(), remark: remark.into(), shown: String::new(), well: false }
    }
}

/// The tools.
pub fn declared() -> Vec<Declared> {
    let text = |what: &str| json!({ "type": "string", "description": what });
    let number = |what: &str| json!({ "type": "integer", "description": what });
    let path = || text("Relative to the workspace, or absolute.");
    [
        (
            "shell",
            "Run a command with bash in the workspace's directory; output and errors come back together with the exit \
             code. There is no terminal and no input. Long output loses its middle.",
            vec![
                ("command", true, text("The command line.")),
                (
                    "timeout_seconds",
                    false,
                    json!({ "type": "number", "description": "When it is stopped; 120 unless given, 1800 at most." }),
                ),
            ],
        ),
        (
            "read_file",
            "Read a text file, or a part of it.",
            vec![
                ("path", true, path()),
                ("offset", false, number("The first line, from 1.")),
                ("limit", false, number("How many lines.")),
            ],
        ),
        (
            "write_file",
            "Write a whole text file; directories are made as needed.",
            vec![("path", true, path()), ("content", true, text("All of the file."))],
        ),
        (
            "edit_file",
            "Replace text in a file. The old text must stand there exactly once, unless all of it is to be replaced.",
            vec![
                ("path", true, path()),
                ("old_text", true, text("What stands there, exactly, with enough around it to be found once.")),
                ("new_text", true, text("What shall stand there.")),
                ("replace_all", false, json!({ "type": "boolean", "description": "Wherever it stands." })),
            ],
        ),
        ("list_files", "List a directory.", vec![("path", false, path())]),
    ]
    .into_iter()
    .map(|(name, description, arguments)| {
        let required: Vec<&str> = arguments.iter().filter(|(_, needed, _)| *needed).map(|(name, ..)| *name).collect();
        let properties: serde_json::Map<String, Value> =
            arguments.iter().map(|(name, _, schema)| ((*name).to_owned(), schema.clone())).collect();
        let parameters = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        });
        Declared { name: name.into(), description: description.into(), parameters }
    })
    .collect()
}

/// Carries a call out at `target`: the file or directory that it is about, the workspace for a command. A command tells
/// its output as it comes, and is stopped when the future is dropped.
pub async fn carry_out(
    intent: Intent,
    target: PathBuf,
    helper: PathBuf,
    live: UnboundedSender<Vec<u8>>,
) -> Outcome {
    let done = match &intent {
        Intent::Shell { command, limit } => return shell::run(&helper, command, &target, *limit, live).await,
        Intent::Read { from, lines, .. } => files::read(&target, *from, *lines),
        Intent::Write { content, .. } => files::write(&target, content),
        Intent::Edit { old, new, all, .. } => files::edit(&target, old, new, *all),
        Intent::List { .. } => files::list(&target),
        Intent::Mcp { name, .. } => Err(format!("there is no tool {name:?}")),
    };
    done.unwrap_or_else(|why| Outcome { shown: why.clone(), ..Outcome::refused(why, "failed") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_tool_is_understood() {
        for tool in declared() {
            let needed = tool.parameters["required"].as_array().unwrap();
            let given: serde_json::Map<String, Value> =
                needed.iter().map(|name| (name.as_str().unwrap().to_owned(), "x".into())).collect();
            let intent = Intent::read(&tool.name, &Value::Object(given).to_string());
            assert!(intent.is_ok(), "{}: {intent:?}", tool.name);
        }
    }
}
