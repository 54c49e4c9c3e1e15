//! Options while the server runs: tmux's names for our settings, `@name` options, and applying what changed.
use super::{
    Server, input,
    reply::Failure,
    scripted::Owner,
    verbs::{Answer, Outcome, silent},
};
use crate::server::scripted::MAX_USER_OPTIONS;
use crate::{
    commands::{Scope, Setting},
    config::{self, Problem, Settings, Theme},
    mux::format,
    state::target::Origin,
};
use serde_json::json;

/// The file that settings of `set-option` are reported under.
const COMMAND: &str = "set-option";

/// Longest value of a `@name` option in bytes.
const MAX_VALUE: usize = 64 * 1024;

/// Themes of a person's own whose changes are noticed.
const MAX_THEMES: usize = 100;

/// tmux's names where ours differ by more than a dash.
const NAMES: [(&str, &str); 2] = [("history-limit", "history"), ("default-executor", "default_executor")];

/// The option of a window that is no setting.
const SYNCHRONIZE: &str = "synchronize-panes";

/// Our name of a setting.
fn own_name(name: &str) -> String {
    let known = NAMES.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| (*ours).to_owned());
    known.unwrap_or_else(|| name.replace('-', "_"))
}

/// Text as a value of the kind that the setting has now; `None` turns a switch over.
fn value_like(now: &toml::Value, text: Option<&str>) -> Result<toml::Value, String> {
    let Some(text) = text else {
        return match now.as_bool() {
            Some(on) => Ok((!on).into()),
            None => Err("a value is needed".into()),
        };
    };
    match now {
        toml::Value::Boolean(_) => match text {
            "on" | "yes" | "true" | "1" => Ok(true.into()),
            "off" | "no" | "false" | "0" => Ok(false.into()),
            other => Err(format!("{other:?} is neither on nor off")),
        },
        toml::Value::Integer(_) => {
            text.parse::<i64>().map(Into::into).map_err(|_| format!("{text:?} is no whole number"))
        }
        toml::Value::Array(_) => Ok(toml::Value::Array(
            text.split([' ', ',']).filter(|word| !word.is_empty()).map(Into::into).collect(),
        )),
        _ => Ok(text.into()),
    }
}

fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::Boolean(on) => (if *on { "on" } else { "off" }).into(),
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

impl Server {
    /// Who a scope means: a pane's with `-p`, a window's with `-w`, everybody's with `-g` and `-s`, else a session's.
    fn owner(&self, scope: &Scope, origin: &Origin) -> Result<Owner, Failure> {
        let target = scope.target.as_deref();
        Ok(if scope.global || scope.server {
            Owner::Global
        } else if scope.pane {
            Owner::Pane(self.state.find_pane(target, origin)?)
        } else if scope.window {
            Owner::Window(self.state.find_window(target, origin)?)
        } else {
            Owner::Session(self.state.find_session(target, origin)?)
        })
    }

    pub(super) fn set_option(&mut self, how: &Setting, origin: &Origin) -> Answer {
        let (scope, name) = (&how.scope, how.name.as_str());
        let expanded = match how.value.as_deref() {
            Some(value) if how.expand => {
                let pane = self.state.find_pane(scope.target.as_deref(), origin).ok();
                Some(match pane {
                    Some(pane) => self.formatted(value, pane, origin),
                    None => format::expand(value, &super::listing::Nothing),
                })
            }
            value => value.map(str::to_owned),
        };
        let value = expanded.as_deref();
        let done = if name.starts_with('@') {
            self.set_user_option(scope, how, name, value, origin)
        } else if name == SYNCHRONIZE {
            self.set_synchronized(scope, how, value, origin)
        } else {
            self.set_setting(&own_name(name), name, how, value)
        };
        match done {
            Err(_) if how.quiet => silent(),
            Err(failure) => Err(failure),
            Ok(()) => {
                self.touch();
                silent()
            }
        }
    }

    fn set_user_option(
        &mut self,
        scope: &Scope,
        how: &Setting,
        name: &str,
        value: Option<&str>,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let key = (self.owner(scope, origin)?, name.to_owned());
        let user = &mut self.scripted.user;
        if how.unset {
            user.remove(&key);
            return Ok(());
        }
        if how.only && user.contains_key(&key) {
            return Err(Failure::Failed(format!("{name} is set already")));
        }
        let value = value.unwrap_or_default();
        let before = if how.append { user.get(&key).cloned().unwrap_or_default() } else { String::new() };
        if before.len() + value.len() > MAX_VALUE {
            return Err(Failure::Failed(format!("an option holds at most {MAX_VALUE} bytes")));
        }
        if user.len() >= MAX_USER_OPTIONS && !user.contains_key(&key) {
            return Err(Failure::Failed(format!("{MAX_USER_OPTIONS} options are set; take some back first")));
        }
        user.insert(key, before + value);
        Ok(())
    }

