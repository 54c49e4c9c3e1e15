//! An answer in Responses' words, as a stream and whole.
use super::super::{
    answer::{Answer, Block, Talk, Tell, event},
    carrier::Blob,
    failure,
    hub::{Counts, Event, Failure, Opening, Stop},
    mend::{Unwrap, mended},
    names::{Form, Native},
};
use crate::dialect::{Dialect, errors};
use serde_json::{Value, json};

/// Writes the events of a stream: every one of the shape, because Codex reads whole items, and SDKs what is between.
#[derive(Debug, Default)]
pub(in super::super) struct Teller {
    sequence: u64,
    begun: bool,
    /// Finished items.
    output: Vec<Value>,
    current: Current,
}

/// The item that is open.
#[derive(Debug, Default)]
struct Current {
    /// It has been announced here.
    announced: bool,
    /// Text, thought or arguments so far.
    said: String,
    blob: Option<Blob>,
    unwrap: Unwrap,
}

impl Tell for Teller {
    fn tell(&mut self, said: Event, talk: &Talk<'_>, out: &mut Vec<u8>) {
        if !self.begun && !matches!(said, Event::Begin { .. } | Event::Count(_)) {
            self.begun = true;
            let response = response(talk, "in_progress", json!([]), Value::Null);
            self.send("response.created", json!({"response": response}), out);
            self.send("response.in_progress", json!({"response": response}), out);
        }
        match said {
            Event::Begin { .. } | Event::Count(_) => {}
            Event::Open { block, .. } => {
                self.current = Current::default();
                // A thought that turns out to be empty is not announced.
                if block != Opening::Thinking {
                    self.announce(&block, talk, out);
                }
            }
            Event::Piece { text, .. } => self.piece(&text, talk, out),
            Event::Sign { blob, .. } => self.current.blob = Some(blob),
            Event::Close { .. } => self.close(talk, out),
            Event::Stop(stop) => self.stop(&stop, talk, out),
            Event::Fail(failed) => self.fail(&failed, talk, out),
        }
    }
}

impl Teller {
    fn send(&mut self, kind: &str, fields: Value, out: &mut Vec<u8>) {
        let mut data = json!({"type": kind, "sequence_number": self.sequence});
        self.sequence += 1;
        if let (Some(data), Value::Object(fields)) = (data.as_object_mut(), fields) {
            data.extend(fields);
        }
        event(kind, &data, out);
    }

    /// The fields that place an event in the current item.
    fn placed(&self, open: &Opening, talk: &Talk<'_>, more: Value) -> Value {
        let mut place = json!({"item_id": self.id(open, talk), "output_index": self.output.len()});
        if let (Some(place), Value::Object(more)) = (place.as_object_mut(), more) {
            place.extend(more);
        }
        place
    }

    fn id(&self, open: &Opening, talk: &Talk<'_>) -> String {
        item_id(open, self.output.len(), talk)
    }

    fn announce(&mut self, open: &Opening, talk: &Talk<'_>, out: &mut Vec<u8>) {
        self.current.announced = true;
        let item = item(open, self.output.len(), "", None, false, talk);
        self.send(
            "response.output_item.added",
            json!({"output_index": self.output.len(), "item": item}),
            out,
        );
        match open {
            Opening::Text => {
                let part = self.placed(open, talk, json!({"content_index": 0, "part": text_part("")}));
                self.send("response.content_part.added", part, out);
            }
            Opening::Thinking | Opening::Call { .. } => {}
        }
    }

    fn piece(&mut self, text: &str, talk: &Talk<'_>, out: &mut Vec<u8>) {
        let Some(open) = talk.open else { return };
        match open {
            Opening::Text => {
                let delta =
                    self.placed(open, talk, json!({"content_index": 0, "delta": text, "logprobs": []}));
                self.send("response.output_text.delta", delta, out);
            }
            Opening::Thinking => {
                if !self.current.announced {
                    self.announce(open, talk, out);
                }
                if self.current.said.is_empty() {
                    let part = json!({"summary_index": 0, "part": {"type": "summary_text", "text": ""}});
                    let part = self.placed(open, talk, part);
                    self.send("response.reasoning_summary_part.added", part, out);
                }
                let delta = self.placed(open, talk, json!({"summary_index": 0, "delta": text}));
                self.send("response.reasoning_summary_text.delta", delta, out);
            }
            Opening::Call { name, .. } => match talk.session.names.native(name).form {
                Form::Function => {
                    let delta = self.placed(open, talk, json!({"delta": text}));
                    self.send("response.function_call_arguments.delta", delta, out);
                }
                Form::Custom => {
                    let text = self.current.unwrap.feed(text);
                    self.input(open, &text, talk, out);
                    self.current.said.push_str(&text);
                    return;
                }
                Form::Shell | Form::Search => {}
            },
        }
        self.current.said.push_str(text);
    }

