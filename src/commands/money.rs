//! Verbs about model requests and what they cost.
use super::args::{Target, UsageBy};
use clap::Subcommand;

/// The verbs that read the ledger.
#[derive(Subcommand, Clone, Debug)]
pub enum MoneyVerb {
    /// Tokens and cost from the ledger, with a chart.
    #[command(
        after_help = "Examples:\n  inspan usage\n  inspan usage --by day\n  inspan usage --by model --json"
    )]
    Usage {
        /// Group by.
        #[arg(long, value_enum, default_value_t)]
        by: UsageBy,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// A pane's newest model requests: tokens, cost, attempts, what translation left out.
    #[command(
        after_help = "Examples:\n  inspan requests -t %1\n  inspan requests -t %1 --open 1   # everything about the \
                      newest one\n  inspan requests -t %1 --json"
    )]
    Requests {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// How many.
        #[arg(short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        /// Show all of one: 1 is the newest.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
        open: Option<u16>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
