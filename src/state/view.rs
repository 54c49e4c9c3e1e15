//! Owns what lists over the panes contain: the rows that a filter leaves, in the order that keys walk them.
//!
//! Key handling and drawing both read these, so that what is highlighted is what Enter takes. Pure. Must not know:
//! where a row stands on the screen.
use super::{
    Client, ExecutorReadiness, ModelChoice, Pane, RequestLine, State, Window,
    overlay::{List, Overlay, ReferenceRow},
};
use crate::{
    mux::{ClientId, PaneId},
    router::{ExecutorId, Route},
};
use nucleo::{
    Config, Matcher, Utf32Str,
    pattern::{AtomKind, CaseMatching, Normalization, Pattern},
};

/// A typed filter, ready to be asked row by row.
///
/// Rows of a list contain every typed word; commands may also match loosely (`spw` finds split-window), ranked.
pub struct Filter {
    loose: Option<(Pattern, Matcher)>,
    words: Vec<String>,
}

impl Filter {
    /// Reads what was typed; a leading `/` only opens the filter and is not searched for.
    pub fn new(typed: &str) -> Self {
        let typed = typed.strip_prefix('/').unwrap_or(typed).trim();
        let words: Vec<_> = typed.split_whitespace().map(str::to_lowercase).collect();
        let pattern = || Pattern::new(typed, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
        Self { loose: (!words.is_empty()).then(|| (pattern(), Matcher::new(Config::DEFAULT))), words }
    }

    /// How well a name matches; `None` hides it, higher is better.
    pub fn score(&mut self, name: &str) -> Option<u32> {
        let Some((pattern, matcher)) = &mut self.loose else { return Some(0) };
        let mut chars = Vec::new();
        pattern.score(Utf32Str::new(name, &mut chars), matcher)
    }

    /// Whether a row contains every word that was typed.
    pub fn finds(&self, row: &str) -> bool {
        let row = row.to_lowercase();
        self.words.iter().all(|word| row.contains(word))
    }
}

impl State {
    /// The window that a client looks at.
    pub fn shown_window(&self, client: ClientId) -> Option<&Window> {
        let session = self.sessions.get(&self.clients.get(&client)?.session)?;
        self.windows.get(&session.active)
    }

    /// The pane that has a client's focus.
    pub fn focused_pane(&self, client: ClientId) -> Option<PaneId> {
        self.shown_window(client).map(|window| window.active)
    }
}

/// What the router panel lists for one pane under one filter.
pub struct PanelRows<'a> {
    /// The pane that it is about.
    pub pane: Option<&'a Pane>,
    /// Executors that the filter leaves, in catalogue order.
    pub executors: Vec<&'a ExecutorReadiness>,
    /// Whose models are listed.
    pub models_of: Option<&'a ExecutorId>,
    /// Models that the filter leaves, unavailable ones included.
    pub models: Vec<&'a ModelChoice>,
    /// The pane's newest requests, newest first; none while a filter is typed.
    pub requests: &'a [RequestLine],
    /// What is highlighted, if anything can be.
    pub chosen: Option<PanelChoice<'a>>,
    /// How many rows can be chosen.
    pub choices: usize,
}

/// What a row of the panel stands for, however the lists around it change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOf {
    /// An executor.
    Executor(ExecutorId),
    /// A model, by its display id.
    Model(String),
    /// A request, by the unix milliseconds at which it arrived.
    Request(i64),
}

impl State {
    /// What each open panel has highlighted.
    pub fn highlighted(&self) -> Vec<(ClientId, RowOf)> {
        let row = |client: &Client| {
            let Some(Overlay::Router(list)) = &client.overlay else { return None };
            let rows = PanelRows::new(self, list, self.focused_pane(client.id));
            let row = match rows.chosen? {
                PanelChoice::Executor(row) => RowOf::Executor(row.executor.clone()),
                PanelChoice::Model(_, model) => RowOf::Model(model.id.clone()),
                PanelChoice::Request(n) => RowOf::Request(rows.requests.get(n.checked_sub(1)?)?.at_ms),
            };
            Some((client.id, row))
        };
        self.clients.values().filter_map(row).collect()
    }

    /// Puts the highlights back on their rows after the lists changed, so that Enter never takes another one than was
    /// seen; where a row is gone its place stays.
    pub fn highlight(&mut self, rows: Vec<(ClientId, RowOf)>) {
        for (id, row) in rows {
            let Some(Overlay::Router(list)) =
                self.clients.get(&id).and_then(|client| client.overlay.as_ref())
            else {
                continue;
            };
            let place = PanelRows::new(self, list, self.focused_pane(id)).place(&row);
            let overlay = self.clients.get_mut(&id).and_then(|client| client.overlay.as_mut());
            if let (Some(place), Some(Overlay::Router(list))) = (place, overlay) {
                list.selected = place;
            }
        }
    }
}

