//! Declared gateways: model endpoints that a person names, what is known of them by preset or by the host of their
//! address, and the one endpoint of them that a route uses.
use super::{Dialect, Provider, catalogue::Model, is_name, nearest};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::LazyLock};

const TEXT: &str = include_str!("gateways.toml");

/// A gateway as a person declares it, in the configuration or with a vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declaration {
    /// A known gateway whose settings these complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// What precedes the dialect's path, or what fills `{url}` of the preset.
    #[serde(alias = "llm_base_url", skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// What is spoken there, preferred first; empty is what the preset or the address tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dialects: Vec<Dialect>,
    /// Where its credential is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The header that carries the credential: `bearer`, or the name of one that takes it bare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
    /// Headers that every request gets; a last word that is a credential reference becomes its secret.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Top-level fields of the body that it does not take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny_fields: Vec<String>,
    /// Globs of `anthropic-beta` words that it does not take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny_betas: Vec<String>,
    /// What models are called there, by the ids that people type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, String>,
    /// What fills the other `{names}` of the preset's address: `account_id`, `gateway_id`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, String>,
    /// Whether requests in another dialect may be translated for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translate: Option<bool>,
}

/// The endpoint of a gateway that a route uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The gateway's name.
    pub name: String,
    /// Its own spelling of its name.
    pub title: String,
    /// The header that carries the credential; empty is `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub auth: String,
    /// The word before the credential in that header.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scheme: String,
    /// Headers that every request gets; a last word that is a credential reference becomes its secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Top-level fields of the body that are taken out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_fields: Vec<String>,
    /// Globs of `anthropic-beta` words that are taken out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_betas: Vec<String>,
    /// The version that a path begins with is left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub versionless: bool,
    /// Settings of Codex's provider that this endpoint needs, by their names in its configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codex: BTreeMap<String, i64>,
    /// What a person should know of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub warning: String,
}

/// A gateway ready for planning: its declaration laid over what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// The name that it was declared under.
    pub name: String,
    /// Where its credential is found.
    pub credential: Option<String>,
    /// The provider whose own address it is, if it is one.
    pub provider: Option<Provider>,
    /// Whether requests in another dialect may be translated for it.
    pub translate: bool,
    /// What models are called there, by folded id.
    models: BTreeMap<String, String>,
    known: Known,
    bases: Vec<(Dialect, String)>,
    declared: Declaration,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Known {
    id: String,
    title: String,
    hosts: Vec<String>,
    base: BTreeMap<Dialect, String>,
    paths: BTreeMap<String, Vec<Dialect>>,
    versionless: Vec<Dialect>,
    auth: String,
    scheme: String,
    wire: String,
    wire_chat: String,
    headers: BTreeMap<Dialect, BTreeMap<String, String>>,
    deny_fields: BTreeMap<Dialect, Vec<String>>,
    codex: BTreeMap<String, i64>,
    provider: Option<Provider>,
    warning: String,
}

#[derive(Default, Deserialize)]
struct KnownGateways {
    gateways: Vec<Known>,
}

fn known() -> &'static [Known] {
    // The embedded text is parsed in a test, so the empty list can never be what a person meets.
    static KNOWN: LazyLock<Vec<Known>> =
        LazyLock::new(|| toml::from_str::<KnownGateways>(TEXT).unwrap_or_default().gateways);
    &KNOWN
}

/// The presets by name.
pub fn presets() -> impl Iterator<Item = &'static str> {
    known().iter().map(|known| known.id.as_str())
}

/// Host and path of an address, without user, port and query; `None` when it is no http address.
fn host_and_path(url: &str) -> Option<(String, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(cut);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), path))
}

/// What is known of an address by its host: exactly it, or a domain above it. A path is never taken for a host.
fn by_host(url: &str) -> Option<&'static Known> {
    let (host, _) = host_and_path(url)?;
    let is = |known: &str| host == known || host.strip_suffix(known).is_some_and(|rest| rest.ends_with('.'));
    known().iter().find(|entry| entry.hosts.iter().any(|known| is(known)))
}

