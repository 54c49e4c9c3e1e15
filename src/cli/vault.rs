//! `inspan vault`: the file of vaults, changed here; a running server reads it by itself.
use super::{FAILED, REFUSED, USAGE, machine::Here, print_json, prompt, refuse};
use crate::{
    client,
    commands::{AddVault, VaultAction},
    gateway,
    router::{
        Attached, Catalogue, Credential, Dialect, ExecutorId, Facts, Kept, PlanRequest, Refusal, Role, Route,
        VaultEntry, is_name, llm_vault, nearest, plan, presets, short_credential,
    },
    vault::{Secret, VaultError, VaultFile, oddity},
};
use anyhow::Result;
use serde_json::json;
use std::{collections::BTreeMap, path::Path, str::FromStr};

/// Why nothing was added or removed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// The words do not fit together.
    #[error("{0}")]
    Usage(String),
    /// A source gives no key: its stable name, and what is wrong.
    #[error("vault.source: {0}; nothing was added")]
    Source(String),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Carries an action out.
pub fn run(server: &str, action: VaultAction) -> Result<i32> {
    let here = Here::new()?;
    let path = VaultFile::path(&here.paths.data);
    let done = match action {
        VaultAction::List { json } => list(&here, &path, json),
        VaultAction::Add(add) => added(&here, &path, server, *add),
        VaultAction::Remove { name, credential } => {
            removed(&here, &path, server, &name, credential.as_deref())
        }
        VaultAction::Test { name, offline, json } => test(&here, &path, &name, offline, json),
    };
    match done {
        Ok(code) => Ok(code),
        Err(Fault::Refused(refusal)) => Ok(refuse(&refusal, false)),
        Err(fault) => {
            eprintln!("inspan: {fault}");
            Ok(if matches!(fault, Fault::Usage(_)) { USAGE } else { FAILED })
        }
    }
}

/// The last characters of a key that is long enough to keep its secret then.
fn tail(secret: &Secret) -> String {
    /// So many are shown, and never more than a fifth of the key.
    const SHOWN: usize = 4;
    let characters: Vec<char> = secret.expose().chars().collect();
    if characters.len() < SHOWN * 5 {
        return String::new();
    }
    format!("…{}", characters[characters.len() - SHOWN..].iter().collect::<String>())
}

fn list(here: &Here, path: &Path, as_json: bool) -> Result<i32, Fault> {
    let file = VaultFile::load(path)?;
    // Commands and key stores are asked by `test` only: a list must not open a window for a passphrase.
    let state = |kept: &Kept| match kept.reference.parse() {
        Ok(Credential::Command(_) | Credential::Keyring { .. }) => {
            ("asked when needed".to_owned(), String::new())
        }
        _ => match here.vault.resolve(&kept.reference) {
            Ok(secret) => ("here".to_owned(), tail(&secret)),
            Err(VaultError::NotSet(_)) => ("not set here".to_owned(), String::new()),
            Err(error) => (error.to_string(), String::new()),
        },
    };
    if as_json {
        let rows = file.vaults.iter().map(|(name, entry)| {
            let credentials = entry.credentials.iter().map(|kept| {
                let (state, tail) = state(kept);
                json!({ "reference": kept.reference, "mcp_server_url": kept.mcp_server_url, "state": state, "tail": tail })
            });
            json!({
                "name": name, "role": entry.role, "engine": entry.engine, "base_url": entry.base_url,
                "gateway": entry.gateway, "dialects": entry.dialects, "models": entry.models, "vars": entry.vars,
                "credentials": credentials.collect::<Vec<_>>(),
            })
        });
        print_json(&json!(rows.collect::<Vec<_>>()));
        return Ok(0);
    }
    if file.vaults.is_empty() {
        println!(
            "no vaults; add one: inspan vault add NAME --engine claude --credential env:ANTHROPIC_API_KEY"
        );
    }
    for (name, entry) in &file.vaults {
        let engine = entry.engine.as_ref().map_or("any executor", ExecutorId::as_str);
        let place = entry.base_url.as_deref().or(entry.gateway.as_deref()).unwrap_or("its own provider");
        println!("{name}  {} · {engine} · {place}", entry.role.as_str());
        for kept in &entry.credentials {
            let (state, tail) = state(kept);
            let bound = kept.mcp_server_url.as_deref().map(|url| format!(" for {url}")).unwrap_or_default();
            println!("  {:<28} {state} {tail}{bound}", short_credential(&kept.reference));
        }
    }
    Ok(0)
}

