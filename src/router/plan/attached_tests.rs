use super::{
    tests::{everything, policy, refused, request},
    *,
};
use crate::router::ExecutorId;

fn with_vaults(facts: Facts, vaults: &[(&str, &str)]) -> Facts {
    let attached = vaults.iter().map(|(name, text)| crate::router::Attached {
        name: (*name).to_owned(),
        entry: Some(toml::from_str(text).unwrap()),
        missing: None,
    });
    Facts { attached: attached.collect(), ..facts }
}

#[test]
fn an_attached_vault_pays_before_a_byok_key_and_after_policy() {
    let all = everything("");
    let facts = with_vaults(all.clone(), &[("team", "engine = \"claude\"")]);
    let route = plan(&request("claude", None, None), &facts).unwrap();
    assert_eq!((route.auth, route.step), (AuthMode::Byok, AuthStep::Vault));
    assert_eq!(
        (route.credential.as_str(), route.base_url.as_str()),
        ("vault:team", "https://api.anthropic.com")
    );
    assert_eq!(route.payer, "vault:team");

    let gateway = "engine = \"claude\"\nbase_url = \"http://127.0.0.1:4000\"\ndialects = [\"messages\"]";
    let facts = with_vaults(all, &[("gw", gateway)]);
    let route = plan(&request("claude", Some("gpt-5.4"), None), &facts).unwrap();
    assert_eq!(
        (route.auth, route.step, route.provider),
        (AuthMode::Credits, AuthStep::Vault, Provider::Declared)
    );
    assert_eq!((route.harness_dialect, route.upstream_dialect), (Dialect::Messages, Dialect::Messages));
    assert_eq!((route.served_by(), route.credential.as_str()), ("gw", "vault:gw"));
    // Named otherwise, another way pays; forced otherwise, nobody does.
    let login = plan(&request("claude", None, Some(AuthMode::Login)), &facts).unwrap();
    assert_eq!((login.auth, login.step), (AuthMode::Login, AuthStep::Explicit));
    let forced = Facts { policy: policy("[claude]\nauth_method = \"byok\""), ..facts };
    let refusal = refused(&request("claude", None, None), &forced);
    assert_eq!(refusal.rule, "auth.forced");
    assert!(refusal.reason.contains("vault gw"), "{refusal}");
}

#[test]
fn vaults_are_refused_by_five_rules_and_never_passed_over() {
    let all = || everything("");
    let url = |engine: &str, url: &str| format!("engine = \"{engine}\"\nbase_url = \"{url}\"");
    let bound = "credentials = [{ reference = \"env:A\", mcp_server_url = \"https://mcp.example\" }]";
    let claude = "engine = \"claude\"";
    for (rule, executor, facts) in [
        ("vault.two-llm", "claude", with_vaults(all(), &[("a", claude), ("b", claude)])),
        ("vault.bound-credential", "claude", with_vaults(all(), &[("a", bound)])),
        ("vault.engine-mismatch", "codex", with_vaults(all(), &[("a", claude)])),
        (
            "vault.shape-mismatch",
            "codex",
            with_vaults(all(), &[("a", &url("codex", "https://api.anthropic.com"))]),
        ),
        (
            "vault.shape-mismatch",
            "claude",
            with_vaults(all(), &[("a", &url("claude", "https://api.openai.com/v1"))]),
        ),
    ] {
        let refusal = refused(&request(executor, None, None), &facts);
        assert_eq!(refusal.rule, rule, "{refusal}");
        // Rehearsal asks nobody for money.
        assert!(plan(&PlanRequest { rehearse: true, ..request(executor, None, None) }, &facts).is_ok());
    }
    let gone = crate::router::Attached { name: "gone".into(), entry: None, missing: None };
    let facts = Facts { attached: vec![gone], ..all() };
    assert_eq!(refused(&request("claude", None, None), &facts).rule, "vault.unknown");
    let mut facts = with_vaults(all(), &[("a", claude)]);
    facts.attached[0].missing = Some("TEAM_KEY is not set".into());
    let refusal = refused(&request("claude", None, None), &facts);
    assert_eq!(refusal.rule, "vault.no-key");
    assert!(refusal.reason.contains("TEAM_KEY"), "{refusal}");
}

#[test]
fn a_shape_that_does_not_fit_is_translated_or_refused_by_name() {
    let chat = "engine = \"codex\"\nbase_url = \"https://gw.example/v1\"\ndialects = [\"chat\"]";
    let facts = with_vaults(everything(""), &[("bridge", chat)]);
    let route = plan(&request("codex", None, None), &facts).unwrap();
    assert_eq!((route.harness_dialect, route.upstream_dialect), (Dialect::Responses, Dialect::Chat));
    let declaration = toml::from_str(
        "base_url = \"https://gw.example/v1\"\ndialects = [\"chat\"]\ncredential = \"env:GW\"\ntranslate = false",
    );
    let gateway = crate::router::Gateway::new("strict", &declaration.unwrap()).unwrap();
    let mut facts = everything("");
    facts.gateways.insert("strict".into(), gateway);
    facts.via.insert(Provider::OpenAi, "strict".into());
    let refusal = refused(&request("codex", None, Some(AuthMode::Credits)), &facts);
    assert_eq!(refusal.rule, "gateway.shape-mismatch");
    assert!(refusal.reason.contains("strict speaks chat") && refusal.reason.contains("forbids"), "{refusal}");
    // The other providers' models go where they went.
    let route = plan(&request("claude", None, Some(AuthMode::Credits)), &facts).unwrap();
    assert_eq!(route.provider, Provider::Anthropic);
}

