//! Policy: what administrators, users and workspaces forbid, read from their files and merged over these layers.
//!
//! A lower layer may only tighten what a higher one says. Text that cannot be understood closes what it names, so a
//! slip of the pen never opens a door.
mod parse;

use super::{AuthMode, Budget, ExecutorId, Span, catalogue::fold, glob};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Which executor takes which model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The reference matrix and its BYOK table, to the letter.
    #[default]
    AgentComputer,
    /// Every pair that translation can serve.
    Open,
}

impl Preset {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgentComputer => "agent-computer",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who wrote a rule. A later one may only tighten what an earlier one says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Whoever administers the machine.
    Administrator,
    /// The person whose server this is.
    #[default]
    User,
    /// Whoever wrote into the workspace: its rules are believed as far as they forbid.
    Workspace,
}

impl Layer {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::User => "user",
            Self::Workspace => "workspace",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a rule was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Who wrote it.
    pub layer: Layer,
    /// The file.
    pub file: String,
    /// Counted from 1; 0 when the file as a whole is meant.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{} line {line}", self.file),
        }
    }
}

/// A rule's value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule<T> {
    /// What it says.
    pub value: T,
    /// Where.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What is said about one executor, or about all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ExecutorPolicy {
    /// The rule that disables it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Rule<bool>>,
    /// The line that says it is enabled: no rule, but in vain where a higher layer disables it.
    #[serde(skip)]
    pub enabled: Option<Origin>,
    /// The only auth mode that it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<Rule<AuthMode>>,
    /// Globs of models that it may not run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disabled_models: Vec<Rule<String>>,
    /// US dollars that it may spend.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub budgets: BTreeMap<Span, Rule<f64>>,
    /// A line about it could not be understood, so it stays off: what is wrong there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Rule<String>>,
}

/// What one rule says about a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// It stands in the way.
    pub forbids: bool,
    /// What it says.
    pub words: String,
    /// Where it is written; `None` when nobody says so and the default holds.
    pub origin: Option<Origin>,
}

/// The rules in force, merged over their layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Policy {
    /// Which executor takes which model, when any layer says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Rule<Preset>>,
    /// What holds for every executor.
    pub all: ExecutorPolicy,
    /// What holds for one executor.
    pub executors: BTreeMap<ExecutorId, ExecutorPolicy>,
}

impl Policy {
    /// The policy of a file that exists and cannot be read: every executor stays off.
    pub fn closed(file: &str, layer: Layer, fault: &str) -> Self {
        let origin = Origin { layer, file: file.to_owned(), line: 0 };
        let broken = Some(Rule { value: fault.to_owned(), origin });
        Self { all: ExecutorPolicy { broken, ..ExecutorPolicy::default() }, ..Self::default() }
    }

    /// The preset in force.
    pub fn preset(&self) -> Preset {
        self.preset.as_ref().map(|rule| rule.value).unwrap_or_default()
    }