    fn set_synchronized(
        &mut self,
        scope: &Scope,
        how: &Setting,
        value: Option<&str>,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let wanted = |now: bool| -> Result<bool, Failure> {
            if how.unset {
                return Ok(false);
            }
            let value = value_like(&now.into(), value).map_err(Failure::Usage)?;
            Ok(value.as_bool().unwrap_or(now))
        };
        if scope.global {
            for window in self.state.windows.values_mut() {
                window.synchronized = wanted(window.synchronized)?;
            }
            return Ok(());
        }
        let id = self.state.find_window(scope.target.as_deref(), origin)?;
        if let Some(window) = self.state.windows.get_mut(&id) {
            window.synchronized = wanted(window.synchronized)?;
        }
        Ok(())
    }

    fn set_setting(
        &mut self,
        own: &str,
        name: &str,
        how: &Setting,
        value: Option<&str>,
    ) -> Result<(), Failure> {
        let now = self.settings_table();
        let Some(is) = now.get(own).filter(|value| !value.is_table()) else {
            let near = crate::router::nearest(
                own,
                now.iter().filter(|(_, v)| !v.is_table()).map(|(k, _)| k.as_str()),
            );
            let near =
                near.map(|near| format!("; did you mean {}?", near.replace('_', "-"))).unwrap_or_default();
            return Err(Failure::Usage(format!("there is no option {name:?}{near}")));
        };
        if how.only && self.scripted.settings.contains_key(own) {
            return Err(Failure::Failed(format!("{name} is set already")));
        }
        let before = self.scripted.settings.clone();
        if how.unset {
            self.scripted.settings.remove(own);
        } else {
            let text = match value {
                Some(value) if how.append => Some(format!("{} {value}", shown(is)).trim().to_owned()),
                value => value.map(str::to_owned),
            };
            let value =
                value_like(is, text.as_deref()).map_err(|why| Failure::Usage(format!("{name}: {why}")))?;
            self.scripted.settings.insert(own.to_owned(), value);
        }
        let (settings, problems) = self.read_settings();
        if let Some(problem) = problems.iter().find(|problem| problem.file == COMMAND) {
            let why = problem.message.split(';').next().unwrap_or_default().to_owned();
            self.scripted.settings = before;
            return Err(Failure::Usage(format!("{name} {why}")));
        }
        self.apply(settings);
        Ok(())
    }

    fn settings_table(&self) -> toml::Table {
        let mut table = toml::Table::try_from(&self.settings).unwrap_or_default();
        // Hooks have verbs of their own.
        table.remove("hooks");
        table
    }

    /// The value of an option for a format, by tmux's name or ours.
    pub(super) fn option_value(&self, name: &str) -> Option<String> {
        let table = self.settings_table();
        table.get(&own_name(name)).filter(|value| !value.is_table()).map(|value| match value {
            toml::Value::Boolean(on) => u8::from(*on).to_string(),
            other => shown(other),
        })
    }

