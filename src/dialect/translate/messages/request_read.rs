//! A Messages request into the common vocabulary.
use super::super::{
    carrier::{Blob, Kind},
    hosted,
    hub::{
        Call, Choice, Format, Media, Notes, Outcome, Part, Reasoning, Request, Role, Source, Text, Thinking,
        Tool, Turn, given, items, str_of, text_part,
    },
};
use serde_json::Value;

/// Claude Code's first system block. It changes with every request, so that no prompt cache would ever hold.
const BILLING: &str = "x-anthropic-billing-header:";

const KNOWN: &[&str] = &[
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stream",
    "stop_sequences",
    "thinking",
    "output_config",
    "metadata",
    "service_tier",
    "speed",
    "cache_control",
];

/// Reads a request body.
pub(in super::super) fn read(body: &Value, notes: &mut Notes) -> Request {
    notes.unknown(body, KNOWN);
    let mut request = Request {
        system: system(&body["system"]),
        max_output: body["max_tokens"].as_u64(),
        temperature: given(body, "temperature"),
        top_p: given(body, "top_p"),
        top_k: given(body, "top_k"),
        stops: items(&body["stop_sequences"]).iter().filter_map(|s| s.as_str().map(str::to_owned)).collect(),
        user: body["metadata"]["user_id"].as_str().map(str::to_owned),
        service_tier: tier(body),
        reasoning: reasoning(body),
        format: format(&body["output_config"]["format"]),
        ..Request::default()
    };
    if let Some(marks) = given(body, "cache_control") {
        // A mark on the whole request means its last block.
        if let Some(last) = request.system.last_mut() {
            last.cache.get_or_insert(marks);
        }
    }
    for tool in items(&body["tools"]) {
        read_tool(tool, &mut request, notes);
    }
    choose(&body["tool_choice"], &mut request);
    for message in items(&body["messages"]) {
        let role = match str_of(message, "role") {
            "assistant" => Role::Model,
            "system" => Role::System,
            _ => Role::User,
        };
        let parts = blocks(&message["content"], notes);
        split_system(role, parts, &mut request.turns);
    }
    request
}

/// System blocks may stand inside a message of the user; each becomes a turn of its own.
fn split_system(role: Role, parts: Vec<(Role, Part)>, turns: &mut Vec<Turn>) {
    for (own, part) in parts {
        let role = if own == Role::System { Role::System } else { role };
        match turns.last_mut() {
            Some(last) if last.role == role => last.parts.push(part),
            _ => turns.push(Turn { role, parts: vec![part] }),
        }
    }
}

fn system(system: &Value) -> Vec<Text> {
    let texts: Vec<Text> = match system {
        Value::String(text) => vec![Text { text: text.clone(), cache: None }],
        blocks => items(blocks).iter().map(text).collect(),
    };
    texts.into_iter().filter(|block| !block.text.is_empty() && !block.text.starts_with(BILLING)).collect()
}

fn text(block: &Value) -> Text {
    Text { text: str_of(block, "text").to_owned(), cache: given(block, "cache_control") }
}

fn tier(body: &Value) -> Option<String> {
    if body["speed"] == "fast" {
        return Some("priority".to_owned());
    }
    // `auto` and `standard_only` are Anthropic's own words for its own capacity.
    body["service_tier"].as_str().filter(|tier| *tier == "priority").map(str::to_owned)
}

fn reasoning(body: &Value) -> Reasoning {
    let effort = body["output_config"]["effort"].as_str();
    let thinking = &body["thinking"];
    match (str_of(thinking, "type"), effort) {
        ("disabled", _) => Reasoning::Off,
        ("enabled", _) if thinking["budget_tokens"].is_u64() => {
            Reasoning::Budget(thinking["budget_tokens"].as_u64().unwrap_or_default())
        }
        (_, Some(effort)) => Reasoning::Effort(effort.to_owned()),
        ("adaptive" | "enabled", None) => Reasoning::Auto,
        _ => Reasoning::Unsaid,
    }
}

fn format(format: &Value) -> Option<Format> {
    (format["type"] == "json_schema").then(|| Format::Schema {
        name: "output".to_owned(),
        schema: format["schema"].clone(),
        strict: Some(true),
    })
}

fn read_tool(tool: &Value, request: &mut Request, notes: &mut Notes) {
    let kind = tool["type"].as_str().unwrap_or("custom");
    if kind != "custom" {
        if kind.starts_with("web_search") {
            request.web_search = Some(tool.clone());
        } else {
            notes.add(format!("tools[{kind}]"), "left out: only Anthropic runs this tool");
        }
        return;
    }
    request.tools.push(Tool {
        name: str_of(tool, "name").to_owned(),
        description: str_of(tool, "description").to_owned(),
        schema: tool["input_schema"].clone(),
        strict: tool["strict"].as_bool(),
        cache: given(tool, "cache_control"),
    });
}

fn choose(choice: &Value, request: &mut Request) {
    request.choice = match str_of(choice, "type") {
        "auto" => Choice::Auto,
        "any" => Choice::Any,
        "none" => Choice::None,
        "tool" => Choice::Tool(str_of(choice, "name").to_owned()),
        _ => Choice::Unsaid,
    };
    request.parallel = choice["disable_parallel_tool_use"].as_bool().map(|disabled| !disabled);
}

/// The parts of a content; those of a block that is an instruction name that role.
fn blocks(content: &Value, notes: &mut Notes) -> Vec<(Role, Part)> {
    if let Some(text) = content.as_str() {
        return vec![(Role::User, text_part(text))];
    }
    items(content).iter().flat_map(|block| read_block(block, notes)).collect()
}

