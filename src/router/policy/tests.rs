use super::*;
use crate::router::Problem;

fn read(text: &str) -> (Policy, Vec<Problem>) {
    Policy::parse(text, "policy.toml", Layer::User)
}

fn clean(text: &str) -> Policy {
    let (policy, problems) = read(text);
    assert_eq!(problems, [], "{text}");
    policy
}

/// The executors that stay off because a line could not be understood.
fn shut(policy: &Policy) -> Vec<&'static str> {
    ["claude", "codex", "gemini", "opencode", "grok", "openai-agents"]
        .into_iter()
        .filter(|id| policy.broken(&ExecutorId::from(*id)).is_some())
        .collect()
}

#[test]
fn every_rule_is_read_with_its_line() {
    let policy = clean(
        "preset = \"open\"\ndisabled_models = [\"*codex*\"]\n\n[executors.claude]\nenabled = false\n\
         [executors.codex]\nauth_method = \"credits\"\ndisabled_models = [\"gpt-5.4\"]\n",
    );
    assert_eq!(policy.preset(), Preset::Open);
    assert_eq!(policy.disabled(&ExecutorId::CLAUDE).unwrap().to_string(), "policy.toml line 5");
    assert_eq!(policy.disabled(&ExecutorId::CODEX), None);
    let forced = policy.auth_method(&ExecutorId::CODEX).unwrap();
    assert_eq!((forced.value, forced.origin.line), (AuthMode::Credits, 7));
    assert!(policy.model_disabled(&ExecutorId::CODEX, &["gpt-5.4"]).is_some());
    assert!(policy.model_disabled(&ExecutorId::CLAUDE, &["gpt-5.4"]).is_none());
    assert!(policy.model_disabled(&ExecutorId::GROK, &["gpt-5.3-codex"]).is_some(), "for everyone");
}

#[test]
fn the_reference_spellings_are_aliases() {
    let policy = clean("[claude]\nauthMethod = \"api_key\"\ndisabledModels = [\"opus-4.6\"]\n");
    assert_eq!(policy.auth_method(&ExecutorId::CLAUDE).unwrap().value, AuthMode::Byok);
    assert!(policy.model_disabled(&ExecutorId::CLAUDE, &["claude-opus-4.6"]).is_some());
}

#[test]
fn a_blocked_model_is_blocked_in_every_spelling() {
    let policy = clean("[executors.claude]\ndisabled_models = [\"claude-opus-*\"]\n");
    for name in ["claude-opus-4.6", "claude-opus-4-6", "Claude-Opus-4-6[1m]", "anthropic/claude-opus-4-6"] {
        assert!(policy.model_disabled(&ExecutorId::CLAUDE, &[name]).is_some(), "{name}");
    }
    assert!(policy.model_disabled(&ExecutorId::CLAUDE, &["claude-sonnet-4.6"]).is_none());
}

#[test]
fn empty_text_is_the_reference_preset_and_nothing_else() {
    let policy = clean("");
    assert_eq!(policy, Policy::default());
    assert_eq!(policy.preset(), Preset::AgentComputer);
}

#[test]
fn a_broken_line_closes_the_executor_that_it_names_and_the_rest_holds() {
    for (line, words, near) in [
        ("enbled = false", "unknown key", Some("enabled")),
        ("enabled = \"no\"", "wants true or false, not \"no\"", None),
        ("auth_method = \"credit\"", "not \"credit\"", Some("credits")),
        ("auth_method = 7", "not 7", None),
        ("disabled_models = \"gpt-5.4\"", "wants a list of model names", None),
        ("disabled_models = [4]", "wants model names, not 4", None),
        ("enabled = fals", "not TOML", None),
        ("enabled false", "not TOML", None),
        ("enabled = true\nenabled = false", "not TOML", None),
    ] {
        let text = format!("[executors.claude]\n{line}\n\n[executors.codex]\nenabled = false\n");
        let (policy, problems) = read(&text);
        assert_eq!(shut(&policy), ["claude"], "{line}");
        assert!(policy.disabled(&ExecutorId::CODEX).is_some(), "{line}: the rest holds");
        assert_eq!(problems.len(), 1, "{line}: {problems:?}");
        let problem = &problems[0];
        assert!((2..=3).contains(&problem.line), "{problem}");
        assert!(problem.message.contains(words), "{problem}");
        assert!(problem.message.contains("claude stays off"), "{problem}");
        assert_eq!(problem.nearest.as_deref(), near, "{problem}");
    }
}

