//! `vault.toml`: which vaults exist, and the secrets that were handed over to be kept. Private to the person (0600),
//! replaced whole, changed by one process at a time.
use super::{Secret, VaultError};
use crate::router::VaultEntry;
use fs2::FileExt;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A longer file is not one of ours.
const MAX_BYTES: u64 = 1024 * 1024;

const HEAD: &str = "# The vaults of inspan, written by `inspan vault add` and `inspan vault remove`. It holds secrets: keep it 0600.\n";

/// What tells one state of the file from another.
pub(super) type Stamp = Option<(SystemTime, u64, u64)>;

/// The file's contents. It has no `Debug`: some of it is secret.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultFile {
    /// The vaults by name.
    #[serde(default)]
    pub vaults: BTreeMap<String, VaultEntry>,
    /// Secrets that were handed over, by the name in `stored:NAME`.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

impl VaultFile {
    /// The file in the data directory.
    pub fn path(data: &Path) -> PathBuf {
        data.join("vault.toml")
    }

    /// Keeps a secret for `vault` and returns the reference to it.
    pub fn keep(&mut self, vault: &str, secret: &Secret) -> String {
        let free = (1u32..).map(|n| format!("{vault}/{n}")).find(|name| !self.secrets.contains_key(name));
        let name = free.unwrap_or_else(|| vault.to_owned());
        self.secrets.insert(name.clone(), secret.expose().to_owned());
        format!("stored:{name}")
    }

    /// The kept secret of that name.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.secrets.get(name).map(|value| Secret::new(value))
    }

    /// Every kept secret.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (String, Secret)> + '_ {
        self.secrets.iter().map(|(name, value)| (name.clone(), Secret::new(value)))
    }

    /// Forgets the secrets that no credential refers to.
    pub fn prune(&mut self) {
        let used: Vec<String> = self.vaults.values().flat_map(VaultEntry::references).collect();
        self.secrets.retain(|name, _| used.iter().any(|reference| *reference == format!("stored:{name}")));
    }

    /// Reads the file; one that does not exist is empty. One that others may read is made private first.
    ///
    /// # Errors
    /// It cannot be read, belongs to somebody else, or is not what inspan writes.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let fault = |why: String| VaultError::File(path.to_owned(), why);
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(fault(format!("cannot be read: {error}"))),
        };
        let read = |file: &mut File| -> io::Result<String> {
            let meta = file.metadata()?;
            if meta.uid() != rustix::process::geteuid().as_raw() {
                return Err(io::Error::new(ErrorKind::PermissionDenied, "it belongs to another user"));
            }
            if meta.mode() & 0o077 != 0 {
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
            }
            let mut text = String::new();
            file.take(MAX_BYTES).read_to_string(&mut text)?;
            Ok(text)
        };
        let text = read(&mut file).map_err(|error| fault(format!("cannot be read: {error}")))?;
        // Only the words of the fault: the text around it may be a secret.
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(0, |span| crate::router::position(&text, span.start).0);
            let words = error.message().lines().next().unwrap_or("is not TOML").to_owned();
            fault(format!(
                "line {line}: {}",
                if words.contains('`') { "unknown or wrong key" } else { &words }
            ))
        })
    }

    /// Reads the file, changes it by `change` and writes it, while no other process does.
    ///
    /// # Errors
    /// What `change` says (the file stays as it was), or the file cannot be read or written.
    pub fn update<T, E: From<VaultError>>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let fault =
            |error: io::Error| VaultError::File(path.to_owned(), format!("cannot be written: {error}"));
        if let Some(dir) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fault)?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.with_extension("lock"))
            .map_err(fault)?;
        lock.lock_exclusive().map_err(fault)?;
        let mut file = Self::load(path)?;
        let answer = change(&mut file)?;
        file.write(path).map_err(fault)?;
        Ok(answer)
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string_pretty(self).map_err(io::Error::other)?;
        let fresh = path.with_extension("new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(HEAD.as_bytes())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    }
}

/// The state of the file at `path` now; `None` when there is none.
pub(super) fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len(), meta.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::Kept;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn entry(reference: String) -> VaultEntry {
        let credentials = vec![Kept { reference, mcp_server_url: None }];
        VaultEntry { credentials, ..VaultEntry::default() }
    }

    #[test]
    fn the_file_is_private_whole_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = VaultFile::path(&dir.path().join("data/inspan"));
        assert!(VaultFile::load(&path).unwrap() == VaultFile::default());
        let reference = VaultFile::update(&path, |file| {
            let reference = file.keep("team", &Secret::new("sk-canary"));
            file.vaults.insert("team".into(), entry(reference.clone()));
            Ok::<_, VaultError>(reference)
        })
        .unwrap();
        assert_eq!((reference.as_str(), mode(&path)), ("stored:team/1", 0o600));
        assert_eq!(VaultFile::load(&path).unwrap().secret("team/1").unwrap().expose(), "sk-canary");
        assert!(!path.with_extension("new").exists());

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        VaultFile::load(&path).unwrap();
        assert_eq!(mode(&path), 0o600);

        let before = fs::read(&path).unwrap();
        let refused = VaultFile::update(&path, |file| {
            file.vaults.clear();
            Err::<(), _>(VaultError::NoVault("x".into()))
        });
        assert!(refused.is_err());
        assert_eq!(fs::read(&path).unwrap(), before);

        VaultFile::update(&path, |file| {
            file.vaults.clear();
            file.prune();
            Ok::<_, VaultError>(())
        })
        .unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("sk-canary"));
    }

    #[test]
    fn a_broken_file_is_said_without_its_words_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = VaultFile::path(dir.path());
        for text in
            ["[secrets]\n\"team/1\" = \"sk-canary\" x\n", "[vaults.a]\nsk_canary = 1\n", "\u{0}sk-canary"]
        {
            fs::write(&path, text).unwrap();
            let error = VaultFile::load(&path).err().unwrap().to_string();
            assert!(!error.contains("canary"), "{error}");
            assert!(VaultFile::update(&path, |_| Ok::<_, VaultError>(())).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn writers_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        let path = VaultFile::path(dir.path());
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    VaultFile::update(path, |file| {
                        file.vaults.insert(format!("v{writer}"), entry("env:A".into()));
                        Ok::<_, VaultError>(())
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(VaultFile::load(&path).unwrap().vaults.len(), 8);
    }
}
