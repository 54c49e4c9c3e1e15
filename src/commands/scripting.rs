//! Verbs for scripts and settings: options, bindings, hooks, shells, waiting.
use super::args::{Format, Target};
use clap::Subcommand;
use std::path::PathBuf;

/// The verbs for scripts.
#[derive(Subcommand, Clone, Debug)]
pub enum ScriptVerb {
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
    /// Send what a pane prints to a command's standard input; without a command, stop that.
    #[command(
        visible_alias = "pipep",
        after_help = "Examples:\n  inspan pipe-pane -t %1 'cat >>pane.log'\n  inspan pipe-pane -t %1  # stops it"
    )]
    PipePane {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// What the command prints is typed into the pane.
        #[arg(short = 'I')]
        input: bool,
        /// What the pane prints goes to the command (the default).
        #[arg(short = 'O')]
        output: bool,
        /// Only when no pipe is open; otherwise stop that one.
        #[arg(short = 'o')]
        toggle: bool,
        /// For `sh -c`; formats in it are expanded.
        #[arg(trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Wait until a channel is signalled, or signal it.
    #[command(
        visible_alias = "wait",
        after_help = "Examples:\n  inspan wait-for built\n  inspan wait-for -S built   # wakes all that wait\n  \
        inspan wait-for -L door    # waits for the lock and takes it\n  inspan wait-for -U door"
    )]
    WaitFor {
        /// Signal it.
        #[arg(short = 'S')]
        signal: bool,
        /// Lock it; waits while another has it.
        #[arg(short = 'L', conflicts_with = "signal")]
        lock: bool,
        /// Unlock it.
        #[arg(short = 'U', conflicts_with_all = ["signal", "lock"])]
        unlock: bool,
        /// Any name.
        channel: String,
    },
    /// Run a shell command beside the panes; what it prints is shown, or printed.
    #[command(
        visible_alias = "run",
        after_help = "Examples:\n  inspan run-shell 'git -C #{pane_current_path} status -s'\n  inspan run-shell -b 'notify-send done'"
    )]
    RunShell {
        #[command(flatten)]
        /// The pane that formats are about.
        target: Target,
        /// Do not wait for it; what it prints is dropped.
        #[arg(short = 'b')]
        background: bool,
        /// It is a command of inspan's, not of the shell's.
        #[arg(short = 'C')]
        commands: bool,
        /// Wait so many seconds first.
        #[arg(short = 'd', value_name = "SECONDS")]
        delay: Option<f64>,
        /// For `sh -c`; formats in it are expanded.
        #[arg(trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Run one of two commands, by how a shell command ends or what a format is worth.
    #[command(
        visible_alias = "if",
        after_help = "Examples:\n  inspan if-shell 'test -d .git' 'display-message repository' 'display-message none'\n  \
        inspan if-shell -F '#{pane_in_mode}' 'send-keys -X cancel' copy-mode"
    )]
    IfShell {
        #[command(flatten)]
        /// The pane that formats are about.
        target: Target,
        /// Do not wait for it.
        #[arg(short = 'b')]
        background: bool,
        /// The condition is a format: true unless empty or 0.
        #[arg(short = 'F')]
        format: bool,
        /// For `sh -c`, or the format.
        condition: String,
        /// The command when it holds.
        then: String,
        /// The command when it does not.
        otherwise: Option<String>,
    },
    /// Run the commands in a file, a line each; `-` reads standard input.
    #[command(
        visible_alias = "source",
        after_help = "Examples:\n  inspan source-file layout.conf\n  inspan source-file -n layout.conf  # only check it"
    )]
    SourceFile {
        /// A file that is not there is no error.
        #[arg(short = 'q')]
        quiet: bool,
        /// Only check the lines.
        #[arg(short = 'n')]
        check: bool,
        /// Print each line.
        #[arg(short = 'v')]
        verbose: bool,
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The text of `-`, read by the client.
        #[arg(long, hide = true, allow_hyphen_values = true)]
        text: Option<String>,
    },
    /// Change a setting until the server ends; the file of settings stays as it is.
    #[command(
        visible_alias = "set",
        after_help = "Examples:\n  inspan set-option -g mouse off\n  inspan set-option -w synchronize-panes on\n  \
        inspan set-option -g @project shop\n  inspan set-option -gu mouse  # as in the file again"
    )]
    SetOption(Setting),
    /// The same for a window, as tmux has it.
    #[command(
        visible_alias = "setw",
        after_help = "Example:\n  inspan set-window-option synchronize-panes on"
    )]
    SetWindowOption(Setting),
    /// Print settings in force.
    #[command(
        visible_aliases = ["show", "show-window-options", "showw"],
        after_help = "Examples:\n  inspan show-options -g\n  inspan show-options -gv mouse\n  inspan show-options --json"
    )]
    ShowOptions {
        #[command(flatten)]
        /// Whose.
        scope: Scope,
        /// Only the value.
        #[arg(short = 'v')]
        value: bool,
        /// An unknown name is no error.
        #[arg(short = 'q')]
        quiet: bool,
        /// Inherited ones too (they always are; accepted for tmux's sake).
        #[arg(short = 'A')]
        inherited: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Only this one.
        name: Option<String>,
    },
    /// Bind a key until the server ends.
    #[command(
        visible_alias = "bind",
        after_help = "Examples:\n  inspan bind-key g split-window -h -- lazygit\n  inspan bind-key -n M-Left select-pane -L\n  \
        inspan bind-key -r H resize-pane -L 5"
    )]
    BindKey {
        /// Without the prefix.
        #[arg(short = 'n', conflicts_with = "table")]
        root: bool,
        /// It works again without the prefix for a moment.
        #[arg(short = 'r')]
        repeat: bool,
        /// prefix or root.
        #[arg(short = 'T', value_name = "TABLE")]
        table: Option<String>,
        /// What it does, for the key help.
        #[arg(short = 'N', value_name = "NOTE")]
        note: Option<String>,
        /// The key.
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The command.
        #[arg(required = true, allow_hyphen_values = true, trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// Take a key's binding away until the server ends.
    #[command(
        visible_alias = "unbind",
        after_help = "Examples:\n  inspan unbind-key g\n  inspan unbind-key -n M-Left"
    )]
    UnbindKey {
        /// Every key.
        #[arg(short = 'a')]
        all: bool,
        /// Of the keys without the prefix.
        #[arg(short = 'n', conflicts_with = "table")]
        root: bool,
        /// prefix or root.
        #[arg(short = 'T', value_name = "TABLE")]
        table: Option<String>,
        /// A key that is not bound is no error.
        #[arg(short = 'q')]
        quiet: bool,
        /// The key.
        #[arg(allow_hyphen_values = true, required_unless_present = "all")]
        key: Option<String>,
    },
    /// Run a command whenever something happens, until the server ends.
    #[command(
        after_help = "Examples:\n  inspan set-hook -g pane-needs-you 'run-shell -b \"notify-send #{hook_pane}\"'\n  \
        inspan set-hook -gu pane-needs-you"
    )]
    SetHook {
        #[command(flatten)]
        /// Accepted for tmux's sake.
        target: Target,
        /// For everything (always so; accepted for tmux's sake).
        #[arg(short = 'g')]
        global: bool,
        /// Beside the hooks that are there.
        #[arg(short = 'a')]
        append: bool,
        /// Take the hooks of this event away.
        #[arg(short = 'u')]
        unset: bool,
        /// Run them now.
        #[arg(short = 'R')]
        run: bool,
        /// The event.
        event: String,
        /// The command.
        command: Option<String>,
    },
    /// List the hooks.
    #[command(
        after_help = "Examples:\n  inspan show-hooks -g\n  inspan show-hooks --events  # what there is to hook on"
    )]
    ShowHooks {
        /// Accepted for tmux's sake.
        #[arg(short = 'g')]
        global: bool,
        /// The events that hooks can have.
        #[arg(long)]
        events: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change a variable that new panes of a session get.
    #[command(
        visible_alias = "setenv",
        after_help = "Examples:\n  inspan set-environment -t shop CI 1\n  inspan set-environment -u CI"
    )]
    SetEnvironment {
        #[command(flatten)]
        /// The session.
        target: Target,
        /// In every session.
        #[arg(short = 'g')]
        global: bool,
        /// Take it away.
        #[arg(short = 'u')]
        unset: bool,
        /// Take it away (as -u; accepted for tmux's sake).
        #[arg(short = 'r')]
        remove: bool,
        /// The variable.
        name: String,
        /// Its value.
        #[arg(allow_hyphen_values = true)]
        value: Option<String>,
    },
    /// List the commands.
    #[command(visible_alias = "lscm", after_help = "Example:\n  inspan list-commands")]
    ListCommands {
        #[command(flatten)]
        /// How to print.
        format: Format,
        /// Only this one.
        name: Option<String>,
    },
    /// Forget a pane's history; its screen stays.
    #[command(visible_alias = "clearhist", after_help = "Example:\n  inspan clear-history -t %1")]
    ClearHistory {
        #[command(flatten)]
        /// Which pane.
        target: Target,
    },
    /// Read the settings, the policy's place and the theme anew.
    #[command(after_help = "Example:\n  inspan reload")]
    Reload,
}

