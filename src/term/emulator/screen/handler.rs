//! Every sequence that the parser understands, method by method: answered here, or passed to the core.
use super::state::ANSI;
use super::{CELL_PIXELS, Extra, MAX_KEYBOARD_STACK, Screen, TermEvent};
use crate::term::{osc::ColourSlot, palette::Rgb};
use alacritty_terminal::vte::ansi::{
    Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, Hyperlink, KeyboardModes,
    KeyboardModesApplyBehavior, LineClearMode, Mode, ModifyOtherKeys, NamedPrivateMode, PrivateMode,
    Rgb as CoreRgb, ScpCharPath, ScpUpdateMode, StandardCharset, TabulationClearMode,
    cursor_icon::CursorIcon,
};
use alacritty_terminal::{grid::Dimensions as _, index::Line, term::TermMode};

/// Every method is written out: the trait's defaults do nothing, so a forgotten one would lose a feature in silence.
#[deny(clippy::missing_trait_methods)]
impl Handler for Screen {
    fn set_title(&mut self, title: Option<String>) {
        self.set_title_text(title.unwrap_or_default());
    }
    fn set_cursor_style(&mut self, style: Option<CursorStyle>) {
        self.term.set_cursor_style(style);
    }
    fn set_cursor_shape(&mut self, shape: CursorShape) {
        self.term.set_cursor_shape(shape);
    }
    #[inline]
    fn input(&mut self, c: char) {
        // Below U+0300 nothing has width zero but the soft hyphen, which the core treats alike.
        if c < '\u{300}' || unicode_width::UnicodeWidthChar::width(c) != Some(0) {
            if self.margins.is_some() {
                return self.write_between(c);
            }
            self.term.input(c);
            self.spill();
        } else {
            self.zero_width(c);
        }
    }
    fn goto(&mut self, line: i32, col: usize) {
        self.term.goto(line, self.placed_column(col));
    }
    fn goto_line(&mut self, line: i32) {
        self.term.goto_line(line);
    }
    fn goto_col(&mut self, col: usize) {
        // The core takes the line for one of the region in origin mode.
        self.go_column(self.placed_column(col));
    }
    fn insert_blank(&mut self, count: usize) {
        match self.margins {
            Some(_) => self.insert_cells(count),
            None => self.term.insert_blank(count),
        }
    }
    fn move_up(&mut self, rows: usize) {
        self.move_rows(true, rows);
    }
    fn move_down(&mut self, rows: usize) {
        self.move_rows(false, rows);
    }
    fn identify_terminal(&mut self, intermediate: Option<char>) {
        match intermediate {
            // VT420 with selective erasing, margins, colour, rectangles and clipboard writing.
            None => self.reply(b"\x1b[?64;6;21;22;28;52c"),
            // A VT420; programs take the number for xterm's patch level, from which they conclude what is understood.
            Some('>') => self.reply(b"\x1b[>41;354;0c"),
            // "INSP" in hexadecimal, as DA3 wants.
            Some('=') => self.reply(b"\x1bP!|494e5350\x1b\\"),
            _ => {}
        }
    }
    fn device_status(&mut self, arg: usize) {
        match arg {
            5 => self.reply(b"\x1b[0n"),
            6 => {
                let (row, column) = self.reported_position();
                self.reply(format!("\x1b[{row};{column}R").as_bytes());
            }
            _ => {}
        }
    }
    fn move_forward(&mut self, cols: usize) {
        let room = self.right_stop() - self.at().1;
        self.term.move_forward(cols.min(room));
    }
    fn move_backward(&mut self, cols: usize) {
        self.move_back(cols);
    }
    fn move_down_and_cr(&mut self, rows: usize) {
        self.move_rows(false, rows);
        self.carriage_return();
    }
    fn move_up_and_cr(&mut self, rows: usize) {
        self.move_rows(true, rows);
        self.carriage_return();
    }
    fn put_tab(&mut self, count: u16) {
        self.tab(count);
    }
    fn backspace(&mut self) {
        self.move_back(1);
    }
    fn carriage_return(&mut self) {
        match self.margins {
            Some(_) => self.return_carriage(),
            None => self.term.carriage_return(),
        }
    }
    #[inline]
    fn linefeed(&mut self) {
        self.newline();
    }
    fn bell(&mut self) {
        if !self.out.events.contains(&TermEvent::Bell) {
            self.event(TermEvent::Bell);
        }
    }
    fn substitute(&mut self) {
        self.term.substitute();
    }
    #[inline]
    fn newline(&mut self) {
        // The parser calls `linefeed` for LF; the core keeps mode 20 but looks at it only here.
        if self.margins.is_none() {
            self.term.newline();
            self.spill();
            return;
        }
        self.index();
        if self.mode().contains(TermMode::LINE_FEED_NEW_LINE) {
            self.return_carriage();
        }
    }
    fn set_horizontal_tabstop(&mut self) {
        self.term.set_horizontal_tabstop();
    }
    fn scroll_up(&mut self, rows: usize) {
        if self.margins.is_some() {
            return self.scroll_region(true, rows);
        }
        self.term.scroll_up(rows);
        self.spill();
    }
    fn scroll_down(&mut self, rows: usize) {
        match self.margins {
            Some(_) => self.scroll_region(false, rows),
            None => self.term.scroll_down(rows),
        }
    }
    fn insert_blank_lines(&mut self, count: usize) {
        match self.margins {
            Some(_) => self.shift_lines(false, count),
            None => self.term.insert_blank_lines(count),
        }
    }
    fn delete_lines(&mut self, count: usize) {
        if self.margins.is_some() {
            return self.shift_lines(true, count);
        }
        self.term.delete_lines(count);
        self.spill();
    }
    fn erase_chars(&mut self, count: usize) {
        self.term.erase_chars(count);
    }
    fn delete_chars(&mut self, count: usize) {
        if self.margins.is_some() {
            return self.delete_cells(count);
        }
        // The core would clear what stands before the cursor too.
        let room = self.term.columns() - self.term.grid().cursor.point.column.0;
        self.term.delete_chars(count.min(room));
    }
    fn move_backward_tabs(&mut self, count: u16) {
        self.term.move_backward_tabs(count);
    }
    fn move_forward_tabs(&mut self, count: u16) {
        let began = self.at().1;
        self.term.move_forward_tabs(count);
        self.tab_stop(began);
    }
    fn save_cursor_position(&mut self) {
        self.keep_cursor();
    }
    fn restore_cursor_position(&mut self) {
        self.bring_back_cursor();
    }
    fn clear_line(&mut self, mode: LineClearMode) {
        self.term.clear_line(mode);
    }
    fn clear_screen(&mut self, mode: ClearMode) {
        if matches!(mode, ClearMode::Above) && self.term.grid().cursor.point.line == Line(1) {
            // The core forgets the first row when the cursor is on the second.
            self.term.grid_mut().reset_region(..Line(1));
        }
        if matches!(mode, ClearMode::Saved) {
            self.forget();
        }
        if matches!(mode, ClearMode::All) && self.term.history_size() == 0 && self.is_blank() {
            // The core would put one of the blank rows into history.
            self.term.grid_mut().reset_region(..);
            self.all_changed = true;
            return;
        }
        self.term.clear_screen(mode);
        self.spill();
    }
    fn clear_tabs(&mut self, mode: TabulationClearMode) {
        self.term.clear_tabs(mode);
    }
    fn set_tabs(&mut self, interval: u16) {
        self.term.set_tabs(interval);
    }
    fn reset_state(&mut self) {
        self.term.reset_state();
        self.forget();
        self.extra = Extra::default();
        self.keyboard = vec![0];
        self.hidden_keyboard = vec![0];
        self.titles.clear();
        self.charset = CharsetIndex::G0;
        self.region = (0, self.term.screen_lines());
        self.margins = None;
        self.colours.overrides.clear();
        self.kept = None;
        self.hidden_kept = None;
        self.kept_modes.clear();
        self.level = 64;
    }
    fn reverse_index(&mut self) {
        match self.margins {
            Some(_) => self.reverse(),
            None => self.term.reverse_index(),
        }
    }
    #[inline]
    fn terminal_attribute(&mut self, attr: Attr) {
        let protects = matches!(attr, Attr::Reset) && self.protects();
        self.term.terminal_attribute(match attr {
            // ECMA-48 and every other terminal mean two lines by SGR 21.
            Attr::CancelBold => Attr::DoubleUnderline,
            attr => attr,
        });
        if protects {
            self.protect(true);
        }
    }
    fn set_mode(&mut self, mode: Mode) {
        self.remember(ANSI.saturating_add(mode.raw()), true);
        self.term.set_mode(mode);
    }
    fn unset_mode(&mut self, mode: Mode) {
        self.remember(ANSI.saturating_add(mode.raw()), false);
        self.term.unset_mode(mode);
    }
    fn report_mode(&mut self, mode: Mode) {
        let state = self.ansi_mode(mode.raw());
        self.report("", mode.raw(), state);
    }
    fn set_private_mode(&mut self, mode: PrivateMode) {
        match mode {
            PrivateMode::Unknown(mode) => self.set_unknown_mode(mode, true),
            PrivateMode::Named(NamedPrivateMode::SwapScreenAndSetRestoreCursor) => {
                self.swap_saving_cursor(true)
            }
            PrivateMode::Named(NamedPrivateMode::Origin) => {
                self.term.set_private_mode(mode);
                self.home();
            }
            PrivateMode::Named(NamedPrivateMode::ColumnMode) => self.set_columns(true),
            PrivateMode::Named(_) => self.term.set_private_mode(mode),
        }
    }
    fn unset_private_mode(&mut self, mode: PrivateMode) {
        match mode {
            PrivateMode::Unknown(mode) => self.set_unknown_mode(mode, false),
            PrivateMode::Named(NamedPrivateMode::SwapScreenAndSetRestoreCursor) => {
                self.swap_saving_cursor(false)
            }
            PrivateMode::Named(NamedPrivateMode::Origin) => {
                self.term.unset_private_mode(mode);
                self.home();
            }
            PrivateMode::Named(NamedPrivateMode::ColumnMode) => self.set_columns(false),
            PrivateMode::Named(_) => self.term.unset_private_mode(mode),
        }
    }
    fn report_private_mode(&mut self, mode: PrivateMode) {
        let state = match self.private_mode(mode.raw()) {
            Some(true) => 1,
            Some(false) => 2,
            None => 0,
        };
        self.report("?", mode.raw(), state);
    }
    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        let rows = self.term.screen_lines();
        let end = bottom.unwrap_or(rows);
        if top < end {
            self.region = ((top.max(1) - 1).min(rows), end.min(rows));
        }
        self.term.set_scrolling_region(top.max(1), bottom);
        if top < end && self.margins.is_some() {
            self.home();
        }
    }
    fn set_keypad_application_mode(&mut self) {
        self.term.set_keypad_application_mode();
    }
    fn unset_keypad_application_mode(&mut self) {
        self.term.unset_keypad_application_mode();
    }
    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.charset = index;
        self.term.set_active_charset(index);
    }
    fn configure_charset(&mut self, index: CharsetIndex, charset: StandardCharset) {
        self.term.configure_charset(index, charset);
    }
    // Colours, links, clipboard and titles come from the scanner; the parser never sees an OSC. These are still
    // answered as the core would, so that nothing depends on that.
    fn set_color(&mut self, index: usize, colour: CoreRgb) {
        if let Some(slot) = slot(index) {
            self.colours.overrides.insert(slot, Rgb(colour.r, colour.g, colour.b));
        }
    }
    fn dynamic_color_sequence(&mut self, prefix: String, index: usize, terminator: &str) {
        if let Some(slot) = slot(index) {
            let colour = crate::term::palette::print(self.colours.get(slot));
            self.reply(format!("\x1b]{prefix};{colour}{terminator}").as_bytes());
        }
    }
    fn reset_color(&mut self, index: usize) {
        if let Some(slot) = slot(index) {
            self.colours.overrides.remove(&slot);
        }
    }
    fn clipboard_store(&mut self, clipboard: u8, data: &[u8]) {
        self.term.clipboard_store(clipboard, data);
    }
    fn clipboard_load(&mut self, clipboard: u8, terminator: &str) {
        self.term.clipboard_load(clipboard, terminator);
    }
    fn decaln(&mut self) {
        self.align();
    }
    fn push_title(&mut self) {
        Self::push_title(self);
    }
    fn pop_title(&mut self) {
        Self::pop_title(self);
    }
    fn text_area_size_pixels(&mut self) {
        let (width, height) = (self.term.columns() * CELL_PIXELS.0, self.term.screen_lines() * CELL_PIXELS.1);
        self.reply(format!("\x1b[4;{height};{width}t").as_bytes());
    }
    fn text_area_size_chars(&mut self) {
        let (cols, rows) = (self.term.columns(), self.term.screen_lines());
        self.reply(format!("\x1b[8;{rows};{cols}t").as_bytes());
    }
    fn set_hyperlink(&mut self, link: Option<Hyperlink>) {
        self.term.set_hyperlink(link);
    }
    fn set_mouse_cursor_icon(&mut self, icon: CursorIcon) {
        self.term.set_mouse_cursor_icon(icon);
    }
    fn report_keyboard_mode(&mut self) {
        let flags = self.kitty_flags();
        self.reply(format!("\x1b[?{flags}u").as_bytes());
    }
    fn push_keyboard_mode(&mut self, mode: KeyboardModes) {
        if self.keyboard.len() >= MAX_KEYBOARD_STACK {
            self.keyboard.remove(1);
        }
        self.keyboard.push(mode.bits() & 31);
    }
    fn pop_keyboard_modes(&mut self, count: u16) {
        let left = self.keyboard.len().saturating_sub(usize::from(count));
        if left == 0 {
            self.keyboard = vec![0];
        } else {
            self.keyboard.truncate(left);
        }
    }
    fn set_keyboard_mode(&mut self, mode: KeyboardModes, behavior: KeyboardModesApplyBehavior) {
        let old = self.kitty_flags();
        let flags = match behavior {
            KeyboardModesApplyBehavior::Replace => mode.bits(),
            KeyboardModesApplyBehavior::Union => old | mode.bits(),
            KeyboardModesApplyBehavior::Difference => old & !mode.bits(),
        };
        self.set_keyboard(flags);
    }
    fn set_modify_other_keys(&mut self, mode: ModifyOtherKeys) {
        self.extra.modify_other_keys = mode as u8;
    }
    fn report_modify_other_keys(&mut self) {
        let level = self.extra.modify_other_keys;
        self.reply(format!("\x1b[>4;{level}m").as_bytes());
    }
    fn set_scp(&mut self, path: ScpCharPath, update: ScpUpdateMode) {
        self.term.set_scp(path, update);
    }
}

/// The core's numbering of colours in ours.
fn slot(index: usize) -> Option<ColourSlot> {
    match index {
        0..=255 => u8::try_from(index).ok().map(ColourSlot::Indexed),
        256..=258 => u8::try_from(index - 246).ok().map(ColourSlot::Dynamic),
        _ => None,
    }
}
