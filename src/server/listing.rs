//! What `list-*` prints: rows of named values, as a table, JSON or tmux's `#{…}` formats.
use super::scripted::Owner;
use super::{
    Server,
    input::{Binding, KeyTable, Table},
};
use crate::term::modes::MouseProtocol;
use crate::{
    commands::Format,
    mux::{
        PaneId, SessionId, WindowId,
        format::{self, Over, Values},
        keys::Key,
        layout::Rect,
    },
    state::{Session, Window, target::Origin},
};
use serde_json::{Map, Value, json};

/// A row: names and values in the order of the table.
pub type Row = Map<String, Value>;

/// Prints rows as asked. Unknown names in a format are empty, as in tmux.
pub fn print(format: &Format, rows: &[Row]) -> String {
    let texts = rows.iter().map(|row| (row.clone(), RowValues(row)));
    print_values(format, texts)
}

fn print_values<V: Values>(how: &Format, rows: impl Iterator<Item = (Row, V)>) -> String {
    let passes = |values: &V| {
        how.filter.as_ref().is_none_or(|filter| format::is_true(&format::expand(filter, values)))
    };
    if how.json {
        let rows: Vec<Row> = rows.filter(|(_, values)| passes(values)).map(|(row, _)| row).collect();
        return serde_json::to_string_pretty(&rows).unwrap_or_default() + "\n";
    }
    let text = how.format.as_deref().unwrap_or("#{line}");
    rows.filter(|(_, values)| passes(values))
        .map(|(_, values)| format::expand(text, &values) + "\n")
        .collect()
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => (if *yes { "1" } else { "0" }).into(),
        other => other.to_string(),
    }
}

/// Nothing has a value.
pub struct Nothing;

impl Values for Nothing {
    fn value(&self, _: &str) -> Option<String> {
        None
    }
}

/// A row's own values.
struct RowValues<'a>(&'a Row);

impl Values for RowValues<'_> {
    fn value(&self, name: &str) -> Option<String> {
        self.0.get(name).map(word)
    }

    fn time(&self, unix: i64, format: Option<&str>) -> String {
        time_of_day(unix, format)
    }
}

/// A moment in local time, as a format says, else as tmux writes it.
pub(super) fn time_of_day(unix: i64, format: Option<&str>) -> String {
    let Ok(at) = jiff::Timestamp::from_second(unix) else { return String::new() };
    let at = at.to_zoned(jiff::tz::TimeZone::system());
    // A format of a person's own may be no format.
    jiff::fmt::strtime::format(format.unwrap_or("%a %b %e %H:%M:%S %Y"), &at).unwrap_or_default()
}

/// What a format may say about a pane, its window, its session, a client, and everything that is set.
pub(super) struct Told<'a> {
    server: &'a Server,
    row: Row,
    pane: Option<PaneId>,
}

