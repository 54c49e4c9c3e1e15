//! Requests: there and back, in the order that each dialect demands, and with reasoning that finds home.
use super::{
    conversation::{self, Exchange},
    directions::{ALL, Way, bytes, facts, stream_of, translated, ways},
};
use inspan::dialect::{Dialect, translate};
use proptest::prelude::*;
use serde_json::{Value, json};

fn words() -> impl Strategy<Value = String> {
    "[a-zäé😀\"\\\\{}]{1,12}( [a-z\\n]{1,6}){0,2}"
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let call = ("[a-z_]{1,8}", words(), words());
    (words(), prop::option::of(words()), prop::collection::vec(call, 0..4), any::<bool>()).prop_map(
        |(asked, said, calls, after)| Exchange {
            asked,
            // A turn says or calls something.
            said: if calls.is_empty() { said.or(Some("ok".into())) } else { said },
            calls: calls
                .into_iter()
                .map(|(name, argument, result)| (name, json!({"a": argument}), result))
                .collect(),
            after: after.then(|| "and then".to_owned()),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn there_and_back_keeps_text_calls_results_and_order(
        exchanges in prop::collection::vec(exchange(), 1..4), last in words(),
    ) {
        for way in ways() {
            let body = conversation::render(way.client, &exchanges, &last);
            let there = translate::request(way.client, way.upstream, &body, &facts(way)).unwrap();
            conversation::check(way.upstream, &there.body).map_err(TestCaseError::fail)?;
            let back = Way { client: way.upstream, upstream: way.client };
            let again = translate::request(back.client, back.upstream, &there.body, &facts(back)).unwrap();
            conversation::check(way.client, &again.body).map_err(TestCaseError::fail)?;
            let said = conversation::told(way.client, &body);
            prop_assert_eq!(&conversation::told(way.upstream, &there.body), &said, "{:?} there", way);
            prop_assert_eq!(&conversation::told(way.client, &again.body), &said, "{:?} and back", way);
        }
    }

    #[test]
    fn whatever_the_history_the_order_is_the_one_demanded(order in Just(0usize..9).prop_flat_map(|all| {
        Just(all.collect::<Vec<_>>()).prop_shuffle()
    }), kept in 1usize..9) {
        // Calls and results shuffled, some missing: as after an interruption, or from a careless client.
        let blocks = [
            json!({"role": "user", "content": "go"}),
            json!({"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "tool_use", "id": "1", "name": "n", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "r1"}]}),
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": "2", "name": "n", "input": {}}, {"type": "tool_use", "id": "3", "name": "m", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "3", "content": "r3"}, {"type": "text", "text": "x"}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "2", "content": "r2"}]}),
            json!({"role": "system", "content": "mind"}),
            json!({"role": "assistant", "content": [{"type": "text", "text": "done"}]}),
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "n", "input": {}}]}),
        ];
        let messages: Vec<&Value> = order.iter().take(kept).map(|at| &blocks[*at]).collect();
        for upstream in [Dialect::Chat, Dialect::Responses, Dialect::Gemini] {
            let way = Way { client: Dialect::Messages, upstream };
            let there = translate::request(way.client, upstream, &json!({"messages": messages}), &facts(way)).unwrap();
            conversation::check(upstream, &there.body).map_err(TestCaseError::fail)?;
            let back = Way { client: upstream, upstream: Dialect::Messages };
            if let Ok(again) = translate::request(upstream, Dialect::Messages, &there.body, &facts(back)) {
                conversation::check(Dialect::Messages, &again.body).map_err(TestCaseError::fail)?;
            }
        }
    }
}

/// Puts something else in the place of one of a document's values.
fn spoil(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *value = with.clone();
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    match value {
        Value::Array(all) => all.iter_mut().for_each(|inner| spoil(inner, at, with)),
        Value::Object(all) => all.values_mut().for_each(|inner| spoil(inner, at, with)),
        _ => {}
    }
}