/// The dialects that a known address speaks at its path; empty when its host or path tells nothing.
pub fn dialects_at(url: &str) -> Vec<Dialect> {
    let (Some(entry), Some((_, path))) = (by_host(url), host_and_path(url)) else { return Vec::new() };
    let covers = |known: &str| path.contains(known.trim_end_matches('/'));
    let longest = entry.paths.iter().filter(|(known, _)| covers(known)).max_by_key(|(known, _)| known.len());
    match longest {
        Some((_, dialects)) => dialects.clone(),
        None if entry.paths.is_empty() => entry.base.keys().copied().collect(),
        None => Vec::new(),
    }
}

/// The provider whose own address this is.
pub fn provider_at(url: &str) -> Option<Provider> {
    by_host(url)?.provider
}

/// Why a declaration is of no use: the key, the fault, and the nearest known name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {fault}")]
pub struct GatewayFault {
    /// The key that is wrong.
    pub key: String,
    /// What is wrong with it.
    pub fault: String,
    /// The known name that looks most like the one written.
    pub nearest: Option<String>,
}

fn fault(key: &str, fault: impl Into<String>) -> GatewayFault {
    GatewayFault { key: key.into(), fault: fault.into(), nearest: None }
}

impl Gateway {
    /// Lays a declaration over its preset, or over what its host tells.
    ///
    /// # Errors
    /// The key that is wrong: an unknown preset, a missing address or variable, dialects that nothing tells.
    pub fn new(name: &str, declared: &Declaration) -> Result<Self, GatewayFault> {
        if !is_name(name) {
            return Err(fault(
                "",
                format!("{name:?} cannot name a gateway; use letters, digits, -, _ and ."),
            ));
        }
        let url = declared.base_url.as_deref().map(|url| url.trim_end_matches('/'));
        if url.is_some_and(|url| host_and_path(url).is_none()) {
            return Err(fault("base_url", "wants an address that begins with https:// or http://"));
        }
        let preset = match &declared.preset {
            None => None,
            Some(id) => Some(known().iter().find(|known| known.id == *id).ok_or_else(|| GatewayFault {
                key: "preset".into(),
                fault: format!(
                    "there is no preset {id:?}; known are {}",
                    presets().collect::<Vec<_>>().join(", ")
                ),
                nearest: nearest(id, presets()).map(str::to_owned),
            })?),
        };
        let known = match preset {
            Some(known) => known.clone(),
            None => url.and_then(by_host).cloned().unwrap_or_default(),
        };
        let mut bases = match (preset, url) {
            (Some(known), url) if url.is_none() || known.base.values().any(|base| base.contains("{url}")) => {
                known
                    .base
                    .iter()
                    .map(|(dialect, base)| Ok((*dialect, fill(base, url, &declared.vars)?)))
                    .collect::<Result<Vec<_>, GatewayFault>>()?
            }
            (_, Some(url)) => {
                let told = match &declared.dialects {
                    said if !said.is_empty() => said.clone(),
                    _ => dialects_at(url),
                };
                told.into_iter().map(|dialect| (dialect, url.to_owned())).collect()
            }
            (_, None) => return Err(fault("base_url", "is missing, and no preset tells it")),
        };
        if !declared.dialects.is_empty() {
            let place = |dialect: &Dialect| declared.dialects.iter().position(|said| said == dialect);
            bases.retain(|(dialect, _)| place(dialect).is_some());
            bases.sort_by_key(|(dialect, _)| place(dialect));
        }
        if bases.is_empty() {
            let shapes = "messages, responses, chat or gemini";
            return Err(fault("dialects", format!("is missing: say what it speaks, of {shapes}")));
        }
        let models =
            declared.models.iter().map(|(id, wire)| (super::catalogue::fold(id), wire.clone())).collect();
        Ok(Self {
            name: name.to_owned(),
            credential: declared.credential.clone(),
            provider: known.provider,
            translate: declared.translate.unwrap_or(true),
            models,
            known,
            bases,
            declared: declared.clone(),
        })
    }

    /// The same gateway at another address, calling models otherwise, or in another's account.
    ///
    /// # Errors
    /// As [`Gateway::new`].
    pub fn with(
        &self,
        base_url: Option<&str>,
        models: &BTreeMap<String, String>,
        vars: &BTreeMap<String, String>,
    ) -> Result<Self, GatewayFault> {
        let mut declared = self.declared.clone();
        if let Some(url) = base_url {
            declared.base_url = Some(url.to_owned());
        }
        declared.models.extend(models.clone());
        declared.vars.extend(vars.clone());
        Self::new(&self.name, &declared)
    }

