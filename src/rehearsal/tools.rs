//! The tools that a request offers, and how each shell among them is called.
use super::schema::instance;
use crate::dialect::Dialect;
use serde_json::{Map, Value, json};

/// A tool that may be called.
#[derive(Clone, Debug)]
pub(super) struct Offered {
    /// Its name.
    pub name: String,
    /// The namespace to name with a call, where it is in one.
    pub namespace: Option<String>,
    /// It takes free text instead of an object.
    pub custom: bool,
    /// The schema of its arguments.
    pub schema: Value,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    /// The tool.
    pub name: String,
    /// Its namespace, when that must be named.
    pub namespace: Option<String>,
    /// An object, or a string for a tool that takes free text.
    pub input: Value,
}

/// Shells by name, the most capable of each CLI first.
const SHELLS: &[&str] = &[
    "exec_command",
    "shell_command",
    "shell",
    "container.exec",
    "Bash",
    "bash",
    "run_shell_command",
    "run_terminal_command",
    "run_terminal_cmd",
    "execute_command",
];

/// The tool that takes JavaScript which calls the other tools.
const CODE_MODE: &str = "exec";

/// What a shell says it is doing, where it wants to know.
const DESCRIPTION: &str = "Run the requested command";

/// What the person is asked when a command is to leave the sandbox.
const JUSTIFICATION: &str = "May this command run outside the sandbox?";

/// The tools that a request offers.
pub(super) fn offered(dialect: Dialect, body: &Value) -> Vec<Offered> {
    let mut found = Vec::new();
    let listed = body["tools"].as_array().into_iter().flatten();
    match dialect {
        Dialect::Messages => {
            found.extend(listed.filter_map(|tool| function(tool, "input_schema", None)));
        }
        Dialect::Chat => {
            found.extend(listed.filter_map(|tool| function(&tool["function"], "parameters", None)));
        }
        Dialect::Gemini => {
            for declared in
                listed.flat_map(|tool| tool["functionDeclarations"].as_array().into_iter().flatten())
            {
                let key = if declared["parametersJsonSchema"].is_object() {
                    "parametersJsonSchema"
                } else {
                    "parameters"
                };
                found.extend(function(declared, key, None));
            }
        }
        Dialect::Responses => {
            // Some models get their tools inside the input instead.
            let inside = body["input"].as_array().into_iter().flatten();
            let added = inside
                .filter(|item| item["type"] == "additional_tools")
                .flat_map(|item| item["tools"].as_array().into_iter().flatten());
            listed.chain(added).for_each(|tool| flat(tool, None, &mut found));
        }
    }
    found
}

fn function(tool: &Value, key: &str, namespace: Option<&str>) -> Option<Offered> {
    Some(Offered {
        name: tool["name"].as_str()?.to_owned(),
        namespace: namespace.map(str::to_owned),
        custom: false,
        schema: tool[key].clone(),
    })
}

fn flat(tool: &Value, namespace: Option<&str>, found: &mut Vec<Offered>) {
    match tool["type"].as_str() {
        Some("namespace") => {
            for inner in tool["tools"].as_array().into_iter().flatten() {
                flat(inner, tool["name"].as_str(), found);
            }
        }
        Some("function") => found.extend(function(tool, "parameters", namespace)),
        Some("custom") => {
            found
                .extend(function(tool, "parameters", namespace).map(|tool| Offered { custom: true, ..tool }));
        }
        _ => {}
    }
}

/// The tool that a request insists on, with arguments that satisfy its schema.
pub(super) fn forced(dialect: Dialect, body: &Value, offered: &[Offered], words: &str) -> Option<Call> {
    let name = match dialect {
        Dialect::Messages => body["tool_choice"]["name"].as_str(),
        Dialect::Chat => body["tool_choice"]["function"]["name"].as_str(),
        Dialect::Responses => body["tool_choice"]["name"].as_str(),
        Dialect::Gemini => {
            let config = &body["toolConfig"]["functionCallingConfig"];
            config["allowedFunctionNames"][0].as_str().filter(|_| config["mode"] == "ANY")
        }
    }?;
    let tool = offered.iter().find(|tool| tool.name == name)?;
    let input = if tool.custom { Value::from(words) } else { instance(&tool.schema, words) };
    Some(call(tool, input))
}

