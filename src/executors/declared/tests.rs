use super::*;
use crate::{executors::furnished::Furnished, router::Route, state::Effort};

const TEXT: &str = r#"
[executors.parrot]
command = ["parrot", "--chat", "{cwd}"]
title = "The Parrot"
dialect = "chat"
model = ["--model", "openai/{model}"]
session = ["--id={session}"]
resume = ["--again={session}"]
prompt = ["--say", "{prompt}"]
submit = "type"
[executors.parrot.env]
OPENAI_API_KEY = "{token}"
OPENAI_API_BASE = "{gateway}/v1"
PARROT_HOME = "{cwd}/.parrot"
[executors.parrot.permissions]
full = ["--yes"]
[executors.parrot.status]
needs-you = ["Shall I?"]
working = ["title:Thinking", "esc stops"]
idle = ["Polly >"]
"#;

fn parrot(text: &str) -> Declared {
    let (settings, problems) = Settings::parse(&[("config.toml", text)]);
    assert_eq!(problems, []);
    let (id, found) = settings.declared().next().unwrap();
    Declared { id: id.clone(), how: found.declared.clone() }
}

/// Plans a launch of a declared executor as the furnished home has it.
fn plan(
    declared: &Declared,
    home: Home,
    change: impl FnOnce(&mut LaunchRequest<'_>),
) -> Result<LaunchPlan, String> {
    let furnished = Furnished::new();
    let mut planned = None;
    furnished.plan_with("claude", home, true, Some("say --this {token}"), |request| {
        let route = Route { executor: declared.id.clone(), ..request.route.clone() };
        let mut asked = LaunchRequest {
            binary: Path::new("/bin/parrot"),
            route: &route,
            permission: request.permission,
            effort: None,
            agent: None,
            cwd: Path::new("/srv/{model}"),
            pane_dir: request.pane_dir,
            gateway: request.gateway,
            home,
            session: request.session.clone(),
            prompt: request.prompt,
            env: request.env,
            trusted: true,
            control: false,
        };
        change(&mut asked);
        planned = Some(declared.launch(&asked));
    });
    planned.unwrap()
}

#[test]
fn its_templates_become_arguments_and_variables() {
    let made = plan(&parrot(TEXT), Home::Empty, |request| request.permission = Permission::Full).unwrap();
    let id = uuid::Uuid::nil().to_string();
    let wanted = [
        "/bin/parrot",
        "--chat",
        "/srv/{model}",
        "--yes",
        "--model",
        "openai/wire-model",
        &format!("--id={id}"),
        "--say",
        "say --this {token}",
    ];
    assert_eq!(made.argv, wanted, "a value that looks like a template is none");
    assert_eq!((made.session, made.prompt_delivered), (Some(id), true));
    assert_eq!(made.env_set["OPENAI_API_KEY"], "pane-token-7");
    assert_eq!(made.env_set["OPENAI_API_BASE"], "http://127.0.0.1:7/v1");
    assert!(!made.env_remove.contains(&"OPENAI_API_KEY".to_owned()), "ours is not removed again");
    assert!(made.env_remove.contains(&"ANTHROPIC_API_KEY".to_owned()));
}

#[test]
fn under_its_own_account_nothing_leads_to_the_gateway() {
    let made = plan(&parrot(TEXT), Home::Users, |request| {
        request.session = SessionChoice::Resume("of-yesterday".into());
        request.effort = Some(Effort::High);
        request.permission = Permission::Plan;
    })
    .unwrap();
    assert_eq!(made.env_set.keys().collect::<Vec<_>>(), ["PARROT_HOME"]);
    assert!(made.env_remove.contains(&"OPENAI_API_KEY".to_owned()));
    assert!(made.argv.contains(&"--again=of-yesterday".to_owned()));
    for note in ["permission plan: ", "effort high: "] {
        assert!(made.notes.iter().any(|said| said.starts_with(note)), "{note} in {:?}", made.notes);
    }
}

#[test]
fn what_is_not_said_is_done_as_little_as_can_be() {
    let bare = parrot("[executors.parrot]\ncommand = [\"parrot\"]\n");
    let made =
        plan(&bare, Home::Users, |request| request.session = SessionChoice::Resume("x".into())).unwrap();
    assert_eq!(made.argv, ["/bin/parrot"]);
    assert!(!made.prompt_delivered && made.session.is_none());
    assert!(made.notes.iter().any(|note| note.contains("has no `resume`")), "{:?}", made.notes);
    assert_eq!(bare.title(), "parrot");
    let said: Vec<SubmitStep> = bare.submit("a\nb");
    assert_eq!(said[0], SubmitStep::Write(b"\x1b[200~a\nb\x1b[201~".to_vec()));
    assert_eq!(parrot(TEXT).submit("a"), [SubmitStep::Write(b"a\r".to_vec())]);
}

#[test]
fn the_token_never_becomes_an_argument() {
    let leaky = TEXT.replace("\"--chat\"", "\"--key={token}\"");
    let why = plan(&parrot(&leaky), Home::Empty, |_| {}).err().unwrap();
    assert!(why.contains("{token} may stand in [executors.parrot.env] only"), "{why}");
}

#[test]
fn its_rules_tell_its_screens_apart() {
    let parrot = parrot(TEXT);
    let seen = |title, screen: &str| {
        let bottom: Vec<String> = screen.lines().map(str::to_owned).collect();
        parrot.watch(&Signals { title, bottom: &bottom, ..Signals::default() }).map(|r| (r.status, r.source))
    };
    assert_eq!(seen("", "Polly >"), Some((Status::Idle, StatusSource::Screen)));
    assert_eq!(seen("Thinking", "Polly >"), Some((Status::Working, StatusSource::Title)));
    assert_eq!(seen("", "esc stops\nPolly >"), Some((Status::Working, StatusSource::Screen)));
    assert_eq!(seen("Thinking", "Shall I? y/n"), Some((Status::NeedsYou, StatusSource::Screen)));
    assert_eq!(seen("", "other"), None);
}
