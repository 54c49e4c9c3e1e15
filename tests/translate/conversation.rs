//! Conversations in each dialect's words: rendered, read, checked for order, and as a client sends back what it was told.
use inspan::dialect::Dialect;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One prompt and what came of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub asked: String,
    pub said: Option<String>,
    /// Name, arguments, result.
    pub calls: Vec<(String, Value, String)>,
    /// Typed after the results.
    pub after: Option<String>,
}

fn all(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A request with these exchanges and a last prompt.
pub fn render(dialect: Dialect, exchanges: &[Exchange], last: &str) -> Value {
    let mut turns = Vec::new();
    for (at, exchange) in exchanges.iter().enumerate() {
        let ids: Vec<String> = (0..exchange.calls.len()).map(|call| format!("call_{at}_{call}")).collect();
        match dialect {
            Dialect::Messages => render_messages(exchange, &ids, &mut turns),
            Dialect::Chat => render_chat(exchange, &ids, &mut turns),
            Dialect::Responses => render_responses(exchange, &ids, &mut turns),
            Dialect::Gemini => render_gemini(exchange, &mut turns),
        }
    }
    match dialect {
        Dialect::Messages => {
            turns.push(json!({"role": "user", "content": last}));
            json!({"max_tokens": 9, "messages": turns})
        }
        Dialect::Chat => {
            turns.push(json!({"role": "user", "content": last}));
            json!({"messages": turns})
        }
        Dialect::Responses => {
            turns.push(
                json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": last}]}),
            );
            json!({"input": turns})
        }
        Dialect::Gemini => {
            turns.push(json!({"role": "user", "parts": [{"text": last}]}));
            json!({"contents": turns})
        }
    }
}

fn render_messages(exchange: &Exchange, ids: &[String], turns: &mut Vec<Value>) {
    turns.push(json!({"role": "user", "content": [{"type": "text", "text": exchange.asked}]}));
    let (mut blocks, mut results) = (Vec::new(), Vec::new());
    blocks.extend(exchange.said.iter().map(|text| json!({"type": "text", "text": text})));
    for ((name, arguments, result), id) in exchange.calls.iter().zip(ids) {
        blocks.push(json!({"type": "tool_use", "id": id, "name": name, "input": arguments}));
        results.push(
            json!({"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": result}]}),
        );
    }
    turns.push(json!({"role": "assistant", "content": blocks}));
    results.extend(exchange.after.iter().map(|text| json!({"type": "text", "text": text})));
    if !results.is_empty() {
        turns.push(json!({"role": "user", "content": results}));
    }
}

fn render_chat(exchange: &Exchange, ids: &[String], turns: &mut Vec<Value>) {
    turns.push(json!({"role": "user", "content": exchange.asked}));
    let mut message = json!({"role": "assistant", "content": exchange.said});
    let mut results = Vec::new();
    let mut calls = Vec::new();
    for ((name, arguments, result), id) in exchange.calls.iter().zip(ids) {
        calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments.to_string()}}));
        results.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    turns.push(message);
    turns.extend(results);
    turns.extend(exchange.after.iter().map(|text| json!({"role": "user", "content": text})));
}

fn render_responses(exchange: &Exchange, ids: &[String], turns: &mut Vec<Value>) {
    let message = |role: &str, kind: &str, text: &str| json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]});
    turns.push(message("user", "input_text", &exchange.asked));
    turns.extend(exchange.said.iter().map(|text| message("assistant", "output_text", text)));
    let mut results = Vec::new();
    for ((name, arguments, result), id) in exchange.calls.iter().zip(ids) {
        let arguments = arguments.to_string();
        turns.push(json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}));
        results.push(json!({"type": "function_call_output", "call_id": id, "output": result}));
    }
    turns.extend(results);
    turns.extend(exchange.after.iter().map(|text| message("user", "input_text", text)));
}

