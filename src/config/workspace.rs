//! `.inspan.toml`: what a workspace brings along, found from a directory upward to the root of its repository.
//!
//! Whoever can write into a checkout wrote it, so nothing in it is believed beyond what it forbids, and nothing in it
//! runs before the person agreed to this very text ([`WorkspaceFile::hash`]).
use super::{Problem, lenient::readable, load::whole};
use crate::router::{
    Policy, nearest,
    policy::{Layer, Origin},
    position,
};
use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::Read,
    ops::Range,
    path::{Path, PathBuf},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The file's name.
pub const NAME: &str = ".inspan.toml";

/// The tables that it may have.
const TABLES: [&str; 1] = [POLICY];

/// Rules that tighten those of the person and of the administrator.
const POLICY: &str = "policy";

/// A longer file is not something that a person wrote; reading on would only cost memory.
const MAX_BYTES: u64 = 256 * 1024;

/// A workspace's file as it was read.
#[derive(Clone, Debug)]
pub struct WorkspaceFile {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of its bytes in hexadecimal: what a person agrees to. Empty when it cannot be read.
    pub hash: String,
    /// Its rules; what cannot be understood closes what it names.
    pub policy: Policy,
    /// What is wrong in it. The readers of other tables add to it.
    pub problems: Vec<Problem>,
    text: String,
    /// The text with what is no TOML blanked out.
    readable: String,
}

/// The workspace files that hold in a directory: of the root of its repository first, of the directory itself last.
/// Outside a repository only the directory's own counts.
pub fn workspace_files(dir: &Path) -> Vec<WorkspaceFile> {
    paths(dir).iter().filter_map(|path| WorkspaceFile::read(path)).collect()
}

/// Where workspace files that hold in a directory may be, whether they exist or not, the root's first.
pub fn paths(dir: &Path) -> Vec<PathBuf> {
    let depth = dir.ancestors().position(|above| above.join(".git").exists()).unwrap_or(0);
    let mut paths: Vec<PathBuf> = dir.ancestors().take(depth + 1).map(|above| above.join(NAME)).collect();
    paths.reverse();
    paths
}

impl WorkspaceFile {
    /// Reads one file; `None` when it does not exist. One that exists and cannot be read keeps every executor off,
    /// because nobody knows what it forbids.
    pub fn read(path: &Path) -> Option<Self> {
        match bytes_of(path) {
            Ok(None) => None,
            Ok(Some(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => Some(Self::parse(path, text)),
                Err(_) => Some(Self::closed(path, "is not UTF-8 text")),
            },
            Err(fault) => Some(Self::closed(path, &fault)),
        }
    }

    /// Reads the text of a file.
    pub fn parse(path: &Path, text: String) -> Self {
        let hash = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let (readable, faults) = readable(&text);
        let (policy, problems) = (Policy::default(), Vec::new());
        let readable = readable.unwrap_or_default();
        let mut file = Self { path: path.to_owned(), hash, policy, problems, text, readable };
        for (span, fault) in &faults {
            file.report(span, "", fault.clone(), None);
        }
        file.read_tables();
        if let Some((span, fault)) = faults.first().filter(|_| file.speaks_of_policy()) {
            let origin = Origin { line: file.place(span.start).0, ..file.origin() };
            let rule = crate::router::policy::Rule { value: fault.clone(), origin };
            file.policy.all.broken.get_or_insert(rule);
        }
        file
    }

    fn closed(path: &Path, fault: &str) -> Self {
        let name = path.display().to_string();
        let message = format!("{fault}; every executor stays off in this workspace until it can be read");
        Self {
            path: path.to_owned(),
            hash: String::new(),
            policy: Policy::closed(&name, Layer::Workspace, fault),
            problems: vec![whole(name, message)],
            text: String::new(),
            readable: String::new(),
        }
    }

    fn read_tables(&mut self) {
        let (text, readable) = (self.text.clone(), self.readable.clone());
        let Ok(root) = DeTable::parse(&readable) else { return };
        let name = self.path.display().to_string();
        for (key, value) in root.get_ref() {
            let (written, span) = (key.get_ref().as_ref(), key.span());
            match (written, value.get_ref()) {
                (POLICY, DeValue::Table(table)) => {
                    let place = (text.as_str(), name.as_str());
                    let (policy, problems) = Policy::of_table(table, "policy.", place, Layer::Workspace);
                    self.policy = policy;
                    self.problems.extend(problems);
                }
                (POLICY, _) => {
                    let fault = "wants a table";
                    self.policy = Policy::closed(&name, Layer::Workspace, fault);
                    self.report(&span, POLICY, format!("{fault}; every executor stays off until then"), None);
                }
                _ if TABLES.contains(&written) => {}
                _ => {
                    let near = nearest(written, TABLES);
                    self.report(&span, written, "unknown key; it has no effect".into(), near);
                }
            }
        }
    }

    /// The tables, with their places; empty when the text is no TOML at all.
    pub fn tables(&self) -> Option<Spanned<DeTable<'_>>> {
        DeTable::parse(&self.readable).ok()
    }

