//! What was spent so far, and whether more may be.
use super::PaneRoute;
use crate::{
    record::{RecordError, Recorder, Spent},
    router::{Budget, ExecutorId, Span, Standing},
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Whose spending a sum is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    span: Span,
    /// The pane's ULID or the session's id; empty for the day.
    of: String,
    executor: Option<ExecutorId>,
}

impl Key {
    fn new(span: Span, pane: &str, session: &str, executor: Option<&ExecutorId>) -> Self {
        let of = match span {
            Span::Pane => pane,
            Span::Session => session,
            Span::Day => "",
        };
        Self { span, of: of.to_owned(), executor: executor.cloned() }
    }

    /// Every sum that a request of this pane counts in.
    fn all(pane: &str, session: &str, executor: &ExecutorId) -> impl Iterator<Item = Self> {
        Span::ALL.into_iter().flat_map(move |span| {
            [None, Some(executor)].map(|executor| Self::new(span, pane, session, executor))
        })
    }

    fn of_budget(budget: &Budget, pane: &PaneRoute) -> Self {
        Self::new(budget.span, &pane.pane, &pane.session_id, budget.executor.as_ref())
    }
}

/// What is kept of a sum.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    spent: f64,
    /// Estimates of the requests under way.
    reserved: f64,
}

#[derive(Debug, Default)]
struct Inner {
    sums: HashMap<Key, Sum>,
    /// Unix milliseconds at which the day's sums begin anew.
    midnight: i64,
}

/// The sums that budgets are compared with.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    inner: Mutex<Inner>,
}

/// An estimate that is counted until the request ends.
#[derive(Debug)]
pub(super) struct Reserved {
    keys: Vec<Key>,
    amount: f64,
}

/// A budget that a request brought over a mark.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crossed {
    pub(super) budget: Budget,
    pub(super) standing: Standing,
}

impl Budgets {
    /// The sums of before, from the ledger.
    pub(super) fn load(recorder: &Recorder) -> Result<Self, RecordError> {
        let (today, midnight) = day();
        let budgets = Self::of(&recorder.spent(today)?);
        budgets.lock().midnight = midnight;
        Ok(budgets)
    }

    fn of(rows: &[Spent]) -> Self {
        let budgets = Self::default();
        let mut inner = budgets.lock();
        for row in rows {
            let executor = ExecutorId::from(row.executor.as_str());
            for key in Key::all(&row.pane, &row.session_id, &executor) {
                let amount = if key.span == Span::Day { row.since } else { row.ever };
                inner.sums.entry(key).or_default().spent += amount;
            }
        }
        drop(inner);
        budgets
    }

    /// Counts `estimate` US dollars until [`Budgets::settle`], unless one of the pane's budgets is used up.
    pub(super) fn reserve(&self, pane: &PaneRoute, estimate: f64) -> Result<Reserved, Crossed> {
        let mut inner = self.at(day());
        for budget in pane.budgets.iter() {
            let sum = inner.sums.get(&Key::of_budget(budget, pane)).copied().unwrap_or_default();
            let standing = Standing { span: budget.span, spent: sum.spent + sum.reserved, limit: budget.usd };
            if standing.is_used_up() {
                return Err(Crossed { budget: budget.clone(), standing });
            }
        }
        let keys: Vec<Key> = Key::all(&pane.pane, &pane.session_id, &pane.executor).collect();
        for key in &keys {
            inner.sums.entry(key.clone()).or_default().reserved += estimate;
        }
        Ok(Reserved { keys, amount: estimate })
    }

    /// Puts `cost` US dollars in the place of the estimate, and tells which budgets came to four fifths or to their end
    /// by it.
    pub(super) fn settle(&self, pane: &PaneRoute, reserved: Option<Reserved>, cost: f64) -> Vec<Crossed> {
        let mut inner = self.at(day());
        if let Some(Reserved { keys, amount }) = reserved {
            for key in keys {
                let sum = inner.sums.entry(key).or_default();
                sum.reserved = (sum.reserved - amount).max(0.0);
            }
        }
        if cost <= 0.0 {
            return Vec::new();
        }
        for key in Key::all(&pane.pane, &pane.session_id, &pane.executor) {
            inner.sums.entry(key).or_default().spent += cost;
        }
        let crossed = |budget: &Budget| {
            let spent = inner.sums.get(&Key::of_budget(budget, pane))?.spent;
            let standing = |spent| Standing { span: budget.span, spent, limit: budget.usd };
            let (before, now) = (standing(spent - cost), standing(spent));
            let over = before.is_short() != now.is_short() || before.is_used_up() != now.is_used_up();
            over.then(|| Crossed { budget: budget.clone(), standing: now })
        };
        pane.budgets.iter().filter_map(crossed).collect()
    }

    /// How far the budgets of a pane are used up, the narrowest first; of several for the same, the one of which the
    /// least is left.
    pub(super) fn standings(&self, pane: &PaneRoute) -> Vec<Standing> {
        let inner = self.at(day());
        let standing = |budget: &Budget| Standing {
            span: budget.span,
            spent: inner.sums.get(&Key::of_budget(budget, pane)).copied().unwrap_or_default().spent,
            limit: budget.usd,
        };
        let tightest = |span: Span| {
            let standings = pane.budgets.iter().filter(|budget| budget.span == span).map(standing);
            standings.max_by(|a, b| a.share().total_cmp(&b.share()))
        };
        Span::ALL.into_iter().filter_map(tightest).collect()
    }