#[test]
fn a_declared_gateway_serves_a_providers_models_by_its_own_names() {
    let mut facts = everything("");
    let text = "preset = \"litellm\"\nbase_url = \"http://127.0.0.1:4000\"\ncredential = \"env:LITELLM_KEY\"\n\
                [models]\n\"gpt-5.4\" = \"team-gpt\"\nhouse-model = \"house/one\"";
    let gateway = crate::router::Gateway::new("litellm", &toml::from_str(text).unwrap()).unwrap();
    facts.gateways.insert("litellm".into(), gateway);
    facts.via = [Provider::OpenAi, Provider::OpenRouter].map(|p| (p, "litellm".to_owned())).into();
    let credits =
        |model, facts: &Facts| plan(&request("claude", Some(model), Some(AuthMode::Credits)), facts);
    let route = credits("gpt-5.4", &facts).unwrap();
    assert_eq!(route.wire_model.as_deref(), Some("team-gpt"));
    assert_eq!(
        (route.upstream_dialect, route.base_url.as_str()),
        (Dialect::Messages, "http://127.0.0.1:4000")
    );
    assert_eq!((route.served_by(), route.served_title()), ("litellm", "LiteLLM Proxy"));
    assert_eq!(credits("kimi-k2.5", &facts).unwrap().wire_model.as_deref(), Some("kimi-k2.5"));
    assert_eq!(credits("claude-opus-4.6", &facts).unwrap().provider, Provider::Anthropic);
    facts.absent.insert("env:LITELLM_KEY".into());
    assert_eq!(credits("gpt-5.4", &facts).unwrap_err().rule, "credits.no-key");
    facts.via.insert(Provider::OpenAi, "elsewhere".into());
    assert_eq!(credits("gpt-5.4", &facts).unwrap_err().rule, "gateway.unusable");

    // A model that only the gateway knows runs where policy is open.
    let vault = "engine = \"claude\"\ngateway = \"litellm\"";
    let closed = with_vaults(facts.clone(), &[("v", vault)]);
    let refusal = refused(&request("claude", Some("house-model"), None), &closed);
    assert_eq!(refusal.rule, "model.not-for-executor");
    let open =
        Facts { policy: policy("preset = \"open\"\ndisabled_models = [\"house/t*\"]"), ..closed.clone() };
    let route = plan(&request("claude", Some("house-model"), None), &open).unwrap();
    assert_eq!(
        (route.model.as_deref(), route.wire_model.as_deref()),
        (Some("house-model"), Some("house/one"))
    );
    // Forbidden by the name that goes on the wire as well.
    let off = Facts { policy: policy("preset = \"open\"\ndisabled_models = [\"house/o*\"]"), ..closed };
    assert_eq!(refused(&request("claude", Some("house-model"), None), &off).rule, "model.disabled");
}

#[test]
fn opencode_has_byok_where_policy_is_open_and_each_key_pays_its_provider() {
    let keys = [(Provider::Anthropic, "env:A".to_owned()), (Provider::OpenAi, "env:O".to_owned())];
    let facts = |text: &str| Facts {
        policy: policy(text),
        byok_each: [(ExecutorId::OPENCODE, keys.clone().into())].into(),
        ..Facts::default()
    };
    let byok = |model, text| plan(&request("opencode", Some(model), None), &facts(text));
    assert_eq!(byok("gpt-5.4", "").unwrap_err().rule, "byok.unsupported");
    let open = "preset = \"open\"";
    let route = byok("gpt-5.4", open).unwrap();
    assert_eq!((route.auth, route.credential.as_str()), (AuthMode::Byok, "env:O"));
    assert_eq!(byok("claude-opus-4.6", open).unwrap().credential, "env:A");
    assert_eq!(byok("gemini-3.1-pro", open).unwrap_err().rule, "byok.no-key");
}

#[test]
fn a_configured_key_that_is_not_here_is_refused_and_not_replaced() {
    let mut facts = Facts { byok: [(ExecutorId::CLAUDE, "env:MINE".to_owned())].into(), ..everything("") };
    facts.absent.insert("env:MINE".into());
    let refusal = refused(&request("claude", None, None), &facts);
    assert_eq!(refusal.rule, "byok.no-key");
    assert!(refusal.reason.contains("MINE"), "{refusal}");
}

#[test]
fn byok_passes_bytes_unchanged_and_may_leave_the_key_to_the_cli() {
    let facts = everything("preset = \"open\"");
    for executor in &Catalogue::builtin().executors {
        for model in &Catalogue::builtin().models {
            let answer = plan(&request(executor.id.as_str(), Some(&model.id), Some(AuthMode::Byok)), &facts);
            let Ok(route) = answer else { continue };
            assert_eq!(route.harness_dialect, route.upstream_dialect, "{} {}", executor.id, model.id);
            assert!(!route.inject);
        }
    }
    let facts = Facts { inject: [ExecutorId::CLAUDE].into(), ..everything("") };
    let route = plan(&request("claude", None, Some(AuthMode::Byok)), &facts).unwrap();
    assert!(route.inject && !route.through_gateway());
    let credits = plan(&request("claude", None, Some(AuthMode::Credits)), &facts).unwrap();
    assert!(!credits.inject && credits.through_gateway());
}
