//! Verbs for scripts: shells, waiting, files of commands, options, bindings, hooks.
use super::{Answer, Outcome, line, silent};
use crate::{
    commands::{self, Format, ScriptVerb, Verb},
    mux::{format, keys::Key},
    server::{
        Event, Server,
        hooks::{About, EVENTS, check_event},
        input::Table,
        listing,
        reply::{Failure, Reply},
        scripted::{Bound, Channel, MAX_WAITING},
    },
    state::target::Origin,
    term::emulator::FeedOutput,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

/// Output of a shell command that is kept: more is for a pane.
const OUTPUT: usize = 1024 * 1024;

/// Shell commands that run at once.
const MAX_JOBS: usize = 64;

/// Commands of one file, files that it reads included.
const FILE_LINES: usize = 10_000;

/// Files that read files, at most so deep.
const FILE_DEPTH: usize = 10;

/// Longest delay of `run-shell -d`.
const MAX_DELAY: f64 = 7.0 * 24.0 * 3600.0;

impl Server {
    pub(super) fn script(
        &mut self,
        verb: ScriptVerb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
        reply: &mut Option<Reply>,
    ) -> Answer {
        match verb {
            ScriptVerb::SendPrefix { target, second } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                let key = self.keys.prefix(second).ok_or("no second prefix is set")?;
                self.type_key(pane, &key)?;
                silent()
            }
            ScriptVerb::PipePane { target, input, output, toggle, command } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                let command = Some(command.join(" ")).filter(|command| !command.trim().is_empty());
                let command = command.map(|command| self.formatted(&command, pane, origin));
                self.pipe_pane(pane, (input, output), toggle, command)
            }
            ScriptVerb::WaitFor { signal, lock, unlock, channel } => {
                self.wait_for(&channel, (signal, lock, unlock), reply)
            }
            ScriptVerb::RunShell { target, background, commands, delay, command } => {
                let words = command.join(" ");
                let pane = self.state.find_pane(target.target.as_deref(), origin).ok();
                let words = pane.map_or(words.clone(), |pane| self.formatted(&words, pane, origin));
                let delay = delay.filter(|seconds| (0.0..=MAX_DELAY).contains(seconds));
                let delay = delay.map_or(Duration::ZERO, Duration::from_secs_f64);
                if commands {
                    return self.run_later(&words, delay, origin, env, reply);
                }
                let job = Job { command: words, cwd: self.cwd_of(origin), env: self.job_env(origin, env) };
                self.run_shell(job, delay, background, origin, reply)
            }
            ScriptVerb::IfShell { target, background, format: of_format, condition, then, otherwise } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin).ok();
                let text = pane.map_or(condition.clone(), |pane| self.formatted(&condition, pane, origin));
                if of_format {
                    let held = format::is_true(&text);
                    let chosen = if held { Some(then) } else { otherwise };
                    return self
                        .run_line(chosen.as_deref().unwrap_or_default(), origin, env)
                        .map(Outcome::Done);
                }
                let job = Job { command: text, cwd: self.cwd_of(origin), env: self.job_env(origin, env) };
                self.if_shell(job, background, (then, otherwise), (origin, env), reply)
            }
            ScriptVerb::SourceFile { quiet, check, verbose, files, text } => {
                let mut out = String::new();
                let mut left = FILE_LINES;
                for file in files {
                    let read = match (&text, file.as_os_str() == "-") {
                        (Some(text), true) => Ok(text.clone()),
                        _ => std::fs::read_to_string(crate::workspace::absolute(&origin.cwd, &file)),
                    };
                    match read {
                        Ok(text) => {
                            let mut how = Source { check, verbose, depth: 0, left: &mut left };
                            self.source(&file, &text, &mut how, (origin, env), &mut out)?;
                        }
                        Err(error) if quiet && error.kind() == std::io::ErrorKind::NotFound => {}
                        Err(error) => return Err(Failure::Failed(format!("{}: {error}", file.display()))),
                    }
                }
                Ok(Outcome::Done(out))
            }
            ScriptVerb::SetOption(setting) => self.set_option(&setting, origin),
            ScriptVerb::SetWindowOption(mut setting) => {
                setting.scope.window = !setting.scope.global;
                self.set_option(&setting, origin)
            }
            ScriptVerb::ShowOptions { scope, value, quiet, json, name, .. } => {
                self.show_options(&scope, (value, quiet, json), name.as_deref(), origin)
            }
            ScriptVerb::BindKey { root, repeat, table, note, key, command } => {
                let key = Key::from_str(&key).map_err(|error| Failure::Usage(error.to_string()))?;
                let table = Table::named(root, table.as_deref()).map_err(Failure::Usage)?;
                // One quoted line, or the words as they are.
                let words = match command.as_slice() {
                    [one] => commands::split_words(one).map_err(Failure::Usage)?,
                    _ => command,
                };
                for words in commands::sequence(&words) {
                    commands::parse(&words)
                        .map_err(|error| Failure::Usage(super::super::input::fault(&error.to_string())))?;
                }
                self.scripted.keys.insert((table, key), Bound { words, repeat, note });
                self.bind_keys();
                silent()
            }
            ScriptVerb::UnbindKey { all, root, table, quiet, key } => {
                let table = Table::named(root, table.as_deref()).map_err(Failure::Usage)?;
                if all {
                    self.scripted.keys.clear();
                    self.scripted.unbound = true;
                }
                if let Some(key) = key {
                    let key = Key::from_str(&key).map_err(|error| Failure::Usage(error.to_string()))?;
                    if !quiet && !self.keys.is_bound(table, &key) {
                        return Err(Failure::Failed(format!("{key} is not bound")));
                    }
                    let nothing = Bound { words: Vec::new(), repeat: false, note: None };
                    self.scripted.keys.insert((table, key), nothing);
                }
                self.bind_keys();
                silent()
            }
            ScriptVerb::SetHook { append, unset, run, event, command, .. } => {
                self.set_hook(&event, command, (append, unset, run), origin)
            }
            ScriptVerb::ShowHooks { events, json, .. } => {
                if events {
                    let all: String = EVENTS.iter().map(|event| format!("{event}\n")).collect();
                    return Ok(Outcome::Done(all + "after-COMMAND\n"));
                }
                let of_file = self.settings.hooks.iter().map(|hook| (&hook.event, &hook.run));
                let own = self
                    .scripted
                    .hooks
                    .iter()
                    .flat_map(|(event, lines)| lines.iter().map(move |l| (event, l)));
                let rows: Vec<_> = of_file.chain(own).collect();
                if json {
                    let rows: Vec<_> =
                        rows.iter().map(|(event, run)| json!({ "event": event, "run": run })).collect();
                    return line(serde_json::to_string_pretty(&rows).unwrap_or_default());
                }
                Ok(Outcome::Done(rows.iter().map(|(event, run)| format!("{event} {run}\n")).collect()))
            }
            ScriptVerb::SetEnvironment { target, global, unset, remove, name, value } => {
                if name.is_empty() || name.contains(['=', '\0']) {
                    return Err(Failure::Usage(format!("{name:?} is no name of a variable")));
                }
                let session = self.state.find_session(target.target.as_deref(), origin)?;
                for (id, env) in &mut self.session_env {
                    if global || *id == session {
                        match value.clone().filter(|_| !unset && !remove) {
                            Some(value) => drop(env.insert(name.clone(), value)),
                            None => drop(env.remove(&name)),
                        }
                    }
                }
                silent()
            }
            ScriptVerb::ListCommands { format, name } => {
                Ok(Outcome::Done(list_commands(&format, name.as_deref())))
            }
            ScriptVerb::ClearHistory { target } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                if let Some(emulator) = self.emulator(pane) {
                    let mut emulator = crate::server::panes::lock(&emulator);
                    emulator.feed(b"\x1b[3J", Instant::now(), &mut FeedOutput::default());
                }
                silent()
            }
            ScriptVerb::Reload => {
                let problems = self.reload();
                match problems.first() {
                    None => line("settings and theme were read anew"),
                    Some(_) => Err(Failure::Failed(
                        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
                    )),
                }
            }
        }
    }

    /// Where shell commands of this origin run.
    fn cwd_of(&self, origin: &Origin) -> std::path::PathBuf {
        let own = Some(origin.cwd.clone()).filter(|cwd| cwd.is_dir());
        let pane = || self.state.find_pane(None, origin).ok().and_then(|id| self.state.panes.get(&id));
        own.or_else(|| pane().map(|pane| pane.cwd.clone()).filter(|cwd| cwd.is_dir()))
            .unwrap_or_else(|| "/".into())
    }

    /// The environment of a shell command: the session's, and how to reach this server from it.
    fn job_env(&self, origin: &Origin, env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let session = self.state.current_session(origin).and_then(|id| self.session_env.get(&id));
        let mut env = session.unwrap_or(env).clone();
        env.insert("INSPAN".into(), self.place.socket.to_string_lossy().into_owned());
        env
    }

    /// Runs the commands of one line, one after the other; a failure ends it.
    pub(in crate::server) fn run_line(
        &mut self,
        text: &str,
        origin: &Origin,
        env: &BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        let words = commands::split_words(text).map_err(Failure::Usage)?;
        self.run_sequence(&words, origin, env)
    }

    /// The same for words in which `;` parts commands.
    pub(in crate::server) fn run_sequence(
        &mut self,
        words: &[String],
        origin: &Origin,
        env: &BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        let mut origin = origin.clone();
        let mut out = String::new();
        for words in commands::sequence(words) {
            let verb = commands::parse(&words)
                .map_err(|error| Failure::Usage(super::super::input::fault(&error.to_string())))?;
            let before = self.state.next.pane;
            out.push_str(&self.run_quietly(verb, &origin, env)?);
            if self.state.next.pane > before {
                // As in tmux: what follows is about what was just made.
                origin.pane = Some(crate::mux::PaneId(self.state.next.pane));
            }
        }
        Ok(out)
    }

    fn run_later(
        &mut self,
        text: &str,
        delay: Duration,
        origin: &Origin,
        env: &BTreeMap<String, String>,
        reply: &mut Option<Reply>,
    ) -> Answer {
        if delay.is_zero() {
            return self.run_line(text, origin, env).map(Outcome::Done);
        }
        let (text, origin, env) = (text.to_owned(), origin.clone(), env.clone());
        let reply = reply.take();
        self.tasks.after(delay, move |server| {
            let answer = server.run_line(&text, &origin, &env).map(Outcome::Done);
            server.answer(answer, origin.client, reply);
        });
        Ok(Outcome::Later)
    }

    /// Runs a job on a thread of its own, then `then` in the loop with how it ended.
    fn start_job(
        &mut self,
        job: Job,
        then: impl FnOnce(&mut Self, Result<(i32, String), String>) + Send + 'static,
    ) -> Result<(), Failure> {
        if self.scripted.jobs >= MAX_JOBS {
            return Err(Failure::Failed(format!(
                "{MAX_JOBS} shell commands run already; wait for one to end"
            )));
        }
        self.scripted.jobs += 1;
        let events = self.tasks.events.clone();
        std::thread::spawn(move || {
            let ended = job.run();
            let _ = events.blocking_send(Event::Task(Box::new(move |server| {
                server.scripted.jobs -= 1;
                then(server, ended);
            })));
        });
        Ok(())
    }

    fn run_shell(
        &mut self,
        job: Job,
        delay: Duration,
        background: bool,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        if job.command.trim().is_empty() {
            return silent();
        }
        if !delay.is_zero() {
            let (origin, mut reply) = (origin.clone(), if background { None } else { reply.take() });
            self.tasks.after(delay, move |server| {
                let answer = server.run_shell(job, Duration::ZERO, background, &origin, &mut reply);
                server.answer(answer, origin.client, reply);
            });
            return if background { silent() } else { Ok(Outcome::Later) };
        }
        let (client, reply) = (origin.client, if background { None } else { reply.take() });
        let command = job.command.clone();
        self.start_job(job, move |server, ended| {
            let answer = match ended {
                Ok((_, text)) if background => {
                    tracing::debug!(command, text, "ran");
                    return;
                }
                Ok((0, text)) => Ok(Outcome::Done(text)),
                Ok((code, text)) => Err(Failure::Failed(format!("{text}{command:?} returned {code}"))),
                Err(why) => Err(Failure::Failed(why)),
            };
            server.answer(answer, client, reply);
        })?;
        if background { silent() } else { Ok(Outcome::Later) }
    }

    fn if_shell(
        &mut self,
        job: Job,
        background: bool,
        (then, otherwise): (String, Option<String>),
        (origin, env): (&Origin, &BTreeMap<String, String>),
        reply: &mut Option<Reply>,
    ) -> Answer {
        let (origin, env) = (origin.clone(), env.clone());
        let reply = if background { None } else { reply.take() };
        self.start_job(job, move |server, ended| {
            let answer = match ended {
                Ok((code, _)) => {
                    let chosen = if code == 0 { Some(then) } else { otherwise };
                    server.run_line(chosen.as_deref().unwrap_or_default(), &origin, &env).map(Outcome::Done)
                }
                Err(why) => Err(Failure::Failed(why)),
            };
            server.answer(answer, origin.client, reply);
        })?;
        if background { silent() } else { Ok(Outcome::Later) }
    }

    fn wait_for(
        &mut self,
        name: &str,
        (signal, lock, unlock): (bool, bool, bool),
        reply: &mut Option<Reply>,
    ) -> Answer {
        if !self.scripted.channels.contains_key(name) && self.scripted.channels.len() >= MAX_WAITING {
            return Err(Failure::Failed(format!("{MAX_WAITING} channels are in use already")));
        }
        let channel = self.scripted.channels.entry(name.to_owned()).or_default();
        let answer = if signal {
            // As tmux: nobody waits yet, so the next one does not wait.
            channel.woken |= channel.waiting.is_empty();
            channel.waiting.drain(..).for_each(Reply::done);
            silent()
        } else if lock {
            if channel.locked {
                channel.later(reply, true)
            } else {
                channel.locked = true;
                silent()
            }
        } else if unlock {
            match channel.lockers.pop_front() {
                Some(next) => next.done(),
                None if channel.locked => channel.locked = false,
                None => return Err(Failure::Failed(format!("{name} is not locked"))),
            }
            silent()
        } else if std::mem::take(&mut channel.woken) {
            silent()
        } else {
            channel.later(reply, false)
        };
        self.scripted
            .channels
            .retain(|_, c| c.woken || c.locked || !c.waiting.is_empty() || !c.lockers.is_empty());
        answer
    }

    fn source(
        &mut self,
        file: &Path,
        text: &str,
        how: &mut Source<'_>,
        (origin, env): (&Origin, &BTreeMap<String, String>),
        out: &mut String,
    ) -> Result<(), Failure> {
        if how.depth >= FILE_DEPTH {
            return Err(Failure::Failed(format!(
                "{}: files read files more than {FILE_DEPTH} deep",
                file.display()
            )));
        }
        let mut faults = Vec::new();
        for (number, line) in logical_lines(text) {
            *how.left = how.left.checked_sub(1).ok_or_else(|| {
                Failure::Failed(format!("{}: more than {FILE_LINES} commands", file.display()))
            })?;
            let place = format!("{}:{number}", file.display());
            if how.verbose {
                out.push_str(&format!("{place}: {line}\n"));
            }
            let words = match commands::split_words(&line) {
                Ok(words) => words,
                Err(why) => {
                    faults.push(format!("{place}: {why}"));
                    continue;
                }
            };
            for words in commands::sequence(&words) {
                let done = match commands::parse(&words) {
                    Err(error) => Err(super::super::input::fault(&error.to_string())),
                    Ok(Verb::Script(ScriptVerb::SourceFile { files, quiet, .. })) if !how.check => {
                        let mut inner = Source {
                            depth: how.depth + 1,
                            left: &mut *how.left,
                            check: how.check,
                            verbose: how.verbose,
                        };
                        self.source_files(&files, quiet, &mut inner, (origin, env), out).map_err(|f| f.why())
                    }
                    Ok(_) if how.check => Ok(()),
                    Ok(verb) => self
                        .run_quietly(verb, origin, env)
                        .map(|text| out.push_str(&text))
                        .map_err(|f| f.why()),
                };
                if let Err(why) = done {
                    faults.push(format!("{place}: {why}"));
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Failure::Failed(faults.join("\n"))) }
    }

    fn source_files(
        &mut self,
        files: &[std::path::PathBuf],
        quiet: bool,
        how: &mut Source<'_>,
        at: (&Origin, &BTreeMap<String, String>),
        out: &mut String,
    ) -> Result<(), Failure> {
        for file in files {
            match std::fs::read_to_string(crate::workspace::absolute(&at.0.cwd, file)) {
                Ok(text) => self.source(file, &text, how, at, out)?,
                Err(error) if quiet && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::Failed(format!("{}: {error}", file.display()))),
            }
        }
        Ok(())
    }

    fn set_hook(
        &mut self,
        event: &str,
        command: Option<String>,
        (append, unset, run): (bool, bool, bool),
        origin: &Origin,
    ) -> Answer {
        // `event[3]`, as tmux numbers them, is the event.
        let event = event.split_once('[').map_or(event, |(name, _)| name);
        check_event(event).map_err(|(fault, near)| {
            Failure::Usage(near.map_or(fault.clone(), |near| format!("{fault}; did you mean {near}?")))
        })?;
        if run {
            let about = About {
                pane: self.state.find_pane(None, origin).ok(),
                session: self.state.current_session(origin),
                client: origin.client,
            };
            self.hook(event, about);
            return silent();
        }
        if unset {
            self.scripted.hooks.remove(event);
            return silent();
        }
        let command = command.ok_or_else(|| Failure::Usage("which command? or -u to take it away".into()))?;
        let words = commands::split_words(&command).map_err(Failure::Usage)?;
        for words in commands::sequence(&words) {
            commands::parse(&words)
                .map_err(|error| Failure::Usage(super::super::input::fault(&error.to_string())))?;
        }
        let lines = self.scripted.hooks.entry(event.to_owned()).or_default();
        if !append {
            lines.clear();
        }
        if lines.len() >= MAX_WAITING {
            return Err(Failure::Failed(format!("{event} has {MAX_WAITING} hooks already")));
        }
        lines.push(command);
        silent()
    }
}

