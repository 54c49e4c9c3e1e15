//! A furnished home: what a launch takes from it, what it leaves, and that it is never written to.
use super::*;
use crate::{
    router::{AuthMode, AuthStep, Provider, Route},
    state::{Effort, Permission},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const SECRET: &str = "fake-oauth-secret";
const PANE_TOKEN: &str = "pane-token-7";

/// A home with settings, memory, a skill, a hook, an MCP server, a login and a past session for each CLI.
pub(super) struct Furnished {
    _dir: tempfile::TempDir,
    pub(super) home: PathBuf,
    pub(super) pane: PathBuf,
    pub(super) cwd: PathBuf,
    pub(super) env: BTreeMap<String, String>,
}

pub(super) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl Furnished {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (home, pane, cwd) = (root.join("home"), root.join("panes/01"), root.join("work"));
        fs::create_dir_all(cwd.join(".git")).unwrap();
        let files = [
            (".claude/settings.json", r#"{"env": {"ANTHROPIC_BASE_URL": "http://foreign.invalid", "ANTHROPIC_API_KEY": "foreign",
                "KEEP": "kept"}, "apiKeyHelper": "foreign",
                "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "canary-hook"}]}]}}"#.to_owned()),
            (".claude/CLAUDE.md", "canary line".into()),
            (".claude/skills/canary/SKILL.md", "canary skill".into()),
            (".claude/projects/p/past.jsonl", "past".into()),
            (".claude/.credentials.json",
                format!(r#"{{"claudeAiOauth": {{"accessToken": "{SECRET}", "subscriptionType": "max"}}}}"#)),
            (".claude.json", format!(r#"{{"oauthAccount": {{"token": "{SECRET}"}}, "primaryApiKey": "{SECRET}",
                "mcpServers": {{"canary-mcp": {{"command": "x"}}}},
                "projects": {{"{}": {{"hasTrustDialogAccepted": true, "allowedTools": ["Read"]}}}}}}"#, cwd.display())),
            (".codex/config.toml", format!("model = \"theirs\"\nmodel_provider = \"foreign\"\nexperimental_bearer_token = \
                \"{SECRET}\"\n[model_providers.foreign]\nbase_url = \"http://foreign.invalid\"\n[mcp_servers.canary-mcp]\n\
                command = \"x\"\n[projects.\"/elsewhere\"]\ntrust_level = \"trusted\"\n")),
            (".codex/AGENTS.md", "canary line".into()),
            (".codex/hooks.json", "canary-hook".into()),
            (".codex/skills/canary/SKILL.md", "canary skill".into()),
            (".codex/sessions/2026/01/01/rollout.jsonl", "past".into()),
            (".codex/auth.json", format!(r#"{{"tokens": {{"access_token": "{SECRET}"}}}}"#)),
            (".gemini/settings.json", r#"{ // theirs
                "security": {"auth": {"selectedType": "oauth-personal"}}, "mcpServers": {"canary-mcp": {"command": "x"}},
                "hooks": {"BeforeAgent": [{"hooks": [{"type": "command", "command": "canary-hook"}]}]},
                "context": {"fileName": ["GEMINI.md", "OTHER.md", "../oauth_creds.json"]}}"#.to_owned()),
            (".gemini/.env", format!("export GEMINI_API_KEY={SECRET}\nGOOGLE_GEMINI_BASE_URL=http://foreign.invalid\nKEEP=kept\n")),
            (".gemini/GEMINI.md", "canary line".into()),
            (".gemini/OTHER.md", "other line".into()),
            (".gemini/skills/canary/SKILL.md", "canary skill".into()),
            (".gemini/tmp/p/chats/session-1.jsonl", "past".into()),
            (".gemini/oauth_creds.json", format!(r#"{{"refresh_token": "{SECRET}"}}"#)),
            (".gemini/google_accounts.json", SECRET.into()),
            (".gemini/mcp-oauth-tokens.json", SECRET.into()),
            (".grok/config.toml", format!("[models]\ndefault = \"theirs\"\n[model.theirs]\nbase_url = \"http://foreign.invalid\"\n\
                api_key = \"{SECRET}\"\n[mcp_servers.canary-mcp]\ncommand = \"x\"\n[ui]\ntheme = \"kept\"\n\
                permission_mode = \"always-approve\"\n")),
            (".grok/AGENTS.md", "canary line".into()),
            (".grok/hooks/canary.json", "canary-hook".into()),
            (".grok/skills/canary/SKILL.md", "canary skill".into()),
            (".grok/sessions/p/s/summary.json", "past".into()),
            (".grok/auth.json", format!(r#"{{"https://auth.x.ai::1": {{"key": "{SECRET}", "email": "me@example.org"}}}}"#)),
            (".grok/trusted_folders.toml", "[folders.\"/elsewhere\"]\ntrusted = true\n".into()),
            (".config/opencode/opencode.jsonc", r#"{ // theirs
                "model": "foreign/theirs", "provider": {"foreign": {"options": {"baseURL": "http://foreign.invalid"}}},
                "agent": {"canary-agent": {"prompt": "canary line"}},
                "mcp": {"canary-mcp": {"type": "local", "command": ["x"]}}}"#.to_owned()),
            (".config/opencode/AGENTS.md", "canary line".into()),
            (".local/share/opencode/auth.json",
                format!(r#"{{"anthropic": {{"type": "oauth", "refresh": "{SECRET}"}}}}"#)),
        ];
        for (path, text) in files {
            write(&home.join(path), &text);
        }
        let env = [
            ("HOME", home.to_str().unwrap()),
            ("PATH", "/usr/bin"),
            ("ANTHROPIC_API_KEY", "k"),
            ("CLAUDE_CODE_OAUTH_TOKEN", "t"),
            ("HTTPS_PROXY", "http://proxy.invalid"),
        ];
        let env = env.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Self { _dir: dir, home, pane, cwd, env }
    }

    pub(super) fn plan(&self, executor: &str, home: Home, trusted: bool) -> LaunchPlan {
        self.plan_with(executor, home, trusted, Some("--do this"), |_| {})
    }

    pub(super) fn plan_with(
        &self,
        executor: &str,
        home: Home,
        trusted: bool,
        prompt: Option<&str>,
        change: impl FnOnce(&mut LaunchRequest<'_>),
    ) -> LaunchPlan {
        let executor = by_id(&executor.into()).unwrap();
        let route = Route {
            executor: executor.id(),
            model: None,
            wire_model: (home != Home::Users).then(|| "wire-model".to_owned()),
            auth: AuthMode::Credits,
            harness_dialect: executor.dialect(),
            upstream_dialect: executor.dialect(),
            provider: Provider::Rehearsal,
            base_url: String::new(),
            credential: String::new(),
            payer: "rehearsal".into(),
            step: AuthStep::Explicit,
            outside_reference: false,
            verified: true,
            gateway: None,
            inject: false,
        };
        let gateway = GatewayAccess { base_url: "http://127.0.0.1:7".into(), token: PANE_TOKEN.into() };
        let mut request = LaunchRequest {
            binary: Path::new("/bin/cli"),
            route: &route,
            permission: Permission::Ask,
            effort: None,
            agent: None,
            cwd: &self.cwd,
            pane_dir: &self.pane,
            gateway: (home != Home::Users).then_some(&gateway),
            home,
            session: SessionChoice::New(uuid::Uuid::nil()),
            prompt,
            env: &self.env,
            trusted,
            control: false,
        };
        change(&mut request);
        executor.launch(&request).unwrap()
    }

    fn photograph(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        all_files(&self.home).into_iter().map(|file| (file.clone(), fs::read(&file).unwrap())).collect()
    }
}

/// Every file below a directory, links followed.
fn all_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(all_files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

fn text_below(dir: &Path) -> String {
    all_files(dir).iter().map(|file| fs::read_to_string(file).unwrap() + "\n").collect()
}

const ALL: &[&str] = &["claude", "codex", "gemini", "opencode", "grok"];
/// Those that are given a directory of their own; the others read the user's where it is and are given what wins.
const MOVED: &[&str] = &["claude", "codex", "gemini", "grok"];
const OVERLAY: Home = Home::Overlay { inherit_user: true };

#[test]
fn under_login_nothing_is_forced() {
    let furnished = Furnished::new();
    for name in ALL {
        let plan = furnished.plan(name, Home::Users, true);
        assert_eq!(plan.env_set, BTreeMap::new(), "{name}");
        assert!(plan.files.is_empty() && plan.links.is_empty() && plan.dirs.is_empty(), "{name}");
        assert!(plan.config_home.starts_with(&furnished.home), "{name}");
        for flag in
            ["model", "-m", "permission", "approval", "sandbox", "settings", "config", "-c", "-s", "-a"]
        {
            let forced = plan
                .argv
                .iter()
                .any(|a| a.trim_start_matches("--") == flag || a.starts_with(&format!("--{flag}")));
            assert!(!forced, "{name}: {flag} in {:?}", plan.argv);
        }
        assert!(plan.env_remove.iter().any(|v| v == "ANTHROPIC_API_KEY"), "{name}");
        assert!(!plan.env_remove.iter().any(|v| v == "CLAUDE_CODE_OAUTH_TOKEN"), "{name}");
        let notes: Vec<_> = plan.notes.iter().filter(|note| !note.contains("personal accounts")).collect();
        assert_eq!(notes, ["not passed on from your environment: ANTHROPIC_API_KEY"], "{name}");
    }
}

#[test]
fn an_overlay_brings_the_users_things_and_leaves_the_login() {
    for name in ALL {
        let furnished = Furnished::new();
        let before = furnished.photograph();
        let plan = furnished.plan(name, OVERLAY, false);
        apply(&plan, &furnished.pane).unwrap();
        assert_eq!(furnished.photograph(), before, "{name} wrote into the home");
        let text = text_below(&furnished.pane);
        for wanted in ["canary line", "canary skill", "canary-hook", "canary-mcp", "past"] {
            assert!(text.contains(wanted) || !MOVED.contains(name), "{name} lost {wanted}");
        }
        for unwanted in
            [SECRET, "foreign", "hasTrustDialogAccepted", "trust_level", "trusted = true", "oauth-personal"]
        {
            assert!(!text.contains(unwanted), "{name} took over {unwanted}");
        }
        assert!(!plan.argv.join(" ").contains(PANE_TOKEN), "{name}");
        assert!(
            !plan.env_set.contains_key("HOME") && !plan.env_set.keys().any(|k| k.starts_with("XDG_")),
            "{name}"
        );
        assert!(plan.env_set.get("NO_PROXY").unwrap().contains("127.0.0.1"), "{name}");
        assert!(plan.env_remove.iter().any(|v| v == "CLAUDE_CODE_OAUTH_TOKEN"), "{name}");
        assert!(
            plan.notes.iter().any(|note| note.contains("the route wins over your")),
            "{name}: {:?}",
            plan.notes
        );
    }
}

#[test]
fn an_overlay_that_inherits_nothing_holds_nothing_of_the_users() {
    for name in ALL {
        let furnished = Furnished::new();
        for home in [Home::Overlay { inherit_user: false }, Home::Empty] {
            let plan = furnished.plan(name, home, true);
            assert!(plan.links.is_empty(), "{name}");
            apply(&plan, &furnished.pane).unwrap();
            let text = text_below(&furnished.pane);
            for unwanted in ["canary", "past", SECRET, "kept"] {
                assert!(!text.contains(unwanted), "{name} took over {unwanted}");
            }
            assert!(!format!("{:?}", plan.env_set).contains(SECRET), "{name}");
        }
    }
}

#[test]
fn trust_is_answered_only_when_the_person_answered_it() {
    let furnished = Furnished::new();
    let said = |name, trusted| {
        let plan = furnished.plan(name, Home::Overlay { inherit_user: false }, trusted);
        let files: String =
            plan.files.iter().map(|f| String::from_utf8_lossy(&f.contents).into_owned()).collect();
        format!("{files}{:?}", plan.env_set)
    };
    for (name, mark) in [
        ("claude", "hasTrustDialogAccepted"),
        ("codex", "trust_level"),
        ("gemini", "TRUST_WORKSPACE"),
        ("grok", "trusted = true"),
    ] {
        assert!(said(name, true).contains(mark), "{name}");
        assert!(!said(name, false).contains(mark), "{name}");
    }
}

#[test]
fn a_relaunch_keeps_what_the_cli_recorded_and_follows_the_users_changes() {
    let furnished = Furnished::new();
    fs::remove_dir_all(furnished.home.join(".claude/projects")).unwrap();
    apply(&furnished.plan("claude", OVERLAY, false), &furnished.pane).unwrap();
    let record = furnished.pane.join("claude/projects/p/own.jsonl");
    write(&record, "own");
    write(&furnished.home.join(".claude/projects/p/theirs.jsonl"), "theirs");
    fs::remove_dir_all(furnished.home.join(".claude/skills")).unwrap();
    apply(&furnished.plan("claude", OVERLAY, false), &furnished.pane).unwrap();
    assert_eq!(fs::read_to_string(record).unwrap(), "own");
    assert!(fs::symlink_metadata(furnished.pane.join("claude/skills")).is_err());
}

#[test]
fn a_prompt_that_looks_like_a_flag_stays_a_prompt_and_a_long_one_is_typed() {
    let long = "x".repeat(MAX_PROMPT_ARG + 1);
    let furnished = Furnished::new();
    for name in ALL {
        let plan = furnished.plan(name, Home::Empty, true);
        let at = plan.argv.iter().position(|a| a.ends_with("--do this")).unwrap();
        let bound = ["--prompt-interactive=", "--prompt="].iter().any(|flag| plan.argv[at].starts_with(flag));
        assert!(plan.argv[at - 1] == "--" || bound, "{name}");
        assert!(plan.prompt_delivered, "{name}");
        let plan = furnished.plan_with(name, Home::Empty, true, Some(&long), |_| {});
        assert!(!plan.prompt_delivered && !plan.argv.iter().any(|a| a.contains("xxx")), "{name}");
    }
}

#[test]
fn an_id_that_a_cli_could_take_for_a_flag_is_refused() {
    let furnished = Furnished::new();
    for name in ALL {
        let executor = by_id(&(*name).into()).unwrap();
        let mut refused = None;
        furnished.plan_with(name, Home::Users, true, None, |request| {
            let session = SessionChoice::Resume("--dangerously-skip-permissions".into());
            let old = std::mem::replace(&mut request.session, session);
            refused = executor.launch(request).err();
            request.session = old;
        });
        assert!(refused.unwrap().contains("cannot be a session"), "{name}");
    }
}

#[test]
fn permissions_reach_the_command_line_only_when_chosen() {
    let furnished = Furnished::new();
    let argv = |name, home, permission| {
        let plan = furnished.plan_with(name, home, true, None, |request| request.permission = permission);
        plan.argv.join(" ")
    };
    assert!(argv("claude", Home::Users, Permission::Full).contains("--permission-mode bypassPermissions"));
    assert!(argv("claude", Home::Empty, Permission::Ask).contains("--permission-mode default"));
    assert!(argv("claude", OVERLAY, Permission::Readonly).contains("--disallowedTools=Bash,Edit,Write"));
    assert!(
        argv("codex", Home::Users, Permission::Full).contains("--dangerously-bypass-approvals-and-sandbox")
    );
    assert!(argv("codex", Home::Empty, Permission::Readonly).contains("-a never -s read-only"));
    assert!(argv("gemini", Home::Empty, Permission::Full).contains("--approval-mode=yolo"));
    assert!(argv("gemini", Home::Users, Permission::Edits).contains("--approval-mode=auto_edit"));
    assert!(argv("grok", Home::Users, Permission::Full).contains("--permission-mode=bypassPermissions"));
    assert!(argv("grok", OVERLAY, Permission::Readonly).contains("--disallowed-tools=run_terminal_command"));
    assert!(argv("opencode", Home::Users, Permission::Full).contains("--auto"));
    assert!(argv("opencode", Home::Empty, Permission::Plan).contains("--agent=plan"));
    let rules = |permission| {
        let plan =
            furnished.plan_with("opencode", OVERLAY, true, None, |request| request.permission = permission);
        let rules: serde_json::Value = serde_json::from_str(&plan.env_set["OPENCODE_PERMISSION"]).unwrap();
        (rules["*"].clone(), rules["edit"].clone(), rules["read"].clone())
    };
    assert_eq!(rules(Permission::Ask), ("ask".into(), serde_json::Value::Null, "allow".into()));
    assert_eq!(rules(Permission::Edits), ("ask".into(), "allow".into(), "allow".into()));
    assert_eq!(rules(Permission::Readonly), ("deny".into(), serde_json::Value::Null, "allow".into()));
}

#[test]
fn logins_are_told_without_their_secrets() {
    let mut furnished = Furnished::new();
    let said = |furnished: &Furnished, name: &str| by_id(&name.into()).unwrap().login(&furnished.env);
    assert_eq!(said(&furnished, "claude").as_deref(), Some("Claude Max"));
    assert_eq!(said(&furnished, "codex").as_deref(), Some("ChatGPT"));
    assert_eq!(said(&furnished, "gemini").as_deref(), Some("Google account"));
    assert_eq!(said(&furnished, "opencode").as_deref(), Some("anthropic"));
    assert_eq!(said(&furnished, "grok").as_deref(), Some("me@example.org"));
    let elsewhere = furnished.cwd.display().to_string();
    for variable in ["CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "XDG_DATA_HOME", "GROK_HOME"] {
        furnished.env.insert(variable.into(), elsewhere.clone());
    }
    furnished.env.remove("CLAUDE_CODE_OAUTH_TOKEN");
    for name in ALL {
        assert_eq!(said(&furnished, name), None, "{name}");
    }
}

#[test]
fn effort_reaches_those_that_can_be_told_and_the_others_say_so() {
    let furnished = Furnished::new();
    let plan =
        |name, effort| furnished.plan_with(name, Home::Users, true, None, |request| request.effort = effort);
    let word = |name, effort| plan(name, Some(effort)).argv.join(" ");
    assert!(word("claude", Effort::Max).contains("--effort max"));
    assert!(word("codex", Effort::Max).contains("-c model_reasoning_effort=\"xhigh\""));
    assert!(word("grok", Effort::Low).contains("--reasoning-effort=low"));
    for name in ["gemini", "opencode"] {
        let plan = plan(name, Some(Effort::High));
        assert!(plan.notes.iter().any(|note| note.starts_with("effort high: ")), "{name}: {:?}", plan.notes);
    }
    for name in ALL {
        assert!(!plan(name, None).argv.join(" ").contains("effort"), "{name}");
    }
}
