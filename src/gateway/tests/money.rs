//! What requests cost, and what a budget does about it.
use super::{lab::*, *};
use crate::router::{Budget, Span};
use std::{path::Path, sync::Mutex};

/// One million input tokens of a model whose list price is 3 dollars for them.
const MILLION: &str = "{\"type\":\"message\",\"model\":\"claude-sonnet-4-6\",\"content\":[],\"stop_reason\":\"end_turn\",\
    \"usage\":{\"input_tokens\":100000,\"output_tokens\":0}}";

fn budget(span: Span, usd: f64) -> Budget {
    Budget { span, executor: None, usd, origin: "policy.toml line 7".into() }
}

async fn selling(body: &str) -> (String, tokio::sync::mpsc::UnboundedReceiver<Seen>) {
    canned(whole("200 OK", "content-type: application/json\r\n", body.as_bytes())).await
}

#[tokio::test]
async fn a_request_costs_what_the_upstream_says_or_else_the_list() {
    let chat = "{\"object\":\"chat.completion\",\"model\":\"z-ai/glm-5\",\"choices\":[{\"message\":{\"content\":\"hi\"},\
        \"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2,\"cost\":0.25}}";
    let (base, _requests) = selling(chat).await;
    let mut lab = Lab::new(pane_of(&base, Dialect::Chat, Provider::OpenRouter, "env:OPENROUTER_API_KEY"));
    lab.post("/v1/chat/completions", "{\"model\":\"wire\"}").send().await.unwrap().bytes().await.unwrap();
    let row = lab.finished().await;
    assert_eq!((row.cost, row.cost_source.as_str()), (Some(0.25), "upstream"));

    let (base, _requests) = selling(MILLION).await;
    let mut lab = Lab::new(pane(&base));
    lab.post("/v1/messages", "{\"model\":\"wire\"}").send().await.unwrap().bytes().await.unwrap();
    let row = lab.finished().await;
    assert_eq!((row.cost.map(|c| (c * 100.0).round()), row.cost_source.as_str()), (Some(30.0), "list"));
    assert_eq!(
        (row.session.as_str(), row.session_id.as_str(), row.model_sent.as_str()),
        ("shop", "$1", "wire")
    );
    assert_eq!(row.credential, "env:ANTHROPIC_API_KEY");

    let unknown = MILLION.replace("claude-sonnet-4-6", "nobody-knows");
    let (base, _requests) = selling(&unknown).await;
    let mut lab = Lab::new(pane(&base));
    lab.post("/v1/messages", "{\"model\":\"wire\"}").send().await.unwrap().bytes().await.unwrap();
    let row = lab.finished().await;
    assert_eq!((row.cost, row.cost_source.as_str()), (None, ""), "unknown is not nothing");
}

#[tokio::test]
async fn tokens_that_nobody_counted_are_estimated_and_said_to_be() {
    let chat = "{\"object\":\"chat.completion\",\"model\":\"z-ai/glm-5\",\"choices\":[{\"message\":{\"content\":\
        \"twelve bytes\"},\"finish_reason\":\"stop\"}]}";
    let (base, _requests) = selling(chat).await;
    let mut lab = Lab::new(pane_of(&base, Dialect::Chat, Provider::OpenRouter, "env:OPENROUTER_API_KEY"));
    let ask = format!("{{\"model\":\"wire\",\"x\":\"{}\"}}", "y".repeat(400));
    lab.post("/v1/chat/completions", ask).send().await.unwrap().bytes().await.unwrap();
    let row = lab.finished().await;
    assert!(row.input > 100 && row.output == 3, "{row:?}");
    assert!(row.notes[0].contains("estimated"), "{row:?}");
    assert!(row.cost.is_some());
}