/// A row of the panel that Enter can take.
#[derive(Clone, Copy)]
pub enum PanelChoice<'a> {
    /// Switch to this executor with its default model.
    Executor(&'a ExecutorReadiness),
    /// Take this model under this executor.
    Model(&'a ExecutorId, &'a ModelChoice),
    /// Open this request, 1 is the newest.
    Request(usize),
}

impl<'a> PanelRows<'a> {
    /// Reads the lists for `list`, or for `focused` when the list names no pane.
    pub fn new(state: &'a State, list: &'a List, focused: Option<PaneId>) -> Self {
        let pane = list.pane.or(focused).and_then(|id| state.panes.get(&id));
        let filter = Filter::new(&list.filter);
        let executors: Vec<_> =
            state.executors.iter().filter(|row| filter.finds(&executor_text(row))).collect();
        let own = pane.and_then(|pane| pane.harness.as_ref()).map(|harness| &harness.route.executor);
        let mut models_of = match executors.get(list.selected) {
            Some(row) => Some(&row.executor),
            None => listed_executor(state, list).or(own).or(executors.first().map(|row| &row.executor)),
        };
        let mut models = models_of.map_or_else(Vec::new, |id| models_matching(state, id, &filter));
        if executors.is_empty() && models.is_empty() {
            // Nothing here matches: the words may name a model of another executor.
            for row in &state.executors {
                models = models_matching(state, &row.executor, &filter);
                if !models.is_empty() {
                    models_of = Some(&row.executor);
                    break;
                }
            }
        }
        let available = models.iter().filter(|model| model.refusal.is_none()).count();
        let harness = pane.and_then(|pane| pane.harness.as_ref()).filter(|_| list.filter.is_empty());
        let requests = harness.map_or(&[][..], |harness| &harness.requests);
        let choices = executors.len() + available + requests.len();
        let selected = list.selected.min(choices.saturating_sub(1));
        let chosen = match executors.get(selected) {
            Some(row) => Some(PanelChoice::Executor(row)),
            None if selected >= executors.len() + available => (!requests.is_empty())
                .then(|| PanelChoice::Request(selected - executors.len() - available + 1)),
            None => models_of.and_then(|id| {
                let mut open = models.iter().filter(|model| model.refusal.is_none());
                open.nth(selected - executors.len()).map(|model| PanelChoice::Model(id, model))
            }),
        };
        Self { pane, executors, models_of, models, requests, chosen, choices }
    }

    fn place(&self, row: &RowOf) -> Option<usize> {
        let open = || self.models.iter().filter(|model| model.refusal.is_none());
        let before = self.executors.len();
        match row {
            RowOf::Executor(id) => self.executors.iter().position(|row| row.executor == *id),
            RowOf::Model(id) => Some(before + open().position(|model| model.id == *id)?),
            RowOf::Request(at) => {
                Some(before + open().count() + self.requests.iter().position(|row| row.at_ms == *at)?)
            }
        }
    }

    /// Whether an executor row is the highlighted one.
    pub fn is_chosen_executor(&self, row: &ExecutorReadiness) -> bool {
        matches!(self.chosen, Some(PanelChoice::Executor(chosen)) if chosen.executor == row.executor)
    }

    /// Whether the request at this place of the list is the highlighted one.
    pub fn is_chosen_request(&self, at: usize) -> bool {
        matches!(self.chosen, Some(PanelChoice::Request(chosen)) if chosen == at + 1)
    }

    /// Whether a model row is the highlighted one.
    pub fn is_chosen_model(&self, model: &ModelChoice) -> bool {
        matches!(self.chosen, Some(PanelChoice::Model(_, chosen)) if chosen.id == model.id)
    }
}

/// The executor that the list was left on, as the state's own id.
fn listed_executor<'a>(state: &'a State, list: &List) -> Option<&'a ExecutorId> {
    let name = list.executor.as_deref()?;
    state.executors.iter().map(|row| &row.executor).find(|id| id.as_str() == name)
}

fn executor_text(row: &ExecutorReadiness) -> String {
    format!("{} {}", row.executor, row.title)
}

fn models_matching<'a>(state: &'a State, id: &ExecutorId, filter: &Filter) -> Vec<&'a ModelChoice> {
    let Some(models) = state.models.get(id) else { return Vec::new() };
    let matches = |model: &&ModelChoice| filter.finds(&format!("{id} {} {}", model.id, model.provider));
    models.iter().filter(matches).collect()
}

/// A row of the picker.
#[derive(Clone, Copy)]
pub enum PickerRow<'a> {
    /// A coding agent.
    Executor(&'a ExecutorReadiness),
    /// The user's shell.
    Shell,
}

