//! A running harness gets models of every other provider, and its own again: nothing is restarted, every call finds its
//! result, and no provider is shown what another has signed.
use super::{CLAUDE, CODEX, Cli, GEMINI, GROK, OPENCODE, Stage, upstream::Upstream};
use std::fs;

/// A model of each provider, and how the path of its dialect ends before the query.
const OTHERS: [(&str, &str); 4] = [
    ("claude-sonnet-4.6", "/messages"),
    ("gpt-5.4", "/responses"),
    ("gemini-3.1-pro", ":streamGenerateContent"),
    ("kimi-k2.5", "/chat/completions"),
];

#[test]
fn claude_works_with_the_models_of_others_and_its_own_again() {
    crosses(CLAUDE, "/messages");
}

#[test]
fn codex_works_with_the_models_of_others_and_its_own_again() {
    crosses(CODEX, "/responses");
}

#[test]
fn gemini_works_with_the_models_of_others_and_its_own_again() {
    crosses(GEMINI, ":streamGenerateContent");
}

#[test]
fn opencode_works_with_the_models_of_others_and_its_own_again() {
    crosses(OPENCODE, ":streamGenerateContent");
}

#[test]
fn grok_works_with_the_models_of_others_and_its_own_again() {
    crosses(GROK, "/responses");
}

fn crosses(cli: Cli, home: &str) {
    let upstream = Upstream::strict();
    let mut stage = Stage::new();
    stage.sandbox.write("config/inspan/policy.toml", "preset = \"open\"\n");
    stage.sandbox.set_env("TEAM_KEY", Some("a-key-of-the-team"));
    // OpenCode fetches a package before it shows itself, and waits for it.
    if cli.name != OPENCODE.name {
        stage.sandbox.set_env("HTTPS_PROXY", Some("http://127.0.0.1:9"));
    }
    let url = upstream.url();
    let providers: String = ["anthropic", "openai", "google", "openrouter", "xai"]
        .iter()
        .map(|name| format!("[providers.{name}]\nbase_url = \"{url}\"\n"))
        .collect();
    let keys = "anthropic = \"env:TEAM_KEY\"\nopenai = \"env:TEAM_KEY\"\ngoogle = \"env:TEAM_KEY\"\n\
                openrouter = \"env:TEAM_KEY\"\nxai = \"env:TEAM_KEY\"\n";
    stage.sandbox.config(&format!("[credits]\n{keys}{providers}"));
    let pane = stage.start("crossing", cli, &["--auth", "credits", "--trust", "--permission", "full"]);
    stage.wait_idle(&pane, cli);

    let others = OTHERS.into_iter().filter(|(_, place)| *place != home);
    let way = [(cli.model, home)].into_iter().chain(others).chain([(cli.model, home)]);
    let mut before = None;
    for (step, (model, place)) in way.enumerate() {
        if step > 0 {
            stage.sandbox.inspan(&["model", "-t", &pane, model]).ok();
        }
        let sent = upstream.requests().len();
        let prompt = format!("[[run: echo bell {step} >> bells.txt]] [[say: bell {step} has rung]]");
        let answer = stage.ask(&pane, &prompt);
        assert!(answer.contains(&format!("bell {step} has rung")), "{model}: {answer}");
        let rung: String = (0..=step).map(|n| format!("bell {n}\n")).collect();
        assert_eq!(fs::read_to_string(stage.repo.join("bells.txt")).unwrap(), rung, "{model}");
        assert_eq!(upstream.refused(), Vec::<String>::new(), "{model}");
        let requests = upstream.requests();
        let paths = requests[sent..].iter().filter_map(|request| request.line.split([' ', '?']).nth(1));
        let (there, elsewhere): (Vec<&str>, Vec<&str>) = paths
            .filter(|path| OTHERS.iter().any(|(_, known)| path.ends_with(known)))
            .partition(|path| path.ends_with(place));
        assert!(there.len() >= 2 && elsewhere.is_empty(), "{model}: {there:?} and {elsewhere:?}");
        // What was said and done under the models before is told to this one.
        let told = |body: &str| (0..=step).all(|n| body.contains(&format!("bell {n} has rung")));
        assert!(requests[sent..].iter().any(|request| told(&request.body)), "{model} knows all of it");
        let row = stage.row(&pane);
        assert_eq!(row["model"], model);
        // Some give their session a name with its first turn.
        let before = before.get_or_insert_with(|| row.clone());
        for same in ["pid", "native_session"] {
            assert_eq!(before[same], row[same], "{same} is as before");
        }
    }
}
