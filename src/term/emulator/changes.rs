//! Owns which rows of the screen changed since when, so that a key's echo costs one row and not the whole screen.
use super::{Emulator, screen::Overrides};
use alacritty_terminal::{grid::Dimensions as _, term::TermDamage};

/// How far beyond what the core names a change may reach: text written over one half of a wide character takes the
/// other half away.
const REACH: usize = 2;

/// What happened to a row.
#[derive(Clone, Copy, Default)]
struct Row {
    /// The generation in which it changed last, and the columns that changed then.
    last: u64,
    from: usize,
    to: usize,
    /// The generation in which it changed before that.
    earlier: u64,
}

/// When and where each row changed, and the colours that all rows were judged with.
#[derive(Default)]
pub struct Changes {
    rows: Vec<Row>,
    overrides: Overrides,
}

impl Emulator {
    /// Takes over what the core says it touched. Every move of its cursor by other ways than writing names both ends,
    /// so text that is written past the core is covered too.
    pub(super) fn note_changes(&mut self) {
        let now = self.generation;
        let (rows, columns) = (self.screen.term.screen_lines(), self.screen.term.columns());
        let changes = &mut self.changes;
        let rewritten = std::mem::take(&mut self.screen.all_changed);
        let recoloured = changes.overrides != self.screen.colours.overrides;
        if recoloured {
            changes.overrides.clone_from(&self.screen.colours.overrides);
        }
        let resized = changes.rows.len() != rows;
        changes.rows.resize(rows, Row::default());
        match self.screen.term.damage() {
            TermDamage::Partial(lines) if !recoloured && !resized && !rewritten => {
                for line in lines {
                    if let Some(row) = changes.rows.get_mut(line.line) {
                        let from = line.left.saturating_sub(REACH);
                        *row = Row { last: now, from, to: line.right + 1 + REACH, earlier: row.last };
                    }
                }
            }
            _ => changes.rows.fill(Row { last: now, from: 0, to: columns, earlier: now }),
        }
        self.screen.term.reset_damage();
    }

    /// The columns of a row of the live screen that may look different than in that generation.
    pub(super) fn changed_since(&self, row: usize, generation: u64) -> Option<(usize, usize)> {
        let row = self.changes.rows.get(row).filter(|row| row.last > generation)?;
        // Only of the newest change is known where it was.
        Some(if row.earlier <= generation { (row.from, row.to) } else { (0, usize::MAX) })
    }
}
