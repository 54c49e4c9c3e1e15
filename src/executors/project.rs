//! What a directory would have the CLIs load and run, for the question whether it is trusted.
//!
//! Must not know: who asks, what the person answers.
use super::{
    launch::git_root,
    overlay::{plain_json, read_text},
};
use serde_json::Value;
use std::{fs, path::Path};

/// Entries counted in a directory of skills; more are as many.
const MAX_SKILLS: usize = 1_000;

/// Settings files of the CLIs in JSON, each with the keys of its hooks and its MCP servers.
const JSON_FILES: &[&str] = &[
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".mcp.json",
    ".codex/hooks.json",
    ".gemini/settings.json",
];

/// The same in TOML.
const TOML_FILES: &[&str] = &[".codex/config.toml"];

/// Directories with one skill in each entry.
const SKILLS: &[&str] = &[".claude/skills", ".codex/skills", ".gemini/skills", ".agents/skills"];

/// One line for each file or directory of a project that the CLIs would take hooks, MCP servers or skills from.
pub fn project_loads(cwd: &Path) -> Vec<String> {
    let root = git_root(cwd);
    let dirs = if root == cwd { vec![cwd] } else { vec![cwd, root] };
    let mut lines = Vec::new();
    for dir in dirs {
        for name in JSON_FILES {
            let Some(text) = read_text(&dir.join(name)) else { continue };
            match serde_json::from_str::<Value>(&plain_json(&text)) {
                Ok(value) => lines.extend(line(name, &value)),
                Err(_) => lines.push(format!("{name}: cannot be read; the CLI may understand it otherwise")),
            }
        }
        for name in TOML_FILES {
            let Some(text) = read_text(&dir.join(name)) else { continue };
            match toml::from_str::<Value>(&text) {
                Ok(value) => lines.extend(line(name, &value)),
                Err(_) => lines.push(format!("{name}: cannot be read; the CLI may understand it otherwise")),
            }
        }
        for name in SKILLS {
            let Ok(entries) = fs::read_dir(dir.join(name)) else { continue };
            let count = entries.flatten().take(MAX_SKILLS).filter(|e| e.path().is_dir()).count();
            lines.extend((count > 0).then(|| format!("{name}: {}", counted(count, "skill"))));
        }
    }
    lines
}

fn line(name: &str, settings: &Value) -> Option<String> {
    let hooks: usize = settings["hooks"].as_object().into_iter().flat_map(|o| o.values()).map(hooks_in).sum();
    let servers = ["mcpServers", "mcp_servers"].iter().filter_map(|key| settings[*key].as_object());
    let servers: usize = servers.map(serde_json::Map::len).sum();
    let mut parts = Vec::new();
    if hooks > 0 {
        parts.push(counted(hooks, "hook"));
    }
    if servers > 0 {
        parts.push(counted(servers, "MCP server"));
    }
    (!parts.is_empty()).then(|| format!("{name}: {}", parts.join(", ")))
}

/// The commands of one event: each matcher has its own list.
fn hooks_in(event: &Value) -> usize {
    let matchers = event.as_array().map(Vec::as_slice).unwrap_or_default();
    matchers.iter().map(|m| m["hooks"].as_array().map_or(1, Vec::len)).sum()
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_project_would_run_is_counted_by_file() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        fs::create_dir_all(dir.path().join(".git")).unwrap();
        put(
            ".claude/settings.json",
            r#"{ // theirs
              "hooks": {"Stop": [{"hooks": [{"command": "a"}, {"command": "b"}]}], "PreToolUse": [{"matcher": "x", "hooks": [{}]}]}}"#,
        );
        put(".mcp.json", r#"{"mcpServers": {"one": {}, "two": {}}}"#);
        put(".codex/config.toml", "[mcp_servers.three]\ncommand = \"x\"\n");
        put(".gemini/settings.json", r#"{"mcpServers": {"#);
        put(".claude/skills/deploy/SKILL.md", "---\n");
        fs::create_dir_all(dir.path().join("below")).unwrap();
        let wanted = [
            ".claude/settings.json: 3 hooks",
            ".mcp.json: 2 MCP servers",
            ".gemini/settings.json: cannot be read; the CLI may understand it otherwise",
            ".codex/config.toml: 1 MCP server",
            ".claude/skills: 1 skill",
        ];
        assert_eq!(project_loads(dir.path()), wanted);
        assert_eq!(project_loads(&dir.path().join("below")), wanted, "the repository's root counts too");
    }

    #[test]
    fn a_plain_directory_loads_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        fs::write(dir.path().join(".mcp.json"), "{}").unwrap();
        assert_eq!(project_loads(dir.path()), [""; 0]);
    }
}
