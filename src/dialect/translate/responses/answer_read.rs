//! Responses' answers, as a stream and whole.
use super::super::{
    answer::{Heard, Listen},
    carrier::{Blob, Kind},
    failure,
    hub::{Counts, Event, Opening, Stop, items, str_of},
    mend::{WRAP, escaped},
    names::fit_id,
};
use crate::dialect::{meter::Measured, responses};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Reads events. Items are told apart by their place in the output: some upstreams change an item's id on the way.
#[derive(Debug, Default)]
pub(in super::super) struct Listener {
    begun: bool,
    next_key: u64,
    items: BTreeMap<u64, Item>,
    stop: Option<Stop>,
    refused: bool,
    failed: bool,
}

/// An item that is not done.
#[derive(Debug, Default)]
struct Item {
    /// The block that it speaks in, once it has opened one.
    key: Option<u64>,
    /// What has been passed on.
    said: String,
    /// The content part or summary part that spoke last.
    part: Option<u64>,
    done: bool,
}

impl Listen for Listener {
    fn hear(&mut self, name: &str, data: &Value, heard: &mut Heard<'_>) {
        let at = data["output_index"].as_u64().unwrap_or(0);
        let delta = str_of(data, "delta");
        match data["type"].as_str().unwrap_or(name) {
            "response.created" | "response.in_progress" => self.begin(&data["response"], heard),
            "response.output_item.added" => self.added(at, &data["item"], heard),
            "response.output_item.done" => self.done(at, &data["item"], heard),
            "response.output_text.delta" => self.say(at, data["content_index"].as_u64(), delta, heard),
            "response.refusal.delta" => {
                self.refused = true;
                self.say(at, data["content_index"].as_u64(), delta, heard);
            }
            "response.reasoning_summary_text.delta" => {
                self.think(at, data["summary_index"].as_u64(), delta, heard)
            }
            "response.reasoning_text.delta" => self.think(at, data["content_index"].as_u64(), delta, heard),
            "response.function_call_arguments.delta" => self.argue(at, delta, heard),
            "response.custom_tool_call_input.delta" => self.argue(at, &escaped(delta), heard),
            "response.function_call_arguments.done" => self.rest(at, str_of(data, "arguments"), heard),
            "response.completed" | "response.incomplete" => self.end(&data["response"], heard),
            "response.failed" => {
                count(&data["response"]["usage"], heard);
                self.fail(&data["response"]["error"], heard);
            }
            "error" => self.fail(if data["error"].is_object() { &data["error"] } else { data }, heard),
            "response.output_text.annotation.added" => {
                heard.notes.add("annotations", "dropped: the harness's dialect has no such field");
            }
            _ => {}
        }
    }

    fn whole(&mut self, body: &Value, heard: &mut Heard<'_>) {
        match body["status"].as_str() {
            Some("failed") => self.fail(&body["error"], heard),
            _ if !body["output"].is_array() => {}
            _ => self.end(body, heard),
        }
    }

    fn over(&mut self, heard: &mut Heard<'_>) {
        let Some(stop) = self.stop.clone().filter(|_| !self.failed) else { return };
        for item in self.items.values_mut() {
            if let Some(key) = item.key.take() {
                heard.close(key);
            }
        }
        heard.events.push(Event::Stop(if self.refused && stop == Stop::End { Stop::Refusal } else { stop }));
    }
}

impl Listener {
    fn begin(&mut self, response: &Value, heard: &mut Heard<'_>) {
        if self.begun {
            return;
        }
        self.begun = true;
        heard.events.push(Event::Begin {
            id: str_of(response, "id").to_owned(),
            model: str_of(response, "model").to_owned(),
            created: response["created_at"].as_i64(),
        });
    }

    /// Opens the block of an item, unless it is open.
    fn open(&mut self, at: u64, block: Opening, heard: &mut Heard<'_>) -> u64 {
        let item = self.items.entry(at).or_default();
        if let Some(key) = item.key {
            return key;
        }
        self.next_key += 1;
        item.key = Some(self.next_key);
        heard.open(self.next_key, block);
        self.next_key
    }

