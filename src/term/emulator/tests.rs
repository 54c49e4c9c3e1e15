mod checks;
mod copy_mode;
mod packed;
use super::*;
use crate::term::canvas::{Canvas, Underline};
use proptest::prelude::*;
use ratatui::{
    layout::Rect,
    style::{Color, Modifier},
};

/// An emulator with a clock that stands still and everything that came out of it.
struct Pane {
    emulator: Emulator,
    out: FeedOutput,
    now: Instant,
}

impl Pane {
    fn new(cols: u16, rows: u16) -> Self {
        Self {
            emulator: Emulator::new(cols, rows, 100, Palette::default()),
            out: FeedOutput::default(),
            now: Instant::now(),
        }
    }

    fn feed(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.emulator.feed(bytes.as_ref(), self.now, &mut self.out);
        self
    }

    fn replies(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.out.replies.clear();
        self.feed(bytes);
        String::from_utf8(std::mem::take(&mut self.out.replies)).unwrap()
    }

    fn screen(&self) -> String {
        let text = self.emulator.capture(None, None, false, false);
        text.trim_end().to_owned()
    }

    fn at(&self) -> (u16, u16) {
        let cursor = self.emulator.cursor();
        (cursor.x, cursor.y)
    }

    fn canvas(&self) -> Canvas {
        let (cols, rows) = self.emulator.size();
        let mut canvas = Canvas::new(cols, rows);
        self.emulator.draw(&mut canvas, Rect::new(0, 0, cols, rows), 0);
        canvas
    }
}

#[test]
fn every_query_of_the_agents_is_answered() {
    let mut pane = Pane::new(80, 24);
    for (query, reply) in [
        ("\x1b[c", "\x1b[?64;6;21;22;28;52c"),
        ("\x1b[0c", "\x1b[?64;6;21;22;28;52c"),
        ("\x1bZ", "\x1b[?64;6;21;22;28;52c"),
        ("\x1b[>c", "\x1b[>41;354;0c"),
        ("\x1b[=c", "\x1bP!|494e5350\x1b\\"),
        ("\x1b[>q", concat!("\x1bP>|inspan ", env!("CARGO_PKG_VERSION"), "\x1b\\")),
        ("\x1b[>0q", concat!("\x1bP>|inspan ", env!("CARGO_PKG_VERSION"), "\x1b\\")),
        ("\x1b[5n", "\x1b[0n"),
        ("\x1b[6n", "\x1b[1;1R"),
        ("\x1b[?6n", "\x1b[?1;1;1R"),
        ("\x1b[?996n", "\x1b[?997;1n"),
        ("\x1b[14t", "\x1b[4;480;800t"),
        ("\x1b[16t", "\x1b[6;20;10t"),
        ("\x1b[18t", "\x1b[8;24;80t"),
        ("\x1b[?u", "\x1b[?0u"),
        ("\x1b[?4m", "\x1b[>4;0m"),
        ("\x1b[?1004$p", "\x1b[?1004;2$y"),
        ("\x1b[?1006$p", "\x1b[?1006;2$y"),
        ("\x1b[?1016$p", "\x1b[?1016;2$y"),
        ("\x1b[?2004$p", "\x1b[?2004;2$y"),
        ("\x1b[?2026$p", "\x1b[?2026;2$y"),
        ("\x1b[?2027$p", "\x1b[?2027;0$y"),
        ("\x1b[?2031$p", "\x1b[?2031;2$y"),
        ("\x1b[?7$p", "\x1b[?7;1$y"),
        ("\x1b[4$p", "\x1b[4;2$y"),
        ("\x1b]10;?\x1b\\", "\x1b]10;rgb:e5e5/e5e5/e5e5\x1b\\"),
        ("\x1b]11;?\x07", "\x1b]11;rgb:0000/0000/0000\x07"),
        ("\x1b]12;?\x1b\\", "\x1b]12;rgb:e5e5/e5e5/e5e5\x1b\\"),
        ("\x1b]17;?\x1b\\", "\x1b]17;rgb:0000/0000/0000\x1b\\"),
        ("\x1b]19;?\x1b\\", "\x1b]19;rgb:e5e5/e5e5/e5e5\x1b\\"),
        ("\x1b]4;1;?;255;?\x07", "\x1b]4;1;rgb:cdcd/0000/0000\x07\x1b]4;255;rgb:eeee/eeee/eeee\x07"),
        ("\x1bP+q4d73\x1b\\", "\x1bP1+r4d73=5C455D35323B25703125733B25703225735C303037\x1b\\"),
        ("\x1bP+q5463;7878\x1b\\", "\x1bP1+r5463\x1b\\\x1bP0+r7878\x1b\\"),
        ("\x1bP$qm\x1b\\", "\x1bP1$r0m\x1b\\"),
        ("\x1bP$qr\x1b\\", "\x1bP1$r1;24r\x1b\\"),
        ("\x1bP$qz\x1b\\", "\x1bP0$r\x1b\\"),
        ("\x1b]99;i=x:p=?;\x1b\\", "\x1b]99;i=x:p=?;o=always:p=title,body,?\x1b\\"),
        // Swallowed without an answer.
        ("\x1b]7501;?\x07", ""),
        ("\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", ""),
        ("\x1b]66;w=1; \x1b\\", ""),
        ("\x1b]1337;Capabilities\x1b\\", ""),
        ("\x1b]52;c;?\x07", ""),
        ("\x1b[>4;?m", ""),
    ] {
        assert_eq!(pane.replies(query), reply, "{query:?}");
        for cut in 1..query.len() {
            let mut torn = pane.replies(&query[..cut]);
            torn += &pane.replies(&query[cut..]);
            assert_eq!(torn, reply, "{query:?} cut at {cut}");
        }
    }
    assert_eq!(pane.screen(), "", "nothing of a query is printed");
    assert_eq!(pane.at(), (0, 0));
}

