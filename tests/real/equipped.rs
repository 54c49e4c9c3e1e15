//! What a person's settings give every harness: each CLI's own listing shows it, its model is told of it, and the
//! person's own files are untouched by it.
use super::{CLAUDE, CODEX, Cli, GEMINI, GROK, OPENCODE, Stage, environment, upstream::Upstream};
use serde_json::json;
use std::fs;

/// Stands in the context file.
const CONTEXT: &str = "The weir is opened on Tuesdays.";
/// Stands in the description of the skill.
const SKILL: &str = "How the weir is opened";
/// The secret of the MCP server.
const SECRET: &str = "canary-weir-key";

#[test]
fn claude_sees_what_it_is_given() {
    sees(CLAUDE, &["mcp", "list"]);
}

#[test]
fn codex_sees_what_it_is_given() {
    sees(CODEX, &["mcp", "list"]);
}

#[test]
fn gemini_sees_what_it_is_given() {
    sees(GEMINI, &["mcp", "list"]);
}

#[test]
fn opencode_sees_what_it_is_given() {
    sees(OPENCODE, &["mcp", "list"]);
}

#[test]
fn grok_sees_what_it_is_given() {
    sees(GROK, &["mcp", "list"]);
}

fn sees(cli: Cli, listing: &[&str]) {
    let upstream = Upstream::start();
    let mut stage = Stage::new();
    stage.sandbox.set_env("TEAM_KEY", Some("team"));
    stage.sandbox.set_env("WEIR_KEY", Some(SECRET));
    let server = stage.sandbox.write("tools/weir.js", super::furnished::MCP);
    stage.sandbox.write(
        "tools/skills/weir/SKILL.md",
        &format!("---\nname: weir\ndescription: {SKILL}\n---\nTurn the wheel.\n"),
    );
    stage.sandbox.write("tools/agents.md", CONTEXT);
    let tools = stage.sandbox.path("tools");
    let url = upstream.url();
    stage.sandbox.config(&format!(
        "[credits]\nanthropic = \"env:TEAM_KEY\"\nopenai = \"env:TEAM_KEY\"\ngoogle = \"env:TEAM_KEY\"\nxai = \"env:TEAM_KEY\"\n\
         [providers.xai]\nbase_url = \"{url}/v1\"\n[providers.anthropic]\nbase_url = \"{url}\"\n[providers.openai]\n\
         base_url = \"{url}/v1\"\n[providers.google]\nbase_url = \"{url}\"\n\
         [mcp.weir]\ncommand = [\"node\", {}, {}]\nenv = {{ WEIR_KEY = \"env:WEIR_KEY\" }}\n\
         [skills]\ndirs = [{}]\n[context]\nfiles = [{}]\n[permissions]\nallow = [\"mcp weir\", \"run git status\"]\n",
        json!(server),
        json!(tools.join("ran")),
        json!(tools.join("skills")),
        json!(tools.join("agents.md")),
    ));
    let tried = stage.sandbox.json(&["mcp", "test", "weir"]);
    assert_eq!(tried[0]["server"]["tools"][0]["name"], "ring_the_tower_bell", "{tried}");
    fs::remove_file(tools.join("ran")).unwrap();

    let pane = stage.start("given", cli, &["--auth", "credits", "--trust", "--permission", "full"]);
    stage.wait_idle(&pane, cli);
    let answer = stage.ask(&pane, "[[say: all is well]]");
    assert!(answer.contains("all is well"), "{answer}");
    let requests = upstream.requests();
    for wanted in [CONTEXT, SKILL, "Explains the terminal that this session runs in"] {
        assert!(requests.iter().any(|request| request.body.contains(wanted)), "{}: {wanted:?}", cli.name);
    }
    assert!(tools.join("ran").exists(), "{}: the MCP server was started", cli.name);

    let files = stage.sandbox.json(&["files", "-t", &pane]);
    let files = files.as_array().unwrap();
    assert!(files.iter().any(|row| row["from"].to_string().contains("config.toml:")), "{files:?}");
    assert!(files.iter().all(|row| row["not_given"].is_null()), "{}: {files:?}", cli.name);

    // Its own listing, asked as the harness itself would ask it.
    let pid = i32::try_from(stage.row(&pane)["pid"].as_i64().unwrap()).unwrap();
    let rows = stage.sandbox.json(&["executors"]);
    let row = rows.as_array().unwrap().iter().find(|row| row["executor"] == cli.name).unwrap();
    let mut words: Vec<String> = environment(pid).into_iter().filter(|line| line.contains('=')).collect();
    words.insert(0, "-i".into());
    words.push(row["binary"].as_str().unwrap().to_owned());
    words.extend(listing.iter().map(|word| (*word).to_owned()));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let listed = stage.sandbox.run_in(&stage.repo, "env", &words);
    let listed = format!("{}{}", listed.stdout, listed.stderr);
    assert!(listed.contains("weir"), "{}: {listed}", cli.name);
    for process in super::processes_with("INSPAN_PANE", &pane) {
        let line = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        assert!(!line.contains(SECRET), "{}: an argument shows the secret: {line}", cli.name);
    }
}