    /// Whether the declaration says what this model is called.
    pub fn names(&self, model: &str) -> bool {
        self.models.contains_key(&super::catalogue::fold(model))
    }

    /// What it speaks, preferred first.
    pub fn dialects(&self) -> impl Iterator<Item = Dialect> + '_ {
        self.bases.iter().map(|(dialect, _)| *dialect)
    }

    /// Where `dialect` is spoken.
    pub fn base_url(&self, dialect: Dialect) -> Option<&str> {
        self.bases.iter().find(|(spoken, _)| *spoken == dialect).map(|(_, base)| base.as_str())
    }

    /// What it calls a model: as the declaration says, by whatever id, or as a model of the catalogue is called there.
    pub fn wire(&self, typed: &str, model: Option<&Model>, dialect: Dialect) -> Option<String> {
        let spelled = |id: &str| self.models.get(&super::catalogue::fold(id)).cloned();
        let alias =
            spelled(typed).or_else(|| model.and_then(|m| spelled(&m.id).or_else(|| spelled(&m.wire))));
        alias.or_else(|| Some(self.called(model?, dialect)))
    }

    fn called(&self, model: &Model, dialect: Dialect) -> String {
        let template = match &self.known {
            known if dialect == Dialect::Chat && !known.wire_chat.is_empty() => &known.wire_chat,
            known => &known.wire,
        };
        // What OpenRouter serves carries its maker's name already.
        let (maker, bare) = model.wire.split_once('/').unwrap_or((model.provider.as_str(), &model.wire));
        let own = self.provider == Some(model.provider);
        match template.as_str() {
            _ if own => model.wire.clone(),
            "" => bare.to_owned(),
            template => {
                template.replace("{provider}", maker).replace("{wire}", bare).replace("{id}", &model.id)
            }
        }
    }

    /// The endpoint for `dialect`, with everything that a request to it needs.
    pub fn endpoint(&self, dialect: Dialect) -> Endpoint {
        let (known, declared) = (&self.known, &self.declared);
        let auth = declared.auth.as_deref().unwrap_or(&known.auth);
        let mut headers = known.headers.get(&dialect).cloned().unwrap_or_default();
        headers
            .extend(declared.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
        let mut deny_fields = known.deny_fields.get(&dialect).cloned().unwrap_or_default();
        deny_fields
            .extend(declared.deny_fields.iter().filter(|field| !known_field(known, dialect, field)).cloned());
        Endpoint {
            name: self.name.clone(),
            title: if known.title.is_empty() { self.name.clone() } else { known.title.clone() },
            auth: if auth == "bearer" { String::new() } else { auth.to_ascii_lowercase() },
            scheme: if declared.auth.is_some() { String::new() } else { known.scheme.clone() },
            headers,
            deny_fields,
            deny_betas: declared.deny_betas.clone(),
            versionless: known.versionless.contains(&dialect),
            codex: known.codex.clone(),
            warning: known.warning.clone(),
        }
    }
}

fn known_field(known: &Known, dialect: Dialect, field: &str) -> bool {
    known.deny_fields.get(&dialect).is_some_and(|fields| fields.iter().any(|known| known == field))
}

/// An address with its `{names}` filled in.
fn fill(template: &str, url: Option<&str>, vars: &BTreeMap<String, String>) -> Result<String, GatewayFault> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { break };
        filled.push_str(before);
        let value = if name == "url" { url } else { vars.get(name).map(String::as_str) };
        match value.map(str::trim).filter(|value| !value.is_empty()) {
            // An upstream's address is part of the path as it is; every other name must stay within its segment.
            Some(value) if name == "url" || name == "upstream" => {
                filled.push_str(value.trim_end_matches('/'))
            }
            Some(value) if is_name(value) => filled.push_str(value),
            Some(_) => return Err(fault(&format!("vars.{name}"), "wants letters, digits, -, _ and . only")),
            None if name == "url" => return Err(fault("base_url", "is missing; this preset needs it")),
            None => return Err(fault(&format!("vars.{name}"), "is missing; the preset's address needs it")),
        }
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
#[path = "gateways_tests.rs"]
mod tests;
