use super::*;
use crate::mux::presets::Preset;
use proptest::prelude::*;

fn p(n: u32) -> PaneId {
    PaneId(n)
}

fn area(w: u16, h: u16) -> Rect {
    Rect::new(0, 0, w, h)
}

/// `%1 | %2` over `%1 | %3`: one on the left, two stacked on the right, of 80 × 24.
fn one_and_two() -> Layout {
    let mut layout = Layout::single(p(1));
    assert!(layout.split(p(1), Axis::Horizontal, p(2), Share::Half, false, area(80, 24)));
    assert!(layout.split(p(2), Axis::Vertical, p(3), Share::Half, false, area(80, 24)));
    layout
}

fn check_tiles(layout: &Layout, area: Rect) -> Result<(), TestCaseError> {
    let rects = layout.rects(area);
    prop_assert_eq!(rects.iter().map(|(id, _)| *id).collect::<Vec<_>>(), layout.panes());
    let cells: u64 = rects.iter().map(|(_, r)| u64::from(r.w) * u64::from(r.h)).sum();
    prop_assert_eq!(cells, u64::from(area.w) * u64::from(area.h), "{:?}", &rects);
    if let Some(root) = &layout.root
        && root.min_size(Axis::Horizontal) <= u32::from(area.w)
        && root.min_size(Axis::Vertical) <= u32::from(area.h)
    {
        prop_assert!(rects.iter().all(|(_, r)| r.w >= MIN_WIDTH && r.h >= MIN_HEIGHT), "{:?}", &rects);
    }
    for (at, (_, a)) in rects.iter().enumerate() {
        for axis in [Axis::Horizontal, Axis::Vertical] {
            let (inner, outer) = (a.span(axis), area.span(axis));
            prop_assert!(inner.0 >= outer.0 && inner.1 <= outer.1, "{:?} outside {:?}", a, area);
        }
        for (_, b) in &rects[at + 1..] {
            let apart = |axis| {
                let (a, b) = (a.span(axis), b.span(axis));
                a.1 <= b.0 || b.1 <= a.0
            };
            let overlap =
                !a.is_empty() && !b.is_empty() && !apart(Axis::Horizontal) && !apart(Axis::Vertical);
            prop_assert!(!overlap, "{:?} and {:?}", a, b);
        }
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Op {
    Split(usize, Axis, Share, bool),
    Remove(usize),
    Swap(usize, usize),
    Replace(usize),
    Resize(usize, Dir, u16),
    ResizeTo(usize, Option<u16>, Option<u16>),
    Preset(Preset),
    Rotate(bool),
    SaveAndLoad,
}

fn any_axis() -> impl Strategy<Value = Axis> {
    prop::sample::select(vec![Axis::Horizontal, Axis::Vertical])
}

fn any_dir() -> impl Strategy<Value = Dir> {
    prop::sample::select(vec![Dir::Left, Dir::Right, Dir::Up, Dir::Down])
}

fn any_area() -> impl Strategy<Value = Rect> {
    let size = prop_oneof![
        2 => (1u16..=1000, 1u16..=500),
        1 => (1u16..=12, 1u16..=8),
        1 => Just((1, 1)),
        1 => Just((1000, 500)),
    ];
    (size, 0u16..100, 0u16..100).prop_map(|((w, h), x, y)| Rect { x, y, w, h })
}

fn any_op() -> impl Strategy<Value = Op> {
    let share = prop_oneof![
        Just(Share::Half),
        any::<u8>().prop_map(Share::Percent),
        (0u16..1200).prop_map(Share::Cells)
    ];
    let at = 0usize..64;
    prop_oneof![
        5 => (at.clone(), any_axis(), share, any::<bool>()).prop_map(|(a, b, c, d)| Op::Split(a, b, c, d)),
        2 => at.clone().prop_map(Op::Remove),
        1 => (at.clone(), at.clone()).prop_map(|(a, b)| Op::Swap(a, b)),
        1 => at.clone().prop_map(Op::Replace),
        3 => (at.clone(), any_dir(), 0u16..1200).prop_map(|(a, b, c)| Op::Resize(a, b, c)),
        2 => (at, prop::option::of(0u16..1200), prop::option::of(0u16..600))
            .prop_map(|(a, b, c)| Op::ResizeTo(a, b, c)),
        1 => prop::sample::select(Preset::ALL.to_vec()).prop_map(Op::Preset),
        1 => any::<bool>().prop_map(Op::Rotate),
        1 => Just(Op::SaveAndLoad),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn panes_tile_every_area_and_none_is_lost(ops in prop::collection::vec((any_op(), any_area()), 1..60)) {
        let mut layout = Layout::single(p(0));
        let mut expected = vec![p(0)];
        let mut fresh = 1;
        for (op, area) in ops {
            let pick = |at: usize| layout.panes().get(at % layout.panes().len().max(1)).copied();
            let before = layout.rects(area);
            match op {
                Op::Split(at, axis, share, first) => {
                    let target = pick(at);
                    let done = layout.split(target.unwrap_or(p(0)), axis, p(fresh), share, first, area);
                    prop_assert_eq!(done, target.is_some());
                    if done { expected.push(p(fresh)); }
                    fresh += 1;
                }
                Op::Remove(at) => if let Some(pane) = pick(at) {
                    // The last one stays, so that there is something to go on with.
                    if expected.len() > 1 {
                        prop_assert!(layout.remove(pane));
                        expected.retain(|id| *id != pane);
                    }
                },
                Op::Swap(a, b) => if let (Some(a), Some(b)) = (pick(a), pick(b)) {
                    let (ra, rb) = (layout.rect_of(a, area), layout.rect_of(b, area));
                    prop_assert!(layout.swap(a, b));
                    prop_assert_eq!((layout.rect_of(b, area), layout.rect_of(a, area)), (ra, rb));
                },
                Op::Replace(at) => if let Some(pane) = pick(at) {
                    prop_assert!(layout.replace(pane, p(fresh)));
                    expected.retain(|id| *id != pane);
                    expected.push(p(fresh));
                    fresh += 1;
                },
                Op::Resize(at, dir, cells) => if let Some(pane) = pick(at) {
                    let changed = layout.resize(pane, dir, cells, area);
                    if !changed { prop_assert_eq!(&layout.rects(area), &before); }
                    check_minimum(&before, &layout.rects(area))?;
                },
                Op::ResizeTo(at, w, h) => if let Some(pane) = pick(at) {
                    layout.resize_to(pane, w, h, area);
                    check_minimum(&before, &layout.rects(area))?;
                },
                Op::Preset(preset) => {
                    let panes = layout.panes();
                    layout.apply_preset(preset);
                    prop_assert_eq!(layout.panes(), panes);
                }
                Op::Rotate(forward) => {
                    layout.rotate(forward);
                    let back = { let mut other = layout.clone(); other.rotate(!forward); other };
                    prop_assert_eq!(&back.rects(area), &before);
                }
                Op::SaveAndLoad => {
                    let text = serde_json::to_string(&layout).unwrap();
                    let loaded: Layout = serde_json::from_str(&text).unwrap();
                    prop_assert_eq!(&loaded, &layout);
                }
            }
            let mut panes = layout.panes();
            panes.sort();
            expected.sort();
            prop_assert_eq!(&panes, &expected);
            check_tiles(&layout, area)?;
            check_tiles(&layout, Rect { x: 0, y: 1, w: 80, h: 23 })?;
        }
    }

    #[test]
    fn every_focus_move_is_to_another_pane_that_touches(
        ops in prop::collection::vec((0usize..64, any_axis()), 0..12),
        dir in any_dir(), from in 0usize..64, area in any_area(),
    ) {
        let mut layout = Layout::single(p(0));
        for (n, (at, axis)) in ops.into_iter().enumerate() {
            let panes = layout.panes();
            layout.split(panes[at % panes.len()], axis, p(n as u32 + 1), Share::Half, false, area);
        }
        let panes = layout.panes();
        let from = panes[from % panes.len()];
        if let Some(to) = layout.neighbour(from, dir, area, &panes) {
            let (a, b) = (layout.rect_of(from, area).unwrap(), layout.rect_of(to, area).unwrap());
            let (a, b) = (a.span(dir.axis().across()), b.span(dir.axis().across()));
            prop_assert!(to != from && a.0 < b.1 && b.0 < a.1);
        }
    }
}

/// No pane that had its minimum was taken below it.
fn check_minimum(before: &[(PaneId, Rect)], after: &[(PaneId, Rect)]) -> Result<(), TestCaseError> {
    for ((id, old), (_, new)) in before.iter().zip(after) {
        if old.w >= MIN_WIDTH && old.h >= MIN_HEIGHT {
            prop_assert!(new.w >= MIN_WIDTH && new.h >= MIN_HEIGHT, "{} from {:?} to {:?}", id, old, new);
        }
    }
    Ok(())
}

#[test]
fn a_split_halves_the_target_and_joins_a_row_of_the_same_axis() {
    let layout = one_and_two();
    assert_eq!(
        layout.rects(area(80, 24)),
        [
            (p(1), Rect::new(0, 0, 40, 24)),
            (p(2), Rect::new(40, 0, 40, 12)),
            (p(3), Rect::new(40, 12, 40, 12))
        ]
    );
    let mut row = Layout::single(p(1));
    row.split(p(1), Axis::Horizontal, p(2), Share::Cells(20), true, area(80, 24));
    row.split(p(1), Axis::Horizontal, p(3), Share::Percent(25), false, area(80, 24));
    let widths: Vec<_> = row.rects(area(80, 24)).into_iter().map(|(id, r)| (id.0, r.w)).collect();
    assert_eq!(widths, [(2, 20), (1, 45), (3, 15)]);
    // One row, not a row in a row: the border between 2 and 1 moves without touching 3.
    assert!(row.resize(p(2), Dir::Right, 5, area(80, 24)));
    let widths: Vec<_> = row.rects(area(80, 24)).into_iter().map(|(id, r)| (id.0, r.w)).collect();
    assert_eq!(widths, [(2, 25), (1, 40), (3, 15)]);
}

#[test]
fn what_is_absent_or_doubled_changes_nothing() {
    let mut layout = one_and_two();
    let before = layout.clone();
    assert!(!layout.split(p(9), Axis::Vertical, p(4), Share::Half, false, area(80, 24)));
    assert!(!layout.split(p(1), Axis::Vertical, p(3), Share::Half, false, area(80, 24)));
    assert!(!layout.remove(p(9)));
    assert!(!layout.swap(p(1), p(9)));
    assert!(!layout.replace(p(9), p(4)));
    assert!(!layout.replace(p(1), p(2)));
    assert!(!layout.resize(p(9), Dir::Left, 3, area(80, 24)));
    assert_eq!(layout.neighbour(p(9), Dir::Left, area(80, 24), &[]), None);
    assert_eq!(layout.next(p(9)), None);
    assert_eq!(layout, before);
}

#[test]
fn the_space_of_a_removed_pane_goes_to_its_sibling() {
    let mut layout = one_and_two();
    assert!(layout.remove(p(3)));
    assert_eq!(layout.rect_of(p(2), area(80, 24)), Some(Rect::new(40, 0, 40, 24)));
    assert!(layout.remove(p(1)));
    assert_eq!(layout.rects(area(80, 24)), [(p(2), area(80, 24))]);
    assert!(layout.remove(p(2)));
    assert_eq!(layout, Layout::default());
    // The one before gets it, and for the first one the one after.
    for (gone, widths) in [(1, [60, 20]), (2, [60, 20]), (3, [40, 40])] {
        let mut row = Layout::single(p(1));
        row.split(p(1), Axis::Horizontal, p(2), Share::Half, false, area(80, 24));
        row.split(p(2), Axis::Horizontal, p(3), Share::Half, false, area(80, 24));
        assert!(row.remove(p(gone)));
        assert_eq!(row.rects(area(80, 24)).iter().map(|(_, r)| r.w).collect::<Vec<_>>(), widths, "{gone}");
    }
}

#[test]
fn resize_moves_the_border_that_tmux_moves() {
    let mut layout = one_and_two();
    // The last of a row has its left border moved: Right makes it narrower.
    assert!(layout.resize(p(3), Dir::Right, 10, area(80, 24)));
    assert_eq!(layout.rect_of(p(3), area(80, 24)), Some(Rect::new(50, 12, 30, 12)));
    assert!(layout.resize(p(2), Dir::Up, 4, area(80, 24)));
    assert_eq!(layout.rect_of(p(2), area(80, 24)), Some(Rect::new(50, 0, 30, 8)));
    // As far as it goes, then not at all.
    assert!(layout.resize(p(1), Dir::Right, 500, area(80, 24)));
    assert_eq!(layout.rect_of(p(1), area(80, 24)).map(|r| r.w), Some(80 - MIN_WIDTH));
    assert!(!layout.resize(p(1), Dir::Right, 1, area(80, 24)));
    // No border on that axis.
    assert!(!layout.resize(p(1), Dir::Down, 1, area(80, 24)));
}

#[test]
fn resize_pushes_panes_together_one_after_the_other() {
    let mut layout = Layout::single(p(1));
    layout.split(p(1), Axis::Horizontal, p(2), Share::Half, false, area(40, 10));
    layout.split(p(2), Axis::Horizontal, p(3), Share::Half, false, area(40, 10));
    assert!(layout.resize(p(1), Dir::Right, 12, area(40, 10)));
    let widths: Vec<_> = layout.rects(area(40, 10)).into_iter().map(|(_, r)| r.w).collect();
    assert_eq!(widths, [32, 4, 4]);
}

#[test]
fn resize_to_gives_exact_cells() {
    let mut layout = one_and_two();
    assert!(layout.resize_to(p(3), Some(33), Some(7), area(80, 24)));
    assert_eq!(layout.rect_of(p(3), area(80, 24)), Some(Rect::new(47, 17, 33, 7)));
    assert!(layout.resize_to(p(1), Some(61), Some(3), area(80, 24)));
    assert_eq!(layout.rect_of(p(1), area(80, 24)), Some(Rect::new(0, 0, 61, 24)));
    assert!(!layout.resize_to(p(1), Some(61), None, area(80, 24)));
}

#[test]
fn proportions_survive_a_small_client() {
    let mut layout = one_and_two();
    layout.resize_to(p(1), Some(60), None, area(80, 24));
    let before = layout.clone();
    layout.rects(area(1, 1));
    assert_eq!(layout, before);
    // A pane that its share would starve is kept usable while there is room.
    assert_eq!(layout.rect_of(p(2), area(12, 24)).map(|r| r.w), Some(MIN_WIDTH));
}

#[test]
fn focus_moves_to_the_touching_pane_used_last_and_wraps() {
    let layout = one_and_two();
    let go = |from, dir, recent: &[u32]| {
        let recent: Vec<_> = recent.iter().copied().map(p).collect();
        layout.neighbour(p(from), dir, area(80, 24), &recent).map(|id| id.0)
    };
    assert_eq!(go(1, Dir::Right, &[1, 3, 2]), Some(3));
    assert_eq!(go(1, Dir::Right, &[]), Some(2));
    assert_eq!(go(1, Dir::Left, &[2]), Some(2));
    assert_eq!(go(2, Dir::Left, &[2, 3]), Some(1));
    assert_eq!(go(3, Dir::Down, &[]), Some(2));
    assert_eq!(go(2, Dir::Right, &[]), Some(1));
    assert_eq!(go(1, Dir::Up, &[]), None);
}

#[test]
fn order_goes_round() {
    let mut layout = one_and_two();
    assert_eq!(layout.next(p(3)), Some(p(1)));
    assert_eq!(layout.previous(p(1)), Some(p(3)));
    assert_eq!(layout.next(p(1)), Some(p(2)));
    layout.rotate(true);
    assert_eq!(layout.panes(), [p(3), p(1), p(2)]);
    layout.rotate(false);
    assert_eq!(layout.panes(), [p(1), p(2), p(3)]);
}

#[test]
fn presets_arrange_as_named() {
    let shapes = |preset: Preset, panes: u32| {
        let mut layout = Layout::single(p(1));
        for n in 2..=panes {
            layout.split(p(n - 1), Axis::Vertical, p(n), Share::Half, false, area(100, 30));
        }
        layout.apply_preset(preset);
        layout.rects(area(100, 30)).into_iter().map(|(_, r)| (r.x, r.y, r.w, r.h)).collect::<Vec<_>>()
    };
    assert_eq!(
        shapes(Preset::EvenHorizontal, 4),
        [(0, 0, 25, 30), (25, 0, 25, 30), (50, 0, 25, 30), (75, 0, 25, 30)]
    );
    assert_eq!(shapes(Preset::EvenVertical, 3), [(0, 0, 100, 10), (0, 10, 100, 10), (0, 20, 100, 10)]);
    assert_eq!(shapes(Preset::MainHorizontal, 3), [(0, 0, 100, 18), (0, 18, 50, 12), (50, 18, 50, 12)]);
    assert_eq!(shapes(Preset::MainVertical, 3), [(0, 0, 60, 30), (60, 0, 40, 15), (60, 15, 40, 15)]);
    assert_eq!(shapes(Preset::Tiled, 3), [(0, 0, 50, 15), (50, 0, 50, 15), (0, 15, 100, 15)]);
    assert_eq!(shapes(Preset::Tiled, 1), [(0, 0, 100, 30)]);
}

#[test]
fn preset_names_are_tmux_names() {
    for preset in Preset::ALL {
        assert_eq!(preset.name().parse(), Ok(preset));
    }
    assert_eq!("tile".parse(), Ok(Preset::Tiled));
    assert_eq!("main-v".parse(), Ok(Preset::MainVertical));
    assert_eq!("even".parse::<Preset>().unwrap_err().name, "even");
    assert_eq!("tilde".parse::<Preset>().unwrap_err().nearest, Preset::Tiled);
    assert_eq!(Preset::Tiled.next(), Preset::EvenHorizontal);
}

#[test]
fn a_damaged_file_loads_as_a_sound_tree() {
    let text = r#"{"split":{"axis":"horizontal","children":[
        {"weight":0,"node":{"pane":1}},
        {"weight":0,"node":{"split":{"axis":"horizontal","children":[
            {"weight":4294967295,"node":{"pane":2}},{"weight":4294967295,"node":{"pane":1}},
            {"weight":4294967295,"node":{"pane":3}}]}}},
        {"weight":0,"node":{"split":{"axis":"vertical","children":[]}}}]}}"#;
    let layout: Layout = serde_json::from_str(text).unwrap();
    let widths: Vec<_> = layout.rects(area(80, 24)).into_iter().map(|(id, r)| (id.0, r.w)).collect();
    assert_eq!(widths, [(1, 40), (2, 20), (3, 20)]);
    assert_eq!(serde_json::from_str::<Layout>("null").unwrap(), Layout::default());
}
