//! The CLIs' own logins as a person is told of them: whose, and until when.
use super::Executor;
use std::collections::BTreeMap;

/// A login on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// `Claude Max`, and when it ends or ended where it does not renew itself; `None` without a login.
    pub words: Option<String>,
    /// It can be used now.
    pub valid: bool,
}

/// What is known of an executor's login. `now_ms` is Unix time.
pub fn account(executor: &dyn Executor, env: &BTreeMap<String, String>, now_ms: i64) -> Account {
    let Some(words) = executor.login(env) else { return Account::default() };
    match executor.login_ends(env) {
        None => Account { words: Some(words), valid: true },
        Some(ends) => {
            let valid = ends > now_ms;
            let how = if valid { "until" } else { "expired" };
            Account { words: Some(format!("{words} · {how} {}", moment(ends))), valid }
        }
    }
}

fn moment(unix_ms: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(unix_ms) else { return "at some time".into() };
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// When a token ends: what stands in it as a JSON web token, in Unix milliseconds.
pub(super) fn token_ends(token: &str) -> Option<i64> {
    use base64::Engine as _;
    let claims = token.split('.').nth(1)?;
    let claims =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    claims["exp"].as_i64()?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::by_id;
    use base64::Engine as _;

    /// What each CLI would say at noon of a day in 2026 with this file in its home.
    fn said(executor: &str, file: &str, text: &str) -> (String, bool) {
        const NOON: i64 = 1_795_000_000_000;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        let env = BTreeMap::from([("HOME".to_owned(), dir.path().display().to_string())]);
        let account = account(by_id(&executor.into()).unwrap(), &env, NOON);
        let words = account.words.unwrap_or_default();
        let without_time =
            words.rsplit_once(" · ").and_then(|(whose, ends)| Some((whose, ends.split_once(' ')?.0)));
        (without_time.map_or(words.clone(), |(whose, how)| format!("{whose} · {how}")), account.valid)
    }

    #[test]
    fn a_login_that_ended_is_none_unless_it_renews_itself() {
        let claude = |expires: i64, refresh: &str| {
            let stored = serde_json::json!({ "claudeAiOauth": { "accessToken": "a", "refreshToken": refresh,
                "expiresAt": expires, "subscriptionType": "max" } });
            said("claude", ".claude/.credentials.json", &stored.to_string())
        };
        assert_eq!(claude(1, "r"), ("Claude Max".into(), true), "it renews itself");
        assert_eq!(claude(1, ""), ("Claude Max · expired".into(), false));
        assert_eq!(claude(4_102_444_800_000, ""), ("Claude Max · until".into(), true));
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"exp": 5}"#);
        let codex = format!(r#"{{"tokens": {{"access_token": "h.{claims}.s"}}}}"#);
        assert_eq!(said("codex", ".codex/auth.json", &codex), ("ChatGPT · expired".into(), false));
        let codex = format!(r#"{{"tokens": {{"access_token": "h.{claims}.s", "refresh_token": "r"}}}}"#);
        assert_eq!(said("codex", ".codex/auth.json", &codex), ("ChatGPT".into(), true));
        let gemini = r#"{"access_token": "a", "expiry_date": 5}"#;
        assert_eq!(
            said("gemini", ".gemini/oauth_creds.json", gemini),
            ("Google account · expired".into(), false)
        );
        let grok = r#"{"x": {"key": "k", "email": "me@example.org", "expires_at": "2020-01-01T00:00:00Z"}}"#;
        assert_eq!(said("grok", ".grok/auth.json", grok), ("me@example.org · expired".into(), false));
        assert_eq!(said("grok", ".grok/other", ""), (String::new(), false));
    }
}
