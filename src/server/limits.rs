//! Limits and outages: when a limit ends, who else could go on meanwhile, and the way back. Nothing of it happens
//! unasked, unless the person's settings name a fallback.
use super::{
    Server,
    reply::Failure,
    switching::Wish,
    verbs::{Answer, Outcome},
};
use crate::{
    commands::{self, HandoffMode, Target},
    executors::reset,
    mux::PaneId,
    router::ExecutorId,
    state::{
        Status, StatusReport, StatusSource,
        overlay::{Choice, ChoiceRow, Overlay},
        target::Origin,
    },
};
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// Models of the pane's own executor that are offered; the panel has them all.
const MODELS: usize = 3;
/// A share of a provider's window that counts as used up: providers round.
const USED_UP: f64 = 0.995;

/// How a failure stands in the way of further work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// A usage limit; unix seconds at which it ends, where that is known.
    Limit(Option<u64>),
    /// The upstream does not serve.
    Outage,
}

/// Something that could go on in the place of what is limited.
#[derive(Clone, Debug, Serialize)]
struct Alternative {
    executor: String,
    model: Option<String>,
    /// What stands beside it in a list.
    note: String,
    /// The command line that takes it.
    command: Vec<String>,
}

impl Server {
    /// How a failed request of the gateway's stands in the way, from its HTTP status and the wait that was asked for.
    pub(super) fn blocked_by(&self, id: PaneId, status: u16, wait: Option<Duration>) -> Option<Blocked> {
        match status {
            402 | 429 => {
                let asked = wait.map(|wait| Self::now() + wait.as_secs().max(1));
                let windows =
                    self.state.panes.get(&id).and_then(|p| p.harness.as_ref()).map(|h| h.windows.as_slice());
                let used_up = windows.unwrap_or_default().iter().filter(|window| window.used >= USED_UP);
                let resets = used_up.filter_map(|window| u64::try_from(window.resets_ms? / 1000).ok()).max();
                Some(Blocked::Limit(asked.max(resets)))
            }
            500.. => Some(Blocked::Outage),
            _ => None,
        }
    }

    /// A report of a limit with the time at which it ends; one that has ended is a report of an idle CLI, whose screen
    /// still shows the words.
    pub(super) fn with_reset(&mut self, id: PaneId, report: StatusReport) -> StatusReport {
        if report.status != Status::Limited {
            return report;
        }
        let now = Self::now();
        let Some(runtime) = self.harnesses.get_mut(&id) else { return report };
        let told = match &runtime.limit_said {
            Some((words, until)) if *words == report.detail => Some(*until),
            before => {
                let read = reset(&report.detail, &jiff::Zoned::now());
                // Words that count down name the same moment again and again.
                let same = before.as_ref().map(|(_, until)| *until);
                read.map(|at| same.filter(|same| same.abs_diff(at) <= SAME_MOMENT).unwrap_or(at))
            }
        };
        if let Some(until) = told {
            runtime.limit_said = Some((report.detail.clone(), until));
        }
        let known = match runtime.blocked {
            Some(Blocked::Limit(until)) => until,
            _ => None,
        };
        match report.until.or(told).or(known) {
            Some(until) if until <= now => StatusReport::new(Status::Idle, report.source, RESET),
            until => StatusReport { until, ..report },
        }
    }

    /// What a pane is when its turn failed by a limit that lasts.
    pub(super) fn still_limited(&self, id: PaneId, detail: &str) -> Option<StatusReport> {
        match self.harnesses.get(&id)?.blocked? {
            Blocked::Limit(Some(until)) if until > Self::now() => Some(StatusReport {
                until: Some(until),
                ..StatusReport::new(Status::Limited, StatusSource::Gateway, detail)
            }),
            _ => None,
        }
    }

    /// A pane was found limited until some moment: it is looked at again then.
    pub(super) fn await_reset(&mut self, id: PaneId, until: u64) {
        let wait = Duration::from_secs(until.saturating_sub(Self::now()) + 1);
        self.tasks.after(wait, move |server| {
            let Some(pane) = server.state.panes.get(&id) else { return };
            if pane.status.status != Status::Limited || pane.status.until != Some(until) {
                return;
            }
            let who = server.who(id);
            if let Some(runtime) = server.harnesses.get_mut(&id) {
                runtime.blocked = None;
            }
            server.set_status(id, StatusReport::new(Status::Idle, StatusSource::Gateway, RESET));
            server.watch_soon(id);
            server.tell_all(&format!("{id}: the limit of {who} has reset"));
        });
    }

    fn who(&self, id: PaneId) -> String {
        let harness = self.state.panes.get(&id).and_then(|pane| pane.harness.as_ref());
        harness.map_or_else(String::new, |harness| harness.route.executor.to_string())
    }

