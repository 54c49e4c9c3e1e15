//! What a pane's program tells and asks its terminal beside the picture: notifications, progress, the clipboard.
use super::{Server, copying::MAX_CLIPBOARD};
use crate::{
    config::PaneNotifications,
    mux::{ClientId, PaneId},
    state::{Progress, ProgressKind},
    term::encode::Announcer,
};
use base64::Engine as _;
use std::time::{Duration, Instant};

/// Notifications of one pane in a row that are passed on: an agent that ends several things at once has no more.
const NOTICES: u8 = 5;

/// How long until a pane that used them up may notify once more.
const NOTICE_EVERY: Duration = Duration::from_secs(3);

/// This long after a notification of a pane's own, what inspan itself knows of the pane is no news.
const JUST_SAID: Duration = Duration::from_secs(2);

/// How much a pane has notified lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notices {
    used: u8,
    /// Since when the oldest of them counts.
    since: Option<Instant>,
    last: Option<Instant>,
}

impl Notices {
    /// Whether one more is passed on.
    fn take(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let earned = now.saturating_duration_since(since).as_secs() / NOTICE_EVERY.as_secs();
        if earned > 0 {
            self.used = self.used.saturating_sub(u8::try_from(earned).unwrap_or(u8::MAX));
            self.since = Some(now);
        }
        if self.used >= NOTICES {
            return false;
        }
        self.used += 1;
        self.last = Some(now);
        true
    }

    /// Whether one left just now.
    pub(super) fn just_said(&self) -> bool {
        self.last.is_some_and(|last| last.elapsed() < JUST_SAID)
    }
}

impl Server {
    /// What a client's terminal can be told.
    pub(super) fn announcer(&self, client: ClientId) -> Option<Announcer> {
        let link = self.links.get(&client)?;
        let name = link.writer.caps().name.as_deref();
        Some(Announcer::of(name, |variable| link.env.get(variable).map(String::as_str)))
    }

    /// Notifies a client's person.
    pub(super) fn notify(&mut self, client: ClientId, heading: &str, text: &str) {
        let Some(announcer) = self.announcer(client) else { return };
        let plain = !self.state.clients.get(&client).is_some_and(|client| client.utf8);
        let ascii = |text: &str| match plain {
            true => text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
            false => text.to_owned(),
        };
        let notice = announcer.notice(&ascii(heading), &ascii(text));
        if !notice.is_empty() {
            self.send(client, notice);
        }
    }

    /// A pane's program notifies: the terminals that look at its session are told, or all of them when none does.
    pub(super) fn pane_notifies(&mut self, id: PaneId, title: &str, body: &str) {
        self.hook("alert-notification", id);
        if self.settings.pane_notifications == PaneNotifications::Never {
            return;
        }
        let taken = self.screens.get_mut(&id).is_some_and(|screen| screen.notices.take(Instant::now()));
        if !taken {
            return;
        }
        let Some(session) = self.state.window_of(id).and_then(|w| self.state.session_of(w.id)) else {
            return;
        };
        let (session, place) = (session.id, format!("{}: {id}", session.name));
        let here = |client: &&crate::state::Client| client.session == session;
        let any = self.state.clients.values().any(|client| here(&client));
        let clients: Vec<ClientId> =
            self.state.clients.values().filter(|client| !any || here(client)).map(|c| c.id).collect();
        for client in clients {
            let looks = self.state.focused_pane(client) == Some(id);
            let away = self.links.get(&client).is_some_and(|link| !link.focused);
            if looks && !away && self.settings.pane_notifications == PaneNotifications::Unfocused {
                continue;
            }
            match (looks, title.is_empty()) {
                (true, _) => self.notify(client, title, body),
                // Who looks elsewhere is told where it comes from.
                (false, true) => self.notify(client, &place, body),
                (false, false) => self.notify(client, &format!("{place} {title}"), body),
            }
        }
    }

    /// A pane's program says how far it has come.
    pub(super) fn pane_progress(&mut self, id: PaneId, state: u8, percent: u8) {
        let Some(pane) = self.state.panes.get_mut(&id) else { return };
        let kind = match state {
            1 => ProgressKind::Value,
            2 => ProgressKind::Error,
            3 => ProgressKind::Busy,
            4 => ProgressKind::Paused,
            _ => {
                pane.progress = None;
                return;
            }
        };
        // An error or a pause without a number stays where the work was.
        let keeps = percent == 0 && matches!(kind, ProgressKind::Error | ProgressKind::Paused);
        let percent = pane.progress.filter(|_| keeps).map_or(percent, |before| before.percent);
        pane.progress = Some(Progress { kind, percent });
    }

    /// A pane wrote to the clipboard: the clients that focus it are given it, and it is a paste buffer, one for each pane.
    pub(super) fn pane_copied(&mut self, id: PaneId, selection: &str, data: &[u8]) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(data);
        let clients: Vec<ClientId> =
            self.state.clients.keys().copied().filter(|c| self.state.focused_pane(*c) == Some(id)).collect();
        for client in clients {
            self.send(client, format!("\x1b]52;{selection};{encoded}\x07").into_bytes());
        }
        if !data.is_empty() {
            let text = String::from_utf8_lossy(data).into_owned();
            // In place of its last one: a program that copies all day must not push out what a person copied.
            let before = self.screens.get_mut(&id).and_then(|screen| screen.buffer.take());
            if let Some(before) = before {
                let _ = self.buffers.delete(Some(&before));
            }
            let name = self.buffers.set(None, text, Self::now()).ok();
            if let Some(screen) = self.screens.get_mut(&id) {
                screen.buffer = name;
            }
        }
    }

    /// A pane asks for the clipboard: where that is allowed it is told the newest paste buffer, else nothing.
    pub(super) fn pane_asks_clipboard(&mut self, id: PaneId, selection: &str) {
        if !self.settings.clipboard_read {
            return;
        }
        let text = self.buffers.find(None).map(|buffer| buffer.text.as_str()).unwrap_or_default();
        let text = if text.len() <= MAX_CLIPBOARD { text } else { "" };
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        let _ = self.write(id, format!("\x1b]52;{selection};{encoded}\x1b\\").into_bytes());
    }

    /// A pane's process is gone, and with it what it wanted its terminal to show.
    pub(super) fn forget_told(&mut self, id: PaneId) {
        if let Some(pane) = self.state.panes.get_mut(&id) {
            pane.progress = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pane_that_notifies_without_end_is_heard_now_and_then() {
        let mut notices = Notices::default();
        let start = Instant::now();
        let heard = |notices: &mut Notices, at: u64| {
            (0..100).filter(|_| notices.take(start + Duration::from_secs(at))).count()
        };
        assert_eq!(heard(&mut notices, 0), usize::from(NOTICES));
        assert_eq!(heard(&mut notices, 1), 0);
        assert_eq!(heard(&mut notices, 4), 1);
        assert_eq!(heard(&mut notices, 3600), usize::from(NOTICES));
    }
}
