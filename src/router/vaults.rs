//! Vaults: named sets of credentials, and the one of them that selects a session's executor.
use super::{Catalogue, Dialect, ExecutorId, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a vault's credentials are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Paying a model provider or a gateway; it selects the executor.
    #[default]
    Llm,
    /// Tool servers, each credential bound to one of them.
    Mcp,
}

impl Role {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::Mcp => "mcp",
        }
    }
}

/// One credential of a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Where the secret is found, never the secret.
    pub reference: String,
    /// The tool server that it is bound to; a model provider's credential is bound to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp_server_url: Option<String>,
}

/// A vault as it is written down. It holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultEntry {
    /// What its credentials are for.
    #[serde(default)]
    pub role: Role,
    /// The executor that it selects; `None` selects the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<ExecutorId>,
    /// Where its requests go; `None` is the engine's own provider.
    #[serde(default, alias = "llm_base_url", skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The declared gateway or preset that stands at that address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// What is spoken there, preferred first; empty where address, preset or engine tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dialects: Vec<Dialect>,
    /// What models are called there, by the ids that people type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, String>,
    /// What fills the `{names}` of the preset's address: `account_id`, `gateway_id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, String>,
    /// In the order in which they were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Kept>,
}

impl VaultEntry {
    /// The references of its pool.
    pub fn references(&self) -> Vec<String> {
        self.credentials.iter().map(|kept| kept.reference.clone()).collect()
    }

    /// The credential that is bound to a tool server, in a vault that is for models.
    pub fn bound(&self) -> Option<&Kept> {
        let llm = self.role == Role::Llm;
        self.credentials.iter().find(|kept| llm && kept.mcp_server_url.is_some())
    }
}

/// A vault under its name, as planning sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its name.
    pub name: String,
    /// What is written down about it; `None` when there is no such vault (any more).
    pub entry: Option<VaultEntry>,
    /// Why none of its credentials has a secret now; `None` when one has.
    pub missing: Option<String>,
}

/// What the keys of a session's metadata may not begin with: they mean something on a vault only.
pub const RESERVED: [&str; 2] = ["sandbox0.managed_agents.", "inspan."];

fn refuse(rule: &'static str, reason: String, remedies: impl IntoIterator<Item = String>) -> Refusal {
    Refusal { rule: rule.into(), reason, remedies: remedies.into_iter().collect() }
}

/// Refuses a key of a session's metadata that is reserved.
///
/// # Errors
/// `vault.reserved-key`, with how the same is said where it belongs.
pub fn check_metadata<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<(), Refusal> {
    for key in keys {
        if RESERVED.iter().any(|reserved| key.starts_with(reserved)) {
            let reason = format!("{key} is reserved: it selects nothing as metadata of a session");
            let remedy = match key.rsplit('.').next() {
                Some("engine") => "say it on a vault: inspan vault add NAME --engine claude …",
                Some("llm_base_url") => "say it on a vault: inspan vault add NAME --base-url URL …",
                _ => "say it on a vault: inspan vault add NAME --metadata KEY=VALUE …",
            };
            return Err(refuse("vault.reserved-key", reason, [remedy.to_owned()]));
        }
    }
    Ok(())
}

/// The one vault of a session that pays for models, if any is attached.
///
/// # Errors
/// `vault.unknown`, `vault.two-llm` and `vault.bound-credential`, each with what to do.
pub fn llm_vault(attached: &[Attached]) -> Result<Option<(&str, &VaultEntry)>, Refusal> {
    let mut found: Option<(&str, &VaultEntry)> = None;
    for vault in attached {
        let name = vault.name.as_str();
        let Some(entry) = &vault.entry else {
            let reason = format!("there is no vault {name:?}, so nothing says who would pay");
            return Err(refuse("vault.unknown", reason, ["inspan vault list  shows them".to_owned()]));
        };
        if entry.role != Role::Llm {
            continue;
        }
        if let Some(kept) = entry.bound() {
            let server = kept.mcp_server_url.as_deref().unwrap_or_default();
            let reason = format!(
                "{} in vault {name} is bound to {server}; a model provider's credential must not be bound",
                super::short_credential(&kept.reference)
            );
            let way = format!("move it: inspan vault add NAME --role mcp --mcp-server-url {server} …");
            return Err(refuse("vault.bound-credential", reason, [way]));
        }
        if let Some((first, _)) = found {
            let reason = format!("the vaults {first} and {name} both pay for models; a session takes one");
            let ways = [first, name].map(|one| format!("attach {one} alone: --vault {one}"));
            return Err(refuse("vault.two-llm", reason, ways));
        }
        found = Some((name, entry));
    }
    Ok(found)
}

