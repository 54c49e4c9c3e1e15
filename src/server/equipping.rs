//! What a harness is given when it starts: read from settings and workspace, with what the person agreed to, secrets
//! resolved. The person's own question about a workspace file is asked in `trusting.rs`.
use super::{
    Server,
    harness::{Start, home_of},
};
use crate::{
    config::{
        agreed::{Agreed, equipment_in},
        equipment::{Equipment, reference},
    },
    executors::{
        Home,
        equip::{Equipped, Look, secret},
    },
};
use std::{collections::BTreeMap, path::Path};

impl Server {
    /// Everything that the settings and a directory's workspace files give, and what the launch shall say of it.
    pub(super) fn equipment_of(&self, dir: &Path) -> (Equipment, Vec<String>) {
        let (equipment, waiting) = equipment_in(&self.settings, dir, &Agreed::load(&self.paths.state));
        let note = |file: crate::config::workspace::WorkspaceFile| {
            format!(
                "{} gives nothing until you agree to it: inspan trust {}",
                file.path.display(),
                dir.display()
            )
        };
        (equipment, waiting.into_iter().map(note).collect())
    }

    /// The references of equipment that a program has to be asked for, which the loop must not wait for.
    pub(super) fn slow_secrets(&self, equipment: &Equipment, start: &Start) -> Vec<String> {
        let servers = equipment.servers.iter().filter(|server| server.is_for(&start.route.executor));
        let written = servers.flat_map(|server| server.values().values());
        let references = written.filter_map(|value| reference(value));
        references.filter(|reference| self.vault.is_slow(reference)).map(str::to_owned).collect()
    }

    /// What this start is given.
    pub(super) fn equipped(
        &self,
        (equipment, notes): (Equipment, Vec<String>),
        start: &Start,
        env: &BTreeMap<String, String>,
    ) -> Equipped {
        let look = Look {
            home: env.get("HOME").map(Path::new),
            data: &self.paths.data,
            builtin: home_of(&start.route, true) != Home::Users,
            resolve: &|reference| secret(&self.vault, env, reference),
        };
        let mut equipped = Equipped::prepare(&equipment, &start.route.executor, start.permission, &look);
        equipped.notes.splice(0..0, notes);
        equipped
    }
}

/// What the person agrees to with a workspace file: a line for each thing, and the hash of what was shown.
pub(super) fn waiting_lines(server: &Server, dir: &Path) -> (Vec<String>, Vec<String>) {
    let (_, waiting) = equipment_in(&server.settings, dir, &Agreed::load(&server.paths.state));
    let mut lines = Vec::new();
    for file in &waiting {
        let short = file.path.strip_prefix(dir).unwrap_or(&file.path).display();
        lines.extend(file.equipment.lines().into_iter().map(|line| format!("{short}: {line}")));
    }
    (lines, waiting.into_iter().map(|file| file.hash).collect())
}
