//! What a provider's own tools did in the history, in words: no other provider has a place for it, and a model that goes
//! on should know what was searched, run and found.
use super::hub::{Text, items, str_of};
use serde_json::Value;

/// Bytes kept of what one tool found; a page that was fetched may be a book.
const FOUND_BYTES: usize = 8 * 1024;

/// A block, item or part of a tool that its provider ran; `None` if it is none, or says nothing that has words.
pub(super) fn in_words(kind: &str, part: &Value) -> Option<Text> {
    let text = if kind.ends_with("_tool_result") {
        found(&part["content"])
    } else {
        match kind {
            "server_tool_use" | "mcp_tool_use" => called(str_of(part, "name"), &part["input"]),
            "web_search_call" => called("web_search", &part["action"]),
            "file_search_call" => called("file_search", &part["queries"]) + &found(&part["results"]),
            "code_interpreter_call" => called("code_interpreter", &part["code"]) + &found(&part["outputs"]),
            "mcp_call" => called(str_of(part, "name"), &part["arguments"]) + &found(&part["output"]),
            "executableCode" => called("code_execution", &part["code"]),
            "codeExecutionResult" => found(&part["output"]),
            _ => String::new(),
        }
    };
    let text = text.trim();
    (!text.is_empty()).then(|| Text { text: text.to_owned(), cache: None })
}

fn called(name: &str, with: &Value) -> String {
    match with {
        Value::Null => format!("[{name}]\n"),
        Value::String(with) => format!("[{name}: {with}]\n"),
        with => format!("[{name}: {with}]\n"),
    }
}

fn found(value: &Value) -> String {
    let mut words = String::new();
    gather(value, &mut words);
    crate::handoff::clip(words.trim_end(), FOUND_BYTES)
}

/// Every text in a result, each on a line; bytes and what only its provider can read are left out.
fn gather(value: &Value, words: &mut String) {
    /// In the order in which a person would read them.
    const TELLING: [&str; 13] = [
        "title",
        "filename",
        "url",
        "text",
        "data",
        "stdout",
        "stderr",
        "logs",
        "output",
        "error_code",
        "source",
        "content",
        "return_code",
    ];
    match value {
        Value::String(text) if !text.is_empty() && !text.starts_with("data:") => {
            words.push_str(text);
            words.push('\n');
        }
        Value::Array(_) => items(value).iter().for_each(|inner| gather(inner, words)),
        Value::Object(object) if object.get("type").is_none_or(|kind| kind != "base64") => {
            TELLING.iter().filter_map(|key| object.get(*key)).for_each(|inner| gather(inner, words));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(kind: &str, part: Value) -> Option<String> {
        in_words(kind, &part).map(|text| text.text)
    }

    #[test]
    fn what_was_searched_and_found_is_told() {
        let call = json!({"name": "web_search", "input": {"query": "tide at six"}});
        assert_eq!(words("server_tool_use", call).unwrap(), "[web_search: {\"query\":\"tide at six\"}]");
        let result = json!({"content": [
            {"type": "web_search_result", "title": "Tides", "url": "https://t.example", "encrypted_content": "Eo8"},
            {"type": "web_search_result", "title": "Moon", "url": "https://m.example"}]});
        assert_eq!(
            words("web_search_tool_result", result).unwrap(),
            "Tides\nhttps://t.example\nMoon\nhttps://m.example"
        );
        let page = json!({"content": {"type": "web_fetch_result", "url": "https://t.example", "content": {
            "type": "document", "title": "Tides", "source": {"type": "text", "data": "High at six."}}}});
        assert_eq!(words("web_fetch_tool_result", page).unwrap(), "https://t.example\nTides\nHigh at six.");
        let run = json!({"code": "print(1)", "outputs": [{"type": "logs", "logs": "1\n"}, {"url": "data:image/png;base64,AA"}]});
        assert_eq!(words("code_interpreter_call", run).unwrap(), "[code_interpreter: print(1)]\n1");
        assert_eq!(
            words("codeExecutionResult", json!({"outcome": "OUTCOME_OK", "output": "2"})).unwrap(),
            "2"
        );
    }

    #[test]
    fn bytes_secrets_and_other_parts_say_nothing() {
        assert_eq!(
            words(
                "web_fetch_tool_result",
                json!({"content": {"source": {"type": "base64", "data": "JVBERi0"}}})
            ),
            None
        );
        assert_eq!(words("container_upload", json!({"file_id": "f"})), None);
        assert_eq!(words("image_generation_call", json!({"result": "AAAA"})), None);
        let long = json!({"output": "word ".repeat(10_000)});
        assert!(words("codeExecutionResult", long).unwrap().len() <= FOUND_BYTES + 4);
    }
}
