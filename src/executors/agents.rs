//! Executors' own agents: named sets of instructions, tools and perhaps a model, which a CLI reads from the workspace and
//! from the user's home. The third choice beside executor and model.
//!
//! Must not know: any one CLI's file names.
use super::{
    Executor, Home, LaunchPlan, LaunchRequest,
    launch::plain_word,
    overlay::{plain_json, read_text},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Agents of one executor that are listed; a directory beyond this is not one of agents.
const MAX_AGENTS: usize = 200;
/// Characters of an agent's description that are kept: it is shown in a line.
const ABOUT_CHARS: usize = 200;

/// One of an executor's own agents that a session can be led by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OwnAgent {
    /// What the CLI calls it.
    pub name: String,
    /// What it says it is for; empty when it does not say.
    pub about: String,
    /// The model that it names, in the CLI's own words.
    pub model: Option<String>,
    /// The file that it stands in; `None` for one that the CLI brings along.
    pub file: Option<PathBuf>,
    /// It is the user's own, in a home that a rehearsal leaves out, rather than the workspace's.
    pub of_user: bool,
}

/// Where an executor's agents are looked for.
#[derive(Clone, Copy, Debug)]
pub struct AgentPlaces<'a> {
    /// The user's environment.
    pub env: &'a BTreeMap<String, String>,
    /// The workspace.
    pub cwd: &'a Path,
}

impl AgentPlaces<'_> {
    /// Directories of that name from the workspace up to the root of its repository, the nearest first.
    pub(super) fn up(&self, name: &str) -> Vec<PathBuf> {
        let root = super::launch::git_root(self.cwd);
        self.cwd.ancestors().take_while(|dir| dir.starts_with(root)).map(|dir| dir.join(name)).collect()
    }
}

/// Agents in Markdown files with a head of `key: value` lines. `keep` says by that head which ones lead a session.
pub(super) fn in_markdown(
    dirs: &[PathBuf],
    of_user: bool,
    keep: impl Fn(&BTreeMap<String, String>) -> bool,
) -> Vec<OwnAgent> {
    let mut agents = Vec::new();
    for dir in dirs {
        let mut files: Vec<PathBuf> =
            fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "md")) {
            let Some(text) = read_text(&file) else { continue };
            let head = head(&text);
            let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let name = head.get("name").filter(|name| !name.is_empty()).map_or(stem, String::as_str);
            if keep(&head) && plain_word("agent", name).is_ok() {
                agents.push(OwnAgent {
                    name: name.to_owned(),
                    about: shortened(head.get("description").map_or("", String::as_str)),
                    model: head
                        .get("model")
                        .filter(|model| !model.is_empty() && *model != "inherit")
                        .cloned(),
                    file: Some(file),
                    of_user,
                });
            }
        }
    }
    agents
}

/// Agents that a JSON file names under `agent` or `agents`, comments allowed. `keep` says which ones lead a session.
pub(super) fn in_json(
    file: &Path,
    of_user: bool,
    within: impl Fn(&Value) -> Option<&Value>,
    keep: impl Fn(&Value) -> bool,
) -> Vec<OwnAgent> {
    let settings = read_text(file).and_then(|text| serde_json::from_str::<Value>(&plain_json(&text)).ok());
    let Some(settings) = settings else { return Vec::new() };
    let named = within(&settings).and_then(Value::as_object).into_iter().flatten();
    named
        .filter(|(name, how)| keep(how) && plain_word("agent", name).is_ok())
        .map(|(name, how)| OwnAgent {
            name: name.clone(),
            about: shortened(how["description"].as_str().unwrap_or_default()),
            model: how["model"].as_str().map(str::to_owned),
            file: Some(file.to_owned()),
            of_user,
        })
        .collect()
}

/// The first of each name, in the order in which they were found.
pub(super) fn first_of_each(found: impl IntoIterator<Item = OwnAgent>) -> Vec<OwnAgent> {
    let mut agents: Vec<OwnAgent> = Vec::new();
    for agent in found {
        if agents.len() < MAX_AGENTS && !agents.iter().any(|known| known.name == agent.name) {
            agents.push(agent);
        }
    }
    agents
}

/// The agent that a launch asks for, as its CLI finds it there; one that stays behind is explained.
///
/// # Errors
/// A name that cannot be one.
pub(super) fn chosen<'a>(
    executor: &dyn Executor,
    request: &LaunchRequest<'a>,
    plan: &mut LaunchPlan,
) -> Result<Option<&'a str>, String> {
    let Some(name) = request.agent else { return Ok(None) };
    let name = plain_word("agent", name)?;
    let places = AgentPlaces { env: request.env, cwd: request.cwd };
    let listed = match executor.agents(&places) {
        Ok(listed) => listed,
        Err(why) => {
            plan.notes.push(format!("agent {name}: {why}"));
            return Ok(None);
        }
    };
    let without_user = matches!(request.home, Home::Empty | Home::Overlay { inherit_user: false });
    if without_user && listed.iter().any(|agent| agent.name == name && agent.of_user) {
        plan.notes.push(format!("agent {name}: it is in your own home, which this launch leaves out"));
        return Ok(None);
    }
    Ok(Some(name))
}

