//! A request in Responses' words.
use super::super::{
    Facts,
    carrier::Kind,
    data_url, effort,
    hub::{
        Call, Choice, Format, Media, Notes, Outcome, Part, Reasoning, Request, Role, Source, Thinking, Turn,
    },
    manners::Manners,
    names::{Names, fit_id},
    schema, user_hash,
};
use crate::router::Dialect;
use serde_json::{Map, Value, json};

/// Fields that Responses has by the same name as others.
const SHARED: &[&str] = &["metadata", "top_logprobs", "prompt_cache_retention"];

/// Writes a request body.
pub(in super::super) fn write(
    request: &Request,
    facts: &Facts<'_>,
    manners: &Manners,
    names: &mut Names,
    notes: &mut Notes,
) -> Value {
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    put("model", facts.wire_model.into());
    if !request.system.is_empty() {
        let words: Vec<&str> = request.system.iter().map(|text| text.text.as_str()).collect();
        put("instructions", words.join("\n\n").into());
    }
    let mut input = Vec::new();
    for turn in &request.turns {
        turn_items(turn, manners, names, &mut input, notes);
    }
    put("input", input.into());
    let tools = tools(request, manners, names, notes);
    if !tools.is_empty() {
        put("tools", tools.into());
        match &request.choice {
            Choice::Unsaid => {}
            Choice::Auto => drop(put("tool_choice", "auto".into())),
            Choice::None => drop(put("tool_choice", "none".into())),
            Choice::Any => drop(put("tool_choice", "required".into())),
            Choice::Tool(name) => {
                let name = names.wire(name, Dialect::Responses);
                put("tool_choice", json!({"type": "function", "name": name}));
            }
        }
        if let Some(parallel) = request.parallel {
            put("parallel_tool_calls", parallel.into());
        }
    }
    if let Some(max) = facts.clamp(request.max_output, notes) {
        put("max_output_tokens", max.into());
    }
    put("stream", facts.stream.into());
    put("store", false.into());
    let thinks = manners.fixed_sampling || matches!(manners.origin.provider.as_str(), "xai");
    if thinks {
        put("include", json!(["reasoning.encrypted_content"]));
    }
    match effort::word(&request.reasoning) {
        Some("none") if thinks => drop(put("reasoning", json!({"effort": "none"}))),
        Some(word) if thinks => {
            put("reasoning", json!({"effort": effort::at_most_xhigh(word), "summary": "auto"}));
        }
        None if thinks && request.reasoning == Reasoning::Auto => {
            drop(put("reasoning", json!({"summary": "auto"})))
        }
        Some(_) => notes.add("reasoning", "dropped: this model does not think"),
        None => {}
    }
    for (key, value) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
        match value {
            Some(_) if manners.fixed_sampling => {
                notes.add(key, "dropped: this model takes no other than its own")
            }
            Some(value) => drop(put(key, value.clone())),
            None => {}
        }
    }
    if request.top_k.is_some() {
        notes.add("top_k", "dropped: Responses has no such field");
    }
    if !request.stops.is_empty() {
        notes.add("stop_sequences", "dropped: Responses has none");
    }
    let mut text = Map::new();
    match &request.format {
        Some(Format::Object) => drop(text.insert("format".to_owned(), json!({"type": "json_object"}))),
        Some(Format::Schema { name, schema, strict }) => {
            let strict = strict.unwrap_or(false);
            let format = json!({"type": "json_schema", "name": name, "schema": schema, "strict": strict});
            text.insert("format".to_owned(), format);
        }
        None => {}
    }
    if let Some(verbosity) = &request.verbosity {
        text.insert("verbosity".to_owned(), verbosity.clone());
    }
    if !text.is_empty() {
        put("text", text.into());
    }
    if let Some(key) = request.cache_key.as_deref().or(facts.cache_key) {
        put("prompt_cache_key", key.into());
    }
    if manners.openai {
        if let Some(user) = &request.user {
            put("safety_identifier", user_hash(user).into());
        }
        if let Some(tier) = &request.service_tier {
            put("service_tier", tier.as_str().into());
        }
    }
    for (key, value) in &request.shared {
        if SHARED.contains(key) && manners.openai {
            put(key, value.clone());
        } else {
            notes.add(*key, "dropped: Responses has no such field here");
        }
    }
    body.into()
}

