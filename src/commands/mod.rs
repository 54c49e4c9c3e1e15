//! Owns the one table of commands: name, arguments, help, example. It feeds the command line, key bindings, the
//! palette and completions: whatever a key can do, a command can do.
//!
//! Pure. Must not know: how a command is carried out.
mod args;
mod arranging;
mod copying;
mod equipping;
mod local;
mod money;
mod scripting;
mod showing;
mod vaults;
mod verbs;
mod work;

pub use args::*;
pub use arranging::ArrangeVerb;
pub use copying::CopyVerb;
pub use equipping::{McpAction, SkillsAction};
pub use local::LocalVerb;
pub use money::MoneyVerb;
pub use scripting::{Scope, ScriptVerb, Setting};
pub use showing::ShowVerb;
pub use vaults::{AddVault, VaultAction};
pub use verbs::Verb;
pub use work::WorkVerb;

use clap::{CommandFactory, FromArgMatches, Parser};
use std::sync::LazyLock;

/// What stands before the verb.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "inspan",
    version,
    about = "The terminal multiplexer for coding-agent harnesses",
    long_about = "The terminal multiplexer for coding-agent harnesses.\n\nWithout a verb: attach to this \
                  directory's session, or choose what to start in it.",
    after_help = "Examples:\n  inspan try                      see everything on the built-in model, no key needed\n  \
                  inspan                          attach to this directory, or choose what to start\n  \
                  inspan split-window -h --executor codex\n  inspan switch -t %1 --executor claude --dry-run\n\n\
                  Keys inside: C-Space ? lists them.",
    subcommand_required = false,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Use the server named NAME; default: the one whose pane this is, else `default`.
    #[arg(short = 'L', value_name = "NAME", env = "INSPAN_SERVER", hide_env = true)]
    pub server: Option<String>,
    /// Print the file of defaults, every setting with a comment.
    #[arg(long)]
    pub default_config: bool,
    /// The verb; attaching when absent.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// One row of the command reference, for the palette and `prefix ?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The verb.
    pub name: String,
    /// One line of help.
    pub help: String,
}

/// Stack for building the table: unoptimised, the derived code keeps every argument of it on the stack at once.
const TABLE_STACK: usize = 64 << 20;

/// The table, built once.
fn table() -> &'static clap::Command {
    static TABLE: LazyLock<clap::Command> = LazyLock::new(|| {
        let mut table = bare();
        table.build();
        table
    });
    &TABLE
}

/// The command line as clap has it, for whoever writes completions.
pub fn command() -> clap::Command {
    table().clone()
}

/// The same before clap has completed it, for whoever completes it itself.
pub fn bare() -> clap::Command {
    let built = Cli::command;
    let thread = std::thread::Builder::new().stack_size(TABLE_STACK).spawn(built);
    thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(built)
}

/// Parses a whole command line, the program's name first.
///
/// # Errors
/// What clap says, to be printed or rendered.
pub fn parse_line(argv: impl IntoIterator<Item = String>) -> Result<Cli, clap::Error> {
    let mut matches = table().clone().try_get_matches_from(argv)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut table().clone()))
}

/// Every verb that is not hidden, in the order of the table.
pub fn rows() -> Vec<Row> {
    table()
        .get_subcommands()
        .filter(|c| !c.is_hide_set() && c.get_name() != "help")
        .map(|c| Row {
            name: c.get_name().to_owned(),
            help: c.get_about().map(ToString::to_string).unwrap_or_default(),
        })
        .collect()
}

/// The name of a verb, given by name or alias; `None` when there is none.
pub fn full_name(word: &str) -> Option<String> {
    table().find_subcommand(word).map(|found| found.get_name().to_owned())
}

