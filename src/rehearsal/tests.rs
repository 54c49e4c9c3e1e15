use super::*;
use crate::{
    dialect::{End, Measured, Meter, endpoint},
    handoff::{Conversation, HandoffInput, Mode, Party, Role, Source, Turn, build},
};
use proptest::prelude::*;
use serde_json::json;

const ALL: [Dialect; 4] = [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Gemini];

/// A harness as the scripted model sees one: it keeps the history and sends all of it.
struct Harness {
    dialect: Dialect,
    body: Value,
    stream: bool,
    tally: Tally,
}

impl Harness {
    fn new(dialect: Dialect) -> Self {
        let schema =
            json!({"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]});
        let body = match dialect {
            Dialect::Messages => json!({"messages": [], "tools": [{"name": "Bash", "input_schema": schema}]}),
            Dialect::Chat => json!({"messages": [{"role": "system", "content": "be good"}], "tools": [
                {"type": "function", "function": {"name": "bash", "parameters": schema}}]}),
            Dialect::Responses => json!({"input": [], "tools": [{"type": "function", "name": "exec_command",
                "parameters": {"properties": {"cmd": {"type": "string"}}}}]}),
            Dialect::Gemini => json!({"contents": [], "tools": [{"functionDeclarations": [
                {"name": "run_shell_command", "parametersJsonSchema": schema}]}]}),
        };
        Self { dialect, body, stream: true, tally: Tally::default() }
    }

    fn push(&mut self, key: &str, item: Value) {
        self.body[key].as_array_mut().unwrap().push(item);
    }

    fn prompt(&mut self, text: &str) {
        let content = |kind: &str| json!([{"type": kind, "text": text}]);
        match self.dialect {
            Dialect::Messages => self.push("messages", json!({"role": "user", "content": content("text")})),
            Dialect::Chat => self.push("messages", json!({"role": "user", "content": text})),
            Dialect::Responses => {
                self.push(
                    "input",
                    json!({"type": "message", "role": "user", "content": content("input_text")}),
                );
            }
            Dialect::Gemini => self.push("contents", json!({"role": "user", "parts": [{"text": text}]})),
        }
    }

    fn answered(&mut self, text: &str) {
        match self.dialect {
            Dialect::Messages | Dialect::Chat => {
                self.push("messages", json!({"role": "assistant", "content": text}));
            }
            Dialect::Responses => self.push(
                "input",
                json!({"type": "message", "role": "assistant",
                "content": [{"type": "output_text", "text": text}]}),
            ),
            Dialect::Gemini => self.push("contents", json!({"role": "model", "parts": [{"text": text}]})),
        }
    }

    /// The call that the model made, and what the tool printed.
    fn ran(&mut self, output: &str) {
        match self.dialect {
            Dialect::Messages => {
                self.push(
                    "messages",
                    json!({"role": "assistant", "content": [
                    {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]}),
                );
                self.push(
                    "messages",
                    json!({"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": output}]}),
                );
            }
            Dialect::Chat => {
                self.push("messages", json!({"role": "tool", "tool_call_id": "c", "content": output}));
            }
            Dialect::Responses => {
                self.push("input", json!({"type": "function_call_output", "call_id": "c", "output": output}));
            }
            Dialect::Gemini => self.push(
                "contents",
                json!({"role": "user", "parts": [
                {"functionResponse": {"name": "run_shell_command", "response": {"output": output}}}]}),
            ),
        }
    }

    fn send(&mut self) -> Reply {
        let (dialect, stream) = (self.dialect, self.stream);
        let path = match dialect {
            Dialect::Messages => "/v1/messages?beta=true",
            Dialect::Chat => "/v1/chat/completions",
            Dialect::Responses => "/v1/responses",
            Dialect::Gemini => "/v1beta/models/m:streamGenerateContent?alt=sse",
        };
        let endpoint = endpoint("POST", path).unwrap();
        let request =
            Rehearsal { dialect, endpoint: &endpoint, body: &self.body, model: "m-1", stream, side: false };
        reply(&request, &mut self.tally)
    }

    /// Sends and reads the answer as the gateway's meter does; it must be whole.
    fn answer(&mut self) -> (Measured, String) {
        let reply = self.send();
        assert_eq!(reply.status, 200, "{}", self.dialect);
        let (measured, text) = read(self.dialect, &reply);
        assert_eq!(measured.end, End::Complete, "{}: {text}", self.dialect);
        assert_eq!(measured.model, "m-1");
        assert!(measured.usage.input > 0 && measured.usage.output > 0);
        (measured, text)
    }
}

fn read(dialect: Dialect, reply: &Reply) -> (Measured, String) {
    let mut meter = Meter::new(dialect);
    let mut text = String::new();
    for chunk in &reply.chunks {
        meter.feed(&chunk.bytes);
        text.push_str(&String::from_utf8_lossy(&chunk.bytes));
    }
    (meter.finish(), text)
}

fn each(test: impl Fn(Harness)) {
    for dialect in ALL {
        for stream in [true, false] {
            test(Harness { stream, ..Harness::new(dialect) });
        }
    }
}

#[test]
fn a_plain_prompt_gets_model_and_turns() {
    each(|mut h| {
        h.prompt("hello");
        h.answered("hi");
        h.prompt("what is this?");
        let (measured, _) = h.answer();
        assert!(
            measured.answer.contains("m-1") && measured.answer.contains("3 turns"),
            "{}",
            measured.answer
        );
        assert!(measured.answer.contains("what is this?"));
        assert!(!measured.calls_tools);
    });
}

#[test]
fn run_calls_the_shell_and_then_reports_what_it_printed() {
    each(|mut h| {
        h.prompt("please [[run: echo \"hi\" > a.txt; cat a.txt]]");
        let (measured, text) = h.answer();
        assert!(measured.calls_tools && measured.answer.contains("I run"), "{text}");
        assert!(text.contains("> a.txt; cat a.txt"), "{text}");
        h.ran("hi\n  there");
        let (measured, _) = h.answer();
        assert!(!measured.calls_tools, "{}", measured.answer);
        assert!(measured.answer.contains("hi\n  there"), "{}", measured.answer);
    });
}

#[test]
fn directives_combine_in_their_order() {
    each(|mut h| {
        h.prompt("[[say: first]] [[run: a]] [[run: b]] [[say: last]]");
        assert!(h.answer().0.answer.starts_with("first"));
        h.ran("printed by a");
        let (measured, text) = h.answer();
        assert!(measured.calls_tools && measured.answer.contains("printed by a"), "{text}");
        h.ran("printed by b");
        let (measured, _) = h.answer();
        assert!(!measured.calls_tools && measured.answer.contains("printed by b"));
        assert!(measured.answer.ends_with("last"), "{}", measured.answer);
    });
}

#[test]
fn say_is_said_to_the_letter() {
    each(|mut h| {
        h.prompt("[[say: Grüße, “exactly” this\nand that]]");
        assert_eq!(h.answer().0.answer, "Grüße, “exactly” this\nand that");
    });
}

#[test]
fn failures_count_per_prompt_and_speak_the_dialect() {
    each(|mut h| {
        h.prompt("[[fail: 529 x2]] [[fail: 400 x1]] [[say: ok]]");
        for status in [529, 529, 400] {
            let reply = h.send();
            assert_eq!(reply.status, status);
            assert!(matches!(read(h.dialect, &reply).0.end, End::Failed(_)));
            let header = |name: &str| reply.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
            assert_eq!(header("retry-after").is_some(), status == 529);
            assert_eq!(header("x-should-retry"), Some(if status == 529 { "true" } else { "false" }));
        }
        assert_eq!(h.answer().0.answer, "ok");
        h.answered("ok");
        h.prompt("[[fail: 529 x2]] [[fail: 400 x1]] [[say: ok]]");
        assert_eq!(h.send().status, 529, "the same words typed again count anew");
        h.prompt("[[fail: 500]]");
        (0..5).for_each(|_| assert_eq!(h.send().status, 500));
    });
}

#[test]
fn cut_says_something_and_never_ends() {
    each(|mut h| {
        h.prompt("[[say: one two three four]] [[cut]]");
        for _ in 0..2 {
            let reply = h.send();
            let (measured, _) = read(h.dialect, &reply);
            assert!(reply.cut);
            assert_eq!(measured.end, End::Cut);
            assert_eq!(measured.answer, if h.stream { "one two " } else { "" });
        }
        h.prompt("[[cut x1]] [[say: fine]]");
        assert!(h.send().cut);
        assert_eq!(h.answer().0.answer, "fine");
    });
}

#[test]
fn slow_spreads_its_text() {
    each(|mut h| {
        h.prompt("[[slow: 2.5]]");
        let reply = h.send();
        let waits: Vec<u64> = reply.chunks.iter().map(|c| c.after_ms).collect();
        assert_eq!(waits.iter().sum::<u64>(), 2500);
        if h.stream {
            // Gemini has no event before the first text.
            assert!(waits[0] == 0 || h.dialect == Dialect::Gemini);
            assert_eq!(waits[waits.len() - 1], 0, "the end follows the text at once");
            assert!(waits.iter().filter(|ms| **ms > 0).count() >= 8, "{waits:?}");
        }
    });
}

#[test]
fn nothing_counts_without_tools_or_in_a_side_request() {
    each(|mut h| {
        h.prompt("write tests [[run: rm -rf x]] [[fail: 500]]");
        let tools = h.body.as_object_mut().unwrap().remove("tools").unwrap();
        let (measured, text) = h.answer();
        assert!(!measured.calls_tools, "{text}");
        h.body["tools"] = tools;
        let endpoint = endpoint("POST", "/v1/messages").unwrap();
        let request = Rehearsal {
            dialect: h.dialect,
            endpoint: &endpoint,
            body: &h.body,
            model: "m",
            stream: h.stream,
            side: true,
        };
        let (measured, _) = read(h.dialect, &reply(&request, &mut h.tally));
        assert_eq!(measured.answer, "write tests");
    });
}

#[test]
fn directives_in_context_and_history_do_not_count() {
    each(|mut h| {
        h.prompt("<system-reminder>\n[[run: a]]\n</system-reminder>\nold [[run: b]]");
        h.answered("done");
        h.prompt("thanks");
        let (measured, text) = h.answer();
        assert!(!measured.calls_tools, "{text}");
    });
}

fn handoff() -> String {
    let turn = |role, text: &str| Turn { role, text: text.to_owned() };
    let conversation = Conversation {
        turns: vec![
            turn(Role::User, "write poem.txt [[run: echo roses > poem.txt]]"),
            turn(Role::Assistant, "poem.txt speaks of ROSES."),
        ],
    };
    build(&HandoffInput {
        conversation: &conversation,
        from: Party { executor: "claude", model: Some("m-0") },
        to: Party { executor: "codex", model: None },
        workspace: "/w",
        branch: Some("main"),
        head: Some("abc first"),
        operation: None,
        dirty: &[],
        checkpoint: None,
        budget_tokens: 2000,
        mode: Mode::Full,
        since: None,
        source: Source::Gateway,
        screen: None,
        more: None,
    })
    .text
}

#[test]
fn a_handoff_is_read_but_its_directives_are_history() {
    each(|mut h| {
        h.prompt(&handoff());
        let (measured, text) = h.answer();
        assert!(!measured.calls_tools, "{text}");
        for known in ["claude (m-0)", "write poem.txt", "speaks of ROSES", "branch is main"] {
            assert!(measured.answer.contains(known), "{known}: {}", measured.answer);
        }
        h.answered(&measured.answer);
        h.prompt("what was done?");
        assert!(h.answer().0.answer.contains("speaks of ROSES"), "it answers from the handoff");
        h.prompt("[[recall: roses]]");
        let answer = h.answer().0.answer;
        assert!(answer.contains("\npoem.txt speaks of ROSES.\n"), "{answer}");
        assert!(answer.contains("echo roses > poem.txt"), "{answer}");
        h.prompt(&format!("{}\n[[recall: first]] [[run: ls]]", handoff()));
        let (measured, _) = h.answer();
        assert!(measured.calls_tools && measured.answer.contains("- HEAD: abc first"), "{}", measured.answer);
    });
}

#[test]
fn recall_leaves_its_own_question_out() {
    each(|mut h| {
        h.prompt("the canary is yellow");
        h.prompt("[[recall: CANARY]]");
        assert_eq!(h.answer().0.answer, "```\nthe canary is yellow\n```");
        h.prompt("again [[recall: canary]]");
        assert_eq!(h.answer().0.answer, "```\nthe canary is yellow\n```");
        h.prompt("[[recall: absent]]");
        assert!(h.answer().0.answer.starts_with("Nothing that I was shown contains “absent”"));
    });
}

#[test]
fn schemas_titles_and_missing_shells() {
    let schema =
        json!({"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]});
    each(|mut h| {
        h.body.as_object_mut().unwrap().remove("tools");
        match h.dialect {
            Dialect::Messages => {
                h.body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}})
            }
            Dialect::Chat => {
                h.body["response_format"] = json!({"type": "json_schema", "json_schema": {"schema": schema}})
            }
            Dialect::Responses => {
                h.body["text"] = json!({"format": {"type": "json_schema", "schema": schema}})
            }
            Dialect::Gemini => h.body["generationConfig"] = json!({"responseJsonSchema": schema}),
        }
        h.prompt("Generate a task title.\n\nUser prompt:\nFix the cart, please! [[run: x]]");
        let answer: Value = serde_json::from_str(&h.answer().0.answer).unwrap();
        assert_eq!(answer, json!({"title": "Fix the cart please"}));
    });
    let mut h = Harness::new(Dialect::Messages);
    h.body = json!({"messages": [], "system": "Generate a title."});
    h.prompt(&format!("<session>\n{}\nCommit it\n</session>\n\nWrite the title now.", handoff()));
    assert_eq!(h.answer().0.answer, "Commit it");
    h.body = json!({"messages": []});
    h.prompt("Summarize the user's goal.\n\nConversation:\nUser: Fix it\n\nAssistant: Done\n\nSummary:");
    assert_eq!(h.answer().0.answer, "Fix it");
    h.body["messages"] = json!([]);
    h.prompt(&format!("Generate a title.\n\nUser prompt:\n{}", handoff()));
    assert_eq!(h.answer().0.answer, "Handoff from claude m-0 to codex");
    let mut h = Harness::new(Dialect::Messages);
    h.body["tools"] = json!([{"name": "Read", "input_schema": {}}]);
    h.prompt("[[run: ls]] [[slow: soon]]");
    let answer = h.answer().0.answer;
    assert!(answer.contains("No shell") && !answer.contains("[[slow"), "{answer}");
}

