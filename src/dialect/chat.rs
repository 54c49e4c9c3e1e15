//! OpenAI Chat Completions: history and answers.
use super::{
    meter::{Measured, count},
    said::{Telling, texts},
};
use serde_json::Value;

/// Walks through `messages[]`.
pub(super) fn tell(body: &Value, telling: &mut Telling) {
    for message in body["messages"].as_array().into_iter().flatten() {
        let content = &message["content"];
        match message["role"].as_str() {
            Some("user") => telling.person(&texts(content)),
            Some("assistant") => {
                telling.model(&texts(content).join("\n"));
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    let function = &call["function"];
                    telling.call(
                        function["name"].as_str().unwrap_or_default(),
                        function["arguments"].as_str().unwrap_or_default(),
                    );
                }
            }
            Some("tool") => telling.output(&texts(content).join("\n")),
            _ => {}
        }
    }
}

/// One chunk of a stream.
pub(super) fn observe(data: &Value, so_far: &mut Measured) {
    so_far.served_by(&data["model"]);
    usage(&data["usage"], so_far);
    for choice in data["choices"].as_array().into_iter().flatten() {
        take(choice, &choice["delta"], so_far);
    }
    so_far.fail_with(&data["error"]);
}

/// An answer without a stream.
pub(super) fn whole(body: &Value, so_far: &mut Measured) {
    if so_far.fail_with(&body["error"]) {
        return;
    }
    so_far.served_by(&body["model"]);
    usage(&body["usage"], so_far);
    for choice in body["choices"].as_array().into_iter().flatten() {
        take(choice, &choice["message"], so_far);
        so_far.complete();
    }
}

fn take(choice: &Value, said: &Value, so_far: &mut Measured) {
    if choice["index"].as_u64().unwrap_or(0) == 0 {
        texts(&said["content"]).iter().for_each(|text| so_far.say(text));
        so_far.calls_tools |= said["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
    }
    // Not every upstream ends with `[DONE]`: a reason to stop is an end as well.
    match choice["finish_reason"].as_str() {
        Some("error") => so_far.fail("error", choice["error"]["message"].as_str().unwrap_or_default()),
        Some(_) => so_far.complete(),
        None => {}
    }
}

/// Counts may come with every chunk, each replacing the one before; `prompt_tokens` includes what was cached.
pub(super) fn usage(usage: &Value, so_far: &mut Measured) {
    let Some(prompt) = count(&usage["prompt_tokens"]) else { return };
    let details = &usage["prompt_tokens_details"];
    let read = count(&details["cached_tokens"]).unwrap_or(0);
    let written = count(&details["cache_write_tokens"]).unwrap_or(0);
    so_far.usage.input = prompt.saturating_sub(read).saturating_sub(written);
    so_far.usage.cache_read = read;
    so_far.usage.cache_write = written;
    // Some providers leave reasoning out of the completion and count it only in the total.
    let completion = count(&usage["completion_tokens"]).unwrap_or(0);
    let total = count(&usage["total_tokens"]).unwrap_or(0);
    so_far.usage.output = completion.max(total.saturating_sub(prompt));
    so_far.usage_reported = true;
    so_far.cost = usage["cost"].as_f64().or(so_far.cost);
}

#[cfg(test)]
mod tests {
    use crate::dialect::{Dialect, End, Measured, Meter, Usage, conversation, newest_prompt};
    use serde_json::json;

    fn measured(stream: &str) -> Measured {
        let mut meter = Meter::new(Dialect::Chat);
        meter.feed(stream.as_bytes());
        meter.finish()
    }

    #[test]
    fn history_with_calls_and_results() {
        let body = json!({"messages": [
            {"role": "system", "content": "be good"},
            {"role": "user", "content": "<user_query>\nmake it\n</user_query>"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "bash", "arguments": "{\"command\":\n\"ls\"}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "a.rs"},
            {"role": "assistant", "content": [{"type": "text", "text": "done"}]},
            {"role": "user", "content": [{"type": "text", "text": "and now?"}]},
        ]});
        let turns: Vec<String> =
            conversation(Dialect::Chat, &body).turns.into_iter().map(|t| t.text).collect();
        assert_eq!(turns, ["make it", "bash: {\"command\": \"ls\"}", "a.rs", "done", "and now?"]);
        assert_eq!(newest_prompt(Dialect::Chat, &body).unwrap(), "and now?");
    }

    #[test]
    fn usage_after_the_end_and_keep_alives() {
        let done = measured(
            ": PROCESSING\n\ndata: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\",\"tool_calls\":[]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"prompt_tokens_details\":{\"cached_tokens\":60,\"cache_write_tokens\":10},\"cost\":0.5}}\n\ndata: [DONE]\n\n",
        );
        assert_eq!(done.usage, Usage { input: 30, cache_read: 60, cache_write: 10, output: 20 });
        assert_eq!((done.end, done.cost, done.answer.as_str()), (End::Complete, Some(0.5), "hi"));
        assert!(!done.calls_tools);
    }

    #[test]
    fn reasoning_counted_only_in_the_total_and_text_in_parts() {
        let done = measured(
            r#"{"choices":[{"message":{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"4"}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":303}}"#,
        );
        assert_eq!((done.usage.input, done.usage.output, done.answer.as_str()), (12, 291, "4"));
    }

    #[test]
    fn cut_and_failed_streams() {
        let text = "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\"}]}}]}\n\n";
        let cut = measured(text);
        assert_eq!((cut.end, cut.calls_tools), (End::Cut, true));
        let failed = measured(&format!(
            "{text}data: {{\"error\":{{\"code\":502,\"message\":\"gone\"}},\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n"
        ));
        assert_eq!(failed.end, End::Failed("502: gone".into()));
    }
}