#[test]
fn what_names_nobody_for_sure_closes_everybody() {
    for text in [
        "[executors.claude\nenabled = false\n",
        "disabled_models = [\"a\"\n[executors.claude]\nenabled = false\n",
        "disabled_modles = [\"a\"]\n",
        "enabled = false\n",
        "executors = 3\n",
        "[executors.claude]\nenabled = true\n[executors.claude]\nenabled = false\n",
        &"[executors.claude]\n= =\n".replace("= =\n", &"= =\n".repeat(100)),
    ] {
        let (policy, problems) = read(text);
        assert_eq!(shut(&policy).len(), 6, "{text:?}: {policy:?}");
        assert!(!problems.is_empty(), "{text:?}");
    }
}

#[test]
fn an_open_string_hides_no_rule_below_it() {
    let (policy, _) =
        read("[executors.claude]\ndisabled_models = \"\"\"\n[executors.codex]\nenabled = false\n");
    for executor in [ExecutorId::CLAUDE, ExecutorId::CODEX] {
        assert!(
            policy.broken(&executor).is_some() || policy.disabled(&executor).is_some(),
            "{executor}: {policy:?}"
        );
    }
}

#[test]
fn two_answers_to_one_question_close() {
    let (policy, problems) =
        read("[claude]\nauth_method = \"byok\"\n[executors.claude]\nauth_method = \"login\"\n");
    assert_eq!(shut(&policy), ["claude"]);
    assert!(problems[0].message.contains("says login where policy.toml line 2 says byok"), "{}", problems[0]);
}

/// Takes away each character, and swaps each two neighbours: whatever the slip, nothing that was closed is open.
#[test]
fn no_slip_of_the_pen_opens_a_door() {
    let text = "[executors.claude]\nenabled = false\n\n[executors.codex]\nauth_method = \"credits\"\n";
    let chars: Vec<char> = text.chars().collect();
    let mut slips = Vec::new();
    for at in 0..chars.len() {
        let mut without = chars.clone();
        without.remove(at);
        slips.push(without);
        if at + 1 < chars.len() {
            let mut swapped = chars.clone();
            swapped.swap(at, at + 1);
            slips.push(swapped);
        }
    }
    for slip in slips {
        let slip: String = slip.into_iter().collect();
        let (policy, problems) = read(&slip);
        let off = |id: &ExecutorId| policy.broken(id).is_some() || policy.disabled(id).is_some();
        assert!(off(&ExecutorId::CLAUDE), "{slip}\n{problems:#?}");
        let forced =
            policy.auth_method(&ExecutorId::CODEX).is_some_and(|rule| rule.value == AuthMode::Credits);
        assert!(forced || off(&ExecutorId::CODEX), "{slip}\n{problems:#?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_is_read_without_a_crash(text in "[\\[\\]a-z.=\"'#{},0-9 é\r\n_-]{0,120}") {
        let (_, problems) = read(&text);
        for problem in problems {
            proptest::prop_assert!(problem.line <= text.lines().count() + 1);
        }
    }
}

#[test]
fn a_misspelled_executor_or_table_closes_the_one_that_was_meant() {
    let (policy, problems) = read("[executors.cluade]\nenabled = false\n");
    assert_eq!(shut(&policy), ["claude"]);
    assert_eq!(problems[0].nearest.as_deref(), Some("claude"));

    let (policy, problems) = read("[executor.codex]\nauth_method = \"credits\"\n");
    assert_eq!(shut(&policy), ["codex"]);
    assert_eq!(problems[0].nearest.as_deref(), Some("executors"));

    let (policy, problems) = read("[executors.somebody-elses]\nenabled = false\n");
    assert_eq!(shut(&policy), [""; 0]);
    assert!(problems[0].message.contains("settings declare"), "{problems:?}");
    assert!(policy.disabled(&"somebody-elses".into()).is_some(), "the settings may declare it");
}

#[test]
fn a_broken_preset_is_the_strict_one_and_cannot_be_loosened_below() {
    for text in ["preset = \"opne\"\n", "preset = 3\n", "pretset = \"open\"\n"] {
        let (mut policy, problems) = read(text);
        assert_eq!(problems.len(), 1, "{text}");
        assert_eq!(policy.preset(), Preset::AgentComputer, "{text}");
        assert_eq!(policy.tighten(clean("preset = \"open\"")).len(), 1, "{text}");
        assert_eq!(policy.preset(), Preset::AgentComputer, "{text}");
    }
}

#[test]
fn an_unknown_model_name_is_reported_and_still_blocks() {
    let (policy, problems) = read("[executors.claude]\ndisabled_models = [\"claude-opus-4.7\", \"old-*\"]\n");
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].nearest.as_deref(), Some("claude-opus-4.6"));
    assert!(policy.model_disabled(&ExecutorId::CLAUDE, &["claude-opus-4-7"]).is_some());
    assert_eq!(shut(&policy), [""; 0]);
}

