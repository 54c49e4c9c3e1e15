//! What single fields of a request become.
use super::directions::{ALL, Way, facts};
use inspan::dialect::{
    Dialect,
    translate::{self, Facts, Translated},
};
use serde_json::{Value, json};

fn through(client: Dialect, upstream: Dialect, body: &Value) -> Translated {
    translate::request(client, upstream, body, &facts(Way { client, upstream })).unwrap()
}

fn on(provider: &str, model: &str, client: Dialect, upstream: Dialect, body: &Value) -> Translated {
    let facts = Facts { provider, wire_model: model, ..facts(Way { client, upstream }) };
    translate::request(client, upstream, body, &facts).unwrap()
}

fn noted(translated: &Translated, field: &str) -> bool {
    translated.diagnostics.iter().any(|note| note.field == field)
}

fn seen() -> Value {
    json!({"max_tokens": 100, "messages": [
        {"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
            {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
            {"type": "text", "text": "look"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "shot", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [
                {"type": "text", "text": "half"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}}]},
            {"type": "text", "text": "and?"}]},
    ]})
}

#[test]
fn images_and_documents_arrive() {
    let chat = through(Dialect::Messages, Dialect::Chat, &seen()).body;
    let first = &chat["messages"][0]["content"];
    assert_eq!(first[0]["image_url"]["url"], "data:image/png;base64,iVBO");
    assert_eq!(
        first[1]["file"],
        json!({"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"})
    );
    // Results are text; the image follows them in the person's name.
    assert_eq!(chat["messages"][2]["content"], "Error: half\n[image attached below]");
    assert_eq!(chat["messages"][3]["content"][0]["image_url"]["url"], "data:image/jpeg;base64,/9j/");
    assert_eq!(chat["messages"][3]["content"][1]["text"], "and?");

    let responses = through(Dialect::Messages, Dialect::Responses, &seen()).body;
    assert_eq!(responses["input"][0]["content"][0]["image_url"], "data:image/png;base64,iVBO");
    assert_eq!(responses["input"][0]["content"][1]["filename"], "a.pdf");
    assert_eq!(responses["input"][2]["output"][2]["image_url"], "data:image/jpeg;base64,/9j/");

    let gemini = through(Dialect::Messages, Dialect::Gemini, &seen()).body;
    assert_eq!(gemini["contents"][0]["parts"][1]["inlineData"]["mimeType"], "application/pdf");
    let response = &gemini["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!((&response["name"], &response["response"]["error"]), (&json!("shot"), &json!("half")));
    assert_eq!(response["parts"][0]["inlineData"]["data"], "/9j/");

    // And back: the same bytes stand in Messages' words.
    for (upstream, body) in
        [(Dialect::Chat, chat), (Dialect::Responses, responses), (Dialect::Gemini, gemini)]
    {
        let back = through(upstream, Dialect::Messages, &body).body.to_string();
        for data in ["iVBO", "JVBE", "/9j/", "look", "and?"] {
            assert!(back.contains(data), "{upstream}: {data} in {back}");
        }
    }
}

#[test]
fn a_long_tool_name_comes_back_as_the_client_knows_it() {
    let name = format!("mcp__{}__create_issue", "server".repeat(14));
    let tool = json!({"name": name, "input_schema": {"type": "object"}});
    let body = json!({"max_tokens": 1, "tools": [tool], "tool_choice": {"type": "tool", "name": name}, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": name, "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]}]});
    let there = through(Dialect::Messages, Dialect::Chat, &body);
    let wire = there.body["tools"][0]["function"]["name"].as_str().unwrap().to_owned();
    assert!(wire.len() <= 64 && wire.starts_with("mcp__create_issue"), "{wire}");
    assert_eq!(there.body["tool_choice"]["function"]["name"], wire.as_str());
    assert_eq!(there.body["messages"][1]["tool_calls"][0]["function"]["name"], wire.as_str());
    let answer = json!({"choices": [{"message": {"tool_calls": [
        {"id": "c", "function": {"name": wire, "arguments": ""}}]}, "finish_reason": "stop"}]});
    let answer = translate::response(answer.to_string().as_bytes(), &there.session).unwrap();
    assert_eq!(answer.body["content"][0]["name"], name.as_str());
    assert_eq!(answer.body["stop_reason"], "tool_use", "a call was made, whatever the reason says");
    assert!(!answer.reported && answer.usage.input > 0, "no count from upstream: an estimate");
}

