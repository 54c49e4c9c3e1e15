//! Planning: one request and the facts of the machine in, a route or a refusal out.
mod attached;
mod ways;

pub use ways::alternatives;

use super::{
    AuthMode, AuthStep, Catalogue, Dialect, Facts, PlanRequest, Provider, Refusal, Route,
    catalogue::{ExecutorEntry, Model, Speaks, Unknown},
    policy::Preset,
    short_credential,
};
use attached::Paying;

/// Every rule that planning can refuse by, and its few words for a narrow column.
pub const RULES: [(&str, &str); 26] = [
    ("executor.unknown", "no such executor"),
    ("executor.disabled", "disabled by policy"),
    ("policy.broken", "policy line broken"),
    ("model.unknown", "no such model"),
    ("model.not-for-executor", "not in this preset"),
    ("model.disabled", "disabled by policy"),
    ("auth.forced", "policy forces another payer"),
    ("auth.none", "log in or add a key"),
    ("auth.rehearsal", "this session rehearses"),
    ("byok.unsupported", "no BYOK here"),
    ("byok.native-only", "not on this key"),
    ("byok.no-key", "no key"),
    ("credits.no-key", "no key"),
    ("login.unsupported", "has no login"),
    ("login.absent", "not logged in"),
    ("dialect.untranslated", "needs translation"),
    ("dialect.unspoken", "no adapter"),
    ("vault.unknown", "no such vault"),
    ("vault.two-llm", "two vaults pay"),
    ("vault.bound-credential", "bound credential"),
    ("vault.reserved-key", "reserved key"),
    ("vault.engine-mismatch", "not this vault"),
    ("vault.shape-mismatch", "wrong wire shape"),
    ("vault.no-key", "no key"),
    ("gateway.shape-mismatch", "wrong wire shape"),
    ("gateway.unusable", "gateway not usable"),
];

/// Decides where the requests of an executor go and who pays.
///
/// The auth mode is chosen in this order, of which only configured ways take part: the explicit choice, policy, the
/// attached vault, the executor's BYOK key, the CLI's own login, the provider keys of this machine. Whatever was chosen
/// is never replaced by another way when it fails.
///
/// # Errors
/// The rule that forbids it, the reason, and what the person can do instead: first the [`alternatives`], in their
/// order, then what needs a hand outside.
pub fn plan(request: &PlanRequest, facts: &Facts) -> Result<Route, Refusal> {
    decide(request, facts).map_err(|mut refusal| {
        let ways = alternatives(request, facts).into_iter().map(|(text, _)| text);
        refusal.remedies = ways.chain(refusal.remedies).collect();
        refusal
    })
}

fn refuse(rule: &'static str, reason: String, remedies: impl IntoIterator<Item = String>) -> Refusal {
    Refusal { rule: rule.into(), reason, remedies: remedies.into_iter().collect() }
}

/// `an OpenAI`, `a Google`.
fn article(provider: Provider) -> String {
    let title = provider.title();
    let vowel = title.starts_with(['A', 'E', 'I', 'O', 'U', 'x']);
    format!("{} {title}", if vowel { "an" } else { "a" })
}

fn unknown(rule: &'static str, what: &str, unknown: Unknown) -> Refusal {
    let reason = format!("there is no {what} {:?}; known are {}", unknown.name, unknown.known.join(", "));
    refuse(rule, reason, unknown.nearest.map(|nearest| format!("did you mean {nearest}?")))
}

/// The refusal of an executor that nobody knows.
pub fn refusal_of_unknown_executor(error: Unknown) -> Refusal {
    unknown("executor.unknown", "executor", error)
}

/// The answer without the alternatives.
fn decide(request: &PlanRequest, facts: &Facts) -> Result<Route, Refusal> {
    let catalogue = Catalogue::builtin();
    let executor =
        facts.executor(&request.executor).map_err(|e| unknown("executor.unknown", "executor", e))?;
    let mut planning = Planning { request, facts, catalogue, executor, vault: None };
    planning.executor_allowed()?;
    if !request.rehearse {
        planning.vault = planning.attached_vault()?;
    }
    let (auth, step) = planning.choose_auth()?;
    match (step, auth) {
        (AuthStep::Rehearsal, _) => planning.rehearsal(),
        (_, AuthMode::Login) => planning.login(step),
        (_, AuthMode::Byok) => planning.byok(step),
        (_, AuthMode::Credits) => planning.credits(step),
    }
}

