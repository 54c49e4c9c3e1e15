//! `inspan install`.
use super::{FAILED, USAGE, paths};
use crate::{
    client,
    executors::{self, InstallOptions, Progress},
    router::ExecutorId,
};
use anyhow::Result;
use std::io::{BufRead, IsTerminal, Write};

/// Installs one executor's CLI, the size said first, progress shown.
pub fn run(executor: &str, force: bool, yes: bool) -> Result<i32> {
    let executor = match executors::by_id(&ExecutorId::from(executor)) {
        Ok(executor) => executor,
        Err(why) => {
            eprintln!("inspan: {why}");
            return Ok(USAGE);
        }
    };
    let env = client::environment();
    let data = paths()?.data;
    let name = executor.id();
    // One of ours may be of an earlier version than this build was tested with.
    if !force
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
        print!("install {name} {} ({} MB) into {}? [Y/n] ", package.version, package.size_mb, data.display());
        std::io::stdout().flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if !matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes") {
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
    match executors::install(executor, &data, InstallOptions { env: &env, again: force }, &mut progress) {
        Ok(installed) => {
            if last > 0 {
                println!();
            }
            let word = if installed.already { "is there" } else { "installed" };
            println!("{name} {} {word}: {}", installed.version, installed.binary.display());
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
