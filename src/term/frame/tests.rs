use super::*;
use crate::term::canvas::{Link, Underline};
use proptest::prelude::*;
use ratatui::{
    layout::Rect,
    style::{Color, Style},
};

fn all_caps() -> Caps {
    Caps { truecolor: true, sync_output: true, undercurl: true, hyperlinks: true, ..Caps::default() }
}

/// A canvas with these lines.
fn canvas(width: u16, lines: &[&str]) -> Canvas {
    let mut canvas = Canvas::new(width, u16::try_from(lines.len()).unwrap());
    for (y, line) in (0..).zip(lines) {
        canvas.buffer.set_string(0, y, line, Style::new());
    }
    canvas
}

/// An independent terminal of this size.
fn outer(width: u16, height: u16) -> vt100::Parser {
    vt100::Parser::new(height.try_into().unwrap(), width.try_into().unwrap(), 0)
}

/// What a client's terminal shows after these frames.
fn shown(width: u16, height: u16, frames: &[Vec<u8>]) -> vt100::Parser {
    let mut parser = outer(width, height);
    frames.iter().for_each(|frame| parser.process(frame));
    parser
}

fn printed(writer: &mut FrameWriter, canvas: &Canvas) -> String {
    String::from_utf8(writer.render(canvas)).unwrap()
}

#[test]
fn the_same_canvas_again_costs_nothing() {
    let mut writer = FrameWriter::new(all_caps());
    let mut canvas = canvas(20, &["hello 漢字 ❤\u{fe0f}", "world"]);
    canvas.cursor = Some(CanvasCursor { x: 3, y: 1, shape: CursorShape::Bar { blink: false } });
    assert!(!writer.render(&canvas).is_empty());
    assert_eq!(printed(&mut writer, &canvas), "");
    assert_eq!(printed(&mut writer, &canvas.clone()), "");
    writer.invalidate();
    assert!(!writer.render(&canvas).is_empty());
}

#[test]
fn a_changed_letter_costs_a_few_bytes() {
    let mut writer = FrameWriter::new(Caps::default());
    let mut canvas = canvas(40, &["one", "two", "three"]);
    canvas.cursor = Some(CanvasCursor { x: 3, y: 1, shape: CursorShape::Default });
    writer.render(&canvas);
    canvas.buffer.set_string(3, 1, "x", Style::new());
    canvas.cursor = Some(CanvasCursor { x: 4, y: 1, shape: CursorShape::Default });
    assert_eq!(printed(&mut writer, &canvas), "x");
    let mut synced = FrameWriter::new(all_caps());
    synced.render(&canvas);
    canvas.buffer.set_string(0, 2, "T", Style::new());
    assert_eq!(printed(&mut synced, &canvas), "\x1b[?2026h\r\nT\x1b[2;5H\x1b[?2026l");
    canvas.cursor = None;
    assert_eq!(printed(&mut synced, &canvas), "\x1b[?25l");
}

#[test]
fn short_gaps_are_rewritten_long_ones_jumped_and_tails_erased() {
    let mut writer = FrameWriter::new(Caps::default());
    writer.render(&canvas(40, &["a.b.................c...................", "x"]));
    let next = canvas(40, &["A.B.................C...................", "x"]);
    assert_eq!(printed(&mut writer, &next), "\x1b[HA.B\x1b[17CC");
    let next = canvas(40, &["A.B.", "x"]);
    assert_eq!(printed(&mut writer, &next), "\x1b[17D\x1b[K");
    let next = canvas(40, &["A                                      Z", "x"]);
    assert_eq!(printed(&mut writer, &next), "\x08\x08\x08\x1b[38X\x1b[38CZ");
}

#[test]
fn styles_change_by_the_shortest_way() {
    let mut writer = FrameWriter::new(all_caps());
    let mut canvas = canvas(8, &[""]);
    writer.render(&canvas);
    let bold = Style::new().bold();
    canvas.buffer.set_string(0, 0, "a", bold.dim());
    canvas.buffer.set_string(1, 0, "b", bold);
    canvas.buffer.set_string(2, 0, "c", Style::new().red().underlined());
    canvas.set_side(2, 0, Side { underline: Underline::Curl, underline_color: Color::Rgb(1, 2, 3), link: 0 });
    canvas.buffer.set_string(3, 0, "d", Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Indexed(99)));
    canvas.buffer.set_string(4, 0, "e", Style::new().fg(Color::LightGreen).on_light_red());
    canvas.buffer.set_string(5, 0, "f", Style::new());
    assert_eq!(
        printed(&mut writer, &canvas),
        "\x1b[1;2ma\x1b[0;1mb\x1b[0;4:3;58:2::1:2:3;31mc\x1b[0;38;2;1;2;3;48;5;99md\
         \x1b[92;101me\x1b[mf"
    );
}

