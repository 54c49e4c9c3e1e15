//! A route as the panel writes it.
use super::{ExecutorId, Provider, Route, catalogue::Catalogue};
use unicode_width::UnicodeWidthStr;

/// The way of a request, one hop for each line, the second indented below the first one's arrow:
/// `codex ─responses→ gateway` and `      ─responses→ openai`; under `login` one line, `claude ──→ Anthropic (direct)`.
pub fn route_lines(route: &Route) -> Vec<String> {
    let executor = &route.executor;
    if !route.through_gateway() {
        return vec![format!("{executor} ──→ {} (direct)", served_by(route))];
    }
    let indent = " ".repeat(executor.as_str().width() + 1);
    vec![
        format!("{executor} ─{}→ gateway", route.harness_dialect),
        format!("{indent}─{}→ {}", route.upstream_dialect, route.served_by()),
    ]
}

/// Whom a login asks. A CLI without a home provider decides that itself until a model is picked.
fn served_by(route: &Route) -> &str {
    if route.model.is_none() && !has_home_provider(&route.executor) {
        "its own provider"
    } else if route.provider == Provider::Rehearsal {
        "rehearsal"
    } else {
        route.served_title()
    }
}

fn has_home_provider(executor: &ExecutorId) -> bool {
    Catalogue::builtin().executor(executor).is_ok_and(|e| e.native.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::{AuthMode, Facts, PlanRequest, plan};

    fn lines(executor: ExecutorId, model: Option<&str>, auth: AuthMode, rehearse: bool) -> Vec<String> {
        let auth = (!rehearse).then_some(auth);
        let request = PlanRequest { executor, model: model.map(str::to_owned), auth, rehearse };
        route_lines(&plan(&request, &Facts::default().assume_all()).unwrap())
    }

    #[test]
    fn lines_are_the_ones_drawn() {
        assert_eq!(
            lines(ExecutorId::CODEX, None, AuthMode::Credits, false),
            ["codex ─responses→ gateway", "      ─responses→ openai"]
        );
        assert_eq!(
            lines(ExecutorId::CLAUDE, Some("gpt-5.4"), AuthMode::Credits, false),
            ["claude ─messages→ gateway", "       ─responses→ openai"]
        );
        assert_eq!(
            lines(ExecutorId::GEMINI, None, AuthMode::Credits, true),
            ["gemini ─gemini→ gateway", "       ─gemini→ rehearsal"]
        );
        assert_eq!(
            lines(ExecutorId::CLAUDE, None, AuthMode::Login, false),
            ["claude ──→ Anthropic (direct)"]
        );
        assert_eq!(
            lines(ExecutorId::OPENCODE, None, AuthMode::Login, false),
            ["opencode ──→ its own provider (direct)"]
        );
        assert_eq!(
            lines(ExecutorId::OPENCODE, Some("kimi-k2.5"), AuthMode::Login, false),
            ["opencode ──→ OpenRouter (direct)"]
        );
    }
}
