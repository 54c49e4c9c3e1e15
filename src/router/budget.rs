//! Budgets: how many US dollars may be spent in a pane, in a session, in a day.
use super::ExecutorId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// From this share of a budget on it is shown as nearly used up.
pub const WARN_SHARE: f64 = 0.8;

/// What a budget holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// One pane, for as long as it exists.
    Pane,
    /// One session, for as long as it exists.
    Session,
    /// One calendar day, over all sessions of a server.
    Day,
}

impl Span {
    /// All three, narrowest first.
    pub const ALL: [Self; 3] = [Self::Pane, Self::Session, Self::Day];

    /// The stable lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pane => "pane",
            Self::Session => "session",
            Self::Day => "day",
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A limit on spending.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// What it holds for.
    pub span: Span,
    /// The executor whose requests alone count; `None` counts all.
    pub executor: Option<ExecutorId>,
    /// US dollars.
    pub usd: f64,
    /// Where it was written, for the words of a refusal.
    pub origin: String,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} budget", self.span)?;
        match &self.executor {
            Some(executor) => write!(f, " for {executor}"),
            None => Ok(()),
        }
    }
}

/// How far a budget is used up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// What the budget holds for.
    pub span: Span,
    /// US dollars spent.
    pub spent: f64,
    /// US dollars allowed.
    pub limit: f64,
}

impl Standing {
    /// The share that is spent; above 1 when the last request cost more than was left.
    pub fn share(&self) -> f64 {
        // A budget of nothing is used up from the start.
        if self.limit > 0.0 { self.spent / self.limit } else { 1.0 }
    }

    /// Whether it is nearly or wholly used up.
    pub fn is_short(&self) -> bool {
        self.share() >= WARN_SHARE
    }

    /// Whether nothing is left.
    pub fn is_used_up(&self) -> bool {
        self.share() >= 1.0
    }
}

/// One limit of a provider's own, and how much of it is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitWindow {
    /// What is limited: `requests`, `input tokens`, `5h`.
    pub name: String,
    /// The share that is used, from 0 to 1.
    pub used: f64,
    /// Unix milliseconds at which it begins anew, where the provider says so.
    pub resets_ms: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_is_short_from_four_fifths_on() {
        let standing = |spent, limit| Standing { span: Span::Day, spent, limit };
        assert!(!standing(0.79, 1.0).is_short() && standing(0.8, 1.0).is_short());
        assert!(!standing(0.99, 1.0).is_used_up() && standing(1.0, 1.0).is_used_up());
        assert!(standing(0.0, 0.0).is_used_up(), "a budget of nothing");
    }
}