    /// Line and column of a byte offset, both counted from 1.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        position(&self.text, offset)
    }

    /// Notes what is wrong at a place.
    pub fn report(&mut self, span: &Range<usize>, key: &str, message: String, near: Option<&str>) {
        let (line, column) = self.place(span.start);
        let (file, nearest) = (self.path.display().to_string(), near.map(str::to_owned));
        self.problems.push(Problem { file, line, column, key: key.to_owned(), message, nearest });
    }

    fn origin(&self) -> Origin {
        Origin { layer: Layer::Workspace, file: self.path.display().to_string(), line: 0 }
    }

    /// Whether any line, broken or not, seems to begin rules.
    fn speaks_of_policy(&self) -> bool {
        let begins = |line: &str| line.trim_start_matches(['[', ' ', '\t', '"', '\'']).starts_with(POLICY);
        self.text.lines().any(begins)
    }
}

/// The bytes of a regular file; `None` when it does not exist. What a checkout brings may be a pipe that nobody writes to.
fn bytes_of(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let file = match opened {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        return Err("is no regular file".into());
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("is larger than {MAX_BYTES} bytes"));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::{ExecutorId, Span};
    use std::fs;

    fn said(file: &WorkspaceFile) -> Vec<String> {
        file.problems.iter().map(ToString::to_string).collect()
    }

    fn parse(text: &str) -> WorkspaceFile {
        WorkspaceFile::parse(Path::new("/w/.inspan.toml"), text.to_owned())
    }

    #[test]
    fn files_are_found_up_to_the_root_of_the_repository_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("root/a/b");
        fs::create_dir_all(&below).unwrap();
        for (at, pane) in [("", 1), ("root", 2), ("root/a", 3), ("root/a/b", 4)] {
            let text = format!("[policy.budgets]\npane = {pane}\n");
            fs::write(dir.path().join(at).join(NAME), text).unwrap();
        }
        let found = |dir: &Path| {
            let pane = |file: &WorkspaceFile| file.policy.all.budgets[&Span::Pane].value;
            workspace_files(dir).iter().map(pane).collect::<Vec<_>>()
        };
        assert_eq!(found(&below), [4.0], "outside a repository");
        fs::create_dir(dir.path().join("root/.git")).unwrap();
        assert_eq!(found(&below), [2.0, 3.0, 4.0]);
        assert_eq!(found(&dir.path().join("root")), [2.0]);
        assert_eq!(found(&dir.path().join("nowhere")), [0.0; 0]);
    }

    #[test]
    fn rules_carry_their_line_and_layer_and_unknown_keys_their_nearest() {
        let file = parse(
            "polciy = 1\n\n[policy]\ndisabled_models = [\"gpt-*\"]\n[policy.executors.claude]\nenbled = 1\n",
        );
        let rule = &file.policy.all.disabled_models[0];
        assert_eq!((rule.origin.layer, rule.origin.line), (Layer::Workspace, 4));
        assert_eq!(
            said(&file),
            [
                "/w/.inspan.toml:1:1: polciy: unknown key; it has no effect; did you mean \"policy\"?",
                "/w/.inspan.toml:6:1: policy.executors.claude.enbled: unknown key; claude stays off until this line \
                 is corrected; did you mean \"enabled\"?",
            ]
        );
        assert_eq!(file.hash.len(), 64);
        assert_ne!(file.hash, parse("").hash);
        assert!(file.tables().unwrap().get_ref().contains_key("policy"));
    }

    #[test]
    fn a_broken_line_closes_only_where_rules_may_be_lost() {
        let harmless = parse("[mcp]\nx = = 1\n");
        assert!(harmless.policy.broken(&ExecutorId::CLAUDE).is_none());
        assert!(said(&harmless)[0].starts_with("/w/.inspan.toml:2:5: not TOML"), "{:?}", said(&harmless));
        let risky = parse("[policy]\ndisabled_models = [\"gpt\n");
        let broken = risky.policy.broken(&ExecutorId::CLAUDE).unwrap();
        assert_eq!((broken.origin.line, broken.origin.layer), (2, Layer::Workspace));
    }

    #[test]
    fn what_cannot_be_read_closes_and_a_pipe_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("bytes"), [0xff]).unwrap();
        fs::write(at("long"), vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        fs::create_dir(at("dir")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        for (name, why) in [
            ("bytes", "not UTF-8"),
            ("long", "larger than"),
            ("dir", "regular file"),
            ("pipe", "regular file"),
        ] {
            let file = WorkspaceFile::read(&at(name)).unwrap();
            assert!(said(&file)[0].contains(why), "{name}: {:?}", said(&file));
            assert!(file.policy.broken(&ExecutorId::CLAUDE).is_some(), "{name}");
        }
        assert!(WorkspaceFile::read(&at("none")).is_none());
    }
}
