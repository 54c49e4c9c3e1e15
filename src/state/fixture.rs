//! One fixed state for tests: three panes in the window `work`, one in `logs`.
use crate::{
    mux::{
        ClientId, PaneId, SessionId, WindowId,
        layout::{Axis, Layout, Rect as Area, Share},
    },
    router::{AuthMode, AuthStep, Dialect, ExecutorId, Provider, Refusal, Route, prices::Rates},
    state::{
        Client, ExecutorReadiness, GitSummary, Harness, ModelChoice, Pane, Permission, Session, State,
        Status, StatusReport, Usage, Window,
        overlay::{ReferenceRow, RefusalDialog},
    },
};
use std::path::PathBuf;

pub const NOW: u64 = 1_000_000;
pub const CLIENT: ClientId = ClientId(1);
pub const HOME: &str = "/home/me";

pub fn route(executor: &str, model: Option<&str>, auth: AuthMode, provider: Provider) -> Route {
    let dialect = match executor {
        "claude" => Dialect::Messages,
        "gemini" => Dialect::Gemini,
        "codex" => Dialect::Responses,
        _ => Dialect::Chat,
    };
    Route {
        executor: executor.into(),
        model: model.map(str::to_owned),
        wire_model: model.map(str::to_owned),
        auth,
        harness_dialect: dialect,
        upstream_dialect: dialect,
        provider,
        base_url: String::new(),
        credential: String::new(),
        payer: String::new(),
        step: AuthStep::Policy,
        outside_reference: false,
        verified: true,
        gateway: None,
        inject: false,
    }
}

pub fn harness(route: Route) -> Harness {
    Harness {
        route,
        permission: Permission::Ask,
        session: None,
        leased_out: false,
        parked: Default::default(),
        rehearse: false,
        manner: Default::default(),
        served_model: None,
        usage: Usage::default(),
        budgets: Vec::new(),
        keys: Vec::new(),
        windows: Vec::new(),
        requests: Vec::new(),
        switch: None,
    }
}

pub fn pane(id: u32, harness: Option<Harness>, status: Status) -> Pane {
    Pane {
        id: PaneId(id),
        key: String::new(),
        cwd: workspace(),
        argv: Vec::new(),
        harness,
        title: String::new(),
        status: StatusReport { status, ..Default::default() },
        status_since: NOW - 12,
        pid: Some(1),
        size: (80, 24),
        exit: None,
        refusal: None,
        notes: Vec::new(),
        input_off: false,
        question: None,
        popup: false,
        closes: Default::default(),
        label: None,
        progress: None,
    }
}

pub fn workspace() -> PathBuf {
    PathBuf::from("/home/me/shop")
}

pub fn refusal() -> Refusal {
    Refusal {
        rule: "byok.native-only".into(),
        reason: "your Anthropic key cannot pay for an OpenAI model".into(),
        remedies: vec![
            "credits: claude with gpt-5.4 through the gateway (key: team)".into(),
            "codex with gpt-5.4 on your OpenAI key".into(),
        ],
    }
}

