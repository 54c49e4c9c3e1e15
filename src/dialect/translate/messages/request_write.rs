//! A request in Messages' words.
use super::super::{
    Facts,
    carrier::Kind,
    effort,
    hub::{
        Call, Choice, Format, Media, Notes, Outcome, Part, Reasoning, Request, Role, Source, Text, Thinking,
        Tool, Turn,
    },
    manners::Manners,
    mend::mended,
    names::{Names, fit_id},
    reminder, schema,
};
use crate::router::Dialect;
use serde_json::{Map, Value, json};

/// Messages demands a bound on the output; this one where neither the request nor the catalogue has one.
const DEFAULT_OUTPUT: u64 = 32_000;

/// Cache marks that a request may have.
const MARKS_MAX: usize = 4;

/// Writes a request body.
pub(in super::super) fn write(
    request: &Request,
    facts: &Facts<'_>,
    manners: &Manners,
    names: &mut Names,
    notes: &mut Notes,
) -> Value {
    let max = facts.clamp(request.max_output, notes).or(facts.max_output).unwrap_or(DEFAULT_OUTPUT);
    let mut body = Map::new();
    body.insert("model".to_owned(), facts.wire_model.into());
    body.insert("max_tokens".to_owned(), max.into());
    if !request.system.is_empty() {
        body.insert("system".to_owned(), request.system.iter().map(text_block).collect());
    }
    let forced = matches!(request.choice, Choice::Any | Choice::Tool(_));
    let thinking = thinking(request, manners, max, forced, notes);
    let thinks = thinking.as_ref().is_some_and(|value| value["type"] != "disabled");
    let mut messages = messages(request, manners, names, notes);
    begin_and_end_with_user(&mut messages);
    body.insert("messages".to_owned(), messages.into());
    tools(request, names, &mut body, notes);
    if let Some(thinking) = thinking {
        body.insert("thinking".to_owned(), thinking);
    }
    output_config(request, manners, thinks, &mut body, notes);
    sampling(request, manners, thinks, &mut body, notes);
    if facts.stream {
        body.insert("stream".to_owned(), true.into());
    }
    if let Some(user) = &request.user {
        body.insert("metadata".to_owned(), json!({"user_id": super::super::user_hash(user)}));
    }
    for (key, _) in &request.shared {
        notes.add(*key, "dropped: Messages has no such field");
    }
    let mut body = body.into();
    mark(&mut body);
    body
}

/// The conversation must begin with the person, and newer models refuse one that the model ends.
fn begin_and_end_with_user(messages: &mut Vec<Value>) {
    let user = |text: &str| json!({"role": "user", "content": [{"type": "text", "text": text}]});
    if messages.first().is_some_and(|first| first["role"] == "assistant") {
        messages.insert(0, user("(continued)"));
    }
    if messages.last().is_some_and(|last| last["role"] == "assistant") {
        messages.push(user("Continue."));
    }
}

fn thinking(
    request: &Request,
    manners: &Manners,
    max: u64,
    forced: bool,
    notes: &mut Notes,
) -> Option<Value> {
    if request.reasoning == Reasoning::Unsaid {
        return None;
    }
    if request.reasoning == Reasoning::Off {
        return Some(json!({"type": "disabled"}));
    }
    if forced {
        notes.add("reasoning", "left out: thinking and a forced tool exclude each other");
        return None;
    }
    if manners.adaptive {
        return Some(json!({"type": "adaptive"}));
    }
    // A budget demands that the turn under way began with a signed thought.
    if !begins_signed(request, manners) {
        notes.add("reasoning", "left out for this step: its tool calls come from another model");
        return None;
    }
    let budget = effort::budget(&request.reasoning).unwrap_or(max / 2).min(max.saturating_sub(1));
    (budget >= effort::LEAST_BUDGET).then(|| json!({"type": "enabled", "budget_tokens": budget}))
}

/// Whether the last turn of the model either calls no tool or has a thought that this model signed.
fn begins_signed(request: &Request, manners: &Manners) -> bool {
    let Some(last) = request.turns.iter().rev().find(|turn| turn.role == Role::Model) else { return true };
    let calls = last.parts.iter().any(|part| matches!(part, Part::Call(_)));
    !calls || last.parts.iter().any(|part| matches!(part, Part::Thinking(t) if own(t, manners).is_some()))
}

