//! What `inspan mcp` and `inspan skills` do.
use clap::Subcommand;
use std::path::PathBuf;

/// The actions on MCP servers.
#[derive(Subcommand, Clone, Debug)]
pub enum McpAction {
    /// List the MCP servers that harnesses are given in a directory, and from which line each comes.
    List {
        /// The directory; default: this one.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Start or reach each server, say hello and list its tools.
    Test {
        /// Only this server.
        name: Option<String>,
        /// The directory; default: this one.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Seconds that a server may take, 1 to 600.
        #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
        timeout: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The actions on skills.
#[derive(Subcommand, Clone, Debug)]
pub enum SkillsAction {
    /// List the skills of a directory: who each comes from, and which executors see it.
    List {
        /// The directory; default: this one.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch the public skills that settings name, each at its commit.
    Fetch {
        /// Only this source.
        name: Option<String>,
        /// The directory; default: this one.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Do not ask (never asks without a terminal).
        #[arg(long)]
        yes: bool,
    },
}
