//! The catalogue: which executors, providers and models exist, and which executor takes which model.
use super::{Dialect, ExecutorId, Provider, nearest};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

const TEXT: &str = include_str!("catalogue.toml");

/// A model id carries at most a router's and a vendor's prefix: `openrouter/anthropic/claude-opus-4.6`.
const MAX_PREFIXES: usize = 2;

/// Everything that is known by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Who serves models.
    pub providers: Vec<ProviderEntry>,
    /// In the order in which panels list them.
    pub executors: Vec<ExecutorEntry>,
    /// In the order in which panels list them.
    pub models: Vec<Model>,
}

/// A provider as the catalogue knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderEntry {
    /// Which one.
    pub id: Provider,
    /// Its own spelling of its name.
    pub title: String,
    /// What precedes the dialect's path, without a trailing slash; settings may override it.
    pub base_url: String,
    /// What it speaks, preferred first.
    pub dialects: Vec<Dialect>,
    /// Environment variables that usually hold its key.
    pub key_env: Vec<String>,
    /// Vendor prefixes that people and other tools write before its model ids.
    pub prefixes: Vec<String>,
}

/// An executor as the catalogue knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutorEntry {
    /// Which one.
    pub id: ExecutorId,
    /// The vendor's name for it.
    pub title: String,
    /// The name where a column is narrow.
    pub short: String,
    /// The display id that it runs when nobody picks one, except under `login`.
    pub default_model: String,
    /// The provider that its own login and BYOK pay; `None` for a CLI without a home provider.
    pub native: Option<Provider>,
    /// What it speaks to its model API.
    pub speaks: Speaks,
    /// The CLI has an account of its own.
    pub login: bool,
    /// It is part of the reference matrix.
    pub reference: bool,
    /// Display ids that BYOK may run; empty where BYOK is not supported.
    pub byok: Vec<String>,
    /// Variables in which the CLI itself looks for a key, in its order; for most a key must be configured.
    #[serde(default)]
    pub key_env: Vec<String>,
}

/// The dialect of an executor: one, or one for each provider where it has adapters.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Speaks {
    /// The same to everyone.
    One(Dialect),
    /// Follows the provider.
    Each(BTreeMap<Provider, Dialect>),
}

/// A model as the catalogue knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The display id.
    pub id: String,
    /// The name where the executor is shown beside it.
    pub short: String,
    /// Who serves it.
    pub provider: Provider,
    /// Listed as *Open Source* rather than under its provider's name.
    #[serde(default)]
    pub open_source: bool,
    /// What the provider calls it.
    pub wire: String,
    /// The context window in tokens, where known.
    pub context: Option<u32>,
    /// The most output tokens that its maker takes a request for, where known.
    pub max_output: Option<u32>,
    /// Executors that take it in the reference matrix.
    pub executors: Vec<ExecutorId>,
    /// Executors that take it beyond the reference.
    #[serde(default)]
    pub extra: Vec<ExecutorId>,
    /// The one executor whose own routing this id is; nobody else can serve it, under any preset.
    #[serde(default)]
    pub only: Option<ExecutorId>,
}

impl ExecutorEntry {
    /// What it speaks when the model is served by `provider`; `None` where it has no adapter.
    pub fn dialect(&self, provider: Provider) -> Option<Dialect> {
        match &self.speaks {
            Speaks::One(dialect) => Some(*dialect),
            Speaks::Each(by_provider) => by_provider.get(&provider).copied(),
        }
    }
}

impl Model {
    /// The name where the executor is shown beside it: `sonnet-4.6`.
    pub fn short(&self) -> &str {
        &self.short
    }

    /// `folded` is its display id, its wire id, or its short name.
    fn is_spelled(&self, folded: &str) -> bool {
        // `4.6` alone would be a guess, so a short name counts only where it says whose version it is.
        let short = self.short.contains(|c: char| c.is_ascii_alphabetic()).then_some(&self.short);
        [Some(&self.id), Some(&self.wire), short].into_iter().flatten().any(|known| fold(known) == folded)
    }

    /// The provider column of a model list: `Anthropic`, `Open Source`.
    pub fn provider_title(&self) -> &'static str {
        if self.open_source { "Open Source" } else { self.provider.title() }
    }

    /// The pair stands in the reference matrix.
    pub fn in_reference(&self, executor: &ExecutorId) -> bool {
        self.executors.contains(executor)
    }

    /// The executor takes it, in the reference or beyond.
    pub fn taken_by(&self, executor: &ExecutorId) -> bool {
        self.in_reference(executor) || self.extra.contains(executor)
    }
}

/// An unknown name: what was written, what is known, and the known name that looks most like it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// As written.
    pub name: String,
    /// Every known name, in catalogue order.
    pub known: Vec<String>,
    /// The one that looks most like it.
    pub nearest: Option<String>,
}

/// One spelling for all the ways in which people and tools write a model id: lower case, `.` as `-`, and no window
/// suffix such as `[1m]`.
pub(super) fn fold(name: &str) -> String {
    let name = name.trim();
    let name = name.split_once('[').map_or(name, |(id, _)| id);
    name.to_ascii_lowercase().replace('.', "-")
}

