//! A request in generateContent's words.
use super::super::{
    Facts,
    carrier::Kind,
    effort,
    hub::{
        Call, Choice, Format, Media, Notes, Outcome, Part, Reasoning, Request, Role, Source, Thinking, Turn,
    },
    manners::Manners,
    mend::mended,
    names::Names,
    reminder, schema,
};
use crate::router::Dialect;
use serde_json::{Map, Value, json};

/// Stands for the signature of a call that another model made; Gemini documents it.
pub(in super::super) const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Stop sequences that Gemini takes.
const STOPS_MAX: usize = 5;

/// Fields of Chat and what they are called here.
const SHARED: [(&str, &str); 3] =
    [("seed", "seed"), ("frequency_penalty", "frequencyPenalty"), ("presence_penalty", "presencePenalty")];

/// Writes a request body; the model and the stream are the path's.
pub(in super::super) fn write(
    request: &Request,
    facts: &Facts<'_>,
    manners: &Manners,
    names: &mut Names,
    notes: &mut Notes,
) -> Value {
    let mut body = Map::new();
    if !request.system.is_empty() {
        let parts: Vec<Value> = request.system.iter().map(|text| json!({"text": text.text})).collect();
        body.insert("systemInstruction".to_owned(), json!({"parts": parts}));
    }
    body.insert("contents".to_owned(), contents(request, manners, names, notes).into());
    let tools = tools(request, manners, names, notes);
    if !tools.is_empty() {
        body.insert("tools".to_owned(), tools.into());
    }
    if let Some(config) = choice(request, names) {
        body.insert("toolConfig".to_owned(), json!({"functionCallingConfig": config}));
    }
    let config = config(request, facts, manners, notes);
    if !config.is_empty() {
        body.insert("generationConfig".to_owned(), config.into());
    }
    for (dropped, field) in [
        (request.parallel == Some(false), "parallel_tool_calls"),
        (request.service_tier.is_some(), "service_tier"),
        (request.verbosity.is_some(), "verbosity"),
    ] {
        if dropped {
            notes.add(field, "dropped: Gemini has no such field");
        }
    }
    body.into()
}

fn tools(request: &Request, manners: &Manners, names: &mut Names, notes: &mut Notes) -> Vec<Value> {
    let declarations: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "name": names.wire(&tool.name, Dialect::Gemini), "description": tool.description,
                "parametersJsonSchema": schema::for_gemini(&tool.schema),
            })
        })
        .collect();
    let mut tools = Vec::new();
    let any = !declarations.is_empty();
    if any {
        tools.push(json!({"functionDeclarations": declarations}));
    }
    if request.web_search.is_some() {
        if any && !manners.gemini3 {
            notes.add("web_search", "left out: this model cannot search beside other tools");
        } else {
            tools.push(json!({"googleSearch": {}}));
        }
    }
    tools
}

fn choice(request: &Request, names: &mut Names) -> Option<Value> {
    if request.tools.is_empty() {
        return None;
    }
    let mut wire = |all: &[String]| -> Vec<String> {
        all.iter().map(|name| names.wire(name, Dialect::Gemini)).collect()
    };
    Some(match &request.choice {
        Choice::Unsaid if request.allowed.is_empty() => return None,
        Choice::Auto if request.allowed.is_empty() => json!({"mode": "AUTO"}),
        // Among some tools only, Gemini offers no choice not to call.
        Choice::Unsaid | Choice::Auto => {
            json!({"mode": "VALIDATED", "allowedFunctionNames": wire(&request.allowed)})
        }
        Choice::None => json!({"mode": "NONE"}),
        Choice::Any if request.allowed.is_empty() => json!({"mode": "ANY"}),
        Choice::Any => json!({"mode": "ANY", "allowedFunctionNames": wire(&request.allowed)}),
        Choice::Tool(name) => {
            json!({"mode": "ANY", "allowedFunctionNames": wire(std::slice::from_ref(name))})
        }
    })
}

fn config(request: &Request, facts: &Facts<'_>, manners: &Manners, notes: &mut Notes) -> Map<String, Value> {
    let mut config = Map::new();
    let mut put = |key: &str, value: Value| drop(config.insert(key.to_owned(), value));
    if let Some(max) = facts.clamp(request.max_output, notes) {
        put("maxOutputTokens", max.into());
    }
    for (key, value) in
        [("temperature", &request.temperature), ("topP", &request.top_p), ("topK", &request.top_k)]
    {
        if let Some(value) = value {
            put(key, value.clone());
        }
    }
    if !request.stops.is_empty() {
        if request.stops.len() > STOPS_MAX {
            notes.add("stop_sequences", "the first five are sent");
        }
        put("stopSequences", request.stops.iter().take(STOPS_MAX).cloned().collect());
    }
    if let Some(thinking) = thinking(&request.reasoning, manners) {
        put("thinkingConfig", thinking);
    }
    match &request.format {
        Some(Format::Schema { schema, .. }) => {
            put("responseMimeType", "application/json".into());
            put("responseJsonSchema", schema.clone());
        }
        Some(Format::Object) => put("responseMimeType", "application/json".into()),
        None => {}
    }
    for (key, value) in &request.shared {
        match SHARED.iter().find(|(shared, _)| shared == key) {
            Some((_, own)) => put(own, value.clone()),
            None => notes.add(*key, "dropped: Gemini has no such field"),
        }
    }
    config
}