fn render_gemini(exchange: &Exchange, turns: &mut Vec<Value>) {
    turns.push(json!({"role": "user", "parts": [{"text": exchange.asked}]}));
    let mut parts: Vec<Value> = exchange.said.iter().map(|text| json!({"text": text})).collect();
    let mut results = Vec::new();
    for (name, arguments, result) in &exchange.calls {
        parts.push(json!({"functionCall": {"name": name, "args": arguments}}));
        results.push(json!({"functionResponse": {"name": name, "response": {"output": result}}}));
    }
    turns.push(json!({"role": "model", "parts": parts}));
    results.extend(exchange.after.iter().map(|text| json!({"text": text})));
    if !results.is_empty() {
        turns.push(json!({"role": "user", "parts": results}));
    }
}

/// What a request tells, a line for each thing, neighbours of one kind joined.
pub fn told(dialect: Dialect, body: &Value) -> Vec<String> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut say = |kind: &str, text: &str| {
        let dense: String = text.split_whitespace().collect();
        match lines.last_mut() {
            Some((last, so_far)) if last == kind && matches!(kind, "user" | "model") => {
                so_far.push_str(&dense)
            }
            _ => lines.push((kind.to_owned(), dense)),
        }
    };
    let key = match dialect {
        Dialect::Messages | Dialect::Chat => "messages",
        Dialect::Responses => "input",
        Dialect::Gemini => "contents",
    };
    for turn in all(&body[key]) {
        let model = matches!(turn["role"].as_str(), Some("assistant" | "model"));
        let kind = if model { "model" } else { "user" };
        match dialect {
            Dialect::Chat if turn["role"] == "tool" => say("result", turn["content"].as_str().unwrap()),
            Dialect::Responses if turn["type"] == "function_call" => {
                say("call", &format!("{} {}", turn["name"], arguments(&turn["arguments"])));
            }
            Dialect::Responses if turn["type"] == "function_call_output" => {
                say("result", turn["output"].as_str().unwrap())
            }
            Dialect::Messages | Dialect::Chat | Dialect::Responses => {
                if let Some(text) = turn["content"].as_str() {
                    say(kind, text);
                }
                for part in all(&turn["content"]) {
                    match part["type"].as_str().unwrap_or_default() {
                        "tool_use" => say("call", &format!("{} {}", part["name"], part["input"])),
                        "tool_result" => {
                            let text: String =
                                all(&part["content"]).iter().map(|p| p["text"].as_str().unwrap()).collect();
                            say("result", part["content"].as_str().unwrap_or(&text));
                        }
                        _ => part["text"].as_str().into_iter().for_each(|text| say(kind, text)),
                    }
                }
                for call in all(&turn["tool_calls"]) {
                    let function = &call["function"];
                    say("call", &format!("{} {}", function["name"], arguments(&function["arguments"])));
                }
            }
            Dialect::Gemini => {
                for part in all(&turn["parts"]) {
                    if let Some(call) = part.get("functionCall") {
                        say("call", &format!("{} {}", call["name"], call["args"]));
                    } else if let Some(result) = part.get("functionResponse") {
                        say("result", result["response"]["output"].as_str().unwrap());
                    } else if part["thought"] != true && part["text"] != "" {
                        say(kind, part["text"].as_str().unwrap());
                    }
                }
            }
        }
    }
    lines.into_iter().map(|(kind, text)| format!("{kind}: {text}")).collect()
}

