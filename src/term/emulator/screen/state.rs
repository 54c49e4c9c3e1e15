//! What a program sets and asks for beside the text: modes that the core does not keep, what saving the cursor keeps
//! with it, and moves that stop at the region's edges.
use super::{PROTECTED, Screen, margins::Margins};
use alacritty_terminal::{
    grid::Dimensions as _,
    term::TermMode,
    vte::ansi::{ClearMode, Handler as _, NamedPrivateMode},
};

/// ANSI modes that no terminal of today has: permanently off.
const NEVER: [u16; 11] = [1, 5, 7, 10, 11, 13, 14, 15, 16, 17, 18];

/// What is added to an ANSI mode's number where it stands beside private ones, which have smaller numbers.
pub(super) const ANSI: u16 = 10_000;

/// Modes that are set and asked for, and mean nothing to a terminal without a printer, a keyboard of its own, smooth
/// scrolling and national character sets: 4, 18, 19, 42, and of ANSI's 2 and 12.
const REMEMBERED: [u16; 6] = [4, 18, 19, 42, ANSI + 2, ANSI + 12];

/// Most private modes kept by XTSAVE; there are fewer that can be asked for.
const MAX_KEPT_MODES: usize = 64;

/// Modes that the core does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extra {
    pub press_mouse: bool,
    pub urxvt_mouse: bool,
    pub pixel_mouse: bool,
    pub color_scheme: bool,
    pub modify_other_keys: u8,
    /// Mode 5: foreground and background are exchanged everywhere.
    pub reverse_screen: bool,
    /// Mode 41: a tab behind a full line goes on in the next one.
    pub more_fix: bool,
    /// Mode 45: going back at the left edge goes on in the line above.
    pub reverse_wrap: bool,
    /// Mode 67: Backspace sends BS.
    pub backarrow: bool,
    /// Mode 69: margins may be set.
    pub margins_allowed: bool,
    /// Mode 40: mode 3 does something.
    pub columns_allowed: bool,
    /// Mode 3, which would mean 132 columns.
    pub wide: bool,
    /// Modes of `REMEMBERED` that are on, a bit each.
    pub remembered: u8,
}

/// What DECSC keeps beside what the core keeps.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    origin: bool,
}

impl Screen {
    pub(super) fn set_unknown_mode(&mut self, mode: u16, on: bool) {
        match mode {
            5 => {
                self.all_changed |= self.extra.reverse_screen != on;
                self.extra.reverse_screen = on;
            }
            9 => self.extra.press_mouse = on,
            41 => self.extra.more_fix = on,
            45 => self.extra.reverse_wrap = on,
            47 | 1047 => self.swap_keeping_cursor(on),
            66 if on => self.term.set_keypad_application_mode(),
            66 => self.term.unset_keypad_application_mode(),
            67 => self.extra.backarrow = on,
            69 => self.allow_margins(on),
            40 => self.extra.columns_allowed = on,
            1015 => self.extra.urxvt_mouse = on,
            1016 => self.extra.pixel_mouse = on,
            1048 if on => self.save_cursor_position(),
            1048 => self.restore_cursor_position(),
            2031 => self.extra.color_scheme = on,
            _ => self.remember(mode, on),
        }
    }

