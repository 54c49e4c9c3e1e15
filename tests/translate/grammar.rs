//! What a stream of each dialect must look like, as strictly as its pickiest reader.
use inspan::dialect::Dialect;
use serde_json::Value;

/// What a stream told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub text: String,
    pub thoughts: String,
    /// Names and arguments, in order.
    pub calls: Vec<(String, Value)>,
    pub reason: String,
    /// Input with everything cached, and output.
    pub tokens: (u64, u64),
    /// It ended in its dialect's error.
    pub failed: bool,
}

/// Checks a stream and says what it told.
pub fn check(client: Dialect, bytes: &[u8]) -> Result<Told, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    match client {
        Dialect::Messages => messages(&named(text)?),
        Dialect::Chat => chat(&unnamed(text, "\n\n")?),
        Dialect::Responses => responses(&named(text)?),
        Dialect::Gemini => gemini(&unnamed(text, "\r\n\r\n")?),
    }
}

macro_rules! must {
    ($condition:expr, $($words:tt)*) => {
        if !$condition {
            return Err(format!($($words)*));
        }
    };
}

fn named(text: &str) -> Result<Vec<Value>, String> {
    let rest = text.strip_suffix("\n\n").ok_or("the last event has no blank line")?;
    rest.split("\n\n")
        .map(|event| {
            let (name, data) = event
                .strip_prefix("event: ")
                .and_then(|event| event.split_once("\ndata: "))
                .ok_or_else(|| format!("not an event with a name: {event:?}"))?;
            let data: Value = serde_json::from_str(data).map_err(|error| format!("{error}: {data}"))?;
            must!(data["type"] == name, "{name} holds {}", data["type"]);
            Ok(data)
        })
        .collect()
}

fn unnamed(text: &str, end: &str) -> Result<Vec<Value>, String> {
    let rest = text.strip_suffix(end).ok_or("the last event has no blank line")?;
    rest.split(end)
        .map(|event| {
            let data = event.strip_prefix("data: ").ok_or_else(|| format!("not data: {event:?}"))?;
            if data == "[DONE]" {
                return Ok(Value::from("[DONE]"));
            }
            serde_json::from_str(data).map_err(|error| format!("{error}: {data}"))
        })
        .collect()
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &Value, key: &str) -> Result<u64, String> {
    value[key].as_u64().ok_or_else(|| format!("{key} is no count: {value}"))
}

fn plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Arguments are an object, unless the answer was cut by its length.
fn arguments(text: &str, cut: bool) -> Result<Value, String> {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_object() => Ok(value),
        _ if cut => Ok(Value::from(text)),
        _ => Err(format!("arguments are no object: {text}")),
    }
}

