//! generateContent's answers, as a stream of partial responses and whole.
use super::{
    super::{
        answer::{Heard, Listen},
        carrier::{Blob, Kind},
        failure,
        hub::{Counts, Event, Failure, Opening, Stop, items, str_of},
        names::fit_id,
    },
    partial,
};
use crate::dialect::{gemini, meter::Measured};
use serde_json::{Value, json};

/// Reads partial responses.
#[derive(Debug, Default)]
pub(in super::super) struct Listener {
    begun: bool,
    next_key: u64,
    calls: u64,
    thought: Option<u64>,
    text: Option<u64>,
    /// A call whose arguments come in parts.
    partial: Option<Partial>,
    measured: Measured,
    stop: Option<Stop>,
}

#[derive(Debug)]
struct Partial {
    id: String,
    name: String,
    arguments: Value,
}

impl Listen for Listener {
    fn hear(&mut self, _: &str, data: &Value, heard: &mut Heard<'_>) {
        if !data["error"].is_null() {
            heard.events.push(Event::Fail(failure::from_object(&data["error"], 500)));
            return;
        }
        // Some gateways wrap each response once more.
        let data = if data["response"].is_object() { &data["response"] } else { data };
        if !self.begun {
            self.begun = true;
            heard.events.push(Event::Begin {
                id: str_of(data, "responseId").to_owned(),
                model: str_of(data, "modelVersion").to_owned(),
                created: None,
            });
        }
        self.count(&data["usageMetadata"], heard);
        for candidate in items(&data["candidates"]) {
            if candidate["index"].as_u64().unwrap_or(0) != 0 {
                heard.notes.add("candidates", "only the first is passed on");
                continue;
            }
            for part in items(&candidate["content"]["parts"]) {
                self.part(part, heard);
            }
            for key in ["groundingMetadata", "citationMetadata", "urlContextMetadata"] {
                if !candidate[key].is_null() {
                    heard.notes.add(key, "dropped: the harness's dialect has no such field");
                }
            }
            self.reason(candidate, heard);
        }
        if data["promptFeedback"]["blockReason"].is_string() {
            self.stop = Some(Stop::Refusal);
        }
    }

    fn whole(&mut self, body: &Value, heard: &mut Heard<'_>) {
        self.hear("", body, heard);
        self.over(heard);
    }

    fn over(&mut self, heard: &mut Heard<'_>) {
        // The end of the body is the end of the stream: usage may follow the reason.
        let Some(stop) = self.stop.clone() else { return };
        self.end_call(heard);
        self.end_thought(heard);
        self.end_text(heard);
        heard.events.push(Event::Stop(stop));
    }
}

impl Listener {
    fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    fn part(&mut self, part: &Value, heard: &mut Heard<'_>) {
        let signature = str_of(part, "thoughtSignature");
        if let Some(call) = part.get("functionCall") {
            self.call(call, signature, heard);
            return;
        }
        let text = str_of(part, "text");
        if part["thought"] == true {
            if !text.is_empty() {
                let key = self.open_thought(heard);
                heard.piece(key, text);
            }
            if !signature.is_empty() {
                self.sign(signature, heard);
            }
        } else if !text.is_empty() {
            self.end_call(heard);
            self.end_thought(heard);
            let key = match self.text {
                Some(key) => key,
                None => {
                    let key = self.key();
                    heard.open(key, Opening::Text);
                    self.text = Some(key);
                    key
                }
            };
            heard.piece(key, text);
            // Gemini does not ask for the signature of a text.
            if !signature.is_empty() {
                heard.notes.add("thoughtSignature", "of a text: dropped, it is not asked for");
            }
        } else if !signature.is_empty() {
            if self.thought.is_some() {
                self.sign(signature, heard);
            } else {
                heard.notes.add("thoughtSignature", "of a text: dropped, it is not asked for");
            }
        } else if let Some(key) =
            part.as_object().and_then(|part| part.keys().find(|key| *key != "text" && *key != "thought"))
        {
            heard.notes.add(format!("parts[{key}]"), "dropped: the harness's dialect has no such part");
        }
    }

