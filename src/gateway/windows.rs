//! What a provider's headers say of its limits.
use crate::router::LimitWindow;
use axum::http::HeaderMap;

/// Windows told of one answer; providers name about six.
const WINDOWS_MAX: usize = 8;

/// The windows that an answer's headers tell of, the most used first.
pub(super) fn windows(headers: &HeaderMap, now_ms: i64) -> Vec<LimitWindow> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name)?.parse::<f64>().ok().filter(|n| n.is_finite());
    let mut found = Vec::new();
    let mut push = |name: &str, used: f64, resets_ms: Option<i64>| {
        found.push(LimitWindow { name: name.to_owned(), used: used.clamp(0.0, 1.0), resets_ms });
    };
    let share = |limit: Option<f64>, remaining: Option<f64>| {
        let limit = limit.filter(|limit| *limit > 0.0)?;
        Some(1.0 - remaining? / limit)
    };
    for kind in ["requests", "tokens", "input-tokens", "output-tokens"] {
        let of = |what: &str| format!("anthropic-ratelimit-{kind}-{what}");
        if let Some(used) = share(number(&of("limit")), number(&of("remaining"))) {
            push(&kind.replace('-', " "), used, text(&of("reset")).and_then(|at| moment(at, now_ms)));
        }
    }
    for window in ["5h", "7d"] {
        let of = |what: &str| format!("anthropic-ratelimit-unified-{window}-{what}");
        if let Some(used) = number(&of("utilization")) {
            push(window, used, text(&of("reset")).and_then(|at| moment(at, now_ms)));
        }
    }
    for kind in ["requests", "tokens"] {
        let of = |what: &str| format!("x-ratelimit-{what}-{kind}");
        if let Some(used) = share(number(&of("limit")), number(&of("remaining"))) {
            push(kind, used, text(&of("reset")).and_then(|at| moment(at, now_ms)));
        }
    }
    if let Some(used) = share(number("x-ratelimit-limit"), number("x-ratelimit-remaining")) {
        push("requests", used, text("x-ratelimit-reset").and_then(|at| moment(at, now_ms)));
    }
    for kind in ["primary", "secondary"] {
        let of = |what: &str| format!("x-codex-{kind}-{what}");
        if let Some(percent) = number(&of("used-percent")) {
            let name = number(&of("window-minutes")).map_or_else(|| kind.to_owned(), length);
            push(&name, percent / 100.0, text(&of("reset-at")).and_then(|at| moment(at, now_ms)));
        }
    }
    found.sort_by(|a, b| b.used.total_cmp(&a.used));
    found.truncate(WINDOWS_MAX);
    found
}

/// `5h`, `7d`, `90m`.
fn length(minutes: f64) -> String {
    let minutes = minutes.max(0.0) as u64;
    match minutes {
        m if m > 0 && m % 1440 == 0 => format!("{}d", m / 1440),
        m if m > 0 && m % 60 == 0 => format!("{}h", m / 60),
        m => format!("{m}m"),
    }
}

/// A time in any of the ways that providers write it: RFC 3339, unix seconds or milliseconds, or how long from now
/// (`6m0s`, `20ms`, `1.5s`).
fn moment(text: &str, now_ms: i64) -> Option<i64> {
    /// Unix times before 2001 in seconds: a number below is a count of seconds from now.
    const SECONDS_FROM: f64 = 1e9;
    /// Unix times in milliseconds: 1e11 seconds are the year 5138.
    const MILLIS_FROM: f64 = 1e11;
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    if let Ok(number) = text.parse::<f64>() {
        let ms = match number {
            n if !n.is_finite() || n < 0.0 => return None,
            n if n < SECONDS_FROM => now_ms as f64 + n * 1000.0,
            n if n < MILLIS_FROM => n * 1000.0,
            n => n,
        };
        return Some(ms as i64);
    }
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let end = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        total += number
            * match &unit[..end] {
                "ms" => 1.0,
                "s" => 1000.0,
                "m" => 60_000.0,
                "h" => 3_600_000.0,
                "d" => 86_400_000.0,
                _ => return None,
            };
        rest = &unit[end..];
    }
    (total > 0.0 || !text.is_empty()).then_some(now_ms.saturating_add(total as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    const NOW: i64 = 1_795_132_800_000;

    fn told(headers: &[(&str, &str)]) -> Vec<(String, i64, Option<i64>)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let percent = |w: &LimitWindow| (w.used * 100.0).round() as i64;
        windows(&map, NOW)
            .iter()
            .map(|w| (w.name.clone(), percent(w), w.resets_ms.map(|at| at - NOW)))
            .collect()
    }

    #[test]
    fn every_provider_s_headers_are_read() {
        assert_eq!(
            told(&[
                ("anthropic-ratelimit-requests-limit", "50"),
                ("anthropic-ratelimit-requests-remaining", "49"),
                ("anthropic-ratelimit-requests-reset", "2026-11-20T00:00:10Z"),
                ("anthropic-ratelimit-input-tokens-limit", "1000"),
                ("anthropic-ratelimit-input-tokens-remaining", "250"),
            ]),
            [("input tokens".into(), 75, None), ("requests".into(), 2, Some(10_000))]
        );
        assert_eq!(
            told(&[
                ("anthropic-ratelimit-unified-5h-utilization", "0.38"),
                ("anthropic-ratelimit-unified-5h-reset", "1795132860"),
            ]),
            [("5h".into(), 38, Some(60_000))]
        );
        assert_eq!(
            told(&[
                ("x-ratelimit-limit-tokens", "150000"),
                ("x-ratelimit-remaining-tokens", "149984"),
                ("x-ratelimit-reset-tokens", "6m0s"),
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "30"),
                ("x-ratelimit-reset-requests", "1.5s"),
            ]),
            [("requests".into(), 50, Some(1500)), ("tokens".into(), 0, Some(360_000))]
        );
        assert_eq!(
            told(&[
                ("x-ratelimit-limit", "20"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1795132801000"),
            ]),
            [("requests".into(), 100, Some(1000))]
        );
        assert_eq!(
            told(&[
                ("x-codex-primary-used-percent", "13"),
                ("x-codex-primary-window-minutes", "300"),
                ("x-codex-primary-reset-at", "1795132830"),
                ("x-codex-secondary-used-percent", "91.5"),
                ("x-codex-secondary-window-minutes", "10080"),
            ]),
            [("7d".into(), 92, None), ("5h".into(), 13, Some(30_000))]
        );
    }

    #[test]
    fn nonsense_says_nothing() {
        for headers in [
            &[("x-ratelimit-limit-tokens", "0"), ("x-ratelimit-remaining-tokens", "0")],
            &[("x-ratelimit-limit-tokens", "nan"), ("x-ratelimit-remaining-tokens", "1")],
            &[("x-ratelimit-limit-tokens", "5"), ("x-other", "1")],
        ] {
            assert_eq!(told(headers), []);
        }
        for text in ["soon", "5x", "m", "-3", ""] {
            assert_eq!(moment(text, NOW).filter(|at| *at != NOW), None, "{text}");
        }
    }
}
