//! Verbs about this machine: `plan`, `policy`, `executors`, `doctor`, `sessions`.
use super::{paths, print_json, refuse, settings};
use crate::{
    client,
    config::{Paths, PolicyFiles, Settings},
    executors::{self, Versions, machine::Machine},
    router::{ExecutorId, Facts, PlanRequest, plan as plan_route, route_lines},
    vault::{Vault, VaultFile},
};
use anyhow::{Result, anyhow};
use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf, process::Command};

/// What a machine's facts are read with, owned.
pub(super) struct Here {
    pub(super) env: BTreeMap<String, String>,
    path: String,
    pub(super) paths: Paths,
    pub(super) policy: PolicyFiles,
    pub(super) settings: Settings,
    pub(super) vault: Vault,
    versions: Versions,
}

impl Here {
    pub(super) fn new() -> Result<Self> {
        let env = client::environment();
        let settings = settings()?;
        let vault = Vault::default();
        for reference in settings.references() {
            vault.refer(&reference);
        }
        let paths = paths()?;
        if let Err(error) = vault.refresh(&VaultFile::path(&paths.data)) {
            eprintln!("inspan: {error}");
        }
        vault.learn_env(&env);
        let versions = Versions::load(&paths.data);
        let policy = paths.policy.within(&std::env::current_dir()?);
        Ok(Self { path: executors::login_shell_path(&env), paths, policy, env, settings, vault, versions })
    }

    pub(super) fn machine(&self) -> Machine<'_> {
        Machine {
            env: &self.env,
            path: &self.path,
            data_dir: &self.paths.data,
            policy: &self.policy,
            settings: &self.settings,
            vault: &self.vault,
            versions: &self.versions,
        }
    }
}

/// `inspan plan`.
pub fn plan(
    executor: &str,
    model: Option<String>,
    auth: Option<String>,
    assume_all: bool,
    rehearse: bool,
    json: bool,
) -> Result<i32> {
    let auth = match auth.as_deref().map(str::parse).transpose() {
        Ok(auth) => auth,
        Err(why) => {
            eprintln!("inspan: {why}");
            return Ok(super::USAGE);
        }
    };
    let facts = if assume_all {
        let (policy, problems) = paths()?.policy.within(&std::env::current_dir()?).load();
        for problem in problems {
            eprintln!("inspan: {problem}");
        }
        Facts { policy, ..Facts::default() }.assume_all()
    } else {
        Here::new()?.machine().facts()
    };
    let request = PlanRequest { executor: ExecutorId::from(executor), model, auth, rehearse };
    match plan_route(&request, &facts) {
        Ok(route) => {
            if json {
                print_json(&json!({ "route": route }));
            } else {
                let model = route.model.as_deref().unwrap_or("its own default model");
                println!("{} {model}", route.executor);
                println!("{} · {}", route.auth, route.payer);
                for line in route_lines(&route) {
                    println!("{line}");
                }
            }
            Ok(0)
        }
        Err(refusal) => Ok(refuse(&refusal, json)),
    }
}

/// `inspan executors`.
pub fn executors(as_json: bool) -> Result<i32> {
    let here = Here::new()?;
    let rows = here.machine().readiness(false, true);
    if as_json {
        print_json(&serde_json::to_value(&rows)?);
        return Ok(0);
    }
    for row in rows {
        let version = row.version.as_deref().unwrap_or("—");
        let origin = match row.install_mb {
            Some(mb) => format!("install {mb} MB"),
            None if row.origin.is_empty() => "—".into(),
            None => row.origin.clone(),
        };
        let paid = match &row.route {
            Ok(route) => format!("{} · {}", route.auth, route.payer),
            Err(_) => "—".into(),
        };
        let login = row.login.as_deref().unwrap_or("not logged in");
        println!(
            "{:<14} {version:<10} {origin:<18} {login:<16} {paid:<34} {}{}",
            row.executor.as_str(),
            row.readiness,
            if row.typed { " · typed control" } else { "" }
        );
        if let Some(binary) = &row.binary {
            println!("{:<14} {}", "", binary.display());
        }
        for companion in executors::companions().iter().filter(|_| row.executor == ExecutorId::OPENCODE) {
            let name = companion.id();
            match executors::ours(*companion, &here.paths.data) {
                Some(_) => println!("{:<14} also by way of {name}: inspan agents --executor opencode", ""),
                None => println!("{:<14} also by way of {name}: inspan install {name}", ""),
            }
        }
    }
    Ok(0)
}

/// `inspan agents`.
pub fn agents(only: Option<&str>, as_json: bool) -> Result<i32> {
    // Declares what the settings declare.
    settings()?;
    let asked: Vec<_> = match only {
        Some(name) => match executors::by_id(&ExecutorId::from(name)) {
            Ok(executor) => vec![executor],
            Err(why) => {
                eprintln!("inspan: {why}");
                return Ok(super::USAGE);
            }
        },
        None => executors::all().collect(),
    };
    let (env, cwd) = (client::environment(), std::env::current_dir()?);
    let places = executors::AgentPlaces { env: &env, cwd: &cwd };
    let rows: Vec<_> = asked.iter().map(|executor| (executor.id(), executor.agents(&places))).collect();
    if as_json {
        let rows = rows.iter().map(|(executor, agents)| match agents {
            Ok(agents) => json!({ "executor": executor, "agents": agents }),
            Err(why) => json!({ "executor": executor, "agents": [], "note": why }),
        });
        print_json(&rows.collect());
        return Ok(0);
    }
    for (executor, agents) in &rows {
        match agents {
            Ok(agents) if agents.is_empty() => println!("{executor:<14} none here"),
            Ok(agents) => {
                for agent in agents {
                    let model = agent.model.as_deref().unwrap_or("—");
                    let from =
                        agent.file.as_ref().map_or("its own".into(), |file| file.display().to_string());
                    println!("{executor:<14} {:<20} {model:<24} {}  {from}", agent.name, agent.about);
                }
            }
            Err(why) => println!("{executor:<14} — {why}"),
        }
    }
    Ok(0)
}