    /// A limit or an outage stopped a pane's work: the person's rule is carried out, else what there is is offered, once.
    pub(super) fn offer_fallback(&mut self, id: PaneId) {
        let Some(runtime) = self.harnesses.get_mut(&id) else { return };
        if std::mem::replace(&mut runtime.offered, true) {
            return;
        }
        let who = self.who(id);
        let limited = self.state.panes.get(&id).and_then(|pane| pane.status.until);
        let what = match (self.harnesses.get(&id).and_then(|runtime| runtime.blocked), limited) {
            (Some(Blocked::Outage), _) => "is not served".to_owned(),
            (Some(Blocked::Limit(Some(until))), _) | (_, Some(until)) => {
                format!("is limited until {}", time_of_day(until))
            }
            _ => "is limited".to_owned(),
        };
        let rule = self.settings.executor(&ExecutorId::from(who.as_str())).fallback;
        if rule.is_empty() {
            if !self.alternatives(id).is_empty() {
                self.tell_all(&format!("{id} {who} {what}; inspan fallback -t {id} lists what could go on"));
            }
            return;
        }
        let mut why_not = Vec::new();
        for target in &rule {
            let (executor, model) = match target.split_once(char::is_whitespace) {
                Some((executor, model)) => (executor, Some(model.trim())),
                None => (target.as_str(), None),
            };
            match self.fall_back(id, &who, executor, model) {
                Ok(()) => {
                    let key = self.state.panes.get(&id).map(|pane| pane.key.clone()).unwrap_or_default();
                    let data = json!({ "from": who, "to": target, "why": what });
                    self.recorder.journal("", &key, "fallback", data);
                    self.tell_all(&format!("{id} {who} {what}; your settings fall back on {target}"));
                    return;
                }
                Err(failure) => why_not.push(format!("{target}: {}", failure.why())),
            }
        }
        self.tell_all(&format!("{id} {who} {what} and nothing of its fallback runs: {}", why_not.join("; ")));
    }

    fn fall_back(
        &mut self,
        id: PaneId,
        who: &str,
        executor: &str,
        model: Option<&str>,
    ) -> Result<(), Failure> {
        let words = match model {
            Some(model) if executor == who => {
                vec!["model".to_owned(), "-t".into(), id.to_string(), model.into()]
            }
            _ => {
                let wish = Wish {
                    executor: executor.to_owned(),
                    model: model.map(str::to_owned),
                    auth: None,
                    manner: commands::Manner::default(),
                };
                self.plan_switch(id, &wish, HandoffMode::Full, false)?;
                switch_to(id, executor, model)
            }
        };
        let origin = Origin { pane: Some(id), ..Origin::default() };
        self.run_sequence(&words, &origin, &BTreeMap::new()).map(drop)
    }

    /// What could go on in a pane now: other executors that are ready, those with a parked session first, and other
    /// models of its own.
    fn alternatives(&self, id: PaneId) -> Vec<Alternative> {
        let Some(harness) = self.state.panes.get(&id).and_then(|pane| pane.harness.as_ref()) else {
            return Vec::new();
        };
        let own = &harness.route.executor;
        let session = self.state.window_of(id).and_then(|w| self.state.session_of(w.id));
        let rehearse = harness.rehearse || session.is_some_and(|session| session.rehearse);
        let others = self.state.executors.iter().filter(|row| row.executor != *own && row.binary.is_some());
        let mut all: Vec<Alternative> = others
            .filter(|row| rehearse || row.readiness.starts_with("ready"))
            .filter_map(|row| {
                let route = row.route.as_ref().ok();
                let parked = harness.parked.get(&row.executor);
                // One that is limited as well would be no help.
                if parked.is_some_and(|parked| parked.limited_until.is_some_and(|until| until > Self::now()))
                {
                    return None;
                }
                let resumes = if parked.is_some() { ", its session here resumes" } else { "" };
                let executor = row.executor.to_string();
                Some(Alternative {
                    command: switch_to(id, &executor, None),
                    note: match route.filter(|_| !rehearse) {
                        Some(route) => format!("{} · {}{resumes}", route.auth, route.payer),
                        None => format!("rehearsal{resumes}"),
                    },
                    model: route.and_then(|route| route.model.clone()),
                    executor,
                })
            })
            .collect();
        all.sort_by_key(|found| !found.note.ends_with("resumes"));
        let models = self.state.models.get(own).map(Vec::as_slice).unwrap_or_default();
        let others = models
            .iter()
            .filter(|model| model.refusal.is_none() && Some(&model.id) != harness.route.model.as_ref());
        all.extend(others.take(MODELS).map(|model| Alternative {
            executor: own.to_string(),
            model: Some(model.id.clone()),
            note: format!("the same session · {}", model.provider),
            command: vec!["model".into(), "-t".into(), id.to_string(), model.id.clone()],
        }));
        all
    }