#[test]
fn a_poor_terminal_gets_what_it_can_show() {
    let poor = Caps { colors256: false, utf8: false, ..Caps::default() };
    let mut writer = FrameWriter::new(poor);
    let mut canvas = canvas(8, &["┌─┐é漢x"]);
    let link = canvas.link_number(&Link { id: "1".into(), uri: "https://a/".into() });
    canvas.set_side(0, 0, Side { link, ..Side::default() });
    canvas.buffer.set_style(Rect::new(0, 0, 1, 1), Style::new().fg(Color::Rgb(250, 5, 5)));
    canvas.buffer.set_style(Rect::new(1, 0, 1, 1), Style::new().bg(Color::Indexed(231)));
    let out = printed(&mut writer, &canvas);
    assert!(out.is_ascii(), "{out:?}");
    assert!(out.contains("\x1b[91m+\x1b[0;107m-\x1b[m+?? x"), "{out:?}");
    let mut caps256 = FrameWriter::new(Caps::default());
    assert!(printed(&mut caps256, &canvas).contains("\x1b[38;5;196m┌"));
}

#[test]
fn links_are_opened_shared_and_closed() {
    let mut writer = FrameWriter::new(all_caps());
    let mut canvas = canvas(8, &[""]);
    writer.render(&canvas);
    canvas.buffer.set_string(0, 0, "abc", Style::new());
    let link = canvas.link_number(&Link { id: "7".into(), uri: "https://a/".into() });
    for x in 0..2 {
        canvas.set_side(x, 0, Side { link, ..Side::default() });
    }
    let first = "\x1b]8;id=7;https://a/\x1b\\ab\x1b]8;;\x1b\\c";
    assert_eq!(printed(&mut writer, &canvas), first);
    assert_eq!(printed(&mut writer, &canvas), "");
    canvas.set_side(1, 0, Side::default());
    assert_eq!(printed(&mut writer, &canvas), "\x1b[?2026h\x08\x08b\x1b[?2026l");
    canvas.set_side(0, 0, Side::default());
    assert_eq!(printed(&mut writer, &canvas), "\x1b[?2026h\r\x1b[?2026l".replace('\r', "\ra"));
}

#[test]
fn a_new_size_paints_everything_on_a_clean_screen() {
    let mut writer = FrameWriter::new(Caps::default());
    writer.render(&canvas(20, &["one", "two"]));
    let out = writer.render(&canvas(10, &["one"]));
    assert!(out.starts_with(b"\x1b[?25l\x1b[m\x1b[H\x1b[2J") || out.starts_with(b"\x1b[m\x1b[H\x1b[2J"));
    assert_eq!(shown(10, 1, &[out]).screen().contents(), "one");
}

#[test]
fn control_characters_of_a_widget_never_reach_the_client() {
    let mut writer = FrameWriter::new(Caps::default());
    let mut canvas = Canvas::new(4, 1);
    for (x, symbol) in ["\x1b", "a\x07", "\n", "\u{9b}"].iter().enumerate() {
        canvas.buffer.content[x].set_symbol(symbol);
    }
    let out = printed(&mut writer, &canvas);
    assert!(!out.contains('\x07') && !out.contains('\n') && !out.contains('\u{9b}'), "{out:?}");
}

/// Strings that fill cells in every way the independent terminal measures as we do.
fn content() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z ]{0,12}",
        2 => "[漢字かな]{0,4}",
        1 => "(é|ü|e\u{301}|─|✳){0,6}",
        1 => "(✅|🚀|漢 ){0,3}",
        2 => " {1,14}",
    ]
}

type Patch = (u16, u16, String, u8);

