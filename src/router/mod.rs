//! Owns the choice of route: the catalogue, policy, and `plan(request, facts) -> Route | Refusal`.
//!
//! Pure: facts about the machine are arguments. Must not know: how a route is launched or carried.
pub mod budget;
pub mod catalogue;
mod credential;
mod gateways;
mod lines;
pub mod plan;
pub mod policy;
pub mod prices;
mod rows;
mod text;
mod types;
mod vaults;

pub use budget::{Budget, LimitWindow, Span, Standing};
pub use catalogue::{Catalogue, short, short_executor};
pub use credential::{Credential, FORMS as CREDENTIAL_FORMS, NoReference, is_name, short_credential};
pub use gateways::{Declaration, Endpoint, Gateway, GatewayFault, dialects_at, presets, provider_at};
pub use lines::route_lines;
pub use plan::{alternatives, plan, refusal_of_unknown_executor};
pub use policy::Policy;
pub use rows::{ModelRow, allowed_models, models_for, short_reason};
pub use text::{Problem, glob, nearest, position};
pub use types::*;
pub use vaults::{
    Attached, Kept, RESERVED, Role, VaultEntry, check_engine, check_metadata, llm_vault, selected_executor,
};
