//! Verbs that the server carries out, and their arguments.
use super::args::{Extent, Format, HandoffMode, Manner, Respawn, Target, What};
use super::{
    arranging::ArrangeVerb, copying::CopyVerb, local::LocalVerb, money::MoneyVerb, scripting::ScriptVerb,
    showing::ShowVerb, work::WorkVerb,
};
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
        /// Attach to the session of that name when there is one.
        #[arg(short = 'A', requires = "name")]
        attach: bool,
        /// Print it (always so with -d; accepted for tmux's sake).
        #[arg(short = 'P')]
        print: bool,
        /// Print the new pane in this format.
        #[arg(short = 'F', value_name = "FORMAT")]
        format: Option<String>,
        /// A variable for its panes.
        #[arg(short = 'e', value_name = "NAME=VALUE")]
        environment: Vec<String>,
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
        after_help = "Examples:\n  inspan attach\n  inspan attach -t shop\n  inspan attach -r -t shop\n  inspan attach --ssh build.example -t shop"
    )]
    Attach {
        #[command(flatten)]
        /// Which session.
        target: Target,
        /// Detach every other client of it.
        #[arg(short = 'd')]
        detach_others: bool,
        /// Only watch: nothing that is typed reaches a pane, and the client decides no size.
        #[arg(short = 'r')]
        read_only: bool,
        /// On another machine, over ssh; a broken link is taken up again.
        #[arg(long, value_name = "HOST")]
        ssh: Option<String>,
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
        /// Only this client.
        #[arg(short = 't', long = "target", value_name = "CLIENT", conflicts_with_all = ["all", "session"])]
        client: Option<String>,
    },
    /// End a session and everything in it.
    #[command(after_help = "Example:\n  inspan kill-session -t shop")]
    KillSession {
        #[command(flatten)]
        /// Which session.
        target: Target,
        /// Every other session instead.
        #[arg(short = 'a')]
        others: bool,
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
    /// Go on under the binary as it is now: programs, screens, clients and model requests keep going.
    #[command(after_help = "Examples:\n  inspan restart-server --dry-run\n  inspan restart-server --stop")]
    RestartServer {
        /// The binary to go on with; without it the one that this command is.
        #[arg(long, value_name = "PATH")]
        binary: Option<PathBuf>,
        /// Only say what would be kept and what not.
        #[arg(long)]
        dry_run: bool,
        /// End what runs and start anew; panes offer resume, fresh or shell.
        #[arg(long, conflicts_with_all = ["binary", "dry_run"])]
        stop: bool,
        /// Seconds to wait for a moment without a model request before those under way are cut off.
        #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(..=3600))]
        wait: u64,
        /// Print what is kept and what not as JSON.
        #[arg(long)]
        json: bool,
    },
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
        #[arg(short = 'p', value_name = "PERCENT", conflicts_with = "size",
              value_parser = clap::value_parser!(u16).range(1..=99))]
        percent: Option<u16>,
        /// Size of the new pane in cells or percent.
        #[arg(short = 'l', value_name = "SIZE")]
        size: Option<Extent>,
        /// Across the whole window.
        #[arg(short = 'f')]
        full: bool,
        /// Zoom the new pane.
        #[arg(short = 'Z')]
        zoomed: bool,
        /// Print it (always so; accepted for tmux's sake).
        #[arg(short = 'P')]
        print: bool,
        /// Print it in this format.
        #[arg(short = 'F', value_name = "FORMAT")]
        format: Option<String>,
        /// A variable for the new pane.
        #[arg(short = 'e', value_name = "NAME=VALUE")]
        environment: Vec<String>,
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
        /// Behind the target window.
        #[arg(short = 'a')]
        after: bool,
        /// Before the target window.
        #[arg(short = 'b', conflicts_with = "after")]
        before: bool,
        /// Show the window of that name instead, when there is one.
        #[arg(short = 'S', requires = "name")]
        select: bool,
        /// Print it (always so; accepted for tmux's sake).
        #[arg(short = 'P')]
        print: bool,
        /// Print its pane in this format.
        #[arg(short = 'F', value_name = "FORMAT")]
        format: Option<String>,
        /// A variable for its pane.
        #[arg(short = 'e', value_name = "NAME=VALUE")]
        environment: Vec<String>,
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
        /// Every other window of the session instead.
        #[arg(short = 'a')]
        others: bool,
    },
    /// Focus the next pane that needs you.
    #[command(after_help = "Example:\n  inspan next-attention")]
    NextAttention {
        #[command(flatten)]
        /// The session.
        target: Target,
    },
    /// End a pane's process and close it.
    #[command(visible_alias = "killp", after_help = "Example:\n  inspan kill-pane -t %2")]
    KillPane {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Every other pane of the window instead.
        #[arg(short = 'a')]
        others: bool,
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
        /// Working directory.
        #[arg(short = 'c', value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Another command.
        #[arg(trailing_var_arg = true, value_name = "CMD")]
        command: Vec<String>,
    },
    /// Type keys into a pane.
    #[command(
        visible_alias = "send",
        after_help = "Examples:\n  inspan send-keys -t %1 'make test' Enter\n  inspan send-keys -t %1 -l 'C-c is text here'\n  inspan send-keys -t %1 -N 3 Up\n  inspan send-keys -t %1 -H 1b 5b 41"
    )]
    SendKeys {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// The words are text, not key names.
        #[arg(short = 'l')]
        literal: bool,
        /// The words are characters by their hexadecimal numbers.
        #[arg(short = 'H', conflicts_with = "literal")]
        hex: bool,
        /// So many times.
        #[arg(short = 'N', value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
        repeat: Option<u16>,
        /// Reset the pane's terminal first.
        #[arg(short = 'R')]
        reset: bool,
        /// Keys or text.
        #[arg(allow_hyphen_values = true, trailing_var_arg = true, required_unless_present = "reset")]
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
        /// Into a paste buffer of this name instead.
        #[arg(short = 'b', value_name = "NAME")]
        buffer: Option<String>,
        /// A pane that is gone is no error.
        #[arg(short = 'q')]
        quiet: bool,
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
        /// All sessions (the default without -t; accepted for tmux's sake).
        #[arg(short = 'a')]
        all: bool,
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
        /// Only this window's; for a bare session that of all its windows.
        target: Target,
        /// The target is a session: panes of all its windows.
        #[arg(short = 's')]
        session: bool,
        /// All sessions (the default without -t).
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
        /// Every name that a format can have, with its value.
        #[arg(short = 'a')]
        all: bool,
        /// How long it stays, in milliseconds.
        #[arg(short = 'd', value_name = "MS")]
        duration: Option<u64>,
        /// The format; default: where the pane is.
        #[arg(allow_hyphen_values = true)]
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
        #[command(flatten)]
        /// As what and how hard it works.
        manner: Manner,
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
    /// Trust a directory's hooks and MCP servers, so that harnesses do not ask, and agree to its .inspan.toml.
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
        /// The contents of workspace files that the trust dialog showed.
        #[arg(long, hide = true, value_name = "HASH")]
        shown: Vec<String>,
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
        /// Only of this table: prefix or root.
        #[arg(short = 'T', value_name = "TABLE")]
        table: Option<String>,
        /// Accepted for tmux's sake.
        #[arg(short = 'N')]
        notes: bool,
        /// Only this key.
        #[arg(allow_hyphen_values = true)]
        key: Option<String>,
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
        #[command(flatten)]
        /// As what and how hard it works.
        manner: Manner,
        /// How it is paid.
        #[arg(long, value_name = "A")]
        auth: Option<String>,
        /// What the next harness is told.
        #[arg(long, value_enum, default_value_t)]
        handoff: HandoffMode,
    },
    /// Open the command prompt of the current client.
    #[command(
        after_help = "Examples:\n  inspan command-prompt\n  inspan command-prompt -p 'new name' \"rename-window '%%'\""
    )]
    CommandPrompt {
        /// Text to begin with.
        #[arg(short = 'I', value_name = "TEXT")]
        initial: Option<String>,
        /// What is asked for; with a template.
        #[arg(short = 'p', value_name = "PROMPT", requires = "template")]
        prompt: Option<String>,
        /// The command to run, with what was typed in place of `%%`.
        template: Option<String>,
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
    /// Repaint every client.
    #[command(visible_alias = "refresh", after_help = "Example:\n  inspan refresh-client")]
    RefreshClient,
    /// Install an executor in a new pane.
    #[command(after_help = "Example:\n  inspan install-pane claude")]
    InstallPane {
        /// Which executor.
        executor: String,
    },
    /// Verbs that arrange windows and panes.
    #[command(flatten)]
    Arrange(ArrangeVerb),
    /// Verbs that put something over the panes.
    #[command(flatten)]
    Show(ShowVerb),
    /// Verbs for scripts and settings.
    #[command(flatten)]
    Script(ScriptVerb),
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
