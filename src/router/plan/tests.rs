use super::{
    ways::{MAX_ALTERNATIVES, remedy},
    *,
};
use crate::router::{ExecutorId, Policy, policy::Layer, route_lines};
use std::{collections::BTreeSet, fmt::Write as _};

pub(super) fn policy(text: &str) -> Policy {
    let (policy, problems) = Policy::parse(text, "policy.toml", Layer::User);
    assert_eq!(problems, [], "{text}");
    policy
}

pub(super) fn everything(text: &str) -> Facts {
    Facts { policy: policy(text), ..Facts::default() }.assume_all()
}

pub(super) fn request(executor: &str, model: Option<&str>, auth: Option<AuthMode>) -> PlanRequest {
    PlanRequest { executor: executor.into(), model: model.map(str::to_owned), auth, rehearse: false }
}

pub(super) fn refused(request: &PlanRequest, facts: &Facts) -> Refusal {
    plan(request, facts).unwrap_err()
}

/// A route or a refusal in one word for each thing that may change.
fn cell(answer: &Result<Route, Refusal>) -> String {
    match answer {
        Err(refusal) => refusal.rule.to_string(),
        Ok(route) => {
            let mut text = format!("{}:{}", route.auth, route.provider);
            if route.harness_dialect != route.upstream_dialect {
                write!(text, " {}>{}", route.harness_dialect, route.upstream_dialect).unwrap();
            }
            for (mark, set) in [("+", route.outside_reference), ("?", !route.verified)] {
                text.push_str(if set { mark } else { "" });
            }
            text
        }
    }
}

/// Every executor × model × auth mode under one set of facts.
fn walk(name: &str, facts: &Facts) -> String {
    let catalogue = Catalogue::builtin();
    let mut text = format!("== {name}\n");
    for executor in &catalogue.executors {
        let models = catalogue.models.iter().map(|m| Some(m.id.as_str()));
        for model in [None].into_iter().chain(models).chain([Some("somebody/new-model")]) {
            let row = [Some(AuthMode::Login), Some(AuthMode::Byok), Some(AuthMode::Credits), None]
                .map(|auth| cell(&plan(&request(executor.id.as_str(), model, auth), facts)));
            let rehearsed = PlanRequest { rehearse: true, ..request(executor.id.as_str(), model, None) };
            let [login, byok, credits, chosen] = row;
            let rehearsed = match plan(&rehearsed, facts) {
                Ok(_) => "ok".to_owned(),
                Err(refusal) => refusal.rule.to_string(),
            };
            let line = format!(
                "{:<13} {:<18} {login:<18} {byok:<24} {credits:<38} {chosen:<38} {rehearsed}",
                executor.id,
                model.unwrap_or("-")
            );
            writeln!(text, "{}", line.trim_end()).unwrap();
        }
    }
    text
}

#[test]
fn every_pair_under_every_policy_is_as_reviewed() {
    let text = [
        walk("agent-computer, everything present", &everything("")),
        walk("open, everything present", &everything("preset = \"open\"")),
        walk("agent-computer, nothing present", &Facts::default()),
        walk(
            "rules: claude off, codex by key, opencode by credits, no gpt-*",
            &everything(
                "disabled_models = [\"gpt-5.3*\"]\n[executors.claude]\nenabled = false\n[executors.codex]\n\
                 auth_method = \"api_key\"\n[executors.opencode]\nauth_method = \"credits\"\n\
                 disabled_models = [\"gemini-3.1-pro\", \"*opus*\"]\n",
            ),
        ),
    ]
    .join("\n");
    let head = "executor      model              login              byok                     \
                credits                                chosen                                 rehearsal\n";
    insta::assert_snapshot!("matrix", format!("{head}{text}"));
}

/// The reference's table once more, apart from catalogue and golden file: by credits exactly these pairs run.
#[test]
fn credits_run_exactly_the_reference_pairs() {
    let both = ["claude", "opencode"];
    let three = ["claude", "codex", "opencode"];
    let table: [(&str, &[&str]); 10] = [
        ("claude-opus-4.6", &both),
        ("claude-sonnet-4.6", &both),
        ("gpt-5.4", &three),
        ("gpt-5.3-codex", &three),
        ("gemini-3.1-pro", &both),
        ("gemini-3-flash", &both),
        ("auto-gemini-3", &["gemini"]),
        ("minimax-m2.7", &both),
        ("kimi-k2.5", &both),
        ("glm-5", &both),
    ];
    let facts = everything("");
    for (model, takers) in table {
        for executor in ["claude", "codex", "gemini", "opencode"] {
            let answer = plan(&request(executor, Some(model), Some(AuthMode::Credits)), &facts);
            match takers.contains(&executor) {
                true => assert!(!answer.unwrap().outside_reference, "{executor} {model}"),
                false => assert_eq!(answer.unwrap_err().rule, "model.not-for-executor", "{executor} {model}"),
            }
        }
    }
}

