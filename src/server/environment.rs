//! The environment that a pane's process is given: the creating client's, without what would lie about the terminal.
use crate::executors::{LOGIN_VARS, PROVIDER_VARS};
use crate::vault::Vault;
use std::collections::BTreeMap;

/// Variables by which terminals and multiplexers announce themselves; true of the outer terminal, false in a pane.
const FOREIGN_PREFIXES: &[&str] = &["TERM_PROGRAM", "KITTY_", "WEZTERM_", "VTE_", "VSCODE_", "CLAUDECODE"];
const FOREIGN: &[&str] =
    &["TMUX", "TMUX_PANE", "STY", "WINDOWID", "COLUMNS", "LINES", "INSPAN_SERVER", "INSPAN_REEXECUTED"];

/// Variables by which a person chooses the model of a CLI; on a route of ours the route chooses.
const MODEL_VARS: &[&str] = &["ANTHROPIC_MODEL", "GEMINI_MODEL"];

/// What a pane's environment depends on.
pub struct Pane<'a> {
    /// The creating client's environment, refreshed at attach.
    pub base: &'a BTreeMap<String, String>,
    /// The socket of the server.
    pub socket: &'a str,
    /// `%n`.
    pub id: &'a str,
    /// The pane's ULID.
    pub key: &'a str,
    /// The stable name of the ssh agent's socket.
    pub agent_link: &'a str,
    /// A harness: what holds a key, by its usual name or by the configuration's, and base URLs are taken away.
    pub harness: Option<Harness<'a>>,
}

/// What a harness's environment depends on.
pub struct Harness<'a> {
    /// Knows which variables hold keys.
    pub vault: &'a Vault,
    /// It runs on its own login, whose variables stay.
    pub login: bool,
}

impl Harness<'_> {
    fn loses(&self, name: &str, value: &str) -> bool {
        let theirs = LOGIN_VARS.contains(&name) || MODEL_VARS.contains(&name);
        let key = || self.vault.is_key(name) || PROVIDER_VARS.contains(&name) || self.vault.is_secret(value);
        if theirs { !self.login } else { key() }
    }
}

/// The environment, and the names of the provider variables that were taken away.
pub fn build(pane: &Pane<'_>) -> (BTreeMap<String, String>, Vec<String>) {
    let mut removed = Vec::new();
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pane.base {
        if FOREIGN.contains(&name.as_str()) || FOREIGN_PREFIXES.iter().any(|p| name.starts_with(p)) {
            continue;
        }
        if pane.harness.as_ref().is_some_and(|harness| harness.loses(name, value)) {
            removed.push(name.clone());
            continue;
        }
        env.insert(name.clone(), value.clone());
    }
    env.insert("INSPAN".into(), pane.socket.into());
    env.insert("INSPAN_PANE".into(), pane.id.into());
    env.insert("INSPAN_PANE_KEY".into(), pane.key.into());
    env.insert("TERM".into(), "xterm-256color".into());
    env.insert("COLORTERM".into(), "truecolor".into());
    if env.contains_key("SSH_AUTH_SOCK") {
        env.insert("SSH_AUTH_SOCK".into(), pane.agent_link.into());
    }
    if !is_utf8(&env) {
        env.remove("LC_ALL");
        env.insert("LC_CTYPE".into(), "C.UTF-8".into());
    }
    (env, removed)
}

/// Whether a locale names UTF-8, by the precedence of `setlocale`.
pub fn is_utf8(env: &BTreeMap<String, String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|n| env.get(*n)).find(|v| !v.is_empty());
    locale.is_some_and(|l| {
        let l = l.to_ascii_lowercase();
        l.contains("utf-8") || l.contains("utf8")
    })
}

