//! A generateContent request into the common vocabulary.
use super::super::{
    Untranslatable,
    carrier::{Blob, Kind},
    hosted,
    hub::{
        Call, Choice, Format, Media, Notes, Outcome, Part, Reasoning, Request, Role, Source, Text, Thinking,
        Tool, Turn, given, items, str_of, text_part,
    },
    schema,
};
use serde_json::Value;

const KNOWN: &[&str] = &[
    "model",
    "contents",
    "systemInstruction",
    "system_instruction",
    "tools",
    "toolConfig",
    "generationConfig",
];

const KNOWN_CONFIG: &[&str] = &[
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "stopSequences",
    "thinkingConfig",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "candidateCount",
];

/// Fields of the configuration that Chat has by other names.
const SHARED: [(&str, &str); 3] =
    [("seed", "seed"), ("frequencyPenalty", "frequency_penalty"), ("presencePenalty", "presence_penalty")];

/// Reads a request body.
pub(in super::super) fn read(body: &Value, notes: &mut Notes) -> Result<Request, Untranslatable> {
    let config = &body["generationConfig"];
    if config["candidateCount"].as_u64().is_some_and(|n| n > 1) {
        return Err(Untranslatable(
            "This model answers once, and the request wants several candidates: set candidateCount to 1."
                .to_owned(),
        ));
    }
    if body["cachedContent"].is_string() {
        return Err(Untranslatable(
            "The request builds on content that only Google stores (cachedContent); send it whole."
                .to_owned(),
        ));
    }
    notes.unknown(body, KNOWN);
    let known: Vec<&str> = KNOWN_CONFIG.iter().copied().chain(SHARED.map(|(own, _)| own)).collect();
    notes.unknown(config, &known);
    let system = if body["systemInstruction"].is_null() {
        &body["system_instruction"]
    } else {
        &body["systemInstruction"]
    };
    let mut request = Request {
        system: items(&system["parts"])
            .iter()
            .map(|part| Text { text: str_of(part, "text").to_owned(), cache: None })
            .filter(|text| !text.text.is_empty())
            .collect(),
        max_output: config["maxOutputTokens"].as_u64(),
        temperature: given(config, "temperature"),
        top_p: given(config, "topP"),
        top_k: given(config, "topK"),
        stops: items(&config["stopSequences"]).iter().filter_map(|s| s.as_str().map(str::to_owned)).collect(),
        reasoning: reasoning(&config["thinkingConfig"]),
        format: format(config),
        shared: SHARED.iter().filter_map(|(own, shared)| Some((*shared, given(config, own)?))).collect(),
        ..Request::default()
    };
    for tool in items(&body["tools"]) {
        read_tools(tool, &mut request, notes);
    }
    choose(&body["toolConfig"]["functionCallingConfig"], &mut request);
    let mut calls = Calls::default();
    for content in items(&body["contents"]) {
        let role = if content["role"] == "model" { Role::Model } else { Role::User };
        if role == Role::Model {
            calls.open.clear();
        }
        let parts =
            items(&content["parts"]).iter().flat_map(|part| read_part(part, &mut calls, notes)).collect();
        request.turns.push(Turn { role, parts });
    }
    Ok(request)
}

fn reasoning(config: &Value) -> Reasoning {
    match (config["thinkingLevel"].as_str(), config["thinkingBudget"].as_i64()) {
        (Some(level), _) => Reasoning::Effort(level.to_ascii_lowercase()),
        (None, Some(0)) => Reasoning::Off,
        (None, Some(budget)) if budget > 0 => Reasoning::Budget(budget.unsigned_abs()),
        (None, Some(_)) => Reasoning::Auto,
        (None, None) if config["includeThoughts"] == true => Reasoning::Auto,
        (None, None) => Reasoning::Unsaid,
    }
}

fn format(config: &Value) -> Option<Format> {
    if config["responseMimeType"] != "application/json" {
        return None;
    }
    let schema = match (&config["responseJsonSchema"], &config["responseSchema"]) {
        (Value::Null, Value::Null) => return Some(Format::Object),
        (Value::Null, own) => schema::from_gemini(own),
        (schema, _) => schema.clone(),
    };
    Some(Format::Schema { name: "output".to_owned(), schema, strict: None })
}

fn read_tools(tool: &Value, request: &mut Request, notes: &mut Notes) {
    for function in items(&tool["functionDeclarations"]) {
        let schema = match (&function["parametersJsonSchema"], &function["parameters"]) {
            (Value::Null, own) => schema::from_gemini(own),
            (schema, _) => schema.clone(),
        };
        request.tools.push(Tool {
            name: str_of(function, "name").to_owned(),
            description: str_of(function, "description").to_owned(),
            schema,
            strict: None,
            cache: None,
        });
    }
    for (key, value) in tool.as_object().into_iter().flatten() {
        match key.as_str() {
            "functionDeclarations" => {}
            "googleSearch" | "googleSearchRetrieval" => request.web_search = Some(value.clone()),
            key => notes.add(format!("tools[{key}]"), "left out: only Google runs this tool"),
        }
    }
}

