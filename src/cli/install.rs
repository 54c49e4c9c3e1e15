//! `inspan install`.
use super::{FAILED, USAGE, paths};
use crate::{
    client,
    executors::{self, InstallOptions, Progress},
    router::ExecutorId,
};
use anyhow::Result;
use std::io::{BufRead, IsTerminal, Write};

/// The executor of that name; says what is known otherwise.
fn known(name: &str) -> Option<&'static dyn executors::Executor> {
    executors::installable(&ExecutorId::from(name)).map_err(|why| eprintln!("inspan: {why}")).ok()
}

/// Goes back to the version before the one in use.
pub fn back(executor: &str) -> Result<i32> {
    let Some(executor) = known(executor) else { return Ok(USAGE) };
    match executors::back(executor, &paths()?.data, &client::environment()) {
        Ok(found) => {
            println!("{} {} is in use again: {}", executor.id(), found.version, found.binary.display());
            Ok(0)
        }
        Err(error) => {
            eprintln!("inspan: {error}");
            Ok(FAILED)
        }
    }
}

/// How an installation was asked for.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Even when one is there.
    pub force: bool,
    /// The newest version.
    pub update: bool,
    /// By the vendor's own installer.
    pub vendor: bool,
    /// Without asking.
    pub yes: bool,
}

/// Puts a question to whoever sits at the terminal; what counts as yes beside `y` is up to the caller.
fn asked(question: &str, or: &str) -> Result<bool> {
    print!("{question} ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    let answer = answer.trim().to_ascii_lowercase();
    Ok(matches!(answer.as_str(), "y" | "yes") || answer == or)
}

/// Installs one executor's CLI, the size said first, progress shown.
pub fn run(executor: &str, how: How) -> Result<i32> {
    let How { force, update, vendor, yes } = how;
    let Some(executor) = known(executor) else { return Ok(USAGE) };
    let env = client::environment();
    let data = paths()?.data;
    let name = executor.id();
    // One of ours may be of an earlier version than this build was tested with.
    if !force
        && !update
        && let Some(found) = executors::find(executor, &executors::login_shell_path(&env), &data)
        && executors::ours(executor, &data).as_ref() != Some(&found)
    {
        println!(
            "{name} is {} at {}; --force installs inspan's own beside it",
            found.why,
            found.binary.display()
        );
        return Ok(0);
    }
    if let Some(package) = executor.package()
        && !yes
        && std::io::stdin().is_terminal()
    {
        let version = if update { "in its newest version" } else { package.version };
        let size = package.size_mb;
        if !asked(&format!("install {name} {version} ({size} MB) into {}? [Y/n]", data.display()), "")? {
            println!("nothing was installed");
            return Ok(FAILED);
        }
    }
    let terminal = std::io::stdout().is_terminal();
    let mut last = 0;
    let mut progress = |progress: Progress| match progress {
        Progress::Size { package, version, mb } => println!("{package} {version}: {mb} MB"),
        Progress::Step(step) => {
            if last > 0 {
                println!();
                last = 0;
            }
            println!("{step}");
        }
        Progress::Grown(mb, of) => {
            if terminal && mb != last {
                let width: u64 = 30;
                let full = (mb * width / u64::from(of.max(1))).min(width);
                let bar: String = (0..width).map(|i| if i < full { '#' } else { '.' }).collect();
                print!("\r[{bar}] {mb} of {of} MB ");
                let _ = std::io::stdout().flush();
                last = mb;
            }
        }
        Progress::Line(line) => {
            if !terminal {
                println!("  {line}");
            }
        }
    };
    let options = InstallOptions { env: &env, again: force, newest: update, vendor };
    let mut done = executors::install(executor, &data, options, &mut progress);
    if let Err(executors::InstallError::NoNpmButScript(_, script)) = &done
        && !update
        && std::io::stdin().is_terminal()
    {
        println!("npm is not on your PATH. The vendor has an installer of its own, a script from {script}.");
        if asked("run it into inspan's directory? [y/N]", "y")? {
            done = executors::install(
                executor,
                &data,
                InstallOptions { vendor: true, ..options },
                &mut progress,
            );
        }
    }
    match done {
        Ok(installed) => {
            if last > 0 {
                println!();
            }
            let word = if installed.already { "is there" } else { "installed" };
            println!("{name} {} {word}: {}", installed.version, installed.binary.display());
            if executor.package().is_some_and(|tested| tested.version != installed.version) {
                println!(
                    "inspan was not tested with it; inspan install {name} --back returns to the one before"
                );
            }
            Ok(0)
        }
        Err(error) => {
            if last > 0 {
                println!();
            }
            eprintln!("inspan: {error}");
            Ok(FAILED)
        }
    }
}
