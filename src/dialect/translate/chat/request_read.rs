//! A Chat request into the common vocabulary.
use super::super::{
    Untranslatable,
    carrier::{Blob, Kind},
    hub::{
        Call, Choice, Format, Media, Notes, Outcome, Part, Reasoning, Request, Role, Source, Text, Thinking,
        Tool, Turn, given, items, str_of, text_part,
    },
    read_url,
};
use serde_json::Value;

const KNOWN: &[&str] = &[
    "model",
    "messages",
    "tools",
    "functions",
    "tool_choice",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "stream",
    "stream_options",
    "n",
    "reasoning_effort",
    "reasoning",
    "response_format",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "service_tier",
    "verbosity",
    "web_search_options",
    "usage",
];

/// Fields that Responses has as well.
const SHARED: [&str; 7] = [
    "metadata",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "top_logprobs",
    "prompt_cache_retention",
];

/// Reads a request body.
pub(in super::super) fn read(body: &Value, notes: &mut Notes) -> Result<Request, Untranslatable> {
    if body["n"].as_u64().is_some_and(|n| n > 1) {
        return Err(Untranslatable(
            "This model answers once, and the request wants several answers: set n to 1.".to_owned(),
        ));
    }
    let known: Vec<&str> = KNOWN.iter().chain(&SHARED).copied().collect();
    notes.unknown(body, &known);
    let mut request = Request {
        max_output: body["max_completion_tokens"].as_u64().or_else(|| body["max_tokens"].as_u64()),
        temperature: given(body, "temperature"),
        top_p: given(body, "top_p"),
        top_k: given(body, "top_k"),
        stops: match &body["stop"] {
            Value::String(stop) => vec![stop.clone()],
            stops => items(stops).iter().filter_map(|stop| stop.as_str().map(str::to_owned)).collect(),
        },
        parallel: body["parallel_tool_calls"].as_bool(),
        user: ["safety_identifier", "user"].iter().find_map(|key| body[*key].as_str()).map(str::to_owned),
        cache_key: body["prompt_cache_key"].as_str().map(str::to_owned),
        service_tier: tier(body),
        verbosity: given(body, "verbosity"),
        web_search: given(body, "web_search_options"),
        reasoning: reasoning(body),
        format: format(&body["response_format"]),
        include_usage: body["stream_options"]["include_usage"] == true || body["usage"]["include"] == true,
        shared: SHARED.iter().filter_map(|key| Some((*key, given(body, key)?))).collect(),
        ..Request::default()
    };
    for tool in items(&body["tools"]) {
        let function = if tool["function"].is_object() { &tool["function"] } else { tool };
        match tool["type"].as_str().unwrap_or("function") {
            "function" => request.tools.push(read_tool(function)),
            kind => notes.add(format!("tools[{kind}]"), "left out: the other dialect has no such tool"),
        }
    }
    request.tools.extend(items(&body["functions"]).iter().map(read_tool));
    choose(&body["tool_choice"], &mut request);
    for message in items(&body["messages"]) {
        read_message(message, &mut request, notes);
    }
    Ok(request)
}

fn tier(body: &Value) -> Option<String> {
    body["service_tier"].as_str().filter(|tier| !matches!(*tier, "auto" | "default")).map(str::to_owned)
}

fn reasoning(body: &Value) -> Reasoning {
    let own = &body["reasoning"];
    if own["enabled"] == false {
        return Reasoning::Off;
    }
    if let Some(budget) = own["max_tokens"].as_u64() {
        return Reasoning::Budget(budget);
    }
    match own["effort"].as_str().or_else(|| body["reasoning_effort"].as_str()) {
        Some("none") => Reasoning::Off,
        Some(word) => Reasoning::Effort(word.to_owned()),
        None if own["enabled"] == true => Reasoning::Auto,
        None => Reasoning::Unsaid,
    }
}

fn format(format: &Value) -> Option<Format> {
    match str_of(format, "type") {
        "json_object" => Some(Format::Object),
        "json_schema" => {
            let inner = &format["json_schema"];
            Some(Format::Schema {
                name: inner["name"].as_str().unwrap_or("output").to_owned(),
                schema: inner["schema"].clone(),
                strict: inner["strict"].as_bool(),
            })
        }
        _ => None,
    }
}

fn read_tool(function: &Value) -> Tool {
    Tool {
        name: str_of(function, "name").to_owned(),
        description: str_of(function, "description").to_owned(),
        schema: function["parameters"].clone(),
        strict: function["strict"].as_bool(),
        cache: given(function, "cache_control"),
    }
}

fn choose(choice: &Value, request: &mut Request) {
    request.choice = match choice {
        Value::String(word) => match word.as_str() {
            "none" => Choice::None,
            "required" => Choice::Any,
            _ => Choice::Auto,
        },
        Value::Object(_) if choice["type"] == "allowed_tools" => {
            let allowed = &choice["allowed_tools"];
            request.allowed = items(&allowed["tools"])
                .iter()
                .map(|tool| str_of(&tool["function"], "name").to_owned())
                .collect();
            if allowed["mode"] == "required" { Choice::Any } else { Choice::Auto }
        }
        Value::Object(_) => Choice::Tool(str_of(&choice["function"], "name").to_owned()),
        _ => Choice::Unsaid,
    };
}