impl Catalogue {
    /// Reads a catalogue.
    ///
    /// # Errors
    /// What the text lacks or says wrongly, with its place.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The built-in catalogue.
    pub fn builtin() -> &'static Self {
        // The embedded text is parsed in a test, so the empty catalogue can never be what a person meets.
        static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(TEXT).unwrap_or_default());
        &BUILTIN
    }

    /// The executor of that name.
    ///
    /// # Errors
    /// The known names and the nearest one.
    pub fn executor(&self, id: &ExecutorId) -> Result<&ExecutorEntry, Unknown> {
        self.executors.iter().find(|e| e.id == *id).ok_or_else(|| {
            let known = || self.executors.iter().map(|e| e.id.as_str());
            Unknown {
                name: id.to_string(),
                known: known().map(str::to_owned).collect(),
                nearest: nearest(id.as_str(), known()).map(str::to_owned),
            }
        })
    }

    /// The model of that name: a display id, a wire id, a short name, or any of them with a vendor's prefix.
    ///
    /// # Errors
    /// The known display ids and the nearest one.
    pub fn model(&self, name: &str) -> Result<&Model, Unknown> {
        self.find_model(name).ok_or_else(|| {
            let known = || self.models.iter().map(|m| m.id.as_str());
            let shorts = || self.models.iter().map(|m| (m.short.as_str(), m.id.as_str()));
            let folded = fold(name);
            let bare = folded.rsplit('/').next().unwrap_or_default();
            let near = nearest(bare, known()).or_else(|| {
                let short = nearest(bare, shorts().map(|(short, _)| short))?;
                shorts().find(|(s, _)| *s == short).map(|(_, id)| id)
            });
            Unknown {
                name: name.to_owned(),
                known: known().map(str::to_owned).collect(),
                nearest: near.map(str::to_owned),
            }
        })
    }

    fn find_model(&self, name: &str) -> Option<&Model> {
        let folded = fold(name);
        let (mut name, mut must_serve) = (folded.as_str(), None);
        for _ in 0..=MAX_PREFIXES {
            if let Some(model) = self.models.iter().find(|m| m.is_spelled(name)) {
                return must_serve.is_none_or(|p| p == model.provider).then_some(model);
            }
            let (prefix, rest) = name.split_once('/')?;
            let provider = self.providers.iter().find(|p| p.prefixes.iter().any(|known| known == prefix))?.id;
            name = rest;
            // OpenRouter serves other vendors' models too, under their own prefix; anyone else's prefix must fit.
            must_serve = if provider == Provider::OpenRouter { must_serve } else { Some(provider) };
        }
        None
    }

    /// What is known of a provider; `None` for rehearsal, which is built in.
    pub fn provider(&self, id: Provider) -> Option<&ProviderEntry> {
        self.providers.iter().find(|p| p.id == id)
    }
}

/// The short display name of a model id, known or not: `sonnet-4.6`.
pub fn short(model: &str) -> &str {
    Catalogue::builtin().model(model).map_or(model, |m| m.short())
}

