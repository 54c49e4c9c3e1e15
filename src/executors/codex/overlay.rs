//! Codex's directory of ours: the user's config, instructions, skills, prompts, hooks and MCP servers, without the
//! login and without the user's providers.
use crate::executors::{
    Home, LaunchPlan, LaunchRequest,
    launch::{bypass_proxy, git_root, put},
    overlay::{link, link_entries, put_in, read_toml, share, table, within},
};
use std::path::Path;
use toml::{Table, Value};

/// Where Codex finds a key that the person leaves to it.
const KEY_VAR: &str = "CODEX_API_KEY";

/// The directory of ours, below the pane's.
pub(super) const DIR: &str = "codex";

/// The name of our provider in the generated config.
pub(super) const PROVIDER: &str = "inspan";

/// What is read from the user's directory through a link.
const LINKED: &[&str] =
    &["AGENTS.md", "AGENTS.override.md", "prompts", "rules", "agents", "themes", "hooks.json", "hooks"];

/// Where sessions live; shared, so that history is one.
pub(super) const SHARED: &[&str] = &["sessions", "archived_sessions", "history.jsonl", "session_index.jsonl"];

/// Settings that would choose another provider, account or payer, or answer a question of trust for us.
const OVERRULED: &[&str] = &[
    "model_provider",
    "model_providers",
    "profile",
    "profiles",
    "openai_base_url",
    "chatgpt_base_url",
    "preferred_auth_method",
    "forced_login_method",
    "forced_chatgpt_workspace_id",
    "cli_auth_credentials_store",
    "experimental_bearer_token",
    "oss_provider",
];

/// Offers of a newer model that the CLI would open a dialog for; answered in advance, for the route has chosen.
const UPGRADES: &[(&str, &str)] = &[
    ("gpt-5.5", "gpt-6-sol"),
    ("gpt-5.6-luna", "gpt-6-luna"),
    ("gpt-5.6-sol", "gpt-6-sol"),
    ("gpt-5.6-terra", "gpt-6-sol"),
];

/// Adds the overlay and the variable that points to it.
pub(super) fn furnish(
    request: &LaunchRequest<'_>,
    plan: &mut LaunchPlan,
    inherit_user: bool,
) -> Result<(), String> {
    let gateway = request.gateway.ok_or("Codex in a home of ours needs the gateway: none was given")?;
    let overlay = request.pane_dir.join(DIR);
    plan.dirs.push(overlay.clone());
    plan.config_home.clone_from(&overlay);

    let mut config = Table::new();
    if inherit_user && let Some(user) = super::home(request.env) {
        config = inherit(plan, &user, &overlay);
    }
    let mut provider = table([
        ("name", "inspan".into()),
        ("base_url", format!("{}/v1", gateway.base_url).into()),
        ("wire_api", "responses".into()),
    ]);
    if request.route.inject {
        put_in(&mut provider, "env_key", KEY_VAR.into());
        plan.env_set.insert(KEY_VAR.into(), gateway.token.clone());
    } else {
        // In this 0600 file rather than a variable: Codex hands its whole environment to the commands it runs.
        put_in(&mut provider, "experimental_bearer_token", gateway.token.as_str().into());
    }
    for (name, value) in request.route.gateway.iter().flat_map(|endpoint| &endpoint.codex) {
        put_in(&mut provider, name, (*value).into());
    }
    config.insert("model_provider".into(), PROVIDER.into());
    config.insert("model_providers".into(), Value::Table(table([(PROVIDER, Value::Table(provider))])));
    config.insert("check_for_update_on_startup".into(), false.into());
    within(&mut config, "analytics", |t| put_in(t, "enabled", false.into()));
    within(&mut config, "features", |features| {
        put_in(features, "daemon_auto_start", false.into());
        // A rehearsal needs no network, so it does not look for the vendor's plugins.
        if request.home == Home::Empty {
            put_in(features, "plugins", false.into());
        }
    });
    within(&mut config, "notice", |notice| {
        within(notice, "model_migrations", |known| {
            for (model, newer) in UPGRADES {
                put_in(known, model, (*newer).into());
            }
        });
    });
    config.remove("projects");
    if request.trusted {
        let trust = || Value::Table(table([("trust_level", "trusted".into())]));
        within(&mut config, "projects", |projects| {
            for dir in [request.cwd, git_root(request.cwd)] {
                put_in(projects, &dir.to_string_lossy(), trust());
            }
        });
        if request.home != Home::Empty {
            plan.argv.push("--dangerously-bypass-hook-trust".into());
        }
    }
    let text = toml::to_string(&config).map_err(|e| format!("cannot write Codex's config: {e}"))?;
    put(plan, overlay.join("config.toml"), text);
    plan.env_set.insert("CODEX_HOME".into(), overlay.to_string_lossy().into_owned());
    bypass_proxy(plan, request.env);
    Ok(())
}

/// The user's config as the overlay may have it.
fn inherit(plan: &mut LaunchPlan, user: &Path, overlay: &Path) -> Table {
    for name in LINKED {
        link(plan, user, overlay, name);
    }
    // Codex unpacks skills of its own beside the user's.
    link_entries(plan, user, overlay, "skills");
    for name in SHARED {
        share(plan, user, overlay, name);
    }
    read_toml(&user.join("config.toml"), OVERRULED, "Codex", plan)
}