#[test]
fn a_position_report_names_the_place_in_the_stream_where_it_was_asked() {
    let mut pane = Pane::new(80, 24);
    let replies = pane.replies("abc\x1b[6n\r\nde\x1b[?6n\x1b[c\x1b[5;9H\x1b[6n\x1b]11;?\x07f\x1b[6n");
    assert_eq!(
        replies,
        "\x1b[1;4R\x1b[?2;3;1R\x1b[?64;6;21;22;28;52c\x1b[5;9R\x1b]11;rgb:0000/0000/0000\x07\x1b[5;10R"
    );
    let replies = pane.replies("\x1b[5;10r\x1b[?6h\x1b[2;3H\x1b[6n\x1b[?6l\x1b[r");
    assert_eq!(replies, "\x1b[2;3R", "relative to the region in origin mode");
}

#[test]
fn modes_are_tracked() {
    let mut pane = Pane::new(80, 24);
    pane.feed("\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1015h\x1b[?1006h");
    pane.feed("\x1b[>4;2m\x1b[?2031h\x1b[?25l\x1b[>5u");
    let modes = pane.emulator.modes();
    let want = Modes {
        app_cursor: true,
        app_keypad: true,
        bracketed_paste: true,
        focus_events: true,
        mouse: MouseProtocol::Motion,
        mouse_encoding: MouseEncoding::Sgr,
        alt_screen: false,
        alternate_scroll: true,
        kitty_flags: 5,
        modify_other_keys: 2,
        color_scheme_reports: true,
        cursor_visible: false,
        newline: false,
        backarrow: false,
    };
    assert_eq!(modes, want);
    assert_eq!(pane.replies("\x1b[?2031$p\x1b[?u\x1b[?1006$p"), "\x1b[?2031;1$y\x1b[?5u\x1b[?1006;1$y");
    let mut out = FeedOutput::default();
    pane.feed("text");
    pane.emulator.reset_modes(&mut out);
    assert_eq!(pane.emulator.modes(), Modes { alternate_scroll: true, ..Modes::default() });
    assert_eq!(pane.screen(), "text");
}