fn thinking(reasoning: &Reasoning, manners: &Manners) -> Option<Value> {
    if *reasoning == Reasoning::Unsaid {
        return None;
    }
    if manners.gemini3 {
        let level = match effort::word(reasoning) {
            // It cannot be turned off.
            Some("none" | "minimal") => manners.least_level,
            Some("low") => "LOW",
            Some("medium") => "MEDIUM",
            Some(_) => "HIGH",
            None => return Some(json!({"includeThoughts": true})),
        };
        let thoughts = *reasoning != Reasoning::Off;
        return Some(json!({"thinkingLevel": level, "includeThoughts": thoughts}));
    }
    // The older models think up to this much.
    const BUDGET_MAX: u64 = 24_576;
    Some(match effort::budget(reasoning) {
        Some(0) => json!({"thinkingBudget": 0}),
        Some(budget) => json!({"thinkingBudget": budget.min(BUDGET_MAX), "includeThoughts": true}),
        None => json!({"thinkingBudget": -1, "includeThoughts": true}),
    })
}

fn contents(request: &Request, manners: &Manners, names: &mut Names, notes: &mut Notes) -> Vec<Value> {
    let mut contents: Vec<Value> = Vec::new();
    for turn in &request.turns {
        let role = if turn.role == Role::Model { "model" } else { "user" };
        let parts = turn_parts(turn, manners, names, notes);
        if parts.is_empty() {
            continue;
        }
        match contents.last_mut() {
            Some(before) if before["role"] == role => {
                if let Some(known) = before["parts"].as_array_mut() {
                    known.extend(parts);
                }
            }
            _ => contents.push(json!({"role": role, "parts": parts})),
        }
    }
    // A conversation begins and ends with the person.
    let user = |text: &str| json!({"role": "user", "parts": [{"text": text}]});
    if contents.first().is_some_and(|first| first["role"] == "model") {
        contents.insert(0, user("(continued)"));
    }
    if contents.last().is_some_and(|last| last["role"] == "model") {
        contents.push(user("Continue."));
    }
    contents
}

fn turn_parts(turn: &Turn, manners: &Manners, names: &mut Names, notes: &mut Notes) -> Vec<Value> {
    let mut parts = Vec::new();
    let mut signature: Option<String> = None;
    let mut called = false;
    // A medium of a result stands beside it where the model cannot read it inside; results stay together.
    let mut after = Vec::new();
    for part in &turn.parts {
        match part {
            Part::Text(text) if turn.role == Role::System => {
                parts.push(json!({"text": reminder(&text.text)}))
            }
            Part::Thinking(thinking) => match own(thinking, manners) {
                Some(payload) => signature = Some(payload.to_owned()),
                None => notes.add("thinking", "left out: the model cannot read it"),
            },
            Part::Call(Call { id: _, name, arguments, .. }) => {
                let name = names.wire(name, Dialect::Gemini);
                let mut part = json!({"functionCall": {"name": name, "args": mended(arguments)}});
                match signature.take() {
                    Some(signature) => part["thoughtSignature"] = signature.into(),
                    None if !called && manners.gemini3 => part["thoughtSignature"] = NO_SIGNATURE.into(),
                    None => {}
                }
                called = true;
                parts.push(part);
            }
            Part::Result(result) => parts.push(outcome(result, manners, names, &mut after, notes)),
            part => parts.extend(content(part, notes)),
        }
    }
    let results = parts.iter().take_while(|part| part.get("functionResponse").is_some()).count();
    parts.splice(results..results, after);
    parts
}

fn own<'a>(thinking: &'a Thinking, manners: &Manners) -> Option<&'a str> {
    let blob = thinking.blob.as_ref().filter(|blob| blob.kind == Kind::Signature)?;
    blob.for_target(&manners.origin)
}

fn outcome(
    result: &Outcome,
    manners: &Manners,
    names: &mut Names,
    after: &mut Vec<Value>,
    notes: &mut Notes,
) -> Value {
    let (mut words, mut media) = (Vec::new(), Vec::new());
    for part in &result.parts {
        match part {
            Part::Text(text) => words.push(text.text.as_str()),
            part => media.extend(content(part, notes)),
        }
    }
    let key = if result.error { "error" } else { "output" };
    let name = names.wire(&result.name, Dialect::Gemini);
    let mut response = json!({"name": name, "response": {key: words.join("\n")}});
    if !media.is_empty() {
        let (inline, other): (Vec<Value>, Vec<Value>) =
            media.into_iter().partition(|part| manners.gemini3 && part.get("inlineData").is_some());
        if !inline.is_empty() {
            response["parts"] = inline.into();
        }
        after.extend(other);
    }
    json!({"functionResponse": response})
}

fn content(part: &Part, notes: &mut Notes) -> Option<Value> {
    match part {
        Part::Text(text) => Some(json!({"text": text.text})),
        Part::Image(media) => medium(media, "image/png", notes),
        Part::File(media) => medium(media, "application/pdf", notes),
        Part::Audio(media) => medium(media, "audio/wav", notes),
        Part::Thinking(_) | Part::Call(_) | Part::Result(_) => None,
    }
}

fn medium(media: &Media, usual: &str, notes: &mut Notes) -> Option<Value> {
    let mime = if media.mime.is_empty() { usual } else { &media.mime };
    match &media.source {
        Source::Base64(data) => Some(json!({"inlineData": {"mimeType": mime, "data": data}})),
        Source::Text(text) => Some(json!({"text": text})),
        Source::Url(url) if is_googles(url) => Some(json!({"fileData": {"mimeType": mime, "fileUri": url}})),
        Source::Url(url) => {
            notes.add("media url", "sent as text: Gemini fetches from its own stores only");
            Some(json!({"text": format!("[{usual} at {url}]")}))
        }
        Source::Id(_) => {
            notes.add("file_id", "left out: the file lies with another provider");
            None
        }
    }
}

/// What Gemini itself can fetch.
fn is_googles(url: &str) -> bool {
    ["gs://", "https://generativelanguage.googleapis.com/", "https://www.youtube.com/", "https://youtu.be/"]
        .iter()
        .any(|start| url.starts_with(start))
}