fn read_block(block: &Value, notes: &mut Notes) -> Vec<(Role, Part)> {
    let cache = given(block, "cache_control");
    let kind = str_of(block, "type");
    let part = match kind {
        "text" => Part::Text(text(block)),
        "image" => Part::Image(media(block)),
        "document" => return document(block, notes).into_iter().map(|part| (Role::User, part)).collect(),
        "thinking" => {
            let text = str_of(block, "thinking");
            Part::Thinking(match str_of(block, "signature") {
                "" => Thinking { text: text.to_owned(), blob: None },
                signature => Blob::read(signature, Kind::Signature).unpack(text),
            })
        }
        "redacted_thinking" => Part::Thinking(Blob::read(str_of(block, "data"), Kind::Redacted).unpack("")),
        "tool_use" => Part::Call(Call {
            id: str_of(block, "id").to_owned(),
            name: str_of(block, "name").to_owned(),
            arguments: if block["input"].is_object() { block["input"].to_string() } else { "{}".to_owned() },
            blob: None,
            cache,
        }),
        "tool_result" => Part::Result(Outcome {
            id: str_of(block, "tool_use_id").to_owned(),
            name: String::new(),
            parts: result(&block["content"], notes),
            error: block["is_error"].as_bool().unwrap_or(false),
            cache,
        }),
        "mid_conv_system" => {
            let texts = match &block["content"] {
                Value::Null => vec![str_of(block, "text").to_owned()],
                Value::String(text) => vec![text.clone()],
                content => items(content).iter().map(|b| str_of(b, "text").to_owned()).collect(),
            };
            return texts.into_iter().map(|text| (Role::System, text_part(text))).collect();
        }
        "search_result" => {
            let words: Vec<&str> = items(&block["content"]).iter().map(|b| str_of(b, "text")).collect();
            let (title, source) = (str_of(block, "title"), str_of(block, "source"));
            text_part(format!("{title} ({source})\n{}", words.join("\n")))
        }
        "tool_reference" => text_part(format!("[tool reference: {}]", str_of(block, "tool_name"))),
        _ => match hosted::in_words(kind, block) {
            Some(words) => {
                notes.add(format!("content[{kind}]"), "told in words: only Anthropic runs this tool");
                Part::Text(words)
            }
            None => {
                notes.add(format!("content[{kind}]"), "dropped: only Anthropic reads this block");
                return Vec::new();
            }
        },
    };
    vec![(Role::User, part)]
}

fn result(content: &Value, notes: &mut Notes) -> Vec<Part> {
    blocks(content, notes).into_iter().map(|(_, part)| part).collect()
}

fn media(block: &Value) -> Media {
    let source = &block["source"];
    Media {
        mime: str_of(source, "media_type").to_owned(),
        source: match str_of(source, "type") {
            "base64" => Source::Base64(str_of(source, "data").to_owned()),
            "url" => Source::Url(str_of(source, "url").to_owned()),
            "file" => Source::Id(str_of(source, "file_id").to_owned()),
            _ => Source::Text(str_of(source, "data").to_owned()),
        },
        name: block["title"].as_str().map(str::to_owned),
        detail: None,
        cache: given(block, "cache_control"),
    }
}

/// A document of text or of blocks is told as those.
fn document(block: &Value, notes: &mut Notes) -> Vec<Part> {
    let source = &block["source"];
    let title = block["title"].as_str().map(|title| format!("{title}\n")).unwrap_or_default();
    match str_of(source, "type") {
        "text" => vec![text_part(format!("{title}{}", str_of(source, "data")))],
        "content" => {
            let mut parts: Vec<Part> = vec![text_part(title)];
            parts.extend(result(&source["content"], notes));
            parts
        }
        _ => {
            let mut file = media(block);
            if file.mime.is_empty() {
                file.mime = "application/pdf".to_owned();
            }
            vec![Part::File(file)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claude_codes_request_is_understood() {
        let body = json!({
            "model": "claude-opus-4-6", "max_tokens": 32000, "stream": true,
            "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cch=77"},
                {"type": "text", "text": "You are", "cache_control": {"type": "ephemeral"}}],
            "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"},
            "context_management": {"edits": []}, "metadata": {"user_id": "u"},
            "tools": [{"name": "Bash", "input_schema": {"type": "object"}, "defer_loading": true},
                {"type": "web_search_20250305", "name": "web_search"}, {"type": "bash_20250124", "name": "bash"}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "Eq"},
                    {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a"},
                        {"type": "tool_reference", "tool_name": "Web"}], "is_error": true},
                    {"type": "mid_conv_system", "content": [{"type": "text", "text": "mind"}]},
                    {"type": "document", "source": {"type": "text", "data": "d"}, "title": "T"}]},
            ],
        });
        let mut notes = Notes::default();
        let request = read(&body, &mut notes);
        assert_eq!((request.system.len(), request.tools.len(), request.parallel), (1, 1, Some(false)));
        assert_eq!(request.reasoning, Reasoning::Effort("high".into()));
        assert!(request.web_search.is_some());
        let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
        assert_eq!(roles, [Role::User, Role::Model, Role::User, Role::System, Role::User]);
        assert_eq!(request.turns[4].parts, [text_part("T\nd")]);
        let fields: Vec<&str> = notes.0.iter().map(|note| note.field.as_str()).collect();
        assert_eq!(fields, ["context_management", "tools[bash_20250124]"]);
    }
}
