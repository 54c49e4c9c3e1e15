//! Where the server listens: `${INSPAN_TMPDIR:-/tmp}/inspan-<uid>/<server>.sock`, in a directory of ours alone.
use crate::config::paths::MAX_SOCKET_PATH;
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

/// The socket's path for a server name.
pub fn path(dir: &Path, server: &str) -> PathBuf {
    dir.join(format!("{server}.sock"))
}

/// The stable name that panes see as `SSH_AUTH_SOCK`, pointed anew at each attach.
pub fn agent_link(dir: &Path, server: &str) -> PathBuf {
    dir.join(format!("{server}.agent"))
}

/// Makes the socket directory, or checks the one that is there: ours, private, no symbolic link.
///
/// # Errors
/// What is wrong with it, in words.
pub fn prepare_dir(dir: &Path) -> Result<(), String> {
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => {
            return Err(format!(
                "cannot create {}: {e}; set INSPAN_TMPDIR to a directory of yours",
                dir.display()
            ));
        }
    }
    check_dir(dir)
}

/// Checks the socket directory: ours, private, no symbolic link. One that is not there is fine.
///
/// A client checks it too: it would tell whoever listens there its whole environment.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_dir(dir: &Path) -> Result<(), String> {
    let meta = match fs::symlink_metadata(dir) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(format!("cannot read {}: {e}", dir.display())),
    };
    if !meta.is_dir() {
        return Err(format!("{} is not a directory (a symbolic link is not followed)", dir.display()));
    }
    let uid = rustix::process::geteuid().as_raw();
    if meta.uid() != uid {
        return Err(format!(
            "{} belongs to user {}, not to you; set INSPAN_TMPDIR",
            dir.display(),
            meta.uid()
        ));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(format!("{} can be entered by others; run: chmod 700 {}", dir.display(), dir.display()));
    }
    Ok(())
}

/// Connects to a live server; `None` when none listens. A stale socket is removed by the next server, under its lock.
///
/// # Errors
/// Anything but "nobody listens".
pub fn connect(path: &Path) -> io::Result<Option<UnixStream>> {
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "the socket path {} is longer than {MAX_SOCKET_PATH} bytes; set INSPAN_TMPDIR to a shorter one",
                path.display()
            ),
        ));
    }
    match UnixStream::connect(path) {
        Ok(stream) => Ok(Some(stream)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Points the stable agent link at `target` in one step, so that no pane ever sees it missing.
///
/// # Errors
/// I/O errors.
pub fn point_agent_link(link: &Path, target: &Path) -> io::Result<()> {
    if link == target {
        return Ok(());
    }
    let next = link.with_extension("agent.next");
    let _ = fs::remove_file(&next);
    std::os::unix::fs::symlink(target, &next)?;
    fs::rename(&next, link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_foreign_or_open_directory_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("s");
        prepare_dir(&dir).unwrap();
        prepare_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(prepare_dir(&dir).unwrap_err().contains("chmod 700"));
        let link = tmp.path().join("l");
        symlink(tmp.path(), &link).unwrap();
        assert!(prepare_dir(&link).unwrap_err().contains("symbolic link"));
    }

    #[test]
    fn nobody_listening_is_not_an_error() {
        let tmp = tempfile::tempdir().unwrap();
        assert!(connect(&tmp.path().join("none.sock")).unwrap().is_none());
        let stale = tmp.path().join("stale.sock");
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        assert!(connect(&stale).unwrap().is_none());
    }

    #[test]
    fn the_agent_link_moves() {
        let tmp = tempfile::tempdir().unwrap();
        let link = tmp.path().join("d.agent");
        point_agent_link(&link, Path::new("/a")).unwrap();
        point_agent_link(&link, Path::new("/b")).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("/b"));
    }
}
