//! Verbs that the server carries out, and their arguments.
use super::args::{Format, HandoffMode, Respawn, Target, Toward, What};
use super::{copying::CopyVerb, local::LocalVerb, money::MoneyVerb, work::WorkVerb};
use clap::Subcommand;
use std::path::PathBuf;

/// The verbs.
#[derive(Subcommand, Clone, Debug)]
pub enum Verb {
    /// The whole product on the built-in rehearsal provider: no key, no login, nothing of yours touched.
    #[command(
        after_help = "Examples:\n  inspan try\n  inspan try --detached  # prints the session and leaves it running"
    )]
    Try {
        /// Start it and print its panes instead of attaching.
        #[arg(long)]
        detached: bool,
        /// Print JSON (with --detached).
        #[arg(long, requires = "detached")]
        json: bool,
    },
    /// Create a session.
    #[command(
        visible_alias = "new",
        after_help = "Examples:\n  inspan new-session -s shop -c . --executor claude\n  \
        inspan new-session -d -s ci -x 120 -y 40 --executor codex --rehearse\n  \
        inspan new-session --executor claude --split codex\n  inspan new-session --vault team"
    )]
    NewSession {
        /// Do not attach; print the new pane's id.
        #[arg(short = 'd')]
        detached: bool,
        /// Its name; default: the directory's.
        #[arg(short = 's', value_name = "NAME")]
        name: Option<String>,
        /// Its workspace; default: this directory.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Name of the first window.
        #[arg(short = 'n', value_name = "WINDOW")]
        window: Option<String>,
        /// Columns while no client is attached.
        #[arg(short = 'x', value_name = "COLS")]
        cols: Option<u16>,
        /// Rows while no client is attached, the status line included.
        #[arg(short = 'y', value_name = "ROWS")]
        rows: Option<u16>,
        /// Every route of this session goes to the rehearsal provider.
        #[arg(long)]
        rehearse: bool,
        /// Attach this vault; the one for models selects the executor and pays. Repeatable.
        #[arg(long, value_name = "NAME")]
        vault: Vec<String>,
        /// Write this on the session, for scripts to read. Repeatable.
        #[arg(long, value_name = "KEY=VALUE")]
        metadata: Vec<String>,
        /// Beside it a second pane: another executor, or `shell`.
        #[arg(long, value_name = "E")]
        split: Option<String>,
        #[command(flatten)]
        /// What to run.
        what: What,
    },
    /// Attach this terminal to a session.
    #[command(
        visible_alias = "attach-session",
        after_help = "Examples:\n  inspan attach\n  inspan attach -t shop"
    )]
    Attach {
        #[command(flatten)]
        /// Which session.
        target: Target,
        /// Detach every other client of it.
        #[arg(short = 'd')]
        detach_others: bool,
    },
    /// Detach a client; everything keeps running.
    #[command(
        visible_alias = "detach",
        after_help = "Examples:\n  inspan detach-client\n  inspan detach-client -a  # all clients"
    )]
    DetachClient {
        /// All clients of the session.
        #[arg(short = 'a')]
        all: bool,
        /// The session whose clients to detach.
        #[arg(short = 's', value_name = "SESSION")]
        session: Option<String>,
    },
    /// End a session and everything in it.
    #[command(after_help = "Example:\n  inspan kill-session -t shop")]
    KillSession {
        #[command(flatten)]
        /// Which session.
        target: Target,
    },
    /// Rename a session.
    #[command(after_help = "Example:\n  inspan rename-session -t shop store")]
    RenameSession {
        #[command(flatten)]
        /// Which session.
        target: Target,
        /// The new name.
        name: String,
    },
    /// Exit 0 when a session exists, 1 when not.
    #[command(after_help = "Example:\n  inspan has-session -t shop")]
    HasSession {
        #[command(flatten)]
        /// Which session.
        target: Target,
    },
    /// End the server and everything in it.
    #[command(after_help = "Example:\n  inspan kill-server")]
    KillServer,
    /// Stop the server and start it anew; panes offer resume, fresh or shell.
    #[command(after_help = "Example:\n  inspan restart-server")]
    RestartServer,
    /// Start the server without a session.
    #[command(after_help = "Example:\n  inspan start-server")]
    StartServer,
    /// Split a pane; prints the new pane's id.
    #[command(
        visible_alias = "splitw",
        disable_help_flag = true,
        after_help = "Examples:\n  inspan split-window -h --executor codex\n  \
        inspan split-window -t %1 -v -p 30 -- htop"
    )]
    SplitWindow {
        /// Print help.
        #[arg(long, action = clap::ArgAction::Help)]
        help: Option<bool>,
        #[command(flatten)]
        /// The pane to split.
        target: Target,
        /// Side by side.
        #[arg(short = 'h', conflicts_with = "vertical")]
        horizontal: bool,
        /// One above the other (the default).
        #[arg(short = 'v')]
        vertical: bool,
        /// The new pane comes before.
        #[arg(short = 'b')]
        before: bool,
        /// Do not move the focus.
        #[arg(short = 'd')]
        detached: bool,
        /// Percentage of the space for the new pane.
        #[arg(short = 'p', value_name = "PERCENT", value_parser = clap::value_parser!(u16).range(1..=99))]
        percent: Option<u16>,
        /// Working directory; default: the split pane's.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        #[command(flatten)]
        /// What to run.
        what: What,
    },
    /// Create a window; prints the new pane's id.
    #[command(
        visible_alias = "neww",
        after_help = "Examples:\n  inspan new-window -n logs -- tail -f app.log\n  \
        inspan new-window --executor gemini"
    )]
    NewWindow {
        #[command(flatten)]
        /// The session.
        target: Target,
        /// Its name.
        #[arg(short = 'n', value_name = "NAME")]
        name: Option<String>,
        /// Do not show it.
        #[arg(short = 'd')]
        detached: bool,
        /// Working directory.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        #[command(flatten)]
        /// What to run.
        what: What,
    },
    /// Close a window.
    #[command(visible_alias = "killw", after_help = "Example:\n  inspan kill-window -t shop:2")]
    KillWindow {
        #[command(flatten)]
        /// Which window.
        target: Target,
    },
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
    },
    /// Show the next window.
    #[command(visible_alias = "next", after_help = "Example:\n  inspan next-window")]
    NextWindow {
        #[command(flatten)]
        /// The session.
        target: Target,
    },
    /// Show the previous window.
    #[command(visible_alias = "prev", after_help = "Example:\n  inspan previous-window")]
    PreviousWindow {
        #[command(flatten)]
        /// The session.
        target: Target,
    },
    /// Show the window shown before.
    #[command(after_help = "Example:\n  inspan last-window")]
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
    /// Arrange a window's panes: even-horizontal, even-vertical, main-horizontal, main-vertical, tiled.
    #[command(
        visible_alias = "selectl",
        after_help = "Examples:\n  inspan select-layout tiled\n  inspan select-layout -t shop:1 main-vertical"
    )]
    SelectLayout {
        #[command(flatten)]
        /// Which window.
        target: Target,
        /// The preset.
        name: String,
    },
    /// Apply the next layout preset.
    #[command(visible_alias = "nextl", after_help = "Example:\n  inspan next-layout")]
    NextLayout {
        #[command(flatten)]
        /// Which window.
        target: Target,
    },
    /// Focus a pane.
    #[command(
        visible_alias = "selectp",
        after_help = "Examples:\n  inspan select-pane -t %2\n  inspan select-pane -L"
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
    },
    /// Focus the pane focused before.
    #[command(visible_alias = "lastp", after_help = "Example:\n  inspan last-pane")]
    LastPane {
        #[command(flatten)]
        /// The window.
        target: Target,
    },
    /// Focus the next pane that needs you.
    #[command(after_help = "Example:\n  inspan next-attention")]
    NextAttention {
        #[command(flatten)]
        /// The session.
        target: Target,
    },
    /// Resize a pane, or zoom it (-Z).
    #[command(
        visible_alias = "resizep",
        after_help = "Examples:\n  inspan resize-pane -t %1 -R 10\n  inspan resize-pane -Z\n  inspan resize-pane -x 80"
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
        /// Width in columns, border included.
        #[arg(short = 'x', value_name = "COLS")]
        cols: Option<u16>,
        /// Height in rows, border included.
        #[arg(short = 'y', value_name = "ROWS")]
        rows: Option<u16>,
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
    },
    /// Move a pane into a window of its own.
    #[command(visible_alias = "breakp", after_help = "Example:\n  inspan break-pane -t %2")]
    BreakPane {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Name of the new window.
        #[arg(short = 'n', value_name = "NAME")]
        name: Option<String>,
        /// Do not show it.
        #[arg(short = 'd')]
        detached: bool,
    },
    /// Move a pane beside another.
    #[command(
        visible_alias = "joinp",
        disable_help_flag = true,
        after_help = "Example:\n  inspan join-pane -s %3 -t %1 -h"
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
    },
    /// End a pane's process and close it.
    #[command(visible_alias = "killp", after_help = "Example:\n  inspan kill-pane -t %2")]
    KillPane {
        #[command(flatten)]
        /// Which pane.
        target: Target,
    },
    /// Start a pane's command again.
    #[command(
        visible_alias = "respawnp",
        after_help = "Examples:\n  inspan respawn-pane -t %2\n  inspan respawn-pane -t %2 --how resume"
    )]
    RespawnPane {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Stop what runs there first.
        #[arg(short = 'k')]
        kill: bool,
        /// resume, fresh or shell.
        #[arg(long, value_enum, default_value_t = Respawn::Fresh)]
        how: Respawn,
    },
    /// Type keys into a pane.
    #[command(
        visible_alias = "send",
        after_help = "Examples:\n  inspan send-keys -t %1 'make test' Enter\n  inspan send-keys -t %1 -l 'C-c is text here'"
    )]
    SendKeys {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// The words are text, not key names.
        #[arg(short = 'l')]
        literal: bool,
        /// Keys or text.
        #[arg(required = true, allow_hyphen_values = true, trailing_var_arg = true)]
        keys: Vec<String>,
    },
    /// Submit a prompt as the pane's executor needs it.
    #[command(
        after_help = "Examples:\n  inspan prompt -t %1 'add a test for totals'\n  inspan prompt -t %1 --wait 'run the tests'"
    )]
    Prompt {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Wait for the end of the turn and print the answer.
        #[arg(long)]
        wait: bool,
        /// Give up waiting after this many seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout: u64,
        /// What to say.
        #[arg(required = true, allow_hyphen_values = true)]
        text: Vec<String>,
    },
    /// Paste text into a pane, bracketed when it asked for that; `-` reads standard input.
    #[command(after_help = "Example:\n  inspan paste -t %1 'some text'")]
    Paste {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// What to paste.
        text: String,
    },
    /// Print what a pane shows.
    #[command(
        visible_alias = "capturep",
        after_help = "Examples:\n  inspan capture-pane -p -t %1\n  inspan capture-pane -p -e -S -100"
    )]
    CapturePane {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// To standard output (always so; accepted for tmux's sake).
        #[arg(short = 'p')]
        print: bool,
        /// With colours and attributes.
        #[arg(short = 'e')]
        styled: bool,
        /// Join wrapped lines.
        #[arg(short = 'J')]
        join: bool,
        /// First line; negative reaches into history, `-` is its beginning.
        #[arg(short = 'S', value_name = "START", allow_hyphen_values = true)]
        start: Option<String>,
        /// Last line; `-` is the end of the screen.
        #[arg(short = 'E', value_name = "END", allow_hyphen_values = true)]
        end: Option<String>,
    },
    /// List sessions.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  inspan list-sessions\n  inspan list-sessions --json"
    )]
    ListSessions {
        #[command(flatten)]
        /// How to print.
        format: Format,
    },
    /// List windows.
    #[command(visible_alias = "lsw", after_help = "Example:\n  inspan list-windows --json")]
    ListWindows {
        #[command(flatten)]
        /// How to print.
        format: Format,
        #[command(flatten)]
        /// Only this session's.
        target: Target,
    },
    /// List panes with executor, model, auth and status.
    #[command(
        visible_alias = "lsp",
        after_help = "Examples:\n  inspan list-panes --json\n  inspan list-panes -F '#{pane_id} #{executor} #{status}'"
    )]
    ListPanes {
        #[command(flatten)]
        /// How to print.
        format: Format,
        #[command(flatten)]
        /// Only this session's or window's.
        target: Target,
        /// All sessions (the default; accepted for tmux's sake).
        #[arg(short = 'a')]
        all: bool,
    },
    /// List attached clients.
    #[command(visible_alias = "lsc", after_help = "Example:\n  inspan list-clients --json")]
    ListClients {
        #[command(flatten)]
        /// How to print.
        format: Format,
    },
    /// Print a format about a pane, or show it in the status line.
    #[command(
        visible_alias = "display",
        after_help = "Example:\n  inspan display-message -p '#{session_name} #{pane_id} #{status}'"
    )]
    DisplayMessage {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Print it.
        #[arg(short = 'p')]
        print: bool,
        /// The format.
        #[arg(required = true)]
        message: Vec<String>,
    },
    /// Change a pane's executor in the middle of the work; the conversation, files and git state carry over.
    #[command(
        after_help = "Examples:\n  inspan switch -t %2 --executor claude --model opus-4.6\n  inspan switch -t %2 --executor codex --dry-run --json"
    )]
    Switch {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// The executor to change to.
        #[arg(long, value_name = "E")]
        executor: String,
        /// Its model.
        #[arg(long, value_name = "M")]
        model: Option<String>,
        /// How it is paid.
        #[arg(long, value_name = "A")]
        auth: Option<String>,
        /// What the next harness is told.
        #[arg(long, value_enum, default_value_t)]
        handoff: HandoffMode,
        /// Tell this instead of what would be built; `-` reads standard input.
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        handoff_text: Option<String>,
        /// An own name of this switch: asked for again, it is not done again.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// Say what would happen, change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask; also interrupts a running turn and goes on without a repository.
        #[arg(long)]
        yes: bool,
        /// Wait for the running turn to end.
        #[arg(long, conflicts_with = "dry_run")]
        when_done: bool,
        /// Begin a new native session even when one is parked.
        #[arg(long)]
        fresh: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change a pane's model under the same executor.
    #[command(after_help = "Example:\n  inspan model -t %1 claude-opus-4.6")]
    Model {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// The model, by display or wire id.
        model: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a pane's route and which step chose it.
    #[command(after_help = "Example:\n  inspan route -t %1 --json")]
    Route {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// What is known of a pane's status, and which source said it.
    #[command(after_help = "Example:\n  inspan explain -t %1")]
    Explain {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Files that inspan generated, by pane.
    #[command(after_help = "Example:\n  inspan files -t %1")]
    Files {
        #[command(flatten)]
        /// Only this pane's.
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// The journal: what happened, newest last.
    #[command(
        after_help = "Examples:\n  inspan events --json -n 20\n  inspan events --follow --kind switch,turn -t %1"
    )]
    Events {
        #[command(flatten)]
        /// Only what happened to this pane.
        target: Target,
        /// How many.
        #[arg(short = 'n', default_value_t = 50)]
        count: usize,
        /// Go on as things happen, until interrupted.
        #[arg(long, short = 'f')]
        follow: bool,
        /// Only these kinds, e.g. `switch`, `status`, `turn`.
        #[arg(long, value_name = "KIND", value_delimiter = ',')]
        kind: Vec<String>,
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Trust a directory's hooks and MCP servers, so that harnesses do not ask.
    #[command(
        after_help = "Examples:\n  inspan trust .\n  inspan trust --ask .     # each harness asks its own question\n  \
        inspan trust --forget .  # inspan asks again"
    )]
    Trust {
        /// The directory.
        dir: PathBuf,
        /// Take the answer back.
        #[arg(long)]
        forget: bool,
        /// Let each harness ask its own question instead.
        #[arg(long, conflicts_with = "forget")]
        ask: bool,
        /// What the trust dialog goes on with.
        #[arg(last = true, hide = true, value_name = "CMD")]
        then: Vec<String>,
    },
    /// List the key bindings.
    #[command(visible_alias = "lsk", after_help = "Example:\n  inspan list-keys")]
    ListKeys {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Show them over the panes (what `prefix ?` does).
        #[arg(long)]
        overlay: bool,
    },
    /// Open or close the router panel of the current client.
    #[command(after_help = "Example:\n  inspan router-panel")]
    RouterPanel {
        #[command(flatten)]
        /// The pane that it is about.
        target: Target,
        /// Keep it docked whatever the width.
        #[arg(long)]
        pin: bool,
    },
    /// Preview a switch in a dialog over the pane.
    #[command(after_help = "Example:\n  inspan switch-dialog -t %1 --executor codex")]
    SwitchDialog {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// The executor to change to; without it, a list.
        #[arg(long, value_name = "E")]
        executor: Option<String>,
        /// Its model.
        #[arg(long, value_name = "M")]
        model: Option<String>,
        /// How it is paid.
        #[arg(long, value_name = "A")]
        auth: Option<String>,
        /// What the next harness is told.
        #[arg(long, value_enum, default_value_t)]
        handoff: HandoffMode,
    },
    /// Open the command prompt of the current client.
    #[command(after_help = "Example:\n  inspan command-prompt")]
    CommandPrompt {
        /// Text to begin with.
        #[arg(short = 'I', value_name = "TEXT")]
        initial: Option<String>,
    },
    /// Ask before running a command.
    #[command(after_help = "Example:\n  inspan confirm-before -p 'kill this pane?' kill-pane")]
    ConfirmBefore {
        /// The question.
        #[arg(short = 'p', value_name = "PROMPT")]
        prompt: Option<String>,
        /// The command.
        #[arg(required = true, allow_hyphen_values = true, trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// Send the prefix key to the pane.
    #[command(after_help = "Example:\n  inspan send-prefix")]
    SendPrefix {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// The second prefix.
        #[arg(short = '2')]
        second: bool,
    },
    /// Repaint every client.
    #[command(visible_alias = "refresh", after_help = "Example:\n  inspan refresh-client")]
    RefreshClient,
    /// Install an executor in a new pane.
    #[command(after_help = "Example:\n  inspan install-pane claude")]
    InstallPane {
        /// Which executor.
        executor: String,
    },
    /// Verbs of copy mode and of the paste buffers.
    #[command(flatten)]
    Copying(CopyVerb),
    /// Verbs about the work itself.
    #[command(flatten)]
    Work(WorkVerb),
    /// Verbs about model requests and what they cost.
    #[command(flatten)]
    Money(MoneyVerb),
    /// Verbs about this machine.
    #[command(flatten)]
    Local(LocalVerb),
}
