//! The settings in force, and how a user's text changes them.
mod executors;
mod merge;

pub use executors::{AutoInstall, Declaration, ExecutorSettings, Inject, Submit};

use super::{EXAMPLE, Problem, equipment::Equipment, schema};
use crate::router::{
    Budget, Catalogue, Credential, Declaration as GatewayDeclaration, Endpoint, ExecutorId, Facts, Gateway,
    GatewayFault, Policy, Provider, Span, nearest,
};
use executors::entry;
use merge::Merge;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

/// The word that switches an optional key off, since TOML has no empty value.
const NONE: &str = "none";

/// What stands before the name of a declared gateway that pays for a provider's models.
const GATEWAY: &str = "gateway:";

/// Everything that a user can set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The key that announces a command, in key notation.
    pub prefix: String,
    /// A second one; `none` when there is none. Read it by [`Settings::prefixes`].
    pub prefix2: String,
    /// Milliseconds to wait after Escape. Read it by [`Settings::escape_time`].
    escape_time: u64,
    /// The mouse chooses panes, moves borders and scrolls.
    pub mouse: bool,
    /// Whose keys copy mode has, `vi` or `emacs`.
    pub mode_keys: String,
    /// Rows of history that each pane keeps.
    pub history: usize,
    /// The theme's name.
    pub theme: String,
    /// The status line is shown.
    pub status: bool,
    /// The clock's strftime format; empty for none.
    pub clock: String,
    /// What starts when nobody says which executor.
    pub default_executor: ExecutorId,
    /// The user's own settings are read into overlay homes.
    pub inherit_user: bool,
    /// Harnesses may run every inspan command, not only read themselves.
    pub harness_authority: bool,
    /// Of the harnesses that work in one directory, one may write.
    pub writer_lease: bool,
    /// The attached terminal rings when a pane that nobody looks at is done or needs you.
    pub bell: bool,
    /// The attached terminal is sent a notification then, too.
    pub notify: bool,
    /// When notifications of panes are passed on.
    pub pane_notifications: PaneNotifications,
    /// Whether an attached terminal shows the progress of its pane.
    pub terminal_progress: TerminalProgress,
    /// Programs in panes may ask for the newest paste buffer.
    pub clipboard_read: bool,
    /// Seconds that a message stays in the status line.
    pub message_seconds: u64,
    /// Variables that each attach takes over.
    pub update_environment: Vec<String>,
    /// Which client decides how large a session is.
    pub window_size: WindowSize,
    /// Milliseconds in which a key that repeats needs no prefix. Read it by [`Settings::repeat_time`].
    repeat_time: u64,
    /// Key notation to command line, after the prefix; empty commands are unbound already.
    pub keys: BTreeMap<String, String>,
    /// The same for keys without the prefix.
    pub root_keys: BTreeMap<String, String>,
    /// Commands that run when something happens.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// Credential references by executor.
    pub byok: BTreeMap<ExecutorId, ByokKeys>,
    /// Credential references by provider, or `none`. Read it by [`Settings::provider_keys`].
    credits: BTreeMap<Provider, String>,
    /// Credits that a US dollar is shown as.
    pub credits_per_usd: u64,
    /// US dollars that may be spent in a pane, a session, a day. Read them by [`Settings::budgets`].
    #[serde(default)]
    budgets: BTreeMap<Span, f64>,
    /// What is set for a provider.
    #[serde(default)]
    pub providers: BTreeMap<Provider, ProviderSettings>,
    /// Gateways that are declared, by name.
    #[serde(default)]
    pub gateways: BTreeMap<String, GatewayDeclaration>,
    /// What is set for an executor.
    #[serde(default)]
    pub executors: BTreeMap<ExecutorId, ExecutorSettings>,
    /// What every harness is given beside its model.
    #[serde(skip)]
    pub equipment: Equipment,
    /// Where each value that is not a default was set, by dotted key.
    #[serde(skip)]
    pub origins: BTreeMap<String, Place>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

/// Which client decides how large a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowSize {
    /// The one whose keys came last.
    #[default]
    Latest,
    /// The smallest, so that everybody sees everything.
    Smallest,
    /// The largest; others see a part.
    Largest,
    /// None: it keeps the size that it was created with or that `resize-window` gave it.
    Manual,
}

/// When an attached terminal is sent the notifications of panes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaneNotifications {
    /// Always: it decides itself whether it shows them.
    #[default]
    Always,
    /// When it does not have the focus, or the pane does not have it there.
    Unfocused,
    /// Never.
    Never,
}

/// Whether an attached terminal is sent the progress of the pane that it looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TerminalProgress {
    /// When it is known to show progress.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A command that runs when something happens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// What happens.
    pub event: String,
    /// The command line.
    pub run: String,
}

