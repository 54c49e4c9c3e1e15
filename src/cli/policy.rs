//! `inspan policy`: the rules in force, what is wrong in their files, and which of them decide about a model.
use super::{FAILED, REFUSED, machine::Here, paths, print_json};
use crate::{
    commands::PolicyAction,
    config::PolicyFiles,
    router::{
        Budget, Catalogue, ExecutorId, PlanRequest, Refusal, Route, plan,
        policy::{ExecutorPolicy, Origin, Policy, Verdict},
        refusal_of_unknown_executor,
    },
    ui::dollars,
};
use anyhow::Result;
use serde_json::json;

/// Shows, checks or explains.
pub fn run(action: PolicyAction, executor: Option<&str>, model: Option<&str>, json: bool) -> Result<i32> {
    match action {
        PolicyAction::Show => show(json),
        PolicyAction::Check => check(json),
        PolicyAction::Explain => explain(executor, model, json),
    }
}

/// The files of every layer that holds where we are.
fn files() -> Result<PolicyFiles> {
    Ok(paths()?.policy.within(&std::env::current_dir()?))
}

/// `workspace      /home/me/shop/.inspan.toml:3`
fn at(origin: &Origin) -> String {
    let line = if origin.line == 0 { String::new() } else { format!(":{}", origin.line) };
    format!("{:<14} {}{line}", origin.layer, origin.file)
}

fn show(as_json: bool) -> Result<i32> {
    let files = files()?;
    let (policy, problems) = files.load();
    for problem in &problems {
        eprintln!("inspan: {problem}");
    }
    if as_json {
        print_json(&serde_json::to_value(&policy)?);
        return Ok(0);
    }
    for (layer, file) in files.all() {
        println!("# {layer:<13} {}{}", file.display(), if file.exists() { "" } else { " (absent)" });
    }
    for (rule, origin) in rules(&policy) {
        println!("{rule:<44} {origin}");
    }
    // Not rules, but they hold beside them.
    for budget in super::settings()?.budgets() {
        println!(
            "{:<44} {:<14} {}",
            format!("{} budget {}", budget.span, dollars(budget.usd)),
            "settings",
            budget.origin
        );
    }
    Ok(0)
}

/// Every rule in force with its place; what nobody says with the default that holds.
fn rules(policy: &Policy) -> Vec<(String, String)> {
    let mut rows = vec![match &policy.preset {
        Some(rule) => (format!("preset = {}", rule.value), at(&rule.origin)),
        None => (format!("preset = {}", policy.preset()), "default".to_owned()),
    }];
    let mut about = |name: &str, executor: &ExecutorPolicy| {
        let mut add = |text: String, origin: &Origin| rows.push((format!("{name}{text}"), at(origin)));
        if let Some(rule) = &executor.broken {
            add(format!("off: {}", rule.value), &rule.origin);
        }
        if let Some(rule) = &executor.disabled {
            add("enabled = false".into(), &rule.origin);
        }
        if let Some(rule) = &executor.auth_method {
            add(format!("auth_method = {}", rule.value), &rule.origin);
        }
        for rule in &executor.disabled_models {
            add(format!("disabled model {}", rule.value), &rule.origin);
        }
        for (span, rule) in &executor.budgets {
            add(format!("{span} budget {}", dollars(rule.value)), &rule.origin);
        }
    };
    about("", &policy.all);
    for (id, executor) in &policy.executors {
        about(&format!("{id}: "), executor);
    }
    rows
}

fn check(as_json: bool) -> Result<i32> {
    let (_, problems) = files()?.load();
    if as_json {
        print_json(&json!({ "problems": problems }));
    } else {
        for problem in &problems {
            eprintln!("{problem}");
        }
        if problems.is_empty() {
            println!("the policy files are sound");
        }
    }
    Ok(if problems.is_empty() { 0 } else { FAILED })
}

/// One executor's verdicts, and what planning makes of them.
struct Explained {
    executor: ExecutorId,
    model: String,
    verdicts: Vec<Verdict>,
    budgets: Vec<Budget>,
    planned: Result<Route, Refusal>,
}

fn explain(executor: Option<&str>, model: Option<&str>, as_json: bool) -> Result<i32> {
    let here = Here::new()?;
    let facts = here.machine().facts();
    let catalogue = Catalogue::builtin();
    let wanted: Vec<ExecutorId> = match executor.map(ExecutorId::from) {
        None => catalogue.executors.iter().map(|e| e.id.clone()).collect(),
        Some(id) => match catalogue.executor(&id) {
            Ok(known) => vec![known.id.clone()],
            Err(unknown) => return Ok(super::refuse(&refusal_of_unknown_executor(unknown), as_json)),
        },
    };
    let explained: Vec<Explained> = wanted
        .into_iter()
        .map(|executor| {
            let default = catalogue.executor(&executor).map(|e| e.default_model.clone()).unwrap_or_default();
            let model = model.map_or(default, str::to_owned);
            let known = catalogue.model(&model).ok();
            let names: Vec<&str> = std::iter::once(model.as_str())
                .chain(known.into_iter().flat_map(|m| [m.id.as_str(), m.wire.as_str()]))
                .collect();
            let taken = known.is_none_or(|m| m.taken_by(&executor));
            let verdicts = facts.policy.explain(&executor, &names, taken);
            let request = PlanRequest {
                executor: executor.clone(),
                model: Some(model.clone()),
                auth: None,
                rehearse: false,
            };
            let own = here.settings.budgets().into_iter();
            let budgets = own.chain(facts.policy.budgets(&executor)).collect();
            Explained { planned: plan(&request, &facts), executor, model, verdicts, budgets }
        })
        .collect();
    let refused = explained.iter().any(|row| row.verdicts.iter().any(|verdict| verdict.forbids));
    if as_json {
        let rows = explained.iter().map(|row| {
            let (route, refusal) = (row.planned.as_ref().ok(), row.planned.as_ref().err());
            json!({
                "executor": row.executor, "model": row.model, "verdicts": row.verdicts,
                "budgets": row.budgets.iter().map(|budget| json!({
                    "span": budget.span, "executor": budget.executor, "usd": budget.usd, "origin": budget.origin,
                })).collect::<Vec<_>>(),
                "route": route, "refusal": refusal,
            })
        });
        print_json(&json!(rows.collect::<Vec<_>>()));
    } else {
        for row in &explained {
            println!("{} with {}", row.executor, row.model);
            for verdict in &row.verdicts {
                let mark = if verdict.forbids { "no " } else { "yes" };
                let origin = verdict.origin.as_ref().map_or_else(|| "default".to_owned(), at);
                println!("  {mark} {:<62} {origin}", verdict.words);
            }
            let login = row.planned.as_ref().is_ok_and(|route| !route.through_gateway());
            for budget in &row.budgets {
                let name = format!("{budget} is {}", dollars(budget.usd));
                let held = if login { ", not enforceable here: it pays by itself" } else { "" };
                println!("  $   {:<62} {}", format!("{name}{held}"), budget.origin);
            }
            match &row.planned {
                Ok(route) => println!("  so it runs: {} · {}", route.auth, route.payer),
                Err(refusal) => println!("  so it does not run: {}: {}", refusal.rule, refusal.reason),
            }
        }
    }
    Ok(if refused && executor.is_some() { REFUSED } else { 0 })
}