#[test]
fn each_screen_has_its_own_keyboard_stack_and_a_flood_of_pushes_is_bounded() {
    let mut pane = Pane::new(80, 24);
    pane.feed("\x1b[>1u\x1b[?1049h");
    assert_eq!(pane.emulator.modes().kitty_flags, 0);
    pane.feed("\x1b[>7u\x1b[=8;2u");
    assert_eq!(pane.emulator.modes().kitty_flags, 15);
    pane.feed("\x1b[=1;3u");
    assert_eq!(pane.emulator.modes().kitty_flags, 14);
    pane.feed("\x1b[<9u\x1b[?1049l");
    assert_eq!(pane.emulator.modes().kitty_flags, 1);
    pane.feed("\x1b[>3u".repeat(10_000));
    assert_eq!(pane.emulator.modes().kitty_flags, 3);
    pane.feed("\x1b[<40u");
    assert_eq!(pane.emulator.modes().kitty_flags, 0);
    pane.feed("\x1b[22t".repeat(10_000)).feed("\x1b[23t".repeat(10_000));
}

#[test]
fn events_come_in_order_and_titles_of_one_slice_are_joined() {
    let mut pane = Pane::new(80, 24);
    pane.feed("\x1b]0;a\x07\x07\x1b]9;hey\x07\x1b]777;notify;T;B\x1b\\\x1b]9;4;3;\x07\x07\x1b]0;b\x07");
    pane.feed("\x1b]7;file://h/tmp/x\x07\x1b]133;D;1\x07\x1b]7501;state=working:app=codex\x1b\\");
    pane.feed("\x1b]52;c;aGk=\x07\x1b]99;i=1:p=title:d=0;He\x1b\\\x1b]99;i=1:p=body;yo\x1b\\");
    assert_eq!(
        pane.out.events,
        vec![
            TermEvent::Bell,
            TermEvent::Notify { title: String::new(), body: "hey".into() },
            TermEvent::Notify { title: "T".into(), body: "B".into() },
            TermEvent::Progress { state: 3, percent: 0 },
            TermEvent::Title("b".into()),
            TermEvent::Cwd("/tmp/x".into()),
            TermEvent::PromptMark("D;1".into()),
            TermEvent::AgentState("state=working:app=codex".into()),
            TermEvent::Clipboard { selection: "c".into(), data: b"hi".to_vec() },
            TermEvent::Notify { title: "He".into(), body: "yo".into() },
        ]
    );
    assert_eq!(pane.emulator.title(), "b");
    pane.feed("\x1b[22;0t\x1b]2;c\x07\x1b[23;0t");
    assert_eq!(pane.emulator.title(), "b");
}

#[test]
fn a_synchronized_update_is_shown_whole() {
    let mut pane = Pane::new(20, 3);
    pane.feed("old\x1b[?2026hnew");
    assert_eq!(pane.screen(), "old");
    assert_eq!(pane.emulator.sync_deadline(), Some(pane.now + MAX_SYNC_TIME));
    pane.feed("er\x1b[?2026$p\x1b[?20");
    pane.feed("26lafter\x1b[?2026$p");
    assert_eq!(pane.screen(), "oldnewerafter");
    assert_eq!(pane.emulator.sync_deadline(), None);
    assert_eq!(pane.out.replies, b"\x1b[?2026;1$y\x1b[?2026;2$y");
    pane.feed("\x1b[2J\x1b[H\x1b[?2026ha\x1b[?2026lb\x1b[?2026;25hc");
    assert_eq!(pane.screen(), "ab");
    let mut out = FeedOutput::default();
    pane.emulator.flush_sync(&mut out);
    assert_eq!(pane.screen(), "abc");
}

#[test]
fn a_synchronized_update_ends_by_time_and_by_size() {
    let mut pane = Pane::new(20, 3);
    pane.feed("\x1b[?2026hx");
    pane.now += MAX_SYNC_TIME;
    pane.feed("y");
    assert_eq!(pane.screen(), "xy");
    pane.feed("\x1b[?2026h");
    for _ in 0..MAX_SYNC_BYTES / 1000 + 1 {
        pane.feed([b'z'; 1000]);
    }
    assert_eq!(pane.emulator.sync_deadline(), None);
    assert!(pane.screen().contains("zzzz"));
}

