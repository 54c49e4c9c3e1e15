//! Frames as text, at the sizes that people have.
mod screen;

use crate::{
    mux::{PaneId, SessionId, WindowId},
    router::{Dialect, ExecutorId, LimitWindow, Span, Standing},
    state::{
        ExitCard, Guide, KeyHealth, ModelChoice, RequestLine, State, Status, SwitchProgress,
        fixture::{self, client, state, two_panes, workspace},
        overlay::{
            Changes, Choice, ChoiceRow, Composer, Confirm, Draft, FileRow, List, NativeRow, NativeSessions,
            Numbers, Overlay, Palette, Picker, Printed, SwitchDialog,
        },
    },
    term::{
        canvas::{Canvas, CanvasCursor, CursorShape},
        frame::{Caps, FrameWriter},
    },
};
use insta::assert_snapshot;
use ratatui::layout::Rect;
use screen::{cursor, draw_with, text};
use std::sync::Arc;

const SMALL: (u16, u16) = (80, 24);
const MIDDLE: (u16, u16) = (120, 40);
const LARGE: (u16, u16) = (200, 50);
const NARROW: (u16, u16) = (40, 20);
const SIZES: [(u16, u16); 4] = [SMALL, MIDDLE, LARGE, NARROW];

/// Draws at every size, with what `change` does to the state.
fn at_every_size(name: &str, make: impl Fn((u16, u16)) -> crate::state::State) {
    for size in SIZES {
        assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text(&make(size)));
    }
}

fn with_overlay(size: (u16, u16), overlay: Overlay) -> crate::state::State {
    let mut state = state(size);
    client(&mut state).overlay = Some(overlay);
    state
}

fn switch_dialog() -> SwitchDialog {
    let line = |label: &str, words: &str| (label.to_owned(), words.to_owned());
    SwitchDialog {
        agents: Vec::new(),
        pane: PaneId(2),
        from: "codex gpt-5.4".into(),
        to: "claude opus-4.6".into(),
        how: "credits · anthropic".into(),
        lines: vec![
            line("conversation", "codex session parked (resumes when you come back)"),
            line("handoff", "full · 3.2k of 200k tokens"),
            line("workspace", "main 3f2c9aa, 4 changed  →  checkpoint 8"),
            line("in flight", "codex waits for you: the question will be dropped"),
        ],
        handoff: (1..=40).map(|n| format!("line {n} of what went before\n")).collect(),
        preview: false,
        scroll: 0,
        edit: None,
        edited: false,
        command: ["switch", "-t", "%2", "--executor", "claude"].map(str::to_owned).into(),
    }
}

fn picker() -> Picker {
    Picker {
        dir: workspace(),
        list: List::default(),
        command: ["new-session", "-c", "/home/me/shop"].map(str::to_owned).into(),
    }
}

#[test]
fn two_panes_side_by_side() {
    at_every_size("two_panes", two_panes);
}

#[test]
fn three_panes_and_the_panel_where_it_docks() {
    at_every_size("three_panes", state);
}

#[test]
fn the_panel_with_keys() {
    at_every_size("panel", |size| {
        let probe = state(size);
        with_overlay(size, Overlay::Router(List::for_panel(&probe, PaneId(2))))
    });
}

#[test]
fn the_panel_of_a_login_on_little_room() {
    let probe = state(SMALL);
    let mut list = List::for_panel(&probe, PaneId(1));
    list.filter = "cla".into();
    assert_snapshot!(text(&with_overlay(SMALL, Overlay::Router(list))));
}

#[test]
fn the_panel_of_a_metered_pane() {
    let mut state = state(SMALL);
    client(&mut state).size = (160, 40);
    client(&mut state).panel_docked = true;
    state.turned_away = Some(("no pane's token".into(), 2));
    let harness = state.panes.get_mut(&PaneId(2)).unwrap().harness.as_mut().unwrap();
    harness.budgets = vec![Standing { span: Span::Session, spent: 4.21, limit: 5.0 }];
    let window = |name: &str, used, resets_ms| LimitWindow { name: name.into(), used, resets_ms };
    let at = |seconds: i64| Some((fixture::NOW as i64 + seconds) * 1000);
    harness.windows =
        vec![window("5h", 0.91, at(720)), window("requests", 0.02, None), window("x", 0.0, None)];
    let request = |ago: i64, attempts, status, error: &str, notes| RequestLine {
        at_ms: (fixture::NOW as i64 - ago) * 1000,
        class: "main".into(),
        status,
        input: 48_249,
        output: 312,
        cost: (status == 200).then_some(0.0123),
        attempts,
        error: error.into(),
        notes,
    };
    harness.requests = vec![request(5, 2, 200, "", 3), request(70, 3, 529, "busy", 0)];
    let mut list = List::for_panel(&state, PaneId(2));
    list.selected = 8;
    client(&mut state).overlay = Some(Overlay::Router(list));
    let panel: Vec<String> = text(&state)
        .lines()
        .map(|line| line.chars().rev().take(33).collect::<Vec<_>>().into_iter().rev().collect())
        .collect();
    assert_snapshot!(panel[..36].join("\n"));
}

