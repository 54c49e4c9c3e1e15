//! What each executor makes of the same equipment, word for word.
use super::*;
use crate::{
    config::{Place, equipment},
    executors::{Home, SessionChoice, apply, by_id, furnished::Furnished},
    router::ExecutorId,
    state::Permission,
};
use std::fs;
use toml::de::DeTable;

const SECRET: &str = "s3cret-bell-key";

const TEXT: &str = r#"[mcp.bells]
command = ["node", "bells.js", "it's"]
env = { BELL_KEY = "env:BELL_KEY" }

[mcp.tracker]
url = "https://tracker.example/mcp"
headers = { Authorization = "Bearer env:TRACKER_TOKEN", X-Team = "blue" }

[mcp.off]
command = ["off"]
enabled = false

[skills]
dirs = ["skills"]

[context]
files = ["agents.md"]

[permissions]
allow = ["run git status", "edit src/**", "mcp bells", "web docs.example"]
deny = ["run rm -rf", "read .env", "mcp tracker/erase"]
"#;

struct Given {
    furnished: Furnished,
    _dir: tempfile::TempDir,
}

fn given(executor: &str, permission: Permission) -> Given {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    fs::create_dir_all(dir.path().join("skills/ring")).unwrap();
    fs::write(
        dir.path().join("skills/ring/SKILL.md"),
        "---\nname: ring\ndescription: \"Ring well\"\n---\nPull.\n",
    )
    .unwrap();
    fs::write(dir.path().join("agents.md"), "Bells hang high.\n").unwrap();
    let place = |offset: usize| Place {
        file: file.display().to_string(),
        line: TEXT[..offset].matches('\n').count() + 1,
        column: 1,
    };
    let (equipment, faults) = equipment::read(DeTable::parse(TEXT).unwrap().get_ref(), &place, false);
    assert_eq!(faults, []);
    let resolve =
        |reference: &str| Ok(if reference == "env:BELL_KEY" { SECRET.to_owned() } else { "t0ken-x".into() });
    let look = Look { home: None, data: dir.path(), builtin: true, resolve: &resolve };
    let mut furnished = Furnished::new();
    furnished.env.insert("TRACKER_TOKEN".into(), "t0ken-x".into());
    furnished.equipment = Equipped::prepare(&equipment, &ExecutorId::from(executor), permission, &look);
    Given { furnished, _dir: dir }
}

impl Given {
    fn plan(&self, executor: &str, home: Home) -> LaunchPlan {
        self.furnished.plan_with(executor, home, true, None, |request| {
            request.session = SessionChoice::New(uuid::Uuid::nil());
        })
    }

    /// A generated file, paths of this run made plain.
    fn file(&self, plan: &LaunchPlan, name: &str) -> String {
        let found = plan.files.iter().find(|file| file.path.ends_with(name));
        let file = found.unwrap_or_else(|| {
            panic!("{name} among {:?}", plan.files.iter().map(|f| &f.path).collect::<Vec<_>>())
        });
        assert_eq!(file.mode, 0o600, "{name}");
        self.plain(&String::from_utf8_lossy(&file.contents))
    }

    fn plain(&self, text: &str) -> String {
        let dir = self._dir.path().to_string_lossy().into_owned();
        let text = text.replace(&*self.furnished.pane.to_string_lossy(), "PANE").replace(&dir, "CONFIG");
        text.replace(&*self.furnished.cwd.to_string_lossy(), "CWD")
    }

    fn argv(&self, plan: &LaunchPlan) -> String {
        self.plain(&plan.argv.join(" "))
    }
}

const OVERLAY: Home = Home::Overlay { inherit_user: true };
const ALL: [&str; 6] = ["claude", "codex", "gemini", "opencode", "grok", "openai-agents"];

#[test]
fn no_secret_is_an_argument_or_a_variable_every_file_names_its_line_and_the_home_stays_as_it_is() {
    for name in ALL {
        let given = given(name, Permission::Ask);
        let before = given.furnished.photograph();
        for home in [OVERLAY, Home::Empty, Home::Users] {
            if name == "openai-agents" && home == Home::Users {
                continue;
            }
            let plan = given.plan(name, home);
            for open in [plan.argv.join(" "), format!("{:?}", plan.env_set)] {
                assert!(!open.contains(SECRET), "{name} {home:?}: {open}");
                assert!(!open.contains("t0ken-x"), "{name} {home:?}: {open}");
            }
            apply(&plan, &given.furnished.pane).unwrap();
            for (path, source) in &plan.sources {
                assert!(source.contains("config.toml:") || source == "built in", "{name}: {source}");
                assert!(path.starts_with(&given.furnished.pane), "{name}: {path:?}");
            }
            let said = plan.unmapped.join("\n");
            assert!(!said.contains("skill inspan"), "{name}: {said}");
        }
        assert!(given.furnished.photograph() == before, "{name} wrote into the home");
    }
}