fn messages(request: &Request, manners: &Manners, names: &mut Names, notes: &mut Notes) -> Vec<Value> {
    let mut messages: Vec<Value> = Vec::new();
    for turn in &request.turns {
        let role = if turn.role == Role::Model { "assistant" } else { "user" };
        let blocks = turn_blocks(turn, manners, names, notes);
        if blocks.is_empty() {
            continue;
        }
        match messages.last_mut() {
            Some(last) if last["role"] == role => {
                if let Some(content) = last["content"].as_array_mut() {
                    content.extend(blocks);
                }
            }
            _ => messages.push(json!({"role": role, "content": blocks})),
        }
    }
    messages
}

fn turn_blocks(turn: &Turn, manners: &Manners, names: &mut Names, notes: &mut Notes) -> Vec<Value> {
    let mut blocks = Vec::new();
    for part in &turn.parts {
        match part {
            Part::Text(text) if turn.role == Role::System => {
                blocks.push(json!({"type": "text", "text": reminder(&text.text)}));
            }
            Part::Thinking(thinking) => blocks.extend(thought(thinking, manners, notes)),
            Part::Call(Call { id, name, arguments, cache, .. }) => blocks.push(marked(
                json!({
                    "type": "tool_use", "id": fit_id(id, Dialect::Messages),
                    "name": names.wire(name, Dialect::Messages), "input": mended(arguments),
                }),
                cache.as_ref(),
            )),
            Part::Result(result) => blocks.push(outcome(result, notes)),
            part => blocks.extend(content(part, notes)),
        }
    }
    blocks
}

fn own<'a>(thinking: &'a Thinking, manners: &Manners) -> Option<&'a str> {
    let blob = thinking.blob.as_ref()?;
    let payload = blob.for_target(&manners.origin)?;
    matches!(blob.kind, Kind::Signature | Kind::Redacted).then_some(payload)
}

fn thought(thinking: &Thinking, manners: &Manners, notes: &mut Notes) -> Option<Value> {
    let Some(payload) = own(thinking, manners) else {
        notes.add("thinking", "left out: another model signed it, or none");
        return None;
    };
    let redacted = thinking.blob.as_ref().is_some_and(|blob| blob.kind == Kind::Redacted);
    Some(if redacted {
        json!({"type": "redacted_thinking", "data": payload})
    } else {
        json!({"type": "thinking", "thinking": thinking.text, "signature": payload})
    })
}

fn outcome(result: &Outcome, notes: &mut Notes) -> Value {
    let content: Vec<Value> = result.parts.iter().filter_map(|part| self::content(part, notes)).collect();
    let mut block = json!({
        "type": "tool_result", "tool_use_id": fit_id(&result.id, Dialect::Messages), "content": content,
    });
    if result.error {
        block["is_error"] = true.into();
    }
    marked(block, result.cache.as_ref())
}

fn text_block(text: &Text) -> Value {
    marked(json!({"type": "text", "text": text.text}), text.cache.as_ref())
}

fn content(part: &Part, notes: &mut Notes) -> Option<Value> {
    match part {
        // Empty and blank texts are refused.
        Part::Text(text) if text.text.trim().is_empty() => None,
        Part::Text(text) => Some(text_block(text)),
        Part::Image(media) => source(media, notes)
            .map(|source| marked(json!({"type": "image", "source": source}), media.cache.as_ref())),
        Part::File(media) => {
            let mut block =
                marked(json!({"type": "document", "source": source(media, notes)?}), media.cache.as_ref());
            if let Some(name) = &media.name {
                block["title"] = name.as_str().into();
            }
            Some(block)
        }
        Part::Audio(_) => {
            notes.add("audio", "left out: Messages takes none");
            None
        }
        Part::Thinking(_) | Part::Call(_) | Part::Result(_) => None,
    }
}

fn source(media: &Media, notes: &mut Notes) -> Option<Value> {
    Some(match &media.source {
        Source::Base64(data) => json!({"type": "base64", "media_type": media.mime, "data": data}),
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::Text(text) => json!({"type": "text", "media_type": "text/plain", "data": text}),
        Source::Id(_) => {
            notes.add("file_id", "left out: the file lies with another provider");
            return None;
        }
    })
}

fn marked(mut block: Value, cache: Option<&Value>) -> Value {
    if let Some(cache) = cache {
        block["cache_control"] = cache.clone();
    }
    block
}