#[test]
fn lower_layers_only_tighten() {
    let mut policy = clean(
        "preset = \"agent-computer\"\n[executors.claude]\nenabled = false\nauth_method = \"credits\"\n\
         disabled_models = [\"gpt-*\"]\n",
    );
    let lower = clean(
        "preset = \"open\"\n[executors.claude]\nenabled = true\nauth_method = \"login\"\n\
         disabled_models = [\"glm-5\"]\n[executors.codex]\nenabled = false\nauth_method = \"byok\"\n",
    );
    let problems = policy.tighten(lower);
    let keys: Vec<&str> = problems.iter().map(|p| p.key.as_str()).collect();
    assert_eq!(keys, ["preset", "executors.claude.enabled", "executors.claude.auth_method"]);
    assert_eq!(policy.preset(), Preset::AgentComputer);
    assert!(policy.disabled(&ExecutorId::CLAUDE).is_some());
    assert_eq!(policy.auth_method(&ExecutorId::CLAUDE).unwrap().value, AuthMode::Credits);
    for model in ["gpt-5.4", "glm-5"] {
        assert!(policy.model_disabled(&ExecutorId::CLAUDE, &[model]).is_some(), "{model}");
    }
    assert!(policy.disabled(&ExecutorId::CODEX).is_some());
    assert_eq!(policy.auth_method(&ExecutorId::CODEX).unwrap().value, AuthMode::Byok);
}

#[test]
fn a_silent_upper_layer_leaves_the_choice_to_the_lower() {
    let mut policy = clean("");
    assert_eq!(policy.tighten(clean("preset = \"open\"")), []);
    assert_eq!(policy.preset(), Preset::Open);
}

#[test]
fn budgets_are_read_and_a_lower_layer_may_only_lower_them() {
    let text = "[budgets]\nday = 20\nsession = 5.5\n[executors.claude.budgets]\npane = 1.0\n";
    let (mut policy, problems) = Policy::parse(text, "/etc", Layer::Administrator);
    assert_eq!(problems, []);
    let said = |policy: &Policy, id: &ExecutorId| {
        policy.budgets(id).iter().map(|b| format!("{b} {} ({})", b.usd, b.origin)).collect::<Vec<_>>()
    };
    assert_eq!(
        said(&policy, &ExecutorId::CODEX),
        ["the session budget 5.5 (/etc line 3)", "the day budget 20 (/etc line 2)"]
    );
    assert_eq!(said(&policy, &ExecutorId::CLAUDE)[2], "the pane budget for claude 1 (/etc line 5)");
    let (lower, _) = Policy::parse("[budgets]\nday = 30\nsession = 2\npane = 9\n", "user", Layer::User);
    let refused = policy.tighten(lower);
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].to_string().starts_with("user:2:1: budgets.day: /etc line 2 decides this"),
        "{}",
        refused[0]
    );
    assert_eq!(
        said(&policy, &ExecutorId::CODEX),
        [
            "the pane budget 9 (user line 4)",
            "the session budget 2 (user line 3)",
            "the day budget 20 (/etc line 2)"
        ]
    );
}

#[test]
fn a_budget_that_cannot_be_read_closes_what_it_is_for() {
    for (text, all) in [
        ("[budgets]\nday = \"5\"\n", true),
        ("[budgets]\ndya = 5\n", true),
        ("budgets = 5\n", true),
        ("[executors.claude.budgets]\nday = -1\n", false),
        ("[executors.claude.budgets]\nday = nan\n", false),
    ] {
        let (policy, problems) = Policy::parse(text, "p", Layer::User);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(policy.broken(&ExecutorId::CLAUDE).is_some(), "{text}");
        assert_eq!(policy.broken(&ExecutorId::CODEX).is_some(), all, "{text}");
    }
}
