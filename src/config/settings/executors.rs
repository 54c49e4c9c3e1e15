//! What is set for an executor, and what makes one of a name that the catalogue does not know.
use crate::{
    router::{
        Catalogue, Dialect, ExecutorId,
        catalogue::{ExecutorEntry, Speaks},
    },
    state::{Effort, Permission},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is set for an executor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorSettings {
    /// How much it may do without asking.
    #[serde(default)]
    pub permission: Permission,
    /// Arguments added whenever it starts.
    #[serde(default)]
    pub args: Vec<String>,
    /// Who holds a BYOK key.
    #[serde(default)]
    pub inject: Inject,
    /// How hard its model is asked to think; its own default where nothing is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// What happens when it is to start and is not there.
    #[serde(default)]
    pub auto_install: AutoInstall,
    /// What goes on in its place after a limit or an outage, in this order: an executor, or one with a model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
    /// It is not gone back to when the limit has reset.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fallback_stay: bool,
    /// Whether it is driven by its typed protocol as well, where it has one; so where nothing is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<bool>,
    /// What makes it an executor, where the catalogue does not know it.
    #[serde(flatten)]
    pub declared: Declaration,
}

/// Who holds a BYOK key while a harness runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inject {
    /// The gateway of this machine, which puts it into each request.
    #[default]
    Gateway,
    /// The CLI, which finds it in its environment and asks the provider directly.
    Env,
}

/// An executor that the settings declare: everything that a built-in one has in its own file. Arguments and variables
/// may hold `{model}`, `{session}`, `{prompt}`, `{cwd}` and `{gateway}`, variables `{token}` as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Declaration {
    /// The program and the arguments that every start has. Empty for what is not declared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Its name for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it speaks to the gateway; nothing when it cannot be pointed there, so that only its own account pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// The model that the gateway's routes run when nobody picks one, by its display id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_model: String,
    /// Arguments that choose a model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<String>,
    /// Arguments that begin a session under an id of ours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub session: Vec<String>,
    /// Arguments that resume a session.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resume: Vec<String>,
    /// Arguments that carry the first prompt; without them it is typed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompt: Vec<String>,
    /// Variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Arguments for how much it may do without asking.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, Vec<String>>,
    /// How a prompt is submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submit: Option<Submit>,
    /// What stands at the bottom of its screen in each status; `title:` before a text means the window title.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub status: BTreeMap<String, Vec<String>>,
}

/// How a prompt is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Submit {
    /// Pasted as a whole, a moment, Enter.
    Paste,
    /// Typed, with Enter in the same write; each line break submits.
    Type,
}

/// What happens when an executor is to start and is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AutoInstall {
    /// The pane offers to install it.
    #[default]
    Ask,
    /// It is installed in the pane, in view, and started then.
    Always,
    /// It is refused, and nothing offers to install it.
    Never,
}

/// A declared executor as planning sees it. Its own account is whatever the person set it up with; without a dialect
/// nothing else can pay.
pub(super) fn entry(id: &ExecutorId, declared: &Declaration) -> ExecutorEntry {
    let catalogue = Catalogue::builtin();
    let spoken = |model: &&crate::router::catalogue::Model| {
        let provider = catalogue.provider(model.provider);
        model.only.is_none()
            && declared.dialect.is_some_and(|d| provider.is_some_and(|p| p.dialects.contains(&d)))
    };
    let default_model = match declared.default_model.as_str() {
        "" => catalogue.models.iter().find(spoken).map(|model| model.id.clone()).unwrap_or_default(),
        chosen => chosen.to_owned(),
    };
    let title = if declared.title.is_empty() { id.as_str() } else { &declared.title };
    ExecutorEntry {
        id: id.clone(),
        title: title.to_owned(),
        short: id.to_string(),
        default_model,
        native: None,
        speaks: declared.dialect.map_or_else(|| Speaks::Each(BTreeMap::new()), Speaks::One),
        login: true,
        reference: false,
        byok: Vec::new(),
        key_env: Vec::new(),
    }
}
