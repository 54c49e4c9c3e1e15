//! Commands that run when something happens: those of the settings and those of `set-hook`.
use super::Server;
use crate::{
    commands,
    mux::{ClientId, PaneId, SessionId},
    state::{Status, target::Origin},
};
use std::time::Duration;

/// What commands can be hooked on. `after-` and a command's name is hooked on that command.
pub const EVENTS: [&str; 24] = [
    "alert-bell",
    "alert-notification",
    "client-attached",
    "client-detached",
    "client-resized",
    "client-session-changed",
    "pane-done",
    "pane-exited",
    "pane-focus-in",
    "pane-focus-out",
    "pane-idle",
    "pane-limited",
    "pane-needs-you",
    "pane-retrying",
    "pane-title-changed",
    "pane-working",
    "session-closed",
    "session-created",
    "session-renamed",
    "window-layout-changed",
    "window-linked",
    "window-pane-changed",
    "window-renamed",
    "window-unlinked",
];

/// Says what is wrong with an event's name, and the nearest that there is.
///
/// # Errors
/// The fault and the nearest name when nothing is called so.
pub fn check_event(event: &str) -> Result<(), (String, Option<String>)> {
    if let Some(command) = event.strip_prefix("after-") {
        if commands::rows().iter().any(|row| row.name == command) {
            return Ok(());
        }
        let near = commands::nearest(command).map(|near| format!("after-{near}"));
        return Err((format!("there is no command {command:?} to run after"), near));
    }
    if EVENTS.contains(&event) {
        return Ok(());
    }
    let near = crate::router::nearest(event, EVENTS).map(str::to_owned);
    Err((format!("there is no event {event:?}"), near))
}

/// What an event is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About {
    pub pane: Option<PaneId>,
    pub session: Option<SessionId>,
    pub client: Option<ClientId>,
}

impl From<PaneId> for About {
    fn from(pane: PaneId) -> Self {
        Self { pane: Some(pane), ..Self::default() }
    }
}

impl From<SessionId> for About {
    fn from(session: SessionId) -> Self {
        Self { session: Some(session), ..Self::default() }
    }
}

impl From<ClientId> for About {
    fn from(client: ClientId) -> Self {
        Self { client: Some(client), ..Self::default() }
    }
}

impl Server {
    /// Whether anything is hooked on an event.
    pub(super) fn is_hooked(&self, event: &str) -> bool {
        self.settings.hooks.iter().any(|hook| hook.event == event) || self.scripted.hooks.contains_key(event)
    }

    /// Runs what is hooked on an event, after what happens now. What a hook brings about runs no hooks.
    pub(super) fn hook(&mut self, event: &str, about: impl Into<About>) {
        if self.scripted.in_hook || !self.is_hooked(event) {
            return;
        }
        let of_file = self.settings.hooks.iter().filter(|hook| hook.event == event).map(|hook| &hook.run);
        let lines: Vec<String> =
            of_file.chain(self.scripted.hooks.get(event).into_iter().flatten()).cloned().collect();
        let (event, about) = (event.to_owned(), about.into());
        self.tasks.after(Duration::ZERO, move |server| {
            for line in lines {
                server.run_hook(&event, about, &line);
            }
        });
    }

    /// Runs one line of a hook.
    pub(super) fn run_hook(&mut self, event: &str, about: About, line: &str) {
        let pane = about.pane.map(|pane| pane.to_string()).unwrap_or_default();
        let session = about.session.and_then(|id| self.state.sessions.get(&id)).map(|s| s.name.clone());
        let client = about.client.map(|client| client.to_string()).unwrap_or_default();
        let line = line
            .replace("#{hook}", event)
            .replace("#{hook_pane}", &pane)
            .replace("#{hook_session}", session.as_deref().unwrap_or_default())
            .replace("#{hook_client}", &client);
        let Ok(words) = commands::split_words(&line) else { return };
        let session = about.session.or_else(|| {
            let window = self.state.window_of(about.pane?)?;
            self.state.session_of(window.id).map(|s| s.id)
        });
        let env = session.and_then(|id| self.session_env.get(&id)).cloned().unwrap_or_default();
        let in_session = session
            .and_then(|id| self.state.sessions.get(&id))
            .and_then(|s| self.state.windows.get(&s.active));
        let origin = Origin {
            client: None,
            pane: about
                .pane
                .filter(|pane| self.state.panes.contains_key(pane))
                .or(in_session.map(|w| w.active)),
            ..Origin::default()
        };
        let before = std::mem::replace(&mut self.scripted.in_hook, true);
        let client = about.client.filter(|client| self.state.clients.contains_key(client));
        let origin = Origin { client, ..origin };
        if let Err(failure) = self.run_sequence(&words, &origin, &env) {
            let why = failure.why();
            tracing::warn!(event, line, why, "a hook failed");
            self.tell_all(&format!("hook {event}: {why}"));
        }
        self.scripted.in_hook = before;
    }

    /// The full name of a command whose end may be hooked on; nothing is looked up when no such hook is there.
    pub(super) fn hooked_name(&self, words: &[String]) -> Option<String> {
        let of_file = self.settings.hooks.iter().map(|hook| hook.event.as_str());
        let after =
            of_file.chain(self.scripted.hooks.keys().map(String::as_str)).any(|e| e.starts_with("after-"));
        if after { words.first().and_then(|word| commands::full_name(word)) } else { None }
    }

    /// The hooks of a command that ended.
    pub(super) fn hook_after(&mut self, name: Option<String>, origin: &Origin) {
        let Some(name) = name else { return };
        let about = About {
            pane: self.state.find_pane(None, origin).ok(),
            session: self.state.current_session(origin),
            client: origin.client,
        };
        self.hook(&format!("after-{name}"), about);
    }

    /// The hooks of a pane's new status.
    pub(super) fn status_hook(&mut self, pane: PaneId, status: &Status) {
        let event = match status {
            Status::Starting | Status::Exited => return,
            status => format!("pane-{}", status.as_str()),
        };
        self.hook(&event, pane);
    }
}
