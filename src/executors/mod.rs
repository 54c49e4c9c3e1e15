//! Owns what is particular to each vendor's CLI: detect, install, launch, classify, submit, resume, watch,
//! transcript. One file per executor.
//!
//! Must not know: panes on a screen, clients, the loop, our own database.
mod account;
mod agents;
mod claude;
mod codex;
#[cfg(test)]
mod contract;
mod declared;
mod detect;
pub mod equip;
#[cfg(test)]
mod furnished;
mod gemini;
mod grok;
mod install;
mod jsonl;
mod launch;
mod limits;
pub mod machine;
mod openai_agents;
mod opencode;
mod overlay;
mod project;
mod screen;
mod types;
mod versions;

pub use account::{Account, account};
pub use agents::{AgentPlaces, OwnAgent, check_agent};
pub use declared::declare;
pub use detect::{OURS, find, login_shell_path, ours, probe_version};
pub use install::{InstallError, InstallOptions, Installed, Progress, back, install};
pub use launch::{ApplyError, LOGIN_VARS, MAX_PROMPT_ARG, PROVIDER_VARS, apply};
pub use limits::reset;
pub use overlay::holds_records;
pub use project::project_loads;
pub use types::*;
pub use versions::{Probe, Versions};

use crate::router::ExecutorId;

/// Every executor that this build can start, in catalogue order.
pub fn registry() -> &'static [&'static dyn Executor] {
    &[
        &claude::Claude,
        &gemini::Gemini,
        &codex::Codex,
        &opencode::OpenCode,
        &grok::Grok,
        &openai_agents::OpenAiAgents,
    ]
}

/// Those, and the ones that the settings declare.
pub fn all() -> impl Iterator<Item = &'static dyn Executor> {
    registry().iter().copied().chain(declared::all())
}

/// The executor of that name.
///
/// # Errors
/// A sentence with the nearest name and the list of known ones.
pub fn by_id(id: &ExecutorId) -> Result<&'static dyn Executor, String> {
    if let Some(found) = all().find(|e| e.id() == *id) {
        return Ok(found);
    }
    let known: Vec<String> = all().map(|e| e.id().to_string()).collect();
    let near = nearest(id.as_str(), known.iter().map(String::as_str));
    let near = near.map(|name| format!("did you mean {name}? ")).unwrap_or_default();
    Err(format!(
        "this build starts no executor named {:?}: {near}known are {}",
        id.as_str(),
        known.join(", ")
    ))
}

/// What can be installed under that name: an executor, or what one is run by way of.
///
/// # Errors
/// As [`by_id`].
pub fn installable(id: &ExecutorId) -> Result<&'static dyn Executor, String> {
    match companions().iter().find(|companion| companion.id() == *id) {
        Some(companion) => Ok(*companion),
        None => by_id(id),
    }
}

/// What is installed beside an executor and brings it agents; it is no executor by itself.
pub fn companions() -> &'static [&'static dyn Executor] {
    &[&opencode::OhMyOpenCode]
}

/// The known name that is at most two letters away.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.map(|known| (strsim::damerau_levenshtein(known, name), known));
    distances.min().filter(|(distance, _)| *distance <= 2).map(|(_, known)| known)
}

/// What a model request of an executor is for.
pub fn classify(executor: &ExecutorId, request: &RequestFacts<'_>) -> Class {
    by_id(executor).map_or(Class::Main, |e| e.classify(request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let said = by_id(&"cladue".into()).err().unwrap();
        assert!(said.contains("did you mean claude?"), "{said}");
        assert!(said.contains("claude, gemini, codex, opencode, grok, openai-agents"), "{said}");
        assert!(!by_id(&"emacs".into()).err().unwrap().contains("did you mean"));
        assert_eq!(by_id(&ExecutorId::CODEX).unwrap().program(), "codex");
    }
}