    /// Whether a private mode is on; `None` for those that are not known.
    pub(super) fn private_mode(&self, mode: u16) -> Option<bool> {
        let set = |flag| Some(self.mode().contains(flag));
        match mode {
            1 => set(TermMode::APP_CURSOR),
            5 => Some(self.extra.reverse_screen),
            6 => set(TermMode::ORIGIN),
            7 => set(TermMode::LINE_WRAP),
            9 => Some(self.extra.press_mouse),
            12 => Some(self.term.cursor_style().blinking),
            25 => set(TermMode::SHOW_CURSOR),
            41 => Some(self.extra.more_fix),
            45 => Some(self.extra.reverse_wrap),
            47 | 1047 | 1049 => set(TermMode::ALT_SCREEN),
            66 => set(TermMode::APP_KEYPAD),
            67 => Some(self.extra.backarrow),
            69 if self.level >= 64 => Some(self.extra.margins_allowed),
            3 => Some(self.extra.wide),
            40 => Some(self.extra.columns_allowed),
            1000 => set(TermMode::MOUSE_REPORT_CLICK),
            1002 => set(TermMode::MOUSE_DRAG),
            1003 => set(TermMode::MOUSE_MOTION),
            1004 => set(TermMode::FOCUS_IN_OUT),
            1005 => set(TermMode::UTF8_MOUSE),
            1006 => set(TermMode::SGR_MOUSE),
            1007 => set(TermMode::ALTERNATE_SCROLL),
            1015 => Some(self.extra.urxvt_mouse),
            1016 => Some(self.extra.pixel_mouse),
            1042 => set(TermMode::URGENCY_HINTS),
            2004 => set(TermMode::BRACKETED_PASTE),
            2026 => Some(self.in_sync),
            2031 => Some(self.extra.color_scheme),
            _ => self.remembers(mode),
        }
    }

    /// Keeps a mode that only has to be reported.
    pub(super) fn remember(&mut self, mode: u16, on: bool) {
        if let Some(at) = REMEMBERED.iter().position(|known| *known == mode) {
            let bit = 1 << at;
            self.extra.remembered =
                if on { self.extra.remembered | bit } else { self.extra.remembered & !bit };
        }
    }

    fn remembers(&self, mode: u16) -> Option<bool> {
        let at = REMEMBERED.iter().position(|known| *known == mode)?;
        Some(self.extra.remembered & (1 << at) != 0)
    }

    /// DECCOLM: the layout decides how wide a pane is; what else belongs to it is done where mode 40 lets it.
    pub(super) fn set_columns(&mut self, wide: bool) {
        if self.extra.columns_allowed {
            self.extra.wide = wide;
            self.set_scrolling_region(1, None);
            self.allow_margins(false);
            self.term.unset_private_mode(NamedPrivateMode::Origin.into());
            self.clear_screen(ClearMode::All);
            self.term.goto(0, 0);
        }
    }

    /// DECRQM's answer for an ANSI mode: 1 on, 2 off, 4 always off, 0 unknown.
    pub(super) fn ansi_mode(&self, mode: u16) -> u8 {
        let flag = match mode {
            4 => TermMode::INSERT,
            20 => TermMode::LINE_FEED_NEW_LINE,
            mode if NEVER.contains(&mode) || mode == 19 => return 4,
            mode => return self.remembers(ANSI.saturating_add(mode)).map_or(0, |on| if on { 1 } else { 2 }),
        };
        if self.mode().contains(flag) { 1 } else { 2 }
    }

    /// XTSAVE: keeps what these private modes are.
    pub fn keep_modes(&mut self, modes: &[u16]) {
        for mode in modes {
            if let Some(on) = self.private_mode(*mode)
                && (self.kept_modes.len() < MAX_KEPT_MODES || self.kept_modes.contains_key(mode))
            {
                self.kept_modes.insert(*mode, on);
            }
        }
    }

    /// XTRESTORE: the sequences that set them so again.
    pub fn kept_modes(&self, modes: &[u16]) -> String {
        let sequence = |mode: &u16| {
            let last = if *self.kept_modes.get(mode)? { 'h' } else { 'l' };
            Some(format!("\x1b[?{mode}{last}"))
        };
        modes.iter().filter_map(sequence).collect()
    }

    /// DECSCL: the conformance level, 61 to 64, with a soft reset as on every terminal.
    pub fn set_level(&mut self, level: u16) {
        self.soft_reset();
        self.level = level.clamp(61, 64);
        self.allow_margins(false);
    }

    /// DECSCA: what is written from now on is left alone by selective erasing, or not.
    pub fn protect(&mut self, on: bool) {
        self.term.grid_mut().cursor.template.flags.set(PROTECTED, on);
    }

