//! The bounded queue between everyone and the writer, and what is given up when it is full.
use super::LedgerRow;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc},
};

/// Jobs beyond which journal events are dropped: they are the first to go, because nothing is computed from them.
pub(super) const JOURNAL_MAX: usize = 2048;
/// Jobs beyond which ledger rows are dropped. A row is under 1 KiB, so a full queue holds a few megabytes.
pub(super) const LEDGER_MAX: usize = 4096;
/// Jobs beyond which even switch rows and questions are dropped. There are a handful of these per switch, so the
/// reserve behind a queue full of ledger rows lasts.
pub(super) const QUEUE_MAX: usize = 4096 + 256;

/// A question put to the database by the thread that owns it.
pub(super) type Question = Box<dyn FnOnce(&rusqlite::Connection) + Send>;

/// Something for the writer to do.
pub(super) enum Job {
    Ledger(Box<LedgerRow>),
    Journal { at_ms: i64, session: String, pane: String, kind: String, data: serde_json::Value },
    SwitchBegin { at_ms: i64, key: String, pane: String, plan: String },
    SwitchStep { at_ms: i64, key: String, step: String },
    SwitchEnd { at_ms: i64, key: String, outcome: String },
    Ask(Question),
    Flush(mpsc::SyncSender<()>),
}

/// Rows that were given up since the server started, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Journal events.
    pub journal: u64,
    /// Ledger rows.
    pub ledger: u64,
    /// Switch rows.
    pub switch: u64,
}

impl Dropped {
    /// Counts `job` as lost.
    pub(super) fn count(&mut self, job: &Job) {
        match job {
            Job::Ledger(_) => self.ledger += 1,
            Job::Journal { .. } => self.journal += 1,
            Job::SwitchBegin { .. } | Job::SwitchStep { .. } | Job::SwitchEnd { .. } => self.switch += 1,
            Job::Ask(_) | Job::Flush(_) => {}
        }
    }

    /// All kinds together.
    pub fn total(self) -> u64 {
        self.journal + self.ledger + self.switch
    }
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    /// The newest state that is not on disk yet; a slot, so saving often costs no queue.
    state: Option<String>,
    /// A state that could not be written; it goes along with the next batch, and is not a reason for one.
    parked: Option<String>,
    closed: bool,
    dropped: Dropped,
    /// From the database: a stopped ledger, a file moved aside.
    warning: Option<String>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("jobs", &self.lock().jobs.len()).finish_non_exhaustive()
    }
}

