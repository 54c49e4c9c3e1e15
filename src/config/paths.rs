//! Where inspan's files are, from environment variables and the user's id alone.
use super::PolicyFiles;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Where sockets go unless told otherwise; unlike the runtime directory it survives the last logout.
const DEFAULT_TMPDIR: &str = "/tmp";

/// The longest path that a socket address holds on Linux, its closing zero left out; the kernel's own message about a
/// longer one is understood by nobody.
pub const MAX_SOCKET_PATH: usize = 107;

/// The name of the server that runs without `-L`.
pub const DEFAULT_SERVER: &str = "default";

/// Why there is no place for a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathsError {
    /// Neither the variable nor HOME says where to go.
    #[error("{0} is not set, and HOME is not an absolute path; set HOME")]
    NoHome(&'static str),
    /// What a variable names must mean the same place to every client.
    #[error("{0} is {1:?}; set it to an absolute path")]
    Relative(&'static str, String),
    /// The name would leave the directory or be hard to type.
    #[error(
        "{0:?} is no server name; use letters, digits, `-`, `_` and `.`, and begin with a letter or digit"
    )]
    ServerName(String),
    /// The system refuses longer ones.
    #[error(
        "the socket path {0:?} is longer than {MAX_SOCKET_PATH} bytes; use a shorter name or set INSPAN_TMPDIR"
    )]
    SocketPath(PathBuf),
}

/// The directories and files that all servers of a user share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `$XDG_CONFIG_HOME/inspan`.
    pub config: PathBuf,
    /// `$XDG_DATA_HOME/inspan`.
    pub data: PathBuf,
    /// `$XDG_STATE_HOME/inspan`.
    pub state: PathBuf,
    /// `${INSPAN_TMPDIR:-/tmp}/inspan-<uid>`; to be made 0700, its owner checked, no symlink followed.
    pub sockets: PathBuf,
    /// The layers of policy that every directory has.
    pub policy: PolicyFiles,
}

/// The files of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPaths {
    /// Where clients connect.
    pub socket: PathBuf,
    /// `$XDG_STATE_HOME/inspan/<server>`.
    pub state: PathBuf,
}

impl Paths {
    /// Finds the directories. `env` looks a variable up; relative `XDG_*` values count as unset, as their
    /// specification asks.
    ///
    /// # Errors
    /// No home, or a socket directory that is not absolute.
    pub fn new(env: impl Fn(&str) -> Option<OsString>, uid: u32) -> Result<Self, PathsError> {
        let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let xdg = |name: &'static str, below_home: &str| {
            let base = absolute(name).or_else(|| Some(absolute("HOME")?.join(below_home)));
            Ok(base.ok_or(PathsError::NoHome(name))?.join("inspan"))
        };
        let named = |name: &'static str| match env(name).filter(|path| !path.is_empty()).map(PathBuf::from) {
            Some(path) if !path.is_absolute() => Err(PathsError::Relative(name, path.display().to_string())),
            path => Ok(path),
        };
        let tmpdir = named("INSPAN_TMPDIR")?.unwrap_or_else(|| PathBuf::from(DEFAULT_TMPDIR));
        let config = xdg("XDG_CONFIG_HOME", ".config")?;
        Ok(Self {
            policy: PolicyFiles::new(&config, named("INSPAN_ADMIN_POLICY")?),
            config,
            data: xdg("XDG_DATA_HOME", ".local/share")?,
            state: xdg("XDG_STATE_HOME", ".local/state")?,
            sockets: tmpdir.join(format!("inspan-{uid}")),
        })
    }

    /// The user's settings.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The user's own themes.
    pub fn themes(&self) -> PathBuf {
        self.config.join("themes")
    }

    /// The files of the server of that name.
    ///
    /// # Errors
    /// A name that is none, or a socket path that the system would refuse.
    pub fn server(&self, name: &str) -> Result<ServerPaths, PathsError> {
        check_name(name)?;
        let socket = self.sockets.join(format!("{name}.sock"));
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(PathsError::SocketPath(socket));
        }
        Ok(ServerPaths { socket, state: self.state.join(name) })
    }
}

