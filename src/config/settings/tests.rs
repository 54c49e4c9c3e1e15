use super::*;
use crate::config::lenient::MAX_BROKEN_LINES;
use crate::router::Policy;
use crate::state::Permission;

fn read(text: &str) -> (Settings, Vec<Problem>) {
    Settings::parse(&[("config.toml", text)])
}

fn clean(text: &str) -> Settings {
    let (settings, problems) = read(text);
    assert_eq!(problems, [], "{text}");
    settings
}

#[test]
fn the_example_is_the_defaults() {
    let defaults: Settings = toml::from_str(EXAMPLE).unwrap();
    assert_eq!(clean(""), defaults);
    let mut again = clean(EXAMPLE);
    assert!(again.origins.contains_key("keys.%"));
    again.origins.clear();
    assert_eq!(again, defaults);
    assert_eq!(defaults, Settings::default());
    assert_eq!(defaults.prefixes().collect::<Vec<_>>(), ["C-Space"]);
    assert_eq!((defaults.history, defaults.theme.as_str()), (10_000, "terminal"));
    assert_eq!(defaults.default_executor, ExecutorId::CLAUDE);
    assert_eq!(defaults.escape_time(), Duration::from_millis(10));
}

#[test]
fn the_usual_keys_are_bound() {
    let keys = Settings::default().keys;
    for (key, command) in [
        ("%", "split-window -h"),
        ("\"", "split-window -v"),
        ("z", "resize-pane -Z"),
        ("r", "router-panel"),
        ("e", "switch-dialog"),
        ("a", "next-attention"),
        (":", "command-prompt"),
        ("?", "list-keys --overlay"),
        ("d", "detach-client"),
        ("M-5", "select-layout tiled"),
        ("[", "copy-mode"),
        ("PageUp", "copy-mode -u"),
        ("]", "paste-buffer"),
    ] {
        assert_eq!(keys.get(key).map(String::as_str), Some(command), "{key}");
    }
    assert!(!keys.contains_key("Q"));
}