struct Planning<'a> {
    request: &'a PlanRequest,
    facts: &'a Facts,
    catalogue: &'static Catalogue,
    executor: &'a ExecutorEntry,
    /// The attached vault that pays for models.
    vault: Option<Paying<'a>>,
}

impl Planning<'_> {
    fn executor_allowed(&self) -> Result<(), Refusal> {
        let id = &self.executor.id;
        if let Some(rule) = self.facts.policy.broken(id) {
            let reason = format!("{} cannot be understood ({}), so {id} stays off", rule.origin, rule.value);
            return Err(refuse("policy.broken", reason, [format!("correct {}", rule.origin)]));
        }
        if let Some(origin) = self.facts.policy.disabled(id) {
            let reason = format!("{id} is disabled by policy ({origin})");
            return Err(refuse("executor.disabled", reason, [format!("ask whoever keeps {}", origin.file)]));
        }
        Ok(())
    }

    fn choose_auth(&self) -> Result<(AuthMode, AuthStep), Refusal> {
        let (id, request) = (&self.executor.id, self.request);
        if request.rehearse {
            return match request.auth {
                None | Some(AuthMode::Credits) => Ok((AuthMode::Credits, AuthStep::Rehearsal)),
                Some(other) => Err(refuse(
                    "auth.rehearsal",
                    format!(
                        "every route of this session goes to rehearsal, so {other} cannot be chosen in it"
                    ),
                    ["open a session without --rehearse".to_owned()],
                )),
            };
        }
        match (request.auth, self.facts.policy.auth_method(id)) {
            (Some(wanted), Some(forced)) if wanted != forced.value => Err(refuse(
                "auth.forced",
                format!(
                    "policy forces {} for {id} ({}), so {wanted} cannot be chosen",
                    forced.value, forced.origin
                ),
                [],
            )),
            (Some(wanted), _) => Ok((wanted, AuthStep::Explicit)),
            (None, Some(forced)) => match &self.vault {
                // Whoever attached a vault wants it to pay; another way would be a silent exchange.
                Some(vault) if vault.mode != forced.value => Err(refuse(
                    "auth.forced",
                    format!(
                        "policy forces {} for {id} ({}), and the attached vault {} pays by {}",
                        forced.value, forced.origin, vault.name, vault.mode
                    ),
                    [],
                )),
                _ => Ok((forced.value, AuthStep::Policy)),
            },
            (None, None) if self.vault.is_some() => {
                Ok((self.vault.as_ref().map_or(AuthMode::Credits, |vault| vault.mode), AuthStep::Vault))
            }
            (None, None) if self.has_byok() => Ok((AuthMode::Byok, AuthStep::ByokKey)),
            (None, None) if self.logged_in() => Ok((AuthMode::Login, AuthStep::CliLogin)),
            (None, None) if !self.facts.provider_keys.is_empty() || !self.facts.via.is_empty() => {
                Ok((AuthMode::Credits, AuthStep::ProviderKey))
            }
            (None, None) => Err(self.no_auth()),
        }
    }

    fn has_byok(&self) -> bool {
        let id = &self.executor.id;
        self.facts.byok.contains_key(id) || self.facts.byok_each.get(id).is_some_and(|keys| !keys.is_empty())
    }

    fn logged_in(&self) -> bool {
        self.executor.login && self.facts.logins.get(&self.executor.id).copied().unwrap_or(false)
    }

    fn no_auth(&self) -> Refusal {
        let id = &self.executor.id;
        let login = self.executor.login.then(|| self.how_to_log_in());
        let byok =
            self.executor.native.filter(|_| !self.executor.byok.is_empty()).map(|p| self.how_to_add_byok(p));
        let wanted = self.request.model.as_deref().unwrap_or(&self.executor.default_model);
        let provider = self.catalogue.model(wanted).map(|m| m.provider).ok().or(self.executor.native);
        let credits = provider.map(|p| self.how_to_add_credits(p));
        let rehearse = Some("rehearse: --rehearse needs no key and no network".to_owned());
        let way = if self.executor.login {
            "is not logged in and no key is configured"
        } else {
            "has no key configured"
        };
        refuse("auth.none", format!("{id} {way}"), [login, byok, credits, rehearse].into_iter().flatten())
    }

    fn how_to_log_in(&self) -> String {
        format!("log in: run `{}` in a shell pane once", self.executor.id)
    }

    fn how_to_add_byok(&self, native: Provider) -> String {
        let id = &self.executor.id;
        format!("your own key: `{id} = \"env:{}\"` under [byok] in config.toml", self.key_env(native))
    }

    fn how_to_add_credits(&self, provider: Provider) -> String {
        let name = self.key_env(provider);
        format!(
            "credits: set {name} where you attach, or `{provider} = \"env:{name}\"` under [credits] in config.toml"
        )
    }

    fn key_env(&self, provider: Provider) -> &str {
        let entry = self.catalogue.provider(provider);
        entry.and_then(|p| p.key_env.first()).map_or("API_KEY", String::as_str)
    }

    /// The model that gateway routes run: known, taken by the executor under the preset, and not disabled.
    fn catalogue_model(&self) -> Result<&'static Model, Refusal> {
        let id = &self.executor.id;
        let name = self.request.model.as_deref().unwrap_or(&self.executor.default_model);
        let model = self.catalogue.model(name).map_err(|e| unknown("model.unknown", "model", e))?;
        let preset = self.facts.policy.preset();
        let title = &model.id;
        if let Some(only) = model.only.as_ref().filter(|only| *only != id) {
            let reason = format!("{title} is {only}'s own routing between models, which {id} cannot do");
            return Err(refuse("model.not-for-executor", reason, []));
        }
        // The matrix says nothing of executors that the settings declare: what they speak decides.
        let declared = self.facts.declared.iter().any(|entry| entry.id == *id);
        if preset == Preset::AgentComputer && !model.taken_by(id) && !declared {
            let reason = format!("{id} does not take {title} under the preset {preset}");
            let open = "an administrator can set `preset = \"open\"` in policy.toml";
            return Err(refuse("model.not-for-executor", reason, [open.to_owned()]));
        }
        self.model_enabled(&[name, &model.id, &model.wire])?;
        Ok(model)
    }

    fn model_enabled(&self, names: &[&str]) -> Result<(), Refusal> {
        let id = &self.executor.id;
        match self.facts.policy.model_disabled(id, names) {
            None => Ok(()),
            Some(rule) => {
                let name = names.get(1).or(names.first()).copied().unwrap_or_default();
                let mut reason = format!("{name} is disabled for {id} by policy ({})", rule.origin);
                if self.request.model.is_none() {
                    reason.push_str("; it is the executor's default, so pick another");
                }
                Err(refuse("model.disabled", reason, []))
            }
        }
    }

    /// What the harness speaks and what the provider is spoken to in; they differ only where `translated` allows it.
    fn dialects(&self, model: &Model, translated: bool) -> Result<(Dialect, Dialect), Refusal> {
        let (id, provider) = (&self.executor.id, model.provider);
        let harness = self.executor.dialect(provider).ok_or_else(|| {
            refuse("dialect.unspoken", format!("{id} has no adapter for {}", provider.title()), [])
        })?;
        let spoken = self.catalogue.provider(provider).map(|p| p.dialects.as_slice()).unwrap_or_default();
        if spoken.contains(&harness) {
            return Ok((harness, harness));
        }
        match spoken.first() {
            Some(upstream) if translated => Ok((harness, *upstream)),
            _ => {
                let theirs = spoken.iter().map(|d| d.as_str()).collect::<Vec<_>>().join(" and ");
                let reason = format!(
                    "{id} speaks {harness}, {} speaks {theirs}, and nothing translates between them here",
                    provider.title()
                );
                Err(refuse("dialect.untranslated", reason, []))
            }
        }
    }

    fn base_url(&self, provider: Provider) -> String {
        let catalogue = || self.catalogue.provider(provider).map(|p| p.base_url.clone());
        let url = self.facts.base_urls.get(&provider).cloned().or_else(catalogue).unwrap_or_default();
        url.trim_end_matches('/').to_owned()
    }

    /// A route through the gateway to a provider of the catalogue.
    fn through_gateway(
        &self,
        model: &Model,
        (auth, step): (AuthMode, AuthStep),
        (harness_dialect, upstream_dialect): (Dialect, Dialect),
        credential: &str,
    ) -> Route {
        Route {
            executor: self.executor.id.clone(),
            model: Some(model.id.clone()),
            wire_model: Some(model.wire.clone()),
            auth,
            harness_dialect,
            upstream_dialect,
            provider: model.provider,
            base_url: self.base_url(model.provider),
            credential: credential.to_owned(),
            payer: credential.to_owned(),
            step,
            outside_reference: !model.in_reference(&self.executor.id),
            verified: true,
            gateway: self.facts.endpoints.get(&model.provider).cloned(),
            inject: false,
        }
    }

    fn rehearsal(&self) -> Result<Route, Refusal> {
        let model = self.catalogue_model()?;
        // Rehearsal answers in whatever is spoken to it, so no pair needs translation.
        let dialect = self.executor.dialect(model.provider).ok_or_else(|| {
            let reason = format!("{} has no adapter for {}", self.executor.id, model.provider.title());
            refuse("dialect.unspoken", reason, [])
        })?;
        let paid = (AuthMode::Credits, AuthStep::Rehearsal);
        Ok(Route {
            provider: Provider::Rehearsal,
            base_url: String::new(),
            credential: String::new(),
            payer: "rehearsal".into(),
            gateway: None,
            ..self.through_gateway(model, paid, (dialect, dialect), "")
        })
    }

    fn byok(&self, step: AuthStep) -> Result<Route, Refusal> {
        let id = &self.executor.id;
        let vault = self.vault.as_ref().filter(|vault| vault.mode == AuthMode::Byok);
        let native = self.executor.native.filter(|_| !self.executor.byok.is_empty());
        let model = match native {
            Some(_) => self.catalogue_model()?,
            // A CLI without a home provider pays each provider with that provider's key, where policy is open.
            None if self.facts.policy.preset() == Preset::Open && self.executor.login => {
                self.catalogue_model()?
            }
            None => {
                let drop_key =
                    (step == AuthStep::ByokKey).then(|| format!("remove `{id}` under [byok] in config.toml"));
                let reason = format!(
                    "{id} has no provider of its own, so it takes no key of yours, only credits or its login"
                );
                return Err(refuse("byok.unsupported", reason, drop_key));
            }
        };
        let native = native.unwrap_or(model.provider);
        if model.provider != native {
            let reason =
                format!("your {} key cannot pay for {} model", native.title(), article(model.provider));
            return Err(refuse("byok.native-only", reason, []));
        }
        let listed = self.executor.native.is_none() || self.executor.byok.contains(&model.id);
        if self.facts.policy.preset() == Preset::AgentComputer && !listed {
            let reason = format!(
                "{} is not among the BYOK models of {id}: {}",
                model.id,
                self.executor.byok.join(", ")
            );
            return Err(refuse("byok.native-only", reason, []));
        }
        let each = || self.facts.byok_each.get(id).and_then(|keys| keys.get(&native));
        let credential = match vault {
            Some(vault) => {
                vault.must_have_key()?;
                vault.must_serve(native)?;
                vault.credential()
            }
            None => match self.facts.byok.get(id).or_else(each) {
                Some(credential) => self.present("byok.no-key", credential)?,
                None => {
                    let reason = format!("no {} key is configured for {id}", native.title());
                    return Err(refuse("byok.no-key", reason, [self.how_to_add_byok(native)]));
                }
            },
        };
        let dialects = self.dialects(model, false)?;
        let route = self.through_gateway(model, (AuthMode::Byok, step), dialects, &credential);
        Ok(Route {
            inject: self.facts.inject.contains(id),
            base_url: vault.and_then(Paying::base_url).unwrap_or(route.base_url),
            ..route
        })
    }

    fn credits(&self, step: AuthStep) -> Result<Route, Refusal> {
        if let Some(vault) = self.vault.as_ref().filter(|vault| vault.mode == AuthMode::Credits) {
            vault.must_have_key()?;
            return self.by_vault(vault, step);
        }
        let model = self.catalogue_model()?;
        if let Some(name) = self.facts.via.get(&model.provider) {
            return self.by_declared(name, step);
        }
        let Some(credential) = self.facts.provider_keys.get(&model.provider) else {
            let reason =
                format!("this machine has no {} key to serve {} with", model.provider.title(), model.id);
            return Err(refuse("credits.no-key", reason, [self.how_to_add_credits(model.provider)]));
        };
        let credential = self.present("credits.no-key", credential)?;
        let dialects = self.dialects(model, true)?;
        Ok(self.through_gateway(model, (AuthMode::Credits, step), dialects, &credential))
    }

    /// The reference, unless it is known that nothing is behind it now.
    fn present(&self, rule: &'static str, credential: &str) -> Result<String, Refusal> {
        if !self.facts.absent.contains(credential) {
            return Ok(credential.to_owned());
        }
        let short = short_credential(credential);
        let reason = format!("{short} is configured for {}, and no key is there now", self.executor.id);
        let way = match credential.strip_prefix("env:") {
            Some(name) => format!("attach, or run any inspan command, from a terminal where {name} is set"),
            None => format!("see what is wrong with it: inspan vault test {credential}"),
        };
        Err(refuse(rule, reason, [way]))
    }

    /// The CLI's own account: the matrix does not bind, and whatever id the CLI takes may be typed.
    fn login(&self, step: AuthStep) -> Result<Route, Refusal> {
        let id = &self.executor.id;
        if !self.executor.login {
            let reason = format!("{} has no account of its own to log in to", self.executor.title);
            return Err(refuse("login.unsupported", reason, []));
        }
        if !self.logged_in() {
            let reason = format!("{} is not logged in on this machine", self.executor.title);
            return Err(refuse("login.absent", reason, [self.how_to_log_in()]));
        }
        let picked = self.request.model.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let known = picked.and_then(|name| self.catalogue.model(name).ok());
        if let Some(name) = picked {
            // It becomes an argument of the CLI, where a dash would make it an option.
            if name.starts_with('-') || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(refuse("model.unknown", format!("{name:?} cannot be the id of a model"), []));
            }
            let spellings = known.map(|m| [m.id.as_str(), m.wire.as_str()]);
            let names: Vec<&str> = std::iter::once(name).chain(spellings.into_iter().flatten()).collect();
            self.model_enabled(&names)?;
        }
        let (provider, wire_model) = self.account_model(picked, known)?;
        let dialect = self.executor.dialect(provider).unwrap_or(Dialect::Chat);
        // The account serves its own provider's models; a CLI without a home provider may be logged in to any.
        let confirmed = |model: &Model| {
            self.executor.native.is_none_or(|native| native == model.provider)
                && model.only.as_ref().is_none_or(|only| only == id)
        };
        Ok(Route {
            executor: id.clone(),
            model: known.map(|m| m.id.clone()).or_else(|| picked.map(str::to_owned)),
            wire_model,
            auth: AuthMode::Login,
            harness_dialect: dialect,
            upstream_dialect: dialect,
            provider,
            base_url: String::new(),
            credential: String::new(),
            payer: "your login".into(),
            step,
            outside_reference: match known {
                Some(model) => !model.in_reference(id),
                None => picked.is_some() || !self.executor.reference,
            },
            verified: picked.is_none() || known.is_some_and(confirmed),
            gateway: None,
            inject: false,
        })
    }

    /// Whom the CLI's account asks and what its model flag says, for the model that the person picked.
    fn account_model(
        &self,
        picked: Option<&str>,
        known: Option<&Model>,
    ) -> Result<(Provider, Option<String>), Refusal> {
        let prefix_of = |provider| self.catalogue.provider(provider).and_then(|p| p.prefixes.first());
        let default = || {
            self.catalogue.model(&self.executor.default_model).map_or(Provider::OpenRouter, |m| m.provider)
        };
        match (&self.executor.speaks, picked, known) {
            (Speaks::Each(_), Some(_), Some(model)) => {
                let prefix = prefix_of(model.provider).map_or(model.provider.as_str(), String::as_str);
                Ok((model.provider, Some(format!("{prefix}/{}", model.wire))))
            }
            (Speaks::Each(_), Some(name), None) => {
                let Some((prefix, _)) = name.split_once('/') else {
                    let (id, reason) = (&self.executor.id, format!("{:?} names no provider", name));
                    return Err(refuse(
                        "model.unknown",
                        reason,
                        [format!("{id} takes provider/model: write `PROVIDER/{name}`")],
                    ));
                };
                let provider =
                    self.catalogue.providers.iter().find(|p| p.prefixes.iter().any(|known| known == prefix));
                Ok((provider.map_or_else(default, |p| p.id), Some(name.to_owned())))
            }
            (_, _, known) => {
                let wire = known.map(|m| m.wire.clone()).or_else(|| picked.map(str::to_owned));
                Ok((self.executor.native.unwrap_or_else(default), wire))
            }
        }
    }
}

#[cfg(test)]
mod attached_tests;
#[cfg(test)]
mod tests;
