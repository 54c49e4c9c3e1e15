//! Whose rights a process on the socket has: authority follows its place in the process tree, not what it says.
use super::Server;
use crate::{
    commands::{MoneyVerb, Target, Verb},
    mux::PaneId,
    router::Refusal,
    state::target::Origin,
};

/// Processes above a caller that are looked at. Deeper trees than this are a loop in what `/proc` told us.
const DEPTH: usize = 64;

/// The process at the other end of a connection, as `/proc` shows it when it says hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Its process id.
    pub pid: i32,
    /// That id, and behind it the processes above it, nearest first.
    line: Vec<i32>,
    /// The pane's key in its environment; names the pane of a process that left its tree.
    key: Option<String>,
}

impl Caller {
    /// Looks a process up. Blocks on `/proc`, so it is asked before the loop is.
    pub fn look_up(pid: i32) -> Self {
        let mut line = vec![pid];
        while let Some(above) = line.last().copied().and_then(parent).filter(|_| line.len() < DEPTH) {
            line.push(above);
        }
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let key = environ.split(|b| *b == 0).find_map(|v| v.strip_prefix(b"INSPAN_PANE_KEY="));
        Self { pid, line, key: key.map(|key| String::from_utf8_lossy(key).into_owned()) }
    }
}

/// The process above another, init left out.
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.rsplit_once(')')?.1;
    behind_name.split_ascii_whitespace().nth(1)?.parse().ok().filter(|pid| *pid > 1)
}

impl Server {
    /// Authority follows the caller's pid: inside a harness's process tree only what that pane may do.
    ///
    /// A shell pane is the person at the keyboard, so it is granted everything.
    pub(super) fn authorise(&self, caller: &Caller, verb: &Verb, origin: &Origin) -> Result<(), Refusal> {
        let Some(pane) = self.confined(caller) else { return Ok(()) };
        let own =
            |target: &Target| self.state.find_pane(target.target.as_deref(), origin).is_ok_and(|p| p == pane);
        let allowed = match verb {
            Verb::ListSessions { .. }
            | Verb::ListWindows { .. }
            | Verb::ListPanes { .. }
            | Verb::ListKeys { .. }
            | Verb::HasSession { .. } => true,
            Verb::CapturePane { target, .. }
            | Verb::DisplayMessage { target, .. }
            | Verb::Route { target, .. }
            | Verb::Files { target, .. }
            | Verb::Money(MoneyVerb::Requests { target, .. })
            | Verb::Explain { target, .. } => own(target),
            _ => false,
        };
        if allowed { Ok(()) } else { Err(beyond(pane)) }
    }

    /// The harness pane whose rights a process has; `None` for the owner.
    pub(super) fn confined(&self, caller: &Caller) -> Option<PaneId> {
        let pane = self.caller_pane(caller)?;
        let harness = self.state.panes.get(&pane).is_some_and(|p| p.harness.is_some());
        (harness && !self.settings.harness_authority).then_some(pane)
    }

    /// The pane in whose process tree a process is. One that left the tree is known by the pane's key in its
    /// environment.
    pub(super) fn caller_pane(&self, caller: &Caller) -> Option<PaneId> {
        let of_process = |pid: &i32| self.state.panes.values().find(|p| p.pid == Some(*pid)).map(|p| p.id);
        caller
            .line
            .iter()
            .find_map(of_process)
            .or_else(|| self.state.pane_by_key(caller.key.as_deref()?).map(|p| p.id))
    }
}

/// The refusal for a process that reaches out of its harness's pane.
pub(super) fn beyond(pane: PaneId) -> Refusal {
    Refusal {
        rule: "authority.pane".into(),
        reason: format!("this process runs inside the harness in {pane}, which may only read itself"),
        remedies: vec![
            "run it from a shell pane or another terminal".into(),
            "harness_authority = true in config.toml grants harnesses everything".into(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_known_by_its_ancestors() {
        let own = std::process::id().cast_signed();
        let mut child = std::process::Command::new("sh")
            .args(["-c", "echo; read line"])
            .env("INSPAN_PANE_KEY", "01K")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Once it spoke it is itself: in the moment of its execution its environment cannot be read.
        let mut spoken = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut spoken).unwrap();
        let pid = child.id().cast_signed();
        let caller = Caller::look_up(pid);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!((caller.pid, &caller.line[..2]), (pid, &[pid, own][..]));
        assert_eq!(caller.key.as_deref(), Some("01K"));
        assert!(!caller.line.contains(&1));
        assert_eq!(Caller::look_up(i32::MAX).line, [i32::MAX]);
    }
}
