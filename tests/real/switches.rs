//! A pane's harness is changed in the middle of the work: to each other CLI and back.
use super::{AGENTS, CLAUDE, CODEX, Cli, GEMINI, GROK, OPENCODE, PATIENCE, Stage, install, is_idle, squeeze};
use serde_json::Value;
use std::{collections::BTreeMap, fs};

/// All six ordered pairs of three in one pane; from the third on, each harness comes back.
const ROUND: &[Cli] = &[CODEX, GEMINI, CLAUDE, GEMINI, CODEX, CLAUDE];
/// To and from the other two, and between them.
const OTHERS: &[Cli] = &[OPENCODE, GROK, OPENCODE, CODEX, GROK, CLAUDE];
/// What the two rounds leave of the twenty pairs of five.
const REST: &[Cli] = &[OPENCODE, CLAUDE, GROK, GEMINI, OPENCODE, GEMINI, GROK, CODEX, OPENCODE, CLAUDE];
/// To and from the one whose pane is ours.
const OURS: &[Cli] = &[AGENTS, CODEX, AGENTS, GEMINI, AGENTS, OPENCODE, AGENTS, GROK, AGENTS, CLAUDE];

#[test]
fn the_work_goes_round_three_and_each_resumes() {
    round(ROUND);
}

#[test]
fn the_work_goes_round_the_others_and_each_resumes() {
    round(OTHERS);
}

#[test]
fn the_work_goes_round_every_other_pair() {
    round(REST);
}

#[test]
fn the_work_goes_to_and_from_the_agents_sdk() {
    install::beside(AGENTS.name);
    round(OURS);
}

#[test]
fn the_rounds_take_every_ordered_pair_of_the_six() {
    let six = [CLAUDE, CODEX, GEMINI, OPENCODE, GROK, AGENTS].map(|cli| cli.name);
    let mut pairs = std::collections::BTreeSet::new();
    for steps in [ROUND, OTHERS, REST, OURS] {
        let from = std::iter::once(&CLAUDE).chain(steps);
        pairs.extend(from.zip(steps).map(|(from, to)| (from.name, to.name)));
    }
    let all = six.iter().flat_map(|from| six.iter().map(move |to| (*from, *to)));
    assert_eq!(pairs, all.filter(|(from, to)| from != to).collect());
}

fn round(steps: &[Cli]) {
    let stage = Stage::new();
    unfinished_work(&stage);
    let pane = stage.rehearse("ride", CLAUDE, "full");
    let mut at = CLAUDE;
    let mut sessions: BTreeMap<&str, Value> = BTreeMap::new();
    stage.wait_idle(&pane, at);
    for (n, to) in steps.iter().copied().enumerate() {
        uses_tools(&stage, &pane, n);
        let request = format!("Remember step {n}: the bell number {n}{n} hangs in the {} tower", at.name);
        stage.ask(&pane, &request);
        let before = stage.tree();
        let session = stage.row(&pane)["native_session"].clone();
        assert!(session.is_string(), "{} has a native session", at.name);
        assert_eq!(
            sessions.entry(at.name).or_insert_with(|| session.clone()),
            &session,
            "{} resumed",
            at.name
        );

        let report = stage.sandbox.json(&["switch", "-t", &pane, "--executor", to.name]);
        assert_eq!(
            (&report["from"]["executor"], &report["to"]["executor"]),
            (&at.name.into(), &to.name.into())
        );
        assert_eq!(report["session"], if sessions.contains_key(to.name) { "resumed" } else { "new" });
        assert_eq!(report["workspace_same"], true, "{report}");
        same_tree(&before, &stage);
        checkpoint_holds_the_work(&stage, &report);

        // What the next harness was told is what its first request shows: the scripted model answers from that alone.
        stage.wait_idle(&pane, to);
        stage.wait_screen(&pane, "I wait for you.");
        let answer = squeeze(&stage.screen(&pane));
        assert!(answer.contains(&squeeze(&format!("The last request was: “{request}”"))), "{answer}");
        assert!(answer.contains(&squeeze("The branch is work/bells, HEAD")), "{answer}");
        let handoff = fs::read_to_string(report["handoff_file"].as_str().unwrap()).unwrap();
        assert!(handoff.contains(&request) && handoff.contains("branch: work/bells"), "{handoff}");
        let recalled = stage.ask(&pane, &format!("[[recall: number {n}{n}]]"));
        assert!(recalled.contains(&request), "{recalled}");
        if let Some(parked) = sessions.get(to.name) {
            assert_eq!(
                &stage.row(&pane)["native_session"],
                parked,
                "{} goes on with its own session",
                to.name
            );
        }
        same_tree(&before, &stage);
        at = to;
    }
    let kinds: std::collections::BTreeSet<&str> = steps.iter().map(|cli| cli.name).collect();
    assert_eq!(sessions.keys().copied().collect::<std::collections::BTreeSet<_>>(), kinds);
    uses_tools(&stage, &pane, steps.len());
    let told_first = stage.ask(&pane, "[[recall: number 00]]");
    assert!(told_first.contains("the bell number 00 hangs in the claude tower"), "{told_first}");
}