impl PickerRow<'_> {
    /// The name that the command line takes.
    pub fn name(&self) -> &str {
        match self {
            Self::Executor(row) => row.executor.as_str(),
            Self::Shell => "shell",
        }
    }
}

/// The rows of the picker that a filter leaves: executors in catalogue order, then the shell.
pub fn picker_rows<'a>(state: &'a State, typed: &str) -> Vec<PickerRow<'a>> {
    let filter = Filter::new(typed);
    let mut rows: Vec<_> = (state.executors.iter())
        .filter(|row| filter.finds(&executor_text(row)))
        .map(PickerRow::Executor)
        .collect();
    if filter.finds("shell") {
        rows.push(PickerRow::Shell);
    }
    rows
}

/// The rows of the key reference that a filter leaves, in table order.
pub fn reference_rows<'a>(rows: &'a [ReferenceRow], typed: &str) -> Vec<&'a ReferenceRow> {
    let filter = Filter::new(typed);
    let matches = |row: &&ReferenceRow| filter.finds(&format!("{} {} {}", row.keys, row.command, row.help));
    rows.iter().filter(matches).collect()
}

/// The commands that fit what was typed into the palette, best first.
pub fn palette_rows<'a>(rows: &'a [ReferenceRow], typed: &str) -> Vec<&'a ReferenceRow> {
    let mut filter = Filter::new(typed);
    let mut scored: Vec<_> = (rows.iter())
        .filter_map(|row| {
            // The name counts before the help line, so that `kill` finds kill-pane before a sentence with kill.
            let name = filter.score(&row.command).map(|score| score.saturating_mul(2));
            name.or_else(|| filter.finds(&row.help).then_some(0)).map(|score| (score, row))
        })
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let mut seen = std::collections::BTreeSet::new();
    scored.into_iter().map(|(_, row)| row).filter(|row| seen.insert(row.command.as_str())).collect()
}

/// How a route is paid, in the words of the picker: `your login`, `credits · openai`, `XAI_API_KEY`.
pub fn payment(route: &Route) -> String {
    use crate::router::{AuthMode, Provider};
    if route.provider == Provider::Rehearsal {
        return "rehearsal".into();
    }
    match route.auth {
        AuthMode::Login => "your login".into(),
        AuthMode::Byok if route.credential.is_empty() => format!("byok · {}", route.provider),
        AuthMode::Byok => route.credential.strip_prefix("env:").unwrap_or(&route.credential).to_owned(),
        AuthMode::Credits => format!("credits · {}", route.provider),
    }
}

/// Cuts text into lines of at most `width` columns, at spaces where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let (mut line, mut used) = (String::new(), 0);
        for word in paragraph.split_inclusive(' ') {
            let columns = word.trim_end().width();
            if used > 0 && used + columns > width {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                used = 0;
            }
            for c in word.chars() {
                let columns = c.width().unwrap_or(0);
                if used + columns > width {
                    if c == ' ' {
                        continue;
                    }
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push(c);
                used += columns;
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_breaks_at_spaces_then_anywhere_and_counts_columns() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("a\n\nb", 5), ["a", "", "b"]);
    }

    #[test]
    fn a_highlight_stays_on_its_row_when_the_lists_change() {
        use crate::state::fixture::{CLIENT, client, state};
        let mut state = state((160, 40));
        let line = |at_ms| RequestLine { at_ms, ..RequestLine::default() };
        let pane = PaneId(2);
        let requests = |state: &mut State, lines: Vec<RequestLine>| {
            state.panes.get_mut(&pane).unwrap().harness.as_mut().unwrap().requests = lines;
        };
        requests(&mut state, vec![line(2), line(1)]);
        let mut list = List::for_panel(&state, pane);
        list.selected = PanelRows::new(&state, &list, Some(pane)).choices - 1;
        client(&mut state).overlay = Some(Overlay::Router(list));
        let held = state.highlighted();
        assert_eq!(held, [(CLIENT, RowOf::Request(1))]);
        let models = state.models.get_mut(&ExecutorId::CODEX).unwrap();
        models.push(models[0].clone());
        requests(&mut state, vec![line(3), line(2), line(1)]);
        assert_ne!(state.highlighted(), held, "the place is another row's now");
        state.highlight(held.clone());
        assert_eq!(state.highlighted(), held);
    }

    #[test]
    fn the_palette_prefers_a_name_over_a_help_line() {
        let row = |command: &str, help: &str| ReferenceRow {
            keys: String::new(),
            command: command.into(),
            help: help.into(),
        };
        let rows = [row("detach-client", "leave without a kill"), row("kill-pane", "end a pane")];
        let names: Vec<_> = palette_rows(&rows, "kill").iter().map(|row| row.command.as_str()).collect();
        assert_eq!(names, ["kill-pane", "detach-client"]);
    }
}
