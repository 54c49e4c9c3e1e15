//! What the panel shows of requests: tokens, cost against the budgets, credentials that rest, limits of the provider, the
//! newest requests.
use super::Line;
use crate::{
    config::Role,
    router::{AuthMode, LimitWindow, Span, Standing},
    state::{Harness, KeyHealth, Pane, RequestLine, Status},
    ui::{
        paint::{Seg, seg},
        words,
    },
};

/// Columns of the bar of the one budget of a pane.
const BAR: usize = 12;

/// Columns of a budget's name before its bar, and the gap behind that.
const BESIDE_BAR: usize = 10;

/// The longest bar of several budgets: more columns tell no more.
const BAR_MAX: usize = 32;

/// Windows of a provider that are shown: the most used ones.
const WINDOWS_SHOWN: usize = 3;

/// From this share of a provider's window on it is worth a colour.
const WINDOW_SHORT: f64 = 0.8;

/// What went wrong and when it is tried again, while that lasts.
pub(super) fn retrying(pane: &Pane) -> Option<Line<'_>> {
    let retries = pane.status.status == Status::Retrying && pane.exit.is_none();
    retries.then(|| Line::left(format!(" ↻ {}", pane.status.detail), Role::Warn))
}

/// Tokens, cost and budgets of a harness, who pays, and what its provider still allows. `now` is unix seconds, `width` in
/// columns.
pub(super) fn usage(harness: &Harness, now: u64, width: usize) -> Vec<Line<'_>> {
    let usage = &harness.usage;
    // What pays by itself, by a login or by a key that it holds, is not counted here.
    let login = harness.route.auth == AuthMode::Login;
    let unmetered = !harness.route.through_gateway();
    let right = match (unmetered, usage.retries) {
        (true, _) if login => vec![seg("subscription", Role::Dim)],
        (true, _) => vec![seg("its own key", Role::Dim)],
        (false, 0) => Vec::new(),
        (false, 1) => vec![seg("1 retry", Role::Warn)],
        (false, retries) => vec![seg(format!("{retries} retries"), Role::Warn)],
    };
    let mut lines = Vec::new();
    if usage.requests == 0 && usage.input == 0 {
        // Under a login requests do not pass the gateway, so there is nothing to count.
        let left = if unmetered { " not metered here" } else { " no request yet" };
        lines.push(Line::Ends(vec![seg(left, Role::Dim)], right));
    } else {
        let tokens = format!(" {} in  {} out", words::amount(usage.input), words::amount(usage.output));
        lines.push(Line::Ends(vec![seg(tokens, Role::Text)], right));
    }
    match harness.budgets.as_slice() {
        [_, ..] if unmetered => lines.push(Line::left(" budget not enforceable here", Role::Dim)),
        _ if words::is_rehearsal(harness) => {
            if usage.requests > 0 {
                lines.push(Line::left(" costs nothing", Role::Dim));
            }
        }
        [standing] => lines.extend(budget(harness, standing)),
        [] => lines.extend(usage.cost.map(|usd| Line::left(format!(" {}", words::dollars(usd)), Role::Text))),
        several => lines.extend(budgets(several, width)),
    }
    lines.extend(keys(&harness.keys, now));
    lines.extend(harness.windows.iter().take(WINDOWS_SHOWN).map(|window| limit(window, now)));
    lines
}

/// `$0.41 ▇▇▇▁▁▁▁▁▁▁▁▁ of $5.00`; a budget that is not the pane's own says so in a line above.
fn budget<'a>(harness: &'a Harness, standing: &'a Standing) -> Vec<Line<'a>> {
    let [full, rest] = bar(standing, BAR);
    let bar = vec![
        seg(format!(" {} ", words::dollars(standing.spent)), Role::Text),
        full,
        rest,
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

/// One line for each: `day     ▇▇▇▁▁▁▁  $4.21 of $5.00`.
fn budgets(standings: &[Standing], width: usize) -> Vec<Line<'_>> {
    let amounts = |standing: &Standing| {
        format!("{} of {}", words::dollars(standing.spent), words::dollars(standing.limit))
    };
    let longest = standings.iter().map(|standing| amounts(standing).len()).max().unwrap_or_default();
    let columns = width.saturating_sub(BESIDE_BAR + longest).min(BAR_MAX);
    let mut lines = Vec::new();
    lines.extend(
        standings
            .iter()
            .find(|standing| standing.is_used_up())
            .map(|standing| Line::left(format!(" refused: {} is used up", standing.span), Role::Err)),
    );
    for standing in standings {
        let [full, rest] = bar(standing, columns);
        let left = vec![seg(format!(" {:<8}", standing.span), Role::Dim), full, rest];
        lines.push(Line::Ends(left, vec![seg(amounts(standing), Role::Text)]));
    }
    lines
}

/// The two parts of a bar: what is spent, what is left.
fn bar(standing: &Standing, columns: usize) -> [Seg<'static>; 2] {
    let role = match standing {
        standing if standing.is_used_up() => Role::Err,
        standing if standing.is_short() => Role::Warn,
        _ => Role::Ok,
    };
    // Whatever was spent is seen.
    let full = (standing.share().min(1.0) * columns as f64).round() as usize;
    let full = full.max(usize::from(standing.spent > 0.0)).min(columns);
    [seg("▇".repeat(full), role), seg("▁".repeat(columns - full), Role::Dim)]
}

/// `2 of 3 keys ready`, and below it those that rest and until when. One key that serves needs no line.
fn keys(keys: &[KeyHealth], now: u64) -> Vec<Line<'_>> {
    let troubled = |key: &&KeyHealth| key.rests_until > now;
    let resting = keys.iter().filter(troubled).count();
    if keys.len() < 2 && resting == 0 {
        return Vec::new();
    }
    let ready = keys.len() - resting;
    let role = match (ready, resting) {
        (0, _) => Role::Err,
        (_, 0) => Role::Dim,
        _ => Role::Warn,
    };
    let mut lines = vec![Line::left(format!(" {ready} of {} keys ready", keys.len()), role)];
    lines.extend(keys.iter().filter(troubled).map(|key| {
        let left = format!("   {} {}", key.name, key.trouble.unwrap_or_default());
        let right = format!("in {}", words::duration(key.rests_until - now));
        Line::Ends(vec![seg(left, Role::Dim)], vec![seg(right, Role::Dim)])
    }));
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
pub(super) fn request(request: &RequestLine, chosen: bool, (now, wide): (u64, bool)) -> Line<'static> {
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
    if wide {
        left.push(seg(format!("  {}  {}", request.class, request.error), Role::Dim));
    }
    let right = match (request.error.is_empty(), request.cost) {
        (false, _) => seg(request.status.to_string(), Role::Err),
        (true, Some(usd)) => seg(words::dollars(usd), Role::Text),
        (true, None) => seg("unknown", Role::Dim),
    };
    Line::of(chosen, left, vec![right])
}
