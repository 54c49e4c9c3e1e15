//! The CLIs, installed once by the product itself into a directory that later runs find again.
use super::ALL;
use crate::common::Sandbox;
use std::{
    env,
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The data directory that holds the installed CLIs.
pub fn shared() -> &'static Path {
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    SHARED.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("executors");
        let data = root.join("data");
        fs::create_dir_all(&data).expect("the target directory takes directories");
        // Another run of the tests may be at it.
        let lock = File::create(root.join("lock")).expect("the target directory takes files");
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("the lock is given");
        for cli in ALL {
            install(cli.name, &root, &[]);
            if !current(&data, cli.name).exists() {
                // One on this machine's PATH comes first; the tests want the tested version.
                install(cli.name, &root, &["--force"]);
            }
            assert!(current(&data, cli.name).exists(), "inspan install {} left nothing behind", cli.name);
        }
        data
    })
}

/// Installs one more beside them.
pub fn beside(executor: &str) {
    let data = shared();
    let root = data.parent().expect("it is below the root");
    let lock = File::create(root.join("lock")).expect("the target directory takes files");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("the lock is given");
    install(executor, root, &[]);
    assert!(current(data, executor).exists(), "inspan install {executor} left nothing behind");
}

fn current(data: &Path, executor: &str) -> PathBuf {
    data.join("inspan/executors").join(executor).join("current")
}

/// Runs `inspan install` as the person who runs the tests: npm's settings are theirs.
fn install(executor: &str, root: &Path, more: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inspan"));
    command.args(["install", executor, "--yes"]).args(more).stdin(Stdio::null());
    for (variable, part) in
        [("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state")]
    {
        command.env(variable, root.join(part));
    }
    let output = command.output().expect("inspan runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "inspan install {executor}: {}\n{}{}",
        output.status,
        said(&output.stdout),
        said(&output.stderr)
    );
}

/// Gemini CLI is run by Node.js, which may live in a directory that a sandbox does not look into.
pub fn node_on_path(sandbox: &Sandbox) {
    let path = env::var_os("PATH").unwrap_or_default();
    let node = env::split_paths(&path).map(|dir| dir.join("node")).find(|file| file.exists());
    let node = node.expect("Node.js is on PATH");
    symlink(node.canonicalize().expect("it exists"), sandbox.path("bin/node"))
        .expect("the sandbox takes links");
}