fn tools(request: &Request, names: &mut Names, body: &mut Map<String, Value>, notes: &mut Notes) {
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .filter(|tool| request.allowed.is_empty() || request.allowed.contains(&tool.name))
        .map(|tool| tool_block(tool, names))
        .collect();
    if let Some(search) = &request.web_search {
        let mut tool = json!({"type": "web_search_20250305", "name": "web_search"});
        for (key, value) in [
            ("allowed_domains", &search["filters"]["allowed_domains"]),
            ("user_location", &search["user_location"]),
        ] {
            if !value.is_null() {
                tool[key] = value.clone();
            }
        }
        tools.push(tool);
    }
    if tools.is_empty() {
        return;
    }
    body.insert("tools".to_owned(), tools.into());
    let mut choice = match &request.choice {
        Choice::Unsaid | Choice::Auto => json!({"type": "auto"}),
        Choice::None => json!({"type": "none"}),
        Choice::Any => json!({"type": "any"}),
        Choice::Tool(name) => json!({"type": "tool", "name": names.wire(name, Dialect::Messages)}),
    };
    match request.parallel {
        Some(parallel) if request.choice != Choice::None => {
            choice["disable_parallel_tool_use"] = (!parallel).into()
        }
        Some(_) => notes.add("parallel_tool_calls", "dropped: no tool may be called"),
        None => {}
    }
    if request.choice != Choice::Unsaid || request.parallel == Some(false) {
        body.insert("tool_choice".to_owned(), choice);
    }
}

fn tool_block(tool: &Tool, names: &mut Names) -> Value {
    let mut block = json!({
        "name": names.wire(&tool.name, Dialect::Messages), "input_schema": schema::plain(&tool.schema),
    });
    if !tool.description.is_empty() {
        block["description"] = tool.description.as_str().into();
    }
    marked(block, tool.cache.as_ref())
}

fn output_config(
    request: &Request,
    manners: &Manners,
    thinks: bool,
    body: &mut Map<String, Value>,
    notes: &mut Notes,
) {
    let mut config = Map::new();
    if manners.adaptive
        && thinks
        && let Some(word) = effort::word(&request.reasoning)
    {
        config.insert("effort".to_owned(), effort::at_least_low(word).into());
    }
    match &request.format {
        Some(Format::Schema { schema, .. }) => {
            config.insert("format".to_owned(), json!({"type": "json_schema", "schema": schema}));
        }
        Some(Format::Object) => notes.add("response_format", "dropped: Messages wants a schema for JSON"),
        None => {}
    }
    if !config.is_empty() {
        body.insert("output_config".to_owned(), config.into());
    }
}

fn sampling(
    request: &Request,
    manners: &Manners,
    thinks: bool,
    body: &mut Map<String, Value>,
    notes: &mut Notes,
) {
    let mut both = false;
    for (key, value) in
        [("temperature", &request.temperature), ("top_p", &request.top_p), ("top_k", &request.top_k)]
    {
        let Some(value) = value else { continue };
        if manners.own_sampling {
            notes.add(key, "dropped: this model takes no other than its own");
        } else if thinks && key != "top_p" {
            notes.add(key, "dropped: not while the model thinks");
        } else if key == "top_p" && (both || thinks) {
            notes.add(key, "dropped: Claude takes it or a temperature, not both");
        } else if key == "temperature" {
            both = true;
            // OpenAI's go to 2.
            let within = value.as_f64().filter(|t| *t > 1.0).map_or_else(|| value.clone(), |_| json!(1.0));
            body.insert(key.to_owned(), within);
        } else {
            body.insert(key.to_owned(), value.clone());
        }
    }
    if !request.stops.is_empty() {
        let stops: Vec<&String> = request.stops.iter().filter(|stop| !stop.trim().is_empty()).collect();
        body.insert("stop_sequences".to_owned(), json!(stops));
    }
}

/// Sets cache marks where the client's dialect knows none: without them Claude bills every turn in full.
fn mark(body: &mut Value) {
    if count_marks(body) > 0 {
        return;
    }
    let mark = json!({"type": "ephemeral"});
    let mut left = MARKS_MAX;
    for key in ["tools", "system"] {
        if let Some(last) = body.get_mut(key).and_then(Value::as_array_mut).and_then(|all| all.last_mut()) {
            last["cache_control"] = mark.clone();
            left -= 1;
        }
    }
    let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut) else { return };
    for message in messages.iter_mut().rev().filter(|message| message["role"] == "user").take(left.min(2)) {
        if let Some(last) =
            message.get_mut("content").and_then(Value::as_array_mut).and_then(|all| all.last_mut())
        {
            last["cache_control"] = mark.clone();
        }
    }
}

fn count_marks(value: &Value) -> usize {
    match value {
        Value::Object(object) => object
            .iter()
            .map(|(key, inner)| match key.as_str() {
                "cache_control" => 1,
                // What a tool takes is not the request's.
                "input" | "input_schema" => 0,
                _ => count_marks(inner),
            })
            .sum(),
        Value::Array(all) => all.iter().map(count_marks).sum(),
        _ => 0,
    }
}
