use super::{keys::MAX_TYPED, *};
use crate::state::{
    fixture::{CLIENT, client, reference, refusal_dialog, state, workspace},
    view::{PanelChoice, PanelRows},
};
use proptest::prelude::*;

const SIZE: (u16, u16) = (80, 24);

/// Types keys in tmux's notation, parted by spaces; the last outcome.
fn keys(overlay: &mut Overlay, state: &State, notation: &str) -> Outcome {
    let rows = reference();
    let context = Context { client: CLIENT, reference: &rows };
    let mut last = Outcome::None;
    for key in notation.split(' ') {
        last = overlay.key(&key.parse().unwrap(), state, &context);
    }
    last
}

fn line(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn runs(text: &str) -> Outcome {
    Outcome::CloseAndRun(line(text))
}

fn panel(state: &State, pane: u32) -> Overlay {
    Overlay::Router(List::for_panel(state, PaneId(pane)))
}

#[test]
fn the_panel_opens_on_the_panes_own_executor_where_enter_changes_nothing() {
    let state = state(SIZE);
    assert_eq!(keys(&mut panel(&state, 2), &state, "Enter"), Outcome::Close);
}

#[test]
fn another_executor_opens_the_switch_dialog() {
    let state = state(SIZE);
    assert_eq!(
        keys(&mut panel(&state, 2), &state, "Up Enter"),
        runs("switch-dialog -t %2 --executor claude")
    );
    assert_eq!(
        keys(&mut panel(&state, 1), &state, "C-n Enter"),
        runs("switch-dialog -t %1 --executor codex")
    );
}

#[test]
fn another_model_of_the_same_executor_needs_no_dialog() {
    let state = state(SIZE);
    assert_eq!(keys(&mut panel(&state, 2), &state, "5 . 3 Enter"), runs("model -t %2 gpt-5.3-codex"));
}

#[test]
fn a_model_of_another_executor_goes_through_its_dialog() {
    let state = state(SIZE);
    // From codex up to claude, over whose rows the list then stands; typing keeps claude's models.
    assert_eq!(
        keys(&mut panel(&state, 2), &state, "Up o p u s Enter"),
        runs("switch-dialog -t %2 --executor claude --model claude-opus-4.6")
    );
}

#[test]
fn models_that_cannot_run_are_never_chosen() {
    let state = state(SIZE);
    let mut list = List::for_panel(&state, PaneId(2));
    let rows = PanelRows::new(&state, &list, None);
    assert_eq!((rows.executors.len(), rows.models.len(), rows.choices), (6, 3, 8));
    list.selected = 99;
    let rows = PanelRows::new(&state, &list, None);
    assert!(matches!(rows.chosen, Some(PanelChoice::Model(_, model)) if model.id == "gpt-5.3-codex"));
}

#[test]
fn words_that_name_only_another_executors_model_still_find_it() {
    let state = state(SIZE);
    let mut overlay = panel(&state, 2);
    assert_eq!(
        keys(&mut overlay, &state, "s o n n e t Enter"),
        runs("switch-dialog -t %2 --executor claude --model claude-sonnet-4.6")
    );
}

#[test]
fn beside_a_shell_a_harness_starts_in_its_own_pane() {
    let state = state(SIZE);
    assert_eq!(keys(&mut panel(&state, 3), &state, "Enter"), runs("split-window -t %3 --executor claude"));
}

#[test]
fn an_executor_that_is_not_here_is_installed_first() {
    let state = state(SIZE);
    assert_eq!(keys(&mut panel(&state, 2), &state, "o p e n c Enter"), runs("install-pane opencode"));
}

#[test]
fn escape_clears_the_filter_then_closes_and_steps_wrap_around() {
    let state = state(SIZE);
    let mut overlay = panel(&state, 1);
    assert_eq!(keys(&mut overlay, &state, "c o Escape"), Outcome::Redraw);
    assert!(matches!(&overlay, Overlay::Router(list) if list.filter.is_empty()));
    assert_eq!(keys(&mut overlay, &state, "Escape"), Outcome::Close);
    let mut overlay = panel(&state, 1);
    keys(&mut overlay, &state, "Up");
    assert!(matches!(&overlay, Overlay::Router(list) if list.selected == 7), "{overlay:?}");
}

fn picker() -> Overlay {
    let command = line("new-session -c /home/me/shop");
    Overlay::Picker(Picker { dir: workspace(), list: List::default(), command })
}

#[test]
fn the_picker_appends_its_choice() {
    let state = state(SIZE);
    let start = "new-session -c /home/me/shop";
    let starts = |keys_typed: &str, words: &str| {
        let expected = runs(&format!("{start} {words}"));
        assert_eq!(keys(&mut picker(), &state, keys_typed), expected, "{keys_typed}");
    };
    starts("Enter", "--executor claude");
    starts("Down Enter", "--executor codex");
    starts("r", "--executor claude --rehearse");
    starts("s", "--executor claude --split codex");
    starts("Down s", "--executor codex --split claude");
    starts("g r o Enter", "--executor grok");
    // A slash opens the filter for words that begin with a command letter.
    assert_eq!(keys(&mut picker(), &state, "/ s h e Enter"), runs(start));
}

#[test]
fn the_picker_installs_what_is_not_here() {
    let state = state(SIZE);
    assert_eq!(keys(&mut picker(), &state, "i"), runs("install-pane claude"), "ours beside the person's");
    let start = "new-session -c /home/me/shop --executor opencode";
    assert_eq!(keys(&mut picker(), &state, "o p e n c Enter"), runs(&format!("{start} --install")));
    assert_eq!(
        keys(&mut picker(), &state, "Down Down Down r"),
        runs(&format!("{start} --rehearse --install"))
    );
    assert_eq!(keys(&mut picker(), &state, "End i"), Outcome::None, "a shell is always here");
}

fn switch() -> Overlay {
    Overlay::Switch(SwitchDialog {
        agents: Vec::new(),
        pane: PaneId(2),
        from: String::new(),
        to: String::new(),
        how: String::new(),
        lines: Vec::new(),
        handoff: "a line\n".repeat(PREVIEW_LINES + 3),
        preview: false,
        scroll: 0,
        edit: None,
        edited: false,
        command: line("switch -t %2 --executor claude"),
    })
}

#[test]
fn the_switch_dialog_runs_its_command_now_or_when_done() {
    let state = state(SIZE);
    let base = "switch -t %2 --executor claude";
    assert_eq!(keys(&mut switch(), &state, "Enter"), runs(&format!("{base} --yes")));
    assert_eq!(keys(&mut switch(), &state, "d"), runs(&format!("{base} --yes --when-done")));
    assert_eq!(keys(&mut switch(), &state, "Escape"), Outcome::Close);
}

#[test]
fn brief_and_full_alternate_by_asking_for_the_dialog_again() {
    let state = state(SIZE);
    let mut dialog = switch();
    let asked =
        |kind: &str| Outcome::Run(line(&format!("switch-dialog -t %2 --executor claude --handoff {kind}")));
    assert_eq!(keys(&mut dialog, &state, "b"), asked("brief"));
    assert_eq!(keys(&mut dialog, &state, "b"), asked("full"));
    assert_eq!(
        keys(&mut dialog, &state, "Enter"),
        runs("switch -t %2 --executor claude --handoff full --yes")
    );
}

#[test]
fn the_preview_scrolls_within_its_text_and_escape_leaves_only_it() {
    let state = state(SIZE);
    let mut dialog = switch();
    keys(&mut dialog, &state, "p Down Down Down Down Down");
    assert!(matches!(&dialog, Overlay::Switch(dialog) if dialog.preview && dialog.scroll == 3), "{dialog:?}");
    assert_eq!(keys(&mut dialog, &state, "Up Escape"), Outcome::Redraw);
    assert_eq!(keys(&mut dialog, &state, "Escape"), Outcome::Close);
}

#[test]
fn a_remedy_runs_by_its_number() {
    let state = state(SIZE);
    let mut dialog = Overlay::Refusal(refusal_dialog());
    assert_eq!(
        keys(&mut dialog, &state, "1"),
        runs("switch-dialog -t %1 --executor claude --model gpt-5.4 --auth credits")
    );
    assert_eq!(
        keys(&mut dialog, &state, "2"),
        runs("switch-dialog -t %1 --executor codex --model gpt-5.4 --auth byok")
    );
    assert_eq!(keys(&mut dialog, &state, "3"), Outcome::None);
    assert_eq!(keys(&mut dialog, &state, "0"), Outcome::None);
    assert_eq!(keys(&mut dialog, &state, "Escape"), Outcome::Close);
}

#[test]
fn a_remedy_without_a_request_is_only_words() {
    let refusal =
        Refusal { rule: "x".into(), reason: "y".into(), remedies: vec!["set ANTHROPIC_API_KEY".into()] };
    let dialog = RefusalDialog { title: String::new(), refusal, commands: vec![Vec::new()] };
    assert_eq!(dialog.command(1), None);
}

#[test]
fn only_y_confirms() {
    let state = state(SIZE);
    let mut confirm = Overlay::Confirm(Confirm { question: String::new(), command: line("kill-pane -t %2") });
    assert_eq!(keys(&mut confirm, &state, "Enter"), Outcome::None);
    assert_eq!(keys(&mut confirm, &state, "n"), Outcome::Close);
    assert_eq!(keys(&mut confirm, &state, "y"), runs("kill-pane -t %2"));
}

#[test]
fn the_palette_runs_what_is_typed_or_chosen() {
    let state = state(SIZE);
    let palette = || Overlay::Palette(Palette::default());
    assert_eq!(keys(&mut palette(), &state, "k i l l Enter"), runs("kill-pane"));
    assert_eq!(keys(&mut palette(), &state, "k i l l Tab - t Space % 3 Enter"), runs("kill-pane -t %3"));
    assert_eq!(keys(&mut palette(), &state, "n o Space s u c h Enter"), runs("no such"));
    assert_eq!(
        keys(&mut palette(), &state, "z q x Enter"),
        runs("zqx"),
        "the server says what is wrong with it"
    );
    assert_eq!(
        keys(&mut palette(), &state, "Enter"),
        runs("split-window -h"),
        "the first row is highlighted"
    );
    let mut open = palette();
    assert_eq!(keys(&mut open, &state, "\" x Enter"), Outcome::Redraw);
    assert!(matches!(&open, Overlay::Palette(palette) if palette.error.is_some()));
    assert_eq!(keys(&mut open, &state, "C-u BSpace"), Outcome::Close);
}

#[test]
fn a_row_of_the_key_help_runs() {
    let state = state(SIZE);
    let mut help = Overlay::Keys(List::default());
    assert_eq!(keys(&mut help, &state, "l e a v e Enter"), runs("detach-client"));
}

#[test]
fn pasted_text_is_typed_up_to_its_first_line_end() {
    let mut overlay = Overlay::Palette(Palette::default());
    assert_eq!(overlay.paste("kill-pane\u{7}\nrm"), Outcome::Redraw);
    assert!(matches!(&overlay, Overlay::Palette(palette) if palette.input == "kill-pane"));
    assert_eq!(overlay.paste(&"é".repeat(MAX_TYPED)), Outcome::Redraw);
    assert!(matches!(&overlay, Overlay::Palette(palette) if palette.input.len() == MAX_TYPED - 1));
    assert_eq!(switch().paste("x"), Outcome::None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_keys_leave_a_row_chosen_that_exists(presses in prop::collection::vec(0_usize..14, 1..40)) {
        let notation = ["Up", "Down", "PPage", "NPage", "Home", "End", "c", "o", "x", "BSpace", "C-u", "Tab", "b", "?"];
        let mut state = state(SIZE);
        client(&mut state).unseen.clear();
        let rows = reference();
        let context = Context { client: CLIENT, reference: &rows };
        for mut overlay in [panel(&state, 2), picker(), switch(), Overlay::Keys(List::default())] {
            for press in &presses {
                let key = notation[*press].parse().unwrap();
                overlay.key(&key, &state, &context);
                if let Overlay::Router(list) = &overlay {
                    let rows = PanelRows::new(&state, list, None);
                    prop_assert_eq!(rows.chosen.is_some(), rows.choices > 0);
                }
            }
        }
    }
}
