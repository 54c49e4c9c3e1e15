//! `inspan config`.
use super::{FAILED, paths};
use crate::{
    commands::ConfigAction,
    config::{self, Theme},
};
use anyhow::Result;

/// Checks, shows or locates the configuration.
pub fn run(action: ConfigAction) -> Result<i32> {
    let paths = paths()?;
    let here = |paths: &config::Paths| anyhow::Ok(paths.policy.within(&std::env::current_dir()?));
    let (mut settings, mut problems) = config::load([paths.config_file()]);
    match action {
        ConfigAction::Path => {
            println!("settings  {}", paths.config_file().display());
            for (_, file) in here(&paths)?.all() {
                println!("policy    {}", file.display());
            }
            println!("themes    {}", paths.themes().display());
            println!("data      {}", paths.data.display());
            println!("state     {} (logs below <server>/log)", paths.state.display());
            println!("sockets   {}", paths.sockets.display());
            Ok(0)
        }
        ConfigAction::Show => {
            print!("{}", toml::to_string_pretty(&settings)?);
            Ok(0)
        }
        ConfigAction::Schema => {
            super::print_json(&config::json_schema());
            Ok(0)
        }
        ConfigAction::Default => {
            super::out(config::EXAMPLE);
            Ok(0)
        }
        ConfigAction::Check => {
            problems.extend(crate::server::check_settings(&mut settings));
            problems.extend(Theme::load(&settings.theme, &paths.themes()).1);
            problems.extend(here(&paths)?.load().1);
            for problem in &problems {
                eprintln!("{problem}");
            }
            if problems.is_empty() {
                println!("{} is sound", paths.config_file().display());
                return Ok(0);
            }
            Ok(FAILED)
        }
    }
}
