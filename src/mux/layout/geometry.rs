//! Owns whole-cell arithmetic: rectangles, directions, dividing a length by weights, moving a border.
use serde::{Deserialize, Serialize};

/// The narrowest useful pane: two columns and a border on each side.
pub const MIN_WIDTH: u16 = 4;
/// The lowest useful pane: one row, and a border above and below.
pub const MIN_HEIGHT: u16 = 3;

/// A rectangle of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// First column, from 0.
    pub x: u16,
    /// First row, from 0.
    pub y: u16,
    /// Columns.
    pub w: u16,
    /// Rows.
    pub h: u16,
}

impl Rect {
    /// A rectangle at a place; it must not reach beyond column or row 65,535.
    pub const fn new(x: u16, y: u16, w: u16, h: u16) -> Self {
        Self { x, y, w, h }
    }

    /// Whether a cell lies inside.
    pub const fn contains(&self, x: u16, y: u16) -> bool {
        x >= self.x && y >= self.y && x - self.x < self.w && y - self.y < self.h
    }

    /// Whether it has no cells.
    pub const fn is_empty(&self) -> bool {
        self.w == 0 || self.h == 0
    }

    /// What is left inside a one-cell border; no cells when there is no room.
    pub const fn inner(&self) -> Self {
        Self {
            x: self.x.saturating_add(1),
            y: self.y.saturating_add(1),
            w: self.w.saturating_sub(2),
            h: self.h.saturating_sub(2),
        }
    }

    /// Its length along an axis.
    pub const fn size(&self, axis: Axis) -> u16 {
        match axis {
            Axis::Horizontal => self.w,
            Axis::Vertical => self.h,
        }
    }

    /// The first column or row and the one after the last, along an axis.
    pub(super) fn span(&self, axis: Axis) -> (u32, u32) {
        let (start, size) = match axis {
            Axis::Horizontal => (self.x, self.w),
            Axis::Vertical => (self.y, self.h),
        };
        (u32::from(start), u32::from(start) + u32::from(size))
    }

    /// The part of it that begins `offset` cells along the axis and is `size` long.
    pub(super) fn slice(&self, axis: Axis, offset: u16, size: u16) -> Self {
        match axis {
            Axis::Horizontal => Self { x: self.x.saturating_add(offset), w: size, ..*self },
            Axis::Vertical => Self { y: self.y.saturating_add(offset), h: size, ..*self },
        }
    }
}

/// How the parts of a split lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// Side by side (tmux `-h`).
    Horizontal,
    /// Stacked (tmux `-v`).
    Vertical,
}

impl Axis {
    /// The other one.
    pub const fn across(self) -> Self {
        match self {
            Self::Horizontal => Self::Vertical,
            Self::Vertical => Self::Horizontal,
        }
    }

    /// The least useful length of a pane along it.
    pub const fn min_size(self) -> u16 {
        match self {
            Self::Horizontal => MIN_WIDTH,
            Self::Vertical => MIN_HEIGHT,
        }
    }
}

/// A direction on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dir {
    /// Towards column 0.
    Left,
    /// Away from column 0.
    Right,
    /// Towards row 0.
    Up,
    /// Away from row 0.
    Down,
}

impl Dir {
    /// The axis it runs along.
    pub const fn axis(self) -> Axis {
        match self {
            Self::Left | Self::Right => Axis::Horizontal,
            Self::Up | Self::Down => Axis::Vertical,
        }
    }

    /// Whether coordinates grow in it.
    pub const fn is_forward(self) -> bool {
        matches!(self, Self::Right | Self::Down)
    }
}

/// Divides `total` cells by weights; the parts add up to `total`, and keep their minimum while there is room for all.
pub(super) fn divide(weights: &[u32], mins: &[u32], total: u16) -> Vec<u16> {
    let sum = weights.iter().map(|w| u64::from(*w)).sum::<u64>().max(1);
    let (mut seen, mut start) = (0u64, 0u64);
    let mut sizes: Vec<u64> = Vec::with_capacity(weights.len());
    for weight in weights {
        seen += u64::from(*weight);
        let end = (u64::from(total) * seen + sum / 2) / sum;
        sizes.push(end - start);
        start = end;
    }
    // Only a list whose weights are all zero leaves a rest.
    if let Some(last) = sizes.last_mut() {
        *last += u64::from(total) - start;
    }
    let room: u64 = mins.iter().map(|m| u64::from(*m)).sum();
    if room <= u64::from(total) {
        raise_to_minimum(&mut sizes, mins);
    }
    sizes.into_iter().map(|size| u16::try_from(size).unwrap_or(u16::MAX)).collect()
}

/// Lifts parts below their minimum with cells of those above, in proportion to what each can spare.
fn raise_to_minimum(sizes: &mut [u64], mins: &[u32]) {
    let mut missing = 0;
    for (size, min) in sizes.iter_mut().zip(mins) {
        let min = u64::from(*min);
        if *size < min {
            missing += min - *size;
            *size = min;
        }
    }
    let spare: u64 = sizes.iter().zip(mins).map(|(size, min)| size - u64::from(*min)).sum();
    if missing == 0 || spare == 0 {
        return;
    }
    let mut left = missing;
    for (size, min) in sizes.iter_mut().zip(mins) {
        let part = ((*size - u64::from(*min)) * missing / spare).min(left);
        *size -= part;
        left -= part;
    }
    // What rounding left over, a cell from each that still can.
    while left > 0 {
        for (size, min) in sizes.iter_mut().zip(mins) {
            if left > 0 && *size > u64::from(*min) {
                *size -= 1;
                left -= 1;
            }
        }
    }
}

/// Moves the border before part `border` by `delta` cells; true when it moved at all.
///
/// The part on the growing side grows; those ahead shrink to their minimum, the nearest first.
pub(super) fn shift_border(sizes: &mut [u16], mins: &[u32], border: usize, delta: i32) -> bool {
    if border == 0 || border >= sizes.len() {
        return false;
    }
    let mut wanted = u16::try_from(delta.unsigned_abs()).unwrap_or(u16::MAX);
    let mut taken = 0u16;
    let (ahead, grows): (Vec<usize>, usize) = if delta > 0 {
        ((border..sizes.len()).collect(), border - 1)
    } else {
        ((0..border).rev().collect(), border)
    };
    for at in ahead {
        let min = u16::try_from(mins[at]).unwrap_or(u16::MAX);
        let part = sizes[at].saturating_sub(min).min(wanted);
        sizes[at] -= part;
        wanted -= part;
        taken += part;
    }
    sizes[grows] += taken;
    taken > 0
}
