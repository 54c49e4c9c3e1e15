//! Verbs that run in the calling process and need no server.
use super::args::{Assume, BenchWhat, ConfigAction, PolicyAction};
use super::vaults::VaultAction;
use clap::Subcommand;
use std::path::PathBuf;

/// The verbs about this machine.
#[derive(Subcommand, Clone, Debug)]
pub enum LocalVerb {
    /// Say whether and how an executor could run a model, without starting anything.
    #[command(
        after_help = "Examples:\n  inspan plan --executor claude --model gpt-5.4 --auth byok --json\n  inspan plan --executor codex --assume all"
    )]
    Plan {
        /// The executor.
        #[arg(long, value_name = "E")]
        executor: String,
        /// The model; default: the executor's.
        #[arg(long, value_name = "M")]
        model: Option<String>,
        /// login, byok or credits.
        #[arg(long, value_name = "A")]
        auth: Option<String>,
        /// `all`: take every key and CLI as present and every translation as served.
        #[arg(long, value_enum)]
        assume: Option<Assume>,
        /// Plan for the rehearsal provider.
        #[arg(long)]
        rehearse: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show or check the rules in force, or explain which of them decide about a model.
    #[command(after_help = "Examples:\n  inspan policy show\n  inspan policy check\n  \
        inspan policy explain --executor codex --model gpt-5.4")]
    Policy {
        /// What to do.
        #[arg(value_enum, default_value_t)]
        action: PolicyAction,
        /// explain: the executor; default: every one.
        #[arg(long, value_name = "E")]
        executor: Option<String>,
        /// explain: the model; default: the executor's.
        #[arg(long, value_name = "M", requires = "executor")]
        model: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keep the credentials that pay for models: where each is found, never more.
    #[command(
        disable_help_subcommand = true,
        after_help = "Examples:\n  inspan vault add team --engine claude --credential env:TEAM_KEY\n  \
        inspan vault add office --engine claude --gateway litellm --base-url http://127.0.0.1:4000 --credential -\n  \
        inspan vault list\n  inspan vault test team\n  inspan vault remove team\n  inspan new-session --vault team"
    )]
    Vault {
        /// What to do.
        #[command(subcommand)]
        action: VaultAction,
    },
    /// List executors: binary and why that one, version, login, route, readiness.
    #[command(after_help = "Example:\n  inspan executors --json")]
    Executors {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List executors' own agents that a harness can be started as: the third choice beside executor and model.
    #[command(after_help = "Examples:\n  inspan agents\n  inspan agents --executor claude --json\n  \
        inspan split-window --executor claude --agent reviewer")]
    Agents {
        /// Of this one only.
        #[arg(long, value_name = "E")]
        executor: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Install an executor's CLI from npm or PyPI into inspan's own directory.
    #[command(
        after_help = "Examples:\n  inspan install claude\n  inspan install codex --update --yes\n  inspan install codex --back"
    )]
    Install {
        /// claude, codex, gemini, opencode, grok, openai-agents, or oh-my-opencode for its agents under opencode.
        executor: String,
        /// The newest version that npm has, which inspan was not tested with; the one before stays.
        #[arg(long, conflicts_with = "back")]
        update: bool,
        /// Go back to the version before the one in use.
        #[arg(long, conflicts_with = "force")]
        back: bool,
        /// Without npm: let the vendor's own installer, a script from its site, put it into inspan's directory (opencode).
        #[arg(long, conflicts_with_all = ["update", "back"])]
        vendor: bool,
        /// Install even when one is on your PATH or already there.
        #[arg(long)]
        force: bool,
        /// Do not ask (never asks without a terminal).
        #[arg(long)]
        yes: bool,
    },
    /// Check everything that inspan needs on this machine.
    #[command(after_help = "Example:\n  inspan doctor")]
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Native sessions of an executor in this directory.
    #[command(after_help = "Example:\n  inspan sessions --executor claude --json")]
    Sessions {
        /// The executor.
        #[arg(long, value_name = "E")]
        executor: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List this workspace's checkpoints, or show what changed since one.
    #[command(
        after_help = "Examples:\n  inspan checkpoints --json\n  inspan checkpoints --diff 3 src  # from 3 to now\n  \
        inspan checkpoints --diff 3 --to 5\n  inspan checkpoints --prune"
    )]
    Checkpoints {
        /// The workspace; default: this directory.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print the patch from this checkpoint to now.
        #[arg(long, value_name = "N")]
        diff: Option<u64>,
        /// End the patch at this checkpoint instead.
        #[arg(long, value_name = "N", requires = "diff")]
        to: Option<u64>,
        /// Take away those that are old or too many now; otherwise it happens as new ones are made.
        #[arg(long, conflicts_with = "diff")]
        prune: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Only these files and directories of the patch.
        #[arg(value_name = "PATH", requires = "diff")]
        paths: Vec<PathBuf>,
    },
    /// Make a checkpoint of this workspace's tree now.
    #[command(after_help = "Examples:\n  inspan checkpoint\n  inspan checkpoint -m 'before the big rename'")]
    Checkpoint {
        /// The workspace; default: this directory.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Why, as the list shows it.
        #[arg(short = 'm', value_name = "TEXT")]
        message: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Bring files back to a checkpoint; the present state is kept as one first.
    #[command(
        after_help = "Examples:\n  inspan rewind 7 --dry-run  # what would change\n  inspan rewind 7 src/cart.rs --yes\n  \
        inspan rewind 7 --head  # branch and index go back too"
    )]
    Rewind {
        /// The checkpoint's number.
        #[arg(value_name = "N")]
        id: u64,
        /// The workspace; default: this directory.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// The branch and the index go back as well, as far as the branch is still the same.
        #[arg(long, conflicts_with = "paths")]
        head: bool,
        /// Print the patch and touch nothing.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Only these files and directories.
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Check, show or locate the configuration.
    #[command(
        after_help = "Examples:\n  inspan config check\n  inspan config show\n  inspan config path\n  inspan config schema  # for an editor"
    )]
    Config {
        /// What to do.
        #[arg(value_enum, default_value_t)]
        action: ConfigAction,
    },
    /// Measure the hot paths against tmux in one run, or what the gateway adds to a model request.
    #[command(
        after_help = "Examples:\n  inspan bench\n  inspan bench --megabytes 20\n  inspan bench gateway --requests 500\n  \
                      inspan bench gateway --litellm ~/venv/bin/litellm"
    )]
    Bench {
        /// Only this.
        #[arg(value_enum)]
        what: Option<BenchWhat>,
        /// Requests timed on each way (gateway).
        #[arg(long, default_value_t = 200)]
        requests: usize,
        /// Measure this LiteLLM proxy as well (gateway).
        #[arg(long, value_name = "PATH")]
        litellm: Option<PathBuf>,
        /// Megabytes of log lines through a pane.
        #[arg(long, default_value_t = 100)]
        megabytes: usize,
        /// Keystrokes timed for echo latency.
        #[arg(long, default_value_t = 300)]
        keys: usize,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  inspan completions bash")]
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
    /// Print the reference of commands and default keys as Markdown.
    #[command(after_help = "Example:\n  inspan reference")]
    Reference,
    /// Carry bytes between standard input and output and this machine's server (used by `attach --ssh`).
    #[command(
        after_help = "Example:\n  inspan proxy  # at the other end of ssh; nothing that a person types"
    )]
    Proxy,
    /// Run the program of a pane that is ours (used by inspan itself).
    #[command(hide = true)]
    AgentPane {
        /// What the launch wrote down for it.
        settings: PathBuf,
    },
    /// Start Codex in its pane, and its app-server beside it (used by inspan itself).
    #[command(hide = true)]
    CodexPane {
        /// What the launch wrote down for it.
        settings: PathBuf,
    },
    /// Become the app-server beside a Codex (used by inspan itself).
    #[command(hide = true)]
    CodexServe {
        /// Program and arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Run one command of a tool in a session of its own (used by inspan itself).
    #[command(hide = true)]
    AgentShell {
        /// For the shell.
        #[arg(allow_hyphen_values = true)]
        command: String,
    },
    /// Run the server in the foreground of a new session (used by inspan itself).
    #[command(hide = true)]
    Server,
}
