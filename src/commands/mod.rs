//! Owns the one table of commands: name, arguments, help, example. It feeds the command line, key bindings, the
//! palette and completions: whatever a key can do, a command can do.
//!
//! Pure. Must not know: how a command is carried out.
mod args;
mod copying;
mod local;
mod money;
mod vaults;
mod verbs;
mod work;

pub use args::*;
pub use copying::CopyVerb;
pub use local::LocalVerb;
pub use money::MoneyVerb;
pub use vaults::{AddVault, VaultAction};
pub use verbs::Verb;
pub use work::WorkVerb;

use clap::{CommandFactory, Parser};

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

/// Every verb that is not hidden, in the order of the table.
pub fn rows() -> Vec<Row> {
    Cli::command()
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
        .map(|c| Row {
            name: c.get_name().to_owned(),
            help: c.get_about().map(ToString::to_string).unwrap_or_default(),
        })
        .collect()
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
    let cli = Cli::try_parse_from(argv)?;
    cli.verb
        .ok_or_else(|| Cli::command().error(clap::error::ErrorKind::MissingSubcommand, "a command is needed"))
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
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no help");
            let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(example.contains("Example"), "{name} has no example");
            assert!(example.contains(&format!("inspan {name}")), "{name}'s example does not use it");
        }
    }

    #[test]
    fn every_example_parses() {
        for command in Cli::command().get_subcommands().filter(|c| !c.is_hide_set()) {
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
    fn a_misspelt_verb_finds_its_neighbour() {
        assert_eq!(nearest("splt-window").as_deref(), Some("split-window"));
        assert_eq!(nearest("qqqq"), None);
    }
}