/// A pane with three budgets, a pool of keys, a retry under way and a translated model.
fn busy(size: (u16, u16)) -> State {
    let mut state = state(size);
    let standing = |span, spent, limit| Standing { span, spent, limit };
    let pane = state.panes.get_mut(&PaneId(2)).unwrap();
    pane.status.status = Status::Retrying;
    pane.status.detail = "attempt 2 in 1.2 s: openai answered 529: overloaded".into();
    let harness = pane.harness.as_mut().unwrap();
    harness.budgets = vec![
        standing(Span::Pane, 0.41, 1.0),
        standing(Span::Session, 4.21, 5.0),
        standing(Span::Day, 20.0, 20.0),
    ];
    let key = |name: &str, trouble, rests_until| KeyHealth { name: name.into(), trouble, rests_until };
    harness.keys = vec![
        key("TEAM_A", None, 0),
        key("TEAM_B", Some("rate limited"), fixture::NOW + 180),
        key("TEAM_C", Some("not accepted"), fixture::NOW - 1),
    ];
    harness.windows = vec![LimitWindow {
        name: "tokens".into(),
        used: 0.38,
        resets_ms: Some((fixture::NOW as i64 + 720) * 1000),
    }];
    harness.requests = vec![RequestLine {
        at_ms: (fixture::NOW as i64 - 70) * 1000,
        class: "main".into(),
        status: 529,
        input: 48_249,
        output: 0,
        cost: Some(0.0),
        attempts: 3,
        error: "openai answered 529: overloaded".into(),
        notes: 2,
    }];
    let codex = state.models.get_mut(&ExecutorId::CODEX).unwrap();
    codex[1].dialects = Some((Dialect::Responses, Dialect::Chat));
    codex[1].rates = None;
    let mut list = List::for_panel(&state, PaneId(2));
    list.selected = 7;
    client(&mut state).overlay = Some(Overlay::Router(list));
    state
}

#[test]
fn the_panel_of_a_pane_in_trouble() {
    at_every_size("busy", busy);
}

#[test]
fn models_that_cannot_run_give_way_to_git_facts() {
    let mut state = state(LARGE);
    client(&mut state).size = (160, 28);
    let codex = state.models.get_mut(&ExecutorId::CODEX).unwrap();
    let closed = codex.pop().unwrap();
    codex.extend((0..9).map(|n| ModelChoice { id: format!("model-{n}"), ..closed.clone() }));
    let text = text(&state);
    let panel: Vec<_> = text.lines().map(|line| line.chars().rev().take(33).collect::<Vec<_>>()).collect();
    let panel: Vec<String> = panel.into_iter().map(|line| line.into_iter().rev().collect()).collect();
    assert_snapshot!(panel[..27].join("\n"));
}

#[test]
fn a_switch_in_the_border_of_its_pane() {
    let mut state = state(SMALL);
    state.windows.get_mut(&WindowId(1)).unwrap().zoomed = true;
    let pane = state.panes.get_mut(&PaneId(2)).unwrap();
    pane.notes = vec!["removed for this harness: OPENAI_API_KEY, OPENAI_BASE_URL".into()];
    let ends = |state: &crate::state::State| {
        let text = text(state);
        let lines: Vec<_> = text.lines().collect();
        [lines[0], lines[22]].join("\n")
    };
    assert_snapshot!("noted", ends(&state));
    let switch = |failed: Option<&str>| {
        Some(SwitchProgress { step: "deliver".into(), failed: failed.map(str::to_owned) })
    };
    let harness = |state: &mut crate::state::State, switch| {
        state.panes.get_mut(&PaneId(2)).unwrap().harness.as_mut().unwrap().switch = switch;
    };
    harness(&mut state, switch(None));
    assert_snapshot!("switching", ends(&state));
    harness(&mut state, switch(Some("claude did not take the handoff within 60 s")));
    assert_snapshot!("switch_stopped", ends(&state));
}

