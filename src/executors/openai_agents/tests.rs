use super::*;
use crate::executors::furnished::Furnished;
use serde_json::Value;

fn settings(plan: &LaunchPlan) -> Value {
    let file = plan.files.iter().find(|file| file.path.ends_with("settings.json")).unwrap();
    assert_eq!(file.mode, 0o600);
    serde_json::from_slice(&file.contents).unwrap()
}

#[test]
fn a_launch_writes_down_what_the_pane_must_know_and_says_none_of_it() {
    let furnished = Furnished::new();
    let plan = furnished.plan_with("openai-agents", Home::Empty, true, Some("do it"), |_| {});
    let settings = settings(&plan);
    assert_eq!(plan.argv[1..], ["agent-pane", settings_path(&plan).as_str()]);
    assert!(plan.prompt_delivered && settings["prompt"] == "do it");
    let token = settings["token"].as_str().unwrap();
    assert!(
        !plan.argv.join(" ").contains(token) && plan.env_set.values().all(|value| !value.contains(token))
    );
    assert_eq!(settings["session"].as_str(), plan.session.as_deref());
    assert_eq!((settings["resumed"].as_bool(), settings["trusted"].as_bool()), (Some(false), Some(true)));
    assert!(Path::new(settings["database"].as_str().unwrap()).starts_with(&furnished.pane));
    assert!(settings["base_url"].as_str().unwrap().ends_with("/v1"));
}

fn settings_path(plan: &LaunchPlan) -> String {
    let file = plan.files.iter().find(|file| file.path.ends_with("settings.json")).unwrap();
    file.path.display().to_string()
}

#[test]
fn sessions_outlive_their_pane_except_in_a_rehearsal() {
    let furnished = Furnished::new();
    let overlay = Home::Overlay { inherit_user: true };
    let plan = furnished.plan_with("openai-agents", overlay, false, None, |request| {
        request.session = SessionChoice::Resume("s1".into());
    });
    let settings = settings(&plan);
    assert_eq!((settings["session"].as_str(), settings["resumed"].as_bool()), (Some("s1"), Some(true)));
    assert!(!plan.config_home.starts_with(&furnished.pane));
    assert_eq!(OpenAiAgents.users_home(&furnished.env), Some(plan.config_home));
}

#[test]
fn the_protocols_words_become_a_status() {
    let watch = |payload: &str| {
        let said = OpenAiAgents.watch(&Signals { osc7501: Some(payload), ..Signals::default() })?;
        Some((said.status, said.source, said.detail))
    };
    let said = |state: &str| watch(&format!("state={state}:app=openai-agents:detail=run cargo test: all"));
    let detail = || "run cargo test: all".to_owned();
    assert_eq!(said("blocked"), Some((Status::NeedsYou, StatusSource::Protocol, detail())));
    assert_eq!(said("working"), Some((Status::Working, StatusSource::Protocol, detail())));
    assert_eq!(said("retrying").unwrap().0, Status::Retrying);
    assert_eq!(said("limited").unwrap().0, Status::Limited);
    assert_eq!(said("idle").unwrap().0, Status::Idle);
    assert_eq!(said("dancing"), None);
    // Whatever else such a sequence says is not our program's.
    assert_eq!(watch("state=idle:app=codex"), None);
}
