//! A Responses request into the common vocabulary.
use super::{
    super::{
        Untranslatable,
        carrier::{Blob, Kind},
        hosted,
        hub::{
            Call, Choice, Format, Media, Notes, Outcome, Part, Reasoning, Request, Role, Source, Text,
            Thinking, Turn, given, items, str_of, text_part,
        },
        mend::WRAP,
        names::{Names, flatten},
        read_url,
    },
    tools,
};
use serde_json::Value;

const KNOWN: &[&str] = &[
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "temperature",
    "top_p",
    "stream",
    "stream_options",
    "reasoning",
    "text",
    "store",
    "include",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "service_tier",
    "truncation",
    "background",
    "client_metadata",
    "previous_response_id",
    "conversation",
];

/// Fields that Chat has as well.
const SHARED: [&str; 3] = ["metadata", "top_logprobs", "prompt_cache_retention"];

/// Reads a request body.
pub(in super::super) fn read(
    body: &Value,
    names: &mut Names,
    notes: &mut Notes,
) -> Result<Request, Untranslatable> {
    for key in ["previous_response_id", "conversation"] {
        if !body[key].is_null() {
            return Err(Untranslatable(format!(
                "The request continues an answer that only OpenAI stores ({key}); send the whole conversation as input."
            )));
        }
    }
    if body["background"] == true {
        return Err(Untranslatable(
            "This model answers at once only: send the request without background.".to_owned(),
        ));
    }
    let known: Vec<&str> = KNOWN.iter().chain(&SHARED).copied().collect();
    notes.unknown(body, &known);
    let mut request = Request {
        max_output: body["max_output_tokens"].as_u64(),
        temperature: given(body, "temperature"),
        top_p: given(body, "top_p"),
        parallel: body["parallel_tool_calls"].as_bool(),
        user: ["safety_identifier", "user"].iter().find_map(|key| body[*key].as_str()).map(str::to_owned),
        cache_key: body["prompt_cache_key"].as_str().map(str::to_owned),
        service_tier: body["service_tier"]
            .as_str()
            .filter(|t| !matches!(*t, "auto" | "default"))
            .map(str::to_owned),
        verbosity: given(&body["text"], "verbosity"),
        reasoning: match body["reasoning"]["effort"].as_str() {
            Some("none") => Reasoning::Off,
            Some(word) => Reasoning::Effort(word.to_owned()),
            None => Reasoning::Unsaid,
        },
        format: format(&body["text"]["format"]),
        shared: SHARED.iter().filter_map(|key| Some((*key, given(body, key)?))).collect(),
        ..Request::default()
    };
    if let Some(text) = body["instructions"].as_str().filter(|text| !text.is_empty()) {
        request.system.push(Text { text: text.to_owned(), cache: None });
    }
    for tool in items(&body["tools"]) {
        tools::read(tool, None, &mut request, names, notes);
    }
    match &body["input"] {
        Value::String(text) => {
            request.turns.push(Turn { role: Role::User, parts: vec![text_part(text.as_str())] })
        }
        input => {
            for item in items(input) {
                read_item(item, &mut request, names, notes)?;
            }
        }
    }
    choose(&body["tool_choice"], &mut request);
    Ok(request)
}

fn format(format: &Value) -> Option<Format> {
    match str_of(format, "type") {
        "json_object" => Some(Format::Object),
        "json_schema" => Some(Format::Schema {
            name: format["name"].as_str().unwrap_or("output").to_owned(),
            schema: format["schema"].clone(),
            strict: format["strict"].as_bool(),
        }),
        _ => None,
    }
}

fn flat(value: &Value) -> String {
    flatten(value["namespace"].as_str(), str_of(value, "name"))
}

fn choose(choice: &Value, request: &mut Request) {
    request.choice = match choice {
        Value::String(word) => match word.as_str() {
            "none" => Choice::None,
            "required" => Choice::Any,
            _ => Choice::Auto,
        },
        Value::Object(_) => match str_of(choice, "type") {
            "allowed_tools" => {
                request.allowed =
                    items(&choice["tools"]).iter().map(flat).filter(|name| !name.is_empty()).collect();
                if choice["mode"] == "required" { Choice::Any } else { Choice::Auto }
            }
            "function" | "custom" => Choice::Tool(flat(choice)),
            _ => Choice::Auto,
        },
        _ => Choice::Unsaid,
    };
}

