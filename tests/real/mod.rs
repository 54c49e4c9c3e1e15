//! A stage for real CLIs: a sandbox that finds the installed ones, a repository, and waiting for what panes do.
mod agents;
mod controlling;
mod crossing;
mod equipped;
mod furnished;
mod install;
mod interrupted;
mod rides;
mod screens;
mod sdks;
mod switches;
mod thinking;
mod turns;
mod upstream;

use crate::common::Sandbox;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a CLI may take for anything: each start costs seconds of a processor, and a test machine has two for all
/// tests and their CLIs.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long the processes of a stage may take to end.
const LEAVE: Duration = Duration::from_secs(20);
/// Looks at a screen, some thirty milliseconds apart, in which a person has seen what stands there.
const LOOKS: u32 = 8;
/// The newest events that a failing test shows.
const EVENTS: usize = 60;
/// The size of a stage's sessions.
const SIZE: (u16, u16) = (120, 40);

/// The executors that are tried.
pub const ALL: [Cli; 5] = [CLAUDE, CODEX, GEMINI, OPENCODE, GROK];
pub const CLAUDE: Cli = Cli {
    name: "claude",
    takes_prompts: "❯",
    model: "claude-sonnet-4.6",
    other_model: "claude-opus-4.6",
    other_wire: "claude-opus-4-6",
    question: "Do you want to proceed?",
    asks: "run",
};
pub const CODEX: Cli = Cli {
    name: "codex",
    takes_prompts: "Ask Codex to do anything",
    model: "gpt-5.4",
    other_model: "gpt-5.3-codex",
    other_wire: "gpt-5.3-codex",
    question: "Would you like to run",
    // Inside its sandbox it runs commands unasked.
    asks: "outside",
};
pub const GEMINI: Cli = Cli {
    name: "gemini",
    takes_prompts: "Type your message",
    model: "auto-gemini-3",
    other_model: "gemini-3.1-pro",
    other_wire: "gemini-3.1-pro-preview",
    question: "Allow execution of",
    asks: "run",
};

pub const OPENCODE: Cli = Cli {
    name: "opencode",
    takes_prompts: "ctrl+p commands",
    model: "gemini-3.1-pro",
    other_model: "gemini-3-flash",
    other_wire: "gemini-3-flash-preview",
    question: "Permission required",
    asks: "run",
};
pub const GROK: Cli = Cli {
    name: "grok",
    takes_prompts: "Shift+Tab:mode",
    model: "grok-4.6",
    other_model: "grok-4.5",
    other_wire: "grok-4.5",
    question: "Yes, proceed",
    asks: "run",
};
/// The one whose pane is ours; installed apart from the others, since it needs Python.
pub const AGENTS: Cli = Cli {
    name: "openai-agents",
    takes_prompts: "what shall be done?",
    model: "gpt-5.4",
    other_model: "gpt-5.3-codex",
    other_wire: "gpt-5.3-codex",
    question: "y yes",
    asks: "run",
};

/// What is told apart between the CLIs.
#[derive(Clone, Copy, Debug)]
pub struct Cli {
    pub name: &'static str,
    /// Stands on the screen while a prompt can be typed.
    pub takes_prompts: &'static str,
    /// Its default model.
    pub model: &'static str,
    /// Another one that it may have, under the preset `open`.
    pub other_model: &'static str,
    /// What the provider calls that.
    pub other_wire: &'static str,
    /// How it asks whether a command may run.
    pub question: &'static str,
    /// The directive whose command it asks the person about under `--permission ask`.
    pub asks: &'static str,
}

/// What a dialog says that would hide the prompt line, of any of the CLIs.
const DIALOGS: &[&str] = &[
    "Do you trust",
    "Trust this folder",
    "trust this folder",
    "one you trust",
    "Choose how you want",
    "How would you like to authenticate",
    "Select login method",
    "Do you want to",
    "Would you like to",
    "Hooks need review",
    "Meet GPT",
    "Enter to confirm",
];

