//! Carries out the verbs. One function a family; what takes time answers later.
mod arranging;
mod harnesses;
mod money;
mod panes;
mod scripting;
mod sessions;
mod showing;

use super::{
    Server,
    handover::Restart,
    input::Table,
    listing, overlays,
    reply::{Failure, Reply},
    switching::Wish,
};
use crate::{
    commands::{ArrangeVerb, Verb},
    mux::keys::Key,
    state::{
        overlay::{Overlay, Palette, Printed},
        target::Origin,
    },
};
use std::{collections::BTreeMap, str::FromStr};

/// What `display-message` says when it is not told what.
const MESSAGE: &str = "#{session_name} #{window_index}:#{window_name}, #{pane_id} #{executor} #{status} #{pane_width}x#{pane_height} #{pane_title}";

/// How a verb ended within this turn of the loop.
pub(super) enum Outcome {
    /// It is done; the text is its output.
    Done(String),
    /// The reply was taken along; it is answered later.
    Later,
}

/// What a verb's function returns.
pub(super) type Answer = Result<Outcome, Failure>;

/// Done, with nothing to print.
pub(super) fn silent() -> Answer {
    Ok(Outcome::Done(String::new()))
}

/// Done, with a line to print.
pub(super) fn line(text: impl std::fmt::Display) -> Answer {
    Ok(Outcome::Done(format!("{text}\n")))
}

impl Server {
    /// Runs a verb for a connection or for a client's key.
    pub(crate) fn run(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
        mut reply: Reply,
    ) {
        reply.json = wants_json(&verb);
        let client = origin.client;
        let mut slot = Some(reply);
        // The id of a new pane is for scripts; a person sees the pane.
        let quiet = matches!(
            verb,
            Verb::SplitWindow { .. } | Verb::NewWindow { .. } | Verb::NewSession { .. } | Verb::Model { .. }
        );
        let answer = self.carry(verb, origin, env, &mut slot);
        match answer {
            Ok(Outcome::Done(text)) if quiet => self.answer(Ok(Outcome::Done(text)), None, slot),
            answer => self.answer(answer, client, slot),
        }
    }

    /// Runs a verb for a script or a hook, which nobody waits for; its output.
    pub(in crate::server) fn run_quietly(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        match self.carry(verb, origin, env, &mut None)? {
            Outcome::Done(text) => Ok(text),
            Outcome::Later => Ok(String::new()),
        }
    }

    /// Carries a verb out and remembers the layouts that it changed.
    fn carry(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let undoes = matches!(verb, Verb::Arrange(ArrangeVerb::SelectLayout { undo: true, .. }));
        let before: Vec<_> = self.state.windows.values().map(|w| (w.id, w.layout.clone())).collect();
        let answer = self.carry_out(verb, origin, env, reply);
        for (id, before) in before {
            let Some(window) = self.state.windows.get_mut(&id).filter(|w| w.layout != before) else {
                continue;
            };
            let mut panes = (before.panes(), window.layout.panes());
            panes.0.sort_unstable();
            panes.1.sort_unstable();
            if panes.0 != panes.1 {
                // Layouts of other panes cannot come back.
                window.earlier.clear();
            } else if !undoes {
                window.remember(before);
            }
            let active = window.active;
            self.hook("window-layout-changed", active);
        }
        answer
    }

