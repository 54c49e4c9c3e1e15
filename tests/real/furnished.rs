//! A home in which a person has lived: what a harness gets of it, who pays, and that nothing of it is touched.
use super::{
    CLAUDE, CODEX, Cli, GEMINI, GROK, OPENCODE, Stage, environment, processes_with, upstream::Upstream,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Stands in the person's instructions.
const MEMORY: &str = "The canary sings at seven in the morning.";
/// Stands in the description of the person's skill.
const SKILL: &str = "How the tower bells are rung";
/// A tool of the person's MCP server.
const TOOL: &str = "ring_the_tower_bell";
/// The person's login, which no upstream may ever see.
const LOGIN: &str = "canary-login-secret";
/// The organisation's key, which only the upstream may see.
const KEY: &str = "canary-provider-key";
/// A key of the person's that nobody configured.
const STRAY: &str = "canary-stray-key";
/// What was said in the past.
const PAST: &str = "In the past a heron stood on the weir";

#[test]
fn claude_lives_in_a_furnished_home() {
    lives(CLAUDE, "x-api-key");
}

#[test]
fn codex_lives_in_a_furnished_home() {
    lives(CODEX, "authorization");
}

#[test]
fn gemini_lives_in_a_furnished_home() {
    lives(GEMINI, "x-goog-api-key");
}

#[test]
fn opencode_lives_in_a_furnished_home() {
    lives(OPENCODE, "x-goog-api-key");
}

#[test]
fn grok_lives_in_a_furnished_home() {
    lives(GROK, "authorization");
}

fn lives(cli: Cli, key_header: &str) {
    let (upstream, foreign) = (Upstream::start(), Upstream::start());
    let mut stage = Stage::new();
    for name in ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"] {
        stage.sandbox.set_env(name, Some(STRAY));
    }
    // Whatever a CLI wants of the world outside, it gets no answer.
    // OpenCode fetches the package that plugins are written against before it shows itself, and waits for it.
    if cli.name != OPENCODE.name {
        stage.sandbox.set_env("HTTPS_PROXY", Some("http://127.0.0.1:9"));
    }
    stage.sandbox.set_env("TEAM_KEY", Some(KEY));
    let url = upstream.url();
    stage.sandbox.config(&format!(
        "[credits]\nanthropic = \"env:TEAM_KEY\"\nopenai = \"env:TEAM_KEY\"\ngoogle = \"env:TEAM_KEY\"\n\
         xai = \"env:TEAM_KEY\"\n[providers.xai]\nbase_url = \"{url}/v1\"\n[providers.anthropic]\nbase_url = \"{url}\"\n[providers.openai]\nbase_url = \"{url}/v1\"\n\
         [providers.google]\nbase_url = \"{url}\"\n"
    ));
    let past = a_past(&stage, cli, &upstream);
    furnish(&stage, cli, &foreign.url());
    let home = stage.sandbox.path("home");
    let settings = stage.sandbox.path("config");
    let before = [photograph(&home), photograph(&settings)];
    let said_before = upstream.requests().len();

    let credits = ["--auth", "credits", "--trust", "--permission", "full"];
    let pane = stage.start("credits", cli, &credits);
    stage.wait_idle(&pane, cli);
    assert!(!stage.row(&pane)["rehearse"].as_bool().unwrap());
    let answer =
        stage.ask(&pane, "[[say: all is well]] [[run: env; cat /proc/$PPID/environ /proc/$PPID/cmdline]]");
    assert!(answer.contains("INSPAN_PANE="), "a command of the harness sees its environment: {answer}");
    assert!(!answer.contains(KEY) && !answer.contains(STRAY), "{answer}");
    for pid in processes_with("INSPAN_PANE", &pane) {
        let seen = environment(pid).join("\n")
            + &fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!seen.contains(KEY), "process {pid} holds the key: {seen}");
    }

    // The past session is offered, and goes on.
    let sessions = stage.sandbox.inspan_in(&stage.repo, &["sessions", "--executor", cli.name, "--json"]);
    let sessions: Value = serde_json::from_str(sessions.ok()).unwrap();
    let offered = sessions.as_array().unwrap().iter().find(|session| session["id"] == past.as_str());
    assert!(
        offered.is_some_and(|session| session["title"].as_str().unwrap().contains("heron")),
        "{sessions}"
    );
    // OpenCode's database holds logins beside the sessions, so only its own account goes on with those.
    if cli.name != OPENCODE.name {
        goes_on(&stage, cli, &past, &credits);
    }

    let requests = upstream.requests();
    let requests = &requests[said_before..];
    assert!(requests.iter().any(|request| request.body.contains("all is well")), "the prompt went upstream");
    // Grok Build tells its model of MCP tools only when that searches for them.
    let told = if cli.name == GROK.name { &[MEMORY, SKILL][..] } else { &[MEMORY, SKILL, TOOL] };
    for wanted in told {
        assert!(requests.iter().any(|request| request.body.contains(*wanted)), "{wanted:?} is in no request");
    }
    for request in requests {
        let sent = request.header(key_header).unwrap_or_default();
        assert_eq!(sent.strip_prefix("Bearer ").unwrap_or(sent), KEY, "{}", request.headers);
        for unwanted in [LOGIN, STRAY] {
            assert!(!request.text().contains(unwanted), "{unwanted} went upstream: {}", request.text());
        }
    }
    assert_eq!(foreign.requests().len(), 0, "the settings' own address was asked");
    assert!(home.join("canary/hook").exists(), "the hook ran");
    assert!(home.join("canary/mcp").exists(), "the MCP server was started");

    stage.sandbox.inspan(&["kill-server"]).ok();
    let mut changed = changes(&before[0], &photograph(&home));
    changed.extend(changes(&before[1], &photograph(&settings)));
    let foreign: Vec<&String> = changed.iter().filter(|path| !belongs_to_history(path)).collect();
    assert!(foreign.is_empty(), "changed in the home: {foreign:?}\nof all: {changed:?}");
}