/// What the words say, without its credentials.
fn described(here: &Here, add: &AddVault) -> Result<VaultEntry, Fault> {
    let usage = |text: String| Err(Fault::Usage(text));
    if !is_name(&add.name) {
        return usage(format!("{:?} cannot name a vault; use letters, digits, -, _ and .", add.name));
    }
    let (mut role, mut engine, mut base_url) = (add.role.clone(), add.engine.clone(), add.base_url.clone());
    for word in &add.metadata {
        let slot = match word.split_once('=') {
            Some(("sandbox0.managed_agents.role", value)) => (&mut role, value),
            Some(("sandbox0.managed_agents.engine", value)) => (&mut engine, value),
            Some(("sandbox0.managed_agents.llm_base_url", value)) => (&mut base_url, value),
            _ => {
                let known = "sandbox0.managed_agents.{role,engine,llm_base_url}";
                return usage(format!("--metadata {word:?} says nothing about a vault; known are {known}"));
            }
        };
        slot.0.get_or_insert_with(|| slot.1.to_owned());
    }
    let role = match role.as_deref() {
        None if add.mcp_server_url.is_some() && add.engine.is_none() => Role::Mcp,
        None | Some("llm") => Role::Llm,
        Some("mcp") => Role::Mcp,
        Some(other) => return usage(format!("there is no role {other:?}: use llm or mcp")),
    };
    if role == Role::Mcp && add.mcp_server_url.is_none() {
        return usage("a vault for tools needs the server that its key is for: --mcp-server-url URL".into());
    }
    let engine = match engine {
        None => None,
        Some(name) => match Catalogue::builtin().executor(&ExecutorId::from(name.as_str())) {
            Ok(executor) => Some(executor.id.clone()),
            Err(unknown) => {
                let near = unknown.nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return usage(format!(
                    "there is no executor {name:?}; known are {}{near}",
                    unknown.known.join(", ")
                ));
            }
        },
    };
    if let Some(gateway) = &add.gateway
        && !here.settings.gateways.contains_key(gateway)
        && !presets().any(|preset| preset == gateway)
    {
        let known: Vec<String> =
            here.settings.gateways.keys().cloned().chain(presets().map(str::to_owned)).collect();
        let near = nearest(gateway, known.iter().map(String::as_str))
            .map(|near| format!("; did you mean {near}?"))
            .unwrap_or_default();
        return usage(format!("there is no gateway {gateway:?}{near}"));
    }
    let dialects = add.dialect.iter().map(|word| {
        serde_json::from_value::<Dialect>(json!(word)).map_err(|_| {
            Fault::Usage(format!("there is no dialect {word:?}: use messages, responses, chat or gemini"))
        })
    });
    Ok(VaultEntry {
        role,
        engine,
        base_url: base_url.map(|url| url.trim_end_matches('/').to_owned()),
        gateway: add.gateway.clone(),
        dialects: dialects.collect::<Result<_, _>>()?,
        models: pairs("--model wants ID=NAME", &add.model)?,
        vars: pairs("--var wants NAME=VALUE", &add.var)?,
        credentials: Vec::new(),
    })
}

/// Words of two parts, as `ID=NAME`.
fn pairs(wanted: &str, words: &[String]) -> Result<BTreeMap<String, String>, Fault> {
    let pair = |word: &String| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(Fault::Usage(format!("{wanted}, not {word:?}"))),
    };
    words.iter().map(pair).collect()
}