#[test]
fn thinking_is_asked_for_in_each_upstreams_words() {
    let body = |thinking: Value, effort: Value| json!({"max_tokens": 50_000, "thinking": thinking, "output_config": effort, "temperature": 1, "messages": [{"role": "user", "content": "hi"}]});
    let budget = body(json!({"type": "enabled", "budget_tokens": 10_000}), Value::Null);
    let adaptive = body(json!({"type": "adaptive"}), json!({"effort": "max"}));
    let off = body(json!({"type": "disabled"}), Value::Null);
    let responses = |body: &Value| through(Dialect::Messages, Dialect::Responses, body).body;
    assert_eq!(responses(&budget)["reasoning"], json!({"effort": "high", "summary": "auto"}));
    assert_eq!(responses(&adaptive)["reasoning"]["effort"], "xhigh");
    assert_eq!(responses(&off)["reasoning"], json!({"effort": "none"}));
    assert_eq!(responses(&budget)["include"], json!(["reasoning.encrypted_content"]));
    assert!(responses(&budget).get("temperature").is_none());
    let chat = |body: &Value| through(Dialect::Messages, Dialect::Chat, body).body;
    assert_eq!(chat(&budget)["reasoning"], json!({"max_tokens": 10_000}));
    assert_eq!(chat(&off)["reasoning"], json!({"enabled": false}));
    let gemini = |model, body: &Value| on("google", model, Dialect::Messages, Dialect::Gemini, body).body;
    assert_eq!(
        gemini("gemini-3-pro-preview", &adaptive)["generationConfig"]["thinkingConfig"],
        json!({"thinkingLevel": "HIGH", "includeThoughts": true})
    );
    assert_eq!(
        gemini("gemini-2.5-flash", &off)["generationConfig"]["thinkingConfig"],
        json!({"thinkingBudget": 0})
    );
    // And Codex' word for Claude, by the model's age.
    let codex = json!({"input": "hi", "reasoning": {"effort": "minimal"}});
    let claude = |model| on("anthropic", model, Dialect::Responses, Dialect::Messages, &codex).body;
    assert_eq!(claude("claude-opus-4-6")["output_config"]["effort"], "low");
    assert_eq!(claude("claude-opus-4-6")["thinking"]["type"], "adaptive");
    assert!(claude("claude-haiku-4-5").get("thinking").is_none(), "the least budget is more than that");
}

#[test]
fn claude_gets_cache_marks_from_clients_that_know_none() {
    let body = json!({"instructions": "be", "input": [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
        "tools": [{"type": "function", "name": "f", "parameters": {}}]});
    let claude = through(Dialect::Responses, Dialect::Messages, &body).body;
    let mark = json!({"type": "ephemeral"});
    for marked in [
        &claude["tools"][0],
        &claude["system"][0],
        &claude["messages"][0]["content"][0],
        &claude["messages"][2]["content"][0],
    ] {
        assert_eq!(marked["cache_control"], mark, "{marked}");
    }
    assert_eq!(claude.to_string().matches("cache_control").count(), 4);
    // A client that sets its own keeps those, where the upstream reads them.
    let own = json!({"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": mark}]}]});
    let qwen = on("openrouter", "qwen/qwen3-max", Dialect::Messages, Dialect::Chat, &own).body;
    assert_eq!(qwen["messages"][0]["content"][0]["cache_control"], mark);
    assert_eq!(through(Dialect::Messages, Dialect::Chat, &own).body["messages"][0]["content"], "a");
}

