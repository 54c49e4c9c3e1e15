//! What a launch writes down for the program in the pane: one private file, since it holds the pane's token.
use super::servers::Named;
use crate::{config::equipment::Rule, state::Permission};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// The verb that runs the program of a pane; what follows it is the path of the settings.
pub const ARGUMENT: &str = "agent-pane";

/// The verb that runs one command of a tool in a session of its own.
pub(super) const SHELL_ARGUMENT: &str = "agent-shell";

/// What the interpreter with the SDK is called where it is looked for.
pub const PROGRAM_NAME: &str = "openai-agents-python";

/// The runtime's own program.
pub const RUNNER: &str = include_str!("runner.py");

/// A handoff and a path are kilobytes; beyond this it is not our file.
const MAX_SETTINGS: u64 = 8 * 1024 * 1024;

/// Everything that the program in the pane must know.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The interpreter that has the SDK.
    pub program: PathBuf,
    /// The runner, as it was written down for this launch.
    pub runner: PathBuf,
    /// The gateway's address for the SDK, with the version's path.
    pub base_url: String,
    /// What names the pane there.
    pub token: String,
    /// The model's id on the wire.
    pub model: String,
    /// How hard it shall think, in the API's word.
    #[serde(default)]
    pub effort: Option<String>,
    /// The session.
    pub session: String,
    /// It was there before: what was said is shown again.
    pub resumed: bool,
    /// Where sessions are kept.
    pub database: PathBuf,
    /// The workspace.
    pub cwd: PathBuf,
    /// How much may be done without asking.
    pub permission: Permission,
    /// The workspace's own instructions may be read.
    pub trusted: bool,
    /// The first prompt.
    pub prompt: Option<String>,
    /// MCP servers.
    #[serde(default)]
    pub servers: Vec<Named>,
    /// What the person allows and denies.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Skills.
    #[serde(default)]
    pub skills: Vec<GivenSkill>,
    /// What the person's context files say.
    #[serde(default)]
    pub context: Option<String>,
}

/// A skill that the model may read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenSkill {
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// Its directory.
    pub dir: PathBuf,
}

impl Settings {
    /// Reads what a launch wrote.
    ///
    /// # Errors
    /// A sentence with the path.
    pub fn read(path: &Path) -> Result<Self, String> {
        let cannot = |why: String| format!("cannot read {}: {why} · start the harness again", path.display());
        let file = fs::File::open(path).map_err(|e| cannot(e.to_string()))?;
        let mut text = String::new();
        file.take(MAX_SETTINGS).read_to_string(&mut text).map_err(|e| cannot(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| cannot(e.to_string()))
    }
}

/// What a permission means here, in words for the person.
pub fn permission_words(permission: Permission) -> &'static str {
    match permission {
        Permission::Ask => "commands and edits ask",
        Permission::Edits => "edits in the workspace pass, commands ask",
        Permission::Plan => "nothing is edited, commands ask",
        Permission::Full => "nothing asks",
        Permission::Readonly => "files of the workspace are read, nothing else",
    }
}