fn messages(events: &[Value]) -> Result<Told, String> {
    let mut told = Told::default();
    let mut open: Option<(String, String, bool)> = None;
    let (mut index, mut state) = (0, "new");
    let mut raw_calls: Vec<(String, String)> = Vec::new();
    for event in events {
        must!(!matches!(state, "stopped" | "failed"), "{event} after the end");
        match word(event, "type") {
            "ping" => must!(state != "new", "ping before message_start"),
            "message_start" => {
                must!(state == "new", "message_start twice");
                let message = &event["message"];
                must!(
                    message["role"] == "assistant" && message["content"] == serde_json::json!([]),
                    "{message}"
                );
                must!(plain(word(message, "id")) && !word(message, "model").is_empty(), "{message}");
                must!(number(&message["usage"], "input_tokens")? > 0, "no estimate: {message}");
                number(&message["usage"], "output_tokens")?;
                state = "started";
            }
            "content_block_start" => {
                must!(state == "started" && open.is_none(), "a block inside {open:?} ({state})");
                must!(number(event, "index")? == index, "index gap at {event}");
                let block = &event["content_block"];
                let kind = word(block, "type").to_owned();
                match kind.as_str() {
                    "text" => must!(block["text"] == "", "{block}"),
                    "thinking" => must!(block["thinking"] == "" && block["signature"] == "", "{block}"),
                    "redacted_thinking" => must!(!word(block, "data").is_empty(), "{block}"),
                    "tool_use" => {
                        must!(plain(word(block, "id")) && !word(block, "name").is_empty(), "{block}");
                        must!(block["input"] == serde_json::json!({}), "{block}");
                        raw_calls.push((word(block, "name").to_owned(), String::new()));
                    }
                    kind => return Err(format!("unknown block {kind}")),
                }
                open = Some((kind, String::new(), false));
            }
            "content_block_delta" => {
                let Some((kind, said, signed)) = open.as_mut() else {
                    return Err(format!("{event} outside a block"));
                };
                must!(number(event, "index")? == index, "another block's delta: {event}");
                let delta = &event["delta"];
                match (kind.as_str(), word(delta, "type")) {
                    ("text", "text_delta") => told.text.push_str(word(delta, "text")),
                    ("thinking", "thinking_delta") => {
                        must!(!*signed, "a thought after its signature");
                        told.thoughts.push_str(word(delta, "thinking"));
                    }
                    ("thinking", "signature_delta") => *signed = true,
                    ("tool_use", "input_json_delta") => said.push_str(word(delta, "partial_json")),
                    (kind, delta) => return Err(format!("{delta} in {kind}")),
                }
            }
            "content_block_stop" => {
                let Some((kind, said, signed)) = open.take() else {
                    return Err("stop without a block".into());
                };
                must!(number(event, "index")? == index, "another block's stop: {event}");
                must!(kind != "thinking" || signed, "a thought without a signature");
                if kind == "tool_use"
                    && let Some(last) = raw_calls.last_mut()
                {
                    last.1 = said;
                }
                index += 1;
            }
            "message_delta" => {
                must!(state == "started" && open.is_none(), "message_delta inside a block or twice");
                told.reason = word(&event["delta"], "stop_reason").to_owned();
                must!(!told.reason.is_empty(), "{event}");
                let usage = &event["usage"];
                let input = number(usage, "input_tokens")?
                    + number(usage, "cache_read_input_tokens")?
                    + number(usage, "cache_creation_input_tokens")?;
                told.tokens = (input, number(usage, "output_tokens")?);
                state = "ending";
            }
            "message_stop" => {
                must!(state == "ending", "message_stop without message_delta");
                state = "stopped";
            }
            "error" => {
                must!(
                    !word(&event["error"], "type").is_empty() && !word(&event["error"], "message").is_empty(),
                    "{event}"
                );
                told.failed = true;
                state = "failed";
            }
            kind => return Err(format!("unknown event {kind}")),
        }
    }
    must!(matches!(state, "stopped" | "failed"), "ends {state}");
    let cut = told.failed || told.reason == "max_tokens";
    if !told.failed {
        let calls = !raw_calls.is_empty();
        must!(told.reason != "tool_use" || calls, "tool_use without a call");
        must!(!calls || !matches!(told.reason.as_str(), "end_turn"), "end_turn with calls");
    }
    for (name, said) in raw_calls {
        told.calls.push((name, arguments(&said, cut)?));
    }
    Ok(told)
}

fn chat(events: &[Value]) -> Result<Told, String> {
    let mut told = Told::default();
    let mut raw_calls: Vec<(String, String)> = Vec::new();
    let (mut first, mut done, mut usage) = (true, false, false);
    for event in events {
        must!(!done && !told.failed, "{event} after the end");
        if *event == "[DONE]" {
            must!(!told.reason.is_empty(), "[DONE] without a reason");
            done = true;
            continue;
        }
        if !event["error"].is_null() {
            must!(!word(&event["error"], "message").is_empty(), "{event}");
            told.failed = true;
            continue;
        }
        must!(event["object"] == "chat.completion.chunk" && event["created"].is_u64(), "{event}");
        must!(!word(event, "id").is_empty() && !word(event, "model").is_empty(), "{event}");
        let choices = event["choices"].as_array().ok_or("no choices")?;
        if choices.is_empty() {
            must!(!told.reason.is_empty() && !usage, "usage at the wrong place: {event}");
            usage = true;
            told.tokens =
                (number(&event["usage"], "prompt_tokens")?, number(&event["usage"], "completion_tokens")?);
            must!(number(&event["usage"], "total_tokens")? == told.tokens.0 + told.tokens.1, "{event}");
            continue;
        }
        must!(told.reason.is_empty(), "a choice after the reason: {event}");
        let choice = &choices[0];
        must!(choices.len() == 1 && choice["index"] == 0, "{event}");
        let delta = &choice["delta"];
        must!(!first || delta["role"] == "assistant", "the first delta has no role: {event}");
        first = false;
        told.text.push_str(word(delta, "content"));
        told.thoughts.push_str(word(delta, "reasoning_content"));
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let at = number(call, "index")? as usize;
            let function = &call["function"];
            if at == raw_calls.len() {
                must!(!word(call, "id").is_empty() && call["type"] == "function", "{call}");
                must!(word(call, "id").len() <= 64 && !word(function, "name").is_empty(), "{call}");
                raw_calls.push((word(function, "name").to_owned(), String::new()));
            }
            must!(at + 1 == raw_calls.len(), "calls interleave: {call}");
            raw_calls[at].1.push_str(function["arguments"].as_str().ok_or("arguments are no text")?);
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            must!(delta.as_object().is_some_and(serde_json::Map::is_empty), "words with the reason: {event}");
            told.reason = reason.to_owned();
        }
    }
    must!(done || told.failed, "ends without [DONE]");
    must!(told.failed || usage, "no usage though it was asked for");
    let cut = told.failed || told.reason == "length";
    if !told.failed {
        must!((told.reason == "tool_calls") <= !raw_calls.is_empty(), "tool_calls without a call");
        must!(told.reason != "stop" || raw_calls.is_empty(), "stop with calls");
    }
    for (name, said) in raw_calls {
        told.calls.push((name, arguments(&said, cut)?));
    }
    Ok(told)
}