fn tools(request: &Request, manners: &Manners, names: &mut Names, notes: &mut Notes) -> Vec<Value> {
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .filter(|tool| request.allowed.is_empty() || request.allowed.contains(&tool.name))
        .map(|tool| {
            json!({
                "type": "function", "name": names.wire(&tool.name, Dialect::Responses),
                "description": tool.description, "parameters": schema::plain(&tool.schema),
                // Said aloud, because strict is what a missing word means here, and it refuses optional arguments.
                "strict": tool.strict.unwrap_or(false),
            })
        })
        .collect();
    if let Some(search) = &request.web_search {
        if manners.openai || manners.origin.provider == "xai" {
            let mut tool = json!({"type": "web_search"});
            if !search["allowed_domains"].is_null() {
                tool["filters"] = json!({"allowed_domains": search["allowed_domains"]});
            }
            if !search["user_location"].is_null() {
                tool["user_location"] = search["user_location"].clone();
            }
            tools.push(tool);
        } else {
            notes.add("web_search", "left out: this upstream has no search of its own");
        }
    }
    tools
}

fn turn_items(turn: &Turn, manners: &Manners, names: &mut Names, input: &mut Vec<Value>, notes: &mut Notes) {
    let role = match turn.role {
        Role::User => "user",
        Role::Model => "assistant",
        Role::System => "developer",
    };
    let mut content: Vec<Value> = Vec::new();
    let flush = |content: &mut Vec<Value>, input: &mut Vec<Value>| {
        if !content.is_empty() {
            let content = std::mem::take(content);
            input.push(json!({"type": "message", "role": role, "content": content}));
        }
    };
    for part in &turn.parts {
        match part {
            Part::Call(Call { id, name, arguments, .. }) => {
                flush(&mut content, input);
                input.push(json!({
                    "type": "function_call", "call_id": fit_id(id, Dialect::Responses),
                    "name": names.wire(name, Dialect::Responses), "arguments": arguments,
                }));
            }
            Part::Result(result) => {
                flush(&mut content, input);
                input.push(outcome(result, notes));
            }
            Part::Thinking(thinking) => {
                flush(&mut content, input);
                input.extend(thought(thinking, manners, notes));
            }
            Part::Text(text) => {
                let kind = if turn.role == Role::Model { "output_text" } else { "input_text" };
                content.push(json!({"type": kind, "text": text.text}));
            }
            part if turn.role == Role::Model => {
                let _ = part;
                notes.add("assistant media", "left out: the model's turn has text alone");
            }
            part => content.extend(medium(part, notes)),
        }
    }
    flush(&mut content, input);
}

fn thought(thinking: &Thinking, manners: &Manners, notes: &mut Notes) -> Option<Value> {
    let own = thinking.blob.as_ref().filter(|blob| blob.kind == Kind::Signature);
    let Some(payload) = own.and_then(|blob| blob.for_target(&manners.origin)) else {
        notes.add("thinking", "left out: another model encrypted it, or none");
        return None;
    };
    let summary = if thinking.text.is_empty() {
        json!([])
    } else {
        json!([{"type": "summary_text", "text": thinking.text}])
    };
    Some(json!({"type": "reasoning", "summary": summary, "encrypted_content": payload}))
}

fn outcome(result: &Outcome, notes: &mut Notes) -> Value {
    let prefix = |text: &str| {
        if result.error && !text.starts_with("Error") { format!("Error: {text}") } else { text.to_owned() }
    };
    let plain = result.parts.iter().all(|part| matches!(part, Part::Text(_)));
    let output = if plain {
        let words: Vec<&str> = result
            .parts
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.text.as_str()) } else { None })
            .collect();
        prefix(&words.join("\n")).into()
    } else {
        let mut parts: Vec<Value> = result
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(json!({"type": "input_text", "text": text.text})),
                part => medium(part, notes),
            })
            .collect();
        if result.error {
            parts.insert(0, json!({"type": "input_text", "text": "Error:"}));
        }
        Value::from(parts)
    };
    json!({"type": "function_call_output", "call_id": fit_id(&result.id, Dialect::Responses), "output": output})
}

fn medium(part: &Part, notes: &mut Notes) -> Option<Value> {
    match part {
        Part::Image(media) => {
            let Some(url) = data_url(media) else {
                notes.add("image", "left out: it lies with another provider");
                return None;
            };
            let detail = media.detail.as_deref().unwrap_or("auto");
            Some(json!({"type": "input_image", "image_url": url, "detail": detail}))
        }
        Part::File(media) => file(media, notes),
        Part::Audio(_) => {
            notes.add("audio", "left out: Responses takes none");
            None
        }
        _ => None,
    }
}

fn file(media: &Media, notes: &mut Notes) -> Option<Value> {
    let name = media.name.as_deref().unwrap_or("document.pdf");
    match (&media.source, data_url(media)) {
        (Source::Text(text), _) => Some(json!({"type": "input_text", "text": text})),
        (Source::Url(url), _) => Some(json!({"type": "input_file", "file_url": url})),
        (_, Some(url)) => Some(json!({"type": "input_file", "filename": name, "file_data": url})),
        (_, None) => {
            notes.add("file_id", "left out: the file lies with another provider");
            None
        }
    }
}