    /// The panes that a target lists: those of a window, with a bare session or `-s` of all its windows.
    fn listed_panes(
        &self,
        target: Option<&str>,
        session: bool,
        origin: &Origin,
    ) -> Result<Vec<(listing::Row, Option<crate::mux::PaneId>)>, Failure> {
        let Some(text) = target else { return Ok(self.pane_rows(None)) };
        let parts = text.contains([':', '.']) && !text.ends_with(':')
            || text.starts_with(['@', '%', '{', '+', '-', '!']);
        if session || !parts && self.state.find_session(Some(text), origin).is_ok() {
            return Ok(self.pane_rows(Some(self.state.find_session(Some(text), origin)?)));
        }
        let window = match self.state.find_window(Some(text), origin) {
            Ok(window) => window,
            Err(why) => {
                let pane = self.state.find_pane(Some(text), origin);
                // What names a pane is answered with panes.
                let pane = pane.map_err(|of_pane| if text.starts_with('%') { of_pane } else { why })?;
                self.state.window_of(pane).map(|w| w.id).ok_or("the pane is in no window")?
            }
        };
        let panes = self.state.windows.get(&window).map(crate::state::Window::panes).unwrap_or_default();
        Ok(self.rows_of(panes))
    }

    /// Tells who asked how a verb ended: a client on its screen, a connection through its reply.
    pub(super) fn answer(
        &mut self,
        answer: Answer,
        client: Option<crate::mux::ClientId>,
        reply: Option<Reply>,
    ) {
        match answer {
            Ok(Outcome::Done(text)) => {
                if let Some(client) = client {
                    self.show_text(client, &text);
                }
                if let Some(mut reply) = reply {
                    reply.text(text);
                    reply.done();
                }
            }
            Ok(Outcome::Later) => {}
            Err(failure) => {
                if let Some(client) = client {
                    self.show_failure(client, &failure);
                }
                if let Some(reply) = reply {
                    reply.fail(&failure);
                }
            }
        }
    }

    /// What a command printed, for a client: a line as a message, more to be read.
    fn show_text(&mut self, client: crate::mux::ClientId, text: &str) {
        match text.lines().count() {
            0 => {}
            1 => self.tell(client, text.trim_end()),
            _ => {
                let asked = self.links.get(&client).map(|link| link.asked.join(" ")).unwrap_or_default();
                self.open(client, Overlay::Text(Printed::new(asked, text)));
            }
        }
    }

    /// A failure where the person looked for a result.
    pub(super) fn show_failure(&mut self, client: crate::mux::ClientId, failure: &Failure) {
        match failure {
            Failure::Failed(why) | Failure::Usage(why) => {
                match self.links.get_mut(&client).and_then(|link| link.palette.take()) {
                    Some(palette) => {
                        let palette = Palette { error: Some(why.clone()), ..palette };
                        self.open(client, Overlay::Palette(palette));
                    }
                    None => self.tell(client, why.clone()),
                }
            }
            Failure::Refused(refusal) => self.show_refusal(client, refusal),
        }
    }

