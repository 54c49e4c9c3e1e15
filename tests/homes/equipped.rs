//! What harnesses are given by settings and workspace, and that a workspace gives nothing before the person agreed.
use super::{common::Sandbox, machine, open, runs, start, started, wait_for_pane, wait_for_start};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

/// An MCP server in a shell; it answers by the number of the line and leaves a mark.
const SERVER: &str = r#"#!/bin/sh
echo "$BELL_KEY" >"$HOME/rang"
read -r hello
echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"belfry","version":"7"}}}'
read -r initialized; read -r list
echo '{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"ring","description":"Rings the bell","inputSchema":{"type":"object"}}]}}'
while read -r more; do :; done
"#;

const WORKSPACE: &str = "[mcp.bells]\ncommand = [\"sh\", \"bells.sh\"]\nenv = { BELL_KEY = \"env:BELL_KEY\" }\n\
                         [skills]\ndirs = [\"skills\"]\n[context]\nfiles = [\"agents.md\"]\n\
                         [permissions]\nallow = [\"run git status\"]\ndeny = [\"web\"]\n";

/// The machine with a workspace that brings things along.
fn furnished() -> Sandbox {
    let mut sandbox = machine();
    sandbox.set_env("BELL_KEY", Some("bell-s3cret"));
    sandbox.write("shop/bells.sh", SERVER);
    sandbox.write("shop/skills/ring/SKILL.md", "---\nname: ring\ndescription: Rings well\n---\nPull.\n");
    sandbox.write("shop/agents.md", "Bells hang high.\n");
    sandbox.write("shop/.inspan.toml", WORKSPACE);
    sandbox
}

fn overlay(sandbox: &Sandbox, pane: &Value) -> PathBuf {
    sandbox.state_dir().join("panes").join(pane["key"].as_str().unwrap())
}

fn in_shop(sandbox: &Sandbox, args: &[&str]) -> Value {
    let shop = sandbox.path("shop");
    let args = [args, &["-c", shop.to_str().unwrap()]].concat();
    sandbox.json(&args)
}

