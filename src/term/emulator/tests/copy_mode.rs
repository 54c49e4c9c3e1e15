use super::*;
use crate::{
    mux::copy::{Lines as _, Row},
    term::emulator::Moved,
};

fn line(pane: &Pane, line: usize) -> String {
    let mut row = Row::default();
    pane.emulator.read(line, &mut row);
    row.text().to_owned()
}

#[test]
fn lines_are_read_from_the_top_of_history() {
    let mut pane = Pane::new(6, 2);
    pane.feed("first\r\nse\u{301}c三\r\n12345三wra \r\nlast");
    assert_eq!(pane.emulator.count(), pane.emulator.history_len() + 2);
    let lines: Vec<String> = (0..pane.emulator.count()).map(|at| line(&pane, at)).collect();
    assert_eq!(lines, ["first", "se\u{301}c三", "12345", "三wra", "last"]);
    let wrapped: Vec<bool> = (0..5).map(|at| pane.emulator.wrapped(at)).collect();
    assert_eq!(wrapped, [false, false, true, false, false]);
    let mut row = Row::default();
    pane.emulator.read(1, &mut row);
    assert_eq!((row.len(), row.end()), (4, 5), "a mark is no column, a wide character is two");
    pane.emulator.read(99, &mut row);
    assert!(row.is_empty());
}

#[test]
fn a_line_is_known_again_while_output_moves_it() {
    let mut pane = Pane::new(10, 4);
    let print = |pane: &mut Pane, range: std::ops::Range<usize>| {
        for n in range {
            pane.feed(format!("line {n}\r\n"));
        }
    };
    let empty = pane.emulator.anchor();
    assert_eq!(pane.emulator.moved_since(&empty), Moved::Lost(0));
    print(&mut pane, 0..50);
    let growing = pane.emulator.anchor();
    print(&mut pane, 50..90);
    assert_eq!(pane.emulator.moved_since(&growing), Moved::Lost(0), "history is not full");
    print(&mut pane, 90..120);
    // 117 lines went up, of which 100 are kept.
    assert_eq!(pane.emulator.moved_since(&growing), Moved::Lost(17));
    assert_eq!(line(&pane, 0), "line 17");
    let full = pane.emulator.anchor();
    // What scrolls within margins is not history.
    pane.feed("\x1b[2;4r\x1b[4;1Ha\nb\nc\nd\n\x1b[r");
    assert_eq!(pane.emulator.moved_since(&full), Moved::Lost(0));
    pane.feed("\x1b[4;1H");
    print(&mut pane, 0..7);
    assert_eq!(pane.emulator.moved_since(&full), Moved::Lost(7));
    print(&mut pane, 1000..1500);
    assert_eq!(pane.emulator.moved_since(&full), Moved::Lost(507));
}

#[test]
fn what_ends_the_numbering_is_told() {
    let mut pane = Pane::new(10, 4);
    for n in 0..9 {
        pane.feed(format!("{n}\r\n"));
    }
    let before = pane.emulator.anchor();
    pane.feed("\x1b[?1049h");
    assert_eq!(pane.emulator.moved_since(&before), Moved::Swapped);
    pane.feed("\x1b[?1049l");
    assert_eq!(pane.emulator.moved_since(&before), Moved::Lost(0));
    pane.emulator.resize(8, 4);
    assert_eq!(pane.emulator.moved_since(&before), Moved::Rewrapped);
    let before = pane.emulator.anchor();
    pane.feed("\x1b[3J");
    assert_eq!(pane.emulator.moved_since(&before), Moved::Gone);
}

fn prompts(pane: &Pane) -> Vec<String> {
    let lines = 0..pane.emulator.count();
    lines.filter(|at| pane.emulator.begins_turn(*at)).map(|at| line(pane, at)).collect()
}

#[test]
fn prompts_stay_with_their_lines() {
    let mut pane = Pane::new(20, 5);
    pane.emulator = Emulator::new(20, 5, 10_000, Palette::default());
    for n in 0..4 {
        pane.feed(format!("\x1b]133;A\x07$ command {n}\r\n\x1b]133;C\x07"));
        for line in 0..40 {
            pane.feed(format!("output {n}.{line} and more\r\n"));
        }
    }
    pane.feed("\x1b]133;A\x07$ ");
    let want = ["$ command 0", "$ command 1", "$ command 2", "$ command 3", "$"];
    assert_eq!(prompts(&pane), want);
    for (cols, rows) in [(9, 5), (40, 5), (40, 50), (12, 90), (20, 5)] {
        pane.emulator.resize(cols, rows);
        let found: Vec<String> = prompts(&pane);
        let begins: Vec<&str> = want.iter().map(|line| &line[..line.len().min(usize::from(cols))]).collect();
        assert_eq!(found, begins, "{cols}x{rows}");
    }
    // On the other screen there are none, and they are there again behind it.
    pane.feed("\x1b[?1049h\x1b]133;A\x07x");
    assert!(prompts(&pane).is_empty());
    pane.emulator.resize(30, 7);
    pane.feed("\x1b[?1049l");
    assert_eq!(prompts(&pane), want);
    pane.feed("\x1b[3J");
    assert!(prompts(&pane).len() <= 1, "{:?}", prompts(&pane));
}