    pub(super) fn show_options(
        &self,
        scope: &Scope,
        (only_value, quiet, as_json): (bool, bool, bool),
        name: Option<&str>,
        origin: &Origin,
    ) -> Answer {
        let mut rows: Vec<(String, String)> = Vec::new();
        let owner = self.owner(scope, origin).unwrap_or(Owner::Global);
        if scope.window || name == Some(SYNCHRONIZE) {
            let window = self.state.find_window(scope.target.as_deref(), origin)?;
            let on = self.state.windows.get(&window).is_some_and(|w| w.synchronized);
            rows.push((SYNCHRONIZE.into(), (if on { "on" } else { "off" }).into()));
        }
        let wants_settings = !scope.window && !scope.pane;
        if wants_settings {
            let table = self.settings_table();
            let plain = table.iter().filter(|(_, value)| !value.is_table());
            rows.extend(plain.map(|(key, value)| (key.replace('_', "-"), shown(value))));
        }
        let user = self.scripted.user.iter().filter(|((of, _), _)| *of == owner);
        rows.extend(user.map(|((_, name), value)| (name.clone(), value.clone())));
        if let Some(name) = name {
            let wanted = own_name(name).replace('_', "-");
            rows.retain(|(key, _)| key == name || *key == wanted);
            if rows.is_empty() && !quiet && !name.starts_with('@') {
                let known = self.settings_table();
                let known = known.iter().filter(|(_, value)| !value.is_table()).map(|(key, _)| key.as_str());
                let near = crate::router::nearest(&name.replace('-', "_"), known);
                let near =
                    near.map(|n| format!("; did you mean {}?", n.replace('_', "-"))).unwrap_or_default();
                return Err(Failure::Failed(format!("there is no option {name:?}{near}")));
            }
        }
        if as_json {
            let map: serde_json::Map<_, _> =
                rows.into_iter().map(|(key, value)| (key, json!(value))).collect();
            return Ok(Outcome::Done(serde_json::to_string_pretty(&map).unwrap_or_default() + "\n"));
        }
        let line = |(key, value): (String, String)| {
            if only_value {
                return format!("{value}\n");
            }
            let plain = !value.is_empty()
                && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:%@+".contains(c));
            if plain { format!("{key} {value}\n") } else { format!("{key} {value:?}\n") }
        };
        Ok(Outcome::Done(rows.into_iter().map(line).collect()))
    }

    /// The file's settings with those of `set-option` over them.
    fn read_settings(&self) -> (Settings, Vec<Problem>) {
        let over = toml::to_string(&self.scripted.settings).unwrap_or_default();
        let (mut settings, mut problems) = config::load_over([self.paths.config_file()], &[(COMMAND, &over)]);
        problems.extend(input::check(&mut settings));
        (settings, problems)
    }

    /// The files that settings and theme are read from, as they are now.
    pub(super) fn settings_as_read(&self) -> Vec<Option<String>> {
        let read = |path: std::path::PathBuf| std::fs::read_to_string(path).ok();
        let mut texts = vec![read(self.paths.config_file())];
        // A theme may be built on others beside it.
        let mut themes: Vec<_> = std::fs::read_dir(self.paths.themes())
            .map(|dir| dir.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        themes.retain(|path: &std::path::PathBuf| {
            path.extension().is_some_and(|extension| extension == "toml")
        });
        themes.sort();
        texts.extend(themes.into_iter().take(MAX_THEMES).map(read));
        texts
    }

    /// Something happened where the settings are: when they differ from what holds, they are read anew.
    pub(super) fn files_changed(&mut self) {
        let now = self.settings_as_read();
        if now == self.scripted.read {
            return;
        }
        self.scripted.read = now;
        let sound = self.reload().is_empty();
        if sound {
            self.tell_all("settings read anew");
        }
    }

    /// Reads settings and theme anew; what is wrong stands in the status line and keeps its default.
    pub(super) fn reload(&mut self) -> Vec<Problem> {
        let (settings, mut problems) = self.read_settings();
        let (theme, of_theme) = Theme::load(&settings.theme, &self.paths.themes());
        problems.extend(of_theme);
        for problem in &problems {
            tracing::warn!("{problem}");
        }
        let problem = problems.first().map(|problem| match problems.len() {
            1 => problem.to_string(),
            more => format!("{problem} (and {} more: inspan config check)", more - 1),
        });
        let said = std::mem::replace(&mut self.scripted.problem, problem.clone());
        if problem.is_some() || self.state.warning == said {
            self.state.warning = problem;
        }
        self.theme = theme;
        self.apply(settings);
        self.touch();
        problems
    }

    /// Lets settings hold from now on.
    fn apply(&mut self, settings: Settings) {
        let before = std::mem::replace(&mut self.settings, settings);
        if before.theme != self.settings.theme {
            self.theme = Theme::load(&self.settings.theme, &self.paths.themes()).0;
        }
        for reference in self.settings.references() {
            self.vault.refer(&reference);
        }
        self.bind_keys();
        if before.mouse != self.settings.mouse {
            self.mouse_wanted(self.settings.mouse);
        }
        if before.window_size != self.settings.window_size {
            let sessions: Vec<_> = self.state.sessions.keys().copied().collect();
            for session in sessions {
                self.fit_session(session);
            }
        }
        self.dirty_all();
    }

    /// The bindings of the file with those of `bind-key` over them.
    pub(super) fn bind_keys(&mut self) {
        self.keys = input::KeyTable::new(&self.settings, &self.scripted);
    }
}
