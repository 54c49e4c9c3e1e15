//! Verbs that put something over the panes of a client, or turn it elsewhere.
use super::args::{Extent, Target};
use clap::Subcommand;
use std::path::PathBuf;

/// The verbs that show.
#[derive(Subcommand, Clone, Debug)]
pub enum ShowVerb {
    /// Number the panes; a digit focuses one.
    #[command(
        visible_alias = "displayp",
        after_help = "Examples:\n  inspan display-panes\n  inspan display-panes -d 0 \"swap-pane -t '%%'\""
    )]
    DisplayPanes {
        /// How long, in milliseconds; 0 stays until a key.
        #[arg(short = 'd', value_name = "MS")]
        duration: Option<u64>,
        /// Accepted for tmux's sake.
        #[arg(short = 'b')]
        background: bool,
        /// No key chooses.
        #[arg(short = 'N')]
        ignore: bool,
        /// What to run with the pane in place of `%%`; default: select-pane.
        template: Option<String>,
    },
    /// Choose a session, window or pane from a tree.
    #[command(
        after_help = "Examples:\n  inspan choose-tree\n  inspan choose-tree -s\n  inspan choose-tree \"kill-pane -t '%%'\""
    )]
    ChooseTree {
        #[command(flatten)]
        /// Accepted for tmux's sake.
        target: Target,
        /// Sessions only.
        #[arg(short = 's')]
        sessions: bool,
        /// Sessions and windows only.
        #[arg(short = 'w')]
        windows: bool,
        /// Accepted for tmux's sake.
        #[arg(short = 'Z')]
        zoomed: bool,
        /// Accepted for tmux's sake.
        #[arg(short = 'N')]
        no_preview: bool,
        /// Only rows for which this format is true.
        #[arg(short = 'f', value_name = "FILTER")]
        filter: Option<String>,
        /// What to run with the choice in place of `%%`; default: switch-client.
        template: Option<String>,
    },
    /// Choose a paste buffer.
    #[command(after_help = "Example:\n  inspan choose-buffer")]
    ChooseBuffer {
        #[command(flatten)]
        /// The pane to paste into.
        target: Target,
        /// Accepted for tmux's sake.
        #[arg(short = 'Z')]
        zoomed: bool,
        /// What to run with the buffer's name in place of `%%`; default: paste-buffer.
        template: Option<String>,
    },
    /// Choose a client.
    #[command(after_help = "Example:\n  inspan choose-client")]
    ChooseClient {
        /// Accepted for tmux's sake.
        #[arg(short = 'Z')]
        zoomed: bool,
        /// What to run with the client in place of `%%`; default: detach-client.
        template: Option<String>,
    },
    /// A menu: for each row a name, a key and a command; an empty name is a line.
    #[command(
        visible_alias = "menu",
        after_help = "Example:\n  inspan display-menu -T pane Zoom z 'resize-pane -Z' Close x 'confirm-before kill-pane'"
    )]
    DisplayMenu {
        #[command(flatten)]
        /// The pane that formats are about.
        target: Target,
        /// Its title.
        #[arg(short = 'T', value_name = "TITLE")]
        title: Option<String>,
        /// Accepted for tmux's sake.
        #[arg(short = 'x', value_name = "X")]
        x: Option<String>,
        /// Accepted for tmux's sake.
        #[arg(short = 'y', value_name = "Y")]
        y: Option<String>,
        /// Name, key, command, and so on.
        #[arg(required = true, allow_hyphen_values = true, trailing_var_arg = true)]
        rows: Vec<String>,
    },
    /// Run a command in a pane over the others.
    #[command(
        visible_alias = "popup",
        disable_help_flag = true,
        after_help = "Examples:\n  inspan display-popup -E -w 80% -h 80% -- htop\n  inspan display-popup -T notes -- vi notes.md\n  \
        inspan display-popup -C  # closes it"
    )]
    DisplayPopup {
        /// Print help.
        #[arg(long, action = clap::ArgAction::Help)]
        help: Option<bool>,
        #[command(flatten)]
        /// The pane whose window and directory it takes.
        target: Target,
        /// Close those of the window.
        #[arg(short = 'C')]
        close: bool,
        /// Close it when the command ends (twice: when it ended well).
        #[arg(short = 'E', action = clap::ArgAction::Count)]
        exit: u8,
        /// Accepted for tmux's sake.
        #[arg(short = 'B')]
        no_border: bool,
        /// Width in columns or percent.
        #[arg(short = 'w', value_name = "COLS")]
        cols: Option<Extent>,
        /// Height in rows or percent.
        #[arg(short = 'h', value_name = "ROWS")]
        rows: Option<Extent>,
        /// Column of its left edge; default: in the middle.
        #[arg(short = 'x', value_name = "LEFT")]
        left: Option<u16>,
        /// Row of its upper edge; default: in the middle.
        #[arg(short = 'y', value_name = "TOP")]
        top: Option<u16>,
        /// Its title.
        #[arg(short = 'T', value_name = "TITLE")]
        title: Option<String>,
        /// Working directory.
        #[arg(short = 'd', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// A variable for the command.
        #[arg(short = 'e', value_name = "NAME=VALUE")]
        environment: Vec<String>,
        /// The command; default: your shell.
        #[arg(trailing_var_arg = true, value_name = "CMD")]
        command: Vec<String>,
    },
    /// Turn a client to another session, window or pane.
    #[command(
        visible_alias = "switchc",
        after_help = "Examples:\n  inspan switch-client -t shop\n  inspan switch-client -n\n  inspan switch-client -c '&1' -t shop:2"
    )]
    SwitchClient {
        #[command(flatten)]
        /// Where to.
        target: Target,
        /// Which client; default: the one whose key it is, else the newest.
        #[arg(short = 'c', value_name = "CLIENT")]
        client: Option<String>,
        /// The next session.
        #[arg(short = 'n')]
        next: bool,
        /// The previous session.
        #[arg(short = 'p')]
        previous: bool,
        /// The session before.
        #[arg(short = 'l')]
        last: bool,
        /// Let it only watch, or let it type again.
        #[arg(short = 'r')]
        read_only: bool,
        /// Stay zoomed.
        #[arg(short = 'Z')]
        zoomed: bool,
    },
}