/// Refuses server names that would leave the directory of sockets or be hard to type.
///
/// # Errors
/// Names the characters that may be used.
pub fn check_name(name: &str) -> Result<(), PathsError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fine = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(fits);
    if fine { Ok(()) } else { Err(PathsError::ServerName(name.to_owned())) }
}

impl ServerPaths {
    /// Journal, ledger and saved sessions.
    pub fn database(&self) -> PathBuf {
        self.state.join("inspan.db")
    }

    /// The server's logs.
    pub fn logs(&self) -> PathBuf {
        self.state.join("log")
    }

    /// Delivered handoffs.
    pub fn handoffs(&self) -> PathBuf {
        self.state.join("handoffs")
    }

    /// The directory of the pane with that ULID.
    pub fn pane(&self, ulid: &str) -> PathBuf {
        self.state.join("panes").join(Path::new(ulid).file_name().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(env: &[(&str, &str)]) -> Result<Paths, PathsError> {
        Paths::new(|name| env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()), 1000)
    }

    #[test]
    fn home_alone_gives_the_usual_places() {
        let paths = paths(&[("HOME", "/home/ada")]).unwrap();
        assert_eq!(paths.config_file(), Path::new("/home/ada/.config/inspan/config.toml"));
        assert_eq!(paths.themes(), Path::new("/home/ada/.config/inspan/themes"));
        assert_eq!(paths.data, Path::new("/home/ada/.local/share/inspan"));
        let policy: Vec<_> = paths.policy.all().into_iter().map(|(_, file)| file).collect();
        let wanted = ["/etc/inspan/policy.toml", "/home/ada/.config/inspan/policy.toml"].map(PathBuf::from);
        assert_eq!(policy, wanted);
        let server = paths.server(DEFAULT_SERVER).unwrap();
        assert_eq!(server.socket, Path::new("/tmp/inspan-1000/default.sock"));
        assert_eq!(server.database(), Path::new("/home/ada/.local/state/inspan/default/inspan.db"));
        assert_eq!(server.pane("01J"), Path::new("/home/ada/.local/state/inspan/default/panes/01J"));
    }

    #[test]
    fn variables_move_them_and_relative_ones_do_not() {
        let moved = paths(&[
            ("HOME", "/home/ada"),
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_DATA_HOME", ""),
            ("INSPAN_TMPDIR", "/run/x"),
            ("INSPAN_ADMIN_POLICY", "/fleet.toml"),
        ])
        .unwrap();
        assert_eq!(moved.config, Path::new("/c/inspan"));
        let policy = moved.policy.all();
        assert_eq!(policy[1], (crate::router::policy::Layer::Administrator, PathBuf::from("/fleet.toml")));
        assert_eq!(policy.len(), 3, "it stands beside the first, not in its place");
        assert_eq!(moved.state, Path::new("/home/ada/.local/state/inspan"));
        assert_eq!(moved.data, Path::new("/home/ada/.local/share/inspan"));
        assert_eq!(moved.sockets, Path::new("/run/x/inspan-1000"));
        assert_eq!(
            paths(&[("HOME", "/h"), ("INSPAN_TMPDIR", "")]).unwrap().sockets,
            Path::new("/tmp/inspan-1000")
        );
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert_eq!(paths(&[]), Err(PathsError::NoHome("XDG_CONFIG_HOME")));
        assert_eq!(
            paths(&[("HOME", "ada"), ("XDG_CONFIG_HOME", "/c")]),
            Err(PathsError::NoHome("XDG_DATA_HOME"))
        );
        let relative = paths(&[("HOME", "/h"), ("INSPAN_TMPDIR", "tmp")]);
        assert_eq!(relative, Err(PathsError::Relative("INSPAN_TMPDIR", "tmp".into())));
        let paths = paths(&[("HOME", "/h")]).unwrap();
        for name in ["", ".", "..", "../x", "a/b", "-x", ".hidden", "a b", "ä"] {
            assert_eq!(paths.server(name), Err(PathsError::ServerName(name.into())));
        }
        assert!(matches!(paths.server(&"x".repeat(100)), Err(PathsError::SocketPath(_))));
        assert!(paths.server("ci-2.try_1").is_ok());
    }
}
