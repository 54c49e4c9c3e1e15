//! Verbs of copy mode and of the paste buffers.
use super::args::{Format, Target};
use clap::Subcommand;
use std::path::PathBuf;

/// The verbs that copy and paste.
#[derive(Subcommand, Clone, Debug)]
pub enum CopyVerb {
    /// Walk over what a pane shows and showed: search, select, copy.
    #[command(
        after_help = "Examples:\n  inspan copy-mode      # from a key or the palette\n  inspan copy-mode -u"
    )]
    CopyMode {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Begin one page up.
        #[arg(short = 'u')]
        up: bool,
        /// Leave when scrolled back to the end.
        #[arg(short = 'e')]
        exit: bool,
        /// Leave every mode.
        #[arg(short = 'q')]
        quit: bool,
    },
    /// List the paste buffers, newest first.
    #[command(
        visible_alias = "lsb",
        after_help = "Examples:\n  inspan list-buffers\n  inspan list-buffers -F '#{buffer_name} #{buffer_size}'"
    )]
    ListBuffers {
        #[command(flatten)]
        /// How to print.
        format: Format,
    },
    /// Print a paste buffer.
    #[command(visible_alias = "showb", after_help = "Example:\n  inspan show-buffer -b buffer0")]
    ShowBuffer {
        /// Which one; default: the newest.
        #[arg(short = 'b', value_name = "NAME")]
        buffer: Option<String>,
    },
    /// Keep a text as a paste buffer.
    #[command(
        visible_alias = "setb",
        after_help = "Examples:\n  inspan set-buffer 'some text'\n  inspan set-buffer -b greeting hello"
    )]
    SetBuffer {
        /// Its name; default: a new one.
        #[arg(short = 'b', value_name = "NAME")]
        buffer: Option<String>,
        /// The text.
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Forget a paste buffer.
    #[command(visible_alias = "deleteb", after_help = "Example:\n  inspan delete-buffer -b greeting")]
    DeleteBuffer {
        /// Which one; default: the newest.
        #[arg(short = 'b', value_name = "NAME")]
        buffer: Option<String>,
    },
    /// Write a paste buffer to a file; `-` is standard output.
    #[command(
        visible_alias = "saveb",
        after_help = "Examples:\n  inspan save-buffer copied.txt\n  inspan save-buffer -"
    )]
    SaveBuffer {
        /// Which one; default: the newest.
        #[arg(short = 'b', value_name = "NAME")]
        buffer: Option<String>,
        /// Where to.
        file: PathBuf,
    },
    /// Paste a buffer into a pane, bracketed when it asked for that.
    #[command(
        visible_alias = "pasteb",
        after_help = "Examples:\n  inspan paste-buffer\n  inspan paste-buffer -d -b greeting -t %1"
    )]
    PasteBuffer {
        #[command(flatten)]
        /// Which pane.
        target: Target,
        /// Which one; default: the newest.
        #[arg(short = 'b', value_name = "NAME")]
        buffer: Option<String>,
        /// Forget it then.
        #[arg(short = 'd')]
        delete: bool,
    },
    /// Take back what of a paste its pane has not read.
    #[command(after_help = "Example:\n  inspan cancel-paste -t %1")]
    CancelPaste {
        #[command(flatten)]
        /// Which pane.
        target: Target,
    },
}