#[test]
fn byok_runs_exactly_the_reference_table() {
    let table: BTreeSet<(&str, &str)> = [
        ("claude", "claude-sonnet-4.6"),
        ("claude", "claude-opus-4.6"),
        ("codex", "gpt-5.4"),
        ("codex", "gpt-5.3-codex"),
        ("gemini", "auto-gemini-3"),
    ]
    .into();
    let facts = everything("");
    for executor in ["claude", "codex", "gemini", "opencode"] {
        for model in &Catalogue::builtin().models {
            let answer = plan(&request(executor, Some(&model.id), Some(AuthMode::Byok)), &facts);
            assert_eq!(
                answer.is_ok(),
                table.contains(&(executor, model.id.as_str())),
                "{executor} {}",
                model.id
            );
        }
    }
}

#[test]
fn every_refusal_is_a_listed_rule_with_a_sentence() {
    let known: BTreeSet<&str> = RULES.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(known.len(), RULES.len());
    for facts in [everything(""), everything("preset = \"open\""), Facts::default()] {
        for executor in &Catalogue::builtin().executors {
            for model in ["gpt-5.4", "claude-opus-4.6", "auto-gemini-3", "nonsense"] {
                for auth in [None, Some(AuthMode::Login), Some(AuthMode::Byok), Some(AuthMode::Credits)] {
                    if let Err(refusal) = plan(&request(executor.id.as_str(), Some(model), auth), &facts) {
                        assert!(known.contains(&*refusal.rule), "{refusal}");
                        assert!(!refusal.reason.is_empty());
                    }
                }
            }
        }
    }
}

#[test]
fn a_refusal_reads_as_drawn() {
    let facts = everything("");
    let refusal = refused(&request("claude", Some("gpt-5.4"), Some(AuthMode::Byok)), &facts);
    assert_eq!(refusal.rule, "byok.native-only");
    assert_eq!(refusal.reason, "your Anthropic key cannot pay for an OpenAI model");
    assert_eq!(
        refusal.remedies[..2],
        [
            "credits: claude with gpt-5.4 through the gateway (key: assumed:openai)",
            "codex with gpt-5.4 on your OpenAI key",
        ]
    );
}

#[test]
fn remedies_by_number_really_run() {
    let facts = everything("[executors.codex]\nenabled = false\n");
    for (executor, model, auth) in [
        ("claude", Some("gpt-5.4"), Some(AuthMode::Byok)),
        ("codex", None, None),
        ("gemini", Some("kimi-k2.5"), Some(AuthMode::Credits)),
        ("cluade", Some("sonet-4.6"), None),
        ("opencode", None, Some(AuthMode::Byok)),
        ("openai-agents", None, Some(AuthMode::Login)),
    ] {
        let wish = request(executor, model, auth);
        let refusal = refused(&wish, &facts);
        let ways = alternatives(&wish, &facts);
        assert!(ways.len() <= MAX_ALTERNATIVES);
        for (nth, (text, way)) in ways.iter().enumerate() {
            assert_eq!(refusal.remedies[nth], *text);
            let route = plan(way, &facts).unwrap();
            assert_eq!(remedy(&route), *text, "{wish:?}");
            assert_eq!(Some(route.auth), way.auth);
        }
        assert!(!ways.is_empty(), "{wish:?}");
    }
}

#[test]
fn the_order_of_choosing_who_pays() {
    let key = |executor: ExecutorId| [(executor, "env:MINE".to_owned())].into();
    let login = [(ExecutorId::CLAUDE, true)];
    let provider = [(Provider::Anthropic, "env:ANTHROPIC_API_KEY".to_owned())];
    let all = Facts {
        byok: key(ExecutorId::CLAUDE),
        logins: login.into(),
        provider_keys: provider.into(),
        ..Facts::default()
    };
    let step = |auth, facts: &Facts| plan(&request("claude", None, auth), facts).map(|r| (r.auth, r.step));

    assert_eq!(step(Some(AuthMode::Credits), &all), Ok((AuthMode::Credits, AuthStep::Explicit)));
    let forced = Facts { policy: policy("[executors.claude]\nauth_method = \"credits\""), ..all.clone() };
    assert_eq!(step(None, &forced), Ok((AuthMode::Credits, AuthStep::Policy)));
    assert_eq!(step(Some(AuthMode::Byok), &forced).unwrap_err().rule, "auth.forced");
    assert_eq!(step(None, &all), Ok((AuthMode::Byok, AuthStep::ByokKey)));
    let no_key = Facts { byok: Default::default(), ..all.clone() };
    assert_eq!(step(None, &no_key), Ok((AuthMode::Login, AuthStep::CliLogin)));
    let no_login = Facts { logins: Default::default(), ..no_key };
    assert_eq!(step(None, &no_login), Ok((AuthMode::Credits, AuthStep::ProviderKey)));
    assert_eq!(step(None, &Facts::default()).unwrap_err().rule, "auth.none");
}