/// A person's own keys for an executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ByokKeys {
    /// For its own provider.
    One(String),
    /// For each provider, of a CLI without one of its own.
    Each(BTreeMap<Provider, String>),
}

/// What is set for a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderSettings {
    /// Where it is reached instead of at its own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Headers that every request to it gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Top-level fields of the body that are taken out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_fields: Vec<String>,
    /// Globs of `anthropic-beta` words that are taken out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_betas: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        #[allow(
            clippy::expect_used,
            reason = "embedded text, parsed by a test; without it nothing has a meaning"
        )]
        static DEFAULTS: LazyLock<Settings> =
            LazyLock::new(|| toml::from_str(EXAMPLE).expect("the embedded defaults are complete"));
        DEFAULTS.clone()
    }
}

impl Settings {
    /// Lays texts over the defaults, later ones winning: `(file name, text)`.
    ///
    /// A key that is unknown or of the wrong type keeps what it had; so does every key of a line that is no TOML.
    pub fn parse(texts: &[(&str, &str)]) -> (Self, Vec<Problem>) {
        let mut merge = Merge { table: EXAMPLE.parse().unwrap_or_default(), ..Merge::default() };
        for (file, text) in texts {
            merge.text(file, text);
        }
        let Merge { table, mut problems, origins, equipment } = merge;
        match table.try_into::<Self>() {
            Ok(mut settings) => {
                settings.origins = origins;
                settings.equipment = equipment;
                problems.extend(settings.gateway_faults());
                settings.keys.retain(|_, command| !command.trim().is_empty());
                settings.root_keys.retain(|_, command| !command.trim().is_empty());
                (settings, problems)
            }
            // What passes the schema fits the struct (a test walks every key), so this says that the schema is wrong.
            Err(error) => {
                let file = texts.last().map_or("", |(file, _)| file).to_owned();
                let message = format!("{}; every key keeps its default", error.message());
                problems.push(Problem {
                    file,
                    line: 0,
                    column: 0,
                    key: String::new(),
                    message,
                    nearest: None,
                });
                (Self::default(), problems)
            }
        }
    }