#[test]
fn the_picker_in_an_empty_session() {
    at_every_size("picker", |size| {
        let mut state = with_overlay(size, Overlay::Picker(picker()));
        state.windows.clear();
        state.sessions.get_mut(&SessionId(1)).unwrap().windows.clear();
        state
    });
}

#[test]
fn the_picker_over_panes() {
    assert_snapshot!(text(&with_overlay(MIDDLE, Overlay::Picker(picker()))));
}

#[test]
fn the_switch_dialog() {
    at_every_size("switch", |size| with_overlay(size, Overlay::Switch(switch_dialog())));
}

#[test]
fn the_preview_of_a_handoff() {
    let dialog = SwitchDialog { preview: true, scroll: 5, ..switch_dialog() };
    assert_snapshot!(text(&with_overlay(SMALL, Overlay::Switch(dialog))));
}

#[test]
fn a_handoff_that_is_being_changed() {
    let edit = Draft::from_top("# Handoff from codex\n\nline 1 of what went before\nline 2");
    let edit = Some(Box::new(edit));
    let dialog = SwitchDialog { edit, ..switch_dialog() };
    assert_snapshot!(text(&with_overlay(SMALL, Overlay::Switch(dialog))));
}

#[test]
fn the_composer() {
    at_every_size("composer", |size| {
        let composer = Composer {
            pane: PaneId(2),
            to: [PaneId(1), PaneId(2)].into(),
            draft: Draft::new("Write a test for the totals.\n\nIt fails when a cart is empty."),
            history: Arc::default(),
            recalled: None,
            files: Arc::default(),
            snippets: Arc::default(),
            offered: Vec::new(),
            error: None,
        };
        with_overlay(size, Overlay::Composer(Box::new(composer)))
    });
}

#[test]
fn the_changes_of_a_workspace() {
    at_every_size("changes", |size| {
        let patch =
            "diff --git a/src/cart.rs b/src/cart.rs\n@@ -1,3 +1,3 @@\n fn total() {\n-\t0\n+\tsum\n }";
        let file = |path: &str, what, staged, by: &str| FileRow {
            path: path.into(),
            what,
            staged,
            by: by.into(),
            before: None,
            patch: patch.lines().map(str::to_owned).collect(),
        };
        let changes = Changes {
            pane: PaneId(1),
            head: "main 3f2c9aa".into(),
            files: vec![
                file("src/cart.rs", 'M', true, "%1 turn 3 of claude, %2 turn 1 of codex"),
                file("src/new.rs", 'A', false, "%2 turn 1 of codex"),
                file("old.rs", 'D', false, ""),
            ],
            more: 2,
            warnings: vec!["%1 and %2 write src/cart.rs".into()],
            ..Changes::default()
        };
        with_overlay(size, Overlay::Changes(Box::new(changes)))
    });
}

#[test]
fn the_sessions_of_an_executor() {
    at_every_size("native", |size| {
        let row = |title: &str, age: &str, note: &str| NativeRow {
            id: "1".into(),
            title: title.into(),
            model: "wire-model".into(),
            age: age.into(),
            note: note.into(),
        };
        let list = NativeSessions {
            pane: PaneId(1),
            executor: "claude".into(),
            executors: vec!["claude".into(), "codex".into()],
            rows: vec![row("Make the totals right", "3 min", "in %1"), row("Begun elsewhere", "2 d", "")],
            ..NativeSessions::default()
        };
        with_overlay(size, Overlay::Native(list))
    });
}

#[test]
fn a_refusal_as_a_dialog() {
    at_every_size("refusal", |size| with_overlay(size, Overlay::Refusal(fixture::refusal_dialog())));
}

#[test]
fn a_refusal_in_its_pane() {
    at_every_size("refused_pane", |size| {
        let mut state = state(size);
        state.panes.get_mut(&PaneId(2)).unwrap().refusal = Some(fixture::refusal());
        state
    });
}

fn exit_card() -> ExitCard {
    let keys = [("r", "resume"), ("f", "fresh"), ("s", "shell"), ("x", "close")];
    ExitCard { what: "exited 1".into(), keys: keys.map(|(k, m)| (k.into(), m.into())).into() }
}