    /// US dollars spent since midnight, over all panes.
    pub(super) fn today(&self) -> f64 {
        let key = Key::new(Span::Day, "", "", None);
        self.at(day()).sums.get(&key).copied().unwrap_or_default().spent
    }

    /// The sums, the day's begun anew when it is another day.
    fn at(&self, (today, midnight): (i64, i64)) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        if inner.midnight <= today {
            for (_, sum) in inner.sums.iter_mut().filter(|(key, _)| key.span == Span::Day) {
                sum.spent = 0.0;
            }
        }
        inner.midnight = midnight;
        inner
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning and the end of the local calendar day, in unix milliseconds.
fn day() -> (i64, i64) {
    let now = jiff::Zoned::now();
    let start = |day: Result<jiff::Zoned, jiff::Error>| {
        let start = day.and_then(|day| day.start_of_day());
        start.map(|start| start.timestamp().as_millisecond()).unwrap_or_default()
    };
    (start(Ok(now.clone())), start(now.tomorrow()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::tests::pane;
    use std::sync::Arc;

    fn with(budgets: &[(Span, Option<ExecutorId>, f64)]) -> PaneRoute {
        let budget = |(span, executor, usd): &(Span, Option<ExecutorId>, f64)| Budget {
            span: *span,
            executor: executor.clone(),
            usd: *usd,
            origin: "policy.toml line 1".into(),
        };
        PaneRoute { budgets: Arc::new(budgets.iter().map(budget).collect()), ..pane("http://x") }
    }

    #[test]
    fn each_mark_is_told_once_and_the_end_refuses() {
        let (budgets, pane) = (Budgets::default(), with(&[(Span::Pane, None, 1.0)]));
        let spend = |usd| {
            let reserved = budgets.reserve(&pane, 0.1).ok();
            budgets.settle(&pane, reserved, usd).iter().map(|c| c.standing.share()).collect::<Vec<_>>()
        };
        assert_eq!(spend(0.5), [0.0; 0]);
        assert_eq!(spend(0.25), [0.0; 0]);
        assert_eq!(spend(0.125), [0.875]);
        assert_eq!(spend(0.0625), [0.0; 0]);
        assert_eq!(spend(0.25), [1.1875]);
        let refused = budgets.reserve(&pane, 0.0).unwrap_err();
        assert_eq!((refused.standing.spent, refused.standing.limit), (1.1875, 1.0));
        assert_eq!(budgets.standings(&pane)[0].span, Span::Pane);
        assert_eq!(budgets.today(), 1.1875);
    }

    #[test]
    fn requests_under_way_count_as_they_are_estimated() {
        let (budgets, pane) = (Budgets::default(), with(&[(Span::Session, None, 1.0)]));
        let first = budgets.reserve(&pane, 0.6).unwrap();
        let second = budgets.reserve(&pane, 0.6).unwrap();
        assert!(budgets.reserve(&pane, 0.1).is_err(), "both estimates together are more than the budget");
        budgets.settle(&pane, Some(first), 0.1);
        budgets.settle(&pane, Some(second), 0.1);
        assert_eq!(budgets.standings(&pane)[0].spent, 0.2);
        assert!(budgets.reserve(&pane, 0.1).is_ok());
    }

    #[test]
    fn panes_sessions_executors_and_days_are_counted_apart() {
        let row = |pane: &str, session: &str, executor: &str, ever, since| Spent {
            pane: pane.into(),
            session_id: session.into(),
            executor: executor.into(),
            ever,
            since,
        };
        let budgets = Budgets::of(&[
            row("PANE", "$1", "claude", 4.0, 1.0),
            row("PANE", "$1", "codex", 2.0, 2.0),
            row("OTHER", "$1", "claude", 8.0, 4.0),
            row("THIRD", "$2", "claude", 16.0, 8.0),
        ]);
        budgets.lock().midnight = day().1;
        for (span, executor, spent) in [
            (Span::Pane, None, 6.0),
            (Span::Pane, Some(ExecutorId::CLAUDE), 4.0),
            (Span::Session, None, 14.0),
            (Span::Session, Some(ExecutorId::CLAUDE), 12.0),
            (Span::Day, None, 15.0),
            (Span::Day, Some(ExecutorId::CODEX), 2.0),
        ] {
            let pane = with(&[(span, executor, 100.0)]);
            assert_eq!(budgets.standings(&pane)[0].spent, spent, "{span}");
        }
        let (today, midnight) = day();
        let inner = budgets.at((midnight, midnight + 86_400_000));
        assert!(today < midnight);
        let left: f64 =
            inner.sums.iter().filter(|(k, _)| k.span == Span::Day).map(|(_, sum)| sum.spent).sum();
        let panes: f64 =
            inner.sums.iter().filter(|(k, _)| k.span == Span::Pane).map(|(_, sum)| sum.spent).sum();
        assert_eq!((left, panes), (0.0, 60.0), "another day");
    }
}
