//! What the gateway is told and what it tells: the route table, requests, budgets, limits.
use super::Server;
use crate::{
    executors::Class,
    gateway::{GatewayEvent, Held, LedgerRow, PaneRoute},
    mux::PaneId,
    router::{Budget, Catalogue, Route, Standing, allowed_models, short_credential},
    state::{KeyHealth, REQUESTS_SHOWN, RequestLine, Status, StatusSource},
    vault::{Health, Outcome},
};
use std::{sync::Arc, time::Duration};

impl Server {
    /// Publishes the route table as the panes stand now.
    pub(crate) fn publish_routes(&mut self) {
        let mut table = std::collections::HashMap::new();
        // Under a login nothing passes the gateway: a budget is shown as what it is there, not enforceable.
        let mut unmetered = Vec::new();
        let ids: Vec<PaneId> = self.harnesses.keys().copied().collect();
        for id in ids {
            let (env, dir) = (self.env_of(id), self.dir_of(id));
            let facts = self.facts(&env, &dir);
            let (Some(runtime), Some(pane)) = (self.harnesses.get(&id), self.state.panes.get(&id)) else {
                continue;
            };
            let Some(harness) = &pane.harness else { continue };
            let Held { policy, budgets } = self.rules.of(&dir, &harness.route.executor);
            if runtime.token.is_empty() {
                let standing = |b: &Budget| Standing { span: b.span, spent: 0.0, limit: b.usd };
                unmetered.push((id, budgets.iter().map(standing).collect()));
                continue;
            }
            let session = self.state.window_of(id).and_then(|w| self.state.session_of(w.id));
            let route = &harness.route;
            let allowed = allowed_models(route, &facts);
            table.insert(
                runtime.token.clone(),
                Arc::new(PaneRoute {
                    pane: pane.key.clone(),
                    executor: route.executor.clone(),
                    route: route.clone(),
                    launched: runtime.launched.clone(),
                    allowed: Arc::new(allowed),
                    policy,
                    budgets,
                    session: session.map(|s| s.name.clone()).unwrap_or_default(),
                    session_id: session.map(|s| s.id.to_string()).unwrap_or_default(),
                    dir,
                }),
            );
        }
        for (id, standings) in unmetered {
            if let Some(harness) = self.state.panes.get_mut(&id).and_then(|p| p.harness.as_mut()) {
                harness.budgets = standings;
            }
        }
        self.routes.store(Arc::new(table));
        self.note_budgets();
        self.note_pools();
    }

    /// Has every pane show how far its budget is used up.
    fn note_budgets(&mut self) {
        let table = self.routes.load();
        let Some(gateway) = &self.gateway else { return };
        for row in table.values() {
            let standings = gateway.standings(row);
            let id = self.state.pane_by_key(&row.pane).map(|p| p.id);
            let pane = id.and_then(|id| self.state.panes.get_mut(&id));
            if let Some(harness) = pane.and_then(|pane| pane.harness.as_mut()) {
                harness.budgets = standings;
            }
        }
        self.state.spend_today = gateway.spent_today();
    }

    /// Has every pane show how the credentials stand that take turns in paying for it.
    fn note_pools(&mut self) {
        let now = Self::now();
        for harness in self.state.panes.values_mut().filter_map(|pane| pane.harness.as_mut()) {
            let credential = harness.route.credential.as_str();
            let members = if credential.is_empty() { Vec::new() } else { self.vault.standing(credential) };
            let key = |(reference, health, rests): (String, Health, Option<Duration>)| KeyHealth {
                name: short_credential(&reference),
                trouble: health.trouble.map(Outcome::words),
                rests_until: rests.map_or(0, |rests| now + rests.as_secs() + 1),
            };
            harness.keys = members.into_iter().map(key).collect();
        }
    }

    /// Takes a pane's row out of the route table.
    pub(crate) fn drop_route(&mut self, key: &str) {
        let mut table = (**self.routes.load()).clone();
        table.retain(|_, row| row.pane != key);
        self.routes.store(Arc::new(table));
    }

