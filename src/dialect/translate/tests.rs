//! Whole ways through: a request, its answer, a stream split anywhere.
use super::*;
use serde_json::json;

fn facts<'a>(provider: &'a str, model: &'a str) -> Facts<'a> {
    Facts {
        provider,
        wire_model: model,
        asked_model: "asked",
        stream: true,
        max_output: Some(8192),
        cache_key: Some("pane"),
        now: 1_700_000_000,
        nonce: "n1",
    }
}

#[test]
fn claude_code_on_a_chat_model() {
    let body = json!({
        "model": "asked", "max_tokens": 32000, "stream": true, "system": "be",
        "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "hi"}],
    });
    let translated =
        request(Dialect::Messages, Dialect::Chat, &body, &facts("openrouter", "moonshotai/kimi-k2.5"))
            .unwrap();
    assert_eq!(translated.path, "/v1/chat/completions");
    assert_eq!(translated.body["max_tokens"], 8192);
    let mut stream = Stream::new(translated.session);
    let mut out = Vec::new();
    let upstream = concat!(
        ": OPENROUTER PROCESSING\n\n",
        "data: {\"id\":\"x\",\"model\":\"kimi\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"hm\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"functions.Bash:0\",\"function\":{\"name\":\"Bash\",\"arguments\":\"{\\\"command\\\":\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"ls\\\"}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n",
        "data: [DONE]\n\n",
    );
    stream.feed(upstream.as_bytes(), &mut out);
    stream.finish(false, &mut out);
    let text = String::from_utf8(out).unwrap();
    for word in [
        "\"thinking\":\"hm\"",
        "\"text\":\"ok\"",
        "\"partial_json\":\"{\\\"command\\\":\"",
        "\"stop_reason\":\"tool_use\"",
        "\"input_tokens\":6",
        "event: message_stop",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    assert_eq!(
        stream.usage(),
        (crate::dialect::Usage { input: 6, cache_read: 4, cache_write: 0, output: 5 }, true)
    );
}

#[test]
fn a_cut_stream_ends_in_the_clients_error() {
    for client in [Dialect::Messages, Dialect::Responses, Dialect::Gemini] {
        let body = match client {
            Dialect::Gemini => json!({"contents": [{"parts": [{"text": "hi"}]}]}),
            Dialect::Responses => json!({"input": "hi"}),
            _ => json!({"messages": [{"role": "user", "content": "hi"}]}),
        };
        let translated = request(client, Dialect::Chat, &body, &facts("xai", "grok-5")).unwrap();
        let mut stream = Stream::new(translated.session);
        let mut out = Vec::new();
        stream.feed(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}\n\n", &mut out);
        assert!(stream.started() && !stream.over());
        stream.finish(true, &mut out);
        let mut meter = crate::dialect::Meter::new(client);
        meter.feed(&out);
        assert!(matches!(meter.finish().end, crate::dialect::End::Failed(_)), "{client}");
    }
}