/// The dialog for it: both remedies can be run.
pub fn refusal_dialog() -> RefusalDialog {
    let line = |way: &str| {
        let words = format!("switch-dialog -t %1 {way}");
        words.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let ways =
        ["--executor claude --model gpt-5.4 --auth credits", "--executor codex --model gpt-5.4 --auth byok"];
    RefusalDialog {
        title: "gpt-5.4 under claude by BYOK".into(),
        refusal: refusal(),
        commands: ways.into_iter().map(line).collect(),
    }
}

fn ready(
    executor: &str,
    title: &str,
    version: Option<&str>,
    origin: &str,
    route: Result<Route, Refusal>,
    words: &str,
) -> ExecutorReadiness {
    ExecutorReadiness {
        executor: executor.into(),
        title: title.into(),
        version: version.map(str::to_owned),
        origin: origin.into(),
        binary: version.map(|_| PathBuf::from("/bin/x")),
        install_mb: version.is_none().then_some(354),
        login: (executor == "claude").then(|| "Claude Max".to_owned()),
        route,
        typed: executor == "codex",
        readiness: words.into(),
    }
}

fn executors() -> Vec<ExecutorReadiness> {
    use AuthMode::{Byok, Credits, Login};
    let no_key = Refusal { rule: "auth.none".into(), reason: "no key".into(), remedies: vec![] };
    let claude = route("claude", Some("claude-sonnet-4.6"), Login, Provider::Anthropic);
    let codex = route("codex", Some("gpt-5.4"), Credits, Provider::OpenAi);
    let opencode = route("opencode", Some("gemini-3.1-pro"), Credits, Provider::OpenRouter);
    let mut grok = route("grok", Some("grok-4.6"), Byok, Provider::Xai);
    grok.credential = "env:XAI_API_KEY".into();
    let agents = Refusal { rule: "policy.disabled".into(), reason: "off".into(), remedies: vec![] };
    vec![
        ready("claude", "Claude Code", Some("2.1.328"), "~/.local/bin", Ok(claude), "ready"),
        ready("codex", "OpenAI Codex", Some("0.169.0"), "ours", Ok(codex), "ready · untested"),
        ready("gemini", "Gemini CLI", Some("0.61.0"), "ours", Err(no_key), "log in or add a key"),
        ready("opencode", "OpenCode", None, "", Ok(opencode), "install"),
        ready("grok", "Grok Build", Some("1.0.41"), "/usr/bin", Ok(grok), "ready · untested"),
        ready("openai-agents", "OpenAI Agents", Some("1.0"), "ours", Err(agents), "disabled"),
    ]
}

fn model(id: &str, provider: &str, refusal: Option<&str>) -> ModelChoice {
    ModelChoice {
        id: id.into(),
        provider: provider.into(),
        refusal: refusal.map(str::to_owned),
        context: Some(200_000),
        rates: Some(Rates { input: 3.0, output: 15.0 }),
        priced: true,
        dialects: refusal.is_none().then_some((Dialect::Responses, Dialect::Responses)),
    }
}

/// The state for a terminal of this size.
pub fn state(size: (u16, u16)) -> State {
    let mut state = State::default();
    let area = Area::new(0, 0, 160, 40);
    let (one, two, three, four) = (PaneId(1), PaneId(2), PaneId(3), PaneId(4));
    let mut layout = Layout::single(one);
    assert!(layout.split(one, Axis::Horizontal, two, Share::Percent(43), false, area));
    assert!(layout.split(two, Axis::Vertical, three, Share::Half, false, area));
    let claude = harness(route("claude", Some("claude-sonnet-4.6"), AuthMode::Login, Provider::Anthropic));
    let mut codex = harness(route("codex", Some("gpt-5.4"), AuthMode::Credits, Provider::OpenAi));
    codex.usage = Usage { requests: 9, input: 48_249, output: 3_120, cost: Some(0.41), retries: 2 };
    let panes = [
        pane(1, Some(claude), Status::Working),
        pane(2, Some(codex), Status::NeedsYou),
        pane(3, None, Status::Idle),
        pane(4, None, Status::Idle),
    ];
    state.panes.extend(panes.map(|pane| (pane.id, pane)));
    let window =
        |id, name: &str, layout, active| Window { name: name.into(), ..Window::new(id, layout, active) };
    state.windows.insert(WindowId(1), window(WindowId(1), "work", layout, two));
    state.windows.insert(WindowId(2), window(WindowId(2), "logs", Layout::single(four), four));
    let client = Client {
        id: CLIENT,
        session: SessionId(1),
        size,
        prefix: false,
        panel_docked: size.0 >= 160,
        overlay: None,
        message: None,
        utf8: true,
        hint: None,
        unseen: Default::default(),
        read_only: false,
        last_session: None,
    };
    let session = Session {
        id: SessionId(1),
        name: "shop".into(),
        workspace: workspace(),
        windows: vec![WindowId(1), WindowId(2)],
        active: WindowId(1),
        last: None,
        rehearse: false,
        size: (size.0 - if size.0 >= 160 { 33 } else { 0 }, size.1.saturating_sub(1)),
        guide: None,
        manual: false,
        vaults: Vec::new(),
        metadata: std::collections::BTreeMap::new(),
    };
    state.sessions.insert(SessionId(1), session);
    state.clients.insert(CLIENT, client);
    let git = GitSummary {
        repository: true,
        branch: "main".into(),
        head: "3f2c9aa".into(),
        changed: 4,
        ahead: 1,
        behind: 0,
        checkpoints: 7,
    };
    state.git.insert(workspace(), git);
    state.executors = executors();
    let codex = [
        model("gpt-5.4", "OpenAI", None),
        model("gpt-5.3-codex", "OpenAI", None),
        model("claude-opus-4.6", "Anthropic", Some("not in this preset")),
    ];
    let claude = [
        model("claude-sonnet-4.6", "Anthropic", None),
        model("claude-opus-4.6", "Anthropic", None),
        model("gpt-5.4", "OpenAI", Some("byok.native-only")),
    ];
    state.models.insert(ExecutorId::CODEX, codex.into());
    state.models.insert(ExecutorId::CLAUDE, claude.into());
    state.spend_today = 1.27;
    state
}

/// Two panes side by side with the first one focused, as `try` has them.
pub fn two_panes(size: (u16, u16)) -> State {
    let mut state = state(size);
    let window = state.windows.get_mut(&WindowId(1)).unwrap();
    assert!(window.layout.remove(PaneId(3)));
    window.active = PaneId(1);
    state.panes.remove(&PaneId(3));
    state
}

pub fn client(state: &mut State) -> &mut Client {
    state.clients.get_mut(&CLIENT).unwrap()
}

pub fn reference() -> Vec<ReferenceRow> {
    let row = |keys: &str, command: &str, help: &str| ReferenceRow {
        keys: keys.into(),
        command: command.into(),
        help: help.into(),
    };
    vec![
        row("%", "split-window -h", "split side by side"),
        row("\"", "split-window -v", "split one above the other"),
        row("z", "resize-pane -Z", "let the pane fill the window, or put it back"),
        row("e", "switch-dialog", "switch the pane to another executor or model"),
        row("r", "router", "show the router panel, or give it the keys"),
        row("x", "kill-pane", "end the pane after asking"),
        row("d", "detach-client", "leave everything running and go"),
        row("", "display-message", "say something in the status line"),
    ]
}
