//! Arguments that several verbs share, and the words that they take.
use crate::mux::layout::Dir;
use clap::{Args, ValueEnum};

/// `-t TARGET`, as every verb about an existing thing takes it.
#[derive(Args, Clone, Debug, Default)]
pub struct Target {
    /// `%pane`, `session:window.pane`, a name; default: the current pane.
    #[arg(short = 't', long = "target", value_name = "TARGET")]
    pub target: Option<String>,
}

/// A direction on the screen.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Toward {
    /// To the left.
    #[arg(short = 'L')]
    pub left: bool,
    /// To the right.
    #[arg(short = 'R')]
    pub right: bool,
    /// Up.
    #[arg(short = 'U')]
    pub up: bool,
    /// Down.
    #[arg(short = 'D')]
    pub down: bool,
}

impl Toward {
    /// The first direction that was given.
    pub fn dir(self) -> Option<Dir> {
        let given =
            [(self.left, Dir::Left), (self.right, Dir::Right), (self.up, Dir::Up), (self.down, Dir::Down)];
        given.into_iter().find(|(given, _)| *given).map(|(_, dir)| dir)
    }
}

/// What to run in a new pane.
#[derive(Args, Clone, Debug, Default)]
pub struct What {
    /// Run this executor: claude, codex, gemini, opencode, grok or openai-agents.
    #[arg(long, value_name = "E")]
    pub executor: Option<String>,
    /// The model, by display or wire id; default: the executor's.
    #[arg(long, value_name = "M", requires = "executor")]
    pub model: Option<String>,
    #[command(flatten)]
    /// As what and how hard it works.
    pub manner: Manner,
    /// login, byok or credits; default: the first configured way.
    #[arg(long, value_name = "A", requires = "executor")]
    pub auth: Option<String>,
    /// ask, edits, plan, full or readonly.
    #[arg(long, value_name = "P", requires = "executor")]
    pub permission: Option<String>,
    /// Send this prompt as soon as the harness takes one.
    #[arg(long, value_name = "TEXT", requires = "executor")]
    pub prompt: Option<String>,
    /// Install the executor in the pane first when it is missing.
    #[arg(long, requires = "executor")]
    pub install: bool,
    /// Resume this native session.
    #[arg(long, value_name = "ID", requires = "executor")]
    pub resume: Option<String>,
    /// Trust this directory: the harness will not ask, and loads its hooks and MCP servers.
    #[arg(long, requires = "executor")]
    pub trust: bool,
    /// In a working tree of its own, on a new branch from HEAD; `merge-worktree` brings its changes back.
    #[arg(long)]
    pub worktree: bool,
    /// A command and its arguments, or one line for the shell; default: your shell.
    #[arg(trailing_var_arg = true, value_name = "CMD", conflicts_with = "executor")]
    pub command: Vec<String>,
}

/// As what and how hard a harness works.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// How hard the model thinks: low, medium, high or max; what the executor cannot be told is said.
    #[arg(long, value_name = "LEVEL", requires = "executor")]
    pub effort: Option<String>,
    /// One of the executor's own agents leads it; `inspan agents` lists them.
    #[arg(long, value_name = "NAME", requires = "executor")]
    pub agent: Option<String>,
}

/// How `list-*` prints.
#[derive(Args, Clone, Debug, Default)]
pub struct Format {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Print each row in this format, e.g. `#{pane_id} #{status}`.
    #[arg(short = 'F', value_name = "FORMAT", conflicts_with = "json")]
    pub format: Option<String>,
    /// Only rows for which this format is true.
    #[arg(short = 'f', value_name = "FILTER")]
    pub filter: Option<String>,
}

/// How much of the conversation the next harness is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HandoffMode {
    /// Everything that matters, bounded.
    #[default]
    Full,
    /// The task, the last request and answer, git facts.
    Brief,
    /// Nothing.
    None,
}

/// What a restored or ended pane becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Respawn {
    /// The same native session.
    Resume,
    /// The same command, a new native session.
    Fresh,
    /// The user's shell.
    Shell,
}

/// What `plan` takes for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Assume {
    /// Every key and CLI is present and every translation served.
    All,
}

/// What `policy` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PolicyAction {
    /// Print the merged rules.
    #[default]
    Show,
    /// Check the files.
    Check,
    /// Say which rules decide, and where each is written.
    Explain,
}

/// What `usage` groups by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UsageBy {
    /// One row a pane.
    #[default]
    Pane,
    /// One row a session.
    Session,
    /// One row a model.
    Model,
    /// One row a payer.
    Payer,
    /// One row a day.
    Day,
}

/// What `bench` may be narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchWhat {
    /// The model gateway, on a scripted upstream.
    Gateway,
}

/// What `config` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ConfigAction {
    /// Read the files and name what is wrong in them.
    #[default]
    Check,
    /// Print the settings in force.
    Show,
    /// Print where the files are.
    Path,
    /// Print a JSON schema of the settings, for editors.
    Schema,
    /// Print the file of defaults (as `inspan --default-config`).
    Default,
}

/// A length in cells, or in percent of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Cells.
    Cells(u16),
    /// Percent, 1 to 100.
    Percent(u16),
}

impl Extent {
    /// The cells that it means where the whole has `total`.
    pub fn of(self, total: u16) -> u16 {
        match self {
            Self::Cells(cells) => cells,
            Self::Percent(percent) => {
                u16::try_from(u32::from(total) * u32::from(percent) / 100).unwrap_or(total)
            }
        }
    }
}

impl std::str::FromStr for Extent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a number of cells nor a percentage such as 30%");
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().ok().filter(|percent| (1..=100).contains(percent));
                percent.map(Self::Percent).ok_or_else(wrong)
            }
            None => text.parse().map(Self::Cells).map_err(|_| wrong()),
        }
    }
}