#[test]
fn models_that_must_be_given_their_thoughts_are() {
    let body = json!({"max_tokens": 1, "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "Eq"}, {"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
        {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]});
    let kimi = on("lab", "kimi-k2.5", Dialect::Messages, Dialect::Chat, &body).body;
    assert_eq!(kimi["messages"][1]["reasoning_content"], "hm");
    assert_eq!(kimi["messages"][3]["reasoning_content"], " ", "an empty one is refused");
    let deepseek = on("lab", "deepseek-reasoner", Dialect::Messages, Dialect::Chat, &body).body;
    assert_eq!(deepseek["messages"][1]["reasoning_content"], "hm");
    assert!(deepseek["messages"][3].get("reasoning_content").is_none());
    let gpt = on("openai", "gpt-5.4", Dialect::Messages, Dialect::Chat, &body);
    assert!(!gpt.body.to_string().contains("hm") && noted(&gpt, "thinking"));
}

#[test]
fn instructions_in_the_middle_keep_their_place() {
    let body = json!({"input": [
        {"role": "developer", "content": "first"}, {"role": "user", "content": "a"},
        {"role": "developer", "content": "second"}, {"role": "user", "content": "b"}]});
    let claude = through(Dialect::Responses, Dialect::Messages, &body).body;
    assert_eq!(claude["system"][0]["text"], "first");
    let texts: Vec<&str> = claude["messages"][0]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["a", "<system-reminder>\nsecond\n</system-reminder>", "b"]);
    let roles = |provider| -> Vec<String> {
        let body = on(provider, "m", Dialect::Responses, Dialect::Chat, &body).body;
        body["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(roles("openai"), ["developer", "user", "developer", "user"]);
    assert_eq!(roles("lab"), ["system", "user", "user", "user"]);
}

#[test]
fn what_is_dropped_is_said_and_what_is_too_much_is_clamped() {
    let body = json!({"max_tokens": 200_000, "top_k": 5, "stop_sequences": ["x"], "context_management": {},
        "tools": [{"type": "computer_20250124", "name": "computer"}], "messages": [{"role": "user", "content": "hi"}]});
    let there = through(Dialect::Messages, Dialect::Responses, &body);
    assert_eq!(there.body["max_output_tokens"], 64_000);
    for field in ["max_tokens", "top_k", "stop_sequences", "context_management", "tools[computer_20250124]"] {
        assert!(noted(&there, field), "{field}: {:?}", there.diagnostics);
    }
    assert!(there.body.get("tools").is_none());
}

#[test]
fn a_search_is_the_models_to_ask_for() {
    let codex = |access: Value| json!({"input": "hi", "tools": [{"type": "web_search", "external_web_access": access}]});
    let chat = through(Dialect::Responses, Dialect::Chat, &codex(Value::Null)).body;
    assert_eq!(chat["tools"], json!([{"type": "openrouter:web_search"}]));
    let claude = through(Dialect::Responses, Dialect::Messages, &codex(true.into())).body;
    assert_eq!(claude["tools"][0]["type"], "web_search_20250305");
    let stored = through(Dialect::Responses, Dialect::Messages, &codex(false.into()));
    assert!(stored.body.get("tools").is_none() && noted(&stored, "web_search"), "{stored:?}");
    let elsewhere = on("lab", "m", Dialect::Responses, Dialect::Chat, &codex(true.into()));
    assert!(elsewhere.body.get("tools").is_none() && noted(&elsewhere, "web_search"));
}

#[test]
fn an_error_under_a_good_status_is_one() {
    for client in ALL {
        for upstream in ALL.into_iter().filter(|upstream| *upstream != client) {
            let session = super::directions::session(Way { client, upstream });
            let body = br#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#;
            let failure = translate::response(body, &session).unwrap_err();
            assert_eq!((failure.status, failure.message.as_str()), (429, "slow down"));
            let told = super::grammar::check(
                client,
                &super::directions::translated(Way { client, upstream }, &[body], false),
            );
            assert!(told.unwrap().failed);
            assert_eq!(
                translate::response(b"{}", &session).unwrap_err().status,
                502,
                "{client} <- {upstream}"
            );
        }
    }
}
