//! plan
use super::{Facts, PlanRequest, Refusal, Route};

/// Plans.
///
/// # Errors
/// A refusal.
pub fn plan(_request: &PlanRequest, _facts: &Facts) -> Result<Route, Refusal> {
    Err(Refusal { rule: "unplanned".into(), reason: String::new(), remedies: vec![] })
}
