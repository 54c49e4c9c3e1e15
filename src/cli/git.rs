//! `inspan checkpoints` and `inspan checkpoint`.
use super::print_json;
use crate::workspace;
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;

fn here(dir: Option<PathBuf>) -> Result<PathBuf> {
    let cwd = std::env::current_dir()?;
    Ok(dir.map_or(cwd.clone(), |d| workspace::absolute(&cwd, &d)))
}

/// Lists a workspace's checkpoints, oldest first.
pub fn checkpoints(dir: Option<PathBuf>, as_json: bool) -> Result<i32> {
    let list = workspace::list(&here(dir)?)?;
    if as_json {
        let rows: Vec<_> = list
            .iter()
            .map(|c| {
                json!({
                    "id": c.id, "commit": c.commit, "tree": c.tree, "time": c.time, "reason": c.reason,
                    "pane": c.pane, "branch": c.branch,
                })
            })
            .collect();
        print_json(&json!(rows));
        return Ok(0);
    }
    for c in &list {
        let at = jiff::Timestamp::from_second(i64::try_from(c.time).unwrap_or(0)).map(|t| t.to_string());
        println!(
            "{:>4}  {}  {}  {}  {}",
            c.id,
            crate::switch::short(&c.commit),
            at.unwrap_or_default(),
            c.pane,
            c.reason
        );
    }
    Ok(0)
}

/// Makes one now.
pub fn checkpoint(dir: Option<PathBuf>, as_json: bool) -> Result<i32> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let made = workspace::checkpoint(&here(dir)?, "made by hand", "", now)?;
    if as_json {
        print_json(&json!({
            "id": made.id, "commit": made.commit, "tree": made.tree, "files_changed": made.files_changed,
            "created": made.created, "warnings": made.warnings,
        }));
        return Ok(0);
    }
    let word = if made.created { "made" } else { "holds this already" };
    println!("checkpoint {} ({}) {word}", made.id, crate::switch::short(&made.commit));
    for warning in &made.warnings {
        println!("  not in it: {warning}");
    }
    Ok(0)
}
