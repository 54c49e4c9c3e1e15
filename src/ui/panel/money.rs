//! What the panel shows of requests: tokens, cost against the budget, limits of the provider, the newest requests.
use super::Line;
use crate::{
    config::Role,
    router::{AuthMode, LimitWindow, Span, Standing},
    state::{Harness, RequestLine},
    ui::{paint::seg, words},
};

/// Columns of the budget's bar.
const BAR: usize = 12;

/// Windows of a provider that are shown: the most used ones.
const WINDOWS_SHOWN: usize = 2;

/// From this share of a provider's window on it is worth a colour.
const WINDOW_SHORT: f64 = 0.8;

/// Tokens, cost and budget of a harness, and what its provider still allows. `now` is unix seconds.
pub(super) fn usage(harness: &Harness, now: u64) -> Vec<Line<'_>> {
    let usage = &harness.usage;
    let login = harness.route.auth == AuthMode::Login;
    let right = match (login, usage.retries) {
        (true, _) => vec![seg("subscription", Role::Dim)],
        (false, 0) => Vec::new(),
        (false, 1) => vec![seg("1 retry", Role::Warn)],
        (false, retries) => vec![seg(format!("{retries} retries"), Role::Warn)],
    };
    let mut lines = Vec::new();
    if usage.requests == 0 && usage.input == 0 {
        // Under a login requests do not pass the gateway, so there is nothing to count.
        let left = if login { " not metered here" } else { " no request yet" };
        lines.push(Line::Ends(vec![seg(left, Role::Dim)], right));
    } else {
        let tokens = format!(" {} in  {} out", words::amount(usage.input), words::amount(usage.output));
        lines.push(Line::Ends(vec![seg(tokens, Role::Text)], right));
    }
    match &harness.budget {
        Some(_) if login => lines.push(Line::left(" budget not enforceable here", Role::Dim)),
        _ if words::is_rehearsal(harness) => {
            if usage.requests > 0 {
                lines.push(Line::left(" costs nothing", Role::Dim));
            }
        }
        Some(standing) => lines.extend(budget(harness, standing)),
        None => {
            lines.extend(usage.cost.map(|usd| Line::left(format!(" {}", words::dollars(usd)), Role::Text)))
        }
    }
    lines.extend(harness.windows.iter().take(WINDOWS_SHOWN).map(|window| limit(window, now)));
    lines
}

/// `$0.41 ▇▇▇▁▁▁▁▁▁▁▁▁ of $5.00`; a budget that is not the pane's own says so in a line above.
fn budget<'a>(harness: &'a Harness, standing: &'a Standing) -> Vec<Line<'a>> {
    let role = match standing {
        standing if standing.is_used_up() => Role::Err,
        standing if standing.is_short() => Role::Warn,
        _ => Role::Ok,
    };
    let full =
        ((standing.share().min(1.0) * BAR as f64).round() as usize).max(usize::from(standing.spent > 0.0));
    let bar = vec![
        seg(format!(" {} ", words::dollars(standing.spent)), Role::Text),
        seg("▇".repeat(full), role),
        seg("▁".repeat(BAR - full), Role::Dim),
        seg(format!(" of {}", words::dollars(standing.limit)), Role::Text),
    ];
    let mut lines = Vec::new();
    if standing.span != Span::Pane {
        let here = harness.usage.cost.map(|usd| format!(" {} here", words::dollars(usd)));
        let whose = seg(format!("{} budget", standing.span), Role::Dim);
        lines.push(Line::Ends(vec![seg(here.unwrap_or_default(), Role::Text)], vec![whose]));
    }
    lines.push(Line::Ends(bar, Vec::new()));
    if standing.is_used_up() {
        lines.push(Line::left(" used up: requests are refused", Role::Err));
    }
    lines
}

/// `tokens 38 %  resets in 12m`
fn limit(window: &LimitWindow, now: u64) -> Line<'_> {
    let role = if window.used >= WINDOW_SHORT { Role::Warn } else { Role::Dim };
    let used = format!(" {} {:.0} %", window.name, window.used * 100.0);
    let resets =
        window.resets_ms.and_then(|at| u64::try_from(at / 1000).ok()).map(|at| at.saturating_sub(now));
    let right = match resets {
        Some(0) => vec![seg("resets now", Role::Dim)],
        Some(left) => vec![seg(format!("resets in {}", words::duration(left)), Role::Dim)],
        None => Vec::new(),
    };
    Line::Ends(vec![seg(used, role)], right)
}

/// `▸ 3m  48.2k→3.1k  ×2      $0.0123`
pub(super) fn request(request: &RequestLine, chosen: bool, now: u64) -> Line<'static> {
    let ago = now.saturating_sub(u64::try_from(request.at_ms / 1000).unwrap_or_default());
    let mark = if chosen { "▸ " } else { "  " };
    let tokens = format!("{}→{}", words::amount(request.input), words::amount(request.output));
    let mut left = vec![
        seg(mark, Role::Accent),
        seg(format!("{:<4}", words::duration(ago)), Role::Dim),
        seg(tokens, Role::Text),
    ];
    if request.attempts > 1 {
        left.push(seg(format!(" ×{}", request.attempts), Role::Warn));
    }
    if request.notes > 0 {
        left.push(seg(format!(" ≈{}", request.notes), Role::Dim));
    }
    let right = match (request.error.is_empty(), request.cost) {
        (false, _) => seg(request.status.to_string(), Role::Err),
        (true, Some(usd)) => seg(words::dollars(usd), Role::Text),
        (true, None) => seg("unknown", Role::Dim),
    };
    Line::of(chosen, left, vec![right])
}