/// The past session goes on in a pane of its own.
fn goes_on(stage: &Stage, cli: Cli, past: &str, credits: &[&str]) {
    let mut again = vec!["new-window", "-t", "credits", "--executor", cli.name, "--resume", past];
    again.extend(credits);
    let resumed = stage.sandbox.inspan(&again).ok().to_owned();
    stage.wait_idle(&resumed, cli);
    let recalled = stage.ask(&resumed, "[[recall: heron]]");
    assert!(recalled.contains(PAST), "{recalled}");
    // Codex goes on with what another provider began only in a copy.
    let goes_on = stage.row(&resumed)["native_session"] == past;
    assert_eq!(goes_on, cli.name != CODEX.name, "{}", stage.row(&resumed));
}

/// What the vendors' CLIs write themselves into their histories, which are shared so that there is one; and what the
/// person's own hook and MCP server write.
const HISTORY: &[&str] = &[
    ".claude/projects/",
    ".claude/file-history/",
    ".claude/history.jsonl",
    ".claude/plans/",
    ".claude/tasks/",
    ".claude/todos/",
    ".codex/sessions/",
    ".codex/archived_sessions/",
    ".codex/history.jsonl",
    ".codex/session_index.jsonl",
    ".gemini/tmp/",
    ".gemini/history/",
    ".grok/sessions/",
    // Its database, logs and snapshots; and the packages that it fetches for plugins into its own directory.
    ".local/share/opencode/",
    ".local/state/opencode/",
    ".cache/opencode/",
    "opencode/node_modules/",
    "opencode/package.json",
    "opencode/package-lock.json",
    "opencode/.gitignore",
    ".npm/",
    "canary/",
];

fn belongs_to_history(path: &str) -> bool {
    HISTORY.iter().any(|shared| path.starts_with(shared))
}

