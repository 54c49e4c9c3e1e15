//! A request in Chat's words.
use super::super::{
    Facts,
    carrier::Kind,
    data_url, effort,
    hub::{Call, Choice, Format, Media, Notes, Part, Reasoning, Request, Role, Source, Text, Thinking, Turn},
    manners::Manners,
    names::{Names, fit_id},
    schema, user_hash,
};
use crate::router::Dialect;
use serde_json::{Map, Value, json};

/// Fields that Chat has by the same name as others.
const SHARED: &[&str] = &[
    "metadata",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "prompt_cache_retention",
    "safety_identifier",
];

/// Stop sequences that Chat takes.
const STOPS_MAX: usize = 4;

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
    put("messages", messages(request, manners, names, notes).into());
    if facts.stream {
        put("stream", true.into());
        put("stream_options", json!({"include_usage": true}));
    }
    if manners.openrouter {
        put("usage", json!({"include": true}));
    }
    if let Some(max) = facts.clamp(request.max_output, notes) {
        put(if manners.openai { "max_completion_tokens" } else { "max_tokens" }, max.into());
    }
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .filter(|tool| request.allowed.is_empty() || request.allowed.contains(&tool.name))
        .map(|tool| {
            let mut function = json!({
                "name": names.wire(&tool.name, Dialect::Chat), "description": tool.description,
                "parameters": schema::plain(&tool.schema),
            });
            if tool.strict == Some(true) {
                function["strict"] = true.into();
            }
            json!({"type": "function", "function": function})
        })
        .collect();
    if request.web_search.is_some() {
        if manners.openrouter {
            // As a tool the model searches when it wants to; OpenRouter's plugin would search, and cost, every time.
            tools.push(json!({"type": "openrouter:web_search"}));
        } else {
            notes.add("web_search", "left out: this upstream's Chat has no search of its own");
        }
    }
    if !tools.is_empty() {
        put("tools", tools.into());
        if let Some(choice) = choice(&request.choice, names) {
            put("tool_choice", choice);
        }
        if let Some(parallel) = request.parallel {
            put("parallel_tool_calls", parallel.into());
        }
    }
    if let Some(format) = &request.format {
        put("response_format", response_format(format));
    }
    sampling(request, manners, &mut put, notes);
    reasoning(request, manners, &mut put, notes);
    if manners.openai {
        if let Some(key) = request.cache_key.as_deref().or(facts.cache_key) {
            put("prompt_cache_key", key.into());
        }
        if let Some(verbosity) = &request.verbosity {
            put("verbosity", verbosity.clone());
        }
    }
    if manners.openai || manners.openrouter {
        if let Some(user) = &request.user {
            put(if manners.openai { "safety_identifier" } else { "user" }, user_hash(user).into());
        }
        if let Some(tier) = &request.service_tier {
            put("service_tier", tier.as_str().into());
        }
    }
    for (key, value) in &request.shared {
        let openais = matches!(*key, "prompt_cache_retention" | "safety_identifier" | "metadata");
        if SHARED.contains(key) && (manners.openai || !openais) {
            put(key, value.clone());
        } else {
            notes.add(*key, "dropped: Chat has no such field here");
        }
    }
    body.into()
}

fn sampling(
    request: &Request,
    manners: &Manners,
    put: &mut impl FnMut(&str, Value) -> Option<Value>,
    notes: &mut Notes,
) {
    for (key, value) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
        match value {
            Some(_) if manners.fixed_sampling => {
                notes.add(key, "dropped: this model takes no other than its own")
            }
            Some(value) => {
                put(key, value.clone());
            }
            None => {}
        }
    }
    if let Some(top_k) = &request.top_k {
        if manners.openrouter {
            put("top_k", top_k.clone());
        } else {
            notes.add("top_k", "dropped: Chat has no such field");
        }
    }
    if !request.stops.is_empty() {
        if manners.fixed_sampling {
            notes.add("stop_sequences", "dropped: this model takes none");
        } else {
            if request.stops.len() > STOPS_MAX {
                notes.add("stop_sequences", "the first four are sent");
            }
            put("stop", request.stops.iter().take(STOPS_MAX).cloned().collect());
        }
    }
}