    fn piece(&mut self, at: u64, text: &str, heard: &mut Heard<'_>) {
        let Some(item) = self.items.get_mut(&at) else { return };
        let Some(key) = item.key.filter(|_| !item.done) else { return };
        item.said.push_str(text);
        heard.piece(key, text);
    }

    fn added(&mut self, at: u64, item: &Value, heard: &mut Heard<'_>) {
        self.items.insert(at, Item::default());
        if let "function_call" | "custom_tool_call" = str_of(item, "type") {
            self.open_call(at, item, heard);
        }
    }

    fn open_call(&mut self, at: u64, item: &Value, heard: &mut Heard<'_>) {
        let name = str_of(item, "name");
        if name.is_empty() {
            return;
        }
        let custom = item["type"] == "custom_tool_call";
        self.open(at, call(item, name, heard), heard);
        if custom {
            self.piece(at, WRAP.0, heard);
        }
    }

    fn say(&mut self, at: u64, part: Option<u64>, text: &str, heard: &mut Heard<'_>) {
        let item = self.items.entry(at).or_default();
        if item.done {
            return;
        }
        if item.part != part
            && let Some(key) = item.key.take()
        {
            heard.close(key);
        }
        item.part = part;
        self.open(at, Opening::Text, heard);
        self.piece(at, text, heard);
    }

    fn think(&mut self, at: u64, part: Option<u64>, text: &str, heard: &mut Heard<'_>) {
        if text.is_empty() || self.items.get(&at).is_some_and(|item| item.done) {
            return;
        }
        self.open(at, Opening::Thinking, heard);
        let next = self.items.get(&at).is_some_and(|item| !item.said.is_empty() && item.part != part);
        if next {
            self.piece(at, "\n\n", heard);
        }
        if let Some(item) = self.items.get_mut(&at) {
            item.part = part;
        }
        self.piece(at, text, heard);
    }

    fn argue(&mut self, at: u64, text: &str, heard: &mut Heard<'_>) {
        self.piece(at, text, heard);
    }

    /// What was not streamed of a text that has come whole.
    fn rest(&mut self, at: u64, whole: &str, heard: &mut Heard<'_>) {
        let Some(item) = self.items.get(&at) else { return };
        if let Some(rest) = whole.strip_prefix(item.said.as_str()) {
            let rest = rest.to_owned();
            self.piece(at, &rest, heard);
        }
    }

    /// The item is the truth; what was streamed of it came early.
    fn done(&mut self, at: u64, item: &Value, heard: &mut Heard<'_>) {
        if self.items.get(&at).is_some_and(|known| known.done) {
            return;
        }
        let kind = str_of(item, "type");
        match kind {
            "message" => self.message(at, item, heard),
            "reasoning" => self.reasoning(at, item, heard),
            "function_call" => {
                self.open_call_late(at, item, heard);
                self.rest(at, str_of(item, "arguments"), heard);
            }
            "custom_tool_call" => {
                self.open_call_late(at, item, heard);
                let whole = format!("{}{}{}", WRAP.0, escaped(str_of(item, "input")), WRAP.1);
                self.rest(at, &whole, heard);
                // Should the item not continue what was streamed, that is closed at least.
                if self
                    .items
                    .get(&at)
                    .is_some_and(|known| known.said != whole && !known.said.ends_with(WRAP.1))
                {
                    self.piece(at, WRAP.1, heard);
                }
            }
            _ => match client_call(item) {
                Some((name, arguments)) => {
                    self.open(at, call(item, name, heard), heard);
                    self.piece(at, &arguments.to_string(), heard);
                }
                None => heard
                    .notes
                    .add(format!("output[{kind}]"), "dropped: the harness's dialect has no such item"),
            },
        }
        let known = self.items.entry(at).or_default();
        known.done = true;
        if let Some(key) = known.key.take() {
            heard.close(key);
        }
    }

    fn open_call_late(&mut self, at: u64, item: &Value, heard: &mut Heard<'_>) {
        if self.items.get(&at).is_none_or(|known| known.key.is_none()) {
            self.open_call(at, item, heard);
        }
    }