#[test]
fn a_way_that_fails_is_never_replaced() {
    // The key is configured but cannot pay for this model, although login and credits could.
    let refusal = refused(&request("claude", Some("gpt-5.4"), None), &everything(""));
    assert_eq!(refusal.rule, "byok.native-only");
    // A key of another provider makes credits the way, and credits then say what is missing.
    let facts =
        Facts { provider_keys: [(Provider::OpenAi, "env:OPENAI_API_KEY".into())].into(), ..Facts::default() };
    let refusal = refused(&request("claude", None, None), &facts);
    assert_eq!(refusal.rule, "credits.no-key");
    assert!(refusal.remedies.iter().any(|r| r.contains("ANTHROPIC_API_KEY")), "{refusal:?}");
    // Policy forces a key that is not there.
    let facts = Facts { policy: policy("[claude]\nauthMethod = \"api_key\""), ..facts };
    assert_eq!(refused(&request("claude", None, None), &facts).rule, "byok.no-key");
    // A BYOK key for an executor that takes none is not passed over in silence.
    let mut facts = everything("");
    facts.byok.insert(ExecutorId::OPENCODE, "env:X".into());
    let refusal = refused(&request("opencode", None, None), &facts);
    assert_eq!(refusal.rule, "byok.unsupported");
    assert!(refusal.remedies.iter().any(|r| r.contains("[byok]")));
}

#[test]
fn a_person_without_anything_is_told_every_way_in() {
    let refusal = refused(&request("claude", None, None), &Facts::default());
    assert_eq!(
        refusal.remedies,
        [
            "log in: run `claude` in a shell pane once",
            "your own key: `claude = \"env:ANTHROPIC_API_KEY\"` under [byok] in config.toml",
            "credits: set ANTHROPIC_API_KEY where you attach, or `anthropic = \"env:ANTHROPIC_API_KEY\"` under \
             [credits] in config.toml",
            "rehearse: --rehearse needs no key and no network",
        ]
    );
}

#[test]
fn gateway_routes_carry_wire_id_base_url_and_reference() {
    let mut facts = everything("");
    facts.provider_keys.insert(Provider::OpenRouter, "env:OPENROUTER_API_KEY".into());
    let route = plan(&request("claude", Some("kimi-k2.5"), Some(AuthMode::Credits)), &facts).unwrap();
    assert_eq!(route.wire_model.as_deref(), Some("moonshotai/kimi-k2.5"));
    assert_eq!(route.base_url, "https://openrouter.ai/api/v1");
    assert_eq!(
        (route.credential.as_str(), route.payer.as_str()),
        ("env:OPENROUTER_API_KEY", "env:OPENROUTER_API_KEY")
    );
    assert_eq!((route.harness_dialect, route.upstream_dialect), (Dialect::Messages, Dialect::Chat));

    facts.base_urls.insert(Provider::Anthropic, "http://127.0.0.1:9/proxy/".into());
    let route = plan(&request("claude", Some("opus-4.6"), Some(AuthMode::Byok)), &facts).unwrap();
    assert_eq!(route.model.as_deref(), Some("claude-opus-4.6"));
    assert_eq!(route.wire_model.as_deref(), Some("claude-opus-4-6"));
    assert_eq!(route.base_url, "http://127.0.0.1:9/proxy");
}

#[test]
fn opencode_speaks_as_its_provider_does() {
    let facts = everything("");
    for (model, dialect) in [
        ("claude-opus-4.6", Dialect::Messages),
        ("gpt-5.4", Dialect::Responses),
        ("gemini-3.1-pro", Dialect::Gemini),
        ("glm-5", Dialect::Chat),
    ] {
        let route = plan(&request("opencode", Some(model), Some(AuthMode::Credits)), &facts).unwrap();
        assert_eq!((route.harness_dialect, route.upstream_dialect), (dialect, dialect), "{model}");
    }
}

