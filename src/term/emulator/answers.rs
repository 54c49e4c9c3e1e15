//! Owns the meaning of what the scanner cuts out: queries that get a reply, strings that become events.
use super::{
    TermEvent, join_notification,
    screen::{CELL_PIXELS, Screen},
};
use crate::term::{
    osc::{self, ColourOp, NotifyPart, Osc},
    palette,
    scanner::{Csi, StringKind},
};
use alacritty_terminal::{
    grid::Dimensions as _,
    term::cell::{Cell, Flags},
    vte::ansi::{
        Color, CursorShape, Handler as _, Hyperlink, Mode, NamedColor, PrivateMode, Processor, StdSyncHandler,
    },
};

/// Most times that a repeated character is written: a screen of the largest size has no more columns.
const MAX_REPEAT: u16 = 1000;

/// What XTGETTCAP may be asked: capability and value. Values are what `TERM=xterm-256color` and truecolor mean.
const CAPABILITIES: [(&str, &str); 9] = [
    ("TN", "xterm-256color"),
    ("name", "xterm-256color"),
    ("Co", "256"),
    ("colors", "256"),
    ("RGB", "8/8/8"),
    ("Tc", ""),
    ("Ms", "\\E]52;%p1%s;%p2%s\\007"),
    ("Smulx", "\\E[4:%p1%dm"),
    ("Su", ""),
];

/// Most capabilities answered of one request; nobody asks for more at a time.
const MAX_CAPABILITIES: usize = 32;

/// Answers or applies a control sequence; true if it begins a synchronized update.
pub fn csi(screen: &mut Screen, parser: &mut Processor<StdSyncHandler>, raw: &[u8]) -> bool {
    if let [_, direction @ (b'6' | b'9')] = raw {
        screen.index_sideways(*direction == b'6');
        return false;
    }
    let csi = Csi::parse(raw);
    match (csi.prefix, csi.intermediate, csi.last) {
        (b'?', _, b'h' | b'l') => {
            // The core must not see 2026, it would hold the stream a second time.
            let others: Vec<String> =
                csi.params().iter().filter(|mode| **mode != 2026).map(u16::to_string).collect();
            if !others.is_empty() {
                let rest = format!("\x1b[?{}{}", others.join(";"), char::from(csi.last));
                parser.advance(screen, rest.as_bytes());
            }
            return csi.last == b'h';
        }
        (0, 0, b'b') => {
            screen.repeat(csi.param(0).clamp(1, MAX_REPEAT).into());
        }
        (b'>', 0, b'q') if csi.param(0) == 0 => {
            let name = concat!("\x1bP>|inspan ", env!("CARGO_PKG_VERSION"), "\x1b\\");
            screen.reply(name.as_bytes());
        }
        (0, b'!', b'p') => screen.soft_reset(),
        (0, b'"', b'p') => screen.set_level(csi.param(0)),
        (0, b'"', b'q') => screen.protect(csi.param(0) == 1),
        (b'?', 0, b'J') => screen.erase_unprotected_display(csi.param(0)),
        (b'?', 0, b'K') => screen.erase_unprotected_line(csi.param(0)),
        (b'?', 0, b's') => screen.keep_modes(csi.params()),
        (b'?', 0, b'r') => {
            let sequences = screen.kept_modes(csi.params());
            parser.advance(screen, sequences.as_bytes());
        }
        (0, b'$', b'x') => {
            if let Some(c) = char::from_u32(csi.param(0).into()).filter(|c| !c.is_control()) {
                screen.fill(screen.area(&csi, 1), c);
            }
        }
        (0, b'$', b'z') => screen.erase(screen.area(&csi, 0), false),
        (0, b'$', b'{') => screen.erase(screen.area(&csi, 0), true),
        (0, b'$', b'v') => screen.copy(screen.area(&csi, 0), csi.param(5), csi.param(6)),
        (0, b'*', b'y') => {
            let (id, sum) = (csi.param(0), screen.checksum(screen.area(&csi, 2)));
            screen.reply(format!("\x1bP{id}!~{sum:04X}\x1b\\").as_bytes());
        }
        (0, b'\'', b'}') => screen.shift_columns(true, csi.param(0)),
        (0, b'\'', b'~') => screen.shift_columns(false, csi.param(0)),
        (0, b' ', b'@') => screen.scroll_sideways(false, csi.param(0)),
        (0, b' ', b'A') => screen.scroll_sideways(true, csi.param(0)),
        (0, 0, b's') if screen.extra.margins_allowed => screen.set_margins(csi.param(0), csi.param(1)),
        (0, 0, b's') => screen.save_cursor_position(),
        (0 | b'?', b'$', b'p') if screen.level < 63 => {}
        (0, b'$', b'p') => screen.report_mode(Mode::Unknown(csi.param(0))),
        (b'?', b'$', b'p') => screen.report_private_mode(PrivateMode::Unknown(csi.param(0))),
        (b'?', 0, b'n') => device_status(screen, csi.param(0), csi.param(1)),
        (0, 0, b't') => window(screen, &csi),
        _ => {}
    }
    false
}

