//! Codex's tools as plain functions, and what their calls are called on the way back.
use super::super::{
    hub::{Notes, Request, Tool, items, str_of},
    names::{Form, Names, Native, flatten},
};
use serde_json::{Value, json};

/// Reads a tool, with those inside a namespace. One of a name that is known already is passed over.
pub(super) fn read(
    tool: &Value,
    space: Option<&str>,
    request: &mut Request,
    names: &mut Names,
    notes: &mut Notes,
) {
    let name = str_of(tool, "name");
    match tool["type"].as_str().unwrap_or("function") {
        "function" => add(tool["parameters"].clone(), tool, Form::Function, (space, name), request, names),
        "custom" => add(Value::Null, tool, Form::Custom, (space, name), request, names),
        "namespace" => {
            for inner in items(&tool["tools"]) {
                read(inner, Some(name), request, names, notes);
            }
        }
        "local_shell" => add(shell_schema(), tool, Form::Shell, (None, "local_shell"), request, names),
        "tool_search" if tool["execution"] == "client" => {
            add(tool["parameters"].clone(), tool, Form::Search, (None, "tool_search"), request, names);
        }
        kind if kind.starts_with("web_search") && tool["external_web_access"] == false => {
            notes.add(kind, "left out: of what OpenAI has stored of the web, not of the web");
        }
        kind if kind.starts_with("web_search") => request.web_search = Some(tool.clone()),
        kind => notes.add(format!("tools[{kind}]"), "left out: only OpenAI runs this tool"),
    }
}

fn add(
    schema: Value,
    tool: &Value,
    form: Form,
    (space, name): (Option<&str>, &str),
    request: &mut Request,
    names: &mut Names,
) {
    let flat = flatten(space, name);
    if name.is_empty() || request.tools.iter().any(|known| known.name == flat) {
        return;
    }
    let mut description = str_of(tool, "description").to_owned();
    let schema = if form == Form::Custom {
        let grammar = str_of(&tool["format"], "definition");
        if !grammar.is_empty() {
            let syntax = tool["format"]["syntax"].as_str().unwrap_or("lark");
            description.push_str(&format!("\n\n`input` is free text of this {syntax} grammar:\n{grammar}"));
        }
        json!({
            "type": "object", "properties": {"input": {"type": "string", "description": "The tool's whole input, as free text."}},
            "required": ["input"], "additionalProperties": false,
        })
    } else {
        schema
    };
    let native_space = space.filter(|space| !matches!(*space, "" | "functions")).map(str::to_owned);
    names.keep(&flat, Native { name: name.to_owned(), namespace: native_space, form });
    request.tools.push(Tool {
        name: flat,
        description,
        schema,
        strict: tool["strict"].as_bool().filter(|strict| *strict),
        cache: None,
    });
}

/// The action of a `local_shell_call`.
fn shell_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "command": {"type": "array", "items": {"type": "string"}, "description": "The program and its arguments."},
            "working_directory": {"type": "string"},
            "timeout_ms": {"type": "integer"},
        },
        "required": ["command"],
    })
}