    /// Whether what is written now is protected.
    pub fn protects(&self) -> bool {
        self.term.grid().cursor.template.flags.contains(PROTECTED)
    }

    pub(super) fn keep_cursor(&mut self) {
        let mode = self.mode();
        let kept = Kept { origin: mode.contains(TermMode::ORIGIN) };
        self.kept = Some(kept);
        self.term.save_cursor_position();
    }

    pub(super) fn bring_back_cursor(&mut self) {
        // As in xterm, which keeps no wrapping. Setting this moves the cursor, so it comes before the position.
        let origin = NamedPrivateMode::Origin.into();
        match self.kept.is_some_and(|kept| kept.origin) {
            true => self.term.set_private_mode(origin),
            false => self.term.unset_private_mode(origin),
        }
        self.term.restore_cursor_position();
    }

    /// Goes up or down so many rows, and not over an edge of the region from inside it.
    pub(super) fn move_rows(&mut self, up: bool, count: usize) {
        let point = self.term.grid().cursor.point;
        let line = usize::try_from(point.line.0).unwrap_or(0);
        let (top, end) = self.region;
        let target = if up {
            line.saturating_sub(count).max(if line >= top { top } else { 0 })
        } else {
            line.saturating_add(count).min(if line < end { end } else { self.term.screen_lines() } - 1)
        };
        self.go(target, point.column.0);
    }

    /// Puts the cursor onto a place of the screen, whatever the origin is.
    fn go(&mut self, line: usize, column: usize) {
        let offset = if self.mode().contains(TermMode::ORIGIN) { self.region.0 } else { 0 };
        self.term.goto(i32::try_from(line).unwrap_or(0) - i32::try_from(offset).unwrap_or(0), column);
    }

    /// Goes to a column of this line.
    pub(super) fn go_column(&mut self, column: usize) {
        let at = self.term.grid().cursor.point.column.0;
        if column >= at {
            self.term.move_forward(column - at);
        } else {
            self.term.move_backward(at - column);
        }
    }

    /// Goes back; with mode 45 beyond the left edge to the end of the line above, from the first row to the last.
    pub(super) fn move_back(&mut self, count: usize) {
        let wraps = self.extra.reverse_wrap && self.mode().contains(TermMode::LINE_WRAP);
        let mut count = count;
        if wraps && self.term.grid().cursor.input_needs_wrap {
            // Behind a full line the first step back leads onto its last column.
            self.term.grid_mut().cursor.input_needs_wrap = false;
            count = count.saturating_sub(1);
        }
        let (line, column) = self.at();
        let room = column - self.left_stop();
        if !wraps || count <= room {
            if count > 0 {
                self.term.move_backward(count.min(room));
            }
            return;
        }
        // One more step leads to the right margin of the line above, from the region's first line to its last.
        let Margins { left, end } = self.sides();
        let (top, bottom) = if (self.region.0..self.region.1).contains(&line) {
            self.region
        } else {
            (0, self.term.screen_lines())
        };
        let more = count - room - 1;
        let (up, back) = (1 + more / (end - left), more % (end - left));
        let height = bottom - top;
        self.put_cursor(top + (line - top + height - up % height) % height, end - 1 - back);
    }

    /// A tab: from behind a full line it leads nowhere, as the text has not wrapped yet.
    pub(super) fn tab(&mut self, count: u16) {
        if self.term.grid().cursor.input_needs_wrap {
            if !self.extra.more_fix {
                return;
            }
            // The core's tab only wraps there.
            self.term.put_tab(1);
        }
        let began = self.at().1;
        self.term.put_tab(count);
        self.tab_stop(began);
        self.spill();
    }

    /// DECALN: the screen full of E, and nothing else in force.
    pub(super) fn align(&mut self) {
        self.set_scrolling_region(1, None);
        self.margins = None;
        self.term.unset_private_mode(NamedPrivateMode::Origin.into());
        self.term.decaln();
        self.go(0, 0);
    }
}
