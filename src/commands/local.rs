//! Verbs that run in the calling process and need no server.
use super::args::{Assume, BenchWhat, ConfigAction, PolicyAction};
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
    /// Show or check the rules in force.
    #[command(after_help = "Examples:\n  inspan policy show\n  inspan policy check")]
    Policy {
        /// What to do.
        #[arg(value_enum, default_value_t)]
        action: PolicyAction,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List executors: binary and why that one, version, login, route, readiness.
    #[command(after_help = "Example:\n  inspan executors --json")]
    Executors {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Install an executor's CLI from npm or PyPI into inspan's own directory.
    #[command(after_help = "Examples:\n  inspan install claude\n  inspan install codex --yes")]
    Install {
        /// claude, codex, gemini or openai-agents.
        executor: String,
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
    /// List this workspace's checkpoints.
    #[command(after_help = "Example:\n  inspan checkpoints --json")]
    Checkpoints {
        /// The workspace; default: this directory.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a checkpoint of this workspace's tree now.
    #[command(after_help = "Example:\n  inspan checkpoint")]
    Checkpoint {
        /// The workspace; default: this directory.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check, show or locate the configuration.
    #[command(after_help = "Examples:\n  inspan config check\n  inspan config show\n  inspan config path")]
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
    /// Run the program of a pane that is ours (used by inspan itself).
    #[command(hide = true)]
    AgentPane {
        /// What the launch wrote down for it.
        settings: PathBuf,
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