#[test]
fn an_emoji_made_wide_by_its_selector_takes_two_columns() {
    let mut pane = Pane::new(10, 3);
    pane.feed("❤\u{fe0f}x");
    assert_eq!((pane.screen().as_str(), pane.at()), ("❤\u{fe0f}x", (3, 0)));
    pane.feed("\r1\u{fe0f}\u{20e3}");
    assert_eq!(pane.at(), (2, 0));
    // A letter stays as narrow as it is.
    pane.feed("\r\na\u{fe0f}b");
    assert_eq!(pane.at(), (2, 1));
    // Torn between slices.
    pane.feed("\r\n⚠");
    pane.feed(&"\u{fe0f}".as_bytes()[..1]).feed(&"\u{fe0f}".as_bytes()[1..]);
    assert_eq!(pane.at(), (2, 2));
    // Over the first half of a wide character.
    pane.feed("\x1b[2J\x1b[H 漢字\r⚠\u{fe0f}");
    assert_eq!(pane.screen(), "⚠\u{fe0f} 字");
    assert_eq!(pane.canvas().text().lines().next().unwrap(), "⚠\u{fe0f} 字");
}

#[test]
fn an_emoji_in_the_last_corner_neither_scrolls_nor_breaks() {
    for (cols, rows) in [(80, 24), (120, 40), (2, 1)] {
        for screen in ["", "\x1b[?1049h"] {
            let mut pane = Pane::new(cols, rows);
            pane.feed(screen);
            pane.feed(format!("\x1b[{rows};{cols}H⚠\u{fe0f}"));
            assert_eq!(pane.at(), (cols - 1, rows - 1));
            pane.feed(format!("\x1b[{};1H{}", rows.max(2) - 1, "-".repeat(cols.into())));
            pane.feed("\x1b[999;999Hx");
            assert!(!pane.out.events.contains(&TermEvent::Rebuilt));
            assert_eq!(pane.emulator.history_len(), 0);
            pane.canvas();
        }
    }
    let mut pane = Pane::new(4, 2);
    pane.feed("ab⚠\u{fe0f}c");
    assert_eq!((pane.screen().as_str(), pane.at()), ("ab⚠\u{fe0f}\nc", (1, 1)));
}

#[test]
fn marks_on_one_cell_are_bounded_and_quick() {
    let mut pane = Pane::new(80, 24);
    let started = Instant::now();
    pane.feed(format!("e{}", "\u{301}".repeat(300_000)));
    assert!(pane.screen().chars().count() <= 1 + screen::MAX_MARKS);
    // Generous: unoptimised and on a busy machine it takes a twentieth of this; quadratic work takes minutes.
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(pane.at(), (1, 0));
}

#[test]
fn endless_strings_are_swallowed_in_bounded_memory() {
    for introducer in ["\x1b]0;", "\x1bP", "\x1b_", "\x1b^", "\x1bX"] {
        let mut pane = Pane::new(80, 24);
        pane.feed(introducer);
        for _ in 0..3 * crate::term::scanner::MAX_STRING / 4096 {
            pane.feed([b'A'; 4096]);
        }
        pane.feed("\x1b\\visible");
        assert_eq!(pane.screen(), "visible", "{introducer:?}");
        assert!(pane.out.events.is_empty());
    }
    let mut pane = Pane::new(80, 24);
    pane.feed(format!("\x1b[{}m.", "1;".repeat(5000)));
    assert_eq!(pane.screen(), ".");
}

#[test]
fn bytes_that_are_not_text_do_no_harm() {
    let mut pane = Pane::new(80, 24);
    let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    pane.feed(&all).feed(b"\x1bc\xff\xfe\xc3(\xf0\x9f\x1b[6n ok");
    assert!(pane.screen().ends_with(" ok"), "{}", pane.screen());
}

#[test]
fn any_size_is_brought_within_bounds() {
    let mut pane = Pane::new(80, 24);
    pane.feed("hello world ".repeat(300));
    for (cols, rows, want) in
        [(1, 1, (2, 1)), (0, 0, (2, 1)), (u16::MAX, u16::MAX, (1000, 500)), (80, 24, (80, 24))]
    {
        pane.emulator.resize(cols, rows);
        assert_eq!(pane.emulator.size(), want);
        pane.feed("x漢⚠\u{fe0f}");
        pane.canvas();
    }
    assert!(!pane.out.events.contains(&TermEvent::Rebuilt));
    assert_eq!(Pane::new(0, u16::MAX).emulator.size(), (2, 500));
}