fn responses(events: &[Value]) -> Result<Told, String> {
    let mut told = Told::default();
    let mut items: Vec<Value> = Vec::new();
    let mut open: Option<(Value, String, bool)> = None;
    let mut ended = false;
    for (at, event) in events.iter().enumerate() {
        must!(!ended, "{event} after the end");
        must!(number(event, "sequence_number")? == at as u64, "sequence_number of {event}");
        let kind = word(event, "type");
        must!((kind == "response.created") == (at == 0), "{kind} at {at}");
        must!((kind == "response.in_progress") == (at == 1), "{kind} at {at}");
        if let Some(index) = event.get("output_index") {
            must!(index.as_u64() == Some(items.len() as u64), "output_index of {event}");
        }
        if let (Some(id), Some((item, _, _))) = (event.get("item_id"), &open) {
            must!(*id == item["id"], "item_id of {event}");
        }
        let response = &event["response"];
        if !response.is_null() {
            must!(
                word(response, "id").starts_with("resp_") && response["object"] == "response",
                "{response}"
            );
            must!(response["created_at"].is_u64() && response["output"].is_array(), "{response}");
            must!(!word(response, "model").is_empty(), "{response}");
        }
        match kind {
            "response.created" | "response.in_progress" => {
                must!(response["status"] == "in_progress", "{event}")
            }
            "response.output_item.added" => {
                must!(open.is_none(), "an item inside an item: {event}");
                must!(plain(word(&event["item"], "id")), "{event}");
                open = Some((event["item"].clone(), String::new(), false));
            }
            "response.output_item.done" => {
                let Some((item, said, part)) = open.take() else {
                    return Err(format!("done without added: {event}"));
                };
                must!(!part, "a part is open: {event}");
                let done = &event["item"];
                must!(done["id"] == item["id"] && done["type"] == item["type"], "{event}");
                done_item(done, &said, &mut told)?;
                items.push(done.clone());
            }
            "response.completed" | "response.incomplete" => {
                must!(open.is_none(), "an item is open at the end");
                must!(kind == format!("response.{}", word(response, "status")), "{event}");
                must!(response["output"] == Value::from(items.clone()), "the output is not what was told");
                let usage = &response["usage"];
                told.tokens = (number(usage, "input_tokens")?, number(usage, "output_tokens")?);
                must!(number(usage, "total_tokens")? == told.tokens.0 + told.tokens.1, "{usage}");
                must!(number(&usage["input_tokens_details"], "cached_tokens")? <= told.tokens.0, "{usage}");
                number(&usage["input_tokens_details"], "cache_write_tokens")?;
                must!(
                    number(&usage["output_tokens_details"], "reasoning_tokens")? <= told.tokens.1,
                    "{usage}"
                );
                told.reason = match response["incomplete_details"]["reason"].as_str() {
                    Some(reason) => reason.to_owned(),
                    None => word(response, "status").to_owned(),
                };
                ended = true;
            }
            "response.failed" => {
                must!(
                    response["status"] == "failed" && !word(&response["error"], "message").is_empty(),
                    "{event}"
                );
                must!(!word(&response["error"], "code").is_empty(), "{event}");
                told.failed = true;
                ended = true;
            }
            kind => inside(kind, event, open.as_mut().ok_or_else(|| format!("{kind} outside an item"))?)?,
        }
    }
    must!(ended, "ends without a terminal event");
    Ok(told)
}