    fn input(&mut self, open: &Opening, text: &str, talk: &Talk<'_>, out: &mut Vec<u8>) {
        if !text.is_empty() {
            let delta = self.placed(open, talk, json!({"delta": text}));
            self.send("response.custom_tool_call_input.delta", delta, out);
        }
    }

    fn close(&mut self, talk: &Talk<'_>, out: &mut Vec<u8>) {
        let Some(open) = talk.open else { return };
        match open {
            Opening::Text => {
                let text = self.current.said.clone();
                let done = self.placed(open, talk, json!({"content_index": 0, "text": text, "logprobs": []}));
                self.send("response.output_text.done", done, out);
                let part = self.placed(open, talk, json!({"content_index": 0, "part": text_part(&text)}));
                self.send("response.content_part.done", part, out);
            }
            Opening::Thinking => {
                if !self.current.announced {
                    if self.current.blob.is_none() {
                        return;
                    }
                    self.announce(open, talk, out);
                }
                if !self.current.said.is_empty() {
                    let text = self.current.said.clone();
                    let done = self.placed(open, talk, json!({"summary_index": 0, "text": text}));
                    self.send("response.reasoning_summary_text.done", done, out);
                    let part = json!({"summary_index": 0, "part": {"type": "summary_text", "text": text}});
                    let part = self.placed(open, talk, part);
                    self.send("response.reasoning_summary_part.done", part, out);
                }
            }
            Opening::Call { name, .. } => {
                let native = talk.session.names.native(name);
                match native.form {
                    Form::Function => {
                        let done = json!({"name": native.name, "arguments": self.current.said});
                        let done = self.placed(open, talk, done);
                        self.send("response.function_call_arguments.done", done, out);
                    }
                    Form::Custom => {
                        let rest = self.current.unwrap.finish();
                        self.input(open, &rest, talk, out);
                        self.current.said.push_str(&rest);
                        let done = self.placed(open, talk, json!({"input": self.current.said}));
                        self.send("response.custom_tool_call_input.done", done, out);
                    }
                    Form::Shell | Form::Search => {}
                }
            }
        }
        let current = std::mem::take(&mut self.current);
        let item = item(open, self.output.len(), &current.said, current.blob.as_ref(), true, talk);
        self.send("response.output_item.done", json!({"output_index": self.output.len(), "item": item}), out);
        self.output.push(item);
    }

    fn stop(&mut self, stop: &Stop, talk: &Talk<'_>, out: &mut Vec<u8>) {
        let output = std::mem::take(&mut self.output).into();
        let (status, response) = finished(stop, output, talk);
        let kind = if status == "incomplete" { "response.incomplete" } else { "response.completed" };
        self.send(kind, json!({"response": response}), out);
    }