impl Values for Told<'_> {
    fn value(&self, name: &str) -> Option<String> {
        if let Some(value) = self.row.get(name) {
            return Some(word(value));
        }
        if name.starts_with('@') {
            return Some(self.server.user_option(name, self.pane).unwrap_or_default());
        }
        let process = self.pane.and_then(|id| self.server.state.panes.get(&id)).and_then(|pane| pane.pid);
        match name {
            // Asked of the system only where somebody wants to know.
            "pane_current_path" => process.and_then(|pid| link_of(foreground(pid), "cwd")),
            "pane_current_command" => {
                let comm = process.map(|pid| format!("/proc/{}/comm", foreground(pid)));
                comm.and_then(|path| std::fs::read_to_string(path).ok())
                    .map(|name| name.trim_end().to_owned())
            }
            "pane_tty" => process.and_then(|pid| link_of(pid, "fd/0")),
            "host" => Some(rustix::system::uname().nodename().to_string_lossy().into_owned()),
            "host_short" => {
                let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
                Some(name.split('.').next().unwrap_or_default().to_owned())
            }
            "pid" => Some(std::process::id().to_string()),
            "version" => Some(env!("CARGO_PKG_VERSION").into()),
            "socket_path" => Some(self.server.place.socket.to_string_lossy().into_owned()),
            "server_sessions" => Some(self.server.state.sessions.len().to_string()),
            _ => self.server.option_value(name),
        }
    }

    fn each(&self, over: Over) -> Vec<(Box<dyn Values + '_>, bool)> {
        let server = self.server;
        let state = &server.state;
        let window = self.pane.and_then(|pane| state.window_of(pane));
        let session = window.and_then(|w| state.session_of(w.id));
        let told = |pane: PaneId, current: bool| {
            let row = server.full_row(pane);
            (Box::new(Told { server, row, pane: Some(pane) }) as Box<dyn Values + '_>, current)
        };
        match over {
            Over::Sessions => {
                let active = |s: &crate::state::Session| state.windows.get(&s.active).map(|w| w.active);
                let sessions = state.sessions.values();
                sessions
                    .filter_map(|s| Some(told(active(s)?, session.is_some_and(|own| own.id == s.id))))
                    .collect()
            }
            Over::Windows => {
                let windows = session.map(|s| (s.active, s.windows.as_slice())).unwrap_or((WindowId(0), &[]));
                let all = windows.1.iter().filter_map(|id| state.windows.get(id));
                all.map(|w| told(w.active, w.id == windows.0)).collect()
            }
            Over::Panes => {
                let panes = window.map(|w| (w.active, w.panes())).unwrap_or((PaneId(0), Vec::new()));
                panes.1.into_iter().map(|pane| told(pane, pane == panes.0)).collect()
            }
        }
    }

    fn time(&self, unix: i64, format: Option<&str>) -> String {
        time_of_day(unix, format)
    }

    fn search(&self, text: &str) -> usize {
        let emulator = self.pane.and_then(|pane| self.server.emulator(pane));
        let shown = emulator.map(|e| super::panes::lock(&e).capture(None, None, false, false));
        let found = shown.and_then(|shown| shown.lines().position(|line| line.contains(text)));
        found.map_or(0, |at| at + 1)
    }
}

/// The process that has the terminal of a pane's first process.
fn foreground(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; what follows it are numbers.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let group = after.split_whitespace().nth(5).and_then(|group| group.parse().ok());
    group
        .filter(|group| *group > 0 && std::path::Path::new(&format!("/proc/{group}")).exists())
        .unwrap_or(pid)
}

fn link_of(pid: i32, what: &str) -> Option<String> {
    std::fs::read_link(format!("/proc/{pid}/{what}")).ok().map(|path| path.to_string_lossy().into_owned())
}