/// A request with something of everything.
fn rich(client: Dialect) -> Value {
    let tool = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let raw = bytes(Dialect::Gemini, &stream_of(Dialect::Gemini));
    let upstream = if client == Dialect::Gemini { Dialect::Chat } else { Dialect::Gemini };
    let raw = if upstream == Dialect::Gemini { raw } else { bytes(upstream, &stream_of(upstream)) };
    let mut body = conversation::replay(client, &translated(Way { client, upstream }, &[&raw], false));
    let more = match client {
        Dialect::Messages => {
            json!({"system": [{"type": "text", "text": "s"}], "tools": [{"name": "n", "input_schema": tool}],
            "tool_choice": {"type": "any"}, "metadata": {"user_id": "u"}, "stop_sequences": ["x"]})
        }
        Dialect::Chat => {
            json!({"tools": [{"type": "function", "function": {"name": "n", "parameters": tool}}],
            "tool_choice": "required", "stop": ["x"], "response_format": {"type": "json_schema", "json_schema": {"schema": tool}}})
        }
        Dialect::Responses => {
            json!({"instructions": "i", "tools": [{"type": "namespace", "name": "s", "tools": [{"type": "custom", "name": "c"}]}],
            "reasoning": {"effort": "low"}, "text": {"format": {"type": "json_object"}}})
        }
        Dialect::Gemini => {
            json!({"systemInstruction": {"parts": [{"text": "s"}]}, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
            "tools": [{"functionDeclarations": [{"name": "n", "parameters": {"type": "OBJECT"}}]}], "generationConfig": {"topK": 3}})
        }
    };
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

#[test]
fn no_value_at_any_place_makes_it_panic() {
    for way in ways() {
        let body = rich(way.client);
        let sound = translate::request(way.client, way.upstream, &body, &facts(way)).unwrap();
        conversation::check(way.upstream, &sound.body).unwrap();
        for with in [
            json!(null),
            json!(7),
            json!("text"),
            json!([]),
            json!({}),
            json!([["a"]]),
            json!({"type": "text"}),
        ] {
            let mut place = 1;
            loop {
                let (mut spoiled, mut at) = (body.clone(), place);
                spoil(&mut spoiled, &mut at, &with);
                // Counted down but not reached: there is no such place.
                if at < usize::MAX / 2 {
                    break;
                }
                if let Ok(there) = translate::request(way.client, way.upstream, &spoiled, &facts(way)) {
                    assert!(there.body.is_object());
                }
                let _ = translate::own_words(way.client, spoiled.to_string().as_bytes());
                place += 1;
            }
            assert!(place > 20, "{way:?}: {place} places");
        }
    }
}

/// What each upstream must be given back of the thought in its own stream.
fn own_reasoning(upstream: Dialect, body: &Value) -> bool {
    let text = body.to_string();
    match upstream {
        Dialect::Messages => {
            let blocks =
                body["messages"].as_array().unwrap().iter().flat_map(|m| m["content"].as_array().unwrap());
            blocks.filter(|block| block["type"] == "thinking").any(|block| {
                block["signature"] == "EqQBCg==" && block["thinking"] == "Two files, größer zuerst."
            })
        }
        Dialect::Chat => body["messages"].as_array().unwrap().iter().any(|message| {
            message["reasoning_details"][0]["text"] == "Two files, größer zuerst."
                && message["tool_calls"].is_array()
        }),
        Dialect::Responses => text.contains("\"encrypted_content\":\"gAAAfinal\""),
        Dialect::Gemini => {
            let parts =
                body["contents"].as_array().unwrap().iter().flat_map(|c| c["parts"].as_array().unwrap());
            parts
                .filter(|part| part["functionCall"]["name"] == "read_file")
                .any(|p| p["thoughtSignature"] == "EpEgCo4g")
        }
    }
}

#[test]
fn a_thought_goes_home_and_nowhere_else() {
    for way in ways() {
        let raw = bytes(way.upstream, &stream_of(way.upstream));
        let out = translated(way, &[&raw], false);
        let next = conversation::replay(way.client, &out);
        let home = translate::request(way.client, way.upstream, &next, &facts(way)).unwrap();
        conversation::check(way.upstream, &home.body).unwrap();
        assert!(own_reasoning(way.upstream, &home.body), "{way:?}: {:#}", home.body);
        // The model changes under the harness: nothing opaque of the old one is left, neither on a translated way …
        for upstream in ALL.into_iter().filter(|other| *other != way.upstream && *other != way.client) {
            let elsewhere = Way { client: way.client, upstream };
            let body = translate::request(way.client, upstream, &next, &facts(elsewhere)).unwrap().body;
            conversation::check(upstream, &body).unwrap();
            let text = body.to_string();
            for foreign in ["ins1:", "aW5zMT", "EqQBCg==", "gAAAfinal", "EpEgCo4g"] {
                assert!(!text.contains(foreign), "{way:?} then {upstream}: {foreign} in {text}");
            }
        }
        // … nor on the native one.
        let native = next.to_string();
        let native = translate::own_words(way.client, native.as_bytes()).expect("the history holds marks");
        let native: Value = serde_json::from_slice(&native).unwrap();
        conversation::check(way.client, &native).unwrap();
        let text = native.to_string();
        for foreign in ["ins1:", "aW5zMT"] {
            assert!(!text.contains(foreign), "{way:?} native: {foreign} in {text}");
        }
        assert_eq!(conversation::told(way.client, &native), conversation::told(way.client, &next), "{way:?}");
    }
}

#[test]
fn what_only_one_provider_stores_is_refused_with_a_sentence() {
    let way = Way { client: Dialect::Responses, upstream: Dialect::Messages };
    for body in [
        json!({"input": "a", "previous_response_id": "resp_1"}),
        json!({"input": "a", "background": true}),
        json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
        json!({"input": []}),
        json!([]),
    ] {
        let error = translate::request(way.client, way.upstream, &body, &facts(way)).unwrap_err();
        assert!(error.to_string().ends_with('.'), "{error}");
    }
}

#[test]
fn codex_gets_its_own_calls_back() {
    let tools = json!([
        {"type": "custom", "name": "apply_patch", "description": "Patch.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
        {"type": "namespace", "name": "mcp__lab", "tools": [{"type": "function", "name": "ping", "parameters": {"type": "object"}}]},
        {"type": "local_shell"},
    ]);
    let body = json!({"input": "go", "tools": tools, "client_metadata": {}});
    let way = Way { client: Dialect::Responses, upstream: Dialect::Chat };
    let there = translate::request(way.client, way.upstream, &body, &facts(way)).unwrap();
    let names: Vec<&str> = there.body["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["apply_patch", "mcp__lab__ping", "local_shell"]);
    let call = |index: u64, name: &str, arguments: &str| {
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": index, "id": format!("c{index}"), "function": {"name": name, "arguments": arguments}}]}}]})
    };
    let events = [
        call(0, "apply_patch", r#"{"input":"*** Begin \"P\"\n+é"#),
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "\\n\"}"}}]}}]}),
        call(1, "mcp__lab__ping", "{}"),
        call(2, "local_shell", r#"{"command":["ls"]}"#),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
    ];
    let events: Vec<Value> = events.to_vec();
    let mut stream = translate::Stream::new(there.session);
    let mut out = Vec::new();
    stream.feed(&bytes(Dialect::Chat, &events), &mut out);
    stream.finish(false, &mut out);
    let told = super::grammar::check(Dialect::Responses, &out).unwrap();
    assert_eq!(told.calls[0], ("apply_patch".into(), json!({"input": "*** Begin \"P\"\n+é\n"})));
    assert_eq!(told.calls[1].0, "mcp__lab__ping");
    assert_eq!(told.calls[2].1["command"], json!(["ls"]));
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("\"namespace\":\"mcp__lab\"") && text.contains("custom_tool_call_input.delta"),
        "{text}"
    );
}

#[test]
fn codex_is_told_that_a_turn_cut_by_its_length_is_complete() {
    for (metadata, end) in [(true, "response.completed"), (false, "response.incomplete")] {
        let way = Way { client: Dialect::Responses, upstream: Dialect::Chat };
        let mut body = json!({"input": "go"});
        if metadata {
            body["client_metadata"] = json!({});
        }
        let mut stream = translate::Stream::new(
            translate::request(way.client, way.upstream, &body, &facts(way)).unwrap().session,
        );
        let mut out = Vec::new();
        let events = [
            json!({"choices": [{"index": 0, "delta": {"content": "half"}}]}),
            json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}),
        ];
        stream.feed(&bytes(Dialect::Chat, &events), &mut out);
        stream.finish(false, &mut out);
        super::grammar::check(Dialect::Responses, &out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains(&format!("event: {end}\n")));
    }
}
