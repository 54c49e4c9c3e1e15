//! Routes that a vault or a declared gateway pays for.
use super::{Planning, refuse};
use crate::router::{
    AuthMode, AuthStep, Declaration, Dialect, Gateway, Provider, Refusal, Route, VaultEntry,
    catalogue::{Model, Speaks},
    check_engine, llm_vault,
    policy::Preset,
    presets, provider_at,
};

/// The attached vault that pays for models.
pub(super) struct Paying<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// How it pays: at the executor's own provider, or anywhere else.
    pub(super) mode: AuthMode,
    entry: &'a VaultEntry,
    missing: Option<&'a str>,
}

impl Paying<'_> {
    /// The reference of its pool.
    pub(super) fn credential(&self) -> String {
        format!("vault:{}", self.name)
    }

    /// Its own address, where it names one.
    pub(super) fn base_url(&self) -> Option<String> {
        self.entry.base_url.as_deref().map(|url| url.trim_end_matches('/').to_owned())
    }

    /// Refuses when none of its credentials has a secret now.
    pub(super) fn must_have_key(&self) -> Result<(), Refusal> {
        let Some(missing) = self.missing else { return Ok(()) };
        let reason = format!("the attached vault {} has no key now: {missing}", self.name);
        let way = format!("see what is wrong with it: inspan vault test {}", self.name);
        Err(refuse("vault.no-key", reason, [way]))
    }

    /// Refuses when its address is another provider's.
    pub(super) fn must_serve(&self, provider: Provider) -> Result<(), Refusal> {
        let theirs = self.entry.base_url.as_deref().and_then(provider_at);
        match theirs.filter(|theirs| *theirs != provider) {
            None => Ok(()),
            Some(theirs) => {
                let reason = format!("the key of vault {} is for {}", self.name, theirs.title());
                Err(refuse("byok.native-only", reason, []))
            }
        }
    }
}

