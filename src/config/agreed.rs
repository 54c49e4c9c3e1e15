//! What a person agreed to: workspace files by their contents, remembered in our state directory for every server.
use super::{
    Settings,
    equipment::Equipment,
    workspace::{WorkspaceFile, workspace_files},
};
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The file's name in the state directory.
const FILE: &str = "agreed.json";

/// A person agrees to some workspaces; more than this are answers that nobody remembers.
const MAX_AGREED: usize = 2_000;

/// The contents of workspace files that a person agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    hashes: BTreeMap<PathBuf, String>,
}

impl Agreed {
    /// What is remembered below the state directory; nothing when that cannot be read.
    pub fn load(state: &Path) -> Self {
        let text = fs::read_to_string(state.join(FILE)).unwrap_or_default();
        Self { hashes: serde_json::from_str(&text).unwrap_or_default() }
    }

    /// Whether the person agreed to just this text.
    pub fn holds(&self, file: &WorkspaceFile) -> bool {
        !file.hash.is_empty() && self.hashes.get(&file.path) == Some(&file.hash)
    }

    /// Remembers or forgets workspace files. With `only`, those of these contents: what was shown is what is agreed to.
    ///
    /// # Errors
    /// The file in the state directory cannot be written.
    pub fn answer(
        state: &Path,
        files: &[WorkspaceFile],
        yes: bool,
        only: Option<&[String]>,
    ) -> std::io::Result<()> {
        let mut agreed = Self::load(state);
        let before = agreed.clone();
        for file in files {
            if !yes {
                agreed.hashes.remove(&file.path);
            } else if !file.hash.is_empty() && only.is_none_or(|only| only.contains(&file.hash)) {
                agreed.hashes.insert(file.path.clone(), file.hash.clone());
            }
        }
        while agreed.hashes.len() > MAX_AGREED {
            agreed.hashes.pop_first();
        }
        if agreed == before {
            return Ok(());
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(state)?;
        let fresh = state.join(format!("{FILE}.{}", std::process::id()));
        let _ = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(serde_json::to_string_pretty(&agreed.hashes).unwrap_or_default().as_bytes())?;
        fs::rename(fresh, state.join(FILE))
    }
}

/// What harnesses are given in a directory: the person's, and of each workspace file all that was agreed to, otherwise
/// what harms nobody. The second part are the files that wait for an answer.
pub fn equipment_in(settings: &Settings, dir: &Path, agreed: &Agreed) -> (Equipment, Vec<WorkspaceFile>) {
    let (mut all, mut waiting) = (settings.equipment.clone(), Vec::new());
    for file in workspace_files(dir) {
        if file.equipment.is_harmless() || agreed.holds(&file) {
            all.lay(file.equipment);
        } else {
            all.lay(file.equipment.harmless());
            waiting.push(file);
        }
    }
    (all, waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_workspace_gives_what_was_agreed_to_and_a_changed_file_asks_again() {
        let dir = tempfile::tempdir().unwrap();
        let (state, work) = (dir.path().join("state"), dir.path().join("work"));
        fs::create_dir(&work).unwrap();
        let file = work.join(".inspan.toml");
        let text =
            "[mcp.bells]\ncommand = [\"bells\"]\n[permissions]\ndeny = [\"web\"]\nallow = [\"run x\"]\n";
        fs::write(&file, text).unwrap();
        let settings = Settings::default();
        let look = || equipment_in(&settings, &work, &Agreed::load(&state));
        let (given, waiting) = look();
        assert!(given.servers.is_empty() && given.rules.len() == 1, "{given:?}");
        assert_eq!(waiting.len(), 1);

        let other = vec!["0".repeat(64)];
        Agreed::answer(&state, &waiting, true, Some(&other)).unwrap();
        assert_eq!(look().1.len(), 1, "what was not shown is not agreed to");
        Agreed::answer(&state, &waiting, true, Some(&[waiting[0].hash.clone()])).unwrap();
        let (given, none) = look();
        assert_eq!((given.servers.len(), given.rules.len(), none.len()), (1, 2, 0));
        let mode = fs::metadata(state.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        fs::write(&file, text.replace("\"bells\"]", "\"evil\"]")).unwrap();
        let (given, waiting) = look();
        assert_eq!((given.servers.len(), waiting.len()), (0, 1));
        fs::write(&file, text).unwrap();
        assert_eq!(look().1.len(), 0);
        Agreed::answer(&state, &waiting, false, None).unwrap();
        assert_eq!(look().1.len(), 1);
    }
}