impl Channel {
    fn later(&mut self, reply: &mut Option<Reply>, lock: bool) -> Answer {
        if self.waiting.len() + self.lockers.len() >= MAX_WAITING {
            return Err(Failure::Failed(format!("{MAX_WAITING} commands wait on it already")));
        }
        match reply.take().filter(Reply::is_heard) {
            Some(reply) if lock => self.lockers.push_back(reply),
            Some(reply) => self.waiting.push(reply),
            None => return Err(Failure::Usage("only a command in a shell can wait".into())),
        }
        Ok(Outcome::Later)
    }
}

/// How a file of commands is read.
struct Source<'a> {
    check: bool,
    verbose: bool,
    depth: usize,
    left: &'a mut usize,
}

/// The lines of a file of commands with their numbers: comments left out, `\` at the end joins the next.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let (number, so_far) = open.take().unwrap_or((at + 1, String::new()));
        let is_comment = so_far.is_empty() && line.trim_start().starts_with('#');
        match line.strip_suffix('\\') {
            Some(more) if !is_comment => open = Some((number, so_far + more)),
            _ if is_comment => {}
            _ => lines.push((number, so_far + line)),
        }
    }
    lines.extend(open);
    lines.retain(|(_, line)| !line.trim().is_empty());
    lines
}

