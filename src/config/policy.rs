//! Where rules are written, and reading them: the administrator's, the person's, the workspace's.
use super::{
    Problem,
    load::{read, whole},
    workspace,
};
use crate::router::{Policy, policy::Layer};
use std::path::{Path, PathBuf};

/// The administrator's policy.
const ADMINISTRATOR: &str = "/etc/inspan/policy.toml";

/// The files of all layers, the highest first; a lower one may only tighten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFiles {
    files: Vec<(Layer, PathBuf)>,
    workspace: Option<PathBuf>,
}

impl PolicyFiles {
    /// Those of a machine and a person. `more` is another file of the administrator's: it adds to the first and takes
    /// nothing away, so whoever can set a variable cannot open anything by it.
    pub fn new(config: &Path, more: Option<PathBuf>) -> Self {
        let administrator = std::iter::once(PathBuf::from(ADMINISTRATOR)).chain(more);
        let files = administrator.map(|file| (Layer::Administrator, file));
        let files = files.chain([(Layer::User, config.join("policy.toml"))]).collect();
        Self { files, workspace: None }
    }

    /// The same with those of the workspace that `dir` belongs to.
    #[must_use]
    pub fn within(&self, dir: &Path) -> Self {
        Self { workspace: Some(dir.to_owned()), ..self.clone() }
    }

    /// Every file that may say something, whether it exists or not.
    pub fn all(&self) -> Vec<(Layer, PathBuf)> {
        let below = self.workspace.iter().flat_map(|dir| workspace::paths(dir));
        self.files.iter().cloned().chain(below.map(|file| (Layer::Workspace, file))).collect()
    }

    /// The rules in force, and what is wrong in the files. A file that does not exist says nothing; one that exists and
    /// cannot be read keeps every executor off.
    pub fn load(&self) -> (Policy, Vec<Problem>) {
        let (mut policy, mut problems) = (Policy::default(), Vec::new());
        for (layer, file) in &self.files {
            let name = file.display().to_string();
            let (rules, found) = match read(file) {
                Ok(None) => continue,
                Ok(Some(text)) => Policy::parse(&text, &name, *layer),
                Err(fault) => {
                    let message = format!("{fault}; every executor stays off until it can be read");
                    (Policy::closed(&name, *layer, &fault), vec![whole(name, message)])
                }
            };
            problems.extend(found);
            problems.extend(policy.tighten(rules));
        }
        for file in self.workspace.iter().flat_map(|dir| workspace::workspace_files(dir)) {
            problems.extend(file.problems);
            problems.extend(policy.tighten(file.policy));
        }
        (policy, problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::{ExecutorId, Span, policy::Preset};
    use std::fs;

    /// Files of all layers in a directory, by the texts that they hold.
    fn files(dir: &tempfile::TempDir, admin: &str, user: &str, workspace: &str) -> PolicyFiles {
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        put("config/policy.toml", user);
        let work = put("work/.inspan.toml", workspace);
        let more = put("admin.toml", admin);
        PolicyFiles::new(&dir.path().join("config"), Some(more)).within(work.parent().unwrap())
    }

    #[test]
    fn each_layer_may_only_tighten_and_says_who_wrote_it() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(
            &dir,
            "preset = \"agent-computer\"\n[codex]\nenabled = false\n[budgets]\nday = 10\n",
            "preset = \"open\"\n[codex]\nenabled = true\n[budgets]\nday = 5\n",
            "[policy]\npreset = \"open\"\ndisabled_models = [\"gpt-5*\"]\n[policy.budgets]\nday = 7\npane = 1\n",
        );
        let (policy, problems) = files.load();
        assert_eq!(policy.preset(), Preset::AgentComputer);
        assert!(policy.disabled(&ExecutorId::CODEX).is_some());
        let by = |span: Span| policy.all.budgets.get(&span).map(|rule| (rule.value, rule.origin.layer));
        assert_eq!(by(Span::Day), Some((5.0, Layer::User)));
        assert_eq!(by(Span::Pane), Some((1.0, Layer::Workspace)));
        let name = |file: &str| file.rsplit('/').next().unwrap_or_default().to_owned();
        let refused: Vec<_> = problems.iter().map(|p| (name(&p.file), p.line, p.key.as_str())).collect();
        assert_eq!(
            refused,
            [
                ("policy.toml".into(), 1, "preset"),
                ("policy.toml".into(), 3, "executors.codex.enabled"),
                (".inspan.toml".into(), 2, "policy.preset"),
                (".inspan.toml".into(), 5, "policy.budgets.day"),
            ],
            "{problems:?}"
        );
    }

    #[test]
    fn a_workspace_opens_nothing_that_nobody_spoke_of() {
        let dir = tempfile::tempdir().unwrap();
        let (policy, problems) = files(&dir, "", "", "[policy]\npreset = \"open\"\n").load();
        assert_eq!(policy.preset(), Preset::AgentComputer);
        assert!(problems[0].message.starts_with("the default decides this"), "{problems:?}");
    }

    #[test]
    fn a_layer_that_cannot_be_read_closes() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(&dir, "", "", "");
        fs::write(dir.path().join("admin.toml"), b"\xff").unwrap();
        let (policy, problems) = files.load();
        assert_eq!(problems.len(), 1);
        assert!(policy.broken(&ExecutorId::CLAUDE).is_some());
    }
}