/// One session of before, made by the CLI itself without inspan; returns its id.
fn a_past(stage: &Stage, cli: Cli, upstream: &Upstream) -> String {
    let rows = stage.sandbox.json(&["executors"]);
    let row = rows.as_array().unwrap().iter().find(|row| row["executor"] == cli.name).unwrap();
    let binary = row["binary"].as_str().unwrap();
    let home = stage.sandbox.path("home");
    let url = upstream.url();
    let trust = format!("projects={{\"{}\"={{trust_level=\"trusted\"}}}}", stage.repo.display());
    let provider = format!(
        "model_providers.past={{name=\"past\",base_url=\"{url}/v1\",wire_api=\"responses\",experimental_bearer_token=\"past\"}}"
    );
    let settings;
    let (args, env): (Vec<&str>, Vec<(&str, &str)>) = match cli.name {
        "claude" => (
            vec!["-p", "--model", "claude-sonnet-4-6", "--", PAST],
            vec![("ANTHROPIC_BASE_URL", &url), ("ANTHROPIC_API_KEY", "past")],
        ),
        "codex" => {
            fs::create_dir_all(home.join(".codex")).unwrap();
            let mut args =
                vec!["exec", "-m", "gpt-5.4", "-c", "model_provider=\"past\"", "-c", &provider, "-c", &trust];
            args.extend(["--", PAST]);
            (args, vec![])
        }
        "grok" => {
            let config = format!(
                "[cli]\nauto_update = false\n[models]\ndefault = \"past\"\nsession_summary = \"past\"\n[model.past]\n\
                 model = \"past\"\nbase_url = \"{url}/v1\"\napi_key = \"past\"\napi_backend = \"responses\"\n"
            );
            stage.sandbox.write("home/.grok/config.toml", &config);
            (vec!["-p", PAST], vec![])
        }
        "opencode" => {
            settings = json!({"enabled_providers": ["past"], "model": "past/m", "small_model": "past/m", "provider": {"past": {
                "npm": "@ai-sdk/openai-compatible", "options": {"baseURL": format!("{url}/v1"), "apiKey": "past"},
                "models": {"m": {}}}}})
            .to_string();
            (
                vec!["run", PAST],
                vec![("OPENCODE_CONFIG_CONTENT", settings.as_str()), ("OPENCODE_DISABLE_MODELS_FETCH", "1")],
            )
        }
        _ => {
            let settings = json!({"security": {"auth": {"selectedType": "gemini-api-key"}}});
            stage.sandbox.write("home/.gemini/settings.json", &settings.to_string());
            (
                vec!["--model", "gemini-3.1-pro-preview", "-p", PAST],
                vec![
                    ("GOOGLE_GEMINI_BASE_URL", &url),
                    ("GEMINI_API_KEY", "past"),
                    ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
                ],
            )
        }
    };
    // The sandbox gives a command its environment; `env` adds what only this one gets.
    let mut command = vec!["-u".to_owned(), "HTTPS_PROXY".to_owned()];
    command.extend(env.iter().map(|(name, value)| format!("{name}={value}")));
    command.push(binary.to_owned());
    command.extend(args.iter().map(|word| (*word).to_owned()));
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    stage.sandbox.run_in(&stage.repo, "env", &words).ok();
    let sessions = stage.sandbox.inspan_in(&stage.repo, &["sessions", "--executor", cli.name, "--json"]);
    let sessions: Value = serde_json::from_str(sessions.ok()).unwrap();
    assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions}");
    sessions[0]["id"].as_str().unwrap().to_owned()
}

