//! Codex with its app-server beside it: when, and what the two programs are told.
use super::{home, overlay};
use crate::{
    agent::{
        codex::{ARGUMENT, Attach, Beside},
        control::Endpoint,
    },
    executors::{
        Home, LaunchPlan, LaunchRequest,
        launch::{git_root, put},
        overlay::read_text,
    },
    state::Permission,
};
use toml::Table;

/// Flags of the TUI about what it may do, and whether a word follows. A thread that is resumed on an app-server takes
/// none of them.
const PERMISSION_FLAGS: &[(&str, bool)] =
    &[("-a", true), ("-s", true), ("--dangerously-bypass-approvals-and-sandbox", false)];

/// Whether Codex may stand on an app-server of its pane. On one it does not ask whether a directory is trusted, so that
/// must have been answered, and a copy of a thread is begun as it always was.
pub(super) fn stands(request: &LaunchRequest<'_>, forks: bool) -> bool {
    if !request.control || forks {
        return false;
    }
    match request.home {
        Home::Users => answered(request),
        Home::Overlay { .. } | Home::Empty => request.trusted,
    }
}

/// Whether the person has told Codex about this directory.
fn answered(request: &LaunchRequest<'_>) -> bool {
    let config = home(request.env).and_then(|home| read_text(&home.join("config.toml")));
    let config: Table = config.and_then(|text| text.parse().ok()).unwrap_or_default();
    let Some(projects) = config.get("projects").and_then(|p| p.as_table()) else { return false };
    [request.cwd, git_root(request.cwd)].iter().any(|dir| {
        projects.get(&*dir.to_string_lossy()).and_then(|project| project.get("trust_level")).is_some()
    })
}

/// Makes the plan of a Codex by itself one of Codex on an app-server.
pub(super) fn stand(
    request: &LaunchRequest<'_>,
    plan: &mut LaunchPlan,
    resumed: Option<&str>,
) -> Result<(), String> {
    let own = std::env::current_exe().ok().filter(|file| file.exists()).ok_or(
        "inspan's own binary is not where this server was started from: inspan restart-server, then try again",
    )?;
    let dir = request.pane_dir.join(overlay::DIR);
    if !plan.dirs.contains(&dir) {
        plan.dirs.push(dir.clone());
    }
    let socket = dir.join("app-server.sock");
    let address = format!("unix://{}", socket.display());
    let binary = request.binary.display().to_string();
    let alone = std::mem::take(&mut plan.argv);
    let beside = Beside {
        serve: vec![binary, "app-server".into(), "--listen".into(), address.clone()],
        attach: attached(&alone, &address, resumed.is_some()),
        alone,
        socket: socket.clone(),
        log: dir.join("app-server.log"),
    };
    let text =
        serde_json::to_string_pretty(&beside).map_err(|e| format!("cannot write its settings: {e}"))?;
    let file = dir.join("beside.json");
    plan.argv = vec![own.display().to_string(), ARGUMENT.into(), file.display().to_string()];
    put(plan, file, text);
    let leaves = request.home == Home::Users && request.permission == Permission::Ask;
    plan.control = Some(Endpoint::Codex(Attach {
        socket,
        thread: resumed.map(str::to_owned),
        permission: (resumed.is_some() && !leaves).then_some(request.permission),
    }));
    Ok(())
}

/// The TUI's own arguments, for an app-server.
fn attached(alone: &[String], address: &str, resumed: bool) -> Vec<String> {
    let mut argv: Vec<String> = alone.iter().take(1).cloned().collect();
    argv.extend(["--remote".into(), address.to_owned()]);
    let mut rest = alone.iter().skip(1);
    while let Some(word) = rest.next() {
        if word == "--" {
            argv.push(word.clone());
            break;
        }
        let flag = PERMISSION_FLAGS.iter().find(|(flag, _)| resumed && flag == word);
        match flag {
            Some((_, true)) => drop(rest.next()),
            Some((_, false)) => {}
            None if word == "--no-daemon" => {}
            None => argv.push(word.clone()),
        }
    }
    argv.extend(rest.cloned());
    argv
}
