use super::*;
use proptest::prelude::*;
use std::str::FromStr as _;

/// Lines of text; one that ends in `\` goes on in the next.
#[derive(Debug)]
struct Text(Vec<String>);

impl Text {
    fn new(text: &str) -> Self {
        Self(text.split('\n').map(str::to_owned).collect())
    }
}

impl Lines for Text {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn read(&self, line: usize, row: &mut Row) {
        row.clear();
        let mut col = 0;
        for c in self.0.get(line).map_or("", String::as_str).trim_end_matches('\\').chars() {
            let width = if c > '\u{2000}' { 2 } else { 1 };
            row.push(c, col, width);
            col += width;
        }
        if !self.wrapped(line) {
            row.trim();
        }
    }
    fn wrapped(&self, line: usize) -> bool {
        line + 1 < self.0.len() && self.0[line].ends_with('\\')
    }
}

fn at(line: usize, col: u16) -> Pos {
    Pos { line, col }
}

/// Presses keys from the beginning of the text; says where the cursor is and what the last key came to.
fn press(keys: ModeKeys, text: &Text, rows: u16, notation: &str) -> (Copy, Outcome) {
    let mut copy = Copy::new(keys, text, rows, at(0, 0));
    copy.show(text);
    let mut outcome = Outcome::Stay;
    for key in notation.split_whitespace() {
        outcome = copy.key(&Key::from_str(key).unwrap(), text);
    }
    (copy, outcome)
}

fn cursor(text: &Text, notation: &str) -> Pos {
    press(ModeKeys::Vi, text, 4, notation).0.cursor()
}

fn copied(keys: ModeKeys, text: &Text, notation: &str) -> String {
    match press(keys, text, 4, notation).1 {
        Outcome::Copied { text, cut: false } => text,
        other => panic!("{notation}: {other:?}"),
    }
}

#[test]
fn words_are_walked_as_in_vi() {
    let text = Text::new("let a = fn(b);\n\n  next wor\\\nds here  \n");
    for (keys, wanted) in [
        ("w", at(0, 4)),
        ("w w", at(0, 6)),
        ("3 w", at(0, 8)),
        ("4 w", at(0, 10)),
        ("W W W", at(0, 8)),
        ("W W W W", at(1, 0)),
        ("5 W", at(2, 2)),
        ("6 W", at(2, 7)),
        // The word goes on in the next line, which only wrapping made.
        ("7 W", at(3, 3)),
        ("6 W e", at(3, 1)),
        ("e", at(0, 2)),
        ("E E E E", at(0, 13)),
        ("G k w w b", at(3, 3)),
        ("G b b", at(2, 7)),
        ("G b b b b", at(1, 0)),
        ("4 W b", at(0, 12)),
        ("4 W B", at(0, 8)),
        ("G 9 w", at(4, 0)),
        ("b", at(0, 0)),
    ] {
        assert_eq!(cursor(&text, keys), wanted, "{keys}");
    }
}

#[test]
fn lines_columns_and_paragraphs_are_walked_as_in_vi() {
    let text = Text::new("abcdef\n  xy\n\nlast one\nend");
    for (keys, wanted) in [
        ("$", at(0, 5)),
        ("$ j", at(1, 3)),
        ("$ j j k k", at(0, 5)),
        ("4 l j j j", at(3, 4)),
        ("j ^", at(1, 2)),
        ("j $ 0", at(1, 0)),
        ("9 9 9 l", at(0, 5)),
        ("l l h h h", at(0, 0)),
        ("G", at(4, 0)),
        ("G g", at(0, 0)),
        ("4 G", at(3, 0)),
        ("1 0 G", at(4, 0)),
        ("L", at(3, 0)),
        ("2 L", at(2, 0)),
        ("L H", at(0, 0)),
        ("2 H", at(1, 0)),
        ("M", at(1, 0)),
        ("}", at(2, 0)),
        ("} }", at(4, 0)),
        ("G {", at(2, 0)),
        ("G { {", at(0, 0)),
        ("f d", at(0, 3)),
        ("t d", at(0, 2)),
        ("t d ;", at(0, 2)),
        ("$ F b", at(0, 1)),
        ("$ T b", at(0, 2)),
        ("f z", at(0, 0)),
        ("3 G j f e ;", at(3, 7)),
        ("3 G j f e ; ,", at(3, 7)),
        ("3 G j 2 f o", at(3, 5)),
    ] {
        assert_eq!(cursor(&text, keys), wanted, "{keys}");
    }
}