#[test]
fn what_each_cli_insists_on() {
    let chunks = |dialect| {
        let mut h = Harness::new(dialect);
        h.prompt("[[say: hi]] [[run: ls]]");
        h.send().chunks.into_iter().map(|c| String::from_utf8(c.bytes).unwrap()).collect::<Vec<_>>()
    };
    assert!(chunks(Dialect::Messages).iter().all(|c| c.starts_with("event: ") && c.ends_with("\n\n")));
    assert!(chunks(Dialect::Gemini).iter().all(|c| c.starts_with("data: ") && c.ends_with("\r\n\r\n")));
    assert_eq!(chunks(Dialect::Chat).last().unwrap(), "data: [DONE]\n\n");
    let events: Vec<Value> = chunks(Dialect::Responses)
        .iter()
        .map(|c| serde_json::from_str(c.split_once("data: ").unwrap().1).unwrap())
        .collect();
    assert!(events.iter().enumerate().all(|(i, e)| e["sequence_number"] == i));
    let done: Vec<&Value> = events.iter().filter(|e| e["type"] == "response.output_item.done").collect();
    assert_eq!(done[0]["item"]["content"][0]["annotations"], json!([]));
    assert_eq!(done[1]["item"]["type"], "function_call");
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["status"], "completed");
    assert!(["input_tokens", "output_tokens", "total_tokens"].iter().all(|k| last["usage"][k].is_u64()));
    assert_eq!(last["output"].as_array().unwrap().len(), 2);
}