/// Puts a person's things into the home.
fn furnish(stage: &Stage, cli: Cli, foreign: &str) {
    let home = stage.sandbox.path("home");
    let write = |part: &str, text: &str| stage.sandbox.write(&format!("home/{part}"), text);
    fs::create_dir_all(home.join("canary")).unwrap();
    let server = write("mcp.js", MCP);
    let hook = format!("touch {}/canary/hook", home.display());
    let mcp = json!({"command": "node", "args": [server, home.join("canary/mcp")]});
    let skill = format!("---\nname: bells\ndescription: {SKILL}\n---\nPull the rope.\n");
    // The sandbox's settings lie beside its home.
    let directory =
        if cli.name == OPENCODE.name { "../config/opencode".to_owned() } else { format!(".{}", cli.name) };
    write(&format!("{directory}/skills/bells/SKILL.md"), &skill);
    match cli.name {
        "claude" => {
            write(".claude/CLAUDE.md", MEMORY);
            let hooks = json!({"UserPromptSubmit": [{"hooks": [{"type": "command", "command": hook}]}]});
            let env = json!({"ANTHROPIC_BASE_URL": foreign, "ANTHROPIC_AUTH_TOKEN": STRAY});
            write(".claude/settings.json", &json!({"env": env, "hooks": hooks}).to_string());
            let login = json!({"claudeAiOauth": {"accessToken": LOGIN, "refreshToken": LOGIN,
                "expiresAt": 4_102_444_800_000_u64, "scopes": ["user:inference"], "subscriptionType": "max"}});
            write(".claude/.credentials.json", &login.to_string());
            let state = home.join(".claude.json");
            let mut own: Value = serde_json::from_str(&fs::read_to_string(&state).unwrap()).unwrap();
            own["mcpServers"] = json!({"bells": mcp});
            own["oauthAccount"] = json!({"accountUuid": LOGIN});
            fs::write(state, own.to_string()).unwrap();
        }
        "codex" => {
            write(".codex/AGENTS.md", MEMORY);
            let hooks =
                json!({"hooks": {"UserPromptSubmit": [{"hooks": [{"type": "command", "command": hook}]}]}});
            write(".codex/hooks.json", &hooks.to_string());
            let config = format!(
                "model_provider = \"theirs\"\nopenai_base_url = \"{foreign}/v1\"\n[model_providers.theirs]\n\
                 name = \"theirs\"\nbase_url = \"{foreign}/v1\"\nexperimental_bearer_token = \"{STRAY}\"\n\
                 [mcp_servers.bells]\ncommand = \"node\"\nargs = [{}, {}]\n",
                json!(server),
                json!(home.join("canary/mcp"))
            );
            write(".codex/config.toml", &config);
            let login = json!({"OPENAI_API_KEY": LOGIN, "tokens": {"access_token": LOGIN, "refresh_token": LOGIN,
                "id_token": LOGIN, "account_id": LOGIN}});
            write(".codex/auth.json", &login.to_string());
        }
        "grok" => {
            write(".grok/AGENTS.md", MEMORY);
            let hooks =
                json!({"hooks": {"UserPromptSubmit": [{"hooks": [{"type": "command", "command": hook}]}]}});
            write(".grok/hooks/canary.json", &hooks.to_string());
            let config = format!(
                "[models]\ndefault = \"theirs\"\n[model.theirs]\nmodel = \"theirs\"\nbase_url = \"{foreign}/v1\"\n\
                 api_key = \"{STRAY}\"\n[mcp_servers.bells]\ncommand = \"node\"\nargs = [{}, {}]\n",
                json!(server),
                json!(home.join("canary/mcp"))
            );
            write(".grok/config.toml", &config);
            let login = json!({"https://auth.x.ai::1": {"key": LOGIN, "auth_mode": "external", "email": "me@example.org",
                "expires_at": "2100-01-01T00:00:00Z"}});
            write(".grok/auth.json", &login.to_string());
        }
        "opencode" => {
            write("../config/opencode/AGENTS.md", MEMORY);
            let plugin = format!(
                "export const Canary = async () => ({{ event: async () => require('fs').writeFileSync({}, '') }})\n",
                json!(home.join("canary/hook"))
            );
            write("../config/opencode/plugin/canary.js", &plugin);
            let bells = json!({"type": "local", "command": ["node", server, home.join("canary/mcp")]});
            let theirs = json!({"options": {"baseURL": format!("{foreign}/v1"), "apiKey": STRAY},
                "npm": "@ai-sdk/openai-compatible", "models": {"m": {}}});
            // Into a file without its schema OpenCode itself writes it, as at home.
            let settings = json!({"$schema": "https://opencode.ai/config.json", "model": "theirs/m",
                "provider": {"theirs": theirs}, "mcp": {"bells": bells}});
            write("../config/opencode/opencode.json", &settings.to_string());
            let login = json!({"google": {"type": "api", "key": LOGIN}, "openai": {"type": "oauth", "refresh": LOGIN,
                "access": LOGIN, "expires": 4_102_444_800_000_u64}});
            write(".local/share/opencode/auth.json", &login.to_string());
        }
        _ => {
            write(".gemini/GEMINI.md", MEMORY);
            let hooks = json!({"BeforeAgent": [{"hooks": [{"type": "command", "command": format!("{hook}; echo '{{}}'"), "name": "canary"}]}]});
            let settings = json!({"security": {"auth": {"selectedType": "oauth-personal"}}, "hooks": hooks,
                "mcpServers": {"bells": mcp}});
            write(".gemini/settings.json", &settings.to_string());
            write(".gemini/.env", &format!("GEMINI_API_KEY={STRAY}\nGOOGLE_GEMINI_BASE_URL={foreign}\n"));
            let login =
                json!({"access_token": LOGIN, "refresh_token": LOGIN, "expiry_date": 4_102_444_800_000_u64});
            write(".gemini/oauth_creds.json", &login.to_string());
        }
    }
}

