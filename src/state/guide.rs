//! Owns what `inspan try` tells a newcomer: three steps, ticked when observed, and what to press next for each.
//!
//! What to press depends on where the focus is and what lies over the panes, so the hint is computed from the state as
//! it stands. Must not know: how a step is observed.
use super::{Client, Pane, State, Status, overlay::Overlay};
use crate::mux::PaneId;
use serde::{Deserialize, Serialize};

/// The steps by name, in order.
pub const STEPS: [&str; 3] = ["look at the file", "switch to codex", "ask codex"];

/// The guided steps of `inspan try`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Guide {
    /// The pane that works first and is switched then.
    pub pane: PaneId,
    /// Which steps were observed.
    pub ticked: [bool; STEPS.len()],
    /// What the switch left as it was, in words: `HEAD 3f2c9aa, every file`.
    pub kept: Option<String>,
    /// The prefix does not seem to arrive: F9 takes this one instead.
    #[serde(skip)]
    pub offer: Option<String>,
}

/// What to do next, for a wide line and for a narrow one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// At most 74 columns, so that it fits beside its marks at 80.
    pub long: String,
    /// At most 34 columns, so that it fits at 40.
    pub short: String,
    /// It waits for the prefix.
    pub prefix: bool,
}

impl Guide {
    /// A guide about a pane, nothing observed.
    pub fn new(pane: PaneId) -> Self {
        Self { pane, ticked: [false; STEPS.len()], kept: None, offer: None }
    }

    /// The first step that was not observed; `None` when all were.
    pub fn next(&self) -> Option<usize> {
        self.ticked.iter().position(|ticked| !ticked)
    }

    /// What a client is to do next.
    pub fn hint(&self, state: &State, client: &Client, prefix: &str) -> Hint {
        let focused = state.focused_pane(client.id).and_then(|id| state.panes.get(&id));
        let first = state.panes.get(&self.pane);
        let stopped = first.filter(|pane| pane.exit.is_some() || pane.refusal.is_some());
        let hint = match (self.next(), stopped) {
            (None, _) => self.end(),
            (_, Some(stopped)) => card(stopped, focused, prefix),
            (Some(0), _) => look(first, focused, prefix),
            (Some(1), _) => switch(first, focused, client, prefix),
            (Some(_), _) => self.ask(first, focused, prefix),
        };
        match &self.offer {
            Some(_) if hint.prefix && client.prefix => now_the_key(&hint),
            Some(other) if hint.prefix => Hint {
                long: format!("does {prefix} not arrive here? F9 takes {other} in its place"),
                short: format!("{prefix} dead? F9 takes {other}"),
                ..hint
            },
            _ if hint.prefix && client.prefix => now_the_key(&hint),
            _ => hint,
        }
    }

    fn end(&self) -> Hint {
        let kept = self.kept.as_deref().unwrap_or("same files");
        say(format!("{kept}, same thread. Yours: cd your-repo && inspan"), "cd your-repo && inspan")
    }

    fn ask(&self, first: Option<&Pane>, focused: Option<&Pane>, prefix: &str) -> Hint {
        let kept = self.kept.as_deref().map(|kept| format!("{kept}. ")).unwrap_or_default();
        let Some(first) = first else { return self.end() };
        if focused.is_some_and(|pane| pane.id != first.id) {
            return keys(prefix, "o", &format!("until {} (codex) has the focus", first.id), "to codex");
        }
        say(format!("{kept}Type: what was done?  and Enter"), "type: what was done?  Enter")
    }
}

/// The key behind the prefix, named by a hint that waits for both.
fn now_the_key(hint: &Hint) -> Hint {
    let behind = |text: &str| {
        text.split_once(", then ").map_or_else(|| text.to_owned(), |(_, key)| format!("now {key}"))
    };
    Hint { long: behind(&hint.long), short: behind(&hint.short), ..*hint }
}

fn say(long: impl Into<String>, short: impl Into<String>) -> Hint {
    Hint { long: long.into(), short: short.into(), prefix: false }
}

fn keys(prefix: &str, key: &str, aim: &str, short: &str) -> Hint {
    Hint {
        long: format!("press {prefix}, then {key}, {aim}"),
        short: format!("{prefix}, then {key}: {short}"),
        prefix: true,
    }
}

/// The harness stopped: its card is the way on.
fn card(stopped: &Pane, focused: Option<&Pane>, prefix: &str) -> Hint {
    let name = stopped.harness.as_ref().map_or("it", |harness| harness.route.executor.as_str());
    if focused.is_some_and(|pane| pane.id == stopped.id) {
        return say(
            format!("{name} does not run; its card says why and what to press"),
            format!("{name} stopped: see its card"),
        );
    }
    keys(prefix, "o", &format!("until {} has the focus: {name} stopped", stopped.id), "to the card")
}

fn look(first: Option<&Pane>, focused: Option<&Pane>, prefix: &str) -> Hint {
    if focused.is_some_and(|pane| pane.harness.is_none()) {
        return say("type: cat hello.txt  and Enter", "type: cat hello.txt  Enter");
    }
    match first.map(|pane| &pane.status) {
        Some(status) if status.status == Status::Starting && status.detail == INSTALLING => {
            say("claude is being installed, then it writes hello.txt", "claude is being installed")
        }
        Some(status) if matches!(status.status, Status::Starting | Status::Working) => {
            say("claude writes hello.txt and commits it", "claude writes hello.txt")
        }
        _ => keys(prefix, "o", "until the shell has the focus", "to the shell"),
    }
}

