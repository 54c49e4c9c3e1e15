//! What the model is told before anything else.
use super::{
    intent::word,
    settings::{Settings, permission_words},
};
use std::io::Read;

/// Bytes of the workspace's own instructions.
const MAX_INSTRUCTIONS: u64 = 32 * 1024;
/// Where a workspace keeps its instructions for agents.
const INSTRUCTIONS: &str = "AGENTS.md";

/// The system prompt.
pub fn instructions(settings: &Settings) -> String {
    let mut text = format!(
        "You are a coding agent in a terminal. You work in the directory {cwd} on the person's machine with the tools \
         that you are given; paths are relative to it. Look before you change things, keep changes small, and check what \
         you did by running it. Leave what you were not asked about as it is, and never undo work that is not yours. The \
         permission is {word}: {means}. When a call is refused, say so; do not look for a way around it. Answer briefly, \
         in plain text or light Markdown: the person reads you in a narrow pane.",
        cwd = settings.cwd.display(),
        word = word(settings.permission),
        means = permission_words(settings.permission),
    );
    if settings.permission == crate::state::Permission::Plan {
        text.push_str(
            " You are asked for a plan: find out what is needed and present the steps; change nothing.",
        );
    }
    if !settings.skills.is_empty() {
        text.push_str("\n\nSkills, each a file to read when its description fits what you are asked:\n");
        for skill in &settings.skills {
            let file = skill.dir.join("SKILL.md");
            text.push_str(&format!("- {}: {} ({})\n", skill.name, skill.description, file.display()));
        }
    }
    if let Some(context) = &settings.context {
        text.push_str(&format!("\n\nWhat the person wants you to know:\n\n{context}"));
    }
    if settings.trusted {
        // Cut where it may be, a character included: its beginning still counts.
        let mut own = Vec::new();
        let file = std::fs::File::open(settings.cwd.join(INSTRUCTIONS));
        let read = file.and_then(|file| file.take(MAX_INSTRUCTIONS).read_to_end(&mut own));
        let own = String::from_utf8_lossy(&own);
        if read.is_ok() && !own.trim().is_empty() {
            text.push_str(&format!("\n\nThe workspace's own instructions ({INSTRUCTIONS}):\n\n{own}"));
        }
    }
    text
}
