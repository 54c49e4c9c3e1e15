//! History that is taken out of the core, beside an emulator that leaves all of it there.
use super::*;

/// All that stands there but blanks. How many blank rows are between history and screen after a resize, and where in
/// its line the cursor comes to stand, depends on how much of the history the core knew.
fn all(emulator: &Emulator) -> String {
    let text = emulator.capture(Some(i32::MIN), None, false, true);
    text.split_whitespace().collect::<Vec<_>>().concat()
}

fn pair(cols: u16, rows: u16) -> (Emulator, Emulator) {
    let packed = Emulator::new(cols, rows, 100_000, Palette::default());
    let mut whole = Emulator::new(cols, rows, 100_000, Palette::default());
    whole.screen.all_in_core = true;
    whole.screen.term.grid_mut().update_history(100_000);
    (packed, whole)
}

/// Something that happens to a pane.
#[derive(Clone, Debug)]
enum Step {
    Feed(String),
    Resize(u16, u16),
}

fn output() -> impl Strategy<Value = String> {
    let lines = |text: &'static str, most: usize| {
        (1..most).prop_map(move |n| (0..n).map(|i| format!("{text}{i}\r\n")).collect::<String>())
    };
    prop_oneof![
        4 => lines("line ", 150),
        2 => lines("a longer line that wraps in most of the sizes that are tried here ", 40),
        1 => lines("\x1b[1;31mred\x1b[0m plain \x1b[48;5;4m  \x1b[0m ", 20),
        1 => lines("\t\x1b]8;;http://x\x07link\x1b]8;;\x07 e\u{301} ", 20),
        1 => (1usize..600).prop_map(|n| "x".repeat(n)),
        1 => Just("\n\n\n\n".to_owned()),
        1 => lines("日本語 wide ✅ and narrow ", 20),
        1 => Just("\x1b[?1049hfull screen".to_owned()),
        2 => Just("\x1b[?1049l".to_owned()),
        1 => Just("prompt $ ".to_owned()),
        1 => Just("\x1b[3S".to_owned()),
        1 => Just("\x1b[2J\x1b[H".to_owned()),
    ]
}

/// What writes over rows that stood somewhere already, so that it matters where.
fn rewriting() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\x1b[1;3r\x1b[3;1Ha\nb\nc\nd\n\x1b[r\x1b[99;1H".to_owned()),
        Just("\x1b[H\x1b[2M\x1b[99;1H".to_owned()),
        Just("\x1b[H\x1bM\x1b[2L\x1b[99;1H".to_owned()),
        Just("\x1b[5;5Hover\x1b[J".to_owned()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => output().prop_map(Step::Feed),
        1 => (2u16..60, 1u16..30).prop_map(|(cols, rows)| Step::Resize(cols, rows)),
    ]
}

fn apply(emulator: &mut Emulator, step: &Step) {
    match step {
        Step::Feed(text) => emulator.feed(text.as_bytes(), Instant::now(), &mut FeedOutput::default()),
        Step::Resize(cols, rows) => {
            emulator.resize(*cols, *rows);
            emulator.feed(b"\x1b[999;1H\r\n", Instant::now(), &mut FeedOutput::default());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_is_lost_or_doubled_by_output_and_resizes(
        cols in 2u16..60,
        rows in 1u16..30,
        steps in proptest::collection::vec(step(), 1..14),
    ) {
        let (mut packed, mut whole) = pair(cols, rows);
        for (at, step) in steps.iter().enumerate() {
            apply(&mut packed, step);
            apply(&mut whole, step);
            prop_assert_eq!(all(&packed), all(&whole), "after step {}", at);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn without_resizes_every_row_is_the_same(
        cols in 2u16..60,
        rows in 1u16..30,
        output in proptest::collection::vec(prop_oneof![3 => output(), 1 => rewriting()], 1..14),
    ) {
        let (mut packed, mut whole) = pair(cols, rows);
        for text in output {
            let step = Step::Feed(text);
            apply(&mut packed, &step);
            apply(&mut whole, &step);
        }
        let rows = |emulator: &Emulator| emulator.capture(Some(i32::MIN), None, true, false);
        prop_assert_eq!(rows(&packed), rows(&whole));
        prop_assert_eq!(packed.cursor(), whole.cursor());
    }
}
