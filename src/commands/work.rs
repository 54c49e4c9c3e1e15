//! Verbs about what is asked of harnesses and what they changed: composing, resuming, changes, worktrees.
use super::args::Target;
use clap::Subcommand;
use std::path::PathBuf;

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
    /// Let a harness do what it asks for, where its typed protocol asks.
    #[command(after_help = "Examples:\n  inspan approve -t %1\n  inspan approve -t %1 --session")]
    Approve {
        #[command(flatten)]
        /// The pane that asks.
        target: Target,
        /// This and what is like it, until its session ends.
        #[arg(long)]
        session: bool,
    },
    /// Refuse what a harness asks for; its turn goes on without it.
    #[command(after_help = "Example:\n  inspan deny -t %1")]
    Deny {
        #[command(flatten)]
        /// The pane that asks.
        target: Target,
    },
    /// End a harness's turn now, where its typed protocol takes that.
    #[command(after_help = "Example:\n  inspan interrupt -t %1")]
    Interrupt {
        #[command(flatten)]
        /// The pane whose turn it is.
        target: Target,
    },
    /// What changed since HEAD, file by file, with the turns that touched it.
    #[command(
        after_help = "Examples:\n  inspan changes -t %1 --json\n  inspan changes -t %1 --stage src/cart.rs\n  \
        inspan changes -t %1 --discard src/cart.rs --to 7\n  inspan changes -t %1 --commit 'Totals in cents'"
    )]
    Changes {
        #[command(flatten)]
        /// The pane whose workspace it is.
        target: Target,
        /// Put this file into the index.
        #[arg(long, value_name = "PATH")]
        stage: Option<PathBuf>,
        /// Take this file out of the index.
        #[arg(long, value_name = "PATH", conflicts_with = "stage")]
        unstage: Option<PathBuf>,
        /// Bring this file back to a checkpoint; the present state is kept as one first.
        #[arg(long, value_name = "PATH", requires = "to", conflicts_with_all = ["stage", "unstage"])]
        discard: Option<PathBuf>,
        /// That checkpoint.
        #[arg(long, value_name = "N", requires = "discard")]
        to: Option<u64>,
        /// Commit what is staged; hooks run.
        #[arg(long, value_name = "MESSAGE", conflicts_with_all = ["stage", "unstage", "discard"])]
        commit: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Open the vendor's own login of an executor in a window.
    #[command(after_help = "Example:\n  inspan login claude")]
    Login {
        #[command(flatten)]
        /// The session that gets the window.
        target: Target,
        /// claude, codex, gemini, opencode or grok.
        executor: String,
    },
    /// Copy the newest address, or the newest code to be typed, that stands on a pane's screen.
    #[command(after_help = "Examples:\n  inspan copy-link -t %1\n  inspan copy-link --code -t %1")]
    CopyLink {
        #[command(flatten)]
        /// The pane.
        target: Target,
        /// The code instead of the address.
        #[arg(long)]
        code: bool,
    },
    /// List an executor's own sessions of this directory over the pane; Enter resumes one.
    #[command(after_help = "Example:\n  inspan resume-dialog --executor claude")]
    ResumeDialog {
        #[command(flatten)]
        /// The pane beside which one is resumed.
        target: Target,
        /// Whose sessions; default: the pane's executor.
        #[arg(long, value_name = "E")]
        executor: Option<String>,
    },
    /// List what could go on in a pane in the place of a harness that is limited or not served; nothing is done unasked.
    #[command(after_help = "Examples:\n  inspan fallback -t %1\n  inspan fallback -t %1 --json")]
    Fallback {
        #[command(flatten)]
        /// The pane that is limited.
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let this pane's harness write, and the one that could until now only read; both go on in their sessions.
    #[command(after_help = "Example:\n  inspan writer -t %2")]
    Writer {
        #[command(flatten)]
        /// The pane that is to write.
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Bring what was done in a pane's own working tree into the checkout, as uncommitted changes.
    #[command(after_help = "Examples:\n  inspan merge-worktree -t %2  # the patch, nothing touched\n  \
        inspan merge-worktree -t %2 --yes --remove")]
    MergeWorktree {
        #[command(flatten)]
        /// The pane that was started with --worktree.
        target: Target,
        /// Do it; without it the patch is shown and nothing touched.
        #[arg(long)]
        yes: bool,
        /// Close the pane and take its working tree away afterwards.
        #[arg(long, requires = "yes")]
        remove: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