/// A sandbox with the CLIs, and a repository to work in. A failing test shows what its panes showed.
pub struct Stage {
    pub sandbox: Sandbox,
    pub repo: PathBuf,
}

impl Stage {
    pub fn new() -> Self {
        let data = install::shared();
        let mut sandbox = Sandbox::new();
        // A directory of the sandbox's own, in which inspan's is the shared one: CLIs keep data there as well.
        let own = sandbox.path("home/.local/share");
        fs::create_dir_all(&own).unwrap();
        std::os::unix::fs::symlink(data.join("inspan"), own.join("inspan")).unwrap();
        sandbox.set_env("XDG_DATA_HOME", own.to_str());
        sandbox.set_patience(PATIENCE);
        sandbox.set_leave(LEAVE);
        install::node_on_path(&sandbox);
        let repo = sandbox.repository("shop");
        Self { sandbox, repo }
    }

    /// Starts a session with one harness on rehearsal; returns its pane.
    pub fn rehearse(&self, session: &str, cli: Cli, permission: &str) -> String {
        self.start(session, cli, &["--rehearse", "--permission", permission])
    }

    /// Starts a session with one harness; returns its pane.
    pub fn start(&self, session: &str, cli: Cli, more: &[&str]) -> String {
        let (cols, rows) = (SIZE.0.to_string(), SIZE.1.to_string());
        let repo = self.repo.to_str().unwrap();
        let mut args = vec!["new-session", "-d", "-s", session, "-c", repo, "-x", &cols, "-y", &rows];
        args.extend(["--executor", cli.name]);
        args.extend(more);
        self.sandbox.inspan(&args).ok().to_owned()
    }

    /// Waits until the pane's row of `list-panes` is as wanted.
    #[track_caller]
    pub fn wait_pane(&self, pane: &str, name: &str, mut condition: impl FnMut(&Value) -> bool) -> Value {
        let rows = self
            .sandbox
            .wait_json(name, &["list-panes", "-a"], |rows| row_of(rows, pane).is_some_and(&mut condition));
        row_of(&rows, pane).unwrap().clone()
    }

    /// The pane's row of `list-panes`.
    #[track_caller]
    pub fn row(&self, pane: &str) -> Value {
        let rows = self.sandbox.json(&["list-panes", "-a"]);
        row_of(&rows, pane).unwrap_or_else(|| panic!("no pane {pane}: {rows}")).clone()
    }

    /// Waits until a harness takes prompts; returns its row.
    #[track_caller]
    pub fn wait_idle(&self, pane: &str, cli: Cli) -> Value {
        let row = self.wait_pane(pane, &format!("{} in {pane} is idle", cli.name), |row| {
            row["executor"] == cli.name && is_idle(row)
        });
        self.wait_screen(pane, cli.takes_prompts);
        row
    }

    /// Waits until the pane shows a text, wherever its lines break.
    #[track_caller]
    pub fn wait_screen(&self, pane: &str, wanted: &str) {
        self.sandbox.wait_output(
            &format!("{pane} shows {wanted:?}"),
            &["capture-pane", "-p", "-t", pane],
            |shown| squeeze(&shown.stdout).contains(&squeeze(wanted)),
        );
    }

    /// Everything that the pane shows and has shown.
    #[track_caller]
    pub fn screen(&self, pane: &str) -> String {
        self.sandbox.inspan(&["capture-pane", "-p", "-S", "-", "-t", pane]).ok().to_owned()
    }

    /// Waits until the pane has shown a text for as long as a person needs to see it. A CLI takes an Enter that
    /// follows too closely for a part of a paste.
    #[track_caller]
    pub fn wait_read(&self, pane: &str, wanted: &str) {
        let (wanted, mut looks) = (squeeze(wanted), 0);
        let name = format!("{pane} shows {wanted:?} for a while");
        self.sandbox.wait_output(&name, &["capture-pane", "-p", "-t", pane], |shown| {
            looks = if squeeze(&shown.stdout).contains(&wanted) { looks + 1 } else { 0 };
            looks == LOOKS
        });
    }

