//! Who waits for the person: telling clients that look elsewhere, and going there.
use super::{
    Server,
    reply::Failure,
    verbs::{Answer, silent},
};
use crate::{
    commands::Target,
    mux::{ClientId, PaneId, SessionId},
    state::{Status, target::Origin},
};

/// Longest notification in characters: terminals show one or two lines.
const NOTICE: usize = 120;

impl Server {
    /// How urgently a pane waits for somebody, 0 most; `None` when it does not.
    pub(super) fn wants_somebody(&self, pane: PaneId) -> Option<u8> {
        match self.state.panes.get(&pane)?.status.status {
            Status::NeedsYou => Some(0),
            Status::Limited | Status::Retrying => Some(1),
            Status::Done => Some(2),
            _ => None,
        }
    }

    /// Clients that do not look at a pane learn that it needs somebody or is done: by bell and notification.
    pub(super) fn call_for(&mut self, id: PaneId, status: &Status) {
        if !matches!(status, Status::NeedsYou | Status::Done) {
            return;
        }
        let away: Vec<ClientId> =
            self.state.clients.keys().copied().filter(|c| self.state.focused_pane(*c) != Some(id)).collect();
        let Some(pane) = self.state.panes.get(&id) else { return };
        let who = pane.harness.as_ref().map_or("shell", |h| h.route.executor.as_str());
        let session = self.state.window_of(id).and_then(|w| self.state.session_of(w.id));
        let session = session.map(|s| s.name.as_str()).unwrap_or_default();
        let what = if *status == Status::Done { "is done" } else { "needs you" };
        let notice: String = format!("{session}: {id} {who} {what}")
            .chars()
            .filter(|c| !c.is_control())
            .take(NOTICE)
            .collect();
        let said = self.screens.get(&id).is_some_and(|screen| screen.notices.just_said());
        for client in away {
            if let Some(client) = self.state.clients.get_mut(&client) {
                client.unseen.insert(id);
            }
            // What the program itself said a moment ago says more.
            if self.settings.notify && !said {
                self.notify(client, "", &notice);
            }
            if self.settings.bell {
                self.send(client, b"\x07".to_vec());
            }
        }
    }

    /// Focuses the next pane that waits for somebody: in this session first, then in the others.
    pub(super) fn next_attention(&mut self, target: &Target, origin: &Origin) -> Answer {
        let session = self.state.find_session(target.target.as_deref(), origin)?;
        let current = self.state.find_pane(None, origin).ok();
        let next = self.waiting_in(session, current).or_else(|| {
            let others = self.state.sessions.keys().copied().filter(|other| *other != session);
            let mut waiting: Vec<(u8, PaneId)> =
                others.filter_map(|other| self.waiting_in(other, None)).collect();
            waiting.sort_by_key(|(rank, _)| *rank);
            waiting.first().copied()
        });
        let Some((_, pane)) = next else { return Err(Failure::Failed("no pane needs you".into())) };
        let there = self.state.window_of(pane).and_then(|w| self.state.session_of(w.id)).map(|s| s.id);
        self.focus_pane(pane);
        if let (Some(client), Some(there)) = (origin.client, there.filter(|there| *there != session)) {
            self.look_at(client, there);
        }
        silent()
    }

    /// The most urgent pane of a session behind `current` in its order.
    fn waiting_in(&self, session: SessionId, current: Option<PaneId>) -> Option<(u8, PaneId)> {
        let panes = self.state.panes_of(session);
        let at = current.and_then(|c| panes.iter().position(|p| *p == c));
        let from = at.map_or(0, |at| at + 1);
        let order = (0..panes.len()).map(|i| panes[(from + i) % panes.len()]);
        // Who is looked at already is not gone to.
        let others = order.filter(|pane| Some(*pane) != current);
        others.filter_map(|pane| Some((self.wants_somebody(pane)?, pane))).min_by_key(|(rank, _)| *rank)
    }
}