/// Words as a line that [`split_words`] reads again.
pub fn join_words(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'))
    };
    let quoted = |word: &String| match plain(word) {
        true => word.clone(),
        false if !word.contains('\'') => format!("'{word}'"),
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The verb named most like `word`, when one is near.
pub fn nearest(word: &str) -> Option<String> {
    rows()
        .into_iter()
        .map(|r| (strsim::jaro_winkler(word, &r.name), r.name))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Parses the words of a key binding, a palette line or a client's request.
///
/// # Errors
/// What clap says, rendered without colour, when the words are not a command.
pub fn parse(words: &[String]) -> Result<Verb, clap::Error> {
    let argv = std::iter::once("inspan".to_owned()).chain(words.iter().cloned());
    let cli = parse_line(argv)?;
    cli.verb.ok_or_else(|| command().error(clap::error::ErrorKind::MissingSubcommand, "a command is needed"))
}

/// Parts words at each `;` that stands alone, so that one line holds several commands; `\\;` is a word of its own.
/// Behind `--` everything is an argument.
pub fn sequence(words: &[String]) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut literal = false;
    for word in words {
        literal |= word == "--";
        match (word.as_str(), commands.last_mut()) {
            (";", _) if !literal => commands.push(Vec::new()),
            ("\\;", Some(command)) if !literal => command.push(";".to_owned()),
            (_, Some(command)) => command.push(word.clone()),
            (_, None) => {}
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

/// Splits a command line into words as a shell would, with quotes and backslashes but nothing else.
///
/// # Errors
/// A sentence when a quote is left open.
pub fn split_words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut in_word = false;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('\''), c) => word.push(c),
            (_, '\\') => {
                in_word = true;
                word.extend(chars.next());
            }
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => {
                in_word = true;
                quote = Some(c);
            }
            (None, c) if c.is_whitespace() => {
                if in_word {
                    words.push(std::mem::take(&mut word));
                    in_word = false;
                }
            }
            (None, c) => {
                in_word = true;
                word.push(c);
            }
        }
    }
    if let Some(open) = quote {
        return Err(format!("the quote {open} is not closed"));
    }
    if in_word {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        command().debug_assert();
        for command in table().get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no help");
            let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(example.contains("Example"), "{name} has no example");
            assert!(example.contains(&format!("inspan {name}")), "{name}'s example does not use it");
        }
    }

    #[test]
    fn every_example_parses() {
        for command in table().get_subcommands().filter(|c| !c.is_hide_set()) {
            let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in example.lines().filter_map(|l| l.trim().strip_prefix("inspan ")) {
                let line = line.split("  #").next().unwrap_or(line);
                let words = split_words(line).unwrap();
                assert!(parse(&words).is_ok(), "example of {} does not parse: {line}", command.get_name());
            }
        }
    }

    #[test]
    fn words_split_as_in_a_shell() {
        assert_eq!(split_words(r#"a "b c" 'd\e' f\ g ''"#).unwrap(), ["a", "b c", "d\\e", "f g", ""]);
        assert_eq!(split_words(r#"it\'s 'a "b"' """#).unwrap(), ["it's", "a \"b\"", ""]);
        assert_eq!(split_words("  ").unwrap(), Vec::<String>::new());
        assert!(split_words("a 'b").is_err());
    }

    #[test]
    fn words_joined_are_split_again() {
        let words: Vec<String> =
            ["a", "b c", "", "it's", "say \"x\" it's \\", ";"].map(String::from).to_vec();
        assert_eq!(split_words(&join_words(&words)).unwrap(), words);
    }

    #[test]
    fn commands_are_parted_by_semicolons_that_stand_alone() {
        let parts = |line: &str| {
            let words = split_words(line).unwrap();
            sequence(&words).into_iter().map(|words| words.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(parts("split-window ; select-layout tiled"), ["split-window", "select-layout tiled"]);
        assert_eq!(parts("; a ;; b ;"), ["a ;; b"]);
        assert_eq!(parts("send-keys 'a;' \\\\; b"), ["send-keys a; ; b"]);
        assert_eq!(parts("new-window -- sh -c x ; y"), ["new-window -- sh -c x ; y"]);
    }

    #[test]
    fn aliases_have_full_names() {
        assert_eq!(full_name("neww").as_deref(), Some("new-window"));
        assert_eq!(full_name("move-pane").as_deref(), Some("join-pane"));
        assert_eq!(full_name("frobnicate"), None);
    }

    #[test]
    fn a_misspelt_verb_finds_its_neighbour() {
        assert_eq!(nearest("splt-window").as_deref(), Some("split-window"));
        assert_eq!(nearest("qqqq"), None);
    }
}
