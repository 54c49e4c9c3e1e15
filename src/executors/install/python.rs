//! Packages from PyPI: an environment of their own, made by the person's Python.
use super::{InstallError, Place, Progress, TOOL_TIME, at, output_within};
use crate::executors::Registry;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// The oldest Python that the packages run on.
const NEEDED: &str = "3.10";
/// The same for comparing.
const NEEDED_MINOR: u32 = 10;

/// Names under which a Python is found, the person's usual one first.
const PYTHONS: &[&str] = &["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];

/// What a Python is asked: its version, and whether it can make environments.
const QUESTION: &str =
    "import sys\nprint('%d.%d' % sys.version_info[:2])\nimport venv, ensurepip\nprint('whole')";

/// Variables that would put packages elsewhere or bring others in.
const NOT_PASSED_ON: &[&str] = &[
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIREMENT",
    "PIP_CONSTRAINT",
    "PIP_PYTHON",
];

impl Place<'_> {
    /// The name of a Python that can make environments.
    pub(super) fn python(&self) -> Result<String, InstallError> {
        let mut why = "python3 was not found on your PATH".to_owned();
        for name in PYTHONS {
            let mut command = self.clean(self.command(name));
            // A Python without the modules fails behind its version.
            let question = format!("try:\n exec({QUESTION:?})\nexcept ImportError as error:\n print(error)");
            let Some(said) = output_within(command.args(["-c", &question]), TOOL_TIME) else { continue };
            let mut lines = said.lines();
            let version = lines.next().unwrap_or_default().trim().to_owned();
            let minor = version.strip_prefix("3.").and_then(|minor| minor.parse::<u32>().ok());
            match (minor.is_some_and(|minor| minor >= NEEDED_MINOR), lines.next()) {
                (true, Some("whole")) => return Ok((*name).to_owned()),
                (true, lacks) => {
                    why = format!(
                        "Python {version} ({name}) cannot make environments: {}",
                        lacks.unwrap_or("?")
                    );
                }
                (false, _) => why = format!("Python {version} ({name}) is too old"),
            }
        }
        Err(InstallError::NoPython { executor: self.executor.id().to_string(), why, needed: NEEDED })
    }

    /// Makes the environment in `prefix` and installs the package into it.
    pub(super) fn fetch_python(
        &self,
        python: &str,
        prefix: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), InstallError> {
        let Registry::PyPi { with, program, module } = self.executor.registry() else { return Ok(()) };
        let failed = |failed: super::Failed| {
            self.full(&failed, prefix).unwrap_or_else(|| InstallError::Pip {
                package: self.spec(),
                quoted: failed.quoted("pip"),
                why: failed.why,
            })
        };
        progress(Progress::Step(format!("{python} -m venv")));
        let mut command = self.clean(self.command(python));
        command.args(["-m", "venv"]).arg(prefix).current_dir(prefix);
        self.watched(command, prefix, progress).map_err(failed)?;
        progress(Progress::Step(format!("pip install {}", self.spec())));
        let mut command = Command::new(prefix.join("bin/python3"));
        command.env_clear().envs(self.options.env);
        command = self.clean(command);
        command.env("PIP_USER", "0").args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--no-warn-script-location",
            "--progress-bar=off",
        ]);
        command.arg(self.spec()).args(with).current_dir(prefix);
        self.watched(command, prefix, progress).map_err(failed)?;
        let file = prefix.join("bin").join(program);
        fs::write(&file, interpreter(self.package.name, module)).map_err(at(&file))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).map_err(at(&file))
    }

    fn clean(&self, mut command: Command) -> Command {
        for name in NOT_PASSED_ON {
            command.env_remove(name);
        }
        command
    }
}

/// The environment's interpreter under a name of its own; asked for its version it says the package's, if that loads.
fn interpreter(package: &str, module: &str) -> String {
    format!(
        "#!/bin/sh\n\
         # The Python that has {package}, as inspan installed it.\n\
         here=${{0%/*}}\n\
         case $1 in --version)\n\
         \texec \"$here/python3\" -I -c 'import {module}, importlib.metadata as m; print(\"{package}\", m.version(\"{package}\"))'\n\
         esac\n\
         exec \"$here/python3\" \"$@\"\n"
    )
}
