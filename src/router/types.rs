//! The words of routing: executor, model, provider, dialect, auth mode, route, refusal.
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// A kind of coding agent, by its stable name: `claude`, `codex`, … or one that the user declares.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutorId(pub Cow<'static, str>);

impl ExecutorId {
    /// Claude Code.
    pub const CLAUDE: Self = Self(Cow::Borrowed("claude"));
    /// OpenAI Codex CLI.
    pub const CODEX: Self = Self(Cow::Borrowed("codex"));
    /// Gemini CLI.
    pub const GEMINI: Self = Self(Cow::Borrowed("gemini"));
    /// OpenCode.
    pub const OPENCODE: Self = Self(Cow::Borrowed("opencode"));
    /// Grok Build.
    pub const GROK: Self = Self(Cow::Borrowed("grok"));
    /// The OpenAI Agents SDK.
    pub const OPENAI_AGENTS: Self = Self(Cow::Borrowed("openai-agents"));

    /// The name as the command line spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ExecutorId {
    fn from(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }
}

impl fmt::Display for ExecutorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Who serves a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// api.anthropic.com, Messages.
    Anthropic,
    /// api.openai.com, Responses and Chat.
    OpenAi,
    /// Generative Language API, generateContent.
    Google,
    /// OpenRouter, Chat (and Messages).
    OpenRouter,
    /// api.x.ai.
    Xai,
    /// The built-in offline provider; speaks all four dialects.
    Rehearsal,
    /// A gateway that somebody declared; the route says which.
    Declared,
}

impl Provider {
    /// The stable lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Google => "google",
            Self::OpenRouter => "openrouter",
            Self::Xai => "xai",
            Self::Rehearsal => "rehearsal",
            Self::Declared => "gateway",
        }
    }

    /// Its own spelling of its name, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Anthropic => "Anthropic",
            Self::OpenAi => "OpenAI",
            Self::Google => "Google",
            Self::OpenRouter => "OpenRouter",
            Self::Xai => "xAI",
            Self::Rehearsal => "Rehearsal",
            Self::Declared => "Gateway",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The wire shape of a model API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Anthropic Messages.
    Messages,
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Gemini generateContent.
    Gemini,
}

impl Dialect {
    /// The stable lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Gemini => "gemini",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a harness's requests are paid for and where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// The CLI's own account; the gateway is not involved.
    Login,
    /// Your key, the executor's native provider, bytes unchanged.
    #[serde(alias = "api_key", alias = "apikey")]
    Byok,
    /// Through our gateway with this machine's provider keys.
    Credits,
}

impl AuthMode {
    /// All three, in the order in which planning prefers them when a key is configured.
    pub const ALL: [Self; 3] = [Self::Byok, Self::Login, Self::Credits];

    /// The stable lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Byok => "byok",
            Self::Credits => "credits",
        }
    }
}

impl fmt::Display for AuthMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for AuthMode {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "login" => Ok(Self::Login),
            "byok" | "api_key" | "apikey" => Ok(Self::Byok),
            "credits" => Ok(Self::Credits),
            other => Err(format!("unknown auth mode {other:?}: use login, byok or credits")),
        }
    }
}

/// Which step of DESIGN's order chose the auth mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthStep {
    /// The user named it.
    Explicit,
    /// Policy forces it.
    Policy,
    /// An attached vault selects it.
    Vault,
    /// A BYOK key is configured for the executor.
    ByokKey,
    /// The CLI's own login is present.
    CliLogin,
    /// A provider key exists on this machine.
    ProviderKey,
    /// The session runs on the rehearsal provider.
    Rehearsal,
}

/// What may run where: the answer of planning when it is yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Which coding agent.
    pub executor: ExecutorId,
    /// The model's display id; `None` under `login` when the user picked none.
    pub model: Option<String>,
    /// The id that goes on the wire; `None` when no model flag is passed.
    pub wire_model: Option<String>,
    /// How it is paid.
    pub auth: AuthMode,
    /// The shape that the harness speaks to the gateway.
    pub harness_dialect: Dialect,
    /// The shape that the provider is spoken to in.
    pub upstream_dialect: Dialect,
    /// Who serves it.
    pub provider: Provider,
    /// Where requests go, without a trailing slash; empty for rehearsal and login.
    pub base_url: String,
    /// A credential *reference* such as `env:ANTHROPIC_API_KEY`, never a secret; empty when none is used.
    pub credential: String,
    /// Who pays, in words for the screen: `rehearsal`, `your login`, `env:ANTHROPIC_API_KEY`.
    pub payer: String,
    /// The step that chose the auth mode.
    pub step: AuthStep,
    /// The pair is not in the reference matrix (grok, openai-agents, preset `open`).
    pub outside_reference: bool,
    /// False for ids typed under `login` that no catalogue confirms.
    pub verified: bool,
    /// The declared gateway that it goes through, and what a request to it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<super::Endpoint>,
    /// The CLI holds the key itself and asks the provider directly; the gateway is not involved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inject: bool,
}

