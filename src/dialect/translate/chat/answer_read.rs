//! Chat's answers, as a stream of chunks and whole, whatever flavour of the shape an upstream speaks.
use super::super::{
    answer::{Heard, Listen},
    carrier::{Blob, Kind},
    failure,
    hub::{Counts, Event, Opening, Stop, items, str_of},
    names::fit_id,
    serial::Balance,
};
use crate::dialect::{chat, meter::Measured};
use serde_json::Value;

/// Reads chunks.
#[derive(Debug, Default)]
pub(in super::super) struct Listener {
    begun: bool,
    next_key: u64,
    thought: Option<u64>,
    text: Option<u64>,
    /// OpenRouter's details of the thought that is open, fragments joined.
    details: Vec<Value>,
    tools: Vec<Slot>,
    stop: Option<Stop>,
    refused: bool,
    /// `[DONE]` has come.
    done: bool,
    said: bool,
}

/// A call on its way. It is announced once its name has come.
#[derive(Debug, Default)]
struct Slot {
    index: Option<u64>,
    id: String,
    name: String,
    held: String,
    key: Option<u64>,
    closed: bool,
    json: Balance,
}

impl Listen for Listener {
    fn hear(&mut self, _: &str, data: &Value, heard: &mut Heard<'_>) {
        if data.is_null() {
            // `[DONE]`
            self.done = true;
            return self.over(heard);
        }
        if !self.begun && (!str_of(data, "id").is_empty() || !items(&data["choices"]).is_empty()) {
            self.begun = true;
            let begin = Event::Begin {
                id: str_of(data, "id").to_owned(),
                model: str_of(data, "model").to_owned(),
                created: data["created"].as_i64(),
            };
            heard.events.push(begin);
        }
        count(&data["usage"], heard);
        // OpenRouter says an error beside a choice that ends with nothing but the word.
        if !data["error"].is_null() && data["error"] != Value::Bool(false) {
            heard.events.push(Event::Fail(failure::from_object(&data["error"], 502)));
            return;
        }
        for choice in items(&data["choices"]) {
            if choice["index"].as_u64().unwrap_or(0) != 0 {
                heard.notes.add("choices", "only the first is passed on");
                continue;
            }
            count(&choice["usage"], heard);
            let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
            self.delta(delta, heard);
            self.reason(choice, heard);
        }
    }

    fn whole(&mut self, body: &Value, heard: &mut Heard<'_>) {
        self.hear("", body, heard);
        self.over(heard);
    }

    fn over(&mut self, heard: &mut Heard<'_>) {
        if self.stop.is_none() && !(self.done && self.said) {
            return;
        }
        self.end_blocks(heard);
        let stop = self.stop.clone().unwrap_or(Stop::End);
        heard.events.push(Event::Stop(if self.refused && stop == Stop::End { Stop::Refusal } else { stop }));
    }
}

impl Listener {
    fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    fn delta(&mut self, delta: &Value, heard: &mut Heard<'_>) {
        let details = items(&delta["reasoning_details"]);
        let mut thought =
            ["reasoning_content", "reasoning"].iter().find_map(|key| delta[*key].as_str()).unwrap_or("");
        let joined;
        if thought.is_empty() && !details.is_empty() {
            joined = details
                .iter()
                .map(|detail| [str_of(detail, "text"), str_of(detail, "summary")].concat())
                .collect::<String>();
            thought = &joined;
        }
        self.think(thought, details, heard);
        match &delta["content"] {
            Value::String(text) => self.say(text, heard),
            Value::Array(parts) => {
                for part in parts {
                    match str_of(part, "type") {
                        // Mistral puts thoughts among the content.
                        "thinking" => {
                            let words: String = match &part["thinking"] {
                                Value::String(text) => text.clone(),
                                inner => items(inner).iter().map(|piece| str_of(piece, "text")).collect(),
                            };
                            self.think(&words, &[], heard);
                        }
                        "text" | "output_text" | "" => {
                            self.say(part.as_str().unwrap_or_else(|| str_of(part, "text")), heard);
                        }
                        kind => heard.notes.add(format!("content[{kind}]"), "dropped: not text"),
                    }
                }
            }
            _ => {}
        }
        let refusal = str_of(delta, "refusal");
        if !refusal.is_empty() {
            self.refused = true;
            self.say(refusal, heard);
        }
        for key in ["images", "audio", "annotations"] {
            if delta.get(key).is_some_and(|value| !value.is_null() && value != &Value::Array(Vec::new())) {
                heard.notes.add(key, "dropped: the harness's dialect has no such output");
            }
        }
        for (place, call) in items(&delta["tool_calls"]).iter().enumerate() {
            self.call(call, place, heard);
        }
        if delta["function_call"].is_object() {
            let call = serde_json::json!({"index": 0, "function": delta["function_call"]});
            self.call(&call, 0, heard);
        }
    }

    fn think(&mut self, text: &str, details: &[Value], heard: &mut Heard<'_>) {
        if text.is_empty() && details.is_empty() {
            return;
        }
        let key = match self.thought {
            Some(key) => key,
            None => {
                self.end_text(heard);
                self.end_whole_calls(heard);
                let key = self.key();
                heard.open(key, Opening::Thinking);
                self.thought = Some(key);
                key
            }
        };
        self.said = true;
        details.iter().for_each(|detail| join_detail(&mut self.details, detail));
        heard.piece(key, text);
    }

    fn say(&mut self, text: &str, heard: &mut Heard<'_>) {
        if text.is_empty() {
            return;
        }
        let key = match self.text {
            Some(key) => key,
            None => {
                self.end_thought(heard);
                self.end_whole_calls(heard);
                let key = self.key();
                heard.open(key, Opening::Text);
                self.text = Some(key);
                key
            }
        };
        self.said = true;
        heard.piece(key, text);
    }