fn reasoning(
    request: &Request,
    manners: &Manners,
    put: &mut impl FnMut(&str, Value) -> Option<Value>,
    notes: &mut Notes,
) {
    let word = effort::word(&request.reasoning);
    if manners.openrouter {
        let setting = match &request.reasoning {
            Reasoning::Unsaid => return,
            Reasoning::Off => json!({"enabled": false}),
            Reasoning::Budget(tokens) => json!({"max_tokens": tokens}),
            Reasoning::Effort(_) => json!({"effort": effort::at_most_xhigh(word.unwrap_or("medium"))}),
            Reasoning::Auto => json!({"enabled": true}),
        };
        put("reasoning", setting);
    } else if manners.fixed_sampling {
        if let Some(word) = word {
            put("reasoning_effort", effort::at_most_xhigh(word).into());
        }
    } else if request.reasoning != Reasoning::Unsaid {
        notes.add("reasoning", "dropped: this model's own setting stands");
    }
}

fn choice(choice: &Choice, names: &mut Names) -> Option<Value> {
    Some(match choice {
        Choice::Unsaid => return None,
        Choice::Auto => "auto".into(),
        Choice::None => "none".into(),
        Choice::Any => "required".into(),
        Choice::Tool(name) => {
            json!({"type": "function", "function": {"name": names.wire(name, Dialect::Chat)}})
        }
    })
}

fn response_format(format: &Format) -> Value {
    match format {
        Format::Object => json!({"type": "json_object"}),
        Format::Schema { name, schema, strict } => json!({
            "type": "json_schema",
            "json_schema": {"name": name, "schema": schema, "strict": strict.unwrap_or(false)},
        }),
    }
}

fn messages(request: &Request, manners: &Manners, names: &mut Names, notes: &mut Notes) -> Vec<Value> {
    let mut messages = Vec::new();
    let system = if manners.openai { "developer" } else { "system" };
    if !request.system.is_empty() {
        messages.push(json!({"role": system, "content": texts(&request.system, manners)}));
    }
    for turn in &request.turns {
        match turn.role {
            Role::System => {
                let texts: Vec<Text> = turn
                    .parts
                    .iter()
                    .filter_map(|part| if let Part::Text(text) = part { Some(text.clone()) } else { None })
                    .collect();
                if manners.middle_system {
                    messages.push(json!({"role": system, "content": self::texts(&texts, manners)}));
                } else {
                    let words: Vec<String> = texts.into_iter().map(|text| text.text).collect();
                    let reminder = super::super::reminder(&words.join("\n\n"));
                    messages.push(json!({"role": "user", "content": reminder}));
                }
            }
            Role::User => user(turn, manners, &mut messages, notes),
            Role::Model => messages.push(assistant(turn, request, manners, names, notes)),
        }
    }
    messages
}

fn texts(texts: &[Text], manners: &Manners) -> Value {
    if manners.cache_marks && texts.iter().any(|text| text.cache.is_some()) {
        return texts
            .iter()
            .map(|text| marked(json!({"type": "text", "text": text.text}), text.cache.as_ref()))
            .collect();
    }
    let words: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
    words.join("\n\n").into()
}

fn marked(mut part: Value, cache: Option<&Value>) -> Value {
    if let Some(cache) = cache {
        part["cache_control"] = cache.clone();
    }
    part
}

/// Results come first, one message each, directly after the calls; Chat's results hold text alone, so that images
/// follow in the person's name.
fn user(turn: &Turn, manners: &Manners, messages: &mut Vec<Value>, notes: &mut Notes) {
    let mut after: Vec<Value> = Vec::new();
    let mut own: Vec<Value> = Vec::new();
    for part in &turn.parts {
        let Part::Result(result) = part else {
            own.extend(content(part, manners, notes));
            continue;
        };
        let mut words = Vec::new();
        for part in &result.parts {
            match part {
                Part::Text(text) => words.push(text.text.clone()),
                part => {
                    words.push(format!("[{} attached below]", attachment(part)));
                    after.extend(content(part, manners, notes));
                }
            }
        }
        let text = words.join("\n");
        let text = if result.error && !text.starts_with("Error") { format!("Error: {text}") } else { text };
        let id = fit_id(&result.id, Dialect::Chat);
        let content = match result.cache.as_ref().filter(|_| manners.cache_marks) {
            Some(cache) => json!([marked(json!({"type": "text", "text": text}), Some(cache))]),
            None => text.into(),
        };
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
    }
    after.extend(own);
    if after.is_empty() {
        return;
    }
    // One text alone is a string, which every upstream takes.
    let content = match after.as_slice() {
        [only] if only["type"] == "text" && only.get("cache_control").is_none() => only["text"].clone(),
        _ => after.into(),
    };
    messages.push(json!({"role": "user", "content": content}));
}

fn attachment(part: &Part) -> &'static str {
    match part {
        Part::Image(_) => "image",
        Part::Audio(_) => "audio",
        _ => "file",
    }
}