fn device_status(screen: &mut Screen, what: u16, id: u16) {
    match what {
        6 => {
            let (row, column) = screen.reported_position();
            screen.reply(format!("\x1b[?{row};{column};1R").as_bytes());
        }
        // No printer, no user-defined keys, a plain keyboard.
        15 => screen.reply(b"\x1b[?13n"),
        25 => screen.reply(b"\x1b[?20n"),
        26 => screen.reply(b"\x1b[?27;1;0;0n"),
        // A mouse is no locator; no macros; no errors on the line; one session.
        53 | 55 => screen.reply(b"\x1b[?50n"),
        56 => screen.reply(b"\x1b[?57;0n"),
        62 => screen.reply(b"\x1b[0*{"),
        63 => screen.reply(format!("\x1bP{id}!~0000\x1b\\").as_bytes()),
        75 => screen.reply(b"\x1b[?70n"),
        85 => screen.reply(b"\x1b[?83n"),
        996 => {
            let report = color_scheme(screen);
            screen.reply(report.as_bytes());
        }
        _ => {}
    }
}

/// The report of a light or dark background.
pub fn color_scheme(screen: &Screen) -> String {
    let scheme = if screen.colours.palette.is_light() { 2 } else { 1 };
    format!("\x1b[?997;{scheme}n")
}

fn window(screen: &mut Screen, csi: &Csi) {
    let (cols, rows) = (screen.term.columns(), screen.term.screen_lines());
    match csi.param(0) {
        11 => screen.reply(b"\x1b[1t"),
        13 => screen.reply(b"\x1b[3;0;0t"),
        14 => screen.text_area_size_pixels(),
        15 => {
            let (height, width) = (rows * CELL_PIXELS.1, cols * CELL_PIXELS.0);
            screen.reply(format!("\x1b[5;{height};{width}t").as_bytes());
        }
        16 => screen.reply(format!("\x1b[6;{};{}t", CELL_PIXELS.1, CELL_PIXELS.0).as_bytes()),
        18 => screen.text_area_size_chars(),
        19 => screen.reply(format!("\x1b[9;{rows};{cols}t").as_bytes()),
        22 if csi.param(1) != 1 => screen.push_title(),
        23 if csi.param(1) != 1 => screen.pop_title(),
        _ => {}
    }
}

/// Applies a complete string.
pub fn string(
    screen: &mut Screen,
    notification: &mut Option<(String, String, String)>,
    kind: StringKind,
    payload: &[u8],
    bell: bool,
) {
    match kind {
        StringKind::Osc => command(screen, notification, payload, bell),
        StringKind::Dcs => device_control(screen, payload),
        StringKind::Other => {}
    }
}

fn command(
    screen: &mut Screen,
    notification: &mut Option<(String, String, String)>,
    payload: &[u8],
    bell: bool,
) {
    let end = if bell { "\x07" } else { "\x1b\\" };
    match osc::parse(payload) {
        Osc::Title(title) => screen.set_title_text(title),
        Osc::Colours(ops) => ops.into_iter().for_each(|op| colour(screen, op, end)),
        Osc::Cwd(path) => screen.event(TermEvent::Cwd(path)),
        Osc::Link(link) => screen.set_hyperlink(link.map(|(id, uri)| Hyperlink { id, uri })),
        Osc::Notify { title, body } => screen.event(TermEvent::Notify { title, body }),
        Osc::NotifyPart(part) if part.query => notification_support(screen, &part, end),
        Osc::NotifyPart(part) => {
            if let Some(event) = join_notification(notification, part) {
                screen.event(event);
            }
        }
        Osc::Progress { state, percent } => screen.event(TermEvent::Progress { state, percent }),
        Osc::ClipboardQuery { selection } => screen.event(TermEvent::ClipboardQuery { selection }),
        Osc::Clipboard { selection, data } => screen.event(TermEvent::Clipboard { selection, data }),
        Osc::PromptMark(mark) => {
            if mark.starts_with('A') {
                screen.mark_prompt();
            }
            screen.event(TermEvent::PromptMark(mark));
        }
        Osc::AgentState(state) => screen.event(TermEvent::AgentState(state)),
        Osc::CursorShape(shape) => screen.set_cursor_shape(match shape {
            0 => CursorShape::Block,
            1 => CursorShape::Beam,
            _ => CursorShape::Underline,
        }),
        Osc::Ignored => {}
    }
}

