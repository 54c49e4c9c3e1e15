//! The items of a turn: what was said, and the tools that run, in it or beyond its end.
use super::{
    Heard, Thread,
    reading::{command, text},
};
use crate::agent::control::Event;
use serde_json::Value;

impl Thread {
    pub(super) fn item(&mut self, item: &Value, over: bool, main: bool, heard: &mut Heard) {
        let Some(id) = text(item, "id") else { return };
        match text(item, "type") {
            Some("userMessage") if over && main => {
                let parts = item.get("content").and_then(Value::as_array).into_iter().flatten();
                let said: Vec<&str> = parts.filter_map(|part| text(part, "text")).collect();
                heard.tell.push(Event::Prompted(said.join("\n")));
            }
            Some("agentMessage") if over && main => {
                heard.tell.extend(text(item, "text").map(|said| Event::Said(said.to_owned())));
            }
            Some("commandExecution") => {
                let what = format!("runs {}", command(item));
                self.tool(id, what, over, true, main, heard);
            }
            Some("fileChange") => {
                let changes = item.get("changes").and_then(Value::as_array).into_iter().flatten();
                let paths: Vec<&str> = changes.filter_map(|change| text(change, "path")).collect();
                if over {
                    self.files.remove(id);
                } else {
                    self.files.insert(id.to_owned(), paths.join(", "));
                }
                self.tool(id, format!("changes {}", paths.join(", ")), over, false, main, heard);
            }
            Some("mcpToolCall") => {
                let what = format!("runs {}", text(item, "tool").unwrap_or("a tool"));
                self.tool(id, what, over, false, main, heard);
            }
            _ => {}
        }
    }

    fn tool(&mut self, id: &str, what: String, over: bool, outlives: bool, main: bool, heard: &mut Heard) {
        let id = id.to_owned();
        if !over {
            if main {
                heard.tell.push(Event::ToolStarted { id: id.clone(), what: what.clone() });
                if outlives {
                    self.running.insert(id, what);
                }
            }
        } else if self.running.remove(&id).is_some() && !self.in_turn {
            heard.tell.push(Event::BesideEnded { id });
        } else if main {
            heard.tell.push(Event::BesideEnded { id: id.clone() });
            heard.tell.push(Event::ToolEnded { id });
        }
    }
}