#[test]
fn the_view_follows_the_cursor_and_scrolls_by_pages() {
    let text = Text::new(&(0..50).map(|n| n.to_string()).collect::<Vec<_>>().join("\n"));
    for (keys, top, line) in [
        ("G", 40, 49),
        ("G k", 40, 48),
        ("G 1 2 k", 37, 37),
        ("C-f", 8, 8),
        ("C-f C-b", 0, 0),
        ("C-d", 5, 5),
        ("C-d C-u", 0, 0),
        ("3 C-e", 3, 3),
        ("3 C-e C-y", 2, 3),
        ("G C-y", 39, 48),
        ("PageDown PageDown", 16, 16),
        ("G C-b", 32, 41),
    ] {
        let (copy, _) = press(ModeKeys::Vi, &text, 10, keys);
        assert_eq!((copy.top(), copy.cursor().line), (top, line), "{keys}");
    }
}

#[test]
fn what_is_selected_is_copied() {
    let text = Text::new("one two  \n三 four\nlong li\\\nne\n\nend");
    for (keys, wanted) in [
        ("v e y", "one"),
        ("w v y", "t"),
        ("v $ Enter", "one two"),
        ("v j y", "one two\n三"),
        ("v j l y", "one two\n三 "),
        ("j l v $ o y", " four"),
        ("j j v j y", "long lin"),
        ("V y", "one two\n"),
        ("j V j j y", "三 four\nlong line\n"),
        ("V G y", "one two\n三 four\nlong line\n\nend\n"),
        ("C-v j l l y", "one\n三 f"),
        ("l C-v j l y", "ne\n "),
        ("v l l R j y", "one\n三 "),
        ("2 Y", "one two\n三 four\n"),
        ("w D", "two"),
        ("4 G j V y", "\n"),
        ("v j Space l y", "三 "),
    ] {
        assert_eq!(copied(ModeKeys::Vi, &text, keys), wanted, "{keys}");
    }
    for (keys, wanted) in [
        ("C-Space C-e M-w", "one two"),
        ("C-Space M-f C-w", "on"),
        ("C-f C-Space C-f C-f M-w", "ne"),
        ("C-Space C-n C-n M-w", "one two\n三 four\n"),
        ("C-k", "one two"),
    ] {
        assert_eq!(copied(ModeKeys::Emacs, &text, keys), wanted, "{keys}");
    }
}

#[test]
fn selections_begin_change_and_end() {
    let text = Text::new("one two\nthree");
    let kind = |keys: &str| press(ModeKeys::Vi, &text, 4, keys).0.selection().map(|s| s.kind);
    assert_eq!(kind("v"), Some(Kind::Chars));
    assert_eq!(kind("v v"), None);
    assert_eq!(kind("v V"), Some(Kind::Lines));
    assert_eq!(kind("V C-v"), Some(Kind::Rectangle));
    assert_eq!(kind("C-v Escape"), None);
    let (copy, _) = press(ModeKeys::Vi, &text, 4, "v w o");
    assert_eq!((copy.cursor(), copy.selection().unwrap().anchor), (at(0, 0), at(0, 4)));
    assert_eq!(press(ModeKeys::Vi, &text, 4, "v Escape").1, Outcome::Stay);
    for (keys, leave) in [
        (ModeKeys::Vi, "q"),
        (ModeKeys::Vi, "Escape"),
        (ModeKeys::Vi, "Enter"),
        (ModeKeys::Vi, "C-c"),
        (ModeKeys::Emacs, "q"),
        (ModeKeys::Emacs, "C-g"),
    ] {
        assert_eq!(press(keys, &text, 4, leave).1, Outcome::Leave, "{leave}");
    }
}