#[test]
fn the_card_of_a_process_that_ended() {
    at_every_size("exit_card", |size| {
        let mut state = state(size);
        let pane = state.panes.get_mut(&PaneId(2)).unwrap();
        pane.exit = Some(exit_card());
        pane.notes = vec!["the switch to claude stopped at deliver".into()];
        state
    });
}

#[test]
fn the_guide_of_a_first_ride() {
    at_every_size("guide", |size| {
        let mut state = two_panes(size);
        let session = state.sessions.get_mut(&SessionId(1)).unwrap();
        session.name = "try".into();
        session.rehearse = true;
        session.guide = Some(Guide { ticked: [true, false, false], ..Guide::new(PaneId(1)) });
        for pane in state.panes.values_mut() {
            if let Some(harness) = &mut pane.harness {
                harness.rehearse = true;
            }
        }
        state.spend_today = 0.0;
        state
    });
}

#[test]
fn shapes_without_utf8() {
    at_every_size("ascii", |size| {
        let mut state = state(size);
        client(&mut state).utf8 = false;
        state
    });
    let mut state = with_overlay(SMALL, Overlay::Switch(switch_dialog()));
    client(&mut state).utf8 = false;
    assert_snapshot!("ascii_switch", text(&state));
}

#[test]
fn key_help_and_palette() {
    at_every_size("keys", |size| with_overlay(size, Overlay::Keys(List::default())));
    let palette =
        Palette { input: "pane".into(), selected: 1, error: Some("no such pane: %9".into()), asks: None };
    let state = with_overlay(SMALL, Overlay::Palette(palette));
    assert_snapshot!("palette_80x24", text(&state));
    assert_eq!(cursor(&state), Some((9, 1)), "the cursor stands after what was typed");
}

#[test]
fn a_question() {
    let confirm =
        Confirm { question: "kill pane %2? codex is working".into(), command: vec!["kill-pane".into()] };
    assert_snapshot!(text(&with_overlay(SMALL, Overlay::Confirm(confirm))));
}

#[test]
fn a_zoomed_pane_a_message_and_a_warning() {
    let mut state = state(SMALL);
    state.windows.get_mut(&WindowId(1)).unwrap().zoomed = true;
    client(&mut state).message = Some(("%2 is codex now; the tree is identical".into(), fixture::NOW + 1));
    assert_snapshot!("zoomed_message", text(&state));
    client(&mut state).message = Some(("gone".into(), fixture::NOW));
    state.warning = Some("the disk is full: the ledger stopped".into());
    assert_snapshot!("zoomed_warning", text(&state));
}

#[test]
fn every_status_has_its_own_shape() {
    use Status::*;
    for utf8 in [true, false] {
        let mut shapes = std::collections::BTreeSet::new();
        for status in [Starting, Working, NeedsYou, Done, Idle, Retrying, Limited, Exited] {
            let mut state = two_panes(SMALL);
            client(&mut state).utf8 = utf8;
            state.panes.get_mut(&PaneId(1)).unwrap().status.status = status.clone();
            let top = text(&state).lines().next().unwrap().to_owned();
            let title = top.split(['╮', '|']).next().unwrap().trim_end_matches(['+', ' ']).to_owned();
            assert!(shapes.insert(title.clone()), "{status:?} looks like another: {title}");
        }
    }
}

#[test]
fn nothing_is_drawn_outside_and_nothing_panics_at_any_size() {
    let overlays = || {
        vec![
            Overlay::Router(List::default()),
            Overlay::Picker(picker()),
            Overlay::Switch(switch_dialog()),
            Overlay::Switch(SwitchDialog { preview: true, ..switch_dialog() }),
            Overlay::Refusal(fixture::refusal_dialog()),
            Overlay::Keys(List::default()),
            Overlay::Palette(Palette::default()),
            Overlay::Confirm(Confirm { question: "really?".into(), command: Vec::new() }),
        ]
    };
    for width in [0, 1, 2, 3, 5, 16, 20, 39, 49, 50, 83, 160] {
        for height in [0, 1, 2, 3, 4, 7, 12] {
            for overlay in overlays() {
                let mut state = with_overlay((width, height), overlay);
                client(&mut state).panel_docked = true;
                state.panes.get_mut(&PaneId(2)).unwrap().exit = Some(exit_card());
                assert!(cursor(&state).is_none_or(|(x, y)| x < width && y < height), "{width}x{height}");
            }
        }
    }
}