fn content(part: &Part, manners: &Manners, notes: &mut Notes) -> Option<Value> {
    Some(match part {
        Part::Text(text) => {
            let cache = text.cache.as_ref().filter(|_| manners.cache_marks);
            marked(json!({"type": "text", "text": text.text}), cache)
        }
        Part::Image(media) => image(media, notes)?,
        Part::File(media) => file(media, manners, notes),
        Part::Audio(Media { source: Source::Base64(data), mime, .. }) => {
            let format = mime.rsplit('/').next().unwrap_or("wav").replace("mpeg", "mp3");
            json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
        }
        Part::Audio(_) => {
            notes.add("audio", "left out: Chat takes its bytes only");
            return None;
        }
        Part::Thinking(_) | Part::Call(_) | Part::Result(_) => return None,
    })
}

fn image(media: &Media, notes: &mut Notes) -> Option<Value> {
    let Some(url) = data_url(media) else {
        notes.add("image", "left out: it lies with another provider");
        return None;
    };
    let mut image = json!({"url": url});
    if let Some(detail) = &media.detail {
        image["detail"] = if detail == "original" { "high" } else { detail }.into();
    }
    Some(json!({"type": "image_url", "image_url": image}))
}

fn file(media: &Media, manners: &Manners, notes: &mut Notes) -> Value {
    let name = media.name.clone().unwrap_or_else(|| "document.pdf".to_owned());
    match (&media.source, data_url(media)) {
        (Source::Text(text), _) => json!({"type": "text", "text": text}),
        (Source::Base64(_), Some(url)) if manners.openai || manners.openrouter => {
            json!({"type": "file", "file": {"filename": name, "file_data": url}})
        }
        (Source::Url(_), Some(url)) if manners.openrouter => {
            json!({"type": "file", "file": {"filename": name, "file_data": url}})
        }
        _ => {
            notes.add("document", "left out: this upstream takes no files; its name is said instead");
            json!({"type": "text", "text": format!("[document left out: {name}]")})
        }
    }
}

fn assistant(
    turn: &Turn,
    request: &Request,
    manners: &Manners,
    names: &mut Names,
    notes: &mut Notes,
) -> Value {
    let (mut words, mut calls, mut thoughts, mut details) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for part in &turn.parts {
        match part {
            Part::Text(text) => words.push(text.text.as_str()),
            Part::Call(Call { id, name, arguments, .. }) => calls.push(json!({
                "id": fit_id(id, Dialect::Chat), "type": "function",
                "function": {"name": names.wire(name, Dialect::Chat), "arguments": arguments},
            })),
            Part::Thinking(thinking) => thought(thinking, manners, &mut thoughts, &mut details, notes),
            Part::Image(_) | Part::File(_) | Part::Audio(_) | Part::Result(_) => {
                notes.add("assistant media", "left out: Chat's assistant has text alone");
            }
        }
    }
    let mut message = json!({"role": "assistant"});
    message["content"] = if words.is_empty() { Value::Null } else { words.join("\n\n").into() };
    let thinks = request.reasoning != Reasoning::Off;
    if !details.is_empty() {
        message["reasoning_details"] = details.into();
    } else if manners.replays_thoughts && (!thoughts.is_empty() || thinks) {
        let key = if manners.openrouter { "reasoning" } else { "reasoning_content" };
        // Kimi and DeepSeek refuse a turn without thoughts, Kimi an empty one as well.
        let demanded = !manners.openrouter && (manners.replays_always || !calls.is_empty());
        if !thoughts.is_empty() {
            message[key] = thoughts.join("\n\n").into();
        } else if demanded {
            message[key] = " ".into();
        }
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    } else if words.is_empty() {
        message["content"] = "".into();
    }
    message
}

fn thought(
    thinking: &Thinking,
    manners: &Manners,
    thoughts: &mut Vec<String>,
    details: &mut Vec<Value>,
    notes: &mut Notes,
) {
    let own = thinking.blob.as_ref();
    if manners.openrouter
        && let Some(blob) = own.filter(|blob| blob.kind == Kind::Details)
    {
        match blob.for_target(&manners.origin).and_then(|json| serde_json::from_str::<Vec<Value>>(json).ok())
        {
            Some(known) => return details.extend(known),
            None => notes.add("thinking", "another model's: its opaque part is left out"),
        }
    }
    let text = match own {
        Some(blob) if blob.kind == Kind::Text => blob.payload.clone(),
        _ => thinking.text.clone(),
    };
    if manners.replays_thoughts && !text.is_empty() {
        thoughts.push(text);
    } else {
        notes.add("thinking", "left out: this model cannot read it");
    }
}
