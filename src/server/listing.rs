//! What `list-*` prints: rows of named values, as a table, JSON or tmux's `#{…}` formats.
use super::{Server, input::KeyTable};
use crate::{
    commands::Format,
    mux::{PaneId, SessionId},
};
use serde_json::{Map, Value, json};

/// A row: names and values in the order of the table.
pub type Row = Map<String, Value>;

/// Prints rows as asked. Unknown names in a format are empty, as in tmux.
pub fn print(format: &Format, rows: &[Row]) -> String {
    if format.json {
        return serde_json::to_string_pretty(rows).unwrap_or_default() + "\n";
    }
    let format = format.format.as_deref().unwrap_or("#{line}");
    rows.iter().map(|row| expand(format, row) + "\n").collect()
}

/// Replaces `#{name}` by the row's value; `##` is `#`.
pub fn expand(format: &str, row: &Row) -> String {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(at) = rest.find('#') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('#') {
            out.push('#');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
            out.push_str(&word(row.get(name).unwrap_or(&Value::Null)));
            rest = after;
        } else {
            out.push('#');
        }
    }
    out + rest
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => (if *yes { "1" } else { "0" }).into(),
        other => other.to_string(),
    }
}

fn row(value: Value) -> Row {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

impl Server {
    pub(super) fn session_rows(&self) -> Vec<Row> {
        self.state
            .sessions
            .values()
            .map(|s| {
                let attached = self.state.clients.values().filter(|c| c.session == s.id).count();
                let rehearse = if s.rehearse { ", rehearsal" } else { "" };
                row(json!({
                    "id": s.id.to_string(), "name": s.name, "workspace": s.workspace, "windows": s.windows.len(),
                    "panes": self.state.panes_of(s.id).len(), "attached": attached, "rehearse": s.rehearse,
                    "vaults": s.vaults, "metadata": s.metadata,
                    "cols": s.size.0, "rows": s.size.1,
                    "session_id": s.id.to_string(), "session_name": s.name, "session_windows": s.windows.len(),
                    "session_attached": attached, "session_path": s.workspace,
                    "line": format!("{}: {} windows ({}{rehearse}){}", s.name, s.windows.len(), s.workspace.display(),
                        if attached > 0 { " (attached)" } else { "" }),
                }))
            })
            .collect()
    }

    pub(super) fn window_rows(&self, only: Option<SessionId>) -> Vec<Row> {
        let mut rows = Vec::new();
        for session in self.state.sessions.values().filter(|s| only.is_none_or(|o| o == s.id)) {
            for (i, window) in session.windows.iter().enumerate() {
                let Some(w) = self.state.windows.get(window) else { continue };
                let panes = w.layout.panes();
                let active = session.active == w.id;
                rows.push(row(json!({
                    "id": w.id.to_string(), "session": session.name, "index": i + 1, "name": w.name,
                    "active": active, "panes": panes.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "active_pane": w.active.to_string(), "zoomed": w.zoomed,
                    "cols": session.size.0, "rows": session.size.1,
                    "window_id": w.id.to_string(), "window_index": i + 1, "window_name": w.name,
                    "window_active": active, "window_panes": panes.len(), "window_zoomed_flag": w.zoomed,
                    "session_name": session.name, "session_id": session.id.to_string(),
                    "line": format!("{}:{}: {}{}{} ({} panes) [{}x{}] {}", session.name, i + 1, w.name,
                        if active { "*" } else { "" }, if w.zoomed { "Z" } else { "" }, panes.len(),
                        session.size.0, session.size.1, w.id),
                })));
            }
        }
        rows
    }

    pub(super) fn pane_rows(&self, only: Option<SessionId>) -> Vec<Row> {
        self.state
            .sessions
            .values()
            .filter(|s| only.is_none_or(|o| o == s.id))
            .flat_map(|s| self.state.panes_of(s.id))
            .map(|p| self.pane_row(p))
            .collect()
    }

    /// Everything that a format may say about a pane.
    pub(super) fn pane_row(&self, id: PaneId) -> Row {
        let Some(pane) = self.state.panes.get(&id) else { return Map::new() };
        let window = self.state.window_of(id);
        let session = window.and_then(|w| self.state.session_of(w.id));
        let window_index = session
            .zip(window)
            .and_then(|(s, w)| s.windows.iter().position(|x| *x == w.id))
            .map_or(0, |i| i + 1);
        let pane_index =
            window.and_then(|w| w.layout.panes().iter().position(|p| *p == id)).map_or(0, |i| i + 1);
        let harness = pane.harness.as_ref();
        let route = harness.map(|h| &h.route);
        let executor = route.map_or("shell".to_owned(), |r| r.executor.to_string());
        let model = route.and_then(|r| r.model.clone());
        let auth = route.map(|r| r.auth.as_str());
        let active = window.is_some_and(|w| w.active == id);
        let session_name = session.map(|s| s.name.clone()).unwrap_or_default();
        let status = pane.status.status.as_str();
        let area = self.state.area_of(id);
        let rect = window
            .and_then(|w| if w.zoomed && w.active == id { Some(area) } else { w.layout.rect_of(id, area) });
        let rect = rect.unwrap_or_default();
        let emulator = self.emulator(id);
        let (alternate, history) = emulator
            .as_ref()
            .map(|e| {
                let e = super::panes::lock(e);
                (e.modes().alt_screen, e.history_len())
            })
            .unwrap_or_default();
        let mut row = row(json!({
            "id": id.to_string(), "session": session_name, "window": window_index,
            "executor": executor, "model": model, "auth": auth, "status": status,
            "cwd": pane.cwd, "pid": pane.pid,
            "index": pane_index, "key": pane.key, "window_id": window.map(|w| w.id.to_string()),
            "active": active, "title": pane.title, "width": pane.size.0, "height": pane.size.1,
            "left": rect.x, "top": rect.y, "zoomed": window.is_some_and(|w| w.zoomed && w.active == id),
            "argv": pane.argv, "status_source": pane.status.source, "status_detail": pane.status.detail,
            "status_since": pane.status_since,
            "provider": route.map(|r| r.provider.as_str()), "payer": route.map(|r| r.payer.clone()),
            "native_session": harness.and_then(|h| h.session.clone()),
            "parked": harness.map(|h| h.parked.keys().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default(),
            "served_model": harness.and_then(|h| h.served_model.clone()),
            "permission": harness.map(|h| h.permission), "rehearse": harness.is_some_and(|h| h.rehearse),
            "requests": harness.map_or(0, |h| h.usage.requests),
            "input_tokens": harness.map_or(0, |h| h.usage.input), "output_tokens": harness.map_or(0, |h| h.usage.output),
            "switch": harness.and_then(|h| h.switch.as_ref()).map(|s| json!({"step": s.step, "failed": s.failed})),
            "exit": pane.exit.as_ref().map(|e| e.what.clone()), "notes": pane.notes,
        }));
        row.extend(self::row(json!({
            "cost": harness.and_then(|h| h.usage.cost),
            "credits": harness.and_then(|h| h.usage.cost).map(|usd| usd * self.settings.credits_per_usd as f64),
            "retries": harness.map_or(0, |h| h.usage.retries),
            "budget": harness.and_then(|h| h.budget.clone()), "limits": harness.map(|h| h.windows.clone()),
            "pane_id": id.to_string(), "pane_index": pane_index, "pane_active": active, "pane_title": pane.title,
            "pane_pid": pane.pid, "pane_width": pane.size.0, "pane_height": pane.size.1, "pane_left": rect.x,
            "pane_top": rect.y, "pane_current_path": pane.cwd, "pane_dead": pane.exit.is_some(),
            "alternate_on": alternate, "history_size": history,
            "pane_current_command": pane.argv.first().cloned().unwrap_or_else(|| executor.clone()),
            "session_name": session_name, "session_id": session.map(|s| s.id.to_string()),
            "window_index": window_index, "window_name": window.map(|w| w.name.clone()),
            "line": format!("{session_name}:{window_index}.{pane_index}: {id} {executor}{}{} {status} [{}x{}]{}",
                model.as_ref().map(|m| format!(" {m}")).unwrap_or_default(),
                auth.map(|a| format!(" {a}")).unwrap_or_default(), pane.size.0, pane.size.1,
                if active { " (active)" } else { "" }),
        })));
        row
    }

    pub(super) fn client_rows(&self) -> Vec<Row> {
        self.state
            .clients
            .values()
            .map(|c| {
                let session = self.state.sessions.get(&c.session).map(|s| s.name.clone()).unwrap_or_default();
                let link = self.links.get(&c.id);
                let term = link.and_then(|l| l.env.get("TERM").cloned()).unwrap_or_default();
                let tty = link.and_then(|l| l.env.get("SSH_TTY").cloned());
                row(json!({
                    "id": c.id.to_string(), "session": session, "cols": c.size.0, "rows": c.size.1, "term": term,
                    "tty": tty, "utf8": c.utf8, "since": link.map(|l| l.since),
                    "terminal": link.and_then(|l| l.writer.caps().name.clone()),
                    "client_session": session, "client_width": c.size.0, "client_height": c.size.1,
                    "client_termname": term, "client_name": c.id.to_string(),
                    "line": format!("{}: {session} [{}x{} {term}]", c.id, c.size.0, c.size.1),
                }))
            })
            .collect()
    }
}

impl KeyTable {
    /// What `list-keys` prints.
    pub(super) fn list(&self, as_json: bool) -> String {
        let rows: Vec<_> = self.bound().collect();
        if as_json {
            let rows: Vec<Value> =
                rows.iter().map(|r| json!({ "key": r.keys, "command": r.command, "help": r.help })).collect();
            return serde_json::to_string_pretty(&rows).unwrap_or_default() + "\n";
        }
        rows.iter()
            .map(|r| format!("{} {:<10} {:<44} {}\n", self.prefix_notation(), r.keys, r.command, r.help))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_expand_as_in_tmux() {
        let row = row(json!({ "pane_id": "%1", "pane_active": true, "pane_pid": 12, "model": null }));
        assert_eq!(expand("#{pane_id} #{pane_active} #{pane_pid}", &row), "%1 1 12");
        assert_eq!(expand("[#{model}][#{nosuch}] ## #x #", &row), "[][] # #x #");
    }
}