    fn carry_out(
        &mut self,
        verb: Verb,
        origin: &Origin,
        env: &BTreeMap<String, String>,
        reply: &mut Option<Reply>,
    ) -> Answer {
        match verb {
            Verb::NewSession { .. } => self.new_session(verb, origin, env),
            Verb::Try { json, .. } => self.try_detached(origin, env, json),
            Verb::Attach { target, .. } => self.attach_client(&target, origin),
            Verb::DetachClient { all, session, client } => match client {
                Some(client) => {
                    let client = self.named_client(Some(&client), origin)?;
                    self.detach(client, "[detached]", 0);
                    silent()
                }
                None => self.detach_client(all, session.as_deref(), origin),
            },
            Verb::KillSession { target, others } => self.kill_session(&target, others, origin),
            Verb::RenameSession { target, name } => self.rename_session(&target, name, origin),
            Verb::HasSession { target } => {
                self.state.find_session(target.target.as_deref(), origin)?;
                silent()
            }
            Verb::KillServer => {
                self.kill_everything();
                silent()
            }
            Verb::RestartServer { binary, dry_run, stop, wait, json } => {
                let wait = std::time::Duration::from_secs(wait);
                self.restart_server(Restart { binary, dry_run, stop, wait, json }, reply)
            }
            Verb::StartServer => silent(),
            Verb::SplitWindow { ref what, .. } | Verb::NewWindow { ref what, .. } if what.worktree => {
                self.in_worktree(verb, origin, env, reply)
            }
            Verb::SplitWindow { .. } => self.split_window(verb, origin, env),
            Verb::NewWindow { .. } => self.new_window(verb, origin, env),
            Verb::KillWindow { target, others } => self.kill_window(&target, others, origin),
            Verb::Arrange(verb) => self.arrange(verb, origin),
            Verb::Show(verb) => self.show_verb(verb, origin, env),
            Verb::Script(verb) => self.script(verb, origin, env, reply),
            Verb::NextAttention { target } => self.next_attention(&target, origin),
            Verb::KillPane { target, others } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                let beside = self.state.window_of(pane).map(crate::state::Window::panes).unwrap_or_default();
                let closed = if others { beside } else { vec![pane] };
                for closed in closed.into_iter().filter(|closed| !others || *closed != pane) {
                    self.close_pane(closed);
                }
                silent()
            }
            Verb::RespawnPane { target, kill, how, dir, command } => {
                self.respawn_pane(&target, kill, how, (dir, command), origin)
            }
            verb @ Verb::SendKeys { .. } => self.send_keys(verb, origin),
            Verb::Prompt { target, wait, timeout, text } => {
                self.prompt(&target, wait, timeout, &text.join(" "), origin, reply)
            }
            Verb::Paste { target, text } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                for pane in self.typed_into(pane) {
                    self.paste(pane, text.as_bytes())?;
                }
                silent()
            }
            Verb::CapturePane { target, styled, join, start, end, buffer, quiet, .. } => {
                match self.capture_pane(&target, styled, join, start.as_deref(), end.as_deref(), origin) {
                    Err(_) if quiet => silent(),
                    Ok(Outcome::Done(text)) if buffer.is_some() => {
                        self.buffers.set(buffer, text, Self::now())?;
                        silent()
                    }
                    answer => answer,
                }
            }
            Verb::ListSessions { format } => Ok(Outcome::Done(self.print_rows(&format, self.session_rows()))),
            Verb::ListWindows { format, target, all } => {
                let target = target.target.as_deref().filter(|_| !all);
                let session = target.map(|t| self.state.find_session(Some(t), origin)).transpose()?;
                Ok(Outcome::Done(self.print_rows(&format, self.window_rows(session))))
            }
            Verb::ListPanes { format, target, session, all } => {
                let rows = self.listed_panes(target.target.as_deref().filter(|_| !all), session, origin)?;
                Ok(Outcome::Done(self.print_rows(&format, rows)))
            }
            Verb::ListClients { format } => {
                let rows = self.client_rows().into_iter().map(|row| (row, None)).collect();
                Ok(Outcome::Done(self.print_rows(&format, rows)))
            }
            Verb::DisplayMessage { target, print, all, duration, message } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                if all {
                    let row = self.full_row(pane);
                    let told = row.iter().filter(|(name, _)| *name != "line");
                    return Ok(Outcome::Done(
                        told.map(|(name, value)| format!("{name}={value}\n")).collect(),
                    ));
                }
                let format = if message.is_empty() { MESSAGE.to_owned() } else { message.join(" ") };
                let text = self.formatted(&format, pane, origin);
                let seconds = duration.map(|ms| ms.div_ceil(1000).max(1));
                match origin.client {
                    Some(client) if !print => {
                        self.tell_for(client, text, seconds);
                        silent()
                    }
                    _ if print => line(text),
                    _ => {
                        let clients: Vec<_> = self.state.clients.keys().copied().collect();
                        for client in clients {
                            self.tell_for(client, text.clone(), seconds);
                        }
                        silent()
                    }
                }
            }
            Verb::Switch { .. } => self.switch(verb, origin, reply),
            Verb::SwitchDialog { target, executor, model, manner, auth, handoff } => {
                let wish = executor.map(|executor| Wish { executor, model, auth, manner });
                self.switch_dialog(&target, wish, handoff, origin)
            }
            Verb::Model { target, model, json } => self.model_verb(&target, &model, json, origin),
            Verb::Route { target, json } => self.route_verb(&target, json, origin),
            Verb::Explain { target, json } => self.explain_verb(&target, json, origin),
            Verb::Files { target, json } => self.files_verb(&target, json, origin),
            Verb::Money(verb) => self.money_verb(verb, origin, reply),
            Verb::Events { target, count, follow, kind, json } => {
                self.events_verb(&target, count, (follow, json), kind, origin, reply)
            }
            Verb::Trust { dir, forget, ask, shown, then } => {
                self.trust_verb(&dir, (forget, ask), &shown, &then, origin)
            }
            Verb::ListKeys { json, overlay, table, key, .. } => match origin.client {
                Some(client) if overlay => {
                    self.open(client, overlays::keys());
                    silent()
                }
                _ => {
                    let table = table.map(|table| Table::named(false, Some(&table))).transpose();
                    let key = key.map(|key| Key::from_str(&key)).transpose();
                    let key = key.map_err(|error| Failure::Usage(error.to_string()))?;
                    let table = table.map_err(Failure::Usage)?;
                    Ok(Outcome::Done(self.keys.list(json, table, key.as_ref())))
                }
            },
            Verb::RouterPanel { target, pin } => self.router_panel(&target, pin, origin),
            Verb::CommandPrompt { initial, prompt, template } => {
                self.command_prompt(initial, prompt, template.as_deref(), origin)
            }
            Verb::ConfirmBefore { prompt, command } => self.confirm_before(prompt, command, origin),
            Verb::RefreshClient => {
                for link in self.links.values_mut() {
                    link.writer.invalidate();
                }
                self.dirty_all();
                silent()
            }
            Verb::InstallPane { executor } => self.install_pane(&executor, origin, env),
            Verb::Copying(verb) => self.copy_verb(verb, origin, reply),
            Verb::Work(verb) => self.work_verb(verb, origin, reply),
            Verb::Local(_) => Err(Failure::Usage("this verb runs in a shell, not inside the server".into())),
        }
    }
}

