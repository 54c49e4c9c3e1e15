//! Owns the words and shapes that several parts of the screen share: statuses, amounts, names of providers.
use super::paint::{Seg, seg};
use crate::{
    config::Role,
    router::{AuthStep, Provider, short},
    state::{Client, Harness, INSTALLING, Pane, Progress, ProgressKind, Status},
};

/// How much of a status there is room for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// `● working 12s`
    Full,
    /// `● 12s`
    Short,
    /// `●`
    Shape,
}

/// A status as this client sees it: *done* ends once this client has looked.
pub(super) fn seen_status(pane: &Pane, client: &Client) -> Status {
    match &pane.status.status {
        _ if pane.exit.is_some() || pane.refusal.is_some() => Status::Exited,
        Status::Idle if client.unseen.contains(&pane.id) => Status::Done,
        status => status.clone(),
    }
}

/// Shape, word and role of a status.
pub(super) fn status_look(status: &Status) -> (&'static str, &'static str, Role) {
    match status {
        Status::Starting => ("…", "starting", Role::Dim),
        Status::Working => ("●", "working", Role::Accent),
        Status::NeedsYou => ("◆", "needs you", Role::Warn),
        Status::Done => ("✓", "done", Role::Ok),
        Status::Idle => ("○", "", Role::Dim),
        Status::Retrying => ("↻", "retrying", Role::Warn),
        Status::Limited => ("▲", "limited", Role::Err),
        Status::Exited => ("✕", "exited", Role::Err),
    }
}

/// How long the limit lasts that a pane ran into, where that is known.
pub(super) fn resets_in(pane: &Pane, now: u64) -> Option<String> {
    let until = pane.status.until.filter(|_| pane.status.status == Status::Limited)?;
    Some(duration(until.saturating_sub(now)))
}

/// How far a pane's program says it has come: `42%`.
pub(super) fn progress_seg(progress: Progress) -> Seg<'static> {
    let percent = progress.percent;
    match progress.kind {
        ProgressKind::Value => seg(format!("{percent}%"), Role::Accent),
        ProgressKind::Busy => seg("…%", Role::Accent),
        ProgressKind::Paused => seg(format!("{percent}% paused"), Role::Warn),
        ProgressKind::Error => seg(format!("{percent}% failed"), Role::Err),
    }
}

/// The status of a pane in its title.
pub(super) fn status_seg(pane: &Pane, client: &Client, now: u64, length: Length) -> Seg<'static> {
    if let Some(switch) = pane.harness.as_ref().and_then(|harness| harness.switch.as_ref()) {
        let role = if switch.failed.is_some() { Role::Err } else { Role::Accent };
        return match (length, &switch.failed) {
            (Length::Full, Some(_)) => seg(format!("⇄ stopped at {}", switch.step), role),
            (Length::Full, None) => seg(format!("⇄ switching: {}", switch.step), role),
            (Length::Short, _) => seg(format!("⇄ {}", switch.step), role),
            (Length::Shape, _) => seg("⇄", role),
        };
    }
    let status = match seen_status(pane, client) {
        // A shell has nothing to tell until it ends.
        Status::Exited => Status::Exited,
        _ if pane.harness.is_none() => Status::Idle,
        status => status,
    };
    let (shape, mut word, role) = status_look(&status);
    if status == Status::Starting && pane.status.detail == INSTALLING {
        word = INSTALLING;
    }
    if pane.refusal.is_some() && length == Length::Full {
        return seg("✕ not started", role);
    }
    let since = match (&status, resets_in(pane, now)) {
        (Status::Working | Status::Retrying, _) => duration(now.saturating_sub(pane.status_since)),
        (Status::Limited, Some(left)) if length == Length::Full => format!("for {left}"),
        (Status::Limited, Some(left)) => left,
        _ => String::new(),
    };
    let text = match length {
        Length::Shape => shape.to_owned(),
        Length::Short => format!("{shape} {since}"),
        Length::Full => format!("{shape} {word} {since}"),
    };
    seg(text.trim_end().to_owned(), role)
}

/// The model in a title: the one planned, else the one served, else that the CLI chooses itself.
pub(super) fn shown_model(harness: &Harness) -> &str {
    let model = harness.route.model.as_deref().or(harness.served_model.as_deref());
    model.map_or("own model", short)
}

/// Whether requests of this harness go to the built-in offline provider.
pub(super) fn is_rehearsal(harness: &Harness) -> bool {
    harness.rehearse || harness.route.provider == Provider::Rehearsal
}

/// `12s`, `3m`, `2h`, `4d`.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `312`, `3.1k`, `61k`, `1.2M`.
pub(super) fn amount(tokens: u64) -> String {
    let scaled = |unit: f64, letter: &str| {
        let value = tokens as f64 / unit;
        let tenths = format!("{value:.1}");
        let digits = if value < 99.95 {
            tenths.strip_suffix(".0").unwrap_or(&tenths).to_owned()
        } else {
            format!("{value:.0}")
        };
        format!("{digits}{letter}")
    };
    match tokens {
        0..1000 => tokens.to_string(),
        1000..999_500 => scaled(1e3, "k"),
        _ => scaled(1e6, "M"),
    }
}

/// `$1.27`; below a cent with enough digits to be more than nothing.
pub fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 0.01 { format!("${amount:.4}") } else { format!("${amount:.2}") }
}

/// Which step chose the auth mode, to stand after it.
pub(super) fn step_words(step: AuthStep) -> &'static str {
    match step {
        AuthStep::Explicit => "you chose it",
        AuthStep::Policy => "forced by policy",
        AuthStep::Vault => "attached vault",
        AuthStep::ByokKey => "your key is set",
        AuthStep::CliLogin => "its own login",
        AuthStep::ProviderKey => "a key is here",
        AuthStep::Rehearsal => "no key, offline",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_three_figures_at_most() {
        let shown: Vec<_> =
            [0, 999, 1000, 3_120, 48_249, 61_000, 123_456, 999_499, 999_500, 1_250_000].map(amount).into();
        assert_eq!(shown, ["0", "999", "1k", "3.1k", "48.2k", "61k", "123k", "999k", "1M", "1.2M"]);
    }

    #[test]
    fn durations_and_dollars_stay_short() {
        assert_eq!([0, 59, 60, 3599, 3600, 90_000].map(duration), ["0s", "59s", "1m", "59m", "1h", "1d"]);
        assert_eq!([0.0, 0.0042, 0.41, 12.0].map(dollars), ["$0.00", "$0.0042", "$0.41", "$12.00"]);
    }
}