    /// What the gateway saw.
    pub(super) fn gateway_event(&mut self, event: GatewayEvent) {
        match event {
            GatewayEvent::Started { pane, request, class, session, conversation } => {
                let Some(id) = self.state.pane_by_key(&pane).map(|p| p.id) else { return };
                let Some(runtime) = self.harnesses.get_mut(&id) else { return };
                runtime.in_flight.insert(request, class);
                if class == Class::Main {
                    runtime.submitted = None;
                    runtime.failed = None;
                    runtime.blocked = None;
                    runtime.tools_called = None;
                    runtime.heard = true;
                    runtime.answered_last = false;
                    if let Some(conversation) = conversation.filter(|c| !c.turns.is_empty()) {
                        runtime.conversation = conversation;
                    }
                    if let (Some(session), Some(pane)) = (session, self.state.panes.get_mut(&id))
                        && let Some(harness) = &mut pane.harness
                        && harness.session.as_deref() != Some(session.as_str())
                    {
                        harness.session = Some(session);
                        self.changed = true;
                    }
                    self.observe(id, StatusSource::Gateway, Status::Working, "a request is in flight");
                    self.look_at_writes(id);
                }
            }
            GatewayEvent::ModelAsked { pane, model } => self.model_asked(&pane, &model),
            GatewayEvent::Retrying { pane, request, why, attempts, wait_ms } => {
                let Some(id) = self.state.pane_by_key(&pane).map(|p| p.id) else { return };
                self.note_pools();
                if self.is_main(id, request) {
                    let next = attempts + 1;
                    let detail = format!("attempt {next} in {:.1} s: {why}", wait_ms as f64 / 1000.0);
                    self.observe(id, StatusSource::Gateway, Status::Retrying, &detail);
                }
            }
            GatewayEvent::Resumed { pane, request } => {
                let Some(id) = self.state.pane_by_key(&pane).map(|p| p.id) else { return };
                if self.is_main(id, request) {
                    self.observe(id, StatusSource::Gateway, Status::Working, "the request is tried again");
                }
            }
            GatewayEvent::Windows { pane, windows } => {
                let Some(id) = self.state.pane_by_key(&pane).map(|p| p.id) else { return };
                if let Some(harness) = self.state.panes.get_mut(&id).and_then(|p| p.harness.as_mut()) {
                    harness.windows = windows;
                }
            }
            GatewayEvent::RulesChanged => {
                self.known_facts.clear();
                self.publish_routes();
                self.dirty_all();
            }
            GatewayEvent::Budget { pane, name, standing } => self.budget_crossed(&pane, &name, &standing),
            GatewayEvent::TurnedAway { why } => {
                let before = self.state.turned_away.take().map_or(0, |(_, count)| count);
                tracing::info!("the gateway turned away {why}");
                self.state.turned_away = Some((why, before + 1));
                self.dirty_all();
            }
            GatewayEvent::Finished { pane, request, class, row, answer, calls_tools, wait } => {
                let Some(id) = self.state.pane_by_key(&pane).map(|p| p.id) else { return };
                let served = row.status == 200 && row.error.is_empty();
                if served && let Some(route) = self.route_of(id) {
                    self.prove(&route);
                }
                let highlighted = self.state.highlighted();
                if let Some(harness) = self.state.panes.get_mut(&id).and_then(|p| p.harness.as_mut()) {
                    let usage = &mut harness.usage;
                    usage.requests += 1;
                    usage.input += row.input + row.cache_read + row.cache_write;
                    usage.output += row.output;
                    usage.retries += u64::from(row.attempts.saturating_sub(1));
                    if let Some(cost) = row.cost {
                        usage.cost = Some(usage.cost.unwrap_or_default() + cost);
                    }
                    harness.requests.insert(0, line(&row));
                    harness.requests.truncate(REQUESTS_SHOWN);
                    if class == Class::Main && !row.model_served.is_empty() {
                        harness.served_model = Some(row.model_served.clone());
                    }
                }
                self.state.highlight(highlighted);
                self.note_budgets();
                self.note_pools();
                let Some(runtime) = self.harnesses.get_mut(&id) else { return };
                runtime.in_flight.remove(&request);
                match class {
                    Class::Main => self.main_ended(id, &row, answer, calls_tools, wait),
                    Class::Subagent => self.watch_soon(id),
                    Class::Side => {}
                }
                self.dirty_all();
            }
        }
        self.warn_of_recorder();
    }

    fn route_of(&self, id: PaneId) -> Option<Route> {
        Some(self.state.panes.get(&id)?.harness.as_ref()?.route.clone())
    }

    /// The person typed `/model` in the harness: the pane's route follows, as an event.
    fn model_asked(&mut self, key: &str, model: &str) {
        let Some(id) = self.state.pane_by_key(key).map(|p| p.id) else { return };
        match self.change_model(id, model) {
            Ok(line) => {
                if let Some(runtime) = self.harnesses.get_mut(&id) {
                    runtime.launched = Catalogue::builtin().model(model).ok().map(|m| m.wire.clone());
                }
                self.publish_routes();
                self.recorder.journal(
                    &self.session_name_of(id),
                    key,
                    "route.model",
                    serde_json::json!({ "model": model, "asked_by": "harness" }),
                );
                self.tell_all(&format!("{id}: {line}"));
            }
            Err(refusal) => self.tell_all(&format!("{id}: {refusal}")),
        }
    }

    /// Whether a request under way is the harness's own turn.
    fn is_main(&self, id: PaneId, request: u64) -> bool {
        self.harnesses.get(&id).is_some_and(|r| r.in_flight.get(&request) == Some(&Class::Main))
    }

    /// A budget came to four fifths or to its end: everybody is told once, the pane's panel shows it from now on.
    fn budget_crossed(&mut self, key: &str, name: &str, standing: &Standing) {
        let Some(id) = self.state.pane_by_key(key).map(|p| p.id) else { return };
        let amounts = format!("${:.2} of ${:.2}", standing.spent, standing.limit);
        if standing.is_used_up() {
            self.tell_all(&format!("{id}: {name} is used up: {amounts}; further requests are refused"));
        } else {
            self.tell_all(&format!("{id}: {name} is nearly used up: {amounts}"));
        }
        self.note_budgets();
    }
}

fn line(row: &LedgerRow) -> RequestLine {
    RequestLine {
        at_ms: row.at_ms,
        class: row.class.clone(),
        status: row.status,
        input: row.input + row.cache_read + row.cache_write,
        output: row.output,
        cost: row.cost,
        attempts: row.attempts,
        error: row.error.clone(),
        notes: row.notes.len(),
    }
}