#[tokio::test]
async fn a_budget_warns_and_then_refuses_in_the_dialect_s_own_billing_error() {
    let (base, mut requests) = selling(MILLION).await;
    let mut pane = pane(&base);
    pane.budgets = Arc::new(vec![budget(Span::Day, 100.0), budget(Span::Session, 1.0)]);
    let mut lab = Lab::new(pane);
    let mut told = Vec::new();
    for _ in 0..4 {
        let response = lab.post("/v1/messages", "{\"model\":\"wire\"}").send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap();
        seen(&mut requests).await;
        assert_eq!(lab.finished().await.status, 200);
    }
    while let Ok(event) = lab.events.try_recv() {
        if let GatewayEvent::Budget { name, standing, .. } = event {
            told.push((name, (standing.spent * 100.0).round()));
        }
    }
    // The four events before were read by `finished`, which passes over them; what stands is asked here.
    let standings = lab.gateway.standings(lab.routes.load().get("TOKEN").unwrap());
    let [session, day] = &standings[..] else { panic!("{standings:?}") };
    assert!(
        session.span == Span::Session && session.is_used_up() && !day.is_short(),
        "{standings:?} {told:?}"
    );
    for (path, dialect, word) in [
        ("/v1/messages", Dialect::Messages, "billing_error"),
        ("/v1/responses", Dialect::Responses, "insufficient_quota"),
        ("/v1/chat/completions", Dialect::Chat, "insufficient_quota"),
        ("/v1beta/models/wire:generateContent", Dialect::Gemini, "FAILED_PRECONDITION"),
    ] {
        lab.route(|pane| {
            pane.route.harness_dialect = dialect;
            pane.route.upstream_dialect = dialect;
        });
        let response = lab.post(path, "{\"model\":\"wire\"}").send().await.unwrap();
        assert_eq!(response.status(), 402, "{path}");
        assert_eq!(response.headers()["x-should-retry"], "false");
        let text = response.text().await.unwrap();
        assert!(
            text.contains(word) && text.contains("$1.20 of $1.00") && text.contains("policy.toml line 7"),
            "{text}"
        );
        let row = lab.finished().await;
        assert_eq!((row.status, row.cost, row.attempts), (402, Some(0.0), 0));
        assert!(row.error.starts_with("budget.used-up"), "{row:?}");
    }
    assert!(requests.try_recv().is_err(), "nothing was sent");
    let kinds: Vec<String> = lab.recorder.events(100).unwrap().into_iter().map(|e| e.kind).collect();
    assert_eq!(kinds[..2], ["budget.short", "budget.used_up"], "{kinds:?}");

    // Counting tokens costs nothing, and a raised budget holds at once.
    lab.route(|pane| pane.budgets = Arc::new(vec![budget(Span::Session, 10.0)]));
    let response = lab.post("/v1/messages", "{\"model\":\"wire\"}");
    lab.route(|pane| {
        pane.route.harness_dialect = Dialect::Messages;
        pane.route.upstream_dialect = Dialect::Messages;
    });
    assert_eq!(response.send().await.unwrap().status(), 200);
}

/// Rules that a test changes while the gateway runs.
struct Now(Mutex<Held>);

impl Rules for Now {
    fn known(&self, _: &Path, _: &ExecutorId) -> Option<Held> {
        None
    }

    fn look(&self, _: &Path, _: &ExecutorId) -> Held {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_changed_rule_holds_from_the_next_request_on_and_is_told() {
    let (base, mut requests) = selling(MILLION).await;
    let now = Arc::new(Now(Mutex::new(Held { policy: Arc::default(), budgets: Arc::default() })));
    let rules = Arc::clone(&now);
    let mut lab = Lab::ruled(pane(&base), Waits::default(), |_| rules);
    let post = async |lab: &Lab| {
        let answer = lab.post("/v1/messages", "{\"model\":\"wire\"}").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(post(&lab).await.0, 200);
    seen(&mut requests).await;
    lab.finished().await;

    now.0.lock().unwrap().budgets = Arc::new(vec![budget(Span::Pane, 0.2)]);
    let (status, body) = post(&lab).await;
    assert!(status == 402 && body.contains("billing_error"), "what was spent before counts: {body}");
    let mut told = false;
    while let Ok(event) = lab.events.try_recv() {
        told |= matches!(event, GatewayEvent::RulesChanged);
    }
    assert!(told, "the loop publishes them");

    let text = "[executors.claude]\nenabled = false\n";
    let (policy, _) = crate::router::Policy::parse(text, "policy.toml", crate::router::policy::Layer::User);
    *now.0.lock().unwrap() = Held { policy: Arc::new(policy), budgets: Arc::default() };
    let (status, body) = post(&lab).await;
    assert!(status == 403 && body.contains("claude is disabled by policy (policy.toml line 2)"), "{body}");

    let text = "[executors.claude]\nauth_method = \"login\"\n";
    let (policy, _) = crate::router::Policy::parse(text, "policy.toml", crate::router::policy::Layer::User);
    now.0.lock().unwrap().policy = Arc::new(policy);
    let (status, body) = post(&lab).await;
    assert!(status == 403 && body.contains("policy forces login for claude"), "{body}");
    assert!(requests.try_recv().is_err(), "nothing more was sent");
}

#[tokio::test]
async fn what_was_spent_before_a_restart_still_counts() {
    let (base, _requests) = selling(MILLION).await;
    let mut lab = Lab::new(pane(&base));
    lab.post("/v1/messages", "{\"model\":\"wire\"}").send().await.unwrap().bytes().await.unwrap();
    lab.finished().await;
    let config = front_config(&lab);
    let again = start(config).unwrap();
    let row = PaneRoute { budgets: Arc::new(vec![budget(Span::Pane, 1.0)]), ..pane(&base) };
    let standing = again.standings(&row).remove(0);
    assert_eq!(((standing.spent * 100.0).round(), (again.spent_today() * 100.0).round()), (30.0, 30.0));
}

fn front_config(lab: &Lab) -> GatewayConfig {
    let (events, _) = mpsc::channel(8);
    GatewayConfig {
        routes: Arc::clone(&lab.routes),
        vault: Arc::default(),
        recorder: lab.recorder.clone(),
        events,
        classify: Arc::new(|_, _| Class::Main),
        rules: Arc::new(super::lab::Published(Arc::clone(&lab.routes))),
    }
}