/// The narrow display name of an executor, known or not: `agents`.
pub fn short_executor(executor: &ExecutorId) -> &str {
    Catalogue::builtin().executor(executor).map_or(executor.as_str(), |e| &e.short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The reference, transcribed apart from the catalogue: model, provider column, executors.
    const REFERENCE: &str = "
        claude-opus-4.6   | Anthropic   | claude, opencode
        claude-sonnet-4.6 | Anthropic   | claude, opencode
        gpt-5.4           | OpenAI      | claude, codex, opencode
        gpt-5.3-codex     | OpenAI      | claude, codex, opencode
        gemini-3.1-pro    | Google      | claude, opencode
        gemini-3-flash    | Google      | claude, opencode
        auto-gemini-3     | Google      | gemini
        minimax-m2.7      | Open Source | claude, opencode
        kimi-k2.5         | Open Source | claude, opencode
        glm-5             | Open Source | claude, opencode";

    #[test]
    fn the_embedded_text_parses() {
        let catalogue = Catalogue::parse(TEXT).unwrap();
        assert_eq!(catalogue.executors.len(), 6);
        assert_eq!(catalogue.models.len(), 12);
        assert_eq!(catalogue.providers.len(), 5);
    }

    #[test]
    fn matrix_is_the_reference_to_the_letter() {
        let mut seen = BTreeSet::new();
        for line in REFERENCE.lines().filter(|l| !l.trim().is_empty()) {
            let [id, provider, executors] =
                line.split('|').map(str::trim).collect::<Vec<_>>().try_into().unwrap();
            let model = Catalogue::builtin().models.iter().find(|m| m.id == id).unwrap();
            assert_eq!(model.provider_title(), provider, "{id}");
            let have: Vec<&str> = model.executors.iter().map(ExecutorId::as_str).collect();
            assert_eq!(have.join(", "), executors, "{id}");
            assert_eq!(model.open_source, model.provider == Provider::OpenRouter, "{id}");
            seen.insert(id);
        }
        for model in &Catalogue::builtin().models {
            let beyond = !seen.contains(model.id.as_str());
            assert_eq!(
                model.executors.is_empty(),
                beyond,
                "{}: only reference models have reference pairs",
                model.id
            );
        }
    }

    #[test]
    fn defaults_and_byok_are_the_reference() {
        let of = |id: &'static str| Catalogue::builtin().executor(&ExecutorId(id.into())).unwrap();
        for (id, default, byok) in [
            ("claude", "claude-sonnet-4.6", "claude-sonnet-4.6 claude-opus-4.6"),
            ("codex", "gpt-5.4", "gpt-5.4 gpt-5.3-codex"),
            ("opencode", "gemini-3.1-pro", ""),
            ("gemini", "auto-gemini-3", "auto-gemini-3"),
        ] {
            assert_eq!(of(id).default_model, default);
            assert_eq!(of(id).byok.join(" "), byok);
            assert!(of(id).reference);
        }
        for id in ["grok", "openai-agents"] {
            assert!(!of(id).reference, "{id}");
        }
        let order: Vec<&str> = Catalogue::builtin().executors.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(order, ["claude", "codex", "gemini", "opencode", "grok", "openai-agents"]);
    }

    #[test]
    fn every_name_in_the_catalogue_is_known_to_it() {
        let c = Catalogue::builtin();
        for executor in &c.executors {
            let default = c.models.iter().find(|m| m.id == executor.default_model).unwrap();
            assert!(default.taken_by(&executor.id), "{} takes its default", executor.id);
            for id in &executor.byok {
                let model = c.models.iter().find(|m| m.id == *id).unwrap();
                assert_eq!(Some(model.provider), executor.native, "{}: BYOK is native only", executor.id);
                assert!(model.taken_by(&executor.id));
            }
        }
        for model in &c.models {
            for executor in model.executors.iter().chain(&model.extra).chain(&model.only) {
                c.executor(executor).unwrap();
            }
            assert!(c.provider(model.provider).is_some(), "{}", model.id);
        }
        for provider in &c.providers {
            assert!(provider.base_url.starts_with("https://") && !provider.base_url.ends_with('/'));
            assert_eq!(provider.title, provider.id.title());
            assert!(!provider.dialects.is_empty() && !provider.key_env.is_empty());
        }
    }

    #[test]
    fn no_two_models_answer_to_one_name() {
        let c = Catalogue::builtin();
        for model in &c.models {
            for name in [&model.id, &model.wire] {
                assert_eq!(c.model(name).unwrap().id, model.id, "{name}");
            }
            if model.short.contains(|ch: char| ch.is_ascii_alphabetic()) {
                assert_eq!(c.model(&model.short).unwrap().id, model.id, "{}", model.short);
            }
        }
    }

    #[test]
    fn many_spellings_find_one_model() {
        for (written, id) in [
            ("claude-opus-4.6", "claude-opus-4.6"),
            ("claude-opus-4-6", "claude-opus-4.6"),
            ("opus-4.6", "claude-opus-4.6"),
            ("Opus-4-6", "claude-opus-4.6"),
            ("anthropic/claude-opus-4-6", "claude-opus-4.6"),
            ("openrouter/anthropic/claude-opus-4.6", "claude-opus-4.6"),
            ("claude-opus-4-6[1m]", "claude-opus-4.6"),
            ("google/gemini-3-flash-preview", "gemini-3-flash"),
            ("moonshotai/kimi-k2.5", "kimi-k2.5"),
            ("openrouter/moonshotai/kimi-k2.5", "kimi-k2.5"),
            ("x-ai/grok-4.6", "grok-4.6"),
        ] {
            assert_eq!(Catalogue::builtin().model(written).unwrap().id, id, "{written}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_list_and_the_nearest() {
        let c = Catalogue::builtin();
        let unknown = c.executor(&ExecutorId::from("cluade")).unwrap_err();
        assert_eq!(unknown.nearest.as_deref(), Some("claude"));
        assert_eq!(unknown.known.len(), 6);
        assert_eq!(c.model("gpt-5.5").unwrap_err().nearest.as_deref(), Some("gpt-5.4"));
        assert_eq!(c.model("opus-4.7").unwrap_err().nearest.as_deref(), Some("claude-opus-4.6"));
        for none in ["", "4.6", "quetzalcoatl", "/", "openai/claude-opus-4.6"] {
            assert!(c.model(none).is_err(), "{none}");
        }
        assert!(c.model(&"openrouter/".repeat(100_000)).is_err());
        assert_eq!(c.model("quetzalcoatl").unwrap_err().nearest, None);
    }

    #[test]
    fn short_names_are_the_ones_drawn() {
        for (id, name) in [
            ("claude-sonnet-4.6", "sonnet-4.6"),
            ("gpt-5.4", "gpt-5.4"),
            ("auto-gemini-3", "auto-3"),
            ("gemini-3.1-pro", "3.1-pro"),
            ("grok-4.6", "4.6"),
            ("something-else", "something-else"),
        ] {
            assert_eq!(short(id), name);
        }
        assert_eq!(short_executor(&ExecutorId::OPENAI_AGENTS), "agents");
    }
}