impl Queue {
    /// Takes a job unless its kind's share of the queue is used up; false means that it was dropped and counted.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut inner = self.lock();
        let max = match job {
            Job::Journal { .. } => JOURNAL_MAX,
            Job::Ledger(_) => LEDGER_MAX,
            _ => QUEUE_MAX,
        };
        if inner.closed || inner.jobs.len() >= max {
            inner.dropped.count(&job);
            return false;
        }
        inner.jobs.push_back(job);
        self.wake.notify_one();
        true
    }

    /// Replaces the state that waits to be written.
    pub(super) fn save_state(&self, json: String) {
        let mut inner = self.lock();
        if !inner.closed {
            inner.state = Some(json);
            inner.parked = None;
            self.wake.notify_one();
        }
    }

    /// The state that waits to be written.
    pub(super) fn unsaved_state(&self) -> Option<String> {
        let inner = self.lock();
        inner.state.as_ref().or(inner.parked.as_ref()).cloned()
    }

    /// Puts back a state that could not be written, unless a newer one has come since.
    pub(super) fn park_state(&self, json: String) {
        let mut inner = self.lock();
        if inner.state.is_none() {
            inner.parked = Some(json);
        }
    }

    /// Waits for work and takes all of it; `None` once closed and empty.
    pub(super) fn take(&self) -> Option<(VecDeque<Job>, Option<String>)> {
        let mut inner = self.lock();
        while inner.jobs.is_empty() && inner.state.is_none() {
            if inner.closed {
                return None;
            }
            inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let state = inner.state.take().or_else(|| inner.parked.take());
        Some((std::mem::take(&mut inner.jobs), state))
    }

    /// Takes nothing more after `last`.
    pub(super) fn close(&self, last: Job) {
        let mut inner = self.lock();
        if !inner.closed {
            inner.jobs.push_back(last);
            inner.closed = true;
        }
        self.wake.notify_one();
    }

    /// Takes nothing at all, and lets go of what waits, so that nobody waits for an answer.
    pub(super) fn close_silently(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        for job in std::mem::take(&mut inner.jobs) {
            inner.dropped.count(&job);
        }
    }

    /// Counts a job that the database would not take.
    pub(super) fn lost(&self, job: &Job) {
        self.lock().dropped.count(job);
    }

    /// Sets or clears the standing warning.
    pub(super) fn warn(&self, warning: Option<String>) {
        if let Some(warning) = &warning {
            tracing::warn!("{warning}");
        }
        self.lock().warning = warning;
    }

    /// The standing warning, with what was lost.
    pub(super) fn warning(&self) -> Option<String> {
        let inner = self.lock();
        let lost = match inner.dropped.total() {
            0 => None,
            1 => Some("1 record lost".to_owned()),
            n => Some(format!("{n} records lost")),
        };
        match (&inner.warning, lost) {
            (Some(warning), Some(lost)) => Some(format!("{warning} ({lost})")),
            (Some(warning), None) => Some(warning.clone()),
            (None, Some(lost)) => Some(format!("the record could not keep up: {lost}")),
            (None, None) => None,
        }
    }

    /// What was lost.
    pub(super) fn dropped(&self) -> Dropped {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Job {
        Job::Journal {
            at_ms: 0,
            session: String::new(),
            pane: String::new(),
            kind: String::new(),
            data: serde_json::Value::Null,
        }
    }

    fn step() -> Job {
        Job::SwitchStep { at_ms: 0, key: String::new(), step: String::new() }
    }

    #[test]
    fn journal_goes_first_then_ledger_and_switches_last() {
        let queue = Queue::default();
        for _ in 0..JOURNAL_MAX {
            assert!(queue.push(journal()));
        }
        assert!(!queue.push(journal()));
        for _ in JOURNAL_MAX..LEDGER_MAX {
            assert!(queue.push(Job::Ledger(Box::default())));
        }
        assert!(!queue.push(Job::Ledger(Box::default())));
        for _ in LEDGER_MAX..QUEUE_MAX {
            assert!(queue.push(step()));
        }
        assert!(!queue.push(step()));
        assert_eq!(queue.dropped(), Dropped { journal: 1, ledger: 1, switch: 1 });
        assert_eq!(queue.warning().unwrap(), "the record could not keep up: 3 records lost");
    }

    #[test]
    fn only_the_newest_state_waits() {
        let queue = Queue::default();
        queue.save_state("one".into());
        queue.save_state("two".into());
        let (jobs, state) = queue.take().unwrap();
        assert!(jobs.is_empty());
        assert_eq!(state.as_deref(), Some("two"));
        queue.save_state("three".into());
        queue.park_state("two".into());
        assert_eq!(queue.unsaved_state().as_deref(), Some("three"));
        assert_eq!(queue.take().unwrap().1.as_deref(), Some("three"));
        queue.park_state("three".into());
        queue.push(journal());
        assert_eq!(
            queue.take().unwrap().1.as_deref(),
            Some("three"),
            "a parked state goes with the next batch"
        );
    }

    #[test]
    fn closing_lets_the_writer_finish_and_then_ends_it() {
        let queue = Queue::default();
        queue.push(journal());
        let (done, _wait) = mpsc::sync_channel(1);
        queue.close(Job::Flush(done));
        assert!(!queue.push(journal()));
        assert_eq!(queue.take().unwrap().0.len(), 2);
        assert!(queue.take().is_none());
    }
}