/// Takes over from an attaching client what `update-environment` names; what the client lacks goes.
pub fn refresh(session: &mut BTreeMap<String, String>, client: &BTreeMap<String, String>, names: &[String]) {
    for name in names {
        match client.get(name) {
            Some(value) => session.insert(name.clone(), value.clone()),
            None => session.remove(name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn pane<'a>(base: &'a BTreeMap<String, String>, harness: Option<Harness<'a>>) -> Pane<'a> {
        Pane { base, socket: "/s", id: "%1", key: "01K", agent_link: "/agent", harness }
    }

    #[test]
    fn a_pane_does_not_believe_it_is_the_outer_terminal() {
        let base = env(&[
            ("TMUX", "x"),
            ("TERM_PROGRAM", "iTerm.app"),
            ("TERM_PROGRAM_VERSION", "3"),
            ("KITTY_WINDOW_ID", "1"),
            ("CLAUDECODE", "1"),
            ("INSPAN_PANE", "%9"),
            ("TERM", "foot"),
            ("HOME", "/home/u"),
            ("LANG", "C.UTF-8"),
            ("SSH_AUTH_SOCK", "/tmp/agent.1"),
        ]);
        let (built, removed) = build(&pane(&base, None));
        assert!(removed.is_empty());
        for gone in ["TMUX", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "KITTY_WINDOW_ID", "CLAUDECODE"] {
            assert!(!built.contains_key(gone), "{gone}");
        }
        assert_eq!(built["TERM"], "xterm-256color");
        assert_eq!(built["INSPAN_PANE"], "%1");
        assert_eq!(built["SSH_AUTH_SOCK"], "/agent");
        assert_eq!(built["HOME"], "/home/u");
        assert!(!built.contains_key("LC_CTYPE"));
    }

    #[test]
    fn harnesses_lose_keys_and_shells_keep_them() {
        let vault = Vault::new(["env:TEAM_KEY"]);
        let base = env(&[
            ("ANTHROPIC_API_KEY", "k"),
            ("OPENAI_BASE_URL", "u"),
            ("TEAM_KEY", "sk-team-key"),
            ("SAME_KEY", "sk-team-key"),
            ("LANG", "C.UTF-8"),
        ]);
        vault.learn_env(&base);
        let (shell, removed) = build(&pane(&base, None));
        assert_eq!(shell["ANTHROPIC_API_KEY"], "k");
        assert!(removed.is_empty());
        for login in [false, true] {
            let (harness, removed) = build(&pane(&base, Some(Harness { vault: &vault, login })));
            assert!(!harness.contains_key("ANTHROPIC_API_KEY"));
            assert_eq!(removed, ["ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "SAME_KEY", "TEAM_KEY"]);
        }
    }

    #[test]
    fn a_login_keeps_what_carries_it_and_its_model() {
        let vault = Vault::default();
        let base = env(&[("CLAUDE_CODE_OAUTH_TOKEN", "t"), ("ANTHROPIC_MODEL", "opus"), ("LANG", "C.UTF-8")]);
        let (_, removed) = build(&pane(&base, Some(Harness { vault: &vault, login: true })));
        assert!(removed.is_empty(), "{removed:?}");
        let (_, removed) = build(&pane(&base, Some(Harness { vault: &vault, login: false })));
        assert_eq!(removed, ["ANTHROPIC_MODEL", "CLAUDE_CODE_OAUTH_TOKEN"]);
    }

    #[test]
    fn a_missing_utf8_locale_is_supplied() {
        let base = env(&[("LANG", "C"), ("LC_ALL", "POSIX")]);
        let (built, _) = build(&pane(&base, None));
        assert_eq!(built["LC_CTYPE"], "C.UTF-8");
        assert!(!built.contains_key("LC_ALL"));
        assert!(is_utf8(&built));
    }

    #[test]
    fn attach_refreshes_what_is_named() {
        let mut session = env(&[("DISPLAY", ":0"), ("SSH_CONNECTION", "old"), ("KEEP", "1")]);
        refresh(
            &mut session,
            &env(&[("SSH_CONNECTION", "new")]),
            &["DISPLAY".into(), "SSH_CONNECTION".into()],
        );
        assert_eq!(session, env(&[("SSH_CONNECTION", "new"), ("KEEP", "1")]));
    }
}