fn colour(screen: &mut Screen, op: ColourOp, end: &str) {
    use crate::term::osc::ColourSlot::{Dynamic, Indexed};
    match op {
        ColourOp::Query(slot) => {
            let name = match slot {
                Indexed(index) => format!("4;{index}"),
                Dynamic(code) => code.to_string(),
            };
            let value = palette::print(screen.colours.get(slot));
            screen.reply(format!("\x1b]{name};{value}{end}").as_bytes());
        }
        ColourOp::Set(slot, colour) => {
            screen.colours.overrides.insert(slot, colour);
        }
        ColourOp::Reset(slot) => {
            screen.colours.overrides.remove(&slot);
        }
        ColourOp::ResetAll => screen.colours.overrides.retain(|slot, _| matches!(slot, Dynamic(_))),
    }
}

fn notification_support(screen: &mut Screen, part: &NotifyPart, end: &str) {
    screen.reply(format!("\x1b]99;i={}:p=?;o=always:p=title,body,?{end}", part.id).as_bytes());
}

fn device_control(screen: &mut Screen, payload: &[u8]) {
    if let Some(names) = payload.strip_prefix(b"+q") {
        for name in names.split(|b| *b == b';').take(MAX_CAPABILITIES) {
            capability(screen, name);
        }
    } else if let Some(setting) = payload.strip_prefix(b"$q") {
        let value = match setting {
            b"m" => Some(rendition_of(&screen.term.grid().cursor.template)),
            b"r" => {
                let (top, bottom) = screen.region();
                Some(format!("{top};{bottom}r"))
            }
            b"s" => {
                let sides = screen.sides();
                Some(format!("{};{}s", sides.left + 1, sides.end))
            }
            b" q" => Some(format!("{} q", screen.cursor_shape().code())),
            b"\"p" => Some(format!("{};1\"p", screen.level)),
            b"\"q" => Some(format!("{}\"q", u8::from(screen.protects()))),
            b"t" => Some(format!("{}t", screen.term.screen_lines())),
            b"*|" => Some(format!("{}*|", screen.term.screen_lines())),
            // The main display is the active one, there is no status line, and streams are what attributes extend over.
            b"$}" => Some("0$}".to_owned()),
            b"$~" => Some("0$~".to_owned()),
            b"*x" => Some("0*x".to_owned()),
            _ => None,
        };
        match value {
            Some(value) => screen.reply(format!("\x1bP1$r{value}\x1b\\").as_bytes()),
            None => screen.reply(b"\x1bP0$r\x1b\\"),
        }
    }
}

fn capability(screen: &mut Screen, name: &[u8]) {
    let Ok(name) = std::str::from_utf8(name) else { return };
    // The name is echoed, so only what is hexadecimal and short enough may be.
    if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return;
    }
    let decoded: Vec<u8> = name
        .as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    match CAPABILITIES.iter().find(|(known, _)| known.as_bytes() == decoded) {
        Some((_, "")) => screen.reply(format!("\x1bP1+r{name}\x1b\\").as_bytes()),
        Some((_, value)) => {
            let value: String = value.bytes().map(|b| format!("{b:02X}")).collect();
            screen.reply(format!("\x1bP1+r{name}={value}\x1b\\").as_bytes());
        }
        None => screen.reply(format!("\x1bP0+r{name}\x1b\\").as_bytes()),
    }
}

/// The SGR sequence, with its final byte, that makes a cell look like the template.
pub fn rendition_of(template: &Cell) -> String {
    let mut sgr = String::from("0");
    for (flag, code) in [
        (Flags::BOLD, ";1"),
        (Flags::DIM, ";2"),
        (Flags::ITALIC, ";3"),
        (Flags::UNDERLINE, ";4"),
        (Flags::DOUBLE_UNDERLINE, ";4:2"),
        (Flags::UNDERCURL, ";4:3"),
        (Flags::DOTTED_UNDERLINE, ";4:4"),
        (Flags::DASHED_UNDERLINE, ";4:5"),
        (Flags::INVERSE, ";7"),
        (Flags::HIDDEN, ";8"),
        (Flags::STRIKEOUT, ";9"),
    ] {
        if template.flags.contains(flag) {
            sgr.push_str(code);
        }
    }
    sgr.push_str(&colour_code(template.fg, 30));
    sgr.push_str(&colour_code(template.bg, 40));
    match template.underline_color() {
        Some(Color::Named(named)) => sgr.push_str(&format!(";58:5:{}", named as usize)),
        Some(colour) => sgr.push_str(&colour_code(colour, 50)),
        None => {}
    }
    sgr.push('m');
    sgr
}

fn colour_code(colour: Color, base: u8) -> String {
    match colour {
        Color::Spec(rgb) => format!(";{}:2::{}:{}:{}", base + 8, rgb.r, rgb.g, rgb.b),
        Color::Indexed(index) => format!(";{}:5:{index}", base + 8),
        Color::Named(NamedColor::Foreground | NamedColor::Background) => String::new(),
        Color::Named(named) => match named as usize {
            index @ 0..=7 => format!(";{}", usize::from(base) + index),
            index @ 8..=15 => format!(";{}", usize::from(base) + 60 + index - 8),
            _ => String::new(),
        },
    }
}