#[test]
fn claude_is_given_flags_and_in_a_home_of_ours_its_list_shows_the_servers() {
    let given = given("claude", Permission::Ask);
    let plan = given.plan("claude", Home::Users);
    insta::assert_snapshot!(given.argv(&plan), @r#"/bin/cli --settings PANE/claude-launch.json --mcp-config PANE/claude-mcp.json --plugin-dir PANE/equip --append-system-prompt-file PANE/equip/context.md --session-id 00000000-0000-0000-0000-000000000000"#);
    insta::assert_snapshot!(given.file(&plan, "claude-mcp.json"), @r#"{"mcpServers":{"bells":{"type":"stdio","command":"node","args":["bells.js","it's"],"env":{"BELL_KEY":"s3cret-bell-key"}},"tracker":{"type":"http","url":"https://tracker.example/mcp","headers":{"Authorization":"Bearer t0ken-x","X-Team":"blue"}}}}"#);
    insta::assert_snapshot!(given.file(&plan, "claude-launch.json"), @r#"{"permissions":{"allow":["Bash(git status:*)","Edit(src/**)","mcp__bells","WebFetch(domain:docs.example)"],"deny":["Bash(rm -rf:*)","Read(.env)","mcp__tracker__erase"]}}"#);
    insta::assert_snapshot!(given.file(&plan, "context.md"), @r#"
# CONFIG/agents.md

Bells hang high.
    "#);
    assert_eq!(plan.unmapped, [""; 0]);
    let plan = given.plan("claude", OVERLAY);
    let state: serde_json::Value = serde_json::from_str(&given.file(&plan, ".claude.json")).unwrap();
    assert_eq!(state["mcpServers"]["bells"]["env"]["BELL_KEY"], SECRET);
    assert!(state["mcpServers"]["canary-mcp"].is_object(), "the person's own stay");
    assert!(!given.argv(&plan).contains("--mcp-config"));
}

#[test]
fn codex_is_given_its_config_or_arguments_without_secrets() {
    let given = given("codex", Permission::Ask);
    let plan = given.plan("codex", Home::Users);
    insta::assert_snapshot!(given.argv(&plan), @r#"
/bin/cli --no-daemon -c mcp_servers.bells={ command = "sh", args = ["PANE/equip/mcp/bells.sh"], default_tools_approval_mode = "approve" } -c mcp_servers.tracker={ url = "https://tracker.example/mcp", bearer_token_env_var = "TRACKER_TOKEN", http_headers = { X-Team = "blue" }, disabled_tools = ["erase"] } -c developer_instructions="""
# CONFIG/agents.md

Bells hang high.
"""
    "#);
    insta::assert_snapshot!(given.file(&plan, "mcp/bells.sh"), @r#"
export BELL_KEY='s3cret-bell-key'
exec 'node' 'bells.js' 'it'\''s'
    "#);
    insta::assert_snapshot!(plan.unmapped.join("\n"), @r#"
skill ring: Codex takes it from its home only, which is yours under login
allow run git status: Codex takes it from its home only, which is yours under login
allow edit src/**: Codex has no such rule; its sandbox decides about files and network
allow web docs.example: Codex has no such rule; its sandbox decides about files and network
deny run rm -rf: Codex takes it from its home only, which is yours under login
deny read .env: Codex has no such rule; its sandbox decides about files and network
    "#);
    let plan = given.plan("codex", Home::Empty);
    insta::assert_snapshot!(given.file(&plan, "codex/config.toml"), @r#"
model_provider = "inspan"
check_for_update_on_startup = false
developer_instructions = """
# CONFIG/agents.md

Bells hang high.
"""

[model_providers.inspan]
name = "inspan"
base_url = "http://127.0.0.1:7/v1"
wire_api = "responses"
experimental_bearer_token = "pane-token-7"

[analytics]
enabled = false

[features]
daemon_auto_start = false
plugins = false

[notice.model_migrations]
"gpt-5.5" = "gpt-6-sol"
"gpt-5.6-luna" = "gpt-6-luna"
"gpt-5.6-sol" = "gpt-6-sol"
"gpt-5.6-terra" = "gpt-6-sol"

[projects."CWD"]
trust_level = "trusted"

[mcp_servers.bells]
command = "node"
args = ["bells.js", "it's"]
default_tools_approval_mode = "approve"

[mcp_servers.bells.env]
BELL_KEY = "s3cret-bell-key"

[mcp_servers.tracker]
url = "https://tracker.example/mcp"
disabled_tools = ["erase"]

[mcp_servers.tracker.http_headers]
Authorization = "Bearer t0ken-x"
X-Team = "blue"
    "#);
    insta::assert_snapshot!(given.file(&plan, "rules/inspan.rules"), @r#"
prefix_rule(pattern=["git", "status"], decision="allow")
prefix_rule(pattern=["rm", "-rf"], decision="forbidden")
    "#);
    let links: Vec<String> =
        plan.links.iter().map(|link| given.plain(&link.path.to_string_lossy())).collect();
    assert!(links.contains(&"PANE/codex/skills/ring".to_owned()), "{links:?}");
}

#[test]
fn gemini_is_given_settings_and_a_policy() {
    let given = given("gemini", Permission::Ask);
    let plan = given.plan("gemini", Home::Empty);
    insta::assert_snapshot!(given.file(&plan, ".gemini/settings.json"), @r#"{"security":{"auth":{"selectedType":"gemini-api-key"}},"general":{"enableAutoUpdate":false,"enableAutoUpdateNotification":false,"sessionRetention":{"enabled":false}},"privacy":{"usageStatisticsEnabled":false},"mcpServers":{"bells":{"command":"node","args":["bells.js","it's"],"env":{"BELL_KEY":"s3cret-bell-key"}},"tracker":{"httpUrl":"https://tracker.example/mcp","headers":{"Authorization":"Bearer t0ken-x","X-Team":"blue"}}},"context":{"fileName":["GEMINI.md","INSPAN.md"]}}"#);
    insta::assert_snapshot!(given.file(&plan, "gemini-policy.toml"), @r#"
[[rule]]
toolName = "run_shell_command"
commandPrefix = "git status"
decision = "allow"
priority = 500

[[rule]]
mcpName = "bells"
toolName = "*"
decision = "allow"
priority = 500

[[rule]]
toolName = "run_shell_command"
commandPrefix = "rm -rf"
decision = "deny"
priority = 900

[[rule]]
mcpName = "tracker"
toolName = "erase"
decision = "deny"
priority = 900
    "#);
    insta::assert_snapshot!(given.argv(&plan), @r#"/bin/cli --policy=PANE/gemini-policy.toml --approval-mode=default --model=wire-model --session-id=00000000-0000-0000-0000-000000000000"#);
    insta::assert_snapshot!(plan.unmapped.join("\n"), @r#"
allow edit src/**: Gemini CLI has no rule about single files or domains
allow web docs.example: Gemini CLI has no rule about single files or domains
deny read .env: Gemini CLI has no rule about single files or domains
    "#);
    let plan = given.plan("gemini", Home::Users);
    insta::assert_snapshot!(given.plain(&plan.unmapped.join("\n")), @r#"
allow edit src/**: Gemini CLI has no rule about single files or domains
allow web docs.example: Gemini CLI has no rule about single files or domains
deny read .env: Gemini CLI has no rule about single files or domains
MCP server bells: Gemini CLI takes it from its home only, which is yours under login
MCP server tracker: Gemini CLI takes it from its home only, which is yours under login
skill ring: Gemini CLI takes it from its home only, which is yours under login
context file CONFIG/agents.md: Gemini CLI takes it from its home only, which is yours under login
    "#);
}

#[test]
fn opencode_is_given_settings_whose_secrets_stand_in_files() {
    let given = given("opencode", Permission::Ask);
    let plan = given.plan("opencode", Home::Users);
    insta::assert_snapshot!(given.plain(&plan.env_set["OPENCODE_CONFIG_CONTENT"]), @r#"{"mcp":{"bells":{"type":"local","enabled":true,"command":["sh","PANE/equip/mcp/bells.sh"]},"tracker":{"type":"remote","enabled":true,"url":"https://tracker.example/mcp","headers":{"Authorization":"{file:PANE/equip/mcp/tracker.Authorization}","X-Team":"blue"}}},"skills":{"paths":["PANE/equip/skills"]},"instructions":["PANE/equip/context.md"]}"#);
    insta::assert_snapshot!(plan.env_set["OPENCODE_PERMISSION"], @r#"{"bash":{"git status":"allow","git status *":"allow","rm -rf":"deny","rm -rf *":"deny"},"edit":{"src/**":"allow"},"read":{".env":"deny"},"bells_*":"allow","tracker_erase":"deny"}"#);
    insta::assert_snapshot!(given.file(&plan, "tracker.Authorization"), @r#"Bearer t0ken-x"#);
    insta::assert_snapshot!(plan.unmapped.join("\n"), @r#"allow web docs.example: OpenCode has no rule about single domains"#);
    let plan = given.plan("opencode", OVERLAY);
    insta::assert_snapshot!(plan.env_set["OPENCODE_PERMISSION"], @r#"{"*":"ask","read":{"*":"allow",".env":"deny"},"list":"allow","glob":"allow","grep":"allow","lsp":"allow","todowrite":"allow","todoread":"allow","question":"allow","skill":"allow","task":"allow","bash":{"git status":"allow","git status *":"allow","rm -rf":"deny","rm -rf *":"deny"},"edit":{"src/**":"allow"},"bells_*":"allow","tracker_erase":"deny"}"#);
}

#[test]
fn grok_is_given_config_and_flags() {
    let given = given("grok", Permission::Ask);
    let plan = given.plan("grok", Home::Empty);
    let config: toml::Table = given.file(&plan, "grok/config.toml").parse().unwrap();
    insta::assert_snapshot!(toml::to_string(&config["mcp_servers"]).unwrap(), @r#"
[bells]
command = "node"
args = ["bells.js", "it's"]

[bells.env]
BELL_KEY = "s3cret-bell-key"

[tracker]
url = "https://tracker.example/mcp"

[tracker.headers]
Authorization = "Bearer t0ken-x"
X-Team = "blue"
    "#);
    insta::assert_snapshot!(toml::to_string(&config["skills"]).unwrap(), @r#"paths = ["PANE/equip/skills"]"#);
    insta::assert_snapshot!(given.argv(&plan), @r#"
/bin/cli --allow=Bash(git status *) --allow=Edit(src/**) --allow=MCPTool(bells__*) --allow=WebFetch(domain:docs.example) --deny=Bash(rm -rf*) --deny=Read(.env) --deny=MCPTool(tracker__erase) --rules=# CONFIG/agents.md

Bells hang high.
 --permission-mode=default --model=wire-model --session-id=00000000-0000-0000-0000-000000000000
    "#);
    let plan = given.plan("grok", Home::Users);
    insta::assert_snapshot!(plan.unmapped.join("\n"), @r#"
MCP server bells: Grok Build takes it from its home only, which is yours under login
MCP server tracker: Grok Build takes it from its home only, which is yours under login
skill ring: Grok Build takes it from its home only, which is yours under login
    "#);
}

#[test]
fn what_allows_rests_where_nothing_may_be_changed() {
    for permission in [Permission::Plan, Permission::Readonly] {
        let given = given("codex", permission);
        assert!(given.furnished.equipment.rules.iter().all(|rule| !rule.allow));
        assert!(given.furnished.equipment.notes[0].contains("rest"), "{:?}", given.furnished.equipment.notes);
    }
}

#[test]
fn what_is_missing_is_said_and_left_out() {
    let text = "[mcp.bells]\ncommand = [\"x\"]\nenv = { BELL_KEY = \"env:BELL_KEY\" }\n[context]\nfiles = [\"none.md\"]\n\
                [mcp.shut]\ncommand = [\"x\"]\n[permissions]\ndeny = [\"mcp shut\"]\n[skills]\nbuiltin = false\ndirs = [\"none\"]\n\
                [skills.sources.far]\ngit = \"https://git.example/far\"\ncommit = \"0123456789012345678901234567890123456789\"\n";
    let place = |_| Place { file: "/c/config.toml".into(), line: 1, column: 1 };
    let (equipment, _) = equipment::read(DeTable::parse(text).unwrap().get_ref(), &place, false);
    let resolve = |_: &str| Err("BELL_KEY is not set".to_owned());
    let look = Look { home: None, data: Path::new("/none"), builtin: true, resolve: &resolve };
    let equipped = Equipped::prepare(&equipment, &ExecutorId::CLAUDE, Permission::Ask, &look);
    assert!(equipped.servers.is_empty() && equipped.skills.is_empty() && equipped.context.is_empty());
    insta::assert_snapshot!(equipped.notes.join("\n"), @r#"
MCP server bells is left out: BELL_KEY is not set
MCP server shut: your permissions deny it
skills of far: not fetched yet: inspan skills fetch far
skills in /c/none cannot be read: No such file or directory (os error 2)
context file left out: /c/none.md cannot be read as text
    "#);
    assert!(by_id(&ExecutorId::CLAUDE).is_ok());
}
