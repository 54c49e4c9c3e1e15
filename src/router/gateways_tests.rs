use super::*;
use crate::router::Catalogue;

fn declared(text: &str) -> Declaration {
    toml::from_str(text).unwrap()
}

fn gateway(text: &str) -> Gateway {
    Gateway::new("mine", &declared(text)).unwrap()
}

fn wrong(text: &str) -> String {
    Gateway::new("mine", &declared(text)).unwrap_err().to_string()
}

#[test]
fn the_embedded_text_parses() {
    assert_eq!(toml::from_str::<KnownGateways>(TEXT).unwrap().gateways.len(), known().len());
    for entry in known() {
        assert!(!entry.base.is_empty() && !entry.title.is_empty(), "{}", entry.id);
        for host in &entry.hosts {
            assert_eq!(by_host(&format!("https://{host}/x")).unwrap().id, entry.id);
        }
    }
    for wanted in ["litellm", "cloudflare", "portkey", "helicone", "kong", "envoy", "truefoundry", "llmproxy"]
    {
        assert!(presets().any(|preset| preset == wanted), "{wanted}");
    }
}

#[test]
fn a_preset_fills_its_address_for_each_dialect() {
    let cloudflare = gateway("preset = \"cloudflare\"\nvars = { account_id = \"acc\", gateway_id = \"gw\" }");
    assert_eq!(
        cloudflare.base_url(Dialect::Messages),
        Some("https://gateway.ai.cloudflare.com/v1/acc/gw/anthropic")
    );
    assert_eq!(
        cloudflare.base_url(Dialect::Chat),
        Some("https://gateway.ai.cloudflare.com/v1/acc/gw/compat")
    );
    assert!(
        cloudflare.endpoint(Dialect::Chat).versionless && !cloudflare.endpoint(Dialect::Messages).versionless
    );
    let endpoint = cloudflare.endpoint(Dialect::Messages);
    assert_eq!((endpoint.auth.as_str(), endpoint.scheme.as_str()), ("cf-aig-authorization", "Bearer"));

    let account = gateway("preset = \"cloudflare-ai\"\nvars = { account_id = \"acc\" }");
    assert_eq!(
        account.base_url(Dialect::Responses),
        Some("https://api.cloudflare.com/client/v4/accounts/acc/ai/v1")
    );
    let litellm = gateway("preset = \"litellm\"\nbase_url = \"http://127.0.0.1:4000/\"");
    assert_eq!(litellm.dialects().count(), 4);
    assert_eq!(litellm.base_url(Dialect::Gemini), Some("http://127.0.0.1:4000"));
    let envoy = gateway("preset = \"envoy\"\nbase_url = \"http://envoy:1975\"");
    assert_eq!(envoy.base_url(Dialect::Messages), Some("http://envoy:1975/anthropic"));
    let bridge = gateway("preset = \"llmproxy\"\nvars = { upstream = \"https://api.anthropic.com\" }");
    assert_eq!(
        bridge.base_url(Dialect::Responses),
        Some("https://llmproxy.sandbox0.ai/claude2codex/https://api.anthropic.com")
    );
    assert!(!bridge.endpoint(Dialect::Responses).warning.is_empty());
}

#[test]
fn what_is_missing_or_wrong_is_named_by_its_key() {
    assert!(
        wrong("preset = \"cloudflare\"\nvars = { account_id = \"acc\" }").starts_with("vars.gateway_id: ")
    );
    assert!(
        wrong("preset = \"cloudflare-ai\"\nvars = { account_id = \"a/../b\" }")
            .starts_with("vars.account_id: ")
    );
    assert!(wrong("preset = \"litellm\"").starts_with("base_url: is missing"));
    assert!(wrong("base_url = \"ftp://x\"").starts_with("base_url: "));
    assert!(wrong("dialects = [\"chat\"]").starts_with("base_url: "));
    assert!(wrong("base_url = \"https://models.example\"").starts_with("dialects: "));
    let unknown = Gateway::new("mine", &declared("preset = \"lite-llm\"")).unwrap_err();
    assert_eq!(unknown.nearest.as_deref(), Some("litellm"));
    assert!(Gateway::new("../x", &Declaration::default()).is_err());
}