#[test]
fn a_login_passes_no_model_until_one_is_picked() {
    let facts = everything("");
    let login = |executor, model| plan(&request(executor, model, Some(AuthMode::Login)), &facts);
    let route = login("claude", None).unwrap();
    assert_eq!((route.model, route.wire_model, route.verified), (None, None, true));
    assert_eq!(
        (route.base_url.as_str(), route.credential.as_str(), route.payer.as_str()),
        ("", "", "your login")
    );

    let route = login("claude", Some("opus-4.6")).unwrap();
    assert_eq!((route.wire_model.as_deref(), route.verified), (Some("claude-opus-4-6"), true));
    for typed in ["opus", "claude-fable-5", "gpt-5.4"] {
        let route = login("claude", Some(typed)).unwrap();
        assert_eq!(
            (route.model.as_deref(), route.verified, route.provider),
            (Some(typed), false, Provider::Anthropic)
        );
    }
    for no_id in ["--dangerously-skip-permissions", "a b", "a\u{1b}[2J"] {
        assert_eq!(login("claude", Some(no_id)).unwrap_err().rule, "model.unknown", "{no_id:?}");
    }
    assert_eq!(login("openai-agents", None).unwrap_err().rule, "login.unsupported");
    let refusal = refused(&request("claude", None, Some(AuthMode::Login)), &Facts::default());
    assert_eq!(refusal.rule, "login.absent");
}

#[test]
fn opencodes_login_takes_provider_and_model() {
    let facts = everything("");
    let login = |model| plan(&request("opencode", Some(model), Some(AuthMode::Login)), &facts);
    let flag = |model| login(model).unwrap().wire_model.unwrap();
    assert_eq!(flag("claude-opus-4.6"), "anthropic/claude-opus-4-6");
    assert_eq!(flag("kimi-k2.5"), "openrouter/moonshotai/kimi-k2.5");
    assert_eq!(flag("zai/glm-6"), "zai/glm-6");
    assert!(!login("zai/glm-6").unwrap().verified);
    assert_eq!(login("glm-6").unwrap_err().rule, "model.unknown");
}

#[test]
fn policy_binds_a_login_too() {
    let facts = everything("[executors.claude]\ndisabled_models = [\"claude-opus-*\"]\n");
    for typed in ["opus-4.6", "claude-opus-4-6[1m]", "claude-opus-9", "anthropic/claude-opus-4.6"] {
        let refusal = refused(&request("claude", Some(typed), Some(AuthMode::Login)), &facts);
        assert_eq!(refusal.rule, "model.disabled", "{typed}");
        assert!(refusal.reason.contains("policy.toml line 2"), "{}", refusal.reason);
    }
}

#[test]
fn rehearsal_needs_nothing_and_obeys_matrix_and_policy() {
    let rehearse = |executor: &str, model: Option<&str>, facts: &Facts| {
        plan(&PlanRequest { rehearse: true, ..request(executor, model, None) }, facts)
    };
    let route = rehearse("claude", Some("gpt-5.4"), &Facts::default()).unwrap();
    assert_eq!(
        (route.auth, route.step, route.provider),
        (AuthMode::Credits, AuthStep::Rehearsal, Provider::Rehearsal)
    );
    assert_eq!((route.harness_dialect, route.upstream_dialect), (Dialect::Messages, Dialect::Messages));
    assert_eq!(route.payer, "rehearsal");
    assert!(route.base_url.is_empty() && route.credential.is_empty());
    assert_eq!(route_lines(&route)[1], "       ─messages→ rehearsal");

    assert_eq!(
        rehearse("codex", Some("opus-4.6"), &Facts::default()).unwrap_err().rule,
        "model.not-for-executor"
    );
    let off = Facts { policy: policy("[codex]\nenabled = false"), ..Facts::default() };
    assert_eq!(rehearse("codex", None, &off).unwrap_err().rule, "executor.disabled");
    // Nobody pays for a rehearsal, so a forced payer does not stand in its way; a chosen one contradicts it.
    let forced = Facts { policy: policy("[codex]\nauth_method = \"byok\""), ..Facts::default() };
    assert!(rehearse("codex", None, &forced).is_ok());
    let wish = PlanRequest { rehearse: true, ..request("codex", None, Some(AuthMode::Login)) };
    assert_eq!(refused(&wish, &everything("")).rule, "auth.rehearsal");
}

#[test]
fn a_broken_policy_line_keeps_its_executor_off_and_says_where() {
    let (broken, _) = Policy::parse("[executors.codex]\nenbled = false\n", "policy.toml", Layer::User);
    let facts = Facts { policy: broken, ..Facts::default() }.assume_all();
    let refusal = refused(&request("codex", None, None), &facts);
    assert_eq!(refusal.rule, "policy.broken");
    assert!(refusal.reason.contains("policy.toml line 2"), "{refusal}");
    assert!(plan(&request("claude", None, None), &facts).is_ok());
}

#[test]
fn a_disabled_default_is_refused_with_what_is_left() {
    let facts = everything("[executors.codex]\ndisabled_models = [\"gpt-5.4\"]\n");
    let refusal = refused(&request("codex", None, Some(AuthMode::Credits)), &facts);
    assert_eq!(refusal.rule, "model.disabled");
    assert!(refusal.remedies.contains(&"codex with its own default model on your own login".to_owned()));
    assert!(refusal.remedies.iter().any(|r| r.contains("gpt-5.3-codex")), "{refusal:?}");
}