#[test]
fn searches_go_on_around_the_text_and_are_counted() {
    let text = Text::new("one Two\ntwo wor\\\nd three\nTWO");
    let tally = |keys: &str| {
        let (copy, _) = press(ModeKeys::Vi, &text, 4, keys);
        let tally = copy.tally().unwrap();
        (copy.cursor(), tally.at, tally.of)
    };
    assert_eq!(tally("/ t w o Enter"), (at(0, 4), 1, 3));
    assert_eq!(tally("/ t w o Enter n"), (at(1, 0), 2, 3));
    assert_eq!(tally("/ t w o Enter 3 n"), (at(0, 4), 1, 3));
    assert_eq!(tally("/ t w o Enter N"), (at(3, 0), 3, 3));
    assert_eq!(tally("? t w o Enter"), (at(3, 0), 3, 3));
    assert_eq!(tally("? t w o Enter n"), (at(1, 0), 2, 3));
    assert_eq!(tally("/ T w Enter"), (at(0, 4), 1, 1), "a capital matters");
    assert_eq!(tally("/ w o r d Enter"), (at(1, 4), 1, 1), "over a wrapped line");
    assert_eq!(tally("/ ^ T W O $ Enter"), (at(3, 0), 1, 1), "an expression");
    assert_eq!(tally("/ t . . e Enter"), (at(2, 2), 1, 1));
    // As it is typed, the nearest from where it began; given up, back to there.
    assert_eq!(tally("j / t h"), (at(2, 2), 1, 1));
    assert_eq!(cursor(&text, "j / t h Escape"), at(1, 0));
    assert_eq!(cursor(&text, "j / t h BSpace BSpace"), at(1, 0));
    assert_eq!(cursor(&text, "j / t h BSpace BSpace BSpace"), at(1, 0));
    let (mut copy, _) = press(ModeKeys::Vi, &text, 4, "j / q");
    assert_eq!((copy.cursor(), copy.tally()), (at(1, 0), Some(Tally::default())));
    assert_eq!(copy.take_notice(), None);
    copy.key(&Key::from_str("Enter").unwrap(), &text);
    assert_eq!(copy.take_notice().as_deref(), Some("q is not there"));
    let (mut copy, _) = press(ModeKeys::Vi, &text, 4, "n");
    assert!(copy.take_notice().is_some());
    assert_eq!(copy.prompt(), None);
}

#[test]
fn what_is_no_expression_is_looked_for_as_it_is() {
    let text = Text::new("a (b [c\nplain");
    let find = |pattern| Pattern::new(pattern).unwrap().find(&text, at(1, 0), false).map(|found| found.0);
    assert_eq!(find("(b ["), Some(at(0, 2)));
    assert_eq!(find("[c"), Some(at(0, 5)));
    assert_eq!(find("x*"), None, "nothing is no match");
    assert!(Pattern::new("").is_none());
    assert_eq!(Pattern::new(&"x".repeat(1000)).unwrap().text().len(), MAX_PATTERN);
}

#[test]
fn matches_are_named_by_their_columns() {
    let text = Text::new("三x 三x\nab\\\ncd");
    let (copy, _) = press(ModeKeys::Vi, &text, 4, "/ x | b c Enter");
    let spans: Vec<_> = copy.matches(&text).into_iter().map(|span| (span.line, span.cols)).collect();
    assert_eq!(spans, [(0, 2..3), (0, 6..7), (1, 1..2), (2, 0..1)]);
}

#[test]
fn places_stay_with_their_text_while_lines_go_away_above() {
    let text = Text::new(&(0..20).map(|n| n.to_string()).collect::<Vec<_>>().join("\n"));
    let (mut copy, _) = press(ModeKeys::Vi, &text, 5, "9 G v 2 j");
    copy.lose(6);
    assert_eq!((copy.cursor(), copy.selection().unwrap().anchor, copy.top()), (at(4, 0), at(2, 0), 0));
    copy.lose(3);
    assert_eq!((copy.cursor(), copy.selection().unwrap().anchor), (at(1, 0), at(0, 0)));
}

#[test]
fn the_largest_copy_is_bounded() {
    struct Endless;
    impl Lines for Endless {
        fn count(&self) -> usize {
            1 << 20
        }
        fn read(&self, _: usize, row: &mut Row) {
            row.clear();
            (0..100).for_each(|col| row.push('x', col, 1));
        }
        fn wrapped(&self, _: usize) -> bool {
            false
        }
    }
    let covered = Covered {
        selection: Selection { anchor: at(0, 0), kind: Kind::Lines },
        cursor: at((1 << 20) - 1, 0),
        inclusive: true,
    };
    let (text, cut) = covered.text(&Endless);
    assert!(cut && text.len() <= MAX_COPY && text.len() > MAX_COPY - 200, "{}", text.len());
}

fn texts() -> impl Strategy<Value = Text> {
    let line = "([ab_.( ]|三){0,9}\\\\?";
    prop::collection::vec(line, 1..12).prop_map(Text)
}