#[test]
fn narrowing_reflows_and_widening_brings_the_text_back() {
    let mut pane = Pane::new(20, 5);
    pane.feed("one two three four\r\nfive");
    pane.emulator.resize(10, 5);
    assert_eq!(pane.screen(), "one two th\nree four\nfive");
    pane.emulator.resize(20, 5);
    assert_eq!(pane.screen(), "one two three four\nfive");
    assert_eq!(pane.at(), (4, 1));
}

#[test]
fn erasing_above_takes_the_first_row_too() {
    let mut pane = Pane::new(10, 4);
    pane.feed("a\r\nbcd\r\ne\x1b[2;2H\x1b[1J");
    assert_eq!(pane.screen(), "\n  d\ne");
}

#[test]
fn a_soft_reset_restores_modes_and_keeps_text() {
    let mut pane = Pane::new(10, 5);
    pane.feed("ab\x1b[2;4r\x1b[?6h\x1b[?7l\x1b[?25l\x1b[4m\x1b[?1h\x1b[2;3H\x1b(0\x1b[!pq");
    let modes = pane.emulator.modes();
    assert!(!modes.app_cursor && modes.cursor_visible);
    assert_eq!(
        pane.replies("\x1bP$qr\x1b\\\x1bP$qm\x1b\\\x1b[?7$p"),
        "\x1bP1$r1;5r\x1b\\\x1bP1$r0m\x1b\\\x1b[?7;1$y"
    );
    assert_eq!(pane.screen(), "ab\n\n  q");
}

#[test]
fn the_older_alternate_screens_work() {
    let mut pane = Pane::new(10, 3);
    pane.feed("main\x1b[?1047h\x1b[Halt");
    assert!(pane.emulator.modes().alt_screen);
    assert_eq!(pane.screen(), "alt");
    pane.feed("\x1b[?1047l");
    assert_eq!((pane.screen().as_str(), pane.at()), ("main", (3, 0)), "1047 leaves the cursor where it is");
    pane.feed("\x1b[2;2H\x1b[?1048h\x1b[H\x1b[?1048l");
    assert_eq!(pane.at(), (1, 1));
    pane.feed("\x1b[?1049h\x1b[3;9Hx\x1b[?1049l");
    assert_eq!((pane.screen().as_str(), pane.at()), ("main", (1, 1)));
}

#[test]
fn what_full_screen_programs_use_is_there() {
    let mut pane = Pane::new(20, 4);
    pane.feed("\x1b(0lqk\x1b(B|\x1b[s\x1b[4;1Hx\x1b[uy");
    assert_eq!(pane.screen(), "┌─┐|y\n\n\nx");
    pane.feed("\x1b[2J\x1b[Habc\x1b[1G\x1b[4hX\x1b[4l\x1b[1;10H\x1b[Z!\x1b[2;1Hq\x1b[3b");
    assert_eq!(pane.screen(), "Xabc    !\nqqqq");
    pane.feed("\x1b[9999b");
    assert!(pane.screen().starts_with("qqqqqqqqqqqqqqqqqqqq\n"));
}

#[test]
fn styles_links_and_underlines_reach_the_canvas() {
    let mut pane = Pane::new(12, 2);
    pane.feed("\x1b[1;2;3;7;9;31;48;2;1;2;3mA\x1b[0;4:3;58:2::9:8:7mB\x1b[0m");
    pane.feed("\x1b]8;;https://a/\x1b\\C\x1b]8;;\x1b\\D\x1b[38;5;200mE\x1b]11;#102030\x07");
    let canvas = pane.canvas();
    let cell = |x: u16| canvas.buffer[(x, 0)].clone();
    let all = Modifier::BOLD | Modifier::DIM | Modifier::ITALIC | Modifier::REVERSED | Modifier::CROSSED_OUT;
    assert_eq!((cell(0).fg, cell(0).bg, cell(0).modifier), (Color::Indexed(1), Color::Rgb(1, 2, 3), all));
    assert_eq!(cell(1).modifier, Modifier::UNDERLINED);
    assert_eq!(canvas.side(1, 0).underline, Underline::Curl);
    assert_eq!(canvas.side(1, 0).underline_color, Color::Rgb(9, 8, 7));
    assert_eq!(canvas.link(canvas.side(2, 0).link).unwrap().uri, "https://a/");
    assert_eq!(canvas.side(3, 0).link, 0);
    assert_eq!(cell(4).fg, Color::Indexed(200));
    assert_eq!(cell(9).bg, Color::Rgb(0x10, 0x20, 0x30), "a changed background shows");
    pane.feed("\x1b]111\x07");
    assert_eq!(pane.canvas().buffer[(9, 0)].bg, Color::Reset);
}