fn paint(canvas: &mut Canvas, patches: &[Patch]) {
    let area = canvas.area();
    for (x, y, text, style) in patches {
        let (x, y) = (x % area.width, y % area.height);
        let style = match style % 6 {
            1 => Style::new().fg(Color::Red),
            2 => Style::new().bold().bg(Color::Rgb(10, 20, 30)),
            3 => Style::new().underlined().fg(Color::Indexed(77)),
            4 => Style::new().italic().reversed(),
            _ => Style::new()
                .not_bold()
                .not_italic()
                .not_underlined()
                .not_reversed()
                .fg(Color::Reset)
                .bg(Color::Reset),
        };
        canvas.buffer.set_string(x, y, text, style);
        // As drawing over a wide character leaves half of it, which no terminal can show.
        if x > 0 && canvas.buffer[(x - 1, y)].symbol().chars().any(|c| width(&c.to_string()) == 2) {
            canvas.buffer[(x - 1, y)].set_symbol(" ");
        }
    }
}

fn ink(colour: vt100::Color) -> Color {
    match colour {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(r, g, b) => Color::Rgb(r, g, b),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// An independent terminal that got the frames shows each canvas: text, colours, attributes and cursor.
    #[test]
    fn a_terminal_shows_what_was_drawn(
        frames in prop::collection::vec(prop::collection::vec((0u16..30, 0u16..8, content(), 0u8..12), 0..10), 1..6),
        size in (2u16..30, 1u16..8),
        cursor in (0u16..30, 0u16..8),
        sync: bool,
        keep: bool,
    ) {
        let (width_, height) = size;
        let mut writer = FrameWriter::new(Caps { sync_output: sync, truecolor: true, ..Caps::default() });
        let mut parser = outer(width_, height);
        let mut canvas = Canvas::new(width_, height);
        for patches in frames {
            if !keep {
                canvas.reset(width_, height);
            }
            paint(&mut canvas, &patches);
            canvas.cursor = Some(CanvasCursor { x: cursor.0 % width_, y: cursor.1 % height, shape: CursorShape::Default });
            parser.process(&writer.render(&canvas));
            let screen = parser.screen();
            let rows: Vec<String> = screen.rows(0, width_).map(|row| row.trim_end().to_owned()).collect();
            prop_assert_eq!(rows.join("\n") + "\n", canvas.text());
            prop_assert_eq!(screen.cursor_position(), (cursor.1 % height, cursor.0 % width_));
            prop_assert!(!screen.hide_cursor());
            for y in 0..height {
                let mut x = 0;
                while x < width_ {
                    let (mine, theirs) = (&canvas.buffer[(x, y)], screen.cell(y, x).unwrap());
                    prop_assert_eq!(mine.bg, ink(theirs.bgcolor()), "background at {},{}", x, y);
                    prop_assert_eq!(mine.modifier.contains(Modifier::UNDERLINED), theirs.underline());
                    prop_assert_eq!(mine.modifier.contains(Modifier::REVERSED), theirs.inverse());
                    if !is_blank(mine) {
                        let fg = if mine.fg == Color::Red { Color::Indexed(1) } else { mine.fg };
                        prop_assert_eq!(fg, ink(theirs.fgcolor()), "colour at {},{}", x, y);
                        prop_assert_eq!(mine.modifier.contains(Modifier::BOLD), theirs.bold());
                        prop_assert_eq!(mine.modifier.contains(Modifier::ITALIC), theirs.italic());
                    }
                    x += if width(mine.symbol()) == 2 { 2 } else { 1 };
                }
            }
        }
    }
}

#[test]
fn a_symbol_that_a_terminal_draws_narrow_leaves_nothing_of_what_stood_there() {
    let mut writer = FrameWriter::new(all_caps());
    let before = canvas(8, &["abcdefg"]);
    let mut after = before.clone();
    after.buffer.set_string(1, 0, "❤\u{fe0f}", Style::new());
    writer.render(&before);
    // Terminals that give the heart one column would go on showing the c.
    let sent = printed(&mut writer, &after);
    assert!(sent.contains("\x1b[2X❤\u{fe0f}"), "{sent:?}");
}

#[test]
fn a_cell_does_not_invite_its_neighbour() {
    let mut canvas = canvas(8, &[""]);
    canvas.buffer[(0, 0)].set_symbol("👨\u{200d}");
    canvas.buffer[(2, 0)].set_symbol("👩");
    let sent = printed(&mut FrameWriter::new(all_caps()), &canvas);
    assert!(sent.contains('👨') && sent.contains('👩') && !sent.contains('\u{200d}'), "{sent:?}");
}
