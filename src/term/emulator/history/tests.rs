use super::*;

fn plain(text: &str) -> Vec<Cell> {
    text.chars().map(|c| Cell { c, ..Cell::default() }).collect()
}

fn text(history: &History) -> Vec<String> {
    (0..history.rows()).map(|at| history.row(at).unwrap().cells.iter().map(|cell| cell.c).collect()).collect()
}

#[test]
fn lines_are_laid_out_for_the_width_that_reads_them() {
    let mut history = History::new(4, 100);
    history.push(&plain("abcd"), true);
    history.push(&plain("ef  "), false);
    history.push(&plain("    "), false);
    assert_eq!(text(&history), ["abcd", "ef", ""]);
    assert!(history.wrapped(0) && !history.wrapped(1) && !history.wrapped(2));
    history.set_width(5);
    assert_eq!(text(&history), ["abcde", "f", ""]);
    history.set_width(2);
    assert_eq!(text(&history), ["ab", "cd", "ef", ""]);
    history.set_width(80);
    assert_eq!(text(&history), ["abcdef", ""]);
}

#[test]
fn a_wide_character_is_never_parted() {
    let mut wide = plain("a日 b");
    wide[1].flags.insert(Flags::WIDE_CHAR);
    wide[2].flags.insert(Flags::WIDE_CHAR_SPACER);
    let mut history = History::new(4, 100);
    history.push(&wide, false);
    for (width, rows) in [(4, vec!["a日 b"]), (3, vec!["a日 ", "b"]), (2, vec!["a", "日 ", "b"])] {
        history.set_width(width);
        assert_eq!(text(&history), rows, "{width}");
    }
}

#[test]
fn the_oldest_go_and_their_numbers_with_them() {
    let mut history = History::new(10, 1000);
    for n in 0..5000 {
        history.push(&plain(&format!("{n}")), false);
    }
    assert!((1000..1000 + SEGMENT_LINES).contains(&history.rows()), "{}", history.rows());
    assert_eq!(history.gone() + history.rows() as u64, 5000);
    assert_eq!(text(&history)[0], history.gone().to_string());
    assert_eq!(text(&history).last().unwrap(), "4999");
    let mut none = History::new(10, 0);
    none.push(&plain("x"), true);
    assert_eq!((none.rows(), none.gone()), (0, 1));
}

#[test]
fn what_is_taken_out_can_be_put_back() {
    let mut history = History::new(4, 100);
    for (row, wrapped) in [("aaaa", true), ("bb", false), ("cccc", true)] {
        history.push(&plain(row), wrapped);
    }
    let rows = history.pop().unwrap();
    assert!(rows.len() == 1 && rows[0].wrapped);
    history.push(&rows[0].cells, true);
    history.push(&plain("d"), false);
    assert_eq!(text(&history), ["aaaa", "bb", "cccc", "d"]);
    assert_eq!(history.pop().unwrap().len(), 2);
    assert_eq!(history.pop().unwrap().len(), 2);
    assert!(history.pop().is_none());
    assert_eq!(history.rows(), 0);
}

#[test]
fn a_line_without_end_is_kept_in_parts_that_go_on() {
    let mut history = History::new(100, 10_000);
    for _ in 0..1000 {
        history.push(&plain(&"x".repeat(100)), true);
    }
    assert_eq!(history.rows(), 1000);
    assert!((0..1000).all(|at| history.wrapped(at)));
}

#[test]
fn ten_thousand_full_lines_take_little_more_than_their_text() {
    let mut history = History::new(80, 10_000);
    for _ in 0..10_000 {
        history.push(&plain(&"x".repeat(80)), false);
    }
    assert!(history.bytes() < 10_000 * 110, "{}", history.bytes());
}
