//! Owns the plain description of what a pane's program asked its terminal to do with input.
//!
//! Must not know: the emulator that keeps it, the keys that are encoded with it.

/// Width and height of a cell told to those who ask for pixels: nobody here knows the real one, and ratios are what is
/// used.
pub const CELL_PIXELS: (u16, u16) = (10, 20);

/// Which mouse events the program wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MouseProtocol {
    /// No mouse events.
    #[default]
    Off,
    /// Button presses only (mode 9).
    Press,
    /// Presses and releases (mode 1000).
    Click,
    /// Also movement while a button is held (mode 1002).
    Drag,
    /// Also movement without a button (mode 1003).
    Motion,
}

/// How mouse events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MouseEncoding {
    /// `CSI M` and three bytes; columns and rows up to 223.
    #[default]
    Legacy,
    /// As legacy, with UTF-8 coordinates (mode 1005).
    Utf8,
    /// `CSI b;x;y M` (mode 1015).
    Urxvt,
    /// `CSI < b;x;y M|m` (mode 1006).
    Sgr,
    /// The same with pixels for columns and rows (mode 1016).
    SgrPixels,
}

/// The modes of a pane that decide how input is encoded and what is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// Arrow keys send `ESC O` (mode 1).
    pub app_cursor: bool,
    /// Keypad keys send `ESC O` (DECKPAM).
    pub app_keypad: bool,
    /// Pastes are framed by `CSI 200~` and `CSI 201~` (mode 2004).
    pub bracketed_paste: bool,
    /// Focus changes are reported (mode 1004).
    pub focus_events: bool,
    /// Which mouse events are reported.
    pub mouse: MouseProtocol,
    /// How they are written.
    pub mouse_encoding: MouseEncoding,
    /// The alternate screen is shown.
    pub alt_screen: bool,
    /// The wheel sends arrow keys on the alternate screen (mode 1007).
    pub alternate_scroll: bool,
    /// Kitty keyboard flags, 0 to 31.
    pub kitty_flags: u8,
    /// XTMODKEYS modifyOtherKeys level, 0 to 2.
    pub modify_other_keys: u8,
    /// Light and dark changes are reported (mode 2031).
    pub color_scheme_reports: bool,
    /// The cursor is shown (mode 25).
    pub cursor_visible: bool,
    /// Backspace sends BS, not DEL (mode 67).
    pub backarrow: bool,
    /// Line feed also returns the carriage (mode 20).
    pub newline: bool,
}