#[test]
fn drawing_scrolls_clips_and_blanks() {
    let mut pane = Pane::new(10, 3);
    pane.feed((0..8).map(|n| format!("line {n}\r\n")).collect::<String>());
    let draw = |area: Rect, offset| {
        let mut canvas = Canvas::new(12, 5);
        for y in 0..5 {
            canvas.buffer.set_string(0, y, "############", ratatui::style::Style::new());
        }
        pane.emulator.draw(&mut canvas, area, offset);
        canvas.text()
    };
    assert_eq!(
        draw(Rect::new(1, 1, 10, 3), 0),
        "############\n#line 6    #\n#line 7    #\n#          #\n############\n"
    );
    assert_eq!(draw(Rect::new(0, 0, 12, 5), 2), "line 4\nline 5\nline 6\n\n\n");
    assert_eq!(
        draw(Rect::new(0, 0, 4, 2), 999),
        "line########\nline########\n############\n############\n############\n"
    );
    let mut wide = Pane::new(10, 1);
    wide.feed("a漢");
    let mut canvas = Canvas::new(2, 1);
    wide.emulator.draw(&mut canvas, Rect::new(0, 0, 2, 1), 0);
    assert_eq!(canvas.text(), "a\n", "half a character is not drawn");
}

#[test]
fn captures_follow_line_numbers_from_the_top_of_the_screen() {
    let mut pane = Pane::new(10, 3);
    pane.feed("h1\r\nh2\r\n\x1b[31mred\x1b[m  \r\n0123456789abc\r\n");
    assert_eq!(pane.emulator.history_len(), 3);
    let capture = |start, end| pane.emulator.capture(start, end, false, false);
    assert_eq!(capture(None, None), "0123456789\nabc\n\n");
    assert_eq!(capture(Some(-1), Some(0)), "red\n0123456789\n");
    assert_eq!(capture(Some(i32::MIN), Some(-2)), "h1\nh2\n");
    assert_eq!(capture(Some(1), Some(1)), "abc\n");
    assert_eq!(pane.emulator.capture(None, Some(1), false, true), "0123456789abc\n");
    assert_eq!(pane.emulator.capture(Some(-1), Some(-1), true, false), "\x1b[0;31mred\x1b[0m\n");
    assert_eq!(pane.emulator.bottom_lines(2), ["0123456789", "abc"]);
    assert_eq!(pane.emulator.bottom_lines(9).len(), 2);
}

