//! The reference of commands and default keys, made from the table; `docs/reference.md` is its output.
use crate::{commands, config::Settings};
use std::fmt::Write as _;

/// The reference as Markdown.
pub fn markdown() -> String {
    let settings = Settings::default();
    let mut text = String::from(
        "# Commands and keys\n\nMade by `inspan reference` from the table of commands; a test fails when it differs.\n\n\
         ## Keys\n\nAfter the prefix, ",
    );
    let _ = writeln!(text, "`{}`.\n\n| key | command |\n|---|---|", settings.prefix);
    for (key, command) in &settings.keys {
        let _ = writeln!(text, "| `{}` | `{}` |", cell(key), cell(command));
    }
    text.push_str("\n## Events of hooks\n\n");
    let events: Vec<String> = crate::server::EVENTS.iter().map(|event| format!("`{event}`")).collect();
    let _ = writeln!(text, "{}, and `after-` with the name of a command.", events.join(", "));
    text.push_str("\n## Commands\n");
    let table = commands::command();
    for command in table.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        let _ = writeln!(text, "\n### {}\n", command.get_name());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "{about}");
        let aliases: Vec<String> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
        if !aliases.is_empty() {
            let _ = writeln!(text, "Also {}.", aliases.join(", "));
        }
        let bound: Vec<String> = settings
            .keys
            .iter()
            .filter(|(_, line)| line.split(' ').next() == Some(command.get_name()))
            .map(|(key, _)| format!("`{key}`"))
            .collect();
        if !bound.is_empty() {
            let _ = writeln!(text, "Keys: {}.", bound.join(" "));
        }
        text.push_str("\n```text\n");
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help") {
            let name =
                arg.get_value_names().map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
            let takes = arg.get_action().takes_values();
            let value = name.filter(|_| takes).map(|names| names.join(" ")).unwrap_or_default();
            let flag = match (arg.get_short(), arg.get_long()) {
                (Some(short), Some(long)) => format!("-{short}, --{long}"),
                (Some(short), None) => format!("-{short}"),
                (None, Some(long)) => format!("--{long}"),
                (None, None) => String::new(),
            };
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "{:<26} {help}", format!("{flag} {value}").trim());
        }
        let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "{example}\n```");
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
