//! What a server that died in the middle of a switch left behind, and the ways on from there.
use super::{Plan, again};
use crate::{
    handoff::Mode,
    mux::PaneId,
    record::OpenSwitch,
    router::Route,
    server::Server,
    state::{Harness, Manner},
    switch::{Step, label},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A switch that was under way when the server died, as its journal row has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interrupted {
    /// What ran before; `None` for a shell.
    from: Option<Harness>,
    /// Where it was to go.
    to: Route,
    /// How much was to be told.
    handoff: Mode,
    /// The person's own words in the place of a handoff.
    #[serde(default)]
    told: Option<String>,
    /// As what and how hard the next harness was to work.
    #[serde(default)]
    manner: Manner,
    /// The step that it had reached.
    #[serde(skip)]
    step: String,
    /// Its name.
    #[serde(skip)]
    key: String,
}

impl Interrupted {
    /// The journal's row of a switch that begins.
    pub(super) fn plan(plan: &Plan) -> Value {
        let row = Self {
            from: plan.from.clone(),
            to: plan.to.clone(),
            handoff: plan.telling.mode,
            told: plan.told.clone(),
            manner: plan.manner.clone(),
            step: String::new(),
            key: String::new(),
        };
        serde_json::to_value(row).unwrap_or_default()
    }

    /// Reads a row; `None` for one of an older version.
    pub fn read(row: OpenSwitch) -> Option<Self> {
        let read: Self = serde_json::from_value(row.plan).ok()?;
        Some(Self { step: row.step, key: row.key, ..read })
    }

    /// Whether only the last comparison was missing: the next harness runs and knows what it has to know.
    pub fn is_over(&self) -> bool {
        self.step == Step::Confirm.as_str()
    }

    /// What the pane is now: what ran before, until the next one has taken over.
    pub fn harness(&self, saved: Option<Harness>) -> Option<Harness> {
        match &self.from {
            Some(from) if !self.is_over() => Some(from.clone()),
            _ => saved,
        }
    }

    /// What the pane's card says of it.
    pub fn note(&self) -> String {
        let (to, step) = (label(&self.to), self.step.as_str());
        let stands = match step {
            _ if self.is_over() => return format!("the switch to {to} was done when the server ended"),
            "" | "plan" | "checkpoint" => "nothing had changed yet",
            "handoff" => "the checkpoint was made, nothing had been stopped",
            "stop" => "the checkpoint and the handoff are kept",
            _ => "the checkpoint and the handoff are kept; the next one had been started",
        };
        format!("the switch to {to} was interrupted at {step:?}: {stands}")
    }
}

impl Server {
    /// Puts a switch on the card of its pane that waited for the end of a turn which the server did not live to see.
    pub(in crate::server) fn offer_waiting(&mut self, id: PaneId, words: Vec<String>) {
        let to = words.iter().skip_while(|word| *word != "--executor").nth(1).cloned().unwrap_or_default();
        let Some(card) = self.state.panes.get_mut(&id).and_then(|pane| pane.exit.as_mut()) else { return };
        card.keys.insert(0, ("t".into(), format!("switch to {to}, as was asked")));
        self.retries.insert(id, words);
    }

    /// Puts the ways on from an interrupted switch on the card of its pane.
    pub(in crate::server) fn offer_recovery(&mut self, id: PaneId, switch: &Interrupted) {
        if switch.is_over() {
            return;
        }
        let Some(card) = self.state.panes.get_mut(&id).and_then(|pane| pane.exit.as_mut()) else { return };
        let back = switch.from.as_ref().map(|from| format!("go back to {}", from.route.executor));
        for (key, meaning) in &mut card.keys {
            if let ("r", Some(back)) = (key.as_str(), &back) {
                meaning.clone_from(back);
            }
        }
        card.keys.insert(0, ("t".into(), format!("go on to {}", switch.to.executor)));
        let told = switch.told.as_deref();
        let words = again(id, &switch.to, &switch.manner, switch.handoff, told, &switch.key);
        self.retries.insert(id, words);
    }
}