#[test]
fn a_turn_from_dark_to_light_is_told_to_whoever_wants_to_know() {
    let mut pane = Pane::new(10, 3);
    let light = Palette { foreground: Rgb(0, 0, 0), background: Rgb(255, 255, 255), ..Palette::default() };
    assert!(pane.emulator.set_palette(light.clone()).is_empty());
    pane.feed("\x1b[?2031h");
    assert_eq!(pane.emulator.set_palette(Palette::default()), b"\x1b[?997;1n");
    assert_eq!(pane.emulator.set_palette(light), b"\x1b[?997;2n");
    assert_eq!(pane.replies("\x1b]11;?\x1b\\"), "\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
}

#[test]
fn floods_of_queries_and_events_are_bounded() {
    let mut pane = Pane::new(80, 24);
    pane.feed("\x1b[c\x1b]9;x\x07".repeat(100_000));
    assert!(pane.out.replies.len() <= screen::MAX_REPLIES);
    assert!(pane.out.events.len() <= screen::MAX_EVENTS);
    pane.feed("still here");
    assert!(pane.screen().contains("still here"));
}

#[test]
fn a_broken_core_is_replaced_and_the_text_survives() {
    let mut pane = Pane::new(20, 3);
    pane.feed("\x1b]0;t\x07kept\r\n");
    pane.emulator.rebuild();
    pane.feed("more");
    assert_eq!(pane.screen(), "kept\nmore");
    assert_eq!(pane.emulator.title(), "t");
}

#[test]
fn the_generation_changes_with_content() {
    let mut pane = Pane::new(20, 3);
    let before = pane.emulator.generation();
    pane.feed("x");
    let fed = pane.emulator.generation();
    assert_ne!(before, fed);
    pane.emulator.resize(30, 3);
    assert_ne!(pane.emulator.generation(), fed);
}

/// The trait's defaults do nothing, so a method left out would lose a feature without a word. The lint on the
/// implementation catches a method that a new version of the trait brings; this one works without the lint.
#[test]
fn every_method_of_the_handler_is_written_out() {
    let source = include_str!("screen/handler.rs");
    let methods = "set_title set_cursor_style set_cursor_shape input goto goto_line goto_col insert_blank move_up move_down \
        identify_terminal device_status move_forward move_backward move_down_and_cr move_up_and_cr put_tab backspace \
        carriage_return linefeed bell substitute newline set_horizontal_tabstop scroll_up scroll_down insert_blank_lines \
        delete_lines erase_chars delete_chars move_backward_tabs move_forward_tabs save_cursor_position \
        restore_cursor_position clear_line clear_screen clear_tabs set_tabs reset_state reverse_index terminal_attribute \
        set_mode unset_mode report_mode set_private_mode unset_private_mode report_private_mode set_scrolling_region \
        set_keypad_application_mode unset_keypad_application_mode set_active_charset configure_charset set_color \
        dynamic_color_sequence reset_color clipboard_store clipboard_load decaln push_title pop_title text_area_size_pixels \
        text_area_size_chars set_hyperlink set_mouse_cursor_icon report_keyboard_mode push_keyboard_mode pop_keyboard_modes \
        set_keyboard_mode set_modify_other_keys report_modify_other_keys set_scp";
    for method in methods.split_whitespace() {
        assert!(source.contains(&format!("    fn {method}(&mut self")), "`{method}` is missing");
    }
    assert!(source.contains("#[deny(clippy::missing_trait_methods)]"));
}

/// Pieces of terminal output, valid and broken, that reach every corner.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let number = 0u16..120;
    prop_oneof![
        4 => "[ -~]{0,30}".prop_map(String::into_bytes),
        2 => "[❤⚠漢字é\u{fe0f}\u{200d}\u{301}👍🏽🇯🇵]{1,12}".prop_map(String::into_bytes),
        2 => Just(b"\r\n".to_vec()),
        6 => (number.clone(), number.clone(), prop::sample::select(b"@ABCDEFGHIJKLMPSTXZ`abdefghlmnrstu".to_vec()))
            .prop_map(|(a, b, last)| format!("\x1b[{a};{b}{}", char::from(last)).into_bytes()),
        3 => (prop::sample::select(vec![1u16, 3, 5, 6, 7, 12, 25, 47, 1000, 1047, 1048, 1049, 2004, 2026]), any::<bool>())
            .prop_map(|(mode, on)| format!("\x1b[?{mode}{}", if on { 'h' } else { 'l' }).into_bytes()),
        2 => prop::sample::select(vec!["\x1b7", "\x1b8", "\x1bD", "\x1bE", "\x1bH", "\x1bM", "\x1bc", "\x1b(0", "\x1b(B",
            "\x1b#8", "\x1b[!p", "\x1b[4h", "\x1b[4l", "\t", "\x08", "\x0e", "\x0f", "\x1b]8;;u\x07", "\x1b]8;;\x07"])
            .prop_map(|s| s.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, at whatever size, the emulator lives, and it does not matter how the bytes were sliced.
    #[test]
    fn any_output_in_any_slices_gives_one_screen(
        parts in prop::collection::vec(fragment(), 1..60),
        sizes in prop::collection::vec((0u16..40, 0u16..12), 1..4),
        cuts in prop::collection::vec(1usize..9, 1..9),
    ) {
        let (mut whole, mut torn) = (Pane::new(20, 6), Pane::new(20, 6));
        for (chunk, (cols, rows)) in parts.chunks(parts.len().div_ceil(sizes.len())).zip(&sizes) {
            let bytes = chunk.concat();
            whole.feed(&bytes);
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                torn.feed(head);
                rest = tail;
            }
            for pane in [&mut whole, &mut torn] {
                let mut out = FeedOutput::default();
                pane.emulator.flush_sync(&mut out);
                pane.out.replies.extend(out.replies);
                pane.emulator.resize(*cols, *rows);
                pane.canvas();
            }
            let text = |pane: &Pane| pane.emulator.capture(Some(i32::MIN), None, true, false);
            prop_assert_eq!(text(&whole), text(&torn));
            prop_assert_eq!(whole.at(), torn.at());
            prop_assert_eq!(&whole.out.replies, &torn.out.replies);
            prop_assert_eq!(whole.emulator.modes(), torn.emulator.modes());
            prop_assert!(!whole.out.events.contains(&TermEvent::Rebuilt));
        }
    }
}

/// What is drawn step by step is what would be drawn at once, whatever is printed.
#[test]
fn what_changed_is_all_that_needs_to_be_drawn_again() {
    use crate::term::frame::{Caps, FrameWriter};
    let printed = prop_oneof![
        "[a-z ]{1,30}".prop_map(String::into_bytes),
        Just(b"\r\n".to_vec()),
        Just("漢字\u{301}❤\u{fe0f}".as_bytes().to_vec()),
        (1..9u8, 1..20u8).prop_map(|(row, column)| format!("\x1b[{row};{column}H").into_bytes()),
        (0..8u8).prop_map(|colour| format!("\x1b[3{colour}m").into_bytes()),
        (1..7u8, 1..7u8).prop_map(|(top, bottom)| format!("\x1b[{top};{bottom}r").into_bytes()),
        prop::sample::select(vec![
            "\x1b[J",
            "\x1b[1J",
            "\x1b[2J",
            "\x1b[K",
            "\x1b[1K",
            "\x1b[3X",
            "\x1b[2P",
            "\x1b[2@",
            "\x1b[L",
            "\x1b[M",
            "\x1b[S",
            "\x1b[T",
            "\x1bM",
            "\x1bD",
            "\x1b7",
            "\x1b8",
            "\x1b[4h",
            "\x1b[4l",
            "\x1b[?1049h",
            "\x1b[?1049l",
            "\x1b[?47h",
            "\x1b[?47l",
            "\x1b[5b",
            "\x1b#8",
            "\x1bc",
            "\x1b[!p",
            "\x08",
            "\t",
            "\x1b]4;1;#102030\x07",
            "\x1b]104\x07",
            "\x1b]8;;http://h\x07",
            "\x1b]8;;\x07",
            "\x1b[?6h",
            "\x1b[?7l",
        ])
        .prop_map(|sequence| sequence.as_bytes().to_vec()),
    ];
    proptest!(|(slices in prop::collection::vec(prop::collection::vec(printed, 1..6), 1..30), width in 10u16..24)| {
        let mut emulator = Emulator::new(20, 7, 50, Palette::default());
        let area = Rect::new(1, 1, width, 6);
        let (mut stepwise, mut whole) = (Canvas::new(26, 9), Canvas::new(26, 9));
        emulator.draw(&mut stepwise, area, 0);
        let mut writer = FrameWriter::new(Caps { truecolor: true, ..Caps::default() });
        let mut client = Emulator::new(26, 9, 0, Palette::default());
        client.feed(&writer.render(&stepwise), Instant::now(), &mut FeedOutput::default());
        let mut generation = emulator.generation();
        for slice in slices {
            emulator.feed(&slice.concat(), Instant::now(), &mut FeedOutput::default());
            let mut touched = Vec::new();
            emulator.draw_since(&mut stepwise, area, generation, &mut touched);
            let sent = writer.render_cells(&stepwise, touched.into_iter());
            client.feed(&sent, Instant::now(), &mut FeedOutput::default());
            generation = emulator.generation();
            emulator.draw(&mut whole, area, 0);
            prop_assert_eq!(&stepwise.buffer, &whole.buffer);
            let mut shown = Canvas::new(26, 9);
            client.draw(&mut shown, Rect::new(0, 0, 26, 9), 0);
            prop_assert_eq!(shown.text(), whole.text());
            for y in 0..9 {
                prop_assert_eq!(stepwise.row(y).1.len(), whole.row(y).1.len());
                for (a, b) in stepwise.row(y).1.iter().zip(whole.row(y).1) {
                    prop_assert_eq!((a.underline, stepwise.link(a.link)), (b.underline, whole.link(b.link)));
                }
            }
        }
    });
}
