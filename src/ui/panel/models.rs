//! What the panel shows of models: who serves them, in which words, for how much, and why one cannot run.
use super::Line;
use crate::{
    config::Role,
    router::{Dialect, Route, prices::Rates},
    state::ModelChoice,
    ui::paint::{Seg, seg},
};

/// Columns of the names in a table: the longest display id and a space.
const ID: usize = 19;
/// Columns of the makers: the longest and a space.
const MAKER: usize = 12;

/// The lines of one model. Where the panel is `wide` that is a row of a table; else what does not fit stands below it, for
/// the chosen model and the one that runs.
pub(super) fn lines<'a>(
    model: &'a ModelChoice,
    mine: Option<&Route>,
    (chosen, wide): (bool, bool),
) -> Vec<Line<'a>> {
    let own = mine.is_some_and(|route| route.model.as_ref() == Some(&model.id));
    let mark = match (chosen, own) {
        (true, _) => "▸ ",
        (false, true) => "● ",
        (false, false) => "  ",
    };
    if wide {
        let mut left = vec![
            seg(mark, Role::Accent),
            seg(format!("{:<ID$}", model.id), Role::Text),
            seg(format!("{:<MAKER$}", model.provider), Role::Dim),
        ];
        left.extend(model.dialects.map(arrow));
        return vec![Line::of(chosen, left, vec![seg(terms(model), Role::Dim)])];
    }
    let left = vec![seg(mark, Role::Accent), seg(model.id.as_str(), Role::Text)];
    let mut lines = vec![Line::of(chosen, left, vec![seg(model.provider.as_str(), Role::Dim)])];
    if chosen || own {
        let terms = terms(model);
        lines.extend((!terms.is_empty()).then(|| Line::left(format!("    {terms}"), Role::Dim)));
        let translated = model.dialects.filter(|(harness, upstream)| harness != upstream);
        lines.extend(
            translated.map(|dialects| Line::Ends(vec![seg("    ", Role::Dim), arrow(dialects)], vec![])),
        );
    }
    lines
}

/// The lines of a model that cannot run.
pub(super) fn closed<'a>(model: &'a ModelChoice, reason: &'a str, wide: bool) -> Vec<Line<'a>> {
    if !wide {
        let id = Line::left(format!("  {}", model.id), Role::Dim);
        return vec![id, Line::left(format!("    {reason}"), Role::Dim)];
    }
    let left = format!("  {:<ID$}{:<MAKER$}{reason}", model.id, model.provider);
    vec![Line::Ends(vec![seg(left, Role::Dim)], vec![seg(terms(model), Role::Dim)])]
}

/// `messages → chat`; one word where nothing is translated.
fn arrow((harness, upstream): (Dialect, Dialect)) -> Seg<'static> {
    match harness == upstream {
        true => seg(harness.as_str(), Role::Dim),
        false => seg(format!("{harness} → {upstream}"), Role::Accent),
    }
}

/// Window and price of a million tokens, `200k · $3 in $15 out`, as far as they are known.
fn terms(model: &ModelChoice) -> String {
    let window = model.context.map(|tokens| match tokens {
        ..1_000_000 => format!("{}k", tokens / 1000),
        _ => format!("{:.1}M", f64::from(tokens) / 1e6),
    });
    let money = |usd: f64| {
        let text = format!("{usd:.2}");
        format!("${}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    let price = match model.rates {
        Some(Rates { input, output }) => Some(format!("{} in {} out", money(input), money(output))),
        None => model.priced.then(|| "price unknown".to_owned()),
    };
    window.into_iter().chain(price).collect::<Vec<_>>().join(" · ")
}