impl Route {
    /// Who answers its requests: the declared gateway by its name, else the provider.
    pub fn served_by(&self) -> &str {
        self.gateway
            .as_ref()
            .filter(|_| self.provider == Provider::Declared)
            .map_or(self.provider.as_str(), |g| &g.name)
    }

    /// The same in the vendor's own spelling.
    pub fn served_title(&self) -> &str {
        let declared = self.gateway.as_ref().filter(|_| self.provider == Provider::Declared);
        declared.map_or(self.provider.title(), |gateway| &gateway.title)
    }

    /// Requests pass the gateway of this machine: neither the CLI's own account nor its own key is used.
    pub fn through_gateway(&self) -> bool {
        self.auth != AuthMode::Login && !self.inject
    }
}

/// What may not run, and why: the answer of planning when it is no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{rule}: {reason}")]
pub struct Refusal {
    /// A stable id such as `byok.native-only`.
    pub rule: Cow<'static, str>,
    /// One sentence.
    pub reason: String,
    /// What the person can do instead, most likely first.
    pub remedies: Vec<String>,
}

/// A wish to run an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRequest {
    /// Which coding agent.
    pub executor: ExecutorId,
    /// A display or wire id; `None` takes the executor's default.
    pub model: Option<String>,
    /// An explicit choice of auth mode.
    pub auth: Option<AuthMode>,
    /// Every route of this session goes to the rehearsal provider.
    pub rehearse: bool,
}

/// What is true on this machine at planning time.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The rules in force, already merged over their layers.
    pub policy: super::policy::Policy,
    /// Executors whose binary is present (on PATH or installed by us). Absent executors plan fine: installing is
    /// the launch's business; `plan` marks readiness, not presence.
    pub present: BTreeMap<ExecutorId, bool>,
    /// Executors whose own account is logged in.
    pub logins: BTreeMap<ExecutorId, bool>,
    /// BYOK credential references by executor (config `[byok]`).
    pub byok: BTreeMap<ExecutorId, String>,
    /// Credential references by provider that `credits` may use.
    pub provider_keys: BTreeMap<Provider, String>,
    /// Base URLs that settings put in place of the catalogue's, without a trailing slash.
    pub base_urls: BTreeMap<Provider, String>,
    /// BYOK references by provider, of an executor without a home provider.
    pub byok_each: BTreeMap<ExecutorId, BTreeMap<Provider, String>>,
    /// References that are written down and have no secret behind them now.
    pub absent: BTreeSet<String>,
    /// Executors whose BYOK key their CLI holds itself.
    pub inject: BTreeSet<ExecutorId>,
    /// Declared gateways by name.
    pub gateways: BTreeMap<String, super::Gateway>,
    /// Why a declared gateway is of no use, by its name.
    pub broken_gateways: BTreeMap<String, String>,
    /// Providers whose models `credits` asks a declared gateway for, and which.
    pub via: BTreeMap<Provider, String>,
    /// What requests to a provider need beyond its own address.
    pub endpoints: BTreeMap<Provider, super::Endpoint>,
    /// The vaults that are attached to the session.
    pub attached: Vec<super::Attached>,
    /// Executors that the settings declare beside the catalogue's.
    pub declared: Vec<super::catalogue::ExecutorEntry>,
}

impl Facts {
    /// The executor of that name, of the catalogue or declared.
    ///
    /// # Errors
    /// The known names and the nearest one.
    pub fn executor(
        &self,
        id: &ExecutorId,
    ) -> Result<&super::catalogue::ExecutorEntry, super::catalogue::Unknown> {
        if let Some(declared) = self.declared.iter().find(|entry| entry.id == *id) {
            return Ok(declared);
        }
        super::Catalogue::builtin().executor(id).map_err(|mut unknown| {
            unknown.known.extend(self.declared.iter().map(|entry| entry.id.to_string()));
            let known = unknown.known.iter().map(String::as_str);
            unknown.nearest = super::nearest(id.as_str(), known).map(str::to_owned);
            unknown
        })
    }

    /// Takes every key and every login as present, so that only matrix and policy decide. What is configured stays as
    /// it is.
    pub fn assume_all(mut self) -> Self {
        let catalogue = super::Catalogue::builtin();
        for executor in &catalogue.executors {
            self.present.insert(executor.id.clone(), true);
            if executor.login {
                self.logins.insert(executor.id.clone(), true);
            }
            if let Some(native) = executor.native.filter(|_| !executor.byok.is_empty()) {
                self.byok.entry(executor.id.clone()).or_insert_with(|| format!("assumed:{native}"));
            }
        }
        if self.policy.preset() == super::policy::Preset::Open {
            for executor in catalogue.executors.iter().filter(|e| e.native.is_none() && e.login) {
                let keys = self.byok_each.entry(executor.id.clone()).or_default();
                for provider in &catalogue.providers {
                    keys.entry(provider.id).or_insert_with(|| format!("assumed:{}", provider.id));
                }
            }
        }
        for provider in &catalogue.providers {
            self.provider_keys.entry(provider.id).or_insert_with(|| format!("assumed:{}", provider.id));
        }
        for attached in &mut self.attached {
            attached.missing = None;
        }
        self.absent.clear();
        self
    }
}
