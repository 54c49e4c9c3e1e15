//! Verbs that arrange windows and panes: which is shown, where it stands, how large it is.
use super::args::{Extent, Target, Toward};
use clap::Subcommand;
use std::path::PathBuf;

/// The verbs that arrange.
#[derive(Subcommand, Clone, Debug)]
pub enum ArrangeVerb {
    /// Show a window.
    #[command(
        visible_alias = "selectw",
        after_help = "Examples:\n  inspan select-window -t shop:2\n  inspan select-window -n"
    )]
    SelectWindow {
        #[command(flatten)]
        /// Which window.
        target: Target,
        /// The next one.
        #[arg(short = 'n', long = "next")]
        next: bool,
        /// The previous one.
        #[arg(short = 'p', long = "previous")]
        previous: bool,
        /// The one shown before.
        #[arg(short = 'l', long = "last")]
        last: bool,
        /// The one shown before, when this one is shown already.
        #[arg(short = 'T')]
        toggle: bool,
    },
    /// Show the next window.
    #[command(visible_alias = "next", after_help = "Example:\n  inspan next-window")]
    NextWindow {
        #[command(flatten)]
        /// The session.
        target: Target,
        /// The next one that needs you.
        #[arg(short = 'a')]
        alert: bool,
    },
    /// Show the previous window.
    #[command(visible_alias = "prev", after_help = "Example:\n  inspan previous-window")]
    PreviousWindow {
        #[command(flatten)]
        /// The session.
        target: Target,
        /// The previous one that needs you.
        #[arg(short = 'a')]
        alert: bool,
    },
    /// Show the window shown before.
    #[command(visible_alias = "last", after_help = "Example:\n  inspan last-window")]
    LastWindow {
        #[command(flatten)]
        /// The session.
        target: Target,
    },
    /// Name a window.
    #[command(visible_alias = "renamew", after_help = "Example:\n  inspan rename-window -t shop:1 work")]
    RenameWindow {
        #[command(flatten)]
        /// Which window.
        target: Target,
        /// The new name.
        name: String,
    },
    /// Move a window to another place, or into another session.
    #[command(
        visible_alias = "movew",
        after_help = "Examples:\n  inspan move-window -s shop:3 -t shop:1\n  inspan move-window -s shop:2 -t other:"
    )]
    MoveWindow {
        #[command(flatten)]
        /// Where to: a number in a session, or a session for its end.
        target: Target,
        /// Which window; default: the current one.
        #[arg(short = 's', value_name = "SOURCE")]
        source: Option<String>,
        /// Behind the target window.
        #[arg(short = 'a')]
        after: bool,
        /// Before the target window.
        #[arg(short = 'b', conflicts_with = "after")]
        before: bool,
        /// Do not show it.
        #[arg(short = 'd')]
        detached: bool,
        /// Close what is at the target place.
        #[arg(short = 'k')]
        kill: bool,
        /// Number the windows anew (they always are; accepted for tmux's sake).
        #[arg(short = 'r')]
        renumber: bool,
    },
    /// Swap the places of two windows.
    #[command(
        visible_alias = "swapw",
        after_help = "Examples:\n  inspan swap-window -s shop:1 -t shop:2\n  inspan swap-window -t +1"
    )]
    SwapWindow {
        #[command(flatten)]
        /// One of them; default: the current one.
        target: Target,
        /// The other; default: the current one.
        #[arg(short = 's', value_name = "SOURCE")]
        source: Option<String>,
        /// Do not show it.
        #[arg(short = 'd')]
        detached: bool,
    },
    /// Turn a window's panes: each to the place of the one before.
    #[command(
        visible_alias = "rotatew",
        after_help = "Examples:\n  inspan rotate-window\n  inspan rotate-window -D -t shop:1"
    )]
    RotateWindow {
        #[command(flatten)]
        /// Which window.
        target: Target,
        /// Each to the place of the one before (the default).
        #[arg(short = 'U')]
        up: bool,
        /// Each to the place of the next one.
        #[arg(short = 'D', conflicts_with = "up")]
        down: bool,
        /// Stay zoomed.
        #[arg(short = 'Z')]
        zoomed: bool,
    },
    /// Give a window a size of its own (`window_size` becomes `manual` for its session).
    #[command(
        visible_alias = "resizew",
        after_help = "Examples:\n  inspan resize-window -x 120 -y 40\n  inspan resize-window -A  # by the clients again"
    )]
    ResizeWindow {
        #[command(flatten)]
        /// Which window.
        target: Target,
        #[command(flatten)]
        /// Which way.
        toward: Toward,
        /// Columns.
        #[arg(short = 'x', value_name = "COLS")]
        cols: Option<u16>,
        /// Rows, the status line left out.
        #[arg(short = 'y', value_name = "ROWS")]
        rows: Option<u16>,
        /// The size of the largest client.
        #[arg(short = 'A')]
        largest: bool,
        /// The size of the smallest client.
        #[arg(short = 'a')]
        smallest: bool,
        /// By how many cells.
        #[arg(default_value_t = 1)]
        by: u16,
    },
    /// Start a window's only pane again.
    #[command(
        visible_alias = "respawnw",
        after_help = "Example:\n  inspan respawn-window -k -t shop:2 -- htop"
    )]
    RespawnWindow {
        #[command(flatten)]
        /// Which window.
        target: Target,
        /// Stop what runs there first.
        #[arg(short = 'k')]
        kill: bool,
        /// Working directory.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Another command.
        #[arg(trailing_var_arg = true, value_name = "CMD")]
        command: Vec<String>,
    },
    /// Arrange a window's panes: a preset, or a layout as `#{window_layout}` prints it.
    #[command(
        visible_alias = "selectl",
        after_help = "Examples:\n  inspan select-layout tiled\n  inspan select-layout -t shop:1 main-vertical\n  \
        inspan select-layout 'b25d,80x24,0,0,0'\n  inspan select-layout -o  # undo"
    )]
    SelectLayout {
        #[command(flatten)]
        /// Which window.
        target: Target,
        /// The arrangement before the newest change.
        #[arg(short = 'o')]
        undo: bool,
        /// Spread this pane and its neighbours evenly.
        #[arg(short = 'E', conflicts_with = "undo")]
        spread: bool,
        /// The next preset.
        #[arg(short = 'n', conflicts_with_all = ["undo", "spread"])]
        next: bool,
        /// The previous preset.
        #[arg(short = 'p', conflicts_with_all = ["undo", "spread", "next"])]
        previous: bool,
        /// even-horizontal, even-vertical, main-horizontal, main-vertical, tiled, or a layout; default: the newest preset.
        name: Option<String>,
    },
    /// Apply the next layout preset.
    #[command(visible_alias = "nextl", after_help = "Example:\n  inspan next-layout")]
    NextLayout {
        #[command(flatten)]
        /// Which window.
        target: Target,
    },
    /// Apply the previous layout preset.
    #[command(visible_alias = "prevl", after_help = "Example:\n  inspan previous-layout")]
    PreviousLayout {
        #[command(flatten)]
        /// Which window.
        target: Target,
    },
    /// Focus a pane.
    #[command(
        visible_alias = "selectp",
        after_help = "Examples:\n  inspan select-pane -t %2\n  inspan select-pane -L\n  inspan select-pane -t %2 -T build"
    )]
    SelectPane {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        #[command(flatten)]
        /// Which way.
        toward: Toward,
        /// The pane focused before.
        #[arg(short = 'l')]
        last: bool,
        /// The next pane in order.
        #[arg(short = 'n')]
        next: bool,
        /// Stay zoomed.
        #[arg(short = 'Z')]
        zoomed: bool,
        /// Give it this title instead of focusing it.
        #[arg(short = 'T', value_name = "TITLE")]
        title: Option<String>,
        /// Let nothing be typed into it.
        #[arg(short = 'd')]
        disable: bool,
        /// Let it be typed into again.
        #[arg(short = 'e', conflicts_with = "disable")]
        enable: bool,
    },
    /// Focus the pane focused before.
    #[command(visible_alias = "lastp", after_help = "Example:\n  inspan last-pane")]
    LastPane {
        #[command(flatten)]
        /// The window.
        target: Target,
        /// Stay zoomed.
        #[arg(short = 'Z')]
        zoomed: bool,
    },
    /// Resize a pane, or zoom it (-Z).
    #[command(
        visible_alias = "resizep",
        after_help = "Examples:\n  inspan resize-pane -t %1 -R 10\n  inspan resize-pane -Z\n  \
        inspan resize-pane -x 80\n  inspan resize-pane -y 30%"
    )]
    ResizePane {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Toggle zoom.
        #[arg(short = 'Z')]
        zoom: bool,
        #[command(flatten)]
        /// Which way.
        toward: Toward,
        /// Width in columns, or in percent of the window.
        #[arg(short = 'x', value_name = "COLS")]
        cols: Option<Extent>,
        /// Height in rows, or in percent of the window.
        #[arg(short = 'y', value_name = "ROWS")]
        rows: Option<Extent>,
        /// By how many cells.
        #[arg(default_value_t = 1)]
        by: u16,
    },
    /// Swap two panes.
    #[command(
        visible_alias = "swapp",
        after_help = "Examples:\n  inspan swap-pane -s %1 -t %2\n  inspan swap-pane -D"
    )]
    SwapPane {
        #[command(flatten)]
        /// One of them; default: the current one.
        target: Target,
        /// The other.
        #[arg(short = 's', value_name = "SOURCE")]
        source: Option<String>,
        /// With the previous one.
        #[arg(short = 'U')]
        up: bool,
        /// With the next one.
        #[arg(short = 'D')]
        down: bool,
        /// Leave the focus at its place.
        #[arg(short = 'd')]
        detached: bool,
        /// Stay zoomed.
        #[arg(short = 'Z')]
        zoomed: bool,
    },
    /// Move a pane into a window of its own; prints nothing unless -P.
    #[command(
        visible_alias = "breakp",
        after_help = "Examples:\n  inspan break-pane -s %2\n  inspan break-pane -d -s %2 -n logs -P -F '#{window_id}'"
    )]
    BreakPane {
        /// The session for it, or a window with -a and -b; without -s, the pane.
        #[command(flatten)]
        target: Target,
        /// Which pane; default: the current one.
        #[arg(short = 's', value_name = "SOURCE")]
        source: Option<String>,
        /// Behind the target window.
        #[arg(short = 'a')]
        after: bool,
        /// Before the target window.
        #[arg(short = 'b', conflicts_with = "after")]
        before: bool,
        /// Name of the new window.
        #[arg(short = 'n', value_name = "NAME")]
        name: Option<String>,
        /// Do not show it.
        #[arg(short = 'd')]
        detached: bool,
        /// Print where it went.
        #[arg(short = 'P')]
        print: bool,
        /// In this format.
        #[arg(short = 'F', value_name = "FORMAT")]
        format: Option<String>,
    },
    /// Move a pane beside another.
    #[command(
        visible_aliases = ["joinp", "move-pane", "movep"],
        disable_help_flag = true,
        after_help = "Examples:\n  inspan join-pane -s %3 -t %1 -h\n  inspan join-pane -s %3 -t %1 -l 30%"
    )]
    JoinPane {
        /// Print help.
        #[arg(long, action = clap::ArgAction::Help)]
        help: Option<bool>,
        #[command(flatten)]
        /// The pane to join.
        target: Target,
        /// The pane that moves.
        #[arg(short = 's', value_name = "SOURCE")]
        source: Option<String>,
        /// Side by side.
        #[arg(short = 'h')]
        horizontal: bool,
        /// One above the other (the default).
        #[arg(short = 'v')]
        vertical: bool,
        /// It comes before.
        #[arg(short = 'b')]
        before: bool,
        /// Do not move the focus.
        #[arg(short = 'd')]
        detached: bool,
        /// Across the whole window.
        #[arg(short = 'f')]
        full: bool,
        /// Its size in cells or percent.
        #[arg(short = 'l', value_name = "SIZE")]
        size: Option<Extent>,
        /// Its size in percent.
        #[arg(short = 'p', value_name = "PERCENT", conflicts_with = "size",
              value_parser = clap::value_parser!(u16).range(1..=99))]
        percent: Option<u16>,
    },
    /// Lift a pane over the others of its window, or put it back among them.
    #[command(
        after_help = "Examples:\n  inspan float-pane\n  inspan float-pane -t %2 -x 60 -y 50% -X 10 -Y 2\n  inspan float-pane -t %2  # again: back"
    )]
    FloatPane {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Width in columns, or in percent of the window.
        #[arg(short = 'x', value_name = "COLS")]
        cols: Option<Extent>,
        /// Height in rows, or in percent of the window.
        #[arg(short = 'y', value_name = "ROWS")]
        rows: Option<Extent>,
        /// Column of its left edge.
        #[arg(short = 'X', value_name = "LEFT")]
        left: Option<u16>,
        /// Row of its upper edge.
        #[arg(short = 'Y', value_name = "TOP")]
        top: Option<u16>,
    },
}