/// A turn with a tool: it finds the program that the harness before installed, and installs one for the next.
fn uses_tools(stage: &Stage, pane: &str, n: usize) {
    let (bin, found) = (stage.sandbox.path("bin"), stage.sandbox.path(&format!("found-{n}")));
    let mut script =
        format!("#!/bin/sh\nprintf '#!/bin/sh\\n' > {0}/bell-{n}\nchmod 755 {0}/bell-{n}\n", bin.display());
    // What a shell answers to this is compared between the one that installed it and the next.
    for bell in n.saturating_sub(1)..=n {
        script.push_str(&format!("command -v bell-{bell} >> {}\n", found.display()));
    }
    let file = stage.sandbox.write(&format!("install-{n}"), &script);
    stage.ask(pane, &format!("[[run: . {}]]", file.display()));
    let answers = fs::read_to_string(&found).unwrap_or_default();
    let wanted: String = (n.saturating_sub(1)..=n)
        .map(|bell| format!("{}\n", bin.join(format!("bell-{bell}")).display()))
        .collect();
    assert_eq!(answers, wanted, "what was installed is found");
}

/// Changes of every kind: staged, unstaged, both in one file, deleted, untracked, ignored.
fn unfinished_work(stage: &Stage) {
    for file in ["staged", "edited", "both", "deleted"] {
        stage.sandbox.write(&format!("shop/{file}.txt"), "first\n");
    }
    stage.sandbox.write("shop/.gitignore", "*.log\n");
    stage.git(&["switch", "-qc", "work/bells"]);
    stage.git(&["add", "-A"]);
    stage.git(&["commit", "-qm", "more files"]);
    stage.sandbox.write("shop/both.txt", "second\n");
    stage.sandbox.write("shop/staged.txt", "second\n");
    stage.git(&["add", "both.txt", "staged.txt"]);
    stage.sandbox.write("shop/both.txt", "third\n");
    stage.sandbox.write("shop/edited.txt", "second\n");
    stage.sandbox.write("shop/untracked name.txt", "new\n");
    stage.sandbox.write("shop/ignored.log", "log\n");
    fs::remove_file(stage.repo.join("deleted.txt")).unwrap();
}

fn same_tree(before: &BTreeMap<String, String>, stage: &Stage) {
    let now = stage.tree();
    for key in before.keys().chain(now.keys()) {
        assert_eq!(before.get(key), now.get(key), "{key} is as it was");
    }
}

fn checkpoint_holds_the_work(stage: &Stage, report: &Value) {
    let number = &report["checkpoint"]["id"];
    let commit = report["checkpoint"]["commit"].as_str().unwrap();
    let reference = format!("refs/inspan/checkpoints/{number}");
    assert_eq!(stage.git(&["rev-parse", &reference]), commit);
    assert_eq!(stage.git(&["show", &format!("{commit}:untracked name.txt")]), "new");
    assert_eq!(stage.git(&["show", &format!("{commit}:both.txt")]), "third");
    assert!(!stage.git(&["ls-tree", "--name-only", commit]).contains("deleted.txt"));
}

#[test]
fn a_turn_of_claude_is_not_lost_by_a_switch() {
    in_the_middle_of_a_turn(CLAUDE, CODEX);
}

#[test]
fn a_turn_of_codex_is_not_lost_by_a_switch() {
    in_the_middle_of_a_turn(CODEX, GEMINI);
}

#[test]
fn a_turn_of_gemini_is_not_lost_by_a_switch() {
    in_the_middle_of_a_turn(GEMINI, CLAUDE);
}

#[test]
fn a_turn_of_opencode_is_not_lost_by_a_switch() {
    in_the_middle_of_a_turn(OPENCODE, GROK);
}

fn in_the_middle_of_a_turn(from: Cli, to: Cli) {
    let stage = Stage::new();
    let pane = stage.rehearse("ride", from, "ask");
    stage.wait_idle(&pane, from);
    let begin = |text: &str| {
        stage.sandbox.inspan(&["prompt", "-t", &pane, text]).ok();
        stage.wait_pane(&pane, "a turn is under way", |row| {
            // A prompt that was only submitted is told by the process.
            row["status"] == "working" && row["status_source"] != "process"
        });
    };

    begin("[[slow: 20]] [[say: the slow words came to their end]]");
    let pid = stage.row(&pane)["pid"].clone();
    let refused = stage.sandbox.inspan(&["switch", "-t", &pane, "--executor", to.name]);
    assert!(refused.fails(3).contains("--when-done"), "{refused:?}");
    assert_eq!(stage.row(&pane)["pid"], pid, "a refusal stops nothing");
    let switch = ["switch", "-t", &pane, "--executor", to.name, "--when-done", "--json"];
    let report = stage.sandbox.json(&switch);
    assert_eq!(report["to"]["executor"], to.name);
    let recalled = stage.ask(&pane, "[[recall: slow words]]");
    assert!(
        recalled.contains("the slow words came to their end"),
        "the whole answer was handed over: {recalled}"
    );

    // And back, without patience.
    stage.sandbox.json(&["switch", "-t", &pane, "--executor", from.name]);
    stage.wait_idle(&pane, from);
    begin("[[slow: 300]] [[say: never to be heard]]");
    let begun = std::time::Instant::now();
    let report = stage.sandbox.json(&["switch", "-t", &pane, "--executor", to.name, "--yes"]);
    assert_eq!((&report["to"]["executor"], &report["session"]), (&to.name.into(), &"resumed".into()));
    assert!(begun.elapsed() < PATIENCE);
    stage.wait_pane(&pane, "the next harness is done with the handoff", |row| {
        row["executor"] == to.name && is_idle(row)
    });
}