fn read_message(message: &Value, request: &mut Request, notes: &mut Notes) {
    let content = &message["content"];
    match str_of(message, "role") {
        "system" | "developer" => {
            let parts = parts(content, notes);
            if request.turns.is_empty() {
                request.system.extend(parts.into_iter().filter_map(|part| match part {
                    Part::Text(text) if !text.text.is_empty() => Some(text),
                    _ => None,
                }));
            } else {
                request.turns.push(Turn { role: Role::System, parts });
            }
        }
        "assistant" => request.turns.push(Turn { role: Role::Model, parts: assistant(message, notes) }),
        "tool" | "function" => {
            let id = message["tool_call_id"].as_str().unwrap_or_else(|| str_of(message, "name")).to_owned();
            let result = Outcome { id, parts: parts(content, notes), ..Outcome::default() };
            request.turns.push(Turn { role: Role::User, parts: vec![Part::Result(result)] });
        }
        _ => request.turns.push(Turn { role: Role::User, parts: parts(content, notes) }),
    }
}

fn assistant(message: &Value, notes: &mut Notes) -> Vec<Part> {
    let mut all = Vec::new();
    let text = ["reasoning_content", "reasoning"].iter().find_map(|key| message[*key].as_str()).unwrap_or("");
    let details = items(&message["reasoning_details"]);
    // A detail of ours holds another provider's reasoning.
    let mut ours: Vec<Thinking> = details
        .iter()
        .map(|detail| str_of(detail, "data"))
        .filter(|data| Blob::is_marked(data))
        .map(|data| Blob::read(data, Kind::Signature).unpack(""))
        .collect();
    if !details.is_empty() && ours.is_empty() {
        let blob =
            Blob { origin: None, kind: Kind::Details, payload: message["reasoning_details"].to_string() };
        all.push(Part::Thinking(Thinking { text: text.to_owned(), blob: Some(blob) }));
    } else if ours.is_empty() && !text.is_empty() {
        all.push(Part::Thinking(Thinking { text: text.to_owned(), blob: None }));
    } else {
        if let Some(first) = ours.first_mut().filter(|first| first.text.is_empty()) {
            text.clone_into(&mut first.text);
        }
        all.extend(ours.into_iter().map(Part::Thinking));
    }
    all.extend(parts(&message["content"], notes));
    if let Some(refusal) = message["refusal"].as_str().filter(|text| !text.is_empty()) {
        all.push(text_part(refusal));
    }
    for call in items(&message["tool_calls"]) {
        let function = &call["function"];
        all.push(Part::Call(Call {
            id: str_of(call, "id").to_owned(),
            name: str_of(function, "name").to_owned(),
            arguments: function["arguments"]
                .as_str()
                .filter(|text| !text.is_empty())
                .unwrap_or("{}")
                .to_owned(),
            ..Call::default()
        }));
    }
    if message["function_call"].is_object() {
        let name = str_of(&message["function_call"], "name").to_owned();
        let arguments = str_of(&message["function_call"], "arguments").to_owned();
        all.push(Part::Call(Call { id: name.clone(), name, arguments, ..Call::default() }));
    }
    all
}

fn parts(content: &Value, notes: &mut Notes) -> Vec<Part> {
    if let Some(text) = content.as_str() {
        return vec![text_part(text)];
    }
    items(content).iter().filter_map(|part| read_part(part, notes)).collect()
}

fn read_part(part: &Value, notes: &mut Notes) -> Option<Part> {
    let cache = given(part, "cache_control");
    Some(match part["type"].as_str().unwrap_or("text") {
        "text" => Part::Text(Text { text: str_of(part, "text").to_owned(), cache }),
        "refusal" => text_part(str_of(part, "refusal")),
        "image_url" => {
            let inner = &part["image_url"];
            let (mime, source) = read_url(inner.as_str().unwrap_or_else(|| str_of(inner, "url")));
            let detail = inner["detail"].as_str().map(str::to_owned);
            Part::Image(Media { mime, source, detail, cache, name: None })
        }
        "input_audio" => {
            let inner = &part["input_audio"];
            let mime = format!("audio/{}", inner["format"].as_str().unwrap_or("wav"));
            let source = Source::Base64(str_of(inner, "data").to_owned());
            Part::Audio(Media { mime, source, cache, ..Media::default() })
        }
        "file" => {
            let inner = &part["file"];
            let (mime, source) = match inner["file_data"].as_str() {
                Some(data) => read_url(data),
                None => (String::new(), Source::Id(str_of(inner, "file_id").to_owned())),
            };
            let mime = if mime.is_empty() { "application/pdf".to_owned() } else { mime };
            let name = inner["filename"].as_str().map(str::to_owned);
            Part::File(Media { mime, source, name, cache, detail: None })
        }
        kind => {
            notes.add(format!("content[{kind}]"), "dropped: the other dialect has no such part");
            return None;
        }
    })
}