fn motions() -> impl Strategy<Value = Motion> {
    let flag = any::<bool>;
    prop_oneof![
        prop::sample::select(vec![
            Motion::Left,
            Motion::Right,
            Motion::Up,
            Motion::Down,
            Motion::LineStart,
            Motion::LineEnd,
            Motion::Indentation,
            Motion::Top,
            Motion::Bottom,
            Motion::ViewTop,
            Motion::ViewMiddle,
            Motion::ViewBottom,
            Motion::HalfUp,
            Motion::HalfDown,
            Motion::PageUp,
            Motion::PageDown,
            Motion::ScrollUp,
            Motion::ScrollDown,
            Motion::ParagraphBack,
            Motion::ParagraphNext,
        ]),
        flag().prop_map(|big| Motion::WordNext { big }),
        flag().prop_map(|big| Motion::WordBack { big }),
        flag().prop_map(|big| Motion::WordEnd { big }),
        flag().prop_map(|opposite| Motion::FindAgain { opposite }),
        flag().prop_map(|opposite| Motion::SearchAgain { opposite }),
        (flag(), flag(), prop::sample::select(vec!['a', '.', '三']))
            .prop_map(|(back, before, c)| Motion::Find(Find { back, before }, c)),
    ]
}

proptest! {
    #[test]
    fn motions_never_leave_the_text(
        text in texts(),
        emacs in any::<bool>(),
        rows in 1_u16..8,
        steps in prop::collection::vec((motions(), 0_usize..4), 1..20),
    ) {
        let keys = if emacs { ModeKeys::Emacs } else { ModeKeys::Vi };
        let mut copy = Copy::new(keys, &text, rows, at(99, 99));
        copy.searched = Pattern::new("a").map(|p| Searched { pattern: p, back: false, tally: Tally::default() });
        let mut row = Row::default();
        for (motion, count) in steps {
            copy.count = count;
            copy.go(motion, &text);
            let pos = copy.cursor();
            prop_assert!(pos.line < text.count(), "{motion:?}");
            prop_assert!((copy.top()..copy.top() + usize::from(rows)).contains(&pos.line), "{motion:?} {copy:?}");
            prop_assert!(copy.top() + usize::from(rows) <= text.count().max(usize::from(rows)), "{motion:?}");
            text.read(pos.line, &mut row);
            let on_text = (0..row.len()).any(|at| row.cols(at).start == pos.col);
            prop_assert!(on_text || pos.col == if emacs { row.end() } else { 0 }, "{motion:?} {pos:?}");
        }
    }

    #[test]
    fn a_count_is_that_many_times(text in texts(), line in 0_usize..12, col in 0_u16..9, motion in motions(), count in 1_usize..6) {
        // With these the count is a line of the text or of the view.
        prop_assume!(!matches!(motion, Motion::Top | Motion::Bottom | Motion::ViewTop | Motion::ViewBottom));
        let mut once = Copy::new(ModeKeys::Vi, &text, 4, at(line, col));
        once.searched = Pattern::new("a").map(|p| Searched { pattern: p, back: false, tally: Tally::default() });
        let mut often = once.clone();
        once.count = count;
        once.go(motion, &text);
        for _ in 0..count {
            often.go(motion, &text);
        }
        prop_assert_eq!((once.cursor(), once.top()), (often.cursor(), often.top()));
    }

    #[test]
    fn next_and_previous_match_undo_each_other(text in texts(), line in 0_usize..12, col in 0_u16..9, back in any::<bool>()) {
        let pattern = Pattern::new("a.?").unwrap();
        if let Some((start, tally)) = pattern.find(&text, at(line, col), back) {
            let (next, _) = pattern.find(&text, start, back).unwrap();
            prop_assert_eq!(pattern.find(&text, next, !back), Some((start, tally)));
        }
    }

    #[test]
    fn any_keys_leave_a_cursor_in_the_text(
        text in texts(),
        keys in prop::collection::vec("[hjklwbeWBE0^$gGHML{}vVyY/?nNfFtT;,oR1-9a ]|C-u|C-d|C-b|C-f|C-v|Enter|Escape|BSpace|M-w|C-Space", 0..30),
        lost in 0_usize..3,
    ) {
        for mode in [ModeKeys::Vi, ModeKeys::Emacs] {
            let mut copy = Copy::new(mode, &text, 3, at(99, 0));
            for key in &keys {
                let notation = if key == " " { "Space" } else { key };
                copy.key(&Key::from_str(notation).unwrap(), &text);
                prop_assert!(copy.cursor().line < text.count());
                prop_assert!((copy.top()..copy.top() + 3).contains(&copy.cursor().line));
            }
            copy.lose(lost);
            let mut row = Row::default();
            for line in 0..text.count() {
                text.read(line, &mut row);
                copy.selected(line, &row);
            }
        }
    }
}