/// A credential that was checked: its reference, or the secret that is to be kept.
enum Checked {
    Reference(String),
    Handed(Secret),
}

fn check(here: &Here, vault: &str, word: &str) -> Result<Checked, Fault> {
    if word == "-" {
        let bytes = prompt::secret(&format!("vault {vault}"))?;
        let secret =
            Secret::first_line(bytes).map_err(|why| Fault::Source(format!("what was handed over {why}")))?;
        warn_of(&secret, "what was handed over");
        return Ok(Checked::Handed(secret));
    }
    let absolute = match word.strip_prefix("file:") {
        Some(path) if !path.is_empty() && !path.starts_with(['/', '~']) => {
            let cwd = std::env::current_dir().map_err(anyhow::Error::from)?;
            format!("file:{}", cwd.join(path).display())
        }
        _ => word.to_owned(),
    };
    let credential = match Credential::from_str(&absolute) {
        Ok(Credential::Vault(_) | Credential::Stored(_)) => {
            return Err(Fault::Usage("a vault holds keys, not other vaults".into()));
        }
        Ok(credential) => credential,
        Err(error) => {
            let exposed = "; if it was the key, your shell's history has it now: replace that key, and hand the new \
                           one over with --credential -";
            return Err(Fault::Usage(format!("--credential: {error}{exposed}")));
        }
    };
    here.vault.refer(&absolute);
    here.vault.learn_env(&here.env);
    let secret = here.vault.resolve(&absolute).map_err(|error| match error {
        VaultError::NotSet(name) => {
            Fault::Source(format!("{name} is not set in this terminal's environment"))
        }
        other => Fault::Source(other.to_string()),
    })?;
    warn_of(&secret, &credential.short());
    Ok(Checked::Reference(absolute))
}

/// Says what a key looks like when that is hardly what its provider takes.
fn warn_of(secret: &Secret, named: &str) {
    if let Some(odd) = oddity(secret) {
        eprintln!("inspan: {named} {odd}");
    }
}

fn added(here: &Here, path: &Path, server: &str, add: AddVault) -> Result<i32, Fault> {
    let described = described(here, &add)?;
    if add.credential.is_empty() {
        return Err(Fault::Usage(
            "say where the key is found: --credential env:NAME, or - to hand it over".into(),
        ));
    }
    if described.role == Role::Llm && add.mcp_server_url.is_some() {
        let mut bound = described.clone();
        let reference = add.credential[0].clone();
        bound.credentials.push(Kept { reference, mcp_server_url: add.mcp_server_url.clone() });
        llm_vault(&[Attached { name: add.name.clone(), entry: Some(bound), missing: None }])?;
    }
    let known = VaultFile::load(path)?.vaults.get(&add.name).cloned().filter(|_| !add.replace);
    let base = joined(&add.name, known, &described)?;
    fits(here, &add.name, &base)?;
    let checked =
        add.credential.iter().map(|word| check(here, &add.name, word)).collect::<Result<Vec<_>, _>>()?;
    let (entry, new) = VaultFile::update(path, |file| {
        // Another process may have changed it meanwhile.
        let known = file.vaults.get(&add.name).cloned().filter(|_| !add.replace);
        let mut entry = joined(&add.name, known, &described)?;
        let before = entry.credentials.len();
        for checked in &checked {
            let reference = match checked {
                Checked::Reference(reference) => reference.clone(),
                Checked::Handed(secret) => file.keep(&add.name, secret),
            };
            if !entry.credentials.iter().any(|kept| kept.reference == reference) {
                entry.credentials.push(Kept { reference, mcp_server_url: add.mcp_server_url.clone() });
            }
        }
        let new = entry.credentials.len() - before;
        file.vaults.insert(add.name.clone(), entry.clone());
        file.prune();
        Ok::<_, Fault>((entry, new))
    })?;
    tell(here, server);
    let name = &add.name;
    match entry.credentials.len() {
        _ if new == 0 => println!("{name} had that credential already"),
        1 => println!("{name} is kept; use it: inspan new-session --vault {name}"),
        count => println!("{name} has {count} credentials now; they take turns when one is limited"),
    }
    Ok(0)
}