fn choose(config: &Value, request: &mut Request) {
    let allowed: Vec<String> = items(&config["allowedFunctionNames"])
        .iter()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    request.choice = match str_of(config, "mode") {
        "AUTO" | "VALIDATED" => Choice::Auto,
        "NONE" => Choice::None,
        "ANY" => match allowed.as_slice() {
            [only] => Choice::Tool(only.clone()),
            _ => Choice::Any,
        },
        _ => Choice::Unsaid,
    };
    if !matches!(request.choice, Choice::Tool(_)) {
        request.allowed = allowed;
    }
}

/// Calls whose results are still to come, for those that have no id.
#[derive(Default)]
struct Calls {
    seen: usize,
    open: Vec<(String, String)>,
}

impl Calls {
    fn call(&mut self, call: &Value) -> String {
        self.seen += 1;
        let name = str_of(call, "name");
        let id = match str_of(call, "id") {
            // The same history gives the same ids, so that prompt caches hold.
            "" => format!("{name}-{}", self.seen),
            id => id.to_owned(),
        };
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    /// The call that a result is of: by its id, else the first of its name.
    fn result(&mut self, response: &Value) -> String {
        let (id, name) = (str_of(response, "id"), str_of(response, "name"));
        let found = self
            .open
            .iter()
            .position(|(known, _)| known == id)
            .or_else(|| self.open.iter().position(|(_, known)| known == name));
        match found {
            Some(at) => self.open.remove(at).0,
            None if id.is_empty() => format!("{name}-unknown"),
            None => id.to_owned(),
        }
    }
}

fn read_part(part: &Value, calls: &mut Calls, notes: &mut Notes) -> Vec<Part> {
    let mut parts = Vec::new();
    let signature = str_of(part, "thoughtSignature");
    let text = str_of(part, "text");
    let thought = part["thought"] == true;
    if thought {
        parts.push(Part::Thinking(match signature {
            "" => Thinking { text: text.to_owned(), blob: None },
            signature => Blob::read(signature, Kind::Signature).unpack(text),
        }));
        return parts;
    }
    if Blob::is_marked(signature) {
        parts.push(Part::Thinking(Blob::read(signature, Kind::Signature).unpack("")));
    } else if !signature.is_empty() {
        notes.add("thoughtSignature", "left out: the model cannot read Gemini's");
    }
    if let Some(call) = part.get("functionCall") {
        parts.push(Part::Call(Call {
            id: calls.call(call),
            name: str_of(call, "name").to_owned(),
            arguments: if call["args"].is_object() { call["args"].to_string() } else { "{}".to_owned() },
            ..Call::default()
        }));
    } else if let Some(response) = part.get("functionResponse") {
        parts.push(Part::Result(result(response, calls, notes)));
    } else if let Some(medium) = medium(part) {
        parts.push(medium);
    } else if !text.is_empty() {
        parts.push(text_part(text));
    } else if let Some(key) =
        part.as_object().and_then(|part| part.keys().find(|key| *key != "text" && *key != "thoughtSignature"))
    {
        match hosted::in_words(key, &part[key]) {
            Some(words) => {
                notes.add(format!("parts[{key}]"), "told in words: only Gemini runs this tool");
                parts.push(Part::Text(words));
            }
            None => notes.add(format!("parts[{key}]"), "dropped: the other dialect has no such part"),
        }
    }
    parts
}

fn medium(part: &Value) -> Option<Part> {
    let (inner, source) = match (part.get("inlineData"), part.get("fileData")) {
        (Some(inline), _) => (inline, Source::Base64(str_of(inline, "data").to_owned())),
        (None, Some(file)) => (file, Source::Url(str_of(file, "fileUri").to_owned())),
        (None, None) => return None,
    };
    let mime = str_of(inner, "mimeType").to_owned();
    let name = inner["displayName"].as_str().map(str::to_owned);
    let kind = mime.split('/').next().unwrap_or_default().to_owned();
    let media = Media { mime, source, name, ..Media::default() };
    Some(match kind.as_str() {
        "image" => Part::Image(media),
        "audio" => Part::Audio(media),
        _ => Part::File(media),
    })
}

fn result(response: &Value, calls: &mut Calls, notes: &mut Notes) -> Outcome {
    let id = calls.result(response);
    let inner = &response["response"];
    let error = inner.get("error").filter(|error| !error.is_null());
    let value = error.or_else(|| inner.get("output")).or_else(|| inner.get("result"));
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None if inner.is_null() => String::new(),
        None => inner.to_string(),
    };
    let mut parts = vec![text_part(text)];
    for part in items(&response["parts"]) {
        match medium(part) {
            Some(medium) => parts.push(medium),
            None => notes.add("functionResponse.parts", "dropped: not a medium"),
        }
    }
    Outcome { id, name: str_of(response, "name").to_owned(), parts, error: error.is_some(), cache: None }
}