/// A shell command beside the panes.
struct Job {
    command: String,
    cwd: std::path::PathBuf,
    env: BTreeMap<String, String>,
}

impl Job {
    /// Runs it to its end; its code and what it printed. Runs on a thread for slow work.
    fn run(self) -> Result<(i32, String), String> {
        use std::io::Read as _;
        let failed = |error: std::io::Error| format!("cannot run {:?}: {error}", self.command);
        let (mut reader, writer) = std::io::pipe().map_err(failed)?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", &self.command])
            .current_dir(&self.cwd)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(failed)?)
            .stderr(writer)
            .spawn()
            .map_err(failed)?;
        let mut text = Vec::new();
        let mut slice = [0; 4096];
        while let Ok(n @ 1..) = reader.read(&mut slice) {
            let room = OUTPUT.saturating_sub(text.len());
            text.extend_from_slice(&slice[..n.min(room)]);
        }
        let status = child.wait().map_err(failed)?;
        Ok((status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned()))
    }
}

fn list_commands(how: &Format, name: Option<&str>) -> String {
    let rows = commands::rows().into_iter().filter(|row| name.is_none_or(|name| row.name == name));
    let rows: Vec<listing::Row> = rows
        .map(|row| {
            listing::row(json!({
                "name": row.name, "help": row.help, "command_list_name": row.name,
                "line": format!("{:<20} {}", row.name, row.help),
            }))
        })
        .collect();
    listing::print(how, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_commands_have_comments_and_long_lines() {
        let text = "# a comment \\\nnew-window\n\n  split-window \\\n  -h\n# end\nkill-pane \\";
        let lines = logical_lines(text);
        assert_eq!(
            lines,
            [(2, "new-window".into()), (4, "  split-window   -h".into()), (7, "kill-pane ".to_owned())]
        );
    }
}