    fn about<'a>(&'a self, executor: &ExecutorId) -> impl Iterator<Item = &'a ExecutorPolicy> {
        std::iter::once(&self.all).chain(self.executors.get(executor))
    }

    /// Where the executor is disabled, if it is.
    pub fn disabled(&self, executor: &ExecutorId) -> Option<&Origin> {
        self.about(executor).find_map(|p| p.disabled.as_ref()).map(|rule| &rule.origin)
    }

    /// What could not be understood about the executor, and where.
    pub fn broken(&self, executor: &ExecutorId) -> Option<&Rule<String>> {
        self.about(executor).find_map(|p| p.broken.as_ref())
    }

    /// The auth mode that the executor is forced to.
    pub fn auth_method(&self, executor: &ExecutorId) -> Option<&Rule<AuthMode>> {
        self.executors.get(executor).and_then(|p| p.auth_method.as_ref()).or(self.all.auth_method.as_ref())
    }

    /// The glob that blocks any of these names of one model under the executor.
    pub fn model_disabled(&self, executor: &ExecutorId, names: &[&str]) -> Option<&Rule<String>> {
        let spellings: Vec<String> = names
            .iter()
            .flat_map(|name| {
                let name = fold(name);
                let bare = name.rsplit('/').next().unwrap_or_default().to_owned();
                [name, bare]
            })
            .collect();
        self.about(executor)
            .flat_map(|p| &p.disabled_models)
            .find(|rule| spellings.iter().any(|name| glob(&rule.value, name)))
    }

    /// What each rule says about an executor running a model that is known by `names`, in the order in which planning
    /// asks them; `taken` says that the preset `agent-computer` has the pair.
    pub fn explain(&self, executor: &ExecutorId, names: &[&str], taken: bool) -> Vec<Verdict> {
        let origin = |rule: Option<&Origin>| rule.cloned();
        let broken = self.broken(executor);
        let disabled = self.disabled(executor);
        let preset = self.preset();
        let closed = preset == Preset::AgentComputer && !taken;
        let mut verdicts = vec![
            Verdict {
                forbids: broken.is_some(),
                words: match broken {
                    Some(rule) => format!("a line about {executor} cannot be understood: {}", rule.value),
                    None => format!("every line about {executor} is understood"),
                },
                origin: origin(broken.map(|rule| &rule.origin)),
            },
            Verdict {
                forbids: disabled.is_some(),
                words: format!("{executor} is {}", if disabled.is_some() { "disabled" } else { "enabled" }),
                origin: origin(disabled),
            },
            Verdict {
                forbids: closed,
                words: format!(
                    "the preset {preset} {} the pair",
                    if closed { "does not have" } else { "admits" }
                ),
                origin: origin(self.preset.as_ref().map(|rule| &rule.origin)),
            },
        ];
        verdicts.push(match self.auth_method(executor) {
            Some(rule) => Verdict {
                forbids: false,
                words: format!("it must be paid by {}", rule.value),
                origin: Some(rule.origin.clone()),
            },
            None => Verdict { forbids: false, words: "every way of paying is open".into(), origin: None },
        });
        verdicts.push(match self.model_disabled(executor, names) {
            Some(rule) => Verdict {
                forbids: true,
                words: format!("the model is disabled by {:?}", rule.value),
                origin: Some(rule.origin.clone()),
            },
            None => {
                let count = self.about(executor).map(|policy| policy.disabled_models.len()).sum::<usize>();
                Verdict {
                    forbids: false,
                    words: format!("none of {count} disabled models is it"),
                    origin: None,
                }
            }
        });
        verdicts
    }

    /// The budgets that an executor's requests count against: those of all executors, and its own.
    pub fn budgets(&self, executor: &ExecutorId) -> Vec<Budget> {
        let of = |policy: &ExecutorPolicy, executor: Option<&ExecutorId>| {
            let budget = |(span, rule): (&Span, &Rule<f64>)| Budget {
                span: *span,
                executor: executor.cloned(),
                usd: rule.value,
                origin: rule.origin.to_string(),
            };
            policy.budgets.iter().map(budget).collect::<Vec<_>>()
        };
        let own = self.executors.get(executor).map(|own| of(own, Some(executor)));
        of(&self.all, None).into_iter().chain(own.into_iter().flatten()).collect()
    }

    /// Lays a lower layer under this one. It may forbid more, never less; what it tries to loosen is reported and
    /// has no effect.
    pub fn tighten(&mut self, lower: Self) -> Vec<super::Problem> {
        let mut refused = Vec::new();
        match (&self.preset, lower.preset) {
            (Some(upper), Some(rule)) if upper.value == Preset::AgentComputer => {
                if rule.value == Preset::Open {
                    refused.push(loosening(&rule.origin, "preset", &upper.origin));
                }
            }
            // Who owns a checkout is not who owns the machine: what nobody opened stays as it is by default.
            (None, Some(rule)) if rule.origin.layer == Layer::Workspace && rule.value == Preset::Open => {
                refused.push(loosening(&rule.origin, "preset", &"the default"));
            }
            (_, Some(rule)) => self.preset = Some(rule),
            (_, None) => {}
        }
        self.all.tighten(lower.all, "", None, &mut refused);
        for (executor, lower) in lower.executors {
            let key = format!("executors.{executor}.");
            let above = self.all.auth_method.clone();
            self.executors.entry(executor).or_default().tighten(lower, &key, above.as_ref(), &mut refused);
        }
        refused
    }
}

impl ExecutorPolicy {
    /// `above` is what a higher layer forces for every executor.
    fn tighten(
        &mut self,
        lower: Self,
        key: &str,
        above: Option<&Rule<AuthMode>>,
        refused: &mut Vec<super::Problem>,
    ) {
        if let (Some(upper), Some(at)) = (&self.disabled, &lower.enabled) {
            refused.push(loosening(at, &format!("{key}enabled"), &upper.origin));
        }
        self.disabled = self.disabled.take().or(lower.disabled);
        self.broken = self.broken.take().or(lower.broken);
        for rule in lower.disabled_models {
            if !self.disabled_models.iter().any(|known| known.value == rule.value) {
                self.disabled_models.push(rule);
            }
        }
        for (span, rule) in lower.budgets {
            match self.budgets.get(&span) {
                Some(upper) if upper.value < rule.value => {
                    let key = format!("{key}budgets.{span}");
                    refused.push(loosening(&rule.origin, &key, &upper.origin));
                }
                _ => {
                    self.budgets.insert(span, rule);
                }
            }
        }
        match (self.auth_method.as_ref().or(above), lower.auth_method) {
            (Some(upper), Some(rule)) if upper.value != rule.value => {
                refused.push(loosening(&rule.origin, &format!("{key}auth_method"), &upper.origin));
            }
            (None, Some(rule)) => self.auth_method = Some(rule),
            _ => {}
        }
    }
}

fn loosening(at: &Origin, key: &str, upper: &dyn fmt::Display) -> super::Problem {
    let above = if at.layer == Layer::Workspace { "policy." } else { "" };
    super::Problem {
        file: at.file.clone(),
        line: at.line,
        column: 1,
        key: format!("{above}{key}"),
        message: format!("{upper} decides this; a lower layer may only tighten, so this line has no effect"),
        nearest: None,
    }
}

#[cfg(test)]
mod tests;
