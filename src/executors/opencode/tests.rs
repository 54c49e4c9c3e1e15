use super::*;
use crate::executors::furnished::{Furnished, write};
use rusqlite::Connection;

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn seen(screen: &str) -> Option<(Status, String)> {
    let bottom = lines(screen);
    OpenCode
        .watch(&Signals { bottom: &bottom, title: "OC | a title", ..Signals::default() })
        .map(|r| (r.status, r.detail))
}

const FRESH: &str = "                                        █▀▀█ █▀▀█ █▀▀█ █▀▀▄ █▀▀▀ █▀▀█ █▀▀█ █▀▀█
                      ┃  Ask anything… \"What is the tech stack of this project?\"
                      ┃  Build · gemini-3.1-pro rehearsal
                      ╹▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀
                                                                      tab agents  ctrl+p commands
  /srv/shop:main                                                                                           1.18.33";
const WORKING: &str = "     words
     ▣  Build · gemini-3.1-pro
  ┃  Build auto · gemini-3.1-pro rehearsal
  ╹▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀
   ⬝⬝⬝⬝⬝■■■  esc interrupt                                                 9.8K (1%)  ctrl+p commands";
const ASKING: &str = "     $ echo asked > asked.txt
     ▣  Build · gemini-3.1-pro
  ┃
  ┃  △ Permission required
  ┃    # Shell command
  ┃
  ┃  $ echo asked > asked.txt
  ┃
  ┃
  ┃   Allow once   Allow always   Reject                               ctrl+f fullscreen  ⇆ select  enter confirm
  ┃";
const QUESTION: &str = "     → Asked 1 question
     ▣  Build · m
  ┃
  ┃  Which one?
  ┃
  ┃  1. A
  ┃     first
  ┃  3. Type your own answer
  ┃
  ┃  ↑↓ select  enter submit  esc dismiss
  ┃";
const RETRYING: &str = "  ┃  Build · m px
  ╹▀▀▀▀▀▀▀▀▀▀▀▀
   ⬝⬝⬝⬝⬝■■■ mock 429 quota [retrying attempt #2]                                                         esc interrupt";
const IDLE: &str = "     ▣  Build · gemini-3.1-pro · interrupted
  ┃  Build auto · gemini-3.1-pro rehearsal
  ╹▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀
   /srv/shop                                                                              9.8K (1%)  ctrl+p commands";

#[test]
fn its_screens_are_told_apart() {
    assert_eq!(seen(FRESH), Some((Status::Idle, "takes a prompt".into())));
    assert_eq!(seen(IDLE).unwrap().0, Status::Idle);
    assert_eq!(seen(WORKING).unwrap().0, Status::Working);
    assert_eq!(seen(&WORKING.replace("esc interrupt", "esc again to interrupt")).unwrap().0, Status::Working);
    let asked = "△ Permission required · # Shell command · $ echo asked > asked.txt";
    assert_eq!(seen(ASKING), Some((Status::NeedsYou, asked.into())));
    assert_eq!(seen(QUESTION), Some((Status::NeedsYou, "Which one?".into())));
    assert_eq!(seen(RETRYING), Some((Status::Retrying, "mock 429 quota [retrying attempt #2]".into())));
    let limited = RETRYING.replace("retrying attempt", "retrying in 2h 5m attempt");
    assert_eq!(seen(&limited).unwrap().0, Status::Limited);
    assert_eq!(seen("\n  starting words\n"), None);
}

#[test]
fn a_prompt_that_is_about_to_be_submitted_is_not_idle() {
    let prefilled = FRESH.replace("Ask anything… \"What is the tech stack of this project?\"", "do this");
    assert_eq!(seen(&prefilled), None);
}

#[test]
fn the_adapter_speaks_what_the_route_says_and_the_token_is_in_a_file() {
    let furnished = Furnished::new();
    for (dialect, adapter, base) in [
        (Dialect::Messages, "@ai-sdk/anthropic", "/v1"),
        (Dialect::Chat, "@ai-sdk/openai-compatible", "/v1"),
        (Dialect::Responses, "@ai-sdk/openai", "/v1"),
        (Dialect::Gemini, "@ai-sdk/google", "/v1beta"),
    ] {
        let mut settings = String::new();
        furnished.plan_with("opencode", Home::Empty, true, None, |request| {
            let mut route = request.route.clone();
            route.harness_dialect = dialect;
            let made = OpenCode.launch(&LaunchRequest {
                binary: request.binary,
                route: &route,
                permission: request.permission,
                effort: None,
                agent: None,
                cwd: request.cwd,
                pane_dir: request.pane_dir,
                gateway: request.gateway,
                home: request.home,
                session: request.session.clone(),
                prompt: None,
                env: request.env,
                trusted: true,
                control: false,
            });
            settings.clone_from(&made.unwrap().env_set["OPENCODE_CONFIG_CONTENT"]);
        });
        let settings: Value = serde_json::from_str(&settings).unwrap();
        let provider = &settings["provider"]["inspan"];
        assert_eq!(provider["npm"], adapter);
        assert_eq!(provider["options"]["baseURL"], format!("http://127.0.0.1:7{base}"));
        assert_eq!(
            provider["options"]["apiKey"],
            format!("{{file:{}}}", furnished.pane.join("opencode/token").display())
        );
        assert_eq!(settings["enabled_providers"], json!(["inspan"]));
        assert!(provider["models"]["wire-model"].is_object());
    }
}

#[test]
fn titles_are_beside_and_sub_agents_below() {
    let class = |tools: Value, parent: Option<&str>| {
        let header =
            |name: &str| (name == "x-parent-session-id").then(|| parent.map(str::to_owned)).flatten();
        OpenCode.classify(&RequestFacts {
            path: "/v1/messages",
            header: &header,
            body: &json!({ "tools": tools }),
        })
    };
    assert_eq!(class(json!([{}]), None), Class::Main);
    assert_eq!(class(json!([{}]), Some("ses_1")), Class::Subagent);
    assert_eq!(class(json!([]), None), Class::Side);
    assert_eq!(class(Value::Null, Some("ses_1")), Class::Side);
}

#[test]
fn a_login_is_told_by_the_names_of_its_providers() {
    let furnished = Furnished::new();
    let auth = furnished.home.join(".local/share/opencode/auth.json");
    write(
        &auth,
        r#"{"a": {"type": "oauth", "refresh": "r"}, "b": {"type": "api", "key": "k"}, "c": {"type": "api"},
        "d": {"type": "api", "key": "k"}, "e": {"type": "api", "key": "k"}}"#,
    );
    assert_eq!(OpenCode.login(&furnished.env).as_deref(), Some("a, b, d and 1 more"));
    write(&auth, "{}");
    assert_eq!(OpenCode.login(&furnished.env), None);
}