    /// The prefix keys, in key notation.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        [self.prefix.as_str(), self.prefix2.as_str()].into_iter().filter(|key| *key != NONE)
    }

    /// How long to wait after Escape for the rest of a key sequence.
    pub fn escape_time(&self) -> Duration {
        Duration::from_millis(self.escape_time)
    }

    /// How long a key that repeats needs no prefix.
    pub fn repeat_time(&self) -> Duration {
        Duration::from_millis(self.repeat_time)
    }

    /// What is set for an executor; the defaults where nothing is.
    pub fn executor(&self, id: &ExecutorId) -> ExecutorSettings {
        self.executors.get(id).cloned().unwrap_or_default()
    }

    /// The credential references that `credits` may use: those set, and for every other provider its usual variable
    /// when `is_set` says that the client's environment has it.
    pub fn provider_keys(&self, is_set: impl Fn(&str) -> bool) -> BTreeMap<Provider, String> {
        let reference =
            |provider: &crate::router::catalogue::ProviderEntry| match self.credits.get(&provider.id) {
                Some(set) if set == NONE || set.starts_with(GATEWAY) => None,
                Some(set) => Some(set.clone()),
                None => provider.key_env.iter().find(|name| is_set(name)).map(|name| format!("env:{name}")),
            };
        let providers = &Catalogue::builtin().providers;
        providers.iter().filter_map(|p| Some((p.id, reference(p)?))).collect()
    }

    /// The providers whose models `credits` asks a declared gateway for.
    pub fn via(&self) -> BTreeMap<Provider, String> {
        let named =
            |(provider, set): (&Provider, &String)| Some((*provider, set.strip_prefix(GATEWAY)?.to_owned()));
        self.credits.iter().filter_map(named).collect()
    }

    /// The own keys of executors with one provider: those set, and for a CLI that looks for its key by itself the
    /// first of its variables that `is_set`, and behind them the key that is set for its provider.
    pub fn byok_keys(&self, is_set: impl Fn(&str) -> bool) -> BTreeMap<ExecutorId, String> {
        let found = |executor: &crate::router::catalogue::ExecutorEntry| {
            if let Some(keys) = self.byok.get(&executor.id) {
                return match keys {
                    ByokKeys::One(reference) => Some(reference.clone()),
                    ByokKeys::Each(_) => None,
                };
            }
            let variable =
                executor.key_env.iter().find(|name| is_set(name)).map(|name| format!("env:{name}"));
            let entry = || {
                let set = self.credits.get(&executor.native?)?;
                (!executor.key_env.is_empty() && set != NONE && !set.starts_with(GATEWAY))
                    .then(|| set.clone())
            };
            variable.or_else(entry)
        };
        Catalogue::builtin().executors.iter().filter_map(|e| Some((e.id.clone(), found(e)?))).collect()
    }

    /// The budgets that the person set.
    pub fn budgets(&self) -> Vec<Budget> {
        let origin = |span: Span| match self.origins.get(&format!("budgets.{span}")) {
            Some(place) => format!("{} line {}", place.file, place.line),
            None => "config.toml".to_owned(),
        };
        let budget = |(span, usd): (&Span, &f64)| Budget {
            span: *span,
            executor: None,
            usd: *usd,
            origin: origin(*span),
        };
        self.budgets.iter().map(budget).collect()
    }

    /// Every credential reference that is written down, for the vault to know.
    pub fn references(&self) -> Vec<String> {
        let byok = self.byok.values().flat_map(|keys| match keys {
            ByokKeys::One(reference) => vec![reference],
            ByokKeys::Each(by_provider) => by_provider.values().collect(),
        });
        let headers = |headers: &BTreeMap<String, String>| -> Vec<String> {
            headers.values().filter_map(|value| value.rsplit(' ').next()).map(str::to_owned).collect()
        };
        let gateways = self.gateways.values();
        let written = byok.chain(self.credits.values()).cloned();
        written
            .chain(gateways.clone().filter_map(|gateway| gateway.credential.clone()))
            .chain(gateways.flat_map(|gateway| headers(&gateway.headers)))
            .chain(self.providers.values().flat_map(|provider| headers(&provider.headers)))
            .filter(|reference| reference.parse::<Credential>().is_ok())
            .collect()
    }

    /// The declared gateways that are of use, and why the others are not.
    pub fn gateways(&self) -> (BTreeMap<String, Gateway>, BTreeMap<String, GatewayFault>) {
        let (mut sound, mut broken) = (BTreeMap::new(), BTreeMap::new());
        for (name, declared) in &self.gateways {
            match Gateway::new(name, declared) {
                Ok(gateway) => drop(sound.insert(name.clone(), gateway)),
                Err(fault) => drop(broken.insert(name.clone(), fault)),
            }
        }
        (sound, broken)
    }

    /// What is wrong with declared gateways, and where that is written.
    fn gateway_faults(&self) -> Vec<Problem> {
        let at = |key: &str, name: &str| {
            let table = format!("gateways.{name}.");
            let place = self.origins.get(key).or_else(|| {
                self.origins.iter().find(|(key, _)| key.starts_with(&table)).map(|(_, place)| place)
            });
            place.cloned().unwrap_or(Place { file: "config.toml".into(), line: 0, column: 0 })
        };
        let problem = |key: String, name: &str, message: String, nearest: Option<String>| {
            let Place { file, line, column } = at(&key, name);
            Problem { file, line, column, key, message, nearest }
        };
        let broken = self.gateways().1.into_iter().map(|(name, fault)| {
            let key = format!("gateways.{name}.{}", fault.key);
            problem(key, &name, format!("{}; this gateway is not used", fault.fault), fault.nearest)
        });
        let undeclared = self.via().into_iter().filter(|(_, name)| !self.gateways.contains_key(name)).map(
            |(provider, name)| {
                let near = nearest(&name, self.gateways.keys().map(String::as_str)).map(str::to_owned);
                let message =
                    format!("there is no gateway {name:?}; nothing of this provider is served by credits");
                problem(format!("credits.{provider}"), &name, message, near)
            },
        );
        let bare = self.gateways.iter().map(|(name, gateway)| (format!("gateways.{name}"), &gateway.headers));
        let bare =
            bare.chain(self.providers.iter().map(|(id, set)| (format!("providers.{id}"), &set.headers)));
        let bare = bare.flat_map(|(table, headers)| {
            headers.iter().filter(|(name, value)| holds_key(name, value)).map(move |(name, _)| {
                let message = "carries a credential, so its value must end in a reference such as env:NAME";
                (format!("{table}.headers.{name}"), message.to_owned())
            })
        });
        let bare = bare.map(|(key, message)| problem(key, "", message, None));
        broken.chain(undeclared).chain(bare).collect()
    }

    /// Where providers are reached, when not at their own addresses.
    pub fn base_urls(&self) -> BTreeMap<Provider, String> {
        let url =
            |settings: &ProviderSettings| Some(settings.base_url.as_ref()?.trim_end_matches('/').to_owned());
        self.providers.iter().filter_map(|(id, settings)| Some((*id, url(settings)?))).collect()
    }

    /// The executors that the settings declare, by name.
    pub fn declared(&self) -> impl Iterator<Item = (&ExecutorId, &ExecutorSettings)> {
        self.executors.iter().filter(|(_, settings)| !settings.declared.command.is_empty())
    }

    /// What planning needs to know of the settings. `is_set` answers for the client's environment; who is logged in
    /// and what is installed is for the caller to add.
    pub fn facts(&self, policy: Policy, is_set: impl Fn(&str) -> bool) -> Facts {
        let (gateways, broken) = self.gateways();
        let each = self.byok.iter().filter_map(|(executor, keys)| match keys {
            ByokKeys::Each(keys) => Some((executor.clone(), keys.clone())),
            ByokKeys::One(_) => None,
        });
        let inject = self.executors.iter().filter(|(_, set)| set.inject == Inject::Env);
        Facts {
            policy,
            byok: self.byok_keys(&is_set),
            byok_each: each.collect(),
            provider_keys: self.provider_keys(is_set),
            base_urls: self.base_urls(),
            inject: inject.map(|(executor, _)| executor.clone()).collect(),
            gateways,
            broken_gateways: broken.into_iter().map(|(name, fault)| (name, fault.to_string())).collect(),
            via: self.via(),
            endpoints: self.endpoints(),
            declared: self.declared().map(|(id, settings)| entry(id, &settings.declared)).collect(),
            ..Facts::default()
        }
    }

    /// What requests to a provider need beyond its address, where something is set.
    fn endpoints(&self) -> BTreeMap<Provider, Endpoint> {
        let endpoint = |provider: &Provider, set: &ProviderSettings| Endpoint {
            name: provider.to_string(),
            title: provider.title().to_owned(),
            headers: set
                .headers
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
                .collect(),
            deny_fields: set.deny_fields.clone(),
            deny_betas: set.deny_betas.clone(),
            ..Endpoint::default()
        };
        let says = |set: &ProviderSettings| {
            !(set.headers.is_empty() && set.deny_fields.is_empty() && set.deny_betas.is_empty())
        };
        let set = self.providers.iter().filter(|(_, set)| says(set));
        set.map(|(provider, set)| (*provider, endpoint(provider, set))).collect()
    }

    /// Puts back what the key and command tables do not understand, and reports it: prefixes get their default,
    /// bindings are taken out (the key then does what it does by default, if anything).
    ///
    /// The checks are arguments because key notation, commands and events belong to other rooms. Each answers with the
    /// fault, and with the nearest known name where it has one.
    pub fn check_bindings(
        &mut self,
        key: impl Fn(&str) -> Result<(), (String, Option<String>)>,
        command: impl Fn(&str) -> Result<(), (String, Option<String>)>,
        event: impl Fn(&str) -> Result<(), (String, Option<String>)>,
    ) -> Vec<Problem> {
        let defaults = Self::default();
        let mut problems = Vec::new();
        let mut report = |path: String, (fault, nearest): (String, Option<String>)| {
            let place = self.origins.get(&path).cloned();
            let Place { file, line, column } =
                place.unwrap_or(Place { file: "config.example.toml".into(), line: 0, column: 0 });
            let message = format!("{fault}; the default holds");
            problems.push(Problem { file, line, column, key: path, message, nearest });
        };
        for (name, mine, default) in [
            ("prefix", &mut self.prefix, &defaults.prefix),
            ("prefix2", &mut self.prefix2, &defaults.prefix2),
        ] {
            if mine != NONE
                && let Err(fault) = key(mine)
            {
                report(name.to_owned(), fault);
                mine.clone_from(default);
            }
        }
        for (table, mine, defaults) in [
            ("keys", &mut self.keys, &defaults.keys),
            ("root_keys", &mut self.root_keys, &defaults.root_keys),
        ] {
            let mut checked = BTreeMap::new();
            for (notation, bound) in std::mem::take(mine) {
                match key(&notation).and_then(|()| command(&bound)) {
                    Ok(()) => {
                        checked.insert(notation, bound);
                    }
                    Err(fault) => {
                        report(format!("{table}.{notation}"), fault);
                        if let Some(default) = defaults.get(&notation).filter(|default| **default != bound) {
                            checked.insert(notation, default.clone());
                        }
                    }
                }
            }
            *mine = checked;
        }
        let mut sound = Vec::new();
        for hook in std::mem::take(&mut self.hooks) {
            match event(&hook.event).and_then(|()| command(&hook.run)) {
                Ok(()) => sound.push(hook),
                Err(fault) => report("hooks".into(), fault),
            }
        }
        self.hooks = sound;
        problems
    }
}

/// A header that by its name carries a credential and has it written out.
fn holds_key(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let secret = ["authorization", "-key", "-auth", "token", "secret", "cookie"];
    let refers = value.rsplit(' ').next().is_some_and(|last| last.parse::<Credential>().is_ok());
    secret.iter().any(|part| name.contains(part)) && !refers
}

#[cfg(test)]
mod tests;
