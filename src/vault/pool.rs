//! Several credentials under one name: which of them a session uses now, and which of them rest.
//!
//! Pure: time is an argument, in milliseconds of any clock that only goes forward.
use std::collections::HashMap;
use std::time::Duration;

/// How long a credential rests after its first failure; each further one in a row doubles it.
pub const COOLDOWN_FIRST: Duration = Duration::from_secs(5);

/// The longest rest that is not the upstream's own wish.
pub const COOLDOWN_MAX: Duration = Duration::from_secs(5 * 60);

/// The longest rest that an upstream may wish for: plans count in windows of hours, and a clock that is wrong must not
/// lock a credential out for good.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Sessions whose credential is remembered; the one that asked longest ago is forgotten first.
const SESSIONS_MAX: usize = 1024;

/// What an upstream said of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It served the request.
    Ok,
    /// Its limit is reached (429), and when it may be asked again, if the upstream said so.
    Limited(Option<Duration>),
    /// The upstream has no room for it (529, 503).
    Overloaded(Option<Duration>),
    /// It is not accepted (401).
    Unauthorized,
}

impl Outcome {
    /// What an HTTP status says of a credential; `None` when it says nothing, as a malformed request does.
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Option<Self> {
        match status {
            200..=299 => Some(Self::Ok),
            401 => Some(Self::Unauthorized),
            429 => Some(Self::Limited(retry_after)),
            503 | 529 => Some(Self::Overloaded(retry_after)),
            _ => None,
        }
    }

    /// A few words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ok => "served",
            Self::Limited(_) => "rate limited",
            Self::Overloaded(_) => "overloaded",
            Self::Unauthorized => "not accepted",
        }
    }
}

/// One credential's standing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Failures in a row.
    pub failures: u32,
    /// It rests until then.
    pub until_ms: u64,
    /// The newest failure, until it serves again.
    pub trouble: Option<Outcome>,
}

impl Health {
    /// How long it still rests.
    pub fn rests(&self, now_ms: u64) -> Option<Duration> {
        (self.until_ms > now_ms).then(|| Duration::from_millis(self.until_ms - now_ms))
    }
}

/// The member that a session is to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its place in the pool.
    pub member: usize,
    /// The session used another one until now: which, and what was wrong with it.
    pub from: Option<(usize, Outcome)>,
    /// All of them rest; this one wakes first, after so long.
    pub rests: Option<Duration>,
}

/// The credentials of one name.
#[derive(Debug, Default)]
pub struct Pool {
    members: Vec<(String, Health)>,
    /// Who uses which member, and when it last asked.
    sessions: HashMap<String, (usize, u64)>,
}

impl Pool {
    /// Takes the references as they are now; those that were there keep their standing and their sessions.
    pub fn set_members(&mut self, references: &[String]) {
        if self.members.iter().map(|(reference, _)| reference).eq(references) {
            return;
        }
        let before = std::mem::take(&mut self.members);
        let place = |reference: &str| references.iter().position(|r| r == reference);
        self.sessions = self
            .sessions
            .drain()
            .filter_map(|(session, (member, at))| Some((session, (place(&before.get(member)?.0)?, at))))
            .collect();
        self.members = references
            .iter()
            .map(|reference| {
                let known = before.iter().find(|(known, _)| known == reference);
                (reference.clone(), known.map(|(_, health)| health.clone()).unwrap_or_default())
            })
            .collect();
    }

    /// Every member and its standing.
    pub fn members(&self) -> &[(String, Health)] {
        &self.members
    }

    /// The member for `session`: the one that it used, unless that rests; else the one with the fewest sessions; when
    /// all rest, the one that wakes first. Those in `without` have no secret now and are passed over. `None` when
    /// nothing is left.
    pub fn choose(&mut self, session: &str, now_ms: u64, without: &[usize]) -> Option<Choice> {
        let used = self.sessions.get(session).map(|(member, _)| *member);
        let awake = |member: &usize| !without.contains(member) && self.members[*member].1.until_ms <= now_ms;
        let load = |member: usize| self.sessions.values().filter(|(used, _)| *used == member).count();
        let all = 0..self.members.len();
        let member = used
            .filter(awake)
            .or_else(|| all.clone().filter(awake).min_by_key(|member| load(*member)))
            .or_else(|| {
                let left = all.filter(|member| !without.contains(member));
                left.min_by_key(|member| (self.members[*member].1.until_ms, Some(*member) != used))
            })?;
        let from = used.filter(|used| *used != member).map(|used| {
            let trouble = self.members[used].1.trouble.unwrap_or(Outcome::Unauthorized);
            (used, trouble)
        });
        if self.sessions.len() >= SESSIONS_MAX && used.is_none() {
            let oldest = self.sessions.iter().min_by_key(|(_, (_, at))| *at).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.sessions.remove(&name));
        }
        self.sessions.insert(session.to_owned(), (member, now_ms));
        Some(Choice { member, from, rests: self.members[member].1.rests(now_ms) })
    }

    /// Ends the rest of a credential that served a request which was sent while it rested.
    pub fn wake(&mut self, reference: &str) {
        if let Some((_, health)) = self.members.iter_mut().find(|(known, _)| known == reference) {
            *health = Health::default();
        }
    }

    /// Notes what an upstream said of the credential `reference`.
    ///
    /// Several requests that fail at once are one failure; an answer to a request from before a failure ends no rest.
    pub fn report(&mut self, reference: &str, outcome: Outcome, now_ms: u64) {
        let Some((_, health)) = self.members.iter_mut().find(|(known, _)| known == reference) else { return };
        let resting = health.until_ms > now_ms;
        let wish = match outcome {
            Outcome::Ok => {
                if !resting {
                    *health = Health::default();
                }
                return;
            }
            Outcome::Limited(wish) | Outcome::Overloaded(wish) => wish.map(|wish| wish.min(RETRY_AFTER_MAX)),
            Outcome::Unauthorized => None,
        };
        health.trouble = Some(outcome);
        if !resting {
            health.failures = health.failures.saturating_add(1);
        }
        let doubled = COOLDOWN_FIRST.saturating_mul(1 << (health.failures - 1).min(16)).min(COOLDOWN_MAX);
        let until = |wait: Duration| now_ms.saturating_add(wait.as_millis().try_into().unwrap_or(u64::MAX));
        match wish {
            Some(wish) if resting => health.until_ms = health.until_ms.max(until(wish)),
            Some(wish) => health.until_ms = until(wish),
            None if resting => {}
            None => health.until_ms = until(doubled),
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