/// The directory that `-c` names, or the one to fall back on.
pub(super) fn chosen_dir(
    named: Option<std::path::PathBuf>,
    otherwise: std::path::PathBuf,
    origin: &Origin,
) -> Result<std::path::PathBuf, Failure> {
    let Some(named) = named else { return Ok(otherwise) };
    let dir = crate::workspace::absolute(&origin.cwd, &named);
    if dir.is_dir() { Ok(dir) } else { Err(Failure::Failed(format!("{} is not a directory", dir.display()))) }
}

/// `NAME=VALUE` of `-e`.
///
/// # Errors
/// A sentence for what has no `=` or no name.
pub(super) fn variables(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::Usage(format!("{text:?} is not NAME=VALUE"))),
    };
    given.iter().map(pair).collect()
}

/// What to execute for the words of a command: one that is more than a program's name is a line for the shell, as in
/// tmux.
pub(super) fn command_line(words: Vec<String>, env: &BTreeMap<String, String>) -> Vec<String> {
    match words.as_slice() {
        [line] if line.contains(|c: char| c.is_whitespace() || "|&;<>()$`\\\"'*?[#~=%!{".contains(c)) => {
            if std::path::Path::new(line).exists() {
                return words;
            }
            vec![super::panes::shell(env), "-c".to_owned(), line.clone()]
        }
        _ => words,
    }
}

/// The client that a key binding runs for.
pub(super) fn need_client(origin: &Origin) -> Result<crate::mux::ClientId, Failure> {
    origin.client.ok_or_else(|| Failure::Usage("this verb needs an attached client: bind it to a key".into()))
}

fn wants_json(verb: &Verb) -> bool {
    match verb {
        Verb::Switch { json, .. } | Verb::Model { json, .. } | Verb::Route { json, .. } => *json,
        _ => false,
    }
}