    /// The verb `fallback`.
    pub(super) fn fallback_verb(&mut self, target: &Target, as_json: bool, origin: &Origin) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let pane = self.state.panes.get(&id).ok_or("no pane")?;
        if pane.harness.is_none() {
            return Err(Failure::Failed(format!("no harness runs in {id}")));
        }
        let (status, until) = (pane.status.status.clone(), pane.status.until);
        let all = self.alternatives(id);
        if let Some(client) = origin.client {
            if all.is_empty() {
                return Err(Failure::Failed(
                    "nothing else is ready; inspan executors says what is missing".into(),
                ));
            }
            let rows = all.into_iter().map(|found| ChoiceRow {
                name: match (&found.model, found.executor == self.who(id)) {
                    (Some(model), true) => model.clone(),
                    (Some(model), false) => format!("{} {}", found.executor, crate::router::short(model)),
                    (None, _) => found.executor.clone(),
                },
                detail: found.note,
                // A person sees the preview first.
                command: match found.command.first().map(String::as_str) {
                    Some("switch") => {
                        [vec!["switch-dialog".to_owned()], found.command[1..].to_vec()].concat()
                    }
                    _ => found.command,
                },
                ..ChoiceRow::default()
            });
            let title = match until {
                Some(until) => format!("{id} is limited until {}", time_of_day(until)),
                None => format!("{id}: what could go on"),
            };
            let choice = Choice { title, rows: rows.collect(), ..Choice::default() };
            self.open(client, Overlay::Choose(choice));
            return Ok(Outcome::Done(String::new()));
        }
        if as_json {
            let value = json!({
                "pane": id.to_string(), "status": status.as_str(), "until": until, "alternatives": all,
            });
            return Ok(Outcome::Done(serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"));
        }
        let mut text = match until {
            Some(until) => format!("{id} is limited until {}\n", time_of_day(until)),
            None => String::new(),
        };
        for found in &all {
            let model = found.model.as_deref().unwrap_or("its own default");
            let command = found.command.join(" ");
            text.push_str(&format!(
                "{:<14} {model:<24} {}\n{:<14} inspan {command}\n",
                found.executor, found.note, ""
            ));
        }
        if all.is_empty() {
            text.push_str("nothing else is ready; inspan executors says what is missing\n");
        }
        Ok(Outcome::Done(text))
    }

    /// Awaits the ends of the limits that parked sessions of a pane ran into.
    pub(super) fn await_returns(&mut self, id: PaneId) {
        let Some(harness) = self.state.panes.get(&id).and_then(|pane| pane.harness.as_ref()) else { return };
        let limited =
            harness.parked.iter().filter_map(|(e, parked)| Some((e.clone(), parked.limited_until?)));
        for (executor, until) in limited.collect::<Vec<_>>() {
            let wait = Duration::from_secs(until.saturating_sub(Self::now()) + 1);
            self.tasks.after(wait, move |server| server.limit_over(id, &executor, until));
        }
    }

    /// The limit of a parked session ended: the way back is offered, or taken where a rule led away.
    fn limit_over(&mut self, id: PaneId, executor: &ExecutorId, until: u64) {
        let switching = self.switches.contains_key(&id);
        let Some(harness) = self.state.panes.get_mut(&id).and_then(|pane| pane.harness.as_mut()) else {
            return;
        };
        let here = harness.route.executor == *executor;
        let Some(parked) = harness.parked.get_mut(executor).filter(|p| p.limited_until == Some(until)) else {
            return;
        };
        if switching {
            // The one that led away may still be under way.
            let executor = executor.clone();
            self.tasks.after(BUSY_WAIT, move |server| server.limit_over(id, &executor, until));
            return;
        }
        parked.limited_until = None;
        self.touch();
        if here {
            return;
        }
        let set = self.settings.executor(executor);
        if set.fallback.is_empty() || set.fallback_stay {
            self.tell_all(&format!(
                "{id}: the limit of {executor} has reset; inspan switch -t {id} --executor {executor} goes back"
            ));
            return;
        }
        self.tell_all(&format!("{id}: the limit of {executor} has reset; it goes back as your settings say"));
        let mut words = switch_to(id, executor.as_str(), None);
        words.push("--when-done".into());
        let origin = Origin { pane: Some(id), ..Origin::default() };
        if let Err(failure) = self.run_sequence(&words, &origin, &BTreeMap::new()) {
            self.tell_all(&format!("{id} did not go back to {executor}: {}", failure.why()));
        }
    }
}

/// How long a switch under way is left to end before the way back is looked for again.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// What a pane says once its limit has ended.
const RESET: &str = "the limit has reset";
/// Seconds by which the moment may move that words like "in 2h 5m" name, read at different times.
const SAME_MOMENT: u64 = 120;

fn switch_to(id: PaneId, executor: &str, model: Option<&str>) -> Vec<String> {
    let mut words =
        vec!["switch".to_owned(), "-t".into(), id.to_string(), "--executor".into(), executor.into()];
    words.extend(model.iter().flat_map(|model| ["--model".to_owned(), (*model).to_owned()]));
    words
}

/// `15:04`, with the date when it is not today.
fn time_of_day(unix: u64) -> String {
    let at =
        i64::try_from(unix).ok().and_then(|unix| jiff::Timestamp::from_second(unix).ok()).unwrap_or_default();
    let at = at.to_zoned(jiff::tz::TimeZone::system());
    let today = at.date() == jiff::Zoned::now().date();
    at.strftime(if today { "%H:%M" } else { "%b %d %H:%M" }).to_string()
}
