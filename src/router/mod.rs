//! Owns the choice of route: the catalogue, policy, and `plan(request, facts) -> Route | Refusal`.
//!
//! Pure: facts about the machine are arguments. Must not know: how a route is launched or carried.
pub mod catalogue;
pub mod plan;
pub mod policy;
mod types;

pub use plan::plan;
pub use types::*;
