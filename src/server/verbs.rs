//! Carries out the verbs. One function a family; what takes time answers later.
mod harnesses;
mod money;
mod panes;
mod sessions;

use super::{
    Server, listing, overlays,
    reply::{Failure, Reply},
};
use crate::{
    commands::Verb,
    state::{
        overlay::{Overlay, Palette, Printed},
        target::Origin,
    },
};
use std::collections::BTreeMap;

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
        let answer = self.carry_out(verb, origin, env, &mut slot);
        match answer {
            Ok(Outcome::Done(text)) if quiet => self.answer(Ok(Outcome::Done(text)), None, slot),
            answer => self.answer(answer, client, slot),
        }
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
            Verb::DetachClient { all, session } => self.detach_client(all, session.as_deref(), origin),
            Verb::KillSession { target } => self.kill_session(&target, origin),
            Verb::RenameSession { target, name } => self.rename_session(&target, name, origin),
            Verb::HasSession { target } => {
                self.state.find_session(target.target.as_deref(), origin)?;
                silent()
            }
            Verb::KillServer => {
                self.kill_everything();
                silent()
            }
            Verb::RestartServer => {
                self.ending = Some(super::Ending::Keep);
                silent()
            }
            Verb::StartServer => silent(),
            Verb::SplitWindow { ref what, .. } | Verb::NewWindow { ref what, .. } if what.worktree => {
                self.in_worktree(verb, origin, env, reply)
            }
            Verb::SplitWindow { .. } => self.split_window(verb, origin, env),
            Verb::NewWindow { .. } => self.new_window(verb, origin, env),
            Verb::KillWindow { target } => self.kill_window(&target, origin),
            Verb::SelectWindow { target, next, previous, last } => {
                let word = match (next, previous, last) {
                    (true, ..) => Some("{next}"),
                    (_, true, _) => Some("{previous}"),
                    (.., true) => Some("{last}"),
                    _ => None,
                };
                self.select_window(target.target.as_deref(), word, origin)
            }
            Verb::NextWindow { target } => {
                self.select_window(target.target.as_deref(), Some("{next}"), origin)
            }
            Verb::PreviousWindow { target } => {
                self.select_window(target.target.as_deref(), Some("{previous}"), origin)
            }
            Verb::LastWindow { target } => {
                self.select_window(target.target.as_deref(), Some("{last}"), origin)
            }
            Verb::RenameWindow { target, name } => self.rename_window(&target, name, origin),
            Verb::SelectLayout { target, name } => self.select_layout(&target, Some(&name), origin),
            Verb::NextLayout { target } => self.select_layout(&target, None, origin),
            Verb::SelectPane { .. } => self.select_pane(verb, origin),
            Verb::LastPane { target } => {
                let window = self.state.find_window(target.target.as_deref(), origin)?;
                let last = self.state.windows.get(&window).and_then(|w| w.last).ok_or("no last pane")?;
                self.focus_pane(last);
                silent()
            }
            Verb::NextAttention { target } => self.next_attention(&target, origin),
            Verb::ResizePane { .. } => self.resize_pane(verb, origin),
            Verb::SwapPane { target, source, up, down } => {
                self.swap_pane(&target, source.as_deref(), up, down, origin)
            }
            Verb::BreakPane { target, name, detached } => self.break_pane(&target, name, detached, origin),
            Verb::JoinPane { target, source, horizontal, .. } => {
                self.join_pane(&target, source.as_deref(), horizontal, origin)
            }
            Verb::KillPane { target } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                self.close_pane(pane);
                silent()
            }
            Verb::RespawnPane { target, kill, how } => self.respawn_pane(&target, kill, how, origin),
            Verb::SendKeys { target, literal, keys } => self.send_keys(&target, literal, &keys, origin),
            Verb::Prompt { target, wait, timeout, text } => {
                self.prompt(&target, wait, timeout, &text.join(" "), origin, reply)
            }
            Verb::Paste { target, text } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                let bracketed = self.modes(pane).is_some_and(|modes| modes.bracketed_paste);
                self.write(pane, crate::term::encode::encode_paste(text.as_bytes(), bracketed))?;
                silent()
            }
            Verb::CapturePane { target, styled, join, start, end, .. } => {
                self.capture_pane(&target, styled, join, start.as_deref(), end.as_deref(), origin)
            }
            Verb::ListSessions { format } => Ok(Outcome::Done(listing::print(&format, &self.session_rows()))),
            Verb::ListWindows { format, target } => {
                let session =
                    target.target.as_deref().map(|t| self.state.find_session(Some(t), origin)).transpose()?;
                Ok(Outcome::Done(listing::print(&format, &self.window_rows(session))))
            }
            Verb::ListPanes { format, target, .. } => {
                let session =
                    target.target.as_deref().map(|t| self.state.find_session(Some(t), origin)).transpose()?;
                Ok(Outcome::Done(listing::print(&format, &self.pane_rows(session))))
            }
            Verb::ListClients { format } => Ok(Outcome::Done(listing::print(&format, &self.client_rows()))),
            Verb::DisplayMessage { target, print, message } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                let text = listing::expand(&message.join(" "), &self.pane_row(pane));
                match origin.client {
                    Some(client) if !print => {
                        self.tell(client, text);
                        silent()
                    }
                    _ if print => line(text),
                    _ => {
                        self.tell_all(&text);
                        silent()
                    }
                }
            }
            Verb::Switch { .. } => self.switch(verb, origin, reply),
            Verb::SwitchDialog { target, executor, model, auth, handoff } => {
                self.switch_dialog(&target, executor, model, auth, handoff, origin)
            }
            Verb::Model { target, model, json } => self.model_verb(&target, &model, json, origin),
            Verb::Route { target, json } => self.route_verb(&target, json, origin),
            Verb::Explain { target, json } => self.explain_verb(&target, json, origin),
            Verb::Files { target, json } => self.files_verb(&target, json, origin),
            Verb::Money(verb) => self.money_verb(verb, origin, reply),
            Verb::Events { target, count, follow, kind, json } => {
                self.events_verb(&target, count, (follow, json), kind, origin, reply)
            }
            Verb::Trust { dir, forget, ask, then } => self.trust_verb(&dir, (forget, ask), &then, origin),
            Verb::ListKeys { json, overlay } => match origin.client {
                Some(client) if overlay => {
                    self.open(client, overlays::keys());
                    silent()
                }
                _ => Ok(Outcome::Done(self.keys.list(json))),
            },
            Verb::RouterPanel { target, pin } => self.router_panel(&target, pin, origin),
            Verb::CommandPrompt { initial } => {
                let client = need_client(origin)?;
                self.open(client, overlays::palette(initial.unwrap_or_default()));
                silent()
            }
            Verb::ConfirmBefore { prompt, command } => self.confirm_before(prompt, command, origin),
            Verb::SendPrefix { target, second } => {
                let pane = self.state.find_pane(target.target.as_deref(), origin)?;
                let key = self.keys.prefix(second).ok_or("no second prefix is set")?;
                self.type_key(pane, &key)?;
                silent()
            }
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