/// Calls a shell among the offered tools with a command; `None` when there is none. `outside` asks to leave the
/// tool's sandbox, where its arguments can say so.
pub(super) fn shell(offered: &[Offered], command: &str, outside: bool) -> Option<Call> {
    let known = SHELLS.iter().find_map(|name| offered.iter().find(|t| t.name == *name && !t.custom));
    if let Some(tool) = known {
        return Some(call(tool, arguments(tool, command, outside)));
    }
    if let Some(tool) = offered.iter().find(|t| t.name == CODE_MODE && t.custom) {
        let mut argument = Map::new();
        argument.insert("cmd".to_owned(), Value::from(command));
        if outside {
            leave_sandbox(&mut argument);
        }
        let argument = Value::Object(argument);
        let script =
            format!("const r = await tools.exec_command({argument}); text(r.output ?? JSON.stringify(r));");
        return Some(Call { name: tool.name.clone(), namespace: None, input: Value::from(script) });
    }
    let any = offered.iter().find(|t| !t.custom && command_property(&t.schema).is_some())?;
    Some(call(any, arguments(any, command, outside)))
}

/// Codex's words for a command that is to run unsandboxed, and for what the person is then asked.
fn leave_sandbox(arguments: &mut Map<String, Value>) {
    arguments.insert("sandbox_permissions".to_owned(), Value::from("require_escalated"));
    arguments.insert("justification".to_owned(), Value::from(JUSTIFICATION));
}

fn call(tool: &Offered, input: Value) -> Call {
    Call { name: tool.name.clone(), namespace: tool.namespace.clone(), input }
}

/// The property that takes the command.
fn command_property(schema: &Value) -> Option<&'static str> {
    ["cmd", "command"].into_iter().find(|key| schema["properties"][key].is_object())
}

