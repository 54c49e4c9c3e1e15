//! What the app-server asks, what it is answered, and what it is asked to do.
use super::{
    Asked, Heard, Open, Thread,
    reading::{command, name, text},
};
use crate::{
    agent::control::{About, Event, Order, Question, Verdict},
    state::Permission,
};
use serde_json::{Value, json};

impl Thread {
    /// A thread that was resumed keeps the permission that it had, unless it is told another.
    pub(super) fn permit(&mut self, thread: &str, result: &Value) -> Option<Value> {
        if self.wanted.as_deref() != Some(thread) {
            return None;
        }
        let (approval, sandbox) = match self.permission.take()? {
            Permission::Ask | Permission::Edits => ("on-request", "workspaceWrite"),
            Permission::Plan => ("on-request", "readOnly"),
            Permission::Readonly => ("never", "readOnly"),
            Permission::Full => ("never", "dangerFullAccess"),
        };
        let has = result.pointer("/sandbox/type").and_then(Value::as_str);
        if has == Some(sandbox) && text(result, "approvalPolicy") == Some(approval) {
            return None;
        }
        let mut params = json!({ "threadId": thread, "approvalPolicy": approval });
        if has != Some(sandbox) {
            params["sandboxPolicy"] = json!({ "type": sandbox });
        }
        Some(self.request(Asked::Quietly, "thread/settings/update", &params))
    }

    pub(super) fn question(&mut self, method: &str, id: &Value, params: &Value, heard: &mut Heard) {
        let item = text(params, "itemId").unwrap_or_default();
        let (about, what) = match method {
            "item/commandExecution/requestApproval" => (About::Command, command(params)),
            "item/fileChange/requestApproval" => {
                let files = self.files.get(item).cloned().filter(|files| !files.is_empty());
                (About::Edit, files.unwrap_or_else(|| "files".into()))
            }
            "item/permissions/requestApproval" => {
                let wanted = params.get("permissions").map(Value::to_string).unwrap_or_default();
                (About::Permission, wanted)
            }
            "mcpServer/elicitation/request" => {
                let words = text(params, "message").unwrap_or("an MCP server asks");
                (About::Choice, words.to_owned())
            }
            "item/tool/requestUserInput" => {
                let first = params.pointer("/questions/0/question").and_then(Value::as_str);
                (About::Choice, first.unwrap_or("it asks a question").to_owned())
            }
            // The TUI's own business: it answers for both.
            _ => return,
        };
        let why = text(params, "reason").unwrap_or_default().to_owned();
        self.open.retain(|open| open.id != *id);
        self.open.push(Open {
            id: id.clone(),
            method: method.to_owned(),
            thread: text(params, "threadId").unwrap_or_default().to_owned(),
            params: params.clone(),
        });
        heard.tell.push(Event::Asked(Question { id: name(id), about, what, why }));
    }

    /// What is to be sent for an order, and the request that its answer comes to; at once done without one.
    pub(in crate::agent::codex) fn order(&mut self, order: &Order) -> Result<(Value, Option<u64>), String> {
        if let Order::Answer { question, verdict } = order {
            return self.verdict(question, *verdict).map(|message| (message, None));
        }
        let thread = self.main.clone().ok_or("Codex has opened no thread yet")?;
        let input = |words: &str| json!([{ "type": "text", "text": words }]);
        let (method, params) = match order {
            Order::Interrupt => {
                let turn = self.turn.clone().filter(|_| self.in_turn).ok_or("no turn runs")?;
                ("turn/interrupt", json!({ "threadId": thread, "turnId": turn }))
            }
            Order::Prompt(words) => ("turn/start", json!({ "threadId": thread, "input": input(words) })),
            Order::Queue(words) => {
                let id = format!("inspan-{}", self.next + 1);
                let params = json!({ "threadId": thread, "clientUserMessageId": id, "input": input(words) });
                ("thread/queue/add", params)
            }
            Order::Model(model) => ("thread/settings/update", json!({ "threadId": thread, "model": model })),
            Order::Answer { .. } => return Err("it was answered".into()),
        };
        let message = self.request(Asked::Ordered, method, &params);
        Ok((message, Some(self.next)))
    }

    fn verdict(&mut self, question: &str, verdict: Verdict) -> Result<Value, String> {
        let open = self.open.iter().find(|open| name(&open.id) == question);
        let open = open.ok_or("that question is answered already")?;
        let result = match open.method.as_str() {
            "item/commandExecution/requestApproval" | "item/fileChange/requestApproval" => {
                let decision = match verdict {
                    Verdict::Approve => "accept",
                    Verdict::ApproveForSession => "acceptForSession",
                    Verdict::Deny => "decline",
                };
                json!({ "decision": decision })
            }
            "item/permissions/requestApproval" => {
                let wanted = open.params.get("permissions").cloned().unwrap_or_else(|| json!({}));
                match verdict {
                    Verdict::Approve => json!({ "permissions": wanted, "scope": "turn" }),
                    Verdict::ApproveForSession => json!({ "permissions": wanted, "scope": "session" }),
                    Verdict::Deny => json!({ "permissions": {} }),
                }
            }
            _ if verdict == Verdict::Deny && open.method.starts_with("mcpServer/") => {
                json!({ "action": "decline", "content": null })
            }
            _ => return Err(format!("{} asks for more than yes or no: answer it in its pane", open.thread)),
        };
        Ok(json!({ "id": open.id, "result": result }))
    }
}
