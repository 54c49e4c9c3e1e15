//! Owns mouse reports (xterm's control sequences, "Mouse Tracking").
use crate::{
    mux::keys::Mods,
    term::{
        input::{MouseButton, MouseEvent, MouseKind},
        modes::CELL_PIXELS,
    },
};

/// Which mouse events a program asked for; a later mode of the list replaces an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MouseTracking {
    /// None.
    #[default]
    Off,
    /// Mode 9: presses of the three buttons, without modifiers.
    Press,
    /// Mode 1000: presses, releases and the wheel.
    Button,
    /// Mode 1002: also movement while a button is held.
    Drag,
    /// Mode 1003: also any other movement.
    Any,
}

/// How a program wants its mouse reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MouseEncoding {
    /// `CSI M` and three bytes: only the first 223 columns and rows can be reported.
    #[default]
    X10,
    /// Mode 1005: the same, as UTF-8 characters up to 2,015.
    Utf8,
    /// Mode 1006: decimal numbers, and a release that names its button.
    Sgr,
    /// Mode 1016: the same, in pixels of cells as large as programs are told; the middle of the cell.
    SgrPixels,
    /// Mode 1015: decimal numbers.
    Urxvt,
}

/// What a program asked of the mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MouseModes {
    /// Which events.
    pub tracking: MouseTracking,
    /// In which form.
    pub encoding: MouseEncoding,
}

/// A report for a program, its coordinates counted from the pane's first cell; `None` when it did not ask for this.
///
/// Also `None` for a cell that its encoding cannot name: a wrong place is worse than none.
pub fn encode_mouse(event: &MouseEvent, modes: &MouseModes) -> Option<Vec<u8>> {
    if !wanted(event, modes.tracking) {
        return None;
    }
    let release = event.kind == MouseKind::Release;
    let sgr = matches!(modes.encoding, MouseEncoding::Sgr | MouseEncoding::SgrPixels);
    let mut number = match event.button {
        // Only SGR says which button went up.
        _ if release && !sgr => 3,
        MouseButton::Left => 0,
        MouseButton::Middle => 1,
        MouseButton::Right => 2,
        MouseButton::None => 3,
        MouseButton::WheelUp => 64,
        MouseButton::WheelDown => 65,
        MouseButton::WheelLeft => 66,
        MouseButton::WheelRight => 67,
        MouseButton::Extra(n @ 8..=11) => 128 + u32::from(n - 8),
        MouseButton::Extra(_) => return None,
    };
    if matches!(event.kind, MouseKind::Drag | MouseKind::Move) {
        number += 32;
    }
    if modes.tracking != MouseTracking::Press {
        for (mods, bit) in [(Mods::SHIFT, 4), (Mods::ALT, 8), (Mods::CTRL, 16)] {
            number += if event.mods.contains(mods) { bit } else { 0 };
        }
    }
    let (x, y) = (u32::from(event.x) + 1, u32::from(event.y) + 1);
    match modes.encoding {
        MouseEncoding::Sgr | MouseEncoding::SgrPixels => {
            let (width, height) = (u32::from(CELL_PIXELS.0), u32::from(CELL_PIXELS.1));
            let (x, y) = match modes.encoding {
                MouseEncoding::SgrPixels => ((x - 1) * width + width / 2, (y - 1) * height + height / 2),
                _ => (x, y),
            };
            let last = if release { 'm' } else { 'M' };
            Some(format!("\x1b[<{number};{x};{y}{last}").into_bytes())
        }
        MouseEncoding::Urxvt => Some(format!("\x1b[{};{x};{y}M", number + 32).into_bytes()),
        MouseEncoding::X10 => {
            let mut out = b"\x1b[M".to_vec();
            for value in [number, x, y] {
                out.push(u8::try_from(value + 32).ok()?);
            }
            Some(out)
        }
        MouseEncoding::Utf8 => {
            let mut out = String::from("\x1b[M");
            for value in [number, x, y] {
                // Two bytes of UTF-8 are all that this encoding has.
                out.push(char::from_u32(value + 32).filter(|c| c.len_utf8() <= 2)?);
            }
            Some(out.into_bytes())
        }
    }
}

fn wanted(event: &MouseEvent, tracking: MouseTracking) -> bool {
    match tracking {
        MouseTracking::Off => false,
        MouseTracking::Press => {
            event.kind == MouseKind::Press
                && matches!(event.button, MouseButton::Left | MouseButton::Middle | MouseButton::Right)
        }
        MouseTracking::Button => !matches!(event.kind, MouseKind::Drag | MouseKind::Move),
        MouseTracking::Drag => event.kind != MouseKind::Move,
        MouseTracking::Any => true,
    }
}