/// Remembers what it was asked to draw.
#[derive(Default)]
struct Asked(std::cell::RefCell<Vec<(PaneId, Rect)>>);

impl super::Screens for Asked {
    fn draw(&self, pane: PaneId, _: &mut Canvas, area: Rect) {
        self.0.borrow_mut().push((pane, area));
    }

    fn cursor(&self, _: PaneId) -> Option<CanvasCursor> {
        Some(CanvasCursor { x: 500, y: 0, shape: CursorShape::Default })
    }
}

#[test]
fn only_shown_panes_are_asked_for_and_only_as_far_as_they_show() {
    let asked = |state: &crate::state::State| {
        let screens = Asked::default();
        assert_eq!(draw_with(state, &screens).cursor, None, "a cursor outside its pane is not shown");
        screens.0.into_inner()
    };
    let mut state = state(SMALL);
    let ids = |asked: Vec<(PaneId, Rect)>| asked.into_iter().map(|(pane, _)| pane.0).collect::<Vec<_>>();
    assert_eq!(ids(asked(&state)), [1, 2, 3], "the other window's pane is hidden");
    state.windows.get_mut(&WindowId(1)).unwrap().zoomed = true;
    assert_eq!(ids(asked(&state)), [2]);
    state.sessions.get_mut(&SessionId(1)).unwrap().size = (200, 60);
    assert_eq!(asked(&state), [(PaneId(2), Rect { x: 1, y: 1, width: 79, height: 22 })]);
}

#[test]
fn the_cursor_is_the_focused_panes_unless_something_lies_over_it_or_it_ended() {
    let mut state = two_panes(SMALL);
    assert_eq!(cursor(&state), Some((4, 3)));
    state.panes.get_mut(&PaneId(1)).unwrap().exit = Some(exit_card());
    assert_eq!(cursor(&state), None);
    state.panes.get_mut(&PaneId(1)).unwrap().exit = None;
    client(&mut state).overlay = Some(Overlay::Router(List::default()));
    assert_eq!(cursor(&state), None);
}

#[test]
fn an_independent_terminal_shows_what_was_drawn() {
    // Overlays come and go over wide characters: whatever the writer saves, the outer screen must end up as drawn.
    let mut writer = FrameWriter::new(Caps::default());
    let mut outer = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
    let dialog = || Overlay::Switch(switch_dialog());
    let panel = || Overlay::Router(List::default());
    for overlay in [None, Some(panel()), Some(dialog()), None, Some(Overlay::Palette(Palette::default()))] {
        let mut state = state(SMALL);
        client(&mut state).overlay = overlay;
        let canvas = draw_with(&state, &screen::Paper);
        outer.process(&writer.render(&canvas));
        let rows: Vec<_> = outer.screen().rows(0, SMALL.0).map(|row| row.trim_end().to_owned()).collect();
        assert_eq!(rows.join("\n"), canvas.text().trim_end_matches('\n'));
    }
}

#[test]
fn a_click_on_a_name_in_the_status_line_finds_its_window() {
    for size in SIZES {
        let state = state(size);
        let line = text(&state).lines().last().unwrap().to_owned();
        let column = |name: &str| {
            let at = line.find(name)?;
            u16::try_from(line[..at].chars().count()).ok()
        };
        let found = |name: &str| screen::window_at(&state, column(name)?, size.1 - 1);
        if size == NARROW {
            assert_eq!(found("1 "), Some(WindowId(1)));
            continue;
        }
        assert_eq!(found("1 work"), Some(WindowId(1)), "{line}");
        assert_eq!(found("logs"), Some(WindowId(2)), "{line}");
        assert_eq!(found("shop"), None);
        assert_eq!(screen::window_at(&state, 6, 0), None, "a pane is not the status line");
    }
}

#[test]
fn what_a_command_printed() {
    let text_of =
        |rows: usize| (1..=rows).map(|n| format!("shop:1.{n}: %{n} claude idle [58x17]\n")).collect();
    let short: String = text_of(3);
    let printed = Printed::new("list-panes".into(), &short);
    assert_snapshot!("printed_80x24", text(&with_overlay(SMALL, Overlay::Text(printed))));
    let long: String = text_of(60);
    let printed = Printed { scroll: 7, ..Printed::new("list-panes".into(), &long) };
    assert_snapshot!("printed_40x20", text(&with_overlay(NARROW, Overlay::Text(printed))));
}