    /// Types a prompt into the pane, sees it stand there, and presses Enter.
    #[track_caller]
    pub fn type_prompt(&self, pane: &str, text: &str) {
        self.sandbox.inspan(&["send-keys", "-l", "-t", pane, text]).ok();
        self.wait_read(pane, text);
        self.sandbox.inspan(&["send-keys", "-t", pane, "Enter"]).ok();
    }

    /// Submits a prompt, waits for the end of its turn and returns the answer.
    #[track_caller]
    pub fn ask(&self, pane: &str, text: &str) -> String {
        self.sandbox.inspan(&["prompt", "--wait", "--timeout", "80", "-t", pane, text]).ok().to_owned()
    }

    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        self.sandbox.run_in(&self.repo, "git", args).ok().to_owned()
    }

    /// Everything that a switch must leave as it is: HEAD, branch, index, status, stash, refs of the person's, and
    /// each file's contents.
    #[track_caller]
    pub fn tree(&self) -> BTreeMap<String, String> {
        let mut tree: BTreeMap<String, String> = [
            &["rev-parse", "HEAD"][..],
            &["symbolic-ref", "HEAD"],
            &["ls-files", "--stage"],
            &["status", "--porcelain=v2", "--untracked-files=all"],
            &["diff"],
            &["diff", "--cached"],
            &["stash", "list"],
            &["for-each-ref", "refs/heads", "refs/tags", "refs/stash"],
        ]
        .into_iter()
        .map(|args| (format!("git {}", args.join(" ")), self.git(args)))
        .collect();
        for entry in fs::read_dir(&self.repo).unwrap().flatten().filter(|e| e.path().is_file()) {
            let contents = fs::read(entry.path()).unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            tree.insert(name, String::from_utf8_lossy(&contents).into_owned());
        }
        tree
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let said = |args: &[&str]| {
            let output = self.sandbox.command(args).output();
            output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
        };
        let list = said(&["list-panes", "-a", "-F", "#{pane_id}"]);
        for pane in list.lines() {
            let shown = said(&["capture-pane", "-p", "-t", pane]);
            let lines = shown.trim_end().lines().filter(|line| !line.trim().is_empty());
            eprintln!("── {pane} ──\n{}", lines.collect::<Vec<_>>().join("\n"));
            eprintln!("{}", said(&["explain", "-t", pane]));
        }
        let events = said(&["events"]);
        let newest: Vec<&str> = events.lines().rev().take(EVENTS).collect();
        eprintln!("{}", newest.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
}

fn row_of<'a>(rows: &'a Value, pane: &str) -> Option<&'a Value> {
    rows.as_array()?.iter().find(|row| row["id"] == pane)
}

/// A turn that nobody looked at ends as `done`, which is idle with news.
fn is_idle(row: &Value) -> bool {
    matches!(row["status"].as_str(), Some("idle" | "done"))
}

/// A text without its white space and without the frames that are drawn around it.
pub fn squeeze(text: &str) -> String {
    let drawn = |c: char| ('\u{2500}'..='\u{259f}').contains(&c);
    text.chars().filter(|c| !c.is_whitespace() && !drawn(*c) && !matches!(c, '`' | '*')).collect()
}

/// The processes whose environment holds `NAME=value`.
pub fn processes_with(name: &str, value: &str) -> Vec<i32> {
    let wanted = format!("{name}={value}");
    let me = std::process::id().cast_signed();
    let numbers =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| *pid != me && environment(*pid).contains(&wanted)).collect()
}

/// A process's environment as it was started with; empty when it is gone.
pub fn environment(pid: i32) -> Vec<String> {
    let bytes = fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).unwrap_or_default();
    bytes.split(|b| *b == 0).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}