    fn message(&mut self, at: u64, item: &Value, heard: &mut Heard<'_>) {
        let streamed = self.items.get(&at).is_some_and(|known| !known.said.is_empty());
        let mut whole = String::new();
        for (index, part) in items(&item["content"]).iter().enumerate() {
            self.refused |= part["type"] == "refusal";
            if !items(&part["annotations"]).is_empty() {
                heard.notes.add("annotations", "dropped: the harness's dialect has no such field");
            }
            let text = part["text"].as_str().unwrap_or_else(|| str_of(part, "refusal"));
            whole.push_str(text);
            if !streamed && !text.is_empty() {
                self.say(at, Some(index as u64), text, heard);
            }
        }
        self.rest(at, &whole, heard);
    }

    fn reasoning(&mut self, at: u64, item: &Value, heard: &mut Heard<'_>) {
        let streamed = self.items.get(&at).is_some_and(|known| !known.said.is_empty());
        if !streamed {
            let parts = [items(&item["content"]), items(&item["summary"])];
            let parts = parts.into_iter().find(|parts| !parts.is_empty()).unwrap_or_default();
            for (index, part) in parts.iter().enumerate() {
                self.think(at, Some(index as u64), str_of(part, "text"), heard);
            }
        }
        // Only the finished item has the whole of it.
        if let Some(blob) = item["encrypted_content"].as_str().filter(|blob| !blob.is_empty()) {
            let key = self.open(at, Opening::Thinking, heard);
            heard.sign(key, Blob::new(&heard.session.origin, Kind::Signature, blob));
        }
    }

    fn end(&mut self, response: &Value, heard: &mut Heard<'_>) {
        self.begin(response, heard);
        // Some upstreams tell of nothing before the end. Otherwise the events count: places and ids may differ here.
        if !self.items.values().any(|item| item.done || !item.said.is_empty()) {
            for (at, item) in items(&response["output"]).iter().enumerate() {
                self.done(at as u64, item, heard);
            }
        }
        count(&response["usage"], heard);
        self.stop = Some(match response["incomplete_details"]["reason"].as_str() {
            Some("content_filter") => Stop::Refusal,
            Some(_) => Stop::Length,
            None if response["status"] == "incomplete" => Stop::Length,
            None => Stop::End,
        });
        self.over(heard);
    }

    fn fail(&mut self, error: &Value, heard: &mut Heard<'_>) {
        self.failed = true;
        let mut failure = failure::from_object(error, 502);
        if failure.message.is_empty() {
            failure.message = "The upstream's answer failed without a word.".to_owned();
        }
        heard.events.push(Event::Fail(failure));
    }
}

fn call(item: &Value, name: &str, heard: &Heard<'_>) -> Opening {
    let id = item["call_id"].as_str().filter(|id| !id.is_empty()).unwrap_or_else(|| str_of(item, "id"));
    // Tools are offered without namespaces, so that one in the answer is the upstream's own affair.
    let name = heard.session.names.back(name).to_owned();
    Opening::Call { id: fit_id(id, heard.session.client).into_owned(), name }
}

/// Calls of OpenAI's own tools that the client runs: the name and the arguments that another dialect can say.
fn client_call(item: &Value) -> Option<(&'static str, Value)> {
    let client = item["execution"] == "client";
    Some(match str_of(item, "type") {
        "local_shell_call" => {
            let mut action = item["action"].clone();
            action.as_object_mut().and_then(|action| action.remove("type"));
            ("local_shell", action)
        }
        // One with an environment runs in a container of the provider.
        "shell_call" if item["environment"].is_null() || item["environment"]["type"] == "local" => {
            ("shell", item["action"].clone())
        }
        "apply_patch_call" => ("apply_patch", item["operation"].clone()),
        "tool_search_call" if client => ("tool_search", item["arguments"].clone()),
        "computer_call" => ("computer", json!({"action": item["action"], "actions": item["actions"]})),
        _ => return None,
    })
}

fn count(usage: &Value, heard: &mut Heard<'_>) {
    let mut measured = Measured::default();
    responses::usage(usage, &mut measured);
    if measured.usage_reported {
        heard.events.push(Event::Count(Counts {
            usage: measured.usage,
            reasoning: usage["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0),
            cost: measured.cost,
            reported: true,
        }));
    }
}
