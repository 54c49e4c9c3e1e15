//! Reading the fields of messages.
use crate::router::LimitWindow;
use serde_json::Value;

/// A field that is text.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// How a request of the server's is named for the answer.
pub(super) fn name(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// A command as the model wrote it, without the shell around it.
pub(super) fn command(params: &Value) -> String {
    let actions = params.get("commandActions").and_then(Value::as_array).into_iter().flatten();
    let own: Vec<&str> = actions.filter_map(|action| text(action, "command")).collect();
    if own.is_empty() { text(params, "command").unwrap_or("a command").to_owned() } else { own.join(" && ") }
}

/// The account's windows: `5h` at 13 %.
pub(super) fn windows(limits: &Value) -> Vec<LimitWindow> {
    let window = |key: &str| {
        let window = limits.get(key)?;
        let minutes = window.get("windowDurationMins").and_then(Value::as_u64).unwrap_or(0);
        let name = match minutes {
            0 => key.to_owned(),
            days if days % 1440 == 0 => format!("{}d", days / 1440),
            hours if hours % 60 == 0 => format!("{}h", hours / 60),
            minutes => format!("{minutes}min"),
        };
        Some(LimitWindow {
            name,
            used: window.get("usedPercent").and_then(Value::as_f64)? / 100.0,
            resets_ms: window.get("resetsAt").and_then(Value::as_i64).map(|at| at.saturating_mul(1000)),
        })
    };
    let mut windows: Vec<LimitWindow> = ["primary", "secondary"].into_iter().filter_map(window).collect();
    windows.sort_by(|a, b| b.used.total_cmp(&a.used));
    windows
}