    fn call(&mut self, call: &Value, place: usize, heard: &mut Heard<'_>) {
        let at = self.slot(call, place);
        let function = &call["function"];
        let slot = &mut self.tools[at];
        if slot.id.is_empty() {
            slot.id = str_of(call, "id").to_owned();
        }
        if slot.name.is_empty() {
            slot.name = str_of(function, "name").to_owned();
        }
        let piece = match &function["arguments"] {
            Value::String(text) => text.clone(),
            // Some servers write an object where the shape has text.
            Value::Object(object) if !object.is_empty() => function["arguments"].to_string(),
            _ => String::new(),
        };
        slot.json.feed(&piece);
        slot.held.push_str(&piece);
        if slot.name.is_empty() || slot.closed {
            return;
        }
        let key = match slot.key {
            Some(key) => key,
            None => {
                self.said = true;
                self.end_thought(heard);
                self.end_text(heard);
                // A call whose arguments are whole is over when the next begins.
                self.end_whole_calls(heard);
                let key = self.key();
                let slot = &mut self.tools[at];
                slot.key = Some(key);
                let id = match slot.id.as_str() {
                    "" => format!("call_{}_{}", heard.session.nonce, at + 1),
                    id => fit_id(id, heard.session.client).into_owned(),
                };
                heard.open(key, Opening::Call { id, name: heard.session.names.back(&slot.name).to_owned() });
                key
            }
        };
        let held = std::mem::take(&mut self.tools[at].held);
        if !held.is_empty() {
            heard.piece(key, held);
        }
    }

    /// The slot that a fragment belongs to: by its index, unless that index comes again with another id; without
    /// one by its id, else by its place.
    fn slot(&mut self, call: &Value, place: usize) -> usize {
        let index = call["index"].as_u64();
        let id = str_of(call, "id");
        let starts = !str_of(&call["function"], "name").is_empty();
        let found = self.tools.iter().rposition(|slot| match index {
            Some(_) => {
                slot.index == index && (id.is_empty() || slot.id.is_empty() || slot.id == id || !starts)
            }
            None if !id.is_empty() => slot.id == id,
            None => !starts && !slot.closed,
        });
        found.unwrap_or_else(|| {
            let index = index.or(Some(place as u64 + 1_000_000 * self.tools.len() as u64));
            self.tools.push(Slot { index, ..Slot::default() });
            self.tools.len() - 1
        })
    }

    fn reason(&mut self, choice: &Value, heard: &mut Heard<'_>) {
        let Some(reason) = choice["finish_reason"].as_str() else { return };
        self.stop = Some(match reason {
            "tool_calls" | "function_call" | "tool_use" => Stop::Tools,
            "length" | "max_tokens" => Stop::Length,
            "content_filter" | "refusal" => Stop::Refusal,
            "error" => {
                let mut failure = failure::from_object(&choice["error"], 502);
                if failure.message.is_empty() {
                    failure.message = "The upstream ended its answer with an error.".to_owned();
                }
                heard.events.push(Event::Fail(failure));
                return;
            }
            _ => Stop::End,
        });
    }

    fn end_thought(&mut self, heard: &mut Heard<'_>) {
        let Some(key) = self.thought.take() else { return };
        if !self.details.is_empty() {
            let details = Value::from(std::mem::take(&mut self.details)).to_string();
            heard.sign(key, Blob::new(&heard.session.origin, Kind::Details, details));
        }
        heard.close(key);
    }

    fn end_text(&mut self, heard: &mut Heard<'_>) {
        if let Some(key) = self.text.take() {
            heard.close(key);
        }
    }

    fn end_whole_calls(&mut self, heard: &mut Heard<'_>) {
        for slot in &mut self.tools {
            if let Some(key) = slot.key
                && !slot.closed
                && slot.json.whole()
            {
                slot.closed = true;
                heard.close(key);
            }
        }
    }

    fn end_blocks(&mut self, heard: &mut Heard<'_>) {
        self.end_thought(heard);
        self.end_text(heard);
        for slot in &mut self.tools {
            if slot.key.is_none() {
                heard.notes.add("tool_calls", "a call without a name was dropped");
            } else if let Some(key) = slot.key
                && !slot.closed
            {
                slot.closed = true;
                heard.close(key);
            }
        }
    }
}

/// Adds a detail; fragments of one text become one, so that it can be sent back as it was meant.
fn join_detail(details: &mut Vec<Value>, detail: &Value) {
    if let Some(last) = details.last_mut()
        && last["type"] == detail["type"]
        && last["index"] == detail["index"]
        && (detail["type"] == "reasoning.text" || detail["type"] == "reasoning.summary")
    {
        for key in ["text", "summary", "signature"] {
            if let Some(more) = detail[key].as_str() {
                last[key] = format!("{}{more}", last[key].as_str().unwrap_or_default()).into();
            }
        }
        for key in ["id", "format"] {
            if last[key].is_null() && !detail[key].is_null() {
                last[key] = detail[key].clone();
            }
        }
        return;
    }
    details.push(detail.clone());
}

fn count(usage: &Value, heard: &mut Heard<'_>) {
    if !usage.is_object() {
        return;
    }
    let mut measured = Measured::default();
    chat::usage(usage, &mut measured);
    if measured.usage_reported {
        heard.events.push(Event::Count(Counts {
            usage: measured.usage,
            reasoning: usage["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0),
            cost: measured.cost,
            reported: true,
        }));
    }
}