    fn fail(&mut self, failed: &Failure, talk: &Talk<'_>, out: &mut Vec<u8>) {
        let (status, code, message) = failure::worded(failed, Dialect::Responses);
        let error = errors::error_value(Dialect::Responses, status, &message, &code);
        let output = std::mem::take(&mut self.output).into();
        let mut response = response(talk, "failed", output, Value::Null);
        response["error"] = json!({"code": error["error"]["code"], "message": message});
        self.send("response.failed", json!({"response": response}), out);
    }
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn item_id(open: &Opening, at: usize, talk: &Talk<'_>) -> String {
    let prefix = match open {
        Opening::Text => "msg",
        Opening::Thinking => "rs",
        Opening::Call { name, .. } => match talk.session.names.native(name).form {
            Form::Function => "fc",
            Form::Custom => "ctc",
            Form::Shell => "lsh",
            Form::Search => "tsc",
        },
    };
    format!("{prefix}_{}_{at}", talk.session.nonce)
}

/// An item as it begins or as it ended.
fn item(open: &Opening, at: usize, said: &str, blob: Option<&Blob>, done: bool, talk: &Talk<'_>) -> Value {
    let id = item_id(open, at, talk);
    let status = if done { "completed" } else { "in_progress" };
    match open {
        Opening::Text => {
            let content = if done { json!([text_part(said)]) } else { json!([]) };
            json!({"id": id, "type": "message", "role": "assistant", "status": status, "content": content})
        }
        Opening::Thinking => {
            let mut item = json!({"id": id, "type": "reasoning", "summary": []});
            if done {
                if !said.is_empty() {
                    item["summary"] = json!([{"type": "summary_text", "text": said}]);
                }
                let session = talk.session;
                // Codex keeps nothing else of a thought.
                let carried = Blob::carry(blob, said, &session.origin, session.signs_text());
                item["encrypted_content"] = carried.write().into();
            }
            item
        }
        Opening::Call { id: call_id, name } => {
            let Native { name, namespace, form } = talk.session.names.native(name);
            let mut item = match form {
                Form::Function => json!({
                    "id": id, "type": "function_call", "status": status, "call_id": call_id, "name": name,
                    "arguments": said,
                }),
                Form::Custom => json!({
                    "id": id, "type": "custom_tool_call", "status": status, "call_id": call_id, "name": name,
                    "input": said,
                }),
                Form::Shell => {
                    let mut action = json!({"type": "exec", "command": [], "env": {}});
                    if let (Some(action), Value::Object(said)) = (action.as_object_mut(), mended(said)) {
                        action.extend(said);
                    }
                    json!({"id": id, "type": "local_shell_call", "status": status, "call_id": call_id, "action": action})
                }
                Form::Search => json!({
                    "id": id, "type": "tool_search_call", "status": status, "call_id": call_id,
                    "execution": "client", "arguments": mended(said),
                }),
            };
            if let Some(namespace) = namespace {
                item["namespace"] = namespace.into();
            }
            item
        }
    }
}

/// The whole answer.
pub(in super::super) fn whole(answer: &Answer, talk: &Talk<'_>) -> Value {
    let mut output = Vec::new();
    for block in &answer.blocks {
        let (open, said, blob) = match block {
            Block::Text(text) => (Opening::Text, text.clone(), None),
            Block::Thinking { text, blob } if text.is_empty() && blob.is_none() => continue,
            Block::Thinking { text, blob } => (Opening::Thinking, text.clone(), blob.as_ref()),
            Block::Call { id, name, arguments } => {
                let said = if talk.session.names.native(name).form == Form::Custom {
                    let mut unwrap = Unwrap::default();
                    let text = unwrap.feed(arguments);
                    text + &unwrap.finish()
                } else {
                    arguments.clone()
                };
                (Opening::Call { id: id.clone(), name: name.clone() }, said, None)
            }
        };
        output.push(item(&open, output.len(), &said, blob, true, talk));
    }
    finished(&answer.stop, output.into(), talk).1
}

/// The response as it ended.
fn finished(stop: &Stop, output: Value, talk: &Talk<'_>) -> (&'static str, Value) {
    let reason = match stop {
        // Codex takes any other end than a completed one for a failure and asks again.
        Stop::Length | Stop::Window if talk.session.codex => None,
        Stop::Length | Stop::Window => Some("max_output_tokens"),
        Stop::Refusal if !talk.session.codex => Some("content_filter"),
        _ => None,
    };
    let status = if reason.is_some() { "incomplete" } else { "completed" };
    let mut response = response(talk, status, output, usage(talk.counts));
    if let Some(reason) = reason {
        response["incomplete_details"] = json!({"reason": reason});
    }
    (status, response)
}

fn response(talk: &Talk<'_>, status: &str, output: Value, usage: Value) -> Value {
    let session = talk.session;
    json!({
        "id": format!("resp_{}", session.nonce), "object": "response", "created_at": session.now, "status": status,
        "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": null,
        "metadata": {}, "model": session.model, "output": output, "parallel_tool_calls": true,
        "previous_response_id": null, "store": false, "temperature": 1.0, "tool_choice": "auto", "tools": [],
        "top_p": 1.0, "truncation": "disabled", "usage": usage,
    })
}

/// `input_tokens` includes what was cached.
fn usage(counts: &Counts) -> Value {
    let usage = &counts.usage;
    let input = usage.input + usage.cache_read + usage.cache_write;
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": input + usage.output,
    })
}