/// The executor that a session's vaults select: the engine of the one that pays for models; `None` when none says.
///
/// # Errors
/// As [`llm_vault`], and `executor.unknown` for an engine that does not exist.
pub fn selected_executor(attached: &[Attached]) -> Result<Option<ExecutorId>, Refusal> {
    let Some((name, VaultEntry { engine: Some(engine), .. })) = llm_vault(attached)? else { return Ok(None) };
    match Catalogue::builtin().executor(engine) {
        Ok(executor) => Ok(Some(executor.id.clone())),
        Err(unknown) => {
            let reason = format!("vault {name} has the engine {engine:?}, which is no executor");
            let near = unknown.nearest.map(|nearest| format!("did you mean {nearest}?"));
            Err(refuse("executor.unknown", reason, near))
        }
    }
}

/// The executor for a session: the one asked for, which must be the vault's engine when a vault says one.
///
/// # Errors
/// `vault.engine-mismatch`, and as [`selected_executor`].
pub fn check_engine(asked: &ExecutorId, attached: &[Attached]) -> Result<(), Refusal> {
    let Some(engine) = selected_executor(attached)? else { return Ok(()) };
    if engine == *asked {
        return Ok(());
    }
    let name = llm_vault(attached)?.map(|(name, _)| name).unwrap_or_default();
    let reason = format!("the attached vault {name} is for {engine}, not for {asked}");
    let ways = [
        format!("run {engine}, which it selects"),
        format!("open a session with a vault for {asked}, or without one"),
    ];
    Err(refuse("vault.engine-mismatch", reason, ways))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(name: &str, entry: VaultEntry) -> Attached {
        Attached { name: name.into(), entry: Some(entry), missing: None }
    }

    fn llm(engine: &str) -> VaultEntry {
        VaultEntry { engine: Some(engine.into()), ..VaultEntry::default() }
    }

    fn bound(role: Role) -> VaultEntry {
        let url = Some("https://mcp.example".to_owned());
        VaultEntry {
            role,
            credentials: vec![Kept { reference: "env:TOOL".into(), mcp_server_url: url }],
            ..VaultEntry::default()
        }
    }

    #[test]
    fn one_vault_selects_and_none_says_nothing() {
        assert_eq!(selected_executor(&[]), Ok(None));
        assert_eq!(selected_executor(&[vault("a", llm("codex"))]), Ok(Some(ExecutorId::CODEX)));
        let with_tools = [vault("tools", bound(Role::Mcp)), vault("a", llm("openai-agents"))];
        assert_eq!(selected_executor(&with_tools), Ok(Some(ExecutorId::OPENAI_AGENTS)));
        assert_eq!(selected_executor(&[vault("any", VaultEntry::default())]), Ok(None));
    }

    #[test]
    fn each_mistake_has_its_own_rule() {
        let two = [vault("a", llm("claude")), vault("b", llm("codex"))];
        let wrong = [vault("a", llm("claude"))];
        let nobody = [Attached { name: "x".into(), entry: None, missing: None }];
        let rules = [
            selected_executor(&two).unwrap_err(),
            selected_executor(&[vault("a", bound(Role::Llm))]).unwrap_err(),
            check_metadata(["team", "sandbox0.managed_agents.engine"]).unwrap_err(),
            check_engine(&ExecutorId::CODEX, &wrong).unwrap_err(),
            selected_executor(&nobody).unwrap_err(),
            selected_executor(&[vault("a", llm("cluade"))]).unwrap_err(),
        ];
        let ids: Vec<&str> = rules.iter().map(|refusal| &*refusal.rule).collect();
        assert_eq!(
            ids,
            [
                "vault.two-llm",
                "vault.bound-credential",
                "vault.reserved-key",
                "vault.engine-mismatch",
                "vault.unknown",
                "executor.unknown"
            ]
        );
        assert!(rules.iter().all(|refusal| !refusal.remedies.is_empty()), "{rules:?}");
        assert_eq!(check_engine(&ExecutorId::CLAUDE, &wrong), Ok(()));
        assert_eq!(check_metadata(["ticket", "inspanner"]), Ok(()));
    }
}