    fn call(&mut self, call: &Value, signature: &str, heard: &mut Heard<'_>) {
        let name = str_of(call, "name");
        if name.is_empty() {
            // A piece of the call that is open, or its end.
            if let Some(open) = &mut self.partial {
                partial::apply(&mut open.arguments, &call["partialArgs"]);
                if call["willContinue"] != true && call["partialArgs"].is_null() {
                    self.end_call(heard);
                }
            }
            return;
        }
        self.end_call(heard);
        self.end_text(heard);
        if !signature.is_empty() {
            // The signature goes with the thought before the call, which may have no words.
            self.open_thought(heard);
            self.sign(signature, heard);
        }
        self.end_thought(heard);
        self.calls += 1;
        let id = match str_of(call, "id") {
            "" => format!("call_{}_{}", heard.session.nonce, self.calls),
            id => fit_id(id, heard.session.client).into_owned(),
        };
        let mut arguments = if call["args"].is_object() { call["args"].clone() } else { json!({}) };
        partial::apply(&mut arguments, &call["partialArgs"]);
        self.partial = Some(Partial { id, name: heard.session.names.back(name).to_owned(), arguments });
        if call["willContinue"] != true {
            self.end_call(heard);
        }
    }

    fn open_thought(&mut self, heard: &mut Heard<'_>) -> u64 {
        if let Some(key) = self.thought {
            return key;
        }
        self.end_call(heard);
        self.end_text(heard);
        let key = self.key();
        heard.open(key, Opening::Thinking);
        self.thought = Some(key);
        key
    }

    fn sign(&mut self, signature: &str, heard: &mut Heard<'_>) {
        if let Some(key) = self.thought {
            heard.sign(key, Blob::new(&heard.session.origin, Kind::Signature, signature));
            // Another thought has another signature.
            self.end_thought(heard);
        }
    }

    fn end_call(&mut self, heard: &mut Heard<'_>) {
        if let Some(Partial { id, name, arguments }) = self.partial.take() {
            let key = self.key();
            heard.block(key, Opening::Call { id, name }, arguments.to_string(), None);
        }
    }

    fn end_thought(&mut self, heard: &mut Heard<'_>) {
        if let Some(key) = self.thought.take() {
            heard.close(key);
        }
    }

    fn end_text(&mut self, heard: &mut Heard<'_>) {
        if let Some(key) = self.text.take() {
            heard.close(key);
        }
    }

    fn count(&mut self, usage: &Value, heard: &mut Heard<'_>) {
        gemini::usage(usage, &mut self.measured);
        if self.measured.usage_reported {
            heard.events.push(Event::Count(Counts {
                usage: self.measured.usage,
                reasoning: usage["thoughtsTokenCount"].as_u64().unwrap_or(0),
                cost: None,
                reported: true,
            }));
        }
    }

    fn reason(&mut self, candidate: &Value, heard: &mut Heard<'_>) {
        let Some(reason) = candidate["finishReason"].as_str() else { return };
        self.stop = Some(match reason {
            "STOP" | "FINISH_REASON_UNSPECIFIED" => Stop::End,
            "MAX_TOKENS" => Stop::Length,
            "SAFETY"
            | "PROHIBITED_CONTENT"
            | "BLOCKLIST"
            | "SPII"
            | "RECITATION"
            | "LANGUAGE"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION" => Stop::Refusal,
            reason => {
                let words = str_of(candidate, "finishMessage");
                let message = match words {
                    "" => format!("Gemini ended its answer with {reason}."),
                    words => format!("Gemini ended its answer with {reason}: {words}"),
                };
                heard.events.push(Event::Fail(Failure { status: 502, code: reason.to_owned(), message }));
                return;
            }
        });
    }
}
