//! The models of an executor as the panel lists them.
use super::{
    AuthMode, AuthStep, Catalogue, Dialect, ExecutorId, Facts, PlanRequest, Refusal, Route, plan, plan::RULES,
};

/// One model of an executor's list.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRow {
    /// The display id.
    pub display: String,
    /// The name where the executor is shown beside it.
    pub short: &'static str,
    /// The provider column: `Anthropic`, `Open Source`.
    pub provider: &'static str,
    /// It can run, or why not; drawn grey with [`ModelRow::note`] then.
    pub available: Result<(), Refusal>,
    /// What the harness speaks, and what its provider is spoken to in; `None` where it cannot run.
    pub dialects: Option<(Dialect, Dialect)>,
}

impl ModelRow {
    /// A few words for why it cannot run; empty when it can.
    pub fn note(&self) -> &'static str {
        self.available.as_ref().err().map(short_reason).unwrap_or_default()
    }
}

/// A few words for a refusal, where a column is too narrow for its sentence.
pub fn short_reason(refusal: &Refusal) -> &'static str {
    RULES.iter().find(|(rule, _)| *rule == refusal.rule).map_or("not possible", |(_, short)| short)
}

/// Every model of the catalogue as `executor` would run it, those that can run first.
///
/// Under `login` only models are listed that the CLI's own account is known to serve: any other id may still be typed,
/// but a list would promise too much.
pub fn models_for(
    executor: &ExecutorId,
    auth: Option<AuthMode>,
    rehearse: bool,
    facts: &Facts,
) -> Vec<ModelRow> {
    let mut rows = Vec::new();
    for model in &Catalogue::builtin().models {
        let request =
            PlanRequest { executor: executor.clone(), model: Some(model.id.clone()), auth, rehearse };
        let planned = plan(&request, facts);
        if planned.as_ref().is_ok_and(|route| !route.verified) {
            continue;
        }
        rows.push(ModelRow {
            display: model.id.clone(),
            short: model.short(),
            provider: model.provider_title(),
            dialects: planned.as_ref().ok().map(|route| (route.harness_dialect, route.upstream_dialect)),
            available: planned.map(|_| ()),
        });
    }
    rows.sort_by_key(|row| row.available.is_err());
    rows
}

/// The routes of the models that a running harness may change to by itself. Under `credits` these are all that planning
/// allows it: whoever serves them, the gateway is the same. With a key of the person's own it is what the place that its
/// requests go to now serves as well, paid by the same credential.
pub fn allowed_models(route: &Route, facts: &Facts) -> Vec<Route> {
    let rehearse = route.step == AuthStep::Rehearsal;
    let auth = (!rehearse).then_some(route.auth);
    let place = |route: &Route| {
        (route.provider, route.base_url.clone(), route.upstream_dialect, route.credential.clone())
    };
    let here = place(route);
    let planned = Catalogue::builtin().models.iter().filter_map(|model| {
        let (executor, id) = (route.executor.clone(), model.id.clone());
        let planned = plan(&PlanRequest { executor, model: Some(id), auth, rehearse }, facts).ok()?;
        let reachable = route.auth == AuthMode::Credits || place(&planned) == here;
        (planned.verified && planned.wire_model.is_some() && reachable).then_some(planned)
    });
    planned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: &[ModelRow]) -> Vec<String> {
        rows.iter()
            .map(|row| format!("{} {} {}", row.display, row.provider, row.note()).trim().to_owned())
            .collect()
    }

    #[test]
    fn codex_by_credits_lists_its_two_models_and_greys_the_rest() {
        let rows =
            models_for(&ExecutorId::CODEX, Some(AuthMode::Credits), false, &Facts::default().assume_all());
        let lines = drawn(&rows);
        assert_eq!(lines.len(), 12);
        assert_eq!(
            lines[..3],
            ["gpt-5.4 OpenAI", "gpt-5.3-codex OpenAI", "claude-opus-4.6 Anthropic not in this preset"]
        );
    }

    #[test]
    fn a_login_lists_what_its_account_serves() {
        let facts = Facts::default().assume_all();
        let rows = models_for(&ExecutorId::CLAUDE, Some(AuthMode::Login), false, &facts);
        assert_eq!(drawn(&rows), ["claude-opus-4.6 Anthropic", "claude-sonnet-4.6 Anthropic"]);
        let rows = models_for(&ExecutorId::GEMINI, Some(AuthMode::Login), false, &facts);
        assert_eq!(drawn(&rows), ["gemini-3.1-pro Google", "gemini-3-flash Google", "auto-gemini-3 Google"]);
    }

    #[test]
    fn an_executor_that_cannot_run_at_all_says_so_in_every_row() {
        let rows = models_for(&ExecutorId::CODEX, None, false, &Facts::default());
        assert!(rows.iter().all(|row| row.note() == "log in or add a key"), "{:?}", drawn(&rows));
        let rows = models_for(&ExecutorId::CODEX, None, true, &Facts::default());
        assert_eq!(rows.iter().filter(|row| row.available.is_ok()).count(), 2);
    }

    #[test]
    fn a_harness_changes_by_itself_to_what_its_way_of_paying_serves() {
        let facts = Facts::default().assume_all();
        let allowed = |executor, model: Option<&str>, rehearse: bool| {
            let (model, auth) = (model.map(str::to_owned), (!rehearse).then_some(AuthMode::Credits));
            let route = plan(&PlanRequest { executor, model, auth, rehearse }, &facts).unwrap();
            allowed_models(&route, &facts).into_iter().filter_map(|r| r.wire_model).collect::<Vec<_>>()
        };
        assert_eq!(allowed(ExecutorId::CLAUDE, None, false).len(), 9, "by credits all that the matrix has");
        assert_eq!(allowed(ExecutorId::CLAUDE, Some("gpt-5.4"), false).len(), 9);
        let byok = PlanRequest {
            executor: ExecutorId::CODEX,
            model: None,
            auth: Some(AuthMode::Byok),
            rehearse: false,
        };
        let route = plan(&byok, &facts).unwrap();
        let own: Vec<_> = allowed_models(&route, &facts).into_iter().filter_map(|r| r.wire_model).collect();
        assert_eq!(own, ["gpt-5.4", "gpt-5.3-codex"]);
        assert_eq!(allowed(ExecutorId::CODEX, None, true), ["gpt-5.4", "gpt-5.3-codex"]);
        assert_eq!(allowed(ExecutorId::CLAUDE, None, true).len(), 9);
    }
}