/// An MCP server with one tool; its first argument is a file that shows that it ran.
pub const MCP: &str = r#"
require('fs').writeFileSync(process.argv[2], 'ran');
const tool = { name: 'ring_the_tower_bell', description: 'Rings the bell', inputSchema: { type: 'object', properties: {} } };
const answers = {
  initialize: (p) => ({ protocolVersion: p.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'bells', version: '1' } }),
  'tools/list': () => ({ tools: [tool] }),
  'prompts/list': () => ({ prompts: [] }),
  'resources/list': () => ({ resources: [] }),
  'resources/templates/list': () => ({ resourceTemplates: [] }),
  ping: () => ({}),
};
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  const result = answers[method]?.(params ?? {});
  const body = result ? { result } : { error: { code: -32601, message: 'unknown method' } };
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, ...body }) + '\n');
}).on('close', () => process.exit(0));
"#;

/// Each file and link below a directory: what it holds, and when it was changed.
fn photograph(root: &Path) -> BTreeMap<String, (Vec<u8>, i64)> {
    fn into(root: &Path, dir: &Path, found: &mut BTreeMap<String, (Vec<u8>, i64)>) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if meta.is_dir() {
                into(root, &path, found);
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).unwrap_or_else(|_| PathBuf::new());
                found.insert(name, (target.into_os_string().into_encoded_bytes(), meta.mtime_nsec()));
            } else {
                found.insert(name, (fs::read(&path).unwrap_or_default(), meta.mtime_nsec()));
            }
        }
    }
    let mut found = BTreeMap::new();
    into(root, root, &mut found);
    found
}

fn changes(
    before: &BTreeMap<String, (Vec<u8>, i64)>,
    after: &BTreeMap<String, (Vec<u8>, i64)>,
) -> Vec<String> {
    let mut names: Vec<String> = before
        .keys()
        .chain(after.keys())
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect();
    names.dedup();
    names
}

/// What `login` never sets, whatever its value: homes, addresses, keys, models, switches.
const FORBIDDEN: &[&str] = &[
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_",
    "ANTHROPIC_",
    "DISABLE_",
    "IS_SANDBOX",
    "CODEX_",
    "OPENAI_",
    "GEMINI_",
    "GOOGLE_",
    "GROK_",
    "XAI_",
    "OPENCODE_",
    "NO_PROXY",
    "no_proxy",
];

#[test]
fn under_login_a_harness_runs_as_the_person_would_run_it() {
    for cli in super::ALL {
        let foreign = Upstream::start();
        let mut stage = Stage::new();
        stage.sandbox.set_env("HTTPS_PROXY", Some("http://127.0.0.1:9"));
        stage.sandbox.set_env("OPENAI_API_KEY", Some(STRAY));
        fs::write(stage.sandbox.path("home/.claude.json"), r#"{"hasCompletedOnboarding": true}"#).unwrap();
        furnish(&stage, cli, &foreign.url());
        let pane = stage.start("login", cli, &["--auth", "login"]);
        let row = stage.wait_pane(&pane, "the CLI runs", |row| {
            row["auth"] == "login" && row["pid"].as_i64().is_some_and(|pid| runs(pid).contains(cli.name))
        });
        let pid = i32::try_from(row["pid"].as_i64().unwrap()).unwrap();
        let home = format!("HOME={}", stage.sandbox.path("home").display());
        let environment = environment(pid);
        assert!(environment.contains(&home), "{environment:?}");
        for line in &environment {
            let name = line.split('=').next().unwrap();
            // The installation is inspan's own here, and does not replace itself; the password is for us alone.
            let held = [
                "DISABLE_AUTOUPDATER",
                "GROK_DISABLE_AUTOUPDATER",
                "OPENCODE_DISABLE_AUTOUPDATE",
                "OPENCODE_SERVER_PASSWORD",
            ]
            .contains(&name);
            assert!(held || !FORBIDDEN.iter().any(|word| name.starts_with(word)), "{}: {line}", cli.name);
        }
        let line = runs(row["pid"].as_i64().unwrap());
        for flag in ["model", "permission", "approval", "sandbox", "settings", "strict"] {
            assert!(!line.contains(flag), "{}: {line}", cli.name);
        }
    }
}

/// A process's words, joined by spaces.
fn runs(pid: i64) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}
