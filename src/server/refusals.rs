//! What a refused command line asked for, and the command lines that its remedies stand for.
use crate::{
    commands::{self, LocalVerb, Target, Verb, What},
    router::{AuthMode, PlanRequest},
    state::{State, target::Origin},
};
use std::path::Path;

/// Options of a command line that a remedy replaces.
const REPLACED: [&str; 3] = ["--executor", "--model", "--auth"];

/// The route that a command line asks for; `None` when it is about something else or does not say it in words we know.
pub fn request(state: &State, verb: &Verb, origin: &Origin) -> Option<PlanRequest> {
    let pane = |target: &Target| {
        let pane = state.find_pane(target.target.as_deref(), origin).ok()?;
        state.panes.get(&pane)
    };
    let rehearses = |target: &Target| {
        let pane = pane(target);
        let session = pane.and_then(|p| state.window_of(p.id)).and_then(|w| state.session_of(w.id));
        session.is_some_and(|s| s.rehearse)
            || pane.and_then(|p| p.harness.as_ref()).is_some_and(|h| h.rehearse)
    };
    let wanted = |executor: &str, model: &Option<String>, auth: &Option<String>, rehearse| {
        let auth = auth.as_deref().map(str::parse).transpose().ok()?;
        Some(PlanRequest { executor: executor.into(), model: model.clone(), auth, rehearse })
    };
    let new = |what: &What, rehearse| wanted(what.executor.as_deref()?, &what.model, &what.auth, rehearse);
    match verb {
        Verb::Switch { target, executor, model, auth, .. } => {
            wanted(executor, model, auth, rehearses(target))
        }
        Verb::SwitchDialog { target, executor, model, auth, .. } => {
            wanted(executor.as_deref()?, model, auth, rehearses(target))
        }
        Verb::SplitWindow { target, what, .. } => new(what, rehearses(target)),
        Verb::NewWindow { target, what, .. } => {
            let session = state.find_session(target.target.as_deref(), origin).ok()?;
            new(what, state.sessions.get(&session)?.rehearse)
        }
        Verb::NewSession { what, rehearse, .. } => new(what, *rehearse),
        Verb::Model { target, model, .. } => {
            let harness = pane(target)?.harness.as_ref()?;
            Some(PlanRequest {
                executor: harness.route.executor.clone(),
                model: Some(model.clone()),
                auth: Some(harness.route.auth),
                rehearse: harness.rehearse,
            })
        }
        _ => None,
    }
}

/// `gpt-5.4 under claude by BYOK`.
pub fn title(request: &PlanRequest) -> String {
    let mut title = match &request.model {
        Some(model) => format!("{model} under {}", request.executor),
        None => request.executor.to_string(),
    };
    if !request.rehearse
        && let Some(auth) = request.auth
    {
        let words = match auth {
            AuthMode::Byok => "BYOK",
            AuthMode::Login => "its login",
            AuthMode::Credits => "credits",
        };
        title.push_str(&format!(" by {words}"));
    }
    title
}

/// The refused command line with another executor, model and auth mode in it.
pub fn varied(
    state: &State,
    asked: &[String],
    verb: Option<&Verb>,
    way: &PlanRequest,
    origin: &Origin,
) -> Option<Vec<String>> {
    if let Some(Verb::Model { target, .. }) = verb {
        let pane = state.find_pane(target.target.as_deref(), origin).ok()?;
        let harness = state.panes.get(&pane)?.harness.as_ref()?;
        let id = pane.to_string();
        if way.executor != harness.route.executor {
            let words = ["switch-dialog", "-t", &id].map(str::to_owned);
            return Some([words.to_vec(), request_words(way)].concat());
        }
        // Who pays is chosen at a start, so it cannot change under a running harness.
        let same = way.auth.is_none_or(|auth| auth == harness.route.auth);
        let model = way.model.clone().filter(|_| same)?;
        return Some(vec!["model".into(), "-t".into(), id, model]);
    }
    Some([stripped(asked), request_words(way)].concat())
}

/// The CLI itself, without a route of ours, where its harness was wanted: there its person logs in.
pub fn logging_in(asked: &[String], verb: Option<&Verb>, binary: &Path) -> Option<Vec<String>> {
    let run = ["--".to_owned(), binary.to_string_lossy().into_owned()];
    let words = match verb? {
        Verb::Switch { target, .. } | Verb::SwitchDialog { target, .. } => {
            let at = target.target.iter().flat_map(|target| ["-t".to_owned(), target.clone()]);
            std::iter::once("split-window".to_owned()).chain(at).chain(run).collect()
        }
        _ => [stripped(asked), run.to_vec()].concat(),
    };
    commands::parse(&words).is_ok().then_some(words)
}

/// A request as the options of a command line.
fn request_words(request: &PlanRequest) -> Vec<String> {
    let mut line = vec!["--executor", request.executor.as_str()];
    if let Some(model) = &request.model {
        line.extend(["--model", model]);
    }
    if let Some(auth) = request.auth {
        line.extend(["--auth", auth.as_str()]);
    }
    line.into_iter().map(str::to_owned).collect()
}

/// A command line without executor, model and auth mode.
fn stripped(asked: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = asked.iter();
    while let Some(word) = rest.next() {
        match REPLACED.iter().find(|option| word.starts_with(**option)) {
            Some(option) if word == option => _ = rest.next(),
            Some(_) => {}
            None => words.push(word.clone()),
        }
    }
    words
}