fn read_item(
    item: &Value,
    request: &mut Request,
    names: &mut Names,
    notes: &mut Notes,
) -> Result<(), Untranslatable> {
    let mut push = |role, part| request.turns.push(Turn { role, parts: vec![part] });
    let call = |arguments: String| {
        let id = item["call_id"].as_str().unwrap_or_else(|| str_of(item, "id")).to_owned();
        Part::Call(Call { id, name: flat(item), arguments, ..Call::default() })
    };
    match item["type"].as_str().unwrap_or("message") {
        "message" => read_message(item, request, notes),
        "function_call" => {
            push(
                Role::Model,
                call(item["arguments"].as_str().filter(|a| !a.is_empty()).unwrap_or("{}").to_owned()),
            );
        }
        "custom_tool_call" => {
            let input = super::super::mend::escaped(str_of(item, "input"));
            push(Role::Model, call(format!("{}{input}{}", WRAP.0, WRAP.1)));
        }
        "local_shell_call" => {
            let mut action = item["action"].clone();
            action.as_object_mut().and_then(|action| action.remove("type"));
            push(Role::Model, named(call(action.to_string()), "local_shell"));
        }
        "tool_search_call" if item["execution"] == "client" => {
            push(Role::Model, named(call(item["arguments"].to_string()), "tool_search"));
        }
        "function_call_output" | "custom_tool_call_output" | "local_shell_call_output" => {
            let id = item["call_id"].as_str().unwrap_or_else(|| str_of(item, "id")).to_owned();
            push(
                Role::User,
                Part::Result(Outcome { id, parts: parts(&item["output"], notes), ..Outcome::default() }),
            );
        }
        "tool_search_output" if item["execution"] == "client" => {
            let mut found = Vec::new();
            for tool in items(&item["tools"]) {
                found.push(str_of(tool, "name").to_owned());
                tools::read(tool, None, request, names, notes);
            }
            let id = str_of(item, "call_id").to_owned();
            let parts = vec![text_part(format!("Tools that can be called now: {}", found.join(", ")))];
            let result = Part::Result(Outcome { id, parts, ..Outcome::default() });
            request.turns.push(Turn { role: Role::User, parts: vec![result] });
        }
        "reasoning" => push(Role::Model, Part::Thinking(reasoning(item))),
        "additional_tools" => {
            for tool in items(&item["tools"]) {
                tools::read(tool, None, request, names, notes);
            }
        }
        "item_reference" => {
            return Err(Untranslatable(
                "The request refers to items that only OpenAI stores; send them whole (store: false)."
                    .to_owned(),
            ));
        }
        kind => match hosted::in_words(kind, item) {
            Some(words) => {
                notes.add(format!("input[{kind}]"), "told in words: only OpenAI runs this tool");
                push(Role::Model, Part::Text(words));
            }
            None => notes.add(format!("input[{kind}]"), "dropped: only OpenAI reads this item"),
        },
    }
    Ok(())
}

fn named(part: Part, name: &str) -> Part {
    match part {
        Part::Call(call) => Part::Call(Call { name: name.to_owned(), ..call }),
        part => part,
    }
}

