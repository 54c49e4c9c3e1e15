//! Verbs about what is asked of harnesses and what they changed: composing, resuming, changes, worktrees.
use super::args::Target;
use clap::Subcommand;

/// The verbs about the work itself.
#[derive(Subcommand, Clone, Debug)]
pub enum WorkVerb {
    /// Write a prompt of several lines over a pane, or send one to several panes.
    #[command(after_help = "Examples:\n  inspan compose  # from a key or the palette\n  \
        inspan compose --to %1 --to %2 'say what you changed'")]
    Compose {
        #[command(flatten)]
        /// The pane that it is about.
        target: Target,
        /// Send the text to this pane; repeat it for several.
        #[arg(long, value_name = "PANE")]
        to: Vec<String>,
        /// What to send; without it the composer opens.
        #[arg(requires = "to", allow_hyphen_values = true)]
        text: Vec<String>,
    },
}