/// The command line that a remedy begins with: one of ours (`inspan install codex`), or an option for the refused one
/// (`--yes  interrupts it`). What only a shell can run stays words.
pub fn written(remedy: &str, asked: &[String]) -> Option<Vec<String>> {
    let line = remedy.split("  ").next().unwrap_or(remedy);
    if remedy.starts_with("rehearse:") {
        let words = [asked, &["--rehearse".to_owned()]].concat();
        return commands::parse(&words).is_ok().then_some(words);
    }
    if line.starts_with("--") {
        let words = [asked, &commands::split_words(line).ok()?].concat();
        return commands::parse(&words).is_ok().then_some(words);
    }
    let words = commands::split_words(line.strip_prefix("inspan ")?).ok()?;
    match commands::parse(&words).ok()? {
        Verb::Local(LocalVerb::Install { executor, .. }) => Some(vec!["install-pane".into(), executor]),
        Verb::Model { .. }
        | Verb::Switch { .. }
        | Verb::SplitWindow { .. }
        | Verb::NewWindow { .. }
        | Verb::RespawnPane { .. }
        | Verb::Trust { .. } => Some(words),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        router::{ExecutorId, Facts, plan},
        state::fixture::{CLIENT, state},
    };

    fn line(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn asked(text: &str) -> (Vec<String>, Verb, Origin) {
        let words = line(text);
        let verb = commands::parse(&words).unwrap();
        (words, verb, Origin { client: Some(CLIENT), ..Origin::default() })
    }

    #[test]
    fn a_refused_line_is_named_and_varied() {
        let state = state((120, 40));
        let (words, verb, origin) =
            asked("split-window -t %1 -h --executor claude --model=gpt-5.4 --auth byok --permission edits");
        let wanted = request(&state, &verb, &origin).unwrap();
        assert_eq!(title(&wanted), "gpt-5.4 under claude by BYOK");
        let way = PlanRequest { executor: ExecutorId::CODEX, auth: Some(AuthMode::Credits), ..wanted };
        let varied = varied(&state, &words, Some(&verb), &way, &origin).unwrap();
        assert_eq!(
            varied,
            line("split-window -t %1 -h --permission edits --executor codex --model gpt-5.4 --auth credits")
        );
        assert!(commands::parse(&varied).is_ok());
    }

    #[test]
    fn another_executor_for_a_model_is_a_switch() {
        let state = state((120, 40));
        let (words, verb, origin) = asked("model -t %2 claude-opus-4.6");
        let wanted = request(&state, &verb, &origin).unwrap();
        let way = PlanRequest { executor: ExecutorId::CLAUDE, auth: None, ..wanted.clone() };
        let found = varied(&state, &words, Some(&verb), &way, &origin).unwrap();
        assert_eq!(found, line("switch-dialog -t %2 --executor claude --model claude-opus-4.6"));
        let here = PlanRequest { model: Some("gpt-5.3-codex".into()), ..wanted.clone() };
        let found = varied(&state, &words, Some(&verb), &here, &origin).unwrap();
        assert_eq!(found, line("model -t %2 gpt-5.3-codex"));
        let login = PlanRequest { auth: Some(AuthMode::Login), ..here };
        assert_eq!(varied(&state, &words, Some(&verb), &login, &origin), None);
    }

    #[test]
    fn logging_in_runs_the_cli_where_the_harness_was_wanted() {
        let claude = |text: &str| {
            let (words, verb, _) = asked(text);
            logging_in(&words, Some(&verb), Path::new("/bin/claude")).map(|words| words.join(" "))
        };
        let session = claude("new-session -c /home/me --executor claude");
        assert_eq!(session.as_deref(), Some("new-session -c /home/me -- /bin/claude"));
        let switch = claude("switch-dialog -t %2 --executor claude");
        assert_eq!(switch.as_deref(), Some("split-window -t %2 -- /bin/claude"));
    }

    #[test]
    fn a_remedy_that_is_a_command_can_be_run() {
        let asked = line("switch -t %1 --executor codex");
        let runs = |remedy: &str| written(remedy, &asked).map(|words| words.join(" "));
        assert_eq!(runs("inspan install codex").as_deref(), Some("install-pane codex"));
        assert_eq!(runs("--yes  interrupts it").as_deref(), Some("switch -t %1 --executor codex --yes"));
        assert_eq!(
            runs("inspan model -t %1 gpt-5.4  changes its model").as_deref(),
            Some("model -t %1 gpt-5.4")
        );
        assert_eq!(runs("inspan executors  lists what can be started"), None);
        assert_eq!(runs("set ANTHROPIC_API_KEY and attach again"), None);
        assert_eq!(runs("--nonsense  is no option"), None);
        let picker = line("new-session -c /home/me --executor codex");
        let refused = plan(
            &PlanRequest { executor: ExecutorId::CODEX, model: None, auth: None, rehearse: false },
            &Facts::default(),
        );
        let remedies = refused.unwrap_err().remedies;
        let found: Vec<_> = remedies.iter().filter_map(|remedy| written(remedy, &picker)).collect();
        assert_eq!(found, [line("new-session -c /home/me --executor codex --rehearse")], "{remedies:?}");
    }
}