/// The vault with what the words say of it; words about a vault that exists must not contradict it.
fn joined(name: &str, known: Option<VaultEntry>, said: &VaultEntry) -> Result<VaultEntry, Fault> {
    let Some(known) = known else { return Ok(said.clone()) };
    let differs = |what: &str| {
        Err(Fault::Usage(format!(
            "vault {name} exists with another {what}; --replace puts this one in its place"
        )))
    };
    if said.role != known.role {
        return differs("role");
    }
    if said.engine.is_some() && said.engine != known.engine {
        return differs("engine");
    }
    if said.base_url.is_some() && said.base_url != known.base_url {
        return differs("base URL");
    }
    if said.gateway.is_some() && said.gateway != known.gateway {
        return differs("gateway");
    }
    if !said.dialects.is_empty() && said.dialects != known.dialects {
        return differs("dialect");
    }
    let mut joined = known;
    joined.models.extend(said.models.clone());
    joined.vars.extend(said.vars.clone());
    Ok(joined)
}

/// What is true here with only this vault attached, as if its key were here.
fn alone(here: &Here, name: &str, entry: &VaultEntry) -> Facts {
    let mut facts = here.machine().facts();
    facts.attached = vec![Attached { name: name.to_owned(), entry: Some(entry.clone()), missing: None }];
    facts
}

fn route_of(facts: &Facts, entry: &VaultEntry) -> Result<Route, Refusal> {
    let default = || Catalogue::builtin().executors.first().map_or(ExecutorId::CLAUDE, |e| e.id.clone());
    let executor = entry.engine.clone().unwrap_or_else(default);
    let planned = |model: Option<&str>| {
        let (executor, model) = (executor.clone(), model.map(str::to_owned));
        plan(&PlanRequest { executor, model, auth: None, rehearse: false }, facts)
    };
    planned(None).or_else(|refusal| {
        // An endpoint that does not serve the executor's default model may serve another one that it takes.
        let models = Catalogue::builtin().models.iter();
        models.filter_map(|model| planned(Some(&model.id)).ok()).next().ok_or(refusal)
    })
}

/// Refuses a vault that no session could use, by the rule that a session would be refused by.
fn fits(here: &Here, name: &str, entry: &VaultEntry) -> Result<(), Fault> {
    if entry.role != Role::Llm {
        return Ok(());
    }
    match route_of(&alone(here, name, entry), entry) {
        Err(refusal) if refusal.rule.starts_with("vault.") || refusal.rule.starts_with("gateway.") => {
            Err(Fault::Refused(refusal))
        }
        Err(refusal) => {
            eprintln!("inspan: as things are it cannot be used: {refusal}");
            Ok(())
        }
        Ok(route) => {
            if route.harness_dialect != route.upstream_dialect {
                eprintln!(
                    "inspan: {} speaks {}, {name} speaks {}: requests are translated",
                    route.executor, route.harness_dialect, route.upstream_dialect
                );
            }
            if let Some(warning) = route.gateway.map(|gateway| gateway.warning).filter(|w| !w.is_empty()) {
                eprintln!("inspan: {warning}");
            }
            Ok(())
        }
    }
}

/// Has a running server take in what changed, and this terminal's variables with it.
fn tell(here: &Here, server: &str) {
    let address = client::ServerAddress { dir: here.paths.sockets.clone(), name: server.to_owned() };
    if let Ok(Some(connection)) = client::connect(&address) {
        let _ = client::run(connection, vec!["start-server".into()], false);
    }
}