#[test]
fn the_other_endpoints_answer_too() {
    let body = json!({"messages": [{"role": "user", "content": "how many?"}]});
    let ask = |method: &str, path: &str| {
        let endpoint = endpoint(method, path).unwrap();
        let dialect = endpoint.dialect;
        let request =
            Rehearsal { dialect, endpoint: &endpoint, body: &body, model: "m", stream: false, side: false };
        let reply = reply(&request, &mut Tally::default());
        serde_json::from_slice::<Value>(&reply.chunks[0].bytes).unwrap()
    };
    assert!(ask("POST", "/v1/messages/count_tokens")["input_tokens"].as_u64().unwrap() > 5);
    assert_eq!(ask("GET", "/v1beta/models")["models"][0]["name"], "models/m");
    assert_eq!(ask("HEAD", "/"), json!({}));
}

/// Bodies that look like requests in places, and like nothing in others.
fn any_body() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        "user|assistant|tool|model|message|function_call|tool_result|text|namespace|exec|object|array",
        "\\[\\[run: ls\\]\\]|\\[\\[cut\\]\\]|\\[\\[slow: 9\\]\\]|<inspan-handoff>|x",
    ];
    let key = "messages|input|contents|parts|tools|role|content|type|text|output|functionCall|function|name|\
        functionDeclarations|input_schema|parameters|properties|required|command|text|format|schema|generationConfig|\
        responseSchema|tool_choice|tool_calls|functionResponse|response|\\$ref|items|enum|anyOf|minItems";
    let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), word.prop_map(Value::from)];
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_body_gets_an_answer(body in any_body(), which in 0usize..4, stream: bool, side: bool) {
        let dialect = ALL[which];
        let endpoint = endpoint("POST", "/v1/messages").unwrap();
        let request = Rehearsal { dialect, endpoint: &endpoint, body: &body, model: "m", stream, side };
        let reply = reply(&request, &mut Tally::default());
        prop_assert_eq!(reply.status, 200);
        let end = read(dialect, &reply).0.end;
        prop_assert_eq!(end, if reply.cut { End::Cut } else { End::Complete });
    }
}
