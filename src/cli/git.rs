//! `inspan checkpoints`, `inspan checkpoint` and `inspan rewind`.
use super::{USAGE, out, print_json};
use crate::workspace::{self, Change, Checkpoint, Keep, Rewind};
use anyhow::Result;
use serde_json::{Value, json};
use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

/// Files that a question names before the rest is counted.
const FILES_SHOWN: usize = 20;

fn here(dir: Option<PathBuf>) -> Result<PathBuf> {
    let cwd = std::env::current_dir()?;
    Ok(dir.map_or(cwd.clone(), |d| workspace::absolute(&cwd, &d)))
}

fn now() -> Result<u64> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs())
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
    let zone = jiff::tz::TimeZone::system();
    for c in &list {
        let at = jiff::Timestamp::from_second(i64::try_from(c.time).unwrap_or(0))
            .map(|t| t.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string());
        out(&format!(
            "{:>4}  {}  {}  {:<4} {:<12} {}\n",
            c.id,
            crate::switch::short(&c.commit),
            at.unwrap_or_default(),
            c.pane,
            c.branch.as_deref().unwrap_or("detached"),
            c.reason
        ));
    }
    Ok(0)
}

fn rows(changes: &[Change]) -> Vec<Value> {
    changes
        .iter()
        .map(|c| json!({ "path": c.path.to_string_lossy(), "change": c.what.to_string() }))
        .collect()
}

/// Prints what changed from a checkpoint to another one or to now.
pub fn diff(
    dir: Option<PathBuf>,
    from: u64,
    to: Option<u64>,
    paths: &[PathBuf],
    as_json: bool,
) -> Result<i32> {
    let dir = here(dir)?;
    let before = workspace::find(&dir, from)?.tree;
    let after = match to {
        Some(to) => workspace::find(&dir, to)?.tree,
        None => workspace::present(&dir)?,
    };
    let patch = workspace::patch(&dir, &before, &after, paths)?;
    if as_json {
        let changes = workspace::changes(&dir, &before, &after, paths)?;
        print_json(&json!({ "from": from, "to": to, "files": rows(&changes), "patch": patch }));
    } else {
        out(&patch);
    }
    Ok(0)
}

/// Takes away what is old or too many.
pub fn prune(dir: Option<PathBuf>, as_json: bool) -> Result<i32> {
    let gone = workspace::prune(&here(dir)?, Keep::default(), now()?)?;
    if as_json {
        print_json(&json!({ "pruned": gone }));
    } else {
        out(&format!("{gone} checkpoints taken away\n"));
    }
    Ok(0)
}

fn made_json(made: &Checkpoint) -> Value {
    json!({
        "id": made.id, "commit": made.commit, "tree": made.tree, "files_changed": made.files_changed,
        "created": made.created, "warnings": made.warnings,
    })
}

fn made_text(made: &Checkpoint) -> String {
    let word = if made.created { "made" } else { "holds this already" };
    let mut text = format!("checkpoint {} ({}) {word}\n", made.id, crate::switch::short(&made.commit));
    for warning in &made.warnings {
        text.push_str(&format!("  not in it: {warning}\n"));
    }
    text
}

/// Makes one now.
pub fn checkpoint(dir: Option<PathBuf>, message: Option<String>, as_json: bool) -> Result<i32> {
    let reason = message.unwrap_or_else(|| "made by hand".into());
    let dir = here(dir)?;
    let made = workspace::checkpoint(&dir, &reason, "", now()?)?;
    prune_quietly(&dir);
    if as_json {
        print_json(&made_json(&made));
    } else {
        out(&made_text(&made));
    }
    Ok(0)
}

/// Brings files back to a checkpoint.
pub fn rewind(dir: Option<PathBuf>, rewind: &Rewind, dry_run: bool, yes: bool, as_json: bool) -> Result<i32> {
    let dir = here(dir)?;
    if dry_run || !yes {
        let (changes, patch) = workspace::preview(&dir, rewind)?;
        if dry_run {
            if as_json {
                print_json(&json!({ "checkpoint": rewind.id, "files": rows(&changes), "patch": patch }));
            } else {
                out(&listed(&changes, usize::MAX));
                out(&patch);
            }
            return Ok(0);
        }
        if changes.is_empty() && !rewind.head {
            out(&format!("nothing differs from checkpoint {}\n", rewind.id));
            return Ok(0);
        }
        if !std::io::stdin().is_terminal() {
            eprintln!("inspan: nobody can be asked here; --dry-run shows what would change, --yes does it");
            return Ok(USAGE);
        }
        if !agreed(rewind, &changes, &patch)? {
            out("nothing was touched\n");
            return Ok(0);
        }
    }
    let done = workspace::rewind(&dir, rewind, "", now()?)?;
    prune_quietly(&dir);
    if as_json {
        print_json(&json!({
            "checkpoint": rewind.id, "files": rows(&done.changes), "before": made_json(&done.before), "head": done.head,
        }));
        return Ok(0);
    }
    out(&listed(&done.changes, FILES_SHOWN));
    let head = done.head.as_deref().map(|h| format!(", the branch at {}", crate::switch::short(h)));
    out(&format!(
        "{} files as in checkpoint {}{}; the way back: inspan rewind {}\n",
        done.changes.len(),
        rewind.id,
        head.unwrap_or_default(),
        done.before.id
    ));
    Ok(0)
}

/// What a file's letter means on the way back.
fn listed(changes: &[Change], most: usize) -> String {
    let mut text = String::new();
    for change in changes.iter().take(most) {
        let word = match change.what {
            'A' => "comes back",
            'D' => "goes",
            _ => "as it was",
        };
        text.push_str(&format!("  {word:<10}  {}\n", change.path.display()));
    }
    if changes.len() > most {
        text.push_str(&format!("  and {} more\n", changes.len() - most));
    }
    text
}

fn agreed(rewind: &Rewind, changes: &[Change], patch: &str) -> Result<bool> {
    out(&listed(changes, FILES_SHOWN));
    let branch = if rewind.head { " and the branch" } else { "" };
    loop {
        eprint!(
            "bring {} files{branch} back to checkpoint {}? [y/N/d shows the patch] ",
            changes.len(),
            rewind.id
        );
        std::io::stderr().flush()?;
        let mut answer = String::new();
        if std::io::stdin().read_line(&mut answer)? == 0 {
            return Ok(false);
        }
        match answer.trim() {
            "d" | "D" => out(patch),
            "y" | "Y" | "yes" => return Ok(true),
            _ => return Ok(false),
        }
    }
}

/// Old checkpoints go as new ones come; that one more could not be taken away is nobody's concern now.
fn prune_quietly(dir: &Path) {
    if let Ok(now) = now() {
        let _ = workspace::prune(dir, Keep::default(), now);
    }
}
