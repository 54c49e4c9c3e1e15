//! What an upstream's stream says, read without the product: simply, from its pieces.
use inspan::dialect::Dialect;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What was said, to be compared with what was told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    pub text: String,
    pub thoughts: String,
    pub calls: Vec<(String, Value)>,
    /// The last whole count of input and output, where there is one.
    pub tokens: Option<(u64, u64)>,
    /// It says itself that it failed.
    pub failed: bool,
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn all(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn object(text: &str) -> Value {
    if text.is_empty() { json!({}) } else { serde_json::from_str(text).unwrap_or_else(|_| text.into()) }
}

/// The dialect of a recording, by its first events.
pub fn dialect(events: &[Value]) -> Dialect {
    let first = &events[0];
    if first.get("candidates").is_some() || first.get("usageMetadata").is_some() {
        Dialect::Gemini
    } else if word(first, "type").starts_with("response.") || word(first, "type") == "keepalive" {
        Dialect::Responses
    } else if first.get("type").is_some() {
        Dialect::Messages
    } else {
        Dialect::Chat
    }
}

/// Reads events.
pub fn read(dialect: Dialect, events: &[Value]) -> Source {
    match dialect {
        Dialect::Messages => messages(events),
        Dialect::Chat => chat(events),
        Dialect::Responses => responses(events),
        Dialect::Gemini => gemini(events),
    }
}

fn messages(events: &[Value]) -> Source {
    let mut source = Source::default();
    let mut calls: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut starts = 0;
    let mut usage = BTreeMap::new();
    for event in events {
        let index = event["index"].as_u64().unwrap_or(0);
        for (key, value) in
            [&event["message"]["usage"], &event["usage"]].iter().flat_map(|u| u.as_object()).flatten()
        {
            if let Some(count) = value.as_u64().filter(|count| *count > 0) {
                usage.insert(key.clone(), count);
            }
        }
        match word(event, "type") {
            "message_start" => {
                // A stream that begins anew after it said something is broken.
                source.failed |= starts > 0 && (!source.text.is_empty() || !source.thoughts.is_empty());
                starts += 1;
                for (place, block) in all(&event["message"]["content"]).iter().enumerate() {
                    let place = 1000 + place as u64;
                    calls.insert(place, (word(block, "name").into(), block["input"].to_string()));
                }
            }
            "content_block_start" if event["content_block"]["type"] == "tool_use" => {
                let input = &event["content_block"]["input"];
                let whole = input.as_object().filter(|o| !o.is_empty()).map(|_| input.to_string());
                calls
                    .insert(index, (word(&event["content_block"], "name").into(), whole.unwrap_or_default()));
            }
            "content_block_start" => source.text.push_str(word(&event["content_block"], "text")),
            "content_block_delta" => {
                let delta = &event["delta"];
                source.text.push_str(word(delta, "text"));
                source.thoughts.push_str(word(delta, "thinking"));
                if let Some((_, said)) = calls.get_mut(&index) {
                    said.push_str(word(delta, "partial_json"));
                }
            }
            "error" => source.failed = true,
            _ => {}
        }
    }
    source.calls = calls.into_values().map(|(name, said)| (name, object(&said))).collect();
    let count = |key: &str| usage.get(key).copied().unwrap_or(0);
    let input =
        count("input_tokens") + count("cache_read_input_tokens") + count("cache_creation_input_tokens");
    source.tokens = (!usage.is_empty()).then(|| (input, count("output_tokens")));
    source
}

fn chat(events: &[Value]) -> Source {
    let mut source = Source::default();
    let mut calls: Vec<(u64, String, String)> = Vec::new();
    for event in events {
        source.failed |= !event["error"].is_null();
        let usage = &event["usage"];
        if let Some(prompt) = usage["prompt_tokens"].as_u64() {
            let completion = usage["completion_tokens"].as_u64().unwrap_or(0);
            let beyond = usage["total_tokens"].as_u64().unwrap_or(0).saturating_sub(prompt);
            source.tokens = Some((prompt, completion.max(beyond)));
        }
        for choice in all(&event["choices"]) {
            let delta = &choice["delta"];
            source.text.push_str(word(delta, "content"));
            for part in all(&delta["content"]) {
                source.text.push_str(word(part, "text"));
                all(&part["thinking"]).iter().for_each(|t| source.thoughts.push_str(word(t, "text")));
            }
            source.thoughts.push_str(word(delta, "reasoning_content"));
            source.thoughts.push_str(word(delta, "reasoning"));
            for call in all(&delta["tool_calls"]) {
                let index = call["index"].as_u64().unwrap_or(0);
                if !calls.iter().any(|(known, _, _)| *known == index) {
                    calls.push((index, String::new(), String::new()));
                }
                let slot = calls.iter_mut().find(|(known, _, _)| *known == index).unwrap();
                slot.1.push_str(word(&call["function"], "name"));
                slot.2.push_str(word(&call["function"], "arguments"));
            }
        }
    }
    source.calls = calls.into_iter().map(|(_, name, said)| (name, object(&said))).collect();
    source
}

fn responses(events: &[Value]) -> Source {
    let mut source = Source::default();
    let mut streamed = String::new();
    for event in events {
        source.failed |= matches!(word(event, "type"), "error" | "response.failed");
        if event["type"] == "response.output_text.delta" {
            streamed.push_str(word(event, "delta"));
        }
        if let Some(input) = event["response"]["usage"]["input_tokens"].as_u64() {
            source.tokens = Some((input, event["response"]["usage"]["output_tokens"].as_u64().unwrap_or(0)));
        }
        if event["type"] != "response.output_item.done" {
            continue;
        }
        let item = &event["item"];
        let name = word(item, "name").to_owned();
        match word(item, "type") {
            "message" => {
                let parts = all(&item["content"]).iter();
                let whole: String =
                    parts.map(|part| [word(part, "text"), word(part, "refusal")].concat()).collect();
                // What was streamed cannot be taken back; an item may go on from there.
                let said = std::mem::take(&mut streamed);
                source.text.push_str(if whole.starts_with(&said) { &whole } else { &said });
            }
            "reasoning" => {
                let key = if all(&item["content"]).is_empty() { "summary" } else { "content" };
                all(&item[key]).iter().for_each(|part| source.thoughts.push_str(word(part, "text")));
            }
            "function_call" => source.calls.push((name, object(word(item, "arguments")))),
            "custom_tool_call" => source.calls.push((name, json!({"input": item["input"]}))),
            "local_shell_call" => {
                let mut action = item["action"].clone();
                action.as_object_mut().unwrap().remove("type");
                source.calls.push(("local_shell".into(), action));
            }
            "shell_call" if item["environment"].is_null() || item["environment"]["type"] == "local" => {
                source.calls.push(("shell".into(), item["action"].clone()));
            }
            "apply_patch_call" => source.calls.push(("apply_patch".into(), item["operation"].clone())),
            "tool_search_call" if item["execution"] == "client" => {
                source.calls.push(("tool_search".into(), item["arguments"].clone()));
            }
            _ => {}
        }
    }
    source
}

fn gemini(events: &[Value]) -> Source {
    let mut source = Source::default();
    for event in events {
        source.failed |= !event["error"].is_null();
        let usage = &event["usageMetadata"];
        if let Some(prompt) = usage["promptTokenCount"].as_u64() {
            let count = |key: &str| usage[key].as_u64().unwrap_or(0);
            let output = count("candidatesTokenCount") + count("thoughtsTokenCount");
            source.tokens = Some((prompt + count("toolUsePromptTokenCount"), output));
        }
        for part in all(&event["candidates"][0]["content"]["parts"]) {
            if let Some(call) = part.get("functionCall") {
                if let Some(name) = call["name"].as_str() {
                    source.calls.push((
                        name.into(),
                        if call["args"].is_object() { call["args"].clone() } else { json!({}) },
                    ));
                }
                for piece in all(&call["partialArgs"]) {
                    let (_, arguments) = source.calls.last_mut().unwrap();
                    set(arguments, piece);
                }
            } else {
                let to = if part["thought"] == true { &mut source.thoughts } else { &mut source.text };
                to.push_str(word(part, "text"));
            }
        }
    }
    source
}

/// One value at its path; the paths of recordings are plain.
fn set(arguments: &mut Value, piece: &Value) {
    let path = word(piece, "jsonPath").trim_start_matches("$.").replace(']', "").replace('[', ".");
    let mut slot = arguments;
    for step in path.split('.') {
        slot = match step.parse::<usize>() {
            Ok(at) => {
                if !slot.is_array() {
                    *slot = json!([]);
                }
                let list = slot.as_array_mut().unwrap();
                if list.len() <= at {
                    list.resize(at + 1, Value::Null);
                }
                &mut list[at]
            }
            Err(_) => {
                if !slot.is_object() {
                    *slot = json!({});
                }
                &mut slot[step]
            }
        };
    }
    if let Some(text) = piece["stringValue"].as_str() {
        *slot = format!("{}{text}", slot.as_str().unwrap_or_default()).into();
    } else if !piece["numberValue"].is_null() {
        *slot = piece["numberValue"].clone();
    } else if !piece["boolValue"].is_null() {
        *slot = piece["boolValue"].clone();
    }
}