#[test]
fn the_card_of_a_switch_that_stopped() {
    let mut state = state(SMALL);
    let pane = state.panes.get_mut(&PaneId(2)).unwrap();
    let what = "the switch to claude opus-4.6 stopped at deliver: the next harness exited 7";
    let mut card = ExitCard { what: what.into(), ..exit_card() };
    card.keys.insert(0, ("t".into(), "try claude again".into()));
    pane.exit = Some(card);
    assert_snapshot!(text(&state));
}

fn tree() -> Choice {
    let row = |depth, name: &str, detail: &str| ChoiceRow {
        depth,
        name: name.into(),
        detail: detail.into(),
        command: vec!["switch-client".into(), "-t".into(), name.into()],
        ..ChoiceRow::default()
    };
    let rows = vec![
        row(0, "shop", "2 windows (attached)"),
        row(1, "1 work", "3 panes"),
        ChoiceRow { calls: true, ..row(2, "%2 codex", "needs-you") },
        ChoiceRow { current: true, ..row(2, "%3 shell", "idle") },
        row(0, "store", "1 windows"),
    ];
    Choice { title: "panes".into(), rows, list: List { selected: 3, ..List::default() }, menu: false }
}

#[test]
fn a_tree_a_menu_and_numbers_over_panes() {
    at_every_size("tree", |size| with_overlay(size, Overlay::Choose(tree())));
    let rows = [("Zoom", "z"), ("", ""), ("Close", "x")].map(|(name, key)| ChoiceRow {
        name: name.into(),
        key: Some(key.to_owned()).filter(|key| !key.is_empty()),
        command: if name.is_empty() { Vec::new() } else { vec![name.to_lowercase()] },
        ..ChoiceRow::default()
    });
    let menu = Choice { title: "pane".into(), rows: rows.into(), menu: true, ..Choice::default() };
    assert_snapshot!("menu_80x24", text(&with_overlay(SMALL, Overlay::Choose(menu))));
    let numbers = Numbers { panes: vec![PaneId(1), PaneId(2), PaneId(3)], command: Vec::new() };
    at_every_size("numbers", |size| with_overlay(size, Overlay::Numbers(numbers.clone())));
}

#[test]
fn rows_under_the_mouse_are_those_that_are_drawn() {
    let mut state = with_overlay(SMALL, Overlay::Choose(tree()));
    let row_of = |state: &State, word: &str| {
        let shown = text(state);
        shown.lines().position(|line| line.contains(word)).map(|y| y as u16).unwrap()
    };
    for (at, word) in ["2 windows", "3 panes", "needs-you", "%3 shell  idle", "store"].into_iter().enumerate()
    {
        assert_eq!(screen::row_at(&state, 20, row_of(&state, word)), Some(at), "{word}");
    }
    assert_eq!(screen::row_at(&state, 20, 0), None);
    client(&mut state).overlay = Some(Overlay::Keys(List::default()));
    assert_eq!(screen::row_at(&state, 20, row_of(&state, "split-window -h")), Some(0));
    client(&mut state).overlay = None;
    assert_eq!(screen::row_at(&state, 20, 5), None);
}

#[test]
fn progress_stands_in_the_border_and_beside_the_name_of_another_window() {
    use crate::state::{Progress, ProgressKind};
    for (kind, shown) in [
        (ProgressKind::Value, "42%"),
        (ProgressKind::Busy, "…%"),
        (ProgressKind::Paused, "42% paused"),
        (ProgressKind::Error, "42% failed"),
    ] {
        let mut state = two_panes(SMALL);
        let drawn = text(&state);
        assert!(!drawn.contains('%') || !drawn.contains(shown));
        state.panes.get_mut(&PaneId(1)).unwrap().progress = Some(Progress { kind, percent: 42 });
        let drawn = text(&state);
        assert!(drawn.lines().next().unwrap().contains(&format!(" · {shown}")), "{drawn}");
        assert!(!drawn.lines().last().unwrap().contains(shown), "{drawn}");
        let session = state.sessions.values_mut().next().unwrap();
        session.windows.push(WindowId(99));
        session.active = WindowId(99);
        let mut other = state.windows.values().next().unwrap().clone();
        (other.id, other.name, other.layout) =
            (WindowId(99), "other".into(), crate::mux::layout::Layout::single(PaneId(2)));
        state.windows.insert(WindowId(99), other);
        let drawn = text(&state);
        assert!(drawn.lines().last().unwrap().contains(&format!(" {shown}")), "{drawn}");
    }
}