pub fn row(value: Value) -> Row {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

impl Server {
    /// Prints rows about panes; for a session or a window that is its active one.
    pub(super) fn print_rows(&self, format: &Format, rows: Vec<(Row, Option<PaneId>)>) -> String {
        let told = rows.into_iter().map(|(own, pane)| {
            let mut row = pane.map(|pane| self.full_row(pane)).unwrap_or_default();
            row.extend(own.clone());
            (own, Told { server: self, row, pane })
        });
        print_values(format, told)
    }

    /// Expands a format about a pane, for whoever asked.
    pub(super) fn formatted(&self, text: &str, pane: PaneId, origin: &Origin) -> String {
        let mut row = self.full_row(pane);
        if let Some(client) = origin.client.or_else(|| self.client_of(pane)) {
            row.extend(
                self.client_rows()
                    .into_iter()
                    .filter(|r| r.get("id").map(word) == Some(client.to_string()))
                    .flatten()
                    .filter(|(name, _)| name.starts_with("client_")),
            );
        }
        format::expand(text, &Told { server: self, row, pane: Some(pane) })
    }

    /// A client that looks at a pane's session.
    fn client_of(&self, pane: PaneId) -> Option<crate::mux::ClientId> {
        let session = self.state.session_of(self.state.window_of(pane)?.id)?.id;
        self.state.clients.values().filter(|c| c.session == session).map(|c| c.id).next_back()
    }

    /// Everything about a pane with its window and session.
    pub(super) fn full_row(&self, pane: PaneId) -> Row {
        let mut row = Row::new();
        if let Some(window) = self.state.window_of(pane)
            && let Some(session) = self.state.session_of(window.id)
        {
            row.extend(self.session_row(session));
            row.extend(self.window_row(session, window));
        }
        row.extend(self.pane_row(pane));
        row
    }

    /// A `@name` option of a pane, its window, its session, everybody.
    pub(super) fn user_option(&self, name: &str, pane: Option<PaneId>) -> Option<String> {
        let window = pane.and_then(|pane| self.state.window_of(pane)).map(|w| w.id);
        let session = window.and_then(|w| self.state.session_of(w)).map(|s| s.id);
        let owners: Vec<Owner> = [
            pane.map(Owner::Pane),
            window.map(Owner::Window),
            session.map(Owner::Session),
            Some(Owner::Global),
        ]
        .into_iter()
        .flatten()
        .collect();
        self.scripted.user_option(name, &owners).cloned()
    }

    fn active_pane(&self, session: &Session) -> Option<PaneId> {
        self.state.windows.get(&session.active).map(|w| w.active)
    }

    pub(super) fn session_rows(&self) -> Vec<(Row, Option<PaneId>)> {
        self.state.sessions.values().map(|s| (self.session_row(s), self.active_pane(s))).collect()
    }

    fn session_row(&self, s: &Session) -> Row {
        let attached = self.state.clients.values().filter(|c| c.session == s.id).count();
        let rehearse = if s.rehearse { ", rehearsal" } else { "" };
        let waiting =
            self.state.panes_of(s.id).into_iter().filter(|pane| self.wants_somebody(*pane) == Some(0));
        row(json!({
            "id": s.id.to_string(), "name": s.name, "workspace": s.workspace, "windows": s.windows.len(),
            "panes": self.state.panes_of(s.id).len(), "attached": attached, "rehearse": s.rehearse,
            "vaults": s.vaults, "metadata": s.metadata, "cols": s.size.0, "rows": s.size.1, "needs_you": waiting.count(),
            "session_id": s.id.to_string(), "session_name": s.name, "session_windows": s.windows.len(),
            "session_attached": attached, "session_path": s.workspace, "session_many_attached": attached > 1,
            "session_format": true, "session_grouped": false, "session_group": "",
            "line": format!("{}: {} windows ({}{rehearse}){}", s.name, s.windows.len(), s.workspace.display(),
                if attached > 0 { " (attached)" } else { "" }),
        }))
    }

    pub(super) fn window_rows(&self, only: Option<SessionId>) -> Vec<(Row, Option<PaneId>)> {
        let mut rows = Vec::new();
        for session in self.state.sessions.values().filter(|s| only.is_none_or(|o| o == s.id)) {
            let windows = session.windows.iter().filter_map(|id| self.state.windows.get(id));
            rows.extend(windows.map(|w| (self.window_row(session, w), Some(w.active))));
        }
        rows
    }

    fn window_row(&self, session: &Session, w: &Window) -> Row {
        let at = session.windows.iter().position(|id| *id == w.id).unwrap_or(0);
        let panes = w.panes();
        let active = session.active == w.id;
        let area = Rect::new(0, 0, session.size.0, session.size.1);
        let last = session.last == Some(w.id);
        let calls = panes.iter().any(|pane| self.wants_somebody(*pane) == Some(0));
        let mut flags = String::new();
        for (flag, set) in [('*', active), ('-', last), ('!', calls), ('Z', w.zoomed)] {
            flags.extend(set.then_some(flag));
        }
        row(json!({
            "id": w.id.to_string(), "session": session.name, "index": at + 1, "name": w.name,
            "active": active, "panes": panes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "active_pane": w.active.to_string(), "zoomed": w.zoomed, "synchronized": w.synchronized,
            "cols": session.size.0, "rows": session.size.1, "layout": w.layout.to_text(area),
            "window_id": w.id.to_string(), "window_index": at + 1, "window_name": w.name,
            "window_active": active, "window_panes": panes.len(), "window_zoomed_flag": w.zoomed,
            "window_layout": w.layout.to_text(area),
            "window_visible_layout": w.layout.to_text(area),
            "window_flags": flags, "window_raw_flags": flags, "window_last_flag": last,
            "window_width": session.size.0, "window_height": session.size.1, "window_bell_flag": calls,
            "window_activity_flag": false, "window_silence_flag": false, "window_linked": false,
            "window_start_flag": at == 0, "window_end_flag": at + 1 == session.windows.len(),
            "window_format": true, "active_window_index": at + 1,
            "session_name": session.name, "session_id": session.id.to_string(),
            "line": format!("{}:{}: {}{flags} ({} panes) [{}x{}] {}", session.name, at + 1, w.name, panes.len(),
                session.size.0, session.size.1, w.id),
        }))
    }

    pub(super) fn rows_of(&self, panes: Vec<PaneId>) -> Vec<(Row, Option<PaneId>)> {
        panes.into_iter().map(|p| (self.pane_row(p), Some(p))).collect()
    }

    pub(super) fn pane_rows(&self, only: Option<SessionId>) -> Vec<(Row, Option<PaneId>)> {
        self.state
            .sessions
            .values()
            .filter(|s| only.is_none_or(|o| o == s.id))
            .flat_map(|s| self.state.panes_of(s.id))
            .map(|p| (self.pane_row(p), Some(p)))
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
        let pane_index = window.and_then(|w| w.panes().iter().position(|p| *p == id)).map_or(0, |i| i + 1);
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
        let floats = window.and_then(|w| w.floating.iter().find(|floating| floating.pane == id));
        let rect = rect.unwrap_or_else(|| {
            floats.map_or(Rect::default(), |f| Rect::new(f.rect.0, f.rect.1, f.rect.2, f.rect.3))
        });
        let emulator = self.emulator(id);
        let (modes, history, cursor) = emulator
            .as_ref()
            .map(|e| {
                let e = super::panes::lock(e);
                let cursor = e.cursor();
                (e.modes(), e.history_len(), (cursor.x, cursor.y, cursor.visible))
            })
            .unwrap_or_default();
        let copying = self.links.values().any(|link| link.copies.contains_key(&id));
        let title = pane.label.as_ref().unwrap_or(&pane.title);
        let mut row = row(json!({
            "id": id.to_string(), "session": session_name, "window": window_index,
            "executor": executor, "model": model, "auth": auth, "status": status,
            "cwd": pane.cwd, "pid": pane.pid,
            "index": pane_index, "key": pane.key, "window_id": window.map(|w| w.id.to_string()),
            "active": active, "title": title, "floating": floats.is_some(), "popup": pane.popup,
            "input_off": pane.input_off, "piped": self.scripted.pipes.contains_key(&id), "width": pane.size.0, "height": pane.size.1,
            "left": rect.x, "top": rect.y, "zoomed": window.is_some_and(|w| w.zoomed && w.active == id),
            "argv": pane.argv, "status_source": pane.status.source, "status_detail": pane.status.detail,
            "status_since": pane.status_since,
            "provider": route.map(|r| r.provider.as_str()), "payer": route.map(|r| r.payer.clone()),
            "native_session": harness.and_then(|h| h.session.clone()),
            "parked": harness.map(|h| h.parked.keys().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default(),
            "served_model": harness.and_then(|h| h.served_model.clone()),
            "permission": harness.map(crate::state::Harness::may), "rehearse": harness.is_some_and(|h| h.rehearse),
            "requests": harness.map_or(0, |h| h.usage.requests),
            "input_tokens": harness.map_or(0, |h| h.usage.input), "output_tokens": harness.map_or(0, |h| h.usage.output),
            "switch": harness.and_then(|h| h.switch.as_ref()).map(|s| json!({"step": s.step, "failed": s.failed})),
            "exit": pane.exit.as_ref().map(|e| e.what.clone()), "notes": pane.notes,
        }));
        row.extend(self::row(json!({
            "cost": harness.and_then(|h| h.usage.cost),
            "credits": harness.and_then(|h| h.usage.cost).map(|usd| usd * self.settings.credits_per_usd as f64),
            "retries": harness.map_or(0, |h| h.usage.retries),
            "budget": harness.and_then(|h| h.budget().cloned()), "budgets": harness.map(|h| h.budgets.clone()),
            "keys": harness.map(|h| h.keys.clone()), "limits": harness.map(|h| h.windows.clone()),
            "pane_id": id.to_string(), "pane_index": pane_index, "pane_active": active, "pane_title": title,
            "pane_pid": pane.pid, "pane_width": pane.size.0, "pane_height": pane.size.1, "pane_left": rect.x,
            "pane_top": rect.y, "pane_right": (rect.x + rect.w).saturating_sub(1),
            "pane_bottom": (rect.y + rect.h).saturating_sub(1),
            "pane_at_left": rect.x == 0, "pane_at_top": rect.y == 0,
            "pane_at_right": rect.x + rect.w >= area.w, "pane_at_bottom": rect.y + rect.h >= area.h,
            "progress": pane.progress.map(|p| p.percent), "pane_progress": pane.progress.map(|p| p.percent),
            "pane_progress_state": pane.progress.map(|p| p.kind.as_str()),
            "pane_dead": pane.exit.is_some(), "pane_dead_status": pane.exit.as_ref().map(|e| e.what.rsplit(' ').next().unwrap_or_default().to_owned()),
            "pane_last": window.is_some_and(|w| w.last == Some(id)), "pane_in_mode": copying,
            "pane_mode": if copying { "copy-mode" } else { "" }, "pane_input_off": pane.input_off,
        })));
        row.extend(self::row(json!({
            "limited_until": pane.status.until,
            "same_files": (self.state.same_files.iter())
                .filter(|(a, b, _)| *a == id || *b == id)
                .map(|(a, b, file)| json!({ "file": file, "with": if *a == id { *b } else { *a }.to_string() }))
                .collect::<Vec<_>>(),
            "pane_synchronized": window.is_some_and(|w| w.synchronized),
            "pane_pipe": self.scripted.pipes.contains_key(&id), "pane_floating": floats.is_some(),
            "pane_start_command": pane.argv.join(" "), "pane_start_path": pane.cwd, "pane_format": true,
            "pane_marked": false, "pane_tabs": "", "cursor_x": cursor.0, "cursor_y": cursor.1, "cursor_flag": cursor.2,
            "alternate_on": modes.alt_screen, "history_size": history, "history_limit": self.settings.history,
            "mouse_any_flag": modes.mouse != MouseProtocol::Off, "keypad_cursor_flag": modes.app_cursor,
            "keypad_flag": modes.app_keypad, "bracketed_paste_flag": modes.bracketed_paste,
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
                    "client_termname": term, "client_name": c.id.to_string(), "client_tty": tty,
                    "read_only": c.read_only, "client_readonly": c.read_only, "client_utf8": c.utf8,
                    "client_prefix": c.prefix, "client_created": link.map(|l| l.since),
                    "client_last_session": c.last_session.and_then(|s| self.state.sessions.get(&s)).map(|s| s.name.clone()),
                    "client_key_table": if c.prefix { "prefix" } else { "root" },
                    "line": format!("{}: {session} [{}x{} {term}]{}", c.id, c.size.0, c.size.1,
                        if c.read_only { " (only watches)" } else { "" }),
                }))
            })
            .collect()
    }
}

impl KeyTable {
    /// What `list-keys` prints: every binding, or those of one table or key.
    pub(super) fn list(&self, as_json: bool, table: Option<Table>, key: Option<&Key>) -> String {
        let wanted = |(of, bound, _): &(Table, &Key, &Binding)| {
            table.is_none_or(|table| table == *of) && key.is_none_or(|key| key == *bound)
        };
        let help: std::collections::BTreeMap<String, String> =
            crate::commands::rows().into_iter().map(|row| (row.name, row.help)).collect();
        let told = |binding: &Binding| {
            let of_command = || binding.words.first().and_then(|word| help.get(word)).cloned();
            binding.note.clone().or_else(of_command).unwrap_or_default()
        };
        let rows: Vec<_> = self.bindings().filter(wanted).collect();
        if as_json {
            let row = |(table, key, binding): &(Table, &Key, &Binding)| {
                json!({ "table": table.name(), "key": key.to_string(), "command": binding.line,
                    "repeat": binding.repeat, "help": told(binding) })
            };
            let rows: Vec<Value> = rows.iter().map(row).collect();
            return serde_json::to_string_pretty(&rows).unwrap_or_default() + "\n";
        }
        let prefix = |table: Table| if table == Table::Prefix { self.prefix_notation() } else { "-" };
        rows.iter()
            .map(|(table, key, binding)| {
                format!(
                    "{:<8} {:<10} {:<44} {}\n",
                    prefix(*table),
                    key.to_string(),
                    binding.line,
                    told(binding)
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_printed_filtered_and_formatted() {
        let rows = [row(json!({ "name": "a", "n": 1 })), row(json!({ "name": "b", "n": null }))];
        let how = |format: Option<&str>, filter: Option<&str>| Format {
            json: false,
            format: format.map(str::to_owned),
            filter: filter.map(str::to_owned),
        };
        assert_eq!(print(&how(Some("#{name}=#{n}#{nosuch}"), None), &rows), "a=1\nb=\n");
        assert_eq!(print(&how(Some("#{name}"), Some("#{n}")), &rows), "a\n");
        let json = Format { json: true, ..how(None, Some("#{==:#{name},b}")) };
        assert_eq!(
            serde_json::from_str::<Value>(&print(&json, &rows)).unwrap(),
            json!([{ "name": "b", "n": null }])
        );
        assert_eq!(time_of_day(0, Some("%Y")).len(), 4);
    }
}