/// An option and what it becomes.
#[derive(clap::Args, Clone, Debug)]
pub struct Setting {
    #[command(flatten)]
    /// Whose.
    pub scope: Scope,
    /// Behind the value that is there.
    #[arg(short = 'a')]
    pub append: bool,
    /// Formats in the value are expanded now.
    #[arg(short = 'F')]
    pub expand: bool,
    /// Only when it is not set.
    #[arg(short = 'o')]
    pub only: bool,
    /// Take the value back.
    #[arg(short = 'u')]
    pub unset: bool,
    /// An unknown name is no error.
    #[arg(short = 'q')]
    pub quiet: bool,
    /// tmux's name, inspan's, or `@` and any name.
    pub name: String,
    /// The value; without one, a switch is turned over.
    #[arg(allow_hyphen_values = true)]
    pub value: Option<String>,
}

/// Whose setting it is.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Scope {
    /// A session, window or pane.
    #[arg(short = 't', long = "target", value_name = "TARGET", allow_hyphen_values = true)]
    pub target: Option<String>,
    /// Everybody's.
    #[arg(short = 'g')]
    pub global: bool,
    /// The server's.
    #[arg(short = 's')]
    pub server: bool,
    /// A window's.
    #[arg(short = 'w')]
    pub window: bool,
    /// A pane's.
    #[arg(short = 'p')]
    pub pane: bool,
}
