//! Owns the choice of route: the catalogue, policy, and `plan(request, facts) -> Route | Refusal`.
//!
//! Pure: facts about the machine are arguments. Must not know: how a route is launched or carried.
pub mod budget;
pub mod catalogue;
mod lines;
pub mod plan;
pub mod policy;
pub mod prices;
mod rows;
mod text;
mod types;

pub use budget::{Budget, LimitWindow, Span, Standing};
pub use catalogue::{Catalogue, short, short_executor};
pub use lines::route_lines;
pub use plan::{alternatives, plan};
pub use policy::Policy;
pub use rows::{ModelRow, allowed_models, models_for, short_reason};
pub use text::{Problem, glob, nearest, position};
pub use types::*;