fn inside(kind: &str, event: &Value, (item, said, part): &mut (Value, String, bool)) -> Result<(), String> {
    let needs = |wanted: &str| {
        if item["type"] == wanted { Ok(()) } else { Err(format!("{kind} in {}", item["type"])) }
    };
    match kind {
        "response.content_part.added" | "response.reasoning_summary_part.added" => {
            needs(if kind.contains("content") { "message" } else { "reasoning" })?;
            must!(!*part && said.is_empty(), "{kind} twice");
            must!(event["part"]["text"] == "", "{event}");
            *part = true;
        }
        "response.output_text.delta" | "response.reasoning_summary_text.delta" => {
            must!(*part, "{kind} outside a part");
            said.push_str(event["delta"].as_str().ok_or("no delta")?);
        }
        "response.output_text.done" | "response.reasoning_summary_text.done" => {
            must!(*part && event["text"] == said.as_str(), "{event}: told {said}");
        }
        "response.content_part.done" | "response.reasoning_summary_part.done" => {
            must!(*part && event["part"]["text"] == said.as_str(), "{event}: told {said}");
            *part = false;
        }
        "response.function_call_arguments.delta" => {
            needs("function_call")?;
            said.push_str(event["delta"].as_str().ok_or("no delta")?);
        }
        "response.function_call_arguments.done" => must!(event["arguments"] == said.as_str(), "{event}"),
        "response.custom_tool_call_input.delta" => {
            needs("custom_tool_call")?;
            said.push_str(event["delta"].as_str().ok_or("no delta")?);
        }
        "response.custom_tool_call_input.done" => must!(event["input"] == said.as_str(), "{event}"),
        kind => return Err(format!("unknown event {kind}")),
    }
    Ok(())
}

fn done_item(item: &Value, said: &str, told: &mut Told) -> Result<(), String> {
    match word(item, "type") {
        "message" => {
            must!(item["content"][0]["text"] == said && item["role"] == "assistant", "{item}");
            must!(item["status"] == "completed", "{item}");
            told.text.push_str(said);
        }
        "reasoning" => {
            let summary: String = item["summary"]
                .as_array()
                .ok_or("no summary")?
                .iter()
                .map(|part| word(part, "text"))
                .collect();
            must!(summary == said && !word(item, "encrypted_content").is_empty(), "{item}");
            told.thoughts.push_str(said);
        }
        "function_call" => {
            must!(item["arguments"] == said && !word(item, "call_id").is_empty(), "{item}");
            must!(word(item, "call_id").len() <= 64, "{item}");
            told.calls.push((full_name(item), arguments(said, true)?));
        }
        "custom_tool_call" => {
            must!(item["input"] == said && !word(item, "call_id").is_empty(), "{item}");
            told.calls.push((full_name(item), serde_json::json!({"input": said})));
        }
        "local_shell_call" => {
            must!(item["action"]["command"].is_array(), "{item}");
            told.calls.push(("local_shell".into(), item["action"].clone()));
        }
        kind => return Err(format!("unknown item {kind}")),
    }
    Ok(())
}

fn full_name(item: &Value) -> String {
    match item["namespace"].as_str() {
        Some(space) => format!("{space}__{}", word(item, "name")),
        None => word(item, "name").to_owned(),
    }
}

fn gemini(events: &[Value]) -> Result<Told, String> {
    use base64::Engine;
    let mut told = Told::default();
    for event in events {
        must!(!told.failed && told.reason.is_empty(), "{event} after the end");
        if !event["error"].is_null() {
            must!(event["error"]["code"].is_u64() && !word(&event["error"], "message").is_empty(), "{event}");
            told.failed = true;
            continue;
        }
        let candidate = &event["candidates"][0];
        must!(candidate["index"] == 0 && candidate["content"]["role"] == "model", "{event}");
        let parts = candidate["content"]["parts"].as_array().ok_or("no parts")?;
        must!(!parts.is_empty() && !word(event, "modelVersion").is_empty(), "{event}");
        for part in parts {
            if let Some(signature) = part.get("thoughtSignature") {
                let signature = signature.as_str().ok_or("a signature is no text")?;
                base64::engine::general_purpose::STANDARD
                    .decode(signature)
                    .map_err(|error| error.to_string())?;
            }
            if let Some(call) = part.get("functionCall") {
                must!(call["args"].is_object() && !word(call, "name").is_empty(), "{call}");
                told.calls.push((word(call, "name").to_owned(), call["args"].clone()));
            } else {
                let text = part["text"].as_str().ok_or_else(|| format!("no text: {part}"))?;
                if part["thought"] == true { &mut told.thoughts } else { &mut told.text }.push_str(text);
            }
        }
        if let Some(reason) = candidate["finishReason"].as_str() {
            told.reason = reason.to_owned();
            let usage = &event["usageMetadata"];
            let thoughts = usage["thoughtsTokenCount"].as_u64().unwrap_or(0);
            told.tokens =
                (number(usage, "promptTokenCount")?, number(usage, "candidatesTokenCount")? + thoughts);
            must!(number(usage, "totalTokenCount")? == told.tokens.0 + told.tokens.1, "{usage}");
            must!(usage["cachedContentTokenCount"].as_u64().unwrap_or(0) <= told.tokens.0, "{usage}");
        }
    }
    must!(told.failed || !told.reason.is_empty(), "ends without a reason");
    Ok(told)
}
