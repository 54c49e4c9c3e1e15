//! What happens by the clock. Each deadline exists only while somebody waits for it: with nobody attached and nothing
//! running the loop sleeps for good.
use super::Server;
use crate::{mux::ClientId, state::Status};
use std::time::{Duration, Instant};

/// The counter of a working pane moves once a second.
const SECOND: Duration = Duration::from_secs(1);

impl Server {
    /// When the loop must wake even if nothing happens.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut next = self.next_paint(now);
        let mut earlier = |at: Option<Instant>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |n| n.min(at)));
            }
        };
        for link in self.links.values() {
            earlier(link.escape_due);
            earlier(link.tick_due);
        }
        for screen in self.screens.values() {
            earlier(screen.watch_due);
        }
        earlier(self.git_due.values().min().copied());
        next
    }

    /// Whether `due` could find something: the time has come, or what somebody sees changed and may tick from now on.
    pub(super) fn must_look(&self, deadline: Option<Instant>) -> bool {
        self.links.values().any(|link| link.dirty)
            || deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Does what is due.
    pub(super) fn due(&mut self) {
        let now = Instant::now();
        let escapes: Vec<ClientId> = self
            .links
            .iter()
            .filter(|(_, l)| l.escape_due.is_some_and(|d| d <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in escapes {
            self.flush_escape(id);
        }
        self.watch_due(now);
        self.git_now(now);
        let ticking: Vec<ClientId> = self.links.keys().copied().collect();
        for id in ticking {
            self.tick(id, now);
        }
    }

    /// The status line's clock, a passing message, the seconds of a working pane: whichever moves next.
    fn tick(&mut self, id: ClientId, now: Instant) {
        let Some(client) = self.state.clients.get_mut(&id) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.tick_due.is_some_and(|due| due > now) && client.message.is_none() {
            let working = shows_work(&self.state, id);
            if !working || link.ticks_by_second {
                return;
            }
        }
        let unix = Self::now();
        if link.tick_due.is_some_and(|due| due <= now) {
            link.dirty = true;
        }
        let client = self.state.clients.get_mut(&id);
        let mut seconds = 60 - unix % 60;
        if let Some(client) = client {
            match client.message {
                Some((_, until)) if until <= unix => {
                    client.message = None;
                    link.dirty = true;
                }
                Some((_, until)) => seconds = seconds.min(until - unix),
                None => {}
            }
        }
        link.ticks_by_second = shows_work(&self.state, id);
        if link.ticks_by_second {
            seconds = 1;
        }
        link.tick_due = Some(now + SECOND * u32::try_from(seconds.max(1)).unwrap_or(1));
    }
}

fn shows_work(state: &crate::state::State, client: ClientId) -> bool {
    state.shown_window(client).is_some_and(|window| {
        window
            .panes()
            .iter()
            .filter_map(|p| state.panes.get(p))
            .any(|p| p.harness.is_some() && matches!(p.status.status, Status::Working | Status::Retrying))
    })
}
