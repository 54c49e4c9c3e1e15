//! The ways out of a refusal.
use super::decide;
use crate::router::{
    AuthMode, AuthStep, Catalogue, ExecutorId, Facts, PlanRequest, Route, catalogue::Unknown,
};

/// More ways out than these are no help at the moment of a refusal.
pub(super) const MAX_ALTERNATIVES: usize = 3;

/// What could be run instead of a refused request: the words of the remedy, and the request that does it.
pub fn alternatives(request: &PlanRequest, facts: &Facts) -> Vec<(String, PlanRequest)> {
    let catalogue = Catalogue::builtin();
    let mut found: Vec<(Route, PlanRequest)> = Vec::new();
    for candidate in candidates(request, catalogue, facts) {
        let Ok(route) = decide(&candidate, facts) else { continue };
        // An unverified id may fail at the vendor's door: nothing to send a person to.
        if !route.verified || found.iter().any(|(known, _)| same(known, &route)) {
            continue;
        }
        let auth = if request.rehearse { None } else { Some(route.auth) };
        found.push((route, PlanRequest { auth, ..candidate }));
        if found.len() == MAX_ALTERNATIVES {
            break;
        }
    }
    found.into_iter().map(|(route, request)| (remedy(&route), request)).collect()
}

fn same(a: &Route, b: &Route) -> bool {
    (&a.executor, &a.model, a.auth) == (&b.executor, &b.model, b.auth)
}

/// Requests near the refused one, likeliest first: the same pair paid otherwise, the same model elsewhere, another
/// model here.
fn candidates(request: &PlanRequest, catalogue: &Catalogue, facts: &Facts) -> Vec<PlanRequest> {
    let executor = match facts.executor(&request.executor) {
        Ok(executor) => executor.id.clone(),
        Err(Unknown { nearest: Some(nearest), .. }) => ExecutorId::from(nearest.as_str()),
        Err(_) => return Vec::new(),
    };
    let model = request.model.as_ref().map(|name| match catalogue.model(name) {
        Err(Unknown { nearest: Some(nearest), .. }) => nearest,
        _ => name.clone(),
    });
    let here = PlanRequest { executor, model, ..request.clone() };
    let mut list = vec![here.clone()];
    list.extend(AuthMode::ALL.map(|auth| PlanRequest { auth: Some(auth), ..here.clone() }));
    let others = catalogue.executors.iter().map(|e| e.id.clone()).filter(|id| *id != here.executor);
    let elsewhere = others.map(|executor| PlanRequest { executor, auth: None, ..here.clone() });
    // Whoever named a model wants that one; whoever named none wants this executor.
    let model_first = here.model.is_some();
    if model_first {
        list.extend(elsewhere.clone());
    }
    for auth in [request.auth, None] {
        let default = std::iter::once(None);
        let models = default.chain(catalogue.models.iter().map(|m| Some(m.id.clone())));
        list.extend(models.map(|model| PlanRequest { model, auth, ..here.clone() }));
    }
    if !model_first {
        list.extend(elsewhere);
    }
    list
}

/// A way out in words.
pub(super) fn remedy(route: &Route) -> String {
    let executor = &route.executor;
    let model = route.model.as_deref().unwrap_or("its own default model");
    match route.auth {
        _ if route.step == AuthStep::Rehearsal => format!("rehearsal: {executor} with {model}"),
        AuthMode::Credits => {
            format!("credits: {executor} with {model} through the gateway (key: {})", route.credential)
        }
        AuthMode::Byok => format!("{executor} with {model} on your {} key", route.provider.title()),
        AuthMode::Login => format!("{executor} with {model} on your own login"),
    }
}