fn arguments(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

macro_rules! must {
    ($condition:expr, $($words:tt)*) => {
        if !$condition {
            return Err(format!($($words)*));
        }
    };
}

/// Checks the order that a dialect's provider demands.
pub fn check(dialect: Dialect, body: &Value) -> Result<(), String> {
    let empty = body.as_object().into_iter().flatten().find(|(_, value)| value.is_null());
    must!(empty.is_none(), "a field without a value: {empty:?}");
    match dialect {
        Dialect::Messages => check_messages(all(&body["messages"])),
        Dialect::Chat => check_chat(all(&body["messages"])),
        Dialect::Responses => check_responses(all(&body["input"])),
        Dialect::Gemini => check_gemini(all(&body["contents"])),
    }
}

fn check_messages(messages: &[Value]) -> Result<(), String> {
    let ids = |message: &Value, kind: &str, key: &str| -> Vec<String> {
        let blocks = all(&message["content"]).iter().filter(|block| block["type"] == kind);
        blocks.map(|block| block[key].as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut seen = BTreeSet::new();
    must!(messages.first().is_some_and(|first| first["role"] == "user"), "the first is not the person's");
    for (at, message) in messages.iter().enumerate() {
        must!(message["content"].is_string() || !all(&message["content"]).is_empty(), "empty: {message}");
        if at > 0 {
            must!(messages[at - 1]["role"] != message["role"], "two of one role at {at}");
        }
        let blank = all(&message["content"])
            .iter()
            .any(|b| b["type"] == "text" && b["text"].as_str().unwrap().trim().is_empty());
        must!(!blank, "a blank text: {message}");
        let calls = ids(message, "tool_use", "id");
        must!(calls.iter().all(|id| seen.insert(id.clone())), "an id twice: {message}");
        let next = messages.get(at + 1).unwrap_or(&Value::Null);
        let results = ids(next, "tool_result", "tool_use_id");
        must!(results == calls, "calls {calls:?} have results {results:?}");
        let first = all(&next["content"]).iter().take_while(|block| block["type"] == "tool_result").count();
        must!(first == calls.len(), "results are not first: {next}");
    }
    must!(ids(&messages[0], "tool_result", "tool_use_id").is_empty(), "results without calls");
    Ok(())
}

fn check_chat(messages: &[Value]) -> Result<(), String> {
    let mut waiting: Vec<String> = Vec::new();
    for message in messages.iter().chain([&Value::from("the end")]) {
        if message["role"] == "tool" {
            must!(!waiting.is_empty(), "a result without a call: {message}");
            let id = waiting.remove(0);
            must!(message["tool_call_id"] == id.as_str(), "{id} expected: {message}");
            must!(message["content"].is_string(), "{message}");
            continue;
        }
        must!(waiting.is_empty(), "{waiting:?} without results before {message}");
        for call in all(&message["tool_calls"]) {
            let id = call["id"].as_str().unwrap_or_default();
            must!(!id.is_empty() && id.len() <= 40, "{call}");
            must!(call["function"]["arguments"].is_string(), "{call}");
            waiting.push(id.to_owned());
        }
        must!(
            message.is_string() || !message["content"].is_null() || !waiting.is_empty(),
            "says nothing: {message}"
        );
    }
    Ok(())
}

fn check_responses(items: &[Value]) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    for item in items {
        match item["type"].as_str().unwrap_or("message") {
            "function_call" => {
                let id = item["call_id"].as_str().unwrap_or_default();
                must!(!id.is_empty() && id.len() <= 64 && seen.insert(id), "{item}");
                open.push(id);
            }
            "function_call_output" => {
                let at = open.iter().position(|id| item["call_id"] == *id);
                open.remove(at.ok_or_else(|| format!("without a call: {item}"))?);
            }
            "message" => must!(open.is_empty() || item["role"] == "assistant", "{open:?} before {item}"),
            "reasoning" => {}
            kind => return Err(format!("unknown item {kind}")),
        }
    }
    must!(open.is_empty(), "{open:?} have no output");
    Ok(())
}

fn check_gemini(contents: &[Value]) -> Result<(), String> {
    let names = |content: &Value, key: &str| -> Vec<String> {
        all(&content["parts"]).iter().filter_map(|part| Some(part.get(key)?["name"].to_string())).collect()
    };
    must!(contents.first().is_none_or(|first| first["role"] == "user"), "the first is not the person's");
    for (at, content) in contents.iter().enumerate() {
        must!(!all(&content["parts"]).is_empty(), "empty: {content}");
        if at > 0 {
            must!(contents[at - 1]["role"] != content["role"], "two of one role at {at}");
            let (calls, results) =
                (names(&contents[at - 1], "functionCall"), names(content, "functionResponse"));
            must!(calls == results, "calls {calls:?} have results {results:?}");
        }
        let first = all(&content["parts"]).iter().find(|part| part.get("functionCall").is_some());
        must!(first.is_none_or(|part| part["thoughtSignature"].is_string()), "unsigned: {content}");
    }
    let last = contents.last().map(|last| names(last, "functionCall")).unwrap_or_default();
    must!(last.is_empty(), "ends with calls");
    Ok(())
}

/// The next request of a client that keeps what its own CLI keeps of a stream, with results for the calls.
pub fn replay(client: Dialect, stream: &[u8]) -> Value {
    let text = std::str::from_utf8(stream).unwrap();
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    match client {
        Dialect::Messages => replay_messages(&events),
        Dialect::Chat => replay_chat(&events),
        Dialect::Responses => replay_responses(&events),
        Dialect::Gemini => replay_gemini(&events),
    }
}

fn append(to: &mut Value, more: &Value) {
    *to = format!("{}{}", to.as_str().unwrap_or_default(), more.as_str().unwrap_or_default()).into();
}

fn replay_messages(events: &[Value]) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let mut arguments = Value::Null;
    for event in events {
        let delta = &event["delta"];
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                blocks.push(event["content_block"].clone());
                arguments = Value::Null;
            }
            "content_block_delta" => {
                let block = blocks.last_mut().unwrap();
                match delta["type"].as_str().unwrap() {
                    "input_json_delta" => append(&mut arguments, &delta["partial_json"]),
                    kind => {
                        let key = kind.trim_end_matches("_delta");
                        append(&mut block[key], &delta[key]);
                    }
                }
            }
            "content_block_stop" if blocks.last().unwrap()["type"] == "tool_use" => {
                blocks.last_mut().unwrap()["input"] = self::arguments(&arguments);
            }
            _ => {}
        }
    }
    let results: Vec<Value> = blocks
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| json!({"type": "tool_result", "tool_use_id": block["id"], "content": "done"}))
        .collect();
    json!({"max_tokens": 9, "thinking": {"type": "adaptive"}, "messages": [
        {"role": "user", "content": "go"}, {"role": "assistant", "content": blocks}, {"role": "user", "content": results}]})
}