/// Text in which lines that begin with `$` are prompts.
#[derive(Debug)]
struct Prompted(Text);

impl Lines for Prompted {
    fn count(&self) -> usize {
        self.0.count()
    }
    fn read(&self, line: usize, row: &mut Row) {
        self.0.read(line, row);
    }
    fn wrapped(&self, line: usize) -> bool {
        self.0.wrapped(line)
    }
    fn begins_turn(&self, line: usize) -> bool {
        self.0.0[line].starts_with('$')
    }
}

#[test]
fn prompts_are_jumped_between() {
    let text = Prompted(Text::new("$ one\na\nb\nc\nd\n$ two\ne\n$ three"));
    let mut copy = Copy::new(ModeKeys::Vi, &text, 3, at(6, 1));
    let mut go = |key: &str| {
        copy.key(&Key::from_str(key).unwrap(), &text);
        (copy.cursor().line, copy.top(), copy.take_notice())
    };
    assert_eq!(go("["), (5, 5, None));
    assert_eq!(go("["), (0, 0, None));
    assert_eq!(go("["), (0, 0, Some("no prompt is known before this".into())));
    assert_eq!(go("2"), (0, 0, None));
    assert_eq!(go("]"), (7, 5, None));
    assert_eq!(go("]"), (7, 5, Some("no prompt is known behind this".into())));
}

#[test]
fn words_lines_and_addresses_are_selected_whole() {
    let text = Text::new(
        "say some_word, please\nsee https://example.org/a?b=(c). and\nsrc/main.rs:12:3 is it\nwra\\\npped",
    );
    let selected = |keys, line, col, select: fn(&mut Copy, &Text)| {
        let mut copy = Copy::new(keys, &text, 4, at(line, col));
        select(&mut copy, &text);
        match copy.copy(&text) {
            Outcome::Copied { text, .. } => text,
            other => panic!("{other:?}"),
        }
    };
    for keys in [ModeKeys::Vi, ModeKeys::Emacs] {
        let word: fn(&mut Copy, &Text) = |copy, text| copy.select_word(text);
        assert_eq!(selected(keys, 0, 6, word), "some_word");
        assert_eq!(selected(keys, 0, 13, word), ",");
        assert_eq!(selected(keys, 3, 1, word), "wrapped");
        let line: fn(&mut Copy, &Text) = |copy, text| copy.select_line(text);
        assert_eq!(selected(keys, 4, 1, line), "wrapped\n");
        let link: fn(&mut Copy, &Text) = |copy, text| {
            copy.key(&Key::from_str("u").unwrap(), text);
        };
        assert_eq!(selected(keys, 1, 20, link), "https://example.org/a?b=(c");
        assert_eq!(selected(keys, 2, 6, link), "src/main.rs:12:3");
    }
    let mut copy = Copy::new(ModeKeys::Vi, &text, 4, at(0, 0));
    copy.key(&Key::from_str("u").unwrap(), &text);
    assert_eq!(copy.take_notice().as_deref(), Some("no address or path is under the cursor"));
}

#[test]
fn the_word_under_the_cursor_is_searched() {
    let text = Text::new("a.b axb\nnext a.b");
    assert_eq!(cursor(&text, "*"), at(0, 4), "a");
    let text = Text::new("cat dog\ncats\ndog cat");
    assert_eq!(cursor(&text, "*"), at(1, 0));
    assert_eq!(cursor(&text, "* n"), at(2, 4));
    assert_eq!(cursor(&text, "#"), at(2, 4));
    assert_eq!(cursor(&Text::new(""), "*"), at(0, 0));
}

#[test]
fn lines_are_numbered_when_asked() {
    let text = Text::new("a\nb");
    assert!(press(ModeKeys::Vi, &text, 2, "=").0.numbers());
    assert!(!press(ModeKeys::Vi, &text, 2, "= =").0.numbers());
}