#[test]
fn an_address_is_known_by_its_host_and_never_by_a_path() {
    for (url, dialects) in [
        ("https://api.minimax.io/anthropic", vec![Dialect::Messages]),
        ("https://api.minimaxi.com/v1", vec![Dialect::Chat]),
        ("https://user@API.MINIMAX.IO:443/v1?x=1", vec![Dialect::Chat]),
        ("https://eu.api.minimax.io/v1", vec![Dialect::Chat]),
        ("https://evil.example/api.minimax.io/v1", vec![]),
        ("https://api.minimax.io.evil.example/v1", vec![]),
        ("https://notapi.minimax.io/v1", vec![]),
        ("https://api.z.ai/api/coding/paas/v4", vec![Dialect::Chat]),
        ("https://api.anthropic.com", vec![Dialect::Messages]),
        ("https://gateway.ai.cloudflare.com/v1/a/b/anthropic", vec![Dialect::Messages]),
    ] {
        assert_eq!(dialects_at(url), dialects, "{url}");
    }
    assert_eq!(provider_at("https://api.openai.com/v1"), Some(Provider::OpenAi));
    assert_eq!(provider_at("https://api.minimax.io/v1"), None);
}

#[test]
fn minimax_brings_what_codex_needs() {
    let endpoint = gateway("base_url = \"https://api.minimax.io/v1\"").endpoint(Dialect::Chat);
    assert_eq!(endpoint.title, "MiniMax");
    assert_eq!(endpoint.codex["stream_idle_timeout_ms"], 300_000);
    assert!(endpoint.deny_fields.contains(&"parallel_tool_calls".to_owned()));
    let other = gateway("base_url = \"https://models.example/v1\"\ndialects = [\"chat\"]");
    assert!(other.endpoint(Dialect::Chat).codex.is_empty());
}

#[test]
fn models_are_called_as_the_gateway_calls_them() {
    let model = |id| Catalogue::builtin().model(id).unwrap();
    let call = |gateway: &Gateway, id, dialect| gateway.wire(id, Some(model(id)), dialect).unwrap();
    let plain = gateway(
        "base_url = \"https://m.example\"\ndialects = [\"messages\"]\n[models]\n\"claude-opus-4.6\" = \"big\"",
    );
    assert_eq!(call(&plain, "claude-opus-4.6", Dialect::Messages), "big");
    assert_eq!(call(&plain, "opus-4.6", Dialect::Messages), "big");
    assert_eq!(call(&plain, "claude-sonnet-4.6", Dialect::Messages), "claude-sonnet-4-6");
    assert_eq!(plain.wire("nobody/knows", None, Dialect::Messages), None);
    let cloudflare = gateway("preset = \"cloudflare-ai\"\nvars = { account_id = \"acc\" }");
    assert_eq!(call(&cloudflare, "claude-sonnet-4.6", Dialect::Chat), "anthropic/claude-sonnet-4-6");
    assert_eq!(call(&cloudflare, "kimi-k2.5", Dialect::Chat), "moonshotai/kimi-k2.5");
    let litellm = gateway("preset = \"litellm\"\nbase_url = \"http://l:4000\"");
    assert_eq!(call(&litellm, "gemini-3.1-pro", Dialect::Chat), "gemini-3.1-pro");
    let router = gateway("base_url = \"https://openrouter.ai/api/v1\"\ndialects = [\"chat\"]");
    assert_eq!(call(&router, "kimi-k2.5", Dialect::Chat), "moonshotai/kimi-k2.5");
    assert_eq!(call(&router, "gpt-5.4", Dialect::Chat), "openai/gpt-5.4");
}

#[test]
fn what_is_declared_stands_over_what_is_known() {
    let text = "preset = \"portkey\"\nauth = \"bearer\"\ndialects = [\"chat\", \"messages\"]\ndeny_fields = [\"store\"]\n\
                deny_betas = [\"context-1m-*\"]\ntranslate = false\n[headers]\nX-Portkey-Config = \"env:PK_CONFIG\"";
    let portkey = gateway(text);
    assert_eq!(portkey.dialects().collect::<Vec<_>>(), [Dialect::Chat, Dialect::Messages]);
    assert!(!portkey.translate);
    let endpoint = portkey.endpoint(Dialect::Chat);
    assert_eq!(endpoint.auth, "");
    assert_eq!(endpoint.headers["x-portkey-config"], "env:PK_CONFIG");
    assert_eq!((endpoint.deny_fields.len(), endpoint.deny_betas.len()), (1, 1));
}
