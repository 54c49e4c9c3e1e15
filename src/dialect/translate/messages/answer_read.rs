//! Messages' answers, as a stream and whole.
use super::super::{
    answer::{Heard, Listen},
    carrier::{Blob, Kind},
    failure,
    hub::{Counts, Event, Failure, Opening, Stop, items, str_of},
    names::fit_id,
};
use crate::dialect::{messages, meter::Measured};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Reads events.
#[derive(Debug, Default)]
pub(in super::super) struct Listener {
    begun: bool,
    said: bool,
    /// Blocks that are passed on, by their index.
    open: HashMap<u64, Open>,
    next_key: u64,
    measured: Measured,
    reasoning: u64,
    stop: Option<Stop>,
    over: bool,
}

#[derive(Debug)]
struct Open {
    key: u64,
    signature: String,
}

impl Listen for Listener {
    fn hear(&mut self, name: &str, data: &Value, heard: &mut Heard<'_>) {
        match data["type"].as_str().unwrap_or(name) {
            "message_start" => {
                self.begin(&data["message"], heard);
                // A step that the provider's own program took begins with its calls.
                self.blocks(&data["message"]["content"], heard);
                self.reason(&data["message"]);
            }
            "content_block_start" => self.start(data, heard),
            "content_block_delta" => self.delta(data, heard),
            "content_block_stop" => self.end(data["index"].as_u64().unwrap_or(0), heard),
            "message_delta" => {
                self.count(&data["usage"], heard);
                self.reason(&data["delta"]);
            }
            "message_stop" => {
                self.over = true;
                self.over(heard);
            }
            "error" => heard.events.push(Event::Fail(failure::from_object(&data["error"], 500))),
            _ => {}
        }
    }

    fn whole(&mut self, body: &Value, heard: &mut Heard<'_>) {
        if body["type"] != "message" && !body["content"].is_array() {
            return;
        }
        self.begin(body, heard);
        self.blocks(&body["content"], heard);
        self.reason(body);
        self.over = true;
        self.over(heard);
    }

    fn over(&mut self, heard: &mut Heard<'_>) {
        if !self.over {
            return;
        }
        let mut left: Vec<u64> = self.open.keys().copied().collect();
        left.sort_unstable();
        left.into_iter().for_each(|index| self.end(index, heard));
        heard.events.push(Event::Stop(self.stop.clone().unwrap_or(Stop::End)));
    }
}

impl Listener {
    fn begin(&mut self, message: &Value, heard: &mut Heard<'_>) {
        if self.begun && self.said {
            // What was said before cannot be taken back.
            let message = "The upstream began its answer anew in the middle of it.".to_owned();
            heard.events.push(Event::Fail(Failure { status: 502, code: String::new(), message }));
            return;
        }
        if !self.begun {
            self.begun = true;
            heard.events.push(Event::Begin {
                id: str_of(message, "id").to_owned(),
                model: str_of(message, "model").to_owned(),
                created: None,
            });
        }
        self.count(&message["usage"], heard);
    }

    /// Blocks that are there all at once.
    fn blocks(&mut self, blocks: &Value, heard: &mut Heard<'_>) {
        for (place, block) in items(blocks).iter().enumerate() {
            // Apart from the places of those that may be streamed yet.
            let index = u64::MAX - place as u64;
            self.start(&json!({"index": index, "content_block": block}), heard);
            self.end(index, heard);
        }
    }

    fn count(&mut self, usage: &Value, heard: &mut Heard<'_>) {
        messages::usage(usage, &mut self.measured);
        if let Some(tokens) = usage["output_tokens_details"]["thinking_tokens"].as_u64() {
            self.reasoning = tokens;
        }
        if self.measured.usage_reported {
            heard.events.push(Event::Count(Counts {
                usage: self.measured.usage,
                reasoning: self.reasoning,
                cost: None,
                reported: true,
            }));
        }
    }

    fn start(&mut self, data: &Value, heard: &mut Heard<'_>) {
        let block = &data["content_block"];
        let index = data["index"].as_u64().unwrap_or(0);
        let kind = str_of(block, "type");
        let (opening, text, signature) = match kind {
            "text" => (Opening::Text, str_of(block, "text").to_owned(), ""),
            "thinking" => {
                (Opening::Thinking, str_of(block, "thinking").to_owned(), str_of(block, "signature"))
            }
            "redacted_thinking" => (Opening::Thinking, String::new(), ""),
            "tool_use" => {
                let id = fit_id(str_of(block, "id"), heard.session.client).into_owned();
                let name = heard.session.names.back(str_of(block, "name")).to_owned();
                // In a stream this is an empty object, and the arguments follow.
                let input = &block["input"];
                let whole = input.as_object().is_some_and(|object| !object.is_empty());
                (Opening::Call { id, name }, if whole { input.to_string() } else { String::new() }, "")
            }
            _ => {
                heard
                    .notes
                    .add(format!("content[{kind}]"), "dropped: the harness's dialect has no such block");
                return;
            }
        };
        self.said = true;
        self.next_key += 1;
        let key = self.next_key;
        heard.open(key, opening);
        heard.piece(key, text);
        if kind == "redacted_thinking" {
            heard.sign(key, Blob::new(&heard.session.origin, Kind::Redacted, str_of(block, "data")));
        }
        if block["citations"].is_array() && !items(&block["citations"]).is_empty() {
            heard.notes.add("citations", "dropped: the harness's dialect has no such field");
        }
        // An index that is used again ends the block that had it.
        if let Some(old) = self.open.insert(index, Open { key, signature: signature.to_owned() }) {
            heard.close(old.key);
        }
    }

    fn delta(&mut self, data: &Value, heard: &mut Heard<'_>) {
        let Some(open) = self.open.get_mut(&data["index"].as_u64().unwrap_or(0)) else { return };
        let delta = &data["delta"];
        match str_of(delta, "type") {
            "text_delta" => heard.piece(open.key, str_of(delta, "text")),
            "thinking_delta" => heard.piece(open.key, str_of(delta, "thinking")),
            "input_json_delta" => heard.piece(open.key, str_of(delta, "partial_json")),
            "signature_delta" => open.signature.push_str(str_of(delta, "signature")),
            kind => heard.notes.add(kind, "dropped: the harness's dialect has no such field"),
        }
    }

    fn end(&mut self, index: u64, heard: &mut Heard<'_>) {
        let Some(open) = self.open.remove(&index) else { return };
        if !open.signature.is_empty() {
            heard.sign(open.key, Blob::new(&heard.session.origin, Kind::Signature, open.signature));
        }
        heard.close(open.key);
    }

    fn reason(&mut self, delta: &Value) {
        let Some(reason) = delta["stop_reason"].as_str() else { return };
        self.stop = Some(match reason {
            "tool_use" => Stop::Tools,
            "max_tokens" => Stop::Length,
            "stop_sequence" => Stop::Sequence(delta["stop_sequence"].as_str().map(str::to_owned)),
            "refusal" => Stop::Refusal,
            "pause_turn" => Stop::Pause,
            "model_context_window_exceeded" => Stop::Window,
            _ => Stop::End,
        });
    }
}
