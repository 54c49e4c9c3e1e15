//! Panes with a working tree of their own, and what lies in our state directory for too long.
use super::{
    Server,
    reply::{Failure, Reply},
    verbs::{Answer, Outcome},
};
use crate::{
    commands::{Target, Verb},
    state::target::Origin,
    workspace,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Handoffs that stay, the newest first.
const HANDOFFS: usize = 300;
/// After which a scratch repository of `inspan try` goes that no session uses.
const RIDE_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

impl Server {
    /// `--worktree`: makes the working tree off the loop, then runs the verb in it.
    pub(super) fn in_worktree(
        &mut self,
        mut verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let (target, dir) = match &verb {
            Verb::SplitWindow { target, dir, .. } | Verb::NewWindow { target, dir, .. } => {
                (target, dir.clone())
            }
            _ => return super::verbs::silent(),
        };
        let from = self.state.find_pane(target.target.as_deref(), origin)?;
        let cwd = self.state.panes.get(&from).map(|pane| pane.cwd.clone()).unwrap_or_default();
        let dir = super::verbs::chosen_dir(dir, cwd, origin)?;
        let name = ulid::Ulid::r#gen().to_string().to_lowercase();
        // The end of an ULID is chance; its beginning is the same for all of one moment.
        let name = name.get(name.len().saturating_sub(8)..).unwrap_or(&name).to_owned();
        let place = self.place.state.join("worktrees").join(&name);
        let (origin, env) = (origin.clone(), env.clone());
        let mut reply = reply.take();
        self.tasks.spawn(
            move || {
                let parent = place.parent().unwrap_or(&place);
                fs::create_dir_all(parent)
                    .map_err(|e| format!("{} cannot be made: {e}", parent.display()))?;
                workspace::add_worktree(&dir, &place, &name).map_err(|e| e.to_string())
            },
            move |server, made| match made {
                Ok(made) => {
                    if let Verb::SplitWindow { dir, what, .. } | Verb::NewWindow { dir, what, .. } = &mut verb
                    {
                        what.worktree = false;
                        *dir = Some(made);
                    }
                    let reply = reply.take().unwrap_or_else(Reply::nobody);
                    server.run(verb, &origin, &env, reply);
                }
                Err(why) => server.answer(Err(Failure::Failed(why)), origin.client, reply.take()),
            },
        );
        Ok(Outcome::Later)
    }

    /// The verb `merge-worktree`.
    pub(super) fn merge_worktree(
        &mut self,
        target: &Target,
        yes: bool,
        remove: bool,
        as_json: bool,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let dir = self.state.panes.get(&id).map(|pane| pane.cwd.clone()).unwrap_or_default();
        let (client, reply, now) = (origin.client, reply.take(), Self::now());
        let asked = dir.clone();
        self.tasks.spawn(
            move || {
                let merge = if yes {
                    workspace::merge_back(&asked, &id.to_string(), now)
                } else {
                    workspace::merge_preview(&asked, &id.to_string(), now)
                };
                merge.map_err(|e| e.to_string())
            },
            move |server, merge| {
                let answer = merge.map_err(Failure::Failed).map(|merge| {
                    Outcome::Done(if as_json {
                        let files: Vec<_> = merge
                            .changes
                            .iter()
                            .map(
                                |c| json!({ "path": c.path.to_string_lossy(), "change": c.what.to_string() }),
                            )
                            .collect();
                        let value = json!({
                            "origin": merge.origin, "branch": merge.branch, "done": yes, "files": files,
                            "patch": merge.patch, "before": merge.before.id,
                        });
                        serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
                    } else {
                        words(&merge, yes)
                    })
                });
                if yes && remove && answer.is_ok() {
                    server.close_pane(id);
                    server.tasks.spawn(
                        move || workspace::remove_worktree(&dir).map_err(|e| e.to_string()),
                        |server, removed| {
                            if let Err(why) = removed {
                                server.tell_all(&why);
                            }
                        },
                    );
                }
                server.answer(answer, client, reply);
            },
        );
        Ok(Outcome::Later)
    }

    /// Takes away handoffs and rides that nobody needs any more; called once, when the server has started.
    pub(super) fn tidy(&self) {
        let (handoffs, rides) = (self.place.handoffs(), self.place.state.join("try"));
        let used: BTreeSet<PathBuf> = self.state.sessions.values().map(|s| s.workspace.clone()).collect();
        self.tasks.spawn(
            move || {
                newest_only(&handoffs, HANDOFFS);
                old_rides(&rides, &used);
            },
            |_, ()| {},
        );
    }
}

fn words(merge: &workspace::Merge, done: bool) -> String {
    let count = merge.changes.len();
    if count == 0 {
        return format!("nothing of {} is missing in {}\n", merge.branch, merge.origin.display());
    }
    if done {
        return format!(
            "{count} files of {} are in {}; the way back there: inspan rewind {}\n",
            merge.branch,
            merge.origin.display(),
            merge.before.id
        );
    }
    format!("{}\n{count} files; --yes brings them into {}\n", merge.patch, merge.origin.display())
}

/// Files of a directory with their times, newest first; what cannot be read stays.
fn by_age(dir: &Path) -> Vec<(SystemTime, PathBuf)> {
    let entries = fs::read_dir(dir).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let mut all: Vec<_> =
        entries.iter().filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path()))).collect();
    all.sort_by(|a, b| b.cmp(a));
    all
}

fn newest_only(dir: &Path, keep: usize) {
    for (_, path) in by_age(dir).into_iter().skip(keep) {
        let _ = fs::remove_file(path);
    }
}

fn old_rides(dir: &Path, used: &BTreeSet<PathBuf>) {
    for (modified, path) in by_age(dir) {
        let ride = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ride-"));
        let in_use = used.iter().any(|workspace| workspace.starts_with(&path));
        if ride && !in_use && modified.elapsed().is_ok_and(|age| age > RIDE_AGE) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_handoffs_and_the_rides_in_use_stay() {
        let dir = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - RIDE_AGE * 2;
        let age = |path: &Path, by: Duration| fs::File::open(path).unwrap().set_modified(old + by).unwrap();
        for n in 0..5u64 {
            let path = dir.path().join(format!("{n}.md"));
            fs::write(&path, "x").unwrap();
            age(&path, Duration::from_secs(n));
        }
        newest_only(dir.path(), 2);
        let left = |dir: &Path| {
            let mut names: Vec<_> =
                fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(left(dir.path()), ["3.md", "4.md"]);

        let rides = dir.path().join("try");
        for name in ["ride-1", "ride-2", "ride-3", "mine"] {
            fs::create_dir_all(rides.join(name)).unwrap();
        }
        for name in ["ride-1", "ride-2", "mine"] {
            age(&rides.join(name), Duration::ZERO);
        }
        old_rides(&rides, &[rides.join("ride-2")].into());
        assert_eq!(left(&rides), ["mine", "ride-2", "ride-3"]);
    }
}
