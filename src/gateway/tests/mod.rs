use super::*;
use crate::router::{AuthMode, AuthStep, Dialect, Provider, Route};

mod again;
mod bad;
mod door;
mod faults;
mod lab;
mod money;
mod rotation;
mod through;
mod translated;

pub(super) fn route(base: &str) -> Route {
    Route {
        executor: ExecutorId::CLAUDE,
        model: Some("shown".into()),
        wire_model: Some("wire".into()),
        auth: AuthMode::Credits,
        harness_dialect: Dialect::Messages,
        upstream_dialect: Dialect::Messages,
        provider: Provider::Anthropic,
        base_url: base.into(),
        credential: "env:ANTHROPIC_API_KEY".into(),
        payer: "env:ANTHROPIC_API_KEY".into(),
        step: AuthStep::ProviderKey,
        outside_reference: false,
        verified: true,
        gateway: None,
        inject: false,
    }
}

/// Routes to the same place for these models, by wire and display id.
pub(super) fn allowed(base: &str, models: &[(&str, &str)]) -> Arc<Vec<Route>> {
    let of = |(wire, shown): &(&str, &str)| Route {
        wire_model: Some((*wire).into()),
        model: Some((*shown).into()),
        ..route(base)
    };
    Arc::new(models.iter().map(of).collect())
}

pub(super) fn pane(base: &str) -> PaneRoute {
    PaneRoute {
        pane: "PANE".into(),
        session: "shop".into(),
        session_id: "$1".into(),
        dir: "/work".into(),
        executor: ExecutorId::CLAUDE,
        route: route(base),
        launched: Some("wire".into()),
        allowed: allowed(base, &[("wire", "shown"), ("other", "Other")]),
        policy: Arc::default(),
        budgets: Arc::default(),
    }
}

/// `pane` speaking another dialect to another provider.
fn pane_of(base: &str, dialect: Dialect, provider: Provider, credential: &str) -> PaneRoute {
    let mut pane = pane(base);
    pane.route.harness_dialect = dialect;
    pane.route.upstream_dialect = dialect;
    pane.route.provider = provider;
    pane.route.credential = credential.into();
    pane
}