/// Says that there is no agent of that name, with the nearest and the known ones.
///
/// # Errors
/// That sentence, or why the executor has none at all.
pub fn check_agent(executor: &dyn Executor, name: &str, places: &AgentPlaces<'_>) -> Result<(), String> {
    let id = executor.id();
    let listed = executor.agents(places).map_err(|why| format!("{id} cannot be started as {name}: {why}"))?;
    // What plugins bring stands behind their names and in places of theirs: the CLI knows it.
    if name.contains(':') || listed.iter().any(|agent| agent.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = listed.iter().map(|agent| agent.name.as_str()).collect();
    if names.is_empty() {
        return Err(format!("{id} has no agent {name:?}: there are none in its own places here"));
    }
    let near = super::nearest(name, names.iter().copied());
    let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    Err(format!("{id} has no agent {name:?}: {near}known are {}", names.join(", ")))
}

/// The `key: value` lines between the first two rules of a Markdown file. What is nested or listed below a key is left out.
fn head(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    if lines.next().is_none_or(|line| line.trim_end() != "---") {
        return BTreeMap::new();
    }
    let lines = lines.take_while(|line| line.trim_end() != "---");
    lines
        .filter(|line| !line.starts_with([' ', '\t', '-', '#']))
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| {
            (key.trim().to_owned(), value.trim().trim_matches(|c| c == '"' || c == '\'').to_owned())
        })
        .collect()
}

fn shortened(about: &str) -> String {
    let line = about.replace("\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(ABOUT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::{by_id, registry};

    struct Machine {
        dir: tempfile::TempDir,
        env: BTreeMap<String, String>,
    }

    impl Machine {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = dir.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            fs::create_dir_all(dir.path().join("ws/.git")).unwrap();
            fs::create_dir_all(dir.path().join("ws/deep")).unwrap();
            let home = dir.path().join("home").display().to_string();
            Self { dir, env: BTreeMap::from([("HOME".to_owned(), home)]) }
        }

        fn names(&self, executor: &str) -> Vec<String> {
            let cwd = self.dir.path().join("ws/deep");
            let places = AgentPlaces { env: &self.env, cwd: &cwd };
            let found = by_id(&executor.into()).unwrap().agents(&places).unwrap();
            found
                .iter()
                .map(|a| {
                    format!("{}{}", a.name, a.model.as_deref().map(|m| format!(" ({m})")).unwrap_or_default())
                })
                .collect()
        }

        fn check(&self, executor: &str, name: &str) -> Result<(), String> {
            let cwd = self.dir.path().join("ws");
            let places = AgentPlaces { env: &self.env, cwd: &cwd };
            check_agent(by_id(&executor.into()).unwrap(), name, &places)
        }
    }

    #[test]
    fn claudes_agents_come_from_the_workspace_before_the_home() {
        let machine = Machine::new(&[
            (
                "ws/.claude/agents/review.md",
                "---\nname: reviewer\ndescription: \"Reads  diffs\"\nmodel: opus\n---\nbody",
            ),
            ("ws/.claude/agents/plain.md", "no head"),
            ("ws/.claude/agents/notes.txt", "---\nname: none\n---\n"),
            ("home/.claude/agents/reviewer.md", "---\nmodel: haiku\n---\n"),
            ("home/.claude/agents/mine.md", "---\nmodel: inherit\n---\n"),
        ]);
        assert_eq!(machine.names("claude"), ["plain", "reviewer (opus)", "mine"]);
        assert_eq!(machine.check("claude", "reviewer"), Ok(()));
        assert_eq!(machine.check("claude", "a-plugin:reviewer"), Ok(()));
        let said = machine.check("claude", "reviewr").unwrap_err();
        assert!(
            said.contains("did you mean reviewer?") && said.contains("known are plain, reviewer, mine"),
            "{said}"
        );
    }

    #[test]
    fn opencodes_agents_lead_when_they_are_no_sub_agents() {
        let machine = Machine::new(&[
            ("ws/.opencode/agent/docs.md", "---\nmode: primary\nmodel: p/m\n---\n"),
            ("ws/.opencode/agent/finder.md", "---\nmode: subagent\n---\n"),
            (
                "ws/opencode.jsonc",
                "{ // theirs\n \"agent\": { \"ship\": { \"model\": \"p/x\" }, \"sub\": { \"mode\": \"subagent\" }, \"plan\": { \"disable\": true } } }",
            ),
            ("home/.config/opencode/agents/home.md", "---\nmode: all\n---\n"),
        ]);
        assert_eq!(machine.names("opencode"), ["docs (p/m)", "ship (p/x)", "home", "build"]);
    }

    #[test]
    fn codexs_profiles_are_its_agents() {
        let machine = Machine::new(&[("home/.codex/fast.config.toml", "model = \"gpt-5.4-mini\"\n")]);
        assert_eq!(machine.names("codex"), ["fast (gpt-5.4-mini)"]);
    }

    #[test]
    fn an_executor_without_agents_says_so() {
        let machine = Machine::new(&[]);
        for executor in registry() {
            let id = executor.id();
            let said = machine.check(id.as_str(), "nobody").unwrap_err();
            assert!(said.contains(id.as_str()) && said.contains("nobody"), "{said}");
        }
        assert!(machine.check("gemini", "x").unwrap_err().contains("Gemini CLI"));
    }
}