fn version_of(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// `inspan doctor`.
pub fn doctor(server: &str, as_json: bool) -> Result<i32> {
    let here = Here::new()?;
    let mut rows: Vec<(String, bool, String)> = Vec::new();
    let mut add = |name: &str, fine: bool, text: String| rows.push((name.to_owned(), fine, text));
    for (program, remedy) in [
        ("git", "install git: checkpoints and the handoff's facts need it"),
        ("node", "install Node.js: inspan install and gemini need it"),
        ("npm", "install npm: inspan install needs it"),
    ] {
        let version = version_of(program);
        add(program, version.is_some(), version.unwrap_or_else(|| remedy.to_owned()));
    }
    let python = version_of("python3").unwrap_or_else(|| "not found; only openai-agents needs it".into());
    add("python3", true, python);
    for (name, dir) in
        [("config", &here.paths.config), ("data", &here.paths.data), ("state", &here.paths.state)]
    {
        let shown = dir.display();
        let fine = writable(dir);
        add(name, fine, if fine { shown.to_string() } else { format!("cannot write below {shown}") });
    }
    let socket = crate::server::socket::prepare_dir(&here.paths.sockets);
    add("sockets", socket.is_ok(), socket.err().unwrap_or_else(|| here.paths.sockets.display().to_string()));
    let utf8 = crate::server::is_utf8(&here.env);
    add("locale", true, if utf8 { "UTF-8".into() } else { "not UTF-8: shapes are drawn in ASCII".into() });
    let term = here.env.get("TERM").cloned().unwrap_or_default();
    let fine = !term.is_empty() && term != "dumb";
    add("terminal", fine, if fine { term } else { "TERM is not set to a real terminal's name".into() });
    let address = client::ServerAddress { dir: here.paths.sockets.clone(), name: server.to_owned() };
    let running = client::connect(&address).ok().flatten();
    add(
        "server",
        true,
        running.map_or("not running".into(), |c| format!("running, process {}", c.server_pid)),
    );
    let (_, problems) = crate::config::load([here.paths.config_file()]);
    add("settings", problems.is_empty(), problems.first().map_or("sound".into(), ToString::to_string));
    let vaults = VaultFile::load(&VaultFile::path(&here.paths.data));
    add(
        "vaults",
        vaults.is_ok(),
        vaults.map_or_else(|e| e.to_string(), |file| format!("{} kept", file.vaults.len())),
    );
    let (_, problems) = here.machine().policy();
    add("policy", problems.is_empty(), problems.first().map_or("sound".into(), ToString::to_string));
    let readiness = here.machine().readiness(false, true);
    if as_json {
        let checks: Vec<_> =
            rows.iter().map(|(name, fine, text)| json!({ "name": name, "ok": fine, "text": text })).collect();
        print_json(&json!({ "checks": checks, "executors": readiness }));
    } else {
        for (name, fine, text) in &rows {
            println!("{} {name:<10} {text}", if *fine { "ok  " } else { "FAIL" });
        }
        println!();
        executors(false)?;
    }
    Ok(if rows.iter().all(|(_, fine, _)| *fine) { 0 } else { super::FAILED })
}

fn writable(dir: &std::path::Path) -> bool {
    let exists = dir.ancestors().find(|d| d.exists());
    exists.is_some_and(|d| rustix::fs::access(d, rustix::fs::Access::WRITE_OK).is_ok())
}

/// `inspan sessions`.
pub fn sessions(executor: &str, as_json: bool) -> Result<i32> {
    let id = ExecutorId::from(executor);
    let executor = executors::by_id(&id).map_err(|why| anyhow!(why))?;
    let env = client::environment();
    let home = executor.users_home(&env).ok_or_else(|| anyhow!("HOME is not set"))?;
    let cwd: PathBuf = std::env::current_dir()?;
    let sessions = executor.sessions(&home, &cwd);
    if as_json {
        let rows: Vec<_> = sessions
            .iter()
            .map(|s| {
                let modified =
                    s.modified.duration_since(std::time::UNIX_EPOCH).map(|d| d.as_secs()).unwrap_or(0);
                json!({ "id": s.id, "title": s.title, "modified": modified, "model": s.model })
            })
            .collect();
        print_json(&json!(rows));
        return Ok(0);
    }
    for session in sessions {
        let age = session.modified.elapsed().map(|d| d.as_secs() / 60).unwrap_or(0);
        let model = session.model.as_deref().unwrap_or("—");
        println!("{}  {age:>5} min ago  {model:<24}  {}", session.id, session.title);
    }
    Ok(0)
}