/// A database as it makes it, with one session of a person and one of a sub-agent.
fn store(dir: &Path) -> Connection {
    std::fs::create_dir_all(dir).unwrap();
    let database = Connection::open(dir.join("opencode.db")).unwrap();
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE session (id text PRIMARY KEY, parent_id text, directory text, title text, time_updated integer,
                 time_archived integer);
             CREATE TABLE message (id text PRIMARY KEY, session_id text, data text);
             CREATE TABLE part (id text PRIMARY KEY, message_id text, session_id text, data text);",
        )
        .unwrap();
    let put = |table: &str, values: &[&str]| {
        let marks = vec!["?"; values.len()].join(",");
        database
            .execute(&format!("INSERT INTO {table} VALUES ({marks})"), rusqlite::params_from_iter(values))
            .unwrap()
    };
    let session = "INSERT INTO session VALUES (?1, ?2, '/srv/shop', ?3, ?4, NULL)";
    database.execute(session, ("ses_1", None::<&str>, "New session - 2026", 2_000)).unwrap();
    database.execute(session, ("ses_2", None::<&str>, "Bells of the tower", 9_000)).unwrap();
    database.execute(session, ("ses_3", Some("ses_1"), "sub work", 3_000)).unwrap();
    database.execute(session, ("ses_4", None::<&str>, "never asked", 4_000)).unwrap();
    for (n, session) in ["ses_1", "ses_2", "ses_3"].iter().enumerate() {
        let (asks, answers) = (format!("m{n}a"), format!("m{n}b"));
        put("message", &[&asks, session, r#"{"role": "user"}"#]);
        put("message", &[&answers, session, r#"{"role": "assistant"}"#]);
        put(
            "part",
            &[&format!("p{n}1"), &asks, session, r#"{"type": "text", "text": "fix the test\nplease"}"#],
        );
        put(
            "part",
            &[
                &format!("p{n}2"),
                &asks,
                session,
                r#"{"type": "text", "synthetic": true, "text": "reminder"}"#,
            ],
        );
        put("part", &[&format!("p{n}3"), &answers, session, r#"{"type": "text", "text": "Running it."}"#]);
        put(
            "part",
            &[
                &format!("p{n}4"),
                &answers,
                session,
                r#"{"type": "tool", "tool": "bash", "state": {"input": {"command": "ls"}, "output": "a.rs"}}"#,
            ],
        );
    }
    database
}

#[test]
fn its_store_tells_what_was_asked_answered_and_done() {
    let dir = tempfile::tempdir().unwrap();
    let config_home = dir.path().join("a #1?");
    let writer = store(&config_home);
    let look = |stage: &str| {
        let found = OpenCode.sessions(&config_home, Path::new("/srv/shop"));
        let found: Vec<_> = found.iter().map(|s| (s.id.as_str(), s.title.as_str())).collect();
        assert_eq!(found, [("ses_2", "Bells of the tower"), ("ses_1", "fix the test")], "{stage}");
        let told = OpenCode.transcript(&config_home, Path::new("/srv/shop"), "ses_1").unwrap();
        let told: Vec<_> = told.turns.iter().map(|t| (t.role, t.text.as_str())).collect();
        let wanted = [
            (crate::handoff::Role::User, "fix the test\nplease"),
            (crate::handoff::Role::Assistant, "Running it."),
            (crate::handoff::Role::Tool, "bash: {\"command\":\"ls\"}"),
            (crate::handoff::Role::Tool, "a.rs"),
        ];
        assert_eq!(told, wanted, "{stage}");
    };
    look("while the CLI holds it open");
    drop(writer);
    let before: Vec<_> = std::fs::read_dir(&config_home).unwrap().flatten().map(|e| e.file_name()).collect();
    look("after it ended");
    let after: Vec<_> = std::fs::read_dir(&config_home).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(before, after, "reading leaves no file behind");
    assert!(OpenCode.sessions(&config_home, Path::new("/elsewhere")).is_empty());
    assert_eq!(OpenCode.transcript(&config_home, Path::new("/srv/shop"), "ses_9"), None);
    let writer = Connection::open(config_home.join("opencode.db")).unwrap();
    let model = r#"UPDATE session SET model = '{"id": "m-1", "providerID": "p", "variant": "default"}' WHERE id = 'ses_1'"#;
    writer.execute_batch(&format!("ALTER TABLE session ADD COLUMN model text; {model}")).unwrap();
    let found = OpenCode.sessions(&config_home, Path::new("/srv/shop"));
    let models: Vec<_> = found.iter().map(|s| s.model.as_deref()).collect();
    assert_eq!(models, [None, Some("p/m-1")]);
    drop(writer);
    assert!(OpenCode.sessions(dir.path(), Path::new("/srv/shop")).is_empty());
}

#[test]
fn sessions_are_shared_with_the_users_own_unless_accounts_lie_beside_them() {
    let furnished = Furnished::new();
    let users = furnished.home.join(".local/share/opencode");
    let overlay = Home::Overlay { inherit_user: true };
    let database = |plan: &LaunchPlan| PathBuf::from(&plan.env_set["OPENCODE_DB"]);
    let plan = |home| furnished.plan("opencode", home, true);
    let resumed = |session: &str| {
        let mut made = None;
        furnished.plan_with("opencode", overlay, true, None, |request| {
            let fresh = std::mem::replace(&mut request.session, SessionChoice::Resume(session.to_owned()));
            made = Some(OpenCode.launch(request));
            request.session = fresh;
        });
        made.unwrap()
    };
    let own = furnished.pane.join("opencode/opencode.db");
    assert_eq!(database(&plan(overlay)), own, "there is nothing to share yet");
    let writer = store(&users);
    let shared = plan(overlay);
    assert_eq!((database(&shared), &shared.config_home), (users.join("opencode.db"), &users));
    for home in [Home::Empty, Home::Overlay { inherit_user: false }] {
        assert_eq!(database(&plan(home)), own, "{home:?}");
    }
    let before = store(&furnished.pane.join("opencode"));
    assert_eq!(database(&resumed("ses_1").unwrap()), own, "what the pane kept before goes on there");
    drop(before);
    std::fs::remove_dir_all(furnished.pane.join("opencode")).unwrap();
    assert_eq!(database(&resumed("ses_1").unwrap()), users.join("opencode.db"));
    writer.execute_batch("CREATE TABLE account (id text); INSERT INTO account VALUES ('me');").unwrap();
    assert_eq!(database(&plan(overlay)), own);
    assert!(resumed("ses_1").err().unwrap().contains("--auth login"));
    assert!(resumed("ses_9").is_ok(), "what is not there is OpenCode's to say");
}

#[test]
fn effort_is_told_to_the_models_in_the_words_of_each_adapter() {
    let furnished = Furnished::new();
    let told = |effort, dialect, wire: &str| {
        let mut settings = String::new();
        furnished.plan_with("opencode", Home::Empty, true, None, |request| {
            let mut route = request.route.clone();
            (route.harness_dialect, route.wire_model) = (dialect, Some(wire.to_owned()));
            let made = OpenCode.launch(&LaunchRequest {
                effort: Some(effort),
                route: &route,
                session: request.session.clone(),
                ..*request
            });
            settings.clone_from(&made.unwrap().env_set["OPENCODE_CONFIG_CONTENT"]);
        });
        let settings: Value = serde_json::from_str(&settings).unwrap();
        settings["provider"]["inspan"]["models"][wire]["options"].clone()
    };
    for dialect in [Dialect::Chat, Dialect::Responses] {
        assert_eq!(told(Effort::Max, dialect, "m"), json!({ "reasoningEffort": "xhigh" }));
    }
    let thinking = json!({ "thinking": { "type": "enabled", "budgetTokens": 4_000 } });
    assert_eq!(told(Effort::Low, Dialect::Messages, "m"), thinking);
    assert_eq!(
        told(Effort::Max, Dialect::Gemini, "gemini-3.1-pro")["thinkingConfig"]["thinkingLevel"],
        "high"
    );
    assert_eq!(
        told(Effort::Medium, Dialect::Gemini, "gemini-2.5-pro")["thinkingConfig"]["thinkingBudget"],
        8_192
    );
}

#[test]
fn an_agent_leads_and_plan_denies_it_edits() {
    let furnished = Furnished::new();
    write(&furnished.cwd.join(".opencode/agent/docs.md"), "---\nmode: primary\n---\nwrite\n");
    let plan = |agent: &'static str, permission| {
        furnished.plan_with("opencode", Home::Users, true, None, |request| {
            (request.agent, request.permission) = (Some(agent), permission);
        })
    };
    assert!(plan("docs", Permission::Ask).argv.contains(&"--agent=docs".to_owned()));
    let planned = plan("docs", Permission::Plan);
    assert_eq!(
        planned.argv.iter().filter(|a| a.starts_with("--agent=")).collect::<Vec<_>>(),
        ["--agent=docs"]
    );
    let rules: Value = serde_json::from_str(&planned.env_set["OPENCODE_PERMISSION"]).unwrap();
    assert_eq!((&rules["edit"], &rules["*"]), (&json!("deny"), &json!("ask")));
    let rehearsed = furnished.plan_with("opencode", Home::Empty, true, None, |request| {
        request.agent = Some("canary-agent");
    });
    assert!(!rehearsed.argv.iter().any(|a| a.contains("canary-agent")));
    assert!(rehearsed.notes.iter().any(|note| note.contains("in your own home")), "{:?}", rehearsed.notes);
}

#[test]
fn agents_of_oh_my_opencode_lead_in_opencodes_own_tui() {
    let furnished = Furnished::new();
    let list = || OpenCode.agents(&AgentPlaces { env: &furnished.env, cwd: &furnished.cwd }).unwrap();
    assert!(!list().iter().any(|agent| agent.name == "atlas"), "it is not installed");
    let plugin =
        ".local/share/inspan/executors/oh-my-opencode/current/node_modules/oh-my-opencode/dist/index.js";
    write(&furnished.home.join(plugin), "export default {}");
    write(
        &furnished.cwd.join(".omo/omo.jsonc"),
        r#"{ "[opencode]": { "agents": { "atlas": { "model": "p/m" } } } }"#,
    );
    let atlas = list().into_iter().find(|agent| agent.name == "atlas").unwrap();
    assert_eq!(atlas.model.as_deref(), Some("p/m"));
    for home in [Home::Users, Home::Empty, Home::Overlay { inherit_user: true }] {
        let plan = furnished.plan_with("opencode", home, true, None, |request| request.agent = Some("atlas"));
        assert!(plan.argv.contains(&"--agent=Atlas - Plan Executor".to_owned()), "{:?}", plan.argv);
        let settings: Value = serde_json::from_str(&plan.env_set["OPENCODE_CONFIG_CONTENT"]).unwrap();
        let file = settings["plugin"][0].as_str().unwrap();
        assert!(file.starts_with("file:///") && file.ends_with(plugin), "{file}");
        assert_eq!(plan.env_set.contains_key("OMO_DISABLE_POSTHOG"), home != Home::Users);
        assert!(!plan.env_set.contains_key("OPENCODE_PURE"));
    }
}

#[test]
fn without_the_users_things_each_of_them_is_switched_off_by_name() {
    let furnished = Furnished::new();
    let plan = furnished.plan("opencode", Home::Empty, true);
    let settings: Value = serde_json::from_str(&plan.env_set["OPENCODE_CONFIG_CONTENT"]).unwrap();
    assert_eq!(settings["mcp"]["canary-mcp"]["enabled"], false);
    assert_eq!(settings["agent"]["canary-agent"]["disable"], true);
    assert_eq!(plan.env_set["OPENCODE_PURE"], "1");
    assert!(plan.env_set["OPENCODE_CONFIG_DIR"].starts_with(furnished.pane.to_str().unwrap()));
}