fn reasoning(item: &Value) -> Thinking {
    let texts = |key: &str| -> Vec<String> {
        items(&item[key])
            .iter()
            .map(|part| str_of(part, "text").to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    };
    let mut text = texts("content");
    if text.is_empty() {
        text = texts("summary");
    }
    let text = text.join("\n\n");
    match item["encrypted_content"].as_str().filter(|blob| !blob.is_empty()) {
        Some(blob) => Blob::read(blob, Kind::Signature).unpack(&text),
        None => Thinking { text, blob: None },
    }
}

fn read_message(item: &Value, request: &mut Request, notes: &mut Notes) {
    let parts = parts(&item["content"], notes);
    let role = match str_of(item, "role") {
        "system" | "developer" => Role::System,
        "assistant" => Role::Model,
        _ => Role::User,
    };
    if role == Role::System && request.turns.is_empty() {
        request.system.extend(parts.into_iter().filter_map(|part| match part {
            Part::Text(text) if !text.text.is_empty() => Some(text),
            _ => None,
        }));
    } else {
        request.turns.push(Turn { role, parts });
    }
}

fn parts(content: &Value, notes: &mut Notes) -> Vec<Part> {
    match content {
        Value::String(text) => vec![text_part(text.as_str())],
        Value::Array(all) => all.iter().filter_map(|part| read_part(part, notes)).collect(),
        Value::Null => Vec::new(),
        // An output may be any JSON.
        other => vec![text_part(other.to_string())],
    }
}

fn read_part(part: &Value, notes: &mut Notes) -> Option<Part> {
    Some(match part["type"].as_str().unwrap_or("input_text") {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            text_part(str_of(part, "text"))
        }
        "refusal" => text_part(str_of(part, "refusal")),
        "input_image" => {
            let (mime, source) = match part["image_url"].as_str() {
                Some(url) => read_url(url),
                None => (String::new(), Source::Id(str_of(part, "file_id").to_owned())),
            };
            let detail = part["detail"].as_str().map(str::to_owned);
            Part::Image(Media { mime, source, detail, ..Media::default() })
        }
        "input_file" => {
            let (mime, source) = match (part["file_data"].as_str(), part["file_url"].as_str()) {
                (Some(data), _) => match read_url(data) {
                    // The bytes alone are taken as well.
                    (_, Source::Url(data)) => (String::new(), Source::Base64(data)),
                    read => read,
                },
                (None, Some(url)) => (String::new(), Source::Url(url.to_owned())),
                (None, None) => (String::new(), Source::Id(str_of(part, "file_id").to_owned())),
            };
            let mime = if mime.is_empty() { "application/pdf".to_owned() } else { mime };
            let name = part["filename"].as_str().map(str::to_owned);
            Part::File(Media { mime, source, name, ..Media::default() })
        }
        "input_audio" => {
            let inner = &part["input_audio"];
            let mime = format!("audio/{}", inner["format"].as_str().unwrap_or("wav"));
            Part::Audio(Media {
                mime,
                source: Source::Base64(str_of(inner, "data").to_owned()),
                ..Media::default()
            })
        }
        kind => {
            notes.add(format!("content[{kind}]"), "dropped: the other dialect has no such part");
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn codexs_tools_become_functions() {
        let body = json!({
            "input": [
                {"type": "additional_tools", "role": "developer", "tools": [
                    {"type": "namespace", "name": "functions", "tools": [
                        {"type": "custom", "name": "exec", "description": "Runs.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}}]},
                    {"type": "namespace", "name": "mcp__lab", "tools": [{"type": "function", "name": "ping", "parameters": {"type": "object"}}]}]},
                {"role": "developer", "content": [{"type": "input_text", "text": "be"}]},
                {"role": "user", "content": "go"},
                {"type": "custom_tool_call", "call_id": "c", "name": "exec", "input": "a \"b\"\n"},
                {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "ok"}]},
                {"type": "function_call", "call_id": "d", "namespace": "mcp__lab", "name": "ping", "arguments": ""},
            ],
            "tools": [{"type": "image_generation"}, {"type": "local_shell"}, {"type": "web_search"}],
        });
        let (mut names, mut notes) = (Names::default(), Notes::default());
        let request = read(&body, &mut names, &mut notes).unwrap();
        let found: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(found, ["local_shell", "exec", "mcp__lab__ping"]);
        assert!(request.tools[1].description.contains("start: x"));
        let Part::Call(call) = &request.turns[1].parts[0] else { panic!() };
        assert_eq!(serde_json::from_str::<Value>(&call.arguments).unwrap(), json!({"input": "a \"b\"\n"}));
        let Part::Call(call) = &request.turns[3].parts[0] else { panic!() };
        assert_eq!((call.name.as_str(), call.arguments.as_str()), ("mcp__lab__ping", "{}"));
        assert_eq!(names.native("mcp__lab__ping").namespace.as_deref(), Some("mcp__lab"));
        assert_eq!(request.system.len(), 1);
        assert!(request.web_search.is_some());
        assert_eq!(notes.0.len(), 1);
        for key in ["previous_response_id", "conversation"] {
            assert!(read(&json!({key: "x", "input": "a"}), &mut names, &mut notes).is_err());
        }
    }
}