fn switch(first: Option<&Pane>, focused: Option<&Pane>, client: &Client, prefix: &str) -> Hint {
    match &client.overlay {
        Some(Overlay::Switch(_)) => return say("Enter switches now", "Enter switches now"),
        Some(Overlay::Router(_)) => {
            return say("go down to codex, then Enter", "down to codex, then Enter");
        }
        _ => {}
    }
    let Some(first) = first else {
        return keys(prefix, "e", "and choose codex", "choose codex");
    };
    match first.harness.as_ref().and_then(|harness| harness.switch.as_ref()) {
        Some(switch) if switch.failed.is_none() => {
            return say("claude stops, codex starts and reads the handoff", "codex reads the handoff");
        }
        _ => {}
    }
    if focused.is_some_and(|pane| pane.id != first.id) {
        return keys(prefix, "o", &format!("until {} (claude) has the focus", first.id), "to claude");
    }
    keys(prefix, "e", "to switch it to codex", "switch it")
}

/// What the status of a pane says while its CLI is being installed.
pub const INSTALLING: &str = "installing";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mux::{SessionId, WindowId},
        state::{
            ExitCard, SwitchProgress,
            fixture::{CLIENT, client, state},
            overlay::List,
        },
    };
    use unicode_width::UnicodeWidthStr;

    /// The hint for a guide about %1, which is claude, with the focus on a pane.
    fn hint(guide: &Guide, focus: u32, change: impl Fn(&mut State)) -> Hint {
        let mut state = state((120, 40));
        state.windows.get_mut(&WindowId(1)).unwrap().active = PaneId(focus);
        let first = state.panes.get_mut(&PaneId(1)).unwrap();
        first.status.status = Status::Idle;
        state.sessions.get_mut(&SessionId(1)).unwrap().guide = Some(guide.clone());
        change(&mut state);
        let hint = guide.hint(&state, &state.clients[&CLIENT], "C-Space");
        assert!(hint.long.width() <= 74, "{}", hint.long);
        assert!(hint.short.width() <= 34, "{}", hint.short);
        hint
    }

    fn guide(ticked: [bool; 3]) -> Guide {
        Guide { ticked, ..Guide::new(PaneId(1)) }
    }

    #[test]
    fn the_first_step_leads_to_the_shell_and_says_what_to_type_there() {
        let guide = guide([false; 3]);
        assert_eq!(hint(&guide, 1, |_| ()).long, "press C-Space, then o, until the shell has the focus");
        assert_eq!(hint(&guide, 3, |_| ()).long, "type: cat hello.txt  and Enter");
        let working = |state: &mut State| {
            state.panes.get_mut(&PaneId(1)).unwrap().status.status = Status::Working;
        };
        assert!(!hint(&guide, 1, working).prefix);
        let pressed = |state: &mut State| client(state).prefix = true;
        assert_eq!(hint(&guide, 1, pressed).long, "now o, until the shell has the focus");
    }

    #[test]
    fn a_harness_that_stopped_is_met_at_its_card() {
        let stopped = |state: &mut State| {
            let card = ExitCard { what: "exited 1".into(), keys: Vec::new() };
            state.panes.get_mut(&PaneId(1)).unwrap().exit = Some(card);
        };
        let guide = guide([false; 3]);
        assert_eq!(hint(&guide, 1, stopped).short, "claude stopped: see its card");
        let elsewhere = "press C-Space, then o, until %1 has the focus: claude stopped";
        assert_eq!(hint(&guide, 3, stopped).long, elsewhere);
    }

    #[test]
    fn the_second_step_follows_what_lies_over_the_panes() {
        let guide = guide([true, false, false]);
        assert_eq!(hint(&guide, 3, |_| ()).long, "press C-Space, then o, until %1 (claude) has the focus");
        assert_eq!(hint(&guide, 1, |_| ()).short, "C-Space, then e: switch it");
        let panel = |state: &mut State| client(state).overlay = Some(Overlay::Router(List::default()));
        assert_eq!(hint(&guide, 1, panel).long, "go down to codex, then Enter");
        let switching = |state: &mut State| {
            let harness = state.panes.get_mut(&PaneId(1)).unwrap().harness.as_mut().unwrap();
            harness.switch = Some(SwitchProgress { step: "start".into(), failed: None });
        };
        assert!(!hint(&guide, 1, switching).prefix);
    }

    #[test]
    fn the_end_says_what_stayed_and_where_to_go() {
        let kept = Some("Same HEAD 3f2c9aa, same files".to_owned());
        let guide = Guide { kept, ..guide([true, true, false]) };
        assert_eq!(
            hint(&guide, 1, |_| ()).long,
            "Same HEAD 3f2c9aa, same files. Type: what was done?  and Enter"
        );
        let guide = Guide { ticked: [true; 3], ..guide };
        let last = "Same HEAD 3f2c9aa, same files, same thread. Yours: cd your-repo && inspan";
        let state = state((120, 40));
        assert_eq!(guide.hint(&state, &state.clients[&CLIENT], "C-Space").long, last);
    }

    #[test]
    fn another_prefix_is_offered_only_while_one_is_waited_for() {
        let offering = Guide { offer: Some("C-b".into()), ..guide([false; 3]) };
        assert_eq!(
            hint(&offering, 1, |_| ()).long,
            "does C-Space not arrive here? F9 takes C-b in its place"
        );
        assert_eq!(hint(&offering, 3, |_| ()).long, "type: cat hello.txt  and Enter");
    }
}
