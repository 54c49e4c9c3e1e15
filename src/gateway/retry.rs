//! Which failures are tried again here, after how long, and how that is told.
//!
//! Only what failed before a semantic byte reached the harness is tried again, so that nothing is said twice. Attempts
//! and waits are few: the harness has a patience of its own, and the person should see the truth soon.
use axum::http::{HeaderMap, header};
use serde_json::Value;
use std::time::Duration;

/// Attempts at one credential, the first included.
pub(super) const ATTEMPTS_MAX: u32 = 3;

/// The longest wait before another attempt. A provider that asks for more is believed: its answer goes to the harness.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);

/// Whether an answer of this status may be followed by a better one soon.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504 | 529)
}

/// How long before attempt `next` (the second is 2), where the provider does not say; doubling, spread by `seed` so
/// that requests which failed together do not return together.
pub(super) fn backoff(first: Duration, next: u32, seed: u64) -> Duration {
    let doubled = first.saturating_mul(1 << next.saturating_sub(2).min(8));
    // Between three quarters and five quarters.
    let spread =
        75 + u32::try_from(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58).unwrap_or_default() * 50 / 63;
    (doubled * spread / 100).min(WAIT_MAX)
}

/// How long the provider asks to wait, as its headers say.
pub(super) fn asked_to_wait(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |text: &str, unit: f64| {
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)?;
        Duration::try_from_secs_f64(number * unit).ok()
    };
    if let Some(wait) = text("retry-after-ms").and_then(|ms| seconds(ms, 0.001)) {
        return Some(wait);
    }
    let after = text(header::RETRY_AFTER.as_str())?;
    seconds(after, 1.0).or_else(|| {
        let at = jiff::fmt::rfc2822::parse(after).ok()?.timestamp().as_millisecond();
        Some(Duration::from_millis(u64::try_from(at.saturating_sub(now_ms)).unwrap_or_default()))
    })
}

/// How long Google asks to wait, which it says inside the error: `RetryInfo.retryDelay`, a number of seconds and `s`.
pub(super) fn asked_inside(body: &[u8]) -> Option<Duration> {
    let body: Value = serde_json::from_slice(body).ok()?;
    // Where it streams a list, the error comes in one.
    let details = body.get(0).unwrap_or(&body)["error"]["details"].as_array()?;
    let delay = details.iter().find_map(|detail| detail["retryDelay"].as_str())?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn asked(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        asked_to_wait(&headers, 1_795_132_800_000)
    }

    #[test]
    fn every_spelling_of_retry_after_is_read() {
        assert_eq!(asked("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(asked("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(asked("retry-after", "Fri, 20 Nov 2026 00:00:09 GMT"), Some(Duration::from_secs(9)));
        assert_eq!(asked("retry-after", "Fri, 20 Nov 2020 00:00:09 GMT"), Some(Duration::ZERO));
        for nonsense in ["-1", "soon", "inf", "1e300"] {
            assert_eq!(asked("retry-after", nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_wait_inside_an_error_is_read() {
        let error = |delay: &str| {
            format!(
                "{{\"error\":{{\"code\":429,\"details\":[{{\"@type\":\"x\"}},{{\"retryDelay\":\"{delay}\"}}]}}}}"
            )
        };
        assert_eq!(asked_inside(error("34.5s").as_bytes()), Some(Duration::from_millis(34_500)));
        assert_eq!(asked_inside(format!("[{}]", error("3s")).as_bytes()), Some(Duration::from_secs(3)));
        for nonsense in [error("-1s"), error("soon"), error("3"), "{}".into(), "[]".into(), "<p>".into()] {
            assert_eq!(asked_inside(nonsense.as_bytes()), None, "{nonsense}");
        }
    }

    #[test]
    fn waits_double_and_have_an_end() {
        let first = Duration::from_millis(500);
        for seed in [1, 2, 99, u64::MAX] {
            let waits = [2, 3, 4].map(|next| backoff(first, next, seed).as_millis());
            for (wait, middle) in waits.into_iter().zip([500, 1000, 2000]) {
                assert!(wait >= middle * 3 / 4 && wait <= middle * 5 / 4, "{seed}: {wait} for {middle}");
            }
            assert_eq!(backoff(Duration::from_secs(60), 3, seed), WAIT_MAX);
        }
    }
}
