//! The journal as people read it: its newest events, and those to come.
use super::{
    Server,
    reply::{Failure, Reply},
    verbs::{Answer, Outcome},
};
use crate::{commands::Target, record::JournalEvent, state::target::Origin};
use serde_json::{Value, json};

/// Commands that follow at once; each costs work at every event.
const FOLLOWERS: usize = 32;
/// Events that are read at most: the newest of a pane or a kind are looked for among so many.
const READ_MAX: usize = 20_000;

/// A command that prints events as they come.
#[derive(Debug)]
pub struct Follower {
    reply: Reply,
    wanted: Wanted,
}

/// Which events are printed, and how.
#[derive(Clone, Debug)]
struct Wanted {
    /// A pane's ULID.
    pane: Option<String>,
    kinds: Vec<String>,
    json: bool,
}

impl Wanted {
    fn has(&self, event: &JournalEvent) -> bool {
        self.pane.as_ref().is_none_or(|pane| *pane == event.pane)
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
    }
}

impl Server {
    /// The newest events of the journal; with `follow` also those to come.
    pub(super) fn events_verb(
        &mut self,
        target: &Target,
        count: usize,
        (follow, json): (bool, bool),
        kinds: Vec<String>,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let pane = match &target.target {
            Some(name) => {
                let id = self.state.find_pane(Some(name), origin)?;
                self.state.panes.get(&id).map(|pane| pane.key.clone())
            }
            None => None,
        };
        let wanted = Wanted { pane, kinds, json };
        if follow && origin.client.is_some() {
            return Err(Failure::Usage("--follow prints to a shell, not over a pane".into()));
        }
        if follow && self.followers.len() >= FOLLOWERS {
            return Err(Failure::Failed(format!("{FOLLOWERS} commands follow already")));
        }
        let (client, mut reply, recorder) = (origin.client, reply.take(), self.recorder.clone());
        let read =
            if wanted.pane.is_some() || !wanted.kinds.is_empty() { READ_MAX } else { count.min(READ_MAX) };
        self.tasks.spawn(
            move || recorder.events(read),
            move |server, rows| {
                let text = rows.map(|rows| {
                    let rows: Vec<&JournalEvent> = rows.iter().filter(|row| wanted.has(row)).collect();
                    let newest = &rows[rows.len().saturating_sub(count)..];
                    newest.iter().map(|row| server.event_line(row, wanted.json)).collect::<String>()
                });
                match (text, reply.take()) {
                    (Ok(text), Some(mut reply)) if follow => {
                        reply.text(text);
                        if reply.push() {
                            server.followers.push(Follower { reply, wanted });
                        }
                    }
                    (Ok(text), reply) => server.answer(Ok(Outcome::Done(text)), client, reply),
                    (Err(error), reply) => {
                        server.answer(Err(Failure::Failed(error.to_string())), client, reply);
                    }
                }
            },
        );
        Ok(Outcome::Later)
    }

    /// An event was written.
    pub(super) fn follow(&mut self, event: &JournalEvent) {
        let mut followers = std::mem::take(&mut self.followers);
        followers.retain_mut(|follower| {
            if follower.wanted.has(event) {
                let line = self.event_line(event, follower.wanted.json);
                follower.reply.text(line);
            }
            follower.reply.push()
        });
        self.followers = followers;
    }

    fn event_line(&self, event: &JournalEvent, as_json: bool) -> String {
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        // A pane that is gone is known by its ULID alone.
        let id = self.state.pane_by_key(&event.pane).map(|pane| pane.id.to_string());
        if as_json {
            let row = json!({
                "at_ms": event.at_ms, "session": event.session, "pane": event.pane, "pane_id": id, "kind": event.kind,
                "data": data,
            });
            return format!("{row}\n");
        }
        let at = jiff::Timestamp::from_millisecond(event.at_ms)
            .map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string())
            .unwrap_or_default();
        let pane = id.unwrap_or_else(|| event.pane.clone());
        format!("{at}  {pane:<4} {:<14} {}\n", event.kind, in_words(&event.kind, &data))
    }
}

/// What happened, for a person.
fn in_words(kind: &str, data: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let route = |value: &Value| {
        let model = value["model"].as_str().map(|model| format!(" {model}")).unwrap_or_default();
        format!("{}{model}", value["executor"].as_str().unwrap_or("shell"))
    };
    match kind {
        "status" => {
            let detail = data["detail"].as_str().filter(|detail| !detail.is_empty());
            let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{} -> {} ({}){detail}", text(&data["was"]), text(&data["status"]), text(&data["source"]))
        }
        "switch" => {
            let kept =
                data["checkpoint"]["id"].as_u64().map(|id| format!(", checkpoint {id}")).unwrap_or_default();
            let same =
                if data["workspace_same"] == true { "workspace as before" } else { "workspace changed" };
            format!(
                "{} -> {}, session {}{kept}, {same}",
                route(&data["from"]),
                route(&data["to"]),
                text(&data["session"])
            )
        }
        "turn" => {
            let kept = data["checkpoint"].as_u64().map(|id| format!(", checkpoint {id}")).unwrap_or_default();
            format!("{}{kept}", text(&data["reason"]))
        }
        "same-file" => format!(
            "{} and {} write {}",
            text(&data["panes"][0]),
            text(&data["panes"][1]),
            text(&data["file"])
        ),
        "harness.start" => format!("{} by {}", route(data), text(&data["auth"])),
        "route.model" => format!("{}, asked by {}", text(&data["model"]), text(&data["asked_by"])),
        _ => data.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_as_sentences() {
        let status =
            json!({ "status": "needs-you", "was": "working", "source": "screen", "detail": "run ls?" });
        assert_eq!(in_words("status", &status), "working -> needs-you (screen): run ls?");
        let switch = json!({
            "from": { "executor": "claude" }, "to": { "executor": "codex", "model": "gpt-5.4" }, "session": "new",
            "checkpoint": { "id": 8 }, "workspace_same": true,
        });
        assert_eq!(
            in_words("switch", &switch),
            "claude -> codex gpt-5.4, session new, checkpoint 8, workspace as before"
        );
        assert_eq!(in_words("other", &json!({ "a": 1 })), r#"{"a":1}"#);
    }
}