fn replay_chat(events: &[Value]) -> Value {
    let mut message = json!({"role": "assistant"});
    let (mut calls, mut details) = (Vec::<Value>::new(), Vec::new());
    for event in events {
        let delta = &event["choices"][0]["delta"];
        for key in ["content", "reasoning_content"] {
            if delta[key].is_string() {
                append(&mut message[key], &delta[key]);
            }
        }
        details.extend(all(&delta["reasoning_details"]).iter().cloned());
        for call in all(&delta["tool_calls"]) {
            let at = call["index"].as_u64().unwrap() as usize;
            if at == calls.len() {
                calls.push(call.clone());
            } else {
                append(&mut calls[at]["function"]["arguments"], &call["function"]["arguments"]);
            }
        }
    }
    message["reasoning_details"] = details.into();
    message["tool_calls"] = calls.clone().into();
    let mut messages = vec![json!({"role": "user", "content": "go"}), message];
    messages.extend(
        calls.iter().map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "done"})),
    );
    json!({"messages": messages})
}

/// Codex keeps of a thought what is encrypted.
fn replay_responses(events: &[Value]) -> Value {
    let mut items =
        vec![json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]})];
    for event in events.iter().filter(|event| event["type"] == "response.output_item.done") {
        let mut item = event["item"].clone();
        if item["type"] == "reasoning" {
            item["summary"] = json!([]);
        }
        items.push(item);
    }
    let calls: Vec<Value> = items.iter().filter(|item| item["type"] == "function_call").cloned().collect();
    items.extend(
        calls.iter().map(
            |call| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "done"}),
        ),
    );
    json!({"input": items})
}

/// Gemini CLI leaves thoughts out.
fn replay_gemini(events: &[Value]) -> Value {
    let parts: Vec<Value> = events
        .iter()
        .flat_map(|event| all(&event["candidates"][0]["content"]["parts"]).iter().cloned())
        .filter(|part| part["thought"] != true)
        .collect();
    let results: Vec<Value> = parts
        .iter()
        .filter_map(|part| part.get("functionCall"))
        .map(|call| json!({"functionResponse": {"id": call["id"], "name": call["name"], "response": {"output": "done"}}}))
        .collect();
    json!({"contents": [
        {"role": "user", "parts": [{"text": "go"}]}, {"role": "model", "parts": parts}, {"role": "user", "parts": results}]})
}