#[test]
fn a_workspace_gives_nothing_until_the_person_agreed_to_just_that() {
    let sandbox = furnished();
    start(&sandbox, &["claude"]).ok();
    let pane = wait_for_pane(&sandbox, "the harness runs", runs);
    assert!(
        pane["notes"].to_string().contains(".inspan.toml gives nothing until you agree to it: inspan trust"),
        "{pane}"
    );
    let state = fs::read_to_string(overlay(&sandbox, &pane).join("claude/.claude.json")).unwrap();
    assert!(!state.contains("bells"), "{state}");
    let launch = fs::read_to_string(overlay(&sandbox, &pane).join("claude-launch.json")).unwrap();
    assert!(launch.contains("\"deny\":[\"WebFetch\"]"), "what forbids holds anyway: {launch}");
    assert!(!launch.contains("git status"), "{launch}");
    assert_eq!(in_shop(&sandbox, &["mcp", "list"])[0]["state"], "waits for you to agree");
    let shop = sandbox.path("shop");
    let refused = sandbox.inspan_in(&shop, &["mcp", "test", "bells"]);
    assert!(refused.fails(3).contains("inspan trust"), "{refused:?}");
    assert!(!sandbox.path("home/rang").exists(), "nothing of it ran");

    sandbox.inspan(&["trust", shop.to_str().unwrap()]).ok();
    sandbox.inspan(&["respawn-pane", "-k", "-t", "work", "--how", "fresh"]).ok();
    let before = pane["pid"].clone();
    let pane = wait_for_pane(&sandbox, "it runs again", |pane| runs(pane) && pane["pid"] != before);
    let dir = overlay(&sandbox, &pane);
    let file = dir.join("claude/.claude.json");
    let state = fs::read_to_string(&file).unwrap();
    assert!(state.contains("bells.sh") && state.contains("bell-s3cret"), "{state}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let skill = fs::read_to_string(dir.join("equip/skills/ring/SKILL.md")).unwrap();
    assert!(skill.contains("Pull."));
    assert!(fs::read_to_string(dir.join("equip/context.md")).unwrap().contains("Bells hang high."));
    sandbox
        .wait_output("it noted its arguments", &["list-panes"], |_| started(&sandbox).lines().count() == 2);
    let argv = started(&sandbox);
    assert!(argv.contains("--plugin-dir") && argv.contains("--append-system-prompt-file"), "{argv}");
    assert!(!argv.contains("s3cret"), "{argv}");

    let files = sandbox.json(&["files", "-t", "work"]);
    let row = |end: &str| {
        let rows = files.as_array().unwrap();
        let found = rows.iter().find(|row| row["file"].as_str().is_some_and(|file| file.ends_with(end)));
        found.unwrap_or_else(|| panic!("{end}: {files}")).clone()
    };
    assert!(row(".claude.json")["from"].to_string().contains(".inspan.toml:1"), "{files}");
    assert!(row("context.md")["from"].to_string().contains(".inspan.toml:7"), "{files}");
    assert!(row("skills/ring")["leads_to"].as_str().unwrap().ends_with("shop/skills/ring"), "{files}");
    assert!(row("claude-launch.json")["from"].to_string().contains(".inspan.toml:9"), "{files}");

    sandbox.write("shop/.inspan.toml", &WORKSPACE.replace("bells.sh", "other.sh"));
    assert_eq!(in_shop(&sandbox, &["mcp", "list"])[0]["state"], "waits for you to agree");
}

#[test]
fn the_question_shows_what_would_run_and_the_answer_is_for_that() {
    let sandbox = furnished();
    let terminal = open(&sandbox);
    terminal.wait_for("trust this directory?");
    terminal.wait_for(".inspan.toml: MCP server bells runs sh bells.sh with env:BELL_KEY");
    terminal.wait_for(".inspan.toml: allow run git status");
    // What is written while the question stands is not what is agreed to: it is asked about anew.
    sandbox.write("shop/.inspan.toml", &WORKSPACE.replace("bells.sh", "other.sh"));
    terminal.send("t");
    terminal.wait_for("MCP server bells runs sh other.sh");
    assert_eq!(started(&sandbox), "");
    terminal.send("t");
    wait_for_start(&terminal, &sandbox);
    let pane = wait_for_pane(&sandbox, "the harness runs", runs);
    let state = fs::read_to_string(overlay(&sandbox, &pane).join("claude/.claude.json")).unwrap();
    assert!(state.contains("other.sh"), "{state}");
    assert_eq!(in_shop(&sandbox, &["mcp", "list"])[0]["state"], "given");
}

#[test]
fn servers_are_tried_and_skills_are_listed() {
    let sandbox = furnished();
    sandbox.config("[mcp.broken]\ncommand = [\"sh\", \"-c\", \"echo no such bell >&2; exit 3\"]\n");
    sandbox.inspan(&["new-session", "-d", "-s", "other", "--", "cat"]).ok();
    sandbox.inspan(&["trust", sandbox.path("shop").to_str().unwrap()]).ok();
    let shop = sandbox.path("shop");
    let tried = sandbox.inspan_in(&shop, &["mcp", "test", "bells"]);
    assert_eq!(tried.ok(), "bells: works: belfry 7 with 1 tool\n  ring  Rings the bell");
    assert_eq!(fs::read_to_string(sandbox.path("home/rang")).unwrap(), "bell-s3cret\n");
    let tried = sandbox.inspan_in(&shop, &["mcp", "test"]);
    assert_eq!(tried.code, 1, "{tried:?}");
    assert!(
        tried.stdout.contains("broken: fails: it ended before it answered; it said: no such bell"),
        "{tried:?}"
    );
    assert!(sandbox.inspan_in(&shop, &["mcp", "test", "bels"]).fails(2).contains("did you mean bells?"));

    sandbox.write("shop/.claude/skills/theirs/SKILL.md", "---\nname: theirs\ndescription: T\n---\n");
    let skills = in_shop(&sandbox, &["skills", "list"]);
    let seen = |name: &str| {
        let rows = skills.as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {skills}"));
        let seen = row["seen_by"].as_array().unwrap().iter().map(|by| by["executor"].as_str().unwrap());
        (row["layer"].as_str().unwrap().to_owned(), seen.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(seen("theirs"), ("team".into(), "claude opencode grok".into()));
    assert_eq!(seen("ring"), ("team".into(), "claude codex gemini opencode grok openai-agents".into()));
    assert_eq!(seen("inspan").0, "built-in");
}
