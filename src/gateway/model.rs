//! Which model serves a request: the route's, unless the harness was told otherwise by its user.
use super::PaneRoute;
use crate::router::{Provider, Route};

/// The answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The wire id that goes upstream.
    pub(super) wire: String,
    /// The display id of another model than the route's that is asked for; in a `Main` request that is its user's wish.
    pub(super) asked: Option<String>,
    /// Where it goes, when not where the pane's route says.
    pub(super) route: Option<Route>,
}

/// Chooses for a request that names `asked`. `usual` is what this harness's `Main` requests named before (at first,
/// the model it was started with): a model named as always is no wish, because the route may have been changed from
/// outside meanwhile; a model named anew is.
pub(super) fn choose(pane: &PaneRoute, asked: &str, usual: Option<&str>) -> Choice {
    let Some(wire) = pane.route.wire_model.as_deref() else {
        return Choice { wire: asked.to_owned(), asked: None, route: None };
    };
    let keep = |wire: &str| Choice { wire: wire.to_owned(), asked: None, route: None };
    if let Some(family) = auto_family(wire) {
        // The harness picks within the family; `auto` itself means nothing to a provider.
        return keep(if asked.starts_with(family) && !asked.starts_with("auto") { asked } else { wire });
    }
    if asked == wire || usual == Some(asked) {
        return keep(wire);
    }
    let named =
        |route: &&Route| [&route.wire_model, &route.model].into_iter().flatten().any(|id| id == asked);
    match pane.allowed.iter().find(named) {
        Some(other) if other.wire_model.as_deref() == Some(wire) => keep(wire),
        Some(other) => Choice {
            wire: other.wire_model.clone().unwrap_or_else(|| asked.to_owned()),
            asked: other.model.clone(),
            route: (!same_place(other, &pane.route)).then(|| other.clone()),
        },
        None => keep(wire),
    }
}

/// Whether requests of both go to the same place, in the same words and on the same bill.
fn same_place(a: &Route, b: &Route) -> bool {
    (a.provider, &a.base_url, a.upstream_dialect, &a.credential)
        == (b.provider, &b.base_url, b.upstream_dialect, &b.credential)
}

/// The rule by which policy forbids a request to be served by `wire`, and why; `None` when it does not. Planning asked
/// the same of the route, but rules may have changed since.
pub(super) fn forbidden(pane: &PaneRoute, wire: &str) -> Option<(&'static str, String)> {
    let (policy, executor) = (&pane.policy, &pane.executor);
    if let Some(rule) = policy.broken(executor) {
        let why = format!("{} cannot be understood ({}), so {executor} stays off", rule.origin, rule.value);
        return Some(("policy.broken", why));
    }
    if let Some(origin) = policy.disabled(executor) {
        return Some(("executor.disabled", format!("{executor} is disabled by policy ({origin})")));
    }
    let pays = pane.route.auth;
    let forced = policy.auth_method(executor).filter(|rule| rule.value != pays);
    if let Some(rule) = forced.filter(|_| pane.route.provider != Provider::Rehearsal) {
        let (wanted, origin) = (rule.value, &rule.origin);
        let why = format!("policy forces {wanted} for {executor} ({origin}); this pane pays by {pays}");
        return Some(("auth.forced", why));
    }
    let own =
        (pane.route.wire_model.as_deref() == Some(wire)).then_some(pane.route.model.as_deref()).flatten();
    let listed = pane.allowed.iter().find(|route| route.wire_model.as_deref() == Some(wire));
    let listed = listed.and_then(|route| route.model.as_deref());
    let names: Vec<&str> = std::iter::once(wire).chain(own).chain(listed).collect();
    let rule = policy.model_disabled(executor, &names)?;
    Some(("model.disabled", format!("{wire} is disabled for {executor} by policy ({})", rule.origin)))
}

/// What the models behind an `auto-*` id have in common: `auto-gemini-3` admits `gemini-…`. A bare `auto` is the
/// Gemini CLI's.
fn auto_family(wire: &str) -> Option<&str> {
    match wire.strip_prefix("auto")?.strip_prefix('-') {
        None if wire == "auto" => Some("gemini-"),
        None => None,
        Some(rest) => rest.split_once('-').map_or(Some(rest), |(family, _)| Some(&rest[..family.len() + 1])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::tests::{allowed, pane};

    fn choice(asked: &str, usual: Option<&str>) -> (String, Option<String>) {
        let mut pane = pane("http://x");
        pane.route.wire_model = Some("w1".into());
        pane.allowed = allowed("http://x", &[("w1", "one"), ("w2", "two")]);
        let choice = choose(&pane, asked, usual);
        (choice.wire, choice.asked)
    }

    #[test]
    fn a_new_allowed_model_is_a_wish() {
        assert_eq!(choice("w2", Some("w1")), ("w2".into(), Some("two".into())));
        assert_eq!(choice("two", Some("w1")), ("w2".into(), Some("two".into())));
        assert_eq!(choice("w2", None), ("w2".into(), Some("two".into())));
    }

    #[test]
    fn a_model_named_as_always_follows_the_route() {
        assert_eq!(choice("w2", Some("w2")), ("w1".into(), None));
        assert_eq!(choice("w1", Some("w2")), ("w1".into(), None));
        assert_eq!(choice("one", Some("w2")), ("w1".into(), None));
    }

    #[test]
    fn a_model_that_is_not_allowed_is_served_by_the_route() {
        assert_eq!(choice("w9", None), ("w1".into(), None));
    }

    #[test]
    fn auto_admits_its_family_and_nothing_else() {
        let mut pane = pane("http://x");
        for auto in ["auto", "auto-gemini-3"] {
            pane.route.wire_model = Some(auto.into());
            assert_eq!(choose(&pane, "gemini-3.8-flash", None).wire, "gemini-3.8-flash");
            assert_eq!(
                choose(&pane, "gpt-5.4", None),
                Choice { wire: auto.into(), asked: None, route: None }
            );
        }
        pane.route.wire_model = Some("autopilot".into());
        assert_eq!(choose(&pane, "gemini-3.8-flash", None).wire, "autopilot");
    }

    #[test]
    fn a_route_without_a_model_keeps_what_was_asked() {
        let mut pane = pane("http://x");
        pane.route.wire_model = None;
        assert_eq!(choose(&pane, "any", None), Choice { wire: "any".into(), asked: None, route: None });
    }
}