fn removed(
    here: &Here,
    path: &Path,
    server: &str,
    name: &str,
    credential: Option<&str>,
) -> Result<i32, Fault> {
    let left = VaultFile::update(path, |file| {
        let names: Vec<&str> = file.vaults.keys().map(String::as_str).collect();
        let near = nearest(name, names.iter().copied()).map(|near| format!("; did you mean {near}?"));
        let Some(entry) = file.vaults.get_mut(name) else {
            return Err(Fault::Usage(format!("there is no vault {name:?}{}", near.unwrap_or_default())));
        };
        let left = match credential {
            None => 0,
            Some(wanted) => {
                let before = entry.credentials.len();
                entry
                    .credentials
                    .retain(|kept| kept.reference != wanted && short_credential(&kept.reference) != wanted);
                if entry.credentials.len() == before {
                    let known: Vec<&str> =
                        entry.credentials.iter().map(|kept| kept.reference.as_str()).collect();
                    return Err(Fault::Usage(format!(
                        "vault {name} has no such credential; it has {}",
                        known.join(", ")
                    )));
                }
                entry.credentials.len()
            }
        };
        if left == 0 {
            file.vaults.remove(name);
        }
        file.prune();
        Ok::<_, Fault>(left)
    })?;
    tell(here, server);
    match left {
        0 => println!("{name} is removed; panes that use it are refused at their next request"),
        left => println!("{name} has {left} left"),
    }
    Ok(0)
}

/// What came of a test.
struct Tested {
    reference: String,
    fine: bool,
    words: String,
}

fn test(here: &Here, path: &Path, name: &str, offline: bool, as_json: bool) -> Result<i32, Fault> {
    let file = VaultFile::load(path)?;
    let (references, endpoint) = match (file.vaults.get(name), Credential::from_str(name)) {
        (Some(entry), _) => {
            let route = (entry.role == Role::Llm).then(|| route_of(&alone(here, name, entry), entry));
            (entry.references(), route)
        }
        (None, Ok(Credential::Vault(_)) | Err(_)) => {
            let near = nearest(name, file.vaults.keys().map(String::as_str));
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(Fault::Usage(format!("there is no vault {name:?}{near}")));
        }
        (None, Ok(_)) => {
            here.vault.refer(name);
            here.vault.learn_env(&here.env);
            (vec![name.to_owned()], None)
        }
    };
    let mut tested = Vec::new();
    for reference in &references {
        let (fine, words) = match here.vault.resolve(reference) {
            Err(VaultError::NotSet(name)) => {
                (false, format!("{name} is not set in this terminal's environment"))
            }
            Err(error) => (false, error.to_string()),
            Ok(secret) => {
                let odd = oddity(&secret).map(|odd| format!(" ({odd})")).unwrap_or_default();
                match &endpoint {
                    _ if offline => (true, format!("gives a key {}{odd}", tail(&secret))),
                    None => (true, format!("gives a key {}{odd}", tail(&secret))),
                    Some(Err(refusal)) => (false, refusal.to_string()),
                    Some(Ok(route)) => {
                        let secrets = |reference: &str| here.vault.resolve(reference).ok();
                        let answer = gateway::probe(route, &secret, &secrets);
                        (answer.is_ok(), format!("{}{odd}", answer.unwrap_or_else(|fault| fault)))
                    }
                }
            }
        };
        tested.push(Tested { reference: reference.clone(), fine, words });
    }
    if as_json {
        let rows = tested.iter().map(|t| json!({ "reference": t.reference, "ok": t.fine, "text": t.words }));
        print_json(&json!(rows.collect::<Vec<_>>()));
    } else {
        for row in &tested {
            let mark = if row.fine { "ok  " } else { "FAIL" };
            println!("{mark} {:<28} {}", short_credential(&row.reference), row.words);
        }
    }
    let refused = matches!(&endpoint, Some(Err(_)));
    let fine = !tested.is_empty() && tested.iter().all(|tested| tested.fine);
    Ok(if fine {
        0
    } else if refused {
        REFUSED
    } else {
        FAILED
    })
}