impl<'a> Planning<'a> {
    /// The vault of the session that pays for models, checked against the executor.
    pub(super) fn attached_vault(&self) -> Result<Option<Paying<'a>>, Refusal> {
        check_engine(&self.executor.id, &self.facts.attached)?;
        let Some((name, entry)) = llm_vault(&self.facts.attached)? else { return Ok(None) };
        let missing = self.facts.attached.iter().find(|vault| vault.name == name);
        let at = entry.base_url.as_deref().map(provider_at);
        // An address that is nobody's own is a gateway's, whatever stands behind it.
        let mode = match (at, &entry.gateway, self.executor.native) {
            (None, None, Some(_)) => AuthMode::Byok,
            (Some(Some(theirs)), None, Some(native)) if theirs == native => AuthMode::Byok,
            (Some(Some(_)), None, None) if self.facts.policy.preset() == Preset::Open => AuthMode::Byok,
            _ => AuthMode::Credits,
        };
        Ok(Some(Paying { name, mode, entry, missing: missing.and_then(|vault| vault.missing.as_deref()) }))
    }

    /// A route paid by the attached vault, through the gateway that it names or at the address that it gives.
    pub(super) fn by_vault(&self, vault: &Paying<'_>, step: AuthStep) -> Result<Route, Refusal> {
        let entry = vault.entry;
        let unusable = |fault: String| {
            let reason = format!("vault {} cannot be used: {fault}", vault.name);
            refuse(
                "gateway.unusable",
                reason,
                [format!("add it anew: inspan vault add {} --replace …", vault.name)],
            )
        };
        let own = |preset: Option<&String>| {
            let told = entry.base_url.as_deref().map(crate::router::dialects_at).unwrap_or_default();
            let dialects = match (&entry.dialects, preset) {
                (said, _) if !said.is_empty() => said.clone(),
                // An address that tells nothing is taken at the engine's word, as whoever named the engine meant it.
                (_, None) if told.is_empty() => self.spoken(),
                _ => Vec::new(),
            };
            Declaration {
                preset: preset.cloned(),
                base_url: entry.base_url.clone(),
                dialects,
                models: entry.models.clone(),
                vars: entry.vars.clone(),
                ..Declaration::default()
            }
        };
        let gateway = match &entry.gateway {
            Some(name) => match self.facts.gateways.get(name) {
                Some(declared) => declared.with(entry.base_url.as_deref(), &entry.models, &entry.vars),
                None if presets().any(|preset| preset == name) => Gateway::new(vault.name, &own(Some(name))),
                None => {
                    let why = self.facts.broken_gateways.get(name);
                    let why = why.map_or_else(|| "is not declared".to_owned(), Clone::clone);
                    return Err(unusable(format!("its gateway {name} {why}")));
                }
            },
            None => Gateway::new(vault.name, &own(None)),
        };
        let gateway = gateway.map_err(|fault| unusable(fault.to_string()))?;
        self.by_gateway(&gateway, step, &vault.credential(), ("vault.shape-mismatch", vault.name))
    }

    /// A route through a gateway of the configuration, that a provider's models are asked from.
    pub(super) fn by_declared(&self, name: &str, step: AuthStep) -> Result<Route, Refusal> {
        let unusable =
            |why: &str, way: String| refuse("gateway.unusable", format!("the gateway {name} {why}"), [way]);
        let Some(gateway) = self.facts.gateways.get(name) else {
            let why = self.facts.broken_gateways.get(name).map_or("is not declared", String::as_str);
            return Err(unusable(why, format!("declare it under [gateways.{name}] in config.toml")));
        };
        let Some(credential) = &gateway.credential else {
            let way = format!("add `credential = \"env:NAME\"` under [gateways.{name}] in config.toml");
            return Err(unusable("has no credential", way));
        };
        let credential = self.present("credits.no-key", credential)?;
        self.by_gateway(gateway, step, &credential, ("gateway.shape-mismatch", name))
    }

    /// What the executor speaks, whoever serves it.
    fn spoken(&self) -> Vec<Dialect> {
        match &self.executor.speaks {
            Speaks::One(dialect) => vec![*dialect],
            Speaks::Each(by_provider) => {
                let mut spoken: Vec<Dialect> = by_provider.values().copied().collect();
                spoken.dedup();
                spoken
            }
        }
    }

    fn by_gateway(
        &self,
        gateway: &Gateway,
        step: AuthStep,
        credential: &str,
        (rule, named): (&'static str, &str),
    ) -> Result<Route, Refusal> {
        let id = &self.executor.id;
        let (display, model) = self.gateway_model(gateway)?;
        // A maker's own address serves that maker's models; OpenRouter serves everybody's.
        let elsewhere = gateway.provider.filter(|provider| {
            *provider != Provider::OpenRouter && model.is_some_and(|model| model.provider != *provider)
        });
        let preferred = model.and_then(|model| self.executor.dialect(model.provider));
        let spoken = preferred.into_iter().chain(self.spoken());
        let (harness, upstream) = match spoken.clone().find(|dialect| gateway.base_url(*dialect).is_some()) {
            Some(shared) => (shared, shared),
            None => {
                let theirs = gateway.dialects().map(Dialect::as_str).collect::<Vec<_>>().join(" and ");
                let harness = spoken.clone().next();
                match (harness, gateway.dialects().next()) {
                    (Some(harness), Some(upstream)) => {
                        let why = match elsewhere {
                            _ if !gateway.translate => "its declaration forbids to translate".to_owned(),
                            Some(maker) => format!("{} does not serve {display}", maker.title()),
                            None => String::new(),
                        };
                        if !why.is_empty() {
                            let reason = format!("{id} speaks {harness}, {named} speaks {theirs}, and {why}");
                            let way = format!("use an endpoint that speaks {harness}");
                            return Err(refuse(rule, reason, [way]));
                        }
                        (harness, upstream)
                    }
                    _ => return Err(refuse(rule, format!("{id} or {named} speaks nothing"), [])),
                }
            }
        };
        if let Some(provider) = elsewhere {
            let reason = format!("{named} is {}, which does not serve {display}", provider.title());
            return Err(refuse("byok.native-only", reason, []));
        }
        let wire = gateway.wire(&display, model, upstream);
        if let Some(wire) = &wire {
            self.model_enabled(&[&display, &display, wire])?;
        }
        Ok(Route {
            executor: id.clone(),
            model: Some(display),
            wire_model: wire,
            auth: AuthMode::Credits,
            harness_dialect: harness,
            upstream_dialect: upstream,
            provider: gateway.provider.unwrap_or(Provider::Declared),
            base_url: gateway.base_url(upstream).unwrap_or_default().to_owned(),
            credential: credential.to_owned(),
            payer: credential.to_owned(),
            step,
            outside_reference: model.is_none_or(|model| !model.in_reference(id)),
            verified: true,
            gateway: Some(gateway.endpoint(upstream)),
            inject: false,
        })
    }

    /// The model that a gateway is asked for: one of the catalogue, or where policy is open one that only the gateway
    /// knows.
    fn gateway_model(&self, gateway: &Gateway) -> Result<(String, Option<&'static Model>), Refusal> {
        let typed = self.request.model.as_deref().unwrap_or(&self.executor.default_model);
        if self.catalogue.model(typed).is_ok() || !gateway.names(typed) {
            return self.catalogue_model().map(|model| (model.id.clone(), Some(model)));
        }
        if self.facts.policy.preset() == Preset::Open {
            return Ok((typed.to_owned(), None));
        }
        let reason = format!(
            "{typed} is a model of {} that the preset {} does not know",
            gateway.name,
            Preset::AgentComputer
        );
        let open = "an administrator can set `preset = \"open\"` in policy.toml";
        Err(refuse("model.not-for-executor", reason, [open.to_owned()]))
    }
}