/// One good value for every key that exists, so that schema and struct cannot drift apart.
#[test]
fn every_key_can_be_set() {
    let text = "
prefix = \"C-b\"
prefix2 = \"C-a\"
escape-time = 0
mouse = false
mode-keys = \"emacs\"
history = 100_000
theme = \"mine\"
status = false
pane_notifications = \"never\"
terminal_progress = \"never\"
clipboard_read = true
clock = \"\"
default_executor = \"openai-agents\"
inherit_user = false
harness_authority = true
writer_lease = true
bell = false
notify = false
message_seconds = 9
window-size = \"smallest\"
repeat-time = 0
credits_per_usd = 1
update_environment = [\"A\"]
[[hooks]]
event = \"pane-done\"
run = \"display-message done\"
[root_keys]
\"M-Left\" = \"select-pane -L\"
[keys]
\"C-Left\" = \"select-pane -L\"
\"%\" = \"\"
[byok]
claude = \"env:MINE\"
openai-agents = \"env:TEAM_1\"
[credits]
openrouter = \"env:OR\"
xai = \"none\"
[budgets]
session = 2
day = 2_0.50
[providers.openai]
base_url = \"http://127.0.0.1:4000/v1/\"
headers = { x-team = \"a\" }
deny_fields = [\"store\"]
deny_betas = [\"context-*\"]
[gateways.office]
preset = \"kong\"
base_url = \"https://kong.example\"
dialects = [\"chat\"]
credential = \"file:~/.kong\"
auth = \"apikey\"
headers = { x-team = \"a\" }
deny_fields = [\"store\"]
deny_betas = [\"context-*\"]
models = { \"gpt-5.4\" = \"gpt\" }
vars = { a = \"b\" }
translate = false
[executors.codex]
permission = \"full\"
inject = \"env\"
args = [\"--search\"]
[executors.opencode]
args = []
";
    let settings = clean(text);
    let line = |key: &str| text.lines().position(|line| line.starts_with(key)).unwrap() + 1;
    let default = Settings::default();
    let before = toml::Table::try_from(&default).unwrap();
    let after = toml::Table::try_from(&settings).unwrap();
    for (key, value) in &after {
        assert_ne!(before.get(key), Some(value), "{key} was set");
    }
    let budgets: Vec<_> = settings.budgets().iter().map(|b| format!("{b} {} {}", b.usd, b.origin)).collect();
    assert_eq!(
        budgets,
        [
            format!("the session budget 2 config.toml line {}", line("session =")),
            format!("the day budget 20.5 config.toml line {}", line("day ="))
        ]
    );
    assert_eq!(settings.prefixes().collect::<Vec<_>>(), ["C-b", "C-a"]);
    assert_eq!(settings.escape_time(), Duration::ZERO);
    assert_eq!(settings.keys.get("%"), None, "unbound");
    assert_eq!(settings.keys["C-Left"], "select-pane -L");
    assert_eq!(settings.keys["c"], "new-window", "the rest of the table stays");
    assert_eq!(settings.executor(&ExecutorId::CODEX).permission, Permission::Full);
    assert_eq!(settings.executor(&ExecutorId::OPENCODE).permission, Permission::Ask);
    assert_eq!(settings.base_urls()[&Provider::OpenAi], "http://127.0.0.1:4000/v1");
    assert_eq!(settings.origins["byok.claude"].line, line("claude = \"env:MINE"));
}

#[test]
fn a_broken_key_names_its_place_and_keeps_its_default_and_the_rest_holds() {
    for (line, column, key, words, near) in [
        ("histroy = 5", 1, "histroy", "unknown key", Some("history")),
        ("history = \"many\"", 11, "history", "wants a whole number from 0 to 100000", None),
        ("history = -1", 11, "history", "wants a whole number", None),
        ("history = 99999999999999999999", 11, "history", "wants a whole number", None),
        ("history = 2.5", 11, "history", "wants a whole number", None),
        ("prefix = 7", 10, "prefix", "wants a key", None),
        ("prefix = \"C- Space\"", 10, "prefix", "wants a key", None),
        ("clock = \"%!\"", 9, "clock", "is no clock format", None),
        (
            "default_executor = \"cluade\"",
            20,
            "default_executor",
            "wants the name of an executor",
            Some("claude"),
        ),
        ("update_environment = [\"A\", 3]", 22, "update_environment", "wants a list of texts", None),
        ("theme = [\"dark\"]", 9, "theme", "wants text", None),
        ("byok = \"env:X\"", 8, "byok", "wants a table", None),
        ("byok = { opencode = \"env:X\" }", 21, "byok.opencode", "wants a table", None),
        (
            "byok = { opencode = { opena = \"env:X\" } }",
            23,
            "byok.opencode.opena",
            "unknown name",
            Some("openai"),
        ),
        ("byok = { cladue = \"env:X\" }", 10, "byok.cladue", "unknown name", Some("claude")),
        ("credits = { openia = \"env:X\" }", 13, "credits.openia", "unknown name", Some("openai")),
        (
            "providers = { openai = { baseurl = \"x\" } }",
            26,
            "providers.openai.baseurl",
            "unknown key",
            Some("base_url"),
        ),
        (
            "providers.openai.base_url = \"ftp://x\"",
            29,
            "providers.openai.base_url",
            "wants an address",
            None,
        ),
        (
            "executors.claude.permission = \"aks\"",
            31,
            "executors.claude.permission",
            "wants one of ask",
            Some("ask"),
        ),
    ] {
        let (mut settings, problems) = read(&format!("mouse = false\n{line}\nstatus = false\n"));
        assert_eq!(problems.len(), 1, "{line}: {problems:?}");
        let problem = &problems[0];
        assert_eq!(
            (problem.file.as_str(), problem.line, problem.column),
            ("config.toml", 2, column),
            "{line}"
        );
        assert_eq!(problem.key, key, "{line}");
        assert!(problem.message.contains(words), "{problem}");
        assert_eq!(problem.nearest.as_deref(), near, "{problem}");
        assert!(!settings.mouse && !settings.status, "{line}: the rest holds");
        settings.origins.clear();
        assert_eq!(settings, Settings { mouse: false, status: false, ..Settings::default() }, "{line}");
    }
}

#[test]
fn lines_that_are_no_toml_are_left_out_and_the_rest_holds() {
    for (text, line) in [
        ("mouse = false\nhistory = lots\n[keys]\nx = \"y\"\n", 2),
        ("mouse = false\nhistory 5\n[keys]\nx = \"y\"\n", 2),
        ("mouse = false\nmouse = true\n[keys]\nx = \"y\"\n", 2),
        ("mouse = false\n[byok\nclaude = \"env:X\"\n\n[keys]\nx = \"y\"\n", 2),
        ("mouse = false\n[byok]\n[byok]\nclaude = \"env:X\"\n[keys]\nx = \"y\"\n", 3),
    ] {
        let (settings, problems) = read(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert_eq!(problems[0].line, line, "{text}");
        assert!(!settings.mouse, "{text}");
        assert_eq!(settings.keys["x"], "y", "{text}");
        assert!(settings.byok.is_empty(), "{text}");
    }
    let (settings, problems) = read(&"= = =\n".repeat(1000));
    assert_eq!(settings, Settings::default());
    assert!(problems.len() <= MAX_BROKEN_LINES + 1, "{}", problems.len());
}

#[test]
fn a_key_pasted_instead_of_a_reference_is_refused_and_not_repeated() {
    for text in ["[byok]\nclaude = \"sk-ant-canary\"\n", "[credits]\nopenai = \"env:sk-canary\"\n"] {
        let (settings, problems) = read(text);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("never the key itself"), "{}", problems[0]);
        assert!(!format!("{problems:?}{settings:?}").contains("canary"));
    }
}

#[test]
fn credits_take_the_usual_variables_only_where_they_are_set() {
    let set = |name: &str| ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "XAI_API_KEY"].contains(&name);
    let keys = Settings::default().provider_keys(set);
    assert_eq!(keys.len(), 3);
    assert_eq!(keys[&Provider::Anthropic], "env:ANTHROPIC_API_KEY");
    let keys = clean("[credits]\nanthropic = \"env:TEAM\"\nopenai = \"none\"\n").provider_keys(set);
    assert_eq!(keys[&Provider::Anthropic], "env:TEAM");
    assert!(!keys.contains_key(&Provider::OpenAi));
    assert!(Settings::default().provider_keys(|_| false).is_empty());
}

#[test]
fn bindings_that_nobody_understands_are_reported_with_their_place() {
    let mut settings =
        clean("prefix = \"C-Spaec\"\n[keys]\n\"%\" = \"splti-window\"\n\"Hyper-x\" = \"new-window\"\n");
    let key = |key: &str| match key {
        "C-Spaec" | "Hyper-x" => Err((format!("there is no key {key:?}"), None)),
        _ => Ok(()),
    };
    let command = |line: &str| match line {
        "splti-window" => Err(("unknown command".to_owned(), Some("split-window".to_owned()))),
        _ => Ok(()),
    };
    let problems = settings.check_bindings(key, command, |_| Ok(()));
    let told: Vec<(&str, usize)> = problems.iter().map(|p| (p.key.as_str(), p.line)).collect();
    assert_eq!(told, [("prefix", 1), ("keys.%", 3), ("keys.Hyper-x", 4)]);
    assert_eq!(problems[1].nearest.as_deref(), Some("split-window"));
    settings.origins.clear();
    assert_eq!(settings, Settings::default());
}

#[test]
fn facts_take_what_is_set() {
    let settings = clean("[byok]\nclaude = \"env:MINE\"\n[providers.xai]\nbase_url = \"http://x\"\n");
    let facts = settings.facts(Policy::default(), |name| name == "XAI_API_KEY");
    assert_eq!(facts.byok[&ExecutorId::CLAUDE], "env:MINE");
    assert_eq!(facts.provider_keys, [(Provider::Xai, "env:XAI_API_KEY".to_owned())].into());
    assert_eq!(facts.base_urls[&Provider::Xai], "http://x");
    assert!(facts.logins.is_empty());
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_is_read_without_a_crash(text in "[\\[\\]a-z.=\"'#{},0-9 é\r\n_-]{0,120}") {
        read(&text);
    }
}

#[test]
fn gateways_are_declared_and_what_is_wrong_with_them_has_a_place() {
    let settings = clean(
        "[gateways.office]\npreset = \"litellm\"\nbase-url = \"http://127.0.0.1:4000\"\ncredential = \"env:LL\"\n\
         [gateways.office.models]\n\"claude-opus-4.6\" = \"big\"\n[credits]\nanthropic = \"gateway:office\"\n",
    );
    let facts = settings.facts(Policy::default(), |_| false);
    assert_eq!(facts.via, [(Provider::Anthropic, "office".to_owned())].into());
    assert_eq!(facts.gateways["office"].credential.as_deref(), Some("env:LL"));
    assert_eq!(settings.references(), ["env:LL"]);
    assert!(!facts.provider_keys.contains_key(&Provider::Anthropic));

    for (text, key, line, words) in [
        ("[gateways.a]\npreset = \"litelm\"\n", "gateways.a.preset", 2, "no preset"),
        ("[gateways.a]\npreset = \"litellm\"\n", "gateways.a.base_url", 2, "is missing"),
        ("[gateways.a]\nbase_url = \"https://x.example\"\n", "gateways.a.dialects", 2, "is missing"),
        ("[gateways.a]\ndialects = [\"smoke\"]\n", "gateways.a.dialects", 2, "wants a list of"),
        ("[credits]\nopenai = \"gateway:nobody\"\n", "credits.openai", 2, "no gateway"),
        (
            "[providers.openai.headers]\nx-api-key = \"sk-canary\"\n",
            "providers.openai.headers.x-api-key",
            2,
            "must end in a reference",
        ),
    ] {
        let (settings, problems) = read(text);
        let problem =
            problems.iter().find(|p| p.key == key).unwrap_or_else(|| panic!("{text}: {problems:?}"));
        assert_eq!(problem.line, line, "{problem}");
        assert!(problem.message.contains(words), "{problem}");
        assert!(!format!("{problems:?}").contains("canary"));
        assert!(settings.gateways().0.is_empty());
    }
    clean("[providers.openai.headers]\nhelicone-auth = \"Bearer env:HELICONE\"\nx-team = \"a b\"\n");
}

#[test]
fn groks_key_is_looked_for_in_its_own_order() {
    let key = |text: &str, set: &'static [&'static str]| {
        clean(text).byok_keys(|name| set.contains(&name)).get(&ExecutorId::GROK).cloned()
    };
    let both: &[&str] = &["XAI_API_KEY", "GROK_CODE_XAI_API_KEY"];
    let entry = "[credits]\nxai = \"env:TEAM_XAI\"\n";
    assert_eq!(key("[byok]\ngrok = \"env:MINE\"\n", both).as_deref(), Some("env:MINE"));
    assert_eq!(key(entry, both).as_deref(), Some("env:GROK_CODE_XAI_API_KEY"));
    assert_eq!(key(entry, &["XAI_API_KEY"]).as_deref(), Some("env:XAI_API_KEY"));
    assert_eq!(key(entry, &[]).as_deref(), Some("env:TEAM_XAI"));
    assert_eq!(key("", &[]), None);
    assert_eq!(key("[credits]\nxai = \"none\"\n", &[]), None);
    // Nobody else's key is taken because it happens to be set.
    assert_eq!(clean("").byok_keys(|_| true).len(), 1);
}

#[test]
fn who_holds_a_key_is_set_for_each_executor() {
    let settings = clean("[executors.claude]\ninject = \"env\"\n[executors.codex]\ninject = \"gateway\"\n");
    assert_eq!(settings.facts(Policy::default(), |_| false).inject, [ExecutorId::CLAUDE].into());
}

#[test]
fn an_executor_may_be_declared_and_a_stray_name_is_told_from_one() {
    let text = "[executors.parrot]\ncommand = [\"parrot\"]\ndialect = \"chat\"\ntypo = 1\n\
                [executors.parrot.status]\nidle = [\">\"]\nidel = [\">\"]\n\
                [executors.cladue]\npermission = \"full\"\n[executors.claude]\ncommand = [\"x\"]\n\
                [executors.\"../up\"]\ncommand = [\"x\"]\n";
    let (settings, problems) = Settings::parse(&[("config.toml", text)]);
    let told: Vec<_> = problems.iter().map(|p| (p.key.as_str(), p.nearest.as_deref())).collect();
    let mut wanted = vec![
        ("executors.parrot.typo", None),
        ("executors.parrot.status.idel", Some("idle")),
        ("executors.cladue", Some("claude")),
        ("executors.claude.command", None),
        ("executors.../up", None),
    ];
    wanted.sort_unstable();
    let mut told = told;
    told.sort_unstable();
    assert_eq!(told, wanted);
    let names: Vec<_> = settings.declared().map(|(id, _)| id.as_str()).collect();
    assert_eq!(names, ["parrot"]);
    let facts = settings.facts(Policy::default(), |_| false);
    let entry = facts.executor(&"parrot".into()).unwrap();
    assert_eq!(entry.dialect(Provider::OpenAi), Some(crate::router::Dialect::Chat));
    assert!(!entry.default_model.is_empty());
    let unknown = facts.executor(&"parot".into()).unwrap_err();
    assert_eq!(unknown.nearest.as_deref(), Some("parrot"));
}