fn arguments(tool: &Offered, command: &str, outside: bool) -> Value {
    let properties = &tool.schema["properties"];
    let key =
        command_property(&tool.schema).unwrap_or(if tool.name == "exec_command" { "cmd" } else { "command" });
    let wants_list = properties[key]["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("array"));
    let mut out = Map::new();
    out.insert(
        key.to_owned(),
        if wants_list { json!(["bash", "-lc", command]) } else { Value::from(command) },
    );
    if properties["description"].is_object() {
        out.insert("description".to_owned(), Value::from(DESCRIPTION));
    }
    if outside && properties["sandbox_permissions"].is_object() {
        leave_sandbox(&mut out);
    }
    for name in tool.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !out.contains_key(name) {
            out.insert(name.to_owned(), instance(&properties[name], DESCRIPTION));
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(dialect: Dialect, body: Value) -> Option<Call> {
        shell(&offered(dialect, &body), "ls -la", false)
    }

    #[test]
    fn each_cli_s_shell_is_called_its_own_way() {
        let described = json!({"type": "object", "required": ["command"],
            "properties": {"command": {"type": "string"}, "description": {"type": "string"}}});
        let want = json!({"command": "ls -la", "description": DESCRIPTION});
        let claude = one(
            Dialect::Messages,
            json!({"tools": [{"name": "Read", "input_schema": {}},
            {"name": "Bash", "input_schema": described}]}),
        )
        .unwrap();
        assert_eq!((claude.name.as_str(), &claude.input), ("Bash", &want));
        let gemini = one(
            Dialect::Gemini,
            json!({"tools": [{"functionDeclarations": [
            {"name": "run_shell_command", "parametersJsonSchema": described}]}]}),
        )
        .unwrap();
        assert_eq!((gemini.name.as_str(), &gemini.input), ("run_shell_command", &want));
        let grok = one(
            Dialect::Chat,
            json!({"tools": [{"type": "function", "function":
            {"name": "run_terminal_command", "parameters": described}}]}),
        )
        .unwrap();
        assert_eq!((grok.name.as_str(), &grok.input), ("run_terminal_command", &want));
        let codex = one(
            Dialect::Responses,
            json!({"tools": [{"type": "web_search"}, {"type": "function",
            "name": "exec_command", "parameters": {"properties": {"cmd": {"type": "string"}}}}]}),
        )
        .unwrap();
        assert_eq!((codex.name.as_str(), codex.input), ("exec_command", json!({"cmd": "ls -la"})));
        let older = one(
            Dialect::Responses,
            json!({"tools": [{"type": "function", "name": "shell",
            "parameters": {"properties": {"command": {"type": "array"}}}}]}),
        )
        .unwrap();
        assert_eq!(older.input, json!({"command": ["bash", "-lc", "ls -la"]}));
    }

    #[test]
    fn code_mode_inside_the_input() {
        let call = one(
            Dialect::Responses,
            json!({"input": [{"type": "additional_tools", "tools": [
            {"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]}]}]}),
        )
        .unwrap();
        assert_eq!((call.name.as_str(), &call.namespace), ("exec", &None));
        assert_eq!(
            call.input.as_str().unwrap(),
            r#"const r = await tools.exec_command({"cmd":"ls -la"}); text(r.output ?? JSON.stringify(r));"#
        );
    }

    #[test]
    fn a_command_leaves_the_sandbox_where_the_shell_can_say_so() {
        let tool = |properties: Value| json!({"tools": [{"type": "function", "name": "exec_command", "parameters": {"properties": properties}}]});
        let outside = |body: Value| shell(&offered(Dialect::Responses, &body), "ls", true).unwrap().input;
        let can = tool(json!({"cmd": {}, "sandbox_permissions": {"type": "string"}}));
        let want =
            json!({"cmd": "ls", "sandbox_permissions": "require_escalated", "justification": JUSTIFICATION});
        assert_eq!(outside(can), want);
        assert_eq!(outside(tool(json!({"cmd": {}}))), json!({"cmd": "ls"}));
        let code_mode = json!({"tools": [{"type": "custom", "name": "exec"}]});
        assert!(outside(code_mode).as_str().unwrap().contains("require_escalated"));
    }

    #[test]
    fn an_unknown_shell_is_found_by_its_schema_and_filled() {
        let call = one(Dialect::Chat, json!({"tools": [
            {"type": "function", "function": {"name": "read", "parameters": {"properties": {"path": {}}}}},
            {"type": "function", "function": {"name": "terminal", "parameters": {
                "required": ["command", "timeout"],
                "properties": {"command": {"type": "string"}, "timeout": {"type": "integer", "minimum": 5}}}}}]})).unwrap();
        assert_eq!(
            (call.name.as_str(), call.input),
            ("terminal", json!({"command": "ls -la", "timeout": 5}))
        );
        assert_eq!(
            one(Dialect::Chat, json!({"tools": [{"type": "function", "function": {"name": "read"}}]})),
            None
        );
    }

    #[test]
    fn a_tool_that_is_insisted_on() {
        let body = json!({"tools": [{"type": "function", "name": "session_title", "parameters":
            {"required": ["title"], "properties": {"title": {"type": "string"}}}}],
            "tool_choice": {"type": "function", "name": "session_title"}});
        let tools = offered(Dialect::Responses, &body);
        let call = forced(Dialect::Responses, &body, &tools, "A title").unwrap();
        assert_eq!(call.input, json!({"title": "A title"}));
        assert_eq!(forced(Dialect::Responses, &json!({"tool_choice": "auto"}), &tools, "x"), None);
    }
}
